"""What is assessed: the tables of one site, from one or many results, on one absolute grid.

Consecutive recordings of a site are put one after the other; an interval that several of them share is put together from
all. Values are read column by column, so that a year of 10-s frequencies or of 3-s values is never held as a whole table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import InputError, SettingsError
from ..measurements import iso
from ..quantity import LINES, LIST_LENGTH, PHASES, Flag, Rule, columns
from .parts import Part
from .tables import LENGTHS

__all__ = ["Series", "Site"]

#: A recording may overlap the one before by so much, ns: clocks of files are rounded.
_SEAM = 1_000_000_000
#: An interval put together of parts is whole if it lacks no more than a window and a cycle, s.
_WHOLE = 0.25
_PLT = 12


@dataclass(frozen=True)
class Series:
    """Values on the grid of a table.

    Parameters
    ----------
    t : ndarray of int64, shape (n,)
        Starts, ns, rising.
    flags : ndarray of uint32, shape (n,)
    values : ndarray of float64, shape (n,)
        NaN where there is none.
    """

    t: np.ndarray
    flags: np.ndarray
    values: np.ndarray


@dataclass
class _Grid:
    """How the rows of all parts lie on the grid of one table: `take` picks rows, those that are `shared` are put together."""

    t: np.ndarray
    flags: np.ndarray
    take: np.ndarray | None = None  # None: as they are
    shared: Sequence[tuple[int, np.ndarray]] = ()  # place, and its rows
    weights: tuple[np.ndarray, np.ndarray] | None = None  # n and duration of each row, where some are shared


class Site:
    """The tables of one site.

    Parameters
    ----------
    parts : sequence of Part
    given : mapping
        `nominal_voltage`, `nominal_frequency`, `wiring`, `signalling_frequency`, where said; else those of the results.

    Raises
    ------
    InputError
        Results of different sites, that overlap, or several without a clock.
    SettingsError
        No nominal voltage or frequency.
    """

    def __init__(self, parts: Sequence[Part], given: Mapping[str, Any]) -> None:
        self.parts = sorted(parts, key=lambda p: (p.span or (0, 0))[0])
        self.notes: list[str] = []
        self._check_sites()
        self._check_times()
        settings: dict[str, Any] = next((dict(p.summary["settings"]) for p in self.parts if p.summary), {})
        wiring = next((p.summary["wiring"] for p in self.parts if p.summary), None)
        self.nominal_voltage: float | None = self._setting("nominal_voltage", given, settings)
        self.nominal_frequency: float | None = self._setting("nominal_frequency", given, settings)
        self.signalling_frequency: float | None = self._setting("signalling_frequency", given, settings)
        self._wired: str | None = given.get("wiring") or wiring
        self.wiring: str = self._wired or ("3P3W" if self.expected(LINES) and not self.expected(PHASES) else "3P4W")
        self.settings = settings
        self._grids: dict[str, _Grid | None] = {}
        self._outer: dict[str, tuple[int, int] | None] = {}
        faults = [f"{name}: not given, and needed for limits in %" for name in ("nominal_voltage", "nominal_frequency") if not getattr(self, name)]
        if faults:
            raise SettingsError(faults)

    def _setting(self, name: str, given: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
        value, own = given.get(name), settings.get(name)
        if value is not None and own is not None and value != own:
            self.notes.append(f"{name} is {value:g} here, the results were measured with {own:g}: events and deviations are those of {own:g}")
        return own if value is None else value

    def _check_sites(self) -> None:
        """Refuse results that cannot be of one site."""
        seen: dict[str, tuple[Any, str]] = {}
        for part in self.parts:
            if part.summary is None:
                continue
            summary = part.summary
            recorded = summary["recording"].get("metadata", {})
            facts = {name: recorded.get(name) for name in ("station", "device")}
            facts |= {name: summary["settings"].get(name) for name in ("nominal_voltage", "nominal_frequency", "signalling_frequency")}
            facts |= {"wiring": summary["wiring"], "side of the voltages": summary["sides"]["U"]}
            for name, value in facts.items():
                if value in (None, ""):
                    continue
                before, where = seen.setdefault(name, (value, part.name))
                if before != value:
                    raise InputError(
                        f"results of different sites: {name} is {value!r} here and {before!r} in {where}",
                        path=part.name,
                        expected="consecutive results of one site",
                    )

    def _check_times(self) -> None:
        """Refuse results that overlap, or have no clock and are several."""
        timed = [p for p in self.parts if p.summary is not None]
        if len(timed) > 1:
            for part in timed:
                if part.span is None:
                    raise InputError("no clock, so its place among the other results is not known", path=part.name)
            for a, b in pairwise(timed):
                if a.span and b.span and b.span[0] < a.span[1] - min(_SEAM, (a.span[1] - a.span[0]) // 2):
                    before = f"before {a.name} ends at {iso(a.span[1])}"
                    raise InputError(f"begins at {iso(b.span[0])}, {before}", path=b.name, expected="results that follow each other")
        elif timed and timed[0].span is None:
            self.notes.append("no clock: times are counted from 1970-01-01, and intervals from the start of the recording")

    def expected(self, names: Sequence[str]) -> set[str]:
        """Those of the phases, or of the voltages from line to line, that have to be measured.

        The wiring says which; where nobody said how the meter was connected, those of which any table has a voltage.
        """
        if self._wired == "3P4W" or (self._wired == "3P3W" and tuple(names) == LINES):
            return set(names)
        if self._wired == "3P3W":
            return set()
        found = [(t, c) for t in LENGTHS | {"3s": 0} for c in columns(t) if c.phase in names and set(LINES) <= set(c.quantity.phases)]
        if self._wired == "1P2W" and any(p.summary for p in self.parts):
            return {PHASES[0]} & set(names)
        if self._wired == "1P2W":
            return {c.phase for t, c in found if self.measured(t, c.name)}
        return {c.phase for t, c in found if any(c.name in p.names(t) for p in self.parts)}

    def _grid(self, table: str) -> _Grid | None:
        if table not in self._grids:
            self._grids[table] = self._lay(table)
        return self._grids[table]

    def _lay(self, table: str) -> _Grid | None:
        times, owner = [], []
        for k, part in enumerate(self.parts):
            t = part.times(table)
            if t is None:
                continue
            _check_grid(t, table, part)
            times.append(t)
            owner.append(k)
        if not times:
            return None
        flags = [self.parts[k].flags(table) for k in owner]
        t, flag = _together(times), _together(flags)
        if (t[1:] > t[:-1]).all():
            return _Grid(t, flag)
        order = np.argsort(t, kind="stable")
        same = np.flatnonzero(np.diff(t[order]) == 0)
        owners = np.repeat(owner, [len(x) for x in times])
        take = np.delete(order, same + 1)
        shared = []
        first, last = same[np.diff(same, prepend=-2) > 1], same[np.diff(same, append=len(t)) > 1] + 1
        for place, a, b in zip(first - np.searchsorted(same, first), first, last, strict=True):
            rows = order[a : b + 1]
            whole = rows[(flag[rows] & np.uint32(Flag.INCOMPLETE)) == 0]
            if table not in LENGTHS or len(whole) > 1:
                names = sorted({self.parts[k].name for k in owners[rows]})
                raise InputError(f"table {table} has {iso(t[rows[0]])} twice, in {' and in '.join(names)}", expected="each interval once")
            if len(whole):
                take[place] = whole[0]  # a clock was set back: what the other one has of it is a scrap
            else:
                shared.append((int(place), rows))
        grid = _Grid(t[take], flag[take], take, shared, self._weights(table) if shared else None)
        self._join_flags(table, grid, flag)
        return grid

    def _weights(self, table: str) -> tuple[np.ndarray, np.ndarray]:
        """The number of windows and the length of each row of all parts."""
        found = [p for p in self.parts if p.count(table)]
        n, duration = (np.concatenate([np.nan_to_num(p.floats(table, name), nan=1.0) for p in found]) for name in ("n", "duration"))
        return n, duration

    @staticmethod
    def _join_flags(table: str, grid: _Grid, flags: np.ndarray) -> None:
        if grid.weights is None:
            return
        length = LENGTHS.get(table, 0) / 1e9
        for place, rows in grid.shared:
            joined = np.bitwise_or.reduce(flags[rows])
            # ten minutes of which the recordings have all between them are whole; of two hours only Plt counts, made anew
            if table == "10min" and grid.weights[1][rows].sum() >= length - _WHOLE:
                joined &= ~np.uint32(Flag.INCOMPLETE)
            grid.flags[place] = joined

    def series(self, table: str, name: str) -> Series | None:
        """One column on the grid; None where nobody measured it."""
        grid = self._grid(table)
        if grid is None:
            return None
        values = self._column(table, name)
        if values is None or np.isnan(values).all():
            return None
        return Series(grid.t, grid.flags, self._joined(table, name, grid, values))

    def spectra(self, table: str, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """A column of lists on the grid: t, flags and values, shape (n, 51); None where nobody measured it."""
        grid = self._grid(table)
        if grid is None:
            return None
        values = self._column(table, name, LIST_LENGTH["orders"])
        if values is None or np.isnan(values).all():
            return None
        return grid.t, grid.flags, self._joined(table, name, grid, values)

    def measured(self, table: str, name: str) -> bool:
        """Whether any part has a value in a column; its values are not brought to the grid."""
        return any(p.has(table, name) for p in self.parts)

    def _column(self, table: str, name: str, length: int = 0) -> np.ndarray | None:
        """The values of all parts, one after the other."""
        if not self.measured(table, name):
            return None
        found = [p.lists(table, name, length) if length else p.floats(table, name) for p in self.parts if p.count(table)]
        return _together(found)

    @staticmethod
    def _joined(table: str, name: str, grid: _Grid, values: np.ndarray) -> np.ndarray:
        """On the grid, shared intervals put together by the rule of the quantity."""
        result: np.ndarray = values if grid.take is None else values[grid.take]
        if grid.weights is None:
            return result
        rule = next((c.rule for c in columns(table) if c.name == name), Rule.NONE)
        n, duration = grid.weights
        for place, rows in grid.shared:
            own = values[rows]
            if rule is Rule.RMS:
                result[place] = np.sqrt(_weighted(own**2, n[rows]))
            elif rule is Rule.MEAN and table != "frequency":
                result[place] = _weighted(own, duration[rows])
            elif rule in (Rule.MIN, Rule.MAX):
                result[place] = own.min(axis=0) if rule is Rule.MIN else own.max(axis=0)
            else:
                result[place] = np.nan
        return result

    def plt(self, phase: str) -> Series | None:
        """Long-term flicker on the grid of two hours: as measured, and where that is missing from twelve Pst of the stitched 10 min."""
        measured, pst = self.series("2h", f"Plt_{phase}"), self.series("10min", f"Pst_{phase}")
        if pst is None:
            return measured
        made = _from_pst(pst)
        if measured is None:
            return made
        t = np.union1d(measured.t, made.t)
        values, flags = np.full(len(t), np.nan), np.zeros(len(t), np.uint32)
        at = np.searchsorted(t, made.t)
        values[at], flags[at] = made.values, made.flags
        known = ~np.isnan(measured.values)
        own = np.searchsorted(t, measured.t[known])
        values[own], flags[own] = measured.values[known], measured.flags[known]
        return Series(t, flags, values)

    def events(self) -> list[dict[str, Any]] | None:
        """The events of all parts, times in ns; those still open know where their recording `ends`. None where nobody looked for them."""
        known = [(p, found) for p in self.parts if (found := p.events) is not None]
        if not known:
            return None
        for part, found in known:
            for event in found:
                if event["duration"] is None and part.span is not None:
                    event["ends"] = part.span[1]
                if event["U_ref"] is None and part.summary is None:
                    event["U_ref"] = self.nominal((*event["phases"], "")[0])
        return sorted((e for _, found in known for e in found), key=lambda e: (e["t"], str(e["type"])))

    def voltages_of(self, events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """All voltages of the place, of the kind that its events name: to neutral, or from line to line."""
        named = {p for e in events for p in e["phases"]}
        names = LINES if named & set(LINES) or (not named and self.wiring == "3P3W") else PHASES
        expected = self.expected(names) | named
        return tuple(p for p in names if p in expected)

    def nominal(self, phase: str) -> float:
        """Nominal voltage of a phase, V: that from line to line is sqrt(3) times that to neutral."""
        nominal = float(self.nominal_voltage or 0)
        return nominal * 3**0.5 if phase in LINES and self.wiring != "3P3W" else nominal

    def without_events(self) -> list[str]:
        """Names of the parts in which events were not looked for, where others have them."""
        return [p.name for p in self.parts if p.summary is not None and p.events is None]

    def ends(self) -> tuple[int, int] | None:
        """Start of the first and end of the last whole interval, ns, of the first table there is: where weeks begin and end."""
        for table in ("10min", "2h", "frequency", "3s"):
            grid = self._grid(table)
            if grid is None:
                continue
            length = LENGTHS.get(table, 3_000_000_000)
            whole = (grid.flags & np.uint32(Flag.INCOMPLETE)) == 0
            first, last = (int(whole.argmax()), len(whole) - 1 - int(whole[::-1].argmax())) if whole.any() else (0, len(grid.t) - 1)
            return int(grid.t[first]), int(grid.t[last]) + length
        return None

    def seen(self, tables: Iterable[str]) -> tuple[int, int] | None:
        """Start of the first and end of the last row of any of the tables, whole or not, ns; None without rows."""
        spans = [p.span for p in self.parts]
        low = min((s[0] for s in spans if s), default=0) if all(spans) else 0
        high = max((s[1] for s in spans if s), default=0) if all(spans) else 0
        found = [ends for table in sorted(set(tables)) if table != "events" and (ends := self._outermost(table)) is not None]
        if not found:
            return None
        # a recording that begins or ends within an interval has a part of it
        start, end = max(min(a for a, _ in found), low), max(b for _, b in found)
        return start, min(end, high) if high > start else end

    def _outermost(self, table: str) -> tuple[int, int] | None:
        """Start of the first row and end of the last; those that are incomplete have something at the inner end, and more is not known."""
        if table not in self._outer:
            starts, ends = [], []
            for part in self.parts:
                t = part.times(table)
                if t is None:
                    continue
                length = LENGTHS.get(table, 3_000_000_000)
                first, last = int(t.argmin()), int(t.argmax())
                cut = part.flags(table)[[first, last]] & np.uint32(Flag.INCOMPLETE) if part.span is None else (0, 0)
                starts.append(int(t[first]) + (length - 1 if cut[0] else 0))
                ends.append(int(t[last]) + (1 if cut[1] else length))
            self._outer[table] = (min(starts), max(ends)) if starts else None
        return self._outer[table]


def _together(found: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays one after the other; a single one as it is."""
    return found[0] if len(found) == 1 else np.concatenate(found)


