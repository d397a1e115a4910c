"""Engines of this machine: each task once, whatever the order, the number of workers, and whatever kills them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from batch.engine_jobs import Task, begun, carry_out, squares, until
from ctmeter.batch import engines, pool
from ctmeter.batch.engines import Died, Interrupted, WorkerError, stop_signals, usable_cores
from ctmeter.batch.pool import InProcess, ProcessPool, open_engine
from ctmeter.errors import InputError, SettingsError
from ctmeter.recording import Gap


def job(folder: Path, tasks: int, **options) -> subprocess.Popen[str]:
    """A program with two workers."""
    code = f"from batch.engine_jobs import main; main({str(folder)!r}, {tasks})"
    path = os.pathsep.join(p for p in sys.path if p)
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, **options)


def alive(process: int) -> bool:
    """Whether a process runs; one that only waits to be asked how it ended does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("make", [InProcess, lambda: ProcessPool(1), lambda: ProcessPool(2), lambda: ProcessPool(5)])
@pytest.mark.parametrize("chunk", [1, 64])
def test_results_do_not_depend_on_the_engine(make, chunk: int):
    with make() as engine:
        assert squares(engine, [], chunk=chunk) == {}
        assert squares(engine, (Task(k) for k in range(500)), chunk=chunk) == {k: k * k + 3 for k in range(500)}


def test_workers_are_kept_and_no_more_than_needed():
    with ProcessPool(4) as engine:
        first = {process for _, (_, process) in engine.map(carry_out, [Task(1)])}
        assert len(first) == 1 and os.getpid() not in first
        assert {process for _, (_, process) in engine.map(carry_out, [Task(2)], 7)} == first
        [worker] = engine._workers
        assert alive(worker._process.pid)
    assert not alive(worker._process.pid)


def test_tasks_are_taken_as_they_are_needed():
    taken = count()
    with ProcessPool(2) as engine:
        for done, _ in enumerate(engine.map(carry_out, (Task(next(taken)) for _ in range(100_000)), chunk=16), 1):
            if done == 2000:
                break
        assert next(taken) <= 2000 + 2 * 2 * 16 + 2 * 16


def test_small_tasks_cost_far_less_than_a_millisecond():
    with ProcessPool(2) as engine:
        squares(engine, [Task(0)])
        begin = time.perf_counter()
        assert len(squares(engine, (Task(k) for k in range(10_000)))) == 10_000
        assert time.perf_counter() - begin < 3.0, "0.3 ms for each; about 0.01 ms on an idle machine"


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_task_that_kills_its_worker_is_tried_alone_and_then_given_up(tmp_path, jobs: int):
    kinds = {0: "kill", 17: "once", 18: "kill", 40: "exit", 99: "once"}
    with ProcessPool(jobs) as engine:
        found = squares(engine, [Task(k, kinds.get(k, "square"), str(tmp_path)) for k in range(100)])
    dead = {k: found.pop(k) for k in (0, 18, 40)}
    assert found == {k: k * k + 3 for k in range(100) if k not in dead}
    assert dead[0] == dead[18] == Died("a worker was killed by SIGKILL twice, the second time while nothing else ran")
    assert "exit code 7" in dead[40].reason
    tries = {k: begun(Task(k, folder=str(tmp_path))) for k in range(100)}
    assert {k: n for k, n in tries.items() if n != 1} == {k: 2 for k in kinds}, "nobody else's task was done again"


def test_a_worker_killed_from_outside(tmp_path):
    """What it was at is done by another; an idle one is replaced."""
    with ProcessPool(2) as engine:
        found = {}
        for task, result in engine.map(carry_out, (Task(k, folder=str(tmp_path)) for k in range(400)), 3, chunk=4):
            found[task.number] = result[0]
            if task.number % 50 == 10 and engine._workers:
                os.kill(engine._workers[0]._process.pid, signal.SIGKILL)
        assert found == {k: k * k + 3 for k in range(400)}
        for worker in engine._workers:
            os.kill(worker._process.pid, signal.SIGKILL)
        assert squares(engine, [Task(5)]) == {5: 28}


def test_what_a_function_raises_is_raised_here(tmp_path):
    with pytest.raises(InputError, match=r"^2.cfg, line 3: is not to be had") as caught, ProcessPool(2) as engine:
        squares(engine, [Task(1), Task(2, "raise"), *(Task(k, "wait", str(tmp_path)) for k in (3, 4))])
    assert caught.value.line == 3 and any("carry_out" in note for note in caught.value.__notes__)
    assert not engine._workers


