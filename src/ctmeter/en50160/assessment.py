"""Tables and events of a site against the limits of an edition: counts, percentiles, verdicts.

References
----------
EN 50160:2010
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, SettingsError
from ..measurements import iso
from ..quantity import PHASES
from .events import aggregated, classify, interruptions, tabulate
from .limits import Limits, Parameter, load_limits
from .parts import open_parts
from .place import end_of
from .series import WORDS, Measured, is_variation, left_out, measured
from .sources import Site
from .statistics import Counted, Reference, Window, beyond, count, describe, judge
from .windows import GRID, WEEK, Span, lay_weeks, lay_years

__all__ = ["Assessment", "assess"]

PASS, FAIL, INSUFFICIENT = "pass", "fail", "insufficient-data"
#: Reason of a row without a single value.
NOT_MEASURED = "not measured"
_EVENTS = {"what": "dips, swells, interruptions", "quantity": None}


@dataclass(frozen=True)
class Assessment:
    """What an assessment found; `to_dict` is what `ctmeter en50160 --json` prints.

    Parameters
    ----------
    limits : Limits
        What it was measured by.
    data : dict
        Plain values.
    events : list of dict
        The events of the place, each with its cell and its positions on the tolerance curves; times as ISO text.
    """

    limits: Limits
    data: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def verdict(self) -> str:
        """Verdict of the whole: "pass", "fail" or "insufficient-data"."""
        return str(self.data["verdict"])

    @property
    def weeks(self) -> list[dict[str, Any]]:
        """The windows of observation."""
        weeks: list[dict[str, Any]] = self.data["weeks"]
        return weeks

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return self.data


def assess(
    results: Any,
    edition: str | None = None,
    level: str = "LV",
    limits: Limits | str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    island: bool = False,
    only: Iterable[str] | None = None,
    start: str | None = None,
    sliding: bool = False,
    step: float = 24.0,
    nominal_voltage: float | None = None,
    nominal_frequency: float | None = None,
    wiring: str | None = None,
    signalling_frequency: float | None = None,
) -> Assessment:
    """Judge measured tables by EN 50160.

    Parameters
    ----------
    results : Result, path, mapping of str to pyarrow.Table, or a list of them
        Results of one site that follow each other, directories of such, or tables from elsewhere by name ("10min", "2h", "frequency",
        "3s", "events"; see `read_table`).
    edition : str, optional
        "2010" (default), "2022" or "1999".
    level : {"LV", "MV"}
    limits : path, mapping or Limits, optional
        Limits that replace or extend the edition's.
    island : bool
        Whether the network has no synchronous connection to an interconnected system.
    only : iterable of str, optional
        Names of the parameters to judge; the others are named as not judged.
    start : str, optional
        ISO time at which the first week begins, UTC without a zone; by default the first interval that is whole.
    sliding : bool
        Windows of a week that begin every `step` hours, instead of weeks that follow each other.
    step : float
        Hours, a multiple of ten minutes.
    nominal_voltage, nominal_frequency, wiring, signalling_frequency : optional
        V (phase-to-neutral; 3P3W: line-to-line), Hz, "3P4W", "3P3W" or "1P2W", Hz; those of the results where not given.

    Returns
    -------
    Assessment

    Raises
    ------
    InputError
        Nothing to assess; results of different sites, or that overlap; tables with an interval twice.
    SettingsError
        Faulty limits or arguments; no nominal voltage or frequency.
    StoreError
        A directory without a result.

    Notes
    -----
    A period of which too little is valid is never a pass. It is a fail only where it is one whatever the missing values are.
    """
    found = limits if isinstance(limits, Limits) else load_limits(edition, level, limits, island=island)
    given = {
        "nominal_voltage": nominal_voltage, "nominal_frequency": nominal_frequency, "wiring": wiring, "signalling_frequency": signalling_frequency,
    }  # fmt: skip
    wanted = _wanted(found, only, step)
    site = Site(open_parts(results), given)
    work = _Work(site, found, wanted, _start(start), sliding, round(step * 3.6e12))
    return Assessment(found, work.run(), [_shown(e) for e in work.events or []])


def _shown(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event with its time as text."""
    return {**{k: v for k, v in event.items() if k != "ends"}, "t": iso(event["t"])}


