"""CSV and other text tables: exports of oscilloscopes and data loggers.

What is understood
------------------
- Delimiters comma, semicolon, tab, bar, blanks, or a single column; decimal point or comma; quoted fields.
- Any number of lines above the table; a header row, a row of units, or units in the header
  (`U_L1 [V]`, `Va (kV)`, `t/ms`, `Va_V`; a trailing `_I` means ampere). Names of roles such as `U_L1` are used as they are.
  Where no unit is given, it follows from the name (`Va` is in V), and that is said.
- Time: ISO 8601 with or without zone (without, UTC is assumed and said), dd.mm.yyyy, dd/mm/yyyy or mm/dd/yyyy where the
  numbers tell which, date and clock apart, a clock alone, seconds/ms/us/ns from any start, the same since 1970; or none,
  and then the sample rate must be given. Its start is kept for absolute times only.
- Empty fields and NaN are missing samples. The rate comes from the stamps (see `_csv_time.timing`) and is checked against a
  given one, which wins; whole samples missing between stamps become gaps.
- UTF-8 with or without byte-order mark, else latin-1.

What is refused
---------------
Text where numbers belong, rows of another length and NUL bytes, each with its line; lines above 1 MB, more than 1024
columns; UTF-16; tables of rms values, which hold no waveform. A last row without line end and with fields missing is left
out, with a warning. Cells are never evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..errors import InputError
from ..recording import TOO_SLOW, Channel, Gap, Recording, Segment
from ..roles import guess_unit, unit
from ._csv_layout import NULLS, Layout, is_number, is_time, lay_out, split_line
from ._csv_time import Clock, Timing, timing
from ._spool import Spool

__all__ = ["MAX_COLUMNS", "MAX_LINE", "READER", "CsvReader"]

MAX_LINE = 1 << 20
MAX_COLUMNS = 1024
_BLOCK = 8 << 20
_HEAD = 256 << 10
_RMS_WORDS = ("rms", "eff", "trms")


class _Chunk(NamedTuple):
    """Whole lines of the file, the number of the first one counted from 1, and whether the last has no line end."""

    data: bytes
    line: int
    open_end: bool


class _Table:
    """Values in memory or in a mapped scratch file."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def raw(self, start: int, stop: int) -> np.ndarray:
        return self._values[start:stop]

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((max(stop - start, 0), 0), np.uint8)

    def close(self) -> None:
        self._values = self._values[:0].copy()


class CsvReader:
    """See the module."""

    name = "CSV"
    extensions = (".csv", ".tsv", ".txt", ".asc")

    def sniff(self, path: Path, head: bytes) -> bool:
        """Whether `head` is text, and a table or named like one."""
        if b"\0" in head or head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return path.suffix.lower() in (".csv", ".tsv") and head.startswith((b"\xff\xfe", b"\xfe\xff"))
        if sum(byte < 32 and byte not in b"\t\r\n\x1a" for byte in head) > len(head) // 100:
            return False
        ending = path.suffix.lower()
        if ending in (".csv", ".tsv"):
            return True
        # other formats have text files full of numbers too, so that only their own names are looked into
        lines = _decoded(head).splitlines() if ending in self.extensions or not ending else []
        layout = lay_out(lines[:-1] if len(lines) > 3 else lines)
        return layout is not None and len(lines) - layout.first > 2

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The table as a recording; see the module for what is understood and refused."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        layout = _layout(path)
        warnings: list[str] = []
        channels = _channels(layout, path, warnings)
        values, stamps, clock, resolution = _parsed(path, layout, warnings)
        if not values.rows:
            raise InputError("no rows of numbers", path=path, expected="a table of samples")
        start_ns, used, gaps = _timebase(path, layout, rate, stamps, clock, resolution, warnings)
        excluded = f"{used:g} Hz is too slow for a waveform" if used < TOO_SLOW * 50 else ""
        if excluded:
            warnings.append(f"{excluded}: rms values, or a wrong time column? (--rate)")
        segment = Segment(0, values.rows, used, start_ns, excluded)
        delimiter = {"\t": "tab", " ": "blanks", "": "none"}.get(layout.delimiter, layout.delimiter)
        metadata = {"delimiter": delimiter, "decimal": layout.decimal, "preamble": list(layout.preamble)}
        return Recording(_Table(values.array()), channels, (segment,), gaps, format="CSV", path=path, warnings=warnings, metadata=metadata)


