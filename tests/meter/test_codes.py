"""The configuration codes: every code of the sheet, round trips, and every contradiction at once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import SettingsError
from ctmeter.meter.code_tables import HARDWARE, MODULES, PROFILES, SOFTWARE, missing_energies
from ctmeter.meter.codes import SoftwareCodes, TypeCode, describe

SHEET = "68 5-11-35C-D14-0011-000"
feature = pytest.mark.feature


def type_faults(text) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        TypeCode.parse(text)
    return list(caught.value.faults)


def code_faults(source, **meter) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        SoftwareCodes.parse(source, **meter)
    return list(caught.value.faults)


def with_place(name: str, value: str) -> str:
    """The sheet's type with one of X1 to X13 replaced."""
    places = list("51135CD140011")
    places[int(name[1:]) - 1] = value
    return "68" + "".join(places) + "000"


# --- the type ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        SHEET,
        "68 51 1 3 5 C D 1 4 0 0 1 1 000",
        "685113 5CD140011000",
        "6851135CD140011000",
        "68.5.1.1.3.5.C.D.1.4.0.0.1.1.0.0.0",
        "68 5 – 1 1 – 3 5 C – D 1 4 – 0 0 1 1 – 0 0 0",
        "68 5-11-35c-d14-0011-000",
    ],
)
@feature("A11")
def test_spellings_of_the_type(text):
    code = TypeCode.parse(text)
    assert code == TypeCode.parse(SHEET)
    assert code.format() == text
    assert [code[f"X{k}"] for k in range(1, 17)] == list("51135CD140011000")


#: The characters the sheet has for X1 to X13.
LEGAL = {
    "X1": "5", "X2": "1", "X3": "1", "X4": "23", "X5": "15", "X6": "BC15", "X7": "D", "X8": "12", "X9": "1234",
    "X10": "0", "X11": "01", "X12": "1", "X13": "1",
}  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(n, marks=feature(n)) for n in LEGAL])
def test_each_place_has_the_characters_of_the_sheet_and_no_other(name):
    for value in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        if value in LEGAL[name]:
            assert TypeCode.parse(with_place(name, value))[name] == value
        else:
            (fault,) = type_faults(with_place(name, value))
            assert fault.startswith(f"{name}: {value!r} ") and HARDWARE[name].title in fault


@feature("A11")
def test_every_legal_type_prints_back():
    for places in itertools.product(*LEGAL.values()):
        bare = "68" + "".join(places) + "042"
        code = TypeCode.parse(bare)
        assert code.format() == bare
        again = TypeCode.parse(TypeCode(code.places).format())
        assert again == code and again.places == (*places, "042")


@feature("X14", "X15", "X16")
def test_country_is_kept_as_it_is():
    code = TypeCode.parse("685-11-35C-D14-0011-A9Z")
    assert code.country == "A9Z" and (code["X14"], code["X15"], code["X16"]) == ("A", "9", "Z")
    assert "country" not in code.fields()  # which country a code means stands on order forms
    assert type_faults("685-11-35C-D14-0011-A_Z")[0].startswith("X14: 'A_Z' ")


@pytest.mark.parametrize(
    ("place", "value", "field", "meaning"),
    [
        pytest.param("X4", "2", "systems", 2, marks=feature("X4")),
        pytest.param("X4", "3", "systems", 3, marks=feature("X4")),
        pytest.param("X5", "1", "current_range", 1, marks=feature("X5")),
        pytest.param("X5", "5", "current_range", 5, marks=feature("X5")),
        pytest.param("X6", "B", "accuracy_class", "B", marks=feature("X6")),
        pytest.param("X6", "5", "accuracy_class", "0.5", marks=feature("X6")),
        pytest.param("X8", "2", "variant", 2, marks=feature("X8")),
        pytest.param("X9", "3", "energy_type", 3, marks=feature("X9")),
    ],
)
def test_what_the_type_decides(place, value, field, meaning):
    assert TypeCode.parse(with_place(place, value)).fields()[field] == meaning


@feature("A11")
def test_every_fault_of_a_type_is_named():
    found = type_faults("67 9-11-75X-D39-0011-000")
    assert [f.split(":")[0] for f in found] == ["type_code", "X1", "X4", "X6", "X8", "X9"]


@pytest.mark.parametrize("text", ["", "68", "685-11-35C-D14-0011-00", "685-11-35C-D14-0011-0000", None, 68])
def test_what_is_no_type(text):
    assert type_faults(text)[0].startswith("type_code: ")


def test_no_such_place():
    with pytest.raises(KeyError):
        TypeCode.parse(SHEET)["X17"]


