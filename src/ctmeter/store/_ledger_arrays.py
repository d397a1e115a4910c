"""Rows of a register store as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["arrays"]


def arrays(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Columns, with their types, as `Ledger.columns` gives them.

    Raises
    ------
    TypeError, ValueError, OverflowError
        A value that a column of that type does not hold.
    """
    found = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return {name: _array(kind, values) for (name, kind), values in zip(columns, found, strict=True)}


def _array(kind: str, values: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    if kind == "REAL":
        return np.array(values, np.float64)
    if kind == "INTEGER":
        if None not in values:
            return np.array(values, np.int64)
        return np.ma.MaskedArray([0 if v is None else v for v in values], [v is None for v in values], np.int64)
    array = np.empty(len(values), object)
    array[:] = values
    return array
