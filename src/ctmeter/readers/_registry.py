"""The readers that are installed, and which of them reads a file."""

from __future__ import annotations

import importlib.metadata
import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from ..errors import CtmeterWarning, InputError, SettingsError
from ..recording import Recording, positive_rate
from ..roles import apply
from ._access import opened

__all__ = ["HEAD", "Reader", "checked_rate", "find", "read_file", "readers"]

#: Bytes of a file that a reader sees before it decides.
HEAD = 4096
#: How zip, gzip, bzip2 and xz begin.
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")


class Reader(Protocol):
    """What an entry point of the group `ctmeter.readers` names."""

    name: str
    extensions: tuple[str, ...]

    def sniff(self, path: Path, head: bytes) -> bool:
        """Whether the file is of this format, by its first `HEAD` bytes and its name."""

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The recording, without roles."""


@lru_cache(maxsize=1)
def _entries() -> tuple[importlib.metadata.EntryPoint, ...]:
    """The entry points, looked up once: that costs as much as reading a small file."""
    entries = importlib.metadata.entry_points(group="ctmeter.readers")
    return tuple(sorted(entries, key=lambda e: (not e.value.startswith("ctmeter."), e.name)))


def readers() -> Iterator[Reader]:
    """Every reader installed, those of ctmeter first; one that does not load is passed over with a warning."""
    seen = set()
    for entry in _entries():
        if entry.value in seen:
            continue
        seen.add(entry.value)
        try:
            reader = entry.load()
        except (ImportError, AttributeError) as error:
            warnings.warn(f"the reader {entry.name} ({entry.value}) does not load: {error}", CtmeterWarning, stacklevel=2)
            continue
        yield reader


def find(path: Path) -> Reader:
    """The reader for a file.

    Raises
    ------
    InputError
        Not a file that can be read, empty, or of no known format.
    """
    head = _head(path)
    every = sorted(readers(), key=lambda r: path.suffix.lower() not in r.extensions)
    for reader in every:
        if reader.sniff(path, head):
            return reader
    if head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
        raise InputError("an archive", path=path, expected="one of its members; ctmeter.readers.archives.members gives them one after the other")
    tried = ", ".join(f"{r.name} ({' '.join(r.extensions)})" for r in sorted(every, key=lambda r: r.name))
    raise InputError("unknown format", path=path, expected=f"one of {tried}" if tried else "an installed ctmeter with its readers")


def checked_rate(rate: Any) -> float | None:
    """A rate that was given, or None.

    Raises
    ------
    SettingsError
        One that cannot be.
    """
    if rate is None:
        return None
    try:
        return positive_rate(rate)
    except InputError as error:
        raise SettingsError(f"rate: {rate!r}, expected {error.expected}") from None


def read_file(path: Path, map: Mapping[str, str] | None, rate: float | None) -> Recording:
    """The recording of a file, with its roles; see `ctmeter.read`."""
    recording = find(path).read(path, rate=rate)
    try:
        out = apply(recording, map)
    except SettingsError:
        recording.close()
        raise
    out.path = out.path or path
    return out


def _head(path: Path) -> bytes:
    """The first bytes of a regular file."""
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise InputError("is a directory", path=path, expected="a recording file")
        if not stat.S_ISREG(kind):
            raise InputError("is not a regular file", path=path, expected="a recording file, not a pipe or a device")
        with opened(path) as file:
            head = file.read(HEAD)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError("no such file", path=path) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be opened: {getattr(error, 'strerror', None) or error}", path=path) from None
    if not head:
        raise InputError("the file is empty", path=path)
    return head
