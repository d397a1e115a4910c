"""Events that run on from piece to piece: how they end only a later piece knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["ended"]

#: By so much the start of an event may differ from piece to piece, ns.
_SAME_NS = 1_000_000

Event = Mapping[str, Any]


def ended(event: Event, border: int, continuing: Iterable[Event]) -> Event | None:
    """An event that is open at the end of a piece, as the next piece knows it; None where that knows nothing of it.

    Parameters
    ----------
    event : mapping
        Of the table `events`, without a duration.
    border : int
        Where the one piece ends and the next one begins, ns.
    continuing : iterable of mapping
        Events of the next piece that began before it.

    Notes
    -----
    The next piece has measured some hours before the border too. An event that began before those it knows from there on only: it is told by being
    there at the border, where one event of a type is open at most.
    """
    there = [e for e in continuing if e["type"] == event["type"] and _until(e, border)]
    same = [e for e in there if abs(e["t"] - event["t"]) < _SAME_NS]
    if same:
        return {**same[0], "t": event["t"]}
    late = [e for e in there if e["t"] > event["t"]]
    return _joined(event, late[-1]) if late else None


def _until(event: Event, instant: int) -> bool:
    return event["duration"] is None or event["t"] + event["duration"] * 1e9 > instant


def _joined(event: Event, rest: Event) -> Event:
    """An event that was seen in two parts, of which the second one has its end."""
    made = _longer(event, rest)
    made["phases"] = list(dict.fromkeys([*event["phases"], *rest["phases"]]))
    made["flags"] = event["flags"] | rest["flags"]
    lowest = event["type"] != "swell"
    for name in ("U_residual", "U_max"):
        made[name] = _extreme(event.get(name), rest.get(name), name == "U_residual")
    details = {d["phase"]: d for d in event.get("detail") or ()}
    for later in rest.get("detail") or ():
        first = details.get(later["phase"])
        details[later["phase"]] = later if first is None else {**_longer(first, later), "U": _extreme(first["U"], later["U"], lowest)}
    return {**made, "detail": list(details.values())}


def _longer(first: Event, rest: Event) -> dict[str, Any]:
    """The first part, with the end of the second."""
    if rest["duration"] is None:
        return dict(first)
    return {**first, "duration": (rest["t"] - first["t"]) * 1e-9 + rest["duration"]}


def _extreme(a: float | None, b: float | None, lowest: bool) -> float | None:
    values = [v for v in (a, b) if v is not None]
    if not values:
        return None
    return min(values) if lowest else max(values)
