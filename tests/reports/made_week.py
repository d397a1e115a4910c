"""A week made by hand: tables of ten minutes, two hours and ten seconds, events with waveforms, and an assessment.

Nothing is measured; every number is written down here, so that tests know what a report has to show.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ctmeter.measurements import schema
from ctmeter.pipeline.result import Result
from ctmeter.quantity import ENERGIES, Flag, columns, energy_keys
from ctmeter.recording import Recording
from ctmeter.settings import Settings

UN, STEP = 230.0, 600_000_000_000
START = int(np.datetime64("2026-03-23T00:00:00", "ns").astype(np.int64))  # the clocks of Europe change on the 29th
ROWS = 1008
#: Intervals without a row, and those with an event.
MISSING = slice(500, 518)
DIPPED = (100, 640, 641)
#: Rows in which U_L2 is above 253 V.
HIGH = slice(300, 360)


def voltages(rows: int = ROWS) -> np.ndarray:
    """10-minute voltages, shape (rows, 3)."""
    t = np.arange(rows)
    day = 2 * np.pi * t / 144
    u = np.stack([231.0 + 4.0 * np.sin(day) + 0.8 * np.sin(13.7 * day), 233.0 + 4.5 * np.sin(day + 0.4), 229.0 + 3.0 * np.cos(day)], axis=1)
    u[HIGH, 1] = 254.5
    return u


def filled(table: str, given: dict[str, Any], rows: int) -> pa.Table:
    """A table of the full schema; columns that are not given are null."""
    made = schema(table, spectra=True, sides={"U": "primary", "I": "primary", "P": "primary"})
    arrays = []
    for f in made:
        if f.name not in given:
            arrays.append(pa.nulls(rows, f.type))
        elif np.ndim(given[f.name]) == 2:
            flat = pa.array(np.ascontiguousarray(given[f.name], np.float32).ravel())
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, f.type.list_size))
        else:
            arrays.append(pa.array(given[f.name]).cast(f.type))
    return pa.Table.from_arrays(arrays, schema=made)


def ten_minutes(start: int, rows: int = ROWS) -> pa.Table:
    """The table `10min`."""
    u, n = voltages(rows), np.arange(rows)
    rng = np.random.default_rng(50160)
    given: dict[str, Any] = {"t": (start + n * STEP).astype("datetime64[ns]"), "duration": np.full(rows, 600.0), "n": np.full(rows, 3000)}
    flags = np.zeros(rows, np.uint32)
    flags[[k for k in DIPPED if k < rows]] = Flag.DIP
    given |= {"flags": flags, "f": 50.0 + 0.02 * np.sin(n / 9.0)}
    load = 4000.0 + 2500.0 * np.clip(np.sin(2 * np.pi * n / 144 - 1.2), -0.4, 1.0) + 150.0 * rng.standard_normal(rows)
    for k, phase in enumerate(("L1", "L2", "L3")):
        share = (0.36, 0.33, 0.31)[k]
        given |= {f"U_{phase}": u[:, k], f"U_{phase}_min": u[:, k] - 1.5, f"U_{phase}_max": u[:, k] + 1.2}
        given |= {f"Umin_{phase}": u[:, k] - 3.0 - 2.0 * rng.random(rows), f"Umax_{phase}": u[:, k] + 3.0 + 2.0 * rng.random(rows)}
        given[f"I_{phase}"] = share * load / u[:, k] / 0.95
        given |= {f"I_{phase}_min": 0.8 * given[f"I_{phase}"], f"I_{phase}_max": 1.4 * given[f"I_{phase}"]}
        given |= {f"P_{phase}": share * load, f"Q_{phase}": 0.3 * share * load, f"S_{phase}": share * load / 0.95, f"U1_{phase}": u[:, k]}
        given[f"I1_{phase}"] = 0.98 * given[f"I_{phase}"]
        given[f"HU_{phase}"] = harmonics(u[:, k], 1.0 + 0.1 * k + 0.3 * np.sin(2 * np.pi * n / 144))
        given[f"HI_{phase}"] = harmonics(given[f"I_{phase}"], np.full(rows, 4.0))
        given[f"THD_U_{phase}"] = 100 * np.sqrt((given[f"HU_{phase}"][:, 2:41] ** 2).sum(1)) / u[:, k]
        given |= {f"THD_U_{phase}_min": 0.9 * given[f"THD_U_{phase}"], f"THD_U_{phase}_max": 1.3 * given[f"THD_U_{phase}"]}
        given[f"Pst_{phase}"] = 0.35 + 0.1 * rng.random(rows) + 0.2 * (n % 144 > 100)
    for k in DIPPED:
        if k < rows:
            given["Umin_L1"][k] = 0.45 * UN
    given |= {"P": load, "Q": 0.3 * load, "S": load / 0.95, "PF": np.full(rows, 0.95), "P_min": 0.8 * load, "P_max": 1.3 * load}
    given |= {"u2": 0.6 + 0.2 * np.sin(n / 30), "u2_min": 0.5 + 0.2 * np.sin(n / 30), "u2_max": 0.9 + 0.2 * np.sin(n / 30)}
    given["thd_order"] = np.full(rows, 40.0)
    table = filled("10min", given, rows)
    return pa.concat_tables([table.slice(0, MISSING.start), table.slice(MISSING.stop)]) if rows > MISSING.stop else table


def harmonics(first: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Sub-groups of each interval, V or A, shape (rows, 51)."""
    share = np.full(51, 0.05)
    share[[0, 1]] = 0.0, 100.0
    for order, value in (
        (3, 0.9),
        (5, 3.9),
        (7, 2.4),
        (9, 0.4),
        (11, 1.6),
        (13, 1.1),
        (15, 0.22),
        (17, 0.7),
        (19, 0.5),
        (23, 0.4),
        (25, 0.4),
        (2, 0.15),
    ):
        share[order] = value
    made = 0.01 * first[:, None] * share[None, :] * factor[:, None]
    made[:, 1] = first
    return made


