"""Bench recordings of one point as one result: intrinsic errors, changes by influences against reference conditions, spreads.

Uncertainties follow the Guide to the expression of uncertainty in measurement: type A from repeats, type B from
what is stated of the reference, expanded with k = 2.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .evaluate import Judged, verdict_of
from .plan import REPEATABLE
from .points import Point
from .rating import CLOSE, Rating
from .reference import TESTS, Statement
from .rig import Reading

__all__ = ["Group", "expanded", "results"]

#: Repeats below which a spread is not judged.
_REPEATS = 3


@dataclass
class Group:
    """Recordings of one point.

    Parameters
    ----------
    point : Point
    reason : str
        Why it is not judged, "" where it can be.
    errors, true : list of float
        %, and W or var of the reference.
    stated : float
        %, the largest uncertainty of the reference, k = 2.
    rows : list of Statement
    """

    point: Point
    reason: str
    errors: list[float] = field(default_factory=list)
    true: list[float] = field(default_factory=list)
    stated: float = 0.0
    rows: list[Statement] = field(default_factory=list)

    @property
    def reading(self) -> Reading:
        """The mean."""
        mean, true = statistics.fmean(self.errors), statistics.fmean(self.true)
        return Reading(self.point, mean, expanded(self.errors, self.stated), true, true * (1 + mean / 100))


def expanded(errors: Sequence[float], stated: float) -> float | None:
    """Expanded uncertainty (k = 2) of a mean, %, from its scatter (type A) and the reference's stated one (type B, k = 2).

    Parameters
    ----------
    errors : sequence of float
        %; a single one has no scatter, and none is claimed.
    stated : float
        %, expanded with k = 2.

    Examples
    --------
    >>> round(expanded([0.1, 0.3], 0.04), 6)
    0.203961
    """
    type_a = statistics.stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else 0.0
    total = 2 * math.hypot(type_a, stated / 2)
    return total if len(errors) > 1 or stated else None


def results(rating: Rating, groups: Iterable[Group]) -> tuple[Judged, ...]:
    """Every group as a point: errors at load points, changes against them, differences of single-phase load, spreads."""
    every = list(groups)
    loads = {_place(g.point): g for g in every if g.point.test == "load"}
    found = []
    for group in every:
        found.append(_result(group, loads))
        found += _difference(rating, group, loads)
    return tuple(found)


def _place(point: Point, load: str = "") -> tuple[str, ...]:
    """Where a point belongs on the load curves; currents of ten digits."""
    return (point.energy, point.direction, load or point.load, point.factor, f"{point.I:.9g}")


def _result(group: Group, loads: Mapping[tuple[str, ...], Group]) -> Judged:
    reading, point, errors = group.reading, group.point, tuple(group.errors)
    if point.test == "load" or not (point.factor and math.isfinite(point.I)):
        return Judged(reading, reading.error, verdict_of(reading.error, point.limit), errors, group.reason)
    if point.test not in TESTS:
        return Judged(reading, reading.error, None, errors, group.reason)
    if point.test == "repeatability":
        limited = replace(point, limit=None if point.limit is None else REPEATABLE * point.limit)
        if group.reason or len(errors) < _REPEATS:
            why = group.reason or f"{len(errors)} results, a spread needs {_REPEATS}"
            return Judged(replace(reading, point=replace(point, limit=None)), reading.error, None, errors, why)
        spread = max(errors) - min(errors)
        return Judged(replace(reading, point=limited), spread, verdict_of(spread, limited.limit), errors)
    reference = loads.get(_place(point))
    if reference is None:
        why = group.reason or f"no recording at reference conditions with {point.I:g} A, {point.factor}, {point.direction}, to count the change from"
        return Judged(replace(reading, point=replace(point, limit=None)), reading.error, None, errors, why)
    # a change without a limit of its own is part of a composite error all the same
    return _change(reading, reference, point, errors, group.reason)


def _change(reading: Reading, reference: Group, point: Point, errors: tuple[float, ...], reason: str = "") -> Judged:
    base = reference.reading
    change = reading.error - base.error
    # of the same standard both times what it errs alike cancels, and is not counted on; where one of both is not known, the sum is not
    both = None if reading.uncertainty is None or base.uncertainty is None else math.hypot(reading.uncertainty, base.uncertainty)
    made = replace(reading, point=replace(point, reference=reference.point.id), uncertainty=both)
    return Judged(made, change, verdict_of(change, point.limit), errors, reason)


def _difference(rating: Rating, group: Group, loads: Mapping[tuple[str, ...], Group]) -> list[Judged]:
    """A phase alone less balanced load at the rated current, where both were measured."""
    point = group.point
    if point.test != "load" or point.load == "balanced" or abs(point.I / rating.i_n - 1) > CLOSE:
        return []
    limit = rating.limit("difference", rating.i_n, point.factor, energy=point.energy)
    balanced = loads.get(_place(point, "balanced"))
    if limit is None or balanced is None:
        return []
    made = replace(point, test="difference", limit=limit.percent, standard=limit.standard, tag=limit.tag)
    return [_change(replace(group.reading, point=made), balanced, made, tuple(group.errors))]
