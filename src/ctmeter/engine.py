"""The only driver of the compiled core: blocks of raw samples in, rows of measurements out.

The core gives sums over whole cycles; what a user reads (rms, powers, factors, times, flags) is
made of them here, for many rows at once.

References
----------
IEC 61000-4-30:2015, 4.4
IEC 61000-4-30:2015, 5.2
IEEE 1459:2010, 3.1
"""

from __future__ import annotations

import json
import logging
import math
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np

from ._dsp import GRAIN, Core
from .columns import FREQUENCY_S, REGISTER_ROW, ROW, Layout, Rows
from .corrections import Corrector, corrected_channels, curves_of
from .errors import InputError, SettingsError
from .flicker import LOWEST_RATE, decimation, flicker_coefficients, output_step
from .frequency import detect_frequency, fit_phase
from .kernels import edge_tables, interpolation_kernels
from .quantity import ENERGIES, LINES, PHASES, Flag
from .recording import LOW_RATE, TOO_SLOW, Channel, Gap, Timebase, Wiring
from .settings import Settings

__all__ = ["Engine", "Registration", "Rows", "detect_frequency"]

log = logging.getLogger(__name__)

_LANES = ("U_L1", "U_L2", "U_L3", "U_N", "I_L1", "I_L2", "I_L3", "I_N")
_LINE_LANES = ("U_L12", "U_L23", "U_L31", "", "I_L1", "I_L2", "I_L3", "I_N")
_REACTIVE = {"fundamental": 0, "quarter-shift": 1, "budeanu": 2, "fryze": 3}
_APPARENT = {"arithmetic": 0, "vector": 1, "effective": 2}
_SUMMATION = {"vector": 0, "per-phase": 1, "absolute": 2}
_REGISTERS = tuple(e.name for e in ENERGIES)
#: Seconds between two resynchronisations of the windows.
_TICK_S = 600
#: Share of a run's first values that a fundamental must have where none was found in them.
_LEAST = 0.1
#: Seconds of an interval of frequency.


def _lanes(channels: Sequence[Channel], wiring: Wiring, sample_rate: float) -> tuple[list[Any], tuple[bool, bool]]:
    """What the core needs of each lane, and which lanes it derives: u31, i2."""
    names = _LINE_LANES if wiring.name == "3P3W" else _LANES
    columns = {c.role: k for k, c in enumerate(channels) if c.role}
    lanes: list[Any] = []
    for name in names:
        if wiring.name == "1P2W" and name[-1:] in "23":
            lanes.append(None)
            continue
        k = columns.get(name)
        if k is None:
            lanes.append(None)
            continue
        c = channels[k]
        low, high = c.range or (-math.inf, math.inf)
        missing = math.nan if c.missing is None else c.missing
        lanes.append((k, c.scale, c.offset, low, high, missing, c.skew * sample_rate))
    _check_wiring(set(columns), wiring.name)
    derive_2 = wiring.name == "3P3W" and "I_L2" not in columns and {"I_L1", "I_L3"} <= set(columns)
    return lanes, (wiring.name == "3P3W" and "U_L31" not in columns, derive_2)


