"""Corrections from bench data: gain, delay and errors against current of each channel, as a settings file.

Notes
-----
True power is the measured one times a complex number c, the same at every power factor. It is fitted to active
and, where the reference says them, reactive powers by least squares, for each current. A current input with ratio
error e and phase error d, leading, has c = exp(jd) / (1 + e).
"""

from __future__ import annotations

import cmath
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .reference import PHASES

if TYPE_CHECKING:
    from .recorded import Measured, Window

__all__ = ["estimate", "settings_text"]

#: Currents that agree to this are one level of a curve; frequencies further apart than this, Hz, tell a delay from a phase error.
_LEVEL, _APART = 0.03, 0.3


def estimate(measured: Sequence[Measured], i_n: float) -> dict[str, dict[str, Any]]:
    """The corrections that bench data ask for.

    Parameters
    ----------
    measured : sequence of Measured
        Without corrections.
    i_n : float
        A; the level nearest to it gives the gain, the others stand in the curve.

    Returns
    -------
    dict of role to table
        As the setting `corrections` takes it.

    Raises
    ------
    InputError
        No phase has data that determine a correction; or a level has only one power factor and no reactive reference.

    Notes
    -----
    Where the reference says no powers of phases, those of all phases under balanced load share one correction.
    """
    found: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for phase in PHASES:
        levels = _levels([m for m in measured if m.load in ("balanced", phase) and phase in m.whole.power and m.rms.get(f"I_{phase}")], phase)
        if not levels:
            continue
        gain_u = _voltage_gain(measured, phase)
        if gain_u is not None:
            found[f"U_{phase}"] = {"gain": gain_u}
        fitted: list[tuple[float, float, complex]] = []
        for members in levels:
            current = statistics.fmean(m.rms[f"I_{phase}"] for m in members)
            for f, same in _frequencies(members):
                c = _fit(same, phase)
                if c is None:
                    faults.append(f"{phase} at {current:.4g} A: one power factor and no reactive reference: its phase error cannot be told")
                else:
                    fitted.append((current, f, c / (gain_u or 1.0)))
        if fitted:
            found[f"I_{phase}"] = _table(fitted, i_n)
    if faults or not found:
        raise InputError("; ".join(faults) or "no recording has a reference that a correction could be found from")
    return found


def _levels(measured: Sequence[Measured], phase: str) -> list[list[Measured]]:
    """Recordings by current, rising."""
    levels: list[list[Measured]] = []
    for m in sorted(measured, key=lambda m: m.rms[f"I_{phase}"]):
        current = m.rms[f"I_{phase}"]
        if levels and current <= (1 + _LEVEL) * levels[-1][0].rms[f"I_{phase}"]:
            levels[-1].append(m)
        else:
            levels.append([m])
    return levels


def _frequencies(members: Sequence[Measured]) -> list[tuple[float, list[Measured]]]:
    """Recordings by frequency."""
    groups: list[list[Measured]] = []
    for m in sorted(members, key=lambda m: m.f):
        if groups and m.f - groups[-1][0].f <= _APART:
            groups[-1].append(m)
        else:
            groups.append([m])
    return [(statistics.fmean(m.f for m in g), g) for g in groups]


def _voltage_gain(measured: Sequence[Measured], phase: str) -> float | None:
    role = f"U_{phase}"
    gains = [m.statement.values[role] / m.rms[role] for m in measured if m.statement.values.get(role) and m.rms.get(role)]
    return statistics.fmean(gains) if gains else None


def _fit(members: Sequence[Measured], phase: str) -> complex | None:
    """The factor from measured to true powers; None where the data do not determine it."""
    rows, truths = [], []
    for m in members:
        own: list[tuple[float, Window] | None] = [m.reference(e, f"_{phase}") for e in ("active", "reactive")]
        name = phase
        if own == [None, None]:
            # the total is that of this phase alone, or of three that share their correction
            name, own = "", [m.reference(e) for e in ("active", "reactive")]
        # true P = a P - b Q, true Q = a Q + b P; every recording has the same weight
        for energy, found in zip(("active", "reactive"), own, strict=True):
            if found is not None:
                true, window = found
                power = window.power[name]
                row = (power.real, -power.imag) if energy == "active" else (power.imag, power.real)
                rows.append([x / abs(power) for x in row])
                truths.append(true / abs(power))
    if not rows:
        return None
    matrix = np.array(rows)
    if len(rows) < 2 or np.linalg.svd(matrix, compute_uv=False)[-1] < 0.05:
        return None
    a, b = np.linalg.lstsq(matrix, np.array(truths), rcond=None)[0]
    return complex(a, b)


def _table(fitted: Sequence[tuple[float, float, complex]], i_n: float) -> dict[str, Any]:
    """Gain, delay and curve of a current channel, from factors by current and frequency."""
    delay = _delay(fitted)
    levels: dict[float, list[complex]] = {}
    for current, f, c in fitted:
        levels.setdefault(current, []).append(c * cmath.exp(-2j * math.pi * f * delay))
    factors = {current: complex(np.mean(cs)) for current, cs in levels.items()}
    best = min(factors, key=lambda current: abs(math.log(current / i_n)))
    gain = abs(factors[best])
    if len(factors) == 1:
        frequency = fitted[0][1]
        phase = cmath.phase(factors[best])
        return {"gain": gain, "delay": delay + phase / (2 * math.pi * frequency)}
    # the curve is looked up by the current with the gain in it
    curve = [[gain * current, 100 * (gain / abs(c) - 1), math.degrees(cmath.phase(c)) * 60] for current, c in sorted(factors.items())]
    return {"gain": gain, **({"delay": delay} if delay else {}), "curve": curve}


def _delay(fitted: Sequence[tuple[float, float, complex]]) -> float:
    """What grows with the frequency in the phase errors of one current, as a time, s; 0 where one frequency was applied."""
    slopes = []
    for current in {c for c, _, _ in fitted}:
        points = [(f, cmath.phase(c)) for i, f, c in fitted if i == current]
        if len(points) > 1:
            f, phase = (np.array(x) for x in zip(*points, strict=True))
            slopes.append(float(np.polyfit(f - f.mean(), phase, 1)[0]) / (2 * math.pi))
    return statistics.fmean(slopes) if slopes else 0.0


def settings_text(corrections: Mapping[str, Mapping[str, Any]]) -> str:
    """Corrections as a settings file in TOML."""
    lines = ["# Corrections of a bench test; use with: ctmeter measure --config THIS-FILE", ""]
    for role, table in corrections.items():
        lines.append(f"[corrections.{role}]")
        for key, value in table.items():
            if key == "curve":
                lines.append("# A, ratio error in %, phase error in minutes of arc")
                lines.append("curve = [\n" + "".join(f"    [{a!r}, {b!r}, {c!r}],\n" for a, b, c in value) + "]")
            else:
                lines.append(f"{key} = {value!r}" + ("  # s" if key == "delay" else ""))
        lines.append("")
    return "\n".join(lines)
