"""`ctmeter meter`: stores made, fed and looked at. The truth is that of the made recording: 230 V, 5 A, 60 degrees."""

import csv
import io
import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from ctmeter.meter import Meter
from ctmeter.recording import Recording

from .conftest import make_feeder

P, Q, S = 3 * 230 * 5 * 0.5, 3 * 230 * 5 * math.sqrt(0.75), 3 * 230 * 5
FS = 1600


def make(path, start, seconds):
    """The feeder at a low rate, for long recordings."""
    t = np.arange(round(seconds * FS)) / FS
    arrays = {}
    for k, n in enumerate(("L1", "L2", "L3")):
        angle = 2 * np.pi * 50 * t - k * 2 * np.pi / 3
        arrays[f"U_{n}"] = 230 * 2**0.5 * np.sin(angle)
        arrays[f"I_{n}"] = 5 * 2**0.5 * np.sin(angle - np.pi / 3)
    Recording.from_arrays(arrays, sample_rate=FS, start=start).write(path)
    return path


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """An hour less a second over the end of a month, and a store that was fed with it: ratio 40, Central European time."""
    folder = tmp_path_factory.mktemp("long")
    make(folder / "long.npz", "2026-03-31T21:30:00Z", 3599)
    config = {"ct_ratio": 40, "utc_offset": 1, "dst": "EU", "decimals": 2, "logger_2": "daily", "serial": "4711"}
    with Meter.create(folder / "m.db", config) as meter:
        meter.feed(folder / "long.npz")
    return folder


@pytest.fixture
def store(long, tmp_path):
    shutil.copy(long / "m.db", tmp_path / "m.db")
    return tmp_path / "m.db"


def wh(shown, code):
    return shown["registers"][code]["value"]


# --- create, feed, show ------------------------------------------------------------------------------------


def test_from_nothing_to_readings(ctmeter, feeder):
    run = ctmeter("meter", "create", "m.db")
    assert run.code == 0 and "3P4W" in run.out and run.err == ""
    run = ctmeter("meter", "feed", "m.db", feeder)
    assert run.code == 0 and run.out.startswith("feeder.cfg  fed  2026-03-02T00:00:00Z to 2026-03-02T00:00:00.999921875Z")
    shown = ctmeter("meter", "show", "m.db", "--json").json
    assert next(iter(shown)) == "schema_version" and set(shown) >= {"registers", "indicators", "clock", "ratio", "hash", "program"}
    assert wh(shown, "1-0:1.8.0") == pytest.approx(P / 3600, rel=1e-4) and wh(shown, "1-0:3.8.0") == pytest.approx(Q / 3600, rel=1e-4)
    assert wh(shown, "1-0:2.8.0") == 0 and shown["registers"]["1-0:1.8.0"]["unit"] == "Wh" and shown["registers"]["1-0:1.8.0"]["side"] == "secondary"
    assert shown["indicators"]["quadrant"] == 1 and shown["indicators"]["voltage"] == [True] * 3 and shown["ratio"]["value"] == 1
    out = ctmeter("meter", "show", "m.db").out
    # 1725 W for a second are 0.479166 Wh
    assert "1-0:1.8.0" in out and "0.000479 kWh" in out and "quadrant I" in out and "sequence 123" in out
    assert "\x1b" not in out and "1-0:21.8.0" not in out and "1-0:21.8.0" in ctmeter("meter", "show", "m.db", "--all").out


def test_codes_and_files_and_fields(ctmeter, tmp_path):
    (tmp_path / "c.toml").write_text('nominal_frequency = 50\n[meter]\nsite = "here"\nct_ratio = 20\n')
    run = ctmeter("meter", "create", "m.db", "--type", "68 51 1 3 5 C D 2 4 0 0 1 1 000", "--codes", "Z1=3 Z4=4", "--config", "c.toml",
                  "--set", "billing_interval=05", "--set", "display_auto=1.8.0,2.8.0", "--json")  # fmt: skip
    config = run.json["config"]
    assert run.code == 0 and (config["decimals"], config["period"], config["ct_ratio"], config["site"]) == (2, 60, 20, "here")
    assert config["billing_interval"] == "05" and config["display_auto"] == ["1.8.0", "2.8.0"] and len(run.json["hash"]["store"]) == 64


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--codes", "Z1=9 Z9=1"], ("Z1", "Z9")),
        (["--type", "68"], ("type_code",)),
        (["--set", "period=20", "--set", "ct_ratio=601"], ("period", "ct_ratio")),
        (["--set", "display_manual=1.8.0"], ("legal", "2.8.0", "0.4.2")),
        (["--set", "tariff_source=plan"], ("tariff_plan",)),
        (["--set", 'tariff_plan={seasons = [{working = {"25:00" = 1}}]}', "--set", "tariff_source=plan"], ("25:00",)),
        (["--set", "x"], ("NAME=VALUE",)),
        (["--config", "none.toml"], ("none.toml",)),
    ],
)
def test_a_faulty_configuration_leaves_no_store(ctmeter, tmp_path, args, words):
    run = ctmeter("meter", "create", "m.db", *args)
    assert run.code == 2 and all(w in run.err for w in words) and run.err.count("\n") == 1
    assert not (tmp_path / "m.db").exists()