def _weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean over the first axis by weights."""
    mean: np.ndarray = np.tensordot(weights, values, 1) / weights.sum()
    return mean


def _from_pst(pst: Series) -> Series:
    """Plt of every two hours that has a Pst: the cube root of the mean of the cubes, NaN with fewer than twelve."""
    length = LENGTHS["2h"]
    slot = pst.t // length
    t, inverse = np.unique(slot, return_inverse=True)
    here = ~np.isnan(pst.values)
    count = np.bincount(inverse, here, len(t))
    cubes = np.bincount(inverse, np.where(here, pst.values, 0.0) ** 3, len(t))
    flags = np.zeros(len(t), np.uint32)
    np.bitwise_or.at(flags, inverse, pst.flags)
    return Series(t * length, flags, np.where(count == _PLT, np.cbrt(cubes / _PLT), np.nan))


def _check_grid(t: np.ndarray, table: str, part: Part) -> None:
    """Every interval where it belongs, and of tables from elsewhere once: what was measured begins anew where a clock was set."""
    rising = t if (t[1:] > t[:-1]).all() else np.sort(t)
    same = np.flatnonzero(rising[1:] == rising[:-1])
    if len(same) and part.summary is None:
        raise InputError(f"table {table} has {iso(rising[same[0]])} twice", path=part.name, expected="each interval once")
    off = t % LENGTHS[table] != 0 if table in LENGTHS and part.summary is None else np.zeros(0, bool)
    if off.any():
        grid = f"starts of absolute {LENGTHS[table] // 10**9} s"
        raise InputError(f"table {table} has a row at {iso(t[off.argmax()])}", path=part.name, expected=grid)
