"""What a register store gives to those who read it."""

from __future__ import annotations

import errno
import json
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from ..errors import StoreError
from ._ledger_book import Book, Head
from ._ledger_check import DAMAGE, Finding, check, read_heads, read_meta
from ._ledger_file import StoreFile, connect, guard
from ._ledger_schema import COMMITS, STATE, TableSpec, specs_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Reading"]


class Reading:
    """The half of `Ledger` that changes nothing."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file
        self.path, self.readonly = file.path, file.readonly
        self._specs: dict[str, TableSpec] = {}
        self._closer = weakref.finalize(self, file.close)

    def _read_specs(self) -> dict[str, TableSpec]:
        try:
            return specs_of(self.meta["tables"])
        except DAMAGE as error:
            raise StoreError(errno.EIO, f"is damaged: the descriptions of its tables in meta cannot be used: {error}", self.path) from None

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

        After a crash, commits wait in the write-ahead log beside the file; one that is damaged there is dropped by SQLite with all after it,
        as if it had never been finished. A `last_commit` that was kept elsewhere tells.

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
