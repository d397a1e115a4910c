"""Readers: one per format, found by the entry points `ctmeter.readers`.

An entry point names an object with `name`, `extensions` (lower case, with the dot),
`sniff(path, head)`, which says by the first bytes whether the file is of its format, and
`read(path, rate=None, **options)`, which gives a `Recording` without roles. Each format is asked
once: first those whose extension fits, then the others.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import stat
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from ..errors import CtmeterWarning, InputError, SettingsError
from ..recording import Recording, positive_rate
from ..roles import apply

__all__ = ["HEAD", "Reader", "find", "read", "readers"]

#: Bytes of a file that a reader sees before it decides.
HEAD = 4096
#: How zip, gzip, bzip2 and xz begin.
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


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


def read(path: str | os.PathLike[str], map: Mapping[str, str] | None = None, rate: float | None = None) -> Recording:
    """Open a recording of any known format.

    Parameters
    ----------
    path : str or os.PathLike
        A file. URLs (s3://, gs://, az://, https://) are not read yet.
    map : mapping of role to channel name, optional
        Which channel plays which part, for instance ``{"U_L1": "VA", "I_L1": "-IA"}``; a minus turns
        the channel round. Where not given, the rules of `ctmeter.roles` decide.
    rate : float, optional
        Sample rate in Hz, for files that do not say it; checked against those that do.

    Returns
    -------
    Recording
        Lazy; `unresolved` says which roles are ambiguous.

    Raises
    ------
    InputError
        A file that cannot be read or understood.
    SettingsError
        A map or rate that cannot be used.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise InputError(f"path {path!r:.200}", expected="the name of a file")
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if _URL.match(text):
        raise InputError(f"reading from {text.split('://')[0]}:// is not supported", path=text, expected="a local file; download it first")
    if rate is not None:
        try:
            rate = positive_rate(rate)
        except InputError as error:
            raise SettingsError(f"rate: {rate!r}, expected {error.expected}") from None
    where = Path(text)
    recording = find(where).read(where, rate=rate)
    try:
        out = apply(recording, map)
    except SettingsError:
        recording.close()
        raise
    out.path = out.path or where
    return out


def _head(path: Path) -> bytes:
    """The first bytes of a regular file."""
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise InputError("is a directory", path=path, expected="a recording file")
        if not stat.S_ISREG(kind):
            raise InputError("is not a regular file", path=path, expected="a recording file, not a pipe or a device")
        with open(path, "rb") as file:
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
