"""Runs that begin at different times measure what they share alike: their frames are counted by one grid."""

from __future__ import annotations

import numpy as np
import pytest

from core.signals import START_NS, measure


def feeder(t: np.ndarray) -> dict[str, np.ndarray]:
    """A frequency that sways, flicker, harmonics, and angles that are no third of a turn."""
    angle = 2 * np.pi * (50.02 * t + 0.3 * np.sin(2 * np.pi * t / 97))
    size = 1 + 0.004 * np.sin(2 * np.pi * 8.8 * t)
    waves = {}
    for k in range(3):
        a = angle - (0.0, 2.07, 4.21)[k]
        waves[f"U_L{k + 1}"] = 325 * size * (np.cos(a) + 0.03 * np.cos(5 * a + 0.4))
        waves[f"I_L{k + 1}"] = 7 * (np.cos(a - 0.5) + 0.1 * np.cos(3 * a - 1.5))
    return waves


@pytest.mark.parametrize("fs", [1700.0, 4997.25, 12800.0])
def test_a_run_that_begins_later_measures_the_same(fs: float):
    late = round(13.7 * fs) + 5
    waves = feeder(np.arange(round(645 * fs)) / fs)
    whole = measure(waves, fs, nominal_voltage=230.0)
    part = measure({n: v[late:] for n, v in waves.items()}, fs, nominal_voltage=230.0, start_ns=START_NS + round(late / fs * 1e9))
    # the filters of flicker and the angles of the voltages have settled
    one, other = (r.basic["t"] >= START_NS + 615 * 10**9 for r in (whole, part))
    assert one.sum() == other.sum() > 100
    assert np.abs(whole.basic["t"][one] - part.basic["t"][other]).max() <= 1
    for name in ("U_L1", "I_L2", "P", "Q", "S", "Q_L3", "U1_L1", "f", "Pinst_L1"):
        assert part.basic[name][other] == pytest.approx(whole.basic[name][one], rel=1e-9 if name == "Pinst_L1" else 2e-11), name


def test_before_1970():
    waves = feeder(np.arange(6400) / 3200.0)
    runs = [measure(waves, 3200.0, start_ns=start) for start in (-START_NS, START_NS)]
    assert runs[0].energy["A+"] == pytest.approx(runs[1].energy["A+"], rel=1e-12)
    assert runs[0].basic["U_L1"] == pytest.approx(runs[1].basic["U_L1"], rel=1e-6)


@pytest.mark.parametrize("seconds", [0.0065, 0.013, 0.019])
def test_reactive_energy_of_less_than_a_cycle_does_not_depend_on_when_it_was(seconds: float):
    """Every place of the first frame in a sub-block: the power of the phasors that correlation over all samples gives."""
    fs = 3200.0
    t = np.arange(round(seconds * fs)) / fs
    waves, expected = {}, 0.0
    for k in range(3):
        angle = 2 * np.pi * 50 * t - 2 * np.pi * k / 3
        u, i = 325 * np.cos(angle), 7 * np.cos(angle - 0.5)
        waves |= {f"U_L{k + 1}": u, f"I_L{k + 1}": i}
        phasors = [np.sqrt(2) / len(t) * (x * np.exp(-2j * np.pi * 50 * t)).sum() for x in (u, i)]
        expected += (phasors[0] * np.conj(phasors[1])).imag * len(t) / fs / 3600
    for late in range(17):
        energy = measure(waves, fs, start_ns=START_NS + round(late / fs * 1e9)).energy
        assert energy["R+"] == pytest.approx(expected, rel=1e-9)
