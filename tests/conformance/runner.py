"""One runner for all cases: synthesise, measure, compare.

An outcome is the largest error of one expectation, in the unit of its tolerance. Expected values come
from the case file or from the closed forms of `oracles`, never from what ctmeter measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import ctmeter
from conformance import oracles
from conformance.cases import SCALE, Case, Tolerance
from ctmeter import power
from ctmeter.quantity import Flag

VOLTAGES = {"3P4W": ("U_L1", "U_L2", "U_L3"), "3P3W": ("U_L12", "U_L23", "U_L31"), "1P2W": ("U_L1",)}


@dataclass(frozen=True)
class Outcome:
    """One expectation met or not."""

    quantity: str
    what: str
    error: float
    tolerance: Tolerance

    @property
    def met(self) -> bool:
        return self.error <= self.tolerance.size

    def __str__(self) -> str:
        unit = f" {self.tolerance.unit}" if self.tolerance.unit else ""
        return f"{self.what}: error {self.error:.4g}{unit}, tolerance {self.tolerance.text}"


EXACT = Tolerance.of("0")


class Measured:
    """A case's recording and result, with times in seconds from the first sample."""

    def __init__(self, case: Case) -> None:
        self.recording = ctmeter.synth.generate(case.signal)
        self.truth = self.recording.metadata["truth"]
        self.rate = float(case.signal["sample_rate"])
        self.result = ctmeter.measure(self.recording, **case.settings)
        self.settings = self.result.settings
        self._start = self.recording.start
        self._known: dict[str, dict[str, np.ndarray]] = {}

    def table(self, name: str) -> dict[str, np.ndarray]:
        """Columns of a table; null is NaN, `t` and `t1` are s from the first sample."""
        if name not in self._known:
            self._known[name] = self._table(name)
        return self._known[name]

    def _table(self, name: str) -> dict[str, np.ndarray]:
        if name == "energy":
            return {k: np.array([math.nan if v is None else v]) for k, v in self.result.energy.items()}
        if name in ("ieee1459", "din40110"):
            basic = self.table("basic")
            there = {k: v for k, v in basic.items() if v.ndim == 2 or not np.isnan(np.asarray(v, float)).all()}
            return {"t": basic["t"], "t1": basic["t1"], **getattr(power, name)(there)}
        table = self.result.tables[name]
        out = {}
        for column in table.column_names:
            values = table.column(column).combine_chunks()
            if str(values.type).startswith("fixed_size_list"):
                size = values.type.list_size
                flat = values.flatten().to_numpy(zero_copy_only=False)
                out[column] = flat.reshape(-1, size).astype(float) if len(flat) == size * len(values) else np.full((len(values), size), np.nan)
            elif str(values.type).startswith("timestamp"):
                out[column] = self.seconds(values.cast("int64").to_numpy(zero_copy_only=False))
            elif str(values.type).startswith(("string", "large_string", "dictionary")):
                out[column] = np.array(values.to_pylist(), object)
            elif str(values.type).startswith(("list", "struct")):
                continue
            else:
                out[column] = values.to_numpy(zero_copy_only=False).astype(float)
        if "duration" in out and "t" in out:
            out["t1"] = out["t"] + out["duration"]
        elif "t" in out:
            out["t1"] = out["t"] + {"frequency": 10.0}.get(name, 0.0)
        return out

    def seconds(self, ns: np.ndarray) -> np.ndarray:
        start = 0 if self._start is None else int(np.datetime64(str(self._start).removesuffix("Z").split("+")[0], "ns").astype("int64"))
        return (np.asarray(ns, np.int64) - start) * 1e-9


def chosen(table: Mapping[str, np.ndarray], rows: Any) -> np.ndarray:
    """Which rows an expectation is of."""
    n = len(next(iter(table.values())))
    mask = np.ones(n, bool)
    match rows:
        case "all":
            pass
        case "inner":
            mask[[0, -1]] = False
        case "complete":
            mask = (table["flags"].astype(int) & int(Flag.INCOMPLETE)) == 0
        case int():
            mask[:] = False
            mask[rows] = True
        case list():
            mask[:] = False
            mask[rows] = True
        case dict():
            outside = rows.get("except")
            mask = (table["t"] >= rows.get("from", -math.inf) - 1e-9) & (table["t1"] <= rows.get("to", math.inf) + 1e-9)
            if outside:
                mask &= (table["t1"] <= outside[0]) | (table["t"] >= outside[1])
        case _:
            raise ValueError(f"rows {rows!r}")
    return np.flatnonzero(mask)


