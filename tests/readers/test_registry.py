"""Finding the reader, and what is no recording at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ctmeter import readers
from ctmeter.errors import CtmeterWarning, InputError, SettingsError
from ctmeter.recording import Channel, Recording, Segment

TABLE = "t [s],Va [V],Ia [A]\n0,1,2\n0.001,3,4\n0.002,5,6\n"


class Rows:
    closed = False

    def raw(self, start, stop):
        return np.zeros((stop - start, 2))

    def status(self, start, stop):
        return np.zeros((stop - start, 0), np.uint8)

    def close(self):
        self.closed = True


class Other:
    """A third party's reader."""

    name = "other"
    extensions = (".oth",)
    source = Rows()
    asked = 0

    def sniff(self, path, head):
        self.asked += 1
        return head.startswith(b"OTHER")

    def read(self, path, *, rate=None, **options):
        return Recording(self.source, (Channel("Va", unit="V"), Channel("ch2")), (Segment(0, 5, rate or 1000.0),))


class Entry:
    def __init__(self, name, value, load):
        self.name, self.value, self.load = name, value, load


@pytest.fixture
def other(monkeypatch):
    found, real = Other(), readers._registry.importlib.metadata.entry_points

    def entry_points(group):
        return [Entry("other", "elsewhere:READER", lambda: found), *real(group=group)]

    monkeypatch.setattr(readers._registry.importlib.metadata, "entry_points", entry_points)
    return found


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_formats_are_told_by_content_and_each_is_asked_once(tmp_path, other):
    own = ["COMTRADE", "CSV", "FLAC", "HDF5", "MATLAB", "MDF", "NUMPY", "PARQUET", "PQDIF", "TDMS", "WAV"]
    assert [r.name.upper() for r in readers.readers()][: len(own)] == own
    rec = readers.read(write(tmp_path / "x.bin", b"OTHER!"))
    assert rec.channels[0].role == "U_L1" and other.asked == 1
    assert rec.path == tmp_path / "x.bin"
    assert readers.read(write(tmp_path / "x.csv", TABLE)).format == "CSV"


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_paths_of_any_kind(tmp_path, kind):
    assert readers.read(kind(write(tmp_path / "x.csv", TABLE))).samples == 3


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", bytes(257) + b"ustar"])
def test_archives_are_named(tmp_path, head):
    with pytest.raises(InputError, match="an archive") as caught:
        readers.read(write(tmp_path / "x.bin", head + bytes(300)))
    assert "archives.members" in caught.value.expected


@pytest.mark.parametrize("url", ["ftp://bucket/x.cfg", "file:///x.cfg", "hdfs://b/x"])
def test_urls_are_refused_clearly(url):
    with pytest.raises(InputError, match="not supported"):
        readers.read(url)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path / "empty.csv", "")
    for name, words in (
        ("missing.cfg", "no such file"),
        ("", "directory"),
        ("pipe", "not a regular file"),
        ("empty.csv", "empty"),
        ("x\0y", "cannot be opened"),
    ):
        with pytest.raises(InputError, match=words):
            readers.read(str(tmp_path / name) if name else tmp_path)
    with pytest.raises(InputError, match="not a regular file"):
        readers.read("/dev/zero")
    (tmp_path / "link").symlink_to(write(tmp_path / "x.csv", TABLE))
    assert readers.read(tmp_path / "link").samples == 3


def test_unknown_formats_list_what_was_tried(tmp_path):
    with pytest.raises(InputError) as error:
        readers.read(write(tmp_path / "x.bin", bytes(range(256))))
    for name in ("COMTRADE", "CSV", "NUMPY", "WAV", ".NPZ"):
        assert name in str(error.value).upper()


def test_rate_and_map_are_checked_and_the_file_is_closed(tmp_path, other):
    path = write(tmp_path / "x.oth", b"OTHER")
    for rate in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="rate"):
            readers.read(path, rate=rate)
    with pytest.raises(SettingsError, match="nothing"):
        readers.read(path, map={"U_L1": "nothing"})
    assert other.source.closed
    assert readers.read(path, rate=500.0).sample_rate == 500.0


@pytest.fixture(autouse=True)
def fresh_entries():
    """The entry points of one test are not those of the next."""
    readers._registry._entries.cache_clear()
    yield
    readers._registry._entries.cache_clear()


def test_a_reader_that_does_not_load_is_said(monkeypatch, tmp_path):
    def broken():
        raise ImportError("no module named nowhere")

    monkeypatch.setattr(readers._registry.importlib.metadata, "entry_points", lambda group: [Entry("bad", "nowhere:READER", broken)])
    with pytest.warns(CtmeterWarning, match="nowhere"), pytest.raises(InputError, match="unknown format"):
        readers.read(write(tmp_path / "x.csv", TABLE))


def test_another_map_starts_from_the_file(tmp_path):
    path = write(tmp_path / "x.csv", "t,U21 [V],U32 [V]\n0,1,2\n0.001,3,4\n0.002,5,6\n")
    rec = readers.read(path)
    assert [(c.role, c.scale) for c in rec.channels] == [("U_L12", -1.0), ("U_L23", -1.0)]
    again = readers._registry.apply(rec, {"U_L1": "U21"})
    assert [(c.role, c.scale) for c in again.channels] == [("U_L1", 1.0), (None, 1.0)]
    assert [(c.role, c.scale) for c in readers._registry.apply(again).channels] == [("U_L12", -1.0), ("U_L23", -1.0)]


@pytest.mark.parametrize(
    ("name", "roles", "ambiguous"),
    [
        ("ion7650/keating_1999.CFG", "U_L1 U_L2 U_L3 I_L1 I_L2 I_L3", False),
        ("line-275kv/test1.cfg", "U_L1 U_L2 U_L3 U_N I_L1 I_L2 I_L3 I_N", False),
        ("wisp/1.cfg", "U_L1 U_L2 U_L3", False),
        ("wisp/3.cfg", "U_L1 U_L2 U_L3 U_N I_L1 I_L2 I_L3", False),
        ("wisp/4.CFG", "U_L12 U_L23 I_L1 I_L2 I_L3", False),
        ("fault-220kv/xtz.cfg", "", True),
        ("ascii-1991/ascii_1991.cfg", "", True),
    ],
)
def test_roles_of_real_recordings(recordings, name, roles, ambiguous):
    rec = readers.read(recordings / name)
    assert {c.role for c in rec.channels if c.role} == set(roles.split())
    assert bool(rec.unresolved) == ambiguous
    if ambiguous:
        offer = rec.unresolved.split('--map "')[1].split('"')[0]
        mapped = readers._registry.apply(rec, dict(pair.split("=") for pair in offer.split(",")))
        assert {c.role for c in mapped.channels if c.role} == {"U_L1", "U_L2", "U_L3"}
