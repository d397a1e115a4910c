"""From results to reports: recordings of a site put together, assessed where there is ground for it, with the waveforms of their events."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import CtmeterError, CtmeterWarning, InputError, SettingsError, StoreError
from ..quantity import TABLES
from ..recording import Recording
from ..reports.material import Material, Waveform
from ..reports.units import duration
from ..store.results import SNIPPETS, SUMMARY, write_bytes, write_text
from .describe import digest_of, iso, plain
from .merging import merged

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["material_of", "write_report"]

#: Tables of several results that a report puts one after the other; longer ones would not fit into memory.
_STITCHED = ("10min", "2h", "frequency", "events")
#: Files of a result that its digest is of.
_DIGESTED = (SUMMARY, *(f"{table}.parquet" for table in _STITCHED))
#: Nominal cycles before an event in its snippet.
_LEAD = 10


class Measured(Protocol):
    """What a report needs of a `Result`."""

    summary: dict[str, Any]
    tables: Mapping[str, pa.Table]
    path: Path | None

    @property
    def extract(self) -> Mapping[str, np.ndarray]:
        """The first cycles."""

    def snippet(self, name: str) -> Recording | None:
        """A waveform in memory."""


class _Stitched(Mapping[str, "pa.Table"]):
    """The tables of consecutive results as one, in the order of their rows; of an interval that two share the longer row."""

    def __init__(self, parts: Sequence[Mapping[str, pa.Table]]) -> None:
        self._parts = parts
        self._names = [t for t in TABLES if t in _STITCHED and any(t in p for p in parts)]
        self._made: dict[str, pa.Table] = {}

    def __getitem__(self, table: str) -> pa.Table:
        if table not in self._names:
            raise KeyError(table)
        if table not in self._made:
            import pyarrow as pa

            whole = pa.concat_tables([p[table] for p in self._parts if table in p], promote_options="default").combine_chunks()
            t = whole.column("t").cast("int64").to_numpy()
            length = whole.column("duration").to_numpy() if "duration" in whole.column_names else np.zeros(len(t))
            order = np.lexsort((-np.nan_to_num(np.asarray(length, np.float64)), t))
            if table != "events" and len(t):
                order = order[np.r_[True, np.diff(t[order]) > 0]]
            self._made[table] = whole.take(order)
        return self._made[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def material_of(
    results: Sequence[Measured],
    *,
    edition: str | None = None,
    level: str | None = None,
    limits: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    island: bool = False,
    zone: tzinfo | None = None,
) -> Material:
    """What a report of one result, or of consecutive recordings of one site, is made of.

    It is judged by EN 50160 where there is a nominal voltage, a clock and two hours, and where edition, level, limits or island are given.

    Parameters
    ----------
    results : sequence of Result
    edition, level, limits, island
        Of the assessment, as `en50160.assess` takes them.
    zone : tzinfo, optional
        Of local times.

    Raises
    ------
    InputError
        No result, or results that do not belong together.
    SettingsError
        Limits that cannot be used.
    """
    if not results:
        raise InputError("no result to report", expected="at least one result directory")
    ordered = sorted(results, key=lambda r: str(r.summary["recording"].get("start") or ""))
    summary = merged([r.summary for r in ordered])
    tables = ordered[0].tables if len(ordered) == 1 else _Stitched([r.tables for r in ordered])
    recordings = [r.summary["recording"] for r in ordered]
    material = Material(
        summary, tables, recordings, ordered[0].extract, _waveforms(ordered), zone=zone, digests=_digests(ordered), digested=", ".join(_DIGESTED)
    )
    wanted = {"edition": edition, "level": level, "limits": limits, "island": island or None}
    return _assessed(material, ordered, {k: v for k, v in wanted.items() if v is not None})


def _assessed(material: Material, results: Sequence[Measured], given: Mapping[str, Any]) -> Material:
    """The material with an assessment, or with what it lacks for one; with the events as EN 50160 takes them in any case."""
    from .. import en50160

    why = _no_ground(material)
    if not why or given:
        found = en50160.assess(list(results), **given)
        assessment, classified, limits = plain(found.to_dict()), found.events, found.limits
    else:
        limits = en50160.load_limits()
        times = [{**e, "t": _ns(e["t"]), "detail": [{**d, "t": _ns(d["t"])} for d in e.get("detail") or ()]} for e in material.events if e.get("t")]
        assessment, classified = None, [{**e, "t": iso(e["t"])} for e in en50160.classify(times, limits.events)]
    cells = {
        name: {"voltages": list(c.voltages), "durations": list(c.durations), "shortest": c.shortest}
        for name, c in (("dips", limits.events.dips), ("swells", limits.events.swells))
    }
    return replace(material, assessment=assessment, unassessed=why, classified=classified, cells=cells, curves=en50160.curves())


def _digests(results: Sequence[Measured]) -> list[tuple[str, str]]:
    """What tells each stored result from any other: the digest of its summary and of the tables that are judged and drawn, joined."""
    made = []
    for result in results:
        if result.path is not None:
            files = [file for name in _DIGESTED if (file := result.path / name).is_file()]
            try:
                made.append((result.path.name, digest_of(files)))
            except OSError as error:
                raise StoreError(error.errno or errno.EIO, f"cannot be read: {error.strerror or error}", str(result.path)) from error
    return made


def _no_ground(material: Material) -> list[str]:
    """What an assessment by EN 50160 lacks."""
    why = []
    if material.nominal is None:
        why.append("there is no nominal voltage (--un)")
    if not material.clock:
        why.append("the recording has no clock")
    if not material.long:
        why.append(f"a recording of {duration(sum(float(r.get('duration_s') or 0) for r in material.recordings))} is no week")
    return why


def _ns(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))


def _waveforms(results: Sequence[Measured]) -> Callable[[Mapping[str, Any]], Waveform | None]:
    """What finds the samples around an event."""
    owners = {(e.get("t"), e.get("type")): r for r in results for e in r.summary["events"]["list"]}

    def find(event: Mapping[str, Any]) -> Waveform | None:
        result, name = owners.get((event.get("t"), event.get("type"))), event.get("snippet")
        if result is None or not name:
            return None
        recording = _snippet(result, str(name))
        return None if recording is None else _waveform(recording, event, result.summary["settings"])

    return find


def _snippet(result: Measured, name: str) -> Recording | None:
    """The stored waveform of that name, with its roles."""
    recording = result.snippet(name)
    if recording is not None or result.path is None or Path(name).name != name:
        return recording
    from ..readers import read

    # the file holds channels as they were measured: what the map turned round is so already
    given = {role: channel.removeprefix("-") for role, channel in (result.summary["settings"].get("map") or {}).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CtmeterWarning)
        try:
            return read(result.path / SNIPPETS / name, map=given or None)
        except (CtmeterError, OSError):
            return None


def _waveform(recording: Recording, event: Mapping[str, Any], settings: Mapping[str, Any]) -> Waveform | None:
    segment = recording.segments[0]
    rate, values = segment.sample_rate, recording.read()
    lost = np.zeros(len(values))
    for row, gap in recording.gaps:
        lost[row:] += gap.samples
    if segment.start_ns is not None and event.get("t"):
        begin = (segment.start_ns - _ns(str(event["t"]))) * 1e-9
    else:
        nominal = recording.nominal_frequency or settings.get("nominal_frequency") or 50.0
        begin = -min(_LEAD / nominal, _ns(str(event["t"])) * 1e-9 if event.get("t") else np.inf)
    roles = {c.role: values[:, k] for k, c in enumerate(recording.channels) if c.role}
    if "U_L32" in roles:
        roles["U_L23"] = -roles.pop("U_L32")
    if "U_L12" in roles and "U_L23" in roles:
        roles.setdefault("U_L31", -(roles["U_L12"] + roles["U_L23"]))
        if "I_L1" in roles and "I_L3" in roles:
            roles.setdefault("I_L2", -(roles["I_L1"] + roles["I_L3"]))
    return Waveform(begin + (np.arange(len(values)) + lost) / rate, roles, rate)


def write_report(material: Material, path: str | os.PathLike[str], pdf: str | os.PathLike[str] | None = None) -> Path:
    """Write the page, and the PDF where one is asked for.

    Raises
    ------
    SettingsError
        A package or library is missing.
    StoreError
        A file cannot be written.
    """
    from ..reports.page import page

    text = page(material)
    if pdf is not None:
        from ..reports.pdf import pdf as printed

        write_bytes(pdf, printed(text))
    return write_text(path, text)


def zone_of(name: str | None) -> tzinfo | None:
    """The time zone of that name, for instance "Europe/Vienna"; None without a name.

    Raises
    ------
    SettingsError
        There is none of that name.
    """
    if not name:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise SettingsError(f"timezone: {name!r} is no time zone; expected a name such as Europe/Vienna or UTC") from None
