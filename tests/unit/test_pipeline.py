"""The whole way, by closed form: a 230 V sine with 5 A lagging 30 degrees."""

import gc
import json

import numpy as np
import pytest

from ctmeter.errors import InputError, SettingsError, StoreError
from ctmeter.pipeline import Analyzer, load, measure, measure_points
from ctmeter.quantity import TABLES, energy_keys
from ctmeter.recording import Channel, Gap, Recording, Segment
from ctmeter.settings import Settings

FS = 6400.0
START = "2026-03-02T00:00:00Z"
GIVEN = {"wiring": "3P4W", "nominal_voltage": 230.0, "nominal_frequency": 50}
PHASES = ("L1", "L2", "L3")
P, Q = 230 * 5 * np.cos(np.pi / 6), 230 * 5 * 0.5


def waves(seconds=2.0, f=50.0, fs=FS):
    t = np.arange(round(seconds * fs)) / fs
    made = {}
    for k, n in enumerate(PHASES):
        angle = 2 * np.pi * f * t - k * 2 * np.pi / 3 + 0.2
        made["U_" + n] = 230 * 2**0.5 * np.sin(angle)
        made["I_" + n] = 5 * 2**0.5 * np.sin(angle - np.pi / 6)
    return made


def recording(seconds=2.0, start=START, **kw):
    return Recording.from_arrays(waves(seconds, **kw), sample_rate=kw.get("fs", FS), start=start)


def analyzer(arrays, out=None, **given):
    channels = [Channel(n) for n in arrays]
    return Analyzer(Settings(**{**GIVEN, **given}), sample_rate=FS, channels=channels, start=START, out=out)


def same(one, other):
    assert one.summary == other.summary
    assert list(one.tables) == list(other.tables)
    for name in one.tables:
        assert one.tables[name].equals(other.tables[name]), name


def test_values_energy_and_shape():
    r = measure(recording(), **GIVEN)
    assert list(r.tables) == [t for t in TABLES if t not in ("cycle", "half_cycle", "synchrophasor", "signalling")]
    assert (
        r.mean["U_L2"] == pytest.approx(230, rel=5e-6)
        and r.mean["P_L3"] == pytest.approx(P, rel=1e-5)
        and r.mean["Q"] == pytest.approx(3 * Q, rel=1e-5)
    )
    assert r.mean["PF"] == pytest.approx(np.cos(np.pi / 6), rel=1e-5) and r.mean["MSV_L1"] is None
    assert set(r.energy) == set(energy_keys())
    assert r.energy["A+"] == pytest.approx(3 * P * 2 / 3600, rel=1e-6) and not r.energy["A-"]
    assert r.settings == Settings(**GIVEN) and r.events == []
    assert r.summary["quality"]["samples"] == r.summary["quality"]["integrated"] == 12800
    assert next(iter(r.summary)) == "schema_version"
    json.dumps(r.summary, allow_nan=False)


def test_out_gives_the_same_as_memory(tmp_path):
    kept, streamed = measure(recording(), **GIVEN), measure(recording(), out=tmp_path / "r", **GIVEN)
    same(kept, streamed)
    same(kept, load(tmp_path / "r"))
    kept.save(tmp_path / "saved")
    same(kept, load(tmp_path / "saved"))
    assert load(tmp_path / "saved").extract.keys() == kept.extract.keys() == {"t", *waves()}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r", "saved"]


