"""What a user reads, made of the sums that the core gives: many rows at once.

References
----------
IEC 61000-4-30:2015, 4.4
IEC 61000-4-30:2015, 5.2
IEC 61000-4-30:2015, 5.7
IEEE 1459:2010, 3.1
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .power import k_factor_of, power_sets, tdd_of
from .quantity import EXTRAS, LINES, PHASES, Flag, columns
from .settings import Settings

__all__ = ["FREQUENCY_S", "REGISTER_ROW", "ROW", "Layout", "Rows"]

#: Length of an interval of frequency, s (IEC 61000-4-30, 5.1).
FREQUENCY_S = 10

#: Rows of one table: column name to array; NaN is null.
Rows = dict[str, np.ndarray]

#: Length of a row of the core, and where its parts lie.
ROW, _OTHER, _MISSING, _KIND, _UNLOCKED, _UNLOCKED_SPAN, _SUMS, _EXTREMES, _PINST = 76, 6, 9, 17, 18, 19, 20, 56, 68
#: A row of registers: a row of the whole cycles, its start and end, and the 40 energies there.
REGISTER_ROW = ROW + 42
#: Rows of eight lanes in a spectrum: 51 sub-groups, 50 interharmonic sub-groups, and single ones.
_SPECTRUM, _INTERHARMONICS = 108, 51
_LINES, _LINE_1, _GROUPS, _GROUP_1, _WEIGHTED, _SIGNAL, _PEAK = range(101, 108)
#: Further rows where groups are asked for: 51 groups, 50 interharmonic groups.
_WHOLE_GROUPS = 101
#: Rows of each list, by what its name begins with.
_LISTS = {"H": slice(0, 51), "IH": slice(51, 101)}
_GROUP_LISTS = {"G": slice(_SPECTRUM, _SPECTRUM + 51), "IG": slice(_SPECTRUM + 51, _SPECTRUM + 101)}
_THD_ORDER = 40
#: Share of its samples that a channel must have in a cycle or window to have values there.
_SHARE = 0.9
_TURN = np.exp(2j * np.pi / 3)
#: A positive sequence below this share of the largest phasor is none.
_LEAST_POSITIVE = 1e-3
#: What says nothing of a window without a frequency.
_OF_FUNDAMENTAL = {"DPF", "phi_U", "phi_I", "u2", "u0", "i2", "i0", "sequence", "THD_U", "THD_I", "THDG_U", "THDG_I", "THDL_U", "THDL_I"}
_OF_FUNDAMENTAL |= {"PWHD_U", "PWHD_I", "K_I", "TDD_I"}
_FUNDAMENTAL_COLUMNS = [c.name for c in columns("basic", extras=EXTRAS) if c.quantity.name in _OF_FUNDAMENTAL]


@dataclass(frozen=True)
class Layout:
    """What the core's rows of one engine mean.

    Parameters
    ----------
    settings : Settings
    rate, nominal : float
        Sample rate and nominal frequency, Hz.
    start_ns : int
        Time of sample 0.
    base_flags : int
        Flags that every row has.
    line : bool
        Three wires: voltages are star voltages of which only the differences were measured.
    here : tuple of 8 bool
        Which lanes are measured or derived: u1 u2 u3 uN i1 i2 i3 iN.
    clock : list of (float, int)
        Where the clock was set: from which sample number on the times are later by how many ns, in all.
    """

    settings: Settings
    rate: float
    nominal: float
    start_ns: int
    base_flags: int
    line: bool
    here: tuple[bool, ...]
    clock: list[tuple[float, int]] = field(default_factory=list)

    @property
    def powered(self) -> list[int]:
        """Phases of which both voltage and current are there."""
        return [k for k in range(3) if (self.here[k] or (self.line and self.here[0])) and self.here[4 + k]]

    @property
    def lines(self) -> list[int]:
        """Line voltages that can be told: of L12 L23 L31."""
        return [k for k in range(3) if (self.line and self.here[0]) or (self.here[k] and self.here[(k + 1) % 3])]

    @property
    def phases(self) -> list[int]:
        """Phase voltages that were measured."""
        return [] if self.line else [k for k in range(3) if self.here[k]]

    @property
    def neutral(self) -> bool:
        """Whether the neutral current is known: measured, or the sum of the phase currents."""
        return self.here[7] or (all(self.here[4:7]) and not self.line)

    @property
    def _line_twins(self) -> bool:
        return self.line or self.settings.voltages == "line"

    def times(self, samples: np.ndarray, ends: bool = False) -> np.ndarray:
        """Sample numbers, fractional (a sample stands for half an interval on either side of it), to ns UTC, int64.

        Where the clock was set, `ends` have the time that the clock had before.
        """
        whole, rest = np.divmod(samples, self.rate)
        result: np.ndarray = self.start_ns + whole.astype(np.int64) * 1_000_000_000 + np.rint(rest / self.rate * 1e9).astype(np.int64)
        if self.clock:
            result += self._later(samples, ends)
        return result

    def _later(self, samples: np.ndarray, ends: bool = False) -> np.ndarray:
        """By how much the times of sample numbers are later because the clock was set, ns."""
        later: np.ndarray = np.array([0, *(ns for _, ns in self.clock)])[self._stretches(samples, ends)]
        return later

    def _stretches(self, samples: np.ndarray, ends: bool) -> np.ndarray:
        """How often the clock was set before, or, but for `ends`, at sample numbers."""
        found: np.ndarray = np.searchsorted([sample for sample, _ in self.clock], samples, "left" if ends else "right")
        return found

    def cycle_columns(self, rows: np.ndarray) -> Rows:
        """Columns of whole cycles."""
        return self._common(rows, full=False)

    def window_columns(self, rows: np.ndarray, spectra: np.ndarray) -> Rows:
        """Columns of 10/12-cycle windows; `kind` and `t1` are for further stages."""
        out = self._common(rows, full=True)
        out["kind"] = rows[:, _KIND].astype(np.int8)
        out["t1"] = self.times(rows[:, 1])
        if len(spectra):
            size = _SPECTRUM + (_WHOLE_GROUPS if self.settings.groups else 0)
            self._spectra(out, _without(spectra.reshape(len(rows), -1, size, 8), rows[:, 4].astype(np.int64)))
        lost = np.isnan(out["f"])
        if lost.any():
            for name in out.keys() & _FUNDAMENTAL_COLUMNS:
                out[name] = np.where(lost, np.nan, out[name])
        if self.settings.power_sets:
            out |= power_sets(out)
        return out

    def frequency_columns(self, rows: np.ndarray) -> Rows:
        """Columns of the 10-s intervals: cycles over the time that those whole cycles took."""
        f = self.rate * rows[:, 1] / rows[:, 2]
        flags = rows[:, 3].astype(np.uint32) | np.uint32(self.base_flags)
        # less than the whole cycles that fit
        flags |= np.where(rows[:, 2] / self.rate < 10.0 - 2.5 / f, np.uint32(Flag.INCOMPLETE), np.uint32(0)).astype(np.uint32)
        # the end is where it is by the clock, or where that was set beyond it; before that it may have been set too
        t, length = self.times(rows[:, 0]), round(FREQUENCY_S * 1e9)
        if self.clock:
            t = (self.times(rows[:, 0] + FREQUENCY_S * self.rate) + length // 2) // length * length - length
        return {"t": t, "f": f, "flags": flags}

    def synchrophasor_columns(self, rows: np.ndarray) -> Rows:
        """Columns of synchrophasors; angles against a cosine of nominal frequency whose crest is at the second of UTC."""
        per_second = self.rate / (2 * np.pi)
        out: Rows = {"t": self.times(rows[:, 0]), "f": rows[:, 1] * per_second, "rocof": rows[:, 2] * per_second * self.rate}
        out["flags"] = rows[:, 3].astype(np.uint32) | np.uint32(self.base_flags)
        # against a frequency that was held, not measured, there are phasors but no frequency
        held = (out["flags"] & np.uint32(Flag.NO_LOCK)) > 0
        out["f"], out["rocof"] = np.where(held, np.nan, out["f"]), np.where(held, np.nan, out["rocof"])
        seconds = (self.start_ns % 1_000_000_000) * 1e-9 + rows[:, 0] / self.rate
        if self.clock:
            seconds = seconds + self._later(rows[:, 0]) * 1e-9
        turned = (rows[:, 4:12] + 1j * rows[:, 12:20]) * np.exp(-2j * np.pi * (self.nominal * seconds % 1.0))[:, None]
        for name, place in self._voltages():
            phasor = turned[:, place] if place < 3 else turned[:, place - 3] - turned[:, (place - 2) % 3]
            out[f"U1_{name}"], out[f"phi_U_{name}"] = np.abs(phasor), np.degrees(np.angle(phasor))
        for k in range(3):
            if self.here[4 + k]:
                out[f"I1_{PHASES[k]}"], out[f"phi_I_{PHASES[k]}"] = np.abs(turned[:, 4 + k]), np.degrees(np.angle(turned[:, 4 + k]))
        return out

    def half_cycle_columns(self, rows: np.ndarray) -> Rows:
        """Columns of Urms(1/2), in the order of time."""
        labels = np.array([-1, 0, 1, 2, 4, 5, 6], np.int8)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        return {
            "t": self.times(np.maximum(rows[:, 0], 0.0)),
            "channel": labels[rows[:, 1].astype(np.int64)],
            "U": rows[:, 2],
            "flags": rows[:, 3].astype(np.uint32) | np.uint32(self.base_flags),
        }

    def register_columns(self, rows: np.ndarray) -> Rows:
        """Columns of the rows of registers: means over the whole cycles that ended in each, and energies since the first sample.

        `t` and `end` are ns UTC, `stretch` is how often the clock was set before the end, `energy` has shape (n, 40): total, L1, L2, L3,
        each as in `ctmeter.quantity.ENERGIES`, in Ws.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            out = self._common(rows, full=True)
        # of a run that begins there, it is half a sample before
        out["t"], out["end"] = self.times(np.maximum(rows[:, ROW], 0.0)), self.times(rows[:, ROW + 1], ends=True)
        out["stretch"] = self._stretches(rows[:, ROW + 1], ends=True)
        out["n"] = rows[:, 2].astype(np.int64)
        out["energy"] = rows[:, ROW + 2 :] / self.rate
        return out

    def _common(self, rows: np.ndarray, full: bool) -> Rows:
        """Columns that cycles and windows share, and with `full` those of the fundamental."""
        sums = rows[:, _SUMS:_EXTREMES]
        n = rows[:, 1] - rows[:, 0]
        valid = n[:, None] - rows[:, _MISSING : _MISSING + 8]
        with np.errstate(divide="ignore", invalid="ignore"):
            there = valid >= np.maximum(_SHARE * n, 1.0)[:, None]
            squares = np.where(there, np.maximum(sums[:, :8], 0.0) / valid, np.nan)
            p = np.where(there[:, :3] & there[:, 4:7], sums[:, 8:11] / np.minimum(valid[:, :3], valid[:, 4:7]), np.nan)
            # fundamental phasors of u1 u2 u3 uN i1 i2 i3 iN, rms
            phasors = np.where(there, np.sqrt(2) * (sums[:, 20:28] + 1j * sums[:, 28:36]) / valid, np.nan)
        cross = sums[:, 12:19] / n[:, None]
        out: Rows = {
            # a cycle that begins with the recording begins half a sample before the first
            "t": self.times(np.maximum(rows[:, 0], 0.0)),
            "duration": n / self.rate,
            "n": np.ones(len(rows), np.int64),
            "f": self._frequency(rows[:, 2] - rows[:, _UNLOCKED], n - rows[:, _UNLOCKED_SPAN]),
        }
        self._flags(out, rows)
        self._voltages_and_currents(out, squares, cross)
        self._powers(out, rows[:, _OTHER : _OTHER + 3] / n[:, None], squares, p, cross, phasors, full)
        if full:
            lost = (rows[:, 4].astype(np.int64)[:, None] >> np.arange(8)) & 1
            self._fundamentals(out, np.where(lost > 0, np.nan, phasors))
            self._extremes(out, rows)
        return out

    def _frequency(self, cycles: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Frequency of the cycles that were followed; where there were none, there is no frequency either."""
        with np.errstate(divide="ignore", invalid="ignore"):
            f: np.ndarray = np.where(cycles > 0, self.rate * cycles / n, np.nan)
        return f

    def _flags(self, out: Rows, rows: np.ndarray) -> None:
        flags = rows[:, 3].astype(np.uint32) | np.uint32(self.base_flags)
        low, high = (42.5, 57.5) if self.nominal < 55 else (51.0, 69.0)
        flags |= np.where((out["f"] < low) | (out["f"] > high), np.uint32(Flag.OUT_OF_RANGE), np.uint32(0)).astype(np.uint32)
        empty = (rows[:, _MISSING : _MISSING + 8] > (1 - _SHARE) * (rows[:, 1] - rows[:, 0])[:, None]).any(axis=1)
        flags |= np.where(empty, np.uint32(Flag.INCOMPLETE), np.uint32(0)).astype(np.uint32)
        missing, saturated = rows[:, 4].astype(np.int64), rows[:, 5].astype(np.int64)
        out["flags"] = flags
        for k, phase in enumerate(PHASES):
            lanes = 0x11 << k
            mine = flags & ~np.uint32(Flag.NOT_FINITE | Flag.SATURATED)
            mine = mine | np.where(missing & lanes, np.uint32(Flag.NOT_FINITE), np.uint32(0))
            out[f"flags_{phase}"] = (mine | np.where(saturated & lanes, np.uint32(Flag.SATURATED), np.uint32(0))).astype(np.uint32)

    def _voltages_and_currents(self, out: Rows, squares: np.ndarray, cross: np.ndarray) -> None:
        for k in self.phases:
            out[f"U_{PHASES[k]}"] = np.sqrt(squares[:, k])
        for k in self.lines:
            # the difference of two voltages, from their squares and their product
            out[f"U_{LINES[k]}"] = np.sqrt(np.maximum(squares[:, k] + squares[:, (k + 1) % 3] - 2 * cross[:, k], 0.0))
        for k in range(3):
            if self.here[4 + k]:
                out[f"I_{PHASES[k]}"] = np.sqrt(squares[:, 4 + k])
        if self.here[3]:
            out["U_N"] = np.sqrt(squares[:, 3])
        if self.neutral:
            out["I_N"] = np.sqrt(self._neutral(squares, cross))

    def _neutral(self, squares: np.ndarray, cross: np.ndarray) -> np.ndarray:
        """Mean square of the neutral current: measured, or of the sum of the phase currents."""
        square: np.ndarray = squares[:, 7] if self.here[7] else np.maximum(squares[:, 4:7].sum(1) + 2 * cross[:, 4:7].sum(1), 0.0)
        return square

    def _powers(self, out: Rows, other: np.ndarray, squares: np.ndarray, p: np.ndarray, cross: np.ndarray, phasors: np.ndarray, full: bool) -> None:
        powered = self.powered
        if not powered or (self.line and len(powered) < 3):
            return
        method = self.settings.reactive
        s = np.sqrt(squares[:, :3]) * np.sqrt(squares[:, 4:7])
        complex_power = phasors[:, :3] * np.conj(phasors[:, 4:7])
        q = complex_power.imag
        if method == "fryze":
            q = np.copysign(np.sqrt(np.maximum(s**2 - p**2, 0.0)), q)
        elif method != "fundamental":
            q = np.where(np.isnan(p), np.nan, other)
        total_p, total_q = p[:, powered].sum(1), q[:, powered].sum(1)
        total_s = self._apparent(s, squares, cross, total_p, total_q)
        if not self.line:
            for k in powered:
                out[f"P_{PHASES[k]}"], out[f"Q_{PHASES[k]}"], out[f"S_{PHASES[k]}"] = p[:, k], q[:, k], s[:, k]
                out[f"PF_{PHASES[k]}"] = _ratio(p[:, k], s[:, k])
                if full:
                    self._fundamental_powers(out, complex_power[:, k], f"_{PHASES[k]}")
        out["P"], out["Q"], out["S"], out["PF"] = total_p, total_q, total_s, _ratio(total_p, total_s)
        if full:
            self._fundamental_powers(out, complex_power[:, powered].sum(1), "")

    @staticmethod
    def _fundamental_powers(out: Rows, power: np.ndarray, phase: str) -> None:
        apparent = np.abs(power)
        out[f"P1{phase}"], out[f"Q1{phase}"], out[f"S1{phase}"] = power.real, power.imag, apparent
        out[f"DPF{phase}"] = _ratio(power.real, apparent)

    def _apparent(self, s: np.ndarray, squares: np.ndarray, cross: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Total apparent power by the method of the settings."""
        method, powered = self.settings.apparent, self.powered
        total: np.ndarray = s[:, powered].sum(1)
        if method == "vector":
            total = np.hypot(p, q)
        elif method == "effective" and len(powered) == 3:
            u2, i2 = squares[:, :3].sum(1), squares[:, 4:7].sum(1)
            lines = 2 * u2 - 2 * cross[:, :3].sum(1)
            if self.line:
                ue, ie = lines / 9, i2 / 3
            else:
                ue, ie = (3 * u2 + lines) / 18, (i2 + self._neutral(squares, cross)) / 3
            total = 3 * np.sqrt(np.maximum(ue, 0.0)) * np.sqrt(ie)
        return total

    def _fundamentals(self, out: Rows, phasors: np.ndarray) -> None:
        """Fundamental rms and angles, and the ratios of sequence components."""
        u = phasors[:, :3]
        reference = self._reference(u)
        turned = phasors * np.exp(-1j * reference)[:, None]
        voltages = {PHASES[k]: turned[:, k] for k in self.phases}
        if self._line_twins:
            voltages |= {LINES[k]: turned[:, k] - turned[:, (k + 1) % 3] for k in self.lines}
        currents = {PHASES[k]: turned[:, 4 + k] for k in range(3) if self.here[4 + k]}
        for kind, channels, beside in (("U", voltages, u), ("I", currents, phasors[:, 4:7])):
            noise = 1e-9 * np.fmax.reduce(np.abs(beside), axis=1)
            for name, phasor in channels.items():
                out[f"{kind}1_{name}"] = size = np.abs(phasor)
                # no angle where there is nothing but rounding beside the other phasors
                out[f"phi_{kind}_{name}"] = np.where(size > noise, np.degrees(np.angle(phasor)), np.nan)
        if self.neutral:
            out["I1_N"] = np.abs(phasors[:, 7] if self.here[7] else phasors[:, 4:7].sum(1))
        if len(self.phases) == 3 or (self.line and self.here[0]):
            zero, positive, negative = _sequences(u)
            out["u2"] = 100 * _ratio(negative, positive)
            if not self.line:
                out["u0"] = 100 * _ratio(zero, positive)
            out["sequence"] = _order(np.stack([voltages[n] for n in (LINES if self.line else PHASES)], 1))
        if all(self.here[4:7]):
            zero, positive, negative = _sequences(phasors[:, 4:7])
            out["i2"] = 100 * _ratio(negative, positive)
            if not self.line:
                out["i0"] = 100 * _ratio(zero, positive)

    def _reference(self, u: np.ndarray) -> np.ndarray:
        """Angle of U_L1 (of U_L12 with three wires); where that is dead, of the next live voltage turned to its place."""
        if self.line:
            u = u - np.roll(u, -1, axis=1)
        elif not self.phases:
            return np.zeros(len(u))
        magnitude = np.nan_to_num(np.abs(u))
        nominal = self.settings.nominal_voltage
        live = magnitude > 0.05 * (magnitude.max(axis=1, keepdims=True) if nominal is None else nominal)
        first = np.argmax(live, axis=1)
        places = 2 * np.pi / 3 * first
        chosen: np.ndarray = np.nan_to_num(np.angle(u[np.arange(len(u)), first])) + places
        return chosen

    def _extremes(self, out: Rows, rows: np.ndarray) -> None:
        """Extreme Urms(1/2), and the largest flicker sensation."""
        for name, place in self._voltages():
            out[f"Umin_{name}"], out[f"Umax_{name}"] = rows[:, _EXTREMES + place], rows[:, _EXTREMES + 6 + place]
            out[f"Pinst_{name}"] = rows[:, _PINST + place]

    def _voltages(self) -> list[tuple[str, int]]:
        """Voltages on which quantities stand: name, and place among L1 L2 L3 L12 L23 L31."""
        result = [(PHASES[k], k) for k in self.phases]
        return result + ([(LINES[k], 3 + k) for k in self.lines] if self._line_twins else [])

    def _spectra(self, out: Rows, spectra: np.ndarray) -> None:
        """Harmonics, interharmonics, groups, distortion, signalling; spectra of shape (n, 1 or 2, rows, 8), mean squares."""
        # an order is there where it is in any of the eight lanes, looked at together
        carried = (np.isfinite(spectra[:, 0, : _THD_ORDER + 1]).view(np.uint64)[..., 0] != 0).sum(1) - 1
        out["thd_order"] = np.where(carried >= 2, carried, np.nan).astype(float)
        low = np.where((carried >= 2) & (carried < _THD_ORDER), np.uint32(Flag.LOW_RATE), np.uint32(0)).astype(np.uint32)
        for name in ("flags", *(f"flags_{p}" for p in PHASES)):
            out[name] = out[name] | low
        voltages = [("U", name, *divmod(place, 3)) for name, place in self._voltages()]
        lanes = [*voltages, *(("I", PHASES[k], 0, 4 + k) for k in range(3) if self.here[4 + k])]
        lists = {**_LISTS, **_GROUP_LISTS} if self.settings.groups else _LISTS
        distortion = Distortion(len(lanes), len(spectra), self.settings.nominal_current)
        for number, (kind, name, row, lane) in enumerate(lanes):
            # one lane at a time, so that what is worked on stays in the cache
            squares = np.ascontiguousarray(spectra[:, row, :, lane])
            roots = np.sqrt(squares)
            for prefix, entries in lists.items():
                out[f"{prefix}{kind}_{name}"] = roots[:, entries]
            if kind == "U" and self.settings.signalling_frequency:
                out[f"MSV_{name}"] = roots[:, _SIGNAL].astype(float)
            distortion.take(number, squares, out[f"{kind}_{name}"], kind == "I")
        out |= distortion.columns([f"{kind}_{name}" for kind, name, *_ in lanes])


class Distortion:
    """Factors of distortion of some lanes: what they are made of is taken lane by lane, the factors are made of all lanes at once."""

    def __init__(self, lanes: int, n: int, nominal_current: float | None) -> None:
        self._nominal_current = nominal_current
        self._single = np.empty((lanes, n, _SPECTRUM - _LINES), np.float32)
        self._rms, self._first, self._rest = np.empty((3, lanes, n))
        self._carried, self._weighted = np.empty((2, lanes, n), bool)
        self._currents: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}

    def take(self, lane: int, squares: np.ndarray, rms: np.ndarray, current: bool) -> None:
        """Take a lane's spectra of shape (n, rows), mean squares, and its rms."""
        self._rms[lane], self._single[lane] = rms, squares[:, _LINES:_SPECTRUM]
        orders = squares[:, :_INTERHARMONICS].astype(float)
        self._carried[lane] = np.isfinite(orders[:, 2])
        # no order from 14 on, no distortion of them
        self._weighted[lane] = np.isfinite(orders[:, 14])
        null = np.isnan(orders)
        if null.any():
            orders[null] = 0.0
        self._first[lane], self._rest[lane] = orders[:, 1], orders[:, 2 : _THD_ORDER + 1].sum(1)
        if current:
            self._currents[lane] = k_factor_of(orders), None if self._nominal_current is None else tdd_of(orders, self._nominal_current)

    def columns(self, names: list[str]) -> Rows:
        """The columns of the lanes, of these names."""
        there = self._carried & (self._first > 0)
        line, first_line, groups, first_group, weighted, _, peak = np.moveaxis(self._single, 2, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = {
                "THD": (there, 100 * np.sqrt(self._rest / self._first)),
                "THDG": (there, 100 * np.sqrt(groups / first_group)),
                "THDL": (there, 100 * np.sqrt(line / first_line)),
                "PWHD": (there & self._weighted, 100 * np.sqrt(weighted / first_line)),
                "CF": (self._carried, peak / self._rms),
            }
        out: Rows = {}
        for quantity, (valid, values) in found.items():
            kept = np.where(valid & np.isfinite(values), values, np.nan).astype(float)
            out |= {f"{quantity}_{name}": kept[k] for k, name in enumerate(names)}
        for k, (factor, demand) in self._currents.items():
            out[f"K_{names[k]}"] = np.where(there[k], factor, np.nan)
            if demand is not None:
                out[f"TDD_{names[k]}"] = np.where(self._carried[k], demand, np.nan)
        return out


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A / b, NaN where b is nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: np.ndarray = np.where(b > 0, a / b, np.nan)
    return quotient


def _sequences(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Magnitudes of the zero, positive and negative sequence of three phasors; a positive one far below the phasors is none."""
    a, b, c = x[:, 0], x[:, 1], x[:, 2]
    positive = np.abs(a + _TURN * b + _TURN**2 * c) / 3
    positive = np.where(positive > _LEAST_POSITIVE * np.abs(x).max(axis=1), positive, 0.0)
    return np.abs(a + b + c) / 3, positive, np.abs(a + _TURN**2 * b + _TURN * c) / 3


def _order(x: np.ndarray) -> np.ndarray:
    """Order of three phasors: 1 for 123 and -1 for 132, each within 30 degrees of its place; NaN otherwise."""
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.degrees(np.angle(x / np.roll(x, -1, axis=1)))
        forward, backward = (np.abs(steps - place).max(axis=1) < 30 for place in (120, -120))
    order: np.ndarray = np.where(forward, 1.0, np.where(backward, -1.0, np.nan))
    return order


def _without(spectra: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Spectra (n, 1 or 2, rows, 8) without those of lanes of which samples are missing, given as bits, or that single precision cannot hold."""
    # none is below 0: the largest of all says whether any is infinite
    if np.fmax.reduce(spectra, axis=None, initial=0.0) == np.inf:
        spectra = np.where(np.isinf(spectra).any(axis=2, keepdims=True), np.float32(np.nan), spectra)
    if not missing.any():
        return spectra
    lost = ((missing[:, None] >> np.arange(8)) & 1) > 0
    lines = np.zeros_like(lost)
    lines[:, :3] = lost[:, :3] | np.roll(lost[:, :3], -1, axis=1)
    kept: np.ndarray = np.where(np.stack([lost, lines], 1)[:, : spectra.shape[1], None, :], np.float32(np.nan), spectra)
    return kept
