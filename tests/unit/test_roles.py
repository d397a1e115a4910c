"""Roles of channels: by the map, by name, unit and phase, and what is left ambiguous."""

from __future__ import annotations

import re

import pytest

from ctmeter import roles
from ctmeter.errors import SettingsError
from ctmeter.recording import Channel, Recording, Segment

UNITS = {"U": "V", "V": "V", "u": "V", "v": "V", "I": "A", "i": "A"}


def channels(*names: str, phases: str = "") -> list[Channel]:
    """Channels in V or A: "name" with the unit by its last word's first letter, or "name|unit" or "name|unit|phase"."""
    out = []
    for name in names:
        text, _, rest = name.partition("|")
        unit, _, phase = rest.partition("|")
        out.append(
            Channel(
                text,
                scale=2.0,
                offset=3.0,
                unit=unit or UNITS.get(re.split(r"[ _-]", text)[-1].lstrip("3")[0], ""),
                phase=phase,
            )
        )
    return out


def played(found) -> dict[str, str]:
    """Role to channel name, a minus in front where the channel is turned."""
    return {c.role: ("-" if c.scale < 0 else "") + c.name for c in found if c.role}


def star(*names: str) -> dict[str, str]:
    return dict(zip(("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3"), names, strict=False))


REAL = {
    "ion7650": (
        [
            "I1|ampere|I1",
            "I2|ampere|I2",
            "I3|ampere|I3",
            "I4|ampere|I4",
            "U1|volt|V1",
            "U2|volt|V2",
            "U3|volt|V3",
            "U4|volt|V4",
        ],
        star("U1", "U2", "U3", "I1", "I2", "I3"),
    ),
    "line-275kv": (
        [f"{b} SUM {i}" for b in ("LINE", "REM1") for i in ("ILA", "ILB", "ILC", "IN")]
        + ["LINE ULA", "LINE ULB", "LINE ULC", "LINE UN", "I DIFF LA|one", "I DIFF LB|one", "I DIFF LC|one", "I BIAS|A"]
        + ["I DIFF LA MAG|A", "I DIFF LB MAG|A", "I DIFF LC MAG|A", "I DIFF NS MAG|A"],
        star("LINE ULA", "LINE ULB", "LINE ULC", "LINE SUM ILA", "LINE SUM ILB", "LINE SUM ILC") | {"I_N": "LINE SUM IN", "U_N": "LINE UN"},
    ),
    "wisp-1": (["UA", "UB", "UC", "3U0"], star("UA", "UB", "UC")),
    "wisp-3": (
        ["F1-IA|A|A", "F2-IB|A|B", "F3-IC|A|C", "F4-IG|A|G", "F5-VA|V|A", "F6-VB|V|B", "F7-VC|V|C", "F8-VN|V|N"]
        + [f"SRC 1  V{p} {q}|{u}|_" for p in ("ag", "bg", "cg", "ab", "bc", "ca", "_0") for q, u in (("Mag", "kV"), ("Angle", "deg"))]
        + ["SRC 2  Vx Mag|kV|_", "SRC 2  Vx Angle|deg|_"],
        star("F5-VA", "F6-VB", "F7-VC", "F1-IA", "F2-IB", "F3-IC") | {"U_N": "F8-VN"},
    ),
    "wisp-4": (
        ["I1|A|7", "I2|A|8", "I3|A|9", "U21|V|0", "U32|V|1", "Vo|V|6"],
        {"U_L12": "-U21", "U_L23": "-U32", "I_L1": "I1", "I_L2": "I2", "I_L3": "I3"},
    ),
    "modaq": (
        ["MODAQ_Va_V|V", "MODAQ_Vb_V|V", "MODAQ_Vc_V|V", "MODAQ_Ia_I|A", "MODAQ_Ib_I|A", "MODAQ_Ic_I|A"],
        star("MODAQ_Va_V", "MODAQ_Vb_V", "MODAQ_Vc_V", "MODAQ_Ia_I", "MODAQ_Ib_I", "MODAQ_Ic_I"),
    ),
}

