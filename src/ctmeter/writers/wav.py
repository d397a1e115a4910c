"""WAV: the recording's own numbers as PCM of 16 or 32 bits or float of 32 or 64 bits, with a chunk `ctmt` that describes them.

Option: `encoding` ("int16", "int32", "float32", "float64"); where it is not given, that of the recording. Counts that fit are
kept, others get a scale of their own for each channel; floats are kept, or give V and A where counts are widened to floats.
The header holds the whole number next to the sample rate, the chunk `ctmt` (JSON: names, units, scales, segments, start time,
gaps) the rate itself; players pass it over. Above 4 GB the file is RF64. Status channels are not written.
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError, SettingsError
from ..recording import Channel, Recording
from ._counts import Scaling, plan_counts
from ._output import atomic, check_options, describe, pieces, played_names, warn_lost

__all__ = ["WRITER", "WavWriter"]

_LIMITS = {"int16": 32767, "int32": 2147483647}
_KINDS = {"int16": (1, "<i2"), "int32": (1, "<i4"), "float32": (3, "<f4"), "float64": (3, "<f8")}


class WavWriter:
    """See the module."""

    name = "WAV"
    extensions = (".wav",)

    def write(self, recording: Recording, path: Path, **options: Any) -> None:
        """Write a recording; see the module for the option.

        Raises
        ------
        InputError
            A recording without samples or with too many channels.
        StoreError
            A place that cannot be written.
        SettingsError
            Options that do not exist.
        """
        check_options(options, ("encoding",), path)
        own = np.dtype(recording.source.raw(0, 0).dtype).newbyteorder("=").name if recording.channels else ""
        encoding = str(options.get("encoding") or own).lower()
        if not recording.channels or not recording.samples:
            raise InputError("a recording without samples cannot be written", path=path)
        if encoding not in _KINDS:
            raise SettingsError(f"encoding: {encoding!r}, expected one of {', '.join(_KINDS)}")
        warn_lost(recording, path, "WAV", channels=False)
        kind, code = _KINDS[encoding]
        frame = np.dtype(code).itemsize * len(recording.channels)
        if frame > 0xFFFF:
            raise InputError(f"{len(recording.channels)} channels", path=path, expected=f"at most {0xFFFF // np.dtype(code).itemsize}")
        scalings = _scalings(recording, encoding, own)
        told = describe(recording, played_names(recording.channels), [s.channel for s in scalings]).encode()
        with atomic(path) as (file,):
            size = frame * recording.samples
            file.write(_head(recording, kind, np.dtype(code).itemsize, told, size))
            _write_data(file, recording, scalings, code)
            file.write(b"\0" * (size % 2))


WRITER = WavWriter()


def _scalings(recording: Recording, encoding: str, own: str) -> list[Scaling]:
    if encoding in _LIMITS:
        if encoding == own:
            return [Scaling(c, c, True) for c in recording.channels]
        return plan_counts(recording, _LIMITS[encoding], float(-_LIMITS[encoding] - 1))
    if own.startswith("float"):
        return [Scaling(replace(c, missing=None), c, True) for c in recording.channels]
    return [Scaling(replace(c, missing=None, range=None), c, True) for c in recording.channels]


def _head(recording: Recording, kind: int, item: int, told: bytes, size: int) -> bytes:
    channels, rate = len(recording.channels), min(max(1, round(recording.sample_rate)), 0xFFFFFFFF)
    frame = item * channels
    form = struct.pack("<HHIIHH", kind, channels, rate, min(rate * frame, 0xFFFFFFFF), frame, 8 * item)
    if kind == 3:
        # readers want the size of an extension, empty here, and the number of frames beside floats
        form += b"\0\0"
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    if kind == 3:
        chunks += b"fact" + struct.pack("<II", 4, min(recording.samples, 0xFFFFFFFF))
    chunks += b"ctmt" + struct.pack("<I", len(told)) + told + b"\0" * (len(told) % 2)
    # samples begin at a multiple of 16 bytes, so that they can be mapped as they are
    used = 12 + len(chunks) + 8
    total = used + size + size % 2
    large = total - 8 > 0xFFFFFFFF
    used += 36 if large else 0
    pad = -(used + 8) % 16
    chunks += b"JUNK" + struct.pack("<I", pad) + b"\0" * pad
    total += 8 + pad
    if not large:
        return b"RIFF" + struct.pack("<I", total - 8) + b"WAVE" + chunks + b"data" + struct.pack("<I", size)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, total + 36 - 8, size, recording.samples, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + sizes + chunks + b"data\xff\xff\xff\xff"


def _write_data(file: IO[bytes], recording: Recording, scalings: list[Scaling], code: str) -> None:
    for piece in pieces(recording):
        if piece.raw.dtype == np.dtype(code) and all(s.kept and s.channel == s.source for s in scalings):
            file.write(np.ascontiguousarray(piece.raw).data)
            continue
        out = np.empty(piece.raw.shape, code)
        for k, scaling in enumerate(scalings):
            lost = math.nan if code[1] == "f" else _code(scaling.channel)
            out[:, k] = scaling.counts(piece.raw[:, k], lost)
        file.write(out.data)


def _code(channel: Channel) -> float:
    return 0.0 if channel.missing is None else channel.missing