def outcomes(case: Case, measured: Measured | None = None) -> Iterator[Outcome]:
    """Run a case and compare every expectation."""
    measured = measured or Measured(case)
    for expect in case.expect:
        oracle = expect.get("oracle")
        if oracle is not None:
            yield from ORACLES[oracle](expect, measured)
        elif "count" in expect:
            table = measured.table(expect["table"])
            got = sum(table["type"] == expect["type"]) if "type" in expect else len(chosen(table, expect.get("rows", "all"))) if table else 0
            yield Outcome(expect.get("quantity", ""), f"rows of {expect['table']} {expect.get('type', '')}", abs(got - expect["count"]), EXACT)
        elif "flag" in expect:
            yield _flag(expect, measured)
        else:
            yield from _columns(expect, measured)


def _columns(expect: Mapping[str, Any], measured: Measured) -> Iterator[Outcome]:
    name = expect.get("table", "basic")
    table = measured.table(name)
    if "channel" in expect:
        mask = table["channel"] == expect["channel"]
        table = {k: v[mask] for k, v in table.items()}
    rows = chosen(table, expect.get("rows", "inner" if name in ("basic", "ieee1459", "din40110", "cycle") else "all"))
    quantity = expect.get("quantity", "")
    if not len(rows):
        yield Outcome(quantity, f"{name}: rows {expect.get('rows')}", math.inf, EXACT)
        return
    for k, column in enumerate(expect["columns"]):
        values = table[column][rows] if column in table else np.full(len(rows), np.nan)
        label = f"{name}.{column}"
        if "orders" in expect or "orders_except" in expect:
            orders = expect.get("orders") or [h for h in range(2, 51) if h not in expect["orders_except"]]
            if isinstance(orders[0], list):
                orders = orders[k]
            values = values[:, orders]
            label += f"{orders if len(orders) < 8 else ''}"
        yield from _compared(expect, values, k, quantity, label)


def _compared(expect: Mapping[str, Any], values: np.ndarray, k: int, quantity: str, label: str) -> Iterator[Outcome]:
    """Compare the rows (and list entries) of one column."""
    if expect.get("null"):
        yield Outcome(quantity, f"{label} null", float(np.isfinite(values).sum()), EXACT)
        return
    if "reduce" in expect:
        values = {"max": np.max, "min": np.min, "mean": np.mean, "last": lambda x, axis: x[-1]}[expect["reduce"]](values, axis=0)
    tolerance = Tolerance.of(expect.get("tolerance", "0"))
    for bound, sign in (("minimum", -1.0), ("maximum", 1.0)):
        if bound in expect:
            excess = float(np.max(sign * (values - expect[bound]), initial=-math.inf)) if np.isfinite(values).all() else math.inf
            yield Outcome(quantity, f"{label} {bound} {expect[bound]}", max(excess, 0.0), tolerance)
    if "value" not in expect:
        return
    want = expect["value"]
    if (isinstance(want, list) and "orders" not in expect) or (isinstance(want, list) and isinstance(want[0], list)):
        want = want[k]
    want = np.broadcast_to(np.asarray(want, float), values.shape)
    errors = [tolerance.error(float(g), float(w)) for g, w in zip(values.ravel(), want.ravel(), strict=True)]
    worst = int(np.argmax([e if math.isfinite(e) else math.inf for e in errors]))
    error = errors[worst] if math.isfinite(errors[worst]) else math.inf
    yield Outcome(quantity, f"{label} {values.ravel()[worst]:.9g}, expected {want.ravel()[worst]:.9g}", error, tolerance)