NAMES = {
    "roles": (
        ["U_L1", "U_L2", "U_L3", "U_N", "I_L1", "I_L2", "I_L3", "I_N"],
        {r: r for r in ("U_L1", "U_L2", "U_L3", "U_N", "I_L1", "I_L2", "I_L3", "I_N")},
    ),
    "exact names before others": (["U_L1|V", "U_L2|V", "U_L3|V", "Va", "Vb", "Vc"], star("U_L1", "U_L2", "U_L3")),
    "ABC": (["UA", "UB", "UC", "IA", "IB", "IC"], star("UA", "UB", "UC", "IA", "IB", "IC")),
    "lower case": (["ua", "ub", "uc", "ia", "ib", "ic"], star("ua", "ub", "uc", "ia", "ib", "ic")),
    "digits": (["V1", "V2", "V3", "I1", "I2", "I3"], star("V1", "V2", "V3", "I1", "I2", "I3")),
    "L": (["UL1", "UL2", "UL3", "IL1", "IL2", "IL3"], star("UL1", "UL2", "UL3", "IL1", "IL2", "IL3")),
    "RST": (["UR", "US", "UT", "IR", "IS", "IT"], star("UR", "US", "UT", "IR", "IS", "IT")),
    "UVW": (["UU", "UV", "UW", "IU", "IV", "IW"], star("UU", "UV", "UW", "IU", "IV", "IW")),
    "to neutral": (["Van", "Vbn", "Vcn"], star("Van", "Vbn", "Vcn")),
    "to neutral, apart": (["VA-N|V", "VB-N|V", "VC-N|V"], star("VA-N", "VB-N", "VC-N")),
    "pairs": (["Uab", "Ubc", "Uca"], {"U_L12": "Uab", "U_L23": "Ubc", "U_L31": "Uca"}),
    "pairs of digits": (["U12", "U23", "U13"], {"U_L12": "U12", "U_L23": "U23", "U_L31": "-U13"}),
    "pairs apart": (["UL1-L2|V", "UL2-L3|V", "UL3-L1|V"], {"U_L12": "UL1-L2", "U_L23": "UL2-L3", "U_L31": "UL3-L1"}),
    "differences": (["Ua-Ub|V", "Uc-Ub|V"], {"U_L12": "Ua-Ub", "U_L23": "-Uc-Ub"}),
    "Aron": (
        ["URS", "UST", "IR", "IT", "IS"],
        {"U_L12": "URS", "U_L23": "UST", "I_L1": "IR", "I_L2": "IS", "I_L3": "IT"},
    ),
    "words": (
        ["Voltage A|V", "Voltage B|V", "Voltage C|V", "Phase A Current|A", "Phase B Current|A", "Phase C Current|A"],
        star("Voltage A", "Voltage B", "Voltage C", "Phase A Current", "Phase B Current", "Phase C Current"),
    ),
    "words after": (
        ["Current Phase A|A", "Current Phase B|A", "Current Phase C|A"],
        {f"I_L{k}": f"Current Phase {p}" for k, p in ((1, "A"), (2, "B"), (3, "C"))},
    ),
    "phase column": (
        ["Bus voltage|V|A", "Bus voltage 2|V|B", "Bus voltage 3|V|C"],
        star("Bus voltage", "Bus voltage 2", "Bus voltage 3"),
    ),
    "phase column L": (["a|V|L1", "b|V|L2", "c|V|L3"], star("a", "b", "c")),
    "residuals": (["UA", "UB", "UC", "3U0", "Uo", "U0", "3I0", "IG", "I4"], star("UA", "UB", "UC")),
    "neutral": (["IA", "IB", "IC", "IN"], {"I_L1": "IA", "I_L2": "IB", "I_L3": "IC", "I_N": "IN"}),
    "sequence components": (["Va", "Vb", "Vc", "V1", "V2", "V0"], star("Va", "Vb", "Vc")),
    "phase beside line-to-line": (["Ua", "Ub", "Uc", "Uab", "Ubc", "Uca"], star("Ua", "Ub", "Uc")),
    "derived": (["Va", "Vb", "Vc", "Va RMS|V", "Vb Mag|V", "U1_1p_rms|V"], star("Va", "Vb", "Vc")),
    "one complete set": (["Ua", "Ub", "Uc", "Bus2 Ua"], star("Ua", "Ub", "Uc")),
    "current only": (["Ia"], {"I_L1": "Ia"}),
    "single phase": (["mains|V", "load|A"], {"U_L1": "mains", "I_L1": "load"}),
    "single voltage": (["U|V"], {"U_L1": "U"}),
    "kilovolt": (["Va|kV", "Vb|kV", "Vc|kV"], star("Va", "Vb", "Vc")),
}


