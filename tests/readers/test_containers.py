"""Parquet, HDF5, MATLAB, TDMS, MDF and FLAC: what their rules say, on files made by the libraries themselves."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

import ctmeter
from ctmeter.errors import InputError
from ctmeter.readers import flac, hdf5, matlab, mdf, parquet, tdms

START = np.datetime64("2026-03-02T10:20:30.123456789", "ns").astype(np.int64).item()
RATE, ROWS = 12800.0, 3000
RAW = np.random.default_rng(3).integers(-30000, 30000, (ROWS, 3)).astype("<i2")


def said(rec) -> str:
    return " | ".join(rec.warnings)


def same_in_parts(rec) -> None:
    """Any part is that of the whole, in any order."""
    whole = rec.source.raw(0, rec.samples)
    for start, stop in ((100, 200), (0, 10), (1990, 2010), (150, 160), (rec.samples - 5, rec.samples), (7, 7)):
        np.testing.assert_array_equal(rec.source.raw(start, stop), whole[start:stop])


# ---- Parquet


def write_parquet(path, columns, metadata=None, fields=None, **options):
    schema = pa.schema([pa.field(n, pa.array(c).type, metadata=(fields or {}).get(n)) for n, c in columns.items()], metadata=metadata)
    pq.write_table(pa.table([pa.array(c) for c in columns.values()], schema=schema), path, **options)
    return path


@pytest.mark.parametrize("options", [{}, {"row_group_size": 700}, {"compression": "zstd", "row_group_size": 1999, "data_page_size": 512}])
def test_parquet_by_its_metadata(tmp_path, options):
    fields = {n: {"unit": "kV", "scale": "0.5", "offset": "2"} for n in ("Va", "Vb", "Vc")}
    metadata = {"sample_rate": "12800", "start": "2026-03-02T10:20:30.123456789Z", "nominal_frequency": "50"}
    path = write_parquet(tmp_path / "x.parquet", dict(zip(("Va", "Vb", "Vc"), RAW.T, strict=True)), metadata, fields, **options)
    with ctmeter.read(path) as rec:
        np.testing.assert_array_equal(rec.read(), RAW * 500.0 + 2000.0)
        assert (rec.sample_rate, rec.start_ns, rec.nominal_frequency, rec.format) == (RATE, START, 50.0, "Parquet")
        assert [c.role for c in rec.channels] == ["U_L1", "U_L2", "U_L3"] and rec.source.raw(0, 1).dtype == np.int16
        same_in_parts(rec)


@pytest.mark.parametrize("kind", ["timestamp", "zoned", "us", "float", "ns"])
def test_parquet_by_a_column_of_time(tmp_path, kind):
    ns = START + np.rint(np.r_[np.arange(2000), np.arange(2010, 3010)] * 1e9 / 10_000).astype(np.int64)
    column = {
        "timestamp": lambda: pa.array(ns, pa.timestamp("ns")),
        "zoned": lambda: pa.array(ns, pa.timestamp("ns", "UTC")),
        "us": lambda: pa.array(ns // 1000, pa.timestamp("us")),
        "float": lambda: pa.array((ns - ns[0]) * 1e-9),
        "ns": lambda: pa.array(ns),
    }[kind]()
    path = write_parquet(tmp_path / "x.parquet", {"time": column, "U_L1": RAW[:, 0] * 1.0})
    with parquet.READER.read(path) as rec:
        assert rec.sample_rate == 10_000.0 and [(r, g.samples) for r, g in rec.gaps] == [(2000, 10)]
        assert rec.start_ns == {"float": None, "us": START // 1000 * 1000}.get(kind, START)
        assert [c.name for c in rec.channels] == ["U_L1"]


def eq_wave(tmp_path, dtype="<i4", columns=7, **metadata):
    names = ("VA", "VB", "VC", "IA", "IB", "IC", "IN")[:columns]
    told = {"vscale": "0.0125", "iscale": "0.003", "start_time": "2026-03-02T10:20:30.123456789Z", "schema_version": "3", **metadata}
    data = {n: (RAW[:, k % 3].astype(dtype) * (k + 1)).astype(dtype) for k, n in enumerate(names)}
    marks = {"cycle_start_a": pa.array([None] * ROWS, pa.int64())}
    return write_parquet(tmp_path / "x.parquet", data | marks, {k: v for k, v in told.items() if v is not None})


def test_eq_wave(tmp_path):
    """Counts times vscale, iscale, and iscale over the neutral's ratio; 32 kHz."""
    with ctmeter.read(eq_wave(tmp_path, neutral_ct_ratio="20")) as rec:
        scales = np.array([0.0125] * 3 + [0.003] * 3 + [0.003 / 20])
        np.testing.assert_allclose(rec.read(), RAW[:, [0, 1, 2, 0, 1, 2, 0]] * np.arange(1, 8) * scales, rtol=1e-14)
        assert [c.role for c in rec.channels] == ["U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3", "I_N"]
        assert (rec.sample_rate, rec.start_ns, rec.warnings, rec.format) == (32_000.0, START, [], "Parquet, EQ Wave")
    with ctmeter.read(eq_wave(tmp_path)) as rec:
        assert rec.channels[6].scale == pytest.approx(0.003 / 30, rel=1e-15) and "30 times" in said(rec)


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ({"topology": "single_phase", "neutral_connected": "false"}, ["VA", "IA", "IB", "IC"]),
        ({"topology": "split_phase", "neutral_connected": "False"}, ["VA", "VB", "IA", "IB", "IC"]),
        ({"topology": "three_phase", "neutral_connected": "true"}, ["VA", "VB", "VC", "IA", "IB", "IC", "IN"]),
    ],
)
def test_eq_wave_leaves_out_what_was_not_measured(tmp_path, metadata, names):
    with parquet.READER.read(eq_wave(tmp_path, **metadata)) as rec:
        assert [c.name for c in rec.channels] == names


