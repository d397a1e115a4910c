"""Dips, swells and interruptions on values of Urms(1/2) made by hand."""

import csv

import numpy as np
import pytest

from ctmeter.errors import InputError, SettingsError
from ctmeter.events import Detector
from ctmeter.quantity import Flag
from ctmeter.recording import Wiring
from ctmeter.settings import Settings
from unit.half_cycles import HALF, START, UN, detector, found, half_rows, windows

OFFSET = HALF // 3
MS = 1_000_000


def steady(n=60, u=UN):
    return [u] * n


def with_values(values, at=20, n=60):
    column = steady(n)
    column[at : at + len(values)] = values
    return column


def t_of(i, k=0):
    """Start of value i of the k-th voltage."""
    return START + k * OFFSET + i * HALF


def brief(events):
    return [(e["type"], e["t"], e["duration"] and round(e["duration"] * 1e9), e["phases"]) for e in events]


def one(values, **given):
    events, _ = found(half_rows({"L1": values}), wiring="1P2W", **given)
    return events


def test_nothing_happens():
    events, _ = found(half_rows({p: steady() for p in ("L1", "L2", "L3")}))
    assert events == []


def test_a_ten_cycle_dip_at_a_zero_crossing_lasts_210_ms():
    """The window that begins half a cycle before and the one that begins half a cycle before its end are in between."""
    half_way = 230 * np.sqrt((1 + 0.6**2) / 2)
    (dip,) = one(with_values([half_way, *[138.0] * 19, half_way]))
    assert brief([dip]) == [("dip", t_of(20), 210 * MS, ["L1"])]
    assert dip["U_residual"] == 138.0 and dip["U_ref"] == UN and dip["U_max"] is None and dip["flags"] == 0
    assert dip["detail"] == [{"phase": "L1", "t": t_of(20), "duration": dip["duration"], "U": 138.0}]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.9 * UN], []),  # not below
        ([np.nextafter(0.9 * UN, 0)], [("dip", t_of(20), 10 * MS, ["L1"])]),
        ([1.1 * UN], []),
        ([np.nextafter(1.1 * UN, 999)], [("swell", t_of(20), 10 * MS, ["L1"])]),
        # held in between the thresholds, over at the upper one exactly
        ([200.0, 0.91 * UN, 0.9 * UN, np.nextafter(0.92 * UN, 0), (0.9 + 0.02) * UN, 0.91 * UN], [("dip", t_of(20), 40 * MS, ["L1"])]),
        ([260.0, 1.09 * UN, np.nextafter(1.08 * UN, 999), (1.1 - 0.02) * UN, 1.09 * UN], [("swell", t_of(20), 30 * MS, ["L1"])]),
        ([0.91 * UN] * 5, []),  # in between without having been below
        ([200.0, 230.0, 200.0], [("dip", t_of(20), 10 * MS, ["L1"]), ("dip", t_of(22), 10 * MS, ["L1"])]),
        ([200.0, 260.0, 230.0], [("dip", t_of(20), 10 * MS, ["L1"]), ("swell", t_of(21), 10 * MS, ["L1"])]),
    ],
)
def test_thresholds_and_hysteresis(values, expected):
    assert brief(one(with_values(values))) == expected


def test_settings_of_thresholds():
    values = with_values([0.86 * UN, 0.86 * UN, 0.89 * UN, 0.9 * UN])
    assert one(values, dip=0.85) == []
    assert brief(one(values, dip=0.87, hysteresis=0.01)) == [("dip", t_of(20), 20 * MS, ["L1"])]
    # without hysteresis it is over at the threshold
    assert brief(one(with_values([0.86 * UN, 0.87 * UN]), dip=0.87, hysteresis=0.0)) == [("dip", t_of(20), 10 * MS, ["L1"])]


def test_a_dip_with_an_interruption_inside_stands_as_both():
    values = with_values([150.0, 5.0, 0.0, 11.4, 12.0, 0.07 * UN, 150.0])
    events = one(values)
    assert brief(events) == [("dip", t_of(20), 70 * MS, ["L1"]), ("interruption", t_of(21), 40 * MS, ["L1"])]
    assert [e["U_residual"] for e in events] == [0.0, 0.0]


def three(l1=(), l2=(), l3=(), at=20):
    return half_rows({"L1": with_values(list(l1), at), "L2": with_values(list(l2), at), "L3": with_values(list(l3), at)})


def test_a_dip_starts_on_any_voltage_and_ends_when_all_are_back():
    events, _ = found(three([200.0] * 3, [UN, 190.0, 190.0, 180.0, 190.0], []))
    assert brief(events) == [("dip", t_of(20), t_of(25, 1) - t_of(20), ["L1", "L2"])]
    assert events[0]["U_residual"] == 180.0
    assert [(d["phase"], d["t"], round(d["duration"] * 1e9), d["U"]) for d in events[0]["detail"]] == [
        ("L1", t_of(20), 30 * MS, 200.0),
        ("L2", t_of(21, 1), 40 * MS, 180.0),
    ]


