"""What is written is read back: samples, scales, times, gaps, and by independent readers too."""

from __future__ import annotations

import os
import wave

import comtrade as peer
import numpy as np
import pytest
from scipy.io import wavfile

from ctmeter.errors import CtmeterWarning, InputError, SettingsError, StoreError
from ctmeter.readers import comtrade as reads_comtrade
from ctmeter.readers import csv as reads_csv
from ctmeter.readers import numpy as reads_numpy
from ctmeter.readers import parquet as reads_parquet
from ctmeter.readers import wav as reads_wav
from ctmeter.recording import Channel, Gap, Recording, Segment, nanoseconds
from ctmeter.roles import apply
from ctmeter.writers import comtrade, csv, numpy, parquet, wav

#: What formats lose has a test of its own.
pytestmark = pytest.mark.filterwarnings("ignore:.*(cannot hold|has to say primary):ctmeter.errors.CtmeterWarning")
START = "2026-03-02T10:20:30.123456Z"
WRITERS = {".cfg": comtrade, ".cff": comtrade, ".csv": csv, ".npz": numpy, ".npy": numpy, ".parquet": parquet, ".wav": wav}
READERS = {
    **{".cfg": reads_comtrade, ".cff": reads_comtrade, ".csv": reads_csv, ".npz": reads_numpy, ".npy": reads_numpy},
    **{".parquet": reads_parquet, ".wav": reads_wav},
}


class Rows:
    """A source in memory that counts how many rows are asked for at once."""

    def __init__(self, raw: np.ndarray, status: np.ndarray | None = None) -> None:
        self._raw, self._status, self.most = raw, status, 0

    def raw(self, start: int, stop: int) -> np.ndarray:
        self.most = max(self.most, stop - start)
        return self._raw[start:stop]

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((stop - start, 0), np.uint8) if self._status is None else self._status[start:stop]

    def close(self) -> None:
        pass


def recording(
    raw: np.ndarray, rate: float = 12800.0, start: str | None = START, gaps=(), status=None, names=("U_L1", "I_L1"), **channel
) -> Recording:
    scales = [0.0123, 4.56e-3]
    channels = tuple(
        Channel(n, scale=s, offset=0.25, range=(-32767, 32767) if raw.dtype.kind == "i" else None, **channel)
        for n, s in zip(names, scales, strict=True)
    )
    segment = Segment(0, len(raw), rate, nanoseconds(start))
    status_names = () if status is None else tuple(f"D{k + 1}" for k in range(status.shape[1]))
    return Recording(Rows(raw, status), channels, (segment,), tuple(gaps), 50.0, status_channels=status_names)


def there_and_back(rec: Recording, path, rate: float | None = None, **options) -> Recording:
    WRITERS[path.suffix.lower()].WRITER.write(rec, path, **options)
    return READERS[path.suffix.lower()].READER.read(path, rate=rate)


