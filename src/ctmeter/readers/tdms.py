"""TDMS files of National Instruments, by npTDMS, as `_arrays` understands them.

The waveform properties `wf_increment` and `wf_start_time` of a channel give its rate and start, `unit_string` its unit; scalings
of the file are applied. Groups of the same instants are joined. Samples are read as they are asked for. A file that claims
more samples than it has bytes is refused.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording import Recording
from ._arrays import Array, Opened, damage, recording_of
from ._needed import needed

__all__ = ["MAX_CHANNELS", "READER", "TdmsReader"]

MAX_CHANNELS = 4096


class TdmsReader:
    """See the module."""

    name = "TDMS"
    extensions = (".tdms",)

    def sniff(self, path: Path, head: bytes) -> bool:
        """The tag of a segment."""
        return head.startswith(b"TDSm")

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The channels as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        nptdms = needed("nptdms", "tdms", path)
        return recording_of(path, rate, "a TDMS", lambda stack: _opened(nptdms, path, stack))


READER = TdmsReader()


def _opened(nptdms: Any, path: Path, stack: contextlib.ExitStack) -> Opened:
    # by name, an index file beside it would be believed too
    file = nptdms.TdmsFile.open(stack.enter_context(path.open("rb")))
    stack.callback(file.close)
    return Opened(*_content(file, path), "TDMS")


def _content(file: Any, path: Path) -> tuple[list[Array], dict[tuple[str, ...], dict[str, Any]]]:
    """Arrays and attributes."""
    arrays: list[Array] = []
    attributes: dict[tuple[str, ...], dict[str, Any]] = {(): _properties(file)}
    claimed, size = 0, path.stat().st_size
    for group in file.groups():
        attributes[group.name,] = _properties(group)
        for channel in group.channels():
            if len(arrays) >= MAX_CHANNELS:
                raise InputError(f"more than {MAX_CHANNELS} channels", path=path, expected="a recording")
            rows, dtype = len(channel), channel.dtype
            claimed += rows * max(getattr(channel.data_type, "size", None) or 1, 1)
            if rows < 0 or claimed > size:
                raise InputError(f"{claimed} bytes of samples in a file of {size}", path=path, expected="samples that are there")
            if rows and dtype is not None:
                arrays.append(Array((group.name, channel.name), rows, 0, np.dtype(dtype), _Rows(channel, path), _properties(channel)))
    return arrays, attributes


def _properties(item: Any) -> dict[str, Any]:
    found = {str(k).lower(): v.item() if isinstance(v, np.generic) and v.dtype.kind in "iuf" else v for k, v in item.properties.items()}
    offset = found.get("wf_start_offset")
    if isinstance(offset, float) and np.isfinite(offset) and abs(offset) < 1e9 and isinstance(found.get("wf_start_time"), np.datetime64):
        found["wf_start_time"] = found["wf_start_time"].astype("datetime64[ns]") + np.timedelta64(round(offset * 1e9), "ns")
    return found


class _Rows:
    """Rows of a channel."""

    def __init__(self, channel: Any, path: Path) -> None:
        self._channel, self._path = channel, path

    def __call__(self, start: int, stop: int) -> np.ndarray:
        try:
            return np.asarray(self._channel.read_data(start, stop - start))
        except Exception as error:
            # damaged bytes come out of the library as errors of any kind
            raise InputError(f"channel {str(self._channel.name)[:200]!r}: {damage(error)}", path=self._path, expected="a TDMS file") from None
