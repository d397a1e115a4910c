"""The tracker under dips, losses, jumps, steps, ramps, silence and dirt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.signals import (
    CURRENTS,
    PHASES,
    SETS,
    START_NS,
    VOLTAGES,
    Run,
    Tones,
    energy_of,
    feeder,
    flagged,
    is_odd,
    measure,
    minus,
    ppm,
    rms,
    sampled,
    steady,
)
from ctmeter.quantity import Flag

Record = Callable[[str, object], None]

FS = 12.8e3
FEEDER = feeder(3, lag=30)
MARGIN = 0.05


def spans(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the windows, s from the start."""
    start = (run.basic["t"] - START_NS) * 1e-9
    return start, start + run.basic["duration"]


def clear_of(run: Run, *instants: float) -> np.ndarray:
    """Windows farther than 50 ms from these instants, without the first and the last."""
    t0, t1 = spans(run)
    good = np.ones(len(t0), bool)
    good[[0, -1]] = False
    for instant in instants:
        good &= (t1 < instant - MARGIN) | (t0 > instant + MARGIN)
    return good


@pytest.mark.parametrize("f", [50.0, 49.73, 52.3])
@pytest.mark.parametrize("at", [0.0, 0.1, 0.9, 1.0, 1.013, 1.25, 1.5])
def test_l1_lost_for_2_s(at: float, f: float, record_property: Record):
    waves = steady(FEEDER, f, FS, 4.0)
    waves["U_L1"][round(at * FS) : round((at + 2) * FS)] = 0
    run = measure(waves, FS)
    good = clear_of(run, *([at] if at else []), at + 2)
    assert good.sum() > 10
    u, drift = ppm(run.basic["U_L2"][good], rms(FEEDER["U_L2"])), float(np.abs(run.basic["f"][good] - f).max()) * 1e3
    record_property("U_L2 ppm", u)
    record_property("f mHz", drift)
    assert u < 20 and drift < 5
    assert not is_odd(run.basic["flags"][good]).any()


@pytest.mark.parametrize("dead", [(0,), (1,), (0, 1), (0, 2)])
def test_voltages_dead_throughout(dead: tuple[int, ...], record_property: Record):
    waves = steady(FEEDER, 49.73, FS, 1.5)
    for k in dead:
        waves[VOLTAGES[k]][:] = 0
    run = measure(waves, FS)
    for k in {0, 1, 2} - set(dead):
        assert ppm(run.inner(VOLTAGES[k]), rms(FEEDER[VOLTAGES[k]])) < 5
    record_property("f mHz", float(np.abs(run.inner("f") - 49.73).max()) * 1e3)
    assert np.abs(run.inner("f") - 49.73).max() < 5e-5


@pytest.mark.parametrize("degrees", [30, -30, 60, 180])
@pytest.mark.parametrize("at", [1.0, 1.003, 1.007, 1.012])
def test_a_jump_of_one_phase_leaves_the_others_alone(degrees: float, at: float, record_property: Record):
    waves = steady(FEEDER, 50.0, FS, 2.5)
    t = np.arange(len(waves["U_L1"])) / FS
    waves["U_L1"] = sampled({"x": FEEDER["U_L1"]}, 2 * np.pi * 50 * t + 0.3 + np.where(t >= at, np.deg2rad(degrees), 0.0))["x"]
    run = measure(waves, FS, half_cycle=True)
    worst = max(float(np.abs(run.urms(k)[1][4:-4] / rms(FEEDER[VOLTAGES[k]]) - 1).max()) * 100 for k in (1, 2))
    record_property("others %", worst)
    assert worst < 0.05
    times, u = run.urms(0)
    settled = (times > 0.1) & (times < 2.4) & (np.abs(times - at) > 0.3)
    assert np.abs(u[settled] / rms(FEEDER["U_L1"]) - 1).max() < 1e-4, "the grid of L1 follows it"


