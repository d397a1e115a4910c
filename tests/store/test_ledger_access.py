"""Who may open a register store: one writer, any number of readers, also where nothing can be written."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

from ctmeter.errors import StoreError
from ctmeter.store import _ledger_file
from ctmeter.store.ledger import Ledger
from store.ledger_job import intact, one, run

HOLD = "import sys; from ctmeter.store.ledger import Ledger; held = Ledger.open(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def path(tmp_path):
    run(tmp_path / "a.store", 3)
    return tmp_path / "a.store"


def test_a_second_writer_is_told_who_holds_it(path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        for second in (path, path.with_name("link")):
            if second != path:
                second.symlink_to(path)
            with pytest.raises(StoreError, match=f"is being written by python, process {holder.pid} on {os.uname().nodename}") as caught:
                Ledger.open(second)
            assert caught.value.errno == errno.EBUSY
        assert intact(path) == 3, "readers are not affected"
        holder.send_signal(signal.SIGKILL)
    assert path.with_name("a.store.lock").exists()
    with Ledger.open(path) as ledger:
        one(ledger, 3)
        with pytest.raises(StoreError, match=f"process {os.getpid()} "):
            Ledger.open(path)
    assert intact(path) == 4 and not path.with_name("a.store.lock").exists()


def test_a_lock_that_says_nothing(path):
    path.with_name("a.store.lock").write_text("left over, and of no matter")
    with Ledger.open(path):
        path.with_name("a.store.lock").write_text("\0")
        with pytest.raises(StoreError, match="another process"):
            Ledger.open(path)


def test_readers_see_each_commit(path):
    with Ledger.open(path, readonly=True) as early, Ledger.open(path) as writer, Ledger.open(path, readonly=True) as late:
        for step in range(3, 12):
            one(writer, step)
            for reader in (early, late):
                assert reader.state()["position"] == step + 1 and reader.content_hash() == writer.content_hash()
                assert reader.last_commit == writer.last_commit and reader.check() == []
        with pytest.raises(StoreError, match="opened for reading") as caught:
            early.commit(state={"position": 0})
        assert caught.value.errno == errno.EROFS
    assert intact(path) == 12


def test_locked_by_another_program(path, monkeypatch):
    monkeypatch.setattr(_ledger_file, "BUSY", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    with Ledger.open(path) as ledger:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program that is not ctmeter") as caught:
            one(ledger, 3)
        assert caught.value.errno == errno.EBUSY and caught.value.writing
        other.execute("ROLLBACK")
        one(ledger, 3)
    other.close()
    assert intact(path) == 4


def test_an_interrupt_in_a_commit(path, monkeypatch):
    """Whatever is raised, and wherever, the store knows what was committed."""
    carry_out = _ledger_file.carry_out

    def interrupted(db, statements):
        carry_out(db, list(statements)[:2])
        raise KeyboardInterrupt

    with Ledger.open(path) as ledger:
        monkeypatch.setattr(_ledger_file, "carry_out", interrupted)
        with pytest.raises(KeyboardInterrupt):
            one(ledger, 3)
        monkeypatch.setattr(_ledger_file, "carry_out", carry_out)
        assert ledger.state()["position"] == 3
        real = ledger._file.run

        def late(statements):
            real(statements)
            raise KeyboardInterrupt

        monkeypatch.setattr(ledger._file, "run", late)
        before, _ = ledger.last_commit
        with pytest.raises(KeyboardInterrupt):
            one(ledger, 3)
        assert ledger.last_commit[0] == before + 1
        monkeypatch.setattr(ledger._file, "run", real)
        one(ledger, 4)
    assert intact(path) == 5


def test_dropped_without_closing(path):
    ledger = Ledger.open(path)
    one(ledger, 3)
    del ledger
    assert intact(path) == 4
    Ledger.open(path).close()


READ = """
import sys
from ctmeter.errors import StoreError
from ctmeter.store.ledger import Ledger
with Ledger.open(sys.argv[1], readonly=True) as ledger:
    print(ledger.state()["position"], len(ledger.check()))
try:
    Ledger.open(sys.argv[1])
except StoreError as error:
    print(error.strerror)
"""


def as_guest(folder, path):
    """`READ` where neither the folder nor a file can be written; root gives the right to do so all the same away."""
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    try:
        plain = []
        if os.access(folder, os.W_OK):
            if shutil.which("setpriv") is None:
                pytest.skip("root without setpriv: nothing is read-only")
            plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        return subprocess.run([*plain, sys.executable, "-c", READ, str(path)], capture_output=True, text=True, timeout=60)
    finally:
        folder.chmod(0o755)
        for file in folder.iterdir():
            file.chmod(0o644)


def test_reading_where_nothing_can_be_written(path, tmp_path):
    done = as_guest(tmp_path, path)
    assert done.stdout == "3 0\ncannot be written: Permission denied\n", done.stderr
    with Ledger.open(path) as ledger:
        one(ledger, 3)
        done = as_guest(tmp_path, path)
        assert done.stdout == "4 0\ncannot be written: Permission denied\n", "beside a writer"
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("a.store", "a.store-wal"):
            shutil.copy(tmp_path / name, copy / name)
    done = as_guest(copy, copy / "a.store")
    assert "StoreError" in done.stderr and "copy both to a folder that can be written" in done.stderr
    assert intact(copy / "a.store") == 4
