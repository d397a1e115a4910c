"""Recordings of a test bench, measured, beside what the reference standard said of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .reference import PHASES, QUANTITIES, Statement

if TYPE_CHECKING:
    from ..pipeline import Result

__all__ = ["Measured", "Window", "measured"]

_WS_PER_KWH = 3.6e6
#: References of one energy that differ by more, %, contradict each other; the stated uncertainty comes on top.
_AGREE = 0.05
_PULSES = "pulse_times"
_LINES = ("U_L12", "U_L23", "U_L31")
#: Part of a cycle at the end of a recording that is left out of mean powers.
_PART = 0.01


@dataclass(frozen=True)
class Window:
    """A time that was measured.

    Parameters
    ----------
    power : mapping of phase to complex
        Mean P + jQ, W and var, "" for the total.
    seconds : float
        That were integrated.
    lost : int
        Samples that are missing or were excluded.
    holes : mapping of channel to int
        Samples that are no numbers, of single channels: their power is too small.
    """

    power: Mapping[str, complex]
    seconds: float
    lost: int = 0
    holes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A recording of the bench, measured.

    Parameters
    ----------
    statement : Statement
    whole : Window
        The whole recording.
    cycles : Window
        Its whole cycles, over which mean powers are those of a steady load; the same where it ends with one.
    pulsed : Window or None
        What lies between the first and the last pulse of the reference.
    rms : mapping of role to float
        V and A.
    f : float
        Hz; NaN where no fundamental was followed.
    """

    statement: Statement
    whole: Window
    cycles: Window
    pulsed: Window | None
    rms: Mapping[str, float]
    f: float

    @property
    def carrying(self) -> tuple[str, ...]:
        """The phases in which current flows."""
        top = max(self.rms.get(f"I_{p}", 0.0) for p in PHASES)
        return tuple(p for p in PHASES if self.rms.get(f"I_{p}", 0.0) > 0.05 * top)

    def voltage(self, missing: Sequence[str] = ()) -> float | None:
        """Its mean voltage, V, phase to neutral, without the phases that are missing; of three wires that of its line voltages."""
        found = [v for p in PHASES if (v := self.rms.get(f"U_{p}")) is not None and p not in missing]
        found = found or [v / math.sqrt(3) for name in _LINES if (v := self.rms.get(name)) is not None]
        return math.fsum(found) / len(found) if found else None

    @property
    def load(self) -> str:
        """ "balanced", or the only phase that is loaded, as stated, else as it carries current."""
        return self.statement.text["load"] or (self.carrying[0] if len(self.carrying) == 1 else "balanced")

    def reference(self, energy: str, suffix: str = "") -> tuple[float, Window] | None:
        """The reference's mean power with its sign, W or var, and the time it is the mean of; None where it said none."""
        for name, value in self.statement.sources(energy, suffix).items():
            return self._power(name, value)
        return None

    def true_power(self, energy: str, suffix: str = "") -> float | None:
        """The reference's mean power with its sign, W or var; None where it said none."""
        found = self.reference(energy, suffix)
        return None if found is None else found[0]

    def error(self, energy: str) -> float | None:
        """The error, %; None without a reference, or with one of zero."""
        found = self.reference(energy)
        return None if found is None or not found[0] else _error(energy, *found)

    def faults(self) -> list[str]:
        """What of the row cannot hold together with the recording."""
        name, faults = self.statement.name, []
        if self.pulsed is not None and self.pulsed.lost:
            faults.append(f"{name}: {self.pulsed.lost} samples between the pulses are missing or excluded, their energy cannot be compared")
        for channel, number in self.whole.holes.items():
            faults.append(f"{name}: {number} samples of {channel} are no numbers, its power cannot be compared")
        for energy in ("active", "reactive"):
            sources = self.statement.sources(energy)
            integrals = [n for n in sources if n.startswith("energy")]
            if integrals and self.whole.lost:
                faults.append(
                    f"{name}: {self.whole.lost} samples are missing or excluded, {integrals[0]} of the whole recording cannot be compared "
                    "(expected power_W or power_var)"
                )
            powers = {n: self._power(n, v) for n, v in sources.items()}
            errors = {n: _error(energy, *p) for n, p in powers.items() if p[0]}
            allowed = _AGREE + self.statement.values.get("uncertainty_pct", 0.0)
            if errors and max(errors.values()) - min(errors.values()) > allowed:
                unit = "W" if energy == "active" else "var"
                words = ", ".join(f"{n} stands for {powers[n][0]:.6g} {unit}" for n in sources)
                faults.append(f"{name}: the references of {energy} energy contradict each other: {words} (expected agreement within {allowed:g} %)")
        return faults

    def _power(self, name: str, value: float) -> tuple[float, Window]:
        if name == _PULSES:
            times = self.statement.pulses
            # whole pulses between the first and the last
            power = (len(times) - 1) * _WS_PER_KWH / value / (times[-1] - times[0])
            return (-power if self.statement.text["direction"] == "export" else power), self.pulsed or self.whole
        is_power = next(p for n, (_, p) in QUANTITIES.items() if name.startswith(n))
        return (value, self.cycles) if is_power else (3600 * value / self.whole.seconds, self.whole)


