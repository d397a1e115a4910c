"""Which columns a parameter is judged on, at which level, and against which reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..quantity import LINES, LIST_LENGTH, PHASES, Flag, quantity
from .limits import Limit, Limits, Parameter
from .sources import Series, Site
from .statistics import Reference
from .tables import LENGTHS

__all__ = ["WORDS", "Measured", "is_variation", "left_out", "measured", "phases_of", "why_not"]

#: What people call the parameters.
WORDS = {
    "f": "frequency",
    "U": "supply voltage",
    "rvc": "rapid voltage changes",
    "Plt": "flicker",
    "u2": "unbalance",
    "HU": "harmonics",
    "THD_U": "total harmonic distortion",
    "MSV": "mains signalling",
}
#: What a summary calls the reasons of parameters that were not measured.
_SAID = {"Plt": "flicker", "HU": "harmonics", "THD_U": "harmonics", "MSV": "mains signalling"}
_FOREVER = 2**62
#: Quantities whose limits are deviations from the reference.
_AROUND = {"U", "U1", "Umin", "Umax", "f"}


@dataclass(frozen=True)
class Measured:
    """One column to be judged.

    Parameters
    ----------
    parameter : Parameter
    phase : str or None
    order : int or None
    unit : str
    t : ndarray of int64
    bad : ndarray of bool
        Intervals that do not count.
    values : ndarray of float64
    limits : (Limit or None, Limit or None)
        For a share, and for all.
    reference : Reference
    least_order : int or None
        The fewest orders the values were made of, where that is fewer than they need.
    """

    parameter: Parameter
    phase: str | None
    order: int | None
    unit: str
    t: np.ndarray
    bad: np.ndarray
    values: np.ndarray
    limits: tuple[Limit | None, Limit | None]
    reference: Reference
    least_order: int | None = None

    @property
    def length(self) -> int | None:
        """Of an interval, ns; None of 3-s intervals."""
        return LENGTHS.get(self.parameter.table)

    @property
    def empty(self) -> bool:
        """Whether it was not measured."""
        return bool(np.isnan(self.values).all())


def phases_of(site: Site, level: str, parameter: Parameter) -> tuple[str, ...]:
    """The phases a parameter is to be judged on, whether each was measured or not; none where it was measured on no phase at all.

    At MV those from line to line where one of them was measured, at LV those to neutral; "" where a quantity has none.
    """
    known = quantity(parameter.quantity).phases
    if known == ("",):
        return ("",) if _here(site, parameter, "") else ()
    sets = (LINES, PHASES) if level == "MV" or site.wiring == "3P3W" else (PHASES, LINES)
    for names in sets:
        here = {p for p in names if p in known and _here(site, parameter, p)}
        if here:
            return tuple(p for p in names if p in known and p in here | site.expected(names))
    return ("",) if "" in known and _here(site, parameter, "") else ()


def _here(site: Site, parameter: Parameter, phase: str) -> bool:
    if parameter.quantity == "Plt" and site.measured("10min", f"Pst_{phase}"):
        return True
    return site.measured(parameter.table, _name(parameter, phase))


def _name(parameter: Parameter, phase: str) -> str:
    return f"{parameter.quantity}_{phase}" if phase else parameter.quantity


def _column(site: Site, parameter: Parameter, phase: str) -> Series | None:
    if parameter.quantity == "Plt":
        return site.plt(phase)
    if parameter.harmonic:
        found = site.spectra(parameter.table, _name(parameter, phase))
        return None if found is None else Series(*found)
    return site.series(parameter.table, _name(parameter, phase))


def _nothing(parameter: Parameter) -> Series:
    shape = (0, LIST_LENGTH["orders"]) if parameter.harmonic else (0,)
    return Series(np.zeros(0, np.int64), np.zeros(0, np.uint32), np.zeros(shape))


def measured(site: Site, limits: Limits, parameter: Parameter, events: Sequence[Mapping[str, Any]] = ()) -> Iterator[Measured]:
    """The columns of a parameter, one after the other, those of phases and orders that were not measured without values; none where nothing was.

    Parameters
    ----------
    site : Site
    limits : Limits
    parameter : Parameter
    events : sequence of mapping
        Those of the place, for what is a variation of the voltage and no dip or swell.
    """
    bits, despite = (np.uint32(sum(f for f in Flag if f.label in labels)) for labels in (parameter.invalid, parameter.whole_despite))
    for phase in phases_of(site, limits.level, parameter):
        found = _column(site, parameter, phase) or _nothing(parameter)
        bad = (found.flags & bits) != 0
        excused = np.flatnonzero(bad & ((found.flags & despite) != 0))
        bad[excused] = (found.flags[excused] & bits & ~np.uint32(Flag.INCOMPLETE)) != 0
        if parameter.variation_after is not None:
            bad &= ~_variations(found, bits, events, parameter.variation_after, LENGTHS.get(parameter.table, 3_000_000_000))
        if parameter.harmonic:
            yield from _harmonics(site, parameter, phase, found, bad)
            continue
        values, reference, unit = _referred(site, parameter, phase, found.values)
        yield Measured(
            parameter, phase or None, None, unit, found.t, bad, values, _two(parameter, None, site), reference, _too_few(site, parameter, bad)
        )


def is_variation(event: Mapping[str, Any], seconds: float) -> bool:
    """Whether a dip or swell lasts longer than `seconds`, and so is a variation of the voltage."""
    return event["type"] in ("dip", "swell") and _end(event) - event["t"] > seconds * 1e9 + 500


def _end(event: Mapping[str, Any]) -> int:
    """End, ns; of an open event that of its recording where known."""
    return int(event.get("ends", _FOREVER) if event["duration"] is None else event["t"] + round(event["duration"] * 1e9))


def _variations(found: Series, bits: np.uint32, events: Sequence[Mapping[str, Any]], seconds: float, length: int) -> np.ndarray:
    """Intervals that are flagged by nothing but dips or swells longer than `seconds`."""
    long, short = np.zeros(len(found.t), bool), np.zeros(len(found.t), bool)
    for event in events:
        if event["type"] in ("dip", "swell"):
            a = np.searchsorted(found.t, event["t"] - length, "right")
            b = np.searchsorted(found.t, _end(event), "left")
            (long if is_variation(event, seconds) else short)[a:b] = True
    other = (found.flags & bits & ~np.uint32(Flag.DIP | Flag.SWELL)) != 0
    result: np.ndarray = long & ~short & ~other
    return result


def _harmonics(site: Site, parameter: Parameter, phase: str, found: Series, bad: np.ndarray) -> Iterator[Measured]:
    """One column for each order that has limits, in % of the fundamental of the same interval where so limited."""
    unit = quantity(parameter.quantity).unit
    with np.errstate(divide="ignore", invalid="ignore"):
        for order in sorted({limit.order for limit in parameter.limits if limit.order is not None}):
            values = found.values[:, order].astype(np.float64)
            reference = Reference()
            if parameter.of == "U1":
                values = 100 * values / found.values[:, 1].astype(np.float64)
                values[~np.isfinite(values)] = np.nan
            elif parameter.of == "Un":
                reference = Reference(site.nominal(phase) / 100)
            shown = "%" if parameter.of == "U1" else unit
            yield Measured(parameter, phase or None, order, shown, found.t, bad, values, _two(parameter, order, site), reference)


def _referred(site: Site, parameter: Parameter, phase: str, values: np.ndarray) -> tuple[np.ndarray, Reference, str]:
    """Values, what their limits refer to, and their unit."""
    unit = quantity(parameter.quantity).unit
    around = parameter.quantity in _AROUND
    if parameter.of == "Un":
        nominal = site.nominal(phase)
        return values, Reference(nominal, True) if around else Reference(nominal / 100), unit
    if parameter.of == "fn":
        nominal = float(site.nominal_frequency or 0)
        return values, Reference(nominal, True) if around else Reference(nominal / 100), unit
    if parameter.of == "U1":
        fundamental = site.series(parameter.table, f"U1_{phase}")
        if fundamental is None or not len(values):
            return np.full(len(values), np.nan), Reference(), "%"
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = 100 * values / fundamental.values
        return np.where(np.isfinite(shares), shares, np.nan), Reference(), "%"
    return values, Reference(), unit


def _two(parameter: Parameter, order: int | None, site: Site) -> tuple[Limit | None, Limit | None]:
    """The limit for a share of the values, and the one for all."""
    mine = [limit.at(float(site.signalling_frequency or 0)) for limit in parameter.limits if limit.order == order]
    return next((limit for limit in mine if not limit.always), None), next((limit for limit in mine if limit.always), None)


def _too_few(site: Site, parameter: Parameter, bad: np.ndarray) -> int | None:
    """The fewest orders that a distortion was made of, where the parameter asks for more."""
    if parameter.orders is None:
        return None
    orders = site.series(parameter.table, "thd_order")
    if orders is None or len(orders.values) != len(bad):
        return None
    valid = orders.values[~bad & ~np.isnan(orders.values)]
    least = int(valid.min()) if len(valid) else parameter.orders
    return least if least < parameter.orders else None


def why_not(site: Site, name: str) -> str:
    """Why a parameter was not measured, as far as the results say."""
    said = _SAID.get(name)
    for part in site.parts:
        for left in (part.summary or {}).get("not_measured", ()):
            if left["what"] == said:
                return str(left["why"])
    tables = {t for part in site.parts for t in part.tables}
    if name == "u2" and site.wiring == "1P2W":
        return "one phase"
    return "no values" if tables else "no tables"


def left_out(site: Site, parameter: Parameter, columns: Sequence[tuple[str | None, int | None, bool]]) -> list[dict[str, Any]]:
    """What of a parameter was not measured, in words and for programs.

    Parameters
    ----------
    site : Site
    parameter : Parameter
    columns : sequence of (phase, order, whether it is empty)

    Returns
    -------
    list of dict
        `what` with the phases and orders in words, `quantity`, `why`, and `phases` and `orders` where only some are missing.
    """
    name = parameter.quantity
    why = why_not(site, name)
    if all(empty for _, _, empty in columns):
        return [{"what": WORDS.get(name, name), "quantity": name, "why": why}]
    every = {order for _, order, _ in columns}
    absent: dict[str | None, list[int | None]] = {}
    for phase, order, empty in columns:
        if empty:
            absent.setdefault(phase, []).append(order)
    alike: dict[tuple[int | None, ...], list[str]] = {}
    for phase, orders in absent.items():
        alike.setdefault(tuple(orders), []).append(str(phase))
    made = []
    for missing, phases in alike.items():
        entry: dict[str, Any] = {"what": WORDS.get(name, name), "quantity": name, "why": why}
        if len(missing) < len(every):
            entry["orders"] = list(missing)
            entry["what"] += f" of order{'s' if len(missing) > 1 else ''} {_ranges([k for k in missing if k is not None])}"
            entry["why"] = "not in the values; a low sample rate?"
        if len(phases) < len({phase for phase, _, _ in columns}):
            entry["phases"] = phases
            entry["what"] += f" {' '.join(phases)}"
        made.append(entry)
    return made


def _ranges(numbers: Sequence[int]) -> str:
    """2, 3, 4, 7 as "2-4, 7"."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][-1] + 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
