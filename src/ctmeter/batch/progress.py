"""How far a batch has come: a bar on a terminal, a line a minute in a log, or events for machines.

Events are lines of JSON, one object each, flushed at once. Every object has `event` and `t` (UTC, ISO 8601); further keys by `event`:

start
    `schema_version` (1), `program` (name, version), `sources` (found), `bytes`, `jobs`.
look
    `name`, `member` of a source that was looked at, not of those remembered; with these and this one `looked`, of `sources`.
plan
    `pieces`, `seconds` (of recording, to be measured), `remembered` (pieces that were there already). Comes when all sources were looked at.
recording
    `name`, `member`, `state` ("done", "failed", "quarantined", "skipped"), `reason` ("" where it is done), `bytes`; with this one included
    `done`, `failed` (quarantined too), `skipped`, of `sources`.
piece
    `key`, `site`, `device`, `point`, `seconds` (of recording), `samples`, `wall_s` (time it took); with this one included `pieces_done` of
    `pieces`, `x_real_time` and `left_s` (null where nothing can be said yet).
fold
    `site`, `files` (written), `sites_done` of `sites`.
finished
    `done`, `failed`, `skipped`, `seconds` (it all took), `x_real_time`, `interrupted` (bool).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, Self, TextIO

from ..pipeline.describe import SCHEMA_VERSION, program
from .dataset import clean
from .work import Piece, Source

__all__ = ["Bar", "Count", "Events", "Log", "Progress", "View", "view_for"]

log = logging.getLogger("ctmeter.batch")

#: Seconds between lines of the log.
EVERY = 60.0
Ended = Literal["done", "failed", "quarantined", "skipped"]


@dataclass
class Count:
    """How far it has come.

    Parameters
    ----------
    sources, size : int
        Found, and bytes of them.
    looked : int
        Sources that were looked at.
    done, failed, skipped : int
        Sources; quarantined ones have failed.
    size_done : int
        Bytes of sources with which nothing is left to be done.
    pieces, pieces_done : int
    seconds, seconds_done : float
        Of recording, to be measured and measured, s.
    sites, sites_done : int
        Of the fold.
    """

    sources: int = 0
    size: int = 0
    looked: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    size_done: int = 0
    pieces: int = 0
    pieces_done: int = 0
    seconds: float = 0.0
    seconds_done: float = 0.0
    sites: int = 0
    sites_done: int = 0

    @property
    def ended(self) -> int:
        """Sources with which nothing is left to be done."""
        return self.done + self.failed + self.skipped

    @property
    def fraction(self) -> float:
        """Share of the work that is done, by seconds of recording where they are known, else by bytes."""
        done, whole = (self.seconds_done, self.seconds) if self.seconds else (self.size_done, self.size)
        return min(done / whole, 1.0) if whole else 0.0


class View(Protocol):
    """Who shows it."""

    def begin(self) -> None:
        """The batch begins."""
        ...

    def event(self, kind: str, facts: dict[str, Any], progress: Progress) -> None:
        """Something has happened."""
        ...

    def end(self) -> None:
        """The batch is over."""
        ...


class Progress:
    """Counts what a batch does, and tells whoever shows it.

    Parameters
    ----------
    view : View, optional
        None: nobody.
    clock : callable
        Seconds.
    """

    def __init__(self, view: View | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = Count()
        self._view, self._clock = view, clock
        self._begun = self._planned = clock()
        self._over = False

    def __enter__(self) -> Self:
        if self._view is not None:
            self._view.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        try:
            if not self._over:
                self.finished(interrupted=kind is not None and issubclass(kind, KeyboardInterrupt))
        finally:
            if self._view is not None:
                self._view.end()

    @property
    def elapsed(self) -> float:
        """Seconds since the batch began."""
        return self._clock() - self._begun

    @property
    def x_real_time(self) -> float | None:
        """Seconds of recording measured in a second; None before the first."""
        took = self._clock() - self._planned
        return self.count.seconds_done / took if took > 0 and self.count.seconds_done else None

    @property
    def left(self) -> float | None:
        """Seconds that measuring will still take; None where nothing can be said yet."""
        rate = self.x_real_time
        return None if rate is None or not self.count.seconds else max(self.count.seconds - self.count.seconds_done, 0.0) / rate

    def start(self, sources: int, size: int, jobs: int) -> None:
        """The sources are found: how many, their bytes, and the workers there are."""
        self.count.sources, self.count.size = sources, size
        self._tell("start", schema_version=SCHEMA_VERSION, program=program(), sources=sources, bytes=size, jobs=jobs)

    def remembered(self, sources: int) -> None:
        """So many sources were looked at before."""
        self.count.looked += sources

    def look(self, source: Source) -> None:
        """A source was looked at."""
        self.count.looked += 1
        self._tell("look", name=source.name, member=source.member, looked=self.count.looked, sources=self.count.sources)

    def plan(self, pieces: int, seconds: float, remembered: int = 0) -> None:
        """The plan is made: pieces to measure, seconds of recording in them, and pieces that were there already."""
        self.count.pieces, self.count.seconds, self._planned = pieces, seconds, self._clock()
        self.count.looked = self.count.sources
        self._tell("plan", pieces=pieces, seconds=seconds, remembered=remembered)

    def recording(self, source: Source, state: Ended, reason: str = "") -> None:
        """Nothing is left to be done with a source."""
        c = self.count
        c.done += state == "done"
        c.failed += state in ("failed", "quarantined")
        c.skipped += state == "skipped"
        c.size_done += source.size
        so_far = {"done": c.done, "failed": c.failed, "skipped": c.skipped, "sources": c.sources}
        self._tell("recording", name=source.name, member=source.member, state=state, reason=reason, bytes=source.size, **so_far)

    def piece(self, piece: Piece, samples: int, wall: float) -> None:
        """A piece is measured: its frames, and the seconds it took."""
        self.count.pieces_done += 1
        self.count.seconds_done += piece.seconds
        what = {"key": piece.key, "site": piece.site, "device": piece.device, "point": piece.point}
        so_far = {"pieces_done": self.count.pieces_done, "pieces": self.count.pieces, "x_real_time": self.x_real_time, "left_s": self.left}
        self._tell("piece", **what, seconds=piece.seconds, samples=samples, wall_s=wall, **so_far)

    def fold(self, site: str, files: int, sites: int) -> None:
        """The data set of a site is made: files written, and the sites there are."""
        self.count.sites_done, self.count.sites = self.count.sites_done + 1, sites
        self._tell("fold", site=site, files=files, sites_done=self.count.sites_done, sites=sites)

    def finished(self, interrupted: bool = False) -> None:
        """It is over."""
        self._over = True
        c = self.count
        self._tell(
            "finished", done=c.done, failed=c.failed, skipped=c.skipped, seconds=self.elapsed, x_real_time=self.x_real_time, interrupted=interrupted
        )

    def _tell(self, kind: str, **facts: Any) -> None:
        if self._view is not None:
            self._view.event(kind, facts, self)


class Events:
    """Lines of JSON, for machines; where whoever reads them goes away, the batch goes on.

    Parameters
    ----------
    stream : text stream
        Standard output where it is None.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream

    def begin(self) -> None:
        """Nothing yet."""

    def event(self, kind: str, facts: dict[str, Any], progress: Progress) -> None:
        """Write a line."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # names of files may be in no known encoding
        told = {name: clean(value) if isinstance(value, str) else value for name, value in facts.items()}
        try:
            self._stream.write(json.dumps({"event": kind, "t": now, **told}, ensure_ascii=False, allow_nan=False) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            # nobody listens any more; that is no reason to leave the work half done
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())

    def end(self) -> None:
        """Nothing more."""


class Log:
    """A line a minute on standard error, and one at the end; failures go to the logger `ctmeter.batch`.

    Parameters
    ----------
    every : float
        Seconds between lines.
    clock : callable
        Seconds.
    """

    def __init__(self, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock = every, clock
        self._last = clock()

    def begin(self) -> None:
        """Count the minute from here."""
        self._last = self._clock()

    def event(self, kind: str, facts: dict[str, Any], progress: Progress) -> None:
        """Say it where it is time."""
        if kind == "recording" and facts["state"] in ("failed", "quarantined"):
            log.info("%s: %s: %s", facts["name"], facts["state"], facts["reason"])
        now = self._clock()
        if now - self._last >= self._every or (kind == "finished" and progress.count.sources):
            self._last = now
            print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} ctmeter: {_line(progress)}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Nothing more."""


