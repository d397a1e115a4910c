"""How columns of windows become columns of longer intervals: what is added up, and what is read off the sums.

Values lie in matrices: `x` (columns, windows) of scalars, `lists` (windows, entries) of spectra. What
is added up are *terms* of them: squares, with each window counting once, or values times durations.

References
----------
IEC 61000-4-30:2015
IEC 61000-4-30:2015, annex D
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, chain, pairwise

import numpy as np

from .quantity import EXTRAS, LIST_LENGTH, QUANTITIES, Rule, columns

__all__ = ["ANGLES", "Plan", "Rows", "add_up", "moved", "parts_of"]

#: Rows of one table: column name to array; NaN is null.
Rows = dict[str, np.ndarray]

_KNOWN = {c.name: c for c in columns("basic", extras=EXTRAS) if c.dtype in ("f8", *LIST_LENGTH) and c.name != "duration"}
#: Name of the angle that goes with each fundamental, for instance phi_U_L1 of U1_L1.
ANGLES = {name: f"phi_{q.name[0]}{name.removeprefix(q.name)}" for q in QUANTITIES if q.rule is Rule.PHASOR_MAGNITUDE for name in q.columns}


def add_up(values: np.ndarray, weights: np.ndarray, each: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the first axis, in order, leaving out NaN.

    Parameters
    ----------
    values : ndarray, shape (k, ...)
    weights : ndarray, shape (k, ...)
        What values count for; already contained in `values`.
    each : callable
        Gives the weight of each value, shape (...), from one row of `weights`.

    Returns
    -------
    sums, weights : ndarray, shape (...)
        Both 0 where all were NaN.

    Notes
    -----
    One addition after the other, so that results do not depend on how many intervals are added up at once.
    """
    total = values[0].copy()
    for k in range(1, len(values)):
        total += values[k]
    weight = each(np.add.accumulate(weights, axis=0)[-1])
    missing = np.isnan(total)
    if missing.any():
        never = missing.copy()
        for row in values:
            never &= np.isnan(row)
        total[never] = 0.0
        weight = np.where(never, 0.0, weight)
        missing &= ~never
    if missing.any():
        here = ~np.isnan(values[:, missing])
        some = np.where(here, values[:, missing], 0.0)
        what = np.where(here, np.array([each(w)[missing] for w in weights]), 0.0)
        total[missing] = np.add.accumulate(some, axis=0)[-1]
        weight[missing] = np.add.accumulate(what, axis=0)[-1]
    return total, weight


def moved(values: np.ndarray, old: tuple[str, ...], new: tuple[str, ...], fill: float) -> np.ndarray:
    """Rows of a matrix (first axis) named `old` put to the places of the same names in `new`; others are `fill`."""
    result = np.full((len(new), *values.shape[1:]), fill, values.dtype)
    places = {name: k for k, name in enumerate(new)}
    if old:
        result[[places[name] for name in old]] = values
    return result


