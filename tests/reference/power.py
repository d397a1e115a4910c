"""Powers by their definitions over whole cycles, IEEE 1459."""

from __future__ import annotations

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