def test_a_store_is_not_replaced(ctmeter, store):
    before = store.read_bytes()
    run = ctmeter("meter", "create", "m.db")
    assert run.code == 2 and "exists" in run.err and store.read_bytes() == before


def test_the_ratio_is_shown_on_the_side_asked_for(ctmeter, store):
    primary, secondary = (ctmeter("meter", "show", "m.db", "--json", *args).json["registers"]["1-0:1.8.0"] for args in ((), ("--side", "secondary")))
    assert (primary["side"], secondary["side"]) == ("primary", "secondary")
    assert primary["millijoules"] == 40 * secondary["millijoules"] and secondary["value"] == pytest.approx(P * 3599 / 3600, rel=1e-6)
    rows = list(csv.DictReader(io.StringIO(ctmeter("meter", "show", "m.db", "--csv").out)))
    assert [r["side"] for r in rows if r["obis"] == "1-0:1.8.0"] == ["primary", "secondary"]
    assert [r["obis"] for r in rows].count("1-0:32.7.0") == 1
    assert ctmeter("meter", "show", "m.db", "--side", "both").code == 2 and ctmeter("meter", "show", "m.db", "--csv", "--json").code == 2


def test_telegram(store):
    """3599 s at 1725 W and a ratio of 40 are 68.9808 kWh; the check is that of the standard."""
    run = subprocess.run([sys.executable, "-m", "ctmeter", "meter", "show", store, "--telegram"], capture_output=True, timeout=60)
    data = run.stdout
    assert run.returncode == 0 and data.startswith(b"/CTM5ctmeter\r\n\x021-0:1.8.0(00000") and b"1-0:1.8.0(0000068.98*kWh)\r\n" in data
    body = data[data.index(b"\x02") + 1 : data.index(b"\x03") + 1]
    check = 0
    for byte in body:
        check ^= byte
    assert data[-1] == check and len(data) == data.index(b"\x03") + 2


def test_a_second_time_is_a_duplicate(ctmeter, feeder):
    ctmeter("meter", "create", "m.db")
    ctmeter("meter", "feed", "m.db", feeder)
    first = ctmeter("meter", "show", "m.db", "--json").json
    run = ctmeter("meter", "feed", "m.db", feeder, "--json")
    assert run.code == 0 and [r["status"] for r in run.json["results"]] == ["duplicate"] and run.json["failures"] == []
    assert ctmeter("meter", "show", "m.db", "--json").json["registers"] == first["registers"]


def test_some_bad_recordings_are_partial(ctmeter, feeder, tmp_path):
    ctmeter("meter", "create", "m.db")
    (tmp_path / "x.csv").write_text("hello\n")
    run = ctmeter("meter", "feed", "m.db", "none.cfg", feeder, "x.csv", "--json")
    assert run.code == 4 and [r["status"] for r in run.json["results"]] == ["fed"]
    assert {f["path"] for f in run.json["failures"]} == {"none.cfg", "x.csv"} and all(f["reason"] for f in run.json["failures"])
    assert "2 of 3 recordings failed" in run.err
    run = ctmeter("meter", "feed", "m.db", "none.cfg", "x.csv")
    assert run.code == 3 and "none.cfg" in run.err and "x.csv" in run.err
    assert ctmeter("meter", "feed", "m.db", "none.cfg").code == 3
    # its time is in: what overlaps is rejected, and named
    other = make_feeder(tmp_path / "other.cfg", seconds=0.5)
    run = ctmeter("meter", "feed", "m.db", other)
    assert run.code == 3 and "other.cfg" in run.err and "overlap" in run.err


def test_usage(ctmeter, feeder):
    ctmeter("meter", "create", "m.db")
    for args in (["m.db"], ["m.db", feeder, "--start", "soon"], ["m.db", feeder, feeder, "--start", "2026-01-01T00:00:00Z"],
                 ["m.db", feeder, "--every", "0"], ["m.db", feeder, "--ct", "a/b"], ["m.db", feeder, "--map", "U_L1=nothing"]):  # fmt: skip
        run = ctmeter("meter", "feed", *args)
        assert run.code == 2 and run.err.count("\n") == 1, (args, run.err)
    assert ctmeter("meter", "feed", "none.db", feeder).code == 3
    assert ctmeter("meter").code == 2 and "feed" in ctmeter("meter", "--help").out


def test_channels_without_energy_are_refused(ctmeter, tmp_path):
    t = np.arange(6400) / 6400
    Recording.from_arrays({"U_L1": 325 * np.sin(2 * np.pi * 50 * t)}, sample_rate=6400, start="2026-01-01T00:00:00Z").write(tmp_path / "u.npz")
    ctmeter("meter", "create", "m.db")
    run = ctmeter("meter", "feed", "m.db", "u.npz")
    assert run.code == 3 and "no energy" in run.err and "u.npz" in run.err
    assert ctmeter("meter", "loggers", "m.db", "--which", "events", "--json").json["rows"] == []


