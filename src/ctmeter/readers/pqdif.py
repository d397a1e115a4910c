"""PQDIF (IEEE 1159.3): files of power-quality monitors.

A file holds observations of a data source: waveforms, and values made from waveforms (rms per cycle, trends). Its waveforms become
a recording of one segment for each observation, in the order of their time; a channel that an observation does not have is
missing there. `observations` gives everything else that is in the file, series by series.

What is understood
------------------
- Records as they are or each packed by zlib; series of values, scaled values and increments, series that share the values of
  others, time in seconds, cycles or time stamps.
- Several rates in one observation, one after the other: each becomes a segment. Several at once, such as voltages at 15360 Hz
  and currents at 7680 Hz: the frames are those of the fastest channels, and the others are given at the same instants as
  band-limited signals (`_rates`), which is said.
- Observations that overlap an earlier one in time are kept, but not measured: nothing counts twice.
- Ratios of transformers, with the side that the settings of the monitor say. Calibration is not applied, which is said.
- Several data sources: the one with the most samples, or the one named by the option `source`; the others are named.

What is refused
---------------
Files packed as a whole (a style that version 1.5 withdrew), and files without waveforms, with what they hold instead. Time stamps are
UTC; where the file says by how much they are ahead of UTC, that is taken off.

References
----------
IEEE 1159.3:2019
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..recording import Channel, Recording, Segment
from ._pqdif_records import Body, Place, as_metadata, container, unpack
from ._pqdif_series import Axis, Definition, Observation, Part, Source, source_of
from ._pqdif_tags import SIGNATURE, WAVEFORM
from ._rates import between

__all__ = ["READER", "PqdifReader", "observations"]

#: Observations named in the metadata, and oddities in the warnings.
_NAMED, _NOTED = 1000, 12
#: Axes that differ by less than this share of a sample are one.
_SAME = 1e-3


class _Piece(NamedTuple):
    """A stretch of one rate of an observation: where its record lies, and each channel's axis by the number of its definition."""

    place: Place
    observation: int
    source: Source
    start_ns: int | None
    part: Part
    axes: dict[int, tuple[int, Axis]]


class _Waveforms:
    """Samples of the observations; one record at a time is held unpacked."""

    def __init__(self, path: Path, packed: bool, columns: Sequence[int], pieces: Sequence[_Piece]) -> None:
        self._path, self._packed, self._columns, self._pieces = path, packed, tuple(columns), tuple(pieces)
        self._edges = np.cumsum([0, *(p.part.samples for p in pieces)])
        self._held: tuple[int, Observation] | None = None

    def raw(self, start: int, stop: int) -> np.ndarray:
        out = np.full((max(stop - start, 0), len(self._columns)), np.nan)
        first = int(np.searchsorted(self._edges, start, "right")) - 1
        for k in range(max(first, 0), len(self._pieces)):
            low, high = max(start, int(self._edges[k])), min(stop, int(self._edges[k + 1]))
            if low >= high:
                break
            self._fill(out[low - start : high - start], self._pieces[k], low - int(self._edges[k]))
        return out

    def _fill(self, out: np.ndarray, piece: _Piece, first: int) -> None:
        observation = self._observation(piece)
        rows = np.arange(first, first + len(out))
        for column, index in enumerate(self._columns):
            if index not in piece.axes:
                continue
            position, axis = piece.axes[index]
            samples = observation.channels[position].samples
            if samples is None:
                continue
            for part in axis:
                if _aligned(part, piece.part):
                    out[:, column] = samples.read(part.first + first, part.first + first + len(out))
                    break
                places = (piece.part.start - part.start + rows / piece.part.rate) * part.rate
                inside = (places >= -0.5 - 1e-6) & (places <= part.samples - 0.5 + 1e-6)
                if inside.any():
                    out[inside, column] = between(samples.read(part.first, part.first + part.samples), places[inside])

    def _observation(self, piece: _Piece) -> Observation:
        if self._held is None or self._held[0] != piece.place.offset:
            self._held = None
            with open(self._path, "rb") as file:
                body = unpack(file, piece.place, self._packed, self._path)
            self._held = (piece.place.offset, Observation(piece.observation, body, piece.source))
        return self._held[1]

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((max(stop - start, 0), 0), np.uint8)

    def close(self) -> None:
        self._held = None


