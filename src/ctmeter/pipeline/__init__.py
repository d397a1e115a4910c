"""The only place where stages are connected: a recording in, a result out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analyzer import Analyzer
    from .result import Result, load
    from .run import measure, measure_points

__all__ = ["Analyzer", "Result", "load", "measure", "measure_points"]

_HOME = {"Analyzer": "analyzer", "Result": "result", "load": "result", "measure": "run", "measure_points": "run"}


def __getattr__(name: str) -> Any:
    # whoever wants a word of a module of this package need not wait for all of it
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