def test_a_voltage_that_dips_twice_while_another_is_down_is_one_dip():
    events, _ = found(three([200.0, UN, 200.0, UN], [UN, 190.0, 190.0, 190.0, UN]))
    # L1 is back at 21 before L2 starts at 21 + a third: two dips; the second one lasts until L2 is back
    assert brief(events) == [("dip", t_of(20), 10 * MS, ["L1"]), ("dip", t_of(21, 1), 30 * MS, ["L1", "L2"])]
    assert events[1]["detail"][0]["t"] == t_of(22)


def test_a_swell_starts_on_any_voltage_and_ends_when_all_are_back():
    events, _ = found(three([], [260.0] * 4, [UN, UN, UN, 270.0, 265.0]))
    assert brief(events) == [("swell", t_of(20, 1), t_of(25, 2) - t_of(20, 1), ["L2", "L3"])]
    assert events[0]["U_max"] == 270.0 and events[0]["U_residual"] is None


def test_an_interruption_takes_all_voltages_to_start_and_one_to_end():
    events, _ = found(three([1.0] * 5, [2.0] * 6, [UN, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]))
    dip, interruption = events
    assert brief([dip]) == [("dip", t_of(20), t_of(27, 2) - t_of(20), ["L1", "L2", "L3"])]
    assert brief([interruption]) == [("interruption", t_of(21, 2), t_of(25) - t_of(21, 2), ["L1", "L2", "L3"])]
    events, _ = found(three([1.0] * 5, [2.0] * 6))
    assert [e["type"] for e in events] == ["dip"]  # one voltage stays


def test_voltages_absent_from_the_wiring_take_no_part():
    rows = half_rows({"L1": with_values([1.0] * 4), "L12": with_values([1.0] * 8), "N": [0.1] * 60})
    events, _ = found(rows, wiring="1P2W")
    assert [(e["type"], e["phases"]) for e in events] == [("dip", ["L1"]), ("interruption", ["L1"])]
    # of three, two are measured: they decide
    rows = half_rows({"L1": with_values([1.0] * 4), "L3": with_values([1.0] * 4)})
    events, _ = found(rows, phases=("L1", "L3"))
    assert [(e["type"], e["phases"]) for e in events] == [("dip", ["L1", "L3"]), ("interruption", ["L1", "L3"])]


def test_three_wires_have_line_voltages():
    rows = half_rows({"L12": with_values([200.0] * 4), "L23": steady(), "L31": with_values([210.0, 203.0]), "L1": [132.0] * 60})
    events, out = found(rows, windows(3), wiring="3P3W")
    assert [e["phases"] for e in events] == [["L12", "L31"]] and events[0]["U_residual"] == 200.0
    assert out["flags_L1"].tolist() == [0, Flag.DIP, 0] and out["flags_L2"].tolist() == [0, 0, 0]


def test_windows_are_flagged_exactly_where_an_event_touches_them():
    """Values 40 to 59 are down: from 0.400 s to 0.600 s; the windows are those from 0.4 to 0.6 s, and no other."""
    events, out = found(half_rows({"L1": with_values([200.0] * 20, 40, 100), "L2": steady(100), "L3": steady(100)}, offset=0), windows(4))
    assert brief(events) == [("dip", t_of(40), 200 * MS, ["L1"])]
    assert out["flags"].tolist() == [0, 0, 1, 0] == out["flags_L1"].tolist() and not out["flags_L2"].any()
    # one value more on either side and both neighbours are touched
    _, out = found(half_rows({"L1": with_values([200.0] * 22, 39, 100), "L2": steady(100), "L3": steady(100)}, offset=0), windows(4))
    assert out["flags"].tolist() == [0, 1, 1, 1]


def test_flags_of_swells_and_interruptions_of_each_voltage():
    rows = three([1.0] * 30, [1.0] * 3, [1.0] * 3)
    _, out = found(rows, windows(3))
    both = Flag.DIP | Flag.INTERRUPTION
    assert out["flags"].tolist() == [0, both, Flag.DIP] and out["flags_L1"].tolist() == [0, both, Flag.DIP]
    assert out["flags_L2"].tolist() == [0, both, 0]
    _, out = found(three([], [260.0] * 3), windows(3))
    assert out["flags_L2"].tolist() == [0, Flag.SWELL, 0] and not out["flags_L1"].any()


