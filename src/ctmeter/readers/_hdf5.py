"""The inside of HDF5 files: what is in them, without leaving them and without believing their sizes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ._arrays import MAX_WIDTH, Array, Opened, damage, plain
from ._needed import needed

__all__ = ["MAX_CHUNK", "MAX_OBJECTS", "MAX_RATIO", "open_hdf5"]

MAX_OBJECTS, MAX_DEPTH = 10_000, 16
MAX_RATIO, RATIO_FROM, MAX_CHUNK = 1000, 64 << 20, 64 << 20
_MAX_ATTRIBUTES, _MAX_TEXT = 256, 4096


def open_hdf5(path: Path, format: str, stack: contextlib.ExitStack) -> Opened:
    """Arrays and attributes of an HDF5 file.

    Raises
    ------
    InputError
        h5py is missing, or the file claims more than it holds.
    """
    h5py = needed("h5py", "hdf5", path)
    # never written to, and a lock cannot be had on a file system that is read-only
    file = stack.enter_context(h5py.File(path, "r", locking=False))
    arrays: list[Array] = []
    attributes: dict[tuple[str, ...], dict[str, Any]] = {(): _attributes(file)}
    for group, item in _walk(h5py, file, path):
        if isinstance(item, h5py.Group):
            attributes.setdefault(group, {}).update(_attributes(item))
        else:
            _take(item, group, path, arrays, attributes)
    return Opened(arrays, attributes, format)


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
    except Exception as error:
        # damaged bytes come out of the library as errors of any kind
        raise InputError(f"{str(item.name)[:200]!r}: {damage(error)}", path=item.file.filename, expected="an HDF5 file") from None
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
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, UnicodeError):
            continue  # an attribute of a type that h5py does not know says nothing here
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
