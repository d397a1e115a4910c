"""The data part of a COMTRADE record in ASCII: a compiled parser, and a tolerant path for odd rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ._comtrade_dat import PLACES

__all__ = ["TableData", "parse_ascii"]

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


class TableData:
    """Parsed rows in memory; a `Source` and a `RowClock`."""

    def __init__(self, numbers: np.ndarray, stamps: np.ndarray, raw: np.ndarray, status: np.ndarray) -> None:
        self.rows = len(raw)
        self.places = PLACES
        self._numbers, self._stamps, self._raw, self._status = numbers, stamps, raw, status

    @property
    def dtype(self) -> np.dtype:
        return self._raw.dtype

    def raw(self, start: int, stop: int) -> np.ndarray:
        return self._raw[start:stop]

    def status(self, start: int, stop: int) -> np.ndarray:
        return self._status[start:stop]

    def stamps(self, start: int, stop: int) -> np.ndarray:
        return self._stamps[start:stop]

    def stamps_at(self, rows: np.ndarray) -> np.ndarray:
        found: np.ndarray = self._stamps[rows]
        return found

    def numbers(self, start: int, stop: int) -> np.ndarray:
        return self._numbers[start:stop]

    def close(self) -> None:
        self._raw, self._status = self._raw[:0].copy(), self._status[:0].copy()
        self._numbers = self._stamps = np.empty(0)
        self.rows = 0


def parse_ascii(data: bytes, n_analog: int, n_status: int, missing: int, path: Path, offset: int, warnings: list[str]) -> TableData:
    """Parse ASCII rows `n,timestamp,A1,...,D1,...`.

    Parameters
    ----------
    data : bytes
    n_analog, n_status : int
    missing : int
        The revision's number for a missing sample; empty fields become it too.
    path, offset :
        Of `data`, for messages.
    warnings : list of str
        Receives every oddity.

    Raises
    ------
    InputError
        No whole row, or rows that are not what the counts declare.
    """
    data = _whole_rows(data, n_analog, n_status, path, offset, warnings)
    width = 2 + n_analog + n_status
    table = _parse(data, width, "int64")
    if table is None:
        data = _repaired(data, width, n_analog, path, offset, warnings)
        table = _parse(data, width, "int64") or _parse(data, width, "double") or _parse_words(data, width, path, warnings)
    columns = [table.column(k) for k in range(width)]
    return _arrays(columns, n_analog, missing, path, warnings)


def _whole_rows(data: bytes, n_analog: int, n_status: int, path: Path, offset: int, warnings: list[str]) -> bytes:
    """The rows that are whole beyond doubt, lines ended by a line feed."""
    ended = False
    end = data.find(b"\x1a")
    if end >= 0:
        if data[end:].strip(b"\x1a\0 \t\r\n"):
            warnings.append(f"{path.name}, byte {offset + end}: DOS end-of-file mark; the {len(data) - end} bytes from there on were not read")
        else:
            warnings.append(f"{path.name}, byte {offset + end}: DOS end-of-file mark at the end of the data")
        data, ended = data[:end], True
    data = data.rstrip(b"\0")
    ended = ended or data.endswith(b"\r")
    if b"\0" in data[:4096]:
        raise InputError("binary data where the CFG declares ASCII", path=path, offset=offset + data.index(b"\0"), expected="rows of text")
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    start = data.rfind(b"\n") + 1
    tail = data[start:]
    if tail.strip() and not ended:
        fields = tail.strip().split(b",")
        # only a one-character field shows that nothing of it was cut off
        whole = n_status > 0 and len(fields) == 2 + n_analog + n_status and fields[-1].strip() in (b"0", b"1")
        if not whole:
            where = f"{path.name}, byte {offset + start}"
            warnings.append(f"{where}: the last {len(tail)} bytes are a row without its line end, left out since it may be cut")
            data = data[:start]
    if not data.strip():
        raise InputError("no whole row of data", path=path, offset=offset, expected=f"rows of {2 + n_analog + n_status} fields")
    # Arrow takes no plus sign; dropping it leaves every number as it is (1e+5 is 1e5)
    return data.replace(b"+", b"") if b"+" in data else data


def _parse(data: bytes, width: int, kind: str) -> Any:
    """The table with every column of one type, or None where that cannot be."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(k) for k in range(width)]
    try:
        return csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(column_names=names, use_threads=len(data) > 1 << 20, block_size=max(1 << 20, 64 * width)),
            parse_options=csv.ParseOptions(quote_char=False, newlines_in_values=False),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, kind), null_values=[""], strings_can_be_null=True, check_utf8=False),
        )
    except pa.ArrowInvalid:
        return None


