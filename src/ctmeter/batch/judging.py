"""EN 50160 on the data set: the stitched tables of a measuring point, read column by column, and its verdicts as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import en50160
from ..errors import InputError, SettingsError
from ..measurements import Columns, iso, nanoseconds
from ..store.results import Tables
from .dataset import Partition, clean

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NOT_ASSESSED", "Judged", "Shelf", "fill_plt", "verdict_schema"]

#: Verdict of what is not judged.
NOT_ASSESSED = "not-assessed"
#: Ten-minute intervals from which on there is something to judge.
_LEAST = 12
#: Reasons told of a period; its parameters have their own.
_REASONS = 8
_TABLES = ("10min", "2h", "frequency", "3s")


def verdict_schema() -> pa.Schema:
    """Of the table `en50160`: a row for each parameter of a period; with `parameter` null for all of them, with `start` null too for the whole."""
    import pyarrow as pa

    word, number, count, stamp = pa.dictionary(pa.int32(), pa.string()), pa.float64(), pa.int64(), pa.timestamp("ns", "UTC")
    kinds: dict[str, tuple[Any, str]] = {name: (word, "") for name in ("device", "point", "site_name", "period")}
    kinds |= {"start": (stamp, ""), "end": (stamp, ""), "partial": (pa.bool_(), ""), "parameter": (word, ""), "phase": (word, "")}
    kinds |= {"order": (count, "1"), "verdict": (word, ""), "indicative": (pa.bool_(), ""), "unit": (word, "")}
    kinds |= {"percentile_95": (number, ""), "min": (number, ""), "max": (number, ""), "limit_low": (number, ""), "limit_high": (number, "")}
    kinds |= {"limit_share": (number, "%"), "reached": (number, "1"), **{name: (count, "1") for name in ("N", "N1", "N2", "N_invalid")}}
    kinds |= {"coverage": (number, "%"), "reason": (pa.string(), ""), "edition": (word, ""), "level": (word, "")}
    return pa.schema([pa.field(name, kind, metadata={"unit": unit}) for name, (kind, unit) in kinds.items()])


class Shelf:
    """Open files of a site: a footer is read once, and the last column read is kept for the parts that follow."""

    def __init__(self) -> None:
        self._open: dict[Path, Any] = {}
        self._last: tuple[tuple[Path, tuple[str, ...]], pa.Table] | None = None

    def read(self, path: Path, names: Sequence[str]) -> pa.Table:
        """Columns of a file, of those names that it has."""
        wanted = (path, tuple(names))
        if self._last is None or self._last[0] != wanted:
            source = self._file(path)
            self._last = wanted, source.read(columns=[n for n in names if n in source.schema_arrow.names])
        return self._last[1]

    def names(self, path: Path) -> tuple[str, ...]:
        """The columns of a file."""
        return tuple(self._file(path).schema_arrow.names)

    def _file(self, path: Path) -> Any:
        import pyarrow.parquet as pq

        if path not in self._open:
            self._open[path] = pq.ParquetFile(path)
        return self._open[path]

    def close(self) -> None:
        """Close the files."""
        for source in self._open.values():
            source.close()
        self._open, self._last = {}, None


class _Lying(Tables):
    """Tables of a stretch, as rows of files of the data set."""

    def __init__(self, shelf: Shelf, lying: Mapping[str, Sequence[tuple[Path, int, int]]]) -> None:
        self._shelf, self._lying = shelf, lying
        self._names = [t for t in _TABLES if lying.get(t)]

    def __getitem__(self, table: str) -> pa.Table:
        import pyarrow as pa

        return pa.concat_tables([self._shelf.read(path, self.names(table)).slice(start, n) for path, start, n in self._lying[table]])

    def names(self, table: str) -> tuple[str, ...]:
        """The columns of a table."""
        return self._shelf.names(self._lying[table][0][0])

    def count(self, table: str) -> int:
        """Rows of a table."""
        return sum(n for _, _, n in self._lying[table])

    def pieces(self, table: str, column: str) -> Iterator[pa.Array]:
        """One column of a table in pieces."""
        for path, start, n in self._lying[table]:
            yield from self._shelf.read(path, [column]).column(0).slice(start, n).chunks

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class _Stretch:
    """What `en50160.assess` takes for a result: rows in which every interval stands once."""

    tables: _Lying
    summary: dict[str, Any]
    path: str


@dataclass
class _Open:
    """A stretch as it is gathered."""

    content: Mapping[str, Any]
    start: int
    end: int
    last: dict[str, int] = field(default_factory=dict)
    rows: dict[str, list[tuple[Partition, int, int]]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    not_measured: dict[str, Mapping[str, Any]] = field(default_factory=dict)


class Judged:
    """A measuring point on its way to a verdict.

    Parameters
    ----------
    site, device, point : str
    """

    def __init__(self, site: str, device: str, point: str) -> None:
        self._site, self._device, self._point = site, device, point
        self._stretches: list[_Open] = []
        self._clockless = False
        self._intervals = 0

    def begin(self, content: Mapping[str, Any], span: tuple[int, int] | None) -> None:
        """A piece begins whose rows follow; a new stretch, where one of its intervals is there already."""
        parts = [p for p in content["parts"] if p.get("start_ns") is not None]
        if span is None or not parts:
            self._clockless = True
            return
        start, end = parts[0]["start_ns"], max(p["stop_ns"] for p in parts)
        tables: Mapping[str, Columns] = content["tables"]
        last = self._stretches[-1] if self._stretches else None
        again = last is not None and any(
            len(rows["t"]) and rows["t"].min() <= last.last.get(t, rows["t"].min() - 1) for t, rows in tables.items() if t in _TABLES
        )
        if last is None or again or not _alike(last.content, content):
            kept = {name: content.get(name) for name in ("form", "settings", "wiring")}
            last = _Open(kept, start, end)
            self._stretches.append(last)
        last.end = max(last.end, end)
        for table, rows in tables.items():
            if table in _TABLES and len(rows["t"]):
                last.last[table] = int(rows["t"].max())
        last.events += [{k: v for k, v in e.items() if k not in ("detail", "snippet")} for e in content["events"]]
        last.not_measured |= {str(left.get("what")): left for left in content.get("not_measured", ()) if isinstance(left, Mapping)}
        self._intervals += len(tables["10min"]["t"]) if "10min" in tables else 0

    def lay(self, number: int, table: str, partition: Partition, start: int, n: int) -> None:
        """Rows of the stretch of that number lie in a file from row `start` on."""
        if table not in _TABLES or number < 0 or not n:
            return
        rows = self._stretches[number].rows.setdefault(table, [])
        if rows and rows[-1][0] is partition and sum(rows[-1][1:]) == start:
            start, n = rows[-1][1], rows[-1][2] + n
            rows.pop()
        rows.append((partition, start, n))

    @property
    def stretch(self) -> int:
        """Number of the stretch that is being filled."""
        return len(self._stretches) - 1

    def rows(self, shelf: Shelf, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Verdicts as rows of the table `en50160`; one that says why, where nothing is judged.

        Parameters
        ----------
        shelf : Shelf
        options : mapping
            `edition`, `level`, `limits`, `island` of `en50160.assess`.
        """
        whose = {"device": clean(self._device), "point": clean(self._point), "site_name": clean(self._site)}
        why = self._no_ground()
        if not why:
            try:
                found = en50160.assess([self._result(s, shelf) for s in self._stretches], **options).to_dict()
            except (InputError, SettingsError) as error:
                why = str(error)
        if why:
            return [{**whose, "period": "whole", "verdict": NOT_ASSESSED, "reason": clean(why)}]
        told = {**whose, "edition": found["edition"], "level": found["level"]}
        return [told | row for row in _told(found)]

    def _no_ground(self) -> str:
        """What an assessment lacks."""
        if not self._stretches:
            return "no clock" if self._clockless else "nothing was measured"
        if not any(s.content["settings"].get("nominal_voltage") for s in self._stretches):
            return "no nominal voltage"
        if self._intervals < _LEAST:
            return f"{self._intervals} intervals of 10 min, fewer than the {_LEAST} of two hours"
        return ""

    def _result(self, stretch: _Open, shelf: Shelf) -> _Stretch:
        lying = {t: [(p.here, start, n) for p, start, n in rows] for t, rows in stretch.rows.items()}
        name = f"{self._site or 'site'}, from {iso(stretch.start)}"
        recording = {"start": iso(stretch.start), "end": iso(stretch.end), "source": name}
        recording["metadata"] = {"station": self._site, "device": self._device}  # type: ignore[assignment]
        summary = {"recording": recording, "settings": stretch.content["settings"], "wiring": stretch.content["wiring"]}
        summary |= {"sides": {"U": "as-recorded", **(stretch.content["form"] or {}).get("sides", {})}}
        summary |= {"not_measured": list(stretch.not_measured.values()), "events": {"list": stretch.events}, "warnings": []}
        return _Stretch(_Lying(shelf, lying), summary, name)


