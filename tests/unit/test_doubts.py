"""What the summary doubts: means of a part, no fundamental, a frequency that is none of the mains."""

from __future__ import annotations

import numpy as np
import pytest

from ctmeter import Analyzer, Channel, Recording, measure
from ctmeter.recording import Gap

RATE = 6400.0


def sine(f: float, seconds: float = 2.0) -> np.ndarray:
    return 325.0 * np.sin(2 * np.pi * f * np.arange(round(RATE * seconds)) / RATE)


def warnings_of(values, **settings) -> str:
    return " | ".join(measure(Recording.from_arrays({"U_L1": values}, sample_rate=RATE), **settings).summary["warnings"])


@pytest.mark.parametrize("fn", [None, 50])
@pytest.mark.parametrize("f", [3.0, 400.0])
def test_no_fundamental(f, fn):
    said = warnings_of(sine(f), **({"nominal_frequency": fn} if fn else {}))
    assert "no fundamental was found between 12 and 130 Hz" in said and "--rate" in said


@pytest.mark.parametrize("f", [30.0, 75.0, 100.0])
@pytest.mark.parametrize("fn", [None, 50])
def test_a_frequency_far_from_any_mains(f, fn):
    said = warnings_of(sine(f), **({"nominal_frequency": fn} if fn else {}))
    assert "far from any mains frequency" in said and "--rate" in said and "no fundamental" not in said


def test_far_from_any_mains_later_on():
    """The recording begins at 50 Hz, most of it is at 40 Hz, or where nothing follows so suddenly."""
    said = warnings_of(np.concatenate([sine(50.0, 0.6), sine(40.0, 8.0)]), nominal_frequency=50)
    assert "far from any mains frequency" in said
    said = warnings_of(np.concatenate([sine(50.0, 0.6), sine(80.0, 8.0)]), nominal_frequency=50)
    assert "no fundamental could be followed in" in said and "far from the first" in said


@pytest.mark.parametrize("fn", [None, 50])
def test_nothing_is_said_of_the_mains(fn):
    said = warnings_of(sine(50.2), **({"nominal_frequency": fn} if fn else {}))
    assert "far from" not in said and "no fundamental" not in said and "cover" not in said


def test_means_of_a_part():
    assert "means cover" not in warnings_of(sine(50.0, 3.1))  # 15 windows of 0.2 s
    # between gaps of a sample there is no room for a window but in the last stretch
    analyzer = Analyzer({"nominal_frequency": 50}, sample_rate=RATE, channels=[Channel("U_L1")])
    for _ in range(20):
        analyzer.feed(sine(50.0, 0.1)[:, None])
        analyzer.feed(Gap(1))
    analyzer.feed(sine(50.0, 0.5)[:, None])
    analyzer = Analyzer.restore(analyzer.snapshot())
    summary = analyzer.finish().summary
    (said,) = [w for w in summary["warnings"] if "means cover" in w]
    share = 100 * 0.2 * summary["quality"]["intervals"]["basic"]["count"] / 2.5
    assert float(said.split("means cover ")[1].split(" %")[0]) == pytest.approx(share, abs=1.0)


def test_means_of_a_part_of_a_real_recording(recordings):
    summary = measure(recordings / "wisp" / "1.cfg").summary
    assert any(w.startswith("means cover 18 % of the recording") for w in summary["warnings"])
