"""COMTRADE: values, oddities of the CFG, containers and partners."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import comtrade
import numpy as np
import pytest

from ctmeter.errors import InputError
from ctmeter.readers.comtrade import READER
from readers.comtrade_files import ANALOG, cff_bytes, cfg_text, dat_bytes, samples, states, write

TYPES = ["ASCII", "BINARY", "BINARY32", "FLOAT32"]
START = int(dt.datetime(2024, 2, 1, 3, 4, 5, tzinfo=dt.UTC).timestamp()) * 10**9


def values(raw):
    return raw * [0.5, 0.25] + [1, -2]


@pytest.mark.parametrize("container", ["pair", "cff"])
@pytest.mark.parametrize("file_type", TYPES)
def test_every_encoding_and_container(tmp_path, file_type, container):
    head = "Station,Device,1999" if file_type in TYPES[:2] else "Station,Device,2013"
    cfg, raw, status = cfg_text(head=head, file_type=file_type.lower()), samples(), states()
    dat = dat_bytes(file_type, raw, status)
    path = write(tmp_path, cfg, dat)
    if container == "cff":
        path = tmp_path / "x.CFF"
        path.write_bytes(cff_bytes(cfg, dat, file_type))
    with READER.read(path) as rec:
        assert np.array_equal(rec.read(), values(raw))
        assert np.array_equal(rec.read(start=3, stop=7), values(raw)[3:7])
        assert np.array_equal(rec.read_status(), status)
        assert rec.format == f"COMTRADE {head[-4:]} {file_type}" + (" CFF" if container == "cff" else "")
        assert rec.start_ns == START and rec.sample_rate == 1000 and rec.duration == pytest.approx(0.020)
        assert rec.metadata["trigger_ns"] == START + 10_000_000
        u, i = rec.channels
        assert (u.name, u.unit, u.phase, u.ratio, u.side, u.range) == ("UA", "V", "A", 100, "primary", (-32767, 32767))
        assert (i.name, i.unit, i.ratio, i.side) == ("IA", "A", 80, "secondary")
        assert rec.status_channels == ("TRIP", "START", "LOCK") and not rec.gaps
        assert all("taken as UTC" in w for w in rec.warnings), rec.warnings
        assert container == "pair" or rec.metadata["hdr"].strip() == "hello"


def test_binary_is_mapped_not_copied(tmp_path):
    rec = READER.read(write(tmp_path, cfg_text(file_type="BINARY"), dat_bytes("BINARY", samples(), states())))
    raw = rec.source.raw(0, 20)
    assert raw.dtype == np.int16 and raw.strides == (14, 2) and not raw.flags.owndata and not raw.flags.writeable
    assert np.shares_memory(raw, rec.source.raw(5, 6))
    rec.close()
    assert raw[0, 0] == samples()[0, 0]  # what was handed out stays readable
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(tmp_path) in maps.read_text()
        del raw
        assert str(tmp_path) not in maps.read_text()
    rec.close()


def test_a_digital_only_record_is_valid(tmp_path):
    for file_type in ("ASCII", "BINARY"):
        cfg = cfg_text(analog=(), file_type=file_type)
        rec = READER.read(write(tmp_path, cfg, dat_bytes(file_type, samples(20, 0), states())))
        assert rec.channels == () and rec.samples == 20 and rec.read().shape == (20, 0)
        assert np.array_equal(rec.read_status(), states())


@pytest.mark.parametrize("cfg_name, dat_name", [("a.cfg", "a.DAT"), ("A.CFG", "A.dat"), ("a.Cfg", "A.Dat"), ("a.b.cfg", "a.b.dat")])
@pytest.mark.parametrize("which", ["cfg", "dat"])
def test_partners_in_any_case(tmp_path, cfg_name, dat_name, which):
    (tmp_path / cfg_name).write_text(cfg_text())
    (tmp_path / dat_name).write_bytes(dat_bytes("ASCII", samples(), states()))
    path = tmp_path / (cfg_name if which == "cfg" else dat_name)
    assert READER.sniff(path, path.read_bytes()[:4096])
    assert READER.read(path).samples == 20


def test_what_is_not_there(tmp_path):
    cases = {"none.cfg": "No such file", "alone.cfg": "no data file", "alone2.dat": "no configuration", "folder.cfg": "not a regular file"}
    (tmp_path / "alone.cfg").write_text(cfg_text())
    (tmp_path / "alone2.dat").write_bytes(b"1")
    (tmp_path / "folder.cfg").mkdir()
    for name, text in cases.items():
        with pytest.raises(InputError, match=text):
            READER.read(tmp_path / name)
    for empty in ("cfg", "cff"):
        (tmp_path / f"e.{empty}").write_bytes(b"")
        with pytest.raises(InputError):
            READER.read(tmp_path / f"e.{empty}")


def test_sniff(tmp_path):
    assert READER.sniff(tmp_path / "x.txt", cfg_text().encode())
    assert READER.sniff(tmp_path / "x.txt", b"--- file type: CFG ---\r\n")
    assert not READER.sniff(tmp_path / "x.txt", b"time,u\n0,1\n")
    assert not READER.sniff(tmp_path / "x.dat", b"1,2,3")


# ---- oddities of the CFG: what is given differently, and what must then hold


def _line(k, text):
    """ANALOG with line k replaced."""
    return [text if j == k else a for j, a in enumerate(ANALOG)]


ODD = {
    "no revision year, mm/dd": (dict(head="S,D", start="02/01/24,03:04:05"), lambda r: r.start_ns == START and "1991" in r.format),
    "1991 with dd/mm": (
        dict(head="S,D", start="13/02/24,03:04:05"),
        lambda r: r.start == np.datetime64("2024-02-13T03:04:05") and "dd/mm" in said(r),
    ),
    "1991 of the last century": (dict(head="S,D,1991", start="02/01/94,03:04:05"), lambda r: r.start == np.datetime64("1994-02-01T03:04:05")),
    "odd revision year": (dict(head="S,D,2001"), lambda r: r.format == "COMTRADE 1999 ASCII" and "2001" in said(r)),
    "comma in the station": (dict(head="S, north,D,1999"), lambda r: r.metadata["station"] == "S, north" and r.metadata["device"] == "D"),
    "byte-order mark": (dict(head="\ufeffS,D,1999"), lambda r: r.metadata["station"] == "S"),
    "count without D": (dict(counts="5,2A,3", status=()), lambda r: len(r.channels) == 2 and "add up" in said(r)),
    "count in lower case": (dict(counts=" 5, 2a , 3d "), lambda r: len(r.channels) == 2),
    "7A in the count and a comma too many": (
        dict(counts="5A,2A,3D", analog=[a + "," for a in ANALOG]),
        lambda r: r.channels[1].side == "secondary" and "comma too many" in said(r),
    ),
    "comma in a name": (
        dict(analog=_line(0, "1,U,line 1,A,,V,0.5,1,0,-9,9,100,1,P")),
        lambda r: r.channels[0].name == "U,line 1" and r.channels[0].ratio == 100,
    ),
    "empty skew": (dict(analog=_line(0, "1,UA,A,,V,0.5,1,,-9,9,100,1,P")), lambda r: r.channels[0].skew == 0 and "skew is empty" in said(r)),
    "skew in us": (dict(analog=_line(0, "1,UA,A,,V,0.5,1,12.5,-9,9,100,1,P")), lambda r: r.channels[0].skew == pytest.approx(12.5e-6)),
    "float min": (dict(analog=_line(0, "1,UA,A,,V,0.5,1,0,-25837.5,9,100,1,P")), lambda r: r.channels[0].range == (-25837.5, 9)),
    "no range": (dict(analog=_line(0, "1,UA,A,,V,0.5,1,0,0,0,100,1,P")), lambda r: r.channels[0].range is None and "saturation" in said(r)),
    "lower-case p": (dict(analog=_line(0, "1,UA,A,,V,0.5,1,0,-9,9,100,1,p")), lambda r: r.channels[0].side == "primary"),
    "no side": (dict(analog=_line(0, "1,UA,A,,V,0.5,1,0,-9,9,100,1,x")), lambda r: r.channels[0].side is None and "neither P nor S" in said(r)),
    "no ratio": (dict(analog=_line(0, "1,UA,A,,V,0.5,1,0,-9,9,0,0,P")), lambda r: r.channels[0].ratio == 1 and "no ratio" in said(r)),
    "ten fields": (dict(analog=_line(0, "1,UA,A,,V,0.5,1,0,-9,9")), lambda r: r.channels[0].side is None),
    "kilovolt": (
        dict(analog=_line(0, "1,UA,A,, kV ,0.5,1,0,-9,9,1,1,P")),
        lambda r: (r.channels[0].scale, r.channels[0].offset, r.channels[0].unit) == (500, 1000, "V"),
    ),
    "millivolt": (dict(analog=_line(0, "1,UA,A,,mV,0.5,1,0,-9,9,1,1,P")), lambda r: r.channels[0].scale == pytest.approx(5e-4)),
    "megavolt": (dict(analog=_line(0, "1,UA,A,,MV,0.5,1,0,-9,9,1,1,P")), lambda r: r.channels[0].scale == 5e5),
    "ampere spelt out": (
        dict(analog=_line(0, "1,IA,A,,Ampere,-0.5,1,0,-9,9,1,1,P")),
        lambda r: r.channels[0].unit == "A" and r.channels[0].scale == -0.5,
    ),
    "another unit": (dict(analog=_line(0, "1,F,A,,deg,0.5,1,0,-9,9,1,1,P")), lambda r: r.channels[0].unit == "deg" and r.channels[0].kind == ""),
    "exponent": (dict(analog=_line(0, "1,UA,A,,V, 4.028E-02 ,0,0,-9,9,1,1,P")), lambda r: r.channels[0].scale == 0.04028),
    "unnamed channel": (dict(analog=_line(0, "1,,A,,V,0.5,1,0,-9,9,1,1,P")), lambda r: r.channels[0].name == "A1"),
    "float frequency": (dict(frequency="60.000000000"), lambda r: r.nominal_frequency == 60),
    "no frequency": (dict(frequency="0"), lambda r: r.nominal_frequency is None and "line frequency" in said(r)),
    "float rate and end": (dict(rates=("1", "1000.0000,  20.0")), lambda r: r.sample_rate == 1000),
    "no rate": (dict(rates=("0", "0,20")), lambda r: r.sample_rate == pytest.approx(1000) and "no rate" in said(r)),
    "no rate line": (dict(rates=("0",)), lambda r: r.sample_rate == pytest.approx(1000)),
    "rate 0 though one is declared": (dict(rates=("1", "0,20")), lambda r: r.sample_rate == pytest.approx(1000)),
    "ends as counts": (dict(rates=("2", "1000,12", "1000,8")), lambda r: [s.stop for s in r.segments] == [12, 20] and "counts" in said(r)),
    "one-digit fields": (dict(start="1/2/2024,3:4:5.5"), lambda r: r.start_ns == START + 500_000_000),
    "spaces in the time": (dict(start="01/02/2024 , 03 : 04:05.25"), lambda r: r.start_ns == START + 250_000_000 and "spaces" in said(r)),
    "no fraction": (dict(start="01/02/2024,03:04:05"), lambda r: r.start_ns == START),
    "nanoseconds": (dict(start="01/02/2024,03:04:05.123456789"), lambda r: r.start_ns == START + 123456789),
    "no point": (dict(start="01/02/2024,03:04:05250000"), lambda r: r.start_ns == START + 250_000_000 and "no point" in said(r)),
    "short fraction": (dict(start="01/02/2024,03:04:05.2"), lambda r: r.start_ns == START + 200_000_000),
    "comma before the fraction": (dict(start="01/02/2024,03:04:05,25"), lambda r: r.start_ns == START + 250_000_000),
    "two-digit year": (dict(start="01/02/24,03:04:05"), lambda r: r.start_ns == START and "two digits" in said(r)),
    "ISO date": (dict(start="2024-02-01,03:04:05"), lambda r: r.start_ns == START),
    "month 44": (dict(start="01/44/2024,03:04:05"), lambda r: r.start_ns is None and "no clock" in said(r)),
    "no times": (dict(start="", trigger=""), lambda r: r.start_ns is None and "no start time" in said(r)),
    "no file type": (dict(file_type="", tail=()), lambda r: r.samples == 20 and "no file type" in said(r)),
    "text declared as binary": (dict(file_type="BINARY"), lambda r: "read as ASCII" in said(r)),
    "no multiplier": (dict(tail=()), lambda r: "no time multiplier" in said(r)),
    "multiplier of nonsense": (dict(tail=("nan",)), lambda r: "not usable" in said(r) and r.sample_rate == 1000),
    "DOS end of file": (dict(tail=("1", "\x1a\x1a\x1a")), lambda r: "end-of-file" in said(r)),
    "blank lines": (dict(tail=("", "1", "", "")), lambda r: r.samples == 20),
    "local time": (dict(head="S,D,2013", tail=("1", "-5h30,-5h30", "B,3")), lambda r: r.start_ns == START + 19_800 * 10**9 and "UTC" not in said(r)),
    "time code x": (dict(head="S,D,2013", tail=("1", "x,x", "0,0")), lambda r: r.start_ns == START and "taken as UTC" in said(r)),
}


def said(rec):
    return " | ".join(rec.warnings)


@pytest.mark.parametrize("oddity", ODD)
def test_oddity(tmp_path, oddity):
    fields, holds = ODD[oddity]
    status = states() if fields.get("status", True) else states(20, 0)
    with READER.read(write(tmp_path, cfg_text(**fields), dat_bytes("ASCII", samples(), status))) as rec:
        assert holds(rec), (rec, rec.warnings)
        assert rec.samples == 20
        assert np.array_equal(rec.source.raw(0, 20), samples())


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n", "\n\n"])
def test_line_ends(tmp_path, ending):
    cfg = cfg_text().replace("\r\n", ending)
    rec = READER.read(write(tmp_path, cfg, dat_bytes("ASCII", samples(), states(), end=ending.encode())))
    assert np.array_equal(rec.read(), values(samples()))


@pytest.mark.parametrize(
    "station, encoding, found",
    [
        ("220kV母线保护装置", "gb18030", "gb18030"),
        ("跳闸A", "gbk", "gb18030"),
        ("терминал версия", "cp1251", "cp1251"),
        ("Estação de Medição", "latin-1", "latin-1"),
        ("Umspannwerk Süd", "latin-1", "latin-1"),
        ("Umspannwerk Süd", "utf-8", "utf-8"),
        ("Sub 1", "ascii", "ascii"),
    ],
)
def test_text_encodings(tmp_path, station, encoding, found):
    path = write(tmp_path, cfg_text(head=f"{station},D,1999").encode(encoding), dat_bytes("ASCII", samples(), states()))
    (tmp_path / "x.HDR").write_bytes("schön".encode())
    rec = READER.read(path)
    assert rec.metadata["station"] == station and rec.metadata["encoding"] == found
    assert rec.metadata["hdr"] == "schön" and rec.metadata["hdr_encoding"] == "utf-8"
    assert (found in ("utf-8", "ascii")) != (found in said(rec))
    assert READER.read(path, encoding=encoding).metadata["station"] == station


@pytest.mark.parametrize("file_type", ["ASCII", "BINARY"])
def test_agrees_with_the_published_reader(tmp_path, file_type):
    cfg = cfg_text(file_type=file_type, rates=("1", "1000,20"))
    path = write(tmp_path, cfg, dat_bytes(file_type, samples(), states()))
    other = comtrade.load(str(path), str(path.with_suffix(".dat")))
    rec = READER.read(path)
    np.testing.assert_allclose(rec.read(), np.array(other.analog).T, rtol=1e-6)
    assert np.array_equal(rec.read_status(), np.array(other.status).T)
    assert rec.start_ns == int(other.start_timestamp.replace(tzinfo=dt.UTC).timestamp()) * 10**9
    assert rec.channels[1].ratio == other.cfg.analog_channels[1].primary / other.cfg.analog_channels[1].secondary
