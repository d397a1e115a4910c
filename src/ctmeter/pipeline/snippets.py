"""Waveforms around events: ten nominal cycles on either side of the start and of the end, as COMTRADE.

Raw blocks are kept for as long as an event may still be found in them. Of each type of event the
first `MOST` (in the order of their ends) get a snippet; further ones have none. A long event gives
one recording with a gap in the middle; at a gap or at the end of the samples a snippet ends early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..recording import Channel, Gap, Recording, Segment
from .clocks import Clock
from .ring import Ring

__all__ = ["CYCLES", "MOST", "Snippets", "snippet_of", "snippet_state", "write_snippet"]

#: Nominal cycles on either side.
CYCLES = 10
#: Snippets of each type of event.
MOST = 100
#: Bytes of raw frames after which rows are taken from the engine, so that frames can go.
_FULL = 32 << 20
_LEFT_OUT = "left out"


@dataclass
class _Job:
    """A snippet in the making: ranges of samples still wanted, and pieces that are here."""

    type: str
    t: int
    name: str | None = None
    wanted: list[list[int]] = field(default_factory=list)
    pieces: list[list[Any]] = field(default_factory=list)


class _Raw:
    """A source of frames in memory."""

    def __init__(self, frames: np.ndarray) -> None:
        self._frames = frames

    def raw(self, start: int, stop: int) -> np.ndarray:
        return self._frames[start:stop]

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((stop - start, 0), np.uint8)

    def close(self) -> None:
        """Nothing to let go of."""


def write_snippet(place: Path, name: str, recording: Recording) -> None:
    """Write one snippet into a directory."""
    from ..writers.comtrade import write_files

    place.mkdir(exist_ok=True)
    write_files(recording, place / name, {})  # what COMTRADE cannot say of it stands in the summary


def snippet_state(recording: Recording) -> dict[str, Any]:
    """A snippet as plain values."""
    (segment,) = recording.segments
    return {
        "raw": recording.source.raw(0, segment.stop),
        "channels": [asdict(c) for c in recording.channels],
        "time": [segment.start_ns, segment.sample_rate, recording.nominal_frequency],
        "gaps": [[row, gap.samples] for row, gap in recording.gaps],
        "metadata": recording.metadata,
    }


def snippet_of(state: Mapping[str, Any]) -> Recording:
    """The inverse of `snippet_state`."""
    start, rate, nominal = state["time"]
    channels = tuple(Channel(**{**c, "range": c["range"] and tuple(c["range"])}) for c in state["channels"])
    gaps = tuple((row, Gap(n, _LEFT_OUT)) for row, n in state["gaps"])
    segment = Segment(0, len(state["raw"]), rate, start)
    return Recording(_Raw(state["raw"]), channels, (segment,), gaps, nominal, metadata=dict(state["metadata"]))


def _name(kind: str, t: int) -> str:
    """Of a snippet: type and start of the event, UTC."""
    return f"{kind}_{str(np.datetime64(t // 1000, 'us')).replace('-', '').replace(':', '')}.cfg"


class Snippets:
    """Cuts snippets out of a stream of raw frames.

    Parameters
    ----------
    channels : sequence of Channel
    nominal_frequency : float
        Hz.

    Notes
    -----
    The same for any split into blocks.
    """

    def __init__(self, channels: Sequence[Channel], nominal_frequency: float) -> None:
        self._channels, self._nominal = tuple(channels), nominal_frequency
        self._jobs: dict[tuple[str, int], _Job] = {}
        self._count: Counter[str] = Counter()
        self._ring = Ring()
        self._fed = self._before = self._since = 0
        self._clock = True
        self._timebase = Clock(0, 1.0)
        #: Finished ones, until somebody takes them.
        self.ready: list[tuple[str, Recording]] = []

    def begin(self, timebase: Clock, offset_ns: int) -> None:
        """Begin a stretch of samples; events' times are `offset_ns` later where there is no clock."""
        self._clock = timebase.start_ns is not None
        self._timebase = Clock((timebase.start_ns or 0) + offset_ns, timebase.sample_rate, timebase.settings)
        self._before = round(CYCLES / self._nominal * timebase.sample_rate)
        self._ring.clear()
        self._fed = self._since = 0

    def keep(self, item: np.ndarray | Gap, lasting: bool) -> bool:
        """Keep frames; whether so many have come that rows should be taken from the engine.

        Parameters
        ----------
        item : ndarray or Gap
        lasting : bool
            Whether the array will stay as it is.
        """
        if isinstance(item, Gap):
            self._fed += item.samples
            return False
        (self._ring.refer if lasting else self._ring.copy)(self._fed, item)
        self._fed += len(item)
        self._since += item.nbytes
        return self._since > _FULL

    def follow(self, events: Sequence[dict[str, Any]], going_on: Sequence[tuple[str, int]], horizon_ns: int) -> None:
        """Take note of events.

        Parameters
        ----------
        events : sequence of dict
            Rows of the table `events` that have ended; each gets the name of its snippet, where it has one.
        going_on : sequence of (str, int)
            Type and start of those that have not.
        horizon_ns : int
            No event of which nothing has been said yet starts before this time.
        """
        for event in events:
            self._ended(event)
        for key in [k for k, job in self._jobs.items() if job.name is None and k not in going_on]:
            # a change that turned out to be a dip
            del self._jobs[key]
        for kind, t in going_on:
            if (kind, t) not in self._jobs and self._count[kind] < MOST:
                self._jobs[kind, t] = self._started(kind, t)
        self._cut(self._fed)
        self._forget(horizon_ns)

    def _around(self, t: int) -> list[int]:
        """Numbers of the samples around an instant, half open."""
        centre = round(self._timebase.index(t))
        return [max(centre - self._before, 0), max(centre + self._before, 0)]

    def _started(self, kind: str, t: int) -> _Job:
        return _Job(kind, t, wanted=[self._around(t)])

    def _ended(self, event: dict[str, Any]) -> None:
        kind, t = event["type"], event["t"]
        job = self._jobs.pop((kind, t), None)
        if self._count[kind] >= MOST:
            return
        self._count[kind] += 1
        job = job or self._started(kind, t)
        event["snippet"] = job.name = _name(kind, t)
        if event["duration"] is not None:
            first, last = self._around(t), self._around(t + round(event["duration"] * 1e9))
            if last[1] > first[1]:
                job.wanted.append([max(last[0], first[1]), last[1]])
        self._jobs[kind, t] = job

    def _cut(self, until: int) -> None:
        """Copy what is wanted and has been fed; snippets that are complete are ready."""
        for key, job in list(self._jobs.items()):
            while job.wanted and job.wanted[0][1] <= until:
                self._copy(job, *job.wanted.pop(0))
            if job.name is not None and not job.wanted:
                del self._jobs[key]
                if job.pieces:
                    self.ready.append((job.name, self._recording(job)))

    def _copy(self, job: _Job, start: int, stop: int) -> None:
        job.pieces += [list(piece) for piece in self._ring.pieces(start, stop)]

    def _recording(self, job: _Job) -> Recording:
        gaps, rows, at = [], 0, job.pieces[0][0]
        for first, frames in job.pieces:
            if first > at:
                gaps.append((rows, Gap(first - at, _LEFT_OUT)))
            rows, at = rows + len(frames), first + len(frames)
        start = self._timebase.ns(job.pieces[0][0]) if self._clock else None
        segment = Segment(0, rows, self._timebase.sample_rate, start)
        metadata: dict[str, Any] = {"device": "ctmeter"} | ({"trigger_ns": job.t} if self._clock else {})
        frames = np.concatenate([p[1] for p in job.pieces])
        return Recording(_Raw(frames), self._channels, (segment,), tuple(gaps), self._nominal, metadata=metadata)

    def _forget(self, horizon_ns: int) -> None:
        """Let blocks go in which nothing more will be wanted."""
        first = self._around(horizon_ns)[0] if horizon_ns > self._timebase.ns(0) else 0
        first = min([first, *(w[0] for job in self._jobs.values() for w in job.wanted)])
        self._ring.forget(first)
        self._since = 0

    def end(self) -> None:
        """The stretch ends: what is still wanted will not come."""
        for job in self._jobs.values():
            for start, stop in job.wanted:
                self._copy(job, start, stop)
            job.wanted = []
        self._cut(self._fed)
        self._jobs = {}
        self._ring.clear()

    def state(self) -> dict[str, Any]:
        """Everything but what is ready, as plain values."""
        return {
            "jobs": [[j.type, j.t, j.name, j.wanted, j.pieces] for j in self._jobs.values()],
            "count": dict(self._count),
            "ring": self._ring.state(),
            "at": [self._fed, self._clock, self._timebase.start_ns, self._timebase.sample_rate],
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        fed, clock, start, rate = state["at"]
        self.begin(Clock(start, rate, self._timebase.settings), 0)
        self._fed, self._clock = fed, clock
        self._jobs = {(j[0], j[1]): _Job(*j) for j in state["jobs"]}
        self._count = Counter(state["count"])
        self._ring.resume(state["ring"])
