"""Transients: samples beyond a share of the nominal peak.

Off unless a threshold is set. Samples beyond it that are less than half a nominal cycle apart make
one transient, on whichever voltages they are. `U_max` is the largest magnitude of a sample, V, which
understates what is faster than the sample rate tells. Transients do not flag windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .._dsp import LARGEST
from ..quantity import Flag
from ..recording import Channel, Timebase, Wiring, scaled
from ..settings import Settings
from .polyphase import blank
from .state import dumps, loads

__all__ = ["Transients"]

_VERSION = 1


@dataclass
class _Burst:
    """Samples beyond the threshold: first and last, and the largest magnitude, of each voltage."""

    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    peak: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, state: dict[str, Any]) -> _Burst:
        return cls(*({int(k): v for k, v in state[name].items()} for name in ("first", "last", "peak")))


class Transients:
    """Looks out for transients in the samples of one stretch without a change of rate.

    Parameters
    ----------
    settings : Settings
        With `nominal_voltage` and `transient`.
    nominal_frequency : float
        Hz.
    wiring : Wiring
    channels : sequence of Channel
        One for each column of the blocks.
    timebase : Timebase

    Notes
    -----
    The same for any split into blocks.
    """

    def __init__(self, settings: Settings, nominal_frequency: float, wiring: Wiring, channels: Sequence[Channel], timebase: Timebase) -> None:
        self._nominal = settings.nominal_voltage or 0.0
        self._limit = (settings.transient or 0.0) * self._nominal * 2**0.5
        self._apart = timebase.sample_rate / nominal_frequency / 2
        self._timebase = timebase
        self._columns = [k for k, c in enumerate(channels) if c.role and c.role[0] == "U" and c.role[2:] in wiring.voltages]
        self._channels = [channels[k] for k in self._columns]
        self._at = 0
        self._now: _Burst | None = None

    @property
    def open(self) -> int | None:
        """The start of the transient that is going on, ns."""
        return None if self._now is None else self._ns(min(self._now.first.values()))

    def _ns(self, sample: int) -> int:
        return self._timebase.ns(sample)

    def feed(self, block: np.ndarray) -> list[dict[str, Any]]:
        """The transients that are over by the end of the block, rows of the table `events`."""
        values = np.abs(scaled(block[:, self._columns], self._channels))
        beyond = (values > self._limit) & (values < LARGEST)
        done: list[dict[str, Any]] = []
        hit = np.flatnonzero(beyond.any(axis=1))
        if len(hit):
            cuts = np.flatnonzero(np.diff(hit) > self._apart) + 1
            for run in np.split(hit, cuts):
                done += self._join(int(run[0]), int(run[-1]), values, beyond)
        self._at += len(block)
        if self._now is not None and self._at - 1 - max(self._now.last.values()) > self._apart:
            done += self._close(0)
        return done

    def _join(self, first: int, last: int, values: np.ndarray, beyond: np.ndarray) -> list[dict[str, Any]]:
        """Add rows [first, last] of the block, to a new transient where the one before is over."""
        done = []
        if self._now is not None and self._at + first - max(self._now.last.values()) > self._apart:
            done = self._close(0)
        burst = self._now = self._now or _Burst()
        for k in range(len(self._columns)):
            own = np.flatnonzero(beyond[first : last + 1, k])
            if len(own):
                burst.first.setdefault(k, self._at + first + int(own[0]))
                burst.last[k] = self._at + first + int(own[-1])
                burst.peak[k] = max(burst.peak.get(k, 0.0), float(values[first + own, k].max()))
        return done

    def gap(self, samples: int) -> list[dict[str, Any]]:
        """Samples are missing: a transient is over."""
        done = self._close(Flag.INCOMPLETE | Flag.GAP if self._near else 0)
        self._at += samples
        return done

    @property
    def _near(self) -> bool:
        return self._now is not None and self._at - 1 - max(self._now.last.values()) <= self._apart

    def flush(self) -> list[dict[str, Any]]:
        """The samples end: so does a transient."""
        return self._close(0)

    def _close(self, flags: int) -> list[dict[str, Any]]:
        burst, self._now = self._now, None
        if burst is None:
            return []
        names = [str(c.role)[2:] for c in self._channels]
        flags |= Flag.NO_CLOCK if self._timebase.start_ns is None else 0

        def span(first: int, last: int) -> dict[str, Any]:
            return {"t": self._ns(first), "duration": (last + 1 - first) / self._timebase.sample_rate}

        detail = [{"phase": names[k], **span(burst.first[k], burst.last[k]), "U": burst.peak[k]} for k in sorted(burst.first)]
        whole = span(min(burst.first.values()), max(burst.last.values()))
        row = blank("transient", whole["t"], whole["duration"], flags)
        peak = max(burst.peak.values())
        return [{**row, "phases": [d["phase"] for d in detail], "U_ref": self._nominal, "U_max": peak, "detail": detail}]

    def snapshot(self) -> bytes:
        """The whole state, for `restore`."""
        return dumps({"version": _VERSION, "at": self._at, "now": None if self._now is None else asdict(self._now)})

    def restore(self, snapshot: bytes) -> None:
        """Go on where `snapshot` was made, with the same settings, channels and timebase.

        Raises
        ------
        InputError
            Not a snapshot of this version.
        """
        state = loads(snapshot, _VERSION)
        self._at = state["at"]
        self._now = None if state["now"] is None else _Burst.of(state["now"])
