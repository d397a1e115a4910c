"""COMTRADE: declared rates, time stamps and sample numbers that disagree."""

from __future__ import annotations

import numpy as np
import pytest

from ctmeter.errors import InputError
from ctmeter.readers.comtrade import READER
from readers.comtrade_files import cfg_text, dat_bytes, samples, states, write


@pytest.fixture
def read(tmp_path):
    def read(stamps, rates=("1", "1000,{n}"), *, numbers=None, file_type="BINARY", rate=None, **fields):
        n = len(stamps)
        rates = tuple(r.format(n=n) for r in rates)
        cfg = cfg_text(file_type=file_type, rates=rates, **fields)
        return READER.read(write(tmp_path, cfg, dat_bytes(file_type, samples(n), states(n), stamps, numbers)), rate=rate)

    return read


def said(rec):
    return " | ".join(rec.warnings)


def offsets(rec):
    """us from the start of the recording to the start of each segment."""
    return [(s.start_ns - rec.start_ns) / 1000 for s in rec.segments]


def missing_stamps(n):
    return [2**32 - 1] * n


def test_rounded_stamps_leave_the_declared_rate(read):
    for stamps in ([k * 10**6 // 1200 for k in range(500)], [k * 833 for k in range(500)], [round(k * 1e6 / 1200) for k in range(500)]):
        rec = read(stamps, ("1", "1200,{n}"))
        assert rec.sample_rate == 1200 and not rec.gaps and "time stamps" not in said(rec)


def test_stamps_win_over_a_rate_that_is_not_theirs(read):
    rec = read([round(k * 1e6 / 1003.7) for k in range(2000)])
    assert rec.sample_rate == pytest.approx(1003.7, rel=2e-6) and "1000 Hz is declared" in said(rec) and "+3700 ppm" in said(rec)


def test_no_rate_at_all(read):
    for file_type in ("BINARY", "ASCII"):
        rec = read([k * 1250 for k in range(100)], ("0", "0,{n}"), file_type=file_type)
        assert rec.sample_rate == 800
    with pytest.raises(InputError, match="neither a declared rate nor usable"):
        read(missing_stamps(100), ("0", "0,{n}"))
    assert read(missing_stamps(100), ("0", "0,{n}"), rate=800).sample_rate == 800
    rng = np.random.default_rng(1)
    with pytest.raises(InputError, match="irregular"):
        read(np.cumsum(rng.integers(1, 10_000, 300)).tolist(), ("0", "0,{n}"))


def test_irregular_stamps_with_a_rate(read):
    rec = read(np.cumsum(np.random.default_rng(1).integers(1, 5000, 300)).tolist())
    assert rec.sample_rate == 1000 and "irregular" in said(rec) and not rec.gaps


def test_the_users_rate_wins(read):
    rec = read([k * 1000 for k in range(50)], rate=2000.0)
    assert rec.sample_rate == 2000 and "given by the user" in said(rec)
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError):
            read([0, 1000], rate=bad)


@pytest.mark.parametrize("length", [1, 2, 17, 100_000])
def test_a_gap_of_whole_samples(read, length):
    stamps = [k * 1000 + (length * 1000 if k >= 40 else 0) for k in range(100)]
    rec = read(stamps)
    assert [(row, g.samples) for row, g in rec.gaps] == [(40, length)] and len(rec.segments) == 1 and rec.sample_rate == 1000
    assert rec.duration == pytest.approx((100 + length) * 1e-3)
    blocks = list(rec.blocks(1000))
    assert [len(blocks[0]), blocks[1].samples, len(blocks[2])] == [40, length, 60]
    assert blocks[2].timebase.start_ns - rec.start_ns == (40 + length) * 10**6
    assert f"a gap of {length} samples" in said(rec)


def test_a_gap_of_part_samples_starts_a_segment(read):
    rec = read([k * 1000 + (17_400 if k >= 40 else 0) for k in range(100)])
    assert [(row, g.samples) for row, g in rec.gaps] == [(40, 17)]
    assert offsets(rec) == [0, 57_400] and rec.segments[1].start == 40
    assert [b.timebase.start_ns - rec.start_ns for b in rec.blocks(1000) if hasattr(b, "raw")] == [0, 57_400_000]


def test_rates_with_a_gap_between(read):
    stamps = [k * 1000 for k in range(50)] + [80_000 + k * 500 for k in range(60)]
    rec = read(stamps, ("2", "1000,50", "2000,{n}"))
    assert [s.sample_rate for s in rec.segments] == [1000, 2000] and offsets(rec) == [0, 80_000]
    assert [(row, g.samples) for row, g in rec.gaps] == [(50, 61)]
    assert rec.duration == pytest.approx(0.11)


def test_rates_that_join(read):
    rec = read([k * 1000 for k in range(50)] + [50_000 + k * 500 for k in range(60)], ("2", "1000,50", "2000,{n}"))
    assert offsets(rec) == [0, 50_000] and not rec.gaps and rec.duration == pytest.approx(0.08)
    rec = read(missing_stamps(110), ("2", "1000,50", "2000,{n}"))
    assert offsets(rec) == [0, 50_000] and rec.duration == pytest.approx(0.08)


def test_slow_segments(read):
    stamps = np.cumsum([0] + [20_000] * 30 + [2_500] * 30 + [1000] * 39).tolist()
    rec = read(stamps, ("3", "50,30", "400,60", "1000,{n}"))
    assert [bool(s.excluded) for s in rec.segments] == [True, False, False]
    assert "fewer than 4" in rec.segments[0].excluded and "fewer than 16" in said(rec)
    assert {b.start for b in rec.blocks(1000) if hasattr(b, "raw")} == {30, 60}


def test_more_segments_than_rows(read):
    rec = read([k * 1000 for k in range(30)], ("3", "1000,20", "1000,40", "1000,60"))
    assert [(s.start, s.stop) for s in rec.segments] == [(0, 20), (20, 30)] and "30 fewer than the 60 declared" in said(rec)


@pytest.mark.parametrize("modulus", [2**16, 2**32, 10**6])
@pytest.mark.parametrize("file_type", ["ASCII", "BINARY"])
def test_wrap(read, modulus, file_type):
    start = modulus - 20_000
    rec = read([(start + k * 1000) % modulus for k in range(200)], file_type=file_type)
    assert rec.sample_rate == 1000 and not rec.gaps and "wrap" in said(rec)


def test_wrap_of_a_long_record(read):
    n = 80_000  # beyond the rows of which every step is looked at
    rec = read([(2**32 - 10_000 + k * 1000) % 2**32 for k in range(n)])
    assert rec.sample_rate == 1000 and not rec.gaps and "wrap" in said(rec)
    rec = read([k * 1000 + (5000 if k >= 70_001 else 0) for k in range(n)])
    assert rec.sample_rate == 1000 and [(row, g.samples) for row, g in rec.gaps] == [(70_001, 5)]


def test_single_wrong_and_missing_stamps(read):
    stamps = [k * 1000 for k in range(1000)]
    stamps[7], stamps[500], stamps[501] = 2**32 - 1, 3, 4_000_000_000
    rec = read(stamps)
    assert rec.sample_rate == 1000 and not rec.gaps and "3 time stamps are missing or wrong" in said(rec)


def test_a_step_back_is_said(read):
    rec = read([k * 1000 - (30_500 if k >= 600 else 0) for k in range(1000)])
    assert rec.sample_rate == 1000 and not rec.gaps and "row 600" in said(rec) and rec.duration == pytest.approx(1.0)


@pytest.mark.parametrize("stamps", [missing_stamps(200), [0] * 200])
def test_gaps_by_sample_number_without_stamps(read, stamps):
    numbers = [k + 1 + (25 if k >= 90 else 0) for k in range(200)]
    rec = read(stamps, numbers=numbers)
    assert [(row, g.samples) for row, g in rec.gaps] == [(90, 25)] and rec.duration == pytest.approx(0.225)


def test_sample_numbers_that_wrap_or_say_nothing(read):
    assert not read(missing_stamps(200), numbers=[k % 100 for k in range(200)]).gaps
    rec = read(missing_stamps(200), numbers=[5] * 200)
    assert not rec.gaps and "do not count up" in said(rec)


def test_stamps_without_gap_win_over_sample_numbers(read):
    rec = read([k * 1000 for k in range(200)], numbers=[k + 1 + (25 if k >= 90 else 0) for k in range(200)])
    assert not rec.gaps


@pytest.mark.parametrize(
    "step, multiplier, head",
    [
        (1000, "1", "S,D,1999"),
        (100, "10", "S,D,1999"),
        (1, "1", "S,D,1999"),
        (10**6, "1", "S,D,1999"),
        (1000, "1000", "S,D,1999"),
        (7, "1", "S,D,1999"),
    ],
)
def test_units_of_stamps(read, step, multiplier, head):
    rec = read([k * step for k in range(100)], head=head, tail=(multiplier,))
    assert rec.sample_rate == pytest.approx(1000) and not rec.gaps
    assert ("taken" in said(rec).replace("taken as UTC", "")) == (step * int(multiplier) != 1000)


def test_nanosecond_stamps_of_2013(read):
    rec = read([k * 10**6 for k in range(100)], head="S,D,2013", start="01/02/2024,03:04:05.000000000", tail=("1", "0,0", "0,0"))
    assert rec.sample_rate == 1000 and not rec.warnings


def test_coarse_stamps(read):
    rec = read([k // 8 * 1000 for k in range(4000)], ("1", "8000,{n}"))
    assert rec.sample_rate == 8000 and not rec.gaps


def test_no_clock(read):
    rec = read([k * 1000 for k in range(100)], start="00/00/0000,00:00:00")
    assert rec.start_ns is None and rec.duration == pytest.approx(0.1) and "no clock" in said(rec)


@pytest.mark.parametrize("rates", [("1", "1000,{n}"), ("0", "0,{n}")])
@pytest.mark.parametrize("file_type", ["BINARY", "ASCII"])
@pytest.mark.parametrize("n", [500, 5000])
def test_stamps_of_16_bits_that_keep_wrapping(read, rates, file_type, n):
    rec = read([(k * 1000) % 65536 for k in range(n)], rates, file_type=file_type)
    assert rec.sample_rate == pytest.approx(1000, rel=1e-9) and not rec.gaps and len(rec.segments) == 1
    assert f"16 bits and wrap round {(n - 1) * 1000 // 65536} times" in said(rec)


@pytest.mark.parametrize("rates", [("1", "1000,{n}"), ("0", "0,{n}")])
def test_stamps_of_16_bits_of_a_long_record(read, rates):
    n = 80_000  # beyond the rows of which every step is looked at
    rec = read([(k * 1000 + (5000 if k >= 70_001 else 0)) % 65536 for k in range(n)], rates)
    assert rec.sample_rate == pytest.approx(1000, rel=1e-7) and [(row, g.samples) for row, g in rec.gaps] == [(70_001, 5)]


@pytest.mark.parametrize("stamps", [[k % 50 * 1000 for k in range(500)], [(k * 1000) % 65536 + (70_000 if k == 400 else 0) for k in range(500)]])
def test_stamps_that_start_again_for_another_reason(read, stamps):
    assert "16 bits" not in said(read(stamps))


@pytest.mark.parametrize("declared", ["1e-9", "0.05"])
def test_absurd_rates_are_refused(read, declared):
    with pytest.raises(InputError, match=r"at least 0\.1 Hz"):
        read([k * 1000 for k in range(100)], ("1", declared + ",{n}"))
    assert read([k * 1000 for k in range(100)], ("1", declared + ",{n}"), rate=1000.0).sample_rate == 1000
