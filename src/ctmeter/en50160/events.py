"""Dips, swells and interruptions as EN 50160 counts them: one event for a place, in cells of depth and length.

References
----------
EN 50160:2010
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..measurements import nanoseconds
from .curves import position
from .limits import Cells, Events
from .place import KINDS, end_of, merged, of_place, share

__all__ = ["aggregated", "cell", "classify", "interruptions", "located", "tabulate"]

_LATE = 2**63 - 1
#: Lengths are rounded sums: they are compared to the half microsecond.
_ROUNDED = 5e-7


def cell(event: Mapping[str, Any], counting: Events) -> str | None:
    """Name of the cell of a dip or swell, for instance "A1"; None where it is outside the table.

    Parameters
    ----------
    event : mapping
        As in a result.
    counting : Events
        From the limits of an edition.
    """
    return _cell(event, event["type"], counting)


def _cell(event: Mapping[str, Any], kind: str, counting: Events) -> str | None:
    """The cell of an event that counts as `kind`."""
    cells: Cells | None = {"dip": counting.dips, "swell": counting.swells}.get(kind)
    u, duration = share(event), event.get("duration")
    if cells is None or u is None or duration is None:
        return None
    if kind == "dip":
        # rows from above: 90 > u >= 80, ..., and below the last voltage the last row
        row = next((r for r, low in zip(cells.rows, cells.voltages[1:], strict=False) if u >= low), cells.rows[-1]) if u < cells.voltages[0] else None
    else:
        # 120 > u > 110: what is at the lowest edge is no swell
        row = next((r for r, low in zip(cells.rows, cells.voltages, strict=True) if u >= low), None) if u > cells.voltages[-1] else None
    column = cells.column(duration)
    return f"{row}{column}" if row and column else None


def interrupted(event: Mapping[str, Any], counting: Events) -> bool:
    """Whether an interruption is one by the threshold of the edition: all voltages were below it.

    By the highest of the voltages' own extremes; where they are not known, by the residual voltage; where that is not known
    either, what the recording called an interruption is one.
    """
    own = [d["U"] for d in event.get("detail") or () if d.get("U") is not None]
    highest = share({**event, "U_residual": max(own)} if own else event)
    return highest is None or highest < counting.interruption


def classify(events: Iterable[Mapping[str, Any]], counting: Events, voltages: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The events of one place, each with what EN 50160 makes of it.

    Parameters
    ----------
    events : iterable of mapping
        Times in ns; of the place or of single voltages.
    counting : Events
        From the limits of an edition.
    voltages : sequence of str
        All that there are at the place, "L1" or "L12"; by default those that the events name.

    Returns
    -------
    list of dict
        The events with `share` (% of the reference), `cell`, `counts_as` ("dip", "swell", "interruption", or None: a dip
        with an interruption inside is an interruption, not a dip), `length` ("short" or "long") and the positions `itic`
        and `semi_f47`. An interruption above the threshold of the edition counts by its dip, or as one where no dip is listed.
    """
    found = merged(of_place(list(events), voltages, counting.interruption))
    for event, mark in zip(found, _marks(found, counting), strict=True):
        event |= mark
    return found


def located(events: Sequence[Mapping[str, Any]], counting: Events) -> list[dict[str, Any]]:
    """The events of one result, one by one and of every type, with what `classify` adds.

    Parameters
    ----------
    events : sequence of mapping
        `Result.events`, times as ISO text.
    counting : Events
        From the limits of an edition.
    """
    marks = _marks([{**e, "t": nanoseconds(e["t"])} for e in events], counting)
    return [{**event, **mark} for event, mark in zip(events, marks, strict=True)]