def test_overlapping_windows_of_both_grids_are_flagged_each_by_itself():
    basic = windows(3)
    basic["t"] = basic["t"] + np.array([0, 150 * MS, 200 * MS])
    basic["t1"] = basic["t"] + 200 * MS
    basic["kind"] = np.array([1, 0, 2], np.int8)
    _, out = found(half_rows({"L1": with_values([200.0], 38, 100)}, offset=0), basic, wiring="1P2W")
    assert out["flags"].tolist() == [0, 1, 0] and out["kind"].tolist() == [1, 0, 2]


def test_windows_wait_for_two_cycles_and_no_longer():
    detect, half, basic = detector(wiring="1P2W"), half_rows({"L1": steady(30)}), windows(1)
    _, out = detect.feed({n: v[:24] for n, v in half.items()}, basic)
    assert out == {}
    _, out = detect.feed({n: v[24:25] for n, v in half.items()}, {})
    assert len(out["t"]) == 1


def test_what_is_open_at_the_end():
    events, out = found(half_rows({"L1": with_values([200.0] * 40)}), windows(3), wiring="1P2W")
    assert brief(events) == [("dip", t_of(20), None, ["L1"])]
    assert events[0]["flags"] == Flag.INCOMPLETE and events[0]["detail"][0]["duration"] is None
    assert out["flags"].tolist() == [0, 1, 1]


def test_what_was_there_from_the_start_is_incomplete():
    (dip,) = one([200.0] * 10 + steady())
    assert brief([dip]) == [("dip", START, 100 * MS, ["L1"])] and dip["flags"] == Flag.INCOMPLETE


def test_a_gap_inside_an_event_closes_it():
    values = with_values([200.0] * 10)
    rows = half_rows({"L1": values})
    later = rows["t"] >= t_of(25)
    rows["t"] = rows["t"] + np.where(later, 500 * MS, 0)
    events, _ = found(rows, wiring="1P2W")
    # up to the end of the last window known
    assert brief(events) == [("dip", t_of(20), 60 * MS, ["L1"]), ("dip", t_of(25) + 500 * MS, 50 * MS, ["L1"])]
    assert events[0]["flags"] == Flag.INCOMPLETE | Flag.GAP and events[1]["flags"] == Flag.INCOMPLETE


def test_missing_samples_start_nothing_and_make_events_incomplete():
    bad = {"L1": np.where(np.arange(60) == 30, Flag.NOT_FINITE, 0)}
    events, _ = found(half_rows({"L1": with_values([20.0], 30)}, flags=bad), wiring="1P2W")
    assert events == []
    events, _ = found(half_rows({"L1": with_values([200.0] * 5, 30)}, flags=bad), wiring="1P2W")
    assert brief(events) == [("dip", t_of(31), 40 * MS, ["L1"])] and events[0]["flags"] == Flag.INCOMPLETE
    bad = {"L1": np.where(np.arange(60) == 32, Flag.NOT_FINITE, 0)}
    events, _ = found(half_rows({"L1": with_values([200.0] * 5, 30)}, flags=bad), wiring="1P2W")
    assert [e["flags"] for e in events] == [Flag.INCOMPLETE] * 2


def test_flags_of_values_are_those_of_the_event():
    marks = {"L1": np.where(np.arange(60) == 22, Flag.SATURATED, 0)}
    events, _ = found(half_rows({"L1": with_values([200.0] * 5)}, flags=marks), wiring="1P2W")
    assert events[0]["flags"] == Flag.SATURATED


def test_the_sliding_reference_follows_and_leaves_flagged_windows_out():
    """One-minute filter on windows: after n windows of a constant value v it is v + (Un - v) 0.9967^n."""
    n, v = 600, 215.0
    column = [v] * (20 * n) + [0.9 * v - 0.5] * 40 + [v] * 60
    basic = windows(n + 5, U_L1=np.full(n + 5, v))
    events, _ = found(half_rows({"L1": column}), basic, wiring="1P2W", reference="sliding", pieces=7)
    reference = v + (UN - v) * 0.9967**n
    (dip,) = events
    assert dip["U_ref"] == pytest.approx(reference, abs=1e-9) and brief(events) == [("dip", t_of(20 * n), 400 * MS, ["L1"])]
    # a long dip does not pull it down: the windows it touches are left out
    column = [UN] * 40 + [150.0] * 20 * n + [UN] * 40 + [200.0] * 4 + [UN] * 40
    u = np.array([UN] * 2 + [150.0] * n + [UN] * 2)
    events, _ = found(half_rows({"L1": column}), windows(len(u), U_L1=u), wiring="1P2W", reference="sliding")
    assert [e["U_ref"] for e in events] == pytest.approx([UN, UN], abs=1e-12)


