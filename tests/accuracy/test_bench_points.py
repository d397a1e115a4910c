"""What a bench recording is judged by: its nominal point, its conditions, active and reactive energy each for itself."""

from __future__ import annotations

import math

import pytest

import ctmeter
from accuracy.rigs import bench_of, point_of, record, rig_of, write_reference
from ctmeter import accuracy
from ctmeter.accuracy.charts import plot_load


def judged(place, rows, **more):
    """The plain result of rows."""
    return accuracy.run_bench(place, write_reference(place / "ref.txt", [dict(r) for r in rows]), **more).to_dict()


def by_energy(result, **wanted):
    """Active and reactive point."""
    points = [p for p in result["points"] if all(p[k] == v for k, v in wanted.items())]
    assert len({p["energy"] for p in points}) == len(points)
    return {p["energy"]: p for p in points}


# --- each reference over its own time ---------------------------------------------------------------------------------


def test_pulses_beside_energies(tmp_path):
    """Pulses are judged between the first and the last, energies over the whole recording, whatever both are together."""
    record(rig_of({"current": {"gain": 0.2}}), point_of(factor="0.5 ind"), tmp_path / "a.npz", 4.0)
    active, reactive = 3 * 230 * 5 * 0.5, 3 * 230 * 5 * math.sqrt(0.75)
    (tmp_path / "pulses").write_text("\n".join(repr(0.3 + k * 360 / active) for k in range(15)))
    row = {"recording": "a.npz", "I": 5, "factor": "0.5 ind", "pulse_times": "pulses", "constant": 10_000, "energy_varh": reactive * 4 / 3600}
    for more in ({}, {"energy_Wh": active * 4 / 3600}, {"power_W": active}):
        found = by_energy(judged(tmp_path, [row | more]))
        assert found["active"]["error_pct"] == pytest.approx(0.2, abs=5e-4)
        assert found["reactive"]["error_pct"] == pytest.approx(0.2, abs=5e-4)
    # single-phase load: the loaded phase is the whole
    record(rig_of(), point_of(load="L2"), tmp_path / "a.npz", 4.0)
    found = by_energy(judged(tmp_path, [{"recording": "a.npz", "I": 5, "load": "L2", "power_W_L2": 1150}]))
    assert found["active"]["error_pct"] == pytest.approx(0.0, abs=1e-4) and found["active"]["limit_pct"] == 1.0


# --- nothing judged is no pass ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"I": 5, "power_W": 1725}, "neither row nor reference says its factor (column factor)"),
        ({"power_W": 1725}, "says its current and factor (column I, factor)"),
        ({"I": 5, "power_var": 3 * 230 * 5 * math.sqrt(0.75)}, "says its factor (column factor_reactive)"),
        ({"I": 5, "power_W": 1897.5, "factor": "0.5 ind", "temperature": 40, "U": 253}, "voltage and temperature at once"),
        ({"I": 5, "power_W": 1725, "factor": "0.5 ind", "temperature": 40}, "no recording at reference conditions with 5 A, 0.5 ind, import"),
        ({"I": 5, "power_W": 1897.5, "factor": "0.5 ind", "U": 253}, "no recording at reference conditions"),
        ({"I": 5, "power_W": 1207.5, "factor": "0.5 ind", "U": 161.0}, "161 V is outside 0.8 to 1.15 of the reference voltage"),
        ({"I": 5, "power_W": 1725, "factor": "0.5 ind", "test": "repeatability"}, "1 results, a spread needs 3"),
        ({"I": 5, "power_W": 1725, "factor": "0.5 ind", "test": "sequence"}, "its PF of 0.5 ind is below 1, the smallest that class C"),
    ],
)
def test_rows_that_are_not_judged_say_why(tmp_path, row, words):
    record(rig_of(), point_of(factor="0.5 ind", U=row.get("U", 230.0)), tmp_path / "a.npz", 2.0)
    result = judged(tmp_path, [{"recording": "a.npz", **row}])
    (point,) = result["points"]
    assert result["verdict"] == "insufficient-data" and point["verdict"] is None and result["violations"] == []
    assert words in point["reason"] and any("a.npz (line 2), " in n and words in n for n in result["not_judged"])
    assert point["error_pct"] == pytest.approx(0.0, abs=1e-3)


