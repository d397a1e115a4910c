"""Containers that lie, point in circles or are damaged: refused with a reason, in bounded time and memory."""

from __future__ import annotations

import random
import resource
import struct
import subprocess
import sys
import textwrap
import time
import warnings
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from ctmeter.errors import InputError
from ctmeter.readers import flac, hdf5, matlab, mdf, parquet, tdms

COLUMN = np.arange(2000) * 0.5


def refused(reader, path, match, seconds=5.0, **options):
    """Refused in time, and without more memory than a recording may take."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with pytest.raises(InputError, match=match), reader.READER.read(path, **options) as rec:
        for at in range(0, rec.samples, 1 << 16):
            rec.source.raw(at, min(at + (1 << 16), rec.samples))
    assert time.monotonic() - started < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10


def survives(reader, path, data: bytes, rounds: int, seed: int) -> None:
    """Bytes changed at random: an InputError or a recording, nothing else."""
    rng = random.Random(seed)
    for _ in range(rounds):
        broken = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            broken[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            broken = broken[: rng.randrange(1, len(broken))]
        path.write_bytes(broken)
        try:
            with reader.READER.read(path) as rec:
                rec.read(stop=5000)
        except InputError:
            pass


# ---- Parquet


def parquet_bytes(tmp_path, columns=None, **metadata):
    path = tmp_path / "x.parquet"
    table = pa.table(columns or {"Va": COLUMN}).replace_schema_metadata({"sample_rate": "1000", **metadata})
    pq.write_table(table, path)
    return path, path.read_bytes()


def test_parquet_cut_anywhere(tmp_path):
    path, data = parquet_bytes(tmp_path)
    for size in range(1, len(data), 13):
        path.write_bytes(data[:size])
        with pytest.raises(InputError):
            parquet.READER.read(path)


@pytest.mark.parametrize("length", [0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20])
def test_parquet_footers_that_lie(tmp_path, length):
    path, data = parquet_bytes(tmp_path)
    path.write_bytes(data[:-8] + length.to_bytes(4, "little") + b"PAR1")
    refused(parquet, path, "footer|damaged")


def varint(number: int) -> bytes:
    """A zigzag number as thrift writes it."""
    number = number << 1 if number >= 0 else (-number << 1) - 1
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


@pytest.mark.parametrize("rows", [10**12, 2**62, -5, 10**7])
def test_parquet_rows_that_lie(tmp_path, rows):
    """Every number of rows in the footer is replaced."""
    path, data = parquet_bytes(tmp_path)
    length = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - length : -8].replace(varint(len(COLUMN)), varint(rows))
    path.write_bytes(data[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    refused(parquet, path, "rows|damaged|sample")


def test_parquet_with_absurd_columns_and_metadata(tmp_path):
    path, _ = parquet_bytes(tmp_path, {f"c{k}": np.ones(2) for k in range(5000)})
    refused(parquet, path, "5000 columns")
    path, _ = parquet_bytes(tmp_path, sample_rate="1e400")
    refused(parquet, path, "sample rate")
    path, _ = parquet_bytes(tmp_path, sample_rate="-5")
    refused(parquet, path, "sample rate")
    path, _ = parquet_bytes(tmp_path, ctmeter='{"channels": [' * 50_000)
    with parquet.READER.read(path) as rec:
        assert "ignored" in " ".join(rec.warnings)
    path, _ = parquet_bytes(tmp_path, ctmeter='{"channels": [{"name": "a"}], "segments": [{"start": 0, "stop": 1e18, "sample_rate": 1}], "gaps": []}')
    with parquet.READER.read(path) as rec:
        assert "ignored" in " ".join(rec.warnings) and rec.samples == len(COLUMN)


def test_parquet_of_zeros_that_unpacks_to_gigabytes(tmp_path):
    """Runs of zeros: 400 million rows in less than a megabyte are refused before they are read."""
    path = tmp_path / "x.parquet"
    schema = pa.schema([("Va", pa.float32())], metadata={"sample_rate": "1000"})
    block = pa.record_batch([pa.array(np.zeros(20_000_000, np.float32))], schema=schema)
    with pq.ParquetWriter(path, schema, compression="zstd", write_statistics=False) as writer:
        for _ in range(20):
            writer.write_batch(block)
    assert path.stat().st_size < 1 << 20
    refused(parquet, path, "claim to unpack to 1600000000")


def test_parquet_random_damage(tmp_path):
    path, data = parquet_bytes(tmp_path, {"Va": COLUMN, "n": np.arange(2000)})
    survives(parquet, path, data, 400, 1)


# ---- HDF5


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py", reason="the extra hdf5 is not installed")


def test_hdf5_of_nothing_that_claims_terabytes(tmp_path, h5py):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["fs"] = 1000.0
        file.create_dataset("Va", shape=(10**12,), dtype="f8", chunks=(1024,))
    refused(hdf5, tmp_path / "x.h5", "says 8000000000000 bytes, of which 0 are stored")


def test_hdf5_bomb(tmp_path, h5py):
    """1 GB of zeros, packed twice."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["fs"] = 1000.0
        data = file.create_dataset("Va", shape=(128 << 20,), dtype="f8", chunks=(1 << 20,), compression="gzip", compression_opts=9)
        packed = zlib.compress(bytes(8 << 20), 9)
        for k in range(128):
            data.id.write_direct_chunk((k << 20,), packed)
    refused(hdf5, tmp_path / "x.h5", "are stored")


