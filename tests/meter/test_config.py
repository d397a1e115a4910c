"""The configuration of a meter: defaults, what follows from codes, every fault at once, round trips."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import SettingsError
from ctmeter.meter.code_tables import MODULES, PROFILES
from ctmeter.meter.config import MeterConfig, describe

TYPE = "685-11-35C-D24-0011-000"
feature = pytest.mark.feature


def faults(**values) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        MeterConfig.from_dict(values)
    return list(caught.value.faults)


def at_fault(**values) -> set[str]:
    return {fault.split(":")[0] for fault in faults(**values)}


def type_of(**places: str) -> str:
    x = list("51135CD240011000")
    for name, value in places.items():
        x[int(name[1:]) - 1] = value
    return "68" + "".join(x)


# --- defaults ---------------------------------------------------------------------------------------


@feature("A8", "A11")
def test_defaults():
    c = MeterConfig()
    assert (c.systems, c.wiring, c.current_range, c.accuracy_class, c.variant, c.energy_type) == (3, "3P4W", 5, "C", 2, 4)
    assert (c.nominal_voltage, c.nominal_frequency, c.u_indicator, c.p_indicator, c.p_creep, c.p_start) == (230.0, None, 160.0, 0.6, 0.0, 0.0)
    assert (c.ct_ratio, c.ratio_locked, c.decimals, c.module, c.period) == (1, False, 0, "00", 15)
    assert (c.profile_channels, c.profile_energies) == (4, ("A+", "A-", "R+", "R-"))
    assert (c.led_constant, c.s0_constant, c.pulse_width) == (10_000.0, 5000.0, 0.030)
    assert c.power_threshold is None and c.overridden == {} == c.given() and c.extensions == ()


def test_keyword_only_and_frozen():
    with pytest.raises(TypeError):
        MeterConfig("x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        MeterConfig().period = 30
    with pytest.raises(TypeError):
        MeterConfig(software_codes={"Z1": "1"}).software_codes["Z1"] = "2"


def test_every_field_is_described():
    rows = {name: (default, doc) for name, default, doc in describe()}
    assert set(rows) == set(MeterConfig().to_dict()) and all(doc for _, doc in rows.values())
    assert rows["u_indicator"][0] == 160.0 and "V" in rows["u_indicator"][1]


@feature("D8")
def test_what_the_sheet_leaves_open_says_so():
    open_ = {name for name, _, doc in describe() if doc.endswith("open in the sheet")}
    assert {"summation", "power_threshold", "tariff_plan", "exception_days", "alarms", "logger_2_depth", "stamp", "pulse_queue"} <= open_
    assert not {"ct_ratio", "u_indicator", "p_indicator", "led_constant", "s0_constant", "utc_offset"} & open_


# --- what follows from the type -----------------------------------------------------------------------


@feature("X4", "G18")
def test_systems_decide_the_wiring():
    assert MeterConfig.of_codes(type_of(X4="2")).wiring == "3P3W"
    assert MeterConfig.of_codes(type_of(X4="3")).wiring == "3P4W"
    single = MeterConfig.of_codes(type_of(X4="3"), wiring="1P2W")
    assert single.extensions == ("wiring",)
    assert at_fault(systems=2, wiring="3P4W") == at_fault(systems=3, wiring="3P3W") == at_fault(systems=2, wiring="1P2W") == {"wiring"}


@feature("X5", "G7")
def test_currents_of_both_ranges():
    one, five = MeterConfig.of_codes(type_of(X5="1")), MeterConfig.of_codes(type_of(X5="5"))
    assert (one.i_min, one.i_tr, one.i_n, one.i_max) == (0.01, 0.05, 1.0, 6.0)
    assert (five.i_min, five.i_tr, five.i_n, five.i_max) == (0.05, 0.25, 5.0, 6.0)


@feature("X6", "G8")
@pytest.mark.parametrize(("place", "name"), [("B", "B"), ("C", "C"), ("1", "1"), ("5", "0.5")])
def test_accuracy_class(place, name):
    assert MeterConfig.of_codes(type_of(X6=place)).accuracy_class == name
    assert at_fault(accuracy_class="A") == {"accuracy_class"}


@feature("X9", "A5")
@pytest.mark.parametrize(("place", "energies"), [("1", "A+"), ("2", "A+ A-"), ("3", "A+ R+"), ("4", "A+ A- R+ R-")])
def test_energies(place, energies):
    config = MeterConfig.of_codes(type_of(X9=place))
    assert config.energies == config.profile_energies == tuple(energies.split())
    assert len(config.display_auto) == len(config.display_backup) == len(config.energies)
    assert config.display_manual[: len(config.energies)] == config.display_auto


@feature("G5", "G6", "G9")
def test_ranges():
    assert MeterConfig(systems=2).u_range == MeterConfig().u_range == (184.0, 264.5)
    assert MeterConfig(nominal_voltage=400).u_range == (320.0, 460.0)
    assert MeterConfig(nominal_frequency=50).f_range == (47.5, 52.5)
    assert MeterConfig(nominal_frequency=60).f_range == (57.0, 63.0)
    assert MeterConfig().f_range is None
    assert at_fault(nominal_frequency=55, nominal_voltage=-1) == {"nominal_frequency", "nominal_voltage"}


@feature("X1", "X2", "X3", "X7", "X10", "X11", "X12", "X13", "X14", "X15", "X16")
def test_places_without_effect_are_kept():
    config = MeterConfig.of_codes("68 51 1 3 5 C D 2 4 0 1 1 1 0A7")
    assert config.type_code == "68 51 1 3 5 C D 2 4 0 1 1 1 0A7" and config.country == ""
    assert dataclasses.replace(config, type_code=None) == MeterConfig()


@feature("D4")
def test_the_type_is_not_overridden():
    found = faults(type_code=type_of(X4="2", X9="2"), systems=3, energy_type=4, wiring="3P4W")
    assert {f.split(":")[0] for f in found} == {"systems", "energy_type"} and all("contradicts type_code" in f for f in found)


# --- what follows from the software codes -----------------------------------------------------------------


@feature("A11", "Z1", "Z2", "Z4", "Z6", "Z8", "Z11", "Z12", "Z15", "Z21", "Z22", "Z24", "Z25", "Z27", "Z29", "Z30")
def test_codes_become_fields():
    config = MeterConfig.of_codes(
        TYPE,
        "Z1=2 Z2=2 Z3=05 Z4=3 Z6=15 Z7=04 Z8=80ms/on Z11=23 Z12=02 Z13=register Z14=001 Z15=001 Z21=3000/5 Z22=2 Z23=2 Z24=1 Z25=2"
        " Z26=000 Z27=2 Z29=16 Z30=2",
    )
    assert config == MeterConfig(
        type_code=TYPE, software_codes=config.software_codes, decimals=1, led_without_load=True, module="05", period=30, billing_day=15,
        billing_interval="04", pulse_width=0.080, alarm_input=True, utc_offset=-1, pulse_input_unit="m3", tariff_source="register",
        load_control="001", dst="EU", ct_ratio=600, ratio_locked=True, profile_side="secondary", pulse_side="primary", logger_2="weekly",
        profile_values="delta", profile_channels=6, logger_2_profile=2,
    )  # fmt: skip
    assert config.codes["Z21"] == "3000/5" and config.overridden == {}
    assert config.profile_energies == ("A+", "A-", "R+", "R-", "R1", "R2", "R3", "R4")


@feature("Z5", "Z10", "Z16", "Z17", "Z18", "Z20", "Z28", "F9")
def test_codes_without_a_field_are_kept():
    codes = {"Z5": "114", "Z10": "000", "Z16": "379", "Z17": "002", "Z18": "002", "Z20": "9", "Z28": "0"}
    config = MeterConfig.of_codes(type_of(X8="1"), codes)
    assert dict(config.software_codes) == codes
    assert dataclasses.replace(config, software_codes={}) == MeterConfig(type_code=type_of(X8="1"), variant=1)
    assert len(config.analysis_registers) == 10


@feature("Z3")
@pytest.mark.parametrize("code", MODULES)
def test_module(code):
    assert MeterConfig.of_codes(software_codes={"Z3": code}).terminals is MODULES[code]


#: Months between stops and the first month with one, for the 25 codes.
BILLING = [None, (1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3), *((6, m) for m in range(1, 7)), *((12, m) for m in range(1, 13))]


@feature("Z7", "F7")
@pytest.mark.parametrize("code", range(25))
def test_billing_intervals(code):
    config = MeterConfig.of_codes(software_codes={"Z7": f"{code:02d}"})
    assert config.billing_months == BILLING[code]
    assert (config.billing_control == "schedule") == (code > 0)


@feature("Z7", "Z3")
def test_billing_from_outside():
    assert MeterConfig(billing_interval="00", module="15").billing_control == "input"
    assert MeterConfig(billing_interval="00").billing_control == "command"
    assert MeterConfig(billing_interval="01", module="15").billing_control == "schedule"


@feature("A11", "Z21")
def test_fields_given_beside_the_codes_win_and_are_named():
    config = MeterConfig.of_codes(TYPE, "Z21=040 Z4=2 Z29=14", ct_ratio=60, profile_side="primary")
    assert (config.ct_ratio, config.period, config.profile_side, config.profile_channels) == (60, 15, "primary", 4)
    assert config.overridden == {"Z21": ("ct_ratio",), "Z29": ("profile_side",)}
    assert config.codes["Z21"] == "040"


# --- every fault at once --------------------------------------------------------------------------------


@feature("A11", "X8", "X9", "F5", "Z13", "Z18", "Z23", "Z27", "Z28", "Z29")
def test_contradictions_of_codes_all_at_once():
    codes = {"Z3": "16", "Z13": "port", "Z18": "001", "Z23": "2", "Z29": "4", "Z28": "1", "Z9": "0"}
    found = faults(type_code=type_of(X9="3"), software_codes=codes, country="AT", period=60, zone="Europe/Vienna", dst="EU", decimals=5, peroid=15)
    assert [f.split(":")[0] for f in found] == [
        "peroid",
        "decimals",
        "software_codes.Z9",
        "software_codes.Z18",
        "software_codes.Z28",
        "software_codes.Z29",
        "software_codes.Z13",
        "software_codes.Z3",
        "software_codes.Z29",
        "zone",
        "period",
    ]
    assert "did you mean period?" in found[0]


@pytest.mark.parametrize(
    ("variant", "codes", "named"),
    [
        pytest.param(1, {"Z29": "5"}, "Z29", marks=feature("Z29")),
        pytest.param(1, {"Z29": "16"}, "Z29", marks=feature("Z29")),
        pytest.param(2, {"Z18": "001"}, "Z18", marks=feature("Z18")),
        pytest.param(1, {"Z27": "2"}, "Z27", marks=feature("Z27", "F4")),
        pytest.param(2, {"Z28": "0"}, "Z28", marks=feature("Z28")),
        pytest.param(1, {"Z28": "2"}, "Z28", marks=feature("Z28")),
        pytest.param(1, {"Z30": "2"}, "Z30", marks=feature("Z30", "F8")),
    ],
)
def test_the_variant_of_the_type_decides(variant, codes, named):
    (fault,) = faults(type_code=type_of(X8=str(variant)), software_codes=codes)
    assert fault.startswith(f"software_codes.{named}: ") and f"X8 is {variant}" in fault
    assert MeterConfig.of_codes(type_of(X8=str(3 - variant)), codes)


@feature("X8")
def test_the_variant_decides_on_fields_too():
    assert at_fault(variant=1, profile_channels=6, profile_values="delta", logger_2_profile=2) == {
        "profile_channels",
        "profile_values",
        "logger_2_profile",
    }


@feature("X9", "Z29")
@pytest.mark.parametrize("energy_type", [1, 2, 3, 4])
def test_profile_and_module_need_registered_energies(energy_type):
    for channels, energies in PROFILES.items():
        there = {"A+": True, "A-": energy_type in (2, 4), "R+": energy_type in (3, 4), "R-": energy_type == 4, "R1": energy_type == 4}
        if all(there.get(e, there["R1"]) for e in energies):
            assert MeterConfig(energy_type=energy_type, profile_channels=channels).profile_energies == energies
        else:
            assert at_fault(energy_type=energy_type, profile_channels=channels) == {"profile_channels"}
    if energy_type in (1, 3):
        assert at_fault(energy_type=energy_type, module="16") == {"module"}


@feature("X8", "X9")
def test_a_doubtful_type_contradicts_nothing():
    assert at_fault(type_code=type_of(X8="3"), software_codes={"Z18": "001", "Z29": "5"}) == {"type_code.X8"}
    assert at_fault(variant=3, software_codes={"Z18": "001"}) == {"variant"}
    assert at_fault(tariff_source="plan", tariff_plan=3) == {"tariff_plan"}


@feature("F3", "Z4")
def test_austria():
    config = MeterConfig(country="AT", profile_depth=5760)
    assert config.profile_days_max == 60 and MeterConfig().profile_days_max is None
    for code in ("3", "4"):
        assert at_fault(country="AT", software_codes={"Z4": code}) == {"period"}
    assert at_fault(country="AT", period=30) == {"period"}
    assert at_fault(country="AT", profile_depth=5761) == {"profile_depth"}
    assert at_fault(country="XX") == {"country"}


@feature("F6")
def test_what_starts_a_load_profile_anew():
    config = MeterConfig()
    assert config.profile_breaks(MeterConfig(period=30)) == ("period",)
    assert config.profile_breaks(MeterConfig(energy_type=2)) == ("energy_type", "profile_channels")
    assert config.profile_breaks(MeterConfig(profile_side="secondary")) == ("profile_side",)
    assert config.profile_breaks(MeterConfig(ct_ratio=40, profile_values="delta", decimals=2)) == ()


@feature("H1", "Z21")
def test_ratio():
    for value, ratio in ((1, 1), (600, 600), (40.0, 40), ("200/5", 40), ("600/1", 600), ("3000:5", 600)):
        assert MeterConfig(ct_ratio=value).ct_ratio == ratio and isinstance(MeterConfig(ct_ratio=value).ct_ratio, int)
    for value in (0, 601, 1.5, -1, True, "7/5", "3005/5", None, "x", float("nan"), float("inf"), [40]):
        (fault,) = faults(ct_ratio=value)
        assert fault.startswith("ct_ratio: ") and "expected" in fault


@feature("C12")
def test_power_threshold():
    assert MeterConfig(power_threshold=2500).power_threshold == 2500.0
    assert at_fault(power_threshold=0) == at_fault(power_threshold="5 kW") == {"power_threshold"}


@feature("B21", "Z1")
def test_decimals():
    assert [MeterConfig.of_codes(software_codes={"Z1": code}).decimals for code in "123"] == [0, 1, 2]
    assert at_fault(decimals=3) == {"decimals"}


@feature("F9", "A9")
def test_analysis_logger():
    names = [f"{q}_{p}" for q in ("U", "I", "P", "Q", "S", "U1", "I1", "A+") for p in ("L1", "L2", "L3")]
    assert MeterConfig(analysis_registers=names).analysis_registers == tuple(names) and len(names) == 24
    (fault,) = faults(analysis_registers=[*names, "f"])
    assert fault.startswith("analysis_registers: 25 registers, at most 24; 'f' is one too many")
    assert MeterConfig(analysis_registers=["P+", "S-", "A+", "R1_L2", "U_L1_max", "u2"])
    for wrong in (["U_L4"], ["t"], ["HU_L1"], ["THD_U_L1"], ["Pst_L1"], ["f", "f"], "f", 3, [["f"]]):
        assert at_fault(analysis_registers=wrong) == {"analysis_registers"}
    assert at_fault(analysis_interval=7) == {"analysis_interval"}


@feature("B1", "B2", "B16", "B17", "B18")
def test_display_lists():
    codes = [f"1.8.{k}" for k in range(31)]
    config = MeterConfig(display_auto=codes[:16], display_manual=[*codes[:29], "1.6.0*01"], display_backup=codes[:8])
    assert (len(config.display_auto), len(config.display_manual), len(config.display_backup)) == (16, 30, 8)
    assert dataclasses.replace(config, display_auto=("14.7.0",)).display_manual == config.display_manual
    assert "'1.8.16' is one too many" in faults(display_auto=codes[:17])[0]
    assert "'1.8.30' is one too many" in faults(display_manual=codes)[0]
    assert "'1.8.8' is one too many" in faults(display_backup=codes[:9])[0]
    assert "past billing period" in faults(display_auto=["1.8.0", "1.6.0*01"])[0]
    for wrong in ("1.8.0", ["A+"], ["1.8.0", "1.8.0"], [18], {"1.8.0": 1}, 5):
        assert at_fault(display_auto=wrong) == {"display_auto"}


@feature("T6", "Z11", "Z15")
def test_zones_exclude_offsets():
    config = MeterConfig(zone="Europe/Copenhagen")
    assert config.extensions == ("zone",)
    assert at_fault(zone="Europe/Copenhagen", dst="EU") == at_fault(zone="Europe/Copenhagen", utc_offset=1) == {"zone"}
    for wrong in ("Europe", "../etc/passwd", "", "Nowhere/There", 5):
        assert at_fault(zone=wrong) == {"zone"}
    assert at_fault(utc_offset=13) == at_fault(utc_offset=-12) == at_fault(utc_offset=5.5) == {"utc_offset"}


@feature("Z13", "Z20")
def test_tariff_sources():
    plan = {"seasons": [{"from": dt.date(2026, 4, 1), "at": dt.time(6, 0), "tariff": 1}]}
    days = [dt.date(2026, 12, 24), "2026-12-25", {"date": "2026-12-31", "as": "working"}]
    config = MeterConfig.of_codes(software_codes={"Z13": "104"}, tariff_plan=plan, exception_days=days)
    assert config.tariff_source == "plan" and config.tariff_plan["seasons"][0]["from"] == "2026-04-01"
    assert config.exception_days[:2] == ("2026-12-24", "2026-12-25") and hash(config) == hash(dataclasses.replace(config))
    assert config.to_dict()["tariff_plan"] == {"seasons": [{"from": "2026-04-01", "at": "06:00:00", "tariff": 1}]}
    plan["seasons"].clear()
    assert config.tariff_plan["seasons"]
    assert at_fault(tariff_source="plan") == at_fault(tariff_source="port") == {"tariff_source"}
    assert MeterConfig(tariff_source="port", module="22").terminals.tariffs == 4
    assert "'2026-04-11' is one too many" in faults(exception_days=[str(dt.date(2026, 1, 1) + dt.timedelta(k)) for k in range(101)])[0]


@feature("Z3", "T5")
def test_inputs_are_inputs():
    assert MeterConfig(module="01", input_1="T1", input_2="T2").input_2 == "T2"
    assert at_fault(module="05", input_1="D1", input_2="D2") == {"input_2"}
    assert at_fault(input_1="D1") == {"input_1"}


@feature("T4", "Z26")
def test_alarms():
    assert MeterConfig().alarms == () == MeterConfig.of_codes(software_codes={"Z26": "000"}).alarms
    assert MeterConfig(alarms=["voltage-low", "magnetic"]).alarms == ("magnetic", "voltage-low")
    assert at_fault(alarms=["fire"]) == at_fault(alarms="cover") == {"alarms"}


@feature("G15")
def test_clock():
    config = MeterConfig(clock_ppm=-5, clock_sync="2026-01-01T01:00:00+01:00")
    assert config.clock_sync_ns == 1_767_225_600_000_000_000  # 20454 days of 86400 s
    assert MeterConfig(clock_sync=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).clock_sync_ns == config.clock_sync_ns
    assert MeterConfig().clock_sync_ns is None
    for wrong in ("2026-01-01T00:00:00", "today", 5, dt.datetime(2026, 1, 1)):
        assert at_fault(clock_sync=wrong) == {"clock_sync"}


@pytest.mark.parametrize(
    "values",
    [
        {"serial": "a\nb"},
        {"serial": 5},
        {"text": "x" * 81},
        {"period": 20},
        {"period": True},
        {"billing_day": 29},
        {"billing_day": 0},
        {"billing_interval": "25"},
        {"billing_interval": 1},
        {"module": "24"},
        {"pulse_width": 0.05},
        {"pulse_queue": -1},
        {"led_constant": 0},
        {"load_control": "A"},
        {"logger_2": "yearly"},
        {"logger_2_depth": 0},
        {"profile_depth": "half"},
        {"profile_depth": 0},
        {"profile_channels": 7},
        {"stamp": "middle"},
        {"overlap": "both"},
        {"allow_incomplete": 1},
        {"p_creep": -0.1},
        {"u_indicator": float("nan")},
        {"tariff_plan": []},
        {"software_codes": 5},
        {"type_code": 5},
    ],
    ids=str,
)
def test_absurd_values(values):
    (name,) = values
    assert at_fault(**values) == {name}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(MeterConfig().to_dict())), JUNK, max_size=6))
def test_anything_is_a_configuration_or_faults(values):
    try:
        config = MeterConfig.from_dict(values)
    except SettingsError as error:
        assert error.faults and all(": " in fault for fault in error.faults)
    else:
        assert MeterConfig.from_dict(config.to_dict()) == config and isinstance(hash(config), int)


# --- round trips ---------------------------------------------------------------------------------------


FULL = {
    "serial": "12345678",
    "type_code": "68 51 1 3 5 C D 2 4 0 0 1 1 000",
    "software_codes": {"Z21": "200/5", "Z3": "01"},
    "input_1": "T1",
    "tariff_source": "plan",
    "tariff_plan": {"summer": {"working": ["06:00 1", "22:00 2"]}},
    "exception_days": ["2026-12-24"],
    "display_auto": ["1.8.0"],
    "alarms": ["cover"],
    "profile_depth": 100,
    "ct_ratio": 60,
    "clock_sync": "2026-01-01T00:00:00Z",
}


@feature("A11")
def test_round_trip():
    config = MeterConfig.from_dict(FULL)
    plain = config.to_dict()
    assert MeterConfig.from_dict(plain) == config == MeterConfig.from_dict(json.loads(json.dumps(plain))) == MeterConfig(**plain)
    assert pickle.loads(pickle.dumps(config)) == config and hash(config) == hash(MeterConfig.from_dict(plain))
    assert config.given() == {**FULL, "module": "01"}
    assert MeterConfig.from_dict(config.given()) == config


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "Z1": st.sampled_from("123"), "Z2": st.sampled_from("12"), "Z3": st.sampled_from(sorted(MODULES)), "Z4": st.sampled_from("234"),
            "Z6": st.integers(1, 28).map("{:02d}".format), "Z7": st.integers(0, 24).map("{:02d}".format),
            "Z8": st.sampled_from(["30ms/off", "30ms/on", "80ms/off", "80ms/on"]), "Z11": st.integers(0, 23).map("{:02d}".format),
            "Z14": st.integers(0, 999).map("{:03d}".format), "Z21": st.integers(1, 600).map("{:03d}".format), "Z27": st.sampled_from("12"),
            "Z29": st.sampled_from(["1", "2", "3", "4", "5", "6", "11", "12", "13", "14", "15", "16"]), "Z30": st.sampled_from("12"),
        },
    )
)  # fmt: skip
@feature("A11")
def test_codes_round_trip_through_the_configuration(codes):
    config = MeterConfig.of_codes(TYPE, codes)
    assert config.codes.to_dict() == codes and config.type_code == TYPE and config.overridden == {}
    assert MeterConfig.from_dict(config.to_dict()) == config


def test_toml(tmp_path):
    path = tmp_path / "meter.toml"
    path.write_text(
        f'type_code = "{TYPE}"\nct_ratio = "100/5"\nexception_days = [2026-12-24]\nquiet = true\n'
        '[software_codes]\nZ1 = "3"\n[tariff_plan.summer]\nfrom = 06:00:00\n',
        "utf-8",
    )
    config = MeterConfig.load(path)
    assert (config.decimals, config.ct_ratio, config.exception_days) == (2, 20, ("2026-12-24",))
    assert config.tariff_plan["summer"]["from"] == "06:00:00"
    path.write_text('software_codes = {Z1 = 3}\nperiods = 15\ndecimals = 9\n[display]\nauto = ["1.8.0"]\n', "utf-8")
    with pytest.raises(SettingsError) as caught:
        MeterConfig.load(path)
    assert all(f.startswith(f"{path}: ") for f in caught.value.faults)
    assert [f.removeprefix(f"{path}: ").split(":")[0] for f in caught.value.faults] == ["periods", "display", "decimals", "software_codes.Z1"]
    for content, said in ((b"a = ", "not TOML"), (b"\xff\xfe", "not UTF-8")):
        path.write_bytes(content)
        with pytest.raises(SettingsError, match=said):
            MeterConfig.load(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        MeterConfig.load(tmp_path)


def test_three_wires_are_summed_as_vectors():
    with pytest.raises(SettingsError, match="needs phase voltages"):
        MeterConfig(systems=2, summation="per-phase")
