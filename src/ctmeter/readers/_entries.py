"""What zip and tar archives hold: their entries one after the other, or, where one is asked for after another, each where it lies."""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from ..errors import InputError, SettingsError
from ._unpacked import Budget, Limits, Unpacked, lacks_room, packing

__all__ = ["DAMAGE", "MEMBER_DAMAGE", "Entry", "Opened", "entries", "is_archive", "opened", "scratch", "scratch_in", "stem_of"]

_MAX_NAME = 1024
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
#: Bytes of a zip's directory for each member, at most.
_ENTRY = 46 + 2 * _MAX_NAME
#: What the libraries raise on damaged bytes: of one member, and of the whole archive.
MEMBER_DAMAGE = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError)
DAMAGE = (*MEMBER_DAMAGE, tarfile.TarError, OSError, ValueError, OverflowError)
#: Bytes of a header of a tar member that holds its name.
_MAX_HEADER = 64 << 10
_LONG_HEADER = "a header of"
_BLOCK = 1 << 18
#: Archives that are kept open.
_KEPT = 2
#: Where scratch files are made instead, inside `scratch_in`.
_place: ContextVar[str | None] = ContextVar("scratch", default=None)


class Entry(NamedTuple):
    """A member of an archive, of whatever kind: its name, its bytes as declared, why it is refused, and its bytes, counted by a budget."""

    name: str
    size: int
    refused: str
    open: Any


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive, by its content; NPZ, which is a zip, counts as what it is."""
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return path.suffix.lower() != ".npz"
    return _is_tar(head) or bool(packing(head))


def stem_of(name: str) -> tuple[str, str]:
    """Name without ending, and ending, both folded as CFG and DAT find each other."""
    ending = PurePosixPath(name).suffix.lower()
    return name[: len(name) - len(ending)].casefold(), ending


def scratch() -> str | None:
    """Where scratch files are made; None: wherever the system does.

    Raises
    ------
    SettingsError
        CTMETER_SCRATCH names no folder that can be written to.
    """
    if (chosen := _place.get()) is not None:
        return chosen
    place = os.environ.get("CTMETER_SCRATCH") or None
    if place is not None and not (os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK)):
        raise SettingsError(f"CTMETER_SCRATCH: {place}, expected a folder that can be written to")
    return place


@contextmanager
def scratch_in(place: str) -> Iterator[None]:
    """Inside, scratch files of this thread are made in another folder."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def entries(path: Path, limits: Limits, budget: Budget) -> Iterator[Entry]:
    """The entries of an archive in its order, each to be opened before the next one is asked for."""
    with open(path, "rb") as file:
        head = file.read(512)
        file.seek(0)
        if head.startswith(b"PK"):
            yield from _zip(path, file, limits)
        else:
            yield from _tar(path, Unpacked(file, packing(head), budget), limits, packing(head))


def _is_tar(head: bytes) -> bool:
    return len(head) == 512 and head[257:262] == b"ustar"


def _zip(path: Path, file: IO[bytes], limits: Limits) -> Iterator[Entry]:
    _check_directory(path, file, limits)
    with zipfile.ZipFile(file) as archive:
        yield from _zipped(path, archive, limits)


def _zipped(path: Path, archive: zipfile.ZipFile, limits: Limits) -> Iterator[Entry]:
    infos = archive.infolist()
    if len(infos) > limits.members:
        raise _too_many(path, limits)
    for info in infos:
        if info.is_dir():
            continue
        mode = info.external_attr >> 16
        refused = "is encrypted" if info.flag_bits & 1 else ""
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            refused = "is a link or a device"

        def unpacked(budget: Budget, info: zipfile.ZipInfo = info) -> Any:
            return _Counted(archive.open(info), budget)

        yield Entry(info.filename, info.file_size, refused, unpacked)


def _check_directory(path: Path, file: IO[bytes], limits: Limits) -> None:
    """Refuse a directory of too many members before it is read into memory."""
    size = file.seek(0, 2)
    start = max(size - 65_557, 0)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise InputError("no directory at the end of the zip archive", path=path, offset=size, expected="a whole archive")
    count, length = int.from_bytes(tail[at + 10 : at + 12], "little"), int.from_bytes(tail[at + 12 : at + 16], "little")
    if tail[max(at - 20, 0) :][:4] == _LOCATOR64:
        file.seek(min(int.from_bytes(tail[at - 12 : at - 4], "little"), size))
        wide = file.read(56)
        if wide[:4] == _END64:
            count, length = int.from_bytes(wide[32:40], "little"), int.from_bytes(wide[40:48], "little")
    if count > limits.members or length > limits.members * _ENTRY:
        raise _too_many(path, limits)
    file.seek(0)


def _too_many(path: Path, limits: Limits) -> InputError:
    return InputError(f"more than {limits.members} members", path=path, expected="fewer, or higher limits")


