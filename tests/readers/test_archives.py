"""Recordings in archives: what belongs together comes together, and hostile archives get nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import tempfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ctmeter.errors import InputError
from ctmeter.readers.archives import Limits, contents, is_archive, members
from readers.comtrade_files import cfg_text, dat_bytes, samples, states

TABLE = b"t [s],Va [V],Ia [A]\n0,1,2\n0.001,3,4\n0.002,5,6\n"
CFG, DAT = cfg_text(file_type="BINARY").encode(), dat_bytes("BINARY", samples(), states())
PACK = {"": lambda b: b, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def zipped(path: Path, *entries, method=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def tarred(path: Path, *entries, pack: str = "") -> Path:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    path.write_bytes(PACK[pack](held.getvalue()))
    return path


def made(tmp_path: Path, kind: str, *entries) -> Path:
    return zipped(tmp_path / "x.zip", *entries) if kind == "zip" else tarred(tmp_path / f"x.tar{kind}", *entries, pack=kind)


def listed(path: Path, **options) -> dict[str, str]:
    """Format of each member, or why there is none."""
    found = {}
    for name, recording, error in members(path, **options):
        assert (recording is None) != (error is None)
        found[name] = str(error) if recording is None else recording.format
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path, monkeypatch):
    """Scratch files are gone afterwards, and nothing was written anywhere else."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = set(tmp_path.rglob("*"))
    yield
    left = {p for p in tmp_path.rglob("*") if p not in before}
    assert not [p for p in left if p.name.split(".")[0] not in ("x", "y")], left


KINDS = ("zip", "", ".gz", ".bz2", ".xz")


@pytest.mark.parametrize("kind", KINDS)
def test_members_one_after_the_other(tmp_path, kind):
    """CFG and DAT come together whatever lies between them and however they are written."""
    entries = [("a/one.csv", TABLE), ("b/Fault.CFG", CFG), ("a/two.csv", TABLE), ("b/fault.dat", DAT), ("c/", b""), ("notes", b"no recording\n")]
    path = made(tmp_path, kind, *[e for e in entries if kind == "zip" or e[1]])
    assert is_archive(path)
    seen = []
    for name, recording, error in members(path):
        seen.append(name)
        if name == "b/Fault.CFG":
            np.testing.assert_array_equal(recording.source.raw(0, 20), samples())
        elif name != "notes":
            np.testing.assert_array_equal(recording.read(), [[1, 2], [3, 4], [5, 6]])
            assert recording.path == path and recording.metadata["member"] == name
        else:
            assert "unknown format" in error.problem and error.path == f"{path}: notes"
    assert seen == ["a/one.csv", "a/two.csv", "b/Fault.CFG", "notes"]


def test_a_member_is_open_until_the_next_one(tmp_path):
    path = zipped(tmp_path / "x.zip", ("1.csv", TABLE), ("2.csv", TABLE))
    found = members(path, rate=1000.0, map={"U_L1": "Va"})
    first, second = next(found).recording, next(found).recording
    with pytest.raises(InputError, match="closed"):
        first.read()
    assert [c.role for c in second.channels] == ["U_L1", None] and second.samples == 3
    found.close()
    with pytest.raises(InputError, match="closed"):
        second.read()


def test_a_cfg_without_its_dat_and_a_dat_without_its_cfg(tmp_path):
    found = listed(zipped(tmp_path / "x.zip", ("a.cfg", CFG), ("b.dat", DAT), ("c.csv", TABLE)))
    assert found["c.csv"] == "CSV" and "(expected a.dat)" in found["a.cfg"] and found["b.dat"]


def test_numpy_files_are_no_archives_in_archives(tmp_path):
    held = io.BytesIO()
    np.savez(held, U_L1=np.ones(5), sample_rate=1000.0)
    (tmp_path / "y.npz").write_bytes(held.getvalue())
    assert not is_archive(tmp_path / "y.npz")
    assert listed(zipped(tmp_path / "x.zip", ("u.npz", held.getvalue()))) == {"u.npz": "NPZ"}


def test_what_is_no_archive(tmp_path):
    (tmp_path / "x.csv").write_bytes(TABLE)
    with pytest.raises(InputError, match="no archive"):
        next(members(tmp_path / "x.csv"))


# ---- hostile archives

HOSTILE_NAMES = ["../up.csv", "a/../../up.csv", "/etc/up.csv", "..\\up.csv", "C:\\up.csv", "\\\\host\\up.csv", "x" * 3000 + ".csv"]


@pytest.mark.parametrize("kind", ["zip", ""])
@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_names_that_lead_out(tmp_path, kind, name):
    found = listed(made(tmp_path, kind, (name, TABLE), ("good.csv", TABLE)))
    assert found.pop("good.csv") == "CSV"
    (why,) = found.values()
    assert "has a name that leads out" in why or "has no name" in why
    assert not (tmp_path.parent / "up.csv").exists() and len(next(iter(found))) <= 1024


