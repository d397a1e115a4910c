"""The meter under test as its nameplate says it: class, range, voltage, frequency; and the limits that follow.

References
----------
EN 50470-3:2006
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import SettingsError
from .limit_rows import Limit, Row
from .limits import CONNECTIONS, EXPRESSION, Limits

__all__ = ["CLOSE", "DEFAULTS", "Rating", "rated"]

#: What holds of a meter where nobody says it: class, A, V phase to neutral, Hz.
DEFAULTS: dict[str, Any] = {"meter_class": "C", "i_n": 5.0, "u_n": 230.0, "f_n": 50.0}
#: Currents that agree to this are the same.
CLOSE = 1e-9


@dataclass(frozen=True)
class Rating:
    """A meter's rating.

    Parameters
    ----------
    meter_class, reactive_class : str
        Of active energy, and of reactive energy ("" for none).
    connection : {"transformer", "direct"}
    i_n, i_max : float
        A; for a direct meter `i_n` is the reference current.
    u_n : float
        V, phase to neutral.
    f_n : float
        Hz.
    limits : Limits
    """

    meter_class: str
    reactive_class: str
    connection: str
    i_n: float
    i_max: float
    u_n: float
    f_n: float
    limits: Limits

    def amperes(self, expression: str) -> float:
        """The current that an expression such as "0.05 In" means, A."""
        found = EXPRESSION.fullmatch(expression)
        if found is None:
            raise SettingsError(f"current {expression!r}, expected such as 'Imin' or '0.05 In'")
        factor = float(found["factor"] or 1.0) / (math.sqrt(2) if found["root"] else 1.0)
        symbol = found["symbol"]
        if symbol == "In":
            base = self.i_n
        elif symbol == "Imax":
            base = self.i_max
        else:
            base = self.amperes(self.limits.classes["active", self.meter_class].currents[symbol.lower(), self.connection])
        # the same current by another way is the same number
        return float(f"{factor * base:.12g}")

    def class_of(self, energy: str) -> str:
        """The class of an energy."""
        return self.meter_class if energy == "active" else self.reactive_class

    def rows(self, quantity: str, energy: str = "active") -> tuple[Row, ...]:
        """The rows of the tables that hold for this meter."""
        if not self.class_of(energy):
            return ()
        return self.limits.of_quantity(quantity, energy, self.class_of(energy), self.connection)

    def holds(self, row: Row, current: float) -> bool:
        """Whether a current is in the range of a row."""
        low, high = self.amperes(row.low), self.amperes(row.high)
        return low * (1 - CLOSE) <= current and (current <= high * (1 + CLOSE) if row.closed else current < high * (1 - CLOSE))

    def named(self, quantity: str, factor: str, load: str = "balanced", *, energy: str = "active") -> str:
        """The factor whose limits hold at a factor: itself where the tables name it, else the next smaller one of its kind; "" for none."""
        named = {f for row in self.rows(quantity, energy) if row.load == load for f in row.factors}
        if factor in named or not named:
            return factor
        number, _, kind = factor.partition(" ")
        smaller = [f for f in named if f.partition(" ")[2] == kind and float(f.partition(" ")[0]) < float(number)]
        return max(smaller, key=lambda f: float(f.partition(" ")[0]), default="")

    def limit(
        self, quantity: str, current: float, factor: str = "1", load: str = "balanced", *, energy: str = "active", band: str = ""
    ) -> Limit | None:
        """The limit at a point; None where the tables have none.

        Parameters
        ----------
        quantity : str
        current : float
            A.
        factor : str
            Such as "0.5 ind".
        load : {"balanced", "single"}
        energy : {"active", "reactive"}
        band : str
            Temperature band of a maximum permissible error.
        """
        for row in self.rows(quantity, energy):
            if row.load == load and row.band == band and (not row.factors or factor in row.factors) and self.holds(row, current):
                name = self.class_of(energy)
                return Limit(row.percent[name], row.standard, row.tags[name])
        return None

    def starting_current(self, energy: str = "active") -> float | None:
        """A; None where the tables have none."""
        found = self.limits.classes[energy, self.class_of(energy)].currents.get(("ist", self.connection))
        return None if found is None else self.amperes(found)

    def no_load_seconds(self, constant: float, elements: int = 3) -> float | None:
        """How long a no-load test takes at 115 % of the voltage, s; None where no rule is known.

        Parameters
        ----------
        constant : float
            imp/kWh.
        elements : int
            Measuring elements of the meter.
        """
        rule = self.limits.classes["active", self.meter_class].no_load
        start = self.starting_current()
        if not rule or start is None:
            return None
        if rule["rule"] == "EN 50470-3":
            return float(60 * rule["n"] * 1e3) / (constant * elements * 1.15 * self.u_n * start)
        return float(60 * rule["n"] * 1e6 / (constant * elements * self.u_n * self.i_max))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        currents = {s: self.amperes(s) for s in ("Ist", "Imin", "Itr", "In", "Imax")}
        return {
            "class": self.meter_class,
            "reactive_class": self.reactive_class or None,
            "standard": self.limits.classes["active", self.meter_class].standard,
            "connection": self.connection,
            "currents": currents,
            "u_n": self.u_n,
            "f_n": self.f_n,
        }


def rated(
    meter_class: str,
    i_n: float,
    *,
    i_max: float | None = None,
    u_n: float = 230.0,
    f_n: float = 50.0,
    connection: str = "transformer",
    reactive_class: str | None = None,
    limits: Limits,
) -> Rating:
    """A rating, checked.

    Raises
    ------
    SettingsError
        It names every fault.
    """
    faults = list(_faults({"in": i_n, "imax": i_max, "un": u_n, "fn": f_n}))
    known = limits.classes.get(("active", str(meter_class)))
    if known is None:
        faults.append(f"class: {meter_class!r} is none, there are {', '.join(limits.names())}")
    if connection not in CONNECTIONS:
        faults.append(f"connection: {connection!r}, expected {' or '.join(CONNECTIONS)}")
    elif known is not None and ("imin", connection) not in known.currents:
        faults.append(f"connection: class {known.name} of {known.standard} has no {connection} meters")
    reactive = reactive_class if reactive_class is not None else known.reactive if known else ""
    if reactive and ("reactive", reactive) not in limits.classes:
        faults.append(f"reactive class: {reactive!r} is none, there are {', '.join(limits.names('reactive'))}")
    if faults or known is None:
        raise SettingsError(faults)
    made = Rating(known.name, reactive, connection, float(i_n), float(i_max or 0), float(u_n), float(f_n), limits)
    least = made.amperes(known.currents["imax", connection])
    if i_max is None:
        made = replace(made, i_max=least)
    elif i_max < i_n:
        raise SettingsError(f"imax: {i_max:g} A is below In, {i_n:g} A")
    rows = (r for r in limits.rows if (r.energy, r.standard) in {("active", known.standard), ("active", known.mpe)} and known.name in r.percent)
    empty = [r for r in rows if r.connection in ("any", connection) and made.amperes(r.low) > (1 + CLOSE) * made.amperes(r.high)]
    if empty:
        raise SettingsError([f"limits: a row of {r.quantity} holds from {r.low} to {r.high}, which is no range of class {known.name}" for r in empty])
    return made


def _faults(numbers: Mapping[str, Any]) -> Iterable[str]:
    bounds = {"in": (0.0, 1e5, "A"), "imax": (0.0, 1e6, "A"), "un": (0.0, 1e6, "V"), "fn": (15.0, 65.0, "Hz")}
    for name, value in numbers.items():
        if value is None:
            continue
        low, high, unit = bounds[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low < value <= high:
            yield f"{name}: {value!r}, expected a number above {low:g} up to {high:g} {unit}"