# --- the software codes -------------------------------------------------------------------------------


def two(first: int, last: int) -> set[str]:
    return {f"{n:02d}" for n in range(first, last + 1)}


#: Every value the sheet names, by code; of Z21 all ratios.
VALUES = {
    "Z1": {"1", "2", "3"},
    "Z2": {"1", "2"},
    "Z3": two(0, 23) | two(26, 28),
    "Z4": {"2", "3", "4"},
    "Z6": two(1, 28),
    "Z7": two(0, 24),
    "Z8": {"30ms/off", "30ms/on", "80ms/off", "80ms/on"},
    "Z10": {"000"},
    "Z11": two(0, 23),
    "Z12": two(0, 3),
    "Z15": {"000", "001"},
    "Z16": {"000", "318", "319", "326", "328", "329", "337", "338", "339", "348", "349", "359", "369", "378", "379"},
    "Z21": {f"{n:03d}" for n in range(1, 601)},
    "Z22": {"1", "2"},
    "Z23": {"1", "2"},
    "Z24": {"0", "1"},
    "Z25": {"1", "2", "3"},
    "Z26": {"000"},
    "Z27": {"1", "2"},
    "Z29": {"1", "2", "3", "4", "5", "6", "11", "12", "13", "14", "15", "16"},
    "Z30": {"1", "2"},
}
TRIED = {str(n) for n in range(100)} | {f"{n:02d}" for n in range(100)} | {f"{n:03d}" for n in range(1000)} | {"", "A", "off", "1 ", "-1"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=feature(n)) for n in VALUES])
def test_each_code_has_the_values_of_the_sheet_and_no_other(name):
    for value in TRIED | VALUES[name]:
        if value in VALUES[name]:
            codes = SoftwareCodes.parse({name: value})
            assert codes[name] == value and codes.format() == f"{name}={value}"
        else:
            (fault,) = code_faults({name: value})
            assert fault.startswith(f"{name}: {value!r} ") and SOFTWARE[name].title in fault


def fields(name: str, value: str) -> dict[str, object]:
    return SoftwareCodes.parse({name: value}).fields()


@pytest.mark.parametrize(
    ("name", "value", "meaning"),
    [
        pytest.param(name, value, meaning, marks=feature(name))
        for name, value, meaning in (
            ("Z1", "1", {"decimals": 0}),
            ("Z1", "3", {"decimals": 2}),
            ("Z2", "1", {"led_without_load": False}),
            ("Z2", "2", {"led_without_load": True}),
            ("Z3", "15", {"module": "15"}),
            ("Z4", "2", {"period": 15}),
            ("Z4", "3", {"period": 30}),
            ("Z4", "4", {"period": 60}),
            ("Z5", "123", {}),
            ("Z6", "28", {"billing_day": 28}),
            ("Z7", "00", {"billing_interval": "00"}),
            ("Z8", "30ms/on", {"pulse_width": 0.030, "alarm_input": True}),
            ("Z8", "80ms/off", {"pulse_width": 0.080, "alarm_input": False}),
            ("Z10", "000", {}),
            ("Z11", "00", {"utc_offset": 0}),
            ("Z11", "01", {"utc_offset": 1}),
            ("Z11", "12", {"utc_offset": 12}),
            ("Z11", "13", {"utc_offset": -11}),
            ("Z11", "23", {"utc_offset": -1}),
            ("Z12", "00", {"pulse_input_unit": ""}),
            ("Z12", "01", {"pulse_input_unit": "kWh"}),
            ("Z12", "02", {"pulse_input_unit": "m3"}),
            ("Z12", "03", {"pulse_input_unit": "L"}),
            ("Z13", "off", {"tariff_source": "off"}),
            ("Z13", "register", {"tariff_source": "register"}),
            ("Z13", "123", {"tariff_source": "plan"}),
            ("Z14", "000", {"load_control": "000"}),
            ("Z14", "001", {"load_control": "001"}),
            ("Z14", "217", {"load_control": "217"}),
            ("Z15", "000", {"dst": "none"}),
            ("Z15", "001", {"dst": "EU"}),
            ("Z16", "378", {}),
            ("Z17", "000", {}),
            ("Z17", "104", {}),
            ("Z18", "002", {}),
            ("Z20", "17", {}),
            ("Z21", "040", {"ct_ratio": 40}),
            ("Z22", "1", {"ratio_locked": False}),
            ("Z22", "2", {"ratio_locked": True}),
            ("Z23", "1", {"profile_side": "primary"}),
            ("Z23", "2", {"profile_side": "secondary"}),
            ("Z24", "0", {"pulse_side": "secondary"}),
            ("Z24", "1", {"pulse_side": "primary"}),
            ("Z25", "1", {"logger_2": "daily"}),
            ("Z25", "2", {"logger_2": "weekly"}),
            ("Z25", "3", {"logger_2": "monthly"}),
            ("Z26", "000", {"alarms": ()}),
            ("Z27", "1", {"profile_values": "absolute"}),
            ("Z27", "2", {"profile_values": "delta"}),
            ("Z28", "0", {}),
            ("Z28", "2", {}),
            ("Z29", "4", {"profile_channels": 4, "profile_side": "primary"}),
            ("Z29", "16", {"profile_channels": 6, "profile_side": "secondary"}),
            ("Z30", "2", {"logger_2_profile": 2}),
        )
    ],
)
def test_what_each_code_sets(name, value, meaning):
    assert fields(name, value) == meaning


