"""Rows on their way: gathered into chunks of fixed size, and summed up as they pass.

Chunks have the same rows however the samples were split, so means and files do too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import numpy as np

from .._aggregate_rules import ANGLES, parts_of
from ..measurements import LABELS, Columns
from ..quantity import Flag, Rule, columns

__all__ = ["Buffer", "Statistics", "intake", "pack", "unpack"]

#: Rows of a chunk, and of a Parquet row group.
CHUNK = {"basic": 8192, "3s": 1024, "10min": 256, "2h": 64, "cycle": 16384, "half_cycle": 65536, "signalling": 65536}
_LABEL = {name: code for code, name in enumerate(LABELS)}


def pack(value: Any) -> Any:
    """Arrays in nested mappings and sequences as plain values for msgpack."""
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str, "shape": list(value.shape), "bytes": np.ascontiguousarray(value).tobytes()}
    if isinstance(value, Mapping):
        return {k: pack(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [pack(v) for v in value]
    return value


def unpack(value: Any) -> Any:
    """The inverse of `pack`."""
    if isinstance(value, dict):
        if value.keys() == {"dtype", "shape", "bytes"}:
            return np.frombuffer(value["bytes"], np.dtype(value["dtype"])).reshape(value["shape"]).copy()
        return {k: unpack(v) for k, v in value.items()}
    if isinstance(value, list):
        return [unpack(v) for v in value]
    return value


def intake(rows: Mapping[str, np.ndarray], offset_ns: int = 0) -> Columns:
    """Rows as the engine gives them: labels become codes, times are shifted by `offset_ns`."""
    taken = {}
    for name, values in rows.items():
        if name == "channel" and values.dtype.kind in "UO":
            values = np.array([_LABEL[v if v in _LABEL else f"U_{v}"] for v in values.tolist()], np.int8)
        elif name in ("t", "t1") and offset_ns:
            values = values + offset_ns
        taken[name] = values
    return taken


class Buffer:
    """Gathers rows of one table into chunks.

    Parameters
    ----------
    table : str
    emit : callable
        Gets each full chunk; its arrays are its own to keep.
    """

    def __init__(self, table: str, emit: Callable[[str, Columns], None]) -> None:
        self.table = table
        self.size = CHUNK.get(table, 4096)
        self.fill = 0
        self._emit = emit
        self._columns: Columns = {}

    def add(self, rows: Columns) -> None:
        """Append rows, giving out chunks as they fill."""
        n, done = len(rows["t"]), 0
        while done < n:
            take = min(n - done, self.size - self.fill)
            for name, values in rows.items():
                self._room(name, values, self.fill + take)[self.fill : self.fill + take] = values[done : done + take]
            self.fill += take
            done += take
            if self.fill == self.size:
                self.flush()

    def _room(self, name: str, like: np.ndarray, need: int) -> np.ndarray:
        """The array of a column, long enough; what was never given is NaN or 0."""
        old = self._columns.get(name)
        if old is None or len(old) < need:
            length = min(max(64, 2 * need), self.size)
            fresh = np.full((length, *like.shape[1:]), np.nan if like.dtype.kind == "f" else 0, like.dtype)
            if old is not None:
                fresh[: len(old)] = old
            self._columns[name] = old = fresh
        return old

    def peek(self) -> Columns:
        """The rows of the chunk so far."""
        # a column that the last rows did not have may be shorter than the others
        return {name: self._room(name, values, self.fill)[: self.fill] for name, values in list(self._columns.items())}

    def flush(self) -> None:
        """Give out what there is."""
        if self.fill:
            chunk = {name: values.copy() for name, values in self.peek().items()}
            self._columns, self.fill = {}, 0
            self._emit(self.table, chunk)

    def clear(self) -> None:
        """Forget the rows."""
        self._columns, self.fill = {}, 0


@cache
def _rules(extras: frozenset[str]) -> tuple[dict[str, Rule], dict[str, tuple[str, ...]], frozenset[str]]:
    """Of the columns of `basic`: the rules, what ratios are of, and which have extremes."""
    known = [c for c in columns("basic", False, extras) if c.dtype == "f8" and c.name != "duration"]
    return {c.name: c.rule for c in known}, {c.name: c.ratio for c in known if c.ratio}, frozenset(c.name for c in known if c.quantity.extremes)


class Statistics:
    """Mean, extremes and flag counts of a table in memory that does not grow with its rows.

    The rules are those of the quantity table; means are weighted by duration.

    Parameters
    ----------
    extras : frozenset of str
        The settings of `quantity.EXTRAS` that are on.
    """

    def __init__(self, extras: frozenset[str] = frozenset()) -> None:
        self._rule, self._ratio, self._extremes = _rules(extras)
        self.rows = 0
        #: Rows of which `f` is null.
        self.without_frequency = 0
        #: Length of the rows together, s.
        self.seconds = 0.0
        self.flags: dict[str, int] = {}
        self._sum: dict[str, list[float]] = {}  # column -> [sum, weight]; also phasors
        self._low: dict[str, list[float]] = {}  # column -> [value, t]
        self._high: dict[str, list[float]] = {}

    def add(self, rows: Columns) -> None:
        """Take in a chunk."""
        n = len(rows["t"])
        weight = np.asarray(rows["duration"], np.float64) if "duration" in rows else np.ones(n)
        self.rows += n
        self.seconds += float(weight.sum()) if "duration" in rows else 0.0
        if "flags" in rows:
            for flag in Flag:
                count = int(np.count_nonzero(rows["flags"] & np.uint32(flag)))
                if count:
                    self.flags[flag.label] = self.flags.get(flag.label, 0) + count
        if "f" in rows:
            self.without_frequency += int(np.count_nonzero(np.isnan(rows["f"])))
        for name, rule in self._rule.items():
            values = rows.get(name)
            if values is None:
                continue
            if rule is Rule.RMS:
                self._add(name, values * values, weight)
            elif rule is Rule.MEAN:
                self._add(name, values, weight)
            if rule in (Rule.MIN, Rule.MAX) or name in self._extremes:
                self._add_extremes(name, values, rows["t"])
        self._add_fundamental(rows, weight)

    def join(self, state: Mapping[str, Any]) -> None:
        """Take in what others summed up: the `state` of the rows that follow."""
        self.rows += state["rows"]
        self.without_frequency += state["without_frequency"]
        self.seconds += state["seconds"]
        for label, count in state["flags"].items():
            self.flags[label] = self.flags.get(label, 0) + count
        for name, (total, weight) in state["sum"].items():
            mine = self._sum.setdefault(name, [0.0, 0.0])
            mine[0] += total
            mine[1] += weight
        for kept, theirs, sign in ((self._low, state["low"], 1), (self._high, state["high"], -1)):
            for name, (value, t) in theirs.items():
                if name not in kept or sign * value < sign * kept[name][0]:
                    kept[name] = [value, t]

    def _add(self, name: str, values: np.ndarray, weight: np.ndarray) -> None:
        valid = np.isfinite(values)
        total = self._sum.setdefault(name, [0.0, 0.0])
        if valid.all():
            total[0] += float(values @ weight)
            total[1] += float(weight.sum())
        elif valid.any():
            total[0] += float(values[valid] @ weight[valid])
            total[1] += float(weight[valid].sum())

    def _add_extremes(self, name: str, values: np.ndarray, t: np.ndarray) -> None:
        valid = np.flatnonzero(np.isfinite(values))
        if not len(valid):
            return
        low, high = valid[np.argmin(values[valid])], valid[np.argmax(values[valid])]
        if name not in self._low or values[low] < self._low[name][0]:
            self._low[name] = [float(values[low]), int(t[low])]
        if name not in self._high or values[high] > self._high[name][0]:
            self._high[name] = [float(values[high]), int(t[high])]

    def _add_fundamental(self, rows: Columns, weight: np.ndarray) -> None:
        """Phasors."""
        for name, angle in ANGLES.items():
            if name in rows and angle in rows:
                for part, values in zip(("re", "im", "abs"), (*parts_of(rows[name], rows[angle]), rows[name]), strict=True):
                    self._add(f"{name}.{part}", values, weight)

    def _mean(self, name: str) -> float | None:
        total, weight = self._sum.get(name, (0.0, 0.0))
        return total / weight if weight > 0 else None

    def mean(self, names: Collection[str] | None = None) -> dict[str, float | None]:
        """The mean of every column, or of those named, by its rule; None where there is none."""
        result: dict[str, float | None] = {}
        for name, rule in self._rule.items() if names is None else ((n, self._rule[n]) for n in names):
            value: float | None = None
            kind, _, phase = name.rpartition("_") if "_" in name else (name, "", "")
            if rule is Rule.MEAN:
                value = self._mean(name)
            elif rule is Rule.RMS:
                square = self._mean(name)
                value = None if square is None else square**0.5
            elif rule is Rule.MIN:
                value = self._low.get(name, [None])[0]
            elif rule is Rule.MAX:
                value = self._high.get(name, [None])[0]
            elif rule is Rule.RATIO:
                above, below = map(self._mean, self._ratio[name])
                value = above / below if above is not None and below else None
            elif rule is Rule.DISPLACEMENT:
                value = self._displacement(phase)
            elif rule in (Rule.PHASOR_MAGNITUDE, Rule.PHASOR_ANGLE):
                value = self._phasor(f"{kind.removeprefix('phi_')[0]}1_{phase}", rule)
            result[name] = value
        return result

    def _phasor(self, key: str, rule: Rule) -> float | None:
        re, im = self._mean(f"{key}.re"), self._mean(f"{key}.im")
        if re is None or im is None:
            return None
        size = float(np.hypot(re, im))
        if rule is Rule.PHASOR_ANGLE:
            return float(np.degrees(np.arctan2(im, re))) if size > 0 else None
        # without any angle the magnitude is a plain mean
        return size if size > 0 else self._mean(f"{key}.abs")

    def _displacement(self, phase: str) -> float | None:
        if self.rows and self.without_frequency == self.rows:
            # powers of the fundamental are rounding
            return None
        if phase:
            p, s = self._mean(f"P1_{phase}"), self._mean(f"S1_{phase}")
        else:
            p, q = self._mean("P1"), self._mean("Q1")
            s = None if p is None or q is None else float(np.hypot(p, q))
        return p / s if p is not None and s else None

    def extremes(self) -> dict[str, dict[str, Any] | None]:
        """Smallest and largest value of the main columns with their times (ns)."""
        result: dict[str, dict[str, Any] | None] = {}
        for name in self._rule:
            if name in self._extremes:
                low, high = self._low.get(name), self._high.get(name)
                result[name] = None if low is None or high is None else {"min": low[0], "t_min": low[1], "max": high[0], "t_max": high[1]}
        return result

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        counts = {"rows": self.rows, "without_frequency": self.without_frequency, "seconds": self.seconds, "flags": self.flags}
        return {**counts, "sum": self._sum, "low": self._low, "high": self._high}

    @classmethod
    def of(cls, state: Mapping[str, Any], extras: frozenset[str] = frozenset()) -> Statistics:
        """The inverse of `state`."""
        made = cls(extras)
        made.rows, made.without_frequency = state["rows"], state["without_frequency"]
        made.seconds, made.flags = state["seconds"], dict(state["flags"])
        made._sum, made._low, made._high = ({k: list(v) for k, v in state[part].items()} for part in ("sum", "low", "high"))
        return made
