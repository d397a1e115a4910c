"""Cells, interruptions, aggregation and the tolerance curves, by hand."""

import pytest

from ctmeter.en50160 import assess, cell, classify, curves, load_limits, located, position
from ctmeter.en50160.events import aggregated, interruptions
from ctmeter.en50160.place import merged
from ctmeter.measurements import iso
from en50160.weeks import GIVEN, PHASES, event, row, week, with_events

COUNTING = load_limits().events


def dip(percent, duration, at=0.0, **more):
    return event("dip", at, duration, U_residual=2.3 * percent, **more) | {"U_ref": 230.0, "flags": more.get("flags", 0)}


def swell(percent, duration, at=0.0):
    return event("swell", at, duration, U_max=2.3 * percent) | {"U_ref": 230.0, "flags": 0}


@pytest.mark.parametrize(
    ("percent", "duration", "name"),
    [
        (89.9, 0.010, "A1"), (80.0, 0.2, "A1"), (79.9, 0.2, "B1"), (70.0, 0.201, "B2"), (69.9, 0.5, "C2"), (40.0, 0.51, "C3"), (39.9, 1.0, "D3"),
        (5.0, 1.01, "D4"), (4.9, 5.0, "X4"), (0.0, 5.01, "X5"), (50.0, 60.0, "C5"), (50.0, 60.1, None), (50.0, 0.009, None), (90.0, 0.1, None),
        (50.0, None, None),
    ],
)  # fmt: skip
def test_dip_cells(percent, duration, name):
    assert cell(dip(percent, duration), COUNTING) == name


@pytest.mark.parametrize(
    ("percent", "duration", "name"),
    [(120.0, 0.5, "S1"), (119.9, 0.5, "T1"), (150.0, 5.0, "S2"), (110.1, 5.1, "T3"), (130.0, 60.0, "S3"), (130.0, 61.0, None), (110.0, 0.5, None)],
)
def test_swell_cells(percent, duration, name):
    assert cell(swell(percent, duration), COUNTING) == name


def test_other_events_have_no_cell():
    assert cell(event("interruption", 0, 1.0, U_residual=0.0) | {"U_ref": 230.0}, COUNTING) is None
    assert cell(event("rvc", 0, 1.0, dU_max=10.0) | {"U_ref": 230.0}, COUNTING) is None


def test_events_of_a_week_are_tabulated():
    tables = with_events(
        week(),
        event("dip", 100, 0.1, U_residual=200.0),  # 87 %: A1
        event("dip", 200, 0.15, U_residual=190.0),  # 82.6 %: A1
        event("dip", 300, 2.0, U_residual=100.0),  # 43 %: C4
        event("dip", 400, 70.0, U_residual=100.0),  # longer than the table
        event("swell", 500, 0.3, U_max=280.0),  # 121.7 %: S1
        event("dip", 1000, 201.0, phases=PHASES, U_residual=1.0),  # has an interruption inside, so it is none
        event("interruption", 1000.5, 200.0, phases=PHASES, U_residual=1.0),
        event("interruption", 2000, 180.0, phases=PHASES, U_residual=2.0),
        event("interruption", 3000, 0.5, phases=PHASES, U_residual=2.0),
    )
    found = assess(tables, **GIVEN)
    data = found.to_dict()
    assert {k: v for k, v in data["dips"].items() if v} == {"A1": 2, "C4": 1} and len(data["dips"]) == 25
    assert {k: v for k, v in data["swells"].items() if v} == {"S1": 1} and len(data["swells"]) == 6
    assert data["outside"] == {"dip": 1, "swell": 0}
    stops = data["interruptions"]
    assert (stops["count"], stops["short"], stops["long"], stops["open"]) == (3, 2, 1, 0)
    assert [c["count"] for c in stops["classes"]] == [1, 1, 1]  # to 1 s, to 3 min, longer
    assert found.verdict == "pass", "events are counted, they decide nothing"
    assert [e["counts_as"] for e in found.events] == ["dip"] * 4 + ["swell", None] + ["interruption"] * 3
    assert found.events[0]["t"] == "2026-03-02T00:01:40Z" and found.events[0]["cell"] == "A1"


def test_interruptions_by_edition():
    """All voltages at 2 to 4 %: an interruption below 5 %, a dip of row X where the threshold is 1 %."""
    detail = [{"phase": p, "U": u} for p, u in zip(PHASES, (4.6, 6.9, 9.2), strict=True)]
    events = [
        dip(2.0, 0.3, phases=PHASES),
        event("interruption", 0.01, 0.28, phases=PHASES, U_residual=4.6) | {"U_ref": 230.0, "flags": 0, "detail": detail},
    ]
    new = classify(events, load_limits("2010").events)
    assert [(e["type"], e["counts_as"], e["cell"]) for e in new] == [("dip", None, None), ("interruption", "interruption", None)]
    old = classify(events, load_limits("1999").events)
    assert [(e["type"], e["counts_as"], e["cell"]) for e in old] == [("dip", "dip", "X2"), ("interruption", None, None)]
    assert interruptions(new, load_limits("2010").events)["count"] == 1 and interruptions(old, load_limits("1999").events)["count"] == 0


