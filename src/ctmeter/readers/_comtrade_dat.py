"""The data part of a COMTRADE record in binary: mapped, never copied; the file's size decides what there is."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import InputError

__all__ = ["ALL_ONES", "Layout", "MappedData", "RowClock", "find_layout_fault"]

#: A time stamp that says there is none.
ALL_ONES = 0xFFFFFFFF
_TYPES: dict[str, np.dtype] = {"BINARY": np.dtype("<i2"), "BINARY32": np.dtype("<i4"), "FLOAT32": np.dtype("<f4")}
#: Raw value that stands for a missing sample, 8000 hex and its like.
_MISSING = {"BINARY": -32768.0, "BINARY32": -2147483648.0, "FLOAT32": None}


class RowClock(Protocol):
    """What the data say of each row: its number and its time stamp, either possibly missing."""

    rows: int

    def stamps(self, start: int, stop: int) -> np.ndarray:
        """Time stamps of rows [start, stop): uint32 with `ALL_ONES` where missing, or float64 with NaN."""

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
    """Whole records of a mapped file; a `Source` and a `RowClock`.

    Parameters
    ----------
    mapped : mmap.mmap
    offset : int
        Byte at which the first record starts.
    rows : int
        Whole records.
    layout : Layout
    """

    def __init__(self, mapped: mmap.mmap, offset: int, rows: int, layout: Layout) -> None:
        self.rows = rows
        self._n_status = layout.n_status
        step = layout.record

        def view(dtype: np.dtype, at: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
            if 0 in shape:
                return np.empty(shape, dtype)
            return np.ndarray(shape, dtype, mapped, offset + at, strides)

        item = layout.dtype.itemsize
        self._raw = view(layout.dtype, 8, (rows, layout.n_analog), (step, item))
        self._numbers = view(np.dtype("<u4"), 0, (rows,), (step,))
        self._stamps = view(np.dtype("<u4"), 4, (rows,), (step,))
        self._words = view(np.dtype("u1"), 8 + item * layout.n_analog, (rows, 2 * layout.words), (step, 1))

    def raw(self, start: int, stop: int) -> np.ndarray:
        block = self._raw[start:stop]
        # a record whose length is no multiple of the item gives unaligned values, which compiled code may not touch
        return block if block.flags.aligned else block.copy()

    def status(self, start: int, stop: int) -> np.ndarray:
        words = np.ascontiguousarray(self._words[start:stop])
        return np.unpackbits(words, axis=1, count=self._n_status, bitorder="little")

    def stamps(self, start: int, stop: int) -> np.ndarray:
        return self._stamps[start:stop]

    def numbers(self, start: int, stop: int) -> np.ndarray:
        return self._numbers[start:stop]

    def close(self) -> None:
        # The mapping goes with the last array on it. Closing it here would take the memory from under blocks
        # that are still in the caller's hands: an array keeps its mmap alive, but not open.
        self._raw, self._words = self._raw[:0].copy(), self._words[:0].copy()
        self._numbers = self._stamps = np.empty(0, "<u4")
        self.rows = 0


def find_layout_fault(mapped: mmap.mmap, offset: int, size: int, layout: Layout, path: Path) -> None:
    """Refuse data whose sample numbers count up only with another record length than the CFG gives.

    Raises
    ------
    InputError
        The counts or the file type of the CFG do not fit the data.
    """

    def counts_up(record: int) -> bool:
        n = min(size // record, 16)
        if n < 4:
            return False
        numbers = np.ndarray((n,), "<u4", mapped, offset, (record,)).astype(np.int64)
        return bool(np.all(np.diff(numbers) == 1))

    if counts_up(layout.record) or size // layout.record < 4:
        return
    first = np.ndarray((4,), "<u4", mapped, offset, (layout.record,)).tolist()
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
