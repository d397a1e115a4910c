"""The power sets against vectors worked out by hand."""

import numpy as np
import pytest

from ctmeter.errors import InputError
from ctmeter.power import din40110, ieee1459, k_factor, smoothed, tdd

# A four-wire sinusoidal load: volts, amperes and degrees, and what the definitions make of them.
U, I = ((230, 0), (225, -121.5), (234, 119)), ((10, -30), (7, -150), (12, 100))
EXPECTED = {
    "Ue": 229.6762, "Ie": 10.0709, "Se": 6939.166, "S1_pos": 6635.353, "P1_pos": 6011.971, "Q1_pos": 2807.866, "SU1": 2030.793,
    "S_vector": 6655.928, "S_arithmetic": 6683.000,
}  # fmt: skip


def table():
    u, i = (np.array([r * np.exp(1j * np.radians(a)) for r, a in x]) for x in (U, I))
    s = u * np.conj(i)
    columns = {"P": s.real.sum(), "Q": s.imag.sum(), "I_N": abs(i.sum())}
    for k, p in enumerate(("L1", "L2", "L3")):
        columns |= {f"U_{p}": abs(u[k]), f"I_{p}": abs(i[k]), f"U1_{p}": abs(u[k]), f"I1_{p}": abs(i[k]), f"S_{p}": abs(s[k])}
        columns |= {f"phi_U_{p}": np.degrees(np.angle(u[k])), f"phi_I_{p}": np.degrees(np.angle(i[k]))}
        columns[("U_L12", "U_L23", "U_L31")[k]] = abs(u[k] - u[(k + 1) % 3])
    return {n: np.array([v]) for n, v in columns.items()}


def test_ieee1459_vector():
    got = ieee1459(table())
    for name, value in EXPECTED.items():
        assert got[name][0] == pytest.approx(value, abs=5e-4 if value > 1000 else 5e-5), name
    assert got["SeN"][0] == pytest.approx(0, abs=0.01)
    assert got["HP"][0] == pytest.approx(0, abs=1e-5)


def test_din40110_vector():
    got = din40110(table())
    assert got["U_sum"][0] == pytest.approx(397.7935, rel=1e-6)
    assert got["I_sum"][0] == pytest.approx(17.4434, rel=1e-5)
    assert got["S_sum"][0] == pytest.approx(6938.864, rel=1e-6)
    assert got["PF_sum"][0] == pytest.approx(6031.012 / 6938.864, rel=1e-6)


def test_three_wires_agree_with_four_without_neutral_current():
    balanced = {"P": np.array([3000.0]), "Q": np.array([0.0])}
    for k, (p, line) in enumerate(zip(("L1", "L2", "L3"), ("L12", "L23", "L31"), strict=True)):
        balanced |= {f"I_{p}": np.array([10.0]), f"I1_{p}": np.array([10.0]), f"phi_I_{p}": np.array([-30.0 - 120 * k])}
        balanced |= {f"U_{line}": np.array([100 * 3**0.5]), f"U1_{line}": np.array([100 * 3**0.5]), f"phi_U_{line}": np.array([-120.0 * k])}
    got = ieee1459(balanced)
    assert got["Ue"][0] == pytest.approx(100)
    assert got["Se"][0] == pytest.approx(3000)
    assert got["P1_pos"][0] == pytest.approx(3000)
    assert din40110(balanced)["S_sum"][0] == pytest.approx(3000)


def test_distortion_factors():
    harmonics = np.zeros((2, 51))
    harmonics[0, [1, 5, 7]] = 10, 2, 1
    assert k_factor(harmonics)[0] == pytest.approx((100 + 25 * 4 + 49) / 105)
    assert np.isnan(k_factor(harmonics)[1])
    assert tdd(harmonics, 20.0)[0] == pytest.approx(100 * 5**0.5 / 20)
    with pytest.raises(InputError):
        tdd(harmonics, 0.0)


def test_missing_columns_are_named():
    columns = table()
    del columns["I_N"]
    with pytest.raises(InputError, match="I_N"):
        ieee1459(columns)


def test_the_fundamental_of_a_neutral_that_was_measured():
    """A measured neutral current a hundredth above the sum is no distortion; without its fundamental the sum's is taken."""
    columns = table()
    columns["I_N"] = 1.01 * columns["I_N"]
    assert ieee1459(columns)["SeN"][0] > 10
    columns["I1_N"] = columns["I_N"]
    got = ieee1459(columns)
    assert got["Ie1"][0] == pytest.approx(got["Ie"][0], rel=1e-12) and got["SeN"][0] == pytest.approx(0, abs=0.01)


def test_where_nothing_was_followed_there_is_no_fundamental():
    """Angles that are null of phasors that are more than rounding beside the others; a dead phase is nothing."""
    columns = table() | {f"phi_{k}_{p}": np.array([np.nan]) for k in "UI" for p in ("L1", "L2", "L3")}
    got = ieee1459(columns)
    assert all(np.isnan(got[n][0]) for n in ("Ue1", "Ie1", "Se1", "SeN", "HP", "P1_pos", "DeI", "SeH"))
    assert got["Ue"][0] == pytest.approx(EXPECTED["Ue"], abs=5e-5) and got["S_vector"][0] == pytest.approx(EXPECTED["S_vector"], abs=5e-4)
    dead = table() | {"I1_L3": np.array([1e-12]), "phi_I_L3": np.array([np.nan])}
    z = 10 * np.exp(-1j * np.radians(30)) + 7 * np.exp(-1j * np.radians(150))
    assert ieee1459(dead)["Ie1"][0] == pytest.approx(np.sqrt((149 + abs(z) ** 2) / 3), rel=1e-12)


def test_smoothing_is_a_first_order_low_pass():
    step = np.r_[np.zeros(5), np.ones(30)][:, None]
    got = smoothed(step, np.full(35, 0.2))[:, 0]
    # the standard's coefficients at 0.2 s: (y + 7.0111 z) / 8.0111
    assert got[5] == pytest.approx(1 / 8.0111, rel=1e-4)
    assert got[20] == pytest.approx(1 - np.exp(-16 * 0.2 / 1.5), rel=1e-9)
    step[10] = np.nan
    assert smoothed(step, np.full(35, 0.2))[11, 0] == 1.0
