"""Energy registers: whole millijoules that are never reset, exact at any size.

A float near 10 million kWh cannot hold the energy of one cycle of a small load; an integer of
millijoules and the fraction below it can. The secondary energy is the one that is accumulated; what
primary energy it stands for follows from the ratio in force while it was.

References
----------
EN 50470-3:2006
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..errors import InputError
from ..quantity import energy_keys

__all__ = ["KEYS", "ROLL_OVER", "TARIFFED", "TARIFFS", "RatioEpoch", "Registers", "existing", "roll_overs"]

#: Every energy register: totals, then of L1, L2 and L3.
KEYS = energy_keys()
#: Registers that are kept for each tariff too, and those tariffs.
TARIFFED, TARIFFS = ("A+", "R+"), (1, 2, 3, 4)
#: Where a display of seven digits begins again: 10^7 kWh, in mWs.
ROLL_OVER = 10**7 * 3_600_000_000
_MILLI = 1000.0
#: Places of R+, its parts R1 and R2, and of R-, R3 and R4, in each block of ten.
_SUMS = ((2, 4, 5), (3, 6, 7))
#: What exists for each energy type of the hardware code.
_EXISTING = {1: ("A+", "E+"), 2: ("A+", "A-", "E+", "E-"), 3: ("A+", "R+", "R1", "R2", "E+"), 4: KEYS[:10]}


def existing(energy_type: int) -> tuple[str, ...]:
    """The total registers that a meter of this energy type has (1 A+, 2 A+/A-, 3 A+/R+, 4 all)."""
    return _EXISTING[energy_type]


def roll_overs(units: int) -> int:
    """How often a display of 10^7 kWh has begun again at so many mWs."""
    return units // ROLL_OVER


@dataclass(frozen=True)
class RatioEpoch:
    """From when on a transformer ratio holds, and where the secondary registers stood then.

    Parameters
    ----------
    t_ns : int or None
        ns UTC; None for the first one.
    ratio : int
    secondary, primary : mapping of register name to int
        mWs and the like; registers not named stood at 0.
    """

    t_ns: int | None
    ratio: int
    secondary: Mapping[str, int]
    primary: Mapping[str, int]


class Registers:
    """Every energy register of a meter.

    Parameters
    ----------
    energy_type : int
        1 to 4, see `existing`; what a register that does not exist would have taken is counted apart.
    ratio : int
        Of the current transformers.
    phases : bool
        Whether there are registers of each phase; a meter of three wires has none.

    Notes
    -----
    `R+` is the sum of `R1` and `R2`, `R-` that of `R3` and `R4`, to the unit; so are the tariffs of a register
    to the register.
    """

    def __init__(self, energy_type: int, ratio: int, *, phases: bool = True) -> None:
        names = existing(energy_type)
        self._exists = np.array([k.split("_")[0] in names and (phases or "_" not in k) for k in KEYS])
        self._value = [0] * len(KEYS)
        self._tariff = {name: [0] * len(TARIFFS) for name in TARIFFED}
        self._unregistered = [0] * len(KEYS)
        self._remainder = np.zeros(len(KEYS))
        #: Remainders when the run began, and whole units that it has given so far.
        self._base, self._given = np.zeros(len(KEYS)), np.zeros(len(KEYS), np.int64)
        self._epochs = [RatioEpoch(None, ratio, {}, {})]

    def begin(self) -> None:
        """A run of the engine begins: its energies count from 0."""
        self._base, self._given = self._remainder.copy(), np.zeros(len(KEYS), np.int64)

    def grow(self, energy: np.ndarray) -> np.ndarray:
        """The whole units that energies of a run are worth, row by row; what is left over is kept.

        Parameters
        ----------
        energy : ndarray, float64, shape (n, 40)
            Ws, vars, VAs since the run began.

        Returns
        -------
        ndarray, int64, shape (n, 40)
            mWs and the like, grown in each row. They are not in the registers before `add`.

        Raises
        ------
        InputError
            Energies beyond what 63 bits of mWs hold.
        """
        if not (np.abs(energy) < 9e15).all():
            raise InputError("energies too large for a register", expected="less than 9e15 Ws in one run")
        total = self._base + _MILLI * energy
        whole = np.floor(total).astype(np.int64)
        grown = np.diff(whole, axis=0, prepend=self._given[None])
        if len(energy):
            self._given, self._remainder = whole[-1], total[-1] - whole[-1]
        for block in range(0, len(KEYS), 10):
            for total_at, a, b in _SUMS:
                grown[:, block + total_at] = grown[:, block + a] + grown[:, block + b]
                self._remainder[block + total_at] = self._remainder[block + a] + self._remainder[block + b]
        return grown

    def add(self, grown: np.ndarray, tariff: int) -> None:
        """Add whole units, shape (40,), in a tariff from 1 to 4."""
        for k, n in enumerate(grown.tolist()):
            (self._value if self._exists[k] else self._unregistered)[k] += n
        for name in TARIFFED:
            k = KEYS.index(name)
            if self._exists[k]:
                self._tariff[name][tariff - 1] += int(grown[k])

    def names(self) -> tuple[str, ...]:
        """Registers that exist, those of the tariffs (`A+_T1`) too."""
        energies = tuple(k for k, there in zip(KEYS, self._exists, strict=True) if there)
        return energies + tuple(f"{name}_T{t}" for name in TARIFFED if name in energies for t in TARIFFS)

    def value(self, name: str, side: str = "secondary") -> int:
        """mWs, mvars or mVAs of a register such as `A+`, `R2_L1` or `A+_T3`.

        On the primary side each unit counts times the ratio in force when it was added.
        """
        head, _, tail = name.partition("_T")
        units = self._tariff[head][int(tail) - 1] if tail else self._value[KEYS.index(name)]
        if side == "secondary":
            return units
        last = self._epochs[-1]
        return last.primary.get(name, 0) + last.ratio * (units - last.secondary.get(name, 0))

    def remainder(self, name: str) -> float:
        """The fraction of a unit that is not in the register yet, secondary; of `R+` and `R-` the sum of their parts'."""
        return float(self._remainder[KEYS.index(name)])

    def unregistered(self) -> dict[str, int]:
        """MWs that registers which do not exist would have taken, by name; without those of which there is nothing."""
        return {k: n for k, n in zip(KEYS, self._unregistered, strict=True) if n}

    @property
    def ratio(self) -> int:
        """The transformer ratio in force."""
        return self._epochs[-1].ratio

    @property
    def epochs(self) -> tuple[RatioEpoch, ...]:
        """Every ratio there was, the first one first."""
        return tuple(self._epochs)

    def change_ratio(self, t_ns: int, ratio: int) -> RatioEpoch:
        """From now on another ratio; nothing that was added changes."""
        names = self.names()
        epoch = RatioEpoch(t_ns, ratio, {n: self.value(n) for n in names}, {n: self.value(n, "primary") for n in names})
        self._epochs.append(epoch)
        return epoch

    def state(self) -> dict[str, Any]:
        """Plain values, for `restore`."""
        return {
            "value": list(self._value),
            "tariff": {name: list(values) for name, values in self._tariff.items()},
            "unregistered": list(self._unregistered),
            "remainder": self._remainder.tolist(),
            "base": self._base.tolist(),
            "given": self._given.tolist(),
            "epochs": [[e.t_ns, e.ratio, dict(e.secondary), dict(e.primary)] for e in self._epochs],
        }

    @classmethod
    def restore(cls, energy_type: int, state: Mapping[str, Any], *, phases: bool = True) -> Self:
        """Registers that go on from `state`."""
        made = cls(energy_type, 1, phases=phases)
        made._value, made._unregistered = list(state["value"]), list(state["unregistered"])
        made._tariff = {name: list(values) for name, values in state["tariff"].items()}
        made._remainder, made._base = np.array(state["remainder"]), np.array(state["base"])
        made._given = np.array(state["given"], np.int64)
        made._epochs = [RatioEpoch(*e) for e in state["epochs"]]
        return made
