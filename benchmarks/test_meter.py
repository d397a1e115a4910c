"""The meter: what commits cost beside measuring, and how long a year of its load profile takes to read."""

from __future__ import annotations

import time

import numpy as np
import pytest
from benchmarks.measure import RATE, START_NS, Row, Table, best, channels, interleaved

from ctmeter.meter import Meter
from ctmeter.meter.profile import PROFILE_CHANNELS
from ctmeter.recording import Recording, Segment

#: Recording time between commits, s, and of the whole.
EVERY_S, SECONDS = 600, 1800


class Again:
    """A source that gives the same minute over and over."""

    def __init__(self, minute: np.ndarray) -> None:
        self._minute = minute

    def raw(self, start: int, stop: int) -> np.ndarray:
        n = len(self._minute)
        parts = []
        while start < stop:
            at = start % n
            parts.append(self._minute[at : at + stop - start])
            start += len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.empty((stop - start, 0), np.uint8)

    def close(self) -> None:
        pass


def test_commits(minute, report, tmp_path, monkeypatch):
    """At one commit in ten minutes of recording, commits take less than 2 % of the time that feeding takes, to the medium and back."""
    spent = {"commits": 0, "number": 0}
    store = Meter._store

    def timed(self, *args, **kwargs):
        before = time.perf_counter_ns()
        store(self, *args, **kwargs)
        spent["commits"] += time.perf_counter_ns() - before
        spent["number"] += 1

    monkeypatch.setattr(Meter, "_store", timed)
    shares, wholes, commits = [], [], []
    for k in range(3):
        n = SECONDS * round(RATE)
        recording = Recording(Again(minute), channels(), (Segment(0, n, RATE, START_NS),))
        spent.update(commits=0, number=0)
        with Meter.create(tmp_path / f"{k}.store") as meter:
            before = time.perf_counter_ns()
            meter.feed(recording, every_s=EVERY_S)
            whole = time.perf_counter_ns() - before
        assert spent["number"] in (3, 4)
        shares.append(spent["commits"] / whole)
        wholes.append(whole / 1e6)
        commits.append(spent["commits"] / 1e6)
    note = f"{spent['number']} commits; least {min(shares):.2%}, most {max(shares):.2%}"
    middle = int(np.argsort(shares)[1])
    report(
        Table(
            "feeding 30 min, wall clock",
            "share of feeding",
            [
                Row("feeding", wholes[middle], 0.0, None, None),
                Row(
                    "its commits",
                    commits[middle],
                    0.0,
                    shares[middle],
                    0.02,
                    note=note,
                ),
            ],
        )
    )


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """A store with the 35 040 records of a year of 15 min, all eight channels."""
    path = tmp_path_factory.mktemp("year") / "a.store"
    rng = np.random.default_rng(5)
    grown = rng.integers(0, 10**9, (35_040, len(PROFILE_CHANNELS)))
    values = np.cumsum(grown, axis=0)
    step = 900 * 10**9
    rows = [
        (START_NS + (k + 1) * step, START_NS + k * step, START_NS + (k + 1) * step, 0, step, 40, *v, *g)
        for k, (v, g) in enumerate(zip(values.tolist(), grown.tolist(), strict=True))
    ]
    with Meter.create(path, {"profile_channels": 6, "ct_ratio": 40, "variant": 2}) as meter:
        for a in range(0, len(rows), 1000):
            meter.ledger.commit({"profile": rows[a : a + 1000]})
    return path, values


def test_a_year_of_the_load_profile(year, report):
    """Opening the store and reading it as arrays: less than 0.3 s."""
    path, values = year

    def read():
        with Meter.open(path, readonly=True) as meter:
            return meter.ledger.columns("profile")

    table = read()
    assert len(table["t_ns"]) == 35_040 and (table["R4"] == values[:, 7]).all()
    seconds = best(read, 5) * 1e-9
    report(Table("a year of 15 min, 8 channels", "s", [Row("open and read", seconds * 1e3, 0.0, seconds, 0.3)]))


def test_small_commits(report, tmp_path, minute):
    """For following over time: a second of recording with and without a commit."""

    def once(every: float):
        def run() -> None:
            path = tmp_path / "one.store"
            path.unlink(missing_ok=True)
            with Meter.create(path) as meter:
                meter.feed(Recording(Again(minute), channels(), (Segment(0, 60 * round(RATE), RATE, START_NS),)), every_s=every)

        return run

    timings = interleaved({"one commit": once(3600), "a commit each 6 s": once(6)}, rounds=9, clock=time.perf_counter_ns)
    one = timings["one commit"].median
    report(
        Table("feeding 60 s, store made anew", "x one commit", [Row(k, t.median / 1e6, t.spread, t.median / one, None) for k, t in timings.items()])
    )