def test_any_split_and_snapshots_give_the_same(tmp_path):
    arrays = waves()
    block = np.stack(list(arrays.values()), 1)
    whole = analyzer(arrays, half_cycle=True)
    whole.feed(block)
    expected = whole.finish()
    for out in (None, tmp_path / "r"):
        a, at, rows = analyzer(arrays, out, half_cycle=True), 0, 0
        for n in (1, 2999, 1, 4000, 128, 5671):
            rows += a.feed(block[at : at + n])["basic"].num_rows
            at += n
            a = Analyzer.restore(a.snapshot())
        assert at == len(block) and rows >= 7  # two wait for the values that could flag them
        same(a.finish(), expected)
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_feed_gives_rows_as_they_complete():
    arrays = waves()
    block = np.stack(list(arrays.values()), 1)
    a = analyzer(arrays)
    fed = []
    for at in range(0, len(block), 128):
        rows = a.feed(block[at : at + 128])
        assert set(rows) == set(TABLES)
        fed += rows["basic"].column("t").cast("int64").to_pylist()
    total = a.finish().tables["basic"].column("t").cast("int64").to_pylist()
    assert fed == total[: len(fed)] and len(fed) >= len(total) - 2


@pytest.mark.parametrize("dtype", [np.int16, np.int8, np.int32, np.int64, np.float32, np.dtype(">i2")])
def test_any_number_dtype(dtype):
    arrays = waves(1.0)
    scale = 4.0 if np.dtype(dtype).itemsize == 1 else 0.02
    block = np.stack(list(arrays.values()), 1) / scale
    channels = [Channel(n, scale=scale) for n in arrays]
    a = Analyzer(GIVEN, sample_rate=FS, channels=channels, start=START)
    a.feed(np.asarray(np.round(block) if np.dtype(dtype).kind == "i" else block, dtype))
    assert a.finish().mean["U_L1"] == pytest.approx(230, rel=2e-2 if scale > 1 else 1e-4)


def test_what_cannot_be_fed():
    arrays = waves(0.1)
    a = analyzer(arrays)
    for bad in (np.zeros((5, 3)), np.zeros(6), np.zeros((5, 6), bool), np.zeros((5, 6), complex)):
        with pytest.raises(InputError):
            a.feed(bad)
    a.finish()
    for call in (lambda: a.feed(np.zeros((5, 6))), a.finish, a.snapshot):
        with pytest.raises(InputError, match="has finished"):
            call()
    with pytest.raises(InputError, match="no channel has a role"):
        Analyzer(GIVEN, sample_rate=FS, channels=[Channel("x")])
    for rate in (0, -1.0, float("nan")):
        with pytest.raises(InputError, match="sample_rate"):
            Analyzer(GIVEN, sample_rate=rate, channels=[Channel("U_L1")])
    with pytest.raises(InputError, match="snapshot"):
        Analyzer.restore(b"nonsense")


def test_an_empty_block_is_nothing():
    """At the very beginning, where the frequency is still looked for, behind a gap, and later on."""
    arrays = waves(1.5)
    block, gap = np.stack(list(arrays.values()), 1), Gap(samples=100)
    results = []
    for parts in ([gap, block], [block[:0], gap, block[:0], block[:500], block[:0], block[500:], block[:0]]):
        a = analyzer(arrays, nominal_frequency=None)
        for part in parts:
            a.feed(part)
        results.append(a.finish())
    one, other = results
    assert one.summary == other.summary and one.tables["basic"].equals(other.tables["basic"])
    with pytest.raises(InputError, match="shape"):
        analyzer(arrays, nominal_frequency=None).feed(np.zeros((0, len(arrays) + 1)))


@pytest.mark.parametrize("f", [50.0, 60.0])
def test_nominal_frequency_is_detected_the_same_for_any_split(f):
    arrays = waves(2.0, f)
    block = np.stack(list(arrays.values()), 1)
    results = []
    for n in (128, 5000, len(block)):
        a = analyzer(arrays, nominal_frequency=None)
        for at in range(0, len(block), n):
            a.feed(block[at : at + n])
        results.append(a.finish())
    same(results[0], results[1])
    same(results[0], results[2])
    assert results[0].settings.nominal_frequency == f
    assert any("detected" in w for w in results[0].summary["warnings"])
    assert measure(recording(f=f)).settings.nominal_frequency == f


