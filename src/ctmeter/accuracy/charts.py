"""Charts as at the end of a data sheet: error against current with its limits, composite errors, influences, an error map."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from .evaluate import Judged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .outcome import Outcome
    from .rating import Rating

__all__ = ["figures", "limit_steps", "plot_composite", "plot_influences", "plot_load", "plot_map"]

#: Readable by the colour-blind, and different in grey (Okabe and Ito), with a marker each.
_STYLES = {
    "1": ("#0072b2", "o", "-"),
    "0.5 ind": ("#d55e00", "s", "--"),
    "0.8 cap": ("#009e73", "^", "-."),
    "0.25 ind": ("#cc79a7", "v", ":"),
    "0.5 cap": ("#56b4e9", "D", (0, (4, 1, 1, 1))),
    "0.25 cap": ("#7f6a00", "P", (0, (1, 1))),
}
_PHASE_STYLES = {"L1": ("#0072b2", "o"), "L2": ("#d55e00", "s"), "L3": ("#009e73", "^")}
_BAND_COLOURS = ("#0072b2", "#009e73", "#e69f00", "#d55e00")
_LIMIT = "#8b1a1a"
_NAMES = {
    "voltage": "voltage", "frequency": "frequency", "temperature": "temperature", "sequence": "reversed phase sequence",
    "unbalance": "voltage unbalance",
    "harmonic": "5th harmonic", "odd-harmonics": "odd harmonics, phase fired", "sub-harmonics": "sub-harmonics, burst fired", "dc": "DC, half-wave",
    "difference": "single-phase less balanced", "repeatability": "repeatability",
}  # fmt: skip


def limit_steps(
    rating: Rating, quantity: str, factor: str = "1", load: str = "balanced", *, energy: str = "active", band: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """The staircase of a limit over the current.

    Returns
    -------
    current : ndarray, float64
        A; each step twice, where it begins and where it ends.
    percent : ndarray, float64
        The limit there; NaN between ranges that have one.
    """
    edges = set()
    for row in rating.rows(quantity, energy):
        if row.load == load and row.band == band and (not row.factors or factor in row.factors):
            edges |= {rating.amperes(row.low), rating.amperes(row.high)}
    ordered = sorted(edges)
    current: list[float] = []
    percent: list[float] = []
    for a, b in itertools.pairwise(ordered):
        found = rating.limit(quantity, float(np.sqrt(a * b)), factor, load, energy=energy, band=band)
        current += [a, b]
        percent += [found.percent if found else np.nan] * 2
    return np.array(current), np.array(percent)


def plot_load(report: Outcome, ax: Axes | None = None, *, energy: str = "active", load: str = "balanced", direction: str = "import") -> Axes:
    """Error against current with the limits around it; of single-phase load the phases' curves.

    Parameters
    ----------
    report : Outcome
    ax : matplotlib Axes, optional
        A new one where not given.
    energy : {"active", "reactive"}
    load : {"balanced", "single"}
    direction : {"import", "export"}
    """
    axes = _axes(ax)
    points = [
        p
        for p in report.points
        if p.reading.point.test == "load"
        and p.reading.point.energy == energy
        and p.reading.point.direction == direction
        and (p.reading.point.load == "balanced") == (load == "balanced")
        and p.reading.point.limit is not None
    ]
    factors = list(dict.fromkeys(p.reading.point.factor for p in points))
    _draw_limits(axes, report.rating, factors, load, energy)
    for factor in factors:
        for phase in dict.fromkeys(p.reading.point.load for p in points):
            those = sorted((p for p in points if (p.reading.point.factor, p.reading.point.load) == (factor, phase)), key=lambda p: p.reading.point.I)
            if those:
                _curve(axes, those, factor, phase, energy)
    _current_axis(axes, report.rating)
    axes.set_ylabel("error, %")
    if points:
        axes.legend(fontsize="small", ncols=3, loc="upper right", framealpha=0.9)
    return axes


def _curve(axes: Axes, points: list[Judged], factor: str, phase: str, energy: str) -> None:
    colour, marker, line = _STYLES.get(factor, ("#555555", "x", "-"))
    label = f"{'PF' if energy == 'active' else 'sin φ'} {factor}"
    if phase != "balanced":
        colour, marker = _PHASE_STYLES[phase]
        label = f"{phase}, {label}"
    x, y = [p.reading.point.I for p in points], [p.reading.error for p in points]
    bars = [p.reading.uncertainty or 0.0 for p in points]
    axes.errorbar(x, y, yerr=bars, color=colour, marker=marker, linestyle=line, markersize=4.5, linewidth=1.4, capsize=2.5, label=label)


def _draw_limits(axes: Axes, rating: Rating, factors: list[str], load: str, energy: str) -> None:
    """The staircases of the limits, those of equal ones once; the space between the first is shaded."""
    drawn: list[bytes] = []
    # the limits at a factor that the tables do not name are those of a smaller one
    names = dict.fromkeys(rating.named("error", f, load, energy=energy) for f in factors)
    for number, factor in enumerate(n for n in names if n):
        current, percent = limit_steps(rating, "error", factor, load, energy=energy)
        key = current.tobytes() + percent.tobytes()
        if key in drawn or not len(current):
            continue
        drawn.append(key)
        style: dict[str, Any] = {"color": _LIMIT, "linewidth": 1.6 if number == 0 else 1.0, "linestyle": ("-", "--", ":")[min(len(drawn) - 1, 2)]}
        for sign in (1, -1):
            axes.plot(current, sign * percent, label=f"limit, {'PF' if energy == 'active' else 'sin φ'} {factor}" if sign > 0 else None, **style)
        if number == 0:
            axes.fill_between(current, -percent, percent, color=_LIMIT, alpha=0.05, linewidth=0)


def plot_composite(report: Outcome, ax: Axes | None = None, *, band: str | None = None) -> Axes:
    """Composite errors with the maximum permissible ones, of balanced load; one temperature band, or the widest.

    Parameters
    ----------
    report : Outcome
    ax : matplotlib Axes, optional
    band : str, optional
    """
    axes = _axes(ax)
    bands = list(dict.fromkeys(c.band for c in report.composite))
    band = band or (bands[-1] if bands else None)
    those = [c for c in report.composite if c.band == band and c.load == "balanced"]
    if band is not None:
        current, percent = limit_steps(report.rating, "mpe", band=band)
        axes.plot(current, percent, color=_LIMIT, linewidth=1.6, label=f"MPE, {band} °C")
        axes.plot(current, -percent, color=_LIMIT, linewidth=1.6)
        axes.fill_between(current, -percent, percent, color=_LIMIT, alpha=0.05, linewidth=0)
    for factor in dict.fromkeys(c.factor for c in those):
        colour, marker, line = _STYLES.get(factor, ("#555555", "x", "-"))
        x = [c.I for c in those if c.factor == factor]
        y = [c.error for c in those if c.factor == factor]
        for sign in (1, -1):
            axes.plot(
                x, [sign * v for v in y], color=colour, marker=marker, linestyle=line, markersize=4.5, label=f"PF {factor}" if sign > 0 else None
            )
    _current_axis(axes, report.rating)
    axes.set_ylabel("± composite error, %")
    if those:
        axes.legend(fontsize="small", ncols=4, loc="upper right", framealpha=0.9)
    return axes


def plot_influences(report: Outcome, ax: Axes | None = None) -> Axes:
    """The largest change by each influence, as a bar, with its limit as a mark.

    Parameters
    ----------
    report : Outcome
    ax : matplotlib Axes, optional
    """
    axes = _axes(ax)
    groups: dict[str, Judged] = {}
    for p in report.points:
        point = p.reading.point
        if point.test in _NAMES and point.limit and point.energy == "active":
            best = groups.get(point.test)
            if best is None or abs(p.value) / point.limit > abs(best.value) / (best.reading.point.limit or 1.0):
                groups[point.test] = p
    names = [name for name in _NAMES if name in groups]
    places = np.arange(len(names))[::-1]
    axes.barh(places, [abs(groups[n].value) for n in names], color="#0072b2", height=0.55, label="largest change, of its limit")
    limits = [groups[n].reading.point.limit or np.nan for n in names]
    axes.plot(limits, places, linestyle="none", marker="|", markersize=16, markeredgewidth=2.4, color=_LIMIT, label="limit")
    axes.set_yticks(places, [f"{_NAMES[n]} ({_condition(groups[n])})" for n in names], fontsize="small")
    axes.set_xlabel("|change of error|, %")
    axes.set_xlim(left=0)
    # room for the legend below the bars
    axes.set_ylim(-0.6 - 0.11 * max(len(names), 4), len(names) - 0.4)
    axes.grid(axis="x", alpha=0.3)
    if names:
        axes.legend(fontsize="small", loc="lower right")
    return axes


def _condition(judged: Judged) -> str:
    """Where an influence was largest, in a few words."""
    point = judged.reading.point
    special = {"voltage": f"{point.U:g} V", "frequency": f"{point.f:g} Hz", "temperature": f"{point.temperature:g} °C", "difference": point.load}
    words = [special.get(point.test, ""), "-".join(point.missing), f"{point.I:g} A", f"PF {point.factor}"]
    return ", ".join(w for w in words if w)


def plot_map(report: Outcome, ax: Axes | None = None) -> Axes:
    """The error at the rated current over voltage and frequency.

    Parameters
    ----------
    report : Outcome
    ax : matplotlib Axes, optional
    """
    axes = _axes(ax)
    u, f, errors = np.array(report.map["U"]), np.array(report.map["f"]), np.array(report.map["error_pct"])
    # what stands as 0.000 has no colour
    top = max(float(np.max(np.abs(errors))), 0.01)
    image = axes.pcolormesh(f, u, errors, cmap="RdBu_r", vmin=-top, vmax=top, shading="nearest")
    for i, row in enumerate(errors):
        for j, value in enumerate(row):
            shade = "white" if abs(value) > 0.6 * top else "black"
            axes.text(
                f[j],
                u[i],
                f"{value:+.3f}".replace("-0.000", "0.000").replace("+0.000", "0.000"),
                ha="center",
                va="center",
                fontsize="small",
                color=shade,
            )
    axes.set_xticks(f, [f"{x:g}" for x in f])
    axes.set_yticks(u, [f"{x:g}" for x in u])
    axes.set_xlabel("frequency, Hz")
    axes.set_ylabel("voltage, V")
    axes.figure.colorbar(image, ax=axes, label="error, %")
    return axes


def figures(report: Outcome) -> dict[str, Figure]:
    """Every chart of a report, by the name of its file."""
    rating = report.rating
    range_ = f"{rating.amperes('Imin'):g}-{rating.i_n:g}({rating.i_max:g}) A"
    head = f"class {rating.meter_class}, {range_}, {report.front_end.name}"
    drawn: dict[str, Figure] = {}

    def draw(name: str, title: str, plot: Any, **more: Any) -> None:
        axes = plot(report, **more)
        axes.set_title(f"{title}\n{head}", fontsize="medium")
        drawn[name] = axes.figure

    there = {(p.reading.point.energy, p.reading.point.load == "balanced") for p in report.points if p.reading.point.test == "load" and p.limit}
    if ("active", True) in there:
        draw("load", "Active energy: error against current, balanced load", plot_load)
    if ("active", False) in there:
        draw("load-single", "Active energy: error against current, single-phase load", plot_load, load="single")
    if ("reactive", True) in there:
        draw("load-reactive", f"Reactive energy, class {rating.reactive_class}: error against current", plot_load, energy="reactive")
    for band in dict.fromkeys(c.band for c in report.composite):
        name = f"composite{band.replace('..', 'to').replace('+', '')}"
        draw(name, f"Composite error, {band} °C: load, voltage, frequency, temperature", plot_composite, band=band)
    if any(p.reading.point.test in _NAMES and p.limit and p.reading.point.energy == "active" for p in report.points):
        draw("influences", "Influences and disturbances", plot_influences)
    if report.map:
        draw("map", f"Error at {rating.i_n:g} A, PF 1, over voltage and frequency", plot_map)
    return drawn


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    axes: Axes = Figure(figsize=(9, 4.8), layout="constrained").subplots()
    return axes


def _current_axis(axes: Axes, rating: Rating) -> None:
    """A logarithmic axis in A with the range's currents marked, and one in % of In above."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    low, high = rating.amperes("Imin"), rating.i_max
    axes.set_xscale("log")
    axes.set_xlim(0.8 * low, 1.25 * high)
    edge = max(abs(v) for v in axes.get_ylim())
    # room for the legend above the limits
    axes.set_ylim(-1.2 * edge, 1.65 * edge)
    ticks = [low, *(t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if t * rating.i_n > 1.15 * low and t * rating.i_n < 0.9 * high)]
    ticks = [ticks[0], *(t * rating.i_n for t in ticks[1:]), high]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("current, A")
    share = 100 / rating.i_n
    above = axes.secondary_xaxis("top", functions=(lambda x: np.multiply(x, share), lambda x: np.divide(x, share)))
    above.set_xticks([100 * t / rating.i_n for t in ticks])
    above.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    above.set_xlabel("% of In", fontsize="small")
    above.xaxis.set_minor_formatter(NullFormatter())
    above.tick_params(labelsize="small")
    for name in ("Imin", "Itr", "In", "Imax"):
        axes.axvline(rating.amperes(name), color="#8795a1", linewidth=0.7, linestyle=":")
        axes.annotate(
            name, (rating.amperes(name), 0.01), xycoords=("data", "axes fraction"), fontsize="x-small", color="#52606d", ha="center", va="bottom"
        )
    axes.axhline(0, color="black", linewidth=0.6)
    axes.grid(alpha=0.3, which="major")
