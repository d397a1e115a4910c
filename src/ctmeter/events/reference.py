"""Thresholds, and what they refer to: the nominal voltage, or the sliding one-minute mean.

References
----------
IEC 61000-4-30:2015
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..settings import Settings
from .polyphase import Rule

__all__ = ["Sliding", "rules"]

#: Weights of the first-order filter of one minute on values of 10/12 cycles.
_OLD, _NEW = 0.9967, 0.0033


def rules(settings: Settings) -> tuple[Rule, Rule, Rule]:
    """What dips, swells and interruptions are."""
    s = settings
    return (
        Rule("dip", s.dip, s.dip + s.hysteresis),
        Rule("swell", s.swell, s.swell - s.hysteresis, above=True),
        Rule("interruption", s.interruption, s.interruption + s.hysteresis, every=True),
    )


class Sliding:
    """The sliding reference of several voltages.

    Parameters
    ----------
    nominal : float
        V, the value it starts from.
    names : sequence of str
        Columns of the windows' rms values.
    """

    def __init__(self, nominal: float, names: Sequence[str]) -> None:
        self.values = [nominal] * len(names)
        self._names = tuple(names)

    def course(self, windows: dict[str, np.ndarray]) -> np.ndarray:
        """The reference before the first and after each window, if none of them is flagged.

        Returns
        -------
        ndarray, shape (n + 1, number of voltages)
        """
        n = len(windows["t"])
        out = np.empty((n + 1, len(self._names)))
        for k, name in enumerate(self._names):
            value = self.values[k]
            out[0, k] = value
            column = windows[name].tolist() if name in windows else [np.nan] * n
            for i, u in enumerate(column, 1):
                if u == u:
                    value = _OLD * value + _NEW * u
                out[i, k] = value
        return out

    def state(self) -> list[float]:
        """Everything, as plain values."""
        return self.values

    def resume(self, state: Any) -> None:
        """Go on from `state`."""
        self.values = list(state)
