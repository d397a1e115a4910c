"""The nominal point of a bench recording: what its row and the reference standard say, never what the meter under test measured.

References
----------
EN 50470-3:2006
IEC 62053-23:2003
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .limit_rows import Limit
from .points import DEFAULT_TEMPERATURE, Point, angle_of
from .rating import CLOSE, Rating
from .recorded import Measured
from .reference import PHASES, Statement, direction_of, phases_of

__all__ = ["KELVIN", "Nominal", "limit_at", "nominal", "point_of"]

#: How near to reference conditions is at them: voltage and frequency as shares, temperature in K.
_U_NEAR, _F_NEAR, KELVIN = 0.01, 0.003, 2.0
#: Named factors, and how near to one a factor is that one, rad; further than this, rad, two statements contradict each other.
_FACTORS = {"active": ("1", "0.5 ind", "0.8 cap", "0.25 ind", "0.5 cap"), "reactive": ("1", "0.5 ind", "0.5 cap", "0.25 ind", "0.25 cap")}
_NEAR, _CONTRARY = 0.03, 0.1
#: A voltage or frequency that nothing states is the reference one, unless the recording is further from it than this share.
_ASSUMED = {"U": 0.03, "f": _F_NEAR}
#: The apparent power of a row may differ from that of its current and voltage by this share.
_ROUGH = 0.2
#: A current that the reference measured is that of a point of the test within this share.
_SET = 0.01
#: Phases under balanced load differ by less than this share.
_EVEN = 0.9
#: Below this factor no error is formed.
_NOTHING = 0.05
#: Tests whose currents or voltages are no sines: phase angles and apparent powers say nothing there.
_DISTORTED = ("harmonic", "odd-harmonics", "sub-harmonics", "dc")
#: Limit of a test; of voltages outside 0.9 to 1.1 of the reference one there is one of its own, to these shares.
_WIDE = (0.8, 1.15)
_NAMES = {"active": "PF", "reactive": "sin φ"}


@dataclass(frozen=True)
class Nominal:
    """What holds for both energies of a recording.

    Parameters
    ----------
    test : str
    I : float or None
        A; None where neither row nor reference says it.
    U, f, temperature : float
    load : str
    angles : mapping of energy to rad or None
        By how much the current lags, None where neither row nor reference says it.
    least : float
        A; no current below it can have the power of the reference.
    several : tuple of str
        What is away from reference conditions, where that is more than one thing.
    uneven : bool
        Whether the phases carry different loads by the reference.
    """

    test: str
    I: float | None
    U: float
    f: float
    temperature: float
    load: str
    missing: tuple[str, ...]
    angles: dict[str, float | None]
    least: float
    several: tuple[str, ...]
    uneven: bool


def nominal(m: Measured, rating: Rating, faults: list[str]) -> Nominal:
    """The nominal values of a recording; what contradicts each other goes to `faults`."""
    s = m.statement
    missing = s.missing
    u_stated = s.values.get("U") or _mean(phases_of(s, [f"U_{p}" for p in PHASES if p not in missing]))
    U = _nearby(u_stated or rating.u_n, rating.u_n, _U_NEAR)
    f = _nearby(s.values.get("f", rating.f_n), rating.f_n, _F_NEAR)
    temperature = s.values.get("temperature", DEFAULT_TEMPERATURE)
    temperature = DEFAULT_TEMPERATURE if abs(temperature - DEFAULT_TEMPERATURE) <= KELVIN else temperature
    _compare(m, rating, missing, u_stated, faults)
    conditions = {"voltage": rating.u_n != U, "frequency": rating.f_n != f, "temperature": temperature != DEFAULT_TEMPERATURE}
    away = [name for name, is_away in {**conditions, "unbalance": bool(missing)}.items() if is_away]
    test = _test(s, away, faults)
    load = _load(m, faults)
    angles = _angles(m, test, U, load, faults)
    current = _current(m, rating, test, U, load, angles, faults)
    several = tuple(dict.fromkeys([*away, test])) if len(away) > 1 or (away and test not in away) else ()
    least = math.hypot(*(m.true_power(e) or 0.0 for e in ("active", "reactive"))) / (_elements(m, load) * U)
    return Nominal(test, current, U, f, temperature, load, missing, angles, least, several, load == "balanced" and _uneven(s))


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _nearby(value: float, reference: float, tolerance: float) -> float:
    """The reference value where it is met within the tolerance of reference conditions, else the nearest percent of it where that is near."""
    share = value / reference
    if abs(share - 1) <= tolerance + CLOSE:
        return reference
    percent = round(share, 2)
    return float(f"{(percent if abs(share - percent) <= 0.002 else share) * reference:.12g}")


def _compare(m: Measured, rating: Rating, missing: tuple[str, ...], u_stated: float | None, faults: list[str]) -> None:
    """Whether what is stated, and what nobody states and is the reference value, can be so, and whether energy flows the way that is stated."""
    name, s = m.statement.name, m.statement
    found = m.voltage(missing)
    if u_stated is None and found is not None and abs(found / rating.u_n - 1) > _ASSUMED["U"]:
        faults.append(
            f"{name}: it has {found:.4g} V and the row states no voltage "
            f"(expected a column U, or another reference voltage, --un, than {rating.u_n:g} V)"
        )
    if "f" not in s.values and math.isfinite(m.f) and abs(m.f / rating.f_n - 1) > _ASSUMED["f"]:
        faults.append(
            f"{name}: it has {m.f:.5g} Hz and the row states no frequency "
            f"(expected a column f, or another reference frequency, --fn, than {rating.f_n:g} Hz)"
        )
    faults += _contrary(m, missing, u_stated, found)
    for energy, unit in (("active", "W"), ("reactive", "var")):
        found_reference = m.reference(energy)
        if found_reference is None:
            continue
        true, window = found_reference
        total = window.power[""]
        value = total.real if energy == "active" else total.imag
        apparent = abs(total)
        if true * value < 0 and min(abs(true), abs(value)) > 0.2 * apparent:
            faults.append(
                f"{name}: by the reference {true:+.6g} {unit}, by the recording {value:+.6g} {unit}: "
                "direction, polarity or phase order contradict each other"
            )


def _contrary(m: Measured, missing: tuple[str, ...], u_stated: float | None, found: float | None) -> list[str]:
    """Conditions that are stated, and that the recording does not have: it is that of another row."""
    s, faults = m.statement, []
    # a meter that measures a voltage wrong has that error in its energy too
    errors = [abs(e) / 100 for energy in ("active", "reactive") if (e := m.error(energy)) is not None and math.isfinite(e)]
    if u_stated is not None and found is not None and abs(found / u_stated - 1) > _ASSUMED["U"] + max(errors, default=0.0):
        faults.append(f"{s.name}: its row states {u_stated:g} V, the recording has {found:.4g} V")
    if "f" in s.values and math.isfinite(m.f) and abs(m.f / s.values["f"] - 1) > _ASSUMED["f"]:
        faults.append(f"{s.name}: its row states {s.values['f']:g} Hz, the recording has {m.f:.5g} Hz")
    for p in missing:
        if found is not None and m.rms.get(f"U_{p}", 0.0) > 0.5 * found:
            faults.append(f"{s.name}: its row states no voltage in {p}, the recording has {m.rms[f'U_{p}']:.4g} V there")
    return faults


def _test(s: Statement, away: list[str], faults: list[str]) -> str:
    stated = s.text["test"]
    by_itself = away[0] if away else "load"
    if stated in ("load", "voltage", "frequency", "temperature", "unbalance") and stated not in (away or ["load"]):
        faults.append(f"{s.name}: test {stated}, but its conditions are those of {', '.join(away) or 'a load point'}")
    return stated or by_itself


def _load(m: Measured, faults: list[str]) -> str:
    """Stated, else by the phases of the reference; a recording with current in one phase alone needs one of both."""
    s = m.statement
    if s.text["load"]:
        return s.text["load"]
    for kind in ("power_W", "energy_Wh", "power_var", "energy_varh", "I"):
        given = {p: abs(v) for p in PHASES if (v := s.values.get(f"{kind}_{p}")) is not None}
        if len(given) == len(PHASES):
            loaded = [p for p, v in given.items() if v > 0.05 * max(given.values())]
            return loaded[0] if len(loaded) == 1 else "balanced"
    if len(m.carrying) == 1 and any(f"I_{p}" in m.rms for p in PHASES[1:]):
        faults.append(f"{s.name}: current flows in {m.carrying[0]} alone, and the row does not say so (expected a column load)")
    return "balanced"


def _uneven(s: Statement) -> bool:
    """Whether what the reference says of the phases differs by more than a tenth."""
    for kind in ("power_W", "energy_Wh", "I"):
        given = [abs(s.values[c]) for p in PHASES if (c := f"{kind}_{p}") in s.values and p not in s.missing]
        if len(given) > 1 and min(given) < _EVEN * max(given):
            return True
    return False


def _lag(s: Statement, energy: str, total: float | None, other: float | None) -> float | None:
    """By how much the current lags, as a stated factor and direction have it; None where they do not determine it."""
    factor = s.text["factor" if energy == "active" else "factor_reactive"]
    if not factor:
        return None
    lag = angle_of(factor, energy)
    direction = direction_of(s, energy, total)
    if not direction and other:
        # the letters and the direction of the other energy leave one quadrant
        value = math.sin(lag) if energy == "active" else math.cos(lag)
        direction = "export" if value * other < 0 and abs(value) > 0.01 else "import"
    return _turned(lag + (math.pi if direction == "export" else 0.0))


def _turned(angle: float) -> float:
    """The same angle from -pi to pi."""
    return math.remainder(angle, 2 * math.pi)


def _angles(m: Measured, test: str, voltage: float, load: str, faults: list[str]) -> dict[str, float | None]:
    """The lag of the current for each energy: as its factor states it, else by the powers of the reference, else by the other factor."""
    s = m.statement
    p, q = m.true_power("active"), m.true_power("reactive")
    stated = {"factor": _lag(s, "active", p, q), "factor_reactive": _lag(s, "reactive", q, p)}
    by_power = math.atan2(q, p) if p is not None and q is not None and (p or q) and test not in _DISTORTED else None
    known = {k: v for k, v in {**stated, "power": by_power}.items() if v is not None}
    names = list(known)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if abs(_turned(known[a] - known[b])) > _CONTRARY and test not in _DISTORTED:
                words = " and ".join(f"{n} {s.text[n]!r}" if n in s.text else f"{p:+.6g} W, {q:+.6g} var" for n in (a, b))
                faults.append(f"{s.name}: {words} contradict each other ({math.degrees(known[a]):.1f}° and {math.degrees(known[b]):.1f}°)")
    if not known and p and (current := _stated_current(s, load)) is not None and not m.statement.missing:
        # the power of voltage and current as a whole leaves no room for a phase angle
        share = abs(p) / (_elements(m, load) * voltage * current)
        if abs(share - 1) <= _SET:
            return {"active": 0.0 if p > 0 else math.pi, "reactive": None}
    active = next((known[k] for k in ("factor", "power", "factor_reactive") if k in known), None)
    reactive = next((known[k] for k in ("factor_reactive", "power", "factor") if k in known), None)
    return {"active": active, "reactive": reactive}


def _elements(m: Measured, load: str) -> int:
    """Phases that carry power; two voltages and currents of three wires stand for three."""
    if load != "balanced" or not any(f"I_{p}" in m.rms for p in PHASES[1:]):
        return 1
    return len(PHASES) - len(m.statement.missing)


def _stated_current(s: Statement, load: str) -> float | None:
    return s.values.get("I") or _mean(phases_of(s, [f"I_{p}" for p in (PHASES if load == "balanced" else (load,))]))


def _current(m: Measured, rating: Rating, test: str, voltage: float, load: str, angles: dict[str, float | None], faults: list[str]) -> float | None:
    """The nominal current: the row's, else what the reference measured, else what its power and the factor make of it."""
    s = m.statement
    current = _stated_current(s, load)
    p, q, lag = m.true_power("active"), m.true_power("reactive"), angles["active"]
    apparent = None
    if test not in _DISTORTED:
        if p is not None and q is not None:
            apparent = math.hypot(p, q)
        elif p and lag is not None and abs(math.cos(lag)) > 0.2:
            apparent = abs(p / math.cos(lag))
        elif q and (lag := angles["reactive"]) is not None and abs(math.sin(lag)) > 0.2:
            apparent = abs(q / math.sin(lag))
    implied = None if not apparent else apparent / (_elements(m, load) * voltage)
    if current is None:
        return None if implied is None else _set(implied, rating)
    if implied is not None and abs(implied / current - 1) > _ROUGH:
        faults.append(f"{s.name}: {current:g} A is stated, its reference and power factor stand for {implied:.4g} A at {voltage:g} V")
    return s.values["I"] if "I" in s.values else _set(current, rating)


