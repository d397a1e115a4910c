"""CSV: a header with units, a column of time, a column of V or A for each channel, exact to the last bit.

Time is ISO 8601 with ns, UTC, or seconds from the start where the recording has no clock; missing rows show as jumps of it,
missing samples as empty fields. Channels are named by their roles where they play one. A name that a spreadsheet would take
for a formula gets an apostrophe in front. Ratios, sides and status channels are not written, and a warning says which there were.

The time of each row is all that a reader has to tell the rate, so that a recording with several rates, with segments that are
not measured or with jumps of time that are no whole number of samples is refused: it would come back with another time.
"""

from __future__ import annotations

import csv as text_csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..recording import Recording, scaled
from ._output import atomic, check_options, pieces, played_names, starts, warn_lost

__all__ = ["WRITER", "CsvWriter"]

#: Rates that agree to this are one, and times on one grid to this share of a sample.
_SAME_RATE, _JOIN = 1e-6, 0.05
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
            A recording without channels or rows, or with several rates or excluded segments.
        StoreError
            A place that cannot be written.
        """
        import pyarrow as pa
        from pyarrow import csv

        check_options(options, (), path)
        if not recording.channels or not recording.samples:
            raise InputError("a recording without samples cannot be written", path=path)
        _check_time(recording, path)
        warn_lost(recording, path, "CSV")
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


def _check_time(recording: Recording, path: Path) -> None:
    """Refuse what would not come back with its own times."""
    first = recording.segments[0]
    problem = ""
    if any(s.excluded for s in recording.segments):
        problem = "segments that are not measured"
    elif any(abs(s.sample_rate / first.sample_rate - 1) > _SAME_RATE for s in recording.segments):
        problem = "several sample rates"
    else:
        since = starts(recording)
        for at in since:
            samples = (at - since[0]) * 1e-9 * first.sample_rate
            if abs(samples - round(samples)) > _JOIN:
                problem = "jumps of time that are no whole number of samples"
    if problem:
        raise InputError(f"CSV cannot hold {problem}", path=path, expected="an ending .npz, .wav or .cff")


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
