"""OBIS codes, and the table of every reading the meter can give.

The codes are those of the current billing period with B = 0, this meter. Primary and secondary
energies have the same code: OBIS has no digit for the side, so a reading carries its side beside its
code (`ctmeter.meter.readings.Reading.side`), and the ratio itself is the reading 1-0:0.4.2.

Two codes are a choice where the standard leaves one: the pulse input is channel 1 of the unitless
quantity (1-1:82.8.0), because what its pulses stand for is set by the user, and the power threshold
counter is the occurrence counter of the over-limit of active import (1-0:1.36.0).

References
----------
IEC 62056-61:2006
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache

from ..errors import InputError
from ..quantity import ENERGIES, LINES, PHASES

__all__ = ["FIELD", "PROFILES", "REGISTERS", "Definition", "Form", "Obis", "available", "definition"]

#: Characters of the display's identification field.
FIELD = 7
#: The value of F that means the current period.
CURRENT = 255
_TEXT = re.compile(r"(?:(\d{1,3})-(\d{1,3}):)?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?:[*&](\d{1,3}))?", re.ASCII)


@dataclass(frozen=True, order=True)
class Obis:
    """The six value groups of a code.

    Parameters
    ----------
    a, b, c, d, e : int
        Medium, channel, quantity, processing, tariff; 0 to 255.
    f : int
        Billing period: 255 the current one, else the number of a stored one.
    """

    a: int
    b: int
    c: int
    d: int
    e: int = 0
    f: int = CURRENT

    @classmethod
    def parse(cls, text: str) -> Obis:
        """The code written as `A-B:C.D.E*F`, of which A-B, E and F may be missing.

        Without A-B it is the code of the meter's readings with that C, D and E, and of electricity
        (1-0) where there is none.

        Raises
        ------
        InputError
            Not a code, or a group above 255.

        Examples
        --------
        >>> Obis.parse("1.8.0").full, Obis.parse("96.1.0").full, Obis.parse("1-0:1.8.0*01").short
        ('1-0:1.8.0*255', '0-0:96.1.0*255', '1.8*01')
        """
        match = _TEXT.fullmatch(text.strip())
        groups = [int(g) if g else None for g in match.groups()] if match else []
        if not groups or any(g is not None and g > 255 for g in groups):
            raise InputError(f"{text!r} is no OBIS code", expected="a code such as 1-0:1.8.0 or 1.8.0, groups from 0 to 255")
        a, b, c, d, e, f = groups
        code = cls(1 if a is None else a, b or 0, c or 0, d or 0, e or 0, CURRENT if f is None else f)
        if a is None:
            known = _channels().get((code.c, code.d, code.e))
            code = replace(code, a=known[0], b=known[1]) if known else code
        return code

    @property
    def full(self) -> str:
        """All six groups, as in exports: "1-0:1.8.0*255"."""
        return f"{self}*{self.f}" if self.f == CURRENT else str(self)

    @property
    def short(self) -> str:
        """The identification on the display, without A and B; a stored period is appended.

        At most 7 characters for every reading of `REGISTERS`. A stored period takes the place of
        E = 0 or of its own leading zero; what is longer even then does not fit (`fits`).
        """
        text = f"{self.c}.{self.d}.{self.e}"
        if self.f == CURRENT:
            return text
        longest = (f"{text}*{self.f:02d}", f"{self.c}.{self.d}*{self.f:02d}" if self.e == 0 else "", f"{text}*{self.f}")
        return next((t for t in longest if t and len(t) <= FIELD), f"{text}*{self.f:02d}")

    @property
    def fits(self) -> bool:
        """Whether the identification field of the display can hold it."""
        return len(self.short) <= FIELD

    @property
    def dotted(self) -> str:
        """The six groups with dots, as lists of pushed values name them: "1.0.1.8.0.255"."""
        return f"{self.a}.{self.b}.{self.c}.{self.d}.{self.e}.{self.f}"

    @property
    def historical(self) -> bool:
        """Whether it names a stored billing period."""
        return self.f != CURRENT

    @property
    def now(self) -> Obis:
        """The code of the same reading of the current period."""
        return replace(self, f=CURRENT)

    def __str__(self) -> str:
        stored = f"*{self.f:02d}" if self.historical else ""
        return f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}{stored}"


class Form(enum.StrEnum):
    """How a value is written in the value field."""

    ENERGY = "energy"  #: seven digits of kWh and the decimals of the meter, cut
    MAXIMUM = "maximum"  #: kW with three decimals, cut: nothing is shown that was not reached
    POWER = "power"  #: kW with three decimals
    VOLTAGE = "voltage"  #: one decimal
    CURRENT = "current"  #: three decimals
    FACTOR = "factor"  #: three decimals, with its sign
    FREQUENCY = "frequency"  #: two decimals
    COUNT = "count"  #: whole numbers, cut
    PULSES = "pulses"  #: three decimals, cut
    BITS = "bits"  #: eight hexadecimal digits
    DATE = "date"  #: an ISO date, written without its century
    TEXT = "text"  #: as it stands


#: Classes of the objects a register is for DLMS clients.
_CLASS = {Form.MAXIMUM: 4, Form.BITS: 1, Form.TEXT: 1, Form.DATE: 1, Form.COUNT: 1}


@dataclass(frozen=True)
class Definition:
    """One reading the meter can give.

    Parameters
    ----------
    name : str
        Energies have the name of their register: "A+", "A+_L1", "A+_T1".
    obis : str
        Without F, the key of everything about the reading.
    unit : str
        SI without prefix; "" where there is none or where it is set by the user.
    form : Form
    meaning : str
    energy : str
        The energy it depends on: without it the meter does not have the reading. "" for none.
    tariff : int
        1 to 4, for readings that stand only while tariffs are used; else 0.
    legal : bool
        Whether it cannot be taken off the manual list.
    historical : bool
        Whether its value is kept at every end of a billing period, so that `*F` may be asked for.
    interface_class : int
        1 data, 3 register, 4 extended register, 5 demand register, 8 clock.
    """

    name: str
    obis: str
    unit: str
    form: Form
    meaning: str
    energy: str = ""
    tariff: int = 0
    legal: bool = False
    historical: bool = False
    interface_class: int = 3

    @property
    def code(self) -> Obis:
        """The code in parts."""
        return Obis.parse(self.obis)


def _energies() -> Iterator[Definition]:
    for e in ENERGIES:
        legal = e.name in ("A+", "A-", "R+", "R-")
        kept = legal or e.name in ("E+", "E-")
        yield Definition(e.name, e.obis(), e.unit, Form.ENERGY, e.meaning, e.name, legal=legal, historical=kept)
    for e in ENERGIES:
        if e.name in ("A+", "R+"):
            for t in range(1, 5):
                code = f"{e.obis().removesuffix('0')}{t}"
                yield Definition(f"{e.name}_T{t}", code, e.unit, Form.ENERGY, f"{e.meaning}, tariff {t}", e.name, t, historical=True)
    for p in PHASES:
        for e in ENERGIES:
            yield Definition(f"{e.name}_{p}", e.obis(p), e.unit, Form.ENERGY, f"{e.meaning}, {p}", e.name)


def _demands() -> Iterator[Definition]:
    def one(name: str, c: int, d: int, tariff: int, unit: str, meaning: str, energy: str, cls: int = 4) -> Definition:
        what = f"{meaning}, tariff {tariff}" if tariff else meaning
        name = f"{name} T{tariff}" if tariff else name
        return Definition(name, f"1-0:{c}.{d}.{tariff}", unit, Form.MAXIMUM, what, energy, tariff, historical=d != 5, interface_class=cls)

    for t in (0, 1, 2):
        yield one("P+max", 1, 6, t, "W", "largest demand of active import", "A+")
    for t in (0, 1, 2):
        yield one("P+max acc", 1, 2, t, "W", "sum of the largest demands of active import of past periods", "A+", 3)
    for t in (0, 1, 2):
        yield one("Q+max", 3, 6, t, "var", "largest demand of reactive power, quadrants I and II", "R+")
    yield one("Q+max acc", 3, 2, 0, "var", "sum of the largest reactive demands of past periods", "R+", 3)
    yield one("S+max", 9, 6, 0, "VA", "largest demand of apparent power while importing", "E+")
    yield one("S-max", 10, 6, 0, "VA", "largest demand of apparent power while exporting", "E-")
    yield one("P+last", 1, 5, 0, "W", "demand of active import of the last whole demand period", "A+", 5)


def _momentary() -> Iterator[Definition]:
    for name, group, unit, meaning, energy in (
        ("P+", 1, "W", "active power, import", "A+"),
        ("P-", 2, "W", "active power, export", "A-"),
        ("Q+", 3, "var", "reactive power, quadrants I and II", "R+"),
        ("Q-", 4, "var", "reactive power, quadrants III and IV", "R-"),
        ("S+", 9, "VA", "apparent power while importing", "E+"),
        ("S-", 10, "VA", "apparent power while exporting", "E-"),
    ):
        yield Definition(name, f"1-0:{group}.7.0", unit, Form.POWER, meaning, energy)
        for k, p in enumerate(PHASES, 1):
            yield Definition(f"{name}_{p}", f"1-0:{group + 20 * k}.7.0", unit, Form.POWER, f"{meaning}, {p}", energy)
    for name, group, unit, form, meaning in (
        ("U", 12, "V", Form.VOLTAGE, "voltage"),
        ("I", 11, "A", Form.CURRENT, "current"),
        ("PF", 13, "1", Form.FACTOR, "power factor P/S"),
    ):
        for k, p in enumerate(PHASES, 1):
            yield Definition(f"{name}_{p}", f"1-0:{group + 20 * k}.7.0", unit, form, f"{meaning}, {p}")
    for c, p in zip((124, 125, 126), LINES, strict=True):
        yield Definition(f"U_{p}", f"1-0:{c}.7.0", "V", Form.VOLTAGE, f"voltage, {p}")
    yield Definition("I_N", "1-0:91.7.0", "A", Form.CURRENT, "current of the neutral")
    yield Definition("PF", "1-0:13.7.0", "1", Form.FACTOR, "power factor P/S, all phases")
    yield Definition("f", "1-0:14.7.0", "Hz", Form.FREQUENCY, "frequency")


def _various() -> Iterator[Definition]:
    def one(name: str, code: str, unit: str, form: Form, meaning: str, *, legal: bool = False, kept: bool = False, cls: int = 0) -> Definition:
        return Definition(name, code, unit, form, meaning, legal=legal, historical=kept, interface_class=cls or _CLASS.get(form, 3))

    yield one("hours", "0-0:96.8.0", "h", Form.COUNT, "hour counter", kept=True, cls=3)
    yield one("billing stops", "1-0:0.1.0", "", Form.COUNT, "billing periods ended so far", kept=True)
    yield one("P+ threshold", "1-0:1.36.0", "", Form.COUNT, "demand periods above the power threshold", kept=True, cls=3)
    yield one("pulse input", "1-1:82.8.0", "", Form.PULSES, "what the pulse input counted", kept=True, cls=3)
    yield one("ratio", "1-0:0.4.2", "", Form.COUNT, "current transformer ratio", legal=True, kept=True)
    yield one("reading factor power", "1-0:0.4.0", "", Form.COUNT, "by which powers are multiplied to be primary")
    yield one("reading factor energy", "1-0:0.4.1", "", Form.COUNT, "by which energies are multiplied to be primary")
    yield one("clock", "0-0:1.0.0", "", Form.TEXT, "UTC, ISO 8601", cls=8)
    yield one("time", "0-0:0.9.1", "", Form.TEXT, "local time, hh:mm:ss")
    yield one("date", "0-0:0.9.2", "", Form.DATE, "local date, YYYY-MM-DD")
    yield one("tariff", "0-0:96.14.0", "", Form.COUNT, "tariff in force")
    yield one("serial", "0-0:96.1.0", "", Form.TEXT, "serial number")
    yield one("errors", "0-0:97.97.0", "", Form.BITS, "error register")


#: Every reading, energies first.
REGISTERS: tuple[Definition, ...] = (*_energies(), *_demands(), *_momentary(), *_various())
_BY_CODE = {d.obis: d for d in REGISTERS}

#: Series kept by the meter, each an object of interface class 7.
PROFILES = {
    "load profile": "1-0:99.1.0",
    "analysis logger": "1-0:99.2.0",
    "billing logger": "1-0:98.1.0",
    "billing logger 2": "1-0:98.2.0",
    "event log": "1-0:99.98.0",
}


@cache
def _channels() -> dict[tuple[int, int, int], tuple[int, int]]:
    codes = [d.code for d in REGISTERS]
    return {(o.c, o.d, o.e): (o.a, o.b) for o in codes}


def definition(code: Obis | str) -> Definition | None:
    """The reading of that code, whatever its billing period; None where the meter has none.

    Raises
    ------
    InputError
        The text is no code.
    """
    parsed = Obis.parse(code) if isinstance(code, str) else code
    return _BY_CODE.get(str(parsed.now))


def available(energies: Collection[str] | None = None, tariffs: int = 4) -> tuple[Definition, ...]:
    """The readings of a meter that has these energies and tariffs.

    Parameters
    ----------
    energies : collection of str, optional
        Names such as "A+"; all where not given.
    tariffs : int
        Tariffs in use, 0 to 4.
    """
    return tuple(d for d in REGISTERS if (energies is None or not d.energy or d.energy in energies) and d.tariff <= tariffs)
