"""What there is to measure: recordings in folders, patterns, archives and on object stores, and how each is opened.

A recording is one source however many files it has; its identity is the sizes and times (or ETags) of all of them, and of the settings beside it.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import CtmeterError, InputError, SettingsError
from ..readers import archives, is_url, read, remote
from ..recording import Recording
from ._folders import ARCHIVES, MAGIC, SIDECAR, Folder, Listing, by_name, fitting, inside_results, no_recording, of_a_batch, walk
from .work import Source

__all__ = ["Found", "find", "one_line", "open_source", "reason"]

#: Longest text of a failure.
_LONGEST = 600


class Found(NamedTuple):
    """What was found.

    Parameters
    ----------
    sources : list of Source
        By name; what may be a recording.
    skipped : list of (str, str)
        Names of what is none, and why.
    failures : list of (str, str)
        Names of what could not be looked at, and why.
    unseen : tuple of str
        Files, folders and prefixes of URLs of which nobody knows what they hold now.
    """

    sources: list[Source]
    skipped: list[tuple[str, str]]
    failures: list[tuple[str, str]]
    unseen: tuple[str, ...] = ()

    def hides(self, uri: str) -> bool:
        """Whether a file or object may still be there, where it could not be looked."""
        return any(uri == place or uri.startswith(place.rstrip("/") + "/") for place in self.unseen)


def find(
    arguments: Iterable[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    limits: archives.Limits | None = None,
) -> Found:
    """Look for recordings.

    Parameters
    ----------
    arguments : iterable of path
        Files, folders, patterns such as ``site*/**/*.cfg``, archives, URLs, and URLs that end in "/" or hold a pattern.
    out : path, optional
        The folder of results, which is passed over.
    limits : archives.Limits, optional

    Returns
    -------
    Found
        The same for the same files, in whatever order they were named; nothing twice.

    Raises
    ------
    InputError
        Nothing at all was found.
    SettingsError
        The folder of results is one of recordings.
    """
    finder = _Finder(frozenset() if out is None else frozenset([os.path.realpath(out)]), limits)
    given = [os.fspath(a) for a in arguments]
    if out is not None:
        _check_apart(given, out)
    for argument in given:
        finder.take(argument)
    found = finder.found()
    if not found.sources:
        why = "; ".join(f"{name}: {reason}" for name, reason in (found.failures + found.skipped)[:5])
        what = ", ".join(remote.shown(a) if is_url(a) else a for a in given[:5]) or "nothing given"
        raise InputError(f"no recordings in {what}{f' ({why})' if why else ''}", expected="recordings, folders, patterns or URLs of them")
    return found


def _check_apart(given: list[str], out: str | os.PathLike[str]) -> None:
    """Refuse recordings in the folder of results, which is passed over; one that a batch has begun holds results."""
    real = Path(os.path.realpath(out))
    if not real.is_dir() or (real / "manifest.db").exists() or not any(real.iterdir()):
        return
    for argument in given:
        magic = None if is_url(argument) or os.path.lexists(argument) else MAGIC.search(argument)
        place = Path(os.path.realpath(os.path.dirname(argument[: magic.start()]) or "." if magic else argument))
        if place == real or (magic and real in place.parents):
            raise SettingsError(f"-o: {os.fspath(out)} is a folder of the recordings, expected another one for the results")


@contextmanager
def open_source(
    source: Source,
    map: Mapping[str, str] | None = None,  # as in `ctmeter.read`
    rate: float | None = None,
    *,
    limits: archives.Limits | None = None,
) -> Iterator[Recording]:
    """The recording of a source, closed afterwards.

    Parameters
    ----------
    source : Source
    map, rate
        As in `ctmeter.read`.
    limits : archives.Limits, optional

    Raises
    ------
    InputError
        It cannot be read; `remote.ChangedError` where an object is no longer the one that was found.
    SettingsError
        A map or rate that cannot be used.
    """
    if source.member:
        with archives.member(source.uri, source.member, map=map, rate=rate, limits=limits) as recording:
            yield recording
        return
    if is_url(source.uri):
        parts = {uri: remote.Version(size, tag) for uri, size, tag in source.parts}
        opened = remote.read(source.uri, map, rate, parts=parts)
    else:
        opened = read(source.uri, map=map, rate=rate)
    with opened:
        yield opened


def reason(error: BaseException, source: Source) -> str:
    """Why a source failed, on one line and without its own path, which stands beside it."""
    return one_line(str(error) or type(error).__name__, source)


def one_line(text: str, source: Source) -> str:
    """A text on one line, without the path of the source it is about."""
    text = " ".join(text.split())
    places = [source.uri, *(uri for uri, _, _ in source.parts)]
    for place in dict.fromkeys((*places, *map(remote.shown, filter(is_url, places)))):
        text = text.removeprefix(f"{place}: ").removeprefix(f"{place}, ").replace(place, PurePosixPath(source.name).name)
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


class _Finder:
    """Gathers sources of all arguments."""

    def __init__(self, apart: frozenset[str], limits: archives.Limits | None) -> None:
        self._apart, self._limits = apart, limits
        #: The folders and prefixes that were named, or in which what was named lies; names are paths below them.
        self._bases: set[str] = set()
        #: By what it really is: below which of them it was found, and the source, named from there.
        self._sources: dict[tuple[str, str], tuple[str, Source]] = {}
        #: Why, by base and name; by an argument without a base.
        self._skipped: dict[tuple[str, str], str] = {}
        self._failures: dict[tuple[str, str], str] = {}
        self._folders: dict[str, Folder] = {}
        self._reals: dict[str, str] = {}
        self._absolute: dict[str, str] = {}
        self._unseen: list[str] = []

    def take(self, argument: str) -> None:
        """One argument."""
        self._bases.add(_base(argument))
        if is_url(argument):
            try:
                self._url(argument)
            except CtmeterError as error:
                self._failures["", remote.shown(argument)] = str(error).removeprefix(f"{remote.shown(argument)}: ")
                self._unseen.append(_fixed(argument))
            return
        path = Path(argument)
        if inside_results(path):
            self._failures["", argument] = "results of a batch"
        elif os.path.isdir(path):
            listing = Listing()
            walk(path, listing, self._apart)
            self._listed(listing, os.path.abspath(path), str(path))
        elif os.path.lexists(path):
            self._named(path)
        elif MAGIC.search(argument):
            self._pattern(argument)
        else:
            self._failures["", argument] = "no such file"
            self._unseen.append(os.path.abspath(path))

    def found(self) -> Found:
        """Everything, by name."""
        name = _Names(self._bases)
        sources = [Source(s.uri, name(base, s.name), s.parts, s.member) for base, s in self._sources.values()]
        skipped, failures = (sorted((name(*k), why) for k, why in told.items()) for told in (self._skipped, self._failures))
        return Found(sorted(sources, key=lambda s: (s.name, s.member)), skipped, failures, tuple(sorted(self._unseen)))

    # ---- files

    def _named(self, path: Path) -> None:
        """A file that was named itself: it is tried whatever its name is."""
        if not path.is_file():
            why = "a link that leads nowhere" if path.is_symlink() and not path.exists() else "no regular file"
            self._failures[os.path.dirname(os.path.abspath(path)), path.name] = why
            return
        folder, name = os.path.split(os.path.abspath(path))
        name = self._folder(folder).leader(name) or name
        self._file(name, folder, folder, name)

    def _pattern(self, pattern: str) -> None:
        base = _base(pattern)
        if inside_results(base):
            self._failures["", pattern] = "results of a batch"
            return
        # what could not be looked at on the way is called as it was typed
        listing, typed = Listing(), Listing()
        for match in fitting(pattern, typed):
            path = Path(os.path.abspath(match))
            name = Path(os.path.relpath(path, base)).as_posix()
            if any(p.endswith(".ctmeter") for p in PurePosixPath(name).parts) or self._apart & {os.path.realpath(p) for p in (path, *path.parents)}:
                continue
            if path.is_file():
                listing.files.append((name, str(path)))
            elif of_a_batch(path):
                listing.skipped.append((name, "results of a batch"))
            elif path.is_dir() and "**" not in pattern:
                inner = Listing()
                walk(path, inner, self._apart)
                listing.unseen += inner.unseen
                for ours, theirs in ((listing.skipped, inner.skipped), (listing.failures, inner.failures)):
                    ours += [(name if n == str(path) else f"{name}/{n}", reason) for n, reason in theirs]
                listing.files += [(f"{name}/{n}", p) for n, p in inner.files]
        if not listing.files:
            self._failures["", pattern] = "nothing matches"
        self._listed(typed, "")
        self._listed(listing, base)

    def _listed(self, listing: Listing, base: str, itself: str = "") -> None:
        """The recordings among listed files; `itself` is what the folder that was listed is called."""
        for told, named in ((self._skipped, listing.skipped), (self._failures, listing.failures)):
            told.update((("" if name == itself else base, name), why) for name, why in named)
        self._unseen += listing.unseen
        for name, path in listing.files:
            above, own = os.path.split(path)
            folder = self._absolute.get(above) or self._absolute.setdefault(above, os.path.abspath(above))
            leader = self._folder(folder).leader(own)
            if leader is not None:
                # the files of a record are found by its first one, which may not be listed by a pattern
                name, own = name[: len(name) - len(own)] + leader, leader
            reason = by_name(own)
            if reason is None:
                reason = no_recording(os.path.join(folder, own))
            if not reason:
                self._file(name, base, folder, own)
            elif not own.endswith(SIDECAR):
                self._skipped[base, name] = reason

    def _folder(self, path: str) -> Folder:
        found = self._folders.get(path)
        if found is None:
            found = self._folders[path] = Folder.of(path)
        return found

    def _file(self, name: str, base: str, folder: str, own: str) -> None:
        """Note a file, or the members of an archive."""
        path = os.path.join(folder, own)
        real = os.path.realpath(path) if os.path.islink(path) else os.path.join(self._real(folder), own)
        if (known := self._sources.get((real, ""))) is not None and _rank(known[0], known[1].name) >= _rank(base, name):
            return
        parts = []
        try:
            for part in self._folder(folder).parts(own):
                place = os.path.join(folder, part)
                status = os.stat(place)
                parts.append((place, status.st_size, str(status.st_mtime_ns)))
            if own.lower().endswith(ARCHIVES) and archives.is_archive(Path(path)):
                self._members(name, base, real, parts[0])
                return
        except OSError as error:
            self._failures[base, name] = f"cannot be read: {error.strerror or error}"
            if not isinstance(error, FileNotFoundError):
                self._unseen.append(path)
            return
        self._note(real, base, Source(path, name, tuple(parts)))

    def _note(self, real: str, base: str, source: Source) -> None:
        """Note a source; of one that was found twice the longer name counts, whichever came first."""
        known = self._sources.get((real, source.member))
        if known is None or _rank(known[0], known[1].name) < _rank(base, source.name):
            self._sources[real, source.member] = (base, source)

    def _real(self, folder: str) -> str:
        found = self._reals.get(folder)
        if found is None:
            found = self._reals[folder] = os.path.realpath(folder)
        return found

    def _members(self, name: str, base: str, real: str, part: tuple[str, int, str]) -> None:
        path, size, changed = part
        try:
            contents = archives.contents(path, limits=self._limits)
        except InputError as error:
            self._failures[base, name] = one_line(str(error), Source(path, name, (part,)))
            if archives.lacks_room(error):
                self._unseen.append(path)
            return
        for content in contents:
            plain = PurePosixPath(content.name).name
            hidden = plain.startswith(".") or "__MACOSX" in content.name
            reason = "hidden" if hidden else by_name(plain) or ""
            if content.refused:
                self._failures[base, f"{name}: {content.name}"[:600]] = f"the member {content.refused}"
            elif reason:
                self._skipped[base, f"{name}: {content.name}"] = reason
            else:
                # the archive as a whole is the version of each of its members
                parts = ((path, content.size, f"{changed}-{size}"),)
                self._note(real, base, Source(path, name, parts, content.name))

    # ---- objects

    def _url(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        # a question mark of https:// begins the query
        magic = re.search(r"[*\[]" if scheme.startswith("http") else r"[*?\[]", rest)
        if magic:
            self._prefix(f"{scheme}://{rest[: magic.start()].rpartition('/')[0]}", f"{scheme}://{rest}")
        elif url.endswith("/"):
            self._prefix(url.rstrip("/"), None)
        elif (version := remote.stat(url)) is not None:
            beside = [*remote.companions(url), *_sidecar(url)]
            known = {url: version} | {u: v for u in beside if (v := remote.stat(u)) is not None}
            self._objects({u.rpartition("/")[2]: remote.Entry(u, v) for u, v in known.items()}, _base(url), only=url.rpartition("/")[2])
        elif scheme.startswith("http"):
            self._failures["", remote.shown(url)] = "no such object"
        else:
            self._prefix(url, None)

    def _prefix(self, prefix: str, pattern: str | None) -> None:
        """The objects below a prefix."""
        folders: dict[str, dict[str, remote.Entry]] = {}
        for entry in remote.listing(prefix + "/"):
            below, _, name = entry.url[len(prefix) + 1 :].rpartition("/")
            if name and not any(p.startswith(".") or p.endswith(".ctmeter") for p in (*below.split("/"), name) if p):
                folders.setdefault(below, {})[name] = entry
        if not folders:
            self._failures["", remote.shown(prefix)] = "no such object, and none below it"
        for below, entries in folders.items():
            self._objects(entries, remote.shown(prefix + "/").rstrip("/"), f"{below}/" if below else "", pattern=pattern)

    def _objects(
        self, entries: Mapping[str, remote.Entry], base: str, below: str = "", *, only: str | None = None, pattern: str | None = None
    ) -> None:
        """The recordings among the objects of a folder."""
        folder = Folder(entries)
        for name in entries:
            entry = entries[name]
            if (only is not None and name != only) or (pattern is not None and not fnmatch.fnmatchcase(entry.url, pattern)):
                continue
            leader = folder.leader(name)
            if leader is not None:
                name, entry = leader, entries[leader]
            plain = name.partition("?")[0] if entry.url.startswith("http") else name
            shown, reason = below + plain, by_name(plain)
            if name.lower().endswith(ARCHIVES):
                self._failures[base, shown] = "an archive on an object store, of which no members are read: download it first"
            elif reason and only is None:
                if not name.endswith(SIDECAR):
                    self._skipped[base, shown] = reason
            else:
                parts = tuple((entries[n].url, entries[n].version.size, entries[n].version.tag) for n in folder.parts(name))
                self._note(entry.url, base, Source(entry.url, shown, parts))


class _Names:
    """What is called how: its path below the outermost of the folders named that it lies in; where several are left, behind as many of the
    last parts of that one as tell them apart. It depends on what was named alone, never on what is found there.
    """

    def __init__(self, bases: Iterable[str]) -> None:
        self._known: dict[str, str] = {}
        shortest = sorted(bases, key=len)
        self._outer = [b for k, b in enumerate(shortest) if not any(_holds(other, b) for other in shortest[:k])]
        split = [b.split("/") for b in self._outer]
        longest = max(map(len, split), default=1)
        n = next((n for n in range(1, longest) if len({tuple(parts[-n:]) for parts in split}) == len(split)), longest)
        self._tail = {"": ""} if len(split) < 2 else {b: "/".join(parts[-n:]) for b, parts in zip(self._outer, split, strict=True)}

    def __call__(self, base: str, name: str) -> str:
        if not base:
            return name
        if base not in self._known:
            outer = next((b for b in self._outer if _holds(b, base)), base)
            self._known[base] = "/".join(filter(None, (self._tail.get(outer, "").strip("/"), base[len(outer) :].strip("/"))))
        before = self._known[base]
        return f"{before}/{name}" if before else name


def _holds(base: str, other: str) -> bool:
    """Whether a folder is another one or lies above it."""
    return base == other or other.startswith(base.rstrip("/") + "/")


def _rank(base: str, name: str) -> tuple[int, str]:
    """What is found twice, by a link, has the longer of its names."""
    full = f"{base}/{name}"
    return len(full), full


def _base(argument: str) -> str:
    """The folder or prefix below which an argument names something: itself, or that of a file or object.

    Of what is not there, or may not be, one with an ending is a file or an object.
    """
    if is_url(argument):
        plain = _fixed(argument)
        if plain == argument:
            plain = plain.partition("?")[0] if plain.startswith("http") else plain
            above, _, last = plain.rpartition("/")
            plain = above if "." in last else plain
        return remote.shown(plain).rstrip("/")
    magic = None if os.path.lexists(argument) else MAGIC.search(argument)
    if magic is not None:
        argument = os.path.dirname(argument[: magic.start()])
    elif os.path.isfile(argument) or (not os.path.lexists(argument) and os.path.splitext(argument)[1]):
        argument = os.path.dirname(argument)
    return os.path.abspath(argument or ".")


def _fixed(url: str) -> str:
    """What of a URL stands before a pattern."""
    # a question mark of https:// begins the query
    plain, *rest = re.split(r"[*\[]" if url.startswith("http") else r"[*?\[]", url, maxsplit=1)
    return plain.rpartition("/")[0] if rest else plain


def _sidecar(url: str) -> list[str]:
    """Where the settings beside an object would be."""
    if "?" in url:
        return []
    return [url.removesuffix(PurePosixPath(url).suffix) + SIDECAR]
