"""Settings that match by path, station and device; several points of a recording; what is there twice or overlaps; archives."""

from __future__ import annotations

import io
import json
import math
import os
import random
import shutil
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from batch import folders
from batch.test_run import measured
from ctmeter.batch import run
from ctmeter.errors import SettingsError
from ctmeter.readers.archives import Limits

HOUR = np.timedelta64(60, "m")


def rows(out: Path, table: str = "recordings") -> dict[str, dict]:
    return {f"{r['path']}:{r['point']}": r for r in folders.rows(out, table)}


def test_rules_by_path_station_and_device(tmp_path):
    """Later rules win; each says site, rate, map, nominal voltage or ratios for whom it fits."""
    raw = folders.frames(7)
    folders.write(tmp_path / "in" / "north" / "a.cfg", raw, station="Mill", device="R1")
    folders.write(tmp_path / "in" / "north" / "b.cfg", raw, station="Mill", device="R2")
    folders.write(tmp_path / "in" / "south" / "c.cfg", raw, station="Dam", device="R1")
    np.save(tmp_path / "in" / "south" / "d.npy", raw * ([folders.VOLT] * 3 + [folders.AMPERE] * 3))
    (tmp_path / "rules.toml").write_text("""
nominal_voltage = 400.0
[[match]]
path = "north/*"
nominal_voltage = 230.0
[[match]]
station = "Mill"
device = "R2"
site = "Old mill"
ct_ratio = "100/5"
side = "primary"
[[match]]
path = "south/*.npy"
site = "Dam"
rate = 1600
nominal_voltage = 240.0
map = { U_L1 = "#1", U_L2 = "#2", U_L3 = "#3", I_L1 = "-#4", I_L2 = "-#5", I_L3 = "-#6" }
""")
    summary, _ = measured(tmp_path / "in", tmp_path / "out", settings=tmp_path / "rules.toml", un=None)
    assert (summary["done"], summary["failures"]) == (4, [])
    found = rows(tmp_path / "out")
    assert {k: (r["site"], r["device"], r["nominal_voltage"]) for k, r in found.items()} == {
        "north/a.cfg:": ("Mill", "R1", 230.0),
        "north/b.cfg:": ("Old mill", "R2", 230.0),
        "south/c.cfg:": ("Dam", "R1", 400.0),
        "south/d.npy:": ("Dam", "", 240.0),
    }
    active = folders.active(raw)
    assert found["north/a.cfg:"]["A+"] == pytest.approx(active, rel=1e-9)
    # turned round by its map, without a clock, its rate from the rule
    assert found["south/d.npy:"]["A-"] == pytest.approx(active, rel=1e-9) and found["south/d.npy:"]["A+"] == pytest.approx(0, abs=1e-12)
    assert found["south/d.npy:"]["start"] is None and found["south/d.npy:"]["sample_rate"] == 1600


def test_several_points_of_a_recording(tmp_path):
    raw = folders.frames(0)
    folders.write(tmp_path / "in" / "a.cfg", raw)
    (tmp_path / "rules.toml").write_text("""
[points.feeder]
map = { U_L1 = "U_L1", U_L2 = "U_L2", U_L3 = "U_L3", I_L1 = "I_L1", I_L2 = "I_L2", I_L3 = "I_L3" }
[points.back]
map = { U_L1 = "U_L1", I_L1 = "-I_L1" }
wiring = "1P2W"
""")
    measured(tmp_path / "in", tmp_path / "out", settings=tmp_path / "rules.toml")
    found = rows(tmp_path / "out")
    assert found.keys() == {"a.cfg:feeder", "a.cfg:back"} and len({r["recording_id"] for r in found.values()}) == 2
    assert found["a.cfg:feeder"]["A+"] == pytest.approx(folders.active(raw), rel=1e-9)
    # one phase of three alike
    assert found["a.cfg:back"]["A-"] == pytest.approx(folders.active(raw) / 3, rel=1e-4)
    assert {r["point"] for r in folders.rows(tmp_path / "out", "registers")} == {"feeder", "back"}


