"""Scratch files: none is left for ever, and a disk that has no room for them is no fault of a recording."""

from __future__ import annotations

import errno
import os
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from batch import folders
from batch.test_run import measured
from ctmeter.batch._scratch import worker_scratch
from ctmeter.batch.pool import InProcess
from ctmeter.readers import _entries, _unpacked, archives


def zipped(path: Path, seconds: int = 1) -> Path:
    """An archive of one recording."""
    made = folders.write(path.parent.parent / "made" / "x.cfg", np.tile(folders.frames(0, folders.RATE), (seconds, 1)))
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = (made, made.with_suffix(".dat"))
    if path.suffix == ".gz":
        with tarfile.open(path, "w:gz") as archive:
            for part in parts:
                archive.add(part, part.name)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for part in parts:
                packed.write(part, part.name)
    return path


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_killed_one_left_goes_with_the_next(tmp_path, monkeypatch, jobs: int):
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setenv("CTMETER_SCRATCH", str(place))
    zipped(tmp_path / "in" / "a.zip", seconds=1200)
    with folders.program(tmp_path / "in", "-o", tmp_path / "out", "--un", "230", "--jobs", str(jobs), "-q") as running:
        until = time.monotonic() + 60
        while not list(place.rglob("member*.dat")) and time.monotonic() < until:
            time.sleep(0.001)
        running.kill()
        running.communicate()
    left = list(place.rglob("member*.dat"))
    assert left, "it was killed while the file was there"
    with worker_scratch() as living:  # in this very process: another run
        assert living is not None
        kept = Path(living) / "kept"
        kept.touch()
        summary, _ = measured(tmp_path / "in", tmp_path / "out")
        assert summary["done"] == 1 and kept.exists()
        assert [p.name for p in place.iterdir()] == [Path(living).name]
    assert list(place.iterdir()) == []


def test_the_process_itself_has_its_scratch_files_in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("CTMETER_SCRATCH", str(tmp_path))
    with InProcess(), InProcess():
        assert Path(archives.scratch() or "").parent.parent == tmp_path
    assert archives.scratch() == str(tmp_path) and list(tmp_path.iterdir()) == []


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullFile:
    """A scratch file of a full disk."""

    def __init__(self, **_: object) -> None: ...
    def __enter__(self) -> FullFile:
        return self

    def __exit__(self, *_: object) -> None: ...

    write = full


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_a_full_scratch_disk_is_no_fault_of_a_recording(tmp_path, ending: str):
    """Neither of one that was to be looked at nor of one that was to be measured: the next run tries again."""
    zipped(tmp_path / "in" / f"a.{ending}")
    for while_looking in (True, False):
        out = tmp_path / f"out {while_looking}"
        if not while_looking:
            measured(tmp_path / "in", out, dry_run=True)
            _entries._held.clear()
        with pytest.MonkeyPatch.context() as patch:
            if ending == "zip":
                patch.setattr(archives._Reading, "_unpack", full)
            else:
                patch.setattr(_entries.tempfile, "TemporaryFile", FullFile)
            summary, seen = measured(tmp_path / "in", out)
            assert bool(seen.all("look")) == while_looking
            assert (summary["done"], summary["failed"]) == (0, 1) and "scratch disk is full" in summary["failures"][0]["reason"]
        assert measured(tmp_path / "in", out)[0]["done"] == 1


def test_half_of_a_small_disk(tmp_path, monkeypatch):
    """What was measured before stays while there is no room to look, and what was not is measured when there is."""

    class Usage:
        free = 1000

    for ending in ("zip", "tar.gz"):
        out = tmp_path / f"out {ending}"
        path = zipped(tmp_path / ending / f"a.{ending}", 10)
        folders.write(path.parent / "b.cfg", folders.frames(3), folders.START + np.timedelta64(1, "h"), station="other")
        with monkeypatch.context() as patch:
            patch.setattr(_unpacked.shutil, "disk_usage", lambda _: Usage)
            _entries._held.clear()
            summary, _ = measured(path.parent, out)
            assert (summary["done"], summary["failed"]) == (1, 1) and "half of the free disk" in summary["failures"][0]["reason"]
        assert measured(path.parent, out)[0]["done"] == 2
        with monkeypatch.context() as patch:
            patch.setattr(_unpacked.shutil, "disk_usage", lambda _: Usage)
            assert measured(path.parent, out)[0]["gone"] == 0
        assert len(folders.rows(out, "recordings")) == 2


def test_what_the_limits_refuse_is_remembered(tmp_path):
    path = zipped(tmp_path / "in" / "a.zip", 60)
    assert measured(path, tmp_path / "out", limits=archives.Limits(size=1000))[0]["failed"] == 1
    assert measured(path, tmp_path / "out")[0]["failed"] == 1
