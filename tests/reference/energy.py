"""Energy registers: every sample once, direction and quadrant by the fundamental cycle.

Sample n stands for [n - 1/2, n + 1/2) / fs; a sample that a cycle's edge cuts is shared in proportion.
A partial cycle at an end takes direction, Q and S from the neighbouring whole cycle.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from reference.power import reactive
from reference.signal import HALF, Grid, Sampled

NAMES = ("A+", "A-", "R+", "R-", "R1", "R2", "R3", "R4", "E+", "E-")
Pair = tuple[Sampled, Sampled]


def quadrant(p: float, q: float) -> int:
    """I: P, Q > 0; II: P < 0, Q > 0; III: both < 0; IV: P > 0, Q < 0; a tie is import, inductive."""
    return (1 if q >= 0 else 4) if p >= 0 else (2 if q >= 0 else 3)


def _book(out: dict[str, float], suffix: str, p: float, q: float, s: float, active: float, hours: float) -> None:
    """Enter one stretch: the direction of its `p`, `active` in Wh."""
    k = quadrant(p, q)
    if p >= 0:
        out["A+" + suffix] += active
        out["E+" + suffix] += s * hours
    else:
        out["A-" + suffix] -= active
        out["E-" + suffix] += s * hours
    out[f"R{k}{suffix}"] += abs(q) * hours
    out[("R+" if q >= 0 else "R-") + suffix] += abs(q) * hours


def registers(pairs: Mapping[str, Pair], grid: Grid, summation: str = "vector") -> dict[str, float]:
    """The registers of phases and of all, Wh, varh, VAh.

    Parameters
    ----------
    pairs : mapping of phase ("L1", ...) to (voltage, current)
    grid : Grid
    summation : {"vector", "per-phase", "absolute"}
    """
    u, _ = next(iter(pairs.values()))
    n, fs = len(u.x), u.fs
    out = {name + suffix: 0.0 for suffix in ["", *("_" + p for p in pairs)] for name in NAMES}
    edges = [e for e, _ in grid.inside(-0.5 / fs, (n - 0.5) / fs)]
    edges.append(edges[-1] + 1 / grid.f)
    # running sums of u i over samples, at the samples' own edges
    sums = {p: np.concatenate([[0.0], np.cumsum(a.x * b.x)]) / fs / 3600 for p, (a, b) in pairs.items()}

    def booked(p: str, ta: float, tb: float) -> float:
        at = np.interp([ta * fs + 0.5, tb * fs + 0.5], np.arange(n + 1), sums[p])
        return float(at[1] - at[0])

    spans = list(itertools.pairwise(edges))
    usable = [s for s in spans if s[0] * fs > HALF and s[1] * fs < n - HALF]
    for ta, tb in [(-0.5 / fs, edges[0]), *spans, (edges[-1], (n - 0.5) / fs)]:
        if tb <= ta:
            continue
        # where the interpolation does not reach, the nearest cycle where it does
        window = min(usable, key=lambda s: abs(s[0] + s[1] - ta - tb))
        hours = (tb - ta) / 3600
        values = {}
        for name, (a, b) in pairs.items():
            p, q = a.mean(*window, factor=b), reactive(a, b, grid.f, window)
            values[name] = (p, q, a.rms(*window) * b.rms(*window), booked(name, ta, tb))
            _book(out, "_" + name, *values[name], hours)
        _total(out, values, hours, summation)
    return out


def _total(out: dict[str, float], values: Mapping[str, tuple[float, float, float, float]], hours: float, summation: str) -> None:
    """Enter one stretch into the registers of all phases."""
    if summation == "vector":
        _book(out, "", *(math.fsum(column) for column in zip(*values.values(), strict=True)), hours)
        return
    for p, q, s, active in values.values():
        turn = -1 if summation == "absolute" and p < 0 else 1
        _book(out, "", turn * p, turn * q, s, turn * active, hours)
