"""Recordings in zip and tar archives, one after the other, without unpacking the archive.

Members are unpacked to scratch files of names of our own, read, and removed again; the names of an archive are words to show and
never places. Files of one stem that make up a recording (CFG with DAT, HDR, INF) come together. Tar archives may be packed
by gzip, bzip2 or xz.

What is refused
---------------
- The whole archive: more members than `Limits.members`, or more bytes than `Limits` allow, counted while they are
  unpacked, whatever the archive says; damaged ones from the damage on.
- Single members: links and devices, encrypted ones, a name that has been before, absolute names and those that lead out
  of the archive (`../`), and archives in archives.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..errors import InputError, SettingsError
from ..recording import Recording
from . import read
from ._entries import DAMAGE, MEMBER_DAMAGE, Entry, entries, is_archive, opened, scratch, scratch_in, stem_of
from ._unpacked import Budget, Limits, NoRoomError, lacks_room

__all__ = ["Content", "Limits", "Member", "NoRoomError", "contents", "is_archive", "lacks_room", "member", "members", "scratch", "scratch_in"]

_BLOCK = 1 << 16
_MAX_NAME = 1024
#: Endings that are kept, since readers go by them; of any other member the ending is left away.
_ENDINGS = frozenset(
    (
        *(".asc", ".cff", ".cfg", ".csv", ".dat", ".flac", ".h5", ".hdf", ".hdf5", ".hdr", ".inf", ".mat", ".mdf", ".mf4", ".npy", ".npz"),
        *(".parquet", ".pq", ".pqd", ".pqdif", ".rf64", ".tdms", ".tsv", ".txt", ".wav"),
    )
)
#: Files that are read together with the first one of their stem.
_LEADING, _FOLLOWING = (".cfg",), (".dat", ".hdr", ".inf")
_TWICE = "has a name that was there before"


class Member(NamedTuple):
    """One recording of an archive.

    Parameters
    ----------
    name : str
        In the archive, as it stands there but for signs that cannot be shown.
    recording : Recording or None
        Open until the next member is asked for.
    error : InputError or None
        Why there is no recording.
    """

    name: str
    recording: Recording | None
    error: InputError | None


class Content(NamedTuple):
    """What may be a recording of an archive, by names alone.

    Parameters
    ----------
    name : str
        Of the member, or of the first one of a COMTRADE record.
    size : int
        Bytes, of all members that belong to it, as the archive declares them.
    refused : str
        Why it is not read; "" where it is.
    """

    name: str
    size: int
    refused: str


def members(
    path: Path | str,
    *,
    map: Mapping[str, str] | None = None,  # as in `read`
    rate: float | None = None,
    limits: Limits | None = None,
) -> Iterator[Member]:
    """The recordings of an archive, in its order.

    Parameters
    ----------
    path : path
    map, rate
        As in `ctmeter.read`, for every recording.
    limits : Limits, optional

    Yields
    ------
    Member
        Its recording is closed and its scratch file removed when the next one is asked for.

    Raises
    ------
    InputError
        No archive, or one that asks for more than the limits; what came before was given.
    """
    path, limits = Path(path), limits or Limits()
    _check(path)
    with _scratch() as place, _named(path):
        budget = Budget(path, limits, place)
        plan = _plan(path, limits, Budget(path, limits, place))
        yield from _Reading(path, Path(place), plan, map, rate, budget).all(entries(path, limits, budget))


@contextlib.contextmanager
def member(
    path: Path | str,
    name: str,
    *,
    map: Mapping[str, str] | None = None,  # as in `read`
    rate: float | None = None,
    limits: Limits | None = None,
) -> Iterator[Recording]:
    """One recording of an archive, which is kept open for the next one: asking for all of them one by one takes as long as `members`.

    Parameters
    ----------
    path : path
    name : str
        As `contents` gives it.
    map, rate, limits
        As in `members`.

    Raises
    ------
    InputError
        It is not there or cannot be read.
    """
    path, limits = Path(path), limits or Limits()
    _check(path)
    with _scratch() as place:
        with _named(path):
            together = opened(path, limits).of(name)
            plan: dict[str, list[str]] = {}
            _note_endings(together, plan)
            found = _Reading(path, Path(place), plan, map, rate, Budget(path, limits, place), only=name).all(together)
            one = next(found, None)
        with contextlib.closing(found):
            if one is None:
                raise InputError("no such member", path=f"{path}: {_shown(name)}", expected="a name in the archive")
            if one.recording is None:
                raise one.error or InputError("no recording", path=f"{path}: {_shown(name)}")
            yield one.recording


def contents(path: Path | str, *, limits: Limits | None = None) -> list[Content]:
    """What may be recordings of an archive, in its order; their bytes are not looked at.

    Raises
    ------
    InputError
        No archive, a damaged one, or one that asks for more than the limits.
    """
    path, limits = Path(path), limits or Limits()
    _check(path)
    found: dict[str, Content] = {}
    seen: set[str] = set()
    again: dict[str, Content] = {}
    leading: dict[str, str] = {}
    following: list[tuple[str, str, int]] = []
    with _scratch() as place, _named(path):
        for entry in entries(path, limits, Budget(path, limits, place)):
            reason = entry.refused or _fault(entry.name)
            if entry.name in seen:
                again[entry.name] = Content(entry.name, entry.size, _TWICE)
                continue  # the first one counts
            seen.add(entry.name)
            stem, ending = stem_of(entry.name)
            if not reason and ending in _FOLLOWING:
                following.append((entry.name, stem, entry.size))
                continue
            if not reason and ending in _LEADING:
                leading.setdefault(stem, entry.name)
            found[entry.name] = Content(entry.name, entry.size, reason)
    for name, stem, size in following:
        lead = leading.get(stem)
        if lead is None:
            found.setdefault(name, Content(name, size, ""))
        else:
            found[lead] = found[lead]._replace(size=found[lead].size + size)
    return [*found.values(), *again.values()]


def _check(path: Path) -> None:
    if not is_archive(path):
        raise InputError("no archive", path=path, expected="zip, or tar as it is or packed by gzip, bzip2 or xz")


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for members."""
    return tempfile.TemporaryDirectory(prefix="ctmeter-", dir=scratch())


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Damage of the archive becomes an error that names it."""
    try:
        yield
    except DAMAGE as error:
        if isinstance(error, (InputError, SettingsError)):
            raise
        if lacks_room(error):
            raise NoRoomError("the scratch disk is full", path=path, expected="room to unpack it, or another CTMETER_SCRATCH") from None
        raise InputError(f"a damaged archive ({str(error)[:120]})", path=path, expected="a whole archive") from None


def _fault(name: str) -> str:
    """What is wrong with a name."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or parts[0][1:2] == ":" or ".." in parts:
        return "has a name that leads out of the archive"
    return "has no name that can be shown" if not name.strip() or len(name) > _MAX_NAME or "\0" in name else ""


