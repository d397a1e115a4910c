"""What a meter sees beside energy: which phases have voltage and load, and what an operator should know of.

Conditions are looked at once a second. An event begins and ends; both are written down when they happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .readings import Indicators
from .stretch import Stretch

__all__ = ["Event", "Watch"]

#: Share of the voltage limit by which it must be missed before a phase counts as off again. Not in the data sheet.
_HYSTERESIS = 0.02
#: ns for which something suspicious must last before it is said. Not in the data sheet.
_PATIENCE = 10_000_000_000
#: Share of the nominal current that is a load where the phase has no voltage. Not in the data sheet.
_LOADED = 0.05


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Parameters
    ----------
    t_ns : int
        ns UTC.
    kind : str
        "voltage-failure", "phase-loss", "reverse-current", "load-without-voltage", "gap", "clock", "ratio", "alarm",
        "tamper-cover", "tamper-magnetic", "pulse-overrun", "pulse-input", "configuration", "error".
    edge : {"begin", "end", ""}
        "" for what has no duration.
    phase : str
    detail : mapping
        Plain values.
    """

    t_ns: int
    kind: str
    edge: str = ""
    phase: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def _held(on: bool, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A state that `above` switches on and `below` off, row by row, from the state `on`."""
    mark = np.where(above, 1, np.where(below, 0, -1))
    last = np.maximum.accumulate(np.where(mark >= 0, np.arange(1, len(mark) + 1), 0))
    state: np.ndarray = np.where(last > 0, mark[np.maximum(last - 1, 0)], int(on)).astype(bool)
    return state


class Watch:
    """Indicators of the display, and events of the supply.

    Parameters
    ----------
    voltages : sequence of 3 str or None
        Column of the voltage of each phase; None where it is not measured.
    u_indicator, p_indicator : float
        V and W above which a phase has voltage and load.
    i_n : float
        A.
    """

    def __init__(self, voltages: Sequence[str | None], u_indicator: float, p_indicator: float, i_n: float) -> None:
        self._voltages, self._u, self._p, self._i = tuple(voltages), u_indicator, p_indicator, i_n
        self._on: list[bool | None] = [None, None, None]
        self._load: list[int | None] = [None, None, None]
        self._quadrant: int | None = None
        self._sequence: str | None = None
        self._suspect: dict[str, int] = {}
        #: Events that have begun and not ended: kind and phase.
        self.open: set[tuple[str, str]] = set()
        #: ns for which at least one phase had voltage.
        self.supplied_ns = 0

    def feed(self, rows: Stretch) -> list[Event]:
        """Look at some more rows."""
        if not len(rows):
            return []
        events: list[Event] = []
        on = self._voltage(rows, events)
        seconds = rows.end_ns - rows.start_ns
        # a voltage that is not known supplies nothing
        seen = [state & np.isfinite(rows.means[column or ""]) for state, column in zip(on, self._voltages, strict=True) if state is not None]
        self.supplied_ns += int(seconds[np.any(seen, axis=0)].sum()) if seen else 0
        self._loads(rows, on, events)
        return sorted(events, key=lambda e: e.t_ns)

    def _voltage(self, rows: Stretch, events: list[Event]) -> list[np.ndarray | None]:
        on: list[np.ndarray | None] = []
        known = np.ones(len(rows), bool)
        for k, column in enumerate(self._voltages):
            u = rows.means.get(column) if column else None
            if u is None:
                on.append(None)
                continue
            # a voltage that cannot be told changes nothing, and is no failure before the first that can
            state = _held(bool(self._on[k]), u > self._u, u < self._u * (1 - _HYSTERESIS))
            on.append(state)
            if self._on[k] is None:
                told = np.logical_or.accumulate(np.isfinite(u))
                known &= told
            if self._on[k] is not None or told[-1]:
                self._on[k] = bool(state[-1])
        there = [s for s in on if s is not None]
        if there:
            none = ~np.any(there, axis=0) & known
            self._edges(rows, none, "voltage-failure", "", events)
            for k, live in enumerate(on):
                if live is not None:
                    self._edges(rows, ~live & ~none & known, "phase-loss", f"L{k + 1}", events)
        return on

    def _loads(self, rows: Stretch, on: Sequence[np.ndarray | None], events: list[Event]) -> None:
        p_total = rows.means.get("P")
        for k in range(3):
            p, i = rows.means.get(f"P_L{k + 1}"), rows.means.get(f"I_L{k + 1}")
            if p is not None and p_total is not None:
                load = np.where(np.abs(p) > self._p, np.sign(p), 0)
                self._load[k] = int(load[-1]) if np.isfinite(p[-1]) else None
                self._lasting(rows, (load < 0) & (p_total > self._p), "reverse-current", f"L{k + 1}", events)
            state = on[k]
            if state is not None and i is not None:
                self._lasting(rows, ~state & (i > _LOADED * self._i), "load-without-voltage", f"L{k + 1}", events)
        q_total = rows.means.get("Q")
        if p_total is not None and q_total is not None and np.isfinite(p_total[-1]) and np.isfinite(q_total[-1]):
            # a tie is import, inductive
            self._quadrant = (1 if q_total[-1] >= 0 else 4) if p_total[-1] >= 0 else (2 if q_total[-1] >= 0 else 3)
        order = rows.means.get("sequence")
        self._sequence = {1.0: "123", -1.0: "132"}.get(float(order[-1])) if order is not None else None

    def _edges(self, rows: Stretch, state: np.ndarray, kind: str, phase: str, events: list[Event]) -> None:
        """Events where a condition begins and ends."""
        before = (kind, phase) in self.open
        for k in np.flatnonzero(np.diff(state, prepend=before)).tolist():
            events.append(Event(int(rows.start_ns[k]), kind, "begin" if state[k] else "end", phase))
        (self.open.add if state[-1] else self.open.discard)((kind, phase))

    def _lasting(self, rows: Stretch, state: np.ndarray, kind: str, phase: str, events: list[Event]) -> None:
        """The same for a condition that must last before it is an event."""
        key = f"{kind} {phase}".strip()
        count = self._suspect.get(key, 0)
        if not state.any():
            if count or (kind, phase) in self.open:
                self._suspect[key] = 0
                self._edges(rows, state, kind, phase, events)
            return
        lasting = np.zeros(len(state), bool)
        for k, (true, ns) in enumerate(zip(state.tolist(), (rows.end_ns - rows.start_ns).tolist(), strict=True)):
            count = count + ns if true else 0
            lasting[k] = count >= _PATIENCE
        self._suspect[key] = count
        self._edges(rows, lasting, kind, phase, events)

    def blank(self) -> None:
        """No time is measured: nothing is known of the present."""
        self._load, self._quadrant, self._sequence = [None, None, None], None, None

    def indicators(self, tariff: int | None, error: bool, tamper: str) -> Indicators:
        """The marks of the display after the last row."""
        a, b, c = self._on
        x, y, z = self._load
        return Indicators((a, b, c), (x, y, z), self._quadrant, self._sequence, tariff, error, tamper)

    def state(self) -> dict[str, Any]:
        """Plain values, for `resume`."""
        return {
            "on": self._on,
            "load": self._load,
            "last": [self._quadrant, self._sequence],
            "suspect": dict(sorted(self._suspect.items())),
            "open": sorted(list(pair) for pair in self.open),
            "supplied_ns": self.supplied_ns,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._on, self._load = list(state["on"]), list(state["load"])
        self._quadrant, self._sequence = state["last"]
        self._suspect, self.open = dict(state["suspect"]), {(kind, phase) for kind, phase in state["open"]}
        self.supplied_ns = state["supplied_ns"]
