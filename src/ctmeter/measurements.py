"""Row types of every table, and their way into Arrow.

Inside, rows are columns: a mapping of name to NumPy array in which NaN means null and a column
that was not measured is missing. At the border they become Arrow batches of one schema per
table, with `unit` and `side` in the metadata of each field.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError
from .quantity import LINES, LIST_LENGTH, PHASES, Column, columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LABELS", "Columns", "event_table", "iso", "leave_pandas_out", "list_values", "nanoseconds", "no_rows", "record_batch", "schema", "stored"]

#: Columns of rows, name to array of shape (n,) or (n, 51).
Columns = dict[str, np.ndarray]

#: What the column `channel` can say; inside it is an index into these.
LABELS = tuple(f"U_{p}" for p in (*PHASES, "N", *LINES))

_STORED = {"time": "i8", "orders": "f4", "interorders": "f4", "label": "i1"}


def iso(ns: int) -> str:
    """ISO 8601 text of a time in ns since 1970-01-01 UTC, to the ns where it has them.

    Examples
    --------
    >>> iso(1_500_000_000)
    '1970-01-01T00:00:01.500Z'
    """
    text = str(np.datetime64(int(ns), "ns"))
    head, _, digits = text.partition(".")
    digits = digits.rstrip("0")
    digits = digits.ljust(3 * math.ceil(len(digits) / 3), "0")
    return f"{head}.{digits}Z" if digits else f"{head}Z"


def nanoseconds(text: str) -> int:
    """Time of `iso` text, ns since 1970-01-01 UTC.

    Examples
    --------
    >>> nanoseconds("1970-01-01T00:00:01.500Z")
    1500000000
    """
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))


def stored(column: Column) -> str:
    """NumPy dtype in which a column is kept inside."""
    return _STORED.get(column.dtype, column.dtype)


@lru_cache(maxsize=64)
def _arrow_type(dtype: str) -> pa.DataType:
    import pyarrow as pa

    stamp = pa.timestamp("ns", "UTC")
    if dtype in LIST_LENGTH:
        return pa.list_(pa.float32(), LIST_LENGTH[dtype])
    detail = pa.struct([("phase", pa.string()), ("t", stamp), ("duration", pa.float64()), ("U", pa.float64())])
    return {
        "f8": pa.float64(),
        "i8": pa.int64(),
        "u4": pa.uint32(),
        "time": stamp,
        "text": pa.string(),
        "label": pa.dictionary(pa.int32(), pa.string()),
        "phases": pa.list_(pa.string()),
        "detail": pa.list_(detail),
    }[dtype]


class _NoPandas:
    """A finder of modules that says pandas is not there."""

    @staticmethod
    def find_spec(name: str, _path: object, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def leave_pandas_out() -> None:
    """Have Arrow do without pandas in this process, one of our own: where it is installed, the first array would import it for nothing."""
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array(())  # it asks once
    finally:
        sys.meta_path.remove(_NoPandas)


def schema(table: str, *, spectra: bool = False, extras: Collection[str] = frozenset(), sides: Mapping[str, str] | None = None) -> pa.Schema:
    """The Arrow schema of a table.

    Parameters
    ----------
    table : str
        One of `quantity.TABLES`.
    spectra : bool
        Whether the `basic` table carries the spectral lists.
    extras : collection of str
        The settings of `quantity.EXTRAS` that are on.
    sides : mapping, optional
        What "U", "I" and "P" stand for: "primary", "secondary" or "as-recorded".

    Returns
    -------
    pyarrow.Schema
    """
    return _schema(table, spectra, frozenset(extras), tuple(sorted((sides or {}).items())))


@lru_cache(maxsize=256)
def _schema(table: str, spectra: bool, extras: frozenset[str], sides: tuple[tuple[str, str], ...]) -> pa.Schema:
    import pyarrow as pa

    fields, known = [], dict(sides)
    for c in columns(table, spectra, extras):
        metadata = {"unit": c.unit}
        if c.side:
            metadata["side"] = known.get(c.side, "as-recorded")
        fields.append(pa.field(c.name, _arrow_type(c.dtype), metadata=metadata))
    return pa.schema(fields)


def _array(column: Column, values: np.ndarray | None, n: int) -> pa.Array:
    import pyarrow as pa

    kind = _arrow_type(column.dtype)
    if values is None:
        return pa.nulls(n, kind)
    if len(values) != n:
        raise ValueError(f"column {column.name} has {len(values)} rows, the others {n}")
    if column.dtype == "time":
        return pa.array(np.ascontiguousarray(values, np.int64)).view(kind)
    if column.dtype == "label":
        return pa.DictionaryArray.from_arrays(pa.array(values.astype(np.int32)), pa.array(LABELS))
    if column.dtype in LIST_LENGTH:
        flat = np.ascontiguousarray(values, np.float32)
        missing = np.isnan(flat).all(axis=1)
        items = pa.array(flat.reshape(-1), from_pandas=True)
        return pa.FixedSizeListArray.from_arrays(items, LIST_LENGTH[column.dtype], mask=pa.array(missing) if missing.any() else None)
    if column.dtype == "f8":
        return pa.array(np.asarray(values, np.float64), from_pandas=True)
    return pa.array(np.asarray(values), kind)


def record_batch(
    table: str,
    rows: Mapping[str, np.ndarray],
    *,
    spectra: bool = False,
    extras: Collection[str] = frozenset(),
    sides: Mapping[str, str] | None = None,
) -> pa.RecordBatch:
    """Rows as an Arrow batch: NaN and missing columns become null.

    Parameters
    ----------
    table : str
    rows : mapping of str to ndarray, shape (n,), lists (n, 51) or (n, 50)
        Columns that the table does not have are an error.
    spectra, extras, sides
        As in `schema`.

    Raises
    ------
    ValueError
        Unknown columns, or columns of different lengths.
    """
    import pyarrow as pa

    known = columns(table, spectra, frozenset(extras))
    n = len(next(iter(rows.values()))) if rows else 0
    strange = set(rows) - {c.name for c in known}
    if strange:
        raise ValueError(f"table {table} has no column {', '.join(sorted(strange))}")
    arrays = [_array(c, rows.get(c.name), n) for c in known]
    return pa.RecordBatch.from_arrays(arrays, schema=schema(table, spectra=spectra, extras=extras, sides=sides))


def no_rows(table: str, *, spectra: bool = False, extras: Collection[str] = frozenset(), sides: Mapping[str, str] | None = None) -> pa.RecordBatch:
    """A batch of a table without rows."""
    import pyarrow as pa

    made = schema(table, spectra=spectra, extras=extras, sides=sides)
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in made], schema=made)


def event_table(events: Sequence[Mapping[str, Any]], sides: Mapping[str, str] | None = None) -> pa.Table:
    """Events, each a mapping with the columns of the table `events`, times in ns, as an Arrow table."""
    import pyarrow as pa

    return pa.Table.from_pylist([dict(e) for e in events], schema=schema("events", sides=sides))


def list_values(column: Any, length: int, name: str, path: object) -> np.ndarray:
    """Lists of one length as an array, float32, shape (n, length); NaN where there is none.

    Raises
    ------
    InputError
        They are no lists, or of other lengths.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    where = None if path is None else str(path)
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise InputError(f"{name} is {kind}", path=where, expected=f"lists of {length} numbers, or a column for each order such as {name}_5")
    out = np.full((len(column), length), np.nan, np.float32)
    here = pc.is_valid(column).to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else pc.is_valid(column).to_numpy()
    lengths = pc.unique(pc.drop_null(pc.list_value_length(column))).to_pylist()
    if lengths not in ([], [length]):
        raise InputError(f"{name} has lists of {', '.join(map(str, lengths[:4]))} values", path=where, expected=f"{length}")
    if here.any():
        flat = pc.cast(pc.list_flatten(column.drop_null()), pa.float32())
        out[here] = flat.to_numpy(zero_copy_only=False).reshape(-1, length)
    return out
