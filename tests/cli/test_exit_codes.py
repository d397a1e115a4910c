"""Every kind of bad input: its exit code and one line on standard error, never a traceback."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from ctmeter.errors import InputError

from .conftest import Run, make_feeder


def check(run, code, *words):
    assert run.code == code, run.err
    assert run.out == ""
    assert "Traceback" not in run.err
    assert run.err.startswith("ctmeter: ") and run.err.count("\n") == 1, run.err
    assert all(w in run.err for w in words), run.err


def test_no_file(ctmeter):
    check(ctmeter("measure", "nothing-here.cfg"), 3, "nothing-here.cfg")


def test_no_argument_is_usage(ctmeter):
    check(ctmeter("measure"), 2, "FILE", "ctmeter measure --help")
    check(ctmeter("nonsense"), 2, "nonsense", "ctmeter --help")
    check(ctmeter("measure", "--nonsense"), 2, "--nonsense")
    check(ctmeter("measure", "x", "--un", "volts"), 2, "--un", "volts")


def test_unknown_variables_are_said(ctmeter, feeder, monkeypatch):
    monkeypatch.setenv("CTMETER_NOMINAL_VOLTGE", "230")
    run = ctmeter("measure", feeder, "--fn", "50", "--json")
    assert run.code == 0 and run.err == "ctmeter: warning: CTMETER_NOMINAL_VOLTGE: no such setting or option, it is not used\n"
    assert ctmeter("measure", feeder, "--fn", "50", "--quiet").err == ""
    monkeypatch.delenv("CTMETER_NOMINAL_VOLTGE")
    for name in ("NOMINAL_VOLTAGE", "UN"):
        monkeypatch.setenv(f"CTMETER_{name}", "230")
    monkeypatch.setenv("CTMETER_RECORDINGS", "/nowhere")
    assert ctmeter("measure", feeder, "--fn", "50").err == ""


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"hello\n", os.urandom(500)])
def test_not_a_recording(ctmeter, tmp_path, content):
    (tmp_path / "x.cfg").write_bytes(content)
    check(ctmeter("measure", "x.cfg"), 3, "x.cfg")


def test_a_directory(ctmeter, tmp_path):
    check(ctmeter("measure", tmp_path), 3)
    check(ctmeter("info", tmp_path), 3)


def test_a_name_that_commands_the_terminal(ctmeter):
    check(ctmeter("measure", "a\x1b[2J\nb.cfg"), 3, "no such file")


def test_settings(ctmeter, feeder, tmp_path):
    check(ctmeter("measure", feeder, "--wiring", "9P", "--side", "x", "--ct", "a/b"), 2, "wiring", "side", "ct_ratio")
    check(ctmeter("measure", feeder, "--config", "none.toml"), 2, "none.toml")
    (tmp_path / "c.toml").write_text('json = "x"\n')
    check(ctmeter("measure", feeder, "--config", "c.toml"), 2, "json")
    check(ctmeter("measure", feeder, "--map", "U_L1"), 2, "map")
    check(ctmeter("measure", feeder, "--map", "U_L1=none"), 2, "none")
    check(ctmeter("measure", feeder, "--from", "yesterday"), 2, "yesterday")
    check(ctmeter("measure", feeder, "--from", "5", "--to", "6"), 3, "nothing to measure")
    check(ctmeter("measure", feeder, "--from", "0.5", "--to", "0.5"), 2, "not before")
    check(ctmeter("measure", ""), 2, "FILE is empty")
    (tmp_path / "feeder.ctmeter.toml").write_text("dpi = 1\n")
    check(ctmeter("measure", feeder), 2, "feeder.ctmeter.toml", "dpi", "dip")


def test_output(ctmeter, feeder, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("")
    check(ctmeter("measure", feeder, "-o", "taken"), 2, "taken")
    (tmp_path / "file").write_text("")
    check(ctmeter("measure", feeder, "-o", "file"), 2, "file")
    assert ctmeter("measure", feeder, "-o", "taken", "--force", "-q").code == 0
    assert (tmp_path / "taken" / "mine.txt").exists() and (tmp_path / "taken" / "summary.json").exists()


def test_store(ctmeter, tmp_path):
    check(ctmeter("events", "none"), 3, "none")
    check(ctmeter("events", tmp_path), 3)
    (tmp_path / "summary.json").write_text("{")
    check(ctmeter("events", tmp_path), 6, "damaged")


def test_unknown_ending(ctmeter, feeder):
    check(ctmeter("convert", feeder, "x.unknown"), 3, ".unknown")


def test_a_write_that_fails(feeder, tmp_path):
    """A limit on the size of files stands in for a full disk."""

    def little():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    run = subprocess.run(
        [sys.executable, "-m", "ctmeter", "measure", str(feeder), "--fn", "50"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        preexec_fn=little,
    )
    assert run.returncode == 6 and run.stdout == "" and "Traceback" not in run.stderr and len(run.stderr.splitlines()) == 1, run.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["feeder.cfg", "feeder.dat"]


def test_permission(feeder, tmp_path):
    feeder.chmod(0)
    # root reads everything until it gives that right away
    plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.access(feeder, os.R_OK) else []
    run = subprocess.run([*plain, sys.executable, "-m", "ctmeter", "measure", str(feeder)], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    check(Run(run.returncode, run.stdout, run.stderr), 3, "feeder.cfg")


def test_internal_error_is_one_line_and_v_shows_where(ctmeter, feeder, monkeypatch):
    def broken(*_a, **_k):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("ctmeter.pipeline.run.drive", broken)
    check(ctmeter("measure", feeder, "--fn", "50"), 1, "internal error: RuntimeError: a fault of ours", "-v")
    run = ctmeter("measure", feeder, "--fn", "50", "-v")
    assert run.code == 1 and "Traceback" in run.err


def test_an_input_error_in_the_middle(ctmeter, feeder, monkeypatch, tmp_path):
    def broken(*_a, **_k):
        raise InputError("broken there", path="x.dat", offset=17)

    monkeypatch.setattr("ctmeter.pipeline.run.drive", broken)
    check(ctmeter("measure", feeder, "--fn", "50"), 3, "x.dat, byte 17: broken there")
    assert not (tmp_path / "feeder.ctmeter").exists()


def test_interrupted(ctmeter, feeder, monkeypatch, tmp_path):
    def stopped(*_a, **_k):
        raise KeyboardInterrupt

    monkeypatch.setattr("ctmeter.pipeline.run.drive", stopped)
    run = ctmeter("measure", feeder, "--fn", "50")
    assert run.code == 130 and "interrupted" in run.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["feeder.cfg", "feeder.dat"]


def test_control_c(tmp_path):
    """A real signal, while samples are measured."""
    feeder = make_feeder(tmp_path / "long.cfg", 400.0)
    code = "import ctmeter.pipeline.drive as d; d._BLOCK_BYTES = 1; from ctmeter.cli.main import main; print('go', flush=True); main()"
    run = subprocess.Popen(
        [sys.executable, "-c", code, "measure", str(feeder), "--fn", "50"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert run.stdout.readline() == "go\n"
    end = time.monotonic() + 30
    while not list(tmp_path.glob(".long.ctmeter*")) and time.monotonic() < end and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130 and "Traceback" not in err, err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.cfg", "long.dat"]


@pytest.mark.skipif(not os.access("/proc/1", os.R_OK), reason="no /proc")
@pytest.mark.parametrize("place", ["/proc/ctmeter-test", "/proc/version/below"])
def test_a_place_where_nothing_can_be_written(ctmeter, feeder, place):
    check(ctmeter("measure", feeder, "--fn", "50", "-o", place), 6, place)
    check(ctmeter("convert", feeder, f"{place}.csv"), 6, place)


def test_permission_of_the_output(ctmeter, feeder, monkeypatch):
    def refused(*_a, **_k):
        raise PermissionError(errno.EACCES, "Permission denied", "somewhere")

    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    check(ctmeter("measure", feeder, "--fn", "50", "-o", "place"), 6, "place", "Permission denied")
