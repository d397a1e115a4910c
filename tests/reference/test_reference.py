"""The reference against closed form: signals written as formulas, values worked out by hand."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

import reference as ref

FS, F = 12800.0, 49.37
LINES_U = {1: (230.0, 10.0), 3: (9.0, 70.0), 5: (12.0, -40.0), 11: (4.0, 100.0)}
LINES_I = {1: (5.0, -50.0), 3: (0.8, 20.0), 5: (0.5, 60.0), 25: (0.1, 0.0)}


def signal(lines, f=F, fs=FS, seconds=0.6, dc=0.0):
    t = np.arange(round(seconds * fs)) / fs
    x = sum(a * math.sqrt(2) * np.sin(2 * np.pi * h * f * t + math.radians(p)) for h, (a, p) in lines.items())
    return ref.Sampled(x + dc, fs)


def rms(lines):
    return math.sqrt(sum(a * a for a, _ in lines.values()))


def products(a, b):
    return {h: (a[h][0] * b[h][0], math.radians(a[h][1] - b[h][1])) for h in a.keys() & b.keys()}


U, I = signal(LINES_U), signal(LINES_I)
GRID = ref.Grid(F, 10 / 360)
TEN = GRID.window(10, 10)


def test_interpolation_up_to_the_band():
    for part, tolerance in ((0.05, 1e-11), (0.3, 1e-11), (0.45, 1e-10)):
        f = part * FS
        x = signal({1: (1.0, 33.0)}, f)
        t = np.linspace(0.1, 0.4, 1003)
        assert np.max(np.abs(x(t) - math.sqrt(2) * np.sin(2 * np.pi * f * t + math.radians(33)))) < tolerance


def test_values_of_a_window():
    parts = products(LINES_U, LINES_I)
    p = sum(s * math.cos(phi) for s, phi in parts.values())
    assert U.rms(*TEN) == pytest.approx(rms(LINES_U), rel=1e-9)
    assert I.rms(*TEN) == pytest.approx(rms(LINES_I), rel=1e-9)
    assert ref.power(U, I, TEN) == pytest.approx(p, rel=1e-9)
    assert ref.reactive(U, I, F, TEN) == pytest.approx(1150 * math.sin(math.radians(60)), rel=1e-9)
    assert ref.dpf(U, I, F, TEN) == pytest.approx(0.5, rel=1e-9)
    assert ref.budeanu(U, I, F, TEN, 30) == pytest.approx(sum(s * math.sin(phi) for s, phi in parts.values()), rel=1e-9)
    assert ref.fryze(U, I, TEN) == pytest.approx(math.sqrt((rms(LINES_U) * rms(LINES_I)) ** 2 - p * p), rel=1e-9)
    # a quarter of a cycle is h quarters of the harmonic's own
    shifted = sum(s * math.cos(phi - h * math.pi / 2) for h, (s, phi) in parts.items())
    assert ref.quarter_shift(U, I, F, TEN) == pytest.approx(shifted, rel=1e-9)


def test_any_window_is_the_integral():
    """Over [ta, tb) of a single sine the mean square is 1 - (sin 2b - sin 2a) / (2 (b - a)) of its rms squared."""
    x, ta, tb = signal({1: (100.0, 0.0)}), 0.1111, 0.1277
    a, b = 2 * np.pi * F * ta, 2 * np.pi * F * tb
    assert x.rms(ta, tb) == pytest.approx(100 * math.sqrt(1 - (math.sin(2 * b) - math.sin(2 * a)) / (2 * (b - a))), rel=1e-10)


def test_half_cycle_values_of_a_growing_sine():
    t = np.arange(round(0.6 * FS)) / FS
    x = ref.Sampled((1 + t) * np.sin(2 * np.pi * F * t), FS)
    for start, value in ref.Grid(F).half_cycle_rms(x, 0.1, 0.4):
        a, b = start, start + 1 / F
        w = 4 * np.pi * F

        def square(z, w=w):  # antiderivative of (1 + z)^2 (1 - cos wz) / 2
            return (1 + z) ** 3 / 6 - ((1 + z) ** 2 * math.sin(w * z) / w + 2 * (1 + z) * math.cos(w * z) / w**2 - 2 * math.sin(w * z) / w**3) / 2

        assert value == pytest.approx(math.sqrt((square(b) - square(a)) * F), rel=1e-9)


def test_grid_counts_whole_cycles():
    grid = ref.Grid(50.0, 0.25)
    assert np.allclose(grid.inside(0, 0.1), [(0.015 + 0.02 * k, 0.035 + 0.02 * k) for k in range(4)])
    assert len(grid.inside(0, 1.0, 10)) == 4


def test_phasors_and_spectra():
    """Lines on and between the orders, 10 cycles to a window."""
    f = 50.7
    lines = {1: (230.0, 15.0), 2: (1.0, 0.0), 5: (12.0, 3.0), 5.1: (2.0, 5.0), 6.4: (3.0, 9.0), 7.5: (4.0, 0.0)}
    x = signal(lines, f, dc=-0.7)
    window = ref.Grid(f).window(7, 10)
    assert ref.phasor(x, f, *window) == pytest.approx(cmath.rect(230, math.radians(15)), rel=1e-9)
    c = ref.bins(x, *window, 120)
    expected = np.zeros(120)
    expected[0] = 0.7
    for h, (a, _) in lines.items():
        expected[round(10 * h)] = a
    assert np.allclose(c, expected, rtol=0, atol=1e-8)
    sub, group = ref.subgroups(c, 10, 10), ref.groups(c, 10, 10)
    assert sub[[0, 1, 2, 5, 7]] == pytest.approx([0.7, 230, 1, math.hypot(12, 2), 0], abs=1e-7)
    assert group[[5, 6, 7, 8]] == pytest.approx([math.hypot(12, 2), 3, 4 / math.sqrt(2), 4 / math.sqrt(2)], abs=1e-7)
    inter, full = ref.interharmonic_subgroups(c, 10, 9), ref.interharmonic_groups(c, 10, 9)
    assert inter[[5, 6, 7]] == pytest.approx([0, 3, 4], abs=1e-7)
    assert full[[5, 6, 7]] == pytest.approx([2, 3, 4], abs=1e-7)
    assert ref.thd(sub, 10) == pytest.approx(100 * math.sqrt(1 + 144 + 4) / 230, rel=1e-8)


def test_unbalance_of_the_stated_vector():
    """Vector stated for IEC 61000-4-30: 230/0, 225/-121.5, 234/119."""
    three = [cmath.rect(a, math.radians(p)) for a, p in ((230, 0), (225, -121.5), (234, 119))]
    assert ref.sequence_ratios(*three) == pytest.approx((0.514816, 1.866078), abs=1e-6)
    line = [abs(three[0] - three[1]), abs(three[1] - three[2]), abs(three[2] - three[0])]
    assert ref.u2_of_line_voltages(*line) == pytest.approx(0.514816, abs=1e-6)


def test_effective_quantities_of_the_stated_vector():
    """Vector stated for IEEE 1459: Ue 229.6762, Ie 10.0709, Se 6939.166."""
    u = {"L1": 230.0, "L2": 225.0, "L3": 234.0, "L12": 396.9932, "L23": 396.5264, "L31": 399.8011}
    i = {"L1": 10.0, "L2": 7.0, "L3": 12.0, "N": 3.3573}
    assert ref.effective_1459(u, i) == pytest.approx((229.6762, 10.0709, 6939.166), abs=2e-3)


def test_the_whole_sets_of_a_distorted_balanced_load():
    """100 V with 10 % of 5th, 5 A with 40 % of 7th at unity: balanced, so that each square splits into fundamental and rest."""
    star = [cmath.rect(100, -2 * math.pi / 3 * k) for k in range(3)]
    current = [x / 20 for x in star]
    u_rms, i_rms = 100 * math.sqrt(1.01), 5 * math.sqrt(1.16)
    u = dict.fromkeys(("L1", "L2", "L3"), u_rms) | dict.fromkeys(("L12", "L23", "L31"), u_rms * math.sqrt(3))
    i = dict.fromkeys(("L1", "L2", "L3"), i_rms)
    for wires in (u | {}, {k: v for k, v in u.items() if len(k) == 3}):
        got = ref.set_1459(wires, i | {"N": 0.0}, star, current, 1500.0)
        wanted = {
            "Ue": u_rms,
            "Ie": i_rms,
            "Se1": 1500,
            "P1_pos": 1500,
            "Q1_pos": 0,
            "SU1": 0,
            "DeI": 3 * 100 * 2,
            "DeV": 3 * 10 * 5,
            "SeH": 60,
            "DeH": 60,
        }
        wanted |= {"SeN": math.sqrt(600**2 + 150**2 + 60**2), "HP": math.sqrt(600**2 + 150**2 + 60**2) / 1500, "U1_pos": 100, "I1_pos": 5}
        assert {n: got[n] for n in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-4)
        collective = ref.set_40110(wires, i | {"N": 0.0}, 1500.0)
        s = 3 * u_rms * i_rms
        assert (collective["U_sum"], collective["I_sum"], collective["S_sum"]) == pytest.approx((math.sqrt(3) * u_rms, math.sqrt(3) * i_rms, s))
        assert (collective["PF_sum"], collective["Q_sum"]) == pytest.approx((1500 / s, math.sqrt(s * s - 1500**2)))


def test_factors_and_low_pass():
    y = np.zeros(51)
    y[[0, 1, 5, 7]] = 3, 10, 2, 1
    assert ref.k_factor(y) == pytest.approx((100 + 100 + 49) / 105) and ref.tdd(y, 20.0) == pytest.approx(100 * math.sqrt(5) / 20)
    z = ref.low_pass([0, 1, 1, None, 5, 5], [0.2] * 6)
    assert z[3] is None and z[:3] + z[4:] == pytest.approx([0, 1 / 8.0111, 1 - (7.0111 / 8.0111) ** 2, 5, 5], rel=1e-4)
    assert ref.fundamental(U, I, F, TEN) == pytest.approx(cmath.rect(1150, math.radians(60)), rel=1e-9)


@pytest.mark.parametrize(("p", "q", "k"), [(1, 1, 1), (-1, 1, 2), (-1, -1, 3), (1, -1, 4), (0, 0, 1), (0, -1, 4), (-1, 0, 2)])
def test_quadrants(p, q, k):
    assert ref.quadrant(p, q) == k


def phases(lags):
    """Three phases of 230 V and 5 A, each with its lag."""
    return {
        f"L{k + 1}": (signal({1: (230.0, -120.0 * k)}, seconds=0.2), signal({1: (5.0, -120.0 * k - lag)}, seconds=0.2)) for k, lag in enumerate(lags)
    }


def test_registers_of_one_direction():
    pairs = phases((30, 30, 30))
    out = ref.registers(pairs, ref.Grid(F))
    exact = sum(float(a.x @ b.x) for a, b in pairs.values()) / FS / 3600
    hours = 0.2 / 3600
    assert out["A+"] == pytest.approx(exact, rel=1e-12)
    assert out["A+"] == pytest.approx(3 * 1150 * math.cos(math.pi / 6) * hours, rel=0.01)
    assert out["R1"] == out["R+"] == pytest.approx(3 * 575 * hours, rel=1e-9)
    assert out["E+_L2"] == pytest.approx(1150 * hours, rel=1e-9)
    assert out["A-"] == out["R2"] == out["R3"] == out["R4"] == out["E-"] == 0


@pytest.mark.parametrize("summation", ["vector", "per-phase", "absolute"])
def test_summation(summation):
    """L1 imports 60 degrees lagging, L2 exports (III), L3 imports leading (IV)."""
    pairs = phases((60, 210, -45))
    out = ref.registers(pairs, ref.Grid(F), summation)
    hours = 0.2 / 3600
    p = [1150 * math.cos(math.radians(x)) for x in (60, 210, -45)]
    q = [1150 * math.sin(math.radians(x)) for x in (60, 210, -45)]
    exact = [float(a.x @ b.x) / FS / 3600 for a, b in pairs.values()]
    if summation == "vector":
        wanted = {"A+": sum(exact), "A-": 0, "R1": 0, "R3": 0, "R4": abs(sum(q)) * hours}
    elif summation == "per-phase":
        wanted = {"A+": exact[0] + exact[2], "A-": -exact[1], "R1": q[0] * hours, "R3": -q[1] * hours, "R4": -q[2] * hours}
    else:
        wanted = {"A+": exact[0] - exact[1] + exact[2], "A-": 0, "R1": (q[0] - q[1]) * hours, "R3": 0, "R4": -q[2] * hours}
    assert sum(p) > 0 > sum(q)
    for name, value in wanted.items():
        assert out[name] == pytest.approx(value, rel=1e-9, abs=1e-15), name
