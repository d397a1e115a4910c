"""The command where its surroundings are unusual: closed streams, names that command a terminal, results among recordings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from batch import folders
from batch.test_run import measured
from ctmeter.errors import SettingsError

STREAMS = {"<&-": (0,), ">&-": (1,), "2>&-": (2,), "<&- >&- 2>&-": (0, 1, 2)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("command") / "in"
    folders.make(root, 4)
    return root


def shell(line: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'"$@" {line}', "sh", sys.executable, *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": folders.PATH}, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("closed", STREAMS)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_closed_stream_leads_nowhere(folder, tmp_path, closed: str, jobs: str):
    run = shell(closed, "-m", "ctmeter", "batch", folder, "-o", tmp_path / "out", "--un", "230", "--jobs", jobs)
    assert run.returncode == 0, run.stderr
    assert len(folders.rows(tmp_path / "out", "recordings")) == 4
    assert ("4 done" in run.stdout) == (1 not in STREAMS[closed])
    assert ("4 of 4" in run.stderr) == (2 not in STREAMS[closed])


def test_exit_codes_are_those_of_the_work(folder, tmp_path):
    recording = next(folder.rglob("*.cfg"))
    assert shell(">&-", "-m", "ctmeter", "info", recording).returncode == 0
    for closed in (">&-", "2>&-"):
        assert shell(closed, "-m", "ctmeter", "info", tmp_path / "none.cfg").returncode == 3


def test_no_file_gets_the_descriptor_of_a_closed_stream():
    code = (
        "import os, sys; from ctmeter.cli import main as m; m._run = lambda args: 0\n"
        "try: m.main()\nexcept SystemExit: pass\n"
        "sys.exit(any(os.readlink(f'/proc/self/fd/{k}') != os.devnull or not os.get_inheritable(k) for k in range(3)))"
    )
    assert shell("<&- >&- 2>&-", "-c", code).returncode == 0


def test_workers_of_a_program_without_streams(folder, tmp_path):
    code = "import sys, ctmeter.batch as b; s = b.run([sys.argv[1]], out=sys.argv[2], jobs=2, nominal_voltage=230.0); sys.exit(s['done'])"
    assert shell("<&- >&- 2>&-", "-c", code, folder, tmp_path / "out").returncode == 4


def test_names_of_failures_command_no_terminal(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "in")
    (tmp_path / "in" / "a\x1b[2J\nb.cfg").write_bytes(b"nothing")
    code, text, _ = folders.batch(tmp_path / "in", "-o", tmp_path / "out", "--un", "230", "--jobs", "1", "-v")
    assert code == 4 and "\x1b" not in text
    [line] = [line for line in text.splitlines() if "b.cfg" in line]
    assert line.startswith("  a\N{REPLACEMENT CHARACTER}[2J b.cfg: ")


def test_results_are_not_written_among_the_recordings(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "in")
    for source in (tmp_path / "in", f"{tmp_path}/in/*/*.cfg", f"{tmp_path}/in/station 0/*.cfg", [folder, tmp_path / "in"]):
        with pytest.raises(SettingsError, match=r"^-o: .*in is a folder of the recordings, expected another one for the results$"):
            measured(source, tmp_path / "in")
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(SettingsError, match=r"^-o: \. is"):
        measured("*/*.cfg", ".")
    assert not (tmp_path / "in" / "manifest.db").exists()
    # an empty one that a pattern of the shell has met, and one of results
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    for _ in range(2):
        assert measured(["in", "out"], "out")[0]["done"] == 4
