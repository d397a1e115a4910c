"""Sources: everything that may be a recording, once, with all its files, whatever stands beside it."""

from __future__ import annotations

import io
import os
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ctmeter
from ctmeter.batch.sources import find, one_line, open_source
from ctmeter.batch.work import Source
from ctmeter.errors import InputError, SettingsError
from ctmeter.readers import _objects, archives, remote
from readers import comtrade_files as made
from readers.stores import S3, running_s3, running_web, s3_environment

RAW, STATES = made.samples(), made.states()
CFG, DAT = made.cfg_text(file_type="BINARY").encode(), made.dat_bytes("BINARY", RAW, STATES)
CSV = b"t,U_L1\n0,1\n0.001,2\n0.002,3\n"


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def fleet(tmp_path) -> Path:
    """Two sites, with what stands beside recordings in the field."""
    return fill(
        tmp_path / "fleet",
        {
            "b/x.CFG": CFG, "b/x.dat": DAT, "b/x.HDR": b"text", "b/x.ctmeter.toml": b"nominal_voltage = 230.0\n",
            "a/x.cfg": CFG, "a/x.dat": DAT, "a/deep/y.csv": CSV, "a/deep/y.png": b"\x89PNG", "README.md": b"# fleet", "settings.toml": b"",
            "a/notes.txt": b"what the fitter said", "a/table.txt": CSV, "a/.hidden.csv": CSV, ".git/x.csv": CSV, "a/x.ctmeter/basic.parquet": b"PAR1",
            "a/lone.dat": b"\x00\x01", "strange": b"\x00" * 100, "done/manifest.db": b"", "done/dataset/basic.parquet": b"PAR1",
        },
    )  # fmt: skip


def names(found) -> list[str]:
    return [s.name for s in found.sources]


def test_a_folder(fleet):
    found = find([fleet])
    assert names(found) == ["a/deep/y.csv", "a/table.txt", "a/x.cfg", "b/x.CFG"]
    b = found.sources[-1]
    assert [os.path.basename(uri) for uri, _, _ in b.parts] == ["x.CFG", "x.dat", "x.HDR", "x.ctmeter.toml"]
    assert b.size == len(CFG) + len(DAT) + 4 + 24
    assert {n for n, _ in found.skipped} == {
        "README.md", "a/deep/y.png", "a/lone.dat", "a/notes.txt", "a/x.ctmeter", "done", "settings.toml", "strange",
    }  # fmt: skip
    assert all(reason for _, reason in found.skipped) and not found.failures


def test_the_identity_is_that_of_every_part(fleet):
    before = find([fleet]).sources
    assert find([fleet]).sources == before
    for name, which in (("b/x.dat", 3), ("b/x.ctmeter.toml", 3), ("a/deep/y.csv", 0)):
        os.utime(fleet / name, ns=(1, time.time_ns()))
        after = find([fleet]).sources
        assert [k for k, (x, y) in enumerate(zip(before, after, strict=True)) if x != y] == [which]
        before = after


def test_the_order_of_arguments_and_repetition_do_not_matter(fleet, monkeypatch):
    monkeypatch.chdir(fleet)
    once = find([fleet])
    assert find(["a", "b"]) == find(["b", "a"])
    assert find([fleet / "a" / "x.dat", fleet]).sources == once.sources
    assert find([fleet, fleet / "a" / "x.dat", fleet / "a" / "x.cfg"]).sources == once.sources
    assert names(find(["a/x.dat"])) == names(find(["a/x.cfg"])) == ["x.cfg"]


