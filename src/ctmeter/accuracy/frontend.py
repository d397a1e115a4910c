"""A meter's front end: what transformers, dividers, converters and clocks make of the waveform before it is measured.

Everything linear acts on the lines of the synthesised waveform, so it is exact; offset, noise and the converter act
on its samples. A file in TOML describes a front end; `docs/accuracy-verification.md` has every key.
"""

from __future__ import annotations

import cmath
import itertools
import math
import os
import tomllib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from ..synth.lines import Lines
from ..synth.plan import Plan
from .points import DEFAULT_TEMPERATURE
from .rating import Rating

__all__ = ["FrontEnd", "Input", "presets"]

_PRESETS = Path(__file__).parent / "presets"
_PHASES = ("L1", "L2", "L3")
MINUTE = math.radians(1 / 60)


def presets() -> tuple[str, ...]:
    """Names of the front ends that come with ctmeter."""
    return tuple(sorted(p.stem for p in _PRESETS.glob("*.toml")))


@dataclass(frozen=True, kw_only=True)
class Input:
    """One measuring input.

    Parameters
    ----------
    gain : float
        %, error of ratio or gain.
    phase : float
        Minutes of arc by which the signal leads, the same at every frequency.
    skew : float
        us by which it is sampled too late.
    offset : float
        V or A.
    linearity : float
        % of gain for a signal of twice the reference value; proportional between.
    temperature : float
        %/K.
    phase_temperature : float
        Minutes of arc per K.
    curve : tuple of (percent of In, %, minutes of arc)
        Ratio and phase error of a current transformer; straight lines over the logarithm of the current.
    """

    gain: float = 0.0
    phase: float = 0.0
    skew: float = 0.0
    offset: float = 0.0
    linearity: float = 0.0
    temperature: float = 0.0
    phase_temperature: float = 0.0
    curve: tuple[tuple[float, float, float], ...] = ()

    def response(self, share: float, kelvin: float) -> complex:
        """Factor of a signal of `share` times the reference value, `kelvin` above the reference temperature."""
        ratio, minutes = along(self.curve, 100 * share)
        gain = (1 + self.gain / 100) * (1 + ratio / 100) * (1 + self.linearity / 100 * (share - 1)) * (1 + self.temperature / 100 * kelvin)
        return cmath.rect(gain, (self.phase + minutes + self.phase_temperature * kelvin) * MINUTE)


#: An input without errors of its own.
_PLAIN = Input()


