"""Summaries of consecutive recordings of one site as one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError
from ..quantity import QUANTITIES, Rule
from .summary import add_energy

__all__ = ["merged"]

#: What recordings of one site have in common.
_SAME = (("wiring", lambda s: s["wiring"]), ("nominal voltage", lambda s: s["settings"].get("nominal_voltage")),
         ("nominal frequency", lambda s: s["settings"].get("nominal_frequency")), ("sides", lambda s: s["sides"]))  # fmt: skip


def merged(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One summary of all: energies added, means by duration and the rules of their quantities, events in order.

    Raises
    ------
    InputError
        They differ in wiring, nominal voltage, nominal frequency or side.
    """
    first = dict(summaries[0])
    if len(summaries) == 1:
        return first
    for what, of in _SAME:
        found = list(dict.fromkeys(str(of(s)) for s in summaries))
        if len(found) > 1:
            raise InputError(f"results of different sites or settings: {what} {' and '.join(found)}", expected="consecutive recordings of one site")
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
