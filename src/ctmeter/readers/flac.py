"""FLAC files, by soundfile: whole numbers of 8 to 24 bits, up to 8 channels, a third of the size of WAV.

As WAV files without a description they do not know volts: channels are named ch1, ch2 ..., full scale is 1, and a map says what is
what. Frames are decoded as they are asked for. A file that claims more frames than it has gives those that are there, with a warning; one that
claims more than `MAX_RATIO` times its size is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording import Channel, Recording, Segment
from ._needed import needed

__all__ = ["MAX_RATIO", "READER", "FlacReader"]

MAX_RATIO, RATIO_FROM = 1000, 256 << 20
_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}
_BLOCK = 1 << 12


class _Frames:
    """Decoded frames, int16 or int32."""

    def __init__(self, file: Any, bits: int, path: Path) -> None:
        self._file, self._bits, self._path = file, bits, path
        self._dtype = "int16" if bits <= 16 else "int32"

    def raw(self, start: int, stop: int) -> np.ndarray:
        if stop <= start:
            return np.empty((0, self._file.channels), self._dtype)
        try:
            if self._file.tell() != start:
                self._file.seek(start)
            found: np.ndarray = self._file.read(stop - start, dtype=self._dtype, always_2d=True)
        except (RuntimeError, OSError, ValueError) as error:
            raise InputError(f"frames {start} to {stop} are damaged ({str(error)[:120]})", path=self._path, expected="a whole FLAC file") from None
        if len(found) != stop - start:
            raise InputError(f"{len(found)} of the frames {start} to {stop} are there", path=self._path, expected="a whole FLAC file")
        # decoders give numbers of fewer bits as the upper ones
        return found >> ((16 if self._dtype == "int16" else 32) - self._bits)

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((max(stop - start, 0), 0), np.uint8)

    def close(self) -> None:
        self._file.close()


class FlacReader:
    """See the module."""

    name = "FLAC"
    extensions = (".flac",)

    def sniff(self, path: Path, head: bytes) -> bool:
        """The magic at the beginning."""
        return head.startswith(b"fLaC")

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The samples as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        soundfile = needed("soundfile", "audio", path)
        warnings: list[str] = []
        try:
            rows = _whole(soundfile, path, warnings)
            file = soundfile.SoundFile(str(path))
        except InputError:
            raise
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            raise InputError(f"a damaged file ({str(error)[:120]})", path=path, expected="a FLAC file") from None
        bits = _BITS.get(file.subtype)
        if file.format != "FLAC" or bits is None:
            file.close()
            raise InputError(f"{file.format} of {file.subtype}", path=path, expected="FLAC of 8 to 24 bits")
        full = 2.0 ** (bits - 1)
        channels = tuple(Channel(f"ch{k + 1}", scale=1.0 / full, range=(-full, full - 1.0)) for k in range(file.channels))
        used = float(file.samplerate) if rate is None else rate
        if abs(used - file.samplerate) > max(1.0, 1e-4 * used):
            warnings.append(f"the header says {file.samplerate} Hz; the given {used:.9g} Hz is used")
        return Recording(_Frames(file, bits, path), channels, (Segment(0, rows, used),), format=f"FLAC {bits} bit", path=path, warnings=warnings)


READER = FlacReader()


def _whole(soundfile: Any, path: Path, warnings: list[str]) -> int:
    """How many frames are there."""
    with soundfile.SoundFile(str(path)) as file:
        said, size, channels = int(file.frames), path.stat().st_size, file.channels
        known = 0 < said < 2**40
        if known and said * channels * 2 > max(RATIO_FROM, MAX_RATIO * size):
            raise InputError(f"{size} bytes that claim {said} frames", path=path, expected=f"at most {MAX_RATIO} to 1")
        try:
            file.seek(said - 1 if known else 0)
            if known and len(file.read(1, dtype="int16", always_2d=True)) == 1:
                return said
        except (RuntimeError, OSError, ValueError):
            pass  # the last frame is not there: they are counted
    most, rows, step = max(RATIO_FROM, MAX_RATIO * size) // (2 * channels), 0, _BLOCK
    while step:
        rows, step = _decoded(soundfile, path, rows, most, step), step // 8
    if not rows:
        raise InputError("no samples", path=path, expected="frames of a FLAC file")
    warnings.append(f"the header says {said} frames, {rows} are there" if known else f"the header says no length; {rows} frames are there")
    return rows


def _decoded(soundfile: Any, path: Path, rows: int, most: int, step: int) -> int:
    """How many frames can be decoded, `rows` being known to, in steps; a decoder that met damage is of no more use."""
    done = 0
    with soundfile.SoundFile(str(path)) as file:
        try:
            while done < most:
                found = len(file.read(min(_BLOCK, rows - done) if done < rows else step, dtype="int16", always_2d=True))
                if not found:
                    break
                done += found
        except (RuntimeError, OSError, ValueError):
            pass  # what was decoded before the damage counts
    return max(done, rows)
