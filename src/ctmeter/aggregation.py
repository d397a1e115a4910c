"""Aggregation: 10/12-cycle windows to 150/180-cycle, 10-min and 2-h intervals.

References
----------
IEC 61000-4-30:2015
IEC 61000-4-30:2015, annex D
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from ._aggregate_intervals import GROUP, Interval, Sums, Windows, reduce
from ._aggregate_rules import Plan, Rows
from ._aggregate_state import from_bytes, to_bytes
from .errors import InputError
from .quantity import LINES, Flag
from .recording import Wiring
from .settings import Settings

__all__ = ["Aggregator"]

_TICK = 600_000_000_000
#: Windows follow one another when they are no further apart, ns.
_JOINED = 1000
#: Flags that a Pst has for itself.
_PST_ALONE = int(Flag.INCOMPLETE | Flag.SETTLING)
#: A 10-min value waits so long for its Pst, ns after its end.
_GRACE = 3_000_000_000
#: Windows worked on at a time, so that they stay in the cache.
_CHUNK = 512
#: 10-min intervals in 2 h.
_TWELVE = 12
_FLAGS = ("flags", "flags_L1", "flags_L2", "flags_L3")


class Aggregator:
    """Makes the rows of `3s`, `10min` and `2h` of the rows of `basic`.

    Parameters
    ----------
    settings : Settings
        With `nominal_voltage`, under- and over-deviation are told.
    nominal_frequency : float
        50 or 60 Hz.
    wiring : Wiring
    start_ns : int or None
        Time of the first sample; None without a clock: the grid then starts there, and every row is flagged.

    Notes
    -----
    *150/180 cycles*: 15 windows that follow one another without a break. At the 10-min tick the running
    interval is completed by windows on the old grid (`kind` 2), and a new one starts with the first window after
    the tick. *10 min*: the windows that started inside (`kind` 0 and 1), by their actual number; `t` is the tick.
    *2 h*: from the 10-min values, even hours.

    Rms values count each window once (in 2 h each 10-min value), means count by duration, so that P times
    `duration` is the energy. A value that is null in all windows is null; one that is null in some is that of
    the others. `n` is the number of windows, null or not, `duration` the sum of their lengths. An interval is
    incomplete when it has fewer than 15 windows, leaves more uncovered of its ten minutes than a window and the
    cycle with which windows start anew, or has fewer than twelve 10-min values; it is a gap's when time is
    missing between two of its windows. Where there is no window, there is no row.

    Rows are the same to the last bit however the windows are split into calls. Memory does not grow.
    The column `seen` of each row says how many windows (of any kind) had been fed when it was complete.
    """

    def __init__(self, settings: Settings, nominal_frequency: float, wiring: Wiring, start_ns: int | None) -> None:
        self._given = {"settings": settings.to_dict(), "nominal_frequency": nominal_frequency, "wiring": wiring.name, "start_ns": start_ns}
        self._cycles = 10 if nominal_frequency < 55 else 12
        self._clock, self._origin = start_ns is not None, 0
        u_din, nominal = {}, settings.nominal_voltage
        if nominal is not None:
            u_din = dict.fromkeys(wiring.voltages, nominal)
            if wiring.name == "3P4W" and settings.voltages == "line":
                u_din |= dict.fromkeys(LINES, nominal * 3**0.5)
        self._plan, self._columns = Plan((), u_din), set[str]()
        self._running = Windows.none(self._plan)  # of the 150/180-cycle interval that runs
        self._tail: Windows | None = None  # of the one that ran at the tick
        self._interval: Interval | None = None  # the 10 min that run
        self._done: Interval | None = None  # the 10 min that wait for their Pst
        self._two_hours: Interval | None = None
        self._pst: dict[int, dict[str, float]] = {}
        self._end: int | None = None  # of the last window, ns
        self._seen = 0
        self._out: dict[str, list[Rows]] = {}

    def feed(self, basic: Mapping[str, np.ndarray]) -> dict[str, Rows]:
        """Take some more windows.

        Parameters
        ----------
        basic : mapping of str to ndarray
            Rows in the order in which they ended, with `kind` (0: a window; 1: the one running at the tick; 2: one on
            the old grid after the tick) and `t1` (end, ns).

        Returns
        -------
        dict of table to rows
            What became complete: of "3s", "10min", "2h".
        """
        size = len(basic["t"])
        if self._origin:
            basic = {**basic, "t": basic["t"] - self._origin, "t1": basic["t1"] - self._origin}
        for k in range(0, size, _CHUNK):
            self._part({name: values[k : k + _CHUNK] for name, values in basic.items()} if size > _CHUNK else basic)
        return self._taken()

    def feed_pst(self, rows: Mapping[str, np.ndarray]) -> None:
        """Take short-term flicker values, to be fed before the windows that ended at the same time.

        Parameters
        ----------
        rows : mapping
            `t`, start of the 10 min; Pst_*; and where there are any `flags`.
        """
        for k, t in enumerate((rows["t"] - self._origin).tolist()):
            values = {name: float(column[k]) for name, column in rows.items() if name.startswith("Pst_")}
            self._pst[(t + _JOINED) // _TICK] = {**values, "flags": float(rows["flags"][k]) if "flags" in rows else 0.0}
        for slot in sorted(self._pst)[:-_TWELVE]:
            del self._pst[slot]

    def begin(self, start_ns: int | None, origin_ns: int = 0) -> dict[str, Rows]:
        """A new stretch of samples begins; with a clock before and after, intervals go on over it.

        Parameters
        ----------
        start_ns : int or None
            Time of its first sample; None without a clock.
        origin_ns : int
            Without a clock, where the grid starts anew in the times of the rows.

        Returns
        -------
        dict of table to rows
            What the end of the old grid completes.
        """
        if start_ns is not None and self._clock:
            return {}
        out = self.flush()
        self._clock, self._origin = start_ns is not None, 0 if start_ns is not None else origin_ns
        return out

    def flush(self) -> dict[str, Rows]:
        """End of the stream: what has begun is given out as incomplete."""
        self._close_tail(self._seen, Flag.INCOMPLETE)
        self._close_running(self._seen, Flag.INCOMPLETE)
        self._close_interval(self._seen)
        self._release(self._seen)
        self._close_two_hours(self._seen)
        self._end = None
        self._pst = {}
        return self._taken()

    def _part(self, rows: Mapping[str, np.ndarray]) -> None:
        if not self._columns.issuperset(rows):
            self._widen(rows)
        kind, n = rows["kind"], len(rows["t"])
        order = np.arange(self._seen + 1, self._seen + n + 1)
        old_grid: Mapping[str, np.ndarray] = {}
        if (kind == 2).any():
            old_grid = {**{name: values[kind == 2] for name, values in rows.items()}, "seen": order[kind == 2]}
            rows = {name: values[kind < 2] for name, values in rows.items()}
            order, kind = order[kind < 2], kind[kind < 2]
        late = Windows.of(self._plan, old_grid) if old_grid else None
        self._seen += n
        if len(order):
            self._normal({**rows, "seen": order}, kind, late)
        if late is not None:
            if self._tail is None and len(self._running) and abs(int(late.t[0]) - int(self._running.t1[-1])) <= _JOINED:
                # a window ended at the very tick, and that of the new grid has not been seen yet
                self._to_tail(int(late.seen[0]))
            self._complete_tail(late)

    def _normal(self, rows: Mapping[str, np.ndarray], kind: np.ndarray, late: Windows | None) -> None:
        """Windows of the normal grid: between breaks they are worked on all at once."""
        before = len(self._running)
        windows = Windows.of(self._plan, rows, self._running)
        self._running = Windows.none(self._plan)
        t, t1 = windows.t[before:], windows.t1[before:]
        middle = (t + t1) // 2
        slot = np.where(kind == 1, (middle + _TICK // 2) // _TICK - 1, middle // _TICK)
        jump = np.abs(t[1:] - t1[:-1]) > _JOINED
        starts = (np.flatnonzero(jump | (slot[1:] != slot[:-1])) + 1).tolist()
        goes_on = self._interval is not None and self._interval.slot == slot[0] and self._end is not None and abs(int(t[0]) - self._end) <= _JOINED
        if before and not goes_on:
            self._running = windows.part(slice(0, before))
        first = -before if goes_on else 0
        for a, b in zip([first, *starts], [*starts, len(t)], strict=True):
            if a > 0 or not goes_on:
                self._break(int(slot[a]), int(t[a]), int(windows.seen[before + a]), late)
            self._stretch(windows.part(slice(before + a, before + b)), late)
            self._end = int(t1[b - 1])
        if kind[-1] == 1:
            self._to_tail(int(windows.seen[-1]))
            if late is not None:
                self._complete_tail(late)

    def _stretch(self, windows: Windows, late: Windows | None) -> None:
        """Windows that follow one another within ten minutes."""
        whole = len(windows) // GROUP
        if whole:
            done = windows.part(slice(0, GROUP * whole))
            if self._tail is not None:
                if late is not None:
                    self._complete_tail(late)
                self._close_tail(int(done.seen[GROUP - 1]), Flag.GAP | Flag.INCOMPLETE)
            sums = reduce(self._plan, done, whole)
            self._give_three_seconds(sums, done.seen[GROUP - 1 :: GROUP], Flag(0))
            assert self._interval is not None
            self._interval.add(self._plan, sums)
        self._running = windows.part(slice(GROUP * whole, len(windows)), copy=True)
        if self._done is not None:
            over = np.flatnonzero(windows.t >= (self._done.slot + 1) * _TICK + _GRACE)
            if len(over):
                self._release(int(windows.seen[over[0]]))

    def _break(self, slot: int, t: int, seen: int, late: Windows | None) -> None:
        """Before a window that does not follow the last one, or lies in other ten minutes."""
        last = self._interval
        if last is not None and last.slot == slot:
            self._cut(last, seen, late)
            return
        gap = Flag(0)
        if last is not None and self._end is not None:
            if self._end >= (last.slot + 1) * _TICK - _JOINED:
                self._to_tail(seen)
                if late is not None:
                    self._complete_tail(late)
            else:
                self._cut(last, seen, late)
        if self._end is not None and t - slot * _TICK > 1.5 * self._longest_cycle:
            gap = Flag.GAP
        self._close_interval(seen)
        self._interval = Interval.empty(self._plan, slot)
        self._interval.flags |= np.uint32(gap)

    def _cut(self, interval: Interval, seen: int, late: Windows | None) -> None:
        """Time is missing: nothing that runs can be completed."""
        interval.flags |= np.uint32(Flag.GAP)
        if late is not None:
            self._complete_tail(late)
        self._close_tail(seen, Flag.GAP | Flag.INCOMPLETE)
        self._close_running(seen, Flag.GAP | Flag.INCOMPLETE)

    @property
    def _longest_cycle(self) -> float:
        """Of the frequencies that are measured, ns."""
        return 1e9 / (42.5 if self._cycles == 10 else 51.0)

    def _to_tail(self, seen: int) -> None:
        """The tick: the running 150/180-cycle interval waits for its windows on the old grid; the ten minutes are over."""
        self._close_tail(seen, Flag.GAP | Flag.INCOMPLETE)
        if len(self._running):
            assert self._interval is not None
            self._interval.add(self._plan, reduce(self._plan, self._running, 1))
            self._tail, self._running = self._running, Windows.none(self._plan)
        self._close_interval(seen)

    def _complete_tail(self, late: Windows) -> None:
        tail = self._tail
        if tail is None:
            return
        taken: list[int] = []
        end = int(tail.t1[-1])
        for k in np.flatnonzero(late.t >= end - _JOINED).tolist():
            if len(tail) + len(taken) < GROUP and abs(int(late.t[k]) - end) <= _JOINED:
                taken.append(k)
                end = int(late.t1[k])
        if taken:
            self._tail = tail = Windows.joined(tail, late.part(np.array(taken)))
        if len(tail) == GROUP:
            self._close_tail(int(tail.seen[-1]), Flag(0))

    def _close_tail(self, seen: int, flags: Flag) -> None:
        tail, self._tail = self._tail, None
        if tail is not None:
            self._give_three_seconds(reduce(self._plan, tail, 1), np.array([seen]), flags)

    def _close_running(self, seen: int, flags: Flag) -> None:
        """The running 150/180-cycle interval ends early."""
        running, self._running = self._running, Windows.none(self._plan)
        if len(running):
            sums = reduce(self._plan, running, 1)
            self._give_three_seconds(sums, np.array([seen]), flags)
            if self._interval is not None:
                self._interval.add(self._plan, sums)

    def _give_three_seconds(self, sums: Sums, seen: np.ndarray, flags: Flag) -> None:
        self._give("3s", sums.t, sums, seen, np.uint32(flags))

    def _give(self, table: str, t: np.ndarray, sums: Sums, seen: np.ndarray, flags: np.uint32, more: Mapping[str, np.ndarray] | None = None) -> None:
        bits = sums.flags | flags | np.uint32(0 if self._clock else Flag.NO_CLOCK)
        rows: Rows = {"t": t + self._origin, "duration": sums.duration, "n": sums.n, **dict(zip(_FLAGS, bits, strict=True)), "seen": seen}
        rows |= self._plan.read_terms(sums.sums, sums.weights)
        if table == "3s":
            rows = {name: values for name, values in rows.items() if not name.startswith(("under_", "over_"))}
        rows |= self._plan.read_extremes(sums.smallest, sums.largest, table != "3s")
        rows |= self._plan.read_lists(sums.lists, sums.list_weights)
        self._out.setdefault(table, []).append({**rows, **(more or {})})

    def _close_interval(self, seen: int) -> None:
        """The ten minutes are over; their row waits for its Pst."""
        interval, self._interval = self._interval, None
        if interval is None or not interval.n:
            return
        self._release(seen)
        over = max(interval.end - (interval.slot + 1) * _TICK, 0)
        missing = _TICK - (interval.covered - over)
        if missing > interval.covered / interval.n * (1 + 1 / self._cycles):
            interval.flags |= np.uint32(Flag.INCOMPLETE)
        self._done = interval

    def _release(self, seen: int) -> None:
        """Give out the 10-min row that waits, and add it to the two hours."""
        done, self._done = self._done, None
        if done is None:
            return
        pst = self._pst.pop(done.slot, {})
        # that the flickermeter has not seen all ten minutes says nothing of the other quantities
        done.flags |= np.uint32(int(pst.pop("flags", 0)) & ~_PST_ALONE)
        done.pst = pst
        more = {name: np.array([value]) for name, value in pst.items()}
        self._give("10min", np.array([done.slot * _TICK]), done.as_sums(), np.array([seen]), np.uint32(0), more)
        if self._two_hours is not None and self._two_hours.slot != done.slot // _TWELVE:
            self._close_two_hours(seen)
        if self._two_hours is None:
            self._two_hours = Interval.empty(self._plan, done.slot // _TWELVE)
        self._two_hours.add_interval(self._plan, done)
        if done.slot % _TWELVE == _TWELVE - 1:
            self._close_two_hours(seen)

    def _close_two_hours(self, seen: int) -> None:
        two, self._two_hours = self._two_hours, None
        if two is None:
            return
        more = {}
        for name, (cubes, count) in two.pst_cubes.items():
            more[name] = np.array([np.cbrt(cubes / count)])
            if count == _TWELVE:
                more[f"Plt_{name.removeprefix('Pst_')}"] = more[name]
        flags = np.uint32(Flag.INCOMPLETE if two.parts < _TWELVE else 0)
        self._give("2h", np.array([two.slot * _TWELVE * _TICK]), two.as_sums(), np.array([seen]), flags, more)

    def _widen(self, rows: Mapping[str, np.ndarray]) -> None:
        """Columns that were not there before: null so far."""
        self._columns |= rows.keys()
        old, new = self._plan, Plan(self._columns, self._plan.u_din)
        if new.present == old.present:
            return
        self._plan = new
        self._running = self._running.under(old, new)
        self._tail = self._tail and self._tail.under(old, new)
        for interval in (self._interval, self._done, self._two_hours):
            if interval is not None:
                interval.put_under(old, new)

    def _taken(self) -> dict[str, Rows]:
        out, self._out = self._out, {}
        return {table: pieces[0] if len(pieces) == 1 else _joined(pieces) for table, pieces in out.items()}

    def snapshot(self) -> bytes:
        """The whole state, for `restore`; rows that were not returned yet are none of it."""
        intervals = {"interval": self._interval, "done": self._done, "two_hours": self._two_hours}
        state: dict[str, Any] = {
            "given": self._given,
            "columns": sorted(self._columns),
            "running": vars(self._running),
            "tail": self._tail and vars(self._tail),
            "pst": [[slot, values] for slot, values in self._pst.items()],
            "grid": [self._clock, self._origin, self._end, self._seen],
            **{name: interval and vars(interval) for name, interval in intervals.items()},
        }
        return to_bytes(state)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        """An aggregator that goes on where `snapshot` was made.

        Raises
        ------
        InputError
            Not a snapshot of this version.
        """
        try:
            given = (s := from_bytes(state))["given"]
            made = cls(Settings.from_dict(given["settings"]), given["nominal_frequency"], Wiring(given["wiring"]), given["start_ns"])
            made._columns = set(s["columns"])
            made._plan = Plan(made._columns, made._plan.u_din)
            made._running = Windows(**s["running"])
            made._tail = s["tail"] and Windows(**s["tail"])
            made._interval, made._done, made._two_hours = (s[k] and Interval(**s[k]) for k in ("interval", "done", "two_hours"))
            made._pst = {slot: values for slot, values in s["pst"]}
            made._clock, made._origin, made._end, made._seen = s["grid"]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(f"snapshot: {error}", expected="one of this version") from None
        return made


def _joined(pieces: list[Rows]) -> Rows:
    """Rows one after the other; columns that some do not have are NaN there."""
    names = {name: values for piece in pieces for name, values in piece.items()}
    sizes = [len(piece["t"]) for piece in pieces]
    return {
        name: np.concatenate([
            piece[name] if name in piece else np.full((size, *like.shape[1:]), np.nan, like.dtype)
            for piece, size in zip(pieces, sizes, strict=True)
        ])
        for name, like in names.items()
    }  # fmt: skip