def test_eq_wave_of_floats_is_in_volts(tmp_path):
    with parquet.READER.read(eq_wave(tmp_path, "<f4", vscale=None, iscale=None)) as rec:
        np.testing.assert_array_equal(rec.read(["VB"])[:, 0], RAW[:, 1].astype("f4") * 2)


def test_eq_wave_without_scales(tmp_path):
    with pytest.raises(InputError, match="vscale"):
        parquet.READER.read(eq_wave(tmp_path, vscale=None))


def test_a_table_of_results_is_no_recording(tmp_path):
    path = write_parquet(tmp_path / "basic.parquet", {"t": np.arange(5), "duration": np.ones(5), "flags": np.zeros(5, "u4"), "U_L1": np.ones(5)})
    with pytest.raises(InputError, match="a table of results"):
        parquet.READER.read(path)


def test_what_parquet_lacks(tmp_path):
    columns = {"U_L1": RAW[:, 0] * 1.0}
    with pytest.raises(InputError, match="no sample rate"):
        parquet.READER.read(write_parquet(tmp_path / "x.parquet", columns))
    assert parquet.READER.read(tmp_path / "x.parquet", rate=5000.0).sample_rate == 5000.0
    with pytest.raises(InputError, match="without a scale: ch"):
        parquet.READER.read(write_parquet(tmp_path / "y.parquet", {"ch": RAW[:, 0]}, {"sample_rate": "100"}))
    with pytest.raises(InputError, match="nothing in the file"):
        parquet.READER.read(write_parquet(tmp_path / "z.parquet", {"name": ["a", "b"]}))
    with pytest.raises(InputError, match="missing"):
        parquet.READER.read(write_parquet(tmp_path / "t.parquet", {"t": pa.array([1, None, 3], pa.timestamp("ns")), "U_L1": np.ones(3)}))