READER = CsvReader()


def _decoded(data: bytes) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # the head may end within a character
        return data[: error.start].decode("utf-8") if error.start > len(data) - 4 else data.decode("latin-1")


def _layout(path: Path) -> Layout:
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        more = bool(file.read(1))
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("the text is UTF-16", path=path, offset=0, expected="UTF-8 or latin-1; save it again as UTF-8")
    if b"\0" in head:
        at = head.index(b"\0")
        raise InputError("a NUL byte in a text table", path=path, line=head.count(b"\n", 0, at) + 1, offset=at, expected="text")
    text = _decoded(head)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for k, found in enumerate(lines[:400]):
        columns = max(found.count(d) for d in ",;\t|") + 1
        if columns > MAX_COLUMNS:
            raise InputError(f"{columns} columns or more", path=path, line=k + 1, expected=f"at most {MAX_COLUMNS}")
    if more:
        if len(lines) == 1:
            # one line longer than the head: find out whether it is within the limit
            for _ in _chunks(path):
                break
        lines = lines[:-1]
    layout = lay_out([line[:MAX_LINE] for line in lines[:400]])
    if layout is None:
        raise InputError("no table of numbers is found", path=path, line=1, expected="rows of numbers, with a header or without")
    if len(layout.kinds) > MAX_COLUMNS:
        raise InputError(f"{len(layout.kinds)} columns", path=path, line=layout.first + 1, expected=f"at most {MAX_COLUMNS}")
    if not layout.values:
        raise InputError("the table has no column of values", path=path, line=layout.first + 1, expected="a column for each channel")
    return layout


def _channels(layout: Layout, path: Path, warnings: list[str]) -> tuple[Channel, ...]:
    channels, guessed = [], []
    for k in layout.values:
        name = layout.names[k]
        base, factor = unit(layout.units[k])
        if not base and (base := guess_unit(name)):
            guessed.append(f"{name} in {base}")
        channels.append(Channel(name, scale=factor, unit=base))
    if guessed:
        warnings.append("no units in the file; by their names: " + ", ".join(guessed[:12]) + (" ..." if len(guessed) > 12 else ""))
    skipped = [layout.names[k] or f"column {k + 1}" for k in layout.ignored if layout.names[k] or k < layout.width - 1]
    if skipped:
        warnings.append("columns without samples are left out: " + ", ".join(skipped[:12]))
    words = [set("".join(ch if ch.isalnum() else " " for ch in c.name.lower()).split()) for c in channels]
    if all(w & set(_RMS_WORDS) for w in words):
        raise InputError(
            f"the table holds rms values ({', '.join(c.name for c in channels[:4])}), not samples of a waveform",
            path=path,
            line=max(layout.first, 1),
            expected="instantaneous values, at least 4 per cycle",
        )
    return tuple(channels)


def _chunks(path: Path) -> Iterator[_Chunk]:
    """The file in whole lines, within the limits."""
    line, rest = 1, b""
    with open(path, "rb") as file:
        block = file.read(_BLOCK)
        mac = b"\r" in block[:MAX_LINE] and b"\n" not in block[:MAX_LINE]
        block = block.removeprefix(b"\xef\xbb\xbf")
        while block:
            following = file.read(_BLOCK)
            data = rest + (block.replace(b"\r", b"\n") if mac else block)
            cut = data.rfind(b"\n") + 1 if following else len(data)
            out, rest = data[:cut], data[cut:]
            _check_lines(out, rest, line, path)
            if out:
                yield _Chunk(out, line, not out.endswith(b"\n"))
            line += out.count(b"\n")
            block = following


