"""What the documents say of the meter: their commands, files and code, as they stand."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from .conftest import make_feeder

ROOT = Path(__file__).resolve().parents[2]


def blocks(name, kind):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / name).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [text for k, text in found if k == kind]


@pytest.mark.parametrize("name", ["README.md", "docs/meter.md"])
def test_commands_of_the_documents(ctmeter, tmp_path, name):
    """As they stand, on the committed waveforms."""
    shutil.copytree(ROOT / "waveforms", tmp_path / "waveforms")
    commands = [line for block in blocks(name, "sh") for line in block.splitlines() if line.startswith("ctmeter meter")]
    assert len(commands) > 4
    for line in commands:
        run = ctmeter(*shlex.split(line)[1:])
        assert run.code == 0, (line, run.err)


def test_files_of_the_document(ctmeter, tmp_path):
    (toml,), (events,) = blocks("docs/meter.md", "toml"), blocks("docs/meter.md", "")
    (tmp_path / "c.toml").write_text(toml, "utf-8")
    (tmp_path / "e.csv").write_text(events, "utf-8")
    assert ctmeter("config", "check", "c.toml").code == 0
    assert ctmeter("meter", "create", "m.db", "--config", "c.toml", "--set", "tariff_source=register").code == 0
    make_feeder(tmp_path / "f.cfg")
    assert ctmeter("meter", "feed", "m.db", "f.cfg", "--events", "e.csv").code == 0


def test_the_example_in_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "waveforms", tmp_path / "waveforms")
    (code,) = blocks("docs/meter.md", "python")
    exec(compile(code, "docs/meter.md", "exec"), {})