def test_names_depend_on_what_was_named_alone(tmp_path):
    """Not on what lies there: a file that is added renames no other."""
    fill(tmp_path, {"g1/m1.csv": CSV, "g1/m2.csv": CSV, "g2/k2.csv": CSV})
    given = [tmp_path / "g1", tmp_path / "g2"]
    assert names(find(given[:1])) == ["m1.csv", "m2.csv"]
    assert names(find(given)) == names(find(given[::-1])) == ["g1/m1.csv", "g1/m2.csv", "g2/k2.csv"]
    fill(tmp_path, {"g2/m1.csv": CSV, "g2/readme.md": b"", "g1/readme.md": b""})
    found = find(given)
    assert names(found) == ["g1/m1.csv", "g1/m2.csv", "g2/k2.csv", "g2/m1.csv"]
    assert [name for name, _ in found.skipped] == ["g1/readme.md", "g2/readme.md"]
    # a folder that is empty, or not there for a while
    (tmp_path / "g3").mkdir()
    assert names(find([given[0], tmp_path / "g3"])) == names(find([given[0], tmp_path / "g4"])) == ["g1/m1.csv", "g1/m2.csv"]


def test_names_have_as_much_of_their_folders_as_tells_them_apart(tmp_path, monkeypatch):
    fill(tmp_path, {f"{place}/x/m.csv": CSV for place in ("a", "b", "c")} | {"a/y.csv": CSV, "c/x/deep/n.csv": CSV})
    given = [tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "c" / "x"]
    assert names(find(given)) == ["a/x/m.csv", "b/x/m.csv", "c/x/deep/n.csv", "c/x/m.csv"]
    # one inside another is part of it
    assert names(find([tmp_path / "a", tmp_path / "a" / "x", tmp_path / "a" / "x" / "m.csv"])) == ["x/m.csv", "y.csv"]
    assert names(find([tmp_path / "c" / "x" / "deep" / "n.csv", str(tmp_path / "c" / "x" / "*.csv")])) == ["deep/n.csv", "m.csv"]
    # files that are named are called after their folders like those in them
    assert names(find([tmp_path / "a" / "y.csv", tmp_path / "b" / "x"])) == ["a/y.csv", "x/m.csv"]
    monkeypatch.chdir(tmp_path / "a")
    assert names(find(["y.csv", "../b/x/m.csv"])) == ["a/y.csv", "x/m.csv"]


def test_patterns(fleet, monkeypatch):
    monkeypatch.chdir(fleet)
    assert names(find(["**/*.cfg"])) == ["a/x.cfg"]
    assert names(find([str(fleet / "*" / "x.*")])) == ["a/x.cfg", "b/x.CFG"]
    assert names(find(["[ab]"])) == ["a/deep/y.csv", "a/table.txt", "a/x.cfg", "b/x.CFG"]
    found = find(["a/*.csv", "b"])
    assert found.failures == [("a/*.csv", "nothing matches")]
    fill(fleet, {"[1].csv": CSV})
    assert names(find(["[1].csv"])) == ["[1].csv"]


def test_links_do_not_lead_in_circles(fleet):
    (fleet / "a" / "up").symlink_to(fleet)
    (fleet / "c").symlink_to(fleet / "a")
    (fleet / "nowhere.csv").symlink_to(fleet / "gone.csv")
    (fleet / "again.csv").symlink_to(fleet / "a" / "deep" / "y.csv")
    os.mkfifo(fleet / "pipe.csv")
    found = find([fleet])
    assert len(found.sources) == 4
    assert found.failures == [("nowhere.csv", "a link that leads nowhere")]
    assert "pipe.csv" in dict(found.skipped)


def test_links_do_not_lead_patterns_in_circles(fleet):
    """Two links to the same folder have thirty levels of 2, 4, 8, ... names each."""
    (fleet / "a" / "one").symlink_to(fleet / "a")
    (fleet / "a" / "two").symlink_to(fleet)
    begin = time.monotonic()
    assert names(find([str(fleet / "**" / "*.[cC]*")])) == ["a/deep/y.csv", "a/x.cfg", "b/x.CFG"]
    assert time.monotonic() - begin < 5.0


@pytest.mark.parametrize("pattern", ["*", "*/x.*", "**/*.cfg", "**", "a*/**/*"])
def test_folders_below_a_pattern_that_cannot_be_read(fleet, monkeypatch, pattern: str):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.chdir(fleet)
    monkeypatch.setattr(os, "scandir", scandir)
    found = find([pattern, "b"])
    assert [os.path.relpath(s.uri, fleet) for s in found.sources] == ["b/x.CFG"] and ("a", "cannot be read: Permission denied") in found.failures
    assert found.hides(str(fleet / "a" / "x.cfg")) and not found.hides(str(fleet / "b" / "x.CFG"))


