"""NPZ and NPY: what is understood, and headers that lie."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import numpy as np
import pytest

from ctmeter.errors import InputError
from ctmeter.readers.numpy import READER
from ctmeter.recording import nanoseconds

U = np.sin(np.arange(500) / 10)


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def npy(header: str | bytes, data: bytes = b"", version: int = 1) -> bytes:
    head = header.encode() if isinstance(header, str) else header
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(head)) + head + data


@pytest.mark.parametrize("start", [nanoseconds("2026-01-01T00:00:00.5Z"), np.datetime64("2026-01-01T00:00:00.5"), "2026-01-01T00:00:00.5Z"])
@pytest.mark.parametrize("pack", [np.savez, np.savez_compressed])
def test_npz_of_roles(tmp_path, pack, start):
    path = tmp_path / "x.npz"
    raw = (1000 * U).astype("i2")
    pack(path, U_L1=U, I_L1=raw, scale_I_L1=0.001, offset_I_L1=0.5, sample_rate=6400.0, start=start, nominal_frequency=60, notes=np.ones((2, 2)))
    assert READER.sniff(path, path.read_bytes()[:100])
    rec = READER.read(path)
    np.testing.assert_array_equal(rec.read(["U_L1"])[:, 0], U)
    np.testing.assert_array_equal(rec.read(["I_L1"])[:, 0], raw * 0.001 + 0.5)
    assert (rec.sample_rate, rec.start_ns, rec.nominal_frequency) == (6400.0, nanoseconds("2026-01-01T00:00:00.5Z"), 60.0)
    assert any("notes" in w for w in rec.warnings)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", ">i2", ">f8", "u1", "u2", "f2", "f4", "f8"])
def test_dtypes(tmp_path, dtype):
    values = np.arange(100).astype(dtype)
    rec = READER.read(save(tmp_path / "x.npz", U_L1=values, scale_U_L1=1.0, sample_rate=1000))
    np.testing.assert_array_equal(rec.read()[:, 0], np.arange(100.0))
    assert rec.source.raw(0, 1).dtype in (np.int16, np.int32, np.float32, np.float64)


@pytest.mark.parametrize(
    ("array", "names"),
    [(U, ["ch1"]), (np.stack((U, 2 * U), 1), ["ch1", "ch2"]), (np.asfortranarray(np.stack((U, 2 * U), 1)), ["ch1", "ch2"]),
     (np.rec.fromarrays((U, 2 * U), names="U_L1,I_L1"), ["U_L1", "I_L1"])],
)  # fmt: skip
def test_npy(tmp_path, array, names):
    np.save(tmp_path / "x.npy", array)
    rec = READER.read(tmp_path / "x.npy", rate=1000.0)
    assert [c.name for c in rec.channels] == names
    np.testing.assert_array_equal(rec.read(), np.stack([(k + 1) * U for k in range(len(names))], 1))
    with pytest.raises(InputError, match="--rate"):
        READER.read(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"U_L1": U}, "--rate"),
        ({"U_L1": U, "I_L1": U[:-1], "sample_rate": 1.0}, "different length"),
        ({"U_L1": U.astype("i4"), "sample_rate": 1000.0}, "scale_U_L1"),
        ({"U_L1": U, "sample_rate": -5.0}, "-5"),
        ({"U_L1": U, "sample_rate": np.nan}, "not finite"),
        ({"U_L1": U, "sample_rate": 1000.0, "start": "yesterday"}, "yesterday"),
        ({"sample_rate": 1000.0}, "no one-dimensional"),
        ({"U_L1": U[:0], "sample_rate": 1000.0}, "empty"),
    ],
)
def test_npz_faults(tmp_path, arrays, words):
    with pytest.raises(InputError, match=words):
        READER.read(save(tmp_path / "x.npz", **arrays))


def test_pickles_are_never_loaded(tmp_path):
    np.savez(tmp_path / "x.npz", U_L1=np.array([{}, []], dtype=object), sample_rate=1.0)
    with pytest.raises(InputError, match="pickled"):
        READER.read(tmp_path / "x.npz")
    np.save(tmp_path / "x.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="pickled"):
        READER.read(tmp_path / "x.npy", rate=1.0)


@pytest.mark.parametrize(
    "data",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2000000000,), }\n"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10, 1000000000000000000000), }\n"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n", bytes(80)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }\n"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", bytes(80)),
        npy("{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }\n", bytes(80)),
        npy("{'descr': '<U7', 'fortran_order': False, 'shape': (1,), }\n", bytes(80)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1), }\n", bytes(80)),
        npy("{'descr': [('a', '<f8', (1000000000,))], 'fortran_order': False, 'shape': (1,), }\n", bytes(80)),
        npy("__import__('os').system('true')\n"),
        npy("(" * 5000),
        npy(b"\xff\xfe" * 40),
        npy("{}", version=9),
        npy("x" * 60000),
        b"\x93NUMPY\x01\x00\xff\xff",
        b"\x93NUMPY",
    ],
)
def test_npy_headers_that_lie(tmp_path, data):
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(InputError):
        READER.read(tmp_path / "x.npy", rate=1000.0)


def zipped(tmp_path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def member(values) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def test_archives_that_lie(tmp_path):
    lying = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2000000000,), }\n", bytes(80))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with pytest.raises(InputError, match="the archive has"):
            READER.read(zipped(tmp_path, {"U_L1.npy": lying}, method), rate=1000.0)
    with pytest.raises(InputError, match="members"):
        READER.read(zipped(tmp_path, {f"{k}.npy": b"" for k in range(5000)}), rate=1000.0)
    (tmp_path / "y.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match="damaged"):
        READER.read(tmp_path / "y.npz")


def test_bombs_are_refused_by_what_they_claim(tmp_path):
    path = zipped(tmp_path, {"U_L1.npy": member(U), "sample_rate.npy": member(1000.0)})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"PK\x01\x02"))
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="claim to unpack"):
        READER.read(path)


def test_names_are_never_paths(tmp_path):
    path = zipped(tmp_path, {"../../evil.npy": member(U), "sample_rate.npy": member(1000.0)})
    assert READER.read(path).channels[0].name == "../../evil"
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"channels": 5}', '{"channels": [{"name": "U_L1", "scale": 1e999}]}', "[" * 100_000,
             '{"channels": [{"name": "U_L1"}], "segments": [{"start": 0, "stop": 7, "sample_rate": 1000}]}',
             '{"channels": [{"name": "U_L1"}], "segments": [{"start": 0, "stop": 500, "sample_rate": -1}]}',
             '{"channels": [{"name": "U_L1"}], "segments": [{"start": 0, "stop": 500, "sample_rate": 1000}], "gaps": [[9, -4, ""]]}'],
)  # fmt: skip
def test_a_description_that_does_not_fit_is_ignored_and_said(tmp_path, text):
    rec = READER.read(save(tmp_path / "x.npz", U_L1=U, sample_rate=1000.0, ctmeter=text))
    assert rec.sample_rate == 1000.0 and any("ctmeter" in w for w in rec.warnings)


@pytest.mark.parametrize("pack", [np.savez, np.savez_compressed])
def test_random_damage_gives_results_or_input_errors(tmp_path, pack):
    rng = random.Random(3)
    path = tmp_path / "x.npz"
    pack(path, U_L1=U[:40], I_L1=U[:40], sample_rate=6400.0, start="2026-01-01T00:00:00Z")
    whole = path.read_bytes()
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data))]
        path.write_bytes(bytes(data))
        try:
            READER.read(path).read()
        except InputError:
            continue
