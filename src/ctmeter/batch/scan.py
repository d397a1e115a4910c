"""A look at a source without measuring it: whose it is, when it was taken, how it is to be measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from .. import roles
from ..errors import CtmeterError, InputError
from ..pipeline.run import prepare
from ..pipeline.summary import MAINS, nearest_mains
from ..readers import is_url, remote
from ..readers.archives import Limits, lacks_room
from ..recording import Recording
from ..settings import Settings, parse_toml, read_toml
from ._folders import SIDECAR, by_name
from .rules import Rules
from .sources import one_line, open_source, reason
from .work import Point, Scan, Source, plain_channel

__all__ = ["scan"]

#: Holes in the time of a recording that are not worth a word, ns.
_HOLE_NS = 600 * 1_000_000_000
#: What is said of a recording without a frequency; the plan knows what was recorded around it.
UNDETECTED = f"no frequency could be detected: nominal frequency that of the recordings around it, {MAINS[0]:g} Hz where they have none"
#: Times of the data set lie between, ns: 1800-01-01 and 2250-01-01. Those that 64 bits hold end some years beyond.
_EARLIEST, _LATEST = (int(np.datetime64(f"{year}-01-01", "ns").astype(np.int64)) for year in (1800, 2250))
#: Longest text of a failure.
_LONGEST = 600
#: What readers say of a file that is none of theirs.
_NO_RECORDING = ("unknown format", "the file is empty")


def scan(source: Source, rules: Rules, limits: Limits | None = None) -> Scan:
    """Look at a source.

    Parameters
    ----------
    source : Source
    rules : Rules
    limits : Limits, optional
        Of archives.

    Returns
    -------
    Scan
        With `failure` where it cannot be measured; nothing is raised for a bad file.
    """
    try:
        rate = rules.rate_of(source.name)
        below, said = _beside(source)
        with open_source(source, rate=rate if rate is not None else said, limits=limits) as recording:
            return _look(source, recording, rules, below, rate if rate is not None else said)
    except (CtmeterError, OSError) as error:
        # of a member whose name says nothing only now it is known, as of a file before
        unknown = isinstance(error, InputError) and error.problem in _NO_RECORDING
        skipped = unknown and bool(source.member) and by_name(PurePosixPath(source.member).name) is None
        return Scan(source, failure=reason(error, source), skipped=skipped, passing=lacks_room(error))
    except MemoryError:
        return Scan(source, failure="not enough memory to open it")
    except Exception as error:  # a fault of ours in one file is no reason to lose the others
        return Scan(source, failure=f"internal error: {type(error).__name__}: {error}"[:_LONGEST])


def _beside(source: Source) -> tuple[list[tuple[str, Mapping[str, Any]]], float | None]:
    """Settings of the file beside a recording, and its sample rate."""
    beside = next((uri for uri, _, _ in source.parts if uri.endswith(SIDECAR)), None)
    if beside is None:
        return [], None
    name = PurePosixPath(beside).name
    if is_url(beside):
        values, options = parse_toml(remote.sidecar(source.uri) or "", name)
    else:
        values, options = read_toml(beside)
    return [(name, values)], options.get("rate")


def _look(source: Source, recording: Recording, rules: Rules, below: list[tuple[str, Mapping[str, Any]]], rate: float | None) -> Scan:
    if recording.start_ns is not None and not _EARLIEST <= recording.start_ns <= _LATEST - recording.duration * 1e9:
        begins = f"begins {recording.start_ns / 3.15576e16:+.0f} years from 1970 and lasts {recording.duration:.6g} s"
        return Scan(source, failure=f"its clock cannot be right: it {begins} (expected a time between the years 1800 and 2250)")
    if recording.nominal_frequency in MAINS:
        below = [(recording.format, {"nominal_frequency": recording.nominal_frequency}), *below]
    facts = {name: str(recording.metadata.get(name) or "").strip() for name in ("station", "device")}
    facts["path"] = source.name
    settings = rules.settings(below, **facts)
    points = [(name, settings.point(name)) for name in settings.points] or [("", settings)]
    notes: list[str] = []
    made = tuple(_point(recording, name, chosen, notes) for name, chosen in points)
    # the innermost folder, of an archive too; some programs write backslashes
    folder = PurePosixPath(source.member.replace("\\", "/")).parent.name or PurePosixPath(source.name).parent.name
    site = rules.site_of(**facts) or facts["station"] or folder
    return Scan(
        source,
        site=site,
        device=facts["device"],
        start_ns=recording.start_ns,
        duration=recording.duration,
        sample_rate=recording.sample_rate,
        stretches=_stretches(recording),
        samples=recording.samples,
        uniform=len(recording.segments) == 1 and not recording.gaps,
        points=made,
        format=recording.format,
        warnings=(*(one_line(w, source) for w in recording.warnings), *notes),
        rate=rate,
    )


def _stretches(recording: Recording) -> tuple[tuple[int, int], ...]:
    """When there are samples to measure; holes of less than `_HOLE_NS` are passed over."""
    if recording.start_ns is None:
        return ()
    runs: list[tuple[int, int]] = []
    for s in recording.segments:
        if s.excluded or s.start_ns is None:
            continue
        lost, first = 0, s.start
        for row, gap in recording.gaps:
            if s.start < row < s.stop:
                runs.append((s.timebase.ns(first - s.start + lost), s.timebase.ns(row - s.start + lost)))
                lost, first = lost + gap.samples, row
        runs.append((s.timebase.ns(first - s.start + lost), s.timebase.ns(s.stop - s.start + lost)))
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(runs):
        if joined and start - joined[-1][1] < _HOLE_NS:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return tuple(joined)


def _point(recording: Recording, name: str, settings: Settings, notes: list[str]) -> Point:
    """What is measured at a point: its settings with the nominal frequency, and its channels."""
    if settings.map:
        recording = roles.apply(recording, settings.map)
    ready = prepare(recording, settings)
    notes += [f"{name}: {note}" if name else note for note in ready.notes]
    settings = ready.settings
    if settings.nominal_frequency is None:
        # of all pieces of a recording the same
        found = None if ready.frequency is None else nearest_mains(ready.frequency)
        told = UNDETECTED if found is None else f"nominal frequency {found:g} Hz, detected"
        notes.append(f"{name}: {told}" if name else told)
        settings = replace(settings, nominal_frequency=found)
    # waveforms around events are for whoever measures the one recording
    settings = replace(settings, snippets=False, points={})
    return Point(name, settings.to_dict(), tuple(plain_channel(c) for c in recording.channels))
