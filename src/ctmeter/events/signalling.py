"""Mains signalling: telegrams at the frequency of the settings.

A signalling event lasts from the first 10/12-cycle window whose signalling voltage is above
`signalling_threshold` on any voltage to the first in which it is not on all; at most `signalling_duration` is reported.
The largest value stands in `U_max`, that of each voltage in `detail`.

References
----------
IEC 61000-4-30:2015
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..settings import Settings
from .columns import Columns, ends, rows_of
from .polyphase import Event, Rows, Rule, Watch

__all__ = ["Signalling"]

#: A window that starts later than this after the end of the one before is after a gap, ns.
_GAP = 50_000_000


class Signalling:
    """Looks out for telegrams.

    Parameters
    ----------
    settings : Settings
    nominal : float
        V.
    phases : sequence of str
        Of the columns `MSV_...`.
    """

    def __init__(self, settings: Settings, nominal: float, phases: Sequence[str]) -> None:
        self._nominal = nominal
        self._names = [f"MSV_{p}" for p in phases]
        self._watch = Watch(Rule("msv", settings.signalling_threshold, settings.signalling_threshold, above=True), len(phases))
        self._longest = round(settings.signalling_duration * 1e9)
        self._end: int | None = None

    @property
    def now(self) -> Event | None:
        """The telegram that is going on."""
        return self._watch.now

    def feed(self, basic: Columns) -> list[Event]:
        """The telegrams that end within the windows."""
        if "kind" in basic:
            keep = basic["kind"] < 2
            basic = basic if keep.all() else {name: values[keep] for name, values in basic.items()}
        n = rows_of(basic)
        places = [k for k, name in enumerate(self._names) if name in basic]
        if not n or not places:
            return []
        t, t1 = basic["t"], ends(basic)
        before = np.concatenate([[t[0] if self._end is None else self._end], t1[:-1]])
        done, first = [], 0
        for stop in [*np.flatnonzero(t > before + _GAP).tolist(), n]:
            if stop > first:
                done += self._watch.feed(self._rows(basic, places, first, stop))
            if stop < n:
                event = self._watch.break_off(int(before[stop]))
                done += [] if event is None else [event]
            first = stop
        self._end = int(t1[-1])
        return [self._cut(e) for e in done]

    def _rows(self, basic: Columns, places: list[int], first: int, stop: int) -> Rows:
        n, count = stop - first, len(places)
        values = np.stack([basic[self._names[k]][first:stop] for k in places], axis=1)
        flags = basic["flags"][first:stop] if "flags" in basic else np.zeros(n, np.uint32)
        place = np.tile(np.array(places), n)
        return Rows(np.repeat(basic["t"][first:stop], count), place, values.reshape(-1), np.repeat(flags, count), np.full(n * count, self._nominal))

    def _cut(self, event: Event) -> Event:
        last = event.start + self._longest
        event.end = None if event.end is None else min(event.end, last)
        for own in event.own.values():
            own[1] = None if own[1] is None else max(min(own[1], last), own[0] or 0)
        return event

    def break_off(self, gap: bool) -> Event | None:
        """Nothing is known from here on."""
        event, self._end = self._watch.break_off(self._end if gap else None), None
        return None if event is None else self._cut(event)

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"watch": self._watch.state(), "end": self._end}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self._watch.resume(state["watch"])
        self._end = state["end"]
