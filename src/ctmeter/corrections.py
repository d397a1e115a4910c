"""Known errors of transformers and inputs taken out of the samples before they are measured.

A gain and a delay are constants of a channel. The ratio and phase error of a current transformer depend on the
current: there the samples are divided by the errors at the smoothed rms around them. In a steady current
that is exact at every point of the curve, and between points the errors run straight over the current's logarithm.

References
----------
IEC 61869-2:2012
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from .errors import InputError
from .recording import Channel, scaled

__all__ = ["Corrector", "corrected_channels", "curves_of"]

#: Samples corrected at once, from multiples of it on, so that no split of the input changes a bit.
_PAGE = 4096
#: Cycles on either side that turn a signal by a quarter, and over which its rms is smoothed.
_REACH, _SMOOTH = 3, 2
#: Shape of the Kaiser window: 80 dB.
_BETA = 0.1102 * (80.0 - 8.7)


def corrected_channels(channels: Sequence[Channel], corrections: Mapping[str, Mapping[str, Any]]) -> tuple[Channel, ...]:
    """Channels whose scale and skew hold the constant parts of corrections.

    Parameters
    ----------
    channels : sequence of Channel
    corrections : mapping of role to table
        `gain`, a factor, and `delay`, s by which the channel is sampled later than its frame.
    """
    made = []
    for c in channels:
        table = corrections.get(c.role or "", {})
        gain = table.get("gain", 1.0)
        made.append(replace(c, scale=c.scale * gain, offset=c.offset * gain, skew=c.skew + table.get("delay", 0.0)))
    return tuple(made)


def curves_of(channels: Sequence[Channel], corrections: Mapping[str, Mapping[str, Any]]) -> dict[int, np.ndarray]:
    """The curves, (n, 3): A, %, minutes of arc, by the column of their channel."""
    tables = {k: corrections.get(c.role or "", {}) for k, c in enumerate(channels)}
    return {k: np.array(table["curve"], float) for k, table in tables.items() if table.get("curve")}


class Corrector:
    """Takes errors that depend on the current out of a stream of frames.

    Parameters
    ----------
    channels : sequence of Channel
    curves : mapping of column to ndarray, shape (n, 3)
        A, ratio error in %, phase error in minutes of arc, the signal leading.
    sample_rate, nominal : float
        Hz.

    Notes
    -----
    A phase error is the same at every frequency. Frames come out some cycles later than they went in, in V and A.
    """

    def __init__(self, channels: Sequence[Channel], curves: Mapping[int, np.ndarray], sample_rate: float, nominal: float) -> None:
        self._given = tuple(channels)
        self._curves = dict(curves)
        self._cycle = max(round(sample_rate / nominal), 2)
        self._reach = _REACH * self._cycle
        # a power of two, so that pages begin on the grid of the smoothed rms
        self._hop = min(2 ** max(int(math.log2(self._cycle / 8)), 0), _PAGE) if self._cycle >= 8 else 1
        self._begin()

    def _begin(self) -> None:
        """A run begins: nothing is held."""
        self._held = np.empty((0, len(self._given)))
        self._first = self._next = 0

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of what comes out: V and A, missing samples NaN."""
        made = []
        for c in self._given:
            low, high = (None, None) if c.range is None else sorted(x * c.scale + c.offset for x in c.range)
            made.append(replace(c, scale=1.0, offset=0.0, missing=None, range=None if low is None or high is None else (low, high)))
        return tuple(made)

    def feed(self, raw: np.ndarray) -> np.ndarray:
        """Take raw frames; give those that can be corrected, float64, shape (n, columns), V and A."""
        self._held = np.concatenate([self._held, scaled(raw, self._given)])
        out = []
        while self._first + len(self._held) >= self._next + _PAGE + self._reach:
            out.append(self._page(_PAGE, self._around(self._next - self._reach, self._next + _PAGE + self._reach)))
        return np.concatenate(out) if out else np.empty((0, len(self._given)))

    def flush(self) -> np.ndarray:
        """The run has ended; give what is left of it."""
        end = self._first + len(self._held)
        out = []
        while self._next < end:
            count = min(_PAGE, end - self._next)
            out.append(self._page(count, self._around(self._next - self._reach, self._next + count + self._reach)))
        self._begin()
        return np.concatenate(out) if out else np.empty((0, len(self._given)))

    def _around(self, a: int, b: int) -> np.ndarray:
        """Frames [a, b) of the run; before its first and after its last one, whole cycles repeat."""
        at = np.arange(a, b)
        end = self._first + len(self._held)
        cycle = min(self._cycle, len(self._held))
        at = np.where(at < 0, at % cycle, at)
        at = np.where(at >= end, end - cycle + (at - end) % cycle, at)
        return self._held[at - self._first]

    def _page(self, count: int, around: np.ndarray) -> np.ndarray:
        """Correct the next `count` frames; `around` has `_reach` more on either side."""
        reach = self._reach
        out = around[reach : reach + count].copy()
        for column, curve in self._curves.items():
            x = around[:, column]
            missing = np.isnan(x)
            x = np.where(missing, 0.0, x)
            ratio, phase = self._errors(curve, x, count)
            turned = _turned(x, self._cycle)[reach : reach + count]
            value = (x[reach : reach + count] * np.cos(phase) + turned * np.sin(phase)) / (1 + ratio)
            limits = self._given[column].range
            keep = missing[reach : reach + count]
            if limits is not None:
                # a saturated sample stays as it is, to be known as one
                low, high = sorted(v * self._given[column].scale + self._given[column].offset for v in limits)
                keep = keep | (out[:, column] <= low) | (out[:, column] >= high)
            out[:, column] = np.where(keep, out[:, column], value)
        self._next += count
        drop = max(self._next - reach - self._cycle - self._first, 0)
        self._held, self._first = self._held[drop:], self._first + drop
        return out

    def _errors(self, curve: np.ndarray, x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Ratio error and phase error, rad, at each of the inner frames, by the smoothed rms around them."""
        half, hop = _SMOOTH * self._cycle, self._hop
        weights = np.hanning(2 * half + 1)
        inner = x[self._reach - half :]
        hops = -(-count // hop) + 1
        square = np.concatenate([inner * inner, np.zeros(max((hops - 1) * hop + 2 * half + 1 - len(inner), 0))])
        windows = np.lib.stride_tricks.sliding_window_view(square, 2 * half + 1)[: (hops - 1) * hop + 1 : hop]
        mean = np.sqrt((windows * weights).sum(axis=1) / weights.sum())
        where = np.log(np.maximum(mean, 1e-12))
        nodes = np.log(curve[:, 0])
        at, grid = np.arange(count), np.arange(hops) * hop
        ratio = np.interp(at, grid, np.interp(where, nodes, curve[:, 1])) / 100
        phase = np.radians(np.interp(at, grid, np.interp(where, nodes, curve[:, 2])) / 60)
        return ratio, phase

    def snapshot(self) -> bytes:
        """The whole state, for `restore`."""
        head = json.dumps([self._first, self._next, *self._held.shape]).encode()
        return struct.pack("<Q", len(head)) + head + self._held.tobytes()

    def restore(self, state: bytes) -> None:
        """Go on where `snapshot` was made.

        Raises
        ------
        InputError
            Not a snapshot of such a corrector.
        """
        try:
            (size,) = struct.unpack_from("<Q", state)
            self._first, self._next, n, columns = json.loads(state[8 : 8 + size])
            held = np.frombuffer(state[8 + size :]).reshape(n, columns).copy()
        except (struct.error, ValueError, TypeError) as error:
            raise InputError(f"snapshot: {error}", expected="one of this version") from None
        if columns != len(self._given):
            raise InputError(f"snapshot: {columns} columns", expected=f"{len(self._given)}")
        self._held = held


@lru_cache(maxsize=8)
def _quarter(cycle: int) -> np.ndarray:
    """Taps that turn a signal by a quarter of a cycle at every frequency, `_REACH` cycles on either side."""
    n = np.arange(-_REACH * cycle, _REACH * cycle + 1)
    taps = np.zeros(len(n))
    odd = n % 2 == 1
    taps[odd] = 2 / (np.pi * n[odd]) * np.kaiser(len(n), _BETA)[odd]
    return taps


def _turned(x: np.ndarray, cycle: int) -> np.ndarray:
    """The signal a quarter of a cycle later; wrong within `_REACH` cycles of the ends."""
    taps = _quarter(cycle)
    size = 2 ** math.ceil(math.log2(len(x) + len(taps)))
    both = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(taps, size), size)
    middle = len(taps) // 2
    turned: np.ndarray = both[middle : middle + len(x)]
    return turned
