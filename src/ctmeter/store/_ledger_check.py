"""Reading the ends of a register store back, and proving every row of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ._ledger_book import Book, Head, current_digest
from ._ledger_file import reason
from ._ledger_schema import APPLICATION, COMMITS, HEADS, META, TableSpec, encode, row_digest, specs_of

__all__ = ["DAMAGE", "Finding", "check", "load", "read_heads", "read_meta"]

#: What values of the wrong kind raise where they are used.
DAMAGE = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
#: Findings listed of one table.
MOST = 20


@dataclass(frozen=True)
class Finding:
    """Something in a store that is not as it was committed.

    Parameters
    ----------
    place : str
        Table, and row where there is one.
    what : str
        What is wrong.
    legal : bool
        Whether legally relevant data are concerned.
    """

    place: str
    what: str
    legal: bool = True


def read_meta(db: sqlite3.Connection) -> dict[str, str]:
    """The facts of the file; raises what SQLite raises."""
    return dict(db.execute(META.select(META.names)))


def read_heads(db: sqlite3.Connection) -> dict[str, Head]:
    """The ends of all tables as the file states them."""
    return {name: Head(*rest) for name, *rest in db.execute("SELECT heads.name, heads.first, heads.last, heads.head FROM heads")}


def load(db: sqlite3.Connection) -> tuple[Book, list[Finding]]:
    """What the last commit left, and whether the current tables and the last rows agree with it; cost does not grow with the rows kept."""
    specs = specs_of(read_meta(db)["tables"])
    heads = read_heads(db)
    findings: list[Finding] = []
    rows: dict[str, dict[bytes, bytes]] = {}
    for spec in specs.values():
        head = heads.get(spec.name)
        if head is None:
            findings.append(Finding(f"heads, {spec.name}", "the row is missing", spec.legal))
        elif spec.kind == "current":
            rows[spec.name], found = _current(db, spec, head)
            findings += found
        else:
            findings += _ends(db, spec, head)
    return Book(specs, heads, rows), findings


def check(db: sqlite3.Connection) -> list[Finding]:
    """Prove every row; raises nothing for damage that SQLite meets while reading rows."""
    db.text_factory = _as_it_stands
    findings: list[Finding] = []
    with _section(findings, "file"):
        findings += [Finding("file", str(text)) for (text,) in db.execute(f"PRAGMA integrity_check({MOST})") if text != "ok"]
    specs: dict[str, TableSpec] = {}
    heads: dict[str, Head] = {}
    with _section(findings, "meta"):
        meta = read_meta(db)
        specs = specs_of(meta["tables"])
        findings += _facts(db, meta)
    with _section(findings, "heads"):
        heads = read_heads(db)
        findings += [Finding(f"heads, {name}", "stands for no table") for name in heads if name not in specs]
    with _section(findings, "schema"):
        findings += _schema(db, specs)
    marks = _Marks()
    if COMMITS.name in heads:
        with _section(findings, COMMITS.name):
            findings += _chain(db, COMMITS, heads[COMMITS.name], marks)
    for spec in specs.values():
        head = heads.get(spec.name)
        if head is None:
            findings.append(Finding(f"heads, {spec.name}", "the row is missing", spec.legal))
            continue
        with _section(findings, spec.name, spec.legal):
            stated = marks.last.get(spec.name)
            if spec is not COMMITS and stated != head:
                findings.append(Finding(f"heads, {spec.name}", "is not what the last commit of the table says", spec.legal))
            if spec.kind == "current":
                findings += _current(db, spec, head)[1]
            elif spec is not COMMITS:
                findings += _chain(db, spec, head, marks)
    return findings


@contextmanager
def _section(findings: list[Finding], place: str, legal: bool = True) -> Iterator[None]:
    """Damage that is met inside ends the section and is a finding at `place`."""
    try:
        yield
    except (sqlite3.Error, MemoryError, UnicodeError) as error:
        findings.append(Finding(place, f"cannot be read: {reason(error)[1]}", legal))
    except DAMAGE as error:
        findings.append(Finding(place, f"is damaged: {error}", legal))


@dataclass
class _Marks:
    """What the commits say of each table: its end after the last of them, and the digests its rows had when they were the last."""

    last: dict[str, Head] = field(default_factory=dict)
    rows: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def add(self, changes: str) -> None:
        """Take in one commit."""
        stated = {name: Head(first, last, bytes.fromhex(digest)) for name, (first, last, digest) in json.loads(changes).items()}
        if META.name in stated:
            self.rows.clear()  # a migration may have chained tables anew
        self.last |= stated
        for name, (_, last, digest) in stated.items():
            self.rows.setdefault(name, {})[last] = digest


def _as_it_stands(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _facts(db: sqlite3.Connection, meta: dict[str, str]) -> Iterator[Finding]:
    """The numbers in the header of the file agree with `meta`."""
    application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if application != APPLICATION:
        yield Finding("file", f"the application id is {application:#x}, expected {APPLICATION:#x}")
    if str(version) != meta.get("schema_version"):
        yield Finding("file", f"the user version is {version}, expected {meta.get('schema_version')} as in meta")


def _schema(db: sqlite3.Connection, specs: dict[str, TableSpec]) -> Iterator[Finding]:
    """Exactly the tables that were created, and nothing beside them."""
    expected = {s.name: s.create for s in specs.values()} | {"heads": HEADS}
    found = {name: (kind, sql) for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_master")}
    for name in sorted(expected.keys() - found.keys()):
        yield Finding(f"schema, {name}", "the table is missing")
    for name, (kind, sql) in sorted(found.items()):
        if name in expected:
            if (kind, sql) != ("table", expected[name]):
                yield Finding(f"schema, {name}", f"is {kind} {sql!r:.300}, expected {expected[name]!r:.300}")
        elif not name.startswith("sqlite_autoindex_"):
            yield Finding(f"schema, {name}", f"the {kind} does not belong here")


def _current(db: sqlite3.Connection, spec: TableSpec, head: Head) -> tuple[dict[bytes, bytes], list[Finding]]:
    """The digests of a current table's rows, and what is wrong with them."""
    places = [spec.names.index(k) for k in spec.key]
    rows: dict[bytes, bytes] = {}
    findings: list[Finding] = []
    for *values, digest in db.execute(spec.select(spec.stored) + spec.order):
        true = row_digest(spec, values)
        rows[encode(values[p] for p in places)] = true
        if digest != true:
            key = ", ".join(f"{values[p]!r:.60}" for p in places)
            findings.append(Finding(f"{spec.name}, row {key}", "values and digest do not agree", spec.legal))
    if len(rows) != head.last:
        findings.append(Finding(spec.name, f"{len(rows)} rows, expected {head.last}", spec.legal))
    if (1, current_digest(spec, rows)) != (head.first, head.digest):
        findings.append(Finding(spec.name, "the rows are not those of the last commit", spec.legal))
    return rows, findings