def test_recordings_without_a_clock(ctmeter, tmp_path):
    t = np.arange(6400) / 6400
    wave = np.sin(2 * np.pi * 50 * t)
    for k in (1, 2):
        Recording.from_arrays({"U_L1": 325 * wave, "I_L1": k * wave}, sample_rate=6400).write(tmp_path / f"{k}.npz")
    ctmeter("meter", "create", "m.db", "--set", "wiring=1P2W")
    assert "--start" in ctmeter("meter", "feed", "m.db", "1.npz").err
    assert ctmeter("meter", "feed", "m.db", "1.npz", "--start", "2026-01-01T00:00:00Z").code == 0
    run = ctmeter("meter", "feed", "m.db", "2.npz", "--start", "next", "--json")
    assert run.code == 0 and run.json["results"][0]["start"] == "2026-01-01T00:00:01Z"
    # 162.5 and 325 W for a second each, but for a millijoule that is not whole
    shown = ctmeter("meter", "show", "m.db", "--json").json
    assert wh(shown, "1-0:1.8.0") == pytest.approx((162.5 + 325) / 3600, abs=1.01 / 3.6e6)


def test_transformers_of_the_recording(ctmeter, feeder):
    """Primary values in the file, through 200/5, are a fortieth in the registers, and all of it again on the primary side."""
    ctmeter("meter", "create", "m.db", "--codes", "Z21=040")
    assert ctmeter("meter", "feed", "m.db", feeder, "--ct", "200/5", "--fn", "50").code == 0
    shown = ctmeter("meter", "show", "m.db", "--json").json
    assert wh(shown, "1-0:1.8.0") == pytest.approx(P / 3600, rel=1e-4)
    shown = ctmeter("meter", "show", "m.db", "--json", "--side", "secondary").json
    assert wh(shown, "1-0:1.8.0") == pytest.approx(P / 3600 / 40, rel=1e-4)


def test_options_in_toml_and_environment(ctmeter, feeder, tmp_path, monkeypatch):
    (tmp_path / "c.toml").write_text('nominal_voltage = 230\nct_ratio = "200/5"\njson = true\n[meter]\nct_ratio = 40\n')
    monkeypatch.setenv("CTMETER_METER_CONFIG", "c.toml")
    assert ctmeter("meter", "create", "m.db").code == 0
    run = ctmeter("meter", "feed", "m.db", feeder, "--config", "c.toml")
    assert run.code == 0 and run.json["results"][0]["status"] == "fed"
    monkeypatch.setenv("CTMETER_LIST", "manual")
    (tmp_path / "d.toml").write_text('json = true\nlist = "auto"\n')
    assert ctmeter("meter", "display", "m.db", "--config", "d.toml").json["frames"][0]["mode"] == "manual"
    monkeypatch.delenv("CTMETER_LIST")
    assert ctmeter("meter", "display", "m.db", "--config", "d.toml").json["frames"][0]["mode"] == "automatic"
    (tmp_path / "e.toml").write_text("wirring = 1\n")
    run = ctmeter("meter", "feed", "m.db", feeder, "--config", "e.toml")
    assert run.code == 2 and "wiring?" in run.err


# --- events beside the recordings --------------------------------------------------------------------------


def test_events_beside_the_recordings(ctmeter, feeder, tmp_path):
    text = "# what the inspector wrote\ntime,kind,value\n2026-03-02T01:00:00.4+01:00,tamper-cover,begin\n2026-03-02T00:00:00.6Z,tamper-cover,end\n"
    (tmp_path / "e.csv").write_text(text + "2026-03-02T00:00:00.5Z,billing-stop\n")
    ctmeter("meter", "create", "m.db")
    assert ctmeter("meter", "feed", "m.db", feeder, "--events", "e.csv").code == 0
    rows = ctmeter("meter", "loggers", "m.db", "--which", "events", "--json").json["rows"]
    found = [(r["t"], r["edge"]) for r in rows if r["kind"] == "tamper-cover"]
    assert found == [("2026-03-02T00:00:00.400Z", "begin"), ("2026-03-02T00:00:00.600Z", "end")]
    assert ctmeter("meter", "show", "m.db", "--json").json["indicators"]["tamper"] == "permanent"
    (row,) = ctmeter("meter", "loggers", "m.db", "--which", "billing", "--json").json["rows"]
    # half a second, and half a sample more, as the first one stands in the middle of its interval
    assert row["cause"] == "billing-stop" and row["A+"] == pytest.approx(P * (0.5 + 0.5 / 6400) / 3600, rel=1e-4)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("2026-03-02T00:00:00Z,nonsense,1", "nonsense"),
        ("2026-03-02 00:00,tamper-cover,begin", "zone"),
        ("yesterday,tamper-cover,begin", "ISO 8601"),
        ("2026-03-02T00:00:00Z,tamper-cover,2", "tamper-cover"),
        ("2026-03-02T00:00:00Z,tariff,2", "tariff_source"),
        ("2026-03-02T00:00:00Z,alarm,begin", "alarm_input"),
        ("2026-03-02T00:00:00Z,pulse,0", "pulses"),
        ("2026-03-02T00:00:00Z,pulse,1,2", "4 values"),
        ("2026-03-02T00:00:00Z", "1 values"),
        ('2026-03-02T00:00:00Z,"tariff', "CSV"),
    ],
)
def test_bad_lines_are_named(ctmeter, feeder, tmp_path, line, word):
    (tmp_path / "e.csv").write_text(f"time,kind,value\n{line}\n")
    ctmeter("meter", "create", "m.db")
    run = ctmeter("meter", "feed", "m.db", feeder, "--events", "e.csv")
    assert run.code == 3 and "e.csv, line 2" in run.err and word in run.err and run.err.count("\n") == 1
    assert ctmeter("meter", "show", "m.db", "--json").json["clock"]["utc"] is None, "nothing was fed"