def _flag(expect: Mapping[str, Any], measured: Measured) -> Outcome:
    """A flag stands on exactly the intervals that a stretch of time touches."""
    table = measured.table(expect["table"])
    a, b = expect.get("touched", [math.inf, -math.inf])
    column = expect.get("column", "flags")
    want = (table["t"] < b) & (table["t1"] > a)
    got = (table[column].astype(int) & int(Flag[expect["flag"].upper().replace("-", "_")])) != 0
    if not len(got):
        return Outcome(expect.get("quantity", ""), f"{expect['table']} has no rows", math.inf, EXACT)
    rows = chosen(table, expect.get("rows", "all"))
    wrong = rows[want[rows] != got[rows]]
    what = f"{expect['table']}.{column} {expect['flag']}, wrong in rows {wrong[:8].tolist()}"
    return Outcome(expect.get("quantity", ""), what, float(len(wrong)), EXACT)


def _half_cycles(expect: Mapping[str, Any], measured: Measured) -> Iterator[Outcome]:
    """Every Urms(1/2) of a channel on its undisturbed grid."""
    tolerance = Tolerance.of(expect["tolerance"])
    table = measured.table("half_cycle")
    for channel in expect["channels"]:
        mask = table["channel"] == channel
        t, u = table["t"][mask], table["U"][mask]
        starts, values = oracles.Voltage(measured.truth, channel).halves(measured.truth["duration"])
        inside = (starts > expect.get("from", 0.05)) & (starts < expect.get("to", measured.truth["duration"] - 0.08))
        if "avoid" in expect:
            inside &= (starts < expect["avoid"][0]) | (starts > expect["avoid"][1])
        error = math.inf
        if len(t):
            near = np.abs(t[None, :] - starts[inside, None]).argmin(1)
            off = np.abs(t[near] - starts[inside])
            error = max(map(tolerance.error, u[near], values[inside]))
            if off.max() > 0.25 / oracles.Voltage(measured.truth, channel).f:
                error = math.inf
        yield Outcome(expect.get("quantity", ""), f"half_cycle {channel}", error, tolerance)


def _windows(expect: Mapping[str, Any], measured: Measured) -> Iterator[Outcome]:
    """U of every window against the integral over the stretch it claims."""
    tolerance = Tolerance.of(expect["tolerance"])
    table = measured.table("basic")
    rows = chosen(table, expect.get("rows", "inner"))
    for channel in expect["channels"]:
        want = oracles.Voltage(measured.truth, channel).rms(table["t"][rows], table["t1"][rows])
        errors = [tolerance.error(g, w) for g, w in zip(table[channel][rows], want, strict=True)]
        error = max((e if math.isfinite(e) else math.inf for e in errors), default=math.inf)
        yield Outcome(expect.get("quantity", ""), f"basic {channel} over the windows' own stretches", error, tolerance)


def _events(expect: Mapping[str, Any], measured: Measured) -> Iterator[Outcome]:
    """Events against the definition on each channel's own undisturbed half-cycle grid."""
    settings = measured.settings
    channels = VOLTAGES[settings.wiring or "3P4W"]
    channels = tuple(c for c in channels if c in measured.recording.metadata["truth"]["spectra"] and (settings.wiring != "1P2W" or c == "U_L1"))
    channels = tuple(c for c in channels if c in expect.get("channels", channels))
    kind, nominal = expect["type"], float(settings.nominal_voltage or 0)
    thresholds = {k: getattr(settings, k) for k in ("dip", "swell", "interruption", "hysteresis")}
    want, near = oracles.events(measured.truth, channels, kind, nominal, thresholds)
    if near < 0.0005:
        return  # within 0.05 % of a threshold: left out
    got = [e for e in measured.result.events if e["type"] == kind]
    what = f"{kind}s"
    yield Outcome("", f"{what}: {len(got)} found, {len(want)} made", abs(len(got) - len(want)), EXACT)
    start = measured.seconds(np.array([_ns(e["t"]) for e in got], np.int64)) if got else []
    voltage, time = Tolerance.of(expect["tolerance"]), Tolerance.of(expect["tolerance_time"])
    for t, g, w in zip(start, got, want, strict=False):
        yield Outcome(expect.get("quantity_time", ""), f"{what}: start at {w['t']:.6f} s, found {t:.6f}", time.error(t, w["t"]), time)
        if (g["duration"] is None) != (w["duration"] is None):
            yield Outcome("", f"{what}: duration {g['duration']}, expected {w['duration']}", math.inf, EXACT)
        elif w["duration"] is not None:
            end = w["t"] + w["duration"]
            yield Outcome(expect.get("quantity_time", ""), f"{what}: end at {end:.6f} s", time.error(t + g["duration"], end), time)
        column = "U_max" if kind == "swell" else "U_residual"
        error = math.inf if g[column] is None else voltage.error(g[column], w["U"])
        yield Outcome(expect.get("quantity", ""), f"{what}: {column} {g[column]}, expected {w['U']:.4f}", error, voltage)
        yield Outcome("", f"{what}: phases {g['phases']}, expected {w['phases']}", float(sorted(g["phases"]) != w["phases"]), EXACT)


