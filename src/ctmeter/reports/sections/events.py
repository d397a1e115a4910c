"""The events: list, tables of dips and swells by depth and length, and where they lie on the tolerance curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...measurements import nanoseconds
from ..blocks import Block, Heading, Section, Table, Words, charted
from ..charts.chart import Chart, Line, Point
from ..charts.marks import Style
from ..charts.scale import Linear, Log
from ..material import Material, instant, when
from ..units import duration, si
from .sheets import voltage_of

__all__ = ["LISTED", "event_section"]

#: Rows of the list.
LISTED = 200
_STYLES = {"dip": Style("#0067a6", "down"), "swell": Style("#c44e00", "triangle"), "interruption": Style("#1b2530", "square")}
_OTHER = Style("#5a5a5a", "diamond")
_POSITIONS = {
    "no-interruption": "equipment goes on",
    "no-damage": "may stop",
    "prohibited": "may be harmed",
    "above": "rides through",
    "below": "may stop",
}
#: Types that are no words.
_WORDS = {"rvc": "rapid voltage change", "msv": "mains signalling event"}
_EDGE = (1e-4, 100.0)
#: Highest voltage of the chart of curves, %.
_TOP = 200.0


def event_section(material: Material) -> Section:
    """List, matrices and scatter."""
    left_out = next((x["why"] for x in material.summary["not_measured"] if x["what"] == "events"), None)
    if left_out is not None:
        return Section("events", "Events", [Words([f"Events were not looked for: {left_out}."])], page=material.long)
    events = material.events
    counts = ", ".join(f"{n} {_WORDS.get(kind, kind)}{'s' if n != 1 else ''}" for kind, n in material.summary["events"]["counts"].items())
    blocks: list[Block] = [Words([f"{counts}." if counts else "No dip, swell, interruption, rapid voltage change or other event was found."])]
    if events:
        blocks.append(_list(material))
    matrices = _matrices(material)
    if matrices and (events or material.long):
        blocks += [Heading("By depth and length", "matrix"), *matrices]
    points = [e for e in (material.classified or events) if e.get("type") in _STYLES and e.get("duration")]
    if points:
        blocks += [Heading("Tolerance curves", "curves"), *_scatter(points, material)]
    return Section("events", "Events", blocks)


def _key(event: Mapping[str, Any]) -> tuple[str, str]:
    t = event.get("t")
    return str(instant(t) if isinstance(t, str) else t), str(event.get("type"))


def _wholes(material: Material) -> dict[int, str]:
    """Cell of the counted event that a row of the list, by its number, is only a part of."""
    counted = {_key(e): e for e in material.classified or () if e.get("type") in _STYLES}
    found = {}
    for k, e in enumerate(material.events[:LISTED], 1):
        own = counted.get(_key(e))
        if not counted or e["type"] not in _STYLES or (own is not None and own.get("duration") == e.get("duration")):
            continue
        at = nanoseconds(e["t"])
        for whole in counted.values():
            start, lasting = nanoseconds(whole["t"]), whole.get("duration")
            if whole["type"] == e["type"] and start <= at and (lasting is None or at < start + round(lasting * 1e9)):
                found[k] = str(whole.get("cell") or "an event outside")
    return found


def _list(material: Material) -> Table:
    known = {_key(e): e for e in material.classified or ()}
    part_of = _wholes(material)
    rows = []
    for k, e in enumerate(material.events[:LISTED], 1):
        value, _ = voltage_of(e)
        share = f"{100 * value / e['U_ref']:.1f} %" if value is not None and e.get("U_ref") else "–"
        whole = part_of.get(k)
        extra = known.get(_key(e), {}) if whole is None else {"cell": f"in {whole}", "itic": None}
        length = "open" if e.get("duration") is None else duration(e["duration"])
        row = [
            str(k),
            when(e.get("t")) if material.clock else "–",
            _WORDS.get(str(e["type"]), str(e["type"])),
            " ".join(e.get("phases") or ()),
            length,
            si(value, "V", 4),
            share,
        ]
        rows.append([*row, str(extra.get("cell") or "–"), _POSITIONS.get(str(extra.get("itic")), "–")] if known else row)
    more = len(material.events) - LISTED
    caption = "Voltage: the residual of dips and interruptions, the largest of swells, the largest change of rapid voltage changes."
    if more > 0:
        caption += f" The first {LISTED} of {len(material.events)} events; all stand in the table `events` of the result."
    if part_of:
        caption += " Where a gap in the measuring parts an event, its parts are listed, and counted once."
    head = ["", "start, UTC", "type", "phases", "duration", "voltage", "of reference", *(["cell", "by ITIC"] if known else [])]
    return Table(head, rows, caption, named=4)


def _matrices(material: Material) -> list[Block]:
    assessment = material.assessment or {}
    made: list[Table] = []
    for key, what in (("dips", "Dips"), ("swells", "Swells")):
        counts, cells = assessment.get(key), (material.cells or {}).get(key)
        if isinstance(counts, Mapping) and counts:
            made.append(_matrix(what, counts, cells))
    if not made:
        return []
    blocks: list[Block] = [*made]
    found = assessment.get("interruptions")
    if isinstance(found, Mapping):
        words = ", ".join(f"{found[k]} {k}" for k in ("short", "long", "open") if found.get(k) is not None)
        blocks.append(Words([f"Interruptions: {words or found.get('count')}."]))
    elif isinstance(found, (int, float)):
        blocks.append(Words([f"Interruptions: {found}."]))
    blocks.append(
        Words(
            [
                "As EN 50160 counts them: one event of several phases once, events close in time as one, a dip with an interruption inside as "
                "the interruption."
            ],
            note=True,
        )
    )
    return blocks


def _matrix(what: str, counts: Mapping[str, int], cells: Mapping[str, Any] | None) -> Table:
    letters = list(dict.fromkeys(name[0] for name in counts))
    columns = sorted({name[1:] for name in counts})
    durations = list((cells or {}).get("durations") or ())
    voltages = list((cells or {}).get("voltages") or ())
    heads = [f"≤ {duration(durations[k])}" if k < len(durations) else c for k, c in enumerate(columns)]
    rows = []
    for k, letter in enumerate(letters):
        row = [f"{letter} · {_voltage_row(what, k, voltages)}" if voltages else letter]
        rows.append([*row, *(str(counts.get(letter + c) or "·") for c in columns)])
    shortest = (cells or {}).get("shortest")
    begin = f", from {duration(shortest)} on" if shortest else ""
    return Table([f"{'residual' if what == 'Dips' else 'largest'} voltage", *heads], rows, f"{what} by voltage, % of reference, and duration{begin}.")


def _voltage_row(what: str, k: int, voltages: Sequence[float]) -> str:
    if what == "Dips":
        return f"{voltages[k]:g} > u ≥ {voltages[k + 1]:g}" if k + 1 < len(voltages) else f"u < {voltages[k]:g}"
    return f"u ≥ {voltages[k]:g}" if k == 0 else f"{voltages[k - 1]:g} > u > {voltages[k]:g}"


def _below(t: np.ndarray, u: np.ndarray, top: float) -> tuple[np.ndarray, np.ndarray]:
    """A falling curve from where it comes under `top` on: straight over the logarithm of time."""
    first = int((u <= top).argmax())
    if not first or u[first] > top:
        return t, u
    share = (u[first - 1] - top) / (u[first - 1] - u[first])
    cut = t[first - 1] * (t[first] / t[first - 1]) ** share
    return np.concatenate([[cut], t[first:]]), np.concatenate([[top], u[first:]])


def _scatter(events: Sequence[Mapping[str, Any]], material: Material) -> list[Block]:
    lines = []
    curves = material.curves or {}
    itic, semi = curves.get("itic") or {}, curves.get("semi_f47") or {}
    red, purple = Style("#a81616", ""), Style("#8a2f6b", "")
    for name, points, style, dash in (
        ("ITIC, both limits", itic.get("upper"), red, None),
        ("", itic.get("lower"), red, None),
        ("SEMI F47", semi.get("lower"), purple, "7 4"),
    ):
        if points:
            t, u = (np.array([float(p[k]) for p in points]) for k in (0, 1))
            t, u = _below(np.clip(t, *_EDGE), u, _TOP)
            if style is red:
                t, u = np.append(t, _EDGE[1]), np.append(u, u[-1])
            lines.append(Line(name, t, u, style, dash=dash, symbols=False, width=1.8))
    marks: list[Point] = []
    rows: list[list[str]] = []
    places_of = {_key(e): k for k, e in enumerate(material.events, 1)}
    for e in events[:1000]:
        k = places_of.get(_key(e), 0)
        value, _ = voltage_of(e)
        if value is None or not e.get("U_ref"):
            continue
        share = 100 * value / e["U_ref"]
        words = str(k) if k and len(events) <= 20 else ""
        marks.append(
            Point(float(e["duration"]), min(share, _TOP), _STYLES[str(e["type"])], words, solid=e.get("itic") in ("no-damage", "prohibited"))
        )
        if len(rows) < LISTED:
            places = [_POSITIONS.get(str(e.get(name)), "–") for name in ("itic", "semi_f47")]
            rows.append([str(k or "–"), str(e["type"]), duration(float(e["duration"])), f"{share:.1f} %", *places])
    present = [kind for kind in _STYLES if any(e["type"] == kind for e in events)]
    legend = [(kind, _STYLES[kind], "point") for kind in present]
    alt = f"Voltage over duration of {len(marks)} events" + (" with the ITIC and SEMI F47 curves" if lines else "")
    chart = Chart(alt, Log(*_EDGE), Linear(0.0, _TOP), "duration", "% of reference", lines, points=marks, legend=legend, height=330.0)
    text = "Voltage of each event over its duration" + (", with the number it has in the list" if len(events) <= 20 else "")
    if lines:
        text += "; outside the ITIC curve, with a solid mark, equipment may stop (below) or be harmed (above)"
        if not itic.get("verified", True):
            text += ". The points of the curves were not checked against their publications"
    table = Table(["", "type", "duration", "of reference", "ITIC", "SEMI F47"], rows, "The events on the curves as a table", named=2, folded=True)
    return [charted(chart, text + ".", table)]
