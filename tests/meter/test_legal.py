"""What is legally relevant is listed and hashed, and nothing else writes registers."""

from __future__ import annotations

import ast
import json

import pytest

from ctmeter.meter import Meter, legal
from ctmeter.store.ledger import Ledger
from house.tree import imports, modules
from meter.bench import sines

#: Where the energy of a meter comes from and goes to.
CORE = ("ctmeter.engine", "ctmeter.meter.feeding", "ctmeter.meter.machine", "ctmeter.meter.tables", "ctmeter.store.ledger", "ctmeter.pipeline.drive")


def listed() -> set[str]:
    return {"ctmeter." + name.removesuffix(".py").replace("/", ".") for name in legal.MODULES}


@pytest.mark.feature("D1", "D4")
def test_the_list_is_closed():
    """Whatever the core imports is on the list; the compiled part is hashed beside it."""
    eager: dict[str, set[str]] = {}
    for i in imports():
        if i.eager:
            eager.setdefault(i.source, set()).add(i.target)
    seen: set[str] = set()
    ahead = {*CORE}
    while ahead:
        module = ahead.pop()
        seen.add(module)
        ahead |= eager.get(module, set()) - seen
    assert seen - {"ctmeter._dsp", "ctmeter"} <= listed()
    # what opens recordings and shows readings is no part of it, though the meter itself, which joins both, is
    assert {"ctmeter.meter.meter", "ctmeter.meter.configuring", "ctmeter.meter.legal"} <= listed() <= set(modules())


@pytest.mark.feature("D1", "D4", "C1")
def test_nothing_else_writes():
    """Calls that book or commit stand in listed modules only; so do the private parts of registers."""
    writing = {"commit", "grow", "change_ratio", "schedule", "_commit", "_store"}
    faults = []
    for name, module in modules().items():
        if name in listed():
            continue
        text = module.path.read_text(encoding="utf-8")
        if "meter" not in name.split(".") and "ledger" not in text and "Meter" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            on = ast.unparse(node.func.value)
            booked = node.func.attr == "add" and on.endswith("registers")
            # of a meter, the way with its lock and audit trail
            public = node.func.attr == "change_ratio" and on in ("meter", "opened")
            if booked or (node.func.attr in writing and not public):
                faults.append(f"{name}:{node.lineno}: {ast.unparse(node)[:80]}")
    assert not faults


@pytest.mark.feature("B9", "D4")
def test_the_hash_is_stored_and_another_program_is_seen(tmp_path, monkeypatch):
    path = tmp_path / "a.store"
    with Meter.create(path) as meter:
        meter.feed(sines(3.0))
        assert meter.ledger.meta["legal"] == meter.ledger.state()["program"] == legal.program_hash() and len(legal.program_hash()) == 64
        assert meter.show()["hash"]["program"] == legal.program_hash()
    monkeypatch.setattr("ctmeter.meter.meter.program_hash", lambda: "0" * 64)
    with Meter.open(path, readonly=True) as reader:
        assert reader.faults() and reader.indicators().error
    with Meter.open(path) as writer:
        assert not writer.faults()
        action, detail = writer.ledger.rows("audit", columns=["action", "detail"])[-1]
        assert action == "program" and json.loads(detail) == {"old": legal.program_hash(), "new": "0" * 64}


@pytest.mark.feature("D1", "D4")
def test_readers_cannot_write(tmp_path):
    with Meter.create(tmp_path / "a.store") as meter:
        meter.feed(sines(3.0))
    with Ledger.open(tmp_path / "a.store", readonly=True) as ledger, pytest.raises(OSError, match="opened for reading"):
        ledger.commit({}, {"registers": [("A+", 0, 0, 0.0, 0)]})