def parts_of(magnitude: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Real and imaginary part of phasors given by magnitude and angle, degrees.

    One without an angle, as nothing has none, is zero and counts in a mean as such; one without a magnitude is NaN.
    """
    lost = np.isnan(angle)
    if lost.any():
        magnitude, angle = np.where(lost, 0.0 * magnitude, magnitude), np.where(lost, 0.0, angle)
    angle = np.radians(angle)
    return magnitude * np.cos(angle), magnitude * np.sin(angle)


class Plan:
    """Which columns there are, where they lie in the matrices, and by which terms they are aggregated.

    Parameters
    ----------
    present : iterable of str
        Columns of the windows; unknown ones are left out.
    u_din : mapping of phase to float
        Voltages to which under- and over-deviation refer, V; empty without a nominal voltage.

    Notes
    -----
    Rows of `x` are, in this order: rms values, fundamentals, their angles, maxima, rms values that have extremes,
    means that have, minima, other means. Terms are squares of the first and fifth, squares limited by `u_din` from above and
    below, and then, times duration: means (those with extremes first), phasors (real, imaginary, magnitude).
    """

    def __init__(self, present: Iterable[str], u_din: Mapping[str, float]) -> None:
        self.present = frozenset(present) & _KNOWN.keys()
        self.u_din = dict(u_din)
        scalars = [c for c in _KNOWN.values() if c.name in self.present and c.dtype == "f8"]
        lists = [c for c in _KNOWN.values() if c.name in self.present and c.dtype != "f8"]
        self.rms = tuple(c.name for c in scalars if c.rule is Rule.RMS and not c.quantity.extremes)
        self.phasors = tuple(c.name for c in scalars if c.rule is Rule.PHASOR_MAGNITUDE)
        self.high = tuple(c.name for c in scalars if c.rule is Rule.MAX)
        self.spread = tuple(c.name for c in scalars if c.rule is Rule.RMS and c.quantity.extremes)
        self.mean = tuple(c.name for c in scalars if c.rule is Rule.MEAN and c.quantity.extremes)
        self.plain = tuple(c.name for c in scalars if c.rule is Rule.MEAN and not c.quantity.extremes)
        self.low = tuple(c.name for c in scalars if c.rule is Rule.MIN)
        self.angles = tuple(ANGLES[name] for name in self.phasors)
        #: Name of each ratio, and of the columns that are divided.
        self._ratios = {c.name: c.ratio for c in scalars if c.rule is Rule.RATIO and self.present.issuperset(c.ratio)}
        displacements = (c.name for c in scalars if c.rule is Rule.DISPLACEMENT)
        self._displacement_names = tuple(n for n in displacements if {n.replace("DPF", f"{kind}1") for kind in "PQS"} <= self.present)
        parts = (self.rms, self.phasors, self.angles, self.high, self.spread, self.mean, self.low, self.plain)
        self.x = tuple(chain.from_iterable(parts))
        edges = list(accumulate(map(len, parts), initial=0))
        self._rms, self._phasors, self._angles, _, self._spread, self._mean, _, self._plain = (slice(a, b) for a, b in pairwise(edges))
        #: Rows of `x` of which the smallest and the largest value are kept.
        self.smallest, self.largest = slice(edges[4], edges[7]), slice(edges[3], edges[6])
        self.extremes = (*self.spread, *self.mean)
        self._deviating = {p: self.x.index(f"U_{p}") for p in self.u_din if f"U_{p}" in self.present}
        self._plan_terms()
        self.lists = {c.name: LIST_LENGTH[c.dtype] for c in lists}
        #: One name for each entry of the lists.
        self.entries = tuple(f"{name}.{k}" for name, length in self.lists.items() for k in range(length))

    def _plan_terms(self) -> None:
        squares = [*self.rms, *self.spread, *(f"{kind}_{p}" for kind in ("under", "over") for p in self._deviating)]
        weighted = [*self.mean, *self.plain, *(f"{name}.{part}" for part in ("re", "im", "abs") for name in self.phasors)]
        self.terms = (*squares, *(f"{name}/s" for name in weighted))
        #: How many of the terms are squares, and for each term 0 where it is one, else 1.
        self.squares = len(squares)
        self.kind = np.array([0] * len(squares) + [1] * len(weighted), np.int64)

    def make_terms(self, x: np.ndarray, duration: np.ndarray) -> np.ndarray:
        """Terms, shape (terms, windows), of values of shape (rows, windows) and durations in s."""
        terms = np.empty((len(self.terms), x.shape[1]))
        at = len(self.rms)
        np.square(x[self._rms], out=terms[:at])
        np.square(x[self._spread], out=terms[at : at + len(self.spread)])
        at += len(self.spread)
        for limit in (np.minimum, np.maximum):
            for phase, row in self._deviating.items():
                terms[at] = limit(x[row], self.u_din[phase]) ** 2
                at += 1
        magnitude = x[self._phasors]
        re, im = parts_of(magnitude, x[self._angles])
        for part in (x[self._mean], x[self._plain], re, im, magnitude):
            np.multiply(part, duration, out=terms[at : at + len(part)])
            at += len(part)
        return terms

    def read_terms(self, sums: np.ndarray, weights: np.ndarray) -> Rows:
        """Columns of intervals from their sums of terms and weights, shape (terms, intervals)."""
        mean = _over(sums, weights)
        squares, rest = mean[: self.squares], mean[self.squares :]
        root = np.sqrt(squares)
        out: Rows = dict(zip((*self.rms, *self.spread), root, strict=False))
        for k, p in enumerate(self._deviating):
            at, count = len(self.rms) + len(self.spread) + k, len(self._deviating)
            out[f"under_{p}"] = 100 * np.maximum(1 - root[at] / self.u_din[p], 0.0)
            out[f"over_{p}"] = 100 * np.maximum(root[at + count] / self.u_din[p] - 1, 0.0)
        out |= dict(zip((*self.mean, *self.plain), rest, strict=False))
        at, count = len(self.mean) + len(self.plain), len(self.phasors)
        re, im, magnitude = (rest[at + k * count : at + (k + 1) * count] for k in range(3))
        size = np.hypot(re, im)
        angle = np.where(size > 0, np.degrees(np.arctan2(im, re)), np.nan)
        # without any angle in the interval the magnitude is a plain mean
        out |= dict(zip(self.phasors, np.where(size > 0, size, magnitude), strict=True))
        out |= dict(zip(self.angles, angle, strict=True))
        if self._ratios:
            above, below = (np.array([out[ratio[k]] for ratio in self._ratios.values()]) for k in range(2))
            out |= dict(zip(self._ratios, _over(above, below), strict=True))
        for name in self._displacement_names:
            active, reactive, apparent = (out[name.replace("DPF", f"{kind}1")] for kind in "PQS")
            out[name] = _over(active, np.hypot(active, reactive) if name == "DPF" else apparent)
            if "f" in out:
                # where nothing was followed, powers of the fundamental are rounding
                out[name] = np.where(np.isnan(out["f"]), np.nan, out[name])
        return out

    def read_extremes(self, smallest: np.ndarray, largest: np.ndarray, spread: bool) -> Rows:
        """Columns of smallest and largest values; with `spread` also those named X_min and X_max."""
        if not spread:
            high, count = largest[: len(self.high)], len(self.extremes)
            return dict(zip(self.low, smallest[count:], strict=True)) | dict(zip(self.high, high, strict=True))
        out = dict(zip((*(f"{n}_min" for n in self.extremes), *self.low), smallest, strict=True))
        return out | dict(zip((*self.high, *(f"{n}_max" for n in self.extremes)), largest, strict=True))

    def read_lists(self, sums: np.ndarray, weights: np.ndarray) -> Rows:
        """Spectral lists, float32, from sums of squares and weights of shape (intervals, entries)."""
        rms = np.sqrt(_over(sums, weights)).astype(np.float32)
        edges = list(accumulate(self.lists.values(), initial=0))
        return {name: rms[:, a:b] for name, (a, b) in zip(self.lists, pairwise(edges), strict=True)}


def _over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A / b, NaN where b is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: np.ndarray = np.where(b > 0, a / b, np.nan)
    return quotient
