"""What a batch came to: `summary.json` and `summary.html`, from the data set and the counts of the run."""

from __future__ import annotations

import errno
import heapq
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import StoreError
from ..measurements import iso
from ..pipeline.describe import SCHEMA_VERSION, plain, program
from ..quantity import energy_keys
from ..reports.page import available
from ..store.results import write_text, writing
from .dataset import DATASET, clean, hive
from .fold import Folded
from .judging import NOT_ASSESSED
from .tally import MIXED, event_types

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["HTML", "JSON", "summarise", "write_summary"]

JSON, HTML = "summary.json", "summary.html"
_DAY = 86_400_000_000_000
_WEEK = 7 * _DAY
#: 1969-12-29, a Monday.
_MONDAY = -3 * _DAY
_WORST = 50


def summarise(place: str | Path, facts: Mapping[str, Any], folded: Folded | None) -> dict[str, Any]:
    """The summary of a batch, `schema_version` first.

    Parameters
    ----------
    place : path
        Folder of the batch.
    facts : mapping
        Of the run: `done` (number of recordings measured), `failures` and `skipped` (lists of `path` and `reason`), `quarantined` (paths,
        which are among the failures), `gone` (number of recordings that are no longer found), `warnings`, `seconds`, `x_real_time`.
    folded : Folded or None
        None where nothing was folded: there is then nothing to say of sites.

    Raises
    ------
    StoreError
        The data set cannot be read.
    """
    root = Path(place) / DATASET
    points = [] if folded is None else _points(root)
    failures, skipped = _named(facts.get("failures", ())), _named(facts.get("skipped", ()))
    summary = {
        "schema_version": SCHEMA_VERSION,
        "program": program(),
        "done": facts["done"],
        "failed": len(failures),
        "skipped": len(skipped),
        "failures": failures,
        "quarantined": [clean(name) for name in facts.get("quarantined", ())],
        "dataset": clean(str(root)),
        "gone": facts.get("gone", 0),
        "seconds": round(facts.get("seconds", 0.0), 3),
        "x_real_time": facts.get("x_real_time"),
        "sites": points,
        "worst_events": _worst(root, points) if points else [],
        "warnings": [*map(clean, facts.get("warnings", ())), *_warnings(points)],
        "skipped_files": skipped,
    }
    cleaned: dict[str, Any] = plain(summary)
    return cleaned