@pytest.mark.parametrize(("content", "word"), [(b"", "no lines"), (b"a,b\n", "line 1"), (b"\xff\xfe", "UTF-8"), (None, "cannot be read")])
def test_bad_event_files(ctmeter, feeder, tmp_path, content, word):
    if content is not None:
        (tmp_path / "e.csv").write_bytes(content)
    ctmeter("meter", "create", "m.db")
    run = ctmeter("meter", "feed", "m.db", feeder, "--events", "e.csv")
    assert run.code == 3 and "e.csv" in run.err and word in run.err


# --- display -------------------------------------------------------------------------------------------------


@pytest.mark.feature("B1", "B2", "B16", "B18")
def test_display(ctmeter, store):
    frames = ctmeter("meter", "display", "m.db", "--json").json["frames"]
    assert [f["obis"] for f in frames] == ["1.8.0", "2.8.0", "3.8.0", "4.8.0"]
    assert (frames[0]["value"], frames[0]["unit"], frames[0]["side"], frames[0]["serial"]) == ("0000068.98", "kWh", "primary", "4711")
    # Q is 2987.788 var: 119.4783 kvarh
    assert frames[2]["value"] == "0000119.47"
    for seconds, code in ((0, "1.8.0"), (9.9, "1.8.0"), (10, "2.8.0"), (35, "4.8.0"), (40, "1.8.0")):
        (frame,) = ctmeter("meter", "display", "m.db", "--seconds", seconds, "--json").json["frames"]
        assert frame["obis"] == code
    picture = ctmeter("meter", "display", "m.db", "--list", "manual", "--page", "5").out
    assert len(picture.splitlines()) == 11 and "manual 5/" in picture and "SEC" in picture, "the secondary total, 1.8.0s"
    (dark,) = ctmeter("meter", "display", "m.db", "--list", "backup", "--page", 1, "--json").json["frames"]
    assert dark["indicators"]["quadrant"] is None and dark["value"] == "0000068.98"
    for args in (["--list", "both"], ["--page", "1", "--seconds", "1"]):
        assert ctmeter("meter", "display", "m.db", *args).code == 2
    for args in (["--page", "0"], ["--page", "5"], ["--seconds", "-1"]):
        run = ctmeter("meter", "display", "m.db", *args)
        assert run.code == 3 and run.err.count("\n") == 1


def test_past_periods_on_the_display(ctmeter, store):
    """The month ended at 22:00 UTC, half an hour after the start: 34.5 kWh; its stop is number 1 and the last one."""
    assert ctmeter("meter", "configure", "m.db", "display_backup=1.8.0*01,1.8.0*101,1.8.0*02").code == 0
    values = [f["value"] for f in ctmeter("meter", "display", "m.db", "--list", "backup", "--json").json["frames"]]
    assert values == ["0000034.50", "0000034.50", ""]


# --- profile, loggers, pulses ----------------------------------------------------------------------------------


