"""How readers come at bytes: a local file is mapped, of a remote object the ranges are fetched that are asked for.

A reader that uses `opened` and `held` alone reads both alike. What stands in the file system for a remote object is an empty
file of its size, whose bytes are announced here; anybody else who opened it would see zeros.
"""

from __future__ import annotations

import io
import mmap
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Protocol

__all__ = ["Bytes", "announce", "distant", "held", "is_url", "opened", "withdraw"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
#: Bytes that are read at once through `opened` at least.
_BUFFER = 1 << 16


class Bytes(Protocol):
    """The bytes of a file, wherever they are."""

    size: int

    def window(self, start: int, stop: int) -> tuple[Any, int]:
        """A buffer that holds bytes [start, stop), and the byte of the file at which the buffer begins."""

    def bring(self, places: Sequence[tuple[int, int]]) -> None:
        """Have several ranges at hand, which will be asked for next."""


class _Mapped:
    """A local file."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.size = len(self._map)

    def window(self, start: int, stop: int) -> tuple[Any, int]:
        return self._map, 0

    def bring(self, places: Sequence[tuple[int, int]]) -> None:
        """They are."""


_DISTANT: dict[str, Bytes] = {}


def is_url(text: str) -> bool:
    """Whether a text is a URL and no path."""
    return _URL.match(text) is not None


def announce(path: Path, content: Bytes) -> None:
    """Say what the bytes of a file are that stands for a remote object."""
    _DISTANT[str(path)] = content


def withdraw(path: Path) -> None:
    """The file holds its bytes itself, or is gone."""
    _DISTANT.pop(str(path), None)


def distant(path: Path) -> bool:
    """Whether the bytes of a file are elsewhere."""
    return str(path) in _DISTANT


def held(path: Path) -> Bytes:
    """The bytes of a file, which must not be empty.

    Raises
    ------
    OSError
        It cannot be opened.
    """
    return _DISTANT.get(str(path)) or _Mapped(path)


def opened(path: Path) -> IO[bytes]:
    """A file for reading, to be closed by the caller.

    Raises
    ------
    OSError
        It cannot be opened.
    """
    found = _DISTANT.get(str(path))
    if found is None:
        return open(path, "rb")
    return io.BufferedReader(_Stream(found, str(path)), _BUFFER)


class _Stream(io.RawIOBase):
    """A remote object as a stream."""

    def __init__(self, content: Bytes, name: str) -> None:
        super().__init__()
        self._content, self._at, self.name = content, 0, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._content.size}[whence]
        if at < 0:
            raise ValueError(f"position {at}")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        stop = min(self._at + len(buffer), self._content.size)
        if stop <= self._at:
            return 0
        data, base = self._content.window(self._at, stop)
        buffer[: stop - self._at] = memoryview(data)[self._at - base : stop - base]
        n, self._at = stop - self._at, stop
        return n
