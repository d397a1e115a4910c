"""NPY and NPZ files of NumPy, never unpickled.

NPZ
---
Each one-dimensional array of numbers is a channel of its name; names of roles such as `U_L1` are used as they are, and all
have one length. Floats are V or A, integers need `scale_NAME` (volt or ampere for one count; `offset_NAME` is optional).
Scalars: `sample_rate` in Hz (else the rate must be given), `start` (ns since 1970 UTC, datetime64 or ISO text), and
`nominal_frequency`. A scalar text array `ctmeter`, written by ctmeter's own writer, holds channels, segments and gaps as JSON
and then counts instead. Uncompressed arrays are mapped; compressed ones are unpacked to a scratch file, within limits.

NPY
---
Shape (n,) is one channel, (n, k) are k channels named ch1, ch2 ...; a structured array has the names of its fields. The sample
rate must be given. The file is mapped.

Numbers may be int8 to int32, uint8, uint16, float16, float32 or float64 of either byte order. Declared shapes are compared
with the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError
from ..recording import LOWEST_RATE, Channel, Gap, Recording, Segment, nanoseconds
from ..roles import guess_unit
from ._access import Bytes, distant, held, opened
from ._described import Description, parse
from ._spool import Spool

__all__ = ["READER", "NumpyReader"]

_MAGIC = b"\x93NUMPY"
_DTYPES = {np.dtype(t) for t in ("i1", "i2", "i4", "u1", "u2", "f2", "f4", "f8")}
_MAX_MEMBERS = 4096
_MAX_RATIO, _RATIO_FROM, _MAX_UNPACKED = 200, 256 << 20, 16 << 30
_BLOCK = 4 << 20
#: What zipfile, its decompressors and the header's parser raise on damaged bytes.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    EOFError,
    OSError,
)


class _Columns:
    """Arrays of one length, each maybe mapped, given out as frames."""

    def __init__(self, columns: list[np.ndarray]) -> None:
        kinds = {c.dtype.newbyteorder("=") for c in columns}
        common = np.result_type(*kinds)
        if common not in (np.int16, np.int32, np.float32, np.float64):
            common = np.dtype(np.int32) if common.kind in "iu" else np.dtype(np.float32 if common.itemsize < 4 else np.float64)
        self._columns, self._dtype = columns, common

    def raw(self, start: int, stop: int) -> np.ndarray:
        out = np.empty((max(stop - start, 0), len(self._columns)), self._dtype)
        for k, column in enumerate(self._columns):
            out[:, k] = column[start:stop]
        return out

    def status(self, start: int, stop: int) -> np.ndarray:
        return np.zeros((max(stop - start, 0), 0), np.uint8)

    def close(self) -> None:
        self._columns = [c[:0].copy() for c in self._columns]


class _DistantColumn:
    """A column of an NPY file that is elsewhere; what `_Columns` needs of an array."""

    def __init__(self, content: Bytes, offset: int, rows: int, dtype: np.dtype, step: int) -> None:
        self._content, self._offset, self._rows, self._step = content, offset, rows, step
        self.dtype = dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(self._rows)
        if stop <= start:
            return np.empty(0, self.dtype)
        first = self._offset + start * self._step
        buffer, base = self._content.window(first, first + (stop - start - 1) * self._step + self.dtype.itemsize)
        return np.ndarray((stop - start,), self.dtype, buffer, first - base, (self._step,))


class NumpyReader:
    """See the module."""

    name = "NumPy"
    extensions = (".npz", ".npy")

    def sniff(self, path: Path, head: bytes) -> bool:
        """NPY by its magic; a zip only by its name, since many formats are one."""
        return head.startswith(_MAGIC) or (head.startswith(b"PK\x03\x04") and path.suffix.lower() == ".npz")

    def by_ranges(self, path: Path, head: bytes) -> bool:
        """Remote NPY files are read by ranges, NPZ files are fetched."""
        return head.startswith(_MAGIC)

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The arrays as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        with opened(path) as file:
            head = file.read(len(_MAGIC))
        try:
            return _read_npy(path, rate) if head == _MAGIC else _read_npz(path, rate)
        except InputError:
            raise
        except _DAMAGE as error:
            raise InputError(f"a damaged file ({str(error)[:120]})", path=path, expected="an NPZ or NPY file of numbers") from None


READER = NumpyReader()


# NPY


def _header(file: IO[bytes], path: Path, what: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and dtype of an NPY stream; leaves the stream at the data."""
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"version {version[0]}.{version[1]}")
        shape, fortran, dtype = read(file)
    except (*_DAMAGE, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise InputError(f"{what} has no valid NPY header ({str(error)[:120]})", path=path, expected="an array of numbers") from None
    if dtype.hasobject:
        raise InputError(f"{what} holds pickled objects, which are never loaded", path=path, expected="an array of numbers")
    if any(n < 0 for n in shape) or len(shape) > 32:
        raise InputError(f"{what} has the shape {shape}", path=path, expected="a shape that is possible")
    return shape, fortran, dtype


def _plain(dtype: np.dtype) -> bool:
    return dtype.newbyteorder("=") in _DTYPES


def _read_npy(path: Path, rate: float | None) -> Recording:
    with opened(path) as file:
        shape, fortran, dtype = _header(file, path, "the file")
        offset = file.tell()
        size = file.seek(0, io.SEEK_END)
    fields = dtype.names or ()
    if not (len(shape) in (1, 2) and _plain(dtype)) and not (len(shape) == 1 and fields and all(_plain(dtype[n]) for n in fields)):
        raise InputError(f"an array of shape {shape} and dtype {dtype}", path=path, expected="numbers of shape (n,) or (n, k)")
    if math.prod(shape) * dtype.itemsize > size - offset:
        raise InputError(f"the header says {math.prod(shape) * dtype.itemsize} bytes of data, {size - offset} are there", path=path, offset=offset)
    if not math.prod(shape):
        raise InputError("the array is empty", path=path, expected="samples")
    if rate is None:
        raise InputError("an NPY file has no sample rate", path=path, expected="the sample rate: --rate HZ")
    columns = (_distant_columns if distant(path) else _mapped_columns)(path, offset, shape, fortran, dtype)
    integers = [n for n, c in columns.items() if c.dtype.kind in "iu"]
    warnings = [f"integers without a scale, taken as V and A: {', '.join(integers[:8])}"] if integers else []
    channels = tuple(_channel(n, c, {}) for n, c in columns.items())
    segment = Segment(0, shape[0], rate)
    return Recording(_Columns(list(columns.values())), channels, (segment,), format="NPY", path=path, warnings=warnings)


def _mapped_columns(path: Path, offset: int, shape: tuple[int, ...], fortran: bool, dtype: np.dtype) -> dict[str, Any]:
    data = np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
    if dtype.names:
        return {str(n): data[n] for n in dtype.names}
    wide = data.reshape(shape[0], -1)
    return {f"ch{k + 1}": wide[:, k] for k in range(wide.shape[1])}


def _distant_columns(path: Path, offset: int, shape: tuple[int, ...], fortran: bool, dtype: np.dtype) -> dict[str, Any]:
    content, rows, item = held(path), shape[0], dtype.itemsize
    if dtype.names and dtype.fields:
        return {str(n): _DistantColumn(content, offset + dtype.fields[n][1], rows, dtype.fields[n][0], item) for n in dtype.names}
    width = math.prod(shape[1:])
    # by columns, or by rows
    apart, step = (rows * item, item) if fortran else (item, width * item)
    return {f"ch{k + 1}": _DistantColumn(content, offset + k * apart, rows, dtype, step) for k in range(width)}


def _channel(name: str, column: np.ndarray, numbers: dict[str, float]) -> Channel:
    limits = None
    if column.dtype.kind in "iu":
        info = np.iinfo(column.dtype)
        limits = (float(info.min), float(info.max))
    scale, offset = numbers.get(f"scale_{name}", 1.0), numbers.get(f"offset_{name}", 0.0)
    return Channel(name, scale=scale, offset=offset, unit=guess_unit(name), range=limits)


# NPZ


def _read_npz(path: Path, rate: float | None) -> Recording:
    columns: dict[str, np.ndarray] = {}
    scalars: dict[str, Any] = {}
    ignored: list[str] = []
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_archive(members, path)
        for member in members:
            name = member.filename.removesuffix(".npy")
            found = _member(archive, member, path, name)
            if found is None:
                ignored.append(name)
            elif found.ndim == 0:
                scalars[name] = found[()]
            else:
                columns[name] = found
    if not columns:
        raise InputError("no one-dimensional array of numbers", path=path, expected="an array for each channel")
    rows = {len(c) for c in columns.values()}
    if len(rows) > 1:
        lengths = ", ".join(f"{n} {len(c)}" for n, c in list(columns.items())[:12])
        raise InputError(f"arrays of different length: {lengths}", path=path, expected="one length for all channels")
    warnings = [f"not numbers of one dimension, left out: {', '.join(ignored[:12])}"] if ignored else []
    description = _description(scalars.pop("ctmeter", None), rows.pop(), len(columns), warnings)
    return _assembled(path, rate, columns, scalars, description, warnings)


def _check_archive(members: list[zipfile.ZipInfo], path: Path) -> None:
    if len(members) > _MAX_MEMBERS:
        raise InputError(f"{len(members)} members", path=path, expected=f"at most {_MAX_MEMBERS}")
    packed, unpacked = sum(m.compress_size for m in members), sum(m.file_size for m in members)
    if unpacked > _MAX_UNPACKED or (unpacked > _RATIO_FROM and unpacked > _MAX_RATIO * max(packed, 1)):
        limits = f"at most {_MAX_RATIO} to 1 and {_MAX_UNPACKED} bytes"
        raise InputError(f"{packed} bytes that claim to unpack to {unpacked}", path=path, expected=limits)
    if len({m.filename for m in members}) != len(members):
        raise InputError("the same name twice in the archive", path=path, expected="an array for each channel")
    if any(m.flag_bits & 1 for m in members):
        raise InputError("the archive is encrypted", path=path, expected="plain arrays")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, name: str) -> np.ndarray | None:
    """An array of the archive; None for one that is neither a channel nor a scalar."""
    if not member.filename.endswith(".npy"):
        return None
    try:
        with archive.open(member) as stream:
            shape, _, dtype = _header(stream, path, f"array {name!r}")
            used = stream.tell()
            count = math.prod(shape)
            if count * dtype.itemsize != member.file_size - used:
                there = member.file_size - used
                raise InputError(f"array {name!r} says {count * dtype.itemsize} bytes, the archive has {there}", path=path, expected="the same size")
            if shape == () and dtype.kind in "iufMU" and dtype.itemsize < 64 << 20:
                data = _take(stream, dtype.itemsize, path, name)
                return np.frombuffer(data, dtype).reshape(()) if data else np.array("")
            if len(shape) != 1 or not _plain(dtype):
                return None
            if member.compress_type == zipfile.ZIP_STORED:
                return _mapped(path, member, used, shape[0], dtype)
            spool = Spool(dtype, 1)
            left = count * dtype.itemsize
            block = _BLOCK // dtype.itemsize * dtype.itemsize
            while left:
                data = _take(stream, min(block, left), path, name)
                left -= len(data)
                spool.append(np.frombuffer(data, dtype)[:, None])
            return spool.array()[:, 0]
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(f"array {name!r} is damaged ({str(error)[:120]})", path=path) from None


