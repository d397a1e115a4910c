"""What a measurement of a synthesised recording ought to give."""

from __future__ import annotations

from typing import Any

from .plan import Plan

__all__ = ["truth"]


def truth(plan: Plan) -> dict[str, Any]:
    """The truths of a plan."""
    return {"values": {}}
