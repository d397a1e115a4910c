"""Values over time: voltage with its extremes, frequency, unbalance, distortion, flicker, load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..blocks import Block, Figure, Heading, Pair, Section, Table, Words, charted, drawn
from ..charts.chart import NARROW, WIDE, Area, Chart, Level, Line
from ..charts.marks import style_of
from ..charts.scale import Linear, Scale, Time, spread
from ..material import Material, when
from ..numbers import rank
from ..units import number, prefix, si
from .assessed import levels

__all__ = ["curve", "distortion", "load", "other_trends", "time_scale", "trend", "voltage"]

_S = 1e9
_STEP_S = {"10min": 600.0, "2h": 7200.0, "frequency": 10.0, "3s": 3.0, "basic": 0.2, "cycle": 0.02}
_WORDS = {"10min": "10-minute", "2h": "2-hour", "frequency": "10-second", "3s": "3-second", "basic": "10/12-cycle", "cycle": "one-cycle"}


@dataclass(frozen=True)
class _Trend:
    """A quantity over time: one curve for each phase."""

    what: str
    unit: str
    table: str
    names: Sequence[tuple[str, str]]  # column, phase
    extremes: tuple[str, str] | None = ("_min", "_max")
    quantity: str = ""
    floor: float | None = None
    margin: tuple[float, float] | None = None
    marks: Sequence[tuple[float, str]] = ()
    least: float = 0.0
    height: float = 250.0


def time_scale(material: Material, table: str) -> tuple[Scale, float, str]:
    """The scale of times, what to subtract from them, and its words; seconds from the start where there is no clock or little time."""
    t = material.time(table)
    end = t[-1] + _STEP_S.get(table, 0.2) * _S
    if material.clock and end - t[0] >= 60 * _S:
        first, last = when(t[0], 0)[:10], when(end - 1, 0)[:10]
        return Time(t[0], end), 0.0, f"UTC, {first}" if first == last else f"UTC, {first} to {last}"
    return Linear(0.0, (end - t[0]) / _S), t[0], "s from the start"


def curve(
    material: Material,
    table: str,
    name: str,
    phase: str,
    at: float,
    scale: float,
    label: str,
    edges: tuple[str, str] | None = None,
    *,
    timed: bool = False,
) -> Line | None:
    """The line of a column, broken where rows are missing; `at` is taken from its times, `scale` divides its values."""
    values = material.column(table, name)
    if values is None:
        return None
    t = material.time(table)
    low = high = None
    if edges is not None:
        low, high = (material.column(table, e) for e in edges)
    x = t if timed else (t - at) / _S
    missing = 1 + np.flatnonzero(np.diff(t) > 1.9 * _STEP_S.get(table, np.inf) * _S)

    def parted(v: np.ndarray | None) -> np.ndarray | None:
        return None if v is None else np.insert(v / scale, missing, np.nan)

    places = np.insert(x, missing, (x[missing - 1] + x[missing]) / 2)
    y = parted(values)
    assert y is not None
    return Line(label, places, y, style_of(phase), parted(low), parted(high))


def _flagged(material: Material, table: str, at: float, timed: bool) -> list[Area]:
    """Shades over the intervals that carry an event, neighbours as one."""
    if table not in ("10min", "2h", "3s") or not material.rows(table):
        return []
    t, step = material.time(table), _STEP_S[table] * _S
    marked = t[material.disturbed(table)]
    areas: list[Area] = []
    for start in marked:
        if areas and start <= areas[-1].stop + 1:
            areas[-1] = Area(areas[-1].start, start + step)
        else:
            areas.append(Area(start, start + step))
    return areas if timed else [Area((a.start - at) / _S, (a.stop - at) / _S) for a in areas]


def _range(plan: _Trend, lines: Sequence[Line], marks: Sequence[Level]) -> tuple[float, float, bool]:
    """The range of values, and whether ribbons were cut at its ends."""
    known = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    ends = [float(v) for v in (known.min(), known.max())] + [m.y for m in marks if m.inside]
    edges = [e[np.isfinite(e)] for line in lines for e in (line.low, line.high) if e is not None]
    low, high = min(ends), max(ends)
    cut = False
    if edges:
        lowest, highest = min(e.min() for e in edges if len(e)), max(e.max() for e in edges if len(e))
        near = plan.margin or (lowest, highest)
        cut = bool(lowest < near[0] or highest > near[1])
        low, high = min(low, max(lowest, near[0])), max(high, min(highest, near[1]))
    if plan.floor is not None:
        return plan.floor, spread(plan.floor, high)[1], cut
    short = max(plan.least, 0.004 * max(abs(low), abs(high))) - (high - low)
    if short > 0:  # what is steady shall look steady
        low, high = low - short / 2, high + short / 2
    return (*spread(low, high), cut)


def trend(material: Material, plan: _Trend) -> Figure | None:
    """The figure of a quantity over time with its table, None where it was not measured."""
    if not material.rows(plan.table):
        return None
    x, at, words = time_scale(material, plan.table)
    timed = at == 0.0 and isinstance(x, Time)
    found = [v for name, _ in plan.names if (v := material.column(plan.table, name)) is not None]
    if not found or not any(np.isfinite(v).any() for v in found):
        return None
    scale, unit = prefix(max(float(np.nanmax(np.abs(v))) for v in found), plan.unit)
    lines = []
    for name, phase in plan.names:
        edges = None
        if plan.extremes is not None:
            edges = (
                (name + plan.extremes[0], name + plan.extremes[1])
                if plan.extremes[0][0] == "_"
                else (plan.extremes[0] + phase, plan.extremes[1] + phase)
            )
        line = curve(material, plan.table, name, phase, at, scale, phase if len(plan.names) > 1 else "", edges, timed=timed)
        if line is not None and np.isfinite(line.y).any():
            lines.append(line)
    marks = [Level(v / scale, words, inside=inside) for v, words, inside in levels(material, plan.quantity or plan.names[0][0])]
    marks += [Level(v / scale, w, limit=False) for v, w in plan.marks]
    low, high, cut = _range(plan, lines, marks)
    away = [m.words for m in marks if not low <= m.y <= high]
    areas = _flagged(material, plan.table, at, timed)
    alt = _alt(plan, lines, unit)
    chart = Chart(alt, x, Linear(low, high), words, unit, lines, marks, areas, height=plan.height)
    caption = f"{plan.what}, {_WORDS[plan.table]} values" + (_ribbon(plan, lines) if lines[0].low is not None else "") + "."
    if lines[0].low is None and len(lines[0].x) > WIDE:
        caption = caption[:-1] + "; the band spans the values that share a place."
    if away:
        caption += f" Outside the chart: {', '.join(away)}."
    if areas:
        caption += " Shaded: intervals with a dip, swell or interruption."
    if cut:
        caption += " The band is cut at the edge of the chart; the extremes stand in the table."
    return charted(chart, caption, _by_day(material, plan, scale, unit))


def _ribbon(plan: _Trend, lines: Sequence[Line]) -> str:
    one = "one-cycle values Urms(1/2)" if plan.extremes == ("Umin_", "Umax_") else "10/12-cycle values"
    return f"; the band spans the smallest and largest {one}"


def _alt(plan: _Trend, lines: Sequence[Line], unit: str) -> str:
    parts = [
        f"{line.name or plan.what} from {number(float(np.nanmin(line.y)), 4)} to {number(float(np.nanmax(line.y)), 4)} {unit}".rstrip()
        for line in lines
    ]
    return f"{plan.what} over time: {'; '.join(parts)}"


def _by_day(material: Material, plan: _Trend, scale: float, unit: str) -> Table:
    """Smallest, mean and largest value of each day, or of the whole where there is no clock."""
    t = material.time(plan.table)
    days = np.floor(t / (86400 * _S)) if material.clock else np.zeros(len(t))
    whole = not material.clock or len(np.unique(days)) == 1
    days = np.zeros(len(t)) if whole else days
    many = len(np.unique(days)) > 62
    if many:
        days = np.floor(days / 7) * 7
    unit = unit if unit != "1" else ""
    head = ["" if whole else "week from" if many else "day, UTC"]
    head += [f"{phase} {kind}, {unit}".strip(" ,") for _, phase in plan.names for kind in ("min", "mean", "max")]
    rows = []
    for day in np.unique(days):
        here = days == day
        cells = ["whole recording" if whole else when(day * 86400 * _S, 0)[:10]]
        for name, phase in plan.names:
            cells += _three(material, plan, name, phase, here, scale)
        rows.append(cells)
    return Table(head, rows, f"{plan.what}{'' if whole else ' by week' if many else ' by day'} as a table", folded=True)


def _three(material: Material, plan: _Trend, name: str, phase: str, here: np.ndarray, scale: float) -> list[str]:
    values = material.column(plan.table, name)
    if values is None or not np.isfinite(values[here]).any():
        return ["–", "–", "–"]
    low = high = values
    if plan.extremes is not None:
        edges = [name + e if e[0] == "_" else e + phase for e in plan.extremes]
        low, high = (found if (found := material.column(plan.table, e)) is not None and np.isfinite(found[here]).any() else values for e in edges)
    return [number(float(f(v[here])) / scale, 5) for f, v in ((np.nanmin, low), (np.nanmean, values), (np.nanmax, high))]


def voltage(material: Material) -> Section:
    """The voltages: their trend between the limits, and how their values are distributed."""
    phases = material.voltages
    un = material.nominal
    names = [(f"U_{p}", p) for p in phases]
    margin = (0.8 * un, 1.2 * un) if un else None
    marks = [(un, "nominal")] if un else []
    figure = trend(material, _Trend("Voltage", "V", "10min", names, ("Umin_", "Umax_"), "U", margin=margin, marks=marks, height=300.0))
    if figure is None:
        return Section("voltage", "Voltage", [Words(["No voltage was measured."])], page=True)
    blocks: list[Block] = [figure, Heading("How the values are distributed"), *_distribution(material)]
    return Section("voltage", "Voltage", blocks, page=True)


def _distribution(material: Material) -> list[Block]:
    """A histogram, the cumulative curve, and the percentiles."""
    valid = ~material.disturbed("10min")
    series = [(p, v[valid & np.isfinite(v)]) for p in material.voltages if (v := material.column("10min", f"U_{p}")) is not None]
    series = [(p, v) for p, v in series if len(v)]
    if not series:
        return [Words(["No value of ten minutes is free of dips, swells and interruptions."])]
    everything = np.concatenate([v for _, v in series])
    scale, unit = prefix(float(everything.max()), "V")
    low, high = spread(float(everything.min()) / scale, float(everything.max()) / scale)
    edges = np.linspace(low, high, 25)
    bins, sums, rows = [], [], []
    for phase, values in series:
        share = 100 * np.histogram(values / scale, edges)[0] / len(values)
        ordered = np.sort(values) / scale
        bins.append(Line(phase, edges, np.append(share, share[-1]), style_of(phase), steps=True))
        sums.append(Line(phase, ordered, 100 * np.arange(1, len(ordered) + 1) / len(ordered), style_of(phase), dense=True))
        rows.append(
            [phase, str(len(values)), *(number(v / scale, 5) for v in (values.min(), *(rank(values, p) for p in (1, 5, 50, 95, 99)), values.max()))]
        )
    top = max(float(np.max(b.y)) for b in bins)
    x = Linear(low, high)
    shares = Chart("Histogram of the 10-minute voltages", x, Linear(0.0, 1.1 * top), f"voltage, {unit}", "% of values", bins, height=230)
    marks = [Level(5.0, "5 %", limit=False), Level(95.0, "95 %", limit=False)]
    sigmoid = Chart(
        "Cumulative distribution of the 10-minute voltages", x, Linear(0.0, 104.0), f"voltage, {unit}", "% of values", sums, marks, height=230
    )
    table = Table(
        ["phase", "valid values", "min", "1 %", "5 %", "50 %", "95 %", "99 %", "max"],
        rows,
        f"Percentiles of the undisturbed 10-minute values, {unit}",
    )
    pictures = [
        Figure(c.draw(NARROW), c.draw(NARROW), words)
        for c, words in ((shares, "Share of the values in each step."), (sigmoid, "Share of the values up to a voltage."))
    ]
    return [Pair(pictures), table]


def other_trends(material: Material) -> Section:
    """Frequency, unbalance, distortion and flicker."""
    fn = material.summary["settings"].get("nominal_frequency")
    table = "frequency" if material.rows("frequency") > 1 else "10min"
    plans = [
        (
            "frequency",
            "Frequency",
            _Trend(
                "Frequency",
                "Hz",
                table,
                [("f", "")],
                ("_min", "_max") if table == "10min" else None,
                "f",
                least=0.05,
                marks=[(fn, "nominal")] if fn else [],
            ),
        ),
        (
            "unbalance",
            "Unbalance",
            _Trend(
                "Negative-sequence voltage ratio", "%", "10min", [("u2", "")], ("_min", "_max"), "u2", floor=0.0, marks=_percentile(material, "u2")
            ),
        ),
        ("thd", "Total harmonic distortion", distortion(material, "10min")),
        ("flicker", "Flicker", _Trend("Long-term flicker Plt", "1", "2h", [(f"Plt_{p}", p) for p in material.voltages], None, "Plt", floor=0.0)),
        (
            "flicker-short",
            "Short-term flicker",
            _Trend("Short-term flicker Pst", "1", "10min", [(f"Pst_{p}", p) for p in material.voltages], None, "Pst", floor=0.0),
        ),
    ]
    blocks: list[Block] = []
    for anchor, title, plan in plans:
        figure = trend(material, plan)
        if figure is None:
            if anchor != "flicker-short":
                blocks += [Heading(title, anchor), Words([f"{title} was not measured."], note=True)]
            continue
        blocks += [Heading(title, anchor), figure]
    return Section("trends", "Frequency, unbalance, distortion, flicker", blocks, page=True)


def _percentile(material: Material, name: str) -> list[tuple[float, str]]:
    values = material.column("10min", name)
    if values is None:
        return []
    found = rank(values[~material.disturbed("10min")], 95)
    return [(found, f"95 % of values: {number(found, 3)} %")] if np.isfinite(found) else []


def distortion(material: Material, table: str) -> _Trend:
    """The trend of THD."""
    names = [(f"THD_U_{p}", p) for p in material.voltages]
    return _Trend("THD of the voltages", "%", table, names, ("_min", "_max") if table == "10min" else None, "THD_U", floor=0.0)


def load(material: Material, table: str) -> list[Figure]:
    """Power and current over time."""
    edges = ("_min", "_max") if table in ("10min", "2h") else None
    total = [("P", ""), ("Q", "Q")] if material.column(table, "Q") is not None else [("P", "")]
    power = _power(material, table, total)
    names = [(f"I_{p}", p) for p in material.currents]
    current = trend(material, _Trend("Current", "A", table, names, edges, "I", floor=0.0))
    return [f for f in (power, current) if f is not None]


def _power(material: Material, table: str, names: Sequence[tuple[str, str]]) -> Figure | None:
    found = {name: v for name, _ in names if (v := material.column(table, name)) is not None and np.isfinite(v).any()}
    if not found:
        return None
    x, at, words = time_scale(material, table)
    timed = isinstance(x, Time)
    scale, _ = prefix(max(float(np.nanmax(np.abs(v))) for v in found.values()), "W")
    letters = si(scale, "W").split()[-1].removesuffix("W")
    labels = {"P": f"P, {letters}W", "Q": f"Q, {letters}var"}
    styles = {"P": style_of("L1"), "Q": style_of("Q")}
    lines = []
    for name in found:
        line = curve(material, table, name, "", at, scale, labels[name], timed=timed)
        assert line is not None
        lines.append(Line(line.name, line.x, line.y, styles[name], dash="6 3" if name == "Q" else None))
    everything = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    low, high = spread(min(0.0, float(everything.min())), max(0.0, float(everything.max())))
    alt = "; ".join(
        f"{n} from {si(float(np.nanmin(v)), 'W' if n == 'P' else 'var')} to {si(float(np.nanmax(v)), 'W' if n == 'P' else 'var')}"
        for n, v in found.items()
    )
    chart = Chart(f"Active and reactive power over time: {alt}", x, Linear(low, high), words, "", lines)
    plan = _Trend("Active power", "W", table, [("P", "")], ("_min", "_max") if table in ("10min", "2h") else None)
    return drawn(
        chart.draw,
        f"Load profile: total active and reactive power, {_WORDS[table]} values; above 0 is import.",
        _by_day(material, plan, scale, f"{letters}W"),
    )