def _check_lines(out: bytes, rest: bytes, line: int, path: Path) -> None:
    if b"\0" in out:
        raise InputError("a NUL byte in a text table", path=path, line=line + out.count(b"\n", 0, out.index(b"\0")), expected="text")
    ends = np.flatnonzero(np.frombuffer(out, np.uint8) == 10)
    lengths = np.diff(ends, prepend=-1, append=len(out) - 1)
    if lengths.max(initial=0) > MAX_LINE:
        raise InputError(f"a line of more than {MAX_LINE} bytes", path=path, line=line + int(np.argmax(lengths > MAX_LINE)), expected="shorter lines")
    if len(rest) > MAX_LINE:
        raise InputError(f"a line of more than {MAX_LINE} bytes", path=path, line=line + len(ends), expected="shorter lines")


def _parsed(path: Path, layout: Layout, warnings: list[str]) -> tuple[Spool, Spool, Clock | None, float]:
    """All values, the time stamps in ns, how they are written, and the worth of their last digit in ns."""
    values, stamps = Spool(np.float64, len(layout.values)), Spool(np.int64, 1)
    clock, resolution = None, 1.0
    for chunk in _chunks(path):
        data, line = chunk.data, chunk.line
        skip = layout.first + 1 - line
        if skip > 0:
            at = 0
            for _ in range(skip):
                at = data.find(b"\n", at) + 1
            data, line = data[at:], line + skip
        if chunk.open_end:
            data = _without_cut_row(data, layout, line, warnings)
        if not data.strip():
            continue
        table = _arrow(data, layout, line, path)
        if layout.time:
            texts = _time_texts(table, layout)
            if clock is None:
                cells = [c or "" for c in texts.slice(0, 1000).to_pylist()]
                clock = Clock(cells, layout.units[layout.time[0]], layout.names[layout.time[0]], layout.decimal)
                resolution = min(map(clock.resolution, cells[:3]))
            stamps.append(_stamps(clock, texts, data, layout, line, path)[:, None])
            resolution = max(resolution, clock.resolution(texts[len(texts) - 1].as_py() or ""))
        values.append(np.column_stack([table.column(f"c{k}").to_numpy() for k in layout.values]))
    return values, stamps, clock, resolution


def _without_cut_row(data: bytes, layout: Layout, line: int, warnings: list[str]) -> bytes:
    """Without a last row that has no line end and fields missing."""
    cut = data.rfind(b"\n") + 1
    tail = data[cut:].strip(b"\x1a\r\n\t ")
    if not tail:
        return data[:cut]
    if len(split_line(_decoded(tail), layout.delimiter)) < len(layout.kinds):
        warnings.append(f"line {line + data.count(bytes([10]), 0, cut)} is cut off and left out ({len(tail)} bytes)")
        return data[:cut]
    return data


def _arrow(data: bytes, layout: Layout, line: int, path: Path) -> Any:
    """A table of double and, for time, string columns named c0, c1 ...; blank lines take no rows."""
    import re

    import pyarrow as pa
    from pyarrow import csv

    delimiter = layout.delimiter or "\x1f"
    if delimiter == " ":
        data, delimiter = re.sub(rb"(?m)^[ \t]+|[ \t\r]+$", b"", data), "\t"
        data = re.sub(rb"[ \t]+", b"\t", data)
    names = [f"c{k}" for k in range(len(layout.kinds))]
    types = {f"c{k}": pa.string() for k in layout.time} | {f"c{k}": pa.float64() for k in layout.values}
    if b"+" in data:
        # Arrow takes no plus sign in front of a number
        data = re.sub(rb"(?m)(^|[^0-9eE:.])\+(?=[0-9.,])", rb"\1", data)
    try:
        return csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=max(len(data), 1)),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=list(NULLS),
                strings_can_be_null=True,
                decimal_point=layout.decimal,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        _find_fault(data, layout, delimiter, line, path, str(error))


