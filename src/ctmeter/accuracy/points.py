"""Points of a test: what is applied to the meter, and what is judged there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["DEFAULT_TEMPERATURE", "Point", "angle_of"]

#: Reference temperature, degrees C.
DEFAULT_TEMPERATURE = 23.0


def angle_of(factor: str, energy: str) -> float:
    """By how much the current lags the voltage, rad, at a factor such as "0.5 ind": cos phi, or sin phi of reactive energy.

    With reactive energy imported, "ind" is quadrant I and "cap" quadrant II.

    Examples
    --------
    >>> round(math.degrees(angle_of("0.8 cap", "active")), 2), round(math.degrees(angle_of("0.5 cap", "reactive")), 9)
    (-36.87, 150.0)
    """
    number, _, kind = factor.partition(" ")
    if energy == "active":
        return math.acos(float(number)) * (-1 if kind == "cap" else 1)
    angle = math.asin(float(number))
    return math.pi - angle if kind == "cap" else angle


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of a test plan.

    Parameters
    ----------
    test : str
        "load", "voltage", "frequency", "temperature", "sequence", "unbalance", "harmonic", "odd-harmonics", "sub-harmonics", "dc",
        "repeatability", "map".
    I : float
        A, rms; over whole bursts where the current comes in bursts. NaN where it is not known, as it may be of bench data.
    U : float
        V.
    f : float
        Hz.
    factor : str
        cos phi, of reactive energy sin phi, such as "0.5 ind"; "" where it is not known.
    load : {"balanced", "L1", "L2", "L3"}
    direction : {"import", "export"}
    energy : {"active", "reactive"}
    temperature : float
        Degrees C.
    missing : tuple of str
        Phases without voltage.
    limit : float or None
        %; of the error, or of its change where there is a `reference`.
    standard, tag : str
        Where the limit comes from.
    reference : str
        Id of the point from which the change is counted.
    """

    test: str
    I: float
    U: float
    f: float
    factor: str = "1"
    load: str = "balanced"
    direction: str = "import"
    energy: str = "active"
    temperature: float = DEFAULT_TEMPERATURE
    missing: tuple[str, ...] = ()
    limit: float | None = None
    standard: str = ""
    tag: str = ""
    reference: str = ""
    extra: str = field(default="")

    @property
    def id(self) -> str:
        """A name that no other point of the plan has."""
        parts = [
            self.test,
            self.energy,
            self.direction,
            self.load,
            self.factor.replace(" ", "") or "no-factor",
            f"{self.I:.6g}A" if math.isfinite(self.I) else "no-current",
            f"{self.U:.6g}V",
            f"{self.f:.6g}Hz",
        ]
        if self.temperature != DEFAULT_TEMPERATURE:
            parts.append(f"{self.temperature:+g}C")
        parts += [f"no-{p}" for p in self.missing]
        return "/".join(parts + ([self.extra] if self.extra else []))

    @property
    def phi(self) -> float:
        """By how much the current lags the voltage, rad."""
        return angle_of(self.factor, self.energy) + (math.pi if self.direction == "export" else 0.0) if self.factor else math.nan

    @property
    def pf(self) -> float:
        """The cos phi of the fundamental, with the sign of the active power."""
        cos = math.cos(self.phi)
        return 0.0 if abs(cos) < 1e-12 else cos

    @property
    def register(self) -> str:
        """The energy register that the point is about."""
        return ("A" if self.energy == "active" else "R") + ("+" if self.direction == "import" else "-")

    def to_dict(self) -> dict[str, Any]:
        """What was applied, as plain values of the public result."""
        return {
            "id": self.id,
            "test": self.test,
            "I": self.I if math.isfinite(self.I) else None,
            "U": self.U,
            "f": self.f,
            "PF": round(self.pf, 12) if self.factor else None,
            "factor": self.factor or None,
            "load": self.load,
            "direction": self.direction,
            "energy": self.energy,
            "temperature": self.temperature,
            "missing": list(self.missing),
        }
