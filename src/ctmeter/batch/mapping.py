"""From a piece to its partial result: a pure function of recordings and settings, whoever runs it and in whatever order."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import roles
from ..errors import CtmeterError
from ..events.columns import concatenate
from ..measurements import Columns
from ..pipeline.analyzer import BLIND, Analyzer
from ..pipeline.drive import Course, drive
from ..pipeline.rows import Statistics
from ..quantity import ENERGIES, EXTRAS, PHASES
from ..readers.archives import Limits, lacks_room
from ..recording import Block, Gap, Recording, Timebase
from ..settings import Settings
from .partials import read_partial, write_partial
from .plan import AFTER_NS, WARM_UP_NS, name_of
from .sources import open_source, reason
from .work import Outcome, Piece, Scan, channel_of

__all__ = ["KEPT", "measure_piece"]

#: Tables of the data set that are always kept.
KEPT = ("10min", "2h", "frequency")
#: An event that is there from so early on may have begun before, ns: further back there is its true start.
_EARLY_NS = 2_000_000_000
#: Samples by which a reading may be off its instant: it lies between two samples.
_NEAR = 0.7
#: Share of a sample by which clocks may be rounded: a sample at the border of a span comes after it.
_ROUNDED = 0.1
_KEYS = tuple(f"{e.name}{suffix}" for suffix in ("", *(f"_{p}" for p in PHASES)) for e in ENERGIES)


class _FailureError(Exception):
    """A recording of the piece cannot be measured."""

    def __init__(self, scan: Scan, why: str, passing: bool = False) -> None:
        super().__init__(why)
        self.scan, self.why, self.passing = scan, why, passing


def measure_piece(piece: Piece, place: str, tables: tuple[str, ...] = (), limits: Limits | None = None) -> Outcome:
    """Measure a piece and store its partial result, unless it is there already.

    Parameters
    ----------
    piece : Piece
    place : str
        Folder of the batch.
    tables : tuple of str
        Those of `rules.ON_REQUEST` that are kept.
    limits : Limits, optional
        Of archives.

    Returns
    -------
    Outcome
        Nothing is raised for recordings that fail.

    Raises
    ------
    StoreError
        The result cannot be written.
    """
    begun = time.perf_counter()
    if read_partial(Path(place), piece.key) is not None:
        return Outcome(piece.key)
    try:
        content, samples = _measured(piece, tables, limits)
    except _FailureError as failure:
        return Outcome(piece.key, time.perf_counter() - begun, failed=((name_of(failure.scan), failure.why),), passing=failure.passing)
    write_partial(Path(place), piece.key, content)
    return Outcome(piece.key, time.perf_counter() - begun, samples)


def _measured(piece: Piece, tables: tuple[str, ...], limits: Limits | None) -> tuple[dict[str, Any], int]:
    """The partial result, and the frames read for it."""
    starts = [s.start_ns for s in piece.recordings if s.start_ns is not None]
    if piece.span is None or min(starts) >= piece.span[0]:
        run = _Run(piece, None, tables, limits)
        return run.result(), run.samples
    read = 0
    for back in (WARM_UP_NS, 6 * WARM_UP_NS, None):
        since = None if back is None else piece.span[0] - back
        run = _Run(piece, since, tables, limits)
        read += run.samples
        if since is None or since <= min(starts) or run.quiet(since):
            break
    return run.result(), read


@dataclass
class _Fed:
    """What came of one recording: the stretches that it has frames in, by place, and its frames inside the span by rate."""

    touched: list[int] = field(default_factory=list)
    frames: dict[float, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Recorded inside the span."""
        return math.fsum(n / rate for rate, n in self.frames.items())


class _Counter:
    """The consumer that `drive` feeds: an analyzer, and what it got of each recording."""

    def __init__(self, analyzer: Analyzer, low: int, high: int) -> None:
        self._analyzer, self._low, self._high = analyzer, low, high
        self.samples = 0
        #: The rates of what it measured without a break in clock or rate, one after the other.
        self.stretches: list[float] = []
        #: Of each recording that was begun.
        self.fed: list[_Fed] = []

    def feed(self, block: Block | Gap) -> None:
        if isinstance(block, Block):
            self.samples += len(block)
            place, fed, time = len(self.stretches) - 1, self.fed[-1], block.timebase
            if fed.touched[-1:] != [place]:
                fed.touched.append(place)
            first, last = (min(max(math.ceil(time.index(ns) - _ROUNDED), 0), len(block)) for ns in (self._low, self._high))
            fed.frames[time.sample_rate] = fed.frames.get(time.sample_rate, 0) + last - first
        self._analyzer.feed(block)

    def set_clock(self, ns: int) -> bool:
        if not self._analyzer.set_clock(ns):
            return False
        self.stretches.append(self.stretches[-1])
        return True

    def next_segment(self, sample_rate: float, start: int | None = None, *, elapsed_ns: int | None = None) -> None:
        self._analyzer.next_segment(sample_rate, start, elapsed_ns=elapsed_ns)
        self.stretches.append(sample_rate)


