"""From named arrays to a recording: what HDF5, MATLAB, Parquet, TDMS and MDF files have in common.

Rules
-----
- A group of one-dimensional arrays of numbers of one length is a record, each array a channel of its name; a two-dimensional
  array is a record by itself, its longer side being time, with channels `NAME_1`, `NAME_2` ...
- Records of the same channels are segments, in the order of the file; where no clock says how they follow each other, each
  begins after a gap. Records of other channels but the same instants are joined. Of what remains, the records with the most
  samples are taken and the others named.
- Sample rate: an attribute of the array, its group or the file, or a scalar beside it, called `sample_rate`, `fs` and the like
  (`RATES`), or a step such as `dt` (`STEPS`); else an array `t`, `time` ... (`TIMES`), in seconds, or by its size
  in ms, us or ns since 1970, or by its unit; else the given rate.
- Start: `start`, `start_time` and the like (`STARTS`), as ISO text or ns since 1970, or absolute times.
- Units and scales are attributes (`unit`, `scale`, `offset` ...) or scalars `scale_NAME`; where no unit is given it
  follows from the name, which is said. Integers without a scale are refused, unless they have a unit of their own.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..recording import LOWEST_RATE, TOO_SLOW, Channel, Gap, Recording, Segment, Source, nanoseconds
from ..roles import guess_unit, unit
from ._csv_time import timing
from ._spool import Spool

__all__ = ["MAX_WIDTH", "Array", "Opened", "damage", "frames", "plain", "recording_of"]

MAX_WIDTH = 1024
RATES = ("sample_rate", "samplerate", "sampling_rate", "samplingrate", "sample_frequency", "sampling_frequency", "samplingfrequency", "fs", "sr")
STEPS = ("dt", "ts", "delta_t", "sample_interval", "sampling_interval", "samplinginterval", "sample_period", "wf_increment")
STARTS = ("start", "start_time", "starttime", "start_ns", "time_start", "wf_start_time")
TIMES = ("t", "time", "times", "timestamp", "timestamps", "zeit", "tid", "temps")
_NOMINALS = ("nominal_frequency", "line_frequency", "mains_frequency")
_UNITS, _SCALES, _OFFSETS = ("unit", "units", "unit_string", "ni_unitdescription"), ("scale", "scale_factor", "gain"), ("offset", "add_offset")
_TIME_UNITS = {"s": 1e9, "sec": 1e9, "seconds": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "ns": 1.0}
_BLOCK, _NAMED = 1 << 18, 12
#: Ns above which a time is counted from 1970.
_ABSOLUTE = 10**17


class Array(NamedTuple):
    """An array of a file.

    Parameters
    ----------
    path : tuple of str
        Its groups and its name.
    rows, width : int
        Length in time, and number of columns; 0 for a one-dimensional array.
    dtype : dtype
    fetch : callable
        Rows [start, stop) as (stop - start,) or (stop - start, width).
    attributes : mapping
        Of the array, by lower-case name.
    """

    path: tuple[str, ...]
    rows: int
    width: int
    dtype: np.dtype
    fetch: Callable[[int, int], np.ndarray]
    attributes: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """Without its groups."""
        return self.path[-1]


class Opened(NamedTuple):
    """What a reader found in a file.

    Parameters
    ----------
    arrays : sequence of Array
    attributes : mapping of groups to mapping
        Attributes and scalars of each group by lower-case name; those of the file under ().
    format : str
    warnings : sequence of str
        Oddities met.
    """

    arrays: Sequence[Array]
    attributes: Mapping[tuple[str, ...], Mapping[str, Any]]
    format: str
    warnings: Sequence[str] = ()


def plain(dtype: np.dtype) -> bool:
    """Whether numbers of this type can be samples."""
    return dtype.kind in "iuf" and dtype.itemsize <= 8


class _Column(NamedTuple):
    array: Array
    column: int | None
    channel: Channel


class _Clock(NamedTuple):
    """Start, rate and missing samples."""

    start_ns: int | None
    rate: float
    gaps: tuple[tuple[int, int], ...] = ()


@dataclass
class _Record:
    """Channels of the same instants."""

    name: str
    rows: int
    clock: _Clock
    columns: list[_Column]
    key: tuple[Any, ...]
    notes: list[str] = field(default_factory=list)


class _Frames:
    """Records one after the other, as frames."""

    def __init__(self, records: Sequence[_Record], close: Callable[[], None]) -> None:
        kinds = {c.array.dtype.newbyteorder("=") for r in records for c in r.columns}
        common = np.result_type(*kinds)
        if common not in (np.int16, np.int32, np.float32, np.float64):
            small = common.itemsize < 4 or common == np.int32
            common = np.dtype(np.int32) if common.kind in "iu" and small else np.dtype(np.float32 if common.itemsize < 4 else np.float64)
        self._records, self._dtype, self._close = list(records), common, close
        self._edges = np.cumsum([0, *(r.rows for r in records)])

    def raw(self, start: int, stop: int) -> np.ndarray:
        width = len(self._records[0].columns) if self._records else 0
        out = np.empty((max(stop - start, 0), width), self._dtype)
        for k in range(max(int(np.searchsorted(self._edges, start, "right")) - 1, 0), len(self._records)):
            first = int(self._edges[k])
            low, high = max(start, first), min(stop, int(self._edges[k + 1]))
            if low >= high:
                break
            self._fill(out[low - start : high - start], self._records[k], low - first, high - first)
        return out

    @staticmethod
    def _fill(out: np.ndarray, record: _Record, low: int, high: int) -> None:
        held: tuple[Array, np.ndarray] | None = None
        for k, (array, column, _) in enumerate(record.columns):
            if held is None or held[0] is not array:
                block = array.fetch(low, high)
                if len(block) != high - low:
                    raise InputError(f"{'/'.join(array.path)}: {len(block)} of {high - low} samples are there", expected="a whole file")
                held = (array, block)
            out[:, k] = held[1] if column is None else held[1][:, column]

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((max(stop - start, 0), 0), np.uint8)

    def close(self) -> None:
        self._records, self._edges = [], np.zeros(1, np.int64)
        self._close()


def frames(arrays: Sequence[Array], close: Callable[[], None]) -> Source:
    """One-dimensional arrays of one length as frames."""
    columns = [_Column(a, None, Channel(a.name)) for a in arrays]
    return _Frames([_Record("", arrays[0].rows, _Clock(None, 1.0), columns, ())], close)


def recording_of(path: Path, rate: float | None, kind: str, opening: Callable[[contextlib.ExitStack], Opened]) -> Recording:
    """A recording of the arrays of a file, by the rules of this module.

    Parameters
    ----------
    path : Path
    rate : float or None
        Hz, where the file does not say.
    kind : str
        Of file, for messages.
    opening : callable
        Finds the arrays; what must be closed with the recording goes onto the stack that it is given.

    Raises
    ------
    InputError
        A damaged file, nothing in it is a table of samples, or it says no sample rate.
    """
    stack = contextlib.ExitStack()
    try:
        return _assembled(path, opening(stack), rate, stack.close)
    except InputError as error:
        stack.close()
        raise error if error.path else InputError(error.problem, path=path, expected=error.expected) from None
    except Exception as error:
        # damaged bytes come out of libraries as errors of any kind
        stack.close()
        raise InputError(damage(error), path=path, expected=f"{kind} file") from None


def damage(error: Exception) -> str:
    """What a library says of damaged bytes."""
    return f"a damaged file ({type(error).__name__}: {' '.join(str(error).split())[:120]})"


def _assembled(path: Path, opened: Opened, rate: float | None, close: Callable[[], None]) -> Recording:
    warnings = list[str]()
    records = _records(path, opened, rate, warnings)
    chosen = _chosen(records, warnings)
    notes = list(dict.fromkeys(n for r in chosen for n in r.notes))
    warnings += notes[:_NAMED] + ([f"and {len(notes) - _NAMED} more oddities of time"] if len(notes) > _NAMED else [])
    segments, gaps = _segments(chosen, warnings)
    top = opened.attributes.get((), {})
    nominal = _number(_first(top, _NOMINALS))
    metadata = {"records": [r.name for r in chosen[:1000]]} if len(chosen) > 1 else {}
    channels = tuple(c.channel for c in chosen[0].columns)
    guessed = [f"{c.name} in {c.unit}" for c, given in zip(channels, chosen[0].columns, strict=True) if not _unit_of(given.array) and c.unit]
    if guessed:
        warnings.append("no units in the file; by their names: " + ", ".join(guessed[:_NAMED]) + (" ..." if len(guessed) > _NAMED else ""))
    source = _Frames(chosen, close)
    warnings += opened.warnings
    return Recording(source, channels, segments, gaps, nominal, format=opened.format, path=path, warnings=warnings, metadata=metadata)


def _records(path: Path, opened: Opened, rate: float | None, warnings: list[str]) -> list[_Record]:
    """Every record of the file that has a time."""
    groups: dict[tuple[tuple[str, ...], int, float | None], list[Array]] = {}
    for array in opened.arrays:
        if plain(array.dtype) and array.rows > 1 and array.width <= MAX_WIDTH:
            # a table of columns is a record of its own
            place = array.path if array.width else array.path[:-1]
            own = None if _is_time(array) else _said_rate(array.attributes)
            groups.setdefault((place, array.rows, own), []).append(array)
    records, faults, unscaled = [], list[str](), list[str]()
    stamps = {(a.path[:-1], a.rows): a for a in opened.arrays if _is_time(a)}
    for (group, rows, _), arrays in groups.items():
        attributes = _inherited(opened, group)
        # the time of a table stands beside it
        time = stamps.get((group[:-1] if arrays[0].width else group, rows))
        samples = [a for a in arrays if not _is_time(a)]
        if not samples:
            continue
        notes: list[str] = []
        try:
            clock = _clock(time, samples, attributes, rate, notes)
            columns = [c for a in samples for c in _columns(a, attributes, unscaled)]
        except InputError as error:
            faults.append(f"{'/'.join(group) or ', '.join(a.name for a in samples[:4])}: {error.problem}")
            continue
        if columns:
            # tables of columns are of one kind where their names say none: voltages and currents are not the same channels
            same = tuple((guess_unit(c.array.name), c.column) if c.array.width else c.channel.name for c in columns)
            records.append(_Record("/".join(group), rows, clock, columns, same, notes))
    if not records:
        if unscaled:
            expected = "an attribute scale, volt or ampere for one count"
            raise InputError(f"integers without a scale: {', '.join(unscaled[:8])}", path=path, expected=expected)
        if faults:
            raise InputError(faults[0], path=path, expected="a sample rate (sample_rate, fs, dt), a time (t, time), or --rate HZ")
        what = ", ".join("/".join(a.path) for a in list(opened.arrays)[:_NAMED]) or "no arrays"
        raise InputError(f"nothing in the file is a table of samples: {what}", path=path, expected="arrays of numbers of one length")
    if unscaled:
        warnings.append(f"integers without a scale are left out: {', '.join(unscaled[:_NAMED])}")
    return records


def _inherited(opened: Opened, group: tuple[str, ...]) -> dict[str, Any]:
    """Attributes of a group and of those above it, the nearest counting."""
    found: dict[str, Any] = {}
    for n in range(len(group) + 1):
        found |= opened.attributes.get(group[:n], {})
    return found


def _chosen(records: list[_Record], warnings: list[str]) -> list[_Record]:
    """Records of one set of channels: those with the most samples."""
    joined: list[_Record] = []
    alone = Counter(r.key for r in records)
    by_instants: dict[tuple[int, _Clock], _Record] = {}
    for record in records:
        # records of other channels at the same instants; the same channels again are another record
        first = by_instants.get((record.rows, record.clock)) if alone[record.key] == 1 else None
        if first is not None and not {c.channel.name for c in record.columns} & {c.channel.name for c in first.columns}:
            first.columns += record.columns
            first.key += record.key
            continue
        if alone[record.key] == 1:
            by_instants.setdefault((record.rows, record.clock), record)
        joined.append(record)
    total: dict[tuple[Any, ...], int] = {}
    for record in joined:
        total[record.key] = total.get(record.key, 0) + record.rows * len(record.columns)
    best = max(total, key=lambda k: total[k])
    chosen = [r for r in joined if r.key == best]
    others = [r.name or ", ".join(c.channel.name for c in r.columns[:4]) for r in joined if r.key != best]
    if others:
        more = " ..." if len(others) > _NAMED else ""
        warnings.append(f"left out, since they have other channels or instants: {', '.join(others[:_NAMED])}{more}")
    if len(chosen) > 1 and chosen[0].columns[0].array.width and not chosen[0].columns[0].channel.unit:
        width = len(chosen[0].columns)
        for record in chosen:
            record.columns = [c._replace(channel=_renamed(c.channel, f"column {k + 1}")) for k, c in enumerate(record.columns)]
        warnings.append(f"{len(chosen)} tables of {width} columns without names, called column 1, column 2 ...")
    if all(r.clock.start_ns is not None for r in chosen):
        chosen.sort(key=lambda r: r.clock.start_ns or 0)
    return chosen


def _renamed(channel: Channel, name: str) -> Channel:
    return Channel(name, scale=channel.scale, offset=channel.offset, unit=channel.unit, range=channel.range)


def _segments(records: Sequence[_Record], warnings: list[str]) -> tuple[tuple[Segment, ...], tuple[tuple[int, Gap], ...]]:
    segments, gaps, row = [], list[tuple[int, Gap]](), 0
    end: int | None = None
    for record in records:
        clock = record.clock
        excluded = f"{clock.rate:g} Hz is too slow for a waveform" if clock.rate < TOO_SLOW * 50 else ""
        if row and clock.start_ns is None:
            gaps.append((row, Gap(1, "another record, nobody knows how much later")))
        if clock.start_ns is not None:
            if end is not None and clock.start_ns < end - 0.5e9 / clock.rate:
                excluded = excluded or "overlaps the record before it in time"
            else:
                end = clock.start_ns + round((record.rows + sum(n for _, n in clock.gaps)) / clock.rate * 1e9)
        gaps += [(row + at, Gap(n, "missing by the time stamps")) for at, n in clock.gaps]
        segments.append(Segment(row, row + record.rows, clock.rate, clock.start_ns, excluded))
        row += record.rows
    if len(records) > 1 and any(r.clock.start_ns is None for r in records):
        warnings.append(f"{len(records)} records without a clock follow each other after gaps of one sample each")
    reasons = sorted({s.excluded for s in segments if s.excluded})
    warnings += [f"{sum(s.excluded == why for s in segments)} of {len(segments)} records are not measured: {why}" for why in reasons[:_NAMED]]
    return tuple(segments), tuple(gaps)


def _is_time(array: Array) -> bool:
    """Whether an array holds time stamps; T is a temperature."""
    return not array.width and array.name != "T" and array.name.lower() in TIMES


def _said_rate(attributes: Mapping[str, Any]) -> float | None:
    """A rate, or the inverse of a step."""
    said = _number(_first(attributes, RATES))
    if said is None and (step := _number(_first(attributes, STEPS))) is not None and step > 0:
        return float(f"{1.0 / step:.12g}")
    return said


def _clock(time: Array | None, samples: Sequence[Array], attributes: Mapping[str, Any], rate: float | None, notes: list[str]) -> _Clock:
    found = dict(attributes) | dict(samples[0].attributes)
    said = _said_rate(samples[0].attributes)
    said = _said_rate(attributes) if said is None else said
    if said is not None and not LOWEST_RATE <= said < 1e9:
        raise InputError(f"a sample rate of {said:g} Hz")
    start = _start(_first(found, STARTS))
    gaps: tuple[tuple[int, int], ...] = ()
    if time is not None and (said is None or start is None):
        first, by_stamps, gaps = _by_stamps(time, notes)
        if said is not None and abs(said - by_stamps) > 1e-3 * said:
            notes.append(f"the file says {said:.9g} Hz, its time stamps {by_stamps:.9g} Hz, which is used")
        # absolute, or counted from the start
        said, start = by_stamps, first if first > _ABSOLUTE else start if start is None else start + first
    if said is None and rate is None:
        raise InputError("no sample rate in the file")
    if said is not None and rate is not None and abs(said - rate) > 1e-4 * rate:
        notes.append(f"the file says {said:.9g} Hz; the given {rate:.9g} Hz is used")
    return _Clock(start, rate if rate is not None else float(said or 0.0), gaps)


def _by_stamps(array: Array, notes: list[str]) -> tuple[int, float, tuple[tuple[int, int], ...]]:
    """First instant in ns, rate and gaps of a series of time stamps."""
    written = str(_first(array.attributes, _UNITS) or "").strip().lower()
    first = array.fetch(0, 1)
    size = abs(float(first.astype(np.int64)[0] if first.dtype.kind == "M" else first[0]))
    factor = _TIME_UNITS.get(written) or next((f for above, f in ((1e17, 1.0), (1e14, 1e3), (1e11, 1e6)) if size > above), 1e9)
    if array.attributes.get("absolute_ns"):
        factor = 1.0
    stamps, digit = Spool(np.int64, 1), 1.0
    for at in range(0, array.rows, _BLOCK):
        block = array.fetch(at, min(at + _BLOCK, array.rows))
        if block.dtype.kind == "f":
            if not (np.abs(block) * factor < 9e18).all():
                raise InputError("time stamps that are none")
            digit = max(digit, float(np.spacing(np.abs(block).max())) * factor)
            stamps.append(np.rint(block.astype(np.float64) * factor).astype(np.int64)[:, None])
        else:
            if factor > 1.0 and np.abs(block.astype(np.float64)).max() * factor > 9e18:
                raise InputError("time stamps that are none")
            stamps.append((block.astype(np.int64) * np.int64(factor))[:, None])
    ns = stamps.array()[:, 0]
    found = timing(ns, digit)
    notes += found.notes
    return int(ns[0]), found.rate, found.gaps


def _columns(array: Array, attributes: Mapping[str, Any], unscaled: list[str]) -> list[_Column]:
    found = {**array.attributes}
    written = _unit_of(array)
    base, factor = unit(written)
    name = array.name
    scale = _number(_first(found, _SCALES))
    scale = _number(attributes.get(f"scale_{name.lower()}")) if scale is None else scale
    offset = _number(_first(found, _OFFSETS))
    offset = _number(attributes.get(f"offset_{name.lower()}")) if offset is None else offset
    limits = None
    if array.dtype.kind in "iu":
        if scale is None and not base:
            unscaled.append(name)
            return []
        info = np.iinfo(array.dtype)
        limits = (float(info.min), float(info.max))
    scale, offset = 1.0 if scale is None else scale, 0.0 if offset is None else offset
    names = [name] if not array.width else [f"{name}_{k + 1}" for k in range(array.width)]
    given = found.get("names")
    if array.width and isinstance(given, (list, tuple)) and len(given) == array.width:
        names = [str(n)[:256] for n in given]
    return [
        _Column(array, k if array.width else None, Channel(n, scale * factor, offset * factor, base or guess_unit(n), range=limits))
        for k, n in enumerate(names)
    ]


def _unit_of(array: Array) -> str:
    return str(_first(array.attributes, _UNITS) or "")[:32].strip()


def _first(attributes: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((attributes[n] for n in names if attributes.get(n) is not None), None)


def _number(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value) if value is not None and not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _start(value: Any) -> int | None:
    """Ns since 1970, or None where it says none."""
    if value is None or isinstance(value, float):
        # seconds since 1970
        return round(value * 1e9) if isinstance(value, float) and 1e8 < value < 9e9 else None
    if isinstance(value, (int, np.integer)):
        return int(value) if 1e17 < int(value) < 9e18 else _start(float(value))
    try:
        return None if isinstance(value, np.datetime64) and np.isnat(value) else nanoseconds(value)
    except (InputError, OverflowError, AttributeError, TypeError, ValueError):
        return None