def along(curve: Sequence[Sequence[float]], x: float) -> tuple[float, float]:
    """Ratio and phase error of a curve at x: straight over log x, level beyond its ends; 0 without a curve."""
    if not curve:
        return 0.0, 0.0
    if x <= curve[0][0]:
        return curve[0][1], curve[0][2]
    for low, high in itertools.pairwise(curve):
        if x <= high[0]:
            s = math.log(x / low[0]) / math.log(high[0] / low[0])
            return low[1] + s * (high[1] - low[1]), low[2] + s * (high[2] - low[2])
    return curve[-1][1], curve[-1][2]


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """A front end, and what of the meter behind it matters here.

    Parameters
    ----------
    name, title : str
    inputs : mapping of role to Input
        U_L1 to I_L3.
    bits : int or None
        Of the converter; None for none.
    range_u, range_i : float
        Its largest value, in peaks of Un and of Imax.
    noise_u, noise_i : float
        Rms of the noise of a sample, millionths of the range.
    reference_ppm, reference_temperature : float
        By how much the error of its reference voltage makes every value too large, ppm, and ppm/K.
    clock_ppm, clock_temperature : float
        By how much its clock is fast, ppm, and ppm/K.
    constant : float
        imp/kWh of the output tested, as it is.
    marked : float or None
        imp/kWh on the nameplate; None for the same.
    p_start, p_creep : float
        W at which registers start, and below which they stop.
    t_ref : float
        Temperature without errors of temperature, degrees C.
    sample_rate : float
        Hz.
    """

    name: str = "ideal"
    title: str = ""
    inputs: Mapping[str, Input] = field(default_factory=dict)
    bits: int | None = None
    range_u: float = 1.5
    range_i: float = 1.5
    noise_u: float = 0.0
    noise_i: float = 0.0
    reference_ppm: float = 0.0
    reference_temperature: float = 0.0
    clock_ppm: float = 0.0
    clock_temperature: float = 0.0
    constant: float = 5000.0
    marked: float | None = None
    p_start: float = 0.0
    p_creep: float = 0.0
    t_ref: float = DEFAULT_TEMPERATURE
    sample_rate: float = 12_800.0

    def clock(self, temperature: float) -> float:
        """By which factor more samples are taken than the meter believes."""
        return 1 + 1e-6 * (self.clock_ppm + self.clock_temperature * (temperature - self.t_ref))

    def through(self, plan: Plan, rating: Rating, rms: Mapping[str, float], temperature: float, seed: str) -> Plan:
        """What a waveform is behind this front end.

        Parameters
        ----------
        plan : Plan
            Of the waveform.
        rating : Rating
        rms : mapping of role to float
            Of the waveform, V and A, by which the errors of transformers are looked up.
        temperature : float
            Degrees C.
        seed : str
            Names the noise.
        """
        kelvin = temperature - self.t_ref
        reference = 1 + 1e-6 * (self.reference_ppm + self.reference_temperature * kelvin)
        f0 = float(plan.law.pieces[0].f)
        bases: dict[str, Lines] = dict(plan.bases)
        for role in plan.bases if reference != 1 else self.inputs:
            signal = self.inputs.get(role, _PLAIN)
            nominal = rating.u_n if role[0] == "U" else rating.i_n
            response = reference * signal.response(rms.get(role, nominal) / nominal, kelvin)
            bases[role] = _passed(plan.bases[role], response, 1e-6 * signal.skew, f0, signal.offset)
        peaks = {"U": self.range_u * math.sqrt(2) * rating.u_n, "I": self.range_i * math.sqrt(2) * rating.i_max}
        noise = {"U": 1e-6 * self.noise_u * peaks["U"], "I": 1e-6 * self.noise_i * peaks["I"]}
        made = replace(plan, bases=bases, noise=noise, seed=zlib.crc32(seed.encode()))
        if self.bits:
            made = replace(made, bits=self.bits, full_scale=dict(peaks), dtype="int32" if self.bits > 16 else "int16")
        return made

    @classmethod
    def load(cls, source: FrontEnd | Mapping[str, Any] | str | os.PathLike[str] | None) -> FrontEnd:
        """A front end from the name of a preset, a TOML file, or the same as a mapping; the ideal one for None.

        Raises
        ------
        SettingsError
            It names every fault.
        """
        if isinstance(source, FrontEnd):
            return source
        if source is None:
            source = "ideal"
        if isinstance(source, Mapping):
            return _read(source, "front end", str(source.get("name", "own")))
        if not isinstance(source, (str, os.PathLike)):
            raise SettingsError(f"front end: {source!r}, expected a preset, the path of a TOML file or a mapping")
        name = os.fspath(source)
        path = _PRESETS / f"{name}.toml" if name in presets() else Path(source)
        try:
            values = tomllib.loads(path.read_text("utf-8-sig"))
        except OSError as error:
            why = f"{error.strerror or error}; presets are {', '.join(presets())}"
            raise SettingsError(f"front end {name}: cannot be read: {why}") from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"front end {name}: is not TOML: {error}") from None
        return _read(values, f"front end {name}", path.stem)


def _passed(lines: Lines, response: complex, skew: float, f0: float, offset: float) -> Lines:
    """Lines after a constant gain and phase, sampled `skew` s late, with an offset."""
    zero = (Fraction(0), Fraction(0))
    out: Lines = {}
    for (q, f), c in lines.items():
        hertz = float(q) * f0 + float(f)
        out[q, f] = c * (response * cmath.exp(2j * math.pi * hertz * skew) if hertz else abs(response))
    if offset:
        out[zero] = out.get(zero, 0j) + 1j * offset
    return out


