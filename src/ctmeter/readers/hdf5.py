"""HDF5 files, as `_arrays` understands them: data sets with attributes such as `sample_rate`, `unit`, `scale`, `start`.

Compound data sets give a channel for each field. Data are read where they lie, in pieces as they are asked for. MATLAB files of
version 7.3 are HDF5 too, and are the matter of the reader for MATLAB.

What is refused
---------------
Links to other files are not followed, nor are data sets read that lie in other files (external storage, virtual data sets); types
other than plain numbers (objects, references, texts) are passed over. A data set whose declared size is more than `MAX_RATIO` times
what is stored, or with chunks above `MAX_CHUNK` bytes, is refused, as are files with more than `MAX_OBJECTS` objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording import Recording
from ._arrays import MAX_WIDTH, Array, Opened, assemble, plain
from ._needed import needed

__all__ = ["MAX_CHUNK", "MAX_OBJECTS", "MAX_RATIO", "READER", "Hdf5Reader", "open_hdf5"]

MAX_OBJECTS, MAX_DEPTH = 10_000, 16
MAX_RATIO, RATIO_FROM, MAX_CHUNK = 1000, 64 << 20, 64 << 20
_MAX_ATTRIBUTES, _MAX_TEXT = 256, 4096
_MAGIC = b"\x89HDF\r\n\x1a\n"
#: What h5py raises on damaged bytes.
DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError, UnicodeError, AttributeError)


class Hdf5Reader:
    """See the module."""

    name = "HDF5"
    extensions = (".h5", ".hdf5", ".hdf", ".he5")

    def sniff(self, path: Path, head: bytes) -> bool:
        """The signature, at the beginning or behind a user block of 512, 1024 or 2048 bytes that is not MATLAB's."""
        at = next((n for n in (0, 512, 1024, 2048) if head[n : n + 8] == _MAGIC), None)
        return at is not None and not head.startswith(b"MATLAB 7.3")

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The data sets as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        opened = open_hdf5(path, "HDF5")
        try:
            return assemble(path, opened, rate)
        except InputError as error:
            opened.close()
            raise error if error.path else InputError(error.problem, path=path, expected=error.expected) from None
        except DAMAGE as error:
            opened.close()
            raise InputError(f"a damaged file ({str(error)[:120]})", path=path, expected="an HDF5 file") from None


READER = Hdf5Reader()


def open_hdf5(path: Path, format: str) -> Opened:
    """Arrays and attributes of an HDF5 file.

    Raises
    ------
    InputError
        h5py is missing, the file is damaged, or it claims more than it holds.
    """
    h5py = needed("h5py", "hdf5", path)
    try:
        # never written to, and a lock cannot be had on a file system that is read-only
        file = h5py.File(path, "r", locking=False)
    except DAMAGE as error:
        raise InputError(f"a damaged file ({str(error)[:120]})", path=path, expected="an HDF5 file") from None
    try:
        arrays: list[Array] = []
        attributes: dict[tuple[str, ...], dict[str, Any]] = {(): _attributes(file)}
        for group, item in _walk(h5py, file, path):
            if isinstance(item, h5py.Group):
                attributes.setdefault(group, {}).update(_attributes(item))
            else:
                _take(item, group, path, arrays, attributes)
        return Opened(arrays, attributes, format, file.close)
    except InputError:
        file.close()
        raise
    except DAMAGE as error:
        file.close()
        raise InputError(f"a damaged file ({str(error)[:120]})", path=path, expected="an HDF5 file") from None


