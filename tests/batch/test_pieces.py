"""Recordings in pieces: the same as if they had been measured in one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch import lines
from ctmeter.batch import plan as planning
from ctmeter.batch import rules
from ctmeter.batch.mapping import measure_piece
from ctmeter.batch.partials import partial_path, read_partial
from ctmeter.batch.plan import plan
from ctmeter.batch.scan import scan
from ctmeter.batch.work import Scan
from ctmeter.events.columns import concatenate
from ctmeter.quantity import Flag

TWENTY_MINUTES = 1200 * 1_000_000_000
RULES = rules.load({"nominal_voltage": 230.0, "wiring": "3P4W"})
Partials = list[dict[str, Any]]


def measured(scans: list[Scan], place: Path, tables: tuple[str, ...] = ()) -> Partials:
    found = []
    for piece in plan(scans, tables).pieces:
        outcome = measure_piece(piece, str(place), tables)
        assert not outcome.failed
        content = read_partial(place, piece.key)
        assert content is not None
        found.append(content)
    return found


def rows(partials: Partials, table: str) -> dict[str, np.ndarray]:
    return concatenate([p["tables"][table] for p in partials if table in p["tables"]])


def energies(partials: Partials) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for content in partials:
        for part in content["parts"]:
            of = found.setdefault(part["recording"], {})
            for key, value in part["energy"].items():
                of[key] = of.get(key, 0.0) + value
    return found


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    return lines.counts()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, raw: np.ndarray) -> Path:
    """The hour as one file, and as files of about five minutes whose clocks are rounded to a microsecond or to a millisecond."""
    root = tmp_path_factory.mktemp("lines")
    lines.write(root / "one" / "whole.cfg", raw, lines.START)
    step = round(301.3 * lines.RATE) + 7
    for k, a in enumerate(range(0, len(raw), step)):
        start = lines.START + round(a / lines.RATE * 1e9)
        for name, unit in (("many", 1000), ("rough", 1_000_000)):
            lines.write(root / name / f"{k:02d}.cfg", raw[a : a + step], (start + unit // 2) // unit * unit)
    return root


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Partials:
    """The recording in one piece."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "CUT_NS", 10**9 * 360_000)
        found = measured([scan(lines.source_of(folder / "one" / "whole.cfg", folder), RULES)], tmp_path_factory.mktemp("whole"), ("3s", "basic"))
    assert len(found) == 1
    return found


@pytest.fixture(scope="module", params=["one", "many"])
def cut(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Partials:
    """The same in pieces of twenty minutes, of one file and of many."""
    scans = [scan(lines.source_of(p, folder), RULES) for p in sorted((folder / request.param).glob("*.cfg"))]
    assert not any(s.failure for s in scans)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "CUT_NS", TWENTY_MINUTES)
        found = measured(scans, tmp_path_factory.mktemp("cut"), ("3s", "basic"))
    assert len(found) == 4
    return found


@pytest.mark.parametrize("table", ["basic", "3s", "10min", "frequency"])
def test_every_interval_once_and_alike(whole: Partials, cut: Partials, table: str):
    one, other = rows(whole, table), rows(cut, table)
    # clocks of files are rounded to a microsecond
    assert len(one["t"]) == len(other["t"]) and np.abs(one["t"] - other["t"]).max() <= 1000
    for name, values in one.items():
        if values.dtype.kind in "iu" and name != "t":
            np.testing.assert_array_equal(other[name], values, err_msg=name)
    full = {"U": 230, "I": 5, "P": 3000, "Q": 3000, "S": 3000, "f": 50}
    for name, values in one.items():
        if values.dtype.kind != "f" or name.startswith(("phi", "H", "IH")):
            continue
        np.testing.assert_array_equal(np.isnan(other[name]), np.isnan(values), err_msg=name)
        quantity = name.split("_")[0]
        # spectra are of single precision, and a breaker's flicker of 10000 takes its time to fade
        share = 1e-10 if quantity.rstrip("1") in full else 1e-9 if quantity in ("Pst", "Pinst") else 1e-7
        assert np.nanmax(np.abs(other[name] - values), initial=0.0) <= full.get(quantity.rstrip("1"), 230) * share, name


def test_energies_are_those_of_the_whole(whole: Partials, cut: Partials):
    (one,) = energies(whole).values()
    parts = energies(cut)
    for key, value in one.items():
        total = sum(e[key] for e in parts.values())
        assert total == pytest.approx(value, rel=1e-12, abs=1e-12), key


