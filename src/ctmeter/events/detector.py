"""From values of Urms(1/2) and windows to events and flagged windows.

References
----------
IEC 61000-4-30:2015
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, SettingsError
from ..measurements import LABELS
from ..quantity import LINES
from ..recording import Wiring
from ..settings import Settings
from .columns import Columns, concatenate, ends, rows_of
from .flagging import Flagging
from .polyphase import Event, Rows, Watch
from .reference import Sliding, rules
from .rvc import RapidChanges
from .signalling import Signalling
from .state import dumps, loads

__all__ = ["Detector", "Open"]

#: Cycles by which values of different voltages may come out of order.
_DELAY = 2
#: Cycles without a value of any voltage that make a gap; half of one is the rule, and after the least gap it is one.
_GAP = 0.85
_VALUE = {"dip": "U_residual", "interruption": "U_residual", "swell": "U_max", "msv": "U_max"}
_NEVER = -(2**62)
_VERSION = 2


@dataclass(frozen=True)
class Open:
    """An event that is going on."""

    type: str
    start_ns: int


class Detector:
    """Finds events, and flags the windows they touch.

    Parameters
    ----------
    settings : Settings
        With `nominal_voltage`.
    nominal_frequency : float
        Hz.
    wiring : Wiring
    phases : sequence of str, optional
        Voltages that are measured, such as "L1"; those of the wiring where not given.

    Raises
    ------
    SettingsError
        No nominal voltage.

    Notes
    -----
    Events do not depend on how the rows are split, nor on snapshots. What is kept does not grow with time.
    """

    def __init__(self, settings: Settings, nominal_frequency: float, wiring: Wiring, phases: Sequence[str] | None = None) -> None:
        if settings.nominal_voltage is None:
            raise SettingsError("nominal_voltage: events need one")
        self._nominal = settings.nominal_voltage
        self.phases = tuple(p for p in wiring.voltages if phases is None or p in phases)
        self._cycle = round(1e9 / nominal_frequency)
        count = len(self.phases)
        self._places = np.full(len(LABELS), -1)
        for k, phase in enumerate(self.phases):
            self._places[LABELS.index(f"U_{phase}")] = k
        self._watches = [Watch(rule, count) for rule in rules(settings)]
        length = 100 if nominal_frequency < 55 else 120
        self._rvc = None if settings.rvc is None else RapidChanges(settings.rvc, self._nominal, length, self.phases)
        self._msv = None if settings.signalling_frequency is None else Signalling(settings, self._nominal, self.phases)
        self._sliding = Sliding(self._nominal, [f"U_{p}" for p in self.phases]) if settings.reference == "sliding" else None
        self._flagging = Flagging([LINES.index(p) if p in LINES else int(p[1]) - 1 for p in self.phases])
        self._waiting: Columns = {}
        self._windows: Columns = {}
        self._frequencies: Columns = {}
        #: Time up to which values have been looked at, and the start of the last one.
        self._until = self._last = _NEVER

    @property
    def open(self) -> list[Open]:
        """The events that are going on."""
        going_on = [Open(e.type, e.start) for e in self._going_on]
        for kind, part in (("rvc", self._rvc), ("msv", self._msv)):
            if part is not None and part.now is not None:
                going_on.append(Open(kind, part.now.start))
        return going_on

    @property
    def horizon_ns(self) -> int:
        """No event of which nothing has been said yet starts before this time."""
        held = self._flagging.held
        return min(self._until, int(held["t"].min())) if rows_of(held) else self._until

    @property
    def _going_on(self) -> list[Event]:
        return [w.now for w in self._watches if w.now is not None]

    def feed(self, half: Columns, basic: Columns) -> tuple[list[dict[str, Any]], Columns]:
        """Look at more rows.

        Parameters
        ----------
        half : Columns
            Rows of the table `half_cycle`: `t`, `channel`, `U`, `flags`.
        basic : Columns
            Windows, with `t1` or `duration`.

        Returns
        -------
        events : list of dict
            Rows of the table `events` that have ended.
        basic : Columns
            The windows whose flags are known now.
        """
        self._take(half, basic)
        if not rows_of(self._waiting):
            return [], {}
        return self._advance(max(int(self._waiting["t"][-1]) - _DELAY * self._cycle, self._until))

    def hold_frequency(self, rows: Columns) -> None:
        """Take rows of the table `frequency`, to be called before the windows that were completed with them are fed."""
        self._flagging.hold_frequency(rows)

    def frequency(self) -> Columns:
        """The rows of the table `frequency` whose flags are known now."""
        ready, self._frequencies = self._frequencies, {}
        return ready

    def _take(self, half: Columns, basic: Columns) -> None:
        if rows_of(half):
            place = self._places[half["channel"]]
            keep = place >= 0
            fresh = {"t": half["t"][keep], "place": place[keep], "U": half["U"][keep], "flags": half["flags"][keep]}
            self._waiting = concatenate([self._waiting, fresh])
            if rows_of(self._waiting):
                order = np.lexsort((self._waiting["place"], self._waiting["t"]))
                self._waiting = {name: values[order] for name, values in self._waiting.items()}
        self._flagging.hold(basic)
        if self._sliding is not None and rows_of(basic):
            names = ["t", "t1", *(n for n in (f"U_{p}" for p in self.phases) if n in basic)]
            mine = {**basic, "t1": ends(basic)}
            keep = mine["kind"] < 2 if "kind" in mine else np.ones(rows_of(basic), bool)
            self._windows = concatenate([self._windows, {n: mine[n][keep] for n in names}])

    def _advance(self, until: int) -> tuple[list[dict[str, Any]], Columns]:
        """Look at everything before `until`."""
        stop = int(np.searchsorted(self._waiting["t"], until)) if rows_of(self._waiting) else 0
        found: list[dict[str, Any]] = []
        if stop:
            ready = {name: values[:stop] for name, values in self._waiting.items()}
            self._waiting = {name: values[stop:].copy() for name, values in self._waiting.items()}
            found = self._look(ready)
        self._until = until
        if self._sliding is not None:
            self._slide(until)
        self._frequencies = concatenate([self._frequencies, self._flagging.release_frequency(until, self._going_on)])
        basic = self._flagging.release(until, self._going_on)
        if self._msv is not None:
            found += [self._row(e) for e in self._msv.feed(basic)]
        return found, basic

    def _row(self, event: Event) -> dict[str, Any]:
        return event.row(self.phases, _VALUE[event.type], event.type in ("swell", "msv"))

    def _look(self, ready: Columns) -> list[dict[str, Any]]:
        """Look at values, piece by piece between gaps."""
        found: list[dict[str, Any]] = []
        t = ready["t"]
        before = np.concatenate([[self._last if self._last > _NEVER else t[0]], t[:-1]])
        first = 0
        for stop in [*np.flatnonzero(t - before > _GAP * self._cycle).tolist(), len(t)]:
            if stop > first:
                found += self._between_gaps({name: values[first:stop] for name, values in ready.items()})
            if stop < len(t):
                found += self._break_off(int(before[stop]) + self._cycle)
            first = stop
        self._last = int(t[-1])
        return found

    def _between_gaps(self, ready: Columns) -> list[dict[str, Any]]:
        n = len(ready["t"])
        if self._sliding is None:
            return self._values(self._rows(ready, np.full(n, self._nominal)))
        windows = self._windows
        if not rows_of(windows):
            return self._values(self._rows(ready, np.array(self._sliding.values)[ready["place"]]))
        # as if no window were flagged; where that is not so, window by window
        course = self._sliding.course(windows)
        after = np.searchsorted(windows["t1"], ready["t"], side="right")
        rows = self._rows(ready, course[after, ready["place"]])
        if all(w.calm and not (w.beyond(rows) | rows.unknown).any() for w in self._watches):
            return self._values(rows)
        found: list[dict[str, Any]] = []
        first = 0
        while first < n:
            self._slide(int(ready["t"][first]))
            windows = self._windows
            stop = int(np.searchsorted(ready["t"], windows["t1"][0])) if rows_of(windows) else n
            piece = {name: values[first:stop] for name, values in ready.items()}
            found += self._values(self._rows(piece, np.array(self._sliding.values)[piece["place"]]))
            first = stop
        return found

    def _slide(self, until: int) -> None:
        """Move the reference on by the windows that end at `until` or before and that no event touches."""
        assert self._sliding is not None
        windows = self._windows
        n = rows_of(windows)
        late = windows["t1"] > until if n else np.zeros(0, bool)
        stop = int(late.argmax()) if late.any() else n
        if not stop:
            return
        spans = zip(windows["t"][:stop].tolist(), windows["t1"][:stop].tolist(), strict=True)
        going_on = self._going_on
        keep = np.array([not self._flagging.touched(t, t1, going_on) for t, t1 in spans])
        used = {name: values[:stop][keep] for name, values in windows.items()}
        self._sliding.values = self._sliding.course(used)[-1].tolist()
        self._windows = {name: values[stop:] for name, values in windows.items()} if stop < n else {}

    @staticmethod
    def _rows(columns: Columns, reference: np.ndarray) -> Rows:
        return Rows(columns["t"], columns["place"], columns["U"], columns["flags"], reference)

    def _values(self, rows: Rows) -> list[dict[str, Any]]:
        """Look at values without a gap."""
        beyond = self._watches[0].beyond(rows) | self._watches[1].beyond(rows)
        found: list[dict[str, Any]] = []
        if all(w.calm for w in self._watches) and not (beyond.any() or rows.unknown.any()):
            for watch in self._watches:
                watch.pass_by(rows)
        else:
            for watch in self._watches:
                for event in watch.feed(rows):
                    self._flagging.note(event)
                    found.append(self._row(event))
        if self._rvc is not None:
            found += self._rvc.feed(rows, beyond)
        return found

    def _break_off(self, end: int | None) -> list[dict[str, Any]]:
        found = []
        for watch in self._watches:
            if (event := watch.break_off(end)) is not None:
                self._flagging.note(event)
                found.append(self._row(event))
        if self._rvc is not None and (change := self._rvc.break_off()) is not None:
            found.append(change)
        return found

    def flush(self, more: bool = False) -> tuple[list[dict[str, Any]], Columns]:
        """Look at the rest; what is still going on is incomplete.

        Parameters
        ----------
        more : bool
            Whether a further stretch follows: events then end with the last value, as at a gap; else they stay open.
        """
        found, basic = self._advance(-_NEVER)
        found += self._break_off(self._last + self._cycle if more else None)
        if self._msv is not None and (event := self._msv.break_off(more)) is not None:
            found.append(self._row(event))
        self._until = self._last = _NEVER
        return found, basic

    @property
    def _parts(self) -> dict[str, Any]:
        parts = {"rvc": self._rvc, "msv": self._msv, "sliding": self._sliding, "flagging": self._flagging}
        return {name: part for name, part in parts.items() if part is not None}

    def snapshot(self) -> bytes:
        """The whole state, for `restore`."""
        return dumps(
            {
                "version": _VERSION,
                "watches": [w.state() for w in self._watches],
                "parts": {name: part.state() for name, part in self._parts.items()},
                "rows": [self._waiting, self._windows, self._until, self._last],
            }
        )

    def restore(self, snapshot: bytes) -> None:
        """Go on where `snapshot` was made, by a detector of the same settings.

        Raises
        ------
        InputError
            Not a snapshot of this version.
        """
        state = loads(snapshot, _VERSION)
        try:
            for watch, mine in zip(self._watches, state["watches"], strict=True):
                watch.resume(mine)
            for name, part in self._parts.items():
                part.resume(state["parts"][name])
            self._waiting, self._windows, self._until, self._last = state["rows"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"snapshot: {error}", expected="one of this version") from None
