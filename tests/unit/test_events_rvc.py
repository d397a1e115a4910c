"""Rapid voltage changes: vectors by hand, and a slow detector that walks from value to value."""

from collections import deque

import numpy as np
import pytest

from ctmeter.quantity import Flag
from unit.half_cycles import HALF, START, UN, found, half_rows, windows

MS = 1_000_000
LIMIT = 0.05  # of nominal, 11.5 V


def t_of(i, k=0):
    return START + k * (HALF // 3) + i * HALF


def changes(columns, **given):
    wiring = "1P2W" if len(columns) == 1 else "3P4W"
    events, out = found(half_rows(columns), given.pop("basic", None), wiring=wiring, rvc=LIMIT, **given)
    return [e for e in events if e["type"] == "rvc"], out


def test_a_step():
    """The new level is steady from its first value on: no time is spent between."""
    (event,), _ = changes({"L1": [UN] * 150 + [217.0] * 150})
    assert (event["t"], event["duration"], event["phases"]) == (t_of(150), 0.0, ["L1"])
    assert event["dU_max"] == pytest.approx(13.0, abs=1e-9) and event["dU_ss"] == pytest.approx(13.0, abs=1e-9)
    assert event["U_ref"] == UN and event["U_residual"] is None and event["flags"] == 0


def test_a_step_below_the_threshold_is_none():
    # 11.6 V from the old mean, 99 % of it from the mean with the new value: 11.484 V
    assert changes({"L1": [UN] * 150 + [UN - 11.6] * 150})[0] == []
    assert len(changes({"L1": [UN] * 150 + [UN - 11.7] * 150})[0]) == 1


def test_a_change_with_an_excursion():
    """Three values 20 V up, then back: it lasts as long as they do, less one (the standard takes off 100 values, 99 lie between)."""
    (event,), _ = changes({"L1": [UN] * 150 + [250.0] * 3 + [UN] * 150})
    assert (event["t"], event["duration"]) == (t_of(150), 0.02)
    assert event["dU_max"] == pytest.approx(20.0) and event["dU_ss"] == pytest.approx(0.0, abs=1e-9)


def test_hysteresis_keeps_it_going():
    """8 V about the new mean are less than the threshold, and more than its half."""
    swing = [217.0, 225.0, 217.0, 209.0] * 50
    (event,), _ = changes({"L1": [UN] * 150 + [215.0] + swing + [217.0] * 120})
    assert event["t"] == t_of(150) and event["duration"] == pytest.approx(2.0, abs=0.011)
    assert event["dU_max"] == pytest.approx(21.0) and event["dU_ss"] == pytest.approx(13.0, abs=1e-6)


def test_a_change_that_becomes_a_dip_is_none():
    events, _ = found(half_rows({"L1": [UN] * 150 + [217.0] * 20 + [200.0] * 5 + [217.0] * 200}), wiring="1P2W", rvc=LIMIT)
    assert [e["type"] for e in events] == ["dip"]
    events, _ = found(half_rows({"L1": [UN] * 150 + [217.0] * 20 + [255.0] + [217.0] * 200}), wiring="1P2W", rvc=LIMIT)
    assert [e["type"] for e in events] == ["swell"]
    # the next one counts again
    found_, _ = changes({"L1": [UN] * 150 + [200.0] * 5 + [UN] * 150 + [245.0] * 150})
    assert [(e["t"], round(e["dU_ss"], 9)) for e in found_] == [(t_of(305), 15.0)]


def test_three_voltages():
    """It starts with the first that is not steady and ends when all are."""
    columns = {"L1": [UN] * 150 + [217.0] * 300, "L2": [UN] * 200 + [245.0] * 250, "L3": [UN] * 450}
    (event,), _ = changes(columns)
    assert (event["t"], event["phases"]) == (t_of(150), ["L1", "L2"])
    # L2 is steady with its value 299; the one that leaves its mean is value 199
    assert event["duration"] == pytest.approx((t_of(199, 1) - t_of(150)) * 1e-9, abs=1e-9)
    assert event["dU_max"] == pytest.approx(15.0) and event["dU_ss"] == pytest.approx(15.0)
    assert [(d["phase"], round(d["U"], 9)) for d in event["detail"]] == [("L1", 13.0), ("L2", 15.0)]


def test_sixty_hertz_takes_120_values():
    columns = {"L1": [UN] * 110 + [217.0] * 200}
    assert changes(columns, nominal=60.0)[0] == []  # never steady before
    assert len(changes({"L1": [UN] * 120 + [217.0] * 200}, nominal=60.0)[0]) == 1


def test_it_does_not_flag():
    events, out = changes({"L1": [UN] * 150 + [217.0] * 150}, basic=windows(14))
    assert len(events) == 1 and len(out["t"]) == 14 and not out["flags"].any()


def test_open_at_the_end_or_at_a_gap():
    (event,), _ = changes({"L1": [UN] * 150 + [217.0] * 50})
    assert event["duration"] is None and event["dU_ss"] is None and event["flags"] == Flag.INCOMPLETE
    rows = half_rows({"L1": [UN] * 150 + [217.0] * 50 + [245.0] * 150 + [UN] * 150})
    rows["t"] = rows["t"] + np.where(rows["t"] >= t_of(200), 900 * MS, 0)
    events, _ = found(rows, wiring="1P2W", rvc=LIMIT)
    assert [(e["t"], e["duration"]) for e in events] == [(t_of(150), None), (t_of(350) + 900 * MS, 0.0)]


def test_an_unknown_value_begins_anew():
    marks = {"L1": np.where(np.arange(500) == 180, Flag.NOT_FINITE, 0)}
    rows = half_rows({"L1": [UN] * 150 + [217.0] * 150 + [UN] * 200}, flags=marks)
    events, _ = found(rows, wiring="1P2W", rvc=LIMIT)
    assert [(e["t"], e["duration"]) for e in events] == [(t_of(150), None), (t_of(300), 0.0)]


def slow(rows, count, length=100, limit=LIMIT * UN):
    """The algorithm word by word, value by value."""
    last = [deque(maxlen=length) for _ in range(count)]
    times = [deque(maxlen=length + 1) for _ in range(count)]
    means = [0.0] * count
    state, done, now = "waiting", [], {}
    for t, k, u in zip(rows["t"].tolist(), rows["channel"].tolist(), rows["U"].tolist(), strict=True):
        old = list(means)
        last[k].append(u)
        times[k].append(t)
        means[k] = sum(last[k]) / len(last[k])
        band = limit if state == "steady" else limit / 2
        steady = all(len(v) == length and all(abs(x - m) <= band for x in v) for v, m in zip(last, means, strict=True))
        if state == "changing":
            now["dip"] |= not 0.9 * UN <= u <= 1.1 * UN
            now["max"] = max(now["max"], abs(u - now["before"][k]))
        if state == "steady" and not steady:
            now = {"t": t, "before": old, "max": abs(u - old[k]), "dip": not 0.9 * UN <= u <= 1.1 * UN}
            state = "changing"
        elif state == "changing" and steady:
            change = max(abs(a - b) for a, b in zip(means, now["before"], strict=True))
            if not now["dip"]:
                done.append((now["t"], max(times[k][0] - now["t"], 0) * 1e-9, now["max"], change))
            state = "steady"
        elif steady:
            state = "steady"
    return done


@pytest.mark.parametrize("seed", range(6))
def test_against_the_slow_one(seed):
    random = np.random.default_rng(seed)
    columns = {}
    for phase in ("L1", "L2", "L3")[: 1 + 2 * (seed % 2)]:
        levels = np.repeat(random.choice([230.0, 226.0, 216.0, 243.0, 205.0], 12, p=[0.4, 0.2, 0.2, 0.15, 0.05]), random.integers(3, 400, 12))
        ramps = np.convolve(levels, np.ones(7) / 7, "same")
        ramps[:8] = ramps[-8:] = 230.0
        columns[phase] = (ramps + random.normal(0, 0.5, len(ramps)))[:2000]
    n = min(len(c) for c in columns.values())
    columns = {p: c[:n] for p, c in columns.items()}
    rows = half_rows(columns)
    expected = slow(rows, len(columns))
    for pieces in (1, 13, 150):
        events, _ = changes(columns, pieces=pieces, snapshots=pieces == 13)
        closed = [(e["t"], e["duration"], e["dU_max"], e["dU_ss"]) for e in events if e["duration"] is not None]
        assert len(closed) == len(expected)
        for mine, theirs in zip(closed, expected, strict=True):
            assert mine == pytest.approx(theirs, abs=1e-9)