class PqdifReader:
    """See the module."""

    name = "PQDIF"
    extensions = (".pqd", ".pqdif")

    def sniff(self, path: Path, head: bytes) -> bool:
        """The signature of a record."""
        return head.startswith(SIGNATURE)

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The waveforms as a recording; see the module.

        Option: `source`, the name of a data source.
        """
        wanted = options.pop("source", None)
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="source")
        warnings: list[str] = []
        found = _Found(path, warnings)
        source = found.choose(wanted)
        pieces = found.ordered(source)
        if not any(s.zone is not None for s in found.sources):
            warnings.append("the file does not say how its clock stands to UTC, and is taken as UTC")
        if source.calibrated:
            warnings.append("the file wants a calibration to be applied to its values, which is not done")
        columns = sorted({index for p in pieces for index in p.axes})
        segments = _segments(pieces, warnings)
        fastest = {p.part.rate for p in pieces}
        if rate is not None and any(abs(r - rate) > 1e-4 * rate for r in fastest):
            warnings.append(f"the file says {pieces[0].part.rate:.9g} Hz, which is used instead of the given {rate:.9g} Hz")
        _say_rates(pieces, source, warnings)
        channels = tuple(_channel(source, index) for index in columns)
        metadata = found.metadata | {"source": source.name}
        file = _Waveforms(path, found.packed, columns, pieces)
        form = f"PQDIF {metadata.get('version', '')}".strip()
        return Recording(file, channels, segments, (), source.nominal_frequency, format=form, path=path, warnings=warnings, metadata=metadata)


READER = PqdifReader()


def observations(path: Path | str) -> Iterator[Observation]:
    """Every observation of a file in its order, waveforms and trends alike.

    Parameters
    ----------
    path : Path or str

    Yields
    ------
    Observation
        Its `channels` have a `definition` (name, phase, kind) and `series` (`definition` with value type, unit and
        characteristic; `read()` gives float64 in that unit). One record is held at a time.

    Raises
    ------
    InputError
        No PQDIF file, or a damaged one.

    Examples
    --------
    >>> def trends(path):
    ...     for observation in observations(path):
    ...         for channel in observation.channels:
    ...             average = channel.of("avg")
    ...             if average is not None:
    ...                 yield observation.start_ns, channel.definition.name, average.read()
    """
    path = Path(path)
    with open(path, "rb") as file:
        for _, body, source, index in _bodies(file, path, []):
            yield Observation(index, body, source)


def _bodies(file: IO[bytes], path: Path, warnings: list[str], whole: dict[str, Any] | None = None) -> Iterator[tuple[Place, Body, Source, int]]:
    """Every observation's record with its data source and number."""
    found = container(file, path, warnings)
    if whole is not None:
        whole |= as_metadata(found.root) | {"packed": found.packed}
    source: Source | None = None
    index, faults = 0, 0
    for place in found.places[1:]:
        if place.kind not in ("source", "settings", "observation"):
            continue
        notes: list[str] = []
        try:
            body = unpack(file, place, found.packed, path, notes)
            if place.kind == "source":
                source = source_of(body.collection(0))
            elif place.kind == "settings" and source is not None:
                source.configure(body.collection(0))
        except InputError as error:
            if place.kind == "source":
                raise
            notes.append(f"{error.problem}; the record at byte {place.offset} is left out")
            body = None
        faults += len(notes)
        warnings += notes if faults <= _NOTED else []
        if place.kind == "observation":
            index += 1
            if source is None:
                raise InputError("an observation before any data source", path=path, offset=place.offset, expected="a data source first")
            if body is not None:
                yield place, body, source, index - 1
    if faults > _NOTED:
        warnings.append(f"{faults - _NOTED} more damaged records")


class _Found:
    """What is in a file: the pieces of its waveforms, and what else there is."""

    def __init__(self, path: Path, warnings: list[str]) -> None:
        self._path = path
        self.sources: list[Source] = []
        self.pieces: list[_Piece] = []
        self.kinds: Counter[str] = Counter()
        self.packed = False
        named: list[dict[str, Any]] = []
        self._left_out = left_out = list[str]()
        self.metadata: dict[str, Any] = {}
        with open(path, "rb") as file:
            for place, body, source, index in _bodies(file, path, warnings, self.metadata):
                if source not in self.sources:
                    self.sources.append(source)
                try:
                    observation = Observation(index, body, source)
                    kinds = Counter(c.definition.kind or "unknown" for c in observation.channels)
                    self.pieces += _pieces(observation, place, left_out)
                except InputError as error:
                    left_out.append(error.problem)
                    continue
                self.kinds += kinds
                if len(named) < _NAMED:
                    named.append({"index": index, "name": observation.name, "start_ns": observation.start_ns, "channels": dict(kinds)})
        self.packed = bool(self.metadata.pop("packed", False))
        self.metadata["observations"] = named
        warnings += left_out[:_NOTED]
        if len(left_out) > _NOTED:
            warnings.append(f"and {len(left_out) - _NOTED} more observations or channels left out")
        self._warnings = warnings

    def choose(self, wanted: str | None) -> Source:
        """The data source to give."""
        rows: Counter[int] = Counter()
        for piece in self.pieces:
            rows[self.sources.index(piece.source)] += piece.part.samples * len(piece.axes)
        if not rows:
            why = "; ".join(self._left_out[:2])
            held = ", ".join(f"{n} of {kind}" for kind, n in self.kinds.most_common(6)) or "no channels at all"
            expected = "samples of a waveform; ctmeter.readers.pqdif.observations gives the other series"
            raise InputError(f"no waveforms: the observations hold {held}{'; ' + why if why else ''}", path=self._path, expected=expected)
        with_samples = [self.sources[k] for k in rows]
        names = ", ".join(repr(s.name) for s in with_samples[:_NOTED])
        if wanted is not None:
            chosen = next((s for s in with_samples if s.name == wanted), None)
            if chosen is None:
                raise InputError(f"no waveforms of a data source {wanted!r}", path=self._path, expected=f"one of {names}")
            return chosen
        if len(with_samples) > 1:
            self._warnings.append(f"waveforms of {len(with_samples)} data sources: {names}; the one with the most samples is read")
        return self.sources[rows.most_common(1)[0][0]]

    def ordered(self, source: Source) -> list[_Piece]:
        """The pieces of a source in the order of their time."""
        pieces = [p for p in self.pieces if p.source is source]
        if all(p.start_ns is not None for p in pieces):
            pieces.sort(key=lambda p: (p.start_ns or 0) + round(p.part.start * 1e9))
        else:
            self._warnings.append("some observations have no start time, and none is used")
            pieces = [p._replace(start_ns=None) for p in pieces]
        return pieces


