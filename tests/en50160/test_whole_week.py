"""A week from its samples to its verdict; what it holds is known by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_week_of_samples(tmp_path):
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("whole_week.py")), str(tmp_path / "week")], capture_output=True, text=True, timeout=3600
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    found = said["found"]
    assert said["memory_mb"] < 500
    assert found["verdict"] == "fail" and len(found["weeks"]) == 1
    rows = {(r["quantity"], r["phase"], r["order"]): r for r in found["weeks"][0]["parameters"]}
    # 51 intervals at 87 % of L1; the interval of the short dip is excluded; what the long one flags counts as a variation
    assert [rows["U", p, None]["N1"] for p in ("L1", "L2", "L3")] == [51, 0, 0]
    assert all(rows["U", p, None]["N"] == 1007 and rows["U", p, None]["flagged"] == 1 for p in ("L1", "L2", "L3"))
    assert [rows["U", p, None]["verdict"] for p in ("L1", "L2", "L3")] == ["fail", "pass", "pass"]
    full = 230 * (1 + 0.03**2 + 0.034**2) ** 0.5
    assert rows["U", "L1", None]["min"] == pytest.approx(0.87 * full, rel=1e-4) and rows["U", "L1", None]["max"] == pytest.approx(full, rel=1e-4)
    assert rows["U", "L1", None]["percentiles"]["5"] == pytest.approx(0.87 * full, rel=1e-4), "the 51st of 1007"
    # both dips exclude the other quantities: 51 or, with those the long one touches at its ends, up to 53, and one
    for key, value in ((("HU", "L2", 5), 3.0), (("HU", "L2", 11), 3.4), (("THD_U", "L2", None), (9 + 3.4**2) ** 0.5)):
        assert 52 <= rows[key]["N_invalid"] <= 54 and rows[key]["percentiles"]["50"] == pytest.approx(value, rel=1e-3)
    assert rows["HU", "L2", 11]["verdict"] == "pass" and found["weeks"][0]["closest_order"]["order"] == 11
    assert rows["THD_U", "L2", None]["verdict"] == "insufficient-data", "1.6 kHz carries orders to 12"
    assert (rows["f", None, None]["N"], rows["f", None, None]["verdict"]) == (60_480, "pass")
    # 51 intervals of ten minutes from 50 h on lie in six of the 84 of two hours at most, the short dip in one more
    assert rows["Plt", "L1", None]["N"] >= 84 - 8 and rows["Plt", "L2", None]["verdict"] == "pass"
    assert {k: n for k, n in found["dips"].items() if n} == {"C2": 1} and found["outside"]["dip"] == 1
    assert {left["quantity"]: left.get("orders") for left in found["not_measured"]} == {"MSV": None, "HU": list(range(13, 26))}
