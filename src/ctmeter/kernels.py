"""Interpolation kernels of the core: fractional edges and shifts, and resampling for spectra."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["edge_tables", "interpolation_kernels"]

_TAPS, _STEPS = 16, 128
#: Points of a resampled window, and the highest bin that is wanted, per cycle of the window.
_POINTS, _BINS = 2048, 50.8
#: Windows in one kernel's care differ in length by this factor at most.
_CLASS = 1.08
#: Rejection of what would fold onto a wanted bin, dB, and the highest cut-off, in cycles per sample: images of
#: what lies near half the sample rate stand between bins and must not leak into all of them.
_REJECTION, _CUT = 106.0, 0.39


@lru_cache(maxsize=1)
def edge_tables() -> np.ndarray:
    """Weights of the samples around a fractional edge, and around a fractional shift.

    Returns
    -------
    ndarray, float64, shape (2, 129, 16)
        Row r stands for a point r/128 of a sample after sample 7 of the 16. The first table makes
        the integral up to there of a band-limited quantity from the sum of the samples before
        the 16; the second its value there.

    Notes
    -----
    Least squares over frequencies to 0.45 of the sample rate, weighted towards the lower ones, where
    products of voltage and current have nearly all their content. Error below 1e-6 of a sample to
    0.25 of the rate.
    """
    f = np.linspace(1e-4, 0.45, 120)
    w = 2 * np.pi * f
    weight = 10 ** (-5.0 * (f / 0.45) ** 2)
    weight[0] = 1e3
    tables = np.empty((2, _STEPS + 1, _TAPS))
    for r in range(_STEPS + 1):
        n = np.arange(_TAPS) - (_TAPS // 2 - 1) - r / _STEPS
        response = np.exp(1j * np.outer(w, n)) * weight[:, None]
        integral = (1 / (1j * w) - np.exp(1j * w * n[0]) / (np.exp(1j * w) - 1)) * weight
        matrix = np.vstack([response.real, response.imag])
        tables[0, r] = np.linalg.lstsq(matrix, np.concatenate([integral.real, integral.imag]), rcond=None)[0]
        tables[1, r] = np.linalg.lstsq(matrix, np.concatenate([weight, 0 * weight]), rcond=None)[0]
    return tables


@lru_cache(maxsize=16)
def interpolation_kernels(sample_rate: float, cycles: int) -> tuple[tuple[float, int, np.ndarray, tuple[float, ...]], ...]:
    """Kernels that resample a window of `cycles` cycles to 2048 points, for windows of 42.5 to 69 Hz.

    Parameters
    ----------
    sample_rate : float
        Hz.
    cycles : int
        10 or 12.

    Returns
    -------
    tuple of (longest window in samples, taps, table, droop)
        The table, float32 (128 * 2 * taps,), holds for every fraction of a sample the taps and their
        differences to the next fraction; droop the 8 coefficients of a polynomial in the square of
        frequency over sample rate by which a bin is multiplied to undo the kernel's droop.

    Notes
    -----
    Kaiser-windowed sincs whose stop band begins where frequencies would fold onto a wanted bin; that their
    cut-off is low costs nothing, as their droop is undone. Every fraction's taps have the same sum, which
    puts the images of the fundamental, the largest by far, next to a zero.
    """
    nominal = 50.0 if cycles == 10 else 60.0
    shortest, longest = (cycles * sample_rate / f for f in (nominal * 1.15, nominal * 0.85 / 1.001))
    wanted = _BINS * cycles
    # the nominal frequency, which nearly all windows have, lies within one class
    upper = 1.03 * cycles * sample_rate / nominal
    while upper < longest:
        upper *= _CLASS
    kernels = []
    while upper > shortest:
        kernels.append(_interpolation_kernel(upper / _CLASS, upper, wanted))
        upper /= _CLASS
    return tuple(reversed(kernels))


def _interpolation_kernel(lower: float, upper: float, wanted: float) -> tuple[float, int, np.ndarray, tuple[float, ...]]:
    """The kernel for windows of `lower` to `upper` samples."""
    # frequencies in cycles per sample: as far as bins are wanted, and from where they would fold onto those
    passed = min(wanted / lower, 0.42)
    folding = min((_POINTS - wanted) / upper, 1.0 - passed)
    taps = 16
    while _cut(folding, taps) < 1.02 * passed and taps < 1024:
        taps += 16
    cut = min(_cut(folding, taps), _CUT)
    if passed > 0.95 * _CUT:
        # so few samples that nothing can fold: as good as may be to the end of the band
        taps, cut = 48, 0.5
    beta = 0.1102 * (_REJECTION - 8.7)
    rows = np.arange(_STEPS + 1)[:, None] / _STEPS
    x = np.arange(taps)[None, :] - (taps // 2 - 1) - rows
    inside = np.clip(1.0 - (x / (taps / 2)) ** 2, 0.0, None)
    h = 2 * cut * np.sinc(2 * cut * x) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
    h /= h.sum(axis=1, keepdims=True)
    # the gain at a frequency is the mean over all fractions, between which the core interpolates linearly
    f = np.linspace(0.0, passed, 200)
    weights = np.full(_STEPS + 1, 1.0)
    weights[[0, -1]] = 0.5
    gain = np.array([float(np.sum(weights[:, None] * h * np.cos(2 * np.pi * v * x))) / _STEPS for v in f])
    scale = passed**2 or 1.0
    powers = np.polynomial.polynomial.polyfit(f**2 / scale, 1.0 / gain, 7)
    droop = tuple(float(p / scale**k) for k, p in enumerate(powers))
    table = np.stack([h[:-1], np.diff(h, axis=0)], axis=1).astype(np.float32)
    return float(upper), taps, np.ascontiguousarray(table.reshape(-1)), droop


def _cut(folding: float, taps: int) -> float:
    """Cut-off, in cycles per sample, with which so many taps reach the rejection at `folding`."""
    return folding - 0.5 * (_REJECTION - 7.95) / (2.285 * 2 * np.pi * (taps - 1))
