"""What a format cannot hold is said, or refused where it would come back as something else."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ctmeter import read
from ctmeter.errors import CtmeterWarning, InputError
from ctmeter.recording import Channel, Gap, Recording, Segment, _Arrays, nanoseconds

START = nanoseconds("2026-03-02T00:00:00Z")
SIDE = {"side": "secondary", "ratio": 100.0}


def recording(*, rates=(1000.0,), status=True, gaps=(), starts=None, clock=True, excluded=-1, **channel) -> Recording:
    rows = 200
    u = np.sin(np.arange(rows * len(rates)))
    segments, at = [], START
    for k, rate in enumerate(rates):
        at = START + starts[k] if starts else at
        segments.append(Segment(k * rows, (k + 1) * rows, rate, at if clock else None, "too slow" if k == excluded else ""))
        at += round(rows / rate * 1e9)
    bits = np.zeros((len(u), 3), np.uint8) if status else None
    names = ("D1", "D2", "D3") if status else ()
    channels = (Channel("U_L1", **channel), Channel("I_L1", **channel))
    return Recording(_Arrays([u, u], bits), channels, tuple(segments), tuple(gaps), 50.0, status_channels=names)


def told(rec, path) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rec.write(path)
    assert all(w.category is CtmeterWarning for w in caught)
    return " | ".join(str(w.message) for w in caught)


@pytest.mark.parametrize(
    ("ending", "lost", "kept"),
    [
        (".csv", ("side of the values (secondary)", "transformer ratios", "3 status channels"), ()),
        (".npy", ("side of the values (secondary)", "transformer ratios", "3 status channels", "sample rate", "start time"), ()),
        (".npz", ("3 status channels",), ("side", "ratio")),
        (".wav", ("3 status channels",), ("side", "ratio")),
        (".cff", (), ("side", "ratio", "status", "primary")),
    ],
)
def test_what_is_lost_is_said(tmp_path, ending, lost, kept):
    said = told(recording(**SIDE), tmp_path / f"a{ending}")
    assert all(word in said for word in lost) and not any(word in said for word in kept)


@pytest.mark.parametrize("ending", [".csv", ".npz", ".wav", ".cff"])
def test_nothing_is_said_where_nothing_is_lost(tmp_path, ending):
    side = SIDE if ending == ".cff" else {}
    assert not told(recording(status=False, **side), tmp_path / f"a{ending}")


def test_an_unknown_side_becomes_primary_in_comtrade(tmp_path):
    assert "U_L1, I_L1, of unknown side, are written as primary" in told(recording(), tmp_path / "a.cff")
    assert read(tmp_path / "a.cff").channels[0].side == "primary"
    said = told(recording(rates=(1000.0, 800.0), excluded=1, **SIDE), tmp_path / "b.cff")
    assert "segments are not measured" in said


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"rates": (1000.0, 800.0)}, "several sample rates"),
        ({"rates": (1000.0, 800.0), "clock": False}, "several sample rates"),
        ({"rates": (1000.0, 1000.0), "excluded": 1}, "segments that are not measured"),
        ({"rates": (1000.0, 1000.0), "starts": (0, 250_400_000)}, "no whole number of samples"),
    ],
)
def test_csv_refuses_what_would_come_back_with_another_time(tmp_path, fields, problem):
    with pytest.raises(InputError, match=problem) as caught:
        recording(status=False, **fields).write(tmp_path / "a.csv")
    assert ".npz" in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("clock", [True, False])
def test_csv_keeps_gaps(tmp_path, clock):
    rec = recording(status=False, gaps=((70, Gap(13)), (150, Gap(1))), clock=clock)
    assert not told(rec, tmp_path / "a.csv")
    back = read(tmp_path / "a.csv")
    assert [(row, g.samples) for row, g in back.gaps] == [(70, 13), (150, 1)]
    assert back.sample_rate == 1000.0 and back.duration == pytest.approx(rec.duration, abs=1e-9)


def test_csv_keeps_jumps_of_whole_samples(tmp_path):
    rec = recording(status=False, rates=(1000.0, 1000.0), starts=(0, 250_000_000))
    rec.write(tmp_path / "a.csv")
    back = read(tmp_path / "a.csv")
    assert [(row, g.samples) for row, g in back.gaps] == [(200, 50)] and back.duration == pytest.approx(rec.duration, abs=1e-9)