def test_parquet_nulls_are_missing_samples(tmp_path):
    column = pa.array([1, None, 3], pa.int16())
    path = write_parquet(tmp_path / "x.parquet", {"Va": column}, {"sample_rate": "5000"}, {"Va": {"unit": "V"}})
    np.testing.assert_array_equal(parquet.READER.read(path).read()[:, 0], [1.0, np.nan, 3.0])
    path = write_parquet(path, {"Va": column}, {"sample_rate": "5000"}, {"Va": {"unit": "V"}}, write_statistics=False)
    with pytest.raises(InputError, match="missing"):
        parquet.READER.read(path).read()
    path = write_parquet(tmp_path / "y.parquet", {"Va": pa.array([1.0, None, 3.0])}, {"sample_rate": "5000"})
    np.testing.assert_array_equal(parquet.READER.read(path).read()[:, 0], [1.0, np.nan, 3.0])


# ---- HDF5


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py", reason="the extra hdf5 is not installed")


@pytest.mark.parametrize("options", [{}, {"chunks": (256,), "compression": "gzip", "shuffle": True}])
def test_hdf5(tmp_path, h5py, options):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["sample_rate"] = RATE
        group = file.create_group("wave")
        group.attrs["start_time"] = "2026-03-02T10:20:30.123456789Z"
        for k, name in enumerate(("Va", "Vb", "Vc")):
            data = group.create_dataset(name, data=RAW[:, k], **options)
            data.attrs["unit"], data.attrs["scale"], data.attrs["offset"] = "V", 0.5, np.float64(2.0)
        file["note"] = "hello"
    with ctmeter.read(tmp_path / "x.h5") as rec:
        np.testing.assert_array_equal(rec.read(), RAW * 0.5 + 2.0)
        assert (rec.sample_rate, rec.start_ns, rec.format, rec.warnings) == (RATE, START, "HDF5", [])
        assert [c.role for c in rec.channels] == ["U_L1", "U_L2", "U_L3"]
        same_in_parts(rec)


