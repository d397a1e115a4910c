"""Sequence components, IEC 61000-4-30."""

from __future__ import annotations

import cmath
import math

A = cmath.exp(2j * math.pi / 3)


def sequence_ratios(a: complex, b: complex, c: complex) -> tuple[float, float]:
    """Negative- and zero-sequence ratios of three phasors, %; none (NaN) where the positive sequence is below 0.1 % of the largest."""
    positive = abs(a + A * b + A * A * c)
    if positive / 3 < 1e-3 * max(abs(a), abs(b), abs(c)):
        return math.nan, math.nan
    return 100 * abs(a + A * A * b + A * c) / positive, 100 * abs(a + b + c) / positive


def u2_of_line_voltages(u12: float, u23: float, u31: float) -> float:
    """Negative-sequence ratio from the magnitudes of line voltages alone, %."""
    beta = (u12**4 + u23**4 + u31**4) / (u12**2 + u23**2 + u31**2) ** 2
    root = math.sqrt(max(0.0, 3 - 6 * beta))
    return 100 * math.sqrt(max(0.0, (1 - root) / (1 + root)))
