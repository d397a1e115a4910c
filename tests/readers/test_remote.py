"""Remote recordings give the values of local ones, from few of their bytes, and leave nothing behind."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctmeter
from ctmeter.cli.main import main
from ctmeter.errors import InputError, SettingsError
from ctmeter.readers import _objects, remote
from readers import comtrade_files as made
from readers.stores import S3, Web, running_s3, running_web, s3_environment

pytest.importorskip("obstore")

RATE = 12_800
#: The file of which pieces are read: larger than what is read ahead several times over.
ROWS = 3_000_000


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3]:
    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server, monkeypatch) -> S3:
    s3_environment(monkeypatch, s3_server)
    return s3_server


@pytest.fixture
def web() -> Iterator[Web]:
    with running_web() as server:
        yield server


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch) -> Path:
    """Scratch files of a test, none of which may be left."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setenv("CTMETER_SCRATCH", str(place))
    monkeypatch.setattr(_objects, "BACKOFF", 0.01)
    yield place
    assert not list(place.iterdir())


def feeder(rows: int = 6400, side: str | None = "primary") -> ctmeter.Recording:
    t = np.arange(rows) / RATE
    voltages = {f"U_L{k + 1}": np.round(23000 * np.sqrt(2) * np.cos(2 * np.pi * (50 * t - k / 3))).astype(np.int16) for k in range(3)}
    currents = {f"I_L{k + 1}": np.round(500 * np.cos(2 * np.pi * (50 * t - k / 3) - 0.5)).astype(np.int16) for k in range(3)}
    scale = dict.fromkeys(voltages, 0.01) | dict.fromkeys(currents, 0.01)
    recording = ctmeter.Recording.from_arrays(voltages | currents, sample_rate=RATE, start="2026-01-01T00:00:00Z", scale=scale)
    return recording.with_channels([replace(c, side=side) for c in recording.channels])


def long_pair(folder: Path, stamps: np.ndarray | None = None) -> tuple[Path, np.ndarray]:
    """A pair of 60 MB whose rows are cheap to make, and its raw values."""
    record = np.zeros(ROWS, np.dtype([("n", "<u4"), ("t", "<u4"), ("a", "<i2", (6,))]))
    record["n"] = np.arange(1, ROWS + 1)
    # 12.8 kHz in units of 78.125 us: the time multiplier says so
    record["t"] = np.arange(ROWS) if stamps is None else stamps
    record["a"] = (np.arange(ROWS * 6) % 20011 - 10000).reshape(ROWS, 6)
    analog = [f"{k + 1},{'U' if k < 3 else 'I'}L{k % 3 + 1},L{k % 3 + 1},,{'V' if k < 3 else 'A'},0.01,0,0,-32767,32767,1,1,P" for k in range(6)]
    text = made.cfg_text(analog=analog, status=(), rates=("1", f"{RATE},{ROWS}"), file_type="BINARY", tail=("78.125",))
    path = folder / "long.cfg"
    path.write_bytes(text.encode())
    record.tofile(folder / "long.dat")
    return path, record["a"]


def upload(s3: S3, folder: Path, prefix: str) -> None:
    for path in folder.iterdir():
        if path.is_file():
            s3.put(f"{prefix}/{path.name}", path.read_bytes())


def same(a: ctmeter.Recording, b: ctmeter.Recording) -> None:
    assert a.samples == b.samples and a.sample_rate == b.sample_rate and a.start_ns == b.start_ns
    assert a.channels == b.channels and a.gaps == b.gaps and a.format == b.format and a.warnings == b.warnings
    for start in range(0, a.samples, 1000):
        stop = min(start + 1000, a.samples)
        assert np.array_equal(a.source.raw(start, stop), b.source.raw(start, stop), equal_nan=True)
        assert np.array_equal(a.source.status(start, stop), b.source.status(start, stop))


