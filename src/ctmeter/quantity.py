"""THE table of quantities.

Name, symbol, unit, phases, tables, rule of aggregation, dependence on the side, OBIS code and
clause of everything ctmeter measures. Column lists, dtypes, Arrow schemas and the data model's
documentation all derive from `QUANTITIES` and `ENERGIES`; nothing else may list columns.

This module imports nothing but the standard library, so that the command line can look things
up in it without NumPy.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Literal

__all__ = [
    "ENERGIES", "EXTRAS", "LINES", "PHASES", "QUANTITIES", "TABLES", "Column", "Energy", "Flag", "Quantity", "Rule", "Table",
    "columns", "energy_keys", "quantity",
]  # fmt: skip

PHASES = ("L1", "L2", "L3")
LINES = ("L12", "L23", "L31")
#: The sum over the phases, or what has no phase at all.
TOTAL = ("",)


class Flag(enum.IntFlag):
    """What happened in an interval; carried into longer intervals by OR.

    References
    ----------
    IEC 61000-4-30:2015
    """

    DIP = 1 << 0
    SWELL = 1 << 1
    INTERRUPTION = 1 << 2
    GAP = 1 << 3
    SATURATED = 1 << 4
    NOT_FINITE = 1 << 5
    NO_LOCK = 1 << 6
    INCOMPLETE = 1 << 7
    NO_CLOCK = 1 << 8
    OUT_OF_RANGE = 1 << 9
    SETTLING = 1 << 10
    LOW_RATE = 1 << 11

    @property
    def label(self) -> str:
        """Name as people write it, for instance "no-clock"; several joined by commas."""
        return ",".join((f.name or "").lower().replace("_", "-") for f in self)


class Rule(enum.StrEnum):
    """How values of shorter intervals become the value of a longer one.

    Means count by duration, rms values and cubes once each; null values are left out.
    """

    START = "start"  #: of the first interval
    SUM = "sum"
    OR = "or"
    MEAN = "mean"
    RMS = "rms"  #: square root of the mean of the squares
    MIN = "min"
    MAX = "max"
    RATIO = "ratio"  #: of two aggregated quantities, those of `Quantity.ratio`
    DISPLACEMENT = "displacement"  #: aggregated P1 over aggregated S1
    PHASOR_MAGNITUDE = "phasor magnitude"  #: of the complex mean
    PHASOR_ANGLE = "phasor angle"  #: of the complex mean
    CUBIC = "cubic"  #: cube root of the mean of the cubes
    NONE = "none"  #: computed anew for each interval from finer data


class Table(enum.StrEnum):
    """The tables of a result."""

    BASIC = "basic"
    THREE_SECONDS = "3s"
    TEN_MINUTES = "10min"
    TWO_HOURS = "2h"
    FREQUENCY = "frequency"
    HALF_CYCLE = "half_cycle"
    CYCLE = "cycle"
    SYNCHROPHASOR = "synchrophasor"
    SIGNALLING = "signalling"
    EVENTS = "events"


TABLES = tuple(t.value for t in Table)
_AGGREGATED = ("3s", "10min", "2h")
_WINDOWS = ("basic", *_AGGREGATED)
_CYCLES = ("cycle", *_WINDOWS)

#: How a column is stored: NumPy dtype text, or one of the names below.
Dtype = Literal["f8", "i8", "u4", "time", "orders", "interorders", "text", "label", "phases", "detail"]
#: Number of values in the list columns.
LIST_LENGTH = {"orders": 51, "interorders": 50}
#: Settings that add columns to the tables.
EXTRAS = ("groups", "power_sets")


@dataclass(frozen=True)
class Quantity:
    """One quantity of the table.

    Parameters
    ----------
    name : str
        The name at the border, without its phase.
    symbol : str
        The name inside the code.
    unit : str
        SI without prefix; "" where there is none, "1" for a ratio.
    meaning : str
        For the documentation.
    phases : tuple of str
        What follows the name after an underscore; "" is the total.
    tables : tuple of str
        Where it stands.
    rule : Rule
    ratio : tuple of two str, or none
        Names of the quantities whose aggregated values are divided where the rule is a ratio.
    dtype : Dtype
    side : {"", "U", "I", "P"}
        With which transformer ratios it changes when the side does: none, VT, CT, both.
    extremes : bool
        Whether the smallest and largest basic value stand beside it in the 10-min and 2-h tables.
    extra : str
        The setting without which it has no column, one of `EXTRAS`; "" where it always has.
    obis : tuple of str
        Codes in the order of `phases`, "" where there is none.
    clause : str
    """

    name: str
    symbol: str
    unit: str
    meaning: str
    _: KW_ONLY
    phases: tuple[str, ...] = TOTAL
    tables: tuple[str, ...] = _WINDOWS
    rule: Rule = Rule.NONE
    ratio: tuple[str, str] | tuple[()] = ()
    dtype: Dtype = "f8"
    side: Literal["", "U", "I", "P"] = ""
    extremes: bool = False
    extra: str = ""
    obis: tuple[str, ...] = ()
    clause: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the quantity, in the order of its phases."""
        return tuple(f"{self.name}_{p}" if p else self.name for p in self.phases)