def _named(listed: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Paths and reasons as text that UTF-8 can hold."""
    return [{name: clean(text) for name, text in one.items()} for one in listed]


def _warnings(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is said of the registers, also of those that this run did not make."""
    said = []
    for p in points:
        name = ", ".join(filter(None, (p["site"], p["device"], p["point"]))) or "site without a name"
        if p["left_out"]:
            overlap = "recording overlaps" if p["left_out"] == 1 else "recordings overlap"
            said.append(f"{name}: {p['left_out']} {overlap} with others, left out of registers and verdicts")
        mixed = [word for kind, word in (("U", "voltages"), ("P", "energies")) if p[f"side_{kind}"] == MIXED]
        if mixed:
            which = f"{' and '.join(mixed)} are primary in some recordings and secondary in others"
            said.append(f"{name}: {which}: not added up (side says which it is to be)")
    return said


def write_summary(place: str | Path, facts: Mapping[str, Any], folded: Folded | None) -> dict[str, Any]:
    """Write `summary.json`, and `summary.html` where the extra `report` is installed; nothing where nothing was folded.

    Parameters
    ----------
    place, facts, folded
        As for `summarise`.

    Returns
    -------
    dict
        The summary.

    Raises
    ------
    StoreError
        The data set cannot be read, or a file not be written.
    """
    summary = summarise(place, facts, folded)
    text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if folded is None:
        return summary
    with writing(place):
        Path(place).mkdir(parents=True, exist_ok=True)
    write_text(Path(place) / JSON, text)
    if available():
        from ..reports.fleet import fleet_page

        write_text(Path(place) / HTML, fleet_page(summary))
    return summary


def _files(root: Path, table: str) -> Iterator[Path]:
    return iter(sorted((root / table).rglob("part-0.parquet")))


def _read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read(columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowException) as error:
        raise StoreError(errno.EIO, f"cannot be read: {error}", str(path)) from error


def _dicts(table: pa.Table) -> list[dict[str, Any]]:
    """Rows with times in ns."""
    import pyarrow as pa

    fields = [pa.field(f.name, pa.int64()) if pa.types.is_timestamp(f.type) else f for f in table.schema]
    rows: list[dict[str, Any]] = table.cast(pa.schema(fields)).to_pylist()
    return rows


def _points(root: Path) -> list[dict[str, Any]]:
    """What is known of each measuring point: registers, coverage, events, verdicts, weeks."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for path in _files(root, "registers"):
        for row in _dicts(_read(path)):
            start, end = row["start"], row["end"]
            span = (end - start) * 1e-9 if start is not None and end is not None and end > start else None
            point = {"site": row["site_name"], "device": row["device"], "point": row["point"], "recordings": row["recordings"]}
            point |= {"side_U": row["side_U"], "side_P": row["side_P"]}
            point |= {"left_out": row["left_out"], "start": None if start is None else iso(start), "end": None if end is None else iso(end)}
            point |= {"covered_s": row["covered_s"], "coverage": None if span is None else min(100.0, 100 * row["covered_s"] / span)}
            point |= {"energy": {k: row[k] for k in energy_keys()}, "U_min": row["U_min"], "U_max": row["U_max"]}
            point |= {"events": dict.fromkeys(event_types, 0), "verdict": NOT_ASSESSED, "why": None, "weeks": []}
            found[_key(row)] = point
    for path in _files(root, "recordings"):
        _add_recordings(found, path)
    for path in _files(root, "en50160"):
        columns = ("device", "point", "site_name", "period", "parameter", "verdict", "reason", "start", "end")
        for row in _dicts(_read(path, columns)):
            if row["parameter"] is None and _key(row) in found:
                _add_verdict(found[_key(row)], row)
    for point in found.values():
        weeks = point.pop("_weeks", {})
        point["weeks"] = [{"week": _week_name(k), **weeks[k]} for k in sorted(weeks)]
    return [found[k] for k in sorted(found)]


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["site_name"], row["device"], row["point"]


def _add_recordings(found: Mapping[tuple[str, str, str], dict[str, Any]], path: Path) -> None:
    """Events, and what of each week was recorded."""
    columns = ("device", "point", "site_name", "start", "end", "overlaps", *(f"events_{k}" for k in event_types))
    for row in _dicts(_read(path, columns)):
        point = found.get(_key(row))
        if point is None:
            continue
        for kind in event_types:
            point["events"][kind] += row[f"events_{kind}"] or 0
        if row["start"] is None or row["overlaps"]:
            continue
        weeks = point.setdefault("_weeks", {})
        start = row["start"]
        while start < row["end"]:
            number = (start - _MONDAY) // _WEEK
            stop = min(row["end"], _MONDAY + (number + 1) * _WEEK)
            week = weeks.setdefault(number, {"coverage": 0.0, "verdict": None})
            week["coverage"] = min(100.0, week["coverage"] + 100 * (stop - start) / _WEEK)
            start = stop


def _add_verdict(point: dict[str, Any], row: Mapping[str, Any]) -> None:
    if row["period"] == "whole":
        point["verdict"], point["why"] = row["verdict"], row["reason"]
    elif row["period"] == "week":
        number = ((row["start"] + row["end"]) // 2 - _MONDAY) // _WEEK
        week = point.setdefault("_weeks", {}).setdefault(number, {"coverage": 0.0, "verdict": None})
        week["verdict"] = row["verdict"]


def _week_name(number: int) -> str:
    """Of the ISO calendar, for instance "2026-W07"."""
    year, week, _ = datetime.fromtimestamp((_MONDAY + number * _WEEK) // 1_000_000_000, UTC).isocalendar()
    return f"{year}-W{week:02d}"


def _worst(root: Path, points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Dips, swells and interruptions by voltage lost or too much times how long; those still open before all others."""
    names = {hive(p["site"]): p["site"] for p in points}
    kept: list[tuple[float, int, dict[str, Any]]] = []
    columns = ("recording_id", "device", "point", "type", "t", "duration", "phases", "U_ref", "U_residual", "U_max")
    number = 0
    for path in _files(root, "events"):
        folder = next((p.removeprefix("site=") for p in path.relative_to(root).parts if p.startswith("site=")), "")
        table = _read(path, columns)
        weight = _weights(table)
        # no more than can be among the worst become dicts
        most = np.argsort(-weight, kind="stable")[:_WORST]
        for k, row in zip(most.tolist(), _dicts(table.take(most)), strict=True):
            if weight[k] <= 0:
                continue
            number += 1
            heapq.heappush(kept, (float(weight[k]), -number, _event(row, names.get(folder, folder))))
            if len(kept) > _WORST:
                heapq.heappop(kept)
    return [event for _, _, event in sorted(kept, key=lambda x: (-x[0], -x[1]))]


def _weights(table: pa.Table) -> np.ndarray:
    """Share of the reference voltage that is missing or too much, times s; 0 of other events."""
    kind = np.array(table.column("type").to_pylist(), object)
    numbers = {n: table.column(n).to_numpy(zero_copy_only=False).astype(np.float64) for n in ("duration", "U_ref", "U_residual", "U_max")}
    low = 1 - numbers["U_residual"] / np.where(numbers["U_ref"] > 0, numbers["U_ref"], np.nan)
    high = numbers["U_max"] / np.where(numbers["U_ref"] > 0, numbers["U_ref"], np.nan) - 1
    share = np.where(kind == "swell", high, np.where((kind == "dip") | (kind == "interruption"), low, 0.0))
    length = np.where(np.isnan(numbers["duration"]), math.inf, numbers["duration"])
    weight: np.ndarray = np.nan_to_num(np.maximum(share, 0.0) * np.where(np.nan_to_num(share) > 0, length, 0.0), nan=0.0, posinf=math.inf)
    return weight


def _event(row: Mapping[str, Any], site: str) -> dict[str, Any]:
    volts = row["U_max"] if row["type"] == "swell" else row["U_residual"]
    share = volts / row["U_ref"] if volts is not None and row["U_ref"] else None
    told = {"site": site, **{k: row[k] for k in ("device", "point", "recording_id", "type")}, "t": iso(row["t"]), "duration": row["duration"]}
    return {**told, "phases": row["phases"] or [], "U": volts, "U_ref": row["U_ref"], "share": share}
