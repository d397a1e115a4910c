"""A day of samples goes through in memory that does not grow."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
import numpy as np
import ctmeter

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))

idle = anonymous()
rate, seconds = 12800, 10
t = np.arange(rate * seconds) / rate
block = np.empty((len(t), 6), np.int16)
for k in range(3):
    angle = 2 * np.pi * 50 * t - k * 2 * np.pi / 3
    block[:, k] = np.round(32000 / 400 * 230 * 2**0.5 * np.sin(angle))
    block[:, 3 + k] = np.round(32000 / 10 * 5 * 2**0.5 * np.sin(angle - 1))
channels = [ctmeter.Channel(f"U_L{k}", scale=400 / 32000) for k in (1, 2, 3)] + [ctmeter.Channel(f"I_L{k}", scale=10 / 32000) for k in (1, 2, 3)]
settings = {"nominal_voltage": 230, "nominal_frequency": 50}
analyzer = ctmeter.Analyzer(settings, sample_rate=rate, channels=channels, start="2026-03-02T00:00:00Z", out=sys.argv[1])
used = []
for part in range(24 * 360):
    analyzer.feed(block)
    if part % 360 == 6:
        used.append(anonymous() - idle)
result = analyzer.finish()
used.append(anonymous() - idle)
print(json.dumps({"used": used, "rows": result.tables["basic"].num_rows, "energy": result.energy["A+"]}))
"""


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_day_streams_in_flat_memory(tmp_path):
    run = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "day")], capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["rows"] == pytest.approx(24 * 3600 * 5, abs=200)
    assert max(said["used"]) < 300, said["used"]
    # the first chunks and the pools of the libraries are there after a few hours; from then on nothing is added
    assert max(said["used"][12:]) < max(said["used"][:12]) + 20, said["used"]
