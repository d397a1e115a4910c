"""The logical layer of PQDIF: data sources, channels and series, as far as they hold numbers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ._csv_time import shortest, timing
from ._pqdif_records import Body, Collection
from ._pqdif_tags import CHARACTERISTICS, KINDS, PHASES, UNITS, VALUE_TYPES

__all__ = ["Axis", "Channel", "Definition", "Observation", "Part", "Series", "Setting", "Source", "source_of"]

_SCALED, _INCREMENT = 2, 4
_MAX_CHANNELS, _MAX_SERIES, _MAX_PARTS = 4096, 64, 4096
_QUANTITIES = {1: "V", 2: "A"}


class SeriesDefinition(NamedTuple):
    """What a series of a channel holds.

    Parameters
    ----------
    value_type : str
        "time", "values", "min", "max", "avg" ..., "" for one that is not known.
    unit : str
    characteristic : str
        "instantaneous", "rms" ..., "" for one that is not known.
    storage : int
        Bits: 1 values, 2 scaled, 4 increments.
    """

    value_type: str
    unit: str
    characteristic: str
    storage: int


class Definition(NamedTuple):
    """A channel of a data source.

    Parameters
    ----------
    name, phase : str
        The phase is A, B, C, N, AB ..., "" where the file says none.
    kind : str
        "waveform", "phasor", "value log" ...
    series : tuple of SeriesDefinition
    """

    name: str
    phase: str
    kind: str
    series: tuple[SeriesDefinition, ...]


class Setting(NamedTuple):
    """The transformer of a channel: primary over secondary, and which side the values stand for."""

    ratio: float
    side: str


@dataclass
class Source:
    """A data source and the settings of its monitor.

    Parameters
    ----------
    name : str
    definitions : tuple of Definition
    zone : float
        Seconds to take off time stamps to reach UTC.
    settings : dict of int to Setting
        By the number of the channel.
    nominal_frequency : float or None
        Hz.
    calibrated : bool
        Whether the file wants calibration to be applied, which is not done.
    """

    name: str
    definitions: tuple[Definition, ...]
    zone: float | None = None
    settings: dict[int, Setting] | None = None
    nominal_frequency: float | None = None
    calibrated: bool = False

    def configure(self, root: Collection) -> None:
        """Take over the record of settings that follows a source."""
        found: dict[int, Setting] = {}
        primary = not root.number("use_transducer", 0.0)
        every = root.child("channel_settings")
        for one in every.children("channel_setting")[:_MAX_CHANNELS] if every else ():
            index, high, low = one.whole("definition_index"), one.number("system_side"), one.number("monitor_side")
            if index is not None and high and low and 1e-9 < high / low < 1e9:
                found[index] = Setting(high / low, "primary" if primary else "secondary")
        self.settings = found
        nominal = root.number("nominal_frequency")
        self.nominal_frequency = nominal if nominal is not None and 10.0 < nominal < 1000.0 else None
        self.calibrated = bool(root.number("use_calibration", 0.0))


def source_of(root: Collection) -> Source:
    """A data source, by its record."""
    every = root.child("channel_definitions")
    definitions = tuple(_definition(one) for one in (every.children("channel_definition")[:_MAX_CHANNELS] if every else ()))
    return Source(root.text("source_name"), definitions, root.number("utc_to_standard"))


def _definition(one: Collection) -> Definition:
    number = one.whole("phase") or 0
    phase = PHASES[number] if number < len(PHASES) else ""
    phase = {"AN": "A", "BN": "B", "CN": "C", "NG": "N"}.get(phase, phase)
    every = one.child("series_definitions")
    series = []
    for each in every.children("series_definition")[:_MAX_SERIES] if every else ():
        units = each.whole("units") or 0
        value_type = VALUE_TYPES.get(each.identifier("value_type"), "")
        characteristic = CHARACTERISTICS.get(each.identifier("characteristic"), "")
        unit = UNITS.get(units, f"unit {units}" if units else "")
        series.append(SeriesDefinition(value_type, unit, characteristic, each.whole("storage") or 1))
    letter = {"V": "V", "A": "I"}.get(_QUANTITIES.get(one.whole("quantity_measured") or 0, ""), "")
    name = one.text("channel_name") or (f"{letter}{phase}" if letter and len(phase) <= 2 else "")
    return Definition(name, phase, KINDS.get(one.identifier("quantity_type"), ""), tuple(series))


class Part(NamedTuple):
    """Instants one step apart.

    Parameters
    ----------
    start : float
        Seconds from the start of the observation.
    rate : float
        Hz.
    first, samples : int
        The first of its samples in the series, and how many they are.
    """

    start: float
    rate: float
    first: int
    samples: int


Axis = tuple[Part, ...]


class Series:
    """Numbers of one series of a channel instance; nothing is computed before it is asked for.

    Parameters
    ----------
    definition : SeriesDefinition
    own, shared : Collection
        The series as it stands, and that whose values it shares (itself, where it shares none).
    body : Body
    """

    def __init__(self, definition: SeriesDefinition, own: Collection, shared: Collection, body: Body) -> None:
        self.definition, self.shared = definition, shared
        self._body = body
        scale, offset = (own.number(name, shared.number(name)) for name in ("scale", "offset"))
        scaled = definition.storage & _SCALED
        self.scale = scale if scaled and scale is not None else 1.0
        self.offset = offset if offset is not None and (scaled or definition.storage & _INCREMENT) else 0.0
        if not (np.isfinite(self.scale) and np.isfinite(self.offset)):
            raise self._error("a scale that is not finite")

    @property
    def increments(self) -> bool:
        """Whether steps are stored rather than values."""
        return bool(self.definition.storage & _INCREMENT)

    @property
    def stored(self) -> np.ndarray:
        """The numbers as they stand in the file."""
        found = self.shared.vector("values")
        return np.empty(0) if found is None else found

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Values as float64."""
        found = self.stored[start:stop]
        return found * self.scale + self.offset if found.dtype.kind == "f" else found.astype(np.float64) * self.scale + self.offset

    def parts(self) -> list[tuple[int, float]]:
        """Counts and steps of a series of increments.

        Raises
        ------
        InputError
            They are none.
        """
        numbers = self.stored.astype(np.float64)
        count = int(numbers[0]) if len(numbers) and np.isfinite(numbers[0]) else 0
        if not 0 < count <= min(_MAX_PARTS, (len(numbers) - 1) // 2):
            raise self._error(f"{count} rates in a series of {len(numbers)} numbers")
        pairs = numbers[1 : 1 + 2 * count].reshape(-1, 2)
        if not (np.isfinite(pairs).all() and (pairs[:, 0] >= 0).all() and (pairs[:, 0] < 2**53).all()):
            raise self._error("increments that are none")
        return [(int(n), float(step) * self.scale) for n, step in pairs]

    def _error(self, what: str) -> InputError:
        return InputError(what, path=self._body.path, offset=self._body.offset, expected="a series of numbers")


class Channel:
    """A channel of an observation.

    Parameters
    ----------
    index : int
        Of its definition.
    definition : Definition
    series : tuple of Series
    """

    def __init__(self, index: int, definition: Definition, series: tuple[Series, ...]) -> None:
        self.index, self.definition, self.series = index, definition, series

    def of(self, value_type: str) -> Series | None:
        """The first series of a type: "time", "values", "min", "max", "avg" ..."""
        return next((s for s in self.series if s.definition.value_type == value_type), None)

    @property
    def times(self) -> Series | None:
        """The series of time: by its type, else the first one."""
        return self.of("time") or next((s for s in self.series[:1] if s.definition.unit in ("s", "timestamp", "cycles")), None)

    @property
    def samples(self) -> Series | None:
        """The series of instantaneous values."""
        time = self.times
        return self.of("values") or self.of("instantaneous") or next((s for s in self.series if s is not time), None)


class Observation:
    """What was observed at one time.

    Parameters
    ----------
    index : int
        Among the observations of the file, counted from 0.
    name : str
    start_ns : int or None
    source : Source
    channels : tuple of Channel
    """

    def __init__(self, index: int, body: Body, source: Source) -> None:
        root = body.collection(0)
        self.index, self.source = index, source
        self.name, self.start_ns = root.text("observation_name"), root.time_ns("start")
        if self.start_ns is not None and source.zone is not None and abs(source.zone) < 90_000:
            self.start_ns -= round(source.zone * 1e9)
        self._body = body
        every = root.child("channel_instances")
        instances = every.children("channel_instance")[:_MAX_CHANNELS] if every else []
        #: The series of every instance, since series share values across channels.
        self._series = [_series(one) for one in instances]
        channels = [self._channel(k, one) for k, one in enumerate(instances)]
        self.channels = tuple(c for c in channels if c is not None)

    def _channel(self, k: int, one: Collection) -> Channel | None:
        index = one.whole("definition_index")
        if index is None or not 0 <= index < len(self.source.definitions):
            return None
        definition = self.source.definitions[index]
        self._body.spend(min(len(definition.series), len(self._series[k])), 0)
        series = [Series(d, s, self._shared(k, n), self._body) for n, (d, s) in enumerate(zip(definition.series, self._series[k], strict=False))]
        return Channel(index, definition, tuple(series))

    def _shared(self, channel: int, series: int) -> Collection:
        """The collection that holds the values of a series, following those that share."""
        met = set()
        while True:
            if (channel, series) in met or not (channel < len(self._series) and series < len(self._series[channel])):
                what = "series that share the values of each other" if (channel, series) in met else "a series shared with one that is not there"
                raise InputError(f"observation {self.index}: {what}", path=self._body.path, offset=self._body.offset, expected="a series of numbers")
            met.add((channel, series))
            found = self._series[channel][series]
            next_channel, next_series = found.whole("share_channel"), found.whole("share_series")
            if "values" in found or next_channel is None or next_series is None:
                return found
            channel, series = next_channel, next_series

    def axis(self, channel: Channel) -> Axis:
        """When the samples of a channel were taken.

        Raises
        ------
        InputError
            Its time cannot be understood.
        """
        time, samples = channel.times, channel.samples
        count = len(samples.stored) if samples is not None else 0
        if time is None or not count:
            raise self._error(channel, "no time or no values")
        unit = {"s": 1.0, "timestamp": 1.0}.get(time.definition.unit)
        if time.definition.unit == "cycles" and self.source.nominal_frequency:
            unit = 1.0 / self.source.nominal_frequency
        if unit is None:
            raise self._error(channel, f"time in {time.definition.unit or 'no unit'}")
        return self._steps(channel, time, count, unit) if time.increments else self._stamps(channel, time, count, unit)

    def _steps(self, channel: Channel, time: Series, count: int, unit: float) -> Axis:
        at, first, parts = time.offset * unit, 0, []
        single = time.stored.dtype.itemsize <= 4
        for n, step in time.parts():
            n = min(n, count - first)
            step *= unit
            if not 1e-9 < step < 10.0:
                raise self._error(channel, f"a time step of {step:g} s")
            if n:
                rate = shortest(1.0 / step, (1e-7 if single else 1e-12) / step)
                parts.append(Part(at, rate, first, n))
                at, first = at + n / rate, first + n
        if first < count or not parts:
            raise self._error(channel, f"{first} times for {count} values")
        return tuple(parts)

    def _stamps(self, channel: Channel, time: Series, count: int, unit: float) -> Axis:
        stored = time.stored
        if len(stored) < count or count < 2:
            raise self._error(channel, f"{len(stored)} times for {count} values")
        if stored.dtype == np.int64:
            ns, resolution = stored[:count] - (self.start_ns or 0), 1000.0
        else:
            seconds = time.read(0, count) * unit
            if not (np.abs(seconds) < 1e9).all():
                raise self._error(channel, "times that are none")
            ns = np.rint(seconds * 1e9).astype(np.int64)
            digits = np.spacing(stored.dtype.type(np.abs(stored[:count]).max())) if stored.dtype.kind == "f" else 1.0
            resolution = max(1.0, float(digits) * abs(time.scale) * unit * 1e9)
        try:
            found = timing(ns, resolution)
        except InputError as error:
            raise self._error(channel, error.problem) from None
        edges = [0, *(row for row, _ in found.gaps), count]
        return tuple(Part(float(ns[a]) * 1e-9, found.rate, a, b - a) for a, b in itertools.pairwise(edges) if b > a)

    def _error(self, channel: Channel, what: str) -> InputError:
        name = channel.definition.name
        return InputError(f"observation {self.index}, channel {name!r}: {what}", path=self._body.path, offset=self._body.offset, expected="samples")


def _series(one: Collection) -> list[Collection]:
    every = one.child("series_instances")
    return every.children("series_instance")[:_MAX_SERIES] if every else []
