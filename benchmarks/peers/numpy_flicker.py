"""A flickermeter of SciPy's filters, on voltages of a low rate.

References
----------
IEC 61000-4-15:2010, 5.3 to 5.7
"""

from __future__ import annotations

import numpy as np
from scipy.signal import bilinear, butter, freqz_sos, sosfilt, tf2sos

#: Output values kept for statistics: every so-manieth.
KEPT = 4
#: Seconds from the start that are not counted.
START_S = 8.0


class Flickermeter:
    """Instantaneous sensation of the rows it is fed, 230 V lamp at 50 Hz."""

    def __init__(self, rate: float, rows: int) -> None:
        self.rate = rate
        decay, w1, w2, w3, w4 = (2 * np.pi * x for x in (4.05981, 9.15494, 2.27979, 1.22535, 21.9))
        b = np.polymul([1.74802 * w1, 0], [1 / w2, 1])
        a = np.polymul([1, 2 * decay, w1**2], np.polymul([1 / w3, 1], [1 / w4, 1]))
        weighting = tf2sos(*bilinear(b, a, rate))
        band = np.vstack([butter(1, 0.05, "high", fs=rate, output="sos"), butter(6, 35, fs=rate, output="sos")])
        self.filters = np.vstack([band, weighting])
        self.memory = np.array([[-np.expm1(-1 / (0.3 * rate)), 0, 0, 1, -np.exp(-1 / (0.3 * rate)), 0]])
        self.level = np.array([[-np.expm1(-1 / (27.3 * rate)), 0, 0, 1, -np.exp(-1 / (27.3 * rate)), 0]])
        # a change of 0.25 % at 8.8 Hz shall make 1
        gain = abs(freqz_sos(self.filters, worN=[8.8], fs=rate)[1][0])
        ripple = 1 + 1 / np.hypot(1, 4 * np.pi * 8.8 * 0.3)
        self.scale = 2 / (0.0025 * gain) ** 2 / ripple
        self.filtered = np.zeros((len(self.filters), rows, 2))
        self.remembered = np.zeros((1, rows, 2))
        self.levelled: np.ndarray | None = None

    def feed(self, u: np.ndarray) -> np.ndarray:
        """The sensation at every sample, (rows, n)."""
        square = u * u
        if self.levelled is None:
            # begin as if what follows had always been
            cycles = int(self.rate) // 50 * 50
            self.levelled = np.exp(-1 / (27.3 * self.rate)) * np.repeat(square[:, :cycles].mean(1)[None, :, None], 2, axis=2) * [1, 0]
        mean, self.levelled = sosfilt(self.level, square, zi=self.levelled)
        square /= mean
        square -= 1
        weighted, self.filtered = sosfilt(self.filters, square, zi=self.filtered)
        sensation, self.remembered = sosfilt(self.memory, np.square(weighted), zi=self.remembered)
        return sensation * self.scale


def short_term(sensation: np.ndarray) -> np.ndarray:
    """Pst of the rows of an interval."""
    p = np.percentile(sensation, 100 - np.array([0.1, 0.7, 1, 1.5, 2.2, 3, 4, 6, 8, 10, 13, 17, 30, 50, 80]), axis=-1)
    smooth = (p[0], p[1:4].mean(0), p[4:7].mean(0), p[7:12].mean(0), p[12:].mean(0))
    return np.sqrt(np.tensordot([0.0314, 0.0525, 0.0657, 0.28, 0.08], np.array(smooth), 1))
