"""The course of the signalling voltage, against telegrams whose pulses are known."""

import numpy as np
import pytest

import ctmeter
from ctmeter import Settings, SettingsError
from ctmeter.quantity import Flag
from ctmeter.recording import Channel, Gap, Recording

BEGIN = "2026-03-02T00:00:00Z"
START = int(np.datetime64("2026-03-02T00:00:00", "ns").astype(np.int64))
UN = 230.0
#: Share of nominal of each harmonic, THD 3.02 %.
HARMONICS = {3: 0.02, 5: 0.018, 7: 0.01, 11: 0.008, 13: 0.005}
#: Pulses, s: half a second on, half off; then bits of 0.2 s: 1 0 1 1 0 0 1.
PULSES = [(1.0, 1.5), (2.0, 2.5), (3.0, 3.2), (3.4, 3.8), (4.2, 4.4)]
LENGTH = 5.0
#: Of one voltage at 6400 Hz: times 64 samples apart with 256 samples before and after each of 32000, the 4th to the 495th.
ROWS = 492


def wave(fs, mains, signal, level, length=LENGTH):
    """Mains with its harmonics, and the telegram at `level` V."""
    t = np.arange(round(length * fs)) / fs
    u = np.sin(2 * np.pi * mains * t + 0.4)
    for n, share in HARMONICS.items():
        u += share * np.sin(2 * np.pi * n * mains * t + 0.7 * n)
    on = np.zeros(len(t))
    for first, stop in PULSES:
        on[(t >= first) & (t < stop)] = 1.0
    return 2**0.5 * (UN * u + level * on * np.sin(2 * np.pi * signal * t + 1.1))


def given(signal, nominal=50, **more):
    return {"nominal_voltage": UN, "nominal_frequency": nominal, "signalling_frequency": signal, "signalling_trace": True, "snippets": False, **more}


def course(result, channel):
    table = result.tables["signalling"]
    mine = np.array(table["channel"].cast("string").to_pylist()) == channel
    return (table["t"].cast("int64").to_numpy()[mine] - START) * 1e-9, table["U"].to_numpy()[mine], table["flags"].to_numpy()[mine]


@pytest.mark.parametrize("mains", [50.0, 49.8, 50.2])
@pytest.mark.parametrize("fs", [6400.0, 10000.3])
@pytest.mark.parametrize("signal", [183.0, 316.67, 1050.0])
def test_pulses_of_a_telegram(signal, fs, mains):
    levels = {"U_L1": 0.02 * UN, "U_L2": 0.01 * UN}
    recording = Recording.from_arrays({role: wave(fs, mains, signal, level) for role, level in levels.items()}, sample_rate=fs, start=BEGIN)
    result = ctmeter.measure(recording, **given(signal))
    for role, level in levels.items():
        t, u, flags = course(result, role)
        # every half cycle, from two cycles after the start to two before the end
        assert np.allclose(np.diff(t), 0.01, atol=1.01 / fs) and t[0] == pytest.approx(0.04, abs=0.011) and t[-1] == pytest.approx(4.96, abs=0.011)
        assert not flags.any()
        edges = np.array(PULSES)
        off = ((t[:, None] < edges[:, 0] - 0.04) | (t[:, None] > edges[:, 1] + 0.04)).all(axis=1)
        on = ((t[:, None] > edges[:, 0] + 0.04) & (t[:, None] < edges[:, 1] - 0.04)).any(axis=1)
        assert np.abs(u[on] - level).max() < 0.05 * level and np.count_nonzero(on) > 80
        assert u[off].max() < 0.05 * level
        k = np.flatnonzero(np.diff(u > level / 2))
        crossings = t[k] + 0.01 * (level / 2 - u[k]) / (u[k + 1] - u[k])
        assert crossings == pytest.approx(edges.reshape(-1), abs=0.02)


def test_60_hz():
    recording = Recording.from_arrays({"U_L1": wave(7680.0, 60.0, 208.0, 3.0)}, sample_rate=7680.0, start=BEGIN)
    t, u, _ = course(ctmeter.measure(recording, **given(208.0, 60)), "U_L1")
    assert np.allclose(np.diff(t), 1 / 120, atol=1e-8)
    assert u[(t > 1.04) & (t < 1.46)] == pytest.approx(3.0, rel=0.01) and u[(t > 1.54) & (t < 1.96)].max() < 0.03


