"""Segments of a recording as stretches of the engine; the truth is the same recording declared otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from ctmeter.pipeline import measure
from ctmeter.recording import Gap, Recording, Segment

FS = 6400.0
START = 1_772_409_600_000_000_000
GIVEN = {"wiring": "3P4W", "nominal_voltage": 230.0, "nominal_frequency": 50}
N = 12800


def made(segments, gaps=()):
    t = np.arange(N) / FS
    arrays = {}
    for k, n in enumerate(("L1", "L2", "L3")):
        angle = 2 * np.pi * 50 * t - k * 2 * np.pi / 3 + 0.2
        arrays["U_" + n], arrays["I_" + n] = 230 * 2**0.5 * np.sin(angle), 5 * 2**0.5 * np.sin(angle - 0.5)
    return replace(Recording.from_arrays(arrays, sample_rate=FS), segments=tuple(segments), gaps=tuple(gaps))


def ns(samples, rate=FS):
    return round(samples / rate * 1e9)


def same(one, other):
    for part in ("energy", "mean", "extremes", "quality"):
        assert one.summary[part] == other.summary[part], part
    for name in one.tables:
        assert one.tables[name].equals(other.tables[name]), name


@pytest.mark.parametrize("start", [START, None])
def test_segments_that_join_are_one_stretch(start):
    def at(row):
        return None if start is None else start + ns(row)

    whole = measure(made([Segment(0, N, FS, start)]), **GIVEN)
    cut = [0, 1000, 1001, 5000, 9999, N]
    rates = [FS, FS * (1 + 5e-10), FS, FS * (1 - 5e-10), FS]
    parts = [Segment(a, b, r, at(a)) for a, b, r in zip(cut[:-1], cut[1:], rates, strict=True)]
    same(measure(made(parts), **GIVEN), whole)
    limits = (0.1, 1.7)
    same(measure(made(parts), time_range=limits, **GIVEN), measure(made([Segment(0, N, FS, start)]), time_range=limits, **GIVEN))


@pytest.mark.parametrize("start", [START, None])
@pytest.mark.parametrize("limits", [None, (0.2, None), (0.2, 3.1), (1.5, None), (0, 1.5)])
def test_a_gap_between_segments_is_a_gap(start, limits):
    def at(row):
        return None if start is None else start + ns(row)

    gap = Gap(6400, "lost")
    inside = measure(made([Segment(0, N, FS, start)], [(6400, gap)]), time_range=limits, **GIVEN)
    between = measure(made([Segment(0, 6400, FS, start), Segment(6400, N, FS, at(12800))], [(6400, gap)]), time_range=limits, **GIVEN)
    same(between, inside)
    t = between.tables["basic"].column("t").cast("int64").to_numpy() - (start or 0)
    assert t.min() == pytest.approx((limits or (0,))[0] * 1e9, abs=1.1e9) and t.max() < 3.01e9


def test_another_rate_or_half_a_sample_begins_anew():
    odd = [Segment(0, 6400, FS, START), Segment(6400, N, FS, START + ns(6400.5))]
    faster = [Segment(0, 6400, FS, START), Segment(6400, N, FS * 1.0001, START + ns(6400))]
    for segments in (odd, faster):
        r = measure(made(segments), **GIVEN)
        assert r.summary["quality"]["integrated"] == N and r.summary["quality"]["gaps"] == 0
        t = r.tables["basic"].column("t").cast("int64").to_numpy() - START
        # the windows of the second stretch start with it
        assert np.abs(t - (segments[1].start_ns - START)).min() < 0.02e9


def test_a_gap_before_another_rate_is_counted():
    segments = [Segment(0, 6400, FS, START), Segment(6400, N, FS / 2, START + 3_000_000_000)]
    r = measure(made(segments, [(6400, Gap(6400, "lost"))]), **GIVEN)
    assert r.summary["quality"]["gaps"] == 6400 and r.summary["quality"]["samples"] == N


@pytest.mark.parametrize("cycles", [5, 8])
def test_pieces_shorter_than_a_window_are_measured_by_cycles(cycles):
    """Three pieces of whole cycles, hours apart: means are those of the sine of 230 V."""
    n = cycles * 256
    t = np.arange(n) / 12800.0
    rows = np.tile(230.0 * np.sqrt(2) * np.sin(2 * np.pi * 50 * t), 3)
    whole = Recording.from_arrays({"U_L1": rows}, sample_rate=12800.0, start="2026-01-01T00:00:00Z")
    segments = tuple(Segment(k * n, (k + 1) * n, 12800.0, whole.start_ns + k * 3600 * 10**9) for k in range(3))
    result = measure(replace(whole, segments=segments), nominal_frequency=50)
    assert result.mean["U_L1"] == pytest.approx(230.0, rel=1e-4) and result.tables["basic"].num_rows == 0
    assert 3 * (cycles - 2) <= result.tables["cycle"].num_rows <= 3 * cycles


def test_pieces_that_join_are_no_pieces():
    """Twenty segments of a tenth of a second without a gap: windows, and no table of cycles that nobody asked for."""
    result = measure(made([Segment(k * 640, k * 640 + 640, FS, START + ns(k * 640)) for k in range(20)]), **GIVEN)
    assert result.tables["basic"].num_rows == 9 and "cycle" not in result.tables
