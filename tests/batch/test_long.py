"""What lasts longer than a file or a piece: interruptions over hours of files, and the nominal frequency while there is no voltage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest

from ctmeter import Recording
from ctmeter.batch import run
from ctmeter.batch.spanning import ended

HOUR = 3600 * 1_000_000_000
START = np.datetime64("2026-03-31T00:00:00", "ns")


def write(folder: Path, lit: list[tuple[float, float]], hours: int, frequency: float) -> None:
    """A voltage of 230 V in files of an hour at 1.2 kHz, there only between some hours."""
    folder.mkdir()
    n = 3600 * 1200
    whole = np.round(230 * 2**0.5 / 0.02 * np.sin(2 * np.pi * frequency / 1200 * np.arange(n))).astype(np.int16)
    for k in range(hours):
        there = np.zeros(n, bool)
        for a, b in lit:
            there[max(round((a - k) * n), 0) : max(round((b - k) * n), 0)] = True
        start = f"{START + np.timedelta64(k, 'h')}Z"
        made = Recording.from_arrays({"U_L1": np.where(there, whole, np.int16(0))}, sample_rate=1200.0, start=start, scale={"U_L1": 0.02})
        made.write(folder / f"{k:02d}.parquet")


def rows(out: Path, table: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = ds.dataset(out / "dataset" / table, partitioning="hive").to_table().sort_by("t").to_pylist()
    return found


@pytest.mark.long
def test_an_interruption_of_ten_hours_over_files_of_one(tmp_path):
    write(tmp_path / "in", [(0, 1.5), (11.5, 13)], 13, 50)
    run(tmp_path / "in", out=tmp_path / "out", nominal_voltage=230.0, wiring="1P2W", jobs=2)
    dip, interruption = rows(tmp_path / "out", "events")
    assert (dip["type"], interruption["type"]) == ("dip", "interruption")
    assert interruption["duration"] == pytest.approx(10 * 3600, abs=0.021)  # a cycle at the end
    assert dip["duration"] == pytest.approx(10 * 3600, abs=0.05)
    assert dip["U_residual"] == interruption["U_residual"] == 0.0


def test_recordings_without_voltage_belong_to_the_network_around_them(tmp_path):
    write(tmp_path / "in", [(0, 1), (2, 3)], 3, 60)
    run(tmp_path / "in", out=tmp_path / "out", nominal_voltage=230.0, wiring="1P2W", jobs=1)
    _, interruption = rows(tmp_path / "out", "events")
    assert interruption["duration"] == pytest.approx(3600, abs=0.02)
    times = [r["t"] for r in rows(tmp_path / "out", "10min")]
    assert len(times) == len(set(times)) == 18


def event(t: int, duration: float | None, low: float, kind: str = "dip") -> dict[str, object]:
    detail = [{"phase": "L1", "t": t, "duration": duration, "U": low}]
    return {"type": kind, "t": t, "duration": duration, "phases": ["L1"], "U_residual": low, "U_max": None, "flags": 1, "detail": detail}


def test_an_event_ends_as_the_next_piece_knows():
    first = event(5 * HOUR, None, 20.0)
    known = event(5 * HOUR + 200_000, 4 * 3600.0, 10.0)
    assert ended(first, 8 * HOUR, [known]) == {**known, "t": 5 * HOUR}
    # the next piece has seen no more of it than from an hour after it began
    rest = event(6 * HOUR, 3 * 3600.0, 30.0)
    found = ended(first, 8 * HOUR, [event(5 * HOUR, 60.0, 1.0), rest, event(6 * HOUR, 3 * 3600.0, 0.0, "interruption")])
    assert found is not None and found["duration"] == 4 * 3600.0
    assert found["t"] == 5 * HOUR and found["U_residual"] == 20.0
    assert found["detail"] == [{"phase": "L1", "t": 5 * HOUR, "duration": 4 * 3600.0, "U": 20.0}]
    still = ended(first, 8 * HOUR, [event(6 * HOUR, None, 30.0)])
    assert still is not None and still["duration"] is None
    # one that was over before the border is another one
    assert ended(first, 8 * HOUR, [event(6 * HOUR, 3600.0, 30.0)]) is None
