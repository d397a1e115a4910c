"""HDF5 files, as `_arrays` understands them: data sets with attributes such as `sample_rate`, `unit`, `scale`, `start`.

Compound data sets give a channel for each field. Data are read where they lie, in pieces as they are asked for. MATLAB files of
version 7.3 are HDF5 too, and are the matter of the reader for MATLAB.

What is refused
---------------
Links to other files are not followed, nor are data sets read that lie in other files (external storage, virtual data sets); types
other than plain numbers (objects, references, texts) are passed over. A data set whose declared size is more than 1000 times
what is stored, or with chunks above 64 MiB, is refused, as are files with more than 10000 objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError
from ..recording import Recording
from ._arrays import recording_of
from ._hdf5 import open_hdf5

__all__ = ["READER", "Hdf5Reader"]

_MAGIC = b"\x89HDF\r\n\x1a\n"


class Hdf5Reader:
    """See the module."""

    name = "HDF5"
    extensions = (".h5", ".hdf5", ".hdf", ".he5")

    def sniff(self, path: Path, head: bytes) -> bool:
        """The signature, at the beginning or behind a user block of 512, 1024 or 2048 bytes that is not MATLAB's."""
        at = next((n for n in (0, 512, 1024, 2048) if head[n : n + 8] == _MAGIC), None)
        return at is not None and not head.startswith(b"MATLAB 7.3")

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The data sets as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        return recording_of(path, rate, "an HDF5", lambda stack: open_hdf5(path, "HDF5", stack))


READER = Hdf5Reader()