def _wanted(limits: Limits, only: Iterable[str] | None, step: float) -> tuple[str, ...]:
    names = tuple(limits.parameters) if only is None else tuple(dict.fromkeys(only))
    faults = [f"only: {n} is not judged, expected of {', '.join(limits.parameters)}" for n in names if n not in limits.parameters]
    nanoseconds = step * 3.6e12
    if not 0 < nanoseconds <= WEEK or round(nanoseconds) % GRID:
        faults.append(f"step: {step!r} h is not a multiple of ten minutes up to a week")
    if faults:
        raise SettingsError(faults)
    return names


def _start(start: str | None) -> int | None:
    if start is None:
        return None
    try:
        time = dt.datetime.fromisoformat(start.strip())
    except ValueError:
        raise SettingsError(f"start: {start!r} is not a time such as 2026-03-02T00:00:00Z") from None
    since = (time if time.tzinfo else time.replace(tzinfo=dt.UTC)) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    ns = since // dt.timedelta(microseconds=1) * 1000
    if ns % GRID:
        raise SettingsError(f"start: {start} is not on the grid of ten minutes")
    return ns


class _Work:
    """One run of an assessment."""

    def __init__(self, site: Site, limits: Limits, wanted: Sequence[str], start: int | None, sliding: bool, step: int) -> None:
        self.site, self.limits, self.wanted = site, limits, wanted
        ends = site.ends()
        if ends is None:
            raise InputError("no table with intervals", path=site.parts[0].name, expected="rows of 10min, 2h, frequency or 3s")
        judged = [p for name in wanted if (p := limits.parameters[name]).quantity != "MSV" or site.signalling_frequency]
        # intervals that are flagged are evidence too, so the table that weeks begin with is one of them
        self.seen = self._seen(ends, {p.table for p in judged}, start)
        first = ends[0] // GRID * GRID if start is None else start
        if first >= self.seen.end:
            raise SettingsError(f"start: nothing was measured after {iso(first)}")
        found = site.events()
        self.events: list[dict[str, Any]] | None = None
        if found is not None:
            self.events = [e for e in classify(found, limits.events, site.voltages_of(found)) if start is None or end_of(e, start + 1) > start]
        self._all = [e for e in found or [] if start is None or e["t"] >= start]
        self.sliding = sliding
        self.windows = lay_weeks(first, ends[1], step if sliding else WEEK, sliding, self.seen, [e["t"] for e in self._all])
        yearly = self._seen(ends, {p.table for p in judged if p.period == "year"}, start)
        self.years = lay_years(min(yearly.start, first), max(self.seen.end, first + WEEK))
        self.rows: list[list[dict[str, Any]]] = [[] for _ in self.windows]
        self.year_rows: list[list[dict[str, Any]]] = [[] for _ in self.years]
        self.coverage: list[Counted | None] = [None] * len(self.windows)
        self.not_measured: list[dict[str, Any]] = []

    def _seen(self, ends: tuple[int, int], tables: set[str], start: int | None) -> Span:
        """From the first to the last row, whole or not; a start that was given leaves out what is before it."""
        first, last = self.site.seen(tables) or ends
        return Span(first if start is None else max(first, start), max(last, ends[1]))

    def run(self) -> dict[str, Any]:
        """Judge everything."""
        for name in self.limits.parameters:
            if name in self.wanted:
                self._parameter(self.limits.parameters[name])
            else:
                self.not_measured.append(_left(name, "not asked for"))
        if self.events is None:
            self.not_measured.append({**_EVENTS, "why": "no events among the tables, or no nominal voltage"})
        elif names := self.site.without_events():
            self.not_measured.append({**_EVENTS, "why": f"not looked for in {', '.join(names)}"})
        for threshold in sorted({p.summary["settings"].get("interruption") or 0.0 for p in self.site.parts if p.summary}):
            if 0 < 100 * threshold < self.limits.events.interruption - 1e-9 and self.events is not None:
                below = f"interruptions were looked for below {100 * threshold:g} %, the edition has {self.limits.events.interruption:g} %"
                self.site.notes.append(f"{below}: those between count as dips")
        return self._summed_up()

    # --- parameters ---

    def _parameter(self, parameter: Parameter) -> None:
        if parameter.quantity == "rvc":
            self._rapid_changes(parameter)
            return
        if parameter.quantity == "MSV" and not self.site.signalling_frequency:
            self.not_measured.append(_left("MSV", "no signalling frequency"))
            return
        columns: list[tuple[str | None, int | None, bool]] = []
        for column in measured(self.site, self.limits, parameter, self.events or ()):
            columns.append((column.phase, column.order, column.empty))
            self._doubt(column)
            for window, rows in zip(self.windows, self.rows, strict=True):
                rows.append(self._judged(column, window))
            if parameter.period == "year":
                for year, rows in zip(self.years, self.year_rows, strict=True):
                    rows.append(self._judged(column, year))
            if column.length == GRID and self.coverage[0] is None and not column.empty:
                self.coverage = [count(column.t, column.bad, column.values, w, GRID) for w in self.windows]
        phases = {phase for phase, _, empty in columns if not empty}
        long = [e for e in self.events or () if parameter.variation_after is not None and is_variation(e, parameter.variation_after)]
        if phases and long:
            after = f"{parameter.variation_after:g} s"
            self.site.notes.append(f"{len(long)} dips or swells longer than {after} are variations of the voltage: their intervals count")
        if self.limits.level == "MV" and phases & set(PHASES):
            what = WORDS.get(parameter.quantity, parameter.quantity)
            self.site.notes.append(f"{what}: of the voltages to neutral, those from line to line are not there")
        if not columns or any(empty for _, _, empty in columns):
            self.not_measured += left_out(self.site, parameter, columns)

    def _doubt(self, column: Measured) -> None:
        """Refuse voltages and frequencies from elsewhere that cannot be in the unit they seem to be in."""
        if not column.reference.around or all(p.summary for p in self.site.parts):
            return
        good = column.values[~column.bad & ~np.isnan(column.values)]
        if not len(good):
            return
        middle = float(np.median(good, overwrite_input=True))
        # nearer than sqrt(3), so that voltages from line to line are not taken for those to neutral
        if not 0.6 <= middle / column.reference.base <= 1.6:
            name = f"{column.parameter.quantity}_{column.phase}" if column.phase else column.parameter.quantity
            raise InputError(
                f"{name} is {middle:.4g} in the middle, and {column.reference.base:.4g} {column.unit} nominal",
                path=next(p.name for p in self.site.parts if p.summary is None),
                expected="values near nominal: another unit, or nominal value (--un)?",
            )

    def _judged(self, column: Measured, window: Window) -> dict[str, Any]:
        parameter = column.parameter
        counted = count(column.t, column.bad, column.values, window, column.length)
        row = {
            "quantity": parameter.quantity,
            "phase": column.phase,
            "order": column.order,
            "unit": column.unit,
            "table": parameter.table,
            "period": parameter.period,
            "indicative": parameter.indicative,
            **judge(counted, parameter, column.limits, column.reference, self.limits.valid_share),
        }
        if parameter.period == "day":
            self._by_day(row, column, window)
        if parameter.period == "year":
            row["reason"] += f"; observed {row['N'] * (column.length or 0) / 86400e9:.3g} days of a year"
        if column.least_order is not None and row["verdict"] == PASS:
            row["verdict"] = INSUFFICIENT
            row["reason"] = f"made of orders up to {column.least_order}, {parameter.orders} needed"
        if column.empty:
            row["reason"] = NOT_MEASURED
        return row

    def _by_day(self, row: dict[str, Any], column: Measured, window: Window) -> None:
        """The verdict of a week from its days."""
        days = []
        for day in window.days():
            counted = count(column.t, column.bad, column.values, day, column.length)
            judged = judge(counted, column.parameter, column.limits, column.reference, self.limits.valid_share)
            days.append({"start": iso(day.start), **{k: judged[k] for k in ("N", "N1", "N2", "N_invalid", "coverage", "verdict", "reason")}})
        row["days"] = days
        verdicts = [d["verdict"] for d in days]
        row["verdict"] = _combined(verdicts)
        worst = next((d for d in days if d["verdict"] == row["verdict"]), days[0])
        row["reason"] = f"{verdicts.count(PASS)} of {len(days)} days pass; {worst['start'][:10]}: {worst['reason']}"

    def _rapid_changes(self, parameter: Parameter) -> None:
        """Rapid voltage changes are counted, never shares of intervals; their limits say what is usual."""
        looked_for = [p.summary["settings"].get("rvc") for p in self.site.parts if p.summary]
        if self.events is None or (looked_for and None in looked_for):
            self.not_measured.append(_left("rvc", "events were not looked for"))
            return
        usual, most = (sorted(parameter.limits, key=lambda limit: limit.share)[k] for k in (0, -1))
        lowest = min((s for s in looked_for if s), default=None)
        if lowest is not None and usual.high is not None and 100 * lowest > usual.high + 1e-9:
            self.site.notes.append(f"rapid voltage changes were looked for from {100 * lowest:g} % on, the usual ones go to {usual.high:g} %")
        changes = [e for e in self._all if e["type"] == "rvc" and e.get("dU_max") is not None and e.get("U_ref")]
        t = np.array([e["t"] for e in changes], np.int64)
        values = np.array([100 * e["dU_max"] / e["U_ref"] for e in changes])
        for k, rows in enumerate(self.rows):
            window = self.windows[k]
            here = (t >= window.start) & (t < window.end)
            seen = Counted(values[here], t[here], 0, 0)
            row = {
                "quantity": "rvc", "phase": None, "order": None, "unit": "%", "table": "events", "period": "week", "indicative": True,
                **judge(seen, parameter, (None, most), Reference(), 0.0),
            }  # fmt: skip
            bounds = Reference().bounds(usual)
            row["limit"] = describe(usual, bounds, parameter, seen.valid, Reference()) | {"share": None, "reached": None}
            row["N1"] = int(beyond(seen.valid, bounds).sum())
            row["coverage"] = None
            covered = self._observed(window)
            if row["verdict"] != FAIL:
                enough = covered >= self.limits.valid_share
                row["verdict"] = PASS if enough else INSUFFICIENT
                row["reason"] = f"{row['N']} changes, {row['N1']} of them unusual" + ("" if enough else f", in {covered:.3g} % of the week")
            rows.append(row)

    def _observed(self, window: Window) -> float:
        """% of a window between the first and the last row."""
        return 100 * self.seen.within(window) / (window.end - window.start)

    # --- the whole ---

    def _summed_up(self) -> dict[str, Any]:
        listed = [k for k in range(len(self.windows)) if self._listed(k)]
        several = len(listed) > 1
        weeks = [self._week(k, several) for k in listed]
        years = [
            {"start": iso(w.start), "end": iso(w.end), "verdict": _combined([r["verdict"] for r in rows]) if rows else None, "parameters": rows}
            for w, rows in zip(self.years, self.year_rows, strict=True)
        ]
        counted = [w["verdict"] for w in weeks if not (w["partial"] and several and w["verdict"] == INSUFFICIENT)]
        times = [(e["t"], end_of(e, e["t"])) for e in self.events or ()]
        verdicts = [*(counted or [INSUFFICIENT]), *(y["verdict"] for y in years if y["verdict"])]
        dips, swells, outside = tabulate(aggregated(self.events or [], self.limits.events.aggregation), self.limits.events)
        counting = aggregated(self.events or [], self.limits.events.aggregation)
        known = self.events is not None
        return {
            "verdict": _combined(verdicts),
            "edition": self.limits.edition,
            "level": self.limits.level,
            "title": self.limits.title,
            "island": self.limits.island,
            "limits": self.limits.user,
            "unverified": list(self.limits.unverified),
            "site": self._described(),
            "start": iso(min([self.seen.start, *(t for t, _ in times)])),
            "end": iso(max([self.seen.end, *(t for _, t in times)])),
            "weeks": weeks,
            "years": [y for y in years if y["parameters"]],
            "dips": dips if known else None,
            "swells": swells if known else None,
            "outside": outside if known else None,
            "interruptions": interruptions(counting, self.limits.events) if known else None,
            "aggregation_s": self.limits.events.aggregation,
            "coverage": _coverage([w["coverage"] for k, w in zip(listed, weeks, strict=True) if not self.windows[k].rest]),
            "not_measured": self.not_measured,
            "notes": self.site.notes,
        }

    def _listed(self, k: int) -> bool:
        """Whether a window is listed: a rest only where it fails, or is as long as an interval and no window that slides has it."""
        window = self.windows[k]
        fails = any(row["verdict"] == FAIL for row in self.rows[k])
        return fails or not window.rest or (not self.sliding and self.seen.within(window) >= GRID)

    def _week(self, k: int, several: bool) -> dict[str, Any]:
        window, rows = self.windows[k], self.rows[k]
        # of a parameter that has rows, phases or orders may be missing; one that has none is missing where it is required
        seen = {r["quantity"] for r in rows if not r["indicative"]}
        missing = [left for left in self.not_measured if self._lacked(left, seen)]
        deciding = [r for r in rows if not r["indicative"] and not (several and r["period"] == "year" and not r["N2"])]
        verdicts = [r["verdict"] for r in deciding]
        verdict = _combined([*verdicts, *([INSUFFICIENT] if missing or not verdicts else [])])
        reasons = [f"{_label(r)}: {r['reason']}" for r in deciding if r["verdict"] == verdict != PASS and r["reason"] != NOT_MEASURED]
        reasons += [f"{left['what']} {NOT_MEASURED}" for left in missing if verdict == INSUFFICIENT]
        return {
            "start": iso(window.start),
            "end": iso(window.end),
            "verdict": verdict,
            "rest": window.rest,
            "partial": self._observed(window) < self.limits.valid_share,
            "reasons": reasons,
            "coverage": _described(self.coverage[k], window),
            "closest_order": _closest(rows),
            "parameters": rows,
        }

    def _lacked(self, left: Mapping[str, Any], seen: Collection[str]) -> bool:
        """Whether what was not measured is in the way of a pass."""
        name = left["quantity"]
        if name is None or name not in self.wanted or (name == "u2" and self.site.wiring == "1P2W"):
            return False
        return name in seen or name in self.limits.required

    def _described(self) -> dict[str, Any]:
        first = next((p.summary for p in self.site.parts if p.summary), None)
        metadata = (first or {}).get("recording", {}).get("metadata", {})
        return {
            "station": metadata.get("station") or None,
            "device": metadata.get("device") or None,
            "sources": [p.name for p in self.site.parts],
            "wiring": self.site.wiring,
            "nominal_voltage": self.site.nominal_voltage,
            "nominal_frequency": self.site.nominal_frequency,
            "signalling_frequency": self.site.signalling_frequency,
            "side": (first or {}).get("sides", {}).get("U"),
        }


