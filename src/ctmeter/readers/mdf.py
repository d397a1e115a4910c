"""MDF 4 files (ASAM), by asammdf, as `_arrays` understands them.

Each channel group has its own time; groups of the same instants are joined. Conversions of numbers are applied: none, linear and
rational ones. Channels whose conversion is a formula, a table or a text are left out, which is said: nothing that a file
says is evaluated. Samples are read as they are asked for. Links and sizes are checked before they are followed (`_mdf_blocks`).
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording import Recording
from ._arrays import Array, Opened, damage, plain, recording_of
from ._mdf_blocks import check
from ._needed import needed

__all__ = ["MAX_CHANNELS", "READER", "MdfReader"]

MAX_CHANNELS = 4096
#: Bytes held of all channels of a group.
_HELD = 64 << 20
_NUMERIC, _IDENTITY, _TIME = (0, 1, 2), (0,), 1


class MdfReader:
    """See the module."""

    name = "MDF"
    extensions = (".mf4", ".mdf")

    def sniff(self, path: Path, head: bytes) -> bool:
        """The header, finalised or not."""
        return head.startswith((b"MDF     ", b"UnFinMF "))

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The channels as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        check(path)
        asammdf = needed("asammdf", "mdf", path)
        return recording_of(path, rate, "an MDF 4", lambda stack: _opened(asammdf, path, stack))


READER = MdfReader()


def _opened(asammdf: Any, path: Path, stack: contextlib.ExitStack) -> Opened:
    # by name, the library would open some files to write into them
    raw = stack.enter_context(path.open("rb"))
    file = asammdf.MDF(raw)
    stack.callback(file.close)
    warnings: list[str] = []
    arrays, attributes = _content(file, path, warnings)
    return Opened(arrays, attributes, f"MDF {file.version}", warnings)


def _content(file: Any, path: Path, warnings: list[str]) -> tuple[list[Array], dict[tuple[str, ...], dict[str, Any]]]:
    """Arrays and attributes; each group with its time."""
    arrays: list[Array] = []
    start = int(file.header.abs_time)
    attributes: dict[tuple[str, ...], dict[str, Any]] = {(): {"start_ns": start} if start > 0 else {}}
    converted: list[str] = []
    for number, group in enumerate(file.groups):
        rows, master = int(group.channel_group.cycles_nr), file.masters_db.get(number)
        if master is not None and group.channels[master].sync_type == _TIME:
            fetch = _Rows(file, number, None, path)
            arrays.append(Array((f"group {number + 1}", "time"), rows, 0, np.dtype(np.float64), fetch))
        for index, channel in enumerate(group.channels):
            dtype = channel.dtype_fmt
            if index == master or dtype is None or dtype.shape or not plain(np.dtype(dtype)):
                continue
            conversion = channel.conversion
            if conversion is not None and conversion.conversion_type not in _NUMERIC:
                converted.append(channel.name)
                continue
            if len(arrays) >= MAX_CHANNELS:
                raise InputError(f"more than {MAX_CHANNELS} channels", path=path, expected="a recording")
            scaled = conversion is not None and conversion.conversion_type not in _IDENTITY
            unit = channel.unit or (conversion.unit if conversion is not None else "")
            kind = np.dtype(np.float64) if scaled else np.dtype(dtype)
            name = str(channel.name)[:256].split("\\")[0]
            arrays.append(Array((f"group {number + 1}", name), rows, 0, kind, _Rows(file, number, index, path), {"unit": unit}))
    if converted:
        warnings.append(f"channels whose conversion is no linear or rational one are left out: {', '.join(converted[:12])}")
    return arrays, attributes


class _Rows:
    """Rows of a channel, or of the time of its group; read in batches, since records hold all channels of a group."""

    def __init__(self, file: Any, group: int, index: int | None, path: Path) -> None:
        self._file, self._group, self._index, self._path = file, group, index, path
        self._batch = min(max(_HELD // (8 * len(file.groups[group].channels)), 1 << 12), 1 << 19)
        self._first, self._held = 0, np.empty(0)

    def __call__(self, start: int, stop: int) -> np.ndarray:
        parts = []
        while start < stop:
            if not self._first <= start < self._first + len(self._held):
                self._first = start // self._batch * self._batch
                self._held = self._read(self._first, self._batch)
                if self._first + len(self._held) <= start:
                    break
            part = self._held[start - self._first : stop - self._first]
            parts.append(part)
            start += len(part)
        return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else np.empty(0)

    def _read(self, first: int, count: int) -> np.ndarray:
        part = {"record_offset": first, "record_count": count}
        try:
            if self._index is None:
                return np.array(self._file.get_master(self._group, **part), np.float64)
            return np.array(self._file.get(group=self._group, index=self._index, samples_only=True, ignore_invalidation_bits=True, **part)[0])
        except Exception as error:
            # damaged bytes come out of the library as errors of any kind
            raise InputError(f"group {self._group + 1}: {damage(error)}", path=self._path, expected="an MDF 4 file") from None
