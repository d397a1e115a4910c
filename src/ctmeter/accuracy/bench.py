"""Bench data: recordings of a test bench against what its reference standard said."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError, SettingsError
from ..settings import Settings
from .coverage import TRIALS, assumed_of_rows, covered
from .evaluate import composites
from .frontend import FrontEnd
from .nominal import KELVIN, Nominal, nominal, point_of
from .plan import bands_of, type_test
from .points import Point
from .rating import Rating
from .recorded import Measured, measured
from .reference import Statement, read_reference
from .report import Report
from .variation import Group, results

__all__ = ["bench"]

#: Rows that are not judged, by energy and reason.
Unjudged = dict[tuple[str, str], list[Statement]]
#: So many rows are named one by one.
_FEW = 3
_ENERGIES = ("active", "reactive")
#: Tests whose recordings corrections can be found from.
_PLAIN = ("load", "repeatability", "voltage", "frequency")
_UNTESTED = "recordings of a bench do not say it"
_EXPECTED = "a reference for every recording, and what its point of the test is"


def bench(
    recordings: str | os.PathLike[str],
    reference: str | os.PathLike[str],
    rating: Rating,
    *,
    settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    bands: Sequence[str] | None = None,
    progress: Callable[[float], None] | None = None,
    **more: Any,
) -> tuple[Report, tuple[Measured, ...]]:
    """Errors of the recordings of a bench.

    Parameters
    ----------
    recordings : path
        Directory.
    reference : path
        CSV; `docs/accuracy-verification.md` has its columns.
    rating : Rating
    settings : Settings, mapping or path, optional
        How to measure.
    bands : sequence of str, optional
        Temperature bands of composite errors; all where not given.
    progress : callable, optional
        Gets the share that is done.
    **more
        Further keywords of `ctmeter.measure`, such as `corrections`, which replace those of the settings.

    Returns
    -------
    report : Report
        One point for each condition, its error the mean.
    measured : tuple of Measured
        Those that corrections can be found from: sines at the reference temperature, with all voltages.

    Raises
    ------
    InputError
        It names every fault: rows and recordings without each other, references of zero, currents out of range,
        statements that contradict each other or the recording.
    SettingsError
        Bands that there are not; settings that cannot be used.
    """
    names = bands_of(rating, bands)
    statements, faults = read_reference(reference, recordings)
    found: list[Measured] = []
    unusable: list[str] = []
    for number, statement in enumerate(statements, 1):
        try:
            found.append(measured(statement, settings, more))
        except InputError as error:
            faults.append(f"line {statement.line}: {error}")
        except SettingsError as error:
            unusable += error.faults
        if progress is not None:
            progress(number / len(statements))
    groups: dict[str, Group] = {}
    notes: Unjudged = {}
    plain: list[Measured] = []
    for m in found:
        faults += m.faults()
        point = nominal(m, rating, faults)
        _check_current(m.statement, point, rating, faults)
        if point.test in _PLAIN and "temperature" not in point.several:
            plain.append(m)
        for energy in _ENERGIES:
            if m.reference(energy) is not None:
                _gather(m, point, energy, rating, groups, faults, notes)
    if unusable and not faults:
        raise SettingsError(dict.fromkeys(unusable))
    if faults:
        raise InputError("; ".join(dict.fromkeys([*unusable, *faults])), expected=_EXPECTED)
    report = _report(rating, list(groups.values()), notes, names)
    return replace(report, assumed=tuple(assumed_of_rows(rating, statements))), tuple(plain)


def _check_current(statement: Statement, n: Nominal, rating: Rating, faults: list[str]) -> None:
    low, high = rating.amperes("Ist"), rating.i_max
    if n.I is None and n.test == "load" and n.least > 1.01 * high:
        faults.append(f"{statement.name}: its current of at least {n.least:.4g} A is outside the range of {low:g} to {high:g} A")
    elif n.I is not None and not 0.99 * low <= n.I <= 1.01 * high:
        faults.append(f"{statement.name}: its current of {n.I:.4g} A is outside the range of {low:g} to {high:g} A")


def _gather(m: Measured, n: Nominal, energy: str, rating: Rating, groups: dict[str, Group], faults: list[str], notes: Unjudged) -> None:
    """Put an energy of a recording to the others of its point; what gives no error to the notes."""
    name = m.statement.name
    point, reason = point_of(m, n, energy, rating)
    error = m.error(energy)
    if point is None or error is None or not math.isfinite(error):
        notes.setdefault((energy, reason or "no error can be formed"), []).append(m.statement)
        return
    label = m.statement.text["point"]
    group = groups.setdefault(f"{energy} {label}" if label else point.id, Group(point, reason))
    if _conditions(group.point) != _conditions(point):
        faults.append(f"{name}: point {label} is {point.id} here and {group.point.id} in {group.rows[0].name}")
    group.errors.append(error)
    group.true.append(m.true_power(energy) or 0.0)
    group.stated = max(group.stated, m.statement.values.get("uncertainty_pct", 0.0))
    group.rows.append(m.statement)


def _conditions(point: Point) -> Point:
    """A point without what does not tell it from repeats."""
    return replace(point, limit=None, standard="", tag="")


def _report(rating: Rating, groups: Sequence[Group], notes: Unjudged, bands: Sequence[str]) -> Report:
    points = results(rating, groups)
    composite, missing = composites(rating, bands, points, kelvin=KELVIN)
    if missing and not any(p.reading.point.reference and p.reading.point.test != "difference" for p in points):
        missing = ("composite errors: no recordings away from reference conditions",)
    rows = {g.point.id: g.rows for g in groups}
    for p in points:
        if p.reason:
            notes.setdefault((p.reading.point.energy, p.reason), []).extend(rows[p.id])
    lines = (f"{_named(statements)}, {energy}: {reason}" for (energy, reason), statements in notes.items())
    end = FrontEnd(name="bench", title="recordings of a test bench")
    untested: dict[str, Any] = {"verdict": None, "reason": _UNTESTED}
    coverage = covered(rating, type_test(rating, bands=bands), points, composite, dict.fromkeys(TRIALS, untested))
    return Report(rating, end, points, composite, untested, untested, untested, not_judged=(*lines, *missing), coverage=coverage)


def _named(rows: Sequence[Statement]) -> str:
    """Rows in a message: by name, many by their lines."""
    if len(rows) <= _FEW:
        return ", ".join(s.name for s in rows)
    return f"{len(rows)} recordings (lines {', '.join(str(s.line) for s in rows)})"
