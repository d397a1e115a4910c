"""Files of folders: which of them belong together, which are recordings by their names, which are none."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..errors import InputError
from ..readers import find as reader_of
from ..readers import readers

__all__ = ["ARCHIVES", "MAGIC", "SIDECAR", "Folder", "Listing", "by_name", "fitting", "inside_results", "no_recording", "of_a_batch", "walk"]

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".bz2", ".xz")
#: Files that are read together with the .cfg of their stem.
FOLLOWING = (".dat", ".hdr", ".inf")
SIDECAR = ".ctmeter.toml"
#: Folders of a batch that hold its results.
_HELD = ("dataset", "work")
#: What makes a pattern of a path.
MAGIC = re.compile(r"[*?\[]")
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
            if os.path.realpath(folder) in apart or (below and of_a_batch(folder)):
                listing.skipped.append((below.rstrip("/") or folder.name, "results of a batch"))
                continue
            held = _HELD if of_a_batch(folder) else ()  # the folder that was named itself
            listing.skipped += [(name, "results of a batch") for name in held]
            with os.scandir(folder) as entries:
                names = sorted((e for e in entries if e.name not in held), key=lambda e: e.name)
        except OSError as error:
            listing.failures.append((below.rstrip("/") or str(folder), f"cannot be read: {error.strerror or error}"))
            listing.unseen.append(os.path.abspath(folder))
            continue
        waiting += reversed([(f"{below}{e.name}/", Path(e.path)) for e in _files(names, below, listing)])


def of_a_batch(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds the results of a batch."""
    return os.path.isfile(os.path.join(folder, "manifest.db")) and os.path.isdir(os.path.join(folder, "dataset"))


def inside_results(path: str | os.PathLike[str]) -> bool:
    """Whether a place is among the results of a batch."""
    place = Path(os.path.abspath(path))
    return any(p.name in _HELD and of_a_batch(p.parent) for p in (place, *place.parents))


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
            elif entry.is_symlink() and not os.path.exists(entry.path):
                listing.failures.append((below + entry.name, "a link that leads nowhere"))
            else:
                kind = stat.S_IFMT(entry.stat().st_mode)
                listing.skipped.append((below + entry.name, f"no regular file (type {kind:o})"))
        except OSError as error:
            listing.failures.append((below + entry.name, f"cannot be read: {error.strerror or error}"))
            listing.unseen.append(os.path.abspath(entry.path))


def fitting(pattern: str, listing: Listing) -> list[str]:
    """Paths that fit a pattern, in order: as `glob.glob` finds them, but what cannot be looked at is noted, and ``**`` enters no folder twice.

    Parameters
    ----------
    pattern : str
    listing : Listing
        Receives what could not be looked at.
    """
    *above, _ = re.split(r"(?<=/)", pattern[: MAGIC.search(pattern).start()])  # type: ignore[union-attr]
    fixed = "".join(above)
    if not os.path.isdir(fixed or "."):
        listing.unseen.append(os.path.abspath(fixed))
        return []
    found = sorted(set(_below(fixed, [p for p in pattern[len(fixed) :].split("/") if p], listing)))
    return [place for place in found if os.path.isdir(place)] if pattern.endswith("/") else found


def _below(folder: str, parts: list[str], listing: Listing) -> Iterator[str]:
    """What below a folder fits the parts of a pattern."""
    part, *rest = parts
    if part == "**":
        for inner in _folders_of(folder, listing):
            if rest:
                yield from _below(inner, rest, listing)
            else:
                yield from (os.path.join(inner, e.name) for e in _seen(inner, listing) if not e.name.startswith("."))
        return
    if MAGIC.search(part):
        entries = [e for e in _seen(folder, listing) if fnmatch.fnmatchcase(e.name, part) and (part[0] == "." or e.name[0] != ".")]
        found = [os.path.join(folder, e.name) for e in entries if not rest or _is_folder(e.path, listing)]
    else:
        place = os.path.join(folder, part)
        found = [place] if not rest or _is_folder(place, listing) else []
    for place in found:
        if rest:
            yield from _below(place, rest, listing)
        elif _status(place, listing) is not None:
            yield place


def _folders_of(top: str, listing: Listing) -> Iterator[str]:
    """A folder and all below it, each once; links are followed."""
    met: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        status = _status(folder or ".", listing)
        if status is None or (status.st_dev, status.st_ino) in met:
            continue
        met.add((status.st_dev, status.st_ino))
        if folder != top and of_a_batch(folder):
            listing.skipped.append((folder, "results of a batch"))
            continue
        yield folder
        inner = sorted(e.name for e in _seen(folder, listing) if e.name[0] != "." and _is_folder(e.path, listing))
        waiting += [os.path.join(folder, name) for name in reversed(inner)]


def _seen(folder: str, listing: Listing) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it cannot be read, which is noted."""
    try:
        with os.scandir(folder or ".") as entries:
            return list(entries)
    except OSError as error:
        _unseen(folder, error, listing)
        return []


def _is_folder(place: str, listing: Listing) -> bool:
    status = _status(place, listing)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _status(place: str, listing: Listing) -> os.stat_result | None:
    """The status of a place; None where there is nothing, or where nobody can look, which is noted."""
    try:
        return os.stat(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            _unseen(place, error, listing)
        return None


def _unseen(place: str, error: OSError, listing: Listing) -> None:
    """Note a place that could not be looked at."""
    if os.path.abspath(place) not in listing.unseen:
        listing.failures.append((place or ".", f"cannot be read: {error.strerror or error}"))
        listing.unseen.append(os.path.abspath(place))
