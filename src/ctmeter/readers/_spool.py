"""Rows that a parser makes: in memory while they are few, else in an unnamed file that is mapped."""

from __future__ import annotations

import tempfile
from typing import IO, Any

import numpy as np

from ._entries import scratch

__all__ = ["Spool"]

_IN_MEMORY = 64 << 20


class Spool:
    """Append-only rows of one dtype and width.

    Parameters
    ----------
    dtype : dtype_like
    width : int
        Columns.
    """

    def __init__(self, dtype: Any, width: int) -> None:
        self._dtype = np.dtype(dtype)
        self._width = width
        self._parts: list[np.ndarray] = []
        self._file: IO[bytes] | None = None
        self._held = 0
        self.rows = 0

    def append(self, block: np.ndarray) -> None:
        """Add rows, shape (n, width)."""
        block = np.ascontiguousarray(block, self._dtype)
        self.rows += len(block)
        self._parts.append(block)
        self._held += block.nbytes
        if self._file is not None or self._held > _IN_MEMORY:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="ctmeter-", dir=scratch())  # noqa: SIM115  it lives as long as the rows
            for part in self._parts:
                self._file.write(part.data if part.size else b"")
            self._parts, self._held = [], 0

    def array(self) -> np.ndarray:
        """All rows, shape (rows, width); mapped where they are many."""
        if self._file is not None:
            self._file.flush()
            return np.memmap(self._file, self._dtype, "r", shape=(self.rows, self._width))
        return np.concatenate(self._parts) if self._parts else np.empty((0, self._width), self._dtype)
