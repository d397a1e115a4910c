"""Recordings that follow each other are one: registers, flicker, intervals, verdicts and events as of a single long recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch import folders, lines
from batch.test_run import measured
from ctmeter.batch import plan as planning

Rows = list[dict[str, Any]]
SETTINGS = {"wiring": "3P4W"}
#: Where the three files meet, s: within no interval's border, within no event.
CUTS = (0.0, 1277.31, 3001.77, float(lines.SECONDS))
TWENTY_MINUTES = 1200 * 1_000_000_000


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    return lines.counts()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, raw: np.ndarray) -> Path:
    root = tmp_path_factory.mktemp("lines")
    lines.write(root / "one" / "whole.cfg", raw, lines.START)
    edges = [round(c * lines.RATE) for c in CUTS]
    for k in range(3):
        start = lines.START + round(edges[k] / lines.RATE * 1e9)
        lines.write(root / "three" / f"{'cab'[k]}.cfg", raw[edges[k] : edges[k + 1]], (start + 500) // 1000 * 1000)
    return root


@pytest.fixture(scope="module")
def one(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one") / "out"
    measured(folder / "one", out, settings=SETTINGS)
    return out


@pytest.fixture(scope="module")
def three(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("three") / "out"
    summary, seen = measured(folder / "three", out, settings=SETTINGS)
    assert summary["done"] == 3 and len(seen.all("piece")) == 1
    return out


def table(out: Path, name: str) -> Rows:
    return sorted(folders.rows(out, name), key=lambda r: str(r.get("t")))


def test_registers_are_those_of_the_whole(one, three, raw):
    (a,), (b,) = table(one, "registers"), table(three, "registers")
    assert b["A+"] - b["A-"] == pytest.approx(lines.active(raw), rel=1e-12)
    for key in ("A+", "A-", "R+", "R-", "A+_L1", "A+_L2", "A+_L3"):
        assert b[key] == pytest.approx(a[key], rel=1e-12 if key[0] == "A" else 1e-8, abs=1e-12), key
    assert (a["recordings"], b["recordings"], b["left_out"]) == (1, 3, 0)
    assert b["covered_s"] == pytest.approx(lines.SECONDS, abs=1e-5) == pytest.approx(a["covered_s"], abs=1e-5)
    assert (a["start"], a["end"]) == (b["start"], b["end"])


def test_each_file_has_its_own_energy(three, raw):
    found = {r["path"]: r for r in folders.rows(three, "recordings")}
    edges = [round(c * lines.RATE) for c in CUTS]
    for k, name in enumerate(("c.cfg", "a.cfg", "b.cfg")):
        part = raw[edges[k] : edges[k + 1]]
        assert found[name]["A+"] - found[name]["A-"] == pytest.approx(lines.active(part), rel=1e-12)
        assert found[name]["samples"] == len(part)


@pytest.mark.parametrize("name", ["10min", "frequency"])
def test_intervals_and_flicker_are_those_of_the_whole(one, three, name: str):
    a, b = table(one, name), table(three, name)
    assert len(a) == len(b) > 5
    pst = 0
    for x, y in zip(a, b, strict=True):
        assert abs((y["t"] - x["t"]).total_seconds()) <= 5e-6
        for key in x:
            if key.startswith(("U_L", "f", "Pst", "P_", "THD_U")) and isinstance(x[key], float):
                assert y[key] == pytest.approx(x[key], rel=2e-5, abs=1e-6), key
            elif key in ("flags", "coverage", "cycles"):
                assert y[key] == x[key], key
            pst += key.startswith("Pst") and x[key] is not None
    assert name == "frequency" or pst >= 15


@pytest.mark.long
def test_weeks_are_judged_as_of_the_whole(tmp_path):
    """Two hours and ten minutes in files of less than one."""
    second, rate = folders.frames(1, 800, 800), 800
    edges = (0, 2503 * rate + 17, 5201 * rate + 500, 7800 * rate)
    raw = np.tile(second, (7800, 1))
    folders.write(tmp_path / "one" / "a.cfg", raw, rate=rate)
    for k in range(3):
        start = folders.START + np.timedelta64(edges[k] * 1_000_000 // rate, "us")
        folders.write(tmp_path / "three" / f"{k}.cfg", raw[edges[k] : edges[k + 1]], start, rate=rate)
    found = []
    for kind in ("one", "three"):
        measured(tmp_path / kind, tmp_path / f"out {kind}", settings=SETTINGS)
        found.append(
            sorted(table(tmp_path / f"out {kind}", "en50160"), key=lambda r: [str(r[k]) for k in ("period", "parameter", "phase", "order", "start")])
        )
    a, b = found
    assert len(a) == len(b) > 10 and {r["parameter"] for r in a} >= {"f", "U"}
    for x, y in zip(a, b, strict=True):
        for key in ("period", "parameter", "phase", "order", "verdict", "N", "N1", "N2", "N_invalid", "start", "end", "coverage", "reason"):
            assert x[key] == y[key], key
    # 13 of the 1008 intervals of a week
    (week,) = [r for r in b if r["period"] in ("week", "rest") and r["parameter"] is None]
    assert week["coverage"] == pytest.approx(100 * 13 / 1008, abs=5e-5)


def test_events_are_those_of_the_whole(one, three):
    a, b = table(one, "events"), table(three, "events")
    assert [e["type"] for e in a] == [e["type"] for e in b] == ["dip", "dip", "interruption"]
    for x, y in zip(a, b, strict=True):
        assert y["duration"] == pytest.approx(x["duration"], abs=2e-6) and y["U_residual"] == pytest.approx(x["U_residual"], abs=1e-4)


@pytest.mark.parametrize("kind", [pytest.param("one", marks=pytest.mark.long), "three"])
def test_an_event_over_the_border_of_a_piece_has_its_end(folder, tmp_path, monkeypatch, raw, kind: str):
    """The dip over 00:20, and the interruption over 00:40, which began a piece earlier."""
    monkeypatch.setattr(planning, "CUT_NS", TWENTY_MINUTES)
    _, seen = measured(folder / kind, tmp_path / "out", settings=SETTINGS)
    assert len(seen.all("piece")) == 4
    dip, _, interruption = table(tmp_path / "out", "events")
    # half-cycle values see an edge up to a cycle late, and a hysteresis more
    assert list(dip["phases"]) == ["L1"]
    assert dip["duration"] == pytest.approx(lines.DIP[1] - lines.DIP[0], abs=0.03)
    assert interruption["duration"] == pytest.approx(lines.INTERRUPTION[1] - lines.INTERRUPTION[0], abs=0.03)
    (register,) = table(tmp_path / "out", "registers")
    assert register["A+"] - register["A-"] == pytest.approx(lines.active(raw), rel=1e-12)


@pytest.mark.parametrize(("jump", "n"), [(-700_000, (780, 13)), (400_000, (780, 13)), (-12_000_000, (779, 12)), (13_000_000, (779, 12))])
def test_clocks_that_do_not_fit_to_the_sample(tmp_path, jump: int, n: tuple[int, int]):
    """Each sample is in the registers, and the site is judged; where clocks are off by milliseconds, by all its intervals."""
    second, rate = folders.frames(1, 800, 800), 800
    raw = np.tile(second, (7800, 1))
    middle = 3905 * rate
    folders.write(tmp_path / "in" / "b.cfg", raw[:middle], rate=rate)
    folders.write(tmp_path / "in" / "a.cfg", raw[middle:], folders.START + np.timedelta64(3905_000_000 + jump // 1000, "us"), rate=rate)
    measured(tmp_path / "in", tmp_path / "out", settings=SETTINGS)
    (register,) = table(tmp_path / "out", "registers")
    assert register["A+"] == pytest.approx(folders.active(raw, rate), rel=1e-12) and register["recordings"] == 2
    verdicts = table(tmp_path / "out", "en50160")
    frequency = next(r for r in verdicts if r["parameter"] == "f" and r["period"] == "week")
    voltage = next(r for r in verdicts if r["parameter"] == "U" and r["period"] == "week")
    assert (frequency["N"], voltage["N"]) == n
