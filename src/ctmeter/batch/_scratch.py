"""The folder in which a batch makes its scratch files: a process that is killed removes nothing, so that whoever started it, or the next, does."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..readers.archives import scratch

__all__ = ["worker_scratch"]

_PREFIX = "ctmeter-batch-"
#: Held as long as whoever made the folder lives.
_LOCK = "lock"


@contextmanager
def worker_scratch() -> Iterator[str | None]:
    """A folder that goes at the end with all that is in it, as do those of processes that were killed; None where there can be none."""
    above = scratch() or tempfile.gettempdir()
    _clear(above)
    try:
        place = tempfile.mkdtemp(prefix=_PREFIX, dir=above)
    except OSError:
        yield None  # most batches need none
        return
    try:
        with _held(place):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _held(place: str) -> Iterator[None]:
    """Hold the lock of a folder, which is there only when it is held."""
    path = os.path.join(place, _LOCK)
    try:
        descriptor = os.open(f"{path}.new", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except OSError:
        yield  # a full disk: the folder is not cleared by others then
        return
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(f"{path}.new", path)
        yield
    finally:
        os.close(descriptor)


def _clear(above: str) -> None:
    """Remove folders whose makers are no more."""
    with suppress(OSError), os.scandir(above) as entries:
        for entry in entries:
            if not (entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.geteuid()):
                continue
            with suppress(OSError), open(os.path.join(entry.path, _LOCK), "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(entry.path, ignore_errors=True)
