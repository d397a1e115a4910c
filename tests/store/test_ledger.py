"""The register store: what is written, read, refused and migrated."""

from __future__ import annotations

import errno
import hashlib
import json
import sqlite3
import struct
import time

import numpy as np
import pytest

from ctmeter.errors import CtmeterError, StoreError
from ctmeter.store.ledger import Ledger, Migration, TableSpec
from store.ledger_job import KEPT, intact, one, registers, run

KINDS = TableSpec("kinds", (("i", "INTEGER"), ("r", "REAL"), ("t", "TEXT"), ("b", "BLOB")))
NOW = TableSpec("now", (("k", "INTEGER"), ("t", "TEXT"), ("v", "REAL")), kind="current", key=("k", "t"))


@pytest.fixture
def ledger(tmp_path):
    with Ledger.create(tmp_path / "a.store", [KINDS, NOW], {"program": "test"}) as made:
        yield made


def listing(path):
    return sorted(p.name for p in path.iterdir())


def refused(number, words, call, *args, **kwargs):
    """The call raises a `StoreError` of that errno with these words, which names the store."""
    with pytest.raises(StoreError) as caught:
        call(*args, **kwargs)
    assert caught.value.errno == number and words in str(caught.value) and "a.store" in caught.value.filename
    assert isinstance(caught.value, CtmeterError) and isinstance(caught.value, OSError)


def test_values_come_back_as_they_were(ledger):
    rows = [
        (2**63 - 1, 1e-300, "Straße 1 µΩ", b"\0\xff"),
        (-(2**63), float("inf"), "", b""),
        (None, None, None, None),
        (np.int64(7), np.float32(0.5), "x", bytearray(b"y")),
        (True, 3, "x", memoryview(b"z")),
        (0, float("nan"), "NaN is null", b""),
    ]
    assert ledger.commit({"kinds": rows}) == 2
    read = ledger.rows("kinds")
    assert read[:3] == rows[:3] and read[3:5] == [(7, 0.5, "x", b"y"), (1, 3.0, "x", b"z")] and read[5][1] is None
    assert ledger.rows("kinds", 2, 4, ["seq", "i"]) == [(2, -(2**63)), (3, None)]
    assert ledger.rows("kinds", start=6, columns=["t"]) == [("NaN is null",)] and ledger.rows("kinds", stop=1) == []


def test_current_rows_replace_those_with_their_key(ledger):
    ledger.commit(current={"now": [(2, "a", 1.0), (1, "b", 2.0), (1, "a", 3.0)]}, state={"position": 5, "list": [1, 2.5, None, "ä"]})
    assert ledger.commit(current={"now": [(2, "a", 4.0), (1, "b", 2.0)]}, state={"position": 6}) == 3
    assert ledger.rows("now") == [(1, "a", 3.0), (1, "b", 2.0), (2, "a", 4.0)]
    assert ledger.state() == {"position": 6, "list": [1, 2.5, None, "ä"]}
    assert ledger.commit(current={"now": [(1, "b", 2.0)]}, state={"position": 6}) == 3, "nothing changed, no commit"
    assert ledger.check() == []