def _set(current: float, rating: Rating) -> float:
    """The current of the test that a measured one is, else itself in three digits."""
    curve = rating.limits.curve
    names = {*curve[rating.connection], *curve["single"], *curve["composite"], "0.5 Imax", "Imax/sqrt2", "2 Itr"}
    near = [a for a in (rating.amperes(n) for n in names) if abs(current / a - 1) <= _SET]
    return min(near, key=lambda a: abs(current / a - 1)) if near else float(f"{current:.3g}")


def _named(lag: float, energy: str) -> tuple[str, str]:
    """Factor and direction of an energy at an angle; a factor near a named one is that one."""
    value, other = (math.cos(lag), math.sin(lag)) if energy == "active" else (math.sin(lag), math.cos(lag))
    direction = "import" if value >= 0 else "export"
    turned = lag - (0.0 if value >= 0 else math.pi)
    for factor in _FACTORS[energy]:
        if abs(_turned(turned - angle_of(factor, energy))) <= _NEAR:
            return factor, direction
    return f"{abs(value):.3g} {'ind' if value * other >= 0 else 'cap'}", direction


def point_of(m: Measured, n: Nominal, energy: str, rating: Rating) -> tuple[Point | None, str]:
    """The point of an energy, with its limit, and why it is not judged; no point where no error can be formed."""
    s, lag = m.statement, n.angles[energy]
    name = _NAMES[energy]
    share = None if lag is None else abs(math.cos(lag) if energy == "active" else math.sin(lag))
    if not m.true_power(energy) or (share is not None and share < _NOTHING):
        why = _too_small(rating, energy, share) if share is not None else "its reference is zero"
        return None, why
    factor, direction = _named(lag, energy) if lag is not None else ("", "import" if (m.true_power(energy) or 0) > 0 else "export")
    stated = s.text["factor" if energy == "active" else "factor_reactive"]
    if stated:
        factor, direction = stated, direction_of(s, energy, m.true_power(energy))
    unknown = [w for w, is_ in (("current", n.I is None), ("factor", lag is None)) if is_]
    point = Point(
        test=n.test,
        I=math.nan if n.I is None else n.I,
        U=n.U,
        f=n.f,
        factor=factor,
        load=n.load,
        direction=direction,
        energy=energy,
        temperature=n.temperature,
        missing=n.missing,
        extra=s.text["point"] or (f"{s.recording.stem}-line{s.line}" if unknown else ""),
    )
    if unknown:
        columns = {"current": "I", "factor": "factor" if energy == "active" else "factor_reactive"}
        return point, f"neither row nor reference says its {' and '.join(unknown)} (column {', '.join(columns[w] for w in unknown)})"
    if n.uneven:
        return replace(point, test="uneven"), "its phases are loaded differently: neither balanced load nor that of one phase"
    if n.several:
        return replace(point, test="+".join(n.several)), f"away from reference conditions in {' and '.join(n.several)} at once"
    quantity = quantity_of(n, rating)
    if quantity is None:
        return point, f"{n.U:g} V is outside {_WIDE[0]:g} to {_WIDE[1]:g} of the reference voltage"
    found = limit_at(rating, quantity, point)
    if found is None:
        return point, _why(rating, quantity, point, name)
    scale = abs(n.temperature - DEFAULT_TEMPERATURE) if quantity == "temperature" else 1.0
    return replace(point, limit=scale * found.percent, standard=found.standard, tag=found.tag), ""


