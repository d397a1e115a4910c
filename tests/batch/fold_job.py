"""A fold as a process of its own, to be killed or to meet a full disk: its folder, and whether faults are armed: `k errno mode`."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from batch.made_partials import DAY, HOUR, MONDAY, whole
from ctmeter.batch.fold import Folded, fold
from ctmeter.batch.work import Piece
from ctmeter.errors import StoreError


def pieces(place: Path, number: int, write: bool = False) -> list[Piece]:
    """Recordings of three sites over three months."""
    step = 90 * DAY // number // (4 * HOUR) * 4 * HOUR
    return [whole(place, f"{site}{k}.rec", MONDAY + k * step, site=site, energy=float(k), write=write) for site in "ABC" for k in range(number)]


def run(place: Path, number: int) -> Folded:
    return fold(place, pieces(place, number))


def main() -> None:
    place, number = Path(sys.argv[1]), int(sys.argv[2])
    shim = ctypes.CDLL(None) if len(sys.argv) > 3 else None
    print("begin", flush=True)
    if shim is not None:
        k, error, mode = map(int, sys.argv[3:6])
        shim.faults_arm(b"part-0.parquet", ctypes.c_long(k), error, mode)
    try:
        run(place, number)
    except StoreError as error:
        print(f"refused {error.errno} {error.filename}", flush=True)
        return
    seen = ctypes.c_long(shim.faults_seen()).value if shim is not None else 0
    print(f"end {seen}", flush=True)


if __name__ == "__main__":
    main()
