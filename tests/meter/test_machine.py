"""The meter's state machine over hours, days and years, fed with rows of registers whose sums are known."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from ctmeter.meter.billing import RECORD_FIELDS
from ctmeter.meter.inputs import Change
from ctmeter.meter.quality import Quality
from meter.bench import DAY, HOUR, MINUTE, START, Bench, S, ns

QUARTER = 15 * MINUTE
#: Night and day of working days, a weekend of its own.
PLAN = {"seasons": [{"working": {"06:00": 1, "22:00": 2}, "non_working": {"00:00": 3}}]}


# -- tariffs ----------------------------------------------------------------------------------------------------


@pytest.mark.feature("C3", "Z13", "B12")
def test_tariffs_of_a_week():
    """1 kW from Thursday 2026-01-01 00:00 UTC for a week: two working days, a weekend, three working days."""
    bench = Bench(tariff_source="plan", tariff_plan=PLAN).run(START, 7 * 86_400, 1000.0, 250.0, step=60.0)
    working, weekend = 5, 2
    # Monday before 6:00 goes on with the tariff of the weekend
    expected = {1: working * 16, 2: (working * 2 + 4 * 6), 3: weekend * 24 + 6, 4: 0}
    assert sum(expected.values()) == 7 * 24
    for t, hours in expected.items():
        assert bench.kwh(f"A+_T{t}") == hours and bench.kwh(f"R+_T{t}") == hours / 4
    assert sum(bench.machine.registers.value(f"A+_T{t}") for t in (1, 2, 3, 4)) == bench.machine.registers.value("A+")
    assert bench.machine.tariff == 2, "the last midnight is past 22:00 of a working day"


@pytest.mark.feature("C3", "Z13")
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_a_switch_within_a_row_and_by_any_split(size):
    """Rows of 7 s over a switch at 22:00, given in any number of calls."""
    bench = Bench(tariff_source="plan", tariff_plan=PLAN).run(START + 21 * HOUR + 59 * MINUTE, 119, 1000.0, step=7.0, size=size)
    assert bench.machine.registers.value("A+_T1") == 60_000_000
    assert bench.machine.registers.value("A+_T2") == 59_000_000


@pytest.mark.feature("Z13")
def test_the_register_chooses_and_others_do_not():
    said = [Change(START + 100 * S, "tariff", 4), Change(START + 250 * S, "tariff", 2)]
    bench = Bench(tariff_source="register").run(START, 400, 36_000.0, changes=said)
    assert [bench.kwh(f"A+_T{t}") for t in (1, 2, 3, 4)] == [1.0, 1.5, 0.0, 1.5]
    off = Bench().run(START, 400, 36_000.0, changes=said)
    assert [off.kwh(f"A+_T{t}") for t in (1, 2, 3, 4)] == [4.0, 0, 0, 0] and not off.machine.uses_tariffs


@pytest.mark.feature("Z15", "Z13", "T6", "C5", "F1")
@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("zone", [{"utc_offset": 1, "dst": "EU"}, {"zone": "Europe/Copenhagen"}])
@pytest.mark.parametrize("year", range(2020, 2041))
def test_days_of_23_and_25_hours(year, zone, minutes):
    """Both switches of a year: periods, tariffs by local hours, and a daily logger, over the local day."""
    for month in (3, 10):
        sunday = max(d for d in range(25, 32) if (ns(year, month, d) // DAY + 4) % 7 == 0)
        hours = 23 if month == 3 else 25
        # local midnight: winter time before the first, summer time before the second
        midnight = ns(year, month, sunday) - (1 if month == 3 else 2) * HOUR
        plan = {"seasons": [{"working": {"00:00": 1, "02:00": 2, "03:00": 3}}], "working_days": [1, 2, 3, 4, 5, 6, 7]}
        bench = Bench(period=minutes, tariff_source="plan", tariff_plan=plan, logger_2="daily", logger_2_profile=1, **zone)
        bench.run(midnight - 120 * S, hours * 3600 + 240, 1000.0, step=60.0)
        seconds = 60.0
        # the hour from 2 to 3 is left out in March and is there twice in October
        twos = 0 if month == 3 else 2
        expected = {1: 2 * 3600, 2: twos * 3600, 3: 21 * 3600 + 4 * seconds}
        # the two minutes before midnight are tariff 3 as well, those after the end tariff 1
        expected = {1: expected[1] + 2 * seconds, 2: expected[2], 3: expected[3] - 2 * seconds}
        assert {t: bench.machine.registers.value(f"A+_T{t}") for t in (1, 2, 3)} == {t: s * 1e6 for t, s in expected.items()}
        whole = [r for r in bench.table("profile") if midnight <= r[1] < midnight + hours * HOUR]
        assert len(whole) == hours * 60 // minutes and all(r[14] == 60_000_000 * minutes for r in whole)
        assert all(a[2] == b[1] for a, b in itertools.pairwise(whole))
        switch = ns(year, month, sunday, 1)
        for r in whole:
            summer = (r[2] >= switch) == (month == 3)
            assert Quality(r[3]) == (Quality.DST if summer else Quality(0))
        assert [t for t, *_ in bench.table("logger2")] == [midnight, midnight + hours * HOUR]
        # where the next day is the first of a month, its midnight ends a billing period too
        stops = [midnight + hours * HOUR] if sunday == 31 else []
        assert [t for t, *_ in bench.table("billing")] == stops
        power = bench.billing()[0]["P+max"] if stops else bench.machine.maxima.largest["P+max"][0]
        assert power == 1000.0


# -- billing ----------------------------------------------------------------------------------------------------


@pytest.mark.feature("C6", "C11", "C14", "F7", "Z6", "Z7")
def test_three_billing_periods():
    """Stops on the 15th of each month at local midnight; an hour of 1, 2 and 3 kW in each, the ratio changes in the second."""
    bench = Bench(billing_day=15, utc_offset=1, ct_ratio=40, tariff_source="register", period=60)
    for month, power in ((1, 1000.0), (2, 2000.0), (3, 3000.0)):
        bench.run(ns(2026, month, 10), 3600, power, step=60.0)
        if month == 2:
            bench.machine.change_ratio(ns(2026, 2, 10, 1), 60)
    bench.run(ns(2026, 3, 20), 60, 0.0)
    times = [t for t, *_ in bench.table("billing")]
    assert times == [ns(2026, m, 14, 23) for m in (1, 2, 3)]
    records = bench.billing()
    assert [r["billing stops"] for r in records] == [1, 2, 3] and [r["ratio"] for r in records] == [40, 60, 60]
    assert [r["A+"] for r in records] == [40 * 3.6e9, 40 * 3 * 3.6e9, (40 * 3 + 60 * 3) * 3.6e9]
    assert [r["P+max"] for r in records] == [40_000.0, 80_000.0, 180_000.0]
    assert [r["P+max RTC"] for r in records] == [ns(2026, m, 10, 1) for m in (1, 2, 3)]
    assert [r["P+max acc"] for r in records] == [0.0, 40_000.0, 120_000.0], "what the periods before this one had"
    assert [r["hours"] for r in records] == [1.0, 2.0, 3.0]
    assert all(tuple(r) == tuple(f.name for f in RECORD_FIELDS) and len(r) == 40 for r in records)
    assert [r["A+_T1"] for r in records] == [r["A+"] for r in records] and records[0]["A+_T4"] == 0


@pytest.mark.feature("C9", "F7", "C11")
def test_stops_inside_a_gap_are_made_and_marked():
    """Measured to the 30th of January and from the 3rd of March on: stops of February and March lie in the gap."""
    bench = Bench().run(ns(2026, 1, 30), 3600, 1000.0, step=60.0).run(ns(2026, 3, 3), 3600, 1000.0, step=60.0)
    stops = bench.table("billing")
    assert [t for t, *_ in stops] == [ns(2026, 2, 1), ns(2026, 3, 1)]
    for _, _, _, quality, record in stops:
        assert Quality(quality) == Quality.GAP | Quality.EXTRAPOLATED and json.loads(record)["A+"] == 3.6e9
        assert json.loads(record)["RTC/Quality"]["label"] == "gap,extrapolated"
    logged = bench.table("logger2")
    assert [t for t, *_ in logged] == [ns(2026, 2, 1), ns(2026, 3, 1)]
    assert all(Quality(q) & Quality.GAP for _, q, _ in logged)


@pytest.mark.feature("C9", "G16", "F10")
@pytest.mark.parametrize(("hours", "uncertain"), [(7 * 24 - 1, False), (7 * 24 + 1, True)])
def test_a_gap_longer_than_the_backup_of_the_clock(hours, uncertain):
    bench = Bench().run(START, 1200, 1000.0).run(START + 1200 * S + hours * HOUR, 1200, 1000.0)
    bits = Quality.GAP | (Quality.RTC_UNCERTAIN if uncertain else Quality(0))
    first, cut, after = bench.table("profile")
    assert first[3] == 0 and Quality(cut[3]) == bits | Quality.INCOMPLETE and Quality(after[3]) == bits | Quality.INCOMPLETE
    (gap,) = [json.loads(detail) for _, kind, _, _, detail in bench.table("events") if kind == "gap"]
    assert gap == {"until_ns": START + 1200 * S + hours * HOUR, "quality": bits.label}


@pytest.mark.feature("C5", "C9", "F10")
def test_a_gap_within_a_period_makes_it_incomplete():
    """40 s are missing of the second period, whose load is the largest."""
    bench = Bench().run(START, 1000, 500.0).run(START + 1040 * S, 1700 - 40, np.where(np.arange(1660) < 760, 9000.0, 400.0))
    assert [Quality(r[3]).label for r in bench.table("profile")] == ["", "gap,incomplete", ""]
    assert [r[4] for r in bench.table("profile")] == [900 * S, 860 * S, 900 * S]
    assert bench.machine.maxima.largest["P+max"] == (500.0, START + QUARTER)


@pytest.mark.feature("C11", "Z7")
def test_stops_from_outside():
    said = [Change(START + k * 600 * S, "billing-stop", 1) for k in (1, 2, 2)]
    bench = Bench(billing_interval="00").run(START, 1801, 1000.0, changes=said)
    assert [(t - START) // S for t, *_ in bench.table("billing")] == [600, 1200]
    assert [cause for _, _, cause, *_ in bench.table("billing")] == ["billing-stop"] * 2
    assert [r["A+"] for r in bench.billing()] == [600e6, 1200e6] and bench.machine.stops.count == 2
    assert [r["hours"] for r in bench.billing()] == [600 / 3600, 1200 / 3600]


@pytest.mark.feature("C10", "C9")
@pytest.mark.parametrize("size", [1, 60, 3600])
def test_a_record_is_of_its_instant(size):
    """Whatever comes in one call beyond the stop, hours and energies are those of the stop."""
    bench = Bench().run(ns(2026, 1, 31, 23, 50), 1200, 1000.0, size=size)
    (record,) = bench.billing()
    assert record["hours"] == 600 / 3600 and record["A+"] == 600e6


@pytest.mark.feature("F8", "Z25", "Z30")
@pytest.mark.parametrize(("interval", "days"), [("daily", [5, 6, 7, 8, 9, 10, 11, 12, 13]), ("weekly", [5, 12]), ("monthly", [])])
@pytest.mark.parametrize("profile", [1, 2])
def test_the_second_logger(interval, days, profile):
    """From Sunday the 4th to Tuesday the 13th of January 2026; weeks begin on Monday."""
    bench = Bench(logger_2=interval, logger_2_profile=profile, variant=2).run(ns(2026, 1, 4, 12), 9 * 86_400, 1000.0, step=600.0)
    logged = bench.table("logger2")
    assert [t for t, *_ in logged] == [ns(2026, 1, d) for d in days]
    for t, _, record in logged:
        values = json.loads(record)
        assert values["A+"] == (t - ns(2026, 1, 4, 12)) // S * 1_000_000 and len(values) == (14 if profile == 1 else 40)


@pytest.mark.feature("C12")
def test_step_over_the_power_threshold():
    """An hour each of 0.9, 1.1 and 1.0 kW: four periods above 1 kW."""
    bench = Bench(power_threshold=1000.0, ct_ratio=100).run(START, 3 * 3600, np.repeat([900.0, 1100.0, 1000.0], 3600))
    assert bench.machine.maxima.above == 4


@pytest.mark.feature("C7", "C5")
def test_a_period_in_two_tariffs_counts_for_none():
    said = [Change(START + k * S, "tariff", t) for k, t in ((900, 2), (1800 + 450, 1))]
    bench = Bench(tariff_source="register").run(START, 3600, np.repeat([100.0, 200.0, 9000.0, 50.0], 900), changes=said)
    largest = {n: p for n, (p, _) in bench.machine.maxima.largest.items() if n.startswith("P+")}
    assert largest == {"P+max": 9000.0, "P+max T1": 100.0, "P+max T2": 200.0}


# -- what comes from beside ------------------------------------------------------------------------------------


@pytest.mark.feature("C13", "Z12")
def test_pulse_input():
    """90 pulses at 10 a minute for 4 to the kWh, then 30 Hz, which no meter gives."""
    slow = [Change(START + (6 * k + 3) * S, "pulse", 1) for k in range(90)]
    fast = [Change(START + 1000 * S + k * S // 30, "pulse", 1) for k in range(31)]
    bench = Bench(pulse_input_unit="kWh", pulse_input_divisor=4.0, module="03").run(START, 1200, 1.0, changes=[*slow, *fast])
    assert bench.machine.pulses_in == 121 and bench.machine.values(START)["pulse input"] == 30.25
    assert bench.events("pulse-input") == [(START + 1000 * S + S // 30, "begin", "")]


@pytest.mark.feature("B10", "T1", "T2")
def test_tampering_is_written_down_and_stays():
    said = [
        Change(START + 10 * S, "tamper-magnetic", 1),
        Change(START + 20 * S, "tamper-magnetic", 0),
    ]
    bench = Bench().run(START, 15, 1.0, changes=said)
    assert bench.machine.tamper == "temporary"
    bench.run(START + 15 * S, 15, 1.0)
    assert bench.machine.tamper == "permanent" and bench.machine.watch.indicators(None, False, bench.machine.tamper).tamper == "permanent"
    assert bench.events("tamper-magnetic") == [(START + 10 * S, "begin", ""), (START + 20 * S, "end", "")]


@pytest.mark.feature("T5", "Z8")
def test_alarm_input_is_heard_where_it_is_on():
    said = [Change(START + 10 * S, "alarm", 1), Change(START + 14 * S, "alarm", 0)]
    heard = Bench(module="03", alarm_input=True).run(START, 20, 1.0, changes=said)
    assert heard.events("alarm") == [(START + 10 * S, "begin", ""), (START + 14 * S, "end", "")]
    assert Bench(module="03").run(START, 20, 1.0, changes=said).events("alarm") == []


@pytest.mark.feature("H2", "H3")
def test_a_ratio_ordered_for_an_instant_within_a_row():
    """40 until 100.25 s, 60 from then on; rows are of one second."""
    bench = Bench(ct_ratio=40)
    bench.machine.schedule(Change(START + 100 * S + 250_000_000, "ratio", 60))
    bench.run(START, 300, 4000.0)
    assert bench.machine.registers.value("A+") == 1_200_000_000
    assert bench.machine.registers.value("A+", "primary") == 40 * 401_000_000 + 60 * 799_000_000
    ((t, ratio, secondary, primary),) = bench.table("ratios")
    assert (t, ratio) == (START + 100 * S + 250_000_000, 60)
    assert json.loads(secondary)["A+"] == 401_000_000 and json.loads(primary)["A+"] == 40 * 401_000_000
    assert next(e for e in bench.table("events") if e[1] == "ratio")[4] == '{"old":40,"new":60}'


# -- state -------------------------------------------------------------------------------------------------------


@pytest.mark.feature("C1", "A7")
def test_state_goes_on_as_if_nothing_had_been():
    """Through JSON after each call; everything that is kept and given out is the same."""
    config = {
        "tariff_source": "plan", "tariff_plan": PLAN, "utc_offset": 1, "dst": "EU", "billing_day": 1, "logger_2": "daily",
        "power_threshold": 800.0, "analysis_registers": ("P+", "U_L1_min", "I_L2"), "ct_ratio": 3,
    }  # fmt: skip
    rng = np.random.default_rng(7)
    begin = ns(2026, 1, 31, 20)
    parts = [(begin, 5 * 3600), (begin + 6 * HOUR, 3 * 3600)]
    loads = [rng.uniform(-2000, 3000, n // 10) for _, n in parts]
    one, two = Bench(**config), Bench(**config)
    out: dict[str, list] = {}
    for (t, n), p in zip(parts, loads, strict=True):
        one.run(t, n, p, -300.0, step=10.0, size=100)
        from meter.bench import rows

        made = rows(t, n, p, -300.0, step=10.0)
        two.machine.begin(t)
        for a in range(0, n // 10, 100):
            two.machine.feed({name: v[a : a + 100] for name, v in made.items()})
            for name, found in two.machine.take().items():
                out.setdefault(name, []).extend(found)
            fresh = Bench(**config)
            fresh.machine.resume(json.loads(json.dumps(two.machine.state())))
            two = fresh
    assert out == one.machine.out and set(out) == {"profile", "analysis", "billing", "logger2", "events"}
    assert two.machine.state() == one.machine.state()
