"""Tariffs: the switching plan of seasons and kinds of day, the two inputs, and control by register.

Each source gives the same thing: a list of (t_ns, tariff), beginning with the tariff in force at the start.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..errors import InputError, SettingsError
from ..settings import unknown
from .clock import DAY_NS, LocalClock

__all__ = [
    "MAX_EXCEPTIONS", "MAX_SEASONS", "MAX_SWITCHES", "SOURCES", "Season", "TariffPlan", "port_tariff", "read_exception_days",
    "register_switches", "without_repeats",
]  # fmt: skip

#: Where the tariff in force comes from.
SOURCES = ("off", "plan", "port", "register")
TARIFFS = (1, 2, 3, 4)
MAX_SEASONS = 2
#: Switching times in a day.
MAX_SWITCHES = 8
MAX_EXCEPTIONS = 100
_MINUTE_NS = 60_000_000_000
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_DATE = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})", re.ASCII)
#: For each module code with tariff inputs: which inputs select, lowest bit first, and whether they are inverted.
_PORTS: dict[str, tuple[tuple[int, ...], bool]] = {
    "01": ((0, 1), False), "02": ((0, 1), True),
    "07": ((0,), False), "08": ((0,), True), "09": ((0,), False), "10": ((0,), True), "11": ((0,), False), "12": ((0,), True),
    "13": ((1,), False), "14": ((1,), True),
    "22": ((0, 1), False), "23": ((0, 1), True),
}  # fmt: skip

#: Switching times of a day: (ns after local midnight, tariff), ascending.
Table = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Season:
    """A part of the year with its switching times.

    Attributes
    ----------
    start : tuple of int
        Month and day of its first day; it lasts until the other season starts.
    working, non_working : tuple of (int, int)
        (ns after local midnight, tariff) of the two kinds of day, ascending.
    """

    start: tuple[int, int]
    working: Table
    non_working: Table


@dataclass(frozen=True)
class TariffPlan:
    """Which tariff holds when: at most two seasons, working and non-working days, eight switching times a day.

    Attributes
    ----------
    seasons : tuple of Season
        One or two, in the order of the year.
    working_days : tuple of int
        Days of the week that are working days, 1 Monday to 7 Sunday.
    exception_days : tuple of str
        At most 100 days that count as non-working: `2024-05-17`, or `12-25` for every year.

    Notes
    -----
    The tariff is a function of the date and time that the local clock shows, nothing else. An hour shown twice has its
    switching times twice; a switching time that the clock jumps over takes effect at the jump. Before the first
    switching time of a day the last tariff of the day before holds on.
    """

    seasons: tuple[Season, ...]
    working_days: tuple[int, ...] = (1, 2, 3, 4, 5)
    exception_days: tuple[str, ...] = ()
    _dates: frozenset[tuple[int, int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_dates", frozenset(_parts(day) for day in self.exception_days))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], exception_days: Iterable[Any] = ()) -> TariffPlan:
        """A plan of plain values.

        Parameters
        ----------
        values : mapping
            `seasons`: list of tables of `start` ("MM-DD"; may be left out of a single one), `working` and, where
            other, `non_working`, each a table of time of day to tariff; `working_days`: days of the week, 1 Monday.
        exception_days : iterable of str or datetime.date
            Dates `YYYY-MM-DD`, or `MM-DD` for every year.

        Raises
        ------
        SettingsError
            It names every fault.

        Examples
        --------
        >>> plan = TariffPlan.from_dict({"seasons": [{"working": {"06:00": 1, "22:00": 2}, "non_working": {"00:00": 2}}]})
        >>> plan.switches(0, 86_400_000_000_000, LocalClock())  # a Thursday
        [(0, 2), (21600000000000, 1), (79200000000000, 2)]
        """
        if not isinstance(values, Mapping):
            raise SettingsError(f"tariff_plan: {values!r} is not a table")
        faults = [f"tariff_plan.{unknown(key, ('seasons', 'working_days'))}" for key in values if key not in ("seasons", "working_days")]
        seasons = _seasons(values.get("seasons"), faults)
        days = values.get("working_days", (1, 2, 3, 4, 5))
        if not isinstance(days, Sequence) or isinstance(days, str) or not all(_is_int(d) and 1 <= d <= 7 for d in days) or len({*days}) < len(days):
            faults.append(f"tariff_plan.working_days: {days!r}, expected days of the week, 1 Monday to 7 Sunday")
            days = ()
        exceptions = _exceptions(exception_days, faults)
        if faults:
            raise SettingsError(faults)
        return cls(tuple(sorted(seasons, key=lambda s: s.start)), tuple(sorted(days)), exceptions)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` takes; the exception days stand apart, as in it."""
        seasons = [
            {"start": "{:02}-{:02}".format(*s.start), "working": _plain(s.working), "non_working": _plain(s.non_working)} for s in self.seasons
        ]
        return {"seasons": seasons, "working_days": list(self.working_days)}

    def is_working(self, day: dt.date) -> bool:
        """Whether a local date is a working day: by its day of the week, and no exception day."""
        if day.isoweekday() not in self.working_days:
            return False
        return (day.year, day.month, day.day) not in self._dates and (0, day.month, day.day) not in self._dates

    def tariff(self, t_ns: int, clock: LocalClock) -> int:
        """The tariff in force at an instant."""
        return self._at(t_ns + clock.offset_ns(t_ns))

    def switches(self, start_ns: int, end_ns: int, clock: LocalClock) -> list[tuple[int, int]]:
        """Tariffs in [start_ns, end_ns): (t_ns, tariff), the first at start_ns, then only changes; [] where that is empty."""
        found = []
        for s, e, offset in clock.stretches(start_ns, end_ns):
            found.append((s, self._at(s + offset)))
            for number in range((s + offset) // DAY_NS, (e - 1 + offset) // DAY_NS + 1):
                midnight = number * DAY_NS - offset
                found += [(midnight + time, tariff) for time, tariff in self._table(number) if s < midnight + time < e]
        return without_repeats(found)

    def _at(self, wall_ns: int) -> int:
        number, time = divmod(wall_ns, DAY_NS)
        begun = [tariff for start, tariff in self._table(number) if start <= time]
        return begun[-1] if begun else self._table(number - 1)[-1][1]

    def _table(self, number: int) -> Table:
        """Switching times of the local date `number` days after 1970-01-01."""
        day = dt.date.fromordinal(_EPOCH_DAY + number)
        begun = [s for s in self.seasons if s.start <= (day.month, day.day)]
        season = (begun or self.seasons)[-1]
        return season.working if self.is_working(day) else season.non_working


def port_tariff(bits: Sequence[bool | int], code: str) -> int:
    """The tariff that the two inputs of a module select.

    Parameters
    ----------
    bits : sequence of bool
        States of inputs 1 and 2.
    code : str
        The module code, "01" to "28".

    Returns
    -------
    int
        With two selecting inputs 1 + input 1 + 2 x input 2, with one 1 or 2, each after its inversion. The sheet
        names the inputs, not the order in which they count: input 1 as the lower bit is this project's choice.

    Raises
    ------
    SettingsError
        A code without tariff inputs.
    InputError
        An input that selects has no state.
    """
    if code not in _PORTS:
        raise SettingsError(f"Z3: {code!r} has no tariff inputs, expected one of {', '.join(_PORTS)}")
    inputs, inverted = _PORTS[code]
    for i in inputs:
        if i >= len(bits) or bits[i] not in (0, 1):
            raise InputError(f"module {code}: input {i + 1} has no state", expected="0 or 1")
    return 1 + sum((bool(bits[i]) != inverted) << k for k, i in enumerate(inputs))


def register_switches(changes: Iterable[tuple[int, int]], start_ns: int, end_ns: int, initial: int = 1) -> list[tuple[int, int]]:
    """Tariffs in [start_ns, end_ns) as they were written into the register.

    Parameters
    ----------
    changes : iterable of (int, int)
        (t_ns, tariff), ascending in time.
    start_ns, end_ns : int
        The window, ns UTC.
    initial : int
        The tariff before the first change.

    Raises
    ------
    SettingsError
        A tariff other than 1 to 4, or times that do not ascend; it names every fault.
    """
    known = [*changes]
    faults = [f"tariff: {tariff!r} at {t} ns, expected 1 to 4" for t, tariff in [(start_ns, initial), *known] if not _is_tariff(tariff)]
    faults += [f"tariff: time {b} ns does not come after {a} ns" for (a, _), (b, _) in pairwise(known) if b <= a]
    if faults:
        raise SettingsError(faults)
    if end_ns <= start_ns:
        return []
    first = [tariff for t, tariff in known if t <= start_ns][-1:] or [initial]
    return without_repeats([(start_ns, first[0]), *((t, tariff) for t, tariff in known if start_ns < t < end_ns)])


def without_repeats(switches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Switches without those that change nothing."""
    found: list[tuple[int, int]] = []
    for t, tariff in switches:
        if not found or found[-1][1] != tariff:
            found.append((t, tariff))
    return found


def read_exception_days(text: str, path: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Exception days of a calendar file: a date a line, `#` before a comment.

    Raises
    ------
    InputError
        A line that is no date, a date given twice, or more than 100 of them.
    """
    found: list[str] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        day = line.partition("#")[0].strip()
        if not day:
            continue
        if _parts(day) == _NO_DATE:
            raise InputError(f"{day[:40]!r} is no date", path=path, line=number, expected="YYYY-MM-DD, or MM-DD for every year")
        if day in found:
            raise InputError(f"{day} is given twice", path=path, line=number)
        if len(found) == MAX_EXCEPTIONS:
            raise InputError("too many days", path=path, line=number, expected=f"at most {MAX_EXCEPTIONS}")
        found.append(day)
    return tuple(found)


_NO_DATE = (0, 0, 0)


def _parts(day: Any) -> tuple[int, int, int]:
    """Year (0 for every year), month and day; all zero for what is no date."""
    match = _DATE.fullmatch(str(day))
    if match is None:
        return _NO_DATE
    year, month, number = (int(g or 0) for g in match.groups())
    try:
        dt.date(year if match[1] else 2000, month, number)
    except ValueError:
        return _NO_DATE
    return year, month, number


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_tariff(value: Any) -> bool:
    return _is_int(value) and value in TARIFFS


def _exceptions(days: Any, faults: list[str]) -> tuple[str, ...]:
    if isinstance(days, (str, bytes)) or not isinstance(days, Iterable):
        faults.append(f"exception_days: {days!r} is not a list of dates")
        return ()
    texts = [d.isoformat() if type(d) is dt.date else d for d in days]
    for k, text in enumerate(texts):
        if not isinstance(text, str) or _parts(text) == _NO_DATE:
            faults.append(f"exception_days: {text!r} is no date, expected YYYY-MM-DD, or MM-DD for every year")
        elif text in texts[:k]:
            faults.append(f"exception_days: {text} is given twice")
    if len(texts) > MAX_EXCEPTIONS:
        faults.append(f"exception_days: {len(texts)} days, expected at most {MAX_EXCEPTIONS}")
    return () if faults else tuple(texts)


def _seasons(tables: Any, faults: list[str]) -> list[Season]:
    if not isinstance(tables, Sequence) or isinstance(tables, str) or not 1 <= len(tables) <= MAX_SEASONS:
        faults.append(f"tariff_plan.seasons: expected a list of one to {MAX_SEASONS} tables")
        return []
    found = []
    for k, table in enumerate(tables, 1):
        place = f"tariff_plan.seasons[{k}]"
        if not isinstance(table, Mapping):
            faults.append(f"{place}: {table!r} is not a table")
            continue
        known = ("start", "working", "non_working")
        faults += [f"{place}.{unknown(key, known)}" for key in table if key not in known]
        start = table.get("start", "01-01" if len(tables) == 1 else None)
        year, month, day = _parts(start)
        if not month or year or (month, day) == (2, 29):
            faults.append(f"{place}.start: {start!r}, expected a day of every year as MM-DD")
        working = _times(table.get("working"), f"{place}.working", faults)
        non_working = _times(table["non_working"], f"{place}.non_working", faults) if "non_working" in table else working
        found.append(Season((month, day), working, non_working))
    if len({s.start for s in found}) < len(found) and not faults:
        faults.append("tariff_plan.seasons: two start on one day")
    return found


def _times(table: Any, place: str, faults: list[str]) -> Table:
    if not isinstance(table, Mapping) or not 1 <= len(table) <= MAX_SWITCHES:
        faults.append(f'{place}: expected a table of one to {MAX_SWITCHES} switching times such as {{"06:00" = 1, "22:00" = 2}}')
        return ()
    found = []
    for time, tariff in table.items():
        match = _TIME.fullmatch(time) if isinstance(time, str) else None
        if match is None:
            faults.append(f"{place}: {time!r} is no time of day, expected 00:00 to 23:59")
        elif not _is_tariff(tariff):
            faults.append(f"{place}: tariff {tariff!r} at {time}, expected 1 to 4")
        else:
            found.append(((int(match[1]) * 60 + int(match[2])) * _MINUTE_NS, tariff))
    return tuple(sorted(found))


def _plain(table: Table) -> dict[str, int]:
    return {f"{time // (60 * _MINUTE_NS):02}:{time // _MINUTE_NS % 60:02}": tariff for time, tariff in table}
