"""The page of a batch: the fleet as a table, its weeks as a map, the worst events, what failed and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .blocks import Block, Facts, Row, Section, Sign, Table, Words, drawn
from .charts.heat import Heat, behind, clipped
from .page import render
from .units import duration, number, si

__all__ = ["fleet_page"]

#: Shown of each list; the rest is counted, and stands in the data set.
_SITES, _MAPPED, _EVENTS, _REASONS, _PATHS, _WEEKS = 100, 40, 20, 20, 5, 53
_VERDICTS = {"fail": "fail", "insufficient-data": "not enough data", "pass": "pass", "not-assessed": "not assessed"}
_WORST = {name: k for k, name in enumerate(_VERDICTS)}


def fleet_page(summary: Mapping[str, Any]) -> str:
    """The page as one HTML text that needs nothing else.

    Parameters
    ----------
    summary : mapping
        As `summary.json` has it.

    Raises
    ------
    SettingsError
        jinja2 is not installed.
    """
    sites = sorted(summary["sites"], key=_badness)
    parts = [_overview(summary), _fleet(sites), _weeks(sites), _events(summary), _failures(summary)]
    title = "Batch of recordings"
    lines = [f"{_count(summary['done'], 'recording')} measured, {summary['failed']} failed, {summary['skipped']} skipped"]
    return render(title, lines, [p for p in parts if p is not None], summary["program"])


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _badness(site: Mapping[str, Any]) -> tuple[Any, ...]:
    """Fails first, then the least covered."""
    return _WORST.get(site["verdict"], 9), site["coverage"] if site["coverage"] is not None else 101.0, _name(site)


def _name(site: Mapping[str, Any], most: int = 1000) -> str:
    return behind(*_names(site), most)


def _names(site: Mapping[str, Any]) -> tuple[str, str]:
    """The name of the site, and those of device and point."""
    return site["site"] or "(no name)", " · ".join(p for p in (site["device"], site["point"]) if p)


def _rest(shown: int, all_: int, what: str, where: str = "summary.json") -> list[Block]:
    """How many more there are, and where they stand."""
    return [Words([f"{all_ - shown} more {what} are not shown here; they stand in {where}."], note=True)] if all_ > shown else []


def _share(value: float | None) -> str:
    return "–" if value is None else f"{number(value, 4)} %" if value < 99.995 else "100 %"


def _overview(summary: Mapping[str, Any]) -> Section:
    sites = summary["sites"]
    verdicts = Counter(s["verdict"] for s in sites)
    rows: list[tuple[str, str | Sign | Sequence[str]]] = [
        (
            "Recordings",
            f"{summary['done']} measured, {summary['failed']} failed, {summary['skipped']} skipped, {len(summary['quarantined'])} set aside",
        ),
        ("Sites", f"{len({s['site'] for s in sites})}, with {_count(len(sites), 'measuring point')}"),
        ("Recorded", duration(sum(s["covered_s"] for s in sites)) if sites else "–"),
        ("Energy", f"{si(_total(sites, 'A+'), 'Wh')} import, {si(_total(sites, 'A-'), 'Wh')} export"),
        ("EN 50160", [f"{verdicts[name]} {words}" for name, words in _VERDICTS.items() if verdicts[name]] or "–"),
    ]
    if summary["seconds"]:
        speed = "" if not summary["x_real_time"] else f", {number(summary['x_real_time'], 4)} times real time"
        rows.append(("Time taken", f"{duration(summary['seconds'])}{speed}"))
    blocks: list[Block] = [Facts(rows)]
    if summary["warnings"]:
        blocks += [Words(summary["warnings"][:_REASONS], listed=True), *_rest(_REASONS, len(summary["warnings"]), "warnings")]
    return Section("overview", "Overview", blocks)


def _total(sites: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [s["energy"][key] for s in sites if s["energy"].get(key) is not None]
    return sum(values) if values else None


def _fleet(sites: Sequence[Mapping[str, Any]]) -> Section:
    head = ("site", "device", "verdict", "recordings", "coverage", "import", "export", "U min", "U max", "events")
    rows: list[Row] = [
        (
            clipped(_names(s)[0], 48),
            clipped(_names(s)[1] or "–", 40),
            Sign(s["verdict"] if s["verdict"] != "not-assessed" else None, _VERDICTS.get(s["verdict"], "–")),
            str(s["recordings"]),
            _share(s["coverage"]),
            si(s["energy"].get("A+"), "Wh", 4),
            si(s["energy"].get("A-"), "Wh", 4),
            si(s["U_min"], "V", 4),
            si(s["U_max"], "V", 4),
            str(sum(s["events"].values())),
        )
        for s in sites[:_SITES]
    ]
    blocks: list[Block] = [Table(head, rows, "Sites, the worst verdicts and the least covered first", named=3, dense=True)]
    blocks += _rest(_SITES, len(sites), "measuring points")
    why = Counter(s["why"] for s in sites if s["verdict"] == "not-assessed" and s["why"])
    if why:
        told = [(clipped(words, 160), str(n)) for words, n in why.most_common(_REASONS)]
        blocks.append(Table(("not assessed by EN 50160, because", "points"), told, "", named=1))
    return Section("fleet", "Fleet", blocks if sites else [Words(["Nothing was measured."])])


def _weeks(sites: Sequence[Mapping[str, Any]]) -> Section | None:
    weeks = sorted({w["week"] for s in sites for w in s["weeks"]})[-_WEEKS:]
    timed = [s for s in sites if s["weeks"]]
    if not weeks:
        return None
    shown = timed[:_MAPPED]
    shares, verdicts = np.zeros((len(shown), len(weeks))), [[None] * len(weeks) for _ in shown]
    place = {week: k for k, week in enumerate(weeks)}
    for i, site in enumerate(shown):
        for w in site["weeks"]:
            if w["week"] in place:
                shares[i, place[w["week"]]] = (w["coverage"] or 0.0) / 100
                verdicts[i][place[w["week"]]] = w["verdict"]
    table = Table(
        ("site", "weeks", "covered", "pass", "fail", "not enough data"),
        [_week_row(s) for s in shown],
        "The map in numbers",
        folded=True,
        paper=True,
    )
    alt = f"{_count(len(shown), 'measuring point')} by week: how much of each week was recorded, and the verdict by EN 50160"
    chart = Heat(alt, [_names(s) for s in shown], weeks, shares, verdicts)
    caption = "Weeks of the calendar, UTC. Shade: how much was recorded; sign: EN 50160, of the week that lies mostly in it."
    blocks: list[Block] = [drawn(chart.draw, caption, table), *_rest(_MAPPED, len(timed), "measuring points")]
    return Section("weeks", "Sites by week", blocks)


def _week_row(site: Mapping[str, Any]) -> Row:
    found = Counter(w["verdict"] for w in site["weeks"])
    covered = sum(w["coverage"] or 0.0 for w in site["weeks"]) / len(site["weeks"])
    return (_name(site), str(len(site["weeks"])), _share(covered), *(str(found[v]) for v in ("pass", "fail", "insufficient-data")))


def _events(summary: Mapping[str, Any]) -> Section:
    events = summary["worst_events"]
    if not events:
        return Section("events", "Worst events", [Words(["No dip, swell or interruption was found."])])
    rows: list[Row] = [
        (
            _name(e, 60),
            e["t"][:19].replace("T", " "),
            e["type"],
            ", ".join(e["phases"]),
            "open" if e["duration"] is None else duration(e["duration"]),
            si(e["U"], "V", 4),
            "–" if e["share"] is None else f"{100 * e['share']:.1f} %",
        )
        for e in events[:_EVENTS]
    ]
    head = ("site", "time, UTC", "event", "phases", "duration", "voltage", "of reference")
    caption = "By how much voltage was lost or too much, times how long"
    total = sum(sum(s["events"].get(k, 0) for k in ("dip", "swell", "interruption")) for s in summary["sites"])
    return Section(
        "events",
        "Worst events",
        [Table(head, rows, caption, named=4), *_rest(len(rows), total, "dips, swells and interruptions", "the table events of the data set")],
    )


def _failures(summary: Mapping[str, Any]) -> Section | None:
    failures = summary["failures"]
    if not failures:
        return None
    by_reason: dict[str, list[str]] = {}
    for f in failures:
        by_reason.setdefault(_without(f["reason"], f["path"]), []).append(f["path"])
    ordered = sorted(by_reason.items(), key=lambda x: (-len(x[1]), x[0]))
    rows: list[Row] = []
    for reason, paths in ordered[:_REASONS]:
        more = [f"and {len(paths) - _PATHS} more"] if len(paths) > _PATHS else []
        rows.append((clipped(reason, 200), [*(clipped(p, 80) for p in paths[:_PATHS]), *more], str(len(paths))))
    blocks: list[Block] = [Table(("reason", "recordings", "number"), rows, named=2), *_rest(_REASONS, len(ordered), "reasons")]
    return Section("failures", "Failures by reason", blocks)


def _without(reason: str, path: str) -> str:
    """A reason without the path that it begins with, so that the same ones come together."""
    head, found, rest = reason.partition(": ")
    return rest if found and head and (head.endswith(path) or path.endswith(head)) else reason
