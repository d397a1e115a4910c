"""The manifest of a batch: what it remembers, who may write it, and what it survives."""

from __future__ import annotations

import errno
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from batch.manifest_job import counts, scan, source
from ctmeter.batch import manifest as module
from ctmeter.batch.manifest import Entry, Manifest, manifest_name
from ctmeter.batch.work import Point, Scan, Source
from ctmeter.cli.main import STORE, exit_code
from ctmeter.errors import StoreError
from fault_shim import compile_shim, run_child

PATH = os.pathsep.join(p for p in sys.path if p)


def program(out, code: str = "from batch.manifest_job import main; import sys; main(sys.argv[1])", **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(out)], env={**os.environ, "PYTHONPATH": PATH}, stdout=subprocess.PIPE, text=True, **options
    )


def refused(text: str, number: int, *args, **options) -> StoreError:
    with pytest.raises(StoreError, match=text) as caught:
        Manifest(*args, **options)
    assert caught.value.errno == number and caught.value.filename.endswith(".db")
    return caught.value


@pytest.mark.parametrize(
    "told",
    [
        scan(3),
        Scan(Source("s3://bucket/a.zip", "a.zip", (("s3://bucket/a.zip", 9, '"etag"'),), "in/side.cfg"), failure="no channels\nat all"),
        Scan(Source("a", "a", ()), skipped=True),
        Scan(Source("a", "a", ()), "s", duration=math.inf, points=(Point("", {"x": (1, (2.5, [3, (None,)])), "y": [(), []]}, ()),), rate=5e-324),
        Scan(
            Source("a", "\N{PILE OF POO} \udcff".encode("utf-8", "replace").decode(), ()),
            start_ns=-(2**63),
            points=(Point("", {"b": b"\0", "t": True, "n": {}}, ()),),
        ),
    ],
)
def test_scans_come_back_as_they_were(tmp_path, told: Scan):
    with Manifest(tmp_path) as manifest:
        assert manifest.scan(told.source, "1") is None
        manifest.remember(told, "1")
        assert manifest.scan(told.source, "1") == told
    with Manifest(tmp_path, readonly=True) as manifest:
        found = manifest.scan(told.source, "1")
        assert found == told and repr(found) == repr(told), "kinds too: tuples are not lists, 1 is not 1.0"
        assert manifest.scan(told.source, "2") is None
        assert manifest.scan(replace(told.source, member="another"), "1") is None


def test_numpy_values_of_a_recording_become_plain_ones(tmp_path):
    told = Scan(source(1), duration=np.float64(0.1), points=(Point("", {"samples": np.int64(7), "nan": math.nan}, ()),))
    with Manifest(tmp_path) as manifest:
        manifest.remember(told, "1")
        found = manifest.scan(told.source, "1")
    assert found.duration == 0.1 and type(found.duration) is float
    (point,) = found.points
    assert type(point.settings["samples"]) is int and math.isnan(point.settings["nan"])


def test_the_source_is_the_one_that_was_found_now(tmp_path):
    with Manifest(tmp_path) as manifest:
        manifest.remember(scan(1), "1")
        assert manifest.scan(source(1, "/moved"), "1") == replace(scan(1), source=source(1, "/moved"))


def test_what_signs_a_url_is_not_kept(tmp_path):
    url = "https://who:pass@host/x.csv?X-Amz-Signature=5ec3e7"
    told = Scan(Source(url, "x.csv", ((url, 9, '"etag"'),)))
    with Manifest(tmp_path) as manifest:
        manifest.remember(told, "1")
        assert manifest.scan(told.source, "1") == told
        (found,) = manifest.scans()
    assert found.source.uri == found.source.parts[0][0] == "https://host/x.csv"
    assert not any(b"5ec3e7" in p.read_bytes() or b"who:pass" in p.read_bytes() for p in tmp_path.iterdir())


def test_names_in_no_known_encoding(tmp_path):
    told = [Scan(Source(f"/in/{chr(byte)}", chr(byte), (), "\udce4"), failure="not \udcff") for byte in (0xDCF8, 0xDCE5)]
    with Manifest(tmp_path) as manifest:
        for scanned in told:
            manifest.remember(scanned, "1")
        assert [manifest.scan(s.source, "1") for s in told] == told
        assert {(e.name, e.member, e.reason) for e in manifest.entries()} == {("\udcf8", "\udce4", "not \udcff"), ("\udce5", "\udce4", "not \udcff")}
        manifest.mark([told[0].source], "quarantined", "\udcff")
        manifest.forget([("\udce5", "\udce4")])
        assert [(e.name, e.state, e.reason) for e in manifest.entries()] == [("\udcf8", "quarantined", "\udcff")]


