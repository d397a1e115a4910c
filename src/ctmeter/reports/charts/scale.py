"""Scales: from values to places, and the ticks in between."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["Linear", "Log", "Scale", "Time", "spread"]

Tick = tuple[float, str]
_S = 1_000_000_000
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200)
_DAYS = (1, 2, 4, 7, 14, 28, 56, 91, 182, 364)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Scale:
    """A range of values laid over a range of places.

    Parameters
    ----------
    low, high : float
        The values at the ends.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = float(low), float(high)

    def _unit(self, values: np.ndarray) -> np.ndarray:
        span = self.high - self.low
        return (values - self.low) / span if span else np.full(values.shape, 0.5)

    def place(self, values: float | Sequence[float] | np.ndarray, start: float, stop: float) -> np.ndarray:
        """The places of values between `start` and `stop`, NaN where a value is."""
        found: np.ndarray = start + self._unit(np.asarray(values, np.float64)) * (stop - start)
        return found

    def ticks(self, most: int) -> list[Tick]:
        """At most about that many values within the range, each with its words."""
        raise TypeError(f"{type(self).__name__} has no ticks")


def spread(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """A range with some room at both ends; of a single value one around it.

    Examples
    --------
    >>> spread(0.0, 100.0, 0.1), spread(5.0, 5.0)
    ((-10.0, 110.0), (4.75, 5.25))
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return 0.0, 1.0
    room = share * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def _step(span: float, most: int) -> float:
    rough = span / max(most, 1)
    base = 10.0 ** math.floor(math.log10(rough))
    return next((m * base for m in (1.0, 2.0, 2.5, 5.0) if m * base >= rough * (1 - 1e-9)), 10.0 * base)


class Linear(Scale):
    """Equal steps.

    Examples
    --------
    >>> Linear(0.0, 10.0).ticks(5)
    [(0.0, '0'), (2.0, '2'), (4.0, '4'), (6.0, '6'), (8.0, '8'), (10.0, '10')]
    """

    def ticks(self, most: int) -> list[Tick]:
        """Multiples of 1, 2, 2.5 or 5 times a power of ten."""
        span = self.high - self.low
        if not span > 0:
            return [(self.low, f"{self.low:g}")]
        step = _step(span, most)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        if round(step * 10**digits) != round(step * 10**digits, 6):
            digits += 1  # 2.5
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [k * step for k in range(first, last + 1)]
        return [(v, f"{0.0 if abs(v) < step / 2 else v:.{digits}f}".replace("-", "\N{MINUS SIGN}")) for v in values]


class Log(Scale):
    """Equal ratios; for durations, s, with words of their own."""

    def _unit(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs: np.ndarray = np.log(values / self.low) / math.log(self.high / self.low)
        return logs

    def ticks(self, most: int) -> list[Tick]:
        """Powers of ten within the range."""
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        every = max(1, math.ceil((last - first + 1) / max(most, 1)))
        return [(10.0**k, _seconds(k)) for k in range(first, last + 1, every)]


def _seconds(power: int) -> str:
    for base, unit in ((0, "s"), (-3, "ms"), (-6, "µs")):
        if power >= base:
            return f"{10 ** (power - base)} {unit}"
    return f"1e{power} s"


class Time(Scale):
    """Instants, ns since 1970-01-01 UTC."""

    def ticks(self, most: int) -> list[Tick]:
        """Round times of day, or days."""
        seconds = (self.high - self.low) / _S
        step = next((s for s in _STEPS_S if seconds / s <= most), None)
        if step is None:
            days = next((d for d in _DAYS if seconds / 86400 / d <= most), _DAYS[-1])
            step, words = days * 86400, _day
        else:
            words = _clock if step >= 60 else _clock_s
        first, last = math.ceil(self.low / _S / step), math.floor(self.high / _S / step)
        ticks = [(float(k * step * _S), words(k * step)) for k in range(first, last + 1)]
        return ticks or [(self.low, words(int(self.low / _S)))]


def _day(seconds: int) -> str:
    date = np.datetime64(seconds, "s").astype("datetime64[D]").item()
    return f"{date.day} {_MONTHS[date.month - 1]}"


def _clock(seconds: int) -> str:
    if seconds % 86400 == 0:
        return _day(seconds)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}"


def _clock_s(seconds: int) -> str:
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
