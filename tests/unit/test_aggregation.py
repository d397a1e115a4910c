"""150/180 cycles, 10 min and 2 h: against numbers worked out by hand, against plain loops, and for any split."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctmeter.aggregation import Aggregator
from ctmeter.errors import InputError
from ctmeter.quantity import EXTRAS, LIST_LENGTH, Flag, Rule, columns
from ctmeter.recording import Wiring
from ctmeter.settings import Settings
from reference import aggregation as slow
from unit.aggregation_windows import NOON, S, as_windows, everything, flagged, grid

FREQUENCIES = (49.73, 50.02, 50.31, 59.69)
Rows = dict[str, np.ndarray]


def aggregator(wiring: str = "3P4W", nominal: float = 50.0, start_ns: int | None = NOON, **given: Any) -> Aggregator:
    return Aggregator(Settings(wiring=wiring, **given), nominal, Wiring(wiring), start_ns)


def joined(parts: list[dict[str, Rows]]) -> dict[str, Rows]:
    result: dict[str, Rows] = {}
    for table in ("3s", "10min", "2h"):
        pieces = [p[table] for p in parts if table in p]
        if pieces:
            result[table] = {name: np.concatenate([p[name] for p in pieces]) for name in pieces[0]}
    return result


def run(rows: Rows, made: Aggregator | None = None, cuts: tuple[int, ...] = (), restore: bool = False, **given: Any) -> dict[str, Rows]:
    """All tables, fed in parts that end at `cuts`."""
    made = made or aggregator(**given)
    edges = [0, *sorted(cuts), len(rows["t"])]
    parts = []
    for a, b in pairwise(edges):
        parts.append(made.feed({name: values[a:b] for name, values in rows.items()}))
        if restore:
            made = Aggregator.restore(made.snapshot())
    return joined([*parts, made.flush()])


def windows(frequency: float = 50.0, seconds: float = 3.0, **values: Any) -> Rows:
    """Windows of the given columns, which repeat."""
    start = values.pop("start_ns", NOON)
    rows = flagged(grid(frequency, seconds, start_ns=start, first=values.pop("first", 0.0), cycles=values.pop("cycles", 10)))
    n = len(rows["t"])
    return {**rows, **{name: np.resize(np.array(v, float if name[:5] != "flags" else np.uint32), n) for name, v in values.items()}}


# by hand


def test_three_seconds_are_fifteen_windows():
    table = run(windows(50.0, 6.1))["3s"]
    assert (table["t"] - NOON).tolist() == [0, 3 * S]
    assert table["n"].tolist() == [15, 15] and table["duration"] == pytest.approx([3.0, 3.0])
    assert table["flags"].tolist() == [0, 0]


def test_rms_of_alternating_values():
    table = run(windows(U_L1=[3, 4, 5], I_L1=[1, 1, 2]))["3s"]
    assert table["U_L1"][0] == pytest.approx(math.sqrt(50 / 3), rel=1e-14)
    assert table["I_L1"][0] == pytest.approx(math.sqrt(2), rel=1e-14)


def test_power_factor_is_of_the_aggregates():
    table = run(windows(P_L1=[100, -50, 100], S_L1=[100, 100, 200], PF_L1=[1, -0.5, 0.5]))["3s"]
    assert table["P_L1"][0] == pytest.approx(50) and table["S_L1"][0] == pytest.approx(400 / 3)
    assert table["PF_L1"][0] == pytest.approx(50 / (400 / 3), rel=1e-14)


def test_power_factor_without_apparent_power_is_null():
    assert np.isnan(run(windows(P=[0.0], S=[0.0], PF=[np.nan]))["3s"]["PF"][0])


def test_fundamentals_are_complex_means():
    table = run(windows(seconds=2.0, I1_L1=[1, 1], phi_I_L1=[0, 90]))["3s"]
    assert table["n"][0] == 10 and table["flags"][0] == Flag.INCOMPLETE
    assert table["I1_L1"][0] == pytest.approx(math.sqrt(0.5), rel=1e-14) and table["phi_I_L1"][0] == pytest.approx(45)


def test_displacement_is_of_the_aggregates():
    """P1 half of S1, Q1 as much, negative: cos phi of the phase 1/2, of the sum cos 45 degrees; DPF of a window says nothing."""
    given = {f"{name}{p}": values for p in ("", "_L1") for name, values in {"P1": [230, 0], "Q1": [0, -230], "S1": [230], "DPF": [7]}.items()}
    table = run(windows(seconds=2.0, **given))["3s"]
    for p in ("", "_L1"):
        assert (table[f"P1{p}"][0], table[f"Q1{p}"][0], table[f"S1{p}"][0]) == pytest.approx((115, -115, 230))
    assert table["DPF_L1"][0] == pytest.approx(0.5) and table["DPF"][0] == pytest.approx(0.5**0.5)


def test_angles_near_180_degrees_do_not_cancel():
    table = run(windows(seconds=2.0, U1_L2=[230, 230], phi_U_L2=[179, -179]))["3s"]
    assert abs(table["phi_U_L2"][0]) == pytest.approx(180) and table["U1_L2"][0] == pytest.approx(230 * math.cos(math.radians(1)))


def test_a_fundamental_without_any_angle_is_a_plain_mean():
    table = run(windows(seconds=2.0, I1_L1=[1, 3], phi_I_L1=[np.nan]))["3s"]
    assert table["I1_L1"][0] == pytest.approx(2) and np.isnan(table["phi_I_L1"][0])


def test_three_wire_displacement_is_of_the_total_alone():
    table = run(windows(seconds=2.0, P1=[3, 1], Q1=[3, 3], S1=[18**0.5, 10**0.5], DPF=[0]), wiring="3P3W")["3s"]
    assert table["DPF"][0] == pytest.approx(2 / 13**0.5, rel=1e-12) and "DPF_L1" not in table


def test_power_sets_are_aggregated_from_those_of_the_windows():
    """Roots of mean squares of voltages and currents, means of powers, and ratios of what is aggregated in the row."""
    given = {"P": [3000, 1000], "Ue": [300, 400], "Ie1": [5, 0], "Se": [4000, 1000], "SeN": [300, 100], "Se1": [3900, 100], "HP": [9]}
    given |= {"S_sum": [4000, 4000], "PF_sum": [9], "Q_sum": [np.nan, 7]}
    table = run(windows(seconds=2.0, **given), wiring="3P3W", power_sets=True)["3s"]
    wanted = {"Ue": math.sqrt((300**2 + 400**2) / 2), "Ie1": math.sqrt(12.5), "Se": 2500, "SeN": 200, "HP": 0.1, "PF_sum": 0.5, "Q_sum": 7}
    assert {name: table[name][0] for name in wanted} == pytest.approx(wanted, rel=1e-12)
    assert "S_arithmetic" not in table


def test_nothing_has_no_angle_and_counts():
    """A current of nothing in every other window; one that is null does not count."""
    table = run(windows(seconds=2.0, I1_L1=[10, 0], phi_I_L1=[-30, np.nan], I1_L2=[10, np.nan], phi_I_L2=[-30, np.nan]))["3s"]
    assert table["I1_L1"][0] == pytest.approx(5) and table["phi_I_L1"][0] == pytest.approx(-30)
    assert table["I1_L2"][0] == pytest.approx(10) and table["phi_I_L2"][0] == pytest.approx(-30)
    table = run(windows(seconds=2.0, I1_L1=[0], phi_I_L1=[np.nan]))["3s"]
    assert table["I1_L1"][0] == 0 and np.isnan(table["phi_I_L1"][0])


def test_no_frequency_no_displacement():
    powers = {f"{n}{p}": [1] for n in ("P1", "Q1", "S1", "DPF") for p in ("", "_L1")}
    for f, there in (([np.nan], False), ([50, np.nan], True)):
        table = run(windows(seconds=2.0, f=f, **powers))["3s"]
        assert [np.isfinite(table[n][0]) for n in ("DPF", "DPF_L1")] == [there, there]


def test_null_values_are_left_out_and_stay_null_where_nothing_is_left():
    nan = np.nan
    table = run(windows(U_L1=[nan, 3, 4], U_L2=[nan], P=[nan, 10, 20], Umin_L1=[nan, 7, 5], Pinst_L1=[nan, 0.1, 0.5]))["3s"]
    assert table["U_L1"][0] == pytest.approx(math.sqrt(12.5)) and np.isnan(table["U_L2"][0])
    assert table["P"][0] == pytest.approx(15) and table["Umin_L1"][0] == 5 and table["Pinst_L1"][0] == 0.5
    assert table["n"][0] == 15 and table["flags"][0] == 0


def test_entries_of_lists_are_null_apart():
    rows = windows()
    rows["HU_L1"] = np.full((15, 51), 2.0, np.float32)
    rows["HU_L1"][:, 41:] = np.nan
    rows["HU_L1"][::3, 7] = np.nan
    rows["HU_L1"][1::3, 7] = 4.0
    table = run(rows)["3s"]
    assert table["HU_L1"].dtype == np.float32 and table["HU_L1"].shape == (1, 51)
    assert (table["HU_L1"][0, :7] == 2).all() and np.isnan(table["HU_L1"][0, 41:]).all()
    assert table["HU_L1"][0, 7] == pytest.approx(math.sqrt(10))


def test_frequency_and_power_count_by_duration():
    rows = windows(seconds=3.0, f=[50.0], P=[100.0])
    rows["f"][:5], rows["duration"][:5], rows["P"][:5] = 40.0, 0.25, 50.0
    table = run(rows)["3s"]
    assert table["f"][0] == pytest.approx(150 / (5 * 0.25 + 10 * 0.2)) and table["P"][0] == pytest.approx((62.5 + 200) / 3.25)


def test_ten_minutes_at_exactly_50_hz():
    rows = windows(50.0, 1200.5, U_L1=[229, 230, 231], f=[50.0])
    rows["U_L1"][5] = 180.0
    tables = run(rows, nominal_voltage=230)
    table = tables["10min"]
    assert (table["t"] - NOON).tolist() == [0, 600 * S, 1200 * S] and table["n"].tolist() == [3000, 3000, 2]
    assert (table["flags"] == [0, 0, Flag.INCOMPLETE]).all()
    assert table["U_L1"][1] == pytest.approx(math.sqrt((229**2 + 230**2 + 231**2) / 3), rel=1e-13)
    assert (table["U_L1_min"][0], table["U_L1_max"][0], table["U_L1_min"][1]) == (180.0, 231.0, 229.0)
    under = (230 - math.sqrt((229**2 + 2 * 230**2) / 3)) / 230 * 100
    over = (math.sqrt((231**2 + 2 * 230**2) / 3) - 230) / 230 * 100
    assert table["under_L1"][1] == pytest.approx(under, rel=1e-9) and table["over_L1"][1] == pytest.approx(over, rel=1e-9)
    assert table["duration"][:2] == pytest.approx([600, 600]) and len(tables["3s"]["t"]) == 401
    assert "under_L1" not in tables["3s"] and "U_L1_min" not in tables["3s"]


def test_no_deviations_without_a_nominal_voltage_nor_negative_ones():
    assert "under_L1" not in run(windows(U_L1=[230]))["10min"]
    table = run(windows(U_L1=[230], U_L12=[398.0]), nominal_voltage=230, voltages="line")["10min"]
    assert table["under_L1"][0] == table["over_L1"][0] == table["over_L12"][0] == 0.0
    assert table["under_L12"][0] == pytest.approx((1 - 398 / (230 * 3**0.5)) * 100)


def test_two_hours_of_twelve_ten_minutes():
    rows = windows(50.0, 7200.0, U_L1=[230.0], P=[1000.0])
    rows["U_L1"] = 220.0 + (rows["t"] - NOON) // (600 * S)
    table = run(rows)["2h"]
    assert (table["t"] - NOON).tolist() == [0] and table["n"].tolist() == [36000] and table["flags"].tolist() == [0]
    assert table["U_L1"][0] == pytest.approx(math.sqrt(sum((220 + k) ** 2 for k in range(12)) / 12), rel=1e-13)
    assert (table["U_L1_min"][0], table["U_L1_max"][0]) == (220.0, 231.0)
    assert table["duration"][0] == pytest.approx(7200) and table["P"][0] == pytest.approx(1000)


def test_each_ten_minutes_count_once_in_two_hours():
    rows = windows(50.0, 1200.0, U_L1=[100.0], start_ns=NOON + 4200 * S)
    rows["U_L1"][rows["t"] >= NOON + 4800 * S] = 200.0
    kept = rows["t"] >= NOON + 4500 * S
    tables = run({name: values[kept] for name, values in rows.items()})
    assert tables["10min"]["n"].tolist() == [1500, 3000] and (tables["10min"]["flags"] == [Flag.INCOMPLETE, 0]).all()
    assert tables["2h"]["U_L1"][0] == pytest.approx(math.sqrt((100**2 + 200**2) / 2)) and tables["2h"]["flags"][0] == Flag.INCOMPLETE
    assert (tables["2h"]["t"] - NOON).tolist() == [0]


# flicker


def pst(*values: float, first: int = NOON, **more: Any) -> Rows:
    return {"t": first + 600 * S * np.arange(len(values)), "Pst_L1": np.array(values), "flags": np.zeros(len(values), np.uint32), **more}


def test_plt_needs_twelve_pst():
    values = [0.5, 1.0, 0.7, 0.8, 0.9, 1.1, 1.2, 0.3, 0.4, 0.6, 0.65, 0.75]
    rows = windows(10.0, 14400.0, U_L1=[230])
    made = aggregator()
    made.feed_pst(pst(*values))
    tables = joined([made.feed({n: v[rows["t"] < NOON + 7210 * S] for n, v in rows.items()})])
    assert tables["10min"]["Pst_L1"] == pytest.approx(values)
    plt = (sum(v**3 for v in values) / 12) ** (1 / 3)
    assert tables["2h"]["Plt_L1"][0] == pytest.approx(plt, rel=1e-14) and tables["2h"]["Pst_L1"][0] == pytest.approx(plt, rel=1e-14)
    made.feed_pst(pst(*values[:5], np.nan, *values[6:], first=NOON + 7200 * S))
    second = joined([made.feed({n: v[rows["t"] >= NOON + 7210 * S] for n, v in rows.items()}), made.flush()])
    assert np.isnan(second["10min"]["Pst_L1"][5]) and "Plt_L1" not in second["2h"]
    assert second["2h"]["Pst_L1"][0] == pytest.approx((sum(v**3 for k, v in enumerate(values) if k != 5) / 11) ** (1 / 3))


def test_pst_may_come_after_the_tick_and_only_its_own_flags_stay_behind():
    rows = windows(50.0, 610.0, U_L1=[230])
    made, n = aggregator(), int(np.searchsorted(rows["t"], NOON + 602 * S))
    first = made.feed({name: v[:n] for name, v in rows.items()})
    assert "10min" not in first
    made.feed_pst(pst(0.8, flags=np.array([Flag.SETTLING | Flag.INCOMPLETE | Flag.DIP], np.uint32)))
    later = made.feed({name: v[n:] for name, v in rows.items()})
    assert later["10min"]["Pst_L1"][0] == 0.8 and later["10min"]["flags"][0] == Flag.DIP
    # complete with the first window three seconds after the tick
    assert later["10min"]["seen"][0] == 1 + np.flatnonzero(rows["t"] >= NOON + 603 * S)[0]


# the tick


@pytest.mark.parametrize("f", FREQUENCIES)
def test_resynchronisation_at_the_tick(f: float):
    """Counts and overlaps follow from the frequency alone."""
    cycles = 10 if f < 55 else 12
    nominal, length, first = 50.0 if f < 55 else 60.0, cycles / f, 0.3 / f
    rows = windows(f, 1805.0, first=first, start_ns=NOON, cycles=cycles, U_L1=[230])
    tables = run(rows, nominal=nominal)
    begin, expected, starts = first, [], []
    for tick in (600.0, 1200.0, 1800.0):
        assert 1e-3 < (tick - first) * f % 1 / f < 1 / f - 1e-3, "no zero crossing near the tick"
        n = math.ceil((tick - begin) / length)
        expected.append(n)
        starts += [begin + 15 * length * k for k in range(math.ceil(n / 15))]
        end_of_window, end_of_group = begin + n * length, starts[-1] + 15 * length
        begin = first + math.ceil((tick - first) * f) / f
        assert 0 < end_of_window - begin < length and 0 < end_of_group - begin < 15 * length
    assert tables["10min"]["n"][:3].tolist() == expected and not tables["10min"]["flags"][:3].any()
    table = tables["3s"]
    assert (table["t"][: len(starts)] - NOON) / S == pytest.approx(starts, abs=1e-8)
    assert (table["n"][: len(starts)] == 15).all() and not table["flags"][: len(starts)].any()
    assert (table["t"][len(starts)] - NOON) / S == pytest.approx(begin, abs=1e-8)


@pytest.mark.parametrize("start", [0.0, 1.0, 2.8])
def test_a_window_that_ends_at_the_very_tick(start: float):
    """The running 150-cycle interval still goes on; nothing of the new ten minutes is counted twice."""
    rows = windows(50.0, 1210.0, start_ns=NOON + round(start * S), U_L1=[230])
    tables = run(rows)
    assert tables["10min"]["n"].tolist() == [round((600 - start) * 5), 3000, round((10 + start) * 5)]
    assert (tables["3s"]["n"][:-1] == 15).all() and set(tables["3s"]["flags"][:-1].tolist()) == {0}
    overlap = tables["3s"]["t"][:-1] + 3 * S - tables["3s"]["t"][1:]
    assert set(overlap.tolist()) == {0, round(start * S)}


def test_a_dip_flags_exactly_the_intervals_it_touches():
    """A flagged window that runs over the tick is of the old 10 min; those on the old grid flag the old 150 cycles alone."""
    rows = windows(50.02, 620.0, first=0.005, U_L1=[230])
    tick, dip = NOON + 600 * S, np.uint32(Flag.DIP)
    during = (rows["t1"] > tick + S // 20) & (rows["t"] < tick + S // 10) & (rows["t"] < tick)
    rows["flags"][during] = rows["flags_L2"][during] = dip
    tables = run(rows)
    assert rows["kind"][during].tolist() == [1]
    assert (tables["10min"]["flags"] & dip).tolist() == [dip, 0] and (tables["10min"]["flags_L2"] & dip).tolist() == [dip, 0]
    assert not (tables["10min"]["flags_L1"] & dip).any()
    assert ((tables["3s"]["flags"] & dip) > 0).tolist() == [t < tick <= t + 3 * S for t in tables["3s"]["t"].tolist()]
    late = windows(50.02, 620.0, first=0.005, U_L1=[230])
    only = np.flatnonzero(late["kind"] == 2)[-1]
    late["flags"][only] = dip
    tables = run(late)
    assert not (tables["10min"]["flags"] & dip).any() and np.count_nonzero(tables["3s"]["flags"] & dip) == 1


# what is missing


def without(rows: Rows, a: float, b: float) -> Rows:
    """Rows without the windows that touch the time between a and b, s after noon, and without the tails this cuts."""
    kept = (rows["t1"] <= NOON + round(a * S)) | (rows["t"] >= NOON + round(b * S))
    return {name: values[kept] for name, values in rows.items()}


def test_a_gap_cuts_three_seconds_short():
    tables = run(without(windows(50.0, 12.0, U_L1=[230]), 4.1, 5.0))
    assert tables["3s"]["n"].tolist() == [15, 5, 15, 15, 5]
    cut, end = Flag.GAP | Flag.INCOMPLETE, Flag.INCOMPLETE
    assert (tables["3s"]["flags"] == [0, cut, 0, 0, end]).all()
    assert tables["3s"]["U_L1"] == pytest.approx([230] * 5)


@pytest.mark.parametrize(("length", "expected"), [(0.1, Flag.GAP), (0.3, Flag.GAP | Flag.INCOMPLETE), (100.0, Flag.GAP | Flag.INCOMPLETE)])
def test_ten_minutes_with_a_gap(length: float, expected: Flag):
    rows = windows(50.0, 700.0, U_L1=[230])
    after = rows["t"] >= NOON + 200 * S
    for name in ("t", "t1"):
        rows[name][after] += round(length * S)
    kept = (rows["kind"] == 0) & (rows["t1"] <= NOON + 600 * S)
    table = run({name: v[kept] for name, v in rows.items()})["10min"]
    assert table["flags"].tolist() == [expected] and table["n"][0] == np.count_nonzero(kept) and table["U_L1"][0] == pytest.approx(230)


def test_a_gap_over_the_tick_and_whole_intervals():
    tables = run(without(windows(50.0, 3000.0, U_L1=[230]), 590.0, 1900.0))
    table = tables["10min"]
    assert ((table["t"] - NOON) // (600 * S)).tolist() == [0, 3, 4] and table["n"].tolist() == [2950, 2500, 3000]
    both = Flag.GAP | Flag.INCOMPLETE
    assert (table["flags"] == [both, both, 0]).all()
    assert tables["3s"]["n"][196] == 10 and tables["3s"]["flags"][196] == both


def test_a_gap_while_the_old_grid_runs_on():
    rows = without(windows(50.02, 700.0, first=0.005, U_L1=[230]), 600.9, 602.0)
    tables = run(rows)
    short = tables["3s"]["n"] < 15
    assert np.count_nonzero(short) == 3 and (tables["3s"]["flags"][short] & Flag.INCOMPLETE).all()
    assert (np.diff(tables["3s"]["t"]) > 0).all() and tables["10min"]["flags"].tolist() == [0, Flag.GAP | Flag.INCOMPLETE]


def test_intervals_at_the_ends_are_incomplete_without_a_gap():
    tables = run(windows(50.0, 1800.0, start_ns=NOON + 300 * S, U_L1=[230]))
    assert (tables["10min"]["flags"] == [Flag.INCOMPLETE, 0, 0, Flag.INCOMPLETE]).all()
    assert (tables["10min"]["t"] - NOON).tolist() == [0, 600 * S, 1200 * S, 1800 * S]


@pytest.mark.parametrize("f", [42.6, 49.73, 50.31, 57.4])
def test_a_recording_of_exactly_ten_minutes_is_complete(f: float):
    """It begins within a cycle after the tick and ends within a window."""
    assert run(windows(f, 600.0, first=0.99 / f, U_L1=[230]))["10min"]["flags"].tolist() == [0]


def test_without_a_clock_every_row_says_so_and_counts_from_the_first_sample():
    rows = windows(50.02, 1300.0, start_ns=0, first=0.004, U_L1=[230])
    tables = run(rows, start_ns=None)
    for table in tables.values():
        assert (table["flags"] & Flag.NO_CLOCK).all() and (table["flags_L3"] & Flag.NO_CLOCK).all()
    assert tables["10min"]["t"].tolist() == [0, 600 * S, 1200 * S] and tables["2h"]["t"].tolist() == [0]
    assert (tables["10min"]["flags"] & Flag.INCOMPLETE > 0).tolist() == [False, False, True]


def test_a_stretch_without_a_clock_starts_a_grid_of_its_own():
    made = aggregator(start_ns=None)
    parts = [made.begin(None), made.feed(windows(50.0, 700.0, start_ns=0, U_L1=[230])), made.begin(None, 700 * S)]
    second = windows(50.0, 900.0, start_ns=0, U_L1=[230])
    made.feed_pst(pst(0.5, first=700 * S))
    parts.append(made.feed({**second, "t": second["t"] + 700 * S, "t1": second["t1"] + 700 * S}))
    parts.append(made.flush())
    t = np.concatenate([p["10min"]["t"] for p in parts if "10min" in p])
    assert t.tolist() == [0, 600 * S, 700 * S, 1300 * S] and parts[3]["10min"]["Pst_L1"].tolist() == [0.5]
    assert [n for p in parts if "10min" in p for n in p["10min"]["n"].tolist()] == [3000, 500, 3000, 1500]


def test_intervals_go_on_over_stretches_with_a_clock():
    rows = windows(50.0, 300.0, U_L1=[230])
    made = aggregator()
    parts = [
        made.feed({name: v[:700] for name, v in rows.items()}),
        made.begin(NOON + 140 * S),
        made.feed({name: v[700:] for name, v in rows.items()}),
    ]
    assert parts[1] == {} and made.flush()["10min"]["n"].tolist() == [1500]


def test_a_clock_that_jumps_back_starts_anew():
    rows = windows(50.0, 1500.0, U_L1=[230])
    back = {name: np.concatenate([v[:5000], v[:100]]) for name, v in rows.items()}
    tables = run(back)
    assert ((tables["10min"]["t"] - NOON) // (600 * S)).tolist() == [0, 1, 0] and tables["10min"]["n"].sum() == np.count_nonzero(back["kind"] < 2)


def test_nothing_fed_nothing_comes():
    assert aggregator().flush() == {}
    made = aggregator()
    rows = windows(seconds=0.0)
    assert made.feed(rows) == {} and made.flush() == {}


# every column by its rule, against plain loops

RULES = {c.name: str(c.rule) for c in columns("basic", extras=EXTRAS) if c.rule not in (Rule.NONE, Rule.START, Rule.SUM)}
LISTS = ("HU", "HI", "IHU", "IHI", "GU", "GI", "IGU", "IGI")


def close(name: str, value: Any, expected: Any) -> bool:
    if name.startswith("flags"):
        mine = int(Flag.GAP | Flag.INCOMPLETE)  # what aggregation itself finds is another matter
        return (int(value) | mine) == (expected | mine)
    if isinstance(expected, list):
        return all(close(name, v, e) for v, e in zip(value.tolist(), expected, strict=True))
    if expected is None:
        return bool(np.isnan(value).all())
    tolerance = 2e-7 if name.startswith(LISTS) else 1e-11
    return math.isclose(float(value), float(expected), rel_tol=tolerance, abs_tol=1e-9)


def faults(table: Rows, k: int, expected: dict[str, Any]) -> list[str]:
    missing = [name for name, e in expected.items() if name not in table and e is not None]
    return missing + [f"{name}: {table[name][k]} {e}" for name, e in expected.items() if name in table and not close(name, table[name][k], e)]


def nulls(name: str) -> float:
    return {"U_L2": 0.3, "phi_U_L3": 0.2, "I1_L2": 0.2, "P_L3": 0.4, "HU_L23": 1.0, "THD_I_L1": 1.0, "HI_L2": 0.2, "Pinst_L1": 0.5}.get(name, 0.0)


@pytest.fixture(scope="module")
def stream() -> Rows:
    """Every column over two ticks and a gap, at a low frequency so that there are few windows."""
    rows = everything(grid(12.41, 1500.0, NOON + 5900 * S, 0.03), 7, nulls)
    gap = (rows["t1"] < NOON + 7000 * S) | (rows["t"] > NOON + 7011 * S)
    return {name: values[gap] for name, values in rows.items()}


def test_every_column_of_three_seconds(stream: Rows):
    table, groups = run(stream)["3s"], slow.sequences(as_windows(stream))
    assert len(groups) == len(table["t"]) > 100 and {len(g) for g in groups} > {15}
    assert table["t"].tolist() == [g[0]["t"] for g in groups]
    for k, group in enumerate(groups):
        expected = slow.combine(group, RULES)
        assert not faults(table, k, expected)
        assert bool(table["flags"][k] & Flag.INCOMPLETE) >= (len(group) < 15)
    known = {c.name for c in columns("3s", extras=EXTRAS)}
    assert set(table) - {"seen"} == known


def test_every_column_of_ten_minutes_and_two_hours(stream: Rows):
    made, given = aggregator(nominal_voltage=230.0, voltages="line"), {"L1": 230.0, "L2": 230.0, "L3": 230.0}
    given |= dict.fromkeys(("L12", "L23", "L31"), 230.0 * 3**0.5)
    phases = [*given]
    ticks = sorted(slow.slots(as_windows(stream)))
    values = {f"Pst_{p}": np.arange(len(ticks)) / 8 + k for k, p in enumerate(phases)}
    made.feed_pst({"t": np.array(ticks) * 600 * S, **values})
    tables = run(stream, made)
    spread = [c.name for c in columns("basic") if c.quantity.extremes]
    tens: list[dict[str, Any]] = []
    for k, (slot, group) in enumerate(slow.slots(as_windows(stream)).items()):
        row = slow.combine(group, RULES)
        for name in spread:
            row[f"{name}_min"], row[f"{name}_max"] = slow.extremes(group, name)
        for p, u_din in given.items():
            row[f"under_{p}"], row[f"over_{p}"] = slow.deviations(group, f"U_{p}", u_din)
        row |= {f"Pst_{p}": k / 8 + phases.index(p) for p in phases}
        flags = row.pop("flags")
        table = tables["10min"]
        assert table["t"][k] == slot * 600 * S and table["flags"][k] & flags == flags
        assert bool(table["flags"][k] & Flag.INCOMPLETE) >= slow.incomplete(group, slot, 10)
        assert not faults(table, k, row)
        tens.append({**row, "slot": slot, "windows": group, "flags": int(table["flags"][k])})
    assert set(tables["10min"]) - {"seen"} == {c.name for c in columns("10min", extras=EXTRAS)}
    assert len(tables["2h"]["t"]) == 2
    for k, slot in enumerate(sorted({t["slot"] // 12 for t in tens})):
        mine = [t for t in tens if t["slot"] // 12 == slot]
        row = {name: slow.rms([t[name] for t in mine]) for name, rule in RULES.items() if rule == "rms" and not name.startswith(LISTS)}
        row |= slow.combine([w for t in mine for w in t["windows"]], {n: r for n, r in RULES.items() if r not in ("rms", "or")})
        for n in (n for n in spread if mine[0][f"{n}_min"] is not None):
            row[f"{n}_min"], row[f"{n}_max"] = min(t[f"{n}_min"] for t in mine), max(t[f"{n}_max"] for t in mine)
        row |= {f"Pst_{p}": (sum(t[f"Pst_{p}"] ** 3 for t in mine) / len(mine)) ** (1 / 3) for p in phases}
        for p in phases:
            row[f"under_{p}"] = 100 - slow.rms([100 - t[f"under_{p}"] for t in mine])
            row[f"over_{p}"] = slow.rms([100 + t[f"over_{p}"] for t in mine]) - 100
        assert not faults(tables["2h"], k, row)
        for name in ("HU_L1", "HI_L2", "IHI_L3", "GU_L31", "IGI_L2"):
            for h in (0, 7, 49):
                assert close(name, tables["2h"][name][k, h], slow.rms([t[name][h] for t in mine]))
        assert tables["2h"]["flags"][k] & Flag.INCOMPLETE


def test_every_rule_stands_in_a_column_of_the_tables():
    """No column of the quantity table is left without a way to be aggregated."""
    for table in ("3s", "10min", "2h"):
        for c in columns(table, extras=EXTRAS):
            assert c.rule is not Rule.NONE or c.quantity.name in ("under", "over", "Plt"), c.name
            assert c.dtype in ("f8", "i8", "u4", "time", *LIST_LENGTH)


# any split


def same(a: dict[str, Rows], b: dict[str, Rows]) -> bool:
    return a.keys() == b.keys() and all({n: v.tobytes() for n, v in a[t].items()} == {n: v.tobytes() for n, v in b[t].items()} for t in a)


@pytest.fixture(scope="module")
def at_once(stream: Rows) -> dict[str, Rows]:
    return run(stream, nominal_voltage=230.0)


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 1780), max_size=12).map(tuple), restore=st.booleans())
def test_cuts_and_snapshots_leave_no_trace(stream: Rows, at_once: dict[str, Rows], cuts: tuple[int, ...], restore: bool):
    assert same(run(stream, cuts=cuts, restore=restore, nominal_voltage=230.0), at_once)


def test_windows_one_by_one(stream: Rows, at_once: dict[str, Rows]):
    assert same(run(stream, cuts=tuple(range(1, len(stream["t"]))), nominal_voltage=230.0), at_once)


@given(f=st.floats(47, 53), first=st.floats(0, 0.02), into=st.floats(0, 3), cuts=st.lists(st.integers(0, 150), max_size=20).map(tuple))
@settings(max_examples=40)
def test_any_tick_any_cut(f: float, first: float, into: float, cuts: tuple[int, ...]):
    start = NOON + 600 * S - round((10 + into) * S)
    rows = windows(f, 25.0, start_ns=start, first=first, U_L1=[230, 229, 227, 224, 220.3])
    whole, parts = run(rows), run(rows, cuts=tuple(c for c in cuts if c <= len(rows["t"])))
    assert same(whole, parts)
    assert (np.diff(whole["3s"]["t"]) > 0).all() and whole["10min"]["n"].sum() == np.count_nonzero(rows["kind"] < 2)
    assert (whole["3s"]["n"][:-1] == 15).all() and (np.diff(whole["3s"]["seen"]) >= 0).all()


def test_columns_that_appear_later_are_null_before():
    rows = windows(50.0, 9.0, U_L1=[230], I_L1=[5], U1_L1=[229], phi_U_L1=[0])
    rows["HI_L1"] = np.full((len(rows["t"]), 51), 0.5, np.float32)
    made, later = aggregator(), ("I_L1", "HI_L1", "U1_L1", "phi_U_L1")
    parts = [made.feed({name: v[:20] for name, v in rows.items() if name not in later}), made.feed({name: v[20:] for name, v in rows.items()})]
    tables = made.flush()
    assert "I_L1" not in parts[0]["3s"] and parts[1]["3s"]["I_L1"][0] == 5.0 and parts[1]["3s"]["HI_L1"][0, 3] == 0.5
    assert tables["10min"]["I_L1"][0] == 5.0 and tables["10min"]["U_L1"][0] == pytest.approx(230) and tables["10min"]["U1_L1"][0] == 229


def test_the_state_does_not_grow():
    rows = windows(50.0, 5000.0, U_L1=[230], P=[3])
    made, sizes = aggregator(), []
    for k in range(0, len(rows["t"]), 1000):
        made.feed({name: v[k : k + 1000] for name, v in rows.items()})
        sizes.append(len(made.snapshot()))
    assert max(sizes[2:]) <= max(sizes[:20]) + 2000


@pytest.mark.parametrize("damage", [b"", b"12345678", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 20])
def test_damaged_snapshots_are_refused(damage: bytes):
    with pytest.raises(InputError, match="snapshot"):
        Aggregator.restore(damage)


def test_cut_snapshots_are_refused():
    made = aggregator()
    made.feed(windows(seconds=1.0, U_L1=[230]))
    state = made.snapshot()
    with pytest.raises(InputError, match="snapshot"):
        Aggregator.restore(state[: len(state) // 2])
