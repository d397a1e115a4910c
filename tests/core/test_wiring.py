"""Channels and wirings that do not belong together, and phases of which nothing is there."""

import numpy as np
import pytest

from ctmeter.engine import Engine
from ctmeter.errors import InputError
from ctmeter.recording import Channel, Wiring
from ctmeter.settings import Settings


@pytest.mark.parametrize(
    ("wiring", "roles", "wanted"),
    [
        ("3P3W", ["U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3"], "3P4W"),
        ("3P3W", ["U_L12", "U_L31", "I_L1", "I_L3"], "U_L23"),
        ("3P3W", ["U_L12", "U_L23", "I_L1", "I_L2"], "I_L3"),
        ("3P4W", ["U_L12", "U_L23", "I_L1", "I_L3"], "3P3W"),
        ("1P2W", ["U_L12", "I_L1"], "3P3W"),
    ],
)
def test_channels_that_do_not_suit_the_wiring(wiring, roles, wanted):
    with pytest.raises(InputError, match=wanted):
        Engine(Settings(nominal_frequency=50), 10_000.0, [Channel(r) for r in roles], None, Wiring(wiring))


def test_a_phase_of_which_nothing_is_there_has_no_energy():
    t = np.arange(20_000) / 10_000
    x = np.stack([325 * np.sin(2 * np.pi * (50 * t - k / 3)) for k in range(3)] + [7 * np.sin(2 * np.pi * (50 * t - k / 3)) for k in range(3)], 1)
    x[:, 1] = np.nan
    channels = [Channel(r) for r in ("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3")]
    engine = Engine(Settings(nominal_frequency=50), 10_000.0, channels, None, Wiring("3P4W"))
    engine.feed(x)
    engine.flush()
    assert engine.energy["A+_L2"] is None
    assert engine.energy["A+_L1"] == pytest.approx(325 * 7 / 2 * 2 / 3600, rel=1e-4)
    assert engine.quality["integrated"] == len(x)
    assert engine.quality["not_finite"] == {"U_L2": len(x)}


def test_frames_without_any_value_are_excluded():
    x = np.tile([100.0, 1.0], (5_000, 1)) * np.sin(2 * np.pi * 50 * np.arange(5_000) / 10_000)[:, None]
    x[1_000:1_500] = np.nan
    engine = Engine(Settings(nominal_frequency=50), 10_000.0, [Channel("U_L1"), Channel("I_L1")], None, Wiring("1P2W"))
    engine.feed(x)
    engine.flush()
    assert engine.quality["excluded"] == {"missing in every channel": 500}
    assert engine.quality["integrated"] == 4_500
