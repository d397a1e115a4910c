"""Readings: values with code, unit and side, and how each is written in nine digits.

A CT meter accumulates secondary energy. Once a transformer ratio is set it shows primary energy,
while the secondary reading always stays the total. Both have the same OBIS code, so every reading
names its side, a list of readings may hold both, and `on_side` picks one of each code. With the
ratio 1 the two are equal and there need be only one.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from typing import Any

from ..errors import InputError
from .obis import Definition, Form, Obis, definition

__all__ = ["DIGITS", "MJ_PER_WH", "Indicators", "Reading", "Written", "energy", "on_side", "reading", "written"]

#: Millijoules of a watt-hour.
MJ_PER_WH = 3_600_000
#: Digits of the value field, and how many of them are whole kWh.
DIGITS, ENERGY_DIGITS = 9, 7

#: Unit inside -> unit shown, and how many of the first make one of the second.
_SHOWN = {u: (f"k{u}", 1000) for u in ("Wh", "varh", "VAh", "W", "var", "VA")} | {"1": ("", 1), "m3": ("m³", 1)}
#: Decimals; those of energies are a setting of the meter.
_DECIMALS = {Form.MAXIMUM: 3, Form.POWER: 3, Form.VOLTAGE: 1, Form.CURRENT: 3, Form.FACTOR: 3, Form.FREQUENCY: 2, Form.COUNT: 0, Form.PULSES: 3}
#: Forms of momentary values, which are rounded; all others are counts and maxima, which are cut.
_ROUNDED = frozenset({Form.POWER, Form.VOLTAGE, Form.CURRENT, Form.FACTOR, Form.FREQUENCY})


@dataclass(frozen=True)
class Reading:
    """One value of the meter.

    Parameters
    ----------
    obis : str
        "1-0:1.8.0", or "1-0:1.8.0*01" of a stored billing period.
    name : str
        "A+", "P+max T1".
    value : float, int, str or None
        In `unit`; None is unknown.
    unit : str
        SI without prefix: "Wh", "varh", "VAh", "W", "var", "VA", "V", "A", "Hz", "h", "1", "".
    side : {"", "primary", "secondary"}
        "" for what is the same on both.
    t_ns : int, optional
        When it was captured, ns since 1970-01-01 UTC; of a maximum, the end of its demand period.
    millijoules : int, optional
        Energies only: the exact value, in mJ, mvar·s or mVA·s, on `side`.
    """

    obis: str
    name: str
    value: float | int | str | None
    unit: str
    side: str = ""
    t_ns: int | None = None
    millijoules: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: name, value, unit, side, t; of energies the exact mJ too."""
        value = None if isinstance(self.value, float) and not math.isfinite(self.value) else self.value
        plain = {"name": self.name, "value": value, "unit": self.unit, "side": self.side or None, "t": _iso(self.t_ns)}
        return plain if self.millijoules is None else {**plain, "millijoules": self.millijoules}


def _iso(t_ns: int | None) -> str | None:
    if t_ns is None:
        return None
    seconds, rest = divmod(t_ns, 1_000_000_000)
    text = f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}"
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else f"{text}Z"


