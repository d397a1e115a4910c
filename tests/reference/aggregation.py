"""Aggregation of 10/12-cycle windows, IEC 61000-4-30: one window, one column, one number at a time.

A window is a mapping with `t`, `t1` (ns), `kind` (0, 1: running at the tick, 2: on the old grid after it), `duration` (s),
flags, and columns whose missing values are None. Rules are given by the caller, as column to text.
"""

from __future__ import annotations

import cmath
import math
from typing import Any

Window = dict[str, Any]
Rules = dict[str, str]

TICK = 600 * 10**9
JOINED = 1000
#: What is divided in the power sets; of a power factor it is P and S of its phase.
RATIOS = {"HP": ("SeN", "Se1"), "PF_sum": ("P", "S_sum")}


def slot_of(window: Window) -> int:
    """Number of the ten minutes in which a window started."""
    if window["kind"] == 1:
        ticks = [k * TICK for k in range(window["t"] // TICK, window["t1"] // TICK + 2)]
        middle = (window["t"] + window["t1"]) / 2
        return min(ticks, key=lambda tick: abs(tick - middle)) // TICK - 1
    return (window["t"] + window["t1"]) // 2 // TICK


def sequences(windows: list[Window]) -> list[list[Window]]:
    """The windows of each 150/180-cycle interval."""
    normal = [w for w in windows if w["kind"] < 2]
    result: list[list[Window]] = []
    for w in normal:
        group = result[-1] if result else []
        follows = group and len(group) < 15 and slot_of(group[-1]) == slot_of(w) and abs(w["t"] - group[-1]["t1"]) <= JOINED
        if follows:
            group.append(w)
        else:
            result.append([w])
    for group in result:
        for w in windows:
            if w["kind"] == 2 and len(group) < 15 and abs(w["t"] - group[-1]["t1"]) <= JOINED:
                group.append(w)
    return result


def slots(windows: list[Window]) -> dict[int, list[Window]]:
    """The windows of each ten minutes."""
    result: dict[int, list[Window]] = {}
    for w in windows:
        if w["kind"] < 2:
            result.setdefault(slot_of(w), []).append(w)
    return result


def incomplete(windows: list[Window], slot: int, cycles: int) -> bool:
    """Whether more of the ten minutes is uncovered than a window and a cycle."""
    start, stop = slot * TICK, (slot + 1) * TICK
    covered = sum(min(w["t1"], stop) - w["t"] for w in windows if w["t"] >= start - JOINED)
    window = sum(w["t1"] - w["t"] for w in windows) / len(windows)
    return TICK - covered > window * (1 + 1 / cycles)


def rms(values: list[float | None]) -> float | None:
    """Root of the mean square of what there is."""
    here = [v for v in values if v is not None]
    return math.sqrt(sum(v * v for v in here) / len(here)) if here else None


def mean(values: list[Any], seconds: list[float]) -> Any:
    """Mean by duration of what there is."""
    here = [(v, s) for v, s in zip(values, seconds, strict=True) if v is not None]
    return sum(v * s for v, s in here) / sum(s for _, s in here) if here else None


def over(a: float | None, b: float | None) -> float | None:
    """A / b where there is something to divide by."""
    return a / b if a is not None and b is not None and b > 0 else None


def phasors(windows: list[Window], magnitude: str, angle: str) -> list[complex | None]:
    """Complex values of the windows that have a magnitude; nothing has no angle, and what has no angle counts as nothing."""
    pairs = [(w.get(magnitude), w.get(angle)) for w in windows]
    return [None if m is None else 0j if a is None else cmath.rect(m, math.radians(a)) for m, a in pairs]


def displacement(windows: list[Window], phase: str) -> float | None:
    """Of one phase P1 / S1; of all P1 over the root of P1^2 + Q1^2; none where no window has a frequency."""
    if all("f" in w and w["f"] is None for w in windows):
        return None
    seconds = [w["duration"] for w in windows]
    names = [f"{kind}1_{phase}" if phase else f"{kind}1" for kind in "PQS"]
    p, q, s = (mean([w.get(name) for w in windows], seconds) for name in names)
    if phase:
        return over(p, s)
    return None if p is None or q is None else over(p, math.hypot(p, q))


def combine(windows: list[Window], rules: Rules) -> dict[str, Any]:
    """Every column of the interval that consists of these windows."""
    seconds = [w["duration"] for w in windows]
    row: dict[str, Any] = {"duration": sum(seconds), "n": len(windows)}
    for name, rule in rules.items():
        values = [w.get(name) for w in windows]
        here = [v for v in values if v is not None]
        phase = name.partition("_")[2]
        if rule == "or":
            row[name] = 0
            for v in here:
                row[name] |= v
        elif rule == "rms" and any(isinstance(v, list) for v in here):
            row[name] = [rms([v[k] for v in here]) for k in range(len(here[0]))]
        elif rule == "rms":
            row[name] = rms(values)
        elif rule == "mean":
            row[name] = mean(values, seconds)
        elif rule in ("min", "max"):
            row[name] = (min if rule == "min" else max)(here) if here else None
        elif rule == "phasor magnitude":
            angle = f"phi_{name[0]}_{phase}"
            value = mean(phasors(windows, name, angle), seconds)
            angled = any(w.get(name) is not None and w.get(angle) is not None for w in windows)
            row[name] = abs(value) if angled else mean(values, seconds)
        elif rule == "phasor angle":
            value = mean(phasors(windows, f"{name[4]}1_{name[6:]}", name), seconds)
            row[name] = math.degrees(cmath.phase(value)) if value else None
        elif rule == "displacement":
            row[name] = displacement(windows, phase)
    for name, rule in rules.items():
        if rule == "ratio":
            above, below = RATIOS.get(name) or (name.replace("PF", kind) for kind in "PS")
            row[name] = over(row[above], row[below])
    return row


def extremes(windows: list[Window], name: str) -> tuple[float | None, float | None]:
    """Smallest and largest value of a column."""
    here = [w[name] for w in windows if w.get(name) is not None]
    return (min(here), max(here)) if here else (None, None)


def deviations(windows: list[Window], name: str, u_din: float) -> tuple[float | None, float | None]:
    """Under- and over-deviation in %, annex D."""
    here = [w[name] for w in windows if w.get(name) is not None]
    if not here:
        return None, None
    under, over_ = rms([min(u, u_din) for u in here]), rms([max(u, u_din) for u in here])
    return (u_din - (under or 0.0)) / u_din * 100, ((over_ or 0.0) - u_din) / u_din * 100
