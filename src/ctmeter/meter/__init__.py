"""The meter: registers, tariffs, demand, billing, profile, pulses and display of a type-approved CT meter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import MeterConfig as MeterConfig
    from .meter import Fed as Fed
    from .meter import Meter as Meter

__all__ = ["Fed", "Meter", "MeterConfig"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import config, meter

    return config.MeterConfig if name == "MeterConfig" else getattr(meter, name)