@dataclass(frozen=True)
class Column:
    """One column of one table."""

    name: str
    quantity: Quantity
    phase: str = ""
    extreme: Literal["", "min", "max"] = ""

    @property
    def rule(self) -> Rule:
        """How the column is aggregated."""
        return {"": self.quantity.rule, "min": Rule.MIN, "max": Rule.MAX}[self.extreme]

    @property
    def ratio(self) -> tuple[str, ...]:
        """The columns whose aggregated values are divided, of the same phase; none where the rule is no ratio."""
        return tuple(f"{name}_{self.phase}" if self.phase else name for name in self.quantity.ratio)

    @property
    def dtype(self) -> Dtype:
        """How the column is stored."""
        return self.quantity.dtype

    @property
    def unit(self) -> str:
        """SI without prefix."""
        return self.quantity.unit

    @property
    def side(self) -> str:
        """With which ratios the values change: "", "U", "I" or "P"."""
        return self.quantity.side


@dataclass(frozen=True)
class Energy:
    """One energy key; `A+` and its twins `A+_L1` to `A+_L3`."""

    name: str
    unit: str
    meaning: str
    c_group: int

    def obis(self, phase: str = "") -> str:
        """The code of the register, for instance "1-0:21.8.0" for A+ of L1."""
        return f"1-0:{self.c_group + (20 * (1 + PHASES.index(phase)) if phase else 0)}.8.0"


def _obis(groups: tuple[int, ...], d: int = 7, e: int = 0) -> tuple[str, ...]:
    return tuple(f"1-0:{c}.{d}.{e}" if c else "" for c in groups)


_T430 = "IEC 61000-4-30:2015"
_T47 = "IEC 61000-4-7:2002"
_T415 = "IEC 61000-4-15:2010"
_VOLTAGES = (*PHASES, *LINES)
_TOTALLED = (*PHASES, "")

_KINDS: tuple[tuple[Literal["U", "I"], str, str, tuple[str, ...]], ...] = (("U", "voltage", "V", _VOLTAGES), ("I", "current", "A", PHASES))
_GROUPS: tuple[tuple[str, str, tuple[str, str], Dtype], ...] = (
    ("G", "g", ("harmonic group", "orders 0-50; entry 0 is the magnitude of DC"), "orders"),
    ("IG", "ig", ("interharmonic group", "entry h between h and h+1"), "interorders"),
)
_SIDES: dict[str, Literal["", "U", "I", "P"]] = {"V": "U", "A": "I", "W": "P", "var": "P", "VA": "P", "1": ""}
_SET_RULES = {unit: {"U": Rule.RMS, "I": Rule.RMS, "P": Rule.MEAN, "": Rule.RATIO}[side] for unit, side in _SIDES.items()}
_SET_RATIOS = {"HP": ("SeN", "Se1"), "PF_sum": ("P", "S_sum")}
#: Of the three phases together, by clause: name, unit, meaning.
_POWER_SETS = {
    "IEEE 1459:2010": (
        ("Ue", "V", "effective voltage"), ("Ie", "A", "effective current"), ("Se", "VA", "effective apparent power"),
        ("Ue1", "V", "effective voltage of the fundamental"), ("Ie1", "A", "effective current of the fundamental"),
        ("Se1", "VA", "effective apparent power of the fundamental"),
        ("U1_pos", "V", "positive sequence of the fundamental voltages"), ("I1_pos", "A", "positive sequence of the fundamental currents"),
        ("P1_pos", "W", "active power of the positive sequence"), ("Q1_pos", "var", "reactive power of the positive sequence"),
        ("S1_pos", "VA", "apparent power of the positive sequence"), ("SU1", "VA", "unbalance power of the fundamental"),
        ("SeN", "VA", "non-fundamental effective apparent power"), ("DeI", "var", "current distortion power"),
        ("DeV", "var", "voltage distortion power"), ("SeH", "VA", "harmonic apparent power"), ("DeH", "var", "harmonic distortion power"),
        ("HP", "1", "harmonic pollution, SeN over Se1"), ("S_vector", "VA", "vector apparent power, of P and Q"),
        ("S_arithmetic", "VA", "sum of the phases' apparent powers"),
    ),
    "DIN 40110-2": (
        ("U_sum", "V", "collective voltage"), ("I_sum", "A", "collective current"), ("S_sum", "VA", "collective apparent power"),
        ("Q_sum", "var", "collective non-active power, never negative"), ("PF_sum", "1", "P over S_sum"),
    ),
}  # fmt: skip

