"""Results do not depend on how the samples come: cuts, snapshots, types, layouts. To the last bit."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.signals import CURRENTS, VOLTAGES, Run, engine_for, feeder, finish, measure_parts, steady
from ctmeter.engine import Engine
from ctmeter.recording import Channel, Gap

FS = 3.2e3
NAMES = VOLTAGES + CURRENTS
GIVEN: dict[str, Any] = {
    "cycle": True, "half_cycle": True, "reactive": "quarter-shift", "groups": True, "power_sets": True, "nominal_current": 10.0,
}  # fmt: skip
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

Part = np.ndarray | Gap


@cache
def recording(kind: str) -> tuple[Part, ...]:
    """A second of an uneven feeder, clean or with NaN, infinity and gaps."""
    raw = np.stack(list(steady(feeder(5, orders=range(2, 12)), 49.37, FS, 1.0).values()), 1)
    raw[1400:1700, 0] *= 0.3
    if kind == "clean":
        return (raw,)
    raw[700:705, 1] = np.nan
    raw[2111, 4], raw[2112, 5] = np.inf, -np.inf
    raw[:3, 2] = np.nan
    raw[-1, 3] = np.nan
    if kind == "faulty":
        return (raw,)
    return raw[:333], Gap(samples=5), raw[333:340], Gap(samples=1), raw[340:1900], Gap(samples=777), raw[1900:]


def content(run: Run) -> dict[str, Any]:
    """All that was measured, as bytes. Values of Urms(1/2) in the order of time and channel."""
    tables: dict[str, Any] = {}
    for name, columns in run.tables.items():
        order = np.lexsort((columns["channel"], columns["t"])) if name == "half_cycle" else slice(None)
        tables[name] = {c: (v.dtype.str, v[order].tobytes()) for c, v in columns.items()}
    return {"tables": tables, "energy": run.energy, "quality": run.quality}


@cache
def whole(kind: str) -> dict[str, Any]:
    result = content(measure_parts(NAMES, FS, recording(kind), **GIVEN))
    assert set(result["tables"]) >= {"basic", "cycle", "half_cycle"} and any(result["energy"].values())
    return result


def joined(taken: list[dict[str, dict[str, np.ndarray]]], engine: Engine) -> Run:
    names = {n for tables in taken for n in tables}
    tables = {n: {c: np.concatenate([t[n][c] for t in taken if n in t]) for c in next(t[n] for t in taken if n in t)} for n in names}
    return Run(tables, engine.energy, engine.quality)


def cut(parts: tuple[Part, ...], places: list[int]) -> list[Part]:
    """The parts cut at these samples, counted through all of them."""
    result: list[Part] = []
    before = 0
    for part in parts:
        if isinstance(part, Gap):
            result.append(part)
            continue
        inside = sorted(p - before for p in places if before < p < before + len(part))
        result += np.split(part, inside)
        before += len(part)
    return result


PLACES = st.lists(st.integers(1, 3199), max_size=12) | st.builds(lambda n, at: list(range(at, 3200, n)), st.integers(1, 300), st.integers(1, 64))


@pytest.mark.parametrize("kind", ["clean", "faulty", "gaps"])
@given(places=PLACES, take=st.booleans())
@example(places=list(range(1, 3200)), take=True)
@few
def test_cuts_leave_no_trace(kind: str, places: list[int], take: bool):
    engine = engine_for(NAMES, FS, **GIVEN)
    taken = []
    for part in cut(recording(kind), places):
        rows = engine.feed(part)
        if take and rows:
            taken.append(engine.take())
    engine.flush()
    taken.append(engine.take())
    assert content(joined(taken, engine)) == whole(kind)


@pytest.mark.parametrize("kind", ["clean", "faulty", "gaps"])
@given(places=st.lists(st.integers(1, 3199), max_size=6), take=st.booleans())
@few
def test_snapshots_leave_no_trace(kind: str, places: list[int], take: bool):
    """After every part the engine is thrown away, and one that is restored from its snapshot goes on."""
    engine = engine_for(NAMES, FS, **GIVEN)
    taken = []
    for part in cut(recording(kind), places):
        engine.feed(part)
        if take:
            taken.append(engine.take())
        state = engine.snapshot()
        engine = Engine.restore(state)
        assert engine.snapshot() == state
    engine.flush()
    engine = Engine.restore(engine.snapshot())
    taken.append(engine.take())
    assert content(joined(taken, engine)) == whole(kind)


def test_an_engine_goes_on_after_its_snapshot_as_if_there_were_none():
    engine = engine_for(NAMES, FS, **GIVEN)
    raw = recording("clean")[0]
    engine.feed(raw[:1500])
    copies = [Engine.restore(engine.snapshot()) for _ in range(2)]
    copies[0].feed(raw[:900] * 3)
    for e in (engine, copies[1]):
        e.feed(raw[1500:])
    assert content(finish(engine)) == content(finish(copies[1])) == whole("clean")


@given(gaps=st.lists(st.tuples(st.integers(0, 3200), st.integers(1, 5000)), max_size=5))
@few
def test_every_sample_is_integrated_or_excluded(gaps: list[tuple[int, int]]):
    raw = recording("faulty")[0]
    parts: list[Part] = []
    before = 0
    for at, length in sorted(gaps):
        parts += [raw[before:at], Gap(samples=length)]
        before = at
    parts.append(raw[before:])
    quality = measure_parts(NAMES, FS, [p for p in parts if isinstance(p, Gap) or len(p)]).quality
    lost = sum(length for _, length in gaps)
    assert quality["samples"] == quality["integrated"] == len(raw) and quality["excluded"].get("gap", 0) == lost
    assert quality["not_finite"] == {"U_L2": 5, "U_L3": 3, "I_L1": 1, "I_L2": 1, "I_L3": 1}


SCALED = [Channel(n, scale=0.011 if n[0] == "U" else 0.0003, offset=0.002) for n in NAMES]


@cache
def counts() -> np.ndarray:
    """Values that every raw type holds exactly."""
    made = np.stack(list(steady(feeder(6), 50.21, FS, 0.7).values()), 1)
    return np.rint(made / [c.scale for c in SCALED]).clip(-32768, 32767)


@cache
def of_counts() -> dict[str, Any]:
    return content(measure_parts(SCALED, FS, [counts()], **GIVEN))


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_raw_types_give_the_same_numbers(kind: type, order: str):
    raw = counts().astype(kind, order=order)
    assert np.array_equal(raw, counts())
    assert content(measure_parts(SCALED, FS, [raw], **GIVEN)) == of_counts()


def layouts(raw: np.ndarray) -> dict[str, np.ndarray]:
    """The same frames, in memory in other ways."""
    n, k = raw.shape
    wide = np.full((n, k + 5), 99, raw.dtype)
    wide[:, 3 : 3 + k] = raw
    thin = np.full((2 * n, k), 99, raw.dtype)
    thin[::2] = raw
    apart = np.full((n, 2 * k), 99, raw.dtype)
    apart[:, ::2] = raw
    record = np.zeros(n, np.dtype([("number", "<u4"), ("stamp", "<u4"), ("pad", "i1"), ("values", raw.dtype, (k,)), ("status", "<u2")]))
    record["values"] = raw
    return {
        "wide": wide[:, 3 : 3 + k],
        "every other frame": thin[::2],
        "every other column": apart[:, ::2],
        "frames backwards": np.ascontiguousarray(raw[::-1])[::-1],
        "columns backwards": np.ascontiguousarray(raw[:, ::-1])[:, ::-1],
        "planar": np.ascontiguousarray(raw.T).T,
        "packed record": record["values"],
    }


@pytest.mark.parametrize("layout", list(layouts(np.zeros((2, 2)))))
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_layouts_give_the_same_numbers(kind: type, layout: str):
    block = layouts(counts().astype(kind))[layout]
    assert content(measure_parts(SCALED, FS, np.split(block, [1, 2, 700, 703]), **GIVEN)) == of_counts()


@given(order=st.permutations(range(6)), spare=st.integers(0, 4), kind=st.sampled_from([np.int16, np.int32, np.float32, np.float64]))
@few
def test_columns_in_any_order(order: list[int], spare: int, kind: type):
    """Beside columns of other things, also farther apart than a vector register."""
    channels: list[Channel] = []
    columns = []
    for k in order:
        for _ in range(spare):
            channels.append(Channel(f"status {len(channels)}"))
            columns.append(np.full(len(counts()), 77))
        channels.append(SCALED[k])
        columns.append(counts()[:, k])
    assert content(measure_parts(channels, FS, [np.stack(columns, 1).astype(kind)], **GIVEN)) == of_counts()


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_mapped_files(tmp_path: Path, kind: type):
    """Records as in a COMTRADE file: number, stamp, values, status; the map is of the file's last byte exactly."""
    packed = np.dtype([("number", "<u4"), ("stamp", "<u4"), ("values", kind, (6,))])
    record = np.zeros(len(counts()), packed)
    record["values"] = counts()
    record.tofile(tmp_path / "x.dat")
    mapped = np.memmap(tmp_path / "x.dat", packed, "r")
    assert not mapped["values"].flags.writeable
    assert content(measure_parts(SCALED, FS, [mapped["values"]], **GIVEN)) == of_counts()


