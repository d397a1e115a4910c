"""Parquet files with a column for each channel and a row for each instant, as `_arrays` understands them.

Rates, start and units are metadata: of the schema `sample_rate`, `start` or `start_time`, `nominal_frequency`, of a field `unit`,
`scale`, `offset`. A column `t`, `time` ... of time stamps will do too. ctmeter's own writer describes channels, segments and gaps as JSON in the
metadata `ctmeter`, which then counts. Rows are read in batches as they are asked for; a whole column is never in memory.

EQ Wave
-------
Recordings of continuous point-on-wave sensors: columns VA VB VC IA IB IC IN of int32 counts at 32 kHz, with `vscale` and `iscale`
(V and A for one count) in the metadata. The neutral's transformer is more sensitive by `neutral_ct_ratio`, 30 where it is not
given. Where `neutral_connected` is false IN is left out, and of a single-phase or split-phase `topology` the voltages that the sensor
only reconstructs. Older files of floats hold V and A.

What is refused
---------------
Nested columns and texts are passed over; ctmeter's result tables hold no samples. A file that claims more rows or bytes than it can
hold (`MAX_RATIO`) is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording import Recording
from ._access import distant, opened
from ._arrays import Array, Opened, frames, plain, recording_of
from ._described import Description, parse

__all__ = ["MAX_COLUMNS", "MAX_RATIO", "READER", "ParquetReader"]

MAX_COLUMNS, MAX_RATIO, RATIO_FROM = 4096, 1000, 256 << 20
MAX_FOOTER = 64 << 20
_EQ_WAVE, _EQ_RATE, _EQ_NEUTRAL = ("VA", "VB", "VC", "IA", "IB", "IC", "IN"), 32_000.0, 30.0
_RECONSTRUCTED = {"single_phase": ("VB", "VC"), "split_phase": ("VC",)}
_RESULT = {"t", "duration", "flags"}
_BATCH = 1 << 16
#: Name, type where it is one of numbers, and attributes of a column.
_Field = tuple[str, np.dtype | None, dict[str, Any]]


class ParquetReader:
    """See the module."""

    name = "Parquet"
    extensions = (".parquet", ".pq")

    def sniff(self, path: Path, head: bytes) -> bool:
        """The magic at the beginning."""
        return head.startswith(b"PAR1")

    def by_ranges(self, path: Path, head: bytes) -> bool:
        """Remote files are read by ranges."""
        return True

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The columns as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        table, warnings = _Table(path), list[str]()
        told = _told(table, warnings)
        if told is None:
            return recording_of(path, rate, "a Parquet", lambda stack: _opened(table, warnings, stack))
        if rate is not None and any(abs(s.sample_rate - rate) > 1e-4 * rate for s in told.segments):
            warnings.append(f"the file says {told.segments[0].sample_rate:.9g} Hz, which is used instead of the given {rate:.9g} Hz")
        source, nominal = frames(_arrays(table, table.fields), table.close), told.nominal_frequency
        return Recording(source, told.channels, told.segments, told.gaps, nominal, format="Parquet", path=path, warnings=warnings)


READER = ParquetReader()


def _told(table: _Table, warnings: list[str]) -> Description | None:
    """What ctmeter's own writer says of the columns; None where it says nothing that fits."""
    if "ctmeter" not in table.metadata:
        return None
    try:
        return parse(table.metadata["ctmeter"], table.rows, len(_arrays(table, table.fields)))
    except ValueError as error:
        warnings.append(f"the metadata 'ctmeter' does not describe the columns and is ignored ({error})")
        return None


def _opened(table: _Table, warnings: list[str], stack: contextlib.ExitStack) -> Opened:
    stack.callback(table.close)
    fields, metadata = table.fields, table.metadata
    names = {n for n, _, _ in fields}
    if names >= _RESULT:
        raise InputError("a table of results, which holds no samples", expected="a column of samples for each channel")
    attributes: dict[str, Any] = {k: v for k, v in metadata.items() if k != "ctmeter"}
    own: dict[str, dict[str, Any]] = {}
    form = "Parquet"
    if names >= set(_EQ_WAVE[:6]) and {"vscale", "iscale", "topology", "start_time"} & metadata.keys():
        form = "Parquet, EQ Wave"
        fields, own = _eq_wave(fields, metadata, warnings)
        attributes.setdefault("sample_rate", _EQ_RATE)
    return Opened(_arrays(table, fields, own), {(): attributes}, form, warnings)


