"""Numbers for people: SI prefixes and a sensible number of digits, only here at the border."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["duration", "number", "prefix", "si"]

_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
#: Units that take no prefix.
_BARE = {"", "1", "%", "degree", "Hz"}


def number(value: float, digits: int = 5) -> str:
    """A number with that many significant digits, without an exponent where it can be helped.

    Examples
    --------
    >>> number(230.1234567), number(0.5), number(-0.00001234)
    ('230.12', '0.50000', '-1.234e-05')
    """
    if value == 0:
        return "0"
    value = float(f"{value:.{digits - 1}e}")  # 0.999996 has the digits of 1
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 9:
        return f"{value:.{digits}g}"
    return f"{value:.{max(digits - 1 - max(size, -1), 0)}f}"


def si(value: Any, unit: str, digits: int = 5) -> str:
    """A value with its unit and the prefix that suits it; a dash where there is none.

    Examples
    --------
    >>> si(422013.0, "W"), si(0.0512, "A"), si(None, "V"), si(-1.0, "1")
    ('422.01 kW', '51.200 mA', '–', '-1.0000')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if unit in _BARE:
        text = number(value, digits)
        return text if unit in ("", "1") else f"{text} {'°' if unit == 'degree' else unit}"
    if abs(value) < 1e-12:
        return f"0 {unit}"
    power = 3 * math.floor(math.log10(abs(value)) / 3)
    if abs(value) / 10.0**power >= 999.995:
        power += 3  # it would be rounded up to 1000
    power = min(max(power, -12), 12)
    return f"{number(value / 10.0**power, digits)} {_PREFIXES[power]}{unit}"


def duration(seconds: float) -> str:
    """A length of time.

    Examples
    --------
    >>> duration(0.066), duration(75.5), duration(90000), duration(35999.99)
    ('66 ms', '1 min 15.5 s', '1 d 1 h', '10 h')
    """
    if seconds < 1:
        return f"{seconds * 1000:.4g} ms"
    if seconds < 60:
        return f"{seconds:.5g} s"
    parts = []
    minutes, rest = divmod(seconds, 60)
    # seconds as they are shown, which may round to a minute
    rest = 60 * minutes + float(f"{rest:.3g}")
    for name, length in (("d", 86400), ("h", 3600), ("min", 60)):
        count = int(rest // length)
        rest -= count * length
        if count:
            parts.append(f"{count} {name}")
    if rest >= 0.05:
        parts.append(f"{rest:.3g} s")
    return " ".join(parts[:3])


def prefix(largest: float, unit: str) -> tuple[float, str]:
    """What to divide values by for an axis that reaches to `largest`, and the unit they then have.

    Examples
    --------
    >>> prefix(253.0, "V"), prefix(158771.0, "V"), prefix(0.02, "Hz"), prefix(2.0, "1")
    ((1.0, 'V'), (1000.0, 'kV'), (1.0, 'Hz'), (1.0, ''))
    """
    if unit in _BARE or not math.isfinite(largest) or largest <= 0:
        return 1.0, "" if unit == "1" else unit
    power = min(max(3 * math.floor(math.log10(largest) / 3 + 1e-12), -12), 12)
    if power == 3 and largest < 2000.0:
        power = 0
    return 10.0**power, f"{_PREFIXES[power]}{unit}"
