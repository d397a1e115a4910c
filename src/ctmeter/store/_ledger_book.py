"""The ends of all chains of a register store, and how a commit moves them; no file is touched here."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from ..errors import StoreError
from ._ledger_schema import COMMITS, META, TableSpec, encode, json_text, row_digest, values_of

__all__ = ["Book", "Draft", "Head", "current_digest"]


class Head(NamedTuple):
    """Where a table ends: of an append-only table the seq of its first and last row and the digest of the last; of a current one 1, rows, digest."""

    first: int
    last: int
    digest: bytes


@dataclass(frozen=True)
class Book:
    """The tables of a store, their ends, and the digests of the rows of its current tables by encoded key."""

    specs: Mapping[str, TableSpec]
    heads: Mapping[str, Head]
    rows: Mapping[str, Mapping[bytes, bytes]] = field(default_factory=dict)

    def content_hash(self) -> str:
        """SHA-256 over the descriptions and ends of the tables that are content, in hexadecimal."""
        total = sha256()
        for name in sorted(n for n, s in self.specs.items() if s.content):
            first, last, digest = self.heads[name]
            total.update(self.specs[name].digest + encode((first, last, digest)))
        return total.hexdigest()


def current_digest(spec: TableSpec, rows: Mapping[bytes, bytes]) -> bytes:
    """The digest of a current table: its description and the digests of its rows in the order of their encoded keys."""
    return sha256(b"".join((spec.digest, *(digest for _, digest in sorted(rows.items()))))).digest()


class Draft:
    """One commit while it is put together.

    Parameters
    ----------
    book : Book
        What the last commit left.
    path : str
        Of the store, for errors.
    """

    def __init__(self, book: Book, path: str) -> None:
        self.path = path
        self.specs = dict(book.specs)
        self.heads = dict(book.heads)
        self.rows = dict(book.rows)
        #: Statements with the rows they are carried out for.
        self.statements: list[tuple[str, Sequence[Sequence[Any]]]] = []
        self.changed: set[str] = set()

    def spec(self, name: str, kind: str) -> TableSpec:
        """The description of a table of that kind that may be written by users of the store."""
        spec = self.specs.get(name)
        if spec is None or spec.kind != kind or spec in (META, COMMITS):
            names = ", ".join(n for n, s in self.specs.items() if s.kind == kind and s not in (META, COMMITS))
            raise StoreError(errno.EINVAL, f"no {'append-only' if kind == 'append' else kind} table {name!r}, expected one of: {names}", self.path)
        return spec

    def add(self, spec: TableSpec) -> None:
        """Create a table."""
        self.specs[spec.name] = spec
        self.statements.append((spec.create, [()]))
        if spec.kind == "append":
            self.heads[spec.name] = Head(1, 0, spec.digest)
        else:
            self.rows[spec.name] = {}
            self.heads[spec.name] = Head(1, 0, current_digest(spec, {}))
        self.changed.add(spec.name)

    def append(self, spec: TableSpec, rows: Iterable[Sequence[Any]]) -> None:
        """Chain rows to a table."""
        first, seq, prev = self.heads[spec.name]
        new = []
        for row in rows:
            values = values_of(spec, row, self.path)
            seq += 1
            digest = row_digest(spec, values, seq, prev)
            new.append((seq, *values, prev, digest))
            prev = digest
        if new:
            self.statements.append((spec.insert, new))
            self.heads[spec.name] = Head(first, seq, prev)
            self.changed.add(spec.name)

    def replace(self, spec: TableSpec, rows: Iterable[Sequence[Any]]) -> None:
        """Put rows in the place of those with the same key; what is there already is not written again."""
        places = [spec.names.index(k) for k in spec.key]
        digests = dict(self.rows[spec.name])
        new = []
        for row in rows:
            values = values_of(spec, row, self.path)
            key, digest = encode(values[p] for p in places), row_digest(spec, values)
            if digests.get(key) != digest:
                digests[key] = digest
                new.append((*values, digest))
        if new:
            self.statements.append((spec.insert, new))
            self.rows[spec.name] = digests
            self.heads[spec.name] = Head(1, len(digests), current_digest(spec, digests))
            self.changed.add(spec.name)

    def trim(self, spec: TableSpec, keep: int) -> None:
        """Drop the oldest rows, so that the newest `keep` remain."""
        first, last, digest = self.heads[spec.name]
        if keep < 0:
            raise StoreError(errno.EINVAL, f"table {spec.name}: expected a number of rows to keep, found {keep}", self.path)
        start = max(first, last - keep + 1)
        if start > first:
            self.statements.append((f'DELETE FROM "{spec.name}" WHERE seq < ?', [(start,)]))
            self.heads[spec.name] = Head(start, last, digest)
            self.changed.add(spec.name)

    def finish(self) -> Book:
        """Add the row of the commit; gives what stands when all statements have been carried out."""
        changes = {n: [h.first, h.last, h.digest.hex()] for n, h in self.heads.items() if n in self.changed and n != COMMITS.name}
        self.append(COMMITS, [(json_text(changes),)])
        heads = [(n, *self.heads[n]) for n in sorted(self.changed)]
        self.statements.append(("REPLACE INTO heads VALUES (?, ?, ?, ?)", heads))
        return Book(self.specs, self.heads, self.rows)
