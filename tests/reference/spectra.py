"""Spectra over exact windows of whole cycles, IEC 61000-4-7."""

from __future__ import annotations

import math

import numpy as np

from reference.signal import Sampled


def phasor(x: Sampled, f: float, ta: float, tb: float) -> complex:
    """The rms phasor of the line at `f` Hz over [ta, tb), which has to be whole cycles of it, angle against t = 0."""
    t, w, y = x.over(ta, tb)
    return complex(1j * math.sqrt(2) * np.sum(w * y * np.exp(-2j * np.pi * f * t)) / (tb - ta))


def bins(x: Sampled, ta: float, tb: float, count: int) -> np.ndarray:
    """Rms of the lines 0 to count - 1 of the Fourier series with period tb - ta; line 0 is the magnitude of DC."""
    t, w, y = x.over(ta, tb)
    c = np.array([np.sum(w * y * np.exp(-2j * np.pi * k * (t - ta) / (tb - ta))) for k in range(count)]) / (tb - ta)
    out = np.abs(c) * math.sqrt(2)
    out[0] = abs(c[0])
    return out


def _root(c: np.ndarray, weights: dict[int, float], centre: int) -> float:
    return math.sqrt(sum(w * c[centre + k] ** 2 for k, w in weights.items()))


def subgroups(c: np.ndarray, cycles: int, highest: int) -> np.ndarray:
    """Harmonic sub-groups of orders 0 to `highest`: the line and its two neighbours; entry 0 is DC alone."""
    return np.array([c[0]] + [_root(c, {-1: 1, 0: 1, 1: 1}, h * cycles) for h in range(1, highest + 1)])


def groups(c: np.ndarray, cycles: int, highest: int) -> np.ndarray:
    """Harmonic groups: all lines to half way to the next orders, those half way by half of their square; entry 0 is DC alone."""
    half = cycles // 2
    weights = {k: 1.0 for k in range(-half + 1, half)} | {-half: 0.5, half: 0.5}
    return np.array([c[0]] + [_root(c, weights, h * cycles) for h in range(1, highest + 1)])


def interharmonic_subgroups(c: np.ndarray, cycles: int, highest: int) -> np.ndarray:
    """Interharmonic centred sub-groups, entry h between h and h + 1, without the lines beside the orders."""
    return np.array([_root(c, dict.fromkeys(range(2, cycles - 1), 1), h * cycles) for h in range(highest)])


def interharmonic_groups(c: np.ndarray, cycles: int, highest: int) -> np.ndarray:
    """Interharmonic groups, entry h between h and h + 1."""
    return np.array([_root(c, dict.fromkeys(range(1, cycles), 1), h * cycles) for h in range(highest)])


def thd(y: np.ndarray, highest: int = 40) -> float:
    """Distortion in %, orders 2 to `highest` over order 1."""
    return 100 * math.sqrt(float(np.sum(y[2 : highest + 1] ** 2))) / float(y[1])


def k_factor(y: np.ndarray) -> float:
    """Sum of squares of order times rms over the sum of squares, orders from 1."""
    return math.fsum((h * v) ** 2 for h, v in enumerate(y)) / math.fsum(v * v for v in y[1:])


def tdd(y: np.ndarray, nominal: float) -> float:
    """Demand distortion in %, orders from 2 over a nominal current."""
    return 100 * math.sqrt(math.fsum(v * v for v in y[2:])) / nominal


def low_pass(values: list[float | None], seconds: list[float], tau: float = 1.5) -> list[float | None]:
    """Z = (Y + beta Z') / alpha with alpha = 1 / (1 - exp(-T / tau)) and beta = alpha - 1; begins with the first value after a None."""
    result: list[float | None] = []
    for value, t in zip(values, seconds, strict=True):
        last = result[-1] if result else None
        alpha = 1 / (1 - math.exp(-t / tau))
        result.append(value if value is None or last is None else (value + (alpha - 1) * last) / alpha)
    return result
