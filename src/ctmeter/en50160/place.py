"""Events that are listed for each voltage, as events of the place.

A dip is one where any voltage is below its threshold, an interruption where all of them are below theirs; so dips on several
voltages are put together, and interruptions are what those of all voltages have in common.

References
----------
EN 50160:2010
IEC 61000-4-30:2015
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from ..quantity import LINES, PHASES, Flag

__all__ = ["KINDS", "end_of", "merged", "of_place", "share"]

KINDS = ("dip", "swell", "interruption")
#: Parts of one event that two recordings have are so near to each other, ns.
_SEAM = 1_000_000_000

_LATE = 2**62
#: Start and end, ns, and the events that it is made of by voltage.
_Stretch = tuple[int, int, dict[str, Mapping[str, Any]]]


def end_of(event: Mapping[str, Any], otherwise: int) -> int:
    """End of an event, ns; `otherwise` while it is open."""
    duration = event.get("duration")
    return otherwise if duration is None else int(event["t"]) + round(duration * 1e9)


def share(event: Mapping[str, Any]) -> float | None:
    """Residual voltage of a dip or interruption, highest of a swell, % of the reference."""
    value = event.get("U_max" if event["type"] == "swell" else "U_residual")
    reference = event.get("U_ref")
    # rounded, so that a voltage at the edge of a row is at its edge
    return None if value is None or not reference else round(100 * value / reference, 9)


def merged(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One event for a place: events of one kind on several voltages that overlap, and parts of one at the seam of two recordings.

    The whole lasts from the first start to the last end; its voltage is the worst.
    """
    result: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    for event in sorted(events, key=lambda e: (e["t"], str(e["type"]))):
        kind = event["type"]
        if kind not in KINDS:
            continue
        before = last.get(kind)
        if before is not None and _belongs(before, event):
            _join(before, event)
        else:
            last[kind] = {**event, "phases": list(event.get("phases") or ())}
            result.append(last[kind])
    return sorted(result, key=lambda e: (e["t"], e["type"]))


def _belongs(before: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    if before.get("duration") is None:
        # open at the end of one recording, and there from the first value on in the next
        return bool(event.get("flags", 0) & Flag.INCOMPLETE) and event["t"] - before.get("ends", before["t"]) <= _SEAM
    end = end_of(before, 0)
    if event["t"] < end:
        return True
    # broken off at a gap, and there from the first value after it on
    both = before.get("flags", 0) & event.get("flags", 0) & Flag.INCOMPLETE
    return bool(both) and bool(before.get("flags", 0) & Flag.GAP) and event["t"] - end <= _SEAM


def _join(before: dict[str, Any], event: Mapping[str, Any]) -> None:
    if event.get("duration") is None:
        before["duration"], before["ends"] = None, event.get("ends", event["t"])
    else:
        end = max(end_of(before, int(event["t"])), end_of(event, 0))
        before["duration"] = (end - before["t"]) / 1e9
    before["phases"] = sorted({*before["phases"], *(event.get("phases") or ())})
    before["flags"] = before.get("flags", 0) | event.get("flags", 0)
    before["detail"] = [*(before.get("detail") or ()), *(event.get("detail") or ())]
    for name, worst in (("U_residual", min), ("U_max", max)):
        values = [v for v in (before.get(name), event.get(name)) if v is not None]
        before[name] = worst(values) if values else None


def of_place(events: Sequence[Mapping[str, Any]], voltages: Sequence[str], threshold: float) -> list[dict[str, Any]]:
    """Events of the place from events of single voltages; those with `detail` are of the place already.

    Parameters
    ----------
    events : sequence of mapping
    voltages : sequence of str
        All that there are at the place; where none are named, those that the events name.
    threshold : float
        Of interruptions, % of the reference.

    Returns
    -------
    list of dict
        An interruption of some of the voltages is a dip. Where all have been interrupted, or have had dips below the threshold, at
        one time, that time is an interruption. A row without phases is of all voltages.
    """
    named = {p for e in events for p in e.get("phases") or ()}
    every = tuple(voltages) or tuple(p for p in (LINES if named and named <= set(LINES) else PHASES) if p in named)
    made: list[dict[str, Any]] = []
    single: dict[str, list[Mapping[str, Any]]] = {p: [] for p in every}
    deep: dict[str, list[Mapping[str, Any]]] = {p: [] for p in every}
    for event in events:
        mine = set(event.get("phases") or every)
        if event.get("detail") or event["type"] not in ("dip", "interruption"):
            made.append({**event})
        elif event["type"] == "interruption" and not mine >= set(every):
            made.append({**event, "type": "dip", "detail": _detail(event)})
            for phase in mine & set(every):
                single[phase].append(event)
        else:
            alone = len(mine) == 1
            made.append({**event, "detail": _detail(event)} if alone else {**event})
            u = share(event)
            if alone and event["type"] == "dip" and u is not None and u < threshold:
                for phase in mine & set(every):
                    deep[phase].append(event)
    whole = _stretches([e for e in made if e["type"] == "interruption"], "")
    common = []
    for phase in every:
        own = _stretches(single[phase], phase)
        # an interruption of the same voltage says more exactly when
        dips = _stretches(deep[phase], phase)
        better = {a[0] for known in (own, whole) for a, _ in _meeting(dips, known)}
        common.append(sorted([*own, *(d for d in dips if d[0] not in better)], key=lambda s: s[0]))
    return [*made, *(_interruption(s) for s in (reduce(_both, common) if common else ()))]


def _stretches(events: Sequence[Mapping[str, Any]], phase: str) -> list[_Stretch]:
    """Events of one voltage by their start; none of them overlap, so one that has no end lasts until the next at most."""
    found = merged(events)
    latest = [*(e["t"] for e in found[1:]), *([_LATE] if found else [])]
    return [(e["t"], min(end_of(e, e.get("ends", _LATE)), last), {phase: e}) for e, last in zip(found, latest, strict=True)]


def _meeting(first: Sequence[_Stretch], second: Sequence[_Stretch]) -> Iterator[tuple[_Stretch, _Stretch]]:
    """Pairs that overlap."""
    i = j = 0
    while i < len(first) and j < len(second):
        a, b = first[i], second[j]
        if max(a[0], b[0]) < min(a[1], b[1]):
            yield a, b
        i, j = (i + 1, j) if a[1] <= b[1] else (i, j + 1)


def _both(first: Sequence[_Stretch], second: Sequence[_Stretch]) -> list[_Stretch]:
    """What stretches have in common."""
    return [(max(a[0], b[0]), min(a[1], b[1]), a[2] | b[2]) for a, b in _meeting(first, second)]


def _detail(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the row says of each of its voltages."""
    return [{"phase": p, "t": event["t"], "duration": event.get("duration"), "U": event.get("U_residual")} for p in event.get("phases") or ()]


def _interruption(stretch: _Stretch) -> dict[str, Any]:
    start, end, parts = stretch
    events = list(parts.values())
    closed = any(end_of(e, _LATE) == end for e in events if e.get("duration") is not None)
    known = [u for e in events if (u := e.get("U_residual")) is not None]
    flags = 0
    for event in events:
        flags |= event.get("flags") or 0
    return {
        **events[0],
        "type": "interruption",
        "t": start,
        "duration": (end - start) / 1e9 if closed else None,
        "phases": list(parts),
        "U_residual": min(known) if known else None,
        "flags": flags,
        "detail": [{"phase": p, "t": e["t"], "duration": e.get("duration"), "U": e.get("U_residual")} for p, e in parts.items()],
    } | ({} if closed or end == _LATE else {"ends": end})
