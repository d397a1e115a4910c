"""kill -9 at random moments, a full disk and failing input and output at every call: what was acknowledged is there, and the job goes on."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fault_shim import compile_shim
from store.ledger_job import intact, run

JOB = Path(__file__).with_name("ledger_job.py")
STEPS = 250


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The content hash of the job that nothing disturbed."""
    return run(tmp_path_factory.mktemp("whole") / "a.store", STEPS)


def killed(path, delay):
    """Start the job, kill it after that many seconds; the last position it acknowledged, None where it had ended."""
    with subprocess.Popen([sys.executable, str(JOB), str(path), str(STEPS)], stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "begin\n"
        time.sleep(delay)
        job.send_signal(signal.SIGKILL)
        told = job.stdout.read().split("\n")[:-1]
        assert job.wait() in (-signal.SIGKILL, 0)
    if told and told[-1].startswith("end"):
        return None
    return int(told[-1]) if told else 0


def kill_and_resume(folder, seed, expected):
    """One job, killed twice; gives what it had acknowledged each time."""
    path, choice, seen, done = folder / "a.store", random.Random(seed), [], 0
    for _ in range(2):
        acknowledged = killed(path, choice.choice([0.02, 0.1, 0.1, 0.1]) * choice.random())
        seen.append(acknowledged)
        least = STEPS if acknowledged is None else max(acknowledged, done)
        done = intact(path) if path.exists() else 0
        assert least <= done <= least + 1, "what was acknowledged is there, and at most the commit that was on its way"
    assert run(path, STEPS) == expected and intact(path) == STEPS
    assert [p.name for p in folder.iterdir() if not p.name.endswith(("-wal", "-shm"))] == ["a.store"]
    return seen


def test_kill_at_random_moments(tmp_path, uninterrupted):
    seen = []
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        seen += kill_and_resume(folder, seed, uninterrupted)
    assert any(seen), "none was killed amid its commits"


@pytest.mark.long
def test_kill_at_200_random_moments(tmp_path, uninterrupted):
    for seed in range(1000, 1100):
        folder = tmp_path / str(seed)
        folder.mkdir()
        kill_and_resume(folder, seed, uninterrupted)
        shutil.rmtree(folder)


#: Runs in a process with the shim: fails each call in turn, and tries again, in the same object and after opening anew.
CHILD = """
import ctypes, errno, json, pathlib, shutil, sys
from ctmeter.errors import StoreError
from ctmeter.store.ledger import Ledger
from store.ledger_job import intact, one, run, start

shim = ctypes.CDLL(sys.argv[1])
folder, number, mode = pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
STEPS = 2
expected = run(folder / "whole.store", STEPS)
report = {"calls": 0, "errors": 0, "absorbed": 0, "retried": 0, "errnos": []}

def job(path):
    told = 0
    with start(path) as ledger:
        for step in range(STEPS):
            one(ledger, step)
            told = step + 1
            yield told

def retrying(path):
    # the same object after a failure, without opening anew
    with start(path) as ledger:
        for step in range(STEPS):
            try:
                one(ledger, step)
            except StoreError as error:
                report["retried"] += 1
                if ledger.state().get("position", 0) == step:
                    one(ledger, step)

for again in (False, True) if mode == 0 else (False,):
    for k in range(1, 10_000):
        path = folder / "faulty" / "a.store"
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir()
        told = 0
        shim.faults_arm(b"/faulty", k, number, mode)
        try:
            if again:
                retrying(path)
                told = STEPS
            else:
                for told in job(path):
                    pass
            raised = None
        except StoreError as error:
            raised = error
        seen = shim.faults_seen()
        shim.faults_arm(b"", 0, 0, 0)
        if seen < k:
            break
        report["calls"] = max(report["calls"], k)
        if raised is None:
            report["absorbed"] += 1
        else:
            report["errors"] += 1
            assert raised.filename == str(path) and raised.strerror, raised
            report["errnos"] = sorted({*report["errnos"], errno.errorcode[raised.errno]})
        done = intact(path) if path.exists() else 0
        assert told <= done <= told + 1, (k, told, done)
        assert run(path, STEPS) == expected, k
        assert intact(path) == STEPS
        assert [p.name for p in path.parent.iterdir() if not p.name.endswith(("-wal", "-shm"))] == ["a.store"]
report["kinds"] = [shim.faults_of(kind) for kind in range(4)]
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The compiled shim."""
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.mark.parametrize(
    ("error", "mode"),
    [("ENOSPC", 1), ("EIO", 0), *(pytest.param(e, m, marks=pytest.mark.long) for e, m in (("ENOSPC", 0), ("ENOSPC", 2), ("EIO", 1)))],
)
def test_a_fault_at_every_call(shim, tmp_path, error, mode):
    python_path = os.pathsep.join([str(JOB.parents[1]), *sys.path[1:]])
    environment = {**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": python_path}
    command = [sys.executable, "-c", CHILD, str(shim), str(tmp_path), str(getattr(errno, error)), str(mode)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["calls"] > 100 and report["errors"] > 100, report
    assert error in report["errnos"] and set(report["errnos"]) <= {error, "EIO"}, "SQLite has one word for whatever fails beside a full disk"
    assert all(report["kinds"]), report
    assert (report["retried"] > 0) == (mode == 0)
