"""Synthesised waveforms against formulas written down here, and their truth against their samples."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctmeter import synth
from ctmeter.errors import InputError, SettingsError
from ctmeter.recording import Gap

ORDERS = (2, 3, 5, 7, 11)
HARMONICS = [{"order": h, "percent": 2.0, "phase": 10.0 * h} for h in ORDERS]
BASE = {
    "sample_rate": 12800,
    "duration": 2.0123,
    "voltage": {"amplitude": 230, "angle": 20, "harmonics": HARMONICS},
    "current": {"amplitude": 5, "lag": 30, "harmonics": HARMONICS, "dc": 0.1},
}


def wave(theta, amplitude, angle, harmonics=()):
    """The documented waveform, from the phase in cycles."""
    x = 2 * np.pi * theta + math.radians(angle)
    y = np.sin(x)
    for h in harmonics:
        y = y + h["percent"] / 100 * np.sin(h["order"] * x + math.radians(h.get("phase", 0)))
    return amplitude * math.sqrt(2) * y


def net_of_samples(rec):
    x = rec.read()
    roles = [c.role for c in rec.channels]
    column = {r: x[:, k] for k, r in enumerate(roles)}
    if "U_L12" in column:
        return {"total": np.nansum(column["U_L12"] * column["I_L1"] - column["U_L23"] * column["I_L3"]) / rec.sample_rate / 3600}
    net = {p: np.nansum(column[f"U_{p}"] * column[f"I_{p}"]) / rec.sample_rate / 3600 for p in ("L1", "L2", "L3") if f"U_{p}" in column}
    return net | {"total": sum(net.values())}


def test_plain_signal_is_the_formula():
    rec = synth.generate(BASE)
    theta = 50 * np.arange(rec.samples) / 12800
    for k, turn in enumerate((0, -120, 120)):
        assert np.allclose(rec.read([f"U_L{k + 1}"])[:, 0], wave(theta % 1, 230, 20 + turn, HARMONICS), rtol=0, atol=1e-9)
        assert np.allclose(rec.read([f"I_L{k + 1}"])[:, 0], wave(theta % 1, 5, turn - 10, HARMONICS) + 0.1, rtol=0, atol=1e-10)


def test_reversed_sequence_and_own_channels():
    spec = BASE | {"sequence": "reversed", "channel": {"U_L3": {"amplitude": 100, "angle": 33, "harmonics": []}, "I_L1": {"lag": 90}}}
    rec = synth.generate(spec)
    theta = 50 * np.arange(rec.samples) / 12800 % 1
    assert np.allclose(rec.read(["U_L2"])[:, 0], wave(theta, 230, 140, HARMONICS), rtol=0, atol=1e-9)
    assert np.allclose(rec.read(["U_L3"])[:, 0], wave(theta, 100, 33), rtol=0, atol=1e-9)
    assert np.allclose(rec.read(["I_L1"])[:, 0], wave(theta, 5, -70, HARMONICS) + 0.1, rtol=0, atol=1e-10)


def test_a_sample_after_a_month_is_exact():
    """Rational frequencies, so that the phase is exact in integers."""
    rec = synth.generate({"sample_rate": 12800, "duration": 3e6, "frequency": 50.03125, "voltage": {"amplitude": 230, "harmonics": HARMONICS}})
    first = 2_999_999 * 12800
    n = first + np.arange(1000)
    theta = (n * 1601 % (12800 * 32)) / (12800 * 32)  # 50.03125 = 1601 / 32
    assert np.allclose(rec.read(["U_L1"], first, first + 1000)[:, 0], wave(theta, 230, 0, HARMONICS), rtol=0, atol=2e-10)


def test_frequency_laws():
    spec = {"sample_rate": 10000, "duration": 8, "frequency": {"f0": 50, "drift": [{"deviation": 0.05, "rate": 0.5, "phase": 30}]}}
    t = np.arange(80000) / 10000
    theta = 50 * t + 0.05 / (2 * np.pi * 0.5) * (math.cos(math.pi / 6) - np.cos(2 * np.pi * 0.5 * t + math.pi / 6))
    assert np.allclose(synth.generate(spec).read(["U_L1"])[:, 0], wave(theta, 230, 0), rtol=0, atol=1e-8)
    spec["frequency"] = {"f0": 50, "ramp": [{"start": 1, "duration": 3, "slope": 0.2}], "steps": [{"at": 5, "to": 49}]}
    ramp = np.clip(t - 1, 0, 3)
    theta = 50 * np.minimum(t, 5) + 0.1 * ramp**2 + 0.6 * np.clip(t - 4, 0, 1) + 49 * np.clip(t - 5, 0, None)
    rec = synth.generate(spec)
    assert np.allclose(rec.read(["U_L1"])[:, 0], wave(theta, 230, 0), rtol=0, atol=1e-8)
    assert rec.metadata["truth"]["values"]["f"] == pytest.approx((50 * 5 + 0.9 + 0.6 + 49 * 3) / 8, rel=1e-12)


def test_line_voltages_aron_and_neutral():
    full = BASE | {"channels": ["U_L1", "U_L2", "U_L3", "U_L12", "U_L23", "U_L31", "I_L1", "I_L2", "I_L3", "I_N"]}
    x = synth.generate(full).read()
    assert np.allclose(x[:, 3], x[:, 0] - x[:, 1])
    assert np.allclose(x[:, 5], x[:, 2] - x[:, 0])
    assert np.allclose(x[:, 9], x[:, 6:9].sum(axis=1))
    rec = synth.generate(BASE | {"wiring": "3P3W", "voltage": {"line_amplitude": 400}, "current": {"amplitude": 5, "lag": 60}})
    assert [c.role for c in rec.channels] == ["U_L12", "U_L23", "I_L1", "I_L3"]
    values = rec.metadata["truth"]["values"]
    assert values["U_L12"] == pytest.approx(400)
    assert values["P"] == pytest.approx(math.sqrt(3) * 400 * 5 * 0.5)
    assert values["Q"] == pytest.approx(math.sqrt(3) * 400 * 5 * math.sin(math.pi / 3))
    assert "P_L1" not in values


def test_unbalance_of_the_standards_vector():
    """The stated set of IEC 61000-4-30: 230/0, 225/-121.5, 234/119 has u2 0.514816 % and u0 1.866078 %."""
    channel = {"U_L2": {"amplitude": 225, "angle": -121.5}, "U_L3": {"amplitude": 234, "angle": 119}}
    values = synth.generate({"sample_rate": 10000, "duration": 1, "channel": channel}).metadata["truth"]["values"]
    assert values["u2"] == pytest.approx(0.514816, abs=1e-6)
    assert values["u0"] == pytest.approx(1.866078, abs=1e-6)
    assert [values[k] for k in ("U_L12", "U_L23", "U_L31")] == pytest.approx([396.9932, 396.5264, 399.8011], abs=1e-4)
    spec = {
        "sample_rate": 10000,
        "duration": 1,
        "voltage": {"unbalance": {"u2": 2.0, "u2_angle": 40.0, "u0": 1.0}},
        "current": {"unbalance": {"i2": 7.0}},
    }
    values = synth.generate(spec).metadata["truth"]["values"]
    assert [values[k] for k in ("u2", "u0")] == pytest.approx([2.0, 1.0])


def test_power_of_the_stated_vector():
    """The stated 4-wire set: P 6031.012 W, Q 2815.720 var, S arithmetic 6683.000, effective 6939.166 VA, I_N 3.3573 A."""
    channel = {
        "U_L2": {"amplitude": 225, "angle": -121.5},
        "U_L3": {"amplitude": 234, "angle": 119},
        "I_L1": {"amplitude": 10, "angle": -30},
        "I_L2": {"amplitude": 7, "angle": -150},
        "I_L3": {"amplitude": 12, "angle": 100},
    }
    values = synth.generate({"sample_rate": 10000, "duration": 1, "channel": channel}).metadata["truth"]["values"]
    assert [values[k] for k in ("P", "Q", "S", "Se", "I_N")] == pytest.approx([6031.012, 2815.720, 6683.000, 6939.166, 3.3573], abs=1e-3)


@pytest.mark.parametrize(
    ("waveform", "stated"),
    [("phase-fired", {3: 53.70, 5: 17.90, 7: 17.90, 9: 10.74, 11: 10.74, 13: 7.67}), ("half-wave", {2: 42.44, 4: 8.49, 6: 3.64, 8: 2.02})],
)
def test_spectra_of_switched_waveforms(waveform, stated):
    """Percent of the fundamental as stated for the waveforms of IEC 62053 and EN 50470-3."""
    rec = synth.generate({"sample_rate": 50000, "duration": 1, "current": {"waveform": waveform, "amplitude": 5}})
    lines = rec.metadata["truth"]["spectra"]["I_L1"]["harmonics"]
    for order, percent in stated.items():
        assert 100 * lines[order]["rms"] / lines[1]["rms"] == pytest.approx(percent, abs=0.006)
    assert rec.metadata["truth"]["values"]["P_L1"] == pytest.approx(230 * 5 / 2)
    if waveform == "phase-fired":
        assert rec.metadata["truth"]["values"]["Q_L1"] == pytest.approx(230 * 5 / math.pi)
    else:
        assert rec.metadata["truth"]["spectra"]["I_L1"]["dc"] == pytest.approx(5 * math.sqrt(2) / math.pi)


def test_burst_fired_lines_and_amplitude_of_total():
    current = {"waveform": "burst-fired", "on": 2, "off": 2, "amplitude": 5}
    rec = synth.generate({"sample_rate": 20000, "duration": 1, "current": current})
    truth = rec.metadata["truth"]
    lines = {line["order"]: line["rms"] / 5 for line in truth["spectra"]["I_L1"]["interharmonics"]}
    for order, stated in {0.25: 0.1698, 0.75: 0.3638, 1.25: 0.2829, 1.75: 0.0772, 2.25: 0.0392, 2.75: 0.0243}.items():
        assert lines[order] == pytest.approx(stated, abs=6e-5)
    assert truth["spectra"]["I_L1"]["harmonics"][1]["rms"] == pytest.approx(2.5)
    assert truth["values"]["P"] == pytest.approx(3 * 230 * 2.5)
    x = rec.read(["I_L2"])[:, 0]
    assert np.sqrt(np.mean(x[:19200:] ** 2)) == pytest.approx(truth["values"]["I_L2"], rel=1e-9)
    total = synth.generate({"sample_rate": 20000, "duration": 1, "current": current | {"amplitude_of": "total"}})
    assert total.metadata["truth"]["values"]["I_L1"] == pytest.approx(5)


@pytest.mark.parametrize(
    ("name", "extra", "tolerance"),
    [
        ("constant", {}, 1e-14),
        ("odd rate", {"frequency": 49.7361, "sample_rate": 14567.89}, 1e-13),
        ("drift", {"frequency": {"f0": 50, "drift": [{"deviation": 0.05, "rate": 1 / 60}]}, "duration": 20}, 1e-10),
        (
            "ramp and steps",
            {"frequency": {"f0": 50, "ramp": [{"start": 0.5, "slope": 0.2, "duration": 0.7}], "steps": [{"at": 1.50001, "to": 49}]}},
            2e-8,
        ),
        (
            "events",
            {"event": [{"type": "dip", "phases": ["L1"], "start": 1, "duration": 0.1, "residual": 0.6}, {"type": "interruption", "start": 1.5}]},
            1e-14,
        ),
        ("jump", {"phase_jump": [{"at": 1.01, "angle": 30, "phases": ["L1"]}]}, 1e-14),
        (
            "modulation",
            {"modulation": [{"frequency": 8.8, "percent": 2.5}, {"shape": "sinusoidal", "frequency": 3.3, "percent": 5, "channels": ["I_L1"]}]},
            1e-13,
        ),
        ("gaps", {"gap": [{"at": 1, "duration": 0.53}, {"at": 1.7, "duration": 0.01, "as": "missing", "channels": ["U_L2"]}]}, 1e-14),
        ("Aron", {"wiring": "3P3W", "event": [{"channels": ["U_L12"], "residual": 0.5, "start": 1, "duration": 0.1}]}, 1e-14),
        ("fired", {"current": {"waveform": "phase-fired", "firing_angle": 60}}, 1e-13),
        ("burst", {"current": {"waveform": "burst-fired", "on": 1, "off": 2}}, 1e-13),
        (
            "interharmonics",
            {
                "voltage": {"interharmonics": [{"frequency": 83, "percent": 2}]},
                "current": {"interharmonics": [{"frequency": 83, "percent": 20}, {"order": 5.3, "ratio": 0.1}]},
            },
            1e-14,
        ),
    ],
)
def test_net_energy_is_the_sum_over_the_samples(name, extra, tolerance):
    rec = synth.generate(BASE | extra)
    net = rec.metadata["truth"]["net"]
    for key, value in net_of_samples(rec).items():
        assert net[key] == pytest.approx(value, rel=tolerance + 1e-13), key


def test_registers_and_export():
    truth = synth.generate(BASE | {"current": {"amplitude": 5, "lag": 210}}).metadata["truth"]
    energy, hours = truth["energy"], truth["duration"] / 3600
    assert energy["A+"] == 0
    assert energy["A-"] == pytest.approx(-truth["net"]["total"])
    assert energy["R3"] == energy["R-"] == pytest.approx(3 * 230 * 5 * 0.5 * hours)
    assert energy["R1"] == energy["R2"] == energy["R4"] == energy["R+"] == 0
    assert energy["E-_L1"] == pytest.approx(truth["values"]["S_L1"] * hours)


def test_modulation_is_that_of_the_flicker_standard():
    """u(t) (1 + d/2 m(t)), starting together with the carrier."""
    spec = {"sample_rate": 10000, "duration": 1, "modulation": [{"frequency": 8.8, "percent": 4.0}]}
    plain = synth.generate({"sample_rate": 10000, "duration": 1}).read(["U_L1"])[:, 0]
    t = np.arange(10000) / 10000
    square = np.where((8.8 * t + 1e-9) % 1 < 0.5, 1.0, -1.0)
    assert np.allclose(synth.generate(spec).read(["U_L1"])[:, 0], plain * (1 + 0.02 * square))
    assert synth.generate(spec).metadata["truth"]["values"]["U_L1"] == pytest.approx(230 * math.sqrt(1 + 0.02**2))
    spec["modulation"][0]["shape"] = "sinusoidal"
    rec = synth.generate(spec)
    assert np.allclose(rec.read(["U_L1"])[:, 0], plain * (1 + 0.02 * np.sin(2 * np.pi * 8.8 * t)), atol=1e-9)
    assert np.allclose(rec.read(["I_L1"]), synth.generate({"sample_rate": 10000, "duration": 1}).read(["I_L1"]))


def test_events_by_point_on_wave():
    spec = {"sample_rate": 10000, "duration": 2, "frequency": 49.7}
    spec["event"] = [{"type": "dip", "phases": ["L2"], "start": 0.5, "point_on_wave": 90, "cycles": 2.5, "residual": 0.4}]
    rec = synth.generate(spec)
    (event,) = rec.metadata["truth"]["events"]
    start, end = event["requested"]
    assert 0.5 <= start < 0.5 + 1 / 49.7
    assert (49.7 * start - 1 / 3) % 1 == pytest.approx(0.25)
    assert end - start == pytest.approx(2.5 / 49.7)
    assert abs(event["t"] - start) <= 0.5e-4 + 1e-12
    assert event["rms"]["U_L2"] == pytest.approx(0.4 * 230)
    ratio = rec.read(["U_L2"])[:, 0] / synth.generate({"sample_rate": 10000, "duration": 2, "frequency": 49.7}).read(["U_L2"])[:, 0]
    inside = np.zeros(20000, bool)
    inside[event["first"] : event["stop"]] = True
    assert event["first"] == math.ceil(start * 10000)
    assert np.allclose(ratio[inside], 0.4)
    assert np.allclose(ratio[~inside], 1)


def test_quantisation_saturation_and_scale():
    spec = BASE | {"dtype": "int16", "quantisation": {"full_scale_voltage": 400, "full_scale_current": 16}}
    rec, exact = synth.generate(spec), synth.generate(BASE)
    assert rec.source.raw(0, 10).dtype == np.int16
    assert rec.channels[0].scale == 400 / 32768
    assert rec.channels[0].range == (-32768, 32767)
    error = rec.read() - exact.read()
    assert np.max(np.abs(error[:, :3])) <= 200 / 32768 * (1 + 1e-9)
    assert not rec.metadata["truth"]["saturated"]
    clipped = synth.generate(spec | {"saturation": {"voltage": 300}})
    assert np.max(clipped.read(["U_L1"])) == pytest.approx(300, abs=0.01)
    assert clipped.metadata["truth"]["saturated"] == ["U_L1", "U_L2", "U_L3"]
    assert clipped.metadata["truth"]["values"]["U_L1"] is None
    assert clipped.metadata["truth"]["net"]["L1"] is None
    floats = synth.generate(BASE | {"dtype": "float32", "quantisation": {"bits": 12, "full_scale_voltage": 400, "full_scale_current": 10}})
    assert np.allclose(floats.read(["U_L1"]) * 2048 / 400 % 1, 0)


def test_noise_is_normal_and_of_the_size_asked_for():
    rec = synth.generate({"sample_rate": 12800, "duration": 20, "voltage": {"amplitude": 0}, "noise": {"voltage": 0.5}})
    x = rec.read(["U_L1", "U_L2"])
    assert np.std(x, axis=0) == pytest.approx([0.5, 0.5], rel=0.01)
    assert abs(np.mean(x)) < 0.005
    assert np.mean((x / 0.5) ** 4) == pytest.approx(3, rel=0.03)
    assert abs(np.corrcoef(x.T)[0, 1]) < 0.01
    other = synth.generate({"sample_rate": 12800, "duration": 20, "voltage": {"amplitude": 0}, "noise": {"voltage": 0.5}, "seed": 1})
    assert abs(np.corrcoef(x[:, 0], other.read(["U_L1"])[:, 0])[0, 1]) < 0.01


NOISY = BASE | {
    "dtype": "int16",
    "noise": {"lsb": 0.5},
    "frequency": {"f0": 50, "drift": [{"deviation": 0.3, "rate": 0.7}], "steps": [{"at": 0.9, "to": 51}]},
    "modulation": [{"frequency": 8.8, "percent": 3}],
    "event": [{"type": "dip", "phases": ["L1"], "start": 0.3333, "duration": 0.1, "residual": 0.6}],
    "phase_jump": [{"at": 1.2, "angle": 17}],
    "gap": [{"at": 1.0, "duration": 0.1}, {"at": 0.5, "duration": 0.01, "as": "missing"}],
}
WHOLE = synth.generate(NOISY).source.raw(0, 24477)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 24477), max_size=12))
def test_any_split_gives_the_same_samples(cuts):
    rec = synth.generate(NOISY)
    edges = sorted({0, 24477, *cuts})
    order = list(itertools.pairwise(edges))
    for a, b in order[::2] + order[1::2]:
        assert np.array_equal(rec.source.raw(a, b), WHOLE[a:b])


def test_gaps_and_missing_samples():
    rec = synth.generate(NOISY)
    assert rec.samples == 24477 == rec.metadata["truth"]["samples"]
    assert rec.gaps == ((12800, Gap(1280, "specified")),)
    assert rec.duration == pytest.approx(25757 / 12800)
    assert np.all(np.isnan(rec.read(start=6400, stop=6528)))
    assert not np.any(np.isnan(rec.read(start=6528)))
    whole = synth.generate({k: v for k, v in NOISY.items() if k != "gap"})
    assert np.array_equal(rec.source.raw(12800, 12900), whole.source.raw(14080, 14180))
    blocks = list(rec.blocks(5000))
    assert [type(b) is Gap for b in blocks] == [False] * 3 + [True] + [False] * 3


def test_endless_streams_are_ready_at_once():
    rec = synth.generate(BASE | {"duration": 1e8, "start": "2026-01-01T00:00:00Z"})
    assert rec.samples == 12800 * 10**8
    assert rec.read(start=rec.samples - 5).shape == (5, 6)


def test_every_fault_is_named_at_once():
    spec = {
        "sample_rate": -1,
        "frequency": "fast",
        "wirring": "3P4W",
        "start": "yesterday",
        "dtype": "int8",
        "voltage": {"amplitude": True, "harmonics": [{"order": 5}, {"order": 3.5, "percent": 1}], "colour": 1},
        "channel": {"U_L9": {}, "I_L1": {"lag": 1, "angle": 2}},
        "event": [{"type": "dip", "residual": 1.5, "start": 0.1}, {"start": "soon"}],
        "modulation": [{"percent": -2, "frequency": 8.8}],
        "gap": 3,
        "noise": {"lsb": 1},
    }
    with pytest.raises(SettingsError) as caught:
        synth.generate(spec)
    text = str(caught.value)
    for name in (
        "sample_rate", "duration is missing", "frequency", "perhaps wiring", "start", "dtype", "voltage.amplitude", "voltage.harmonics[0]",
        "voltage.harmonics[1].order", "voltage.colour", "channel.U_L9", "channel.I_L1 has both", "event[0].residual", "event[1].start",
        "event[1].residual", "modulation[0].percent", "gap", "noise.lsb",
    ):  # fmt: skip
        assert name in text, name
    assert len(set(caught.value.faults)) == len(caught.value.faults)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"voltage": {"harmonics": [{"order": 200, "percent": 1}]}}, "voltage.harmonics[0].order"),
        ({"frequency": {"f0": 50, "ramp": [{"slope": -60}]}}, "frequency"),
        ({"gap": [{"at": 0, "duration": 5}]}, "gap"),
        ({"gap": [{"at": 0.1, "duration": 0.5}, {"at": 0.3, "duration": 0.1}]}, "gap"),
        ({"wiring": "3P3W", "channels": ["U_L1"]}, "channels"),
        ({"wiring": "1P2W", "event": [{"phases": ["L2"], "start": 0.1, "residual": 0.5}]}, "event[0].phases"),
        ({"event": [{"start": 5, "residual": 0.5}]}, "event[0].start"),
        ({"duration": 1e-9}, "duration"),
        ({"current": {"harmonics": [{"order": 3, "percent": None}]}}, "current.harmonics[0]"),
        ({"current": {"harmonics": [{"order": 3, "percent": 1, "rms": 1}]}}, "current.harmonics[0]"),
        ({"frequency": 1e-6, "current": {"waveform": "burst-fired"}}, "waveform"),
        ({"start": 5.5}, "start"),
    ],
)
def test_absurd_specifications(spec, name):
    with pytest.raises(SettingsError, match=re.escape(name)):
        synth.generate({"sample_rate": 12800, "duration": 1} | spec)


def test_specification_files(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text('sample_rate = 10000\nduration = 1\ntitle = "short"\n[current]\nlag = 60.0\n', encoding="utf-8")
    rec = synth.generate(path)
    assert rec.metadata["title"] == "short"
    assert rec.metadata["truth"]["values"]["PF"] == pytest.approx(0.5)
    path.write_text("sample_rate = ", encoding="utf-8")
    with pytest.raises(InputError, match=r"spec\.toml"):
        synth.generate(str(path))
    with pytest.raises(InputError, match=r"none\.toml"):
        synth.generate(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="mapping"):
        synth.generate(5)


JUNK = st.sampled_from([None, True, -1, 0, 0.5, 5, 1e30, math.nan, "x", "L1", 2**70, -400, 1e-30, [], {}, [1], [{}], ["U_L1"]])
RICH = NOISY | {
    "frequency": {"f0": 50.0, "drift": [{"deviation": 0.1, "rate": 0.3}], "ramp": [{"slope": 0.1}], "steps": [{"at": 0.5, "to": 51.0}]},
    "channel": {"I_L1": {"waveform": "burst-fired", "on": 1, "off": 2}, "U_L2": {"interharmonics": [{"order": 5.3, "percent": 1.0}]}},
    "event": [{"type": "dip", "phases": ["L1"], "start": 0.3, "point_on_wave": 90.0, "cycles": 3, "residual": 0.6}],
    "saturation": {"voltage": 300.0},
    "quantisation": {"bits": 12, "full_scale_voltage": 500.0},
}


def spoiled(value, path, junk):
    """A copy with one entry, found by following random numbers, replaced."""
    if isinstance(value, dict | list) and value and path:
        copy = dict(value) if isinstance(value, dict) else list(value)
        key = list(copy)[path[0] % len(copy)] if isinstance(copy, dict) else path[0] % len(copy)
        copy[key] = spoiled(copy[key], path[1:], junk)
        return copy
    return junk


@given(st.lists(st.integers(0, 100), min_size=1, max_size=5), JUNK)
def test_junk_is_a_settings_error_or_a_recording(path, junk):
    try:
        rec = synth.generate(spoiled(RICH, path, junk))
    except SettingsError:
        return
    assert rec.read(stop=5).shape[1] == len(rec.channels)