def _marks(events: Sequence[Mapping[str, Any]], counting: Events) -> list[dict[str, Any]]:
    """What EN 50160 makes of each event."""
    cut = [e["type"] == "interruption" and interrupted(e, counting) for e in events]
    cuts = _Times([e for e, here in zip(events, cut, strict=True) if here])
    dips = _Times([e for e in events if e["type"] == "dip"])
    marks = []
    for event, here in zip(events, cut, strict=True):
        counts = event["type"] if event["type"] in KINDS else None
        if counts == "interruption" and not here:
            counts = None if dips.meet(event) else "dip"  # its dip counts, where there is one
        elif counts == "dip" and cuts.meet(event):
            counts = None
        marks.append(
            {
                "share": share(event),
                "cell": None if counts is None else _cell(event, counts, counting),
                "counts_as": counts,
                "length": _length(event, counting) if counts == "interruption" else None,
                **position(event),
            }
        )
    return marks


class _Times:
    """When some events were."""

    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self._start = np.array([e["t"] for e in events], np.int64)
        self._end = np.array([end_of(e, _LATE) for e in events], np.int64)

    def meet(self, event: Mapping[str, Any]) -> bool:
        """Whether one of them was at the time of an event."""
        return bool(((self._start < end_of(event, _LATE)) & (event["t"] < self._end)).any())


def _length(event: Mapping[str, Any], counting: Events) -> str | None:
    duration = event.get("duration")
    return None if duration is None else "short" if duration <= counting.short_interruption + _ROUNDED else "long"


def aggregated(events: Sequence[Mapping[str, Any]], seconds: float) -> list[Mapping[str, Any]]:
    """Aggregation in time: of the events that start within `seconds` of the first of their kind the worst stands for all.

    The worst is the one with the lowest residual or the highest voltage, of equals the longest; of interruptions the longest.
    """
    if seconds <= 0:
        return list(events)
    result: list[Mapping[str, Any]] = []
    for kind in KINDS:
        group: list[Mapping[str, Any]] = []
        for event in (e for e in events if e["counts_as"] == kind):
            if group and event["t"] - group[0]["t"] > seconds * 1e9:
                result.append(max(group, key=_severity))
                group = []
            group.append(event)
        if group:
            result.append(max(group, key=_severity))
    return sorted(result, key=lambda e: (e["t"], e["type"]))


def _severity(event: Mapping[str, Any]) -> tuple[float, float]:
    length = np.inf if event.get("duration") is None else event["duration"]
    u = event.get("share")
    if event["counts_as"] == "interruption" or u is None:
        return 0.0, length
    return (-u if event["counts_as"] == "dip" else u), length


def tabulate(events: Sequence[Mapping[str, Any]], counting: Events) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """How many dips and swells there are in each cell, and how many counted events are in none."""
    tables = []
    outside = {"dip": 0, "swell": 0}
    for kind, cells in (("dip", counting.dips), ("swell", counting.swells)):
        counts = dict.fromkeys(cells.names, 0)
        for event in events:
            if event["counts_as"] != kind:
                continue
            if event["cell"] is None:
                outside[kind] += 1
            else:
                counts[event["cell"]] += 1
        tables.append(counts)
    return tables[0], tables[1], outside


def interruptions(events: Sequence[Mapping[str, Any]], counting: Events) -> dict[str, Any]:
    """Interruptions counted: in all, short, long, and by length; one that is still open is in no class."""
    found = [e for e in events if e["counts_as"] == "interruption"]
    lengths = [e["duration"] for e in found if e.get("duration") is not None]
    edges = (0.0, *counting.interruption_classes, np.inf)
    classes = []
    for low, high in pairwise(edges):
        n = sum(low + _ROUNDED < d <= high + _ROUNDED for d in lengths)
        classes.append({"longer_than_s": low or None, "up_to_s": None if high == np.inf else high, "count": n})
    return {
        "count": len(found),
        "short": sum(e["length"] == "short" for e in found),
        "long": sum(e["length"] == "long" for e in found),
        "open": len(found) - len(lengths),
        "threshold": counting.interruption,
        "short_up_to_s": counting.short_interruption,
        "classes": classes,
        "longest_s": max(lengths, default=None),
    }
