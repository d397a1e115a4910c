"""Whether a waveform goes on from one recording to the next."""

from __future__ import annotations

import numpy as np
import pytest

from ctmeter.frequency import discontinuity

RATE = 12800.0


def wave(t: np.ndarray, f: float) -> np.ndarray:
    """Three voltages with harmonics and noise."""
    noise = np.random.default_rng(len(t)).normal(0, 0.1, (len(t), 3))
    angles = 2 * np.pi * f * t[:, None] - np.array([0.0, 2.0, 4.3])
    made: np.ndarray = 325 * np.sin(angles) + 30 * np.sin(5 * angles + 1) + 10 * np.sin(7 * angles) + noise
    return made


@pytest.mark.parametrize("f", [42.5, 49.73, 50.0, 60.3])
@pytest.mark.parametrize("later", [0.0, 78e-6, 0.4e-3, -0.9e-3, 5e-3])
def test_it_is_told_to_ten_microseconds(f: float, later: float):
    n = round(0.1 * RATE)
    before, after = (wave(t / RATE, f) for t in (np.arange(-n, 0), np.arange(n) + later * RATE))
    assert discontinuity(before, after, RATE) == pytest.approx(later, abs=10e-6)


def test_what_cannot_be_told():
    n = round(0.1 * RATE)
    good = wave(np.arange(n) / RATE, 50.0)
    assert discontinuity(np.zeros_like(good), good, RATE) is None
    assert discontinuity(good, np.zeros_like(good), RATE) is None
    assert discontinuity(good, 0.5 * good, RATE) is None
    assert discontinuity(good, good[:500], RATE) is None
    assert discontinuity(good, np.where(np.arange(n)[:, None] == 7, np.nan, good), RATE) is None
