"""Small COMTRADE records of our own making, with every field free to be wrong."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ANALOG = ("1,UA,A,,V,0.5,1,0,-32767,32767,100,1,P", "2,IA,A,,A,0.25,-2,0,-32767,32767,400,5,S")
STATUS = ("1,TRIP,,,0", "2,START,,,0", "3,LOCK,,,0")
FORMATS = {"BINARY": "h", "BINARY32": "i", "FLOAT32": "f"}


def cfg_text(
    *,
    head: str = "Station,Device,1999",
    counts: str | None = None,
    analog: Sequence[str] = ANALOG,
    status: Sequence[str] = STATUS,
    frequency: str = "50",
    rates: Sequence[str] = ("1", "1000,20"),
    start: str = "01/02/2024,03:04:05.000000",
    trigger: str = "01/02/2024,03:04:05.010000",
    file_type: str = "ASCII",
    tail: Sequence[str] = ("1",),
) -> str:
    """A CFG, right in every place that is not given."""
    counts = counts if counts is not None else f"{len(analog) + len(status)},{len(analog)}A,{len(status)}D"
    return "\r\n".join([head, counts, *analog, *status, frequency, *rates, start, trigger, file_type, *tail]) + "\r\n"


def samples(rows: int = 20, channels: int = 2) -> np.ndarray:
    """Distinct raw values of several digits."""
    return (np.arange(rows * channels).reshape(rows, channels) * 37 - 301) % 4001 - 1000


def states(rows: int = 20, channels: int = 3) -> np.ndarray:
    return np.add.outer(np.arange(rows), np.arange(channels)) % 3 == 0


def dat_bytes(
    file_type: str,
    raw: np.ndarray,
    status: np.ndarray,
    stamps: Sequence[int] | None = None,
    numbers: Sequence[int] | None = None,
    end: bytes = b"\r\n",
) -> bytes:
    """The rows in one of the four encodings."""
    rows = len(raw)
    stamps = [k * 1000 for k in range(rows)] if stamps is None else stamps
    numbers = range(1, rows + 1) if numbers is None else numbers
    if file_type == "ASCII":
        lines = [",".join(map(str, [n, t, *map(int, r), *map(int, s)])) for n, t, r, s in zip(numbers, stamps, raw, status, strict=True)]
        return b"".join(line.encode() + end for line in lines)
    out = b""
    for n, t, r, s in zip(numbers, stamps, raw, status, strict=True):
        words = [sum(int(b) << k for k, b in enumerate(s[w : w + 16])) for w in range(0, len(s), 16)]
        out += struct.pack(f"<II{len(r)}{FORMATS[file_type]}{len(words)}H", n % 2**32, t % 2**32, *r, *words)
    return out


def write(folder: Path, cfg: str | bytes, dat: bytes, stem: str = "x") -> Path:
    """A pair of files; the path of the CFG."""
    path = folder / f"{stem}.cfg"
    path.write_bytes(cfg if isinstance(cfg, bytes) else cfg.encode())
    (folder / f"{stem}.dat").write_bytes(dat)
    return path


def cff_bytes(cfg: str, dat: bytes, file_type: str, length: int | None = None) -> bytes:
    kind = file_type if file_type == "ASCII" else f"{file_type}: {len(dat) if length is None else length}"
    head = f"--- file type: CFG ---\r\n{cfg}--- file type: INF ---\r\n\r\n--- file type: HDR ---\r\nhello\r\n--- file type: DAT {kind} ---\r\n"
    return head.encode() + dat