def test_energies_of_each_file_are_the_sum_over_its_samples(cut: Partials, raw: np.ndarray):
    parts = energies(cut)
    step = len(raw) if len(parts) == 1 else round(301.3 * lines.RATE) + 7
    for k, a in enumerate(range(0, len(raw), step)):
        found = list(parts.values())[k]
        assert found["A+"] - found["A-"] == pytest.approx(lines.active(raw[a : a + step]), rel=1e-12, abs=1e-12)


def test_events_are_those_of_the_whole(whole: Partials, cut: Partials):
    one = whole[0]["events"]
    assert [e["type"] for e in one] == ["dip", "dip", "interruption"]
    found = [e for p in cut for e in p["events"]]
    again = [e for p in cut for e in p["continuing"]]
    assert len(found) == len(one)
    for a, b in zip(one, found, strict=True):
        assert b["type"] == a["type"] and b["phases"] == a["phases"] and abs(b["t"] - a["t"]) <= 1000
        if b["duration"] is None:  # it runs over the end of its piece: the next one knows how it ends
            b = next(e for e in again if e["type"] == a["type"] and abs(e["t"] - a["t"]) <= 1000)
        assert b["duration"] == pytest.approx(a["duration"], abs=1e-9)
        assert b["U_residual"] == pytest.approx(a["U_residual"], abs=1e-9)