@pytest.mark.parametrize("case", [*REAL.values(), *NAMES.values()], ids=[*REAL, *NAMES])
def test_roles_by_name(case):
    names, expected = case
    found, unresolved = roles.assign(channels(*names))
    assert played(found) == expected
    assert unresolved == ""


def test_the_line_takes_its_own_currents_and_says_so():
    found = roles.resolve(channels(*REAL["line-275kv"][0]))
    assert any("LINE SUM" in n for n in found.notes)


AMBIGUOUS = {
    "fault-220kv": [f"220kV母线{b}_U{p}|V|{p.upper()}" for b in ("I", "II") for p in "abc"]
    + ["220kV母线I_3U0|V|N", "220kV母线II_3U0|V|N"]
    + [f"{bay}_I{p}|A|{p.upper()}" for bay in ("2号主变_高压侧", "220kVxyx_213开关", "220kV母联_200开关") for p in "abc"]
    + ["2号主变_高压侧_3I0|A|N", "高频通道1|V|D"],
    "ascii-1991": [f"{q}{p}{s}|{u}|{p.upper()}" for q, u in (("I", "A"), ("U", "V")) for s in ("1", "对侧", "同步") for p in "abc"]
    + ["3I0|A|N", "3U0|V|N", "Ux|V|N", "Ia2|A|A", "Ib2|A|B", "Ic2|A|C"],
}


@pytest.mark.parametrize("names", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_ambiguous_is_not_assigned_and_the_map_offered_works(names):
    given = channels(*names)
    found, unresolved = roles.assign(given)
    assert played(found) == {}
    assert "voltages are ambiguous" in unresolved and "currents are ambiguous" in unresolved
    offered = re.findall(r'--map "([^"]*)"', unresolved)
    assert len(offered) >= 4
    first = dict(pair.split("=") for pair in offered[0].split(","))
    mapped, unresolved = roles.assign(given, first)
    assert unresolved == ""
    assert set(played(mapped)) == {"U_L1", "U_L2", "U_L3"}


def test_one_set_of_voltages_is_kept_beside_ambiguous_currents():
    found, unresolved = roles.assign(channels("Ua", "Ub", "Uc", *[f"Bay{b} I{p}" for b in "12" for p in "abc"]))
    assert set(played(found)) == {"U_L1", "U_L2", "U_L3"}
    assert "currents are ambiguous" in unresolved and "Bay2 Ia" in unresolved


def test_duplicate_names_are_offered_by_number():
    given = channels("Ua", "Ub", "Uc", "Ua")
    _, unresolved = roles.assign(given)
    assert "U_L1=#1" in unresolved
    with pytest.raises(SettingsError, match="say #1 or #4"):
        roles.assign(given, {"U_L1": "Ua"})
    assert played(roles.assign(given, {"U_L1": "#4"})[0]) == {"U_L1": "Ua"}


def test_a_minus_turns_a_channel_round_with_its_offset():
    (found,), _ = roles.assign([Channel("IA", scale=2.0, offset=3.0, unit="A", range=(-5, 6))], {"I_L2": "-IA"})
    assert (found.role, found.scale, found.offset, found.range) == ("I_L2", -2.0, -3.0, (-5, 6))


def test_a_channel_whose_name_begins_with_a_minus_is_found_as_it_is():
    (found,), _ = roles.assign([Channel("-IA", scale=2.0, unit="A")], {"I_L1": "-IA"})
    assert found.scale == 2.0


def test_with_a_map_only_mapped_channels_play():
    found, _ = roles.assign(channels("U_L1", "U_L2", "I_L1"), {"U_L1": "U_L2"})
    assert played(found) == {"U_L1": "U_L2"}
    again, _ = roles.assign(found)
    assert set(played(again)) == {"U_L1", "U_L2", "I_L1"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"U_L9": "UA"}, ["U_L9", "U_L12"]),
        ({"U_L1": "nothing", "X": "UA"}, ["nothing", "unknown role 'X'", "UA", "IA"]),
        ({"U_L1": "IA"}, ["IA", "in A, not in V"]),
        ({"U_L1": "UA", "U_L2": "UA"}, ["already plays U_L1"]),
        ({"U_L1": ""}, ["no channel"]),
        ({"U_L1": "#7"}, ["no channel"]),
    ],
)
def test_map_faults_are_all_named(given, words):
    with pytest.raises(SettingsError) as error:
        roles.assign(channels("UA", "IA"), given)
    for word in words:
        assert word in str(error.value)


