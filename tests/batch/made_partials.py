"""Pieces with partials made by hand, of values that can be told in the head."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ctmeter.batch.partials import write_partial
from ctmeter.batch.work import Piece, Point, Scan, Source, plain_channel
from ctmeter.pipeline.rows import Statistics
from ctmeter.quantity import energy_keys
from ctmeter.recording import Channel

S = 1_000_000_000
MIN10, HOUR = 600 * S, 3600 * S
DAY = 24 * HOUR
#: 2026-01-05T00:00:00Z, a Monday.
MONDAY = 1_767_571_200 * S
SETTINGS = {"nominal_voltage": 230.0, "nominal_frequency": 50.0, "wiring": "3P4W", "spectra": "3s", "rvc": 0.05}
Rows = dict[str, np.ndarray]


def source(name: str) -> Source:
    return Source(f"place/{name}", name, ((name, 1000, "1"),))


def scan(name: str, start: int | None, seconds: float, site: str = "A", device: str = "d", settings: Any = None, side: str = "primary") -> Scan:
    channels = tuple(plain_channel(Channel(role, role=role, side=side)) for role in ("U_L1", "I_L1"))
    points = (Point("", SETTINGS if settings is None else settings, channels),)
    told: dict[str, Any] = {"start_ns": start, "duration": seconds, "sample_rate": 1000.0, "points": points, "format": "made"}
    return Scan(source(name), site, device, **told)


def ten_minutes(start: int, n: int, **columns: Any) -> Rows:
    """Rows of `10min`: 230 V, and what is given."""
    rows: Rows = {"t": start + MIN10 * np.arange(n), "duration": np.full(n, 600.0), "flags": np.zeros(n, np.uint32), "n": np.full(n, 3000)}
    rows |= {f"U_{p}": np.full(n, 230.0) for p in ("L1", "L2", "L3")}
    return rows | {name: np.asarray(values) for name, values in columns.items()}


def two_hours(start: int, n: int, **columns: Any) -> Rows:
    return {"t": start + 2 * HOUR * np.arange(n), "duration": np.full(n, 7200.0), "flags": np.zeros(n, np.uint32), **columns}


def frequencies(start: int, n: int, f: float = 50.0) -> Rows:
    return {"t": start + 10 * S * np.arange(n), "flags": np.zeros(n, np.uint32), "f": np.full(n, f)}


def event(kind: str, t: int, duration: float | None, volts: float) -> dict[str, Any]:
    made = {"type": kind, "t": t, "duration": duration, "phases": ["L1"], "U_ref": 230.0, "flags": 0, "detail": [], "snippet": None}
    return {**made, **dict.fromkeys(("U_residual", "U_max", "dU_max", "dU_ss")), ("U_max" if kind == "swell" else "U_residual"): volts}


def part(of: Scan, start: int | None, stop: int | None, energy: dict[str, float] | None = None, volts: float = 230.0, **more: Any) -> dict[str, Any]:
    """A share of a recording of which one window of one second was measured."""
    found = Statistics()
    found.add({"t": np.array([start or 0]), "duration": np.array([1.0]), "U_L1": np.array([volts]), "flags": np.zeros(1, np.uint32)})
    told = {"recording": of.source.name, "member": "", "start_ns": start, "stop_ns": stop, "samples": 1000, "statistics": found.state()}
    return {**told, "energy": {k: (energy or {}).get(k) for k in energy_keys()}, **more}


def piece(
    place: Path,
    scans: list[Scan],
    span: tuple[int, int] | None,
    tables: dict[str, Rows],
    parts: list[dict[str, Any]],
    *,
    events: list[dict[str, Any]] | None = None,
    salt: str = "",
    write: bool = True,
    **more: Any,
) -> Piece:
    """A piece, and its partial where that is wanted."""
    site, device = scans[0].site, scans[0].device
    key = hashlib.sha256(f"{site}|{device}|{span}|{[s.source.name for s in scans]}|{salt}".encode("utf-8", "replace")).hexdigest()
    side = scans[0].points[0].channels[0]["side"]
    form = {"spectra": False, "extras": [], "sides": dict.fromkeys("UIP", side)}
    content = {"tables": tables, "form": form, "events": events or [], "parts": parts, "settings": dict(scans[0].points[0].settings)}
    content |= {"site": site, "device": device, "point": "", "wiring": "3P4W", "warnings": [], "not_measured": [], **more}
    if write:
        write_partial(place, key, content)
    return Piece(key, site, device, "", tuple(scans), span)


def whole(place: Path, name: str, start: int, hours: int = 4, site: str = "A", energy: float = 1.0, **more: Any) -> Piece:
    """A recording of some hours that is one piece, with all its tables."""
    of = scan(name, start, hours * 3600.0, site)
    stop = start + hours * HOUR
    tables = {"10min": ten_minutes(start, 6 * hours), "frequency": frequencies(start, 360 * hours), "2h": two_hours(start, hours // 2)}
    return piece(place, [of], (start, stop), tables, [part(of, start, stop, {"A+": energy})], **more)


def week(place: Path, site: str = "A") -> list[Piece]:
    """A week of recordings of a day each, in pieces of four hours, with a dip."""
    made = []
    for day in range(7):
        of = scan(f"{site}/{day}.rec", MONDAY + day * DAY, 86400.0, site)
        for k in range(6):
            start = MONDAY + day * DAY + k * 4 * HOUR
            stop = start + 4 * HOUR
            pst = {f"Pst_{p}": np.full(24, 0.5) for p in ("L1", "L2", "L3")}
            tables = {"10min": ten_minutes(start, 24, **pst), "frequency": frequencies(start, 1440), "2h": two_hours(start, 2)}
            found = [event("dip", start + S, 0.2, 115.0)] if (day, k) == (2, 3) else []
            made.append(piece(place, [of], (start, stop), tables, [part(of, start, stop, {"A+": 0.1, "A-": 1.0})], events=found))
    return made
