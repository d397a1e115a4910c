"""A sheet for each of the worst events: waveform, one-cycle rms between the thresholds, phasors before and during."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...quantity import LINES, PHASES
from ..blocks import Block, Facts, Figure, Heading, Pair, Section, Table, Words, charted
from ..charts.chart import Area, Chart, Level, Line
from ..charts.marks import style_of
from ..charts.phasor import phasors
from ..charts.scale import Linear, spread
from ..material import Material, Waveform, when
from ..numbers import harmonics_of, sliding_rms
from ..units import duration, number, prefix, si
from .power import arrows

__all__ = ["MOST", "deviation", "event_sheets", "voltage_of", "worst"]

#: Sheets in a report.
MOST = 8
#: Cycles shown on either side.
_AROUND = 5
#: Cycles up to which an event is shown whole.
_LONGEST = 30
_SHADE = "#c44e00"


def voltage_of(event: Mapping[str, Any]) -> tuple[float | None, str]:
    """The voltage that says how bad an event is, V, and what it is."""
    for key, words in (("U_residual", "residual voltage"), ("U_max", "largest voltage"), ("dU_max", "largest change")):
        if event.get(key) is not None:
            return float(event[key]), words
    return None, ""


def deviation(event: Mapping[str, Any]) -> float:
    """How far the voltage was from its reference, as a share of it; 0 where that is not known."""
    value, words = voltage_of(event)
    reference = float(event.get("U_ref") or 0.0)
    if value is None or not reference:
        return 0.0
    return abs(value / reference) if words == "largest change" else abs(1 - value / reference)


def worst(events: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """The events farthest from their reference, of equal ones the longest, in the order of their start."""
    kept = [e for e in events if e.get("snippet")]
    chosen = sorted(kept, key=lambda e: (-round(deviation(e), 3), -(e.get("duration") or 1e9)))[:most]
    return sorted(chosen, key=lambda e: str(e.get("t")))


def event_sheets(material: Material) -> Section:
    """The sheets of the worst events."""
    chosen = worst(material.events, MOST)
    blocks: list[Block] = []
    for number_, event in enumerate(chosen, 1):
        wave = material.waveform(event) if material.waveform is not None else None
        title = (
            f"{number_}. {str(event['type']).capitalize()} of {when(event.get('t'))} UTC"
            if material.clock
            else f"{number_}. {str(event['type']).capitalize()}"
        )
        blocks += [Heading(title, f"event-{number_}"), _facts(event, material)]
        if wave is None or len(wave.t) < 2:
            blocks.append(Words([f"Its waveform, {event['snippet']}, cannot be shown: it is not there or cannot be read."], note=True))
        else:
            blocks += _pictures(event, wave, material)
    if not chosen:
        kept = "No waveform was kept of any event." if material.events else "There were no events."
        blocks.append(Words([kept]))
    elif len(chosen) < len(material.events):
        blocks.insert(
            0,
            Words(
                [f"The {len(chosen)} events with a stored waveform that were farthest from the reference voltage, of {len(material.events)} in all."]
            ),
        )
    return Section("event-sheets", "Event sheets", blocks, page=True)


def _facts(event: Mapping[str, Any], material: Material) -> Facts:
    value, words = voltage_of(event)
    rows: list[tuple[str, str]] = [("start", f"{when(event.get('t'), 6)} UTC" if material.clock else "no clock")]
    rows.append(("duration", "not over at the end of the recording" if event.get("duration") is None else duration(event["duration"])))
    rows.append(("phases", ", ".join(event.get("phases") or ())))
    if value is not None:
        share = f", {100 * value / event['U_ref']:.1f} % of {si(event['U_ref'], 'V', 4)}" if event.get("U_ref") else ""
        rows.append((words, si(value, "V") + share))
    return Facts(rows)


def _pictures(event: Mapping[str, Any], wave: Waveform, material: Material) -> list[Block]:
    f = material.summary["mean"].get("f") or material.summary["settings"].get("nominal_frequency") or 50.0
    if not 10.0 < f < 150.0:
        f = 50.0
    length = event.get("duration")
    stop = float(length) if length is not None else float(wave.t[-1])
    shown = (wave.t >= -_AROUND / f) & (wave.t <= stop + _AROUND / f)
    if stop > _LONGEST / f:  # only its two ends
        shown &= (wave.t <= 2 * _AROUND / f) | (wave.t >= stop - 2 * _AROUND / f)
    voltages = [p for p in (LINES if material.summary["wiring"] == "3P3W" else PHASES) if f"U_{p}" in wave.values]
    currents = [p for p in PHASES if f"I_{p}" in wave.values]
    pieces = _pieces(wave.t, shown, wave.rate)
    blocks: list[Block] = []
    for k, piece in enumerate(pieces):
        part = "" if len(pieces) == 1 else (", its start", ", its end")[k] if len(pieces) == 2 else f", part {k + 1} of {len(pieces)}"
        for kind, phases, what in (("U", voltages, "Voltages"), ("I", currents, "Currents")):
            if phases:
                blocks.append(_waves(kind, phases, what, wave, piece, stop, part))
    rms = _rms(event, wave, voltages, f, pieces, stop, material)
    blocks += rms
    blocks += _before_during(event, wave, [*(f"U_{p}" for p in voltages), *(f"I_{p}" for p in currents)], f)
    return blocks


def _pieces(t: np.ndarray, shown: np.ndarray, rate: float) -> list[slice]:
    """The runs of samples that are shown, apart where time is missing."""
    rows = np.flatnonzero(shown)
    if not len(rows):
        return []
    breaks = np.flatnonzero((np.diff(rows) > 1) | (np.diff(t[rows]) > 1.5 / rate))
    starts, stops = np.r_[0, breaks + 1], np.r_[breaks + 1, len(rows)]
    return [slice(int(rows[a]), int(rows[b - 1]) + 1) for a, b in zip(starts, stops, strict=True) if b - a > 1]


def _seconds(piece: tuple[float, float]) -> tuple[float, str]:
    return (1000.0, "ms from the start of the event") if max(abs(piece[0]), abs(piece[1])) < 2 else (1.0, "s from the start of the event")


def _waves(kind: str, phases: Sequence[str], what: str, wave: Waveform, piece: slice, stop: float, part: str) -> Figure:
    t = wave.t[piece]
    factor, words = _seconds((t[0], t[-1]))
    largest = max((float(np.nanmax(np.abs(v))) for p in phases if np.isfinite(v := wave.values[f"{kind}_{p}"][piece]).any()), default=1.0)
    scale, unit = prefix(largest, "V" if kind == "U" else "A")
    lines = [Line(p, t * factor, wave.values[f"{kind}_{p}"][piece] / scale, style_of(p), dense=True, width=1.2) for p in phases]
    x = Linear(t[0] * factor, t[-1] * factor)
    span = spread(-largest / scale, largest / scale, 0.03)
    chart = Chart(
        f"Waveform of the {what.lower()} around the event{part}", x, Linear(*span), words, unit, lines, areas=_during(t, stop, factor), height=220
    )
    rows = []
    for p in phases:
        v = wave.values[f"{kind}_{p}"][piece] / scale
        if np.isfinite(v).any():
            rows.append([p, number(float(np.nanmin(v)), 4), number(float(np.nanmax(v)), 4), number(float(np.sqrt(np.nanmean(v**2))), 4)])
    table = Table(["phase", f"smallest, {unit}", f"largest, {unit}", f"rms of the cut-out, {unit}"], rows, f"{what} as a table", folded=True)
    return charted(chart, f"{what}{part}. Shaded: the event.", table)


def _during(t: np.ndarray, stop: float, factor: float) -> list[Area]:
    start, end = max(0.0, float(t[0])), min(stop, float(t[-1]))
    return [Area(start * factor, end * factor, colour=_SHADE)] if end > start else []


def _thresholds(event: Mapping[str, Any], material: Material) -> list[Level]:
    s = material.summary["settings"]
    kind, hysteresis = str(event["type"]), 100 * s["hysteresis"]
    if kind in ("dip", "swell", "interruption"):
        start = 100 * s[kind]
        end = start + (-hysteresis if kind == "swell" else hysteresis)
        return [Level(start, f"{kind} begins, {start:g} %"), Level(end, f"ends, {end:g} %", limit=False)]
    return []


def _rms(
    event: Mapping[str, Any], wave: Waveform, phases: Sequence[str], f: float, pieces: Sequence[slice], stop: float, material: Material
) -> list[Block]:
    """One-cycle rms from the first to the last sample shown; a figure for each run of samples where time is missing between them."""
    reference = event.get("U_ref") or material.nominal
    if not phases or not reference or not pieces:
        return []
    blocks: list[Block] = []
    runs = _pieces(wave.t, np.ones(len(wave.t), bool), wave.rate)
    first, last = float(wave.t[pieces[0]][0]), float(wave.t[pieces[-1]][-1])
    for run in runs:
        t = wave.t[run]
        inside = (t >= first) & (t <= last)
        curves = [(p, 100 * sliding_rms(wave.values[f"U_{p}"][run], wave.rate / f)[inside] / reference) for p in phases]
        curves = [(p, v) for p, v in curves if np.isfinite(v).any()]
        if curves:
            part = "" if len(runs) == 1 else (", its start", ", its end")[runs.index(run)] if len(runs) == 2 else f", part {runs.index(run) + 1}"
            blocks.append(_rms_figure(t[inside], curves, _thresholds(event, material), stop, part))
    return blocks


def _rms_figure(t: np.ndarray, curves: Sequence[tuple[str, np.ndarray]], levels: Sequence[Level], stop: float, part: str) -> Figure:
    factor, words = _seconds((float(t[0]), float(t[-1])))
    ends = [float(of(v)) for _, v in curves for of in (np.nanmin, np.nanmax)] + [x.y for x in levels]
    lines = [Line(p, t * factor, v, style_of(p)) for p, v in curves]
    x, y = Linear(t[0] * factor, t[-1] * factor), Linear(*spread(min(ends), max(ends), 0.09))
    chart = Chart(
        f"One-cycle rms of the voltages around the event{part}", x, y, words, "% of reference", lines, levels, _during(t, stop, factor), height=230
    )
    rows = [[p, f"{np.nanmin(v):.1f}", f"{np.nanmax(v):.1f}"] for p, v in curves]
    table = Table(["phase", "smallest, %", "largest, %"], rows, "One-cycle rms as a table", folded=True)
    return charted(chart, f"Rms over the cycle that begins at each instant{part}, in % of the reference voltage, with the thresholds.", table)


def _before_during(event: Mapping[str, Any], wave: Waveform, roles: Sequence[str], f: float) -> list[Block]:
    """Phasors of a whole cycle before the event, and of the cycle in it that is farthest from it."""
    n = int(np.ceil(wave.rate / f)) + 1
    start = int(np.searchsorted(wave.t, 0.0))
    if start - n < 0:
        return []
    begin = max(start - 4 * n, 0)  # some cycles ahead, since what leads to an interruption is no longer undisturbed
    first = slice(begin, begin + n)
    length = event.get("duration") or float(wave.t[-1])
    last = int(np.searchsorted(wave.t, max(length - 1 / f, 0.0)))
    if start >= last:
        last = start + 1
    candidates = [k for k in range(start, last, max(n // 4, 1)) if k + n <= len(wave.t) and wave.t[k + n - 1] - wave.t[k] < 1.5 * n / wave.rate]
    if not candidates:
        return []
    reference = {r: harmonics_of(wave.values[r][first], wave.rate, f)[1] for r in roles}
    voltages = [r for r in roles if r[0] == "U"]

    def distance(k: int) -> float:
        return float(sum(abs(abs(harmonics_of(wave.values[r][k : k + n], wave.rate, f)[1]) - abs(reference[r])) for r in voltages))

    at = max(candidates, key=distance)
    later = {r: harmonics_of(wave.values[r][at : at + n], wave.rate, f)[1] for r in roles}
    if not all(np.isfinite([*reference.values(), *later.values()])):
        return []
    # both cycles against the voltage before the event, as if that had gone on
    lead = next((r for r in voltages if abs(reference[r]) > 0), None)
    if lead is None:
        return []
    turn = np.conj(reference[lead]) / abs(reference[lead])
    advance = np.exp(-2j * np.pi * f * (wave.t[at] - wave.t[first.start]))
    before = {r: complex(v * turn) for r, v in reference.items()}
    during = {r: complex(v * turn * advance) for r, v in later.items()}
    top = {k: max([abs(v) for d in (before, during) for r, v in d.items() if r[0] == k], default=0.0) for k in "UI"}
    rows = []
    for r in roles:
        unit = "V" if r[0] == "U" else "A"
        rows.append([r.replace("_", " "), *(x for v in (before[r], during[r]) for x in (si(abs(v), unit, 4), _angle(v, top[r[0]])))])
    table = Table(["", "before", "angle", "during", "angle"], rows, "Fundamental of a cycle before, and of the cycle farthest from it.")
    svg = phasors(
        [*arrows(before, top, before=True), *arrows(during, top)],
        "Phasors before the event, grey, and during it: " + "; ".join(" ".join(r) for r in rows),
    )
    return [Pair([Figure(svg, svg, "Phasors before (grey, dotted) and during the event. Dashed: currents.", small=True), table])]


def _angle(value: complex, top: float) -> str:
    return f"{np.round(np.degrees(np.angle(value)), 1) + 0.0:.1f} °" if abs(value) > 1e-3 * top else "–"