class _Run:
    """One pass over the recordings of a piece."""

    def __init__(self, piece: Piece, since: int | None, tables: tuple[str, ...], limits: Limits | None) -> None:
        self._piece, self._tables, self._limits = piece, (*KEPT, *tables), limits
        self._low, self._high = piece.span or (-(1 << 62), 1 << 62)
        first = piece.recordings[0]
        point = first.points[0]
        self._settings = Settings.from_dict(point.settings)
        self._extras = frozenset(name for name in EXTRAS if getattr(self._settings, name))
        self._inside = [s for s in piece.recordings if self._stop(s) > self._low and (s.start_ns or 0) < self._high]
        starts = [s.start_ns for s in self._inside if s.start_ns is not None]
        #: From where on rows are those of each recording inside, and energies those of each recording of the piece, ns.
        self._borders = [max(start, self._low) for start in starts]
        self._seams = [self._seam(s) for s in piece.recordings]
        instants = sorted({*self._seams, self._high}) if piece.span else []
        self._rows: dict[str, list[Columns]] = {}
        self._statistics = [{t: Statistics(self._extras) for t in ("basic", "cycle")} for _ in self._inside]
        self._analyzer = Analyzer(
            self._settings,
            sample_rate=first.sample_rate,
            channels=[channel_of(c) for c in point.channels],
            start=first.start_ns,
            taker=self._take,
            instants=instants,
        )
        self._counter = _Counter(self._analyzer, self._low, self._high)
        self._feed(since)
        self._summary = self._analyzer.finish(recording={"duration_s": piece.seconds, "warnings": []}).summary

    @property
    def samples(self) -> int:
        """Frames read."""
        return self._counter.samples

    @staticmethod
    def _stop(scan: Scan) -> int:
        return (scan.start_ns or 0) + round(scan.duration * 1e9)

    def _seam(self, scan: Scan) -> int:
        """Half a sample before a recording begins, within the span."""
        start = scan.start_ns or 0
        if start <= self._low:
            return self._low
        return start - round(0.5e9 / scan.sample_rate) if start < self._high else self._high

    def _feed(self, since: int | None) -> None:
        until = None if self._piece.span is None else self._high + AFTER_NS
        course = Course()
        for scan in self._piece.recordings:
            self._counter.fed.append(_Fed())
            start = scan.start_ns or 0
            low = 0.0 if since is None else max(since - start, 0) * 1e-9
            high = None if until is None or until >= self._stop(scan) else (until - start) * 1e-9
            if low >= scan.duration or (high is not None and high <= 0):
                continue
            self._one(scan, (low, high), course)
        if course.stretch is None and self._piece.span is None:
            raise _FailureError(self._piece.recordings[0], "nothing to measure")

    def _one(self, scan: Scan, limits: tuple[float | None, float | None], course: Course) -> None:
        try:
            with ExitStack() as stack:
                recording = stack.enter_context(open_source(scan.source, rate=scan.rate, limits=self._limits))
                drive(self._as_scanned(recording, scan), self._counter, limits, course=course)
        except _FailureError:
            raise
        except (CtmeterError, OSError) as error:
            raise _FailureError(scan, reason(error, scan.source), lacks_room(error)) from None
        except MemoryError:
            raise _FailureError(scan, "not enough memory to measure it") from None
        except Exception as error:  # a fault of ours in one file is no reason to lose the others
            raise _FailureError(scan, f"internal error: {type(error).__name__}: {error}"[:300]) from error

    def _as_scanned(self, recording: Recording, scan: Scan) -> Recording:
        """The recording with the roles of the point; it must be what was looked at."""
        if self._settings.map:
            recording = roles.apply(recording, self._settings.map)
        if recording.start_ns != scan.start_ns or tuple(recording.channels) != tuple(channel_of(c) for c in scan.points[0].channels):
            raise _FailureError(scan, "it changed while it was worked on")
        return recording

    def _take(self, table: str, rows: Columns) -> None:
        """Keep what lies in the span; statistics of each recording on the way."""
        t = rows["t"]
        mine = (t >= self._low) & (t < self._high)
        if not mine.any():
            return
        kept = rows if mine.all() else {name: values[mine] for name, values in rows.items()}
        if table in ("basic", "cycle"):
            self._count(table, kept)
        if table in self._tables:
            self._rows.setdefault(table, []).append(kept)

    def _count(self, table: str, rows: Columns) -> None:
        if len(self._inside) == 1:
            self._statistics[0][table].add(rows)
            return
        owner = np.maximum(np.searchsorted(self._borders, rows["t"], "right") - 1, 0)
        for k in np.unique(owner):
            own = owner == k
            self._statistics[k][table].add({name: values[own] for name, values in rows.items()})

    def quiet(self, since: int) -> bool:
        """Whether the warm-up began without an event, so that nothing before it is missed."""
        if any(BLIND in note for note in self._summary["warnings"]):
            return False
        for event in self._analyzer.events:
            long = event["duration"] is None or event["t"] + event["duration"] * 1e9 >= self._low
            if event["t"] < since + _EARLY_NS and long:
                return False
        return True

    def result(self) -> dict[str, Any]:
        """The partial result."""
        events = [dict(e) for e in self._analyzer.events if self._low <= e["t"] < self._high]
        before = [dict(e) for e in self._analyzer.events if e["t"] < self._low and _reaches(e, self._low)]
        piece, summary = self._piece, self._summary
        return {
            "version": 1,
            "key": piece.key,
            "site": piece.site,
            "device": piece.device,
            "point": piece.point,
            "span": piece.span,
            "tables": {table: concatenate(chunks) for table, chunks in self._rows.items()},
            "form": {"spectra": self._settings.spectra == "basic", "extras": sorted(self._extras), "sides": summary["sides"]},
            "events": events,
            "continuing": before,
            "parts": self._parts(),
            "settings": summary["settings"],
            "wiring": summary["wiring"],
            "warnings": summary["warnings"],
            "not_measured": summary["not_measured"],
        }

    def _parts(self) -> list[dict[str, Any]]:
        """What of each recording lies in the span."""
        made = []
        energies = self._energies()
        seconds = [fed.seconds for scan, fed in zip(self._piece.recordings, self._counter.fed, strict=True) if scan in self._inside]
        for k, scan in enumerate(self._inside):
            stop = min(self._stop(scan), self._high)
            found = self._statistics[k]
            chosen = found["basic"] if found["basic"].rows else found["cycle"]
            made.append(
                {
                    "recording": scan.source.name,
                    "member": scan.source.member,
                    "start_ns": None if scan.start_ns is None else self._borders[k],
                    "stop_ns": None if scan.start_ns is None else stop,
                    "samples": self._samples(scan, stop),
                    "overlaps": self._piece.overlaps,
                    "seconds": seconds[k],
                    "energy": energies[k],
                    "statistics": chosen.state(),
                }
            )
        return made

    def _samples(self, scan: Scan, stop: int) -> int | None:
        """Frames of a recording inside the span; None where they are not evenly spaced and not all of them are."""
        start = scan.start_ns
        if start is None or (start >= self._low and stop == self._stop(scan)):
            return scan.samples
        if not scan.uniform:
            return None
        timebase = Timebase(start, scan.sample_rate)
        first, last = (math.ceil(timebase.index(t) - _ROUNDED) for t in (max(start, self._low), stop))
        return max(min(last, scan.samples) - max(first, 0), 0)

    def _energies(self) -> list[dict[str, float | None]]:
        """The energies of each recording, Wh; null where a register does not apply."""
        whole: Mapping[str, float | None] = self._summary["energy"]
        if self._piece.span is None:
            return [dict(whole)]
        t, joules, stretch = self._analyzer.readings()
        joules = np.concatenate([np.zeros((1, len(_KEYS))), joules])
        firsts = np.searchsorted(stretch, np.arange(len(self._counter.stretches) + 1))

        def at(place: int, instant: int) -> np.ndarray:
            """The registers at an instant as a stretch has them: before it as it found them, behind it as it left them."""
            first, stop = firsts[place : place + 2]
            passed = np.count_nonzero(t[first:stop] <= instant + round(_NEAR * 1e9 / self._counter.stretches[place]))
            found: np.ndarray = joules[first + passed]
            return found

        users: dict[int, list[int]] = {}
        for k, fed in enumerate(self._counter.fed):
            for place in fed.touched:
                users.setdefault(place, []).append(k)
        shares = np.zeros((len(self._piece.recordings), len(_KEYS)))
        for place, several in users.items():
            edges = [self._low, *(self._seams[k] for k in several[1:]), self._high]
            for k, (before, after) in zip(several, itertools.pairwise(at(place, edge) for edge in edges), strict=True):
                shares[k] += after - before
        return [
            {key: None if whole[key] is None else float(value) / 3600 for key, value in zip(_KEYS, share, strict=True)}
            for scan, share in zip(self._piece.recordings, shares, strict=True)
            if scan in self._inside
        ]


def _reaches(event: Mapping[str, Any], instant: int) -> bool:
    return event["duration"] is None or event["t"] + event["duration"] * 1e9 >= instant
