"""OBIS codes, and the table of every reading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import InputError
from ctmeter.meter.obis import FIELD, PROFILES, REGISTERS, Form, Obis, available, definition
from ctmeter.meter.push import PUSH_LIST
from ctmeter.quantity import ENERGIES, PHASES

BYTE = st.integers(0, 255)

#: Readings the meter must be able to give, by the meaning of C, D and E in the standard.
NEEDED = {
    "A+": "1-0:1.8.0", "A-": "1-0:2.8.0", "R+": "1-0:3.8.0", "R-": "1-0:4.8.0", "R1": "1-0:5.8.0", "R2": "1-0:6.8.0", "R3": "1-0:7.8.0",
    "R4": "1-0:8.8.0", "E+": "1-0:9.8.0", "E-": "1-0:10.8.0", "A+_L1": "1-0:21.8.0", "A-_L2": "1-0:42.8.0", "R+_L3": "1-0:63.8.0",
    "E-_L3": "1-0:70.8.0", "A+_T1": "1-0:1.8.1", "A+_T4": "1-0:1.8.4", "R+_T1": "1-0:3.8.1", "R+_T4": "1-0:3.8.4",
    "P+max": "1-0:1.6.0", "P+max T1": "1-0:1.6.1", "P+max T2": "1-0:1.6.2", "Q+max": "1-0:3.6.0", "Q+max T1": "1-0:3.6.1",
    "Q+max T2": "1-0:3.6.2", "S+max": "1-0:9.6.0", "S-max": "1-0:10.6.0", "P+max acc": "1-0:1.2.0", "P+max acc T1": "1-0:1.2.1",
    "P+max acc T2": "1-0:1.2.2", "Q+max acc": "1-0:3.2.0", "P+last": "1-0:1.5.0", "P+": "1-0:1.7.0", "P-": "1-0:2.7.0", "Q+": "1-0:3.7.0",
    "Q-": "1-0:4.7.0", "S+": "1-0:9.7.0", "S-": "1-0:10.7.0", "P+_L1": "1-0:21.7.0", "P-_L3": "1-0:62.7.0", "U_L1": "1-0:32.7.0",
    "U_L2": "1-0:52.7.0", "U_L3": "1-0:72.7.0", "U_L12": "1-0:124.7.0", "I_L1": "1-0:31.7.0", "I_L2": "1-0:51.7.0", "I_L3": "1-0:71.7.0",
    "I_N": "1-0:91.7.0", "PF": "1-0:13.7.0", "PF_L1": "1-0:33.7.0", "PF_L2": "1-0:53.7.0", "PF_L3": "1-0:73.7.0", "f": "1-0:14.7.0",
    "hours": "0-0:96.8.0", "ratio": "1-0:0.4.2", "time": "0-0:0.9.1", "date": "0-0:0.9.2", "clock": "0-0:1.0.0", "billing stops": "1-0:0.1.0",
    "tariff": "0-0:96.14.0", "serial": "0-0:96.1.0", "errors": "0-0:97.97.0", "pulse input": "1-1:82.8.0", "P+ threshold": "1-0:1.36.0",
}  # fmt: skip

#: The codes of a CT meter's pushed frame in their order, as octets.
PUSHED = """
    0101010800FF 0101020800FF 0101030800FF 0101040800FF 0101000001FF 0101010700FF 0101020700FF 0101030700FF 0101040700FF 0001010000FF
    0101200700FF 0101340700FF 0101480700FF 01011F0700FF 0101330700FF 0101470700FF 0101150700FF 0101290700FF 01013D0700FF 0101210700FF
    0101350700FF 0101490700FF 01010D0700FF 0101160700FF 01012A0700FF 01013E0700FF 0101160800FF 01012A0800FF 01013E0800FF 0101150800FF
    0101290800FF 01013D0800FF