def test_a_function_that_workers_cannot_import(monkeypatch):
    here = ModuleType("only_here")
    exec("def double(x):\n    return 2 * x", here.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", here)
    with pytest.raises(ModuleNotFoundError, match="only_here"), ProcessPool(1) as engine:
        list(engine.map(here.double, [1]))


def test_workers_that_cannot_start(monkeypatch):
    monkeypatch.setattr(pool, "_environment", lambda scratch: {"PYTHONHOME": "/nowhere"})
    with (
        pytest.raises(WorkerError, match=r"workers cannot be started: a worker ended with exit code 1 before it was ready, 3 times"),
        ProcessPool(2) as engine,
    ):
        squares(engine, [Task(1)])


def test_workers_have_one_thread_each_and_write_nothing_to_standard_output(capfd):
    with ProcessPool(1) as engine:
        assert dict(engine.map(os.getenv, pool._THREADS)) == dict.fromkeys(pool._THREADS, "1")
        list(engine.map(print, ["a word"]))
    assert capfd.readouterr() == ("", "a word\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whom", ["parent", "group"])
def test_signals_stop_within_two_seconds(tmp_path, number: signal.Signals, whom: str):
    with job(tmp_path, 5, stderr=subprocess.PIPE, start_new_session=True) as running:
        assert until(lambda: all(begun(Task(k, folder=str(tmp_path))) for k in (5, 6)), 30)
        workers = [int((tmp_path / f"{k}.begun").read_text()) for k in (5, 6)]
        begin = time.monotonic()
        if whom == "group":  # as a terminal does
            os.killpg(running.pid, number)
        else:
            running.send_signal(number)
        out, err = running.communicate(timeout=10)
        took = time.monotonic() - begin
    assert running.returncode == 130
    assert sorted(out.splitlines()) == sorted([*"01234", f"interrupted by {number.name}"]) and err == ""
    assert took < 2.0
    assert not any(alive(w) for w in workers)


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    with job(tmp_path, 0) as running:
        assert until(lambda: all(begun(Task(k, folder=str(tmp_path))) for k in (0, 1)), 30)
        workers = [int((tmp_path / f"{k}.begun").read_text()) for k in (0, 1)]
        assert all(alive(w) for w in workers)
        running.kill()
    assert until(lambda: not any(alive(w) for w in workers), 2.0)


def test_signals_are_as_before_afterwards():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Interrupted, match="SIGTERM"), stop_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="SIGINT"), stop_signals():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)  # disturbs no stopping
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_choice_of_engine():
    assert isinstance(open_engine(1), InProcess)
    assert isinstance(open_engine(3), ProcessPool) and open_engine(3).jobs == 3
    assert open_engine().jobs == usable_cores()
    for jobs in (0, -1):
        with pytest.raises(SettingsError, match=f"jobs: {jobs} workers"):
            open_engine(jobs)
    with pytest.raises(SettingsError, match="jobs: the scheduler says"):
        open_engine(2, "tcp://localhost:8786")


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"own": "0::/a/b\n", "a/b/cpu.max": "max 100000\n", "a/cpu.max": "250000 100000\n"}, 2.5),
        ({"own": "0::/\n", "cpu.max": "50000 100000\n"}, 0.5),
        ({"own": "0::/a\n", "a/cpu.max": "max 100000\n"}, None),
        ({"own": "3:cpu,cpuacct:/x\n1:memory:/y\n", "cpu/x/cpu.cfs_quota_us": "300000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 3.0),
        ({"own": "3:cpu:/x\n", "cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_quota_of_the_control_group(tmp_path, files: dict[str, str], quota: float | None):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert engines._quota(tmp_path, tmp_path / "own") == quota


def test_cores_that_may_be_used(monkeypatch):
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    for quota, cores in ((None, 16), (0.5, 1), (1.0, 1), (1.5, 2), (2.0, 2), (40.0, 16)):
        monkeypatch.setattr(engines, "_quota", lambda quota=quota: quota)
        assert usable_cores() == cores


def test_gap_is_no_task_of_its_own():
    """Any frozen value is a task, one of the package too."""
    with ProcessPool(1) as engine:
        assert list(engine.map(repr, [Gap(3, "lost")])) == [(Gap(3, "lost"), "Gap(samples=3, reason='lost')")]
