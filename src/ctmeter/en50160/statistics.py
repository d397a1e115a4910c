"""Counting: how many values of a window are valid, beyond the limits, and what their percentiles and extremes are.

References
----------
EN 50160:2010
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..measurements import iso
from .limits import Limit, Parameter

__all__ = ["DAY", "PERCENTILES", "Counted", "Reference", "Window", "count", "judge", "nearest_rank"]

PERCENTILES = (1, 5, 50, 95, 99)
DAY = 86_400_000_000_000
#: Values are beyond a limit only by more than this share of it: what float32 keeps of a value is coarser than a tie.
_TIE = 1e-6


@dataclass(frozen=True)
class Window:
    """A stretch of time, ns: [start, end); a `rest` is one beside the windows of observation."""

    start: int
    end: int
    rest: bool = False

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start) / 1e9

    def days(self) -> list[Window]:
        """Its days of 24 h, counted from its start."""
        return [Window(t, min(t + DAY, self.end)) for t in range(self.start, self.end, DAY)]


@dataclass(frozen=True)
class Reference:
    """What limits in % become in the unit of the values: `base` is 100 %; `around`, they are deviations from it.

    Parameters
    ----------
    base : float
        1 where limits are in the values' own unit.
    around : bool
    """

    base: float = 1.0
    around: bool = False

    def bounds(self, limit: Limit) -> tuple[float, float]:
        """Lowest and highest value that are within."""
        if self.around:
            low = -math.inf if limit.low is None else self.base * (1 + limit.low / 100)
            high = math.inf if limit.high is None else self.base * (1 + limit.high / 100)
        else:
            low = -math.inf if limit.low is None else self.base * limit.low
            high = math.inf if limit.high is None else self.base * limit.high
        return low, high


def beyond(values: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Which values are outside; a tie is inside."""
    low, high = bounds
    found: np.ndarray = np.zeros(len(values), bool)
    if math.isfinite(low):
        found |= values < low - _TIE * abs(low)
    if math.isfinite(high):
        found |= values > high + _TIE * abs(high)
    return found


def reached(values: np.ndarray, bounds: tuple[float, float], reference: Reference, share: float) -> float | None:
    """How much of the limit the value at `share` % of all reaches, 1 being the limit; each side by its own limit."""
    if not len(values):
        return None
    centre = reference.base if reference.around else 0.0
    # by each side in turn and in place: values of a year are many
    used: np.ndarray | None = None
    for bound in bounds:
        if math.isfinite(bound) and bound != centre:
            side = values - centre
            side /= bound - centre
            used = side if used is None else np.maximum(used, side, out=used)
    if used is None or not np.isfinite(used).all():
        return None
    rank = _rank(len(used), share)
    used.partition(rank)
    return float(used[rank]) + 0.0  # no -0


def _rank(n: int, share: float) -> int:
    """Place of the value of rank ceil(share n), from 0; `share` in %."""
    return max(math.ceil(round(share * n / 100, 9)), 1) - 1


def nearest_rank(ordered: np.ndarray, share: float) -> float:
    """The value of rank ceil(share N) of ordered values; `share` in %.

    Examples
    --------
    >>> nearest_rank(np.arange(1.0, 101.0), 95), nearest_rank(np.array([7.0]), 1)
    (95.0, 7.0)
    """
    return float(ordered[_rank(len(ordered), share)])


@dataclass(frozen=True)
class Counted:
    """What a window holds.

    Parameters
    ----------
    valid : ndarray of float64
    t : ndarray of int64
        Of the rows, ns.
    flagged, missing : int
        Intervals that are there and do not count; intervals that are not there.
    kept : ndarray of bool, optional
        Which rows are valid, where not all are.
    """

    valid: np.ndarray
    t: np.ndarray
    flagged: int
    missing: int
    kept: np.ndarray | None = None

    def time(self, k: int) -> int:
        """When the valid value `k` was, ns."""
        return int(self.t[k if self.kept is None else np.flatnonzero(self.kept)[k]])

    @property
    def expected(self) -> int:
        """Intervals the window should have."""
        return len(self.valid) + self.flagged + self.missing

    @property
    def share(self) -> float:
        """% of them that are valid."""
        return 100 * len(self.valid) / self.expected if self.expected else 0.0


