"""What lies before the first whole interval or after the last one is judged too; counted by hand."""

import numpy as np
import pytest

from ctmeter.en50160 import assess
from en50160.test_sources import result
from en50160.weeks import GIVEN, INCOMPLETE, START, WEEK, counts, event, phases, row, table, week, with_events

MINUTE = np.timedelta64(60, "s")
BEFORE = START - np.timedelta64(300, "s")


def off_grid(before=50.0, after=50.0):
    """A recording from five minutes before the first whole ten minutes to five after the last: 30 rows of ten seconds each."""
    flags = np.zeros(1010)
    flags[0] = flags[-1] = INCOMPLETE
    u = {**phases("U", 230.0), **phases("THD_U", 3.0)}
    f = np.r_[np.full(30, before), np.full(60_480, 50.0), np.full(30, after)]
    return {"10min": table("10min", 1010, START - 10 * MINUTE, flags=flags, **u), "frequency": table("frequency", len(f), BEFORE, f=f)}


def test_a_quiet_rest_is_not_listed():
    found = assess(off_grid(), only=["f", "U"], **GIVEN)
    assert [w["start"] for w in found.weeks] == ["2026-03-02T00:00:00Z"] and found.verdict == "pass"
    assert (found.data["start"], found.data["end"]) == ("2026-03-01T23:55:00Z", "2026-03-09T00:05:00Z")
    assert counts(row(found, "f")) == (60_480, 0, 0, 0, "pass")
    (year,) = found.data["years"]
    assert (year["start"], *counts(year["parameters"][0])) == ("2026-03-01T23:55:00Z", 60_540, 0, 0, 0, "pass")
    assert found.data["coverage"] == {"expected": 1008, "valid": 1008, "flagged": 0, "missing": 0, "share": 100.0}


@pytest.mark.parametrize("side", ["before", "after"])
def test_frequencies_beside_the_week_fail(side):
    """46 Hz for five minutes: 30 values below 47 Hz, which none may be."""
    found = assess(off_grid(**{side: 46.0}), only=["f", "U"], **GIVEN)
    assert found.verdict == "fail"
    at = 0 if side == "before" else 1
    assert [w["start"][:10] for w in found.weeks] == (["2026-02-23", "2026-03-02"] if side == "before" else ["2026-03-02", "2026-03-09"])
    assert [w["rest"] for w in found.weeks] == [side == "before", side == "after"]
    assert [w["verdict"] for w in found.weeks] == (["fail", "pass"] if side == "before" else ["pass", "fail"])
    assert counts(row(found, "f", week=at)) == (30, 30, 30, 60_450, "fail")
    assert counts(row(found, "U", "L1", week=1 - at)) == (1008, 0, 0, 0, "pass")
    assert counts(found.data["years"][0]["parameters"][0]) == (60_540, 30, 30, 0, "fail")
    assert found.data["coverage"]["expected"] == 1008, "a rest is no week that ought to be covered"


def test_a_share_of_the_year_counts_what_is_beside_the_week():
    """302 beyond 1 % in the week are a pass, with the 30 before it they are too many: 0.5 % of 60540 are 302.7."""
    tables = off_grid(before=49.4)
    f = tables["frequency"].column("f").to_numpy().copy()
    f[1000:1302] = 49.4
    tables["frequency"] = table("frequency", len(f), BEFORE, f=f)
    found = assess(tables, only=["f", "U"], **GIVEN)
    assert len(found.weeks) == 1 and row(found, "f")["verdict"] == "pass"
    assert counts(found.data["years"][0]["parameters"][0]) == (60_540, 332, 0, 0, "fail") and found.verdict == "fail"


def test_a_start_that_is_given_leaves_out_what_is_before():
    found = assess(off_grid(before=46.0), only=["f", "U"], start="2026-03-02T00:00:00Z", **GIVEN)
    assert found.verdict == "pass" and found.data["start"] == "2026-03-02T00:00:00Z"
    events = [event("dip", t, 0.1, U_residual=100.0) for t in (-100, 100)]
    found = assess(with_events(week(), *events), start="2026-03-02T00:00:00Z", **GIVEN)
    assert sum(found.data["dips"].values()) == 1
    both = assess(with_events(week(), *events), **GIVEN)
    assert sum(both.data["dips"].values()) == 2 and both.data["start"] == "2026-03-01T23:58:20Z" and both.verdict == "pass"