def two_hours(start: int, rows: int) -> pa.Table:
    """The table `2h`."""
    n = np.arange(rows)
    given: dict[str, Any] = {
        "t": (start + n * 12 * STEP).astype("datetime64[ns]"),
        "duration": np.full(rows, 7200.0),
        "flags": np.zeros(rows, np.uint32),
    }
    given |= {f"Plt_{p}": 0.45 + 0.2 * np.sin(n / 3 + k) for k, p in enumerate(("L1", "L2", "L3"))}
    return filled("2h", given, rows)


def frequencies(start: int, rows: int) -> pa.Table:
    """The table `frequency`, ten seconds a row."""
    n = np.arange(rows)
    given = {"t": (start + n * 10_000_000_000).astype("datetime64[ns]"), "flags": np.zeros(rows, np.uint32)}
    given["f"] = 50.0 + 0.03 * np.sin(n / 800.0) + 0.01 * np.sin(n / 7.0)
    return filled("frequency", given, rows)


def iso(ns: int) -> str:
    return f"{np.datetime64(ns, 'ns')}Z"


def event(kind: str, t: int, duration: float | None, phases: tuple[str, ...], volts: float) -> dict[str, Any]:
    """A row of the events as the summary holds it."""
    made = dict.fromkeys(("U_residual", "U_max", "dU_max", "dU_ss"))
    made["U_max" if kind == "swell" else "dU_max" if kind == "rvc" else "U_residual"] = volts
    detail = [{"phase": p, "t": iso(t), "duration": duration, "U": volts} for p in phases]
    name = f"{kind}_{t}.cfg" if kind != "rvc" else None
    return {
        "type": kind,
        "t": iso(t),
        "duration": duration,
        "phases": list(phases),
        "U_ref": UN,
        **made,
        "flags": 0,
        "detail": detail,
        "snippet": name,
    }


def events() -> list[dict[str, Any]]:
    """Two dips, a swell, an interruption and a rapid voltage change."""
    at = lambda row, seconds: START + row * STEP + int(seconds * 1e9)  # noqa: E731
    return [
        event("dip", at(100, 30.0), 0.25, ("L1",), 103.5),
        event("rvc", at(200, 5.0), 0.8, ("L1", "L2"), 14.0),
        event("swell", at(320, 12.5), 0.06, ("L2",), 276.0),
        event("dip", at(640, 100.0), 1.5, ("L1", "L2", "L3"), 161.0),
        event("interruption", at(641, 3.0), 6.0, ("L1", "L2", "L3"), 0.0),
    ]


