"""Pulses on their way into the store: one row for each output and ten minutes, however often is committed."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["PulseRows", "pulse_times"]

_SPAN_NS = 600_000_000_000


class PulseRows:
    """Pulses that were given out and have no row yet.

    Parameters
    ----------
    streams : sequence of str
        Names of the outputs; rows of the same ten minutes stand in their order.
    """

    def __init__(self, streams: Sequence[str]) -> None:
        self._waiting: dict[str, list[np.ndarray]] = {name: [] for name in streams}

    def add(self, stream: str, t_ns: np.ndarray) -> None:
        """Some more pulses, ns UTC, ascending."""
        if len(t_ns):
            self._waiting[stream].append(t_ns)

    def take(self, until_ns: int | None) -> list[tuple[Any, ...]]:
        """Rows of the tens of minutes (UTC) that have ended by then, of all where it is None.

        Returns
        -------
        list of (stream, first_ns, last_ns, count, times)
            In the order of time; `pulse_times` reads `times`.
        """
        found: list[tuple[int, tuple[Any, ...]]] = []
        for name, parts in self._waiting.items():
            if not parts:
                continue
            t = np.concatenate(parts)
            ready = len(t) if until_ns is None else int(np.searchsorted(t, until_ns // _SPAN_NS * _SPAN_NS))
            spans = t[:ready] // _SPAN_NS
            for part in np.split(t[:ready], np.flatnonzero(np.diff(spans)) + 1) if ready else []:
                found.append((int(part[0]) // _SPAN_NS, (name, int(part[0]), int(part[-1]), len(part), _packed(part))))
            self._waiting[name] = [t[ready:]] if ready < len(t) else []
        return [row for _, row in sorted(found, key=lambda x: x[0])]

    def state(self) -> dict[str, Any]:
        """Plain values, for `resume`; without outputs of which nothing waits."""
        waiting = {name: np.concatenate(parts) for name, parts in self._waiting.items() if parts}
        return {name: [int(t[0]), base64.b64encode(_packed(t)).decode()] for name, t in waiting.items()}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        for name, (first, packed) in state.items():
            self._waiting[name] = [pulse_times(first, base64.b64decode(packed))]


def _packed(t_ns: np.ndarray) -> bytes:
    return zlib.compress(np.diff(t_ns, prepend=t_ns[:1]).astype("<i8").tobytes(), 1)


def pulse_times(first_ns: int, times: bytes) -> np.ndarray:
    """Times of the pulses of a row, ns UTC, int64."""
    return first_ns + np.cumsum(np.frombuffer(zlib.decompress(times), "<i8"))