def _left(name: str, why: str) -> dict[str, Any]:
    return {"what": WORDS.get(name, name), "quantity": name, "why": why}


def _combined(verdicts: Sequence[str]) -> str:
    """Fail if any fails; pass only if all do."""
    if FAIL in verdicts:
        return FAIL
    return PASS if verdicts and all(v == PASS for v in verdicts) else INSUFFICIENT


def _label(row: Mapping[str, Any]) -> str:
    parts = [WORDS.get(row["quantity"], row["quantity"])]
    parts += [f"order {row['order']}"] if row["order"] is not None else []
    parts += [row["phase"]] if row["phase"] else []
    return " ".join(parts)


def _closest(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The harmonic that comes closest to its limit, or exceeds it most."""
    reach: Callable[[Mapping[str, Any]], float] = lambda r: (r["limit"] or {}).get("reached") or 0.0  # noqa: E731
    ordered = [r for r in rows if r["order"] is not None and (r["limit"] or {}).get("reached") is not None]
    if not ordered:
        return None
    worst = max(ordered, key=reach)
    return {"quantity": worst["quantity"], "phase": worst["phase"], "order": worst["order"], "reached": reach(worst)}


def _described(counted: Counted | None, window: Window) -> dict[str, Any]:
    """Coverage of a window, in intervals of ten minutes."""
    if counted is None:
        return {"expected": round(window.seconds / 600), "valid": None, "flagged": None, "missing": None, "share": None}
    counts = {"valid": len(counted.valid), "flagged": counted.flagged, "missing": counted.missing}
    return {"expected": counted.expected, **counts, "share": round(counted.share, 4)}


def _coverage(weeks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    known = [w for w in weeks if w["valid"] is not None]
    total = {k: sum(w[k] for w in known) for k in ("expected", "valid", "flagged", "missing")}
    return {**total, "share": round(100 * total["valid"] / total["expected"], 4) if total["expected"] else None}
