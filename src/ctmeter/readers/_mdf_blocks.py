"""What an MDF 4 file claims, checked before a library follows its links.

The lists of data groups, channel groups, channels and data blocks must end, lie in the file and meet no block twice; packed blocks
may unpack to `MAX_RATIO` times their size; and a group's records must fit the data that it has.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

from ..errors import InputError

__all__ = ["MAX_BLOCKS", "MAX_RATIO", "check"]

MAX_BLOCKS, MAX_RATIO, RATIO_FROM, MAX_UNPACKED = 200_000, 1000, 256 << 20, 256 << 20
_MAX_DEPTH, _MAX_LINKS = 16, 1 << 20
_PLAIN = (b"##DT", b"##DV", b"##SD", b"##DI", b"##RD")


def check(path: Path) -> None:
    """Walk the blocks that lead to the samples.

    Raises
    ------
    InputError
        No MDF 4 file, or one whose links or sizes cannot be.
    """
    with open(path, "rb") as file:
        _Walk(file, path).whole()


class _Walk:
    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path = file, path
        self._size = file.seek(0, 2)
        self._met: set[int] = set()
        self._claimed = 0

    def _error(self, what: str, at: int) -> InputError:
        return InputError(what, path=self._path, offset=at, expected="a block of an MDF 4 file")

    def _block(self, at: int, *kinds: bytes, once: bool = True) -> tuple[bytes, tuple[int, ...], bytes]:
        """Kind, links and the first 64 bytes of data of a block."""
        if at < 64 or at + 24 > self._size:
            raise self._error("a link that leaves the file", at)
        self._file.seek(at)
        head = self._file.read(24)
        kind, length, count = head[:4], *struct.unpack("<QQ", head[8:])
        if kind not in kinds:
            raise self._error(f"a block {kind!r} where {' or '.join(k.decode() for k in kinds)} is expected", at)
        if length < 24 + 8 * count or length > self._size - at or count > _MAX_LINKS:
            raise self._error(f"a block of {length} bytes and {count} links", at)
        if once:
            if at in self._met:
                raise self._error("a list of blocks that comes back to itself", at)
            self._met.add(at)
            if len(self._met) > MAX_BLOCKS:
                raise self._error(f"more than {MAX_BLOCKS} blocks", at)
        links = struct.unpack(f"<{count}Q", self._file.read(8 * count))
        data = self._file.read(min(length - 24 - 8 * count, 64))
        return kind, links, data

    def whole(self) -> None:
        """From the header on."""
        self._file.seek(0)
        head = self._file.read(64)
        if head[:8] == b"UnFinMF ":
            # finalising means to write into the file, or to trust counts that nobody wrote
            raise InputError("the file was never finalised", path=self._path, offset=0, expected="a finalised one; the tools of its logger do that")
        if head[:8] != b"MDF     " or len(head) < 64:
            raise InputError("no header of an MDF file", path=self._path, offset=0, expected="an MDF 4 file")
        if head[8:9] != b"4":
            raise InputError(f"MDF version {head[8:12].decode('latin-1').strip()}", path=self._path, expected="version 4")
        _, links, _ = self._block(64, b"##HD")
        group = links[0] if links else 0
        for first, kind in zip(links[1:5], (b"##FH", b"##CH", b"##AT", b"##EV"), strict=False):
            self._chain(first, kind)
        while group:
            _, links, _ = self._block(group, b"##DG")
            if len(links) < 4:
                raise self._error("a data group without links", group)
            needed = self._channel_groups(links[1])
            held = self._data(links[2], 0) if links[2] else 0
            if needed > held:
                raise self._error(f"a data group of {needed} bytes of records, of which {held} are there", group)
            group = links[0]

    def _chain(self, at: int, kind: bytes) -> None:
        while at:
            _, links, _ = self._block(at, kind)
            at = links[0] if links else 0

    def _channel_groups(self, at: int) -> int:
        """Bytes that the records of all channel groups of a data group take."""
        total = 0
        while at:
            _, links, data = self._block(at, b"##CG")
            if len(links) < 2 or len(data) < 32:
                raise self._error("a channel group without links", at)
            cycles, flags, size, invalid = *struct.unpack_from("<QH", data, 8), *struct.unpack_from("<II", data, 24)
            if not flags & 1:  # records of variable length are a matter of their own
                total += cycles * (size + invalid)
            self._channels(links[1], 0)
            at = links[0]
        return total

    def _channels(self, at: int, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise self._error("channels in channels without end", at)
        while at:
            kind, links, _ = self._block(at, b"##CN", b"##CA")
            if kind == b"##CN" and len(links) > 1 and links[1]:
                self._channels(links[1], depth + 1)
            at = links[0] if kind == b"##CN" and links else 0

    def _data(self, at: int, depth: int) -> int:
        """Unpacked bytes of a data block, or of a list of them."""
        if depth > _MAX_DEPTH:
            raise self._error("lists of lists without end", at)
        total = 0
        while at:
            kind, links, data = self._block(at, *_PLAIN, b"##DZ", b"##DL", b"##LD", b"##HL", once=depth == 0 or self._is_list(at))
            if kind in (b"##DL", b"##LD"):
                for link in links[1:]:
                    total += self._data(link, depth + 1) if link else 0
                at = links[0] if links else 0
                continue
            if kind == b"##HL":
                total += self._data(links[0], depth + 1) if links else 0
            else:
                total += self._one(kind, data, at)
            at = 0
        return total

    def _is_list(self, at: int) -> bool:
        self._file.seek(at if 0 <= at <= self._size else 0)
        return self._file.read(4) in (b"##DL", b"##LD", b"##HL")

    def _one(self, kind: bytes, data: bytes, at: int) -> int:
        self._file.seek(at + 8)
        (length,) = struct.unpack("<Q", self._file.read(8))
        size = length - 24
        if kind == b"##DZ":
            if len(data) < 24:
                raise self._error("a packed block without sizes", at)
            size, packed = struct.unpack_from("<QQ", data, 8)
            if packed > length - 48 or size > MAX_UNPACKED or (size > 1 << 20 and size > MAX_RATIO * packed):
                raise self._error(f"{packed} bytes that claim to unpack to {size}", at)
        self._claimed += size
        if self._claimed > max(RATIO_FROM, MAX_RATIO * self._size):
            raise self._error(f"data that claim to unpack to more than {MAX_RATIO} times the file", at)
        return int(size)