def snippet(e: dict[str, Any], rate: float = 6400.0) -> Recording:
    """Waveforms around an event: the voltages of its phases at its level, the others at nominal."""
    start = int(np.datetime64(e["t"].removesuffix("Z"), "ns").astype(np.int64))
    stop = e["duration"] + 0.2
    t = np.arange(-0.2, stop, 1 / rate)
    inside = (t >= 0) & (t < e["duration"])
    level = next(e[k] for k in ("U_residual", "U_max", "dU_max") if e[k] is not None)
    arrays = {}
    for k, phase in enumerate(("L1", "L2", "L3")):
        volts = np.where(inside & (phase in e["phases"]), level, UN)
        arrays[f"U_{phase}"] = volts * np.sqrt(2) * np.sin(2 * np.pi * (50 * t - k / 3))
        arrays[f"I_{phase}"] = volts / 40.0 * np.sqrt(2) * np.sin(2 * np.pi * (50 * t - k / 3) - 0.3)
    return Recording.from_arrays(arrays, sample_rate=rate, start=iso(start - round(0.2e9)))


def summary(tables: dict[str, pa.Table], start: int, rows: int, found: list[dict[str, Any]], source: str) -> dict[str, Any]:
    """As `summary.json` has it."""
    names = [c.name for c in columns("basic", spectra=False)]
    mean: dict[str, Any] = dict.fromkeys(n for n in names if not n.startswith(("t", "flags")))
    table = tables["10min"]
    for name in mean:
        if name in table.column_names and table.column(name).null_count < len(table):
            mean[name] = float(np.nanmean(table.column(name).to_numpy()))
    for k, phase in enumerate(("L1", "L2", "L3")):
        mean |= {f"phi_U_{phase}": (0.0, -120.0, 120.0)[k], f"phi_I_{phase}": (-17.0, -138.0, 104.0)[k]}
    mean |= {"U_L12": 401.0, "U_L23": 399.0, "U_L31": 400.0, "I_N": 1.2, "DPF": 0.958, "u0": 0.3}
    hours = rows / 6
    energy = dict.fromkeys(energy_keys(), 0.0)
    for e, value in (("A+", mean["P"]), ("R+", mean["Q"]), ("R1", mean["Q"]), ("E+", mean["S"])):
        energy[e] = value * hours
        energy |= {f"{e}_{p}": value * hours / 3 for p in ("L1", "L2", "L3")}
    assert len(ENERGIES) == 10
    recording = {
        "source": source,
        "size": 1,
        "format": "COMTRADE 2013 BINARY32",
        "start": iso(start),
        "end": iso(start + rows * STEP),
        "duration_s": rows * 600.0,
        "sample_rate_hz": 6400.0,
        "nominal_frequency_hz": 50.0,
        "segments": [],
        "gaps": {"count": 1, "samples": 69120000},
        "samples": int(6400 * rows * 600),
        "channels": [{"name": f"U_{p}", "role": f"U_{p}", "ratio": 1.0} for p in ("L1", "L2", "L3")],
        "status_channels": [],
        "unresolved": None,
        "warnings": ["one gap of 3 h"],
        "metadata": {"station": "Substation Example, feeder 7", "device": "recorder 4711"},
        "sha256": "0f" * 32,
    }
    settings = Settings(nominal_voltage=UN, nominal_frequency=50.0, wiring="3P4W").to_dict()
    counts: dict[str, int] = {}
    for e in found:
        counts[e["type"]] = counts.get(e["type"], 0) + 1
    quality = {
        "samples": 3870720000,
        "integrated": 3870720000,
        "excluded": {},
        "gaps": 69120000,
        "not_finite": {},
        "saturated": {},
        "intervals": {"basic": {"count": 2970000, "flagged": {"dip": 20}}},
    }
    return {
        "schema_version": 1,
        "program": {"name": "ctmeter", "version": "0.1.0"},
        "recording": recording,
        "settings": settings,
        "wiring": "3P4W",
        "sides": {"U": "primary", "I": "primary", "P": "primary"},
        "energy": energy,
        "mean": mean,
        "extremes": {},
        "quality": quality,
        "events": {"counts": counts, "list": found},
        "not_measured": [{"what": "mains signalling", "why": "no signalling frequency"}],
        "warnings": [],
    }