def quantity_of(n: Nominal, rating: Rating) -> str | None:
    """What the limit tables call the test; None where they have nothing for its voltage."""
    if n.test in ("load", "repeatability"):
        return "error"
    share = n.U / rating.u_n
    if n.test != "voltage" or abs(share - 1) <= 0.1 + _U_NEAR:
        return n.test
    return "voltage-wide" if _WIDE[0] - _U_NEAR <= share <= _WIDE[1] + _U_NEAR else None


def limit_at(rating: Rating, quantity: str, point: Point) -> Limit | None:
    """The limit at a point; between two named factors that of the smaller one."""
    load = "balanced" if point.load == "balanced" else "single"
    named = rating.named(quantity, point.factor, load, energy=point.energy)
    found = rating.limit(quantity, point.I, named, load, energy=point.energy) if named else None
    if found is None or named == point.factor:
        return found
    return Limit(found.percent, found.standard, f"C, as {named}: {found.tag}")


def _split(factor: str) -> tuple[float, str]:
    number, _, kind = factor.partition(" ")
    return float(number), kind


def _too_small(rating: Rating, energy: str, share: float) -> str:
    least = min((_split(f)[0] for row in rating.rows("error", energy) for f in row.factors), default=None)
    named = "" if least is None else f", the smallest that class {rating.class_of(energy)} has a limit for is {least:g}"
    return f"its {_NAMES[energy]} is {share:.2g}{named}"


def _why(rating: Rating, quantity: str, point: Point, name: str) -> str:
    """Why there is no limit at a point."""
    kind = rating.class_of(point.energy)
    if not kind:
        return f"no class of {point.energy} energy"
    load = "balanced" if point.load == "balanced" else "single"
    rows = [r for r in rating.rows(quantity, point.energy) if r.load == load]
    what = "error" if quantity == "error" else f"change by {quantity}"
    if not rows:
        return f"class {kind} has no limit of {what} under {'single-phase' if load == 'single' else 'balanced'} load"
    number, letters = _split(point.factor)
    least = min((_split(f)[0] for r in rows for f in r.factors if _split(f)[1] in ("", letters)), default=0.0)
    if number < least - CLOSE:
        smallest = f"{least:g} {letters}" if least < 1 else "1"
        return f"its {name} of {point.factor} is below {smallest}, the smallest that class {kind} has a limit of {what} for"
    low, high = min(rating.amperes(r.low) for r in rows), max(rating.amperes(r.high) for r in rows)
    range_ = f"{low:g} to {high:g} A, where it begins depends on the factor" if low < high else f"{low:g} A alone"
    return f"class {kind} has no limit of {what} at {point.I:g} A, {name} {point.factor}; it has one for {range_}"
