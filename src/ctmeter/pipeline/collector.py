"""What happens to rows between the engine and the result: events, chunks, files, means, the first cycles of the waveform."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import Engine
from ..events.columns import concatenate, rows_of
from ..measurements import Columns, event_table, no_rows, record_batch
from ..quantity import EXTRAS, TABLES
from ..recording import Channel, Recording, scaled
from ..settings import Settings
from ..store.results import SNIPPETS, Sink, Tables
from .result import MemoryTables, Result, schemas
from .rows import Buffer, Statistics, intake
from .smoothing import SPECTRAL, Smoothing
from .snippets import snippet_of, snippet_state, write_snippet
from .stages import Stages

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Collector", "Completed", "Taker"]

Taker = Callable[[str, Columns], None]

#: Seconds and frames of the waveform kept for pictures.
_EXTRACT_S, _EXTRACT_N = 0.1, 4096
#: Length of the rows of tables whose rows have one.
_LENGTH_NS = {"cycle": 40_000_000, "half_cycle": 40_000_000, "signalling": 40_000_000, "frequency": 10_000_000_000}
#: Tables whose rows say after how many windows they were complete.
_AGGREGATED = ("3s", "10min", "2h")
#: Windows that wait in the engine before they are taken, unless somebody asks; fewer where raw frames wait for them.
_GATHER, _GATHER_RAW = 256, 128


class Completed(Mapping[str, "pa.RecordBatch"]):
    """The rows completed by one call, table by table; taken from the core and made into Arrow when asked for.

    Parameters
    ----------
    collector : Collector
    windows : range
        The 10/12-cycle windows, counted from the start of the stream.
    """

    def __init__(self, collector: Collector, windows: range) -> None:
        self._collector, self.windows = collector, windows
        self.rows: dict[str, Columns] | None = None

    def __getitem__(self, table: str) -> pa.RecordBatch:
        if table not in TABLES:
            raise KeyError(table)
        form = self._collector.form
        if self.rows is None:
            self._collector.gather()
        rows = (self.rows or {}).get(table)
        if rows is not None and len(rows["t"]):
            return record_batch(table, rows, **form)
        return no_rows(table, **form)

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


class Collector:
    """Takes rows from the engine, many at a time; keeps them in memory, or writes them out as chunks fill.

    Parameters
    ----------
    settings : Settings
    sides : mapping
        What U, I and P stand for.
    taker : callable, optional
        Gets the name of the table and the columns of each chunk, instead of memory.
    """

    def __init__(self, settings: Settings, sides: Mapping[str, str], taker: Taker | None = None) -> None:
        self._taker = taker
        #: Times, ns, how the registers stood there, Ws, shape (n, 40), where the engine was asked to read them, and in which stretch.
        self.readings: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._stretches = 0
        self._booked: np.ndarray | float = 0.0
        self._cycle, self._half_cycle = settings.cycle, settings.half_cycle
        self._synchrophasor = settings.synchrophasor_rate is not None
        self._signalling = settings.signalling_trace
        extras = frozenset(name for name in EXTRAS if getattr(settings, name))
        #: What decides the columns of the tables: arguments of `measurements.schema`.
        self.form: dict[str, Any] = {"spectra": settings.spectra == "basic", "extras": extras, "sides": sides}
        self._smoothing = Smoothing() if settings.smoothing else None
        self._windows, self._cycles = Statistics(extras), Statistics(extras)
        self._events: list[dict[str, Any]] = []
        self._chunks: dict[str, list[Columns]] = {}
        self._buffers = {t: Buffer(t, self._emit) for t in TABLES if t != "events"}
        self._extract: list[np.ndarray] = []
        self._extract_rate = 0.0
        self._extracted = False
        self._sink: Sink | None = None
        self._engine: Engine | None = None
        self._offset_ns = 0
        self._stages: Stages | None = None
        self._snippets: dict[str, Recording] = {}
        #: Windows taken from engines, and those that came through the stages, in part still to be promised to a caller.
        self._taken = self._released = 0
        self._free: Columns = {}
        #: Windows promised; the rest wait in the engine or for their flags.
        self._completed = 0
        self._promised: list[weakref.ref[Completed]] = []
        #: Start of the last window taken, ns, and rows of other tables that end after it.
        self._reached: int | None = None
        self._later: dict[str, Columns] = {}

    def _schemas(self, tables: Sequence[str]) -> dict[str, pa.Schema]:
        return schemas(tables, self.form)

    def write_to(self, out: Any, force: bool) -> None:
        """From now on write rows to a result directory."""
        self._sink = Sink(out, self._schemas(TABLES), force)

    def keep_frames(self, frames: np.ndarray, channels: Sequence[Channel], rate: float) -> None:
        """Keep the first frames, V and A, for pictures."""
        if self._extracted:
            return
        self._extract_rate = self._extract_rate or rate
        left = min(int(_EXTRACT_S * self._extract_rate), _EXTRACT_N) - sum(len(e) for e in self._extract)
        self._extracted = left <= 0
        if left > 0:
            self._extract.append(scaled(frames[:left], channels))

    def follow(self, engine: Engine | None, offset_ns: int = 0, stages: Stages | None = None) -> None:
        """From now on take rows from this engine, shifted in time, through these stages."""
        self._stretches += 0 if self._engine is None else self._engine.stretches
        self._engine, self._offset_ns, self._stages = engine, offset_ns, stages
        self._booked = self.readings[-1][1][-1] if self.readings else 0.0
        self._reached, self._later = None, {}

    def note(self, waiting: int) -> Completed:
        """Promise the windows completed since the last call to the caller of `feed`.

        Parameters
        ----------
        waiting : int
            Windows that wait in the engine.
        """
        lag = 0 if self._stages is None else self._stages.lag
        completed = max(self._taken + waiting - lag, self._completed)
        promise = Completed(self, range(self._completed, completed))
        if not promise.windows:
            promise.rows = {}
            return promise
        self._completed = completed
        self._promised.append(weakref.ref(promise))
        if waiting >= (_GATHER_RAW if self._stages is not None and self._stages.keeps else _GATHER):
            self.gather()
        return promise

    def _windows_stored(self, rows: Columns) -> Columns:
        """What of the engine's windows becomes rows of `basic`; the rest is for further stages."""
        left_out = {"kind", "t1"} if self.form["spectra"] else {"kind", "t1", *SPECTRAL}
        return _those({name: column for name, column in rows.items() if name not in left_out}, rows["kind"] < 2)

    def gather(self) -> None:
        """Take in the rows that wait in the engine, and keep what was promised."""
        rows = {} if self._engine is None else self._engine.take()
        taken = {table: intake(columns, self._offset_ns) for table, columns in rows.items()}
        if "register" in taken:
            found = taken["register"]
            self.readings.append((found["end"], found["energy"] + self._booked, found["stretch"] + self._stretches))
        windows = taken.pop("basic", {})
        self._taken += len(windows["t"]) if windows else 0
        if self._stages is not None:
            self._stages.hold_frequency(taken.pop("frequency", {}))
            events, windows = self._stages.feed(taken.get("half_cycle", {}), windows)
            taken |= {**self._stages.frequency(), **self._stages.signalling()}
            self._keep_events(events)
        self._keep(windows, taken)

    def end(self, more: bool) -> None:
        """The stretch of samples has ended: take everything in; `more` says whether another one follows."""
        self.gather()
        if self._stages is not None:
            events, windows = self._stages.end(more)
            self._keep_events(events)
            self._keep(windows, {**self._stages.frequency(), **self._stages.signalling()})
            if not more:
                self.add(self._stages.close())
        self._completed = self._released = self._taken
        self._free, self._reached, self._later = {}, None, {}

    def _keep_events(self, events: Sequence[dict[str, Any]]) -> None:
        self._events += events
        if self._stages is None or self._stages.snippets is None:
            return
        for name, recording in self._stages.snippets.ready:
            if self._sink is not None:
                write_snippet(self._sink.place / SNIPPETS, name, recording)
            else:
                self._snippets[name] = recording
        self._stages.snippets.ready = []

    def _keep(self, windows: Columns, others: dict[str, Columns]) -> None:
        pst = others.get("pst", {})
        others = {t: c for t, c in others.items() if t in self._buffers and (t != "half_cycle" or self._half_cycle)}
        if self._stages is not None:
            others = {**others, **self._stages.aggregate(windows, pst)}
        if windows:
            if self._smoothing is not None:
                windows = self._smoothing.feed(windows)
            self.add({"basic": self._windows_stored(windows)})
        self.add(others)
        self._keep_promises(windows, others)

    def _keep_promises(self, windows: Columns, others: Mapping[str, Columns]) -> None:
        """Give each promise its rows.

        Its windows are known by number, and so are the rows of longer intervals by the window that completed them.
        A row of another table belongs to the promise whose last window is the first to start after the row's
        end, however many rows are taken at a time.
        """
        self._later = {**self._later, **{t: concatenate([self._later.get(t, {}), columns]) for t, columns in others.items()}}
        first = self._released - rows_of(self._free)
        self._free = concatenate([self._free, windows])
        self._released += rows_of(windows)
        free, last = self._free, min(self._completed, self._released)
        if last <= first:
            return
        promised = [p for r in self._promised if (p := r()) is not None]
        self._promised = [weakref.ref(p) for p in promised if p.windows.stop > last]
        reached = np.maximum.accumulate(free["t"])
        ends = {table: columns["t"] + _LENGTH_NS.get(table, 0) for table, columns in self._later.items()}
        for promise in promised:
            start, stop = promise.windows.start - first, promise.windows.stop - first
            if stop > last - first:
                continue
            since = reached[start - 1] if start else self._reached
            promise.rows = {"basic": self._windows_stored({n: v[start:stop] for n, v in free.items()})}
            for table, columns in self._later.items():
                if table in _AGGREGATED:
                    mine = (columns["seen"] > promise.windows.start) & (columns["seen"] <= promise.windows.stop)
                else:
                    mine = (ends[table] <= reached[stop - 1]) if since is None else (ends[table] > since) & (ends[table] <= reached[stop - 1])
                promise.rows[table] = _without_seen({n: v[mine] for n, v in columns.items()})
        self._reached = int(reached[last - first - 1])
        self._free = {n: v[last - first :] for n, v in free.items()}
        left = {t: columns["seen"] > last if t in _AGGREGATED else ends[t] > self._reached for t, columns in self._later.items()}
        self._later = {t: _those(columns, left[t]) for t, columns in self._later.items() if left[t].any()}

    def add(self, rows: Mapping[str, Columns]) -> None:
        """Take rows in."""
        for table, columns in rows.items():
            if len(columns["t"]):
                self._buffers[table].add(_without_seen(columns))
        if self._drops_cycles:
            self._buffers["cycle"].clear()

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """The events found so far, times in ns."""
        return self._events

    @property
    def windows(self) -> bool:
        """Whether there is a 10/12-cycle window."""
        return self._completed > 0

    @property
    def _drops_cycles(self) -> bool:
        """Cycles not asked for are kept only until a window shows that the recording is not a short one."""
        return not self._cycle and self.windows

    def _emit(self, table: str, chunk: Columns) -> None:
        if table in ("basic", "cycle"):
            (self._windows if table == "basic" else self._cycles).add(chunk)
        if self._taker is not None:
            self._taker(table, chunk)
        elif self._sink is not None:
            self._sink.write(table, record_batch(table, chunk, **self.form))
        else:
            self._chunks.setdefault(table, []).append(chunk)

    def close(self) -> tuple[str, Statistics, list[dict[str, Any]]]:
        """Take leave of the rows: the table that speaks for the recording, its statistics, the events."""
        if self._drops_cycles:
            self._buffers["cycle"].clear()
        for buffer in self._buffers.values():
            buffer.flush()
        self._events.sort(key=lambda e: (e["t"], e["type"]))
        return ("basic", self._windows, self._events) if self._windows.rows else ("cycle", self._cycles, self._events)

    def result(self, summary: dict[str, Any], roles: Sequence[str | None]) -> Result:
        """The result; where rows were written out, its directory is put in its place."""
        optional = {"cycle": self._cycle or not self._windows.rows, "half_cycle": self._half_cycle}
        optional |= {"synchrophasor": self._synchrophasor, "signalling": self._signalling}
        tables = [t for t in TABLES if optional.get(t, True)]
        extract = self._waveform(roles)
        if self._sink is None:
            kept = MemoryTables(self._chunks, tables, self.form, events=self._events)
            return Result(summary, kept, None, extract, self._snippets)
        for batch in event_table(self._events, self.form["sides"]).to_batches():
            self._sink.write("events", batch)
        self._sink.schemas = self._schemas(tables)
        path = self._sink.commit(summary, Result(summary, {}, None, extract).fill)
        return Result(summary, Tables(path), path, extract)

    def _waveform(self, roles: Sequence[str | None]) -> dict[str, np.ndarray]:
        if not self._extract:
            return {}
        values = np.concatenate(self._extract)
        kept = {role: values[:, k] for k, role in enumerate(roles) if role}
        return {"t": np.arange(len(values)) / self._extract_rate, **kept}

    def discard(self) -> None:
        """Give up; an unfinished output directory is removed."""
        self._engine = None
        if self._sink is not None:
            self._sink.discard()

    def state(self) -> dict[str, Any]:
        """Everything; written output is closed up to here and belongs to whoever holds the state."""
        self.gather()
        sink = None
        if self._sink is not None:
            sink = self._sink.state()
        return {
            "windows": self._windows.state(),
            "cycles": self._cycles.state(),
            "events": self._events,
            "chunks": self._chunks,
            "buffers": {t: b.peek() for t, b in self._buffers.items() if b.fill},
            "extract": self._extract,
            "extract_rate": self._extract_rate,
            "taken": [self._taken, self._released, self._completed, self._free, self._reached, self._later],
            "smoothing": None if self._smoothing is None else self._smoothing.state(),
            "stages": None if self._stages is None else self._stages.state(),
            "snippets": [[name, snippet_state(r)] for name, r in self._snippets.items()],
            "sink": sink,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._windows, self._cycles = (Statistics.of(state[part], self.form["extras"]) for part in ("windows", "cycles"))
        self._events, self._chunks = state["events"], state["chunks"]
        self._extract, self._extract_rate = state["extract"], state["extract_rate"]
        self._taken, self._released, self._completed, self._free, self._reached, self._later = state["taken"]
        self._snippets = {name: snippet_of(s) for name, s in state["snippets"]}
        for table, rows in state["buffers"].items():
            self._buffers[table].add(rows)
        if self._smoothing is not None:
            self._smoothing.resume(state["smoothing"])
        if state["sink"] is not None:
            self._sink = Sink.resume(state["sink"], self._schemas(TABLES))


def _those(rows: Columns, which: np.ndarray) -> Columns:
    """Some of the rows; as they are where it is all of them."""
    return rows if which.all() else {name: values[which] for name, values in rows.items()}


def _without_seen(rows: Columns) -> Columns:
    """Rows without the number of windows that had been fed when they were complete."""
    return {name: values for name, values in rows.items() if name != "seen"}
