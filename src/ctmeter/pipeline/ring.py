"""The last raw frames of a stream, for as long as they may be wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Ring"]

#: Bytes of a buffer into which frames are copied; buffers are used again, so that memory stays warm.
_BUFFER = 1 << 19


@dataclass
class _Part:
    """Frames that follow each other: the first `fill` rows of an array, which is a buffer of ours or not."""

    first: int
    frames: np.ndarray
    fill: int
    ours: bool

    @property
    def stop(self) -> int:
        return self.first + self.fill


class Ring:
    """Frames by their numbers, in the order in which they came; there may be gaps."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._spare: list[np.ndarray] = []

    def refer(self, at: int, frames: np.ndarray) -> None:
        """Hold frames that will not change."""
        self._parts.append(_Part(at, frames, len(frames), False))

    def copy(self, at: int, frames: np.ndarray) -> None:
        """Hold a copy of frames."""
        done, size = 0, len(frames)
        while done < size:
            part = self._parts[-1] if self._parts else None
            if part is None or not part.ours or part.fill == len(part.frames) or part.stop != at + done or part.frames.dtype != frames.dtype:
                part = _Part(at + done, self._buffer(frames), 0, True)
                self._parts.append(part)
            n = min(len(part.frames) - part.fill, size - done)
            part.frames[part.fill : part.fill + n] = frames[done : done + n]
            part.fill += n
            done += n

    def _buffer(self, like: np.ndarray) -> np.ndarray:
        rows = max(int(_BUFFER // max(like.shape[1] * like.itemsize, 1)), 1)
        spare = self._spare.pop() if self._spare else None
        if spare is None or spare.dtype != like.dtype or spare.shape != (rows, like.shape[1]):
            spare = np.empty((rows, like.shape[1]), like.dtype)
        return spare

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Copies of the frames [start, stop) that are held, with the number of the first."""
        for part in self._parts:
            a, b = max(start - part.first, 0), min(stop - part.first, part.fill)
            if b > a:
                yield part.first + a, part.frames[a:b].copy()

    def forget(self, before: int) -> None:
        """Let go of frames before a number."""
        gone = 0
        while gone < len(self._parts) - 1 and self._parts[gone].stop <= before:
            if self._parts[gone].ours:
                self._spare.append(self._parts[gone].frames)
            gone += 1
        del self._parts[:gone]

    def clear(self) -> None:
        """Let go of everything."""
        self._parts, self._spare = [], []

    def state(self) -> list[list[Any]]:
        """Everything, as plain values."""
        return [[part.first, part.frames[: part.fill]] for part in self._parts]

    def resume(self, state: list[list[Any]]) -> None:
        """Go on from `state`."""
        self._spare = []
        self._parts = [_Part(first, frames, len(frames), False) for first, frames in state]
