"""Arrow tables as rows for JSON, as CSV text and as Parquet files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..store.results import writing

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["csv_text", "heads", "plain_rows", "times", "write_csv", "write_parquet"]

#: Rows that are put together at a time.
_ROWS = 1 << 16
_UNITS: tuple[tuple[Literal["s", "ms", "us", "ns"], int], ...] = (("s", 10**9), ("ms", 10**6), ("us", 1000), ("ns", 1))


def times(t_ns: np.ndarray) -> list[str]:
    """Times as ISO 8601 text, all with as many digits as the finest of them needs."""
    if not len(t_ns):
        return []
    unit = next(unit for unit, ns in _UNITS if not (t_ns % ns).any())
    return [f"{text}Z" for text in np.datetime_as_string(t_ns.astype("datetime64[ns]"), unit=unit).tolist()]


def _plain(column: Any) -> list[Any]:
    """Values of one column; times as text."""
    import pyarrow as pa

    if not pa.types.is_timestamp(column.type):
        values: list[Any] = column.to_pylist()
        return values
    there = np.asarray(column.is_valid())
    texts = times(np.asarray(column.cast(pa.int64()).fill_null(0))[there])
    found = iter(texts)
    return [next(found) if ok else None for ok in there.tolist()]


def heads(table: pa.Table) -> list[str]:
    """The names of the columns, each with its unit in brackets where it has one."""
    units = [(f.metadata or {}).get(b"unit", b"").decode() for f in table.schema]
    return [f"{f.name} [{unit}]" if unit not in ("", "1") else f.name for f, unit in zip(table.schema, units, strict=True)]


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows for JSON."""
    columns = [_plain(table.column(k)) for k in range(table.num_columns)]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def csv_text(table: pa.Table, header: bool = True) -> Iterator[str]:
    """A table as CSV, in parts: names with units, then rows; null is empty."""
    for start in range(0, max(table.num_rows, 1), _ROWS):
        part = table.slice(start, _ROWS)
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        if header and start == 0:
            rows.writerow(heads(table))
        rows.writerows(zip(*(_plain(part.column(k)) for k in range(part.num_columns)), strict=True))
        yield out.getvalue()


def write_csv(path: str | os.PathLike[str], tables: Iterable[pa.Table]) -> Path:
    """Write tables of one schema as one CSV file, whole or not at all.

    Raises
    ------
    StoreError
        It cannot be written.
    """

    def fill(partial: Path) -> None:
        with partial.open("w", encoding="utf-8", newline="") as file:
            for k, table in enumerate(tables):
                file.writelines(csv_text(table, header=k == 0))

    return _written(path, fill)


def write_parquet(path: str | os.PathLike[str], tables: Iterable[pa.Table]) -> Path:
    """Write tables of one schema, at least one, as one Parquet file, whole or not at all.

    Raises
    ------
    StoreError
        It cannot be written.
    """

    def fill(partial: Path) -> None:
        import pyarrow.parquet as pq

        iterator = iter(tables)
        first = next(iterator)
        with pq.ParquetWriter(partial, first.schema, compression="zstd") as writer:
            writer.write_table(first)
            for table in iterator:
                writer.write_table(table)

    return _written(path, fill)


def _written(path: str | os.PathLike[str], fill: Any) -> Path:
    """A file that is on the medium when it has its name."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    with writing(target):
        try:
            fill(partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target
