"""Folders of small recordings, good and bad, and programs that batch them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

RATE = 1600
FRAMES = 800
VOLT, AMPERE = 0.02, 0.001
STATIONS = 8
#: 2026-03-02T00:00:00Z.
START = np.datetime64("2026-03-02T00:00:00", "us")
#: Kinds of bad files, in the order in which they come, and a word of the reason that is given for each.
KINDS = {"garbage": "names no", "empty": "0 bytes", "cut": "only 4 lines", "folder": "not a regular file", "alone": "no data file"}
PATH = os.pathsep.join(p for p in sys.path if p)


def frames(number: int, n: int = FRAMES, rate: int = RATE) -> np.ndarray:
    """Raw frames of recording `number`: 50 Hz, 230 V, some amperes at 60 degrees, different for each; int16, shape (n, 6)."""
    raw = np.empty((n, 6), "<i2")
    angle = 2 * np.pi * 50 / rate * np.arange(n)
    for k in range(3):
        a = angle - 2 * np.pi * k / 3
        raw[:, k] = np.round(325.3 / VOLT * np.cos(a))
        raw[:, 3 + k] = np.round((5 + number % 97 / 10) / AMPERE * np.cos(a - np.pi / 3))
    return raw


def active(raw: np.ndarray, rate: int = RATE) -> float:
    """Active energy of raw frames, Wh: the sum of u i over every sample."""
    return float((raw[:, :3].astype(np.float64) * raw[:, 3:]).sum()) * VOLT * AMPERE / rate / 3600


def write(path: Path, raw: np.ndarray, start: np.datetime64 | None = START, *, station: str = "north", device: str = "R1", rate: int = RATE) -> Path:
    """A COMTRADE BINARY pair, quickly: a thousand of them are written in a second."""
    lines = [
        f"{station},{device},1999",
        "6,6A,0D",
        *(f"{k + 1},{n},,,{n[0].replace('U', 'V').replace('I', 'A')},{VOLT if n[0] == 'U' else AMPERE},0,0,-32767,32767,1,1,P"
          for k, n in enumerate(("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3"))),
        "50", "1", f"{rate},{len(raw)}",
    ]  # fmt: skip
    clock = "00/00/0000,00:00:00.000000" if start is None else start.astype("M8[us]").item().strftime("%d/%m/%Y,%H:%M:%S.%f")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\r\n".join([*lines, clock, clock, "BINARY", "1", ""]).encode())
    rows = np.zeros(len(raw), np.dtype([("n", "<u4"), ("t", "<u4"), ("a", "<i2", (6,))]))
    rows["n"] = np.arange(1, len(raw) + 1)
    rows["t"] = np.round(np.arange(len(raw)) * 1e6 / rate)
    rows["a"] = raw
    rows.tofile(path.with_suffix(".dat"))
    return path


def make(root: Path, files: int, bad: int = 0, minutes: int = 100) -> dict[str, str]:
    """A folder of recordings of some stations, some minutes apart at each; which are bad, and how."""
    spoilt: dict[str, str] = {}
    for k in range(files):
        station, number = f"station {k % STATIONS}", k // STATIONS
        path = write(root / station / f"{number:05}.cfg", frames(k), START + np.timedelta64(minutes * number, "m"), station=station)
        if bad and k % (files // bad) == files // bad // 2:
            kind = list(KINDS)[len(spoilt) % len(KINDS)]
            spoil(path, kind)
            spoilt[path.relative_to(root).as_posix()] = kind
    return spoilt


def spoil(path: Path, kind: str) -> None:
    """Make a bad recording of a good one."""
    data = path.with_suffix(".dat")
    if kind == "garbage":
        path.write_bytes(np.random.default_rng(1).bytes(500))
    elif kind == "empty":
        data.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:150])
    elif kind in ("folder", "alone"):
        data.unlink()
        if kind == "folder":
            data.mkdir()


def touch_back(path: Path, seconds: float = 5.0) -> None:
    """Give the files of a recording another time of change."""
    for part in (path, path.with_suffix(".dat")):
        status = part.stat()
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns - round(seconds * 1e9)))


def sha256(out: Path) -> str:
    """Digest of the data set: of all paths in it and their bytes."""
    digest = hashlib.sha256()
    root = out / "dataset"
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def program(*arguments: str | Path, path: str = PATH, **options: Any) -> subprocess.Popen[str]:
    """`ctmeter batch`, running."""
    command = [sys.executable, "-m", "ctmeter", "batch", *map(str, arguments)]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, **settings)


def batch(*arguments: str | Path, path: str = PATH, timeout: float = 300.0) -> tuple[int, str, str]:
    """`ctmeter batch`: exit code, standard output and error."""
    with program(*arguments, path=path) as running:
        out, err = running.communicate(timeout=timeout)
    return running.returncode, out, err


def events(text: str) -> list[dict[str, Any]]:
    """The lines of `--json-lines`."""
    return [json.loads(line) for line in text.splitlines()]


def rows(out: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a table of the data set, with site and month, by time and identity."""
    import pyarrow.dataset as ds

    found = ds.dataset(out / "dataset" / table, format="parquet", partitioning=ds.partitioning(flavor="hive")).to_table().to_pylist()
    return sorted(found, key=lambda r: (str(r.get("start", r.get("t"))), str(r.get("recording_id")), r.get("point") or ""))
