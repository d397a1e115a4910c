"""Harmonics as bars by order: of weeks against their limits, of a short recording as measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..blocks import Block, Figure, Section, Table, Words, drawn
from ..charts.bars import Orders
from ..charts.marks import style_of
from ..material import Material
from ..numbers import harmonics_of, rank
from ..units import number
from .assessed import harmonic_limits, harmonic_percentiles

__all__ = ["harmonics", "of_extract", "spectrum"]

_HIGHEST = 40


def _shares(material: Material, table: str, kind: str, phase: str) -> np.ndarray | None:
    """Harmonics in % of the fundamental of their interval, by its own column or else order 1 of them, shape (n, 51)."""
    groups, first = material.column(table, f"H{kind}_{phase}"), material.column(table, f"{kind}1_{phase}")
    if groups is None:
        return None
    first = groups[:, 1] if first is None else first
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: np.ndarray = np.where(first[:, None] > 0, 100 * groups / first[:, None], np.nan)
    return shares


def _bars(what: str, series: Mapping[str, np.ndarray], limits: dict[int, float], caption: str, unit: str) -> Figure:
    """The figure of values by order (index 0 is order 0) for each phase."""
    known = [k for k in range(2, _HIGHEST + 1) if any(k < len(v) and np.isfinite(v[k]) for v in series.values())]
    orders = np.arange(2, max([*known, 10]) + 1)
    bars = [(phase, style_of(phase), np.array([v[k] if k < len(v) else np.nan for k in orders])) for phase, v in series.items()]
    worst = _worst(orders, bars, limits)
    alt = f"{what} by order" + (f"; {worst[1]} on {worst[2]}" if worst else "")
    chart = Orders(alt, orders, bars, unit, limits, None if worst is None else worst[:2])
    rows = []
    for k, order in enumerate(orders.tolist()):
        if all(np.isfinite(v[k]) for _, _, v in bars) or order in limits:
            cells = [number(float(v[k]), 3) if np.isfinite(v[k]) else "–" for _, _, v in bars]
            rows.append([str(order), *cells, *([f"{limits[order]:g}" if order in limits else "–"] if limits else [])])
    table = Table(["order", *(p for p, _, _ in bars), *(["limit"] if limits else [])], rows, f"{what}, {unit}, as a table", folded=True)
    return drawn(chart.draw, caption, table)


def _worst(orders: np.ndarray, bars: Sequence[tuple[str, object, np.ndarray]], limits: Mapping[int, float]) -> tuple[int, str, str] | None:
    """The order closest to its limit, or the largest where there are no limits."""
    best: tuple[float, int, str, float] | None = None
    for phase, _, values in bars:
        for order, value in zip(orders.tolist(), values, strict=True):
            if not np.isfinite(value) or (limits and order not in limits):
                continue
            score = value / limits[order] if limits else value
            if best is None or score > best[0]:
                best = (float(score), order, phase, float(value))
    if best is None or best[3] <= 0:
        return None
    score, order, phase, value = best
    words = f"h{order}: {100 * score:.0f} % of its limit" if limits else f"h{order}: {number(value, 3)} %"
    return order, words, phase


def harmonics(material: Material) -> Section:
    """The values that 95 % of the intervals do not exceed, against the limits."""
    blocks: list[Block] = []
    valid = ~material.disturbed("10min") if material.rows("10min") else np.zeros(0, bool)
    limits = harmonic_limits(material)
    for kind, phases, what in (("U", material.voltages, "Harmonic voltages"), ("I", material.currents, "Harmonic currents")):
        series = {}
        for phase in phases:
            shares = _shares(material, "10min", kind, phase)
            if shares is not None and valid.any():
                series[phase] = np.array([rank(shares[valid, k], 95) for k in range(shares.shape[1])])
        if kind == "U":
            for (phase, order), value in harmonic_percentiles(material).items():
                if phase in series and order < len(series[phase]):
                    series[phase][order] = value
        if series:
            caption = f"{what} in % of the fundamental: the value that 95 % of the undisturbed 10-minute values do not exceed."
            if kind == "U" and limits:
                caption += " Red: the limit of each order."
            blocks.append(_bars(what, series, limits if kind == "U" else {}, caption, "% of fundamental"))
    if not blocks:
        blocks.append(Words(["Harmonics were not measured."]))
    return Section("harmonics", "Harmonics", blocks)


def of_extract(material: Material, orders: int = _HIGHEST) -> dict[str, np.ndarray]:
    """Complex rms harmonics of the first whole cycles by role, where no table has any."""
    extract, f = material.extract, material.summary["mean"].get("f")
    if not f or "t" not in extract or len(extract["t"]) < 2:
        return {}
    rate = 1.0 / float(extract["t"][1] - extract["t"][0])
    whole = int(int(len(extract["t"]) * f / rate + 1e-6) * rate / f + 0.5)
    if whole < rate / f * 0.99:
        return {}
    return {role: harmonics_of(values[:whole], rate, f, orders) for role, values in extract.items() if role != "t"}


def spectrum(material: Material) -> Section:
    """Harmonics of a short recording: means of its windows, or fitted to its first cycles."""
    table = next((t for t in ("3s", "basic") if material.column(t, f"HU_{(*material.voltages, 'L1')[0]}") is not None), "")
    blocks: list[Block] = []
    fitted = {} if table else of_extract(material)
    quiet = ~material.disturbed(table) if table else np.zeros(0, bool)
    if not quiet.any():
        quiet = np.ones(len(quiet), bool)
    for kind, phases, what in (("U", material.voltages, "Harmonic voltages"), ("I", material.currents, "Harmonic currents")):
        series: dict[str, np.ndarray] = {}
        for phase in phases:
            shares = _shares(material, table, kind, phase) if table else None
            if shares is not None:
                known = np.isfinite(shares[quiet])
                series[phase] = np.where(known.any(0), np.nansum(shares[quiet], 0) / np.maximum(known.sum(0), 1), np.nan)
            elif f"{kind}_{phase}" in fitted:
                found = np.abs(fitted[f"{kind}_{phase}"])
                series[phase] = 100 * found / found[1] if found[1] > 0 else found * np.nan
        series = {p: v for p, v in series.items() if np.isfinite(v[2:]).any()}
        if series:
            how = (
                "means of the windows, by sub-groups" + ("" if quiet.all() else "; without those of events")
                if table
                else "fitted to the whole cycles shown above; too short for windows of 10 or 12 cycles"
            )
            blocks.append(_bars(what, series, {}, f"{what} in % of the fundamental: {how}.", "% of fundamental"))
    if not blocks:
        blocks.append(Words(["There is no spectrum: no whole cycle, no fundamental, or spectra are switched off."]))
    return Section("spectrum", "Spectrum", blocks)
