"""Rows of windows as the core gives them, made of arithmetic alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ctmeter.quantity import EXTRAS, LIST_LENGTH, columns

S = 10**9
TINY = 1e-6
#: 2026-03-02T12:00:00Z, on a tick of ten minutes and of two hours.
NOON = 1_772_452_800 * S


def grid(f: float, seconds: float, start_ns: int = NOON, first: float = 0.0, cycles: int = 10) -> dict[str, np.ndarray]:
    """Times and kinds of all windows that lie wholly within a recording.

    Parameters
    ----------
    f : float
        Frequency, Hz.
    seconds : float
        Length of the recording.
    first : float
        Time of the first zero crossing, s after the start.
    """
    found: list[tuple[int, int]] = []  # first cycle of the window, kind
    last, into = math.floor((seconds - first) * f + TINY), start_ns % (600 * S) / S
    at, group, ticks = 0, 0, 1
    while at + cycles <= last:
        tick = math.ceil((600 * ticks - into - first) * f - TINY)  # first cycle after it
        if at >= tick:
            ticks += 1
            continue
        running = at + cycles > (600 * ticks - into - first) * f + TINY
        found.append((at, int(running)))
        at, group = at + cycles, (group + 1) % 15
        if at >= tick:
            # the old grid runs on until the 150/180-cycle interval is full; the new one starts with the first cycle after the tick
            found += [(at + k * cycles, 2) for k in range((15 - group) % 15) if at + (k + 1) * cycles <= last]
            at, group, ticks = tick, 0, ticks + 1
    found.sort(key=lambda w: (w[0], w[1] != 2))
    t = np.array([start_ns + round((first + w / f) * S) for w, _ in found], np.int64)
    t1 = np.array([start_ns + round((first + (w + cycles) / f) * S) for w, _ in found], np.int64)
    size = len(found)
    return {"t": t, "t1": t1, "kind": np.array([k for _, k in found], np.int8), "duration": np.full(size, cycles / f), "n": np.ones(size, np.int64)}


def flagged(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rows with empty flags."""
    return {**rows, **{name: np.zeros(len(rows["t"]), np.uint32) for name in ("flags", "flags_L1", "flags_L2", "flags_L3")}}


def everything(rows: dict[str, np.ndarray], seed: int, null: Callable[[str], float] = lambda name: 0.0) -> dict[str, np.ndarray]:
    """Rows with every column the table `basic` can have, at random; `null` gives the share of nulls of a column."""
    rng, n = np.random.default_rng(seed), len(rows["t"])
    result = flagged(rows)
    for c in columns("basic", extras=EXTRAS):
        if c.name in result:
            continue
        if c.dtype == "u4":
            continue
        shape = (n, LIST_LENGTH[c.dtype]) if c.dtype in LIST_LENGTH else (n,)
        low, high = (-170, 170) if c.name.startswith("phi") else (-50, 100) if c.name.startswith(("P", "Q")) else (1, 400)
        values = rng.uniform(low, high, shape).astype(np.float32 if c.dtype in LIST_LENGTH else float)
        values[rng.random(n) < null(c.name)] = np.nan
        if c.dtype in LIST_LENGTH:
            values[:, -1] = np.nan
        result[c.name] = values
    for name in ("flags", "flags_L1", "flags_L2", "flags_L3"):
        result[name] = (1 << rng.integers(0, 11, n)).astype(np.uint32) * (rng.random(n) < 0.05).astype(np.uint32)
    return result


def as_windows(rows: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Rows one by one, NaN as None."""
    result: list[dict[str, Any]] = []
    for k in range(len(rows["t"])):
        window: dict[str, Any] = {}
        for name, column in rows.items():
            value = column[k].tolist()
            if isinstance(value, list):
                value = [None if v != v else v for v in value]
                value = None if all(v is None for v in value) else value
            window[name] = None if value != value else value
        result.append(window)
    return result
