"""The chain of the engine on a recording in memory, against copying the same samples."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from benchmarks.measure import BASIC, RATE, Row, Table, best, chain, channels, engine, interleaved, recording, sums_only, tabulate
from scipy.fft import rfft

import ctmeter
from ctmeter.engine import Engine
from ctmeter.recording import Wiring

CYCLE, WINDOW, SECOND = 256, 2560, 12_800
SETTINGS = {"nominal_frequency": 50}
#: Hashing on two threads against one from which both processors are free, and seconds to wait for such moments.
QUIET, PATIENCE_S = 1.85, 25.0


def feed_all(raw: np.ndarray, block: int = SECOND, **settings) -> None:
    """What a program that streams does: feed, and let the rows pass by."""
    analyzer = ctmeter.Analyzer({**SETTINGS, **settings}, sample_rate=RATE, channels=channels(raw.dtype), start="2026-01-01T00:00:00Z")
    for start in range(0, len(raw), block):
        analyzer.feed(raw[start : start + block])
    analyzer.finish()


def test_stages(minute, report):
    """Sums only at most 6, the basic chain at most 16 times the copy; everything at most 1.5 times the FFT of its windows."""
    target = np.empty_like(minute)
    windows = np.random.default_rng(1).normal(size=(300, 6, 2048))
    timings = interleaved(
        {
            "copyto": lambda: np.copyto(target, minute),
            "sums only": lambda: sums_only(minute),
            "basic chain": lambda: chain(minute, **BASIC),
            "basic chain, cycle rows kept": lambda: chain(minute, cycle=True, **BASIC),
            "basic chain, cycle and half-cycle rows, line voltages": lambda: chain(minute, cycle=True, half_cycle=True, **BASIC),
            "whole chain": lambda: chain(minute),
            "scipy.fft.rfft, 300 x 6 x 2048": lambda: rfft(windows, workers=1),
        },
        rounds=21,
    )
    notes = {
        "sums only": "conversion, sub-block sums, decimation",
        "basic chain": "f, Urms(1/2), cycles, windows, energy",
        "whole chain": "with spectra of six channels and flicker of three",
    }
    stages = tabulate("stages, 60 s", timings, "copyto", limits={"sums only": 6, "basic chain": 16}, notes=notes)
    fft = {name: timings[name] for name in ("scipy.fft.rfft, 300 x 6 x 2048", "whole chain")}
    report(stages, tabulate("beside the FFT alone, 60 s", fft, "scipy.fft.rfft, 300 x 6 x 2048", limits={"whole chain": 1.5}))


@pytest.mark.parametrize("settings", [BASIC, {}], ids=["basic chain", "whole chain"])
@pytest.mark.benchmark(timer=time.thread_time, min_rounds=9, warmup=True)
def test_engine(benchmark, minute, settings):
    """For following one program over time: `--benchmark-autosave`, then `--benchmark-compare`."""
    benchmark(chain, minute, **settings)


def test_layouts(minute, report):
    """Another type or layout of the samples; the aim is at most 15 % more than int16 frames for the whole chain."""
    cases = {"int16 frames": minute, "int16 planar": np.asfortranarray(minute)}
    for dtype in (np.int32, np.float32, np.float64):
        name = np.dtype(dtype).name
        cases[f"{name} frames"] = minute.astype(dtype)
        cases[f"{name} planar"] = np.asfortranarray(minute.astype(dtype))
    timings = interleaved({name: lambda raw=raw: chain(raw) for name, raw in cases.items()})
    aims = {name: 1.15 for name in cases if name != "int16 frames" and not name.startswith("float64")}
    report(tabulate("layouts, whole chain, 60 s", timings, "int16 frames", aims=aims))


def test_other_columns(minute, report):
    """Channels that stand apart, in another order, or beside many others."""
    wide = np.zeros((len(minute), 16), np.int16)
    wide[:, 2:14:2] = minute
    order = [1, 0, 2, 5, 4, 3]

    def apart(raw: np.ndarray, columns: list[int]) -> None:
        used = channels()
        names = [ctmeter.Channel(f"spare {k}", unit="V") for k in range(raw.shape[1])]
        for k, column in enumerate(columns):
            names[column] = used[k]
        e = Engine(ctmeter.Settings(**SETTINGS), RATE, names, 0, Wiring("3P4W"))
        e.feed(raw)
        e.flush()
        e.take()

    shuffled = np.ascontiguousarray(minute[:, np.argsort(order)])
    timings = interleaved(
        {
            "six of six": lambda: apart(minute, list(range(6))),
            "six of six in another order": lambda: apart(shuffled, order),
            "every second of sixteen": lambda: apart(wide, list(range(2, 14, 2))),
        }
    )
    report(tabulate("columns, int16, whole chain, 60 s", timings, "six of six"))


def test_blocks(minute, report):
    """No best size of a block; the aim is that a cycle at a time keeps 0.85 of the throughput of a second at a time."""
    ten = minute[: 10 * SECOND]
    sizes = {"1 s": SECOND, "10 cycles": WINDOW, "1 cycle": CYCLE, "64 frames": 64, "16 frames": 16, "in one": len(ten)}
    timings = interleaved({name: lambda n=n: chain(ten, n) for name, n in sizes.items()}, rounds=15)
    one = ten[:SECOND]
    single = interleaved({"1 s": lambda: chain(one, SECOND), "1 frame": lambda: chain(one, 1)}, rounds=9)
    second = timings["1 s"].median
    aims = {"1 cycle": 0.85, "10 cycles": 0.95}
    rows = [Row(name, t.median / 1e6, t.spread, second / t.median, aims.get(name), True, aim=True) for name, t in timings.items()]
    each = single["1 frame"]
    rows.append(Row("1 frame (1 s of them)", each.median / 1e6, each.spread, single["1 s"].median / each.median, None))
    report(Table("blocks, whole chain, 10 s", "x the throughput of 1-s blocks", rows))


def test_on_top(minute, report, tmp_path):
    """What tables, statistics and files add; CPU time of all threads."""
    rec = recording(minute)

    def tables() -> None:
        assert ctmeter.measure(rec, **SETTINGS).tables["basic"].num_rows > 290

    timings = interleaved(
        {
            "chain": lambda: chain(minute, SECOND),
            "Analyzer, 1-s blocks": lambda: feed_all(minute),
            "Analyzer, 1-cycle blocks": lambda: feed_all(minute, CYCLE),
            "measure": lambda: ctmeter.measure(rec, **SETTINGS),
            "measure, table basic": tables,
            "measure, out=": lambda: ctmeter.measure(rec, out=tmp_path / "out", **SETTINGS),
        },
        clock=time.process_time_ns,
    )
    report(tabulate("on top of the chain, 60 s", timings, "chain"))


def streamed(raw: np.ndarray, block: int = SECOND, **settings) -> None:
    """The engine alone as a program uses it that streams: rows are taken now and then, not all at the end."""
    e = engine(raw.dtype, **settings)
    for start in range(0, len(raw), block):
        if e.feed(raw[start : start + block]) >= 256:
            e.take()
    e.flush()
    e.take()


def test_measure_long(minute, report, tmp_path):
    """Ten minutes with output: what has to be paid once carries less weight; at most 1.5 times the chain."""
    raw = np.concatenate([minute] * 10)
    rec = recording(raw)
    events = {**SETTINGS, "nominal_voltage": 230}
    cases = {
        "chain": lambda: streamed(raw),
        "measure": lambda: ctmeter.measure(rec, **SETTINGS),
        "measure, out=": lambda: ctmeter.measure(rec, out=tmp_path / "out", **SETTINGS),
        "measure, out=, events": lambda: ctmeter.measure(rec, out=tmp_path / "events", **events),
    }
    timings = interleaved(cases, rounds=9, clock=time.process_time_ns)
    # apart, since what it leaves to be freed is done in the next one's time
    rows = {"measure, out=, all rows": lambda: ctmeter.measure(rec, out=tmp_path / "rows", cycle=True, half_cycle=True, **SETTINGS)}
    timings |= interleaved(rows, rounds=9, clock=time.process_time_ns)
    report(tabulate("on top of the chain, 600 s", timings, "chain", limits={"measure, out=": 1.5}))


def in_threads(*work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(work)) as pool:
        for future in [pool.submit(w) for w in work]:
            future.result()


def digest() -> None:
    """About 10 ms of work that needs neither memory nor the interpreter."""
    hashlib.sha256(SOME_BYTES).digest()


SOME_BYTES = bytes(15_000_000)


def free_processors() -> float:
    """Throughput of hashing on two threads against one: 2 where both processors are ours."""
    alone = best(lambda: in_threads(lambda: (digest(), digest())), 2)
    return alone / best(lambda: in_threads(digest, digest), 2)


def two_for_one(work: Callable[[], object]) -> tuple[float, float, str, bool]:
    """Throughput of two threads against one, ns of both, what is to be said, and whether it may be judged."""
    trials: list[tuple[float, float]] = []
    quiet: list[tuple[float, float]] = []
    free = freest = free_processors()
    deadline = time.monotonic() + PATIENCE_S
    while not trials or (len(quiet) < 9 and time.monotonic() < deadline):
        alone = best(lambda: in_threads(lambda: (work(), work())), 1)
        both = best(lambda: in_threads(work, work), 1)
        before, free = free, free_processors()
        freest = max(freest, free)
        trials.append((alone / both, both))
        if min(before, free) > QUIET:
            quiet.append(trials[-1])
    if len(quiet) >= 3:
        return *sorted(quiet)[len(quiet) // 2], f"median of {len(quiet)} quiet trials of {len(trials)}", True
    return *max(trials), f"best of {len(trials)} trials, {len(quiet)} of them quiet; hashing gained {freest:.2f} at most", False


def test_two_threads(minute, report):
    """Two recordings on two threads in at most 1/1.7 of the time of both on one, wall clock, while both processors are free.

    Others may use the machine too. Before and after every trial hashing on two threads tells whether both processors
    were ours; the figure is the median of the trials between two such moments. Where there were fewer than three, the
    best trial is shown, with how free the machine was at most, and judges nothing.
    Short recordings gain less: where rows become columns the threads take turns, and Python may let one
    wait 5 ms for its turn.
    """
    long = np.concatenate([minute] * 10)
    rows: list[Row] = []
    for name, work, limit in (
        ("whole chain, 600 s each, 1-s blocks", lambda: chain(long, SECOND), 1.7),
        ("whole chain, 600 s each", lambda: chain(long), 1.7),
        ("whole chain, 60 s each", lambda: chain(minute), None),
    ):
        ratio, both, note, fair = two_for_one(work)
        rows.append(Row(name, both / 1e6, 0.0, ratio, limit, True, note, aim=not fair))
    report(Table("two recordings on two threads, wall", "x one thread", rows))