def count(t: np.ndarray, bad: np.ndarray, values: np.ndarray, window: Window, length: int | None) -> Counted:
    """The values of a window.

    Parameters
    ----------
    t : ndarray of int64
        Starts, rising.
    bad : ndarray of bool
        What does not count.
    values : ndarray of float64
        NaN does not count either.
    window : Window
        Intervals belong to it by their start.
    length : int or None
        Of an interval, ns. None: of 3-s intervals, which follow the mains; missing ones are told by the gaps between them.
    """
    a, b = (int(k) for k in np.searchsorted(t, (window.start, window.end)))
    part, times = values[a:b], t[a:b]
    good = ~(bad[a:b] | np.isnan(part))
    rows = b - a
    if length is not None:
        # a grid that the window's start is not on has as many starts in it all the same
        first = -(-window.start // length)
        expected = max(-(-window.end // length) - first, rows)
        missing = expected - rows
    else:
        missing = _missing_3s(times, window)
    if good.all():
        return Counted(part, times, 0, missing)  # without a copy
    return Counted(part[good], times, rows - int(good.sum()), missing, good)


def _missing_3s(times: np.ndarray, window: Window) -> int:
    length = 3_000_000_000
    edges = np.concatenate([[window.start - length], times, [window.end]])
    gaps = np.diff(edges) - length
    lost = np.rint(gaps[gaps > length // 2] / length)
    return int(lost.sum())


def judge(
    counted: Counted, parameter: Parameter, limits: tuple[Limit | None, Limit | None], reference: Reference, valid_share: float
) -> dict[str, Any]:
    """Counts, percentiles, extremes and the verdict of one window.

    Parameters
    ----------
    counted : Counted
    parameter : Parameter
    limits : (Limit or None, Limit or None)
        For a share of the values, and for all.
    reference : Reference
    valid_share : float
        % of the intervals that must be valid for a pass.

    Returns
    -------
    dict
        N1 are beyond the first limit, N2 beyond the second; null where there is none.
    """
    values = counted.valid
    bounds = [None if limit is None else reference.bounds(limit) for limit in limits]
    n1, n2 = (None if b is None else int(beyond(values, b).sum()) for b in bounds)
    row: dict[str, Any] = {
        "limit": None if limits[0] is None or bounds[0] is None else describe(limits[0], bounds[0], parameter, values, reference),
        "limit_always": None if limits[1] is None or bounds[1] is None else describe(limits[1], bounds[1], parameter, values, reference),
        "N": len(values),
        "N1": n1,
        "N2": n2,
        "N_invalid": counted.flagged + counted.missing,
        "flagged": counted.flagged,
        "missing": counted.missing,
        "coverage": round(counted.share, 4),
        "percentiles": _percentiles(values),
        **_extremes(counted),
    }
    share = None if limits[0] is None else limits[0].share
    row["verdict"], row["reason"] = verdict(counted, n1, n2, share, valid_share)
    return row


def _percentiles(values: np.ndarray) -> dict[str, float | None]:
    ordered = np.sort(values)
    return {str(p): nearest_rank(ordered, p) if len(ordered) else None for p in PERCENTILES}


def _extremes(counted: Counted) -> dict[str, Any]:
    if not len(counted.valid):
        return dict.fromkeys(("min", "t_min", "max", "t_max"))
    low, high = int(counted.valid.argmin()), int(counted.valid.argmax())
    return {
        "min": float(counted.valid[low]),
        "t_min": iso(counted.time(low)),
        "max": float(counted.valid[high]),
        "t_max": iso(counted.time(high)),
    }


def describe(limit: Limit, bounds: tuple[float, float], parameter: Parameter, values: np.ndarray, reference: Reference) -> dict[str, Any]:
    """A limit for output: in %, in the unit of the values, where it comes from, how much of it is reached."""
    low, high = (b if math.isfinite(b) else None for b in bounds)
    return {
        "share": limit.share,
        "of": parameter.of,
        "low": limit.low,
        "high": limit.high,
        "low_value": low,
        "high_value": high,
        "source": limit.source,
        "verified": limit.verified,
        "reached": reached(values, bounds, reference, limit.share),
    }


def verdict(counted: Counted, n1: int | None, n2: int | None, share: float | None, valid_share: float) -> tuple[str, str]:
    """Pass, fail or insufficient-data, and why.

    One value beyond a limit for all is a fail however little was measured. A share is judged from enough valid values;
    with fewer it is a fail only if it were one whatever the missing values are.
    """
    n, expected = len(counted.valid), counted.expected
    if n2:
        return "fail", f"{n2} of {n} values beyond the limit for all"
    allowed = None if share is None else 1 - share / 100
    enough = n > 0 and counted.share >= valid_share - 1e-9
    if n1 is not None and allowed is not None:
        base = n if enough else expected
        if n1 > allowed * base + 1e-9:
            return "fail", f"{n1} of {base} values beyond the limit for {share:g} %"
    if not enough:
        # rounded downwards, so that what is too little never looks like enough
        return "insufficient-data", f"{n} of {expected} values are valid, {_floor(counted.share)} %; {valid_share:g} % needed"
    return "pass", f"{n} of {expected} values are valid"


def _floor(percent: float) -> str:
    """A share with three digits, rounded downwards."""
    if percent <= 0:
        return "0"
    digits = 2 - math.floor(math.log10(percent))
    return f"{math.floor(percent * 10**digits) / 10**digits:.10g}"