def test_below_the_range_of_limits(tmp_path):
    """0.02 A is above Ist and below Imin: an error, and no limit; with a point that has one the whole is judged."""
    for name, current in (("a", 0.02), ("b", 5.0), ("c", 0.1)):
        record(rig_of({"current": {"gain": 0.9}}), point_of(I=current), tmp_path / f"{name}.npz", 2.0)
    low = {"recording": "a.npz", "I": 0.02, "factor": 1, "power_W": 3 * 230 * 0.02}
    (tmp_path / "b.npz").rename(tmp_path / "b")
    (tmp_path / "c.npz").rename(tmp_path / "c")
    result = judged(tmp_path, [low])
    assert result["verdict"] == "insufficient-data" and result["points"][0]["error_pct"] == pytest.approx(0.9, abs=1e-4)
    assert "no limit of error at 0.02 A, PF 1; it has one for 0.05 to 6 A" in result["points"][0]["reason"]
    (tmp_path / "c").rename(tmp_path / "c.npz")
    assert judged(tmp_path, [low, {"recording": "c.npz", "I": 0.1, "factor": 1, "power_W": 69}])["verdict"] == "pass"
    (tmp_path / "b").rename(tmp_path / "b.npz")
    (tmp_path / "c.npz").unlink()
    result = judged(tmp_path, [low, {"recording": "b.npz", "I": 5, "factor": 1, "power_W": 3450}])
    assert result["verdict"] == "fail"


def test_the_texts_and_the_page_of_nothing_judged(tmp_path):
    record(rig_of(), point_of(factor="0.5 ind"), tmp_path / "a.npz", 2.0)
    path = write_reference(tmp_path / "ref.txt", [{"recording": "a.npz", "I": 5, "power_W": 1725}])
    report = accuracy.run_bench(tmp_path, path)
    assert "verdict: insufficient-data" in report.text() and "not judged: a.npz (line 2), active: neither" in report.text()
    report.save(tmp_path / "out")
    page = (tmp_path / "out" / "accuracy.html").read_text()
    assert "Nothing could be judged." in page and "a.npz (line 2)" in page and "is kept" not in page


# --- the nominal point is never the meter's own -----------------------------------------------------------------------


def test_a_factor_that_the_meter_would_have_guessed(tmp_path):
    """At 600' of phase error the meter sees PF 0.64; the reference has 0.5, and the error of cos(50)/cos(60) is a fail."""
    record(rig_of({"current": {"phase": 600.0}}), point_of(factor="0.5 ind"), tmp_path / "a.npz", 2.0)
    p, q = 1725.0, 3 * 230 * 5 * math.sqrt(0.75)
    found = by_energy(judged(tmp_path, [{"recording": "a.npz", "power_W": p, "power_var": q}]))
    active, reactive = found["active"], found["reactive"]
    assert (active["factor"], active["I"], active["limit_pct"], active["verdict"]) == ("0.5 ind", 5.0, 0.5, "fail")
    assert active["error_pct"] == pytest.approx(100 * (math.cos(math.radians(50)) / 0.5 - 1), abs=1e-3)
    assert reactive["error_pct"] == pytest.approx(100 * (math.sin(math.radians(50)) / math.sqrt(0.75) - 1), abs=1e-3)


@pytest.mark.parametrize("stated", [{"I": 6}, {"I_L1": 6.003, "I_L2": 5.999, "I_L3": 6.001}, {"power_var": 0}])
def test_a_current_that_the_meter_measures_wrong(tmp_path, stated):
    """The meter sees 6.3 A; the point is that of Imax, and 5 % is a fail, not a current out of range."""
    record(rig_of({"current": {"gain": 5.0}}), point_of(I=6.0), tmp_path / "a.npz", 2.0)
    active = by_energy(judged(tmp_path, [{"recording": "a.npz", "power_W": 3 * 230 * 6, **stated}]))["active"]
    assert (active["I"], active["factor"], active["limit_pct"], active["verdict"]) == (6.0, "1", 0.5, "fail")