class _TarInfo(tarfile.TarInfo):
    """A header of a tar member; remembers what was wrong with the last one, over which `tarfile` passes in silence."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        # headers that hold names and attributes are read into memory
        if not (self.isreg() or self.isdir() or self.islnk() or self.issym() or self.isdev()) and self.size > _MAX_HEADER:
            raise tarfile.ReadError(f"{_LONG_HEADER} {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Any:
        """The next header."""
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            archive.damage = "" if type(error).__name__ == "EOFHeaderError" else str(error)  # type: ignore[attr-defined]
            raise


def _tar(path: Path, stream: Unpacked, limits: Limits, packed: str) -> Iterator[Entry]:
    try:
        opened = tarfile.open(fileobj=stream, mode="r|", tarinfo=_TarInfo)  # noqa: SIM115 - closed below
    except tarfile.ReadError as error:
        if not packed or str(error).startswith(_LONG_HEADER):
            raise
        where = "the recording unpacked, or in a tar or zip archive"
        raise InputError(f"packed by {packed}, but no tar archive", path=path, expected=where) from None
    with opened as archive:
        for info, refused in _infos(path, archive, limits):

            def unpacked(_: Budget, info: tarfile.TarInfo = info) -> Any:  # counted by the stream
                return archive.extractfile(info)

            yield Entry(info.name, info.size, refused, unpacked)


def _infos(path: Path, archive: tarfile.TarFile, limits: Limits) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The headers of files, and why one is refused."""
    for count, info in enumerate(archive):
        if count >= limits.members:
            raise _too_many(path, limits)
        if info.isdir():
            continue
        refused = "" if info.isreg() else "is a link or a device"
        # the holes of a sparse file cost nothing to write in an archive, and everything to unpack
        yield info, "is sparse" if info.issparse() else refused
    if getattr(archive, "damage", ""):
        raise tarfile.ReadError(archive.damage)  # type: ignore[attr-defined]


class _Counted:
    """A member whose bytes are counted while they are unpacked."""

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        self._file, self._budget = file, budget

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._budget.spend(len(data))
        return data

    def close(self) -> None:
        self._file.close()


class _Slice:
    """A member of a tar archive where it lies."""

    def __init__(self, file: IO[bytes], info: tarfile.TarInfo) -> None:
        self._file, self._at, self._left = file, info.offset_data, info.size

    def read(self, size: int) -> bytes:
        # whoever reads another member at the same time has no place in common with this one
        data = os.pread(self._file.fileno(), min(size, self._left), self._at)
        if self._left and not data:
            raise tarfile.ReadError("unexpected end of data")
        self._at, self._left = self._at + len(data), self._left - len(data)
        return data

    def close(self) -> None:
        """Nothing: the archive stays open."""


class Opened:
    """An archive whose members are asked for one by one in any order; each of them is found without reading those before it.

    A packed tar archive is unpacked once, into a scratch file without a name.

    Parameters
    ----------
    path : Path
    limits : Limits

    Raises
    ------
    InputError
        It asks for more than the limits.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._by_stem: dict[str, list[Entry]] = {}
        #: What ended it early; what comes before the damage is there.
        self.damage: Exception | None = None
        with ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(open(path, "rb"))
            head = file.read(512)
            file.seek(0)
            try:
                self._fill(file, head, limits, stack)
            except DAMAGE as error:
                if isinstance(error, InputError) or lacks_room(error):
                    raise
                self.damage = error
            weakref.finalize(self, stack.pop_all().close)

    def _fill(self, file: IO[bytes], head: bytes, limits: Limits, stack: ExitStack) -> None:
        if head.startswith(b"PK"):
            _check_directory(self._path, file, limits)
            for entry in _zipped(self._path, stack.enter_context(zipfile.ZipFile(file)), limits):
                self._note(entry)
            return
        cause: Exception | None = None
        if kind := packing(head):
            file, cause = self._unpacked(Unpacked(file, kind, Budget(self._path, limits, scratch() or tempfile.gettempdir())), stack)
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_TarInfo) as archive:
            for info, refused in _infos(self._path, archive, limits):
                self._note(Entry(info.name, info.size, refused, lambda _, info=info: _Slice(file, info)))
        if cause is not None:
            raise cause

    def _unpacked(self, stream: Unpacked, stack: ExitStack) -> tuple[IO[bytes], Exception | None]:
        """The archive as it is without packing, as far as that goes, and what ended it early."""
        out: IO[bytes] = stack.enter_context(tempfile.TemporaryFile(prefix="ctmeter-", dir=scratch()))  # noqa: SIM115
        cause: Exception | None = None
        try:
            while block := stream.read(_BLOCK):
                out.write(block)
        except DAMAGE as error:
            if isinstance(error, InputError) or lacks_room(error):
                raise
            cause = error
        out.seek(0)
        return out, cause

    def _note(self, entry: Entry) -> None:
        self._by_stem.setdefault(stem_of(entry.name)[0], []).append(entry)

    def of(self, name: str) -> list[Entry]:
        """The entries of the stem of a name, in the order of the archive.

        Raises
        ------
        Exception
            One of `DAMAGE`: there is none, and the archive is damaged.
        """
        found = self._by_stem.get(stem_of(name)[0], [])
        if not found and self.damage is not None:
            raise self.damage
        return found


_held: OrderedDict[tuple[Path, int, int, Limits], Opened] = OrderedDict()
_lock = threading.Lock()


def opened(path: Path, limits: Limits) -> Opened:
    """An archive, kept open for the next time as long as it does not change."""
    status = path.stat()
    key = (path, status.st_mtime_ns, status.st_size, limits)
    with _lock:
        found = _held.pop(key, None)
        if found is None:
            while len(_held) >= _KEPT:
                _held.popitem(last=False)
            found = Opened(path, limits)
        _held[key] = found
        return found
