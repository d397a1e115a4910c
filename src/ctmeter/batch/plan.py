"""From scans to pieces: which stretches of whose time are measured on their own. Pure: it reads no samples.

The recordings of a measuring point that follow each other are one time line. It is cut at absolute multiples of `CUT_S`,
where windows, flicker and the intervals of the standard begin anew anyway, so that a long recording is shared among
workers and a site of many short ones is measured as if it had been recorded in one. Where the cuts lie depends
on nothing but the clock: the same pieces come out for any number of workers.

References
----------
IEC 61000-4-30:2015, 4.5
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from ..pipeline.describe import program
from ..pipeline.summary import MAINS
from .work import Piece, Scan

__all__ = ["AFTER_NS", "BEFORE_NS", "CUT_NS", "WARM_UP_NS", "Plan", "plan"]

CUT_NS = 4 * 3600 * 1_000_000_000
#: What is measured before a piece for the filters of flicker and frequency to forget how they began.
WARM_UP_NS = 600 * 1_000_000_000
#: How far back recordings are looked at where a piece begins within an event.
BEFORE_NS = CUT_NS
#: What is measured after a piece, for the windows and intervals that run on over its end.
AFTER_NS = 12 * 1_000_000_000
#: Of the partial results; a change of what they hold, or of how it is measured, is a new one.
VERSION = 4
#: By so much recordings that follow each other may overlap, ns: clocks of files are rounded.
_SEAM_NS = 1_000_000_000
#: Of two that overlap the later one stands alone, unless it is so many times as long.
_LONGER = 2


class Plan(NamedTuple):
    """What is to be measured.

    Parameters
    ----------
    pieces : tuple of Piece
        In the order of site, device, point and time.
    overlapping : mapping of name to name
        Recordings that lie in the time of another one of the same point.
    """

    pieces: tuple[Piece, ...]
    overlapping: Mapping[str, str]


class _Entry(NamedTuple):
    """A point of a recording on the time line."""

    start: int
    stop: int
    scan: Scan  # with this point alone

    @property
    def length(self) -> int:
        """How long it is, ns."""
        return self.stop - self.start

    @property
    def frequency(self) -> float | None:
        """The nominal frequency; None where none could be detected."""
        found: float | None = self.scan.points[0].settings["nominal_frequency"]
        return found

    @property
    def manner(self) -> str:
        """How it is measured."""
        point = self.scan.points[0]
        return json.dumps([point.settings, point.channels, self.scan.sample_rate], sort_keys=True)


def plan(scans: Iterable[Scan], tables: tuple[str, ...] = ()) -> Plan:
    """The pieces of all recordings that can be measured.

    Parameters
    ----------
    scans : iterable of Scan
    tables : tuple of str
        Kept on request.
    """
    lines: dict[tuple[str, str, str], list[_Entry]] = defaultdict(list)
    pieces: list[Piece] = []
    for scan in scans:
        if scan.failure or scan.skipped:
            continue
        for point in scan.points:
            single = replace(scan, points=(point,))
            key = (scan.site, scan.device, point.name)
            if scan.start_ns is None:
                pieces.append(_piece(key, (_tuned(single, None),), None, tables))
                continue
            start, stop = scan.start_ns, scan.start_ns + round(scan.duration * 1e9)
            lines[key].append(_Entry(start, max(stop, start + 1), single))
    overlapping: dict[str, str] = {}
    for key, entries in lines.items():
        entries.sort(key=lambda e: (e.start, e.stop, e.scan.source.name, e.scan.source.member))
        chains, alone = _chains(_all_tuned(entries), overlapping)
        for chain in chains:
            pieces += _cut(key, chain, tables, False)
        for entry in alone:
            pieces += _cut(key, [entry], tables, True)
    pieces.sort(key=lambda p: (p.site, p.device, p.point, p.span or (0, 0), [name_of(s) for s in p.recordings]))
    return Plan(tuple(pieces), overlapping)


def name_of(scan: Scan) -> str:
    """What a recording is called in results."""
    return f"{scan.source.name}:{scan.source.member}" if scan.source.member else scan.source.name


def _all_tuned(entries: list[_Entry]) -> list[_Entry]:
    """Recordings in the order of time; those without a frequency have that of the one before, else of the one after.

    A network without voltage is still its own.
    """
    known = next((e.frequency for e in entries if e.frequency is not None), None)
    made = []
    for entry in entries:
        if entry.frequency is None:
            made.append(entry._replace(scan=_tuned(entry.scan, known)))
        else:
            known = entry.frequency
            made.append(entry)
    return made


def _tuned(scan: Scan, frequency: float | None) -> Scan:
    """A scan whose point has a nominal frequency."""
    point = scan.points[0]
    if point.settings["nominal_frequency"] is not None:
        return scan
    return replace(scan, points=(replace(point, settings={**point.settings, "nominal_frequency": frequency or MAINS[0]}),))


def _chains(entries: list[_Entry], overlapping: dict[str, str]) -> tuple[list[list[_Entry]], list[_Entry]]:
    """Recordings that follow each other and are measured alike; and those in the time of another one, which stand alone."""
    free: list[_Entry] = []
    alone: list[_Entry] = []
    for entry in entries:
        kept = free[-1] if free else None
        if kept is None or not _overlap(kept, entry):
            free.append(entry)
            continue
        left = entry
        if entry.length > _LONGER * kept.length:  # a file of a day does not give way to one of a minute
            free[-1], kept, left = entry, entry, kept
        overlapping[name_of(left.scan)] = name_of(kept.scan)
        alone.append(left)
    return [list(chain) for _, chain in groupby(free, key=lambda e: e.manner)], alone


def _overlap(one: _Entry, later: _Entry) -> bool:
    """Whether a recording lies in the time of one that began earlier."""
    return later.start < one.stop - min(_SEAM_NS, later.length // 2, one.length // 2)


def _cut(key: tuple[str, str, str], chain: list[_Entry], tables: tuple[str, ...], overlaps: bool) -> Iterable[Piece]:
    """The pieces of a chain."""
    first = 0
    cells = sorted({cell for e in chain for a, b in e.scan.stretches for cell in range(a // CUT_NS, max(b - 1, a) // CUT_NS + 1)})
    for cell in cells:
        low, high = cell * CUT_NS, (cell + 1) * CUT_NS
        while first < len(chain) and chain[first].stop <= low - BEFORE_NS:
            first += 1
        used = []
        for entry in chain[first:]:
            if entry.start >= high + AFTER_NS:
                break
            used.append(entry.scan)
        yield _piece(key, tuple(used), (low, high), tables, overlaps)


def _piece(key: tuple[str, str, str], used: tuple[Scan, ...], span: tuple[int, int] | None, tables: tuple[str, ...], overlaps: bool = False) -> Piece:
    site, device, point = key
    what: list[Any] = [VERSION, program()["version"], key, span, tables, overlaps]
    for scan in used:
        parts = [[size, version] for _, size, version in scan.source.parts]
        manner = [scan.points[0].settings, scan.points[0].channels, scan.rate]
        what.append([scan.source.name, scan.source.member, parts, scan.start_ns, scan.duration, manner])
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
    return Piece(digest, site, device, point, used, span, overlaps, _recorded(used, span))


def _recorded(used: tuple[Scan, ...], span: tuple[int, int] | None) -> float:
    """Seconds of recording in a span."""
    if span is None:
        return sum(s.duration for s in used)
    return sum(max(min(b, span[1]) - max(a, span[0]), 0) for s in used for a, b in s.stretches) * 1e-9
