"""MATLAB files of version 5 (also 6 and 7): a chain of tagged elements, each maybe packed by zlib.

Numbers are mapped where they lie; packed elements are unpacked to a scratch file, within limits. Structures and cells are walked to
a depth; objects, functions, texts of more than one row, sparse and complex arrays are passed over. Nothing is evaluated.
"""

from __future__ import annotations

import math
import struct
import tempfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError
from ._arrays import Array
from ._entries import scratch

__all__ = ["Mat5", "is_mat5"]

HEADER, MAX_DEPTH, MAX_ARRAYS = 128, 16, 100_000
MAX_RATIO, RATIO_FROM, MAX_UNPACKED = 200, 64 << 20, 16 << 30
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CHARS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMBERS, _FLOATS = range(6, 16), (6, 7)
_COMPLEX, _LOGICAL = 0x08, 0x02
_MAX_NAME, _MAX_TEXT = 256, 4096
_BLOCK = 1 << 20


def is_mat5(head: bytes) -> bool:
    """Whether a file begins as one of version 5."""
    return len(head) >= HEADER and head[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


class _DamageError(Exception):
    """What is wrong, and where."""


class Mat5:
    """The numbers of a file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        Damaged at its beginning, or larger than the limits. What is damaged further on is left out, with a warning.
    """

    def __init__(self, path: Path) -> None:
        self.arrays: list[Array] = []
        self.attributes: dict[tuple[str, ...], dict[str, Any]] = {(): {}}
        self.warnings: list[str] = []
        self._path, self._scratch = path, list[IO[bytes]]()
        self._count, self._unpacked = 0, 0
        data = np.memmap(path, np.uint8, "r")
        if not is_mat5(bytes(data[:HEADER])):
            raise InputError("no header of a MATLAB file", path=path, offset=0, expected="a MATLAB 5 file")
        self._order = "<" if bytes(data[126:128]) == b"IM" else ">"
        at = HEADER
        try:
            while at + 8 <= len(data):
                at = self._top(data, at)
        except (_DamageError, zlib.error) as error:
            if not self.arrays:
                self.close()
                raise InputError(f"a damaged file ({error})", path=path, offset=at, expected="elements of a MATLAB 5 file") from None
            self.warnings.append(f"the file is damaged or cut off from byte {at} on ({error}); what comes before is read")

    def close(self) -> None:
        """Let go of the scratch files."""
        for file in self._scratch:
            file.close()
        self._scratch = []

    def _two(self, data: np.ndarray, at: int) -> tuple[int, int]:
        first, second = np.frombuffer(bytes(data[at : at + 8]), self._order + "u4")
        return int(first), int(second)

    def _top(self, data: np.ndarray, at: int) -> int:
        """One element of the file; where the next begins."""
        kind, size = self._two(data, at)
        if at + 8 + size > len(data):
            raise _DamageError(f"an element of {size} bytes where {len(data) - at - 8} are left")
        if kind == _COMPRESSED:
            inner = self._inflated(data[at + 8 : at + 8 + size])
            if len(inner) >= 8:
                inner_kind, inner_size = self._two(inner, 0)
                if inner_kind == _MATRIX:
                    self._matrix(inner, 8, min(8 + inner_size, len(inner)), (), 0)
            return at + 8 + size
        if kind == _MATRIX:
            self._matrix(data, at + 8, at + 8 + size, (), 0)
        return at + 8 + size + -size % 8

    def _inflated(self, packed: np.ndarray) -> np.ndarray:
        """A packed element, in a scratch file that is mapped."""
        limit = min(max(MAX_RATIO * len(packed), RATIO_FROM), MAX_UNPACKED - self._unpacked)
        inflater = zlib.decompressobj()
        file = tempfile.TemporaryFile(prefix="ctmeter-", dir=scratch())  # noqa: SIM115  it lives as long as the recording
        self._scratch.append(file)
        total = 0
        for at in range(0, len(packed), _BLOCK):
            rest = bytes(packed[at : at + _BLOCK])
            while rest:
                out = inflater.decompress(rest, _BLOCK)
                rest = inflater.unconsumed_tail
                total += len(out)
                if total > limit:
                    self.close()
                    what = f"{len(packed)} bytes that unpack to more than {limit}"
                    raise InputError(what, path=self._path, expected=f"at most {MAX_RATIO} to 1 and {MAX_UNPACKED} bytes")
                file.write(out)
        file.flush()
        self._unpacked += total
        return np.memmap(file, np.uint8, "r", shape=(total,)) if total else np.empty(0, np.uint8)

    def _sub(self, data: np.ndarray, at: int, end: int) -> tuple[int, int, int, int]:
        """Type, first byte and size of an element inside another, and where the next begins."""
        if at + 8 > end:
            raise _DamageError("an element that is cut off")
        first, size = self._two(data, at)
        if first >> 16:  # the small form holds its size beside its type
            kind, size, start = first & 0xFFFF, first >> 16, at + 4
            if size > 4:
                raise _DamageError("a small element of more than 4 bytes")
            return kind, start, size, at + 8
        if at + 8 + size > end:
            raise _DamageError(f"an element of {size} bytes where {end - at - 8} are left")
        return first, at + 8, size, at + 8 + size + -size % 8

    def _matrix(self, data: np.ndarray, at: int, end: int, group: tuple[str, ...], depth: int, name: str | None = None) -> None:
        """One array: numbers, a structure or a cell; others are passed over."""
        self._count += 1
        if self._count > MAX_ARRAYS:
            raise InputError(f"more than {MAX_ARRAYS} arrays", path=self._path, expected="a recording")
        if end - at < 8:
            return  # an empty field
        _, where, size, at = self._sub(data, at, end)
        if size < 4:
            raise _DamageError("an array without flags")
        (flags,) = struct.unpack(self._order + "I", bytes(data[where : where + 4]))
        _, where, size, at = self._sub(data, at, end)
        if size > 4 * 32 or size % 4:
            raise _DamageError("an array of impossible dimensions")
        shape = struct.unpack(f"{self._order}{size // 4}i", bytes(data[where : where + size]))
        if any(n < 0 for n in shape):
            raise _DamageError("an array of negative dimensions")
        _, where, size, at = self._sub(data, at, end)
        own = bytes(data[where : where + min(size, _MAX_NAME)]).decode("latin-1")
        place = (*group, name if name is not None else own or "unnamed")
        kind = flags & 0xFF
        if kind in _NUMBERS and not flags >> 8 & (_COMPLEX | _LOGICAL):
            self._numbers(data, at, end, place, shape, kind in _FLOATS)
        elif kind == _CHAR:
            self._text(data, at, end, place, shape)
        elif kind in (_STRUCT, _CELL) and depth < MAX_DEPTH:
            names = [""]
            if kind == _STRUCT:
                names, at = self._fields(data, at, end)
            count = math.prod(shape)
            for k in range(count * len(names)):
                if at >= end:
                    break
                sub, where, size, at = self._sub(data, at, end)
                if sub != _MATRIX:
                    raise _DamageError(f"an element of type {sub} in a structure")
                index = k // len(names)
                label = f"{names[k % len(names)]}{f'[{index + 1}]' if count > 1 or kind == _CELL else ''}"
                self._matrix(data, where, where + size, place, depth + 1, label)

    def _fields(self, data: np.ndarray, at: int, end: int) -> tuple[list[str], int]:
        _, where, size, at = self._sub(data, at, end)
        length = struct.unpack(self._order + "i", bytes(data[where : where + 4]))[0] if size == 4 else 0
        _, where, size, at = self._sub(data, at, end)
        if not 0 < length <= _MAX_NAME or size % length or size // length > MAX_ARRAYS:
            raise _DamageError("a structure without names")
        text = bytes(data[where : where + size])
        return [text[k : k + length].split(b"\0")[0].decode("latin-1") for k in range(0, size, length)] or [""], at

    def _numbers(self, data: np.ndarray, at: int, end: int, place: tuple[str, ...], shape: tuple[int, ...], floats: bool) -> None:
        kind, where, size, _ = self._sub(data, at, end)
        if kind not in _TYPES:
            return
        dtype = np.dtype(self._order + _TYPES[kind])
        if math.prod(shape) * dtype.itemsize != size:
            raise _DamageError(f"{'/'.join(place)[:200]}: {math.prod(shape)} numbers in {size} bytes")
        values = data[where : where + size].view(dtype)
        if values.size == 1:
            self.attributes.setdefault(place[:-1], {}).setdefault(place[-1].lower(), values[0].item())
            return
        lengths = [n for n in shape if n != 1]
        if len(lengths) == 1:
            self.arrays.append(Array(place, lengths[0], 0, _class(dtype, floats), _Vector(values)))
        elif len(lengths) == 2:
            rows, columns = lengths
            # columns lie one after the other
            table = values.reshape(columns, rows)
            table = table.T if rows >= columns else table
            self.arrays.append(Array(place, table.shape[0], table.shape[1], _class(dtype, floats), _Vector(table)))

    def _text(self, data: np.ndarray, at: int, end: int, place: tuple[str, ...], shape: tuple[int, ...]) -> None:
        kind, where, size, _ = self._sub(data, at, end)
        if size > _MAX_TEXT or kind not in _CHARS or len([n for n in shape if n != 1]) > 1:
            return
        encoding = _CHARS[kind] + (("-le" if self._order == "<" else "-be") if kind in (4, 17, 18) else "")
        text = bytes(data[where : where + size]).decode(encoding, "replace")
        self.attributes.setdefault(place[:-1], {}).setdefault(place[-1].lower(), text)


def _class(dtype: np.dtype, floats: bool) -> np.dtype:
    """The type of an array: MATLAB stores whole numbers of a double array as integers, which are values and no counts."""
    return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64) if floats and dtype.kind in "iu" else dtype


class _Vector:
    """Rows of a mapped array."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __call__(self, start: int, stop: int) -> np.ndarray:
        return self._values[start:stop]
