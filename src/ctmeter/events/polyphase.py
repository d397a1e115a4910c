"""Thresholds with hysteresis on several voltages at once: when an event starts and ends.

Values are screened with NumPy; Python runs only where a voltage crosses a threshold.

References
----------
IEC 61000-4-30:2015
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..quantity import Flag

__all__ = ["Event", "Rows", "Rule", "Watch"]

_NORMAL, _BEYOND, _UNKNOWN, _HELD = 0, 1, -1, 2
#: What is not known is not known to be normal either.
_MISSING = np.uint32(Flag.NOT_FINITE)


@dataclass
class Rows:
    """Values in the order of time.

    Parameters
    ----------
    t : ndarray of int64, shape (n,)
        Start of what the value is of, ns.
    place : ndarray of int64, shape (n,)
        Which of the voltages.
    u : ndarray of float64, shape (n,)
        V.
    flags : ndarray of uint32, shape (n,)
    reference : ndarray of float64, shape (n,)
        V.
    """

    t: np.ndarray
    place: np.ndarray
    u: np.ndarray
    flags: np.ndarray
    reference: np.ndarray

    def __len__(self) -> int:
        return len(self.t)

    def part(self, start: int, stop: int) -> Rows:
        """Rows [start, stop)."""
        return Rows(*(getattr(self, name)[start:stop] for name in ("t", "place", "u", "flags", "reference")))

    @property
    def unknown(self) -> np.ndarray:
        """Values that are missing, or have missing samples."""
        found: np.ndarray = ((self.flags & _MISSING) != 0) | np.isnan(self.u)
        return found


@dataclass(frozen=True)
class Rule:
    """What an event is.

    Parameters
    ----------
    type : str
    start : float
        Share of the reference beyond which it starts.
    end : float
        Share of the reference at which it is over.
    above : bool
        Whether beyond is above.
    every : bool
        Whether it takes all voltages to start it, and one to end it; else the other way round.
    """

    type: str
    start: float
    end: float
    above: bool = False
    every: bool = False


@dataclass
class Event:
    """An event while it is going on, and after.

    Parameters
    ----------
    type : str
    start, end : int or None
        ns.
    reference : float
        V, when it started.
    flags : int
    own : dict of int to list of int or None
        For each voltage that took part: start and end.
    extreme : dict of int to float
        For each voltage: its extreme value, V.
    """

    type: str
    start: int
    reference: float
    end: int | None = None
    flags: int = 0
    own: dict[int, list[int | None]] = field(default_factory=dict)
    extreme: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, state: dict[str, Any]) -> Event:
        """From plain values, where keys are text."""
        numbered = {name: {int(k): v for k, v in state[name].items()} for name in ("own", "extreme")}
        return cls(**{**state, **numbered})

    def row(self, phases: Sequence[str], value: str, above: bool) -> dict[str, Any]:
        """The row of the table `events`; `value` names the column of the extreme value."""
        took_part = sorted(self.own)
        detail = []
        for k in took_part:
            start, end = self.own[k]
            assert start is not None
            detail.append({"phase": phases[k], "t": start, "duration": seconds(start, end), "U": self.extreme.get(k)})
        known = [u for k in took_part if (u := self.extreme.get(k)) is not None]
        extreme = (max(known) if above else min(known)) if known else None
        row = blank(self.type, self.start, seconds(self.start, self.end), self.flags)
        return {**row, "phases": [phases[k] for k in took_part], "U_ref": self.reference, value: extreme, "detail": detail}


def seconds(start: int, end: int | None) -> float | None:
    """From ns to ns, s."""
    return None if end is None else (end - start) / 1e9


def blank(kind: str, start: int, duration: float | None, flags: int) -> dict[str, Any]:
    """A row of the table `events` with nothing but type, time, duration and flags."""
    rest = dict.fromkeys(("U_ref", "U_residual", "U_max", "dU_max", "dU_ss"))
    return {"type": kind, "t": start, "duration": duration, "phases": [], **rest, "flags": int(flags), "detail": [], "snippet": None}


class Watch:
    """Looks out for events of one type.

    Parameters
    ----------
    rule : Rule
    count : int
        Number of voltages.

    Notes
    -----
    The value of a window with missing samples is unknown: it starts and ends nothing. An event of which a
    voltage becomes unknown is incomplete, and over when all of them are.
    """

    def __init__(self, rule: Rule, count: int) -> None:
        self.rule, self.count = rule, count
        self.now: Event | None = None
        self._on = [_NORMAL] * count
        self._fresh = [True] * count

    def beyond(self, rows: Rows) -> np.ndarray:
        """Which values are beyond the threshold."""
        limit = self.rule.start * rows.reference
        return rows.u > limit if self.rule.above else rows.u < limit

    @property
    def calm(self) -> bool:
        """Whether every voltage is known and normal."""
        return self.now is None and not any(self._on)

    def pass_by(self, rows: Rows) -> None:
        """Take note of rows that were found to be normal, while all was calm."""
        if any(self._fresh):
            for k in np.unique(rows.place).tolist():
                self._fresh[k] = False

    def feed(self, rows: Rows) -> list[Event]:
        """The events that end within the rows, in the order of their ends."""
        beyond, unknown = self.beyond(rows), rows.unknown
        if self.calm and not (beyond | unknown).any():
            self.pass_by(rows)
            return []
        done, first = [], 0
        for i, k, state in self._crossings(rows, beyond, unknown):
            was, self._on[k] = self._on[k], state
            vague = state == _BEYOND and (was == _UNKNOWN or (self._fresh[k] and not (rows.place[:i] == k).any()))
            if self.now is not None:
                self._follow(rows.part(first, i))
            first = i
            self._change(k, int(rows.t[i]), float(rows.reference[i]), vague)
            if self.now is not None and self.now.end is not None:
                done.append(self.now)
                self.now = None
        if self.now is not None:
            self._follow(rows.part(first, len(rows)))
        self.pass_by(rows)
        return done

    def _crossings(self, rows: Rows, beyond: np.ndarray, unknown: np.ndarray) -> Iterator[tuple[int, int, int]]:
        """Row, voltage and new state wherever the state of a voltage changes, in order."""
        limit = self.rule.end * rows.reference
        back = rows.u <= limit if self.rule.above else rows.u >= limit
        code = np.where(beyond, _BEYOND, np.where(back, _NORMAL, _HELD))
        code[unknown] = _UNKNOWN
        found = []
        for k in range(self.count):
            mine = np.flatnonzero(rows.place == k)
            if not len(mine):
                continue
            own = code[mine]
            # between the thresholds a voltage stays what it was; after an unknown value that is normal
            last = np.maximum.accumulate(np.where(own != _HELD, np.arange(len(own)), -1))
            state = np.where(last >= 0, own[last], self._on[k])
            state[(state == _UNKNOWN) & (own == _HELD)] = _NORMAL
            changed = np.flatnonzero(state != np.concatenate([[self._on[k]], state[:-1]]))
            found += [(int(mine[j]), k, int(state[j])) for j in changed.tolist()]
        yield from sorted(found)

    def _change(self, k: int, t: int, reference: float, vague: bool) -> None:
        """Voltage k has crossed a threshold at time t."""
        on, event = self._on[k], self.now
        known = [s for s in self._on if s != _UNKNOWN]
        starts = (all(s == _BEYOND for s in known) if self.rule.every else on == _BEYOND) and _BEYOND in known
        if event is None:
            if not starts:
                return
            self.now = event = Event(self.rule.type, t, reference)
            if self.rule.every:
                event.own = {j: [t, None] for j, s in enumerate(self._on) if s == _BEYOND}
                event.flags |= Flag.INCOMPLETE if _UNKNOWN in self._on else 0
        if vague:
            event.flags |= Flag.INCOMPLETE
        if on == _BEYOND:
            event.own.setdefault(k, [t, None])[1] = None
        elif k in event.own:
            event.own[k][1] = t
        if on == _UNKNOWN and k in event.own:
            event.flags |= Flag.INCOMPLETE
        if (on == _NORMAL and self.rule.every) or _BEYOND not in self._on:
            self._close(event, t)

    @staticmethod
    def _close(event: Event, end: int | None) -> None:
        event.end = end
        for own in event.own.values():
            own[1] = end if own[1] is None else own[1]

    def _follow(self, rows: Rows) -> None:
        """Extremes and flags of the event that is going on."""
        event = self.now
        assert event is not None
        if not len(rows):
            return
        event.flags |= int(np.bitwise_or.reduce(rows.flags & ~_MISSING))
        known = ~rows.unknown
        for k in range(self.count):
            values = rows.u[(rows.place == k) & known]
            if len(values):
                value = float(values.max() if self.rule.above else values.min())
                old = event.extreme.get(k, value)
                event.extreme[k] = max(old, value) if self.rule.above else min(old, value)

    def break_off(self, end: int | None) -> Event | None:
        """Nothing is known from here on: the event that is going on ends incomplete, at `end` or nobody knows when."""
        event, self.now = self.now, None
        self._on, self._fresh = [_NORMAL] * self.count, [True] * self.count
        if event is not None:
            event.flags |= Flag.INCOMPLETE | (Flag.GAP if end is not None else 0)
            self._close(event, end)
        return event

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"now": None if self.now is None else asdict(self.now), "on": self._on, "fresh": self._fresh}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.now = None if state["now"] is None else Event.of(state["now"])
        self._on, self._fresh = list(state["on"]), list(state["fresh"])
