"""The last raw frames of a stream, for as long as they may be wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["Ring"]

#: Bytes of a buffer into which frames are copied; buffers are used again, so that memory stays warm.
_BUFFER = 1 << 19


class Ring:
    """Frames by their numbers, in the order in which they came; there may be gaps."""

    def __init__(self) -> None:
        #: First frame's number, the frames, and the buffer they lie in where it is ours.
        self._parts: list[tuple[int, np.ndarray, np.ndarray | None]] = []
        self._spare: list[np.ndarray] = []
        self._fill = 0

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(frames.nbytes for _, frames, _ in self._parts)

    def refer(self, at: int, frames: np.ndarray) -> None:
        """Hold frames that will not change."""
        self._parts.append((at, frames, None))

    def copy(self, at: int, frames: np.ndarray) -> None:
        """Hold a copy of frames."""
        done = 0
        while done < len(frames):
            room = self._room(at + done, frames)
            n = min(room, len(frames) - done)
            first, _, buffer = self._parts[-1]
            assert buffer is not None
            buffer[self._fill : self._fill + n] = frames[done : done + n]
            self._fill += n
            self._parts[-1] = (first, buffer[: self._fill], buffer)
            done += n

    def _room(self, at: int, like: np.ndarray) -> int:
        """Frames that still go into the last buffer, a new one where none do or where the frames do not follow on."""
        if self._parts:
            first, frames, buffer = self._parts[-1]
            follows = buffer is not None and first + len(frames) == at and buffer.dtype == like.dtype
            if follows and buffer is not None and self._fill < len(buffer):
                return len(buffer) - self._fill
        rows = max(int(_BUFFER // max(like.shape[1] * like.itemsize, 1)), 1)
        spare = self._spare.pop() if self._spare else None
        if spare is None or spare.dtype != like.dtype or spare.shape != (rows, like.shape[1]):
            spare = np.empty((rows, like.shape[1]), like.dtype)
        self._parts.append((at, spare[:0], spare))
        self._fill = 0
        return rows

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """Copies of the frames [start, stop) that are held, with the number of the first."""
        for first, frames, _ in self._parts:
            a, b = max(start - first, 0), min(stop - first, len(frames))
            if b > a:
                yield first + a, frames[a:b].copy()

    def forget(self, before: int) -> None:
        """Let go of frames before a number."""
        while self._parts and self._parts[0][0] + len(self._parts[0][1]) <= before and not self._filling(0):
            _, _, buffer = self._parts.pop(0)
            if buffer is not None:
                self._spare.append(buffer)

    def _filling(self, k: int) -> bool:
        return k == len(self._parts) - 1 and self._parts[k][2] is not None

    def clear(self) -> None:
        """Let go of everything."""
        self._parts, self._spare, self._fill = [], [], 0

    def state(self) -> list[list[Any]]:
        """Everything, as plain values."""
        return [[at, frames] for at, frames, _ in self._parts]

    def resume(self, state: list[list[Any]]) -> None:
        """Go on from `state`."""
        self.clear()
        self._parts = [(at, frames, None) for at, frames in state]
