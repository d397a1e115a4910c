"""Event tables of other programs, which list the voltages one by one; counted by hand."""

import pyarrow as pa
import pytest

from ctmeter.en50160 import assess, classify, load_limits, read_table
from ctmeter.errors import InputError
from en50160.weeks import GIVEN, PHASES, event, table, week, with_events

COUNTING, OLD = load_limits().events, load_limits("1999").events


def rows(kind, *spans):
    """One row for each voltage: start, length and residual in %."""
    return [event(kind, t, d, phases=[p], U_residual=2.3 * u) | {"U_ref": 230.0} for p, (t, d, u) in zip(PHASES, spans, strict=False)]


def found(events, counting=COUNTING, voltages=PHASES):
    return [(e["type"], e["counts_as"], e["cell"], e["duration"]) for e in classify(events, counting, voltages)]


def test_an_interruption_is_what_those_of_all_voltages_have_in_common():
    """10.0 to 11.0, 10.1 to 11.1 and 10.2 to 10.9: from 10.2 to 10.9 s; the dip is from 10.0 to 11.1 s."""
    three = rows("interruption", (10.0, 1.0, 1.0), (10.1, 1.0, 2.0), (10.2, 0.7, 0.0))
    assert found(three) == [("dip", None, None, pytest.approx(1.1)), ("interruption", "interruption", None, pytest.approx(0.7))]
    data = assess(with_events(week(), *three), **GIVEN).to_dict()
    assert (data["interruptions"]["count"], data["interruptions"]["longest_s"]) == (1, pytest.approx(0.7))
    assert not any(data["dips"].values())
    # two that do not meet, and a third that meets both: none at all
    apart = rows("interruption", (0.0, 1.0, 0.0), (1.5, 1.0, 0.0), (0.0, 3.0, 0.0))
    assert found(apart) == [("dip", "dip", "X4", pytest.approx(3.0))]


def test_interruptions_of_some_voltages_are_dips():
    """L1 for 0.3 s, and L2 in a row of its own: X2; with L3 as well it would be an interruption."""
    one = rows("interruption", (5.0, 0.3, 0.0))
    assert found(one) == [("dip", "dip", "X2", 0.3)]
    assert found(one, voltages=("L1",)) == [("interruption", "interruption", None, 0.3)], "one phase is all there is"
    assert found(rows("interruption", (5.0, 0.3, 0.0), (5.1, 0.3, 3.0))) == [("dip", "dip", "X2", pytest.approx(0.4))]
    pair = [event("interruption", 5.0, 0.3, phases=["L1", "L2"], U_residual=1.0) | {"U_ref": 230.0}]
    assert found(pair) == [("dip", "dip", "X2", 0.3)]
    third = event("interruption", 5.1, 0.1, phases=["L3"], U_residual=1.0) | {"U_ref": 230.0}
    assert found([*pair, third])[1:] == [("interruption", "interruption", None, pytest.approx(0.1))]


def test_three_dips_to_nothing_are_an_interruption():
    three = rows("dip", (10.0, 2.0, 0.0), (10.0, 2.0, 1.0), (10.5, 2.0, 4.9))
    assert found(three) == [("dip", None, None, pytest.approx(2.5)), ("interruption", "interruption", None, pytest.approx(1.5))]
    assert found(rows("dip", (10.0, 2.0, 0.0), (10.0, 2.0, 1.0), (10.5, 2.0, 5.0))) == [("dip", "dip", "X4", pytest.approx(2.5))]
    assert found(rows("dip", (10.0, 2.0, 0.0), (10.0, 2.0, 1.0))) == [("dip", "dip", "X4", 2.0)]
    assert found(rows("dip", (0.0, 1.0, 0.0)), voltages=("L1",))[1][1] == "interruption"
    # of one row for several voltages only the lowest is known
    several = event("dip", 0, 2.0, phases=PHASES, U_residual=0.0) | {"U_ref": 230.0}
    assert found([several]) == [("dip", "dip", "X4", 2.0)]


