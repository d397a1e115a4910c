"""Rapid voltage changes: from one steady state to another without a dip or swell.

A voltage is steady while each of its last 100 (50 Hz) or 120 (60 Hz) values of Urms(1/2) lies
within the threshold of their mean, the system while all voltages are. A change starts with the
first value that ends the steady state; from then on (and before the first steady state) the threshold is
reduced by the hysteresis of half of it, until the system is steady again. Its duration is the time between, less 100 or 120
half cycles; dU_max is the largest distance of a value from the mean before, until the system is
steady again; dU_ss the distance of the means before and after; of several voltages the largest
counts. A change during which a value crosses the threshold of dips or swells is none.

References
----------
IEC 61000-4-30:2015
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..quantity import Flag
from .polyphase import Rows, blank, seconds

__all__ = ["HYSTERESIS", "RapidChanges"]

#: Hysteresis, of the threshold.
HYSTERESIS = 0.5
_WAITING, _STEADY, _CHANGING = "waiting", "steady", "changing"


@dataclass
class _Change:
    start: int
    before: list[float]
    largest: list[float]
    unsteady: list[bool]
    flags: int = 0
    spoilt: bool = False


@dataclass
class _Seen:
    """What the last values of its voltage say at each row, and what those of every voltage said before the first."""

    full: np.ndarray  #: steady
    reduced: np.ndarray  #: steady by the reduced threshold
    mean: np.ndarray
    before: np.ndarray  #: the mean one value earlier
    leaving: np.ndarray  #: time of the value before those of the mean
    first: list[tuple[bool, float]]  #: steady by the reduced threshold, mean


class RapidChanges:
    """Looks out for rapid voltage changes.

    Parameters
    ----------
    threshold : float
        Of nominal.
    nominal : float
        V.
    length : int
        Values of the steady state.
    phases : sequence of str
        Names of the voltages.
    """

    def __init__(self, threshold: float, nominal: float, length: int, phases: Sequence[str]) -> None:
        self._threshold, self._nominal, self._length = threshold * nominal, nominal, length
        self._phases, self._count = tuple(phases), len(phases)
        self.now: _Change | None = None
        self._reset()

    def _reset(self) -> None:
        self._state = _WAITING
        self._last = [np.zeros(0)] * self._count
        self._last_t = [np.zeros(0, np.int64)] * self._count

    def feed(self, rows: Rows, beyond: np.ndarray) -> list[dict[str, Any]]:
        """The changes that end within the rows, as rows of the table `events`.

        Parameters
        ----------
        rows : Rows
        beyond : ndarray of bool
            Values beyond the threshold of dips or swells.
        """
        unknown = rows.unknown
        if not unknown.any():
            return self._known(rows, beyond)
        done, first = [], 0
        for stop in [*np.flatnonzero(unknown).tolist(), len(rows)]:
            # between two unknown values too near to each other nothing gets steady
            if stop > first and (first == 0 or stop - first >= self._length or stop == len(rows)):
                done += self._known(rows.part(first, stop), beyond[first:stop])
            if stop < len(rows):
                change = self.break_off()
                done += [] if change is None else [change]
            first = stop + 1
        return done

    def _known(self, rows: Rows, beyond: np.ndarray) -> list[dict[str, Any]]:
        mine = [np.flatnonzero(rows.place == k) for k in range(self._count)]
        values = [np.concatenate([self._last[k], rows.u[m]]) for k, m in enumerate(mine)]
        times = [np.concatenate([self._last_t[k], rows.t[m]]) for k, m in enumerate(mine)]
        done: list[dict[str, Any]] = []
        calm = self._state == _STEADY and all(np.ptp(v) <= self._threshold for v in values)
        hopeless = self._state == _WAITING and any(len(v) < self._length for v in values)
        if not (calm or hopeless):
            done = self._walk(rows, beyond, self._look(rows, mine, values, times))
        self._last, self._last_t = [v[-self._length :] for v in values], [t[-self._length :] for t in times]
        return done

    def _look(self, rows: Rows, mine: list[np.ndarray], values: list[np.ndarray], times: list[np.ndarray]) -> _Seen:
        n, length = len(rows), self._length
        none = np.full(n, np.nan)
        first = [(False, float("nan"))] * self._count
        seen = _Seen(np.zeros(n, bool), np.zeros(n, bool), none.copy(), none.copy(), rows.t.copy(), first)
        for k, m in enumerate(mine):
            old, runs = len(values[k]) - len(m), len(values[k]) - length + 1
            if runs <= 0:
                continue
            # each sum in the same order, whatever the split
            total, low, high = (values[k][:runs].copy() for _ in range(3))
            for j in range(1, length):
                part = values[k][j : j + runs]
                total += part
                np.minimum(low, part, out=low)
                np.maximum(high, part, out=high)
            mean = total / length
            far = np.maximum(high - mean, mean - low)
            full, reduced = far <= self._threshold, far <= (1 - HYSTERESIS) * self._threshold
            # the rows with which the runs end; the first run may end before them
            ends = m[max(length - 1 - old, 0) :]
            if old == length:
                first[k] = (bool(reduced[0]), float(mean[0]))
            skip = runs - len(ends)
            seen.full[ends], seen.reduced[ends], seen.mean[ends] = full[skip:], reduced[skip:], mean[skip:]
            later = ends[1 - skip :]
            seen.before[later], seen.leaving[later] = mean[:-1], times[k][: runs - 1]
        return seen

    def _walk(self, rows: Rows, beyond: np.ndarray, seen: _Seen) -> list[dict[str, Any]]:
        done: list[dict[str, Any]] = []
        at, n = 0, len(rows)
        steady = self._together(rows, seen.reduced, [f[0] for f in seen.first])
        while at < n:
            wanted = (~seen.full if self._state == _STEADY else steady)[at:]
            stop = at + int(wanted.argmax()) if wanted.any() else n
            if self.now is not None:
                self._follow(rows.part(at, min(stop + 1, n)), beyond[at : stop + 1], seen.full[at : stop + 1])
            if stop == n:
                break
            k, t = int(rows.place[stop]), int(rows.t[stop])
            if self._state == _STEADY:
                before = [self._mean(rows, seen, j, stop) for j in range(self._count)]
                before[k] = float(seen.before[stop])
                self.now = _Change(t, before, [0.0] * self._count, [False] * self._count)
                self._follow(rows.part(stop, stop + 1), beyond[stop : stop + 1], seen.full[stop : stop + 1])
            elif self.now is not None:
                after = [self._mean(rows, seen, j, stop + 1) for j in range(self._count)]
                row = self._row(self.now, int(seen.leaving[stop]), after)
                done += [] if row is None else [row]
                self.now = None
            self._state = _CHANGING if self._state == _STEADY else _STEADY
            at = stop + 1
        return done

    @staticmethod
    def _mean(rows: Rows, seen: _Seen, k: int, stop: int) -> float:
        """The mean of voltage k before row `stop`."""
        mine = np.flatnonzero(rows.place[:stop] == k)
        return float(seen.mean[mine[-1]]) if len(mine) else seen.first[k][1]

    def _together(self, rows: Rows, steady: np.ndarray, first: list[bool]) -> np.ndarray:
        """Whether all voltages are steady, by the last value of each, at each row."""
        result = np.ones(len(rows), bool)
        for k in range(self._count):
            last = np.maximum.accumulate(np.where(rows.place == k, np.arange(len(rows)), -1))
            result &= np.where(last >= 0, steady[last], first[k])
        return result

    def _follow(self, rows: Rows, beyond: np.ndarray, full: np.ndarray) -> None:
        change = self.now
        assert change is not None
        change.spoilt |= bool(beyond.any())
        change.flags |= int(np.bitwise_or.reduce(rows.flags))
        for k in range(self._count):
            own = rows.place == k
            if own.any():
                change.largest[k] = max(change.largest[k], float(np.abs(rows.u[own] - change.before[k]).max()))
                change.unsteady[k] |= not bool(full[own].all())

    def _row(self, change: _Change, end: int | None, after: list[float] | None) -> dict[str, Any] | None:
        if change.spoilt:
            return None
        took_part = [k for k in range(self._count) if change.unsteady[k]]
        duration = None if end is None else max(seconds(change.start, end) or 0.0, 0.0)
        row = blank("rvc", change.start, duration, change.flags | (Flag.INCOMPLETE if end is None else 0))
        row["U_ref"], row["phases"] = self._nominal, [self._phases[k] for k in took_part]
        row["dU_max"] = max(change.largest)
        row["dU_ss"] = None if after is None else max(abs(a - b) for a, b in zip(after, change.before, strict=True))
        row["detail"] = [{"phase": self._phases[k], "t": change.start, "duration": duration, "U": change.largest[k]} for k in took_part]
        return row

    def break_off(self) -> dict[str, Any] | None:
        """Nothing is known from here on: a change that is going on stays open."""
        change, self.now = self.now, None
        self._reset()
        return None if change is None else self._row(change, None, None)

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "now": None if self.now is None else asdict(self.now),
            "state": self._state,
            "last": self._last,
            "last_t": self._last_t,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.now = None if state["now"] is None else _Change(**state["now"])
        self._state, self._last, self._last_t = state["state"], list(state["last"]), list(state["last_t"])