def test_states(tmp_path):
    with Manifest(tmp_path) as manifest:
        for k in range(6):
            manifest.remember(scan(k), f"{k}")
        manifest.remember(replace(scan(6), failure="no voltages"), "6")
        manifest.remember(replace(scan(7), skipped=True), "7")
        manifest.mark([source(0), source(1)], "done")
        manifest.mark([source(2)], "failed", "torn")
        manifest.mark([source(3)], "quarantined", "killed by SIGKILL twice")
        assert counts(manifest) == {"waiting": 2, "done": 2, "failed": 2, "quarantined": 1, "skipped": 1}
        assert manifest.entries("failed", "quarantined") == [
            Entry(source(2).name, "", "failed", "torn", 1),
            Entry(source(3).name, "", "quarantined", "killed by SIGKILL twice", 1),
            Entry(source(6).name, "", "failed", "no voltages", 1),
        ]
        with pytest.raises(ValueError, match="no scan is remembered"):
            manifest.mark([source(99)], "done")
        with pytest.raises(ValueError, match="state 'lost'"):
            manifest.mark([source(1)], "lost")
    with Manifest(tmp_path) as manifest:
        assert manifest.retry() == 3 and manifest.retry() == 0
        assert counts(manifest) == {"waiting": 5, "done": 2, "failed": 0, "quarantined": 0, "skipped": 1}
        assert manifest.scan(source(2), "2") is None and manifest.scan(source(1), "1") == scan(1)
        manifest.remember(scan(2), "2")
        manifest.mark([source(2)], "failed", "torn again")
        assert manifest.entries("failed")[0].attempts == 2
        manifest.remember(scan(2), "other content")
        assert next(e for e in manifest.entries("waiting") if e.name == source(2).name).attempts == 0
        manifest.forget([(source(2).name, "")])
        assert len(manifest.entries()) == 7


def test_folds_and_facts(tmp_path):
    with Manifest(tmp_path) as manifest:
        manifest.set_folds({"b": "1", "a": "2"})
        manifest.set_folds({"a": "3", "c": "4"})
        manifest.set_meta(version="0.1.0", settings="1")
        manifest.set_meta(settings="2")
    with Manifest(tmp_path, readonly=True) as manifest:
        assert manifest.folds() == {"a": "3", "c": "4"}
        assert manifest.meta == {"settings": "2", "version": "0.1.0"}
        with pytest.raises(StoreError, match="cannot be written"):
            manifest.set_meta(settings="3")


def test_ten_thousand_sources_cost_little(tmp_path):
    scans = [scan(k) for k in range(10_000)]
    begin = time.perf_counter()
    with Manifest(tmp_path) as manifest:
        for k, told in enumerate(scans):
            assert manifest.scan(told.source, f"{k}") is None
            manifest.remember(told, f"{k}")
        for told in scans:
            manifest.mark([told.source], "done")
    took = time.perf_counter() - begin
    with Manifest(tmp_path) as manifest:
        assert all(manifest.scan(told.source, f"{k}") == told for k, told in enumerate(scans))
    assert took < 10.0, "about 1 s on an idle machine; a commit for each would take minutes"


def test_writes_are_gathered(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GATHERED", 3600.0)
    with Manifest(tmp_path) as manifest, Manifest(tmp_path, readonly=True) as reader:
        manifest.remember(scan(1), "1")
        assert manifest.scan(source(1), "1") == scan(1) and reader.scan(source(1), "1") is None
        manifest.flush()
        assert reader.scan(source(1), "1") == scan(1)
        monkeypatch.setattr(module, "GATHERED", 0.0)
        manifest.mark([source(1)], "done")
        assert counts(reader)["done"] == 1


def test_one_writer(tmp_path):
    with program(tmp_path) as running:
        assert running.stdout.readline() == "begin 0\n"
        begin = time.monotonic()
        error = refused(rf"is being written by python, process {running.pid} on .* since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", errno.EBUSY, tmp_path)
        assert time.monotonic() - begin < 5.0 and exit_code(error) == STORE
        with Manifest(tmp_path, readonly=True) as reader:
            assert counts(reader)["failed"] == 0
        with Manifest(tmp_path, (2, 4)) as other:
            assert counts(other)["done"] == 0 and other.path.endswith("manifest-2-of-4.db")
        assert running.stdout.readline() == "1\n"  # it has committed
        running.send_signal(signal.SIGKILL)
        running.communicate()
    with Manifest(tmp_path) as manifest:  # the lock of a dead process is nobody's
        assert counts(manifest)["done"] > 0


def kill_and_look(tmp_path, rounds: int) -> None:
    chance = random.Random(7)
    for _ in range(rounds):
        with program(tmp_path) as running:
            running.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.4))
            running.send_signal(signal.SIGKILL)
            told = [int(line) for line in running.communicate()[0].splitlines()]
        with Manifest(tmp_path) as manifest:
            assert manifest._read("PRAGMA integrity_check") == [("ok",)]
            done = len(manifest.entries("done"))
            assert done >= max(told, default=0)
            assert [e.name for e in manifest.entries("done")] == sorted(source(k).name for k in range(done)), "the first ones, without holes"
            assert all(manifest.scan(source(k), f"identity {k}") == scan(k) for k in range(0, done, 17))
            marks = set(manifest.folds().values())
            assert len(marks) <= 1 and all(len(manifest.folds()) == int(mark) % 3 + 1 for mark in marks)