def test_the_same_for_any_split_with_snapshots_and_gaps(tmp_path):
    fs, signal = 6400.0, 183.0
    block = np.stack([wave(fs, 50.03, signal, 4.0), wave(fs, 50.03, signal, 2.0)], axis=1)
    block[20000:20003, 1] = np.nan
    items = [block[:16000], Gap(3200), block[19200:]]
    tables = []
    splits = [(10**9, False, None), (777, False, tmp_path / "a"), (64, False, None), (5000, True, None), (1111, True, tmp_path / "b")]
    for size, snapshots, out in splits:
        channels = [Channel("U_L1", role="U_L1"), Channel("U_L2", role="U_L2")]
        a = ctmeter.Analyzer(given(signal), sample_rate=fs, channels=channels, start=BEGIN, out=out)
        for item in items:
            for piece in [item] if isinstance(item, Gap) else [item[k : k + size] for k in range(0, len(item), size)]:
                a.feed(piece)
                if snapshots:
                    a = ctmeter.Analyzer.restore(a.snapshot())
        result = a.finish()
        tables.append(result.tables["signalling"])
    assert all(table.equals(tables[0]) for table in tables)
    t, u, flags = course(result, "U_L2")
    # no window reaches into the gap from 2.5 to 3 s; the null values are those whose window holds a missing sample
    assert not ((t > 2.461) & (t < 3.039)).any()
    null = np.abs(t - 20001 / fs) < 0.04
    assert np.isnan(u[null]).all() and not np.isnan(u[~null]).any()
    assert (flags[null] == Flag.NOT_FINITE).all() and not flags[~null].any()
    assert not np.isnan(course(result, "U_L1")[1]).any()


def test_rows_are_given_out_as_they_complete():
    fs = 6400.0
    block = wave(fs, 50.0, 183.0, 4.0)[:, None]
    a = ctmeter.Analyzer(given(183.0), sample_rate=fs, channels=[Channel("U_L1", role="U_L1")], start=BEGIN)
    seen = sum(a.feed(block[k : k + 1000])["signalling"].num_rows for k in range(0, len(block), 1000))
    whole = a.finish().tables["signalling"].num_rows
    assert whole - 100 < seen <= whole == ROWS


def test_only_on_request_and_without_a_nominal_voltage():
    recording = Recording.from_arrays({"U_L1": wave(6400.0, 50.0, 183.0, 4.0)}, sample_rate=6400.0)
    assert "signalling" not in ctmeter.measure(recording, **given(183.0, signalling_trace=False)).tables
    table = ctmeter.measure(recording, **given(183.0, nominal_voltage=None)).tables["signalling"]
    assert table.num_rows == ROWS and set(table["flags"].to_pylist()) == {int(Flag.NO_CLOCK)}
    with pytest.raises(SettingsError, match="signalling_trace: it needs signalling_frequency"):
        Settings(signalling_trace=True)


def test_a_sample_rate_that_does_not_carry_it():
    recording = Recording.from_arrays({"U_L1": wave(1600.0, 50.0, 183.0, 4.0)}, sample_rate=1600.0, start=BEGIN)
    _, u, flags = course(ctmeter.measure(recording, **given(1050.0)), "U_L1")
    assert np.isnan(u).all() and (flags == Flag.LOW_RATE).all()


def test_threshold_and_longest_event():
    """Pulses of 2.3 V, 1 % of nominal: none above 2 %; above 0.3 % they end where the setting says."""
    u = wave(6400.0, 50.0, 183.0, 0.01 * UN)
    recording = Recording.from_arrays({"U_L1": u}, sample_rate=6400.0, start=BEGIN)

    def found(**more):
        return [e for e in ctmeter.measure(recording, **given(183.0, **more)).events if e["type"] == "msv"]

    assert found() and not found(signalling_threshold=0.02)
    assert max(e["duration"] for e in found()) > 0.3
    assert max(e["duration"] for e in found(signalling_duration=0.3)) == pytest.approx(0.3, abs=1e-9)
    for wrong in ({"signalling_threshold": 0}, {"signalling_duration": 121}, {"signalling_duration": 0}, {"signalling_threshold": "x"}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            Settings(**wrong)
