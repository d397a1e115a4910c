"""docs/accuracy.md has the quantities and limits of limits.toml, and no error beyond its limit; nothing is measured anew."""

from __future__ import annotations

import importlib.util

from conformance.cases import FOLDER, every, limits

ROOT = FOLDER.parents[1]


def test_page_is_current():
    spec = importlib.util.spec_from_file_location("make_accuracy", ROOT / "tools" / "make_accuracy.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert not tool.faults(), "run python tools/make_accuracy.py"


def test_every_limit_has_cases():
    named = {e[key] for c in every() for e in c.expect for key in ("quantity", "quantity_time") if key in e}
    assert set(limits()) == named - {""}
