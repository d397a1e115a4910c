"""What happens to the waveforms on the way: modulation, dips, jumps and gaps."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from ..recording import CURRENTS, ROLES, VOLTAGES
from .plan import Event, Jump, Missing, Modulation, Plan
from .table import Table

__all__ = ["read_changes"]


def read_changes(top: Table, plan: Plan) -> None:
    """Modulations, events, phase jumps and gaps of a specification."""
    plan.modulations = [m for m in (_modulation(t, plan) for t in top.tables("modulation")) if m]
    plan.events = sorted((e for e in (_event(t, plan) for t in top.tables("event")) if e), key=lambda e: e.first)
    plan.jumps = sorted((j for j in (_jump(t, plan) for t in top.tables("phase_jump")) if j), key=lambda j: j.first)
    plan.missing = sorted((g for g in (_missing(t, plan) for t in top.tables("gap")) if g), key=lambda g: g.first)
    for before, after in itertools.pairwise(plan.missing):
        if after.first < before.stop:
            top.fault("gap", f"overlaps another at {after.first / plan.sample_rate:g} s")
    if sum(m.stop - m.first for m in plan.missing if m.cut) >= plan.samples:
        top.fault("gap", "leaves no sample")


def _targets(table: Table, plan: Plan, default: tuple[str, ...], among: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Phases, and the channels meant: `channels`, else the voltages of `phases`, else the default."""
    phases = table.words("phases", ("L1", "L2", "L3"), None)
    channels = table.words("channels", among, None)
    if phases and channels:
        table.fault("", "has both phases and channels")
    chosen = channels or (tuple(f"U_{p}" for p in phases) if phases else default)
    absent = [c for c in chosen if c not in plan.mix]
    if absent:
        table.fault("channels" if channels else "phases", f"has {', '.join(absent)}, which {plan.wiring} has not")
        chosen = tuple(c for c in chosen if c in plan.mix)
    return tuple(dict.fromkeys(c[2:] for c in chosen)), chosen


def _voltages(plan: Plan) -> tuple[str, ...]:
    return tuple(b for b in VOLTAGES[:3] if b in plan.bases)


def _modulation(table: Table, plan: Plan) -> Modulation | None:
    _, bases = _targets(table, plan, _voltages(plan), tuple(b for b in (*VOLTAGES, *CURRENTS) if b in plan.bases))
    shape = table.choice("shape", ("sinusoidal", "rectangular"), "rectangular")
    rate = table.number("frequency", None, 0, plan.sample_rate / 2, above=True, required=True)
    depth = table.ratio(high=2.0)
    phase = table.number("phase", 0.0) / 360
    duty = table.number("duty", 0.5, 0, 1, above=True)
    if shape == "sinusoidal" and "duty" in table:
        table.fault("duty", "has no meaning for a sinusoidal modulation")
    table.done()
    return None if rate is None or depth is None else Modulation(shape, Fraction(rate), depth, phase, duty, bases)


def _first_sample(t: float, plan: Plan) -> int:
    """The first sample at or after an instant; a billionth of a sample is forgiven."""
    return math.ceil(Fraction(t) * plan.rate - Fraction(1, 10**9))


def _event(table: Table, plan: Plan) -> Event | None:
    phases, channels = _targets(table, plan, _voltages(plan), ROLES)
    kind = table.choice("type", ("dip", "swell", "interruption"))
    residual = table.number("residual", 0.0 if kind == "interruption" else None, 0, 100)
    if residual is None:
        if table.get("residual") is None:
            table.fault("residual", "is missing")
        residual = 1.0
    elif (kind == "dip" and residual >= 1) or (kind == "swell" and residual <= 1) or (kind == "interruption" and residual >= 1):
        table.fault("residual", f"is {residual:g}, which makes no {kind}")
    kind = kind or ("change" if residual == 1 else "swell" if residual > 1 else "dip")
    start = table.number("start", 0.0, 0, 1e10, required=True)
    wave_point = table.number("point_on_wave", None, -360, 360)
    duration = table.number("duration", None, 0, 1e10, above=True)
    count = table.number("cycles", None, 0, 1e10, above=True)
    if duration is not None and count is not None:
        table.fault("", "has both duration and cycles")
    table.done()
    if table.faults:
        return None
    if wave_point is not None:
        start = _on_wave(plan, channels[0], wave_point, start)
    end = plan.samples / plan.sample_rate
    if duration is not None:
        end = start + duration
    elif count is not None:
        exact, drift = plan.law.theta(Fraction(start))
        end = plan.law.reaching(float(exact) + drift + count, start + count / plan.law.frequency(Fraction(start)))
    first, stop = _first_sample(start, plan), min(_first_sample(end, plan), plan.samples)
    if first >= plan.samples:
        table.fault("start", f"is {start:g}, after the end")
    return Event(kind, phases, channels, first, stop, residual, (start, end)) if stop > first else None


def _on_wave(plan: Plan, channel: str, degrees: float, start: float) -> float:
    """The first instant from `start` on at which a channel's fundamental stands at an angle."""
    c = plan.lines(channel).get((Fraction(1), Fraction(0)), 1 + 0j)
    offset = (degrees / 360 - math.atan2(c.imag, c.real) / (2 * math.pi)) % 1
    exact, drift = plan.law.theta(Fraction(start))
    now = float(exact) + drift
    wanted = math.ceil(now - offset - 1e-9) + offset
    return plan.law.reaching(wanted, start + (wanted - now) / plan.law.frequency(Fraction(start)))


def _jump(table: Table, plan: Plan) -> Jump | None:
    _, bases = _targets(table, plan, _voltages(plan), tuple(b for b in (*VOLTAGES, *CURRENTS) if b in plan.bases))
    at = table.number("at", None, 0, 1e10, required=True)
    angle = table.number("angle", None, -360, 360, required=True)
    table.done()
    return None if at is None or angle is None else Jump(_first_sample(at, plan), angle / 360, bases, at)


def _missing(table: Table, plan: Plan) -> Missing | None:
    at = table.number("at", None, 0, 1e10, required=True)
    duration = table.number("duration", None, 0, 1e10, above=True, required=True)
    cut = table.choice("as", ("gap", "missing"), "gap") == "gap"
    channels = table.words("channels", plan.roles, plan.roles)
    if cut and "channels" in table:
        table.fault("channels", 'needs as = "missing"')
    table.done()
    if at is None or duration is None:
        return None
    first, stop = _first_sample(at, plan), min(_first_sample(at + duration, plan), plan.samples)
    if first >= stop:
        table.fault("", "takes no sample")
        return None
    return Missing(first, stop, cut, channels)
