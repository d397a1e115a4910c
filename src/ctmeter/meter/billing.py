"""Billing ("debiting"): when periods end, what is kept at their end, and the second logger's times and contents."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, SettingsError
from ..quantity import ENERGIES
from .clock import DAY_NS, LocalClock, Stamp

__all__ = [
    "GROUPS", "INTERVALS", "LOGGER_2_FIELDS", "LOGGER_2_INTERVALS", "RECORD_FIELDS", "BillingSchedule", "LoggerSchedule",
    "RecordField", "StopCounter", "record",
]  # fmt: skip

#: Code of the billing interval to (months between stops, first month of the year); None: stopped from outside only.
INTERVALS: dict[str, tuple[int, int] | None] = {
    "00": None,
    **{
        f"{number:02}": interval for number, interval in enumerate(((every, first) for every in (1, 2, 3, 6, 12) for first in range(1, every + 1)), 1)
    },
}
LOGGER_2_INTERVALS = ("daily", "weekly", "monthly")
GROUPS = ("various", "energy", "power")


@dataclass(frozen=True)
class BillingSchedule:
    """When billing periods end: at the beginning of a day of certain months, by local time.

    Parameters
    ----------
    interval : str
        Code of `INTERVALS`, "00" to "24".
    day : int
        Day of the month, 1 to 28.
    clock : LocalClock
        Local time.

    Raises
    ------
    SettingsError
        No such code or day; it names every fault.

    Notes
    -----
    The time of day is not in the data sheet; 00:00 local time is this project's choice. Where the local clock jumps
    over it, the stop is at the jump; where it is shown twice, at the first.

    Examples
    --------
    >>> BillingSchedule("13", 2, LocalClock()).stops(0, 100 * 86_400_000_000_000)  # yearly in January, on the 2nd
    [86400000000000]
    """

    interval: str = "01"
    day: int = 1
    clock: LocalClock = field(default_factory=LocalClock)

    def __post_init__(self) -> None:
        faults = []
        if self.interval not in INTERVALS:
            faults.append(f"billing_interval: {self.interval!r}, expected 00 to 24")
        if type(self.day) is not int or not 1 <= self.day <= 28:
            faults.append(f"billing_day: {self.day!r}, expected 1 to 28")
        if faults:
            raise SettingsError(faults)

    @property
    def months(self) -> tuple[int, ...]:
        """Months with a stop, 1 to 12; none where periods are stopped from outside."""
        interval = INTERVALS[self.interval]
        return () if interval is None else tuple(range(interval[1], 13, interval[0]))

    def stops(self, start_ns: int, end_ns: int) -> list[int]:
        """Ends of billing periods in [start_ns, end_ns), ns UTC, ascending."""
        return _monthly(self.clock, self.months, self.day, start_ns, end_ns)


@dataclass(frozen=True)
class LoggerSchedule:
    """When the second logger writes: at the beginning of each local day, Monday or month.

    Parameters
    ----------
    interval : str
        "daily", "weekly" or "monthly".
    clock : LocalClock
        Local time.

    Raises
    ------
    SettingsError
        No such interval.

    Notes
    -----
    The data sheet names the intervals only; midnight, Monday and the first of the month are this project's choice.
    """

    interval: str = "monthly"
    clock: LocalClock = field(default_factory=LocalClock)

    def __post_init__(self) -> None:
        if self.interval not in LOGGER_2_INTERVALS:
            raise SettingsError(f"logger_2: {self.interval!r}, expected one of {', '.join(LOGGER_2_INTERVALS)}")

    def stops(self, start_ns: int, end_ns: int) -> list[int]:
        """Times of writing in [start_ns, end_ns), ns UTC, ascending."""
        if self.interval == "monthly":
            return _monthly(self.clock, range(1, 13), 1, start_ns, end_ns)
        days = self.clock.days(start_ns, end_ns)
        return [t for t, day in days if self.interval == "daily" or day.isoweekday() == 1]


def _monthly(clock: LocalClock, months: tuple[int, ...] | range, day: int, start_ns: int, end_ns: int) -> list[int]:
    if end_ns <= start_ns or not months:
        return []
    # local dates are less than two days from UTC's
    low, high = (clock.local(t).date() for t in (start_ns - 2 * DAY_NS, end_ns + 2 * DAY_NS))
    days = [d for year in range(low.year, high.year + 1) for month in months if low <= (d := dt.date(year, month, day)) <= high]
    return [t for d in days if start_ns <= (t := clock.utc_of(d)) < end_ns]


@dataclass(frozen=True)
class StopCounter:
    """Counts the ends of billing periods, planned or from outside; nothing sets it back.

    Attributes
    ----------
    count : int
        Stops so far.
    last_ns : int or None
        The last one, ns UTC.
    """

    count: int = 0
    last_ns: int | None = None

    def after(self, t_ns: int) -> StopCounter:
        """The counter after a stop at `t_ns`.

        Raises
        ------
        InputError
            The stop is not later than the last one.
        """
        if self.last_ns is not None and t_ns <= self.last_ns:
            raise InputError(f"billing stop at {t_ns} ns", expected=f"one after the last, {self.last_ns} ns")
        return StopCounter(self.count + 1, t_ns)


@dataclass(frozen=True)
class RecordField:
    """One field of the record kept at the end of a billing period.

    Attributes
    ----------
    name : str
        That of the register it comes from, such as "A+_T1" or "P+max T1", with " RTC" for the time of a maximum.
    unit : str
        Unit of the reading; "" where it has none, or where the pulse input's setting gives it.
    obis : str
        Code of the register; a time has the code of the maximum whose capture time it is.
    group : str
        One of `GROUPS`.
    kind : str
        What is stored: "stamp" (`Stamp`), "count" and "ratio" (int), "energy" (int, millijoule, mvar·s or mVA·s of the
        primary side), "power" (W, var or VA of the primary side), "time" (int, ns UTC), "hours" and "pulses" (a number).
    """

    name: str
    unit: str
    obis: str
    group: str
    kind: str

    def accepts(self, value: Any) -> bool:
        """Whether a value is of the kind; None, for what is unknown or has no register, always is."""
        if value is None:
            return True
        if self.kind == "stamp":
            return isinstance(value, Stamp)
        if isinstance(value, bool) or not isinstance(value, (int, float) if self.kind in ("power", "hours", "pulses") else int):
            return False
        return math.isfinite(value)


_C_GROUP = {e.name: e.c_group for e in ENERGIES}
_UNIT = {e.name: e.unit for e in ENERGIES}


def _energy(name: str, tariff: int = 0) -> RecordField:
    return RecordField(f"{name}_T{tariff}" if tariff else name, _UNIT[name], f"1-0:{_C_GROUP[name]}.8.{tariff}", "energy", "energy")


def _maximum(name: str, *, tariff: int = 0, accumulated: bool = False) -> RecordField:
    energy = {"P+": "A+", "Q+": "R+", "S+": "E+", "S-": "E-"}[name]
    text = f"{name}max" + (" acc" if accumulated else "") + (f" T{tariff}" if tariff else "")
    obis = f"1-0:{_C_GROUP[energy]}.{2 if accumulated else 6}.{tariff}"
    return RecordField(text, _UNIT[energy].removesuffix("h"), obis, "power", "power")


def _timed(name: str, tariff: int = 0) -> tuple[RecordField, RecordField]:
    """A maximum and its time."""
    maximum = _maximum(name, tariff=tariff)
    return maximum, RecordField(f"{maximum.name} RTC", "ns", maximum.obis, "power", "time")


#: What is kept at the end of each billing period, in the order of the data sheet.
RECORD_FIELDS: tuple[RecordField, ...] = (
    RecordField("RTC/Quality", "", "1-0:0.1.2", "various", "stamp"),
    RecordField("hours", "h", "0-0:96.8.0", "various", "hours"),
    RecordField("billing stops", "", "1-0:0.1.0", "various", "count"),
    RecordField("P+ threshold", "", "1-0:1.36.0", "various", "count"),
    RecordField("pulse input", "", "1-1:82.8.0", "various", "pulses"),
    RecordField("ratio", "", "1-0:0.4.2", "various", "ratio"),
    *(_energy(name) for name in ("A+", "A-", "R+", "R-", "E+", "E-")),
    *(_energy(name, tariff) for name in ("A+", "R+") for tariff in (1, 2, 3, 4)),
    *_timed("P+"),
    *(_maximum("P+", tariff=tariff, accumulated=True) for tariff in (0, 1, 2)),
    *_timed("Q+"),
    _maximum("Q+", accumulated=True),
    *(f for name in ("P+", "Q+") for tariff in (1, 2) for f in _timed(name, tariff)),
    *_timed("S+"),
    *_timed("S-"),
)

_PROFILE_01 = ("RTC/Quality", "hours", "A+", "A-", "R+", "R-", *(f"{name}_T{tariff}" for name in ("A+", "R+") for tariff in (1, 2, 3, 4)))
#: What the second logger keeps, by its profile. The data sheet does not list the contents: profile 1 is what sibling
#: meters keep, profile 2 the whole record; both are this project's choice.
LOGGER_2_FIELDS: dict[int, tuple[RecordField, ...]] = {
    1: tuple(f for f in RECORD_FIELDS if f.name in _PROFILE_01),
    2: RECORD_FIELDS,
}


def record(values: Mapping[str, Any], fields: tuple[RecordField, ...] = RECORD_FIELDS) -> dict[str, Any]:
    """Values by name as a record: exactly its fields, in their order, None where there is no value.

    Parameters
    ----------
    values : mapping
        Names of `RECORD_FIELDS` to values of their kind.
    fields : tuple of RecordField
        The fields to keep; one of `LOGGER_2_FIELDS` for the second logger.

    Raises
    ------
    InputError
        A name that is no field of the record, or a value of the wrong kind.
    """
    known = {f.name: f for f in RECORD_FIELDS}
    for name, value in values.items():
        if name not in known:
            raise InputError(f"billing record: no field {name!r}", expected="one of " + ", ".join(known))
        if not known[name].accepts(value):
            raise InputError(f"billing record: {name} is {value!r}", expected=f"a value of kind {known[name].kind}")
    return {f.name: values.get(f.name) for f in fields}