def _repaired(data: bytes, width: int, n_analog: int, path: Path, offset: int, warnings: list[str]) -> bytes:
    """The same rows with `width` fields each: short rows filled with missing values, surplus fields dropped."""
    text = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(text == 10)
    if not len(ends) or ends[-1] != len(text) - 1:
        ends = np.append(ends, len(text))
    commas = np.searchsorted(np.flatnonzero(text == 44), ends)
    odd = np.flatnonzero(np.diff(commas, prepend=0) != width - 1)
    if not len(odd):
        return data
    lines = data.split(b"\n")
    notes: dict[str, list[int]] = {}
    doubtful = 0
    for k in odd.tolist():
        line = lines[k].strip()
        if not line:
            continue
        fields = line.split(b",")
        if len(fields) > width:
            surplus = any(f.strip() for f in fields[width:])
            notes.setdefault("surplus fields, dropped" if surplus else "a comma too many", []).append(k + 1)
            doubtful += surplus
            del fields[width:]
        elif len(fields) >= 2 + n_analog:
            notes.setdefault("status fields missing, taken as 0", []).append(k + 1)
            doubtful += len(fields) > 2 + n_analog  # rows without any status field are a habit of some devices
        else:
            notes.setdefault("too few fields; the samples that are not there are missing", []).append(k + 1)
            doubtful += 1
        lines[k] = b",".join(fields + [b""] * (width - len(fields)))
    if 2 * doubtful > sum(1 for line in lines if line.strip()):
        first = min(row for rows in notes.values() for row in rows) - 1
        found = len(data.split(b"\n", first + 1)[first].split(b","))
        raise InputError(
            f"row {first + 1} of the data has {found} fields",
            path=path,
            offset=offset + (int(ends[first - 1]) + 1 if first else 0),
            expected=f"{width} fields, as the counts in the CFG declare",
        )
    for what, rows_with in notes.items():
        more = f" and {len(rows_with) - 1} more" if len(rows_with) > 1 else ""
        warnings.append(f"{path.name}, row {rows_with[0]}{more}: {what}")
    return b"\n".join(lines)


def _parse_words(data: bytes, width: int, path: Path, warnings: list[str]) -> Any:
    """The table as double; words that are no numbers become missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = _parse(data, width, "binary")
    if table is None:
        raise InputError("the rows cannot be told apart", path=path, expected=f"rows of {width} fields")
    columns, bad, first = [], 0, None
    for k, column in enumerate(table.itercolumns()):
        good = pc.match_substring_regex(column, _NUMBER)
        wrong = int(pc.sum(pc.invert(good)).as_py() or 0)
        if wrong:
            bad += wrong
            row = pc.index(good, False).as_py()
            first = min(first or (row, k), (row, k))
        trimmed = pc.ascii_trim_whitespace(pc.if_else(good, column, None).cast(pa.string()))
        columns.append(trimmed.cast(pa.float64()))
    if bad * 10 > table.num_rows * width:
        raise InputError(f"{bad} of {table.num_rows * width} fields are no numbers", path=path, expected=f"rows of {width} numbers")
    if first is not None:
        warnings.append(f"{path.name}, row {first[0] + 1}, field {first[1] + 1}: no number; it and {bad - 1} other such fields count as missing")
    return pa.table(dict(zip(map(str, range(width)), columns, strict=True)))


def _arrays(columns: list[Any], n_analog: int, missing: int, path: Path, warnings: list[str]) -> TableData:
    rows = len(columns[0])
    analog, status_columns = columns[2 : 2 + n_analog], columns[2 + n_analog :]
    empty = sum(column.null_count for column in analog)
    if empty:
        affected = sum(column.null_count > 0 for column in analog)
        warnings.append(f"{path.name}: {empty} analog fields in {affected} channels are empty; they are missing samples")
    other = 0
    whole = all(str(column.type) == "int64" for column in analog)
    arrays = [column.fill_null(missing).to_numpy() if whole else column.to_numpy() for column in analog]
    fits = whole and all(len(a) == 0 or (a.min() >= -(2**31) and a.max() < 2**31) for a in arrays)
    raw = np.empty((rows, n_analog), np.int32 if fits else np.float64)
    for k, (array, column) in enumerate(zip(arrays, analog, strict=True)):
        raw[:, k] = array
        other += 0 if whole else int((~np.isfinite(array)).sum()) - column.null_count
        if whole and not fits and column.null_count:
            raw[column.is_null().to_numpy(), k] = np.nan
    if other:
        warnings.append(f"{path.name}: {other} analog fields are not finite")
    status = np.empty((rows, len(status_columns)), np.uint8)
    for k, column in enumerate(status_columns):
        status[:, k] = column.fill_null(0).to_numpy() != 0
    empty_status = sum(column.null_count for column in status_columns)
    if empty_status:
        warnings.append(f"{path.name}: {empty_status} status fields are empty, taken as 0")
    numbers, stamps = (np.array(column.to_numpy(), np.float64) for column in columns[:2])
    for clock in (numbers, stamps):
        clock[~(np.abs(clock) < 1e15)] = np.nan  # beyond that no count is exact
    return TableData(numbers, stamps, raw, status)
