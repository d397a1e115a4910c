"""Recordings: what the samples are, when they were taken and what is missing.

A recording is lazy: it owns a source of raw samples (a mapped file, arrays, a generator) and
gives them out in blocks, in their own dtype, together with the gaps between them. It does no
signal processing; scaling for a reader's eye is `Recording.read`, scaling for measurement
happens once, inside the core.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from .errors import InputError

__all__ = [
    "CURRENTS", "LINE_VOLTAGES", "LOWEST_RATE", "REVERSED", "ROLES", "VOLTAGES", "Block", "Channel", "Gap", "Recording", "Segment", "Source",
    "Timebase", "Wiring", "positive_rate",
]  # fmt: skip

VOLTAGES = ("U_L1", "U_L2", "U_L3", "U_N")
LINE_VOLTAGES = ("U_L12", "U_L23", "U_L31")
CURRENTS = ("I_L1", "I_L2", "I_L3", "I_N")
#: Every part a channel can play in a measurement.
ROLES = VOLTAGES + LINE_VOLTAGES + CURRENTS
#: Line-to-line voltages taken the other way round; such a channel plays the part given here, turned.
REVERSED = {"U_L21": "U_L12", "U_L32": "U_L23", "U_L13": "U_L31"}

#: Below this many samples per cycle of the mains nothing can be measured; below `LOW_RATE`, not well.
TOO_SLOW, LOW_RATE = 4, 16
#: Hz below which a sample rate is a mistake, not a rate.
LOWEST_RATE = 0.1


def positive_rate(rate: Any) -> float:
    """A sample rate in Hz.

    Raises
    ------
    InputError
        Not a number, or none between `LOWEST_RATE` and 1e9.
    """
    number = isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool)
    if not (number and np.isfinite(rate) and LOWEST_RATE <= rate < 1e9):
        raise InputError(f"sample_rate {rate!r}", expected=f"a number of Hz, at least {LOWEST_RATE:g}")
    return float(rate)


@dataclass(frozen=True)
class Channel:
    """One analog channel: value = raw * scale + offset.

    Parameters
    ----------
    name : str
        The name in the recording; one of `ROLES` gives the channel that role.
    scale, offset : float
        V or A for one count, and V or A at raw 0, on the recorded side.
    unit : str
        "V", "A", or whatever the file says of a channel that is neither.
    role : str or None
        The part the channel plays, one of `ROLES`; None where it plays none.
    phase : str
        The phase text of the file, "" where there is none.
    ratio : float
        Primary over secondary of the transformer, 1 where none is known.
    side : {"primary", "secondary", None}
        Which side the values stand for; None where the file does not say.
    skew : float
        Seconds by which this channel is sampled later than the frame's time.
    range : tuple of float or None
        Lowest and highest raw value the converter can give; reaching one is saturation.
    missing : float or None
        Raw value that stands for a missing sample. NaN always does.
    """

    name: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    role: str | None = None
    phase: str = ""
    ratio: float = 1.0
    side: str | None = None
    skew: float = 0.0
    range: tuple[float, float] | None = None
    missing: float | None = None

    def __post_init__(self) -> None:
        if self.role is None and self.name in ROLES:
            object.__setattr__(self, "role", self.name)
        if not self.unit and self.role:
            object.__setattr__(self, "unit", "V" if self.role[0] == "U" else "A")

    @property
    def kind(self) -> str:
        """ "U", "I", or "" for a channel that is neither a voltage nor a current in V or A."""
        return {"V": "U", "A": "I"}.get(self.unit, "")


@dataclass(frozen=True)
class Wiring:
    """How a set of channels is connected.

    Parameters
    ----------
    name : {"3P4W", "3P3W", "1P2W"}
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in ("3P4W", "3P3W", "1P2W"):
            raise InputError(f"wiring {self.name!r}", expected="3P4W, 3P3W or 1P2W")

    @classmethod
    def of(cls, roles: Sequence[str]) -> Self:
        """The wiring that a set of roles speaks for."""
        if any(r in roles for r in LINE_VOLTAGES) and not any(r in roles for r in VOLTAGES[:3]):
            return cls("3P3W")
        phases = {r[-2:] for r in roles if r[-2:] in ("L1", "L2", "L3")}
        return cls("1P2W" if phases == {"L1"} else "3P4W")

    @property
    def voltages(self) -> tuple[str, ...]:
        """The phases on which this wiring's voltage quantities stand."""
        return {"3P4W": ("L1", "L2", "L3"), "3P3W": ("L12", "L23", "L31"), "1P2W": ("L1",)}[self.name]


