"""Read-outs: the text of the optical port, JSON and CSV.

The text is the data read-out of IEC 62056-21, in mode C (after the baud rate has been acknowledged) or
mode A (at once): an identification line, then lines `code(value*unit)` in digits as on the display.
Characters are seven bits; the parity bit belongs to the port that sends them. A telegram has one
value for each code, so it is of one side. Which one is said by the reading factors 1-0:0.4.0 (power) and
1-0:0.4.1 (energy) behind the ratio 1-0:0.4.2: by how much a value is multiplied to be primary.
JSON and CSV have exact energies in SI units, which never start anew, and name the side of each.

References
----------
IEC 62056-21:2002
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable
from functools import reduce
from typing import Any, Literal, Protocol

from ..errors import InputError
from .obis import Form, Obis, definition
from .readings import Reading, on_side, reading, written

__all__ = [
    "COLUMNS", "MANUFACTURER", "Clock", "block_check", "data_lines", "data_message", "identification", "readout", "to_csv", "to_dict",
]  # fmt: skip

#: Three letters in the place of the maker's, chosen without registration: this is no maker's instrument.
MANUFACTURER = "CTM"


class Clock(Protocol):
    """The meter's local time, as far as a read-out needs it."""

    def local(self, t_ns: int) -> dt.datetime:
        """Local time of an instant in ns UTC."""

    def is_dst(self, t_ns: int) -> bool:
        """Whether it is summer time."""


_STX, _ETX, _END = "\x02", "\x03", "\r\n"
#: Longest identification, code, value and unit, and longest line with its end.
_IDENT, _CODE, _VALUE, _UNIT, _LINE = 16, 16, 32, 16, 78
#: Signs that structure a message, beside which each part has printable ASCII.
_RESERVED = {"identification": "/!\\", "code": "()/!", "value": "()*/!", "unit": "()/!"}
#: Mode C says which rate it can change to; the letter of mode A is none of modes B, C or E.
_RATES = {300: "0", 600: "1", 1200: "2", 2400: "3", 4800: "4", 9600: "5", 19200: "6"}
_MODE_A = "Z"
_RATIO = "1-0:0.4.2"


def _checked(text: str, kind: str, longest: int, where: str) -> str:
    bad = next((c for c in text if not " " <= c <= "~" or c in _RESERVED[kind]), None)
    if bad is not None:
        raise InputError(f"{where}: {kind} {text!r} has {bad!r}", expected=f"printable ASCII without {_RESERVED[kind]}")
    if len(text) > longest:
        raise InputError(f"{where}: {kind} {text!r} has {len(text)} characters", expected=f"at most {longest}")
    return text


def identification(name: str, *, manufacturer: str = MANUFACTURER, mode: Literal["A", "C"] = "C", baud: int = 9600) -> str:
    r"""The identification message, with its end.

    Parameters
    ----------
    name : str
        Identification of the device, at most 16 printable characters besides / ! and \.
    manufacturer : str
        Three letters.
    mode : {"A", "C"}
    baud : int
        Mode C only: the rate offered for the data.

    Raises
    ------
    InputError
        Anything the message cannot hold.

    Examples
    --------
    >>> identification("ctmeter")
    '/CTM5ctmeter\r\n'
    """
    if not re.fullmatch("[A-Z]{2}[A-Za-z]", manufacturer):
        raise InputError(f"manufacturer {manufacturer!r}", expected="three letters, of which only the last may be small")
    if mode not in ("A", "C") or baud not in _RATES:
        raise InputError(f"mode {mode!r} at {baud!r} baud", expected=f"mode A or C at {', '.join(map(str, _RATES))} baud")
    rate = _RATES[baud] if mode == "C" else _MODE_A
    return f"/{manufacturer}{rate}{_checked(name, 'identification', _IDENT, 'read-out')}{_END}"


