"""Recordings of one feeder over an hour, whole and in files, and what is known of them."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

from ctmeter import Recording
from ctmeter.batch.work import Source

RATE = 3200.0
#: 2026-03-02T00:02:17Z, so that no ten minutes begin with the recording.
START = 1_772_409_737_000_000_000
SECONDS = 65 * 60
NAMES = ("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3")
SCALE = dict(zip(NAMES, [0.02] * 3 + [0.0005] * 3, strict=True))
#: Seconds from the start: a dip of L1 over 00:20, and an interruption of all phases over 00:40.
DIP, INTERRUPTION = (1062.5, 1063.7), (1563.0, 2563.0)


@lru_cache(maxsize=1)
def counts() -> np.ndarray:
    """Raw frames: a frequency that sways, flicker, harmonics, the dip and the interruption."""
    n = round(SECONDS * RATE)
    t = np.arange(n) / RATE
    angle = 2 * np.pi * (50.02 * t + 0.3 * np.sin(2 * np.pi * t / 97))
    size = 1 + 0.004 * np.sin(2 * np.pi * 8.8 * t) + 0.01 * np.sin(2 * np.pi * t / 333)
    alive = np.where((t > INTERRUPTION[0]) & (t < INTERRUPTION[1]), 0.0, 1.0)
    dipped = np.where((t > DIP[0]) & (t < DIP[1]), 0.7, 1.0)
    raw = np.empty((n, 6), np.int16)
    for k in range(3):
        a = angle - 2 * np.pi * k / 3
        raw[:, k] = np.round(325 * size * alive * (dipped if k == 0 else 1) * (np.cos(a) + 0.03 * np.cos(5 * a + 0.4)) / 0.02)
        raw[:, 3 + k] = np.round(7 * alive * (np.cos(a - 0.5) + 0.1 * np.cos(3 * a - 1.5)) / 0.0005)
    raw.setflags(write=False)
    return raw


def write(path: Path, raw: np.ndarray, start: int | None, names: tuple[str, ...] = NAMES, rate: float = RATE) -> Path:
    """A COMTRADE file of raw frames that began at a time, ns."""
    arrays = {name: raw[:, k] for k, name in enumerate(names)}
    begun = None if start is None else np.datetime64(start, "ns")
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which side the values are on
        Recording.from_arrays(arrays, sample_rate=rate, start=begun, scale={n: SCALE[n] for n in names}).write(path)
    return path


def write_stages(path: Path, stages: list[tuple[float, np.ndarray]], start: int) -> Path:
    """A COMTRADE BINARY pair of several rates, raw frames of each; without stamps, so that times are those of the rates."""
    ends = np.cumsum([len(raw) for _, raw in stages])
    texts = ["north,R1,1999", "6,6A,0D"]
    texts += [f"{k + 1},{n},,,{'VA'[n[0] == 'I']},{SCALE[n]},0,0,-32767,32767,1,1,P" for k, n in enumerate(NAMES)]
    texts += ["50", str(len(stages)), *(f"{rate:g},{end}" for (rate, _), end in zip(stages, ends, strict=True))]
    clock = np.datetime64(start, "ns").astype("M8[us]").item().strftime("%d/%m/%Y,%H:%M:%S.%f")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\r\n".join([*texts, clock, clock, "BINARY", "1", ""]).encode())
    rows = np.zeros(ends[-1], np.dtype([("n", "<u4"), ("t", "<u4"), ("a", "<i2", (6,))]))
    rows["n"], rows["t"] = np.arange(1, ends[-1] + 1), 0xFFFFFFFF
    rows["a"] = np.concatenate([raw for _, raw in stages])
    rows.tofile(path.with_suffix(".dat"))
    return path


def source_of(path: Path, root: Path) -> Source:
    """As `find` would give it."""
    files = sorted(p for p in path.parent.iterdir() if p.stem == path.stem)
    return Source(str(path), path.relative_to(root).as_posix(), tuple((str(p), p.stat().st_size, str(p.stat().st_mtime_ns)) for p in files))


def active(raw: np.ndarray, rate: float = RATE) -> float:
    """Active energy of raw frames, Wh: the sum of u i over every sample."""
    u, i = raw[:, :3].astype(np.float64) * 0.02, raw[:, 3:].astype(np.float64) * 0.0005
    return float((u * i).sum()) / rate / 3600
