"""The engine of many machines: workers of a Dask scheduler.

Handfuls of tasks go out as Dask tasks with keys of their own, a few for each thread of the workers. A worker that ends has its handfuls given to
others by the scheduler, some times over; what it then gives up runs once more when everything else is done, task by task with nothing else of
ours running. What is given up again has died. Workers of another ctmeter are refused, also those that come later.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import importlib
import logging
import pickle
import platform
import queue
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self, TypeVar

from ..errors import SettingsError
from .engines import CHUNK, HANDFUL, Backlog, Died, WorkerError

__all__ = ["Fleet", "build"]

T = TypeVar("T")
R = TypeVar("R")

#: Handfuls under way for each thread of the workers.
AHEAD = 2
_LOGS = ("distributed.batched", "distributed.client", "distributed.core", "distributed.utils_comm")
#: Seconds between looks at how many workers there are.
_LOOK = 0.25


@cache
def build() -> str:
    """Which ctmeter this is: its version, a digest of its modules, and the Python that runs it."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[1]
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    try:
        name = version("ctmeter")
    except PackageNotFoundError:
        name = "unknown"  # run from a source tree
    return f"{name} ({digest.hexdigest()[:12]}), Python {'.'.join(platform.python_version_tuple()[:2])}"


def carry_out(ours: str, packed: bytes) -> tuple[float, Any]:
    """A handful of tasks, in a worker: seconds it took, and the results, of fewer tasks where they are heavy.

    Where ctmeter is another one, its `build` as text instead of results.
    """
    if build() != ours:
        return 0.0, build()
    begin = time.monotonic()
    function, fixed, tasks = pickle.loads(packed)
    results = []
    for task in tasks:
        results.append(function(task, *fixed))
        if time.monotonic() - begin > HANDFUL:
            break
    return time.monotonic() - begin, results


async def _greet(dask: Any, scheduler: str, timeout: float) -> None:
    """Ask a scheduler who it is; an `OSError` or `ValueError` where nobody answers as one does."""
    async with dask.rpc(scheduler, timeout=timeout) as remote:
        await asyncio.wait_for(remote.identity(), timeout)


class Fleet:
    """Workers of a Dask scheduler.

    Parameters
    ----------
    scheduler : str
        Its address, "tcp://host:8786".
    timeout : float
        Seconds to wait for the scheduler.
    patience : float
        Seconds to wait for workers, at first and whenever there are none left.

    Raises
    ------
    SettingsError
        On entering: the extra `fleet` is not installed, there is no scheduler at that address, or workers have another ctmeter.
    WorkerError
        On entering: the scheduler has no workers.
    """

    def __init__(self, scheduler: str, timeout: float = 10.0, patience: float = 60.0) -> None:
        self.scheduler, self.timeout, self.patience = scheduler, timeout, patience
        self.jobs = 0
        self._client: Any = None
        self._levels: dict[str, int] = {}
        self._looked = 0.0

    def __enter__(self) -> Self:
        try:
            dask: Any = importlib.import_module("distributed")
        except ImportError as error:
            why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not load ({error})"
            raise SettingsError(f'scheduler: the library distributed {why}: pip install "ctmeter[fleet]"') from None
        self._quiet(True)
        try:
            # A client that cannot connect is hard to get rid of; in a thread of its own, because a notebook has a running loop in this one.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, _greet(dask, self.scheduler, self.timeout)).result()
            self._client = dask.Client(self.scheduler, timeout=self.timeout, set_as_default=False, name="ctmeter")
        except (OSError, ValueError, TypeError) as error:
            self._quiet(False)
            why = str(error) or type(error).__name__
            raise SettingsError(f"scheduler: {self.scheduler} cannot be reached within {self.timeout:g} s: {why}") from None
        try:
            self._await_workers()
            self._compare(self._client.run(build, on_error="return"))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._close()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=1.0)
            self._quiet(False)

    def _quiet(self, wanted: bool) -> None:
        """Keep what Dask has to say of a lost connection, traces of calls in its own thread, from the user: our error says it."""
        for name in _LOGS:
            logger = logging.getLogger(name)
            if wanted:
                self._levels[name] = logger.level
            logger.setLevel(logging.CRITICAL if wanted else self._levels[name])

    def _threads(self) -> int:
        """Threads of all workers there are now, as seen at the last look.

        Raises
        ------
        WorkerError
            The scheduler is no longer there.
        """
        if self._client.status != "running":
            raise WorkerError(errno.ENOTCONN, "the connection to the scheduler is lost", self.scheduler)
        if time.monotonic() - self._looked > _LOOK:
            # one that is too busy to answer has the workers it had
            with contextlib.suppress(OSError):
                self.jobs = sum(self._client.sync(self._client.scheduler.ncores, workers=None, callback_timeout=2.0).values())
            self._looked = time.monotonic()
        return self.jobs

    def _await_workers(self) -> None:
        end = time.monotonic() + self.patience
        while not self._threads():
            if time.monotonic() > end:
                raise WorkerError(errno.ECHILD, f"the scheduler has had no workers for {self.patience:g} s", self.scheduler)
            time.sleep(0.05)

    def _compare(self, builds: dict[str, Any]) -> None:
        """Refuse workers whose ctmeter is not ours."""
        ours = build()
        faults = [f"scheduler: worker {w} has ctmeter {b}, this is {ours}" for w, b in sorted(builds.items()) if isinstance(b, str) and b != ours]
        faults += [f"scheduler: worker {w} cannot load ctmeter: {b}" for w, b in sorted(builds.items()) if not isinstance(b, str)]
        if faults:
            raise SettingsError(faults)

    def map(self, function: Callable[..., R], tasks: Iterable[T], *fixed: Any, chunk: int = CHUNK) -> Iterator[tuple[T, R | Died]]:
        """As `Engine.map`."""
        flight = _Flight(self._client, (function, fixed))
        backlog = Backlog(tasks, chunk)
        suspects: list[T] = []
        try:
            while True:
                room = AHEAD * max(self._threads(), 1)
                while len(flight) < room and (handful := backlog.take(room)):
                    flight.send(handful)
                if not len(flight):
                    break
                for handful, answer in self._landed(flight):
                    if isinstance(answer, Died):
                        suspects += handful
                        continue
                    seconds, results = answer
                    backlog.took(len(handful), seconds)
                    yield from zip(handful, results, strict=False)
                    backlog.give_back(handful[len(results) :])
            for task in suspects:
                flight.send([task])
                while len(flight):
                    for _, answer in self._landed(flight):
                        yield task, answer if isinstance(answer, Died) else answer[1][0]
        finally:
            flight.cancel()

    def _landed(self, flight: _Flight) -> list[tuple[list[Any], Any]]:
        """Handfuls that have ended with what came of them; waits for one, as long as there are workers."""
        last = time.monotonic()
        while not (landed := flight.landed(_LOOK)):
            if self._threads():
                last = time.monotonic()
            elif time.monotonic() - last > self.patience:
                raise WorkerError(errno.ECHILD, f"the scheduler has had no workers for {self.patience:g} s", self.scheduler)
        for _, answer in landed:
            if not isinstance(answer, Died) and isinstance(answer[1], str):
                self._compare({"that came later": answer[1]})
        return landed


