"""The phase of the fundamental in closed form, exact at any distance from the start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

__all__ = ["Drift", "Law", "Piece", "cycles"]


@dataclass(frozen=True)
class Piece:
    """A stretch of time in which the frequency is a straight line.

    Parameters
    ----------
    t0 : Fraction
        Its start, s.
    theta0 : Fraction
        Phase there, cycles since t = 0, without the drifts.
    f, slope : Fraction
        Frequency there, Hz, and its rate of change, Hz/s.
    """

    t0: Fraction
    theta0: Fraction
    f: Fraction
    slope: Fraction = Fraction(0)

    def theta(self, t: Fraction) -> Fraction:
        """Phase at `t`, cycles, also beyond the piece's ends."""
        tau = t - self.t0
        return self.theta0 + tau * (self.f + self.slope * tau / 2)


@dataclass(frozen=True)
class Drift:
    """A sinusoidal change of the frequency: deviation * sin(2 pi (rate t + phase)).

    Parameters
    ----------
    deviation : float
        Hz.
    rate : Fraction
        Hz.
    phase : float
        Cycles.
    """

    deviation: float
    rate: Fraction
    phase: float = 0.0

    def theta(self, x: np.ndarray | float) -> np.ndarray | float:
        """Phase, cycles, where the drift's own phase is `x` cycles."""
        swing = self.deviation / (2 * math.pi * float(self.rate))
        return swing * (math.cos(2 * math.pi * self.phase) - np.cos(2 * math.pi * np.asarray(x)))

    def own(self, t: Fraction) -> float:
        """The drift's own phase at `t`, cycles modulo 1."""
        return float(self.rate * t % 1) + self.phase


def cycles(start: Fraction, step: Fraction, count: int) -> np.ndarray:
    """The phases start + n * step, n = 0 to count - 1, in cycles, the start reduced modulo 1 before rounding."""
    return float(start % 1) + float(step) * np.arange(count)


class Law:
    """How the frequency runs: straight pieces, and sinusoidal drifts on top of them.

    Parameters
    ----------
    pieces : sequence of Piece
        In order, the first from t = 0.
    drifts : sequence of Drift
    """

    def __init__(self, pieces: Sequence[Piece], drifts: Sequence[Drift] = ()) -> None:
        self.pieces = tuple(pieces)
        self.drifts = tuple(drifts)

    @property
    def constant(self) -> bool:
        """Whether the frequency never changes."""
        return len(self.pieces) == 1 and not self.pieces[0].slope and not self.drifts

    def piece(self, t: Fraction) -> Piece:
        """The piece that holds `t` (the first one also before its start)."""
        found = self.pieces[0]
        for piece in self.pieces[1:]:
            if piece.t0 > t:
                break
            found = piece
        return found

    def theta(self, t: Fraction, piece: Piece | None = None) -> tuple[Fraction, float]:
        """Phase at `t`, cycles: the part of the pieces, exact, and the part of the drifts."""
        return (piece or self.piece(t)).theta(t), float(sum(d.theta(d.own(t)) for d in self.drifts))

    def frequency(self, t: Fraction, piece: Piece | None = None) -> float:
        """Frequency at `t`, Hz."""
        piece = piece or self.piece(t)
        return float(piece.f + piece.slope * (t - piece.t0)) + sum(d.deviation * math.sin(2 * math.pi * d.own(t)) for d in self.drifts)

    def slew(self, piece: Piece) -> float:
        """Largest rate of change of the frequency in a piece, Hz/s."""
        return abs(float(piece.slope)) + sum(2 * math.pi * float(d.rate) * abs(d.deviation) for d in self.drifts)

    def bounds(self, duration: float) -> tuple[float, float]:
        """A lower and an upper bound of the frequency within the first `duration` seconds, Hz."""
        swing = sum(abs(d.deviation) for d in self.drifts)
        ends = [p.t0 for p in self.pieces[1:]] + [Fraction(duration)]
        values = [float(f) for p, end in zip(self.pieces, ends, strict=True) for f in (p.f, p.f + p.slope * (end - p.t0)) if p.t0 < duration]
        return min(values) - swing, max(values) + swing

    def mean(self, duration: Fraction) -> float:
        """Mean frequency from t = 0 to `duration`, Hz."""
        exact, drift = self.theta(duration)
        return (float(exact) + drift) / float(duration)

    def reaching(self, theta: float, from_t: float) -> float:
        """The instant, s, at which the phase is `theta` cycles, looked for from `from_t`."""
        t = Fraction(from_t)
        for _ in range(50):
            exact, drift = self.theta(t)
            miss = float(Fraction(theta) - exact) - drift
            t += Fraction(miss / self.frequency(t))
            if abs(miss) < 1e-12:
                break
        return float(t)

    def page(self, start: int, count: int, rate: Fraction) -> tuple[Fraction, np.ndarray]:
        """Phase of `count` samples from sample `start` at `rate` Hz.

        Returns
        -------
        first : Fraction
            Phase of the first sample, without drifts, cycles, exact.
        rest : ndarray, float64, shape (count,)
            What the samples' phases have beyond `first`, cycles.
        """
        first = self.piece(start / rate).theta(start / rate)
        rest = np.empty(count)
        position = 0
        while position < count:
            t = (start + position) / rate
            piece = self.piece(t)
            later = [p.t0 for p in self.pieces if p.t0 > t]
            stop = min(count, math.ceil(later[0] * rate) - start) if later else count
            n = np.arange(stop - position)
            f = piece.f + piece.slope * (t - piece.t0)
            rest[position:stop] = float(piece.theta(t) - first) + float(f / rate) * n + float(piece.slope / (2 * rate * rate)) * n * n
            position = stop
        for d in self.drifts:
            rest += d.theta(cycles(d.rate * start / rate, d.rate / rate, count) + d.phase)
        return first, rest
