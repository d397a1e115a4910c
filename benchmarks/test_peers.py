"""The whole chain against other programs for the same features, which have to give comparable results.

    python -m pytest benchmarks/test_peers.py

pqopen-lib takes part where it can be imported: `pip install -e .[peers]`, or a folder that has it in PYTHONPATH.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from benchmarks.measure import FREQUENCY, NAMES, RATE, START_NS, Row, Table, chain, channels, counts, engine, interleaved
from benchmarks.peers import numpy_meter, pqopen_meter

SCALE = np.array([c.scale for c in channels()])
NOT_THERE = importlib.util.find_spec("pqopen") is None
needs_pqopen = pytest.mark.skipif(NOT_THERE, reason="pqopen-lib is not installed: pip install -e .[peers]")
#: Modulation that makes Pinst 1: relative change in % of a sinusoid at 8.8 Hz, IEC 61000-4-15 table 1.
CHANGE, RATE_OF_CHANGE = 0.250, 8.8


def numpy_whole(raw: np.ndarray, chunk: float = 2.0) -> dict[str, np.ndarray]:
    return numpy_meter.measure(raw, SCALE, RATE, chunk=chunk, with_spectra=True, with_flicker=True)


def pqopen_whole(raw: np.ndarray, **options) -> dict[str, np.ndarray]:
    return pqopen_meter.measure(raw, SCALE, RATE, START_NS // 1000, **options)


def modulated(seconds: float) -> np.ndarray:
    raw = counts(seconds).astype(np.float64)
    raw[:, :3] *= (1 + CHANGE / 200 * np.sin(2 * np.pi * RATE_OF_CHANGE / RATE * np.arange(len(raw))))[:, None]
    return np.rint(raw).astype(np.int16)


def by_lane(windows: dict[str, np.ndarray], quantity: str) -> np.ndarray:
    """Columns of six channels, `quantity` with a * for U and I."""
    return np.stack([windows[f"{quantity.replace('*', name[0])}_{name[2:]}"] for name in NAMES], axis=-1)


@pytest.fixture(scope="module")
def ours(minute):
    """Windows of the engine but the first, before which there are no samples."""
    return {name: column[1:] for name, column in chain(minute)["basic"].items()}


def test_numpy_gives_the_same(minute, ours):
    """Windows of both stand 40 ms apart in a steady signal; what differs is the noise."""
    theirs = {name: column[1:] for name, column in numpy_whole(minute).items() if name not in ("half", "Pst")}
    n = len(theirs["t"])
    assert n >= len(ours["t"]) - 3
    fundamental = by_lane(ours, "*1")[:n]
    for name, quantity in (("H", "H*"), ("IH", "IH*")):
        column = by_lane(ours, quantity)[:n]
        assert theirs[name][:, : column.shape[1]] == pytest.approx(column, abs=3e-4 * fundamental.min(0).max())
        assert np.max(np.abs(theirs[name][:, : column.shape[1]] - column) / fundamental[:, None]) < 5e-4
    for order in (1, 5, 7):
        assert theirs["H"][:, order] == pytest.approx(by_lane(ours, "H*")[:n, order], rel=5e-4)
    for name, quantity in (("THD", "THD"), ("THDG", "THDG"), ("THDL", "THDL")):
        column = np.stack([ours[f"{quantity}_{lane}"] for lane in NAMES], axis=-1)[:n]
        assert theirs[name] == pytest.approx(column, rel=5e-4)
    crest = np.stack([ours[f"CF_{lane}"] for lane in NAMES], axis=-1)[:n]
    assert theirs["crest"] / theirs["rms"] == pytest.approx(crest, rel=2e-3)
    assert theirs["Q1"] == pytest.approx(np.stack([ours[f"Q_L{k}"] for k in (1, 2, 3)], axis=-1)[:n], rel=5e-4)
    for name in ("u2", "u0"):
        assert theirs[name] == pytest.approx(ours[name][:n], abs=1e-3)


def test_numpy_flicker():
    """Pinst of a modulation that makes it 1, of both."""
    raw = modulated(40)
    theirs, windows = numpy_whole(raw), chain(raw)["basic"]
    late = slice(-40, -5)
    for k in range(3):
        assert np.median(theirs["Pinst"][late, k]) == pytest.approx(np.median(windows[f"Pinst_L{k + 1}"][late]), rel=0.02)
    assert theirs["Pinst"][late] == pytest.approx(1, rel=0.04)


@needs_pqopen
def test_pqopen_gives_the_same(minute, ours):
    """Its windows end at whole samples, its resampling is linear: what is left of a high order is not compared."""
    theirs = {name: column[3:] if len(column) > 250 else column for name, column in pqopen_whole(minute).items()}
    n = min(len(theirs["t"]), len(ours["t"]))
    assert n > 290
    lanes = np.stack([ours[name] for name in NAMES], axis=-1)[:n]
    assert theirs["rms"][:n] == pytest.approx(lanes, rel=1e-3)
    for name, quantity, rel in (("P", "P", 1e-3), ("Q", "Q", 2e-3)):
        assert theirs[name][:n] == pytest.approx(np.stack([ours[f"{quantity}_L{k}"] for k in (1, 2, 3)], axis=-1)[:n], rel=rel)
    for order in (1, 5, 7):
        assert theirs["H"][:n, order] == pytest.approx(by_lane(ours, "H*")[:n, order], rel=0.01)
    assert theirs["THD"][:n] == pytest.approx(np.stack([ours[f"THD_{lane}"] for lane in NAMES], axis=-1)[:n], rel=0.01)
    assert np.median(theirs["u2"]) < 0.001
    assert np.median(theirs["f"]) == pytest.approx(FREQUENCY, abs=0.002)
    meter = engine()
    meter.feed(minute)
    meter.flush()
    energy = meter.energy["A+"]
    # the windows at both ends are not in it
    assert energy is not None and theirs["Wh"][0] == pytest.approx(energy, rel=0.01)


@needs_pqopen
def test_pqopen_flicker():
    """Short-term flicker of a modulation that makes Pinst 1, by intervals of 20 s: the root of the sum of the weights."""
    found = pqopen_whole(modulated(64), pst_s=20)["Pst"]
    assert len(found) and found[-1] == pytest.approx(np.sqrt(0.0314 + 0.0525 + 0.0657 + 0.28 + 0.08), rel=0.05)


def test_ratio(minute, report):
    """At least 40 times as fast as pqopen-lib at its best size of a block, 7 times a program in NumPy."""
    cases = {
        "whole chain": lambda: chain(minute),
        "NumPy, chunks of 1 s": lambda: numpy_whole(minute, 1.0),
        "NumPy, chunks of 2 s": lambda: numpy_whole(minute),
        "NumPy, chunks of 10 s": lambda: numpy_whole(minute, 10.0),
    }
    if not NOT_THERE:
        for block in (1.0, 2.0, 5.0):
            cases[f"pqopen-lib, blocks of {block:g} s"] = lambda block=block: pqopen_whole(minute, block=block)
    timings = interleaved(cases, rounds=9)
    whole = timings["whole chain"].median
    rows = [Row("whole chain", whole / 1e6, timings["whole chain"].spread, 1.0, None)]
    for kind, limit in (("NumPy", 7.0), ("pqopen-lib", 40.0)):
        of_kind = {name: t for name, t in timings.items() if name.startswith(kind)}
        fastest = min(of_kind, key=lambda name: of_kind[name].median, default="")
        for name, t in of_kind.items():
            note = "aim 60" if kind == "pqopen-lib" and name == fastest else ""
            rows.append(Row(name, t.median / 1e6, t.spread, t.median / whole, limit if name == fastest else None, True, note))
    if NOT_THERE:
        rows.append(Row("pqopen-lib: not installed (pip install -e .[peers])", 0.0, 0.0, None, None))
    report(Table("beside other programs, 60 s", "x whole chain", rows))
