"""What is wrong with bench data: named with file and line, all of it at once, each fault once."""

from __future__ import annotations

import math

import numpy as np
import pytest

import ctmeter
from accuracy.rigs import point_of, record, rig_of, write_reference
from ctmeter import accuracy
from ctmeter.errors import InputError, SettingsError

GOOD = {"power_W": 3450.0, "I": 5}


def refused(place, *rows, error=InputError, **more):
    """The message about rows of a reference."""
    path = write_reference(place / "ref.txt", [dict(r) for r in rows])
    with pytest.raises(error) as caught:
        accuracy.run_bench(place, path, **more)
    return str(caught.value)


@pytest.fixture
def one(tmp_path):
    record(rig_of(), point_of(), tmp_path / "a.npz", 2.0)
    return tmp_path


def test_everything_wrong_is_named_at_once(tmp_path):
    for name, current in (("a", 5.0), ("b", 5.0), ("c", 7.0), ("d", 7.0), ("lonely", 5.0)):
        record(rig_of(), point_of(I=current), tmp_path / f"{name}.npz", 1.0)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no more")
    rows = [
        {"recording": "a.npz", "power_W": 0},
        {"recording": "b.npz", "power_W": "much"},
        {"recording": "c.npz", "power_W": 4830, "factor": 1},
        {"recording": "gone.npz", "power_W": 3450},
        {"recording": "b.npz", "load": "L4"},
        {"recording": "b.npz", "power_W": 3450, "factor": "foo"},
        {"recording": "b.npz", "power_W": 3450, "factor": "2"},
        {"recording": "d.npz", "power_W": 4830},
        {"recording": "broken.npz", "power_W": 4830},
        {"recording": "a.npz", "power_W": 3450, "test": "warm", "U": -1, "missing": "L5", "direction_reactive": "up"},
    ]
    text = refused(tmp_path, *rows)
    for words in (
        "line 2: power_W is zero", "line 3: power_W: 'much'", "c.npz (line 4): its current of 7 A is outside", "line 5: recording gone.npz",
        "line 6: load: 'L4'", "line 6: no reference", "line 7: factor: 'foo'", "line 8: factor: '2'", "such as 0.5 ind",
        "d.npz (line 9): its current of at least 7 A", "line 10: ", "broken.npz", "line 11: test: 'warm'", "line 11: U: -1",
        "line 11: missing: 'L5'", "line 11: direction_reactive: 'up'", "lonely.npz: no row",
    ):  # fmt: skip
        assert text.count(words) == 1 or (words in text and words in ("broken.npz", "such as 0.5 ind")), words
    # rows with faults name their recordings all the same
    assert text.count("no row of the reference names it") == 1 and text.count("'foo'") == text.count("'L4'") == 1
    unknown = refused(tmp_path, *rows, meter_class="D", bands=["warm"], error=SettingsError)
    assert all(words in unknown for words in ("'D'", "is zero", "lonely.npz", "'foo'"))


def test_tables_of_limits_that_cannot_be_read(one):
    text = refused(one, {"recording": "a.npz", **GOOD, "factor": "foo"}, limits=one / "none.toml", error=SettingsError)
    assert "none.toml" in text and "'foo'" in text
    assert "warm" in refused(one, {"recording": "a.npz", **GOOD}, bands=["warm"], error=SettingsError)


@pytest.mark.parametrize("factor", ["0.5", "foo", "2", "1.5 ind", "0", "0 ind", "0.5 late", "-1", "nan", "1e0"])
def test_factors_that_are_none(one, factor):
    text = refused(one, {"recording": "a.npz", **GOOD, "factor": factor})
    assert f"ref.txt, line 2: factor: {factor!r}, expected 1, or a number between 0 and 1 with ind or cap" in text


def test_a_recording_is_no_repeat_of_itself(one):
    row = {"recording": "a.npz", **GOOD}
    assert "ref.txt, line 3: a.npz has a reference of active energy in line 2 already" in refused(one, row, row)
    path = write_reference(one / "ref.txt", [row, {"recording": "a.npz", "I": 5, "factor": 1, "power_var": 0.2}])
    assert accuracy.run_bench(one, path).verdict == "pass"


@pytest.mark.parametrize("factor", ["1", "1.0", "1 ind", "1.000 cap"])
def test_one_has_no_letters(one, factor):
    path = write_reference(one / "ref.txt", [{"recording": "a.npz", **GOOD, "factor": factor}])
    assert accuracy.run_bench(one, path).points[0].reading.point.factor == "1"


