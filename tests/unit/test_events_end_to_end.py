"""From samples to events, against the exact integral on each voltage's own undisturbed half-cycle grid."""

import math

import numpy as np
import pyarrow.compute as pc
import pytest

import ctmeter
from ctmeter import synth
from ctmeter.quantity import Flag
from ctmeter.recording import Channel, Gap, Recording
from unit.half_cycles import START, UN, Dipped, expected_dip

FS = 12800.0
GIVEN = {"nominal_voltage": UN, "nominal_frequency": 50, "rvc": None}
BEGIN = "2026-03-02T00:00:00Z"
PHASES = ("L1", "L2", "L3")


def seconds(text):
    """ISO text to seconds since the start."""
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64) - START) * 1e-9


def half_cycles(result, phase):
    """Times, s, and values of one voltage."""
    table = result.tables["half_cycle"]
    mine = table.filter(pc.equal(table["channel"].cast("string"), f"U_{phase}"))
    return (mine["t"].cast("int64").to_numpy() - START) * 1e-9, mine["U"].to_numpy()


def dip_spec(random, wiring):
    f = random.uniform(49, 51)
    count = 1 if wiring == "1P2W" else int(random.integers(1, 4))
    event = {
        "type": "dip",
        "phases": sorted(random.permutation(PHASES)[:count].tolist()) if wiring != "1P2W" else ["L1"],
        "start": 1.0,
        "point_on_wave": random.uniform(0, 360),
        "cycles": float(random.choice([1, 1, 1.5, 2, 3.7, 5, 10])),
        "residual": random.uniform(0.05, 0.89),
    }
    # what starts anywhere on the wave need not be on the wave of a sample
    spec = {"sample_rate": FS, "duration": 1.8, "frequency": f, "start": BEGIN, "wiring": wiring, "event": [event]}
    return {**spec, "voltage": {"angle": random.uniform(-180, 180)}}


def sines(spec, recording):
    """Each voltage in closed form, in the time of the results: a sample's interval begins half a one before it."""
    (event,), f = recording.metadata["truth"]["events"], spec["frequency"]
    spectra = recording.metadata["truth"]["spectra"]
    made = []
    for role in (c.role for c in recording.channels if c.role[0] == "U"):
        one = spectra[role]["harmonics"][1]
        phase = math.radians(one["angle"]) - math.pi * f / FS
        share = event["residual"] if role in event["channels"] else 1.0
        made.append(Dipped(one["rms"], f, phase, event["first"] / FS, event["stop"] / FS, share))
    return made


@pytest.mark.parametrize(("wiring", "cases", "time", "size"), [("3P4W", 60, 0.15e-3, 0.02), ("1P2W", 40, 0.5e-3, 0.1)])
def test_dips_of_any_depth_anywhere_on_the_wave(wiring, cases, time, size):
    random, judged = np.random.default_rng(20), 0
    for _ in range(cases):
        spec = dip_spec(random, wiring)
        recording = synth.generate(spec)
        expected = expected_dip(sines(spec, recording), 1.7)
        if expected is None:
            continue  # too near to a threshold
        events = ctmeter.measure(recording, snippets=False, wiring=wiring, **GIVEN).events
        dips = [e for e in events if e["type"] == "dip"]
        start, stop, residual = expected
        if start is None:
            assert not dips
            continue
        (dip,) = dips
        assert seconds(dip["t"]) == pytest.approx(start, abs=time)
        assert seconds(dip["t"]) + dip["duration"] == pytest.approx(stop, abs=time)
        assert dip["U_residual"] == pytest.approx(residual, abs=size / 100 * UN)
        judged += 1
    assert judged > 0.8 * cases


def waves(length, f=50.0, phase=0.3):
    t = (np.arange(round(length * FS)) + 0.5) / FS
    return t, {p: UN * 2**0.5 * np.sin(2 * np.pi * f * t + phase - 2 * np.pi * k / 3) for k, p in enumerate(PHASES)}


def measured(voltages, **given):
    arrays = {f"U_{p}": u for p, u in voltages.items()}
    return ctmeter.measure(Recording.from_arrays(arrays, sample_rate=FS, start=BEGIN), **{**GIVEN, "half_cycle": True, "snippets": False, **given})