class _Flight:
    """Handfuls under way."""

    def __init__(self, client: Any, work: tuple[Callable[..., Any], tuple[Any, ...]]) -> None:
        self._client, self._work = client, work
        self._name = f"ctmeter-{uuid.uuid4().hex}"
        self._number = 0
        self._under_way: dict[str, tuple[Any, list[Any]]] = {}
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self._under_way)

    def send(self, handful: list[Any]) -> None:
        """Hand tasks to the scheduler."""
        packed = pickle.dumps((*self._work, handful), pickle.HIGHEST_PROTOCOL)
        self._number += 1
        self._follow(self._client.submit(carry_out, build(), packed, key=f"{self._name}-{self._number}", pure=False), handful)

    def _follow(self, future: Any, handful: list[Any]) -> None:
        self._under_way[future.key] = (future, handful)
        future.add_done_callback(lambda f: self._ended.put(f.key))

    def landed(self, seconds: float) -> list[tuple[list[Any], Any]]:
        """Handfuls that have ended, with seconds and results or `Died`; waits for one for some seconds.

        Raises
        ------
        WorkerError
            The scheduler has dropped one, or is gone.
        Exception
            What the function has raised.
        """
        found = []
        try:
            key = self._ended.get(timeout=seconds)
            while True:
                future, handful = self._under_way.pop(key)
                answer = self._answer(future)
                if answer is None:
                    self._follow(future, handful)
                else:
                    found.append((handful, answer))
                key = self._ended.get_nowait()
        except queue.Empty:
            return found

    def _answer(self, future: Any) -> Any:
        """What came of a handful; None where the worker that had it ended before it was fetched, so that it is made again."""
        distributed: Any = importlib.import_module("distributed")
        if future.status == "error":
            error = future.exception()
            if isinstance(error, distributed.KilledWorker):
                return Died("workers of the scheduler ended one after the other, the last ones while nothing else ran")
            raise error
        while future.status == "finished" and self._client.status == "running":
            try:
                return future.result(timeout=_LOOK)
            except (OSError, CancelledError):
                continue  # as long as it is said to be there
        if self._client.status != "running" or future.status == "cancelled":
            raise WorkerError(errno.ENOTCONN, f"the scheduler has lost a task ({future.status})", self._client.scheduler.address)
        return None

    def cancel(self) -> None:
        """Forget all that is under way."""
        futures = [future for future, _ in self._under_way.values()]
        self._under_way.clear()
        if futures and self._client.status == "running":
            self._client.cancel(futures)
