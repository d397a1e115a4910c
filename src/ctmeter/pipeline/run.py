"""From a recording to a result: settings in layers, channels, segments, time range."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import roles
from ..engine import detect_frequency
from ..errors import InputError, SettingsError
from ..frequency import main_tone
from ..readers import is_url, read
from ..recording import TOO_SLOW, Recording, Segment, nanoseconds, positive_rate
from ..settings import Settings, layered, parse_toml, read_toml, sidecar
from ..store.results import check_output
from .analyzer import Analyzer
from .describe import describe
from .drive import Progress, drive
from .result import Result
from .summary import far_from_mains

__all__ = ["Layers", "Prepared", "Time", "detected", "measure", "measure_points", "open_recording", "prepare"]

log = logging.getLogger(__name__)

#: Frames looked at to find the main tone of a recording without a fundamental.
_TONE_N = 1 << 15
#: Seconds from the start of the recording, or a time as ISO text.
Time = float | str | dt.datetime | None


class Layers:
    """The layers of settings of one measurement, and the options that came with them.

    Parameters
    ----------
    settings : Settings, mapping, path of a TOML file or None
        A `Settings` counts as given where it differs from the defaults.
    overrides : mapping
        Win over everything else.
    environment : mapping, optional
        Settings of the environment, between the two.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None,
        overrides: Mapping[str, Any],
        environment: Mapping[str, Any] | None = None,
    ) -> None:
        self.options: dict[str, Any] = {}
        name, values = "", {}
        if isinstance(settings, Settings):
            values = settings.given()
        elif isinstance(settings, Mapping):
            values = dict(settings)
        elif settings is not None:
            if not isinstance(settings, (str, os.PathLike)):
                raise SettingsError(f"settings: {settings!r}, expected Settings, a mapping or the path of a TOML file")
            name = os.fspath(settings)
            values, self.options = read_toml(settings)
        self._layers = [(name, values), ("environment", environment or {}), ("", dict(overrides))]
        self.notes: list[str] = []

    def beside(self, path: str | os.PathLike[str]) -> None:
        """Put the sidecar of a recording, if there is one, below the other layers; of a file or of a URL."""
        place = os.fspath(path)
        found: str | os.PathLike[str] | None
        if is_url(place):
            from ..readers import remote

            text, found = remote.sidecar(place), f"{remote.stem(place)}.ctmeter.toml"
            if text is None:
                return
            values, options = parse_toml(text, found)
        else:
            found = sidecar(place)
            if found is None:
                return
            values, options = read_toml(found)
        self._layers.insert(0, (os.fspath(found), values))
        self.options = {**options, **self.options}
        self.notes.append(f"settings read from {Path(found).name} beside the recording")
        log.info("settings read from %s", found)

    def of_file(self, recording: Recording) -> None:
        """Put what the recording's file says below all other layers."""
        if recording.nominal_frequency in (50.0, 60.0):
            self._layers.insert(0, (recording.format, {"nominal_frequency": recording.nominal_frequency}))

    def settings(self) -> Settings:
        """The settings of all layers.

        Raises
        ------
        SettingsError
            It names every fault of every layer.
        """
        return layered(self._layers)


def open_recording(
    source: Recording | str | os.PathLike[str], layers: Layers, rate: float | None = None, *, assign: bool = True
) -> tuple[Recording, bool]:
    """The recording with its roles, and whether it was opened here.

    Raises
    ------
    InputError
        It cannot be read.
    SettingsError
        A map of channels that are not there.
    """
    if isinstance(source, Recording):
        if source.path is not None:
            layers.beside(source.path)
        mapping = layers.settings().map
        if mapping and assign:
            source = roles.apply(source, mapping)
        return source, False
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(f"recording {source!r:.200}", expected="a Recording or the path of a file")
    layers.beside(source)
    mapping = layers.settings().map if assign else {}
    rate = layers.options.get("rate") if rate is None else rate
    if rate is not None:
        try:
            rate = positive_rate(rate)
        except InputError as error:
            raise SettingsError(f"rate: {rate!r}, expected {error.expected}") from None
    return read(source, map=dict(mapping) or None, rate=rate), True


def _leading(recording: Recording) -> list[str]:
    """The voltages, else the currents."""
    roles = [c.role for c in recording.channels if c.role]
    return [r for r in roles if r[0] == "U"] or roles


def detected(recording: Recording) -> float | None:
    """The frequency of the first half second that has one, within ten seconds of each segment; None where none has."""
    wanted = _leading(recording)
    if not wanted:
        return None
    for segment in recording.segments:
        if segment.excluded:
            continue
        step = int(0.5 * segment.sample_rate) + 1
        breaks = {row for row, _ in recording.gaps}
        for start in range(segment.start, min(segment.stop, segment.start + 20 * step), step):
            stop = min(segment.stop, start + step, *(row for row in breaks if row > start))
            found = detect_frequency(recording.read(wanted, start, stop), segment.sample_rate)
            if found is not None and np.isfinite(found):
                return float(found)
    return None


