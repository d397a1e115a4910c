"""MATLAB files (.mat), as `_arrays` understands them: of version 5 to 7 by our own reader, of version 7.3, which are HDF5, by h5py.

Structures are groups: `s.fs` is the sample rate of `s.U`. Several tables of the same columns, such as repetitions of a measurement,
are segments of one recording. A MATLAB file has no units: they follow from names, or a map says what is what.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..recording import Recording
from ._arrays import Opened, recording_of
from ._hdf5 import open_hdf5
from ._mat5 import Mat5, is_mat5

__all__ = ["READER", "MatlabReader"]

_V73 = b"MATLAB 7.3"


class MatlabReader:
    """See the module."""

    name = "MATLAB"
    extensions = (".mat",)

    def sniff(self, path: Path, head: bytes) -> bool:
        """The header of version 5, or that of version 7.3."""
        return is_mat5(head) or head.startswith(_V73)

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The arrays as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        with open(path, "rb") as file:
            head = file.read(128)
        if head.startswith(_V73):
            return recording_of(path, rate, "a MATLAB", lambda stack: open_hdf5(path, "MATLAB 7.3", stack))
        return recording_of(path, rate, "a MATLAB", lambda stack: _version_5(path, stack))


READER = MatlabReader()


def _version_5(path: Path, stack: contextlib.ExitStack) -> Opened:
    found = Mat5(path)
    stack.callback(found.close)
    return Opened(found.arrays, found.attributes, "MATLAB 5", found.warnings)
