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


#: Stands before the C library and fails the k-th call that writes to a file whose path contains a text.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char text[256];
static long at, seen, by_kind[4];
static int number, mode;  /* mode: 0 that call alone, 1 all from then on, 2 that one half, and all after it */

void faults_arm(const char *needle, long k, int error, int how) {
    snprintf(text, sizeof text, "%s", needle);
    at = k; seen = 0; number = error; mode = how;
}
long faults_seen(void) { return seen; }
long faults_of(int kind) { return by_kind[kind]; }

/* 0: go on, 1: fail, 2: write half */
static int verdict(int fd, int kind) {
    char link[64], path[4096];
    ssize_t n;
    if (!text[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    if (!strstr(path, text)) return 0;
    by_kind[kind]++;
    seen++;
    if (seen < at || (seen > at && mode == 0)) return 0;
    if (seen == at && mode == 2 && kind == 0) return 2;
    errno = number;
    return 1;
}
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

#define WRITES(name, parameters, arguments)                                  \
    ssize_t name parameters {                                                \
        static ssize_t(*next) parameters;                                    \
        int v = verdict(fd, 0);                                              \
        if (!next) *(void **)&next = real(#name);                            \
        if (v == 1) return -1;                                               \
        if (v == 2) size /= 2;                                               \
        return next arguments;                                               \
    }
#define OTHERS(name, kind, parameters, arguments)                            \
    int name parameters {                                                    \
        static int(*next) parameters;                                        \
        if (verdict(fd, kind)) return -1;                                    \
        if (kind < 3) return 0; /* the medium is not what is tested */       \
        if (!next) *(void **)&next = real(#name);                            \
        return next arguments;                                               \
    }
WRITES(write, (int fd, const void *data, size_t size), (fd, data, size))
WRITES(pwrite, (int fd, const void *data, size_t size, off_t place), (fd, data, size, place))
WRITES(pwrite64, (int fd, const void *data, size_t size, off64_t place), (fd, data, size, place))
OTHERS(fsync, 1, (int fd), (fd))
OTHERS(fdatasync, 2, (int fd), (fd))
OTHERS(ftruncate, 3, (int fd, off_t size), (fd, size))
OTHERS(ftruncate64, 3, (int fd, off64_t size), (fd, size))
"""

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
    if shutil.which("gcc") is None:
        pytest.skip("no gcc to compile the shim that injects faults")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "faults.c").write_text(SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", "faults.so", "faults.c", "-ldl"], cwd=folder, check=True, timeout=60)
    return folder / "faults.so"


@pytest.mark.parametrize(("error", "mode"), [("ENOSPC", 0), ("ENOSPC", 1), ("ENOSPC", 2), ("EIO", 0), ("EIO", 1)])
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