def _tone(recording: Recording, segment: Segment, nominal: float) -> tuple[str, str]:
    """What the main tone of a segment is, and which sample rate would make it that of the mains; empty where there is none."""
    tone = main_tone(recording.read(_leading(recording), segment.start, min(segment.stop, segment.start + _TONE_N)))
    if tone is None:
        return "", ""
    f, rate = (f"{float(f'{v:.3g}'):.15g}" for v in (tone * segment.sample_rate, nominal / tone))
    found = f"at a sample rate of {segment.sample_rate:.10g} Hz its main tone, {1 / tone:.3g} samples a cycle, is at {f} Hz"
    return found, f"--rate {rate} if that tone is the mains of {nominal:g} Hz"


def _measured(recording: Recording, nominal: float) -> list[Segment]:
    """The segments that can be measured.

    Raises
    ------
    InputError
        None can, and which rate would do.
    """
    if not recording.segments:
        raise InputError("no samples", path=recording.path)
    measured = [s for s in recording.segments if not s.excluded]
    if any(s.sample_rate >= TOO_SLOW * nominal for s in measured):
        return measured
    segment = (measured or recording.segments)[0]
    why = segment.excluded or f"{segment.sample_rate:g} Hz is fewer than {TOO_SLOW} samples per cycle of {nominal:g} Hz"
    found, remedy = _tone(recording, segment, nominal)
    raise InputError(
        f"nothing to measure: {why}{'; ' if found else ''}{found}",
        path=recording.path,
        expected=f"samples of a waveform; is the time column or the sample rate wrong? {remedy or '--rate HZ'}",
    )


def _in_pieces(recording: Recording, measured: list[Segment], nominal: float) -> bool:
    """Whether there are several stretches without a gap, none of them as long as one window: then there are only cycles."""
    breaks = [row for row, _ in recording.gaps]
    runs: list[float] = []
    before: Segment | None = None
    for s in measured:
        inside = breaks[bisect.bisect_right(breaks, s.start) : bisect.bisect_left(breaks, s.stop)]
        lengths = [(b - a) / s.sample_rate for a, b in itertools.pairwise([s.start, *inside, s.stop])]
        if before is not None and s.start not in breaks and _joins(before, s):
            lengths[0] += runs.pop()
        runs += lengths
        before = s
    return len(runs) > 1 and max(runs) * nominal < (10 if nominal < 55 else 12)


def _joins(before: Segment, after: Segment) -> bool:
    """Whether a segment goes on where another ends."""
    same = before.stop == after.start and abs(after.sample_rate / before.sample_rate - 1) < 1e-6
    if not same or before.start_ns is None or after.start_ns is None:
        return same and before.start_ns is after.start_ns
    return abs(after.start_ns - before.timebase.ns(before.stop - before.start)) * 1e-9 * after.sample_rate < 0.5


def _instant(time: Time, recording: Recording, name: str) -> float | None:
    """A limit in seconds from the start of the recording."""
    if time is None or time == "":
        return None
    if isinstance(time, str):
        try:
            seconds = float(time)
        except ValueError:
            return _since_start(time, recording, name)
        return _instant(seconds, recording, name)
    if isinstance(time, dt.datetime):
        return _since_start(time.isoformat(), recording, name)
    if isinstance(time, bool) or not np.isfinite(time) or time < 0:
        raise SettingsError(f"{name}: {time!r} is not a number of seconds from the start")
    return float(time)


def _since_start(text: str, recording: Recording, name: str) -> float:
    try:
        ns = nanoseconds(text)
    except InputError:
        raise SettingsError(f"{name}: {text!r} is neither a number of seconds nor an ISO 8601 time") from None
    if recording.start_ns is None or ns is None:
        raise SettingsError(f"{name}: {text!r} is a time, but the recording has no clock; give seconds from its start")
    return (ns - recording.start_ns) * 1e-9


class Prepared(NamedTuple):
    """What is known of a recording before it is measured.

    Parameters
    ----------
    settings : Settings
    measured : list of Segment
        The segments that can be measured.
    frequency : float or None
        Hz, at the start.
    notes : list of str
    """

    settings: Settings
    measured: list[Segment]
    frequency: float | None
    notes: list[str]


def prepare(recording: Recording, settings: Settings) -> Prepared:
    """Look at a recording before it is measured.

    Raises
    ------
    InputError
        It cannot be: roles that are ambiguous or absent, no samples, a sample rate that is too low.
    """
    if recording.unresolved:
        raise InputError(recording.unresolved, path=recording.path)
    if not any(c.role for c in recording.channels):
        names = ", ".join(c.name for c in recording.channels[:12]) or "none"
        raise InputError(
            f"no channel is known as a voltage or current; channels: {names}", path=recording.path, expected="--map U_L1=NAME,I_L1=NAME,..."
        )
    notes = []
    nominal = settings.nominal_frequency or 50.0
    measured = _measured(recording, nominal)
    frequency = detected(recording)
    if frequency is None:
        found, remedy = _tone(recording, measured[0], nominal)
        if found:
            notes.append(f"the recording begins without a fundamental; {found}: a wrong sample rate or time column? ({remedy})")
    elif settings.nominal_frequency is not None and far_from_mains(frequency):  # else the analyzer says what it detects
        notes.append(f"the recording begins at {frequency:.5g} Hz, far from any mains frequency: a wrong sample rate or time column? (--rate)")
    if _in_pieces(recording, measured, nominal):
        settings = replace(settings, cycle=True)
    return Prepared(settings, measured, frequency, notes)


