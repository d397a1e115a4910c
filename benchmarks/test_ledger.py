"""What a register store costs: a commit as a meter makes it, a year of load profile read, the proof of it."""

from __future__ import annotations

import itertools

import pytest

from ctmeter.store.ledger import Ledger, TableSpec

PROFILE = TableSpec("profile", (("t_ns", "INTEGER"), ("flags", "INTEGER"), *((f"c{k}", "REAL") for k in range(10))))
REGISTERS = TableSpec("registers", (("name", "TEXT"), ("mj", "INTEGER"), ("rest", "REAL")), kind="current", key=("name",))
YEAR = 35_040


@pytest.fixture
def ledger(tmp_path):
    with Ledger.create(tmp_path / "a.store", [PROFILE, REGISTERS], {}) as made:
        yield made


@pytest.mark.parametrize("synchronous", ["FULL", "OFF"])
def test_small_commit(benchmark, ledger, synchronous):
    """60 registers, one record of the profile and the position; OFF leaves out the wait for the medium."""
    ledger._file.db.execute(f"PRAGMA synchronous={synchronous}")
    steps = itertools.count(1)

    def commit():
        k = next(steps)
        registers = [(f"r{i}", k * i, k / 3) for i in range(60)]
        ledger.commit({"profile": [(900 * k, 0, *[k / 7] * 10)]}, {"registers": registers}, state={"position": k})

    benchmark.pedantic(commit, rounds=300, warmup_rounds=20)


@pytest.mark.parametrize("read", ["rows", "columns", "check"])
def test_year_of_profile(benchmark, ledger, read):
    ledger.commit({"profile": [(900 * k, k % 7, *(k / 3 + c for c in range(10))) for k in range(YEAR)]})
    benchmark(*{"rows": (ledger.rows, "profile"), "columns": (ledger.columns, "profile"), "check": (ledger.check,)}[read])
