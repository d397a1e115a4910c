"""Missing, infinite, saturated and absent samples: counted and flagged where they are, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.signals import (
    CURRENTS,
    PHASES,
    START_NS,
    VOLTAGES,
    Run,
    energy_of,
    feeder,
    flagged,
    is_odd,
    measure,
    measure_parts,
    p_of,
    ppm,
    q1_of,
    rms,
    steady,
)
from ctmeter.errors import InputError
from ctmeter.quantity import Flag
from ctmeter.recording import Channel, Gap

Record = Callable[[str, object], None]

FS, F = 12.8e3, 49.73
FEEDER = feeder(3, lag=30)
NAMES = VOLTAGES + CURRENTS
AT = round(FS)  # where faults begin


def waves() -> dict[str, np.ndarray]:
    return steady(FEEDER, F, FS, 2.5)


def spans(run: Run) -> tuple[np.ndarray, np.ndarray]:
    start = (run.basic["t"] - START_NS) * 1e-9
    return start, start + run.basic["duration"]


def touched(run: Run, first: int, count: int) -> np.ndarray:
    """Windows that these samples lie in."""
    t0, t1 = spans(run)
    return (t0 * FS < first + count - 0.01) & (t1 * FS > first + 0.01)


def right_elsewhere(run: Run, touched: np.ndarray, phase: str, ends: bool = True) -> float:
    """Every window that is not touched, and not just after it, is as if nothing had been; returns the worst ppm."""
    good = ~(touched | np.append(False, touched[:-1])) if ends else ~touched
    good[[0, -1]] = False
    worst = max(ppm(run.basic[n + "_" + phase][good], rms(FEEDER[n + "_" + phase])) for n in "UI")
    u, i = FEEDER["U_" + phase], FEEDER["I_" + phase]
    assert ppm(run.basic["P_" + phase][good], p_of(u, i), rms(u) * rms(i)) < 10
    assert ppm(run.basic["Q_" + phase][good], q1_of(u, i), rms(u) * rms(i)) < 10
    assert np.abs(run.basic["f"][good] - F).max() < 5e-5 and worst < 5
    return worst


@pytest.mark.parametrize("count", [1, 2, 50, 640, 3200])
@pytest.mark.parametrize("lane", ["U_L1", "I_L2"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
def test_what_is_no_number_is_excluded_in_its_phase(lane: str, value: float, count: int):
    made = waves()
    made[lane][AT : AT + count] = value
    run = measure(made, FS, half_cycle=True)
    hit = touched(run, AT, count)
    phase = lane[-2:]
    assert np.array_equal(flagged(run.basic["flags"], Flag.NOT_FINITE), hit)
    for n in PHASES:
        assert np.array_equal(flagged(run.basic["flags_" + n], Flag.NOT_FINITE), hit if n == phase else np.zeros(len(hit), bool))
        right_elsewhere(run, hit, n)
    assert not flagged(run.basic["flags"], Flag.SATURATED | Flag.NO_LOCK).any()
    assert run.quality["not_finite"] == {lane: count} and run.quality["samples"] == run.quality["integrated"] == len(made[lane])
    made[lane][AT : AT + count] = 0
    assert float(run.energy["A+"]) - float(run.energy["A-"]) == pytest.approx(energy_of(made, FS), rel=1e-12)
    table = run.tables["half_cycle"]
    bad = flagged(table["flags"], Flag.NOT_FINITE)
    assert bad.any() == (lane[0] == "U") and set(table["channel"][bad]) <= {0, 4, 6}
    times = (table["t"][bad] - START_NS) * 1e-9
    assert np.all((times > AT / FS - 0.0302) & (times < (AT + count) / FS + 0.011))


@pytest.mark.parametrize("count", [1, 5, 100])
def test_values_are_means_of_what_is_there(count: int):
    """A short hole moves the values of its window by no more than its share of the window."""
    made = waves()
    made["U_L1"][AT : AT + count] = np.nan
    run = measure(made, FS)
    hit = touched(run, AT, count)
    assert ppm(run.basic["U_L1"][hit], rms(FEEDER["U_L1"])) < 1.5e6 * count / (0.2 * FS)
    assert ppm(run.basic["U_L2"][hit], rms(FEEDER["U_L2"])) < 20
    u, i = FEEDER["U_L1"], FEEDER["I_L1"]
    assert ppm(run.basic["P_L1"][hit], p_of(u, i), rms(u) * rms(i)) < 3e6 * count / (0.2 * FS)


def test_all_voltages_gone_for_50_ms(record_property: Record):
    made = waves()
    for n in VOLTAGES:
        made[n][AT : AT + 640] = np.nan
    run = measure(made, FS)
    hit = touched(run, AT, 640)
    assert flagged(run.basic["flags"][hit], Flag.NO_LOCK).any() and not is_odd(run.basic["flags"][~hit]).any()
    record_property("ppm", max(right_elsewhere(run, hit, n, ends=False) for n in PHASES))


@pytest.mark.parametrize("spike", [1e4, 1e9, 1e30])
def test_recovery_from_a_spike(spike: float):
    """A value that a number can hold is a value; half a second later it is forgotten."""
    made = waves()
    made["U_L1"][AT] = spike
    run = measure(made, FS)
    hit = touched(run, AT, 1)
    t0, _ = spans(run)
    good = (t0 > AT / FS + 0.5) | ((t0 < AT / FS - 0.21) & (t0 > 0.1))
    good[-1] = False
    assert ppm(run.basic["U_L1"][good], rms(FEEDER["U_L1"])) < 5 and ppm(run.basic["P_L1"][good], p_of(FEEDER["U_L1"], FEEDER["I_L1"])) < 10
    assert np.abs(run.basic["f"][good] - F).max() < 5e-5 and not is_odd(run.basic["flags"][good]).any()
    assert (run.basic["U_L1"][hit] > spike / 60).all() and ppm(run.basic["U_L2"][good], rms(FEEDER["U_L2"])) < 5


def converter(**given: object) -> list[Channel]:
    return [Channel(n, scale=0.0122 if n[0] == "U" else 0.0012, **given) for n in NAMES]


def counts(kind: type = np.int16) -> np.ndarray:
    made = waves()
    return np.stack([np.rint(made[c.name] / c.scale).clip(-32000, 32000) for c in converter()], 1).astype(kind)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("rail", [-32768, 32767])
@pytest.mark.parametrize("column", range(6))
def test_saturation_at_the_rails(column: int, rail: int, kind: type):
    """Samples in a row at a limit of the converter; single ones may be peaks."""
    raw = counts(kind)
    raw[AT : AT + 12, column] = rail
    raw[AT + 6000, column] = rail
    run = measure_parts(converter(range=(-32768, 32767)), FS, [raw])
    hit = touched(run, AT, 12)
    phase = NAMES[column][-2:]
    for n in PHASES:
        assert np.array_equal(flagged(run.basic["flags_" + n], Flag.SATURATED), hit if n == phase else np.zeros(len(hit), bool))
    assert np.array_equal(flagged(run.basic["flags"], Flag.SATURATED), hit)
    assert not flagged(run.basic["flags"], Flag.NOT_FINITE | Flag.NO_LOCK).any()
    assert list(run.quality["saturated"]) == [NAMES[column]] and 10 <= run.quality["saturated"][NAMES[column]] <= 12
    assert run.quality["not_finite"] == {} and run.quality["integrated"] == len(raw)


@pytest.mark.parametrize(("kind", "found"), [(np.int16, {"U_L1": 498}), (np.int32, {})])
def test_without_a_range_the_limits_of_sixteen_bits_are_a_converters(kind: type, found: dict[str, int]):
    raw = counts(kind)
    raw[AT : AT + 500, 0] = 32767
    assert measure_parts(converter(), FS, [raw]).quality["saturated"] == found


@pytest.mark.parametrize(("kind", "code"), [(np.int16, -32768), (np.int16, 0), (np.int32, 99999), (np.float32, 99999), (np.float64, -1)])
def test_codes_of_missing_samples(kind: type, code: int):
    """Also one in the middle of the range."""
    raw = counts(kind)
    raw[raw == code] += 1
    raw[AT : AT + 40, 3] = code
    raw[-1, 2] = code
    run = measure_parts(converter(missing=float(code)), FS, [raw])
    assert run.quality["not_finite"] == {"U_L3": 1, "I_L1": 40} and run.quality["saturated"] == {}
    assert np.array_equal(flagged(run.basic["flags_L1"], Flag.NOT_FINITE), touched(run, AT, 40))
    assert not flagged(run.basic["flags_L2"], Flag.NOT_FINITE).any()


def test_saturation_and_missing_beside_each_other():
    raw = counts()
    raw[AT : AT + 20, 0] = -32768
    raw[AT : AT + 20, 1] = 32767
    run = measure_parts(converter(range=(-32767, 32767), missing=-32768.0), FS, [raw])
    assert run.quality["not_finite"] == {"U_L1": 20} and list(run.quality["saturated"]) == ["U_L2"]


LAYOUTS = {
    "rows": lambda raw: raw,
    "columns": np.asfortranarray,
    "backwards": lambda raw: np.ascontiguousarray(raw[::-1])[::-1],
    "every other": lambda raw: np.repeat(np.repeat(raw, 2, 0), 2, 1)[::2, ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize(("scale", "offset"), [(1e308, 0.0), (1e56, 0.0), (-1e56, 3e59), (0.0122, 1e300), (np.inf, 0.0), (0.0122, np.nan)])
def test_counts_that_scale_to_no_number_are_none(scale: float, offset: float, kind: type, layout: str):
    """Whatever is no number in V, or 1e60 V and more, is left out, and only in its own phase."""
    raw = counts(kind)[: AT // 2]
    with np.errstate(over="ignore", invalid="ignore"):
        volts = raw[:, 0].astype(float) * scale + offset
    none = ~(np.abs(volts) < 1e60)
    assert none.any()
    channels = converter()
    channels[0] = Channel("U_L1", scale=scale, offset=offset)
    run = measure_parts(channels, FS, [LAYOUTS[layout](raw)])
    assert run.quality["not_finite"] == {"U_L1": int(none.sum())} and run.quality["saturated"] == {}
    amperes = raw[:, 3] * np.float64(channels[3].scale)
    if none.all():
        assert run.energy["A+_L1"] is None
    else:
        assert float(run.energy["A+_L1"]) - float(run.energy["A-_L1"]) == pytest.approx(float((volts * amperes)[~none].sum()) / FS / 3600, rel=1e-9)
    for n in ("L2", "L3"):
        made = {f"U_{n}": raw[:, int(n[1]) - 1] * np.float64(0.0122), f"I_{n}": raw[:, int(n[1]) + 2] * np.float64(0.0012)}
        assert float(run.energy[f"A+_{n}"]) - float(run.energy[f"A-_{n}"]) == pytest.approx(energy_of(made, FS, n), rel=1e-9)
        assert not flagged(run.basic[f"flags_{n}"], Flag.NOT_FINITE).any()
    assert not np.isinf(np.stack([np.asarray(v, float) for k, v in run.basic.items() if np.ndim(v) == 1])).any()


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_counts_beyond_the_numbers_are_as_infinities(kind: type):
    """The same rows and energies as from values that are infinite."""
    raw = counts(kind)
    raw[AT : AT + 30, 1] = 32001
    scale = 1e60 / 32000.5
    channels = converter()
    channels[1] = Channel("U_L2", scale=scale)
    run = measure_parts(channels, FS, [raw])
    volts = raw.astype(float)
    volts[AT : AT + 30, 1] = np.inf
    same = measure_parts(channels, FS, [volts])
    assert run.quality == same.quality and run.quality["not_finite"] == {"U_L2": 30} and run.energy == same.energy
    assert all(np.array_equal(run.basic[k], v, equal_nan=True) for k, v in same.basic.items())


@pytest.mark.parametrize("reactive", ["fundamental", "quarter-shift", "budeanu", "fryze"])
@pytest.mark.parametrize("size", [1e19, 1e30, 1e38, 9e59])
def test_nothing_that_is_a_number_becomes_infinite(size: float, reactive: str):
    """Not in the spectra either, which are of single precision: they are missing then."""
    run = measure({n: wave / 400 * size for n, wave in waves().items()}, FS, reactive=reactive, spectra="basic")
    assert run.quality["not_finite"] == {} and all(np.isfinite(v) for v in run.energy.values())
    assert not any(np.isinf(np.asarray(v, float)).any() for v in run.basic.values())
    assert ppm(run.basic["U_L1"][1:-1], rms(FEEDER["U_L1"]) / 400 * size) < 5


@pytest.mark.parametrize("length", [1, 100, 12800, 10**7])
def test_gaps(length: int):
    """Missing time contributes nothing, and windows start anew at its end."""
    made = waves()
    raw = np.stack(list(made.values()), 1)
    run = measure_parts(NAMES, FS, [raw[:AT], Gap(samples=length), raw[AT:]])
    assert run.quality == {
        "samples": len(raw),
        "integrated": len(raw),
        "excluded": {"gap": length},
        "not_finite": {},
        "saturated": {},
    }
    assert float(run.energy["A+"]) == pytest.approx(energy_of(made, FS), rel=1e-12)
    t0, t1 = spans(run)
    hole = (AT / FS, (AT + length) / FS)
    assert np.all((t1 < hole[0] + 1e-3) | (t0 > hole[1] - 1e-3))
    after = t0 > hole[1] - 1e-3
    assert 3 <= after.sum() <= 8 and t0[after][0] < hole[1] + 1 / F + 1e-3
    alone = measure_parts(NAMES, FS, [raw[AT:]], start_ns=START_NS + round((AT + length) / FS * 1e9))
    for n in ("U_L1", "I_L2", "P_L3", "f", "duration"):
        assert run.basic[n][after] == pytest.approx(alone.basic[n], rel=1e-12), "nothing reaches over missing time"


def test_gaps_first_last_and_doubled():
    raw = np.stack(list(waves().values()), 1)
    run = measure_parts(NAMES, FS, [Gap(samples=5), Gap(samples=7), raw, Gap(samples=3), Gap(samples=1)])
    plain = measure_parts(NAMES, FS, [raw], start_ns=START_NS + round(12 / FS * 1e9))
    assert run.energy == plain.energy and run.quality["excluded"] == {"gap": 16}
    assert np.all(np.abs(run.basic["t"] - plain.basic["t"]) <= 1) and np.array_equal(run.basic["P"], plain.basic["P"])
    assert measure_parts(NAMES, FS, [Gap(samples=5)]).energy["A+"] == 0.0
    with pytest.raises(InputError):
        Gap(samples=0)


def test_nothing_at_all():
    run = measure_parts(NAMES, FS, [])
    assert run.tables == {} and run.energy["A+"] == 0.0 and run.quality["samples"] == 0


@pytest.mark.parametrize("f", [42.5, 49.73, 50.0, 57.5])
@pytest.mark.parametrize("cycles", [1.7, 2.3, 3.1, 4.6, 6.2, 8.4, 9.8])
def test_shorter_than_a_window(cycles: float, f: float, record_property: Record):
    """Cycles by a least-squares fit of the phase; every whole cycle that is there."""
    signals = feeder(7, lag=25, thd_u=0.02, thd_i=0.05)
    made = steady(signals, f, FS, cycles / f, angle=1.1)
    run = measure(made, FS, cycle=True)
    table = run.tables["cycle"]
    assert "basic" not in run.tables and int(cycles) - 1 <= len(table["t"]) <= int(cycles)
    worst = max(ppm(table[n], rms(signals[n])) for n in NAMES)
    record_property("ppm", worst)
    record_property("f mHz", float(np.abs(table["f"] - f).max()) * 1e3)
    assert worst < 500 and np.abs(table["f"] - f).max() < 0.02
    assert float(run.energy["A+"]) == pytest.approx(energy_of(made, FS), rel=1e-12)


@pytest.mark.parametrize("cycles", [1.05, 1.2, 1.4])
def test_too_short_for_a_frequency(cycles: float):
    """Below a cycle and a half the nominal frequency is taken for the cycles, and given out as nobody's measurement."""
    made = steady(FEEDER, 50.0, FS, cycles * 0.02)
    table = measure(made, FS, cycle=True).tables["cycle"]
    assert flagged(table["flags"], Flag.NO_LOCK).all() and np.isnan(table["f"]).all()
    assert ppm(table["U_L1"], rms(FEEDER["U_L1"])) < 100


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_shorter_than_a_cycle(share: float):
    """Energy is exact and no window is invented."""
    made = steady(FEEDER, 50.0, FS, share * 0.02)
    run = measure(made, FS, cycle=True)
    net = float(run.energy["A+"]) - float(run.energy["A-"])
    assert net == pytest.approx(energy_of(made, FS), rel=1e-12) and "basic" not in run.tables
    assert run.quality["integrated"] == len(made["U_L1"])
