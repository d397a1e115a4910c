"""The type test as a list of points: load curves, influence quantities, disturbances.

References
----------
EN 50470-3:2006
IEC 62053-21:2003
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import SettingsError
from .points import Point
from .rating import CLOSE, Rating

__all__ = ["Plan", "bands_of", "type_test"]

PHASES = ("L1", "L2", "L3")
FACTORS = {"active": ("1", "0.5 ind", "0.8 cap"), "reactive": ("1", "0.5 ind", "0.5 cap", "0.25 ind", "0.25 cap")}
ON_REQUEST = ("0.25 ind", "0.5 cap")
#: Of the reference voltage and frequency.
VOLTAGES, WIDE, FREQUENCIES = (0.9, 1.1), (0.8, 1.15), (0.98, 1.02)
#: Grid of the error map.
MAP_U, MAP_F = (0.9, 0.95, 1.0, 1.05, 1.1), (0.98, 0.99, 1.0, 1.01, 1.02)
#: The band examined for classes that have no maximum permissible errors by bands.
PLAIN_BAND = "-10..+40"
#: Largest spread of repeated results, as a share of the limit of error.
REPEATABLE = 0.1


@dataclass(frozen=True)
class Plan:
    """A test plan.

    Parameters
    ----------
    points : tuple of Point
        Those that are judged, each with its id once; references among them.
    composite : tuple of Point
        The load points at which a composite error is formed; all among `points`.
    bands : tuple of str
        Temperature bands.
    map : tuple of Point
        Voltage by frequency at the reference current, row by row, for the error map.
    """

    points: tuple[Point, ...]
    composite: tuple[Point, ...]
    bands: tuple[str, ...]
    map: tuple[Point, ...]


def bands_of(rating: Rating, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The temperature bands to examine.

    Raises
    ------
    SettingsError
        Bands that there are not.
    """
    there = [b.name for b in rating.limits.bands]
    faults = [f"band: {name!r} is none, there are {', '.join(there)}" for name in wanted or () if name not in there]
    if faults:
        raise SettingsError(faults)
    if wanted is not None:
        return tuple(wanted)
    return tuple(there) if rating.limits.classes["active", rating.meter_class].mpe else (PLAIN_BAND,)


