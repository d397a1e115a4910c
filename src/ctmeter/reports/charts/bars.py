"""Bars: of the orders of a spectrum with the staircase of limits, and of parameters against their limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .marks import GRID, INK, MUTED, Style, icon, num, symbol, tag, text, text_width
from .scale import Linear

__all__ = ["Bar", "Orders", "against_limits"]

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LIMIT = "#a81616"


def _inside(style: Style) -> dict[str, str]:
    """How a bar is filled: hollow ones hide the grid behind them."""
    return {"fill": style.colour, "fill_opacity": f"{style.fill:g}"} if style.fill else {"fill": "#fff"}


@dataclass(frozen=True)
class Orders:
    """Bars for each order, phases side by side from left to right, and limits as a line above each order.

    Parameters
    ----------
    alt : str
        What is to be seen.
    orders : ndarray of int, shape (n,)
    series : sequence of (str, Style, ndarray of float64 of shape (n,))
        Phase by phase; NaN where there is no value.
    limits : mapping of int to float
        By order; in the unit of the values.
    worst : tuple of (int, str), optional
        An order to be named, and the words.
    """

    alt: str
    orders: np.ndarray
    series: Sequence[tuple[str, Style, np.ndarray]]
    unit: str
    limits: dict[int, float]
    worst: tuple[int, str] | None = None
    height: float = 280.0

    def draw(self, width: float) -> str:
        """The chart as an SVG element."""
        values = [v[np.isfinite(v)] for _, _, v in self.series]
        top_value = max([float(v.max()) for v in values if len(v)] + [max(self.limits.values(), default=0.0), 1e-9])
        scale = Linear(0.0, top_value * 1.12)
        ticks = scale.ticks(6)
        left = max(text_width(words) for _, words in ticks) + 12
        top, right, bottom = 34.0, width - 8, self.height - 40
        cell = (right - left) / len(self.orders)
        parts = [text(2, 12, self.unit, fill=MUTED)]
        rules, words = [], []
        for value, label in ticks:
            y = float(scale.place(value, bottom, top))
            rules.append(f"M{num(left)} {num(y)}H{num(right)}")
            words.append(text(left - 7, y + 4, label, "end"))
        every = next(n for n in (1, 2, 5, 10, 25) if n * cell >= 24 or n == 25)
        for k, order in enumerate(self.orders):
            if order % every == 0 or every == 1:
                words.append(text(left + (k + 0.5) * cell, bottom + 17, str(order), "middle"))
        parts += [tag("path", d="".join(rules), stroke=GRID, fill="none"), tag("g", "".join(words), fill=MUTED, class_="ticks")]
        parts.append(tag("g", self._bars(scale, left, cell, top, bottom), class_="bars"))
        parts.append(tag("path", d=f"M{num(left)} {num(bottom)}H{num(right)}", stroke="#8795a1", fill="none"))
        parts.append(self._staircase(scale, left, cell, top, bottom))
        parts.append(self._name(scale, left, cell, top, bottom, right))
        parts.append(text((left + right) / 2, bottom + 34, "order", "middle", fill=MUTED))
        parts.append(self._legend(left))
        return tag(
            "svg", "".join(parts), viewBox=f"0 0 {num(width)} {num(self.height)}", role="img", aria_label=self.alt, font_size=12, font_family=_FONT
        )

    def _bars(self, scale: Linear, left: float, cell: float, top: float, bottom: float) -> str:
        thick = max(cell * 0.8 / max(len(self.series), 1), 1.0)
        parts = []
        for j, (_, style, values) in enumerate(self.series):
            for k, value in enumerate(values):
                if np.isfinite(value) and bottom - float(scale.place(value, bottom, top)) >= 0.4:
                    y = float(scale.place(value, bottom, top))
                    x = left + k * cell + cell * 0.1 + j * thick
                    look = {**_inside(style), "stroke": style.colour, "stroke_width": "0.8"}
                    parts.append(tag("rect", x=x, y=y, width=max(thick - 0.8, 0.7), height=max(bottom - y, 0.1), **look))
        return "".join(parts)

    def _staircase(self, scale: Linear, left: float, cell: float, top: float, bottom: float) -> str:
        steps = []
        for k, order in enumerate(self.orders):
            limit = self.limits.get(int(order))
            if limit is not None:
                y = float(scale.place(limit, bottom, top))
                steps.append(f"M{num(left + k * cell + 0.5)} {num(y)}h{num(cell - 1)}")
        return tag("path", d="".join(steps), stroke=_LIMIT, stroke_width=2, fill="none", class_="limits") if steps else ""

    def _name(self, scale: Linear, left: float, cell: float, top: float, bottom: float, right: float) -> str:
        if self.worst is None or self.worst[0] not in self.orders:
            return ""
        order, words = self.worst
        k = int(np.flatnonzero(self.orders == order)[0])
        highest = max([float(v[k]) for _, _, v in self.series if np.isfinite(v[k])] + [self.limits.get(order, 0.0)])
        x, y = left + (k + 0.5) * cell, float(scale.place(highest, bottom, top)) - 5
        half = text_width(words) / 2
        at = min(max(x, left + half), right - half)
        return symbol("down", x, y - 3, INK, 3.4, hollow=False) + text(at, y - 11, words, "middle", fill=INK, font_weight=600, halo=True)

    def _legend(self, left: float) -> str:
        parts, x = [], left + text_width(self.unit)
        for name, style, _ in self.series:
            parts.append(tag("rect", x=x, y=2.0, width=13, height=11, **_inside(style), stroke=style.colour))
            parts.append(text(x + 19, 12, name, fill=INK))
            x += 19 + text_width(name) + 16
        if self.limits:
            parts.append(tag("path", d=f"M{num(x)} 8h20", stroke=_LIMIT, stroke_width=2, fill="none") + text(x + 26, 12, "limit", fill=INK))
        return "".join(parts)


@dataclass(frozen=True)
class Bar:
    """A parameter of a phase against its limit.

    Parameters
    ----------
    label : str
        What it is, with its phase.
    share : float or None
        The value that the limit's share of intervals keeps to, as a share of the limit; None without data.
    extreme : float or None
        The largest value, as a share of the limit for all intervals.
    words : str
        The value in numbers.
    verdict : str
    """

    label: str
    share: float | None
    extreme: float | None
    words: str
    verdict: str | None


def against_limits(bars: Sequence[Bar], alt: str, width: float) -> str:
    """One row for each parameter and phase: a wide bar for the share, a thin one for the extreme, a line at the limit."""
    row, top = 23.0, 26.0
    name = max([text_width(b.label, 12.5) for b in bars] + [60.0]) + 32
    value = max([text_width(b.words) for b in bars] + [40.0]) + 8
    if width - name - value < 120:
        name, value = min(name, 0.46 * width), 0.0
    left, right = name, width - value - 6
    largest = max([1.25] + [v for b in bars for v in (b.share, b.extreme) if v is not None and np.isfinite(v)])
    scale = Linear(0.0, min(largest * 1.04, 2.0))
    height = top + row * len(bars) + 24
    parts, rules = [], []
    for tick, _ in scale.ticks(5):
        x = float(scale.place(tick, left, right))
        rules.append(f"M{num(x)} {num(top)}V{num(height - 20)}")
        parts.append(text(x, height - 5, f"{100 * tick:.0f} %", "middle", fill=MUTED))
    parts.insert(0, tag("path", d="".join(rules), stroke=GRID, fill="none"))
    for k, bar in enumerate(bars):
        parts.append(_row(bar, top + row * k, row, (left, right), scale, width if value else 0.0))
    x = float(scale.place(1.0, left, right))
    parts.append(tag("path", d=f"M{num(x)} {num(top - 6)}V{num(height - 20)}", stroke=_LIMIT, stroke_width=2, fill="none"))
    parts.append(text(x, top - 11, "limit", "middle", fill=_LIMIT, font_weight=600))
    return tag("svg", "".join(parts), viewBox=f"0 0 {num(width)} {num(height)}", role="img", aria_label=alt, font_size=12, font_family=_FONT)


_COLOURS = {"pass": "#2a7f9e", "fail": "#c23b22", "insufficient-data": "#8795a1"}


def _row(bar: Bar, y: float, row: float, ends: tuple[float, float], scale: Linear, width: float) -> str:
    left, right = ends
    middle = y + row / 2
    parts = [icon(bar.verdict, 9, middle), text(24, middle + 4, bar.label, fill=INK)]
    colour = _COLOURS.get(bar.verdict or "", MUTED)
    for size, share in ((4.0, bar.extreme), (12.0, bar.share)):
        if share is None or not np.isfinite(share):
            continue
        end = float(scale.place(min(share, scale.high), left, right))
        parts.append(
            tag("rect", x=left, y=middle - size / 2, width=max(end - left, 0.5), height=size, fill=colour, class_="extreme" if size < 10 else "share")
        )
        if share > scale.high:
            parts.append(tag("path", d=f"M{num(right - 6)} {num(middle - 5)}l6 5l-6 5", stroke=INK, stroke_width="1.6", fill="none"))
    if bar.share is None:
        parts.append(text(left + 6, middle + 4, "no valid intervals", fill=MUTED))
    if width:
        parts.append(text(width - 2, middle + 4, bar.words, "end", fill=INK))
    return "".join(parts)
