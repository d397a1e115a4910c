"""Tasks for engines, importable by workers, and a program that is interrupted or killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ctmeter.batch.engines import Interrupted, stop_signals
from ctmeter.batch.pool import ProcessPool
from ctmeter.errors import InputError


@dataclass(frozen=True)
class Task:
    """What to do with a number: "square" it; "kill" or "exit" the worker, or do so the first time ("once"); "raise"; "wait" or "sleep"."""

    number: int
    what: str = "square"
    folder: str = ""


def carry_out(task: Task, offset: int = 0) -> tuple[int, int]:
    """The square of a number, and the process that found it."""
    if task.folder:
        # one line for each time that a task was begun
        with open(Path(task.folder) / f"{task.number}.begun", "a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    if task.what == "kill" or (task.what == "once" and begun(task) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if task.what == "exit":
        os._exit(7)
    if task.what == "raise":
        raise InputError("is not to be had", path=f"{task.number}.cfg", line=3)
    if task.what in ("wait", "sleep"):
        time.sleep(60 if task.what == "wait" else 3)
    return task.number**2 + offset, os.getpid()


def begun(task: Task) -> int:
    """How many times a task was begun."""
    path = Path(task.folder) / f"{task.number}.begun"
    return len(path.read_text().splitlines()) if path.exists() else 0


def main(folder: str, tasks: int) -> None:
    """Carry out some tasks, then two that take longer than anybody waits."""
    try:
        with stop_signals(), ProcessPool(2) as pool:
            for task, _ in pool.map(carry_out, [Task(k, "square" if k < tasks else "wait", folder) for k in range(tasks + 2)]):
                print(task.number, flush=True)
    except Interrupted as stop:
        print(f"interrupted by {stop}", flush=True)
        sys.exit(130)