def week(start: int = START, rows: int = ROWS, *, with_events: bool = True, source: str = "feeder-7.cfg") -> Result:
    """The result."""
    found = events() if with_events else []
    tables = {"10min": ten_minutes(start, rows), "2h": two_hours(start, rows // 12), "frequency": frequencies(start, rows * 60)}
    tables["events"] = filled("events", {"t": np.array([], "datetime64[ns]")}, 0)
    snippets = {e["snippet"]: snippet(e) for e in found if e["snippet"]}
    return Result(summary(tables, start, rows, found, source), tables, None, None, snippets)


# --- an assessment, as `en50160.assess` gives it ------------------------------------------------------


def limit(share: float, low: float | None, high: float | None, reached: float | None, of: str = "1", source: str = "S:ROCK") -> dict[str, Any]:
    values = [None if v is None else UN * (1 + v / 100) if of == "Un" else v for v in (low, high)]
    return {
        "share": share,
        "of": of,
        "low": low,
        "high": high,
        "low_value": values[0],
        "high_value": values[1],
        "source": source,
        "verified": not source.startswith("M"),
        "reached": reached,
    }


def parameter(
    quantity: str,
    phase: str | None,
    first: dict[str, Any] | None,
    always: dict[str, Any] | None,
    verdict: str,
    values: tuple[float, ...],
    order: int | None = None,
    unit: str = "%",
    n1: int = 0,
) -> dict[str, Any]:
    low, p5, p50, p95, p99, high = values
    return {
        "quantity": quantity,
        "phase": phase,
        "order": order,
        "unit": unit,
        "limit": first,
        "limit_always": always,
        "N": 987,
        "N1": n1,
        "N2": 0,
        "N_invalid": 21,
        "percentiles": {"1": low, "5": p5, "50": p50, "95": p95, "99": p99},
        "min": low,
        "t_min": iso(START),
        "max": high,
        "t_max": iso(START),
        "verdict": verdict,
        "reason": "",
        "coverage": 97.9,
    }


def assessment() -> dict[str, Any]:
    """One week: the voltage of L2 fails, everything else passes, frequency is not decided."""
    u = [
        parameter(
            "U", p, limit(95, -10, 10, r, "Un"), limit(100, -15, 10, r + 0.05, "Un"), v, (225.0, 226.0, 231.0, 235.0, 236.0, 236.5), unit="V", n1=k
        )
        for p, r, v, k in (("L1", 0.22, "pass", 0), ("L2", 1.065, "fail", 60), ("L3", 0.31, "pass", 0))
    ]
    orders = {2: 2.0, 3: 5.0, 4: 1.0, 5: 6.0, 6: 0.5, 7: 5.0, 9: 1.5, 11: 3.5, 13: 3.0, 15: 0.5, 17: 2.0, 19: 1.5, 21: 0.5, 23: 1.5, 25: 1.5}
    harmonic = [
        parameter(
            "HU", p, limit(95, None, top, 0.6 if h == 5 else 0.1), None, "pass", (0.1, 0.2, 0.3, 0.6 * top if h == 5 else 0.1 * top, 0.4, 0.5), h
        )
        for p in ("L1", "L2", "L3")
        for h, top in orders.items()
    ]
    rest = [
        parameter(
            "f",
            None,
            limit(99.5, 49.5, 50.5, 0.08),
            limit(100, 47.0, 52.0, 0.02),
            "insufficient-data",
            (49.96, 49.97, 50.0, 50.03, 50.04, 50.04),
            unit="Hz",
        )
    ]
    rest += [parameter("Plt", p, limit(95, None, 1.0, 0.65), None, "pass", (0.25, 0.3, 0.45, 0.65, 0.65, 0.65), unit="1") for p in ("L1", "L2", "L3")]
    rest += [parameter("u2", None, limit(95, None, 2.0, 0.4), None, "pass", (0.4, 0.4, 0.6, 0.8, 0.8, 0.8))]
    rest += [parameter("THD_U", p, limit(95, None, 8.0, 0.7), None, "pass", (3.0, 4.0, 5.0, 5.6, 6.0, 6.2)) for p in ("L1", "L2", "L3")]
    cells = {f"{row}{k}": 0 for row in "ABCDX" for k in range(1, 6)} | {"C2": 1, "B4": 1}
    swells = {f"{row}{k}": 0 for row in "ST" for k in range(1, 4)} | {"S1": 1}
    row = {
        "start": iso(START),
        "end": iso(START + ROWS * STEP),
        "verdict": "fail",
        "coverage": {"expected": 1008, "valid": 987, "flagged": 3, "missing": 18, "share": 97.9},
        "parameters": [*rest[:1], *u, *rest[1:], *harmonic],
    }
    return {
        "verdict": "fail",
        "edition": "2010",
        "level": "LV",
        "title": "EN 50160:2010 with amendments",
        "weeks": [row],
        "dips": cells,
        "swells": swells,
        "interruptions": {"count": 1, "short": 1, "long": 0, "open": 0},
        "coverage": {"share": 97.9},
        "limits": None,
        "not_measured": [{"what": "mains signalling", "quantity": "MSV", "why": "no signalling frequency"}],
    }