@pytest.mark.parametrize("dipped", [(0,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("at", [1.0, 1.004, 1.013])
def test_dips(dipped: tuple[int, ...], at: float, record_property: Record):
    check_dip({n: FEEDER[n] for n in VOLTAGES}, dipped, at, record_property)


@pytest.mark.parametrize("at", [1.0, 1.004, 1.013])
def test_dips_of_the_only_voltage(at: float, record_property: Record):
    check_dip({"U_L1": FEEDER["U_L1"]}, (0,), at, record_property)


def check_dip(signals: dict[str, Tones], dipped: tuple[int, ...], at: float, record: Record) -> None:
    """To 40 % for 200 ms: one-cycle windows wholly inside or outside within 0.05 %."""
    f, length, edge = 49.9, 0.2, 1e-3
    waves = steady(signals, f, FS, 2.5)
    inside = slice(round(at * FS), round((at + length) * FS))
    for k in dipped:
        waves[VOLTAGES[k]][inside] *= 0.4
    run = measure(waves, FS, half_cycle=True)
    worst = 0.0
    for k in range(len(signals)):
        times, u = run.urms(k)
        u = u / rms(signals[VOLTAGES[k]])
        deep = (times > at + edge) & (times + 1 / f < at + length - edge) if k in dipped else np.zeros(len(u), bool)
        clear = (times + 1 / f < at - edge) | (times > at + length + edge) if k in dipped else np.ones(len(u), bool)
        assert k not in dipped or deep.sum() >= 16
        worst = max(worst, float(np.abs(u[clear] - 1)[2:-2].max()), float(np.abs(u[deep] / 0.4 - 1).max(initial=0.0)))
    record("%", worst * 100)
    record("f mHz", float(np.abs(run.inner("f") - f).max()) * 1e3)
    assert worst < 5e-4 and np.abs(run.inner("f") - f).max() < 0.02


@pytest.mark.parametrize("name", ["balanced", "unbalanced", "reversed", "open delta"])
def test_line_voltages_have_a_grid_of_their_own(name: str):
    """Urms(1/2) of Aron inputs, and of the line voltages beside four wires, where one of these is untouched by a dip of L3."""
    star = {n: {1: c[1]} for n, c in feeder(1, voltages=SETS[name]).items() if n[0] == "U"}
    lines = {"U_L12": minus(star["U_L1"], star["U_L2"]), "U_L23": minus(star["U_L2"], star["U_L3"])}
    table = measure(steady(lines, 49.9, FS, 1.5), FS, half_cycle=True).tables["half_cycle"]
    assert set(table["channel"]) == {4, 5, 6}
    for channel, line in ((4, lines["U_L12"]), (5, lines["U_L23"]), (6, minus(star["U_L3"], star["U_L1"]))):
        assert ppm(table["U"][table["channel"] == channel][2:-2], rms(line)) < 5
    waves = steady(star, 49.9, FS, 2.0)
    waves["U_L3"][round(FS) : round(1.2 * FS)] *= 0.4
    table = measure(waves, FS, half_cycle=True).tables["half_cycle"]
    assert ppm(table["U"][table["channel"] == 4][2:-2], rms(lines["U_L12"])) < 500


def test_ramp_of_a_generator_at_600_hz_sampling(record_property: Record):
    """77.8 to 84.1 Hz within 0.7 s: the frequency of a window is its cycles over its length, that of its middle."""
    fs, seconds = 600.0, 0.7
    t = np.arange(round(seconds * fs)) / fs
    slope = (84.1 - 77.8) / seconds
    run = measure(sampled({n: {1: v[1]} for n, v in FEEDER.items()}, 2 * np.pi * (77.8 * t + slope / 2 * t * t)), fs)
    t0, t1 = spans(run)
    off = np.abs(run.basic["f"] - (77.8 + slope * (t0 + t1) / 2)).max()
    record_property("f mHz", off * 1e3)
    assert len(t0) == 5 and off < 0.02
    assert all(ppm(run.basic[n], abs(FEEDER[n][1])) < 1000 for n in VOLTAGES + CURRENTS)
    assert flagged(run.basic["flags"], Flag.OUT_OF_RANGE).all() and flagged(run.basic["flags"], Flag.LOW_RATE).all()


@pytest.mark.parametrize("to", [52.0, 50.5, 47.0, 57.0])
def test_step_of_frequency(to: float, record_property: Record):
    at = 1.5
    t = np.arange(round(3 * FS)) / FS
    run = measure(sampled(FEEDER, 2 * np.pi * np.where(t < at, 50 * t, 50 * at + to * (t - at))), FS)
    t0, t1 = spans(run)
    around = np.abs(run.basic["f"][(t0 < at) & (t1 > at)] - (500 / 50) / 0.2)
    # the phase is smoothed over five cycles either way, and measured over one and a half
    before, after = t1 < at - 0.13, t0 > at + 0.13
    record_property("f after mHz", float(np.abs(run.basic["f"][after] - to)[:-1].max()) * 1e3)
    assert np.abs(run.basic["f"][before] - 50).max() < 5e-5 and np.abs(run.basic["f"][after] - to)[:-1].max() < 5e-5
    assert ppm(run.basic["U_L1"][after][:-1], rms(FEEDER["U_L1"])) < 5 and around.max(initial=0.0) < abs(to - 50)
    assert not flagged(run.basic["flags"], Flag.NO_LOCK).any()


@pytest.mark.parametrize("at", [0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 1.37])
def test_signal_after_quiet_noise(at: float, record_property: Record):
    """Half a second after the start of a signal everything is right; before it, windows are flagged."""
    waves = steady(FEEDER, 50.4, FS, 3.0)
    rng = np.random.default_rng(1)
    for x in waves.values():
        x[: round(at * FS)] = rng.normal(0, 1e-3, round(at * FS))
    run = measure(waves, FS)
    t0, t1 = spans(run)
    good = t0 > at + 0.5
    good[-1] = False
    off = float(np.abs(run.basic["f"][good] - 50.4).max()) * 1e3
    record_property("f mHz", off)
    assert off < 5 and ppm(run.basic["U_L2"][good], rms(FEEDER["U_L2"])) < 20
    assert not is_odd(run.basic["flags"][good]).any() and flagged(run.basic["flags"][t1 < at], Flag.NO_LOCK).all()
    assert run.energy["A+"] == pytest.approx(energy_of(waves, FS), rel=1e-9)


N = np.arange(25600)
JUNK = {
    "noise": np.random.default_rng(2).normal(0, 10, (25600, 6)),
    "DC": np.full((25600, 6), 230.0),
    "zero": np.zeros((25600, 6)),
    "ramp": N[:, None] * np.ones(6),
    "500 Hz": np.cos(2 * np.pi * 500 / FS * N)[:, None] * np.ones(6),
    "5 Hz": np.cos(2 * np.pi * 5 / FS * N)[:, None] * np.ones(6),
    "too small": 1e-200 * np.cos(2 * np.pi * 50 / FS * N)[:, None] * np.ones(6),
}


@pytest.mark.parametrize("kind", JUNK)
def test_what_is_no_mains_has_no_lock(kind: str):
    run = measure({n: JUNK[kind][:, k] for k, n in enumerate(VOLTAGES + CURRENTS)}, FS, half_cycle=True, cycle=True)
    assert len(run.basic["t"]) and flagged(run.basic["flags"], Flag.NO_LOCK).all()
    net = float(run.energy["A+"]) - float(run.energy["A-"])
    assert net == pytest.approx(float(np.sum(JUNK[kind][:, :3] * JUNK[kind][:, 3:])) / FS / 3600, rel=1e-9, abs=1e-300)
    assert all(np.isfinite(run.basic[n]).all() for n in ("U_L1", "I_L1", "P", "Q", "S"))
    assert np.isnan(run.basic["f"]).all() and np.isnan(run.tables["cycle"]["f"]).all() and "frequency" not in run.tables


@pytest.mark.parametrize("f", [49.7, 50.3, 52.0])
@pytest.mark.parametrize("at", [2.0, 2.0173, 2.1, 2.1737])
def test_no_voltage_has_no_frequency(f: float, at: float):
    """Where all three are lost, windows, cycles and synchrophasors have none; windows that saw some have that."""
    waves = steady({n: t for n, t in FEEDER.items() if n in VOLTAGES}, f, FS, 8.0)
    for n in VOLTAGES:
        waves[n][round(at * FS) : round((at + 2) * FS)] = 0
    run = measure(waves, FS, cycle=True, synchrophasor_rate=50.0)
    t0, t1 = spans(run)
    dead = (t0 > at + MARGIN) & (t1 < at + 2 - MARGIN)
    assert dead.sum() > 7 and np.isnan(run.basic["f"][dead]).all() and flagged(run.basic["flags"][dead], Flag.NO_LOCK).all()
    assert ppm(run.basic["U_L1"][dead] + 1, 1) < 1
    seen = (t1 < at) | (t0 > at + 2 + MARGIN)
    assert np.abs(run.basic["f"][seen] - f).max() < 5e-3 and np.nanmax(np.abs(run.basic["f"] - f)) < 0.05
    for name in ("cycle", "synchrophasor"):
        t = (run.tables[name]["t"] - START_NS) * 1e-9
        inside = (t > at + 2 * MARGIN) & (t < at + 2 - 2 * MARGIN)
        assert inside.any() and np.isnan(run.tables[name]["f"][inside]).all()
    # of the ten seconds, the cycles that were there
    assert run.tables["frequency"]["f"][0] == pytest.approx(f, abs=5e-3)
    assert flagged(run.tables["frequency"]["flags"], Flag.INCOMPLETE).all()


def test_a_frequency_needs_a_voltage_again():
    """Ten-second intervals wholly without voltage have no row; the next one has its own value."""
    waves = steady({n: t for n, t in FEEDER.items() if n in VOLTAGES}, 50.1, 3200.0, 40.0)
    for n in VOLTAGES:
        waves[n][round(4.0 * 3200) : round(31.0 * 3200)] = 0
    table = measure(waves, 3200.0).tables["frequency"]
    assert ((table["t"] - START_NS) // 10**9).tolist() == [0, 30]
    assert table["f"] == pytest.approx(50.1, abs=1e-3)


@pytest.mark.parametrize(("dirt", "limit"), [("harmonics", 0.05), ("interharmonic", 5.0), ("noise", 5.0), ("all", 10.0)])
@pytest.mark.parametrize("phases", [1, 3])
def test_frequency_under_dirt(dirt: str, limit: float, phases: int, record_property: Record):
    """10 % THD to order 39, 2 % at 83 Hz, 1 % noise: no bias, windows within a few mHz."""
    f, rng = 49.87, np.random.default_rng(4)
    signals = feeder(3, lag=30, thd_u=0.10 if dirt in ("harmonics", "all") else 0.0, orders=range(2, 40))
    signals = {n: signals[n] for n in VOLTAGES[:phases]}
    waves = steady(signals, f, FS, 3.0)
    t = np.arange(len(waves["U_L1"])) / FS
    for k, n in enumerate(signals):
        if dirt in ("interharmonic", "all"):
            waves[n] += 0.02 * 230 * 2**0.5 * np.cos(2 * np.pi * 83 * t - k)
        if dirt in ("noise", "all"):
            waves[n] += rng.normal(0, 2.3, len(t))
    run = measure(waves, FS)
    off = (run.inner("f") - f) * 1e3
    record_property("f mHz", float(np.abs(off).max()))
    record_property("f mean mHz", float(abs(off.mean())))
    assert np.abs(off).max() < limit and not is_odd(run.basic["flags"]).any()


@pytest.mark.parametrize("channel", VOLTAGES)
def test_synchronisation_with_one_strict_reference(channel: str):
    """Windows start where that voltage crosses zero, whatever the others do."""
    signals = feeder(3, voltages=SETS["unbalanced"], thd_u=0.0)
    waves = steady(signals, 49.73, FS, 2.0)
    others = [n for n in VOLTAGES if n != channel]
    waves[others[0]][round(0.5 * FS) : round(1.3 * FS)] = 0
    run = measure(waves, FS, synchronisation=channel)
    phase = 2 * np.pi * 49.73 * (run.inner("t") - START_NS) * 1e-9 + 0.3 + np.angle(signals[channel][1]) + np.pi / 2
    turns = phase / (2 * np.pi)
    assert np.abs(turns - np.round(turns)).max() < 0.51 / FS * 49.73 and np.ptp(turns - np.round(turns)) < 1e-6
    assert ppm(run.inner(others[1]), rms(signals[others[1]])) < 5 and not is_odd(run.basic["flags"]).any()


def test_a_strict_reference_that_dies_is_said():
    waves = steady(FEEDER, 49.73, FS, 4.0)
    waves["U_L2"][round(FS) : round(3 * FS)] = 0
    run = measure(waves, FS, synchronisation="U_L2")
    t0, t1 = spans(run)
    assert flagged(run.basic["flags"], Flag.NO_LOCK)[(t0 > 1 + MARGIN) & (t1 < 3 - MARGIN)].all()
    good = clear_of(run, 1.0, 3.0)
    assert not is_odd(run.basic["flags"][good & ((t1 < 1) | (t0 > 3.1))]).any()
    # the frequency of a dead reference is nobody's, though the other voltages have one
    dead = (t0 > 1 + MARGIN) & (t1 < 3 - MARGIN)
    assert np.isnan(run.basic["f"][dead]).all() and np.abs(run.basic["f"][good & ~dead] - 49.73).max() < 5e-3
    assert ppm(run.basic["U_L3"][good], rms(FEEDER["U_L3"])) < 20


@pytest.mark.parametrize("phase", PHASES)
def test_swell_and_slow_growth_do_not_move_the_phase(phase: str):
    waves = steady(FEEDER, 50.2, FS, 2.5)
    t = np.arange(len(waves["U_L1"])) / FS
    waves["U_" + phase] *= np.where((t > 0.7) & (t < 1.2), 1.4, 1.0) * (1 + 0.1 * np.clip(t - 1.5, 0, None))
    run = measure(waves, FS)
    assert np.abs(run.inner("f") - 50.2).max() < 5e-3 and not is_odd(run.basic["flags"]).any()


@pytest.mark.parametrize("turn", np.arange(0, 360, 30))
def test_a_line_half_an_order_away(turn: float, record_property: Record):
    """From hop to hop it rocks the phase, or the size, of the fundamental: which one depends on where it begins."""
    f, t = 53.0, np.arange(round(6.0 * FS)) / FS
    waves = {
        n: 2**0.5 * 230 * (np.sin(2 * np.pi * (f * t - k / 3)) + 0.1 * np.sin(2 * np.pi * (1.5 * f * t - k / 3) + np.radians(turn)))
        for k, n in enumerate(VOLTAGES)
    }
    run = measure(waves, FS, spectra="basic")
    inner = slice(2, -2)
    assert not is_odd(run.basic["flags"][inner]).any()
    off = float(np.abs(run.basic["f"][inner] - f).max()) * 1e3
    record_property("f mHz", off)
    assert off < 0.5
    assert run.basic["IHU_L1"][inner, 1] == pytest.approx(23.0, rel=1e-3)


@pytest.mark.parametrize(("share", "f_extra", "phases"), [(0.03, 65.0, 3), (0.03, 35.0, 3), (0.03, 65.0, 1), (0.035, 40.0, 1)])
def test_strong_interharmonic_beside_the_fundamental(share: float, f_extra: float, phases: int, record_property: Record):
    """It moves neither the frequency nor the windows' edges, nor does it look like a voltage without a fundamental."""
    t = np.arange(round(4.0 * FS)) / FS
    waves = {}
    for k, n in enumerate(VOLTAGES[:phases]):
        waves[n] = 2**0.5 * 230 * (np.sin(2 * np.pi * 50 * t - 2 * np.pi * k / 3) + share * np.sin(2 * np.pi * f_extra * t))
    run = measure(waves, FS, spectra="basic")
    inner = slice(2, -2)
    assert not is_odd(run.basic["flags"][inner]).any()
    off = float(np.abs(run.basic["f"][inner] - 50).max()) * 1e3
    own = int(f_extra // 50)
    groups, orders = run.basic["IHU_L1"][inner] / 230, run.basic["HU_L1"][inner] / 230
    absent = max(float(np.delete(groups, [0, 1], axis=1).max()), float(orders[:, 2:].max())) * 1e6
    record_property("f mHz", off)
    record_property("absent ppm", absent)
    assert off < 0.15 and absent < 5
    assert groups[:, own] == pytest.approx(share, rel=1e-3)


def test_missing_samples_do_not_move_the_tracker():
    """Ten of one voltage: windows on either side are as they would be, the one around them has the missing said."""
    waves = steady({"U_L1": {1: 230.0}}, 50.0, 6400.0, 3.0)
    waves["U_L1"][6700:6710] = np.nan
    run = measure(waves, 6400.0, spectra="basic")
    (at,) = np.flatnonzero(flagged(run.basic["flags"], Flag.NOT_FINITE))
    for k in range(2, len(run.basic["t"]) - 1):
        if k != at:
            assert abs(run.basic["U_L1"][k] - 230) < 230 * 5e-6 and abs(run.basic["f"][k] - 50) < 5e-5 and run.basic["THD_U_L1"][k] < 1e-4
    assert abs(run.basic["f"][at] - 50) < 5e-3 and abs(run.basic["U_L1"][at] - 230) < 1.0


def test_a_long_run_of_missing_samples_leaves_no_value():
    """A second without samples: no value stands on a few of them, and what is averaged is what was measured."""
    waves = steady({"U_L1": {1: 230.0}, "I_L1": {1: 10 * np.exp(-0.5j)}}, 50.0, 6400.0, 4.0)
    for n in waves:
        waves[n][6401:12800] = np.nan
    run = measure(waves, 6400.0, cycle=True)
    p = 2300 * np.cos(0.5)
    for name, truth in (("U_L1", 230.0), ("I_L1", 10.0), ("P_L1", p), ("S", 2300.0)):
        there = np.isfinite(run.basic[name])
        whole = there & ~flagged(run.basic["flags"], Flag.NOT_FINITE)
        # an edge beside missing samples looks at some of them
        assert there.sum() == 14 and ppm(run.basic[name][there], truth) < 10_000 and ppm(run.basic[name][whole], truth) < 10
        cycles = run.tables["cycle"][name]
        # a cycle with a tenth missing may be wrong by that much
        assert np.abs(cycles[np.isfinite(cycles)] / truth - 1).max() < 0.1
    gone = np.isnan(run.basic["U_L1"])
    assert flagged(run.basic["flags"], Flag.INCOMPLETE).tolist() == gone.tolist()
    assert np.isnan(run.basic["f"][gone]).all()


@pytest.mark.parametrize("f", [45.0, 49.0, 49.9, 50.02, 50.5, 57.5])
@pytest.mark.parametrize("dead", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("phases", [1, 3])
def test_a_dead_start_leaves_no_false_extremes(f: float, dead: float, phases: int):
    """The phase is found only after the voltage has come: no half-cycle is measured over that step."""
    t = np.arange(round(2.5 * FS)) / FS
    waves = {n: np.where(t < dead, 0.0, 2**0.5 * 230 * np.cos(2 * np.pi * f * t - 2 * np.pi * k / 3)) for k, n in enumerate(VOLTAGES[:phases])}
    run = measure(waves, FS, half_cycle=True, nominal_voltage=230.0)
    for channel in range(phases):
        at, u = run.urms(channel)
        later = u[(at > dead + 0.03) & np.isfinite(u)]
        assert later.max() < 233 and later.min() > 227 and len(later) > (2.4 - dead) * 2 * f - 16


def test_what_is_slow_and_then_nothing_is_nothing():
    """DC of full voltage says nothing of the mains; once it has gone for a fifth of a second, there is none."""
    t = np.arange(round(3.0 * FS)) / FS
    waves = {"U_L1": np.where(t < 1, 230.0, np.where(t < 2, 0.0, 325 * np.cos(2 * np.pi * 50 * t)))}
    at, u = measure(waves, FS, half_cycle=True, nominal_voltage=230.0).urms(0)
    assert np.isnan(u[at < 1.15]).all() and (u[(at > 1.25) & (at < 1.97)] < 1).all()
