"""From the segments of a recording to the stretches an engine measures."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import InputError
from ..recording import Block, Gap, Recording, Segment, Timebase

__all__ = ["Consumer", "Course", "Progress", "drive"]

Progress = Callable[[float], None]

_BLOCK_BYTES = 4 << 20
#: Segments whose rates agree to this, and which join to this share of a sample, are one stretch.
_SAME_RATE, _JOIN = 1e-9, 0.05


class Consumer(Protocol):
    """What can be driven: an `Analyzer`, or something else that measures."""

    def feed(self, block: Block | Gap) -> object:
        """Take some more samples, or note that they are missing."""

    def next_segment(self, sample_rate: float, start: int | None = None, *, elapsed_ns: int | None = None) -> None:
        """Go on at another rate or after a jump of the clock."""


@dataclass
class Course:
    """How far consecutive recordings have been fed: the time at which the stretch that is measured began, and its samples since."""

    stretch: Timebase | None = None
    fed: int = 0


def drive(
    recording: Recording,
    analyzer: Consumer,
    limits: tuple[float | None, float | None],
    progress: Progress | None = None,
    course: Course | None = None,
) -> int:
    """Feed a recording to an analyzer, or another consumer.

    Parameters
    ----------
    recording : Recording
    analyzer : Consumer
    limits : tuple of float or None
        Seconds from the start of the recording.
    progress : callable, optional
        Gets the share that is done.
    course : Course, optional
        Where the recordings before this one have led; the recording goes on there if it joins, and need not have anything to measure.

    Returns
    -------
    int
        Samples of measured segments outside the limits.

    Raises
    ------
    InputError
        Nothing was fed.

    Notes
    -----
    Segments of one rate that follow each other in time, or after a whole number of missing samples,
    are measured as one stretch, the latter with a gap; any other change of rate or of time begins anew.
    """
    carried = course or Course()
    outside = _Driver(recording, analyzer, limits, progress, carried).run()
    if course is None and carried.stretch is None:
        raise InputError("nothing to measure", path=recording.path, expected="samples inside the time range and in a measured segment")
    return outside


class _Driver:
    def __init__(
        self, recording: Recording, analyzer: Consumer, limits: tuple[float | None, float | None], progress: Progress | None, course: Course
    ) -> None:
        self._recording, self._analyzer, self._progress, self._course = recording, analyzer, progress, course
        self._low, self._high = limits[0] or 0.0, np.inf if limits[1] is None else limits[1]
        self._duration = max(recording.duration, 1e-9)
        self._clock = recording.start_ns is not None and all(s.start_ns is not None for s in recording.segments)
        self._begin = recording.start_ns if self._clock and recording.start_ns is not None else 0
        self._rows = [row for row, _ in recording.gaps]
        self._outside = 0

    def run(self) -> int:
        at = self._begin
        for segment in self._recording.segments:
            if self._clock and segment.start_ns is not None:
                at = segment.start_ns
            at = self._segment(segment, at)
        return self._outside

    def _segment(self, segment: Segment, at: int) -> int:
        """Feed a segment that begins at time `at`, ns; the time at which it ends."""
        rate, first, before = segment.sample_rate, 0, None
        if segment.excluded:
            inside = sum(g.samples for row, g in self._gaps(segment))
            return at + Timebase(0, rate).ns(segment.stop - segment.start + inside)
        most = max(_BLOCK_BYTES // (max(len(self._recording.channels), 1) * 8), 1024)
        for item in _items(segment, self._gaps(segment), most):
            if isinstance(item, Gap) and first == 0 and before is None:
                # what is missing before the first row: the clock of the segment knows of it already
                before = item
                at += 0 if self._clock else Timebase(0, rate).ns(item.samples)
                self._cut_short(at, rate, item)
                continue
            n = item.samples if isinstance(item, Gap) else item[1] - item[0]
            a, b = self._inside(at, rate, first, n)
            if isinstance(item, Gap):
                if self._course.stretch is not None and b > a:
                    self._missing(Gap(b - a, item.reason))
            else:
                self._outside += n - (b - a)
                if b > a:
                    self._go_on(Timebase(at, rate).ns(first + a), rate, before)
                    self._analyzer.feed(self._block(item[0] + a, item[0] + b, Timebase(at, rate).ns(first + a), rate))
                    self._course.fed += b - a
            first += n
            if self._progress is not None:
                self._progress(min(((at - self._begin) * 1e-9 + first / rate) / self._duration, 1.0))
        return Timebase(at, rate).ns(first)

    def _block(self, start: int, stop: int, at: int, rate: float) -> Block:
        """Rows [start, stop), the first at time `at`: nothing outside the limits is read, which may come from far."""
        recording = self._recording
        return Block(recording.source.raw(start, stop), recording.channels, start, Timebase(at if self._clock else None, rate))

    def _inside(self, at: int, rate: float, first: int, n: int) -> tuple[int, int]:
        """Which of `n` sample intervals from number `first` of a segment are inside the limits."""
        since = (at - self._begin) * 1e-9
        low = int(np.ceil(round((self._low - since) * rate - first, 6)))
        a = min(max(low, 0), n)
        if not np.isfinite(self._high):
            return a, n
        return a, max(min(int(np.ceil(round((self._high - since) * rate - first, 6))), n), a)

    def _cut_short(self, at: int, rate: float, gap: Gap) -> None:
        """A gap before time `at`, inside which the limits end."""
        low, high = self._inside(at, rate, -gap.samples, gap.samples)
        if self._course.stretch is not None and low < high < gap.samples:
            self._missing(Gap(high - low, gap.reason))

    def _missing(self, gap: Gap) -> None:
        self._analyzer.feed(gap)
        self._course.fed += gap.samples

    def _go_on(self, at: int, rate: float, before: Gap | None) -> None:
        """Bring the analyzer to a time and a rate: in the stretch that it measures, if need be after a gap, or in a new one."""
        if self._course.stretch is not None:
            jump = (at - self._course.stretch.ns(self._course.fed)) * 1e-9 * rate
            whole = round(jump)
            if abs(rate / self._course.stretch.sample_rate - 1) <= _SAME_RATE and whole >= 0 and abs(jump - whole) <= _JOIN:
                if whole:
                    self._missing(Gap(whole, before.reason if before else "the time jumps"))
                return
            if before is not None and jump > 0:
                self._missing(before)
        self._analyzer.next_segment(rate, at if self._clock else None, elapsed_ns=at - self._begin)
        self._course.stretch, self._course.fed = Timebase(at, rate), 0

    def _gaps(self, segment: Segment) -> tuple[tuple[int, Gap], ...]:
        first, last = bisect.bisect_left(self._rows, segment.start), bisect.bisect_left(self._rows, segment.stop)
        return self._recording.gaps[first:last]


def _items(segment: Segment, gaps: tuple[tuple[int, Gap], ...], most: int) -> Iterator[tuple[int, int] | Gap]:
    """Rows of a segment, at most so many at a time, and the gaps between them."""
    at = segment.start
    for row, gap in [*gaps, (segment.stop, None)]:
        for first in range(at, row, most):
            yield first, min(first + most, row)
        at = row
        if gap is not None:
            yield gap
