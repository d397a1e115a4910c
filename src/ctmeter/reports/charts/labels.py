"""Where words stand beside a horizontal line: where the least is drawn beneath them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .marks import text_width

__all__ = ["FALL", "Band", "Box", "beside"]

#: From the base line of words up and down to their ends, and from a line to the base line of words above and below it.
_RISE, FALL = 11.0, 2.0
_ABOVE, _BELOW = 5.0, 14.0
#: Columns in which a place is compared with what is drawn.
_COLUMNS = 24


@dataclass(frozen=True)
class Box:
    """A stretch of the drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether they have a part in common."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True)
class Band:
    """What is drawn from left to right: a curve, or a ribbon from `high` to `low`; `weight` is how much words over it disturb."""

    x: np.ndarray
    high: np.ndarray
    low: np.ndarray
    weight: float

    def share(self, box: Box) -> float:
        """Share of the columns of a box that it goes through."""
        known = np.isfinite(self.x) & np.isfinite(self.high) & np.isfinite(self.low)
        if not known.any():
            return 0.0
        at = np.linspace(box.left, box.right, _COLUMNS + 1)
        high, low = (np.interp(at, self.x[known], v[known]) for v in (self.high, self.low))
        # what lies between two columns goes from the one to the other
        top, bottom = np.minimum(high[1:], high[:-1]), np.maximum(low[1:], low[:-1])
        inside = (at[1:] >= self.x[known][0]) & (at[:-1] <= self.x[known][-1])
        return float((inside & (top < box.bottom) & (bottom > box.top)).mean())


def beside(y: float, words: str, room: Box, drawn: Sequence[Band], lines: Iterable[float], taken: Sequence[Box]) -> Box:
    """The place of words above or below the line at `y`.

    Parameters
    ----------
    y : float
    words : str
    room : Box
        Where words may stand.
    drawn : sequence of Band
    lines : iterable of float
        Heights of other lines, which words should not stand on.
    taken : sequence of Box
        Other words, which they must not stand on.

    Returns
    -------
    Box
        Its bottom is `FALL` below the base line of the words; to the right and above where nothing speaks against it.
    """
    width = text_width(words)
    steps = [room.right - width, room.left, *np.linspace(room.right - width, room.left, 7)[1:-1]]
    others = list(lines)
    best: tuple[float, Box] | None = None
    for row, base in enumerate((y - _ABOVE, y + _BELOW, *(y + _BELOW + 14 * k for k in (1, 2, 3)))):
        for column, left in enumerate(steps):
            box = Box(float(left), base - _RISE, float(left) + width, base + FALL)
            if box.left < room.left or box.top < room.top or box.bottom > room.bottom or any(box.meets(t) for t in taken):
                continue
            cost = sum(b.weight * b.share(box) for b in drawn) + sum(box.top < at < box.bottom for at in others)
            cost += 0.01 * column + (0.02 if row == 1 else 0.0 if row == 0 else 0.5 * row)
            if best is None or cost < best[0] - 1e-9:
                best = cost, box
    if best is not None:
        return best[1]
    # no room at all: below the line, under whatever stands there
    base = y + _BELOW
    while any(Box(room.right - width, base - _RISE, room.right, base + FALL).meets(t) for t in taken):
        base += 13.0
    return Box(room.right - width, base - _RISE, room.right, base + FALL)