def test_a_voltage_that_the_meter_measures_wrong(tmp_path):
    """At 207 V a meter that reads 10 % too much sees 230 V; the row says 207 V: a change by the voltage, of 10 % of linearity."""
    rig = rig_of({"voltage": {"linearity": -100 / 9.0}})
    for name, u in (("a", 230.0), ("b", 207.0)):
        record(rig, point_of(U=u), tmp_path / f"{name}.npz", 2.0)
    rows = [{"recording": f"{n}.npz", "I": 5, "U": u, "factor": 1, "power_W": 15 * u} for n, u in (("a", 230), ("b", 207))]
    load, change = judged(tmp_path, rows)["points"]
    assert (load["test"], load["verdict"], change["test"], change["U"], change["reference"]) == ("load", "pass", "voltage", 207.0, load["id"])
    assert change["value_pct"] == pytest.approx(10 / 9, abs=1e-3) and (change["limit_pct"], change["verdict"]) == (0.2, "fail")


# --- active and reactive each for itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("var", [0, 0.3, -0.4, 20.0])
def test_reactive_power_that_is_nothing_is_not_judged(tmp_path, var):
    """PF 1: a few tenths of a var have no error worth the name; sin phi of class 2 begins at 0.25."""
    record(rig_of(), point_of(), tmp_path / "a.npz", 2.0)
    result = judged(tmp_path, [{"recording": "a.npz", "I": 5, "factor": 1, "power_W": 3450, "power_var": var}])
    assert [p["energy"] for p in result["points"]] == ["active"] and result["verdict"] == "pass"
    assert f"a.npz (line 2), reactive: its sin φ is {abs(var) / 3450:.2g}, the smallest that class 2 has a limit for is 0.25" in result["not_judged"]


def test_a_sine_below_the_range_has_an_error_and_no_limit(tmp_path):
    """A sin phi of 0.2 is too small to be judged, and large enough to be shown."""
    record(rig_of({"current": {"gain": 0.1}}), point_of(factor="0.2 ind", energy="reactive"), tmp_path / "a.npz", 2.0)
    p, q = 3450 * math.sqrt(0.96), 690.0
    found = by_energy(judged(tmp_path, [{"recording": "a.npz", "power_W": p, "power_var": q}]))
    assert found["active"]["verdict"] == "pass" and found["active"]["limit_pct"] == 0.5
    assert found["reactive"]["verdict"] is None and found["reactive"]["error_pct"] == pytest.approx(0.1, abs=1e-3)
    assert found["reactive"]["reason"] == "its sin φ of 0.2 ind is below 0.25 ind, the smallest that class 2 has a limit of error for"


