"""What the configuration codes of the meter mean, as data: X1 to X16 of the type, Z1 to Z30 of the software.

The data sheet leaves some values to order forms, and its text has lost the digits of others. The first are
stored as they are; the second are named in words here, and digits in their place are refused, for nobody can
say which was meant. Z9 and Z19 do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["ALARMS", "HARDWARE", "MODULES", "PROFILES", "RATIO_PAIRS", "SOFTWARE", "Code", "Module", "Option", "Port", "missing_energies"]

#: Energies that can be profiled or put out, by energy type X9.
_OF_TYPE = {1: ("A+",), 2: ("A+", "A-"), 3: ("A+", "R+"), 4: ("A+", "A-", "R+", "R-")}
#: The energy that a quadrant belongs to.
_SUM = {"R1": "R+", "R2": "R+", "R3": "R-", "R4": "R-"}

#: Channels of the load profile by the units digit of Z29.
PROFILES: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        **_OF_TYPE,
        5: ("A+", "A-", "R1", "R2", "R3", "R4"),
        6: ("A+", "A-", "R+", "R-", "R1", "R2", "R3", "R4"),
    }
)

#: Alarms that can be enabled; Z26 has a code for none of them only.
ALARMS = ("magnetic", "cover", "internal-error", "voltage-low", "voltage-high", "phase-missing")


def missing_energies(energy_type: int, wanted: tuple[str, ...]) -> list[str]:
    """Energies among `wanted` that a meter of that energy type (X9) does not register.

    Examples
    --------
    >>> missing_energies(3, ("A+", "A-", "R1"))
    ['A-']
    """
    return [e for e in wanted if _SUM.get(e, e) not in _OF_TYPE[energy_type]]


@dataclass(frozen=True)
class Option:
    """One value of a code.

    Attributes
    ----------
    meaning : str
        In few words.
    fields : mapping
        Fields of `MeterConfig` it sets.
    variant : int or None
        The only variant (X8) it exists for.
    refused : str
        Why this meter cannot do it, where it cannot.
    """

    meaning: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    variant: int | None = None
    refused: str = ""


@dataclass(frozen=True)
class Code:
    """One place of a code: what it is called, and every value it may hold.

    Attributes
    ----------
    name : str
        "X1" to "X14" (which stands for X14 to X16), "Z1" to "Z30".
    title : str
        What it decides.
    options : mapping of str to Option
        Every value with a known meaning.
    takes : str
        Field of `MeterConfig` that takes the value as it stands.
    free : str
        Pattern of further values, defined on order forms; empty where there are none.
    free_fields : mapping
        Fields that any of those sets.
    hint : str
        What to say to a value that is not legal, beside those that are.
    """

    name: str
    title: str
    options: Mapping[str, Option]
    takes: str = ""
    free: str = ""
    free_fields: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""

    def option(self, value: str) -> Option | None:
        """What that value means; None where it is not legal."""
        found = self.options.get(value)
        if found is None and self.free and re.fullmatch(self.free, value):
            found = Option("see its order form", self.free_fields)
        if found is not None and self.takes:
            return Option(found.meaning, {**found.fields, self.takes: value}, found.variant, found.refused)
        return found

    @property
    def legal(self) -> str:
        """The legal values, for messages: "1, 2 or 3", "01 to 28"."""
        known = list(self.options)
        numbers = [int(value) for value in known if value.isdigit()]
        if len(numbers) > 6 and numbers == list(range(numbers[0], numbers[-1] + 1)):
            listed = f"{known[0]} to {known[len(numbers) - 1]}"
        else:
            listed = " or ".join(filter(None, [", ".join(known[:-1]), *known[-1:]]))
        form = "one of an order form" if self.free else ""
        return "; ".join(filter(None, [", or ".join(filter(None, [listed, form])), self.hint]))


@dataclass(frozen=True)
class Port:
    """One of the two terminals of the module: what passes there, "in" or "out", inverted or not."""

    role: str = ""
    direction: str = ""
    inverted: bool = False


@dataclass(frozen=True)
class Module:
    """What the two terminals of the module do (Z3).

    Attributes
    ----------
    io1, io2 : Port
        The terminals; a role is "" where nothing is connected.
    load_sync : bool
        Whether load control follows the tariff.
    """

    code: str
    io1: Port
    io2: Port
    load_sync: bool = False

    @property
    def ports(self) -> tuple[Port, Port]:
        """Both terminals."""
        return self.io1, self.io2

    @property
    def tariffs(self) -> int:
        """How many tariffs its inputs choose from: 4, 2, or 0 where none of them does."""
        roles = {p.role for p in self.ports}
        return 4 if "tariff-a" in roles else 2 if "tariff" in roles else 0

    @property
    def outputs(self) -> tuple[str, ...]:
        """Energies it puts out as pulses, in the order of the terminals."""
        return tuple(_PUT_OUT[p.role] for p in self.ports if p.role in _PUT_OUT)

    @property
    def meaning(self) -> str:
        """In words."""
        words = [(p.role or "-") + (" inverted" if p.inverted else "") for p in self.ports]
        return " / ".join(words) + (" with load control" if self.load_sync else "")


_PUT_OUT = {"a-plus-out": "A+", "a-minus-out": "A-", "r-plus-out": "R+"}
_IN = frozenset({"tariff-a", "tariff-b", "tariff", "pulse-in", "alarm-in", "billing-stop", "load-control-in"})


def _port(word: str) -> Port:
    """A port of its role, an exclamation mark before it where it is inverted."""
    role = word.removeprefix("!")
    return Port(role, "" if not role else "in" if role in _IN else "out", word.startswith("!"))


def _module(code: str, io1: str, io2: str, load_sync: bool = False) -> Module:
    return Module(code, _port(io1), _port(io2), load_sync)


#: The 27 modules of Z3; 24 and 25 do not exist.
MODULES: Mapping[str, Module] = MappingProxyType(
    {
        m.code: m
        for m in (
            _module("00", "", ""),
            _module("01", "tariff-a", "tariff-b"),
            _module("02", "!tariff-a", "!tariff-b"),
            _module("03", "pulse-in", "alarm-in"),
            _module("04", "pulse-in", "!alarm-in"),
            _module("05", "pulse-in", "a-plus-out"),
            _module("06", "r-plus-out", "a-plus-out"),
            _module("07", "tariff", "alarm-in"),
            _module("08", "!tariff", "alarm-in"),
            _module("09", "tariff", "!alarm-in"),
            _module("10", "!tariff", "!alarm-in"),
            _module("11", "tariff", "a-plus-out"),
            _module("12", "!tariff", "a-plus-out"),
            _module("13", "pulse-in", "tariff"),
            _module("14", "pulse-in", "!tariff"),
            _module("15", "billing-stop", ""),
            _module("16", "a-minus-out", "a-plus-out"),
            _module("17", "load-control-in", "status"),
            _module("18", "pulse-in", "tariff-sync"),
            _module("19", "!pulse-in", "tariff-sync"),
            _module("20", "pulse-in", "!tariff-sync"),
            _module("21", "!pulse-in", "!tariff-sync"),
            _module("22", "tariff-a", "tariff-b", load_sync=True),
            _module("23", "!tariff-a", "!tariff-b", load_sync=True),
            _module("26", "load-control-1", "load-control-2"),
            _module("27", "pulse-in", "load-control"),
            _module("28", "pulse-in", "load-control-toggle"),
        )
    }
)

#: Primary currents that are made, in A, by secondary current; the code is their quotient.
RATIO_PAIRS: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        5: (5, 10, 15, 20, 50, 75, 100, 120, 150, 160, 200, 300, 500, 1000, 1500, 2000, 3000),
        1: (2, 3, 4, 10, 15, 20, 24, 30, 32, 40, 60, 100, 200, 300, 400, 600),
    }
)


def _table(*codes: Code) -> Mapping[str, Code]:
    return MappingProxyType({c.name: c for c in codes})


#: X1 to X13 by name; "X14" is the country code of three characters.
HARDWARE = _table(
    Code("X1", "meter type", {"5": Option("current transformer meter")}),
    Code("X2", "version of the type number", {"1": Option("first")}),
    Code("X3", "housing", {"1": Option("standard")}),
    Code("X4", "measuring systems", {"2": Option("two, Aron", {"systems": 2}), "3": Option("three", {"systems": 3})}),
    Code("X5", "current range", {"1": Option("0.01-1(6) A", {"current_range": 1}), "5": Option("0.05-5(6) A", {"current_range": 5})}),
    Code(
        "X6",
        "accuracy class",
        {
            "B": Option("class B", {"accuracy_class": "B"}),
            "C": Option("class C", {"accuracy_class": "C"}),
            "1": Option("class 1", {"accuracy_class": "1"}),
            "5": Option("class 0.5", {"accuracy_class": "0.5"}),
        },
    ),
    Code("X7", "generation", {"D": Option("D")}),
    Code("X8", "variant", {"1": Option("first", {"variant": 1}), "2": Option("second", {"variant": 2})}),
    Code("X9", "energy type", {str(k): Option(" ".join(v), {"energy_type": k}) for k, v in _OF_TYPE.items()}),
    Code("X10", "breaker", {"0": Option("none")}),
    Code("X11", "communication", {"0": Option("no radio"), "1": Option("radio")}),
    Code("X12", "backup of the supply", {"1": Option("supercapacitor and battery")}),
    Code("X13", "interface", {"1": Option("S0 output")}),
    Code("X14", "country", {}, free="[0-9A-Z]{3}"),
)

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_BILLING = {
    "00": Option("none, stopped from outside"),
    "01": Option("monthly"),
    **{f"{1 + m:02d}": Option(f"every second month from {_MONTHS[m - 1]}") for m in (1, 2)},
    **{f"{3 + m:02d}": Option(f"every third month from {_MONTHS[m - 1]}") for m in (1, 2, 3)},
    **{f"{6 + m:02d}": Option(f"half-yearly from {_MONTHS[m - 1]}") for m in range(1, 7)},
    **{f"{12 + m:02d}": Option(f"yearly in {_MONTHS[m - 1]}") for m in range(1, 13)},
}
_RADIO = {"CH": "318", "EU": "319", "SE": "326 328 329", "NO": "337 338 339", "DK": "348 349", "FI": "359", "PL": "369", "AT": "378 379"}
_RATIOS = {f"{n:03d}": Option(f"ratio {n}", {"ct_ratio": n}) for n in range(1, 601)}
_PAIRS = {f"{p}/{s}": Option(f"ratio {p // s}", {"ct_ratio": p // s}) for s, primaries in RATIO_PAIRS.items() for p in primaries}
_PULSES = {
    f"{ms}ms/{'on' if alarm else 'off'}": Option(
        f"pulses of {ms} ms, alarm input {'on' if alarm else 'off'}", {"pulse_width": ms * 1e-3, "alarm_input": alarm}
    )
    for ms in (30, 80)
    for alarm in (False, True)
}


def _profile(digit: int, secondary: bool) -> Option:
    side = "secondary" if secondary else "primary"
    return Option(f"{side} {' '.join(PROFILES[digit])}", {"profile_channels": digit, "profile_side": side}, 2 if digit > 4 else None)


#: Z1 to Z30 by name, without Z9 and Z19.
SOFTWARE = _table(
    Code("Z1", "decimals of the display", {str(n + 1): Option(f"7.{n}", {"decimals": n}) for n in range(3)}),
    Code(
        "Z2",
        "LED without load",
        {"1": Option("off", {"led_without_load": False}), "2": Option("on", {"led_without_load": True})},
    ),
    Code("Z3", "terminals of the module", {code: Option(m.meaning) for code, m in MODULES.items()}, takes="module"),
    Code("Z4", "demand and load profile period", {c: Option(f"{m} min", {"period": m}) for c, m in (("2", 15), ("3", 30), ("4", 60))}),
    Code("Z5", "display lists", {}, free="[0-9A-Z]{1,8}"),
    Code("Z6", "billing day", {f"{d:02d}": Option(f"day {d}", {"billing_day": d}) for d in range(1, 29)}),
    Code("Z7", "billing interval", _BILLING, takes="billing_interval"),
    Code("Z8", "pulse width and alarm input", _PULSES, hint="in words, since the sheet's digits are not legible"),
    Code("Z10", "analysis logger", {"000": Option("default registers")}),
    Code("Z11", "offset from UTC", {f"{z:02d}": Option(f"{o:+d} h", {"utc_offset": o}) for z in range(24) for o in (z if z <= 12 else z - 24,)}),
    Code(
        "Z12",
        "unit of the pulse input",
        {f"{n:02d}": Option(unit or "none", {"pulse_input_unit": unit}) for n, unit in enumerate(("", "kWh", "m3", "L"))},
    ),
    Code(
        "Z13",
        "tariff control",
        {s: Option(s, {"tariff_source": s}) for s in ("off", "port", "register")},
        free="(?!00)[0-9]{3}",
        free_fields={"tariff_source": "plan"},
        hint="in words, since the sheet's digits of these three are not legible",
    ),
    Code("Z14", "load control", {"000": Option("off"), "001": Option("by register")}, takes="load_control", free="[0-9]{3}"),
    Code("Z15", "daylight saving time", {"000": Option("none", {"dst": "none"}), "001": Option("EU", {"dst": "EU"})}),
    Code(
        "Z16",
        "radio channels",
        {"000": Option("none"), **{c: Option(f"radio in {country}") for country, listed in _RADIO.items() for c in listed.split()}},
    ),
    Code("Z17", "second push button", {"000": Option("nothing")}, free="[0-9]{3}"),
    Code(
        "Z18",
        "read-out of IEC 62056-21",
        {"000": Option("off"), "001": Option("modes A and C, UD", variant=1), "002": Option("modes A and C, UD2", variant=1)},
        free="[0-9]{3}",
    ),
    Code("Z20", "calendar", {}, free="[0-9A-Z]{1,8}"),
    Code("Z21", "transformer ratio", {**_RATIOS, **_PAIRS}, hint="also a pair of the sheet's list such as 200/5"),
    Code("Z22", "transformer ratio locked", {"1": Option("no", {"ratio_locked": False}), "2": Option("yes", {"ratio_locked": True})}),
    Code("Z23", "side of the load profile", {c: Option(s, {"profile_side": s}) for c, s in (("1", "primary"), ("2", "secondary"))}),
    Code("Z24", "side of the pulses", {c: Option(s, {"pulse_side": s}) for c, s in (("0", "secondary"), ("1", "primary"))}),
    Code(
        "Z25",
        "interval of the second billing logger",
        {c: Option(s, {"logger_2": s}) for c, s in (("1", "daily"), ("2", "weekly"), ("3", "monthly"))},
    ),
    Code("Z26", "alarms", {"000": Option("none", {"alarms": ()})}),
    Code(
        "Z27",
        "values of the load profile",
        {"1": Option("absolute", {"profile_values": "absolute"}), "2": Option("delta", {"profile_values": "delta"}, 2)},
    ),
    Code(
        "Z28",
        "encryption of the local interface",
        {
            "0": Option("there is none", variant=1),
            "1": Option("on", variant=2, refused="this meter does not encrypt"),
            "2": Option("off", variant=2),
        },
    ),
    Code("Z29", "channels of the load profile", {str(10 * tens + d): _profile(d, tens > 0) for tens in (0, 1) for d in PROFILES}),
    Code(
        "Z30",
        "contents of the second billing logger",
        {"1": Option("profile 01", {"logger_2_profile": 1}), "2": Option("profile 02", {"logger_2_profile": 2}, 2)},
    ),
)
