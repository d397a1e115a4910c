"""What the summary doubts: means of a part, no fundamental, a frequency that is none of the mains."""

from __future__ import annotations

import numpy as np
import pytest

from ctmeter import Analyzer, Channel, InputError, Recording, measure, read
from ctmeter.quantity import Flag
from ctmeter.recording import Gap

RATE = 6400.0


def sine(f: float, seconds: float = 2.0) -> np.ndarray:
    return 325.0 * np.sin(2 * np.pi * f * np.arange(round(RATE * seconds)) / RATE)


def warnings_of(values, **settings) -> str:
    return " | ".join(measure(Recording.from_arrays({"U_L1": values}, sample_rate=RATE), **settings).summary["warnings"])


@pytest.mark.parametrize("fn", [None, 50])
@pytest.mark.parametrize("f", [3.0, 400.0])
def test_no_fundamental(f, fn):
    said = warnings_of(sine(f), **({"nominal_frequency": fn} if fn else {}))
    assert "no fundamental was found between 12 and 130 Hz" in said and "--rate" in said


@pytest.mark.parametrize("f", [30.0, 75.0, 100.0])
@pytest.mark.parametrize("fn", [None, 50])
def test_a_frequency_far_from_any_mains(f, fn):
    said = warnings_of(sine(f), **({"nominal_frequency": fn} if fn else {}))
    assert "far from any mains frequency" in said and "--rate" in said and "no fundamental" not in said


def test_far_from_any_mains_later_on():
    """The recording begins at 50 Hz, most of it is at 40 Hz, or where nothing follows so suddenly."""
    said = warnings_of(np.concatenate([sine(50.0, 0.6), sine(40.0, 8.0)]), nominal_frequency=50)
    assert "far from any mains frequency" in said
    said = warnings_of(np.concatenate([sine(50.0, 0.6), sine(80.0, 8.0)]), nominal_frequency=50)
    assert "no fundamental could be followed in" in said and "far from the first" in said


def test_windows_of_a_dip_have_a_frequency():
    """Every window has a little of a lost fundamental in it, and none is without a frequency."""
    values = sine(50.0, 10.0)
    t = np.arange(len(values)) / RATE
    values[(t > 0.5) & (t % 0.4 < 0.06)] = 0.0
    result = measure(Recording.from_arrays({"U_L1": values}, sample_rate=RATE), nominal_frequency=50, nominal_voltage=230.0)
    basic = result.tables["basic"]
    flagged = np.count_nonzero(basic["flags"].to_numpy() & np.uint32(Flag.NO_LOCK))
    assert flagged > 0.2 * basic.num_rows and basic["f"].null_count == 0
    assert "no fundamental" not in " | ".join(result.summary["warnings"])


@pytest.mark.parametrize("cycles", [0.8, 1.2, 1.5])
def test_less_than_two_cycles_are_too_short_for_a_frequency(cycles):
    said = warnings_of(sine(50.0, cycles / 50), nominal_frequency=50)
    assert "too short for a frequency" in said and "less than two cycles of 50 Hz" in said
    assert "sample rate or time column" not in said
    assert "too short" not in warnings_of(sine(50.0, 0.06), nominal_frequency=50)


@pytest.mark.parametrize("fn", [None, 50])
def test_nothing_is_said_of_the_mains(fn):
    said = warnings_of(sine(50.2), **({"nominal_frequency": fn} if fn else {}))
    assert "far from" not in said and "no fundamental" not in said and "cover" not in said


def test_means_of_a_part():
    assert "means cover" not in warnings_of(sine(50.0, 3.1))  # 15 windows of 0.2 s
    # between gaps of a sample there is no room for a window but in the last stretch
    analyzer = Analyzer({"nominal_frequency": 50}, sample_rate=RATE, channels=[Channel("U_L1")])
    for _ in range(20):
        analyzer.feed(sine(50.0, 0.1)[:, None])
        analyzer.feed(Gap(1))
    analyzer.feed(sine(50.0, 0.5)[:, None])
    analyzer = Analyzer.restore(analyzer.snapshot())
    summary = analyzer.finish().summary
    (said,) = [w for w in summary["warnings"] if "means cover" in w]
    share = 100 * 0.2 * summary["quality"]["intervals"]["basic"]["count"] / 2.5
    assert float(said.split("means cover ")[1].split(" %")[0]) == pytest.approx(share, abs=1.0)


def test_means_of_a_part_of_a_real_recording(recordings):
    summary = measure(recordings / "wisp" / "1.cfg").summary
    assert any(w.startswith("means cover 18 % of the recording") for w in summary["warnings"])


def stamped(path, factor: float, f: float = 50.0):
    """Two seconds of mains at 5 kHz as text, its stamps a factor too large."""
    t = np.arange(10_000) / 5000.0
    rows = np.column_stack([t * factor, 325.27 * np.sin(2 * np.pi * f * t), 7.07 * np.sin(2 * np.pi * f * t - 0.5)])
    np.savetxt(path, rows, "%.7g", ",", header="t,U_L1 [V],I_L1 [A]", comments="")
    return path


