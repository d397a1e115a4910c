"""Where an event lies on the tolerance curves of equipment, ITIC (CBEMA) and SEMI F47, and the curves for a chart.

The numbers stand in `curves.toml` with their provenance; those from memory are unverified.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

__all__ = ["curves", "position"]


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("curves.toml").read_text("utf-8"))


def curves() -> dict[str, Any]:
    """The curves as points for a chart.

    Returns
    -------
    dict
        "itic" with `lower` and `upper`, "semi_f47" with `lower`: lists of (s, %) joined by straight lines on a logarithmic axis of
        time; and with each `title`, `source`, `verified`.

    Examples
    --------
    >>> curves()["itic"]["lower"][:4]
    [(0.0, 0.0), (0.02, 0.0), (0.02, 70.0), (0.5, 70.0)]
    """
    made = {}
    for name, curve in _document().items():
        lower = _staircase(curve["lower"])
        if "longest" in curve:
            lower.append((curve["longest"], curve["lower"][-1][1]))
        made[name] = {"title": curve["title"], "source": curve["source"], "verified": not curve["source"].startswith("M"), "lower": lower}
        if "upper" in curve:
            made[name]["upper"] = [(float(t), float(u)) for t, u in curve["upper"]]
    return made


def _staircase(steps: list[list[float]]) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for k, (t, u) in enumerate(steps):
        if k:
            points.append((float(t), float(steps[k - 1][1])))
        points.append((float(t), float(u)))
    return points


def _step(steps: list[list[float]], duration: float) -> float:
    """Level of a staircase at a duration; at a step still the level before."""
    level = steps[0][1]
    for t, u in steps:
        if duration > t + 5e-7:
            level = u
    return float(level)


def _upper(points: list[list[float]], duration: float) -> float:
    if duration <= points[0][0]:
        return float(points[0][1])
    for (t0, u0), (t1, u1) in pairwise(points):
        if t0 < duration <= t1 + 5e-7:
            return float(u0 + (u1 - u0) * math.log(duration / t0) / math.log(t1 / t0)) if t1 > t0 else float(u0)
    return float(points[-1][1])


def position(event: Mapping[str, Any]) -> dict[str, str | None]:
    """Where a dip, swell or interruption lies.

    Parameters
    ----------
    event : mapping
        With `type`, `duration` (s), `U_ref`, and `U_residual` or `U_max` (V).

    Returns
    -------
    dict
        `itic`: "no-interruption" (equipment goes on), "no-damage" (it may stop) or "prohibited" (it may be harmed); `semi_f47`:
        "above" (equipment has to ride through) or "below". None for what is no such event, is still open, or has a length that
        the curve does not cover. Points on a curve are on its good side.

    Examples
    --------
    >>> position({"type": "dip", "duration": 0.1, "U_ref": 230.0, "U_residual": 115.0})
    {'itic': 'no-damage', 'semi_f47': 'above'}
    """
    duration, reference = event.get("duration"), event.get("U_ref")
    value = event.get("U_max" if event.get("type") == "swell" else "U_residual")
    if event.get("type") not in ("dip", "swell", "interruption") or duration is None or duration <= 0 or not reference or value is None:
        return {"itic": None, "semi_f47": None}
    itic, semi = _document()["itic"], _document()["semi_f47"]
    u = round(100 * value / reference, 9)
    if event["type"] == "swell":
        return {"itic": "prohibited" if u > _upper(itic["upper"], duration) else "no-interruption", "semi_f47": None}
    covered = semi["shortest"] <= duration <= semi["longest"] + 5e-7
    return {
        "itic": "no-damage" if u < _step(itic["lower"], duration) else "no-interruption",
        "semi_f47": ("below" if u < _step(semi["lower"], duration) else "above") if covered else None,
    }
