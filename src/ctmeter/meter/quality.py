"""The quality of a stored time and of the values beside it."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from ..quantity import Flag

__all__ = ["DAY_NS", "GOOD", "QUALITY_TEXT", "RTC_BACKUP_NS", "Quality", "Stamp", "gap_quality", "local_time"]

DAY_NS = 86_400_000_000_000
#: For how long the clock runs on without supply.
RTC_BACKUP_NS = 7 * DAY_NS
_EPOCH = dt.datetime(1970, 1, 1)


class Quality(enum.IntFlag):
    """How good a stored time and the values beside it are; carried upwards by OR.

    The bits are stored, so they never change their meaning.
    """

    GAP = 1 << 0
    CLOCK_SET = 1 << 1
    DST = 1 << 2
    SATURATED = 1 << 3
    NOT_FINITE = 1 << 4
    INCOMPLETE = 1 << 5
    EXTRAPOLATED = 1 << 6
    FLAGGED = 1 << 7
    RTC_UNCERTAIN = 1 << 8
    OVERLAP = 1 << 9

    @property
    def label(self) -> str:
        """Name as people write it, for instance "clock-set"; several joined by commas."""
        return ",".join((q.name or "").lower().replace("_", "-") for q in self)

    @classmethod
    def of_flags(cls, flags: int) -> Quality:
        """What the flags of a measured interval mean for a stored value.

        Dips, swells and interruptions are the flagging of IEC 61000-4-30. Flags that say nothing
        of time or completeness (no lock, out of range, settling, low rate) have no bit here.
        """
        found = cls(0)
        for flag, quality in _OF_FLAG.items():
            if flags & flag:
                found |= quality
        return found


#: No bit set.
GOOD = Quality(0)

_OF_FLAG = {
    Flag.GAP: Quality.GAP,
    Flag.SATURATED: Quality.SATURATED,
    Flag.NOT_FINITE: Quality.NOT_FINITE,
    Flag.INCOMPLETE: Quality.INCOMPLETE,
    Flag.NO_CLOCK: Quality.RTC_UNCERTAIN,
    Flag.DIP | Flag.SWELL | Flag.INTERRUPTION: Quality.FLAGGED,
}

#: What each bit says, for read-outs.
QUALITY_TEXT = {
    Quality.GAP: "samples are missing",
    Quality.CLOCK_SET: "the clock was set",
    Quality.DST: "daylight saving time was in force",
    Quality.SATURATED: "samples at the end of the range",
    Quality.NOT_FINITE: "samples that are no numbers",
    Quality.INCOMPLETE: "the period is not covered in full",
    Quality.EXTRAPOLATED: "values carried on over a time without samples",
    Quality.FLAGGED: "a dip, swell or interruption (IEC 61000-4-30)",
    Quality.RTC_UNCERTAIN: "the time itself is uncertain: no clock, or no supply for longer than its backup lasts",
    Quality.OVERLAP: "recordings overlap",
}


@dataclass(frozen=True)
class Stamp:
    """A time with its quality: UTC, the local offset then in force, and the bits.

    Attributes
    ----------
    t_ns : int
        ns since 1970-01-01 UTC.
    offset_ns : int
        Local time minus UTC, ns.
    quality : Quality
        The bits.
    """

    t_ns: int
    offset_ns: int = 0
    quality: Quality = GOOD

    @property
    def local(self) -> dt.datetime:
        """Local time with its offset, to the microsecond."""
        return local_time(self.t_ns, self.offset_ns)

    def to_dict(self) -> dict[str, int | str]:
        """Plain values: the time in ns, local time as ISO 8601 text, the bits as a number and by name."""
        return {"t_ns": self.t_ns, "local": self.local.isoformat(), "quality": int(self.quality), "label": self.quality.label}


def gap_quality(gap_ns: int) -> Quality:
    """The quality after a stretch without samples; a negative one is an overlap.

    Examples
    --------
    >>> gap_quality(8 * DAY_NS).label
    'gap,rtc-uncertain'
    """
    if gap_ns < 0:
        return Quality.OVERLAP
    if gap_ns == 0:
        return GOOD
    return Quality.GAP | Quality.RTC_UNCERTAIN if gap_ns > RTC_BACKUP_NS else Quality.GAP


def local_time(t_ns: int, offset_ns: int) -> dt.datetime:
    """Local time with its offset, to the microsecond below."""
    zone = dt.timezone(dt.timedelta(microseconds=offset_ns // 1000))
    return (_EPOCH + dt.timedelta(microseconds=(t_ns + offset_ns) // 1000)).replace(tzinfo=zone)