def measure(
    recording: Recording | str | os.PathLike[str],
    settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    rate: float | None = None,
    time_range: tuple[Time, Time] | None = None,
    force: bool = False,
    sha256: bool = False,
    progress: Progress | None = None,
    environment: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Result:
    """Measure a recording.

    Parameters
    ----------
    recording : Recording or path
    settings : Settings, mapping, path of a TOML file, optional
    out : path, optional
        Directory to which the tables are streamed; the result is then read from there on demand.
    rate : float, optional
        Sample rate in Hz, where the file's cannot be believed.
    time_range : pair of float, str or None, optional
        From (included) and to (excluded): seconds from the start, or ISO 8601 times.
    force : bool
        Write into a directory that ctmeter did not make.
    sha256 : bool
        Put the digest of the file into the summary.
    progress : callable, optional
        Called with the fraction done.
    environment : mapping, optional
        Settings of the environment, as `settings.from_environment` gives them.
    **overrides
        Settings that win over all others.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        The recording cannot be read or measured; it says why.
    SettingsError
        Faulty settings; it names every fault.
    StoreError
        `out` holds something ctmeter did not make, or cannot be written.

    Notes
    -----
    Later layers of settings win: the file, the sidecar `<stem>.ctmeter.toml`, `settings`,
    `environment`, `overrides`.
    """
    layers = Layers(settings, overrides, environment)
    if out is not None:
        check_output(out, force)
    opened, ours = open_recording(recording, layers, rate)
    try:
        layers.of_file(opened)
        chosen = layers.settings()
        limits = time_range or (layers.options.get("from"), layers.options.get("to"))
        return _measure(opened, chosen, out, limits, layers.notes, force=force, sha256=sha256, progress=progress)
    finally:
        if ours:
            opened.close()


def _measure(
    recording: Recording,
    settings: Settings,
    out: str | os.PathLike[str] | None,
    limits: tuple[Time, Time],
    notes: list[str],
    *,
    force: bool,
    sha256: bool,
    progress: Progress | None,
) -> Result:
    ready = prepare(recording, settings)
    settings, measured, notes = ready.settings, ready.measured, [*notes, *ready.notes]
    bounds = (_instant(limits[0], recording, "from"), _instant(limits[1], recording, "to"))
    if bounds[0] is not None and bounds[1] is not None and bounds[0] >= bounds[1]:
        raise SettingsError(f"from, to: {limits[0]} is not before {limits[1]}")
    analyzer = Analyzer(settings, sample_rate=measured[0].sample_rate, channels=recording.channels, start=measured[0].start_ns, out=out, force=force)
    try:
        outside = drive(recording, analyzer, bounds, progress)
        excluded = {f"segment: {s.excluded}": s.stop - s.start for s in recording.segments if s.excluded}
        if outside:
            excluded["outside the time range"] = outside
        return analyzer.finish(recording=describe(recording, sha256=sha256), notes=notes, excluded=excluded)
    except BaseException:
        analyzer.discard()
        raise


def measure_points(
    recording: Recording | str | os.PathLike[str],
    settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    **options: Any,
) -> dict[str, Result]:
    """Measure several points of one recording: one result for each `[points.NAME]`.

    Parameters
    ----------
    recording, settings, **options
        As in `measure`. Each point's table overlays the other settings.
    out : path, optional
        Each point's result goes into a directory of its name below this one.

    Returns
    -------
    dict of point name to Result

    Raises
    ------
    SettingsError
        No points are given; and as `measure`.
    """
    named = {k: options.pop(k) for k in ("rate", "time_range", "force", "sha256", "progress", "environment") if k in options}
    layers = Layers(settings, options, named.pop("environment", None))
    rate = named.pop("rate", None)
    opened, ours = open_recording(recording, layers, rate, assign=False)
    try:
        layers.of_file(opened)
        base = layers.settings()
        if not base.points:
            raise SettingsError("points: none given, expected tables such as [points.feeder1]")
        limits = named.pop("time_range", None) or (layers.options.get("from"), layers.options.get("to"))
        results = {}
        for name in base.points:
            chosen = base.point(name)
            of_point = roles.apply(opened, chosen.map) if chosen.map else opened
            place = None if out is None else Path(out) / name
            common = {"force": False, "sha256": False, "progress": None, **named}
            results[name] = _measure(of_point, chosen, place, limits, layers.notes, **common)
        return results
    finally:
        if ours:
            opened.close()
