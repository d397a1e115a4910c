"""Pulses: when they are due, what an output makes of them, and that they count the register."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ctmeter.meter import Meter, MeterConfig
from ctmeter.meter.feeding import streams
from ctmeter.meter.pulse_rows import PulseRows, pulse_times
from ctmeter.meter.pulses import Output, lit, quantum
from meter.bench import FS, MINUTE, START, S, sines

FULL_LOAD_W = 3 * 230 * 6
MS = 1_000_000


def given_out(meter, stream):
    parts = [pulse_times(first, times) for name, first, _, _, times in meter.ledger.rows("pulses") if name == stream]
    return np.concatenate(parts) if parts else np.array([], np.int64)


@pytest.mark.feature("E1", "E3", "Z24")
def test_rates_at_full_load():
    """Ws of a pulse, and pulses in a second at 4.14 kW: 11.5 of the LED, 5.75 of the S0 output, 3450 where it stands for primary energy."""
    assert quantum(10_000) == 360.0 and FULL_LOAD_W / quantum(10_000) == 11.5
    assert quantum(5000) == 720.0 and FULL_LOAD_W / quantum(5000) == 5.75
    assert FULL_LOAD_W / quantum(5000, 600) == pytest.approx(3450, rel=1e-12)
    # pulses of 30 ms with pauses as long carry no more than 12 kW
    assert quantum(5000) / 0.060 == pytest.approx(12_000)


@pytest.mark.feature("E3", "E5", "Z8")
@pytest.mark.parametrize("width", [0.030, 0.080])
def test_pulses_that_follow_too_fast_wait(width):
    step = round(2 * width * 1e9)
    out = Output(width, 100)
    starts, overruns = out.feed(np.array([0, step // 2, step // 2 + 1, 10 * step]))
    assert starts.tolist() == [0, step, 2 * step, 10 * step] and overruns == [] and out.lost == 0
    starts, _ = out.feed(np.array([10 * step + 1]))
    assert starts.tolist() == [11 * step]


@pytest.mark.feature("E6")
def test_where_none_may_wait_longer_they_are_lost_and_counted():
    out = Output(0.030, 3)
    starts, overruns = out.feed(np.array([0, 0, 0, 0, 0, 400 * MS]))
    # two wait, of five at once; the next finds room
    assert starts.tolist() == [0, 60 * MS, 120 * MS, 400 * MS] and overruns == [(0, 400 * MS, 2)] and (out.given, out.lost) == (4, 2)
    out.feed(np.full(10, 500 * MS))
    assert out.overrun_ns == 500 * MS and out.lost == 9
    again = Output(0.030, 3)
    again.resume(out.state())
    for one in (out, again):
        assert one.feed(np.array([900 * MS]))[1] == [(500 * MS, 900 * MS, 7)] and one.overrun_ns is None


@pytest.mark.feature("E6")
@pytest.mark.parametrize("parts", [1, 7, 500])
def test_any_split_gives_the_same(parts):
    due = np.sort(np.random.default_rng(3).integers(0, 20 * S, 500))
    whole, split = Output(0.030, 5), Output(0.030, 5)
    starts, overruns = whole.feed(due)
    found, ended = [], []
    for part in np.array_split(due, parts):
        s, o = split.feed(part)
        found += s.tolist()
        ended += o
    assert found == starts.tolist() and ended == overruns and split.state() == whole.state()
    assert (np.diff(starts) >= 60 * MS).all() and len(starts) + whole.lost == 500 and whole.lost > 0


@pytest.mark.feature("E7", "Z2")
def test_the_led():
    starts = np.array([100 * MS, 500 * MS])
    at = [99, 100, 129, 130, 510]
    assert [lit(t * MS, starts, 0.030, loaded=True, without_load=True) for t in at] == [False, True, True, False, True]
    assert lit(0, starts[:0], 0.030, loaded=False, without_load=True) and not lit(0, starts[:0], 0.030, loaded=False, without_load=False)


@pytest.mark.feature("E1", "E2", "E3", "E9", "Z3")
def test_streams_of_a_meter():
    def found(**config):
        return {s.name: (s.register, s.constant, s.width) for s in streams(MeterConfig(**config))}

    plain = {"led-active": ("A+", 10_000.0, 0.030), "led-reactive": ("R+", 10_000.0, 0.030), "s0": ("A+", 5000.0, 0.030)}
    assert found() == plain
    assert found(pulse_width=0.080)["s0"] == ("A+", 5000.0, 0.080)
    assert "led-reactive" not in found(energy_type=2)
    outputs = {"05": ["A+"], "06": ["R+", "A+"], "11": ["A+"], "12": ["A+"], "16": ["A-", "A+"], "03": []}
    for module, registers in outputs.items():
        assert [v[0] for k, v in found(module=module).items() if k not in plain] == registers


@pytest.mark.feature("E1", "E2", "E8")
def test_times_of_a_steady_load(tmp_path):
    """4.14 kVA at 60 degrees: the k-th pulse is where the energy is k times its own, to 3 ns; the LED flashes with the load."""
    with Meter.create(tmp_path / "a.store") as meter:
        meter.feed(sines(60.1, (1380.0,) * 3, lag=60.0))
        for stream, power, energy in (
            ("led-active", FULL_LOAD_W / 2, 360.0),
            ("led-reactive", FULL_LOAD_W * np.sqrt(3) / 2, 360.0),
            ("s0", FULL_LOAD_W / 2, 720.0),
        ):
            since = (given_out(meter, stream) - START) * 1e-9 + 0.5 / FS
            assert len(since) == int(power * 60.1 / energy)
            assert since == pytest.approx(np.arange(1, len(since) + 1) * energy / power, abs=3e-9)


@pytest.mark.feature("E1", "E2", "E3", "E9")
def test_pulses_count_the_registers_over_several_recordings(tmp_path):
    """Five recordings of odd lengths, two of them behind a gap: what is left of a pulse goes into the next."""
    with Meter.create(tmp_path / "a.store", {"module": "16"}) as meter:
        at = START
        for k, seconds in enumerate([7.03, 3.31, 11.17, 0.09, 5.77]):
            meter.feed(sines(seconds, (700.0 + 91 * k, 333.0, 800.0), lag=40.0 if k != 3 else 150.0, start=at))
            at += round(round(seconds * FS) / FS * S) + (3 * S if k in (1, 3) else 0)
        for stream, register, energy in (
            ("led-active", "A+", 360),
            ("led-reactive", "R+", 360),
            ("s0", "A+", 720),
            ("output-1", "A-", 720),
            ("output-2", "A+", 720),
        ):
            total = meter.machine.registers.value(register) + meter.machine.registers.remainder(register)
            assert len(given_out(meter, stream)) == int(total // (1000 * energy)), stream
        assert meter.machine.registers.value("A-") > 0


@pytest.mark.feature("E6", "Z24")
def test_primary_pulses_of_the_largest_ratio_overrun(tmp_path):
    """3450 pulses in a second are due, 16 can be given: said as an event, and every one is counted."""
    with Meter.create(tmp_path / "a.store", {"ct_ratio": 600, "pulse_side": "primary"}) as meter:
        meter.feed(sines(4.0, (1380.0,) * 3))
        events = [(t, edge, json.loads(detail)) for t, kind, edge, _, detail in meter.ledger.rows("events") if kind == "pulse-overrun"]
        assert {d["stream"] for _, _, d in events} == {"led-active", "s0"} and all(edge == "begin" for _, edge, _ in events)
        for stream, energy in (("s0", 720 / 600), ("led-active", 360 / 600)):
            given, lost = meter.ledger.state()["outputs"][stream][1:3]
            total = meter.machine.registers.value("A+", "primary") / 600 + meter.machine.registers.remainder("A+")
            assert abs(given + lost - total / 1000 / energy) < 1 and lost > 0
            assert given == len(given_out(meter, stream)) and (np.diff(given_out(meter, stream)) >= 60 * MS).all()
        (first,) = [t for t, _, d in events if d["stream"] == "s0"]
        # the queue of 100 is full a little after the 100th
        assert first == pytest.approx(START + 103 / 3450 * S, abs=3 * MS)
        meter.feed(sines(4.0, (0.1,) * 3, start=START + 30 * S))
        ends = [json.loads(d) for _, kind, edge, _, d in meter.ledger.rows("events") if (kind, edge) == ("pulse-overrun", "end")]
        assert [d["lost"] for d in ends if d["stream"] == "s0"] == [meter.ledger.state()["outputs"]["s0"][2]]


def test_rows_of_ten_minutes():
    t = START + np.array([0, 5, 10 * MINUTE - 1, 10 * MINUTE, 25 * MINUTE], np.int64)
    made = PulseRows(("b", "a"))
    made.add("a", t[:2])
    made.add("a", t[2:])
    made.add("b", t[3:4])
    assert made.take(START + 10 * MINUTE - 1) == []
    again = PulseRows(("b", "a"))
    again.resume(json.loads(json.dumps(made.state())))
    for rows in (made, again):
        (first,) = rows.take(START + 10 * MINUTE)
        assert first[:4] == ("a", t[0], t[2], 3) and pulse_times(first[1], first[4]).tolist() == t[:3].tolist()
        assert [r[:4] for r in rows.take(None)] == [("b", t[3], t[3], 1), ("a", t[3], t[3], 1), ("a", t[4], t[4], 1)]
        assert rows.take(None) == [] and rows.state() == {}
