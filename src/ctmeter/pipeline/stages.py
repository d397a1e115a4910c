"""What stands between the engine and the tables: events, the waveforms around them, and aggregation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..aggregation import Aggregator
from ..events import Detector, Tracer, Transients
from ..measurements import Columns
from ..recording import Channel, Gap, Timebase, Wiring
from ..settings import Settings
from .clocks import Clock
from .snippets import Snippets

__all__ = ["Stages"]

#: Windows that may wait for the values of Urms(1/2) that flag them: the two grids at a 10-min tick have one each.
_LAG = 2


def _measured(channels: Sequence[Channel], wiring: Wiring) -> tuple[str, ...]:
    """The voltages of the wiring that there are; three wires have all or none."""
    roles = [c.role[2:] for c in channels if c.role and c.role[0] == "U"]
    if wiring.name == "3P3W":
        return wiring.voltages if any(p in roles for p in wiring.voltages) else ()
    return tuple(p for p in wiring.voltages if p in roles)


class Stages:
    """Events and longer intervals of one measurement.

    Parameters
    ----------
    settings : Settings
        With `nominal_frequency`.
    channels : sequence of Channel
    wiring : Wiring
    """

    def __init__(self, settings: Settings, channels: Sequence[Channel], wiring: Wiring) -> None:
        nominal = settings.nominal_frequency
        assert nominal is not None
        self._settings, self._channels, self._wiring, self._nominal = settings, channels, wiring, nominal
        phases = _measured(channels, wiring)
        self._detector = Detector(settings, nominal, wiring, phases) if settings.nominal_voltage and phases else None
        self.snippets = Snippets(channels, nominal) if settings.snippets and self._detector is not None else None
        self._aggregator: Aggregator | None = None
        self._transients: Transients | None = None
        self._tracer: Tracer | None = None
        self._found: list[dict[str, Any]] = []
        self._frequencies: Columns = {}
        self._offset_ns = 0
        self._clock = Clock(None, 1.0)

    @property
    def lag(self) -> int:
        """Windows that the engine may have given and this not yet."""
        return 0 if self._detector is None else _LAG

    def begin(self, timebase: Timebase, offset_ns: int) -> dict[str, Columns]:
        """Begin a stretch of samples, whose times are shifted by `offset_ns`; rows of longer intervals that this ends."""
        ended: dict[str, Columns] = {}
        if self._aggregator is None:
            self._aggregator = Aggregator(self._settings, self._nominal, self._wiring, timebase.start_ns)
        else:
            ended = self._aggregator.begin(timebase.start_ns, offset_ns)
        self._watch(Clock(timebase.start_ns, timebase.sample_rate), offset_ns)
        return ended

    def set_clock(self, sample: int, later: int) -> None:
        """Let times be later by so many ns, from a sample of the stretch on."""
        self._clock.set(sample, later)

    def _watch(self, timebase: Clock, offset_ns: int) -> None:
        """Look for events in a stretch of samples."""
        self._clock, self._offset_ns = timebase, offset_ns
        if self._detector is not None and self._settings.transient is not None:
            self._transients = Transients(self._settings, self._nominal, self._wiring, self._channels, timebase)
        if self._settings.signalling_trace:
            self._tracer = Tracer(self._settings, self._nominal, self._wiring, self._channels, timebase)
        if self.snippets is not None:
            self.snippets.begin(timebase, offset_ns)

    def keep(self, item: np.ndarray | Gap, lasting: bool) -> bool:
        """Look at raw frames, `lasting` if they stay as they are; whether rows should be taken from the engine soon."""
        if self._transients is not None:
            found = self._transients.gap(item.samples) if isinstance(item, Gap) else self._transients.feed(item)
            self._found += self._shifted(found)
        if self._tracer is not None and isinstance(item, Gap):
            self._tracer.gap(item.samples)
        elif self._tracer is not None and not isinstance(item, Gap):
            self._tracer.feed(item)
        return self.snippets is not None and self.snippets.keep(item, lasting)

    @property
    def keeps(self) -> bool:
        """Whether raw frames are kept."""
        return self.snippets is not None

    def _shifted(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Events in the time of the rows."""
        for event in events:
            event["t"] += self._offset_ns
            for detail in event["detail"]:
                detail["t"] += self._offset_ns
        return events

    def feed(self, half: Columns, basic: Columns) -> tuple[list[dict[str, Any]], Columns]:
        """Rows of the engine: events that have ended, and the windows whose flags are known now."""
        if self._detector is None:
            return [], basic
        events, basic = self._detector.feed(half, basic)
        return self._follow(events), basic

    def hold_frequency(self, rows: Columns) -> None:
        """Take rows of the table `frequency`, before the windows that the engine gave with them."""
        if self._detector is None:
            self._frequencies = rows
        else:
            self._detector.hold_frequency(rows)

    def frequency(self) -> dict[str, Columns]:
        """The table `frequency`: its rows whose flags the last windows made known; nothing where there are none."""
        if self._detector is not None:
            rows = self._detector.frequency()
        else:
            rows, self._frequencies = self._frequencies, {}
        return {"frequency": rows} if rows else {}

    def signalling(self) -> dict[str, Columns]:
        """The table `signalling`: its rows since the last call; nothing where there are none."""
        rows = {} if self._tracer is None else self._tracer.take()
        return {"signalling": {**rows, "t": rows["t"] + self._offset_ns}} if rows else {}

    def aggregate(self, windows: Columns, pst: Columns) -> dict[str, Columns]:
        """Rows of longer intervals that windows with their flags complete."""
        assert self._aggregator is not None
        if pst:
            self._aggregator.feed_pst(pst)
        return self._aggregator.feed(windows) if windows else {}

    def close(self) -> dict[str, Columns]:
        """No stretch follows: rows of the longer intervals that have begun."""
        return {} if self._aggregator is None else self._aggregator.flush()

    def end(self, more: bool) -> tuple[list[dict[str, Any]], Columns]:
        """The stretch ends; `more` says whether another one follows."""
        if self._detector is None:
            return [], {}
        if self._transients is not None:
            self._found += self._shifted(self._transients.flush())
        events, basic = self._detector.flush(more)
        events = self._follow(events)
        if self.snippets is not None:
            self.snippets.end()
        return events, basic

    def _follow(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        events, self._found = [*self._found, *events], []
        if self.snippets is not None and self._detector is not None:
            going_on = [(e.type, e.start_ns) for e in self._detector.open]
            if self._transients is not None and self._transients.open is not None:
                going_on.append(("transient", self._transients.open + self._offset_ns))
            self.snippets.follow(events, going_on, self._detector.horizon_ns)
        return events

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "clock": self._clock.settings,
            "detector": None if self._detector is None else self._detector.snapshot(),
            "transients": None if self._transients is None else self._transients.snapshot(),
            "tracer": None if self._tracer is None else self._tracer.snapshot(),
            "snippets": None if self.snippets is None else self.snippets.state(),
            "found": self._found,
            "aggregator": None if self._aggregator is None else self._aggregator.snapshot(),
        }

    def resume(self, state: Mapping[str, Any], timebase: Timebase, offset_ns: int) -> None:
        """Go on from `state`."""
        settings = [(sample, later) for sample, later in state["clock"]]
        self._watch(Clock(timebase.start_ns, timebase.sample_rate, settings), offset_ns)
        if state["aggregator"] is not None:
            self._aggregator = Aggregator.restore(state["aggregator"])
        if self._detector is not None:
            self._detector.restore(state["detector"])
        if self._transients is not None:
            self._transients.restore(state["transients"])
        if self._tracer is not None:
            self._tracer.restore(state["tracer"])
        if self.snippets is not None:
            self.snippets.resume(state["snippets"])
        self._found = state["found"]
