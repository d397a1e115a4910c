"""Commands and what they write; the truth is that of the made recording: 230 V, 5 A, 60 degrees."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ctmeter.recording import Recording

from .conftest import make_feeder

GIVEN = ("--un", "230", "--fn", "50")
P = 3 * 230 * 5 * 0.5


def test_help_names_every_command(ctmeter):
    run = ctmeter("--help")
    assert run.code == 0
    for name in ("info", "measure", "convert", "events", "en50160", "report", "synth", "meter", "config", "completion"):
        assert name in run.out
        assert ctmeter(name, "--help").code == 0


def test_version(ctmeter):
    run = ctmeter("--version")
    assert run.code == 0 and run.out.startswith("ctmeter ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(ctmeter, shell):
    run = ctmeter("completion", shell)
    assert run.code == 0 and "_CTMETER_COMPLETE" in run.out


def test_measure_writes_a_result_and_a_summary(ctmeter, feeder, tmp_path):
    run = ctmeter("measure", feeder, *GIVEN)
    assert run.code == 0 and run.err == ""
    assert "230.00 V" in run.out and "0.50000" in run.out and "feeder.ctmeter" in run.out
    assert max(len(line) for line in run.out.splitlines() if "results in" not in line) <= 80
    assert "\x1b" not in run.out
    names = {p.name for p in (tmp_path / "feeder.ctmeter").iterdir()}
    tables = {f"{t}.parquet" for t in ("basic", "3s", "10min", "2h", "frequency", "events")}
    assert names >= tables | {"summary.json", "snippets"} and "cycle.parquet" not in names


def test_json_stands_alone_on_stdout(ctmeter, feeder):
    run = ctmeter("measure", feeder, *GIVEN, "--json", "-o", "r")
    result = run.json
    assert run.code == 0 and run.err == "" and next(iter(result)) == "schema_version"
    assert set(result) >= {"program", "recording", "settings", "energy", "mean", "extremes", "events", "quality"}
    assert result["energy"]["A+"] == pytest.approx(P / 3600, rel=1e-4)
    assert result["mean"]["MSV_L1"] is None
    with open("r/summary.json", encoding="utf-8") as file:
        assert json.load(file) == result


def test_quiet_says_nothing(ctmeter, feeder):
    run = ctmeter("measure", feeder, *GIVEN, "-q")
    assert (run.code, run.out, run.err) == (0, "", "")


def test_several_files_give_one_directory_each(ctmeter, feeder, tmp_path):
    other = make_feeder(tmp_path / "other.cfg")
    run = ctmeter("measure", feeder, other, *GIVEN, "-o", "all", "--json")
    assert run.code == 0 and [r["mean"]["f"] for r in run.json["results"]] == [pytest.approx(50), pytest.approx(50)]
    assert {p.name for p in (tmp_path / "all").iterdir()} == {"feeder.ctmeter", "other.ctmeter"}


def test_some_bad_inputs_are_partial(ctmeter, feeder):
    run = ctmeter("measure", "none.cfg", feeder, *GIVEN, "--json")
    assert run.code == 4 and len(run.json["results"]) == 1
    assert [f["path"] for f in run.json["failures"]] == ["none.cfg"] and "none.cfg" in run.err


def test_same_names_are_refused_before_anything_is_written(ctmeter, feeder, tmp_path):
    (tmp_path / "sub").mkdir()
    other = make_feeder(tmp_path / "sub" / "feeder.cfg")
    run = ctmeter("measure", feeder, other)
    assert run.code == 2 and not (tmp_path / "feeder.ctmeter").exists()


def test_points(ctmeter, feeder, tmp_path):
    (tmp_path / "feeder.ctmeter.toml").write_text(
        '[points.all]\nnominal_voltage = 230\n[points.first]\nwiring = "1P2W"\nmap = {U_L1 = "U_L1", I_L1 = "-I_L1"}\n'
    )
    run = ctmeter("measure", feeder, "--json")
    assert run.code == 0 and [r["wiring"] for r in run.json["results"]] == ["3P4W", "1P2W"]
    assert run.json["results"][1]["mean"]["P"] == pytest.approx(-P / 3, rel=1e-4)
    assert {p.name for p in (tmp_path / "feeder.ctmeter").iterdir()} == {"all", "first"}


def test_info(ctmeter, feeder):
    run = ctmeter("info", feeder, "--json", "--hash")
    recording = run.json["recording"]
    assert run.code == 0 and recording["samples"] == 6400 and recording["duration_s"] == 1.0 and recording["start"] == "2026-03-02T00:00:00Z"
    assert [c["role"] for c in recording["channels"]][:2] == ["U_L1", "I_L1"] and len(recording["sha256"]) == 64
    assert recording["frequency_hz"] == pytest.approx(50, abs=0.01)
    assert "U_L1" in ctmeter("info", feeder).out


def test_convert_and_back(ctmeter, feeder):
    assert ctmeter("convert", feeder, "again.csv").code == 0
    assert ctmeter("convert", feeder, "again.csv").code == 2
    assert ctmeter("convert", feeder, "again.csv", "--force", "-q").out == ""
    run = ctmeter("measure", "again.csv", *GIVEN, "--json")
    assert run.code == 0 and run.json["mean"]["P"] == pytest.approx(P, rel=1e-3)


def test_events(ctmeter, feeder):
    ctmeter("measure", feeder, *GIVEN, "-q")
    run = ctmeter("events", "feeder.ctmeter", "--json")
    assert run.code == 0 and run.json["events"] == []
    assert ctmeter("events", "feeder.ctmeter").out == "no events\n"


def test_precedence(ctmeter, feeder, tmp_path, monkeypatch):
    def voltage(*args):
        run = ctmeter("measure", feeder, *args, "--json", "-o", "r")
        assert run.code == 0, run.err
        return run.json["settings"]["nominal_voltage"]

    assert voltage() is None
    (tmp_path / "feeder.ctmeter.toml").write_text("nominal_voltage = 227\n")
    assert voltage() == 227
    (tmp_path / "c.toml").write_text("nominal_voltage = 228\n")
    assert voltage("--config", "c.toml") == 228
    monkeypatch.setenv("CTMETER_NOMINAL_VOLTAGE", "229")
    assert voltage("--config", "c.toml") == 229
    monkeypatch.setenv("CTMETER_UN", "231")
    assert voltage("--config", "c.toml") == 231
    assert voltage("--config", "c.toml", "--un", "230") == 230


def test_a_sidecar_is_said(ctmeter, feeder, tmp_path):
    (tmp_path / "feeder.ctmeter.toml").write_text('nominal_voltage = 230\nto = 0.5\n[map]\nU_L1 = "U_L2"\nI_L1 = "I_L2"\n')
    run = ctmeter("measure", feeder, "--json")
    assert any("feeder.ctmeter.toml" in w for w in run.json["warnings"])
    assert run.json["quality"]["integrated"] == 3200 and run.json["wiring"] == "1P2W"


def test_options_in_toml_and_environment(ctmeter, feeder, tmp_path, monkeypatch):
    (tmp_path / "c.toml").write_text('json = true\noutput = "there"\nfrom = 0.5\nnominal_voltage = 230\n')
    run = ctmeter("measure", feeder, "--config", "c.toml")
    assert run.json["quality"]["integrated"] == 3200 and (tmp_path / "there").is_dir()
    monkeypatch.setenv("CTMETER_CONFIG", "c.toml")
    monkeypatch.setenv("CTMETER_OUTPUT", "elsewhere")
    assert ctmeter("measure", feeder).code == 0 and (tmp_path / "elsewhere").is_dir()


def test_set(ctmeter, feeder):
    run = ctmeter("measure", feeder, *GIVEN, "--set", "half_cycle=true", "--set", "reactive=budeanu", "--json")
    assert run.json["settings"]["half_cycle"] is True and run.json["settings"]["reactive"] == "budeanu"
    run = ctmeter("measure", feeder, "--set", "half_cicle=true", "--set", "dip=7")
    assert run.code == 2 and "half_cycle?" in run.err and "dip: 7" in run.err


def test_config_check_and_show(ctmeter, tmp_path):
    (tmp_path / "good.toml").write_text("nominal_voltage = 230\n")
    (tmp_path / "bad.toml").write_text('wiring = "9P"\nunknown = 1\n')
    assert ctmeter("config", "check", "good.toml").out == "good.toml: ok\n"
    run = ctmeter("config", "check", "good.toml", "bad.toml")
    assert run.code == 2 and "bad.toml: wiring" in run.err and "bad.toml: unknown" in run.err
    assert ctmeter("config", "check", "bad.toml", "--json").json["ok"] is False
    run = ctmeter("config", "show", "--config", "good.toml", "--fn", "60")
    assert "nominal_voltage = 230.0" in run.out and "nominal_frequency = 60" in run.out and "(command line)" in run.out
    (tmp_path / "again.toml").write_text(run.out)
    assert ctmeter("config", "check", "again.toml").code == 0


def test_synth(ctmeter, tmp_path):
    (tmp_path / "s.toml").write_text("duration = 0.5\nsample_rate = 6400.0\n[voltage]\namplitude = 230.0\n")
    run = ctmeter("synth", "s.toml", "-o", "s.cfg", "--truth", "t.json", "--json")
    assert run.code == 0, run.err
    assert run.json["recording"]["samples"] == 3200
    assert ctmeter("measure", "s.cfg", *GIVEN, "-q").code == 0


@pytest.mark.parametrize("command", ["info FILE --json", "info FILE", "config show", "measure FILE --fn 50", "measure FILE --json", "--help"])
def test_a_closed_pipe_is_no_error(feeder, tmp_path, command):
    """The reader is gone before anything is written."""
    words = [str(feeder) if w == "FILE" else w for w in command.split()]
    with subprocess.Popen([sys.executable, "-m", "ctmeter", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as run:
        run.stdout.close()
        error = run.stderr.read()
        assert run.wait(60) == 0 and error == ""


def test_narrow_terminals_cut_no_number(ctmeter, feeder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    out = ctmeter("measure", feeder, *GIVEN).out
    assert "…" not in out and "230.00 V" in out


def test_doubts_about_what_was_given(ctmeter, feeder):
    run = ctmeter("measure", feeder, "--fn", "60", "--json")
    assert any("--fn" in w and "60 Hz" in w for w in run.json["warnings"])
    run = ctmeter("measure", feeder, "--un", "10", "--json")
    assert any("nominal voltage is 10" in w for w in run.json["warnings"])


def test_voltages_alone_have_no_energy(ctmeter, feeder):
    run = ctmeter("measure", feeder, "--map", "U_L1=U_L1", *GIVEN)
    assert "no power and no energy" in run.out and "–" not in run.out


def test_faulty_samples_are_told(ctmeter, tmp_path):
    t = np.arange(6400) / 6400
    u = 325 * np.sin(2 * np.pi * 50 * t)
    u[100:110] = np.nan
    Recording.from_arrays({"U_L1": u, "I_L1": u / 46}, sample_rate=6400).write(tmp_path / "x.npz")
    run = ctmeter("measure", "x.npz", "--fn", "50", "--un", "230")
    assert "samples missing or not finite: 10 of U_L1" in run.out


def test_convert_says_what_is_lost(ctmeter, feeder, tmp_path):
    run = ctmeter("convert", feeder, tmp_path / "x.csv")
    assert run.code == 0 and run.err.startswith("ctmeter: warning: x.csv: CSV cannot hold") and "side of the values (primary)" in run.err
    assert run.err.count("\n") == 1
    assert ctmeter("convert", feeder, tmp_path / "x.npz").err == ""
    run = ctmeter("convert", tmp_path / "x.csv", tmp_path / "y.cff")
    assert run.code == 0 and "written as primary" in run.err
    run = ctmeter("measure", tmp_path / "x.csv", "--side", "primary", "--fn", "50", "-o", tmp_path / "r")
    said = " ".join(run.out.replace("! ", " ").split())
    assert run.code == 0 and "neither the side nor a transformer ratio of the voltages is known" in said
