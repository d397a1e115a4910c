"""Readers: one per format, found by the entry points `ctmeter.readers`.

An entry point names an object with `name`, `extensions` (lower case, with the dot),
`sniff(path, head)`, which says by the first bytes whether the file is of its format, and
`read(path, rate=None, **options)`, which gives a `Recording` without roles. Each format is asked
once: first those whose extension fits, then the others. A reader whose `by_ranges(path, head)` is true comes at all
bytes through `_access`, and is given remote objects without fetching them whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..recording import Recording
from ._access import is_url
from ._registry import HEAD, Reader, checked_rate, find, read_file, readers

__all__ = ["HEAD", "Reader", "find", "is_url", "read", "readers"]


def read(path: str | os.PathLike[str], map: Mapping[str, str] | None = None, rate: float | None = None) -> Recording:
    """Open a recording of any known format.

    Parameters
    ----------
    path : str or os.PathLike
        A file, or the URL of an object (s3://, gs://, az://, https://), which `ctmeter.readers.remote` fetches as far as is needed.
    map : mapping of role to channel name, optional
        Which channel plays which part, for instance ``{"U_L1": "VA", "I_L1": "-IA"}``; a minus turns
        the channel round. Where not given, the rules of `ctmeter.roles` decide.
    rate : float, optional
        Sample rate in Hz, for files that do not say it; checked against those that do.

    Returns
    -------
    Recording
        Lazy; `unresolved` says which roles are ambiguous.

    Raises
    ------
    InputError
        A file that cannot be read or understood.
    SettingsError
        A map or rate that cannot be used.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise InputError(f"path {path!r:.200}", expected="the name of a file")
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    rate = checked_rate(rate)
    if is_url(text):
        from . import remote

        return remote.read(text, map, rate)
    return read_file(Path(text), map, rate)
