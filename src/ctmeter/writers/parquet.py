"""Parquet: a column of the recording's own numbers for each channel, packed by zstd.

Every field carries `unit`, `scale` and `offset` in its metadata, the schema `sample_rate`, `start` and `nominal_frequency`, so that
other programs need nothing of ctmeter; the metadata `ctmeter` (JSON: sides, ratios, segments, gaps) is for our own reader. Status
channels are not written. Option: `row_group`, rows of a row group, 262144 where it is not given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, SettingsError
from ..recording import Recording
from ._output import atomic, check_options, describe, pieces, played_names, warn_lost

__all__ = ["WRITER", "ParquetWriter"]

_ROWS = 1 << 18


class ParquetWriter:
    """See the module."""

    name = "Parquet"
    extensions = (".parquet",)

    def write(self, recording: Recording, path: Path, **options: Any) -> None:
        """Write a recording; see the module for the option.

        Raises
        ------
        InputError
            A recording without samples.
        StoreError
            A place that cannot be written.
        SettingsError
            Options that do not exist.
        """
        check_options(options, ("row_group",), path)
        rows = options.get("row_group", _ROWS)
        if not isinstance(rows, int) or rows < 1:
            raise SettingsError(f"row_group: {rows!r}, expected a number of rows")
        if not recording.channels or not recording.samples:
            raise InputError("a recording without samples cannot be written", path=path)
        warn_lost(recording, path, "Parquet", channels=False)
        with atomic(path) as (file,):
            _write(recording, file, rows)


WRITER = ParquetWriter()


def _write(recording: Recording, file: Any, rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = played_names(recording.channels)
    dtype = recording.source.raw(0, 0).dtype.newbyteorder("=")
    fields = [
        pa.field(
            name,
            pa.from_numpy_dtype(dtype),
            nullable=False,
            metadata={"unit": c.unit, "scale": repr(float(c.scale)), "offset": repr(float(c.offset))},
        )
        for name, c in zip(names, recording.channels, strict=True)
    ]
    told = {"sample_rate": repr(float(recording.sample_rate)), "ctmeter": describe(recording, names)}
    if recording.start_ns is not None:
        told["start"] = f"{np.datetime64(recording.start_ns, 'ns')}Z"
    if recording.nominal_frequency is not None:
        told["nominal_frequency"] = repr(float(recording.nominal_frequency))
    schema = pa.schema(fields, metadata=told)
    # measured values hardly repeat: a dictionary would cost time and room; bytes of one weight together pack better
    floats = dtype.kind == "f"
    with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False, use_byte_stream_split=floats, write_statistics=False) as writer:
        for piece in pieces(recording, rows):
            columns = [np.ascontiguousarray(piece.raw[:, k], dtype) for k in range(len(names))]
            writer.write_batch(pa.record_batch([pa.array(c) for c in columns], schema=schema), row_group_size=rows)
