"""What a measurement of a synthesised recording ought to give."""

from __future__ import annotations

import cmath
import math
from fractions import Fraction
from typing import Any

from .lines import Lines, rms
from .plan import Event, Plan
from .sums import lines_at, mean_product, product_sum, stretches

__all__ = ["truth"]

FUNDAMENTAL = (Fraction(1), Fraction(0))
DC = (Fraction(0), Fraction(0))
PHASES = ("L1", "L2", "L3")
REGISTERS = ("A+", "A-", "R+", "R-", "R1", "R2", "R3", "R4", "E+", "E-")


def truth(plan: Plan) -> dict[str, Any]:
    """The truths of a plan, described in the documentation of `ctmeter.synth`."""
    saturated = {r for r in plan.mix if _saturates(plan, r)}
    values, state = _values(plan, saturated)
    net = _net(plan, saturated)
    return {
        "samples": plan.samples - sum(m.stop - m.first for m in plan.missing if m.cut),
        "duration": plan.samples / plan.sample_rate,
        "wiring": plan.wiring,
        "saturated": sorted(saturated & set(plan.roles)),
        "steady": not (plan.events or plan.jumps or plan.modulations),
        "values": values,
        "spectra": {role: _spectrum(state[role]) for role in plan.mix},
        "energy": _energy(plan, values, net),
        "net": net,
        "events": [_event(plan, e) for e in plan.events],
        "phase_jumps": [
            {"t": (j.first - 0.5) / plan.sample_rate, "angle": 360 * j.angle, "channels": list(j.bases), "sample": j.first} for j in plan.jumps
        ],
        "gaps": [{"first": m.first, "stop": m.stop, "as": "gap" if m.cut else "missing", "channels": list(m.channels)} for m in plan.missing],
    }


def _saturates(plan: Plan, role: str) -> bool:
    """Whether samples of a role, or of those it is to be worked out from, may be clipped."""
    if role not in plan.roles:
        return any(_saturates(plan, base) for base in plan.mix[role] if base in plan.roles)
    limit = plan.clip[role[0]] or math.inf
    lsb = plan.lsb(role)
    if lsb and plan.bits:
        limit = min(limit, lsb * (2 ** (plan.bits - 1) - 1))
    return plan.largest(role) > limit


def _merged(plan: Plan, lines: Lines) -> Lines:
    """Lines that stand on the same frequency put together, where the frequency is constant."""
    if not plan.law.constant:
        return lines
    f0 = plan.law.pieces[0].f
    merged: Lines = {}
    for (q, f), c in lines.items():
        key = (q + f / f0, Fraction(0))
        if not q and f and (key not in lines):
            key = (q, f)
        merged[key] = merged.get(key, 0) + c
    return merged


def _modulation(plan: Plan, one: str, other: str | None = None) -> float | None:
    """The mean of the product of two roles' modulation, of one with itself without the other; None where it has no simple form."""
    sets = [{m for m in plan.modulations if b in m.bases} for r in (one, other or one) for b in plan.mix[r]]
    everything = set().union(*sets)
    if not everything:
        return 1.0
    if len(everything) > 1:
        return None
    (m,) = everything
    first, second = ({m in {x for x in plan.modulations if b in x.bases} for b in plan.mix[r]} for r in (one, other or one))
    if len(first) > 1 or len(second) > 1:
        return None
    mean = 0.0 if m.shape == "sinusoidal" else 2 * m.duty - 1
    square = 0.5 if m.shape == "sinusoidal" else 1.0
    count = sum(first) + sum(second)
    return 1 + count * m.depth / 2 * mean + (m.depth**2 / 4 * square if count == 2 else 0.0)