def test_profile(ctmeter, store, tmp_path):
    out = ctmeter("meter", "profile", "m.db", "--json").json
    assert (out["side"], out["values"], out["period_min"]) == ("primary", "absolute", 15)
    assert {c["name"]: c.get("unit") for c in out["columns"]}["A+"] == "Wh"
    # the last quarter is not over yet
    assert [r["t"] for r in out["rows"]] == [f"2026-03-31T{t}:00Z" for t in ("21:45", "22:00", "22:15")]
    assert [r["t_local"] for r in out["rows"]] == [f"2026-0{d}:00+02:00" for d in ("3-31T23:45", "4-01T00:00", "4-01T00:15")]
    quarter = 40 * P / 4
    assert [r["A+"] for r in out["rows"]] == pytest.approx([quarter * k for k in (1, 2, 3)], rel=1e-5)
    rows = list(csv.reader(io.StringIO(ctmeter("meter", "profile", "m.db", "--csv", "--values", "delta").out)))
    assert rows[0][:3] == ["t", "t_local", "start"] and "A+ [Wh]" in rows[0] and "R+ [varh]" in rows[0]
    assert [float(r[rows[0].index("A+ [Wh]")]) for r in rows[2:]] == pytest.approx([quarter, quarter], rel=1e-9)
    run = ctmeter("meter", "profile", "m.db", "--json", "--from", "2026-04-01T00:00+02:00", "--to", "2026-03-31T22:15Z")
    assert [r["t"] for r in run.json["rows"]] == ["2026-03-31T22:00:00Z"]
    assert ctmeter("meter", "profile", "m.db", "--parquet", "p.parquet").code == 0
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.num_rows == 3 and table.schema.field("A+").metadata == {b"unit": b"Wh", b"side": b"primary"}
    assert str(table.schema.field("t").type) == "timestamp[ns, tz=UTC]"
    assert ctmeter("meter", "profile", "m.db", "--parquet", "p.parquet").code == 2
    assert ctmeter("meter", "profile", "m.db", "--parquet", "p.parquet", "--force", "-q").code == 0
    out = ctmeter("meter", "profile", "m.db").out
    assert "R+ [varh]" in out and "2026-04-01T00:00:00+02:00" in out
    for args in (["--from", "x"], ["--from", "2026-01-02", "--to", "2026-01-01"], ["--values", "x"], ["--csv", "--json"]):
        assert ctmeter("meter", "profile", "m.db", *args).code == 2


def test_loggers(ctmeter, store):
    overview = {r["logger"]: r["rows"] for r in ctmeter("meter", "loggers", "m.db", "--json").json["loggers"]}
    assert overview == {"profile": 3, "billing": 1, "logger2": 1, "analysis": 3, "events": 0, "audit": 2}
    (row,) = ctmeter("meter", "loggers", "m.db", "--which", "billing", "--json").json["rows"]
    assert row["t_local"] == "2026-04-01T00:00:00+02:00" and row["stop"] == 1 and row["ratio"] == 40
    assert row["A+"] == pytest.approx(40 * P / 2, rel=1e-5) and row["hours"] == pytest.approx(0.5, abs=1e-6)
    # the first period lacks nothing but half a sample: its mean power counts; it comes first
    assert row["P+max"] == pytest.approx(40 * P, rel=1e-5) and row["P+max RTC"] == "2026-03-31T21:45:00Z"
    rows = ctmeter("meter", "loggers", "m.db", "--which", "analysis", "--json").json["rows"]
    assert [r["U_L2"] for r in rows] == pytest.approx([230] * 3, rel=1e-6) and [r["P+"] for r in rows] == pytest.approx([P] * 3, rel=1e-6)
    header = ctmeter("meter", "loggers", "m.db", "--which", "analysis", "--csv").out.splitlines()[0]
    assert "P+ [W]" in header and "I_L1 [A]" in header
    actions = [r["action"] for r in ctmeter("meter", "loggers", "m.db", "--which", "audit", "--json").json["rows"]]
    assert actions == ["create", "feed"]
    for name in ("billing", "logger2", "analysis", "events", "audit"):
        assert ctmeter("meter", "loggers", "m.db", "--which", name).code == 0
    assert "nothing-such" in ctmeter("meter", "loggers", "m.db", "--which", "nothing-such").err
    assert ctmeter("meter", "loggers", "m.db", "--csv").code == 2


def test_pulses(ctmeter, store, tmp_path):
    trains = {t["stream"]: t for t in ctmeter("meter", "pulses", "m.db", "--json").json["streams"]}
    assert set(trains) == {"led-active", "led-reactive", "s0"}
    # at 1.725 kW and 2.987788 kvar of the secondary side, and 10000 and 5000 pulses for each kWh or kvarh
    assert abs(trains["led-active"]["count"] - 17250 * 3599 / 3600) <= 1 and abs(trains["s0"]["count"] - 8625 * 3599 / 3600) <= 1
    assert abs(trains["led-reactive"]["count"] - 29877.88 * 3599 / 3600) <= 1 and trains["s0"]["lost"] == 0
    (one,) = ctmeter("meter", "pulses", "m.db", "--stream", "s0", "--json").json["streams"]
    times = np.array([t.removesuffix("Z") for t in one["t"]], "datetime64[ns]").astype(np.int64)
    assert len(times) == one["count"] and (np.diff(times) > 0).all()
    # one for each 0.2 Wh: 720/1725 s apart, but for the ripple of the samples
    assert np.diff(times).mean() == pytest.approx(720 / 1725 * 1e9, rel=1e-4)
    rows = ctmeter("meter", "pulses", "m.db", "--csv").out.splitlines()
    assert rows[0] == "stream,t" and len(rows) == 1 + sum(t["count"] for t in trains.values())
    assert ctmeter("meter", "pulses", "m.db", "--stream", "s0", "--parquet", "s0.parquet").code == 0
    assert pq.read_table(tmp_path / "s0.parquet").num_rows == one["count"]
    assert "led-reactive" in ctmeter("meter", "pulses", "m.db").out
    run = ctmeter("meter", "pulses", "m.db", "--stream", "s1")
    assert run.code == 2 and "led-active" in run.err


