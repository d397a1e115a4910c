"""Points through front end, engine and registers, against closed form."""

from __future__ import annotations

import math

import pytest

from accuracy.rigs import point_of, rig_of
from ctmeter.accuracy import trials
from ctmeter.accuracy.frontend import FrontEnd, presets
from ctmeter.errors import SettingsError

PPM = 1e-4  # in %


def seconds_of(rig, point):
    waveform = rig.waveform(point)
    return waveform.samples / waveform.sample_rate


@pytest.mark.parametrize("current", [0.05, 0.25, 5.0, 6.0])
@pytest.mark.parametrize(("factor", "limit"), [("1", 0.0005), ("0.5 ind", 0.001), ("0.8 cap", 0.001)])
@pytest.mark.parametrize("direction", ["import", "export"])
def test_ideal_active(current, factor, limit, direction):
    rig, point = rig_of(), point_of(I=current, factor=factor, direction=direction)
    reading = rig.measure(point)
    expected = 3 * 230 * current * float(factor[:3]) * seconds_of(rig, point)
    assert reading.true == pytest.approx(expected, rel=1e-12)
    assert abs(100 * (reading.registered / expected - 1)) < limit and abs(reading.error) < limit


@pytest.mark.parametrize(("factor", "sine"), [("1", 1.0), ("0.5 ind", 0.5), ("0.5 cap", 0.5), ("0.25 ind", 0.25)])
@pytest.mark.parametrize("direction", ["import", "export"])
@pytest.mark.parametrize("f", [49.0, 50.0, 51.0])
def test_ideal_reactive(factor, sine, direction, f):
    rig, point = rig_of(), point_of(I=0.5, factor=factor, direction=direction, energy="reactive", f=f)
    expected = 3 * 230 * 0.5 * sine * seconds_of(rig, point)
    reading = rig.measure(point)
    assert abs(100 * (reading.registered / expected - 1)) < 0.001


@pytest.mark.parametrize(("load", "missing", "phases"), [("L2", (), 1), ("balanced", ("L1",), 2), ("balanced", ("L1", "L3"), 1)])
def test_ideal_unbalanced(load, missing, phases):
    rig, point = rig_of(), point_of(load=load, missing=missing, factor="0.5 ind")
    assert abs(100 * (rig.measure(point).registered / (phases * 230 * 5 * 0.5 * seconds_of(rig, point)) - 1)) < 0.0005


def mean_square(test):
    """Of a switched sine of peak 1 that flows half of the time: 1/4, less the lines from 0.45 of the sample rate on, by hand."""
    orders = {
        # each pair of odd orders has 1/pi, 1/3 pi, 1/5 pi ...
        "odd-harmonics": [1 / (math.pi * ((n - 1) / 2 if n % 4 == 3 else (n + 1) / 2)) for n in range(117, 2_000_001, 2)],
        "dc": [2 / (math.pi * (n * n - 1)) for n in range(116, 20_001, 2)],
        "sub-harmonics": [1 / (2 * math.pi * ((k / 4) ** 2 - 1)) for k in range(461, 80_001, 2)],
    }[test]
    return 1 / 4 - math.fsum(a * a for a in orders) / 2


@pytest.mark.parametrize(("test", "current"), [("odd-harmonics", 2.5), ("sub-harmonics", 2.5), ("dc", 6 / math.sqrt(2))])
def test_switched_currents_in_closed_form(test, current):
    """Half of the power of the parent sine, whose peak follows from the rms of what flows below the end of the band."""
    rig, point = rig_of(), point_of(test, I=current)
    peak = current / math.sqrt(mean_square(test))
    expected = 3 * 230 * math.sqrt(2) * peak / 4 * seconds_of(rig, point)
    reading = rig.measure(point)
    assert reading.true == pytest.approx(expected, rel=2e-6)
    assert 100 * (reading.registered / expected - 1) == pytest.approx(0.0, abs=10 * PPM)


