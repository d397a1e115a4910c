"""EN 50160: a week from its samples to the verdict, and a week and a year from their tables."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.measure import Row, Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_week_of_samples(report, tmp_path):
    """604 800 s of six channels at 1.6 kHz, synthesised, measured and assessed."""
    program = str(ROOT / "tests" / "en50160" / "whole_week.py")
    done = subprocess.run([sys.executable, program, str(tmp_path / "week")], capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    rows = [Row(what, seconds * 1e3, 0.0, 604_800 / seconds, None) for what, seconds in said["seconds"].items()]
    report(Table("week at 1.6 kHz", "x real time", rows))
    report(Table("week at 1.6 kHz", "MB", [Row("largest", sum(said["seconds"].values()) * 1e3, 0.0, said["memory_mb"], 500)]))


@pytest.mark.parametrize("weeks", [1, 52])
def test_tables(report, weeks):
    """Assessment of tables in memory; a week's has to leave its report most of its 5 s."""
    from ctmeter.en50160 import assess
    from en50160.weeks import GIVEN, week

    tables = week(weeks=weeks)
    began = time.perf_counter()
    found = assess(tables, **GIVEN)
    seconds = time.perf_counter() - began
    assert found.verdict == "pass" and len(found.weeks) == weeks
    report(Table(f"assessment of {weeks} weeks", "s", [Row("all parameters", seconds * 1e3, 0.0, seconds, 1.0 if weeks == 1 else None)]))
