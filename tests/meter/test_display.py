"""The display: lists, fields, schedule, marks and the picture of the LCD."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import InputError, SettingsError
from ctmeter.meter.display import Buttons, automatic_page, frame, picture
from ctmeter.meter.display_lists import Item, Lists
from ctmeter.meter.obis import REGISTERS
from ctmeter.meter.readings import Indicators, Reading, energy, on_side, reading, written

MJ_PER_KWH = 3_600_000_000
S = 1_000_000_000
LEGAL = ("1.8.0", "2.8.0", "3.8.0", "4.8.0", "0.4.2")
ALL_ON = Indicators((True, True, True), (1, 1, -1), 1, "123", 2, False, "")


def lists(**changes: tuple[str, ...]) -> Lists:
    return Lists(**{"automatic": ("1.8.0",), "manual": LEGAL, "backup": ("1.8.0",), **changes})


def faults(**changes: tuple[str, ...]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as error:
        lists(**changes)
    return error.value.faults


def energy_text(kwh: str, decimals: int) -> str:
    millijoules = int(Decimal(kwh) * MJ_PER_KWH)
    return written(energy("1.8.0", millijoules, side="primary"), decimals).text


# lists


@pytest.mark.feature("B1")
def test_the_lists_depend_on_the_configuration():
    assert {"2.8.0", "1.8.1"} <= set(Lists.default().manual)
    narrow = Lists.default(["A+", "E+"], tariffs=0)
    assert narrow.automatic == ("1.8.0",) and not {"2.8.0", "1.8.1", "3.6.0"} & set(narrow.manual)


@pytest.mark.feature("B2")
def test_the_three_lists_are_independent():
    one = lists()
    assert replace(one, automatic=("1.7.0",)).manual == one.manual
    assert replace(one, manual=(*LEGAL, "1.7.0")).automatic == one.automatic
    assert replace(one, backup=()).automatic == one.automatic


@pytest.mark.feature("B16")
def test_at_most_16_automatic_items():
    assert len(lists(automatic=("1.8.0",) * 16).automatic) == 16
    assert faults(automatic=("1.8.0",) * 17) == ("display_auto: 17 items, at most 16",)


@pytest.mark.feature("B16")
def test_nothing_of_past_periods_by_itself():
    assert any("1.8.0*01" in f and "past" in f for f in faults(automatic=("1.8.0*01",)))
    assert lists(manual=(*LEGAL, "1.8.0*01")).manual[-1] == "1.8.0*01"


@pytest.mark.feature("B17")
def test_at_most_30_manual_items():
    assert len(Lists.default().manual) == 30
    assert lists(manual=(*LEGAL, *["1.7.0"] * 25))
    assert faults(manual=(*LEGAL, *["1.7.0"] * 26)) == ("display_manual: 31 items, at most 30",)


@pytest.mark.feature("B17")
@pytest.mark.parametrize("gone", LEGAL)
def test_legal_readings_cannot_be_removed(gone: str):
    name = {"1.8.0": "A+", "2.8.0": "A-", "3.8.0": "R+", "4.8.0": "R-", "0.4.2": "ratio"}[gone]
    (fault,) = faults(manual=tuple(c for c in LEGAL if c != gone))
    assert fault.startswith(f"display_manual: {gone} ({name}, ") and "cannot be removed" in fault


@pytest.mark.feature("B17")
def test_a_legal_reading_the_meter_does_not_have_is_not_asked_for():
    assert Lists(automatic=(), manual=("0.4.2", "1.8.0s"), backup=(), energies=["A+"])


@pytest.mark.feature("B18")
def test_at_most_8_backup_items():
    assert lists(backup=("1.8.0",) * 8)
    assert faults(backup=("1.8.0",) * 9) == ("display_backup: 9 items, at most 8",)


@pytest.mark.feature("B1")
def test_every_fault_of_every_list_at_once():
    named = faults(automatic=("nonsense", "1.8.0*01"), manual=("1.9.0", "1.7.0*01", "1.6.1*12"), backup=("99.1.0",) * 9)
    for part in (
        "'nonsense' is no OBIS code",
        "1.8.0*01 is of a past",
        "1.9.0 is not a reading",
        "P+ is not kept",
        "identification field",
        "9 items",
    ):
        assert any(part in f for f in named), part
    assert sum("cannot be removed" in f for f in named) == len(LEGAL)


# fields


@pytest.mark.feature("B21")
def test_decimals_are_cut():
    assert [energy_text("1234567.89", d) for d in (0, 1, 2)] == ["1234567", "1234567.8", "1234567.89"]
    assert [energy_text("0.999999", d) for d in (0, 1, 2)] == ["0000000", "0000000.9", "0000000.99"]


@pytest.mark.feature("B21")
@pytest.mark.parametrize("decimals", [-1, 3, 0.5])
def test_other_decimals_do_not_fit(decimals):
    with pytest.raises(InputError, match="decimals"):
        written(energy("1.8.0", 0, side=""), decimals)


@pytest.mark.feature("B3", "B21")
@given(st.integers(0, 2**63 - 1), st.sampled_from([0, 1, 2]))
def test_energies_are_exact_from_millijoules(millijoules: int, decimals: int):
    kwh = (Decimal(millijoules) / MJ_PER_KWH % 10**7).quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN)
    text = written(energy("1.8.0", millijoules, side="secondary"), decimals).text
    assert Decimal(text) == kwh
    assert len(text.replace(".", "")) == 7 + decimals <= 9


@pytest.mark.feature("B3")
def test_the_register_rolls_over_and_never_overflows():
    assert energy_text("9999999.99", 2) == "9999999.99"
    assert [energy_text("10000000", d) for d in (0, 1, 2)] == ["0000000", "0000000.0", "0000000.00"]
    assert energy_text("10000001.5", 1) == "0000001.5"


@pytest.mark.feature("B3")
def test_nine_digits_of_any_other_count():
    assert written(reading("0.1.0", 999_999_999)).text == "999999999"
    assert written(reading("0.1.0", 1_000_000_000)).text == "0"
    assert written(reading("82.8.0", 1_000_000.5, unit="m3")).text == "0.500"
    assert written(reading("13.7.0", -1e6)).text == "-0.000"


@pytest.mark.feature("B3")
def test_a_register_that_ran_backwards_is_an_error():
    with pytest.raises(InputError, match="negative"):
        written(energy("1.8.0", -1, side="secondary"))


@pytest.mark.feature("B3")
def test_maxima_and_counts_are_cut_and_momentary_values_rounded():
    assert written(reading("1.6.0", 1999.999)).text == "1.999"
    assert written(reading("1.7.0", 1999.999)).text == "2.000"
    assert written(reading("96.8.0", 1.99)).text == "1"
    assert written(reading("32.7.0", 229.96)).text == "230.0"
    assert written(reading("13.7.0", -0.98765)).text == "-0.988"
    assert written(reading("13.7.0", -0.0001)).text == "0.000"


@pytest.mark.feature("B3")
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_unknown_has_no_digits(value):
    assert written(reading("32.7.0", value)).text == ""
    assert "╺━╸ " * 9 in picture(frame(["32.7.0"], 0, [reading("32.7.0", value)]))


@pytest.mark.feature("B4")
@pytest.mark.parametrize(
    ("code", "unit", "shown"),
    [
        ("1.8.0", "", "kWh"), ("3.8.0", "", "kvarh"), ("9.8.0", "", "kVAh"), ("1.7.0", "", "kW"), ("3.7.0", "", "kvar"), ("9.7.0", "", "kVA"),
        ("32.7.0", "", "V"), ("31.7.0", "", "A"), ("14.7.0", "", "Hz"), ("96.8.0", "", "h"), ("13.7.0", "", ""), ("0.4.2", "", ""),
        ("82.8.0", "m3", "m³"), ("82.8.0", "L", "L"), ("82.8.0", "kWh", "kWh"),
    ],
)  # fmt: skip
def test_units(code: str, unit: str, shown: str):
    assert written(reading(code, 1, unit=unit)).unit == shown


@pytest.mark.feature("B4")
def test_prefixes():
    assert written(reading("1.7.0", 12_345.6)).text == "12.346"
    assert written(reading("31.7.0", 3600)).text == "3600.000"
    assert written(reading("14.7.0", 49.996)).text == "50.00"
    assert written(reading("97.97.0", 0xCAFE)).text == "0000CAFE"
    assert written(reading("0.9.2", "2026-01-31")).text == "26-01-31"


@pytest.mark.feature("B5")
def test_the_identification_field_has_seven_characters():
    for d in REGISTERS:
        shown = frame([d.obis], 0, [])
        assert shown.obis == d.code.short and len(shown.obis) <= 7


def test_a_reading_needs_a_code_of_the_table():
    with pytest.raises(InputError, match="no such reading"):
        reading("1-0:99.99.99", 1)
    with pytest.raises(InputError, match="no energy"):
        energy("1.7.0", 1, side="primary")


# sides


def test_primary_where_there_is_one_secondary_on_request():
    both = [energy("1.8.0", 100 * MJ_PER_KWH, side="secondary"), energy("1.8.0", 6000 * MJ_PER_KWH, side="primary")]
    assert [(frame([i], 0, both).value, frame([i], 0, both).side) for i in ("1.8.0", "1.8.0s")] == [("0006000", "primary"), ("0000100", "secondary")]
    alone = both[:1]
    assert [frame([i], 0, alone).value for i in ("1.8.0", "1.8.0s")] == ["0000100", "0000100"]
    assert frame(["1.8.0s"], 0, both[1:]).value == ""
    assert on_side(both, "secondary") == alone and on_side(reversed(both), "secondary") == alone
    assert "PRIM" in picture(frame(["1.8.0"], 0, both)) and "SEC" in picture(frame(["1.8.0s"], 0, both))
    assert Item.parse(" 1-0:1.8.0s ").secondary


# what stands when


@pytest.mark.feature("B16")
def test_the_automatic_list_for_160_seconds():
    seen = [automatic_page(16, t * S) for t in range(160)]
    assert seen == [page for page in range(16) for _ in range(10)]
    assert automatic_page(16, 160 * S) == 0
    assert [automatic_page(1, t * S) for t in (0, 9, 10, 1000)] == [0, 0, 0, 0]


@pytest.mark.feature("B17", "B19")
def test_the_button_walks_the_manual_list_and_two_minutes_end_it():
    buttons = Buttons(automatic=3, manual=2, start_ns=1000 * S)
    assert buttons.shown(1015 * S) == ("automatic", 1)
    buttons.press(1015 * S)
    assert buttons.shown(1015 * S + 119 * S) == ("manual", 0)
    buttons.press(1015 * S + 119 * S)
    assert buttons.shown(1134 * S) == ("manual", 1)
    buttons.press(1135 * S)
    assert buttons.shown(1135 * S + 119 * S) == ("manual", 0)
    assert buttons.shown(1135 * S + 120 * S - 1) == ("manual", 0)
    assert buttons.shown(1135 * S + 120 * S) == ("automatic", 1)
    assert buttons.shown(1135 * S + 121 * S) == ("automatic", 1)
    buttons.press(1300 * S)
    assert buttons.shown(1300 * S) == ("manual", 0)


@pytest.mark.feature("B18")
def test_backup_reading_shows_values_and_no_mark():
    shown = frame(["1.8.0"], 0, [energy("1.8.0", MJ_PER_KWH, side="secondary")], replace(ALL_ON, error=True), mode="backup")
    assert shown.value == "0000001" and shown.indicators == Indicators.dark()
    assert "L1" not in picture(shown) and "ERROR" not in picture(shown) and "backup 1/1" in picture(shown)


@pytest.mark.parametrize("page", [-1, 1])
def test_a_page_that_is_not_there(page: int):
    with pytest.raises(InputError, match="page"):
        frame(["1.8.0"], page, [])


# the picture


def shown_with(**marks) -> str:
    return picture(frame(["1.8.0"], 0, [energy("1.8.0", 0, side="secondary")], replace(ALL_ON, **marks)))


@pytest.mark.feature("B1", "B3", "B4", "B5", "B6", "B7", "B12", "B13", "B14", "B15", "B21")
def test_the_whole_display():
    value = energy("1.8.0", 1_234_567_890 * 3_600_000, side="primary")
    assert picture(frame(["1.8.0", "2.8.0"], 0, [value], ALL_ON, decimals=2, text="feeder 7", serial="12345678")) == "\n".join(
        [
            "╭─ 12345678 ─────────────────────────────────────────────────╮",
            "│                                                            │",
            "│  1.8.0    feeder 7                          ·· T2 ·· ··    │",
            "│                                                            │",
            "│    ╻ ╺━┓ ╺━┓ ╻ ╻ ┏━╸ ┏━╸ ╺━┓ ┏━┓ ┏━┓    PRIM     ·│◣       │",
            "│    ┃ ┏━┛ ╺━┫ ┗━┫ ┗━┓ ┣━┓   ┃ ┣━┫ ┗━┫             ─┼─ Q1    │",
            "│    ╹ ┗━╸ ╺━┛   ╹ ╺━┛ ┗━┛   ╹▪┗━┛ ╺━┛    kWh      ·│·       │",
            "│                                                            │",
            "│  L1▶  L2▶  L3◀   123                                       │",
            "│                                                            │",
            "╰─ automatic 1/2 ────────────────────────────────────────────╯",
        ]
    )


@pytest.mark.feature("B6")
@pytest.mark.parametrize(("quadrant", "row", "part"), [(1, 4, "·│◣"), (2, 4, "◢│·"), (3, 6, "◥│·"), (4, 6, "·│◤"), (None, 4, "·│·")])
def test_the_quadrant(quadrant: int | None, row: int, part: str):
    drawn = shown_with(quadrant=quadrant)
    assert part in drawn.splitlines()[row]
    assert sum(drawn.count(c) for c in "◣◢◥◤") == (quadrant is not None)
    assert (f"Q{quadrant}" in drawn) == (quadrant is not None)


@pytest.mark.feature("B7")
def test_the_text_field_is_free_text_that_cannot_harm_a_terminal():
    assert "feeder 7" in picture(frame(["1.8.0"], 0, [], text="feeder 7"))
    drawn = picture(frame(["1.8.0"], 0, [], text="\x1b[31m" + "x" * 80, serial="\x9b\n" * 50))
    assert all(c.isprintable() for c in drawn.replace("\n", "")) and "…" in drawn
    assert {len(line) for line in drawn.splitlines()} == {62}


@pytest.mark.feature("B9")
def test_the_error_symbol():
    assert "ERROR" in shown_with(error=True) and "ERROR" not in shown_with(error=False)


@pytest.mark.feature("B10")
def test_the_tamper_symbol_is_filled_where_it_is_permanent():
    assert [next((m for m in "□■" if f"{m} TAMPER" in shown_with(tamper=t)), "") for t in ("", "temporary", "permanent")] == ["", "□", "■"]
    assert "TAMPER" not in shown_with(tamper="")


@pytest.mark.feature("B12")
@pytest.mark.parametrize(("tariff", "part"), [(None, "·· ·· ·· ··"), (1, "T1 ·· ·· ··"), (2, "·· T2 ·· ··"), (3, "·· ·· T3 ··"), (4, "·· ·· ·· T4")])
def test_the_tariff(tariff: int | None, part: str):
    assert part in shown_with(tariff=tariff)


@pytest.mark.feature("B13")
@pytest.mark.parametrize(("sequence", "part"), [("123", " 123 "), ("132", " 132 "), (None, " ··· ")])
def test_the_phase_sequence(sequence: str | None, part: str):
    assert part in shown_with(sequence=sequence)


@pytest.mark.feature("B14", "B15")
def test_voltage_and_current_of_each_phase():
    assert "L1▶  L2◀  L3·" in shown_with(current=(1, -1, 0))
    assert "··▶  L2▶  ···" in shown_with(voltage=(False, True, None), current=(1, 1, None))


@pytest.mark.feature("B3")
def test_points_and_colons_stand_between_digits():
    clock = picture(frame(["0.9.1"], 0, [reading("0.9.1", "12:34:56")])).splitlines()
    assert clock[6].count("▪") == 2 == clock[5].count("▪")
    assert picture(frame(["13.7.0"], 0, [reading("13.7.0", -0.5)])).count("▪") == 1


@pytest.mark.feature("B3")
def test_texts_show_their_last_nine_signs():
    shown = frame(["96.1.0"], 0, [reading("96.1.0", "OM-12345678901")])
    assert shown.value == "345678901"
    assert {len(line) for line in picture(frame(["96.1.0"], 0, [reading("96.1.0", "ÆØÅ xyz")])).splitlines()} == {62}


def test_every_reading_can_be_drawn():
    for d in REGISTERS:
        for value in (0, 1, 12345.678, None):
            r = Reading(d.obis, d.name, value, d.unit, "primary")
            drawn = picture(frame([d.obis], 0, [r], ALL_ON, decimals=2))
            assert {len(line) for line in drawn.splitlines()} == {62} and len(drawn.splitlines()) == 11


@pytest.mark.feature("B1")
def test_the_same_as_json():
    plain = frame(["1.8.0"], 0, [energy("1.8.0", MJ_PER_KWH, side="primary")], ALL_ON, serial="1").to_dict()
    assert json.loads(json.dumps(plain)) == {
        "obis": "1.8.0", "value": "0000001", "unit": "kWh", "side": "primary", "text": "", "mode": "automatic", "page": 0, "pages": 1, "serial": "1",
        "indicators": {
            "voltage": [True, True, True], "current": [1, 1, -1], "quadrant": 1, "sequence": "123", "tariff": 2, "error": False, "tamper": "",
        },
    }  # fmt: skip
