import json
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from ctmeter.cli.main import main
from ctmeter.recording import Recording


class Run(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def ctmeter(capsys, monkeypatch, tmp_path):
    """The command line, in a folder of its own: a function of the arguments."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(*args):
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in args])
        captured = capsys.readouterr()
        return Run(stop.value.code or 0, captured.out, captured.err)

    return run


def make_feeder(path, seconds=1.0):
    """Two phases of a feeder: 230 V, 5 A lagging 60 degrees, 50 Hz."""
    t = np.arange(round(seconds * 6400)) / 6400
    arrays = {}
    for k, n in enumerate(("L1", "L2", "L3")):
        angle = 2 * np.pi * 50 * t - k * 2 * np.pi / 3
        arrays[f"U_{n}"] = 230 * 2**0.5 * np.sin(angle)
        arrays[f"I_{n}"] = 5 * 2**0.5 * np.sin(angle - np.pi / 3)
    made = Recording.from_arrays(arrays, sample_rate=6400, start="2026-03-02T00:00:00Z")
    made.with_channels([replace(c, side="primary") for c in made.channels]).write(path)
    return path


@pytest.fixture
def feeder(tmp_path):
    return make_feeder(tmp_path / "feeder.cfg")
