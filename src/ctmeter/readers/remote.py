"""Recordings on object stores and web servers: s3://, gs://, az://, https://.

Formats whose reader goes by ranges (COMTRADE pairs, WAV, NPY, Parquet) cost the ranges that are looked at: opening takes the beginning
and, where there are time stamps, some hundred places of the file; a block of samples takes its bytes and what is read ahead. Nothing of
them is put on disk. If the stamps of a COMTRADE record are irregular, the stretches where they are must be fetched to see how.
All other formats are fetched whole, in ranges, to a scratch file of the user alone that goes with the recording; it never
takes more than half of the free disk. Scratch files are made in the folder CTMETER_SCRATCH, else where the system keeps its own.

Of a COMTRADE pair either file may be named. The others are looked for with endings in the same case, then in lower and upper case.
The settings beside a recording, `<stem>.ctmeter.toml`, are read by `sidecar`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording import Recording, Source
from ._access import announce, opened, withdraw
from ._entries import scratch
from ._objects import ChangedError, Entry, RemoteBytes, Version, fetch_whole, listing, shown, stat
from ._registry import HEAD, find, read_file
from ._unpacked import NoRoomError

__all__ = ["ChangedError", "Entry", "Version", "companions", "copied", "listing", "read", "shown", "sidecar", "stat", "stem"]

#: Endings of a COMTRADE record, whose files are one recording.
_PAIR = (".cfg", ".dat", ".hdr", ".inf")
_MAX_NAME = 200
_MAX_SIDECAR = 1 << 20


def read(
    url: str,
    map: Mapping[str, str] | None = None,  # as in `ctmeter.read`
    rate: float | None = None,
    *,
    parts: Mapping[str, Version] | None = None,
) -> Recording:
    """Open a remote recording; see `ctmeter.read`.

    Parameters
    ----------
    url : str
    map, rate
        As in `ctmeter.read`.
    parts : mapping of URL to Version, optional
        What belongs to it, where that is known already, and which versions must be there.

    Raises
    ------
    InputError
        It cannot be fetched or read; `ChangedError` where it is replaced while it is opened, twice.
    SettingsError
        A map or rate that cannot be used.
    """
    try:
        return _read(url, map, rate, parts)
    except ChangedError:
        if parts is not None:
            raise  # another version than the wanted one
    return _read(url, map, rate, parts)


def companions(url: str) -> list[str]:
    """Names under which the other files of a COMTRADE record may be found, the likeliest first; none of other files."""
    base, ending = _endings(url)
    if "?" in url and url.startswith("http"):
        return []  # the query belongs to the one object
    if ending.lower() not in _PAIR:
        return []
    return [base + e for other in _PAIR if other != ending.lower() for e in _cases(other, ending)]


def stem(url: str) -> str:
    """Name of a remote recording without its ending."""
    return PurePosixPath(_name(url)).stem


def sidecar(url: str) -> str | None:
    """Text of the settings beside a remote recording; None where there are none.

    Raises
    ------
    InputError
        They cannot be read.
    """
    if "?" in url and url.startswith("http"):
        return None  # a query names one object, and none beside it
    base, _ = _endings(url)
    place = f"{base}.ctmeter.toml"
    data = fetch_whole(place, _MAX_SIDECAR)
    if data is None:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is no UTF-8 text ({error.reason})", path=shown(place), offset=error.start, expected="TOML") from None


@contextmanager
def copied(url: str, version: Version | None = None) -> Iterator[Path]:
    """The local copy of a remote file, fetched whole in ranges.

    Parameters
    ----------
    url : str
    version : Version, optional
        The one that must be there.
    """
    folder = _Folder()
    try:
        yield folder.fetch(folder.add(url, version))
    finally:
        folder.close()


def _endings(url: str) -> tuple[str, str]:
    """The URL without its ending, and the ending."""
    ending = PurePosixPath(url.rpartition("/")[2]).suffix
    return url.removesuffix(ending), ending


def _name(url: str) -> str:
    return shown(url).rpartition("/")[2]


def _cases(ending: str, like: str) -> list[str]:
    """An ending in the cases in which it may be written."""
    return list(dict.fromkeys((ending.upper() if like.isupper() else ending, ending, ending.upper())))


class _Folder:
    """The scratch folder of a recording: a file for each object, empty and of its size until it is fetched."""

    def __init__(self) -> None:
        self._path = Path(tempfile.mkdtemp(prefix="ctmeter-", dir=scratch()))
        self.objects: dict[Path, RemoteBytes] = {}
        # also when nobody closes the recording
        self.close = weakref.finalize(self, _clear, self._path, self.objects)

    def add(self, url: str, version: Version | None = None) -> Path:
        """Open an object; the path that stands for it."""
        return self.put(RemoteBytes(url, version))

    def put(self, content: RemoteBytes) -> Path:
        """The path that stands for an open object."""
        name = _name(content.url)
        if len(os.fsencode(name)) > _MAX_NAME or name in (".", "..") or "\0" in name:
            name = "object" + PurePosixPath(name).suffix[:20].replace("\0", "")
        path = self._path / name
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.truncate(content.size)
        self.objects[path] = content
        announce(path, content)
        return path

    def fetch(self, path: Path) -> Path:
        """Bring the whole object into its file."""
        content = self.objects[path]
        most = shutil.disk_usage(self._path).free // 2
        if content.size > most:
            raise NoRoomError(f"{content.size} bytes to fetch", path=shown(content.url), expected=f"at most {most}, half of the free disk")
        with open(path, "r+b") as file:
            for at, data in content.parts(0, content.size):
                file.seek(at)
                file.write(data)
        withdraw(path)
        return path

    def told(self, error: InputError) -> InputError:
        """The error with the URL instead of the scratch file."""
        content = self.objects.get(Path(error.path)) if error.path else None
        if content is None:
            return error
        return type(error)(error.problem, path=shown(content.url), offset=error.offset, line=error.line, expected=error.expected)


def _clear(folder: Path, objects: dict[Path, RemoteBytes]) -> None:
    for path in objects:
        withdraw(path)
    objects.clear()
    shutil.rmtree(folder, ignore_errors=True)


class _Fetched:
    """The source of a remote recording: errors name the URL, and the scratch folder goes with it."""

    def __init__(self, source: Source, folder: _Folder) -> None:
        self._source, self._folder = source, folder

    def raw(self, start: int, stop: int) -> np.ndarray:
        try:
            return self._source.raw(start, stop)
        except InputError as error:
            raise self._folder.told(error) from None

    def status(self, start: int, stop: int) -> np.ndarray:
        try:
            return self._source.status(start, stop)
        except InputError as error:
            raise self._folder.told(error) from None

    def close(self) -> None:
        self._source.close()
        self._folder.close()

    def __getattr__(self, name: str) -> Any:
        # what else a source has
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._source, name)


def _read(url: str, map: Mapping[str, str] | None, rate: float | None, parts: Mapping[str, Version] | None) -> Recording:
    folder = _Folder()
    try:
        known = parts or {}
        path = folder.add(url, known.get(url))
        beside = [(u, v) for u, v in known.items() if u != url and not u.endswith(".ctmeter.toml")] if parts else None
        for content in _beside(url, beside):
            folder.put(content)
        reader = find(path)
        with opened(path) as file:
            head = file.read(HEAD)
        if not (hasattr(reader, "by_ranges") and reader.by_ranges(path, head)):
            for each in folder.objects:
                folder.fetch(each)
        recording = read_file(path, map, rate)
        size = sum(o.size for o in folder.objects.values())
        metadata = {**recording.metadata, "bytes": size, "version": folder.objects[path].version.tag}
        return replace(recording, source=_Fetched(recording.source, folder), path=shown(url), metadata=metadata)
    except InputError as error:
        told = folder.told(error)
        folder.close()
        raise told from None
    except BaseException:
        folder.close()
        raise


def _beside(url: str, known: list[tuple[str, Version]] | None) -> list[RemoteBytes]:
    """The other objects of a record that are there."""
    if known is not None:
        return [RemoteBytes(u, v) for u, v in known]
    groups: dict[str, list[str]] = {}
    for place in companions(url):
        groups.setdefault(place.rpartition(".")[2].lower(), []).append(place)

    def first(places: list[str]) -> RemoteBytes | None:
        for place in places:
            try:
                return RemoteBytes(place)
            except InputError as error:
                if error.problem != "no such object":
                    raise
        return None

    if not groups:
        return []
    with ThreadPoolExecutor(len(groups)) as pool:
        return [found for found in pool.map(first, groups.values()) if found is not None]