def test_columns_as_arrays(ledger):
    assert [a.dtype for a in ledger.columns("kinds").values()] == [np.int64, np.float64, object, object]
    ledger.commit({"kinds": [(2**62 + 1, 0.5, "a", b"1"), (4, None, None, b"2"), (None, 2.0, "c", None)]})
    columns = ledger.columns("kinds", 1, 3)
    assert columns["i"].tolist() == [2**62 + 1, 4] and not isinstance(columns["i"], np.ma.MaskedArray)
    assert columns["r"][0] == 0.5 and np.isnan(columns["r"][1]) and columns["t"].tolist() == ["a", None] and columns["b"].tolist() == [b"1", b"2"]
    masked = ledger.columns("kinds")["i"]
    assert masked.dtype == np.int64 and masked.tolist() == [2**62 + 1, 4, None]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((1, 1.0, "x"), "expected 4 values"),
        ("text", "expected 4 values"),
        ((1.5, 1.0, "x", b""), "column i: expected INTEGER, found 1.5"),
        ((2**63, 1.0, "x", b""), "column i: expected INTEGER"),
        ((1, "1", "x", b""), "column r: expected REAL, found '1'"),
        ((1, 10**400, "x", b""), "column r: expected REAL"),
        ((1, 1.0, 5, b""), "column t: expected TEXT, found 5"),
        ((1, 1.0, "\ud800", b""), "column t: expected TEXT"),
        ((1, 1.0, "a\0b", b""), "column t: expected TEXT"),
        ((1, 1.0, "x", "y"), "column b: expected BLOB, found 'y'"),
    ],
)
def test_a_row_that_does_not_fit(ledger, row, words):
    before = ledger.last_commit
    refused(errno.EINVAL, words, ledger.commit, {"kinds": [(1, 1.0, "good", b""), row]}, {"now": [(1, "a", 1.0)]})
    assert ledger.last_commit == before and ledger.rows("kinds") == ledger.rows("now") == [] and ledger.check() == []


def test_other_refusals(ledger, tmp_path):
    refused(errno.EINVAL, "no append-only table 'now', expected one of: kinds", ledger.commit, {"now": []})
    refused(errno.EINVAL, "no current table 'meta', expected one of: state, now", ledger.commit, current={"meta": [("a", "b")]})
    refused(errno.EINVAL, "no append-only table 'commits'", ledger.commit, {"commits": [("{}",)]})
    refused(errno.EINVAL, "a key cannot be null", ledger.commit, current={"now": [(None, "a", 1.0)]})
    refused(errno.EINVAL, "state 'x'", ledger.commit, state={"x": float("nan")})
    refused(errno.EINVAL, "rows to keep", ledger.commit, trims={"kinds": -1})
    refused(errno.EINVAL, "no such table or column: nothing", ledger.rows, "nothing")
    refused(errno.EINVAL, "kinds volume, expected one of the columns seq, i, r", ledger.rows, "kinds", columns=["volume"])
    refused(errno.EINVAL, "not a number to start", ledger.rows, "now", 1)
    refused(errno.ENOENT, "no such register store", Ledger.open, tmp_path / "none.a.store")
    refused(errno.ENOENT, "", Ledger.create, tmp_path / "no folder" / "a.store", [], {})
    refused(errno.EBUSY, "", Ledger.create, ledger.path, [KINDS, NOW], {})
    ledger.close()
    ledger.close()
    for call in (ledger.rows, ledger.columns):
        refused(errno.EBADF, "is closed", call, "kinds")
    for call in (ledger.commit, ledger.check, ledger.content_hash):
        refused(errno.EBADF, "is closed", call, *([{"kinds": [(1, 1.0, "", b"")]}] if call == ledger.commit else []))


@pytest.mark.parametrize(
    "make",
    [
        lambda: TableSpec("a b", (("x", "TEXT"),)),
        lambda: TableSpec("sqlite_a", (("x", "TEXT"),)),
        lambda: TableSpec("a", ()),
        lambda: TableSpec("a", (("x", "NUMERIC"),)),
        lambda: TableSpec("a", (("x", "TEXT"), ("X", "TEXT"))),
        lambda: TableSpec("a", (("seq", "INTEGER"),)),
        lambda: TableSpec("a", (("x", "TEXT"),), key=("x",)),
        lambda: TableSpec("a", (("x", "REAL"),), kind="current", key=("x",)),
        lambda: TableSpec("a", (("x", "TEXT"),), kind="other", key=("x",)),
    ],
)
def test_a_description_that_cannot_be_used(make):
    with pytest.raises(ValueError, match="table"):
        make()


def test_names_of_tables_are_taken_once(tmp_path):
    for names in (["a", "A"], ["state"], ["heads"]):
        with pytest.raises(ValueError, match="is taken"):
            Ledger.create(tmp_path / "s", [TableSpec(n, (("x", "TEXT"),)) for n in names], {})
    assert listing(tmp_path) == []


