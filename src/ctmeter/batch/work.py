"""What batch processing passes around: sources, what a look at them told, pieces of work and what came of them.

Everything here is plain, frozen and picklable, so it goes to threads, processes and other machines alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..recording import Channel

__all__ = ["Outcome", "Piece", "Point", "Scan", "Source", "channel_of", "plain_channel"]


@dataclass(frozen=True)
class Source:
    """A file, an object or a member of an archive that may be a recording.

    Parameters
    ----------
    uri : str
        Local path or URL; what a reader is given.
    name : str
        Path below the folder that was searched, with "/"; the same wherever the folder stands.
    parts : tuple of (str, int, str)
        Of each file that belongs to it: its URI, its bytes, and its version: time of change in ns, or ETag.
    member : str
        Name inside the archive `uri`; "" where it is none.
    """

    uri: str
    name: str
    parts: tuple[tuple[str, int, str], ...]
    member: str = ""

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(n for _, n, _ in self.parts)


@dataclass(frozen=True)
class Point:
    """A measuring point of a recording.

    Parameters
    ----------
    name : str
        Of the point's table in the settings; "" for the recording as a whole.
    settings : mapping
        As `Settings.to_dict` gives them.
    channels : tuple of mapping
        Channels with their roles, as `dataclasses.asdict` gives them.
    """

    name: str
    settings: Mapping[str, Any]
    channels: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Scan:
    """What a look at a source told, without measuring.

    Parameters
    ----------
    source : Source
    site, device : str
        Whose recording it is.
    start_ns : int or None
        None without a clock.
    duration : float
        s, gaps included.
    sample_rate : float
        Hz, of the first segment.
    stretches : tuple of (int, int)
        When it was taken, ns: start and end of what lies close together, in the order of time; empty without a clock.
    samples : int
        Frames.
    uniform : bool
        It has one segment and no gaps.
    points : tuple of Point
    format : str
        Of the file.
    warnings : tuple of str
        Every oddity met.
    rate : float or None
        The sample rate that settings give for it.
    failure : str
        Why it cannot be measured; "" where it can.
    skipped : bool
        It is no recording at all.
    passing : bool
        The failure is not one of the source, such as a full scratch disk: the next run tries again.
    """

    source: Source
    site: str = ""
    device: str = ""
    start_ns: int | None = None
    duration: float = 0.0
    sample_rate: float = 0.0
    stretches: tuple[tuple[int, int], ...] = ()
    samples: int = 0
    uniform: bool = True
    points: tuple[Point, ...] = ()
    format: str = ""
    warnings: tuple[str, ...] = ()
    rate: float | None = None
    failure: str = ""
    skipped: bool = False
    passing: bool = False


@dataclass(frozen=True)
class Piece:
    """A stretch of the time of one measuring point, measured on its own.

    Parameters
    ----------
    key : str
        Digest of everything that its result depends on.
    site, device, point : str
    recordings : tuple of Scan
        In the order of time: those inside, one before for warming up, one after for what does not end in time.
    span : tuple of int or None
        From (included) and to (excluded), ns UTC: whose rows it gives. None: all of a recording without a clock.
    overlaps : bool
        It lies in the time of other recordings of its point.
    seconds : float
        Of recording in the span.
    """

    key: str
    site: str
    device: str
    point: str
    recordings: tuple[Scan, ...]
    span: tuple[int, int] | None
    overlaps: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What became of a piece.

    Parameters
    ----------
    key : str
    seconds : float
        Time it took.
    samples : int
        Frames read.
    failed : tuple of (str, str)
        Names of sources that could not be measured, with reasons; the piece has no result then.
    passing : bool
        As of `Scan`.
    """

    key: str
    seconds: float = 0.0
    samples: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    passing: bool = False


def plain_channel(channel: Channel) -> dict[str, Any]:
    """A channel as plain values."""
    return asdict(channel)


def channel_of(values: Mapping[str, Any]) -> Channel:
    """The inverse of `plain_channel`."""
    limits = values["range"]
    return Channel(**{**values, "range": None if limits is None else (limits[0], limits[1])})
