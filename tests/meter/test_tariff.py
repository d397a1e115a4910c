"""Tariffs by plan, by inputs and by register, on days of 23, 24 and 25 hours."""

from __future__ import annotations

import datetime as dt
import itertools
import time
import tomllib
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import InputError, SettingsError
from ctmeter.meter.clock import LocalClock
from ctmeter.meter.tariff import SOURCES, TariffPlan, port_tariff, read_exception_days, register_switches, without_repeats

S = 1_000_000_000
HOUR = 3600 * S
DAY = 24 * HOUR
DANISH = LocalClock(1, "EU")

PLAN = """
working_days = [1, 2, 3, 4, 5]
[[seasons]]
start = "04-01"
working = { "06:00" = 1, "22:00" = 2 }
non_working = { "00:00" = 2 }
[[seasons]]
start = "10-01"
working = { "02:30" = 3, "06:00" = 1, "17:00" = 4, "20:00" = 1, "22:30" = 2 }
non_working = { "02:30" = 3, "08:00" = 2 }
"""


def ns(*utc: int) -> int:
    return int(dt.datetime(*utc, tzinfo=dt.UTC).timestamp()) * S


def plan(text: str = PLAN, exception_days=()) -> TariffPlan:
    return TariffPlan.from_dict(tomllib.loads(text), exception_days)


def faults(values, exception_days=()):
    with pytest.raises(SettingsError) as caught:
        TariffPlan.from_dict(values, exception_days)
    return caught.value.faults


@pytest.mark.feature("Z13")
def test_the_four_sources():
    assert SOURCES == ("off", "plan", "port", "register")


@pytest.mark.feature("Z13")
def test_a_week_by_hand():
    # Thursday 2 May 2024 to Monday 6 May, summer season, local = UTC + 2 h
    switches = plan().switches(ns(2024, 5, 2), ns(2024, 5, 6, 12), DANISH)
    assert switches == [
        (ns(2024, 5, 2), 2),  # Thursday 02:00 local
        (ns(2024, 5, 2, 4), 1), (ns(2024, 5, 2, 20), 2),  # Thursday 06:00 and 22:00
        (ns(2024, 5, 3, 4), 1), (ns(2024, 5, 3, 20), 2),  # Friday, then the weekend on T2
        (ns(2024, 5, 6, 4), 1),  # Monday 06:00
    ]  # fmt: skip


@pytest.mark.feature("Z13")
def test_a_window_ends_before_a_switch_and_begins_with_one():
    six, ten = ns(2024, 5, 2, 4), ns(2024, 5, 2, 20)
    assert plan().switches(six, ten, DANISH) == [(six, 1)]
    assert plan().switches(six - 1, ten + 1, DANISH) == [(six - 1, 2), (six, 1), (ten, 2)]


@pytest.mark.feature("Z13")
def test_seasons_change_at_local_midnight():
    text = '[[seasons]]\nstart = "04-01"\nworking = {"00:00" = 1}\n[[seasons]]\nstart = "10-01"\nworking = {"00:00" = 3}'
    p = plan(text)
    assert p.switches(ns(2023, 1, 1), ns(2025, 1, 1), DANISH) == [
        (ns(2023, 1, 1), 3), (ns(2023, 3, 31, 22), 1), (ns(2023, 9, 30, 22), 3), (ns(2024, 3, 31, 22), 1), (ns(2024, 9, 30, 22), 3),
    ]  # fmt: skip
    assert p.switches(ns(2023, 1, 1), ns(2024, 1, 1), LocalClock(-11))[1] == (ns(2023, 4, 1, 11), 1)
    assert p.switches(ns(2023, 1, 1), ns(2024, 1, 1), LocalClock(zone="Asia/Kolkata"))[1] == (ns(2023, 3, 31, 18, 30), 1)


@pytest.mark.feature("Z13")
def test_before_the_first_time_of_a_day_the_day_before_holds_on():
    p = plan('[[seasons]]\nworking = {"06:00" = 1, "22:00" = 2}\nnon_working = {"08:00" = 3, "20:00" = 4}')
    clock = LocalClock()
    assert p.tariff(ns(2024, 5, 4, 7, 59), clock) == 2  # Saturday, Friday's last
    assert p.tariff(ns(2024, 5, 5, 7), clock) == 4  # Sunday, Saturday's last
    assert p.tariff(ns(2024, 5, 6, 5, 59), clock) == 4  # Monday, Sunday's last
    assert p.tariff(ns(2024, 5, 6, 6), clock) == 1
    assert p.switches(ns(2024, 5, 6), ns(2024, 5, 6, 7), clock) == [(ns(2024, 5, 6), 4), (ns(2024, 5, 6, 6), 1)]


