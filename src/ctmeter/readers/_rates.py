"""Channels that were sampled more slowly than the others, brought to the instants of the fastest.

A band-limited signal is known between its samples. It is given there by a windowed sinc (Kaiser, 32 taps), which leaves the
samples themselves as they are and is true to about 1e-5 up to three quarters of half the channel's own rate; within 16 samples of an end, where the
signal is continued by its point reflection, less so. Half a sample interval beyond the first and the last sample, which still
is theirs, the reflection is given; farther out, the channel is missing.
"""

from __future__ import annotations

import numpy as np

__all__ = ["between"]

_HALF, _BETA = 16, 10.0
_ROWS = 1 << 14


def between(samples: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Values of a signal between its samples.

    Parameters
    ----------
    samples : ndarray, shape (n,), n >= 1
    positions : ndarray of float64, shape (m,)
        Places, in samples; whole numbers are samples.

    Returns
    -------
    ndarray of float64, shape (m,)
        NaN beyond half a sample from either end, and where a sample that is not finite takes part.
    """
    out = np.empty(len(positions))
    for at in range(0, len(positions), _ROWS):
        part = positions[at : at + _ROWS]
        out[at : at + _ROWS] = _sums(samples, part)
    out[~((positions >= -0.5 - 1e-6) & (positions <= len(samples) - 0.5 + 1e-6))] = np.nan
    return out


def _sums(samples: np.ndarray, positions: np.ndarray) -> np.ndarray:
    last = len(samples) - 1
    places = np.clip(positions, -1.0, last + 1.0)
    whole = np.floor(places)
    apart = np.arange(1 - _HALF, _HALF + 1) - (places - whole)[:, None]
    weights = np.sinc(apart) * np.i0(_BETA * np.sqrt(np.maximum(1.0 - (apart / _HALF) ** 2, 0.0)))
    weights /= weights.sum(axis=1, keepdims=True)
    rows = whole.astype(np.int64)[:, None] + np.arange(1 - _HALF, _HALF + 1)
    inner = np.clip(rows, 0, last)
    # beyond an end: the point reflection, which goes on with the slope; short signals are held at their other end
    mirrored = np.clip(2 * inner - rows, 0, last)
    values = samples[inner].astype(np.float64)
    outside = inner != rows
    if outside.any():
        values[outside] = 2.0 * values[outside] - samples[mirrored[outside]]
    exact = np.abs(positions - np.rint(positions)) < 1e-9
    with np.errstate(invalid="ignore", over="ignore"):
        found: np.ndarray = np.einsum("ij,ij->i", weights, values)
    at = np.clip(np.rint(positions).astype(np.int64), 0, last)
    found[exact] = samples[at[exact]]
    return found