def test_clocks_of_milliseconds_go_with_the_waveform(folder: Path, whole: Partials, raw: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The samples go on although no clock fits them: nothing is flagged or lost, and flicker does not settle anew."""
    monkeypatch.setattr(planning, "CUT_NS", TWENTY_MINUTES)
    scans = [scan(lines.source_of(p, folder), RULES) for p in sorted((folder / "rough").glob("*.cfg"))]
    found = measured(scans, tmp_path / "out", ("3s", "basic"))
    for table in ("basic", "3s", "10min", "frequency"):
        one, other = rows(whole, table), rows(found, table)
        assert len(one["t"]) == len(other["t"]) and np.abs(one["t"] - other["t"]).max() <= 501_000, table
        np.testing.assert_array_equal(one["flags"], other["flags"], err_msg=table)
        for name in ("U_L1", "P", "Q", "f"):
            if name in one:
                assert np.nanmax(np.abs(one[name] - other[name])) <= (3000 if name in "PQ" else 230) * 1e-6, name
    assert rows(found, "10min")["Pst_L1"] == pytest.approx(rows(whole, "10min")["Pst_L1"], rel=1e-3, nan_ok=True)
    assert [(e["type"], e["phases"]) for p in found for e in p["events"]] == [(e["type"], e["phases"]) for e in whole[0]["events"]]
    parts, (total,) = energies(found), energies(whole).values()
    step = round(301.3 * lines.RATE) + 7
    for k, (name, energy) in enumerate(parts.items()):
        assert energy["A+"] - energy["A-"] == pytest.approx(lines.active(raw[k * step : (k + 1) * step]), rel=1e-12, abs=1e-12), name
    for key, value in total.items():
        assert sum(e[key] for e in parts.values()) == pytest.approx(value, rel=1e-12 if key.startswith("A") else 1e-9, abs=1e-12), key


def test_samples_that_are_missing_are_not_taken_for_a_clock_that_is_off(tmp_path: Path, raw: np.ndarray):
    """By clocks of milliseconds a hole of nine samples, 2.8 ms, looks like one that is off; the waveform tells."""
    first = raw[: 60 * 3200]
    scans = []
    for name, a in (("whole", 0), ("hole", 9)):
        lines.write(tmp_path / name / "0.cfg", first, lines.START)
        lines.write(tmp_path / name / "1.cfg", raw[len(first) + a : 2 * len(first)], lines.START + 60_003_000_000)
        scans = [scan(lines.source_of(tmp_path / name / f"{k}.cfg", tmp_path / name), RULES) for k in range(2)]
        found = rows(measured(scans, tmp_path / f"out-{name}"), "10min")
        assert bool((found["flags"] & np.uint32(Flag.GAP)).any()) == (name == "hole"), name


@pytest.mark.parametrize(("before", "after"), [(-2, 2), (0, 2), (2, -2), (3, -1.9), (4, 1), (1, 4)])
def test_a_cut_where_the_clock_is_set(tmp_path: Path, raw: np.ndarray, monkeypatch: pytest.MonkeyPatch, before: float, after: float):
    """A recording ends, and the next begins, some ms from a cut, which no clock reaches or both do: energies and the grid of ten seconds stay."""
    monkeypatch.setattr(planning, "CUT_NS", TWENTY_MINUTES)
    cut = lines.START // TWENTY_MINUTES * TWENTY_MINUTES + TWENTY_MINUTES
    files = raw[: 60 * 3200], raw[60 * 3200 : 100 * 3200]
    starts = cut - 60_000_000_000 + round(before * 1e6), cut + round(after * 1e6)
    paths = [lines.write(tmp_path / name, frames, start) for name, frames, start in zip(("a.cfg", "b.cfg"), files, starts, strict=True)]
    partials = measured([scan(lines.source_of(p, tmp_path), RULES) for p in paths], tmp_path / "out")
    found = energies(partials)
    for name, frames in zip(("a.cfg", "b.cfg"), files, strict=True):
        assert found[name]["A+"] - found[name]["A-"] == pytest.approx(lines.active(frames), rel=1e-12)
    t = rows(partials, "frequency")["t"]
    assert t.tolist() == [cut + k * 10_000_000_000 for k in range(-6, 4)]
    assert not (rows(partials, "10min")["flags"] & np.uint32(Flag.GAP)).any()


def test_a_channel_without_values_does_not_keep_recordings_apart(tmp_path: Path, raw: np.ndarray):
    """A neutral that is wired nowhere has no numbers; the other voltages tell that the waveform goes on."""
    names = (*lines.NAMES, "U_N")
    frames = raw[: 40 * 3200] * np.array([lines.SCALE[n] for n in lines.NAMES])
    scans = []
    for k, a in enumerate((0, 64_000)):
        arrays = {name: frames[a : a + 64_000, n] if n < 6 else np.full(64_000, np.nan) for n, name in enumerate(names)}
        path = tmp_path / f"{k}.npz"
        np.savez(path, sample_rate=lines.RATE, start=str(np.datetime64(lines.START + k * 20_003_000_000, "ns")), **arrays)  # type: ignore[arg-type]
        scans.append(scan(lines.source_of(path, tmp_path), RULES))
    assert not any(s.failure for s in scans)
    assert not (rows(measured(scans, tmp_path / "out"), "10min")["flags"] & np.uint32(Flag.GAP)).any()


def test_a_piece_is_a_pure_function(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same bytes each time; and what is there is not made again."""
    monkeypatch.setattr(planning, "CUT_NS", TWENTY_MINUTES)
    piece = plan([scan(lines.source_of(folder / "one" / "whole.cfg", folder), RULES)]).pieces[-1]
    for place in ("a", "b"):
        assert measure_piece(piece, str(tmp_path / place)).samples > 0
    one, other = (partial_path(tmp_path / place, piece.key) for place in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    assert measure_piece(piece, str(tmp_path / "a")).samples == 0


def test_a_file_that_changed_or_went_is_named(folder: Path, tmp_path: Path):
    path = lines.write(tmp_path / "x.cfg", np.load(_some(tmp_path, folder)), lines.START)
    piece = plan([scan(lines.source_of(path, tmp_path), RULES)]).pieces[0]
    lines.write(path, np.load(tmp_path / "some.npy"), lines.START + 10**9)
    assert measure_piece(piece, str(tmp_path / "out")).failed == (("x.cfg", "it changed while it was worked on"),)
    path.with_suffix(".dat").unlink()
    assert [name for name, _ in measure_piece(piece, str(tmp_path / "out")).failed] == ["x.cfg"]
    os.unlink(path)
    ((name, why),) = measure_piece(piece, str(tmp_path / "out")).failed
    assert name == "x.cfg" and "no such file" in why


def _some(tmp_path: Path, folder: Path) -> Path:
    from ctmeter import read

    with read(folder / "many" / "00.cfg") as recording:
        frames = np.round(recording.read(stop=4000) / np.array([c.scale for c in recording.channels])).astype(np.int16)
    np.save(tmp_path / "some.npy", frames)
    return tmp_path / "some.npy"


def test_recordings_without_a_clock_and_in_each_others_time_stand_alone(tmp_path: Path, raw: np.ndarray):
    first = lines.write(tmp_path / "a.cfg", raw[:8000], lines.START)
    inside = lines.write(tmp_path / "b.cfg", raw[2000:6000], lines.START + 10**9)
    after = lines.write(tmp_path / "c.cfg", raw[8000:9600], lines.START + 5 * 10**9)
    scans = [scan(lines.source_of(p, tmp_path), RULES) for p in (first, inside, after)]
    made = plan(scans)
    assert dict(made.overlapping) == {"b.cfg": "a.cfg"}
    assert [[s.source.name for s in p.recordings] for p in made.pieces] == [["a.cfg", "c.cfg"], ["b.cfg"]]
    found = energies(measured(scans, tmp_path / "out"))
    for name, a, b in (("a.cfg", 0, 8000), ("b.cfg", 2000, 6000), ("c.cfg", 8000, 9600)):
        assert found[name]["A+"] - found[name]["A-"] == pytest.approx(lines.active(raw[a:b]), rel=1e-6)


@pytest.mark.parametrize("late", [0, 700_000])
def test_every_rate_of_a_recording_is_in_its_energy(tmp_path: Path, raw: np.ndarray, monkeypatch: pytest.MonkeyPatch, late: int):
    """A cut in a slow stretch, with a fast one five seconds later; one in the fast one; and stretches that begin far from cuts."""
    monkeypatch.setattr(planning, "CUT_NS", TWENTY_MINUTES)
    cut = lines.START // TWENTY_MINUTES * TWENTY_MINUTES + TWENTY_MINUTES
    stages = [(rate, raw[: round(seconds * rate)]) for rate, seconds in ((800.0, 80), (960.0, 825), (6400.0, 1590), (1600.0, 200))]
    path = lines.write_stages(tmp_path / "a.cfg", stages, cut - 900 * 10**9 + late)
    partials = measured([scan(lines.source_of(path, tmp_path), RULES)], tmp_path / "out")
    (found,) = energies(partials).values()
    truth = sum(lines.active(frames, rate) for rate, frames in stages)
    assert len(partials) == 3 and found["A+"] - found["A-"] == pytest.approx(truth, rel=1e-12)
    shares = [part for content in partials for part in content["parts"]]
    assert sum(part["seconds"] for part in shares) == pytest.approx(2695.0, abs=1e-9)
    before = stages[0][1], stages[1][1][: 820 * 960]  # to the sample
    first = lines.active(before[0], 800.0) + lines.active(before[1], 960.0)
    assert shares[0]["energy"]["A+"] - shares[0]["energy"]["A-"] == pytest.approx(first, rel=1e-12)


def test_clocks_that_go_back_at_a_cut(tmp_path: Path, raw: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    """A recording that lasts 0.4 s beyond a cut, and one that begins 0.3 s before it: each sample counts once, for its own recording."""
    monkeypatch.setattr(planning, "CUT_NS", TWENTY_MINUTES)
    cut = lines.START // TWENTY_MINUTES * TWENTY_MINUTES + TWENTY_MINUTES
    one, other = raw[: 60 * 3200], raw[60 * 3200 : 100 * 3200]
    paths = [lines.write(tmp_path / "a.cfg", one, cut - 59_600_000_000), lines.write(tmp_path / "b.cfg", other, cut - 300_000_000)]
    partials = measured([scan(lines.source_of(p, tmp_path), RULES) for p in paths], tmp_path / "out")
    found = energies(partials)
    for name, frames in (("a.cfg", one), ("b.cfg", other)):
        assert found[name]["A+"] - found[name]["A-"] == pytest.approx(lines.active(frames), rel=1e-12)
    assert sum(part["seconds"] for content in partials for part in content["parts"]) == pytest.approx(100.0, abs=1e-9)


def test_of_two_in_each_others_time_the_much_longer_one_counts(tmp_path: Path, raw: np.ndarray):
    """A test of two seconds before a recording does not take its place."""
    early = lines.write(tmp_path / "a.cfg", raw[:6400], lines.START)
    long = lines.write(tmp_path / "b.cfg", raw[1600:16000], lines.START + 500_000_000)
    later = lines.write(tmp_path / "c.cfg", raw[9600:28800], lines.START + 3 * 10**9)
    made = plan([scan(lines.source_of(p, tmp_path), RULES) for p in (later, early, long)])
    assert dict(made.overlapping) == {"a.cfg": "b.cfg", "c.cfg": "b.cfg"}
    assert [[s.source.name for s in p.recordings] for p in made.pieces if not p.overlaps] == [["b.cfg"]]