def test_hdf5_huge_chunks(tmp_path, h5py):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["fs"] = 1000.0
        data = file.create_dataset("Va", shape=(1 << 28,), dtype="f8", chunks=(1 << 28,), compression="gzip")
        data.id.write_direct_chunk((0,), np.random.default_rng(1).bytes(3 << 20))
    refused(hdf5, tmp_path / "x.h5", "chunks of 2147483648 bytes")


def test_hdf5_does_not_leave_its_file(tmp_path, h5py):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\1" * 8000)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["Va"] = COLUMN
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["fs"] = 1000.0
        file["Va"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/Va")
        file["Vb"] = h5py.SoftLink("/nowhere")
    refused(hdf5, tmp_path / "x.h5", "nothing in the file")
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file.attrs["fs"] = 1000.0
        file.create_dataset("Va", (1000,), "f8", external=[(str(secret), 0, 8000)])
    refused(hdf5, tmp_path / "y.h5", "lies in other files")
    with h5py.File(tmp_path / "z.h5", "w") as file:
        file.attrs["fs"] = 1000.0
        layout = h5py.VirtualLayout((len(COLUMN),), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "Va", (len(COLUMN),))
        file.create_virtual_dataset("Va", layout)
    refused(hdf5, tmp_path / "z.h5", "lies in other files")


def test_hdf5_objects_and_circles(tmp_path, h5py):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["fs"] = 1000.0
        file.create_dataset("Va", (100,), h5py.string_dtype())
        file.create_dataset("ref", (100,), h5py.ref_dtype)
        group = file.create_group("a")
        group["again"] = file["/"]
        group["a"] = group
    refused(hdf5, tmp_path / "x.h5", "nothing in the file")


def test_hdf5_of_many_objects(tmp_path, h5py):
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        for k in range(10_050):
            file.create_group(str(k))
    refused(hdf5, tmp_path / "x.h5", "more than 10000 objects", 20.0)


def test_hdf5_cut_and_damaged(tmp_path, h5py):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["fs"] = 1000.0
        file.create_dataset("Va", data=COLUMN, chunks=(500,), compression="gzip")
    data = (tmp_path / "x.h5").read_bytes()
    for size in range(1, len(data), 97):
        (tmp_path / "x.h5").write_bytes(data[:size])
        with pytest.raises(InputError):
            hdf5.READER.read(tmp_path / "x.h5")
    # damage inside the library itself must not end this process, should there be any
    script = """
        import random, sys, pathlib
        from ctmeter.errors import InputError
        from ctmeter.readers.hdf5 import READER
        path = pathlib.Path(sys.argv[1]); data = path.read_bytes(); rng = random.Random(3)
        for _ in range(300):
            broken = bytearray(data)
            for _ in range(rng.choice((1, 1, 4))):
                broken[rng.randrange(len(data))] = rng.randrange(256)
            path.write_bytes(broken)
            try:
                with READER.read(path) as rec:
                    rec.read(stop=5000)
            except InputError:
                pass
    """
    (tmp_path / "x.h5").write_bytes(data)
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "x.h5")], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-2000:]


# ---- MATLAB


def matrix(kind: int, name: bytes, shape: tuple[int, ...], body: bytes) -> bytes:
    dims = struct.pack(f"<II{len(shape)}i", 5, 4 * len(shape), *shape)
    inside = (
        struct.pack("<IIII", 6, 8, kind, 0) + dims + bytes(-len(dims) % 8) + struct.pack("<II", 1, len(name)) + name + bytes(-len(name) % 8) + body
    )
    return struct.pack("<II", 14, len(inside)) + inside


def mat(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)


