"""kill -9 at random moments, a full disk and failing input and output at every call, one bit turned round: what was acknowledged is there."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from ctmeter.errors import StoreError
from ctmeter.meter import Meter
from ctmeter.store.ledger import Ledger
from fault_shim import compile_shim, run_child
from meter.bench import START, sines
from meter.feed_job import feed, small_blocks


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The content hash of the job that nothing disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        from ctmeter.pipeline import drive

        patch.setattr(drive, "_BLOCK_BYTES", 0)
        small_blocks()
        yield feed(tmp_path_factory.mktemp("whole") / "a.store")


def killed(path, delay):
    """Start the job, kill it after that many seconds; number and A+ of the last commit it told of, None where it had ended."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen([sys.executable, "-m", "meter.feed_job", str(path)], stdout=subprocess.PIPE, text=True, env=environment) as job:
        assert job.stdout.readline() == "begin\n"
        time.sleep(delay)
        job.send_signal(signal.SIGKILL)
        told = job.stdout.read().split("\n")[:-1]
        assert job.wait() in (-signal.SIGKILL, 0)
    if told and told[-1] == "end":
        return None
    number, units = (int(x) for x in told[-1].split()) if told else (0, 0)
    return number, units


def kill_and_resume(folder, seed, expected):
    """One job, killed once; gives the commit it had acknowledged."""
    path = folder / "a.store"
    acknowledged = killed(path, 1.2 * random.Random(seed).random())
    if path.exists():
        with Meter.open(path, readonly=True) as meter:
            assert meter.check() == []
            if acknowledged is not None:
                number, units = acknowledged
                assert meter.ledger.last_commit[0] >= number and meter.machine.registers.value("A+") >= units
    else:
        assert acknowledged == (0, 0)
    assert feed(path) == expected
    with Meter.open(path, readonly=True) as meter:
        assert meter.check() == []
    return acknowledged


