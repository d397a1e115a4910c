"""Bench data: recordings of a test bench against what its reference standard said.

Uncertainties follow the Guide to the expression of uncertainty in measurement: type A from repeats, type B from
what is stated of the reference, expanded with k = 2.
"""

from __future__ import annotations

import cmath
import math
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError, SettingsError
from ..settings import Settings
from .evaluate import Judged, verdict_of
from .frontend import FrontEnd
from .points import DEFAULT_TEMPERATURE, Point, angle_of
from .rating import Rating
from .reference import PHASES, Statement, read_reference
from .report import Report
from .rig import Reading

if TYPE_CHECKING:
    from ..pipeline import Result

__all__ = ["Measured", "bench", "expanded"]

#: Power factors that a measured one is taken for, within so many rad.
_FACTORS = {"active": ("1", "0.5 ind", "0.8 cap", "0.25 ind", "0.5 cap"), "reactive": ("1", "0.5 ind", "0.5 cap", "0.25 ind", "0.25 cap")}
_NEAR = 0.03
_KILO = 1000.0


@dataclass(frozen=True)
class Measured:
    """A recording of the bench, measured.

    Parameters
    ----------
    statement : Statement
    power : mapping of phase to complex
        P + jQ, W and var, "" for the total.
    rms : mapping of role to float
        V and A.
    f : float
        Hz.
    seconds : float
        Of the recording that were integrated.
    """

    statement: Statement
    power: Mapping[str, complex]
    rms: Mapping[str, float]
    f: float
    seconds: float

    @property
    def load(self) -> str:
        """ "balanced", or the only phase that carries current."""
        if self.statement.text["load"]:
            return self.statement.text["load"]
        top = max(self.rms.get(f"I_{p}", 0.0) for p in PHASES)
        carrying = [p for p in PHASES if self.rms.get(f"I_{p}", 0.0) > 0.05 * top]
        return carrying[0] if len(carrying) == 1 else "balanced"

    @property
    def current(self) -> float:
        """The current of the loaded phases, A."""
        phases = PHASES if self.load == "balanced" else (self.load,)
        return statistics.fmean(self.rms[f"I_{p}"] for p in phases if f"I_{p}" in self.rms)

    def true_power(self, energy: str, suffix: str = "") -> float | None:
        """The reference's mean power with its sign, W or var; None where it said none."""
        found = self.statement.reference(energy, suffix)
        if found is None:
            return None
        value, power = found
        times = self.statement.pulses
        if times and energy == "active" and not suffix and "power_W" not in self.statement.values and "energy_Wh" not in self.statement.values:
            # whole pulses between the first and the last
            value = (len(times) - 1) * _KILO * 3600 / self.statement.values["constant"] / (times[-1] - times[0])
        elif not power:
            value *= 3600 / self.seconds
        return -abs(value) if self.statement.text["direction"] == "export" else value

    def error(self, energy: str) -> float | None:
        """The error, %; None without a reference."""
        true = self.true_power(energy)
        found = self.power[""]
        return None if not true else 100 * ((found.real if energy == "active" else found.imag) / true - 1)


def expanded(errors: Sequence[float], stated: float) -> float | None:
    """Expanded uncertainty (k = 2) of a mean, %, from its scatter (type A) and the reference's stated one (type B, k = 2).

    Parameters
    ----------
    errors : sequence of float
        %; a single one has no scatter, and none is claimed.
    stated : float
        %, expanded with k = 2.

    Examples
    --------
    >>> round(expanded([0.1, 0.3], 0.04), 6)
    0.203961
    """
    type_a = statistics.stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else 0.0
    total = 2 * math.hypot(type_a, stated / 2)
    return total if len(errors) > 1 or stated else None


def bench(
    recordings: str | os.PathLike[str],
    reference: str | os.PathLike[str],
    rating: Rating,
    *,
    settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    corrections: Mapping[str, Any] | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Report, tuple[Measured, ...]]:
    """Errors of the recordings of a bench.

    Parameters
    ----------
    recordings : path
        Directory.
    reference : path
        CSV; `docs/accuracy-verification.md` has its columns.
    rating : Rating
    settings : Settings, mapping or path, optional
        How to measure.
    corrections : mapping, optional
        Replace those of the settings.
    progress : callable, optional
        Gets the share that is done.

    Returns
    -------
    report : Report
        One point for each condition, its error the mean.
    measured : tuple of Measured

    Raises
    ------
    InputError
        It names every fault: rows and recordings without each other, references of zero, currents out of range.
    """
    from ..pipeline import measure

    statements, faults = read_reference(reference, recordings)
    more: dict[str, Any] = {} if corrections is None else {"corrections": corrections}
    found: list[Measured] = []
    for number, statement in enumerate(statements, 1):
        limits = (statement.pulses[0], statement.pulses[-1]) if statement.pulses else None
        try:
            result = measure(statement.recording, settings, time_range=limits, spectra="none", snippets=False, **more)
            found.append(_measured(statement, result))
        except InputError as error:
            faults.append(str(error))
        if progress is not None:
            progress(number / len(statements))
    low, high = rating.amperes("Ist"), rating.i_max
    for m in found:
        current = m.statement.values.get("I", m.current)
        if not 0.99 * low <= current <= 1.01 * high:
            name = m.statement.recording.name
            faults.append(f"{name}: its current of {current:.4g} A is outside the range of {low:g} to {high:g} A")
        faults += [f"{m.statement.recording.name}: the reference power is zero" for e in ("active", "reactive") if m.true_power(e) == 0]
    if faults:
        raise InputError("; ".join(dict.fromkeys(faults)), expected="a reference for every recording, and currents of the meter's range")
    return _report(rating, found), tuple(found)