def noisy(seed, n=2000):
    random = np.random.default_rng(seed)
    levels = random.choice([230.0, 228.0, 212.0, 209.0, 200.0, 8.0, 15.0, 245.0, 250.0, 260.0], (3, n), p=[0.5, 0.3] + [0.025] * 8)
    rows = half_rows(dict(zip(("L1", "L2", "L3"), np.repeat(levels, 3, axis=1)[:, :n], strict=True)))
    rows["flags"] = np.where(random.random(3 * n) < 0.001, np.uint32(Flag.NOT_FINITE), np.uint32(0)).astype(np.uint32)
    rows["t"] = rows["t"] + np.where(rows["t"] > t_of(n // 2), 77 * MS, 0)
    u = {f"U_{p}": random.uniform(225, 235, n // 20) for p in ("L1", "L2", "L3")}
    return rows, windows(n // 20, **u)


@pytest.mark.parametrize("reference", ["fixed", "sliding"])
@pytest.mark.parametrize("seed", range(4))
def test_any_split_and_snapshots_give_the_same(seed, reference):
    rows, basic = noisy(seed)
    given = {"rvc": 0.03, "reference": reference, "signalling_frequency": 183.0}
    basic |= {f"MSV_{p}": np.random.default_rng(seed).uniform(0, 1.0, len(basic["t"])) for p in ("L1", "L2", "L3")}
    events, out = found(rows, basic, **given)
    assert len(events) > 20 and len(out["t"]) == len(basic["t"])
    for pieces in (3, 50, 700):
        again, same = found(rows, basic, pieces=pieces, snapshots=pieces == 50, **given)
        assert again == events
        assert all(np.array_equal(out[name], same[name]) for name in out)


def test_faults():
    with pytest.raises(SettingsError, match="nominal_voltage"):
        Detector(Settings(nominal_frequency=50), 50.0, Wiring("3P4W"))
    for junk in (b"", b"{}", b'{"version": 99}', b'{"version": 1}', b"\xff"):
        with pytest.raises(InputError, match="snapshot"):
            detector().restore(junk)


def test_signalling():
    msv = np.zeros(20)
    msv[5:8] = [0.7, 2.0, 0.5]  # 0.3 % of 230 V is 0.69 V
    basic = windows(20, MSV_L1=msv)
    events, out = found(half_rows({"L1": steady(420)}), basic, wiring="1P2W", signalling_frequency=183.3)
    assert brief(events) == [("msv", START + 1000 * MS, 400 * MS, ["L1"])]
    assert events[0]["U_max"] == 2.0 and not out["flags"].any()
    basic = windows(700, MSV_L1=np.where(np.arange(700) > 3, 5.0, 0.0))
    events, _ = found(half_rows({"L1": steady(14040)}), basic, wiring="1P2W", signalling_frequency=183.3)
    assert events[0]["duration"] is None  # still there at the end
    basic["MSV_L1"][690:] = 0.0
    events, _ = found(half_rows({"L1": steady(14040)}), basic, wiring="1P2W", signalling_frequency=183.3)
    assert events[0]["duration"] == 120.0


def test_a_real_sequence_of_one_period_values(recordings):
    """Values every 20 ms with one deep dip, and a stamp missing inside; what to expect is read off the file with plain Python."""
    path = recordings / "one-period-rms" / "event_data_level_low.csv"
    if not path.is_file():
        pytest.skip(f"no {path.name}")
    with path.open() as file:
        rows = list(csv.reader(file))[1:]
    u = np.array([float(r[1]) for r in rows])
    below = np.flatnonzero(u < 207.0)
    over = next(i for i in range(int(below[0]), len(u)) if u[i] >= 211.6)
    gone = np.flatnonzero(u < 11.5)
    live = next(i for i in range(int(gone[0]), len(u)) if u[i] >= 16.1)
    assert below[-1] < over and gone[-1] < live  # one excursion
    # one after the other, each value as that of two half cycles
    events, _ = found(half_rows({"L1": np.repeat(u, 2)}), wiring="1P2W", rvc=0.05)
    expected = [("dip", int(below[0]), over), ("interruption", int(gone[0]), live)]
    assert brief(events) == [(kind, t_of(2 * a), 20 * MS * (b - a), ["L1"]) for kind, a, b in expected]
    assert [e["U_residual"] for e in events] == [u.min()] * 2
    # by their stamps: 92 ms without a value are a gap
    t = np.array([int(r[0]) * MS for r in rows])
    (hole,) = np.flatnonzero(np.diff(t) > 50 * MS)
    assert below[0] < hole < below[-1]
    half = {**half_rows({"L1": np.repeat(u, 2)}), "t": np.stack([t, t + 10 * MS], 1).reshape(-1)}
    events, _ = found(half, wiring="1P2W", rvc=0.05)
    dips = [(e["t"], e["flags"] & int(Flag.INCOMPLETE)) for e in events if e["type"] == "dip"]
    assert dips == [(int(t[below[0]]), Flag.INCOMPLETE), (int(t[hole + 1]), Flag.INCOMPLETE)]