def _walk(h5py: Any, file: Any, path: Path) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Groups and data sets by hard links, each once."""
    met = {_address(h5py, file)}
    left: list[tuple[tuple[str, ...], Any]] = [((), file)]
    count = 0
    while left:
        group, parent = left.pop()
        inside = []
        for name in parent:
            count += 1
            if count > MAX_OBJECTS:
                raise InputError(f"more than {MAX_OBJECTS} objects", path=path, expected="a recording")
            if not isinstance(parent.get(name, getlink=True), h5py.HardLink) or len(group) >= MAX_DEPTH:
                continue
            item = parent[name]
            address = _address(h5py, item)
            if address in met or not isinstance(item, (h5py.Group, h5py.Dataset)):
                continue
            met.add(address)
            inside.append(((*group, name), item))
        yield from inside
        left += [(g, item) for g, item in reversed(inside) if isinstance(item, h5py.Group)]


def _address(h5py: Any, item: Any) -> Any:
    info = h5py.h5o.get_info(item.id)
    return info.addr


def _take(item: Any, group: tuple[str, ...], path: Path, arrays: list[Array], attributes: dict[tuple[str, ...], dict[str, Any]]) -> None:
    """A data set as an array, a scalar of its group, or nothing."""
    dtype, shape = item.dtype, item.shape
    if shape is None or not (plain(dtype) or dtype.names or item.size == 1):
        return
    if item.size == 1:
        value = _scalar(item[()] if plain(dtype) or dtype.kind in "SO" else None)
        if value is not None:
            attributes.setdefault(group[:-1], {}).setdefault(group[-1].lower(), value)
        return
    lengths = [n for n in shape if n != 1]
    if len(lengths) > 2 or len(shape) > 4 or not item.size:
        return
    _check(item, "/".join(group), path)
    if dtype.names:
        if len(lengths) == 1 and len(shape) == 1:
            for name in dtype.names[:MAX_WIDTH]:
                if plain(dtype[name]):
                    arrays.append(Array((*group, name), shape[0], 0, dtype[name], _Field(item, name), _attributes(item)))
        return
    rows = max(lengths)
    width = min(lengths) if len(lengths) == 2 else 0
    if width <= MAX_WIDTH:
        arrays.append(Array(group, rows, width, dtype, _Rows(item, shape.index(rows)), _attributes(item)))


def _check(item: Any, name: str, path: Path) -> None:
    """Refuse what lies elsewhere, and what is declared but not there."""
    if item.external or item.is_virtual:
        raise InputError(f"the data set {name[:200]!r} lies in other files", path=path, expected="samples in the file itself")
    claimed = item.size * item.dtype.itemsize
    stored = item.id.get_storage_size()
    if claimed > stored and claimed > RATIO_FROM and claimed > MAX_RATIO * stored:
        what = f"the data set {name[:200]!r} says {claimed} bytes, of which {stored} are stored"
        raise InputError(what, path=path, expected=f"at most {MAX_RATIO} to 1")
    if item.chunks is not None:
        chunk = int(np.prod([float(n) for n in item.chunks])) * item.dtype.itemsize
        if chunk > MAX_CHUNK:
            raise InputError(f"the data set {name[:200]!r} has chunks of {chunk} bytes", path=path, expected=f"at most {MAX_CHUNK}")


class _Rows:
    """Rows of a data set, along the axis that is time."""

    def __init__(self, item: Any, axis: int) -> None:
        self._item, self._axis = item, axis

    def __call__(self, start: int, stop: int) -> np.ndarray:
        place = tuple(slice(start, stop) if k == self._axis else slice(None) for k in range(len(self._item.shape)))
        block = _read(self._item, place)
        out: np.ndarray = np.moveaxis(block, self._axis, 0).reshape(block.shape[self._axis], -1)
        return out[:, 0] if out.shape[1] == 1 else out


class _Field:
    """Rows of one field of a compound data set."""

    def __init__(self, item: Any, name: str) -> None:
        self._item, self._name = item, name

    def __call__(self, start: int, stop: int) -> np.ndarray:
        out: np.ndarray = _read(self._item, slice(start, stop))[self._name]
        return out


def _read(item: Any, place: Any) -> np.ndarray:
    try:
        out: np.ndarray = item[place]
    except DAMAGE as error:
        what = f"the data set {str(item.name)[:200]!r} is damaged ({str(error)[:120]})"
        raise InputError(what, path=item.file.filename, expected="an HDF5 file") from None
    return out


def _attributes(item: Any) -> dict[str, Any]:
    """Attributes that are single numbers or texts, or lists of texts, by lower-case name."""
    out: dict[str, Any] = {}
    for name in list(item.attrs)[:_MAX_ATTRIBUTES]:
        try:
            kind = item.attrs.get_id(name)
            if kind.get_storage_size() > _MAX_TEXT * 16:
                continue
            value = item.attrs[name]
        except DAMAGE:
            continue
        if isinstance(value, np.ndarray) and value.size > 1:
            if value.dtype.kind in "SO" and value.ndim == 1 and value.size <= MAX_WIDTH:
                out["names" if name.lower() in ("columns", "channels", "channel_names") else name.lower()] = [str(_scalar(v)) for v in value]
            continue
        found = _scalar(value)
        if found is not None:
            out[name.lower()] = found
    return out


def _scalar(value: Any) -> Any:
    """A number or a text of an array of one, else None."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size == 1 else None
    if isinstance(value, bytes):
        return value[:_MAX_TEXT].decode("utf-8", "replace")
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    if isinstance(value, Mapping):
        return None
    return value.item() if isinstance(value, (np.integer, np.floating)) else value if isinstance(value, (int, float)) else None