@pytest.mark.parametrize(
    ("degrees", "active", "reactive"),
    [
        (60, ("0.5 ind", "import"), ("0.866 ind", "import")),
        (120, ("0.5 cap", "export"), ("0.866 cap", "import")),
        (150, ("0.866 cap", "export"), ("0.5 cap", "import")),
        (240, ("0.5 ind", "export"), ("0.866 ind", "export")),
        (330, ("0.866 cap", "import"), ("0.5 cap", "export")),
        (30, ("0.866 ind", "import"), ("0.5 ind", "import")),
        (90, None, ("1", "import")),
    ],
)
def test_four_quadrants(tmp_path, degrees, active, reactive):
    """Factor and direction of each energy from the angle of the reference; the errors of a phase error of 10' in closed form."""
    turn, phi = math.radians(10 / 60), math.radians(degrees)
    point = point_of(factor=f"{abs(math.cos(phi)):.15g} ind" if abs(math.cos(phi)) < 1 else "1")
    # the rig is told the angle by its sine or cosine; quadrants by direction and letter
    kind = "ind" if math.cos(phi) * math.sin(phi) >= 0 else "cap"
    point = point_of(
        energy="reactive", factor="1" if degrees == 90 else f"{abs(math.sin(phi)):.15g} {kind}", direction="import" if math.sin(phi) > 0 else "export"
    )
    assert math.cos(point.phi - phi) == pytest.approx(1)
    record(rig_of({"current": {"phase": 10.0}}), point, tmp_path / "a.npz", 2.0)
    p, q = 3450 * math.cos(phi), 3450 * math.sin(phi)
    found = by_energy(judged(tmp_path, [{"recording": "a.npz", "I": 5, "power_W": p if abs(p) > 1e-6 else 0, "power_var": q}]))
    assert (found["reactive"]["factor"], found["reactive"]["direction"]) == reactive and found["reactive"]["limit_pct"] == 2.0
    assert found["reactive"]["error_pct"] == pytest.approx(100 * (math.sin(phi - turn) / math.sin(phi) - 1), abs=1e-3)
    if active is None:
        assert "active" not in found
    else:
        assert (found["active"]["factor"], found["active"]["direction"]) == active
        assert found["active"]["error_pct"] == pytest.approx(100 * (math.cos(phi - turn) / math.cos(phi) - 1), abs=1e-3)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        # quadrant II, stated for the reactive energy alone
        ({"power_var": 1725, "factor_reactive": "0.5 cap"}, ("0.5 cap", "import")),
        ({"power_var": 1725, "factor_reactive": "0.5 cap", "direction_reactive": "import"}, ("0.5 cap", "import")),
        # by the other factor: cos phi 0.866 leading, exported
        ({"power_var": 1725, "factor": "0.866025 cap", "direction": "export"}, ("0.5 cap", "import")),
        ({"power_var": 1725, "power_W": 2987.8, "direction": "export"}, ("0.5 cap", "import")),
    ],
)
def test_quadrant_two_as_a_row_may_state_it(tmp_path, row, found):
    record(rig_of(), point_of(energy="reactive", factor="0.5 cap"), tmp_path / "a.npz", 2.0)
    reactive = by_energy(judged(tmp_path, [{"recording": "a.npz", "I": 5, **row}]))["reactive"]
    assert (reactive["factor"], reactive["direction"]) == found and (reactive["limit_pct"], reactive["verdict"]) == (2.0, "pass")
    assert reactive["PF"] == pytest.approx(-math.sqrt(0.75))


def test_between_two_factors_the_limit_is_that_of_the_smaller(tmp_path):
    """Class 1 at 0.3 A: 1.0 % at PF 1, 1.5 % at 0.5 inductive; at 0.866 inductive 1.5 %."""
    record(rig_of(), point_of(I=0.3, factor="0.866 ind"), tmp_path / "a.npz", 2.0)
    (point,) = judged(tmp_path, [{"recording": "a.npz", "I": 0.3, "factor": "0.866 ind", "power_W": 207 * 0.866}], meter_class="1")["points"]
    assert (point["limit_pct"], point["provenance"], point["verdict"]) == (1.5, "C, as 0.5 ind: S:GOST21", "pass")


def test_the_drawn_limits_of_such_factors(tmp_path):
    """Reactive energy at a cos phi of 0.5: the staircase of sin phi 0.5, from 0.25 A on, 2.5 % and from 0.5 A on 2 %."""
    record(rig_of(), point_of(I=0.5, factor="0.5 ind"), tmp_path / "a.npz", 2.0)
    path = write_reference(tmp_path / "ref.txt", [{"recording": "a.npz", "power_W": 172.5, "power_var": 345 * math.sqrt(0.75)}])
    axes = plot_load(accuracy.run_bench(tmp_path, path), energy="reactive")
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["limit, sin φ 0.5 ind"].get_xdata()) == [0.25, 0.5, 0.5, 6.0]
    assert list(lines["limit, sin φ 0.5 ind"].get_ydata()) == [2.5, 2.5, 2.0, 2.0]


# --- influences -------------------------------------------------------------------------------------------------------

ENDS = {"voltage": {"gain": 0.1, "linearity": 1.0, "temperature": 0.01}, "current": {"gain": -0.2}}
GAIN = 1.001 * 0.998


def of_conditions(u=230.0, temperature=23.0, **more):
    return point_of(U=u, temperature=temperature, **more)


