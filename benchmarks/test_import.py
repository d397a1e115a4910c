"""What it costs to start: CPU time of a new process, against that of an interpreter that does nothing."""

from __future__ import annotations

import os
import statistics
import sys
import sysconfig
from pathlib import Path

import pytest
from benchmarks.measure import ROUNDS, Row, Table

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(sysconfig.get_path("scripts")) / "ctmeter"


def cpu_ms(command: list[str], folder: Path) -> float:
    """User and system time of a process, ms."""
    silent = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    here = os.getcwd()
    os.chdir(folder)
    try:
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=silent)
        _, status, usage = os.wait4(pid, 0)
    finally:
        os.chdir(here)
    assert os.waitstatus_to_exitcode(status) == 0, command
    return 1e3 * (usage.ru_utime + usage.ru_stime)


@pytest.mark.skipif(not PROGRAM.exists(), reason="ctmeter is not installed in this environment")
def test_start(report, tmp_path):
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import numpy": [sys.executable, "-c", "import numpy"],
        "import ctmeter": [sys.executable, "-c", "import ctmeter"],
        "import ctmeter; ctmeter.measure": [sys.executable, "-c", "import ctmeter; ctmeter.measure"],
        "ctmeter --help": [str(PROGRAM), "--help"],
        "ctmeter info feeder.cfg": [str(PROGRAM), "info", str(ROOT / "waveforms/feeder.cfg")],
        "ctmeter measure feeder.cfg": [str(PROGRAM), "measure", str(ROOT / "waveforms/feeder.cfg")],
        "ctmeter measure --json feeder.cfg": [str(PROGRAM), "measure", "--json", str(ROOT / "waveforms/feeder.cfg")],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(ROUNDS + 1):
        for name, command in commands.items():
            spent = cpu_ms(command, tmp_path)
            if number:
                times[name].append(spent)
    base = statistics.median(times["python -c pass"])
    rows = []
    for name, t in times.items():
        low, median, high = statistics.quantiles(t, n=4)
        rows.append(Row(name, median, (high - low) / 2 / median, median / base, None))
    report(Table("start, CPU time of the process", "x python -c pass", rows))