def test_create_never_replaces(tmp_path):
    path = tmp_path / "a.store"
    with Ledger.create(path, [KINDS], {"made": "2026-01-01"}) as made:
        made.commit({"kinds": [(1, 1.0, "", b"")]})
        assert made.meta["made"] == "2026-01-01" and made.meta["schema_version"] == "1"
        assert set(made.tables) == {"meta", "state", "commits", "kinds"}
    assert listing(tmp_path) == ["a.store"]
    refused(errno.EEXIST, "exists", Ledger.create, path, [KINDS], {})
    refused(errno.EEXIST, "other tables", Ledger.create, path, [NOW], {}, exist_ok=True)
    with Ledger.create(path, [KINDS], {}, exist_ok=True) as same:
        assert len(same.rows("kinds")) == 1 and same.meta["made"] == "2026-01-01"
    (tmp_path / "b.a.store-wal").write_bytes(b"left over")
    refused(errno.EEXIST, "write-ahead log of another store", Ledger.create, tmp_path / "b.a.store", [KINDS], {})
    assert listing(tmp_path) == ["a.store", "b.a.store-wal"]


@pytest.mark.parametrize("content", [b"", b"text\n" * 1000, b"SQLite format 3\0" + bytes(4080)])
def test_what_is_no_store(tmp_path, content):
    path = tmp_path / "a.store"
    path.write_bytes(content)
    for readonly in (True, False):
        refused(errno.EIO, "no register store", Ledger.open, path, readonly)
    assert path.read_bytes() == content and listing(tmp_path)[0] == "a.store" and "a.store.lock" not in listing(tmp_path)


