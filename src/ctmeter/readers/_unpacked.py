"""Packed streams with a limit: what is unpacked is counted, and refused where it is too much for what was packed."""

from __future__ import annotations

import bz2
import errno
import io
import lzma
import os
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import InputError

__all__ = ["Budget", "Limits", "NoRoomError", "Unpacked", "lacks_room", "packing"]

_READ = 1 << 16
#: Times that the end is read, after which whoever reads does not look at it.
_ENDS = 100
_LZMA_MEMORY = 256 << 20
_MAGICS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}


class NoRoomError(InputError):
    """The disk of scratch files has no room for an input, which may be a good one."""


def lacks_room(error: BaseException | None) -> bool:
    """Whether an error, or one that it was made of, says that a disk has no room."""
    while error is not None:
        if isinstance(error, NoRoomError) or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
            return True
        error = error.__cause__ or error.__context__
    return False


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an archive may ask for.

    Parameters
    ----------
    ratio : float
        Unpacked bytes for each packed one, counted from 16 MiB on.
    size : int
        Unpacked bytes, all members together; and never more than half of the free disk.
    members : int
        Entries, of whatever kind.
    """

    ratio: float = 200.0
    size: int = 16 << 30
    members: int = 10_000

    #: Bytes below which no ratio is looked at: small files of zeros are none.
    FREE = 16 << 20


class Budget:
    """What is left of the limits of one archive.

    Parameters
    ----------
    path : Path
    limits : Limits
    scratch : path
        Where members are unpacked to.
    """

    def __init__(self, path: Path, limits: Limits, scratch: str | os.PathLike[str]) -> None:
        packed = path.stat().st_size
        free = shutil.disk_usage(scratch).free // 2
        self._path = path
        allowed = min(limits.size, max(int(limits.ratio * packed), Limits.FREE))
        self.most, self._short = min(allowed, free), free < allowed
        self._why = f"at most {limits.ratio:g} to 1, {limits.size} bytes and half of the free disk"
        self._packed, self._spent = packed, 0

    def spend(self, size: int) -> None:
        """Count unpacked bytes.

        Raises
        ------
        InputError
            They are too many; `NoRoomError` where it is the disk that is too small.
        """
        self._spent += size
        if self._spent > self.most:
            kind = NoRoomError if self._short else InputError
            raise kind(f"{self._packed} bytes that unpack to more than {self.most}", path=self._path, expected=self._why)


def packing(head: bytes) -> str:
    """ "gzip", "bzip2", "xz", or "" for a stream that is not packed."""
    return next((name for magic, name in _MAGICS.items() if head.startswith(magic)), "")


class Unpacked(io.RawIOBase):
    """A stream unpacked within a budget; only forwards.

    Parameters
    ----------
    file : file of bytes
    kind : str
        As of `packing`.
    budget : Budget
    """

    def __init__(self, file: IO[bytes], kind: str, budget: Budget) -> None:
        super().__init__()
        self._file, self._kind, self._budget = file, kind, budget
        self._engine = self._new() if kind else None
        self._rest = b""
        self._ended = 0

    def _new(self) -> Any:
        if self._kind == "gzip":
            return zlib.decompressobj(31)
        return bz2.BZ2Decompressor() if self._kind == "bzip2" else lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        size = len(buffer)
        data = self._inflate(size) if self._kind else self._file.read(size)
        # tarfile reads on to the end of a member, however far it says that is
        self._ended = 0 if data else self._ended + 1
        if self._ended > _ENDS:
            raise EOFError("a member ends after the archive")
        self._budget.spend(len(data))
        buffer[: len(data)] = data
        return len(data)

    def _inflate(self, size: int) -> bytes:
        while self._engine is not None:
            if self._engine.eof:
                following = self._engine.unused_data or self._file.read(_READ)
                # another packed stream may follow; anything else is padding
                self._engine = self._new() if packing(following) == self._kind else None
                self._rest = following
                continue
            if not self._rest and getattr(self._engine, "needs_input", True):
                self._rest = self._file.read(_READ)
                if not self._rest:
                    data: bytes = self._engine.decompress(b"", size) if self._kind == "gzip" else b""
                    if not data:
                        raise EOFError("the packed data end early")
                    return data
            data = self._engine.decompress(self._rest, size)
            self._rest = self._engine.unconsumed_tail if self._kind == "gzip" else b""
            if data:
                return data
        return b""