@pytest.mark.parametrize("name", [pytest.param(n, marks=feature(n)) for n in ("Z9", "Z19")])
def test_codes_that_do_not_exist(name):
    assert code_faults({name: "1"}) == [f"{name}: no such code, there are Z1 to Z30 without Z9 and Z19"]


@feature("Z8")
@pytest.mark.parametrize("digits", ["0", "1", "00", "01", "10"])
def test_digits_the_sheet_lost_are_not_guessed(digits):
    (fault,) = code_faults({"Z8": digits})
    assert "30ms/off" in fault and "not legible" in fault


@feature("Z13")
@pytest.mark.parametrize("digits", ["000", "001", "002", "00"])
def test_digits_of_tariff_control_are_not_guessed(digits):
    (fault,) = code_faults({"Z13": digits})
    assert fault.startswith("Z13: ") and "off, port or register" in fault


@feature("Z28")
def test_encryption_is_refused_and_not_pretended():
    assert "does not encrypt" in code_faults({"Z28": "1"}, variant=2)[0]


#: Z3 by the sheet's table: role, direction, inverted, for either terminal.
PULSE, NOT_PULSE = ("pulse-in", "in", False), ("pulse-in", "in", True)
ALARM, NOT_ALARM = ("alarm-in", "in", False), ("alarm-in", "in", True)
TWO, NOT_TWO = ("tariff", "in", False), ("tariff", "in", True)
A_PLUS = ("a-plus-out", "out", False)
NOTHING = ("", "", False)
SYNC, NOT_SYNC = ("tariff-sync", "out", False), ("tariff-sync", "out", True)
FOUR = (("tariff-a", "in", False), ("tariff-b", "in", False))
NOT_FOUR = (("tariff-a", "in", True), ("tariff-b", "in", True))
Z3 = {
    "00": (NOTHING, NOTHING),
    "01": FOUR,
    "02": NOT_FOUR,
    "03": (PULSE, ALARM),
    "04": (PULSE, NOT_ALARM),
    "05": (PULSE, A_PLUS),
    "06": (("r-plus-out", "out", False), A_PLUS),
    "07": (TWO, ALARM),
    "08": (NOT_TWO, ALARM),
    "09": (TWO, NOT_ALARM),
    "10": (NOT_TWO, NOT_ALARM),
    "11": (TWO, A_PLUS),
    "12": (NOT_TWO, A_PLUS),
    "13": (PULSE, TWO),
    "14": (PULSE, NOT_TWO),
    "15": (("billing-stop", "in", False), NOTHING),
    "16": (("a-minus-out", "out", False), A_PLUS),
    "17": (("load-control-in", "in", False), ("status", "out", False)),
    "18": (PULSE, SYNC),
    "19": (NOT_PULSE, SYNC),
    "20": (PULSE, NOT_SYNC),
    "21": (NOT_PULSE, NOT_SYNC),
    "22": FOUR,
    "23": NOT_FOUR,
    "26": (("load-control-1", "out", False), ("load-control-2", "out", False)),
    "27": (PULSE, ("load-control", "out", False)),
    "28": (PULSE, ("load-control-toggle", "out", False)),
}


@feature("Z3")
@pytest.mark.parametrize("code", Z3)
def test_terminals_of_the_module(code):
    module = MODULES[code]
    assert tuple((p.role, p.direction, p.inverted) for p in module.ports) == Z3[code]
    assert module.load_sync == (code in ("22", "23"))
    assert module.tariffs == {"01": 4, "02": 4, "22": 4, "23": 4}.get(code, 2 if code in ("07", "08", "09", "10", "11", "12", "13", "14") else 0)
    assert module.meaning


@feature("Z3")
def test_there_are_27_modules():
    assert len(MODULES) == len(Z3) == 27


