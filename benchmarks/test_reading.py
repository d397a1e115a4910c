"""Reading: what the file costs beside measuring it. The files are in the page cache."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from benchmarks.measure import BASIC, RATE, Basic, Row, Table, Timing, engine, interleaved, recording, tabulate

import ctmeter
from ctmeter.recording import Wiring

BLOCK = 65_536


@pytest.fixture(scope="module")
def files(minute, tmp_path_factory):
    """The minute as a COMTRADE BINARY record and in other formats; the slower ones hold ten seconds of it."""
    folder = tmp_path_factory.mktemp("files")
    whole, ten = recording(minute), recording(minute[: round(10 * RATE)])
    whole.write(folder / "binary.cfg", encoding="BINARY")
    recording(np.concatenate([minute] * 10)).write(folder / "long.cfg", encoding="BINARY")
    ten.write(folder / "ascii.cfg", encoding="ASCII")
    for name in ("float.cfg", "samples.csv", "samples.wav", "samples.npz"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*the side of the values", ctmeter.CtmeterWarning)  # no format but two can hold it
            ten.write(folder / name, **({"encoding": "FLOAT32"} if name == "float.cfg" else {}))
    return folder


def feed(rec: ctmeter.Recording, block: int = BLOCK) -> None:
    """The basic chain over a recording's own blocks, with its own channels."""
    e = Basic(ctmeter.Settings(nominal_frequency=50, **BASIC), rec.sample_rate, rec.channels, rec.start_ns, Wiring("3P4W"))
    for part in rec.blocks(block):
        e.feed(part if isinstance(part, ctmeter.Gap) else part.raw)
    e.flush()
    e.take()


def read_and_feed(path) -> None:
    with ctmeter.read(path) as rec:
        feed(rec)


def from_memory(raw: np.ndarray) -> None:
    e = engine(raw.dtype, **BASIC)
    for start in range(0, len(raw), BLOCK):
        e.feed(raw[start : start + BLOCK])
    e.flush()
    e.take()


def from_file(raw: np.ndarray, path) -> dict[str, Timing]:
    opened = ctmeter.read(path)
    return interleaved(
        {
            "chain from memory": lambda: from_memory(raw),
            "open, read, chain": lambda: read_and_feed(path),
            "already open, chain": lambda: feed(opened),
            "open alone": lambda: ctmeter.read(path).close(),
        },
        rounds=15,
    )


def test_comtrade_binary(minute, files, report):
    """A COMTRADE BINARY file adds at most 20 % to the basic chain. Opening is paid once, so a minute shows more of it than an hour."""
    limits = {"already open, chain": 1.2, "open, read, chain": 1.2}
    long = tabulate("COMTRADE BINARY, 600 s", from_file(np.concatenate([minute] * 10), files / "long.cfg"), "chain from memory", limits=limits)
    short = tabulate("COMTRADE BINARY, 60 s", from_file(minute, files / "binary.cfg"), "chain from memory", aims=limits)
    report(short, long)


def read_all(path) -> int:
    with ctmeter.read(path, rate=RATE if path.suffix == ".npz" else None) as rec:
        return sum(len(b) for b in rec.blocks(BLOCK) if not isinstance(b, ctmeter.Gap))


def test_formats(files, report):
    """Rates of reading: MB/s of the file, and times real time of its six channels; CPU time of all threads."""
    names = {"COMTRADE FLOAT32": "float.cfg", "COMTRADE ASCII": "ascii.cfg", "CSV": "samples.csv", "WAV": "samples.wav", "NPZ": "samples.npz"}
    for name in names.values():
        assert read_all(files / name) == round(10 * RATE)
    timings = interleaved({name: lambda f=f: read_all(files / f) for name, f in names.items()}, rounds=9, clock=time.process_time_ns)
    rows = []
    for name, t in timings.items():
        path = files / names[name]
        size = (path.with_suffix(".dat") if path.suffix == ".cfg" else path).stat().st_size
        seconds = t.median * 1e-9
        rows.append(Row(name, t.median / 1e6, t.spread, 10 / seconds, None, note=f"{size / 1e6 / seconds:.0f} MB/s"))
    report(Table("reading 10 s to the last sample", "x real time", rows))


def test_info(minute, files, report, tmp_path):
    """Opening a file of a gigabyte takes about as long as opening a small one."""
    text = (files / "binary.cfg").read_text(encoding="utf-8")
    record = (files / "binary.dat").stat().st_size // len(minute)
    n = 1_000_000_000 // record
    (tmp_path / "large.cfg").write_text(text.replace(f",{len(minute)}\n", f",{n}\n").replace(f",{len(minute)}\r\n", f",{n}\r\n"), encoding="utf-8")
    piece = np.fromfile(files / "binary.dat", np.uint8).reshape(-1, record)
    with open(tmp_path / "large.dat", "wb") as f:
        # sample numbers and stamps as a recorder writes them: the reader looks at them
        frames, at = len(piece), 0
        stamps = piece[:, :8].copy().view("<u4").astype(np.uint64)
        step = int(stamps[-1, 1] - stamps[0, 1]) / (frames - 1)
        while at < n:
            head = np.empty((frames, 2), "<u4")
            head[:, 0] = np.arange(at + 1, at + frames + 1)
            head[:, 1] = np.rint((at + np.arange(frames)) * step).astype(np.uint64) & 0xFFFFFFFF
            piece[:, :8] = head.view(np.uint8).reshape(-1, 8)
            piece[: n - at].tofile(f)
            at += frames

    def opened(path) -> None:
        with ctmeter.read(path) as rec:
            assert rec.duration > 59

    with ctmeter.read(tmp_path / "large.cfg") as rec:
        assert rec.samples == n
    timings = interleaved({"15 MB": lambda: opened(files / "binary.cfg"), "1 GB": lambda: opened(tmp_path / "large.cfg")}, rounds=9)
    report(tabulate("opening", timings, "15 MB"))
