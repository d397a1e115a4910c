"""How speed is measured here: many things in turn, thread CPU time, medians, ratios.

A figure in seconds says more about the machine and its other tenants than about the program. So
everything that is compared runs in one process, one after the other, round after round; each gets
the median of its rounds; and what is reported is the ratio of two medians.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctmeter.engine import Engine
from ctmeter.recording import Channel, Recording, Segment, Wiring
from ctmeter.settings import Settings

RATE = 12_800.0
FREQUENCY = 50.02
START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
NAMES = ("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3")
VOLT, AMPERE = 0.0163, 0.001  # for a count
#: What the first limits are set for: fundamental frequency, Urms(1/2), cycles, windows, energy; no spectra.
BASIC: dict[str, Any] = {"spectra": "none"}
#: At least this many rounds make a median.
ROUNDS = 9

Case = Callable[[], object]


@dataclass
class Timing:
    """Nanoseconds of every round of one case."""

    rounds: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """Half the distance of the quartiles, over the median."""
        low, _, high = statistics.quantiles(self.rounds, n=4)
        return (high - low) / 2 / self.median


def interleaved(cases: Mapping[str, Case], rounds: int = 11, clock: Callable[[], int] = time.thread_time_ns) -> dict[str, Timing]:
    """Run every case once in each round, after one round that does not count."""
    assert rounds >= ROUNDS
    timings = {name: Timing() for name in cases}
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds + 1):
            for name, case in cases.items():
                before = clock()
                case()
                spent = clock() - before
                if number:
                    timings[name].rounds.append(spent)
    finally:
        if was_on:
            gc.enable()
    return timings


def best(case: Case, trials: int) -> int:
    """Least wall-clock ns of some trials: that of the quietest moment."""
    times = []
    for _ in range(trials):
        before = time.perf_counter_ns()
        case()
        times.append(time.perf_counter_ns() - before)
    return min(times)


def counts(seconds: float, seed: int = 1, dtype: Any = np.int16) -> np.ndarray:
    """A distorted feeder of 16-bit counts with half a count of noise, shape (n, 6), frame by frame.

    The signal is mains at 50.02 Hz with 5th and 7th harmonics of 4 and 2 % in U and 15 and 8 % in I.
    """
    n = round(seconds * RATE)
    phase = 2 * np.pi * FREQUENCY / RATE * np.arange(n)
    rng = np.random.default_rng(seed)
    raw = np.empty((n, 6), dtype)
    for k in range(3):
        u, i = phase - 2 * np.pi * k / 3, phase - 2 * np.pi * k / 3 - 0.5
        raw[:, k] = np.rint(20_000 * (np.sin(u) + 0.04 * np.sin(5 * u) + 0.02 * np.sin(7 * u)) + rng.normal(0, 0.5, n))
        raw[:, 3 + k] = np.rint(12_000 * (np.sin(i) + 0.15 * np.sin(5 * i) + 0.08 * np.sin(7 * i)) + rng.normal(0, 0.5, n))
    return raw


def channels(dtype: Any = np.int16) -> tuple[Channel, ...]:
    """The six channels of `counts`, with the limits of a 16-bit converter where the samples are integers."""
    limits = (-32768.0, 32767.0) if np.dtype(dtype).kind == "i" else None
    return tuple(Channel(n, scale=VOLT if n[0] == "U" else AMPERE, range=limits, side="primary") for n in NAMES)


class Interleaved:
    """A source of frames that lie in memory as a recorder writes them."""

    def __init__(self, raw: np.ndarray) -> None:
        self._raw = raw

    def raw(self, start: int, stop: int) -> np.ndarray:
        return self._raw[start:stop]

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.empty((stop - start, 0), np.uint8)

    def close(self) -> None:
        pass


def recording(raw: np.ndarray) -> Recording:
    """The samples as a recording."""
    return Recording(Interleaved(raw), channels(raw.dtype), (Segment(0, len(raw), RATE, START_NS),))


class Basic(Engine):
    """The basic chain: what there is without spectra has no flickermeter either."""

    def _flicker(self) -> None:
        return None


def engine(dtype: Any = np.int16, **settings: Any) -> Engine:
    """The engine of the benchmarks; with `BASIC` that of the basic chain."""
    kind = Basic if settings.get("spectra") == "none" else Engine
    return kind(Settings(nominal_frequency=50, **settings), RATE, channels(dtype), START_NS, Wiring("3P4W"))


def chain(raw: np.ndarray, block: int = 0, **settings: Any) -> dict[str, Any]:
    """The measurement of the engine, rows included: all of it, or with `BASIC` the basic chain."""
    e = engine(raw.dtype, **settings)
    block = block or len(raw)
    for start in range(0, len(raw), block):
        e.feed(raw[start : start + block])
    e.flush()
    return e.take()


def sums_only(raw: np.ndarray) -> None:
    """The leanest configuration of the core: every frame converted and in the sums of its sub-block.

    A core that was given its phases follows no frequency until it is flushed: no edges, no cycles, no
    rows. Left are the conversion to V and A, the 36 sums of every 16 frames (squares, powers, products
    between phases, fundamental) and the decimation for the tracker, which cannot be left out.
    """
    core = engine(raw.dtype, **BASIC)._core
    at = core.feed(raw)
    core.lock(FREQUENCY, [0.0] * 6)
    while at < len(raw):
        at = core.feed(raw, at)


@dataclass
class Row:
    """One line of a table of figures."""

    name: str
    ms: float
    spread: float
    ratio: float | None
    limit: float | None
    at_least: bool = False
    note: str = ""
    aim: bool = False  # a limit that is shown and does not fail

    @property
    def wanted(self) -> str:
        return "" if self.limit is None else f"{'at least' if self.at_least else 'at most'} {self.limit:g}"

    @property
    def met(self) -> bool:
        if self.limit is None or self.ratio is None:
            return True
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit


@dataclass
class Table:
    """Figures of one run, printed at its end."""

    title: str
    unit: str
    rows: list[Row] = field(default_factory=list)

    def lines(self) -> list[str]:
        width = max([len(r.name) for r in self.rows] + [len(self.title)])
        out = [f"{self.title:<{width}}  {'ms':>9}  {'+-':>5}  {self.unit}"]
        for r in self.rows:
            ratio = "" if r.ratio is None else f"{r.ratio:.3g}" if r.ratio < 1000 else f"{r.ratio:.0f}"
            limit = f"  {'aim ' if r.aim else ''}{r.wanted}: {'ok' if r.met else 'MISSED'}" if r.wanted else ""
            spread = f"{r.spread:.0%}" if r.spread else ""
            out.append(f"{r.name:<{width}}  {r.ms:9.3f}  {spread:>5}  {ratio}{limit}{'  ' + r.note if r.note else ''}".rstrip())
        return out


def load() -> str:
    """What the machine did beside, for the reader of a figure."""
    return " ".join(f"{x:.2f}" for x in os.getloadavg())


def tabulate(
    title: str,
    timings: Mapping[str, Timing],
    unit: str,
    *,
    limits: Mapping[str, float] | None = None,
    aims: Mapping[str, float] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Table:
    """Ratios of all cases to the one called `unit`. A limit fails where it is missed, an aim is shown."""
    base = timings[unit].median
    limits, aims, notes = limits or {}, aims or {}, notes or {}
    rows = [
        Row(name, t.median / 1e6, t.spread, t.median / base, limits.get(name, aims.get(name)), note=notes.get(name, ""), aim=name not in limits)
        for name, t in timings.items()
    ]
    return Table(title, f"x {unit}", rows)


def missed(tables: Sequence[Table]) -> list[str]:
    """A sentence for every limit that was not kept."""
    return [f"{t.title}: {r.name} is {r.ratio:.3g}, {r.wanted}" for t in tables for r in t.rows if not r.met and not r.aim]
