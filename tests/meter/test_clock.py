"""Local time, daylight saving, periods and days, the quality of time, drift."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import SettingsError
from ctmeter.meter.clock import LocalClock, retimed, utc_offset_of
from ctmeter.meter.quality import QUALITY_TEXT, RTC_BACKUP_NS, Quality, Stamp, gap_quality
from ctmeter.quantity import Flag

S = 1_000_000_000
MINUTE = 60 * S
HOUR = 3600 * S
DAY = 24 * HOUR
UTC = dt.UTC
COPENHAGEN = ZoneInfo("Europe/Copenhagen")
DANISH = LocalClock(1, "EU")


def ns(*utc: int) -> int:
    """A time in UTC as ns."""
    return int(dt.datetime(*utc, tzinfo=UTC).timestamp()) * S


def sundays(year: int) -> tuple[dt.date, dt.date]:
    """Last Sundays of March and October, by counting back from the end of the month."""
    found = []
    for month in (3, 10):
        day = dt.date(year, month, 31)
        while day.strftime("%w") != "0":
            day -= dt.timedelta(days=1)
        found.append(day)
    return found[0], found[1]


def zone_offset(zone: ZoneInfo, t_ns: int) -> int:
    return int(dt.datetime.fromtimestamp(t_ns // S, zone).utcoffset().total_seconds()) * S


@pytest.mark.feature("Z11")
def test_codes_of_the_offset():
    hours = [*range(13), *range(-11, 0)]
    assert [utc_offset_of(f"{code:02}") for code in range(24)] == hours
    for code in ("24", "1", "", "-1", "٠١", "001"):
        with pytest.raises(SettingsError, match="Z11"):
            utc_offset_of(code)
    for offset in hours:
        clock = LocalClock(offset)
        assert clock.offset_ns(ns(2024, 7, 1)) == offset * HOUR
        assert clock.local(ns(2024, 7, 1)).isoformat() == (dt.datetime(2024, 7, 1) + dt.timedelta(hours=offset)).isoformat() + f"{offset:+03}:00"


@pytest.mark.feature("Z15")
def test_switches_of_known_years():
    # as announced by the European Commission for 2022 to 2026: last Sundays of March and October
    for year, march, october in ((2022, 27, 30), (2023, 26, 29), (2024, 31, 27), (2025, 30, 26), (2026, 29, 25)):
        assert DANISH.changes(ns(year, 1, 1), ns(year + 1, 1, 1)) == [ns(year, 3, march, 1), ns(year, 10, october, 1)]
    assert LocalClock(1).changes(ns(2024, 1, 1), ns(2025, 1, 1)) == []


@pytest.mark.feature("Z15", "T6", "C5")
@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("year", range(2020, 2041))
def test_both_switches_of_every_year_as_in_copenhagen(year, minutes):
    for sunday, hours in zip(sundays(year), (23, 25), strict=True):
        begin = int(dt.datetime.combine(sunday, dt.time(), COPENHAGEN).timestamp()) * S
        end = int(dt.datetime.combine(sunday + dt.timedelta(days=1), dt.time(), COPENHAGEN).timestamp()) * S
        assert DANISH.midnights(begin - HOUR, end + HOUR) == [begin, end]
        assert end - begin == hours * HOUR
        boundaries = DANISH.periods(begin, end, minutes)
        assert len(boundaries) == hours * 60 // minutes
        assert boundaries[0] == begin and boundaries[-1] + minutes * MINUTE == end
        for t in boundaries:
            for near in (t - 1, t, t + 1):
                assert DANISH.offset_ns(near) == zone_offset(COPENHAGEN, near), near
                assert DANISH.is_dst(near) == bool(dt.datetime.fromtimestamp(near // S, COPENHAGEN).dst())
            local = DANISH.local(t)
            assert (local.minute % minutes, local.second) == (0, 0), "periods are those of the local clock"
            assert DANISH.utc_of(local.date(), local.time(), dt.datetime.fromtimestamp(t // S, COPENHAGEN).fold) == t


@pytest.mark.feature("Z15")
def test_every_hour_of_twenty_years_as_in_copenhagen():
    for t in range(ns(2020, 1, 1), ns(2041, 1, 1), HOUR):
        assert DANISH.offset_ns(t) == zone_offset(COPENHAGEN, t)


@pytest.mark.feature("Z11", "Z15")
@pytest.mark.parametrize(("offset", "zone"), [(0, "Europe/Lisbon"), (1, "Europe/Berlin"), (2, "Europe/Helsinki"), (-1, "Atlantic/Azores")])
def test_the_rule_of_the_eu_in_its_other_zones(offset, zone):
    clock, twin = LocalClock(offset, "EU"), LocalClock(zone=zone)
    span = ns(1997, 1, 1), ns(2040, 1, 1)
    assert clock.changes(*span) == twin.changes(*span)
    assert clock.midnights(*span) == twin.midnights(*span)


@pytest.mark.feature("T6")
def test_an_hour_shown_twice():
    day = dt.date(2024, 10, 27)
    assert DANISH.utc_of(day, dt.time(2, 30)) == ns(2024, 10, 27, 0, 30)
    assert DANISH.utc_of(day, dt.time(2, 30), fold=1) == ns(2024, 10, 27, 1, 30)
    for fold in (0, 1):
        assert DANISH.utc_of(day, dt.time(1, 59, 59, 999_999), fold) == ns(2024, 10, 27) - 1000
        assert DANISH.utc_of(day, dt.time(3), fold) == ns(2024, 10, 27, 2)
    assert DANISH.local(ns(2024, 10, 27, 0, 30)).isoformat() == "2024-10-27T02:30:00+02:00"
    assert DANISH.local(ns(2024, 10, 27, 1, 30)).isoformat() == "2024-10-27T02:30:00+01:00"


@pytest.mark.feature("T6")
def test_an_hour_never_shown():
    jump = ns(2024, 3, 31, 1)
    for clock in (DANISH, LocalClock(zone="Europe/Copenhagen")):
        for minute in (0, 1, 30, 59):
            assert clock.utc_of(dt.date(2024, 3, 31), dt.time(2, minute)) == jump
        assert clock.utc_of(dt.date(2024, 3, 31), dt.time(3)) == jump
        assert clock.utc_of(dt.date(2024, 3, 31), dt.time(1, 59)) == jump - MINUTE


ZONES = ("Asia/Kolkata", "Asia/Kathmandu", "Australia/Adelaide", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Chatham", "Africa/Casablanca")


@pytest.mark.feature("T6", "Z11")
@given(st.sampled_from((*ZONES, "Europe/Copenhagen", "America/Sao_Paulo", "Pacific/Apia")), st.integers(ns(1970, 1, 3), ns(2099, 1, 1)))
def test_any_instant_comes_back_from_local_time(zone, t):
    t -= t % 1000  # local time has microseconds
    clock, tz = LocalClock(zone=zone), ZoneInfo(zone)
    expected = dt.datetime.fromtimestamp(t // S, tz)
    assert clock.offset_ns(t) == zone_offset(tz, t)
    assert clock.local(t).replace(tzinfo=None, microsecond=0) == expected.replace(tzinfo=None, fold=0)
    local = clock.local(t)
    assert clock.utc_of(local.date(), local.time(), expected.fold) == t


@pytest.mark.feature("T6", "Z11")
@pytest.mark.parametrize("zone", ZONES)
def test_days_of_zones_with_parts_of_an_hour(zone):
    clock, tz = LocalClock(zone=zone), ZoneInfo(zone)
    expected = [int(dt.datetime.combine(dt.date(2024, 1, 1) + dt.timedelta(days=k), dt.time(), tz).timestamp()) * S for k in range(730)]
    assert clock.midnights(expected[0], expected[-1] + 1) == expected


@pytest.mark.feature("C5", "F1")
def test_periods_are_multiples_since_1970_utc():
    assert [*LocalClock(1, "EU").periods(ns(2024, 3, 31, 0, 20), ns(2024, 3, 31, 1, 30), 15)] == [
        ns(2024, 3, 31, 0, 30), ns(2024, 3, 31, 0, 45), ns(2024, 3, 31, 1), ns(2024, 3, 31, 1, 15),
    ]  # fmt: skip
    # the start belongs to the window, the end does not; before 1970 as well
    assert [*DANISH.periods(0, HOUR, 30)] == [0, 30 * MINUTE]
    assert [*DANISH.periods(-1, 1, 30)] == [0]
    assert [*DANISH.periods(-HOUR, 0, 60)] == [-HOUR]
    assert len(DANISH.periods(5, 5, 15)) == len(DANISH.periods(HOUR, 0, 15)) == 0
    # half-hour zones: quarters and halves are the local ones, hours change at half past
    indian = LocalClock(zone="Asia/Kolkata")
    assert {indian.local(t).minute for t in indian.periods(ns(2024, 1, 1), ns(2024, 1, 2), 30)} == {0, 30}
    assert {indian.local(t).minute for t in indian.periods(ns(2024, 1, 1), ns(2024, 1, 2), 60)} == {30}
    for minutes in (0, -15, 7):
        with pytest.raises(SettingsError, match="period"):
            DANISH.periods(0, DAY, minutes)


@pytest.mark.feature("C5")
@pytest.mark.parametrize("offset", range(-11, 13))
def test_periods_are_those_of_every_offset_code(offset):
    clock = LocalClock(offset, "EU")
    for t in clock.periods(ns(2024, 3, 30), ns(2024, 4, 1), 60):
        assert clock.local(t).minute == 0


@pytest.mark.feature("C5")
@given(st.sampled_from((15, 30, 60)), st.lists(st.integers(ns(1970, 1, 1), ns(1970, 3, 1)), min_size=3, max_size=3).map(sorted))
def test_split_windows_have_the_same_periods(minutes, times):
    a, b, c = times
    assert [*DANISH.periods(a, b, minutes), *DANISH.periods(b, c, minutes)] == [*DANISH.periods(a, c, minutes)]


#: Clocks that are changed at or beside local midnight.
AT_MIDNIGHT = (LocalClock(-1, "EU"), LocalClock(-2, "EU"), LocalClock(zone="America/Havana"), LocalClock(zone="America/St_Johns"))


def test_midnight_that_the_clock_jumps_over_or_shows_twice():
    # an hour west of Greenwich the EU's switches fall on local midnight
    azores = LocalClock(-1, "EU")
    assert azores.midnights(ns(2024, 3, 30, 12), ns(2024, 4, 1, 12)) == [ns(2024, 3, 31, 1), ns(2024, 4, 1)]
    assert azores.midnights(ns(2024, 10, 26, 12), ns(2024, 10, 28, 12)) == [ns(2024, 10, 27), ns(2024, 10, 28, 1)]
    # its second time falls in a window of its own, and is none
    assert azores.midnights(ns(2024, 10, 27, 0, 30), ns(2024, 10, 27, 12)) == []
    # the clock of Greenland's rule: 00:00 would be the switch itself, it goes back to 23:00 and midnight comes once
    west = LocalClock(-2, "EU")
    assert west.midnights(ns(2024, 10, 26, 12), ns(2024, 10, 27, 12)) == [ns(2024, 10, 27, 2)]
    # Samoa left out 30 December 2011
    samoa = LocalClock(zone="Pacific/Apia")
    dates = [day for _, day in samoa.days(ns(2011, 12, 28), ns(2012, 1, 2))]
    assert dates == [dt.date(2011, 12, 28), dt.date(2011, 12, 29), dt.date(2011, 12, 31), dt.date(2012, 1, 1), dt.date(2012, 1, 2)]
    assert samoa.utc_of(dt.date(2011, 12, 30)) == samoa.utc_of(dt.date(2011, 12, 31)) == ns(2011, 12, 30, 10)


@pytest.mark.feature("T6")
@given(
    st.sampled_from(
        (DANISH, LocalClock(-1, "EU"), *(LocalClock(zone=z) for z in ("America/Havana", "America/St_Johns", "Pacific/Apia", "Asia/Beirut")))
    ),
    st.lists(st.integers(ns(2005, 1, 1), ns(2025, 1, 1)), min_size=3, max_size=3).map(sorted),
)
def test_split_windows_have_the_same_days(clock, times):
    a, b, c = times
    whole = clock.days(a, c)
    assert clock.days(a, b) + clock.days(b, c) == whole
    assert all(x[0] < y[0] and x[1] < y[1] for x, y in itertools.pairwise(whole))
    assert all(clock.local(t).date() == day for t, day in whole)


@pytest.mark.feature("T6")
@pytest.mark.parametrize(
    "clock", [LocalClock(-1, "EU"), LocalClock(-2, "EU"), LocalClock(zone="America/Havana"), LocalClock(zone="America/St_Johns")]
)
def test_windows_cut_at_every_quarter_around_a_switch_at_midnight(clock):
    for switch in clock.changes(ns(2008, 1, 1), ns(2009, 1, 1)):
        a, c = switch - 2 * DAY, switch + 2 * DAY
        whole = clock.days(a, c)
        for b in range(a, c, 15 * MINUTE):
            assert clock.days(a, b) + clock.days(b, c) == whole


def test_a_change_belongs_to_the_window_that_begins_with_it():
    # Singapore went from 7:30 to 8:00 ahead at the turn of 1982
    singapore = LocalClock(zone="Asia/Singapore")
    change = ns(1981, 12, 31, 16)
    assert singapore.changes(change, change + 1) == [change]
    assert singapore.changes(change - DAY, change) == [] == singapore.changes(change + 1, change + DAY)
    assert singapore.offset_ns(change - 1) == 7 * HOUR + 30 * MINUTE and singapore.offset_ns(change) == 8 * HOUR
    assert singapore.stretches(change - 1, change + 1) == [(change - 1, change, 7 * HOUR + 30 * MINUTE), (change, change + 1, 8 * HOUR)]
    assert singapore.stretches(change, change + DAY) == [(change, change + DAY, 8 * HOUR)]
    assert singapore.stretches(change, change) == []


@pytest.mark.feature("C9")
def test_summer_is_summer_where_the_database_calls_winter_the_exception():
    for zone in ("Europe/Dublin", "Europe/Copenhagen", "Europe/London"):
        clock = LocalClock(zone=zone)
        assert clock.is_dst(ns(2024, 7, 1)) and not clock.is_dst(ns(2024, 1, 1))
    south = LocalClock(zone="Australia/Sydney")
    assert south.is_dst(ns(2024, 1, 1)) and not south.is_dst(ns(2024, 7, 1))
    assert not LocalClock(zone="Asia/Kolkata").is_dst(ns(2024, 7, 1))
    assert not LocalClock(1).is_dst(ns(2024, 7, 1))


@pytest.mark.feature("C9")
def test_every_bit_has_its_place_a_name_and_a_text():
    names = ["gap", "clock-set", "dst", "saturated", "not-finite", "incomplete", "extrapolated", "flagged", "rtc-uncertain", "overlap"]
    assert [q.label for q in Quality] == names
    assert [int(q) for q in Quality] == [1 << k for k in range(10)], "stored bits never move"
    assert set(QUALITY_TEXT) == set(Quality) and len(set(QUALITY_TEXT.values())) == 10
    assert (Quality.DST | Quality.GAP).label == "gap,dst" and Quality(0).label == ""


@pytest.mark.feature("C9")
@pytest.mark.parametrize(
    ("flags", "label"),
    [
        (Flag(0), ""),
        (Flag.GAP, "gap"),
        (Flag.SATURATED, "saturated"),
        (Flag.NOT_FINITE, "not-finite"),
        (Flag.INCOMPLETE, "incomplete"),
        (Flag.NO_CLOCK, "rtc-uncertain"),
        (Flag.DIP, "flagged"),
        (Flag.SWELL, "flagged"),
        (Flag.INTERRUPTION, "flagged"),
        (Flag.NO_LOCK | Flag.OUT_OF_RANGE | Flag.SETTLING | Flag.LOW_RATE, ""),
        (Flag.DIP | Flag.SWELL | Flag.GAP, "gap,flagged"),
    ],
)
def test_flags_of_intervals_as_quality(flags, label):
    assert Quality.of_flags(int(flags)).label == label


@pytest.mark.feature("C9", "T6")
def test_stamps_hold_utc_local_time_and_bits():
    summer = DANISH.stamp(ns(2024, 3, 31, 1), Quality.GAP)
    assert summer == Stamp(ns(2024, 3, 31, 1), 2 * HOUR, Quality.GAP | Quality.DST)
    assert summer.to_dict() == {"t_ns": 1711846800 * S, "local": "2024-03-31T03:00:00+02:00", "quality": 5, "label": "gap,dst"}
    winter = DANISH.stamp(ns(2024, 3, 31, 1) - S)
    assert winter.quality == 0 and winter.local.isoformat() == "2024-03-31T01:59:59+01:00"


@pytest.mark.feature("G16")
def test_a_clock_is_trusted_for_seven_days_without_supply():
    assert RTC_BACKUP_NS == 604_800 * S
    assert gap_quality(6 * DAY + 23 * HOUR) == Quality.GAP
    assert gap_quality(7 * DAY) == Quality.GAP
    assert gap_quality(7 * DAY + 1) == gap_quality(7 * DAY + HOUR) == Quality.GAP | Quality.RTC_UNCERTAIN
    assert gap_quality(0) == 0 and gap_quality(1) == Quality.GAP and gap_quality(-1) == Quality.OVERLAP


@pytest.mark.feature("G15")
def test_a_week_at_five_ppm_is_3_024_s():
    week = 604_800 * S
    sync = ns(2024, 5, 6)
    # what a clock that is 5 ppm fast shows after a true week
    start, rate = retimed(sync + week + 3_024_000_000, 12800.0, 5.0, sync)
    assert start == sync + week
    assert rate == 12800.064  # 12800 samples in 1 s / 1.000005
    # a slow one, and a start before the time it was right
    assert retimed(sync + week - 3_024_000_000, 12800.0, -5.0, sync)[0] == sync + week
    assert retimed(sync - week - 3_024_000_000, 12800.0, 5.0, sync)[0] == sync - week
    # the sheet's other figures: 0.432 s in a day, 158 s in a year (157.68 of 365 days)
    for days, gain in ((1, 432_000_000), (365, 157_680_000_000)):
        assert retimed(sync + days * DAY + gain, 1.0, 5.0, sync)[0] == sync + days * DAY


@pytest.mark.feature("G15")
@given(st.integers(ns(1990, 1, 1), ns(2050, 1, 1)), st.floats(1.0, 1e6), st.floats(-1000, 1000), st.integers(ns(1990, 1, 1), ns(2050, 1, 1)))
def test_drift_is_exact(start, rate, ppm, sync):
    t, true_rate = retimed(start, rate, ppm, sync)
    speed = 1 + Fraction(ppm) / 10**6
    assert abs((t - sync) * speed - (start - sync)) <= speed / 2
    assert true_rate == float(Fraction(rate) * speed)
    assert retimed(start, rate, 0.0, sync) == (start, rate)


@pytest.mark.parametrize("ppm", [float("nan"), float("inf"), -1e6, -2e6])
def test_drifts_that_no_clock_has(ppm):
    with pytest.raises(SettingsError, match="clock_ppm"):
        retimed(0, 1.0, ppm, 0)


def test_clocks_that_are_none():
    with pytest.raises(SettingsError) as caught:
        LocalClock(13, "US", "Nowhere/Town")
    assert [f.split(":")[0] for f in caught.value.faults] == ["utc_offset", "dst", "zone", "zone"]
    for zone in ("Europe", "../etc/passwd", "", "/etc/localtime", 5, "Europe/Copenhagen\0"):
        with pytest.raises(SettingsError, match="zone"):
            LocalClock(zone=zone)
    for offset in (-12, 1.0, True, "1", None):
        with pytest.raises(SettingsError, match="utc_offset"):
            LocalClock(offset)
    with pytest.raises(SettingsError, match="excludes"):
        LocalClock(dst="EU", zone="Europe/Copenhagen")


@pytest.mark.parametrize("clock", [LocalClock(), DANISH, LocalClock(zone="Asia/Kolkata")])
def test_a_long_range_is_cheap(clock):
    span = ns(2024, 1, 1), ns(2025, 1, 1)
    clock.midnights(*span)

    def seconds() -> float:
        begun = time.perf_counter()
        assert len(clock.periods(*span, 15)) == 366 * 96
        assert len(clock.midnights(*span)) == 366
        return time.perf_counter() - begun

    assert min(seconds() for _ in range(5)) < 0.02  # about 0.0003
