"""Whatever is changed in a register store is found: bits of values, rows, tables, bytes of the file."""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
from pathlib import Path

import pytest

from ctmeter.errors import StoreError
from ctmeter.store.ledger import Finding, Ledger, TableSpec
from store.ledger_job import run

STEPS = 3
TABLES = (
    TableSpec("profile", (("t_ns", "INTEGER"), ("p", "REAL"), ("note", "TEXT"), ("wave", "BLOB"))),
    TableSpec("ring", (("n", "INTEGER"),), legal=False),
    TableSpec("registers", (("name", "TEXT"), ("mj", "INTEGER"), ("rest", "REAL")), kind="current", key=("name",)),
    TableSpec("audit", (("what", "TEXT"),), content=False),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A small store with every kind of value and table, a ring that was trimmed, and one that was emptied."""
    path = tmp_path_factory.mktemp("ledger") / "a.store"
    with Ledger.create(path, (*TABLES, TableSpec("gone", (("n", "INTEGER"),))), {"program": "test"}) as ledger:
        for k in range(STEPS):
            rows = [(900 * k, 0.0, "", b"\0"), (-k, k / 3, None, None), (None, None, f"ß{k}", bytes(k))]
            now = [("A+", 2**40 * k, 0.1 * k), ("R+", -k, None)]
            appends = {"profile": rows, "ring": [(k,), (-k,)], "audit": [(f"step {k}",)], "gone": [(k,)]}
            ledger.commit(appends, {"registers": now}, {"ring": 3, "gone": 0}, {"position": k})
        ledger.commit({"audit": [("end",)]})
        assert ledger.check() == []
    return path


@pytest.fixture
def copy(original, tmp_path):
    return Path(shutil.copy(original, tmp_path / "a.store"))


def found(path):
    """The findings of a check; an error of the store counts as one."""
    try:
        with Ledger.open(path, readonly=True) as ledger:
            return [f"{f.place}: {f.what}" for f in ledger.check()]
    except StoreError as error:
        assert error.filename == str(path) and error.strerror
        return [error.strerror]


def content(path):
    """Everything a reader reads."""
    with Ledger.open(path, readonly=True) as ledger:
        return {name: ledger.rows(name, columns=spec.stored) for name, spec in ledger.tables.items()}, ledger.meta, ledger.content_hash()


def flipped(value, bit):
    """A value with one bit of its bytes the other way round, as SQL and its argument; None where there is no such bit."""
    if isinstance(value, int):
        number = value ^ 1 << bit if bit < 63 else value ^ -(2**63)
        return ("?", number) if bit < 64 else None
    if isinstance(value, float):
        return ("?", struct.unpack(">d", (struct.unpack(">Q", struct.pack(">d", value))[0] ^ 1 << bit).to_bytes(8))[0]) if bit < 64 else None
    data = bytearray(value.encode() if isinstance(value, str) else value)
    if bit >= 8 * len(data):
        return None
    data[bit // 8] ^= 1 << bit % 8
    return ("CAST(? AS TEXT)" if isinstance(value, str) else "?"), bytes(data)


def places(db):
    """Table, rowid, column and value of every value of every row."""
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
        for rowid, *values in db.execute(f"SELECT rowid, * FROM {table}").fetchall():
            for column, value in zip(columns, values, strict=True):
                yield table, rowid, column, value


def try_bits(path, bits_of):
    """Change values one bit at a time; the number of changes, each of which was found."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous=OFF")
    tried = 0
    for table, rowid, column, value in places(db):
        exact = f'SELECT typeof("{column}"), hex("{column}"), "{column}" IS ? FROM {table} WHERE rowid = ?'
        for sql, changed in bits_of(value):
            try:
                db.execute("SAVEPOINT before")
                moved = db.execute(f'UPDATE {table} SET "{column}" = {sql} WHERE rowid = ? RETURNING rowid', (changed, rowid)).fetchall()[0][0]
                same = db.execute(exact, (value, moved)).fetchone()[2]
            except sqlite3.IntegrityError:  # another row has that key
                same = True
            if same:  # or SQLite keeps no sign of zero
                db.execute("ROLLBACK TO before")
                db.execute("RELEASE before")
                continue
            db.execute("RELEASE before")
            tried += 1
            assert found(path), f"{table}, row {rowid}, {column}: {value!r} became {changed!r}"
            db.execute(f'UPDATE {table} SET "{column}" = ? WHERE rowid = ?', (value, moved))
            if bits_of is one_bit:
                break
    db.close()
    assert found(path) == []
    return tried


