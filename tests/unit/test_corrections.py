"""Known errors of inputs taken out by the engine."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ctmeter import synth
from ctmeter.engine import Engine
from ctmeter.errors import SettingsError
from ctmeter.recording import Channel, Gap, Wiring
from ctmeter.settings import Settings

FS = 12_800.0
CURRENTS = ("I_L1", "I_L2", "I_L3")


def alike(table):
    """The same table for all currents."""
    return {role: table for role in CURRENTS}


def frames(current=5.0, lag=60.0, f=50.0, seconds=4.0, ratio=0.0, minutes=0.0, fs=FS):
    """Three phases whose currents have a ratio error (%) and a phase error (minutes, leading)."""
    spec = {"sample_rate": fs, "duration": seconds, "frequency": f, "current": {"amplitude": current * (1 + ratio / 100), "lag": lag - minutes / 60}}
    recording = synth.generate(spec)
    return recording.channels, np.concatenate([b.raw for b in recording.blocks(1 << 16)])


def energy(channels, block, corrections, size=None, fs=FS, restoring=False):
    settings = Settings(nominal_frequency=50, spectra="none", corrections=corrections)
    engine = Engine(settings, fs, channels, None, Wiring("3P4W"))
    for number, k in enumerate(range(0, len(block), size or len(block))):
        engine.feed(block[k : k + (size or len(block))])
        if restoring and number % 3 == 1:
            engine = Engine.restore(engine.snapshot())
    engine.flush()
    return engine.energy


@pytest.mark.parametrize("f", [47.5, 50.0, 52.5])
@pytest.mark.parametrize("fs", [3200.0, FS])
def test_a_curve_is_exact_in_a_steady_current(f, fs):
    """Both nodes and a current between them, where the errors run straight over the logarithm."""
    curve = {"curve": [[0.1, -0.4, 20.0], [10.0, 0.2, 2.0]]}
    for true, ratio, minutes in ((0.1 / 0.996, -0.4, 20.0), (10 / 1.002, 0.2, 2.0), (1.0 / 0.999, -0.1, 11.0)):
        channels, block = frames(true, 60.0, f, ratio=ratio, minutes=minutes, fs=fs)
        found = energy(channels, block, alike(curve), fs=fs)
        hours = len(block) / fs / 3600
        assert found["A+"] == pytest.approx(3 * 230 * true * 0.5 * hours, rel=5e-6)
        assert found["R+"] == pytest.approx(3 * 230 * true * math.sqrt(0.75) * hours, rel=5e-6)


def test_gain_and_delay_are_exact():
    seconds = 5e-6
    channels, block = frames(ratio=0.3, minutes=math.degrees(2 * math.pi * 50 * seconds) * 60)
    found = energy(channels, block, alike({"gain": 1 / 1.003, "delay": seconds}))
    assert found["A+"] == pytest.approx(3 * 230 * 5 * 0.5 * 4 / 3600, rel=1e-6)


@pytest.mark.parametrize("size", [1000, 4096, 7777])
def test_same_bits_for_any_split(size):
    channels, block = frames(f=49.3, seconds=2.0, ratio=0.2, minutes=9.0)
    corrections = alike({"curve": [[0.1, 0.4, 20.0], [10.0, 0.2, 9.0]], "gain": 1.001, "delay": 1e-6})
    assert energy(channels, block, corrections, size, restoring=True) == energy(channels, block, corrections)


def test_gaps_missing_and_saturated_samples():
    """Nothing is added or lost: samples that are missing or saturated are counted as without corrections."""
    channels, block = frames(seconds=2.0)
    block = block.copy()
    block[3000:3050, 3] = np.nan
    block[9000, 4] = 7.0
    channels = [Channel(c.name, range=(-7.0, 7.0) if c.name == "I_L2" else None) for c in channels]
    block[:, 4] = np.clip(block[:, 4], -6.9, 7.0)
    counts = []
    for corrections in ({}, alike({"curve": [[1.0, 0.1, 5.0]]})):
        engine = Engine(Settings(nominal_frequency=50, spectra="none", corrections=corrections), FS, channels, None, Wiring("3P4W"))
        engine.feed(block[:12_000])
        engine.feed(Gap(640))
        engine.feed(block[12_000:])
        engine.flush()
        counts.append(engine.quality)
    assert counts[0] == counts[1]
    assert counts[0]["not_finite"] == {"I_L1": 50} and counts[0]["saturated"]["I_L2"] > 0


@pytest.mark.parametrize("n", [200, 500, 1500, 5000])
def test_short_runs(n):
    channels, block = frames(seconds=0.5, ratio=0.5)
    found = energy(channels, block[:n], alike({"curve": [[1.0, 0.5, 0.0]]}))
    plain = energy(channels, block[:n], {})
    assert found["A+"] - found["A-"] == pytest.approx((plain["A+"] - plain["A-"]) / 1.005, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"X": {}}, "'X' is no role"),
        ({"I_L1": {"gian": 1.0}}, "I_L1.gian: no such key"),
        ({"I_L1": {"gain": 9}}, "I_L1.gain: 9 is out of range"),
        ({"I_L1": {"delay": "late"}}, "I_L1.delay"),
        ({"I_L1": {"curve": [[1.0, 0.1]]}}, "expected rows"),
        ({"I_L1": {"curve": [[2.0, 0.1, 1.0], [1.0, 0.1, 1.0]]}}, "rising currents"),
        ({"U_L1": {"curve": [[1.0, 0.1, 1.0]]}}, "a curve belongs to a current"),
        ({"I_L1": 1.0}, "expected tables"),
    ],
)
def test_faults(value, words):
    with pytest.raises(SettingsError, match=r"^corrections: ") as caught:
        Settings(corrections=value)
    assert words in str(caught.value)


def test_settings_carry_them():
    s = Settings(corrections={"I_L1": {"gain": 1.01, "curve": [[1, 0.1, 5]]}})
    assert s.to_dict()["corrections"] == {"I_L1": {"gain": 1.01, "curve": [[1.0, 0.1, 5.0]]}}
    assert Settings.from_dict(s.to_dict()) == s
