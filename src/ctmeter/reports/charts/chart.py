"""One chart: axes with ticks, lines with ribbons, limits, marks and a legend, drawn for a given width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .decimate import columns, zigzag
from .labels import FALL, Band, Box, beside
from .marks import GRID, INK, MUTED, Style, num, polyline, symbol, tag, text, text_width
from .scale import Scale

__all__ = ["NARROW", "WIDE", "Area", "Chart", "Level", "Line", "Point", "figure"]

#: Widths that charts are drawn for: a page, and a phone.
WIDE, NARROW = 760, 380
_SIZE = 12.0
_ROW = 19.0
#: Symbols on a line, at most.
_SYMBOLS = 7


@dataclass(frozen=True)
class Line:
    """A series.

    Parameters
    ----------
    name : str
        In the legend; none where empty.
    x, y : ndarray of float64, shape (n,)
        Rising places, and values; NaN interrupts the line.
    low, high : ndarray of float64, shape (n,), optional
        Edges of the ribbon.
    steps : bool
        Each value stands until the next place.
    dense : bool
        A waveform: decimated to its envelope rather than to means.
    dash : str, optional
        Pattern of the stroke.
    symbols : bool
        Whether it carries the symbol of its style here and there.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    style: Style
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    steps: bool = False
    dense: bool = False
    dash: str | None = None
    width: float = 1.5
    symbols: bool = True


@dataclass(frozen=True)
class Level:
    """A horizontal line with words: a limit (red, dashed), or a mark of statistics (grey, dotted); the chart reaches to it if `inside`."""

    y: float
    words: str
    limit: bool = True
    inside: bool = True


@dataclass(frozen=True)
class Area:
    """A stretch of the x axis set off by a shade: an event, missing data."""

    start: float
    stop: float
    words: str = ""
    colour: str = "#8795a1"


@dataclass(frozen=True)
class Point:
    """A mark of its own, with a number beside it where it has one."""

    x: float
    y: float
    style: Style
    words: str = ""
    solid: bool = False