def test_matlab_cut_anywhere(tmp_path):
    savemat(tmp_path / "x.mat", {"fs": 1000.0, "Va": COLUMN, "Vb": COLUMN})
    data = (tmp_path / "x.mat").read_bytes()
    seen = set()
    for size in [*range(1, 400), *range(400, len(data), 61)]:
        (tmp_path / "x.mat").write_bytes(data[:size])
        try:
            with matlab.READER.read(tmp_path / "x.mat") as rec:
                seen.add(tuple(c.name for c in rec.channels))
                np.testing.assert_array_equal(rec.read()[:, 0], COLUMN)
        except InputError:
            pass
    assert seen == {("Va",)}


@pytest.mark.parametrize("shape", [(2**31 - 1, 2**31 - 1), (-1, 5), (2**30,), (0, 5), (1,) * 40])
def test_matlab_shapes_that_lie(tmp_path, shape):
    path = tmp_path / "x.mat"
    path.write_bytes(mat(matrix(6, b"Va", shape, struct.pack("<II", 9, 80) + bytes(80))))
    refused(matlab, path, "damaged|nothing in the file", rate=1000.0)


def test_matlab_nested_without_end(tmp_path):
    element = matrix(6, b"Va", (10, 1), struct.pack("<II", 9, 80) + bytes(80))
    for _ in range(20_000):
        element = matrix(1, b"", (1, 1), element)
        if len(element) > 1 << 20:
            break
    (tmp_path / "x.mat").write_bytes(mat(element))
    refused(matlab, tmp_path / "x.mat", "nothing in the file", rate=1000.0)


def test_matlab_of_many_arrays(tmp_path):
    empty = struct.pack("<II", 14, 0)
    (tmp_path / "x.mat").write_bytes(mat(matrix(1, b"c", (150_000, 1), empty * 150_000)))
    refused(matlab, tmp_path / "x.mat", "more than 100000 arrays", 20.0, rate=1000.0)


def test_matlab_bomb(tmp_path):
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    (tmp_path / "x.mat").write_bytes(mat(struct.pack("<II", 15, len(data)) + data))
    refused(matlab, tmp_path / "x.mat", "unpack to more than", 10.0, rate=1000.0)


def test_matlab_random_damage(tmp_path):
    for compressed in (False, True):
        savemat(tmp_path / "x.mat", {"fs": 1000.0, "s": {"Va": COLUMN, "n": "text", "c": [1, "a"]}}, do_compression=compressed)
        survives(matlab, tmp_path / "x.mat", (tmp_path / "x.mat").read_bytes(), 400, 2)


# ---- TDMS


@pytest.fixture
def nptdms():
    return pytest.importorskip("nptdms", reason="the extra tdms is not installed")


def tdms_bytes(tmp_path, nptdms):
    with nptdms.TdmsWriter(tmp_path / "x.tdms") as file:
        file.write_segment([nptdms.ChannelObject("g", "Va", COLUMN, {"wf_increment": 1e-3, "unit_string": "V"})])
    return tmp_path / "x.tdms", (tmp_path / "x.tdms").read_bytes()


@pytest.mark.parametrize("count", [2**63 - 1, 10**12, 2001 * 2])
def test_tdms_counts_that_lie(tmp_path, nptdms, count):
    """Refused, or what is there and nothing else."""
    path, data = tdms_bytes(tmp_path, nptdms)
    broken = bytearray(data)
    at = data.index(struct.pack("<Q", len(COLUMN)), 28)
    broken[at : at + 8] = struct.pack("<Q", count)
    path.write_bytes(broken)
    try:
        with tdms.READER.read(path) as rec:
            np.testing.assert_array_equal(rec.read()[:, 0], COLUMN[: rec.samples])
    except InputError:
        pass


def test_tdms_of_many_objects(tmp_path, nptdms):
    path, data = tdms_bytes(tmp_path, nptdms)
    path.write_bytes(data[:28] + struct.pack("<I", 0xFFFFFFFF) + data[32:])
    refused(tdms, path, "damaged|nothing")


def test_tdms_random_damage(tmp_path, nptdms):
    path, data = tdms_bytes(tmp_path, nptdms)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        survives(tdms, path, data[:300] + data[300:], 400, 3)


# ---- MDF


@pytest.fixture(scope="module")
def mdf_bytes(tmp_path_factory):
    asammdf = pytest.importorskip("asammdf", reason="the extra mdf is not installed")
    path = tmp_path_factory.mktemp("mdf") / "x.mf4"
    times = np.arange(len(COLUMN)) / 1000
    with asammdf.MDF(version="4.10") as file:
        file.append([asammdf.Signal(COLUMN, times, name=n, unit="V") for n in ("Va", "Vb")], common_timebase=True)
        file.append([asammdf.Signal(COLUMN, times, name="Vc", unit="V")])
        file.save(path, overwrite=True, compression=1)
    return path.read_bytes()


