"""From a specification, as documented in `ctmeter.synth`, to what is to be synthesised."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from ..errors import InputError, SettingsError
from ..recording import ROLES, VOLTAGES, nanoseconds
from .changes import read_changes
from .lines import Lines, burst_fired, combined, half_wave, phase_fired, rms
from .phase import Drift, Law, Piece
from .plan import Plan
from .table import Table

__all__ = ["read_plan"]

PHASES = ("L1", "L2", "L3")
DEFAULT_CHANNELS = {
    "3P4W": ("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3"),
    "3P3W": ("U_L12", "U_L23", "I_L1", "I_L3"),
    "1P2W": ("U_L1", "I_L1"),
}
DTYPES = ("float64", "float32", "int16", "int32")
WAVEFORMS = ("sine", "phase-fired", "burst-fired", "half-wave")
WAVE_KEYS = ("amplitude", "angle", "lag", "dc", "harmonics", "interharmonics", "waveform", "firing_angle", "on", "off", "amplitude_of")
#: Fourier series of switched waveforms end below this part of the sample rate.
BAND = 0.45
#: More lines than this are refused.
MOST_LINES = 50_000


def read_plan(spec: Mapping[str, Any]) -> Plan:
    """Check a specification and work it out.

    Raises
    ------
    SettingsError
        With every fault found.
    """
    faults: list[str] = []
    top = Table(spec, "", faults)
    plan = Plan()
    _read_frame(top, plan)
    plan.law = _read_frequency(top, plan.samples / plan.sample_rate)
    slow, fast = plan.law.bounds(plan.samples / plan.sample_rate)
    if slow <= 0 or fast >= plan.sample_rate / 2:
        faults.append(f"frequency runs from {slow:g} to {fast:g} Hz, not within 0 and half the sample_rate")
        fast = plan.sample_rate / 4
    _read_waves(top, plan, fast)
    read_changes(top, plan)
    _read_converter(top, plan)
    top.done()
    if faults:
        raise SettingsError(dict.fromkeys(faults))
    return plan


def _read_frame(top: Table, plan: Plan) -> None:
    """Everything about the recording that is not the signal."""
    plan.sample_rate = top.number("sample_rate", 12800.0, 0, 1e8, above=True, required=True)
    plan.rate = Fraction(plan.sample_rate)
    duration = top.number("duration", 1.0, 0, 1e10, above=True, required=True)
    plan.samples = round(Fraction(duration) * plan.rate)
    if plan.samples < 1:
        top.fault("duration", f"is {duration!r}, less than one sample")
        plan.samples = 1
    try:
        start = top.get("start")
        if isinstance(start, bool | float):
            raise InputError(f"start {start!r}", expected="ISO 8601 text")
        plan.start_ns = nanoseconds(start)
    except (InputError, AttributeError, TypeError) as error:
        top.fault("start", f"cannot be read: {error}")
    plan.dtype = top.choice("dtype", DTYPES, "float64")
    plan.seed = top.whole("seed", 0, 0, 2**63 - 1)
    plan.title = top.text("title")
    plan.wiring = top.choice("wiring", tuple(DEFAULT_CHANNELS), "3P4W")
    plan.roles = top.words("channels", ROLES, DEFAULT_CHANNELS[plan.wiring])
    if plan.wiring == "3P3W" and any(r in plan.roles for r in (*VOLTAGES, "I_N")):
        top.fault("channels", "has phase-to-neutral or neutral quantities in 3P3W")
    if plan.wiring == "1P2W" and not {"U_L1", "I_L1"}.issuperset(plan.roles):
        top.fault("channels", "has more than U_L1 and I_L1 in 1P2W")
    plan.side = top.choice("side", ("primary", "secondary"))
    plan.ct_ratio = top.number("ct_ratio", 1.0, 0, 1e6, above=True)
    plan.vt_ratio = top.number("vt_ratio", 1.0, 0, 1e6, above=True)
    plan.nominal_frequency = top.number("nominal_frequency", None, 0, 1000, above=True)


def _read_frequency(top: Table, duration: float) -> Law:
    """`frequency`: a number, or a table with f0, drift, ramp and steps."""
    if not isinstance(top.get("frequency", 50.0), Mapping):
        return Law([Piece(Fraction(0), Fraction(0), Fraction(top.number("frequency", 50.0, 0, 1e6, above=True)))])
    table = top.table("frequency")
    f0 = Fraction(table.number("f0", 50.0, 0, 1e6, above=True))
    drifts = []
    for d in table.tables("drift"):
        deviation, rate = d.number("deviation", 0.0, required=True), d.number("rate", 1.0, 0, 1000, above=True, required=True)
        drifts.append(Drift(deviation, Fraction(rate), d.number("phase", 0.0) / 360))
        d.done()
    # (instant, slope from there or None, frequency from there or None)
    marks: list[tuple[Fraction, Fraction | None, Fraction | None]] = []
    for r in table.tables("ramp"):
        start = r.number("start", 0.0, 0, 1e10)
        stop = start + r.number("duration", duration - start if duration > start else 1.0, 0, 1e10, above=True)
        marks += [(Fraction(start), Fraction(r.number("slope", 0.0, required=True)), None), (Fraction(stop), Fraction(0), None)]
        r.done()
    for s in table.tables("steps"):
        marks.append((Fraction(s.number("at", 0.0, 0, 1e10, required=True)), None, Fraction(s.number("to", 50.0, 0, 1e6, above=True, required=True))))
        s.done()
    table.done()
    pieces = [Piece(Fraction(0), Fraction(0), f0)]
    for t, slope, f in sorted(marks, key=lambda m: m[0]):
        last = pieces[-1]
        follower = Piece(t, last.theta(t), last.f + last.slope * (t - last.t0) if f is None else f, last.slope if slope is None else slope)
        pieces[-1:] = [follower] if t == last.t0 else [last, follower]
    return Law(pieces, drifts)


def _read_waves(top: Table, plan: Plan, fastest: float) -> None:
    """The waveforms of every base and how the roles are made of them."""
    turn = -120.0 if top.choice("sequence", ("normal", "reversed"), "normal") == "normal" else 120.0
    channels = top.table("channel")
    voltage, current = top.table("voltage"), top.table("current")
    phases = ("L1",) if plan.wiring == "1P2W" else PHASES
    level = voltage.number("line_amplitude", None, 0, 1e9)
    if level is not None and "amplitude" in voltage:
        voltage.fault("", "has both amplitude and line_amplitude")
    star = _phasors(voltage, 230.0 if level is None else level / math.sqrt(3), turn, phases, None)
    wanted = {f"U_{p}": channels.table(f"U_{p}") for p in phases} | {"U_N": channels.table("U_N")}
    for role, own in wanted.items():
        plan.bases[role] = _wave(own, voltage, star.get(role[-2:], 0j), None, plan, fastest)
    angles = {p: _angle(plan.bases[f"U_{p}"], star[p]) for p in phases}
    mesh = _phasors(current, 5.0, turn, phases, angles)
    carried = ("L1", "L3") if plan.wiring == "3P3W" else phases
    for p in carried:
        plan.bases[f"I_{p}"] = _wave(channels.table(f"I_{p}"), current, mesh[p], angles[p], plan, fastest)
    plan.mix = {role: {role: 1.0} for role in plan.bases if role != "U_N" or plan.wiring == "3P4W"}
    if len(phases) == 3:
        plan.mix |= {f"U_{a}{b[1]}": {f"U_{a}": 1.0, f"U_{b}": -1.0} for a, b in (("L1", "L2"), ("L2", "L3"), ("L3", "L1"))}
    if plan.wiring == "3P3W":
        plan.mix["I_L2"] = {"I_L1": -1.0, "I_L3": -1.0}
    elif "I_N" in channels:
        plan.bases["I_N"] = _wave(channels.table("I_N"), Table({}, "", []), 0j, 0.0, plan, fastest)
        plan.mix["I_N"] = {"I_N": 1.0}
    elif len(phases) == 3:
        plan.mix["I_N"] = {f"I_{p}": 1.0 for p in PHASES}
    for table in (voltage, current):
        for key in (*WAVE_KEYS, "unbalance"):
            table.get(key)
        table.done()
    channels.done()
    plan.roles = tuple(r for r in plan.roles if r in plan.mix) or tuple(plan.mix)[:1]


def _phasors(table: Table, default: float, turn: float, phases: tuple[str, ...], voltages: dict[str, float] | None) -> dict[str, complex]:
    """Fundamental rms phasors of a set; currents stand `lag` behind their own voltage unless an angle is given."""
    amplitude = table.number("amplitude", default, 0, 1e9)
    if voltages is not None and "lag" in table and "angle" in table:
        table.fault("", "has both lag and angle")
    lag = table.number("lag", 0.0) if voltages is not None else 0.0
    angle = table.number("angle", 0.0)
    own = {p: voltages[p] - math.radians(lag) if voltages and "angle" not in table else math.radians(angle + turn * k) for k, p in enumerate(phases)}
    set_ = {p: cmath.rect(amplitude, a) for p, a in own.items()}
    unbalance = table.table("unbalance")
    for name, direction in (("2", -1), ("0", 0)):
        key = ("u" if voltages is None else "i") + name
        part = cmath.rect(amplitude * unbalance.number(key, 0.0, 0, 1000) / 100, math.radians(unbalance.number(f"{key}_angle", 0.0)) + own[phases[0]])
        for k, p in enumerate(phases):
            set_[p] += part * cmath.exp(1j * math.radians(turn * k * direction))
    unbalance.done()
    return set_


def _angle(lines: Lines, otherwise: complex) -> float:
    """Angle of a set of lines' fundamental, rad."""
    c = lines.get((Fraction(1), Fraction(0)), 0)
    return cmath.phase(c or otherwise)


