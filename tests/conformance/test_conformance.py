"""Every case through the engine, and through the slow reference where it has an opinion."""

from __future__ import annotations

import math

import pytest

from conformance import by_reference, runner
from conformance.cases import SCALE, Case, Tolerance, compute, every, files, limits

ALL = every()


def marked(case: Case, long: bool) -> object:
    return pytest.param(case, id=case.name, marks=[pytest.mark.long] if long else [])


@pytest.mark.parametrize("case", [marked(c, c.long) for c in ALL])
def test_case(case: Case):
    missed = [str(o) for o in runner.outcomes(case) if not o.met]
    assert not missed, f"{case.title}\n" + "\n".join(missed)


@pytest.mark.parametrize("case", [marked(c, c.long or c.reference == "long") for c in ALL if c.reference])
def test_case_by_reference(case: Case):
    found = list(by_reference.outcomes(case))
    assert found, "the reference has no opinion on this case"
    missed = [str(o) for o in found if not o.met]
    assert not missed, f"{case.title}\n" + "\n".join(missed)


def test_there_are_cases():
    assert len(files()) >= 150
    assert len({c.name for c in ALL}) == len(ALL)


@pytest.mark.parametrize("path", files(), ids=lambda p: p.parent.as_posix().split("/cases/")[-1])
def test_data(path):
    """Values follow from their formulas, tolerances keep to the limits, nothing is misspelt."""
    known = limits()
    for case in (c for c in ALL if c.folder == path.parent):
        assert case.origin.split(":")[0] in ORIGINS, case.origin
        for expect in case.expect:
            assert set(expect) <= KEYS, set(expect) - KEYS
            for which in ("quantity", "quantity_time"):
                if which in expect:
                    limit = Tolerance.of(known[expect[which]]["limit"])
                    own = Tolerance.of(expect["tolerance_time" if which == "quantity_time" else "tolerance"]) if limit.size else limit
                    assert own.size * SCALE[own.unit] <= limit.size * SCALE[limit.unit] * 1.0000001, (expect[which], own.text, limit.text)
            if "formula" in expect and not isinstance(expect["value"], list):
                assert math.isclose(expect["value"], compute(expect["formula"], case.names), rel_tol=1e-9, abs_tol=1e-9), expect["formula"]


#: Where an expected value may come from.
ORIGINS = {"closed form", "standards table", "definition"}
KEYS = {
    "table", "columns", "rows", "value", "formula", "unit", "tolerance", "tolerance_time", "quantity", "quantity_time", "orders", "orders_except",
    "reduce", "minimum", "maximum", "null", "oracle", "type", "channels", "channel", "count", "flag", "touched", "column", "cycles",
    "phase", "into_tick", "tick", "from", "to", "avoid",
}  # fmt: skip