def test_lengths_at_the_edges_of_classes():
    """To 1 s, to 3 min, longer; what is longer by less than rounding is not longer, in the classes as in short and long."""
    lengths = (1.0, 1.0000003, 1.000001, 180.0, 180.0000003, 180.000001)
    cuts = [event("interruption", 1000 * k, d, phases=PHASES, U_residual=0.0) | {"U_ref": 230.0, "flags": 0} for k, d in enumerate(lengths)]
    made = interruptions(classify(cuts, COUNTING), COUNTING)
    assert [c["count"] for c in made["classes"]] == [2, 3, 1] and (made["short"], made["long"]) == (5, 1)


def test_many_events_are_quick():
    """20000 dips with an interruption inside each: none of them counts as a dip."""
    cuts = [
        event(kind, 10 * k, 1.0, phases=PHASES, U_residual=0.0) | {"U_ref": 230.0, "flags": 0}
        for k in range(20_000)
        for kind in ("dip", "interruption")
    ]
    made = classify(cuts, COUNTING)
    assert [e["counts_as"] for e in made[:4]] == [None, "interruption"] * 2 and interruptions(made, COUNTING)["count"] == 20_000


def test_events_one_by_one():
    """A dip with an interruption inside has no cell; changes and signals have none either; times stay text."""
    events = [
        dip(2.0, 0.3),
        event("interruption", 0.01, 0.28, U_residual=4.6) | {"U_ref": 230.0},
        event("rvc", 5, 1.0, dU_max=9.0),
        dip(50.0, 0.1, at=9),
    ]
    rows = located([{**e, "t": iso(e["t"])} for e in events], COUNTING)
    assert [(e["cell"], e["counts_as"], e["length"]) for e in rows] == [
        (None, None, None),
        (None, "interruption", "short"),
        (None,) * 3,
        ("C1", "dip", None),
    ]
    assert rows[3]["t"] == "2026-03-02T00:00:09Z" and "itic" in rows[2]


def test_polyphase_aggregation():
    """Three rows of one dip, one for each voltage, are one: from 1.00 to 1.35 s, 40 % deep."""
    rows = [dip(u, d, at=t, phases=[p]) for u, d, t, p in ((60.0, 0.2, 1.0, "L1"), (40.0, 0.3, 1.05, "L2"), (85.0, 0.1, 1.1, "L3"))]
    one, other = merged([*rows, swell(115.0, 0.2, at=1.1), event("rvc", 3, 1.0)])
    assert other["type"] == "swell"
    assert one["phases"] == ["L1", "L2", "L3"] and one["duration"] == pytest.approx(0.35) and one["U_residual"] == pytest.approx(92.0)
    # touching is not overlapping
    assert len(merged([dip(60.0, 0.2, at=1.0), dip(60.0, 0.2, at=1.2)])) == 2
    assert rows[0]["duration"] == 0.2, "the events given stay as they are"


def test_a_dip_across_the_seam_of_two_recordings():
    start = event("dip", 0, 0)["t"]
    first = dip(50.0, None, at=9.9) | {"ends": start + 10_000_000_000}
    second = dip(45.0, 0.4, at=10.0) | {"flags": 128}
    (one,) = merged([first, second])
    assert one["duration"] == pytest.approx(0.5) and one["U_residual"] == pytest.approx(2.3 * 45)
    assert len(merged([first, second | {"flags": 0}])) == 2, "one that begins by itself is another"
    assert len(merged([first, second | {"t": second["t"] + 5_000_000_000}])) == 2


def test_parts_of_an_event_before_and_after_a_gap():
    """Broken off at 10.3 s, and there again from the first value after the gap on; two that a gap did not part stay two."""
    first, second = dip(50.0, 0.3, at=10.0) | {"flags": 8 | 128}, dip(45.0, 0.4, at=10.5) | {"flags": 128}
    (one,) = merged([first, second])
    assert one["duration"] == pytest.approx(0.9) and one["U_residual"] == pytest.approx(2.3 * 45)
    # one of three voltages is unknown all the time: every event is incomplete, and they are events of their own
    assert len(merged([first | {"flags": 128}, second])) == 2
    assert len(merged([first, second | {"flags": 0}])) == 2
    assert len(merged([first, second | {"t": second["t"] + 1_000_000_000}])) == 2, "more than a second"