def test_dead_start_does_not_hide_the_frequency():
    arrays = {n: np.concatenate([np.zeros(8000), x]) for n, x in waves(2.0, 60.0).items()}
    r = measure(Recording.from_arrays(arrays, sample_rate=FS))
    assert r.settings.nominal_frequency == 60


def test_without_nominal_voltage_the_nearest_standard_is_suggested():
    r = measure(recording())
    assert any("--un 230" in w for w in r.summary["warnings"])
    assert {"what": "EN 50160", "why": "no nominal voltage"} in r.summary["not_measured"]
    assert not any("nominal voltage" in w for w in measure(recording(), **GIVEN).summary["warnings"])
    assert any("132.8 kV" in w for w in measure(recording(), **{**GIVEN, "nominal_voltage": 132790}).summary["warnings"])


def test_an_odd_frequency_is_said():
    r = measure(recording(f=80.0), nominal_voltage=230)
    assert sum("far from" in w for w in r.summary["warnings"]) == 1


@pytest.mark.parametrize("cycles", [2, 5])
def test_a_short_recording_has_cycles(cycles, tmp_path):
    r = measure(recording(cycles / 50), out=tmp_path / "r", **GIVEN)
    assert "cycle" in r.tables and r.tables["cycle"].num_rows >= 1 and r.tables["basic"].num_rows == 0
    assert r.mean["U_L1"] == pytest.approx(230, rel=1e-4)
    assert r.energy["A+"] == pytest.approx(3 * P * cycles / 50 / 3600, rel=1e-4)
    assert any("whole cycles" in w for w in r.summary["warnings"])


def test_cycles_and_half_cycles_on_request():
    r = measure(recording(), cycle=True, half_cycle=True, **GIVEN)
    assert r.tables["cycle"].num_rows > 90 and r.tables["half_cycle"].num_rows > 3 * 180
    assert set(r.tables["half_cycle"].column("channel").to_pylist()) >= {"U_L1", "U_L2", "U_L3"}


def test_sides_scale_and_are_said():
    r = measure(recording(), side="primary", ct_ratio="200/5", vt_ratio=10, **{**GIVEN, "nominal_voltage": 2300})
    assert r.mean["U_L1"] == pytest.approx(2300, rel=1e-5) and r.mean["I_L1"] == pytest.approx(200, rel=1e-5)
    assert r.energy["A+"] == pytest.approx(400 * 3 * P * 2 / 3600, rel=1e-6)
    assert r.tables["basic"].schema.field("P").metadata[b"side"] == b"primary"
    assert r.summary["sides"] == {"U": "primary", "I": "primary", "P": "primary"}


def with_two_rates(start_ns):
    """Two stretches of one second at 6400 and 3200 Hz with an excluded one between."""
    first, second = waves(1.0), {n: x[::2] for n, x in waves(1.0).items()}
    made = Recording.from_arrays({n: np.concatenate([first[n], np.zeros(100), second[n]]) for n in first}, sample_rate=FS)
    later = None if start_ns is None else start_ns + 3_000_000_000
    made.segments = (Segment(0, 6400, FS, start_ns), Segment(6400, 6500, 50.0, later, "too slow"), Segment(6500, 9700, FS / 2, later))
    return made


@pytest.mark.parametrize("start_ns", [None, 1_772_409_600_000_000_000])
def test_segments_are_one_result(start_ns):
    r = measure(with_two_rates(start_ns), **GIVEN)
    quality = r.summary["quality"]
    assert quality["samples"] == 9700 and quality["excluded"] == {"segment: too slow": 100} and quality["integrated"] == 9600
    assert r.energy["A+"] == pytest.approx(3 * P * 2 / 3600, rel=1e-5)
    t = r.tables["basic"].column("t").cast("int64").to_numpy()
    assert (np.diff(t) > 0).all()
    # the time of the excluded stretch passes with and without a clock
    assert (t[-1] - t[0]) * 1e-9 == pytest.approx(3.8, abs=0.2)