#: The pairs of currents the sheet lists with their code.
PAIRS = (
    "5/5=001 10/5=002 2/1=002 15/5=003 3/1=003 20/5=004 4/1=004 50/5=010 10/1=010 75/5=015 15/1=015 100/5=020 20/1=020 120/5=024 24/1=024 150/5=030"
    " 30/1=030 160/5=032 32/1=032 200/5=040 40/1=040 300/5=060 60/1=060 500/5=100 100/1=100 1000/5=200 200/1=200 1500/5=300 300/1=300"
    " 2000/5=400 400/1=400 3000/5=600 600/1=600"
)


@feature("Z21", "H1")
def test_pairs_of_the_transformer():
    for pair, code in (word.split("=") for word in PAIRS.split()):
        assert fields("Z21", pair) == fields("Z21", code) == {"ct_ratio": int(code)}
        assert SoftwareCodes.parse({"Z21": pair}).format() == f"Z21={pair}"
    for other in ("7/5", "250/5", "3005/5", "601/1", "200/2", "0/5", "200/5/1"):
        assert code_faults({"Z21": other})[0].startswith("Z21: ")


@feature("Z7", "F7")
def test_there_are_25_billing_intervals():
    assert len(SOFTWARE["Z7"].options) == 25


# --- spelling and round trips ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Z1=1 Z3=05", "z1:1,z3:05", "Z1 = 1;\nZ3 = 05", "Z3=05 Z1=1"])
@feature("A11")
def test_spellings_of_the_codes(text):
    codes = SoftwareCodes.parse(text)
    assert codes == SoftwareCodes.parse({"Z1": "1", "Z3": "05"})
    assert codes.format() == text and codes.to_dict() == {"Z1": "1", "Z3": "05"}


#: Any legal value of every code; a random choice among them need not go together.
ANY = {
    **{name: st.sampled_from(sorted(values)) for name, values in VALUES.items()},
    "Z5": st.from_regex("[0-9A-Z]{1,8}", fullmatch=True),
    "Z13": st.one_of(st.sampled_from(["off", "port", "register"]), st.integers(10, 999).map(lambda n: f"{n:03d}")),
    "Z14": st.integers(0, 999).map(lambda n: f"{n:03d}"),
    "Z17": st.integers(0, 999).map(lambda n: f"{n:03d}"),
    "Z18": st.integers(0, 999).map(lambda n: f"{n:03d}"),
    "Z20": st.from_regex("[0-9A-Z]{1,8}", fullmatch=True),
    "Z21": st.one_of(st.sampled_from(sorted(VALUES["Z21"])), st.sampled_from([w.split("=")[0] for w in PAIRS.split()])),
    "Z28": st.sampled_from(["0", "2"]),
}


@given(st.fixed_dictionaries({}, optional=ANY), st.randoms())
@feature("A11", "Z5", "Z14", "Z17", "Z18", "Z20")
def test_all_legal_codes_print_back(chosen, random):
    assert set(ANY) == set(SOFTWARE)
    if "Z23" in chosen and "Z29" in chosen:
        chosen["Z23"] = "2" if len(chosen["Z29"]) == 2 else "1"
    if chosen.get("Z13") == "port":
        chosen["Z3"] = "01"
    items = list(chosen.items())
    random.shuffle(items)
    text = ", ".join(f"{name}={value}" for name, value in items)
    codes = SoftwareCodes.parse(text)
    assert codes.format() == text and codes.to_dict() == chosen
    assert SoftwareCodes.parse(codes.to_dict()) == codes
    assert SoftwareCodes.parse(SoftwareCodes.parse(codes.to_dict()).format()) == codes
    assert [name for name, _ in codes.values] == [name for name in SOFTWARE if name in chosen]


@given(st.text())
def test_any_text_is_codes_or_faults(text):
    for parse in (TypeCode.parse, SoftwareCodes.parse):
        try:
            assert parse(text).format() == text or not text.strip()
        except SettingsError as error:
            assert error.faults


@feature("A11")
def test_every_fault_of_the_codes_is_named():
    found = code_faults({"Z1": "4", "Z9": "1", "Z3": 5, "Z99": "0", "Q": "1", "Z23": "2", "Z29": "4", "Z27": "2", "Z28": "1"}, variant=1)
    assert [f.split(":")[0] for f in found] == ["Z1", "Z9", "Z3", "Z99", "Q", "Z27", "Z28", "Z28", "Z29"]
    assert "leading zeros" in found[2]


