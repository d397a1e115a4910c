"""Recordings through the real engine into a store: energies, directions, order of time, interruptions."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import sqlite3
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import ctmeter
from ctmeter.errors import InputError, SettingsError, StoreError
from ctmeter.meter import Meter
from ctmeter.meter.inputs import Change
from ctmeter.meter.quality import Quality
from ctmeter.meter.registers import KEYS
from ctmeter.pipeline import drive
from ctmeter.recording import Gap, Recording, Segment
from meter.bench import FS, HOUR, MINUTE, PHASES, START, S, ns, sines

QUADRANTS = ("R1", "R2", "R3", "R4")


@pytest.fixture(scope="module")
def waveforms():
    return Path(__file__).resolve().parents[2] / "waveforms"


@pytest.fixture
def meter(tmp_path):
    made = []

    def create(**config) -> Meter:
        made.append(Meter.create(tmp_path / f"{len(made)}.store", config))
        return made[-1]

    yield create
    for one in made:
        one.close()


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 1365 rows, so that a short recording has many commits."""
    monkeypatch.setattr(drive, "_BLOCK_BYTES", 1 << 16)


def held(meter, name):
    """What a register and its remainder are worth, mWs."""
    registers = meter.machine.registers
    return Fraction(registers.value(name)) + Fraction(registers.remainder(name))


def kept(meter, table, *names):
    return meter.ledger.rows(table, columns=list(names) or None)


# -- energy -----------------------------------------------------------------------------------------------------


@pytest.mark.feature("C2", "A3", "A5", "A16", "Z29")
@pytest.mark.parametrize("summation", ["vector", "per-phase", "absolute"])
@pytest.mark.parametrize("name", ["feeder", "export"])
def test_registers_are_what_measure_says(meter, waveforms, summation, name):
    """Whole mWs of each of the 40 energies, and the fraction below; creep limit 0, the same side and summation."""
    result = ctmeter.measure(waveforms / f"{name}.cfg", side="secondary", summation=summation, spectra="none")
    it = meter(summation=summation)
    it.feed(waveforms / f"{name}.cfg")
    for key in KEYS:
        wh = result.energy[key]
        # Wh are Ws by 3600, rounded once each way
        joules = Fraction(wh) * 3600
        assert abs(held(it, key) - joules * 1000) <= max(joules * 1000 * Fraction(1, 2**51), Fraction(1, 10**6)), key
        if key.split("_")[0] not in ("R+", "R-"):
            assert it.machine.registers.value(key) == math.floor(joules * 1000), key


@pytest.mark.feature("A16", "A5")
def test_the_example_of_three_summations(meter):
    """Phases of +1, +1 and -1 kW: A+/A- are 1/0, 2/1 and 3/0 kW."""
    for summation, (imported, exported) in {"vector": (1, 0), "per-phase": (2, 1), "absolute": (3, 0)}.items():
        it = meter(summation=summation)
        it.feed(sines(36.0, (1000.0, 1000.0, -1000.0)))
        # 36 s of 1 kW are 10 Wh, 3.6e7 mWs
        assert it.machine.registers.value("A+") == pytest.approx(imported * 3.6e7, rel=1e-9, abs=100)
        assert it.machine.registers.value("A-") == pytest.approx(exported * 3.6e7, rel=1e-9, abs=100)
        assert [it.machine.registers.value(f"A-_{p}") > 0 for p in PHASES] == [False, False, True]


