"""Text of COMTRADE files: encodings, numbers, units and times as devices really write them."""

from __future__ import annotations

import datetime as dt
import math
import re

__all__ = ["UNITS", "decode", "integer", "number", "parse_offset", "parse_time", "unit_of"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
_HIGH_RUNS = re.compile(rb"[\x80-\xff]+")
_DATE = re.compile(r"\s*(\d{1,4})\s*[/.\-]\s*(\d{1,2})\s*[/.\-]\s*(\d{1,4})")
_TIME = re.compile(r"[\s,;T]*(\d{1,2})\s*:\s*(\d{1,2})\s*(?::\s*(\d+)\s*(?:[.,]\s*(\d*))?)?")
_OFFSET = re.compile(r"\s*([+-]?)\s*(\d{1,2})\s*(?:h\s*(\d{1,2})?)?\s*[sS]?\s*", re.IGNORECASE)

_NAMES = {"V": ("v", "volt", "volts", "в", "вольт", "伏"), "A": ("a", "amp", "amps", "ampere", "amperes", "а", "ампер", "安")}
_PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "к": 1e3, "К": 1e3, "m": 1e-3, "м": 1e-3, "M": 1e6, "М": 1e6, "u": 1e-6, "µ": 1e-6, "μ": 1e-6}
_WORD_PREFIXES = {"": 1.0, "kilo": 1e3, "milli": 1e-3, "mega": 1e6, "micro": 1e-6}
#: Unit text of a file to SI unit and factor; one letter keeps its case in the prefix (mV, MV), words do not.
UNITS: dict[str, tuple[str, float]] = {}
for _si, _names in _NAMES.items():
    for _name in _names:
        if len(_name) == 1:
            for _prefix, _factor in _PREFIXES.items():
                UNITS[_prefix + _name] = UNITS[_prefix + _name.upper()] = (_si, _factor)
        else:
            for _prefix, _factor in _WORD_PREFIXES.items():
                UNITS[_prefix + _name] = (_si, _factor)


def unit_of(text: str) -> tuple[str, float]:
    """SI unit and factor of a file's unit text; an unknown text comes back as it is, with factor 1."""
    bare = text.strip().strip("[]()").strip()
    return UNITS.get(bare) or UNITS.get(bare.lower() if len(bare) > 2 else bare) or (text.strip(), 1.0)


def number(text: str) -> float | None:
    """A finite number, or None for anything else; also None for `nan`, `1e400` and `1_000`."""
    text = text.strip()
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        return None
    value = float(text.replace("d", "e").replace("D", "e"))
    return value if math.isfinite(value) else None


def integer(text: str) -> int | None:
    """A whole number (also written `1360.0`), or None."""
    value = number(text)
    return None if value is None or value != int(value) else int(value)


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Text and the name of its encoding.

    A byte-order mark decides; else UTF-8 where it is valid; else, by where the bytes above 127 stand:

    - in words of three and more, nearly all letters of the Cyrillic range (0xC0-0xFF): cp1251;
    - in pairs that GB 18030 can read, unless they stand like accents inside Latin words: gb18030;
    - else latin-1, which reads anything.

    Raises
    ------
    LookupError
        `encoding` is given and unknown.
    """
    if encoding:
        return data.decode(encoding, "replace"), encoding
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(name, "replace"), name
    if data.isascii():
        return data.decode("ascii"), "ascii"
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        name = _guess(data)
        return data.decode(name, "replace"), name


def _guess(data: bytes) -> str:
    runs = list(_HIGH_RUNS.finditer(data))
    high = b"".join(run.group() for run in runs)
    in_words = sum(len(run.group()) for run in runs if len(run.group()) >= 3) / len(high)
    # A8, B8 and B9 are the letter Yo and the numero sign of cp1251
    cyrillic = sum(byte >= 0xC0 or byte in (0xA8, 0xB8, 0xB9) for byte in high) / len(high)
    if in_words >= 0.5 and cyrillic >= 0.9:
        return "cp1251"
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return "cp1251" if in_words >= 0.5 and cyrillic >= 0.8 else "latin-1"
    inside_words = sum(data[max(run.start() - 1, 0) : run.start()].islower() and data[run.end() : run.end() + 1].islower() for run in runs)
    odd = sum(len(run.group()) % 2 for run in runs)
    if inside_words * 2 > len(runs) or odd * 2 > len(runs):
        return "latin-1"
    return "gb18030"


def parse_time(text: str, month_first: bool) -> tuple[int | None, int, str]:
    """Date and time of a CFG line.

    Parameters
    ----------
    text : str
        `dd/mm/yyyy,hh:mm:ss.ssssss` and what devices make of it.
    month_first : bool
        Revision 1991 writes mm/dd/yy.

    Returns
    -------
    ns : int or None
        ns since 1970-01-01 as the text stands (no zone applied); None where it makes no sense.
    digits : int
        Decimals of the second.
    note : str
        What was odd, "" where nothing was.
    """
    notes = []
    date, time = _DATE.match(text), None
    if date:
        time = _TIME.match(text, date.end())
    if not date or not time:
        return None, 0, "is not a date and time"
    first, second, year = int(date[1]), int(date[2]), int(date[3])
    if len(date[1]) > 2:
        year, month, day = first, second, int(date[3])
        notes.append("is read as year/month/day")
    else:
        month, day = (first, second) if month_first else (second, first)
        if month > 12 and day <= 12:
            month, day = day, month
            notes.append(f"is read as {'dd/mm' if month_first else 'mm/dd'}, since there is no month {day}")
        if len(date[3]) <= 2:
            year += 1900 if year >= 70 else 2000
            if not month_first:
                notes.append(f"has a year of two digits, read as {year}")
    seconds, fraction = time[3] or "0", time[4] or ""
    if len(seconds) > 2:
        seconds, fraction = seconds[:2], seconds[2:] + fraction
        notes.append("has no point before the fraction of the second")
    hour, minute, second = int(time[1]), int(time[2]), int(seconds)
    if hour > 24 or minute > 59 or second > 60 or not 1700 < year < 2262:
        return None, len(fraction), "is no possible time"
    try:
        days = dt.date(year, month, day).toordinal() - dt.date(1970, 1, 1).toordinal()
    except ValueError:
        return None, len(fraction), "is no possible date"
    if rest := text[time.end() :].strip(" ,;\t"):
        notes.append(f"is followed by {rest[:20]!r}, which is ignored")
    if " " in time[0].strip(" ,") or " " in date[0].strip():
        notes.append("holds spaces")
    total = ((days * 24 + hour) * 60 + minute) * 60 + second
    return total * 1_000_000_000 + int((fraction + "0" * 9)[:9]), len(fraction), " and ".join(notes)


def parse_offset(text: str) -> int | None:
    """Seconds by which local time leads UTC, of a 2013 time code such as `-5h30`, `+1` or `0`; None for `x` and the like."""
    match = _OFFSET.fullmatch(text)
    if not match or int(match[2]) > 14 or int(match[3] or 0) > 59:
        return None
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    return -seconds if match[1] == "-" else seconds
