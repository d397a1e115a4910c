"""What a measurement gives: energies, means, tables, events, and where they come from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..measurements import Columns, event_table, record_batch, schema
from ..quantity import TABLES
from ..recording import Recording
from ..settings import Settings
from ..store.results import SNIPPETS, Sink, Tables, read_summary
from .snippets import write_snippet

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MemoryTables", "Result", "load", "schemas"]

_EXTRACT = "start.parquet"


def schemas(tables: Sequence[str], form: Mapping[str, Any]) -> dict[str, pa.Schema]:
    """The Arrow schema of each table; `form` are the arguments of `measurements.schema`."""
    return {t: schema(t, **form) for t in tables}


class MemoryTables(Mapping[str, "pa.Table"]):
    """Tables kept in memory as chunks of columns, made into Arrow when first asked for."""

    def __init__(
        self,
        chunks: Mapping[str, Sequence[Columns]],
        tables: Sequence[str],
        form: Mapping[str, Any],
        *,
        events: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._chunks = chunks
        self._names = tuple(t for t in TABLES if t in tables)
        self._form = form
        self._events = events
        self._made: dict[str, pa.Table] = {}

    def __getitem__(self, table: str) -> pa.Table:
        if table not in self._names:
            raise KeyError(table)
        if table not in self._made:
            import pyarrow as pa

            if table == "events":
                self._made[table] = event_table(self._events, self._form["sides"])
            else:
                batches = [record_batch(table, c, **self._form) for c in self._chunks.get(table, ())]
                self._made[table] = pa.Table.from_batches(batches, schema(table, **self._form))
        return self._made[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Result:
    """A finished measurement.

    Parameters
    ----------
    summary : dict
        What `summary.json` holds.
    tables : mapping of str to pyarrow.Table
        Read or made when asked for.
    path : Path, optional
        The directory it is stored in.
    extract : mapping of str to ndarray, optional
        The first cycles of the waveform, seconds under "t" and V or A under each channel, for pictures.
    snippets : mapping of str to Recording, optional
        The waveforms around events by name, where they are not in the directory.
    """

    def __init__(
        self,
        summary: dict[str, Any],
        tables: Mapping[str, pa.Table],
        path: Path | None = None,
        extract: Mapping[str, np.ndarray] | None = None,
        snippets: Mapping[str, Recording] | None = None,
    ) -> None:
        self.summary = summary
        self.tables = tables
        self.path = path
        self._extract = extract
        self._snippets = snippets or {}

    @property
    def energy(self) -> dict[str, float | None]:
        """Wh, varh and VAh by register; None where a register does not apply."""
        energy: dict[str, float | None] = self.summary["energy"]
        return energy

    @property
    def mean(self) -> dict[str, float | None]:
        """Mean over the recording of every column of the table `basic`, by the rule of its quantity."""
        mean: dict[str, float | None] = self.summary["mean"]
        return mean

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, in the order of their start: rows of the table `events` as plain dicts, times as ISO text."""
        events: list[dict[str, Any]] = self.summary["events"]["list"]
        return events

    @property
    def settings(self) -> Settings:
        """The settings that made the result."""
        return Settings.from_dict(self.summary["settings"])

    @property
    def extract(self) -> Mapping[str, np.ndarray]:
        """The first cycles of the waveform; empty where they were not kept."""
        if self._extract is None and self.path is not None and (self.path / SNIPPETS / _EXTRACT).is_file():
            import pyarrow.parquet as pq

            table = pq.read_table(self.path / SNIPPETS / _EXTRACT)
            self._extract = {name: table.column(name).to_numpy() for name in table.column_names}
        return self._extract or {}

    def __repr__(self) -> str:
        return f"<ctmeter.Result of {self.summary['recording'].get('source') or 'arrays'}, {self.summary['recording'].get('duration_s')} s>"

    def _repr_html_(self) -> str:
        from ..reports.html import fragment

        return fragment(self.summary)

    def save(self, directory: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the result directory: `summary.json`, a Parquet file for each table, `snippets/`.

        Raises
        ------
        StoreError
            The place holds something ctmeter did not make (unless `force`), or cannot be written.
        """
        tables = {name: self.tables[name] for name in self.tables}
        sink = Sink(directory, {name: table.schema for name, table in tables.items()}, force)
        try:
            for name, table in tables.items():
                for batch in table.to_batches():
                    sink.write(name, batch)
            return sink.commit(self.summary, self.fill)
        except BaseException:
            sink.discard()
            raise

    def fill(self, place: Path) -> None:
        """Add what stands beside the tables to a result directory: the waveform's first cycles, and those around events."""
        for name, recording in self._snippets.items():
            write_snippet(place / SNIPPETS, name, recording)
        if self.path is not None:
            for file in (self.path / SNIPPETS).glob("*_*.*"):
                shutil.copyfile(file, place / SNIPPETS / file.name)
        if self.extract:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.table({name: pa.array(values) for name, values in self.extract.items()}), place / SNIPPETS / _EXTRACT)

    def snippet(self, name: str) -> Recording | None:
        """The waveform of that name where it is in memory; None where it is in the directory or nowhere."""
        return self._snippets.get(name)

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        pdf: str | os.PathLike[str] | None = None,
        edition: str | None = None,
        level: str | None = None,
        limits: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        island: bool = False,
        timezone: str | None = None,
    ) -> Path:
        """Write the report: one HTML file that needs nothing else.

        Parameters
        ----------
        path : path
            Of the HTML.
        pdf : path, optional
            Write the same as PDF too.
        edition, level, limits, island
            Of the assessment by EN 50160, as `en50160.assess` takes them.
        timezone : str, optional
            Of local times, for instance "Europe/Vienna"; that of the machine where not given.

        Raises
        ------
        SettingsError
            A package that the report needs is not installed, or unusable limits.
        StoreError
            It cannot be written.
        """
        from .reporting import material_of, write_report, zone_of

        material = material_of([self], edition=edition, level=level, limits=limits, island=island, zone=zone_of(timezone))
        return write_report(material, path, pdf)


def load(directory: str | os.PathLike[str]) -> Result:
    """The result in a directory; its tables are read when asked for.

    Raises
    ------
    StoreError
        No result there, or a damaged one.
    """
    path = Path(directory)
    return Result(read_summary(path), Tables(path), path)