@pytest.mark.feature("A5", "C4", "G10")
@pytest.mark.parametrize("degrees", [11.25 + 22.5 * k for k in range(16)])
def test_sixteen_angles(meter, degrees):
    """3 kVA at each angle for 20 s: every register is the product of S, time and cosine or sine, or nothing."""
    it = meter()
    it.feed(sines(20.0, lag=degrees))
    p, q = (60e6 * f(math.radians(degrees)) for f in (math.cos, math.sin))
    quadrant = int(degrees // 90)
    expected = {name: abs(q) if k == quadrant else 0.0 for k, name in enumerate(QUADRANTS)}
    expected |= {"A+": max(p, 0), "A-": max(-p, 0), "R+": max(q, 0), "R-": max(-q, 0), "E+": 60e6 * (p > 0), "E-": 60e6 * (p < 0)}
    found = {name: it.machine.registers.value(name) for name in expected}
    assert found == pytest.approx(expected, rel=1e-7, abs=60)
    assert found["R+"] == found["R1"] + found["R2"] and found["R-"] == found["R3"] + found["R4"]
    assert it.indicators().quadrant == quadrant + 1


@pytest.mark.feature("A5", "B6", "C4")
@pytest.mark.parametrize(("degrees", "register"), [(0, "A+"), (90, "R+"), (180, "A-"), (270, "R-")])
def test_four_axes(meter, degrees, register):
    """On an axis the other component is rounding: below 1e-9 of the load, in whatever register."""
    it = meter()
    it.feed(sines(20.0, lag=float(degrees)))
    axes = {name: held(it, name) for name in ("A+", "A-", "R+", "R-")}
    assert float(axes.pop(register)) == pytest.approx(60e6, rel=1e-7) and max(axes.values()) < 60


@pytest.mark.feature("A6")
@pytest.mark.parametrize("live", [c for n in (1, 2, 3) for c in itertools.combinations(range(3), n)])
def test_any_phases_alone(meter, live):
    """A phase without voltage and current adds nothing and is marked absent; the others count as ever."""
    recording = sines(20.0, (1000.0, 500.0, 250.0), lag=30.0)
    columns = {c.name: recording.read([c.name])[:, 0] for c in recording.channels}
    dead = {f"{q}_{PHASES[k]}" for k in range(3) if k not in live for q in "UI"}
    it = meter()
    it.feed(
        Recording.from_arrays({n: np.zeros_like(v) if n in dead else v for n, v in columns.items()}, sample_rate=FS, start="2026-01-01T00:00:00Z")
    )
    power = sum((1000.0, 500.0, 250.0)[k] for k in live) * math.cos(math.radians(30))
    assert it.machine.registers.value("A+") == pytest.approx(power * 20_000, rel=1e-7)
    assert it.indicators().voltage == tuple(k in live for k in range(3))
    assert [it.machine.registers.value(f"A+_{p}") > 0 for p in PHASES] == [k in live for k in range(3)]


@pytest.mark.feature("A1", "A4")
def test_channels_in_any_order_and_missing_ones(meter):
    recording = sines(5.0, (1000.0, 600.0, 300.0), lag=20.0)
    columns = {c.name: recording.read([c.name])[:, 0] for c in recording.channels}
    one, two, three = meter(), meter(), meter()
    one.feed(recording)
    two.feed(Recording.from_arrays(dict(reversed(columns.items())), sample_rate=FS, start="2026-01-01T00:00:00Z"))
    assert one.machine.registers.state() == two.machine.registers.state()
    with pytest.raises(InputError, match=r"U_L12.*expected"):
        three.feed(Recording.from_arrays({"U_L12": columns["U_L1"], "I_L1": columns["I_L1"]}, sample_rate=FS, start="2026-01-01T00:00:00Z"))
    assert three.machine.now_ns is None and three.ledger.rows("recordings") == []


@pytest.mark.feature("A14", "C8")
@pytest.mark.parametrize(("apparent", "expected"), [("arithmetic", 1000.0 + 2000.0 + 500.0), ("vector", None)])
def test_apparent_energy(meter, apparent, expected):
    """Unbalanced loads at unlike angles: the sum of S, or the root of P and Q squared."""
    lags = (0.0, 60.0, -30.0)
    it = meter(apparent=apparent)
    it.feed(sines(20.0, (1000.0, 2000.0, 500.0), lag=lags))
    p, q = (sum(s * f(math.radians(a)) for s, a in zip((1000, 2000, 500), lags, strict=True)) for f in (math.cos, math.sin))
    # S of the parts of cycles at both ends is not that of whole ones: of 1000 cycles less than one, and of that a thousandth
    assert it.machine.registers.value("E+") == pytest.approx((expected or math.hypot(p, q)) * 20_000, rel=1e-6)


@pytest.mark.feature("C2")
@pytest.mark.parametrize(("reactive", "share"), [("fundamental", 0.5), ("budeanu", 0.52), ("fryze", math.sqrt(1.01 * 1.04 - 0.75))])
def test_definitions_of_reactive_energy(meter, reactive, share):
    """A fifth harmonic of 10 % and 20 % in quadrature beside a lag of 30 degrees: Budeanu counts it, Fryze all that is not active."""
    t = 2 * np.pi * 50 / FS * np.arange(round(10 * FS))
    u = np.sqrt(2) * 230 * (np.cos(t) + 0.1 * np.cos(5 * t))
    i = np.sqrt(2) * 5 * (np.cos(t - np.pi / 6) + 0.2 * np.cos(5 * t - np.pi / 2))
    it = meter(reactive=reactive)
    it.feed(Recording.from_arrays({"U_L1": u, "I_L1": i}, sample_rate=FS, start="2026-01-01T00:00:00Z"))
    assert it.machine.registers.value("R+_L1") == pytest.approx(1150 * share * 10_000, rel=1e-5)  # at the ends a cycle is there in part


@pytest.mark.feature("C1")
def test_creep_and_start(meter):
    """Below the limits nothing is counted; without limits all is."""
    load = sines(30.0, (0.3,) * 3)
    with_limits, without = meter(p_start=1.0, p_creep=0.95), meter()
    for one in (with_limits, without):
        one.feed(load)
    assert with_limits.machine.registers.value("A+") == 0 and without.machine.registers.value("A+") == pytest.approx(27_000, abs=2)
    # once started, it runs on below the start and above creep
    started = meter(p_start=1.0, p_creep=0.5)
    started.feed(sines(10.0, (0.4,) * 3))
    started.feed(sines(10.0, (0.3,) * 3, start=START + 10 * S))
    assert started.machine.registers.value("A+") == pytest.approx(21_000, rel=2e-3)


@pytest.mark.feature("A13", "C9", "F10")
def test_faulty_samples_are_marked_and_harm_nothing(meter):
    """NaN for a second, then steady again."""
    recording = sines(1000.0, fs=800.0)
    columns = {c.name: recording.read([c.name])[:, 0].copy() for c in recording.channels}
    columns["U_L2"][8000:8800] = np.nan
    it = meter()
    it.feed(Recording.from_arrays(columns, sample_rate=800.0, start="2026-01-01T00:00:00Z"))
    ((quality, covered),) = kept(it, "profile", "quality", "covered_ns")
    # the second without samples of a channel is not covered, so the period makes no maximum
    assert Quality(quality) == Quality.NOT_FINITE | Quality.INCOMPLETE and covered == pytest.approx(899 * S, abs=2_000_000)
    assert it.machine.maxima.largest == {}
    a, b, c = (it.machine.registers.value(f"A+_{p}") for p in PHASES)
    assert a == pytest.approx(1e9, rel=1e-9) == c and b == pytest.approx(0.999e9, rel=1e-4)


# -- sides and ratios ---------------------------------------------------------------------------------------------


@pytest.mark.feature("H2", "H3", "H4", "C14", "Z21")
def test_ratio_change_within_a_recording(meter):
    """40 for 12.5 s, 60 for the 27.5 s after: primary is 40 E1 + 60 E2, secondary E1 + E2; what stood before stands."""
    it = meter(ct_ratio=40, serial="7")
    it.feed(sines(20.0))
    before = it.machine.registers.value("A+", "primary")
    assert before == 40 * it.machine.registers.value("A+")
    it.change_ratio("300/5", at="2026-01-01T00:00:32.5Z", reason="new transformers")
    it.feed(sines(40.0, start=START + 20 * S))
    ((t, ratio, secondary, primary),) = kept(it, "ratios")
    e1 = json.loads(secondary)["A+"]
    total = it.machine.registers.value("A+")
    assert (t, ratio) == (START + 32_500_000_000, 60) and e1 == pytest.approx(32.5 * 3e6, rel=1e-4)
    assert total == pytest.approx(60.0 * 3e6, rel=1e-9)
    assert it.machine.registers.value("A+", "primary") == 40 * e1 + 60 * (total - e1) and json.loads(primary)["A+"] == 40 * e1
    (energy,) = [r for r in it.readings("primary") if r.name == "A+"]
    assert (energy.millijoules, energy.side, energy.unit) == (40 * e1 + 60 * (total - e1), "primary", "Wh")
    ((_, detail),) = [r for r in kept(it, "audit", "action", "detail") if r[0] == "ratio"]
    assert json.loads(detail) == {"old": 40, "new": 60, "at": "2026-01-01T00:00:32.5Z", "reason": "new transformers"}


@pytest.mark.feature("H1", "H3", "Z22", "D4")
def test_ratio_that_is_locked_absurd_or_late(meter):
    locked = meter(ratio_locked=True)
    with pytest.raises(SettingsError, match="locked"):
        locked.change_ratio(5)
    assert [action for (action,) in kept(locked, "audit", "action")] == ["create", "ratio refused"] and locked.machine.registers.ratio == 1
    it = meter()
    it.feed(sines(5.0))
    for bad in (0, 601, 1.5, "7/0"):
        with pytest.raises(SettingsError, match="ratio"):
            it.change_ratio(bad)
    with pytest.raises(SettingsError, match="has passed"):
        it.change_ratio(5, at="2026-01-01T00:00:01Z")
    with pytest.raises(InputError, match="ratio"):
        it.feed(sines(5.0, start=START + 5 * S), events=[Change(START + 7 * S, "ratio", 50)])
    it.change_ratio(50)
    assert it.machine.registers.ratio == 50 and it.side == "primary"


@pytest.mark.feature("A5", "Z29", "A4")
def test_the_exporting_sample(meter, waveforms):
    """L1 and L2 feed back 1645 W, L3 draws less: A- and the reactive registers of the export side take it, A+ of L3 alone."""
    values = json.loads((waveforms / "catalogue.json").read_text())["export"]["values"]
    it = meter()
    it.feed(waveforms / "export.cfg")
    registers = it.machine.registers
    assert values["P_L1"] < 0 > values["P_L2"] and values["P_L3"] > 0 > values["P_L1"] + values["P_L2"] + values["P_L3"]
    # it ends within a cycle: the power that swings may leave S / (2 pi f) of each phase, mWs
    ripple = {p: 1000 * values[f"S_{p}"] / (2 * math.pi * values["f"]) for p in PHASES}
    assert registers.value("A-") == pytest.approx(-4000 * (values["P_L1"] + values["P_L2"] + values["P_L3"]), abs=sum(ripple.values()))
    assert registers.value("A+") == 0 and registers.value("E-") > 0 == registers.value("E+")
    for p in PHASES:
        quadrant = {(False, True): "R2", (False, False): "R3", (True, False): "R4", (True, True): "R1"}[values[f"P_{p}"] > 0, values[f"Q_{p}"] > 0]
        assert registers.value(f"{quadrant}_{p}") == pytest.approx(4000 * abs(values[f"Q_{p}"]), abs=ripple[p])
        assert all(registers.value(f"{r}_{p}") == 0 for r in QUADRANTS if r != quadrant)
        active = "A+" if values[f"P_{p}"] > 0 else "A-"
        assert registers.value(f"{active}_{p}") == pytest.approx(4000 * abs(values[f"P_{p}"]), abs=ripple[p])


@pytest.mark.feature("A4", "H4")
def test_a_real_recording_twice(meter, recordings):
    """A line of 275 kV, secondary values through a ratio: in once, known again by its content."""
    path = recordings / "line-275kv" / "test1.cfg"
    it = meter()
    (first,) = it.feed(path)
    held_before, hash_before = it.machine.registers.state(), it.ledger.content_hash()
    (second,) = it.feed(path)
    assert (first.status, second.status) == ("fed", "duplicate") and second.samples == 0
    assert it.machine.registers.state() == held_before and it.ledger.content_hash() == hash_before
    result = ctmeter.measure(path, side="secondary", spectra="none")
    for name in ("A+", "A-", "E+"):
        assert abs(held(it, name) - Fraction(result.energy[name]) * 3_600_000) < Fraction(1, 100)


# -- order of time --------------------------------------------------------------------------------------------------


@pytest.mark.feature("T6")
def test_recordings_are_fed_in_the_order_of_time(meter):
    parts = [sines(10.0, start=START + k * 10 * S) for k in range(3)]
    it = meter()
    assert [f.start_ns for f in it.feed([parts[2], parts[0], parts[1]])] == [START, START + 10 * S, START + 20 * S]
    assert it.machine.registers.value("A+") == pytest.approx(90e6, rel=1e-7)
    assert [(k, e) for k, e in kept(it, "events", "kind", "edge") if k == "gap"] == []
    with pytest.raises(InputError, match="already"):
        it.feed(sines(9.0, start=START + S))
    without_clock = sines(5.0, start=None)
    with pytest.raises(InputError, match="no clock"):
        it.feed(without_clock)
    (fed,) = it.feed(without_clock, start="next")
    assert fed.start_ns == START + 30 * S and it.machine.now_ns == START + 35 * S - round(S / (2 * FS))


@pytest.mark.feature("T6", "C9")
@pytest.mark.parametrize("overlap", ["reject", "first", "last"])
def test_two_recordings_of_the_same_time(meter, overlap):
    """1 kW from 0 to 20 s, 4 kW from 12 to 32 s."""
    first, second = sines(20.0, (1000 / 3,) * 3), sines(20.0, (4000 / 3,) * 3, start=START + 12 * S)
    it = meter(overlap=overlap)
    if overlap == "reject":
        with pytest.raises(InputError, match=r"its first 7\.9\d+ s are in"):
            it.feed([first, second])
        assert it.machine.registers.value("A+") == pytest.approx(20e6, rel=1e-6)
        return
    it.feed([first, second])
    seconds = (20, 12) if overlap == "first" else (12, 20)
    assert it.machine.registers.value("A+") == pytest.approx(1e6 * seconds[0] + 4e6 * seconds[1], rel=1e-3)
    it.feed(sines(900.0, start=START + 32 * S, fs=800.0))
    ((quality,),) = kept(it, "profile", "quality")
    assert Quality.OVERLAP in Quality(quality)
    (again,) = it.feed(sines(3.0, start=START + 5 * S)) if overlap == "first" else [None]
    assert again is None or again.status == "skipped"


@pytest.mark.feature("C9", "T6")
def test_a_clock_that_was_set(meter):
    it = meter()
    it.feed(sines(1000.0, fs=800.0), start="2026-03-01T00:00:00Z")
    ((quality, start),) = kept(it, "profile", "quality", "start_ns")
    assert Quality(quality) == Quality.CLOCK_SET and start == ns(2026, 3, 1)
    ((t, detail),) = [(t, d) for t, k, _, _, d in kept(it, "events") if k == "clock"]
    assert t == ns(2026, 3, 1) and json.loads(detail) == {"recorder": START, "set": ns(2026, 3, 1)}


def test_a_recording_in_which_time_goes_back(meter):
    recording = sines(10.0)
    n = round(5 * FS)
    recording.segments = (Segment(0, n, FS, START), Segment(n, 2 * n, FS, START + 2 * S))
    it = meter()
    with pytest.raises(InputError, match="order of time"):
        it.feed(recording)
    assert it.machine.registers.value("A+") == 0 and it.ledger.rows("recordings") == []


@pytest.mark.feature("C10", "C9")
def test_a_gap_inside_a_recording(meter):
    """Half an hour is missing amid ninety minutes, at a low rate: an hour of supply, and the periods say so."""
    recording = sines(3600.0, fs=400.0)
    half = 400 * 1800
    recording = dataclasses.replace(recording, gaps=((half, Gap(half, "lost")),))
    it = meter()
    it.feed(recording)
    assert it.machine.values(0)["hours"] == pytest.approx(1.0, abs=1e-5)
    records = {(end - START) // MINUTE: (Quality(q), covered) for end, q, covered in kept(it, "profile", "end_ns", "quality", "covered_ns")}
    # of the period in the gap there is nothing; what follows begins half a sample before its first; the last period has not ended
    assert set(records) == {15, 30, 60, 75} and records[15] == (0, 900 * S)
    assert records[60] == (Quality.GAP | Quality.INCOMPLETE, round(0.5 / 400 * S))
    assert it.machine.registers.value("A+") == pytest.approx(3 * 3.6e9, rel=1e-6)
    assert [(t - START) // MINUTE for t, k, *_ in kept(it, "events") if k == "gap"] == [29]


@pytest.mark.feature("G15", "T6")
def test_a_recorder_that_runs_fast(meter):
    """5 ppm for a week are 3.024 s: a recording at the end of it, and the status channel in it, stand that much earlier."""
    week = 7 * 86_400 * S
    status = np.repeat([0, 1], round(5 * FS))
    it = meter(clock_ppm=5.0, clock_sync="2026-01-01T00:00:00Z", module="27", input_1="pulse")
    (fed,) = it.feed(sines(10.0, start=START + week, status={"pulse": status}))
    assert fed.start_ns == pytest.approx(START + week - 3_024_000_000, abs=20_000)
    assert it.machine.now_ns - fed.start_ns == pytest.approx(10 * S, abs=400_000)
    assert it.machine._pulse_ns == pytest.approx(START + week + 5 * S - 3_024_000_000, abs=40_000)
    # what follows by the recorder's clock follows
    (after,) = it.feed(sines(10.0, start=START + week + 10 * S, status={"pulse": status}))
    assert after.status == "fed" and kept(it, "events") == []
    (last,) = it.feed(sines(1.0, start=None, status={"pulse": status[: round(FS)]}), start="next")
    assert last.start_ns == pytest.approx(START + week + 20 * S - 3_024_000_000, abs=500_000) and kept(it, "events") == []


@pytest.mark.feature("G15")
def test_a_slow_recorder_does_not_overlap_itself(meter):
    it = meter(clock_ppm=-500.0, clock_sync="2026-01-01T00:00:00Z")
    for k in range(3):
        it.feed(sines(10.0, start=START + k * 10 * S))
    assert it.machine.now_ns == pytest.approx(START + 30 * S * (1 + 500e-6), abs=1_000_000) and kept(it, "events") == []
    with pytest.raises(SettingsError, match="clock_sync"):
        meter(clock_ppm=5.0)


# -- status channels and events ------------------------------------------------------------------------------------


@pytest.mark.feature("Z3", "Z13", "C3", "B12")
def test_inputs_choose_the_tariff(meter):
    n = round(10 * FS)
    a, b = np.repeat([0, 1, 0, 1], n // 4), np.repeat([0, 0, 1, 1], n // 4)
    it = meter(tariff_source="port", module="01", input_1="a", input_2="b")
    it.feed(sines(10.0, (1200.0,) * 3, status={"a": a, "b": b}))
    registers = it.machine.registers
    assert [registers.value(f"A+_T{t}") for t in (1, 2, 3, 4)] == pytest.approx([9e6] * 4, rel=1e-3)
    assert sum(registers.value(f"A+_T{t}") for t in (1, 2, 3, 4)) == registers.value("A+") and it.indicators().tariff == 4
    with pytest.raises(SettingsError, match="input_1"):
        meter(tariff_source="port", module="07").feed(sines(1.0))
    # a plan is not disturbed by inputs
    plan = {"seasons": [{"working": {"00:00": 3}}]}
    other = meter(tariff_source="plan", tariff_plan=plan, module="01", input_1="a", input_2="b")
    other.feed(sines(10.0, status={"a": a, "b": b}))
    assert other.machine.registers.value("A+_T3") == other.machine.registers.value("A+") > 0


@pytest.mark.feature("C13", "Z3", "Z12", "T5")
def test_pulses_alarms_and_stops_of_a_recording(meter):
    n = round(10 * FS)
    pulses = (np.arange(n) // round(FS / 4)) % 2
    alarm = (np.arange(n) // round(4 * FS)) == 1
    it = meter(module="03", input_1="p", input_2="a", alarm_input=True, pulse_input_unit="m3", pulse_input_divisor=10.0)
    it.feed(sines(10.0, status={"p": pulses, "a": alarm}))
    assert it.machine.pulses_in == 20
    (reading,) = [r for r in it.readings() if r.name == "pulse input"]
    assert (reading.value, reading.unit) == (2.0, "m3")
    assert [(t - START, edge) for t, k, edge, *_ in kept(it, "events") if k == "alarm"] == [(4 * S, "begin"), (8 * S, "end")]
    stopped = meter(module="15", input_1="p", billing_interval="00")
    stopped.feed(sines(10.0, status={"p": (np.arange(n) // n == 0) & (np.arange(n) > n // 2)}))
    ((t, cause, record),) = kept(stopped, "billing", "t_ns", "cause", "record")
    assert t == pytest.approx(START + 5 * S, abs=S // 1000) and cause == "billing-stop" and json.loads(record)["A+"] == pytest.approx(15e6, rel=1e-3)


@pytest.mark.feature("B10", "T1", "T2")
def test_events_beside_recordings_count_once(meter):
    events = [Change(START + 3 * S, "tamper-cover", 1), Change(START + 4 * S, "tamper-cover", 0), Change(START + 14 * S, "tamper-magnetic", 1)]
    it = meter()
    parts = [sines(10.0), sines(10.0, start=START + 10 * S)]
    it.feed(parts[0], events=events)
    assert it.indicators().tamper == "permanent"
    found = it.feed(parts, events=events)
    assert [f.status for f in found] == ["duplicate", "fed"] and any("2 events" in n for n in found[1].notes)
    kinds = [(k, edge) for k, edge in kept(it, "events", "kind", "edge")]
    assert kinds == [("tamper-cover", "begin"), ("tamper-cover", "end"), ("tamper-magnetic", "begin")]


@pytest.mark.feature("T3", "T2", "B10")
@pytest.mark.usefixtures("small_blocks")
def test_a_reader_sees_an_alarm_as_soon_as_it_is_committed(meter, tmp_path):
    it, seen = meter(), []

    def progress(share: float) -> None:
        with Meter.open(tmp_path / "0.store", readonly=True) as reader:
            seen.append((share, [k for k, e in kept(reader, "events", "kind", "edge")], reader.indicators().tamper))

    it.feed(sines(20.0), events=[Change(START + 10 * S, "tamper-cover", 1)], every_s=1, progress=progress)
    assert [k for share, k, _ in seen if share < 0.45] == [[]] * sum(share < 0.45 for share, *_ in seen)
    assert all(k == ["tamper-cover"] and mark == "temporary" for share, k, mark in seen if share > 0.7)


@pytest.mark.feature("T7", "T5")
def test_the_event_log_has_no_end(meter):
    """260 alarms: more than the 200 of meters with a ring; each is there, with its time, and the chain holds."""
    n = round(60 * FS)
    it = meter(module="03", input_2="a", alarm_input=True)
    it.feed(sines(60.0, status={"a": (np.arange(n) * 520 // n) % 2}))
    begun = [t for t, k, edge, *_ in kept(it, "events") if (k, edge) == ("alarm", "begin")]
    assert len(begun) == 260 and begun == sorted(begun) and it.check() == []


# -- interruptions ----------------------------------------------------------------------------------------------------


def job(meter, **given):
    """A little of everything: tariffs, a gap, pulses, events, an overlap."""
    n = round(40 * FS)
    a, b = (np.arange(n) // 9000) % 2, (np.arange(n) // 17000) % 2
    first = sines(40.0, (900.0, 700.0, -300.0), lag=25.0, status={"a": a, "b": b}, start=ns(2026, 1, 31, 23, 59, 40))
    first = dataclasses.replace(
        first,
        gaps=((round(13 * FS), Gap(round(4 * FS), "lost")),),
        segments=(Segment(0, n // 2, FS, ns(2026, 1, 31, 23, 59, 40)), Segment(n // 2, n, FS, ns(2026, 2, 1, 0, 0, 30))),
    )
    second = sines(40.0, (900.0, 700.0, 800.0), status={"a": a, "b": b}, start=ns(2026, 2, 1, 0, 0, 45))
    return meter.feed([first, second], events=[Change(ns(2026, 2, 1, 0, 0, 35), "tamper-cover", 1)], **given)


CONFIG = {
    "tariff_source": "port", "module": "01", "input_1": "a", "input_2": "b", "overlap": "first", "logger_2": "daily", "ct_ratio": 30,
    "pulse_side": "primary", "pulse_queue": 2,
}  # fmt: skip


@pytest.mark.feature("C1", "A7")
@pytest.mark.usefixtures("small_blocks")
def test_interrupted_at_any_call_of_progress(meter):
    """Whenever it is interrupted, the same job resumed ends with the same content."""
    whole = meter(**CONFIG)
    assert [f.status for f in job(whole, every_s=2)] == ["fed", "fed"]
    expected = whole.ledger.content_hash()
    assert len(kept(whole, "billing")) == 1 and len(kept(whole, "events")) > 5 and len(kept(whole, "pulses")) > 3
    calls: list[float] = []
    job(meter(**CONFIG), every_s=2, progress=calls.append)
    assert len(calls) > 80
    resumed = 0
    for at in range(3, len(calls), 9):
        it = meter(**CONFIG)
        left = iter(range(at))

        def progress(_: float, left=left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            job(it, every_s=2, progress=progress)
        assert it.check() == []
        found = job(it, every_s=2)
        resumed += "resumed" in [f.status for f in found]
        assert it.ledger.content_hash() == expected, at
    assert resumed > 3


@pytest.mark.feature("C1")
@pytest.mark.usefixtures("small_blocks")
def test_content_does_not_depend_on_how_often_is_committed(meter):
    hashes, commits = set(), []
    for every in (1, 3, 60, 3600):
        it = meter(**CONFIG)
        job(it, every_s=every)
        hashes.add(it.ledger.content_hash())
        commits.append(it.ledger.last_commit[0])
    assert len(hashes) == 1 and commits == sorted(commits, reverse=True) and len(set(commits)) > 2


@pytest.mark.feature("C1")
@pytest.mark.usefixtures("small_blocks")
def test_another_recording_waits_for_the_one_that_was_begun(meter):
    it = meter()
    calls = iter(range(6))

    def progress(_: float) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    first, second = sines(30.0), sines(30.0, start=START + HOUR)
    with pytest.raises(KeyboardInterrupt):
        it.feed(first, every_s=1, progress=progress)
    half = it.machine.registers.value("A+")
    assert 0 < half < 90e6
    with pytest.raises(StoreError, match="was begun"):
        it.feed(second)
    with pytest.raises(SettingsError, match="was begun"):
        it.change_ratio(5)
    (fed,) = it.feed(first)
    assert fed.status == "resumed" and it.machine.registers.value("A+") == pytest.approx(90e6, rel=1e-7)


@pytest.mark.feature("B18", "A7", "C15")
def test_a_store_read_without_a_writer(meter, tmp_path):
    it = meter(ct_ratio=20)
    it.feed(sines(10.0))
    shown = it.show()
    it.close()
    with Meter.open(tmp_path / "0.store", readonly=True) as reader:
        assert reader.show() == shown and reader.check() == []
        assert shown["registers"]["1-0:1.8.0"]["millijoules"] == 20 * reader.machine.registers.value("A+")
        assert shown["registers"]["1-0:1.8.0"]["side"] == "primary" and shown["ratio"]["value"] == 20
        with pytest.raises(StoreError):
            reader.feed(sines(10.0, start=START + 10 * S))
        held_now = reader.machine.registers.value("A+")
    # nor is this program needed
    with contextlib.closing(sqlite3.connect(tmp_path / "0.store")) as db:
        assert db.execute("SELECT secondary, on_primary FROM registers WHERE name = 'A+'").fetchall() == [(held_now, 20 * held_now)]
        assert db.execute("SELECT source, samples FROM recordings").fetchall() == [("samples", 16_000)]


def test_a_reactive_load_is_one(meter):
    """Limits of creep and start look at the apparent load: 3.45 kvar without active power is far above them."""
    it = meter(p_start=1.0, p_creep=1.0)
    recording = sines(10.0, (5.0,) * 3)
    columns = {c.name: recording.read([c.name])[:, 0].copy() for c in recording.channels}
    quarter = round(recording.sample_rate / 50 / 4)
    for p in PHASES:
        columns[f"I_{p}"] = np.roll(columns[f"I_{p}"], quarter)
    it.feed(Recording.from_arrays(columns, sample_rate=recording.sample_rate, start="2026-01-01T00:00:00Z"))
    expected = 1000 * 10 * float(sum(np.mean(columns[f"U_{p}"] ** 2) ** 0.5 * np.mean(columns[f"I_{p}"] ** 2) ** 0.5 for p in PHASES))
    assert it.machine.registers.value("R+") == pytest.approx(expected, rel=2e-2)


def test_a_recording_inside_another_one_is_refused_where_the_last_counts(meter):
    it = meter(overlap="last")
    with pytest.raises(InputError, match="lies inside it"):
        it.feed([sines(60.0), sines(20.0, start=START + 10 * S)])
    assert it.machine.now_ns is None
