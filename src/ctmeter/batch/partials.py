"""Partials: what a piece of work gave, each in a file of its own that is whole or taken for absent.

A file says of itself what it holds and carries a digest, so nothing is forced to the medium while thousands are written: what a
loss of power tore is measured again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StoreError
from ..measurements import Columns
from ..pipeline.rows import pack, unpack
from ..store.results import writing

__all__ = ["VERSION", "partial_path", "read_partial", "write_partial"]

#: Of the content; a partial of a newer one is refused.
VERSION = 1

#: Between names that stand in one text: hundreds of short ones take longer than the numbers they name.
_SEAM = "\n"
_MAGIC = b"ctmeter partial\n"
#: Magic, version, digest of version and body.
_HEAD = struct.Struct("<16sI32s")


def partial_path(place: str | os.PathLike[str], key: str) -> Path:
    """Where the partial of a key lies below the folder of a batch.

    Examples
    --------
    >>> partial_path("out", "2f81ab").as_posix()
    'out/work/2f/2f81ab.part'
    """
    return Path(place) / "work" / key[:2] / f"{key}.part"


def _digest(version: int, body: bytes | memoryview) -> bytes:
    digest = hashlib.blake2b(struct.pack("<I", version), digest_size=32)
    digest.update(body)
    return digest.digest()


def write_partial(place: str | os.PathLike[str], key: str, content: Mapping[str, Any]) -> Path:
    """Write a partial, whole or not at all.

    Parameters
    ----------
    place : path
        Folder of the batch.
    key : str
        Of the piece; it is put into the content, as is the version.
    content : mapping
        Plain values and arrays in mappings and sequences; under "tables" the columns of each table, under "parts" the shares of recordings.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    import msgspec

    path = partial_path(place, key)
    tables = {table: _stacked(columns) for table, columns in content.get("tables", {}).items()}
    parts = [{**part, "statistics": _summed(part.get("statistics"))} for part in content.get("parts", ())]
    packed = pack({**content, "tables": tables, "parts": parts, "version": VERSION, "key": key})
    try:
        body = msgspec.msgpack.encode(packed)
    except UnicodeEncodeError:
        body = msgspec.msgpack.encode({"halved": _halved(packed)})
    # several workers may make the same one at a time
    temporary = path.with_name(f".{key[:100]}.{secrets.token_hex(4)}.tmp")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(_HEAD.pack(_MAGIC, VERSION, _digest(VERSION, body)))
                file.write(body)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return path


def read_partial(place: str | os.PathLike[str], key: str) -> dict[str, Any] | None:
    """The content of a partial; None where there is none, or what there is is torn, damaged or of something else.

    Parameters
    ----------
    place : path
        Folder of the batch.
    key : str

    Raises
    ------
    StoreError
        A newer version of ctmeter wrote it, or the operating system does not let it be read.
    """
    path = partial_path(place, key)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        refused = StoreError(error.errno or errno.EIO, f"cannot be read: {error.strerror or error}", str(path))
        refused.writing = True  # it is a fault of where results go, not of an input
        raise refused from error
    decoded = _decoded(data, path)
    del data  # which may be as large as the arrays
    if not isinstance(decoded, dict) or decoded.get("key") != key:
        return None
    content: dict[str, Any] = unpack(decoded)
    content["tables"] = {table: _unstacked(stacks) for table, stacks in content["tables"].items()}
    for part in content["parts"]:
        part["statistics"] = _state(part["statistics"])
    return content


def _decoded(data: bytes, path: Path) -> Any:
    """The content as it was encoded; None of what is damaged or something else."""
    import msgspec

    if len(data) < _HEAD.size:
        return None
    magic, version, digest = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if magic != _MAGIC or digest != _digest(version, body):
        return None
    if version > VERSION:
        raise StoreError(errno.EPROTO, f"a partial of version {version}, made by a newer ctmeter; this one knows {VERSION}", str(path))
    try:
        decoded = msgspec.msgpack.decode(body)
    except msgspec.DecodeError:
        return None
    return _joined(decoded["halved"]) if isinstance(decoded, dict) and decoded.keys() == {"halved"} else decoded


def _halved(value: Any) -> Any:
    """Plain values whose texts may have halves of characters, as names of files in no known encoding do."""
    if isinstance(value, str):
        return value if value.isascii() else {"halves": value.encode("utf-8", "surrogatepass")}
    if isinstance(value, dict):
        return {"pairs": [[_halved(k), _halved(v)] for k, v in value.items()]}
    return [_halved(v) for v in value] if isinstance(value, list) else value


def _joined(value: Any) -> Any:
    """The inverse of `_halved`."""
    if isinstance(value, dict):
        return value["halves"].decode("utf-8", "surrogatepass") if "halves" in value else {_joined(k): _joined(v) for k, v in value["pairs"]}
    return [_joined(v) for v in value] if isinstance(value, list) else value


def _summed(state: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The state of `Statistics` with its hundreds of pairs as arrays."""
    if state is None:
        return None
    pairs = {"sum": np.float64, "low": np.int64, "high": np.int64}
    made = {k: v for k, v in state.items() if k not in pairs}
    for name, second in pairs.items():
        values = state[name]
        made[name] = [_SEAM.join(values), np.array([v[0] for v in values.values()], np.float64), np.array([v[1] for v in values.values()], second)]
    return made


def _state(summed: dict[str, Any] | None) -> dict[str, Any] | None:
    """The inverse of `_summed`."""
    if summed is None:
        return None
    made = dict(summed)
    for name in ("sum", "low", "high"):
        names, first, second = summed[name]
        made[name] = dict(zip(names.split(_SEAM) if names else (), map(list, zip(first.tolist(), second.tolist(), strict=True)), strict=True))
    return made


def _stacked(columns: Columns) -> list[list[Any]]:
    """Columns of one kind as one array: hundreds of small ones would take longer to unpack than to measure."""
    kinds: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for name, values in columns.items():
        kinds.setdefault((values.dtype.str, values.shape), []).append(name)
    return [[_SEAM.join(names), np.stack([columns[name] for name in names])] for names in kinds.values()]


def _unstacked(stacks: list[list[Any]]) -> Columns:
    """The inverse of `_stacked`; columns of one kind share memory."""
    return {name: values[k] for names, values in stacks for k, name in enumerate(names.split(_SEAM))}
