"""CSV: a header with units, a column of time, a column of V or A for each channel, exact to the last bit.

Time is ISO 8601 with ns, UTC, or seconds from the start where the recording has no clock; missing rows show as jumps of it,
missing samples as empty fields. Channels are named by their roles where they play one. A name that a spreadsheet would take
for a formula gets an apostrophe in front. Ratios, sides and status channels are not written.
"""

from __future__ import annotations

import csv as text_csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording import Recording, scaled
from ._output import atomic, check_options, pieces, played_names

__all__ = ["WRITER", "CsvWriter"]

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


class CsvWriter:
    """See the module."""

    name = "CSV"
    extensions = (".csv",)

    def write(self, recording: Recording, path: Path, **options: Any) -> None:
        """Write a recording; there are no options.

        Raises
        ------
        InputError
            A recording without channels or rows.
        StoreError
            A place that cannot be written.
        """
        import pyarrow as pa
        from pyarrow import csv

        check_options(options, (), path)
        if not recording.channels or not recording.samples:
            raise InputError("a recording without samples cannot be written", path=path)
        clock = recording.start_ns is not None
        with atomic(path) as (file,):
            file.write(_header(recording, clock))
            for piece in pieces(recording):
                values = scaled(piece.raw, recording.channels)
                time = pa.array(piece.ns).cast(pa.timestamp("ns", "UTC")) if clock else _seconds(piece.ns)
                columns = [time, *(pa.array(values[:, k], from_pandas=True) for k in range(values.shape[1]))]
                table = pa.table(columns, names=[str(k) for k in range(len(columns))])
                csv.write_csv(table, file, csv.WriteOptions(include_header=False))


WRITER = CsvWriter()


def _header(recording: Recording, clock: bool) -> bytes:
    cells = ["time" if clock else "time [s]"]
    for name, channel in zip(played_names(recording.channels), recording.channels, strict=True):
        clean = " ".join("".join(ch if ord(ch) >= 32 else " " for ch in name).split()) or "channel"
        cells.append(("'" if clean.startswith(_DANGEROUS) else "") + clean + (f" [{channel.unit}]" if channel.unit else ""))
    line = io.StringIO()
    text_csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _seconds(ns: np.ndarray) -> Any:
    """Ns as decimal seconds, exact: the 128-bit integers of an Arrow decimal."""
    import pyarrow as pa

    words = np.stack((ns, ns >> 63), axis=1)
    return pa.Array.from_buffers(pa.decimal128(19, 9), len(ns), [None, pa.py_buffer(np.ascontiguousarray(words))])
