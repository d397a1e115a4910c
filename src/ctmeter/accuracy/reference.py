"""What the reference standard of a test bench said of each recording: a CSV file, checked as a whole."""

from __future__ import annotations

import csv
import itertools
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..readers import read

__all__ = ["PHASES", "QUANTITIES", "TESTS", "Statement", "read_reference"]

PHASES = ("L1", "L2", "L3")
#: Columns of energies and powers, each also with _L1, _L2, _L3: energy, whether it is a power.
QUANTITIES = {"energy_Wh": ("active", False), "power_W": ("active", True), "energy_varh": ("reactive", False), "power_var": ("reactive", True)}
#: Column that says the direction of an energy.
DIRECTION = {"active": "direction", "reactive": "direction_reactive"}
#: What a row may be a test of; where it says nothing, its voltage, frequency and temperature do.
TESTS = (
    "load", "voltage", "frequency", "temperature", "sequence", "unbalance", "harmonic", "odd-harmonics", "sub-harmonics", "dc", "repeatability",
)  # fmt: skip
_CHOICES = {
    "load": ("balanced", *PHASES), "direction": ("import", "export"), "direction_reactive": ("import", "export"), "test": TESTS,
}  # fmt: skip
_FACTORS = ("factor", "factor_reactive")
_TEXT = ("recording", "point", "missing", "pulse_times", *_FACTORS, *_CHOICES)
_ABOVE_ZERO = ("constant", "I", "U", "f")
_NUMBERS = (*_ABOVE_ZERO, "uncertainty_pct", "temperature", *(f"{q}_{p}" for q in "UI" for p in PHASES))
_COLUMNS = (*_TEXT, *_NUMBERS, *(f"{q}{s}" for q in QUANTITIES for s in ("", *(f"_{p}" for p in PHASES))))
_FACTOR = re.compile(r"(?P<number>\d*\.?\d+)(?: *(?P<kind>ind|cap))?")
#: Files that belong to another one, or are no recordings whatever they hold.
_BESIDE = (".dat", ".hdr", ".inf", ".toml", ".json", ".html", ".md", ".pdf")


@dataclass(frozen=True)
class Statement:
    """One row: what the reference standard said of a recording.

    Parameters
    ----------
    line : int
        Of the file.
    recording : Path
    values : mapping of column name to float
        Numbers that are given: `power_W_L1`, `U_L1`, `uncertainty_pct` and the like; powers and energies with their sign.
    text : mapping of column name to str
        Factors as "1" or "0.5 ind".
    missing : tuple of str
        Phases without voltage.
    pulses : tuple of float
        s since the start of the recording.
    """

    line: int
    recording: Path
    values: Mapping[str, float]
    text: Mapping[str, str]
    missing: tuple[str, ...] = ()
    pulses: tuple[float, ...] = field(default=())

    @property
    def name(self) -> str:
        """The row in a message."""
        return f"{self.recording.name} (line {self.line})"

    def sources(self, energy: str, suffix: str = "") -> dict[str, float]:
        """What the row says of an energy, by column: Wh, W (varh, var) with their sign; of pulses imp/kWh; the first one counts.

        The phases stand for the total where there is one value for each, of single-phase load for the loaded one.
        """
        found = {f"{n}{suffix}": self.values[n + suffix] for n, (kind, _) in QUANTITIES.items() if kind == energy and n + suffix in self.values}
        if suffix:
            return found
        if energy == "active" and self.pulses:
            found["pulse_times"] = self.values["constant"]
        load = self.text["load"]
        wanted = (load,) if load in PHASES else PHASES
        for name, (kind, _) in QUANTITIES.items():
            parts = [self.values.get(f"{name}_{p}") for p in wanted]
            if kind == energy and None not in parts:
                found[f"{name}_{wanted[0]}{'...' if len(wanted) > 1 else ''}"] = math.fsum(p for p in parts if p is not None)
        return found