def _wave(own: Table, common: Table, phasor: complex, voltage_angle: float | None, plan: Plan, fastest: float) -> Lines:
    """The lines of one base: what its own table says, else what the common one says."""
    size = own.number("amplitude", abs(phasor), 0, 1e9)
    angle = cmath.phase(phasor)
    if "angle" in own:
        angle = math.radians(own.number("angle", 0.0))
    elif voltage_angle is not None and "lag" in own:
        angle = voltage_angle - math.radians(own.number("lag", 0.0))
    if "angle" in own and "lag" in own:
        own.fault("", "has both lag and angle")
    source = {key: own if key in own else common for key in WAVE_KEYS}
    parts: list[tuple[float, Lines]] = [(1.0, _shape(source, size, angle, plan, fastest))]
    dc = source["dc"].number("dc", 0.0, -1e9, 1e9)
    if dc:
        parts.append((1.0, {(Fraction(0), Fraction(0)): 1j * dc}))
    for kind in ("harmonics", "interharmonics"):
        for table in source[kind].tables(kind):
            parts.append((1.0, _line(table, kind, size, angle, plan.sample_rate, fastest)))
    for key in WAVE_KEYS:
        own.get(key)
    own.done()
    return combined(parts)


def _shape(source: Mapping[str, Table], size: float, angle: float, plan: Plan, fastest: float) -> Lines:
    """The fundamental, or the series of a switched sine."""
    waveform = source["waveform"].choice("waveform", WAVEFORMS, "sine")
    highest = BAND * plan.sample_rate / fastest
    period = source["on"].whole("on", 2, 1, 1000) + source["off"].whole("off", 2, 1, 1000) if waveform == "burst-fired" else 1
    if waveform != "sine" and highest * period > MOST_LINES:
        source["waveform"].fault("waveform", f"{waveform} would take {highest * period:.0f} lines, at most {MOST_LINES}")
        highest = 2.0
    if waveform == "sine":
        series: Lines = {(Fraction(1), Fraction(0)): 1 + 0j}
    elif waveform == "half-wave":
        series = half_wave(highest)
    elif waveform == "phase-fired":
        series = phase_fired(math.radians(source["firing_angle"].number("firing_angle", 90.0, 0, 179)), highest)
    else:
        series = burst_fired(source["on"].whole("on", 2, 1, 1000), source["off"].whole("off", 2, 1, 1000), highest)
    peak = size * math.sqrt(2)
    if source["amplitude_of"].choice("amplitude_of", ("parent", "total"), "parent") == "total":
        peak = size / rms(series)
    return {(q, f): peak * c * cmath.exp(1j * float(q) * angle) for (q, f), c in series.items()} if size else {}


