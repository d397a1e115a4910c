"""Time stamps of 16 bits, which start again every few rows."""

from __future__ import annotations

import numpy as np

from ._comtrade_dat import RowClock
from ._comtrade_steps import valid

__all__ = ["Unwrapped", "unwrapped"]

_MODULUS = 1 << 16
_CHUNK = 1 << 15
#: Rows looked at first; stamps that start again more rarely are steps among regular ones, and undone as such.
_HEAD = 4096


class Unwrapped:
    """A `RowClock` whose stamps go on where those of another start again.

    Parameters
    ----------
    clock : RowClock
    wraps : ndarray of int64
        Rows whose stamps are the first after a start.
    """

    def __init__(self, clock: RowClock, wraps: np.ndarray) -> None:
        self._clock, self.wraps = clock, wraps
        self.rows, self.places = clock.rows, clock.places

    def stamps(self, start: int, stop: int) -> np.ndarray:
        """Time stamps of rows [start, stop) as float64, NaN where missing."""
        return self._going_on(self._clock.stamps(start, stop), np.arange(start, stop))

    def stamps_at(self, rows: np.ndarray) -> np.ndarray:
        """Time stamps of single rows."""
        return self._going_on(self._clock.stamps_at(rows), rows)

    def _going_on(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        out = values.astype(np.float64)
        out[~valid(values)] = np.nan
        out += _MODULUS * np.searchsorted(self.wraps, rows, side="right")
        return out

    def numbers(self, start: int, stop: int) -> np.ndarray:
        """Sample numbers of rows [start, stop)."""
        return self._clock.numbers(start, stop)


def unwrapped(clock: RowClock) -> Unwrapped | None:
    """The clock with stamps that go on; None where it has not stamps of 16 bits that keep starting again."""
    head = clock.stamps(0, min(clock.rows, _HEAD))
    typical = _step(head)
    if typical is None:
        return None
    found, last, at = [], np.nan, -1
    for start in range(0, clock.rows, _CHUNK):
        stamps = clock.stamps(start, min(start + _CHUNK, clock.rows))
        rows = np.flatnonzero(valid(stamps))
        values = stamps[rows].astype(np.float64)
        if not len(values):
            continue
        if values.max() >= _MODULUS:
            return None
        steps, apart = np.diff(values, prepend=last), np.diff(rows + start, prepend=at)
        back = np.flatnonzero(steps < 0)
        # a wrap is where the clock goes on as usual once 2**16 is added; anything else is no matter of 16 bits
        if (np.abs(steps[back] + _MODULUS - apart[back] * typical) > 0.5 * typical + 1).mean() > 0.1 if len(back) else False:
            return None
        found.append(rows[back] + start)
        last, at = float(values[-1]), int(rows[-1]) + start
    return Unwrapped(clock, np.concatenate(found))


def _step(head: np.ndarray) -> float | None:
    """The usual step of stamps that start again at 2**16, None where they are not of that kind."""
    values = head[valid(head)].astype(np.float64)
    if len(values) < 3 or values.max() >= _MODULUS or values.min() < 0:
        return None
    steps = np.diff(values)
    back = steps < 0
    forward = steps[steps > 0]
    if np.count_nonzero(back) < 2 or not len(forward):
        return None
    typical = float(np.median(forward))
    return typical if np.mean(np.abs(steps[back] + _MODULUS - typical) <= 0.5 * typical + 1) > 0.9 else None
