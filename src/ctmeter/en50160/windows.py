"""The windows of an assessment: weeks from the first whole interval on, and the rests that lie before and after them.

What is measured before the first whole interval or after the last week counts as well where a limit holds for all values,
so nothing that was measured is in no window.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .limits import PERIODS
from .statistics import Window

__all__ = ["GRID", "WEEK", "Span", "lay_weeks", "lay_years"]

WEEK = PERIODS["week"] * 1_000_000_000
_YEAR = PERIODS["year"] * 1_000_000_000
#: Weeks begin on it.
GRID = 600_000_000_000


@dataclass(frozen=True)
class Span:
    """From the first to the last of something, ns."""

    start: int
    end: int

    def within(self, window: Window) -> int:
        """How much of it lies in a window, ns."""
        return max(0, min(window.end, self.end) - max(window.start, self.start))


def lay_weeks(first: int, last: int, step: int, sliding: bool, seen: Span, events: Iterable[int] = ()) -> list[Window]:
    """Weeks that begin at `first` and every `step` after it, and the rests before and after them.

    Parameters
    ----------
    first, last : int
        Start of the first and end of the last whole interval, ns.
    step : int
        From one start to the next, ns.
    sliding : bool
        Windows that slide end with the data, except where there is less than one.
    seen : Span
        From the first to the last row of any table.
    events : iterable of int
        When there were events.

    Returns
    -------
    list of Window
        By their start. Rests are whole weeks too, next to the others, those alone in which there is something.
    """
    whole = [Window(t, t + WEEK) for t in range(first, max(last, first + 1), step)]
    if sliding:
        whole = [w for w in whole if w.end <= last] or whole[:1]
    end = whole[-1].end
    before = {first + (t - first) // WEEK * WEEK for t in (*events, *range(seen.start, first, WEEK)) if t < first}
    after = {end + (t - end) // WEEK * WEEK for t in (*events, *range(end, seen.end, WEEK)) if t >= end}
    rests = [[Window(t, t + WEEK, rest=True) for t in sorted(starts)] for starts in (before, after)]
    return [*rests[0], *whole, *rests[1]]


def lay_years(start: int, end: int) -> list[Window]:
    """Windows of a year, the last of them only as long as the observation, but a week at least."""
    return [Window(t, min(t + _YEAR, end)) for t in range(start, end, _YEAR)]