def _shown(name: str) -> str:
    return "".join(ch if ch.isprintable() else "?" for ch in name[:_MAX_NAME])


def _plan(path: Path, limits: Limits, budget: Budget) -> dict[str, list[str]]:
    """Which endings each stem has, so that a recording is known to be complete; only names are looked at."""
    plan: dict[str, list[str]] = {}
    try:
        _note_endings(entries(path, limits, budget), plan)
    except DAMAGE as error:
        # what comes before the damage is read; it is met again then
        if isinstance(error, InputError):
            raise
    return plan


def _note_endings(found: Iterable[Entry], plan: dict[str, list[str]]) -> None:
    for entry in found:
        if not entry.refused and not _fault(entry.name):
            stem, ending = stem_of(entry.name)
            plan.setdefault(stem, []).append(ending)


class _Reading:
    """From entries to recordings: gathers what belongs together, reads it and clears it away."""

    def __init__(
        self,
        path: Path,
        scratch: Path,
        plan: Mapping[str, list[str]],
        map: Mapping[str, str] | None,
        rate: float | None,
        budget: Budget,
        only: str | None = None,
    ) -> None:
        self._only, self._budget = only, budget
        self._path, self._scratch, self._plan = path, scratch, plan
        self._map, self._rate = map, rate
        self._number = 0
        #: Members of a stem that has more of them to come, by stem: name and place of each ending.
        self._waiting: dict[str, dict[str, tuple[str, Path]]] = {}

    def all(self, found: Iterable[Entry]) -> Generator[Member, None, None]:
        met: set[str] = set()
        for entry in found:
            if not self._wanted(entry.name):
                continue
            reason = entry.refused or _fault(entry.name) or (_TWICE if entry.name in met else "")
            if reason:
                yield self._refused(entry.name, reason)
                continue
            met.add(entry.name)
            stem, ending = stem_of(entry.name)
            together = self._together(stem)
            place = self._place(stem if ending in together else "", ending)
            try:
                self._unpack(entry, place)
            except MEMBER_DAMAGE as error:
                yield self._refused(entry.name, f"is damaged ({str(error)[:120]})")
                continue
            if ending not in together:
                yield from self._given(entry.name, place, [place])
                continue
            held = self._waiting.setdefault(stem, {})
            held[ending] = (entry.name, place)
            if held.keys() >= together:
                yield from self._complete(stem)
        for stem in list(self._waiting):
            yield from self._complete(stem)

    def _wanted(self, name: str) -> bool:
        """Whether a member is asked for, or belongs to the one that is."""
        if self._only is None or name == self._only:
            return True
        stem, ending = stem_of(name)
        wanted, leading = stem_of(self._only)
        return stem == wanted and leading in _LEADING and ending in _FOLLOWING

    def _together(self, stem: str) -> set[str]:
        """Endings of a stem that are read as one."""
        endings = set(self._plan.get(stem, ()))
        return endings & {*_LEADING, *_FOLLOWING} if endings & set(_LEADING) else set()

    def _place(self, stem: str, ending: str) -> Path:
        if stem and (held := self._waiting.get(stem)):
            return next(iter(held.values()))[1].with_suffix(ending)
        self._number += 1
        return self._scratch / f"member{self._number}{ending if ending in _ENDINGS else ''}"

    def _unpack(self, entry: Entry, place: Path) -> None:
        source = entry.open(self._budget)
        try:
            with open(place, "wb") as out:
                while block := source.read(_BLOCK):
                    out.write(block)
        finally:
            source.close()

    def _complete(self, stem: str) -> Iterator[Member]:
        held = self._waiting.pop(stem)
        leading = next((held[e] for e in _LEADING if e in held), None)
        places = [place for _, place in held.values()]
        if leading is None:
            self._clear(places)
            return
        yield from self._given(leading[0], leading[1], places)

    def _given(self, name: str, place: Path, places: list[Path]) -> Iterator[Member]:
        """The recording of a member, closed and cleared away afterwards."""
        recording = None
        try:
            try:
                if is_archive(place):
                    raise InputError("an archive in an archive", path=place, expected="a recording")
                recording = read(place, map=self._map, rate=self._rate)
            except InputError as error:
                yield Member(_shown(name), None, self._told(name, error, place))
                return
            except SettingsError as error:
                yield Member(_shown(name), None, InputError(str(error), path=f"{self._path}: {_shown(name)}"))
                return
            metadata = {**recording.metadata, "archive": str(self._path), "member": _shown(name)}
            yield Member(_shown(name), replace(recording, path=self._path, metadata=metadata), None)
        finally:
            if recording is not None:
                recording.close()
            self._clear(places)

    def _told(self, name: str, error: InputError, place: Path) -> InputError:
        """The error with the names that the user knows instead of those of the scratch files."""
        where, own = f"{self._path}: {_shown(name)}", _shown(PurePosixPath(name).stem)
        problem, expected = (text.replace(f"{place.stem}.", f"{own}.") for text in (error.problem, error.expected or ""))
        return InputError(problem, path=where, offset=error.offset, line=error.line, expected=expected or None)

    def _refused(self, name: str, reason: str) -> Member:
        where = f"{self._path}: {_shown(name)}"
        return Member(_shown(name), None, InputError(f"the member {reason}", path=where, expected="a file of a recording"))

    def _clear(self, places: list[Path]) -> None:
        for place in places:
            with contextlib.suppress(OSError):
                place.unlink()
