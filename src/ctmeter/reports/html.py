"""A small self-contained HTML page of a result: no network, no script."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..quantity import ENERGIES
from .units import duration, si

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure

__all__ = ["fragment", "report_page"]

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2530}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #ccd4dc}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .9rem .2rem 0;text-align:right}th:first-child,td:first-child{text-align:left}
table.named td:nth-child(2),table.named th:nth-child(2){text-align:left}figure{margin:1rem 0}figcaption{color:#52606d}
th{border-bottom:1px solid #8795a1;font-weight:600}img{max-width:100%}.sub{color:#52606d}li{margin:.2rem 0}
@media print{body{margin:0;max-width:none;font-size:11px}}
"""
#: Readable by the colour-blind, and different in grey (Okabe and Ito).
_COLOURS = {"L1": "#0072b2", "L2": "#d55e00", "L3": "#009e73", "N": "#555555", "L12": "#0072b2", "L23": "#d55e00", "L31": "#009e73"}
_STYLES = {"L1": "-", "L2": "--", "L3": "-.", "N": ":", "L12": "-", "L23": "--", "L31": "-."}
_POINTS = 1200


def _cells(cells: Sequence[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"


def _means(mean: Mapping[str, Any]) -> str:
    rows = [_cells(("mean", "L1", "L2", "L3", "total"), "th")]
    for name, unit in (("U", "V"), ("I", "A"), ("P", "W"), ("Q", "var"), ("S", "VA"), ("PF", "1")):
        values = [mean.get(f"{name}_{p}") for p in ("L1", "L2", "L3")] + [mean.get(name)]
        if any(v is not None for v in values):
            rows.append(_cells([name, *("" if v is None else si(v, unit) for v in values)]))
    lines = [mean.get(f"U_{p}") for p in ("L12", "L23", "L31")]
    if any(v is not None for v in lines):
        rows.append(_cells(["U L12, L23, L31", *(si(v, "V") for v in lines), ""]))
    if mean.get("I_N") is not None:
        rows.append(_cells(["I neutral", "", "", "", si(mean["I_N"], "A")]))
    rows.append(_cells(["frequency", "", "", "", si(mean.get("f"), "Hz", 6)]))
    return f"<table>{''.join(rows)}</table>"


def _energies(energy: Mapping[str, Any]) -> str:
    rows = [_cells(("register", "meaning", "L1", "L2", "L3", "total"), "th")]
    for e in ENERGIES:
        rows.append(_cells([e.name, e.meaning, *(si(energy.get(e.name + s), e.unit) for s in ("_L1", "_L2", "_L3", ""))]))
    return f'<table class="named">{"".join(rows)}</table>'


def _image(figure: Figure, text: str) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    encoded = base64.b64encode(data.getvalue()).decode()
    image = f'<img alt="{html.escape(text, quote=True)}" src="data:image/png;base64,{encoded}">'
    return f"<figure>{image}<figcaption>{html.escape(text)}</figcaption></figure>"


def _two_axes(upper: str, lower: str, x: str) -> tuple[Figure, Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.8), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.set_ylabel(upper)
    bottom.set_ylabel(lower)
    bottom.set_xlabel(x)
    for axes in (top, bottom):
        axes.grid(alpha=0.3)
    return figure, top, bottom


def _legends(*all_axes: Any) -> None:
    for axes in all_axes:
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, fontsize="small", frameon=False)


def _waveform(extract: Mapping[str, np.ndarray]) -> str:
    figure, top, bottom = _two_axes("V", "A", "ms")
    for role, values in extract.items():
        if role != "t":
            phase = role.partition("_")[2]
            axes = top if role[0] == "U" else bottom
            axes.plot(extract["t"] * 1000, values, label=role, color=_COLOURS.get(phase), linestyle=_STYLES.get(phase, "-"), linewidth=1.1)
    _legends(top, bottom)
    return _image(figure, "the first cycles: voltages above, currents below")


def _trend(table: pa.Table) -> str:
    """Trend of U and P with the band of smallest and largest values where there are many."""
    figure, top, bottom = _two_axes("U, V", "P, W", "s from the first window")
    t = table.column("t").cast("int64").to_numpy()
    seconds = (t - t[0]) * 1e-9
    groups = np.array_split(np.arange(len(seconds)), min(len(seconds), _POINTS))
    x = np.array([seconds[g[0]] for g in groups])
    for axes, names in ((top, ("U_L1", "U_L2", "U_L3", "U_L12", "U_L23", "U_L31")), (bottom, ("P_L1", "P_L2", "P_L3", "P"))):
        columns = {n: table.column(n).to_numpy() for n in names if table.column(n).null_count < len(table)}
        if any(n in columns for n in ("U_L1", "U_L2", "U_L3")):
            columns = {n: v for n, v in columns.items() if n not in ("U_L12", "U_L23", "U_L31")}
        for name, values in columns.items():
            phase = name.partition("_")[2]
            parts = [values[g][np.isfinite(values[g])] for g in groups]
            mean, low, high = (np.array([f(p) if len(p) else np.nan for p in parts]) for f in (np.mean, np.min, np.max))
            style = {"color": _COLOURS.get(phase, "#000000"), "linestyle": _STYLES.get(phase, "-")}
            axes.plot(x, mean, label=name, linewidth=1.1, **style)
            axes.fill_between(x, low, high, color=style["color"], alpha=0.2, linewidth=0)
    _legends(top, bottom)
    return _image(figure, "trend of voltage and active power over the windows")


def _pictures(tables: Mapping[str, pa.Table], extract: Mapping[str, np.ndarray]) -> str:
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        return '<p class="sub">No pictures: the extra "report" is not installed.</p>'
    parts = [_waveform(extract)] if extract else []
    table = tables.get("basic")
    if table is None or len(table) < 2:
        table = tables.get("cycle")
    if table is not None and len(table) >= 2:
        parts.append(_trend(table))
    return "".join(parts)


def fragment(summary: Mapping[str, Any]) -> str:
    """Mean values and energies as HTML tables, for notebooks."""
    return _means(summary["mean"]) + _energies(summary["energy"])


def report_page(summary: Mapping[str, Any], tables: Mapping[str, pa.Table], extract: Mapping[str, np.ndarray]) -> str:
    """The page as text.

    Parameters
    ----------
    summary : mapping
        As in `summary.json`.
    tables : mapping of str to pyarrow.Table
    extract : mapping of str to ndarray
        The first cycles: seconds under "t", V and A under the roles; may be empty.
    """
    recording, quality = summary["recording"], summary["quality"]
    name = html.escape(os.path.basename(str(recording.get("source") or "recording"))[:200])
    facts = [recording.get("format"), summary["wiring"], recording.get("start") or "no clock", duration(recording["duration_s"])]
    sides = ", ".join(f"{k} {v}" for k, v in summary["sides"].items())
    warnings = "".join(f"<li>{html.escape(str(w)[:2000])}</li>" for w in [*recording.get("warnings", ()), *summary["warnings"]])
    left_out = "".join(f"<li>{html.escape(x['what'])}: {html.escape(x['why'])}</li>" for x in summary["not_measured"])
    excluded = ", ".join(f"{n} {reason}" for reason, n in quality["excluded"].items()) or "none"
    faulty = [f"{quality['gaps']} samples are missing (gaps)."] if quality.get("gaps") else []
    for kind, words in (("not_finite", "missing or not finite"), ("saturated", "saturated")):
        if quality.get(kind):
            faulty.append(f"Samples {words}: {', '.join(f'{n} of {c}' for c, n in quality[kind].items())}.")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title><style>{_STYLE}</style></head><body>
<h1>{name}</h1><p class="sub">{html.escape(" · ".join(str(f) for f in facts if f))}<br>sides: {html.escape(sides)}</p>
<h2>Mean values</h2>{_means(summary["mean"])}
<h2>Energies</h2>{_energies(summary["energy"])}
<h2>Waveform and trend</h2>{_pictures(tables, extract)}
<h2>Quality</h2><p>{quality["integrated"]} of {quality["samples"]} samples integrated; left out: {html.escape(excluded)}.
{html.escape(" ".join(faulty))}</p>
{f"<h2>Warnings</h2><ul>{warnings}</ul>" if warnings else ""}
{f"<h2>Not measured</h2><ul>{left_out}</ul>" if left_out else ""}
<p class="sub">{html.escape(summary["program"]["name"])} {html.escape(summary["program"]["version"])}</p>
</body></html>
"""
