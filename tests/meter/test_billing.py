"""When billing periods end, and what is kept then."""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
import time
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import InputError, SettingsError
from ctmeter.meter.billing import (
    GROUPS,
    INTERVALS,
    LOGGER_2_FIELDS,
    RECORD_FIELDS,
    BillingSchedule,
    LoggerSchedule,
    StopCounter,
    record,
)
from ctmeter.meter.clock import LocalClock, Quality, Stamp

S = 1_000_000_000
HOUR = 3600 * S
DAY = 24 * HOUR
DANISH = LocalClock(1, "EU")
FIRST, LAST = 1970, 2099

#: Months with a stop, by code, as the sheet words them.
MONTHS = {
    "00": (),
    "01": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
    "02": (1, 3, 5, 7, 9, 11), "03": (2, 4, 6, 8, 10, 12),
    "04": (1, 4, 7, 10), "05": (2, 5, 8, 11), "06": (3, 6, 9, 12),
    "07": (1, 7), "08": (2, 8), "09": (3, 9), "10": (4, 10), "11": (5, 11), "12": (6, 12),
    "13": (1,), "14": (2,), "15": (3,), "16": (4,), "17": (5,), "18": (6,),
    "19": (7,), "20": (8,), "21": (9,), "22": (10,), "23": (11,), "24": (12,),
}  # fmt: skip


