"""What every test may use: the real recordings, and a header that says which build is tested."""

from __future__ import annotations

import importlib
import os
import signal
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

# Whoever starts this in the background may have it ignore SIGINT, and programs inherit that: tests of Ctrl-C would wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is not a failing test, and a failure in CI must come again on the next run.
hypothesis.settings.register_profile("project", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("project")


def recordings_folder() -> Path:
    """Where the real recordings are looked for, whether or not they are there."""
    return Path(os.environ.get("CTMETER_RECORDINGS") or ROOT.parent / "shared" / "recordings").resolve()


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Folder of the real recordings; tests that need it skip where it is absent."""
    folder = recordings_folder()
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; set CTMETER_RECORDINGS")
    return folder


def pytest_report_header() -> list[str]:
    """The build of the compiled core, its SIMD variant where it has one, and the recordings."""
    try:
        core = importlib.import_module("ctmeter._dsp")
    except ImportError as error:
        build = f"not importable ({error})"
    else:
        build = f"{core.instruction_set()} kernels, {core.__file__}"
    folder = recordings_folder()
    return [f"ctmeter core: {build}", f"recordings: {folder if folder.is_dir() else f'none at {folder}, tests that need them skip'}"]