def test_windows_that_slide_leave_no_rest_unjudged():
    """Eight days and twelve hours: two windows, and half a day in which one value is below 195.5 V."""
    u = np.full(1224, 230.0)
    assert [w["verdict"] for w in assess({"10min": table("10min", 1224, U_L1=u)}, only=["U"], sliding=True, **GIVEN).weeks] == ["pass", "pass"]
    u[1200] = 190.0
    found = assess({"10min": table("10min", 1224, U_L1=u)}, only=["U"], sliding=True, **GIVEN)
    assert [w["start"][:10] for w in found.weeks] == ["2026-03-02", "2026-03-03", "2026-03-10"] and found.verdict == "fail"
    assert counts(row(found, "U", "L1", week=2)) == (72, 1, 1, 936, "fail")


def test_three_second_values_before_the_week():
    """A limit for all of the user's own on values of three seconds, 100 of them before the week."""
    own = {"LV": {"U": {"table": "3s", "limits": [{"share": 100, "low": -15, "high": 10}]}}}
    u = np.r_[np.full(100, 260.0), np.full(WEEK["3s"], 230.0)]
    tables = {"10min": table("10min", **phases("U", 230.0)), "3s": table("3s", len(u), START - np.timedelta64(300, "s"), U_L1=u)}
    found = assess(tables, only=["U"], limits=own, **GIVEN)
    assert found.verdict == "fail" and counts(row(found, "U", "L1"))[:3] == (100, None, 100)


def test_a_whole_week_of_one_table_before_the_others_is_listed():
    """A week of frequencies before voltages are there is observed, so it is no pass."""
    tables = week(**{"10min": {}})
    tables["frequency"] = table("frequency", 2 * 60_480, START - np.timedelta64(7, "D"), f=50.0)
    found = assess(tables, **GIVEN)
    assert [w["verdict"] for w in found.weeks] == ["insufficient-data", "pass"] and found.verdict == "insufficient-data"


def test_events_before_and_after_the_tables():
    """An event log of two years is counted, and makes no weeks; a rapid change beyond 10 % beside them is seen."""
    year = 31_536_000
    log = [event("dip", -year, 0.1, U_residual=100.0), event("dip", year, 0.1, U_residual=100.0), event("rvc", -3600, 1.0, dU_max=12.0)]
    found = assess(with_events(week(), *log), **GIVEN)
    assert sum(found.data["dips"].values()) == 2 and found.verdict == "pass" and len(found.weeks) == 1
    assert (found.data["start"], found.data["end"][:10]) == ("2025-03-02T00:00:00Z", "2027-03-02")
    found = assess(with_events(week(), event("rvc", -3600, 1.0, dU_max=24.0)), **GIVEN)
    assert [row(found, "rvc", week=k)["verdict"] for k in (0, 1)] == ["fail", "pass"] and found.verdict == "pass"


def test_a_recording_that_begins_within_an_interval():
    """From 23:57:30: the first row of ten minutes starts at 23:50, the observation when the recording does."""
    flags = np.zeros(1009)
    flags[0] = INCOMPLETE
    minutes = table("10min", 1009, START - 10 * MINUTE, flags=flags, **phases("U", 230.0))
    f = table("frequency", 60_495, START - np.timedelta64(150, "s"), f=np.r_[np.full(15, 53.0), np.full(60_480, 50.0)])
    found = assess(result(-150 / 3600, 168, "r", tables={"10min": minutes, "frequency": f}), only=["f", "U"])
    assert found.data["start"] == "2026-03-01T23:57:30Z" and found.verdict == "fail"
    assert counts(found.data["years"][0]["parameters"][0]) == (60_495, 15, 15, 0, "fail")
