"""Summaries of consecutive recordings of one site as one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..quantity import QUANTITIES, Rule
from .summary import add_energy

__all__ = ["merged"]

#: Recordings may overlap by so much, ns: clocks of files are rounded.
_SEAM = 1_000_000_000


def _common(summary: Mapping[str, Any]) -> dict[str, str]:
    """What recordings of one site have in common."""
    settings = summary["settings"]
    return {
        "wiring": summary["wiring"],
        "nominal voltage": f"{settings.get('nominal_voltage')} V",
        "nominal frequency": f"{settings.get('nominal_frequency')} Hz",
        "sides": ", ".join(f"{k} {v}" for k, v in summary["sides"].items()),
        "station": str((summary["recording"].get("metadata") or {}).get("station") or ""),
    }


def _check(summaries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what does not belong together."""
    for what in _common(summaries[0]):
        found = list(dict.fromkeys(v for s in summaries if (v := _common(s)[what])))
        if len(found) > 1:
            raise InputError(f"results of different sites or settings: {what} {' and '.join(found)}", expected="consecutive recordings of one site")
    last: tuple[str, int] | None = None
    for s in summaries:
        recording = s["recording"]
        if not recording.get("start") or not recording.get("end"):
            raise InputError("has no clock", path=recording.get("source"), expected="recordings whose times say how they follow each other")
        start, end = (int(np.datetime64(recording[k].removesuffix("Z"), "ns").astype(np.int64)) for k in ("start", "end"))
        if last is not None and start < last[1] - _SEAM:
            raise InputError(f"begins before {last[0]} ends", path=recording.get("source"), expected="recordings that follow each other")
        last = (str(recording.get("source")), end)


def merged(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One summary of all: energies added, means by duration and the rules of their quantities, events in order.

    Raises
    ------
    InputError
        They differ in wiring, nominal values, side or station, overlap, or have no clock.
    """
    first = dict(summaries[0])
    if len(summaries) == 1:
        return first
    _check(summaries)
    energy: Mapping[str, float | None] = {}
    for s in summaries:
        energy = add_energy(energy, s["energy"])
    events = sorted((e for s in summaries for e in s["events"]["list"]), key=lambda e: str(e.get("t")))
    left_out = {(x["what"], x["why"]): x for s in summaries for x in s["not_measured"]}
    return {
        **first,
        "energy": energy,
        "mean": _mean([(s["mean"], float(s["recording"].get("duration_s") or 0.0)) for s in summaries]),
        "events": {"counts": dict(Counter(str(e["type"]) for e in events)), "list": events},
        "quality": _quality([s["quality"] for s in summaries]),
        "not_measured": list(left_out.values()),
        "warnings": list(dict.fromkeys(w for s in summaries for w in s["warnings"])),
    }


def _mean(parts: Sequence[tuple[Mapping[str, Any], float]]) -> dict[str, float | None]:
    """Means of all parts, each weighted by its duration."""
    rules = {c: q.rule for q in reversed(QUANTITIES) for c in q.columns}
    made: dict[str, float | None] = {}
    for name in dict.fromkeys(n for mean, _ in parts for n in mean):
        known = [(float(v), w) for mean, w in parts if isinstance(v := mean.get(name), (int, float)) and w > 0]
        total = sum(w for _, w in known)
        rule = rules.get(name)
        if not known:
            made[name] = None
        elif rule in (Rule.MIN, Rule.MAX):
            made[name] = (min if rule is Rule.MIN else max)(v for v, _ in known)
        elif rule is Rule.RMS:
            made[name] = math.sqrt(sum(v * v * w for v, w in known) / total)
        else:
            made[name] = sum(v * w for v, w in known) / total
    return _phasors(made, parts)


def _phasors(made: dict[str, float | None], parts: Sequence[tuple[Mapping[str, Any], float]]) -> dict[str, float | None]:
    """What follows from sums rather than from means: power factors, and phasors from the complex mean."""
    for suffix in ("", "_L1", "_L2", "_L3"):
        p, s = made.get(f"P{suffix}"), made.get(f"S{suffix}")
        if p is not None and s:
            made[f"PF{suffix}"] = p / s
    for kind in "UI":
        for phase in ("L1", "L2", "L3", "L12", "L23", "L31"):
            size, angle = f"{kind}1_{phase}", f"phi_{kind}_{phase}"
            both = [(m[size], math.radians(m[angle]), w) for m, w in parts if m.get(size) is not None and m.get(angle) is not None and w > 0]
            if both:
                total = sum(w for *_, w in both)
                x, y = (sum(r * f(a) * w for r, a, w in both) / total for f in (math.cos, math.sin))
                made[size], made[angle] = math.hypot(x, y), math.degrees(math.atan2(y, x))
    return made


def _quality(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts added."""
    made: dict[str, Any] = {k: sum(int(p.get(k) or 0) for p in parts) for k in ("samples", "integrated", "gaps")}
    for kind in ("excluded", "not_finite", "saturated"):
        counts: Counter[str] = Counter()
        for p in parts:
            counts.update(p.get(kind) or {})
        made[kind] = dict(counts)
    intervals: dict[str, Any] = {}
    for p in parts:
        for table, found in p["intervals"].items():
            kept = intervals.setdefault(table, {"count": 0, "flagged": Counter()})
            kept["count"] += found["count"]
            kept["flagged"].update(found["flagged"])
    made["intervals"] = {t: {"count": v["count"], "flagged": dict(v["flagged"])} for t, v in intervals.items()}
    return made