def one_bit(value):
    """All bits of a value in a random order, of which the first that can be flipped counts; a null becomes a zero."""
    if value is None:
        return [("?", 0)]
    bits = list(range(64 if isinstance(value, int | float) else 8 * len(value.encode() if isinstance(value, str) else value)))
    random.Random(repr(value)).shuffle(bits)
    return [flipped(value, bit) for bit in bits]


def every_bit(value):
    return one_bit(value) if value is None else [flipped(value, bit) for bit in range(8 * 4096) if flipped(value, bit)]


def test_a_bit_of_every_value(copy):
    db = sqlite3.connect(copy)
    values = [p for p in places(db) if p[3] not in ("", b"")]
    db.close()
    assert {p[0] for p in values} == {"meta", "state", "commits", "heads", "profile", "ring", "gone", "registers", "audit"} - {"gone"}
    assert try_bits(copy, one_bit) == len(values) > 150


@pytest.mark.long
def test_every_bit_of_every_value(copy):
    assert try_bits(copy, every_bit) > 20_000


def test_a_value_of_another_kind(copy):
    """Values that look alike where a tool shows them."""
    db = sqlite3.connect(copy, isolation_level=None)
    for sql in ("CAST(wave AS TEXT)", "NULL", "wave || x'00'", "0"):
        db.execute(f"UPDATE profile SET wave = {sql} WHERE seq = 1")
        assert found(copy) == ["profile, row 1: values and digest do not agree"], sql
    db.execute("UPDATE profile SET wave = x'00' WHERE seq = 1")
    assert found(copy) == []
    db.close()


ROWS = {
    "a row in the middle is missing": "DELETE FROM profile WHERE seq = 4",
    "the first row is missing": "DELETE FROM profile WHERE seq = 1",
    "the last row is missing": "DELETE FROM profile WHERE seq = (SELECT max(seq) FROM profile)",
    "the first row of a ring is missing": "DELETE FROM ring WHERE seq = (SELECT min(seq) FROM ring)",
    "all rows are missing": "DELETE FROM ring",
    "the last commit is missing": "DELETE FROM commits WHERE seq = (SELECT max(seq) FROM commits)",
    "the last audit row is missing": "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
    "a dropped row is back": "INSERT INTO ring SELECT 1, n, prev, digest FROM ring LIMIT 1",
    "a row is added": "INSERT INTO profile SELECT seq + 1, 1, 1.0, '', x'', digest, digest FROM profile ORDER BY seq DESC LIMIT 1",
    "a row is added to an empty table": "INSERT INTO gone VALUES (9, 1, x'', x'')",
    "a register is missing": "DELETE FROM registers WHERE name = 'A+'",
    "a register is added": "INSERT INTO registers SELECT 'A-', mj, rest, digest FROM registers LIMIT 1",
    "a state is missing": "DELETE FROM state",
    "a fact is missing": "DELETE FROM meta WHERE key = 'program'",
    "the descriptions are missing": "DELETE FROM meta WHERE key = 'tables'",
    "the version is missing": "DELETE FROM meta WHERE key = 'schema_version'",
    "an end is missing": "DELETE FROM heads WHERE name = 'ring'",
    "an end is added": "INSERT INTO heads VALUES ('other', 1, 1, x'')",
    "an end is of another kind": "UPDATE heads SET last = 'x'",
    "two rows change places": "UPDATE profile SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3);"
    "UPDATE profile SET seq = -seq WHERE seq < 0",
    "two rows change all but seq": "UPDATE profile SET (t_ns, p, note, wave, prev, digest) = "
    "(SELECT t_ns, p, note, wave, prev, digest FROM profile AS o WHERE o.seq = 3) WHERE seq = 2",
    "a commit says something else": "UPDATE commits SET changes = 'nonsense' WHERE seq = 2",
    "no changes at all": "UPDATE commits SET changes = NULL",
}
SCHEMA = {
    "an index": "CREATE INDEX i ON profile (t_ns)",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON profile BEGIN DELETE FROM audit; END",
    "a view": "CREATE VIEW v AS SELECT * FROM profile",
    "a table": "CREATE TABLE other (x)",
    "a column": "ALTER TABLE profile ADD COLUMN x INTEGER",
    "a column's name": "ALTER TABLE profile RENAME COLUMN p TO q",
    "a table's name": "ALTER TABLE profile RENAME TO q",
    "no table": "DROP TABLE profile",
    "no ends": "DROP TABLE heads",
    "no facts": "DROP TABLE meta",
    "no commits": "DROP TABLE commits",
    "the version": "PRAGMA user_version = 7",
    "the application": "PRAGMA application_id = 7",
}