def test_time_aggregation():
    """Within a minute of the first one the worst stands for all."""
    events = classify([dip(80.0, 0.1, at=0), dip(50.0, 0.2, at=30), dip(60.0, 0.5, at=60), dip(70.0, 0.1, at=61), swell(115, 0.1, at=20)], COUNTING)
    one = aggregated(events, 60.0)
    assert [(e["type"], e["cell"]) for e in one] == [("swell", "T1"), ("dip", "C1"), ("dip", "B1")]
    assert len(aggregated(events, 0.0)) == 5
    tables = with_events(week(), event("dip", 0, 0.1, U_residual=200.0), event("dip", 30, 0.1, U_residual=100.0))
    data = assess(tables, limits={"events": {"aggregation": 60}}, **GIVEN).to_dict()
    assert {k: v for k, v in data["dips"].items() if v} == {"C1": 1} and data["aggregation_s"] == 60


def test_rapid_voltage_changes_are_indicative():
    """dU of 5.2 %, 4.8 % and 10.4 % of 230 V: one is beyond what is usual, one beyond the most."""
    changes = [event("rvc", 100 * k, 1.0, dU_max=u) for k, u in enumerate((12.0, 11.0, 24.0))]
    found = assess(with_events(week(), *changes), **GIVEN)
    one = row(found, "rvc")
    assert (one["N"], one["N1"], one["N2"], one["verdict"], one["indicative"]) == (3, 2, 1, "fail", True)
    assert not one["limit"]["verified"] and one["max"] == pytest.approx(100 * 24 / 230) and one["t_max"] == "2026-03-02T00:03:20Z"
    assert found.verdict == "pass", "indicative values do not decide"
    assert row(assess(with_events(week(), *changes[:2]), **GIVEN), "rvc")["verdict"] == "pass"
    # at medium voltage 4 % and 6 %
    one = row(assess(with_events(week(), *changes), level="MV", **GIVEN), "rvc")
    assert (one["N"], one["N1"], one["N2"]) == (3, 3, 1)


@pytest.mark.parametrize(
    ("kind", "percent", "duration", "itic", "semi"),
    [
        ("dip", 0.0, 0.02, "no-interruption", "below"),
        ("dip", 0.0, 0.019, "no-interruption", None),
        ("dip", 69.9, 0.021, "no-damage", "above"),
        ("dip", 70.0, 0.021, "no-interruption", "above"),
        ("dip", 50.0, 0.2, "no-damage", "above"),
        ("dip", 49.9, 0.2, "no-damage", "below"),
        ("dip", 69.9, 0.3, "no-damage", "below"),
        ("dip", 75.0, 0.5, "no-interruption", "above"),
        ("dip", 75.0, 0.6, "no-damage", "below"),
        ("dip", 80.0, 1.0, "no-interruption", "above"),
        ("dip", 85.0, 10.0, "no-interruption", None),
        ("dip", 85.0, 11.0, "no-damage", None),
        ("interruption", 1.0, 0.3, "no-damage", "below"),
        ("swell", 119.0, 0.3, "no-interruption", None),
        ("swell", 121.0, 0.3, "prohibited", None),
        ("swell", 111.0, 0.6, "prohibited", None),
        ("swell", 109.0, 0.6, "no-interruption", None),
        ("swell", 139.0, 0.003, "no-interruption", None),
        ("swell", 500.0, 0.0001, "no-interruption", None),
    ],
)
def test_tolerance_curves(kind, percent, duration, itic, semi):
    made = (swell if kind == "swell" else dip)(percent, duration) | {"type": kind}
    assert position(made) == {"itic": itic, "semi_f47": semi}


def test_events_that_have_no_place_on_the_curves():
    none = {"itic": None, "semi_f47": None}
    assert position(dip(50.0, None)) == position({"type": "rvc", "duration": 1.0, "dU_max": 20.0}) == none
    assert position({"type": "dip", "duration": 1.0, "U_ref": None, "U_residual": 20.0}) == none


def test_between_the_points_the_upper_curve_is_straight_on_the_chart():
    """From 200 % at 1 ms to 140 % at 3 ms; halfway in the logarithm, at sqrt(3) ms, 170 %."""
    assert position(swell(169.9, 0.003**0.5 * 0.001**0.5))["itic"] == "no-interruption"
    assert position(swell(170.1, 0.003**0.5 * 0.001**0.5))["itic"] == "prohibited"


def test_curves_for_charts_have_their_provenance():
    for curve in curves().values():
        assert curve["lower"] == sorted(curve["lower"], key=lambda p: p[0]) and curve["verified"] is False and curve["title"]
    assert curves()["semi_f47"]["lower"] == [(0.02, 50.0), (0.2, 50.0), (0.2, 70.0), (0.5, 70.0), (0.5, 80.0), (1.0, 80.0)]
