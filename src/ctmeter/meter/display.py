"""The display: what stands on it when, and how the LCD looks.

Which readings can be seen, and in which order, is said by the lists (`ctmeter.meter.display_lists`). Of the
real LCD there is no module indication and no radio symbol, because there are no modules and no
radio, and its digit heights of 7, 5 and 3 mm are left to the terminal's font.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import InputError
from ..quantity import PHASES
from .display_lists import Item
from .obis import Obis
from .readings import DIGITS, Indicators, Reading, on_side, written

__all__ = ["PAGE_NS", "RETURN_NS", "Buttons", "Frame", "Mode", "automatic_page", "frame", "picture"]

#: How long an item of the automatic list stands.
PAGE_NS = 10_000_000_000
#: After how long without a press the manual list gives way to the automatic one.
RETURN_NS = 120_000_000_000

Mode = Literal["automatic", "manual", "backup"]


def automatic_page(count: int, elapsed_ns: int) -> int:
    """Which item of the automatic list stands on the display: the next one every 10 s.

    Parameters
    ----------
    count : int
        Length of the list, at least 1.
    elapsed_ns : int
        Since the meter started, ns.

    Examples
    --------
    >>> [automatic_page(3, s * 1_000_000_000) for s in (0, 9, 10, 25, 30)]
    [0, 0, 1, 2, 0]
    """
    return elapsed_ns // PAGE_NS % count


@dataclass
class Buttons:
    """The left push button and the clock that ends manual reading.

    The first press opens the manual list at its first item, each further press goes to the next. Two
    minutes after the last press the automatic list is back, in the place its own clock has reached.

    Parameters
    ----------
    automatic, manual : int
        Lengths of the lists, at least 1.
    start_ns : int
        When the meter started; presses and questions are never earlier than the last press.
    """

    automatic: int
    manual: int
    start_ns: int = 0
    pressed_ns: int | None = field(default=None, init=False)
    page: int = field(default=0, init=False)

    def press(self, t_ns: int) -> None:
        """The button is pressed."""
        mode, page = self.shown(t_ns)
        self.page = (page + 1) % self.manual if mode == "manual" else 0
        self.pressed_ns = t_ns

    def shown(self, t_ns: int) -> tuple[Mode, int]:
        """The list on the display and the place of the item in it."""
        if self.pressed_ns is not None and t_ns - self.pressed_ns < RETURN_NS:
            return "manual", self.page
        return "automatic", automatic_page(self.automatic, t_ns - self.start_ns)


@dataclass(frozen=True)
class Frame:
    """Everything on the display at one moment.

    Parameters
    ----------
    obis : str
        Identification field, at most 7 characters.
    value : str
        Value field, at most 9 digits with points and colons between them; "" is unknown.
    unit : str
    side : {"", "primary", "secondary"}
    text : str
        Text field.
    indicators : Indicators
    mode : {"automatic", "manual", "backup"}
    page, pages : int
        Place of the item in its list, from 0, and length of the list.
    serial : str
        Of the nameplate.
    """

    obis: str
    value: str
    unit: str
    side: str
    text: str
    indicators: Indicators
    mode: Mode = "automatic"
    page: int = 0
    pages: int = 1
    serial: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, in the order of the display."""
        plain: dict[str, Any] = {k: getattr(self, k) for k in ("obis", "value", "unit", "side", "text", "mode", "page", "pages", "serial")}
        return {**plain, "indicators": self.indicators.to_dict()}


def frame(
    items: Sequence[str],
    page: int,
    readings: Iterable[Reading],
    indicators: Indicators | None = None,
    *,
    mode: Mode = "automatic",
    decimals: int = 0,
    text: str = "",
    serial: str = "",
) -> Frame:
    """The display with one item of a list.

    Parameters
    ----------
    items : sequence of str
        The list; see `Item`.
    page : int
        Which of it.
    readings : iterable of Reading
        One or both sides.
    indicators : Indicators, optional
        None, and always in backup mode, is a display without any mark.
    decimals : int
        Of energies.
    text, serial : str
        Text field and nameplate.

    Raises
    ------
    InputError
        No such page, or an item that is no code.
    """
    if not 0 <= page < len(items):
        raise InputError(f"page {page} of a list of {len(items)} items", expected=f"0 to {len(items) - 1}")
    item = Item.parse(items[page])
    same = [r for r in readings if Obis.parse(r.obis) == item.code and (not item.secondary or r.side != "primary")]
    chosen = on_side(same, "secondary" if item.secondary else "primary")
    marks = Indicators.dark() if indicators is None or mode == "backup" else indicators
    value, unit, side = "", "", ""
    if chosen:
        shown = written(chosen[0], decimals)
        value, unit, side = _last(shown.text), shown.unit, chosen[0].side
    return Frame(item.code.short, value, unit, side, text, marks, mode, page, len(items), serial)


