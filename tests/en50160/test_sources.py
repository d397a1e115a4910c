"""Results of one site, one after the other, on one grid."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ctmeter
from ctmeter.en50160 import assess
from ctmeter.en50160.parts import open_parts
from ctmeter.en50160.sources import Site
from ctmeter.errors import InputError, SettingsError, StoreError
from ctmeter.store.results import parquet_writer
from en50160.weeks import DIP, GIVEN, INCOMPLETE, INTERRUPTION, START, counts, event, phases, row, table, week

SETTINGS = {"nominal_voltage": 230.0, "nominal_frequency": 50.0, "signalling_frequency": None, "rvc": 0.05}


def iso(hours):
    return f"{(START + np.timedelta64(round(hours * 3600), 's')).astype('datetime64[s]')}Z"


def result(start, end, name, *, tables=None, events=(), station="A", device="7", **settings):
    """A result as `assess` sees one; hours from the start."""
    summary = {
        "recording": {"source": name, "start": iso(start), "end": iso(end), "metadata": {"station": station, "device": device}},
        "settings": {**SETTINGS, **settings},
        "wiring": "3P4W",
        "sides": {"U": "as-recorded"},
        "events": {"list": list(events)},
        "not_measured": [],
    }
    return SimpleNamespace(summary=summary, tables=tables or {}, path=name)


def minutes(start, n, /, **columns):
    return table("10min", n, START + np.timedelta64(round(start * 3600), "s"), **columns)


def days(count=7, **changes):
    """Daily results of a quiet week."""
    made = []
    for k in range(count):
        tables = {"10min": minutes(24 * k, 144, **{**phases("U", 230.0), **changes.get(f"day{k}", {})})}
        made.append(result(24 * k, 24 * k + 24, f"day{k}", tables=tables))
    return made


def test_seven_days_are_a_week_in_any_order():
    made = days(day3={"U_L1": 204.0})
    for results in (made, made[::-1]):
        found = assess(results, only=["U"])
        assert [w["start"] for w in found.weeks] == ["2026-03-02T00:00:00Z"]
        assert counts(row(found, "U", "L1")) == (1008, 144, 0, 0, "fail")
        assert found.data["site"]["sources"] == [f"day{k}" for k in range(7)] and found.data["site"]["station"] == "A"


def test_a_day_that_is_missing():
    made = days()
    del made[2]
    assert counts(row(assess(made, only=["U"]), "U", "L1")) == (864, 0, 0, 144, "insufficient-data")


def test_an_interval_that_two_recordings_share():
    """Until 01:05, and from there: 1500 windows of 220 V, 1500 of 240 V, together sqrt((220^2 + 240^2) / 2) = 230.217 V."""
    flags = np.zeros(7)
    flags[-1] = INCOMPLETE
    halves = {"n": 3000.0, "duration": 600.0}

    def part(u, last, start, n, at):
        columns = {k: np.full(n, v) for k, v in {**halves, "U_L1": u, "f": 50.0 if u < 230 else 50.2, "Umin_L1": u - 1}.items()}
        for name, value in (("n", 1500.0), ("duration", 300.0)):
            columns[name][at] = value
        f = np.zeros(n)
        f[at] = INCOMPLETE | last
        return {"10min": minutes(start, n, flags=f, **columns)}

    a = result(0, 1 + 5 / 60, "a", tables=part(220.0, DIP, 0, 7, -1))
    b = result(1 + 5 / 60, 2, "b", tables=part(240.0, 0, 1, 6, 0))
    site = Site(open_parts([a, b]), {})
    u = site.series("10min", "U_L1")
    assert len(u.t) == 12 and np.diff(u.t).tolist() == [600_000_000_000] * 11
    assert u.values[6] == pytest.approx(((220**2 + 240**2) / 2) ** 0.5) and u.values[5] == 220 and u.values[7] == 240
    assert u.flags[6] == DIP, "whole, and flagged by the dip of its first half"
    assert site.series("10min", "f").values[6] == pytest.approx(50.1)
    assert site.series("10min", "Umin_L1").values[6] == 219.0
    # with a minute missing between them it stays incomplete
    columns = b.tables["10min"].column("duration").to_numpy().copy()
    columns[0] = 240.0
    b.tables["10min"] = b.tables["10min"].set_column(b.tables["10min"].column_names.index("duration"), "duration", pa.array(columns))
    assert Site(open_parts([a, b]), {}).series("10min", "U_L1").flags[6] == DIP | INCOMPLETE


@pytest.mark.parametrize(("lengths", "whole"), [((200.0, 100.0, 300.0), True), ((200.0, 99.5, 300.0), False)])
def test_an_interval_of_three_recordings(lengths, whole):
    """100, 200 and 150 V in ten minutes, with as many windows as 2, 1 and 3: sqrt((2 * 100^2 + 200^2 + 3 * 150^2) / 6) = 145.77 V."""
    made, places = [], np.cumsum([0.0, *lengths]) / 3600
    for k, (seconds, volts) in enumerate(zip(lengths, (100.0, 200.0, 150.0), strict=True)):
        columns = {"flags": np.array([INCOMPLETE]), "duration": seconds, "n": (2, 1, 3)[k], "U_L1": volts, "u2": float(k), "Pst_L1": 1.0}
        made.append(result(places[k], places[k + 1], f"r{k}", tables={"10min": minutes(0, 1, **columns)}))
    made.append(result(1 / 6, 1, "rest", tables={"10min": minutes(1 / 6, 5, U_L1=230.0, u2=0.5, Pst_L1=0.5)}))
    site = Site(open_parts(made), {})
    voltage = site.series("10min", "U_L1")
    assert voltage.values[:2] == pytest.approx([(127500 / 6) ** 0.5, 230.0]) and len(voltage.t) == 6
    assert bool(voltage.flags[0]) is not whole and not voltage.flags[1:].any()
    assert np.isnan(site.series("10min", "Pst_L1").values).tolist() == [True, False, False, False, False, False]


@pytest.mark.parametrize(
    ("flags", "middle"), [([0, INCOMPLETE, INCOMPLETE, 0], np.nan), ([0, INCOMPLETE, 0, 0], 50.2), ([0, 0, INCOMPLETE, 0], 50.1)]
)
def test_a_clock_that_was_set_within_a_recording(flags, middle):
    """Ten seconds in two parts have no frequency; where one of the parts is all of them, it is that one."""
    f = table("frequency", 4, flags=np.array(flags), f=np.array([50.0, 50.1, 50.2, 50.3]))
    t = f.column("t").to_numpy() - np.array([0, 0, 1, 1]) * np.timedelta64(10, "s")
    f = f.set_column(f.column_names.index("t"), "t", pa.array(t, pa.timestamp("ns", "UTC")))
    one = result(0, 1, "a", tables={"10min": minutes(0, 6, U_L1=230.0), "frequency": f})
    found = Site(open_parts([one]), {}).series("frequency", "f")
    assert found.values == pytest.approx([50.0, middle, 50.3], nan_ok=True)
    assert found.flags.tolist() == [0, INCOMPLETE if np.isnan(middle) else 0, 0]


def test_flicker_of_two_hours_from_two_recordings():
    """Six Pst of 1 and six of 0.5: (6 + 6/8) / 12 = 0.5625, of which the cube root is 0.82548."""
    a = result(0, 1, "a", tables={"10min": minutes(0, 6, Pst_L1=1.0, U_L1=230.0), "2h": table("2h", 1, flags=np.array([INCOMPLETE]), Plt_L1=np.nan)})
    later = START + np.timedelta64(2, "h")
    b_two = pa.concat_tables([table("2h", 1, flags=np.array([INCOMPLETE]), Plt_L1=np.nan), table("2h", 1, later, Plt_L1=0.7)])
    b = result(1, 4, "b", tables={"10min": minutes(1, 18, Pst_L1=0.5, U_L1=230.0), "2h": b_two})
    plt = Site(open_parts([a, b]), {}).plt("L1")
    assert plt.values == pytest.approx([0.5625 ** (1 / 3), 0.7]) and plt.flags.tolist() == [0, 0]


def test_flicker_from_pst_alone():
    """One of twelve is missing in the second two hours."""
    pst = np.full(24, 0.8)
    pst[15] = np.nan
    plt = Site(open_parts({"10min": minutes(0, 24, Pst_L1=pst, U_L1=230.0)}), GIVEN).plt("L1")
    assert plt.values[0] == pytest.approx(0.8) and np.isnan(plt.values[1])


def test_events_of_all_results():
    at = [{**event("dip", 3600 * h, 0.1, U_residual=150.0), "U_ref": 230.0} for h in (1, 30)]
    made = days()
    made[0].summary["events"]["list"], made[1].summary["events"]["list"] = [{**at[0], "t": iso(1)}], [{**at[1], "t": iso(30)}]
    found = assess(made, only=["U"])
    assert found.data["dips"]["C1"] == 2 and [e["t"] for e in found.events] == [iso(1), iso(30)]
    made[2].summary["not_measured"] = [{"what": "events", "why": "no nominal voltage"}]
    assert "day2" in next(x["why"] for x in assess(made, only=["U"]).data["not_measured"] if x["quantity"] is None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"station": "B"}, "different sites: station is 'B' here and 'A' in day0"),
        ({"device": "8"}, "different sites: device"),
        ({"nominal_voltage": 400.0}, "different sites: nominal_voltage is 400.0 here and 230.0"),
    ],
)
def test_results_of_different_sites(change, words):
    other = result(24, 48, "other", tables={"10min": minutes(24, 144, U_L1=230.0)}, **change)
    with pytest.raises(InputError, match=words) as caught:
        assess([days(1)[0], other])
    assert caught.value.path == "other"


def test_results_that_overlap():
    made = days(2)
    made[1].summary["recording"]["start"] = iso(23)
    with pytest.raises(InputError, match="begins at 2026-03-02T23:00:00Z, before day0 ends at 2026-03-03T00:00:00Z"):
        assess(made)
    with pytest.raises(InputError, match="before day0 ends"):
        assess([days(1)[0], days(1)[0]])


def test_results_without_a_clock():
    made = days(2)
    made[1].summary["recording"]["start"] = None
    with pytest.raises(InputError, match="no clock"):
        assess(made)
    made[0].summary["recording"]["start"] = None
    assert any("no clock" in note for note in assess(made[:1], only=["U"]).data["notes"])


def test_tables_with_an_interval_twice():
    one = minutes(0, 10, U_L1=230.0)
    with pytest.raises(InputError, match="table 10min has 2026-03-02T00:00:00Z twice"):
        assess({"10min": pa.concat_tables([one, one])}, **GIVEN)
    with pytest.raises(InputError, match=r"table 10min has 2026-03-02T00:00:00Z twice, in tables 1 and in tables 2"):
        assess([{"10min": one}, {"10min": one}], **GIVEN)
    off = table("10min", 10, START + np.timedelta64(60, "s"), U_L1=230.0)
    with pytest.raises(InputError, match="has a row at 2026-03-02T00:01:00Z"):
        assess({"10min": off}, **GIVEN)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (pa.table({"U_L1": [1.0]}), "no column t"),
        (pa.table({"t": [1], "U_L1": [1.0]}), "the column t is int64"),
        (pa.table({"t": pa.array([0], pa.timestamp("ns")), "U_L1": ["x"]}), "U_L1 is string"),
        (pa.table({"t": pa.array([0], pa.timestamp("ns")), "HU_L1": [1.0]}), "HU_L1 is double"),
        (pa.table({"t": pa.array([0], pa.timestamp("ns")), "HU_L1": [[1.0]]}), "HU_L1 has lists of 1 values"),
    ],
)
def test_tables_that_are_none(made, words):
    with pytest.raises(InputError, match=words):
        assess({"10min": made}, **GIVEN)


def test_microseconds_and_times_without_a_zone():
    t = START.astype("datetime64[us]") + np.arange(1008) * np.timedelta64(600, "s")
    found = assess({"10min": pa.table({"t": t, "U_L1": np.full(1008, 230.0)})}, only=["U"], **GIVEN)
    assert found.verdict == "pass" and found.weeks[0]["start"] == "2026-03-02T00:00:00Z"


def test_directories(tmp_path):
    with pytest.raises(StoreError, match="no such directory"):
        assess(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=r"summary\.json is missing"):
        assess([tmp_path / "empty"])


def test_a_result_of_seconds(tmp_path):
    """From samples to the assessment, from memory and from the directory alike."""
    t = np.arange(12 * 3200) / 3200
    made = {f"U_L{k + 1}": 325.27 * np.sin(2 * np.pi * (50 * t - k / 3)) for k in range(3)}
    recording = ctmeter.Recording.from_arrays(made, sample_rate=3200.0, start="2026-03-02T00:00:00Z")
    measured = ctmeter.measure(recording, nominal_voltage=230.0, nominal_frequency=50.0)
    found = assess(measured)
    assert found.verdict == "insufficient-data" and found.weeks[0]["verdict"] == "insufficient-data"
    assert counts(row(found, "U", "L1")) == (0, 0, 0, 1008, "insufficient-data")
    assert row(found, "f")["N"] == 1 and found.data["dips"]["A1"] == 0
    measured.save(tmp_path / "r")
    stored = assess(tmp_path / "r").to_dict()
    assert {k: v for k, v in stored.items() if k != "site"} == {k: v for k, v in found.to_dict().items() if k != "site"}
    # another nominal voltage is said
    other = assess(measured, nominal_voltage=240.0)
    assert any("measured with 230" in note for note in other.data["notes"])
    plain = ctmeter.measure(recording, nominal_frequency=50.0)
    with pytest.raises(SettingsError, match="nominal_voltage: not given"):
        assess(plain)
    assert any(x["quantity"] is None for x in assess(plain, nominal_voltage=230.0).data["not_measured"])


def test_only_the_columns_that_matter_are_read(tmp_path, monkeypatch):
    from ctmeter.store.results import Tables

    u = 325.27 * np.sin(2 * np.pi * 50 * np.arange(32_000) / 3200)
    recording = ctmeter.Recording.from_arrays({"U_L1": u}, sample_rate=3200.0, start="2026-03-02T00:00:00Z")
    measured = ctmeter.measure(recording, nominal_voltage=230.0, nominal_frequency=50.0)
    measured.save(tmp_path / "r")
    monkeypatch.setattr(Tables, "__getitem__", lambda *_: pytest.fail("a whole table was read"))
    assert assess(tmp_path / "r").verdict == "insufficient-data"


def test_a_year_is_quick_and_small():
    """52 weeks of frequency and voltage: 3.1 million rows of ten seconds."""
    tables = week(weeks=52)
    tables["10min"] = tables["10min"].drop_columns([f"HU_{p}" for p in ("L1", "L2", "L3")])
    found = assess(tables, only=["f", "U", "Plt", "u2", "THD_U"], **GIVEN)
    assert found.verdict == "pass" and len(found.weeks) == 52
    assert found.data["years"][0]["parameters"][0]["N"] == 52 * 60_480


YEAR = """
import sys, threading, time
import ctmeter, ctmeter.en50160 as standard

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))

