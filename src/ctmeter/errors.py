"""The exception and warning tree.

Every error a user can meet is a `CtmeterError` and also the matching builtin, so that code
which knows nothing of ctmeter still catches the right thing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

__all__ = ["CtmeterError", "CtmeterWarning", "InputError", "SettingsError", "StoreError", "unwritable"]


class CtmeterError(Exception):
    """Root of all errors raised on purpose."""


class InputError(CtmeterError, ValueError):
    """An input that cannot be read or measured.

    Parameters
    ----------
    problem : str
        What was found, and what was expected instead.
    path : str or os.PathLike, optional
        The file concerned.
    offset : int, optional
        Byte offset of the place, counted from 0.
    line : int, optional
        Line of the place, counted from 1.
    expected : str, optional
        What would have been right at that place.
    """

    def __init__(
        self,
        problem: str,
        *,
        path: str | os.PathLike[str] | None = None,
        offset: int | None = None,
        line: int | None = None,
        expected: str | None = None,
    ) -> None:
        self.problem = problem
        self.path = None if path is None else os.fspath(path)
        self.offset = offset
        self.line = line
        self.expected = expected
        place = self.path or ""
        if line is not None:
            place += f", line {line}" if place else f"line {line}"
        if offset is not None:
            place += f", byte {offset}" if place else f"byte {offset}"
        text = f"{place}: {problem}" if place else problem
        super().__init__(f"{text} (expected {expected})" if expected else text)


class SettingsError(CtmeterError, ValueError):
    """Settings that cannot be used; names every fault at once.

    Parameters
    ----------
    faults : str or iterable of str
        One sentence for each fault, each beginning with the name of the setting.
    """

    def __init__(self, faults: str | Iterable[str]) -> None:
        self.faults = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("; ".join(self.faults))


class StoreError(CtmeterError, OSError):
    """A result directory or register store that cannot be written, read or trusted."""

    #: Whether it was met while writing.
    writing = False


def unwritable(error: OSError, path: str | os.PathLike[str]) -> StoreError:
    """The error of the operating system as one that names the output."""
    made = StoreError(error.errno or errno.EIO, f"cannot be written: {error.strerror or error}", os.fspath(path))
    made.writing = True
    return made


class CtmeterWarning(UserWarning):
    """Something was salvaged, guessed by a documented rule, or left out; the message says what."""
