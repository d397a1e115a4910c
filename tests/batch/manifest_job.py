"""A manifest that is written until its program is killed."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import get_args

from ctmeter.batch.manifest import Manifest, State
from ctmeter.batch.work import Point, Scan, Source


def source(number: int, folder: str = "/data") -> Source:
    name = f"site {number % 7}/{number:06}.cfg"
    return Source(f"{folder}/{name}", name, ((f"{folder}/{name}", 450, "1700000000000000001"), (f"{folder}/{name[:-4]}.dat", 2**40, "é")))


def scan(number: int) -> Scan:
    channels = tuple({"name": f"U_L{k}", "scale": 0.1 + k / 7, "range": (-32768.0, 32767.0), "missing": None} for k in (1, 2, 3))
    point = Point("feeder", {"nominal_voltage": 230.0, "map": {"U_L1": "VA"}, "points": {}, "corrections": {"U_L1": {"curve": [[1, 2.5]]}}}, channels)
    start = 1_700_000_000_123_456_789 + number
    told = {"duration": number / 3, "sample_rate": 12800.1, "stretches": ((start, start + 10**9),), "rate": 1e4 / 3}
    return Scan(source(number), f"site {number % 7}", "device", start, points=(point,), format="comtrade", warnings=("Zähler steht",), **told)


def counts(manifest: Manifest) -> dict[str, int]:
    """How many sources are in each state."""
    found = Counter(e.state for e in manifest.entries())
    return {state: found[state] for state in get_args(State)}


def main(out: str) -> None:
    """Scan, then do, source after source; says how far it has certainly come."""
    with Manifest(out) as manifest:
        begin = counts(manifest)["done"]
        print("begin", begin, flush=True)
        for number in count(begin):
            manifest.remember(scan(number), f"identity {number}")
            manifest.mark([source(number)], "done")
            if number % 20 == 0:
                manifest.set_folds({f"basic/{k}": str(number) for k in range(number % 3 + 1)})
                manifest.flush()
                print(number + 1, flush=True)