# --- ratio and configuration -------------------------------------------------------------------------------------


@pytest.mark.feature("Z21", "Z22")
def test_ratio(ctmeter, store, long):
    before = ctmeter("meter", "show", "m.db", "--json").json
    run = ctmeter("meter", "ratio", "m.db", "300/5", "--reason", "new transformers", "--json")
    assert run.code == 0 and [e["ratio"] for e in run.json["ratio"]["epochs"]] == [40, 60]
    after = ctmeter("meter", "show", "m.db", "--json").json
    assert after["ratio"]["value"] == 60 and wh(after, "1-0:1.8.0") == wh(before, "1-0:1.8.0"), "what was registered stands"
    assert "the beginning" in ctmeter("meter", "ratio", "m.db").out
    run = ctmeter("meter", "ratio", "m.db", "100", "--at", "2026-05-01T00:00:00Z", "--json")
    assert run.json["ratio"]["ordered"] == [{"t": "2026-05-01T00:00:00Z", "ratio": 100}] and run.json["ratio"]["value"] == 60
    for args in (["601"], ["0"], ["x"], ["50", "--at", "2020-01-01T00:00:00Z"], ["50", "--at", "soon"], ["--at", "2026-05-01T00:00:00Z"]):
        run = ctmeter("meter", "ratio", "m.db", *args)
        assert run.code == 2 and run.err.count("\n") == 1, args
    assert ctmeter("meter", "configure", "m.db", "ratio_locked=true").code == 0
    run = ctmeter("meter", "ratio", "m.db", "50")
    assert run.code == 2 and "locked" in run.err
    assert "ratio refused" in [r["action"] for r in ctmeter("meter", "loggers", "m.db", "--which", "audit", "--json").json["rows"]]
    assert ctmeter("meter", "configure", "m.db", "ratio_locked=false").code == 2


@pytest.mark.feature("D3", "D4")
def test_configure(ctmeter, store):
    run = ctmeter("meter", "configure", "m.db", "text=hello", "billing_day=3", "display_auto=1.8.0,1.8.0s", "--reason", "by hand")
    assert run.code == 0 and "text: none -> hello" in run.out and "billing_day: 1 -> 3" in run.out
    assert [f["side"] for f in ctmeter("meter", "display", "m.db", "--json").json["frames"]] == ["primary", "secondary"]
    (row,) = ctmeter("meter", "loggers", "m.db", "--which", "events", "--json").json["rows"]
    detail = json.loads(row["detail"])
    assert row["kind"] == "configuration" and detail["changes"]["text"] == {"old": "", "new": "hello"} and detail["reason"] == "by hand"
    assert ctmeter("meter", "configure", "m.db", "text=hello").out == "nothing to change\n"
    before = ctmeter("config", "show", "--meter", "m.db", "--json").json["settings"]
    for change, word in (
        ("p_creep=5", "legally"),
        ("summation=absolute", "legally"),
        ("ct_ratio=2", "ratio"),
        ("tekst=x", "text?"),
        ("billing_day=29", "29"),
        ("display_manual=1.8.0", "legal reading"),
        ("analysis_registers=U_L9", "U_L9"),
    ):
        run = ctmeter("meter", "configure", "m.db", change)
        assert run.code == 2 and word in run.err and run.err.count("\n") == 1, change
    assert ctmeter("config", "show", "--meter", "m.db", "--json").json["settings"] == before
    trail = ctmeter("meter", "loggers", "m.db", "--which", "audit", "--json").json["rows"]
    refused = [json.loads(r["detail"])["changes"] for r in trail if r["action"] == "configuration refused"]
    assert {"p_creep": 5} in refused and {"summation": "absolute"} in refused and {"ct_ratio": 2} in refused
    assert ctmeter("meter", "check", "m.db").code == 0


@pytest.mark.feature("F6")
def test_a_profile_that_cannot_go_on_is_archived(ctmeter, store, tmp_path, long):
    run = ctmeter("meter", "configure", "m.db", "period=30")
    assert run.code == 2 and "3 of 3 rows of profile" in run.err
    run = ctmeter("meter", "configure", "m.db", "period=30", "--archive-old", "--json")
    (path,) = run.json["archives"]
    old = pq.read_table(path)
    assert run.code == 0 and os.path.dirname(path) == str(tmp_path) and old.num_rows == 3
    assert old.column("A+").to_pylist() == pytest.approx([10 * P * k for k in (1, 2, 3)], rel=1e-5)
    assert ctmeter("meter", "profile", "m.db", "--json").json["rows"] == []
    (row,) = ctmeter("meter", "loggers", "m.db", "--which", "events", "--json").json["rows"]
    assert json.loads(row["detail"])["archives"] == [os.path.basename(path)]
    make(tmp_path / "next.npz", "2026-03-31T22:30:00Z", 1801)
    assert ctmeter("meter", "feed", "m.db", "next.npz").code == 0
    (row,) = ctmeter("meter", "profile", "m.db", "--json").json["rows"]
    assert row["t"] == "2026-03-31T23:00:00Z" and row["A+"] == pytest.approx(40 * P * (3599 / 3600 + 0.5), rel=1e-5)
    assert ctmeter("meter", "check", "m.db").code == 0
    # a ring that is too small for what it holds drops nothing either
    assert "1 of 3 rows of analysis" not in run.err
    assert ctmeter("meter", "configure", "m.db", "analysis_registers=U_L1,P+").code == 2
    run = ctmeter("meter", "configure", "m.db", "analysis_registers=U_L1,P+", "--archive-old", "--json")
    assert run.code == 0 and "analysis" in run.json["archives"][0]


