"""A recording on its way into a meter: what it holds, when it was, how it is measured, and what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import CtmeterError, InputError
from ..pipeline.describe import digest_of, files_of
from ..quantity import PHASES
from ..recording import LINE_VOLTAGES, Gap, Recording, Timebase
from .config import MeterConfig

__all__ = ["Fed", "content_of", "measuring", "moved", "phases"]


@dataclass(frozen=True)
class Fed:
    """What became of one recording.

    Parameters
    ----------
    source : str
    status : {"fed", "resumed", "duplicate", "skipped", "failed"}
    start_ns, end_ns : int or None
        The time that it added, ns UTC.
    samples : int
    notes : tuple of str
        What a user should know.
    error : Exception, optional
        Why it failed.
    """

    source: str
    status: str
    start_ns: int | None = None
    end_ns: int | None = None
    samples: int = 0
    notes: tuple[str, ...] = ()
    error: CtmeterError | None = None


def content_of(recording: Recording) -> str:
    """SHA-256, in hexadecimal, of what a recording holds: its files, or its samples where it has none.

    Raises
    ------
    InputError
        A file cannot be read.
    """
    files = files_of(recording)
    if files:
        try:
            return digest_of(files)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", path=recording.path) from None
    digest = hashlib.sha256(repr([(c.name, c.scale, c.offset) for c in recording.channels]).encode())
    digest.update(repr([recording.sample_rate, recording.start_ns]).encode())
    for item in recording.blocks(1 << 16):
        digest.update(repr(item).encode() if isinstance(item, Gap) else np.ascontiguousarray(item.raw).tobytes())
    return digest.hexdigest()


def phases(recording: Recording, wiring: str) -> list[str]:
    """The phases of a wiring of which a recording has no voltage with a current.

    Raises
    ------
    InputError
        It has none at all, so that nothing could ever be registered of it.
    """
    if recording.unresolved:
        raise InputError(recording.unresolved, path=recording.path)
    roles = {c.role for c in recording.channels}
    if wiring == "3P3W" or roles & set(LINE_VOLTAGES):
        # what is missing of two systems cannot be left out, nor can these stand in for three: the engine says so
        return []
    wanted = PHASES[:1] if wiring == "1P2W" else PHASES
    missing = [p for p in wanted if not {f"U_{p}", f"I_{p}"} <= roles]
    if len(missing) == len(wanted):
        names = ", ".join(f"{c.name} ({c.role})" if c.role else c.name for c in recording.channels[:12]) or "none"
        raise InputError(
            f"no energy can be measured with the channels {names}",
            path=recording.path,
            expected="a voltage and its current, such as --map U_L1=NAME,I_L1=NAME",
        )
    return missing


def moved(recording: Recording, start_ns: int) -> Recording:
    """The recording with its first sample at another time."""
    if recording.start_ns == start_ns:
        return recording
    segments, at = [], start_ns
    for s in recording.segments:
        if s.start_ns is not None and recording.start_ns is not None:
            at = s.start_ns - recording.start_ns + start_ns
        segments.append(replace(s, start_ns=at))
        missing = sum(gap.samples for row, gap in recording.gaps if s.start <= row < s.stop)
        at = Timebase(at, s.sample_rate).ns(s.stop - s.start + missing)
    return replace(recording, segments=tuple(segments))


def measuring(config: MeterConfig) -> dict[str, Any]:
    """How the meter measures, as settings of the engine."""
    settings: dict[str, Any] = {
        "wiring": config.wiring, "reactive": config.reactive, "apparent": config.apparent, "summation": config.summation,
        "side": "secondary", "spectra": "none",
    }  # fmt: skip
    if config.nominal_frequency is not None:
        settings["nominal_frequency"] = config.nominal_frequency
    return settings
