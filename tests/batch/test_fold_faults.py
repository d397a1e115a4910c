"""A fold that is killed, or meets a full or failing disk: what was there stays whole, and the next one is complete."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batch import fold_job
from fault_shim import compile_shim

NUMBER = 6


def files(place: Path) -> dict[str, bytes]:
    root = place / "dataset"
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def child(place: Path, *arguments: object, number: int = NUMBER, shim: Path | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    if shim is not None:
        environment["LD_PRELOAD"] = str(shim)
    command = [sys.executable, "-m", "batch.fold_job", str(place), str(number), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], dict[str, bytes]]:
    """Partials; the data set of half of them, and of all."""
    place = tmp_path_factory.mktemp("whole")
    fold_job.pieces(place, NUMBER, write=True)
    fold_job.pieces(place, NUMBER // 2, write=True)
    fold_job.run(place, NUMBER // 2)
    half = files(place)
    fold_job.run(place, NUMBER)
    return place, half, files(place)


def copied(uninterrupted, place: Path, *, old: bool = False) -> Path:
    """The partials in a folder of its own, with the data set of half of them where that is wanted."""
    shutil.copytree(uninterrupted[0] / "work", place / "work")
    if old:
        fold_job.run(place, NUMBER // 2)
    return place


def test_kill_at_random_moments(uninterrupted, tmp_path):
    choice, cut = random.Random(7), 0
    for k in range(4):
        place = copied(uninterrupted, tmp_path / str(k))
        with child(place) as job:
            assert job.stdout is not None and job.stdout.readline() == "begin\n"
            time.sleep(0.3 * choice.random())
            job.send_signal(signal.SIGKILL)
            cut += not job.stdout.read().startswith("end")
        for path in (p for p in files(place) if p.endswith("/part-0.parquet")) if (place / "dataset").exists() else ():
            assert pq.ParquetFile(place / "dataset" / path).metadata.num_rows, "what has its name is whole"
        fold_job.run(place, NUMBER)
        assert files(place) == uninterrupted[2]
    assert cut, "none was interrupted"


@pytest.mark.parametrize(
    ("error", "mode"),
    [(errno.ENOSPC, 2), pytest.param(errno.ENOSPC, 1, marks=pytest.mark.long), pytest.param(errno.EIO, 0, marks=pytest.mark.long)],
)
def test_a_full_or_failing_disk(uninterrupted, tmp_path, error, mode):
    """At calls spread over the whole fold: a typed error, each site as it was or as it becomes, and nothing left over."""
    shim = compile_shim(tmp_path)
    place = copied(uninterrupted, tmp_path / "out", old=True)
    with child(place, 10**9, error, 0, shim=shim) as job:
        assert job.stdout is not None
        total = int(job.stdout.read().split()[-1])
    assert total > 10
    for k in sorted({1, total // 2, total}):
        shutil.rmtree(place / "dataset")
        fold_job.run(place, NUMBER // 2)
        with child(place, k, error, mode, shim=shim) as job:
            assert job.stdout is not None
            told = job.stdout.read().split("\n")
            assert job.wait() == 0, told
        assert told[1].startswith(f"refused {error} "), (k, told)
        found = files(place)
        for site in "ABC":
            mine = {p: data for p, data in found.items() if f"/site={site}/" in p}
            before, after = ({p: d for p, d in state.items() if f"/site={site}/" in p} for state in uninterrupted[1:])
            assert mine in (before, after), (k, site)
        fold_job.run(place, NUMBER)
        assert files(place) == uninterrupted[2]