def test_a_fifth_harmonic_in_closed_form():
    """P5 = 0.1 * 0.4 * P1; reversed sequence changes nothing."""
    rig, point = rig_of(), point_of("harmonic", I=3.0)
    expected = 1.04 * 3 * 230 * 3.0 * seconds_of(rig, point)
    assert 100 * (rig.measure(point).registered / expected - 1) == pytest.approx(0.0, abs=10 * PPM)
    point = point_of("sequence", I=0.5)
    assert 100 * (rig.measure(point).registered / (3 * 230 * 0.5 * seconds_of(rig, point)) - 1) == pytest.approx(0.0, abs=PPM)


@pytest.mark.parametrize("current", [0.05, 0.25, 5.0, 6.0])
@pytest.mark.parametrize("factor", ["1", "0.5 ind"])
def test_24_bits_with_noise(current, factor):
    reading = rig_of("adc-24bit").measure(point_of(I=current, factor=factor))
    assert 0 < abs(reading.error) < 0.005
    assert reading.uncertainty is not None and abs(reading.error) < 2 * reading.uncertainty + 1e-4


def found(front_end, **point):
    return rig_of(front_end).measure(point_of(**point)).error


def test_a_gain_error_is_found():
    assert found({"current": {"gain": 0.3}}) == pytest.approx(0.3, abs=0.003)
    assert found({"voltage": {"L1": {"gain": 0.3}}}, load="L1") == pytest.approx(0.3, abs=0.003)
    assert found({"voltage": {"L1": {"gain": 0.3}}}, load="L2") == pytest.approx(0.0, abs=0.003)


def turned(angle, phi=math.pi / 3):
    return 100 * (math.cos(phi - angle) / math.cos(phi) - 1)


def test_a_phase_error_is_found():
    expected = turned(math.radians(10 / 60))
    assert expected == pytest.approx(0.5034, abs=1e-3)
    assert found({"current": {"curve": [[1.0, 0.0, 10.0], [120.0, 0.0, 10.0]]}}, factor="0.5 ind") == pytest.approx(expected, rel=0.01)
    assert found({"voltage": {"phase": 10.0}}, factor="0.5 ind") == pytest.approx(turned(-math.radians(10 / 60)), rel=0.01)


def test_a_skew_is_found():
    expected = turned(2 * math.pi * 50 * 5e-6)
    assert found({"current": {"skew": 5.0}}, factor="0.5 ind") == pytest.approx(expected, rel=0.01)
    assert found({"current": {"skew": 5.0}, "voltage": {"skew": 5.0}}, factor="0.5 ind") == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("ppm", [50.0, -50.0])
def test_a_clock_is_found(ppm):
    assert found({"clock": {"ppm": ppm}}) == pytest.approx(ppm * PPM, rel=0.01)


def test_temperature_is_found():
    assert found({"voltage": {"temperature": 0.03}}, temperature=63.0) == pytest.approx(1.2, rel=0.01)
    assert found({"reference": {"temperature": 150.0}}, temperature=63.0) == pytest.approx(100 * (1.006**2 - 1), rel=0.01)
    assert found({"voltage": {"temperature": 0.03}}) == pytest.approx(0.0, abs=1e-9)


def test_a_curve_is_straight_over_the_logarithm():
    curve = {"current": {"curve": [[1.0, -0.4, 0.0], [100.0, 0.0, 0.0]]}}
    assert found(curve, I=0.5) == pytest.approx(-0.2, abs=1e-6)
    assert found(curve, I=0.01) == pytest.approx(-0.4, abs=1e-6)


@pytest.mark.parametrize(("share", "verdict"), [(0.99, "pass"), (1.01, "fail")])
def test_starting_on_both_sides(share, verdict):
    """Registers start at a power just below or above the one at Ist."""
    power = 3 * 230 * 0.005
    trial = trials.starting(rig_of({"meter": {"p_start": share * power}}))
    assert trial["verdict"] == verdict and trial["I"] == 0.005 and trial["P"] == pytest.approx(power)
    assert trial["period_s"] == pytest.approx(720 / power)


@pytest.mark.parametrize(("gain", "verdict"), [(-44.0, "pass"), (-45.0, "fail")])
def test_starting_too_slow(gain, verdict):
    """Two pulses, each within 1.5 times 1.2 periods: 1 / 1.8 of the power, at least 55.6 %."""
    assert trials.starting(rig_of({"current": {"gain": gain}}))["verdict"] == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.98, "pass"), (1.02, "fail")])