@pytest.mark.parametrize(("factor", "fn", "f", "rate"), [(100, None, 0.5, 5000), (1000, 50, 0.05, 5000), (100, 60, 0.5, 6000)])
def test_a_time_column_wrong_by_a_power_of_ten_is_named(tmp_path, factor, fn, f, rate):
    path = stamped(tmp_path / "ms.csv", factor)
    with pytest.raises(InputError) as raised:
        measure(path, **({"nominal_frequency": fn} if fn else {}))
    said = str(raised.value)
    assert "ms.csv" in said and f"at a sample rate of {5000 / factor:g} Hz" in said and f"100 samples a cycle, is at {f:g} Hz" in said
    assert "time column" in said and f"--rate {rate} if that tone is the mains of {fn or 50} Hz" in said
    with read(path) as rec:
        assert any("too slow for a waveform" in w and "time column" in w and "--rate" in w for w in rec.warnings)
    assert measure(path, rate=5000).mean["f"] == pytest.approx(50.0, abs=1e-3)


def test_a_sample_rate_too_low_of_arrays_is_named():
    with pytest.raises(InputError, match=r"100 Hz is fewer than 4 samples per cycle of 50 Hz; .* 20 samples a cycle, is at 5 Hz .*--rate 1000"):
        measure(Recording.from_arrays({"U_L1": 325 * np.sin(np.pi / 10 * np.arange(400))}, sample_rate=100.0))


def test_rms_values_have_no_tone(tmp_path):
    path = tmp_path / "trend.csv"
    path.write_text("t,U_L1 [V]\n" + "".join(f"{k},{230 + k % 7}\n" for k in range(100)))
    with pytest.raises(InputError, match="nothing to measure: 1 Hz is too slow") as raised:
        measure(path)
    assert "main tone" not in str(raised.value) and "--rate" in str(raised.value)


@pytest.mark.parametrize("fn", [None, 50])
def test_no_events_of_a_voltage_that_is_none_of_the_mains(tmp_path, fn):
    """Ten times too slow: its rms over 20 ms swings at 10 Hz, which is no dip of anything."""
    result = measure(stamped(tmp_path / "x.csv", 10), nominal_voltage=230.0, half_cycle=True, **({"nominal_frequency": fn} if fn else {}))
    said = " | ".join(result.summary["warnings"])
    assert result.events == [] and "no events until one is found" in said and "is at 5 Hz" in said and "--rate 5000 if" in said
    table = result.tables["half_cycle"]
    assert table.num_rows > 1000 and table["U"].null_count == table.num_rows
    flags = result.tables["basic"]["flags"].to_numpy()
    assert (flags & np.uint32(Flag.NO_LOCK) > 0).all() and not (flags & np.uint32(Flag.DIP | Flag.SWELL | Flag.INTERRUPTION)).any()
    assert result.mean["U_L1"] == pytest.approx(230.0, rel=1e-3)


def after_a_drift() -> np.ndarray:
    """A second of 5 Hz, then mains with a dip to half of it for five cycles from 3 s on."""
    mains = sine(50.0, 4.0)
    mains[round(2 * RATE) : round(2.1 * RATE)] *= 0.5
    return np.concatenate([sine(5.0, 1.0), mains])


@pytest.mark.parametrize("fn", [None, 50])
def test_events_are_looked_for_once_there_is_a_fundamental(fn):
    given = {"nominal_voltage": 230.0, **({"nominal_frequency": fn} if fn else {})}
    (event,) = measure(Recording.from_arrays({"U_L1": after_a_drift()}, sample_rate=RATE), **given).events
    assert event["type"] == "dip" and not event["flags"] & Flag.INCOMPLETE
    assert event["U_residual"] == pytest.approx(325 / 8**0.5, rel=2e-3) and event["duration"] == pytest.approx(0.11, abs=1e-3)


def test_a_drift_in_any_split():
    """The same rows and notes from any blocks, with a snapshot between."""
    results = []
    for size in (32_000, 700):
        analyzer = Analyzer({"nominal_voltage": 230.0, "nominal_frequency": 50, "half_cycle": True}, sample_rate=RATE, channels=[Channel("U_L1")])
        values = after_a_drift()[:, None]
        for k in range(0, len(values), size):
            analyzer.feed(values[k : k + size])
            if k == 1400:
                analyzer = Analyzer.restore(analyzer.snapshot())
        results.append(analyzer.finish())
    one, other = results
    assert one.summary == other.summary and one.tables["half_cycle"].equals(other.tables["half_cycle"])
    assert 0 < one.tables["half_cycle"]["U"].null_count < 150


@pytest.mark.parametrize("dead", [0.1, 0.15, 0.19, 1.0, 4.0])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_a_voltage_lost_from_the_start_is_an_interruption(dead, offset):
    """Also where an offset of the sensor remains, and where nothing else is in the recording."""
    values = sine(50.0, 4.0)
    values[: round(dead * RATE)] = 0.0
    events = measure(Recording.from_arrays({"U_L1": values + offset}, sample_rate=RATE), nominal_voltage=230.0, nominal_frequency=50).events
    (event,) = [e for e in events if e["type"] == "interruption"]
    assert event["flags"] & Flag.INCOMPLETE and event["U_residual"] == pytest.approx(offset, abs=0.02)
    assert event["duration"] == (None if dead == 4.0 else pytest.approx(dead, abs=0.021))


def test_line_voltages_that_are_none_of_the_mains():
    t = np.arange(round(2 * RATE)) / RATE
    lines = {f"U_L{k}": 400 * 2**0.5 * np.sin(2 * np.pi * (5 * t - n / 3)) for n, k in enumerate(("12", "23"))}
    result = measure(Recording.from_arrays(lines, sample_rate=RATE), nominal_voltage=400.0, nominal_frequency=50)
    assert result.events == [] and any("no events until one is found" in w for w in result.summary["warnings"])
