"""What an assessment becomes in words, and columns that come from other writers."""

from __future__ import annotations

import copy
import hashlib
import io

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from ctmeter.errors import InputError
from ctmeter.pipeline.reporting import material_of
from ctmeter.pipeline.result import Result
from ctmeter.reports.blocks import Sign
from ctmeter.reports.page import sections
from ctmeter.reports.sections.events import _below
from ctmeter.reports.verdicts import print_assessment
from ctmeter.reports.wording import verdict_words
from reports import made_week


def block(parts, section, kind, at=0):
    return [b for s in parts if s.id == section for b in s.blocks if b.kind == kind][at]


def changed(table=None, **changes):
    """The made week with other tables or facts."""
    week = made_week.week()
    tables = dict(week.tables) | (table or {})
    return Result(copy.deepcopy(week.summary) | changes, tables, None, None, {})


def test_rapid_changes_are_indicative_in_the_report_and_on_the_terminal():
    material = material_of([made_week.week()])
    row = next(r for r in block(sections(material), "table", "table").rows if r[0] == "rapid changes")
    assert row[2] == Sign("pass", "indicative") == Sign("pass", verdict_words({"verdict": "pass", "indicative": True}))
    out = io.StringIO()
    print_assessment(material.assessment, Console(file=out, width=160))
    (line,) = (line for line in out.getvalue().splitlines() if line.lstrip().startswith("rapid changes"))
    assert line.rstrip().endswith("✔ indicative")


def test_an_indicative_fail_is_not_among_what_is_beyond_the_limits():
    week = made_week.week()
    summary = copy.deepcopy(week.summary)
    summary["events"]["list"][1]["dU_max"] = 40.0  # 17 % of 230 V, where 10 % is the most
    material = material_of([Result(summary, week.tables, None, None, {})])
    verdict = block(sections(material), "verdict", "verdict")
    assert any(p["quantity"] == "rvc" and p["verdict"] == "fail" for p in material.assessment["weeks"][0]["parameters"])
    assert "rapid" not in " ".join(verdict.sentences)


def test_a_year_that_differs_from_its_only_week_is_shown():
    """At 53 Hz for the 30 intervals before the week: the rest fails, and so does the year."""
    quiet = material_of([made_week.week()])
    assert not [b for s in sections(quiet) if s.id == "table" for b in s.blocks if b.kind == "heading" and "whole time" in b.words]
    f = made_week.frequencies(made_week.START - 300_000_000_000, 60_510)
    values = f.column("f").to_numpy().copy()
    values[:30] = 49.45
    values[31:333] = 49.45  # 302 of the week, with the 30 too many: 0.5 % of 60510 are 302.55
    f = f.set_column(f.column_names.index("f"), "f", pa.array(values))
    week = changed({"frequency": f})
    week.summary["recording"]["start"] = made_week.iso(made_week.START - 300_000_000_000)
    material = material_of([week])
    (year,) = material.assessment["years"]
    assert year["parameters"][0]["N1"] == 332 and year["verdict"] == "fail" and len(material.assessment["weeks"]) == 1
    parts = sections(material)
    assert "frequency" in " ".join(block(parts, "verdict", "verdict").sentences)
    assert [b for s in parts if s.id == "table" for b in s.blocks if b.kind == "heading" and "whole time" in b.words]


def test_harmonics_are_drawn_without_a_column_of_the_fundamental():
    """Order 1 of the groups is one: 3.9 % of order 5 on L1, as in the made week."""
    table = made_week.week().tables["10min"]
    without = table.drop_columns([f"U1_{p}" for p in ("L1", "L2", "L3")])
    parts = sections(material_of([changed({"10min": without})]))
    known = sections(material_of([made_week.week()]))
    captions = [b.caption for s in parts if s.id == "harmonics" for b in s.blocks if b.kind == "figure"]
    assert captions[0].startswith("Harmonic voltages") and len(captions) == 2
    assert block(parts, "harmonics", "figure").table.rows == block(known, "harmonics", "figure").table.rows


def lists(table, name, kind, width=51):
    at = table.column_names.index(name)
    values = [None if v is None else list(v)[:width] for v in table.column(name).to_pylist()]
    return table.set_column(at, name, pa.array(values, kind))


def test_lists_of_any_kind_are_read():
    table = made_week.week().tables["10min"]
    wanted = material_of([made_week.week()]).column("10min", "HU_L1")
    for kind in (pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 51)):
        material = material_of([changed({"10min": lists(table, "HU_L1", kind)})])
        assert np.array_equal(material.column("10min", "HU_L1"), wanted, equal_nan=True)
        assert any(s.id == "harmonics" for s in sections(material))