def _error(energy: str, true: float, window: Window) -> float:
    total = window.power[""]
    return 100 * ((total.real if energy == "active" else total.imag) / true - 1)


def measured(statement: Statement, settings: Any, more: Mapping[str, Any]) -> Measured:
    """Measure the recording of a row, its whole cycles, and where there are pulses the time between the first and the last one.

    Raises
    ------
    InputError
        It cannot be read or measured, or has no voltages or currents.
    """
    from ..pipeline import measure

    def of(times: tuple[float, float] | None) -> Result:
        return measure(statement.recording, settings, time_range=times, spectra="none", snippets=False, **more)

    result = of(None)
    whole = _window(result, statement)
    names = [*(f"{q}_{p}" for q in "UI" for p in PHASES), *_LINES]
    rms = {name: float(v) for name in names if (v := result.mean.get(name)) is not None}
    if not any(k[0] == "I" for k in rms):
        seconds = result.summary["recording"]["duration_s"]
        raise InputError(f"has no current that could be measured in its {seconds:.4g} s", path=statement.recording)
    pulsed = None
    if statement.pulses:
        first, last = statement.pulses[0], statement.pulses[-1]
        if last > result.summary["recording"]["duration_s"] * (1 + 1e-9):
            raise InputError(
                f"its last pulse is at {last:.6g} s, the recording ends at {result.summary['recording']['duration_s']:.6g} s",
                path=statement.recording,
            )
        pulsed = _window(of((first, last)), statement)
    f = math.nan if (mean := result.mean.get("f")) is None else float(mean)
    cycles = whole
    count = whole.seconds * f
    # of one phase alone the power pulsates: a quarter of a cycle too many is a large error
    if math.isfinite(count) and count > 1 and not whole.lost and abs(count - round(count)) > _PART:
        cycles = _window(of((0.0, math.floor(count) / f)), statement)
    return Measured(statement, whole, cycles, pulsed, rms, f)


def _window(result: Result, statement: Statement) -> Window:
    """Mean powers from the energies of the registers."""
    quality, rate = result.summary["quality"], result.summary["recording"]["sample_rate_hz"]
    if not rate:
        raise InputError("has several sample rates", path=statement.recording, expected="a recording of one point of the test")
    seconds = quality["integrated"] / rate
    power: dict[str, complex] = {}
    for suffix in ("", *(f"_{p}" for p in PHASES)):
        parts = [result.energy.get(k + suffix) for k in ("A+", "A-", "R+", "R-")]
        if seconds and all(p is not None for p in parts):
            a, b, c, d = (3600 / seconds * (p or 0.0) for p in parts)
            power[suffix.lstrip("_")] = complex(a - b, c - d)
    if "" not in power:
        raise InputError("has no power: voltages or currents are missing", path=statement.recording)
    lost = quality["gaps"] + sum(n for reason, n in quality["excluded"].items() if reason != "outside the time range")
    return Window(power, seconds, lost, {k: n for k, n in quality["not_finite"].items() if n})
