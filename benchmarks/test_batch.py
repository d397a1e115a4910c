"""Batches: what they cost beside measuring, how they grow with workers, and the memory of a long recording.

Here wall-clock time counts, since workers are other processes; what is compared runs one after the other, in one run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from benchmarks.measure import AMPERE, NAMES, RATE, VOLT, Row, Table, counts

import ctmeter
from ctmeter.batch import run
from ctmeter.batch.engines import usable_cores

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from batch import folders  # noqa: E402

#: Frames of a second as COMTRADE BINARY holds them.
RECORD = np.dtype([("n", "<u4"), ("t", "<u4"), ("a", "<i2", (6,))])
SECOND = round(RATE)
SETTINGS = {"nominal_voltage": 230.0, "nominal_frequency": 50}
two_cores = pytest.mark.skipif(usable_cores() < 2, reason="needs two cores")
proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


def large(path: Path, seconds: int, station: str = "long") -> int:
    """A COMTRADE BINARY record of many seconds that begins at midnight, the same fifty of them (2501 cycles) again and again; its bytes."""
    n = seconds * SECOND
    lines = [
        f"{k},{name},,,{'V' if name[0] == 'U' else 'A'},{VOLT if name[0] == 'U' else AMPERE},0,0,-32767,32767,1,1,P"
        for k, name in enumerate(NAMES, 1)
    ]
    start = "02/03/2026,00:00:00.000000"
    text = [f"{station},device,1999", "6,6A,0D", *lines, "50", "1", f"{RATE:g},{n}", start, start, "BINARY", "78.125"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\r\n".join(text) + "\r\n", encoding="ascii")
    block = np.zeros(50 * SECOND, RECORD)
    block["a"] = counts(50)
    index = np.arange(len(block), dtype="<u4")
    with open(path.with_suffix(".dat"), "wb") as file:
        for at in range(0, n, len(block)):
            # units of 78.125 us: the time is the number of the sample
            block["t"] = at + index
            block["n"] = block["t"] + 1
            block[: n - at].tofile(file)
    return n * RECORD.itemsize


def walled(*arguments: Any, **options: Any) -> tuple[float, dict[str, Any]]:
    """Seconds that a batch takes, and its summary."""
    begin = time.perf_counter()
    summary = run(*arguments, **SETTINGS, **options)
    return time.perf_counter() - begin, summary


def commanded(folder: Path, out: Path, jobs: int) -> float:
    """Seconds of the command, which imports everything itself, as each of its workers does."""
    line = ["batch", str(folder), "-o", str(out), "--un", "230", "--fn", "50", "--jobs", str(jobs), "--quiet"]
    # an installed program has its modules compiled; one run from a source tree may be told not to keep them
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-m", "ctmeter", *line], env=environment, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - begin


def reading(folder: Path) -> float:
    """Seconds to read all bytes of a folder, in blocks that fit a cache."""
    buffer = bytearray(1 << 20)
    begin = time.perf_counter()
    for path in folder.rglob("*.dat"):
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    return time.perf_counter() - begin


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Twenty-four recordings of half an hour, 11 GB, and their bytes; three each are the same 460 MB on the disk."""
    root = tmp_path_factory.mktemp("large")
    size = 0
    for k in range(24):
        path = root / f"{k}.cfg"
        size += large(path, 1800 if k < 8 else 0, f"station {k}")
        if k >= 8:
            path.write_text((root / f"{k % 8}.cfg").read_text().replace(f"station {k % 8}", f"station {k}"))
            path.with_suffix(".dat").unlink()
            os.link(root / f"{k % 8}.dat", path.with_suffix(".dat"))
            size += path.with_suffix(".dat").stat().st_size
    reading(root)  # they are in the page cache from here on
    return root, size


@pytest.fixture(scope="module")
def commands(files, tmp_path_factory) -> dict[int, float]:
    """Seconds of the command, by its jobs; in turns, since the machine is not as fast at all times."""
    root = tmp_path_factory.mktemp("commands")
    seconds: dict[int, list[float]] = {jobs: [] for jobs in (1, 2) if jobs <= usable_cores()}
    for turn in range(3):
        for jobs, found in seconds.items():
            found.append(commanded(files[0], root / f"{jobs}-{turn}", jobs))
    return {jobs: median(found) for jobs, found in seconds.items()}


@two_cores
def test_two_workers(report, commands):
    rows = [
        Row("one worker", commands[1] * 1e3, 0.0, 1.0, None),
        Row("two workers", commands[2] * 1e3, 0.0, commands[1] / commands[2], 1.7, at_least=True),
    ]
    report(Table("24 files of half an hour, 11 GB", "x one worker", rows))


def test_bytes_a_second(report, files, commands):
    (folder, size), one = files, commands[1]
    plain = min(reading(folder) for _ in range(5))
    rows = [
        Row("reading alone", plain * 1e3, 0.0, size / plain / 1e9, None),
        Row("batch, one process", one * 1e3, 0.0, size / one / 1e9, None, note=f"{one / plain:.1f} x reading"),
    ]
    report(Table("int16, 6 channels, 12.8 kHz", "GB/s", rows))


