"""Bench data: errors with their uncertainty, corrections found in them, and what is wrong with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from click.testing import CliRunner

from accuracy.rigs import bench_of, point_of, record, rig_of, write_reference
from ctmeter import accuracy, measure
from ctmeter.accuracy.correct import settings_text
from ctmeter.accuracy.variation import expanded
from ctmeter.cli.meter_feed import feed
from ctmeter.errors import InputError
from ctmeter.meter import Meter
from ctmeter.settings import Settings

CURVE = [[1.0, -0.3, 12.0], [5.0, -0.2, 8.0], [20.0, -0.1, 4.0], [100.0, 0.05, 1.5], [120.0, 0.06, 1.2]]
FAULTY = {
    "voltage": {"L1": {"gain": 0.3}, "L2": {"gain": -0.1}},
    "current": {"skew": 5.0, "curve": CURVE, "L1": {"gain": 0.3}, "L3": {"gain": -0.2}},
    "converter": {"bits": 24, "noise_voltage": 3.0, "noise_current": 3.0},
}
LEVELS = (0.05, 0.25, 1.0, 5.0, 6.0)


def by_hand(uncertainty, n, sd):
    return 2 * math.sqrt(sd**2 / n + (uncertainty / 2) ** 2)


def test_uncertainty_by_hand():
    assert expanded([0.1, 0.3], 0.04) == pytest.approx(by_hand(0.04, 2, math.sqrt(0.02)))
    assert expanded([0.1], 0.04) == 0.04 and expanded([0.1], 0.0) is None


def test_mean_scatter_count(tmp_path):
    noisy = rig_of({"current": {"gain": 0.3}, "voltage": {"gain": 0.1}, "converter": {"bits": 16, "noise_current": 2000.0, "noise_voltage": 500.0}})
    path = bench_of(noisy, [point_of(I=1.0)], tmp_path, repeats=5, uncertainty_pct=0.01)
    report = accuracy.run_bench(tmp_path, path)
    (point,) = report.to_dict()["points"]
    errors = report.points[0].spread
    assert point["count"] == 5 and point["error_pct"] == pytest.approx(np.mean(errors)) and point["sd_pct"] == pytest.approx(np.std(errors, ddof=1))
    assert point["uncertainty_pct"] == pytest.approx(by_hand(0.01, 5, np.std(errors, ddof=1)))
    assert abs(point["error_pct"] - 100 * (1.003 * 1.001 - 1)) < point["uncertainty_pct"] and point["sd_pct"] > 1e-4
    assert (point["limit_pct"], point["verdict"], point["PF"], point["I"]) == (0.5, "pass", 1.0, 1.0)


@pytest.mark.parametrize("kind", ["power", "energy", "pulses"])
def test_what_a_reference_may_say(tmp_path, kind):
    """230 V, 5 A, PF 0.5 in three phases for 4 s: 1725 W, 6900 Ws; the meter reads 0.2 % more."""
    rig = rig_of({"current": {"gain": 0.2}})
    record(rig, point_of(factor="0.5 ind"), tmp_path / "a.npz", 4.0)
    power = 3 * 230 * 5 * 0.5
    row = {"recording": "a.npz", "I": 5, "factor": "0.5 ind"}
    if kind == "power":
        row["power_W"] = power
    elif kind == "energy":
        row["energy_Wh"] = power * 4.0 / 3600
    else:
        period = 3.6e6 / 10_000 / power
        (tmp_path / "pulses.txt").write_text("\n".join(repr(0.3 + k * period) for k in range(15)))
        row |= {"pulse_times": "pulses.txt", "constant": 10_000}
    report = accuracy.run_bench(tmp_path, write_reference(tmp_path / "ref.txt", [row]))
    (point,) = report.to_dict()["points"]
    assert point["error_pct"] == pytest.approx(0.2, abs=5e-4)
    assert (point["factor"], point["direction"], point["limit_pct"]) == ("0.5 ind", "import", 0.5)


def test_export(tmp_path):
    record(rig_of(), point_of(direction="export"), tmp_path / "a.npz")
    path = write_reference(tmp_path / "ref.txt", [{"recording": "a.npz", "power_W": -3450.0, "I": 5}])
    (point,) = accuracy.run_bench(tmp_path, path).to_dict()["points"]
    assert point["direction"] == "export" and point["PF"] == -1.0 and abs(point["error_pct"]) < 1e-4


@pytest.mark.parametrize("reactive", [False, True])
def test_correction(tmp_path, reactive):
    """Gain, skew and a curve of ratio and phase are taken out of other points than those they were found at."""
    rig = rig_of(FAULTY)
    factors = ["1", "0.5 ind"] if not reactive else ["0.5 ind"]
    points = [point_of(I=i, factor=f) for i in LEVELS for f in factors]
    path = bench_of(rig, points, tmp_path, reactive=reactive, repeats=1)
    report = accuracy.run_bench(tmp_path, path, correct=True)
    pairs = report.correction["points"]
    assert max(abs(p["before_pct"]) for p in pairs) > 0.5
    assert max(abs(p["after_pct"]) for p in pairs) < 0.003
    # the settings file does the same to any recording
    config = tmp_path / "corrections.toml"
    config.write_text(settings_text(report.correction["settings"]))
    before = []
    for number, (i, factor) in enumerate([(0.05, "0.8 cap"), (0.5, "0.5 ind"), (2.5, "1"), (5.5, "0.5 ind")]):
        other = point_of(I=i, factor=factor)
        record(rig, other, tmp_path / f"other{number}.npz")
        true = {p: 230 * i * math.cos(other.phi) * 2.0 / 3600 for p in ("L1", "L2", "L3")}
        uncorrected = measure(tmp_path / f"other{number}.npz", spectra="none").energy["A+"]
        before.append(100 * abs(uncorrected / sum(true.values()) - 1))
        result = measure(tmp_path / f"other{number}.npz", config, spectra="none")
        assert 100 * abs(result.energy["A+"] / sum(true.values()) - 1) < 0.003
        for phase, energy in true.items():
            assert 100 * abs(result.energy[f"A+_{phase}"] / energy - 1) < 0.005
    assert max(before) > 0.3


def test_a_delay_and_a_phase_error_are_told_apart_by_frequency(tmp_path):
    rig = rig_of({"current": {"skew": 5.0, "curve": [[1.0, 0.0, 10.0], [120.0, 0.0, 2.0]]}})
    points = [point_of(I=i, factor="0.5 ind", f=f) for i in (0.5, 5.0) for f in (49.0, 51.0)]
    report = accuracy.run_bench(tmp_path, bench_of(rig, points, tmp_path, reactive=True), correct=True)
    for role in ("I_L1", "I_L2", "I_L3"):
        found = report.correction["settings"][role]
        assert found["delay"] == pytest.approx(5e-6, rel=0.01)
        assert found["curve"][1][2] == pytest.approx(10 - 8 * math.log(100) / math.log(120), abs=0.02)


def test_voltages_of_the_reference_give_gains_of_their_own(tmp_path):
    rig = rig_of({"voltage": {"L2": {"gain": 0.3}}, "current": {"L2": {"gain": -0.2}}})
    path = bench_of(rig, [point_of(), point_of(factor="0.5 ind")], tmp_path, U_L1=230.0, U_L2=230.0, U_L3=230.0)
    found = accuracy.run_bench(tmp_path, path, correct=True).correction["settings"]
    assert found["U_L2"]["gain"] == pytest.approx(1 / 1.003, rel=1e-6) and found["I_L2"]["gain"] == pytest.approx(1 / 0.998, rel=1e-6)


def test_a_phase_error_cannot_be_told_from_one_power_factor(tmp_path):
    path = bench_of(rig_of(), [point_of()], tmp_path)
    with pytest.raises(InputError, match="its phase error cannot be told"):
        accuracy.run_bench(tmp_path, path, correct=True)


def test_corrections_of_the_settings(tmp_path):
    record(rig_of({"current": {"gain": 0.5}}), point_of(), tmp_path / "a.npz")
    path = write_reference(tmp_path / "ref.txt", [{"recording": "a.npz", "power_W": 3450.0}])
    settings = Settings(corrections={f"I_{p}": {"gain": 1 / 1.005} for p in ("L1", "L2", "L3")})
    assert accuracy.run_bench(tmp_path, path).points[0].value == pytest.approx(0.5, abs=1e-4)
    assert accuracy.run_bench(tmp_path, path, settings=settings).points[0].value == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("way", ["keyword", "sidecar", "command"])
def test_corrections_reach_the_registers_of_a_meter(tmp_path, way):
    """A meter that is fed a recording with known errors of gain and phase, and the corrections: its registers are U I cos phi t by hand."""
    bench, fed = tmp_path / "bench", tmp_path / "fed"
    bench.mkdir()
    fed.mkdir()
    rig = rig_of({"voltage": {"L1": {"gain": 0.3}}, "current": {"gain": -0.4, "curve": CURVE, "L2": {"gain": 0.2, "phase": 15.0}}})
    points = [point_of(I=i, factor=f) for i in LEVELS for f in ("1", "0.5 ind")]
    found = accuracy.run_bench(bench, bench_of(rig, points, bench, reactive=True), correct=True).correction["settings"]
    point = point_of(I=2.0, factor="0.5 ind")
    record(rig, point, fed / "load.npz", 8.0)
    true = {"A+": 230 * 2 * 0.5 * 8, "R+": 230 * 2 * math.sqrt(0.75) * 8}
    (tmp_path / "found.toml").write_text(settings_text(found))
    errors = {}
    for corrected in (False, True):
        store = tmp_path / f"{corrected}.store"
        with Meter.create(store, {}) as meter:
            if not corrected:
                meter.feed(fed / "load.npz")
            elif way == "keyword":
                meter.feed(fed / "load.npz", corrections=found)
            elif way == "sidecar":
                (fed / "load.ctmeter.toml").write_text(settings_text(found))
                meter.feed(fed / "load.npz")
        if corrected and way == "command":
            assert CliRunner().invoke(feed, [str(store), str(fed / "load.npz"), "--config", str(tmp_path / "found.toml")]).exit_code == 0
        with Meter.open(store) as meter:
            held = meter.machine.registers
            for name, joules in true.items():
                for suffix, phases in (("", 3), ("_L1", 1), ("_L2", 1), ("_L3", 1)):
                    value = (held.value(name + suffix) + held.remainder(name + suffix)) / 1000
                    errors[corrected, name + suffix] = 100 * abs(value / (phases * joules) - 1)
    assert min(errors[False, k] for k in ("A+", "A+_L2", "R+_L2")) > 0.1
    assert max(errors[True, k] for k in ("A+", "R+")) < 0.003
    assert max(v for (corrected, _), v in errors.items() if corrected) < 0.003
