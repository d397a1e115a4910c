"""The course of the mains signalling voltage in time, from which the pulses of a telegram can be read.

Complex demodulation at the signalling frequency, every half cycle of nominal mains frequency, by a Hann
window of four cycles: two at half height, so that a value is the rms over two cycles around its time. The
kernel has zeros at the fundamental and at the harmonics near the signalling frequency, double ones where they
are far enough away, so that they hold for a mains frequency off nominal too. A harmonic within 10 Hz of the
signalling frequency cannot be told from it within that time and stays in the values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._dsp import LARGEST
from ..measurements import LABELS, Columns
from ..quantity import Flag
from ..recording import Channel, Timebase, Wiring, scaled
from ..settings import Settings
from .columns import concatenate
from .state import dumps, loads

__all__ = ["Tracer"]

_VERSION = 1
#: Half the length of the kernel, nominal cycles.
_HALF = 2
#: Harmonics have a zero from this distance to the signalling frequency on, a double one from the next; beyond the last the window does, Hz.
_ZERO, _DOUBLE, _REACH = 10.0, 25.0, 250.0


def _kernel(frequency: float, nominal_frequency: float, sample_rate: float) -> np.ndarray:
    """Factors of the samples around a time, shape (2, n), whose sums are the parts of the rms phasor at `frequency`.

    Of all kernels with these zeros that of least squares against the window, of unit gain at `frequency`.
    """
    half = round(_HALF * sample_rate / nominal_frequency)
    k = np.arange(-half, half + 1)
    window = np.cos(np.pi / 2 * k / (half + 1)) ** 2

    def tone(f: float) -> np.ndarray:
        made: np.ndarray = np.exp(2j * np.pi * f / sample_rate * k)
        return made

    known = [tone(frequency), tone(-frequency)]
    last = int((frequency + _REACH) / nominal_frequency)
    for order in range(-last, last + 1):
        f = order * nominal_frequency
        # what lies beyond half the sample rate would be an alias of something else
        if (abs(order) > 1 and abs(f - frequency) > _REACH) or abs(f) >= sample_rate / 2 - _ZERO or abs(f - frequency) < _ZERO:
            continue
        known += [tone(f), k / half * tone(f)] if abs(f - frequency) >= _DOUBLE else [tone(f)]
    basis = np.stack(known, axis=1)
    weighted = window[:, None] * basis
    gain = np.zeros(basis.shape[1])
    gain[0] = 1.0
    kernel = 2**0.5 * (weighted @ np.linalg.solve(basis.conj().T @ weighted, gain)).conj()
    return np.stack([kernel.real, kernel.imag])


class Tracer:
    """Follows the signalling voltage through the samples of one stretch without a change of rate.

    Parameters
    ----------
    settings : Settings
        With `signalling_frequency`; a gain of `corrections` counts.
    nominal_frequency : float
        Hz.
    wiring : Wiring
    channels : sequence of Channel
        One for each column of the blocks; voltages that were not measured themselves have no rows.
    timebase : Timebase

    Notes
    -----
    The same for any split into blocks. Times whose window is not whole, at the ends and beside gaps, have no rows.
    """

    def __init__(self, settings: Settings, nominal_frequency: float, wiring: Wiring, channels: Sequence[Channel], timebase: Timebase) -> None:
        frequency = settings.signalling_frequency or 0.0
        self._timebase = timebase
        self._columns = [k for k, c in enumerate(channels) if c.role and c.role[0] == "U" and c.role[2:] in wiring.voltages]
        self._channels = [channels[k] for k in self._columns]
        roles = [str(c.role) for c in self._channels]
        self._labels = np.array([LABELS.index(role) for role in roles], np.int8)
        self._gains = np.array([settings.corrections.get(role, {}).get("gain", 1.0) for role in roles])
        self._step = timebase.sample_rate / nominal_frequency / 2
        self._carried = frequency < timebase.sample_rate / 2 - _ZERO
        self._half = round(_HALF * timebase.sample_rate / nominal_frequency)
        self._kernel = _kernel(frequency, nominal_frequency, timebase.sample_rate) if self._carried else np.zeros((2, 2 * self._half + 1))
        self._flags = (Flag.NO_CLOCK if timebase.start_ns is None else 0) | (0 if self._carried else Flag.LOW_RATE)
        #: Number of the next time, the first sample kept, and the samples from there on, V.
        self._next, self._first = 0, 0
        self._kept = np.zeros((0, len(self._columns)))
        self._rows: list[Columns] = []
        self._skip()

    def _centre(self) -> int:
        return round(self._next * self._step)

    def _skip(self) -> None:
        """Go on to the first time whose window begins with the samples kept, or later."""
        self._next = max(self._next, int((self._first + self._half) / self._step))
        while self._centre() - self._half < self._first:
            self._next += 1

    def feed(self, block: np.ndarray) -> None:
        """Look at more samples."""
        if not self._columns:
            return
        values = scaled(block[:, self._columns], self._channels) * self._gains
        values[~(np.abs(values) < LARGEST)] = np.nan
        self._kept = np.concatenate([self._kept, values])
        stop = self._first + len(self._kept)
        times, found = [], []
        while (centre := self._centre()) + self._half < stop:
            begin = centre - self._half - self._first
            # by itself and from memory of its own, so that every bit is the same for any split
            parts = self._kernel @ self._kept[begin : begin + 2 * self._half + 1].copy()
            times.append(self._timebase.ns(centre))
            found.append(np.hypot(parts[0], parts[1]))
            self._next += 1
        drop = min(max(self._centre() - self._half - self._first, 0), len(self._kept))
        self._kept, self._first = self._kept[drop:].copy(), self._first + drop
        if times:
            self._add(times, np.concatenate(found))

    def _add(self, times: list[int], values: np.ndarray) -> None:
        count = len(self._columns)
        flags = np.where(np.isnan(values), self._flags | Flag.NOT_FINITE, self._flags).astype(np.uint32)
        values = values if self._carried else np.full_like(values, np.nan)
        rows: Columns = {"t": np.repeat(np.array(times, np.int64), count), "channel": np.tile(self._labels, len(times))}
        rows |= {"U": values, "flags": flags}
        self._rows.append(rows)

    def gap(self, samples: int) -> None:
        """Samples are missing."""
        self._first += len(self._kept) + samples
        self._kept = self._kept[:0]
        self._skip()

    def take(self) -> Columns:
        """Rows of the table `signalling` since the last call."""
        rows, self._rows = concatenate(self._rows), []
        return rows

    def snapshot(self) -> bytes:
        """The whole state, for `restore`; rows are to be taken before."""
        return dumps({"version": _VERSION, "next": self._next, "first": self._first, "kept": self._kept})

    def restore(self, snapshot: bytes) -> None:
        """Go on where `snapshot` was made, with the same settings, channels and timebase.

        Raises
        ------
        InputError
            Not a snapshot of this version.
        """
        state = loads(snapshot, _VERSION)
        self._next, self._first, self._kept = state["next"], state["first"], state["kept"]
