"""Columns that settings add, and smoothing, on the whole way from samples to tables."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import ctmeter
import reference as ref
from ctmeter.errors import SettingsError
from ctmeter.pipeline.smoothing import Smoothing
from ctmeter.power import din40110, ieee1459
from ctmeter.quantity import EXTRAS, LINES, QUANTITIES, columns
from ctmeter.recording import Channel, Gap
from ctmeter.settings import Settings

FS = 3200.0
PHASES = ("L1", "L2", "L3")
START = "2026-03-01T23:59:46.300Z"  # 13.7 s before a tick of ten minutes and of two hours
GIVEN = {"nominal_voltage": 230.0, "nominal_frequency": 50}
ALL = {"groups": True, "power_sets": True, "smoothing": True, "spectra": "basic", "nominal_current": 10.0}
SETS = [q.name for q in QUANTITIES if q.extra == "power_sets"]


def waves(seconds: float, f: float = 50.02, fs: float = FS, wiring: str = "3P4W") -> dict[str, np.ndarray]:
    """A load whose 5th harmonic current comes and goes every 0.7 s, with a line between orders."""
    t = np.arange(round(seconds * fs)) / fs
    made: dict[str, np.ndarray] = {}
    switched = np.where(t % 1.4 < 0.7, 1.0, 0.2)
    for k, n in enumerate(PHASES):
        angle = 2 * np.pi * f * t - k * 2 * np.pi / 3 + 0.2
        made[f"U_{n}"] = 2**0.5 * ((230 + k) * np.sin(angle) + 7 * np.sin(5 * angle) + 3 * np.sin(6.3 * angle))
        made[f"I_{n}"] = 2**0.5 * (5 * np.sin(angle - np.pi / 6) + switched * np.sin(5 * angle))
    if wiring == "1P2W":
        return {n: made[n] for n in ("U_L1", "I_L1")}
    if wiring == "3P3W":
        return {"U_L12": made["U_L1"] - made["U_L2"], "U_L23": made["U_L2"] - made["U_L3"], "I_L1": made["I_L1"], "I_L3": made["I_L3"]}
    return made


def analyzer(names: Any, fs: float = FS, out: Path | None = None, **given: Any) -> ctmeter.Analyzer:
    return ctmeter.Analyzer({**GIVEN, **given}, sample_rate=fs, channels=[Channel(n) for n in names], start=START, out=out)


def measured(arrays: dict[str, np.ndarray], **given: Any) -> ctmeter.Result:
    a = analyzer(arrays, **given)
    a.feed(np.stack(list(arrays.values()), 1))
    return a.finish()


def array(table: pa.Table, name: str) -> np.ndarray:
    """A column as floats, null as NaN; lists as rows."""
    column = table.column(name).combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        return np.array([np.full(column.type.list_size, np.nan) if v is None else v for v in column.to_pylist()], float)
    return np.array(column.to_pylist(), float)


@pytest.fixture(scope="module")
def result() -> ctmeter.Result:
    return measured(waves(30.0), **ALL)


# which columns there are


def test_extras_add_columns_and_nothing_else():
    for table in ("basic", "3s", "10min", "2h", "cycle", "frequency"):
        plain = [c.name for c in columns(table)]
        for extra in EXTRAS:
            more = [c.name for c in columns(table, extras=(extra,))]
            assert [n for n in more if n in set(plain)] == plain and len(set(more)) == len(more)
        added = {c.quantity.extra for c in columns(table, extras=EXTRAS)} - {""}
        assert added == (set(EXTRAS) if table in ("basic", "3s", "10min", "2h") else set())
    assert not {c.name for c in columns("basic", False, ("groups",))} - {c.name for c in columns("basic", False)}
    assert [len([c for c in columns("3s", extras=("groups",)) if c.quantity.name == n]) for n in ("GU", "GI", "IGU", "IGI")] == [6, 3, 6, 3]


def test_units_and_sides_of_the_sets():
    fields = {f.name: f for f in ctmeter.measure(ctmeter.Recording.from_arrays(waves(1.0), sample_rate=FS), power_sets=True).tables["3s"].schema}
    wanted = {"Ue": ("V", "U"), "I1_pos": ("A", "I"), "P1_pos": ("W", "P"), "Q_sum": ("var", "P"), "SeN": ("VA", "P"), "HP": ("1", "")}
    for name, (unit, side) in wanted.items():
        assert fields[name].metadata[b"unit"].decode() == unit and (b"side" in fields[name].metadata) == bool(side)


@pytest.mark.parametrize("given", [{}, {"groups": True}, {"power_sets": True}, {"spectra": "basic"}, {"groups": True, "spectra": "basic"}])
def test_the_tables_have_their_columns(given: dict[str, Any]):
    r = measured(waves(5.0), **given)
    extras = tuple(n for n in EXTRAS if n in given)
    for table in ("basic", "3s", "10min", "2h"):
        assert r.tables[table].column_names == [c.name for c in columns(table, given.get("spectra") == "basic", extras)]
    assert ("Ue" in r.mean) == ("power_sets" in given)


def test_contradictions_and_wrong_values_are_named():
    for given, match in (
        ({"smoothing": True}, 'smoothing: .*spectra is "3s"'),
        ({"smoothing": True, "spectra": "none"}, 'smoothing: .*spectra is "none"'),
        ({"groups": True, "spectra": "none"}, 'groups: .*spectra is "none"'),
        ({"groups": 1}, "groups: 1 is not true or false"),
        ({"power_sets": "yes"}, "power_sets: 'yes' is not true or false"),
    ):
        with pytest.raises(SettingsError, match=match):
            Settings(**given)
    assert Settings(smoothing=True, spectra="basic").given() == {"smoothing": True, "spectra": "basic"}


@pytest.mark.parametrize(
    ("given", "absent"),
    [
        ({}, {"TDD": "no nominal current"}),
        ({"nominal_current": 5.0}, {}),
        ({"nominal_current": 5.0, "spectra": "none"}, {"TDD": "spectra are switched off"}),
        ({"nominal_current": 5.0, "power_sets": True}, {}),
    ],
)
def test_what_was_not_measured_is_named(given: dict[str, Any], absent: dict[str, str]):
    told = {x["what"]: x["why"] for x in measured(waves(2.0), **given).summary["not_measured"]}
    assert {k: v for k, v in told.items() if k in ("TDD", "power sets")} == absent


# values in every table


def test_a_steady_feeder_in_every_table():
    t = np.arange(25 * 12_800) / 12_800
    angles = [2 * np.pi * 60.1 * t - k * 2 * np.pi / 3 for k in range(3)]
    made = {f"U_{n}": 2**0.5 * 230 * np.sin(a) for n, a in zip(PHASES, angles, strict=True)}
    made |= {f"I_{n}": 2**0.5 * (5 * np.sin(a - 0.5) + np.sin(5 * a) + 0.5 * np.sin(6.5 * a)) for n, a in zip(PHASES, angles, strict=True)}
    r = measured(made, fs=12_800.0, nominal_frequency=60, groups=True, power_sets=True, nominal_current=4.0, spectra="basic")
    p1, q1 = 230 * 5 * np.cos(0.5), 230 * 5 * np.sin(0.5)
    # the line half way between two orders is shared by their groups
    groups = np.array([5, 1, 0.5 / 2**0.5, 0.5 / 2**0.5])
    # of the line between orders 0.5 (1 + exp(-60 deg) + exp(-120 deg)) flows in the neutral: 1 A
    i = np.sqrt(3 * 26.25 + 1)
    wanted = {"P1_L2": p1, "Q1_L2": q1, "S1_L2": 1150, "P1": 3 * p1, "Q1": 3 * q1, "S1": 3450, "DPF": np.cos(0.5), "K_I_L3": 50 / 26}
    wanted |= {"TDD_I_L1": 25, "Ue": 230, "Ie1": 5, "P1_pos": 3 * p1, "DeI": 3 * 230 * np.sqrt(1.25 + 1 / 3)}
    wanted |= {"U_sum": 230 * np.sqrt(3), "I_sum": i, "PF_sum": 3 * p1 / (230 * np.sqrt(3) * i)}
    for table in ("basic", "3s", "10min", "2h"):
        rows = slice(1, -1) if table == "basic" else slice(None)
        for name, value in wanted.items():
            assert array(r.tables[table], name)[rows] == pytest.approx(value, rel=2e-4), (table, name)
        assert array(r.tables[table], "GI_L1")[rows][:, [1, 5, 6, 7]] - groups == pytest.approx(0, abs=1e-4)
        assert array(r.tables[table], "IGI_L1")[rows][:, 6] == pytest.approx(0.5, rel=1e-3)
    for name, value in wanted.items():
        assert r.mean[name] == pytest.approx(value, rel=2e-4), name
    assert r.mean["DPF_L1"] == pytest.approx(np.cos(0.5), rel=1e-5)


def test_three_wires_and_one_phase(result: ctmeter.Result):
    three, one = (measured(waves(20.0, wiring=w), **{**ALL, "wiring": w, "nominal_voltage": 400.0}) for w in ("3P3W", "1P2W"))
    for table in ("basic", "3s", "10min", "2h"):
        rows = three.tables[table]
        for name in ("P1", "Q1", "S1"):
            assert np.isfinite(array(rows, name)).all() and all(rows.column(f"{name}_{p}").null_count == rows.num_rows for p in PHASES)
        assert {n for n in SETS if rows.column(n).null_count} == {"S_arithmetic"}
        assert np.isfinite(array(rows, "GU_L31")[:, 1]).all() and rows.column("GU_L1").null_count == rows.num_rows
        assert np.isfinite(array(rows, "K_I_L2")).all()
        single = one.tables[table]
        assert all(single.column(n).null_count == single.num_rows for n in SETS)
        assert np.isfinite(array(single, "P1")).all() and array(single, "P1") == pytest.approx(array(single, "P1_L1"))
    assert {"what": "power sets", "why": "they need windows of three voltages and three currents"} in one.summary["not_measured"]
    assert three.mean["P1"] == pytest.approx(result.mean["P1"], rel=1e-3) and three.mean["DPF"] == pytest.approx(result.mean["DPF"], rel=1e-3)
    assert three.mean["S_arithmetic"] is None and one.mean["Ue"] is None


def test_sets_of_every_row_are_of_its_columns(result: ctmeter.Result):
    """Those of windows, of which the others are aggregates."""
    rows = {c.name: array(result.tables["basic"], c.name) for c in columns("basic") if c.dtype == "f8"}
    for name, values in (ieee1459(rows) | din40110(rows)).items():
        assert array(result.tables["basic"], name) == pytest.approx(values, rel=1e-12), name


def switched(seconds: float) -> dict[str, np.ndarray]:
    """Balanced sines of 50 Hz, 230 V, in phase, the load of 20 A in one second and 2 A in the next."""
    t = np.arange(round(seconds * FS)) / FS
    size = np.where(t % 2 < 1, 20.0, 2.0)
    made = {}
    for k, n in enumerate(PHASES):
        wave = 2**0.5 * np.sin(2 * np.pi * 50 * t - k * 2 * np.pi / 3)
        made |= {f"U_{n}": 230 * wave, f"I_{n}": size * wave}
    return made


def test_a_load_that_varies_is_no_distortion():
    """Windows of 20 A and of 2 A; some of those on an edge have a sample of the other load in them."""
    a = ctmeter.Analyzer({**GIVEN, "power_sets": True}, sample_rate=FS, channels=[Channel(n) for n in switched(0.1)], start="2026-03-02T00:00:00Z")
    a.feed(np.stack(list(switched(24.0).values()), 1))
    r = a.finish()
    basic = {n: array(r.tables["basic"], n) for n in ("SeN", "HP", "I_L1", "I_L2", "I_L3")}
    pure = np.all([np.minimum(np.abs(basic[f"I_{n}"] - 20), np.abs(basic[f"I_{n}"] - 2)) < 1e-3 for n in PHASES], axis=0)
    assert pure.mean() > 0.5 and basic["SeN"][pure].max() < 0.5 and basic["HP"][pure].max() < 1e-3
    mean = basic["SeN"].mean()
    for table in ("3s", "10min", "2h"):
        rows = r.tables[table]
        assert array(rows, "HP") == pytest.approx(array(rows, "SeN") / array(rows, "Se1"), rel=1e-12) and array(rows, "HP").max() < 0.05
        assert array(rows, "PF_sum") == pytest.approx(array(rows, "P") / array(rows, "S_sum"), rel=1e-12)
        assert array(rows, "PF_sum") == pytest.approx(1, abs=2e-3)
    for name, truth in (("Se", 3 * 230 * 11), ("S_sum", 3 * 230 * 11), ("Ie", 202**0.5), ("P1_pos", 3 * 230 * 11), ("SeN", mean)):
        assert r.mean[name] == pytest.approx(truth, rel=0.01), name
        assert array(r.tables["10min"], name) == pytest.approx(truth, rel=0.01), name


def test_a_current_that_comes_and_goes_has_its_complex_mean():
    """5 A for a second in three; nothing at all else, which has no angle, but counts."""
    t = np.arange(round(15 * FS)) / FS
    made = {"U_L1": 325 * np.sin(2 * np.pi * 50 * t), "I_L1": 50**0.5 * np.sin(2 * np.pi * 50 * t - 0.5) * (t % 3 < 1)}
    # no tick, at which windows of two grids would overlap
    r = ctmeter.measure(ctmeter.Recording.from_arrays(made, sample_rate=FS), GIVEN)
    assert np.isnan(array(r.tables["basic"], "phi_I_L1")).mean() > 0.5
    # five seconds of load in what the windows cover
    truth = 5 * 5 / array(r.tables["basic"], "duration").sum()
    assert r.mean["I1_L1"] == pytest.approx(truth, rel=1e-3) and r.mean["phi_I_L1"] == pytest.approx(-np.degrees(0.5), abs=0.1)
    weight = array(r.tables["3s"], "duration")
    assert 14.7 < weight.sum() < 15.01
    assert (array(r.tables["3s"], "I1_L1") * weight).sum() / weight.sum() == pytest.approx(truth, rel=1e-3)


@pytest.mark.parametrize("error", [1.01, 0.97])
def test_a_transformer_of_the_neutral_with_an_error_makes_no_harmonics(error: float):
    """Phase currents of 20, 2 and 2 A; the neutral's channel reads too much or too little of their sum, 18 A."""
    t = np.arange(round(4 * FS)) / FS
    waves = [2**0.5 * np.sin(2 * np.pi * 50 * t - k * 2 * np.pi / 3) for k in range(3)]
    made = {f"U_{n}": 230 * w for n, w in zip(PHASES, waves, strict=True)}
    made |= {f"I_{n}": size * w for n, size, w in zip(PHASES, (20, 2, 2), waves, strict=True)}
    plain = measured(made, power_sets=True)
    assert plain.mean["I1_N"] == pytest.approx(18, rel=1e-6)
    made["I_N"] = error * sum(made[f"I_{n}"] for n in PHASES)
    r = measured(made, power_sets=True)
    for table in ("basic", "3s", "10min"):
        assert array(r.tables[table], "I1_N") == pytest.approx(18 * error, rel=1e-5)
        assert array(r.tables[table], "HP") == pytest.approx(0, abs=1e-3)
        assert array(r.tables[table], "Ie1") == pytest.approx(np.sqrt((408 + (18 * error) ** 2) / 3), rel=1e-5)