def _aligned(part: Part, other: Part) -> bool:
    """Whether two parts have the same instants."""
    return part.samples == other.samples and part.rate == other.rate and abs(part.start - other.start) * part.rate < _SAME


def _pieces(observation: Observation, place: Place, left_out: list[str]) -> list[_Piece]:
    """The stretches of an observation: those of its fastest waveforms, of most channels where several are as fast."""
    axes: dict[int, tuple[int, Axis]] = {}
    for position, channel in enumerate(observation.channels):
        samples = channel.samples
        instantaneous = samples is not None and samples.definition.characteristic in ("", "none", "instantaneous")
        if channel.definition.kind != WAVEFORM or not instantaneous or channel.index in axes:
            continue
        try:
            axes[channel.index] = (position, observation.axis(channel))
        except InputError as error:
            left_out.append(f"{error.problem}; left out")
    if not axes:
        return []
    count = Counter(axis for _, axis in axes.values())
    main = max(count, key=lambda a: (max(p.rate for p in a), count[a], sum(p.samples for p in a)))
    return [_Piece(place, observation.index, observation.source, observation.start_ns, part, axes) for part in main]


def _segments(pieces: Sequence[_Piece], warnings: list[str]) -> tuple[Segment, ...]:
    out, row, end, overlaps = [], 0, None, []
    for piece in pieces:
        start = None if piece.start_ns is None else piece.start_ns + round(piece.part.start * 1e9)
        excluded = ""
        if start is not None:
            if end is not None and start < end - 0.5e9 / piece.part.rate:
                excluded = "overlaps the observation before it in time"
                overlaps.append(piece.observation)
            else:
                end = start + round(piece.part.samples / piece.part.rate * 1e9)
        out.append(Segment(row, row + piece.part.samples, piece.part.rate, start, excluded))
        row += piece.part.samples
    if overlaps:
        several = ", ".join(str(n) for n in overlaps[:_NOTED]) + (" ..." if len(overlaps) > _NOTED else "")
        warnings.append(f"observations that overlap another in time are not measured: {several}")
    return tuple(out)


def _say_rates(pieces: Sequence[_Piece], source: Source, warnings: list[str]) -> None:
    slower: dict[str, set[float]] = {}
    for piece in pieces:
        for index, (_, axis) in piece.axes.items():
            if not any(_aligned(part, piece.part) for part in axis):
                slower.setdefault(source.definitions[index].name, set()).update(part.rate for part in axis)
    if slower:
        rates = ", ".join(f"{r:.9g}" for r in sorted({r for s in slower.values() for r in s})[:_NOTED])
        names = ", ".join(list(slower)[:_NOTED])
        how = "and given at those of the fastest channels by band-limited interpolation"
        warnings.append(f"sampled at {rates} Hz or at other instants, {how}: {names}")


def _channel(source: Source, index: int) -> Channel:
    definition: Definition = source.definitions[index]
    setting = (source.settings or {}).get(index)
    unit = next((s.unit for s in definition.series if s.value_type in ("values", "instantaneous")), definition.series[-1].unit)
    name = definition.name or f"channel {index + 1}"
    if setting is None:
        return Channel(name, unit=unit, phase=definition.phase)
    return Channel(name, unit=unit, phase=definition.phase, ratio=setting.ratio, side=setting.side)
