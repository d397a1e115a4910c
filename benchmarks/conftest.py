"""Tables of figures at the end of a benchmark run; limits; a file of results on request."""

from __future__ import annotations

import datetime as dt
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import measure  # noqa: E402

RESULTS = Path(__file__).parent / "results"
TABLES: list[measure.Table] = []
LOADS: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("figures")
    group.addoption("--save-figures", action="store_true", help="write benchmarks/results/<date>.json")
    group.addoption("--no-limits", action="store_true", help="a limit that is missed is shown, and fails nothing")


@pytest.fixture(scope="session")
def minute() -> np.ndarray:
    """Sixty seconds of six channels, int16 counts, 12.8 kHz: shape (768000, 6)."""
    return measure.counts(60)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Takes tables for the end of the run; a missed limit fails the benchmark that measured it."""

    def take(*tables: measure.Table) -> None:
        TABLES.extend(tables)
        LOADS.append(measure.load())
        faults = measure.missed(tables)
        if not request.config.getoption("--no-limits"):
            assert not faults, "\n".join(faults)

    return take


def machine() -> dict[str, str]:
    from ctmeter import _dsp

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next((line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")), model)
    return {
        "processor": model,
        "kernels": _dsp.instruction_set(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load": f"{LOADS[0]} to {LOADS[-1]}" if LOADS else "",
    }


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not TABLES:
        return
    about = machine()
    terminalreporter.section("figures")
    terminalreporter.line(", ".join(f"{k} {v}" for k, v in about.items()))
    for table in TABLES:
        terminalreporter.line("")
        for line in table.lines():
            terminalreporter.line(line)
    if config.getoption("--save-figures"):
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}.json"
        path.write_text(json.dumps({"machine": about, "tables": [asdict(t) for t in TABLES]}, indent=1) + "\n")
        terminalreporter.line(f"written to {path.relative_to(ROOT)}")
