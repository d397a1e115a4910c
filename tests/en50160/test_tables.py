"""Tables of other programs."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ctmeter.en50160 import assess, read_table
from ctmeter.errors import InputError, SettingsError
from en50160.weeks import GIVEN, START, counts, row

UN = {"nominal_voltage": 230.0, "nominal_frequency": 50.0}


def times(n, step=600, zone="Z", first=START):
    return [f"{t}{zone}" for t in (first + np.arange(n) * np.timedelta64(step, "s")).astype("datetime64[s]")]


def csv(path, heading, *columns, delimiter=","):
    lines = [heading, *(delimiter.join(map(str, cells)) for cells in zip(*columns, strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_csv_with_units_in_the_heading(tmp_path):
    columns = [0.23, 0.231, ""], [50_000, 49_990, 50_010], [0.005] * 3, [0, 1, 0], "abc"
    path = csv(tmp_path / "a.csv", "Time,U_L1 [kV],f (mHz),u2 [1],flags,Comment", times(3), *columns)
    made = read_table(path, "10min")
    assert made.column_names == ["t", "flags", "f", "U_L1", "u2"]
    assert made.column("U_L1").to_pylist() == [230.0, 231.0, None]
    assert made.column("f").to_pylist() == pytest.approx([50.0, 49.99, 50.01]) and made.column("u2").to_pylist() == [0.5] * 3
    assert made.column("flags").to_pylist() == [0, 1, 0] and made.column("flags").type == pa.uint32()
    assert made.column("t").cast("int64").to_pylist()[0] == int(START.astype(np.int64))


def test_a_map_with_blanks_and_units(tmp_path):
    columns = ["0,23", "0,24"], ["231,5", "232"], ["3,5", "4"]
    path = csv(tmp_path / "a.csv", "Start;Urms A;Urms B [V];THD A %", times(2, zone=""), *columns, delimiter=";")
    wanted = {"t": "Start", "U_L1": "Urms A [kV]", "U_L2": "Urms B", "THD_U_L1": "THD A %", "Plt_L1": "not in this table"}
    made = read_table(path, "10min", columns_map=wanted)
    assert made.column("U_L1").to_pylist() == [230.0, 240.0] and made.column("U_L2").to_pylist() == [231.5, 232.0]
    assert made.column("THD_U_L1").to_pylist() == [3.5, 4.0]


def test_per_unit_needs_a_nominal_value(tmp_path):
    path = csv(tmp_path / "a.csv", "t,U_L1 [pu]", times(2), [1.0, 0.9])
    assert read_table(path, "10min", **UN).column("U_L1").to_pylist() == [230.0, 207.0]
    with pytest.raises(InputError, match="U_L1 is in pu and there is no nominal value"):
        read_table(path, "10min")


def test_harmonics_in_columns(tmp_path):
    """In % of the fundamental with or without it, and in V."""
    columns = [3, 4], [1, 2], [230, 231], [2.3, 2.31], [200, 200], [6, 3]
    path = csv(tmp_path / "a.csv", "t,HU_L1_5 [%],HU_L1_7 [%],HU_L2_1,HU_L2_h5,U1_L3,HU_L3_5 [%]", times(2), *columns)
    made = read_table(path, "10min")
    values = {p: made.column(f"HU_{p}").to_pylist() for p in ("L1", "L2", "L3")}
    assert [v[5] / v[1] for v in values["L1"]] == pytest.approx([0.03, 0.04]) and [v[7] / v[1] for v in values["L1"]] == pytest.approx([0.01, 0.02])
    assert [v[5] / v[1] for v in values["L2"]] == pytest.approx([0.01, 0.01], rel=1e-6)
    assert [v[5] for v in values["L3"]] == pytest.approx([12.0, 6.0]) and values["L1"][0][6] is None


def test_parquet_with_units_in_the_metadata(tmp_path):
    t = pa.array(START + np.arange(3)[::-1] * np.timedelta64(600, "s"), pa.timestamp("us"))
    fields = [pa.field("t", t.type), pa.field("U_L1", pa.float32(), metadata={"unit": "kV"}), pa.field("HU_L1", pa.list_(pa.float64()))]
    arrays = [t, pa.array([0.23, 0.22, 0.21], pa.float32()), pa.array([[1.0] * 51, None, [2.0] * 51])]
    pq.write_table(pa.table(arrays, schema=pa.schema(fields)), tmp_path / "a.parquet")
    made = read_table(tmp_path / "a.parquet", "10min")
    assert made.column("U_L1").to_pylist() == pytest.approx([210.0, 220.0, 230.0]), "sorted by time"
    assert np.isnan(made.column("HU_L1").to_pylist()[1][5] or np.nan) and made.column("HU_L1").to_pylist()[0][5] == 2.0


def test_times_at_the_end_of_intervals_and_off_the_grid_by_less_than_a_second(tmp_path):
    path = csv(tmp_path / "a.csv", "t,U_L1", [t.replace("00Z", "00.4Z") for t in times(3)], [1, 2, 3])
    start = int(START.astype(np.int64))
    assert read_table(path, "10min").column("t").cast("int64").to_pylist() == [start + k * 600_000_000_000 for k in range(3)]
    assert read_table(path, "10min", stamp="end").column("t").cast("int64").to_pylist()[0] == start - 600_000_000_000
    with pytest.raises(SettingsError, match='stamp: \'middle\' is neither "start" nor "end"'):
        read_table(path, "10min", stamp="middle")
    with pytest.raises(SettingsError, match="table: '1min' is not one of 10min, 2h, frequency, 3s, events"):
        read_table(path, "1min")


def test_zones_are_turned_into_utc(tmp_path):
    path = csv(tmp_path / "a.csv", "t,U_L1", times(3, zone="+02:00"), [1, 2, 3])
    assert read_table(path, "10min").column("t").cast("int64").to_pylist()[0] == int((START - np.timedelta64(2, "h")).astype(np.int64))


def test_a_week_from_elsewhere(tmp_path):
    """50 and 51 of 1008 values under -10 %, in CSV."""
    for n, verdict in ((50, "pass"), (51, "fail")):
        path = csv(tmp_path / "a.csv", "t,U_L1 [kV]", times(1008), [0.204] * n + [0.23] * (1008 - n))
        found = assess({"10min": read_table(path, "10min")}, only=["U"], **GIVEN)
        assert counts(row(found, "U", "L1")) == (1008, n, 0, 0, verdict)


def test_events_from_elsewhere(tmp_path):
    heading = "t,type,duration [ms],phases,U_ref,U_residual,U_max"
    path = csv(tmp_path / "e.csv", heading, times(2, 60), ["dip", "swell"], [100, 400], ["L1 L2", "L3"], [230, 230], [115, ""], ["", 280])
    made = read_table(path, "events")
    assert made.column("duration").to_pylist() == [0.1, 0.4] and made.column("phases").to_pylist() == [["L1", "L2"], ["L3"]]
    week = csv(tmp_path / "a.csv", "t,U_L1", times(1008), [230] * 1008)
    found = assess([{"10min": read_table(week, "10min")}, {"events": made}], only=["U"], **GIVEN)
    assert found.data["dips"]["C1"] == 1 and found.data["swells"]["S1"] == 1


def test_what_ctmeter_wrote_is_read_back(tmp_path):
    from en50160.weeks import table

    made = table("10min", 5, U_L1=230.0, HU_L1=np.arange(51.0))
    pq.write_table(made, tmp_path / "a.parquet")
    back = read_table(tmp_path / "a.parquet", "10min")
    assert back.column("HU_L1").to_pylist() == made.column("HU_L1").to_pylist() and back.column("U_L1").to_pylist() == [230.0] * 5


@pytest.mark.parametrize(
    ("heading", "cells", "words"),
    [
        ("t,U_L1 [furlong]", [times(2), [1, 2]], "U_L1 is in 'furlong', an unknown unit for it"),
        ("t,U_L1 [A]", [times(2), [1, 2]], "U_L1 is in 'A'"),
        ("t,f [%]", [times(2), [1, 2]], "f is in '%'"),
        ("t,HU_L1_5 [dB]", [times(2), [1, 2]], "HU_L1_5 is in 'dB'"),
        ("t,U_L1", [[*times(2), times(1)[0]], [1, 2, 3]], "rows 1 and 3 have one time, 2026-03-02T00:00:00Z"),
        ("t,U_L1", [[*times(2), *times(2)], [1, 2, 3, 4]], "and 1 more"),
        ("t,U_L1", [times(3, 60), [1, 2, 3]], "row 2, 2026-03-02T00:01:00Z, is not on the grid of 600 s"),
        ("t,U_L1", [["yesterday", "today"], [1, 2]], "times that are no times"),
        ("t,U_L1", [[1, 2], [1, 2]], "the column of time is int64"),
        ("t,U_L1", [[times(1)[0], ""], [1, 2]], "row 2 has no time"),
        ("t,U_L1", [times(2), [1, "many"]], "U_L1: values that are no numbers"),
        ("t,U_L1", [times(2), [1, "inf"]], "U_L1: row 2 is infinite"),
        ("when,U_L1", [times(2), [1, 2]], "no column of time"),
        ("t,Urms", [times(2), [1, 2]], "no column of a known name"),
        ("t,U_L1,U_L1", [times(2), [1, 2], [1, 2]], "columns of one name: U_L1"),
        ("t,U_L1", [[], []], "no rows"),
        ("t", [times(2)], "no delimiter"),
    ],
)
def test_bad_tables(tmp_path, heading, cells, words):
    path = csv(tmp_path / "bad.csv", heading, *cells)
    with pytest.raises(InputError, match=words.replace("[", r"\[")) as caught:
        read_table(path, "10min")
    assert caught.value.path == str(path)


NOTHING = (b"", b"PAR1", b"PAR1 and no more of it", b"\xff\xfe\x00\x00,\x01", b"t,U_L1\n1,2,3\n", b"\n\n", b't,U_L1\n"unclosed,1\n')


@pytest.mark.parametrize("content", NOTHING)
def test_files_that_are_no_tables(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "x", "10min")
    assert str(tmp_path / "x") in str(caught.value)


def test_no_file_and_a_directory(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_table(tmp_path / "none", "10min")
    with pytest.raises(InputError, match="Is a directory"):
        read_table(tmp_path, "10min")


def test_maps_that_lead_nowhere(tmp_path):
    path = csv(tmp_path / "a.csv", "t,Urms", times(2), [1, 2])
    with pytest.raises(InputError, match=r"no column 'Uxyz' for U_L1 \(expected one of t, Urms\)"):
        read_table(path, "10min", columns_map={"U_L1": "Uxyz"})
    with pytest.raises(SettingsError, match="map: U_L9: no such column"):
        read_table(path, "10min", columns_map={"U_L9": "Urms"})


def test_two_columns_that_could_be_one_are_refused(tmp_path):
    """The first fails and the second passes: which is meant only a map can say."""
    path = csv(tmp_path / "a.csv", "t,U_L1 [V],U_L1 [kV]", times(1008), [206.0] * 51 + [230.0] * 957, [0.23] * 1008)
    with pytest.raises(InputError, match=r"columns 'U_L1 \[V\]' and 'U_L1 \[kV\]' could both be U_L1"):
        read_table(path, "10min")
    with pytest.raises(InputError, match="could both be U_L2"):
        read_table(path, "10min", columns_map={"U_L2": "U_L1"})
    made = read_table(path, "10min", columns_map={"U_L1": "U_L1 [V]"})
    assert counts(row(assess({"10min": made}, only=["U"], **GIVEN), "U", "L1")) == (1008, 51, 0, 0, "fail")


@pytest.mark.parametrize("flag", ["-1", "0.5", "4294967296", "1e300"])
def test_flags_that_are_none(tmp_path, flag):
    path = csv(tmp_path / "a.csv", "t,U_L1,flags", times(2), [230, 230], [0, flag])
    with pytest.raises(InputError, match=r"flags: .*expected whole numbers from 0 to 4294967295"):
        read_table(path, "10min")
    table = pa.table({"t": pa.array(START + np.arange(2) * np.timedelta64(600, "s")), "flags": [0.0, float(flag)], "U_L1": [230.0, 230.0]})
    with pytest.raises(InputError, match="flags: "):
        assess({"10min": table}, **GIVEN)


def test_flags_without_a_value_are_none(tmp_path):
    path = csv(tmp_path / "a.csv", "t,U_L1,flags", times(3), [230] * 3, ["", 1, 4294967295])
    assert read_table(path, "10min").column("flags").to_pylist() == [0, 1, 4294967295]


def test_voltages_of_events_in_percent(tmp_path):
    """70 % of 230 V, of 400 V between two lines, and of the reference a row names."""
    cells = times(3), ["dip"] * 3, [0.2] * 3, ["L1", "L12 L23", "L2"], [70, 70, 70], ["", "", 240]
    path = csv(tmp_path / "a.csv", "t,type,duration [s],phases,U_residual [%],U_ref", *cells)
    made = read_table(path, "events", nominal_voltage=230.0, wiring="3P4W").column("U_residual").to_pylist()
    assert made == pytest.approx([161.0, 0.7 * 230 * 3**0.5, 168.0])
    with pytest.raises(InputError, match=r"U_residual is a share of the reference voltage, and there is none \(expected --un and --wiring"):
        read_table(path, "events", nominal_voltage=230.0)
    with pytest.raises(InputError, match="expected --un, or U_ref"):
        read_table(path, "events")


def test_voltages_between_lines_in_per_unit(tmp_path):
    """1 pu is the square root of three times that to neutral, where the meter has four wires."""
    path = csv(tmp_path / "a.csv", "t,U_L12 [pu],MSV_L12 [%]", times(2), [1.0, 0.9], [1.0, 2.0])
    with pytest.raises(InputError, match="U_L12 is in pu and there is no nominal value"):
        read_table(path, "10min", **UN)
    four, three = (read_table(path, "10min", nominal_voltage=230.0, wiring=w) for w in ("3P4W", "3P3W"))
    assert four.column("U_L12").to_pylist() == pytest.approx([398.3717, 358.5345]) and three.column("U_L12").to_pylist() == [230.0, 207.0]
    assert four.column("MSV_L12").to_pylist() == pytest.approx([3.983717, 7.967434])


def test_events_that_last_less_than_nothing(tmp_path):
    path = csv(tmp_path / "a.csv", "t,type,duration [s]", times(3)[::-1], ["dip"] * 3, [0.2, -5, ""])
    with pytest.raises(InputError, match="events: row 2 lasts -5 s"):
        read_table(path, "events")


def test_times_of_words_and_before_all_clocks(tmp_path):
    words = pa.table({"t": pa.array(times(2)).dictionary_encode(), "U_L1": [230.0, 231.0]})
    pq.write_table(words, tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", "10min").column("t").cast("int64").to_pylist()[0] == int(START.astype(np.int64))
    path = csv(tmp_path / "a.csv", "t,U_L1", ["2026-03-02T00:00:00Z", "1904-01-01T00:00:00Z"], [230, 230])
    with pytest.raises(InputError, match=r"row 2 is of 1904-01-01T00:00:00Z .expected times after 1970"):
        read_table(path, "10min")


def test_voltages_between_lines_are_not_those_to_neutral(tmp_path):
    """400 V between lines against 230 V: without a wiring nominal is taken as that between lines, and 1.74 of it is no voltage."""
    made = read_table(csv(tmp_path / "a.csv", "t,U_L12,U_L23,U_L31", times(3), *[[400.0] * 3] * 3), "10min")
    with pytest.raises(InputError, match="U_L12 is 400 in the middle, and 230 V nominal"):
        assess({"10min": made}, **GIVEN)
    assert row(assess({"10min": made}, wiring="3P4W", **GIVEN), "U", "L12")["N1"] == 0
