"""What a report is made of: summaries, tables, events, waveforms, and the assessment of somebody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..measurements import list_values
from ..quantity import LINES, LIST_LENGTH, PHASES, Flag, columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LONG", "Material", "Waveform", "instant", "when"]

#: Rows of ten minutes from which on a report is one of trends, not of waveforms.
LONG = 12
#: Flags that leave an interval out of statistics by IEC 61000-4-30.
_DISTURBED = Flag.DIP | Flag.SWELL | Flag.INTERRUPTION


@dataclass(frozen=True)
class Waveform:
    """Samples around an event.

    Parameters
    ----------
    t : ndarray of float64, shape (n,)
        Seconds from the start of the event.
    values : mapping of str to ndarray of float64, shape (n,)
        V and A by role; NaN where a sample is missing.
    rate : float
        Hz.
    """

    t: np.ndarray
    values: Mapping[str, np.ndarray]
    rate: float


@dataclass(frozen=True)
class Material:
    """Everything a report shows.

    Parameters
    ----------
    summary : mapping
        As in `summary.json`; of several recordings together.
    tables : mapping of str to pyarrow.Table
    recordings : sequence of mapping
        What each recording is, from the summaries.
    extract : mapping of str to ndarray
        The first cycles: seconds under "t", V and A under the roles; may be empty.
    waveform : callable, optional
        The samples around an event, None where they were not kept.
    assessment : mapping, optional
        What `ctmeter en50160 --json` prints, without `schema_version`.
    unassessed : sequence of str
        Why there is no assessment.
    classified : sequence of mapping, optional
        The events as EN 50160 takes them, with `cell` and the positions `itic` and `semi_f47`; times as ISO text.
    cells : mapping, optional
        Of "dips" and "swells": `voltages`, `durations` and `shortest` of their tables.
    curves : mapping, optional
        "itic" with `lower` and `upper`, "semi_f47" with `lower`: lists of (s, %); with `verified`.
    zone : tzinfo, optional
        Of local times; that of the machine where not given.
    digests : sequence of (str, str)
        Name and SHA-256, in hexadecimal, of each stored result; none of those in memory.
    digested : str
        Which files of a result that is of.
    """

    summary: Mapping[str, Any]
    tables: Mapping[str, pa.Table]
    recordings: Sequence[Mapping[str, Any]] = ()
    extract: Mapping[str, np.ndarray] = field(default_factory=dict)
    waveform: Callable[[Mapping[str, Any]], Waveform | None] | None = None
    assessment: Mapping[str, Any] | None = None
    unassessed: Sequence[str] = ()
    classified: Sequence[Mapping[str, Any]] | None = None
    cells: Mapping[str, Any] | None = None
    curves: Mapping[str, Any] | None = None
    zone: tzinfo | None = None
    digests: Sequence[tuple[str, str]] = ()
    digested: str = ""

    def rows(self, table: str) -> int:
        """Number of rows; 0 where there is no such table."""
        return len(self.tables[table]) if table in self.tables else 0

    def column(self, table: str, name: str) -> np.ndarray | None:
        """A column as float64, shape (n,) or (n, orders), NaN for null; None where it is absent or holds nothing but null.

        Raises
        ------
        InputError
            It holds no numbers, or lists of another length.
        """
        if table not in self.tables or name not in self.tables[table].column_names:
            return None
        column = self.tables[table].column(name)
        if column.null_count == len(column):
            return None
        import pyarrow as pa

        if pa.types.is_nested(column.type):
            length = next((LIST_LENGTH[c.dtype] for c in columns(table) if c.name == name and c.dtype in LIST_LENGTH), 0)
            return list_values(column, length, name, f"table {table}").astype(np.float64)
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_temporal(column.type)):
            raise InputError(f"{name} is {column.type}", path=f"table {table}", expected="numbers")
        return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), np.float64)

    def time(self, table: str) -> np.ndarray:
        """Starts of the rows, ns since 1970-01-01 UTC, as float64."""
        return np.asarray(self.tables[table].column("t").cast("int64").to_numpy(), np.float64)

    def flags(self, table: str) -> np.ndarray:
        """Bits of `Flag` of each row, uint32."""
        return np.asarray(self.tables[table].column("flags").combine_chunks().fill_null(0).to_numpy(zero_copy_only=False), np.uint32)

    def disturbed(self, table: str) -> np.ndarray:
        """Rows during which a dip, swell or interruption was."""
        found: np.ndarray = (self.flags(table) & np.uint32(_DISTURBED)) != 0
        return found

    @property
    def voltages(self) -> tuple[str, ...]:
        """The voltages of the wiring that were measured."""
        wanted = LINES if self.summary["wiring"] == "3P3W" else PHASES
        mean = self.summary["mean"]
        return tuple(p for p in wanted if mean.get(f"U_{p}") is not None)

    @property
    def currents(self) -> tuple[str, ...]:
        """The phases whose current was measured."""
        mean = self.summary["mean"]
        return tuple(p for p in PHASES if mean.get(f"I_{p}") is not None)

    @property
    def nominal(self) -> float | None:
        """Nominal voltage, V."""
        value: float | None = self.summary["settings"].get("nominal_voltage")
        return value

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """The events in the order of their start."""
        found: Sequence[Mapping[str, Any]] = self.summary["events"]["list"]
        return found

    @property
    def clock(self) -> bool:
        """Whether times are of a clock rather than counted from the start."""
        return any(r.get("start") for r in self.recordings)

    @property
    def long(self) -> bool:
        """Whether there are enough rows of ten minutes for trends and statistics."""
        return self.rows("10min") >= LONG

    @property
    def steps(self) -> str:
        """The table whose rows make trends: the longest intervals that still give a curve."""
        choice = ("10min", "3s", "basic", "cycle") if self.long else ("3s", "basic", "cycle")
        return next((t for t in choice if self.rows(t) >= (LONG if t in ("10min", "3s") else 2)), "")


def instant(text: str | None) -> np.datetime64 | None:
    """A time in ISO text as datetime64[ns] of UTC."""
    return None if not text else np.datetime64(text.removesuffix("Z"), "ns")


def when(value: Any, digits: int = 3) -> str:
    """A time for people, UTC, from ISO text, datetime64 or ns."""
    if value is None:
        return "–"
    if isinstance(value, str):
        value = instant(value)
    elif not isinstance(value, np.datetime64):
        value = np.datetime64(int(value), "ns")
    head, _, fraction = str(value.astype("datetime64[ns]")).partition(".")
    fraction = fraction.ljust(9, "0")[:digits]
    return head.replace("T", " ") + (f".{fraction}" if digits else "")


def local(value: np.datetime64, zone: tzinfo | None) -> datetime:
    """A time in a zone; that of the machine where none is given."""
    moment = datetime.fromtimestamp(int(value.astype("datetime64[s]").astype(np.int64)), UTC)
    return moment.astimezone(zone)
