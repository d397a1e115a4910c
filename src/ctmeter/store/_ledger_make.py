"""Making a register store, and bringing the tables of an older one to what this program knows."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..errors import StoreError
from ._ledger_book import Book, Draft, Head
from ._ledger_file import carry_out, connect
from ._ledger_schema import APPLICATION, BUILTIN, HEADS, META, TableSpec, named, specs_text

__all__ = ["MIGRATIONS", "SCHEMA_VERSION", "Migration", "make", "migrate", "number_of"]

#: Version of the tables where whoever opens a store names no version of its own.
SCHEMA_VERSION = 1


class Migration:
    """What one step of a migration may do; all steps and the row of their commit are one transaction.

    Attributes
    ----------
    meta : dict of str to str
        The facts of the file, to be changed in place.
    """

    def __init__(self, db: sqlite3.Connection, draft: Draft, meta: dict[str, str]) -> None:
        self._db, self._draft, self.meta = db, draft, meta

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """All rows of a table as they were before the migration, without `seq`."""
        spec = self._draft.specs[table]
        return self._db.execute(spec.select(spec.names) + spec.order).fetchall()

    def add_table(self, spec: TableSpec) -> None:
        """A new, empty table."""
        self._draft.add(named([*(s for s in self._draft.specs.values() if s not in BUILTIN), spec])[spec.name])

    def put(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows, or replace rows of a current table by their key."""
        spec = self._draft.specs[table]
        (self._draft.append if spec.kind == "append" else self._draft.replace)(spec, rows)

    def replace_table(self, spec: TableSpec, rows: Iterable[Sequence[Any]]) -> None:
        """Another description of a table of the same name and kind, with its rows converted, in order; they keep their `seq` and are chained anew."""
        old, head = self._draft.specs[spec.name], self._draft.heads[spec.name]
        if old in BUILTIN or old.kind != spec.kind:
            raise ValueError(f"table {spec.name}: cannot be replaced by one of kind {spec.kind!r}")
        self._draft.statements.append((f'DROP TABLE "{spec.name}"', [()]))
        self._draft.add(spec)
        if spec.kind == "append":
            self._draft.heads[spec.name] = Head(head.first, head.first - 1, spec.digest)
        self.put(spec.name, rows)
        if self._draft.heads[spec.name].last != head.last:
            raise ValueError(f"table {spec.name}: expected all rows from {head.first} to {head.last}")


#: By the version they start from: functions that bring a store to the next version.
MIGRATIONS: dict[int, Callable[[Migration], None]] = {}


def number_of(meta: Mapping[str, str], path: str) -> int:
    """The version of a store's tables."""
    try:
        return int(meta["schema_version"])
    except (KeyError, ValueError, TypeError):
        raise StoreError(errno.EIO, "is damaged: meta has no schema_version", path) from None


def describe(draft: Draft, meta: Mapping[str, str], version: int) -> None:
    """Write the facts of the file, with the version and the descriptions of its tables."""
    tables = specs_text(s for s in draft.specs.values() if s not in BUILTIN)
    draft.replace(META, sorted({**meta, "schema_version": str(version), "tables": tables}.items()))
    draft.statements.append((f"PRAGMA user_version = {version}", [()]))


def migrate(
    db: sqlite3.Connection, path: str, book: Book, meta: dict[str, str], version: int, steps: Mapping[int, Callable[[Migration], None]]
) -> tuple[Draft, Book]:
    """Put the commit together that brings a store to `version`.

    Raises
    ------
    StoreError
        A step is missing.
    """
    draft = Draft(book, path)
    for number in range(number_of(meta, path), version):
        if number not in steps:
            raise StoreError(errno.ENOTSUP, f"has schema version {number}, and nothing is known that brings it to {number + 1}", path)
        steps[number](Migration(db, draft, meta))
    describe(draft, meta, version)
    return draft, draft.finish()


def make(place: str, specs: Mapping[str, TableSpec], meta: Mapping[str, str], version: int) -> None:
    """A new store, made under another name so that an interruption leaves none that is half made; the lock is held."""
    if os.path.exists(f"{place}-wal") and os.path.getsize(f"{place}-wal"):
        raise StoreError(errno.EEXIST, "the write-ahead log of another store lies in its place, put both back or remove it", f"{place}-wal")
    folder, name = os.path.split(place)
    partial = os.path.join(folder, f".{name}.partial")
    leftovers = [partial + end for end in ("", "-journal", "-wal", "-shm")]
    for path in leftovers:
        with suppress(FileNotFoundError):
            os.unlink(path)
    try:
        draft = Draft(Book({}, {}), place)
        draft.statements.append((HEADS, [()]))
        for spec in specs.values():
            draft.add(spec)
        describe(draft, meta, version)
        draft.finish()
        db = connect(partial, "rwc")
        try:
            db.execute("PRAGMA synchronous=FULL")
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute("BEGIN IMMEDIATE")
            carry_out(db, draft.statements)
            db.execute("COMMIT")  # with a rollback journal: all is in the one file that is renamed, the log begins when it is opened
        finally:
            db.close()
        _sync(partial)
        os.rename(partial, place)
        leftovers.append(place)  # until it is known that it stays there
        _sync(folder)
    except BaseException:
        for path in leftovers:
            with suppress(FileNotFoundError):
                os.unlink(path)
        raise


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
