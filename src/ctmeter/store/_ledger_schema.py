"""What a register store is made of: descriptions of tables, the bytes that are hashed, the SQL of both.

A row of an append-only table has `digest` = SHA-256 of (name of the table, seq, values, prev), where `prev` is the digest of the row
before it, and of the first row ever the digest of the table's description. A row of a current table has the SHA-256 of (name, values).
Values are hashed in the order of the columns, each behind a letter: `N` null; `I` integer, 8 bytes, two's complement; `R` real, 8 bytes,
binary64; `T` text in UTF-8 and `B` blob, each behind its length in 8 bytes. All numbers are big-endian.
"""

from __future__ import annotations

import errno
import json
import math
import operator
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

from ..errors import StoreError

__all__ = [
    "APPLICATION",
    "BUILTIN",
    "COMMITS",
    "HEADS",
    "META",
    "STATE",
    "TableSpec",
    "encode",
    "json_text",
    "named",
    "row_digest",
    "specs_of",
    "specs_text",
    "values_of",
]

#: `PRAGMA application_id` of a register store: "ctmr".
APPLICATION = 0x63746D72
SQL_TYPES = ("INTEGER", "REAL", "TEXT", "BLOB")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_OURS = ("seq", "prev", "digest")
_integer, _real, _length = struct.Struct(">cq").pack, struct.Struct(">cd").pack, struct.Struct(">cQ").pack


@dataclass(frozen=True)
class TableSpec:
    """Description of one table.

    Parameters
    ----------
    name : str
        Letters, digits and underscores.
    columns : sequence of (str, str)
        Name and type of each column: INTEGER (64 bits), REAL (binary64; NaN becomes null), TEXT or BLOB. Every value may be null.
    legal : bool
        Whether a finding in this table is one in legally relevant data. Other tables are hashed and checked all the same.
    kind : {"append", "current"}
        Append-only with `seq`, `prev` and `digest` of its own, or rows that are replaced by key.
    key : sequence of str
        The columns (INTEGER or TEXT, never null) that tell the rows of a current table apart.
    content : bool
        Whether the table is part of `Ledger.content_hash`; False for what an interruption may change, such as an audit trail.

    Raises
    ------
    ValueError
        A description that cannot be used.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    legal: bool = True
    kind: Literal["append", "current"] = "append"
    key: tuple[str, ...] = ()
    content: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple((str(n), str(t)) for n, t in self.columns))
        object.__setattr__(self, "key", tuple(self.key))
        names, types = [n.lower() for n, _ in self.columns], dict(self.columns)
        faults = [f"{n!r} is no name of letters, digits and underscores" for n in (self.name, *types) if not _NAME.match(n)]
        if self.name.lower().startswith("sqlite_"):
            faults.append("names that begin with sqlite_ belong to SQLite")
        faults += [f"column {n}: the type is {t!r}, expected one of {', '.join(SQL_TYPES)}" for n, t in self.columns if t not in SQL_TYPES]
        faults += [f"column {n} is kept for the store" for n in names if n in _OURS]
        if not names or len(set(names)) < len(names):
            faults.append("expected one column or more, each with a name of its own")
        if self.kind not in ("append", "current") or (self.kind == "current") != bool(self.key):
            faults.append('expected kind "append" without a key, or "current" with one')
        faults += [f"key {k!r} is no INTEGER or TEXT column" for k in self.key if types.get(k) not in ("INTEGER", "TEXT")]
        if faults:
            raise ValueError(f"table {self.name}: {'; '.join(faults)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(n for n, _ in self.columns)

    @property
    def stored(self) -> tuple[str, ...]:
        """The names of all columns in the file, in its order."""
        return ("seq", *self.names, "prev", "digest") if self.kind == "append" else (*self.names, "digest")

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the description, 32 bytes."""
        return sha256(json_text(self.as_dict()).encode()).digest()

    @cached_property
    def prefix(self) -> bytes:
        """What stands before every row when it is hashed."""
        name = self.name.encode()
        return _length(self.kind[:1].encode(), len(name)) + name

    @cached_property
    def create(self) -> str:
        """The statement that creates the table, as SQLite keeps it."""
        lines = [f"{_quoted(n)} {t}" for n, t in self.columns]
        if self.kind == "append":
            lines = ["seq INTEGER PRIMARY KEY", *lines, "prev BLOB", "digest BLOB"]
        else:
            lines += ["digest BLOB", f"PRIMARY KEY ({', '.join(map(_quoted, self.key))})"]
        return f"CREATE TABLE {_quoted(self.name)} ({', '.join(lines)})"

    @cached_property
    def insert(self) -> str:
        """The statement that appends or replaces a row."""
        verb = "INSERT" if self.kind == "append" else "REPLACE"
        return f"{verb} INTO {_quoted(self.name)} VALUES ({', '.join('?' * len(self.stored))})"

    def select(self, columns: Iterable[str]) -> str:
        """The statement that reads `columns`; qualified names, which SQLite never takes for texts."""
        return f"SELECT {', '.join(f'{_quoted(self.name)}.{_quoted(c)}' for c in columns)} FROM {_quoted(self.name)}"

    @property
    def order(self) -> str:
        """The clause that puts rows in the order of `seq` or the key."""
        return f" ORDER BY {', '.join(_quoted(k) for k in self.key or ('seq',))}"

    def as_dict(self) -> dict[str, Any]:
        """The description for JSON."""
        plain = {"name": self.name, "columns": [list(c) for c in self.columns], "legal": self.legal}
        return {**plain, "kind": self.kind, "key": list(self.key), "content": self.content}


