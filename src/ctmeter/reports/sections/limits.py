"""Every parameter against its limit: as bars, and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..blocks import Block, Heading, Row, Section, Sign, Table, Words, drawn
from ..charts.bars import Bar, against_limits
from ..material import Material, when
from ..units import number
from ..wording import name_of, verdict_words, week_words
from .assessed import limit_words, one_per_phase, parameters, reached, unit_of, weeks, years

__all__ = ["summary", "table"]


def _nothing(material: Material) -> Words:
    reasons = "; ".join(material.unassessed) or "no assessment was made"
    return Words([f"There is nothing to compare with limits: {reasons}."])


def summary(material: Material) -> Section:
    """Bars of each week: how much of its limit each parameter reaches."""
    blocks: list[Block] = []
    for k, week in enumerate(weeks(material)):
        found = one_per_phase(week.get("parameters", ()))
        bars = [_bar(p) for p in found if p.get("quantity") != "rvc"]
        if not bars:
            continue
        if len(weeks(material)) > 1:
            blocks.append(Heading(f"{_title(week)} UTC", f"summary-{k + 1}"))
        rows: list[Row] = [[b.label, _percent(b.share), _percent(b.extreme), Sign(b.verdict, verdict_words({"verdict": b.verdict}))] for b in bars]
        folded = Table(["parameter", "share limit reached", "limit for all reached", "verdict"], rows, "The bars as a table", folded=True)
        alt = "Parameters against their limits: " + "; ".join(f"{b.label} {_percent(b.share)} of its limit, {b.verdict}" for b in bars)
        text = (
            "Wide bars: what 95 % (frequency 99.5 %, or as the limit says) of the values reach of their limit. Thin bars: what the largest "
            "reaches of the limit for all values, where there is one. Of harmonics the order closest to its limit."
        )
        blocks.append(drawn(partial(against_limits, bars, alt), text, folded))
    return Section("summary", "Summary", blocks or [_nothing(material)])


def _title(week: Mapping[str, Any]) -> str:
    words = week_words(week)
    return words[0].upper() + words[1:]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _bar(parameter: Mapping[str, Any]) -> Bar:
    share, always = reached(parameter)
    value = (parameter.get("percentiles") or {}).get("95") if parameter.get("limit") else parameter.get("max")
    low = (parameter.get("percentiles") or {}).get("5")
    unit = unit_of(parameter)
    if value is None:
        words = "–"
    elif parameter.get("quantity") in ("U", "f") and low is not None:
        words = f"{number(float(low), 5)} to {number(float(value), 5)} {unit}"
    else:
        words = f"{number(float(value), 3)} {unit}".strip()
    return Bar(
        f"{name_of(parameter)} {parameter.get('phase') or ''}".strip(),
        share if share is not None else always,
        always,
        words,
        parameter.get("verdict"),
    )


def table(material: Material) -> Section:
    """Counts, percentiles, extremes and verdict of every parameter."""
    blocks: list[Block] = []
    for k, week in enumerate(weeks(material)):
        found = week.get("parameters", ())
        if not found:
            continue
        if len(weeks(material)) > 1:
            blocks.append(Heading(f"{_title(week)} UTC", f"table-{k + 1}"))
        plain = [p for p in found if not p.get("order")]
        orders = [p for p in found if p.get("order")]
        blocks.append(_limits_table(plain))
        if orders:
            blocks.append(_limits_table(orders, "All orders of the harmonics"))
    for year in years(material):
        blocks += [
            Heading(f"Over the whole time, {when(year.get('start'), 0)[:10]} to {when(year.get('end'), 0)[:10]}"),
            _limits_table(list(year["parameters"])),
        ]
    if any(p.get("quantity") == "rvc" for p in parameters(material)):
        blocks.append(Words(["Rapid voltage changes are indicative: the standard says what is usual, and they decide nothing."], note=True))
    return Section("table", "Table", blocks or [_nothing(material)], page=bool(blocks))


_HEAD = ["parameter", "limits", "verdict", "N", "N1", "N2", "invalid", "min", "5 %", "50 %", "95 %", "99 %", "max", "within, %"]


def _limits_table(found: list[Mapping[str, Any]], folded: str = "") -> Table:
    rows: list[Row] = []
    for p in found:
        unit, marks = unit_of(p), p.get("percentiles") or {}
        both = [limit_words(p.get(k), unit) for k in ("limit", "limit_always") if p.get(k)]
        verdict = str(p.get("verdict"))
        n, n1 = p.get("N"), p.get("N1")
        within = f"{100 * (1 - n1 / n):.2f}" if n and n1 is not None and (p.get("limit") or {}).get("share") is not None else "–"
        values = [p.get("min"), *(marks.get(m) for m in ("5", "50", "95", "99")), p.get("max")]
        numbers = ["–" if v is None else number(float(v), 5 if p.get("quantity") in ("U", "f") else 3) for v in values]
        counts = ["–" if v is None else str(v) for v in (n, n1, p.get("N2"), p.get("N_invalid"))]
        rows.append([f"{name_of(p)} {p.get('phase') or ''}".strip(), both, Sign(verdict, verdict_words(p)), *counts, *numbers, within])
    caption = folded or "N valid values, N1 beyond the limit for a share, N2 beyond the limit for all, invalid: flagged or missing."
    return Table(_HEAD, rows, caption, named=3, folded=bool(folded), dense=True, paper=bool(folded))
