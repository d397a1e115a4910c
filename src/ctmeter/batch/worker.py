"""The program of a worker: `python -m ctmeter.batch.worker DESCRIPTOR PARENT`, started by the pool.

It says that it is ready, then answers what it is given, task by task, until its connection ends. It lives no longer than its parent, leaves
Ctrl-C to it, and is the one the kernel takes first where memory runs out.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from ..measurements import leave_pandas_out
from .engines import ANSWER, HANDFUL, HELD, RAISED, READY, REST, SETUP

__all__ = ["main", "sendable"]

_PR_SET_PDEATHSIG = 1


def main(descriptor: int, parent: int) -> None:
    """Answer tasks until the connection ends.

    Parameters
    ----------
    descriptor : int
        Of the connection to the pool.
    parent : int
        Process of the pool.
    """
    os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    _end_with(parent)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")
    # a pool that has gone needs no answer
    with Connection(descriptor) as pipe, contextlib.suppress(EOFError, ConnectionError):
        leave_pandas_out()
        _answer(pipe)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    # what is left is to take libraries apart, for which the pool would wait
    os._exit(0)


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _answer(pipe: Connection[Any, Any]) -> None:
    function: Any = None
    fixed: tuple[Any, ...] = ()
    pipe.send((READY, None))
    while True:
        kind, given = pipe.recv()
        try:
            if kind == SETUP:
                function, fixed = pickle.loads(given)
                continue
            tasks = pickle.loads(given)
        except Exception as error:  # a module that is missing here, for instance
            pipe.send((RAISED, sendable(error)))
            return
        begin = time.monotonic()
        for number, task in enumerate(tasks):
            if number and time.monotonic() - begin > HANDFUL:
                pipe.send((REST, None))
                break
            try:
                answer = (ANSWER, function(task, *fixed))
            except Exception as error:
                answer = (RAISED, sendable(error))
            pipe.send(answer)


def sendable(error: Exception) -> Exception:
    """An error that survives pickling, with a note of where it came from."""
    where = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(f"In a worker:\n{where}")
    return copy  # type: ignore[no-any-return]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