@pytest.mark.parametrize(
    ("source", "named"),
    [("Z1=1 Z1=2", "Z1: given twice"), ("Z1", "software_codes: 'Z1', expected a code"), (7, "software_codes: 7"), (None, "software_codes: None")],
)
def test_what_are_no_codes(source, named):
    assert code_faults(source)[0].startswith(named)


def test_nothing_given_is_nothing_said():
    codes = SoftwareCodes.parse("")
    assert codes.fields() == {} and codes.format() == "" and codes.get("Z1") == ""
    with pytest.raises(KeyError):
        codes["Z1"]


# --- what does not go together --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "variant"),
    [
        pytest.param(name, value, variant, marks=feature(name, "X8"))
        for name, value, variant in (
            ("Z18", "001", 1), ("Z18", "002", 1), ("Z27", "2", 2), ("Z28", "0", 1), ("Z28", "2", 2),
            ("Z29", "5", 2), ("Z29", "6", 2), ("Z29", "15", 2), ("Z29", "16", 2), ("Z30", "2", 2),
        )
    ],
)  # fmt: skip
def test_codes_of_one_variant(name, value, variant):
    assert SoftwareCodes.parse({name: value}, variant=variant)[name] == value
    assert SoftwareCodes.parse({name: value})[name] == value  # nothing is known of the meter
    (fault,) = code_faults({name: value}, variant=3 - variant)
    assert fault.startswith(f"{name}: {value} ") and f"variant {variant} only, X8 is {3 - variant}" in fault


@feature("X8")
def test_all_other_values_are_for_both_variants():
    gated = {("Z18", "001"), ("Z18", "002"), ("Z27", "2"), ("Z28", "0"), ("Z28", "1"), ("Z28", "2"), ("Z30", "2")}
    gated |= {("Z29", d) for d in ("5", "6", "15", "16")}
    assert {(c.name, v) for c in SOFTWARE.values() for v, option in c.options.items() if option.variant is not None} == gated


@feature("F5", "Z23", "Z29")
def test_sides_of_the_profile_agree():
    for side, channels in itertools.product("12", VALUES["Z29"]):
        if (side == "2") == (int(channels) > 10):
            assert SoftwareCodes.parse({"Z23": side, "Z29": channels}).fields()["profile_side"] == ("primary", "secondary")[side == "2"]
        else:
            (fault,) = code_faults({"Z23": side, "Z29": channels})
            assert fault.startswith(f"Z29: {channels} contradicts Z23 = {side}")


@feature("X9", "Z29")
@pytest.mark.parametrize(("energy_type", "channels"), [(1, "1"), (2, "12"), (3, "13"), (4, "123456")])
def test_channels_are_energies_the_meter_registers(energy_type, channels):
    for digit, tens in itertools.product("123456", ("", "1")):
        if digit in channels:
            assert SoftwareCodes.parse({"Z29": tens + digit}, energy_type=energy_type)
        else:
            assert code_faults({"Z29": tens + digit}, energy_type=energy_type)[0].startswith(f"Z29: {tens}{digit} needs ")


@feature("X9", "Z29")
def test_the_missing_energies_are_named():
    assert code_faults({"Z29": "2"}, energy_type=1) == ["Z29: 2 needs A-, which X9 = 1 (A+) does not register"]
    assert missing_energies(2, PROFILES[5]) == ["R1", "R2", "R3", "R4"] and missing_energies(3, PROFILES[5]) == ["A-", "R3", "R4"]


@feature("X9", "Z3")
def test_outputs_are_energies_the_meter_registers():
    assert code_faults({"Z3": "16"}, energy_type=3)[0].startswith("Z3: 16 needs A-,")
    assert code_faults({"Z3": "06"}, energy_type=2)[0].startswith("Z3: 06 needs R+,")
    assert SoftwareCodes.parse({"Z3": "16"}, energy_type=2) and SoftwareCodes.parse({"Z3": "06"}, energy_type=3)


@feature("Z13", "Z3")
def test_port_control_needs_tariff_inputs():
    assert code_faults({"Z13": "port", "Z3": "05"}) == ["Z13: port control needs tariff inputs, Z3 = 05 has none"]
    assert SoftwareCodes.parse({"Z13": "port", "Z3": "07"}).fields() == {"module": "07", "tariff_source": "port"}


@feature("A11")
def test_every_code_is_described():
    rows = list(describe())
    assert {name for name, *_ in rows} == {*LEGAL, "X14-X16", *SOFTWARE}
    assert all(all(row) for row in rows) and len(rows) == len(set(rows))
    assert ("Z7", "billing interval", "05", "every third month from February") in rows
    assert ("Z7", "billing interval", "24", "yearly in December") in rows
