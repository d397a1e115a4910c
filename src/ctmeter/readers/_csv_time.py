"""Time stamps of text tables: parsed to ns, and what they say of rate, jitter and gaps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError

__all__ = ["Clock", "Timing", "shortest", "timing"]

_UNITS = {"s": 1e9, "sec": 1e9, "second": 1e9, "seconds": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "μs": 1e3, "ns": 1.0}
_ZONE = re.compile(r"(Z|UTC|[+-]\d\d:?\d\d)$")
#: A stamp later than its place by this many samples means that samples are missing.
_LOST = 0.95
#: More jumps than this share of the rows: the stamps are irregular, not the samples lost.
_IRREGULAR = 0.05
_CHUNK = 4_000_000


@dataclass
class Clock:
    """How the time column is written, by its first cells.

    Parameters
    ----------
    cells : sequence of str
        First cells of the column; date and clock joined by a blank where they stand apart.
    unit : str
        From the header, "" where it says none.
    name : str
        Of the column.
    decimal : str
    """

    cells: Sequence[str]
    unit: str = ""
    name: str = ""
    decimal: str = "."
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.cells[0].strip() if self.cells else ""
        self.zone = False
        if re.match(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T]", first):
            self.form = "date"
            self.zone = bool(_ZONE.search(first)) and "UTC" not in first[-3:]
            if not self.zone and "utc" not in self.name.lower() and "UTC" not in first:
                self.notes.append("the time stamps have no zone and are taken as UTC")
            self.month_first = self._month_first()
        elif re.match(r"\d{1,2}:\d{2}:\d{2}", first):
            self.form = "clock"
        else:
            self._of_numbers(first)

    @property
    def absolute(self) -> bool:
        """Whether the stamps say when, not only how long after the first."""
        return self.form in ("date", "epoch")

    def _of_numbers(self, first: str) -> None:
        value = abs(float(first.replace(self.decimal, ".") or 0)) if first else 0.0
        self.factor = _UNITS.get(self.unit.strip().lower(), 0.0)
        if not self.factor:
            # seconds, unless the number can only be a time since 1970 in a finer unit
            sizes = ((1e17, 1.0), (1e14, 1e3), (1e11, 1e6))
            self.factor = next((f for above, f in sizes if value > above), 1e9)
        self.form = "epoch" if 1e8 < value * self.factor * 1e-9 < 1e10 else "relative"

    def _month_first(self) -> bool:
        pairs = [(int(m[1]), int(m[2])) for c in self.cells if (m := re.match(r"(\d{1,2})/(\d{1,2})/\d{4}", c.strip()))]
        if not pairs or any(a > 12 for a, _ in pairs):
            return False
        if any(b > 12 for _, b in pairs):
            return True
        self.notes.append("day and month of the time stamps cannot be told apart; the first number is taken as the day")
        return False

    def resolution(self, cell: str) -> float:
        """Ns for one unit of the last digit written."""
        cell = cell.strip().replace(",", ".")
        if self.form in ("date", "clock"):
            match = re.search(r":\d{2}\.(\d+)", cell)
            return max(1.0, 10.0 ** (9 - len(match[1]))) if match else 1e9
        match = re.fullmatch(r"[+-]?\d*\.?(\d*)(?:[eE]([+-]?\d+))?", cell)
        exponent = int((match[2] or "0")[:4]) - len(match[1]) if match else 0
        return max(1.0, 10.0 ** min(exponent, 30) * self.factor) if match else 1.0

    def to_ns(self, column: Any) -> np.ndarray:
        """Int64 ns of an Arrow string array.

        Raises
        ------
        pyarrow.ArrowInvalid
            A cell that is no time; the caller knows which lines these are.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if column.null_count:
            raise pa.ArrowInvalid("an empty time stamp")
        column = pc.utf8_trim_whitespace(column)
        if self.form == "relative":
            if self.decimal == ",":
                column = pc.replace_substring(column, ",", ".")
            seconds = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
            if not np.isfinite(seconds).all():
                raise pa.ArrowInvalid("a time stamp that is not finite")
            if np.abs(seconds).max(initial=0.0) * self.factor > 9e18:
                raise pa.ArrowInvalid("a time stamp out of range")
            return np.asarray(np.rint(seconds * self.factor), np.int64)
        if self.form == "epoch":
            return self._epoch(column, pa, pc)
        return self._dates(column, pa, pc)

    def _epoch(self, column: Any, pa: Any, pc: Any) -> np.ndarray:
        parts = pc.extract_regex(column, r"^(?P<whole>\d{1,19})(?:[.,](?P<part>\d{1,9})\d*)?$")
        if parts.null_count:
            whole = pc.cast(pc.replace_substring(column, ",", "."), pa.float64()).to_numpy(zero_copy_only=False)
            return np.asarray(np.rint(whole * self.factor), np.int64)
        whole = pc.cast(pc.struct_field(parts, "whole"), pa.int64()).to_numpy(zero_copy_only=False)
        part = pc.cast(pc.utf8_rpad(pc.struct_field(parts, "part"), 9, "0"), pa.int64()).to_numpy(zero_copy_only=False)
        if whole.max(initial=0) > 9e18 / self.factor:
            raise pa.ArrowInvalid("a time stamp out of range")
        out: np.ndarray = whole * np.int64(self.factor) + part * np.int64(self.factor) // np.int64(10**9)
        return out

    def _dates(self, column: Any, pa: Any, pc: Any) -> np.ndarray:
        def sub(pattern: str, by: str) -> None:
            nonlocal column
            column = pc.replace_substring_regex(column, pattern, by)

        sub(r",(\d+)", r".\1")
        sub(r"(\.\d{9})\d+", r"\1")
        sub(r" *UTC$", "")
        if self.form == "clock":
            sub(r"^(\d):", r"0\1:")
            sub("^", "1970-01-01 ")
        else:
            sub(r"^(\d)([./-])", r"0\1\2")
            sub(r"^(\d+[./-])(\d)([./-])", r"\1" + "0" + r"\2\3")
            order = r"\3-\1-\2" if self.month_first else r"\3-\2-\1"
            sub(r"^(\d\d)[./-](\d\d)[./-](\d{4})", order)
            sub(r"^(\d{4})/(\d\d)/(\d\d)", r"\1-\2-\3")
            sub(r"^(\d{4}-\d\d-)(\d[ T])", r"\1" + "0" + r"\2")
            sub(r"([ T])(\d):", r"\1" + "0" + r"\2:")
        kind = pa.timestamp("ns", "UTC") if self.zone else pa.timestamp("ns")
        out: np.ndarray = pc.cast(pc.cast(column, kind), pa.int64()).to_numpy(zero_copy_only=False)
        return out