@pytest.mark.parametrize("what", [*ROWS, *SCHEMA])
def test_rows_and_tables(copy, what):
    db = sqlite3.connect(copy, isolation_level=None)
    db.executescript((ROWS | SCHEMA)[what])
    db.close()
    assert found(copy)


def test_findings_name_the_place(copy):
    def after(sql):
        db = sqlite3.connect(copy, isolation_level=None)
        db.execute(sql)
        db.close()
        with Ledger.open(copy, readonly=True) as ledger:
            return ledger.check()

    assert after("DELETE FROM profile WHERE seq IN (4, 5)") == [Finding("profile, row 4", "is missing, and all to 5")]
    places = {f.place for f in after("UPDATE registers SET mj = mj + 1 WHERE name = 'A+'")}
    assert places == {"profile, row 4", "registers", "registers, row 'A+'"}
    legal = {f.legal for f in after("UPDATE ring SET n = 7") if f.place.startswith("ring")}
    assert legal == {False}


@pytest.mark.parametrize(
    "sql", ["UPDATE registers SET mj = 5", "DELETE FROM audit", "UPDATE meta SET value = 'x' WHERE key = 'program'", "DELETE FROM heads"]
)
def test_a_writer_does_not_go_on_from_there(copy, sql):
    """Else the next commit would make the change look like its own."""
    db = sqlite3.connect(copy, isolation_level=None)
    db.execute(sql)
    db.close()
    before = copy.read_bytes()
    with pytest.raises(StoreError, match=r"check it|damaged"):
        Ledger.open(copy)
    assert copy.read_bytes() == before


def try_bytes(original, path, offsets):
    """Flip one bit of each byte of the file; it is found, or nothing that is read has changed."""
    good, expected, silent = original.read_bytes(), content(original), 0
    choice = random.Random(4)
    for offset in offsets:
        bad = bytearray(good)
        bad[offset] ^= 1 << choice.randrange(8)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        path.write_bytes(bad)
        if not found(path):
            silent += 1
            assert content(path) == expected, f"byte {offset}"
    return silent


def test_bytes_of_the_file(original, tmp_path):
    size = original.stat().st_size
    try_bytes(original, tmp_path / "a.store", [*range(100), *random.Random(5).sample(range(size), 400)])


@pytest.mark.long
def test_every_byte_of_the_file(original, tmp_path):
    try_bytes(original, tmp_path / "a.store", range(original.stat().st_size))


def test_a_file_that_was_cut(original, tmp_path):
    path, size = tmp_path / "a.store", original.stat().st_size
    for length in [*range(0, 120, 7), *range(512, size, 512), size - 1]:
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        path.write_bytes(original.read_bytes()[:length])
        assert found(path) or content(path) == content(original), length  # what SQLite does not find, it takes for zeros


def test_many_findings_are_cut_short(tmp_path):
    path = tmp_path / "a.store"
    run(path, 40)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE profile SET t_ns = t_ns + 1")
    db.close()
    assert len(found(path)) == 21 and found(path)[-1] == "profile: more than 20 findings, the rest is not listed"
