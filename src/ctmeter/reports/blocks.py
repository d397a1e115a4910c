"""What a page is built of: sections of words, facts, tables and figures; the templates know these and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .charts.chart import NARROW, WIDE, Chart
from .charts.marks import icon

__all__ = ["Facts", "Figure", "Heading", "Pair", "Row", "Section", "Sign", "Table", "Verdict", "Words", "charted", "drawn"]


@dataclass(frozen=True)
class Sign:
    """A verdict in a cell: its sign and its word."""

    verdict: str | None
    words: str

    @property
    def icon(self) -> str:
        """The sign as SVG."""
        return icon(self.verdict)


#: A row of a table; several lines in a cell as a sequence.
Row = Sequence[str | Sign | Sequence[str]]


@dataclass(frozen=True)
class Words:
    """A paragraph, or items of a list; of the kind "note" smaller."""

    items: Sequence[str]
    listed: bool = False
    note: bool = False
    kind: str = "words"


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    words: str
    id: str = ""
    kind: str = "heading"


@dataclass(frozen=True)
class Facts:
    """Names and values in two columns."""

    rows: Sequence[tuple[str, str | Sign | Sequence[str]]]
    kind: str = "facts"


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    head : sequence of str
    rows : sequence of sequence of (str, Sign or lines)
    caption : str
    named : int
        Columns at the left that are words, not numbers.
    folded : bool
        Shown when asked for; on paper not.
    paper : bool
        Shown on paper although folded.
    dense : bool
        In smaller letters, since it has many columns.
    """

    head: Sequence[str]
    rows: Sequence[Row]
    caption: str = ""
    named: int = 1
    folded: bool = False
    dense: bool = False
    paper: bool = False
    kind: str = "table"

    @property
    def long_names(self) -> bool:
        """Whether the first column is of words that have to be wrapped where there is little room."""
        return any(isinstance(row[0], str) and len(row[0]) > 14 for row in self.rows)


@dataclass(frozen=True)
class Figure:
    """A chart in two widths (the same twice where one serves both), its words, and its values as a table.

    Parameters
    ----------
    wide, narrow : str
        SVG, made by `charts`, where everything is escaped.
    caption : str
    table : Table, optional
    small : bool
        Not wider than a phone anywhere.
    """

    wide: str
    narrow: str
    caption: str
    table: Table | None = None
    small: bool = False
    kind: str = "figure"


@dataclass(frozen=True)
class Pair:
    """Blocks beside each other where there is room."""

    blocks: Sequence[Figure | Table | Words]
    kind: str = "pair"


@dataclass(frozen=True)
class Verdict:
    """The verdict in large letters, with the sentences that belong to it."""

    verdict: str | None
    words: str
    sentences: Sequence[str] = ()
    kind: str = "verdict"

    @property
    def icon(self) -> str:
        """The sign as SVG."""
        return icon(self.verdict)


Block = Words | Heading | Facts | Table | Figure | Pair | Verdict


@dataclass(frozen=True)
class Section:
    """A part of the report with an anchor."""

    id: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    #: On paper it begins a page.
    page: bool = False


def drawn(draw: Callable[[float], str], caption: str, table: Table | None = None) -> Figure:
    """A figure from what draws it for a width."""
    return Figure(draw(WIDE), draw(NARROW), caption, table)


def charted(chart: Chart, caption: str, table: Table | None = None) -> Figure:
    """A figure of a chart."""
    return drawn(chart.draw, caption, table)