@pytest.mark.parametrize("f", [50.0, 50.3, 49.6])
def test_a_jump_of_30_degrees_inside_a_dip(f):
    t, u = waves(4.0, f)
    inside, turned = (t >= 2.013) & (t < 2.313), (t >= 2.1) & (t < 2.313)
    u["L1"] = np.where(inside, 0.6 * UN * 2**0.5 * np.sin(2 * np.pi * f * t + 0.3 + np.where(turned, np.pi / 6, 0)), u["L1"])
    result = measured(u)
    (dip,) = result.events
    assert (dip["type"], dip["phases"]) == ("dip", ["L1"])
    assert seconds(dip["t"]) == pytest.approx(2.0, abs=0.011) and dip["duration"] == pytest.approx(0.31, abs=0.011)
    for phase in ("L2", "L3"):
        assert np.abs(half_cycles(result, phase)[1] / UN - 1).max() < 0.0005


def test_a_voltage_dead_from_the_start():
    _, u = waves(3.0)
    result = measured({**u, "L1": 0 * u["L1"]})
    (dip,) = result.events
    assert dip["phases"] == ["L1"] and dip["duration"] is None and dip["U_residual"] == 0.0 and dip["flags"] & Flag.INCOMPLETE
    assert seconds(dip["t"]) < 0.02
    for phase in ("L2", "L3"):
        assert np.abs(half_cycles(result, phase)[1] / UN - 1).max() < 0.0005
    assert set(result.tables["basic"]["flags"].to_pylist()) == {int(Flag.DIP | Flag.SETTLING)}
    assert set(result.tables["basic"]["flags_L2"].to_pylist()) == {int(Flag.SETTLING)}


@pytest.mark.parametrize("phases", [("L1",), PHASES])
def test_the_reference_lost_for_two_seconds(phases):
    t, u = waves(7.0)
    result = measured({p: u[p] * np.where((t >= 3) & (t < 5), 0, 1) for p in phases})
    dip, interruption = result.events
    assert (dip["type"], interruption["type"]) == ("dip", "interruption")
    assert dip["duration"] == pytest.approx(2.01, abs=0.0201) and interruption["duration"] == pytest.approx(1.98, abs=0.0201)
    assert seconds(dip["t"]) == pytest.approx(2.985, abs=0.011) and dip["U_residual"] == pytest.approx(0.0, abs=1e-6)


def test_the_reference_lost_on_one_of_three():
    t, u = waves(7.0, 50.2)
    result = measured({**u, "L1": u["L1"] * np.where((t >= 3) & (t < 5), 0, 1)})
    (dip,) = result.events
    assert dip["phases"] == ["L1"] and dip["duration"] == pytest.approx(2.01, abs=0.011)
    for phase in ("L2", "L3"):
        assert np.abs(half_cycles(result, phase)[1] / UN - 1).max() < 0.0005


@pytest.mark.parametrize(("phases", "expected", "near"), [(["L1"], ["L12", "L31"], 2.0), (list(PHASES), ["L12", "L23", "L31"], 0.08)])
def test_three_wires(phases, expected, near):
    """One phase at half: two line voltages fall short, and turn, so that windows across the edges may hold less than either state."""
    spec = {"sample_rate": FS, "duration": 3.0, "start": BEGIN, "wiring": "3P3W", "voltage": {"line_amplitude": 400.0}}
    spec["event"] = [{"type": "dip", "phases": phases, "start": 1.5, "cycles": 5, "residual": 0.5}]
    recording = synth.generate(spec)
    (dip,) = ctmeter.measure(recording, nominal_voltage=400, nominal_frequency=50, wiring="3P3W", snippets=False, rvc=None).events
    truth = recording.metadata["truth"]["events"][0]["rms"]
    assert dip["phases"] == expected and dip["U_residual"] == pytest.approx(truth["U_L12"], abs=near)
    assert dip["U_ref"] == 400


