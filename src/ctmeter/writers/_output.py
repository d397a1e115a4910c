"""What the writers share: files that appear whole or not at all, frames with their times, a description in JSON."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..errors import CtmeterWarning, SettingsError, unwritable
from ..recording import ROLES, Channel, Recording

__all__ = ["Piece", "atomic", "check_options", "describe", "pieces", "played_names", "starts", "warn_lost"]

_BLOCK_VALUES = 1 << 19


class Piece(NamedTuple):
    """Frames of one segment, contiguous in time.

    Parameters
    ----------
    start, stop : int
        Rows of the recording.
    raw : ndarray, shape (stop - start, n_channels)
    ns : ndarray of int64, shape (stop - start,)
        Time of each frame; counted from 0 where the recording has no clock.
    """

    start: int
    stop: int
    raw: np.ndarray
    ns: np.ndarray


@contextlib.contextmanager
def atomic(*paths: Path) -> Iterator[list[IO[bytes]]]:
    """Files open for writing, moved to their names together at the end, removed on any error.

    Raises
    ------
    StoreError
        A place that cannot be written.
    """
    temporary = [p.with_name(f".{p.name[:100]}.{secrets.token_hex(4)}.tmp") for p in paths]
    files: list[IO[bytes]] = []
    try:
        try:
            for name in temporary:
                descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
                files.append(os.fdopen(descriptor, "w+b", buffering=1 << 20))
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
                file.close()
            for name, path in zip(temporary, paths, strict=True):
                name.replace(path)
        except OSError as error:
            raise unwritable(error, paths[0]) from error
    finally:
        for file in files:
            with contextlib.suppress(OSError):
                file.close()
        for name in temporary:
            name.unlink(missing_ok=True)


def check_options(options: Mapping[str, Any], known: Iterable[str], path: Path) -> None:
    """Refuse options that a writer does not have.

    Raises
    ------
    SettingsError
    """
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SettingsError(f"{n}: no option of the writer for {path.suffix.lower()}, expected {', '.join(known) or 'none'}" for n in unknown)


def starts(recording: Recording) -> list[int]:
    """Time of each segment's first row, ns since 1970; counted from 0 where there is no clock."""
    out, at = [], 0
    for segment in recording.segments:
        at = at if segment.start_ns is None else segment.start_ns
        out.append(at)
        lost = sum(g.samples for row, g in recording.gaps if segment.start < row <= segment.stop)
        at += round((segment.stop - segment.start + lost) / segment.sample_rate * 1e9)
    return out


def pieces(recording: Recording, rows: int | None = None) -> Iterator[Piece]:
    """Every row in order, also those of excluded segments, in blocks that span neither gap nor change of rate."""
    size = rows or max(1, _BLOCK_VALUES // max(1, len(recording.channels)))
    for segment, start_ns in zip(recording.segments, starts(recording), strict=True):
        breaks = [(row, gap.samples) for row, gap in recording.gaps if segment.start <= row < segment.stop]
        position, lost = segment.start, 0
        for row, samples in [*breaks, (segment.stop, 0)]:
            while position < row:
                stop = min(position + size, row)
                index = position - segment.start + lost
                # whole seconds apart, as float64 alone would lose ns after some hours
                whole, rest = divmod(index, segment.sample_rate)
                offset = rest / segment.sample_rate + np.arange(stop - position) / segment.sample_rate
                ns = start_ns + int(whole) * 1_000_000_000 + np.rint(offset * 1e9).astype(np.int64)
                yield Piece(position, stop, recording.source.raw(position, stop), ns)
                position = stop
            # a gap at the segment's first row lies before its start time
            lost += samples if row > segment.start else 0


def warn_lost(recording: Recording, path: Path, format: str, *, channels: bool = True, status: bool = True, others: Iterable[str] = ()) -> None:
    """Say what of a recording does not come back from a file of this format.

    Parameters
    ----------
    recording : Recording
    path : Path
    format : str
    channels, status : bool
        Whether it loses the sides and ratios of channels, and the status channels.
    others : iterable of str
        Whatever else it loses.
    """
    lost = list(others)
    if channels:
        sides = sorted({c.side for c in recording.channels if c.side})
        lost += [f"the side of the values ({', '.join(sides)})"] if sides else []
        lost += ["transformer ratios"] if any(c.ratio != 1.0 for c in recording.channels) else []
        lost += ["the delay between channels"] if any(c.skew for c in recording.channels) else []
    if status and recording.status_channels:
        lost.append(f"{len(recording.status_channels)} status channels")
    if lost:
        warnings.warn(f"{path.name}: {format} cannot hold, so that it is lost: {'; '.join(lost)}", CtmeterWarning, stacklevel=4)


def played_names(channels: Iterable[Channel], reserved: Iterable[str] = ()) -> list[str]:
    """A name for each channel: its role where it plays one, else its own; never twice the same, never a role that is not played."""
    taken = set(reserved)
    out = []
    for k, channel in enumerate(channels):
        base = channel.role or channel.name or f"ch{k + 1}"
        name = base = base if channel.role or base not in ROLES else f"{base} unused"
        n = 2
        while name in taken:
            name, n = f"{base} ({n})", n + 1
        taken.add(name)
        out.append(name)
    return out


def describe(recording: Recording, names: Iterable[str], channels: Iterable[Channel] | None = None) -> str:
    """Channels, segments and gaps as JSON, for the readers of ctmeter's own files."""
    listed = []
    for name, c in zip(names, channels or recording.channels, strict=True):
        entry = {"name": name, "scale": c.scale, "offset": c.offset, "unit": c.unit, "phase": c.phase, "ratio": c.ratio, "side": c.side}
        listed.append(entry | {"skew": c.skew, "range": c.range, "missing": c.missing})
    segments = [
        {"start": s.start, "stop": s.stop, "sample_rate": s.sample_rate, "start_ns": s.start_ns, "excluded": s.excluded} for s in recording.segments
    ]
    gaps = [[row, gap.samples, gap.reason] for row, gap in recording.gaps]
    told = {"version": 1, "nominal_frequency": recording.nominal_frequency, "channels": listed, "segments": segments, "gaps": gaps}
    return json.dumps(told, ensure_ascii=False)