@pytest.mark.parametrize("kind", ["zip", ""])
def test_names_are_shown_without_their_control_signs(tmp_path, kind):
    assert listed(made(tmp_path, kind, ("a\x1b[31m\n.csv", TABLE))) == {"a?[31m?.csv": "CSV"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["zip", ""])
def test_names_that_come_twice(tmp_path, kind):
    found = [(m.name, m.error) for m in members(made(tmp_path, kind, ("a.csv", TABLE), ("a.csv", TABLE + b"0.003,7,8\n")))]
    assert [e is None for _, e in found] == [True, False] and "was there before" in str(found[1][1])
    listed = contents(made(tmp_path, kind, ("a.cfg", TABLE), ("a.dat", TABLE), ("a.cfg", TABLE), ("a.dat", TABLE)))
    assert [(c.name, bool(c.refused)) for c in listed] == [("a.cfg", False), ("a.cfg", True), ("a.dat", True)] and listed[0].size == 2 * len(TABLE)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar(tmp_path, kind):
    info = tarfile.TarInfo("a.csv")
    info.type, info.linkname = kind, "/etc/passwd"
    found = listed(tarred(tmp_path / "x.tar", (info, b""), ("b.csv", TABLE)))
    assert "a link or a device" in found["a.csv"] and found["b.csv"] == "CSV"


def test_links_in_zip(tmp_path):
    info = zipfile.ZipInfo("a.csv")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    found = listed(zipped(tmp_path / "x.zip", (info, b"/etc/passwd"), ("b.csv", TABLE)))
    assert "a link or a device" in found["a.csv"] and found["b.csv"] == "CSV"


@pytest.mark.parametrize("packed", [False, True])
def test_a_member_far_larger_than_its_archive(tmp_path, packed):
    info = tarfile.TarInfo("a.csv")
    info.size = 10**15
    data = info.tobuf(tarfile.GNU_FORMAT) + TABLE
    (tmp_path / "x.tar").write_bytes(gzip.compress(data) if packed else data)
    started = time.monotonic()
    with pytest.raises(InputError, match="a damaged archive"):
        contents(tmp_path / "x.tar")
    assert time.monotonic() - started < 2


def test_a_file_that_is_packed_alone(tmp_path):
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(TABLE * 100))
    with pytest.raises(InputError, match=r"packed by gzip, but no tar archive.*unpacked"):
        contents(tmp_path / "x.csv.gz")


def test_sparse_files(tmp_path):
    """A terabyte of holes in a few bytes of tar."""
    info = tarfile.TarInfo("a.csv")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40), "GNU.sparse.name": "a.csv"}
    path = tarred(tmp_path / "x.tar", (info, b"1\n1\n1\n".ljust(512, b"\0") + b"x"))
    started = time.monotonic()
    assert "is sparse" in listed(path)["a.csv"]
    assert time.monotonic() - started < 2


def test_archives_in_archives(tmp_path):
    inner = zipped(tmp_path / "y.zip", ("a.csv", TABLE)).read_bytes()
    found = listed(zipped(tmp_path / "x.zip", ("inner.zip", inner), ("inner.csv.gz", gzip.compress(TABLE)), ("inner.bin", inner)))
    assert all("an archive in an archive" in why for why in found.values()) and len(found) == 3


def test_encrypted_members(tmp_path):
    path = zipped(tmp_path / "x.zip", ("a.csv", TABLE))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in listed(path)["a.csv"]


def refused(path: Path, match: str, seconds: float = 10.0, **options) -> list[str]:
    """The archive is refused, in bounded time and memory; gives what came before."""
    names = []
    started = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=match):
            for member in members(path, **options):
                names.append(member.name)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < seconds
    return names


@pytest.mark.parametrize("kind", ["zip", "", ".gz"])
def test_too_many_members(tmp_path, kind):
    path = made(tmp_path, kind, *[(f"{k}.csv", TABLE) for k in range(30)])
    refused(path, "more than 20 members", limits=Limits(members=20))
    assert len(listed(path, limits=Limits(members=30))) == 30


def test_a_million_members_in_a_zip(tmp_path):
    """The directory says so; it is not read."""
    path = zipped(tmp_path / "x.zip", ("a.csv", TABLE))
    data = bytearray(path.read_bytes())
    entry = data[data.index(b"PK\x01\x02") : data.index(b"PK\x05\x06")]
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 1_000_000 * len(entry), data.index(b"PK\x01\x02"), 0)
    path.write_bytes(bytes(data[: data.index(b"PK\x01\x02")]) + bytes(entry) * 1_000_000 + end)
    refused(path, "more than 10000 members")
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, len(entry), 0)
    path.write_bytes(bytes(data[: data.index(b"PK\x05\x06")]) + wide + struct.pack("<4sLQL", b"PK\x06\x07", 0, data.index(b"PK\x05\x06"), 1) + end)
    refused(path, "more than 10000 members")


