"""What cannot be meant is refused by a typed error that says what was wrong."""

from __future__ import annotations

import numpy as np
import pytest

from ctmeter import Analyzer, Channel, Recording, measure, read
from ctmeter.errors import CtmeterWarning, InputError, SettingsError
from ctmeter.recording import Gap

RATE = 1600.0


def sine(seconds: float = 1.0) -> np.ndarray:
    return 325.0 * np.sin(2 * np.pi * 50.0 * np.arange(round(RATE * seconds)) / RATE)


@pytest.mark.parametrize("rate", ["12800", None, True, 0.0, -1.0, float("nan"), float("inf"), 1e-9, 0.0999])
def test_rates_of_arrays(rate):
    with pytest.raises(InputError, match="sample_rate"):
        Recording.from_arrays({"U_L1": sine()}, sample_rate=rate)
    with pytest.raises(InputError, match="sample_rate"):
        Analyzer(sample_rate=rate, channels=[Channel("U_L1")])


def test_rates_of_any_number_type():
    for rate in (1600, np.float32(1600), np.int64(1600)):
        assert Recording.from_arrays({"U_L1": sine()}, sample_rate=rate).sample_rate == 1600.0


def test_settings_and_paths_of_a_wrong_type(tmp_path):
    recording = Recording.from_arrays({"U_L1": sine()}, sample_rate=RATE)
    with pytest.raises(SettingsError, match="settings: 5"):
        measure(recording, settings=5)
    with pytest.raises(SettingsError, match="settings: 5"):
        Analyzer(5, sample_rate=RATE, channels=[Channel("U_L1")])
    for call in (read, measure):
        with pytest.raises(InputError, match="5"):
            call(5)
    with pytest.raises(SettingsError, match="rate"):
        read(tmp_path / "x.csv", rate="100")


def test_channels_of_a_wrong_type():
    for channels in (["U_L1"], "U_L1", 5, None):
        with pytest.raises(InputError, match="channels"):
            Analyzer(sample_rate=RATE, channels=channels)


def test_two_channels_for_one_part():
    with pytest.raises(InputError, match=r"U_L1: #1 U_L1, #2 U_L1"):
        Analyzer(sample_rate=RATE, channels=[Channel("U_L1"), Channel("U_L1"), Channel("I_L1")])


@pytest.mark.parametrize("samples", [2.5, "3", None, 0, -1])
def test_gaps_that_are_none(samples):
    with pytest.raises(InputError, match="gap"):
        Gap(samples)


def test_gaps_longer_than_a_century():
    analyzer = Analyzer(sample_rate=RATE, channels=[Channel("U_L1")])
    analyzer.feed(sine()[:, None])
    for samples in (10**18, round(101 * 366 * 86_400 * RATE)):
        with pytest.raises(InputError, match="century"):
            analyzer.feed(Gap(samples))
    analyzer.feed(Gap(np.int64(1600)))
    assert analyzer.finish().summary["quality"]["gaps"] == 1600


def test_damaged_snapshots():
    analyzer = Analyzer(sample_rate=RATE, channels=[Channel("U_L1")], settings={"nominal_voltage": 230.0})
    analyzer.feed(sine(2.0)[:, None])
    whole = analyzer.snapshot()
    Analyzer.restore(whole)
    rng = np.random.default_rng(1)
    places = {*range(40), len(whole) - 1, *rng.integers(0, len(whole), 200).tolist()}
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        with pytest.raises(InputError, match="snapshot"):
            Analyzer.restore(bytes(damaged))
    for length in (0, 5, 20, 40, len(whole) // 2, len(whole) - 1):
        with pytest.raises(InputError, match="snapshot"):
            Analyzer.restore(whole[:length])
    with pytest.raises(InputError, match="snapshot"):
        Analyzer.restore(whole + b"\0")
    for other in (None, "text", 5):
        with pytest.raises(InputError, match="snapshot"):
            Analyzer.restore(other)


def test_use_after_close(tmp_path):
    recording = Recording.from_arrays({"U_L1": sine()}, sample_rate=RATE)
    for ending in ("csv", "npz", "wav"):
        recording.write(tmp_path / f"a.{ending}")
    with pytest.warns(CtmeterWarning, match="primary"):
        recording.write(tmp_path / "a.cff")
    opened = [read(tmp_path / f"a.{ending}") for ending in ("cff", "csv", "npz", "wav")]
    for one in [*opened, recording]:
        other = one.with_channels(one.channels)
        one.close()
        one.close()
        for call in (one.read, one.read_status, other.read, lambda one=one: list(one.blocks(10)), lambda one=one: measure(one)):
            with pytest.raises(InputError, match="closed"):
                call()


def test_rows_before_the_first():
    recording = Recording.from_arrays({"U_L1": sine()}, sample_rate=RATE)
    for rows in ((-1, 10), (-5, None), (0, -1)):
        with pytest.raises(InputError, match="rows"):
            recording.read(None, *rows)
        with pytest.raises(InputError, match="rows"):
            recording.read_status(*rows)
    assert recording.read(None, 10**9).shape == (0, 1)


@pytest.mark.parametrize(
    ("header", "offers"),
    [
        ("t,U_L1,U_L1,I_L1", ("U_L1=#1,I_L1=I_L1", "U_L1=#2,I_L1=I_L1")),
        ("t,Va1,Va2,Ia", ("U_L1=Va1,I_L1=Ia", "U_L1=Va2,I_L1=Ia")),
    ],
)
def test_ambiguous_channels_are_not_measured(tmp_path, header, offers):
    path = tmp_path / "twice.csv"
    t = np.arange(round(RATE)) / RATE
    rows = "".join(f"{s:.6f},{v:.4f},{v:.4f},{v / 100:.4f}\n" for s, v in zip(t, sine(), strict=True))
    path.write_text(f"{header}\n{rows}")
    with pytest.raises(InputError, match="ambiguous") as caught:
        measure(path)
    assert all(f'--map "{offer}"' in str(caught.value) for offer in offers)
    chosen = dict(part.split("=") for part in offers[1].split(","))
    assert measure(path, map=chosen).mean["U_L1"] == pytest.approx(325.0 / 2**0.5, rel=1e-4)