def random_raw(dtype: str, rows: int = 3000, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype.startswith("i"):
        top = {"i2": 32766, "i4": 2**31 - 2}[dtype]
        return rng.integers(-top, top, (rows, 2)).astype(dtype)
    return (1e4 * rng.standard_normal((rows, 2))).astype(dtype)


# exact


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("ending", [".npz", ".parquet", ".wav", ".csv"])
def test_own_numbers_come_back_exactly(tmp_path, ending, dtype):
    rec = recording(random_raw(dtype))
    back = there_and_back(rec, tmp_path / f"x{ending}")
    np.testing.assert_array_equal(back.read(), rec.read())
    assert back.sample_rate == rec.sample_rate
    if ending != ".csv":
        assert back.source.raw(0, 10).dtype == dtype
        assert [(c.name, c.scale, c.offset, c.unit, c.range) for c in back.channels] == [
            (c.name, c.scale, c.offset, c.unit, c.range) for c in rec.channels
        ]
        assert back.nominal_frequency == 50.0
    assert back.start_ns == rec.start_ns


def test_npy_holds_volts_and_amperes(tmp_path):
    rec = recording(random_raw("i2"))
    back = there_and_back(rec, tmp_path / "x.npy", rate=12800.0)
    np.testing.assert_array_equal(back.read(), rec.read())
    assert [c.name for c in back.channels] == ["U_L1", "I_L1"]


EXACT = [("i2", 2013, e) for e in ("BINARY", "BINARY32", "FLOAT32", "ASCII", None)]
EXACT += [("i2", 1999, "BINARY"), ("i2", 1999, "ASCII"), ("i4", 2013, "BINARY32"), ("i4", 2013, "ASCII"), ("i4", 2013, None)]
EXACT += [("f4", 2013, "FLOAT32"), ("f4", 2013, None)]


@pytest.mark.parametrize(("dtype", "revision", "encoding"), EXACT)
@pytest.mark.parametrize("ending", [".cfg", ".cff", ".CFG"])
def test_comtrade_keeps_counts_that_fit(tmp_path, ending, dtype, revision, encoding):
    if ending == ".cff" and revision == 1999:
        return  # revision 1999 has no CFF
    rec = recording(random_raw(dtype), side="secondary", ratio=20.0, skew=1.5e-6)
    back = there_and_back(rec, tmp_path / f"x{ending}", revision=revision, encoding=encoding)
    np.testing.assert_array_equal(back.read(), rec.read())
    assert [(c.name, c.scale, c.offset, c.unit, c.ratio, c.side) for c in back.channels] == [
        (c.name, c.scale, c.offset, c.unit, c.ratio, c.side) for c in rec.channels
    ]
    assert back.channels[0].skew == pytest.approx(1.5e-6)
    assert (back.sample_rate, back.start_ns, back.samples, back.gaps) == (rec.sample_rate, rec.start_ns, rec.samples, ())
    assert back.nominal_frequency == 50.0


@pytest.mark.parametrize(
    ("dtype", "revision", "encoding", "limit"),
    [
        ("i4", 1999, None, 32766),
        ("f8", 1999, "BINARY", 32766),
        ("f8", 2013, "BINARY32", 2**31 - 2),
        ("f8", 1999, "ASCII", 99997),
        ("i4", 1999, "ASCII", 99997),
    ],
)
def test_comtrade_spreads_what_does_not_fit_over_the_whole_range(tmp_path, dtype, revision, encoding, limit):
    rec = recording(random_raw(dtype))
    back = there_and_back(rec, tmp_path / "x.cfg", revision=revision, encoding=encoding)
    truth = rec.read()
    count = (truth.max(0) - truth.min(0)) / (2 * limit)
    assert np.all(np.abs(back.read() - truth) <= 0.5000001 * count + 1e-9 * np.abs(truth))
    # nothing may look saturated
    raw, limits = back.source.raw(0, back.samples), back.channels[0].range
    assert limits is None or np.abs(raw).max() < limits[1]


def test_float64_as_float32_keeps_24_bits(tmp_path):
    rec = recording(random_raw("f8"))
    np.testing.assert_allclose(there_and_back(rec, tmp_path / "x.cfg").read(), rec.read(), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("encoding", ["BINARY", "BINARY32", "ASCII"])
def test_a_constant_comes_back(tmp_path, encoding):
    rec = recording(np.full((100, 2), 230.125))
    np.testing.assert_allclose(there_and_back(rec, tmp_path / "x.cfg", encoding=encoding).read(), rec.read(), rtol=1e-12)


def test_the_lowest_count_is_not_taken_for_missing(tmp_path):
    raw = random_raw("i2")
    raw[5] = -32768
    rec = recording(raw)
    for options in ({}, {"revision": 1999}, {"encoding": "BINARY"}):
        back = there_and_back(rec, tmp_path / "x.cfg", **options)
        np.testing.assert_allclose(back.read(), rec.read(), rtol=0, atol=0.01)
    assert not np.isnan(there_and_back(rec, tmp_path / "x.cfg").read()).any()


def test_the_ascii_count_for_missing_makes_way(tmp_path):
    raw = random_raw("i4")
    raw[7, 0] = 99999
    with pytest.warns(CtmeterWarning, match="1 counts of 99999"):
        back = there_and_back(recording(raw), tmp_path / "x.cfg", encoding="ASCII")
    assert not np.isnan(back.read()).any()


# missing samples, gaps, time


@pytest.mark.parametrize(
    ("ending", "options"),
    [(".cfg", {"encoding": e}) for e in ("BINARY", "BINARY32", "FLOAT32", "ASCII")] + [(".csv", {}), (".npz", {}), (".wav", {})],
)
@pytest.mark.parametrize("dtype", ["i2", "f8"])
def test_missing_samples_stay_missing(tmp_path, ending, options, dtype):
    raw = random_raw(dtype, 500)
    raw[100:110, 0] = -32768 if dtype == "i2" else np.nan
    raw[499, 1] = -32768 if dtype == "i2" else np.nan
    rec = recording(raw, missing=-32768.0 if dtype == "i2" else None)
    back = there_and_back(rec, tmp_path / f"x{ending}", **options)
    np.testing.assert_array_equal(np.isnan(back.read()), np.isnan(rec.read()))


GAPS = ((500, Gap(1)), (1000, Gap(12800)), (2500, Gap(77)))


@pytest.mark.parametrize(
    ("ending", "options"),
    [(".cfg", {"encoding": e, "revision": r}) for e in ("BINARY", "ASCII") for r in (1999, 2013)]
    + [(".cff", {}), (".cfg", {"encoding": "FLOAT32"}), (".csv", {}), (".npz", {}), (".wav", {})],
)
@pytest.mark.parametrize("start", [START, "2026-03-02T10:20:30.123456789Z", None])
@pytest.mark.parametrize("rate", [12800.0, 30707.244140625, 1000.0])
def test_gaps_and_times_come_back(tmp_path, ending, options, start, rate):
    rec = recording(random_raw("i2"), rate, start, GAPS)
    back = there_and_back(rec, tmp_path / f"x{ending}", **options)
    assert [(row, gap.samples) for row, gap in back.gaps] == [(row, gap.samples) for row, gap in GAPS]
    assert back.sample_rate == pytest.approx(rate, rel=1e-7)
    assert back.duration == pytest.approx(rec.duration, abs=2e-6)
    if start is None:
        assert back.start_ns in (None, 0)
    else:
        tolerance = 999 if options.get("revision") == 1999 else 0
        assert abs(back.start_ns - rec.start_ns) <= tolerance
    np.testing.assert_allclose(back.read(), rec.read(), rtol=0, atol=1e-9)


def test_long_recordings_do_not_overflow_their_stamps(tmp_path):
    day = 86_400
    raw = np.zeros((3000, 2), "i2")
    raw[:, 0] = np.arange(3000)
    rec = recording(raw, 12800.0, START, ((1000, Gap(day * 12800)),))
    back = there_and_back(rec, tmp_path / "x.cfg")
    assert [(row, gap.samples) for row, gap in back.gaps] == [(1000, day * 12800)]


def test_several_rates(tmp_path):
    raw = random_raw("i2", 3000)
    start = nanoseconds(START)
    segments = (Segment(0, 1000, 3200.0, start), Segment(1000, 1100, 50.0, start + 312_500_000), Segment(1100, 3000, 3200.0, start + 2_312_500_000))
    rec = recording(raw)
    rec.segments = segments
    for ending in (".cfg", ".cff", ".npz", ".wav"):
        back = there_and_back(rec, tmp_path / f"x{ending}")
        assert [(s.start, s.stop, s.sample_rate, s.start_ns) for s in back.segments] == [
            (s.start, s.stop, s.sample_rate, s.start_ns) for s in segments
        ]
        np.testing.assert_array_equal(back.read(), rec.read())


@pytest.mark.parametrize("encoding", ["BINARY", "BINARY32", "FLOAT32", "ASCII"])
@pytest.mark.parametrize("lines", [1, 16, 17, 40])
def test_status_channels(tmp_path, encoding, lines):
    status = np.random.default_rng(2).integers(0, 2, (400, lines)).astype(np.uint8)
    rec = recording(random_raw("i2", 400), status=status)
    back = there_and_back(rec, tmp_path / "x.cfg", encoding=encoding)
    assert back.status_channels == rec.status_channels
    np.testing.assert_array_equal(back.read_status(), status)


# independent readers


@pytest.mark.parametrize(
    ("revision", "encoding"), [(1999, "BINARY"), (1999, "ASCII"), (2013, "BINARY"), (2013, "BINARY32"), (2013, "FLOAT32"), (2013, "ASCII")]
)
@pytest.mark.parametrize("ending", [".cfg", ".cff"])
def test_another_reader_of_comtrade_agrees(tmp_path, revision, encoding, ending):
    if ending == ".cff" and revision == 1999:
        return  # revision 1999 has no CFF
    rec = recording(random_raw("i2", 1000))
    path = tmp_path / f"x{ending}"
    comtrade.WRITER.write(rec, path, revision=revision, encoding=encoding)
    other = peer.Comtrade()
    other.load(str(path)) if ending == ".cff" else other.load(str(path), str(path.with_suffix(".dat")))
    assert (other.rev_year, other.total_samples, other.analog_channel_ids) == (str(revision), 1000, ["U_L1", "I_L1"])
    np.testing.assert_allclose(np.array(other.analog).T, rec.read(), rtol=1e-6)
    assert other.start_timestamp.isoformat() == "2026-03-02T10:20:30.123456"
    assert other.time[999] == pytest.approx(999 / 12800, abs=1e-6)


@pytest.mark.filterwarnings("ignore:Chunk .non-data. not understood")
@pytest.mark.parametrize("encoding", ["int16", "int32", "float32", "float64"])
def test_another_reader_of_wav_agrees(tmp_path, encoding):
    raw = random_raw({"int16": "i2", "int32": "i4", "float32": "f4", "float64": "f8"}[encoding])
    path = tmp_path / "x.wav"
    wav.WRITER.write(recording(raw), path)
    rate, found = wavfile.read(path)
    assert rate == 12800
    np.testing.assert_array_equal(found, raw)
    if encoding.startswith("int"):
        with wave.open(str(path)) as file:
            assert (file.getnchannels(), file.getnframes(), file.getframerate()) == (2, 3000, 12800)


@pytest.mark.parametrize(
    ("dtype", "encoding", "error"),
    [("f8", "int16", 1 / 65532), ("f8", "int32", 1e-9), ("i4", "float64", 1e-15), ("i2", "float32", 1e-7), ("f8", "float32", 1e-7)],
)
def test_wav_of_another_encoding(tmp_path, dtype, encoding, error):
    rec = recording(random_raw(dtype))
    back = there_and_back(rec, tmp_path / "x.wav", encoding=encoding)
    truth = rec.read()
    np.testing.assert_allclose(back.read(), truth, rtol=0, atol=error * np.ptp(truth))


def test_numpy_loads_npz_without_pickle(tmp_path):
    rec = recording(random_raw("i2"))
    numpy.WRITER.write(rec, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["U_L1"] * found["scale_U_L1"] + found["offset_U_L1"], rec.read(["U_L1"])[:, 0])
        assert found["sample_rate"] == 12800.0 and found["start"] == rec.start_ns


# names


@pytest.mark.parametrize("ending", [".cfg", ".cff", ".csv", ".npz", ".parquet", ".wav"])
@pytest.mark.parametrize(
    "names",
    [("a,b", 'say "x"'), ("=1+1", "@cmd"), ("line\nbreak", "\t"), ("same", "same"), ("", "x" * 500), ("../../etc", "sample_rate"), ("Ünï", "电流")],
)
def test_hostile_names_do_no_harm(tmp_path, ending, names):
    rec = recording(random_raw("i2", 100), names=names, unit="V")
    back = there_and_back(rec, tmp_path / f"x{ending}")
    np.testing.assert_array_equal(back.read(), rec.read())
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({f"x{ending}"} | ({"x.dat"} if ending == ".cfg" else set()))


def test_spreadsheets_get_no_formulas(tmp_path):
    csv.WRITER.write(recording(random_raw("i2", 10), names=("=1+1", "-cmd"), unit="V"), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().split("\n")[0] == "time,'=1+1 [V],'-cmd [V]"


def test_roles_survive(tmp_path):
    rec = recording(random_raw("i2", 100), names=("ch1", "ch2"))
    rec.channels = tuple(Channel(c.name, c.scale, c.offset, u, role=r) for c, u, r in zip(rec.channels, "VA", ("U_L2", "I_L2"), strict=True))
    for ending in (".cfg", ".cff", ".csv", ".npz", ".wav"):
        back = there_and_back(rec, tmp_path / f"x{ending}")
        assert [c.role for c in apply(back).channels] == ["U_L2", "I_L2"], ending


@pytest.mark.parametrize("ending", [".cfg", ".cff", ".csv", ".npz", ".parquet", ".wav"])
@pytest.mark.parametrize("mapping", [None, {"U_L1": "-U21", "I_L1": "I2"}, {"U_L1": "I_L1", "I_L1": "-#4"}])
def test_turned_and_mapped_channels_are_turned_once(tmp_path, ending, mapping):
    raw = random_raw("i2", 50)[:, [0, 1, 0, 1]]
    own = [Channel(n, scale, unit=u) for n, scale, u in (("U21", 0.5, "V"), ("U32", 0.25, "V"), ("I2", 0.125, "A"), ("I1", 2.0, "A"))]
    if mapping and "#4" in mapping["I_L1"]:
        own[0] = Channel("I_L1", 0.5, unit="V")
    rec = apply(Recording(Rows(raw), tuple(own), (Segment(0, 50, 1000.0),)), mapping)
    back = apply(there_and_back(rec, tmp_path / f"x{ending}"))
    assert {c.role for c in rec.channels if c.role} <= {c.role for c in back.channels if c.role}
    for c in rec.channels:
        if c.role:
            np.testing.assert_array_equal(back.read([c.role]), rec.read([c.role]), c.role)


# behaviour


@pytest.mark.parametrize("ending", WRITERS)
def test_files_appear_whole_or_not_at_all(tmp_path, ending):
    class Broken(Rows):
        def raw(self, start, stop):
            if start > 0:
                raise OSError(5, "Input/output error")
            return super().raw(start, stop)

    rec = recording(random_raw("i2", 600_000))
    rec.source = Broken(rec.source.raw(0, 600_000))
    path = tmp_path / f"x{ending}"
    path.write_text("as it was")
    with pytest.raises((InputError, OSError)):
        WRITERS[ending].WRITER.write(rec, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "as it was"


@pytest.mark.parametrize("ending", WRITERS)
def test_writers_read_block_by_block(tmp_path, ending):
    rec = recording(np.zeros((700_000, 2), "i2"))
    WRITERS[ending].WRITER.write(rec, tmp_path / f"x{ending}")
    assert 0 < rec.source.most <= 1 << 19


@pytest.mark.parametrize("ending", WRITERS)
def test_the_same_recording_gives_the_same_bytes(tmp_path, ending):
    rec = recording(random_raw("i2", 100))
    paths = [tmp_path / f"{k}{ending}" for k in "ab"]
    for path in paths:
        WRITERS[ending].WRITER.write(rec, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert os.stat(paths[0]).st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("ending", WRITERS)
def test_faults_are_named(tmp_path, ending):
    writer = WRITERS[ending].WRITER
    with pytest.raises(SettingsError, match="colour"):
        writer.write(recording(random_raw("i2", 10)), tmp_path / f"x{ending}", colour="red")
    with pytest.raises(InputError, match="without samples"):
        writer.write(recording(np.zeros((0, 2), "i2")), tmp_path / f"x{ending}")
    with pytest.raises(StoreError, match="cannot be written"):
        writer.write(recording(random_raw("i2", 10)), tmp_path / "no-such-folder" / f"x{ending}")


@pytest.mark.parametrize(
    ("ending", "options", "words"),
    [
        (".cfg", {"revision": 1991}, "1991"),
        (".cfg", {"encoding": "EBCDIC"}, "EBCDIC"),
        (".cfg", {"revision": 1999, "encoding": "FLOAT32"}, "not in revision 1999"),
        (".cff", {"revision": 1999}, "no .cff"),
        (".wav", {"encoding": "mp3"}, "mp3"),
    ],
)
def test_options_that_cannot_be(tmp_path, ending, options, words):
    with pytest.raises(SettingsError, match=words):
        WRITERS[ending].WRITER.write(recording(random_raw("i2", 10)), tmp_path / f"x{ending}", **options)
    assert not list(tmp_path.iterdir())


def test_npy_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(InputError, match="npz"):
        numpy.WRITER.write(recording(random_raw("i2"), gaps=GAPS), tmp_path / "x.npy")


# real files


REAL = [
    "ion7650/keating_1999.CFG",
    "line-275kv/test1.cfg",
    "wisp/1.cfg",
    "wisp/3.cfg",
    "wisp/4.CFG",
    "fault-220kv/xtz.cfg",
    "ascii-1991/ascii_1991.cfg",
]


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("ending", [".cfg", ".cff", ".npz", ".parquet", ".wav"])
def test_real_recordings_survive(recordings, tmp_path, name, ending):
    rec = reads_comtrade.READER.read(recordings / name)
    back = there_and_back(rec, tmp_path / f"x{ending}")
    np.testing.assert_array_equal(back.read(), rec.read())
    assert back.samples == rec.samples
    np.testing.assert_allclose([s.sample_rate for s in back.segments], [s.sample_rate for s in rec.segments], rtol=2e-6)
    assert sum(g.samples for _, g in back.gaps) == sum(g.samples for _, g in rec.gaps)
    assert back.start_ns == rec.start_ns
    if ending in (".cfg", ".cff"):
        np.testing.assert_array_equal(back.read_status(), rec.read_status())
        assert [c.unit for c in back.channels] == [c.unit for c in rec.channels]


@pytest.mark.parametrize("ending", [".cfg", ".cff"])
def test_no_clock_stays_no_clock(tmp_path, ending):
    rec = recording(np.arange(40, dtype=np.int16).reshape(-1, 2), start=None)
    back = there_and_back(rec, tmp_path / f"x{ending}")
    assert back.start_ns is None and back.start is None and back.metadata["trigger_ns"] is None
    assert any("no clock" in w for w in back.warnings)
    # a clock that is right, and one that has failed at another time, are times
    assert there_and_back(recording(np.zeros((4, 2), np.int16), start="1970-01-01T00:00:00Z"), tmp_path / f"y{ending}").start_ns == 0
