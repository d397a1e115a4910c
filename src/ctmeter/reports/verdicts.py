"""An assessment by EN 50160 on the terminal: the verdict, a table for each week, events, what was not measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .terminal import _print_notes, _print_table, _table, _text
from .units import duration, number
from .wording import MARKS, name_of, verdict_words, week_words, years_beside

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

__all__ = ["print_assessment"]

_UNVERIFIED = "†"
_BAR = 6
#: Weeks shown in full; of more only those that do not pass.
_IN_FULL = 4
_REASONS = 3


def print_assessment(found: Mapping[str, Any], out: Console) -> None:
    """Print what an assessment found.

    Parameters
    ----------
    found : mapping
        `Assessment.to_dict()`.
    out : rich.console.Console
    """
    from rich.text import Text

    site = found["site"]
    name = site["station"] or ", ".join(site["sources"][:3])
    level = "low voltage" if found["level"] == "LV" else "medium voltage"
    own = f", limits of {found['limits']}" if found["limits"] else ""
    out.print(f"[bold]{_text(name)}[/bold]  {_text(found['title'])}, {level}{', island' if found['island'] else ''}{_text(own)}")
    nominal = f"Un {site['nominal_voltage']:g} V, fn {site['nominal_frequency']:g} Hz"
    share = found["coverage"]["share"]
    covered = "" if share is None else f", {share:.4g} % of the intervals valid"
    out.print(f"{found['start']} to {found['end']}, {site['wiring']}, {nominal}{covered}")
    out.print(Text.assemble("\n", _mark(found["verdict"], bold=True)))
    weeks = found["weeks"]
    shown = weeks if len(weeks) <= _IN_FULL else [w for w in weeks if w["verdict"] != "pass"][:_IN_FULL]
    if len(weeks) > 1:
        _print_table(out, _overview(weeks))
    for week in shown:
        _print_week(week, out, several=len(weeks) > 1)
    for year in years_beside(found):
        _print_rows(year["parameters"], out, f"[bold]all {year['start'][:10]} to {year['end'][:10]}[/bold]")
    _print_events(found, out)
    _print_left(found, out)


def _mark(verdict: str, words: str = "", *, bold: bool = False) -> Text:
    from rich.text import Text

    symbol, large, colour = MARKS[verdict]
    return Text(f"{symbol} {large if bold else words or large.lower()}", style=f"bold {colour}" if bold else colour)


def _overview(weeks: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("week", "valid", "flagged", "missing", "verdict")
    for week in weeks:
        c = week["coverage"]
        cells = ("–" if c[k] is None else str(c[k]) for k in ("valid", "flagged", "missing"))
        table.add_row(week["start"][:16] + (" (rest)" if week["rest"] else ""), *cells, _mark(week["verdict"]))
    return table


def _print_week(week: Mapping[str, Any], out: Console, *, several: bool) -> None:
    from rich.text import Text

    head = f"[bold]{week_words(week)}[/bold]" if several else ""
    _print_rows(_chosen(week["parameters"]), out, head)
    closest = week["closest_order"]
    if closest:
        out.print(f"harmonic closest to its limit: order {closest['order']} of {closest['phase']}, {100 * closest['reached']:.0f} % of it")
    if week["verdict"] == "fail":
        for reason in week["reasons"]:
            out.print(Text.assemble(("✘ ", "red"), reason))


def _chosen(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All rows but the harmonics that neither fail nor come closest to their limit on their phase."""
    rows = list(rows)
    best: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["order"] is not None and (row["phase"] not in best or _reach(row) > _reach(best[row["phase"]])):
            best[row["phase"]] = row
    return [r for r in rows if r["order"] is None or r["verdict"] == "fail" or best.get(r["phase"]) is r]


def _reach(row: Mapping[str, Any]) -> float:
    return max((limit["reached"] or 0.0 for limit in (row["limit"], row["limit_always"]) if limit), default=0.0)


def _print_rows(rows: Sequence[Mapping[str, Any]], out: Console, head: str) -> None:
    if not rows:
        return
    if head:
        out.print(head)
    table = _table("", "limit", "N", "N1", "N2", "invalid", "min", "95 %", "max", "of limit", "verdict")
    table.columns[-1].justify = "left"
    for row in rows:
        table.add_row(*_cells(row))
    _print_table(out, table)