EVENTFUL = {
    "sample_rate": 6400.0,
    "duration": 9.0,
    "start": BEGIN,
    "event": [
        {"type": "dip", "phases": ["L1"], "start": 1.5, "cycles": 4, "residual": 0.6},
        {"type": "swell", "phases": ["L2", "L3"], "start": 3.0, "cycles": 60, "residual": 1.2},
        {"type": "interruption", "start": 5.0, "cycles": 5},
        {"type": "dip", "phases": ["L3"], "start": 8.8, "residual": 0.7},
    ],
    "gap": [{"at": 6.0, "duration": 0.5}],
}


def fed(recording, size, out=None, snapshots=False, **given):
    a = ctmeter.Analyzer({**GIVEN, **given}, sample_rate=recording.sample_rate, channels=recording.channels, start=BEGIN, out=out)
    for item in recording.blocks(size):
        a.feed(item if isinstance(item, Gap) else item.raw)
        if snapshots:
            a = ctmeter.Analyzer.restore(a.snapshot())
    return a.finish()


def files(place):
    return {p.name: p.read_bytes() for p in place.iterdir() if p.suffix in (".cfg", ".dat")}


def test_events_and_waveforms_are_the_same_for_any_split(tmp_path):
    recording = synth.generate(EVENTFUL)
    whole = ctmeter.measure(recording, out=tmp_path / "whole", **GIVEN, transient=1.05)
    assert {e["type"] for e in whole.events} == {"dip", "swell", "interruption", "transient"}
    expected = files(tmp_path / "whole" / "snippets")
    assert set(expected) >= {e["snippet"] for e in whole.events} and None not in {e["snippet"] for e in whole.events}
    for k, (size, snapshots) in enumerate([(777, False), (64, False), (5000, True)]):
        out = tmp_path / str(k)
        again = fed(recording, size, out, snapshots, transient=1.05)
        assert again.events == whole.events
        assert files(out / "snippets") == expected
        assert again.tables["basic"].equals(whole.tables["basic"])
        assert again.tables["events"].equals(whole.tables["events"])
    kept = fed(recording, 1000, None, True, transient=1.05)
    kept.save(tmp_path / "kept")
    assert kept.events == whole.events and files(tmp_path / "kept" / "snippets") == expected
    ctmeter.load(tmp_path / "kept").save(tmp_path / "copied")
    assert files(tmp_path / "copied" / "snippets") == expected


def test_waveforms_around_events(tmp_path):
    """Ten cycles on either side of start and end, the samples those of the recording."""
    recording = synth.generate(EVENTFUL)
    result = ctmeter.measure(recording, out=tmp_path / "r", **GIVEN)
    raw = recording.read()
    for event in result.events:
        snippet = ctmeter.read(tmp_path / "r" / "snippets" / event["snippet"])
        first = round((int(snippet.start_ns) - START) * 1e-9 * 6400)
        start = round(seconds(event["t"]) * 6400)
        assert first == start - 1280
        n = min(2560, snippet.samples)
        assert [c.role for c in snippet.channels] == [c.role for c in recording.channels]
        row = first if first < 38400 else first - 3200  # after the gap
        assert np.allclose(snippet.read(stop=n), raw[row : row + n], rtol=1e-6, atol=1e-3)
        if event["type"] == "swell":
            # 1.2 s long: there is a gap in the middle
            (at, gap) = snippet.gaps[0]
            assert at == 2560 and snippet.samples == 5120 and gap.samples == pytest.approx(event["duration"] * 6400 - 2560, abs=1.1)
        elif event["duration"] is not None:
            assert snippet.samples == pytest.approx(min(event["duration"] * 6400, 2560) + 2560, abs=1.1)
        else:
            assert snippet.samples == 2560  # around the start alone


def test_snippets_can_be_left_out_and_are_not_without_end(tmp_path, monkeypatch):
    recording = synth.generate(EVENTFUL)
    result = ctmeter.measure(recording, out=tmp_path / "none", snippets=False, **GIVEN)
    assert {e["snippet"] for e in result.events} == {None} and not files(tmp_path / "none" / "snippets")
    monkeypatch.setattr("ctmeter.pipeline.snippets.MOST", 1)
    result = ctmeter.measure(recording, out=tmp_path / "one", **GIVEN)
    assert [bool(e["snippet"]) for e in result.events if e["type"] == "dip"] == [True, False, False]