@pytest.mark.feature("Z13", "T6")
def test_a_switching_time_that_the_clock_jumps_over():
    # Sunday 31 March 2024, winter season: T3 from 02:30, which is not shown; at 01:00 UTC the clock shows 03:00
    assert plan().switches(ns(2024, 3, 30, 23), ns(2024, 3, 31, 12), DANISH) == [
        (ns(2024, 3, 30, 23), 2), (ns(2024, 3, 31, 1), 3), (ns(2024, 3, 31, 6), 2),
    ]  # fmt: skip


@pytest.mark.feature("Z13", "T6")
def test_a_switching_time_shown_twice():
    # Sunday 27 October 2024: 02:30 summer time is 00:30 UTC; at 01:00 UTC the clock shows 02:00 again, and 02:30 at 01:30
    assert plan().switches(ns(2024, 10, 26, 22), ns(2024, 10, 27, 12), DANISH) == [
        (ns(2024, 10, 26, 22), 2), (ns(2024, 10, 27, 0, 30), 3), (ns(2024, 10, 27, 1), 2), (ns(2024, 10, 27, 1, 30), 3), (ns(2024, 10, 27, 7), 2),
    ]  # fmt: skip


@pytest.mark.feature("Z13", "T6")
@pytest.mark.parametrize(("day", "hours"), [((2024, 3, 31), (6, 17)), ((2024, 4, 7), (6, 18)), ((2024, 10, 27), (6, 19))])
def test_hours_of_a_tariff_on_days_of_23_24_and_25_hours(day, hours):
    # T1 from 06:00 to midnight is always 18 h; the night before it has 5, 6 or 7 h
    p = plan('[[seasons]]\nworking = {"00:00" = 2, "06:00" = 1}')
    begin, end = DANISH.utc_of(dt.date(*day)), DANISH.utc_of(dt.date(*day) + dt.timedelta(days=1))
    (s, night), (t, rest) = p.switches(begin, end, DANISH)
    assert (s, night, rest) == (begin, 2, 1)
    assert (end - t, end - s) == (18 * HOUR, (hours[1] + 6) * HOUR)


