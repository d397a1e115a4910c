"""Which modules are legally relevant, and the hash by which a program is known.

Registers are written by these and by nothing else; plug-ins may read.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

__all__ = ["MODULES", "program_hash"]

#: Paths within the package: what measures, books and stores, and all that these import. The compiled core is hashed beside them.
MODULES = (
    "checks.py",
    "columns.py",
    "corrections.py",
    "engine.py",
    "errors.py",
    "flicker.py",
    "frequency.py",
    "kernels.py",
    "meter/billing.py",
    "meter/clock.py",
    "meter/code_tables.py",
    "meter/codes.py",
    "meter/config.py",
    "meter/config_checks.py",
    "meter/config_fields.py",
    "meter/configuring.py",
    "meter/demand.py",
    "meter/display_lists.py",
    "meter/feeding.py",
    "meter/incoming.py",
    "meter/inputs.py",
    "meter/legal.py",
    "meter/machine.py",
    "meter/meter.py",
    "meter/obis.py",
    "meter/profile.py",
    "meter/pulse_rows.py",
    "meter/pulses.py",
    "meter/quality.py",
    "meter/readings.py",
    "meter/registers.py",
    "meter/stretch.py",
    "meter/tables.py",
    "meter/tariff.py",
    "meter/trail.py",
    "meter/watch.py",
    "pipeline/describe.py",
    "pipeline/drive.py",
    "pipeline/sides.py",
    "power.py",
    "quantity.py",
    "recording.py",
    "settings.py",
    "store/_ledger_book.py",
    "store/_ledger_check.py",
    "store/_ledger_file.py",
    "store/_ledger_make.py",
    "store/_ledger_reader.py",
    "store/_ledger_schema.py",
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
