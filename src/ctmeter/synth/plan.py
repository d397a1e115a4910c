"""What is to be synthesised, checked and worked out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from .lines import Lines, combined, peak
from .phase import Law, Piece, cycles

__all__ = ["Event", "Jump", "Missing", "Modulation", "Plan"]


@dataclass(frozen=True)
class Modulation:
    """A factor 1 + depth / 2 * m(t), m a sine of peak 1, or +1 for `duty` of each period and -1 for the rest.

    Parameters
    ----------
    shape : {"sinusoidal", "rectangular"}
    rate : Fraction
        Hz.
    depth : float
        dU / U, peak to peak.
    phase : float
        Cycles, at t = 0.
    duty : float
    bases : tuple of str
    """

    shape: str
    rate: Fraction
    depth: float
    phase: float
    duty: float
    bases: tuple[str, ...]

    def factor(self, start: int, count: int, rate: Fraction) -> np.ndarray:
        """The factor at `count` samples from sample `start` on."""
        x = cycles(self.rate * start / rate, self.rate / rate, count) + self.phase
        if self.shape == "sinusoidal":
            return 1 + self.depth / 2 * np.sin(2 * np.pi * x)
        # a sample on an edge belongs to what follows, whatever the rounding
        return 1 + self.depth / 2 * np.where((x + 1e-9) % 1 < self.duty, 1.0, -1.0)


@dataclass(frozen=True)
class Event:
    """A stretch of samples in which some channels are multiplied by `residual`.

    Parameters
    ----------
    type : {"dip", "swell", "interruption", "change"}
    phases, channels : tuple of str
    first, stop : int
        Samples of the grid, half open.
    residual : float
    requested : tuple of float
        Start and end as asked for, s.
    """

    type: str
    phases: tuple[str, ...]
    channels: tuple[str, ...]
    first: int
    stop: int
    residual: float
    requested: tuple[float, float]


@dataclass(frozen=True)
class Jump:
    """A jump of the fundamental's phase (harmonics with it) from sample `first` on, in cycles."""

    first: int
    angle: float
    bases: tuple[str, ...]
    requested: float


@dataclass(frozen=True)
class Missing:
    """Samples [first, stop) of the grid that are not there; `cut` removes the rows, else they are marked missing."""

    first: int
    stop: int
    cut: bool
    channels: tuple[str, ...]


@dataclass
class Plan:
    """What is to be synthesised, checked and in SI units.

    Parameters
    ----------
    sample_rate : float
        Hz; `rate` is the same number, exact.
    samples : int
        Length of the sampling grid, gaps included.
    bases : dict of name to Lines
        The independent waveforms.
    mix : dict of role to dict of base to weight
        How every role is a sum of bases; holds the line voltages even where they are not recorded.
    roles : tuple of str
        The channels recorded.
    """

    sample_rate: float = 1.0
    rate: Fraction = Fraction(1)
    samples: int = 0
    start_ns: int | None = None
    dtype: str = "float64"
    seed: int = 0
    title: str = ""
    wiring: str = "3P4W"
    roles: tuple[str, ...] = ()
    side: str | None = None
    ct_ratio: float = 1.0
    vt_ratio: float = 1.0
    nominal_frequency: float | None = None
    law: Law = field(default_factory=lambda: Law([Piece(Fraction(0), Fraction(0), Fraction(50))]))
    bases: dict[str, Lines] = field(default_factory=dict)
    mix: dict[str, dict[str, float]] = field(default_factory=dict)
    modulations: list[Modulation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    jumps: list[Jump] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    bits: int | None = None
    full_scale: dict[str, float | None] = field(default_factory=dict)
    noise: dict[str, float] = field(default_factory=dict)
    noise_lsb: float = 0.0
    clip: dict[str, float | None] = field(default_factory=dict)

    def lines(self, role: str) -> Lines:
        """The undisturbed lines of a role."""
        return combined((w, self.bases[b]) for b, w in self.mix[role].items())

    @property
    def integer(self) -> bool:
        """Whether raw samples are counts."""
        return self.dtype.startswith("int")

    @property
    def missing_value(self) -> float:
        """What stands for a missing sample."""
        return {"int16": -32768, "int32": -(2**31)}.get(self.dtype, float("nan"))

    def jumped(self, base: str, sample: int) -> float:
        """Cycles by which a base's phase has jumped up to a sample of the grid."""
        return sum(j.angle for j in self.jumps if base in j.bases and j.first <= sample)

    def largest(self, role: str) -> float:
        """An upper bound of what a role reaches, V or A, with modulation and events."""
        total = 0.0
        for base, weight in self.mix[role].items():
            factor = math.prod(1 + m.depth / 2 for m in self.modulations if base in m.bases)
            factor *= max([1.0, *(e.residual for e in self.events if base in e.channels)])
            total += abs(weight) * factor * peak(self.bases[base])
        return total

    def lsb(self, role: str) -> float | None:
        """V or A for one count; None without quantisation. Without a full scale the signal takes 80 % of it."""
        if self.bits is None:
            return None
        full = self.full_scale[role[0]]
        if full is None:
            full = 1.25 * max((self.largest(r) for r in self.roles if r[0] == role[0]), default=0.0) or 1.0
        return float(full / 2 ** (self.bits - 1))
