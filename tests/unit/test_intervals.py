"""Longer intervals on the whole way from samples to tables."""

import numpy as np
import pyarrow as pa
import pytest

import ctmeter
from ctmeter.quantity import Flag, columns
from ctmeter.recording import Channel, Gap

FS = 3200.0
NAMES = ("U_L1", "I_L1")
GIVEN = {"wiring": "1P2W", "nominal_voltage": 230.0, "nominal_frequency": 50}
#: Seconds before a tick of ten minutes, on which two hours begin too.
BEFORE = 13.7
START = "2026-03-01T23:59:46.300Z"


def samples(seconds: float, f: float = 50.02, u: float = 230.0) -> np.ndarray:
    t = np.arange(round(seconds * FS)) / FS
    x = np.sin(2 * np.pi * f * t + 0.3)
    return np.stack([u * 2**0.5 * x + 5 * np.sin(6 * np.pi * f * t), 2 * 2**0.5 * x], 1)


def analyzer(start: str | None = START, **given) -> ctmeter.Analyzer:
    return ctmeter.Analyzer({**GIVEN, **given}, sample_rate=FS, channels=[Channel(n) for n in NAMES], start=start)


def column(table: pa.Table, name: str) -> list:
    return table.column(name).to_pylist()


def ns(table: pa.Table) -> np.ndarray:
    return table.column("t").cast(pa.int64()).to_numpy()


@pytest.fixture(scope="module")
def result() -> ctmeter.Result:
    a = analyzer()
    a.feed(samples(30.0))
    return a.finish()


def test_the_tables_have_their_columns(result: ctmeter.Result):
    for table in ("3s", "10min", "2h"):
        assert result.tables[table].column_names == [c.name for c in columns(table)]


def test_values_of_a_steady_signal(result: ctmeter.Result):
    u = (230**2 + 12.5) ** 0.5
    for table in ("3s", "10min", "2h"):
        t = result.tables[table]
        assert column(t, "U_L1") == pytest.approx([u] * t.num_rows, rel=1e-6) and column(t, "f") == pytest.approx([50.02] * t.num_rows, abs=1e-4)
        assert column(t, "P_L1") == pytest.approx([460] * t.num_rows, rel=1e-6)
        assert column(t, "THD_U_L1") == pytest.approx([100 * 12.5**0.5 / 230] * t.num_rows, rel=1e-3)
        assert column(t, "HU_L1")[0][3] == pytest.approx(12.5**0.5, rel=1e-3)
        assert column(t, "U_L2") == [None] * t.num_rows
    assert column(result.tables["10min"], "over_L1") == pytest.approx([(u / 230 - 1) * 100] * 2, rel=1e-3)


def test_counts_around_the_tick(result: ctmeter.Result):
    """Windows of the old grid that only complete 150 cycles stand in no other table."""
    basic, three, ten = (result.tables[t] for t in ("basic", "3s", "10min"))
    tick = np.datetime64("2026-03-02T00:00:00", "ns").astype(np.int64)
    t = ns(basic)
    overlaps = np.flatnonzero(t[1:] - t[:-1] < 0.19e9)
    assert len(overlaps) == 1 and t[overlaps[0]] < tick <= t[overlaps[0] + 1]
    assert column(ten, "n") == [int((t < tick).sum()), int((t >= tick).sum())]
    assert sum(column(result.tables["2h"], "n")) == basic.num_rows and result.tables["2h"].num_rows == 2
    short = [n for n in column(three, "n") if n != 15]
    assert len(short) <= 1 and ns(three)[5] == t[t >= tick][0]
    flags = column(three, "flags")
    assert not any(flag & Flag.INCOMPLETE for flag, n in zip(flags, column(three, "n"), strict=True) if n == 15)
    assert all(flag & Flag.INCOMPLETE and not flag & Flag.GAP for flag in column(ten, "flags"))


