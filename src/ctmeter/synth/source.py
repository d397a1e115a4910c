"""The samples of a plan, page by page, computed on demand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from .phase import cycles
from .plan import Plan

__all__ = ["PAGE", "Generator"]

#: Samples computed at once, from multiples of it on, so that no split of a read changes a bit.
PAGE = 4096
#: Lines taken together: products of matrices so small that no BLAS spreads them over threads.
_LADDER = 8


class Generator:
    """A `Source` without state but a memory of the last pages.

    Parameters
    ----------
    plan : Plan

    Notes
    -----
    Row r of the recording is sample r of the grid plus the gaps before it.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._kept: dict[int, np.ndarray] = {}
        self._names = [b for b in plan.bases if any(b in plan.mix[r] for r in plan.roles)]
        keys = sorted({key for b in self._names for key in plan.bases[b]})
        groups: dict[int, list[Fraction]] = {}
        for q, _ in keys:
            if q:
                groups.setdefault(q.denominator, []).append(q)
        self._ladders = [(qs, self._table(qs)) for qs in groups.values()]
        self._tones = [(f, self._table([f], tone=True)[:, 0]) for q, f in keys if not q and f]
        self._dc = np.array([plan.bases[b].get((Fraction(0), Fraction(0)), 0j).imag for b in self._names])
        self._edges = sorted({0, *(j.first for j in plan.jumps), *(e.first for e in plan.events), *(e.stop for e in plan.events)})
        self._cuts = [(m.first, m.stop) for m in plan.missing if m.cut]
        self._lsb = [plan.lsb(r) for r in plan.roles]

    def _table(self, frequencies: Sequence[Fraction], tone: bool = False) -> np.ndarray:
        """Complex amplitudes of all bases at some orders or frequencies."""
        zero = Fraction(0)
        keys = [(zero, f) if tone else (f, zero) for f in frequencies]
        return np.array([[self.plan.bases[b].get(key, 0j) for key in keys] for b in self._names])

    def raw(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop) of all channels."""
        out = np.empty((max(stop - start, 0), len(self.plan.roles)), self.plan.dtype)
        row, lost = start, 0
        for first, end in [*self._cuts, (self.plan.samples, self.plan.samples)]:
            upto = min(first - lost, stop)
            if row < upto:
                self._fill(out[row - start : upto - start], row + lost)
                row = upto
            lost += end - first
        return out

    def _fill(self, out: np.ndarray, grid: int) -> None:
        """Copy samples of the grid from `grid` on."""
        done = 0
        while done < len(out):
            page, within = divmod(grid + done, PAGE)
            count = min(PAGE - within, len(out) - done)
            out[done : done + count] = self._page(page)[within : within + count]
            done += count

    def _page(self, page: int) -> np.ndarray:
        """A whole page, as it is stored."""
        if page not in self._kept:
            # two pages: a block across a boundary does not compute them anew each time
            self._kept = dict(list(self._kept.items())[-1:])
            self._kept[page] = self._converted(page, self._mixed(self._waves(page * PAGE)))
        return self._kept[page]

    def _mixed(self, waves: np.ndarray) -> np.ndarray:
        """The roles of a page, (n_channels, PAGE), from its bases."""
        out = np.zeros((len(self.plan.roles), PAGE))
        for k, role in enumerate(self.plan.roles):
            for base, weight in self.plan.mix[role].items():
                out[k] += weight * waves[self._names.index(base)]
        return out

    def _waves(self, start: int) -> np.ndarray:
        """V and A of the bases in a page, (n_bases, PAGE), with everything that acts on bases."""
        plan = self.plan
        first, rest = plan.law.page(start, PAGE, plan.rate)
        edges = [start, *(e for e in self._edges if start < e < start + PAGE), start + PAGE]
        spans = [(a - start, b - start) for a, b in itertools.pairwise(edges)]
        jumps = [np.array([plan.jumped(b, start + a) for b in self._names]) for a, _ in spans]
        waves = np.repeat(self._dc[:, None], PAGE, axis=1)
        for orders, table in self._ladders:
            turns = np.array([float(q) for q in orders])
            for k, ladder in _ladder(orders, first, rest):
                part = slice(k, k + len(ladder))
                for (a, b), jump in zip(spans, jumps, strict=True):
                    c = table[:, part]
                    if jump.any():
                        c = c * np.exp(2j * np.pi * jump[:, None] * turns[part])
                    waves[:, a:b] += c.imag @ ladder.real[:, a:b] + c.real @ ladder.imag[:, a:b]
        for hertz, c in self._tones:
            x = 2 * np.pi * cycles(hertz * start / plan.rate, hertz / plan.rate, PAGE)
            waves += c.imag[:, None] * np.cos(x) + c.real[:, None] * np.sin(x)
        for m in plan.modulations:
            rows = [k for k, b in enumerate(self._names) if b in m.bases]
            if rows:
                waves[rows] *= m.factor(start, PAGE, plan.rate)
        for k, name in enumerate(self._names):
            for e in plan.events:
                if name in e.channels:
                    waves[k, max(e.first - start, 0) : max(e.stop - start, 0)] *= e.residual
        return waves

    def _converted(self, page: int, values: np.ndarray) -> np.ndarray:
        """What the front end and the converter make of the channels' V and A, (PAGE, n_channels)."""
        plan, start = self.plan, page * PAGE
        out = np.empty((PAGE, len(plan.roles)), plan.dtype)
        for k, role in enumerate(plan.roles):
            x = values[k]
            if role not in plan.bases:
                for e in plan.events:
                    if role in e.channels:
                        x[max(e.first - start, 0) : max(e.stop - start, 0)] *= e.residual
            lsb = self._lsb[k]
            noise = plan.noise[role[0]] or plan.noise_lsb * (lsb or 0.0)
            if noise:
                x += noise * _gauss(plan.seed, k, page)
            limit = plan.clip[role[0]]
            if limit is not None:
                np.clip(x, -limit, limit, out=x)
            if lsb:
                half = 2 ** (plan.bits - 1) if plan.bits else 0
                x = np.clip(np.rint(x / lsb), -half, half - 1)
                x = x if plan.integer else x * lsb
            out[:, k] = x
            for m in plan.missing:
                if not m.cut and role in m.channels:
                    out[max(m.first - start, 0) : max(m.stop - start, 0), k] = plan.missing_value
        return out

    def status(self, start: int, stop: int) -> np.ndarray:
        """No status channels."""
        return np.zeros((max(stop - start, 0), 0), np.uint8)

    def close(self) -> None:
        """Let go of the kept pages."""
        self._kept = {}