FORMATS = {
    "x.cfg": {}, "y.cfg": {"encoding": "ASCII"}, "z.cfg": {"encoding": "FLOAT32"}, "v.cff": {}, "x.wav": {}, "x.npz": {}, "x.parquet": {},
    "x.csv": {},
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_as_a_local_file(tmp_path, s3, name):
    folder = tmp_path / "made"
    folder.mkdir()
    feeder(side=None if name == "x.csv" else "primary").write(folder / name, **FORMATS[name])
    upload(s3, folder, "formats")
    with ctmeter.read(folder / name) as here, ctmeter.read(f"s3://records/formats/{name}") as there:
        same(here, there)
        assert there.path == f"s3://records/formats/{name}"
        assert there.metadata["bytes"] == sum(p.stat().st_size for p in folder.iterdir())


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_by_rows_and_by_columns(tmp_path, web, order):
    values = np.asarray(np.arange(30_000.0).reshape(10_000, 3), order=order)
    fields = np.zeros(500, [("U_L1", "<f4"), ("I_L1", "<i2")])
    fields["U_L1"], fields["I_L1"] = np.arange(500), -np.arange(500)
    for name, array in (("wide", values), ("one", values[:, 1].copy()), ("fields", fields)):
        np.save(tmp_path / f"{name}.npy", array)
        web.files[f"{name}.npy"] = (tmp_path / f"{name}.npy").read_bytes()
        with ctmeter.read(tmp_path / f"{name}.npy", rate=1000.0) as here, ctmeter.read(f"{web.url}/{name}.npy", rate=1000.0) as there:
            same(here, there)
            assert there.source.raw(0, 0).shape == here.source.raw(0, 0).shape


def test_wav_of_24_and_8_bits(tmp_path, web):
    for bits in (8, 24):
        body = (np.arange(3000 * bits // 8) % 251).astype(np.uint8).tobytes()
        head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16, 1, 2, 8000, 8000 * bits // 4, bits // 4, bits)
        (tmp_path / "x.wav").write_bytes(head + struct.pack("<4sI", b"data", len(body)) + body)
        web.files["x.wav"] = (tmp_path / "x.wav").read_bytes()
        with ctmeter.read(tmp_path / "x.wav") as here, ctmeter.read(f"{web.url}/x.wav") as there:
            same(here, there)


def test_a_piece_of_a_long_record_takes_few_of_its_bytes(tmp_path, web, scratch):
    path, raw = long_pair(tmp_path)
    web.files = {p.name: p.read_bytes() for p in (path, path.with_suffix(".dat"))}
    size = len(web.files["long.dat"])
    with ctmeter.read(path) as here, ctmeter.read(f"{web.url}/long.cfg") as there:
        assert there.segments == here.segments and there.warnings == here.warnings
        assert there.samples == ROWS
        opening = web.sent
        assert opening < 0.1 * size  # 6 MB of 60: the places at which the stamps are looked at
        block = there.source.raw(2_000_000, 2_010_000)
        assert np.array_equal(block, raw[2_000_000:2_010_000])
        assert web.sent - opening < 2 * 10_000 * 20 + _objects.FIRST
        assert max(stop - start for _, _, (start, stop) in ((r.method, r.path, r.span) for r in web.requests if r.span)) <= _objects.PART
        assert all(r.span is not None for r in web.requests if r.sent), "never one request for the whole"
        assert not any(p.stat().st_blocks for p in scratch.rglob("*") if p.is_file()), "nothing of it is on disk"


def test_measuring_from_to_takes_what_lies_between(tmp_path, web):
    path, _ = long_pair(tmp_path)
    web.files = {p.name: p.read_bytes() for p in (path, path.with_suffix(".dat"))}
    there = ctmeter.measure(f"{web.url}/long.cfg", time_range=(100.0, 104.0))
    taken = web.sent
    here = ctmeter.measure(path, time_range=(100.0, 104.0))
    assert taken < 0.25 * len(web.files["long.dat"])
    assert there.summary["energy"] == here.summary["energy"] and there.tables.keys() == here.tables.keys()
    assert there.tables["basic"].equals(here.tables["basic"])


def test_a_long_record_read_from_end_to_end_comes_once(tmp_path, web):
    path, raw = long_pair(tmp_path)
    web.files = {p.name: p.read_bytes() for p in (path, path.with_suffix(".dat"))}
    with ctmeter.read(f"{web.url}/long.cfg") as there:
        before = web.sent
        held = [there.source.raw(at, at + 50_000) for at in range(0, ROWS, 50_000)]
        assert web.sent - before < 1.05 * len(web.files["long.dat"])
    assert np.array_equal(np.concatenate(held), raw), "blocks outlive what is dropped, and the recording"


def test_irregular_stamps_are_found_as_in_a_local_file(tmp_path, web):
    stamps = np.arange(ROWS, dtype=np.int64)
    stamps[1_234_567:] += 40_000
    path, _ = long_pair(tmp_path, stamps)
    web.files = {p.name: p.read_bytes() for p in (path, path.with_suffix(".dat"))}
    with ctmeter.read(path) as here, ctmeter.read(f"{web.url}/long.cfg") as there:
        assert here.gaps and there.gaps == here.gaps and there.segments == here.segments
    assert web.sent < 0.2 * len(web.files["long.dat"])


def test_parquet_takes_the_row_groups_it_needs(tmp_path, s3, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = np.random.default_rng(1).normal(size=1_000_000)
    table = pa.table({"U_L1": values}).replace_schema_metadata({"sample_rate": "10000"})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=50_000)
    url = s3.put("big/x.parquet", (tmp_path / "x.parquet").read_bytes())
    fetched: list[int] = []
    fetch = _objects.RemoteBytes.fetch
    monkeypatch.setattr(_objects.RemoteBytes, "fetch", lambda self, a, b: fetched.append(b - a) or fetch(self, a, b))
    with ctmeter.read(url) as there:
        assert np.array_equal(there.source.raw(700_100, 700_200)[:, 0], values[700_100:700_200])
    assert sum(fetched) < 0.3 * (tmp_path / "x.parquet").stat().st_size


def test_companions_are_found_in_either_case_and_by_the_data_file(tmp_path, web):
    raw, status = made.samples(), made.states()
    web.files = {"A.CFG": made.cfg_text(file_type="BINARY").encode(), "A.DAT": made.dat_bytes("BINARY", raw, status), "A.HDR": b"said by hand"}
    for name in ("A.CFG", "A.DAT"):
        with ctmeter.read(f"{web.url}/{name}") as recording:
            assert np.array_equal(recording.source.raw(0, 20), raw)
            assert recording.metadata["hdr"] == "said by hand"
    del web.files["A.DAT"]
    with pytest.raises(InputError, match="no data file beside") as caught:
        ctmeter.read(f"{web.url}/A.CFG")
    assert caught.value.path == f"{web.url}/A.CFG"


def test_commands_take_urls(tmp_path, s3, monkeypatch, capsys):
    folder = tmp_path / "made"
    folder.mkdir()
    feeder(64_000).write(folder / "feeder.cfg")
    (folder / "feeder.ctmeter.toml").write_text("nominal_voltage = 231.0\n")
    upload(s3, folder, "commands")
    monkeypatch.chdir(tmp_path)
    url = "s3://records/commands/feeder.cfg"

    def run(*args: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as stop:
            main([*args, "--json"])
        captured = capsys.readouterr()
        assert not stop.value.code, captured.err
        found: dict[str, Any] = json.loads(captured.out)
        return found

    described = run("info", url)["recording"]
    assert described["source"] == url and described["size"] == sum((folder / f"feeder.{e}").stat().st_size for e in ("cfg", "dat"))
    run("measure", url)
    summary = json.loads((tmp_path / "feeder.ctmeter" / "summary.json").read_text())
    local = run("measure", str(folder / "feeder.cfg"), "-o", str(tmp_path / "local"))
    assert summary["energy"] == local["energy"] and summary["settings"] == local["settings"]
    assert summary["settings"]["nominal_voltage"] == 231.0
    run("convert", url, "feeder.wav")
    with ctmeter.read("feeder.wav") as wav:
        assert wav.samples == 64_000


@pytest.mark.parametrize("url", ["s3://records/none.cfg", "s3://nobucket/x.cfg"])
def test_what_is_not_there(s3, url):
    with pytest.raises(InputError, match="no such object") as caught:
        ctmeter.read(url)
    assert caught.value.path == url


def test_bad_urls_and_maps(web, tmp_path):
    web.files = {"empty.wav": b"", "text.bin": b"\0" * 600, "t.csv": b"t,U_L1\n0,1\n0.001,2\n0.002,3\n"}
    for url, words in (("s3://records", "names no object"), (f"{web.url}/empty.wav", "empty"), (f"{web.url}/text.bin", "unknown format")):
        with pytest.raises(InputError, match=words):
            ctmeter.read(url)
    with pytest.raises(SettingsError, match="nothing"):
        ctmeter.read(f"{web.url}/t.csv", map={"U_L1": "nothing"})
    with pytest.raises(SettingsError, match="rate"):
        ctmeter.read(f"{web.url}/t.csv", rate=-1)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(InputError, match="is not installed") as caught:
        ctmeter.read("s3://records/x.cfg")
    assert "ctmeter[fleet]" in str(caught.value)


def test_secrets_are_not_shown(web):
    secret = web.url.replace("//", "//user:word@") + "/none.wav?token=abc"
    with pytest.raises(InputError) as caught:
        ctmeter.read(secret)
    assert "word" not in str(caught.value) and "abc" not in str(caught.value)
    assert remote.shown(secret) == f"{web.url}/none.wav"
    assert remote.sidecar(secret) is None