@pytest.mark.feature("A7", "C1")
def test_kill_at_random_moments(tmp_path, uninterrupted):
    seen = []
    for seed in range(10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        seen.append(kill_and_resume(folder, seed, uninterrupted))
    assert sum(a is not None and a[1] > 0 for a in seen) >= 3, "few were killed amid their commits"


@pytest.mark.feature("A7")
def test_a_meter_whose_making_was_interrupted(tmp_path, monkeypatch):
    """Between the store and its first commit: what is there opens as a meter that has measured nothing."""
    path = tmp_path / "a.store"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Ledger, "commit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        Meter.create(path, {"ct_ratio": 30})
    with Meter.open(path, readonly=True) as meter:
        assert meter.config.ct_ratio == 30 and meter.machine.now_ns is None and meter.check() == []
    with Meter.open(path) as meter:
        meter.feed(sines(3.0))
        found = meter.ledger.content_hash()
        assert [a for (a,) in meter.ledger.rows("audit", columns=["action"])] == ["create", "feed"]
    with Meter.create(tmp_path / "b.store", {"ct_ratio": 30}) as meter:
        meter.feed(sines(3.0))
        assert meter.ledger.content_hash() == found


@pytest.mark.long
@pytest.mark.feature("A7", "C1")
@pytest.mark.parametrize("first", [1000, 1040, 1080, 1120, 1160])
def test_kill_at_200_random_moments(tmp_path, uninterrupted, first):
    for seed in range(first, first + 40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        kill_and_resume(folder, seed, uninterrupted)
        shutil.rmtree(folder)


#: Runs in a process with the shim: fails each call in turn, then feeds again.
CHILD = """
import ctypes, errno, json, pathlib, shutil, sys
from ctmeter.errors import StoreError
from ctmeter.meter import Meter
from meter.feed_job import CONFIG, feed, small_blocks

shim = ctypes.CDLL(sys.argv[1])
folder, number, mode, every = pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
small_blocks()
SECONDS = 1.5
expected = feed(folder / "whole.store", SECONDS)
Meter.create(folder / "new.store", CONFIG).close()
report = {"calls": 0, "errors": 0, "absorbed": 0, "errnos": []}
for k in range(1, 100_000, every):
    path = folder / "faulty" / "a.store"
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    shutil.copy(folder / "new.store", path)
    told = [0, 0]

    def tell(n, units):
        told[:] = n, units

    shim.faults_arm(b"/faulty", k, number, mode)
    try:
        feed(path, SECONDS, tell)
        raised = None
    except StoreError as error:
        raised = error
    seen = shim.faults_seen()
    shim.faults_arm(b"", 0, 0, 0)
    if seen < k:
        break
    report["calls"] = k
    if raised is None:
        report["absorbed"] += 1
    else:
        report["errors"] += 1
        assert str(path) in str(raised) and raised.strerror, raised
        report["errnos"] = sorted({*report["errnos"], errno.errorcode[raised.errno]})
    with Meter.open(path, readonly=True) as meter:
        assert meter.check() == [], k
        assert meter.ledger.last_commit[0] >= told[0] and meter.machine.registers.value("A+") >= told[1], (k, told)
    assert feed(path, SECONDS) == expected, k
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.mark.feature("A7", "C1")
@pytest.mark.parametrize(
    ("error", "mode", "every"),
    [
        ("ENOSPC", 1, 3),
        ("EIO", 0, 5),
        pytest.param("ENOSPC", 0, 1, marks=pytest.mark.long),
        pytest.param("ENOSPC", 1, 1, marks=pytest.mark.long),
        pytest.param("ENOSPC", 2, 1, marks=pytest.mark.long),
        pytest.param("EIO", 0, 1, marks=pytest.mark.long),
        pytest.param("EIO", 1, 1, marks=pytest.mark.long),
    ],
)
def test_a_fault_at_every_call(shim, tmp_path, error, mode, every):
    done = run_child(CHILD, str(shim), str(tmp_path), str(getattr(errno, error)), str(mode), str(every), shim=shim)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["calls"] > 50 and report["errors"] > 50 / every, report
    assert error in report["errnos"] and set(report["errnos"]) <= {error, "EIO"}, report


# -- bits ----------------------------------------------------------------------------------------------------------


def cells(db, table):
    """Every stored value of a table: (rowid, column)."""
    columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
    return [(rowid, column) for (rowid,) in db.execute(f"SELECT rowid FROM {table}") for column in columns]


def turned(value, bit):
    """The value with one bit the other way."""
    if isinstance(value, int):
        return value ^ (1 << bit % 62)
    if isinstance(value, float):
        (bits,) = struct.unpack("<q", struct.pack("<d", value))
        return struct.unpack("<d", struct.pack("<q", bits ^ (1 << bit % 52)))[0]
    data = bytearray(value.encode() if isinstance(value, str) else value)
    data[bit // 8 % len(data)] ^= 1 << (bit % 7 if isinstance(value, str) else bit % 8)
    return data.decode(errors="replace") if isinstance(value, str) else bytes(data)


@pytest.mark.feature("B9", "D4", "A7")
def test_one_bit_of_any_committed_row(tmp_path):
    """In each legal table every column of some rows, a bit at random: found, and named as legal; the error symbol comes on."""
    path, choice = tmp_path / "a.store", random.Random(11)
    with Meter.create(path, {"analysis_interval": 1, "billing_interval": "00", "module": "15", "input_1": "s"}) as meter:
        n = 960 * 800
        meter.feed(sines(960.0, (900.0,) * 3, fs=800.0, status={"s": np.arange(n) > n // 2}), every_s=60)
        meter.change_ratio(30, reason="test")
        meter.feed(sines(960.0, (900.0,) * 3, fs=800.0, start=START + 960_000_000_000, status={"s": np.arange(n) > n // 2}), every_s=60)
        legal = [name for name, spec in meter.ledger.tables.items() if spec.legal and name != "meta"]
        assert meter.check() == [] and meter.faults() == []
        assert {"registers", "profile", "billing", "events", "ratios", "audit", "state", "recordings"} <= {*legal}
    for extra in ("-wal", "-shm"):
        (tmp_path / f"a.store{extra}").unlink(missing_ok=True)
    tried = refused = 0
    for table in legal:
        with sqlite3.connect(path) as db:
            found = cells(db, table)
        for rowid, column in choice.sample(found, min(len(found), 25)):
            copy = tmp_path / "copy.store"
            shutil.copy(path, copy)
            db = sqlite3.connect(copy, isolation_level=None)
            (value,) = db.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
            if value is None or value in ("", b""):
                db.close()
                continue
            new = turned(value, choice.randrange(10_000))
            db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (new, rowid))
            db.close()
            tried += 1
            with Ledger.open(copy, readonly=True) as ledger:
                assert any(f.legal for f in ledger.check()), (table, rowid, column, value, new)
            try:
                with Meter.open(copy, readonly=True) as meter:
                    assert meter.check() and meter.indicators().error
            except StoreError as error:
                assert error.errno == errno.EIO and str(copy) in str(error)
                refused += 1
            for end in ("", "-wal", "-shm"):
                (tmp_path / f"copy.store{end}").unlink(missing_ok=True)
    assert tried > 120 > 2 * refused