#: Tables of a file: key to field of `FrontEnd`, with the bounds of its values.
_TABLES: dict[str, dict[str, tuple[str, float, float]]] = {
    "converter": {
        "bits": ("bits", 8, 32),
        "range_voltage": ("range_u", 0.1, 100),
        "range_current": ("range_i", 0.1, 100),
        "noise_voltage": ("noise_u", 0, 1e5),
        "noise_current": ("noise_i", 0, 1e5),
        "sample_rate": ("sample_rate", 1000, 1e6),
    },
    "reference": {"ppm": ("reference_ppm", -1e5, 1e5), "temperature": ("reference_temperature", -1e4, 1e4)},
    "clock": {"ppm": ("clock_ppm", -1e4, 1e4), "temperature": ("clock_temperature", -1e3, 1e3)},
    "meter": {
        "constant": ("constant", 1e-3, 1e9),
        "marked": ("marked", 1e-3, 1e9),
        "p_start": ("p_start", 0, 1e9),
        "p_creep": ("p_creep", 0, 1e9),
        "temperature": ("t_ref", -100, 200),
    },
}
_BOUNDS = {
    "gain": 50.0, "phase": 3000.0, "skew": 5000.0, "offset": 1e5, "linearity": 50.0, "temperature": 5.0, "phase_temperature": 100.0,
}  # fmt: skip


def _read(values: Mapping[str, Any], where: str, name: str) -> FrontEnd:
    faults: list[str] = []
    found: dict[str, Any] = {"name": name, "title": str(values.get("title", ""))}
    for key, table in values.items():
        if key in ("title", "name", "voltage", "current"):
            continue
        if key not in _TABLES:
            faults.append(f"{where}: {key}: no such table, expected voltage, current, {', '.join(_TABLES)}")
            continue
        for k, v in table.items() if isinstance(table, Mapping) else [("", table)]:
            if k not in _TABLES[key]:
                faults.append(f"{where}: {key}.{k}: no such key, expected {', '.join(_TABLES[key])}")
                continue
            target, low, high = _TABLES[key][k]
            found[target] = _number(v, low, high, f"{where}: {key}.{k}", faults)
    if found.get("bits") is not None:
        found["bits"] = int(found["bits"])
    inputs: dict[str, Input] = {}
    for kind, table in (("U", values.get("voltage", {})), ("I", values.get("current", {}))):
        inputs.update(_inputs(kind, table, where, faults))
    if faults:
        # what holds for all phases is read with each of them
        raise SettingsError(list(dict.fromkeys(faults)))
    return FrontEnd(**found, inputs=inputs)


def _inputs(kind: str, table: Any, where: str, faults: list[str]) -> Iterable[tuple[str, Input]]:
    """The inputs of voltages or currents: what holds for all, overlaid by the table of each phase."""
    name = "voltage" if kind == "U" else "current"
    if not isinstance(table, Mapping):
        faults.append(f"{where}: {name}: expected a table")
        return
    common = {k: v for k, v in table.items() if k not in _PHASES}
    known = {f.name for f in fields(Input)} - ({"curve"} if kind == "U" else set())
    for phase in _PHASES:
        own = table.get(phase, {})
        merged = {**common, **(own if isinstance(own, Mapping) else {"": own})}
        made: dict[str, Any] = {}
        for key, value in merged.items():
            place = f"{where}: {name}.{phase + '.' if key in own else ''}{key}"
            if key not in known:
                faults.append(f"{place}: no such key, expected {', '.join(sorted(known))}")
            elif key == "curve":
                made[key] = _curve(value, place, faults)
            else:
                made[key] = _number(value, -_BOUNDS[key], _BOUNDS[key], place, faults)
        if not faults:
            yield f"{kind}_{phase}", Input(**made)


def _number(value: Any, low: float, high: float, place: str, faults: list[str]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        faults.append(f"{place}: {value!r}, expected a number from {low:g} to {high:g}")
        return low
    return float(value)


def _curve(value: Any, place: str, faults: list[str]) -> tuple[tuple[float, float, float], ...]:
    rows = value if isinstance(value, (list, tuple)) else []
    good = [tuple(float(x) for x in r) for r in rows if isinstance(r, (list, tuple)) and len(r) == 3 and all(isinstance(x, (int, float)) for x in r)]
    rising = all(a[0] < b[0] for a, b in itertools.pairwise(good)) and all(r[0] > 0 for r in good)
    if not good or len(good) != len(rows) or not rising:
        faults.append(f"{place}: expected rows [percent of In, ratio error %, phase error min] with rising currents above 0")
    return tuple((r[0], r[1], r[2]) for r in good)