def _ladder(orders: Sequence[Fraction], first: Fraction, rest: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """exp(2 pi i q theta) for rising orders q, each by one product from the one before.

    Yields
    ------
    k : int
        Number of the first order in the part.
    part : ndarray, complex128, shape (at most _LADDER, PAGE)
    """

    def power(q: Fraction) -> np.ndarray:
        turns: np.ndarray = float(q * first % 1) + float(q) * rest
        return np.exp(2j * np.pi * turns)

    steps: dict[Fraction, np.ndarray] = {}
    before = power(orders[0])
    for k in range(0, len(orders), _LADDER):
        part = np.empty((min(_LADDER, len(orders) - k), len(rest)), complex)
        for row, q in enumerate(orders[k : k + _LADDER]):
            if k + row:
                gap = q - orders[k + row - 1]
                if gap not in steps:
                    steps[gap] = power(gap)
                np.multiply(before, steps[gap], out=part[row])
            else:
                part[row] = before
            before = part[row]
        yield k, part


def _gauss(seed: int, channel: int, page: int) -> np.ndarray:
    """Normal deviates of a page, from a counter-based generator: the same whatever was asked before.

    Box and Muller's transform of raw counters, since these are the same in every version of NumPy.
    """
    bits = np.random.Philox(key=[seed, channel], counter=[0, 0, page, 0]).random_raw(PAGE)
    uniform = ((bits >> np.uint64(11)) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[::2]))
    angle = 2 * np.pi * uniform[1::2]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
