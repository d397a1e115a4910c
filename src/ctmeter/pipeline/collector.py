"""What happens to rows between the engine and the result: chunks, files, means, the first cycles of the waveform."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..measurements import Columns, event_table, record_batch, schema
from ..quantity import TABLES
from ..settings import Settings
from ..store.results import Sink, Tables
from .result import MemoryTables, Result, schemas
from .rows import Buffer, Statistics, intake

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Collector", "Completed"]

#: Seconds and frames of the waveform kept for pictures.
_EXTRACT_S, _EXTRACT_N = 0.1, 4096


class Completed(Mapping[str, "pa.RecordBatch"]):
    """The rows completed by one call, table by table, made into Arrow when asked for."""

    def __init__(self, rows: Mapping[str, Columns], events: Sequence[Mapping[str, Any]], spectra: bool, sides: Mapping[str, str]) -> None:
        self._rows, self._events, self._spectra, self._sides = rows, events, spectra, sides

    def __getitem__(self, table: str) -> pa.RecordBatch:
        if table not in TABLES:
            raise KeyError(table)
        if table == "events":
            batches = event_table(self._events, self._sides).combine_chunks().to_batches()
            if batches:
                return batches[0]
        rows = self._rows.get(table)
        if rows:
            return record_batch(table, rows, spectra=self._spectra, sides=self._sides)
        import pyarrow as pa

        return pa.RecordBatch.from_pylist([], schema=schema(table, spectra=self._spectra, sides=self._sides))

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


class Collector:
    """Takes rows as the engine completes them; keeps them in memory, or writes them out as chunks fill.

    Parameters
    ----------
    settings : Settings
    sides : mapping
        What U, I and P stand for.
    """

    def __init__(self, settings: Settings, sides: Mapping[str, str]) -> None:
        self._cycle, self._half_cycle = settings.cycle, settings.half_cycle
        self._spectra, self._sides = settings.spectra == "basic", sides
        self._windows, self._cycles = Statistics(), Statistics()
        self._events: list[dict[str, Any]] = []
        self._chunks: dict[str, list[Columns]] = {}
        self._buffers = {t: Buffer(t, self._emit) for t in TABLES if t != "events"}
        self._extract: list[np.ndarray] = []
        self._extract_rate = 0.0
        self._extracted = False
        self._sink: Sink | None = None
        self._nothing = Completed({}, (), self._spectra, sides)

    def _schemas(self, tables: Sequence[str]) -> dict[str, pa.Schema]:
        return schemas(tables, self._spectra, self._sides)

    def write_to(self, out: Any, force: bool) -> None:
        """From now on write rows to a result directory."""
        self._open(Sink(out, self._schemas(TABLES), force))

    def _open(self, sink: Sink) -> None:
        self._sink = sink
        self._cleaner = weakref.finalize(self, shutil.rmtree, sink.place, ignore_errors=True)

    def wants_frames(self, rate: float) -> int:
        """How many more frames of the waveform are kept for pictures."""
        if self._extracted:
            return 0
        self._extract_rate = self._extract_rate or rate
        left = min(int(_EXTRACT_S * self._extract_rate), _EXTRACT_N) - sum(len(e) for e in self._extract)
        self._extracted = left <= 0
        return left

    def keep_frames(self, values: np.ndarray) -> None:
        """Keep frames, V and A, for pictures."""
        self._extract.append(values)

    def take(self, rows: Mapping[str, Any] | None = None, offset_ns: int = 0) -> Completed:
        """Take rows in, and give them back as the caller of `feed` gets them."""
        if not rows:
            return self._nothing
        taken: dict[str, Columns] = {}
        events: list[dict[str, Any]] = []
        for table, columns in rows.items():
            if table == "events":
                events = [dict(e) for e in columns]
                self._events += events
            elif len(columns.get("t", ())):
                taken[table] = intake(columns, offset_ns)
                self._buffers[table].add(taken[table])
        if self._drops_cycles:
            self._buffers["cycle"].clear()
            taken.pop("cycle", None)
        return Completed(taken, events, self._spectra, self._sides)

    @property
    def windows(self) -> bool:
        """Whether there is a 10/12-cycle window."""
        return bool(self._windows.rows or self._buffers["basic"].fill)

    @property
    def _drops_cycles(self) -> bool:
        """Cycles not asked for are kept only until a window shows that the recording is not a short one."""
        return not self._cycle and self.windows

    def _emit(self, table: str, chunk: Columns) -> None:
        if table in ("basic", "cycle"):
            (self._windows if table == "basic" else self._cycles).add(chunk)
        if self._sink is not None:
            self._sink.write(table, record_batch(table, chunk, spectra=self._spectra, sides=self._sides))
        else:
            self._chunks.setdefault(table, []).append(chunk)

    def close(self) -> tuple[str, Statistics, list[dict[str, Any]]]:
        """Take leave of the rows: the table that speaks for the recording, its statistics, the events."""
        if self._drops_cycles:
            self._buffers["cycle"].clear()
        for buffer in self._buffers.values():
            buffer.flush()
        return ("basic", self._windows, self._events) if self._windows.rows else ("cycle", self._cycles, self._events)

    def result(self, summary: dict[str, Any], roles: Sequence[str | None]) -> Result:
        """The result; where rows were written out, its directory is put in its place."""
        optional = {"cycle": self._cycle or not self._windows.rows, "half_cycle": self._half_cycle}
        tables = [t for t in TABLES if optional.get(t, True)]
        extract = self._waveform(roles)
        if self._sink is None:
            kept = MemoryTables(self._chunks, tables, spectra=self._spectra, sides=self._sides, events=self._events)
            return Result(summary, kept, None, extract)
        for batch in event_table(self._events, self._sides).to_batches():
            self._sink.write("events", batch)
        self._sink.schemas = self._schemas(tables)
        path = self._sink.commit(summary, Result(summary, {}, None, extract).fill)
        self._cleaner.detach()
        return Result(summary, Tables(path), path, extract)

    def _waveform(self, roles: Sequence[str | None]) -> dict[str, np.ndarray]:
        if not self._extract:
            return {}
        values = np.concatenate(self._extract)
        kept = {role: values[:, k] for k, role in enumerate(roles) if role}
        return {"t": np.arange(len(values)) / self._extract_rate, **kept}

    def discard(self) -> None:
        """Give up; an unfinished output directory is removed."""
        if self._sink is not None:
            self._sink.discard()
            self._cleaner.detach()

    def state(self) -> dict[str, Any]:
        """Everything; written output is closed up to here and belongs to whoever holds the state."""
        sink = None
        if self._sink is not None:
            sink = self._sink.state()
            self._cleaner.detach()
        return {
            "windows": self._windows.state(),
            "cycles": self._cycles.state(),
            "events": self._events,
            "chunks": self._chunks,
            "buffers": {t: b.peek() for t, b in self._buffers.items() if b.fill},
            "extract": self._extract,
            "extract_rate": self._extract_rate,
            "sink": sink,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._windows, self._cycles = Statistics.of(state["windows"]), Statistics.of(state["cycles"])
        self._events, self._chunks = state["events"], state["chunks"]
        self._extract, self._extract_rate = state["extract"], state["extract_rate"]
        for table, rows in state["buffers"].items():
            self._buffers[table].add(rows)
        if state["sink"] is not None:
            self._open(Sink.resume(state["sink"], self._schemas(TABLES)))
