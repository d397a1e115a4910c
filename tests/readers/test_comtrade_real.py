"""The field's own COMTRADE files: every trap of the recordings' README."""

from __future__ import annotations

import comtrade
import numpy as np
import pytest

from ctmeter.errors import InputError
from ctmeter.readers.comtrade import READER


def rms(rec, *names, start=0, stop=None):
    return np.sqrt(np.mean(rec.read(names, start, stop) ** 2, axis=0))


def said(rec):
    return " | ".join(rec.warnings)


def test_ion7650(recordings):
    rec = READER.read(recordings / "ion7650" / "keating_1999.CFG")
    assert rec.format == "COMTRADE 1999 ASCII" and rec.samples == 2048 and rec.nominal_frequency == 60
    assert rec.sample_rate == 30707.244140625 and rec.start == np.datetime64("2015-11-18T05:33:03.765333")
    np.testing.assert_allclose(rms(rec, "U1", "U2", "U3"), [349, 352, 346], atol=0.5)
    np.testing.assert_allclose(rms(rec, "I1", "I2", "I3"), [128, 148, 173], rtol=0.05)
    assert [c.unit for c in rec.channels] == ["A"] * 4 + ["V"] * 4 and rec.channels[0].scale < 0
    assert rec.source.raw(0, 1).tolist() == [[1571, -7576, 10201, -1735, 1905, -4321, 2575, 14]]
    assert "skew is empty" in said(rec) and "byte 98615: DOS end-of-file" in said(rec) and "every time stamp is empty" in said(rec)
    assert READER.read(recordings / "ion7650" / "keating_1999.DAT").samples == 2048


def test_line_275kv(recordings):
    rec = READER.read(recordings / "line-275kv" / "test1.cfg")
    assert rec.format == "COMTRADE 1999 BINARY" and rec.samples == 11001 and rec.sample_rate == 1000 and not rec.gaps
    assert "2001" in said(rec) and len(rec.status_channels) == 84 and rec.channels[12].unit == "one"
    u = rms(rec, "LINE ULA", "LINE ULB", stop=200)
    np.testing.assert_allclose(u, 275e3 / 3**0.5, rtol=0.1)
    assert rec.duration == pytest.approx(11.001)


def test_wisp_1_has_83_rates(recordings):
    rec = READER.read(recordings / "wisp" / "1.cfg")
    assert len(rec.segments) == 83 and rec.samples == 5316 and rec.segments[0].sample_rate == 2401.509521
    rates = [s.sample_rate for s in rec.segments]
    assert min(rates) > 2394 and max(rates) < 2411
    assert rec.metadata["encoding"] == "cp1251" and rec.metadata["device"] == "терминал версия 101110"
    assert rec.duration == pytest.approx(sum((s.stop - s.start) / s.sample_rate for s in rec.segments), abs=1e-6)
    assert not rec.gaps and rec.segments[-1].stop == 5316
    assert rec.source.raw(5315, 5316).tolist() == [[4751, -2577, -2364, -109]]


def test_wisp_3_has_time_from_stamps_only(recordings):
    rec = READER.read(recordings / "wisp" / "3.cfg")
    assert rec.samples == 1360 and rec.sample_rate == pytest.approx(1359 / 1.698295, rel=1e-7)
    assert rec.channels[4].ratio == pytest.approx(190740 / 57.8) and rec.channels[0].ratio == 1000 and rec.channels[4].side == "secondary"
    assert rec.channels[8].unit == "V" and rec.channels[8].scale == pytest.approx(40.28324)
    assert rms(rec, "F5-VA", stop=160)[0] == pytest.approx(57.8, rel=0.05)
    assert "no rate is declared" in said(rec)


def test_wisp_4_has_no_stamps_and_one_row_more(recordings):
    rec = READER.read(recordings / "wisp" / "4.CFG")
    assert rec.samples == 2400 and rec.duration == 4.0 and rec.sample_rate == 600
    assert "1 more than the 2399 declared" in said(rec) and "every time stamp is all ones" in said(rec) and "1997" in said(rec)
    assert "fewer than 16 samples per cycle" in said(rec)


def test_fault_220kv_segments(recordings):
    rec = READER.read(recordings / "fault-220kv" / "xtz.cfg")
    assert [(s.start, s.stop) for s in rec.segments] == [(0, 1280), (1280, 1316), (1316, 2788), (2788, 3077)]
    assert [bool(s.excluded) for s in rec.segments] == [False, True, False, True]
    np.testing.assert_allclose([s.sample_rate for s in rec.segments], [3200, 50, 3200, 50], rtol=1e-3)
    last = rec.segments[-1]
    assert (last.timebase.ns(last.stop - 1 - last.start) - rec.start_ns) * 1e-9 == pytest.approx(7.3378, abs=5e-6)
    # each segment starts where its own stamp says
    stamps = rec.source.stamps(0, rec.samples)
    for segment in rec.segments:
        assert (segment.start_ns - rec.start_ns) * 1e-3 == pytest.approx(float(stamps[segment.start]), abs=2)
    assert rec.metadata["encoding"] == "gb18030" and rec.metadata["device"] == "220kV线路" and rec.channels[0].name == "220kV母线I_Ua"
    u = rms(rec, "220kV母线I_Ua", stop=640)[0] * rec.channels[0].ratio
    assert u == pytest.approx(132.4e3, rel=0.01)
    assert {b.start for b in rec.blocks(4096)} == {0, 1316}