@pytest.mark.parametrize(
    ("limits", "samples"), [((0.5, 1.0), 3200), (("0.5", None), 9600), ((None, "2026-03-02T00:00:00.25Z"), 1600), ((0, 99), 12800)]
)
def test_time_range(limits, samples):
    r = measure(recording(), time_range=limits, **GIVEN)
    quality = r.summary["quality"]
    assert quality["integrated"] == samples
    assert quality["excluded"] == ({"outside the time range": 12800 - samples} if samples < 12800 else {})
    assert r.energy["A+"] == pytest.approx(3 * P * samples / FS / 3600, rel=1e-4)


@pytest.mark.parametrize("limits", [("x", None), (-1, None), (None, float("nan")), (True, None)])
def test_bad_time_range(limits):
    with pytest.raises(SettingsError):
        measure(recording(), time_range=limits)


def test_time_range_needs_something():
    with pytest.raises(InputError, match="nothing to measure"):
        measure(recording(), time_range=(5, 6))
    with pytest.raises(SettingsError, match="no clock"):
        measure(recording(start=None), time_range=("2026-03-02T00:00:00Z", None))


def test_gaps_contribute_nothing():
    arrays = waves(2.0)
    block = np.stack(list(arrays.values()), 1)
    a = analyzer(arrays)
    a.feed(block[:6400])
    a.feed(Gap(64000, "lost"))
    a.feed(block[6400:])
    r = a.finish()
    assert r.energy["A+"] == pytest.approx(3 * P * 2 / 3600, rel=1e-5)
    assert r.summary["quality"]["gaps"] == 64000 and r.summary["recording"]["duration_s"] == 12.0


def test_a_map_gives_roles_and_points_split_a_recording():
    made = Recording.from_arrays(waves(), sample_rate=FS)
    as_read = [Channel(f"ch{k}", unit=c.unit) for k, c in enumerate(made.channels)]
    made.channels = tuple(as_read)
    turned = {"U_L1": "ch0", "I_L1": "-ch1"}
    assert measure(made, map=turned, wiring="1P2W", nominal_frequency=50).mean["P"] == pytest.approx(-P, rel=1e-5)
    settings = {
        "nominal_frequency": 50,
        "points": {"a": {"map": {"U_L1": "ch0", "I_L1": "ch1"}}, "b": {"map": turned, "side": "primary", "ct_ratio": 10}},
    }
    results = measure_points(made, settings)
    assert results["a"].mean["P_L1"] == pytest.approx(P, rel=1e-5) and results["b"].mean["P_L1"] == pytest.approx(-10 * P, rel=1e-5)
    with pytest.raises(SettingsError, match="points: none given"):
        measure_points(made, {})
    with pytest.raises(InputError, match="known as a voltage or current"):
        measure(made.with_channels([Channel("x")] * 6))


def test_faulty_settings_leave_nothing_behind(tmp_path):
    with pytest.raises(SettingsError, match="nominal_voltge"):
        measure(recording(), out=tmp_path / "r", nominal_voltge=230)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "mine.txt").write_text("")
    with pytest.raises(StoreError):
        measure(recording(), out=tmp_path / "r")
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_a_failure_on_the_way_leaves_nothing_behind(tmp_path, monkeypatch):
    made = recording()

    def broken(fraction):
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError):
        measure(made, out=tmp_path / "r", progress=broken)
    assert list(tmp_path.iterdir()) == []


def test_an_analyzer_that_is_dropped_leaves_nothing_behind(tmp_path):
    a = analyzer(waves(0.1), tmp_path / "r")
    a.feed(np.zeros((100, 6)))
    del a
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_report_is_one_page_without_network(tmp_path):
    made = recording()
    made.warnings.append("<script>alert(1)</script>")
    page = measure(made, **GIVEN).report(tmp_path / "r.html").read_text("utf-8")
    assert "<script" not in page and "http" not in page and "&lt;script&gt;" in page
    assert page.count('alt="') == page.count("<img ")
