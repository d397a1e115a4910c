"""Phases and orders that were not measured have a row without values, are named, and are in the way of a pass."""

import numpy as np
import pytest

from ctmeter.en50160 import assess
from en50160.test_sources import result
from en50160.weeks import GIVEN, START, counts, harmonics, phases, row, table, week

LINES = ("L12", "L23", "L31")


def without(name, *columns, **changes):
    tables = week(**changes)
    tables[name] = tables[name].drop_columns(list(columns))
    return tables


def named(found, quantity):
    return [{k: left.get(k) for k in ("what", "phases", "orders")} for left in found.data["not_measured"] if left["quantity"] == quantity]


@pytest.mark.parametrize(
    ("tables", "quantity", "phase", "missing", "what"),
    [
        (without("10min", "U_L3"), "U", "L3", 1008, "supply voltage L3"),
        (week(**{"10min": {"U_L3": np.nan}}), "U", "L3", 1008, "supply voltage L3"),
        (without("10min", "THD_U_L3"), "THD_U", "L3", 1008, "total harmonic distortion L3"),
        (without("2h", "Plt_L2"), "Plt", "L2", 84, "flicker L2"),
    ],
)
def test_a_phase_that_was_not_measured(tables, quantity, phase, missing, what):
    found = assess(tables, **GIVEN)
    assert found.verdict == "insufficient-data"
    one = row(found, quantity, phase)
    assert counts(one)[0] == 0 and counts(one)[3:] == (missing, "insufficient-data") and one["reason"] == "not measured"
    assert set(one["percentiles"].values()) == {None} and one["min"] is None
    assert named(found, quantity) == [{"what": what, "phases": [phase], "orders": None}]
    assert f"{what} not measured" in found.weeks[0]["reasons"]
    assert row(found, quantity, "L1")["verdict"] == "pass"


def test_the_harmonics_of_a_phase():
    found = assess(without("10min", "HU_L3"), **GIVEN)
    assert found.verdict == "insufficient-data"
    assert [counts(row(found, "HU", "L3", h)) for h in (2, 25)] == [(0, 0, None, 1008, "insufficient-data")] * 2
    assert named(found, "HU") == [{"what": "harmonics L3", "phases": ["L3"], "orders": None}]
    assert found.weeks[0]["reasons"] == ["harmonics L3 not measured"]


def test_an_order_of_all_phases_and_of_one():
    values = harmonics(h5=3.0)
    values[7] = np.nan
    found = assess(week(**{"10min": phases("HU", values)}), **GIVEN)
    assert found.verdict == "insufficient-data" and counts(row(found, "HU", "L2", 7)) == (0, 0, None, 1008, "insufficient-data")
    assert named(found, "HU") == [{"what": "harmonics of order 7", "phases": None, "orders": [7]}]
    found = assess(week(**{"10min": {"HU_L2": values}}), **GIVEN)
    assert named(found, "HU") == [{"what": "harmonics of order 7 L2", "phases": ["L2"], "orders": [7]}]
    assert row(found, "HU", "L1", 7)["verdict"] == "pass" and found.verdict == "insufficient-data"


def test_harmonics_without_a_fundamental():
    """Nothing can be said in % of it: every row is empty, and the parameter is named once."""
    values = harmonics(h5=3.0)
    values[1] = np.nan
    found = assess(week(**{"10min": phases("HU", values)}), **GIVEN)
    assert named(found, "HU") == [{"what": "harmonics", "phases": None, "orders": None}] and found.verdict == "insufficient-data"
    assert row(found, "HU", "L1", 5)["N"] == 0


def test_a_fail_stays_one():
    u = np.full(1008, 230.0)
    u[0] = 100.0
    assert assess(without("10min", "U_L3", **{"10min": {"U_L1": u}}), **GIVEN).verdict == "fail"


