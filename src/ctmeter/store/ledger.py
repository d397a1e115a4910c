"""Register stores: one SQLite file of append-only, hash-chained tables and of current values, that move together, commit by commit.

Any SQLite tool reads it: each table has its own typed columns. `commits` has one row for each commit, chained like all others, which says
where every table ended; `heads` repeats the last of that. Nothing that is hashed tells the time, so a job that was interrupted and resumed
ends with the hash of one that was not. Who can write the file can also hash it anew: a change is evident to whoever kept a hash elsewhere.

One process writes, which a lock beside the file shows and the kernel ends with the process; any number reads.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import StoreError
from ._ledger_book import Book, Draft
from ._ledger_check import DAMAGE, Finding, load
from ._ledger_file import StoreFile, guard
from ._ledger_make import MIGRATIONS, SCHEMA_VERSION, Migration, make, migrate, number_of
from ._ledger_reader import Reading
from ._ledger_schema import COMMITS, STATE, TableSpec, json_text, named

__all__ = ["MIGRATIONS", "SCHEMA_VERSION", "Finding", "Ledger", "Migration", "TableSpec"]

Rows = Mapping[str, Sequence[Sequence[Any]]]
Steps = Mapping[int, Callable[[Migration], None]]


class Ledger(Reading):
    """A register store; made by `create` or `open`, and a context manager that closes it. It belongs to the thread that made it.

    Attributes
    ----------
    path : str
        Absolute, without symbolic links.
    readonly : bool
        Whether it was opened for reading.
    """

    def __init__(self, file: StoreFile) -> None:
        super().__init__(file)
        self._book: Book | None = None  # None: to be read from the file

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        tables: Sequence[TableSpec],
        meta: Mapping[str, str],
        *,
        exist_ok: bool = False,
        version: int = SCHEMA_VERSION,
        migrations: Steps = MIGRATIONS,
    ) -> Ledger:
        """Make a store, whole or not at all, and open it for writing.

        Parameters
        ----------
        path : path
            Its folder exists.
        tables : sequence of TableSpec
            Beside `meta`, `state`, `commits` and `heads`, which every store has.
        meta : mapping of str to str
            Facts that stay: the program, its version, when it was made. `schema_version` and `tables` are added.
        exist_ok : bool
            Open a store that exists; its tables are the same.
        version, migrations : int, mapping
            As of `open`.

        Raises
        ------
        StoreError
            It exists (errno EEXIST), is written by another (EBUSY), or cannot be written.
        ValueError
            Two tables of one name, or one that every store has.
        """
        specs = named(tables)
        place = os.path.realpath(path)
        file = StoreFile(place, readonly=False)
        try:
            if not os.path.lexists(place):
                with guard(place, True):
                    make(place, specs, meta, version)
            elif not exist_ok:
                raise StoreError(errno.EEXIST, "exists", place)
            ledger = cls(file)
            ledger._begin(version, migrations)
            if ledger._specs != specs:
                raise StoreError(errno.EEXIST, "exists, with other tables", place)
        except BaseException:
            file.close()
            raise
        return ledger

    @classmethod
    def open(cls, path: str | os.PathLike[str], readonly: bool = False, *, version: int = SCHEMA_VERSION, migrations: Steps = MIGRATIONS) -> Ledger:
        """Open a store.

        A writer takes the lock, brings an older store to `version`, and makes sure that the current tables and the last rows are those of
        the last commit. A reader needs no lock, sees each commit as soon as it is made, reads older stores as they are, and damaged ones
        as far as they go.

        Parameters
        ----------
        path : path
            The store.
        readonly : bool
            Open for reading.
        version : int
            Of the tables that the caller knows.
        migrations : mapping of int to callable
            What brings the tables of each older version to the next; gets a `Migration`.

        Raises
        ------
        StoreError
            No store (errno ENOENT), written by another process (EBUSY; names it), of a newer version (ENOTSUP), damaged (EIO), or not to be read.
        """
        place = os.path.realpath(path)
        if not os.path.isfile(place):
            raise StoreError(errno.ENOENT, "no such register store", os.fspath(path))
        file = StoreFile(place, readonly)
        try:
            ledger = cls(file)
            ledger._begin(version, migrations)
        except BaseException:
            file.close()
            raise
        return ledger

    def _begin(self, version: int, migrations: Steps) -> None:
        number = number_of(self.meta, self.path)
        if number > version:
            raise StoreError(errno.ENOTSUP, f"has schema version {number}, this program knows {version}: a newer one is needed", self.path)
        if self.readonly:
            self._specs = self._read_specs()
            return
        book = self._current_book()
        if number < version:
            with guard(self.path):
                draft, book = migrate(self._file.db, self.path, book, self.meta, version, migrations)
            self._file.run(draft.statements)
            self._book = book
        self._specs = dict(book.specs)

    def _current_book(self) -> Book:
        """What the last commit left; read and proved where it is not known."""
        if self._book is None:
            self._specs = self._read_specs()
            try:
                with guard(self.path):
                    book, findings = load(self._file.db)
            except DAMAGE as error:
                raise StoreError(errno.EIO, f"is damaged: {error}; check it", self.path) from None
            if findings:
                first = findings[0]
                raise StoreError(errno.EIO, f"is not as it was committed: {first.place}: {first.what}; check it", self.path)
            self._book = book
        return self._book

    def commit(
        self, appends: Rows | None = None, current: Rows | None = None, trims: Mapping[str, int] | None = None, state: Mapping[str, Any] | None = None
    ) -> int:
        """Write one commit: all of it, on the medium when this returns, or nothing.

        Parameters
        ----------
        appends : mapping of str to sequence of tuple
            Rows for append-only tables, values in the order of the columns.
        current : mapping of str to sequence of tuple
            Rows for current tables; each replaces the one with its key.
        trims : mapping of str to int
            How many of the newest rows of an append-only table remain.
        state : mapping of str to JSON value
            Values of `state` to be replaced.

        Returns
        -------
        int
            The number of the commit; that of the last one where nothing changed.

        Raises
        ------
        StoreError
            A row does not fit its table (errno EINVAL); the disk is full (ENOSPC), input or output fails (EIO), another program holds the file
            locked (EBUSY), or it was opened for reading (EROFS). The last commit then stands and the same can be tried again. After any other
            exception, such as an interrupt, `last_commit` tells whether the commit was made.
        """
        if self.readonly:
            raise StoreError(errno.EROFS, "cannot be written: it was opened for reading", self.path)
        book = self._current_book()
        draft = Draft(book, self.path)
        for name, rows in (appends or {}).items():
            draft.append(draft.spec(name, "append"), rows)
        for name, rows in (current or {}).items():
            draft.replace(draft.spec(name, "current"), rows)
        if state:
            draft.replace(STATE, [(key, self._json(key, value)) for key, value in state.items()])
        for name, keep in (trims or {}).items():
            draft.trim(draft.spec(name, "append"), keep)
        if draft.changed:
            after = draft.finish()
            self._book = None  # until it is known that the commit was made
            self._file.run(draft.statements)
            self._book = book = after
        return book.heads[COMMITS.name].last

    def _json(self, key: str, value: Any) -> str:
        try:
            return json_text(value)
        except (TypeError, ValueError) as error:
            raise StoreError(errno.EINVAL, f"state {key!r}: {error}", self.path) from None
