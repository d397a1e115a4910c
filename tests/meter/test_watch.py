"""Indicators of the display and events of the supply, from rows of one second."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ctmeter.meter.machine import voltage_columns
from meter.bench import HOUR, START, Bench, S, rows


@pytest.mark.feature("B14")
def test_ramp_over_the_voltage_limit():
    """150 V to 170 V and back: the mark goes on once, above 160 V, and off once, below 156.8 V."""
    u = np.concatenate([np.arange(150.0, 170.0, 0.5), np.arange(170.0, 150.0, -0.5)])
    bench = Bench()
    bench.machine.begin(START)
    made = rows(START, len(u), 100.0, u=u)
    marks = []
    for k in range(len(u)):
        bench.machine.feed({name: v[k : k + 1] for name, v in made.items()})
        marks.append(bench.machine.watch.indicators(None, False, "").voltage)
    assert all(len(set(m)) == 1 for m in marks)
    on = [m[0] for m in marks]
    toggles = [k for k, (a, b) in enumerate(itertools.pairwise([False, *on])) if a != b]
    assert len(toggles) == 2 and u[toggles[0]] == 160.5 and u[toggles[1]] == 156.5


@pytest.mark.feature("B14", "C10")
def test_voltage_exactly_at_the_limit_is_none():
    bench = Bench().run(START, 10, 100.0, u=160.0)
    assert bench.machine.watch.indicators(None, False, "").voltage == (False, False, False) and bench.machine.watch.supplied_ns == 0


@pytest.mark.feature("B14")
def test_a_voltage_that_cannot_be_told_is_no_failure():
    """Not before the first that can, and not after it."""
    at = np.arange(30)
    u = np.where((at < 3) | ((at > 10) & (at < 14)), np.nan, 230.0)
    bench = Bench().run(START, 30, 100.0, u=u, size=2)
    assert bench.table("events") == [] and bench.machine.watch.supplied_ns == 24 * S
    dead = Bench().run(START, 30, 100.0, u=np.where(at < 3, np.nan, 5.0), size=2)
    assert dead.events("voltage-failure") == [(START + 3 * S, "begin", "")]


@pytest.mark.feature("B15")
@pytest.mark.parametrize(("watts", "mark"), [(0.59, 0), (0.6, 0), (0.61, 1), (-0.59, 0), (-0.61, -1), (0.0, 0)])
def test_a_load_of_more_than_0_6_w_in_a_phase(watts, mark):
    bench = Bench().run(START, 3, 3 * watts, P_L1=watts, P_L2=watts, P_L3=0.0)
    assert bench.machine.watch.indicators(None, False, "").current == (mark, mark, 0)


@pytest.mark.feature("B6")
@pytest.mark.parametrize(
    ("p", "q", "quadrant"),
    [(1, 1, 1), (-1, 1, 2), (-1, -1, 3), (1, -1, 4), (1, 0, 1), (-1, 0, 2), (0, 1, 1), (0, -1, 4), (0, 0, 1)],
)
def test_quadrant(p, q, quadrant):
    """A tie is import, and inductive."""
    assert Bench().run(START, 3, 100.0 * p, 100.0 * q).machine.watch.indicators(None, False, "").quadrant == quadrant


@pytest.mark.feature("B13")
@pytest.mark.parametrize(("column", "shown"), [(1.0, "123"), (-1.0, "132"), (np.nan, None)])
def test_phase_sequence(column, shown):
    assert Bench().run(START, 3, 100.0, sequence=column).machine.watch.indicators(None, False, "").sequence == shown


@pytest.mark.feature("B14", "A6")
def test_failure_of_all_phases_and_loss_of_one():
    u1 = np.where((np.arange(60) >= 20) & (np.arange(60) < 30), 0.0, 230.0)
    u2 = np.where((np.arange(60) >= 20) & (np.arange(60) < 40), 0.0, 230.0)
    bench = Bench().run(START, 60, 100.0, U_L1=u1, U_L2=u2, U_L3=u1, size=7)
    assert bench.events("voltage-failure") == [(START + 20 * S, "begin", ""), (START + 30 * S, "end", "")]
    assert bench.events("phase-loss") == [(START + 30 * S, "begin", "L2"), (START + 40 * S, "end", "L2")]
    assert bench.machine.watch.supplied_ns == 50 * S


@pytest.mark.feature("B10", "T2")
def test_suspicions_must_last_ten_seconds():
    """One phase against the others for 9 s is nothing, for 25 s it is said; so is a load on a phase without voltage."""
    at = np.arange(100)
    reverse = np.where(((at >= 10) & (at < 19)) | ((at >= 40) & (at < 65)), -300.0, 300.0)
    bench = Bench().run(START, 100, 900.0, P_L2=reverse, size=9)
    assert bench.events("reverse-current") == [(START + 49 * S, "begin", "L2"), (START + 65 * S, "end", "L2")]
    dead = np.where(at >= 50, 3.0, 230.0)
    bench = Bench().run(START, 100, 900.0, U_L3=dead, I_L3=1.0, size=13)
    assert bench.events("load-without-voltage") == [(START + 59 * S, "begin", "L3")]
    assert bench.events("phase-loss") == [(START + 50 * S, "begin", "L3")]


@pytest.mark.feature("B10", "A5")
def test_export_of_all_phases_is_no_suspicion():
    assert Bench().run(START, 60, -900.0).events("reverse-current") == []


@pytest.mark.feature("C10")
def test_hours_of_90_minutes_with_a_hole_of_30():
    bench = Bench().run(START, 1800, 100.0).run(START + HOUR, 1800, 100.0)
    assert bench.machine.values(START + HOUR)["hours"] == 1.0
    bench = Bench().run(START, 5400, 100.0, u=np.repeat([230.0, 100.0, 230.0], 1800))
    assert bench.machine.values(START + HOUR)["hours"] == 1.0


@pytest.mark.feature("B14", "X4")
def test_voltages_that_stand_for_the_phases():
    assert voltage_columns("3P4W") == ("U_L1", "U_L2", "U_L3") and voltage_columns("1P2W") == ("U_L1", None, None)
    assert voltage_columns("3P3W") == ("U_L12", None, "U_L23")
    bench = Bench(systems=2)
    bench.run(START, 5, 100.0, U_L12=400.0, U_L23=100.0)
    assert bench.machine.watch.indicators(None, False, "").voltage == (True, None, False)


def test_state_goes_on():
    bench = Bench().run(START, 47, 900.0, P_L2=-300.0, I_L1=0.0, U_L1=np.where(np.arange(47) > 30, 0, 230))
    other = Bench()
    other.machine.resume(bench.machine.state())
    assert other.machine.watch.state() == bench.machine.watch.state() and other.machine.watch.open == {
        ("reverse-current", "L2"),
        ("phase-loss", "L1"),
    }