QUANTITIES: tuple[Quantity, ...] = (
    # where and how good
    Quantity("type", "event_type", "", "what kind of event", tables=("events",), dtype="text", clause=_T430),
    Quantity(
        "t", "start_ns", "", "start of the interval, UTC; counted from 1970-01-01 and flagged without a clock",
        tables=TABLES, rule=Rule.START, dtype="time", clause=_T430,
    ),
    Quantity("duration", "duration", "s", "length; of an event null while it is open", tables=(*_CYCLES, "events"), rule=Rule.SUM),
    Quantity("channel", "channel", "", "the voltage the row is of", tables=("half_cycle", "signalling"), dtype="label"),
    Quantity("n", "count", "1", "basic values aggregated", tables=_CYCLES, rule=Rule.SUM, dtype="i8", clause=_T430),
    Quantity(
        "flags", "flags", "", "bits of Flag", tables=TABLES, rule=Rule.OR, dtype="u4", clause=_T430,
    ),
    Quantity(
        "flags", "flags_phase", "", "bits of Flag of one phase", phases=PHASES, tables=_CYCLES, rule=Rule.OR, dtype="u4",
        clause=_T430,
    ),
    Quantity(
        "f", "f", "Hz", "frequency", tables=(*_CYCLES, "frequency", "synchrophasor"), rule=Rule.MEAN, extremes=True, obis=_obis((14,)),
        clause=_T430,
    ),
    # rms and power
    Quantity(
        "U", "u_rms", "V", "voltage, rms", phases=(*PHASES, "N", *LINES), tables=_CYCLES, rule=Rule.RMS, side="U", extremes=True,
        obis=_obis((32, 52, 72, 92, 124, 125, 126)), clause=_T430,
    ),
    Quantity(
        "U", "u_rms_half", "V", "voltage, rms of the one cycle that starts at t, anew every half cycle", tables=("half_cycle",),
        side="U", clause=_T430,
    ),
    Quantity(
        "I", "i_rms", "A", "current, rms; of N from the sum of the phase currents where not measured", phases=(*PHASES, "N"),
        tables=_CYCLES, rule=Rule.RMS, side="I", extremes=True, obis=_obis((31, 51, 71, 91)), clause=_T430,
    ),
    Quantity(
        "P", "p", "W", "active power; > 0 is import", phases=_TOTALLED, tables=_CYCLES, rule=Rule.MEAN, side="P", extremes=True,
        obis=_obis((36, 56, 76, 16)), clause="IEEE 1459:2010",
    ),
    Quantity(
        "Q", "q", "var", "reactive power by the method of the settings; > 0 when the current lags while importing", phases=_TOTALLED,
        tables=_CYCLES, rule=Rule.MEAN, side="P", extremes=True, clause="IEEE 1459:2010",
    ),
    Quantity(
        "S", "s", "VA", "apparent power; the total by the method of the settings", phases=_TOTALLED, tables=_CYCLES, rule=Rule.MEAN,
        side="P", extremes=True, obis=_obis((29, 49, 69, 9)), clause="IEEE 1459:2010",
    ),
    Quantity(
        "PF", "pf", "1", "power factor P/S, with the sign of P", phases=_TOTALLED, tables=_CYCLES, rule=Rule.RATIO, ratio=("P", "S"),
        obis=_obis((33, 53, 73, 13)), clause="IEEE 1459:2010",
    ),
    # the fundamental
    Quantity(
        "DPF", "dpf", "1", "cos phi of the fundamental, with the sign of P", phases=_TOTALLED, rule=Rule.DISPLACEMENT,
        clause="IEEE 1459:2010",
    ),
    Quantity(
        "P1", "p1", "W", "active power of the fundamental; the total is their sum", phases=_TOTALLED, rule=Rule.MEAN, side="P",
        clause="IEEE 1459:2010",
    ),
    Quantity(
        "Q1", "q1", "var", "reactive power of the fundamental; the total is their sum", phases=_TOTALLED, rule=Rule.MEAN, side="P",
        clause="IEEE 1459:2010",
    ),
    Quantity(
        "S1", "s1", "VA", "apparent power of the fundamental; the total is the root of P1^2 + Q1^2", phases=_TOTALLED, rule=Rule.MEAN,
        side="P", clause="IEEE 1459:2010",
    ),
    Quantity(
        "U1", "u1", "V", "fundamental voltage, rms", phases=_VOLTAGES, rule=Rule.PHASOR_MAGNITUDE, side="U",
        obis=_obis((32, 52, 72, 124, 125, 126), 7, 1), clause=_T47,
    ),
    Quantity(
        "I1", "i1", "A", "fundamental current, rms", phases=PHASES, rule=Rule.PHASOR_MAGNITUDE, side="I",
        obis=_obis((31, 51, 71), 7, 1), clause=_T47,
    ),
    Quantity(
        "I1", "i1_neutral", "A", "fundamental neutral current, rms; from the sum of the phase currents where not measured", phases=("N",),
        rule=Rule.RMS, side="I", clause=_T47,
    ),
    Quantity(
        "phi_U", "phi_u", "degree", "angle of the fundamental voltage against the reference", phases=_VOLTAGES,
        rule=Rule.PHASOR_ANGLE, obis=("1-0:81.7.0", "1-0:81.7.1", "1-0:81.7.2", "", "", ""),
    ),
    Quantity(
        "phi_I", "phi_i", "degree", "angle of the fundamental current against the reference", phases=PHASES, rule=Rule.PHASOR_ANGLE,
        obis=("1-0:81.7.4", "1-0:81.7.5", "1-0:81.7.6"),
    ),
    Quantity("u2", "u2", "%", "negative-sequence voltage ratio", rule=Rule.RMS, extremes=True, clause=_T430),
    Quantity("u0", "u0", "%", "zero-sequence voltage ratio", rule=Rule.RMS, clause=_T430),
    Quantity(
        "sequence", "phase_sequence", "1", "order of the voltages: 1 for 123, -1 for 132, null where neither", rule=Rule.MIN,
    ),
    Quantity("i2", "i2", "%", "negative-sequence current ratio", rule=Rule.RMS, clause=_T430),
    Quantity("i0", "i0", "%", "zero-sequence current ratio", rule=Rule.RMS, clause=_T430),
    # spectra
    Quantity(
        "HU", "u_sg", "V", "harmonic sub-group voltage, orders 0-50; entry 0 is the magnitude of DC", phases=_VOLTAGES, rule=Rule.RMS,
        dtype="orders", side="U", clause=_T47,
    ),
    Quantity(
        "HI", "i_sg", "A", "harmonic sub-group current, orders 0-50; entry 0 is the magnitude of DC", phases=PHASES, rule=Rule.RMS,
        dtype="orders", side="I", clause=_T47,
    ),
    Quantity(
        "IHU", "u_isg", "V", "interharmonic centred sub-group voltage, entry h between h and h+1", phases=_VOLTAGES, rule=Rule.RMS,
        dtype="interorders", side="U", clause=_T47,
    ),
    Quantity(
        "IHI", "i_isg", "A", "interharmonic centred sub-group current, entry h between h and h+1", phases=PHASES, rule=Rule.RMS,
        dtype="interorders", side="I", clause=_T47,
    ),
    *(
        Quantity(
            f"{name}{kind}", f"{kind.lower()}_{symbol}", unit, f"{meaning[0]} {noun}, {meaning[1]}", phases=phases, rule=Rule.RMS, dtype=dtype,
            side=kind, extra="groups", clause=_T47,
        )
        for name, symbol, meaning, dtype in _GROUPS
        for kind, noun, unit, phases in _KINDS
    ),
    Quantity(
        "THD_U", "thds_u", "%", "total harmonic distortion of the voltage from sub-groups, orders 2-40", phases=_VOLTAGES,
        rule=Rule.RMS, extremes=True, obis=_obis((32, 52, 72, 124, 125, 126), 7, 124), clause=f"{_T47}, 3.3.1",
    ),
    Quantity(
        "THD_I", "thds_i", "%", "total harmonic distortion of the current from sub-groups, orders 2-40", phases=PHASES, rule=Rule.RMS,
        extremes=True, obis=_obis((31, 51, 71), 7, 124), clause=f"{_T47}, 3.3.1",
    ),
    Quantity("thd_order", "thd_order", "1", "highest order in THD; less than 40 where the sample rate carries fewer", rule=Rule.MIN),
    *(
        Quantity(
            f"{name}_{kind}", f"{symbol}_{kind.lower()}", unit, f"{meaning} of the {noun}", phases=phases, rule=rule, clause=clause,
        )
        for name, symbol, unit, meaning, rule, clause in (
            ("THDG", "thdg", "%", "total harmonic distortion by groups, orders 2-40,", Rule.RMS, f"{_T47}, 3.3"),
            ("THDL", "thd", "%", "total harmonic distortion by single lines, orders 2-40,", Rule.RMS, f"{_T47}, 3.3"),
            ("PWHD", "pwhd", "%", "partial weighted harmonic distortion, orders 14-40,", Rule.RMS, f"{_T47}, 3.3"),
            ("CF", "crest_factor", "1", "crest factor, largest magnitude over rms,", Rule.MAX, ""),
        )
        for kind, noun, phases in (("U", "voltage", _VOLTAGES), ("I", "current", PHASES))
    ),
    Quantity(
        "K_I", "k_factor", "1", "K factor of the current, orders 1-50 or as many as the sample rate carries, by sub-groups", phases=PHASES,
        rule=Rule.RMS,
    ),
    Quantity(
        "TDD_I", "tdd_i", "%", "total demand distortion, orders 2-50 or as many as the sample rate carries, of the nominal current", phases=PHASES,
        rule=Rule.RMS, obis=_obis((31, 51, 71), 7, 125),
    ),
    # sets of power quantities
    *(
        Quantity(
            name, name.lower(), unit, meaning, rule=_SET_RULES[unit], ratio=_SET_RATIOS.get(name, ()), side=_SIDES[unit], extra="power_sets",
            clause=clause,
        )
        for clause, parts in _POWER_SETS.items()
        for name, unit, meaning in parts
    ),
    # flicker
    Quantity(
        "Pinst", "pinst", "1", "instantaneous flicker sensation, largest in the interval", phases=_VOLTAGES, rule=Rule.MAX,
        clause=_T415,
    ),
    Quantity(
        "Pst", "pst", "1", "short-term flicker", phases=_VOLTAGES, tables=("10min", "2h"), rule=Rule.CUBIC, clause=_T415,
    ),
    Quantity("Plt", "plt", "1", "long-term flicker", phases=_VOLTAGES, tables=("2h",), rule=Rule.NONE, clause=_T415),
    # extremes, deviations, signalling
    Quantity(
        "Umin", "u_rms_half_min", "V", "smallest Urms(1/2) in the interval", phases=_VOLTAGES, rule=Rule.MIN, side="U",
        clause=_T430,
    ),
    Quantity(
        "Umax", "u_rms_half_max", "V", "largest Urms(1/2) in the interval", phases=_VOLTAGES, rule=Rule.MAX, side="U",
        clause=_T430,
    ),
    Quantity(
        "under", "u_under", "%", "under-deviation", phases=_VOLTAGES, tables=("10min", "2h"), rule=Rule.NONE, clause=f"{_T430}, annex D",
    ),
    Quantity(
        "over", "u_over", "%", "over-deviation", phases=_VOLTAGES, tables=("10min", "2h"), rule=Rule.NONE, clause=f"{_T430}, annex D",
    ),
    Quantity(
        "MSV", "msv", "V", "mains signalling voltage, where a frequency is set", phases=_VOLTAGES, rule=Rule.RMS, side="U",
        clause=_T430,
    ),
    Quantity(
        "U", "u_signalling", "V", "mains signalling voltage, rms over two cycles around t, anew every half cycle of nominal",
        tables=("signalling",), side="U", clause=_T430,
    ),
    # synchrophasors
    Quantity("rocof", "rocof", "Hz/s", "rate of change of frequency", tables=("synchrophasor",)),
    Quantity("U1", "u1_sync", "V", "fundamental voltage, rms", phases=_VOLTAGES, tables=("synchrophasor",), side="U"),
    Quantity("I1", "i1_sync", "A", "fundamental current, rms", phases=PHASES, tables=("synchrophasor",), side="I"),
    Quantity(
        "phi_U", "phi_u_sync", "degree", "angle of the voltage against a cosine of nominal frequency at UTC", phases=_VOLTAGES,
        tables=("synchrophasor",),
    ),
    Quantity(
        "phi_I", "phi_i_sync", "degree", "angle of the current against a cosine of nominal frequency at UTC", phases=PHASES,
        tables=("synchrophasor",),
    ),
    # events
    Quantity("phases", "phases", "", "voltages taking part", tables=("events",), dtype="phases", clause=_T430),
    Quantity("U_ref", "u_ref", "V", "reference voltage of the event", tables=("events",), side="U", clause=_T430),
    Quantity(
        "U_residual", "u_residual", "V", "smallest Urms(1/2) of a dip or interruption", tables=("events",), side="U",
        clause=_T430,
    ),
    Quantity("U_max", "u_max", "V", "largest Urms(1/2) of a swell", tables=("events",), side="U", clause=_T430),
    Quantity("dU_max", "du_max", "V", "largest change of a rapid voltage change", tables=("events",), side="U", clause=_T430),
    Quantity(
        "dU_ss", "du_ss", "V", "steady-state change of a rapid voltage change", tables=("events",), side="U", clause=_T430,
    ),
    Quantity("detail", "detail", "", "for each voltage: phase, t, duration, U", tables=("events",), dtype="detail"),
    Quantity("snippet", "snippet", "", "name of the stored waveform", tables=("events",), dtype="text"),
)  # fmt: skip

