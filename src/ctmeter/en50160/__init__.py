"""EN 50160: measured tables and events against the limits of an edition, as weekly statistics and verdicts."""

from __future__ import annotations

from .assessment import Assessment, assess
from .curves import curves, position
from .events import cell, classify, located
from .limits import DEFAULT_EDITION, EDITIONS, LEVELS, Limit, Limits, Parameter, load_limits, read_limits
from .sources import Series
from .sources import _from_pst as plt_of_pst
from .tables import read_table

__all__ = [
    "DEFAULT_EDITION",
    "EDITIONS",
    "LEVELS",
    "Assessment",
    "Limit",
    "Limits",
    "Parameter",
    "Series",
    "assess",
    "cell",
    "classify",
    "curves",
    "load_limits",
    "located",
    "plt_of_pst",
    "position",
    "read_limits",
    "read_table",
]
