"""What an assessment is made of: one result, a directory of one, or tables from elsewhere, read column by column.

A column comes in pieces and is never beside its whole table in memory, so that a year of 10-s values takes little more than the
values that are judged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..measurements import list_values, nanoseconds
from ..store.results import Tables, read_summary
from .tables import check_events, whole_flags

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Part", "open_parts"]


@dataclass(frozen=True)
class Part:
    """One result, or tables from elsewhere.

    Parameters
    ----------
    name : str
        For messages.
    tables : mapping of str to pyarrow.Table
    summary : mapping or None
        Of a result.
    """

    name: str
    tables: Mapping[str, pa.Table]
    summary: Mapping[str, Any] | None = None

    def names(self, table: str) -> tuple[str, ...]:
        """The columns of a table; none where there is no such table, or it has no rows."""
        if table not in self.tables or not self.count(table):
            return ()
        return self.tables.names(table) if isinstance(self.tables, Tables) else tuple(self.tables[table].column_names)

    def count(self, table: str) -> int:
        """Rows of a table; 0 where there is none."""
        if table not in self.tables:
            return 0
        return self.tables.count(table) if isinstance(self.tables, Tables) else int(self.tables[table].num_rows)

    def has(self, table: str, name: str) -> bool:
        """Whether a column has a value."""
        return name in self.names(table) and any(piece.null_count < len(piece) for piece in self._pieces(table, name))

    def times(self, table: str) -> np.ndarray | None:
        """Starts of the rows, ns; None without rows.

        Raises
        ------
        InputError
            No such column, or no times in it.
        """
        if not self.count(table):
            return None
        if "t" not in self.names(table):
            raise InputError(f"table {table} has no column t", path=self.name)
        return self._filled(table, "t", np.int64, lambda piece: _times(piece, self.name))

    def flags(self, table: str) -> np.ndarray:
        """Flags of the rows; 0 where there are none."""
        if "flags" not in self.names(table):
            return np.zeros(self.count(table), np.uint32)
        return self._filled(table, "flags", np.uint32, lambda piece: whole_flags(piece, self.name))

    def floats(self, table: str, name: str) -> np.ndarray:
        """Values of the rows, NaN where there is none.

        Raises
        ------
        InputError
            They are no numbers.
        """
        if name not in self.names(table):
            return np.full(self.count(table), np.nan)
        return self._filled(table, name, np.float64, lambda piece: _floats(piece, name, self.name))

    def lists(self, table: str, name: str, length: int) -> np.ndarray:
        """Lists of the rows, float32, shape (n, length); NaN where there is none.

        Raises
        ------
        InputError
            They are no lists, or of other lengths.
        """
        if name not in self.names(table):
            return np.full((self.count(table), length), np.nan, np.float32)
        return self._filled(table, name, np.float32, lambda piece: list_values(piece, length, name, self.name), length)

    def _pieces(self, table: str, name: str) -> Iterator[pa.Array]:
        if isinstance(self.tables, Tables):
            yield from self.tables.pieces(table, name)
        else:
            yield from self.tables[table].column(name).chunks

    def _filled(self, table: str, name: str, kind: type, convert: Callable[[pa.Array], np.ndarray], length: int = 0) -> np.ndarray:
        """A column put together from its pieces; one that is in one piece is not copied."""
        n, filled = self.count(table), 0
        out: np.ndarray | None = None
        for piece in self._pieces(table, name):
            values = convert(piece)
            if len(values) == n:
                return values
            if out is None:
                out = np.empty((n, length) if length else n, kind)
            out[filled : filled + len(values)] = values
            filled += len(values)
        return np.empty((0, length) if length else 0, kind) if out is None else out

    @property
    def span(self) -> tuple[int, int] | None:
        """Start and end of the recording, ns; None without a clock or for tables from elsewhere."""
        said = (self.summary or {}).get("recording", {})
        if not said.get("start") or not said.get("end"):
            return None
        return nanoseconds(said["start"]), nanoseconds(said["end"])

    @property
    def events(self) -> list[dict[str, Any]] | None:
        """The events as plain dicts, times in ns; None where they were not looked for."""
        if self.summary is not None:
            if any(left["what"] == "events" for left in self.summary.get("not_measured", ())):
                return None
            return [_plain_event(e) for e in self.summary["events"]["list"]]
        if "events" not in self.tables:
            return None
        table = self.tables["events"]
        for needed in ("t", "type"):
            if needed not in table.column_names:
                raise InputError(f"table events has no column {needed}", path=self.name)
        times = [t for piece in table.column("t").chunks for t in _times(piece, self.name).tolist()]
        rest = table.select([n for n in table.column_names if n not in ("t", "detail")]).to_pylist()
        types, phases, durations = ([row.get(name) for row in rest] for name in ("type", "phases", "duration"))
        check_events(types, phases, durations, self.name)
        return [_plain_event({**row, "t": t}) for row, t in zip(rest, times, strict=True)]


def _plain_event(event: Mapping[str, Any]) -> dict[str, Any]:
    t = nanoseconds(event["t"]) if isinstance(event["t"], str) else event["t"]
    empty = {"phases": event.get("phases") or [], "flags": event.get("flags") or 0, "detail": event.get("detail") or []}
    return {**dict.fromkeys(("duration", "U_ref", "U_residual", "U_max", "dU_max")), **event, **empty, "t": t}


def open_parts(results: Any) -> list[Part]:
    """Results, directories of results and mappings of tables, one or many, as parts.

    Raises
    ------
    InputError
        Nothing of the kind, or nothing at all.
    StoreError
        A directory without a result.
    """
    single = isinstance(results, str | os.PathLike | Mapping) or hasattr(results, "tables")
    given: Iterable[Any] = [results] if single else list(results)
    parts = [_part(r, k) for k, r in enumerate(given, 1)]
    if not parts:
        raise InputError("nothing to assess", expected="results, directories of results, or tables")
    return parts


def _part(result: Any, number: int) -> Part:
    if isinstance(result, Part):
        return result
    if isinstance(result, str | os.PathLike):
        path = Path(result)
        return Part(str(path), Tables(path), read_summary(path))
    if isinstance(result, Mapping):
        said = next((t.schema.metadata.get(b"source") for t in result.values() if t.schema.metadata), None)
        return Part(said.decode() if said else f"tables {number}", result)
    if hasattr(result, "tables") and hasattr(result, "summary"):
        return Part(str(result.path or result.summary["recording"].get("source") or f"result {number}"), result.tables, result.summary)
    raise InputError(f"{type(result).__name__} cannot be assessed", expected="a Result, a directory of one, or a mapping of tables")


def _times(piece: pa.Array, where: str) -> np.ndarray:
    import pyarrow as pa

    if not pa.types.is_timestamp(piece.type) or piece.null_count:
        raise InputError(f"the column t is {piece.type}{' with nulls' if piece.null_count else ''}", path=where, expected="timestamps, UTC")
    result: np.ndarray = piece.cast(pa.timestamp("ns", piece.type.tz)).cast(pa.int64()).to_numpy()
    return result


def _floats(piece: pa.Array, name: str, where: str) -> np.ndarray:
    import pyarrow as pa

    if not (pa.types.is_floating(piece.type) or pa.types.is_integer(piece.type) or pa.types.is_null(piece.type)):
        raise InputError(f"{name} is {piece.type}", path=where, expected="numbers")
    result: np.ndarray = piece.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return result
