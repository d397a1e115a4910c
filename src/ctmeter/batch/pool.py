"""Engines of this machine: the process itself, or a pool of processes.

The pool is our own because it must know which task ended a worker: each worker has one connection, is given a handful of tasks and answers
them one by one, so the first without an answer is the one it ended in; the rest of the handful goes to others. That task runs once more when
everything else is done, alone, in a worker of its own, so that memory that ran out because of its neighbours is not held against it.

Workers are programs started anew, not forks: a fork inherits locks of the threads of Arrow and BLAS without the threads that would release
them, and `multiprocessing` would run the user's own script once more in each. Processes, because two threads measure large files 1.6 times as
fast as one and small ones no faster, where two processes take half the time of both (`docs/adr/0009-workers-are-programs.md`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection, wait
from typing import Any, Self, TypeVar

from ..errors import SettingsError
from ..readers.archives import scratch_in
from ._scratch import worker_scratch
from .engines import ANSWER, CHUNK, HELD, RAISED, REST, SETUP, TASKS, Backlog, Died, Engine, WorkerError, usable_cores

__all__ = ["InProcess", "ProcessPool", "open_engine"]

T = TypeVar("T")
R = TypeVar("R")

#: Seconds that are waited at a time: a signal that comes just before a wait does not end it.
_LISTEN = 0.5
#: Workers in a row that may end before they are ready.
_STARTS = 3
#: One thread for each worker; Arrow takes the number of OpenMP.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def open_engine(jobs: int | None = None, scheduler: str | None = None, apart: bool = False) -> Engine:
    """The engine that settings ask for.

    Parameters
    ----------
    jobs : int, optional
        Processes; by default as many as there are usable cores. 1 is this process itself.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://host:8786".
    apart : bool
        One process is another one too: tasks that wait for a server hear no signal, and this one has to.

    Raises
    ------
    SettingsError
        Absurd or contradictory settings.
    """
    faults = []
    if jobs is not None and jobs < 1:
        faults.append(f"jobs: {jobs} workers, expected 1 or more")
    if jobs is not None and scheduler is not None:
        faults.append("jobs: the scheduler says how many workers there are; give one of the two")
    if faults:
        raise SettingsError(faults)
    if scheduler is not None:
        from .fleet import Fleet

        return Fleet(scheduler)
    n = usable_cores() if jobs is None else jobs
    return InProcess() if n == 1 and not apart else ProcessPool(n)


class InProcess:
    """Tasks one after the other, here. A task that ends its process ends this one."""

    jobs = 1

    def __init__(self) -> None:
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            place = stack.enter_context(worker_scratch())
            if place is not None:
                stack.enter_context(scratch_in(place))
            self._held = stack.pop_all()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._held.close()

    def map(self, function: Callable[..., R], tasks: Iterable[T], *fixed: Any, chunk: int = CHUNK) -> Iterator[tuple[T, R | Died]]:
        """As `Engine.map`."""
        for task in tasks:
            yield task, function(task, *fixed)


class ProcessPool:
    """Tasks in processes of their own, which are kept from one `map` to the next.

    Parameters
    ----------
    jobs : int, optional
        Processes, by default as many as there are usable cores.
    """

    def __init__(self, jobs: int | None = None) -> None:
        self.jobs = usable_cores() if jobs is None else jobs
        self._workers: list[_Worker] = []
        self._stillborn = 0
        self._scratch: str | None = None
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._scratch = self._held.enter_context(worker_scratch())
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._held:
            self._stop(list(self._workers), at_once=kind is not None)

    def _stop(self, workers: list[_Worker], at_once: bool) -> None:
        """End workers, all at the same time."""
        for worker in workers:
            self._workers.remove(worker)
            worker.dismiss(at_once)
        for worker in workers:
            worker.end(0.0 if at_once else 2.0)

    def map(self, function: Callable[..., R], tasks: Iterable[T], *fixed: Any, chunk: int = CHUNK) -> Iterator[tuple[T, R | Died]]:
        """As `Engine.map`."""
        setup = pickle.dumps((function, fixed), pickle.HIGHEST_PROTOCOL)
        backlog = Backlog(tasks, chunk)
        suspects: list[T] = []
        try:
            while self._assign(backlog, setup):
                heard = set(wait([w.pipe for w in self._workers], _LISTEN))
                for worker in [w for w in self._workers if w.pipe in heard]:
                    yield from self._hear(worker, backlog, suspects)
            for task in suspects:
                yield task, self._alone(task, setup)
        finally:
            # nobody waits for these answers: an error, an interruption, or a caller that has seen enough
            self._stop([w for w in self._workers if w.tasks], at_once=True)

    def _assign(self, backlog: Backlog[Any], setup: bytes) -> bool:
        """Give idle workers something to do, starting those that are missing; False when all is done."""
        for worker in self._workers:
            if worker.ready and not worker.tasks and (tasks := backlog.take(self.jobs)):
                worker.give(tasks, setup)
        if all(w.ready for w in self._workers) and len(self._workers) < self.jobs:
            # all that are missing at once, so that they import at the same time
            self._workers += [_Worker(self._scratch) for _ in range(backlog.ahead(self.jobs - len(self._workers)))]
        return bool(backlog) or any(w.tasks for w in self._workers)

    def _hear(self, worker: _Worker, backlog: Backlog[T], suspects: list[T]) -> Iterator[tuple[T, Any]]:
        """What a worker has to say: answers, or, by silence, that it has ended."""
        try:
            while True:
                kind, what = worker.hear()
                if kind == ANSWER:
                    task = worker.tasks.popleft()
                    if not worker.tasks:
                        backlog.took(worker.given, time.monotonic() - worker.since)
                    yield task, what
                elif kind == REST:
                    backlog.took(worker.given, time.monotonic() - worker.since)
                    backlog.give_back(worker.tasks)
                    worker.tasks.clear()
                elif kind == RAISED:
                    raise what
                if not worker.poll():
                    return
        except _EndError as end:
            self._workers.remove(worker)
            self._count_start(worker, end)
            left = list(worker.tasks)
            suspects += left[:1]
            backlog.give_back(left[1:])

    def _count_start(self, worker: _Worker, end: _EndError) -> None:
        """Make workers that end before they are ready, several in a row, an error."""
        self._stillborn = 0 if worker.ready else self._stillborn + 1
        if self._stillborn >= _STARTS:
            raise WorkerError(errno.ECHILD, f"workers cannot be started: {end} before it was ready, {_STARTS} times")

    def _alone(self, task: Any, setup: bytes) -> Any:
        """The result of a task in a worker of its own, while no other works."""
        while True:
            worker = _Worker(self._scratch)
            try:
                worker.hear()  # that it is ready
                worker.give([task], setup)
                kind, what = worker.hear()
                if kind == RAISED:
                    raise what
                return what
            except _EndError as end:
                self._count_start(worker, end)
                if worker.ready:
                    return Died(f"{end} twice, the second time while nothing else ran")
            finally:
                worker.dismiss(at_once=True)
                worker.end()


class _EndError(Exception):
    """A worker is no more; says how it ended."""


class _Worker:
    """A process, its connection, and the tasks it has not answered yet; its scratch files go to a folder."""

    def __init__(self, scratch: str | None) -> None:
        ours, theirs = map(_apart, socket.socketpair())
        closed = sys.stderr is None
        # Signals come when both sides are ready for them: a Ctrl-C would end a worker that cannot ignore it yet with a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            with theirs:
                self._pipe = Connection(ours.detach())
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", f"{__package__}.worker", str(theirs.fileno()), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL if closed else 2,  # on standard output the program's result stands alone
                    stderr=subprocess.DEVNULL if closed else None,
                    pass_fds=[theirs.fileno()],
                    env=_environment(scratch),
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.tasks: deque[Any] = deque()
        self.ready = False
        self.given = 0
        self.since = 0.0
        self._setup = b""

    @property
    def pipe(self) -> Connection[Any, Any]:
        """The connection, to wait for."""
        return self._pipe

    def give(self, tasks: list[Any], setup: bytes) -> None:
        """Hand over tasks; the function first where it is another one."""
        packed = pickle.dumps(tasks, pickle.HIGHEST_PROTOCOL)
        self.tasks, self.given, self.since = deque(tasks), len(tasks), time.monotonic()
        try:
            if setup is not self._setup:
                self._pipe.send((SETUP, setup))
                self._setup = setup
            self._pipe.send((TASKS, packed))
        except ConnectionError:
            return  # it has ended, which is heard in its turn

    def hear(self) -> tuple[str, Any]:
        """The next message, its kind and what it says.

        Raises
        ------
        _EndError
            There is none any more.
        """
        try:
            while not self._pipe.poll(_LISTEN):
                continue
            kind, what = self._pipe.recv()
        except (EOFError, OSError):
            raise _EndError(self.end()) from None
        self.ready = True
        return kind, what

    def poll(self) -> bool:
        """Whether there is a message, or an end, to hear."""
        return self._pipe.poll()

    def dismiss(self, at_once: bool) -> None:
        """Let the process end: where it is idle it does so by itself."""
        self._pipe.close()
        if at_once:
            self._process.kill()

    def end(self, patience: float = 2.0) -> str:
        """Wait for the end of a process that was dismissed or has ended, `patience` seconds at most; says how it ended."""
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._pipe.close()
        if code >= 0:
            return f"a worker ended with exit code {code}"
        names = {s.value: s.name for s in signal.Signals}
        return f"a worker was killed by {names.get(-code, f'signal {-code}')}"


def _apart(pipe: socket.socket) -> socket.socket:
    """A socket away from the descriptors of standard streams, which it has where they are closed."""
    with pipe:
        return socket.socket(fileno=fcntl.fcntl(pipe.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))


def _environment(scratch: str | None) -> dict[str, str]:
    """Variables for workers, which find the same modules and start no threads."""
    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    place = {} if scratch is None else {"CTMETER_SCRATCH": scratch}
    return {**os.environ, "PYTHONPATH": path, **dict.fromkeys(_THREADS, "1"), **place}