def oracle(t_ns: int, zone: ZoneInfo, exceptions: set[dt.date]) -> int:
    """PLAN read minute by minute: what a person with a wall clock would say."""
    now = dt.datetime.fromtimestamp(t_ns // S, zone)

    def last(day: dt.date, until: str) -> int | None:
        free = day.isoweekday() > 5 or day in exceptions
        if dt.date(day.year, 4, 1) <= day < dt.date(day.year, 10, 1):
            table = [("00:00", 2)] if free else [("06:00", 1), ("22:00", 2)]
        else:
            table = [("02:30", 3), ("08:00", 2)] if free else [("02:30", 3), ("06:00", 1), ("17:00", 4), ("20:00", 1), ("22:30", 2)]
        return next((tariff for at, tariff in reversed(table) if at <= until), None)

    return last(now.date(), now.strftime("%H:%M")) or last(now.date() - dt.timedelta(days=1), "23:59")


@pytest.mark.feature("Z13", "Z20", "T6")
@pytest.mark.parametrize("zone", ["Europe/Copenhagen", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana"])
def test_every_quarter_hour_of_a_year(zone):
    clock = DANISH if zone == "Europe/Copenhagen" else LocalClock(zone=zone)
    exceptions = {dt.date(2024, 5, 17), dt.date(2024, 12, 25)}
    p = plan(exception_days=["2024-05-17", "12-25"])
    start, end = ns(2024, 1, 1), ns(2025, 1, 1)
    switches = p.switches(start, end, clock)
    assert switches[0][0] == start
    assert all(a[0] < b[0] and a[1] != b[1] for a, b in itertools.pairwise(switches))
    k = 0
    for t in range(start, end, 15 * 60 * S):
        while k + 1 < len(switches) and switches[k + 1][0] <= t:
            k += 1
        assert switches[k][1] == oracle(t, ZoneInfo(zone), exceptions) == p.tariff(t, clock), t


@pytest.mark.feature("Z13")
@given(
    st.lists(st.integers(ns(2020, 1, 1), ns(2026, 1, 1)), min_size=3, max_size=3).map(sorted),
    st.sampled_from((DANISH, LocalClock(zone="Asia/Kolkata"))),
)
def test_split_windows_have_the_same_switches(times, clock):
    a, b, c = times
    p = plan()
    assert without_repeats(p.switches(a, b, clock) + p.switches(b, c, clock)) == p.switches(a, c, clock)
    assert p.switches(a, a, clock) == []


@pytest.mark.feature("Z20")
def test_exception_days_are_not_working_days():
    p = plan(exception_days=["2024-05-17", dt.date(2024, 5, 20), "12-25", "02-29"])
    assert p.exception_days == ("2024-05-17", "2024-05-20", "12-25", "02-29")
    working = {dt.date(2024, 5, d): p.is_working(dt.date(2024, 5, d)) for d in (16, 17, 18, 20, 21)}
    assert [*working.values()] == [True, False, False, False, True]
    assert p.is_working(dt.date(2023, 5, 17)), "a Wednesday; the exception is of 2024"
    assert not p.is_working(dt.date(2025, 12, 25)) and not p.is_working(dt.date(2030, 12, 25))
    assert not p.is_working(dt.date(2028, 2, 29)), "a Tuesday"
    # Friday 17 May 2024 stays on T2 all day
    assert p.switches(ns(2024, 5, 17), ns(2024, 5, 18), DANISH) == [(ns(2024, 5, 17), 2)]


@pytest.mark.feature("Z20")
def test_a_hundred_exception_days_and_one_more():
    days = [(dt.date(2024, 1, 1) + dt.timedelta(days=k)).isoformat() for k in range(101)]
    assert len(plan(exception_days=days[:100]).exception_days) == 100
    assert faults(tomllib.loads(PLAN), days) == ("exception_days: 101 days, expected at most 100",)
    assert read_exception_days("\n".join(days[:100])) == tuple(days[:100])
    with pytest.raises(InputError, match=r"line 101: too many days .expected at most 100"):
        read_exception_days("\n".join(days))


@pytest.mark.feature("Z20")
def test_a_calendar_file():
    assert read_exception_days("\ufeff# holidays\n2024-05-17  # national day\n\n12-25\r\n02-29\n") == ("2024-05-17", "12-25", "02-29")
    for text, problem in (
        ("\n2024-13-01", "line 2: '2024-13-01' is no date"),
        ("17/5", "line 1"),
        ("02-30", "line 1"),
        ("12-25\n12-25", "line 2: .*twice"),
    ):
        with pytest.raises(InputError, match=rf"days\.txt, {problem}"):
            read_exception_days(text, "days.txt")


@pytest.mark.feature("Z13")
def test_eight_switching_times_a_day():
    eight = {f"{h:02}:15": 1 + h % 4 for h in range(8)}
    assert len(TariffPlan.from_dict({"seasons": [{"working": eight}]}).seasons[0].working) == 8
    assert faults({"seasons": [{"working": {**eight, "23:00": 1}}]})[0].startswith("tariff_plan.seasons[1].working: expected a table of one to 8")


@pytest.mark.feature("Z13")
def test_plans_come_back_unchanged():
    p = plan(exception_days=["12-25"])
    assert TariffPlan.from_dict(p.to_dict(), p.exception_days) == p
    assert p.to_dict()["seasons"][1]["working"] == {"02:30": 3, "06:00": 1, "17:00": 4, "20:00": 1, "22:30": 2}
    assert plan('[[seasons]]\nworking = {"00:00" = 4}').to_dict() == {
        "seasons": [{"start": "01-01", "working": {"00:00": 4}, "non_working": {"00:00": 4}}],
        "working_days": [1, 2, 3, 4, 5],
    }


@pytest.mark.feature("Z13", "Z20")
def test_every_fault_is_named_at_once():
    found = faults(
        {
            "seasons": [
                {"start": "02-29", "working": {"6:00": 1, "24:00": 1, "07:00": 5, "08:00": True}, "non_wrking": {}},
                {"start": "2024-04-01", "working": {}, "non_working": 3},
            ],
            "working_days": [0, 1],
            "holidays": [],
        },
        ["2024-02-30", 5, "12-25", "12-25"],
    )
    assert [f.split(":")[0] for f in found] == [
        "tariff_plan.holidays",
        "tariff_plan.seasons[1].non_wrking", "tariff_plan.seasons[1].start", *["tariff_plan.seasons[1].working"] * 4,
        "tariff_plan.seasons[2].start", "tariff_plan.seasons[2].working", "tariff_plan.seasons[2].non_working",
        "tariff_plan.working_days", *["exception_days"] * 3,
    ]  # fmt: skip
    assert "did you mean non_working?" in found[1]


@pytest.mark.parametrize(
    "values",
    [
        [],
        {},
        {"seasons": []},
        {"seasons": "x"},
        {"seasons": [1]},
        {"seasons": [{}]},
        {"seasons": [{"working": {"00:00": 1}}] * 3},
        {"seasons": [{"working": {"00:00": 1}}] * 2},
        {"seasons": [{"start": "01-01", "working": {"00:00": 1}}] * 2},
        {"seasons": [{"working": {"00:00": 1.0}}]},
        {"seasons": [{"working": {0: 1}}]},
        {"seasons": [{"working": {"00:00": 1}}], "working_days": [1, 1]},
        {"seasons": [{"working": {"00:00": 1}}], "working_days": "12"},
        {"seasons": [{"working": {"00:00": 1}}], "working_days": [[1]]},
    ],
)
def test_plans_that_are_none(values):
    assert all(f.startswith("tariff_plan") for f in faults(values))


@pytest.mark.parametrize("days", ["2024-05-17", 5, None, [None], [dt.datetime(2024, 5, 17)]])
def test_exception_days_that_are_none(days):
    assert faults(tomllib.loads(PLAN), days)[0].startswith("exception_days: ")


#: Tariffs for inputs (0, 0), (1, 0), (0, 1), (1, 1): what each module code of the sheet with tariff inputs says.
PORTS = {
    "01": (1, 2, 3, 4), "02": (4, 3, 2, 1),
    "07": (1, 2, 1, 2), "08": (2, 1, 2, 1), "09": (1, 2, 1, 2), "10": (2, 1, 2, 1), "11": (1, 2, 1, 2), "12": (2, 1, 2, 1),
    "13": (1, 1, 2, 2), "14": (2, 2, 1, 1),
    "22": (1, 2, 3, 4), "23": (4, 3, 2, 1),
}  # fmt: skip


@pytest.mark.feature("Z13", "Z3")
@pytest.mark.parametrize("code", PORTS)
def test_the_inputs_select_a_tariff(code):
    assert tuple(port_tariff(bits, code) for bits in ((0, 0), (1, 0), (0, 1), (1, 1))) == PORTS[code]
    assert port_tariff((True, False), code) == PORTS[code][1]


@pytest.mark.feature("Z13")
def test_modules_without_tariff_inputs():
    for code in {f"{k:02}" for k in range(29)} - set(PORTS):
        with pytest.raises(SettingsError, match="Z3"):
            port_tariff((0, 0), code)
    for bits, code in (((1,), "01"), ((None, 0), "07"), ((0, 2), "13")):
        with pytest.raises(InputError, match="has no state"):
            port_tariff(bits, code)
    assert port_tariff((1,), "07") == 2, "the other input does not matter"


@pytest.mark.feature("Z13")
def test_control_by_register():
    changes = [(100, 2), (200, 3), (300, 3), (400, 1)]
    assert register_switches(changes, 0, 1000) == [(0, 1), (100, 2), (200, 3), (400, 1)]
    assert register_switches(changes, 100, 200) == [(100, 2)]
    assert register_switches(changes, 250, 401) == [(250, 3), (400, 1)]
    assert register_switches([], 0, 10, initial=4) == [(0, 4)]
    assert register_switches(changes, 10, 10) == []
    with pytest.raises(SettingsError) as caught:
        register_switches([(100, 5), (100, 1), (50, True)], 0, 10, initial=0)
    assert len(caught.value.faults) == 5


def test_a_year_is_cheap():
    p, span = plan(exception_days=["12-25"]), (ns(2024, 1, 1), ns(2025, 1, 1))

    def seconds() -> float:
        begun = time.perf_counter()
        p.switches(*span, DANISH)
        return time.perf_counter() - begun

    assert min(seconds() for _ in range(5)) < 0.05  # about 0.0006