def test_all_faults_of_the_settings_at_once(tmp_path):
    folders.write(tmp_path / "in" / "a.cfg", folders.frames(0))
    toml = tmp_path / "rules.toml"
    toml.write_text("""
wiring = "4P"
nominal_frequncy = 50
[[match]]
site = "x"
[[match]]
path = "*"
rate = -1
[[match]]
station = "*"
rate = 5
[batch]
tables = ["1s"]
""")
    with pytest.raises(SettingsError) as caught:
        run(tmp_path / "in", out=tmp_path / "out", settings=toml)
    for words in ("wiring", "nominal_frequncy", "match 1", "match 2: rate", "match 3: rate", "batch.tables"):
        assert sum(words in fault for fault in caught.value.faults) == 1, words
    code, text, errors = folders.batch(tmp_path / "in", "-o", tmp_path / "out", "--config", toml)
    assert code == 2 and not text and all(w in errors for w in ("wiring", "match 1", "batch.tables")) and "Traceback" not in errors
    assert not (tmp_path / "out").exists()


# ---- twice, and in each other's time


def test_the_same_bytes_twice_count_once(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folders.write(folder / "a.cfg", folders.frames(1))
    for ending in (".cfg", ".dat"):
        shutil.copy(folder / f"a{ending}", folder / f"b{ending}")
    summary, _ = measured(folder, out)
    assert (summary["done"], summary["failed"], summary["skipped"]) == (1, 0, 1)
    assert summary["skipped_files"] == [{"path": "b.cfg", "reason": "the same as a.cfg"}]
    assert rows(out).keys() == {"a.cfg:"} and folders.rows(out, "registers")[0]["A+"] == pytest.approx(folders.active(folders.frames(1)), rel=1e-9)
    summary, seen = measured(folder, out)
    assert summary["skipped"] == 1 and not seen.all("piece")
    # when the other one goes, it is needed
    for ending in (".cfg", ".dat"):
        (folder / f"a{ending}").unlink()
    summary, _ = measured(folder, out)
    assert (summary["done"], summary["skipped"]) == (1, 0) and rows(out).keys() == {"b.cfg:"}


def test_overlapping_recordings_are_measured_and_left_out_of_registers(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    first, second = folders.frames(1, 16_000), folders.frames(2, 8_000)
    folders.write(folder / "a.cfg", first)
    folders.write(folder / "b.cfg", second, folders.START + np.timedelta64(3, "s"))
    summary, _ = measured(folder, out)
    assert (summary["done"], summary["failed"]) == (2, 0)
    found = rows(out)
    assert (found["a.cfg:"]["overlaps"], found["b.cfg:"]["overlaps"]) == (False, True)
    assert found["b.cfg:"]["A+"] == pytest.approx(folders.active(second), rel=1e-6)
    (register,) = folders.rows(out, "registers")
    assert register["A+"] == pytest.approx(folders.active(first), rel=1e-9)
    assert (register["recordings"], register["left_out"], register["covered_s"]) == (1, 1, 10.0)


def test_the_same_bytes_without_a_clock_count_once_at_a_place(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("a", "b", "c"):
        # the third is another one, of as many bytes that begin alike
        raw = folders.frames(1, 16_000)
        if name == "c":
            raw[-100:] = 0
        folders.write(folder / f"{name}.cfg", raw, None)
    summary, _ = measured(folder, out)
    assert (summary["done"], summary["skipped_files"]) == (2, [{"path": "b.cfg", "reason": "the same as a.cfg"}])
    (register,) = folders.rows(out, "registers")
    twice, energy = folders.active(folders.frames(1, 16_000)), folders.active(raw)
    assert register["A+"] == pytest.approx(twice + energy, rel=1e-9) and register["recordings"] == 2
    # at other places they are others'
    shutil.copytree(folder, tmp_path / "places" / "north")
    text = (folder / "a.cfg").read_text()
    for ending in (".cfg", ".dat"):
        shutil.copy(folder / f"a{ending}", tmp_path / "places" / f"elsewhere{ending}")
    (tmp_path / "places" / "elsewhere.cfg").write_text(text.replace("north,R1", "south,R1"))
    summary, _ = measured(tmp_path / "places", tmp_path / "others")
    assert (summary["done"], summary["skipped"]) == (3, 1)


def test_one_point_overlaps_and_the_other_does_not(tmp_path):
    """What lies in another recording's time at one point stands for itself at another one, and so does what follows it."""
    folder, out = tmp_path / "in", tmp_path / "out"
    raw = [folders.frames(k, 16_000) for k in range(4)]
    folders.write(folder / "one" / "x.cfg", raw[0])
    for k in range(1, 4):
        folders.write(folder / "two" / f"y{k}.cfg", raw[k], folders.START + np.timedelta64(10 * k - 5, "s"))
    for ending in (".cfg", ".dat"):
        shutil.copy(folder / "one" / f"x{ending}", folder / "two" / f"copy{ending}")
    (tmp_path / "rules.toml").write_text("""
[[match]]
path = "one/*"
[match.points.incomer]
wiring = "3P4W"
[[match]]
path = "two/*"
[match.points.incomer]
wiring = "3P4W"
[match.points.socket]
wiring = "1P2W"
map = { U_L1 = "U_L2", I_L1 = "I_L2" }
""")
    summary, _ = measured(folder, out, settings=tmp_path / "rules.toml")
    assert summary["done"] == 5 and not summary["skipped"], "a copy that has another point is no mere copy"
    found = {r["point"]: r for r in folders.rows(out, "registers")}
    # at the socket the copy comes first and the second recording lies in its time; at the incomer only the first and the last two count
    assert (found["socket"]["recordings"], found["socket"]["left_out"]) == (3, 1)
    assert (found["incomer"]["recordings"], found["incomer"]["left_out"]) == (3, 2)
    assert found["incomer"]["A+"] == pytest.approx(sum(folders.active(raw[k]) for k in (0, 2, 3)), rel=1e-9)
    assert found["socket"]["A+"] == pytest.approx(sum(folders.active(raw[k]) for k in (0, 2, 3)) / 3, rel=1e-4)
    overlapping = {k for k, r in rows(out).items() if r["overlaps"]}
    assert overlapping == {"two/copy.cfg:incomer", "two/y1.cfg:incomer", "two/y1.cfg:socket"}


def test_what_is_primary_and_what_is_secondary_is_not_added_up(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    raw = folders.frames(1, 16_000)
    for k, device in enumerate(("R1", "R1", "R2")):
        folders.write(folder / f"{k}.cfg", raw, folders.START + np.timedelta64(60 * k, "s"), device=device)
    (tmp_path / "rules.toml").write_text('ct_ratio = "200/5"\nside = "primary"\n[[match]]\npath = "0.*"\nside = "secondary"\n')
    summary, _ = measured(folder, out, settings=tmp_path / "rules.toml")
    found = {r["device"]: r for r in folders.rows(out, "registers")}
    assert (found["R1"]["side_U"], found["R1"]["side_P"], found["R1"]["A+"], found["R1"]["U_max"]) == ("mixed", "mixed", None, None)
    assert (found["R2"]["side_U"], found["R2"]["side_P"]) == ("primary", "primary")
    assert found["R2"]["A+"] == pytest.approx(folders.active(raw), rel=1e-9)
    assert [w for w in summary["warnings"] if w.startswith("north, R1: voltages and energies are primary in some")]
    assert {r["path"]: r["side_P"] for r in folders.rows(out, "recordings")} == {"0.cfg": "secondary", "1.cfg": "primary", "2.cfg": "primary"}
    for table in ("registers", "recordings", "10min"):
        for path in (out / "dataset" / table).rglob("*.parquet"):
            assert {f.metadata.get(b"side", b"as-recorded") for f in pq.read_schema(path)} == {b"as-recorded"}, table
    # one side for all
    folders.batch(folder, "-o", out, "--config", tmp_path / "rules.toml", "--side", "primary")
    found = {r["device"]: r for r in folders.rows(out, "registers")}
    assert found["R1"]["side_P"] == "primary" and found["R1"]["A+"] is not None
    (path,) = (out / "dataset" / "registers").rglob("*.parquet")
    assert pq.read_schema(path).field("A+").metadata[b"side"] == b"primary"


def test_a_wrong_setting_takes_nothing_away(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folders.make(tmp_path / "in", 4)
    measured(folder, out)
    before = folders.sha256(out)
    summary, _ = measured(folder, out, map={"U_L1": "nosuch"})
    assert (summary["done"], summary["failed"]) == (0, 4) and "nothing could be measured: the data set stays as it was" in summary["warnings"]
    assert folders.sha256(out) == before
    summary, seen = measured(folder, out)
    assert (summary["done"], summary["failed"]) == (4, 0) and not seen.all("piece") and folders.sha256(out) == before


# ---- archives


def packed(path: Path, folder: Path, names: list[Path]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name in names:
            archive.add(name, name.relative_to(folder).as_posix())
    return path


def test_members_of_archives_are_recordings(tmp_path):
    folders.make(tmp_path / "plain", 16)
    files = sorted(p for p in (tmp_path / "plain").rglob("*") if p.is_file())
    random.Random(5).shuffle(files)
    packed(tmp_path / "in" / "a.tar.gz", tmp_path / "plain", files)
    measured(tmp_path / "plain", tmp_path / "one")
    summary, _ = measured(tmp_path / "in", tmp_path / "other")
    assert (summary["done"], summary["failures"]) == (16, [])
    plain = {r["path"]: r for r in folders.rows(tmp_path / "one", "recordings")}
    for row in folders.rows(tmp_path / "other", "recordings"):
        twin = plain[row["member"]]
        assert (row["path"], row["start"], row["site"], row["A+"]) == ("a.tar.gz", twin["start"], twin["site"], twin["A+"])


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_are_as_folders_are(tmp_path, kind: str):
    """The same sites, the same files passed over, the same failures."""
    plain = tmp_path / "plain" / "fleet"
    for k, place in enumerate(("north", "south")):
        folders.write(plain / place / "a.cfg", folders.frames(k), station="")
    (plain / "SOURCE.txt").write_text("hello")
    (plain / "south" / "empty.asc").write_bytes(b"")
    shutil.copy(plain / "south" / "a.dat", plain / "south" / "orphan.dat")
    shutil.copy(plain / "south" / "a.cfg", plain / "south" / "lone.cfg")
    files = sorted(p for p in plain.rglob("*") if p.is_file())
    if kind == "zip":
        (tmp_path / "in").mkdir()
        with zipfile.ZipFile(tmp_path / "in" / "fleet.zip", "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(plain).as_posix())
    else:
        packed(tmp_path / "in" / "fleet.tar.gz", plain, files)
    one, _ = measured(plain, tmp_path / "one")
    other, _ = measured(tmp_path / "in", tmp_path / "other")
    assert (one["done"], one["failed"], one["skipped"]) == (other["done"], other["failed"], other["skipped"]) == (2, 1, 3)
    assert "lone.dat" in one["failures"][0]["reason"] and "lone.dat" in other["failures"][0]["reason"]
    for table in ("registers", "recordings"):
        found = [{r["site"]: r["A+"] for r in folders.rows(tmp_path / out, table)} for out in ("one", "other")]
        assert found[0] == found[1] and found[0].keys() == {"north", "south"}


def test_members_cost_one_pass_over_their_archive(tmp_path, monkeypatch):
    """However many are asked for, in whatever order, what is packed is unpacked as often."""
    from ctmeter.readers import _unpacked

    unpacked: list[int] = []
    spend = _unpacked.Budget.spend
    monkeypatch.setattr(_unpacked.Budget, "spend", lambda self, size: (unpacked.append(size), spend(self, size))[1])
    folders.make(tmp_path / "plain", 48)
    files = sorted((p for p in (tmp_path / "plain").rglob("*") if p.is_file()), reverse=True)
    path = packed(tmp_path / "in" / "a.tar.gz", tmp_path / "plain", files)
    measured(path.parent, tmp_path / "out")
    size = sum(p.stat().st_size for p in files) + 1024 * len(files)
    # the names, and once for the members
    assert sum(unpacked) < 2.5 * size


def test_hostile_archives_are_refused_and_the_rest_is_done(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folders.make(folder, 8)
    good = sorted((folder / "station 0").iterdir())
    with zipfile.ZipFile(folder / "ways out.zip", "w") as archive:
        for name in good:
            archive.write(name, f"x/{name.name}")
            archive.write(name, f"../../{name.name}")
        archive.writestr("inner.zip", b"PK\x05\x06" + bytes(18))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.csv", bytes(64 << 20))
    whole = packed(tmp_path / "more" / "cut.tar.gz", folder, good).read_bytes()
    (folder / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "noise.zip").write_bytes(b"PK\x03\x04" + np.random.default_rng(3).bytes(5000))
    with tarfile.open(folder / "links.tar", "w") as archive:
        link = tarfile.TarInfo("passwd.cfg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("empty.csv"), io.BytesIO())
    begin = time.monotonic()
    code, text, errors = folders.batch(folder, "-o", out, "--un", "230", "--jobs", "2", "--json")
    assert time.monotonic() - begin < 30 and code == 4, errors
    summary = json.loads(text)
    # the eight, and one of them once more as a member
    assert summary["done"] == 9 and not summary["skipped"]
    reasons = {f["path"]: f["reason"] for f in summary["failures"]}
    expected = {
        "ways out.zip: ../../00000.cfg": "leads out",
        "ways out.zip: ../../00000.dat": "leads out",
        "ways out.zip:inner.zip": "archive in an archive",
        "bomb.zip:zeros.csv": "unpack to more than",
        "cut.tar.gz": "damaged",
        "noise.zip": "",
        "links.tar: passwd.cfg": "link",
        "links.tar:empty.csv": "",
    }
    assert reasons.keys() == expected.keys()
    assert all(words in reasons[path] and reasons[path] for path, words in expected.items())
    assert not (tmp_path / "00000.cfg").exists() and not (tmp_path.parent / "00000.cfg").exists()


def test_limits_reach_whoever_unpacks(tmp_path):
    """What is refused is refused where members are read, and what is allowed is measured."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        raw = np.tile(folders.frames(0, 1600), (800, 1))
        folders.write(tmp_path / "made" / "x.cfg", raw)
        for ending in (".cfg", ".dat"):
            archive.write(tmp_path / "made" / f"x{ending}", f"x{ending}")
    summary, _ = measured(tmp_path / "a.zip", tmp_path / "out", limits=Limits(size=1 << 20))
    assert summary["done"] == 0 and "unpack to more than" in summary["failures"][0]["reason"]
    summary, _ = measured(tmp_path / "a.zip", tmp_path / "out", retry_failed=True)
    assert summary["done"] == 1 and math.isclose(rows(tmp_path / "out")["a.zip:"]["A+"], folders.active(raw), rel_tol=1e-9)


# ---- real recordings


def test_all_real_recordings(recordings, tmp_path):
    code, text, errors = folders.batch(recordings, "-o", tmp_path / "out", "--jobs", "2", "--json")
    summary = json.loads(text)
    assert code == 4 and summary["done"] >= 12 and summary["failed"] == len(summary["failures"]) > 0, errors
    assert all(f["reason"] and "internal error" not in f["reason"] and os.sep + "work" not in f["reason"] for f in summary["failures"])
    assert "Traceback" not in errors
    # nothing is passed over in silence
    told = {
        *(f["path"] for f in summary["failures"]),
        *(s["path"] for s in summary["skipped_files"]),
        *(r["path"] for r in folders.rows(tmp_path / "out", "recordings")),
    }
    for path in recordings.rglob("*"):
        name = path.relative_to(recordings).as_posix()
        if path.is_file() and path.suffix.lower() not in (".dat", ".hdr", ".inf"):
            assert any(t == name or t.startswith((f"{name}:", f"{name}/")) for t in told), name


def test_currents_alone(recordings, tmp_path):
    """Motor currents in nested structures: with a rate and a map they give currents, and it is said what is missing."""
    (tmp_path / "rules.toml").write_text('[[match]]\npath = "*.mat"\nsite = "motor"\nrate = 1000\nmap = { I_L1 = "#1", I_L2 = "#2", I_L3 = "#3" }\n')
    summary, _ = measured(recordings / "motor-currents-mat", tmp_path / "out", settings=tmp_path / "rules.toml", un=None)
    assert (summary["done"], summary["failures"]) == (1, [])
    (row,) = folders.rows(tmp_path / "out", "recordings")
    assert row["site"] == "motor" and row["sample_rate"] == 1000 and row["I_L1"] > 0
    assert row["U_L1"] is None and row["A+"] is None
    assert any("voltage" in w for w in row["warnings"])


def test_a_clock_at_the_end_of_time_is_one_failure(tmp_path):
    """Of a file, not of the whole."""
    from ctmeter import Recording

    for name, start in (("a", "2026-03-02T00:00:00Z"), ("b", "2262-04-01T00:00:00Z")):
        volts = 325 * np.sin(2 * np.pi * 50 / 1600 * np.arange(1600))
        (tmp_path / "in").mkdir(exist_ok=True)
        Recording.from_arrays({"U_L1": volts}, sample_rate=1600.0, start=start).write(tmp_path / "in" / f"{name}.parquet")
    summary = run(tmp_path / "in", out=tmp_path / "out", jobs=1, nominal_voltage=230.0)
    assert summary["done"] == 1 and [f["path"] for f in summary["failures"]] == ["b.parquet"]
    assert "expected a time between the years 1800 and 2250" in summary["failures"][0]["reason"]