def test_transients():
    """A peak of 700 V for five samples on L2, another 3 ms later, and a last one by itself."""
    _, u = waves(3.0)
    for at in (6400, 6400 + 38, 20000):
        u["L2"][at : at + 5] = 700.0
    u["L3"][20002] = -900.0
    result = measured(u, transient=1.5, snippets=False)
    found = [e for e in result.events if e["type"] == "transient"]
    assert [(round(seconds(e["t"]) * FS), round(e["duration"] * FS), e["phases"], e["U_max"]) for e in found] == [
        (6400, 43, ["L2"], 700.0),
        (20000, 5, ["L2", "L3"], 900.0),
    ]
    assert not [e for e in measured(u, snippets=False).events if e["type"] == "transient"]


def test_without_a_nominal_voltage_events_are_left_out():
    result = measured(waves(2.0)[1], nominal_voltage=None)
    assert result.events == [] and {"what": "events", "why": "no nominal voltage"} in result.summary["not_measured"]
    told = measured(waves(2.0)[1]).summary["not_measured"]
    assert "events" not in [n["what"] for n in told]


def test_segments_close_what_is_open():
    """A dip across two segments an hour apart is two, both incomplete."""
    t, u = waves(2.0)
    block = np.stack([u[p] * np.where(t > 1.5, 0.7, 1.0) for p in PHASES], 1)
    channels = [Channel(f"U_{p}") for p in PHASES]
    a = ctmeter.Analyzer(GIVEN, sample_rate=FS, channels=channels, start=BEGIN)
    a.feed(block)
    a.next_segment(FS, "2026-03-02T01:00:00Z")
    a.feed(block[::-1].copy())
    events = a.finish().events
    assert [(e["type"], bool(e["flags"] & Flag.INCOMPLETE), round(e["duration"], 1)) for e in events] == [("dip", True, 0.5), ("dip", True, 0.5)]
    assert all(e["snippet"] for e in events)


def test_events_flag_the_ten_seconds_of_frequency_they_touch():
    """A dip that lasts over a tick flags both intervals, whatever the split; others are not flagged."""
    spec = {
        "sample_rate": 3200.0,
        "duration": 41.0,
        "start": BEGIN,
        "frequency": 50.0,
        "channels": ["U_L1", "U_L2", "U_L3"],
        "voltage": {"amplitude": UN},
        "event": [{"type": "dip", "start": 19.9, "duration": 0.3, "residual": 0.6}],
    }
    recording = synth.generate(spec)
    expected = ctmeter.measure(recording, **GIVEN, snippets=False).tables["frequency"]
    ticks = ((expected["t"].cast("int64").to_numpy() - START) * 1e-9).round().tolist()
    dipped = [bool(f & Flag.DIP) for f in expected["flags"].to_pylist()]
    assert {10.0, 20.0} <= set(ticks) and dipped == [t in (10.0, 20.0) for t in ticks]
    for size, snapshots in ((999, False), (40_000, True)):
        assert fed(recording, size, None, snapshots, snippets=False).tables["frequency"].equals(expected)
    assert not any(f & Flag.DIP for f in ctmeter.measure(recording, nominal_frequency=50).tables["frequency"]["flags"].to_pylist())


def test_events_without_pandas():
    """What the README says of times of nanoseconds: plain dicts, and columns one by one."""
    u = UN * 2**0.5 * np.sin(2 * np.pi * 50 * np.arange(round(2 * FS)) / FS)
    u[round(FS) : round(1.1 * FS)] *= 0.5
    result = ctmeter.measure(Recording.from_arrays({"U_L1": u}, sample_rate=FS, start=BEGIN), **GIVEN)
    (event,) = result.events
    (detail,) = event["detail"]
    assert event["t"] == detail["t"] and seconds(event["t"]) == pytest.approx(0.99, abs=1e-3)
    table = result.tables["events"]
    assert int(table["t"].to_numpy()[0].astype(np.int64) - START) * 1e-9 == pytest.approx(seconds(event["t"]), abs=1e-9)
    columns = [n for n in table.column_names if n not in ("t", "detail")]
    assert table.select(columns).to_pylist() == [{n: event[n] for n in columns}]