def _alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return all(a.get(name) == b.get(name) for name in ("form", "settings", "wiring"))


def _told(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What an assessment found, as rows."""
    share = found["coverage"]["share"]
    notes = [*found["notes"], *(f"{left['what']} not measured: {left['why']}" for left in found["not_measured"])]
    ends: dict[str, int | None] = {"start": None, "end": None}
    yield {"period": "whole", **ends, "verdict": found["verdict"], "coverage": share, "reason": _joined(notes)}
    for period, windows in (("week", found["weeks"]), ("year", found["years"])):
        for window in windows:
            ends = {"start": nanoseconds(window["start"]), "end": nanoseconds(window["end"])}
            told = {"period": "rest" if window.get("rest") else period, **ends, "partial": bool(window.get("partial"))}
            reasons = _joined(window.get("reasons") or ())
            yield {**told, "verdict": window["verdict"], "coverage": (window.get("coverage") or {}).get("share"), "reason": reasons}
            for row in window["parameters"]:
                yield {**told, **_parameter(row)}


def _joined(reasons: Sequence[str]) -> str | None:
    """The first reasons, and how many more there are."""
    more = [f"and {len(reasons) - _REASONS} more"] if len(reasons) > _REASONS else []
    return "; ".join([*reasons[:_REASONS], *more]) or None


def _parameter(row: Mapping[str, Any]) -> dict[str, Any]:
    limit = row.get("limit") or row.get("limit_always") or {}
    told = {"parameter": row["quantity"], **{k: row.get(k) for k in ("phase", "order", "verdict", "indicative", "unit", "min", "max", "reason")}}
    told |= {k: row.get(k) for k in ("N", "N1", "N2", "N_invalid", "coverage")}
    told["percentile_95"] = (row.get("percentiles") or {}).get("95")
    return told | {
        "limit_low": limit.get("low_value"),
        "limit_high": limit.get("high_value"),
        "limit_share": limit.get("share"),
        "reached": limit.get("reached"),
    }


def fill_plt(rows: Columns, t: np.ndarray, pst: Mapping[str, np.ndarray]) -> Columns:
    """Rows of `2h` with the Plt that the stitched 10-min rows give, where they have none.

    Parameters
    ----------
    rows : Columns
        Of `2h`.
    t : ndarray of int64, shape (n,)
        Starts of the 10-min rows, ns, in any order; of an interval that stands there twice neither Pst counts.
    pst : mapping of str to ndarray of float64, shape (n,)
        By phase.
    """
    order = np.argsort(t, kind="stable")
    single = np.ones(len(t), bool)
    same = np.diff(t[order]) == 0
    single[order[1:][same]] = single[order[:-1][same]] = False
    made: Columns = dict(rows)
    for phase, values in pst.items():
        series = en50160.plt_of_pst(en50160.Series(t[order], np.zeros(len(t), np.uint32), np.where(single, values, np.nan)[order]))
        place = np.clip(np.searchsorted(series.t, rows["t"]), 0, max(len(series.t) - 1, 0))
        found = np.where(series.t[place] == rows["t"], series.values[place], np.nan) if len(series.t) else np.full(len(rows["t"]), np.nan)
        own = made.get(f"Plt_{phase}", np.full(len(found), np.nan))
        filled = np.where(np.isnan(own), found, own)
        if f"Plt_{phase}" in made or not np.isnan(filled).all():
            made[f"Plt_{phase}"] = filled
    return made
