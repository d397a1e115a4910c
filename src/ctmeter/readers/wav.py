"""WAV files: RIFF, RF64 and BW64 with PCM of 8, 16, 24 and 32 bits or floats of 32 and 64 bits.

Samples are mapped; 24-bit samples are widened to int32, 8-bit ones, which WAV counts from 0 to 255, to int16 around 0.
Channels are named ch1, ch2 ... without unit, and full scale is 1, since a WAV file does not know volts: give a map, and
ratios where the numbers matter. Only ctmeter's own writer says more, in a chunk `ctmt` of JSON that holds names, units,
scales, limits, segments (with rates that are not whole and the start time) and gaps; then the raw numbers are counts of
those scales. Other chunks are passed over. Sizes of chunks are believed only as far as the file goes; a data chunk that is
cut off gives the whole frames that are there.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..recording import Channel, Gap, Recording, Segment
from ._access import Bytes, held, opened
from ._described import parse

__all__ = ["READER", "WavReader"]

_RIFFS = (b"RIFF", b"RF64", b"BW64")
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OPEN = 0xFFFFFFFF
_MAX_CHUNKS, _MAX_CHANNELS = 4096, 1024
_DTYPES = {(_PCM, 8): "u1", (_PCM, 16): "<i2", (_PCM, 24): "u1", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4", (_FLOAT, 64): "<f8"}


class _Format(NamedTuple):
    kind: int
    bits: int
    channels: int
    rate: int

    @property
    def frame(self) -> int:
        return self.channels * self.bits // 8


class _Frames:
    """Frames, mapped where the file is a local one."""

    def __init__(self, path: Path, offset: int, rows: int, form: _Format) -> None:
        self._dtype = np.dtype(_DTYPES[form.kind, form.bits])
        self._shape = (form.channels, 3) if form.bits == 24 else (form.channels,)
        self._content: Bytes | None = held(path)
        self._offset, self._rows, self._step = offset, rows, form.frame
        self._packed, self._bytes = form.bits == 24, form.bits == 8

    def _block(self, start: int, stop: int) -> np.ndarray:
        start, stop, _ = slice(start, stop).indices(self._rows)
        if stop <= start or self._content is None:
            return np.empty((0, *self._shape), self._dtype)
        first = self._offset + start * self._step
        buffer, base = self._content.window(first, self._offset + stop * self._step)
        return np.ndarray((stop - start, *self._shape), self._dtype, buffer, first - base)

    def raw(self, start: int, stop: int) -> np.ndarray:
        block = self._block(start, stop)
        if self._packed:
            wide = np.zeros((*block.shape[:2], 4), np.uint8)
            wide[:, :, 1:] = block
            out: np.ndarray = wide.view("<i4")[:, :, 0] >> 8
            return out
        if self._bytes:
            return block.astype(np.int16) - np.int16(128)
        # data chunks begin at even bytes only, while compiled code wants aligned numbers
        return block if block.flags.aligned else block.copy()

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((max(stop - start, 0), 0), np.uint8)

    def close(self) -> None:
        self._content = None


class WavReader:
    """See the module."""

    name = "WAV"
    extensions = (".wav", ".rf64", ".bw64")

    def sniff(self, path: Path, head: bytes) -> bool:
        """A RIFF, RF64 or BW64 header of form WAVE."""
        return head[:4] in _RIFFS and head[8:12] == b"WAVE"

    def by_ranges(self, path: Path, head: bytes) -> bool:
        """Remote files are read by ranges."""
        return True

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The samples as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        warnings: list[str] = []
        with opened(path) as file:
            form, offset, size, said = _chunks(file, path, warnings)
        rows = size // form.frame
        if size % form.frame:
            warnings.append(f"the last {size % form.frame} bytes of the data are no whole frame and are left out")
        if not rows:
            raise InputError("no samples", path=path, offset=offset, expected=f"frames of {form.frame} bytes")
        channels = tuple(_channel(k, form) for k in range(form.channels))
        nominal, gaps = None, tuple[tuple[int, Gap], ...]()
        segments: tuple[Segment, ...] = ()
        if said is not None:
            try:
                told = parse(said, rows, form.channels)
                channels, segments, gaps, nominal = told.channels, told.segments, told.gaps, told.nominal_frequency
            except ValueError as error:
                warnings.append(f"the chunk ctmt does not describe the samples and is ignored ({error})")
        if not segments:
            segments = (Segment(0, rows, _rate(path, form, rate, warnings)),)
        elif rate is not None and any(abs(s.sample_rate - rate) > 1e-4 * rate for s in segments):
            warnings.append(f"the file says {segments[0].sample_rate:.9g} Hz, which is used instead of the given {rate:.9g} Hz")
        kind = f"WAV {'float' if form.kind == _FLOAT else 'PCM'} {form.bits} bit"
        return Recording(_Frames(path, offset, rows, form), channels, segments, gaps, nominal, format=kind, path=path, warnings=warnings)


READER = WavReader()


def _channel(k: int, form: _Format) -> Channel:
    if form.kind == _FLOAT:
        return Channel(f"ch{k + 1}")
    full = 2.0 ** (form.bits - 1)
    return Channel(f"ch{k + 1}", scale=1.0 / full, range=(-full, full - 1.0))


def _rate(path: Path, form: _Format, rate: float | None, warnings: list[str]) -> float:
    if rate is None:
        if not form.rate:
            raise InputError("the header says 0 Hz", path=path, expected="a sample rate, or --rate HZ")
        return float(form.rate)
    if abs(form.rate - rate) > max(1.0, 1e-4 * rate):
        warnings.append(f"the header says {form.rate} Hz; the given {rate:.9g} Hz is used")
    return rate


def _chunks(file: IO[bytes], path: Path, warnings: list[str]) -> tuple[_Format, int, int, bytes | None]:
    """Format, offset and size of the data, and the description if there is one."""
    end = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if head[:4] not in _RIFFS or head[8:12] != b"WAVE":
        raise InputError("no WAV header", path=path, offset=0, expected="RIFF, RF64 or BW64 of form WAVE")
    at, form, data, said, wide = 12, None, None, None, None
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        name, size = struct.unpack("<4sI", head)
        at += 8
        if name == b"ds64" and size >= 28:
            wide = struct.unpack("<QQQ", _exactly(file, 24, path))[1]
        elif name == b"fmt " and form is None:
            form = _format(file.read(min(size, 40)), path, at)
        elif name == b"ctmt" and said is None and size <= min(8 << 20, end - at):
            said = file.read(size)
        elif name == b"data" and data is None:
            if size == _OPEN and wide is not None:
                size = wide
            if size > end - at or (size in (0, _OPEN) and wide is None):
                # writers that cannot seek back leave 0 or all ones
                if size not in (0, _OPEN):
                    warnings.append(f"the data chunk says {size} bytes, {end - at} are there")
                size = end - at
            data = (at, size)
        at += size + size % 2
    if form is None or data is None:
        raise InputError(f"no {'fmt' if form is None else 'data'} chunk", path=path, offset=min(at, end), expected="chunks fmt and data")
    return form, *data, said


def _exactly(file: IO[bytes], size: int, path: Path) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise InputError("the file ends within a chunk", path=path, offset=file.tell())
    return data


def _format(data: bytes, path: Path, at: int) -> _Format:
    if len(data) < 16:
        raise InputError("a fmt chunk that is cut off", path=path, offset=at, expected="16 bytes or more")
    kind, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", data[:16])
    if kind == _EXTENSIBLE and len(data) >= 26:
        (kind,) = struct.unpack("<H", data[24:26])
    if (kind, bits) not in _DTYPES:
        raise InputError(f"encoding {kind} with {bits} bits", path=path, offset=at, expected="PCM of 8, 16, 24 or 32 bits or float of 32 or 64 bits")
    if not 0 < channels <= _MAX_CHANNELS:
        raise InputError(f"{channels} channels", path=path, offset=at, expected=f"1 to {_MAX_CHANNELS}")
    form = _Format(kind, bits, channels, rate)
    if frame != form.frame:
        raise InputError(f"frames of {frame} bytes", path=path, offset=at, expected=f"{form.frame} for {channels} channels of {bits} bits")
    return form