def _stamp(t_ns: int, clock: Clock | None) -> str:
    """Season and YYMMDDhhmm: season 2 is UTC, 1 summer and 0 standard time of the meter's clock."""
    if clock is None:
        moment, season = dt.datetime.fromtimestamp(t_ns // 1_000_000_000, dt.UTC), 2
    else:
        moment, season = clock.local(t_ns), int(clock.is_dst(t_ns))
    return f"{season}{moment:%y%m%d%H%M}"


def _data_line(r: Reading, decimals: int, clock: Clock | None) -> str:
    shown = written(r, decimals)
    code = _checked(str(Obis.parse(r.obis)), "code", _CODE, r.obis)
    value = _checked(shown.text, "value", _VALUE, r.obis)
    unit = _checked(shown.unit.replace("³", "3"), "unit", _UNIT, r.obis)
    line = f"{code}({value}*{unit})" if unit and value else f"{code}({value})"
    known = definition(r.obis)
    if r.t_ns is not None and known is not None and known.form is Form.MAXIMUM:
        line += f"({_stamp(r.t_ns, clock)})"
    if len(line) + len(_END) > _LINE:
        raise InputError(f"{r.obis}: a line of {len(line) + len(_END)} characters", expected=f"at most {_LINE}")
    return line


def _factors(readings: Iterable[Reading], ratio: int) -> Iterable[Reading]:
    """The reading factors of power and energy: 1 for primary values, the ratio for secondary ones."""
    for code, units in (("1-0:0.4.0", ("W", "var", "VA")), ("1-0:0.4.1", ("Wh", "varh", "VAh"))):
        sides = {r.side for r in readings if r.unit in units and r.side}
        if len(sides) > 1:
            raise InputError(f"{' and '.join(sorted(sides))} values of {units[0]} in one telegram", expected="values of one side")
        if sides:
            yield reading(code, ratio if "secondary" in sides else 1)


def data_lines(readings: Iterable[Reading], *, side: str = "primary", decimals: int = 0, clock: Clock | None = None) -> list[str]:
    """The lines of the data block, without their ends.

    Parameters
    ----------
    readings : iterable of Reading
        Of one or both sides.
    side : {"primary", "secondary"}
        Which to take where there are both.
    decimals : int
        Of energies: 0, 1 or 2.
    clock : Clock, optional
        Of the stamps behind maxima; UTC where not given.

    Raises
    ------
    InputError
        A text the protocol cannot hold, or powers or energies of both sides beside a ratio.

    Examples
    --------
    >>> from ctmeter.meter.readings import energy
    >>> data_lines([energy("1.8.0", 4_444_444_400_000_000, side="primary")], decimals=1)
    ['1-0:1.8.0(1234567.8*kWh)']
    """
    chosen = on_side(readings, side)
    lines = []
    for r in chosen:
        lines.append(_data_line(r, decimals, clock))
        if r.obis == _RATIO and isinstance(r.value, int):
            lines += [_data_line(f, decimals, clock) for f in _factors(chosen, r.value)]
    return lines


def block_check(data: bytes) -> int:
    r"""The block check character: exclusive or of everything behind STX up to and with ETX, seven bits.

    Examples
    --------
    >>> block_check(b"!\r\n\x03")
    37
    """
    return reduce(lambda check, byte: check ^ (byte & 0x7F), data, 0)


def data_message(lines: Iterable[str], *, framed: bool = True) -> bytes:
    """The data message: the lines, "!", and around them STX, ETX and the block check character.

    Parameters
    ----------
    lines : iterable of str
    framed : bool
        Mode A also knows the message without its frame and check.
    """
    body = "".join(f"{line}{_END}" for line in lines) + f"!{_END}"
    if not framed:
        return body.encode("ascii")
    checked = (body + _ETX).encode("ascii")
    return _STX.encode("ascii") + checked + bytes([block_check(checked)])


def readout(
    readings: Iterable[Reading],
    name: str,
    *,
    side: str = "primary",
    decimals: int = 0,
    clock: Clock | None = None,
    mode: Literal["A", "C"] = "C",
    framed: bool = True,
) -> bytes:
    """Everything a meter sends when it is read out: identification message and data message.

    Parameters
    ----------
    readings, side, decimals, clock
        As of `data_lines`.
    name, mode
        As of `identification`.
    framed : bool
        As of `data_message`; mode C always has the frame.

    Raises
    ------
    InputError
        Anything the messages cannot hold.
    """
    if mode == "C" and not framed:
        raise InputError("mode C without block check", expected="a framed message")
    lines = data_lines(readings, side=side, decimals=decimals, clock=clock)
    return identification(name, mode=mode).encode("ascii") + data_message(lines, framed=framed)


def to_dict(readings: Iterable[Reading], *, side: str = "primary") -> dict[str, dict[str, Any]]:
    """Readings for JSON, one of each code: name, value, unit, side, t, and exact energies in mJ.

    Parameters
    ----------
    side : {"primary", "secondary"}
        Which to take where there are both.
    """
    return {r.obis: r.to_dict() for r in on_side(readings, side)}


#: Columns of the CSV text.
COLUMNS = ("obis", "name", "value", "unit", "side", "ratio", "t", "millijoules")


def to_csv(readings: Iterable[Reading], *, ratio: int) -> str:
    """Readings as CSV with a header, in the order given, both sides where there are both.

    Parameters
    ----------
    ratio : int
        In force; stands on every line that has a side, so that no number is without its scale.
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for r in readings:
        plain = {"obis": r.obis, "ratio": ratio if r.side else None, **r.to_dict()}
        rows.writerow([plain.get(column) for column in COLUMNS])
    return out.getvalue()
