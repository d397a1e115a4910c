"""The data part of a COMTRADE record in binary: mapped, never copied; the file's size decides what there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import InputError
from ._access import Bytes

__all__ = ["ALL_ONES", "PLACES", "Layout", "MappedData", "RowClock", "find_layout_fault"]

#: A time stamp that says there is none.
ALL_ONES = 0xFFFFFFFF
#: Places of a file that are looked at, and of a remote one, where each is a request.
PLACES, DISTANT_PLACES = 1 << 16, 1 << 8
_TYPES: dict[str, np.dtype] = {"BINARY": np.dtype("<i2"), "BINARY32": np.dtype("<i4"), "FLOAT32": np.dtype("<f4")}
_WORD, _BYTE = np.dtype("<u4"), np.dtype("u1")
#: Raw value that stands for a missing sample, 8000 hex and its like.
_MISSING = {"BINARY": -32768.0, "BINARY32": -2147483648.0, "FLOAT32": None}


class RowClock(Protocol):
    """What the data say of each row: its number and its time stamp, either possibly missing."""

    rows: int
    #: Places that may be looked at all over the file before single rows are.
    places: int

    def stamps(self, start: int, stop: int) -> np.ndarray:
        """Time stamps of rows [start, stop): uint32 with `ALL_ONES` where missing, or float64 with NaN."""

    def stamps_at(self, rows: np.ndarray) -> np.ndarray:
        """Time stamps of single rows, in the same way."""

    def numbers(self, start: int, stop: int) -> np.ndarray:
        """Sample numbers of rows [start, stop): uint32, or float64 with NaN where missing."""


@dataclass(frozen=True)
class Layout:
    """One record of binary data: number, stamp, analog values, status words of 16 bits."""

    file_type: str
    n_analog: int
    n_status: int

    @property
    def dtype(self) -> np.dtype:
        return _TYPES[self.file_type]

    @property
    def missing(self) -> float | None:
        return _MISSING[self.file_type]

    @property
    def words(self) -> int:
        return -(-self.n_status // 16)

    @property
    def record(self) -> int:
        """Bytes."""
        return 8 + self.dtype.itemsize * self.n_analog + 2 * self.words


class MappedData:
    """Whole records of a file; a `Source` and a `RowClock`.

    Parameters
    ----------
    content : Bytes
    offset : int
        Byte at which the first record starts.
    rows : int
        Whole records.
    layout : Layout
    distant : bool
        Looking at a place costs a request.
    """

    def __init__(self, content: Bytes, offset: int, rows: int, layout: Layout, distant: bool = False) -> None:
        self.rows = rows
        self.places = DISTANT_PLACES if distant else PLACES
        self._content: Bytes | None = content
        self._offset, self._layout, self._step = offset, layout, layout.record

    def _view(self, dtype: np.dtype, at: int, columns: int, start: int, stop: int) -> np.ndarray:
        """Columns from byte `at` of each record on, of rows [start, stop)."""
        start, stop, _ = slice(start, stop).indices(self.rows)
        if stop <= start or not columns or self._content is None:
            return np.empty((max(stop - start, 0), columns), dtype)
        first = self._offset + start * self._step
        buffer, base = self._content.window(first, self._offset + stop * self._step)
        return np.ndarray((stop - start, columns), dtype, buffer, first - base + at, (self._step, dtype.itemsize))

    def raw(self, start: int, stop: int) -> np.ndarray:
        block = self._view(self._layout.dtype, 8, self._layout.n_analog, start, stop)
        # a record whose length is no multiple of the item gives unaligned values, which compiled code may not touch
        return block if block.flags.aligned else block.copy()

    def status(self, start: int, stop: int) -> np.ndarray:
        layout = self._layout
        words = np.ascontiguousarray(self._view(_BYTE, 8 + layout.dtype.itemsize * layout.n_analog, 2 * layout.words, start, stop))
        return np.unpackbits(words, axis=1, count=layout.n_status, bitorder="little")

    def stamps(self, start: int, stop: int) -> np.ndarray:
        return self._view(_WORD, 4, 1, start, stop)[:, 0]

    def stamps_at(self, rows: np.ndarray) -> np.ndarray:
        if self.places == PLACES or self._content is None:
            found: np.ndarray = self.stamps(0, self.rows)[rows]
            return found
        first = self._offset + rows * self._step
        self._content.bring([(at, at + 8) for at in first.tolist()])
        return np.array([self.stamps(row, row + 1)[0] for row in rows.tolist()], _WORD)

    def numbers(self, start: int, stop: int) -> np.ndarray:
        return self._view(_WORD, 0, 1, start, stop)[:, 0]

    def close(self) -> None:
        # The mapping goes with the last array on it. Closing it here would take the memory from under blocks
        # that are still in the caller's hands: an array keeps its mmap alive, but not open.
        self._content, self.rows = None, 0


def find_layout_fault(content: Bytes, offset: int, size: int, layout: Layout, path: Path) -> None:
    """Refuse data whose sample numbers count up only with another record length than the CFG gives.

    Raises
    ------
    InputError
        The counts or the file type of the CFG do not fit the data.
    """
    buffer, base = content.window(offset, offset + min(size, 16 * max(2 * layout.record, layout.record + 64)))

    def counts_up(record: int) -> bool:
        n = min(size // record, 16)
        if n < 4:
            return False
        numbers = np.ndarray((n,), "<u4", buffer, offset - base, (record,)).astype(np.int64)
        return bool(np.all(np.diff(numbers) == 1))

    if counts_up(layout.record) or size // layout.record < 4:
        return
    first = np.ndarray((4,), "<u4", buffer, offset - base, (layout.record,)).tolist()
    others = {Layout(t, layout.n_analog, layout.n_status).record: t for t in _TYPES if t != layout.file_type}
    others |= {layout.record + 2 * k: "" for k in range(-32, 33) if k and layout.record + 2 * k >= 10 and layout.record + 2 * k not in others}
    for record, file_type in others.items():
        if counts_up(record):
            hint = f" as {file_type} has them" if file_type else ""
            raise InputError(
                f"the sample numbers do not count up ({', '.join(map(str, first))}) in records of {layout.record} bytes,"
                f" but do in records of {record} bytes{hint}",
                path=path,
                offset=offset,
                expected=f"{layout.file_type} records of {layout.n_analog} analog and {layout.n_status} status channels, as the CFG declares",
            )
