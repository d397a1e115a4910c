"""Rows gathered into row groups, in memory that is bounded however wide the rows are."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..events.columns import concatenate
from ..measurements import Columns

__all__ = ["GROUP", "Chunks", "Groups"]

#: Rows of a row group.
GROUP = 65_536
#: Bytes of rows in memory; more go to a file that is mapped.
_ROOM = 32 << 20


#: Chunks that become one, because objects cost more than the numbers in them.
_MANY = 128


class Chunks:
    """Rows one after the other, given in pieces as small as a row."""

    def __init__(self) -> None:
        self._chunks: list[Columns] = []
        self._few: list[Columns] = []

    def add(self, rows: Columns) -> None:
        """Append rows."""
        self._few.append(rows)
        if len(self._few) == _MANY:
            self._chunks.append(concatenate(self._few))
            self._few = []

    def take(self) -> Columns:
        """All rows, which are then no longer here."""
        rows = concatenate([*self._chunks, *self._few])
        self._chunks, self._few = [], []
        return rows


class Groups:
    """Gathers rows and gives out groups of `GROUP`.

    Parameters
    ----------
    folder : Path
        Where a file may stand in for memory; it has no name while it is in use.
    emit : callable
        Gets each group; its arrays are good until it returns.
    """

    def __init__(self, folder: Path, emit: Callable[[Columns], None]) -> None:
        self._folder, self._emit = folder, emit
        self._chunks = Chunks()
        self._held = self._bytes = 0
        self._spill: _Spill | None = None
        self._rows = 0

    def add(self, rows: Columns, n: int) -> None:
        """Append `n` rows, giving out groups as they fill."""
        done = 0
        while done < n:
            take = min(n - done, GROUP - self._rows)
            part = rows if take == n else {name: values[done : done + take] for name, values in rows.items()}
            self._chunks.add(part)
            self._held += take
            self._rows += take
            self._bytes += sum(values.nbytes for values in part.values())
            done += take
            if self._bytes > _ROOM:
                self._make_room()
            if self._rows == GROUP:
                self._give()

    def _make_room(self) -> None:
        if self._spill is None:
            self._spill = _Spill(self._folder)
        if self._held:
            self._spill.add(self._chunks.take(), self._held)
        self._held = self._bytes = 0

    def _give(self) -> None:
        if self._spill is None:
            self._held = self._bytes = self._rows = 0
            self._emit(self._chunks.take())
            return
        self._make_room()
        self._rows = 0
        try:
            self._emit(self._spill.columns())
        finally:
            self.discard()

    def close(self) -> None:
        """Give out what is left."""
        if self._rows:
            self._give()

    def discard(self) -> None:
        """Forget the rows."""
        if self._spill is not None:
            self._spill.close()
            self._spill = None
        self._chunks, self._held, self._bytes, self._rows = Chunks(), 0, 0, 0


class _Spill:
    """Columns of one group in a file without a name."""

    def __init__(self, folder: Path) -> None:
        path = folder / f".part-0.parquet.{secrets.token_hex(4)}.spill"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink(path)
        self._size = self._rows = 0
        self._columns: Columns = {}

    def add(self, rows: Columns, n: int) -> None:
        for name, values in rows.items():
            if name not in self._columns:
                self._columns[name] = self._room(values)
            self._columns[name][self._rows : self._rows + n] = values
        for name in self._columns.keys() - rows.keys():
            kept = self._columns[name]
            kept[self._rows : self._rows + n] = np.nan if kept.dtype.kind == "f" else 0
        self._rows += n

    def _room(self, like: np.ndarray) -> np.ndarray:
        """A column in the file, null as far as there are rows."""
        shape = (GROUP, *like.shape[1:])
        length = int(np.prod(shape)) * like.dtype.itemsize
        start = self._size
        self._size += -(-length // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        # room on the medium is taken now: a mapped page that finds none would end the process
        os.posix_fallocate(self._file, start, self._size - start)
        made: np.ndarray = np.frombuffer(mmap.mmap(self._file, length, offset=start), like.dtype).reshape(shape)
        made[: self._rows] = np.nan if like.dtype.kind == "f" else 0
        return made

    def columns(self) -> Columns:
        return {name: values[: self._rows] for name, values in self._columns.items()}

    def close(self) -> None:
        self._columns = {}
        with contextlib.suppress(OSError):
            os.close(self._file)
