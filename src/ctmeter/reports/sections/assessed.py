"""Reading an assessment: the parameters of its weeks, their limits in the unit of the values, how much of them is reached.

The report shows verdicts, it never makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..material import Material
from ..wording import TITLES, years_beside

__all__ = [
    "harmonic_limits",
    "harmonic_percentiles",
    "levels",
    "limit_words",
    "one_per_phase",
    "parameters",
    "reached",
    "unit_of",
    "weeks",
    "years",
]


def weeks(material: Material) -> Sequence[Mapping[str, Any]]:
    """The windows of the assessment, none without one."""
    found: Sequence[Mapping[str, Any]] = (material.assessment or {}).get("weeks") or ()
    return found


def years(material: Material) -> Sequence[Mapping[str, Any]]:
    """What is judged over years, of several weeks together; of one week where it differs from what stands among its parameters."""
    return years_beside(material.assessment or {})


def parameters(material: Material, quantity: str = "") -> list[Mapping[str, Any]]:
    """The parameters of all weeks and years, of one quantity where it is named."""
    found = [p for window in (*weeks(material), *years(material)) for p in window.get("parameters", ())]
    return [p for p in found if not quantity or p.get("quantity") == quantity]


def unit_of(parameter: Mapping[str, Any]) -> str:
    """The unit of a parameter's values."""
    return str(parameter.get("unit") or TITLES.get(str(parameter.get("quantity")), ("", ""))[1]).replace("1", "")


def _limits(parameter: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [limit for key in ("limit", "limit_always") if isinstance(limit := parameter.get(key), Mapping)]


def _ends(limit: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Lowest and highest value that are within, in the unit of the values."""
    return limit.get("low_value", limit.get("low")), limit.get("high_value", limit.get("high"))


def limit_words(limit: Mapping[str, Any] | None, unit: str) -> str:
    """A limit in words: 95 % in 207.0 to 253.0 V."""
    if not isinstance(limit, Mapping):
        return "–"
    low, high = _ends(limit)
    share = limit.get("share", 100)
    part = "usually" if share is None else "all" if share >= 100 else f"{share:g} %"
    tail = f" {unit}" if unit else ""
    mark = "" if limit.get("verified", True) else " *"
    if low is not None and high is not None:
        return f"{part} in {low:.5g} to {high:.5g}{tail}{mark}"
    return f"{part} ≤ {high:.4g}{tail}{mark}" if high is not None else f"{part} ≥ {low:.4g}{tail}{mark}"


def reached(parameter: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """How much of the limit for a share and of the limit for all is reached, 1 being the limit."""
    share, always = (parameter.get(k) if isinstance(parameter.get(k), Mapping) else None for k in ("limit", "limit_always"))
    return (None if share is None else share.get("reached")), (None if always is None else always.get("reached"))


def one_per_phase(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The parameters with, of harmonics, only the order of each phase that is closest to its limit."""
    kept: list[Mapping[str, Any]] = []
    best: dict[str, tuple[float, int]] = {}
    for p in found:
        if not p.get("order"):
            kept.append(p)
            continue
        score = max([v for v in reached(p) if v is not None], default=-1.0) + (1e3 if p.get("verdict") == "fail" else 0.0)
        phase = str(p.get("phase"))
        if phase not in best:
            best[phase] = (score, len(kept))
            kept.append(p)
        elif score > best[phase][0]:
            best[phase] = (score, best[phase][1])
            kept[best[phase][1]] = p
    return kept


def levels(material: Material, quantity: str) -> list[tuple[float, str, bool]]:
    """The limits of a quantity as lines of a chart: value, words, and whether the chart has to reach to it."""
    shares: dict[float, set[float]] = {}
    for parameter in parameters(material, quantity):
        for limit in _limits(parameter):
            for value in _ends(limit):
                if value is not None:
                    shares.setdefault(round(float(value), 9), set()).add(float(limit.get("share") or 100))
    first = [v for v, s in shares.items() if min(s) < 100]
    room = 0.3 * (max(first) - min(first)) if len(first) > 1 else 0.0
    made = []
    for value, found in shares.items():
        words = " and ".join("all" if share >= 100 else f"{share:g} %" for share in sorted(found))
        near = not first or min(found) < 100 or min(first) - room <= value <= max(first) + room
        made.append((value, f"limit {value:.5g} ({words})", near))
    return made


def harmonic_limits(material: Material) -> dict[int, float]:
    """The limits of the harmonics by order, %."""
    made = {}
    for parameter in parameters(material, "HU"):
        for limit in _limits(parameter)[:1]:
            high = _ends(limit)[1]
            if parameter.get("order") and high is not None:
                made[int(parameter["order"])] = float(high)
    return made


def harmonic_percentiles(material: Material) -> dict[tuple[str, int], float]:
    """The 95 % values of the only week by phase and order, %; none where there are several weeks."""
    if len(weeks(material)) != 1:
        return {}
    made = {}
    for p in parameters(material, "HU"):
        value = (p.get("percentiles") or {}).get("95")
        if value is not None and p.get("order"):
            made[str(p.get("phase")), int(p["order"])] = float(value)
    return made
