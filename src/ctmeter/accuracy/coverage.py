"""What a verdict rests on: what of the type test was judged, and what was assumed because nobody stated it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .evaluate import Composite, Judged
from .plan import Plan
from .points import DEFAULT_TEMPERATURE, Point
from .rating import Rating
from .reference import PHASES, Statement

__all__ = ["TRIALS", "Covered", "assumed_of_rating", "assumed_of_rows", "covered"]

#: The tests that have no error to measure, as the result names them.
TRIALS = ("starting", "no_load", "constant")
#: What a rating is made of where it is not given: option, words, unit, attribute.
_RATED = {
    "meter_class": ("--class", "class", "", "meter_class"),
    "i_n": ("--in", "rated current", " A", "i_n"),
    "i_max": ("--imax", "maximum current, the least that the class allows", " A", "i_max"),
    "u_n": ("--un", "reference voltage", " V", "u_n"),
    "f_n": ("--fn", "reference frequency", " Hz", "f_n"),
}


@dataclass(frozen=True)
class Covered:
    """How much of a test of the type test was judged.

    Parameters
    ----------
    energy : {"active", "reactive"}
    test : str
        As of points, "composite", or one of `TRIALS`.
    judged, planned : int
        Results that have a limit: those judged, and those that the type test of the meter asks for.
    """

    energy: str
    test: str
    judged: int
    planned: int

    @property
    def name(self) -> str:
        """The test in a message."""
        word = self.test.replace("_", "-")
        return word if self.energy == "active" else f"{word} (var)"

    def to_dict(self) -> dict[str, Any]:
        """Plain values of the public result."""
        return {"energy": self.energy, "test": self.test, "judged": self.judged, "planned": self.planned}


def covered(
    rating: Rating, plan: Plan, points: Iterable[Judged], composite: Iterable[Composite], trials: Mapping[str, Mapping[str, Any]]
) -> tuple[Covered, ...]:
    """What of a type test was judged, test by test.

    Parameters
    ----------
    rating : Rating
    plan : Plan
        The type test of the meter.
    points : iterable of Judged
    composite : iterable of Composite
    trials : mapping of name to result
        Of `TRIALS`.
    """
    planned: dict[tuple[str, str], set[Any]] = {}
    for point in plan.points:
        if point.limit is not None:
            planned.setdefault((point.energy, point.test), set()).add(point.id)
    for band in plan.bands:
        for point in plan.composite:
            load = "balanced" if point.load == "balanced" else "single"
            if rating.limit("mpe", point.I, point.factor, load, band=band) is not None:
                planned.setdefault(("active", "composite"), set()).add(_composite_key(band, point))
    judged = {_plain(p.reading.point).id for p in points if p.verdict is not None}
    judged |= {_composite_key(c.band, c) for c in composite}
    found = [Covered(energy, test, len(ids & judged), len(ids)) for (energy, test), ids in planned.items()]
    found += [Covered("active", name, int(trials[name]["verdict"] is not None), 1) for name in TRIALS]
    return tuple(found)


def _plain(point: Point) -> Point:
    """A point without the name that repeats may have."""
    return replace(point, extra="")


def _composite_key(band: str, at: Point | Composite) -> str:
    return f"{band}/{at.load}/{at.factor}/{at.I:.9g}/{at.direction}"


def assumed_of_rating(rating: Rating, given: Mapping[str, Any]) -> list[str]:
    """One line for each value of a rating that nobody gave.

    Parameters
    ----------
    rating : Rating
    given : mapping of keyword to value
        None for what was not given.
    """
    lines = []
    for key, (option, words, unit, attribute) in _RATED.items():
        if given.get(key) is None:
            value = getattr(rating, attribute)
            lines.append(f"{words}: {value if isinstance(value, str) else f'{value:g}'}{unit}, as none was given ({option})")
    return lines


def assumed_of_rows(rating: Rating, statements: Sequence[Statement]) -> list[str]:
    """One line for each condition that rows of a reference do not state, and that they are taken to have."""
    silent = {
        f"voltage: taken as {rating.u_n:g} V": [s for s in statements if not any(k in s.values for k in ("U", *(f"U_{p}" for p in PHASES)))],
        f"frequency: taken as {rating.f_n:g} Hz": [s for s in statements if "f" not in s.values],
        f"temperature: taken as {DEFAULT_TEMPERATURE:g} °C": [s for s in statements if "temperature" not in s.values],
    }
    of = f"of {len(statements)} recordings" if len(statements) > 1 else "recording"
    return [f"{words} for {len(rows)} {of}, of which the reference states none" for words, rows in silent.items() if rows]
