"""Rows on their way: what the caller of `feed` gets does not depend on when it is looked at."""

import numpy as np
import pytest

from ctmeter.pipeline import Analyzer
from ctmeter.recording import Channel

FS = 3200.0
GIVEN = {"wiring": "1P2W", "nominal_voltage": 230.0, "nominal_frequency": 50}


def blocks(seconds=56.0, size=640):
    t = np.arange(round(seconds * FS)) / FS
    u = 230 * 2**0.5 * np.sin(2 * np.pi * 50 * t) * (1 + 0.01 * np.sin(t))
    frames = np.stack([u, u / 46], 1)
    return [frames[k : k + size] for k in range(0, len(frames), size)]


def analyzer(**given):
    return Analyzer({**GIVEN, **given}, sample_rate=FS, channels=[Channel("U_L1"), Channel("I_L1")], start="2026-03-02T00:00:00Z")


@pytest.mark.parametrize("given", [{}, {"half_cycle": True, "cycle": True}])
def test_rows_are_the_same_whenever_they_are_looked_at(given):
    feed = blocks()
    one, other, never = analyzer(**given), analyzer(**given), analyzer(**given)
    looked_at = ("basic", "cycle", "half_cycle", "frequency")
    at_once = [{t: rows[t] for t in looked_at} for rows in (one.feed(block) for block in feed)]
    kept = [other.feed(block) for block in feed]
    for block in feed:
        never.feed(block)
    results = [a.finish() for a in (one, other, never)]
    assert sum(rows["basic"].num_rows for rows in at_once) > 270
    for now, later in zip(at_once, kept, strict=True):
        assert all(now[t].equals(later[t]) for t in now)
    for result in results[1:]:
        assert result.summary == results[0].summary
        assert all(result.tables[t].equals(results[0].tables[t]) for t in result.tables)


def test_rows_stay_when_a_snapshot_or_a_segment_comes_between():
    feed = blocks(10.0)
    a = analyzer()
    rows = a.feed(np.concatenate(feed[:20]))
    state = a.snapshot()
    later = a.feed(np.concatenate(feed[20:40]))
    a.next_segment(FS, "2026-03-02T01:00:00Z")
    # the last window is not complete, and two wait for the values that could flag them
    assert rows["basic"].num_rows == 20 - 3 and later["basic"].num_rows == 20
    assert rows["basic"].column("t")[0].value < later["basic"].column("t")[0].value
    b = Analyzer.restore(state)
    assert b.feed(np.concatenate(feed[20:40]))["basic"].equals(later["basic"])


def test_rows_after_the_end():
    a = analyzer()
    rows = a.feed(np.concatenate(blocks(2.0)))
    total = a.finish().tables["basic"].num_rows
    assert 0 < rows["basic"].num_rows <= total
    b = analyzer()
    lost = b.feed(np.concatenate(blocks(2.0)))
    b.discard()
    assert lost["basic"].num_rows == 0