def test_blocks_of_nothing_are_nothing():
    parts = [recording("clean")[0][:0], recording("clean")[0], recording("clean")[0][:0]]
    assert content(measure_parts(NAMES, FS, parts, **GIVEN)) == whole("clean")


def test_blocks_are_only_read():
    raw = recording("faulty")[0]
    before = raw.tobytes()
    raw.flags.writeable = False
    whole.cache_clear()
    assert whole("faulty") and raw.tobytes() == before


SKEWED = [Channel(n, skew=d / FS) for n, d in zip(NAMES, (0.3, 0.0, -1.7, 12.2, 5.0, -20.5), strict=True)]


@cache
def of_skewed(kind: str) -> dict[str, Any]:
    return content(measure_parts(SKEWED, FS, recording(kind), **GIVEN))


@pytest.mark.parametrize("kind", ["clean", "faulty"])
@given(places=PLACES, restore=st.booleans())
@few
def test_cuts_of_skewed_channels_leave_no_trace(kind: str, places: list[int], restore: bool):
    engine = engine_for(SKEWED, FS, **GIVEN)
    for part in cut(recording(kind), places[:20]):
        engine.feed(part)
        if restore:
            engine = Engine.restore(engine.snapshot())
    assert content(finish(engine)) == of_skewed(kind)
