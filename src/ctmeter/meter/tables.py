"""The tables of a meter's store, and the places of its values in them."""

from __future__ import annotations

from ..store.ledger import TableSpec
from .profile import PROFILE_CHANNELS

__all__ = ["TABLES", "column_of"]


def column_of(register: str) -> str:
    """Name of a register as a column: "A_plus" for A+."""
    return register.replace("+", "_plus").replace("-", "_minus")


_TIMES = (("t_ns", "INTEGER"),)
_CHANNELS = tuple((column_of(c), "INTEGER") for c in PROFILE_CHANNELS)
_GROWN = tuple((f"{column_of(c)}_grown", "INTEGER") for c in PROFILE_CHANNELS)
_VALUES = tuple((f"v{k}", "REAL") for k in range(1, 25))

TABLES: tuple[TableSpec, ...] = (
    # secondary is what is accumulated, on_primary what follows from the ratios; units are mWs, mvars, mVAs
    TableSpec(
        "registers",
        (("name", "TEXT"), ("secondary", "INTEGER"), ("on_primary", "INTEGER"), ("remainder", "REAL"), ("roll_overs", "INTEGER")),
        kind="current",
        key=("name",),
    ),
    TableSpec(
        "profile",
        (
            *_TIMES,
            ("start_ns", "INTEGER"),
            ("end_ns", "INTEGER"),
            ("quality", "INTEGER"),
            ("covered_ns", "INTEGER"),
            ("ratio", "INTEGER"),
            *_CHANNELS,
            *_GROWN,
        ),
    ),
    TableSpec("analysis", (*_TIMES, ("start_ns", "INTEGER"), ("quality", "INTEGER"), *_VALUES), legal=False),
    TableSpec("billing", (*_TIMES, ("stop", "INTEGER"), ("cause", "TEXT"), ("quality", "INTEGER"), ("record", "TEXT"))),
    TableSpec("logger2", (*_TIMES, ("quality", "INTEGER"), ("record", "TEXT"))),
    TableSpec("events", (*_TIMES, ("kind", "TEXT"), ("edge", "TEXT"), ("phase", "TEXT"), ("detail", "TEXT"))),
    TableSpec("ratios", (*_TIMES, ("ratio", "INTEGER"), ("secondary", "TEXT"), ("on_primary", "TEXT"))),
    # times are differences to the one before, int64 ns, zlib
    TableSpec("pulses", (("stream", "TEXT"), ("first_ns", "INTEGER"), ("last_ns", "INTEGER"), ("count", "INTEGER"), ("times", "BLOB")), legal=False),
    TableSpec(
        "recordings",
        (("start_ns", "INTEGER"), ("end_ns", "INTEGER"), ("source", "TEXT"), ("sha256", "TEXT"), ("samples", "INTEGER"), ("counts", "TEXT")),
    ),
    # who did what when; the time is that of the computer, so an interrupted job differs here and nowhere else
    TableSpec("audit", (("at_ns", "INTEGER"), ("who", "TEXT"), ("action", "TEXT"), ("detail", "TEXT")), content=False),
)
