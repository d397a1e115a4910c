"""Whole batches: what is done and what is listed, the same bytes however they come about, nothing twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch import folders
from ctmeter.batch import run
from ctmeter.batch.manifest import Manifest
from ctmeter.errors import InputError, SettingsError, StoreError


class Seen:
    """A view that keeps what happens."""

    def __init__(self) -> None:
        self.happened: list[tuple[str, dict[str, Any]]] = []

    def begin(self) -> None: ...

    def event(self, kind: str, facts: dict[str, Any], progress: object) -> None:
        self.happened.append((kind, facts))

    def end(self) -> None: ...

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [facts for k, facts in self.happened if k == kind]


def measured(sources: Any, out: Path, un: float | None = 230.0, **options: Any) -> tuple[dict[str, Any], Seen]:
    """The summary of a batch, and what happened."""
    seen = Seen()
    given = {} if un is None else {"nominal_voltage": un}
    return run(sources, out=out, **{"jobs": 1, "view": seen, **given, **options}), seen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty recordings of eight stations, two of them bad."""
    root = tmp_path_factory.mktemp("small") / "in"
    assert len(folders.make(root, 40, 2)) == 2
    return root


@pytest.fixture(scope="module")
def done(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The batch of the folder, by one process."""
    out = tmp_path_factory.mktemp("done") / "out"
    summary, _ = measured(folder, out)
    assert (summary["done"], summary["failed"]) == (38, 2)
    return out


@pytest.fixture
def begun(folder: Path, done: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Copies of the folder and its batch, for changes."""
    shutil.copytree(folder, tmp_path / "in", copy_function=shutil.copy2)
    shutil.copytree(done, tmp_path / "out", copy_function=shutil.copy2)
    return tmp_path / "in", tmp_path / "out"


# ---- five hundred files


def kill_at(arguments: list[str | Path], kind: str, count: int, delay: float, group: bool) -> bool:
    """Run a batch and kill it some time after an event; whether it was still running."""
    with folders.program(*arguments, "--json-lines", start_new_session=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            count -= json.loads(line)["event"] == kind
            if count <= 0:
                time.sleep(delay)
                break
        alive = running.poll() is None
        if group:
            os.killpg(running.pid, signal.SIGKILL)
        else:
            running.kill()  # its workers end with it
        running.communicate()
    return alive


@pytest.fixture(scope="module")
def five_hundred(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], Path]:
    """The folder, what is bad in it, and the batch of it."""
    root = tmp_path_factory.mktemp("many")
    bad = folders.make(root / "in", 500, 5, minutes=25)
    assert set(bad.values()) == set(folders.KINDS)
    code, text, _ = folders.batch(root / "in", "-o", root / "out", "--un", "230", "--jobs", "2", "--json-lines")
    assert code == 4
    (root / "events").write_text(text)
    return root, bad, root / "out"


def test_counts_reasons_and_energies(five_hundred):
    root, bad, out = five_hundred
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert (summary["done"], summary["failed"], summary["skipped"]) == (495, 5, 0)
    reasons = {f["path"]: f["reason"] for f in summary["failures"]}
    assert reasons.keys() == bad.keys()
    for name, kind in bad.items():
        assert folders.KINDS[kind] in reasons[name] and len(reasons[name]) < 600 and str(root) not in reasons[name]
    rows = folders.rows(out, "recordings")
    assert len(rows) == 495 and {r["site"] for r in rows} == {f"station {k}" for k in range(folders.STATIONS)}
    for row in rows[::29]:
        number = int(Path(row["path"]).stem) * folders.STATIONS + int(row["site"].split()[1])
        assert row["A+"] == pytest.approx(folders.active(folders.frames(number)), rel=1e-9)
        assert (row["duration"], row["samples"]) == (0.5, 800)


def test_events_for_machines(five_hundred):
    root, bad, _ = five_hundred
    lines = folders.events((root / "events").read_text())
    kinds = [e["event"] for e in lines]
    assert kinds[0] == "start" and kinds[-1] == "finished" and kinds.count("recording") == 500 and kinds.count("fold") == folders.STATIONS
    assert lines[0]["schema_version"] == 1 and (lines[0]["sources"], lines[0]["jobs"]) == (500, 2)
    plan = lines[kinds.index("plan")]
    assert kinds.count("piece") == plan["pieces"] and plan["remembered"] == 0 and plan["seconds"] == pytest.approx(495 * 0.5)
    ended = {e["name"]: e for e in lines if e["event"] == "recording"}
    assert {name for name, e in ended.items() if e["state"] == "failed"} == bad.keys()
    assert all(e["reason"] for e in ended.values() if e["state"] == "failed")
    assert (lines[-1]["done"], lines[-1]["failed"], lines[-1]["skipped"], lines[-1]["interrupted"]) == (495, 5, 0, False)


def test_killed_three_times_and_gone_on(five_hundred, tmp_path):
    """While sources are looked at, while pieces are measured, while the data set is made."""
    root, _, out = five_hundred
    chance = random.Random(7)
    again = [root / "in", "-o", tmp_path / "out", "--un", "230", "--jobs", "2"]
    assert kill_at([*again], "start", 1, chance.uniform(0.3, 0.9), group=False)
    assert kill_at([*again], "piece", chance.randint(5, 40), chance.uniform(0, 0.1), group=True)
    assert kill_at([*again], "fold", chance.randint(1, 6), chance.uniform(0, 0.05), group=False)
    code, text, _ = folders.batch(*again, "--json")
    summary = json.loads(text)
    assert code == 4 and next(iter(summary)) == "schema_version"
    assert summary.keys() >= {"done", "failed", "skipped", "failures", "dataset", "seconds", "x_real_time"}
    assert (summary["done"], summary["failed"], summary["skipped"]) == (495, 5, 0)
    assert all(f.keys() == {"path", "reason"} for f in summary["failures"])
    assert folders.sha256(tmp_path / "out") == folders.sha256(out)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"dataset", "work", "manifest.db", "summary.json", "summary.html"}
    # what the kills left is cleared away
    assert not [p for p in (tmp_path / "out").rglob("*") if p.suffix in (".tmp", ".spill")]