@pytest.mark.parametrize("turned", [False, True])
def test_hdf5_tables_and_scalars(tmp_path, h5py, turned):
    """Two tables, voltages and currents, with dt beside them; time is the longer side."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["dt"] = 1 / RATE
        for name, factor in (("U", 1.0), ("I", 0.1)):
            file[name] = (RAW * factor).T if turned else RAW * factor
    with ctmeter.read(tmp_path / "x.h5") as rec:
        names = ["U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3"]
        assert {c.role for c in rec.channels} == set(names) and rec.sample_rate == RATE
        np.testing.assert_array_equal(rec.read(names), np.column_stack([RAW * 1.0, RAW * 0.1]))
        same_in_parts(rec)


def test_hdf5_compound_data_with_time(tmp_path, h5py):
    table = np.zeros(ROWS, [("time", "f8"), ("U_L1", "f4"), ("I_L1", "f4"), ("text", "S4")])
    table["time"], table["U_L1"], table["I_L1"] = np.arange(ROWS) / 5000, RAW[:, 0], RAW[:, 1]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["table"] = table
    with hdf5.READER.read(tmp_path / "x.h5") as rec:
        np.testing.assert_array_equal(rec.read(), RAW[:, :2])
        assert rec.sample_rate == 5000.0 and [c.name for c in rec.channels] == ["U_L1", "I_L1"]


def test_hdf5_records_of_the_same_channels_are_segments(tmp_path, h5py):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for k in (1, 0, 2):
            group = file.create_group(f"event{k}")
            group.attrs["fs"], group.attrs["start"] = 5000, f"2026-01-01T00:00:0{k}Z"
            group["Va"], group["Ia"] = RAW[k * 1000 : k * 1000 + 1000, 0] * 1.0, RAW[k * 1000 : k * 1000 + 1000, 1] * 1.0
        file["other"] = np.ones(7)
    with hdf5.READER.read(tmp_path / "x.h5") as rec:
        np.testing.assert_array_equal(rec.read(["Va", "Ia"]), RAW[:, :2])
        assert [s.stop for s in rec.segments] == [1000, 2000, 3000] and not rec.gaps
        assert rec.metadata["records"] == ["event0", "event1", "event2"]


def test_hdf5_other_records_are_named(tmp_path, h5py):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["fs"] = 5000.0
        file["a/Va"], file["b/Vb"] = np.ones(100), np.ones(50)
    rec = hdf5.READER.read(tmp_path / "x.h5")
    assert [c.name for c in rec.channels] == ["Va"] and "left out" in said(rec) and "b" in said(rec)
    rec.close()


# ---- MATLAB


@pytest.mark.parametrize("compressed", [False, True])
def test_matlab_5_vectors(tmp_path, compressed):
    data = {
        "Va": RAW[:, 0] * 0.1,
        "Ia": RAW[:, 1].astype("f4"),
        "fs": RATE,
        "start": "2026-03-02T10:20:30.123456789Z",
        "note": "x",
        "big": np.ones((3, 3, 3)),
    }
    savemat(tmp_path / "x.mat", data, do_compression=compressed)
    with ctmeter.read(tmp_path / "x.mat") as rec:
        np.testing.assert_array_equal(rec.read(), np.column_stack([data["Va"], data["Ia"]]))
        assert (rec.sample_rate, rec.start_ns, rec.format) == (RATE, START, "MATLAB 5")
        assert [c.role for c in rec.channels] == ["U_L1", "I_L1"] and "by their names" in said(rec)
        same_in_parts(rec)


def test_matlab_5_whole_numbers_of_doubles_are_values(tmp_path):
    """MATLAB stores them as integers; an array of class int16 needs a scale."""
    savemat(tmp_path / "x.mat", {"Va": RAW[:, 0], "fs": 5000.0})
    with pytest.raises(InputError, match="without a scale: Va"):
        matlab.READER.read(tmp_path / "x.mat")
    savemat(tmp_path / "y.mat", {"Va": RAW[:, 0], "fs": 5000.0, "scale_Va": 0.5})
    assert matlab.READER.read(tmp_path / "y.mat").channels[0].scale == 0.5
    element = bytearray((tmp_path / "x.mat").read_bytes())
    at = element.index(b"Va") - 28  # the flags of the array, before its dimensions: their class becomes that of doubles
    assert element[at] == 10
    element[at] = 6
    (tmp_path / "z.mat").write_bytes(element)
    np.testing.assert_array_equal(matlab.READER.read(tmp_path / "z.mat").read()[:, 0], RAW[:, 0])


@pytest.mark.parametrize("compressed", [False, True])
def test_matlab_5_structures_and_repetitions(tmp_path, compressed):
    nested = {"run": {f"R{k}": RAW[k * 1000 : k * 1000 + 1000] * 1.0 for k in range(3)}, "fs": 1000.0}
    savemat(tmp_path / "x.mat", {"s": nested}, do_compression=compressed)
    with matlab.READER.read(tmp_path / "x.mat") as rec:
        np.testing.assert_array_equal(rec.read(), RAW)
        assert [c.name for c in rec.channels] == ["column 1", "column 2", "column 3"]
        assert [s.stop for s in rec.segments] == [1000, 2000, 3000] and [r for r, _ in rec.gaps] == [1000, 2000]
        assert "3 tables of 3 columns" in said(rec) and "without a clock" in said(rec)
        same_in_parts(rec)


def test_matlab_5_of_the_other_byte_order(tmp_path):
    savemat(tmp_path / "x.mat", {"Va": RAW[:, 0] * 1.0, "fs": 1000.0})
    little = (tmp_path / "x.mat").read_bytes()

    def turned(data: bytes, at: int = 0) -> bytes:
        """Every word of an element's head, and its numbers, the other way round."""
        import struct

        out = b""
        while at < len(data):
            kind, size = struct.unpack("<II", data[at : at + 8])
            if kind >> 16:
                kind, size, body = kind & 0xFFFF, kind >> 16, data[at + 4 : at + 8]
                width = {1: 1, 2: 1, 5: 4, 6: 4, 9: 8}[kind]
                out += struct.pack(">HH", size, kind) + b"".join(body[k : k + width][::-1] for k in range(0, 4, width))
                at += 8
                continue
            body = data[at + 8 : at + 8 + size]
            width = {1: 1, 2: 1, 5: 4, 6: 4, 9: 8, 14: 0}[kind]
            body = turned(body) if not width else b"".join(body[k : k + width][::-1] for k in range(0, size, width))
            out += struct.pack(">II", kind, size) + body + bytes(-size % 8)
            at += 8 + size + -size % 8
        return out

    (tmp_path / "y.mat").write_bytes(little[:124] + b"\x01\x00MI" + turned(little[128:]))
    with ctmeter.read(tmp_path / "y.mat") as rec:
        np.testing.assert_array_equal(rec.read()[:, 0], RAW[:, 0])
        assert rec.sample_rate == 1000.0