def _last(text: str) -> str:
    """The last nine digits or letters of a text, with the points between them."""
    kept, cells = "", 0
    for c in reversed(text):
        cells += c not in _BETWEEN
        if cells > DIGITS:
            break
        kept = c + kept
    return kept


#: Signs that stand between two digits rather than in the place of one.
_BETWEEN = ".:"

# Seven segments of each sign, in three rows of three.
_SEGMENTS = {
    "0": "┏━┓┃ ┃┗━┛", "1": "  ╻  ┃  ╹", "2": "╺━┓┏━┛┗━╸", "3": "╺━┓╺━┫╺━┛", "4": "╻ ╻┗━┫  ╹", "5": "┏━╸┗━┓╺━┛", "6": "┏━╸┣━┓┗━┛",
    "7": "╺━┓  ┃  ╹", "8": "┏━┓┣━┫┗━┛", "9": "┏━┓┗━┫╺━┛", "A": "┏━┓┣━┫╹ ╹", "B": "╻  ┣━┓┗━┛", "C": "┏━╸┃  ┗━╸", "D": "  ╻┏━┫┗━┛",
    "E": "┏━╸┣━╸┗━╸", "F": "┏━╸┣━╸╹  ", "H": "╻ ╻┣━┫╹ ╹", "L": "╻  ┃  ┗━╸", "P": "┏━┓┣━┛╹  ", "U": "╻ ╻┃ ┃┗━┛", "-": "   ╺━╸   ", " ": " " * 9,
}  # fmt: skip
_UNLIT = "··"
_WIDTH = 60


def picture(shown: Frame) -> str:
    """The LCD, drawn in 11 lines of 62 characters.

    Above the value stand the OBIS code, the text and the tariff; behind it the side and the unit, and the
    quadrant as a quarter of a disc and by name (import to the right, inductive upwards); below it the phases with
    voltage and the direction of their load, the phase sequence, and the symbols for errors and
    tampering, filled where it is permanent. What is unlit is a dot, an unknown value nine dashes.
    """
    marks = shown.indicators
    tariffs = " ".join(f"T{t}" if marks.tariff == t else _UNLIT for t in range(1, 5))
    rows = _digits(shown.value or "-" * DIGITS)
    side = {"primary": "PRIM", "secondary": "SEC"}.get(shown.side, "")
    phases = "  ".join(
        (p if u else _UNLIT) + {1: "▶", -1: "◀"}.get(i or 0, "·") for p, u, i in zip(PHASES, marks.voltage, marks.current, strict=True)
    )
    error = "▲ ERROR" if marks.error else ""
    tamper = {"temporary": "□ TAMPER", "permanent": "■ TAMPER"}.get(marks.tamper, "")
    body = [
        "",
        f"  {shown.obis:<9}{_plain(shown.text, 28):<30}{tariffs:>15}",
        "",
        *(f"  {row}   {label:<9}{quarter}" for row, label, quarter in zip(rows, (side, "", shown.unit), _quadrant(marks.quadrant), strict=True)),
        "",
        f"  {phases}   {marks.sequence or '···':<12}{error:<11}{tamper:<9}",
        "",
    ]
    foot = f"{shown.mode} {shown.page + 1}/{shown.pages}"
    lines = [_edge("╭", _plain(shown.serial, 40), "╮"), *(f"│{line:<{_WIDTH}}│" for line in body), _edge("╰", foot, "╯")]
    return "\n".join(lines)


def _edge(left: str, title: str, right: str) -> str:
    return f"{left}{f'─ {title} ' if title else '':─<{_WIDTH}}{right}"


def _plain(text: str, width: int) -> str:
    """Text that is harmless to a terminal, cut with an ellipsis where it is too long."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= width else clean[: width - 1] + "…"


def _digits(text: str) -> list[str]:
    """Three rows of segments, right-aligned in the places of nine digits."""
    cells: list[tuple[str, str]] = []
    for c in text:
        if c in _BETWEEN and cells:
            cells[-1] = (cells[-1][0], c)
        else:
            cells.append((c, " "))
    cells = [(" ", " ")] * (DIGITS - len(cells)) + cells[-DIGITS:]
    rows = []
    for k in range(3):
        row = ""
        for sign, after in cells:
            drawn = _SEGMENTS.get(sign.upper(), f"    {sign}    ")
            gap = {".": "  ▪", ":": " ▪▪"}.get(after, "   ")[k]
            row += drawn[3 * k : 3 * k + 3] + gap
        rows.append(row)
    return rows


def _quadrant(quadrant: int | None) -> tuple[str, str, str]:
    """Axes with one quarter of a disc: I upper right, II upper left, III lower left, IV lower right."""
    one, two, three, four = (sign if quadrant == k else "·" for k, sign in enumerate("◣◢◥◤", 1))
    return f"{two}│{one}", f"─┼─ Q{quadrant}" if quadrant else "─┼─", f"{three}│{four}"