def test_columns_that_nobody_can_read_are_refused():
    table = made_week.week().tables["10min"]
    with pytest.raises(InputError, match="HU_L1 has lists of 7 values"):
        sections(material_of([changed({"10min": lists(table, "HU_L1", pa.list_(pa.float32()), 7)})]))
    with pytest.raises(InputError, match=r"HI_L1 has lists of 7 values.*51"):
        sections(material_of([changed({"10min": lists(table, "HI_L1", pa.list_(pa.float32()), 7)})]))
    words = table.set_column(table.column_names.index("I_L1"), "I_L1", pa.array(["x"] * len(table)))
    with pytest.raises(InputError, match="I_L1 is string"):
        sections(material_of([changed({"10min": words})]))


def test_the_cover_has_the_digest_of_what_was_judged(tmp_path):
    made_week.week().save(tmp_path / "r")
    from ctmeter.pipeline import load

    names = ("summary.json", "10min.parquet", "2h.parquet", "frequency.parquet", "events.parquet")
    wanted = hashlib.sha256(b"".join((tmp_path / "r" / n).read_bytes() for n in names)).hexdigest()
    facts = dict(block(sections(material_of([load(tmp_path / "r")])), "verdict", "facts").rows)
    assert facts["result"] == [f"r, SHA-256 {wanted}", f"of {', '.join(names)}, one after the other"]
    assert "SHA-256 " + "0f" * 32 in facts["recording"][0]
    assert "result" not in dict(block(sections(material_of([made_week.week()])), "verdict", "facts").rows)


def test_weeks_show_their_coverage_in_percent():
    two = [made_week.week(), made_week.week(made_week.START + 1008 * made_week.STEP, with_events=False, source="b.cfg")]
    table = block(sections(material_of(two)), "verdict", "table")
    assert [row[2] for row in table.rows] == ["97.92", "97.92"]  # 987 of 1008


def test_phases_are_under_their_own_heads():
    """Currents of L2 alone: the first column is that of L1, which has none; totals come first."""
    from ctmeter.reports.sections.power import means

    week = changed()
    mean = week.summary["mean"]
    mean |= dict.fromkeys(("I_L1", "I_L3", "P_L1", "P_L3"))
    mean |= {"I_L2": 5.0, "P_L2": 1000.0, "P": 1000.0}
    table = means(material_of([week]))
    assert table.head == ["mean value", "total", "L1", "L2", "L3"]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["current I"] == ["", "", "5.0000 A", ""] and rows["active power P"] == ["1.0000 kW", "", "1.0000 kW", ""]


def test_parts_of_an_event_say_what_they_are_parts_of():
    """53 % for 66 ms, broken off at a gap, then 2 % for 5.03 s: one dip of row X that lasts 5.1 s."""
    week = made_week.week(with_events=False)
    summary, t = copy.deepcopy(week.summary), made_week.START + 100 * made_week.STEP
    first = made_week.event("dip", t, 0.066, ("L3",), 121.9) | {"flags": 8 | 128}
    second = made_week.event("dip", t + 70_000_000, 5.03, ("L3",), 5.0) | {"flags": 128}
    alone = made_week.event("dip", t + 60_000_000_000, 0.066, ("L3",), 121.9)
    summary["events"] = {"counts": {"dip": 3}, "list": [first, second, alone]}
    material = material_of([Result(summary, week.tables, None, None, {})])
    rows = block(sections(material), "events", "table").rows
    assert [r[-2] for r in rows] == ["in X5", "in X5", "C1"]
    assert {k: v for k, v in material.assessment["dips"].items() if v} == {"X5": 1, "C1": 1}


def test_rows_of_swells_have_the_edges_of_their_cells():
    """What is at 110 % is in no cell."""
    rows = [b for s in sections(material_of([made_week.week()])) if s.id == "events" for b in s.blocks if b.kind == "table"][2].rows
    assert [r[0] for r in rows] == ["S · u ≥ 120", "T · 120 > u > 110"]


def test_a_curve_begins_where_it_comes_into_the_chart():
    """From 500 % at 0.01 s to 100 % at 1 s on a logarithm of time: 200 % at three quarters of the way, 10 ** -0.5 s."""
    t, u = _below(np.array([0.01, 1.0, 10.0]), np.array([500.0, 100.0, 90.0]), 200.0)
    assert t == pytest.approx([10**-0.5, 1.0, 10.0]) and u.tolist() == [200.0, 100.0, 90.0]
    t, u = _below(np.array([0.01, 1.0]), np.array([80.0, 90.0]), 200.0)
    assert t.tolist() == [0.01, 1.0] and u.tolist() == [80.0, 90.0]
