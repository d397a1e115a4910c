"""Files of folders: which of them belong together, which are recordings by their names, which are none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..errors import InputError
from ..readers import find as reader_of
from ..readers import readers

__all__ = ["ARCHIVES", "FOLLOWING", "SIDECAR", "Folder", "Listing", "by_name", "no_recording", "walk"]

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".bz2", ".xz")
#: Files that are read together with the .cfg of their stem.
FOLLOWING = (".dat", ".hdr", ".inf")
SIDECAR = ".ctmeter.toml"
#: Endings and names that no reader knows and nobody expects to be measured.
_OTHERS = frozenset(
    (
        *(".md", ".rst", ".toml", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".ini", ".html", ".htm", ".css", ".js", ".pdf", ".doc", ".docx"),
        *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".py", ".ipynb", ".sh", ".m", ".c", ".h", ".log", ".bak", ".tmp", ".part", ".lock", ".db"),
        *(".sqlite", ".sha256", ".md5", ".xls", ".xlsx", ".url", ".bib", ".cff.md", ".license"),
    )
)
_TEXTS = ("readme", "license", "licence", "copying", "notice", "changelog", "changes", "authors", "checksums", "sha256sums", "md5sums")
#: Endings under which anything may stand: such files are looked into.
_ANYTHING = frozenset(("", ".txt", ".asc", ".dat", ".hdr", ".inf"))


@dataclass
class Listing:
    """What was found: files that may be recordings, by their names and where they are, what is none, what could not be looked at and why.

    Of what could not be looked at `unseen` has the paths.
    """

    files: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


@lru_cache(maxsize=1)
def _endings() -> frozenset[str]:
    return frozenset(e for r in readers() for e in r.extensions)


def by_name(name: str) -> str | None:
    """Why a file of this name is no recording, "" where it may be one, None where only a look can tell."""
    lower = name.lower()
    ending = os.path.splitext(lower)[1]
    if lower.endswith(SIDECAR):
        return "settings"
    if ending in _OTHERS or lower.split(".")[0] in _TEXTS:
        return "no recording by its name"
    if ending in _ANYTHING:
        return None
    if ending in _endings() or lower.endswith(ARCHIVES):
        return ""
    return None


def no_recording(path: str) -> str:
    """Why a file whose name says nothing is no recording, by its first bytes; "" where a reader knows it."""
    try:
        reader_of(Path(path))
    except InputError as error:
        return "" if error.problem == "an archive" else error.problem
    return ""


class Folder:
    """The names in a folder, by which files of one recording find each other in whatever case.

    Parameters
    ----------
    names : iterable of str
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[str, list[str]] = {}
        for name in names:
            self._names.setdefault(name.casefold(), []).append(name)

    @classmethod
    def of(cls, path: str) -> Folder:
        """A folder of the file system; an empty one where it cannot be read."""
        try:
            return cls(os.listdir(path))
        except OSError:
            return cls(())

    def leader(self, name: str) -> str | None:
        """The .cfg to which a file belongs, None where it belongs to none."""
        stem, ending = os.path.splitext(name)
        if ending.lower() not in FOLLOWING:
            return None
        return self._best(stem + ".cfg", stem)

    def parts(self, name: str) -> list[str]:
        """The names of all that belongs to a recording, its own first."""
        stem, ending = os.path.splitext(name)
        found = [name]
        if ending.lower() == ".cfg":
            found += [n for e in FOLLOWING for n in sorted(self._names.get((stem + e).casefold(), ()))]
        return found + [n for n in self._names.get((stem + SIDECAR).casefold(), ()) if n == stem + SIDECAR]

    def _best(self, name: str, stem: str) -> str | None:
        return min(self._names.get(name.casefold(), ()), key=lambda n: (os.path.splitext(n)[0] != stem, n), default=None)


def walk(top: Path, listing: Listing, apart: frozenset[str]) -> None:
    """Every file below a folder, by name; links are followed, but no folder is entered twice.

    Parameters
    ----------
    top : Path
    listing : Listing
        Receives what is found.
    apart : frozenset of str
        Real paths of folders that are passed over.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [("", top)]
    while waiting:
        below, folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if os.path.realpath(folder) in apart or (below and (folder / "manifest.db").is_file() and (folder / "dataset").is_dir()):
                listing.skipped.append((below.rstrip("/") or folder.name, "results of a batch"))
                continue
            with os.scandir(folder) as entries:
                names = sorted(entries, key=lambda e: e.name)
        except OSError as error:
            listing.failures.append((below.rstrip("/") or str(folder), f"cannot be read: {error.strerror or error}"))
            listing.unseen.append(os.path.abspath(folder))
            continue
        waiting += reversed([(f"{below}{e.name}/", Path(e.path)) for e in _files(names, below, listing)])


def _files(entries: list[os.DirEntry[str]], below: str, listing: Listing) -> Iterator[os.DirEntry[str]]:
    """Note the files among the entries of a folder; gives the folders among them."""
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir():
                if entry.name.endswith(".ctmeter"):
                    listing.skipped.append((below + entry.name, "results of a measurement"))
                else:
                    yield entry
            elif entry.is_file():
                listing.files.append((below + entry.name, entry.path))
            elif entry.is_symlink():
                listing.failures.append((below + entry.name, "a link that leads nowhere"))
            else:
                kind = stat.S_IFMT(entry.stat().st_mode)
                listing.skipped.append((below + entry.name, f"no regular file (type {kind:o})"))
        except OSError as error:
            listing.failures.append((below + entry.name, f"cannot be read: {error.strerror or error}"))
            listing.unseen.append(os.path.abspath(entry.path))
