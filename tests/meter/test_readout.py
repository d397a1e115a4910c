"""The read-out texts, the pushed list, JSON and CSV.

The telegrams are checked three times: against bytes written by hand, by a reader made here from the
rules of the standard, and by the reader of the package `iec62056-21`.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import InputError
from ctmeter.meter.obis import REGISTERS, Form
from ctmeter.meter.push import PUSH_LIST, push, push_times
from ctmeter.meter.readings import Reading, energy, reading
from ctmeter.meter.readout import block_check, data_lines, data_message, identification, readout, to_csv, to_dict

S = 1_000_000_000
MJ_PER_KWH = 3_600_000_000
#: 2026-06-15T12:30:00Z: 20 619 days and 12.5 h after 1970-01-01.
NOON = (20_619 * 86_400 + 45_000) * S


def everything() -> list[Reading]:
    """Every reading of the table, with values that are easily told apart."""
    made = []
    for k, d in enumerate(REGISTERS):
        if d.form is Form.ENERGY:
            made.append(energy(d.obis, k * MJ_PER_KWH + 1, side="primary"))
        elif d.form in (Form.TEXT, Form.DATE):
            made.append(reading(d.obis, {"date": "2026-06-15", "time": "12:30:00", "clock": "2026-06-15T12:30:00Z"}.get(d.name, "12345678")))
        elif not d.name.startswith("reading factor"):
            stamp = NOON if d.form is Form.MAXIMUM else None
            made.append(reading(d.obis, k, side="primary" if d.unit in ("W", "var", "VA") else "", t_ns=stamp))
    return made


def parsed(telegram: bytes) -> tuple[str, dict[str, list[tuple[str, str]]]]:
    """Identification and data sets of a framed telegram, by the rules of the standard alone."""
    assert all(byte < 0x80 for byte in telegram)
    start = telegram.index(2)
    head = telegram[:start].decode("ascii")
    match = re.fullmatch(r"/[A-Z]{2}[A-Za-z]([!-~])([^/!\r\n]{0,16})\r\n", head)
    assert match, head
    body, check = telegram[start + 1 : -1], telegram[-1]
    parity = 0
    for byte in body:
        parity ^= byte
    assert parity == check and body.endswith(b"!\r\n\x03")
    sets: dict[str, list[tuple[str, str]]] = {}
    for line in body[:-4].decode("ascii").split("\r\n")[:-1]:
        assert len(line) + 2 <= 78, line
        match_line = re.fullmatch(r"([^()/!]{1,16})((?:\([^()/!]*\))+)", line)
        assert match_line, line
        values = [v.partition("*") for v in re.findall(r"\(([^()]*)\)", match_line[2])]
        assert all(len(v) <= 32 and len(u) <= 16 for v, _, u in values)
        assert match_line[1] not in sets, f"{line} twice"
        sets[match_line[1]] = [(v, u) for v, _, u in values]
    return match[2], sets


@pytest.mark.feature("D2")
def test_a_telegram_by_hand():
    readings = [energy("1.8.0", 1_234_567_890 * 3_600_000, side="primary"), reading("1.6.0", 12_345.6, side="primary", t_ns=NOON)]
    body = b"1-0:1.8.0(1234567.89*kWh)\r\n1-0:1.6.0(12.345*kW)(22606151230)\r\n!\r\n\x03"
    check = 0
    for byte in body:
        check ^= byte
    assert readout(readings, "ctmeter", decimals=2) == b"/CTM5ctmeter\r\n\x02" + body + bytes([check])


@pytest.mark.feature("D2")
def test_the_block_check_by_hand():
    """0x21 ^ 0x0D ^ 0x0A ^ 0x03: 0x21 ^ 0x0D = 0x2C, ^ 0x0A = 0x26, ^ 0x03 = 0x25."""
    assert data_message([]) == b"\x02!\r\n\x03\x25"
    assert block_check(b"\x83\x03") == 0, "the parity bit does not count"


@pytest.mark.feature("D2")
def test_every_reading_comes_back_from_a_telegram():
    readings = everything()
    name, sets = parsed(readout(readings, "ctmeter 12345678", decimals=1))
    assert name == "ctmeter 12345678"
    assert set(sets) == {d.obis for d in REGISTERS}
    for k, d in enumerate(REGISTERS):
        value, unit = sets[d.obis][0]
        if d.form is Form.ENERGY:
            assert (Decimal(value), unit, len(value)) == (k, f"k{d.unit}", 9)
        elif d.form is Form.MAXIMUM:
            assert (Decimal(value), unit) == (Decimal(k) / 1000, f"k{d.unit}")
            assert sets[d.obis][1] == ("22606151230", "")
    assert sets["0-0:96.1.0"] == [("12345678", "")] and sets["0-0:0.9.2"] == [("26-06-15", "")]
    assert sets["0-0:0.9.1"] == [("12:30:00", "")] and sets["1-0:13.7.0"][0][1] == ""


@pytest.mark.feature("D2")
def test_the_published_reader_reads_the_same():
    messages = pytest.importorskip("iec62056_21.messages", reason="the package iec62056-21 is not installed")
    readings = [*everything(), energy("1.8.0*01", 7 * MJ_PER_KWH, side="primary"), reading("82.8.0", 1.5, unit="m3")]
    readings = list({r.obis: r for r in readings}.values())
    telegram = readout(readings, "ctmeter", decimals=2)
    start = telegram.index(b"\x02")
    message = messages.ReadoutDataMessage.from_bytes(telegram[start:])
    lines = [[(s.address, s.value, s.unit) for s in line.data_sets] for line in message.data_block.data_lines]
    _, sets = parsed(telegram)
    # it takes a value behind the first as a set of its own, without address
    ours = [[(code if i == 0 else None, value, unit or None) for i, (value, unit) in enumerate(values)] for code, values in sets.items()]
    assert lines == ours and len(lines) == len(REGISTERS) + 1
    # such a set it writes as "None(...)"; without them it writes the bytes it has read
    plain = data_message(data_lines([r for r in readings if r.t_ns is None], decimals=2))
    assert messages.ReadoutDataMessage.from_bytes(plain).to_bytes() == plain

    head = messages.IdentificationMessage.from_bytes(telegram[:start])
    # it expects the backslash of mode E behind the rate and so loses the first letter, which the standard lets stand there
    assert (head.manufacturer, head.switchover_baudrate_char, head.identification) == ("CTM", "5", "tmeter")


@pytest.mark.feature("D2")
@given(st.integers(0, 2**63 - 1), st.sampled_from([0, 1, 2]))
def test_energies_of_any_size_fit(millijoules: int, decimals: int):
    _, sets = parsed(readout([energy("41.8.0", millijoules, side="secondary")], "x", decimals=decimals))
    ((value, unit),) = sets["1-0:41.8.0"]
    assert unit == "kWh" and Decimal(value) == Decimal(millijoules * 10**decimals // MJ_PER_KWH % 10 ** (7 + decimals)).scaleb(-decimals)


@pytest.mark.feature("D2")
def test_mode_a():
    assert identification("ctmeter", mode="A") == "/CTMZctmeter\r\n"
    assert readout([], "ctmeter", mode="A", framed=False) == b"/CTMZctmeter\r\n!\r\n"
    assert readout([], "ctmeter", mode="A") == b"/CTMZctmeter\r\n\x02!\r\n\x03%"
    with pytest.raises(InputError, match="mode C"):
        readout([], "ctmeter", framed=False)


@pytest.mark.feature("D2")
@pytest.mark.parametrize(
    "wrong",
    [{"name": "a/b"}, {"name": "a!"}, {"name": "a\\2"}, {"name": "a" * 17}, {"name": "Ø"}, {"name": "a\n"}, {"manufacturer": "ctm"},
     {"manufacturer": "CTMX"}, {"mode": "E"}, {"baud": 115200}],
)  # fmt: skip
def test_what_an_identification_cannot_hold(wrong: dict):
    with pytest.raises(InputError, match="expected"):
        identification(**{"name": "ctmeter", **wrong})


@pytest.mark.feature("D2")
@pytest.mark.parametrize("text", ["(", ")", "*", "/", "!", "æ", "\n", "x" * 33])
def test_what_a_value_cannot_hold(text: str):
    with pytest.raises(InputError, match=r"0-0:96\.1\.0: value"):
        data_lines([reading("96.1.0", text)])


@pytest.mark.feature("D2")
def test_what_is_longer_than_a_code_or_unknown():
    with pytest.raises(InputError, match="code"):
        data_lines([Reading("1-0:126.7.124*101", "x", 1, "V")])
    assert data_lines([reading("32.7.0", None)]) == ["1-0:32.7.0()"]
    assert data_lines([reading("82.8.0", 2, unit="m3")]) == ["1-1:82.8.0(2.000*m3)"]


@pytest.mark.feature("D2")
@pytest.mark.parametrize(
    ("day", "stamp"),
    [(dt.datetime(2026, 1, 15, 12, 30, tzinfo=dt.UTC), "02601151330"), (dt.datetime(2026, 7, 15, 12, 30, tzinfo=dt.UTC), "12607151430")],
)
def test_maxima_carry_the_local_time_and_the_season(day: dt.datetime, stamp: str):
    class Copenhagen:
        def local(self, t_ns: int) -> dt.datetime:
            return dt.datetime.fromtimestamp(t_ns // S, ZoneInfo("Europe/Copenhagen"))

        def is_dst(self, t_ns: int) -> bool:
            return bool(self.local(t_ns).dst())

    t_ns = int(day.timestamp()) * S
    lines = data_lines([reading("1.6.0", 1000.0, t_ns=t_ns)], clock=Copenhagen())
    assert lines == [f"1-0:1.6.0(1.000*kW)({stamp})"]


@pytest.mark.feature("D2")
def test_a_telegram_says_which_side_it_is_of():
    both = [
        energy("1.8.0", MJ_PER_KWH, side="secondary"), energy("1.8.0", 60 * MJ_PER_KWH, side="primary"),
        reading("1.7.0", 10.0, side="secondary"), reading("1.7.0", 600.0, side="primary"), reading("0.4.2", 60),
    ]  # fmt: skip
    factors = ["1-0:0.4.2(60)", "1-0:0.4.0({})", "1-0:0.4.1({})"]
    assert data_lines(both) == ["1-0:1.8.0(0000060*kWh)", "1-0:1.7.0(0.600*kW)", *(f.format(1) for f in factors)]
    assert data_lines(both, side="secondary") == ["1-0:1.8.0(0000001*kWh)", "1-0:1.7.0(0.010*kW)", *(f.format(60) for f in factors)]
    with pytest.raises(InputError, match="primary and secondary"):
        data_lines([both[0], energy("2.8.0", 0, side="primary"), both[-1]])


# JSON, CSV, push


def test_json_is_exact_and_names_the_side():
    readings = [energy("1.8.0", 3_600_001, side="secondary", t_ns=NOON + 500_000_000), reading("32.7.0", float("nan")), reading("96.1.0", "1")]
    assert json.loads(json.dumps(to_dict(readings), allow_nan=False)) == {
        "1-0:1.8.0": {
            "name": "A+", "value": 3_600_001 / 3_600_000, "unit": "Wh", "side": "secondary", "t": "2026-06-15T12:30:00.5Z", "millijoules": 3_600_001,
        },
        "1-0:32.7.0": {"name": "U_L1", "value": None, "unit": "V", "side": None, "t": None},
        "0-0:96.1.0": {"name": "serial", "value": "1", "unit": "", "side": None, "t": None},
    }  # fmt: skip


def test_csv_has_both_sides_and_the_ratio_on_each():
    both = [energy("1.8.0", 3_600_000, side="secondary"), energy("1.8.0", 216_000_000, side="primary", t_ns=NOON), reading("96.1.0", 'a,"b"')]
    rows = list(csv.DictReader(io.StringIO(to_csv(both, ratio=60))))
    assert [(r["obis"], r["value"], r["unit"], r["side"], r["ratio"], r["t"], r["millijoules"]) for r in rows] == [
        ("1-0:1.8.0", "1.0", "Wh", "secondary", "60", "", "3600000"),
        ("1-0:1.8.0", "60.0", "Wh", "primary", "60", "2026-06-15T12:30:00Z", "216000000"),
        ("0-0:96.1.0", 'a,"b"', "", "", "", "", ""),
    ]


@pytest.mark.feature("D10")
def test_a_pushed_frame_keeps_every_place():
    frame = push([energy("1.8.0", 3_600_000, side="secondary"), reading("33.7.0", 0.5), reading("96.1.0", "12345678")])
    assert [v["obis"] for v in frame["values"]] == [pushed for pushed, _ in PUSH_LIST]
    assert {v["obis"]: v["value"] for v in frame["values"] if v["value"] is not None} == {
        "1.1.1.8.0.255": 1.0, "1.1.0.0.1.255": "12345678", "1.1.33.7.0.255": 0.5,
    }  # fmt: skip
    assert frame["values"][0] == {"obis": "1.1.1.8.0.255", "value": 1.0, "unit": "Wh", "side": "secondary"}
    assert frame["values"][1] == {"obis": "1.1.2.8.0.255", "value": None, "unit": "Wh", "side": None}


@pytest.mark.feature("D10")
def test_frames_are_pushed_every_n_seconds_of_the_recording():
    assert list(push_times(3 * S, 31 * S)) == [10 * S, 20 * S, 30 * S]
    assert list(push_times(10 * S, 20 * S)) == [10 * S]
    assert list(push_times(-1, 1)) == [0]
    assert list(push_times(0, 7201 * S, 3600)) == [0, 3600 * S, 7200 * S]
    with pytest.raises(InputError, match="at least 1 s"):
        list(push_times(0, 1, 0))
