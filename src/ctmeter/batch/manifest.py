"""What a batch remembers from one run to the next: the scan and the state of each source, and what the data set was made of.

A SQLite database `manifest.db` in the folder of the results, of each shard one of its own. It has one writer, whose lock ends with its process.
Writes are gathered into a commit for a fraction of a second; what is lost when the program is killed costs a look at partials that are there,
nothing more.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import msgspec
import numpy as np

from ..errors import StoreError
from ..readers import is_url, remote
from ..store._ledger_file import StoreFile, connect, guard
from .work import Point, Scan, Source

__all__ = ["FORMAT", "Entry", "Manifest", "State", "manifest_name"]

#: `PRAGMA user_version`; a program does not write into manifests of a higher one.
FORMAT = 1
#: `PRAGMA application_id`: "ctmb".
APPLICATION = 0x63746D62
KIND = "batch manifest"
#: Seconds for which writes are gathered.
GATHERED = 0.25

State = Literal["waiting", "done", "failed", "quarantined", "skipped"]
_STATES = get_args(State)
_TABLES = (
    "CREATE TABLE sources (name TEXT NOT NULL, member TEXT NOT NULL, identity TEXT NOT NULL, scan BLOB, state TEXT NOT NULL,"
    " reason TEXT NOT NULL, attempts INTEGER NOT NULL, PRIMARY KEY (name, member)) WITHOUT ROWID",
    "CREATE INDEX states ON sources (state)",
    "CREATE TABLE folds (path TEXT PRIMARY KEY, mark TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)
_REMEMBER = """
    INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        attempts = excluded.attempts + CASE WHEN identity = excluded.identity THEN attempts ELSE 0 END,
        identity = excluded.identity, scan = excluded.scan, state = excluded.state, reason = excluded.reason"""
#: Of the digest before a packed scan.
_DIGEST = 8
#: Tuples, and text that UTF-8 cannot hold.
_TUPLE, _HALVES = 1, 2


@dataclass(frozen=True)
class Entry:
    """What stands of a source.

    Parameters
    ----------
    name, member : str
        Of the source.
    state : {"waiting", "done", "failed", "quarantined", "skipped"}
    reason : str
        Why it failed; "" where it did not.
    attempts : int
        How often it was tried.
    """

    name: str
    member: str
    state: State
    reason: str
    attempts: int


def manifest_name(shard: tuple[int, int] | None = None) -> str:
    """Name of the file, of shard k of n too."""
    return "manifest.db" if shard is None else f"manifest-{shard[0]}-of-{shard[1]}.db"


class Manifest:
    """The manifest of a batch.

    Parameters
    ----------
    out : path
        Folder of the results; made where it is not there.
    shard : (int, int), optional
        Number of the shard, from 1, and how many there are.
    readonly : bool
        Without the lock, and without changing anything.

    Raises
    ------
    StoreError
        It cannot be read or written, is damaged, was made by a later program, is held by another process (errno EBUSY, names it), or, for
        reading, is not there (ENOENT).
    """

    def __init__(self, out: str | os.PathLike[str], shard: tuple[int, int] | None = None, readonly: bool = False) -> None:
        folder = Path(out)
        self.path = str(folder / manifest_name(shard))
        self._since = 0.0
        if readonly:
            if not os.path.exists(self.path):
                raise StoreError(errno.ENOENT, f"no {KIND} is there", self.path)
        else:
            with guard(self.path, True, KIND):
                folder.mkdir(parents=True, exist_ok=True)
        self._file = StoreFile(self.path, readonly, APPLICATION, KIND)
        try:
            self._open(readonly)
        except BaseException:
            self._file.close()
            raise

    def _open(self, readonly: bool) -> None:
        with guard(self.path, not readonly, KIND):
            if not readonly:
                _make(self.path)
            found = self._file.db.execute("PRAGMA user_version").fetchone()[0]
            if found > FORMAT:
                raise _unusable(self.path, f"was made by a later ctmeter: format {found}, expected {FORMAT} or less", not readonly)
            self._file.db.execute("SELECT count(*) FROM sources, folds, meta WHERE 0").fetchone()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit, close the file, give up the lock."""
        try:
            self.flush()
        finally:
            self._file.close()

    def flush(self) -> None:
        """Bring what was written to the medium now."""
        if not self._file.closed and not self._file.readonly:
            with self._writing() as db:
                if db.in_transaction:
                    db.execute("COMMIT")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The connection; after an error the last commit stands."""
        with guard(self.path, True, KIND):
            try:
                yield self._file.db
            except BaseException:
                self._file.undo()
                raise

    def _write(self, *statements: tuple[str, Sequence[Sequence[Any]]]) -> int:
        """Carry out statements, each once for each of its rows; they belong together. Gives the rows they changed."""
        with self._writing() as db:
            if not db.in_transaction:
                db.execute("BEGIN IMMEDIATE")
                self._since = time.monotonic()
            changed = sum(db.executemany(sql, [[*map(_kept, row)] for row in rows]).rowcount for sql, rows in statements if rows)
            if time.monotonic() - self._since > GATHERED:
                db.execute("COMMIT")
        return changed

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with guard(self.path, False, KIND):
            return self._file.db.execute(sql, [*map(_kept, values)]).fetchall()

    # ---- sources

    def scan(self, source: Source, identity: str) -> Scan | None:
        """The remembered scan of a source, None where there is none of this identity.

        Parameters
        ----------
        source : Source
            As found now; it stands in the scan, wherever the folder stood before.
        identity : str
            Digest of all that the scan depends on.
        """
        found = self._read("SELECT scan FROM sources WHERE name = ? AND member = ? AND identity = ?", (source.name, source.member, identity))
        if not found or found[0][0] is None:
            return None
        try:
            return replace(_unpacked(found[0][0], self.path), source=source)
        except TypeError:  # a scan of other fields, by another state of the program: it is looked at again
            return None

    def scans(self) -> Iterator[Scan]:
        """The remembered scans of all sources as they were found then, of whatever identity."""
        for (packed,) in self._read("SELECT scan FROM sources WHERE scan IS NOT NULL ORDER BY name, member"):
            with suppress(TypeError):  # a scan of other fields, by another state of the program
                yield _unpacked(packed, self.path)

    def remember(self, scan: Scan, identity: str) -> None:
        """Keep a scan; its source is waiting then, or failed, or skipped, as the scan says. Attempts count on while the identity is the same."""
        state = "skipped" if scan.skipped else "failed" if scan.failure else "waiting"
        row = (scan.source.name, scan.source.member, identity, _packed(scan), state, scan.failure, int(state != "waiting"))
        self._write((_REMEMBER, [row]))

    def mark(self, sources: Sequence[Source], state: State, reason: str = "") -> None:
        """Say what became of sources that were tried.

        Raises
        ------
        ValueError
            No such state, or a source whose scan was not remembered.
        """
        if state not in _STATES:
            raise ValueError(f"state {state!r}, expected one of {', '.join(_STATES)}")
        rows = [(state, reason, s.name, s.member) for s in sources]
        if self._write(("UPDATE sources SET state = ?, reason = ?, attempts = attempts + 1 WHERE name = ? AND member = ?", rows)) != len(rows):
            raise ValueError(f"no scan is remembered of one of {[s.name for s in sources]}")

    def entries(self, *states: State) -> list[Entry]:
        """Sources in some states, or all of them, by name."""
        wanted = states or _STATES
        marks = ", ".join("?" * len(wanted))
        rows = self._read(f"SELECT name, member, state, reason, attempts FROM sources WHERE state IN ({marks}) ORDER BY name, member", wanted)
        return [Entry(_said(name), _said(member), state, _said(reason), attempts) for name, member, state, reason, attempts in rows]

    def retry(self, *states: State) -> int:
        """Have sources that failed or were quarantined, or are in the given states, scanned and tried again; how many there are."""
        rows = [(state,) for state in states or ("failed", "quarantined")]
        return self._write(("UPDATE sources SET state = 'waiting', reason = '', scan = NULL WHERE state = ?", rows))

    def forget(self, sources: Sequence[tuple[str, str]]) -> None:
        """Drop sources, given by name and member, that are no more."""
        self._write(("DELETE FROM sources WHERE name = ? AND member = ?", list(sources)))

    # ---- the data set, and facts of the batch

    def folds(self) -> dict[str, str]:
        """Files of the data set with the marks of what they were made of."""
        return dict(self._read("SELECT path, mark FROM folds ORDER BY path"))

    def set_folds(self, marks: Mapping[str, str]) -> None:
        """Replace all marks of the data set's files."""
        gone = [(path,) for path in self.folds() if path not in marks]
        self._write(("DELETE FROM folds WHERE path = ?", gone), ("INSERT OR REPLACE INTO folds VALUES (?, ?)", list(marks.items())))

    @property
    def meta(self) -> dict[str, str]:
        """Facts of the batch."""
        return dict(self._read("SELECT name, value FROM meta ORDER BY name"))

    def set_meta(self, **facts: str) -> None:
        """Add or replace facts of the batch, such as the version of the program."""
        self._write(("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(facts.items())))


def _unusable(path: str, why: str, writing: bool) -> StoreError:
    made = StoreError(errno.EIO, why, path)
    made.writing = writing
    return made


def _make(path: str) -> None:
    """Make the tables where the file is new, or was left before it had any."""
    db = connect(path, "rwc")
    try:
        db.execute("PRAGMA synchronous=FULL")
        db.execute("BEGIN IMMEDIATE")
        new = not any(db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if new and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in (*_TABLES, f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {FORMAT}"):
                db.execute(statement)
        db.execute("COMMIT")
    finally:
        db.close()


def _halves(text: str) -> bytes | None:
    """Text that UTF-8 cannot hold, as names of files in no known encoding are, as bytes; None where it can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return None


def _kept(value: Any) -> Any:
    """A value as SQLite keeps it."""
    return value if not isinstance(value, str) or value.isascii() else _halves(value) or value


def _said(value: str | bytes) -> str:
    """The inverse of `_kept`, of text."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def _packed(scan: Scan) -> bytes:
    """A scan as bytes, behind a digest of them."""
    values = {f.name: getattr(scan, f.name) for f in fields(Scan)}
    source = scan.source
    # what signs a URL is nobody's business who is given the results
    parts = tuple((remote.shown(uri) if is_url(uri) else uri, size, version) for uri, size, version in source.parts)
    source = replace(source, uri=remote.shown(source.uri) if is_url(source.uri) else source.uri, parts=parts)
    values["source"] = {f.name: getattr(source, f.name) for f in fields(Source)}
    values["points"] = tuple({f.name: getattr(point, f.name) for f in fields(Point)} for point in scan.points)
    data = msgspec.msgpack.encode(_tagged(values))
    return hashlib.blake2b(data, digest_size=_DIGEST).digest() + data


def _unpacked(packed: bytes, path: str) -> Scan:
    data = packed[_DIGEST:]
    if hashlib.blake2b(data, digest_size=_DIGEST).digest() != packed[:_DIGEST]:
        raise StoreError(errno.EIO, "is damaged: the scan of a source is not what was written", path)
    values = msgspec.msgpack.decode(data, ext_hook=_untagged)
    values["source"] = Source(**values["source"])
    values["points"] = tuple(Point(**point) for point in values["points"])
    return Scan(**values)


def _tagged(value: Any) -> Any:
    """Plain values with tuples kept apart from lists."""
    if isinstance(value, tuple):
        return msgspec.msgpack.Ext(_TUPLE, msgspec.msgpack.encode([_tagged(v) for v in value]))
    if isinstance(value, Mapping):
        return {k: _tagged(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_tagged(v) for v in value]
    if isinstance(value, str):
        halves = None if value.isascii() else _halves(value)
        return value if halves is None else msgspec.msgpack.Ext(_HALVES, halves)
    return value.item() if isinstance(value, np.generic) else value


def _untagged(code: int, data: memoryview) -> Any:
    if code == _HALVES:
        return bytes(data).decode("utf-8", "surrogatepass")
    return tuple(msgspec.msgpack.decode(data, ext_hook=_untagged))