@pytest.mark.parametrize("given", [{}, {"nominal_voltage": None}, {"spectra": "basic"}, {"spectra": "none"}])
def test_written_restored_and_kept_in_memory_are_the_same(given: dict, tmp_path):
    frames = samples(20.0)
    whole = analyzer(**given)
    whole.feed(frames)
    expected = whole.finish()
    out = ctmeter.Analyzer({**GIVEN, **given}, sample_rate=FS, channels=[Channel(n) for n in NAMES], start=START, out=tmp_path / "out")
    for k in range(0, len(frames), 3331):
        out.feed(frames[k : k + 3331])
        if k % 5 == 0:
            out = ctmeter.Analyzer.restore(out.snapshot())
    written = out.finish()
    for table in ("3s", "10min", "2h", "basic"):
        assert written.tables[table].equals(expected.tables[table]) and expected.tables[table].num_rows
    assert (expected.tables["3s"].column("HU_L1").null_count == 0) == (given.get("spectra") != "none")


def test_rows_come_out_with_the_block_that_completes_them():
    a = analyzer()
    frames = samples(20.0)
    rows = [a.feed(frames[k : k + 320]) for k in range(0, len(frames), 320)]
    sizes = [r["3s"].num_rows for r in rows]
    assert set(sizes) == {0, 1} and sum(sizes) == 6
    # fifteen windows, and what the tracker and the flags wait for
    assert 30 <= sizes.index(1) <= 38
    assert sum(r["10min"].num_rows for r in rows) == 1


def test_a_gap_is_told():
    a = analyzer()
    for item in (samples(5.0), Gap(samples=3200), samples(4.0)):
        a.feed(item)
    tables = a.finish().tables
    assert sum(column(tables["3s"], "n")) == tables["basic"].num_rows
    assert sum(bool(f & Flag.GAP) for f in column(tables["3s"], "flags")) == 1
    assert all(f & Flag.GAP for f in column(tables["10min"], "flags")) and tables["10min"].num_rows == 1


def test_a_dip_flags_its_intervals_alone():
    a = analyzer()
    frames = samples(22.0)
    frames[round(7.0 * FS) : round(7.1 * FS), 0] *= 0.5
    a.feed(frames)
    tables = a.finish().tables
    dips = [bool(f & Flag.DIP) for f in column(tables["3s"], "flags")]
    assert dips == [False, False, True, *[False] * (len(dips) - 3)]
    assert [bool(f & Flag.DIP) for f in column(tables["10min"], "flags")] == [True, False]


def test_without_a_clock_each_segment_has_a_grid_of_its_own():
    a = analyzer(None)
    a.feed(samples(5.0))
    a.next_segment(FS)
    a.feed(samples(4.0))
    tables = a.finish().tables
    assert ns(tables["10min"]).tolist() == [0, 5_000_000_000]
    assert all(f & Flag.NO_CLOCK for f in column(tables["3s"], "flags"))


def test_segments_with_a_clock_share_their_intervals():
    a = analyzer("2026-03-02T00:00:00Z")
    a.feed(samples(5.0))
    a.next_segment(6400.0, "2026-03-02T00:00:06Z")
    a.feed(np.repeat(samples(4.0), 2, axis=0))
    tables = a.finish().tables
    assert tables["10min"].num_rows == tables["2h"].num_rows == 1
    assert column(tables["10min"], "n") == [tables["basic"].num_rows]


@pytest.mark.parametrize("size", [3200, 6400 * 14, 6400 * 30])
def test_short_term_flicker_stands_in_its_ten_minutes(size: int):
    """Steps of the voltage by 1 %, 110 in a minute, but only before the tick."""
    fs, a = 6400.0, ctmeter.Analyzer({**GIVEN, "spectra": "none"}, sample_rate=6400.0, channels=[Channel("U_L1")], start=START)
    t = np.arange(round(fs * 30)) / fs
    step = np.where(t < BEFORE, 0.005 * np.sign(np.sin(2 * np.pi * 110 / 120 * t)), 0.0)
    u = 325 * np.sin(2 * np.pi * 50.02 * t) * (1 + step)
    for k in range(0, len(u), size):
        a.feed(u[k : k + size, None])
    tables = a.finish().tables
    first, second = column(tables["10min"], "Pst_L1")
    assert first > 1.5 * second > 0
    assert column(tables["2h"], "Pst_L1") == pytest.approx([first, second]) and column(tables["2h"], "Plt_L1") == [None, None]
