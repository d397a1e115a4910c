"""SVG elements, numbers and symbols: the alphabet of the charts."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["GRID", "INK", "MUTED", "STYLES", "Style", "icon", "num", "polyline", "style_of", "symbol", "tag", "text", "text_width"]

INK, MUTED, GRID = "#1b2530", "#46525e", "#d9dfe5"
#: Mean width of a character as a share of the size of its font, of a wide sans-serif face.
_CHARACTER = 0.6


@dataclass(frozen=True)
class Style:
    """How a phase is drawn: never by its colour alone.

    Parameters
    ----------
    colour : str
        Of Okabe and Ito, so that the colour-blind can tell them apart, and different in grey.
    symbol : str
        Stands on lines and in legends.
    fill : float
        Opacity of the inside of bars.
    """

    colour: str
    symbol: str
    fill: float = 1.0


_L1, _L2, _L3 = Style("#0067a6", "circle", 1.0), Style("#c44e00", "triangle", 0.45), Style("#00795a", "square", 0.0)
STYLES = {
    "L1": _L1, "L2": _L2, "L3": _L3, "L12": _L1, "L23": _L2, "L31": _L3,
    "N": Style("#5a5a5a", "diamond", 0.7), "": Style("#1b2530", "diamond", 0.8),
    "Q": Style("#8a2f6b", "cross", 0.45),
}  # fmt: skip


def style_of(phase: str) -> Style:
    """The style of a phase, of the total where there is none."""
    return STYLES.get(phase, STYLES[""])


def num(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    value = round(float(value), 1)
    return f"{value:g}" if value == int(value) else f"{value:.1f}"


def tag(name: str, content: str = "", **attributes: Any) -> str:
    """An element; names of attributes with a low line for the hyphen, values escaped."""
    parts = []
    for key, value in attributes.items():
        if value is not None:
            shown = num(float(value)) if isinstance(value, (float, np.floating)) else str(value)
            parts.append(f' {key.rstrip("_").replace("_", "-")}="{html.escape(shown, quote=True)}"')
    return f"<{name}{''.join(parts)}>{content}</{name}>" if content else f"<{name}{''.join(parts)}/>"


def text(x: float, y: float, words: str, anchor: str = "start", *, halo: bool = False, **attributes: Any) -> str:
    """Words, escaped, with their base line at y; with a white halo where they stand on lines."""
    place: dict[str, Any] = {"x": float(x), "y": float(y), "text_anchor": None if anchor == "start" else anchor}
    drawn = tag("text", html.escape(words), **place, **attributes)
    if halo:
        # an element of its own beneath, because not everything that draws SVG knows paint-order
        edge = {"stroke": "#fff", "fill": "#fff", "stroke_width": 3, "stroke_linejoin": "round", "class_": "halo"}
        drawn = tag("text", html.escape(words), **place, **{**attributes, **edge}) + drawn
    return drawn


def text_width(words: str, size: float = 12.0) -> float:
    """About how wide words are, rather too wide than too narrow."""
    return _CHARACTER * size * len(words)


def polyline(x: Iterable[float], y: Iterable[float], close: bool = False) -> str:
    """The data of a path through the points, to a tenth of a pixel; where a value is missing, a new piece begins.

    Examples
    --------
    >>> polyline([0.0, 10.0, 20.04, 30.0], [5.0, 4.5, float("nan"), 1.0])
    'M0 5l10-.5M30 1'
    """
    points = np.array([np.fromiter(x, np.float64), np.fromiter(y, np.float64)])
    known = np.isfinite(points).all(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    parts: list[str] = []
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        # steps of rounded places, so that nothing adds up
        places = np.rint(10 * points[:, a:b]).astype(np.int64)
        parts.append(f"M{_tenths(places[0, 0])} {_tenths(places[1, 0])}")
        steps = np.diff(places, axis=1).T.ravel().tolist()
        if steps:
            words = "".join(w if w[0] == "-" else f" {w}" for w in map(_tenths, steps))
            parts.append("l" + words.lstrip(" "))
        if close:
            parts.append("Z")
    return "".join(parts)


def _tenths(value: int) -> str:
    """A number of tenths, as short as SVG allows."""
    whole, rest = divmod(abs(int(value)), 10)
    text_ = f"{whole or ''}.{rest}" if rest else f"{whole}"
    return f"-{text_}" if value < 0 else text_


def _polygon(points: Sequence[tuple[float, float]], x: float, y: float) -> str:
    return " ".join(f"{num(x + a)},{num(y + b)}" for a, b in points)


def symbol(kind: str, x: float, y: float, colour: str, size: float = 3.6, *, hollow: bool = True) -> str:
    """A mark of about twice `size`, white inside unless solid."""
    look: dict[str, Any] = {"fill": "#fff" if hollow else colour, "stroke": colour, "stroke_width": 1.4}
    if kind == "circle":
        return tag("circle", cx=float(x), cy=float(y), r=float(size), **look)
    if kind in ("cross", "plus"):
        d, e = (size, size) if kind == "cross" else (size, 0.0)
        lines = f"M{num(x - d)} {num(y - e)}L{num(x + d)} {num(y + e)}M{num(x - e)} {num(y + d)}L{num(x + e)} {num(y - d)}"
        return tag("path", d=lines, fill="none", stroke=colour, stroke_width=1.8)
    s = size
    shapes = {
        "triangle": [(0, -1.2 * s), (1.15 * s, 0.9 * s), (-1.15 * s, 0.9 * s)],
        "down": [(0, 1.2 * s), (1.15 * s, -0.9 * s), (-1.15 * s, -0.9 * s)],
        "square": [(-0.9 * s, -0.9 * s), (0.9 * s, -0.9 * s), (0.9 * s, 0.9 * s), (-0.9 * s, 0.9 * s)],
        "diamond": [(0, -1.25 * s), (1.25 * s, 0), (0, 1.25 * s), (-1.25 * s, 0)],
    }
    return tag("polygon", points=_polygon(shapes[kind], x, y), **look)


#: Of each verdict: colour, and the path of a sign within 16 by 16.
_SIGNS = {
    "pass": ("#00694d", "M3.5 8.5l3 3 6-7"),
    "fail": ("#a81616", "M4 4l8 8M12 4l-8 8"),
    "insufficient-data": ("#6b5300", "M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.8-1.1 1.6M8 12.2v.4"),
    "none": ("#46525e", "M4 8h8"),
}


def icon(verdict: str | None, x: float | None = None, y: float | None = None) -> str:
    """The sign of a verdict in a ring, beside its colour: a tick, a cross, a question mark, a dash."""
    colour, path = _SIGNS.get(verdict or "none", _SIGNS["none"])
    solid = verdict == "fail"
    ring = tag("circle", cx=8, cy=8, r=7.2, fill=colour if solid else "#fff", stroke=colour, stroke_width="1.4")
    sign = tag("path", d=path, fill="none", stroke="#fff" if solid else colour, stroke_width="1.8", stroke_linecap="round")
    if x is not None and y is not None:
        return tag("g", ring + sign, transform=f"translate({num(x - 8)} {num(y - 8)})")
    return tag("svg", ring + sign, class_="icon", width=16, height=16, viewBox="0 0 16 16", aria_hidden="true")