class _Builder:
    def __init__(self, rating: Rating, on_request: bool, bands: tuple[str, ...]) -> None:
        self.rating, self.on_request, self.bands = rating, on_request, bands
        self.points: dict[str, Point] = {}
        curve = rating.limits.curve
        self.curve, self.single, self.composite = (self.currents(curve[name]) for name in (rating.connection, "single", "composite"))
        self.temperatures = sorted({t for b in rating.limits.bands if b.name in bands for t in b.temperatures})

    def currents(self, expressions: Sequence[str]) -> list[float]:
        """Currents of the range, A, ascending, each once."""
        found: list[float] = []
        low, high = self.rating.amperes("Imin"), self.rating.amperes("Imax")
        for amperes in sorted(self.rating.amperes(e) for e in expressions):
            if low * (1 - CLOSE) <= amperes <= high * (1 + CLOSE) and not (found and amperes - found[-1] < CLOSE * amperes):
                found.append(amperes)
        return found

    def point(self, test: str, current: float, **more: object) -> Point:
        given = {"U": self.rating.u_n, "f": self.rating.f_n, **more}
        return Point(test=test, I=current, **given)  # type: ignore[arg-type]

    def add(self, point: Point, quantity: str, *, share: float = 1.0) -> Point:
        """Put a point into the plan, with the limit of a quantity."""
        load = "balanced" if point.load == "balanced" or quantity == "difference" else "single"
        found = self.rating.limit(quantity, point.I, point.factor, load, energy=point.energy)
        if found is not None:
            per_kelvin = abs(point.temperature - 23.0) if quantity == "temperature" else 1.0
            point = replace(point, limit=share * per_kelvin * found.percent, standard=found.standard, tag=found.tag)
        return self.points.setdefault(point.id, point)

    def reference(self, current: float, factor: str = "1", energy: str = "active", direction: str = "import") -> str:
        """The id of the balanced point at reference conditions."""
        return self.add(self.point("load", current, factor=factor, energy=energy, direction=direction), "error").id

    def load_curves(self, energy: str) -> None:
        factors = (*FACTORS[energy], *(ON_REQUEST if self.on_request and energy == "active" else ()))
        for direction in ("import", "export"):
            for factor in factors:
                for current in self.curve:
                    if self.rating.limit("error", current, factor, energy=energy):
                        self.add(self.point("load", current, factor=factor, energy=energy, direction=direction), "error")
        for load in PHASES:
            for factor in factors:
                for current in self.single:
                    if self.rating.limit("error", current, factor, "single", energy=energy):
                        self.add(self.point("load", current, factor=factor, energy=energy, load=load), "error")
            i_n = self.rating.i_n
            if self.rating.limit("difference", i_n, energy=energy):
                self.add(self.point("difference", i_n, load=load, energy=energy, reference=self.reference(i_n, energy=energy)), "difference")

    def influences(self, current: float, factor: str, energy: str, temperatures: Iterable[float]) -> None:
        """Voltage, frequency and temperature, each alone."""
        u, f = self.rating.u_n, self.rating.f_n
        same: dict[str, object] = {"factor": factor, "energy": energy, "reference": self.reference(current, factor, energy)}
        for share in VOLTAGES:
            self.add(self.point("voltage", current, **{**same, "U": share * u}), "voltage")
        for share in FREQUENCIES:
            self.add(self.point("frequency", current, **{**same, "f": share * f}), "frequency")
        for t in temperatures:
            self.add(self.point("temperature", current, **{**same, "temperature": t}), "temperature")

    def wide_voltages(self) -> None:
        for factor in ("1", "0.5 ind"):
            if self.rating.limit("voltage-wide", self.rating.i_n, factor):
                same = {"factor": factor, "reference": self.reference(self.rating.i_n, factor)}
                for share in WIDE:
                    self.add(self.point("voltage", self.rating.i_n, **{**same, "U": share * self.rating.u_n}), "voltage-wide")

    def disturbances(self) -> None:
        for quantity in ("sequence", "unbalance", "harmonic", "odd-harmonics", "sub-harmonics", "dc"):
            for row in self.rating.rows(quantity):
                current = self.rating.amperes(row.low)
                reference = self.reference(current)
                without: tuple[tuple[str, ...], ...] = ((),)
                if quantity == "unbalance":
                    without = (("L1",), ("L2",), ("L3",), ("L1", "L2"), ("L2", "L3"), ("L1", "L3"))
                for missing in without:
                    self.add(self.point(quantity, current, missing=missing, reference=reference), quantity)

    def repeatability(self) -> None:
        for current, factor in ((self.rating.i_n, "1"), (self.rating.i_n, "0.5 ind"), (self.rating.amperes("Itr"), "1")):
            self.add(self.point("repeatability", current, factor=factor), "error", share=REPEATABLE)


def type_test(rating: Rating, *, on_request: bool = False, bands: Sequence[str] | None = None) -> Plan:
    """The whole type test of a meter.

    Parameters
    ----------
    rating : Rating
    on_request : bool
        With the power factors 0.25 inductive and 0.5 capacitive.
    bands : sequence of str, optional
        Temperature bands such as "-10..+40"; all where not given, of classes without maximum permissible errors the plain one.

    Raises
    ------
    SettingsError
        Bands that there are not.
    """
    build = _Builder(rating, on_request, bands_of(rating, bands))
    build.load_curves("active")
    composite = []
    for factor in FACTORS["active"]:
        for current in build.composite:
            judged = any(rating.limit("mpe", current, factor, band=b) for b in build.bands)
            if judged or rating.limit("error", current, factor):
                build.influences(current, factor, "active", build.temperatures)
            if judged:
                composite.append(build.points[build.reference(current, factor)])
    for load in PHASES:
        for factor in FACTORS["active"]:
            for current in build.single:
                point = build.points.get(build.point("load", current, factor=factor, load=load).id)
                if point and any(rating.limit("mpe", current, factor, "single", band=b) for b in build.bands):
                    build.influences(current, factor, "active", build.temperatures)
                    composite.append(point)
    if rating.reactive_class:
        build.load_curves("reactive")
        for factor in ("1", "0.5 ind"):
            build.influences(rating.i_n, factor, "reactive", [-10.0, 40.0])
    build.wide_voltages()
    build.disturbances()
    build.repeatability()
    grid = [build.point("map", rating.i_n, U=u * rating.u_n, f=f * rating.f_n) for u in MAP_U for f in MAP_F]
    return Plan(tuple(build.points.values()), tuple(composite), build.bands, tuple(grid))
