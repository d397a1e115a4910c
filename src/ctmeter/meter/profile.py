"""The load profile's channels and depth, and the analysis logger.

References
----------
IEC 62056-61:2006
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import SettingsError
from ..quantity import QUANTITIES, Rule, energy_keys

__all__ = ["MOST_REGISTERS", "PROFILE_CHANNELS", "Analysis", "capacity", "depth_days", "depth_of", "parse_register"]

#: Channels a load profile can have, in the order of their columns.
PROFILE_CHANNELS = ("A+", "A-", "R+", "R-", "R1", "R2", "R3", "R4")
#: Memory of the profile, bytes, and what a record takes beside 4 bytes for each channel. The sheet gives days only;
#: these are the only numbers (within 0.03 %) that make all eighteen of them.
_MEMORY, _OVERHEAD = 587_700, 18
#: The Austrian rule: at most 60 days of 15 minutes.
_AUSTRIA_DAYS, _AUSTRIA_MINUTES = 60, 15
#: Registers that the analysis logger keeps at most.
MOST_REGISTERS = 24


def capacity(channels: int) -> int:
    """Records that the meter's memory holds."""
    return _MEMORY // (_OVERHEAD + 4 * channels)


def depth_days(channels: int, minutes: int) -> int:
    """Whole days that the load profile of so many channels and minutes goes back.

    Examples
    --------
    >>> depth_days(4, 15)
    180
    """
    return capacity(channels) // (1440 // minutes)


def depth_of(depth: str | int, channels: int, minutes: int, country: str = "") -> int | None:
    """Records to keep; None for all.

    Parameters
    ----------
    depth : "sheet", "unlimited" or int
    country : str
        "AT" for the Austrian rule.

    Raises
    ------
    SettingsError
        No such depth, or another period than 15 min in Austria.
    """
    if country == "AT":
        if minutes != _AUSTRIA_MINUTES:
            raise SettingsError(f"period: {minutes} min, expected 15 in Austria")
        return _AUSTRIA_DAYS * 1440 // minutes
    if depth == "unlimited":
        return None
    if depth == "sheet":
        return capacity(channels)
    if isinstance(depth, int) and depth > 0:
        return depth
    raise SettingsError(f'profile_depth: {depth!r}, expected "sheet", "unlimited" or a number of records')


_KINDS = ("min", "max")
#: Import and export apart.
_DIRECTED = {"P+": ("P", 1.0), "P-": ("P", -1.0), "Q+": ("Q", 1.0), "Q-": ("Q", -1.0), "S+": ("S", 1.0), "S-": ("S", -1.0)}
#: Columns that may be logged, and how their means are made.
_RULES = {
    column: q.rule
    for q in QUANTITIES
    if "cycle" in q.tables or q.name in ("DPF", "U1", "I1", "u2", "u0", "i2", "i0")
    for column in q.columns
    if q.rule in (Rule.MEAN, Rule.RMS, Rule.PHASOR_MAGNITUDE)
} | dict.fromkeys(_DIRECTED, Rule.MEAN)


def parse_register(name: str) -> tuple[str, str]:
    """Column and kind ("mean", "min" or "max", "energy") of a register of the analysis logger, such as "U_L1", "I_L1_max" or "A+".

    Raises
    ------
    SettingsError
        No quantity of the meter's rows.
    """
    if name in energy_keys():
        return name, "energy"
    head, _, tail = name.rpartition("_")
    column, kind = (head, tail) if tail in _KINDS else (name, "mean")
    if column not in _RULES:
        raise SettingsError(f"analysis_registers: {name!r} is no quantity that the meter has, expected such as P+, U_L1 or I_L1_max")
    return column, kind


def _values(means: Mapping[str, np.ndarray], column: str) -> np.ndarray | None:
    if column not in _DIRECTED:
        return means.get(column)
    source, sign = _DIRECTED[column]
    if source == "S":
        # by the direction of P, a tie is import
        return np.where((means["P"] >= 0) == (sign > 0), means["S"], 0.0 * means["P"]) if {"P", "S"} <= means.keys() else None
    return np.maximum(sign * means[source], 0.0) if source in means else None


class Analysis:
    """The running interval of the analysis logger: means, least and largest values of the meter's rows.

    Parameters
    ----------
    registers : sequence of str
        At most 24, see `parse_register`.

    Raises
    ------
    SettingsError
        One too many, which it names, or an unknown one.
    """

    def __init__(self, registers: Sequence[str]) -> None:
        if len(registers) > MOST_REGISTERS:
            raise SettingsError(f"analysis_registers: {registers[MOST_REGISTERS]!r} is one too many, expected at most {MOST_REGISTERS}")
        self.registers = tuple(registers)
        self._parsed = [parse_register(name) for name in registers]
        self._clear()

    def _clear(self) -> None:
        n = len(self.registers)
        self._weight, self._sum = [0.0] * n, [0.0] * n
        self._least, self._largest = [math.inf] * n, [-math.inf] * n

    def add(self, means: Mapping[str, np.ndarray], seconds: np.ndarray) -> None:
        """Rows of one part of the interval, and how long each is, s."""
        for k, (column, _) in enumerate(self._parsed):
            values = _values(means, column)
            if values is None:
                continue
            there = np.isfinite(values)
            if not there.any():
                continue
            x, w = values[there], seconds[there]
            self._weight[k] += float(w.sum())
            self._sum[k] += float((w * (x * x if _RULES[column] is Rule.RMS else x)).sum())
            self._least[k], self._largest[k] = min(self._least[k], float(x.min())), max(self._largest[k], float(x.max()))

    def close(self, energies: Mapping[str, int] | None = None) -> list[float | None]:
        """The values of the interval that ends now, in the order of the registers, secondary; None where there are none.

        Parameters
        ----------
        energies : mapping of str to int, optional
            The registers now, mWs and the like; their values are in Wh, varh and VAh.
        """
        values: list[float | None] = []
        for k, (column, kind) in enumerate(self._parsed):
            if kind == "energy":
                units = (energies or {}).get(column)
                values.append(None if units is None else units / 3.6e6)
            elif not self._weight[k]:
                values.append(None)
            elif kind == "mean":
                mean = self._sum[k] / self._weight[k]
                values.append(math.sqrt(mean) if _RULES[column] is Rule.RMS else mean)
            else:
                values.append(self._least[k] if kind == "min" else self._largest[k])
        self._clear()
        return values

    def state(self) -> list[Any]:
        """Plain values, for `resume`; an extreme of nothing is None."""
        extremes = ([v if math.isfinite(v) else None for v in values] for values in (self._least, self._largest))
        return [self._weight, self._sum, *extremes]

    def resume(self, state: Sequence[Any]) -> None:
        """Go on from `state`."""
        self._weight, self._sum = list(state[0]), list(state[1])
        self._least = [math.inf if v is None else v for v in state[2]]
        self._largest = [-math.inf if v is None else v for v in state[3]]