@dataclass(frozen=True)
class _Placed:
    """A line in places of the drawing, with the edges of its ribbon where it has one."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @property
    def bands(self) -> list[Band]:
        """What words should not stand on: the curve, and less so the ribbon."""
        found = [Band(self.x, self.y - 1.5, self.y + 1.5, 1.0)]
        if self.low is not None and self.high is not None:
            found.append(Band(self.x, self.high, self.low, 0.3))
        return found


@dataclass(frozen=True)
class Chart:
    """What a chart shows; `draw` gives it for a width.

    Parameters
    ----------
    alt : str
        What is to be seen, for those who do not see it.
    x, y : Scale
    x_words, y_words : str
        What the axes carry, with unit.
    legend : sequence of (str, Style, str)
        Name, style and kind ("line", "point", "limit") of entries beside those of the lines.
    """

    alt: str
    x: Scale
    y: Scale
    x_words: str = ""
    y_words: str = ""
    lines: Sequence[Line] = ()
    levels: Sequence[Level] = ()
    areas: Sequence[Area] = ()
    points: Sequence[Point] = ()
    legend: Sequence[tuple[str, Style, str]] = field(default=())
    height: float = 250.0

    def draw(self, width: float) -> str:
        """The chart as an SVG element of that width in its own units."""
        y_ticks = self.y.ticks(max(3, int(self.height / 42)))
        left = max([text_width(words) for _, words in y_ticks] + [34.0]) + 12  # seldom wider, so that charts stand in line
        entries = self._entries(width, left)
        top = 8 + _ROW * (1 + max((row for row, *_ in entries), default=0))
        right, bottom = width - 14, self.height - (40 if self.x_words else 24)
        frame = (left, top, right, bottom)
        places = [self._placed(line, frame) for line in self.lines]
        # above the frame there is room beside the legend
        legend = max((x + 30 + text_width(name) for row, x, name, *_ in entries if 20 + _ROW * row > top - 18), default=text_width(self.y_words) + 8)
        body = [
            self._areas(frame),
            self._axes(frame, y_ticks, width),
            self._curves(frame, places),
            self._levels(frame, places, legend),
            self._marks(frame),
            self._legend(entries),
        ]
        return tag(
            "svg",
            "".join(body),
            viewBox=f"0 0 {num(width)} {num(self.height)}",
            role="img",
            aria_label=self.alt,
            font_size=12,
            font_family="system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
        )

    def _entries(self, width: float, left: float) -> list[tuple[int, float, str, Style, str]]:
        """Row and place of each entry of the legend, to the right of the words of the y axis."""
        wanted = [(line.name, line.style, "plain" if not line.symbols else "line") for line in self.lines if line.name] + list(self.legend)
        row, x = 0, text_width(self.y_words) + 18 if self.y_words else left
        found = []
        for name, style, kind in wanted:
            need = 30 + text_width(name) + 14
            if x + need > width and x > left:
                row, x = row + 1, left
            found.append((row, x, name, style, kind))
            x += need
        return found

    def _legend(self, entries: Sequence[tuple[int, float, str, Style, str]]) -> str:
        parts = []
        for row, x, name, style, kind in entries:
            y = 12 + _ROW * row
            if kind in ("line", "plain", "limit"):
                dash = "6 4" if kind == "limit" else None
                parts.append(tag("path", d=f"M{num(x)} {num(y - 4)}h24", stroke=style.colour, stroke_width=2, stroke_dasharray=dash, fill="none"))
            if kind in ("line", "point", "solid"):
                parts.append(symbol(style.symbol, x + 12, y - 4, style.colour, hollow=kind != "solid"))
            if kind == "bar":
                parts.append(tag("rect", x=x + 4, y=y - 11.0, width=14, height=12, fill=style.colour, fill_opacity=style.fill, stroke=style.colour))
            parts.append(text(x + 30, y, name, fill=INK))
        return "".join(parts)

    def _axes(self, frame: tuple[float, float, float, float], y_ticks: Sequence[tuple[float, str]], width: float) -> str:
        left, top, right, bottom = frame
        parts = [text(2, 12, self.y_words, fill=MUTED)] if self.y_words else []
        rules, words = [], []
        for value, label in y_ticks:
            y = float(self.y.place(value, bottom, top))
            rules.append(f"M{num(left)} {num(y)}H{num(right)}")
            words.append(text(left - 7, y + 4, label, "end"))
        x_ticks = self.x.ticks(max(2, int((right - left) / 78)))
        last = -1e9
        for value, label in x_ticks:
            x, half = float(self.x.place(value, left, right)), text_width(label) / 2
            rules.append(f"M{num(x)} {num(top)}V{num(bottom + 4)}")
            at = min(max(x, half), width - half - 1)
            if at - half > last + 6:
                words.append(text(at, bottom + 18, label, "middle"))
                last = at + half
        parts.append(tag("path", d="".join(rules), stroke=GRID, fill="none"))
        parts.append(tag("g", "".join(words), fill=MUTED, class_="ticks"))
        parts.append(tag("path", d=f"M{num(left)} {num(top)}V{num(bottom)}H{num(right)}", stroke="#8795a1", fill="none"))
        if self.x_words:
            parts.append(text((left + right) / 2, bottom + 35, self.x_words, "middle", fill=MUTED))
        return "".join(parts)

    def _areas(self, frame: tuple[float, float, float, float]) -> str:
        left, top, right, bottom = frame
        parts = []
        for area in self.areas:
            a, b = (float(v) for v in np.clip(self.x.place([area.start, area.stop], left, right), left, right))
            thin = b - a < 4.0
            size = max(b - a, 2.0)
            parts.append(tag("rect", x=a, y=float(top), width=size, height=bottom - top, fill=area.colour, fill_opacity="0.5" if thin else "0.18"))
            if area.words and text_width(area.words) < right - a - 6:
                parts.append(text(a + 4, top + 13, area.words, fill=MUTED))
        return "".join(parts)

    def _placed(self, line: Line, frame: tuple[float, float, float, float]) -> _Placed:
        """A line and the edges of its ribbon, in places of the drawing."""
        left, top, right, bottom = frame
        x, y, low, high = self._thinned(line, int(right - left))
        px, py = self.x.place(x, left, right), np.clip(self.y.place(y, bottom, top), top - 2, bottom + 2)
        if line.steps:
            px, py = np.repeat(px, 2)[1:], np.repeat(py, 2)[:-1]
        if low is None or high is None:
            return _Placed(px, py)
        return _Placed(px, py, *(np.clip(self.y.place(v, bottom, top), top, bottom) for v in (low, high)))

    def _curves(self, frame: tuple[float, float, float, float], places: Sequence[_Placed]) -> str:
        ribbons, strokes = [], []
        for k, (line, at) in enumerate(zip(self.lines, places, strict=True)):
            px, py = at.x, at.y
            if at.low is not None and at.high is not None:
                ribbons += self._ribbon(px, at.low, at.high, line.style.colour)
            strokes.append(
                tag(
                    "path",
                    d=polyline(px, py),
                    stroke=line.style.colour,
                    stroke_width=line.width,
                    stroke_dasharray=line.dash,
                    fill="none",
                    stroke_linejoin="round",
                    class_="curve",
                )
            )
            if line.symbols and line.steps:
                top_step = int(np.nanargmin(py[: len(py) - 1 : 2])) * 2
                strokes.append(symbol(line.style.symbol, float(px[top_step] + px[top_step + 1]) / 2, float(py[top_step]), line.style.colour))
            elif line.symbols:
                strokes += _symbols(px, py, line.style, k, len(self.lines))
        return "".join([*ribbons, *strokes])

    def _thinned(self, line: Line, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        if line.dense:
            return (*zigzag(line.x, line.y, self.x.low, self.x.high, 3 * count // 5), None, None)
        if line.steps or (len(line.x) <= count and line.low is None):
            return line.x, line.y, None, None
        return columns(line.x, line.y, self.x.low, self.x.high, count, line.low, line.high)

    @staticmethod
    def _ribbon(px: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> list[str]:
        whole = np.isfinite(low) & np.isfinite(high) & np.isfinite(px)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], whole.astype(np.int8), [0]])))
        shapes = [
            polyline(np.r_[px[i:j], px[i:j][::-1]], np.r_[high[i:j], low[i:j][::-1]], close=True)
            for i, j in zip(edges[::2], edges[1::2], strict=True)
        ]
        # an edge, so that a band that is as flat as its curve is seen on either side of it
        look = {"fill": colour, "fill_opacity": "0.22", "stroke": colour, "stroke_opacity": "0.45", "stroke_width": "0.7"}
        return [tag("path", d="".join(shapes), class_="ribbon", **look)] if shapes else []

    def _levels(self, frame: tuple[float, float, float, float], places: Sequence[_Placed], legend: float) -> str:
        left, top, right, bottom = frame
        parts: list[str] = []
        taken: list[Box] = [Box(0.0, 0.0, legend, top - 1)]
        room = Box(left + 4, top - 18, right - 4, bottom + 8.5)
        drawn = [band for at in places for band in at.bands]
        placed = sorted(((float(self.y.place(v.y, bottom, top)), v) for v in self.levels), key=lambda p: p[0])
        placed = [(y, v) for y, v in placed if top - 1 <= y <= bottom + 1]
        for k, (y, level) in enumerate(placed):
            colour = "#a81616" if level.limit else MUTED
            dash = "7 4" if level.limit else "2 3"
            parts.append(tag("path", d=f"M{num(left)} {num(y)}H{num(right)}", stroke=colour, stroke_width=1.4, stroke_dasharray=dash, fill="none"))
            box = beside(y, level.words, room, drawn, [other for j, (other, _) in enumerate(placed) if j != k], taken)
            # words of two lines at one height would not tell which is whose
            taken.append(Box(left, box.top, right, box.bottom))
            parts.append(text(box.right, box.bottom - FALL, level.words, "end", fill=colour, halo=True))
        return "".join(parts)

    def _marks(self, frame: tuple[float, float, float, float]) -> str:
        left, top, right, bottom = frame
        parts: list[str] = []
        taken: list[tuple[float, float]] = []
        for p in self.points:
            x, y = float(self.x.place(p.x, left, right)), float(self.y.place(p.y, bottom, top))
            x, y = min(max(x, left), right), min(max(y, top), bottom)
            parts.append(symbol(p.style.symbol, x, y, p.style.colour, 4.2, hollow=not p.solid))
            at = (min(x + 7, right - text_width(p.words)), y - 6 if y - 18 > top else y + 16)
            if p.words and all(abs(at[0] - a) > text_width(p.words) or abs(at[1] - b) > 12 for a, b in taken):
                taken.append(at)
                parts.append(text(*at, p.words, fill=INK, font_size=11, halo=True))
        return "".join(parts)


def _symbols(px: np.ndarray, py: np.ndarray, style: Style, k: int, lines: int) -> list[str]:
    """The symbol of a line at a few of its points, each line's at places of its own."""
    known = np.flatnonzero(np.isfinite(px) & np.isfinite(py))
    if not len(known):
        return []
    count = min(_SYMBOLS, len(known))
    places = known[((np.arange(count) + (k + 0.5) / lines) / count * len(known)).astype(int)]
    return [symbol(style.symbol, px[i], py[i], style.colour) for i in dict.fromkeys(places.tolist())]


def figure(chart: Chart) -> dict[str, str]:
    """A chart as templates take it: for pages, for phones, and its words."""
    return {"wide": chart.draw(WIDE), "narrow": chart.draw(NARROW), "alt": chart.alt}