def block(data: bytes, kind: bytes, number: int = 0) -> int:
    at = -1
    for _ in range(number + 1):
        at = data.index(kind, at + 1)
    return at


@pytest.mark.parametrize("kind", [b"##DG", b"##CG", b"##CN"])
def test_mdf_lists_in_circles(tmp_path, mdf_bytes, kind):
    """The next one is the block itself."""
    at = block(mdf_bytes, kind)
    broken = bytearray(mdf_bytes)
    broken[at + 24 : at + 32] = at.to_bytes(8, "little")
    (tmp_path / "x.mf4").write_bytes(broken)
    refused(mdf, tmp_path / "x.mf4", "comes back to itself")


@pytest.mark.parametrize("kind", [b"##DG", b"##CG", b"##CN"])
@pytest.mark.parametrize("target", [2**63, 10**9, 7])
def test_mdf_links_that_leave_the_file(tmp_path, mdf_bytes, kind, target):
    at = block(mdf_bytes, kind)
    broken = bytearray(mdf_bytes)
    broken[at + 24 : at + 32] = target.to_bytes(8, "little")
    (tmp_path / "x.mf4").write_bytes(broken)
    refused(mdf, tmp_path / "x.mf4", "leaves the file")


def test_mdf_records_that_are_not_there(tmp_path, mdf_bytes):
    at = block(mdf_bytes, b"##CG")
    links = int.from_bytes(mdf_bytes[at + 16 : at + 24], "little")
    place = at + 24 + 8 * links + 8
    assert int.from_bytes(mdf_bytes[place : place + 8], "little") == len(COLUMN)
    broken = bytearray(mdf_bytes)
    broken[place : place + 8] = (10**12).to_bytes(8, "little")
    (tmp_path / "x.mf4").write_bytes(broken)
    refused(mdf, tmp_path / "x.mf4", "are there")


def test_mdf_bomb(tmp_path, mdf_bytes):
    """A packed block that claims to unpack to 100 GB."""
    at = block(mdf_bytes, b"##DZ")
    broken = bytearray(mdf_bytes)
    broken[at + 24 + 8 : at + 24 + 16] = (10**11).to_bytes(8, "little")
    (tmp_path / "x.mf4").write_bytes(broken)
    refused(mdf, tmp_path / "x.mf4", "claim to unpack")


def test_mdf_that_was_never_finalised_is_not_written_to(tmp_path, mdf_bytes):
    (tmp_path / "x.mf4").write_bytes(b"UnFinMF " + mdf_bytes[8:])
    refused(mdf, tmp_path / "x.mf4", "never finalised")
    assert (tmp_path / "x.mf4").read_bytes()[8:] == mdf_bytes[8:]


def test_mdf_of_another_version(tmp_path, mdf_bytes):
    (tmp_path / "x.mf4").write_bytes(mdf_bytes[:8] + b"3.30    " + mdf_bytes[16:])
    refused(mdf, tmp_path / "x.mf4", "MDF version 3.30")


# the library's own destructor stumbles over what its constructor left unfinished
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_mdf_random_damage(tmp_path, mdf_bytes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        survives(mdf, tmp_path / "x.mf4", mdf_bytes, 150, 4)


# ---- FLAC


def test_flac_frames_that_lie(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="the extra audio is not installed")
    path = tmp_path / "x.flac"
    soundfile.write(path, (COLUMN * 10).astype("i2"), 8000)
    data = path.read_bytes()
    # the number of samples is the lower 36 bits of bytes 18 to 26
    word = int.from_bytes(data[18:26], "big")
    assert word & (2**36 - 1) == len(COLUMN)
    for count in (2**36 - 1, 10**9):
        path.write_bytes(data[:18] + (word - len(COLUMN) + count).to_bytes(8, "big") + data[26:])
        refused(flac, path, "claim")
    for count in (0, 10_000):
        path.write_bytes(data[:18] + (word - len(COLUMN) + count).to_bytes(8, "big") + data[26:])
        with flac.READER.read(path) as rec:
            # the decoder may refuse the last one, behind which it finds nothing
            assert len(COLUMN) - 1 <= rec.samples <= len(COLUMN) and "are there" in " ".join(rec.warnings)
    survives(flac, path, data, 300, 5)