def read_reference(path: str | os.PathLike[str], recordings: str | os.PathLike[str]) -> tuple[tuple[Statement, ...], list[str]]:
    """The rows of a reference file, and every fault in it.

    Parameters
    ----------
    path : path
        CSV with a head: `recording`, one of `energy_Wh`, `power_W`, or `pulse_times` with `constant`; the rest is optional.
    recordings : path
        Directory of the recordings.

    Returns
    -------
    statements : tuple of Statement
        The rows without a fault.
    faults : list of str

    Raises
    ------
    InputError
        A file that cannot be read, or has no head; no directory.
    """
    place = Path(recordings)
    faults = [] if place.is_dir() else [f"{place}: is no directory (expected the recordings of a test bench)"]
    try:
        lines = Path(path).read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError("; ".join([*faults, f"{path}: cannot be read: {error.strerror or error}"])) from None
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", path=path, offset=error.start) from None
    reader = csv.reader(lines, skipinitialspace=True)
    head = [h.strip() for h in next(reader, [])]
    if "recording" not in head:
        faults.append(f"{path}, line 1: has no column recording (expected a head such as recording,power_W,I,factor)")
        raise InputError("; ".join(faults))
    faults += [f"{path}, line 1: column {h!r} is not known" for h in dict.fromkeys(head) if h not in _COLUMNS]
    faults += [f"{path}, line 1: column {h!r} is there twice" for h in dict.fromkeys(head) if head.count(h) > 1]
    found: list[Statement] = []
    named: set[Path] = {Path(path).resolve()}
    count = 0
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        count += 1
        where = f"{path}, line {reader.line_num}"
        if len(row) > len(head):
            faults.append(f"{where}: {len(row)} fields, expected {len(head)} as in the head")
        cells = {h: cell.strip() for h, cell in zip(head, row, strict=False)}
        named |= {(place / cells[k]).resolve() for k in ("recording", "pulse_times") if cells.get(k)}
        statement = _statement(cells, reader.line_num, where, place, faults)
        if statement is not None:
            found.append(statement)
    if not count:
        faults.append(f"{path}: no rows below the head")
    faults += _twice(found, path)
    faults += [f"{name}: no row of the reference names it" for name in _unnamed(place, named)] if place.is_dir() else []
    return tuple(found), faults


def _twice(statements: Sequence[Statement], path: str | os.PathLike[str]) -> list[str]:
    """Recordings whose energy two rows speak of: the same samples are no repeat."""
    seen: dict[tuple[Path, str], int] = {}
    faults = []
    for s in statements:
        for energy in DIRECTION:
            if s.sources(energy) and (first := seen.setdefault((s.recording.resolve(), energy), s.line)) != s.line:
                faults.append(f"{path}, line {s.line}: {s.recording.name} has a reference of {energy} energy in line {first} already")
    return faults


def _unnamed(place: Path, named: set[Path]) -> list[str]:
    """Recordings in the directory that no row names."""
    stems = {p.with_suffix("") for p in named if p.suffix.lower() in (".cfg", ".cff")}
    found = []
    for file in sorted(place.iterdir()):
        full = file.resolve()
        if not file.is_file() or file.name.startswith(".") or file.suffix.lower() in _BESIDE or full in named or full.with_suffix("") in stems:
            continue
        if file.suffix.lower() in (".csv", ".tsv", ".txt", "") and not _is_recording(file):
            continue
        found.append(file.name)
    return found


def _is_recording(path: Path) -> bool:
    """Whether a text file holds voltages or currents, and not a table or a note."""
    try:
        with read(path) as recording:
            return any(c.role for c in recording.channels)
    except ValueError:
        return False


def _statement(cells: Mapping[str, str], line: int, where: str, place: Path, faults: list[str]) -> Statement | None:
    before = len(faults)
    text = {k: cells.get(k, "") for k in _TEXT}
    values = _numbers(cells, where, faults)
    if not text["recording"]:
        faults.append(f"{where}: names no recording")
        return None
    recording = place / text["recording"]
    if not recording.is_file():
        faults.append(f"{where}: recording {text['recording']} is not in {place}")
    for name, among in _CHOICES.items():
        if text[name] and text[name] not in among:
            faults.append(f"{where}: {name}: {text[name]!r}, expected {', '.join(among)}")
    for name in _FACTORS:
        text[name] = _factor(text[name], f"{where}: {name}", faults)
    missing = tuple(re.split(r"[ ,;+]+", text["missing"])) if text["missing"] else ()
    if any(p not in PHASES for p in missing) or len(set(missing)) not in (len(missing), 0) or len(missing) > 2:
        faults.append(f"{where}: missing: {text['missing']!r}, expected one or two of {', '.join(PHASES)}")
    signed = _signed(values, text, where, faults)
    made = Statement(line, recording, signed, text, missing, _pulses(text, values, place, where, faults))
    totals = {energy: made.sources(energy) for energy in ("active", "reactive")}
    if not any(totals.values()):
        faults.append(f"{where}: no reference: expected energy_Wh, power_W, energy_varh, power_var, or pulse_times with constant")
    elif not any(any(v.values()) for v in totals.values()):
        names = ", ".join(n for v in totals.values() for n in v)
        faults.append(f"{where}: {names} is zero, an error cannot be formed")
    return made if len(faults) == before else None


