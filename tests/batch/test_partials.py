"""Partials: what was written comes back; what is torn, damaged or of others is taken for absent."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from batch.made_partials import MONDAY, whole
from ctmeter.batch import partials
from ctmeter.batch.partials import partial_path, read_partial, write_partial
from ctmeter.cli.main import exit_code
from ctmeter.errors import StoreError


def content() -> dict:
    rows = {"t": np.arange(3), "flags": np.arange(3, dtype=np.uint32), "f": np.array([50.0, np.nan, 49.9]), "HU_L1": np.ones((3, 51), np.float32)}
    return {"tables": {"10min": rows, "2h": {}}, "parts": [], "events": [{"t": 1, "phases": ["L1"]}], "form": {"extras": []}, "wiring": "3P4W"}


def test_what_was_written_comes_back(tmp_path: Path):
    path = write_partial(tmp_path, "ab12", content())
    assert path == tmp_path / "work" / "ab" / "ab12.part" and [p.name for p in path.parent.iterdir()] == ["ab12.part"]
    found = read_partial(tmp_path, "ab12")
    assert found is not None and (found["key"], found["version"]) == ("ab12", 1)
    for name, values in content()["tables"]["10min"].items():
        np.testing.assert_array_equal(found["tables"]["10min"][name], values)
        assert found["tables"]["10min"][name].dtype == values.dtype
    assert found["tables"]["2h"] == {} and found["events"] == content()["events"]


def test_statistics_come_back(tmp_path: Path):
    made = whole(tmp_path, "a.rec", MONDAY)
    found = read_partial(tmp_path, made.key)
    assert found is not None
    state = found["parts"][0]["statistics"]
    assert state["sum"]["U_L1"] == [230.0**2, 1.0] and state["low"]["U_L1"] == [230.0, MONDAY]


def test_names_in_no_encoding_come_back(tmp_path: Path):
    """As `os.listdir` gives a name whose bytes are no UTF-8."""
    name = os.fsdecode(b"st\xf8rung.rec")
    write_partial(tmp_path, "ab", {**content(), "parts": [{"recording": name, "statistics": None}], "site": "Nørre"})
    found = read_partial(tmp_path, "ab")
    assert found is not None and (found["parts"][0]["recording"], found["site"]) == (name, "Nørre")
    np.testing.assert_array_equal(found["tables"]["10min"]["t"], np.arange(3))


def test_the_same_content_is_the_same_bytes(tmp_path: Path):
    assert write_partial(tmp_path / "a", "k1", content()).read_bytes() == write_partial(tmp_path / "b", "k1", content()).read_bytes()


def test_cut_or_changed_at_every_byte_is_absent(tmp_path: Path):
    path = write_partial(tmp_path, "ab", {"parts": [], "tables": {"frequency": {"t": np.arange(2)}}})
    data = path.read_bytes()
    for n in range(len(data)):
        path.write_bytes(data[:n])
        assert read_partial(tmp_path, "ab") is None, n
        path.write_bytes(data[:n] + bytes([data[n] ^ 1]) + data[n + 1 :])
        assert read_partial(tmp_path, "ab") is None, n
    path.write_bytes(data)
    assert read_partial(tmp_path, "ab") is not None


def test_of_another_key_or_nothing_is_absent(tmp_path: Path):
    assert read_partial(tmp_path, "abcd") is None
    path = write_partial(tmp_path, "abcd", content())
    path.rename(partial_path(tmp_path, "abce"))
    assert read_partial(tmp_path, "abce") is None


def test_a_newer_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as newer:
        newer.setattr(partials, "VERSION", 2)
        write_partial(tmp_path, "ab", content())
    with pytest.raises(StoreError, match="version 2, made by a newer ctmeter"):
        read_partial(tmp_path, "ab")


def test_a_place_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "work").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        write_partial(tmp_path, "ab", content())
    assert os.listdir(tmp_path) == ["work"]


def test_one_that_may_not_be_read_is_no_fault_of_an_input(tmp_path, monkeypatch):
    def read_bytes(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(StoreError, match="cannot be read: Permission denied") as caught:
        read_partial(tmp_path, "k" * 64)
    assert exit_code(caught.value) == 6
