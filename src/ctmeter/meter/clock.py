"""The meter's clock: local time, daylight saving, and the drift of a recorder.

Everything is kept in int64 ns UTC; local time serves tariffs, billing and people. A clock is a row of
*stretches* of constant offset, so that all calendar questions are arithmetic on integers.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from ..errors import SettingsError
from .quality import DAY_NS, GOOD, Quality, Stamp, local_time

__all__ = ["DAY_NS", "LocalClock", "Quality", "Stamp", "drifted", "retimed", "utc_offset_of"]

_S_NS = 1_000_000_000
_HOUR_NS = 3600 * _S_NS
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
#: Summer time of the EU starts and ends at 01:00 UTC on the last Sunday of these months.
_EU_MONTHS = (3, 10)


def retimed(start_ns: int, sample_rate: float, ppm: float, sync_ns: int) -> tuple[int, float]:
    """Start and rate of a recording in true time, its recorder's clock being fast by `ppm`.

    Parameters
    ----------
    start_ns : int
        Start by the recorder's clock, ns UTC.
    sample_rate : float
        Samples in a second of the recorder's clock.
    ppm : float
        By how much the recorder's clock is fast, in 1e-6 of true time; below 0: slow.
    sync_ns : int
        When it was right, ns UTC.

    Returns
    -------
    tuple of int and float
        Start in ns UTC, to the nearest ns; samples in a true second.

    Raises
    ------
    SettingsError
        A drift that is not finite, or of a clock that stands or runs backwards.

    Notes
    -----
    ``t = sync + (t_recorder - sync) / (1 + ppm / 1e6)``, in rational arithmetic. A clock that is 5 ppm fast
    is 3.024 s ahead after a week.

    Examples
    --------
    >>> retimed(604_803_024_000_000, 12800.0, 5.0, 0)
    (604800000000000, 12800.064)
    """
    if not math.isfinite(ppm) or ppm <= -1e6:
        raise SettingsError(f"clock_ppm: {ppm!r}, expected a finite number above -1e6")
    speed = 1 + Fraction(ppm) / 1_000_000
    return sync_ns + round((start_ns - sync_ns) / speed), float(Fraction(sample_rate) * speed)


def drifted(t_ns: int, ppm: float, sync_ns: int) -> int:
    """What a recorder's clock shows, that is fast by `ppm` and was right at `sync_ns`, ns UTC; see `retimed`.

    Examples
    --------
    >>> drifted(604_800_000_000_000, 5.0, 0)
    604803024000000
    """
    return t_ns + round((t_ns - sync_ns) * Fraction(ppm) / 1_000_000)


def utc_offset_of(code: str) -> int:
    """Hours east of Greenwich for the code of the offset: "00" to "12" east, "13" to "23" for -11 to -1.

    Raises
    ------
    SettingsError
        No such code.
    """
    if len(code) == 2 and code.isascii() and code.isdigit() and int(code) < 24:
        return int(code) if int(code) <= 12 else int(code) - 24
    raise SettingsError(f"Z11: {code!r}, expected 00 to 23")


@dataclass(frozen=True)
class LocalClock:
    """Local time of a meter.

    Parameters
    ----------
    utc_offset : int
        Standard time minus UTC, whole hours from -11 to 12.
    dst : str
        "none", or "EU": an hour ahead between 01:00 UTC on the last Sundays of March and of October, every year.
    zone : str, optional
        Name in the IANA time zone database; excludes the other two. No code of the meter stands for it.

    Raises
    ------
    SettingsError
        Values out of range, an unknown zone, or a zone beside one of the others; it names every fault.

    Examples
    --------
    >>> clock = LocalClock(1, "EU")
    >>> clock.local(0).isoformat()
    '1970-01-01T01:00:00+01:00'
    """

    utc_offset: int = 0
    dst: str = "none"
    zone: str | None = None

    def __post_init__(self) -> None:
        faults = []
        if type(self.utc_offset) is not int or not -11 <= self.utc_offset <= 12:
            faults.append(f"utc_offset: {self.utc_offset!r}, expected whole hours from -11 to 12")
        if self.dst not in ("none", "EU"):
            faults.append(f'dst: {self.dst!r}, expected "none" or "EU"')
        if self.zone is not None:
            if self.utc_offset or self.dst != "none":
                faults.append("zone: excludes utc_offset and dst")
            try:
                ZoneInfo(self.zone)
            except (KeyError, ValueError, OSError, TypeError):
                faults.append(f'zone: {self.zone!r} is no time zone, expected a name such as "Europe/Copenhagen"')
        if faults:
            raise SettingsError(faults)

    def offset_ns(self, t_ns: int) -> int:
        """Local time minus UTC at an instant, ns."""
        if self.zone is not None:
            return _zone_offset(self.zone, t_ns)
        return self.utc_offset * _HOUR_NS + (_HOUR_NS if self.is_dst(t_ns) else 0)

    def is_dst(self, t_ns: int) -> bool:
        """Whether daylight saving time is in force.

        Where the database calls summer the standard and winter the exception (Ireland), summer is meant all the same.
        """
        year = _year(t_ns)
        if self.zone is None:
            start, end = _eu_changes(year)
            return self.dst == "EU" and start <= t_ns < end
        saved = _zone_saving(self.zone, t_ns)
        return saved > 0 or (saved == 0 and _winter_is_exception(self.zone, year))

    def local(self, t_ns: int) -> dt.datetime:
        """Local time with its offset, to the microsecond below."""
        return local_time(t_ns, self.offset_ns(t_ns))

    def stamp(self, t_ns: int, quality: Quality = GOOD) -> Stamp:
        """The time as it is stored: with the local offset, and the bit of daylight saving set where it is in force."""
        return Stamp(t_ns, self.offset_ns(t_ns), quality | (Quality.DST if self.is_dst(t_ns) else GOOD))

    def changes(self, start_ns: int, end_ns: int) -> list[int]:
        """Instants in [start_ns, end_ns) at which the offset changes, in ns UTC."""
        if (self.zone is None and self.dst == "none") or end_ns <= start_ns:
            return []
        years = range(_year(start_ns), _year(end_ns) + 1)
        found = (t for year in years for t in (_eu_changes(year) if self.zone is None else _zone_changes(self.zone, year)))
        return [t for t in found if start_ns <= t < end_ns]

    def stretches(self, start_ns: int, end_ns: int) -> list[tuple[int, int, int]]:
        """Start, end and local offset, all in ns, of the stretches of constant offset that make up [start_ns, end_ns)."""
        if end_ns <= start_ns:
            return []
        edges = [start_ns, *self.changes(start_ns + 1, end_ns), end_ns]
        return [(s, e, self.offset_ns(s)) for s, e in itertools.pairwise(edges)]

    def utc_of(self, day: dt.date, time: dt.time = dt.time(), fold: int = 0) -> int:
        """The instant at which the local clock shows a date and time.

        Parameters
        ----------
        day : datetime.date
            Local date.
        time : datetime.time
            Local time without an offset.
        fold : int
            Of a time shown twice: 0 the first, 1 the second.

        Returns
        -------
        int
            ns UTC. For a time that the clock jumps over, the instant of the jump.
        """
        seconds = time.hour * 3600 + time.minute * 60 + time.second
        wall = (day.toordinal() - _EPOCH_DAY) * DAY_NS + seconds * _S_NS + time.microsecond * 1000
        stretches = self.stretches(wall - DAY_NS, wall + DAY_NS)
        shown = [wall - offset for s, e, offset in stretches if s <= wall - offset < e]
        if shown:
            return shown[-1 if fold else 0]
        return next(s for s, _, offset in stretches if s + offset > wall)

    def periods(self, start_ns: int, end_ns: int, minutes: int) -> range:
        """Boundaries of the integration periods in [start_ns, end_ns): multiples of their length since 1970-01-01 UTC.

        They are those of local time too where the offset is a multiple of the length, as all offset codes are;
        in a zone 5 h 30 min from UTC, periods of 60 min change at half past the local hour.

        Raises
        ------
        SettingsError
            A length that does not divide the day.
        """
        if minutes <= 0 or 1440 % minutes:
            raise SettingsError(f"period: {minutes!r} min, expected a part of the day such as 15, 30 or 60")
        step = minutes * 60 * _S_NS
        return range(-(-start_ns // step) * step, end_ns, step)

    def days(self, start_ns: int, end_ns: int) -> list[tuple[int, dt.date]]:
        """Instants in [start_ns, end_ns) at which a local date begins, with the date.

        A date begins once: where the clock goes back over midnight, at the first; where it jumps over midnight, at the
        jump. A date that is left out does not begin.
        """
        found: list[tuple[int, int]] = []
        last = None  # the latest date shown so far
        for s, e, offset in self.stretches(start_ns - 2 * DAY_NS, end_ns):
            first = (s + offset) // DAY_NS
            if last is not None and first > last:
                found.append((s, first))
            last = first if last is None else max(first, last)
            until = (e - 1 + offset) // DAY_NS
            found += [(n * DAY_NS - offset, n) for n in range(last + 1, until + 1)]
            last = max(last, until)
        return [(t, dt.date.fromordinal(_EPOCH_DAY + n)) for t, n in found if t >= start_ns]

    def midnights(self, start_ns: int, end_ns: int) -> list[int]:
        """Beginnings of the local days in [start_ns, end_ns), ns UTC; see `days`."""
        return [t for t, _ in self.days(start_ns, end_ns)]


def _year(t_ns: int) -> int:
    return dt.date.fromordinal(_EPOCH_DAY + t_ns // DAY_NS).year


@cache
def _eu_changes(year: int) -> tuple[int, ...]:
    """Start and end of summer time in a year, ns UTC."""
    last_days = [dt.date(year, month, 31) for month in _EU_MONTHS]
    sundays = [d.toordinal() - d.isoweekday() % 7 for d in last_days]
    return tuple((n - _EPOCH_DAY) * DAY_NS + _HOUR_NS for n in sundays)


def _zone_offset(zone: str, t_ns: int) -> int:
    offset = dt.datetime.fromtimestamp(t_ns // _S_NS, ZoneInfo(zone)).utcoffset() or dt.timedelta()
    return offset // dt.timedelta(seconds=1) * _S_NS


def _zone_saving(zone: str, t_ns: int) -> int:
    saved = dt.datetime.fromtimestamp(t_ns // _S_NS, ZoneInfo(zone)).dst() or dt.timedelta()
    return saved // dt.timedelta(seconds=1)


@lru_cache(maxsize=4096)
def _winter_is_exception(zone: str, year: int) -> bool:
    return any(_zone_saving(zone, t + shift) < 0 for t in _zone_changes(zone, year) for shift in (-_S_NS, 0))


@lru_cache(maxsize=4096)
def _zone_changes(zone: str, year: int) -> tuple[int, ...]:
    """Instants of a UTC year at which the offset changes: one look a day, as changes are days apart, then bisection."""
    first, last = (dt.date(y, 1, 1).toordinal() - _EPOCH_DAY for y in (year, year + 1))
    seconds = [day * 86_400 - 1 for day in range(first, last + 1)]
    offsets = [_zone_offset(zone, s * _S_NS) for s in seconds]
    found = []
    for (low, high), (before, after) in zip(itertools.pairwise(seconds), itertools.pairwise(offsets), strict=True):
        if before != after:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _zone_offset(zone, middle * _S_NS) == before else (low, middle)
            found.append(high * _S_NS)
    return tuple(found)