def _values(plan: Plan, saturated: set[str]) -> tuple[dict[str, float | None], dict[str, Lines]]:
    """Values of the undisturbed state by the names of the tables, and the lines they were made of."""
    state = {role: _merged(plan, plan.lines(role)) for role in plan.mix}
    values: dict[str, float | None] = {"f": plan.law.mean(plan.samples / plan.rate)}
    for role, lines in state.items():
        factor = None if role in saturated else _modulation(plan, role)
        values[role] = None if factor is None else rms(lines) * math.sqrt(factor)
        one = lines.get(FUNDAMENTAL, 0j)
        if role in saturated:
            values |= dict.fromkeys((f"{role[0]}1_{role[2:]}", f"phi_{role}", f"THD_{role}"))
            continue
        values[f"{role[0]}1_{role[2:]}"] = abs(one) / math.sqrt(2)
        reference = state["U_L12" if plan.wiring == "3P3W" else "U_L1"].get(FUNDAMENTAL, 0j)
        values[f"phi_{role}"] = math.degrees(cmath.phase(one / reference)) if one and reference else None
        values[f"THD_{role}"] = 100 * _harmonic(lines) / abs(one) * math.sqrt(2) if one else None
    for phase in () if plan.wiring == "3P3W" else PHASES:
        if f"U_{phase}" in state and f"I_{phase}" in state:
            values |= _power(plan, state, values, phase)
    values |= _totals(plan, state, values)
    if plan.wiring != "1P2W":
        values |= _unbalance(plan, state) | {"Se": _effective(plan, values)}
    return values, state


def _harmonic(lines: Lines) -> float:
    """The rms of orders 2 to 40."""
    return math.sqrt(sum(abs(c) ** 2 / 2 for (q, f), c in lines.items() if not f and q.denominator == 1 and 2 <= q <= 40))


def _power(plan: Plan, state: dict[str, Lines], values: dict[str, float | None], phase: str) -> dict[str, float | None]:
    """Active, fundamental reactive and apparent power and the factors of a phase."""
    u, i = state[f"U_{phase}"], state[f"I_{phase}"]
    s1 = u.get(FUNDAMENTAL, 0j) * i.get(FUNDAMENTAL, 0j).conjugate() / 2
    factor = _modulation(plan, f"U_{phase}", f"I_{phase}")
    u_rms, i_rms = values[f"U_{phase}"], values[f"I_{phase}"]
    known = factor is not None and u_rms is not None and i_rms is not None
    p = _clean(mean_product(u, i), rms(u) * rms(i)) * factor if known and factor is not None else None
    s = u_rms * i_rms if u_rms is not None and i_rms is not None else None
    steady = not any({f"U_{phase}", f"I_{phase}"} & set(m.bases) for m in plan.modulations)
    q = _clean(s1.imag, abs(s1)) if steady and known else None
    return {
        f"P_{phase}": p,
        f"Q_{phase}": q,
        f"S_{phase}": s,
        f"PF_{phase}": p / s if p is not None and s else None,
        f"DPF_{phase}": s1.real / abs(s1) if s1 else None,
        f"P1_{phase}": s1.real,
    }


def _clean(x: float, scale: float) -> float:
    """Zero for what is only rounding."""
    return 0.0 if abs(x) <= 1e-12 * scale else x


def _added(values: dict[str, float | None], name: str) -> float | None:
    parts = [values[k] for k in (f"{name}_{p}" for p in PHASES) if k in values]
    known = [p for p in parts if p is not None]
    return math.fsum(known) if parts and len(known) == len(parts) else None


