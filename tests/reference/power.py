"""Powers by their definitions over whole cycles, IEEE 1459."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping

from reference.signal import Sampled
from reference.spectra import phasor

Window = tuple[float, float]


def power(u: Sampled, i: Sampled, window: Window) -> float:
    """Active power: the mean of u i."""
    return u.mean(*window, factor=i)


def reactive(u: Sampled, i: Sampled, f: float, window: Window) -> float:
    """Q of the fundamental, positive where the current lags while importing."""
    return (phasor(u, f, *window) * phasor(i, f, *window).conjugate()).imag


def dpf(u: Sampled, i: Sampled, f: float, window: Window) -> float:
    """Cosine of the fundamentals' angle, with the sign of their power."""
    s = phasor(u, f, *window) * phasor(i, f, *window).conjugate()
    return s.real / abs(s)


def quarter_shift(u: Sampled, i: Sampled, f: float, window: Window) -> float:
    """Mean of the current times the voltage of a quarter of a cycle before."""
    return i.mean(*window, factor=lambda t: u(t - 0.25 / f))


def budeanu(u: Sampled, i: Sampled, f: float, window: Window, highest: int) -> float:
    """Sum over the orders of U I sin(phi)."""
    return math.fsum((phasor(u, h * f, *window) * phasor(i, h * f, *window).conjugate()).imag for h in range(1, highest + 1))


def fryze(u: Sampled, i: Sampled, window: Window) -> float:
    """Root of S^2 - P^2, never negative."""
    return math.sqrt(max(0.0, (u.rms(*window) * i.rms(*window)) ** 2 - power(u, i, window) ** 2))


def effective_1459(u: Mapping[str, float], i: Mapping[str, float]) -> tuple[float, float, float]:
    """Ue, Ie, Se of four wires from rms of L1 L2 L3 L12 L23 L31 and of L1 L2 L3 N; of three where u has no L1."""
    line = sum(u[k] ** 2 for k in ("L12", "L23", "L31"))
    phases = sum(i[k] ** 2 for k in ("L1", "L2", "L3"))
    if "L1" in u:
        ue = math.sqrt((3 * sum(u[k] ** 2 for k in ("L1", "L2", "L3")) + line) / 18)
        ie = math.sqrt((phases + i["N"] ** 2) / 3)
    else:
        ue, ie = math.sqrt(line / 9), math.sqrt(phases / 3)
    return ue, ie, 3 * ue * ie


def fundamental(u: Sampled, i: Sampled, f: float, window: Window) -> complex:
    """P1 + jQ1; its magnitude is S1."""
    return phasor(u, f, *window) * phasor(i, f, *window).conjugate()


def set_1459(
    u: Mapping[str, float], i: Mapping[str, float], u1: list[complex], i1: list[complex], p: float, neutral1: float | None = None
) -> dict[str, float]:
    """The set of IEEE 1459 from rms as in `effective_1459`, fundamental phasors of three star voltages and currents, and P.

    The fundamental of the neutral current is `neutral1`; where that was not measured the sum of those of the phase currents.
    """
    a = cmath.exp(2j * math.pi / 3)
    ue, ie, se = effective_1459(u, i)
    names = ("L1", "L2", "L3")
    lines = {f"L{k + 1}{(k + 1) % 3 + 1}": abs(u1[k] - u1[(k + 1) % 3]) for k in range(3)}
    first = lines | (dict(zip(names, map(abs, u1), strict=True)) if "L1" in u else {})
    ue1, ie1, se1 = effective_1459(first, dict(zip(names, map(abs, i1), strict=True)) | {"N": abs(sum(i1)) if neutral1 is None else neutral1})
    up, ip = ((x[0] + a * x[1] + a * a * x[2]) / 3 for x in (u1, i1))
    s_pos = 3 * up * ip.conjugate()
    ueh, ieh = math.sqrt(max(ue**2 - ue1**2, 0)), math.sqrt(max(ie**2 - ie1**2, 0))
    ph = p - sum((x * y.conjugate()).real for x, y in zip(u1, i1, strict=True))
    return {
        "Ue": ue, "Ie": ie, "Se": se, "Ue1": ue1, "Ie1": ie1, "Se1": se1, "U1_pos": abs(up), "I1_pos": abs(ip), "P1_pos": s_pos.real,
        "Q1_pos": s_pos.imag, "S1_pos": abs(s_pos), "SU1": math.sqrt(max(se1**2 - abs(s_pos) ** 2, 0)), "SeN": math.sqrt(max(se**2 - se1**2, 0)),
        "DeI": 3 * ue1 * ieh, "DeV": 3 * ueh * ie1, "SeH": 3 * ueh * ieh, "DeH": math.sqrt(max((3 * ueh * ieh) ** 2 - ph**2, 0)),
        "HP": math.sqrt(max(se**2 - se1**2, 0)) / se1,
    }  # fmt: skip


def set_40110(u: Mapping[str, float], i: Mapping[str, float], p: float) -> dict[str, float]:
    """The collective set of DIN 40110-2; with three wires the artificial star's voltages have a third of the lines' square sum."""
    lines = sum(u[k] ** 2 for k in ("L12", "L23", "L31"))
    star = sum(u[k] ** 2 for k in ("L1", "L2", "L3")) if "L1" in u else lines / 3
    s = math.sqrt(lines + star) / 2 * math.sqrt(sum(v * v for v in i.values()))
    return {
        "U_sum": math.sqrt(lines + star) / 2, "I_sum": math.sqrt(sum(v * v for v in i.values())), "S_sum": s,
        "Q_sum": math.sqrt(max(s * s - p * p, 0)), "PF_sum": p / s,
    }  # fmt: skip