used, idle = [], anonymous()
threading.Thread(target=lambda: [used.append(anonymous()) or time.sleep(0.002) for _ in iter(int, 1)], daemon=True).start()
parts = [standard.read_table(sys.argv[1], "frequency")] if sys.argv[1].endswith("parquet") else sys.argv[1]
found = standard.assess([{"frequency": t} for t in parts] if isinstance(parts, list) else parts, nominal_voltage=230.0, nominal_frequency=50.0)
(row,) = found.data["years"][0]["parameters"]
print(max(used) - idle, row["N"], row["N1"], row["N_invalid"], row["percentiles"]["95"], row["verdict"])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no RssAnon")
@pytest.mark.parametrize("kind", ["directory", "file"])
def test_a_year_of_frequencies_in_little_memory(tmp_path, kind):
    """365 days of 10-s values: 25 MB of times, of values, and of what is sorted. 15 768 of 3 153 599 valid ones are beyond 1 %, that is 0.5 %."""
    n = 365 * 8640
    f, flags = np.full(n, 50.0), np.zeros(n, np.uint32)
    f[:15_768], f[-300_000:], flags[20_000] = 49.4, 50.2, INTERRUPTION
    made = table("frequency", n, f=f, flags=flags)
    if kind == "file":
        pq.write_table(made, tmp_path / "f.parquet", row_group_size=65_536)
    else:
        one = result(0, 365 * 24, "year")
        one.summary["program"] = {"name": "ctmeter"}
        with parquet_writer(tmp_path / "frequency.parquet", "frequency", made.schema) as writer:
            writer.write_table(made, 65_536)
        (tmp_path / "summary.json").write_text(json.dumps(one.summary))
    place = tmp_path / "f.parquet" if kind == "file" else tmp_path
    run = subprocess.run([sys.executable, "-c", YEAR, str(place)], capture_output=True, text=True, check=True)
    used, *said = run.stdout.split()
    # 0.5 % of 3 153 599 are 15 767.995
    assert said == ["3153599", "15768", "1", "50.2", "fail"]
    assert float(used) < 300