def test_map_ignores_case_and_spaces_where_that_is_unambiguous():
    assert played(roles.assign(channels("LINE  ULA"), {"U_L1": "line ula"})[0]) == {"U_L1": "LINE  ULA"}


def test_channels_without_unit_can_be_mapped_and_it_is_said():
    found = roles.resolve([Channel("ch1"), Channel("ch2")], {"U_L1": "ch1"})
    assert found.channels[0].unit == "V" and "ch1" in found.notes[0]
    _, unresolved = roles.assign([Channel("ch1"), Channel("ch2")])
    assert "U_L1=ch1" in unresolved and "ch2" in unresolved


def test_no_channels():
    assert roles.assign([]) == ((), "the recording has no analog channels")


def test_prefixed_units_move_into_the_scale():
    (found,), _ = roles.assign([Channel("Va", scale=2.0, offset=1.0, unit="kV")])
    assert (found.unit, found.scale, found.offset) == ("V", 2000.0, 1000.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("V", ("V", 1.0)),
        ("kV", ("V", 1e3)),
        ("KV", ("V", 1e3)),
        ("mA", ("A", 1e-3)),
        ("ampere", ("A", 1.0)),
        ("Volt", ("V", 1.0)),
        (" A ", ("A", 1.0)),
        ("MV", ("V", 1e6)),
        ("VA", ("VA", 1.0)),
        ("deg", ("deg", 1.0)),
        ("", ("", 1.0)),
        ("one", ("one", 1.0)),
        ("Hz", ("Hz", 1.0)),
        ("W", ("W", 1.0)),
    ],
)
def test_units(text, expected):
    assert roles.unit(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("UL1", "V"), ("Ia", "A"), ("Voltage", "V"), ("ch1", ""), ("U1_1p_rms", ""), ("MODAQ_Vb", "V"), ("i", "A")],
)
def test_units_guessed_from_names(name, expected):
    assert roles.guess_unit(name) == expected


def test_a_thousand_channels_are_listed_briefly():
    given = [Channel(f"bay{k} I{p}", unit="A") for k in range(400) for p in "abc"]
    assert len(roles.assign(given)[1]) < 3000


def test_a_map_may_name_a_reversed_pair():
    channels = [Channel("a", unit="V", scale=2.0), Channel("b", unit="V", scale=3.0)]
    made, _ = roles.assign(channels, {"U_L12": "a", "U_L32": "b"})
    assert [(c.role, c.scale) for c in made] == [("U_L12", 2.0), ("U_L23", -3.0)]
    made, _ = roles.assign(channels, {"U_L12": "a", "U_L32": "-b"})
    assert made[1].scale == 3.0
    with pytest.raises(SettingsError, match="same voltage"):
        roles.assign(channels, {"U_L23": "a", "U_L32": "b"})


def test_currents_without_a_voltage_are_said_once():
    raw = type("Raw", (), {"close": lambda self: None})()
    rec = roles.apply(Recording(raw, (Channel("Ia", unit="A"), Channel("Ib", unit="A")), (Segment(0, 1, 1000.0),)))
    rec = roles.apply(rec, {"I_L1": "Ib"})
    assert [w for w in rec.warnings if "currents only" in w] == ["currents only: there is no voltage, and so no power, no energy and no events"]
    both = roles.apply(Recording(raw, (Channel("Ia", unit="A"), Channel("Va", unit="V")), (Segment(0, 1, 1000.0),)))
    assert not any("currents only" in w for w in both.warnings)
