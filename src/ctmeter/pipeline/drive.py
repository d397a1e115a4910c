"""From the segments of a recording to the stretches an engine measures."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import InputError
from ..frequency import detect_frequency, discontinuity
from ..recording import Block, Gap, Recording, Segment, Timebase, scaled

__all__ = ["Consumer", "Course", "Progress", "drive"]

Progress = Callable[[float], None]

_BLOCK_BYTES = 4 << 20
#: Segments whose rates agree to this, and which join to this share of a sample, are one stretch.
_SAME_RATE, _JOIN = 1e-9, 0.05
#: By so much the clocks of recordings that follow each other may disagree with their samples, s, where the waveform goes on.
_CLOCKS = 5e-3
#: What the waveform is looked at for, s; and by how much it may be broken: what cannot be told, and what nobody takes for going on.
_LOOK, _UNTOLD, _BROKEN = 0.1, 20e-6, 200e-6


class Consumer(Protocol):
    """What can be driven: an `Analyzer`, or something else that measures."""

    def feed(self, block: Block | Gap) -> object:
        """Take some more samples, or note that they are missing."""

    def next_segment(self, sample_rate: float, start: int | None = None, *, elapsed_ns: int | None = None) -> None:
        """Go on at another rate or after a jump of the clock."""

    def set_clock(self, ns: int) -> bool:
        """Go on with the next sample, whose time differs a little from what the samples say; False where that cannot be."""


@dataclass
class Course:
    """How far consecutive recordings have been fed.

    `stretch` is when what is measured began, or its clock was set, `fed` its samples since; `tail` is what the recording before
    ended with, V or A, for the next one to go on from.
    """

    stretch: Timebase | None = None
    fed: int = 0
    tail: np.ndarray | None = None


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
        #: The last frames fed, without a break.
        self._recent: np.ndarray | None = None

    def run(self) -> int:
        at = self._begin
        for segment in self._recording.segments:
            if self._clock and segment.start_ns is not None:
                at = segment.start_ns
            at = self._segment(segment, at)
        self._course.tail = None if self._recent is None else self._waveform(self._recent)
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
                    begins = Timebase(at, rate).ns(first + a)
                    block = self._block(item[0] + a, item[0] + b, begins, rate)
                    self._go_on(block, begins, before)
                    self._analyzer.feed(block)
                    self._course.fed += b - a
                    self._keep(block)
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
        self._recent = None
        self._analyzer.feed(gap)
        self._course.fed += gap.samples

    def _go_on(self, block: Block, at: int, before: Gap | None) -> None:
        """Bring the analyzer to the time and rate of a block: in the stretch that it measures, if need be after a gap, or in a new one."""
        rate = block.timebase.sample_rate
        tail, self._course.tail = self._course.tail, None
        if self._course.stretch is not None:
            jump = (at - self._course.stretch.ns(self._course.fed)) * 1e-9 * rate
            whole = round(jump)
            same = rate == self._course.stretch.sample_rate
            if same and tail is not None and abs(jump) > _JOIN and self._goes_on(tail, block, jump / rate) and self._analyzer.set_clock(at):
                self._course.stretch, self._course.fed = Timebase(at, rate), 0
                return
            if abs(rate / self._course.stretch.sample_rate - 1) <= _SAME_RATE and whole >= 0 and abs(jump - whole) <= _JOIN:
                if whole:
                    self._missing(Gap(whole, before.reason if before else "the time jumps"))
                return
            if before is not None and jump > 0:
                self._missing(before)
        self._recent = None
        self._analyzer.next_segment(rate, at if self._clock else None, elapsed_ns=at - self._begin)
        self._course.stretch, self._course.fed = Timebase(at, rate), 0

    def _keep(self, block: Block) -> None:
        """Remember the last frames, for the recording after this one to go on from."""
        n = round(_LOOK * block.timebase.sample_rate)
        whole = self._recent is None or len(block) >= n
        self._recent = (block.raw if whole else np.concatenate([self._recent, block.raw]))[-n:]

    def _goes_on(self, tail: np.ndarray, block: Block, later: float) -> bool:
        """Whether the waveform goes on from the recording before, although the clock is later by so many seconds, rather than jumping by them."""
        if not self._clock or abs(later) > _CLOCKS:
            return False
        rate = block.timebase.sample_rate
        head = self._waveform(block.raw[: round(_LOOK * rate)])
        # a channel that has no values cannot tell, and need not
        there = np.isfinite(tail).all(0) & np.isfinite(head).all(0)
        if not there.any():
            return False
        tail, head = tail[:, there], head[:, there]
        if detect_frequency(tail, rate) is None and detect_frequency(head, rate) is None:
            # nothing is there that could be broken
            return True
        broken = discontinuity(tail, head, rate)
        return broken is not None and abs(broken) <= min(max(abs(later) / 2, _UNTOLD), _BROKEN)

    def _waveform(self, raw: np.ndarray) -> np.ndarray:
        """The voltages of some frames, or the currents where there are none; float64."""
        roles = [c.role or "" for c in self._recording.channels]
        chosen = [k for k, role in enumerate(roles) if role[:1] == "U"] or [k for k, role in enumerate(roles) if role]
        return scaled(raw[:, chosen], [self._recording.channels[k] for k in chosen])

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
