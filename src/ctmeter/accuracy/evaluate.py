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

from .plan import Plan
from .points import DEFAULT_TEMPERATURE
from .rating import Rating

if TYPE_CHECKING:
    from .rig import Reading

__all__ = ["FAIL", "PASS", "Composite", "Judged", "composite_error", "composite_of_limits", "composites", "judged", "verdict_of", "worst_of"]

PASS, FAIL = "pass", "fail"
#: Influences that enter a composite error.
_PARTS = ("temperature", "voltage", "frequency")


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
    """

    reading: Reading
    value: float
    verdict: str | None
    spread: tuple[float, ...] = ()

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
        }


@dataclass(frozen=True)
class Composite:
    """A composite error.

    Parameters
    ----------
    band : str
    I : float
        A.
    factor, load : str
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


def composites(rating: Rating, plan: Plan, readings: Mapping[str, Sequence[Reading]]) -> tuple[Composite, ...]:
    """Composite errors of every temperature band.

    Notes
    -----
    Changes are those of balanced load at the same current and power factor, for single-phase load too.
    """
    changes: dict[tuple[float, str, str], list[tuple[float, float]]] = {}
    for several in readings.values():
        point = several[0].point
        wide = point.test == "voltage" and abs(point.U / rating.u_n - 1) > 0.1 + 1e-9
        if point.test in _PARTS and point.energy == "active" and not wide:
            change = several[0].error - readings[point.reference][0].error
            changes.setdefault((point.I, point.factor, point.test), []).append((point.temperature, change))
    found = []
    for band in rating.limits.bands:
        if band.name not in plan.bands:
            continue
        for point in plan.composite:
            mpe = rating.limit("mpe", point.I, point.factor, "balanced" if point.load == "balanced" else "single", band=band.name)
            if mpe is None:
                continue
            allowed = {"temperature": set(band.temperatures), "voltage": {DEFAULT_TEMPERATURE}, "frequency": {DEFAULT_TEMPERATURE}}
            parts = {"error": readings[point.id][0].error}
            for test in _PARTS:
                seen = [c for t, c in changes.get((point.I, point.factor, test), ()) if t in allowed[test]]
                parts[test] = max((abs(c) for c in seen), default=math.nan)
            found.append(Composite(band.name, point.I, point.factor, point.load, point.pf, parts, composite_error(parts.values()), mpe.percent))
    return tuple(found)


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


def worst_of(points: Iterable[Judged]) -> Judged | None:
    """The point that uses most of its limit."""
    limited = [p for p in points if p.reading.point.limit]
    return max(limited, key=lambda p: abs(p.value) / (p.reading.point.limit or 1.0), default=None)