class Bar:
    """A bar on standard error, for a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Rich
        from rich.table import Column

        # of a narrow terminal the words give way, from their end
        self._bar = Rich(
            BarColumn(bar_width=None, table_column=Column(min_width=12, max_width=24, ratio=1)),
            TaskProgressColumn(table_column=Column(min_width=4, no_wrap=True)),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=8)),
            console=Console(stderr=True),
            expand=True,
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=1.0)

    def begin(self) -> None:
        """Show it."""
        self._bar.start()

    def event(self, kind: str, facts: dict[str, Any], progress: Progress) -> None:
        """Move it."""
        self._bar.update(self._task, completed=progress.count.fraction, description=_line(progress, for_bar=True))

    def end(self) -> None:
        """Take it away."""
        self._bar.stop()


def view_for(quiet: bool = False, json_lines: bool = False) -> View | None:
    """Who shows it: events on standard output, a bar where standard error is a terminal, else a line a minute; nobody where it is to be quiet."""
    if json_lines:
        return Events()
    if quiet:
        return None
    return Bar() if sys.stderr.isatty() else Log()


def _line(progress: Progress, for_bar: bool = False) -> str:
    """How far it has come, in one line; beside a bar what is most wanted comes first."""
    c = progress.count
    if c.looked < c.sources:
        return f"{c.looked} of {c.sources} files looked at, {c.failed} failed" if c.failed else f"{c.looked} of {c.sources} files looked at"
    words = [f"{c.ended} of {c.sources} files", f"{_bytes(c.size_done)} of {_bytes(c.size)}"]
    if c.failed:
        words.append(f"{c.failed} failed")
    if c.pieces:
        words.append(f"{c.pieces_done} of {c.pieces} pieces")
    if (rate := progress.x_real_time) is not None:
        words.append(f"{rate:.3g} x real time" if rate < 1000 else f"{rate:.0f} x real time")
    if c.sites:
        words.append(f"{c.sites_done} of {c.sites} sites folded")
    elif (left := progress.left) is not None and left >= 1:
        words.append(f"{_duration(left)} left")
    return ", ".join([*reversed(words[2:]), *words[:2]] if for_bar else words)


def _bytes(n: float) -> str:
    units = ["B", "kB", "MB", "GB", "TB"]
    while n >= 1000 and len(units) > 1:
        n /= 1000
        units.pop(0)
    return f"{n:.0f} {units[0]}" if units[0] == "B" or n >= 100 else f"{n:.3g} {units[0]}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"