def test_a_million_members_in_a_tar(tmp_path):
    block = tarfile.TarInfo("a.csv").tobuf()
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(block * 100_000 + bytes(1024), 1))
    refused(tmp_path / "x.tar.gz", "more than")


@pytest.mark.parametrize("kind", ["zip", ".gz", ".bz2", ".xz"])
def test_bombs(tmp_path, kind):
    """400 MB of zeros in less than 2 MB: refused at 200 to 1, before half a gigabyte is written."""
    path = tmp_path / "x.bin"
    size = 400 << 20
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as member:
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))
    else:
        info = tarfile.TarInfo("a.csv")
        info.size = size
        opened = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[kind]
        with opened(path, "wb") as out:
            out.write(info.tobuf())
            for _ in range(size >> 20):
                out.write(bytes(1 << 20))
            out.write(bytes(1024))
    assert path.stat().st_size < 2 << 20
    assert refused(path, "unpack to more than", 20.0) == []


def test_a_zip_whose_members_share_their_bytes(tmp_path):
    """Overlapping members: every entry of the directory leads to the one that is there."""
    rng = np.random.default_rng(1)
    noise = b"\n".join(b"%d,%d" % tuple(p) for p in rng.integers(0, 10**9, (200_000, 2)))
    path = zipped(tmp_path / "x.zip", ("a.csv", b"t,U_L1\n" + noise))
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")
    entry = data[at : data.index(b"PK\x05\x06")]
    many = b"".join(entry.replace(b"a.csv", b"%c%03d." % (97 + k // 1000, k % 1000)) for k in range(9000))
    path.write_bytes(data[:at] + many + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9000, 9000, len(many), at, 0))
    started = time.monotonic()
    try:
        found = listed(path, limits=Limits(size=100 << 20))
        assert all("damaged" in why for why in found.values())
    except InputError as error:
        assert "unpack to more than" in str(error)
    assert time.monotonic() - started < 30


def test_sizes_that_lie(tmp_path):
    """A zip that says 100 bytes for 50 MB, and one that says 4 GB for 100 bytes."""
    for real, said in ((50 << 20, 100), (100, 0xFFFFFFF0)):
        path = zipped(tmp_path / "x.zip", ("a.csv", bytes(real)))
        data = bytearray(path.read_bytes())
        at = data.index(b"PK\x01\x02")
        data[at + 24 : at + 28] = said.to_bytes(4, "little")
        path.write_bytes(data)
        assert list(listed(path)) == ["a.csv"] and listed(path)["a.csv"] != "CSV"


def test_a_header_of_a_name_that_fills_the_memory(tmp_path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 300 << 20
    with gzip.open(tmp_path / "x.tar.gz", "wb", 1) as out:
        out.write(info.tobuf())
        for _ in range(300):
            out.write(b"x" * (1 << 20))
    refused(tmp_path / "x.tar.gz", "a header of 314572800 bytes", limits=Limits(ratio=10**6))


@pytest.mark.parametrize("kind", KINDS)
def test_archives_that_are_cut(tmp_path, kind):
    """Whole members first, then an error; never silence."""
    path = made(tmp_path, kind, ("a.csv", TABLE), ("b.csv", TABLE * 1))
    data = path.read_bytes()
    for size in range(1, len(data), 1 if kind == "zip" else 61 if not kind else 7):
        path.write_bytes(data[:size])
        seen = []
        try:
            seen = [m.name for m in members(path) if m.recording is not None]
        except InputError:
            continue
        # the end mark of tar is a kilobyte of zeros, of which half is enough
        assert seen == ["a.csv", "b.csv"], (size, seen)


def test_random_damage(tmp_path):
    rng = np.random.default_rng(5)
    for kind in ("zip", "", ".gz"):
        data = made(tmp_path, kind, ("a.csv", TABLE), ("b.cfg", CFG), ("b.dat", DAT)).read_bytes()
        path = tmp_path / "y.bin"
        for _ in range(120):
            broken = bytearray(data)
            for at in rng.integers(0, len(data), 3):
                broken[at] = rng.integers(0, 256)
            path.write_bytes(broken)
            try:
                for member in members(path):
                    if member.recording is not None:
                        member.recording.read()
            except InputError:
                pass


def test_half_of_the_free_disk_at_most(tmp_path, monkeypatch):
    import shutil

    path = tarred(tmp_path / "x.tar", ("a.csv", b"1,2\n" * 100_000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: os.terminal_size((1, 1)) and type("D", (), {"free": 100_000})())
    refused(path, "half of the free disk")