def _totals(plan: Plan, state: dict[str, Lines], values: dict[str, float | None]) -> dict[str, float | None]:
    """Totals: the phases' sums, for three wires the two-wattmeter method."""
    if plan.wiring != "3P3W":
        p, q, s, p1 = (_added(values, name) for name in ("P", "Q", "S", "P1"))
        q1 = _added({f"Q_{x}": _q1(state, x) for x in PHASES if f"U_{x}" in state and f"I_{x}" in state}, "Q")
    else:
        pairs = [(state["U_L12"], state["I_L1"], 1), (state["U_L23"], state["I_L3"], -1)]
        steady = not plan.modulations and all(values[r] is not None for r in ("U_L12", "U_L23", "I_L1", "I_L3"))
        s1 = sum(sign * u.get(FUNDAMENTAL, 0j) * i.get(FUNDAMENTAL, 0j).conjugate() / 2 for u, i, sign in pairs)
        scale = sum(rms(u) * rms(i) for u, i, _ in pairs)
        p1, q1, s = s1.real, s1.imag, None
        p = _clean(sum(sign * mean_product(u, i) for u, i, sign in pairs), scale) if steady else None
        q = _clean(q1, scale) if steady else None
    size = math.hypot(p1, q1) if p1 is not None and q1 is not None else 0.0
    return {"P": p, "Q": q, "S": s, "PF": p / s if p is not None and s else None, "DPF": p1 / size if size and p1 is not None else None}


def _effective(plan: Plan, values: dict[str, float | None]) -> float | None:
    """The effective apparent power of IEEE 1459."""
    four = plan.wiring == "3P4W"
    wanted = ["U_L12", "U_L23", "U_L31", "I_L1", "I_L2", "I_L3", *(("U_L1", "U_L2", "U_L3", "I_N") if four else ())]
    square = {r: x * x for r in wanted if (x := values[r]) is not None}
    if len(square) < len(wanted):
        return None
    line = square["U_L12"] + square["U_L23"] + square["U_L31"]
    star = square["U_L1"] + square["U_L2"] + square["U_L3"] if four else 0.0
    u = (3 * star + line) / 18 if four else line / 9
    i = (square["I_L1"] + square["I_L2"] + square["I_L3"] + (square["I_N"] if four else 0.0)) / 3
    return 3 * math.sqrt(u * i)


def _q1(state: dict[str, Lines], phase: str) -> float:
    return (state[f"U_{phase}"].get(FUNDAMENTAL, 0j) * state[f"I_{phase}"].get(FUNDAMENTAL, 0j).conjugate()).imag / 2


def _unbalance(plan: Plan, state: dict[str, Lines]) -> dict[str, float | None]:
    """Negative- and zero-sequence ratios, %; of line voltages where there are no others."""
    a = cmath.exp(2j * math.pi / 3)
    out: dict[str, float | None] = {}
    three = plan.wiring == "3P3W"
    for name, roles in (("u", ("U_L12", "U_L23", "U_L31") if three else ("U_L1", "U_L2", "U_L3")), ("i", ("I_L1", "I_L2", "I_L3"))):
        x, y, z = (state[r].get(FUNDAMENTAL, 0j) for r in roles)
        positive = abs(x + a * y + a * a * z)
        known = positive > 1e-9 * (abs(x) + abs(y) + abs(z))
        out[name + "2"] = 100 * abs(x + a * a * y + a * z) / positive if known else None
        out[name + "0"] = 100 * abs(x + y + z) / positive if known and not three else None
    return out


def _spectrum(lines: Lines) -> dict[str, Any]:
    """The lines of a role as rms and angle, degrees, at t = 0 of a sine."""

    def line(c: complex) -> dict[str, float]:
        return {"rms": abs(c) / math.sqrt(2), "angle": math.degrees(cmath.phase(c))}

    return {
        "dc": lines.get(DC, 0j).imag,
        "harmonics": {int(q): line(c) for (q, f), c in sorted(lines.items()) if q and not f and q.denominator == 1},
        "interharmonics": [{"order": float(q), "frequency": float(f), **line(c)} for (q, f), c in sorted(lines.items()) if f or q.denominator > 1],
    }


def _pairs(plan: Plan) -> dict[str, list[tuple[str, str, int]]]:
    """Which products make the active energy of each phase and of all."""
    if plan.wiring == "3P3W":
        return {"": [("U_L12", "I_L1", 1), ("U_L23", "I_L3", -1)]}
    own = {f"_{p}": [(f"U_{p}", f"I_{p}", 1)] for p in PHASES if f"U_{p}" in plan.mix and f"I_{p}" in plan.mix}
    return own | {"": [pair for pairs in own.values() for pair in pairs]}


