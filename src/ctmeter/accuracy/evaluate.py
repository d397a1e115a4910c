"""From measured errors to verdicts: intrinsic errors, changes by influences, composite errors.

References
----------
EN 50470-3:2006
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .points import DEFAULT_TEMPERATURE, Point
from .rating import Rating

if TYPE_CHECKING:
    from .rig import Reading

__all__ = [
    "FAIL", "INSUFFICIENT", "PASS", "Composite", "Judged", "composite_error", "composite_of_limits", "composites", "judged", "verdict_of", "worst_of",
]  # fmt: skip

PASS, FAIL, INSUFFICIENT = "pass", "fail", "insufficient-data"
#: Influences that enter a composite error.
_PARTS = ("temperature", "voltage", "frequency")
#: Of the reference voltage and frequency: the ends of the rated operating ranges, and how near to them is at them.
_ENDS = {"voltage": (0.9, 1.1), "frequency": (0.98, 1.02)}
_NEAR = {"voltage": 0.01, "frequency": 0.003}


@dataclass(frozen=True)
class Judged:
    """A point with its verdict.

    Parameters
    ----------
    reading : Reading
    value : float
        % that is judged: the error, its change against the reference, or the spread of repeated results.
    verdict : {"pass", "fail", None}
        None where no limit holds.
    spread : tuple of float
        All results of a repeated point, %.
    reason : str
        Why it is not judged, where that is not plain.
    """

    reading: Reading
    value: float
    verdict: str | None
    spread: tuple[float, ...] = ()
    reason: str = ""

    @property
    def id(self) -> str:
        """The name of the point."""
        return self.reading.point.id

    @property
    def limit(self) -> float | None:
        """%."""
        return self.reading.point.limit

    @property
    def share(self) -> float:
        """How much of the limit is used; 0 without one."""
        return abs(self.value) / self.limit if self.limit else 0.0

    @property
    def margin(self) -> float | None:
        """%, what is left to the limit."""
        limit = self.reading.point.limit
        return None if limit is None else limit - abs(self.value)

    def to_dict(self) -> dict[str, Any]:
        """Plain values of the public result."""
        point = self.reading.point
        kind = "spread" if point.test == "repeatability" else "change" if point.reference else "error"
        return {
            **point.to_dict(),
            "error_pct": self.reading.error,
            "judged": kind,
            "value_pct": self.value,
            "limit_pct": point.limit,
            "margin_pct": self.margin,
            "uncertainty_pct": self.reading.uncertainty,
            "standard": point.standard or None,
            "provenance": point.tag or None,
            "reference": point.reference or None,
            **({"count": len(self.spread), "sd_pct": statistics.stdev(self.spread) if len(self.spread) > 1 else None} if self.spread else {}),
            "verdict": self.verdict,
            "reason": self.reason or None,
        }


@dataclass(frozen=True)
class Composite:
    """A composite error.

    Parameters
    ----------
    band : str
    I : float
        A.
    factor, load, direction : str
    pf : float
    parts : mapping of name to float
        %: the intrinsic "error", and the largest change by "temperature", "voltage" and "frequency".
    error, mpe : float
        %.
    """

    band: str
    I: float
    factor: str
    load: str
    pf: float
    parts: Mapping[str, float]
    error: float
    mpe: float
    direction: str = "import"

    @property
    def id(self) -> str:
        """A name that no other composite error has."""
        parts = ["composite", self.band, self.load, self.factor.replace(" ", ""), f"{self.I:.6g}A"]
        return "/".join(parts if self.direction == "import" else [*parts, self.direction])

    @property
    def value(self) -> float:
        """%, what is judged."""
        return self.error

    @property
    def limit(self) -> float:
        """%."""
        return self.mpe

    @property
    def share(self) -> float:
        """How much of the limit is used."""
        return self.error / self.mpe

    @property
    def verdict(self) -> str:
        """Whether it is permissible."""
        return verdict_of(self.error, self.mpe) or FAIL

    def to_dict(self) -> dict[str, Any]:
        """Plain values of the public result."""
        return {
            "band": self.band,
            "I": self.I,
            "PF": round(self.pf, 12),
            "factor": self.factor,
            "load": self.load,
            "direction": self.direction,
            "parts_pct": dict(self.parts),
            "error_pct": self.error,
            "mpe_pct": self.mpe,
            "margin_pct": self.mpe - self.error,
            "verdict": self.verdict,
        }


def verdict_of(value: float, limit: float | None) -> str | None:
    """Whether a value keeps a limit; None without one. A value that is no number does not."""
    if limit is None:
        return None
    return PASS if abs(value) <= limit else FAIL


def composite_error(parts: Iterable[float]) -> float:
    """The root of the sum of squares."""
    return math.sqrt(math.fsum(p * p for p in parts))


def judged(readings: Mapping[str, Sequence[Reading]]) -> tuple[Judged, ...]:
    """Verdicts of all points.

    Parameters
    ----------
    readings : mapping of id to readings
        One, or of a repeated point several.
    """
    found = []
    for several in readings.values():
        first = several[0]
        spread: tuple[float, ...] = ()
        if first.point.test == "repeatability":
            spread = tuple(r.error for r in several)
            value = max(spread) - min(spread)
        elif first.point.reference:
            value = first.error - readings[first.point.reference][0].error
        else:
            value = first.error
        found.append(Judged(first, value, verdict_of(value, first.point.limit), spread))
    return tuple(found)


def composites(
    rating: Rating, bands: Sequence[str], points: Sequence[Judged], at: Sequence[Point] | None = None, *, kelvin: float = 0.0
) -> tuple[tuple[Composite, ...], tuple[str, ...]]:
    """Composite errors of temperature bands, and what kept others from being formed.

    Parameters
    ----------
    rating : Rating
    bands : sequence of str
    points : sequence of Judged
        Errors at reference conditions, and changes by influences.
    at : sequence of Point, optional
        The load points at which composite errors are formed; every one where not given.
    kelvin : float
        How near to a temperature of a band is at it.

    Returns
    -------
    composites : tuple of Composite
    missing : tuple of str
        One line for each band of which a composite error could not be formed.

    Notes
    -----
    Changes are those of balanced load at the same current, power factor and direction, for single-phase load too. One that
    was not measured at both ends of the ranges of voltage, frequency and temperature has no composite error.
    """
    changes: dict[tuple[float, str, str, str], list[tuple[Point, float]]] = {}
    for p in points:
        point = p.reading.point
        if point.test in _PARTS and point.energy == "active" and point.reference:
            changes.setdefault((point.I, point.factor, point.direction, point.test), []).append((point, p.value))
    wanted = None if at is None else {p.id for p in at}
    loads = [p for p in points if p.reading.point.test == "load" and p.reading.point.energy == "active" and (wanted is None or p.id in wanted)]
    if at is not None:
        order = {p.id: n for n, p in enumerate(at)}
        loads.sort(key=lambda p: order[p.id])
    found: list[Composite] = []
    lacking: dict[str, tuple[dict[str, None], int]] = {}
    for band in (b for b in rating.limits.bands if b.name in bands):
        for load in loads:
            point = load.reading.point
            mpe = rating.limit("mpe", point.I, point.factor, "balanced" if point.load == "balanced" else "single", band=band.name)
            if mpe is None or not _rated_factor(point.factor):
                continue
            parts, gaps = {"error": load.value}, []
            for test in _PARTS:
                seen = changes.get((point.I, point.factor, point.direction, test), [])
                part, missing = _part(rating, test, seen, band.temperatures, kelvin)
                parts[test] = part
                gaps += missing
            if gaps:
                known, number = lacking.get(band.name, ({}, 0))
                lacking[band.name] = {**known, **dict.fromkeys(gaps)}, number + 1
                continue
            name = (band.name, point.I, point.factor, point.load, point.pf)
            found.append(Composite(*name, parts, composite_error(parts.values()), mpe.percent, point.direction))
    lines = [f"composite errors of {b} °C: not formed at {n} points, without {', '.join(words)}" for b, (words, n) in lacking.items()]
    return tuple(found), tuple(lines)


def _rated_factor(factor: str) -> bool:
    """Whether a power factor is in the rated operating range, 0.5 inductive to 0.8 capacitive."""
    number, _, kind = factor.partition(" ")
    return bool(number) and float(number) >= (0.8 if kind == "cap" else 0.5)


def _part(rating: Rating, test: str, seen: Sequence[tuple[Point, float]], temperatures: Sequence[float], kelvin: float) -> tuple[float, list[str]]:
    """The largest change by an influence within its range, and the ends of the range that were not measured."""
    if test == "temperature":
        inside = [(p.temperature, c) for p, c in seen if any(abs(p.temperature - t) <= kelvin + 1e-9 for t in temperatures)]
        ends, near = [t for t in (min(temperatures), max(temperatures)) if abs(t - DEFAULT_TEMPERATURE) > kelvin], kelvin
        names = [f"{t:g} °C" for t in ends]
    else:
        reference, unit = (rating.u_n, "V") if test == "voltage" else (rating.f_n, "Hz")
        near, ends = _NEAR[test], list(_ENDS[test])
        shares = [((p.U if test == "voltage" else p.f) / reference, c) for p, c in seen]
        inside = [(s, c) for s, c in shares if ends[0] - near <= s <= ends[1] + near]
        names = [f"{e * reference:g} {unit}" for e in ends]
    missing = [name for name, end in zip(names, ends, strict=True) if not any(abs(x - end) <= near + 1e-9 for x, _ in inside)]
    return max((abs(c) for _, c in inside), default=math.nan), missing


def composite_of_limits(rating: Rating, band: str, current: float | None = None) -> tuple[float, float]:
    """The composite error of a meter that stands at every single limit, PF 1, and the maximum permissible one, %.

    It says whether a class keeps its maximum permissible errors by construction.
    """
    current = rating.i_n if current is None else current
    temperatures = next(b.temperatures for b in rating.limits.bands if b.name == band)
    kelvin = max(abs(t - DEFAULT_TEMPERATURE) for t in temperatures)
    parts = []
    for quantity, factor in (("error", 1.0), ("temperature", kelvin), ("voltage", 1.0), ("frequency", 1.0)):
        limit = rating.limit(quantity, current)
        parts.append(math.nan if limit is None else factor * limit.percent)
    mpe = rating.limit("mpe", current, band=band)
    return composite_error(parts), math.nan if mpe is None else mpe.percent


def worst_of(points: Iterable[Judged | Composite]) -> Judged | Composite | None:
    """What uses most of its limit."""
    return max((p for p in points if p.limit), key=lambda p: p.share, default=None)