def test_a_recording_as_csv_that_no_row_names(one):
    t = np.arange(12_800) / 12_800
    columns = [t, *(230 * 2**0.5 * np.sin(2 * np.pi * (50 * t - k / 3)) for k in range(3)), *(np.sin(2 * np.pi * (50 * t - k / 3)) for k in range(3))]
    head = "time [s],UL1 [V],UL2 [V],UL3 [V],IL1 [A],IL2 [A],IL3 [A]"
    np.savetxt(one / "stray.csv", np.stack(columns, axis=1), fmt="%.6f", delimiter=",", header=head, comments="")
    (one / "notes.csv").write_text("who,what\nann,set up\n")
    (one / "notes.txt").write_text("set up by ann\n")
    text = refused(one, {"recording": "a.npz", **GOOD, "factor": "foo"})
    assert "stray.csv: no row" in text and "notes" not in text and "ref.txt: no row" not in text


def test_references_that_contradict_each_other(one):
    """Two seconds at 3450 W are 1.916667 Wh."""
    row = {"recording": "a.npz", "I": 5, "factor": 1, "power_W": 3450, "energy_Wh": 1.8}
    text = refused(one, row)
    assert "a.npz (line 2): the references of active energy contradict each other: energy_Wh stands for 3240 W, power_W stands for 3450 W" in text
    for good in ({"energy_Wh": 1.9167}, {"energy_Wh": 1.914, "uncertainty_pct": 0.2}):
        assert accuracy.run_bench(one, write_reference(one / "ref.txt", [row | good])).verdict == "pass"
    phases = {f"power_W_{p}": 1150 for p in ("L1", "L2")} | {"power_W_L3": 1050}
    assert "power_W_L1... stands for 3350 W" in refused(one, {"recording": "a.npz", "I": 5, "factor": 1, "power_W": 3450, **phases})


def test_pulses_and_energy_that_contradict_each_other(tmp_path):
    record(rig_of(), point_of(), tmp_path / "a.npz", 4.0)
    (tmp_path / "pulses").write_text("\n".join(str(0.5 + 360 / 3450 * k) for k in range(30)))
    row = {"recording": "a.npz", "I": 5, "factor": 1, "pulse_times": "pulses", "constant": 10_000}
    text = refused(tmp_path, {**row, "energy_Wh": 3450 * 3.2 / 3600})
    assert "energy_Wh stands for 2760 W, pulse_times stands for 3450 W" in text
    (tmp_path / "pulses").write_text("0.5\n1.0\n4.5\n")
    assert "its last pulse is at 4.5 s, the recording ends at 4 s" in refused(tmp_path, row)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"power_W": -3450, "direction": "import"}, "line 2: direction: import, but power_W is -3450"),
        ({"power_W": 3450, "direction": "export"}, "direction, polarity or phase order contradict each other"),
        ({"power_W": 3450, "power_var": 0, "factor": "0.5 ind"}, "factor '0.5 ind' and +3450 W, +0 var contradict each other (60.0° and 0.0°)"),
        ({"power_W": 3450, "factor": "0.5 ind"}, "5 A is stated, its reference and power factor stand for 10 A at 230 V"),
        ({"power_W": 3450, "I": 2}, "2 A is stated, its reference"),
        ({"power_W": 3450, "test": "voltage"}, "test voltage, but its conditions are those of a load point"),
        ({"power_W": 3450, "U": 253, "test": "load"}, "test load, but its conditions are those of voltage"),
    ],
)
def test_statements_that_contradict_each_other(one, row, words):
    assert words in refused(one, {"recording": "a.npz", "I": 5, "factor": "1", **row})


def test_a_voltage_or_frequency_that_nobody_states(tmp_path):
    """It is the reference one; the recording is asked only whether it can be."""
    record(rig_of(), point_of(U=207.0, f=49.0), tmp_path / "a.npz", 2.0)
    row = {"recording": "a.npz", "power_W": 3 * 207 * 5, "factor": 1, "I": 5}
    text = refused(tmp_path, row)
    assert "it has 207 V and the row states no voltage (expected a column U, or another reference voltage, --un, than 230 V)" in text
    assert "it has 49 Hz and the row states no frequency" in text
    path = write_reference(tmp_path / "ref.txt", [row])
    (point,) = accuracy.run_bench(tmp_path, path, u_n=207.0, f_n=49.0).to_dict()["points"]
    assert (point["test"], point["U"], point["f"], point["verdict"]) == ("load", 207.0, 49.0, "pass")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"U": 253, "power_W": 3450}, "its row states 253 V, the recording has 230 V"),
        ({"f": 51, "power_W": 3450}, "its row states 51 Hz, the recording has 50 Hz"),
        ({"missing": "L2", "power_W": 3450}, "its row states no voltage in L2, the recording has 230 V there"),
    ],
)
def test_conditions_that_the_recording_does_not_have(one, row, words):
    """Such as those of another row."""
    assert words in refused(one, {"recording": "a.npz", "I": 5, "factor": "1", **row})


