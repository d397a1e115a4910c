"""What goes wrong on the way is tried again, within limits; versions never mix; nothing is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import ctmeter
from ctmeter.errors import InputError
from ctmeter.readers import _objects, remote
from readers.stores import Request, Web, running_web

pytest.importorskip("obstore")


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch) -> Iterator[Path]:
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setenv("CTMETER_SCRATCH", str(place))
    monkeypatch.setattr(_objects, "BACKOFF", 0.01)
    monkeypatch.setattr(_objects, "PART", 1 << 17)
    yield place
    assert not list(place.iterdir())


@pytest.fixture
def web() -> Iterator[Web]:
    with running_web() as server:
        yield server


VALUES = np.arange(200_000, dtype="<f8").reshape(100_000, 2)


@pytest.fixture
def url(tmp_path, web) -> str:
    """An array of 1.6 MB, read by ranges."""
    np.save(tmp_path / "x.npy", VALUES)
    web.files["x.npy"] = (tmp_path / "x.npy").read_bytes()
    return f"{web.url}/x.npy"


@pytest.fixture
def whole(tmp_path, web) -> str:
    """A file of the same values that is fetched whole."""
    ctmeter.Recording.from_arrays({"U_L1": VALUES[:, 0]}, sample_rate=1000.0).write(tmp_path / "x.npz")
    web.files["x.npz"] = (tmp_path / "x.npz").read_bytes()
    return f"{web.url}/x.npz"


def every_other(kind: str) -> Callable[[Request, int], str]:
    return lambda request, number: kind if number % 2 == 0 else ""


@pytest.mark.parametrize("kind", ["503", "cut", "reset"])
def test_faults_that_pass_are_tried_again(web, url, whole, kind):
    web.fault = every_other(kind)
    with ctmeter.read(url, rate=1000.0) as recording:
        assert np.array_equal(recording.source.raw(90_000, 90_100), VALUES[90_000:90_100])
        assert np.array_equal(recording.source.raw(0, 100_000), VALUES)
    with ctmeter.read(whole) as recording:
        assert np.array_equal(recording.source.raw(0, 100_000)[:, 0], VALUES[:, 0])


def test_an_answer_that_does_not_come_in_time(web, url, monkeypatch):
    monkeypatch.setattr(_objects, "TIMEOUT", 0.3)
    _objects._store.cache_clear()
    web.fault = lambda request, number: "slow" if number == 1 else ""
    with ctmeter.read(url, rate=1000.0) as recording:
        begun = time.monotonic()
        assert np.array_equal(recording.source.raw(50_000, 50_100), VALUES[50_000:50_100])
        assert time.monotonic() - begun < 1.5
    _objects._store.cache_clear()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("503", "503 Service Unavailable (6 times)"), ("cut", "cut off (6 times)"), ("reset", "cannot be read"), ("whole", "no ranges")],
)
def test_faults_that_stay_are_told_after_five_more_tries(web, url, kind, words):
    web.fault = lambda request, number: kind
    with pytest.raises(InputError) as caught:
        ctmeter.read(url, rate=1000.0)
    assert words in str(caught.value) and caught.value.path == url
    assert len(web.requests) == (1 if kind == "whole" else 6)


def test_patience_ends(web, url, monkeypatch):
    monkeypatch.setattr(_objects, "BACKOFF", 0.4)
    monkeypatch.setattr(_objects, "PATIENCE", 1.0)
    web.fault = lambda request, number: "503"
    begun = time.monotonic()
    with pytest.raises(InputError, match="503"):
        ctmeter.read(url, rate=1000.0)
    assert time.monotonic() - begun < 2.0 and len(web.requests) < 6


def test_faults_while_reading_name_the_url(web, url):
    with ctmeter.read(url, rate=1000.0) as recording:
        web.fault = lambda request, number: "503"
        with pytest.raises(InputError, match="503") as caught:
            recording.source.raw(60_000, 60_010)
    assert caught.value.path == url


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize("when", [1, 4])
def test_versions_never_mix(web, url, honest, when):
    """Whether or not the server minds If-Match: bytes of a second version are refused."""
    web.honest = honest
    web.fault = lambda request, number: "changed" if number == when else ""
    with ctmeter.read(url, rate=1000.0) as recording, pytest.raises(remote.ChangedError, match="changed") as caught:
        for start in range(0, 100_000, 5000):
            assert np.array_equal(recording.source.raw(start, start + 5000), VALUES[start : start + 5000])
    assert caught.value.path == url
    assert web.requests[1].match == '"first"'


def test_what_changes_while_it_is_opened_is_read_again_once(web, whole):
    good = web.files["x.npz"]
    # the first version begins like the second one
    web.files["x.npz"], web.later["x.npz"] = good[: len(good) // 2] + bytes(len(good) - len(good) // 2), good
    web.fault = lambda request, number: "changed" if number == 3 else ""
    with ctmeter.read(whole) as recording:
        assert np.array_equal(recording.source.raw(0, 100_000)[:, 0], VALUES[:, 0])


def test_without_etags_time_and_size_tell(web, url):
    web.tagged = False
    with ctmeter.read(url, rate=1000.0) as recording:
        web.files["x.npy"] = web.files["x.npy"] + b"more"
        with pytest.raises(remote.ChangedError):
            recording.source.raw(60_000, 60_010)


def test_weak_etags_are_compared_and_not_sent(web, url):
    web.tags["x.npy"] = 'W/"weak"'
    with ctmeter.read(url, rate=1000.0) as recording:
        assert np.array_equal(recording.source.raw(60_000, 60_010), VALUES[60_000:60_010])
        assert {r.match for r in web.requests} == {None}
        web.tags["x.npy"] = 'W/"other"'
        with pytest.raises(remote.ChangedError):
            recording.source.raw(90_000, 90_010)


def test_a_version_that_is_not_the_wanted_one(web, url):
    with pytest.raises(remote.ChangedError, match="another one"):
        remote.read(url, rate=1000.0, parts={url: remote.Version(len(web.files["x.npy"]), '"older"')})


def test_no_more_than_half_of_the_disk(web, whole, monkeypatch):
    class Usage:
        free = 1000

    monkeypatch.setattr(remote.shutil, "disk_usage", lambda path: Usage)
    with pytest.raises(InputError, match="to fetch") as caught:
        ctmeter.read(whole)
    assert "half of the free disk" in str(caught.value)


def test_scratch_files_are_private_and_go_without_being_closed(web, whole, scratch):
    import gc

    recording = ctmeter.read(whole)
    folder = next(scratch.iterdir())
    assert folder.stat().st_mode & 0o77 == 0 and all(p.stat().st_mode & 0o77 == 0 for p in folder.iterdir())
    del recording
    gc.collect()
    assert not list(scratch.iterdir())
