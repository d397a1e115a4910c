"""The flickermeter by its blocks, at the full sample rate, and the statistics by sorting.

References
----------
IEC 61000-4-15:2010, 5.3 to 5.7
"""

from __future__ import annotations

import numpy as np
from scipy import signal

#: k, lambda, w1, w2, w3, w4 of the weighting filter (Hz but k), and what makes Pinst 1 at the reference point.
LAMPS = {
    230: (1.74802, 4.05981, 9.15494, 2.27979, 1.22535, 21.9, 309.5e3),
    120: (1.6357, 4.167375, 9.077169, 2.939902, 1.394468, 17.31512, 307.6e3),
}


def modulated(f: float, change: float, modulation: float, fs: float, seconds: float, *, rectangular: bool = False) -> np.ndarray:
    """A voltage of 1 V whose amplitude changes by `change` % at `modulation` Hz; both begin at a rising zero crossing."""
    t = np.arange(round(seconds * fs)) / fs
    wave = np.sin(2 * np.pi * modulation * t)
    if rectangular:
        # the half-period is counted: the sign of a sine near 0 is chance
        wave = np.where(np.floor(2 * modulation * t + 1e-9) % 2 == 0, 1.0, -1.0)
    result: np.ndarray = np.sqrt(2) * np.sin(2 * np.pi * f * t) * (1 + change / 200 * wave)
    return result


def weighting(lamp: int) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator in s of the lamp and the eye."""
    k, decay, w1, w2, w3, w4 = (LAMPS[lamp][0], *(2 * np.pi * x for x in LAMPS[lamp][1:6]))
    num = np.polymul([k * w1, 0.0], [1 / w2, 1.0])
    den = np.polymul([1.0, 2 * decay, w1**2], np.polymul([1 / w3, 1.0], [1 / w4, 1.0]))
    return num, den


def pinst(u: np.ndarray, fs: float, *, lamp: int = 230, nominal: float = 50) -> np.ndarray:
    """Instantaneous flicker sensation of each sample; the first minute is settling."""
    u = np.asarray(u, float)
    square = u**2
    keep = np.exp(-1 / (fs * 27.3))
    mean, _ = signal.lfilter([1 - keep], [1.0, -keep], square, zi=[keep * square.mean()])
    x = square / mean - 1.0
    y = signal.lfilter(*signal.butter(1, 0.05, "high", fs=fs), x)
    y = signal.sosfilt(signal.butter(6, 35 if nominal < 55 else 42, fs=fs, output="sos"), y)
    y = signal.sosfilt(signal.tf2sos(*signal.bilinear(*weighting(lamp), fs=fs)), y)
    keep = np.exp(-1 / (fs * 0.3))
    result: np.ndarray = LAMPS[lamp][6] * signal.lfilter([1 - keep], [1.0, -keep], y**2)
    return result


def pst(values: np.ndarray) -> float:
    """Short-term flicker of the Pinst of an interval."""

    def exceeded(*shares: float) -> float:
        return float(np.mean(np.percentile(values, [100 - s for s in shares])))

    return float(
        np.sqrt(
            0.0314 * exceeded(0.1)
            + 0.0525 * exceeded(0.7, 1, 1.5)
            + 0.0657 * exceeded(2.2, 3, 4)
            + 0.28 * exceeded(6, 8, 10, 13, 17)
            + 0.08 * exceeded(30, 50, 80)
        )
    )
