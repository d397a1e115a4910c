"""MATLAB files (.mat), as `_arrays` understands them: of version 5 to 7 by our own reader, of version 7.3, which are HDF5, by h5py.

Structures are groups: `s.fs` is the sample rate of `s.U`. Several tables of the same columns, such as repetitions of a measurement,
are segments of one recording. A MATLAB file has no units: they follow from names, or a map says what is what.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError
from ..recording import Recording
from ._arrays import Opened, assemble
from ._mat5 import Mat5, is_mat5
from .hdf5 import DAMAGE, open_hdf5

__all__ = ["READER", "MatlabReader"]

_V4_TEXT = b"MATLAB 7.3"


class MatlabReader:
    """See the module."""

    name = "MATLAB"
    extensions = (".mat",)

    def sniff(self, path: Path, head: bytes) -> bool:
        """The header of version 5, or that of version 7.3."""
        return is_mat5(head) or head.startswith(_V4_TEXT)

    def read(self, path: Path, *, rate: float | None = None, **options: Any) -> Recording:
        """The arrays as a recording; see the module."""
        if options:
            raise InputError(f"unknown option {', '.join(sorted(options))}", path=path, expected="none")
        with open(path, "rb") as file:
            head = file.read(128)
        warnings: list[str] = []
        if head.startswith(_V4_TEXT):
            opened = open_hdf5(path, "MATLAB 7.3")
        else:
            found = Mat5(path)
            warnings += found.warnings
            opened = Opened(found.arrays, found.attributes, "MATLAB 5", found.close)
        try:
            recording = assemble(path, opened, rate)
        except InputError as error:
            opened.close()
            raise error if error.path else InputError(error.problem, path=path, expected=error.expected) from None
        except DAMAGE as error:
            opened.close()
            raise InputError(f"a damaged file ({str(error)[:120]})", path=path, expected="a MATLAB file") from None
        recording.warnings.extend(warnings)
        return recording


READER = MatlabReader()