"""


@pytest.mark.feature("B5", "D11")
@pytest.mark.parametrize(("name", "code"), NEEDED.items())
def test_every_reading_has_its_code(name: str, code: str):
    known = definition(code)
    assert known is not None and known.name == name and known.obis == code


@pytest.mark.feature("D11")
def test_codes_and_names_are_unique():
    assert len({d.obis for d in REGISTERS}) == len(REGISTERS) == len({d.name for d in REGISTERS})


@pytest.mark.feature("D11")
@pytest.mark.parametrize("phase", ["", *PHASES])
def test_energies_have_the_codes_of_the_table_of_quantities(phase: str):
    for e in ENERGIES:
        known = definition(e.obis(phase))
        assert known is not None
        assert (known.name, known.unit, known.form) == (f"{e.name}_{phase}" if phase else e.name, e.unit, Form.ENERGY)


@pytest.mark.feature("D11")
def test_interface_classes():
    """Data, register, extended register, profile, demand register and clock, as DLMS clients read them."""
    known = {code: definition(code) for code in ("1-0:1.8.0", "1-0:1.6.0", "1-0:1.5.0", "0-0:1.0.0", "0-0:96.1.0", "1-0:32.7.0")}
    assert {code: d.interface_class for code, d in known.items() if d} == {
        "1-0:1.8.0": 3, "1-0:1.6.0": 4, "1-0:1.5.0": 5, "0-0:1.0.0": 8, "0-0:96.1.0": 1, "1-0:32.7.0": 3,
    }  # fmt: skip
    assert {d.interface_class for d in REGISTERS} == {1, 3, 4, 5, 8}
    assert {str(Obis.parse(code)) for code in PROFILES.values()}.isdisjoint(d.obis for d in REGISTERS)


@pytest.mark.feature("B5")
def test_short_and_full_forms_come_back():
    for d in REGISTERS:
        code = Obis.parse(d.obis)
        assert len(code.short) <= FIELD and code.fits
        assert Obis.parse(code.short) == code == Obis.parse(code.full) == Obis.parse(str(code)), d
        assert code.full == f"{d.obis}*255" and str(code) == d.obis


@pytest.mark.feature("B5")
def test_stored_periods_fit_the_field_or_say_so():
    cases = {"1.8.0*01": "1.8*01", "10.8.0*12": "10.8*12", "96.8.0*1": "96.8*01", "1.6.1*1": "1.6.1*1", "1.8.0&02": "1.8*02"}
    assert {text: Obis.parse(text).short for text in cases} == cases
    for text in cases:
        code = Obis.parse(text)
        assert Obis.parse(code.short) == code and code.historical and not code.now.historical
    assert not Obis.parse("1.6.1*12").fits


@pytest.mark.feature("B5")
@given(BYTE, BYTE, BYTE, BYTE, BYTE, BYTE)
def test_any_code_comes_back(a: int, b: int, c: int, d: int, e: int, f: int):
    code = Obis(a, b, c, d, e, f)
    assert Obis.parse(str(code)) == code == Obis.parse(code.full)
    assert code.dotted.split(".") == [str(g) for g in (a, b, c, d, e, f)]


@pytest.mark.feature("B5")
@pytest.mark.parametrize(
    "text", ["", "1", "1.8.", "1-0", "1-0:1", "256.8.0", "1.8.0*256", "1-300:1.8.0", "a.b.c", "1.8.0*", "-1.8.0", "1.8.0 kWh", "١.8.0"]
)
def test_what_is_no_code_is_named(text: str):
    with pytest.raises(InputError, match="OBIS"):
        Obis.parse(text)


def test_an_unknown_code_has_no_definition():
    assert definition("1-0:99.99.99") is None
    assert Obis.parse("99.99.99") == Obis(1, 0, 99, 99, 99)


def test_readings_follow_the_energies_and_tariffs_of_the_meter():
    names = {d.name for d in available(["A+", "E+"], tariffs=1)}
    assert {"A+", "A+_L1", "A+_T1", "P+max", "P+max T1", "P+", "S+max", "U_L1", "serial"} <= names
    assert not names & {"A-", "R+", "R1", "A+_T2", "P+max T2", "Q+max", "S-max", "P-"}
    assert len(available()) == len(REGISTERS)


@pytest.mark.feature("D10")
def test_the_pushed_list_has_the_order_of_a_public_frame():
    """A frame built of its octets, with values of our own, decoded code by code."""
    frame = bytes([2, 65, 10, 3]) + b"own" + b"".join(b"\x09\x06" + bytes.fromhex(code) + b"\x12\x00\x07" for code in PUSHED.split())
    order, at = [], 7
    while at < len(frame):
        assert frame[at : at + 2] == b"\x09\x06"
        order.append(".".join(str(octet) for octet in frame[at + 2 : at + 8]))
        at += 11
    assert order == [pushed for pushed, _ in PUSH_LIST]
    assert 1 + 2 * len(order) == frame[1]


@pytest.mark.feature("D10")
def test_every_pushed_code_has_a_reading_behind_it():
    own = {"1.1.0.0.1.255": "serial", "0.1.1.0.0.255": "clock"}
    for pushed, code in PUSH_LIST:
        known = definition(code)
        assert known is not None
        if pushed in own:
            assert known.name == own[pushed]
        else:
            assert pushed == "1.1." + code.removeprefix("1-0:") + ".255"
