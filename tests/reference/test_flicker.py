"""The slow flickermeter against points of its standard."""

from __future__ import annotations

import numpy as np
import pytest

from reference import flicker

FS = 6400.0


@pytest.mark.parametrize(
    ("lamp", "line", "modulation", "change", "rectangular"),
    [
        (230, 50, 0.5, 2.325, False),
        (230, 50, 8.8, 0.250, False),
        (120, 60, 8.8, 0.321, False),
        (120, 60, 40.0, 4.393, False),
        (120, 50, 25.0, 1.476, False),
        (230, 60, 3.0, 0.351, True),
        (120, 60, 15.0, 0.457, True),
        (230, 50, 33.333333333333336, 1.671, True),
    ],
)
def test_sensation(lamp: int, line: int, modulation: float, change: float, rectangular: bool):
    u = flicker.modulated(line, change, modulation, FS, 70.0, rectangular=rectangular)
    assert flicker.pinst(u, FS, lamp=lamp, nominal=line)[round(60 * FS) :].max() == pytest.approx(1.0, rel=0.005)


@pytest.mark.parametrize(("lamp", "line", "changes", "change"), [(230, 50, 7, 1.450), (120, 60, 1620, 0.548)])
def test_short_term(lamp: int, line: int, changes: int, change: float):
    u = flicker.modulated(line, change, changes / 120, FS, 720.0, rectangular=True)
    assert flicker.pst(flicker.pinst(u, FS, lamp=lamp, nominal=line)[round(120 * FS) :]) == pytest.approx(1.0, rel=0.005)


def test_levels_of_a_known_distribution():
    # of a uniform distribution from 0 to 1 the level exceeded for k % is 1 - k / 100
    expected = 0.0314 * 0.999 + 0.0525 * (1 - 0.032 / 3) + 0.0657 * (1 - 0.092 / 3) + 0.28 * (1 - 0.54 / 5) + 0.08 * (1 - 1.6 / 3)
    assert flicker.pst(np.linspace(0, 1, 100_001)) == pytest.approx(np.sqrt(expected), rel=1e-4)
