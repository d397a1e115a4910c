"""What a meter takes from the core: registers at the ticks of its clock, and the instants of its pulses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.signals import CURRENTS, PHASES, START_NS, VOLTAGES, Run, Tones, energy_of, feeder, finish, steady
from ctmeter.engine import Engine, Registration
from ctmeter.errors import SettingsError
from ctmeter.quantity import Flag
from ctmeter.recording import Channel, Gap, Wiring
from ctmeter.settings import Settings

FS = 12.8e3
NAMES = VOLTAGES + CURRENTS


def engine_of(start_ns: int = START_NS, fs: float = FS, names: Any = NAMES, meter: Any = None, pulses: Any = (), **settings: Any) -> Engine:
    channels = [Channel(n) for n in names]
    chosen = Settings(nominal_frequency=50, spectra="none", **settings)
    registration, wiring = Registration(pulses=pulses, **(meter or {})), Wiring.of([c.role for c in channels if c.role])
    return Engine(chosen, fs, channels, start_ns, wiring, registration=registration)


def registers(waves: Any, **given: Any) -> Run:
    engine = engine_of(names=list(waves), **given)
    engine.feed(np.stack(list(waves.values()), 1))
    return finish(engine)


def sine_power(seconds: float, lag: float, f: float = 49.9, fs: float = FS, sign: float = 1.0) -> tuple[dict[str, np.ndarray], float]:
    """A balanced feeder whose power is the same at each instant, and that power."""
    signals: dict[str, Tones] = {}
    for k in range(3):
        turn = np.exp(-2j * np.pi * k / 3)
        signals[VOLTAGES[k]], signals[CURRENTS[k]] = {1: 230 * turn}, {1: sign * 5 * turn * np.exp(-1j * lag)}
    signals = {n: signals[n] for n in NAMES}
    return steady(signals, f, fs, seconds), sign * 3 * 230 * 5 * float(np.cos(lag))


@pytest.mark.parametrize("into_ms", [0, 250, 999.9])
def test_rows_end_at_the_ticks_of_utc(into_ms: float):
    waves, power = sine_power(20.3, 0.5)
    start = START_NS + round(into_ms * 1e6)
    run = registers(waves, start_ns=start)
    rows = run.tables["register"]
    assert rows["t"][0] == start and (rows["t"][1:] == rows["end"][:-1]).all()
    assert (rows["end"][:-1] % 1_000_000_000 == 0).all() and len(rows["t"]) == 21 + (into_ms > 700)
    # from half a sample before the first sample on
    since = (rows["end"] - start) * 1e-9 + 0.5 / FS
    assert rows["energy"][:, 0] == pytest.approx(power * since, rel=1e-7)
    assert [e / 3600 for e in rows["energy"][-1]] == [run.energy[k] for k in ("A+", "A-", "R+", "R-", "R1", "R2", "R3", "R4", "E+", "E-")] + [
        run.energy[f"{k}_{p}"] for p in PHASES for k in ("A+", "A-", "R+", "R-", "R1", "R2", "R3", "R4", "E+", "E-")
    ]
    assert rows["U_L1"][1:-1] == pytest.approx(230, rel=1e-8) and rows["f"][1:-1] == pytest.approx(49.9, rel=1e-8)
    assert rows["P"][1:-1] == pytest.approx(power, rel=1e-7)


def test_the_rest_of_the_tables_does_not_see_the_clock():
    waves, _ = sine_power(3.0, 0.5)
    with_clock = registers(waves)
    engine = Engine(Settings(nominal_frequency=50, spectra="none"), FS, [Channel(n) for n in NAMES], START_NS, Wiring("3P4W"))
    engine.feed(np.stack(list(waves.values()), 1))
    without = finish(engine)
    assert without.energy == with_clock.energy and "register" not in without.tables
    for name, column in without.tables["basic"].items():
        if name.startswith("flags"):
            # there is no flickermeter beside a meter's clock
            column = column & ~np.uint32(Flag.SETTLING)
        if not name.startswith("Pinst"):
            np.testing.assert_array_equal(column, with_clock.tables["basic"][name])


def test_energy_of_a_row_is_that_of_its_time():
    """Unbalanced and distorted: cycles are shared by time where a tick cuts them, the sum is kept."""
    waves = steady(feeder(4), 49.37, FS, 10.0)
    rows = registers(waves)
    energy = rows.tables["register"]["energy"]
    assert energy[-1, 0] - energy[-1, 1] == pytest.approx(3600 * energy_of(waves, FS), rel=1e-9)
    steps = np.diff(energy[:, 0] - energy[:, 1])
    # a tick that cuts a cycle may stand beside its energy by a part of the cycle's ripple
    assert steps[:-1] == pytest.approx(np.full(len(steps) - 1, steps.mean()), rel=0.02)
    assert (np.diff(energy, axis=0) >= 0).all()


def test_a_gap_ends_a_row():
    waves, power = sine_power(10.0, 0.5)
    block = np.stack(list(waves.values()), 1)
    cut = round(3.4 * FS)
    engine = engine_of()
    engine.feed(block[:cut])
    engine.feed(Gap(round(2.0 * FS)))
    engine.feed(block[cut:])
    rows = finish(engine).tables["register"]
    t, end = (rows["t"] - START_NS) * 1e-9, (rows["end"] - START_NS) * 1e-9
    (at,) = np.flatnonzero(t[1:] - end[:-1] > 1e-3)
    assert end[at] == pytest.approx(3.4 - 0.5 / FS, abs=1e-8) and t[at + 1] == pytest.approx(5.4 - 0.5 / FS, abs=1e-8)
    assert end[at + 1] == 6.0 and end[-1] == pytest.approx(12.0 - 0.5 / FS, abs=1e-8)
    assert rows["energy"][-1, 0] == pytest.approx(power * 10.0, rel=1e-9)
    assert rows["energy"][at, 0] == pytest.approx(power * 3.4, rel=1e-7)


@pytest.mark.parametrize("size", [1, 37, 1000, 40_000])
def test_same_bytes_for_any_block(size: int):
    waves = steady(feeder(6), 50.2, 3200.0, 4.0 if size > 1 else 1.5)
    block = np.stack(list(waves.values()), 1)
    pulses = [("A+", 7.0, 3.0), ("R+", 2.0, 0.0)]
    whole = engine_of(pulses=pulses, fs=3200.0)
    whole.feed(block)
    expected = finish(whole).tables
    engine = engine_of(pulses=pulses, fs=3200.0)
    taken: dict[str, list[dict[str, np.ndarray]]] = {}
    for k in range(0, len(block), size):
        engine.feed(block[k : k + size])
        if k // size % 5 == 2:
            engine = Engine.restore(engine.snapshot())
            for name, rows in engine.take().items():
                taken.setdefault(name, []).append(rows)
    for name, rows in finish(engine).tables.items():
        taken.setdefault(name, []).append(rows)
    for name in ("register", "pulse"):
        for column, values in expected[name].items():
            np.testing.assert_array_equal(np.concatenate([rows[column] for rows in taken[name]]), values)


@pytest.mark.parametrize(("sign", "register"), [(1.0, "A+"), (-1.0, "A-")])
def test_pulses_of_a_steady_power(sign: float, register: str):
    """The k-th pulse is where the energy is k pulses, to a nanosecond; what an earlier recording left counts."""
    waves, power = sine_power(20.0, 0.5, sign=sign)
    run = registers(waves, pulses=[(register, 36.0, 0.0), (register, 36.0, 20.0), ("E+" if sign > 0 else "E-", 360.0, 0.0)])
    rows = run.tables["pulse"]
    for stream, carry in ((0, 0.0), (1, 20.0)):
        t = (rows["t"][rows["stream"] == stream] - START_NS) * 1e-9 + 0.5 / FS
        expected = (36.0 * np.arange(1, len(t) + 1) - carry) / abs(power)
        assert len(t) == int((abs(power) * 20.0 + carry) // 36.0)
        assert t == pytest.approx(expected, abs=3e-9)
    assert (np.diff(rows["t"][rows["stream"] == 2]) > 0).all()
    assert (rows["stream"] == 2).sum() == int(3 * 230 * 5 * 20.0 // 360.0)


@pytest.mark.parametrize("f", [47.3, 50.0])
def test_pulses_within_a_cycle(f: float):
    """One phase: power swings to nothing and back twice a cycle, pulses come where its integral is due."""
    phase = 2 * np.pi * f / FS * np.arange(round(5.0 * FS))
    waves = {"U_L1": 325.0 * np.cos(phase), "I_L1": 7.0 * np.cos(phase - 0.9)}
    run = registers(waves, pulses=[("A+", 2.0, 0.0)])
    t = (run.tables["pulse"]["t"] - START_NS) * 1e-9

    def energy(t: np.ndarray) -> np.ndarray:
        w = 2 * np.pi * f
        whole: np.ndarray = 325 * 7 / 2 * (np.cos(0.9) * t + np.sin(2 * w * t - 0.9) / (2 * w))
        return whole

    # backwards power before it: within a cycle the integral goes down too, a pulse is where it first gets there
    fine = np.arange(-0.5, 5.0 * FS, 1 / 64) / FS
    highest = np.maximum.accumulate(energy(fine) - energy(np.array(-0.5 / FS)))
    due = fine[np.minimum(np.searchsorted(highest, 2.0 * np.arange(1, len(t) + 1)), len(fine) - 1)]
    assert len(t) == int(run.tables["register"]["energy"][-1, 0] // 2.0)
    # at a cycle's start the register knows nothing of what the cycle before borrowed
    assert np.percentile(np.abs(t - due), 90) < 0.6 / FS and np.abs(t - due).max() < 0.25 / f


@pytest.mark.parametrize("summation", ["vector", "per-phase", "absolute"])
def test_pulses_count_the_register(summation: str):
    """One phase exports: whatever the summation, pulses and registers agree within a pulse."""
    waves = steady(feeder(8, lag=30), 50.1, FS, 6.0)
    waves["I_L2"] *= -0.7
    run = registers(waves, summation=summation, pulses=[("A+", 11.0, 0.0), ("A-", 3.0, 0.0), ("R+", 2.0, 1.0), ("R-", 2.0, 0.0)])
    rows, last = run.tables["pulse"], run.tables["register"]["energy"][-1]
    for stream, (register, quantum, carry) in enumerate([(0, 11.0, 0.0), (1, 3.0, 0.0), (2, 2.0, 1.0), (3, 2.0, 0.0)]):
        t = rows["t"][rows["stream"] == stream]
        assert len(t) == int((last[register] + carry) // quantum) and (np.diff(t) >= 0).all()


def test_a_clock_that_ticks_too_fast():
    with pytest.raises(SettingsError, match="at least 1 s"):
        Registration(period=0.5)


def test_creep_and_start():
    """Below the starting power nothing is booked until it was reached; from then on until power falls below creep."""
    t = np.arange(round(40.0 * FS)) / FS
    waves, _ = sine_power(40.0, 0.0, f=50.0)
    steps = np.array([0.9, 1.1, 0.7, 0.5])  # W, of 10 s each
    for n in CURRENTS:
        waves[n] *= steps[np.minimum(t // 10, 3).astype(int)] / 3450.0
    given = {"p_start": 1.0, "p_creep": 0.6}
    run = registers(waves, meter=given)
    end, energy = (run.tables["register"]["end"] - START_NS) * 1e-9, run.tables["register"]["energy"][:, 0]
    at = {s: float(energy[np.argmin(np.abs(end - s))]) for s in (10, 20, 30, 40)}
    assert float(energy[np.argmin(np.abs(end - 9))]) == 0.0 and at[10] < 0.03 and at[40] == pytest.approx(at[30], abs=0.03)
    # the cycle in which the load steps is one or the other
    assert at[20] == pytest.approx(11.0, abs=0.03) and at[30] == pytest.approx(18.0, abs=0.05)
    engine = engine_of(meter={**given, "running": True})
    engine.feed(np.stack(list(waves.values()), 1))
    engine.flush()
    state = engine.registration
    assert state["running"] is False and state["withheld"] == pytest.approx(5.0, abs=0.03)
    assert engine.take()["register"]["energy"][-1, 0] == pytest.approx(27.0, abs=0.05)


@pytest.mark.parametrize("summation", ["vector", "per-phase", "absolute"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_registers_are_read_at_instants_to_the_very_sample(summation: str, sign: float):
    """The active energy up to an instant is the sum of u i over the samples before it, in any cycle."""
    rate, n = 12_800.0, 38_437
    t = np.arange(n) / rate
    noise = np.random.default_rng(7).normal(size=n)
    w = 2 * np.pi * 50.03 * t
    frames = np.stack([325.0 * np.cos(w), sign * (7.0 * np.cos(w - 0.9) + 0.2 * noise)], axis=1)
    cuts = [2000, 2300, 2301, 2600, 25_600]
    registration = Registration(instants=[cut - 0.5 for cut in cuts])
    settings = Settings(nominal_frequency=50, summation=summation)
    engine = Engine(settings, rate, [Channel("U_L1"), Channel("I_L1")], 0, Wiring("3P4W"), registration=registration)
    engine.feed(frames)
    engine.flush()
    energy = engine.take()["register"]["energy"]
    power = frames[:, 0] * frames[:, 1] / rate
    turned = -1.0 if summation == "absolute" and sign < 0 else 1.0
    for k, cut in enumerate([*cuts, n]):
        want = power[:cut].sum()
        assert energy[k, 10] - energy[k, 11] == pytest.approx(want, rel=1e-13)
        assert energy[k, 0] - energy[k, 1] == pytest.approx(turned * want, rel=1e-13)
    assert energy[-1, 10] - energy[-1, 11] == pytest.approx(power.sum(), rel=1e-13)


def test_instants_survive_gaps_and_blocks():
    """What lies in a gap is read as the run before it ended; the split into blocks changes nothing."""
    rate, n = 5000.0, 10_000
    w = 2 * np.pi * 50 * np.arange(n) / rate
    frames = np.stack([325.0 * np.cos(w), 7.0 * np.cos(w)], axis=1)
    found = []
    for block in (n, 333):
        registration = Registration(instants=[1234.5, 10_500.0, 10_600.0, 12_345.5])
        engine = Engine(Settings(nominal_frequency=50), rate, [Channel("U_L1"), Channel("I_L1")], 0, Wiring("1P2W"), registration=registration)
        for k in range(0, n, block):
            engine.feed(frames[k : k + block])
        engine.feed(Gap(1000))
        for k in range(0, n, block):
            engine.feed(frames[k : k + block])
        engine.flush()
        found.append(engine.take()["register"])
    np.testing.assert_array_equal(found[0]["energy"], found[1]["energy"])
    power = frames[:, 0] * frames[:, 1] / rate
    ends = [round(e * 1e-9 * rate, 6) for e in found[0]["end"]]
    assert ends == [1234.5, 9999.5, 12_345.5, 20_999.5]
    want = [power[:1235].sum(), power.sum(), power.sum() + power[:1346].sum(), 2 * power.sum()]
    np.testing.assert_allclose(found[0]["energy"][:, 0], want, rtol=1e-12)