@dataclass(frozen=True)
class Timebase:
    """The only place where a sample's number meets time.

    Parameters
    ----------
    start_ns : int or None
        Time of sample 0, ns since 1970-01-01 UTC; None for a recording without a clock, whose
        times are then counted from 1970-01-01.
    sample_rate : float
        Hz.
    """

    start_ns: int | None
    sample_rate: float

    def ns(self, index: float) -> int:
        """Time of sample `index` (may be fractional), ns since 1970-01-01 UTC."""
        # whole seconds apart from the rest: a float64 product would lose ns after some hours
        whole, rest = divmod(index, self.sample_rate)
        return (self.start_ns or 0) + int(whole) * 1_000_000_000 + round(rest / self.sample_rate * 1e9)

    def index(self, ns: int) -> float:
        """Number (fractional) of the sample at time `ns`."""
        whole, rest = divmod(ns - (self.start_ns or 0), 1_000_000_000)
        return whole * self.sample_rate + rest * 1e-9 * self.sample_rate


@dataclass(frozen=True)
class Gap:
    """Missing time: the only way to say it. Resets synchronisation, contributes nothing.

    Parameters
    ----------
    samples : int
        Number of sample intervals that are missing, more than 0.
    reason : str
        Why, in a few words.
    """

    samples: int
    reason: str = ""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "samples", operator.index(self.samples))
        except TypeError:
            raise InputError(f"a gap of {self.samples!r} samples", expected="a whole number") from None
        if self.samples <= 0:
            raise InputError(f"a gap of {self.samples} samples", expected="a positive number")


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording with one sample rate.

    Parameters
    ----------
    start, stop : int
        Rows of the recording, half open.
    sample_rate : float
        Hz.
    start_ns : int or None
        Time of row `start`, ns UTC; None without a clock.
    excluded : str
        Why the segment is not measured, "" where it is.
    """

    start: int
    stop: int
    sample_rate: float
    start_ns: int | None = None
    excluded: str = ""

    @property
    def timebase(self) -> Timebase:
        """Time of the segment's rows, its first one being number 0."""
        return Timebase(self.start_ns, self.sample_rate)


@dataclass(frozen=True)
class Block:
    """Frames contiguous in time, still raw.

    Parameters
    ----------
    raw : ndarray, shape (n, n_channels), of the source's dtype
    channels : sequence of Channel
    start : int
        Row of the first frame in the recording.
    timebase : Timebase
        Of the first frame (its index 0 is row `start`).
    """

    raw: np.ndarray
    channels: tuple[Channel, ...]
    start: int
    timebase: Timebase

    @property
    def values(self) -> np.ndarray:
        """V and A, float64, shape (n, n_channels); NaN where a sample is missing."""
        return scaled(self.raw, self.channels)

    def __len__(self) -> int:
        return len(self.raw)