def _eq_wave(fields: Sequence[_Field], metadata: Mapping[str, str], warnings: list[str]) -> tuple[list[_Field], dict[str, dict[str, Any]]]:
    """The channels that were measured, and their scales."""
    gone = [n for n in _RECONSTRUCTED.get(metadata.get("topology", ""), ())]
    if gone:
        warnings.append(f"the sensor's topology is {metadata['topology']}: {', '.join(gone)} were not measured and are left out")
    if metadata.get("neutral_connected", "true").lower() == "false":
        gone.append("IN")
        warnings.append("the neutral's transformer is not connected: IN is left out")
    kept = [f for f in fields if f[0] in _EQ_WAVE and f[0] not in gone]
    counts = any(dtype is not None and dtype.kind in "iu" for _, dtype, _ in kept)
    numbers = {k: _number(metadata.get(k)) for k in ("vscale", "iscale", "neutral_ct_ratio")}
    if counts and (numbers["vscale"] is None or numbers["iscale"] is None):
        raise InputError("counts without vscale and iscale", expected="V and A for one count in the metadata")
    neutral = numbers["neutral_ct_ratio"]
    if counts and neutral is None and any(n == "IN" for n, _, _ in kept):
        warnings.append(f"the file does not say how much more sensitive the neutral's transformer is; taken as {_EQ_NEUTRAL:g} times")
    scales = {"V": numbers["vscale"], "I": numbers["iscale"]}
    own: dict[str, dict[str, Any]] = {}
    for name, _, _ in kept:
        scale = (scales[name[0]] or 1.0) if counts else 1.0
        own[name] = {"unit": "V" if name[0] == "V" else "A", "scale": scale / ((neutral or _EQ_NEUTRAL) if name == "IN" and counts else 1.0)}
    return kept, own


