"""Long series in few points: smallest, mean and largest of each column of pixels, so that no extreme is lost."""

from __future__ import annotations

import numpy as np

__all__ = ["columns", "zigzag"]


def _groups(x: np.ndarray, low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which column each point falls into, and where the columns begin; x must rise."""
    place = np.clip(((x - low) * (count / (high - low))).astype(np.int64), 0, count - 1)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    return place, starts


def columns(
    x: np.ndarray, y: np.ndarray, low: float, high: float, count: int, lowest: np.ndarray | None = None, highest: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """At most `count` points: place, mean, smallest and largest value of each column.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Rising places, and values; NaN where there is none.
    low, high : float
        The range of x that the columns divide.
    count : int
        Number of columns.
    lowest, highest : ndarray of float64, shape (n,), optional
        Extremes that belong to the points; y itself where not given.

    Returns
    -------
    x, mean, smallest, largest : ndarray of float64, shape (m,)
        m at most `count`; a column that holds nothing but NaN is NaN, one without points is left out.
    """
    lowest, highest = y if lowest is None else lowest, y if highest is None else highest
    if len(x) <= count or high <= low:
        return x, y, lowest, highest
    _, starts = _groups(x, low, high, count)
    sizes = np.diff(np.append(starts, len(x)))
    valid = np.isfinite(y)
    number = np.add.reduceat(valid.astype(np.float64), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(np.where(valid, y, 0.0), starts) / number
    small = np.minimum.reduceat(np.where(np.isfinite(lowest), lowest, np.inf), starts)
    large = np.maximum.reduceat(np.where(np.isfinite(highest), highest, -np.inf), starts)
    small, large = np.where(np.isfinite(small), small, np.nan), np.where(np.isfinite(large), large, np.nan)
    return np.add.reduceat(x, starts) / sizes, mean, small, large


def zigzag(x: np.ndarray, y: np.ndarray, low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """At most two points for each of `count` columns: its smallest and its largest value, in the order they came in."""
    if len(x) <= 2 * count or high <= low:
        return x, y
    _, starts = _groups(x, low, high, count)
    stops = np.append(starts[1:], len(x))
    keep = []
    for a, b in zip(starts, stops, strict=True):
        part = y[a:b]
        if np.isfinite(part).any():
            keep += sorted({int(a + np.nanargmin(part)), int(a + np.nanargmax(part))})
        else:
            keep.append(int(a))
    return x[keep], y[keep]
