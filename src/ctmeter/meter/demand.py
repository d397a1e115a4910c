"""Integration periods: the mean powers of 15, 30 or 60 minutes, and the largest of them.

Periods stand on the clock. One that is not covered in full never makes a maximum, unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .quality import GOOD, Quality

__all__ = ["ACCUMULATED", "COVERED", "MAXIMA", "Maxima", "Period", "summed"]

#: Maxima, and the energy each is the mean power of: whole ones, and those of the tariffs 1 and 2.
MAXIMA = {
    "P+max": ("A+", 0),
    "P+max T1": ("A+", 1),
    "P+max T2": ("A+", 2),
    "Q+max": ("R+", 0),
    "Q+max T1": ("R+", 1),
    "Q+max T2": ("R+", 2),
    "S+max": ("E+", 0),
    "S-max": ("E-", 0),
}
#: Maxima that are summed up over the billing periods.
ACCUMULATED = ("P+max", "P+max T1", "P+max T2", "Q+max")
#: What may be missing of a period that counts as covered, ns: less than a sample of any recorder.
COVERED = 10_000_000


def summed(name: str) -> str:
    """Name of the sum of a maximum over the billing periods.

    Examples
    --------
    >>> summed("P+max T1")
    'P+max acc T1'
    """
    head, _, tariff = name.partition(" ")
    return f"{head} acc {tariff}".strip()


@dataclass
class Period:
    """One integration period, while it runs and when it has ended.

    Parameters
    ----------
    start_ns, end_ns : int
        ns UTC.
    secondary, primary : list of int
        mWs grown so far in the ten total registers, by the ratio in force.
    covered_ns : int
        Time that was measured.
    tariffs : list of int
        Tariffs that were in force in it.
    quality : Quality
    ratio : int
        The last ratio in force.
    """

    start_ns: int
    end_ns: int
    secondary: list[int] = field(default_factory=lambda: [0] * 10)
    primary: list[int] = field(default_factory=lambda: [0] * 10)
    covered_ns: int = 0
    tariffs: list[int] = field(default_factory=list)
    quality: Quality = GOOD
    ratio: int = 1

    def add(self, grown: np.ndarray, covered_ns: int, *, tariff: int, ratio: int, quality: Quality) -> None:
        """Take over what registers grew, shape (40,), in a part of the period."""
        for k in range(10):
            self.secondary[k] += int(grown[k])
            self.primary[k] += int(grown[k]) * ratio
        self.covered_ns += covered_ns
        self.ratio = ratio
        self.quality |= quality
        if tariff not in self.tariffs:
            self.tariffs.append(tariff)

    @property
    def complete(self) -> bool:
        """Whether all of it was measured."""
        return self.end_ns - self.start_ns - self.covered_ns <= COVERED

    def closed(self) -> Quality:
        """Its quality now that it has ended."""
        return self.quality if self.complete else self.quality | Quality.INCOMPLETE

    def power(self, k: int) -> float:
        """Mean power of a register's growth over the whole period, primary, W."""
        return self.primary[k] * 1e6 / (self.end_ns - self.start_ns)

    def state(self) -> list[Any]:
        """Plain values."""
        quality = int(self.quality)
        return [self.start_ns, self.end_ns, self.secondary, self.primary, self.covered_ns, self.tariffs, quality, self.ratio]

    @classmethod
    def restore(cls, state: list[Any]) -> Period:
        """A period that goes on from `state`."""
        start_ns, end_ns, secondary, primary, covered_ns, tariffs, quality, ratio = state
        return cls(start_ns, end_ns, list(secondary), list(primary), covered_ns, list(tariffs), Quality(quality), ratio)


class Maxima:
    """The largest mean powers of a billing period, when they were, and their sums over the periods before.

    Parameters
    ----------
    energies : sequence of str
        The ten total registers in their order.
    there : collection of str
        Those of them that the meter has: there are no maxima of the others.
    threshold : float, optional
        Secondary W; periods whose mean import is above it are counted.
    allow_incomplete : bool
        Whether a period that is not covered in full may make a maximum.
    """

    def __init__(self, energies: tuple[str, ...], there: Collection[str], threshold: float | None, allow_incomplete: bool) -> None:
        self._place = {name: energies.index(energy) for name, (energy, _) in MAXIMA.items() if energy in there}
        self._threshold, self._allow = threshold, allow_incomplete
        #: Primary W, and the end of the period, ns UTC.
        self.largest: dict[str, tuple[float, int]] = {}
        self.accumulated: dict[str, float] = {name: 0.0 for name in ACCUMULATED if name in self._place}
        self.above = 0
        #: Mean of P+ over the last period that was covered, W.
        self.last: float | None = None

    def take(self, period: Period) -> None:
        """A period has ended. One in which the tariff changed counts for no tariff; of two alike the first one stays."""
        if not (period.complete or self._allow):
            return
        only = period.tariffs[0] if len(period.tariffs) == 1 else None
        for name, place in self._place.items():
            power = period.power(place)
            if MAXIMA[name][1] in (0, only) and power > self.largest.get(name, (0.0, 0))[0]:
                self.largest[name] = (power, period.end_ns)
        self.last = period.power(0)
        if self._threshold is not None and period.secondary[0] * 1e6 > self._threshold * (period.end_ns - period.start_ns):
            self.above += 1

    def stop(self) -> None:
        """A billing period has ended: maxima are added to their sums, and begin anew."""
        for name in self.accumulated:
            self.accumulated[name] += self.largest.get(name, (0.0, 0))[0]
        self.largest = {}

    def state(self) -> dict[str, Any]:
        """Plain values, for `resume`."""
        largest = {name: list(v) for name, v in self.largest.items()}
        return {"largest": largest, "accumulated": dict(self.accumulated), "above": self.above, "last": self.last}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.largest = {name: (float(power), int(t)) for name, (power, t) in state["largest"].items()}
        self.accumulated, self.above, self.last = dict(state["accumulated"]), state["above"], state["last"]