def points_of_a_band():
    """What a composite error of +5..+30 °C needs at 5 A, PF 1."""
    return [of_conditions(), *(of_conditions(u=u) for u in (207.0, 253.0)), *(of_conditions(f=f) for f in (49.0, 51.0)),
            *(of_conditions(temperature=t) for t in (5.0, 30.0))]  # fmt: skip


def bench_with_conditions(rig, points, place):
    """A reference file whose rows state voltage and temperature too."""
    path = bench_of(rig, points, place)
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},U,temperature", *(f"{line},{p.U},{p.temperature}" for line, p in zip(lines, points, strict=True))]))
    return path


def test_influences_and_composite_errors_by_hand(tmp_path):
    report = accuracy.run_bench(tmp_path, bench_with_conditions(rig_of(ENDS), points_of_a_band(), tmp_path), bands=["+5..+30", "-10..+40"])
    found = {(p["test"], p["U"], p["f"], p["temperature"]): p for p in report.to_dict()["points"]}
    assert len(found) == 7 and report.verdict == "pass"
    assert found["load", 230, 50, 23]["value_pct"] == pytest.approx(100 * (GAIN - 1), abs=2e-5)
    changes = {
        ("voltage", 207, 50, 23): (-0.1, 0.2),
        ("voltage", 253, 50, 23): (0.1, 0.2),
        ("frequency", 230, 49, 23): (0, 0.2),
        ("frequency", 230, 51, 23): (0, 0.2),
        ("temperature", 230, 50, 5): (-0.18, 0.54),
        ("temperature", 230, 50, 30): (0.07, 0.21),
    }
    for key, (change, limit) in changes.items():
        assert found[key]["judged"] == "change" and found[key]["value_pct"] == pytest.approx(GAIN * change, abs=2e-5), key
        assert found[key]["limit_pct"] == pytest.approx(limit) and found[key]["verdict"] == "pass"
    (composite,) = report.composite
    parts = [100 * (GAIN - 1), GAIN * 0.18, GAIN * 0.1, 0.0]
    assert composite.error == pytest.approx(math.hypot(*parts), abs=3e-5) and (composite.band, composite.mpe) == ("+5..+30", 0.7)
    assert report.not_judged == ("composite errors of -10..+40 °C: not formed at 1 points, without -10 °C, 40 °C",)


def test_a_composite_error_that_is_not_permissible(tmp_path):
    """0.49 % and 0.0297 %/K keep the single limits of class C, together 0.73 % at 5 °C do not keep 0.7 %."""
    ends = {"current": {"gain": 0.49}, "voltage": {"temperature": 0.0297}}
    report = accuracy.run_bench(tmp_path, bench_with_conditions(rig_of(ends), points_of_a_band(), tmp_path), bands=["+5..+30"])
    assert all(p.verdict == "pass" for p in report.points) and report.verdict == "fail"
    assert report.worst.error == pytest.approx(math.hypot(0.49, 1.0049 * 0.0297 * 18), abs=1e-4)
    assert report.violations == (f"composite/+5..+30/balanced/1/5A: {report.worst.error:.4f} %, permissible 0.7 %",)


@pytest.mark.parametrize(("current", "factor", "mpe"), [(5.0, "0.8 cap", 0.7), (0.05, "0.5 ind", 1.0)])
def test_changes_without_a_limit_of_their_own_are_part_of_composite_errors(tmp_path, current, factor, mpe):
    """At 0.8 capacitive, and below Itr, class C limits no single change, and the composite error all the same."""
    points = [point_of(U=p.U, f=p.f, temperature=p.temperature, I=current, factor=factor) for p in points_of_a_band()]
    report = accuracy.run_bench(tmp_path, bench_with_conditions(rig_of(ENDS), points, tmp_path), bands=["+5..+30"])
    (composite,) = report.composite
    assert composite.error == pytest.approx(math.hypot(100 * (GAIN - 1), GAIN * 0.18, GAIN * 0.1), abs=5e-5) and composite.mpe == mpe
    assert all(p.verdict is None and "of change by voltage" in p.reason for p in report.points if p.reading.point.test == "voltage")