def test_two_halves_of_a_recording_are_the_whole():
    """Half an hour at 1.6 kHz whose voltage rises from 220 V to 240 V, in one and cut at 905 s."""
    t = np.arange(1800 * 1600) / 1600
    u = (220 + 20 * t / 1800) * 2**0.5 * np.sin(2 * np.pi * 50 * t)

    def measured(first, last):
        start = START + np.timedelta64(first, "s")
        recording = ctmeter.Recording.from_arrays({"U_L1": u[first * 1600 : last * 1600]}, sample_rate=1600.0, start=start)
        return ctmeter.measure(recording, nominal_voltage=230.0, nominal_frequency=50.0)

    whole, halves = (Site(open_parts(r), {}) for r in (measured(0, 1800), [measured(905, 1800), measured(0, 905)]))
    one, two = (s.series("10min", "U_L1") for s in (whole, halves))
    assert one.t.tolist() == two.t.tolist() and len(one.t) == 3
    # the mean square of a + b t over an interval, by hand
    edges = 220 + 20 * np.array([0, 600, 1200, 1800]) / 1800
    mean = np.sqrt((edges[1:] ** 3 - edges[:-1] ** 3) / (3 * np.diff(edges)))
    assert one.values == pytest.approx(mean, rel=1e-4) and two.values == pytest.approx(mean, rel=1e-4)
    assert not (two.flags & INCOMPLETE).any(), "a window at the cut is less than what an interval may lack"
    spectra = halves.spectra("10min", "HU_L1")
    assert spectra[2].shape == (3, 51) and spectra[2][1, 1] == pytest.approx(mean[1], rel=1e-4)