def test_the_hashes_are_those_of_the_documented_bytes(tmp_path):
    """Recomputed from the words of the module, without its code, from what any SQLite tool reads."""
    path = tmp_path / "a.store"
    run(path, 3)
    db = sqlite3.connect(path)

    def encoded(values):
        letters = {int: (">cq", b"I"), float: (">cd", b"R")}
        out = b""
        for v in values:
            if v is None:
                out += b"N"
            elif isinstance(v, int | float):
                form, letter = letters[type(v)]
                out += struct.pack(form, letter, v)
            else:
                data = v.encode() if isinstance(v, str) else v
                out += struct.pack(">cQ", b"T" if isinstance(v, str) else b"B", len(data)) + data
        return out

    kinds = {"profile": "a", "ring": "a", "audit": "a", "commits": "a", "registers": "c", "state": "c", "meta": "c"}
    for name, kind in kinds.items():
        prefix = struct.pack(">cQ", kind.encode(), len(name)) + name.encode()
        rows = db.execute(f"SELECT * FROM {name}").fetchall()
        assert rows, name
        before = None
        for row in rows:
            if kind == "a":
                seq, *values, prev, digest = row
                assert before in (None, prev)
                assert hashlib.sha256(prefix + struct.pack(">cq", b"I", seq) + encoded(values) + prev).digest() == digest
                before = digest
            else:
                assert hashlib.sha256(prefix + encoded(row[:-1])).digest() == row[-1]
    described = json.loads(db.execute("SELECT value FROM meta WHERE key = 'tables'").fetchone()[0])
    canonical = json.dumps(described[0], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert db.execute("SELECT prev FROM profile WHERE seq = 1").fetchone()[0] == hashlib.sha256(canonical.encode()).digest()
    db.close()


def test_the_content_hash_does_not_tell_how_it_came_about(tmp_path):
    whole = run(tmp_path / "whole", 9)
    for steps in (2, 5, 5, 9):
        last = run(tmp_path / "parts", steps)
    assert last == whole
    with Ledger.open(tmp_path / "parts") as parts, Ledger.open(tmp_path / "whole", readonly=True) as other:
        assert len(parts.rows("audit")) == 4 and len(other.rows("audit")) == 1 and parts.last_commit != other.last_commit
        parts.commit({"audit": [("more",)]})
        assert parts.content_hash() == whole
        parts.commit(state={"position": 10})
        assert parts.content_hash() != whole
        parts.commit(state={"position": 9})
        assert parts.content_hash() == whole, "what is replaced leaves no trace in the content, only in the commits"
        parts.commit(current={"registers": [("A+", registers(8)[0][1] ^ 1, registers(8)[0][2])]})
        assert parts.content_hash() != whole


def test_a_ring_stays_provable(tmp_path):
    path = tmp_path / "a.store"
    run(path, KEPT + 20)
    assert intact(path) == KEPT + 20
    with Ledger.open(path) as ledger:
        assert [s for (s,) in ledger.rows("ring", columns=["seq"])] == list(range(21, 27))
        ledger.commit(trims={"ring": 0, "profile": 10**9})
        assert ledger.rows("ring") == [] and len(ledger.rows("profile")) == 3 * (KEPT + 20) and ledger.check() == []
        one(ledger, KEPT + 20)
        assert ledger.rows("ring", columns=["seq"]) == [(27,)] and ledger.check() == []
    with Ledger.open(path) as ledger:
        assert ledger.check() == []


def version_2(step: Migration) -> None:
    step.add_table(TableSpec("extra", (("x", "REAL"),)))
    step.put("extra", [(1.0,)])
    wider = TableSpec("ring", (("n", "INTEGER"), ("length", "INTEGER")))
    step.replace_table(wider, [(n, len(wave)) for n, wave in step.rows("ring")])
    step.put("state", [("migrated", "true")])
    step.meta["program"] = "newer"


def test_migration(tmp_path):
    path = tmp_path / "a.store"
    run(path, KEPT + 2)
    steps = {
        1: version_2,
        2: lambda step: step.replace_table(TableSpec("registers", (("name", "TEXT"),), kind="current", key=("name",)), [("A+",)] * 3),
    }
    refused(errno.ENOTSUP, "nothing is known that brings it to 2", Ledger.open, path, version=2)
    with pytest.raises(ValueError, match="expected all rows"):
        Ledger.open(path, version=3, migrations=steps)
    assert intact(path) == KEPT + 2, "a migration that fails changes nothing"
    with Ledger.open(path, readonly=True, version=2) as old:
        assert old.meta["schema_version"] == "1" and "extra" not in old.tables, "older stores are readable as they are"
    with Ledger.open(path, version=2, migrations=steps) as new:
        assert new.meta["schema_version"] == "2" and new.meta["program"] == "newer" and new.state()["migrated"] is True
        assert new.rows("ring", columns=["seq", "n", "length"]) == [(k + 1, k, 40_000) for k in range(2, 8)] and new.rows("extra") == [(1.0,)]
        assert new.check() == []
        new.commit({"ring": [(8, 0)], "extra": [(2.0,)]}, trims={"ring": KEPT})
        assert new.check() == []
    for readonly in (True, False):
        refused(errno.ENOTSUP, "schema version 2, this program knows 1", Ledger.open, path, readonly)
    with Ledger.open(path, version=2) as new:
        assert new.check() == [] and new.rows("ring")[-1] == (8, 0)


def test_a_year_of_profile_is_read_at_once(tmp_path):
    columns = (("t_ns", "INTEGER"), ("flags", "INTEGER"), *((f"c{k}", "REAL") for k in range(10)))
    with Ledger.create(tmp_path / "a.store", [TableSpec("profile", columns)], {}) as ledger:
        ledger.commit({"profile": [(900 * k, k % 7, *(k / 3 + c for c in range(10))) for k in range(35_040)]})
    with Ledger.open(tmp_path / "a.store", readonly=True) as ledger:
        for read in (ledger.rows, ledger.columns):
            best = 1e9
            for _ in range(3):
                begun = time.perf_counter()
                result = read("profile")
                best = min(best, time.perf_counter() - begun)
            assert best < 0.3
        assert result["c9"][-1] == 35_039 / 3 + 9 and result["t_ns"][-1] == 900 * 35_039 and ledger.check() == []
