"""The meter's state machine: rows of registers in, everything it keeps out. Pure: no files, no clocks.

Time runs from boundary to boundary: ends of periods, of billing periods and of logger intervals, changes of
tariff and ratio. Rows are cut there, so what happens at a boundary sees the registers of that instant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..quantity import Flag
from .billing import LOGGER_2_FIELDS, BillingSchedule, LoggerSchedule, StopCounter, record
from .clock import LocalClock
from .config import MeterConfig
from .demand import COVERED, Maxima, Period, summed
from .inputs import FASTEST_PULSES, Change
from .profile import PROFILE_CHANNELS, Analysis
from .quality import GOOD, Quality, gap_quality
from .registers import KEYS, Registers, existing
from .stretch import Stretch
from .tariff import TariffPlan
from .watch import Event, Watch

__all__ = ["Machine", "voltage_columns"]

_MINUTE = 60_000_000_000
#: Rows of which a channel lacks more than a tenth.
_EMPTY = np.uint32(Flag.INCOMPLETE)
#: Order of changes that come at one instant, after ends of periods (0), of analysis intervals (1) and logger intervals (3).
_RANK = {"billing-stop": 2, "ratio": 4, "pulse": 5, "alarm": 5, "tamper-cover": 5, "tamper-magnetic": 5, "tariff": 6}
#: Those of them at which no register is looked at or changed: rows need no cut there.
_ASIDE = frozenset({"pulse", "alarm", "tamper-cover", "tamper-magnetic"})
_TOTALS = KEYS[:10]


class _Boundary(NamedTuple):
    """Something due at an instant; those of one instant in the order of `rank`."""

    t_ns: int
    rank: int
    kind: str
    value: int = 0


def voltage_columns(wiring: str) -> tuple[str | None, str | None, str | None]:
    """Which voltage stands for each phase on the display."""
    if wiring == "3P3W":
        return "U_L12", None, "U_L23"
    return ("U_L1", None, None) if wiring == "1P2W" else ("U_L1", "U_L2", "U_L3")


class Machine:
    """Everything a meter does with energy that it is given.

    Parameters
    ----------
    config : MeterConfig

    Notes
    -----
    `begin`, `feed` and `end` bracket one run of samples. What becomes final stands in `out`, rows by table, until it
    is taken. Nothing depends on how rows are split between calls but the last bits of the analysis logger's means.
    """

    def __init__(self, config: MeterConfig) -> None:
        self.config = config
        self.clock = LocalClock(config.utc_offset, config.dst, config.zone)
        self.registers = Registers(config.energy_type, config.ct_ratio, phases=config.wiring != "3P3W")
        self.maxima = Maxima(_TOTALS, existing(config.energy_type), config.power_threshold, config.allow_incomplete)
        self.analysis = Analysis(config.analysis_registers)
        self.watch = Watch(voltage_columns(str(config.wiring)), config.u_indicator, config.p_indicator, config.i_n)
        self.stops = StopCounter()
        self._billing = BillingSchedule(config.billing_interval, config.billing_day, self.clock)
        self._logger = LoggerSchedule(config.logger_2, self.clock)
        self._plan = TariffPlan.from_dict(config.tariff_plan, config.exception_days) if config.tariff_source == "plan" else None
        self.tariff = 1
        self.pulses_in = 0
        self._pulse_ns: int | None = None
        self._pulses_fast = False
        #: Up to where time has gone, ns; None before the first run.
        self.now_ns: int | None = None
        self.last: dict[str, float | None] = {}
        self.tamper = ""
        self._period: Period | None = None
        self._quality = GOOD
        self._changes: list[Change] = []
        self.out: dict[str, list[tuple[Any, ...]]] = {}

    @property
    def ordered(self) -> tuple[Change, ...]:
        """What is to happen at later instants."""
        return tuple(self._changes)

    @property
    def uses_tariffs(self) -> bool:
        """Whether there is more than one tariff."""
        return self.config.tariff_source != "off"

    # -- runs ---------------------------------------------------------------------------------------------

    def begin(self, start_ns: int, changes: Iterable[Change] = (), quality: Quality = GOOD) -> None:
        """A run of samples begins; what is between it and the last one is a gap. `quality` marks the first period."""
        self._changes = sorted([*self._changes, *changes], key=lambda c: c.t_ns)
        if self.now_ns is None:
            self.now_ns = start_ns
            if self._plan is not None:
                self.tariff = self._plan.tariff(start_ns, self.clock)
        elif start_ns - self.now_ns > COVERED:
            self._gap(start_ns)
        self._quality |= quality
        self.registers.begin()

    def feed(self, rows: Mapping[str, np.ndarray]) -> None:
        """Rows of the engine's table "register", in the order of time."""
        means = {name: v for name, v in rows.items() if v.ndim == 1 and v.dtype == np.float64}
        grown = self.registers.grow(rows["energy"])
        if self.config.wiring == "3P3W":
            # powers of the phases are those of no phase
            grown[:, 10:] = 0
        stretch = Stretch(rows["t"], rows["end"], grown, rows["flags"], means)
        cuts = np.flatnonzero(stretch.start_ns[1:] - stretch.end_ns[:-1] > COVERED) + 1
        for a, b in zip([0, *cuts.tolist()], [*cuts.tolist(), len(stretch)], strict=True):
            part = stretch.part(a, b)
            if not len(part):
                continue
            assert self.now_ns is not None
            if int(part.start_ns[0]) - self.now_ns > COVERED:
                self._gap(int(part.start_ns[0]))
            self._advance(part)

    def _advance(self, rows: Stretch) -> None:
        """Rows without a gap: from boundary to boundary."""
        assert self.now_ns is not None
        due = self._boundaries(self.now_ns, int(rows.end_ns[-1]))
        rows = rows.cut(sorted({b.t_ns for b in due if b.kind not in _ASIDE}))
        at = 0
        for b in due:
            if b.kind not in _ASIDE:
                stop = int(np.searchsorted(rows.end_ns, b.t_ns, side="right"))
                self._take(rows.part(at, stop))
                at = max(at, stop)
            lately = max(int(np.searchsorted(rows.end_ns, b.t_ns)), 0)
            self._cross(b, measured=lately >= len(rows) or not rows.flags[lately] & _EMPTY)
        self._take(rows.part(at, len(rows)))
        self.last = {name: float(v[-1]) if np.isfinite(v[-1]) else None for name, v in rows.means.items()}
        self.now_ns = int(rows.end_ns[-1])

    def _take(self, rows: Stretch) -> None:
        """Book rows between two boundaries."""
        if not len(rows):
            return
        for event in self.watch.feed(rows):
            self.event(event)
        grown = rows.energy.sum(axis=0)
        self.registers.add(grown, self.tariff)
        quality = Quality.of_flags(int(np.bitwise_or.reduce(rows.flags)))
        # where samples are missing, time is too
        covered = int((rows.end_ns - rows.start_ns)[(rows.flags & _EMPTY) == 0].sum())
        period = self._running(int(rows.start_ns[0]))
        period.add(grown, covered, tariff=self.tariff, ratio=self.registers.ratio, quality=quality | self._quality)
        self._quality = GOOD
        self.analysis.add(rows.means, (rows.end_ns - rows.start_ns) * 1e-9)

    def _running(self, t_ns: int) -> Period:
        """The period of an instant."""
        step = self.config.period * _MINUTE
        start = t_ns // step * step
        if self._period is None or self._period.start_ns != start:
            self._period = Period(start, start + step)
        return self._period

    def _gap(self, until_ns: int) -> None:
        """Nothing was measured up to there. What ends in it ends all the same, and says so."""
        assert self.now_ns is not None
        quality = gap_quality(until_ns - self.now_ns)
        self.event(Event(self.now_ns, "gap", detail={"until_ns": until_ns, "quality": quality.label}))
        if self._period is not None:
            self._period.quality |= quality
        self._quality |= quality
        self.watch.blank()
        for b in self._boundaries(self.now_ns, until_ns, measured=False):
            self._cross(b, measured=False)
        self.now_ns = until_ns

    # -- boundaries ---------------------------------------------------------------------------------------

    def _boundaries(self, after_ns: int, until_ns: int, measured: bool = True) -> list[_Boundary]:
        """What is due in (after_ns, until_ns]; of periods and intervals in which nothing was measured, nothing."""
        a, b = after_ns + 1, until_ns + 1
        due = [_Boundary(t, 0, "period") for t in self.clock.periods(a, b, self.config.period)[: None if measured else 1]]
        due += [_Boundary(t, 1, "analysis") for t in self.clock.periods(a, b, self.config.analysis_interval)[: None if measured else 1]]
        due += [_Boundary(t, 2, "billing") for t in self._billing.stops(a, b)]
        due += [_Boundary(t, 3, "logger2") for t in self._logger.stops(a, b)]
        if self._plan is not None:
            due += [_Boundary(t, 6, "tariff", tariff) for t, tariff in self._plan.switches(after_ns, b, self.clock) if t > after_ns]
        # of things in the past, such as the state of the inputs at the very start: now
        due += [_Boundary(max(c.t_ns, after_ns), _RANK[c.kind], c.kind, c.value) for c in self._changes if c.t_ns < b]
        self._changes = [c for c in self._changes if c.t_ns >= b]
        return sorted(due, key=lambda x: (x.t_ns, x.rank))

    def _cross(self, b: _Boundary, measured: bool) -> None:
        """Do what is due at a boundary."""
        acts: dict[str, Callable[[_Boundary, bool], None]] = {
            "period": self._end_period,
            "analysis": self._end_analysis,
            "billing": self._stop,
            "billing-stop": self._stop,
            "logger2": self._log,
            "ratio": lambda b, _: self.change_ratio(b.t_ns, b.value),
            "tariff": self._switch,
            "pulse": self._pulse,
        }
        acts.get(b.kind, self._outside)(b, measured)

    def _end_period(self, b: _Boundary, _: bool) -> None:
        period, self._period = self._period, None
        # one of which nothing was measured has no record
        if period is None or not period.covered_ns:
            return
        config, quality = self.config, period.closed() | (Quality.DST if self.clock.is_dst(b.t_ns) else GOOD)
        self.maxima.take(period)
        side = config.profile_side
        grown = period.primary if side == "primary" else period.secondary
        # the ring's columns stand for all channels there can be; those that are not kept are null
        kept = [name if name in config.profile_energies else None for name in PROFILE_CHANNELS]
        values = [None if name is None else self.registers.value(name, side) for name in kept]
        deltas = [None if name is None else grown[KEYS.index(name)] for name in kept]
        stamp = period.end_ns if config.stamp == "end" else period.start_ns
        self._put("profile", (stamp, period.start_ns, period.end_ns, int(quality), period.covered_ns, period.ratio, *values, *deltas))

    def _end_analysis(self, b: _Boundary, measured: bool) -> None:
        registers = self.registers
        values = self.analysis.close({name: registers.value(name) for name in registers.names() if name in self.analysis.registers})
        if any(v is not None for v in values):
            step = self.config.analysis_interval * _MINUTE
            quality = GOOD if measured else Quality.GAP
            self._put("analysis", (b.t_ns, b.t_ns - step, int(quality), *values, *[None] * (24 - len(values))))

    def _stop(self, b: _Boundary, measured: bool) -> None:
        """A billing period ends."""
        if self.stops.last_ns is not None and b.t_ns <= self.stops.last_ns:
            return
        self.stops = self.stops.after(b.t_ns)
        values = self.values(b.t_ns, measured)
        self._put("billing", (b.t_ns, self.stops.count, b.kind, int(values["RTC/Quality"].quality), _plain(record(values))))
        self.maxima.stop()

    def _log(self, b: _Boundary, measured: bool) -> None:
        kept = record(self.values(b.t_ns, measured), LOGGER_2_FIELDS[self.config.logger_2_profile])
        self._put("logger2", (b.t_ns, int(self._stamp(b.t_ns, measured).quality), _plain(kept)))

    def _switch(self, b: _Boundary, _: bool) -> None:
        if self.config.tariff_source in ("plan", "port", "register"):
            self.tariff = b.value

    def _pulse(self, b: _Boundary, _: bool) -> None:
        self.pulses_in += b.value
        fast = self._pulse_ns is not None and b.t_ns - self._pulse_ns < 1e9 / FASTEST_PULSES
        if fast != self._pulses_fast:
            self.event(Event(b.t_ns, "pulse-input", "begin" if fast else "end", detail={"faster_than_hz": FASTEST_PULSES}))
        self._pulse_ns, self._pulses_fast = b.t_ns, fast

    def _outside(self, b: _Boundary, _: bool) -> None:
        """Alarm input and tampering: what others saw."""
        if b.kind == "alarm" and not self.config.alarm_input:
            return
        if b.kind.startswith("tamper"):
            # what was opened once has been open
            self.tamper = "temporary" if b.value else "permanent"
        self.event(Event(b.t_ns, b.kind, "begin" if b.value else "end"))

    # -- values -------------------------------------------------------------------------------------------

    def _stamp(self, t_ns: int, measured: bool) -> Any:
        return self.clock.stamp(t_ns, GOOD if measured else Quality.GAP | Quality.EXTRAPOLATED)

    def values(self, t_ns: int, measured: bool = True) -> dict[str, Any]:
        """The fields of a billing record as they stand now."""
        registers, maxima = self.registers, self.maxima
        there = registers.names()
        values: dict[str, Any] = {
            "RTC/Quality": self._stamp(t_ns, measured),
            "hours": self.watch.supplied_ns / 3.6e12,
            "billing stops": self.stops.count,
            "P+ threshold": maxima.above,
            "pulse input": self.pulses_in / self.config.pulse_input_divisor,
            "ratio": registers.ratio,
        }
        values |= {name: registers.value(name, "primary") for name in there if name in _KEPT}
        for name, (power, when) in maxima.largest.items():
            values |= {name: power, f"{name} RTC": when}
        return values | {summed(name): power for name, power in maxima.accumulated.items()}

    def event(self, event: Event) -> None:
        """Write an event down."""
        self._put("events", (event.t_ns, event.kind, event.edge, event.phase, _plain(event.detail)))

    def _put(self, table: str, row: tuple[Any, ...]) -> None:
        self.out.setdefault(table, []).append(row)

    def schedule(self, change: Change) -> None:
        """Something ordered for a later instant."""
        self._changes = sorted([*self._changes, change], key=lambda c: c.t_ns)

    def awaits(self, change: Change) -> bool:
        """Whether that is ordered already."""
        return change in self._changes

    def change_ratio(self, t_ns: int, ratio: int) -> None:
        """From an instant on another transformer ratio."""
        old = self.registers.ratio
        epoch = self.registers.change_ratio(t_ns, ratio)
        self._put("ratios", (t_ns, ratio, _plain(epoch.secondary), _plain(epoch.primary)))
        self.event(Event(t_ns, "ratio", detail={"old": old, "new": ratio}))

    def take(self) -> dict[str, list[tuple[Any, ...]]]:
        """Rows that became final since the last call, by table."""
        taken, self.out = self.out, {}
        return taken

    # -- state --------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "registers": self.registers.state(),
            "maxima": self.maxima.state(),
            "analysis": self.analysis.state(),
            "watch": self.watch.state(),
            "stops": [self.stops.count, self.stops.last_ns],
            "tariff": self.tariff,
            "pulses_in": [self.pulses_in, self._pulse_ns, self._pulses_fast],
            "now_ns": self.now_ns,
            "last": self.last,
            "tamper": self.tamper,
            "period": None if self._period is None else self._period.state(),
            "quality": int(self._quality),
            "changes": [list(vars(c).values()) for c in self._changes],
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.registers = Registers.restore(self.config.energy_type, state["registers"], phases=self.config.wiring != "3P3W")
        self.maxima.resume(state["maxima"])
        self.analysis.resume(state["analysis"])
        self.watch.resume(state["watch"])
        self.stops = StopCounter(*state["stops"])
        self.tariff, self.now_ns, self.tamper = state["tariff"], state["now_ns"], state["tamper"]
        self.pulses_in, self._pulse_ns, self._pulses_fast = state["pulses_in"]
        self.last = dict(state["last"])
        self._period = None if state["period"] is None else Period.restore(state["period"])
        self._quality = Quality(state["quality"])
        self._changes = [Change(*c) for c in state["changes"]]


_KEPT = {"A+", "A-", "R+", "R-", "E+", "E-", *(f"{name}_T{t}" for name in ("A+", "R+") for t in (1, 2, 3, 4))}


def _plain(value: Any) -> str:
    """JSON text, the same for the same values."""
    return json.dumps(value, default=lambda v: v.to_dict(), ensure_ascii=False, separators=(",", ":"))