def ns(*utc: int) -> int:
    return (dt.datetime(*utc, tzinfo=dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1) * S


@cache
def summer(year: int) -> tuple[dt.date, dt.date]:
    """The days on whose midnight summer time of the EU is in force first and last, by the calendar's own weeks."""
    sundays = [max(week[calendar.SUNDAY] for week in calendar.monthcalendar(year, month)) for month in (3, 10)]
    return dt.date(year, 3, sundays[0]) + dt.timedelta(days=1), dt.date(year, 10, sundays[1])


def midnight(day: dt.date, clock: LocalClock) -> int:
    """Local midnight without asking the clock; offsets from 0 up, where switches never fall on it."""
    if clock.zone:
        return int(dt.datetime.combine(day, dt.time(), ZoneInfo(clock.zone)).timestamp()) * S
    ahead = clock.utc_offset + (clock.dst == "EU" and summer(day.year)[0] <= day <= summer(day.year)[1])
    return ns(day.year, day.month, day.day) - ahead * HOUR


@pytest.mark.feature("Z7")
def test_the_twenty_five_codes():
    assert list(INTERVALS) == list(MONTHS)
    for code, months in MONTHS.items():
        assert BillingSchedule(code).months == months


@pytest.mark.feature("F7", "Z6", "Z7")
@pytest.mark.parametrize("clock", [DANISH, LocalClock(zone="Europe/Copenhagen"), LocalClock(-11), LocalClock(zone="Asia/Kolkata")], ids=repr)
@pytest.mark.parametrize("code", MONTHS)
def test_every_stop_from_1970_to_2099(code, clock):
    window = ns(FIRST, 1, 1) - 2 * DAY, ns(LAST + 1, 1, 1) + 2 * DAY
    days = range(1, 29) if clock is DANISH else (1, 15, 28)
    for day in days:
        expected = [midnight(dt.date(year, month, day), clock) for year in range(FIRST, LAST + 1) for month in MONTHS[code]]
        outer = {t for y, m in ((FIRST - 1, 12), (LAST + 1, 1)) if m in MONTHS[code] for t in [midnight(dt.date(y, m, day), clock)]}
        stops = BillingSchedule(code, day, clock).stops(*window)
        assert [t for t in stops if t not in outer] == expected
        assert all(a < b for a, b in itertools.pairwise(stops))
    if clock is DANISH:
        for t in stops:
            local = clock.local(t)
            assert (local.day, local.time()) == (28, dt.time()) and local.month in MONTHS[code]


@pytest.mark.feature("F7", "Z6", "Z7")
@given(
    st.sampled_from(list(MONTHS)),
    st.integers(1, 28),
    st.sampled_from((DANISH, LocalClock(-1, "EU"), LocalClock(12), LocalClock(zone="America/Havana"), LocalClock(zone="Pacific/Apia"))),
    st.lists(st.integers(ns(FIRST, 1, 1), ns(LAST, 12, 31)), min_size=3, max_size=3).map(sorted),
    st.booleans(),
)
def test_split_windows_have_the_same_stops(code, day, clock, times, at_a_stop):
    a, b, c = times
    schedule = BillingSchedule(code, day, clock)
    whole = schedule.stops(a, c)
    if at_a_stop and whole:
        b = whole[len(whole) // 2]
        assert schedule.stops(b, b + 1) == [b] and b not in schedule.stops(a, b)
    assert schedule.stops(a, b) + schedule.stops(b, c) == whole
    assert schedule.stops(b, b) == schedule.stops(c, a - 1) == []


@pytest.mark.feature("Z6", "T6")
def test_stops_beside_the_switches_of_summer_time():
    # 28 March and 1 April 2024 lie on either side of the switch of 31 March; midnight is 23:00, then 22:00 UTC
    assert BillingSchedule("01", 28, DANISH).stops(ns(2024, 3, 1), ns(2024, 4, 1)) == [ns(2024, 3, 27, 23)]
    assert BillingSchedule("01", 1, DANISH).stops(ns(2024, 3, 15), ns(2024, 4, 15)) == [ns(2024, 3, 31, 22)]
    # on the very day, 26 October 2025 and 28 March 2027: the switch comes after its midnight
    assert BillingSchedule("01", 26, DANISH).stops(ns(2025, 10, 1), ns(2025, 11, 1)) == [ns(2025, 10, 25, 22)]
    assert BillingSchedule("01", 28, DANISH).stops(ns(2027, 3, 1), ns(2027, 4, 1)) == [ns(2027, 3, 27, 23)]
    # a midnight that the clock jumps over, or shows twice: one stop
    azores = LocalClock(-1, "EU")
    assert BillingSchedule("01", 28, azores).stops(ns(2027, 3, 1), ns(2027, 4, 1)) == [ns(2027, 3, 28, 1)]
    assert BillingSchedule("01", 26, azores).stops(ns(2025, 10, 1), ns(2025, 11, 1)) == [ns(2025, 10, 26)]


@pytest.mark.feature("Z6", "Z7")
def test_days_and_codes_that_are_none():
    with pytest.raises(SettingsError) as caught:
        BillingSchedule("25", 29)
    assert [f.split(":")[0] for f in caught.value.faults] == ["billing_interval", "billing_day"]
    for day in (0, 29, 1.0, True, "1"):
        with pytest.raises(SettingsError, match="billing_day"):
            BillingSchedule("01", day)
    for code in ("1", "", None, 1):
        with pytest.raises(SettingsError, match="billing_interval"):
            BillingSchedule(code)


@pytest.mark.feature("F8", "Z25")
def test_the_second_logger_writes_daily():
    # from Friday 29 March 2024 12:00 UTC; the Sunday has 23 hours
    stops = LoggerSchedule("daily", DANISH).stops(ns(2024, 3, 29, 12), ns(2024, 4, 2))
    assert stops == [ns(2024, 3, 29, 23), ns(2024, 3, 30, 23), ns(2024, 3, 31, 22), ns(2024, 4, 1, 22)]


@pytest.mark.feature("F8", "Z25")
def test_the_second_logger_writes_on_mondays():
    stops = LoggerSchedule("weekly", DANISH).stops(ns(2024, 3, 20), ns(2024, 4, 9))
    assert stops == [ns(2024, 3, 24, 23), ns(2024, 3, 31, 22), ns(2024, 4, 7, 22)]
    every = LoggerSchedule("weekly", DANISH).stops(ns(1970, 1, 1), ns(2100, 1, 1))
    # the first Monday was 5 January 1970; 130 years have 47482 days
    assert every[0] == ns(1970, 1, 4, 23) and len(every) == (47482 - 4 + 6) // 7
    assert {DANISH.local(t).strftime("%w %H:%M:%S") for t in every} == {"1 00:00:00"}


@pytest.mark.feature("F8", "Z25")
def test_the_second_logger_writes_on_the_first_of_the_month():
    stops = LoggerSchedule("monthly", DANISH).stops(ns(2024, 2, 29), ns(2024, 5, 1))
    assert stops == [ns(2024, 2, 29, 23), ns(2024, 3, 31, 22), ns(2024, 4, 30, 22)]
    with pytest.raises(SettingsError, match="logger_2"):
        LoggerSchedule("yearly")


@pytest.mark.feature("F8", "Z25")
@given(st.sampled_from(("daily", "weekly", "monthly")), st.lists(st.integers(ns(2000, 1, 1), ns(2030, 1, 1)), min_size=3, max_size=3).map(sorted))
def test_split_windows_have_the_same_times_of_writing(interval, times):
    a, b, c = times
    schedule = LoggerSchedule(interval, LocalClock(-1, "EU"))
    assert schedule.stops(a, b) + schedule.stops(b, c) == schedule.stops(a, c)


@pytest.mark.feature("C11")
def test_the_stop_counter_goes_up_by_one_and_never_back():
    counter = StopCounter()
    planned = BillingSchedule("01", 1, DANISH).stops(ns(2024, 1, 1), ns(2025, 1, 1))
    for t in sorted([*planned, ns(2024, 6, 15, 9)]):  # one more from outside
        before, counter = counter, counter.after(t)
        assert counter.count == before.count + 1
    # February to January, whose midnight is at 23:00 UTC of the old year, and the one from outside
    assert counter == StopCounter(13, ns(2024, 12, 31, 23))
    for t in (ns(2024, 12, 31, 23), 0):
        with pytest.raises(InputError, match="billing stop"):
            counter.after(t)


#: The record as the sheet lists it, with its codes by hand.
RECORD = {
    "various": [
        ("RTC/Quality", "", "1-0:0.1.2"), ("hours", "h", "0-0:96.8.0"), ("billing stops", "", "1-0:0.1.0"),
        ("P+ threshold", "", "1-0:1.36.0"), ("pulse input", "", "1-1:82.8.0"), ("ratio", "", "1-0:0.4.2"),
    ],
    "energy": [
        ("A+", "Wh", "1-0:1.8.0"), ("A-", "Wh", "1-0:2.8.0"), ("R+", "varh", "1-0:3.8.0"), ("R-", "varh", "1-0:4.8.0"),
        ("E+", "VAh", "1-0:9.8.0"), ("E-", "VAh", "1-0:10.8.0"),
        ("A+_T1", "Wh", "1-0:1.8.1"), ("A+_T2", "Wh", "1-0:1.8.2"), ("A+_T3", "Wh", "1-0:1.8.3"), ("A+_T4", "Wh", "1-0:1.8.4"),
        ("R+_T1", "varh", "1-0:3.8.1"), ("R+_T2", "varh", "1-0:3.8.2"), ("R+_T3", "varh", "1-0:3.8.3"), ("R+_T4", "varh", "1-0:3.8.4"),
    ],
    "power": [
        ("P+max", "W", "1-0:1.6.0"), ("P+max RTC", "ns", "1-0:1.6.0"),
        ("P+max acc", "W", "1-0:1.2.0"), ("P+max acc T1", "W", "1-0:1.2.1"), ("P+max acc T2", "W", "1-0:1.2.2"),
        ("Q+max", "var", "1-0:3.6.0"), ("Q+max RTC", "ns", "1-0:3.6.0"), ("Q+max acc", "var", "1-0:3.2.0"),
        ("P+max T1", "W", "1-0:1.6.1"), ("P+max T1 RTC", "ns", "1-0:1.6.1"), ("P+max T2", "W", "1-0:1.6.2"), ("P+max T2 RTC", "ns", "1-0:1.6.2"),
        ("Q+max T1", "var", "1-0:3.6.1"), ("Q+max T1 RTC", "ns", "1-0:3.6.1"), ("Q+max T2", "var", "1-0:3.6.2"), ("Q+max T2 RTC", "ns", "1-0:3.6.2"),
        ("S+max", "VA", "1-0:9.6.0"), ("S+max RTC", "ns", "1-0:9.6.0"), ("S-max", "VA", "1-0:10.6.0"), ("S-max RTC", "ns", "1-0:10.6.0"),
    ],
}  # fmt: skip


@pytest.mark.feature("C7", "C9", "C11", "C14")
def test_the_forty_fields_of_the_record():
    assert tuple(RECORD) == GROUPS
    for group, fields in RECORD.items():
        assert [(f.name, f.unit, f.obis) for f in RECORD_FIELDS if f.group == group] == fields
    assert [len([f for f in RECORD_FIELDS if f.group == g]) for g in GROUPS] == [6, 14, 20]
    assert len({f.name for f in RECORD_FIELDS}) == len(RECORD_FIELDS) == 40


@pytest.mark.feature("C7")
def test_maxima_have_tariffs_one_and_two_only():
    peaks = [f.name for f in RECORD_FIELDS if f.group == "power"]
    assert not [name for name in peaks if "T3" in name or "T4" in name]
    assert [name for name in peaks if "T1" in name and "RTC" not in name] == ["P+max acc T1", "P+max T1", "Q+max T1"]
    with pytest.raises(InputError, match=r"no field 'P\+max T3'"):
        record({"P+max T3": 1.0})


def test_a_record_has_exactly_its_fields():
    values = {
        "P+max": 1500.0, "A+": 3_600_000_123, "RTC/Quality": Stamp(5, 0, Quality.GAP), "ratio": 40, "P+max RTC": 7, "hours": 1.5,
        "billing stops": 3, "pulse input": 12, "A-": None,
    }  # fmt: skip
    made = record(values)
    assert list(made) == [f.name for f in RECORD_FIELDS]
    assert {k: v for k, v in made.items() if v is not None} == {k: v for k, v in values.items() if v is not None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("A+", 1.0),
        ("A+", True),
        ("A+", "1"),
        ("P+max", float("nan")),
        ("P+max", "1"),
        ("P+max RTC", 1.0),
        ("RTC/Quality", 5),
        ("billing stops", 1.0),
        ("ratio", 40.0),
        ("hours", float("inf")),
        ("a+", 1),
    ],
)
def test_values_of_the_wrong_kind(name, value):
    with pytest.raises(InputError, match="billing record"):
        record({name: value})


@pytest.mark.feature("F8", "Z30")
def test_contents_of_the_second_logger():
    first = ["RTC/Quality", "hours", "A+", "A-", "R+", "R-", *(f"A+_T{k}" for k in (1, 2, 3, 4)), *(f"R+_T{k}" for k in (1, 2, 3, 4))]
    assert [f.name for f in LOGGER_2_FIELDS[1]] == first
    assert LOGGER_2_FIELDS[2] == RECORD_FIELDS and list(LOGGER_2_FIELDS) == [1, 2]
    assert list(record({"A+": 1, "P+max": 2.0}, LOGGER_2_FIELDS[1])) == first


@pytest.mark.parametrize("clock", [LocalClock(), DANISH, LocalClock(zone="Asia/Kolkata")])
def test_a_century_is_cheap(clock):
    schedule, span = BillingSchedule("01", 1, clock), (ns(1970, 1, 1), ns(2100, 1, 1))
    schedule.stops(*span)

    def seconds() -> float:
        begun = time.perf_counter()
        schedule.stops(*span)
        return time.perf_counter() - begun

    assert min(seconds() for _ in range(5)) < 0.2  # about 0.005
