"""Load profile: channels, depth, values; the analysis logger."""

from __future__ import annotations

import numpy as np
import pytest

from ctmeter.errors import SettingsError
from ctmeter.meter import Meter, MeterConfig
from ctmeter.meter.profile import MOST_REGISTERS, Analysis, capacity, depth_days, depth_of, parse_register
from ctmeter.meter.quality import Quality
from ctmeter.meter.registers import ROLL_OVER
from ctmeter.meter.tables import column_of
from meter.bench import HOUR, MINUTE, START, Bench, S, ns, sines

#: Days of the sheet's table by channels and minutes.
DEPTHS = {
    1: (278, 556, 1113),
    2: (235, 470, 941),
    4: (180, 360, 720),
    6: (145, 291, 583),
    8: (122, 244, 489),
}
#: Energy type of the profile to its channels: 18 places of the table.
CHANNELS = {1: 1, 2: 2, 3: 2, 4: 4, 5: 6, 6: 8}


@pytest.mark.feature("F2", "Z29")
@pytest.mark.parametrize(("profile", "minutes", "days"), [(p, m, DEPTHS[c][k]) for p, c in CHANNELS.items() for k, m in enumerate((15, 30, 60))])
def test_depths_of_the_sheet(profile, minutes, days):
    config = MeterConfig(profile_channels=profile, period=minutes, profile_depth="sheet")
    channels = len(config.profile_energies)
    assert channels == CHANNELS[profile]
    records = depth_of(config.profile_depth, channels, minutes, config.country)
    assert records == capacity(channels) and records // (1440 // minutes) == days == depth_days(channels, minutes)


@pytest.mark.feature("F2")
def test_other_depths():
    assert depth_of("unlimited", 4, 15) is None and depth_of(77, 4, 15) == 77
    for bad in (0, -1, "all", 1.5):
        with pytest.raises(SettingsError, match="profile_depth"):
            depth_of(bad, 4, 15)


@pytest.mark.feature("F3")
def test_austria_has_sixty_days_of_fifteen_minutes():
    assert depth_of("unlimited", 4, 15, "AT") == depth_of("sheet", 1, 15, "AT") == 60 * 96
    with pytest.raises(SettingsError, match="15"):
        depth_of("sheet", 1, 30, "AT")
    with pytest.raises(SettingsError, match="15 min only"):
        MeterConfig(country="AT", period=60)


@pytest.mark.feature("F1", "F4", "F5", "F10", "C2")
@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("side", ["primary", "secondary"])
@pytest.mark.parametrize("stamp", ["end", "start"])
def test_records_of_a_steady_power(minutes, side, stamp):
    """1 kW and 0.5 kvar from 40 s after a full hour on: the first record is incomplete, the others hold the energy of the period."""
    config = {"period": minutes, "ct_ratio": 20, "profile_side": side, "stamp": stamp, "profile_channels": 6, "variant": 2}
    bench = Bench(**config).run(START + 40 * S, 3 * 3600, 1000.0, 500.0)
    k = 20 if side == "primary" else 1
    records = bench.table("profile")
    assert len(records) == 180 // minutes
    for number, row in enumerate(records):
        t, start, end, quality, covered, ratio = row[:6]
        values, deltas = row[6:14], row[14:]
        seconds = minutes * 60 - (40 if number == 0 else 0)
        assert start == START + number * minutes * MINUTE and end == start + minutes * MINUTE and t == (end if stamp == "end" else start)
        assert covered == seconds * S and ratio == 20
        assert Quality(quality) == (Quality.INCOMPLETE if number == 0 else Quality(0))
        assert deltas == (k * 1_000_000 * seconds, 0, k * 500_000 * seconds, 0, k * 500_000 * seconds, 0, 0, 0)
        total = (number + 1) * minutes * 60 - 40
        assert values == (k * 1_000_000 * total, 0, k * 500_000 * total, 0, k * 500_000 * total, 0, 0, 0)


@pytest.mark.feature("F5", "Z29", "A8")
def test_channels_that_are_not_kept_are_null():
    assert MeterConfig().profile_energies == ("A+", "A-", "R+", "R-")
    (row,) = Bench(profile_channels=3).run(START, 901, 1000.0).table("profile")
    assert [v is None for v in row[6:14]] == [False, True, False, True, True, True, True, True] == [v is None for v in row[14:]]


@pytest.mark.feature("F4")
def test_a_roll_over_inside_the_profile():
    """The register passes 10^7 kWh on the primary side: its differences do not notice, the display begins again."""
    bench = Bench(ct_ratio=600, profile_side="primary")
    row = np.zeros(40, np.int64)
    row[0] = (ROLL_OVER - 10**9) // 600
    bench.machine.registers.add(row, 1)
    bench.run(START, 2 * 900 + 1, 4140.0)
    first, second = bench.table("profile")
    assert first[14] == second[14] == 4140 * 900 * 1000 * 600
    assert second[6] - first[6] == second[14] and first[6] > ROLL_OVER and first[6] - first[14] < ROLL_OVER