def test_composite_errors_end_with_the_rated_range_of_the_factor(tmp_path):
    points = [point_of(U=p.U, f=p.f, temperature=p.temperature, factor="0.25 ind") for p in points_of_a_band()]
    report = accuracy.run_bench(tmp_path, bench_with_conditions(rig_of(ENDS), points, tmp_path), bands=["+5..+30"])
    assert report.composite == () and report.verdict == "insufficient-data"


def test_phases_that_are_loaded_differently(tmp_path):
    """By the reference 5, 5 and 2.5 A: no point of the test, whatever the mean is."""
    record(rig_of({"current": {"L3": {"gain": -50.0}}}), point_of(), tmp_path / "a.npz", 2.0)
    row = {"recording": "a.npz", "I": 4.17, "factor": 1, "power_W_L1": 1150, "power_W_L2": 1150, "power_W_L3": 575}
    result = judged(tmp_path, [row])
    assert result["verdict"] == "insufficient-data" and "loaded differently" in result["points"][0]["reason"]
    assert result["points"][0]["error_pct"] == pytest.approx(0.0, abs=1e-3)


def test_a_power_is_the_mean_of_whole_cycles(tmp_path):
    """An eighth of a cycle at the end of 16 cycles of one phase at PF 0.5 has more than its share of the power; an energy has it, too."""
    record(rig_of(), point_of(load="L1", factor="0.5 ind"), tmp_path / "whole.npz", 0.5)
    samples, cycle = 16 * 256 + 32, 256
    with ctmeter.read(tmp_path / "whole.npz") as recording:
        channels = {c.role: recording.read([c.role])[:samples, 0].astype(float).copy() for c in recording.channels}
    (tmp_path / "whole.npz").unlink()
    ctmeter.Recording.from_arrays(channels, sample_rate=12_800.0).write(tmp_path / "a.npz")
    # u i = U I (cos phi - cos(2 w t - phi)), summed over the samples in closed form
    phases = [4 * math.pi * k / cycle - math.pi / 3 for k in range(samples)]
    joules = 1150 * (0.5 * samples - math.fsum(math.cos(x) for x in phases)) / 12_800
    assert abs(joules / (1150 * 0.5 * samples / 12_800) - 1) > 1e-3
    row = {"recording": "a.npz", "I": 5, "factor": "0.5 ind", "load": "L1"}
    for reference in ({"power_W": 575}, {"energy_Wh": joules / 3600}):
        (point,) = judged(tmp_path, [row | reference])["points"]
        assert point["error_pct"] == pytest.approx(0.0, abs=2e-3), reference


def test_near_reference_conditions_is_at_them(tmp_path):
    record(rig_of(), of_conditions(u=231.0), tmp_path / "a.npz", 2.0)
    row = {"recording": "a.npz", "I": 5, "factor": 1, "power_W": 15 * 231, "U": 231, "f": 50.05, "temperature": 24.5}
    (point,) = judged(tmp_path, [row])["points"]
    assert (point["test"], point["U"], point["f"], point["temperature"], point["limit_pct"]) == ("load", 230, 50, 23, 0.5)


@pytest.mark.parametrize(("test", "current", "factor", "power", "limit"), [("sequence", 0.5, 1.0, 345.0, 0.1), ("harmonic", 3.0, 1.04, 2070.0, 0.5)])
def test_disturbances_as_a_row_states_them(tmp_path, test, current, factor, power, limit):
    """The change is counted from the same current at reference conditions; the true power is that of the waveform."""
    for name, kind in (("a", "load"), ("b", test)):
        record(rig_of(), point_of(kind, I=current), tmp_path / f"{name}.npz", 2.0)
    rows = [{"recording": "a.npz", "power_W": power}, {"recording": "b.npz", "power_W": power * factor, "test": test}]
    load, point = judged(tmp_path, [{"I": current, "factor": 1, **r} for r in rows])["points"]
    assert (point["test"], point["limit_pct"], point["verdict"], point["reference"]) == (test, limit, "pass", load["id"])
    assert point["value_pct"] == pytest.approx(0.0, abs=2e-3)


