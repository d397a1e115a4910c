"""Memory: anonymous memory (RssAnon) above an idle import, of a stream of a day and of a large file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.measure import NAMES, Row, Table

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")

COMMON = """
import json, sys, time
import ctmeter
def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))
idle = anonymous()
used = []
"""

# 13 GB of samples that are never on disk: fifty seconds, a whole number of cycles (2501), again and again in blocks
# of ten, so that the mains does not jump where they join. They are a part of no measurement and made before `idle` is
# taken a second time.
STREAM = """
sys.path.insert(0, sys.argv[1])
from benchmarks.measure import RATE, channels, counts
samples = counts(50)
blocks = [samples[k : k + len(samples) // 5] for k in range(0, len(samples), len(samples) // 5)]
idle = anonymous()
settings = {"nominal_frequency": 50, "nominal_voltage": 230}
settings.update(json.loads(sys.argv[3]))
analyzer = ctmeter.Analyzer(settings, sample_rate=RATE, channels=channels(), start="2026-01-01T00:00:00Z", out=sys.argv[2])
began = time.process_time()
for part in range(8640):
    analyzer.feed(blocks[part % 5])
    if part % 6 == 5:
        used.append(anonymous() - idle)
result = analyzer.finish()
used.append(anonymous() - idle)
print(json.dumps({"used": used, "seconds": time.process_time() - began, "rows": result.tables["basic"].num_rows}))
"""

FILE = """
analyzer = None
began = time.process_time()
with ctmeter.read(sys.argv[1]) as rec:
    from ctmeter.engine import Engine
    segment = rec.segments[0]
    engine = Engine(ctmeter.Settings(nominal_frequency=50), segment.sample_rate, rec.channels, segment.start_ns, ctmeter.recording.Wiring("3P4W"))
    samples = 0
    for block in rec.blocks(1 << 18):
        if isinstance(block, ctmeter.Gap):
            engine.feed(block)
            continue
        engine.feed(block.raw)
        engine.take()
        samples += len(block)
        used.append(anonymous() - idle)
    engine.flush()
print(json.dumps({"used": used, "seconds": time.process_time() - began, "rows": samples}))
"""


def run(program: str, *arguments: str) -> dict:
    done = subprocess.run([sys.executable, "-c", COMMON + program, *arguments], capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows_of(name: str, said: dict, limit: float | None = None) -> list[Row]:
    """Largest use after a minute, and what was added from there to the end; ratio column in MB."""
    used, ms = said["used"], said["seconds"] * 1e3
    first = used[0]
    return [
        Row(f"{name}, largest", ms, 0.0, max(used), limit, aim=limit is None),
        Row(f"{name}, after the first minute", ms, 0.0, first, None),
        Row(f"{name}, last tenth above first tenth", ms, 0.0, max(used[-len(used) // 10 :]) - max(used[: len(used) // 10]), 20, aim=limit is None),
    ]


@pytest.mark.long
@pytest.mark.parametrize("rows", [False, True], ids=["windows", "all rows"])
def test_day(report, tmp_path, rows):
    """A day of 13 GB under 300 MB, and flat after the first minute."""
    said = run(STREAM, str(ROOT), str(tmp_path / "day"), json.dumps({"cycle": rows, "half_cycle": rows}))
    assert said["rows"] == pytest.approx(86_400 * 5, abs=300)
    report(Table("24 h, 13 GB, out=" + (", all rows" if rows else ""), "MB", rows_of("day", said, 300)))


def test_large_file(report, tmp_path):
    """A sparse COMTRADE BINARY file of 1 GB: mapped, never held."""
    n = 50_000_000
    lines = [f"{k},{name},,,{'V' if name[0] == 'U' else 'A'},0.01,0,0,-32767,32767,1,1,P" for k, name in enumerate(NAMES, 1)]
    start = "01/01/2026,00:00:00.000000"
    text = ["station,device,1999", "6,6A,0D", *lines, "50", "1", f"12800,{n}", start, start, "BINARY", "1"]
    (tmp_path / "sparse.cfg").write_text("\r\n".join(text) + "\r\n", encoding="ascii")
    with open(tmp_path / "sparse.dat", "wb") as f:
        f.truncate(20 * n)
    said = run(FILE, str(tmp_path / "sparse.cfg"))
    assert said["rows"] == n
    report(Table("sparse COMTRADE BINARY, 1 GB", "MB", rows_of("file", said, 300)))
