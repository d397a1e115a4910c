"""Rows as columns: name to array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Columns", "concatenate", "ends", "rows_of"]

Columns = dict[str, np.ndarray]


def rows_of(rows: Columns) -> int:
    """Number of rows."""
    return len(rows["t"]) if "t" in rows else 0


def concatenate(parts: Sequence[Columns]) -> Columns:
    """Rows one after the other; a column that a part has not is null there."""
    parts = [p for p in parts if rows_of(p)]
    if len(parts) < 2:
        return dict(parts[0]) if parts else {}
    if all(p.keys() == parts[0].keys() for p in parts):
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    names = list(dict.fromkeys(name for p in parts for name in p))
    like = {name: next(p[name] for p in parts if name in p) for name in names}

    def column(part: Columns, name: str) -> np.ndarray:
        model = like[name]
        missing = np.nan if model.dtype.kind == "f" else 0
        return part[name] if name in part else np.full((rows_of(part), *model.shape[1:]), missing, model.dtype)

    return {name: np.concatenate([column(p, name) for p in parts]) for name in names}


def ends(rows: Columns) -> np.ndarray:
    """The ends of windows, ns."""
    if "t1" in rows:
        return rows["t1"]
    stop: np.ndarray = rows["t"] + np.rint(rows["duration"] * 1e9).astype(np.int64)
    return stop