def _net(plan: Plan, saturated: set[str]) -> dict[str, float | None]:
    """Import less export, Wh: the exact sum over the samples."""
    out: dict[str, float | None] = {}
    for name, pairs in _pairs(plan).items():
        parts = [None if {u, i} & saturated else product_sum(plan, u, i) for u, i, _ in pairs]
        known = [sign * x for x, (_, _, sign) in zip(parts, pairs, strict=True) if x is not None]
        out[name.removeprefix("_") or "total"] = math.fsum(known) / plan.sample_rate / 3600 if len(known) == len(pairs) else None
    return out


def _energy(plan: Plan, values: dict[str, float | None], net: dict[str, float | None]) -> dict[str, float | None]:
    """The energy registers where they have a closed form, Wh, varh and VAh; None elsewhere."""
    out: dict[str, float | None] = {r + s: None for s in ("", "_L1", "_L2", "_L3") for r in REGISTERS}
    hours = (plan.samples - sum(m.stop - m.first for m in plan.missing)) / plan.sample_rate / 3600
    steady = not (plan.events or plan.jumps or any(not m.cut and set(m.channels) != set(plan.roles) for m in plan.missing))
    for name, pairs in _pairs(plan).items():
        total = net[name.removeprefix("_") or "total"]
        direction = _direction(plan, pairs)
        if total is not None and direction is not None:
            out["A+" + name], out["A-" + name] = (total, 0.0) if direction > 0 else (0.0, -total)
        q, s = values.get("Q" + name), values.get("S" + name)
        if not steady or direction is None:
            continue
        if q is not None:
            quadrant = (1 if q >= 0 else 4) if direction > 0 else (2 if q >= 0 else 3)
            for k in range(1, 5):
                out[f"R{k}{name}"] = abs(q) * hours if k == quadrant else 0.0
            out["R+" + name], out["R-" + name] = (q * hours, 0.0) if q >= 0 else (0.0, -q * hours)
        if s is not None and not plan.modulations:
            out["E+" + name], out["E-" + name] = (s * hours, 0.0) if direction > 0 else (0.0, s * hours)
    return out


def _direction(plan: Plan, pairs: list[tuple[str, str, int]]) -> int | None:
    """1 for import, -1 for export, None where it changes on the way."""
    samples = sorted({0, *(j.first for j in plan.jumps), *(e.first for e in plan.events), *(e.stop for e in plan.events)})
    if stretches(plan) is None:
        return None
    powers = [
        _clean(
            sum(sign * mean_product(lines_at(plan, u, n), lines_at(plan, i, n)) for u, i, sign in pairs),
            sum(rms(plan.lines(u)) * rms(plan.lines(i)) for u, i, _ in pairs),
        )
        for n in samples
        if n < plan.samples
    ]
    return 1 if min(powers) >= 0 else -1 if max(powers) <= 0 else None


def _event(plan: Plan, e: Event) -> dict[str, Any]:
    """An event: edges midway between the samples it separates, and the rms of the voltages meanwhile, V."""
    start, stop = (e.first - 0.5) / plan.sample_rate, (e.stop - 0.5) / plan.sample_rate
    return {
        "type": e.type,
        "phases": list(e.phases),
        "channels": list(e.channels),
        "t": start,
        "t_ns": None if plan.start_ns is None else plan.start_ns + round(start * 1e9),
        "duration": None if e.stop == plan.samples else stop - start,
        "residual": e.residual,
        "rms": {r: rms(_merged(plan, lines_at(plan, r, e.first))) for r in plan.roles if r[0] == "U"},
        "first": e.first,
        "stop": e.stop,
        "requested": list(e.requested),
    }
