"""Recordings made from arrays, and values made from raw samples."""

import numpy as np
import pytest

from ctmeter.errors import InputError
from ctmeter.pipeline import measure
from ctmeter.recording import Channel, Recording, nanoseconds, scaled


def test_signalling_nan_and_infinity_are_scaled_in_silence():
    signalling = np.array([0x7F800001, 0x7F800000, 0x3F800000, 0x7F7FFFFF], np.uint32).view(np.float32).reshape(-1, 1)
    values = scaled(signalling, [Channel("U_L1", scale=2.0, offset=1.0)])
    assert np.isnan(values[0, 0]) and np.isinf(values[1, 0]) and values[2, 0] == 3.0
    huge = scaled(np.array([[1e308]]), [Channel("U_L1", scale=100.0)])
    assert np.isinf(huge[0, 0])


@pytest.mark.parametrize(("name", "role"), [("U_L21", "U_L12"), ("U_L32", "U_L23"), ("U_L13", "U_L31")])
def test_a_reversed_pair_is_turned(name, role):
    r = Recording.from_arrays({name: np.array([1.0, -2.0])}, sample_rate=1000)
    assert r.channels[0].role == role and r.read([role])[:, 0].tolist() == [-1.0, 2.0]
    r = Recording.from_arrays({name: np.array([1, -2], np.int16)}, sample_rate=1000, scale={name: 0.5})
    assert r.read([role])[:, 0].tolist() == [-0.5, 1.0] and r.channels[0].range == (-32768.0, 32767.0)


def test_aron_by_either_pair_is_the_same():
    t = np.arange(6400) / 6400
    u = [400 * 2**0.5 * np.sin(2 * np.pi * 50 * t - a) for a in (0, 2 * np.pi / 3)]
    i = [5 * 2**0.5 * np.sin(2 * np.pi * 50 * t - a - 1) for a in (np.pi / 6, np.pi / 6 + 4 * np.pi / 3)]
    one, other = ({"U_L12": u[0], **pair, "I_L1": i[0], "I_L3": i[1]} for pair in ({"U_L23": u[1]}, {"U_L32": -u[1]}))
    results = [measure(Recording.from_arrays(a, sample_rate=6400), nominal_frequency=50) for a in (one, other)]
    assert results[0].summary["wiring"] == results[1].summary["wiring"] == "3P3W"
    assert results[0].energy == results[1].energy and results[0].mean == results[1].mean
    assert results[0].mean["P"] == pytest.approx(3**0.5 * 400 * 5 * np.cos(1), rel=1e-4)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"U_L4": np.zeros(3)},
        {"U_L1": 1.0},
        {"U_L1": np.zeros((3, 2))},
        {"U_L1": np.zeros(3), "I_L1": np.zeros(4)},
        {"U_L1": np.zeros(3, complex)},
        {"U_L1": np.zeros(3, int)},
        {"U_L23": np.zeros(3), "U_L32": np.zeros(3)},
    ],
)
def test_arrays_that_are_refused(arrays):
    with pytest.raises(InputError):
        Recording.from_arrays(arrays, sample_rate=1000)


@pytest.mark.parametrize(
    "start", ["9999-01-01T00:00:00Z", "1500-01-01", "9998-01-01T00:00:00+02:00", np.datetime64("9999-01-01"), np.datetime64("NaT")]
)
def test_years_that_nanoseconds_do_not_reach(start):
    """They would come round to another century."""
    with pytest.raises(InputError, match="expected a time between the years 1678 and 2262"):
        nanoseconds(start)
    assert nanoseconds("2262-01-01T00:00:00Z") == 9_214_646_400 * 10**9