def _numbers(cells: Mapping[str, str], where: str, faults: list[str]) -> dict[str, float]:
    values: dict[str, float] = {}
    for name in _COLUMNS:
        given = cells.get(name, "") if name not in _TEXT else ""
        if not given:
            continue
        try:
            values[name] = float(given)
        except ValueError:
            values[name] = math.nan
        if not math.isfinite(values[name]):
            faults.append(f"{where}: {name}: {given!r} is not a number")
        elif name in _ABOVE_ZERO and values[name] <= 0:
            faults.append(f"{where}: {name}: {given}, expected more than 0")
        elif name == "uncertainty_pct" and values[name] < 0:
            faults.append(f"{where}: {name}: {given}, expected at least 0")
    return values


def _factor(text: str, where: str, faults: list[str]) -> str:
    """A factor in the one form that the tables have; 1 has no letters."""
    found = _FACTOR.fullmatch(text)
    number = float(found["number"]) if found else math.nan
    if not text:
        return ""
    if found is None or not 0 < number <= 1 or (number < 1 and not found["kind"]):
        faults.append(f"{where}: {text!r}, expected 1, or a number between 0 and 1 with ind or cap such as 0.5 ind")
        return ""
    return "1" if number == 1 else f"{number:.12g} {found['kind']}"


def _signed(values: Mapping[str, float], text: Mapping[str, str], where: str, faults: list[str]) -> dict[str, float]:
    """Powers and energies with their sign: those of an export may stand without it."""
    signed = dict(values)
    for energy, column in DIRECTION.items():
        names = [f"{n}{s}" for n, (kind, _) in QUANTITIES.items() if kind == energy for s in ("", *(f"_{p}" for p in PHASES))]
        given = [n for n in names if n in values]
        if text[column] == "import":
            faults += [f"{where}: {column}: import, but {n} is {values[n]:g}" for n in given if values[n] < 0 and "_L" not in n]
        if text[column] == "export" and all(values[n] >= 0 for n in given):
            signed |= {n: -values[n] for n in given}
    return signed


def _pulses(text: Mapping[str, str], values: Mapping[str, float], place: Path, where: str, faults: list[str]) -> tuple[float, ...]:
    """Times of the reference's pulses, from a file with one in each line."""
    if not text["pulse_times"]:
        return ()
    name = f"{where}: pulse_times: {text['pulse_times']}"
    if "constant" not in values:
        faults.append(f"{where}: pulse_times without a constant, imp/kWh")
    try:
        times = [float(x) for x in (place / text["pulse_times"]).read_text("utf-8-sig").split()]
    except OSError as error:
        faults.append(f"{name}: cannot be read: {error.strerror or error}")
        return ()
    except ValueError as error:
        faults.append(f"{name}: {error}")
        return ()
    if len(times) < 2 or any(b <= a for a, b in itertools.pairwise(times)) or not math.isfinite(sum(times)) or times[0] < 0:
        faults.append(f"{name}: expected at least two rising times, s, from 0 on")
        return ()
    return tuple(times)


def direction_of(statement: Statement, energy: str, total: float | None) -> str:
    """ "import" or "export" as stated, else by the sign of the reference; "" where neither says it."""
    stated: Any = statement.text[DIRECTION[energy]]
    return str(stated) or ("" if not total else "import" if total > 0 else "export")


def phases_of(statement: Statement, columns: Sequence[str]) -> list[float]:
    """The values of the row in columns of phases that are given."""
    return [statement.values[c] for c in columns if c in statement.values]
