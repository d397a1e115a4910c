"""A small job on a register store, which goes on from where it was interrupted; also run as a program, to be killed.

python ledger_job.py STORE STEPS
"""

from __future__ import annotations

import os
import sys

from ctmeter.store.ledger import Ledger, TableSpec

KEPT = 6
TABLES = (
    TableSpec("profile", (("t_ns", "INTEGER"), ("p", "REAL"), ("note", "TEXT"))),
    TableSpec("ring", (("n", "INTEGER"), ("wave", "BLOB"))),
    TableSpec("registers", (("name", "TEXT"), ("mj", "INTEGER"), ("rest", "REAL")), kind="current", key=("name",)),
    TableSpec("audit", (("what", "TEXT"),), content=False),
)


def profile(step: int) -> list[tuple]:
    """Three rows of each step; every third note is null."""
    return [(900_000_000_000 * k, k / 7, None if k % 3 == 0 else f"Zähler {k}") for k in range(3 * step, 3 * step + 3)]


def registers(step: int) -> list[tuple]:
    return [("A+", 3_600_000 * step, step / 3), ("A-", step // 4, 0.0), ("R+", -step, None)]


def ring(step: int) -> tuple:
    """Large enough that the log is written back to the file every few steps."""
    return (step, bytes([step % 256]) * 40_000)


def one(ledger: Ledger, step: int) -> None:
    """Step `step`, as one commit."""
    ledger.commit(
        {"profile": profile(step), "ring": [ring(step)]}, {"registers": registers(step)}, {"ring": KEPT}, {"position": step + 1, "tail": [0.1] * step}
    )


def start(path: str | os.PathLike[str]) -> Ledger:
    """Open or create; that it was opened stands in the audit trail, which is no content."""
    ledger = Ledger.create(path, TABLES, {"program": "job"}, exist_ok=True)
    try:
        ledger.commit({"audit": [("opened",)]})
    except BaseException:
        ledger.close()
        raise
    return ledger


def run(path: str | os.PathLike[str], steps: int, told=lambda position: None) -> str:
    """All steps that are left; gives the content hash."""
    with start(path) as ledger:
        for step in range(ledger.state().get("position", 0), steps):
            one(ledger, step)
            told(step + 1)
        return ledger.content_hash()


def intact(path: str | os.PathLike[str]) -> int:
    """How many steps a store holds; all of them to the last value, and nothing else, as a reader sees it."""
    with Ledger.open(path, readonly=True) as ledger:
        assert ledger.check() == []
        done = ledger.state().get("position", 0)
        assert ledger.rows("profile") == [row for step in range(done) for row in profile(step)]
        assert ledger.rows("ring") == [ring(step) for step in range(max(0, done - KEPT), done)]
        assert ledger.rows("registers") == (registers(done - 1) if done else [])
    return done


if __name__ == "__main__":
    print("begin", flush=True)
    print("end", run(sys.argv[1], int(sys.argv[2]), lambda position: print(position, flush=True)), flush=True)