# --- check, export, configuration files --------------------------------------------------------------------------


def test_check(ctmeter, store):
    run = ctmeter("meter", "check", "m.db", "--json")
    assert run.code == 0 and run.json["ok"] is True and run.json["findings"] == [] and next(iter(run.json)) == "schema_version"
    assert ctmeter("meter", "check", "m.db").out.startswith("m.db: ok, ")
    with sqlite3.connect(store) as db:
        db.execute('UPDATE profile SET "A_plus" = "A_plus" + 1 WHERE seq = 2')
    db.close()
    run = ctmeter("meter", "check", "m.db", "--json")
    assert run.code == 6 and run.json["ok"] is False and "profile" in run.json["findings"][0]["place"] and run.json["findings"][0]["legal"] is True
    run = ctmeter("meter", "check", "m.db")
    assert run.code == 6 and "profile" in run.err and "Traceback" not in run.err


def test_check_of_what_is_no_store(ctmeter, store, tmp_path):
    data = bytearray(store.read_bytes())
    data[68:72] = b"\0\0\0\0"
    store.write_bytes(data)
    run = ctmeter("meter", "check", "m.db", "--json")
    assert run.code == 6 and run.json["ok"] is False
    assert ctmeter("meter", "check", "none.db").code == 3
    (tmp_path / "x.db").write_text("hello")
    assert ctmeter("meter", "check", "x.db").code == 6
    for command in ("show", "display", "profile", "loggers", "pulses", "ratio"):
        run = ctmeter("meter", command, "x.db")
        assert run.code == 6 and run.err.count("\n") == 1 and "Traceback" not in run.err


@pytest.mark.feature("A7")
def test_export(ctmeter, store, tmp_path):
    assert ctmeter("meter", "export", "m.db", "-o", "out").code == 0
    out = tmp_path / "out"
    shown = json.loads((out / "readings.json").read_text())
    assert shown["registers"] == ctmeter("meter", "show", "m.db", "--json").json["registers"]
    assert shown["hash"]["store"] in ctmeter("meter", "check", "m.db").out
    assert json.loads((out / "check.json").read_text()) == {"ok": True, "findings": []}
    assert json.loads((out / "config.json").read_text())["ct_ratio"] == 40
    assert "1-0:1.8.0(0000068.98*kWh)" in (out / "readout.txt").read_text()
    tables = ["registers", "profile", "profile-delta", "billing", "logger2", "analysis", "events", "ratios", "pulses", "recordings", "audit"]
    for name in tables:
        table = pq.read_table(out / f"{name}.parquet")
        with open(out / f"{name}.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert len(rows) == table.num_rows + 1 and len(rows[0]) == table.num_columns, name
        assert [h.split(" [")[0] for h in rows[0]] == table.column_names
        assert name in (out / "README.txt").read_text()
    assert {p.name for p in out.iterdir()} == {f"{t}.{e}" for t in tables for e in ("csv", "parquet")} | {
        "README.txt", "readings.json", "readings.csv", "readout.txt", "config.json", "check.json",
    }  # fmt: skip
    registers = pq.read_table(out / "registers.parquet").to_pylist()
    total = {r["name"]: r["secondary"] for r in registers}
    assert total["A+"] == shown["registers"]["1-0:1.8.0"]["millijoules"] // 40
    assert ctmeter("meter", "export", "m.db", "-o", "out").code == 2
    (out / "mine.txt").write_text("keep")
    assert ctmeter("meter", "export", "m.db", "-o", "out", "--force", "--json").code == 0 and (out / "mine.txt").read_text() == "keep"
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".partial")] == []
    assert ctmeter("meter", "export", "none.db", "-o", "other").code == 3 and not (tmp_path / "other").exists()


