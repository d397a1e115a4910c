"""Recordings and registers, added up from the shares that pieces have of them.

Sums are those of `math.fsum`, so that nothing depends on how time was cut into pieces.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ..pipeline.rows import Statistics
from ..quantity import ENERGIES, Column, Flag, columns, energy_keys
from .dataset import clean, month_of
from .work import Scan

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MIXED", "RecordingTally", "Registers", "event_types", "recording_id", "recording_schema", "register_schema"]

#: Kinds of events, each with a column that counts it.
event_types = ("dip", "swell", "interruption", "rvc", "msv", "transient")
#: Side of values that are primary in one recording and secondary in another.
MIXED = "mixed"
_WARNINGS = 20
_FLAGS = {f.label: f"flagged_{f.label.replace('-', '_')}" for f in Flag}


def recording_id(name: str, member: str, point: str) -> str:
    """The identity of a recording at a measuring point: 16 hexadecimal digits."""
    return hashlib.sha256(f"{clean(name)}\0{clean(member)}\0{clean(point)}".encode()).hexdigest()[:16]


@cache
def main_columns() -> tuple[Column, ...]:
    """The quantities that have mean, smallest and largest value in the table `recordings`."""
    return tuple(c for c in columns("basic", spectra=False) if c.quantity.extremes)


@cache
def _factors() -> tuple[Column, ...]:
    return tuple(c for c in columns("basic", spectra=False) if c.quantity.name == "PF")


def _field(name: str, kind: pa.DataType, unit: str = "", side: str | None = None) -> pa.Field:
    import pyarrow as pa

    return pa.field(name, kind, metadata={"unit": unit} | ({"side": side} if side else {}))


def _energy_fields(sides: Mapping[str, str]) -> list[pa.Field]:
    import pyarrow as pa

    units = {e.name: e.unit for e in ENERGIES}
    return [_field(k, pa.float64(), units[k.partition("_")[0]], sides.get("P", "as-recorded")) for k in energy_keys()]


def recording_schema(sides: Mapping[str, str]) -> pa.Schema:
    """Of the table `recordings`."""
    import pyarrow as pa

    text, number, count, stamp = pa.string(), pa.float64(), pa.int64(), pa.timestamp("ns", "UTC")
    word = pa.dictionary(pa.int32(), text)
    fields = [_field("recording_id", text), _field("device", word), _field("point", word), _field("site_name", word)]
    fields += [_field("path", text), _field("member", text), _field("start", stamp), _field("end", stamp), _field("duration", number, "s")]
    fields += [_field("sample_rate", number, "Hz"), _field("format", word), _field("bytes", count), _field("samples", count)]
    fields += [_field("wiring", word), _field("nominal_voltage", number, "V", sides.get("U", "as-recorded"))]
    fields += [_field(f"side_{kind}", word) for kind in "UIP"]
    fields += _energy_fields(sides)
    for c in (*main_columns(), *_factors()):
        side = sides.get(c.side, "as-recorded") if c.side else None
        fields.append(_field(c.name, number, c.unit, side))
        if c.quantity.extremes:
            fields += [_field(f"{c.name}_{end}", number, c.unit, side) for end in ("min", "max")]
    fields += [_field(f"events_{kind}", count, "1") for kind in event_types]
    fields += [_field("windows", count, "1"), *(_field(name, count, "1") for name in _FLAGS.values())]
    fields += [_field("overlaps", pa.bool_()), _field("warnings", pa.list_(text))]
    return pa.schema(fields)


def register_schema(sides: Mapping[str, str]) -> pa.Schema:
    """Of the table `registers`."""
    import pyarrow as pa

    text, stamp, count = pa.string(), pa.timestamp("ns", "UTC"), pa.int64()
    word = pa.dictionary(pa.int32(), text)
    fields = [_field("device", word), _field("point", word), _field("site_name", word), *_energy_fields(sides)]
    fields += [_field("start", stamp), _field("end", stamp), _field("covered_s", pa.float64(), "s"), _field("recordings", count, "1")]
    fields += [_field("left_out", count, "1"), _field("side_U", word), _field("side_P", word)]
    fields += [_field(name, pa.float64(), "V", sides.get("U")) for name in ("U_min", "U_max")]
    return pa.schema(fields)


def covered(part: Mapping[str, Any], scan: Scan) -> float:
    """Time of a share of a recording, s: as it says, else between its ends."""
    if part.get("seconds") is not None:
        return float(part["seconds"])
    start, stop = part.get("start_ns"), part.get("stop_ns")
    return (stop - start) * 1e-9 if start is not None and stop is not None else scan.duration


class _Energies:
    """Energies of parts together; null where all are."""

    def __init__(self) -> None:
        self._values: dict[str, array[float]] = {key: array("d") for key in energy_keys()}

    def add(self, energy: Mapping[str, float | None]) -> None:
        for key, values in self._values.items():
            value = energy.get(key)
            if value is not None:
                values.append(value)

    def total(self) -> dict[str, float | None]:
        return {key: math.fsum(values) if values else None for key, values in self._values.items()}


class RecordingTally:
    """A recording at a measuring point, from its shares in the order of time.

    Parameters
    ----------
    scan : Scan
    site, device, point : str
    content : mapping
        The first partial that has a share of it.
    """

    def __init__(self, scan: Scan, site: str, device: str, point: str, content: Mapping[str, Any]) -> None:
        self.scan = scan
        self.id = recording_id(scan.source.name, scan.source.member, point)
        self._owner = {"device": clean(device), "point": clean(point), "site_name": clean(site)}
        sides = content.get("form", {}).get("sides", {})
        self._measured = {"wiring": content.get("wiring"), "nominal_voltage": content.get("settings", {}).get("nominal_voltage")}
        self._measured |= {f"side_{kind}": sides.get(kind) for kind in "UIP"}
        self._energies = _Energies()
        self._statistics = Statistics()
        self._samples: int | None = 0
        self._events: Counter[str] = Counter()
        self._warnings = dict.fromkeys(map(clean, scan.warnings))
        self._overlaps = False

    @property
    def end_ns(self) -> int | None:
        """End of the recording; None without a clock."""
        start = self.scan.start_ns
        return None if start is None else start + round(self.scan.duration * 1e9)

    @property
    def month(self) -> str | None:
        """In which it begins."""
        return None if self.scan.start_ns is None else month_of(self.scan.start_ns)

    def add(self, part: Mapping[str, Any], events: Iterable[str], warnings: Iterable[str]) -> None:
        """Add a share, with the kinds of the events in it."""
        self._energies.add(part["energy"])
        if part.get("statistics"):
            self._statistics.join(part["statistics"])
        samples = part.get("samples")
        self._samples = None if self._samples is None or samples is None else self._samples + int(samples)
        self._events.update(events)
        self._warnings |= dict.fromkeys(map(clean, (*part.get("warnings", ()), *warnings)))
        self._overlaps |= bool(part.get("overlaps"))

    def row(self) -> dict[str, Any]:
        """As a row of the table `recordings`."""
        scan, found = self.scan, self._statistics
        warnings = list(self._warnings)
        if len(warnings) > _WARNINGS:
            warnings = [*warnings[:_WARNINGS], f"and {len(warnings) - _WARNINGS} more"]
        row: dict[str, Any] = {"recording_id": self.id, **self._owner, "path": clean(scan.source.name), "member": clean(scan.source.member)}
        row |= {"start": scan.start_ns, "end": self.end_ns, "duration": scan.duration, "sample_rate": scan.sample_rate or None}
        row |= {"format": scan.format or None, "bytes": scan.source.size, "samples": self._samples}
        row |= {**self._measured, **self._energies.total(), "windows": found.rows, "overlaps": self._overlaps, "warnings": warnings}
        shown = (*main_columns(), *_factors())
        mean, extremes = found.mean([c.name for c in shown]), found.extremes()
        for c in shown:
            row[c.name] = _finite(mean.get(c.name))
            ends = extremes.get(c.name)
            if ends is not None:
                row |= {f"{c.name}_min": _finite(ends["min"]), f"{c.name}_max": _finite(ends["max"])}
        row |= {f"events_{kind}": self._events.get(kind, 0) for kind in event_types}
        return row | {name: found.flags.get(label, 0) for label, name in _FLAGS.items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


class Registers:
    """Energies of everything that was recorded at a measuring point.

    Parameters
    ----------
    site, device, point : str
    """

    def __init__(self, site: str, device: str, point: str) -> None:
        self._owner = {"device": clean(device), "point": clean(point), "site_name": clean(site)}
        self._energies = _Energies()
        self._covered = array("d")
        self._start: int | None = None
        self._end: int | None = None
        self._recordings: set[str] = set()
        self._left_out: set[str] = set()
        #: Of voltages, and of energies.
        self._sides: dict[str, set[str]] = {"U": set(), "P": set()}
        self._low: float | None = None
        self._high: float | None = None

    def add(self, part: Mapping[str, Any], scan: Scan, identity: str, sides: Mapping[str, str]) -> None:
        """Add a share of a recording, with the sides of its values; what overlaps with another one is counted, not added."""
        if part.get("overlaps"):
            self._left_out.add(identity)
            return
        self._recordings.add(identity)
        if any(value is not None for value in part["energy"].values()):
            self._sides["P"].add(sides.get("P", "as-recorded"))
        self._energies.add(part["energy"])
        self._covered.append(covered(part, scan))
        start, stop = part.get("start_ns"), part.get("stop_ns")
        if scan.start_ns is not None and start is not None:
            self._start = start if self._start is None else min(self._start, start)
        if scan.start_ns is not None and stop is not None:
            self._end = stop if self._end is None else max(self._end, stop)
        if self._voltages(part.get("statistics") or {}):
            self._sides["U"].add(sides.get("U", "as-recorded"))

    def _voltages(self, state: Mapping[str, Any]) -> bool:
        """Smallest and largest voltage of the phases, of those from line to line where there are no others; whether there are any."""
        names = [n for n in ("U_L1", "U_L2", "U_L3") if n in state.get("low", {})] or ["U_L12", "U_L23", "U_L31"]
        low = [state["low"][n][0] for n in names if n in state.get("low", {})]
        high = [state["high"][n][0] for n in names if n in state.get("high", {})]
        if low and high:
            self._low = min(low) if self._low is None else min(self._low, *low)
            self._high = max(high) if self._high is None else max(self._high, *high)
        return bool(low and high)

    def row(self) -> dict[str, Any]:
        """As a row of the table `registers`."""
        counts = {"recordings": len(self._recordings), "left_out": len(self._left_out - self._recordings)}
        ends = {"start": self._start, "end": self._end, "covered_s": math.fsum(self._covered)}
        sides = {f"side_{kind}": MIXED if len(found) > 1 else next(iter(found), None) for kind, found in self._sides.items()}
        # what is primary in one recording and secondary in another has no sum, and no extremes
        energies = dict.fromkeys(energy_keys()) if sides["side_P"] == MIXED else self._energies.total()
        voltages = {"U_min": None, "U_max": None} if sides["side_U"] == MIXED else {"U_min": self._low, "U_max": self._high}
        return {**self._owner, **energies, **ends, **counts, **voltages, **sides}