def test_what_is_not_required_counts_where_it_was_measured_on_some_phases():
    """Signalling of two of three phases is no pass; of none it is named and in nobody's way."""
    some = week(**{"3s": {"MSV_L1": 1.0, "MSV_L2": 1.0}})
    found = assess(some, signalling_frequency=175.0, **GIVEN)
    assert found.verdict == "insufficient-data" and counts(row(found, "MSV", "L3")) == (0, 0, None, 201_600, "insufficient-data")
    assert assess(week(), signalling_frequency=175.0, **GIVEN).verdict == "pass"


def one_phase():
    tables = {"10min": table("10min", U_L1=230.0, THD_U_L1=2.0, HU_L1=harmonics(h5=1)), "2h": table("2h", Plt_L1=0.5)}
    return tables | {"frequency": table("frequency", f=50.0)}


def summarised(tables, wiring):
    made = result(0, 168, "r", tables=tables)
    made.summary["wiring"] = wiring
    return made


def test_the_wiring_says_which_phases_are_asked_for():
    # nobody said how it was connected: no table has a voltage of another phase
    alone = assess(one_phase(), only=["U", "Plt", "HU"], **GIVEN)
    assert alone.verdict == "pass" and {r["phase"] for r in alone.weeks[0]["parameters"]} == {"L1"}
    for three in (assess(one_phase(), wiring="3P4W", only=["U"], **GIVEN), assess(summarised(one_phase(), "3P4W"), only=["U"])):
        assert three.verdict == "insufficient-data" and [r["phase"] for r in three.weeks[0]["parameters"]] == ["L1", "L2", "L3"]
    # one phase: the columns of the others are there, and empty
    empty = one_phase()
    empty["10min"] = table("10min", U_L1=230.0, U_L2=np.nan, U_L3=np.nan, THD_U_L1=2.0, HU_L1=harmonics(h5=1))
    for single in (assess(empty, wiring="1P2W", **GIVEN), assess(summarised(empty, "1P2W"))):
        assert single.verdict == "pass" and {r["phase"] for r in single.weeks[0]["parameters"]} == {None, "L1"}


def test_three_wires_are_asked_for_voltages_from_line_to_line():
    lines = {"10min": table("10min", U_L12=400.0, U_L23=400.0), "frequency": table("frequency", f=50.0)}
    found = assess(lines, wiring="3P3W", only=["U"], nominal_voltage=400.0, nominal_frequency=50.0)
    assert [(r["phase"], r["N"]) for r in found.weeks[0]["parameters"]] == [("L12", 1008), ("L23", 1008), ("L31", 0)]
    assert found.verdict == "insufficient-data"
    assert assess(lines, only=["U"], nominal_voltage=400.0, nominal_frequency=50.0).data["site"]["wiring"] == "3P3W"


def test_a_phase_seen_in_another_quantity_is_asked_for():
    """Flicker of L3 shows that there is an L3, whose voltage nobody has."""
    tables = {"10min": table("10min", U_L1=230.0, U_L2=230.0), "2h": table("2h", Plt_L3=0.4)}
    found = assess(tables, only=["U", "Plt"], **GIVEN)
    assert row(found, "U", "L3")["N"] == 0 and row(found, "Plt", "L1")["N"] == 0 and row(found, "Plt", "L3")["N"] == 84


def test_a_phase_that_some_recordings_lack_is_missing_there():
    """Three of seven days without U_L2: 576 of 1008 intervals are valid, and the column as such was measured."""
    days = [
        result(24 * k, 24 * k + 24, f"d{k}", tables={"10min": table("10min", 144, START + np.timedelta64(24 * k, "h"), **u)})
        for k in range(7)
        for u in ({"U_L1": 230.0, "U_L3": 230.0} | ({"U_L2": 230.0} if k > 2 else {}),)
    ]
    found = assess(days, only=["U"])
    assert counts(row(found, "U", "L2")) == (576, 0, 0, 432, "insufficient-data") and named(found, "U") == []
