"""Pulses: what an output makes of the instants at which energy quanta are complete, and what comes in.

References
----------
IEC 62053-31:1998
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Output", "Stream", "lit", "quantum"]

_PER_KILO = 3.6e6


def quantum(constant: float, ratio: int = 1) -> float:
    """Ws of the secondary side for a pulse of `constant` imp/kWh, where pulses count primary energy through `ratio`."""
    return _PER_KILO / constant / ratio


@dataclass(frozen=True)
class Stream:
    """One train of pulses.

    Parameters
    ----------
    name : str
        "led-active", "led-reactive", "s0", "io1", "io2".
    register : str
        The energy it counts.
    constant : float
        imp/kWh, imp/kvarh.
    width : float
        s of a pulse; a pause as long follows at least.
    """

    name: str
    register: str
    constant: float
    width: float


class Output:
    """Lets pulses out one after another, each with its width and a pause as long.

    Parameters
    ----------
    width : float
        s.
    queue : int
        Pulses that may wait. Where more would, they are not given out: that is counted and said, never silent.
    """

    def __init__(self, width: float, queue: int) -> None:
        self._step, self._queue = round(2 * width * 1e9), queue
        self._free_ns: int | None = None
        self.given = self.lost = 0
        #: Since when pulses have been lost, ns; None where the last one found room.
        self.overrun_ns: int | None = None
        self._lost_before = 0

    def feed(self, due_ns: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
        """Pulses that are due, ascending.

        Returns
        -------
        starts : ndarray, int64
            ns, at which pulses are given out.
        overruns : list of (start_ns, end_ns, pulses lost)
            Those that have ended.
        """
        free = self._free_ns
        calm = self.overrun_ns is None and (free is None or not len(due_ns) or due_ns[0] >= free)
        if calm and (len(due_ns) < 2 or int(np.diff(due_ns).min()) >= self._step):
            if len(due_ns):
                self._free_ns = int(due_ns[-1]) + self._step
            self.given += len(due_ns)
            return due_ns.astype(np.int64), []
        return self._crowded(due_ns)

    def _crowded(self, due_ns: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
        starts: list[int] = []
        overruns: list[tuple[int, int, int]] = []
        began = self.overrun_ns
        for due in due_ns.tolist():
            free = due if self._free_ns is None else max(self._free_ns, due)
            if (free - due) // self._step >= self._queue:
                self.lost += 1
                if began is None:
                    began, self._lost_before = due, self.lost - 1
                continue
            if began is not None and free <= due:
                overruns.append((began, due, self.lost - self._lost_before))
                began = None
            starts.append(free)
            self._free_ns = free + self._step
        self.given += len(starts)
        self.overrun_ns = began
        return np.array(starts, np.int64), overruns

    def state(self) -> list[Any]:
        """Plain values, for `resume`."""
        return [self._free_ns, self.given, self.lost, self.overrun_ns, self._lost_before]

    def resume(self, state: Sequence[Any]) -> None:
        """Go on from `state`."""
        self._free_ns, self.given, self.lost, self.overrun_ns, self._lost_before = state


def lit(t_ns: int, starts: np.ndarray, width: float, *, loaded: bool, without_load: bool) -> bool:
    """Whether a LED is lit at an instant: while a pulse lasts, and without load for good where that is set.

    Parameters
    ----------
    t_ns : int
    starts : ndarray, int64
        When its pulses begin, ns, ascending.
    width : float
        s of a pulse.
    loaded : bool
        Whether there is a load.
    without_load : bool
        Whether it is lit where there is none.
    """
    if not loaded:
        return without_load
    before = int(np.searchsorted(starts, t_ns, side="right"))
    return before > 0 and t_ns - int(starts[before - 1]) < round(width * 1e9)
