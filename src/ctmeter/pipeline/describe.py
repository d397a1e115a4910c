"""Recordings and values in words that JSON knows."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import measurements
from ..recording import Channel, Recording

__all__ = ["SCHEMA_VERSION", "describe", "digest_of", "files_of", "iso", "plain", "program"]

#: Of every JSON result.
SCHEMA_VERSION = 1


def program() -> dict[str, str]:
    """Name and version of the program, for results."""
    return {"name": "ctmeter", "version": _version()}


@cache  # looking it up takes as long as measuring a short recording does
def _version() -> str:
    try:
        return importlib.metadata.version("ctmeter")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"  # run from a source tree


def iso(ns: int | None) -> str | None:
    """ISO 8601 text of a time in ns since 1970-01-01 UTC, to the ns where it has them; None stays None."""
    return None if ns is None else measurements.iso(ns)


def plain(value: Any) -> Any:
    """Plain values for JSON: NumPy scalars and arrays unwrapped, NaN and infinity null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.datetime64):
        return iso(int(value.astype("datetime64[ns]").astype(np.int64)))
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def _channel(c: Channel) -> dict[str, Any]:
    return {
        "name": c.name,
        "role": c.role,
        "unit": c.unit,
        "phase": c.phase,
        "scale": c.scale,
        "offset": c.offset,
        "ratio": c.ratio,
        "side": c.side,
        "skew_s": c.skew,
    }


def _small(value: Any) -> bool:
    if isinstance(value, Mapping):
        return len(value) <= 64 and all(_small(v) for v in value.values())
    if isinstance(value, (list, tuple)):
        return len(value) <= 256 and all(_small(v) for v in value)
    return value is None or isinstance(value, (bool, int, float, str, np.generic))


def files_of(recording: Recording) -> list[Path]:
    """The file and, for a pair of COMTRADE, its data file; none where it is no file."""
    path = None if recording.path is None else Path(recording.path)
    if path is None or not path.is_file():
        return []
    if path.suffix.lower() != ".cfg":
        return [path]
    from ..readers.comtrade import partners

    beside = next(partners(path, ".dat"), None)
    return [path] if beside is None else [path, beside]


def digest_of(files: Sequence[Path]) -> str:
    """SHA-256, in hexadecimal, of files one after the other."""
    digest = hashlib.sha256()
    for f in files:
        with f.open("rb") as stream:
            while data := stream.read(1 << 20):
                digest.update(data)
    return digest.hexdigest()


def describe(recording: Recording, *, sha256: bool = False, channels: Sequence[Channel] | None = None) -> dict[str, Any]:
    """What a recording is, as `summary.json` and `ctmeter info` say it.

    Parameters
    ----------
    recording : Recording
    sha256 : bool
        Add the digest of the file (CFG and DAT one after the other).
    channels : sequence of Channel, optional
        As measured, where that differs from the file.
    """
    start = recording.start_ns
    path = recording.path
    files = files_of(recording)
    result: dict[str, Any] = {
        "source": None if path is None else os.fspath(path),
        "size": sum(f.stat().st_size for f in files) if files else recording.metadata.get("bytes"),
        "format": recording.format,
        "start": iso(start),
        "end": None if start is None else iso(start + round(recording.duration * 1e9)),
        "duration_s": recording.duration,
        "sample_rate_hz": recording.sample_rate,
        "nominal_frequency_hz": recording.nominal_frequency,
        "segments": [
            {"start": iso(s.start_ns), "samples": s.stop - s.start, "sample_rate_hz": s.sample_rate, "excluded": s.excluded or None}
            for s in recording.segments
        ],
        "gaps": {"count": len(recording.gaps), "samples": sum(g.samples for _, g in recording.gaps)},
        "samples": recording.samples,
        "channels": [_channel(c) for c in (channels or recording.channels)],
        "status_channels": list(recording.status_channels),
        "unresolved": recording.unresolved or None,
        "warnings": list(recording.warnings),
        "metadata": {k: v for k, v in recording.metadata.items() if _small(v)},
    }
    if sha256 and files:
        result["sha256"] = digest_of(files)
    cleaned: dict[str, Any] = plain(result)
    return cleaned
