"""Windows and 10-s values of frequency that an event touches carry its flag.

A window [t, t1) is flagged exactly if it overlaps the event [start, end), for each voltage if it
overlaps that voltage's own part of it. To know that, windows are held back until every value that
could start an event before their end has been seen.

References
----------
IEC 61000-4-30:2015
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..quantity import PHASES, Flag
from .columns import Columns, concatenate, ends, rows_of
from .polyphase import Event

__all__ = ["Flagging"]

_FLAG = {"dip": Flag.DIP, "swell": Flag.SWELL, "interruption": Flag.INTERRUPTION}
#: How long an event is remembered after the last window that was let go, ns: windows may come out of order by an interval of 150/180 cycles.
_REMEMBERED = 30_000_000_000
#: Length of an interval of the table `frequency`, ns.
_TEN_SECONDS = 10_000_000_000
_FOREVER = 2**62


@dataclass(frozen=True)
class _Span:
    """Where a flag is set; place -1 is the total."""

    flag: int
    place: int
    start: int
    end: int


def _spans(event: Event, places: Sequence[int]) -> list[_Span]:
    flag = int(_FLAG[event.type])
    whole = _Span(flag, -1, event.start, _FOREVER if event.end is None else event.end)
    own = [_Span(flag, places[k], int(s or 0), _FOREVER if e is None else e) for k, (s, e) in event.own.items()]
    return [whole, *own]


class Flagging:
    """Holds windows back until their flags are known.

    Parameters
    ----------
    places : sequence of int
        For each voltage, which of the columns `flags_L1` to `flags_L3` is its own.
    """

    def __init__(self, places: Sequence[int]) -> None:
        self._places = places
        self._held: Columns = {}
        self._frequencies: Columns = {}
        self._spans: list[_Span] = []

    @property
    def held(self) -> Columns:
        """The windows held back."""
        return self._held

    def hold(self, basic: Columns) -> None:
        """Take windows in."""
        if rows_of(basic):
            self._held = concatenate([self._held, basic])

    def hold_frequency(self, rows: Columns) -> None:
        """Take rows of the table `frequency` in."""
        if rows_of(rows):
            self._frequencies = concatenate([self._frequencies, rows])

    def release_frequency(self, until: int, going_on: Sequence[Event]) -> Columns:
        """The rows of `frequency` that end at `until` or before, flagged; to be called before `release`."""
        rows = self._frequencies
        if not rows_of(rows):
            return {}
        done = rows["t"] + _TEN_SECONDS <= until
        ready, self._frequencies = ({name: values[k] for name, values in rows.items()} for k in (done, ~done))
        for span in self._all(going_on):
            touched = (ready["t"] < span.end) & (ready["t"] + _TEN_SECONDS > span.start)
            ready["flags"][touched] |= np.uint32(span.flag)
        return ready

    def note(self, event: Event) -> None:
        """An event has ended."""
        self._spans += _spans(event, self._places)

    def touched(self, start: int, stop: int, going_on: Sequence[Event]) -> bool:
        """Whether an event overlaps [start, stop)."""
        return any(s.start < stop and s.end > start for s in self._all(going_on))

    def _all(self, going_on: Sequence[Event]) -> list[_Span]:
        return [*self._spans, *(s for event in going_on for s in _spans(event, self._places))]

    def release(self, until: int, going_on: Sequence[Event]) -> Columns:
        """The windows that end at `until` or before, flagged.

        Parameters
        ----------
        until : int
            Time up to which every value has been seen, ns.
        going_on : sequence of Event
            Events that have not ended.
        """
        n = rows_of(self._held)
        if not n:
            return {}
        late = ends(self._held) > until
        stop = int(late.argmax()) if late.any() else n
        if not stop:
            return {}
        ready = {name: values[:stop] for name, values in self._held.items()}
        # a copy, so that what was let go does not stay in memory
        self._held = {name: values[stop:].copy() for name, values in self._held.items()} if stop < n else {}
        spans = self._all(going_on)
        if spans:
            self._flag(ready, spans)
            self._spans = [s for s in self._spans if s.end > int(ready["t"][-1]) - _REMEMBERED]
        return ready

    @staticmethod
    def _flag(rows: Columns, spans: Sequence[_Span]) -> None:
        names = ["flags", *(f"flags_{p}" for p in PHASES)]
        for name in names:
            if name in rows:
                rows[name] = rows[name].copy()
        t, t1 = rows["t"], ends(rows)
        for span in spans:
            name = names[span.place + 1]
            if name in rows:
                rows[name][(t < span.end) & (t1 > span.start)] |= np.uint32(span.flag)

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"held": self._held, "frequencies": self._frequencies, "spans": [[s.flag, s.place, s.start, s.end] for s in self._spans]}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self._frequencies = state["frequencies"]
        self._held, self._spans = state["held"], [_Span(*s) for s in state["spans"]]
