"""Sampled signals as functions of time, and the grid of fundamental cycles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

HALF = 112  # taps to either side
BETA = 26.0
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass
class Sampled:
    """Samples of a band-limited signal.

    Parameters
    ----------
    x : ndarray, shape (n,)
        V or A.
    fs : float
        Hz.

    Notes
    -----
    Interpolated by a sinc of 224 taps under the window exp(beta (sqrt(1 - z^2) - 1)): within 1e-10 of the amplitude up to 0.45 fs.
    """

    x: np.ndarray
    fs: float
    _known: dict = field(default_factory=dict, repr=False)

    def __call__(self, t) -> np.ndarray:
        """Value at instants `t`, s; they have to be HALF samples away from the ends."""
        position = np.asarray(t, float) * self.fs
        out = np.empty(position.shape)
        for chunk in np.array_split(np.arange(len(position)), len(position) // 5000 + 1):
            p = position[chunk]
            whole = np.floor(p).astype(int)
            if len(p) and (whole.min() < HALF - 1 or whole.max() + HALF >= len(self.x)):
                raise ValueError("too near to an end of the signal to be interpolated")
            k = np.arange(-HALF + 1, HALF + 1)
            d = (p - whole)[:, None] - k
            window = np.exp(BETA * (np.sqrt(np.clip(1 - (d / HALF) ** 2, 0, None)) - 1))
            sine = np.sin(np.pi * (p - whole))[:, None] * np.where(k % 2, -1.0, 1.0)
            sinc = np.divide(sine, np.pi * d, out=np.ones_like(d), where=np.abs(d) > 1e-12)
            out[chunk] = np.einsum("ij,ij,ij->i", self.x[whole[:, None] + k], sinc, window)
        return out

    def over(self, ta: float, tb: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Instants, weights and values of a quadrature over [ta, tb)."""
        if (ta, tb) not in self._known:
            self._known.clear()
            t, w = nodes(ta, tb, self.fs)
            self._known[ta, tb] = t, w, self(t)
        return self._known[ta, tb]

    def mean(self, ta: float, tb: float, factor=None) -> float:
        """Mean over [ta, tb) of the signal, times `factor`, a signal or a function of time, where given."""
        t, w, y = self.over(ta, tb)
        if factor is not None:
            y = y * (factor.over(ta, tb)[2] if isinstance(factor, Sampled) else factor(t))
        return float(np.sum(w * y)) / (tb - ta)

    def rms(self, ta: float, tb: float) -> float:
        """Root of the mean square over [ta, tb)."""
        _, w, y = self.over(ta, tb)
        return math.sqrt(np.sum(w * y**2) / (tb - ta))

    def __sub__(self, other: Sampled) -> Sampled:
        return Sampled(self.x - other.x, self.fs)


def nodes(ta: float, tb: float, fs: float) -> tuple[np.ndarray, np.ndarray]:
    """Instants and weights of a Gauss-Legendre quadrature over [ta, tb), ten to a stretch of at most one sample."""
    pieces = math.ceil((tb - ta) * fs)
    edges = np.linspace(ta, tb, pieces + 1)
    half = (tb - ta) / pieces / 2
    t = (edges[:-1] + half)[:, None] + half * NODES
    return t.ravel(), np.tile(half * WEIGHTS, pieces)


@dataclass
class Grid:
    """Cycles of a constant frequency: cycle k lasts from (k - phase) / f to (k + 1 - phase) / f.

    Parameters
    ----------
    f : float
        Hz.
    phase : float
        Cycles, at t = 0.
    """

    f: float
    phase: float = 0.0

    def start(self, k: float) -> float:
        """Start of cycle `k`, s."""
        return (k - self.phase) / self.f

    def window(self, k: float, cycles: float) -> tuple[float, float]:
        """Instants at which `cycles` cycles from cycle `k` on begin and end."""
        return self.start(k), self.start(k + cycles)

    def inside(self, ta: float, tb: float, cycles: int = 1) -> list[tuple[float, float]]:
        """All runs of `cycles` cycles, one after the other, that lie within [ta, tb]."""
        first = math.ceil(ta * self.f + self.phase - 1e-9)
        count = math.floor((tb * self.f + self.phase - first + 1e-9) / cycles)
        return [self.window(first + cycles * k, cycles) for k in range(count)]

    def half_cycle_rms(self, x: Sampled, ta: float, tb: float) -> list[tuple[float, float]]:
        """Urms(1/2) within [ta, tb]: (start of the one-cycle window, its rms), every half cycle."""
        first = math.ceil(2 * (ta * self.f + self.phase) - 1e-9)
        last = math.floor(2 * (tb * self.f + self.phase) + 1e-9) - 2
        return [(self.start(k / 2), x.rms(*self.window(k / 2, 1))) for k in range(first, last + 1)]