@dataclass(frozen=True)
class Indicators:
    """The marks of the display besides its value.

    Parameters
    ----------
    voltage : tuple of (bool or None)
        Whether each phase has its supply voltage; None is unknown.
    current : tuple of (int or None)
        Of each phase 0 without load, 1 importing, -1 exporting.
    quadrant : int or None
        1 to 4.
    sequence : {"123", "132"} or None
    tariff : int or None
        1 to 4; None while tariffs are not used.
    error : bool
        A critical internal error.
    tamper : {"", "temporary", "permanent"}
    """

    voltage: tuple[bool | None, bool | None, bool | None]
    current: tuple[int | None, int | None, int | None]
    quadrant: int | None
    sequence: str | None
    tariff: int | None
    error: bool
    tamper: str

    @classmethod
    def dark(cls) -> Indicators:
        """No mark at all: a meter read without supply."""
        return cls((None, None, None), (None, None, None), None, None, None, False, "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}


def _known(code: str) -> tuple[Obis, Definition]:
    parsed = Obis.parse(code)
    known = definition(parsed)
    if known is None:
        raise InputError(f"{code}: the meter has no such reading", expected="a code of the table of readings")
    return parsed, known


def reading(code: str, value: float | int | str | None, *, unit: str = "", side: str = "", t_ns: int | None = None) -> Reading:
    """A reading with name and unit from the table.

    Parameters
    ----------
    code : str
        Full or short.
    unit : str
        Where the table leaves it open: the pulse input.

    Raises
    ------
    InputError
        The table has no such code.
    """
    parsed, known = _known(code)
    return Reading(str(parsed), known.name, value, known.unit or unit, side, t_ns)


def energy(code: str, millijoules: int, *, side: str, t_ns: int | None = None) -> Reading:
    """The reading of an energy register, exact.

    Raises
    ------
    InputError
        The table has no such code, or it is no energy.

    Examples
    --------
    >>> energy("1.8.0", 3_600_000_000, side="secondary").value
    1000.0
    """
    parsed, known = _known(code)
    if known.form is not Form.ENERGY:
        raise InputError(f"{code}: {known.name} is no energy")
    return Reading(str(parsed), known.name, millijoules / MJ_PER_WH, known.unit, side, t_ns, int(millijoules))


def on_side(readings: Iterable[Reading], side: str) -> list[Reading]:
    """One reading of each code: that of the side asked for, else the one there is.

    Parameters
    ----------
    side : {"primary", "secondary"}

    Examples
    --------
    >>> both = [energy("1.8.0", 10, side="secondary"), energy("1.8.0", 600, side="primary")]
    >>> [r.millijoules for r in on_side(both, "primary")]
    [600]
    """
    chosen: dict[str, Reading] = {}
    for r in readings:
        if r.obis not in chosen or (r.side == side and chosen[r.obis].side != side):
            chosen[r.obis] = r
    return list(chosen.values())


@dataclass(frozen=True)
class Written:
    """A value as people read it: digits with a point, and its unit; no text where it is unknown."""

    text: str
    unit: str


def written(r: Reading, decimals: int = 0) -> Written:
    """A reading in the digits and the unit of the display and of the read-out.

    Energies have seven digits of kWh before the point and start anew at 10 000 000 kWh; other numbers
    start anew when nine digits are full. Counts, energies and maxima are cut; momentary values are rounded.

    Parameters
    ----------
    decimals : int
        Of energies: 0, 1 or 2.

    Raises
    ------
    InputError
        Decimals that do not fit the field, or a negative energy.

    Examples
    --------
    >>> written(energy("1.8.0", 1_234_567_890_000 * 3600, side="primary"), 2)
    Written(text='1234567.89', unit='kWh')
    """
    if decimals not in (0, 1, 2):
        raise InputError(f"{decimals!r} decimals", expected="0, 1 or 2")
    known = definition(r.obis)
    form = known.form if known else Form.TEXT if isinstance(r.value, str) else Form.PULSES
    unit, factor = _SHOWN.get(r.unit, (r.unit, 1))
    exact = _exact(r)
    if form is Form.DATE and isinstance(r.value, str):
        return Written(r.value[2:], unit)
    if exact is None:
        return Written(r.value if isinstance(r.value, str) else "", unit)
    if form is Form.BITS:
        return Written(f"{int(exact) & 0xFFFFFFFF:08X}", unit)
    if form is Form.ENERGY:
        if exact < 0:
            raise InputError(f"{r.obis}: a register holds {r.value!r} {r.unit}", expected="no negative energy")
        count = math.floor(exact * 10**decimals / factor) % 10 ** (ENERGY_DIGITS + decimals)
        return Written(_point(count, decimals, ENERGY_DIGITS), unit)
    places = _DECIMALS.get(form, 0)
    count = math.floor(abs(exact) * 10**places / factor + (Fraction(1, 2) if form in _ROUNDED else 0))
    negative = exact < 0 and count > 0
    return Written(_point(count % 10 ** (DIGITS - negative), places, 1, negative), unit)


def _exact(r: Reading) -> Fraction | None:
    """The value in its SI unit without loss; None for text and for what is unknown."""
    if r.millijoules is not None:
        return Fraction(r.millijoules, MJ_PER_WH)
    value: Any = r.value
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return Fraction(int(value)) if isinstance(value, Integral) else Fraction(float(value))


def _point(count: int, decimals: int, whole: int, negative: bool = False) -> str:
    digits = str(count).zfill(whole + decimals)
    text = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
    return f"-{text}" if negative else text