def test_killed_while_writing(tmp_path):
    kill_and_look(tmp_path, 4)


@pytest.mark.long
def test_killed_while_writing_many_times(tmp_path):
    kill_and_look(tmp_path, 40)


def test_left_before_it_had_any_table(tmp_path):
    (tmp_path / manifest_name()).touch()
    with Manifest(tmp_path) as manifest:
        manifest.remember(scan(1), "1")
    assert manifest_name((3, 16)) == "manifest-3-of-16.db"


def test_what_is_no_manifest(tmp_path):
    path = tmp_path / manifest_name()
    refused("no batch manifest is there", errno.ENOENT, tmp_path, readonly=True)
    for content in (b"SQLite format 3\0" + b"\1" * 5000, b"x" * 4096):
        path.write_bytes(content)
        for readonly in (False, True):
            assert exit_code(refused("it is damaged|is no batch manifest", errno.EIO, tmp_path, readonly=readonly)) == STORE
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    before = path.read_bytes()
    refused("is no batch manifest of ctmeter", errno.EIO, tmp_path)
    assert path.read_bytes() == before


def test_damage_is_found(tmp_path):
    with Manifest(tmp_path) as manifest:
        for k in range(300):
            manifest.remember(scan(k), f"{k}")
        path = Path(manifest.path)
    whole = bytearray(path.read_bytes())
    place = whole.index("Zähler".encode())
    whole[place] ^= 1
    path.write_bytes(whole)
    with Manifest(tmp_path) as manifest, pytest.raises(StoreError, match="is damaged: the scan") as caught:
        for k in range(300):
            manifest.scan(source(k), f"{k}")
    assert exit_code(caught.value) == STORE
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="damaged") as caught, Manifest(tmp_path) as manifest:
        for k in range(300):
            manifest.scan(source(k), f"{k}")
    assert exit_code(caught.value) == STORE


def test_manifests_of_later_programs_are_left_alone(tmp_path):
    with Manifest(tmp_path) as manifest:
        path = Path(manifest.path)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {module.FORMAT + 1}")
    db.close()
    before = path.read_bytes()
    error = refused(f"was made by a later ctmeter: format {module.FORMAT + 1}, expected {module.FORMAT} or less", errno.EIO, tmp_path)
    assert exit_code(error) == STORE and path.read_bytes() == before


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    assert exit_code(refused("cannot be written", errno.ENOTDIR, tmp_path / "file" / "out")) == STORE


FULL = """
import sys, ctypes
from batch.manifest_job import counts, scan, source
from ctmeter.batch.manifest import Manifest
from ctmeter.errors import StoreError
from fault_shim import compile_shim, run_child
manifest = Manifest(sys.argv[1])
for k in range(50):
    manifest.remember(scan(k), f"identity {k}")
manifest.flush()
ctypes.CDLL(None).faults_arm(b"manifest.db", ctypes.c_long(3), 28, 1)
try:
    for k in range(50, 5000):
        manifest.remember(scan(k), f"identity {k}")
    manifest.flush()
except StoreError as error:
    print(error.errno, error.writing, error)
"""


def test_a_full_disk_leaves_the_last_commit(tmp_path):
    shim = compile_shim(tmp_path)
    told = run_child(FULL, str(tmp_path), shim=shim, timeout=60).stdout
    assert told.startswith(f"{errno.ENOSPC} True ") and "the disk is full" in told
    with Manifest(tmp_path) as manifest:
        assert [e.name for e in manifest.entries()] == sorted(source(k).name for k in range(50))
        manifest.remember(scan(50), "1")