def test_a_pattern_below_a_folder_that_is_not_there(fleet, tmp_path):
    found = find([fleet, str(tmp_path / "disk" / "site*" / "*.cfg")])
    assert found.failures == [(str(tmp_path / "disk" / "site*" / "*.cfg"), "nothing matches")]
    assert found.hides(str(tmp_path / "disk" / "site1" / "x.cfg"))


def test_reasons_go_without_the_address():
    url = "https://who:secret@host/a/x.cfg?sig=abc"
    source = Source(url, "x.cfg", ((url, 5, "1"),))
    assert one_line("https://host/a/x.cfg: no data file beside it", source) == "no data file beside it"
    assert one_line(f"{url}: no data file beside it", source) == "no data file beside it"
    assert one_line("y" * 700, source) == "y" * 596 + " ..."


def test_the_results_of_the_run_itself(fleet):
    fill(fleet, {"out/x.csv": CSV})
    assert "out/x.csv" in names(find([fleet]))
    assert "out/x.csv" not in names(find([fleet], out=fleet / "out"))


def test_what_cannot_be_looked_at_does_not_end_the_search(fleet, tmp_path):
    found = find([fleet, tmp_path / "gone.csv"])
    assert len(found.sources) == 4 and found.failures == [(str(tmp_path / "gone.csv"), "no such file")]
    with pytest.raises(InputError, match="no recordings"):
        find([tmp_path / "gone.csv"])
    with pytest.raises(InputError, match="no recordings"):
        find([])


def test_a_folder_that_vanishes(fleet, monkeypatch):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find([fleet])
    assert names(found) == ["b/x.CFG"] and found.failures == [("a", "cannot be read: Permission denied")]


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("make", [zipped, tarred])
def test_members_of_archives(tmp_path, make):
    path = make(
        tmp_path / f"month{'.zip' if make is zipped else '.tar.gz'}",
        {"s/x.dat": DAT, "README.md": b"", "s/x.cfg": CFG, "s/y.csv": CSV, "../z.csv": CSV},
    )
    found = find([tmp_path])
    assert [(s.name, s.member, s.size) for s in found.sources] == [(path.name, "s/x.cfg", len(CFG) + len(DAT)), (path.name, "s/y.csv", len(CSV))]
    assert [n for n, _ in found.skipped] == [f"{path.name}: README.md"]
    assert [n for n, _ in found.failures] == [f"{path.name}: ../z.csv"]
    with open_source(found.sources[0]) as recording:
        assert np.array_equal(recording.source.raw(0, 20), RAW)
        assert recording.metadata["member"] == "s/x.cfg"
    with open_source(found.sources[1], map={"U_L2": "U_L1"}, rate=1000.0) as recording:
        assert [c.role for c in recording.channels] == ["U_L2"]


def test_an_error_of_the_caller_stays_his(tmp_path):
    zipped(tmp_path / "m.zip", {"y.csv": CSV})
    source = find([tmp_path]).sources[0]
    with pytest.raises(ValueError, match="mine"), open_source(source):
        raise ValueError("mine")
    with pytest.raises(InputError, match="no such member"), open_source(type(source)(source.uri, source.name, source.parts, "none.csv")):
        pass


def test_limits_hold_where_members_are_read(tmp_path):
    """Of a zip the names alone are listed: what a member unpacks to is seen when it is read."""
    zipped(tmp_path / "m.zip", {"x.csv": CSV})
    tight, enough = archives.Limits(size=len(CSV) - 1), archives.Limits(size=len(CSV))
    (source,) = find([tmp_path], limits=tight).sources
    with pytest.raises(InputError, match=f"more than {len(CSV) - 1}"), open_source(source, rate=1000.0, limits=tight):
        raise AssertionError("it was opened")
    with open_source(source, rate=1000.0, limits=enough) as recording:
        assert recording.samples


