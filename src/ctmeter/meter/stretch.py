"""Rows of registers between the engine and the meter: whole millijoules grown in consecutive pieces of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Stretch"]


@dataclass(frozen=True)
class Stretch:
    """Consecutive rows, in the order of time.

    Parameters
    ----------
    start_ns, end_ns : ndarray, int64, shape (n,)
        ns UTC.
    energy : ndarray, int64, shape (n, 40)
        mWs, mvars, mVAs that the registers grew in each row, in the order of `ctmeter.quantity.energy_keys`.
    flags : ndarray, uint32, shape (n,)
        Bits of `ctmeter.quantity.Flag`.
    means : mapping of column name to ndarray, float64, shape (n,)
        Means of the row, NaN where there are none.
    """

    start_ns: np.ndarray
    end_ns: np.ndarray
    energy: np.ndarray
    flags: np.ndarray
    means: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.start_ns)

    def part(self, a: int, b: int) -> Stretch:
        """Rows [a, b)."""
        means = {name: values[a:b] for name, values in self.means.items()}
        return Stretch(self.start_ns[a:b], self.end_ns[a:b], self.energy[a:b], self.flags[a:b], means)

    def cut(self, times: Sequence[int]) -> Stretch:
        """The same, with a row boundary at each of these times (ns, ascending) that lies inside a row.

        The energy of a row is shared by time, in whole units; their sum is kept.
        """
        rows = self
        for t in times:
            k = int(np.searchsorted(rows.start_ns, t, side="right")) - 1
            if k < 0 or not rows.start_ns[k] < t < rows.end_ns[k]:
                continue
            part, whole = t - int(rows.start_ns[k]), int(rows.end_ns[k] - rows.start_ns[k])
            first = np.array([n * part // whole for n in rows.energy[k].tolist()], np.int64)
            again = np.insert(np.arange(len(rows)), k + 1, k)
            energy, start, end = rows.energy[again], rows.start_ns[again], rows.end_ns[again]
            energy[k], energy[k + 1] = first, rows.energy[k] - first
            end[k] = start[k + 1] = t
            rows = Stretch(start, end, energy, rows.flags[again], {name: values[again] for name, values in rows.means.items()})
        return rows
