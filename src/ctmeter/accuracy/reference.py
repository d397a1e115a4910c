"""What the reference standard of a test bench said of each recording: a CSV file, checked as a whole."""

from __future__ import annotations

import csv
import itertools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError

__all__ = ["PHASES", "Statement", "read_reference"]

PHASES = ("L1", "L2", "L3")
#: Columns of energies and powers, each also with _L1, _L2, _L3: energy, whether it is a power.
QUANTITIES = {"energy_Wh": ("active", False), "power_W": ("active", True), "energy_varh": ("reactive", False), "power_var": ("reactive", True)}
_TEXT = ("recording", "point", "factor", "load", "direction", "pulse_times")
_NUMBERS = ("constant", "uncertainty_pct", "I", "U", "f", "temperature", *(f"{q}_{p}" for q in "UI" for p in PHASES))
_COLUMNS = (*_TEXT, *_NUMBERS, *(f"{q}{s}" for q in QUANTITIES for s in ("", *(f"_{p}" for p in PHASES))))
_LOADS, _DIRECTIONS = ("balanced", *PHASES), ("import", "export")


@dataclass(frozen=True)
class Statement:
    """One row: what the reference standard said of a recording.

    Parameters
    ----------
    line : int
        Of the file.
    recording : Path
    values : mapping of column name to float
        Numbers that are given: `power_W_L1`, `U_L1`, `uncertainty_pct` and the like.
    text : mapping of column name to str
    pulses : tuple of float
        s since the start of the recording.
    """

    line: int
    recording: Path
    values: Mapping[str, float]
    text: Mapping[str, str]
    pulses: tuple[float, ...] = field(default=())

    def reference(self, energy: str, suffix: str = "") -> tuple[float, bool] | None:
        """Energy, Wh, or power, W, of the reference with its sign, and whether it is a power; None where there is none."""
        for name, (kind, power) in QUANTITIES.items():
            if kind == energy and name + suffix in self.values:
                return self.values[name + suffix], power
        if suffix or energy != "active":
            return None
        if self.pulses:
            return self.values["constant"], True
        parts = [self.reference(energy, f"_{p}") for p in PHASES]
        known = [p for p in parts if p is not None]
        return (math.fsum(v for v, _ in known), known[0][1]) if len(known) == 3 and len({p for _, p in known}) == 1 else None


def read_reference(path: str | os.PathLike[str], recordings: str | os.PathLike[str]) -> tuple[tuple[Statement, ...], list[str]]:
    """The rows of a reference file, and every fault in it.

    Parameters
    ----------
    path : path
        CSV with a head: `recording`, one of `energy_Wh`, `power_W`, or `pulse_times` with `constant`; the rest is optional.
    recordings : path
        Directory of the recordings.

    Raises
    ------
    InputError
        A file that cannot be read, or has no head.
    """
    place = Path(recordings)
    if not place.is_dir():
        raise InputError("is no directory", path=place, expected="the recordings of a test bench")
    try:
        lines = Path(path).read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from None
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", path=path, offset=error.start) from None
    rows = list(csv.DictReader(lines, skipinitialspace=True))
    head = [h.strip() for h in next(csv.reader(lines[:1]), [])]
    faults = [f"{path}: column {h!r} is not known" for h in head if h not in _COLUMNS]
    if "recording" not in head:
        raise InputError("has no column recording", path=path, line=1, expected="a head such as recording,power_W,I,factor")
    found = [s for number, row in enumerate(rows, 2) if (s := _statement(row, number, path, place, faults)) is not None]
    if not rows:
        faults.append(f"{path}: no rows below the head")
    named = {s.recording.resolve() for s in found}
    stems = {p.with_suffix("") for p in named}
    for file in sorted(place.iterdir()):
        if file.is_file() and _is_recording(file) and file.resolve() not in named and file.resolve().with_suffix("") not in stems:
            faults.append(f"{file.name}: no row of the reference names it")
    return tuple(found), faults


def _is_recording(path: Path) -> bool:
    """Whether a file looks like the first one of a recording, not like a table or something beside one."""
    return path.suffix.lower() in (".cfg", ".cff", ".npz", ".npy", ".wav") and not path.name.startswith(".")


def _statement(row: Mapping[str, Any], line: int, path: str | os.PathLike[str], place: Path, faults: list[str]) -> Statement | None:
    where = f"{path}, line {line}"
    before = len(faults)
    text = {k: (row.get(k) or "").strip() for k in _TEXT}
    values: dict[str, float] = {}
    for name in _COLUMNS:
        given = (row.get(name) or "").strip() if name not in _TEXT else ""
        if not given:
            continue
        try:
            values[name] = float(given)
        except ValueError:
            values[name] = math.nan
        if not math.isfinite(values[name]):
            faults.append(f"{where}: {name}: {given!r} is not a number")
    if not text["recording"]:
        faults.append(f"{where}: names no recording")
        return None
    recording = place / text["recording"]
    if not recording.is_file():
        faults.append(f"{where}: recording {text['recording']} is not in {place}")
    for name, among in (("load", _LOADS), ("direction", _DIRECTIONS)):
        if text[name] and text[name] not in among:
            faults.append(f"{where}: {name}: {text[name]!r}, expected {', '.join(among)}")
    made = Statement(line, recording, values, text, _pulses(text, values, place, where, faults))
    totals = [made.reference(energy) for energy in ("active", "reactive")]
    if not any(totals):
        faults.append(f"{where}: no reference: expected energy_Wh, power_W, energy_varh, power_var, or pulse_times with constant")
    for name, (energy, _) in QUANTITIES.items():
        if values.get(name) == 0.0:
            faults.append(f"{where}: {name} is zero, an error of {energy} energy cannot be formed")
    if values.get("uncertainty_pct", 0.0) < 0:
        faults.append(f"{where}: uncertainty_pct: {values['uncertainty_pct']:g}, expected at least 0")
    return made if len(faults) == before else None


def _pulses(text: Mapping[str, str], values: Mapping[str, float], place: Path, where: str, faults: list[str]) -> tuple[float, ...]:
    """Times of the reference's pulses, from a file with one in each line."""
    if not text["pulse_times"]:
        return ()
    if not values.get("constant", 0.0) > 0:
        faults.append(f"{where}: pulse_times without a constant, imp/kWh")
    try:
        times = [float(x) for x in (place / text["pulse_times"]).read_text("utf-8-sig").split()]
    except OSError as error:
        faults.append(f"{where}: pulse_times: {text['pulse_times']}: cannot be read: {error.strerror or error}")
        return ()
    except ValueError as error:
        faults.append(f"{where}: pulse_times: {text['pulse_times']}: {error}")
        return ()
    if len(times) < 2 or any(b <= a for a, b in itertools.pairwise(times)) or not math.isfinite(sum(times)):
        faults.append(f"{where}: pulse_times: {text['pulse_times']}: expected at least two rising times, s")
        return ()
    return tuple(times)
