"""A map of shares: a row for each place, a column for each span of time; darker is more, and a sign in the cell is a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .marks import INK, MUTED, num, tag, text, text_width

__all__ = ["Heat", "behind", "clipped"]

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
#: From nothing to everything, told apart by lightness alone.
_SHADES = ("#ffffff", "#dbe7f1", "#a9c6de", "#6d9dc5", "#2f6a9e")
#: Shares from which each shade is meant; the second one is of whatever was recorded at all.
_FROM = (0.0, math.ulp(0.0), 0.5, 0.9, 0.99)
_WORDS = ("none", "to 50 %", "to 90 %", "to 99 %", "99 % or more")
_SIGNS = {
    "pass": "M-3.2 .3l2.2 2.2 4.2-5",
    "fail": "M-3-3l6 6M3-3l-6 6",
    "insufficient-data": "M-2-1.6a2 2 0 1 1 2.9 1.8c-.7.3-.9.6-.9 1.2M0 3.2v.3",
}
_NAMES = {"pass": "pass", "fail": "fail", "insufficient-data": "not enough data"}
_ROW = 17.0


def clipped(words: str, most: int) -> str:
    """Words of at most so many characters, the end left out.

    Examples
    --------
    >>> clipped("Umspannwerk Nord", 12)
    'Umspannwerk…'
    """
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def behind(words: str, tail: str, most: int) -> str:
    """Words and what stands behind them, which is what tells them apart, of at most so many characters.

    Examples
    --------
    >>> behind("Umspannwerk Nord", "R-101", 20)
    'Umspannwerk… · R-101'
    """
    if not tail:
        return clipped(words, most)
    tail = f" · {clipped(tail, most // 2)}"
    return clipped(words, most - len(tail)) + tail


def _shade(value: float) -> int:
    return int(np.searchsorted(_FROM, value, side="right")) - 1


@dataclass(frozen=True)
class Heat:
    """Shares from 0 to 1 with verdicts.

    Parameters
    ----------
    alt : str
        What is to be seen.
    rows : sequence of (str, str)
        Names, of which the end is left out where there is no room, and what stands behind them in any case.
    columns : sequence of str
        Names, which stand where there is room.
    shares : ndarray of float64, shape (rows, columns)
        NaN is as 0.
    verdicts : sequence of sequence of (str or None)
        "pass", "fail", "insufficient-data", or None where nothing was judged.
    """

    alt: str
    rows: Sequence[tuple[str, str]]
    columns: Sequence[str]
    shares: np.ndarray
    verdicts: Sequence[Sequence[str | None]]

    def draw(self, width: float) -> str:
        """The chart as an SVG element; of more columns than there is room for the last ones."""
        narrow = width < 500
        most = int((0.42 if narrow else 0.36) * width / text_width("m"))
        names = [behind(name, tail, most) for name, tail in self.rows]
        left = min(max([text_width(n) for n in names] + [40.0]) + 8, 0.5 * width)
        count = min(len(self.columns), int((width - left - 4) // 15))
        first = len(self.columns) - count
        cell = min((width - left - 4) / max(count, 1), 34.0)
        top = 22.0
        bottom = top + _ROW * len(names)
        parts, words = [], []
        for i, name in enumerate(names):
            y = top + _ROW * i
            words.append(text(left - 7, y + 12.5, name, "end"))
            for j in range(count):
                parts.append(self._cell(i, first + j, left + cell * j, y, cell))
        every = next(n for n in (1, 2, 4, 8, 13, 26, 52, 1000) if n * cell >= text_width("2026-W53") + 6)
        for j in (j for j in range(0, count, every) if left + cell * j + text_width("2026-W53") <= width):
            words.append(text(left + cell * j, 14, self.columns[first + j]))
        parts.append(tag("g", "".join(words), fill=MUTED, class_="ticks"))
        legend, height = self._legend(bottom + 14, width)
        parts.append(legend)
        box = f"0 0 {num(width)} {num(height)}"
        return tag("svg", "".join(parts), viewBox=box, role="img", aria_label=self.alt, font_size=12, font_family=_FONT)

    def _cell(self, i: int, j: int, x: float, y: float, cell: float) -> str:
        shade = _shade(float(np.nan_to_num(self.shares[i, j])))
        drawn = tag("rect", x=x + 0.5, y=y + 0.5, width=cell - 1, height=_ROW - 1, fill=_SHADES[shade], stroke="#b7c2cc", stroke_width="0.6")
        verdict = self.verdicts[i][j]
        return drawn + self._sign(verdict, x + cell / 2, y + _ROW / 2, shade) if verdict in _SIGNS else drawn

    @staticmethod
    def _sign(verdict: str, x: float, y: float, shade: int) -> str:
        colour = "#fff" if shade == len(_SHADES) - 1 else INK
        look = {"fill": "none", "stroke": colour, "stroke_width": "2.4" if verdict == "fail" else "1.4", "stroke_linecap": "round"}
        return tag("path", d=_SIGNS[verdict], transform=f"translate({num(x)} {num(y)})", **look)

    def _legend(self, y: float, width: float) -> tuple[str, float]:
        parts, x = [], 2.0
        entries = [("shade", k, w) for k, w in enumerate(_WORDS)] + [("sign", k, w) for k, w in _NAMES.items()]
        for kind, key, words in entries:
            need = 20 + text_width(words) + 8
            if x + need > width:
                x, y = 2.0, y + 19
            if kind == "shade":
                parts.append(tag("rect", x=x, y=y - 6, width=14, height=12, fill=_SHADES[int(key)], stroke="#b7c2cc", stroke_width="0.6"))
            else:
                parts.append(self._sign(str(key), x + 7, y, 0))
            parts.append(text(x + 20, y + 4, words, fill=INK))
            x += need
        return "".join(parts), y + 12
