"""Energy: every sample once, by quadrant and direction of whole cycles; the definitions of Q and S."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from core.signals import (
    CURRENTS,
    PHASES,
    SETS,
    VOLTAGES,
    Tones,
    energy_of,
    engine_for,
    feeder,
    finish,
    measure,
    p_of,
    polar,
    q1_of,
    rms,
    sampled,
    steady,
)
from ctmeter.quantity import ENERGIES
from ctmeter.recording import Channel, Gap

Record = Callable[[str, object], None]

KEYS = tuple(e.name for e in ENERGIES)
FS = 12.8e3
DRIFT, DRIFT_PERIOD = 0.05, 20.0


def of_phases(p_and_q: list[tuple[float, float]]) -> dict[str, Tones]:
    """Three voltages of 230 V with currents that make these powers."""
    result: dict[str, Tones] = {}
    for k, (p, q) in enumerate(p_and_q):
        u = polar(230, -120 * k)
        result[VOLTAGES[k]], result[CURRENTS[k]] = {1: u}, {1: np.conj(complex(p, q) / u)}
    return result


def registers(energy: dict[str, float | None], phase: str = "") -> dict[str, float]:
    return {k: float(energy[k + phase] or 0.0) for k in KEYS}


def expect(energy: dict[str, float], scale: float, **watts: float) -> None:
    """Registers hold these averages times 1 s (keys with p and m for + and -), all others nothing."""
    wanted = {k.replace("p", "+").replace("m", "-"): v / 3600 for k, v in watts.items()}
    for key, value in energy.items():
        assert abs(value - wanted.get(key, 0.0)) < 1e-6 * scale / 3600, (key, value * 3600, watts)


def drifting(start: int, n: int, fs: float = FS) -> np.ndarray:
    """Phase of 50 Hz that swings by 0.05 Hz; whole cycles in every 20 s."""
    t = (start + np.arange(n)) / fs
    return 2 * np.pi * 50 * t + DRIFT * DRIFT_PERIOD * (1 - np.cos(2 * np.pi * t / DRIFT_PERIOD))


def drift_energy(seconds: int, record: Record) -> None:
    signals = feeder(3, lag=60)
    engine = engine_for(list(signals), FS)
    total, size = 0.0, round(5 * FS)
    for start in range(0, round(seconds * FS), size):
        waves = sampled(signals, drifting(start, size))
        total += energy_of(waves, FS)
        engine.feed(np.stack(list(waves.values()), 1))
    energy = finish(engine).energy
    closed = sum(p_of(signals[u], signals[i]) for u, i in zip(VOLTAGES, CURRENTS, strict=True)) * seconds / 3600
    reactive = sum(q1_of(signals[u], signals[i]) for u, i in zip(VOLTAGES, CURRENTS, strict=True)) * seconds / 3600
    apparent = sum(rms(signals[u]) * rms(signals[i]) for u, i in zip(VOLTAGES, CURRENTS, strict=True)) * seconds / 3600
    errors = {
        "samples": energy["A+"] / total - 1,
        "closed form": energy["A+"] / closed - 1,
        "R+": energy["R+"] / reactive - 1,
        "E+": energy["E+"] / apparent - 1,
    }
    for name, value in errors.items():
        record(name, value * 1e6)
    assert max(abs(errors["samples"]), abs(errors["closed form"])) < 1e-6
    assert max(abs(errors["R+"]), abs(errors["E+"])) < 10e-6
    assert energy["A-"] == energy["R-"] == energy["E-"] == 0.0


def test_drifting_60_s(record_property: Record):
    drift_energy(60, record_property)


@pytest.mark.long
def test_drifting_600_s(record_property: Record):
    drift_energy(600, record_property)


def quantised(seconds: int, share: float, seed: int) -> Iterator[np.ndarray]:
    """16 bit with half an LSB of noise: U at 70 %, I at `share` of full scale, lagging 60 degrees."""
    rng = np.random.default_rng(seed)
    signals = {n: {1: polar(0.7 * 32767 / 2**0.5, -120 * k)} for k, n in enumerate(VOLTAGES)}
    signals |= {n: {1: polar(share * 32766 / 2**0.5, -120 * k - 60)} for k, n in enumerate(CURRENTS)}
    size = round(2 * FS)
    # a rate that is no multiple of the frequency, so that the quantisation does not repeat every cycle
    for start in range(0, round(seconds * FS), size):
        waves = sampled(signals, 2 * np.pi * (50 + 1 / 60) / FS * (start + np.arange(size)))
        made = np.stack(list(waves.values()), 1) + rng.normal(0, 0.5, (size, 6))
        yield np.clip(np.rint(made), -32768, 32767).astype(np.int16)


def quantised_error(seconds: int, share: float) -> float:
    channels = [Channel(n, scale=0.01) for n in VOLTAGES] + [Channel(n, scale=1e-3 / share) for n in CURRENTS]
    engine = engine_for(channels, FS)
    for block in quantised(seconds, share, round(100 * share)):
        engine.feed(block)
    run = finish(engine)
    assert run.energy["A-"] == run.energy["R-"] == 0.0 and run.quality["integrated"] == round(seconds * FS)
    p = 3 * (0.7 * 32767 * 0.01) * (share * 32766 * 1e-3 / share) / 2 * 0.5
    return float(run.energy["A+"]) / (p * seconds / 3600) - 1


@pytest.mark.parametrize(("share", "limit"), [(1.0, 5e-6), (0.05, 10e-6)])
def test_sixteen_bits_over_60_s(share: float, limit: float, record_property: Record):
    """A tenth of the time; noise then counts three times as much, and still keeps within the limit of ten minutes."""
    error = quantised_error(60, share)
    record_property("ppm", error * 1e6)
    assert abs(error) < limit


@pytest.mark.long
@pytest.mark.parametrize(("share", "limit"), [(1.0, 5e-6), (0.05, 10e-6)])
def test_sixteen_bits_over_600_s(share: float, limit: float, record_property: Record):
    error = quantised_error(600, share)
    record_property("ppm", error * 1e6)
    assert abs(error) < limit


@pytest.mark.parametrize("step", [k for k in range(16) if k % 4])
def test_four_quadrants(step: int):
    angle = np.deg2rad(22.5 * step)
    p, q, s = 1150 * np.cos(angle), 1150 * np.sin(angle), 1150.0
    energy = measure(steady(of_phases([(p, q)] * 3), 50, FS, 1.0), FS).energy
    quadrant = f"R{step // 4 + 1}"
    for times, phase in ((3, ""), (1, "_L1"), (1, "_L2"), (1, "_L3")):
        wanted = {"Ap" if p > 0 else "Am": abs(p), "Rp" if q > 0 else "Rm": abs(q), quadrant: abs(q), "Ep" if p > 0 else "Em": s}
        expect(registers(energy, phase), 3450, **{k: times * v for k, v in wanted.items()})


@pytest.mark.parametrize(("angle", "amount"), [(0, {"Ap": 1, "Ep": 1}), (180, {"Am": 1, "Em": 1}), (90, {"Rp": 1}), (270, {"Rm": 1})])
def test_on_the_axes_what_is_there_is_booked_once(angle: float, amount: dict[str, float]):
    energy = registers(measure(steady(of_phases([(1150 * np.cos(np.deg2rad(angle)), 1150 * np.sin(np.deg2rad(angle)))] * 3), 50, FS, 1.0), FS).energy)
    for name, share in amount.items():
        assert energy[name.replace("p", "+").replace("m", "-")] * 3600 == pytest.approx(3450 * share, rel=1e-6)
    assert energy["E+"] + energy["E-"] == pytest.approx(3450 / 3600, rel=1e-6)
    assert energy["R1"] + energy["R2"] == energy["R+"] and energy["R3"] + energy["R4"] == energy["R-"]


@pytest.mark.parametrize(("q_sign", "quadrant"), [(1, "R1"), (-1, "R4")])
def test_no_active_power_at_all_is_import(q_sign: int, quadrant: str):
    """Voltage in the even samples only, current in the odd ones: every product is exactly zero."""
    n = np.arange(25600)
    u = 600 * np.cos(2 * np.pi * 50 / FS * n) * (n % 2 == 0)
    i = q_sign * 10 * np.sin(2 * np.pi * 50 / FS * n) * (n % 2 == 1)
    energy = measure({"U_L1": u, "I_L1": i}, FS).energy
    assert energy["A+"] == energy["A-"] == energy["E-"] == 0.0 and energy["E+"] > 0
    assert energy[quadrant] > 0 and {k for k in KEYS if k[0] == "R" and energy[k]} == {quadrant, "R+" if q_sign > 0 else "R-"}


def test_no_reactive_power_at_all_is_inductive():
    u = steady({"U_L1": {1: 230 + 0j}}, 50, FS, 1.0)["U_L1"]
    for factor, key in ((0.5, "E+"), (-0.5, "E-"), (0.0, "E+")):
        run = measure({"U_L1": u, "I_L1": factor * u}, FS)
        assert not any(run.energy[k] for k in KEYS if k[0] == "R")
        assert run.energy[key] == pytest.approx(abs(factor) * 230**2 / 3600, rel=1e-6) and run.energy["E-" if key == "E+" else "E+"] == 0


MIXED = [(1000.0, 300.0), (-400.0, 200.0), (200.0, -700.0)]
APPARENT = [float(np.hypot(*pq)) for pq in MIXED]


def test_vector_summation():
    energy = measure(steady(of_phases(MIXED), 50, FS, 1.0), FS).energy
    expect(registers(energy), 2500, Ap=800, Rm=200, R4=200, Ep=sum(APPARENT))


def test_summation_per_phase():
    energy = measure(steady(of_phases(MIXED), 50, FS, 1.0), FS, summation="per-phase").energy
    expect(registers(energy), 2500, Ap=1200, Am=400, Rp=500, Rm=700, R1=300, R2=200, R4=700, Ep=APPARENT[0] + APPARENT[2], Em=APPARENT[1])


def test_absolute_summation():
    """III is turned to I, II to IV."""
    energy = measure(steady(of_phases(MIXED), 50, FS, 1.0), FS, summation="absolute").energy
    expect(registers(energy), 2500, Ap=1600, Rm=600, R4=600, Ep=sum(APPARENT))
    energy = measure(steady(of_phases([(100, 50), (-300, -200), (100, 20)]), 50, FS, 1.0), FS, summation="absolute").energy
    expect(registers(energy), 800, Ap=500, Rp=270, R1=270, Ep=np.hypot(100, 50) + np.hypot(300, 200) + np.hypot(100, 20))


@pytest.mark.parametrize("summation", ["vector", "per-phase", "absolute"])
def test_the_keys_of_phases_do_not_know_the_summation(summation: str):
    energy = measure(steady(of_phases(MIXED), 50, FS, 1.0), FS, summation=summation).energy
    expect(registers(energy, "_L1"), 2500, Ap=1000, Rp=300, R1=300, Ep=APPARENT[0])
    expect(registers(energy, "_L2"), 2500, Am=400, Rp=200, R2=200, Em=APPARENT[1])
    expect(registers(energy, "_L3"), 2500, Ap=200, Rm=700, R4=700, Ep=APPARENT[2])


def test_direction_is_that_of_each_cycle():
    """Import for 25 cycles, then export for 25: half the energy each way, nothing netted within the second."""
    signals = of_phases([(1150, 300)] * 3)
    waves = steady(signals, 50, FS, 1.0, angle=-np.pi / 2)  # so that cycles begin at sample 0
    for n in CURRENTS:
        waves[n][6400:] *= -1
    energy = registers(measure(waves, FS).energy)
    assert energy["A+"] * 3600 == pytest.approx(1725, rel=2e-3) and energy["A-"] * 3600 == pytest.approx(1725, rel=2e-3)
    assert energy["A+"] - energy["A-"] == pytest.approx(energy_of(waves, FS), abs=1e-9)
    assert energy["R1"] * 3600 == pytest.approx(450, rel=0.05) and energy["R3"] * 3600 == pytest.approx(450, rel=0.05)


@pytest.mark.parametrize("samples", [1, 2, 7, 50, 100, 101, 150, 199, 255, 300, 777, 1203, 2559, 2561, 4001, 9999, 20011])
@pytest.mark.parametrize("f", [42.5, 49.9, 57.1])
def test_every_sample_once_whatever_the_ends(samples: int, f: float):
    """Partial cycles at both ends, down to recordings of one sample; also with distortion, and beside gaps."""
    waves = {n: x[:samples] for n, x in steady(feeder(samples, voltages=SETS["unbalanced"]), f, 5e3, 4.1, angle=samples).items()}
    raw = np.stack(list(waves.values()), 1)
    energy = measure(waves, 5e3).energy
    scale = sum(np.sum(np.abs(waves["U_" + n] * waves["I_" + n])) for n in PHASES) / 5e3 / 3600
    for phase in ("", "L1", "L2", "L3"):
        net = energy["A+" + "_" * bool(phase) + phase] - energy["A-" + "_" * bool(phase) + phase]
        assert abs(net - energy_of(waves, 5e3, phase)) < 1e-12 * scale
    engine = engine_for(list(waves), 5e3)
    for part in np.array_split(raw, 3):
        if len(part):
            engine.feed(part)
            engine.feed(Gap(samples=17))
    energy = finish(engine).energy
    assert abs(energy["A+"] - energy["A-"] - energy_of(waves, 5e3)) < 1e-12 * scale


@pytest.mark.parametrize("cycles", [1, 2, 10])
@pytest.mark.parametrize("part", [0.125, 0.375, 0.5, 0.875])
@pytest.mark.parametrize("side", [1, -1])
def test_a_part_of_a_cycle_has_its_own_active_energy_and_its_neighbours_s(cycles: int, part: float, side: int):
    """With u and i in phase p = S (1 - cos 2wt), so that a last part T of a cycle has S (T - sin(2wT) / 2w), more or less than S T."""
    n, s, omega = round((cycles + part) * 256), 230.0 * 5.0, 2 * np.pi * 50
    # the first sample's interval begins at a zero crossing
    wave = np.sin(2 * np.pi * (np.arange(n) + 0.5) / 256)
    waves = {"U_L1": 230 * 2**0.5 * wave, "I_L1": side * 5 * 2**0.5 * wave}
    run = measure(waves, FS)
    a, e = (float(run.energy[k + ("+" if side > 0 else "-")] or 0.0) * 3600 for k in "AE")
    assert a == pytest.approx(abs(energy_of(waves, FS)) * 3600, rel=1e-12)
    assert e == pytest.approx(s * n / FS, rel=1e-5)
    assert a - e == pytest.approx(-s * np.sin(4 * np.pi * part) / (2 * omega), abs=1e-3 * s / omega + 1e-5 * e)
    assert all(float(run.energy[k + ("-" if side > 0 else "+")] or 0.0) == 0.0 for k in "AE")