def _cells(row: Mapping[str, Any]) -> list[Any]:
    from rich.text import Text

    whole = name_of(row) if row["order"] is None or row["N"] else f"{name_of({**row, 'order': None})}s"
    name = f"{whole} {row['phase'] or ''}".strip()
    counts = ["–" if row[k] is None else str(row[k]) for k in ("N", "N1", "N2", "N_invalid")]
    values = ["–" if v is None else number(v, 4) for v in (row["min"], row["percentiles"]["95"], row["max"])]
    reach = _reach(row)
    bar = Text("–")
    if row["N"] and row["quantity"] != "rvc":
        bar = Text(f"{'█' * min(round(reach * _BAR), _BAR):░<{_BAR}} {100 * reach:3.0f} %", style="red" if reach > 1 + 1e-6 else "")
    mark = _mark(row["verdict"], verdict_words(row))
    limit = "by order" if row["order"] is not None and not row["N"] else _limit(row)
    return [_text(name), limit, *counts, *values, bar, mark]


def _limit(row: Mapping[str, Any]) -> str:
    texts = []
    for limit in (row["limit"], row["limit_always"]):
        if limit is None:
            continue
        unit = " %" if limit["of"] != "1" or row["unit"] == "%" else f" {row['unit']}" if row["unit"] != "1" else ""
        low, high = limit["low"], limit["high"]
        if low is not None and high is not None:
            text = f"±{high:g}{unit}" if low == -high else f"{low:+g}/{high:+g}{unit}"
        else:
            text = f"≥{low:g}{unit}" if high is None else f"≤{round(high, 3):g}{unit}"
        texts.append(text + ("" if limit["verified"] else _UNVERIFIED))
    return " ".join(texts)


def _print_events(found: Mapping[str, Any], out: Console) -> None:
    if found["dips"] is None:
        return
    stops = found["interruptions"]
    total = {k: sum(found[k].values()) + found["outside"][k[:-1]] for k in ("dips", "swells")}
    line = f"dips {total['dips']}, swells {total['swells']}, interruptions {stops['count']}"
    if stops["count"]:
        limit = duration(stops["short_up_to_s"])
        line += f" ({stops['short']} short, to {limit}; {stops['long']} long" + (f"; {stops['open']} still open)" if stops["open"] else ")")
    out.print(f"\n{line}")
    for kind, heads in (
        ("dips", ("residual voltage", "≤ 200 ms", "≤ 500 ms", "≤ 1 s", "≤ 5 s", "≤ 60 s")),
        ("swells", ("highest voltage", "≤ 500 ms", "≤ 5 s", "≤ 60 s")),
    ):
        if total[kind]:
            _print_table(out, _matrix(found[kind], heads))
            outside = found["outside"][kind[:-1]]
            if outside:
                out.print(f"{outside} {kind} outside the table: longer, still open, or shorter than its first column")


def _matrix(cells: Mapping[str, int], heads: Sequence[str]) -> Table:
    rows: dict[str, list[str]] = {}
    for name, n in cells.items():
        rows.setdefault(name.rstrip("0123456789"), []).append(f"{name} {n}" if n else "·")
    width = max(map(len, rows.values()))
    table = _table(*(heads if len(heads) == width + 1 else ("", *(str(k) for k in range(1, width + 1)))))
    for row, counts in rows.items():
        table.add_row(row, *counts)
    return table


def _print_left(found: Mapping[str, Any], out: Console) -> None:
    notes = [f"not measured: {left['what']} ({left['why']})" for left in found["not_measured"]]
    if found["weeks"] and not any(w["verdict"] != "insufficient-data" for w in found["weeks"]):
        reasons = found["weeks"][0]["reasons"]
        notes += reasons[:_REASONS]
        if len(reasons) > _REASONS:
            notes.append(f"and {len(reasons) - _REASONS} more such (--json)")
    notes += found["notes"]
    used = {r["quantity"] for w in found["weeks"] for r in w["parameters"]}
    unverified = [n for n in found["unverified"] if n in used or n == "valid_share" or (n.startswith("events.") and found["dips"] is not None)]
    if unverified:
        notes.append(f"{_UNVERIFIED} numbers not checked against a source: {', '.join(unverified)}")
    _print_notes(out, notes)
