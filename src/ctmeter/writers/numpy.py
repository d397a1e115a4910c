"""NPZ and NPY.

NPZ holds an array for each channel, named by its role where it plays one, in the recording's own numbers; `scale_NAME` and
`offset_NAME` give V or A, `sample_rate` (Hz), `start` (ns since 1970 UTC) and `nominal_frequency` stand beside them, and the
text `ctmeter` holds everything else (sides, ratios, limits, segments, gaps) as JSON. It is not compressed, so that it can be
mapped. Status channels are not written.

NPY holds a structured array of float64 in V and A with a field for each channel; it knows neither rate nor time, so that
only a recording with one rate and no gaps can be written.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError
from ..recording import Recording, scaled
from ._output import atomic, check_options, describe, pieces, played_names, warn_lost

__all__ = ["WRITER", "NumpyWriter"]

_RESERVED = ("sample_rate", "start", "nominal_frequency", "ctmeter")


class NumpyWriter:
    """See the module."""

    name = "NumPy"
    extensions = (".npz", ".npy")

    def write(self, recording: Recording, path: Path, **options: Any) -> None:
        """Write a recording; there are no options.

        Raises
        ------
        InputError
            A recording without samples, or with several rates or gaps for NPY.
        StoreError
            A place that cannot be written.
        """
        check_options(options, (), path)
        if not recording.channels or not recording.samples:
            raise InputError("a recording without samples cannot be written", path=path)
        if path.suffix.lower() == ".npy" and (len(recording.segments) > 1 or recording.gaps):
            raise InputError("NPY cannot hold several sample rates or gaps", path=path, expected="an ending .npz")
        if path.suffix.lower() == ".npy":
            clock = ["the start time"] if recording.start_ns is not None else []
            warn_lost(recording, path, "NPY", others=["the sample rate", *clock])
        else:
            warn_lost(recording, path, "NPZ", channels=False)
        with atomic(path) as (file,):
            (_write_npz if path.suffix.lower() == ".npz" else _write_npy)(recording, file)


WRITER = NumpyWriter()


def _header(file: IO[bytes], dtype: Any, rows: int) -> None:
    described = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_2_0(file, {"descr": described, "fortran_order": False, "shape": (rows,)})


def _write_npz(recording: Recording, file: IO[bytes]) -> None:
    names = [n.replace("/", "_").replace("\0", "_") for n in played_names(recording.channels)]
    reserved = {*_RESERVED, *(f"{kind}_{n}" for n in names for kind in ("scale", "offset"))}
    names = [n if n not in reserved and names.count(n) == 1 else f"{n} #{k + 1}" for k, n in enumerate(names)]
    dtype = recording.source.raw(0, 0).dtype
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for k, name in enumerate(names):
            with archive.open(_entry(name), "w", force_zip64=True) as member:
                _header(member, dtype, recording.samples)
                for piece in pieces(recording):
                    member.write(np.ascontiguousarray(piece.raw[:, k], dtype).data)
        scalars: dict[str, Any] = {"sample_rate": recording.sample_rate, "ctmeter": describe(recording, names)}
        if recording.start_ns is not None:
            scalars["start"] = np.int64(recording.start_ns)
        if recording.nominal_frequency is not None:
            scalars["nominal_frequency"] = recording.nominal_frequency
        for name, channel in zip(names, recording.channels, strict=True):
            scalars |= {f"scale_{name}": channel.scale, f"offset_{name}": channel.offset}
        for name, value in scalars.items():
            held = io.BytesIO()
            np.lib.format.write_array(held, np.asarray(value), allow_pickle=False)
            archive.writestr(_entry(name), held.getvalue())


def _entry(name: str) -> zipfile.ZipInfo:
    """A member with a fixed date, so that the same recording gives the same bytes."""
    return zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))


def _write_npy(recording: Recording, file: IO[bytes]) -> None:
    dtype = np.dtype([(name, "<f8") for name in played_names(recording.channels)])
    _header(file, dtype, recording.samples)
    for piece in pieces(recording):
        file.write(np.ascontiguousarray(scaled(piece.raw, recording.channels), "<f8").data)