def test_a_missing_voltage(tmp_path):
    """Two of three phases have 0.3 % and 0, the three of them 0.1 %: a change of 0.05 %."""
    rig = rig_of({"voltage": {"L3": {"gain": 0.3}}})
    for name, missing in (("a", ()), ("b", ("L1",))):
        record(rig, point_of("unbalance" if missing else "load", missing=missing), tmp_path / f"{name}.npz", 2.0)
    rows = [{"recording": "a.npz", "power_W": 3450}, {"recording": "b.npz", "power_W": 2300, "missing": "L1"}]
    _, point = judged(tmp_path, [{"I": 5, "factor": 1, **r} for r in rows])["points"]
    assert (point["test"], point["missing"], point["limit_pct"]) == ("unbalance", ["L1"], 1.0)
    assert point["value_pct"] == pytest.approx(0.05, abs=1e-4)


def test_single_phase_load_less_balanced_load(tmp_path):
    """L2 alone reads 0.9 % more, all three 0.3 %."""
    rig = rig_of({"current": {"L2": {"gain": 0.9}}})
    report = accuracy.run_bench(tmp_path, bench_of(rig, [point_of(), point_of(load="L2")], tmp_path))
    (difference,) = [p for p in report.points if p.reading.point.test == "difference"]
    assert difference.value == pytest.approx(0.6, abs=1e-4) and difference.limit == 1.0
    assert [p.reading.point.test for p in report.points] == ["load", "load", "difference"]


def test_the_uncertainty_of_a_change(tmp_path):
    """Errors of 0.1 and 0.3 % at reference conditions, with 0.04 % of the reference; one of 0.5 % at 253 V with 0.03 %."""
    rows = []
    for name, gain, u in (("a", 0.1, 230.0), ("b", 0.3, 230.0), ("c", 0.5, 253.0)):
        record(rig_of({"current": {"gain": gain}}), of_conditions(u=u), tmp_path / f"{name}.npz", 2.0)
        rows.append({"recording": f"{name}.npz", "I": 5, "factor": 1, "U": u, "power_W": 15 * u, "uncertainty_pct": 0.04 if u == 230 else 0.03})
    load, change = judged(tmp_path, rows)["points"]
    of_load = 2 * math.sqrt(0.02 / 2 + 0.02**2)
    assert (
        load["uncertainty_pct"] == pytest.approx(of_load, abs=1e-4)
        and load["count"] == 2
        and load["sd_pct"] == pytest.approx(math.sqrt(0.02), abs=1e-4)
    )
    assert change["value_pct"] == pytest.approx(0.3, abs=1e-4) and change["verdict"] == "fail"
    assert change["uncertainty_pct"] == pytest.approx(math.hypot(of_load, 0.03), abs=1e-4)


def test_repeats_as_a_test_of_their_own(tmp_path):
    """Three recordings of a meter whose gain wanders by 0.06 %: more than a tenth of the limit of 0.5 %."""
    for spread, verdict in ((0.04, "pass"), (0.06, "fail")):
        rows = []
        for number, gain in enumerate((0.1, 0.1 + spread / 2, 0.1 + spread)):
            record(rig_of({"current": {"gain": gain}}), point_of(), tmp_path / f"{number}.npz", 2.0)
            rows.append({"recording": f"{number}.npz", "I": 5, "factor": 1, "power_W": 3450, "test": "repeatability"})
        (point,) = judged(tmp_path, rows)["points"]
        assert (point["judged"], point["limit_pct"], point["count"], point["verdict"]) == ("spread", 0.05, 3, verdict)
        assert point["value_pct"] == pytest.approx(spread, abs=1e-4)


def test_corrections_are_found_at_reference_conditions(tmp_path):
    """A recording at 40 °C is judged, and leaves the gain that is found as it is."""
    rig = rig_of({"current": {"gain": 0.3}, "voltage": {"temperature": 0.05}})
    points = [of_conditions(factor=f) for f in ("1", "0.5 ind")] + [of_conditions(temperature=40.0)]
    report = accuracy.run_bench(tmp_path, bench_with_conditions(rig, points, tmp_path), correct=True)
    for role in ("I_L1", "I_L2", "I_L3"):
        assert report.correction["settings"][role]["gain"] == pytest.approx(1 / 1.003, rel=2e-6)