def test_matlab_73(tmp_path, h5py):
    with h5py.File(tmp_path / "x.mat", "w", userblock_size=512) as file:
        file["s/Va"], file["s/Ia"], file["s/fs"] = (RAW[:, 0] * 1.0)[None], (RAW[:, 1] * 1.0)[None], np.array([[RATE]])
    with open(tmp_path / "x.mat", "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM")
    with ctmeter.read(tmp_path / "x.mat") as rec:
        np.testing.assert_array_equal(rec.read(["Va", "Ia"]), RAW[:, :2])
        assert (rec.format, rec.sample_rate) == ("MATLAB 7.3", RATE)


def test_a_real_file_of_motor_currents(recordings):
    """65 records of 1 s at 1 kHz of three columns: neither rate nor names are in the file, and there is no voltage."""
    path = recordings / "motor-currents-mat" / "Data_ITSC.mat"
    with pytest.raises(InputError, match="no sample rate"):
        ctmeter.read(path)
    with ctmeter.read(path, rate=1000.0) as rec:
        assert len(rec.segments) == 65 and rec.samples == 65_000 and not any(c.role for c in rec.channels) and rec.unresolved
    with ctmeter.read(path, rate=1000.0, map={"I_L1": "column 1", "I_L2": "column 2", "I_L3": "column 3"}) as rec:
        assert "currents only" in said(rec)
        result = ctmeter.measure(rec, nominal_frequency=60)
        assert result.mean["U_L1"] is None and result.mean["P"] is None and result.energy["A+"] is None
        rms = np.sqrt(np.mean(rec.read() ** 2, axis=0))
        assert [result.mean[f"I_L{k}"] for k in (1, 2, 3)] == pytest.approx(rms, rel=0.01)
        assert any("currents only" in w for w in result.summary["recording"]["warnings"])


# ---- TDMS