@pytest.mark.long
def test_ten_thousand_files_and_twenty_kills(tmp_path):
    import pyarrow.dataset as ds

    bad = folders.make(tmp_path / "in", 10_000, 100)
    begin = time.monotonic()
    code, _, _ = folders.batch(tmp_path / "in", "-o", tmp_path / "once", "--un", "230", "-q", timeout=1800)
    whole = time.monotonic() - begin
    assert code == 4
    chance = random.Random(2026)
    again = [tmp_path / "in", "-o", tmp_path / "out", "--un", "230"]
    # early and late, and a last few when all is done
    hit = sum(kill_at([*again], "start", 1, chance.uniform(0, 2.0 * whole / 20), group=bool(k % 2)) for k in range(20))
    assert hit >= 15
    code, text, _ = folders.batch(*again, "--json", timeout=1800)
    summary = json.loads(text)
    assert code == 4 and (summary["done"], summary["failed"]) == (9900, 100)
    assert {f["path"] for f in summary["failures"]} == bad.keys()
    assert folders.sha256(tmp_path / "out") == folders.sha256(tmp_path / "once")
    begin = time.monotonic()
    recordings = ds.dataset(tmp_path / "out" / "dataset" / "recordings", format="parquet", partitioning=ds.partitioning(flavor="hive"))
    assert len(recordings.to_table(columns=["A+"])) == 9900
    assert time.monotonic() - begin < 1.0


# ---- the same bytes


@pytest.mark.parametrize("jobs", [pytest.param(2, marks=pytest.mark.long), 3])
def test_several_workers(folder, done, tmp_path, jobs: int):
    summary, seen = measured(folder, tmp_path / "out", jobs=jobs)
    assert summary["done"] == 38 and seen.all("start")[0]["jobs"] == jobs
    assert folders.sha256(tmp_path / "out") == folders.sha256(done)


def test_shards_and_a_run_without(folder, done, tmp_path):
    pieces = []
    for k in (1, 2, 3):
        summary, seen = measured(folder, tmp_path / "out", shard=(k, 3))
        pieces.append({p["key"] for p in seen.all("piece")})
        assert summary["failed"] == 2 and not (tmp_path / "out" / "dataset").exists()
    assert not pieces[0] & pieces[1] and not (pieces[0] | pieces[1]) & pieces[2] and all(pieces)
    summary, seen = measured(folder, tmp_path / "out")
    assert summary["done"] == 38 and not seen.all("piece") and seen.all("plan")[0]["remembered"] == sum(map(len, pieces))
    assert folders.sha256(tmp_path / "out") == folders.sha256(done)


def test_a_share_of_nothing(folder, tmp_path):
    code, text, errors = folders.batch(folder, "-o", tmp_path / "out", "--un", "230", "--shard", f"1/{10**12}")
    assert code == 4 and "0 done, 2 failed" in text, errors
    assert "data set:" not in text and f"share 1/{10**12}" in text