def _measured(statement: Statement, result: Result) -> Measured:
    """Powers from the energies of the registers."""
    quality = result.summary["quality"]
    seconds = quality["integrated"] / result.summary["recording"]["sample_rate_hz"]
    power: dict[str, complex] = {}
    for suffix in ("", *(f"_{p}" for p in PHASES)):
        parts = [result.energy.get(k + suffix) for k in ("A+", "A-", "R+", "R-")]
        if all(p is not None for p in parts):
            a, b, c, d = (3600 / seconds * (p or 0.0) for p in parts)
            power[suffix.lstrip("_")] = complex(a - b, c - d)
    if "" not in power or not seconds:
        raise InputError("has no power: voltages or currents are missing", path=statement.recording)
    rms = {f"{q}_{p}": float(v) for q in "UI" for p in PHASES if (v := result.mean.get(f"{q}_{p}")) is not None}
    if not any(k[0] == "I" for k in rms):
        raise InputError("has no current", path=statement.recording)
    return Measured(statement, power, rms, float(result.mean.get("f") or math.nan), seconds)


def _point(m: Measured, energy: str, rating: Rating) -> Point:
    """The nominal point of a recording: what the reference file says, else what is near."""
    text, values = m.statement.text, m.statement.values
    total = m.power[""]
    direction = text["direction"] or ("import" if (total.real if energy == "active" else total.imag) >= 0 else "export")
    factor = text["factor"] or _nearest(total if direction == "import" else -total, energy)
    current = values.get("I", m.current)
    load = m.load
    found = rating.limit("error", current, factor, "balanced" if load == "balanced" else "single", energy=energy)
    voltages = [m.rms[k] for k in (f"U_{p}" for p in PHASES) if k in m.rms] or [rating.u_n]
    return Point(
        test="bench",
        I=current,
        U=values.get("U", _nominal(statistics.fmean(voltages), rating.u_n, 0.01)),
        f=values.get("f", _nominal(m.f, rating.f_n, 0.003)),
        factor=factor,
        load=load,
        direction=direction,
        energy=energy,
        temperature=values.get("temperature", DEFAULT_TEMPERATURE),
        limit=None if found is None else found.percent,
        standard="" if found is None else found.standard,
        tag="" if found is None else found.tag,
        extra=text["point"] or (m.statement.recording.stem if "I" not in values else ""),
    )


def _nominal(value: float, reference: float, tolerance: float) -> float:
    """The reference value where it is met within the tolerance of reference conditions, else the nearest percent of it."""
    share = value / reference
    return reference if abs(share - 1) <= tolerance else float(f"{round(share, 2) * reference:.12g}")


def _nearest(power: complex, energy: str) -> str:
    """The factor that a power stands for; its own number where none is near."""
    for factor in _FACTORS[energy]:
        if abs(cmath.phase(power * cmath.exp(-1j * angle_of(factor, energy)))) < _NEAR:
            return factor
    value = (power.real if energy == "active" else power.imag) / abs(power)
    kind = "ind" if (power.imag if energy == "active" else power.real) >= 0 else "cap"
    return f"{min(max(value, 0.0), 1.0):.3f} {kind}"


def _groups(rating: Rating, measured: Iterable[Measured]) -> dict[str, list[tuple[Measured, Point]]]:
    groups: dict[str, list[tuple[Measured, Point]]] = {}
    for m in measured:
        for energy in ("active", "reactive"):
            if m.true_power(energy):
                point = _point(m, energy, rating)
                name = m.statement.text["point"]
                groups.setdefault(f"{energy} {name}" if name else point.id, []).append((m, point))
    return groups


def _report(rating: Rating, measured: Sequence[Measured]) -> Report:
    judged = []
    for members in _groups(rating, measured).values():
        first = members[0][1]
        errors = [e for m, p in members if (e := m.error(p.energy)) is not None]
        mean = statistics.fmean(errors)
        stated = max(m.statement.values.get("uncertainty_pct", 0.0) for m, _ in members)
        true = statistics.fmean(m.true_power(first.energy) or 0.0 for m, _ in members)
        reading = Reading(first, mean, expanded(errors, stated), true, true * (1 + mean / 100))
        judged.append(Judged(reading, mean, verdict_of(mean, first.limit), tuple(errors)))
    untested = {"verdict": None}
    if not judged:
        raise SettingsError("reference: no row has a power or an energy")
    return Report(rating, FrontEnd(name="bench", title="recordings of a test bench"), tuple(judged), (), untested, untested, untested)
