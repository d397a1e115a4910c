"""CSV and other text tables as scopes and loggers write them, and what must be refused."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from ctmeter import roles
from ctmeter.errors import InputError
from ctmeter.readers.csv import MAX_LINE, READER
from ctmeter.recording import nanoseconds


@pytest.fixture
def table(tmp_path):
    """Read a text as a table."""

    def read(text: str | bytes, rate: float | None = None, name: str = "t.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        assert READER.sniff(path, path.read_bytes()[:4096])
        return READER.read(path, rate=rate)

    return read


VALUES = np.array([[1.5, -2.25], [2.5, 3.25], [-3.5, 4.0], [0.25, 1e-3]])
SECONDS = [0.0, 0.001, 0.002, 0.003]


def rows(delimiter: str, decimal: str = ".", time: list[str] | None = None) -> str:
    out = []
    for k, (a, b) in enumerate(VALUES):
        cells = [time[k]] if time else []
        cells += [repr(float(a)), repr(float(b))]
        out.append(delimiter.join(c.replace(".", decimal) for c in cells) + "\n")
    return "".join(out)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Time (s),Va (V),Ia (A)\n" + rows(",", ".", ["0", "0.001", "0.002", "0.003"]), ["Va", "Ia"]),
        ("Zeit [ms];U_L1 [V];I_L1 [A]\n" + rows(";", ",", ["0", "1", "2", "3"]), ["U_L1", "I_L1"]),
        ("t/ms\tVa\tIa\n" + rows("\t", ",", ["0", "1", "2", "3"]), ["Va", "Ia"]),
        ("time_us|Va|Ia\n" + rows("|", ".", ["0", "1000", "2000", "3000"]), ["Va", "Ia"]),
        ("time Va Ia\n" + rows(" ", ".", ["0", "1e-3", "2e-3", "3e-3"]), ["Va", "Ia"]),
        ("  time   Va    Ia\n" + rows("   ", ".", ["0", "1e-3", "2e-3", "3e-3"]), ["Va", "Ia"]),
        (rows(",", ".", ["0", "0.001", "0.002", "0.003"]), ["ch1", "ch2"]),
        ("Scope,Model 7\nDate,2020-02-02\n\nTIME,CH1,CH2\ns,V,A\n" + rows(",", ".", ["0", "0.001", "0.002", "0.003"]), ["CH1", "CH2"]),
        ("x-axis,1,2\nsecond,Volt,Ampere\n" + rows(",", ".", ["-0.001", "0", "0.001", "0.002"]), ["1", "2"]),
        ("# time, Va, Ia\n" + rows(", ", ".", ["0", "0.001", "0.002", "0.003"]), ["Va", "Ia"]),
        ("\ufeffTime,Va,Ia\r\n" + rows(",", ".", ["0", "0.001", "0.002", "0.003"]).replace("\n", "\r\n"), ["Va", "Ia"]),
        ("Time,Va,Ia\r" + rows(",", ".", ["0", "0.001", "0.002", "0.003"]).replace("\n", "\r"), ["Va", "Ia"]),
        ("Time,Va,Ia,\n" + rows(",", ".", ["0", "0.001", "0.002", "0.003"]).replace("\n", ",\n"), ["Va", "Ia"]),
        ('"Time","Va","Ia"\n' + "".join(f'"{t}","{a}","{b}"\n' for t, (a, b) in zip(SECONDS, VALUES, strict=True)), ["Va", "Ia"]),
        ("Date,Time,Va,Ia\n" + rows(",", ".", [f"2020-02-02,10:00:00.00{k}" for k in range(4)]), ["Va", "Ia"]),
        ("time,Va,Ia\n" + rows(",", ".", [f"02.03.2020 10:00:00.00{k}" for k in range(4)]), ["Va", "Ia"]),
        ("time;Va;Ia\n" + rows(";", ",", [f"2020-02-02T10:00:00,00{k}Z" for k in range(4)]), ["Va", "Ia"]),
        ("time,Va,Ia\n" + rows(",", ".", [f"10:59:59.00{k}" for k in range(4)]), ["Va", "Ia"]),
        ("time,Va,Ia\n" + rows(",", ".", [f"158272620000{k}" for k in range(4)]), ["Va", "Ia"]),
        ("time,Va,Ia\n" + rows(",", ".", [f"1582726200.00{k}" for k in range(4)]), ["Va", "Ia"]),
        ("Sample,Time,Va,Ia\n" + rows(",", ".", [f"{k + 1},{0.001 * k:.3f}" for k in range(4)]), ["Va", "Ia"]),
        ("Time,Va,Ia\n" + rows(",", ".", ["0", "0.001", "0.002", "0.003"]).replace("\n", "\n\n"), ["Va", "Ia"]),
        ("Time,Va,Ia,Status\n" + rows(",", ".", ["0", "0.001", "0.002", "0.003"]).replace("\n", ",ON\n"), ["Va", "Ia"]),
    ],
)
def test_tables_as_they_come(table, text, names):
    rec = table(text)
    assert [c.name for c in rec.channels] == names
    np.testing.assert_array_equal(rec.read(), VALUES)
    assert rec.sample_rate == 1000.0
    assert rec.gaps == ()


def test_units_scale_and_roles(table):
    rec = roles.apply(table("t [s],Va [kV],Vb_kV,Vc (kV),Ia_I,f [Hz]\n0,1,2,3,4,50\n0.001,1,2,3,4,50\n"))
    assert [(c.role, c.unit, c.scale) for c in rec.channels] == [
        ("U_L1", "V", 1e3), ("U_L2", "V", 1e3), ("U_L3", "V", 1e3), ("I_L1", "A", 1.0), (None, "Hz", 1.0)]  # fmt: skip


def test_guessed_units_are_said(table):
    rec = table("t,Va,I1,temp\n0,1,2,3\n0.001,1,2,3\n")
    assert [c.unit for c in rec.channels] == ["V", "A", ""]
    assert any("Va in V" in w and "I1 in A" in w for w in rec.warnings)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2020-02-24 18:15:21.499998208", "2020-02-24T18:15:21.499998208"),
        ("2020-02-24T18:15:21.499998208Z", "2020-02-24T18:15:21.499998208"),
        ("2020-02-24T18:15:21.5+01:00", "2020-02-24T17:15:21.5"),
        ("24.02.2020 18:15:21.5", "2020-02-24T18:15:21.5"),
        ("24/02/2020 18:15:21.5", "2020-02-24T18:15:21.5"),
        ("02/24/2020 18:15:21.5", "2020-02-24T18:15:21.5"),
        ("2020/02/24 8:15:21.5", "2020-02-24T08:15:21.5"),
        ("4.2.2020 18:15:21.5", "2020-02-04T18:15:21.5"),
        ("1582568121.5", "2020-02-24T18:15:21.5"),
        ("1582568121500", "2020-02-24T18:15:21.5"),
        ("1582568121499998208", "2020-02-24T18:15:21.499998208"),
        ("0.5", None),
        ("18:15:21.5", None),
    ],
)
def test_start_of_the_time_column(table, stamp, expected):
    rec = table(f"time,Va\n{stamp},1\n", rate=1000.0)
    assert rec.start_ns == nanoseconds(expected)


def test_ambiguous_dates_and_missing_zones_are_said(table):
    rec = table("time,Va\n03/04/2020 18:15:21.000,1\n03/04/2020 18:15:21.001,1\n")
    assert rec.start_ns == nanoseconds("2020-04-03T18:15:21Z")
    assert any("day" in w for w in rec.warnings) and any("UTC" in w for w in rec.warnings)
    assert not any("UTC" in w for w in table("time_utc,Va\n2020-04-03 18:15:21,1\n", rate=50.0).warnings)


def stamped(times_ns, form="{:.9f}") -> str:
    return "t,Va\n" + "".join(form.format(t * 1e-9) + f",{k}\n" for k, t in enumerate(times_ns))


def test_rate_is_the_shortest_number_that_the_stamps_allow(table):
    step = 1e9 / 12800
    assert table(stamped(np.rint(np.arange(5000) * step))).sample_rate == 12800.0
    step = 1e9 / 30707.244140625
    assert table(stamped(np.rint(np.arange(5000) * step))).sample_rate == pytest.approx(30707.244140625, rel=1e-8)


def test_missing_samples_become_gaps(table):
    times = np.delete(np.arange(1000) * 100_000, [300, 301, 302, 500])
    rec = table(stamped(times))
    assert [(row, gap.samples) for row, gap in rec.gaps] == [(300, 3), (497, 1)]
    assert rec.sample_rate == 10_000.0
    assert any("4 samples are missing" in w for w in rec.warnings)


def test_jitter_is_no_gap(table):
    rng = np.random.default_rng(1)
    times = np.arange(1000) * 100_000 + rng.integers(-20_000, 20_000, 1000)
    times[400] += 180_000  # one late stamp, its successors in time
    times[401] += 90_000
    times[0], times[-1] = 0, 999 * 100_000
    rec = table(stamped(np.sort(times)))
    assert rec.gaps == ()
    assert rec.sample_rate == pytest.approx(10_000.0, rel=1e-3)
    assert any("jitter" in w for w in rec.warnings)


def test_one_step_a_fraction_of_a_sample_off_is_no_gap_and_does_not_move_the_rate(table):
    times = np.arange(8000) * 20_000
    times[4000:] += 17_756
    rec = table(stamped(times))
    assert rec.gaps == () and rec.sample_rate == 50_000.0
    assert any("irregular" in w for w in rec.warnings)


def test_stamps_coarser_than_samples(table):
    times = np.arange(10_001) * 100_000 // 1_000_000 * 1_000_000
    rec = table(stamped(times, "{:.3f}"))
    assert rec.gaps == ()
    assert rec.sample_rate == pytest.approx(10_000.0, rel=1e-3)


def test_a_given_rate_wins_and_disagreement_is_said(table):
    text = stamped(np.arange(100) * 100_000)
    assert table(text, rate=10_000.0).warnings == table(text).warnings
    rec = table(text, rate=12_800.0)
    assert rec.sample_rate == 12_800.0
    assert any("12800" in w and "10000" in w for w in rec.warnings)


def test_midnight_in_a_clock_column(table):
    rec = table("t,Va\n23:59:59.999,1\n00:00:00.000,2\n00:00:00.001,3\n00:00:00.002,4\n")
    assert rec.sample_rate == 1000.0 and rec.start_ns is None


def test_without_time_the_rate_is_needed(table):
    with pytest.raises(InputError, match="--rate"):
        table("Va,Ia\n1,2\n3,4\n")
    rec = table("Va,Ia\n1,2\n3,5\n4,4\n", rate=6400.0)
    assert (rec.sample_rate, rec.samples, rec.start_ns) == (6400.0, 3, None)


def test_a_running_number_is_no_channel(table):
    rec = table("0,5\n1,6\n2,7\n3,8\n", rate=1000.0)
    np.testing.assert_array_equal(rec.read()[:, 0], [5, 6, 7, 8])


def test_one_column_with_decimal_comma(table):
    np.testing.assert_array_equal(table("U\n1,5\n2,5\n-1,25\n", rate=1000.0).read()[:, 0], [1.5, 2.5, -1.25])


def test_empty_and_nan_fields_are_missing_samples(table):
    values = table("t,Va,Ia\n0,1,\n0.001,NaN,2\n0.002,3,--\n0.003,+4,+5e+1\n").read()
    np.testing.assert_array_equal(values, [[1, np.nan], [np.nan, 2], [3, np.nan], [4, 50]])


def test_latin_1_header(table):
    rec = table("Zeit;Spannung Süd;\n0,000;1,5;\n0,001;2,5;\n".encode("latin-1"))
    assert rec.channels[0].name == "Spannung Süd"


def test_a_cut_last_row_is_left_out_and_said(table):
    rec = table("t,Va,Ia\n0,1,2\n0.001,3,4\n0.002,5")
    assert rec.samples == 2
    assert any("line 4" in w and "left out" in w for w in rec.warnings)


def test_cells_are_never_evaluated(table):
    with pytest.raises(InputError, match="line 3"):
        table("t,Va\n0,1\n0.001,=1+1\n0.002,3\n")
    assert table('t,"=cmd|calc [V]"\n0,1\n0.001,2\n').channels[0].name == "=cmd|calc"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t,Va,Ia\n0,1,2\n0.001,3\n0.002,5,6\n", ["line 3", "2 fields", "3"]),
        ("t,Va,Ia\n0,1,2\n0.001,3,4\n0.002,5,6,7\n", ["line 4", "4 fields"]),
        ("t,Va\n0,1\n0.001,abc\n0.002,2\n", ["line 3", "'abc'", "Va"]),
        ("t,Va\n0,1\n0.001,2\nnever,2\n0.003,3\n", ["line 4", "never"]),
        ("t,Va\n0,1\n,2\n0.003,3\n", ["line 3"]),
        (b"t,Va\n0,1\n0.001,\x002\n", ["line 3", "NUL"]),
        ("t,Va\n0,1\n1,2\n0.5,3\n-7,3\n", ["back"]),
        ("t,Va\n0,1\n0,2\n0,3\n", ["still"]),
        ("U1_1p_rms\n230\n231\n", ["rms"]),
        ("hello\nworld\n", ["no table"]),
        ("", ["no table"]),
        ("t,Va\n", ["no table"]),
        ("\n\n\n", ["no table"]),
        ("time\n0\n1\n2\n", ["no column of values"]),
        (",".join(["1"] * 1100) + "\n", ["1100 columns", "1024"]),
        (",".join(["1"] * 200_000) + "\n", ["columns"]),
        ("t,Va\n0,1\n" + "1" * (MAX_LINE + 10) + "\n", ["line 3", "more than"]),
        ("a" * (3 * MAX_LINE), ["line 1", "more than"]),
        ("t,Va\n2020-02-02 25:00:00,1\n2020-02-02 25:00:01,1\n", ["line 2"]),
        ("Va\n" + "1" * 400 + "e999\n", ["--rate"]),
        ("t,Va\n1e400,1\n2e400,2\n", ["line 2"]),
    ],
)
def test_what_is_refused_names_the_line(tmp_path, text, words):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as error:
        READER.read(path)
    for word in words:
        assert word in str(error.value)


def test_utf_16_is_refused_with_advice(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("t,Va\n0,1\n", encoding="utf-16")
    assert READER.sniff(path, path.read_bytes())
    with pytest.raises(InputError, match="UTF-16"):
        READER.read(path)


def test_binary_is_not_taken_for_text(tmp_path):
    assert not READER.sniff(tmp_path / "x.csv", bytes(range(256)))
    assert not READER.sniff(tmp_path / "x.cfg", b"1,2\n3,4\n5,6\n")


def test_large_tables_are_parsed_in_blocks(table):
    n = 400_000
    k = np.arange(n)
    text = "t,Va,Ia\n" + "".join(f"{i * 1e-4:.4f},{i % 977},{i % 331}\n" for i in range(n))
    assert len(text) > 5 << 20
    rec = table(text.replace("\n", "    \n", 300_000))  # more than one block
    np.testing.assert_array_equal(rec.read()[:, 0], k % 977)
    np.testing.assert_array_equal(rec.read(start=399_990)[:, 1], k[399_990:] % 331)
    assert rec.sample_rate == 10_000.0
    broken = text.replace(f"{350_000 * 1e-4:.4f},", f"{350_000 * 1e-4:.4f},x", 1).replace("\n", "    \n", 300_000)
    with pytest.raises(InputError, match="line 350002"):
        table(broken)


def test_random_damage_gives_results_or_input_errors(tmp_path):
    rng = random.Random(3)
    whole = ("Scope,1\nTime [ms];Va [V];Ia [A]\n" + "".join(f"{k / 10};{k % 7},5;-{k}\n" for k in range(40))).encode()
    path = tmp_path / "t.csv"
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 3)] = bytes(rng.choice(b'\x00\n\r,;."09eE+-\xff[]=a\t ') for _ in range(rng.randint(0, 3)))
        path.write_bytes(bytes(data))
        try:
            READER.read(path, rate=rng.choice([None, 1000.0])).read()
        except InputError:
            continue


def test_truncation_at_every_byte(tmp_path):
    whole = b"t [ms],Va [V],Ia [A]\n" + b"".join(b"%d,%d.5,%d.25\n" % (k, k, 2 * k) for k in range(12))
    full = np.array([[k + 0.5, 2 * k + 0.25] for k in range(12)])
    path = tmp_path / "t.csv"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        try:
            rec = READER.read(path)
        except InputError:
            continue
        values = rec.read()
        # the last field of a file without line end cannot be known to be whole
        keep = len(values) - (0 if size and whole[size - 1 : size] == b"\n" else 1)
        np.testing.assert_array_equal(values[:keep], full[:keep])


class TestReal:
    def test_modaq(self, recordings: Path):
        rec = roles.apply(READER.read(recordings / "modaq-csv" / "2020224_181521_PowRaw.csv"))
        assert rec.samples == 8000 and rec.gaps == () and rec.unresolved == ""
        assert rec.sample_rate == pytest.approx(50_000.0, rel=1e-4)
        assert rec.start == np.datetime64("2020-02-24T18:15:21.499998208")
        assert any("irregular" in w for w in rec.warnings)
        values = rec.read(["U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3"])
        assert (values[:, :3] * values[:, 3:]).sum(1).mean() == pytest.approx(-422e3, rel=0.01)
        assert np.sqrt((values[:, :3] ** 2).mean(0)).mean() * 3**0.5 == pytest.approx(13.9e3, rel=0.02)

    def test_rms_values_are_refused(self, recordings: Path):
        with pytest.raises(InputError, match="rms"):
            READER.read(recordings / "one-period-rms" / "event_data_level_low.csv")