def _line(table: Table, kind: str, size: float, angle: float, sample_rate: float, fastest: float) -> Lines:
    """One harmonic or interharmonic."""
    phase = math.radians(table.number("phase", 0.0))
    order, hertz = Fraction(0), Fraction(0)
    if kind == "harmonics":
        order = Fraction(table.whole("order", 2, 2, 10**6, required=True))
        phase += float(order) * angle
    else:
        if ("order" in table) == ("frequency" in table):
            table.fault("", "needs either frequency or order")
        order = Fraction(table.number("order", 0.0, 0, 1e6, above=True)).limit_denominator(10_000)
        hertz = Fraction(table.number("frequency", 0.0, 0, 1e8, above=True))
        phase += angle
    if float(order) * fastest + float(hertz) >= sample_rate / 2:
        table.fault("order" if order else "frequency", f"lies at {float(order) * fastest + float(hertz):g} Hz, not below half the sample_rate")
    amplitude = table.number("rms", None, 0, 1e9)
    given = [k for k in ("ratio", "percent", "rms") if k in table]
    if len(given) != 1:
        table.fault("", f"has {' and '.join(given) or 'none'} of ratio, percent and rms, not one")
    elif amplitude is None and given != ["rms"]:
        amplitude = size * (table.ratio() or 0.0)
    amplitude = amplitude or 0.0
    table.done()
    return {(order, hertz): cmath.rect(amplitude * math.sqrt(2), phase)}


def _read_converter(top: Table, plan: Plan) -> None:
    """Quantisation, noise and saturation."""
    kinds = (("U", "voltage"), ("I", "current"))
    table = top.table("quantisation")
    widest = {"int16": 16, "int32": 32}.get(plan.dtype, 32)
    plan.bits = table.whole("bits", widest if plan.dtype.startswith("int") else None, 2, widest)
    plan.full_scale = {k: table.number(f"full_scale_{name}", None, 0, 1e12, above=True) for k, name in kinds}
    table.done()
    if plan.bits is None and any(plan.full_scale.values()):
        table.fault("", "has a full scale but no bits")
    table = top.table("noise")
    plan.noise = {k: table.number(name, 0.0, 0, 1e12) for k, name in kinds}
    plan.noise_lsb = table.number("lsb", 0.0, 0, 1e9)
    table.done()
    if plan.noise_lsb and plan.bits is None:
        table.fault("lsb", "is given without quantisation")
    table = top.table("saturation")
    plan.clip = {k: table.number(name, None, 0, 1e12, above=True) for k, name in kinds}
    table.done()
