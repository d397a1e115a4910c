"""The file of a store in SQLite: its lock, its connection, and the errors of both as `StoreError`."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ..errors import StoreError, unwritable
from ._ledger_schema import APPLICATION

__all__ = ["BUSY", "StoreFile", "carry_out", "connect", "guard", "lock_store"]

#: Seconds to wait for other programs that hold SQLite's own locks.
BUSY = 5.0

_CODES = {  # primary result codes of SQLite
    sqlite3.SQLITE_FULL: (errno.ENOSPC, "the disk is full"),
    sqlite3.SQLITE_IOERR: (errno.EIO, "input/output error"),
    sqlite3.SQLITE_READONLY: (errno.EROFS, "it, or its file -wal or -shm, is read-only here"),
    sqlite3.SQLITE_BUSY: (errno.EBUSY, f"another program that is not ctmeter holds it locked (waited {BUSY:g} s)"),
    sqlite3.SQLITE_LOCKED: (errno.EBUSY, "it is locked within this program"),
    sqlite3.SQLITE_CANTOPEN: (errno.EIO, "it, or a file that belongs to it, cannot be opened"),
    sqlite3.SQLITE_PERM: (errno.EACCES, "permission denied"),
    sqlite3.SQLITE_CORRUPT: (errno.EIO, "it is damaged"),
    sqlite3.SQLITE_NOTADB: (errno.EIO, "it is damaged, or no {kind}"),
}


def reason(error: BaseException, kind: str = "register store") -> tuple[int, str]:
    """The errno and the words for an error of SQLite."""
    code = getattr(error, "sqlite_errorcode", None)
    number, words = _CODES.get((code or 0) & 0xFF, (errno.EIO, "SQLite refuses"))
    words = words.replace("{kind}", kind)
    if isinstance(error, MemoryError):
        number, words = errno.ENOMEM, "out of memory, which damage can cause too"
    elif isinstance(error, UnicodeError):
        words = "it is damaged, a text is not UTF-8"
    detail = " ".join(str(x) for x in (getattr(error, "sqlite_errorname", ""), error) if str(x))
    return number, f"{words} ({detail})" if detail else words


@contextmanager
def guard(path: str, writing: bool = False, kind: str = "register store") -> Iterator[None]:
    """Turn what SQLite and the operating system raise into `StoreError` that names the store."""
    try:
        yield
    except StoreError:
        raise
    except (sqlite3.Error, MemoryError, UnicodeError) as error:
        number, words = reason(error, kind)
        made = StoreError(number, f"cannot be {'written' if writing else 'read'}: {words}", path)
        made.writing = writing
        raise made from error
    except OSError as error:
        if writing:
            raise unwritable(error, path) from error
        raise StoreError(error.errno or errno.EIO, f"cannot be read: {error.strerror or error}", path) from error


def connect(path: str, mode: str) -> sqlite3.Connection:
    """Open the database; `mode` is "ro", "rw" or "rwc".

    A reader on a medium or in a folder that cannot be written cannot have the shared memory of SQLite's write-ahead log; where there is no log
    either, nobody is writing and the file is read as it lies.
    """
    name = "file:" + quote(path)
    db = sqlite3.connect(f"{name}?mode={mode}", timeout=BUSY, isolation_level=None, uri=True)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        log = f"{path}-wal"
        if mode != "ro" or error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        if os.path.exists(log) and os.path.getsize(log):
            raise StoreError(errno.EROFS, f"cannot be read here: {log} holds commits; copy both to a folder that can be written", path) from error
        return sqlite3.connect(f"{name}?mode=ro&immutable=1", timeout=BUSY, isolation_level=None, uri=True)
    except BaseException:
        db.close()
        raise
    return db


def carry_out(db: sqlite3.Connection, statements: Iterable[tuple[str, Sequence[Sequence[Any]]]]) -> None:
    """Run each statement once for each of its rows."""
    for sql, rows in statements:
        db.executemany(sql, rows) if rows != [()] else db.execute(sql)


def program() -> str:
    """What this process is to its user."""
    folder, name = os.path.split(sys.argv[0])
    name = os.path.basename(folder) if name == "__main__.py" else name
    return "python" if name in ("", "-c", "-m") else name


def holder(text: str) -> str:
    """Who holds a lock, in words."""
    try:
        who = json.loads(text)
        since = f" since {who['since']}" if "since" in who else ""  # earlier versions did not say
        return f"{who['program']}, process {who['pid']} on {who['host']}{since}"
    except (ValueError, TypeError, KeyError):
        return "another process"


def lock_store(path: str) -> int:
    """Become the one writer of a store; gives the descriptor that holds the lock, which the kernel releases with the process.

    Raises
    ------
    StoreError
        Another holds it (errno EBUSY; names who), or the file of the lock cannot be written.
    """
    place = f"{path}.lock"
    while True:
        fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                who = holder(os.pread(fd, 4096, 0).decode("utf-8", "replace"))
                raise StoreError(errno.EBUSY, f"is being written by {who}", path) from None
            if _same(fd, place):  # else the writer before has just removed it
                os.ftruncate(fd, 0)
                since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                us = {"program": program(), "pid": os.getpid(), "host": socket.gethostname(), "since": since}
                os.pwrite(fd, json.dumps(us).encode(), 0)
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _same(fd: int, place: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(place))
    except FileNotFoundError:
        return False


class StoreFile:
    """A store's lock, where it writes, and its connection, which is made anew after a failure it cannot recover from.

    Parameters
    ----------
    path : str
        The store.
    readonly : bool
        Without the lock.
    application : int
        `PRAGMA application_id` that its file has.
    kind : str
        What the file is, for messages.
    """

    def __init__(self, path: str, readonly: bool, application: int = APPLICATION, kind: str = "register store") -> None:
        self.path, self.readonly, self.kind = path, readonly, kind
        self._application = application
        self.closed = False
        self._pid = os.getpid()
        self._db: sqlite3.Connection | None = None
        with guard(path, not readonly, kind):
            self._lock = None if readonly else lock_store(path)

    @property
    def db(self) -> sqlite3.Connection:
        """The connection; errors are those of SQLite."""
        if self.closed:
            raise StoreError(errno.EBADF, "is closed", self.path)
        if self._db is None:
            db = connect(self.path, "ro" if self.readonly else "rw")
            try:
                if db.execute("PRAGMA application_id").fetchone()[0] != self._application:  # before anything is changed
                    raise StoreError(errno.EIO, f"is no {self.kind} of ctmeter, or its header is damaged", self.path)
                if not self.readonly:
                    mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                    if mode != "wal":
                        raise StoreError(
                            errno.ENOTSUP, f"cannot be written: its journal is {mode!r}, expected 'wal', which the folder may not allow", self.path
                        )
                    db.execute("PRAGMA synchronous=FULL")
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def run(self, statements: Iterable[tuple[str, Sequence[Sequence[Any]]]]) -> None:
        """Carry out all statements in one transaction, or none."""
        with guard(self.path, True, self.kind):
            db = self.db
            try:
                db.execute("BEGIN IMMEDIATE")
                carry_out(db, statements)
                db.execute("COMMIT")
            except BaseException:
                self.undo()
                raise

    def undo(self) -> None:
        """Leave a failed transaction; where even that fails, drop the connection, whose lock on the file ends with it."""
        db = self._db
        try:
            if db is not None and db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.Error:
            self._drop()

    def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def close(self) -> None:
        """Close the file and give up the lock."""
        if self.closed or os.getpid() != self._pid:  # a fork has neither
            return
        self.closed = True
        try:
            with guard(self.path, not self.readonly, self.kind):
                self._drop()
        finally:
            if self._lock is not None:
                try:
                    os.unlink(f"{self.path}.lock")
                except OSError:  # the lock goes all the same, the file is of no matter
                    pass
                finally:
                    os.close(self._lock)
