"""The basic chain against a good vectorised program in NumPy and SciPy, which has to give the same results."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.measure import BASIC, NAMES, RATE, Row, Table, chain, channels, interleaved, sums_only
from benchmarks.peers import numpy_meter

SCALE = np.array([c.scale for c in channels()])
LINES = ("U_L12", "U_L23", "U_L31")


def test_same_results(minute):
    """Every window and half-cycle within 0.1 %."""
    theirs = numpy_meter.measure(minute, SCALE, RATE)
    ours = chain(minute, half_cycle=True)
    n = len(theirs["t"])
    assert n >= len(ours["basic"]["t"]) - 3
    windows = {name: column[:n] for name, column in ours["basic"].items()}
    for k, name in enumerate(NAMES):
        assert theirs["rms"][:, k] == pytest.approx(windows[name], rel=1e-3)
    for k, phase in enumerate(("L1", "L2", "L3")):
        assert theirs["line"][:, k] == pytest.approx(windows[LINES[k]], rel=1e-3)
        apparent = windows[f"S_{phase}"].mean()
        for name in ("P", "Q"):
            assert np.max(np.abs(theirs[name][:, k] - windows[f"{name}_{phase}"])) < 1e-3 * apparent
        half = ours["half_cycle"]["U"][ours["half_cycle"]["channel"] == k]
        m = min(theirs["half"].shape[1], len(half))
        assert m > 5900
        assert theirs["half"][k, :m] == pytest.approx(half[:m], rel=1e-3)
    assert theirs["f"] == pytest.approx(windows["f"], abs=1e-3)


def conversion_and_sums(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least a NumPy program must do."""
    x = raw.astype(np.float64)
    return np.einsum("nk,nk->k", x, x), np.einsum("nk,nk->k", x[:, :3], x[:, 3:])


def test_ratio(minute, report):
    timings = interleaved(
        {
            "basic chain": lambda: chain(minute, **BASIC),
            "sums only": lambda: sums_only(minute),
            "NumPy, chunks of 0.5 s": lambda: numpy_meter.measure(minute, SCALE, RATE, chunk=0.5),
            "NumPy, chunks of 2 s": lambda: numpy_meter.measure(minute, SCALE, RATE, chunk=2),
            "NumPy, chunks of 10 s": lambda: numpy_meter.measure(minute, SCALE, RATE, chunk=10),
            "NumPy, float64 and 9 sums": lambda: conversion_and_sums(minute),
        },
        rounds=9,
    )
    whole, sums = timings["basic chain"].median, timings["sums only"].median
    rows = []
    for name, t in timings.items():
        ratio = t.median / (sums if "sums" in name else whole)
        rows.append(Row(name, t.median / 1e6, t.spread, ratio, None, note="x sums only" if "sums" in name else ""))
    report(Table("beside NumPy, 60 s", "x basic chain", rows))
