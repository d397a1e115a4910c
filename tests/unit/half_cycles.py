"""Helpers for tests of events: rows of Urms(1/2) made by hand, and the exact values of a disturbed sine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ctmeter.events import Detector
from ctmeter.events.columns import concatenate
from ctmeter.measurements import LABELS
from ctmeter.recording import Wiring
from ctmeter.settings import Settings

HALF = 10_000_000  # ns
START = 1_772_409_600_000_000_000  # 2026-03-02
UN = 230.0


def half_rows(values, start=START, half=HALF, offset=HALF // 3, flags=None):
    """Rows of several voltages: `values` is {"L1": [V, ...]}, one for each half cycle; each voltage starts `offset` after the one before."""
    parts = []
    for k, (phase, column) in enumerate(values.items()):
        n = len(column)
        marks = np.zeros(n, np.uint32) if flags is None or phase not in flags else np.asarray(flags[phase], np.uint32)
        t = start + k * offset + half * np.arange(n, dtype=np.int64)
        parts.append({"t": t, "channel": np.full(n, LABELS.index(f"U_{phase}"), np.int8), "U": np.asarray(column, float), "flags": marks})
    rows = concatenate(parts)
    order = np.argsort(rows["t"], kind="stable")
    return {name: column[order] for name, column in rows.items()}


def windows(count, start=START, length=20 * HALF, **columns):
    """Windows of 10 cycles."""
    t = start + length * np.arange(count, dtype=np.int64)
    flags = {name: np.zeros(count, np.uint32) for name in ("flags", "flags_L1", "flags_L2", "flags_L3")}
    return {"t": t, "t1": t + length, "duration": np.full(count, length * 1e-9), "kind": np.zeros(count, np.int8), **flags, **columns}


def detector(wiring="3P4W", phases=None, nominal=50.0, **given):
    settings = Settings(nominal_voltage=UN, nominal_frequency=nominal, wiring=wiring, **{"rvc": None, **given})
    return Detector(settings, nominal, Wiring(wiring), phases)


def found(half, basic=None, detect=None, pieces=1, snapshots=False, **given):
    """Events, and the windows flagged; the rows fed in so many pieces of time."""
    detect, basic = detect or detector(**given), basic or {}
    events, out = [], []
    cuts = np.linspace(half["t"][0], half["t"][-1] + 1, pieces + 1)
    done = -np.inf
    for cut in cuts[1:]:
        mine = (half["t"] >= done) & (half["t"] < cut)
        # windows come once a later value has
        theirs = (basic["t1"] >= done) & (basic["t1"] < cut) if basic else np.zeros(0, bool)
        new, ready = detect.feed({n: v[mine] for n, v in half.items()}, {n: v[theirs] for n, v in basic.items()})
        events += new
        out.append(ready)
        done = cut
        if snapshots:
            state = detect.snapshot()
            detect = detector(**given)
            detect.restore(state)
    left = basic["t1"] >= done if basic else np.zeros(0, bool)
    new, ready = detect.feed({}, {n: v[left] for n, v in basic.items()})
    events, out = events + new, [*out, ready]
    new, ready = detect.flush()
    return sorted(events + new, key=lambda e: (e["t"], e["type"])), concatenate([*out, ready])


@dataclass
class Dipped:
    """A sine that has `share` of its size from `first` to `last`, s."""

    rms: float
    f: float
    phase: float
    first: float
    last: float
    share: float

    def _square(self, t):
        """Integral of the undisturbed sine's square up to t, of a peak of 1."""
        return t / 2 - math.sin(2 * (2 * math.pi * self.f * t + self.phase)) / (8 * math.pi * self.f)

    def values(self, seconds):
        """Start of each one-cycle window of the undisturbed grid and the exact rms over it."""
        first = math.ceil(self.phase / math.pi - 1e-9)
        out = []
        k = first
        while True:
            start = (k * math.pi - self.phase) / (2 * math.pi * self.f)
            stop = start + 1 / self.f
            if stop > seconds:
                return out
            a, b = min(max(self.first, start), stop), min(max(self.last, start), stop)
            inside = self._square(b) - self._square(a)
            whole = self._square(stop) - self._square(start)
            square = whole - inside * (1 - self.share**2)
            out.append((start, self.rms * math.sqrt(max(2 * self.f * square, 0.0))))
            k += 1


def expected_dip(sines, seconds, nominal=UN, dip=0.9, end=0.92):
    """Start, end and residual of the one dip of a set of sines; None where a value is too near to a threshold."""
    rows = sorted((t, k, u / nominal) for k, s in enumerate(sines) for t, u in s.values(seconds))
    below, start, stop, residual = set(), None, None, math.inf
    for t, k, u in rows:
        if min(abs(u - dip), abs(u - end)) < 0.0005:
            return None
        if u < dip:
            below.add(k)
            start = t if start is None else start
        elif u >= end and k in below:
            below.discard(k)
            stop = None if below else t
        if start is not None and below:
            residual = min(residual, u)
    return start, stop, residual * nominal
