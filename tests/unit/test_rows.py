"""Means and extremes against values worked out by hand, chunks against any split."""

import numpy as np
import pytest

from ctmeter.pipeline.rows import CHUNK, Buffer, Statistics, intake, pack, unpack


def two_windows(**columns):
    return {"t": np.array([0, 200], np.int64), "duration": np.array([1.0, 3.0]), "flags": np.array([0, 8], np.uint32)} | {
        k: np.asarray(v, float) for k, v in columns.items()
    }


def test_means_by_rule_weighted_by_duration():
    s = Statistics()
    s.add(two_windows(U_L1=[2, 4], P_L1=[8, 4], S_L1=[10, 10], f=[50, 52], Umin_L1=[3, 1], Umax_L1=[5, 9]))
    mean = s.mean()
    assert mean["U_L1"] == pytest.approx(((4 + 3 * 16) / 4) ** 0.5)
    assert mean["P_L1"] == 5.0 and mean["f"] == 51.5
    assert mean["PF_L1"] == 0.5
    assert (mean["Umin_L1"], mean["Umax_L1"]) == (1.0, 9.0)
    assert mean["I_L1"] is None and mean["PF"] is None
    assert s.extremes()["U_L1"] == {"min": 2.0, "t_min": 0, "max": 4.0, "t_max": 200}
    assert s.extremes()["I_L2"] is None
    assert s.rows == 2 and s.flags == {"gap": 1}


def test_null_values_are_left_out_not_zero():
    s = Statistics()
    s.add(two_windows(U_L1=[np.nan, 4], P=[np.nan, np.nan]))
    assert s.mean()["U_L1"] == 4.0 and s.mean()["P"] is None and s.extremes()["P"] is None


def test_fundamental_is_averaged_as_phasors():
    s = Statistics()
    s.add(two_windows(U1_L1=[10, 10], phi_U_L1=[-170, 170]))
    mean = s.mean()
    z = (10 * np.exp(-1j * np.radians(170)) + 3 * 10 * np.exp(1j * np.radians(170))) / 4
    assert mean["U1_L1"] == pytest.approx(abs(z)) and mean["phi_U_L1"] == pytest.approx(np.degrees(np.angle(z)))


def test_displacement_is_of_the_means():
    s = Statistics()
    s.add(two_windows(P1_L1=[10, -2], Q1_L1=[0, 4], S1_L1=[10, 5], P1=[8, 0], Q1=[0, 4], S1=[8, 4]))
    mean = s.mean()
    assert (mean["P1_L1"], mean["Q1_L1"], mean["S1_L1"]) == (1.0, 3.0, 6.25)
    assert mean["DPF_L1"] == pytest.approx(1 / 6.25)
    assert (mean["P1"], mean["Q1"], mean["S1"]) == (2.0, 3.0, 5.0) and mean["DPF"] == pytest.approx(2 / 13**0.5)


def test_power_sets_are_means_of_those_of_the_windows():
    """By duration, 3 s of the second: rms of voltages, means of powers, ratios of the means."""
    s = Statistics(frozenset(["power_sets"]))
    s.add(two_windows(Ue=[100, 200], P=[3000, 6000], S_sum=[4000, 8000], PF_sum=[9, 9], SeN=[400, 0], Se1=[3000, 9000], HP=[9, 9]))
    mean = s.mean()
    assert mean["Ue"] == pytest.approx((130_000 / 4) ** 0.5) and mean["S_sum"] == 7000.0
    assert mean["PF_sum"] == pytest.approx(0.75) and mean["HP"] == pytest.approx(100 / 7500) and mean["Ie"] is None
    assert Statistics.of(unpack(pack(s.state())), frozenset(["power_sets"])).mean() == mean
    assert "Ue" not in Statistics().mean()


def test_nothing_has_no_angle_and_counts():
    s = Statistics()
    s.add(two_windows(I1_L1=[8, 0], phi_I_L1=[30, np.nan], I1_L2=[8, np.nan], phi_I_L2=[30, np.nan], I1_L3=[0, 0], phi_I_L3=[np.nan] * 2))
    mean = s.mean()
    assert mean["I1_L1"] == pytest.approx(2) and mean["phi_I_L1"] == pytest.approx(30) and mean["I1_L2"] == pytest.approx(8)
    assert mean["I1_L3"] == 0 and mean["phi_I_L3"] is None


def test_rows_without_a_frequency_are_counted():
    s = Statistics()
    powers = {"P1_L1": [1, 1], "S1_L1": [1, 1], "P1": [1, 1], "Q1": [0, 0]}
    s.add(two_windows(f=[np.nan, np.nan], **powers))
    assert s.without_frequency == 2 and s.mean()["DPF_L1"] is None and s.mean()["DPF"] is None
    s.add(two_windows(f=[50, np.nan], **powers))
    s = Statistics.of(unpack(pack(s.state())))
    assert s.without_frequency == 3 and s.mean()["DPF_L1"] == 1.0


def test_zero_apparent_power_has_no_power_factor():
    s = Statistics()
    s.add(two_windows(P=[0, 0], S=[0, 0]))
    assert s.mean()["PF"] is None


def test_state_goes_on():
    one, other = Statistics(), Statistics()
    rows = two_windows(U_L1=[2, 4], P=[1, 2])
    one.add(rows)
    other = Statistics.of(unpack(pack(one.state())))
    one.add(rows)
    other.add(rows)
    assert one.mean() == other.mean() and one.state() == other.state()


@pytest.mark.parametrize("sizes", [[1] * 10, [7000, 3], [4096, 4096, 1], [5, 9000, 5]])
def test_chunks_do_not_depend_on_the_split(sizes):
    chunks = []
    buffer = Buffer("basic", lambda table, rows: chunks.append((table, rows)))
    done = 0
    for n in sizes:
        buffer.add({"t": np.arange(done, done + n), "x": np.arange(done, done + n) * 0.5, "list": np.ones((n, 3), np.float32)})
        done += n
    buffer.flush()
    assert [len(rows["t"]) for _, rows in chunks] == [CHUNK["basic"]] * (done // CHUNK["basic"]) + [done % CHUNK["basic"]] * (
        done % CHUNK["basic"] > 0
    )
    assert np.array_equal(np.concatenate([rows["x"] for _, rows in chunks]), np.arange(done) * 0.5)
    assert all(rows["list"].shape == (len(rows["t"]), 3) for _, rows in chunks)


def test_a_column_that_comes_and_goes_is_null_elsewhere():
    chunks = []
    buffer = Buffer("basic", lambda _, rows: chunks.append(rows))
    buffer.add({"t": np.arange(100)})
    buffer.add({"t": np.arange(100), "x": np.ones(100)})
    buffer.add({"t": np.arange(1000)})
    buffer.flush()
    assert np.isfinite(chunks[0]["x"]).sum() == 100 and np.isfinite(chunks[0]["x"][100:200]).all() and len(chunks[0]["x"]) == 1200


def test_intake_shifts_times_and_codes_labels():
    rows = intake({"t": np.array([1, 2]), "channel": np.array(["U_L1", "L23"])}, 10)
    assert rows["t"].tolist() == [11, 12] and rows["channel"].tolist() == [0, 5]