def _ns(t: Any) -> int:
    """Nanoseconds of an event's time, whatever carries it."""
    if isinstance(t, int | np.integer):
        return int(t)
    return int(np.datetime64(str(t).removesuffix("Z").split("+")[0], "ns").astype("int64"))


def _grid(expect: Mapping[str, Any], measured: Measured) -> Iterator[Outcome]:
    """Windows, and what they are gathered into, against the grid that the ticks make."""
    f, phase, cycles = measured.truth["values"]["f"], expect.get("phase", 0.0), int(expect["cycles"])
    rows = oracles.grid(f, phase, cycles, expect["into_tick"], measured.truth["duration"], expect.get("tick", 600.0))
    tolerance = Tolerance.of(expect.get("tolerance", "20 us"))
    quantity = expect.get("quantity", "")
    basic = measured.table("basic")
    t = basic["t"][basic["t"] >= rows[1]["t"] - 0.5 * cycles / f]
    want = np.array([r["t"] for r in rows[1:]])
    missing = abs(len(t) - len(want))
    # the last cycles of a recording may or may not be enough for one window more
    n = min(len(t), len(want))
    yield Outcome(quantity, f"basic: {len(t)} windows, expected {len(want)}", max(missing - 1, 0), EXACT)
    worst = max((tolerance.error(a, b) for a, b in zip(t[:n], want[:n], strict=True)), default=math.inf)
    yield Outcome("", "basic: starts of windows", worst, tolerance)
    groups: dict[tuple[float, float], list[dict[str, float]]] = {}
    for r in rows:
        groups.setdefault((r["interval"], 0), []).append(r)
    whole = [g for k, g in groups.items() if k[0] not in (rows[0]["interval"], rows[-1]["interval"])]
    table = measured.table("10min")
    full = chosen(table, "complete") if len(table["t"]) else []
    got = [int(table["n"][k]) for k in full]
    yield Outcome(quantity, f"10min: n {got}, expected {[len(g) for g in whole]}", float(got != [len(g) for g in whole]), EXACT)
    yield from _threes(rows, measured, quantity, tolerance)


def _threes(rows: list[dict[str, float]], measured: Measured, quantity: str, tolerance: Tolerance) -> Iterator[Outcome]:
    """150/180-cycle intervals: fifteen windows from each tick on; the one running at a tick ends on the old grid."""
    table = measured.table("3s")
    length = rows[0]["t1"] - rows[0]["t"]
    starts = [r["t"] for r in rows if r["place"] % 15 == 0 and r["t"] + 15 * length <= measured.truth["duration"]]
    full = table["t"][table["n"] == 15]
    error = max((tolerance.error(a, b) for a, b in zip(full, starts, strict=False)), default=math.inf)
    yield Outcome(quantity, f"3s: {len(full)} of fifteen windows, expected {len(starts)}", max(abs(len(full) - len(starts)) - 1.0, 0.0), EXACT)
    yield Outcome("", "3s: starts", error, tolerance)
    spans = np.abs((table["t1"] - table["t"])[table["n"] == 15] - 15 * length)
    yield Outcome("", "3s: lengths", float(spans.max(initial=0.0)) / SCALE[tolerance.unit], tolerance)


ORACLES = {"events": _events, "half_cycles": _half_cycles, "windows": _windows, "grid": _grid}
