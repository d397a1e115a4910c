"""Windows side by side, their sums over groups, and intervals that grow by such sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ._aggregate_rules import Plan, add_up, moved

__all__ = ["GROUP", "Interval", "Sums", "Windows", "reduce"]

#: Windows in a 150/180-cycle interval.
GROUP = 15
_FLAGS = ("flags", "flags_L1", "flags_L2", "flags_L3")


@dataclass
class Windows:
    """Windows side by side: start and end in ns, how many had been fed with each, length in s, and the matrices of the plan."""

    t: np.ndarray
    t1: np.ndarray
    seen: np.ndarray
    n: np.ndarray
    duration: np.ndarray
    flags: np.ndarray  # (4, windows)
    x: np.ndarray  # (rows, windows)
    lists: np.ndarray  # (windows, entries)

    def __len__(self) -> int:
        return len(self.t)

    @classmethod
    def none(cls, plan: Plan) -> Self:
        """No window."""
        return cls.room(plan, 0)

    @classmethod
    def room(cls, plan: Plan, size: int) -> Self:
        """So many windows, with flags alone set, to none."""
        t, t1, seen, n = (np.empty(size, np.int64) for _ in range(4))
        flags = np.zeros((4, size), np.uint32)
        return cls(t, t1, seen, n, np.empty(size), flags, np.empty((len(plan.x), size)), np.empty((size, len(plan.entries))))

    @classmethod
    def of(cls, plan: Plan, rows: Mapping[str, np.ndarray], before: Self | None = None) -> Self:
        """Windows from rows, after those `before`."""
        first = 0 if before is None else len(before)
        made = cls.room(plan, first + len(rows["t"]))
        if before is not None:
            made.x[:, :first], made.flags[:, :first], made.lists[:first] = before.x, before.flags, before.lists
        for name in ("t", "t1", "seen", "n", "duration"):
            column = getattr(made, name)
            if before is not None:
                column[:first] = getattr(before, name)
            column[first:] = rows[name]
        for k, name in enumerate(_FLAGS):
            made.flags[k, first:] = rows.get(name, 0)
        for k, name in enumerate(plan.x):
            made.x[k, first:] = rows.get(name, np.nan)
        at = 0
        for name, length in plan.lists.items():
            made.lists[first:, at : at + length] = rows.get(name, np.nan)
            at += length
        return made

    def part(self, which: slice | np.ndarray, *, copy: bool = False) -> Self:
        """Some of the windows."""
        parts = {name: v[:, which] if name in ("flags", "x") else v[which] for name, v in vars(self).items()}
        return type(self)(**{name: v.copy() for name, v in parts.items()} if copy else parts)

    @classmethod
    def joined(cls, a: Self, b: Self) -> Self:
        """Those of `a`, then those of `b`."""
        axis = {"flags": 1, "x": 1}
        return cls(**{name: np.concatenate([v, getattr(b, name)], axis=axis.get(name, 0)) for name, v in vars(a).items()})

    def under(self, old: Plan, new: Plan) -> Self:
        """The same under a wider plan."""
        x, lists = moved(self.x, old.x, new.x, np.nan), moved(self.lists.T, old.entries, new.entries, np.nan).T.copy()
        return type(self)(self.t, self.t1, self.seen, self.n, self.duration, self.flags, x, lists)


@dataclass
class Sums:
    """What is known of some intervals: sums of terms and squares with their weights, extremes, flags."""

    t: np.ndarray
    covered: np.ndarray  # sum of the lengths, ns
    end: np.ndarray  # of the last window, ns
    n: np.ndarray
    duration: np.ndarray
    flags: np.ndarray  # (4, intervals)
    sums: np.ndarray  # (terms, intervals)
    weights: np.ndarray
    smallest: np.ndarray  # (rows, intervals)
    largest: np.ndarray
    lists: np.ndarray  # (intervals, entries)
    list_weights: np.ndarray


def reduce(plan: Plan, windows: Windows, groups: int) -> Sums:
    """Sums over so many groups of equal size."""
    k = len(windows) // groups
    shape = (groups, k)
    duration = windows.duration.reshape(shape).T
    weights = np.ones((k, 2, groups))
    weights[:, 1] = duration
    terms = plan.make_terms(windows.x, windows.duration).reshape(-1, *shape).transpose(2, 0, 1)
    sums, counts = add_up(terms, weights, lambda w: w[plan.kind])
    squares = np.square(windows.lists).reshape(*shape, -1).transpose(1, 0, 2)
    lists, list_counts = add_up(squares, np.ones((k, 1)), lambda w: np.broadcast_to(w, squares.shape[1:]))
    length = windows.t1 - windows.t
    x = windows.x.reshape(-1, *shape)
    return Sums(
        windows.t[::k],
        length.reshape(shape).sum(1),
        windows.t1[k - 1 :: k],
        windows.n.reshape(shape).sum(1),
        np.add.accumulate(duration, axis=0)[-1],
        np.bitwise_or.reduce(windows.flags.reshape(4, *shape), axis=2),
        sums,
        counts,
        np.fmin.reduce(x[plan.smallest], axis=2),
        np.fmax.reduce(x[plan.largest], axis=2),
        lists,
        list_counts,
    )


@dataclass
class Interval:
    """An interval of 10 min or 2 h that grows; one addition after the other, in the order of time.

    Parameters
    ----------
    slot : int
        Number of the interval since 1970.
    """

    slot: int
    covered: int
    end: int
    n: int
    duration: float
    parts: int
    flags: np.ndarray  # (4,)
    sums: np.ndarray  # (terms,)
    weights: np.ndarray
    smallest: np.ndarray  # (rows,)
    largest: np.ndarray
    lists: np.ndarray  # (entries,)
    list_weights: np.ndarray
    pst: dict[str, float] = field(default_factory=dict)
    pst_cubes: dict[str, list[float]] = field(default_factory=dict)  # sum of cubes, how many

    @classmethod
    def empty(cls, plan: Plan, slot: int) -> Self:
        """An interval in which nothing has been measured yet."""
        terms, entries = len(plan.terms), len(plan.entries)
        low, high = (np.full(s.stop - s.start, np.nan) for s in (plan.smallest, plan.largest))
        flags = np.zeros(4, np.uint32)
        return cls(slot, 0, 0, 0, 0.0, 0, flags, np.zeros(terms), np.zeros(terms), low, high, np.zeros(entries), np.zeros(entries))

    def add(self, plan: Plan, more: Sums) -> None:
        """Add what is known of the next groups of windows."""
        self.sums, self.weights, self.lists, self.list_weights = (v.copy() for v in (self.sums, self.weights, self.lists, self.list_weights))
        for k, duration in enumerate(more.duration.tolist()):
            self.sums += more.sums[:, k]
            self.weights += more.weights[:, k]
            self.lists += more.lists[k]
            self.list_weights += more.list_weights[k]
            self.duration += duration
        self._add_rest(more)

    def add_interval(self, plan: Plan, more: Interval) -> None:
        """Add an interval whose every rms value counts once."""
        k = plan.squares
        once = np.where(more.weights[:k] > 0, more.sums[:k] / np.maximum(more.weights[:k], 1), 0.0)
        self.sums = self.sums + np.concatenate([once, more.sums[k:]])
        self.weights = self.weights + np.concatenate([np.sign(more.weights[:k]), more.weights[k:]])
        self.lists = self.lists + more.lists / np.maximum(more.list_weights, 1)
        self.list_weights = self.list_weights + np.sign(more.list_weights)
        self.duration += more.duration
        self._add_rest(more.as_sums())
        self.parts += 1
        for name, value in more.pst.items():
            if not np.isnan(value):
                cubes, count = self.pst_cubes.get(name, [0.0, 0])
                self.pst_cubes[name] = [cubes + value**3, count + 1]

    def _add_rest(self, more: Sums) -> None:
        self.covered += int(more.covered.sum())
        self.n += int(more.n.sum())
        self.end = int(more.end[-1])
        self.flags = self.flags | np.bitwise_or.reduce(more.flags, axis=1)
        self.smallest = np.fmin(self.smallest, np.fmin.reduce(more.smallest, axis=1))
        self.largest = np.fmax(self.largest, np.fmax.reduce(more.largest, axis=1))

    def as_sums(self) -> Sums:
        """The interval as one of several."""
        t, covered, end, n = (np.array([v], np.int64) for v in (0, self.covered, self.end, self.n))
        flags, sums, weights, low, high = (v[:, None] for v in (self.flags, self.sums, self.weights, self.smallest, self.largest))
        duration = np.array([self.duration])
        return Sums(t, covered, end, n, duration, flags, sums, weights, low, high, self.lists[None], self.list_weights[None])

    def put_under(self, old: Plan, new: Plan) -> None:
        """Go on under a wider plan."""
        for name in ("sums", "weights"):
            setattr(self, name, moved(getattr(self, name), old.terms, new.terms, 0.0))
        for name in ("lists", "list_weights"):
            setattr(self, name, moved(getattr(self, name), old.entries, new.entries, 0.0))
        self.smallest = moved(self.smallest, old.x[old.smallest], new.x[new.smallest], np.nan)
        self.largest = moved(self.largest, old.x[old.largest], new.x[new.largest], np.nan)