def _number(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number != 0 else None


class _Table:
    """Columns of a file, read in batches."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path, self._pa = path, pa
        _check_footer(path)
        try:
            limits = {"thrift_string_size_limit": 16 << 20, "thrift_container_size_limit": 4 << 20}
            place = pa.PythonFile(opened(path)) if distant(path) else path
            self._file = pq.ParquetFile(place, memory_map=True, pre_buffer=False, **limits)
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
            raise self._damaged(error) from None
        self._batches: dict[str, _Batches] = {}
        try:
            size = path.stat().st_size
            self._edges = self._check(size)
            self.rows = int(self._edges[-1])
            self.metadata = _texts(schema.metadata)
            self.fields = [(f.name, self._dtype(f), self._attributes(f)) for f in schema]
            unpacked = self.rows * sum(dtype.itemsize for _, dtype, _ in self.fields if dtype is not None)
            if unpacked > RATIO_FROM and unpacked > MAX_RATIO * size:
                raise InputError(f"{size} bytes that claim to unpack to {unpacked}", path=path, expected=f"at most {MAX_RATIO} to 1")
        except InputError:
            self.close()
            raise

    def _damaged(self, error: Exception) -> InputError:
        return InputError(f"a damaged file ({str(error)[:160]})", path=self._path, expected="a Parquet file")

    def _check(self, size: int) -> np.ndarray:
        """First rows of the row groups; refuses claims that the file cannot hold."""
        metadata = self._file.metadata
        if metadata.num_columns > MAX_COLUMNS:
            raise InputError(f"{metadata.num_columns} columns", path=self._path, expected=f"at most {MAX_COLUMNS}")
        rows, claimed = [0], 0
        for k in range(metadata.num_row_groups):
            group = metadata.row_group(k)
            if group.num_rows < 0 or group.num_columns != metadata.num_columns:
                raise InputError(f"row group {k} of {group.num_rows} rows", path=self._path, expected="a Parquet file")
            rows.append(rows[-1] + group.num_rows)
            claimed += max(group.total_byte_size, 0)
        if claimed > RATIO_FROM and claimed > MAX_RATIO * size:
            raise InputError(f"{size} bytes that claim to unpack to {claimed}", path=self._path, expected=f"at most {MAX_RATIO} to 1")
        if rows[-1] != metadata.num_rows or rows[-1] > MAX_RATIO * size:
            what = f"{metadata.num_rows} rows, of which the row groups have {rows[-1]}, in {size} bytes"
            raise InputError(what, path=self._path, expected="rows that the file can hold")
        return np.array(rows)

    def _dtype(self, field: Any) -> np.dtype | None:
        """The type of a column as an array, None for one that is no number."""
        types = self._pa.types
        if types.is_timestamp(field.type):
            return np.dtype(np.int64)
        if types.is_integer(field.type) or types.is_floating(field.type):
            dtype = np.dtype(field.type.to_pandas_dtype())
            if dtype.kind in "iu" and self._nulls(field.name):
                dtype = np.dtype(np.float64)
            return dtype if plain(dtype) else None
        return None

    def _nulls(self, name: str) -> bool:
        """Whether the statistics of a column count missing numbers."""
        metadata = self._file.metadata
        for k in range(metadata.num_row_groups if metadata.num_columns <= MAX_COLUMNS else 0):
            group = metadata.row_group(k)
            for n in range(group.num_columns):
                column = group.column(n)
                if column.path_in_schema == name and column.is_stats_set and column.statistics.null_count:
                    return True
        return False

    def _attributes(self, field: Any) -> dict[str, Any]:
        found: dict[str, Any] = dict(_texts(field.metadata))
        if self._pa.types.is_timestamp(field.type):
            found["absolute_ns"] = True
        return found

    def read(self, name: str, start: int, stop: int) -> np.ndarray:
        """Rows of a column; those behind the last ones are read on, others from the beginning of their row group."""
        held = self._batches.get(name)
        if held is None or not held.start <= start:
            group = max(int(np.searchsorted(self._edges, start, "right")) - 1, 0)
            held = self._batches[name] = _Batches(self._column(name, group), int(self._edges[group]))
        elif (group := int(np.searchsorted(self._edges, start, "right")) - 1) >= 0 and int(self._edges[group]) > held.stop:
            held = self._batches[name] = _Batches(self._column(name, group), int(self._edges[group]))
        try:
            return held.take(start, stop)
        except (self._pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
            self._batches.pop(name, None)
            raise self._damaged(error) from None

    def _column(self, name: str, group: int) -> Iterator[np.ndarray]:
        pa, groups = self._pa, range(group, self._file.metadata.num_row_groups)
        for batch in self._file.iter_batches(_BATCH, row_groups=groups, columns=[name], use_threads=False):
            column = batch.column(0)
            if pa.types.is_timestamp(column.type):
                column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
                if column.null_count:
                    raise ValueError(f"column {name!r} has times that are missing")
            elif column.null_count and not pa.types.is_floating(column.type):
                if not self._nulls(name):
                    raise ValueError(f"column {name!r} has missing numbers that its statistics do not count")
                column = column.cast(pa.float64())
            yield column.to_numpy(zero_copy_only=False)

    def close(self) -> None:
        """Let go of the file."""
        self._batches = {}
        self._file.close(force=True)


class _Batches:
    """A column read from a row on; the last batch is kept, so that overlapping reads need no new start."""

    def __init__(self, batches: Iterator[np.ndarray], row: int) -> None:
        self._batches, self._block = batches, np.empty(0)
        self.start = self.stop = row

    def take(self, start: int, stop: int) -> np.ndarray:
        parts = []
        while start < stop:
            if start >= self.stop:
                block = next(self._batches, None)
                if block is None:
                    raise ValueError(f"the column ends at row {self.stop}, before row {stop}")
                self.start, self.stop, self._block = self.stop, self.stop + len(block), block
                continue
            part = self._block[start - self.start : stop - self.start]
            parts.append(part)
            start += len(part)
        return np.concatenate(parts) if len(parts) != 1 else parts[0]


def _arrays(table: _Table, fields: Sequence[_Field], own: Mapping[str, Mapping[str, Any]] | None = None) -> list[Array]:
    """The columns that hold numbers."""

    def fetch(name: str) -> Callable[[int, int], np.ndarray]:
        return lambda start, stop: table.read(name, start, stop)

    return [
        Array((name,), table.rows, 0, dtype, fetch(name), {**given, **(own or {}).get(name, {})})
        for name, dtype, given in fields
        if dtype is not None
    ]


def _texts(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """Metadata as text, by lower-case name."""
    found = {}
    for key, value in (metadata or {}).items():
        name = key.decode("utf-8", "replace").lower()
        if not name.startswith("arrow:") and len(value) <= 8 << 20:
            found[name] = value.decode("utf-8", "replace")
    return found


def _check_footer(path: Path) -> None:
    """The footer must lie in the file, and be of a size that a recording has."""
    with opened(path) as file:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if size < 12 or tail[4:] != b"PAR1":
        raise InputError("the file is cut off: no Parquet footer", path=path, offset=max(size - 4, 0), expected="PAR1 at the end")
    if length > size - 12 or length > MAX_FOOTER:
        raise InputError(f"a footer of {length} bytes", path=path, offset=size - 8, expected=f"at most {min(size - 12, MAX_FOOTER)}")
