"""Times of a stretch of samples whose clock is set on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..recording import Timebase

__all__ = ["Clock"]


@dataclass(frozen=True)
class Clock(Timebase):
    """A timebase that follows a clock which is set.

    Parameters
    ----------
    settings : list of (int, int)
        From which sample on times are later by how many ns, in all.
    """

    settings: list[tuple[int, int]] = field(default_factory=list)

    def set(self, sample: int, later: int) -> None:
        """Let times be later by so many ns from a sample on, which is behind those at which that was done before."""
        self.settings.append((sample, later + (self.settings[-1][1] if self.settings else 0)))

    def ns(self, index: float) -> int:
        """Time of sample `index`, ns since 1970-01-01 UTC."""
        return super().ns(index) + next((later for sample, later in reversed(self.settings) if sample - 0.5 <= index), 0)

    def index(self, ns: int) -> float:
        """Number (fractional) of the sample at time `ns`; the later one where the clock went back over that time."""
        for sample, later in reversed(self.settings):
            found = super().index(ns - later)
            if found >= sample - 0.5:
                return found
        return super().index(ns)