#: Facts of the file, written when it is made or migrated; also holds the descriptions of the tables.
META = TableSpec("meta", (("key", "TEXT"), ("value", "TEXT")), kind="current", key=("key",), content=False)
#: What is replaced at each commit and is no table of its own; the values are JSON.
STATE = TableSpec("state", (("key", "TEXT"), ("value", "TEXT")), kind="current", key=("key",))
#: One row for each commit: of every table it changed the first and last seq and the head (of a current table 1, its rows, its digest).
COMMITS = TableSpec("commits", (("changes", "TEXT"),), content=False)
BUILTIN = (META, STATE, COMMITS)
#: Where every table ends, so that a missing last row is noticed and opening reads little; holds nothing that the tables do not prove.
HEADS = "CREATE TABLE heads (name TEXT PRIMARY KEY, first INTEGER, last INTEGER, head BLOB)"


def json_text(value: Any) -> str:
    """One JSON text for one value, whatever the order its keys were set in; NaN is a ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _quoted(name: str) -> str:
    return f'"{name}"'


def specs_text(specs: Iterable[TableSpec]) -> str:
    """The descriptions of tables as JSON, for `meta`."""
    return json_text([s.as_dict() for s in specs])


def specs_of(text: str) -> dict[str, TableSpec]:
    """The tables of a file by name, the built-in ones first.

    Raises
    ------
    ValueError, TypeError
        The text is damaged.
    """
    return named(TableSpec(**row) for row in json.loads(text))


def named(specs: Iterable[TableSpec]) -> dict[str, TableSpec]:
    """Tables by name, the built-in ones first.

    Raises
    ------
    ValueError
        Two have one name, or one is kept for the store.
    """
    tables = {s.name: s for s in BUILTIN}
    taken = {"heads", *tables}
    for spec in specs:
        if spec.name.lower() in taken:
            raise ValueError(f"table {spec.name}: the name is taken")
        taken.add(spec.name.lower())
        tables[spec.name] = spec
    return tables


def encode(values: Iterable[Any]) -> bytes:
    """The bytes of a row's values that are hashed."""
    parts: list[bytes] = []
    for value in values:
        kind = type(value)
        if kind is int:
            parts.append(_integer(b"I", value))
        elif kind is float:
            parts.append(_real(b"R", value))
        elif value is None:
            parts.append(b"N")
        elif kind is str:
            data = value.encode("utf-8", "surrogateescape")  # damaged text is read that way, to be hashed as it stands
            parts += (_length(b"T", len(data)), data)
        else:
            parts += (_length(b"B", len(value)), value)
    return b"".join(parts)


def row_digest(spec: TableSpec, values: Sequence[Any], seq: int | None = None, prev: bytes = b"") -> bytes:
    """The digest of one row, 32 bytes; `seq` and `prev` of append-only tables."""
    number = b"" if seq is None else _integer(b"I", seq)
    return sha256(b"".join((spec.prefix, number, encode(values), prev))).digest()


def _as_integer(value: Any) -> int:
    number = int(operator.index(value))
    if not -(2**63) <= number < 2**63:
        raise ValueError("it does not fit into 64 bits")
    return number


def _as_real(value: Any) -> float | None:
    if isinstance(value, str | bytes):
        raise TypeError
    number = float(value) + 0.0  # SQLite keeps no sign of zero
    return None if math.isnan(number) else number


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    text = str.__str__(value)
    text.encode()
    if "\0" in text:
        raise ValueError("NUL within a text")
    return text


def _as_blob(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError
    return bytes(value)


_CONVERT = {"INTEGER": _as_integer, "REAL": _as_real, "TEXT": _as_text, "BLOB": _as_blob}


def values_of(spec: TableSpec, row: Sequence[Any], path: str) -> list[Any]:
    """A row as it is stored and hashed: plain int, float, str, bytes or None.

    Raises
    ------
    StoreError
        Values that do not fit the columns (errno EINVAL); names table, column, what was found and what was expected.
    """
    if isinstance(row, str | bytes | Mapping) or len(row) != len(spec.columns):
        raise StoreError(errno.EINVAL, f"table {spec.name}: expected {len(spec.columns)} values ({', '.join(spec.names)}), found {row!r:.200}", path)
    values: list[Any] = []
    for (name, kind), value in zip(spec.columns, row, strict=True):
        try:
            values.append(None if value is None else _CONVERT[kind](value))
        except (TypeError, ValueError, OverflowError) as error:
            why = f": {error}" if str(error) else ""
            raise StoreError(errno.EINVAL, f"table {spec.name}, column {name}: expected {kind}, found {value!r:.80}{why}", path) from None
        if values[-1] is None and name in spec.key:
            raise StoreError(errno.EINVAL, f"table {spec.name}, column {name}: a key cannot be null", path)
    return values