class Source(Protocol):
    """Where raw samples come from; what a reader makes."""

    def raw(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop) as (stop - start, n_channels), int16, int32, float32 or float64, any strides."""

    def status(self, start: int, stop: int) -> np.ndarray:
        """Status channels of rows [start, stop) as uint8 (stop - start, n_status), 0 or 1."""

    def close(self) -> None:
        """Let go of files and memory."""


def scaled(raw: np.ndarray, channels: Sequence[Channel]) -> np.ndarray:
    """Raw frames (n, k) of any dtype to float64 V and A; missing samples become NaN."""
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity of the file are what they are
        values: np.ndarray = raw * np.array([c.scale for c in channels]) + np.array([c.offset for c in channels])
    for k, c in enumerate(channels):
        if c.missing is not None:
            values[raw[:, k] == c.missing, k] = np.nan
    return values


def nanoseconds(start: str | dt.datetime | np.datetime64 | int | None) -> int | None:
    """A start time as ns since 1970-01-01 UTC.

    Raises
    ------
    InputError
        A text that is not ISO 8601, a datetime without a zone, or a year that ns of 64 bits do not reach.
    """
    if start is None or isinstance(start, int):
        return start
    if isinstance(start, str):
        text = start.strip().removesuffix("Z")
        try:
            zoned = dt.datetime.fromisoformat(start.strip())
            # numpy keeps nanoseconds, datetime does not
            universal = zoned.tzinfo is None or zoned.utcoffset() == dt.timedelta(0)
            start = np.datetime64(text.removesuffix("+00:00")) if universal else zoned
        except ValueError:
            raise InputError(f"start {start!r}", expected="ISO 8601, for instance 2026-01-01T00:00:00Z") from None
    if isinstance(start, np.datetime64):
        _check_year(start, int(start.astype("datetime64[s]").astype(np.int64)))
        return int(start.astype("datetime64[ns]").astype(np.int64))
    if start.tzinfo is None:
        raise InputError(f"start {start!r} has no time zone", expected="a datetime with one")
    delta = start - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    _check_year(start, delta.days * 86_400)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1000


def _check_year(start: object, seconds: int) -> None:
    """Refuse what overflows ns of 64 bits, which NumPy would not notice."""
    if not abs(seconds) < 9_223_200_000:
        raise InputError(f"start {start}", expected="a time between the years 1678 and 2262")


class _Open:
    """A source that says so when it is used after it was closed; shared by recordings that differ in their channels."""

    def __init__(self, source: Source) -> None:
        self._source, self._closed = source, False

    def _checked(self) -> Source:
        if self._closed:
            raise InputError("the recording is closed", expected="an open one")
        return self._source

    def raw(self, start: int, stop: int) -> np.ndarray:
        return self._checked().raw(start, stop)

    def status(self, start: int, stop: int) -> np.ndarray:
        return self._checked().status(start, stop)

    def close(self) -> None:
        self._closed = True
        self._source.close()

    def __getattr__(self, name: str) -> Any:
        # what else a source has
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._source, name)


class _Arrays:
    """A source in memory."""

    def __init__(self, columns: Sequence[np.ndarray], status: np.ndarray | None = None) -> None:
        dtype = np.result_type(*columns) if columns else np.dtype(np.float64)
        if dtype not in (np.int16, np.int32, np.float32, np.float64):
            dtype = np.dtype(np.int32) if dtype.kind in "iub" and dtype.itemsize < 4 else np.dtype(np.float64)
        self._columns = columns
        self._dtype = dtype
        self._status = status

    def raw(self, start: int, stop: int) -> np.ndarray:
        out = np.empty((stop - start, len(self._columns)), self._dtype)
        for k, column in enumerate(self._columns):
            out[:, k] = column[start:stop]
        return out

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((stop - start, 0), np.uint8) if self._status is None else self._status[start:stop]

    def close(self) -> None:
        self._columns = ()


@dataclass(eq=False)
class Recording:
    """A waveform recording, read lazily.

    Parameters
    ----------
    source : Source
    channels : tuple of Channel
    segments : tuple of Segment
        In order, without overlap, covering every row.
    gaps : tuple of (int, Gap)
        Each missing stretch with the row before which it lies.
    nominal_frequency : float or None
        Hz, as the file says.
    format : str
        Of the file, for instance "COMTRADE 1999 BINARY"; "arrays" in memory.
    path : Path, str or None
        A text is the URL of a remote recording.
    status_channels : tuple of str
        Names of the digital series of `read_status`.
    unresolved : str
        Why the channels' roles are ambiguous and which map to give; "" where they are not.
    warnings : list of str
        Every oddity met.
    metadata : dict
        Whatever else the file says; `metadata["truth"]` for synthesised recordings.

    Notes
    -----
    A recording may be used by one thread at a time.
    """

    source: Source
    channels: tuple[Channel, ...]
    segments: tuple[Segment, ...]
    gaps: tuple[tuple[int, Gap], ...] = ()
    nominal_frequency: float | None = None
    format: str = "arrays"
    path: Path | str | None = None
    status_channels: tuple[str, ...] = ()
    unresolved: str = ""
    warnings: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.source, _Open):
            self.source = _Open(self.source)

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Any],
        *,
        sample_rate: float,
        start: str | dt.datetime | np.datetime64 | None = None,
        scale: Mapping[str, float] | None = None,
    ) -> Self:
        """A recording of arrays in memory.

        Parameters
        ----------
        arrays : mapping of name to array_like, shape (n,)
            Float V and A, or integers together with `scale`. Names are those of `ROLES`; "U_L32" is taken as
            "U_L23" turned round, "U_L21" and "U_L13" likewise.
        sample_rate : float
            Hz.
        start : ISO text, datetime with zone, numpy.datetime64 (UTC) or None
            Time of the first sample.
        scale : mapping of name to float
            V or A for one count, for every integer array.

        Raises
        ------
        InputError
            No arrays, unknown names, two for one role, different lengths, a rate that is not positive, integers without scale.
        """
        if not arrays:
            raise InputError("no arrays", expected="at least one of " + ", ".join(ROLES))
        rate = positive_rate(sample_rate)
        columns = {name: np.asarray(a) for name, a in arrays.items()}
        length = max(c.size for c in columns.values())
        channels: list[Channel] = []
        for name, column in columns.items():
            role = REVERSED.get(name, name)
            if role not in ROLES:
                raise InputError(f"array {name!r}", expected="one of " + ", ".join(ROLES))
            if any(c.role == role for c in channels):
                raise InputError(f"array {name!r}: there is another one for {role}")
            if column.ndim != 1 or len(column) != length:
                raise InputError(f"array {name!r} has shape {column.shape}", expected=f"({length},), as the others")
            if column.dtype.kind not in "iuf":
                raise InputError(f"array {name!r} has dtype {column.dtype}", expected="integers or floats")
            if column.dtype.kind in "iu" and name not in (scale or {}):
                raise InputError(f"array {name!r} holds integers without a scale", expected=f"scale={{{name!r}: volt or ampere for one count}}")
            lowest_highest = None
            if column.dtype.kind in "iu":
                info = np.iinfo(column.dtype)
                lowest_highest = (float(info.min), float(info.max))
            sign = -1.0 if name in REVERSED else 1.0
            channels.append(Channel(role, scale=sign * float((scale or {}).get(name, 1.0)), range=lowest_highest))
        segment = Segment(0, length, rate, nanoseconds(start))
        return cls(_Arrays(list(columns.values())), tuple(channels), (segment,))

    @property
    def samples(self) -> int:
        """Rows of the recording."""
        return self.segments[-1].stop if self.segments else 0

    @property
    def sample_rate(self) -> float:
        """Hz; where there are several, that of the longest measured segment."""
        used = [s for s in self.segments if not s.excluded] or list(self.segments)
        return max(used, key=lambda s: s.stop - s.start).sample_rate if used else float("nan")

    @property
    def start_ns(self) -> int | None:
        """Time of the first sample, ns since 1970-01-01 UTC; None without a clock."""
        return self.segments[0].start_ns if self.segments else None

    @property
    def start(self) -> np.datetime64 | None:
        """Time of the first sample, UTC; None without a clock."""
        return None if self.start_ns is None else np.datetime64(self.start_ns, "ns")

    @property
    def duration(self) -> float:
        """Seconds from the first sample to the last, gaps included: N samples last N / fs."""
        if not self.segments:
            return 0.0
        if self.start_ns is not None and self.segments[-1].start_ns is not None:
            last = self.segments[-1]
            lost = sum(g.samples for row, g in self.gaps if row > last.start)
            return (last.timebase.ns(last.stop - last.start + lost) - self.start_ns) * 1e-9
        return sum((s.stop - s.start) / s.sample_rate for s in self.segments) + sum(g.samples for _, g in self.gaps) / self.sample_rate

    def column(self, name: str) -> int:
        """Position of a channel, by role, else by name.

        Raises
        ------
        InputError
            No such channel.
        """
        for k, channel in enumerate(self.channels):
            if channel.role == name:
                return k
        for k, channel in enumerate(self.channels):
            if channel.name == name:
                return k
        raise InputError(f"no channel {name!r}", path=self.path, expected="one of " + ", ".join(c.role or c.name for c in self.channels))

    def read(self, channels: Sequence[str] | None = None, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples as V and A.

        Parameters
        ----------
        channels : sequence of str, optional
            Roles or names; all channels in the file's order where not given.
        start, stop : int
            Rows; `stop` is clipped to the end.

        Returns
        -------
        ndarray, float64, shape (stop - start, number of channels)
            NaN where a sample is missing. Gaps between rows take no rows: see `gaps`.

        Raises
        ------
        InputError
            A row before the first, no such channel, or the recording is closed.
        """
        start, stop = self._rows(start, stop)
        raw = self.source.raw(start, stop)
        if channels is None:
            return scaled(raw, self.channels)
        columns = [self.column(c) for c in channels]
        return scaled(raw[:, columns], [self.channels[k] for k in columns])

    def read_status(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Status channels, uint8 (rows, number of status channels), 0 or 1; rows as in `read`."""
        return self.source.status(*self._rows(start, stop))

    def _rows(self, start: int, stop: int | None) -> tuple[int, int]:
        """Rows asked for, cut at the end of the recording."""
        if start < 0 or (stop is not None and stop < 0):
            raise InputError(f"rows {start} to {stop}", path=self.path, expected="rows counted from 0")
        stop = self.samples if stop is None else min(stop, self.samples)
        return min(start, stop), stop

    def blocks(self, n: int) -> Iterator[Block | Gap]:
        """The recording in order: blocks of at most `n` frames, and the gaps between them.

        Excluded segments are passed over. A block never spans a gap or a change of rate.
        """
        if n <= 0:
            raise InputError(f"blocks of {n} frames", expected="a positive number")
        for segment in self.segments:
            if segment.excluded:
                continue
            breaks = [(row, gap) for row, gap in self.gaps if segment.start <= row < segment.stop]
            position, lost = segment.start, 0
            for row, gap in [*breaks, (segment.stop, None)]:
                while position < row:
                    stop = min(position + n, row)
                    base = Timebase(None if segment.start_ns is None else segment.timebase.ns(position - segment.start + lost), segment.sample_rate)
                    yield Block(self.source.raw(position, stop), self.channels, position, base)
                    position = stop
                if gap is not None:
                    # a gap before the segment's first row is already in its start time
                    lost += gap.samples if row > segment.start else 0
                    yield gap

    def write(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write to a file whose ending names the format; see the writers for their options.

        Raises
        ------
        InputError
            No writer for that ending.
        """
        # By entry point, as third parties' writers are found, so that this layer knows none of them.
        ending = Path(path).suffix.lower()
        known = []
        for entry in importlib.metadata.entry_points(group="ctmeter.writers"):
            writer = entry.load()
            if ending in writer.extensions:
                writer.write(self, Path(path), **options)
                return
            known += writer.extensions
        raise InputError(f"no writer for {ending or 'a file without an ending'}", path=path, expected="one of " + ", ".join(sorted(known)))

    def with_channels(self, channels: Sequence[Channel], unresolved: str = "") -> Self:
        """The same recording with other roles, scales or sides of its channels."""
        return replace(self, channels=tuple(channels), unresolved=unresolved)

    def close(self) -> None:
        """Let go of the file; what is asked for afterwards is an `InputError`."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