def _check_wiring(roles: set[str], wiring: str) -> None:
    """Raise InputError where channels and wiring cannot belong together."""
    line, phase = roles & set(_LINE_LANES[:3]), roles & set(_LANES[:3])
    currents = roles & set(_LANES[4:7])
    there = ", ".join(sorted(roles))
    if wiring == "3P3W":
        if phase and not line:
            raise InputError(f"wiring 3P3W with the channels {there}", expected="line voltages U_L12 and U_L23, or wiring 3P4W")
        if line and not {"U_L12", "U_L23"} <= roles:
            raise InputError(f"wiring 3P3W with the channels {there}", expected="U_L12 with U_L23 or U_L32")
        if line and currents and not {"I_L1", "I_L3"} <= roles:
            raise InputError(f"wiring 3P3W with the channels {there}", expected="I_L1 and I_L3, or all three currents")
    elif line and not phase:
        raise InputError(f"wiring {wiring} with the channels {there}", expected="phase voltages, or wiring 3P3W")


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What is wanted of the registers: how they stand at the ticks of a meter's clock, or at instants, and pulses.

    Parameters
    ----------
    period : float
        s, at least 1: the table "register" has a row at each of its multiples in UTC, and at each end of a run.
    p_creep, p_start : float
        VA of the load, the sum of the phases' sqrt(P^2 + Q^2), below which registers stop, and from which they start again.
    running : bool
        Whether they had started before.
    pulses : sequence of (register, energy, carry)
        Streams of pulses: the name of a total energy such as "A+", the Ws of a pulse, and those since the last one.
    instants : sequence of float
        Sample numbers, fractional and rising: the table has its rows there instead, active energies to the very sample.
        Everything is measured then, flicker too, for which a meter has no use.

    Raises
    ------
    SettingsError
        Values out of range.
    """

    period: float = 1.0
    p_creep: float = 0.0
    p_start: float = 0.0
    running: bool = False
    pulses: Sequence[tuple[str, float, float]] = ()
    instants: Sequence[float] = ()

    def __post_init__(self) -> None:
        if not self.period >= 1.0:
            raise SettingsError(f"period: {self.period!r}, expected at least 1 s")
        if not (self.p_creep >= 0.0 and self.p_start >= 0.0):
            raise SettingsError(f"p_creep, p_start: {self.p_creep!r}, {self.p_start!r}, expected at least 0 W")


def _grain(sample_rate: float) -> int:
    """Frames after which all that the core counts off begins anew: sub-blocks, decimated frames, outputs of flicker."""
    divide = decimation(sample_rate)
    return math.lcm(GRAIN, divide * max(output_step(sample_rate / divide), 1))


class Engine:
    """Measures one segment of a recording.

    Parameters
    ----------
    settings : Settings
        With `nominal_frequency` given.
    sample_rate : float
        Hz.
    channels : sequence of Channel
        One for each column of the blocks; those with a role are measured.
    start_ns : int or None
        Time of the first sample, ns UTC; None without a clock.
    wiring : Wiring
    registration : Registration, optional
        What a meter wants of it: the tables "register" and "pulse".

    Raises
    ------
    InputError
        A sample rate too low for the mains, or channels that do not suit the wiring.
    SettingsError
        A summation that needs phase voltages where there are none.

    Notes
    -----
    Results are identical for any split into blocks. Not for use by more than one thread at a time;
    several engines run on several threads, the GIL is released.
    """

    def __init__(
        self,
        settings: Settings,
        sample_rate: float,
        channels: Sequence[Channel],
        start_ns: int | None,
        wiring: Wiring,
        *,
        registration: Registration | None = None,
    ) -> None:
        nominal = settings.nominal_frequency
        if nominal is None:
            raise InputError("no nominal frequency", expected="50 or 60 Hz")
        if sample_rate < TOO_SLOW * nominal:
            raise InputError(f"sample rate {sample_rate:g} Hz", expected=f"at least {TOO_SLOW} samples per cycle of {nominal:g} Hz")
        self._settings, self._nominal, self._rate = settings, float(nominal), float(sample_rate)
        self._channels, self._wiring = tuple(channels), wiring
        if wiring.name == "3P3W" and settings.summation != "vector":
            raise SettingsError(f'summation: "{settings.summation}" needs phase voltages, wiring is 3P3W')
        self._timebase = Timebase(start_ns, self._rate)
        self._base_flags = (Flag.NO_CLOCK if start_ns is None else 0) | (Flag.LOW_RATE if sample_rate < LOW_RATE * nominal else 0)
        corrected = corrected_channels(self._channels, settings.corrections)
        curves = curves_of(corrected, settings.corrections)
        self._corrector = Corrector(corrected, curves, self._rate, self._nominal) if curves else None
        lanes, derive = _lanes(self._corrector.channels if self._corrector else corrected, wiring, self._rate)
        self._lanes, self._derive = lanes, derive
        here = tuple(lane is not None or (k == 5 and derive[1]) for k, lane in enumerate(lanes))
        self._layout = Layout(settings, self._rate, self._nominal, self._timebase.start_ns or 0, int(self._base_flags), wiring.name == "3P3W", here)
        self._fed = self._lost = 0
        self._registration = registration
        #: Whether a run began with a voltage that was none of the mains: it has no Urms(1/2) until a fundamental is found.
        self.blind = False
        self._core = self._new_core()

    def _new_core(self) -> Core:
        settings, wiring = self._settings, self._wiring
        start = self._timebase.start_ns
        # without a clock the grid of ten minutes starts at the first sample
        meter = self._registration
        period_e = 1.0 if meter is None else meter.period
        into, into_f, into_e = ((start or 0) % round(seconds * 1e9) * 1e-9 for seconds in (_TICK_S, FREQUENCY_S, period_e))
        # synchrophasors stand at whole multiples of their period within the second
        sync = self._rate / settings.synchrophasor_rate if settings.synchrophasor_rate else 0.0
        since = (start or 0) % 1_000_000_000 * 1e-9 * self._rate
        names = _LINE_LANES if wiring.name == "3P3W" else _LANES
        strict = -1
        if settings.synchronisation != "auto":
            there = [name for k, name in enumerate(names[:3]) if self._lanes[k] is not None]
            if settings.synchronisation not in there:
                raise SettingsError(f"synchronisation: {settings.synchronisation} is not measured, there are {', '.join(there) or 'no voltages'}")
            strict = names.index(settings.synchronisation)
        dead = 0.01 * math.sqrt(2) * settings.nominal_voltage if settings.nominal_voltage and any(self._lanes[:3]) else 0.0
        return Core(
            self._rate,
            self._lanes,
            edge_tables(),
            line=wiring.name == "3P3W" and self._lanes[0] is not None,
            derive=self._derive,
            cycles_per_window=10 if self._nominal < 55 else 12,
            grain=_grain(self._rate),
            # runs measure what they share alike, to rounding, once they have settled: their frames are counted by one grid
            origin=math.floor(Fraction(start or 0) * Fraction(self._rate) / 10**9 + Fraction(618, 1000)),
            reactive=_REACTIVE[settings.reactive],
            apparent=_APPARENT[settings.apparent],
            summation=_SUMMATION[settings.summation],
            strict=strict,
            dead=dead,
            next_tick=(_TICK_S - into) * self._rate,
            tick_period=_TICK_S * self._rate,
            next_f=(FREQUENCY_S - into_f) * self._rate,
            f_period=FREQUENCY_S * self._rate,
            cycles=settings.cycle,
            halves=settings.half_cycle or settings.nominal_voltage is not None,
            lines=settings.half_cycle or settings.voltages == "line",
            next_energy=(period_e - into_e) * self._rate,
            energy_period=0.0 if meter is None else meter.period * self._rate,
            instants=() if meter is None else meter.instants,
            limits=(0.0, 0.0, False) if meter is None else (meter.p_creep, meter.p_start, meter.running),
            pulses=() if meter is None else [(_REGISTERS.index(name), energy, carry) for name, energy, carry in meter.pulses],
            next_sync=math.ceil(since / sync - 1e-9) * sync - since if sync else math.inf,
            sync_period=sync,
            spectra=() if settings.spectra == "none" else interpolation_kernels(self._rate, 10 if self._nominal < 55 else 12),
            signalling=settings.signalling_frequency or 0.0,
            groups=settings.groups,
            flicker=self._flicker() if meter is None or meter.instants else None,
        )

    def feed(self, block: np.ndarray | Gap) -> int:
        """Measure some more frames, or take note of missing ones.

        Parameters
        ----------
        block : ndarray, shape (n, columns), int16, int32, float32 or float64, any strides; or Gap

        Returns
        -------
        int
            Rows that wait to be taken.
        """
        if isinstance(block, Gap):
            self._end_corrections()
            self._lock_short_run()
            self._core.gap(block.samples)
            self._lost += block.samples
            return self._ready
        self._pass(block if self._corrector is None else self._corrector.feed(block))
        self._fed += len(block)
        return self._ready

    def set_clock(self, ns: int, instants: np.ndarray) -> int:
        """Let the next frame have a time of its own: the samples go on, and all that goes by the clock is set by it.

        Parameters
        ----------
        ns : int
            ns UTC, within a tenth of a second of what the samples say.
        instants : ndarray, float64
            Of the registration, those from there on anew; the first where the frame begins, for the registers as the clock before leaves them.

        Returns
        -------
        int
            By how much that is later, ns.
        """
        seam = self._fed + self._lost
        later = ns - int(self._layout.times(np.array([float(seam)]))[0])
        self._core.set_clock(seam, later * 1e-9 * self._rate, instants)
        self._layout.clock.append((seam - 0.5, later + (self._layout.clock[-1][1] if self._layout.clock else 0)))
        return later

    @property
    def stretches(self) -> int:
        """By how many clocks, one after the other, the frames had their times."""
        return len(self._layout.clock) + 1

    def _pass(self, block: np.ndarray) -> None:
        """Frames to the core."""
        core, size = self._core, len(block)
        taken = core.feed(block)
        while taken < size:
            # it stopped for want of a frequency
            self._lock(short=False)
            taken = core.feed(block, taken)
        if core.wants_lock:
            self._lock(short=False)

    def _end_corrections(self) -> None:
        """What is held back for corrections, at the end of a run."""
        if self._corrector is not None:
            self._pass(self._corrector.flush())

    @property
    def _ready(self) -> int:
        return int(self._core.ready)

    def _lock(self, short: bool) -> None:
        """Find the frequency in the frames that the core holds back."""
        voltages, currents = self._core.pending(short)
        values = np.frombuffer(voltages if any(self._lanes[:3]) else currents).reshape(-1, 4)[:, :3]
        found = detect_frequency(values, self._rate)
        if short and len(values) < 1.5 * self._rate / (found or self._nominal):
            # nothing to measure a frequency by
            found = None
        frequency = self._nominal if found is None else found
        blind = found is None and not short and self._slow(values)
        self.blind = self.blind or blind
        # the tracker needs its three cycles, twice
        if short and len(values) < 4.5 * self._rate / frequency:
            frequency, phases = fit_phase(values, self._rate, frequency, free=found is not None)
            self._core.lock(frequency, phases, found is not None)
        elif found is not None:
            self._core.lock(frequency)
        else:
            # what leaks from DC or drift through the tracker's kernel is steady, and no fundamental
            largest = math.sqrt(2 * float(np.max(np.mean(np.square(np.nan_to_num(values)), axis=0), initial=0.0)))
            self._core.lock(frequency, measured=False, least=_LEAST * largest, blind=blind)
        if found is None:
            log.info("no fundamental found at the start of a run; starting from %g Hz", frequency)

    def _slow(self, values: np.ndarray) -> bool:
        """Whether there is a voltage, and it changes more slowly than any mains: then its rms over a cycle of the mains says nothing."""
        if self._settings.nominal_voltage is None or not any(self._lanes[:3]):
            return False
        if self._wiring.name == "3P3W":
            values = values - np.roll(values, -1, axis=1)
        cycle = max(round(self._rate / self._nominal), 1)
        means = values[: len(values) // cycle * cycle].reshape(-1, cycle, 3).mean(1)
        total, slow = ((x**2).mean(0) for x in (values, means))
        alive = total >= (self._settings.dip * self._settings.nominal_voltage) ** 2
        return bool((alive & (slow > 0.5 * total)).any())

    def _lock_short_run(self) -> None:
        """Find a frequency for a run that ends before the core wanted one."""
        if not self._core.locked and self._core.pending(True)[0]:
            self._lock(short=True)

    def flush(self) -> int:
        """Account everything to the last sample; see `feed` for the result."""
        self._end_corrections()
        self._lock_short_run()
        self._core.flush()
        return self._ready

    def take(self) -> dict[str, Rows]:
        """Rows completed since the last call: tables "basic", "cycle", "half_cycle", "frequency", "synchrophasor", "pst", "register", "pulse"."""
        windows, cycles, halves, spectra, frequencies, phasors, psts, registers, pulses = self._core.take()
        tables = {}
        if windows:
            rows = np.frombuffer(windows).reshape(-1, ROW)
            tables["basic"] = self._layout.window_columns(rows, np.frombuffer(spectra, np.float32))
        if cycles:
            tables["cycle"] = self._layout.cycle_columns(np.frombuffer(cycles).reshape(-1, ROW))
        if halves:
            tables["half_cycle"] = self._layout.half_cycle_columns(np.frombuffer(halves).reshape(-1, 4))
        if frequencies:
            tables["frequency"] = self._layout.frequency_columns(np.frombuffer(frequencies).reshape(-1, 4))
        if phasors:
            tables["synchrophasor"] = self._layout.synchrophasor_columns(np.frombuffer(phasors).reshape(-1, 20))
        if psts:
            tables["pst"] = self._pst_columns(np.frombuffer(psts).reshape(-1, 8))
        if registers:
            tables["register"] = self._layout.register_columns(np.frombuffer(registers).reshape(-1, REGISTER_ROW))
        if pulses:
            rows = np.frombuffer(pulses).reshape(-1, 2)
            tables["pulse"] = {"t": self._layout.times(rows[:, 1]), "stream": rows[:, 0].astype(np.int64)}
        return tables

    def _pst_columns(self, rows: np.ndarray) -> Rows:
        """Short-term flicker of intervals of ten minutes."""
        layout = self._layout
        places = [(PHASES[k], k) for k in layout.phases]
        if layout.line or self._settings.voltages == "line":
            places += [(LINES[k], 3 + k) for k in layout.lines]
        # the first interval may have begun before the first sample
        tick = _TICK_S * 1_000_000_000
        t = (layout.times(rows[:, 0] + _TICK_S * self._rate) - tick // 2) // tick * tick
        out: Rows = {"t": t, "flags": rows[:, 1].astype(np.uint32) | np.uint32(self._base_flags)}
        return out | {f"Pst_{name}": rows[:, 2 + place] for name, place in places}

    def _flicker(self) -> np.ndarray | None:
        """Coefficients of the flickermeter; None without voltages, or where the rate is too low for it."""
        divide = decimation(self._rate)
        if self._rate / divide < LOWEST_RATE or not any(self._lanes[:3]):
            return None
        return np.array(flicker_coefficients(self._rate / divide, divide, self._nominal, self._settings.flicker_lamp))

    @property
    def energy(self) -> dict[str, float | None]:
        """All energy keys, Wh, varh, VAh; None where a phase was not measured."""
        joules, counts = self._core.energy(), self._core.counts()
        line = self._layout.line
        # a phase of which no sample was there has no energy, not none of it
        lost = [counts["integrated"] > 0 and max(counts["missing"][k], counts["missing"][4 + k]) == counts["integrated"] for k in range(3)]
        powered = [k for k in self._layout.powered if not lost[k] or line]
        if line and (any(lost) or len(powered) < 3):
            powered = []
        result: dict[str, float | None] = {}
        for register, name in enumerate(_REGISTERS):
            result[name] = joules[register] / 3600 if powered else None
            for k, phase in enumerate(PHASES):
                result[f"{name}_{phase}"] = joules[10 * (k + 1) + register] / 3600 if k in powered and not line else None
        return result

    @property
    def registration(self) -> dict[str, Any]:
        """State of the registration: `running`, `withheld` (Ws below the limits), `pulses` and `pulses_lost` of each stream."""
        counts = self._core.counts()
        return {name: counts[name] for name in ("running", "withheld", "pulses", "pulses_lost")}

    @property
    def quality(self) -> dict[str, Any]:
        """Samples of each kind: samples in = integrated + excluded.

        A sample is integrated when any channel of its frame was; values that are missing or saturated
        are counted for each channel apart.
        """
        counts = self._core.counts()
        names = _LINE_LANES if self._wiring.name == "3P3W" else _LANES
        used = [k for k in range(8) if self._lanes[k] is not None]
        per_channel = {kind: {names[k]: int(counts[kind][k]) for k in used if counts[kind][k]} for kind in ("missing", "saturated")}
        excluded = {"gap": self._lost, "missing in every channel": int(counts["blank"])}
        return {
            "samples": self._fed,
            "integrated": int(counts["integrated"]) - int(counts["blank"]),
            "excluded": {reason: n for reason, n in excluded.items() if n},
            "not_finite": per_channel["missing"],
            "saturated": per_channel["saturated"],
        }

    def snapshot(self) -> bytes:
        """The whole state, for `restore`."""
        head = json.dumps(
            {
                "settings": self._settings.to_dict(),
                "sample_rate": self._rate,
                "channels": [asdict(c) for c in self._channels],
                "start_ns": self._timebase.start_ns,
                "wiring": self._wiring.name,
                "fed": self._fed,
                "lost": self._lost,
                "registration": None if self._registration is None else asdict(self._registration),
                "blind": self.blind,
                "clock": self._layout.clock,
            }
        ).encode()
        held = self._corrector.snapshot() if self._corrector else b""
        return struct.pack("<QQ", len(head), len(held)) + head + held + self._core.snapshot()

    @classmethod
    def restore(cls, state: bytes) -> Self:
        """An engine that goes on where `snapshot` was made.

        Raises
        ------
        InputError
            Not a snapshot of this version.
        """
        try:
            size, held = struct.unpack_from("<QQ", state)
            head = json.loads(state[16 : 16 + size])
            channels = [Channel(**{**c, "range": c["range"] and tuple(c["range"])}) for c in head["channels"]]
            meter = head["registration"] and Registration(**head["registration"])
            settings, wiring = Settings.from_dict(head["settings"]), Wiring(head["wiring"])
            engine = cls(settings, head["sample_rate"], channels, head["start_ns"], wiring, registration=meter)
            engine._fed, engine._lost, engine.blind = head["fed"], head["lost"], head["blind"]
            engine._layout.clock.extend((sample, ns) for sample, ns in head["clock"])
            if engine._corrector is not None:
                engine._corrector.restore(state[16 + size : 16 + size + held])
            engine._core.restore(state[16 + size + held :])
        except (struct.error, ValueError, KeyError, TypeError) as error:
            raise InputError(f"snapshot: {error}", expected="one of this version") from None
        return engine
