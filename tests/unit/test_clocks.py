"""A clock that is set while samples go on: what has its time by it, however the samples came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ctmeter.pipeline import Analyzer
from ctmeter.pipeline.clocks import Clock
from ctmeter.pipeline.result import Result
from ctmeter.recording import Channel
from unit.half_cycles import START

RATE, SECONDS = 3200.0, 12
NAMES = ("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3")
#: Frames from which on the clock is later, by how many ns in all.
SET = {9600: 3_000_000, 19200: -1_200_000, 19840: 3_700_000}
#: A transient of L1, after the last of them.
PEAK = 25_003


def waves() -> np.ndarray:
    t = np.arange(round(SECONDS * RATE)) / RATE
    angles = 2 * np.pi * 50.02 * t[:, None] - np.array([0.0, 2.07, 4.21])
    raw = np.concatenate([325 * np.cos(angles), 7 * np.cos(angles - 0.4)], 1)
    raw[PEAK : PEAK + 4, 0] += 1500
    return raw


def measured(size: int, snapshots: bool = False) -> Result:
    settings: dict[str, Any] = {
        "nominal_voltage": 230.0, "nominal_frequency": 50.0, "transient": 1.5, "snippets": True, "synchrophasor_rate": 50,
        "signalling_frequency": 317.0, "signalling_trace": True,
    }  # fmt: skip
    analyzer = Analyzer(settings, sample_rate=RATE, channels=[Channel(n) for n in NAMES], start=np.datetime64(START, "ns"))
    raw, at = waves(), 0
    while at < len(raw):
        if at in SET:
            assert analyzer.set_clock(START + round(at / RATE * 1e9) + SET[at])
        if snapshots:
            analyzer = Analyzer.restore(analyzer.snapshot())
        stop = min(at + size, *(a for a in (*SET, len(raw)) if a > at))
        analyzer.feed(raw[at:stop])
        at = stop
    return analyzer.finish()


@pytest.fixture(scope="module")
def whole() -> Result:
    return measured(1 << 20)


@pytest.mark.parametrize(("size", "snapshots"), [(1000, False), (1777, True)])
def test_no_bit_depends_on_how_the_samples_came(whole: Result, size: int, snapshots: bool):
    other = measured(size, snapshots)
    for table in ("basic", "frequency", "synchrophasor", "signalling"):
        assert repr(other.tables[table].to_pydict()) == repr(whole.tables[table].to_pydict()), table
    assert other.events == whole.events and other.energy == whole.energy


def test_transients_snippets_and_telegrams_go_by_the_clock(whole: Result):
    first = START + round(PEAK / RATE * 1e9) + 3_700_000
    (found,) = (e for e in whole.events if e["type"] == "transient")
    assert np.datetime64(found["t"].removesuffix("Z"), "ns").astype(np.int64) == first
    snippet = whole.snippet(found["snippet"])
    assert snippet is not None and snippet.start_ns is not None
    row = int(np.argmax(np.abs(snippet.read(["U_L1"])[:, 0])))
    assert 0 <= snippet.start_ns + round(row / RATE * 1e9) - first < 4 / RATE * 1e9
    t = whole.tables["signalling"]["t"].cast("int64").to_numpy()
    # values stand half a nominal cycle apart
    assert (t.min() - START) % 10_000_000 == 0 and (t.max() - START) % 10_000_000 == 3_700_000


def test_a_clock():
    clock = Clock(1_000, 1000.0)
    clock.set(100, 3_000_000)
    clock.set(200, -4_000_000)
    assert [clock.ns(k) - 1_000 for k in (99, 100, 199, 200)] == [99_000_000, 103_000_000, 202_000_000, 199_000_000]
    assert [clock.index(clock.ns(k)) for k in (50, 150, 250)] == pytest.approx([50, 150, 250])