ENERGIES: tuple[Energy, ...] = (
    Energy("A+", "Wh", "active import", 1),
    Energy("A-", "Wh", "active export", 2),
    Energy("R+", "varh", "reactive, quadrants I and II", 3),
    Energy("R-", "varh", "reactive, quadrants III and IV", 4),
    Energy("R1", "varh", "reactive, quadrant I", 5),
    Energy("R2", "varh", "reactive, quadrant II", 6),
    Energy("R3", "varh", "reactive, quadrant III", 7),
    Energy("R4", "varh", "reactive, quadrant IV", 8),
    Energy("E+", "VAh", "apparent while importing", 9),
    Energy("E-", "VAh", "apparent while exporting", 10),
)


def quantity(name: str) -> Quantity:
    """The quantity of that border name (the first, where a name stands for several).

    Raises
    ------
    KeyError
        No such quantity.
    """
    for q in QUANTITIES:
        if q.name == name:
            return q
    raise KeyError(name)


@cache
def columns(table: str, spectra: bool = True, extras: Collection[str] = frozenset()) -> tuple[Column, ...]:
    """The columns of a table, in order.

    Parameters
    ----------
    table : str
        One of `TABLES`.
    spectra : bool
        Whether the `basic` table carries the spectral lists; the others always do.
    extras : collection of str
        Those of `EXTRAS` that are on; hashable.

    Examples
    --------
    >>> [c.name for c in columns("frequency")]
    ['t', 'flags', 'f']
    """
    if table not in TABLES:
        raise KeyError(table)
    return tuple(_columns(table, spectra, extras))


def _columns(table: str, spectra: bool, extras: Collection[str]) -> Iterator[Column]:
    for q in QUANTITIES:
        if table not in q.tables or (q.extra and q.extra not in extras) or (table == "basic" and q.dtype in LIST_LENGTH and not spectra):
            continue
        for name, phase in zip(q.columns, q.phases, strict=True):
            yield Column(name, q, phase)
    if table in ("10min", "2h"):
        for q in QUANTITIES:
            if q.extremes and table in q.tables:
                for name, phase in zip(q.columns, q.phases, strict=True):
                    yield Column(f"{name}_min", q, phase, "min")
                    yield Column(f"{name}_max", q, phase, "max")


def energy_keys() -> tuple[str, ...]:
    """Every energy key: the totals, then those of L1, L2 and L3."""
    return tuple(e.name + s for s in ("", "_L1", "_L2", "_L3") for e in ENERGIES)