@two_cores
def test_two_workers_of_dask(report, files, tmp_path):
    pytest.importorskip("distributed", reason="the extra fleet is not installed")
    from batch.test_fleet import cluster
    from ctmeter.batch.fleet import Fleet

    seconds = {}
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        with cluster(tmp_path / str(workers), workers) as (address, _):
            with Fleet(address, timeout=60) as fleet:
                while fleet._threads() < workers:
                    time.sleep(0.1)
            # the first one imports
            walled(next(iter(files[0].glob("0.cfg"))), out=tmp_path / f"first{workers}", scheduler=address)
            seconds[workers] = min(walled(files[0], out=tmp_path / f"{workers}-{k}", scheduler=address)[0] for k in range(2))
    rows = [
        Row("one worker", seconds[1] * 1e3, 0.0, 1.0, None),
        Row("two workers", seconds[2] * 1e3, 0.0, seconds[1] / seconds[2], 1.5, at_least=True),
    ]
    report(Table("24 files of half an hour, Dask", "x one worker", rows))


def test_small_files(report, tmp_path):
    """What a file costs beside measuring it: half a second of recording each, CPU time of one process."""
    n = 500
    folders.make(tmp_path / "in", n)
    paths = sorted((tmp_path / "in").rglob("*.cfg"))
    ctmeter.measure(paths[0], **SETTINGS)
    run(paths[0], out=tmp_path / "warm", jobs=1, **SETTINGS)
    begin = time.process_time()
    for path in paths:
        ctmeter.measure(path, **SETTINGS)
    alone = time.process_time() - begin
    begin = time.process_time()
    run(tmp_path / "in", out=tmp_path / "out", jobs=1, **SETTINGS)
    batch = time.process_time() - begin
    begin = time.process_time()
    run(tmp_path / "in", out=tmp_path / "out", jobs=1, **SETTINGS)
    again = time.process_time() - begin
    rows = [
        Row("measure, one after the other", alone * 1e3, 0.0, alone / n * 1e3, None),
        Row("batch beyond that", (batch - alone) * 1e3, 0.0, (batch - alone) / n * 1e3, 5.0),
        Row("batch in which all is done", again * 1e3, 0.0, again / n * 1e3, 5.0),
    ]
    report(Table(f"{n} files of half a second", "ms a file", rows))


# ---- a day


def anonymous(process: int | str = "self") -> float:
    """Anonymous memory of a process, MB."""
    with open(f"/proc/{process}/status") as status:
        return next((int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon")), 0.0)


def idle() -> float:
    """Anonymous memory of a process that has imported ctmeter, MB."""
    program = "import ctmeter\nprint(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('RssAnon')))"
    return int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout) / 1024


class Watch:
    """The largest anonymous memory of a program and of each of its workers, MB."""

    def __init__(self, process: int) -> None:
        self.parent, self.workers = 0.0, dict[str, float]()
        self._process, self._over = process, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(0.05):
            try:
                self.parent = max(self.parent, anonymous(self._process))
                for child in Path(f"/proc/{self._process}/task/{self._process}/children").read_text().split():
                    self.workers[child] = max(self.workers.get(child, 0.0), anonymous(child))
            except OSError:  # it has just ended
                continue

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def day(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A day of six channels at 12.8 kHz: 13 GB of samples, 22 GB as COMTRADE BINARY numbers them."""
    status = os.statvfs(tmp_path)
    if status.f_bavail * status.f_frsize < 30e9:
        pytest.skip("needs 30 GB of disk")
    path = tmp_path / "in" / "day.cfg"
    yield path, large(path, 86_400)
    path.with_suffix(".dat").unlink()


@pytest.mark.long
@proc
@two_cores
def test_day(report, day, tmp_path):
    """Each worker, and the process that leads them, under 300 MB; in eight pieces of a few hours that two workers share."""
    path, size = day
    begin = time.perf_counter()
    command = [sys.executable, "-m", "ctmeter", "batch", str(path), "-o", str(tmp_path / "out"), "--un", "230", "--jobs", "2", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL) as process, Watch(process.pid) as watch:
        text, _ = process.communicate()
    seconds = time.perf_counter() - begin
    plain = reading(path.parent)
    summary = json.loads(text)
    assert (summary["done"], summary["failed"]) == (1, 0)
    base = idle()
    worst = max(watch.workers.values()) - base
    ms = seconds * 1e3
    rows = [
        Row("a worker, largest", ms, 0.0, worst, 300),
        Row("the process that leads them", ms, 0.0, watch.parent - base, 300),
    ]
    speed = [
        Row("reading alone", plain * 1e3, 0.0, size / plain / 1e9, None),
        Row("batch, two workers", ms, 0.0, size / seconds / 1e9, None, note=f"{seconds / plain:.1f} x reading, {86_400 / seconds:.0f} x real time"),
    ]
    report(Table("a day, 13 GB of samples", "MB", rows), Table("a day, 22 GB of file", "GB/s", speed))