def test_a_voltage_that_nobody_states_of_three_wires(tmp_path):
    """100 V between the lines are 57.7 V, not the 230 V of a meter that nobody described."""
    t = np.arange(12_800) / 12_800
    u, i = ([a * math.sqrt(2) * np.sin(2 * math.pi * (50 * t - k / 3)) for k in range(3)] for a in (100 / math.sqrt(3), 5.0))
    channels = {"U_L12": u[0] - u[1], "U_L32": u[2] - u[1], "I_L1": i[0], "I_L3": i[2]}
    ctmeter.Recording.from_arrays(channels, sample_rate=12_800.0).write(tmp_path / "a.npz")
    row = {"recording": "a.npz", "power_W": math.sqrt(3) * 100 * 5, "power_var": 0}
    assert "it has 57.74 V and the row states no voltage" in refused(tmp_path, row)
    (point,) = accuracy.run_bench(tmp_path, write_reference(tmp_path / "ref.txt", [row]), u_n=100 / math.sqrt(3)).to_dict()["points"]
    assert point["I"] == 5.0 and point["verdict"] == "pass" and point["error_pct"] == pytest.approx(0, abs=1e-5)


def test_current_in_one_phase_that_the_row_does_not_state(tmp_path):
    """A meter with two dead inputs is not one under single-phase load."""
    record(rig_of(), point_of(load="L2"), tmp_path / "a.npz", 1.0)
    row = {"recording": "a.npz", "power_W": 1150, "factor": 1, "I": 5, "U": 230}
    assert "current flows in L2 alone, and the row does not say so" in refused(tmp_path, row)
    (point,) = accuracy.run_bench(tmp_path, write_reference(tmp_path / "ref.txt", [row | {"load": "L2"}])).to_dict()["points"]
    assert (point["load"], point["limit_pct"], point["verdict"]) == ("L2", 1.0, "pass")


def test_a_point_with_two_conditions(tmp_path):
    for name, current in (("a", 5.0), ("b", 1.0)):
        record(rig_of(), point_of(I=current), tmp_path / f"{name}.npz", 1.0)
    rows = [{"recording": f"{n}.npz", "power_W": 690 * i, "factor": 1, "I": i, "point": "P1"} for n, i in (("a", 5), ("b", 1))]
    assert "b.npz (line 3): point P1 is load/active/import/balanced/1/1A" in refused(tmp_path, *rows)


def test_samples_that_are_missing(tmp_path):
    """Of all channels: a power still stands for the rest, an energy of the whole does not. Of one channel: neither does."""
    record(rig_of(), point_of(), tmp_path / "whole.npz", 4.0)
    with ctmeter.read(tmp_path / "whole.npz") as recording:
        channels = {c.role: recording.read([c.role])[:, 0].astype(float).copy() for c in recording.channels}
    (tmp_path / "whole.npz").unlink()
    row = {"recording": "a.npz", "factor": 1, "I": 5}
    whole, mean = {**row, "energy_Wh": 3450 * 4 / 3600}, {**row, "power_W": 3450}
    # 1024 samples are four cycles
    parts = {k: np.delete(v, slice(20_480, 21_504)) for k, v in channels.items()}
    made = ctmeter.Recording.from_arrays(parts, sample_rate=12_800.0)
    made.gaps = ((20_480, ctmeter.Gap(1024, "lost")),)
    made.write(tmp_path / "a.npz")
    assert "1024 samples are missing or excluded, energy_Wh of the whole recording cannot be compared" in refused(tmp_path, whole)
    assert accuracy.run_bench(tmp_path, write_reference(tmp_path / "ref.txt", [mean])).verdict == "pass"
    channels["I_L1"][20_000:21_000] = np.nan
    ctmeter.Recording.from_arrays(channels, sample_rate=12_800.0).write(tmp_path / "a.npz")
    assert "1000 samples of I_L1 are no numbers, its power cannot be compared" in refused(tmp_path, mean)


def test_settings_that_cannot_be_used(one):
    text = refused(one, {"recording": "a.npz", **GOOD}, settings={"wirring": "3P4W"}, error=SettingsError)
    assert text.count("wirring") == 1


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"none: is no directory.*ref.txt: cannot be read"):
        accuracy.run_bench(tmp_path / "none", tmp_path / "ref.txt")
    with pytest.raises(InputError, match="cannot be read"):
        accuracy.run_bench(tmp_path, tmp_path / "ref.txt")
    (tmp_path / "ref.txt").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="line 1: has no column recording"):
        accuracy.run_bench(tmp_path, tmp_path / "ref.txt")
    (tmp_path / "ref.txt").write_text("recording,power_W,watt,I,I\na.npz,1,2,3,4,5\n")
    with pytest.raises(InputError, match=r"'watt' is not known.*'I' is there twice.*line 2: 6 fields, expected 5"):
        accuracy.run_bench(tmp_path, tmp_path / "ref.txt")