def _take(stream: IO[bytes], size: int, path: Path, name: str) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise InputError(f"array {name!r} ends {size - len(data)} bytes early", path=path, expected="a whole array")
    return data


def _mapped(path: Path, member: zipfile.ZipInfo, used: int, rows: int, dtype: np.dtype) -> np.ndarray:
    """A stored array where it lies in the file."""
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        local = file.read(30)
        if len(local) < 30 or local[:4] != b"PK\x03\x04":
            raise InputError("a damaged NPZ file (no local header)", path=path, offset=member.header_offset)
        start = member.header_offset + 30 + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little") + used
        size = file.seek(0, io.SEEK_END)
    if start + rows * dtype.itemsize > size:
        raise InputError(f"an array of {rows * dtype.itemsize} bytes does not fit the file", path=path, offset=start)
    return np.memmap(path, dtype, "r", start, (rows,)) if rows else np.empty(0, dtype)


def _description(text: Any, rows: int, width: int, warnings: list[str]) -> Description | None:
    if text is None:
        return None
    try:
        return parse(str(text), rows, width)
    except ValueError as error:
        warnings.append(f"the array 'ctmeter' does not describe the others and is ignored ({error})")
        return None


def _assembled(
    path: Path,
    rate: float | None,
    columns: dict[str, np.ndarray],
    scalars: dict[str, Any],
    description: Description | None,
    warnings: list[str],
) -> Recording:
    if description is not None:
        described = {c.name: c for c in description.channels}
        if len(described) != len(columns) or any(n not in columns for n in described):
            warnings.append("the array 'ctmeter' names other channels and is ignored")
        else:
            source = _Columns([columns[n] for n in described])
            if rate is not None and any(abs(s.sample_rate - rate) > 1e-4 * rate for s in description.segments):
                warnings.append(f"the file says {description.segments[0].sample_rate:.9g} Hz, which is used instead of the given {rate:.9g} Hz")
            return Recording(
                source,
                description.channels,
                description.segments,
                description.gaps,
                description.nominal_frequency,
                format="NPZ",
                path=path,
                warnings=warnings,
            )
    numbers = {n: float(v) for n, v in scalars.items() if np.asarray(v).dtype.kind in "iuf"}
    bad = [n for n, v in numbers.items() if not math.isfinite(v)]
    if bad:
        raise InputError(f"{', '.join(bad)} is not finite", path=path, expected="numbers")
    used = _rate(path, rate, numbers, warnings)
    unscaled = [n for n, c in columns.items() if c.dtype.kind in "iu" and f"scale_{n}" not in numbers]
    if unscaled:
        wanted = f"scale_{unscaled[0]}, volt or ampere for one count"
        raise InputError(f"integers without a scale: {', '.join(unscaled[:8])}", path=path, expected=wanted)
    channels = tuple(_channel(n, c, numbers) for n, c in columns.items())
    rows = len(next(iter(columns.values())))
    if not rows:
        raise InputError("the arrays are empty", path=path, expected="samples")
    segment = Segment(0, rows, used, _start(path, scalars.get("start")))
    nominal = numbers.get("nominal_frequency")
    gaps: tuple[tuple[int, Gap], ...] = ()
    return Recording(_Columns(list(columns.values())), channels, (segment,), gaps, nominal, format="NPZ", path=path, warnings=warnings)


def _rate(path: Path, rate: float | None, numbers: dict[str, float], warnings: list[str]) -> float:
    said = numbers.get("sample_rate")
    if said is not None and not LOWEST_RATE <= said < 1e9:
        raise InputError(f"sample_rate {said:g}", path=path, expected=f"a number of Hz, at least {LOWEST_RATE:g}")
    if said is None and rate is None:
        raise InputError("no sample_rate in the file", path=path, expected="the array sample_rate, or --rate HZ")
    if said is not None and rate is not None and abs(said - rate) > 1e-4 * rate:
        warnings.append(f"the file says {said:.9g} Hz; the given {rate:.9g} Hz is used")
    return rate if rate is not None else float(said or 0.0)


def _start(path: Path, value: Any) -> int | None:
    if value is None:
        return None
    try:
        if isinstance(value, np.datetime64):
            return None if np.isnat(value) else nanoseconds(value)
        if isinstance(value, np.integer):
            return int(value)
        return nanoseconds(str(value)) if isinstance(value, str) and value else None
    except (InputError, OverflowError) as error:
        raise InputError(f"start: {error}", path=path, expected="ns since 1970, datetime64 or ISO text") from None
