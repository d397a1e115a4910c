"""Spectral lines: what every synthesised channel is made of.

A line is Im(c exp(2 pi i (order * theta + hertz * t))), theta the fundamental's phase in cycles;
with `order` 0 it stands at a fixed frequency, and with both 0 it is DC, c = i * DC.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

__all__ = ["Lines", "burst_fired", "combined", "half_wave", "peak", "phase_fired", "rms", "switched"]

#: (order, hertz) -> complex peak amplitude
Lines = dict[tuple[Fraction, Fraction], complex]


def combined(parts: Iterable[tuple[float, Mapping[tuple[Fraction, Fraction], complex]]]) -> Lines:
    """A weighted sum of sets of lines, without those that cancel but for rounding."""
    total: Lines = {}
    size: dict[tuple[Fraction, Fraction], float] = {}
    for weight, lines in parts:
        for key, c in lines.items():
            total[key] = total.get(key, 0) + weight * c
            size[key] = size.get(key, 0.0) + abs(weight * c)
    return {key: c for key, c in total.items() if abs(c) > 1e-14 * size[key]}


def rms(lines: Mapping[tuple[Fraction, Fraction], complex]) -> float:
    """The rms of a sum of lines, over a time long against their beats."""
    return math.sqrt(sum(c.imag**2 if not any(key) else abs(c) ** 2 / 2 for key, c in lines.items()))


def switched(intervals: Sequence[tuple[float, float]], period: int, highest: float) -> Lines:
    """The Fourier series of a sine of peak 1 that flows only within `intervals`.

    Parameters
    ----------
    intervals : sequence of (float, float)
        Stretches of the sine's own phase, rad, within [0, 2 pi period].
    period : int
        Cycles after which it repeats.
    highest : float
        The series ends below this order.

    Returns
    -------
    dict of (order, 0) to complex peak amplitude

    Notes
    -----
    With q the order, the antiderivative of sin(x) exp(-iqx) is exp(-iqx)(-iq sin x - cos x)/(1 - q^2),
    and sin(x)^2/2 - i(x/2 - sin(2x)/4) for q = 1.
    """

    def antiderivative(q: Fraction, x: float) -> complex:
        if q == 1:
            return math.sin(x) ** 2 / 2 - 1j * (x / 2 - math.sin(2 * x) / 4)
        return cmath.exp(-1j * float(q) * x) * (-1j * float(q) * math.sin(x) - math.cos(x)) / float(1 - q * q)

    series: Lines = {}
    for k in range(math.ceil(highest * period)):
        q = Fraction(k, period)
        c = sum(antiderivative(q, b) - antiderivative(q, a) for a, b in intervals) / (2 * math.pi * period)
        c *= 1j if k == 0 else 2j
        if abs(c) > 1e-13:
            series[q, Fraction(0)] = c
    return series


def phase_fired(firing_angle: float, highest: float) -> Lines:
    """A sine of peak 1 that flows from `firing_angle` (rad) to the end of each half-cycle."""
    return switched([(firing_angle, math.pi), (math.pi + firing_angle, 2 * math.pi)], 1, highest)


def half_wave(highest: float) -> Lines:
    """A sine of peak 1 of which only the positive half-cycles flow."""
    return switched([(0.0, math.pi)], 1, highest)


def burst_fired(on: int, off: int, highest: float) -> Lines:
    """A sine of peak 1 that flows for `on` whole cycles of every `on` + `off`."""
    return switched([(0.0, 2 * math.pi * on)], on + off, highest)


def peak(lines: Lines) -> float:
    """An upper bound of what a sum of lines reaches: for whole orders from one cycle, the rest by their amplitudes."""
    bound = sum(abs(c) for c in lines.values())
    whole = [(int(q), c) for (q, f), c in lines.items() if not f and q.denominator == 1]
    highest = max((q for q, _ in whole), default=0)
    if highest < 2:
        return bound
    points = 32 * 2 ** math.ceil(math.log2(highest + 1))
    spectrum = np.zeros(points, complex)
    for q, c in whole:
        spectrum[q] = c
    wave = np.fft.ifft(spectrum).imag * points
    # between points the wave rises above them by less than (pi / 32)^2 / 2 of its peak
    return min(bound, float(np.max(np.abs(wave))) * 1.005 + bound - sum(abs(c) for _, c in whole))
