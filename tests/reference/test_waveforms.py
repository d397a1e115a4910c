"""The sample recordings: made by the tool as it is now, and their catalogue true by the slow reference."""

from __future__ import annotations

import cmath
import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest

import reference as ref
from ctmeter import readers, synth
from ctmeter.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "waveforms"
CATALOGUE = json.loads((FOLDER / "catalogue.json").read_text(encoding="utf-8"))
STEMS = sorted(CATALOGUE)


def recorded(stem):
    """The committed recording: its channels by name, V and A."""
    with readers.read(FOLDER / CATALOGUE[stem]["file"]) as rec:
        x = rec.read()
        return {c.role: ref.Sampled(x[:, k].copy(), rec.sample_rate) for k, c in enumerate(rec.channels)}


def near(a, b, tolerance):
    """Within a tolerance everywhere, for nested plain data."""
    if isinstance(b, dict):
        return a.keys() == b.keys() and all(near(a[k], b[k], tolerance) for k in b)
    if isinstance(b, list):
        return len(a) == len(b) and all(map(near, a, b, [tolerance] * len(b)))
    if isinstance(b, float):
        return isinstance(a, float | int) and math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    return a == b


def test_every_recording_is_there_and_small():
    specs = {p.name.removesuffix(".synth.toml") for p in FOLDER.glob("*.synth.toml")}
    assert set(STEMS) == specs
    assert sum(p.stat().st_size for p in FOLDER.iterdir()) <= 5_000_000
    for stem in STEMS:
        assert (FOLDER / CATALOGUE[stem]["file"]).exists()
        settings = Settings.load(FOLDER / f"{stem}.ctmeter.toml")
        assert settings.wiring == CATALOGUE[stem]["wiring"]


def test_the_tool_still_makes_them(tmp_path):
    catalogue = runpy.run_path(str(ROOT / "tools" / "make_waveforms.py"))["make"](tmp_path)
    assert near(catalogue, CATALOGUE, 1e-9)
    for made in tmp_path.iterdir():
        if made.suffix not in (".dat", ".wav"):
            assert made.read_bytes() == (FOLDER / made.name).read_bytes(), made.name


@pytest.mark.parametrize("stem", STEMS)
def test_samples_are_those_of_the_specification(stem):
    made = synth.generate(FOLDER / f"{stem}.synth.toml")
    with readers.read(FOLDER / CATALOGUE[stem]["file"]) as rec:
        assert [c.role for c in rec.channels] == [c.role for c in made.channels] == CATALOGUE[stem]["channels"]
        assert rec.samples == made.samples
        assert rec.sample_rate == made.sample_rate
        off = np.abs(rec.read() - made.read()) / [c.scale for c in made.channels]
    # another machine's sine may round one sample in a million the other way
    assert np.max(off) < 1.01
    assert np.mean(off > 0.01) < 1e-5


@pytest.mark.parametrize("stem", STEMS)
def test_catalogue_of_values(stem):
    """Per channel and phase, over ten cycles at the start, which no event touches."""
    entry, x = CATALOGUE[stem], recorded(stem)
    values, f = entry["values"], entry["values"]["f"]
    window = ref.Grid(f).window(3, 10)
    phasors = {}
    for role, signal in x.items():
        lsb = {"U": 600, "I": 20}[role[0]] / 32768
        assert signal.rms(*window) == pytest.approx(values[role], rel=3e-6, abs=lsb / 10), role
        for order, line in entry["spectra"][role]["harmonics"].items():
            got = ref.phasor(signal, int(order) * f, *window)
            assert abs(got - cmath.rect(line["rms"], math.radians(line["angle"]))) < lsb / 10, (role, order)
        phasors[role] = ref.phasor(signal, f, *window)
    total = 0.0
    for p in ("L1", "L2", "L3"):
        if f"U_{p}" in x:
            u, i = x[f"U_{p}"], x[f"I_{p}"]
            s = values[f"S_{p}"]
            total += ref.power(u, i, window)
            assert ref.power(u, i, window) == pytest.approx(values[f"P_{p}"], abs=2e-5 * s)
            assert ref.reactive(u, i, f, window) == pytest.approx(values[f"Q_{p}"], abs=2e-5 * s)
            assert ref.dpf(u, i, f, window) == pytest.approx(values[f"DPF_{p}"], abs=2e-5)
    if "U_L12" in x:
        total = ref.power(x["U_L12"], x["I_L1"], window) - ref.power(x["U_L23"], x["I_L3"], window)
        line = [phasors["U_L12"], phasors["U_L23"], -phasors["U_L12"] - phasors["U_L23"]]
        assert ref.sequence_ratios(*line)[0] == pytest.approx(values["u2"], abs=1e-3)
        assert ref.u2_of_line_voltages(*map(abs, line)) == pytest.approx(values["u2"], abs=1e-3)
    elif "U_L3" in x:
        assert ref.sequence_ratios(*(phasors[f"U_L{k}"] for k in (1, 2, 3))) == pytest.approx((values["u2"], values["u0"]), abs=1e-3)
    assert total == pytest.approx(values["P"], abs=5e-5 * abs(values["P"]))


@pytest.mark.parametrize("stem", STEMS)
def test_catalogue_of_energy(stem):
    entry, x = CATALOGUE[stem], recorded(stem)
    fs = entry["sample_rate"]
    if "U_L12" in x:
        net = float(x["U_L12"].x @ x["I_L1"].x - x["U_L23"].x @ x["I_L3"].x) / fs / 3600
        assert net == pytest.approx(entry["net"]["total"], rel=2e-5)
        assert entry["energy"]["A+"] == entry["net"]["total"]
        return
    for p in ("L1", "L2", "L3"):
        if f"U_{p}" in x:
            assert float(x[f"U_{p}"].x @ x[f"I_{p}"].x) / fs / 3600 == pytest.approx(entry["net"][p], rel=2e-5)


@pytest.mark.long
@pytest.mark.parametrize("stem", ["export", "feeder", "single-phase"])
def test_catalogue_of_registers(stem):
    entry, x = CATALOGUE[stem], recorded(stem)
    pairs = {p: (x[f"U_{p}"], x[f"I_{p}"]) for p in ("L1", "L2", "L3") if f"U_{p}" in x}
    out = ref.registers(pairs, ref.Grid(entry["values"]["f"]))
    scale = sum(e for k, e in entry["energy"].items() if k in ("E+", "E-"))
    for name, value in out.items():
        assert value == pytest.approx(entry["energy"][name], abs=5e-5 * scale), name


def test_catalogue_of_events():
    """One-cycle values that lie wholly within an event."""
    entry, x = CATALOGUE["events"], recorded("events")
    assert [e["type"] for e in entry["events"]] == ["dip", "swell", "interruption"]
    grid = ref.Grid(entry["values"]["f"])
    for event in entry["events"]:
        ta, tb = event["t"], event["t"] + event["duration"]
        # half the reach of the interpolation away from the edges it would smear
        for role, value in event["rms"].items():
            for _, one in grid.half_cycle_rms(x[role], ta + 0.018, tb - 0.018):
                assert one == pytest.approx(value, abs=0.02), (event["type"], role)