def _find_fault(data: bytes, layout: Layout, delimiter: str, line: int, path: Path, why: str) -> NoReturn:
    """Name the line that the parser refused."""
    width = len(layout.kinds)
    for k, text in enumerate(_decoded(data).split("\n")):
        if not text.strip():
            continue
        cells = split_line(text.rstrip("\r"), delimiter if delimiter != "\x1f" else "")
        if len(cells) != width:
            raise InputError(f"{len(cells)} fields", path=path, line=line + k, expected=f"{width}, as in the rows before")
        for column in layout.time:
            if not (is_time(cells[column]) or is_number(cells[column], layout.decimal)):
                raise InputError(f"time stamp {cells[column][:40]!r}", path=path, line=line + k, expected="a time like the first one")
        for column in layout.values:
            cell = cells[column]
            if cell not in NULLS and not is_number(cell, layout.decimal):
                name = layout.names[column]
                raise InputError(f"{cell[:40]!r} in column {name!r} is no number", path=path, line=line + k, expected="a number")
    raise InputError(f"the table cannot be parsed from here on ({why[:200]})", path=path, line=line, expected="rows of numbers")


def _time_texts(table: Any, layout: Layout) -> Any:
    import pyarrow.compute as pc

    columns = [table.column(f"c{k}").combine_chunks() for k in layout.time]
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, " ")


def _stamps(clock: Clock, texts: Any, data: bytes, layout: Layout, line: int, path: Path) -> np.ndarray:
    import pyarrow as pa

    try:
        return clock.to_ns(texts)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError) as error:
        rows = [k for k, text in enumerate(data.split(b"\n")) if text.strip()]
        for k in range(len(texts)):
            cell = texts[k].as_py()
            try:
                clock.to_ns(texts.slice(k, 1))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError):
                good = cell is not None and (is_time(cell.strip()) or is_number(cell.strip(), layout.decimal))
                what = "a time like the first one" if not good else "a time written like the first one"
                raise InputError(f"time stamp {(cell or '')[:40]!r}", path=path, line=line + rows[k], expected=what) from None
        raise InputError(f"the time stamps cannot be read ({error})", path=path, line=line, expected="ISO 8601 or numbers") from None


def _timebase(
    path: Path, layout: Layout, rate: float | None, stamps: Spool, clock: Clock | None, resolution: float, warnings: list[str]
) -> tuple[int | None, float, tuple[tuple[int, Gap], ...]]:
    """Start, sample rate and gaps."""
    if clock is None:
        if rate is None:
            raise InputError("no time column", path=path, line=max(layout.first, 1), expected="the sample rate: --rate HZ")
        return None, rate, ()
    times = stamps.array()[:, 0]
    warnings += clock.notes
    start_ns = int(times[0]) if clock.absolute else None
    if len(times) < 2:
        if rate is None:
            raise InputError("a single row has no sample rate", path=path, line=layout.first + 1, expected="the sample rate: --rate HZ")
        return start_ns, rate, ()
    if clock.form == "clock" and times[-1] < times[0]:
        times = times + np.cumsum(np.diff(times, prepend=times[0]) < -43_200_000_000_000) * 86_400_000_000_000
    try:
        found = timing(times, resolution)
    except InputError as error:
        raise InputError(error.problem, path=path, line=layout.first + (error.line or 0) + 1, expected=error.expected) from None
    warnings += found.notes
    if found.gaps:
        lost = sum(n for _, n in found.gaps)
        warnings.append(f"{len(found.gaps)} gap{'s' if len(found.gaps) > 1 else ''} in the time stamps, {lost} samples are missing")
    if rate is not None:
        _compare(rate, found, warnings)
    gaps = tuple((row, Gap(n, "missing by the time stamps")) for row, n in found.gaps)
    return start_ns, found.rate if rate is None else rate, gaps


def _compare(rate: float, found: Timing, warnings: list[str]) -> None:
    if abs(found.rate - rate) > max(1e-4 * rate, found.uncertainty):
        warnings.append(f"the time stamps say {found.rate:.9g} Hz; the given {rate:.9g} Hz is used")
