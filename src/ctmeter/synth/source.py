"""The samples of a plan, page by page, computed on demand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from .phase import cycles
from .plan import Plan

__all__ = ["PAGE", "Generator"]

#: Samples computed at once, from multiples of it on, so that no split of a read changes a bit.
PAGE = 4096
#: Lines whose cosines and sines are kept at once.
_LADDER = 32


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
        self._mix = np.array([[plan.mix[r].get(b, 0.0) for b in self._names] for r in plan.roles])
        keys = sorted({key for b in self._names for key in plan.bases[b]})
        groups: dict[int, list[Fraction]] = {}
        for q, _ in keys:
            if q:
                groups.setdefault(q.denominator, []).append(q)
        self._ladders = [(d, qs[i : i + _LADDER], self._table(qs[i : i + _LADDER])) for d, qs in groups.items() for i in range(0, len(qs), _LADDER)]
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
            self._kept[page] = self._converted(page, self._mix @ self._waves(page * PAGE))
        return self._kept[page]

    def _waves(self, start: int) -> np.ndarray:
        """V and A of the bases in a page, (n_bases, PAGE), with everything that acts on bases."""
        plan = self.plan
        first, rest = plan.law.page(start, PAGE, plan.rate)
        edges = [start, *(e for e in self._edges if start < e < start + PAGE), start + PAGE]
        spans = [(a - start, b - start) for a, b in itertools.pairwise(edges)]
        jumps = [np.array([plan.jumped(b, start + a) for b in self._names]) for a, _ in spans]
        waves = np.repeat(self._dc[:, None], PAGE, axis=1)
        for denominator, orders, amplitudes in self._ladders:
            ladder = _ladder(denominator, orders, first, rest)
            turns = np.array([float(q) for q in orders])
            for (a, b), jump in zip(spans, jumps, strict=True):
                c = amplitudes * np.exp(2j * np.pi * jump[:, None] * turns) if jump.any() else amplitudes
                # as pairs of floats, since a product with strided parts would not go through BLAS
                both = np.concatenate([c.imag, c.real]) @ ladder.view(float)[:, 2 * a : 2 * b]
                waves[:, a:b] += both[: len(c), ::2] + both[len(c) :, 1::2]
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


def _ladder(denominator: int, orders: Sequence[Fraction], first: Fraction, rest: np.ndarray) -> np.ndarray:
    """exp(2 pi i q theta) for rising orders q of one denominator, (len(orders), PAGE), each by one product from the one before."""
    out = np.empty((len(orders), len(rest)), complex)
    steps: dict[Fraction, np.ndarray] = {}

    def power(q: Fraction) -> np.ndarray:
        turns: np.ndarray = float(q * first % 1) + float(q) * rest
        return np.exp(2j * np.pi * turns)

    for k, q in enumerate(orders):
        if k == 0:
            out[0] = power(q)
            continue
        gap = q - orders[k - 1]
        if gap not in steps:
            steps[gap] = power(gap)
        np.multiply(out[k - 1], steps[gap], out=out[k])
    return out


def _gauss(seed: int, channel: int, page: int) -> np.ndarray:
    """Normal deviates of a page, from a counter-based generator: the same whatever was asked before.

    Box and Muller's transform of raw counters, since these are the same in every version of NumPy.
    """
    bits = np.random.Philox(key=[seed, channel], counter=[0, 0, page, 0]).random_raw(PAGE)
    uniform = ((bits >> np.uint64(11)) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[::2]))
    angle = 2 * np.pi * uniform[1::2]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
