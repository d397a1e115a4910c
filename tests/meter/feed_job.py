"""A small job that feeds a meter, in many commits, and goes on where it was interrupted; also run as a program, to be killed.

python -m meter.feed_job STORE
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ctmeter.meter import Meter
from ctmeter.pipeline import drive
from ctmeter.recording import Recording
from meter.bench import DAY, FS, S, ns, sines

CONFIG = {"ct_ratio": 40, "tariff_source": "port", "module": "13", "input_1": "p", "input_2": "t", "logger_2": "daily", "analysis_interval": 1}
BEGIN = ns(2026, 1, 31, 23, 59, 30)


def parts(seconds: float) -> list[Recording]:
    """Three recordings over the end of a month, the last one behind a day without."""
    made = []
    for k, start in enumerate((BEGIN, BEGIN + round(seconds * S), BEGIN + DAY)):
        n = round(round(seconds * FS))
        status = {"p": (np.arange(n) // 700) % 2, "t": (np.arange(n) // 5000) % 2}
        made.append(sines(seconds, (900.0, 700.0 - 300 * k, -200.0), lag=35.0, start=start, status=status))
    return made


def small_blocks() -> None:
    """A block of the driver is less than a second, so that each second is a commit."""
    drive._BLOCK_BYTES = 1 << 14  # type: ignore[attr-defined]


def feed(path: Path | str, seconds: float = 30.0, told: Callable[[int, int], Any] = lambda number, units: None) -> str:
    """All of it that is left; `told` gets number and A+ of the last commit; gives the content hash."""
    path = Path(path)
    with Meter.open(path) if path.exists() else Meter.create(path, CONFIG) as meter:

        def progress(_: float) -> None:
            told(meter.ledger.last_commit[0], int(meter.ledger.state()["machine"]["registers"]["value"][0]) if meter.ledger.state()["machine"] else 0)

        meter.feed(parts(seconds), every_s=1, progress=progress)
        return meter.ledger.content_hash()


if __name__ == "__main__":
    small_blocks()
    print("begin", flush=True)
    seen = 0

    def tell(number: int, units: int) -> None:
        global seen
        if number > seen:
            print(number, units, flush=True)
            seen = number

    feed(sys.argv[1], told=tell)
    print("end", flush=True)
