"""`ctmeter en50160` and `ctmeter events`: options, output, exit codes."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from ctmeter.recording import Recording
from en50160.weeks import PHASES, event, harmonics, phases, table, week, with_events

GIVEN = ("--un", "230", "--fn", "50")


@pytest.fixture
def tables(tmp_path):
    """Writes tables and gives the options that name them."""

    def write(made):
        options = []
        for name, content in made.items():
            pq.write_table(content, tmp_path / f"{name}.parquet")
            options += ["--table", f"{name}={name}.parquet"]
        return options

    return write


def low(n):
    u = np.full(1008, 230.0)
    u[:n] = 204.0
    return u


def refused(run, code, *words):
    assert run.code == code and run.out == "", run
    assert run.err.startswith("ctmeter: ") and run.err.count("\n") == 1 and "Traceback" not in run.err
    assert all(w in run.err for w in words), run.err


@pytest.mark.parametrize(("n", "verdict", "code"), [(50, "pass", 0), (51, "fail", 5)])
def test_json_and_exit_code(ctmeter, tables, n, verdict, code):
    options = tables(week(**{"10min": {"U_L1": low(n)}}))
    run = ctmeter("en50160", *options, *GIVEN, "--json")
    assert run.code == 0 and run.err == "" and next(iter(run.json)) == "schema_version"
    assert run.json["verdict"] == verdict and run.json["edition"] == "2010" and run.json["level"] == "LV"
    keys = {"quantity", "phase", "order", "limit", "N", "N1", "N2", "N_invalid", "percentiles", "min", "max", "verdict"}
    assert all(keys <= set(p) for p in run.json["weeks"][0]["parameters"])
    assert {"dips", "swells", "interruptions", "coverage", "not_measured"} <= set(run.json)
    assert ctmeter("en50160", *options, *GIVEN, "-q", "--fail-on-violation")[:2] == (code, "")


def test_terminal(ctmeter, tables):
    made = with_events(
        week(**{"10min": {"U_L2": low(51), **phases("HU", harmonics(h5=3.0, h11=3.4))}}),
        event("dip", 100, 0.1, U_residual=115.0),
        event("interruption", 5000, 400.0, phases=PHASES, U_residual=1.0),
        event("rvc", 50, 1.0, dU_max=12.0),
    )
    run = ctmeter("en50160", *tables(made), *GIVEN)
    assert run.code == 0 and run.err == "" and "\x1b" not in run.out
    for words in (
        "✘ FAIL", "voltage L2", "✘ fail", "✔ pass", "51 of 1008 values beyond the limit for 95 %", "order 11 of L", "97 % of it", "C1 1",
        "dips 1, swells 0, interruptions 1 (0 short, to 3 min; 1 long)", "not measured: mains signalling (no signalling frequency)",
        "† numbers not checked against a source: rvc", "≤5 %† ≤10 %†", "±10 % -15/+10 %", "indicative",
    ):  # fmt: skip
        assert words in run.out, words
    # of the harmonics the nearest of each phase
    assert run.out.count("harmonic 11 ") == 3 and "harmonic 5 " not in run.out
    quiet = ctmeter("en50160", *tables(week(weeks=6)), *GIVEN)
    assert "✔ PASS" in quiet.out and quiet.out.count("✔ pass") >= 6 and "2026-04-06" in quiet.out


def test_what_cannot_be_counted_is_refused(ctmeter, tables, tmp_path):
    options = tables(week())
    (tmp_path / "e.csv").write_text("t,type,duration\n2026-03-02T00:00:00Z,dip,0.1\n2026-03-02T00:01:00Z,Sag,0.1\n")
    refused(ctmeter("en50160", *options, "--table", "events=e.csv", *GIVEN), 3, "e.csv", "row 2", "'sag'", "dip, swell, interruption")


def test_a_phase_that_was_not_measured_is_named(ctmeter, tables):
    made = week()
    made["10min"] = made["10min"].drop_columns(["HU_L3", "U_L2"])
    run = ctmeter("en50160", *tables(made), *GIVEN)
    assert "? INSUFFICIENT DATA" in run.out
    for words in ("not measured: supply voltage L2 (no values)", "not measured: harmonics L3 (no values)", "harmonics L3"):
        assert words in run.out, run.out


def test_options(ctmeter, tables, tmp_path):
    options = tables(week(**{"10min": {"U_L1": low(20)}}))
    (tmp_path / "own.toml").write_text("[LV.U]\nlimits = [{ share = 99, low = -10, high = 10 }]\n")
    run = ctmeter("en50160", *options, *GIVEN, "--limits", "own.toml", "--json")
    assert run.json["verdict"] == "fail" and run.json["limits"] == "own.toml"
    assert "limits of own.toml" in " ".join(ctmeter("en50160", *options, *GIVEN, "--limits", "own.toml").out.split())
    run = ctmeter("en50160", *options, *GIVEN, "--edition", "2022", "--level", "MV", "--only", "U, f", "--json")
    assert (run.json["edition"], run.json["level"], run.json["verdict"]) == ("2022", "MV", "fail")
    assert {p["quantity"] for p in run.json["weeks"][0]["parameters"]} == {"U", "f"}
    assert ctmeter("en50160", *options, *GIVEN, "--island", "--only", "U", "--json").json["weeks"][0]["parameters"][0]["limit"] is None
    assert len(ctmeter("en50160", *tables(week(weeks=2)), *GIVEN, "--only", "U", "--sliding", "--step", "12", "--json").json["weeks"]) == 15
    run = ctmeter("en50160", *options, *GIVEN, "--start", "2026-03-03T00:00:00Z", "--only", "U", "--json")
    assert run.json["weeks"][0]["start"] == "2026-03-03T00:00:00Z"


def test_a_csv_with_a_map(ctmeter, tmp_path):
    t = table("10min").column("t").to_numpy()
    lines = ["End;Urms A", *(f"{x + np.timedelta64(600, 's')};0,23" for x in t.astype("datetime64[s]"))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    run = ctmeter("en50160", "--table", "10min=a.csv", "--map", "t=End,U_L1=Urms A [kV]", "--stamp", "end", *GIVEN, "--only", "U", "--json")
    assert run.code == 0 and run.json["verdict"] == "pass", run.err
    assert run.json["weeks"][0]["start"] == "2026-03-02T00:00:00Z"
    refused(ctmeter("en50160", "--table", "10min=a.csv", "--map", "t=End,U_L1=Urms A", *GIVEN), 3, "a.csv", "U_L1 is 0.23", "230 V nominal")


def test_settings_from_toml_and_environment(ctmeter, tables, tmp_path, monkeypatch):
    options = tables({**week(), "3s": table("3s", **phases("MSV", 1.0))})
    settings = "nominal_voltage = 230\nnominal_frequency = 50\nsignalling_frequency = 175\n"
    (tmp_path / "c.toml").write_text(settings + 'edition = "2022"\nonly = "U,MSV"\n[map]\nt = "t"\n')
    run = ctmeter("en50160", *options, "--config", "c.toml", "--json")
    assert run.json["edition"] == "2022" and {p["quantity"] for p in run.json["weeks"][0]["parameters"]} == {"U", "MSV"}
    assert ctmeter("en50160", *options, "--config", "c.toml", "--edition", "2010", "--json").json["edition"] == "2010"
    monkeypatch.setenv("CTMETER_UN", "230")
    monkeypatch.setenv("CTMETER_NOMINAL_FREQUENCY", "50")
    monkeypatch.setenv("CTMETER_EDITION", "1999")
    run = ctmeter("en50160", *options, "--set", "signalling_frequency=1000", "--json")
    assert run.err == "" and run.json["edition"] == "1999" and run.json["site"]["signalling_frequency"] == 1000
    (tmp_path / "c.toml").write_text("edition = 2010\n")
    refused(ctmeter("en50160", *options, "--config", "c.toml"), 2, "edition: 2010 is not a text")


def test_a_short_recording(ctmeter, feeder):
    assert ctmeter("measure", feeder, *GIVEN, "-o", "r", "-q").code == 0
    run = ctmeter("en50160", "r", "--fail-on-violation")
    assert run.code == 0 and "? INSUFFICIENT DATA" in run.out and "of 1008 values are valid" in run.out
    json.loads(ctmeter("en50160", "r", "--json").out)


def test_bad_input(ctmeter, feeder, tables, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(ctmeter("en50160"), 2, "nothing to assess", "--table")
    refused(ctmeter("en50160", "none"), 3, "none", "no such directory")
    refused(ctmeter("en50160", "empty"), 3, "empty", "summary.json is missing")
    refused(ctmeter("en50160", "--table", "a.csv", *GIVEN), 2, "--table a.csv", "NAME=FILE")
    refused(ctmeter("en50160", "--table", "1min=a.csv", *GIVEN), 2, "'1min'")
    refused(ctmeter("en50160", "--table", "10min=a.csv", *GIVEN), 3, "a.csv", "No such file")
    options = tables(week())
    refused(ctmeter("en50160", *options), 2, "nominal_voltage: not given", "nominal_frequency")
    refused(ctmeter("en50160", *options, *GIVEN, "--edition", "2030"), 2, "2030")
    refused(ctmeter("en50160", *options, *GIVEN, "--limits", "none.toml"), 2, "none.toml", "No such file")
    refused(ctmeter("en50160", *options, *GIVEN, "--map", "U_L1"), 2, "map")
    ctmeter("measure", feeder, *GIVEN, "-o", "r", "-q")
    ctmeter("measure", feeder, "--un", "400", "--fn", "50", "-o", "s", "-q")
    refused(ctmeter("en50160", "r", "s"), 3, "different sites", "nominal_voltage")
    refused(ctmeter("en50160", "r", "r"), 3, "before r ends")


@pytest.fixture
def dipped(ctmeter, tmp_path):
    """A result with a dip to 60 % of all phases for ten cycles."""
    t = np.arange(3 * 6400) / 6400
    made = {f"U_L{k + 1}": 325.27 * np.sin(2 * np.pi * (50 * t - k / 3)) for k in range(3)}
    for u in made.values():
        u[6400:7680] *= 0.6
    Recording.from_arrays(made, sample_rate=6400, start="2026-03-02T00:00:00Z").write(tmp_path / "d.npz")
    assert ctmeter("measure", "d.npz", *GIVEN, "-o", "d", "-q").code == 0
    return "d"


def test_events_have_their_places(ctmeter, dipped):
    run = ctmeter("events", dipped, "--json")
    (one,) = run.json["events"]
    assert one["cell"] == "C2" and one["itic"] == "no-damage" and one["semi_f47"] == "below" and one["share"] == pytest.approx(60, abs=0.1)
    out = ctmeter("events", dipped).out
    assert "C2" in out and "no-damage" in out and "60.0 %" in out
    lines = ctmeter("events", dipped, "--csv").out.splitlines()
    assert lines[0].startswith("t,type,phases,duration [s],U_ref [V]") and len(lines) == 2 and ",dip,L1 L2 L3,0.2" in lines[1] and ",C2," in lines[1]
    refused(ctmeter("events", dipped, "--csv", "--json"), 2, "one of them")


def test_events_of_nothing(ctmeter, feeder):
    ctmeter("measure", feeder, "--fn", "50", "-o", "r", "-q")
    run = ctmeter("events", "r")
    assert run.code == 0 and "no events" in run.out and "not looked for" in run.err
    assert ctmeter("events", "r", "--csv").out.count("\n") == 1
