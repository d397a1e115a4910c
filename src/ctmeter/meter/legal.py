"""Which modules are legally relevant, and the hash by which a program is known.

Registers are written by these and by nothing else; plug-ins may read.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

__all__ = ["MODULES", "program_hash"]

#: Paths within the package, and the compiled core beside them.
MODULES = (
    "columns.py",
    "engine.py",
    "flicker.py",
    "frequency.py",
    "kernels.py",
    "meter/billing.py",
    "meter/clock.py",
    "meter/config.py",
    "meter/demand.py",
    "meter/feeding.py",
    "meter/inputs.py",
    "meter/legal.py",
    "meter/machine.py",
    "meter/meter.py",
    "meter/profile.py",
    "meter/registers.py",
    "meter/stretch.py",
    "meter/tables.py",
    "meter/tariff.py",
    "store/ledger.py",
)
_ROOT = Path(__file__).resolve().parent.parent


@cache
def program_hash() -> str:
    """SHA-256, in hexadecimal, of the legally relevant modules and of the compiled core that runs.

    Raises
    ------
    OSError
        One of them cannot be read.
    """
    from .. import _dsp

    digest = hashlib.sha256()
    for name in MODULES:
        digest.update(name.encode() + b"\0" + (_ROOT / name).read_bytes() + b"\0")
    digest.update(Path(_dsp.__file__).read_bytes())
    return digest.hexdigest()
