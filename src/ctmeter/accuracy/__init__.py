"""Accuracy of a meter against the limits of its class: for a simulated meter, for recorded bench tests, for the engine itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .frontend import FrontEnd as FrontEnd
    from .limits import Limits as Limits
    from .report import Report as Report
    from .verify import run as run
    from .verify import run_bench as run_bench

__all__ = ["FrontEnd", "Limits", "Report", "run", "run_bench"]

_HOME = {"FrontEnd": "frontend", "Limits": "limits", "Report": "report", "run": "verify", "run_bench": "verify"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
