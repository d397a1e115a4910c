"""Spectral lists of consecutive windows on their way into the table `basic`, smoothed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..measurements import Columns
from ..power import smoothed
from ..quantity import EXTRAS, LIST_LENGTH, columns

__all__ = ["SPECTRAL", "Smoothing"]

#: Names of all spectral lists.
SPECTRAL = frozenset(c.name for c in columns("basic", True, EXTRAS) if c.dtype in LIST_LENGTH)
#: A window that starts so much later than the last one ended does not follow it, ns.
_APART = 1000


class Smoothing:
    """Smooths the spectral lists of windows, however they are split into calls; after missing time, or a null value, it starts anew.

    Aggregation takes the windows as they were: what is aggregated is not smoothed.
    """

    def __init__(self) -> None:
        self._before: dict[str, np.ndarray] = {}  # the last smoothed row of each list
        self._end: int | None = None  # of the last window, ns

    def feed(self, windows: Columns) -> Columns:
        """The same windows with smoothed lists; those on the old grid after a 10-min tick (`kind` 2) stay as they are."""
        normal = np.flatnonzero(windows["kind"] < 2)
        names = sorted(SPECTRAL & windows.keys())
        if not names or not len(normal):
            return windows
        t, t1, duration = (windows[name][normal] for name in ("t", "t1", "duration"))
        ends = np.concatenate([t[:1] if self._end is None else [self._end], t1[:-1]])
        breaks = np.flatnonzero(t - ends > _APART).tolist()
        values = np.concatenate([windows[name][normal] for name in names], axis=1, dtype=float)
        first = [self._before.get(name, np.full(windows[name].shape[1], np.nan)) for name in names]
        before = np.concatenate(first)
        result = np.empty_like(values)
        for a, b in zip([0, *breaks], [*breaks, len(normal)], strict=True):
            if a in breaks:
                before = np.full_like(before, np.nan)
            if a < b:
                result[a:b] = smoothed(np.concatenate([before[None], values[a:b]]), np.concatenate([[0.0], duration[a:b]]))[1:]
                before = result[b - 1]
        edges = np.cumsum([len(f) for f in first])[:-1]
        self._before = {name: row.copy() for name, row in zip(names, np.split(before, edges), strict=True)}
        self._end = int(t1[-1])
        taken = dict(windows)
        for name, column in zip(names, np.split(result, edges, axis=1), strict=True):
            taken[name] = windows[name].copy()
            taken[name][normal] = column
        return taken

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"before": self._before, "end": self._end}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._before, self._end = dict(state["before"]), state["end"]