def test_meter_configurations_are_checked_and_shown(ctmeter, store, tmp_path):
    (tmp_path / "both.toml").write_text('nominal_voltage = 230\n[meter]\nperiod = 30\nsoftware_codes = "Z1=2"\n')
    (tmp_path / "bare.toml").write_text("period = 30\n")
    (tmp_path / "bad.toml").write_text('nominal_voltage = 230\n[meter]\nperiod = 31\ndisplay_manual = ["1.8.0"]\n')
    (tmp_path / "legal.toml").write_text('[meter]\ndisplay_manual = ["1.8.0"]\n')
    assert ctmeter("config", "check", "both.toml").code == 0 and ctmeter("config", "check", "bare.toml").code == 2
    assert ctmeter("config", "check", "--meter", "both.toml", "bare.toml").code == 0
    run = ctmeter("config", "check", "bad.toml", "legal.toml")
    assert run.code == 2 and "bad.toml: period" in run.err and "legal.toml: display_manual: 2.8.0" in run.err
    shown = ctmeter("config", "show", "--meter", "both.toml", "--json").json
    assert (shown["settings"]["period"], shown["settings"]["decimals"]) == (30, 1)
    assert (shown["origin"]["period"], shown["origin"]["decimals"], shown["origin"]["site"]) == ("both.toml", "follows", "default")
    out = ctmeter("config", "show", "--meter", "m.db").out
    assert "ct_ratio = 40" in out and 'dst = "EU"' in out
    (tmp_path / "again.toml").write_text(out)
    assert ctmeter("config", "check", "--meter", "again.toml").code == 0
    assert ctmeter("meter", "create", "again.db", "--config", "again.toml").code == 0
    assert ctmeter("config", "show", "--meter", "none.toml").code == 2 and ctmeter("config", "show", "--meter").code == 0
    # a file of both kinds still says how to measure
    assert ctmeter("config", "show", "--config", "both.toml", "--json").json["settings"]["nominal_voltage"] == 230


# --- several programs at once, interruptions ---------------------------------------------------------------------


def test_one_writes_and_others_read(ctmeter, store):
    with Meter.open(store):
        for command in ("show", "display", "profile", "loggers", "pulses", "ratio", "check"):
            assert ctmeter("meter", command, "m.db", "--json").code == 0, command
        assert ctmeter("meter", "export", "m.db", "-o", "out").code == 0
        run = ctmeter("meter", "configure", "m.db", "text=x")
        assert run.code == 6 and str(os.getpid()) in run.err and run.err.count("\n") == 1
    assert ctmeter("meter", "configure", "m.db", "text=x").code == 0


def test_interrupted_and_fed_again(long, tmp_path):
    """SIGINT after the first commits: 130, what was committed stands, and feeding again ends as if nothing had been."""
    command = [sys.executable, "-m", "ctmeter", "meter"]
    config = ["--set", "ct_ratio=40"]
    for name in ("whole.db", "cut.db"):
        subprocess.run([*command, "create", tmp_path / name, "-q", *config], check=True, timeout=60)
    subprocess.run([*command, "feed", tmp_path / "whole.db", long / "long.npz", "-q", "--every", "20"], check=True, timeout=120)
    feed = [*command, "feed", tmp_path / "cut.db", long / "long.npz", "--every", "20"]
    with subprocess.Popen(feed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while run.poll() is None and time.monotonic() < deadline:
            with Meter.open(tmp_path / "cut.db", readonly=True) as meter:
                if meter.ledger.last_commit[0] > 4:
                    break
            time.sleep(0.005)
        assert run.poll() is None, "it was over before it could be interrupted"
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert run.returncode == 130 and out == "" and err.count("\n") == 1 and "feeding the same again" in err
    with Meter.open(tmp_path / "cut.db", readonly=True) as meter:
        stopped = meter.machine.now_ns
        assert meter.check() == []
    run = subprocess.run([*feed, "--json"], capture_output=True, text=True, timeout=120)
    (result,) = json.loads(run.stdout)["results"]
    assert run.returncode == 0 and result["status"] == "resumed"
    with Meter.open(tmp_path / "cut.db", readonly=True) as cut, Meter.open(tmp_path / "whole.db", readonly=True) as whole:
        assert cut.machine.now_ns == whole.machine.now_ns > stopped
        assert cut.ledger.content_hash() == whole.ledger.content_hash()


def test_help_does_without_numpy():
    code = (
        "import sys\nfrom ctmeter.cli.main import main\nsys.argv = ['ctmeter', 'meter', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    print(sorted({'numpy', 'pyarrow', 'rich', 'sqlite3'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines()[-1] == "[]", run.stdout[-300:] + run.stderr


def test_a_recording_is_given_up(ctmeter, long, feeder):
    """One that was begun blocks the next one, until it is given up."""
    ctmeter("meter", "create", "m.db")

    def stop(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with Meter.open("m.db") as meter, pytest.raises(KeyboardInterrupt):
        meter.feed(long / "long.npz", every_s=60.0, progress=stop)
    run = ctmeter("meter", "feed", "m.db", feeder, "--start", "2026-05-01T00:00:00Z")
    assert run.code == 6 and "long.npz was begun" in run.err and "abandon" in run.err
    run = ctmeter("meter", "feed", "m.db", feeder, "--start", "2026-05-01T00:00:00Z", "--abandon")
    assert run.code == 0 and "long.npz was given up" in run.err and "fed" in run.out
    assert "nothing to give up" in ctmeter("meter", "feed", "m.db", "--abandon").err
    assert ctmeter("meter", "feed", "m.db", long / "long.npz", "--json").json["results"][0]["status"] == "duplicate"
