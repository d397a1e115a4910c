"""The fold: what is in the data set, its bytes, and what is written again."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from batch.made_partials import (
    DAY,
    HOUR,
    MIN10,
    MONDAY,
    SETTINGS,
    S,
    event,
    frequencies,
    part,
    piece,
    scan,
    ten_minutes,
    week,
    whole,
)  # fmt: skip
from ctmeter.batch import buffers
from ctmeter.batch.buffers import GROUP, Groups
from ctmeter.batch.dataset import hive, path_of
from ctmeter.batch.fold import Folded, fold, owners_of
from ctmeter.batch.partials import partial_path
from ctmeter.batch.tally import recording_id
from ctmeter.batch.work import Piece


def table(place: Path, name: str, **filters: Any) -> pa.Table:
    # of months that are all null Arrow cannot tell the type
    kinds = ds.partitioning(pa.schema([("site", pa.string()), ("month", pa.string())]), flavor="hive")
    found = ds.dataset(place / "dataset" / name, format="parquet", partitioning=kinds)
    return found.to_table(filter=filters.get("filter"))


def files(place: Path) -> dict[str, bytes]:
    root = place / "dataset"
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def a_week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Piece], Folded]:
    place = tmp_path_factory.mktemp("week")
    pieces = week(place)
    return place, pieces, fold(place, pieces)


def test_rows_and_whose_they_are(a_week):
    place, _, folded = a_week
    rows = table(place, "10min")
    assert rows.num_rows == 7 * 144 and not folded.missing
    assert rows.column("t").cast("int64").to_pylist() == [MONDAY + k * MIN10 for k in range(7 * 144)]
    ids = [recording_id(f"A/{day}.rec", "", "") for day in range(7)]
    assert rows.column("recording_id").to_pylist() == [ids[k // 144] for k in range(7 * 144)]
    assert set(rows.column("device").to_pylist()) == {"d"} and set(rows.column("site").to_pylist()) == {"A"}
    assert set(rows.column("month").to_pylist()) == {"2026-01"}
    assert table(place, "frequency").num_rows == 7 * 8640


def test_units_and_sides_stand_in_the_schema(a_week):
    place, _, _ = a_week
    schema = pq.read_schema(place / "dataset" / path_of("10min", "A", "2026-01"))
    assert schema.field("U_L1").metadata == {b"unit": b"V", b"side": b"primary"}
    assert schema.field("U_L12").type == pa.float64(), "columns that do not apply are there, and null"
    assert pa.types.is_dictionary(schema.field("recording_id").type)


def test_recordings_and_registers_are_sums_of_their_parts(a_week):
    place, _, _ = a_week
    rows = table(place, "recordings").sort_by("path").to_pylist()
    assert [r["path"] for r in rows] == [f"A/{day}.rec" for day in range(7)]
    # six parts of 0.1 Wh, added exactly: 0.6, where one after the other would give 0.6 less a bit
    assert {r["A+"] for r in rows} == {math.fsum([0.1] * 6)} and {r["A-"] for r in rows} == {6.0} and {r["R1"] for r in rows} == {None}
    assert (rows[0]["U_L1"], rows[0]["U_L1_min"], rows[0]["samples"], rows[0]["windows"]) == (230.0, 230.0, 6000, 6)
    assert [r["events_dip"] for r in rows] == [0, 0, 1, 0, 0, 0, 0]
    (register,) = table(place, "registers").to_pylist()
    assert (register["A+"], register["A-"], register["R+"]) == (math.fsum([0.1] * 42), 42.0, None)
    assert (register["covered_s"], register["recordings"], register["left_out"]) == (7 * 86400.0, 7, 0)
    times = table(place, "registers").select(["start", "end"]).cast(pa.schema([("start", pa.int64()), ("end", pa.int64())])).to_pylist()
    assert times == [{"start": MONDAY, "end": MONDAY + 7 * DAY}]


def test_plt_comes_from_twelve_pst(a_week):
    place, _, _ = a_week
    rows = table(place, "2h")
    # the cube root of the mean of twelve cubes of 0.5
    np.testing.assert_allclose(rows.column("Plt_L1").to_numpy(), 0.5, rtol=1e-12)
    assert rows.num_rows == 84


def test_events(a_week):
    place, _, _ = a_week
    (found,) = table(place, "events").to_pylist()
    assert (found["type"], found["duration"], found["U_residual"], found["phases"]) == ("dip", 0.2, 115.0, ["L1"])
    assert found["recording_id"] == recording_id("A/2.rec", "", "")


def test_verdicts(a_week):
    place, _, _ = a_week
    rows = table(place, "en50160").to_pylist()
    (whole_,) = [r for r in rows if r["period"] == "whole"]
    weeks = [r for r in rows if r["period"] == "week" and r["parameter"] is None]
    assert len(weeks) == 1 and weeks[0]["coverage"] == 100.0
    assert whole_["verdict"] == weeks[0]["verdict"] == "insufficient-data", "no harmonics, no unbalance"
    voltage = next(r for r in rows if r["parameter"] == "U" and r["phase"] == "L1")
    assert (voltage["verdict"], voltage["percentile_95"], voltage["N"], voltage["unit"]) == ("pass", 230.0, 1008, "V")
    assert (voltage["limit_low"], voltage["limit_high"]) == (pytest.approx(207.0), pytest.approx(253.0))
    assert {r["verdict"] for r in rows if r["parameter"] == "Plt"} == {"pass"}


def test_the_same_partials_are_the_same_bytes(a_week, tmp_path):
    place, _, _ = a_week
    again = week(tmp_path)
    fold(tmp_path, reversed(again))
    assert files(tmp_path) == files(place)


def test_only_what_changed_is_written(tmp_path):
    january = [whole(tmp_path, f"{k}.rec", MONDAY + k * 4 * HOUR) for k in range(3)]
    february = [whole(tmp_path, f"f{k}.rec", MONDAY + (31 * 6 + k) * 4 * HOUR) for k in range(3)]
    other = [whole(tmp_path, "b.rec", MONDAY, site="B")]
    first = fold(tmp_path, [*january, *february[:2], *other])
    same = fold(tmp_path, [*january, *february[:2], *other], remembered=first.partitions)
    assert (same.written, same.partitions) == (0, first.partitions) and same.kept == first.written
    before = {p: (tmp_path / "dataset" / p).stat().st_mtime_ns for p in files(tmp_path)}
    more = fold(tmp_path, [*january, *february, *other], remembered=first.partitions)
    changed = {p for p in files(tmp_path) if before.get(p) != (tmp_path / "dataset" / p).stat().st_mtime_ns}
    assert {p for p in changed if "month=" in p and not p.startswith("recordings")} == {
        path_of(t, "A", "2026-02") for t in ("10min", "2h", "frequency")
    }
    assert not any("site=B" in p for p in changed) and more.written == len(changed)
    fresh = tmp_path / "fresh"
    (tmp_path / "work").rename(fresh.mkdir() or fresh / "work")
    fold(fresh, [*january, *february, *other])
    assert files(fresh) == files(tmp_path)


def test_a_file_that_somebody_changed_is_made_again(tmp_path):
    pieces = [whole(tmp_path, "a.rec", MONDAY)]
    first = fold(tmp_path, pieces)
    right = files(tmp_path)
    (tmp_path / "dataset" / path_of("10min", "A", "2026-01")).write_bytes(b"not that")
    (tmp_path / "dataset" / path_of("registers", "A", monthly=False)).unlink()
    assert fold(tmp_path, pieces, remembered=first.partitions).written == 2
    assert files(tmp_path) == right


def test_what_nothing_stands_for_goes(tmp_path):
    both = [whole(tmp_path, "a.rec", MONDAY), whole(tmp_path, "b.rec", MONDAY, site="B")]
    first = fold(tmp_path, both)
    mine = tmp_path / "dataset" / "10min" / "notes.txt"
    mine.write_text("not ours")
    left = tmp_path / "dataset" / "10min" / "site=A" / "month=2026-01" / ".part-0.parquet.00112233.tmp"
    left.write_text("of an interruption")
    second = fold(tmp_path, both[:1], remembered=first.partitions)
    assert second.removed == len([p for p in first.partitions if "site=B" in p and not first.partitions[p].endswith(" -")])
    assert not [p for p in files(tmp_path) if "site=B" in p] and mine.exists() and not left.exists()
    assert not (tmp_path / "dataset" / "10min" / "site=B").exists()


def test_what_is_missing_or_torn_is_named(tmp_path):
    there, torn = whole(tmp_path, "a.rec", MONDAY), whole(tmp_path, "b.rec", MONDAY + 4 * HOUR)
    absent = whole(tmp_path, "c.rec", MONDAY + 8 * HOUR, write=False)
    path = partial_path(tmp_path, torn.key)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    found = fold(tmp_path, [there, torn, absent])
    assert set(found.missing) == {torn.key, absent.key} and table(tmp_path, "10min").num_rows == 24
    path.write_bytes(data)
    assert fold(tmp_path, [there, torn, absent], remembered=found.partitions).missing == (absent.key,)
    assert table(tmp_path, "10min").num_rows == 48


ODD = [
    "Nørre/Å %",
    "..",
    "",
    "x" * 300,
    "x" * 299 + "y",
    "å" * 300,
    "a=b:c*?[d]",
    "__HIVE_DEFAULT_PARTITION__",
    "bad\udcff",
    "12",
    "unknown",
    "line\nbreak\0",
]


def test_odd_names_of_sites(tmp_path):
    pieces = [whole(tmp_path, f"{k}.rec", MONDAY, site=site, energy=float(k)) for k, site in enumerate(ODD)]
    fold(tmp_path, pieces)
    folders = sorted(p.name for p in (tmp_path / "dataset" / "10min").iterdir())
    assert len(folders) == len(ODD) and all(len(f.encode()) < 255 for f in folders)
    rows = {r["A+"]: r["site_name"] for r in ds.dataset(tmp_path / "dataset" / "registers", format="parquet").to_table().to_pylist()}
    assert rows == {float(k): site.replace("\udcff", "\\xff") for k, site in enumerate(ODD)}
    kinds = ds.partitioning(pa.schema([("site", pa.string()), ("month", pa.string())]), flavor="hive")
    found = set(
        ds.dataset(tmp_path / "dataset" / "10min", format="parquet", partitioning=kinds).to_table(columns=["site"]).column("site").to_pylist()
    )
    plain = {s.replace("\udcff", "\\xff") for s in ODD if s and len(s) < 300 and s not in ("unknown", "__HIVE_DEFAULT_PARTITION__")}
    assert found == plain | {"unknown"} | {f.removeprefix("site=") for f in folders if "~" in f}


def test_hive_escapes_what_hive_escapes():
    assert hive("a/b") == "a%2Fb" and hive("100 %") == "100 %25" and hive("Å") == "Å" and hive("..") == ".."


def test_without_a_clock(tmp_path):
    of = scan("x.rec", None, 3600.0)
    made = piece(tmp_path, [of], None, {"10min": ten_minutes(0, 6)}, [part(of, None, None, {"A+": 2.0})])
    fold(tmp_path, [made])
    rows = table(tmp_path, "10min")
    assert rows.num_rows == 6 and rows.column("month").to_pylist() == ["unknown"] * 6
    # where nothing has a clock either, Arrow finds the months by itself
    assert ds.dataset(tmp_path / "dataset" / "10min", format="parquet", partitioning="hive").count_rows() == 6
    (register,) = table(tmp_path, "registers").to_pylist()
    assert (register["A+"], register["start"], register["covered_s"]) == (2.0, None, 3600.0)
    (verdict,) = table(tmp_path, "en50160").to_pylist()
    assert (verdict["verdict"], verdict["reason"]) == ("not-assessed", "no clock")


def test_without_a_nominal_voltage(tmp_path):
    of = scan("x.rec", MONDAY, 14400.0, settings={**SETTINGS, "nominal_voltage": None})
    fold(tmp_path, [piece(tmp_path, [of], (MONDAY, MONDAY + 4 * HOUR), {"10min": ten_minutes(MONDAY, 24)}, [part(of, MONDAY, MONDAY + 4 * HOUR)])])
    (verdict,) = table(tmp_path, "en50160").to_pylist()
    assert (verdict["verdict"], verdict["reason"]) == ("not-assessed", "no nominal voltage")


def test_overlapping_recordings_are_left_out_of_registers(tmp_path):
    one = whole(tmp_path, "a.rec", MONDAY)
    of = scan("b.rec", MONDAY, 3600.0)
    lane = piece(
        tmp_path, [of], (MONDAY, MONDAY + 4 * HOUR), {"10min": ten_minutes(MONDAY, 6)}, [part(of, MONDAY, MONDAY + HOUR, {"A+": 9.0}, overlaps=True)]
    )
    fold(tmp_path, [one, lane])
    (register,) = table(tmp_path, "registers").to_pylist()
    assert (register["A+"], register["recordings"], register["left_out"]) == (1.0, 1, 1)
    assert table(tmp_path, "10min").num_rows == 30, "both rows of an interval stay"
    assert sorted(r["overlaps"] for r in table(tmp_path, "recordings").to_pylist()) == [False, True]


def test_a_recording_that_goes_on_in_the_same_interval(tmp_path):
    """Two rows of one interval, both incomplete, stay both; the week is judged with the interval put together."""
    incomplete = np.uint32(128)
    first, second = scan("a.rec", MONDAY, 3900.0), scan("b.rec", MONDAY + 3900 * S, 6900.0)
    rows = ten_minutes(MONDAY, 7)
    rows["flags"][6] = incomplete
    rows["duration"][6] = 300.0
    later = ten_minutes(MONDAY + 6 * MIN10, 12)
    later["flags"][0] = incomplete
    later["duration"][0] = 300.0
    middle = MONDAY + 3900 * S
    span = (MONDAY, MONDAY + 4 * HOUR)
    pieces = [
        piece(tmp_path, [first], span, {"10min": rows}, [part(first, MONDAY, middle)]),
        piece(tmp_path, [second], span, {"10min": later}, [part(second, middle, MONDAY + 10800 * S)]),
    ]
    fold(tmp_path, pieces)
    assert table(tmp_path, "10min").num_rows == 19
    voltage = next(r for r in table(tmp_path, "en50160").to_pylist() if r["parameter"] == "U" and r["period"] == "week")
    assert voltage["N"] == 18 and voltage["verdict"] == "insufficient-data"


@pytest.mark.parametrize("names", ["abc", "zac", "caz"])
def test_pieces_of_one_span_follow_each_other_in_time(tmp_path, names: str):
    """Where a scale changes within four hours there are two pieces of them; they are in order of time, whatever the files are called."""
    middle, border, end = MONDAY + 2 * HOUR, MONDAY + 4 * HOUR, MONDAY + 8 * HOUR
    a, b, c = (scan(f"{names[k]}.rec", MONDAY + 2 * k * HOUR, (2, 2, 4)[k] * 3600.0) for k in range(3))
    dip = event("dip", border - S, None, 115.0)
    pieces = [
        piece(tmp_path, [a], (MONDAY, border), {"10min": ten_minutes(MONDAY, 12)}, [part(a, MONDAY, middle)]),
        piece(tmp_path, [b, c], (MONDAY, border), {"10min": ten_minutes(middle, 12)}, [part(b, middle, border)], events=[dip]),
        piece(tmp_path, [b, c], (border, end), {"10min": ten_minutes(border, 24)}, [part(c, border, end)], continuing=[{**dip, "duration": 3.0}]),
    ]
    fold(tmp_path, pieces)
    (found,) = table(tmp_path, "events").to_pylist()
    assert found["duration"] == 3.0
    voltage = next(r for r in table(tmp_path, "en50160").to_pylist() if r["parameter"] == "U" and r["period"] == "week")
    assert voltage["N"] == 48 and voltage["verdict"] == "insufficient-data"


def test_an_event_goes_on_past_a_recording_in_its_time(tmp_path):
    """A piece that lies beside the line of time does not come between two that follow each other."""
    border = MONDAY + 4 * HOUR
    dip = event("dip", border - S, None, 115.0)
    beside = scan("b.rec", border - HOUR, 3600.0)
    pieces = [
        whole(tmp_path, "a.rec", MONDAY, events=[dip]),
        piece(tmp_path, [beside], (MONDAY, border), {"10min": ten_minutes(border - HOUR, 6)}, [part(beside, border - HOUR, border, overlaps=True)]),
        whole(tmp_path, "c.rec", border, continuing=[{**dip, "duration": 3.0}]),
    ]
    pieces[1] = dataclasses.replace(pieces[1], overlaps=True)
    fold(tmp_path, pieces)
    (found,) = table(tmp_path, "events").to_pylist()
    assert found["duration"] == 3.0


def test_one_schema_for_all_sites(tmp_path):
    """A site that measures power sets gives all the columns; where nobody measured them they are null."""
    more = scan("b.rec", MONDAY, 14400.0, "B", settings={**SETTINGS, "power_sets": True})
    rows = {"10min": ten_minutes(MONDAY, 24, Ue=np.full(24, 231.0))}
    form = {"spectra": False, "extras": ["power_sets"], "sides": {}}
    pieces = [
        whole(tmp_path, "a.rec", MONDAY),
        piece(tmp_path, [more], (MONDAY, MONDAY + 4 * HOUR), rows, [part(more, MONDAY, MONDAY + 4 * HOUR)], form=form),
    ]
    fold(tmp_path, pieces)
    a, b = (pq.read_schema(tmp_path / "dataset" / path_of("10min", site, "2026-01")) for site in "AB")
    assert a.equals(b)
    assert sorted(table(tmp_path, "10min").column("Ue").to_pylist(), key=str) == [231.0] * 24 + [None] * 24


def test_a_piece_over_the_end_of_a_month(tmp_path):
    start = MONDAY + 27 * DAY - 2 * HOUR  # 2026-01-31T22:00
    fold(tmp_path, [whole(tmp_path, "a.rec", start)])
    rows = {m: table(tmp_path, "10min", filter=ds.field("month") == m).num_rows for m in ("2026-01", "2026-02")}
    assert rows == {"2026-01": 12, "2026-02": 12}
    (register,) = table(tmp_path, "registers").to_pylist()
    assert register["A+"] == 1.0


def test_owners_of_rows():
    parts = [{"stop_ns": 100}, {"stop_ns": 250}, {"stop_ns": 300}]
    # inside the first, at its end, in a gap before the second, inside the third, after all
    assert owners_of(np.array([0, 100, 120, 260, 400]), parts).tolist() == [0, 1, 1, 2, 2]


def test_row_groups(tmp_path):
    """65,536 rows in a group where there are as many, and the rest at the end."""
    n = GROUP + 1000
    of = scan("a.rec", MONDAY, 10.0 * n)
    span = (MONDAY, MONDAY + n * 10 * S)
    fold(tmp_path, [piece(tmp_path, [of], span, {"frequency": frequencies(MONDAY, n)}, [part(of, *span)])], assessment=None)
    file = pq.ParquetFile(tmp_path / "dataset" / path_of("frequency", "A", "2026-01"))
    assert [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)] == [GROUP, 1000]


def test_rows_in_a_file_are_as_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(buffers, "_ROOM", 1000)
    given: list[dict[str, np.ndarray]] = []
    groups = Groups(tmp_path, lambda rows: given.append({k: v.copy() for k, v in rows.items()}))
    for k in range(5):
        rows = {"t": np.arange(20_000) + 20_000 * k}
        groups.add(rows | ({"x": np.full((20_000, 2), float(k))} if k in (1, 3) else {}), 20_000)
    groups.close()
    assert [len(g["t"]) for g in given] == [GROUP, 100_000 - GROUP] and not list(tmp_path.iterdir())
    np.testing.assert_array_equal(np.concatenate([g["t"] for g in given]), np.arange(100_000))
    x = np.concatenate([g["x"] for g in given])[:, 1]
    expected = np.repeat([np.nan, 1.0, np.nan, 3.0, np.nan], 20_000)
    np.testing.assert_array_equal(x, expected)


def test_a_share_of_a_strange_recording_is_refused(tmp_path):
    of, strange = scan("a.rec", MONDAY, 600.0), scan("b.rec", MONDAY, 600.0)
    made = piece(tmp_path, [of], (MONDAY, MONDAY + 4 * HOUR), {}, [part(strange, MONDAY, MONDAY + MIN10)])
    with pytest.raises(ValueError, match="no recording of its piece"):
        fold(tmp_path, [made])


def test_read_by_others(a_week):
    """DuckDB and Polars see one table."""
    place, _, _ = a_week
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    found = duckdb.sql(f"select count(*), avg(U_L1) from read_parquet('{place}/dataset/10min/*/*/*.parquet', hive_partitioning=true)").fetchall()
    assert found == [(1008, 230.0)]


def test_read_by_polars(a_week):
    place, _, _ = a_week
    polars = pytest.importorskip("polars", reason="polars is not installed")
    assert polars.scan_parquet(f"{place}/dataset/10min/", hive_partitioning=True).select("U_L1").collect().height == 1008


def test_events_of_a_month_and_an_open_one(tmp_path):
    start = MONDAY
    found = [event("interruption", start + S, None, 0.0), event("swell", start + 2 * S, 1.0, 276.0)]
    fold(tmp_path, [whole(tmp_path, "a.rec", start, events=found)])
    rows = table(tmp_path, "events").to_pylist()
    assert [(r["type"], r["duration"]) for r in rows] == [("interruption", None), ("swell", 1.0)]
