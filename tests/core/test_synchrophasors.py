"""Synchrophasors against the closed form of steady signals and a frequency ramp."""

import numpy as np
import pytest

from ctmeter.engine import Engine
from ctmeter.recording import Channel, Wiring
from ctmeter.settings import Settings

FS, START = 12_800.0, 1_700_000_000_250_000_000
NAMES = ["U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3"]


def rows(phase, rate=50.0, blocks=3000):
    x = np.stack([2**0.5 * 230 * np.sin(phase - 2 * np.pi * k / 3) for k in range(3)], 1)
    x = np.hstack([x, np.stack([2**0.5 * 5 * np.sin(phase - 2 * np.pi * k / 3 - 0.5) for k in range(3)], 1)])
    engine = Engine(
        Settings(nominal_frequency=50, nominal_voltage=230, synchrophasor_rate=rate), FS, [Channel(n) for n in NAMES], START, Wiring("3P4W")
    )
    for k in range(0, len(x), blocks):
        engine.feed(x[k : k + blocks])
    engine.flush()
    return engine.take()["synchrophasor"]


def apart(a, b):
    """Smallest difference of two angles, degrees."""
    return np.abs((a - b + 180) % 360 - 180)


@pytest.mark.parametrize("f", [47.0, 50.0, 50.4])
def test_steady_phasors_stand_on_the_grid_of_utc(f):
    t = np.arange(3 * int(FS)) / FS
    got = {n: v[2:-2] for n, v in rows(2 * np.pi * f * t + 0.2).items()}
    assert not (got["t"] % 20_000_000).any()
    at = (got["t"] - START) * 1e-9
    # a sine lags a cosine by 90 degrees; the grid's own cosine has its crest at the second
    angle = np.degrees(2 * np.pi * f * at + 0.2 - np.pi / 2 - 2 * np.pi * 50 * (at + 0.25))
    assert np.abs(got["f"] - f).max() < 1e-5
    assert np.abs(got["rocof"]).max() < 1e-4
    assert np.abs(got["U1_L1"] / 230 - 1).max() < 1e-6
    assert apart(got["phi_U_L1"], angle).max() < 1e-4
    assert apart(got["phi_I_L2"], angle - np.degrees(0.5) - 120).max() < 1e-4


def test_ramp_of_one_hertz_a_second():
    t = np.arange(3 * int(FS)) / FS
    got = {n: v[3:-3] for n, v in rows(2 * np.pi * (49 * t + t * t / 2)).items()}
    assert np.abs(got["f"] - 49 - (got["t"] - START) * 1e-9).max() < 1e-4
    assert np.abs(got["rocof"] - 1).max() < 1e-3


def test_rows_do_not_depend_on_blocks():
    t = np.arange(2 * int(FS)) / FS
    a, b = (rows(2 * np.pi * 50.1 * t, rate=10.0, blocks=n) for n in (777, 12_800))
    assert all(np.array_equal(a[n], b[n]) for n in a)