def test_tdms(tmp_path):
    nptdms = pytest.importorskip("nptdms", reason="the extra tdms is not installed")
    start = np.datetime64("2026-03-02T10:20:30.123456")
    waveform = {"wf_increment": 1 / RATE, "wf_start_time": start, "wf_start_offset": 0.5}
    with nptdms.TdmsWriter(tmp_path / "x.tdms") as file:
        for part in (RAW[:1000], RAW[1000:]):
            channels = [nptdms.ChannelObject("g", n, part[:, k] * 0.5, {**waveform, "unit_string": "V"}) for k, n in enumerate(("Va", "Vb"))]
            counts = nptdms.ChannelObject("h", "Ia", part[:, 2], {**waveform, "unit_string": "A"})
            slow = nptdms.ChannelObject("h", "temperature", part[:10, 2] * 1.0, {"wf_increment": 1.0})
            file.write_segment([nptdms.RootObject({"name": "x"}), *channels, counts, slow])
    with ctmeter.read(tmp_path / "x.tdms") as rec:
        np.testing.assert_array_equal(rec.read(), RAW * [0.5, 0.5, 1.0])
        assert [c.role for c in rec.channels] == ["U_L1", "U_L2", "I_L1"]
        assert (rec.sample_rate, rec.start_ns, rec.format) == (RATE, START // 1000 * 1000 + 500_000_000, "TDMS")
        assert "left out" in said(rec)
        same_in_parts(rec)


# ---- MDF


def write_mdf(path, asammdf, compression=0):
    times = np.arange(ROWS) / RATE + 0.25
    with asammdf.MDF(version="4.10") as file:
        file.header.abs_time = START
        linear = {"a": 0.5, "b": 2.0}
        file.append([asammdf.Signal(RAW[:, k], times, name=n, unit="V", conversion=linear) for k, n in enumerate(("Va", "Vb"))], common_timebase=True)
        file.append([asammdf.Signal(RAW[:, 2] * 0.1, times, name="Ia", unit="A")])
        file.append([asammdf.Signal(RAW[::2, 2] * 0.1, times[::2], name="half", unit="A")])
        file.append([asammdf.Signal(RAW[:, 0] * 1.0, times, name="formula", unit="V", conversion={"formula": "X1*2"})])
        file.save(path, overwrite=True, compression=compression)
    return path


@pytest.mark.parametrize("compression", [0, 1, 2])
def test_mdf(tmp_path, compression):
    asammdf = pytest.importorskip("asammdf", reason="the extra mdf is not installed")
    with ctmeter.read(write_mdf(tmp_path / "x.mf4", asammdf, compression)) as rec:
        np.testing.assert_array_equal(rec.read(), np.column_stack([RAW[:, :2] * 0.5 + 2.0, RAW[:, 2] * 0.1]))
        assert [c.role for c in rec.channels] == ["U_L1", "U_L2", "I_L1"]
        assert (rec.sample_rate, rec.start_ns, rec.format) == (RATE, START + 250_000_000, "MDF 4.10")
        assert "left out: formula" in said(rec) and "left out, since they have other channels or instants: group 3" in said(rec)
        same_in_parts(rec)


# ---- FLAC


@pytest.fixture
def soundfile():
    return pytest.importorskip("soundfile", reason="the extra audio is not installed")


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24), ("PCM_S8", 8)])
def test_flac(tmp_path, soundfile, subtype, bits):
    counts = RAW.astype("i4") >> (16 - bits) if bits < 16 else RAW.astype("i4") << (bits - 16)
    soundfile.write(tmp_path / "x.flac", counts << (32 - bits), 12800, subtype=subtype)
    with ctmeter.read(tmp_path / "x.flac", map={"U_L1": "ch1", "I_L1": "ch3"}) as rec:
        np.testing.assert_array_equal(rec.source.raw(0, ROWS), counts)
        np.testing.assert_array_equal(rec.read(), counts / 2.0 ** (bits - 1))
        assert (rec.sample_rate, rec.samples, rec.format) == (RATE, ROWS, f"FLAC {bits} bit")
        same_in_parts(rec)


def test_flac_that_is_cut_off(tmp_path, soundfile):
    rng = np.random.default_rng(1)
    counts = rng.integers(-30000, 30000, (50_000, 2)).astype("i2")
    soundfile.write(tmp_path / "x.flac", counts, 12800)
    data = (tmp_path / "x.flac").read_bytes()
    (tmp_path / "x.flac").write_bytes(data[: len(data) // 2])
    with flac.READER.read(tmp_path / "x.flac") as rec:
        assert 10_000 < rec.samples < 26_000 and f"{rec.samples} are there" in said(rec)
        np.testing.assert_array_equal(rec.source.raw(0, rec.samples), counts[: rec.samples])


# ---- libraries that are not there


@pytest.mark.parametrize(
    ("reader", "library", "extra", "head"),
    [
        (hdf5, "h5py", "hdf5", b"\x89HDF\r\n\x1a\n"),
        (matlab, "h5py", "hdf5", b"MATLAB 7.3 MAT-file"),
        (tdms, "nptdms", "tdms", b"TDSm"),
        (flac, "soundfile", "audio", b"fLaC"),
        (mdf, "asammdf", "mdf", None),
    ],
)
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, reader, library, extra, head):
    path = tmp_path / "x.bin"
    path.write_bytes((head or b"MDF     ") + bytes(200))
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(mdf, "check", lambda _: None)
    assert importlib.util.find_spec("ctmeter") is not None
    with pytest.raises(InputError, match=library) as caught:
        reader.READER.read(path)
    assert caught.value.expected == f'pip install "ctmeter[{extra}]"'
