"""The physical layer of PQDIF: a chain of records, each a tree of tagged elements, each maybe packed by zlib.

Nothing the file says of itself is followed further than it goes: records lie inside the file and are met once, elements inside
their record, and a record unpacks to no more than `MAX_RATIO` times its size or `MAX_BODY` bytes. Collections may point at
each other as they like, since only the levels that the format has are walked, and no more elements than the record can hold.

References
----------
IEEE 1159.3:2019
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..errors import InputError
from ._pqdif_tags import RECORDS, SIGNATURE, TAGS

__all__ = ["Body", "Collection", "Container", "Place", "as_metadata", "container", "unpack"]

HEADER = 64
MAX_BODY, MAX_RATIO, RATIO_FROM = 256 << 20, 200, 16 << 20
_MAX_TEXT = 4096
_COLLECTION, _SCALAR, _VECTOR = 1, 2, 3
_TIMESTAMP, _GUID, _TEXT, _WIDE_TEXT = 50, 60, 10, 11
_DTYPES = {1: "u1", 2: "<u2", 3: "<u4", 20: "i1", 21: "<i2", 22: "<i4", 30: "u1", 31: "<u2", 32: "<u4", 40: "<f4", 41: "<f8"}
_SIZES = {n: np.dtype(d).itemsize for n, d in _DTYPES.items()} | {_TEXT: 1, _WIDE_TEXT: 2, 42: 8, 43: 16, _TIMESTAMP: 12, _GUID: 16}
#: Days from the epoch of the time stamps to 1970.
_DAYS = 25569
_DAY_NS = 86_400_000_000_000
_NO_ZLIB, _BY_RECORD, _ZLIB = 0, 2, 1


class Place(NamedTuple):
    """Where a record lies.

    Parameters
    ----------
    kind : str
        "container", "source", "settings", "observation", "blank", or "" for one that is not known.
    offset : int
        Of its body.
    size : int
        Of its body as it is stored.
    checksum : int
    """

    kind: str
    offset: int
    size: int
    checksum: int


class Body:
    """An unpacked record.

    Parameters
    ----------
    data : bytes
    path : Path
    offset : int
        Where the record's body lies in the file, for messages.
    """

    def __init__(self, data: bytes, path: Path, offset: int) -> None:
        self.data, self.path, self.offset = data, path, offset
        # an element takes 28 bytes, so that whoever meets more of them meets some again
        self._left = len(data) // 28 + 64
        self._met: dict[int, Collection] = {}

    def error(self, what: str, at: int) -> InputError:
        """An error at a byte of the unpacked record."""
        return InputError(f"{what} at byte {at} of the record", path=self.path, offset=self.offset, expected="a PQDIF record")

    def collection(self, at: int) -> Collection:
        """The collection at a byte; the same object each time."""
        found = self._met.get(at)
        if found is None:
            found = self._met[at] = Collection(self, at)
        return found

    def spend(self, count: int, at: int) -> None:
        """Count elements, for the limit."""
        self._left -= count
        if self._left < 0:
            raise self.error("more elements than the record can hold", at)


class _Element(NamedTuple):
    kind: int
    type: int
    at: int


class Collection:
    """Elements by the name of their tag; those of unknown tags are passed over."""

    def __init__(self, body: Body, at: int) -> None:
        data = body.data
        if not 0 <= at <= len(data) - 4:
            raise body.error("a link that leaves the record", at)
        (count,) = struct.unpack_from("<I", data, at)
        if count > (len(data) - at - 4) // 28:
            raise body.error(f"a collection of {count} elements that do not fit", at)
        body.spend(count, at)
        self._body, self._at = body, at
        self._elements: dict[str, list[_Element]] = {}
        for slot in range(at + 4, at + 4 + 28 * count, 28):
            name = TAGS.get(data[slot : slot + 16])
            if name is not None:
                kind, physical, embedded = data[slot + 16], data[slot + 17], data[slot + 18]
                link = slot + 20 if embedded and kind == _SCALAR else struct.unpack_from("<I", data, slot + 20)[0]
                self._elements.setdefault(name, []).append(_Element(kind, physical, link))

    def __contains__(self, name: str) -> bool:
        return name in self._elements

    def child(self, name: str) -> Collection | None:
        """A collection inside this one."""
        every = self.children(name)
        return every[0] if every else None

    def children(self, name: str) -> list[Collection]:
        """All collections of one tag inside this one."""
        return [self._body.collection(e.at) for e in self._elements.get(name, ()) if e.kind == _COLLECTION]

    def number(self, name: str, default: float | None = None) -> float | None:
        """A scalar number."""
        data = self._scalar(name)
        if data is None or data[0] not in _DTYPES:
            return default
        return float(np.frombuffer(data[1], _DTYPES[data[0]])[0])

    def whole(self, name: str) -> int | None:
        """A scalar that is an index or an identifier."""
        value = self.number(name)
        return None if value is None or not abs(value) < 2**32 else int(value)

    def identifier(self, name: str) -> bytes:
        """A scalar GUID, b"" where there is none."""
        data = self._scalar(name)
        return data[1] if data is not None and data[0] == _GUID else b""

    def time_ns(self, name: str) -> int | None:
        """A scalar time, ns since 1970."""
        data = self._scalar(name)
        if data is None or data[0] != _TIMESTAMP:
            return None
        days, seconds = struct.unpack("<Id", data[1])
        if not -172_800 < seconds < 172_800 or not 0 < days < 100_000:
            return None
        # a double of the seconds of a day has 15 ps; what is written are decimals of them
        return (int(days) - _DAYS) * _DAY_NS + round(round(float(seconds), 6) * 1e9)

    def text(self, name: str) -> str:
        """A text, "" where there is none."""
        found = self._first(name, _VECTOR)
        if found is None or found.type not in (_TEXT, _WIDE_TEXT):
            return ""
        data, _ = self._vector(found)
        decoded = bytes(data[: 2 * _MAX_TEXT]).decode("utf-16-le" if found.type == _WIDE_TEXT else "latin-1", "replace")
        return "".join(ch if ch.isprintable() else " " for ch in decoded.split("\0")[0])[:_MAX_TEXT].strip()

    def vector(self, name: str) -> np.ndarray | None:
        """A vector of numbers, as a view of the record, or of times as int64 ns since 1970; None where there is none.

        Raises
        ------
        InputError
            It does not fit the record, or is not of numbers.
        """
        found = self._first(name, _VECTOR)
        if found is None:
            return None
        data, count = self._vector(found)
        if found.type == _TIMESTAMP:
            stamps = np.frombuffer(data, [("days", "<u4"), ("seconds", "<f8")], count)
            if not (np.abs(stamps["seconds"]) < 172_800).all() or stamps["days"].max(initial=0) > 100_000:
                raise self._body.error("times that are none", found.at)
            days: np.ndarray = (stamps["days"].astype(np.int64) - _DAYS) * _DAY_NS
            return days + np.rint(stamps["seconds"] * 1e6).astype(np.int64) * 1000
        if found.type not in _DTYPES:
            raise self._body.error(f"a vector of type {found.type}, which are no real numbers,", found.at)
        return np.frombuffer(data, _DTYPES[found.type], count)

    def _vector(self, element: _Element) -> tuple[memoryview, int]:
        body, size = self._body, _SIZES.get(element.type)
        if size is None or element.at + 4 > len(body.data):
            raise body.error(f"a vector of type {element.type} that does not fit", element.at)
        (count,) = struct.unpack_from("<I", body.data, element.at)
        if count > (len(body.data) - element.at - 4) // size:
            raise body.error(f"a vector of {count} numbers that do not fit", element.at)
        return memoryview(body.data)[element.at + 4 : element.at + 4 + count * size], count

    def _scalar(self, name: str) -> tuple[int, bytes] | None:
        found = self._first(name, _SCALAR)
        size = 0 if found is None else _SIZES.get(found.type, 0)
        if found is None or not size:
            return None
        data = self._body.data[found.at : found.at + size]
        if len(data) != size:
            raise self._body.error("a scalar that leaves the record", found.at)
        return found.type, data

    def _first(self, name: str, kind: int) -> _Element | None:
        return next((e for e in self._elements.get(name, ()) if e.kind == kind), None)


class Container(NamedTuple):
    """A whole file: its first record, where the others lie, and whether they are packed."""

    body: Body
    root: Collection
    places: list[Place]
    packed: bool


def container(file: IO[bytes], path: Path, warnings: list[str]) -> Container:
    """Walk the chain of records.

    Raises
    ------
    InputError
        No PQDIF file, or packed in a way that is not understood.
    """
    end = file.seek(0, 2)
    places: list[Place] = []
    at, met = 0, set[int]()
    while True:
        if at in met:
            warnings.append(f"the chain of records comes back to byte {at} and is left there")
            break
        met.add(at)
        file.seek(at)
        head = file.read(HEADER)
        if len(head) < HEADER or head[:16] != SIGNATURE:
            if not places:
                raise InputError("no PQDIF record", path=path, offset=at, expected="the signature of a record")
            warnings.append(f"the chain of records breaks off at byte {at}, where no record begins; {len(places)} were found before")
            break
        size, length, following, checksum = struct.unpack_from("<IIII", head, 32)
        if size < HEADER or at + size + length > end:
            if not places:
                raise InputError(f"a record of {size + length} bytes", path=path, offset=at, expected=f"at most the {end - at} that are there")
            warnings.append(f"the record at byte {at} is cut off and left out")
        else:
            places.append(Place(RECORDS.get(head[16:32], ""), at + size, length, checksum))
        if not following:
            break
        at = following
    if places[0].kind != "container":
        raise InputError("the first record is no container", path=path, offset=0, expected="a PQDIF container record")
    body = unpack(file, places[0], False, path)
    root = body.collection(0)
    style, algorithm = root.whole("compression_style") or 0, root.whole("compression") or 0
    if style not in (_NO_ZLIB, _BY_RECORD) or (style and algorithm not in (0, _ZLIB)):
        raise InputError(f"compression {algorithm} of style {style}", path=path, expected="zlib of single records (style 2), or none")
    return Container(body, root, places, bool(style and algorithm))


def unpack(file: IO[bytes], place: Place, packed: bool, path: Path, notes: list[str] | None = None) -> Body:
    """A record's body, within the limits.

    Raises
    ------
    InputError
        Damaged, or larger than the limits.
    """
    if place.size > MAX_BODY:
        raise InputError(f"a record of {place.size} bytes", path=path, offset=place.offset, expected=f"at most {MAX_BODY}")
    file.seek(place.offset)
    data = file.read(place.size)
    if notes is not None and place.checksum not in (0, zlib.adler32(data)):
        notes.append(f"the record at byte {place.offset} does not have the checksum it says")
    if packed and data:
        limit = min(max(MAX_RATIO * len(data), RATIO_FROM), MAX_BODY)
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(data, limit + 1)
        except zlib.error as error:
            raise InputError(f"a damaged record ({error})", path=path, offset=place.offset, expected="a record packed by zlib") from None
        if len(data) > limit:
            what = f"{place.size} bytes that unpack to more than {limit}"
            raise InputError(what, path=path, offset=place.offset, expected=f"at most {MAX_RATIO} to 1 and {MAX_BODY} bytes")
    return Body(data, path, place.offset)


def as_metadata(root: Collection) -> dict[str, Any]:
    """What the container says of the file."""
    version = root.vector("version")
    found = {"version": ".".join(str(int(v)) for v in version[:2]) if version is not None else "", "title": root.text("title")}
    return {k: v for k, v in found.items() if v}
