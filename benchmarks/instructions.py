"""Instructions per frame of the core, by function: a figure that no other tenant of the machine changes.

    python benchmarks/instructions.py [--basic] [--rows] [--block N] [--limit N]

Runs six seconds of the chain under valgrind's callgrind and counts what happens inside `Core.feed`.
Valgrind knows no AVX-512, so the AVX2 kernels are counted: the figures follow a change of the code,
they are no measure of time. Needs a release build, whose symbols are in place.
"""

from __future__ import annotations

import argparse
import importlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 6
FEED = "__pyx_pw_7ctmeter_4_dsp_4Core_*feed"


def workload(rows: bool, block: int, basic: bool) -> None:
    sys.path.insert(0, str(ROOT))
    from benchmarks.measure import BASIC, chain, counts

    chain(counts(SECONDS), block, cycle=rows, half_cycle=rows, **(BASIC if basic else {}))


def count(arguments: list[str]) -> tuple[dict[str, int], str]:
    """Instructions of every function within `Core.feed`, callees apart."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = [
            "valgrind", "--tool=callgrind", "--collect-atstart=no", f"--toggle-collect={FEED}", f"--callgrind-out-file={out}",
            sys.executable, __file__, "--workload", *arguments,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        if done.returncode:
            raise SystemExit(done.stderr)
        text = subprocess.run(["callgrind_annotate", "--threshold=100", str(out)], capture_output=True, text=True, check=True).stdout
    found: dict[str, int] = {}
    for line in text.splitlines():
        match = re.match(r"\s*([\d,]+)\s*(?:\([ \d.]+%\))?\s+(\S.*)$", line)
        if match and ":" in match[2]:
            name = match[2].partition(":")[2].partition(" [")[0]
            name = re.sub(r"^__pyx_\w+?_(?:7ctmeter_8_kernels_\d+|7ctmeter_4_dsp_4Core_+)", "", name)
            found[name] = found.get(name, 0) + int(match[1].replace(",", ""))
    return found, text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", action="store_true", help="with cycle and half-cycle rows and line voltages")
    parser.add_argument("--basic", action="store_true", help="without spectra")
    parser.add_argument("--block", type=int, default=12_800, help="frames in a block")
    parser.add_argument("--limit", type=float, help="exit with 1 where there are more instructions per frame")
    parser.add_argument("--workload", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.workload:
        workload(given.rows, given.block, given.basic)
        return
    for tool in ("valgrind", "callgrind_annotate"):
        if shutil.which(tool) is None:
            print(f"skipped: no {tool} here (Debian: apt install valgrind)")
            return
    sys.path.insert(0, str(ROOT))
    rate = importlib.import_module("benchmarks.measure").RATE
    frames = SECONDS * rate
    found, text = count(sys.argv[1:])
    total = sum(found.values())
    if not total:
        raise SystemExit(f"nothing was counted in {FEED}\n{text[:2000]}")
    print(f"{'instructions per frame':<44} {total / frames:8.1f}")
    for name, n in sorted(found.items(), key=lambda item: -item[1])[:24]:
        print(f"  {name[:42]:<42} {n / frames:8.1f}  {n / total:5.1%}")
    if given.limit is not None and total / frames > given.limit:
        raise SystemExit(f"more than {given.limit:g} instructions per frame")


if __name__ == "__main__":
    main()
