"""Results as pieces of HTML, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from ..quantity import ENERGIES
from .units import si

__all__ = ["fragment"]


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


def fragment(summary: Mapping[str, Any]) -> str:
    """Mean values and energies as HTML tables."""
    return _means(summary["mean"]) + _energies(summary["energy"])
