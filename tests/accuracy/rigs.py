"""Rigs, and recordings of a simulated bench with what an ideal reference standard says of them."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from ctmeter.accuracy.frontend import FrontEnd
from ctmeter.accuracy.limits import Limits
from ctmeter.accuracy.points import Point
from ctmeter.accuracy.rating import rated
from ctmeter.accuracy.rig import Rig
from ctmeter.synth import recording_of
from ctmeter.synth.truth import truth

ROLES = ("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3")


def rig_of(front_end: Any = None, name: str = "C", i_n: float = 5.0, **more: Any) -> Rig:
    seconds = more.pop("seconds", 8.0)
    return Rig(rated(name, i_n, limits=Limits.load(), **more), FrontEnd.load(front_end), seconds)


def point_of(test: str = "load", I: float = 5.0, **more: Any) -> Point:
    return Point(test=test, I=I, **{"U": 230.0, "f": 50.0, **more})


def record(rig: Rig, point: Point, path: Path, seconds: float = 2.0) -> None:
    """What the converter behind the rig's front end gives, as a file."""
    waveform = rig.waveform(point, seconds)
    values = truth(waveform)["values"]
    behind = rig.front_end.through(waveform, rig.rating, {r: values[r] for r in ROLES}, point.temperature, path.stem)
    recording_of(behind).write(path)


def bench_of(rig: Rig, points: list[Point], place: Path, *, reactive: bool = False, repeats: int = 1, **columns: Any) -> Path:
    """Recordings of points, and a reference file with the powers U I cos phi of each phase by hand."""
    rows = []
    for number, point in enumerate(points):
        for repeat in range(repeats):
            name = f"p{number}-{repeat}.npz"
            record(rig, point, place / name)
            row: dict[str, Any] = {"recording": name, "I": point.I, "factor": point.factor, "f": point.f, "load": point.load, **columns}
            for phase in ("L1", "L2", "L3"):
                on = point.load in ("balanced", phase)
                row[f"power_W_{phase}"] = point.U * point.I * math.cos(point.phi) if on else ""
                if reactive:
                    row[f"power_var_{phase}"] = point.U * point.I * math.sin(point.phi) if on else ""
            if point.load != "balanced":
                row["power_W"] = point.U * point.I * math.cos(point.phi)
            rows.append(row)
    return write_reference(place / "reference.txt", rows)


def write_reference(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(k for r in rows for k in r)))
        writer.writeheader()
        writer.writerows(rows)
    return path
