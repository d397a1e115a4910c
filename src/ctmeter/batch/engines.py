"""What carries out tasks: the engines' common ground. They differ in where a task runs, never in what it gives.

An engine is a context manager; `map` gives each task with what became of it, in the order in which they end. A task is a frozen value, a
function one at the top of a module, so that both go to another process or machine by pickle. Input that cannot be measured is for the
function to tell in its result. What it raises is taken for an error of the whole batch: it is raised where `map` is asked for more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Protocol, Self, TypeVar

from ..errors import CtmeterError

__all__ = ["Backlog", "Died", "Engine", "Interrupted", "WorkerError", "stop_signals", "usable_cores"]

T = TypeVar("T")
R = TypeVar("R")

#: Kinds of messages to workers and from them; signals that are held back while a worker starts.
SETUP, TASKS, READY, ANSWER, RAISED, REST = "setup", "tasks", "ready", "answer", "raised", "rest"
HELD = (signal.SIGINT, signal.SIGTERM)
#: Seconds of work that are handed to a worker at once, where tasks are light; what is left after that goes back.
HANDFUL = 0.05
#: Tasks that are handed to a worker at once, at most.
CHUNK = 16


@dataclass(frozen=True)
class Died:
    """Instead of a result: the task ended its worker twice, the second time while it ran alone.

    Parameters
    ----------
    reason : str
        How the worker ended.
    """

    reason: str


class WorkerError(CtmeterError, OSError):
    """Workers that cannot be started, or are no longer to be had."""


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM has come: work is to stop now."""


class Engine(Protocol):
    """Where tasks run."""

    jobs: int

    def __enter__(self) -> Self:
        """Be ready for work."""
        ...

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Leave nothing running; after an error or an interruption without waiting for what runs."""
        ...

    def map(self, function: Callable[..., R], tasks: Iterable[T], *fixed: Any, chunk: int = CHUNK) -> Iterator[tuple[T, R | Died]]:
        """Call `function(task, *fixed)` for each task.

        Parameters
        ----------
        function : callable
            At the top of a module.
        tasks : iterable
            Taken as they are needed, a few ahead of those that run.
        *fixed
            Further arguments, the same for all tasks.
        chunk : int
            How many tasks go to a worker at once, at most; fewer go where they take long.

        Yields
        ------
        (task, result)
            In the order in which tasks end; each task once.

        Raises
        ------
        WorkerError
            No worker can be started or reached.
        """
        ...


class Backlog(Generic[T]):
    """Tasks that wait, taken from their source as they are needed, in handfuls that grow while they are light.

    Parameters
    ----------
    tasks : iterable
    most : int
        Tasks in a handful, at most.
    """

    def __init__(self, tasks: Iterable[T], most: int) -> None:
        self._source = iter(tasks)
        self._waiting: deque[T] = deque()
        self._most = max(most, 1)
        self._size = 1

    def __bool__(self) -> bool:
        """Whether any task waits."""
        return bool(self._waiting) or self._fetch()

    def _fetch(self) -> bool:
        for task in self._source:
            self._waiting.append(task)
            return True
        return False

    def ahead(self, most: int) -> int:
        """How many tasks wait, counted to `most`."""
        while len(self._waiting) < most and self._fetch():
            continue
        return min(len(self._waiting), most)

    def give_back(self, tasks: Iterable[T]) -> None:
        """Put tasks that were taken in front again."""
        self._waiting.extendleft(reversed(list(tasks)))

    def take(self, workers: int) -> list[T]:
        """The next handful, smaller towards the end so that each of the workers has something to do; empty where no task is left."""
        size = min(self._size, max(self.ahead(2 * workers * self._size) // (2 * workers), 1))
        return [self._waiting.popleft() for _ in range(min(size, len(self._waiting)))]

    def took(self, tasks: int, seconds: float) -> None:
        """Learn how long a handful took."""
        if tasks >= self._size and seconds < HANDFUL / 2:
            self._size = min(2 * self._size, self._most)
        elif seconds > 2 * HANDFUL:
            self._size = max(self._size // 2, 1)


@contextlib.contextmanager
def stop_signals() -> Iterator[None]:
    """Inside, SIGINT and SIGTERM raise `Interrupted` in the main thread; elsewhere nothing changes.

    A further signal within a second is the same wish once more, and does not disturb the stopping.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last = 0.0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if not before or last - before > 1.0:
            raise Interrupted(signal.Signals(number).name)

    former = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            former[number] = signal.signal(number, stop)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def usable_cores() -> int:
    """Cores that this process may use: those it may run on, or fewer where its control group has a quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux
        cores = os.cpu_count() or 1
    quota = _quota()
    return max(1, min(cores, cores if quota is None else round(quota + 0.49)))


def _quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """The tightest quota, in cores, of the control group of this process and of those above it; None without one."""
    found = []
    for line in _text(own).splitlines():
        _, kinds, place = line.split(":", 2)
        first = Path(place.lstrip("/"))
        for group in (first, *first.parents):
            if not kinds:  # version 2: "max 100000" or "150000 100000", us
                words = _text(root / group / "cpu.max").split()
            elif "cpu" in kinds.split(","):
                folder = root / "cpu" / group
                words = [*_text(folder / "cpu.cfs_quota_us").split(), *_text(folder / "cpu.cfs_period_us").split()]
            else:
                continue
            if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
                found.append(int(words[0]) / int(words[1]))
    return min(found, default=None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:  # no such controller here
        return ""
