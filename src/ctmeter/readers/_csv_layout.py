"""What the first lines of a text table say: delimiter, decimal mark, header, units, where the numbers begin."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..roles import unit

__all__ = ["NULLS", "Layout", "is_number", "is_time", "lay_out", "split_line"]

#: Fields that stand for no value.
NULLS = ("", "NaN", "nan", "NAN", "-nan", "NA", "N/A", "#N/A", "null", "NULL", "None", "-", "--", "---", "1.#QNAN", "-1.#IND")

_NUMBER = {
    ".": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|Inf|INF)"),
    ",": re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?|[+-]?(inf|Inf|INF)"),
}
_TIME = re.compile(r"(\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{1,2}:\d{2}:\d{2}).*")
_CANDIDATES = (
    *((",", "."), (";", ","), (";", "."), ("\t", ","), ("\t", "."), ("|", "."), ("|", ",")),
    *((",", ","), (" ", "."), (" ", ","), ("", "."), ("", ",")),
)
_LONGEST_NAME = 128
_TIME_NAME = re.compile(
    r"(time|t|zeit|tid|temps|tiempo|timestamp|time ?stamp|date|datum|dato|date ?time|datetime|x|x-?axis|sec|seconds?)([ _/(\[].*)?", re.IGNORECASE
)
_INDEX_NAME = re.compile(r"(index|idx|samples?|sample ?(no|nr|number|index)\.?|no\.?|nr\.?|n|#|row|point|points)", re.IGNORECASE)
_UNIT_LIKE = re.compile(
    r"[\[(]?\s*(s|sec|seconds?|ms|us|µs|μs|ns|[kKmMuµμ]?[VA]|volts?|amperes?|amps?|Hz|-|%|1|k?W|k?var|k?VA|°C|deg|°)\s*[\])]?",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"(?P<name>.*?)\s*[\[({]\s*(?P<unit>[^\[\](){}]{1,16})\s*[\])}]\s*")
_SLASH = re.compile(r"(?P<name>.+?)\s*(?:/\s*|\bin\s+)(?P<unit>s|ms|us|µs|ns|[kKmM]?[VA])")
_SUFFIX = re.compile(r"(?P<name>.+)_(?P<unit>s|ms|us|µs|ns|[kmM]?[VA]|I|volts?|amps?)")


@dataclass(frozen=True)
class Layout:
    """How a table is written.

    Parameters
    ----------
    delimiter : str
        One character; " " for runs of blanks, "" where there is one column.
    decimal : {".", ","}
    names, units, kinds : tuple of str
        For each column; kinds are "number", "time", "text".
    first : int
        Number of the line, from 0, of the first data row.
    time : tuple of int
        Columns that hold the time, none, one, or date and clock.
    ignored : tuple of int
        Columns that are neither time nor values.
    preamble : tuple of str
        Lines above the header.
    named : bool
        Whether there is a header.
    """

    delimiter: str
    decimal: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    kinds: tuple[str, ...]
    first: int
    time: tuple[int, ...]
    ignored: tuple[int, ...]
    preamble: tuple[str, ...]
    named: bool

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def values(self) -> tuple[int, ...]:
        return tuple(k for k in range(self.width) if k not in self.time and k not in self.ignored)


def is_number(cell: str, decimal: str) -> bool:
    return _NUMBER[decimal].fullmatch(cell) is not None


def is_time(cell: str) -> bool:
    return _TIME.fullmatch(cell) is not None


def split_line(line: str, delimiter: str) -> list[str]:
    """Fields of a line, stripped."""
    if delimiter == "":
        return [line.strip().strip('"')]
    if delimiter == " ":
        return line.split()
    if '"' in line:
        try:
            return [c.strip() for c in next(csv.reader([line], delimiter=delimiter), [])]
        except csv.Error:
            return []
    return [c.strip() for c in line.split(delimiter)]


def lay_out(lines: Sequence[str]) -> Layout | None:
    """The layout of a table by its first lines, None where no table is found.

    Of all ways to split, that with the most data rows wins; then the one in which the line above has as
    many fields; then the one with more columns.
    """
    best, best_score = None, (0, False, 0)
    for delimiter, decimal in _CANDIDATES:
        if delimiter.strip() and not any(delimiter in line for line in lines):
            continue
        rows = [split_line(line, delimiter) for line in lines]
        if delimiter == "," and decimal == "," and not any('"' in line for line in lines):
            continue
        first, length = _longest_run(rows, decimal)
        if not length:
            continue
        above = [k for k in range(first) if any(rows[k])][-1:]
        fits = not above or len(_header_cells(rows[above[0]], len(rows[first]))) == len(rows[first])
        score = (length, fits, len(rows[first]))
        if score > best_score:
            best, best_score = (delimiter, decimal, rows, first, length), score
    return None if best is None else _described(*best)


def _longest_run(rows: Sequence[list[str]], decimal: str) -> tuple[int, int]:
    """First row and number of rows of the longest run of data rows as wide as each other."""
    best = (0, 0)
    start, width, length = 0, 0, 0
    for k, row in enumerate(rows):
        if not any(row):
            continue
        if _is_data(row, decimal) and (len(row) == width or not length):
            if not length:
                start, width = k, len(row)
            length += 1
        else:
            length = 0
            if _is_data(row, decimal):
                start, width, length = k, len(row), 1
        if length > best[1]:
            best = (start, length)
    return best


def _is_data(row: Sequence[str], decimal: str) -> bool:
    """Numbers and times, at least one of them; texts not in front and in a third of the fields at most."""
    good = sum(is_number(c, decimal) or is_time(c) for c in row)
    empty = sum(c in NULLS for c in row)
    if not good:
        return False
    return good + empty == len(row) or (3 * (good + empty) >= 2 * len(row) and good >= 2 and (is_number(row[0], decimal) or is_time(row[0])))


def _header_cells(row: list[str], width: int) -> list[str]:
    """Fields of a header row without comment signs; trailing empty fields fill up or go."""
    cells = [row[0].lstrip("#%/; "), *row[1:]] if row else []
    if cells and not cells[0] and len(cells) == width + 1:
        cells = cells[1:]
    while len(cells) > width and not cells[-1]:
        cells.pop()
    return cells


def _described(delimiter: str, decimal: str, rows: list[list[str]], first: int, length: int) -> Layout:
    width = len(rows[first])
    run = [r for r in rows[first:] if any(r)][:length]
    names, units, used = _header(rows, first, width)
    kinds = []
    for k in range(width):
        cells = [r[k] for r in run if r[k] not in NULLS]
        times = sum(map(is_time, cells))
        numbers = sum(is_number(c, decimal) for c in cells)
        kinds.append("time" if cells and times == len(cells) else "number" if numbers or not cells else "text")
    while width > 1 and not any(r[width - 1] for r in run) and (not names or not names[width - 1]):
        # a delimiter at the end of every row
        kinds[width - 1] = "text"
        width -= 1
    time, ignored = _time_columns(names, kinds, run, decimal)
    plain, found = _names_and_units(names, units, len(kinds), [k for k in range(len(kinds)) if k not in time and k not in ignored])
    preamble = tuple(delimiter.join(r).strip() for r in rows[: min(used, first)] if any(r))
    return Layout(delimiter, decimal, tuple(plain), tuple(found), tuple(kinds), first, time, ignored, preamble, bool(names))


def _header(rows: list[list[str]], first: int, width: int) -> tuple[list[str], list[str], int]:
    """Names, units, and the first line that belongs to the header."""
    above = [(k, _header_cells(rows[k], width)) for k in range(first) if any(rows[k])]
    names: list[str] = []
    units: list[str] = []
    used = first
    for k, cells in reversed(above[-3:]):
        if len(cells) != width:
            break
        if not units and not names and all(_UNIT_LIKE.fullmatch(c) or not c for c in cells) and any(cells):
            units, used = [c[:32] for c in cells], k
        elif not names:
            names, used = cells, k
        elif not units and all(_UNIT_LIKE.fullmatch(c) or not c for c in cells) and any(cells):
            units, used = [c[:32] for c in cells], k
    for _, cells in above:
        if not units and len(cells) == width and "unit" in cells[0].lower():
            units = ["", *cells[1:]]
    if units and not names and all(c in ("", "1", "-") for c in units):
        names, units = units, []
    return names, units, used


def _time_columns(names: list[str], kinds: list[str], run: list[list[str]], decimal: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    ignored = {k for k, kind in enumerate(kinds) if kind == "text"}
    ignored |= {k for k, n in enumerate(names) if kinds[k] == "number" and _INDEX_NAME.fullmatch(n) and k == 0}
    times = [k for k, kind in enumerate(kinds) if kind == "time"]
    if times:
        date_only = all(":" not in r[times[0]] for r in run)
        if date_only and len(times) > 1:
            return tuple(times[:2]), tuple(sorted(ignored | set(times[2:])))
        # a date alone says nothing of the sample's time
        return ((), tuple(sorted(ignored | set(times)))) if date_only else ((times[0],), tuple(sorted(ignored | set(times[1:]))))
    for k, n in enumerate(names):
        if k not in ignored and _TIME_NAME.fullmatch(n):
            return (k,), tuple(sorted(ignored))
    if (not names or not names[0]) and 0 not in ignored and len(kinds) > 1 and len(run) > 2:
        numbers = [float(r[0].replace(decimal, ".")) for r in run if is_number(r[0], decimal)]
        steps = [b - a for a, b in itertools.pairwise(numbers)]
        if steps and min(steps) > 0 and max(steps) < 1.5 * min(steps):
            if all(s == 1.0 for s in steps):
                return (), tuple(sorted(ignored | {0}))
            return (0,), tuple(sorted(ignored))
    return (), tuple(sorted(ignored))


def _names_and_units(names: list[str], units: list[str], width: int, values: list[int]) -> tuple[list[str], list[str]]:
    plain = [n[:_LONGEST_NAME] for n in names] + [""] * (width - len(names))
    found = [u.strip("[]() ") for u in units] + [""] * (width - len(units))
    for k in range(width):
        for pattern in (_BRACKETS, _SLASH):
            match = pattern.fullmatch(plain[k])
            if match and match["name"] and not found[k]:
                plain[k], found[k] = match["name"].strip(), match["unit"].strip()
        match = _SUFFIX.fullmatch(plain[k])
        if match and not found[k]:
            # the unit as the end of a name stays part of the name
            found[k] = "A" if match["unit"] == "I" else match["unit"]
    for count, k in enumerate(values, 1):
        plain[k] = plain[k] or f"ch{count}"
    return plain, ["" if u == "-" else unit(u)[0] if unit(u)[1] == 1.0 else u for u in found]
