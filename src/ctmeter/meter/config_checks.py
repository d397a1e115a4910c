"""Checks of the fields that only a meter's configuration has."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ..checks import Check, FaultError, ratio, whole
from ..errors import SettingsError
from .code_tables import ALARMS, SOFTWARE
from .codes import SoftwareCodes, TypeCode
from .profile import MOST_REGISTERS, parse_register

__all__ = [
    "alarms", "checked", "ct_ratio", "days", "instant", "load_control", "plain", "profile_depth", "readings", "registers", "software_codes",
    "tariff_plan", "type_code", "within", "zone",
]  # fmt: skip

#: OBIS codes as a display shows them, `1.8.0`, with `*01` for a stored billing period and `s` for the secondary value.
_READING = re.compile(r"(?:[0-9]{1,3}|[CFLP])\.(?:[0-9]{1,3}|F)(?:\.[0-9]{1,3})?(?P<stored>\*[0-9]{1,3})?s?")
MAX_DAYS = 100


def _sequence(value: Any, wanted: str) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise FaultError(f"{value!r} is not a list of {wanted}")
    return tuple(value)


def _twice(values: tuple[Any, ...]) -> None:
    for k, value in enumerate(values):
        if value in values[:k]:
            raise FaultError(f"{value!r} is named twice")


def type_code(value: Any) -> str | None:
    """The text of a type, unchanged; its faults are a `SettingsError`."""
    return None if value is None else TypeCode.parse(value).format()


def software_codes(value: Any) -> Mapping[str, str]:
    """Names and values of Z codes; their faults are a `SettingsError`."""
    return MappingProxyType(SoftwareCodes.parse(value).to_dict())


def ct_ratio(value: Any) -> int:
    """A whole ratio from 1 to 600, or the pair of currents that makes one, "200/5"."""
    number = ratio(value)
    try:
        return int(whole(1, 600)(number))
    except FaultError:
        raise FaultError(f"{value!r} is not a ratio of this meter, expected a whole number from 1 to 600 or currents such as '200/5'") from None


def load_control(value: Any) -> str:
    """A code of Z14."""
    code = SOFTWARE["Z14"]
    if not isinstance(value, str) or code.option(value) is None:
        raise FaultError(f"{value!r} is not legal for {code.title}, expected {code.legal}")
    return value


def readings(limit: int, *, stored: bool) -> Check:
    """At most `limit` OBIS codes in short form; `stored` allows those of past billing periods."""

    def check(value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        codes = _sequence(value, "OBIS codes such as 1.8.0")
        for code in codes:
            match = _READING.fullmatch(code) if isinstance(code, str) else None
            if match is None:
                raise FaultError(f"{code!r} is not an OBIS code such as 1.8.0")
            if match["stored"] and not stored:
                raise FaultError(f"{code!r} is of a past billing period, which this list cannot show")
        _twice(codes)
        if len(codes) > limit:
            raise FaultError(f"{len(codes)} readings, at most {limit}; {codes[limit]!r} is one too many")
        return codes

    return check


def registers(value: Any) -> tuple[str, ...]:
    """At most 24 names the analysis logger can record; see `profile.parse_register`."""
    names = _sequence(value, 'registers such as "P+" or "U_L1"')
    for name in names:
        try:
            parse_register(str(name))
        except SettingsError:
            raise FaultError(f"{name!r} is no register of the analysis logger") from None
    _twice(names)
    if len(names) > MOST_REGISTERS:
        raise FaultError(f"{len(names)} registers, at most {MOST_REGISTERS}; {names[MOST_REGISTERS]!r} is one too many")
    return names


def alarms(value: Any) -> tuple[str, ...]:
    """Names of alarms, in the order of their table."""
    names = _sequence(value, "alarms")
    for name in names:
        if name not in ALARMS:
            raise FaultError(f"{name!r} is no alarm, there are {', '.join(ALARMS)}")
    return tuple(a for a in ALARMS if a in names)


def profile_depth(value: Any) -> str | int:
    """ "unlimited", "sheet", or a number of records."""
    if value in ("unlimited", "sheet"):
        return str(value)
    try:
        return int(whole(1, 10**9)(value))
    except FaultError:
        raise FaultError(f'{value!r} is neither "unlimited" nor "sheet" nor a number of records') from None


def zone(value: Any) -> str | None:
    """Name of a zone of the IANA database."""
    import zoneinfo

    if value is None:
        return None
    try:
        return zoneinfo.ZoneInfo(str(value)).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise FaultError(f"{value!r} is no time zone of the IANA database, expected one such as Europe/Copenhagen") from None


def instant(value: Any) -> str | None:
    """An instant with its zone, as ISO text."""
    if value is None:
        return None
    try:
        time = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise FaultError(f"{value!r} is no time, expected ISO 8601 such as 2026-01-01T00:00:00Z") from None
    if time.tzinfo is None:
        raise FaultError(f"{value!r} has no time zone, expected one such as 2026-01-01T00:00:00Z")
    return value if isinstance(value, str) else time.isoformat()


def tariff_plan(value: Any) -> Mapping[str, Any]:
    """The table of a tariff plan, read-only; what it says is for the tariff plan to check."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise FaultError(f"{value!r} is not the table of a tariff plan")
    return MappingProxyType({name: _frozen(part) for name, part in value.items()})


def days(value: Any) -> tuple[Any, ...]:
    """At most 100 exception days, dates as ISO text; what they say is for the calendar to check."""
    listed = _sequence(value, "days such as 2026-12-24")
    if len(listed) > MAX_DAYS:
        raise FaultError(f"{len(listed)} days, at most {MAX_DAYS}; {listed[MAX_DAYS]!r} is one too many")
    return tuple(_frozen(day) for day in listed)


def _frozen(value: Any) -> Any:
    """Read-only all the way down; dates and times of day of TOML become ISO text."""
    if isinstance(value, Mapping):
        return MappingProxyType({str(k): _frozen(v) for k, v in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(v) for v in value)
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else value


def plain(value: Any) -> Any:
    """Dictionaries and lists again, for JSON and TOML."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, tuple) else value


def checked(name: str, check: Check, value: Any) -> tuple[Any, list[str]]:
    """The value as it is kept, and its faults, each beginning with the name of the field."""
    try:
        return check(value), []
    except FaultError as fault:
        return None, [f"{name}: {fault}"]
    except SettingsError as error:
        return None, [within(name, fault) for fault in error.faults]


def within(name: str, fault: str) -> str:
    """The fault of a part of a field, with the name of the field before it unless it is there."""
    return fault if fault.startswith(f"{name}:") else f"{name}.{fault}"