def test_aggregates_by_hand(result: ctmeter.Result):
    """Ten minutes of the windows that started inside: means by duration, root mean squares of each window once."""
    basic, ten = result.tables["basic"], result.tables["10min"]
    t = basic.column("t").cast(pa.int64()).to_numpy()
    tick = np.datetime64("2026-03-02T00:00:00", "ns").astype(np.int64)
    plain = measured(waves(30.0), groups=True, spectra="basic", nominal_current=10.0).tables["basic"]
    for k, mine in enumerate((t < tick, t >= tick)):
        weight = array(basic, "duration")[mine]
        for name in ("P1", "Q1_L2", "S1"):
            assert array(ten, name)[k] == pytest.approx((array(basic, name)[mine] * weight).sum() / weight.sum(), rel=1e-12)
        for name in ("K_I_L1", "TDD_I_L3"):
            assert array(ten, name)[k] == pytest.approx(np.sqrt((array(basic, name)[mine] ** 2).mean()), rel=1e-12)
        for name in ("GI_L1", "IGU_L2", "HI_L1"):
            # of values that are not smoothed
            assert array(ten, name)[k] == pytest.approx(np.sqrt((array(plain, name)[mine] ** 2).mean(0)), rel=1e-6, nan_ok=True)


# smoothing


def followed(values: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """The reference's low pass of each column."""
    plain = [[None if np.isnan(v) else v for v in column] for column in values.T.tolist()]
    columns = [ref.low_pass(column, seconds.tolist()) for column in plain]
    return np.array([[np.nan if v is None else v for v in column] for column in columns]).T


def test_smoothing_is_that_of_the_reference(result: ctmeter.Result):
    """On over the tick of ten minutes; nothing but the lists of `basic` changes."""
    given = {k: v for k, v in ALL.items() if k != "smoothing"}
    plain = measured(waves(30.0), **given)
    seconds = array(plain.tables["basic"], "duration")
    for c in columns("basic", True, EXTRAS):
        before, after = plain.tables["basic"].column(c.name), result.tables["basic"].column(c.name)
        if not c.dtype.endswith("orders"):
            assert after.equals(before), c.name
        elif c.phase in PHASES:
            truth = followed(array(plain.tables["basic"], c.name), seconds)
            assert array(result.tables["basic"], c.name) == pytest.approx(truth, rel=2e-6, abs=1e-9, nan_ok=True), c.name
    fifth = array(result.tables["basic"], "HI_L1")[:, 5]
    assert np.abs(np.diff(fifth)).max() < 0.15 * 0.8 < np.abs(np.diff(array(plain.tables["basic"], "HI_L1")[:, 5])).max()
    for table in ("3s", "10min", "2h", "frequency"):
        assert result.tables[table].equals(plain.tables[table])


@pytest.mark.parametrize("kept", ["gap", "null"])
def test_smoothing_starts_anew(kept: str):
    """After a gap, and after a value that is null, in its own channel."""
    arrays = waves(8.0)
    a, b = round(3.0 * FS), round(3.35 * FS)
    block = np.stack(list(arrays.values()), 1)
    if kept == "null":
        block[a:b, list(arrays).index("I_L1")] = np.nan
    results = []
    for smoothing in (True, False):
        made = analyzer(arrays, spectra="basic", smoothing=smoothing)
        for item in [block] if kept == "null" else [block[:a], Gap(samples=b - a), block[b:]]:
            made.feed(item)
        results.append(made.finish().tables["basic"])
    smooth, plain = results
    t, seconds = plain.column("t").cast(pa.int64()).to_numpy(), array(plain, "duration")
    ends = t + np.rint(seconds * 1e9).astype(np.int64)
    broken = [k + 1 for k, (end, start) in enumerate(pairwise(zip(ends, t, strict=True))) if start[1] - end[0] > 10_000]
    assert len(broken) == (kept == "gap")
    for name in ("HI_L1", "HI_L2", "IHU_L3"):
        rows = array(plain, name)
        assert np.isnan(rows[:, 1]).any() == (kept == "null" and name == "HI_L1")
        truth = np.concatenate([followed(part, s) for part, s in zip(np.split(rows, broken), np.split(seconds, broken), strict=True)])
        assert array(smooth, name) == pytest.approx(truth, rel=2e-6, abs=1e-9, nan_ok=True)


def test_windows_that_do_not_stand_in_the_table_are_not_smoothed():
    """One by one or together; a window on the old grid after the tick passes by; a missing second begins anew."""
    n = 40
    rng = np.random.default_rng(1)
    kind = np.zeros(n, np.int8)
    kind[[11, 13]] = 2
    t = np.arange(n, dtype=np.int64) * 200_000_000
    t[25:] += 1_000_000_000
    rows = {"t": t, "t1": t + 200_000_000, "kind": kind, "duration": np.full(n, 0.2), "U_L1": rng.random(n)}
    rows["HU_L1"] = rng.random((n, 51)).astype(np.float32)
    # the windows before and after one of the old grid follow one another
    order = np.flatnonzero(kind < 2)
    starts = np.cumsum(np.r_[0, np.where(np.diff(order) > 0, 200_000_000, 0)])[: len(order)]
    rows["t"][order] = starts + np.where(order >= 25, 1_000_000_000, 0)
    rows["t1"][order] = rows["t"][order] + 200_000_000
    whole = Smoothing().feed(rows)
    one, parts = Smoothing(), []
    for k in range(n):
        parts.append(one.feed({name: v[k : k + 1] for name, v in rows.items()}))
        again = Smoothing()
        again.resume(one.state())
        one = again
    assert np.concatenate([p["HU_L1"] for p in parts]).tobytes() == whole["HU_L1"].tobytes() and whole["HU_L1"].dtype == np.float32
    assert np.array_equal(whole["HU_L1"][kind == 2], rows["HU_L1"][kind == 2]) and whole["U_L1"] is rows["U_L1"]
    cut = int((order < 25).sum())
    values = np.split(rows["HU_L1"][order].astype(float), [cut])
    truth = np.concatenate([followed(v, np.full(len(v), 0.2)) for v in values])
    assert whole["HU_L1"][order] == pytest.approx(truth, rel=1e-6)
    untouched = {k: v for k, v in rows.items() if k != "HU_L1"}
    assert Smoothing().feed(untouched) is untouched


# any split


@pytest.mark.parametrize("wiring", ["3P4W", "3P3W", "1P2W"])
@pytest.mark.parametrize("given", [ALL, {"groups": True}, {"power_sets": True, "voltages": "line"}, {"smoothing": True, "spectra": "basic"}])
def test_any_split_and_snapshots_give_the_same(wiring: str, given: dict[str, Any], result: ctmeter.Result, tmp_path: Path):
    if wiring == "1P2W":
        given = {k: v for k, v in given.items() if k != "voltages"}
    arrays = waves(30.0, wiring=wiring)
    settings = {**given, "wiring": wiring}
    block = np.stack(list(arrays.values()), 1)
    parts = [block[:61_000], Gap(samples=4000), block[61_000:]]
    whole = analyzer(arrays, **settings)
    for part in parts:
        whole.feed(part)
    expected = whole.finish()
    a, rng = analyzer(arrays, out=tmp_path / "out", **settings), np.random.default_rng(3)
    for part in parts:
        if isinstance(part, Gap):
            a.feed(part)
            continue
        cuts = np.sort(rng.choice(len(part), 12, replace=False))
        for k, piece in enumerate(np.split(part, cuts)):
            a.feed(piece)
            if k % 3 == 1:
                a = ctmeter.Analyzer.restore(a.snapshot())
    got = a.finish()
    assert got.summary == expected.summary and list(got.tables) == list(expected.tables)
    for table in expected.tables:
        assert got.tables[table].equals(expected.tables[table]), table
    loaded = ctmeter.load(tmp_path / "out")
    assert loaded.tables["basic"].equals(expected.tables["basic"]) and loaded.settings == expected.settings


def test_rows_that_feed_returns_are_those_of_the_table():
    arrays = waves(8.0)
    block = np.stack(list(arrays.values()), 1)
    a, fed = analyzer(arrays, **ALL), []
    for k in range(0, len(block), 1000):
        fed.append(a.feed(block[k : k + 1000])["basic"])
    table = a.finish().tables["basic"]
    rows = pa.Table.from_batches(fed)
    assert rows.num_rows >= table.num_rows - 3 and rows.equals(table.slice(0, rows.num_rows))
    assert set(LINES) & {c[3:] for c in table.column_names if c.startswith("GU_")} == set(LINES)
