"""The Dask engine with a real scheduler and real workers on loopback: the same results, and the same when workers are killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from batch.engine_jobs import Task, begun, carry_out
from batch.test_engines import squares, until
from ctmeter.batch import fleet as module
from ctmeter.batch.engines import Died, Interrupted, WorkerError, stop_signals
from ctmeter.batch.fleet import Fleet
from ctmeter.batch.pool import ProcessPool, open_engine
from ctmeter.errors import InputError, SettingsError

pytest.importorskip("distributed", reason="the extra fleet is not installed")
# The library leaves sockets of a scheduler that has gone, and of workers that were killed, to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")

PATH = os.pathsep.join(p for p in sys.path if p)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def dask(kind: str, *arguments: str, cwd: Path, path: str = PATH) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler or a worker, in a group of its own that is killed at the end, nannies with their workers."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, "--no-dashboard"]
    environment = {**os.environ, "PYTHONPATH": path, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s"}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def cluster(folder: Path, workers: int, path: str = PATH) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of a scheduler with some workers of one thread, which start again when they are killed."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as stack:
        scheduler = stack.enter_context(dask("scheduler", "--host", "127.0.0.1", "--port", str(port), cwd=folder))
        for _ in range(workers):
            local = ("--nthreads", "1", "--local-directory", str(folder), "--host", "127.0.0.1")
            stack.enter_context(dask("worker", address, *local, cwd=folder, path=path))
        yield address, scheduler


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with cluster(tmp_path_factory.mktemp("dask"), 2) as (address, _):
        with Fleet(address, timeout=60) as fleet:
            assert until(lambda: fleet._threads() == 2, 60)
        yield address


def test_results_are_those_of_the_pool(address):
    tasks = [Task(k) for k in range(3000)]
    with Fleet(address) as fleet, ProcessPool(2) as pool:
        assert fleet.jobs == 2
        assert squares(fleet, tasks) == squares(pool, tasks) == {k: k * k + 3 for k in range(3000)}
        assert squares(fleet, []) == {}
        assert os.getpid() not in {process for _, (_, process) in fleet.map(carry_out, tasks[:10], chunk=1)}


def test_no_more_is_under_way_than_needed(address):
    taken = 0

    def tasks() -> Iterator[Task]:
        nonlocal taken
        for taken in range(1, 100_001):
            yield Task(taken)

    with Fleet(address) as fleet:
        for done, _ in enumerate(fleet.map(carry_out, tasks(), chunk=8), 1):
            if done == 500:
                break
    assert taken <= 500 + 8 * module.AHEAD * 2 * 4


def test_a_task_that_kills_workers_is_given_up_and_others_are_not(address, tmp_path):
    kinds = {3: "kill", 20: "once"}
    with Fleet(address) as fleet:
        found = squares(fleet, [Task(k, kinds.get(k, "square"), str(tmp_path)) for k in range(60)])
    assert isinstance(found.pop(3), Died)
    assert found == {k: k * k + 3 for k in range(60) if k != 3}
    assert begun(Task(3, folder=str(tmp_path))) > 1


def test_what_a_function_raises_is_raised_here(address):
    with Fleet(address) as fleet, pytest.raises(InputError, match=r"^2.cfg, line 3: is not to be had"):
        squares(fleet, [Task(1), Task(2, "raise")])


def test_signals_stop_within_two_seconds(address, tmp_path):
    begin = 0.0
    with pytest.raises(Interrupted), stop_signals(), Fleet(address) as fleet:
        for _ in fleet.map(carry_out, [Task(0), *(Task(k, "sleep", str(tmp_path)) for k in range(1, 9))]):
            assert until(lambda: begun(Task(1, folder=str(tmp_path))), 20)
            begin = time.monotonic()
            os.kill(os.getpid(), signal.SIGTERM)
    assert begin and time.monotonic() - begin < 2.0


def test_another_ctmeter_is_refused(tmp_path):
    """The same version, but not the same modules: an older checkout, for instance."""
    copy = tmp_path / "src"
    shutil.copytree(Path(module.__file__).parents[1], copy / "ctmeter")
    with (copy / "ctmeter" / "settings.py").open("a", encoding="utf-8") as file:
        file.write("# another one\n")
    with cluster(tmp_path, 1, f"{copy}{os.pathsep}{PATH}") as (address, _):
        with pytest.raises(SettingsError, match=r"^scheduler: worker tcp://127.0.0.1:\d+ has ctmeter .* \(\w{12}\), Python .*, this is ") as caught:
            Fleet(address, timeout=60).__enter__()
        assert module.build() in str(caught.value)


def test_another_ctmeter_that_comes_later_is_refused(address):
    with Fleet(address) as fleet, pytest.MonkeyPatch.context() as patch, pytest.raises(SettingsError, match="that came later has ctmeter"):
        patch.setattr(module, "build", lambda: "0.0.9 (0123456789ab), Python 3.9")
        squares(fleet, [Task(1)])


def test_workers_without_ctmeter_are_refused(tmp_path):
    path = os.pathsep.join(p for p in sys.path if p and not (Path(p) / "ctmeter").exists())
    blind = tmp_path / "blind" / "ctmeter"
    blind.mkdir(parents=True)
    (blind / "__init__.py").write_text("raise ImportError('no core here')\n")
    with cluster(tmp_path, 1, f"{blind.parent}{os.pathsep}{path}") as (address, _), pytest.raises(SettingsError, match="cannot load ctmeter"):
        Fleet(address, timeout=60).__enter__()


def test_a_scheduler_without_workers_and_one_that_ends(tmp_path):
    with cluster(tmp_path, 0) as (address, scheduler):
        with pytest.raises(WorkerError, match=r"the scheduler has had no workers for 0\.2 s"):
            Fleet(address, timeout=60, patience=0.2).__enter__()
        with dask("worker", address, "--nthreads", "1", "--local-directory", str(tmp_path), cwd=tmp_path), Fleet(address) as fleet:
            begin = 0.0
            with pytest.raises(WorkerError, match=r"is lost|has lost a task"):
                for _ in fleet.map(carry_out, [Task(0), Task(1, "sleep")], chunk=1):
                    begin = time.monotonic()
                    scheduler.kill()
            assert time.monotonic() - begin < 5.0


@pytest.mark.parametrize("place", ["tcp://127.0.0.1:{}", "127.0.0.1:{}", "nowhere", "ftp://127.0.0.1:{}", "tcp://host.invalid:{}"])
def test_no_scheduler_there(place: str):
    begin = time.monotonic()
    with pytest.raises(SettingsError, match=r"^scheduler: .* cannot be reached within 1 s: "):
        Fleet(place.format(free_port()), timeout=1.0).__enter__()
    assert time.monotonic() - begin < 5.0


def test_somebody_else_there():
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(SettingsError, match="cannot be reached within 1 s"):
        Fleet(f"tcp://127.0.0.1:{server.getsockname()[1]}", timeout=1.0).__enter__()


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError, match=r'scheduler: the library distributed is not installed: pip install "ctmeter\[fleet\]"'):
        open_engine(scheduler="tcp://127.0.0.1:8786").__enter__()
