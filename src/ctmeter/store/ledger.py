"""Register stores: one SQLite file of append-only, hash-chained tables and of current values, that move together, commit by commit.

Any SQLite tool reads it: each table has its own typed columns. `commits` has one row for each commit, chained like all others, which says
where every table ended; `heads` repeats the last of that. Nothing that is hashed tells the time, so a job that was interrupted and resumed
ends with the hash of one that was not. Who can write the file can also hash it anew: a change is evident to whoever kept a hash elsewhere.

One process writes, which a lock beside the file shows and the kernel ends with the process; any number reads.
"""

from __future__ import annotations

import errno
import json
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ._ledger_book import Book, Draft, Head
from ._ledger_check import APPLICATION, DAMAGE, Finding, check, load, read_heads, read_meta
from ._ledger_file import StoreFile, connect, guard
from ._ledger_make import MIGRATIONS, SCHEMA_VERSION, Migration, make, migrate, number_of
from ._ledger_schema import COMMITS, STATE, TableSpec, _json, named, specs_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MIGRATIONS", "SCHEMA_VERSION", "Finding", "Ledger", "Migration", "TableSpec"]

Rows = Mapping[str, Sequence[Sequence[Any]]]
Steps = Mapping[int, Callable[[Migration], None]]


class Ledger:
    """A register store; made by `create` or `open`, and a context manager that closes it.

    Attributes
    ----------
    path : str
        Absolute, without symbolic links.
    readonly : bool
        Whether it was opened for reading.
    """

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self.path, self.readonly = file.path, file.readonly
        self._book: Book | None = None  # None: to be read from the file
        self._specs: dict[str, TableSpec] = {}
        self._closer = weakref.finalize(self, file.close)

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
        with guard(self.path):
            db = self._file.db
            if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                raise StoreError(errno.EIO, "is no register store of ctmeter, or its header is damaged", self.path)
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

    def _read_specs(self) -> dict[str, TableSpec]:
        try:
            return specs_of(self.meta["tables"])
        except DAMAGE as error:
            raise StoreError(errno.EIO, f"is damaged: the descriptions of its tables in meta cannot be used: {error}", self.path) from None

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

    @property
    def meta(self) -> dict[str, str]:
        """The facts of the file."""
        with guard(self.path):
            return read_meta(self._file.db)

    @property
    def tables(self) -> dict[str, TableSpec]:
        """The descriptions of the tables by name, `meta`, `state` and `commits` among them."""
        return dict(self._specs)

    @property
    def last_commit(self) -> tuple[int, str]:
        """Number of the last commit, 1 for the one that made the store, and its digest in hexadecimal, which stands for the whole store."""
        _, last, digest = self._heads()[COMMITS.name]
        return last, digest.hex()

    def _heads(self) -> dict[str, Head]:
        with guard(self.path):
            heads = read_heads(self._file.db)
        faults = [n for n in self._specs if n not in heads or tuple(map(type, heads[n])) != (int, int, bytes)]
        if faults:
            raise StoreError(errno.EIO, f"is damaged: heads does not say where {faults[0]} ends", self.path)
        return heads

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
            return _json(value)
        except (TypeError, ValueError) as error:
            raise StoreError(errno.EINVAL, f"state {key!r}: {error}", self.path) from None

    def rows(self, table: str, start: int | None = None, stop: int | None = None, columns: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a table, in the order of `seq` or of the key.

        Parameters
        ----------
        table : str
            Any of `tables`.
        start, stop : int, optional
            Of an append-only table: the first `seq`, and the one after the last.
        columns : sequence of str, optional
            Default are those of the description; `seq`, `prev` and `digest` can be named too.

        Raises
        ------
        StoreError
            No such table or column (errno EINVAL), or it cannot be read.
        """
        spec = self._specs.get(table)
        wanted = tuple(columns) if columns is not None else () if spec is None else spec.names
        if spec is None or not wanted or not set(wanted) <= set(spec.stored):
            known = f"tables {', '.join(self._specs)}" if spec is None else f"columns {', '.join(spec.stored)}"
            raise StoreError(
                errno.EINVAL, f"no such table or column: {table} {' '.join(wanted)}".rstrip() + f", expected one of the {known}", self.path
            )
        if spec.kind == "current" and (start, stop) != (None, None):
            raise StoreError(errno.EINVAL, f"table {table}: rows have a key, not a number to start or stop at", self.path)
        bounds = [(f'"{table}".seq {sign} ?', n) for sign, n in ((">=", start), ("<", stop)) if n is not None]
        where = f" WHERE {' AND '.join(b for b, _ in bounds)}" if bounds else ""
        with guard(self.path):
            return self._file.db.execute(spec.select(wanted) + where + spec.order, [n for _, n in bounds]).fetchall()

    def columns(
        self, table: str, start: int | None = None, stop: int | None = None, names: Sequence[str] | None = None
    ) -> dict[str, np.ndarray[Any, Any]]:
        """The columns of a table as arrays of one length, those of the description, or those of them that are named.

        Returns
        -------
        dict of str to numpy.ndarray
            INTEGER: int64; where a value is null, a `numpy.ma.MaskedArray` that masks it. REAL: float64, null as NaN. TEXT and BLOB: object,
            null as None.

        Raises
        ------
        StoreError
            As `rows`.
        """
        from ._ledger_arrays import arrays

        rows = self.rows(table, start, stop, names)
        kinds = {"seq": "INTEGER", "prev": "BLOB", "digest": "BLOB", **dict(self._specs[table].columns)}
        try:
            return arrays([(name, kinds[name]) for name in names or self._specs[table].names], rows)
        except DAMAGE as error:
            raise StoreError(errno.EIO, f"table {table}: {error}", self.path) from None

    def state(self) -> dict[str, Any]:
        """The values of `state`."""
        try:
            return {key: json.loads(value) for key, value in self.rows(STATE.name)}
        except (ValueError, TypeError) as error:
            raise StoreError(errno.EIO, f"table state: expected JSON: {error}", self.path) from None

    def content_hash(self) -> str:
        """SHA-256, in hexadecimal, of all tables that are content: their descriptions, rows and what was trimmed, not when or in how many commits.

        Relies on the ends of the chains that the file states; `check` proves them.
        """
        return Book(self._specs, self._heads()).content_hash()

    def check(self) -> list[Finding]:
        """Prove the whole store as of the last commit; empty where every row is as it was committed.

        Raises
        ------
        StoreError
            It cannot be read at all.
        """
        with guard(self.path):
            if self._file.closed:
                raise StoreError(errno.EBADF, "is closed", self.path)
            db = connect(self.path, "ro")
            try:
                db.execute("BEGIN")
                return check(db)
            finally:
                db.close()

    def close(self) -> None:
        """Close the file and give up the lock; more than once does no harm."""
        self._closer.detach()
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