def test_hostile_archives_are_listed(tmp_path):
    fill(tmp_path, {"good.csv": CSV, "cut.zip": b"PK\x03\x04" + bytes(100), "text.zip": CSV})
    zipped(tmp_path / "bomb.zip", {"x.csv": bytes(40 << 20)})
    zipped(tmp_path / "many.zip", {f"{k}.csv": b"" for k in range(20)})
    found = find([tmp_path], limits=archives.Limits(members=10))
    failures = dict(found.failures)
    assert failures.keys() == {"cut.zip", "many.zip"} and "more than 10 members" in failures["many.zip"]
    bomb = next(s for s in found.sources if s.member == "x.csv")
    with pytest.raises(InputError, match="unpack"), open_source(bomb):
        pass


@pytest.mark.long
def test_a_hundred_thousand_files(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    for k in range(20_000):
        os.close(os.open(f"{k}.csv", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    begun = time.process_time()
    assert len(find([folder]).sources) == 20_000
    assert time.process_time() - begun < 3.0  # seconds for a hundred thousand


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3]:
    pytest.importorskip("obstore")
    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server, monkeypatch) -> S3:
    s3_environment(monkeypatch, s3_server)
    _objects._store.cache_clear()
    return s3_server


def test_prefixes_and_patterns_of_a_store(s3, fleet):
    for path in fleet.rglob("*"):
        if path.is_file():
            s3.put(f"fleet/{path.relative_to(fleet)}", path.read_bytes())
    found = find(["s3://records/fleet/"])
    # nobody looks into objects that may be anything
    assert names(found) == ["a/deep/y.csv", "a/lone.dat", "a/notes.txt", "a/table.txt", "a/x.cfg", "b/x.CFG", "done/dataset/basic.parquet", "strange"]
    pair = next(s for s in found.sources if s.name == "b/x.CFG")
    assert [uri.rpartition("/")[2] for uri, _, _ in pair.parts] == ["x.CFG", "x.dat", "x.HDR", "x.ctmeter.toml"]
    assert pair.size == len(CFG) + len(DAT) + 4 + 24 and all(tag for _, _, tag in pair.parts)
    with open_source(pair) as recording:
        assert np.array_equal(recording.source.raw(0, 20), RAW) and recording.metadata["hdr"] == "text"
    assert names(find(["s3://records/fleet/*/x.*"])) == ["a/x.cfg", "b/x.CFG"]
    assert names(find(["s3://records/fleet"])) == names(found)
    assert find(["s3://records/fleet/b/x.CFG", "s3://records/fleet/"]).sources == found.sources
    assert names(find(["s3://records/fleet/b/x.CFG"])) == ["x.CFG"]
    with pytest.raises(InputError, match="no recordings"):
        find(["s3://records/nothing/"])


def test_an_object_that_was_replaced_since(s3):
    url = s3.put("replaced/y.csv", CSV)
    source = find([url]).sources[0]
    s3.put("replaced/y.csv", CSV + b"0.003,4\n")
    with pytest.raises(remote.ChangedError), open_source(source):
        pass
    assert find([url]).sources[0] != source
    with open_source(find([url]).sources[0]) as recording:
        assert recording.samples == 4


def test_objects_of_a_web_server():
    pytest.importorskip("obstore")
    with running_web() as web:
        web.files = {"d/x.cfg": CFG, "d/x.dat": DAT, "d/y.csv": CSV}
        found = find([f"{web.url}/d/x.cfg", f"{web.url}/d/y.csv?token=secret", f"{web.url}/d/none.csv"])
        assert names(found) == ["x.cfg", "y.csv"] and len(found.failures) == 1
        assert len(found.sources[0].parts) == 2
        with open_source(found.sources[0]) as recording:
            assert np.array_equal(recording.source.raw(0, 20), RAW)
        with pytest.raises(SettingsError), open_source(found.sources[1], map={"U_L1": "none"}):
            pass
        with open_source(found.sources[1]) as recording:
            assert isinstance(recording, ctmeter.Recording) and recording.samples == 3
