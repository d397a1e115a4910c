"""What a batch says on its way: events for machines, a bar, a line a minute."""

from __future__ import annotations

import io
import json
import logging
import re
import sys

import pytest

from ctmeter.batch import progress as module
from ctmeter.batch.engines import Interrupted
from ctmeter.batch.progress import Bar, Events, Log, Progress, view_for
from ctmeter.batch.work import Piece, Scan, Source


class Clock:
    """Time that passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def source(name: str, size: int) -> Source:
    return Source(f"/data/{name}", name, ((f"/data/{name}", size, "1"),))


def piece(seconds: int) -> Piece:
    return Piece("k" * 64, "north", "logger", "feeder", (), (0, seconds * 10**9), seconds=float(seconds))


def a_batch(view, clock: Clock) -> Progress:
    """Three files of 1 MB, one of them bad; two pieces of an hour and of half an hour, 10 s each."""
    with Progress(view, clock) as progress:
        progress.start(3, 3_000_000, 2)
        clock.now += 5
        progress.recording(source("bad.cfg", 1_000_000), "failed", "torn\nin two")
        progress.plan(2, 5400.0)
        for seconds, name in ((3600, "a.cfg"), (1800, "b.cfg")):
            clock.now += 10
            progress.piece(piece(seconds), seconds * 10_000, 9.5)
            progress.recording(source(name, 1_000_000), "done")
        progress.fold("north", 4, 1)
    return progress


def test_events():
    stream = io.StringIO()
    a_batch(Events(stream), Clock())
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert all(e.pop("t").endswith("Z") for e in events)
    assert [e.pop("event") for e in events] == ["start", "recording", "plan", "piece", "recording", "piece", "recording", "fold", "finished"]
    start, bad, plan, first, _, second, last, fold, finished = events
    assert start.pop("program")["name"] == "ctmeter"
    assert start == {"schema_version": 1, "sources": 3, "bytes": 3_000_000, "jobs": 2}
    assert bad == {
        "name": "bad.cfg", "member": "", "state": "failed", "reason": "torn\nin two", "bytes": 1_000_000,
        "done": 0, "failed": 1, "skipped": 0, "sources": 3,
    }  # fmt: skip
    assert plan == {"pieces": 2, "seconds": 5400.0, "remembered": 0}
    assert first == {
        "key": "k" * 64, "site": "north", "device": "logger", "point": "feeder", "seconds": 3600.0, "samples": 36_000_000, "wall_s": 9.5,
        "pieces_done": 1, "pieces": 2, "x_real_time": 360.0, "left_s": 5.0,
    }  # fmt: skip
    assert (second["x_real_time"], second["left_s"]) == (270.0, 0.0)
    assert (last["done"], last["failed"]) == (2, 1)
    assert fold == {"site": "north", "files": 4, "sites_done": 1, "sites": 1}
    assert finished == {"done": 2, "failed": 1, "skipped": 0, "seconds": 25.0, "x_real_time": 270.0, "interrupted": False}


def test_looking_takes_time_too(capsys):
    """Before the plan a line tells how many were looked at: nothing has been done with any of them yet."""
    one, stream = source("a.cfg", 100), io.StringIO()
    with Progress(Events(stream)) as progress:
        progress.start(3, 300, 1)
        progress.remembered(1)
        progress.look(one)
    told = json.loads(stream.getvalue().splitlines()[1])
    assert {k: told[k] for k in ("event", "name", "looked", "sources")} == {"event": "look", "name": "a.cfg", "looked": 2, "sources": 3}
    with Progress(Log()) as progress:
        progress.start(3, 300, 1)
        progress.look(one)
    assert "1 of 3 files looked at" in capsys.readouterr().err


def test_nothing_is_said_of_what_is_not_known():
    stream = io.StringIO()
    with pytest.raises(Interrupted), Progress(Events(stream), Clock()) as progress:
        progress.start(1, 10, 1)
        progress.plan(1, 0.0)
        progress.piece(Piece("k", "", "", "", (Scan(source("a", 10)),), None), 0, 0.0)
        raise Interrupted("SIGTERM")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert events[2]["x_real_time"] is None and events[2]["left_s"] is None
    assert events[-1]["event"] == "finished" and events[-1]["interrupted"] is True


def test_states_are_counted():
    with Progress() as progress:
        for state in ("done", "failed", "quarantined", "skipped", "done"):
            progress.recording(source("a", 7), state)
    count = progress.count
    assert (count.done, count.failed, count.skipped, count.ended, count.size_done) == (2, 2, 1, 5, 35)


def test_a_line_a_minute(capsys, caplog):
    caplog.set_level(logging.INFO, "ctmeter.batch")
    clock = Clock()
    with Progress(Log(60.0, clock), clock) as progress:
        progress.start(200, 200_000_000_000, 2)
        progress.plan(300, 360_000.0)
        for k in range(150):
            clock.now += 1
            progress.piece(piece(1200), 1, 1.0)
            progress.recording(source(f"{k}", 1_000_000_000), "failed" if k == 7 else "done", "torn")
    assert caplog.messages == ["7: failed: torn"]
    out, err = capsys.readouterr()
    assert not out
    assert [line.partition(" ctmeter: ")[2] for line in err.splitlines()] == [
        "59 of 200 files, 59 GB of 200 GB, 1 failed, 60 of 300 pieces, 1200 x real time, 4 min 00 s left",
        "119 of 200 files, 119 GB of 200 GB, 1 failed, 120 of 300 pieces, 1200 x real time, 3 min 00 s left",
        "150 of 200 files, 150 GB of 200 GB, 1 failed, 150 of 300 pieces, 1200 x real time, 2 min 30 s left",
    ]


def test_a_bar_on_a_terminal(monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "120")):
        monkeypatch.setenv(name, value)
    view = view_for()
    assert isinstance(view, Bar)
    a_batch(view, Clock())
    shown = screen.getvalue()
    assert "270 x real time, 2 of 2 pieces, 1 failed, 3 of 3 files, 3 MB of 3 MB" in shown and "100%" in shown


def test_a_narrow_terminal_shows_how_far_and_how_long(monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    clock = Clock()
    with Progress(view_for(), clock) as progress:
        progress.start(100_000, 10**12, 2)
        progress.plan(50_000, 5400.0)
        progress.recording(source("bad.cfg", 10**11), "failed", "torn")
        clock.now += 600
        progress.piece(piece(1800), 1, 9.5)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "━ 33% 20 min 00 s left, 3 x real time, 1 of 50000 pieces" in shown.replace("  ", " ")


def test_who_shows_it(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(view_for(), Log) and isinstance(view_for(json_lines=True), Events) and isinstance(view_for(True, True), Events)
    assert view_for(quiet=True) is None


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345, "12.3 kB"), (1.5e9, "1.5 GB"), (2e12, "2 TB"), (5e15, "5000 TB")]
)
def test_bytes_in_words(n, text):
    assert module._bytes(n) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.6, "1 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599.7, "1 h 00 min"), (90_000, "25 h 00 min")])
def test_durations_in_words(seconds, text):
    assert module._duration(seconds) == text