def test_no_load_on_both_sides(share, verdict):
    """Offsets of voltage and current make a power of their own: one pulse in the prescribed time, less or more."""
    rig = rig_of()
    power = share * 720 / rig.rating.no_load_seconds(5000)
    ends = {"voltage": {"offset": 1.0}, "current": {"offset": power / 3}}
    trial = trials.no_load(rig_of(ends))
    assert trial["pulses"]["A+"] == pytest.approx(share, rel=1e-3) and trial["verdict"] == verdict
    assert trials.no_load(rig_of({**ends, "meter": {"p_creep": 1.5 * power, "p_start": 2 * power}}))["pulses"]["A+"] == 0.0


def test_constant():
    trial = trials.constant(rig_of())
    # ten pulses of 720 Ws at 3450 W are there after 2.1 s
    energy = 3 * 230 * 5 * 8
    assert trial["pulses"] == energy // 720 and trial["energy_Wh"] == pytest.approx(energy / 3600, rel=1e-9) and trial["verdict"] == "pass"


@pytest.mark.parametrize(("constant", "pulses", "verdict"), [(1000, 10, "pass"), (10.0, 2, "pass"), (1.0, 0, None)])
def test_constant_waits_for_pulses(constant, pulses, verdict):
    trial = trials.constant(rig_of({"meter": {"constant": constant}, "converter": {"sample_rate": 1600}}, seconds=1.0))
    assert trial["pulses"] in (pulses, pulses + 1) and trial["verdict"] == verdict


@pytest.mark.parametrize(("marked", "verdict"), [(5000, "pass"), (5002, "pass"), (5003, "fail"), (4990, "fail"), (5500, "fail")])
def test_constant_against_the_nameplate(marked, verdict):
    """The output makes 5000 imp/kWh; a tenth of the limit of 0.5 % is 2.5 imp/kWh."""
    trial = trials.constant(rig_of({"meter": {"constant": 5000, "marked": marked}}))
    assert trial["verdict"] == verdict and trial["marked"] == marked and trial["found"] == pytest.approx(5000, rel=1e-6)
    assert trial["error_pct"] == pytest.approx(100 * (5000 / marked - 1), abs=1e-4)
    assert trial["difference_pulses"] == pytest.approx(3 * 230 * 5 * 8 * marked / 3.6e6 - 38, abs=1e-3)


@pytest.mark.parametrize("inputs", [{}, {"current": {"gain": 0.1}}, {"voltage": {"L2": {"gain": 0.0}}}])
def test_an_error_of_the_reference_voltage_reaches_every_input(inputs):
    """A converter with 300 ppm too much in every channel reads 600 ppm too much power."""
    gain = 1.001 if "current" in inputs else 1.0
    assert found({"reference": {"ppm": 300}, **inputs}) == pytest.approx(100 * (1.0003**2 * gain - 1), abs=1e-6)
    assert found(FrontEnd(reference_ppm=300.0, inputs=FrontEnd.load(inputs).inputs)) == pytest.approx(100 * (1.0003**2 * gain - 1), abs=1e-6)


def test_presets_and_faults():
    assert presets() == ("adc-24bit", "class-b-like", "class-c-like", "ideal")
    with pytest.raises(SettingsError) as caught:
        FrontEnd.load({"curent": {}, "voltage": {"gain": "x"}, "clock": {"ppm": 1e9}, "current": {"curve": [[1, 2]], "L2": {"wobble": 1}}})
    assert len({f.split(":")[1].strip() for f in caught.value.faults}) == 5
    # what holds for three phases is named once
    with pytest.raises(SettingsError) as caught:
        FrontEnd.load({"voltage": {"gain": "x", "curve": []}})
    assert len(caught.value.faults) == 2 and "expected gain, linearity" in str(caught.value)
    with pytest.raises(SettingsError, match=r"no-such.*presets are adc-24bit"):
        FrontEnd.load("no-such")
