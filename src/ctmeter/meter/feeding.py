"""A recording into a meter: samples through the engine, rows into the machine, and where that stands.

What was committed is never measured again into the registers: a recording that was interrupted is measured
from its beginning, and rows that are already in are dropped. So nothing but a place is stored, and the result
is that of a run without interruption, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..engine import Engine, Registration
from ..errors import InputError, StoreError
from ..pipeline.sides import on_side
from ..recording import Block, Channel, Gap, Wiring
from ..settings import Settings
from .clock import retimed
from .config import MeterConfig
from .inputs import Change
from .machine import Machine
from .pulses import Output, Stream, quantum
from .quality import GOOD, Quality
from .watch import Event

__all__ = ["Feeding", "Place", "streams"]

_NS = 1_000_000_000


def streams(config: MeterConfig) -> tuple[Stream, ...]:
    """The pulse trains of a meter: its LED, active and reactive, its S0 output, and the outputs of its module."""
    found = [Stream("led-active", "A+", config.led_constant, 0.030)]
    if "R+" in config.energies:
        found.append(Stream("led-reactive", "R+", config.led_constant, 0.030))
    found.append(Stream("s0", "A+", config.s0_constant, config.pulse_width))
    for k, register in enumerate(config.terminals.outputs, 1):
        found.append(Stream(f"output-{k}", register, config.s0_constant, config.pulse_width))
    return tuple(found)


@dataclass
class Place:
    """How far a recording is in the meter.

    Parameters
    ----------
    sha256 : str
        Of the recording.
    source : str
    start_ns : int
        Its first sample, by the recorder's clock.
    limits : list of float or None
        Seconds from there between which it counts.
    segment : int
        Segments that have begun, counted from 1; 0 before the first.
    rows, pulses : int
        Rows and pulses of that segment that are in.
    carry : list of float
        Ws since the last pulse of each stream, when the segment began.
    running : bool
        Whether registers were running then.
    ratio : int
        Transformer ratio then.
    counts : dict of str to int
        Samples of the segments before, and why some were not measured.
    """

    sha256: str
    source: str
    start_ns: int
    limits: list[float | None] = field(default_factory=lambda: [None, None])
    segment: int = 0
    rows: int = 0
    pulses: int = 0
    carry: list[float] = field(default_factory=list)
    running: bool = False
    ratio: int = 1
    counts: dict[str, int] = field(default_factory=dict)


class Feeding:
    """Takes the blocks and gaps of one recording, as `pipeline.drive` gives them.

    Parameters
    ----------
    machine : Machine
    outputs : mapping of stream name to Output
    settings : Settings
        How to measure: with a nominal frequency, on the secondary side.
    channels : tuple of Channel
    place : Place
        Where to go on; changed as the recording goes in.
    changes : iterable of Change
        What inputs say during the recording.
    commit : callable
        Called between rows whenever recording time has passed another `every_s`; may store `machine` and `place`.
    quality : Quality
        Marks the first period.

    Notes
    -----
    Pulses of the primary side go by the ratio that was in force when their segment began.
    """

    def __init__(
        self,
        machine: Machine,
        outputs: Mapping[str, Output],
        settings: Settings,
        channels: tuple[Channel, ...],
        place: Place,
        changes: Iterable[Change],
        commit: Callable[[], None],
        *,
        every_s: float = 600.0,
        quality: Quality = GOOD,
    ) -> None:
        self.machine, self.place = machine, place
        self._streams = streams(machine.config)
        self._outputs, self._commit, self._every = outputs, commit, round(every_s * _NS)
        self._settings = settings
        self._channels, _, self.notes = on_side(channels, settings)
        roles = [c.role for c in self._channels if c.role]
        self._wiring = Wiring(settings.wiring) if settings.wiring else Wiring.of(roles)
        self._changes, self._quality = tuple(changes), quality
        self._engine: Engine | None = None
        self._segment = 0
        self._rows = self._pulses = 0
        self._last: np.ndarray | None = None
        self.samples = 0

    # -- what `drive` calls -----------------------------------------------------------------------------------

    def set_clock(self, ns: int) -> bool:
        """A meter goes by a clock of its own: what a recorder's was off by is another run."""
        return False

    def next_segment(self, sample_rate: float, start: int | None = None, *, elapsed_ns: int | None = None) -> None:
        """Samples of another rate or after a jump of the clock follow."""
        self._end_segment()
        self._segment += 1
        config = self.machine.config
        begins = self.place.start_ns + (elapsed_ns or 0) if start is None else start
        if config.clock_ppm:
            begins, sample_rate = retimed(begins, sample_rate, config.clock_ppm, config.clock_sync_ns or 0)
        if self._segment < self.place.segment:
            return
        if self._segment > self.place.segment:
            self._check_order(begins, sample_rate)
            self.machine.begin(begins, self._changes if self._segment == 1 else (), self._quality)
            self._quality = GOOD
            self.place = replace(self.place, segment=self._segment, rows=0, pulses=0, ratio=self.machine.registers.ratio)
        ratio = self.place.ratio if config.pulse_side == "primary" else 1
        sizes = [quantum(s.constant, ratio) for s in self._streams]
        carry = [min(c, np.nextafter(size, 0.0)) for c, size in zip(self.place.carry, sizes, strict=True)]
        registration = Registration(
            p_creep=config.p_creep,
            p_start=config.p_start,
            running=self.place.running,
            pulses=[(s.register, size, c) for s, size, c in zip(self._streams, sizes, carry, strict=True)],
        )
        self._engine = Engine(self._settings, sample_rate, self._channels, begins, self._wiring, registration=registration)
        self._rows = self._pulses = 0
        self._last = None
        self._sizes, self._carry = sizes, carry

    def _check_order(self, begins: int, sample_rate: float) -> None:
        """Raise InputError where time goes back, which registers cannot."""
        now = self.machine.now_ns
        if now is not None and begins < now - round(2 * _NS / sample_rate):
            raise InputError(
                f"segment {self._segment} begins {(now - begins) / _NS:.6g} s before the one before it ends", path=self.place.source,
                expected="segments in the order of time",
            )  # fmt: skip

    def feed(self, item: Block | Gap) -> None:
        """Some more samples, or missing ones."""
        if isinstance(item, Block):
            self.samples += len(item)
        if self._engine is None:
            return
        self._engine.feed(item if isinstance(item, Gap) else item.raw)
        self._take(self._engine)

    def finish(self) -> None:
        """The recording has ended."""
        self._end_segment()

    # -- inside -----------------------------------------------------------------------------------------------

    def _take(self, engine: Engine) -> None:
        tables = engine.take()
        for due in self._new(tables.get("pulse")):
            self._put_pulses(*due)
        rows = tables.get("register")
        if rows is None:
            return
        self._last = rows["energy"][-1]
        skip = max(min(self.place.rows - self._rows, len(rows["t"])), 0)
        self._rows += len(rows["t"])
        if skip == len(rows["t"]):
            return
        before = self.machine.now_ns or 0
        self.machine.feed({name: v[skip:] for name, v in rows.items()})
        self.place.rows, self.place.pulses = self._rows, max(self._pulses, self.place.pulses)
        if (self.machine.now_ns or 0) // self._every > before // self._every:
            self._commit()

    def _new(self, pulses: Mapping[str, np.ndarray] | None) -> list[tuple[int, np.ndarray]]:
        """Pulses that are not in yet, by stream."""
        if pulses is None:
            return []
        skip = max(min(self.place.pulses - self._pulses, len(pulses["t"])), 0)
        self._pulses += len(pulses["t"])
        stream, t = pulses["stream"][skip:], pulses["t"][skip:]
        return [(k, t[stream == k]) for k in range(len(self._streams)) if (stream == k).any()]

    def _put_pulses(self, k: int, due_ns: np.ndarray) -> None:
        name = self._streams[k].name
        output = self._outputs[name]
        before = output.overrun_ns
        starts, overruns = output.feed(due_ns)
        self.machine.out.setdefault("due", []).append((name, starts))
        for begin, end, missed in overruns:
            if begin != before:
                self.machine.event(Event(begin, "pulse-overrun", "begin", detail={"stream": name}))
            self.machine.event(Event(end, "pulse-overrun", "end", detail={"stream": name, "lost": missed}))
        if output.overrun_ns is not None and output.overrun_ns != before:
            self.machine.event(Event(output.overrun_ns, "pulse-overrun", "begin", detail={"stream": name}))

    def _end_segment(self) -> None:
        if self._engine is None:
            return
        self._engine.flush()
        self._take(self._engine)
        if self._rows < self.place.rows:
            raise StoreError(f"{self.place.source} gave {self.place.rows} rows before, and {self._rows} now: it has changed", self.place.source)
        state = self._engine.registration
        if self._last is not None:
            places = {"A+": 0, "A-": 1, "R+": 2}
            for k, (s, size) in enumerate(zip(self._streams, self._sizes, strict=True)):
                left = self._carry[k] + float(self._last[places[s.register]]) - state["pulses"][k] * size
                self._carry[k] = min(max(left, 0.0), float(np.nextafter(size, 0.0)))
            self.place.carry = self._carry
        self.place.running = bool(state["running"])
        quality = self._engine.quality
        counts = dict(self.place.counts)
        for name, n in [*((name, quality[name]) for name in ("samples", "integrated")), *quality["excluded"].items()]:
            counts[name] = counts.get(name, 0) + int(n)
        self.place.counts = counts
        self._engine = None
