"""Batches: from folders of recordings to one data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .runner import run

__all__ = ["run"]


def __getattr__(name: str) -> Any:
    # workers need only the modules of their work
    if name != "run":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .runner import run

    globals()["run"] = run
    return run
