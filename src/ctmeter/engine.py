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
from dataclasses import asdict
from typing import Any, Self

import numpy as np

from ._dsp import Core
from .errors import InputError
from .frequency import detect_frequency, fit_phase
from .kernels import edge_tables, interpolation_kernels
from .quantity import ENERGIES, LINES, PHASES, Flag
from .recording import LOW_RATE, TOO_SLOW, Channel, Gap, Timebase, Wiring
from .settings import Settings

__all__ = ["Engine", "Rows", "detect_frequency"]

log = logging.getLogger(__name__)

#: Rows of one table: column name to array; NaN is null.
Rows = dict[str, np.ndarray]

_LANES = ("U_L1", "U_L2", "U_L3", "U_N", "I_L1", "I_L2", "I_L3", "I_N")
_LINE_LANES = ("U_L12", "U_L23", "U_L31", "", "I_L1", "I_L2", "I_L3", "I_N")
_REACTIVE = {"fundamental": 0, "quarter-shift": 1, "budeanu": 2, "fryze": 3}
_APPARENT = {"arithmetic": 0, "vector": 1, "effective": 2}
_SUMMATION = {"vector": 0, "per-phase": 1, "absolute": 2}
_REGISTERS = tuple(e.name for e in ENERGIES)
#: Length of a row of the core, and where its parts lie.
_ROW, _OTHER, _MISSING, _SUMS = 56, 6, 9, 20
#: Seconds between two resynchronisations of the windows.
_TICK_S = 600


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
        low, high = c.range or (-1e150, 1e150)
        missing = math.nan if c.missing is None else c.missing
        lanes.append((k, c.scale, c.offset, low, high, missing, c.skew * sample_rate))
    if wiring.name == "3P3W" and any(n in columns for n in _LINE_LANES[:3]) and not {"U_L12", "U_L23"} <= set(columns):
        raise InputError("three-wire measurement needs U_L12 with U_L23 or U_L32", expected="both line voltages")
    derive_2 = wiring.name == "3P3W" and "I_L2" not in columns and {"I_L1", "I_L3"} <= set(columns)
    return lanes, (wiring.name == "3P3W" and "U_L31" not in columns, derive_2)


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

    Raises
    ------
    InputError
        A sample rate too low for the mains, or channels that do not suit the wiring.

    Notes
    -----
    Results are identical for any split into blocks. Not for use by more than one thread at a time;
    several engines run on several threads, the GIL is released.
    """

    def __init__(self, settings: Settings, sample_rate: float, channels: Sequence[Channel], start_ns: int | None, wiring: Wiring) -> None:
        nominal = settings.nominal_frequency
        if nominal is None:
            raise InputError("no nominal frequency", expected="50 or 60 Hz")
        if sample_rate < TOO_SLOW * nominal:
            raise InputError(f"sample rate {sample_rate:g} Hz", expected=f"at least {TOO_SLOW} samples per cycle of {nominal:g} Hz")
        self._settings, self._nominal, self._rate = settings, float(nominal), float(sample_rate)
        self._channels, self._wiring = tuple(channels), wiring
        self._timebase = Timebase(start_ns, self._rate)
        self._base_flags = (Flag.NO_CLOCK if start_ns is None else 0) | (Flag.LOW_RATE if sample_rate < LOW_RATE * nominal else 0)
        lanes, derive = _lanes(self._channels, wiring, self._rate)
        self._lanes, self._derive = lanes, derive
        self._fed = self._lost = 0
        self._core = self._new_core()

    def _new_core(self) -> Core:
        settings, wiring = self._settings, self._wiring
        start = self._timebase.start_ns
        # without a clock the grid of ten minutes starts at the first sample
        into = (start or 0) % (_TICK_S * 1_000_000_000)
        names = _LINE_LANES if wiring.name == "3P3W" else _LANES
        strict = names.index(settings.synchronisation) if settings.synchronisation in names[:3] else -1
        dead = 0.01 * math.sqrt(2) * settings.nominal_voltage if settings.nominal_voltage and any(self._lanes[:3]) else 0.0
        return Core(
            self._rate,
            self._lanes,
            edge_tables(),
            line=wiring.name == "3P3W" and self._lanes[0] is not None,
            derive=self._derive,
            cycles_per_window=10 if self._nominal < 55 else 12,
            reactive=_REACTIVE[settings.reactive],
            apparent=_APPARENT[settings.apparent],
            summation=_SUMMATION[settings.summation],
            strict=strict,
            dead=dead,
            next_tick=(_TICK_S - into * 1e-9) * self._rate - 0.5,
            tick_period=_TICK_S * self._rate,
            cycles=settings.cycle,
            halves=settings.half_cycle,
            lines=settings.half_cycle or settings.voltages == "line",
            spectra=() if settings.spectra == "none" else interpolation_kernels(self._rate, 10 if self._nominal < 55 else 12),
            signalling=settings.signalling_frequency or 0.0,
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
            self._close_run()
            self._core.gap(block.samples)
            self._lost += block.samples
            return self._ready
        core, size = self._core, len(block)
        taken = core.feed(block)
        while taken < size:
            # it stopped for want of a frequency
            self._lock(short=False)
            taken = core.feed(block, taken)
        if core.wants_lock:
            self._lock(short=False)
        self._fed += size
        return self._ready

    @property
    def _ready(self) -> int:
        return int(self._core.ready)

    def _lock(self, short: bool) -> None:
        """Find the frequency in the frames that the core holds back."""
        voltages, currents = self._core.pending()
        values = np.frombuffer(voltages if any(self._lanes[:3]) else currents).reshape(-1, 4)[:, :3]
        found = detect_frequency(values, self._rate)
        if short and len(values) < 1.5 * self._rate / (found or self._nominal):
            # nothing to measure a frequency by
            found = None
        frequency = self._nominal if found is None else found
        # the tracker needs its three cycles, twice
        if short and len(values) < 4.5 * self._rate / frequency:
            frequency, phases = fit_phase(values, self._rate, frequency, free=found is not None)
            self._core.lock(frequency, phases, found is not None)
        else:
            self._core.lock(frequency)
        if found is None:
            log.info("no fundamental found at the start of a run; starting from %g Hz", frequency)

    def _close_run(self) -> None:
        if not self._core.locked and self._core.pending()[0]:
            self._lock(short=True)
        self._core.flush()

    def flush(self) -> int:
        """Account everything to the last sample; see `feed` for the result."""
        self._close_run()
        return self._ready

    def take(self) -> dict[str, Rows]:
        """Rows completed since the last call: tables "basic", "cycle", "half_cycle"."""
        windows, cycles, halves, spectra = self._core.take()
        tables = {}
        if windows:
            tables["basic"] = self._columns(np.frombuffer(windows).reshape(-1, _ROW))
        if cycles:
            tables["cycle"] = self._columns(np.frombuffer(cycles).reshape(-1, _ROW))
        if halves:
            tables["half_cycle"] = self._half_cycles(np.frombuffer(halves).reshape(-1, 4))
        return tables

    def _times(self, samples: np.ndarray) -> np.ndarray:
        """Sample numbers (a sample stands for half an interval on either side of it) to ns UTC."""
        whole, rest = np.divmod(samples + 0.5, self._rate)
        start = self._timebase.start_ns or 0
        result: np.ndarray = start + whole.astype(np.int64) * 1_000_000_000 + np.rint(rest / self._rate * 1e9).astype(np.int64)
        return result

    def _columns(self, rows: np.ndarray) -> Rows:
        """What is read off the sums of whole cycles."""
        sums = rows[:, _SUMS:]
        n = rows[:, 1] - rows[:, 0]
        valid = n[:, None] - rows[:, _MISSING : _MISSING + 8]
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = np.where(valid > 0, np.maximum(sums[:, :8], 0.0) / valid, np.nan)
            both = np.minimum(valid[:, :3], valid[:, 4:7])
            p = np.where(both > 0, sums[:, 8:11] / both, np.nan)
            cross = sums[:, 12:19] / n[:, None]
            f = self._rate * rows[:, 2] / n
        out: Rows = {
            "t": self._times(rows[:, 0]),
            "duration": n / self._rate,
            "n": np.ones(len(rows), np.int64),
            "f": f,
        }
        self._flags(out, rows, f)
        self._voltages_and_currents(out, squares, cross)
        self._powers(out, rows, n, valid, squares, p, cross)
        return out

    def _flags(self, out: Rows, rows: np.ndarray, f: np.ndarray) -> None:
        flags = rows[:, 3].astype(np.uint32) | np.uint32(self._base_flags)
        band = (42.5, 57.5) if self._nominal < 55 else (51.0, 69.0)
        flags |= np.where((f < band[0]) | (f > band[1]), np.uint32(Flag.OUT_OF_RANGE), np.uint32(0)).astype(np.uint32)
        missing, saturated = rows[:, 4].astype(np.int64), rows[:, 5].astype(np.int64)
        out["flags"] = flags
        for k, phase in enumerate(PHASES):
            lanes = 0x11 << k
            mine = flags & ~np.uint32(Flag.NOT_FINITE | Flag.SATURATED)
            mine = mine | np.where(missing & lanes, np.uint32(Flag.NOT_FINITE), np.uint32(0))
            out[f"flags_{phase}"] = (mine | np.where(saturated & lanes, np.uint32(Flag.SATURATED), np.uint32(0))).astype(np.uint32)

    def _voltages_and_currents(self, out: Rows, squares: np.ndarray, cross: np.ndarray) -> None:
        line = self._wiring.name == "3P3W"
        here = [lane is not None for lane in self._lanes]
        for k in range(3):
            n = (k + 1) % 3
            if here[k] and not line:
                out[f"U_{PHASES[k]}"] = np.sqrt(squares[:, k])
            if (here[k] and here[n]) or (line and here[0]):
                # the difference of two voltages, from their squares and their product
                out[f"U_{LINES[k]}"] = np.sqrt(np.maximum(squares[:, k] + squares[:, n] - 2 * cross[:, k], 0.0))
            if here[4 + k] or (k == 1 and self._derive[1]):
                out[f"I_{PHASES[k]}"] = np.sqrt(squares[:, 4 + k])
        if here[3]:
            out["U_N"] = np.sqrt(squares[:, 3])
        if here[7]:
            out["I_N"] = np.sqrt(squares[:, 7])
        elif all(here[4:7]) and self._wiring.name == "3P4W":
            # of the sum of the phase currents, from their squares and products
            out["I_N"] = np.sqrt(np.maximum(squares[:, 4:7].sum(1) + 2 * cross[:, 4:7].sum(1), 0.0))

    @property
    def _powered(self) -> list[int]:
        """Phases of which both voltage and current are there."""
        line = self._wiring.name == "3P3W" and self._lanes[0] is not None
        current = [self._lanes[4 + k] is not None or (k == 1 and self._derive[1]) for k in range(3)]
        return [k for k in range(3) if (line or self._lanes[k] is not None) and current[k]]

    def _powers(self, out: Rows, rows: np.ndarray, n: np.ndarray, valid: np.ndarray, squares: np.ndarray, p: np.ndarray, cross: np.ndarray) -> None:
        powered, line = self._powered, self._wiring.name == "3P3W"
        if not powered or (line and len(powered) < 3):
            return
        method = self._settings.reactive
        s = np.sqrt(squares[:, :3] * squares[:, 4:7])
        sums = rows[:, _SUMS:]
        with np.errstate(divide="ignore", invalid="ignore"):
            # U I* of the fundamental phasors
            q = 2 * (sums[:, 28:31] * sums[:, 24:27] - sums[:, 20:23] * sums[:, 32:35]) / (valid[:, :3] * valid[:, 4:7])
        if method == "fryze":
            q = np.copysign(np.sqrt(np.maximum(s**2 - p**2, 0.0)), q)
        elif method != "fundamental":
            q = rows[:, _OTHER : _OTHER + 3] / n[:, None]
        total_p, total_q = p[:, powered].sum(1), q[:, powered].sum(1)
        total_s = self._apparent(s, squares, cross, total_p, total_q)
        with np.errstate(divide="ignore", invalid="ignore"):
            if not line:
                for k in powered:
                    phase = PHASES[k]
                    out[f"P_{phase}"], out[f"Q_{phase}"], out[f"S_{phase}"] = p[:, k], q[:, k], s[:, k]
                    out[f"PF_{phase}"] = np.where(s[:, k] > 0, p[:, k] / s[:, k], np.nan)
            out["P"], out["Q"], out["S"] = total_p, total_q, total_s
            out["PF"] = np.where(total_s > 0, total_p / total_s, np.nan)

    def _apparent(self, s: np.ndarray, squares: np.ndarray, cross: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Total apparent power by the method of the settings."""
        method, powered = self._settings.apparent, self._powered
        if method == "vector":
            return np.hypot(p, q)
        if method == "effective" and len(powered) == 3:
            u2, i2 = squares[:, :3].sum(1), squares[:, 4:7].sum(1)
            lines = 2 * u2 - 2 * cross[:, :3].sum(1)
            i_n = squares[:, 7] if self._lanes[7] is not None else np.maximum(i2 + 2 * cross[:, 4:7].sum(1), 0.0)
            if self._wiring.name == "3P3W":
                ue, ie = lines / 9, i2 / 3
            else:
                ue, ie = (3 * u2 + lines) / 18, (i2 + i_n) / 3
            effective: np.ndarray = 3 * np.sqrt(np.maximum(ue, 0.0) * ie)
            return effective
        total: np.ndarray = s[:, powered].sum(1)
        return total

    def _half_cycles(self, rows: np.ndarray) -> Rows:
        labels = np.array([-1, 0, 1, 2, 4, 5, 6], np.int8)
        order = np.argsort(rows[:, 0], kind="stable")
        rows = rows[order]
        return {
            "t": self._times(rows[:, 0]),
            "channel": labels[rows[:, 1].astype(np.int64)],
            "U": rows[:, 2],
            "flags": rows[:, 3].astype(np.uint32) | np.uint32(self._base_flags),
        }

    @property
    def energy(self) -> dict[str, float | None]:
        """All energy keys, Wh, varh, VAh; None where a phase was not measured."""
        joules = self._core.energy()
        powered = self._powered
        line = self._wiring.name == "3P3W"
        result: dict[str, float | None] = {}
        for register, name in enumerate(_REGISTERS):
            result[name] = joules[register] / 3600 if powered and not (line and len(powered) < 3) else None
            for k, phase in enumerate(PHASES):
                result[f"{name}_{phase}"] = joules[10 * (k + 1) + register] / 3600 if k in powered and not line else None
        return result

    @property
    def quality(self) -> dict[str, Any]:
        """Samples of each kind: samples in = integrated + excluded.

        A sample is integrated when its frame was; values that are missing or saturated are counted
        for each channel apart.
        """
        counts = self._core.counts()
        names = _LINE_LANES if self._wiring.name == "3P3W" else _LANES
        used = [k for k in range(8) if self._lanes[k] is not None]
        per_channel = {kind: {names[k]: int(counts[kind][k]) for k in used if counts[kind][k]} for kind in ("missing", "saturated")}
        return {
            "samples": self._fed,
            "integrated": int(counts["integrated"]),
            "excluded": {"gap": self._lost} if self._lost else {},
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
            }
        ).encode()
        return struct.pack("<Q", len(head)) + head + self._core.snapshot()

    @classmethod
    def restore(cls, state: bytes) -> Self:
        """An engine that goes on where `snapshot` was made.

        Raises
        ------
        InputError
            Not a snapshot of this version.
        """
        try:
            (size,) = struct.unpack_from("<Q", state)
            head = json.loads(state[8 : 8 + size])
            channels = [Channel(**{**c, "range": c["range"] and tuple(c["range"])}) for c in head["channels"]]
            engine = cls(Settings.from_dict(head["settings"]), head["sample_rate"], channels, head["start_ns"], Wiring(head["wiring"]))
            engine._fed, engine._lost = head["fed"], head["lost"]
            engine._core.restore(state[8 + size :])
        except (struct.error, ValueError, KeyError, TypeError) as error:
            raise InputError(f"snapshot: {error}", expected="one of this version") from None
        return engine