def test_shuffled_arguments_and_another_place(folder, done, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "elsewhere", copy_function=shutil.copy2)
    stations = sorted(copy.iterdir())
    random.Random(3).shuffle(stations)
    measured([copy / "station 3", *stations, copy], tmp_path / "out")
    assert folders.sha256(tmp_path / "out") == folders.sha256(done)


def test_a_fleet_of_dask(folder, done, tmp_path):
    pytest.importorskip("distributed", reason="the extra fleet is not installed")
    from batch.test_fleet import cluster

    with cluster(tmp_path, 2) as (address, _):
        code, text, errors = folders.batch(folder, "-o", tmp_path / "out", "--un", "230", "--scheduler", address, "--json")
    assert code == 4 and json.loads(text)["done"] == 38, errors
    assert folders.sha256(tmp_path / "out") == folders.sha256(done)


# ---- going on


def names(seen: Seen) -> set[str]:
    """Stations of the pieces that were measured."""
    return {p["site"] for p in seen.all("piece")}


def test_nothing_is_measured_twice(begun, done):
    folder, out = begun
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.p*") if p.is_file()}
    summary, seen = measured(folder, out)
    assert (summary["done"], summary["failed"]) == (38, 2) and not seen.all("piece") and not sum(f["files"] for f in seen.all("fold"))
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_changed_a_new_and_a_removed_file(begun, done, tmp_path):
    folder, out = begun
    # alone in its four hours: 100 minutes times 3 is 05:00, those before and after it at 03:20 and 06:40
    folders.write(folder / "station 1" / "00003.cfg", folders.frames(1) // 3 * 2, folders.START + np.timedelta64(300, "m"), station="station 1")
    folders.touch_back(folder / "station 1" / "00003.cfg")
    _, seen = measured(folder, out)
    assert names(seen) == {"station 1"}
    # of a piece and of those whose recordings are looked at for their sake
    assert 1 <= len(seen.all("piece")) <= 3
    folders.write(folder / "station 2" / "new.cfg", folders.frames(5), folders.START + np.timedelta64(40, "D"), station="station 2")
    (folder / "station 5" / "00004.cfg").unlink()
    (folder / "station 5" / "00004.dat").unlink()
    summary, seen = measured(folder, out)
    assert names(seen) <= {"station 2", "station 5"} and summary["done"] == 38
    rows = {r["path"]: r for r in folders.rows(out, "recordings")}
    assert "station 5/00004.cfg" not in rows and rows["station 2/new.cfg"]["month"] == "2026-04"
    measured(folder, tmp_path / "anew")
    assert folders.sha256(tmp_path / "anew") == folders.sha256(out) != folders.sha256(done)


def test_what_cannot_be_looked_at_stays(begun, tmp_path):
    folder, out = begun
    other = tmp_path / "other"
    folders.write(other / "far" / "a.cfg", folders.frames(7), station="far")
    measured([folder, other], out)
    before = folders.sha256(out)
    # a disk that is not mounted
    other.rename(tmp_path / "away")
    summary, seen = measured([folder, other], out)
    assert summary["done"] == 39 and not seen.all("piece") and folders.sha256(out) == before
    assert {"path": str(other), "reason": "no such file"} in summary["failures"]
    # files that were removed are another matter
    (tmp_path / "away").rename(other)
    (other / "far" / "a.cfg").unlink()
    (other / "far" / "a.dat").unlink()
    assert measured([folder, other], out)[0]["done"] == 38
    measured([folder, other], tmp_path / "fresh")
    assert folders.sha256(out) == folders.sha256(tmp_path / "fresh")


def test_results_are_no_recordings(begun, tmp_path):
    """The data set stands for its sources: itself as a source would leave nothing of it."""
    _, out = begun
    before = folders.sha256(out)
    for source in (out / "dataset", out / "dataset" / "10min", out / "work", str(out / "dataset" / "**" / "*.parquet")):
        for place in (out, tmp_path / "elsewhere"):
            with pytest.raises(InputError, match="results of a batch"):
                measured(source, place)
    with pytest.raises(InputError, match="results of a batch"):
        measured(out, tmp_path / "elsewhere")
    assert folders.sha256(out) == before


def test_what_leaves_is_told(begun, done):
    folder, out = begun
    code, text, errors = folders.batch(folder / "station 0", "-o", out, "--un", "230", "--dry-run")
    assert code == 0 and "38 measured before are no longer there and would leave the data set" in text, errors
    summary, seen = measured(folder, out)
    assert summary["gone"] == 0 and not seen.all("look"), "a dry run forgets nothing"
    code, text, errors = folders.batch(folder / "station 0", "-o", os.path.relpath(out), "--un", "230")
    assert text.endswith(f"data set: {os.path.relpath(out)}/dataset\n")
    assert code == 0 and "38 measured before were no longer there and have left the data set" in text, errors


def test_whoever_reads_events_may_go_away(folder, done, tmp_path):
    with folders.program(folder, "-o", tmp_path / "out", "--un", "230", "--json-lines") as running:
        assert json.loads(running.stdout.readline())["event"] == "start"
        running.stdout.close()
        running.stdout = None
        _, errors = running.communicate(timeout=120)
    assert running.returncode == 4 and not errors
    assert folders.sha256(tmp_path / "out") == folders.sha256(done)


def test_scratch_files_need_a_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CTMETER_SCRATCH", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"CTMETER_SCRATCH: .*nowhere, expected a folder"):
        measured(folder, tmp_path / "out")


def test_names_in_no_known_encoding(tmp_path):
    for number, name in enumerate((b"K\xf8ge", b"K\xe5ge")):
        path = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/" + name + b"/\xff.cfg"))
        folders.write(path, folders.frames(number), station="")
    for jobs in (1, 2):
        summary, _ = measured(tmp_path / "in", tmp_path / "out", jobs=jobs)
        assert summary["done"] == 2 and not summary["failures"]
    assert [p["site"] for p in json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["sites"]] == [r"K\xe5ge", r"K\xf8ge"]
    found = {r["path"]: r["A+"] for r in folders.rows(tmp_path / "out", "recordings")}
    assert found == {rf"K\x{name}ge/\xff.cfg": pytest.approx(folders.active(folders.frames(n)), rel=1e-9) for n, name in enumerate(("f8", "e5"))}


def test_changed_settings_measure_again_what_they_concern(begun, tmp_path):
    folder, out = begun
    toml = tmp_path / "rules.toml"
    toml.write_text('nominal_voltage = 230.0\n[[match]]\nstation = "station 4"\nct_ratio = "100/5"\n')
    _, seen = measured(folder, out, settings=toml)
    assert names(seen) == {"station 4"}
    toml.write_text('nominal_voltage = 230.0\n[batch]\nlevel = "LV"\n')
    _, seen = measured(folder, out, settings=toml)
    assert names(seen) == {"station 4"}


def test_what_failed_is_tried_again_when_asked_or_changed(begun, monkeypatch):
    folder, out = begun
    bad = {f["path"] for f in json.loads((out / "summary.json").read_text("utf-8"))["failures"]}
    before = {e.name: e.attempts for e in Manifest(out, readonly=True).entries("failed")}
    assert before.keys() == bad
    measured(folder, out)
    assert {e.name: e.attempts for e in Manifest(out, readonly=True).entries("failed")} == before
    measured(folder, out, retry_failed=True)
    assert all(e.attempts == before[e.name] + 1 for e in Manifest(out, readonly=True).entries("failed"))
    # mended, it is measured without being asked for
    name = sorted(bad)[0]
    folders.write(folder / name, folders.frames(0), folders.START, station="mended")
    summary, seen = measured(folder, out)
    assert (summary["done"], summary["failed"]) == (39, 1) and "mended" in names(seen)


def test_a_dry_run_makes_no_data_set(folder, tmp_path):
    summary, seen = measured(folder, tmp_path / "out", dry_run=True)
    assert summary["dry_run"] and summary["to_measure"] == 38 and summary["failed"] == 2 and summary["recording_s"] == pytest.approx(19.0)
    assert not seen.all("piece") and {p.name for p in (tmp_path / "out").iterdir()} <= {"manifest.db"}
    code, text, _ = folders.batch(folder, "-o", tmp_path / "out", "--dry-run")
    assert code == 4 and "38 of 40 recordings to measure" in text


@pytest.mark.parametrize("size", [0, 30, 4000])
def test_a_torn_partial_is_made_again(begun, done, size: int):
    folder, out = begun
    partial = sorted(out.glob("work/*/*.part"))[3]
    os.truncate(partial, size)
    shutil.rmtree(out / "dataset")
    _, seen = measured(folder, out)
    assert [p["key"] for p in seen.all("piece")] == [partial.stem]
    assert folders.sha256(out) == folders.sha256(done)


def test_another_process_works_there(begun):
    folder, out = begun
    with Manifest(out):
        with pytest.raises(StoreError, match="is being written by"):
            measured(folder, out)
        code, _, errors = folders.batch(folder, "-o", out)
    assert code == 6 and str(os.getpid()) in errors and errors.startswith("ctmeter: ") and errors.count("\n") == 1


# ---- interruptions


@pytest.mark.parametrize(("number", "group", "jobs"), [(signal.SIGINT, True, 2), (signal.SIGTERM, False, 2), (signal.SIGTERM, False, 1)])
def test_signals_stop_and_lose_nothing(five_hundred, tmp_path, number: int, group: bool, jobs: int):
    root, _, _ = five_hundred
    folder, out = root / "in" / "station 0", tmp_path / "out"
    for k in (1, 3):
        (tmp_path / "more").mkdir(exist_ok=True)
        (tmp_path / "more" / str(k)).symlink_to(root / "in" / f"station {k}")
    again = [folder, tmp_path / "more", "-o", out, "--un", "230", "--jobs", str(jobs), "--json-lines"]
    with folders.program(*again, start_new_session=True) as running:
        assert running.stdout is not None
        done = []
        for line in running.stdout:
            if json.loads(line)["event"] == "piece":
                done.append(json.loads(line)["key"])
            if len(done) == 5:
                break
        begin = time.monotonic()
        os.killpg(running.pid, number) if group else running.send_signal(number)
        rest, errors = running.communicate(timeout=20)
        assert time.monotonic() - begin < 2.0
    assert running.returncode == 130 and "Traceback" not in errors
    done += [e["key"] for e in folders.events(rest) if e["event"] == "piece"]
    assert folders.events(rest)[-1]["event"] == "finished" and folders.events(rest)[-1]["interrupted"]
    _, seen = measured([folder, tmp_path / "more"], out, dry_run=True)
    assert seen.all("plan")[0]["remembered"] >= len(done)
    keys = {p.stem for p in out.glob("work/*/*.part")}
    assert keys >= set(done)


# ---- recordings that end their workers


PLUGIN = '''
"""A reader whose recordings kill the process: at the first look, or when they are measured."""
import os, signal
from pathlib import Path
from ctmeter.readers.numpy import READER as inner

class Killer:
    name, extensions = "killer", (".kill",)
    def sniff(self, path, head):
        return path.suffix == ".kill"
    def read(self, path, rate=None, **options):
        words = path.read_text().split()
        looked = Path(words[-1] + ".looked")
        if words[0] == "look" or looked.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        looked.touch()
        return inner.read(Path(words[1]), rate=rate, **options)

READER = Killer()
'''


@pytest.fixture
def killer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a plug-in is installed, and recordings lie."""
    place = tmp_path / "site"
    (place / "killer-1.dist-info").mkdir(parents=True)
    (place / "killer.py").write_text(PLUGIN)
    (place / "killer-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: killer\nVersion: 1\n")
    (place / "killer-1.dist-info" / "entry_points.txt").write_text("[ctmeter.readers]\nkiller = killer:READER\n")
    yield place


def test_recordings_that_kill_their_workers_are_quarantined(killer, tmp_path):
    folder = tmp_path / "in"
    folders.make(folder, 16)
    from ctmeter import Recording

    raw = folders.frames(3)
    arrays = {n: raw[:, k] * (folders.VOLT if k < 3 else folders.AMPERE) for k, n in enumerate(("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3"))}
    # without a station: the folder is the site; between the others of station 1
    made = Recording.from_arrays(arrays, sample_rate=folders.RATE, start=str(folders.START + np.timedelta64(30, "m")) + "Z")
    made.write(tmp_path / "inner.npz")
    (folder / "station 0" / "look.kill").write_text("look")
    (folder / "station 1" / "measure.kill").write_text(f"measure {tmp_path / 'inner.npz'}")
    rules = tmp_path / "rules.toml"
    rules.write_text('[[match]]\npath = "station 1/*"\nsite = "one"\n[[match]]\nstation = "station 1"\nsite = "one"\n')
    path = f"{killer}{os.pathsep}{folders.PATH}"
    arguments = [folder, "-o", tmp_path / "out", "--un", "230", "--jobs", "2", "--config", rules]
    code, text, errors = folders.batch(*arguments, "--json", path=path)
    summary = json.loads(text)
    assert code == 4 and (summary["done"], summary["failed"]) == (16, 2), errors
    reasons = {f["path"]: f["reason"] for f in summary["failures"]}
    assert summary["quarantined"] == ["station 0/look.kill", "station 1/measure.kill"]
    assert reasons["station 0/look.kill"].startswith("reading it a worker was killed by SIGKILL twice")
    assert reasons["station 1/measure.kill"].startswith("measuring it a worker was killed by SIGKILL twice")
    # they stay out of the way
    begin = time.monotonic()
    code, text, _ = folders.batch(*arguments, "--json", path=path)
    assert code == 4 and json.loads(text)["quarantined"] == summary["quarantined"] and time.monotonic() - begin < 30
