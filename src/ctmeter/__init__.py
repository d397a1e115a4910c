"""ctmeter: what a meter and a power-quality instrument would have measured, from raw waveforms.

Names are loaded when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import accuracy as accuracy
    from . import en50160 as en50160
    from . import meter as meter
    from . import synth as synth
    from .errors import CtmeterError, CtmeterWarning, InputError, SettingsError, StoreError
    from .pipeline import Analyzer, Result, load, measure, measure_points
    from .quantity import Flag
    from .readers import read
    from .recording import Block, Channel, Gap, Recording, Timebase, Wiring
    from .settings import Settings

    __version__: str

__all__ = [
    "Analyzer",
    "Block",
    "Channel",
    "CtmeterError",
    "CtmeterWarning",
    "Flag",
    "Gap",
    "InputError",
    "Recording",
    "Result",
    "Settings",
    "SettingsError",
    "StoreError",
    "Timebase",
    "Wiring",
    "__version__",
    "accuracy",
    "batch",
    "en50160",
    "load",
    "measure",
    "measure_points",
    "meter",
    "read",
    "synth",
]

# quiet unless the program that uses the package wants to hear
logging.getLogger(__name__).addHandler(logging.NullHandler())

#: Where each name lives.
_HOME = {
    "Analyzer": "pipeline",
    "Block": "recording",
    "Channel": "recording",
    "CtmeterError": "errors",
    "CtmeterWarning": "errors",
    "Flag": "quantity",
    "Gap": "recording",
    "InputError": "errors",
    "Recording": "recording",
    "Result": "pipeline",
    "Settings": "settings",
    "SettingsError": "errors",
    "StoreError": "errors",
    "Timebase": "recording",
    "Wiring": "recording",
    "load": "pipeline",
    "measure": "pipeline",
    "measure_points": "pipeline",
    "read": "readers",
}
_MODULES = {"accuracy", "batch", "en50160", "meter", "synth"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in _MODULES:
        value = importlib.import_module(f".{name}", __name__)
    elif name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            value = version("ctmeter")
        except PackageNotFoundError:
            value = "unknown"  # run from a source tree
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