@pytest.mark.feature("F2")
def test_the_oldest_record_makes_room(tmp_path):
    """Three records are kept; five and a half periods are measured."""
    with Meter.create(tmp_path / "a.store", {"profile_depth": 3}) as meter:
        meter.feed(sines(5.5 * 900, fs=800.0), every_s=300)
        ends = [end for (end,) in meter.ledger.rows("profile", columns=["end_ns"])]
        assert ends == [START + k * 15 * MINUTE for k in (3, 4, 5)] and meter.check() == []


@pytest.mark.feature("A9", "F9")
def test_24_registers_and_not_25():
    names = [f"{q}_{p}{e}" for q in ("U", "I", "P") for p in ("L1", "L2", "L3") for e in ("", "_min", "_max")]
    assert MeterConfig(analysis_registers=tuple(names[:24])).analysis_registers == tuple(names[:24]) and MOST_REGISTERS == 24
    with pytest.raises(SettingsError, match=names[24]):
        Analysis(names[:25])
    with pytest.raises(SettingsError, match=names[24]):
        MeterConfig(analysis_registers=tuple(names[:25]))
    with pytest.raises(SettingsError, match="no quantity"):
        parse_register("V_L1")


@pytest.mark.feature("F9", "Z10")
def test_values_of_the_analysis_logger():
    """Rows of 1, 1 and 2 s: means by time, of voltages the root of the mean square; import and export apart; extremes of the rows."""
    logger = Analysis(["P+", "P-", "U_L1", "U_L1_min", "U_L1_max", "f", "I_L1"])
    seconds = np.array([1.0, 1.0, 2.0])
    means = {"P": np.array([100.0, -60.0, 20.0]), "U_L1": np.array([220.0, np.nan, 240.0]), "f": np.array([50.0, 51.0, 49.0])}
    logger.add({k: v[:2] for k, v in means.items()}, seconds[:2])
    again = Analysis(logger.registers)
    again.resume(logger.state())
    for one in (logger, again):
        one.add({k: v[2:] for k, v in means.items()}, seconds[2:])
        found = one.close()
        assert found[:6] == pytest.approx([(100 + 40) / 4, 60 / 4, np.sqrt((220**2 + 2 * 240**2) / 3), 220.0, 240.0, (50 + 51 + 98) / 4])
        assert found[6] is None and one.close() == [None] * 7


@pytest.mark.feature("F9")
@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_records_of_the_analysis_logger(minutes):
    """Power steps from 300 W to 600 W half an hour after the start."""
    power = np.repeat([300.0, 600.0], [1800, 5401])
    bench = Bench(analysis_interval=minutes, analysis_registers=("P+", "P+_max", "U_L2", "A+_L1", "S-")).run(START, 7201, power)
    records = bench.table("analysis")
    assert [r[0] for r in records] == [START + k * minutes * MINUTE for k in range(1, 120 // minutes + 1)]
    for t, begin, quality, mean, most, u, energy, s_minus, *rest in records:
        low = max(0, min(t, START + 30 * MINUTE) - begin) / (t - begin)
        assert mean == pytest.approx(300 * low + 600 * (1 - low)) and most == (300.0 if low == 1 else 600.0) and u == pytest.approx(230.0)
        since = (t - START) / HOUR
        assert energy == pytest.approx(100 * min(since, 0.5) + 200 * max(since - 0.5, 0)) and s_minus == 0.0
        assert quality == 0 and rest == [None] * 19


@pytest.mark.feature("F10", "C9")
def test_quality_of_records():
    """Every bit that a measured row or the clock brings into a record, and none into the next but what holds on."""
    from ctmeter.quantity import Flag

    bits = {
        Flag.GAP: Quality.GAP,
        Flag.SATURATED: Quality.SATURATED,
        Flag.NOT_FINITE: Quality.NOT_FINITE,
        Flag.INCOMPLETE: Quality.INCOMPLETE,
        Flag.DIP: Quality.FLAGGED,
        Flag.SWELL: Quality.FLAGGED,
        Flag.INTERRUPTION: Quality.FLAGGED,
        Flag.NO_CLOCK: Quality.RTC_UNCERTAIN,
    }
    for flag, quality in bits.items():
        flags = np.zeros(1801, np.uint32)
        flags[450] = flag
        first, second = Bench().run(START, 1801, 1.0, flags=flags).table("profile")
        assert Quality(first[3]) == quality and second[3] == 0, flag
    first, second = Bench().run(START, 1801, 1.0, quality=Quality.CLOCK_SET | Quality.OVERLAP).table("profile")
    assert Quality(first[3]) == Quality.CLOCK_SET | Quality.OVERLAP and second[3] == 0
    summer = Bench(utc_offset=1, dst="EU").run(ns(2026, 7, 1), 901, 1.0).table("profile")
    assert Quality(summer[0][3]) == Quality.DST


def test_columns_are_named_after_registers():
    assert column_of("A+") == "A_plus" and column_of("R-") == "R_minus" and column_of("R1") == "R1"