def _ends(db: sqlite3.Connection, spec: TableSpec, head: Head) -> Iterator[Finding]:
    """First and last row of an append-only table; those between cost time and are the matter of `check`."""
    sql = spec.select(spec.stored) + spec.order
    first = db.execute(f"{sql} LIMIT 1").fetchone()
    last = db.execute(f"{sql} DESC LIMIT 1").fetchone()
    if first is None:
        ends, digest = (head.last + 1, head.last), head.digest if head.first == head.last + 1 else b""
    else:
        ends, digest = (first[0], last[0]), row_digest(spec, last[1:-2], last[0], last[-2])
    if ends != (head.first, head.last):
        yield Finding(spec.name, f"rows {ends[0]} to {ends[1]}, expected {head.first} to {head.last}", spec.legal)
    elif digest != head.digest:
        yield Finding(f"{spec.name}, row {head.last}", "is not the last row of the last commit", spec.legal)


def _chain(db: sqlite3.Connection, spec: TableSpec, head: Head, marks: _Marks) -> list[Finding]:
    """Every row of an append-only table against the row before it, its digest, and what the commits say of it."""
    findings: list[Finding] = []

    def note(row: int, what: str) -> None:
        findings.append(Finding(f"{spec.name}, row {row}", what, spec.legal))

    stated = marks.rows.get(spec.name, {})
    expected, prev = head.first, spec.digest if head.first == 1 else None
    digest = spec.digest
    for seq, *values, before, digest in db.execute(spec.select(spec.stored) + spec.order):
        if len(findings) >= MOST:
            findings.append(Finding(spec.name, f"more than {MOST} findings, the rest is not listed", spec.legal))
            return findings
        if seq > expected:
            note(expected, "is missing" if seq == expected + 1 else f"is missing, and all to {seq - 1}")
        elif seq < expected:
            note(seq, "does not belong here, it was dropped")
        elif prev is not None and before != prev:
            note(seq, "does not follow the row before it")
        if digest != row_digest(spec, values, seq, before if isinstance(before, bytes) else b""):
            note(seq, "values and digest do not agree")
        elif digest != stated.get(seq, digest):
            note(seq, "is not the row that was committed")
        if spec is COMMITS:
            marks.add(values[0])
        expected, prev = max(seq + 1, expected), digest
    if expected <= head.last:
        note(expected, "is missing" if expected == head.last else f"is missing, and all to {head.last}")
    elif expected > head.last + 1:
        note(expected - 1, "does not belong here, it was never committed")
    elif head.first <= head.last and digest != head.digest:
        note(head.last, "is not the last row of the last commit")
    return findings