def test_ascii_1991(recordings):
    rec = READER.read(recordings / "ascii-1991" / "ascii_1991.cfg")
    assert rec.format == "COMTRADE 1991 ASCII" and rec.samples == 2131 and rec.sample_rate == 1200
    assert rec.start == np.datetime64("2015-09-17T10:52:52.987545")
    assert rec.metadata["encoding"] == "gb18030" and rec.metadata["hdr_encoding"] == "utf-8" and "制造厂家" in rec.metadata["hdr"]
    assert [s.stop for s in rec.segments] == [289, 506, 1045, 1451, 1629, 1812, 2099, 2131]
    assert [row for row, _ in rec.gaps] == [289, 506, 1045, 1812, 2099]
    assert rec.gaps[0][1].samples == round(3.281666 * 1200) - 1
    # stamps -77500 to 17258333 us
    assert rec.duration == pytest.approx(17.258333 + 0.0775 + 1 / 1200, abs=1e-5)
    assert "the first time stamp is -77500" in said(rec)
    assert rec.channels[0].side is None and rec.source.raw(0, 1)[0, 4] == 25
    starts = [b.timebase.start_ns for b in rec.blocks(4096) if hasattr(b, "raw")]
    assert starts == [s.start_ns for s in rec.segments]


def test_a_configuration_without_its_data(recordings):
    with pytest.raises(InputError, match="no data file") as caught:
        READER.read(recordings / "ascii-1991" / "binary_inf.cfg")
    assert caught.value.expected == "binary_inf.dat"


def test_corner_cases(recordings, tmp_path):
    folder = recordings / "corner-cases"
    expected = None
    for name in ("sample_ascii.cfg", "sample_ascii.cff", "sample_iso8859-1.cfg"):
        rec = READER.read(folder / name)
        assert rec.samples == 40 and rec.sample_rate == 1200 and rec.start == np.datetime64("2011-01-12T11:25:30.075011")
        assert expected is None or np.array_equal(rec.read(), expected)
        expected = rec.read()
    rec = READER.read(folder / "sample_iso8859-1_bin.cfg")
    assert rec.metadata["station"] == "Estação de Medição" and rec.sample_rate == 1200 and not rec.gaps
    rec = READER.read(folder / "sample_float32.cff")
    assert rec.format == "COMTRADE 2013 FLOAT32 CFF" and rec.samples == 301 and rec.start_ns % 10**9 == 422969065
    assert "0.001 s" in said(rec)
    rec = READER.read(folder / "sample_bin.cfg")
    assert rec.samples == 5 and rec.channels[0].unit == "V" and rec.channels[0].scale == pytest.approx(0.361849)
    for cfg, dat, rows in (
        ("sample_ascii", "sample_ascii_missing", 40),
        ("sample_bin", "sample_bin_missing", 5),
        ("sample_sub_char", "sample_ascii", 40),
    ):
        (tmp_path / f"{cfg}.cfg").write_bytes((folder / f"{cfg}.cfg").read_bytes())
        (tmp_path / f"{cfg}.dat").write_bytes((folder / f"{dat}.dat").read_bytes())
        rec = READER.read(tmp_path / f"{cfg}.cfg")
        assert rec.samples == rows
        assert np.isnan(rec.read()).any() == ("missing" in dat)
    assert "end-of-file" in said(rec)


@pytest.mark.filterwarnings("ignore:Unknown standard revision")
@pytest.mark.parametrize("name", ["ion7650/keating_1999.CFG", "line-275kv/test1.cfg", "wisp/3.cfg", "wisp/4.CFG", "fault-220kv/xtz.cfg"])
def test_agrees_with_the_published_reader(recordings, name):
    path = recordings / name
    rec = READER.read(path)
    dat = next(p for p in path.parent.iterdir() if p.stem == path.stem and p.suffix.lower() == ".dat")
    other = comtrade.Comtrade()
    other.load(str(path), str(dat), encoding="gb18030")
    theirs = np.array(other.analog, dtype=float).T
    units = [c.uu.strip() for c in other.cfg.analog_channels]
    theirs *= [1000.0 if u == "kV" else 1.0 for u in units]
    n = len(theirs)  # it drops a row that the CFG does not declare
    np.testing.assert_allclose(rec.read(stop=n), theirs, rtol=1e-5, atol=1e-4)
    assert np.array_equal(rec.read_status(stop=n), np.array(other.status).T.reshape(n, -1))
