"""The sections of a recording of seconds or minutes: its first cycles, its trend where it has one, its values."""

from __future__ import annotations

import numpy as np

from ...quantity import LINES, PHASES
from ..blocks import Block, Figure, Heading, Section, Table, Words, charted
from ..charts.chart import Chart, Line
from ..charts.marks import style_of
from ..charts.scale import Linear, spread
from ..material import Material
from ..units import number, prefix
from .power import energies, means
from .trends import _Trend, load, trend

__all__ = ["course", "values", "waveforms"]

_KINDS = (("U", "V", "Voltages"), ("I", "A", "Currents"))


def waveforms(material: Material) -> Section:
    """The first cycles."""
    blocks: list[Block] = []
    for kind, unit, what in _KINDS:
        figure = _first_cycles(material, kind, unit, what)
        if figure is not None:
            blocks.append(figure)
    if not blocks:
        blocks.append(Words(["The samples of the start were not kept."]))
    return Section("waveforms", "Waveforms", blocks)


def _first_cycles(material: Material, kind: str, unit: str, what: str) -> Figure | None:
    extract = material.extract
    names = [f"{kind}_{p}" for p in (*PHASES, *LINES, "N")]
    found = {n.partition("_")[2]: extract[n] for n in names if n in extract and np.isfinite(extract[n]).any()}
    if any(p in found for p in PHASES) and kind == "U":
        found = {p: v for p, v in found.items() if p not in LINES}
    if not found or len(extract["t"]) < 2:
        return None
    t = 1000 * extract["t"]
    largest = max(float(np.nanmax(np.abs(v))) for v in found.values())
    scale, unit = prefix(largest, unit)
    low, high = (f(float(f_(v)) for v in found.values()) / scale for f, f_ in ((min, np.nanmin), (max, np.nanmax)))
    lines = [Line(p, t, v / scale, style_of(p), dense=True, width=1.4) for p, v in found.items()]
    chart = Chart(
        f"{what}, the first {t[-1]:.0f} ms", Linear(0.0, t[-1]), Linear(*spread(min(low, 0.0), max(high, 0.0))), "ms", unit, lines, height=240
    )
    rows = []
    for p, v in found.items():
        rms = float(np.sqrt(np.nanmean(v**2))) / scale
        peaks = [number(float(f(v)) / scale, 5) for f in (np.nanmin, np.nanmax)]
        rows.append([p, *peaks, number(rms, 5)])
    table = Table(["phase", f"smallest, {unit}", f"largest, {unit}", f"rms, {unit}"], rows, f"{what} of the first cycles as a table", folded=True)
    return charted(chart, f"{what}: the first cycles of the recording.", table)


def course(material: Material) -> Section | None:
    """Trends over the recording, None where there are fewer than two rows."""
    table = material.steps
    if not table:
        return None
    names = [(f"U_{p}", p) for p in material.voltages]
    extremes = ("Umin_", "Umax_") if table in ("3s", "basic") else None
    figures = [trend(material, _Trend("Voltage", "V", table, names, extremes, "U")), *load(material, table)]
    figures.append(trend(material, _Trend("Frequency", "Hz", table, [("f", "")], None, "f", least=0.05)))
    blocks = [f for f in figures if f is not None]
    return Section("trends", "Trends", blocks) if blocks else None


def values(material: Material) -> Section:
    """Means and energies."""
    return Section("values", "Values", [means(material), Heading("Energy", "energy"), energies(material)])
