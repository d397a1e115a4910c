"""The few calculations a report makes itself, all of them for pictures: ranks, one-cycle rms, fundamentals of a cut-out."""

from __future__ import annotations

import numpy as np

__all__ = ["harmonics_of", "rank", "sliding_rms"]


def rank(values: np.ndarray, percent: float) -> float:
    """The value that `percent` of the valid values do not exceed, by nearest rank; NaN where there is none.

    Examples
    --------
    >>> rank(np.array([3.0, 1.0, np.nan, 2.0, 4.0]), 50.0)
    2.0
    """
    valid = np.sort(values[np.isfinite(values)])
    if not len(valid):
        return float("nan")
    place = int(np.ceil(percent / 100 * len(valid) - 1e-9))
    return float(valid[min(max(place, 1), len(valid)) - 1])


def sliding_rms(values: np.ndarray, cycle: float) -> np.ndarray:
    """Rms over the cycle that follows each sample.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    cycle : float
        Length of a cycle in samples, not necessarily whole.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where less than a cycle follows, or a sample of it is missing.

    Notes
    -----
    The integral of the square, which runs linearly from sample to sample, over exactly a cycle. Unlike Urms(1/2) it follows no zero crossing.
    """
    n = len(values)
    missing = ~np.isfinite(values)
    square = np.where(missing, 0.0, values) ** 2
    total = np.concatenate([[0.0], np.cumsum((square[1:] + square[:-1]) / 2)])
    lost = np.concatenate([[0.0], np.cumsum(missing)])
    stop = np.arange(n) + cycle
    inside = stop <= n - 1
    end = np.minimum(stop, n - 1)
    mean = (np.interp(end, np.arange(n), total) - total) / cycle
    gone = lost[np.minimum(np.ceil(end).astype(int) + 1, n)] - lost[:n]
    return np.where(inside & (gone == 0), np.sqrt(np.maximum(mean, 0.0)), np.nan)


def harmonics_of(values: np.ndarray, rate: float, frequency: float, orders: int = 1) -> np.ndarray:
    """Complex rms phasors of the harmonics that fit samples best, from order 0 on.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        At least a cycle without missing samples.
    rate, frequency : float
        Hz.
    orders : int
        Highest order; those from half the sample rate on are left out.

    Returns
    -------
    ndarray of complex128, shape (orders + 1,)
        Angles at the first sample, of a cosine; NaN where an order does not fit.
    """
    found = np.full(orders + 1, np.nan, np.complex128)
    highest = min(orders, int(0.49 * rate / frequency))
    if len(values) < rate / frequency or highest < 1 or not np.isfinite(values).all():
        return found
    angle = 2 * np.pi * frequency / rate * np.outer(np.arange(len(values)), np.arange(1, highest + 1))
    base = np.hstack([np.ones((len(values), 1)), np.cos(angle), np.sin(angle)])
    fit = np.linalg.lstsq(base, values, rcond=None)[0]
    found[0] = abs(fit[0])
    found[1 : highest + 1] = (fit[1 : highest + 1] - 1j * fit[highest + 1 :]) / np.sqrt(2)
    return found
