"""Phasor diagrams and the power triangle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .marks import GRID, INK, MUTED, Style, num, symbol, tag, text, text_width

__all__ = ["Arrow", "phasors", "triangle"]

_SIDE = 340.0
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Arrow:
    """A phasor: magnitude as a share of the largest of its kind, angle in degrees, counter-clockwise from the right."""

    name: str
    magnitude: float
    angle: float
    style: Style
    current: bool = False
    before: bool = False


def _canvas(body: str, alt: str, width: float, height: float) -> str:
    return tag("svg", body, viewBox=f"0 0 {num(width)} {num(height)}", role="img", aria_label=alt, font_size=12, font_family=_FONT)


def _arrow(x0: float, y0: float, x1: float, y1: float, colour: str, width: float, dash: str | None = None) -> str:
    length = math.hypot(x1 - x0, y1 - y0)
    parts = tag("path", d=f"M{num(x0)} {num(y0)}L{num(x1)} {num(y1)}", stroke=colour, stroke_width=width, stroke_dasharray=dash, fill="none")
    if length > 14:
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        corners = [(x1, y1), (x1 - 9 * ux + 4 * uy, y1 - 9 * uy - 4 * ux), (x1 - 9 * ux - 4 * uy, y1 - 9 * uy + 4 * ux)]
        parts += tag("polygon", points=" ".join(f"{num(a)},{num(b)}" for a, b in corners), fill=colour)
    return parts


def phasors(arrows: Sequence[Arrow], alt: str) -> str:
    """Voltages to the outer ring and currents, dashed and marked, to the inner one.

    Parameters
    ----------
    arrows : sequence of Arrow
    alt : str
        What is to be seen.
    """
    centre, outer, inner = _SIDE / 2, _SIDE / 2 - 38, (_SIDE / 2 - 38) * 0.66
    rings = [tag("circle", cx=centre, cy=centre, r=float(r), fill="none", stroke=GRID) for r in (outer, inner)]
    spokes = "".join(
        f"M{num(centre)} {num(centre)}l{num(outer * math.cos(math.radians(a)))} {num(-outer * math.sin(math.radians(a)))}" for a in range(0, 360, 30)
    )
    parts = [*rings, tag("path", d=spokes, stroke=GRID, fill="none")]
    names: list[tuple[float, float, str]] = []
    for arrow in arrows:
        radius = (inner if arrow.current else outer) * min(max(arrow.magnitude, 0.0), 1.15)
        ux, uy = math.cos(math.radians(arrow.angle)), -math.sin(math.radians(arrow.angle))
        x, y = centre + radius * ux, centre + radius * uy
        dash = "2 3" if arrow.before else "6 3" if arrow.current else None
        colour = "#8795a1" if arrow.before else arrow.style.colour
        parts.append(_arrow(centre, centre, x, y, colour, 1.4 if arrow.before else 2.2 if not arrow.current else 1.8, dash))
        if arrow.current:
            parts.append(symbol(arrow.style.symbol, centre + 0.6 * radius * ux, centre + 0.6 * radius * uy, colour))
        if arrow.name:
            names.append(_free(names, centre, radius, math.radians(arrow.angle), arrow.name))
    parts += [text(x, y, name, "middle", fill=INK, halo=True) for x, y, name in names]
    return _canvas("".join(parts), alt, _SIDE, _SIDE)


def _free(taken: Sequence[tuple[float, float, str]], centre: float, radius: float, angle: float, name: str) -> tuple[float, float, str]:
    """A place for a name at the tip, turned away from others and kept within the picture."""
    half = text_width(name) / 2
    place = (centre, centre, name)
    for distance in (15, 24, 34):
        for turn in (0.0, 0.14, -0.14, 0.28, -0.28, 0.42, -0.42):
            at = max(radius, 14.0) + distance
            x, y = centre + at * math.cos(angle + turn), centre - at * math.sin(angle + turn) + 4
            place = (min(max(x, half + 2), _SIDE - half - 2), min(max(y, 13.0), _SIDE - 4), name)
            if all(abs(place[0] - a) > half + text_width(other) / 2 or abs(place[1] - b) > 13 for a, b, other in taken):
                return place
    return place


def triangle(p: float, q: float, s: float, words: Sequence[str], alt: str) -> str:
    """Active power to the right, reactive power up, apparent power; what S has beyond P and Q as an arc.

    Parameters
    ----------
    p, q, s : float
        W, var, VA.
    words : sequence of str
        Of P, Q and S.
    """
    width, height, room = _SIDE, 250.0, 46.0
    largest = max(abs(p), abs(q), 1e-30)
    side = min(text_width(words[1]) + 16, 130.0)  # beside the upright goes its name
    scale = min((width - 30 - side) / max(largest, s), (height - 2 * room) / max(abs(q), 1e-30))
    x0 = 30.0 if p >= 0 else width - 30
    y0 = height - room if q >= 0 else room
    x1, y1 = x0 + p * scale, y0 - q * scale
    colours = (Style("#0067a6", ""), Style("#8a2f6b", ""), Style("#1b2530", ""))
    parts = [tag("path", d=f"M8 {num(y0)}H{num(width - 8)}M{num(x0)} 8V{num(height - 8)}", stroke=GRID, fill="none")]
    parts.append(_arrow(x0, y0, x1, y0, colours[0].colour, 2.4))
    parts.append(_arrow(x1, y0, x1, y1, colours[1].colour, 2.4, "6 3"))
    beyond = s / max(math.hypot(p, q), 1e-30)
    if beyond > 1.002:
        xs, ys = x0 + (x1 - x0) * beyond, y0 + (y1 - y0) * beyond
        parts.append(_arrow(x0, y0, xs, ys, MUTED, 1.6, "2 3"))
    parts.append(_arrow(x0, y0, x1, y1, colours[2].colour, 2.0))
    below = y0 + 18 if q >= 0 else y0 - 9
    parts.append(text(_within((x0 + x1) / 2, words[0], width), below, words[0], "middle", fill=INK, halo=True))
    beside = _within(x1 + (8 if p >= 0 else -8) + math.copysign(text_width(words[1]) / 2, p), words[1], width)
    parts.append(text(beside, (y0 + y1) / 2 + (4 if abs(y1 - y0) > 40 else -10 if q >= 0 else 22), words[1], "middle", fill=INK, halo=True))
    above = min(y0, y1) - 10 if q >= 0 else max(y0, y1) + 18
    parts.append(text(_within((x0 + x1) / 2, words[2], width), min(above, height - 6), words[2], "middle", fill=INK, halo=True))
    return _canvas("".join(parts), alt, width, height)


def _within(x: float, words: str, width: float) -> float:
    half = text_width(words) / 2
    return min(max(x, half + 2), width - half - 2)