def test_interruptions_say_more_exactly_than_dips_when():
    """Dips of 2 s to nothing, in which each voltage is interrupted for 1 s: 1 s, not 2 s."""
    dips = rows("dip", (10.0, 2.0, 0.0), (10.0, 2.0, 0.0), (10.0, 2.0, 0.0))
    cuts = rows("interruption", (10.5, 1.0, 0.0), (10.5, 1.0, 0.0), (10.5, 1.0, 0.0))
    assert found([*dips, *cuts]) == [("dip", None, None, 2.0), ("interruption", "interruption", None, 1.0)]
    whole = event("interruption", 10.5, 1.0, phases=PHASES, U_residual=0.0) | {"U_ref": 230.0}
    assert found([*dips, whole]) == [("dip", None, None, 2.0), ("interruption", "interruption", None, 1.0)]


def test_the_threshold_of_1999_without_detail():
    """All voltages at 3 %: an interruption below 5 %, a dip of row X where the threshold is 1 %."""
    three = rows("interruption", (10.0, 0.3, 3.0), (10.0, 0.3, 3.0), (10.0, 0.3, 3.0))
    assert [r[1] for r in found(three)] == [None, "interruption"]
    assert found(three, OLD) == [("dip", "dip", "X2", 0.3), ("interruption", None, None, 0.3)]
    # the lowest of the row counts where the voltages have none of their own; without a dip the event itself counts as one
    whole = event("interruption", 10.0, 0.3, phases=PHASES, U_residual=2.3 * 3) | {"U_ref": 230.0}
    assert found([whole]) == [("interruption", "interruption", None, 0.3)]
    assert found([whole], OLD) == [("interruption", "dip", "X2", 0.3)]
    assert found([whole | {"U_residual": 2.3 * 0.9}], OLD) == [("interruption", "interruption", None, 0.3)]
    dip = event("dip", 9.9, 0.6, phases=PHASES, U_residual=2.3 * 3) | {"U_ref": 230.0}
    assert found([whole, dip], OLD) == [("dip", "dip", "X3", 0.6), ("interruption", None, None, 0.3)]
    # what is not known is taken at its word
    assert found([whole | {"U_residual": None}], OLD)[0][1] == "interruption"
    data = assess(with_events(week(), whole), "1999", **GIVEN).to_dict()
    assert data["interruptions"]["count"] == 0 and data["dips"]["X2"] == 1


def test_one_that_is_still_open():
    made = rows("interruption", (10.0, None, 0.0), (10.1, None, 0.0), (10.2, None, 0.0))
    assert [(e["type"], e["counts_as"], e["duration"]) for e in classify(made, COUNTING, PHASES)][-1] == ("interruption", "interruption", None)


def test_the_reference_is_the_nominal_voltage_where_no_other_is_given():
    bare = pa.table({
        "type": ["dip"], "t": pa.array([event("dip", 0, 0)["t"]], pa.timestamp("ns", "UTC")), "duration": [0.1], "U_residual": [115.0],
    })  # fmt: skip
    data = assess({**week(), "events": bare}, **GIVEN).to_dict()
    assert data["dips"]["C1"] == 1 and data["outside"]["dip"] == 0


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("Sag,L1", "events: row 2 is of type 'sag'.*one of dip, swell, interruption, rvc, msv, transient"),
        ("bogus,L1", "row 2 is of type 'bogus'"),
        (",L1", "row 2 is of type None"),
        ("dip,A", "row 2 names the phase 'A'"),
    ],
)
def test_events_that_nobody_can_count_are_refused(tmp_path, rows, words):
    path = tmp_path / "e.csv"
    # the second row of the file is the earlier one
    path.write_text(f"t,duration,type,phases\n2026-03-02T00:01:00Z,0.1,Dip,l1\n2026-03-02T00:00:00Z,0.1,{rows}\n")
    with pytest.raises(InputError, match=words) as error:
        read_table(path, "events")
    assert "e.csv" in str(error.value)


def test_tables_in_memory_are_checked_alike():
    made = with_events(week(), event("sag", 0, 0.1))
    with pytest.raises(InputError, match="row 1 is of type 'sag'"):
        assess(made, **GIVEN)
    with pytest.raises(InputError, match="no column type"):
        assess({**week(), "events": table("10min", 1)}, **GIVEN)


def test_a_table_without_types(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("t,U_residual\n2026-03-02T00:01:00Z,0.1\n")
    with pytest.raises(InputError, match="no column of types of events"):
        read_table(path, "events")