@dataclass(frozen=True)
class Timing:
    """What stamps say.

    Parameters
    ----------
    rate : float
        Hz.
    gaps : tuple of (int, int)
        Row before which samples are missing, and how many.
    notes : tuple of str
        Irregularities.
    uncertainty : float
        Hz, by the last digit written.
    """

    rate: float
    gaps: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]
    uncertainty: float


def timing(stamps: np.ndarray, resolution: float = 1.0) -> Timing:
    """Rate, gaps and irregularities of time stamps.

    The rate is that of the regular steps (within 5 % of the median); where fewer than 99 % are regular, that of the whole
    span without the gaps. It is rounded to the fewest digits that the written resolution cannot tell from it. A stamp late by
    a whole sample or more, whose successors are late as well, follows a gap; anything less is jitter.

    Parameters
    ----------
    stamps : ndarray of int64, shape (n,), n >= 2
        Ns.
    resolution : float
        Ns for the last digit written.

    Raises
    ------
    InputError
        Time that stands still or runs backwards; `line` holds the row, counted from 0.
    """
    head = np.diff(stamps[: _CHUNK // 4])
    coarse = bool(np.mean(head == 0) > 0.01)
    step = _step(stamps, head, coarse)
    regular = np.zeros(2)
    counted = 0.0
    jumps: list[tuple[int, float]] = []
    jitter, worst, count = 0, 0.0, 0
    rows, at = np.empty(0, np.int64), 0
    while at < len(stamps) - 1:
        rows = np.concatenate((rows[-1:], _rows(stamps, at, coarse))) if coarse else _rows(stamps, at, coarse)
        at = min(at + _CHUNK, len(stamps) - 1)
        if len(rows) < 2:
            continue
        dt = np.diff(stamps[rows]).astype(np.float64)
        dr = np.diff(rows)
        late = dt / step - dr
        back = np.flatnonzero(dt < -1.5 * step)
        if len(back):
            raise InputError("the time stamps go back", line=int(rows[back[0] + 1]), expected="rows in the order of their time")
        lost = late >= (_LOST + 1.0 if coarse else _LOST)
        steady = np.abs(late) <= 0.05 * dr
        count += len(late)
        jitter += int(np.count_nonzero(~steady & ~lost))
        worst = max(worst, float(np.abs(late[~lost]).max(initial=0.0)))
        regular += (dt[steady].sum(), dr[steady].sum())
        counted += float(dr[~lost].sum())
        if len(jumps) < _IRREGULAR * len(stamps) + 100:
            jumps += [(int(rows[k + 1]), float(late[k])) for k in np.flatnonzero(lost)]
    gaps, notes = _gaps(stamps, jumps, step, coarse)
    if jitter and not coarse:
        notes.append(f"{jitter} of {count} time steps are irregular, by up to {worst:.3g} samples; taken as jitter of the clock")
    if coarse:
        notes.append(f"the time stamps are coarser than the samples, {1e-9 * step:.3g} s apart; the rate is that of the whole span")
    span = regular if regular[1] >= 0.99 * counted > 0 else _span(stamps, gaps, coarse)
    if not span[0] > 0:
        raise InputError("the time stamps do not advance", line=1, expected="rows in the order of their time")
    rate = 1e9 * span[1] / span[0]
    uncertainty = rate * resolution * (1 + len(gaps)) / span[0]
    return Timing(shortest(rate, uncertainty), tuple(gaps), tuple(notes), uncertainty)


def _span(stamps: np.ndarray, gaps: list[tuple[int, int]], coarse: bool) -> np.ndarray:
    """Ns and number of intervals from end to end, without the gaps."""
    if coarse:
        changes = np.flatnonzero(np.diff(stamps)) + 1
        ends = changes[[0, -1]]
        return np.array([stamps[ends[1]] - stamps[ends[0]], ends[1] - ends[0] + sum(n for _, n in gaps)], np.float64)
    lost = sum(int(stamps[row] - stamps[row - 1]) for row, _ in gaps)
    return np.array([int(stamps[-1] - stamps[0]) - lost, len(stamps) - 1 - len(gaps)], np.float64)


def _rows(stamps: np.ndarray, at: int, coarse: bool) -> np.ndarray:
    """Rows of a chunk; for coarse stamps only those at which the stamp changes."""
    stop = min(at + _CHUNK, len(stamps) - 1) + 1
    if not coarse:
        return np.arange(at, stop)
    return at + 1 + np.flatnonzero(np.diff(stamps[at:stop]))


def _step(stamps: np.ndarray, head: np.ndarray, coarse: bool) -> float:
    """Ns between samples, from the first rows."""
    changes = np.flatnonzero(head) + 1
    if not len(changes):
        raise InputError("the time stamps stand still", line=1, expected="a time that advances")
    if coarse and len(changes) > 1:
        step = float(stamps[changes[-1]] - stamps[changes[0]]) / float(changes[-1] - changes[0])
    else:
        middle = float(np.median(head))
        near = head[np.abs(head - middle) <= 0.05 * abs(middle)]
        step = float(near.mean()) if len(near) else middle
    if step <= 0:
        raise InputError("the time stamps go back", line=1, expected="rows in the order of their time")
    return step


def _gaps(stamps: np.ndarray, jumps: list[tuple[int, float]], step: float, coarse: bool) -> tuple[list[tuple[int, int]], list[str]]:
    """The jumps that last; one made up for by the next stamps is jitter."""
    if len(jumps) > max(10, _IRREGULAR * len(stamps)):
        return [], [f"{len(jumps)} or more of {len(stamps)} time stamps jump: they are not those of the samples, which are taken as equidistant"]
    kept, eased = [], 0
    edges = [0, *(row for row, _ in jumps), len(stamps)]
    for k, (row, late) in enumerate(jumps):
        if not coarse:
            # never look across the neighbouring jumps
            before = stamps[max(edges[k], row - 8) : row]
            after = stamps[row : min(edges[k + 2], row + 8)]
            ahead = np.median((after - stamps[row]) / step - np.arange(len(after)))
            behind = np.median((before - stamps[row]) / step + np.arange(len(before), 0, -1))
            late = float(ahead - behind)
        if late >= _LOST:
            kept.append((row, max(1, round(late))))
        else:
            eased += 1
    notes = [f"{eased} time stamps are late and made up for by the next; taken as jitter of the clock"] if eased else []
    return kept, notes


def shortest(rate: float, uncertainty: float) -> float:
    """The number with the fewest digits within the uncertainty."""
    for digits in range(1, 16):
        short = float(f"{rate:.{digits}g}")
        if abs(short - rate) <= uncertainty:
            return short
    return rate
