"""Closed forms for what no single number can state: voltages with edges and jumps, half-cycle values, grids of windows.

A channel is a sum of sines whose amplitudes and phases change at edges; the integral of its square is
worked out analytically on every stretch between them. Nothing of ctmeter is used but the description
of what was synthesised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

#: Which bases make a voltage.
MIX = {f"U_L{k}": {f"U_L{k}": 1.0} for k in (1, 2, 3)} | {f"U_L{a}{b}": {f"U_L{a}": 1.0, f"U_L{b}": -1.0} for a, b in ((1, 2), (2, 3), (3, 1))}


class Voltage:
    """The square of one voltage, integrated in closed form.

    Parameters
    ----------
    truth : mapping
        What was synthesised; frequency constant.
    channel : str
        U_L1 to U_L3, U_L12 to U_L31.
    """

    def __init__(self, truth: Mapping[str, Any], channel: str) -> None:
        self.f = float(truth["values"]["f"])
        self.channel = channel
        self.mix = {b: w for b, w in MIX[channel].items() if b in truth["spectra"]}
        self.truth = truth
        cuts = {0.0}
        for e in truth["events"]:
            cuts |= {e["t"], math.inf if e["duration"] is None else e["t"] + e["duration"]}
        cuts |= {j["t"] for j in truth["phase_jumps"]}
        self.cuts = [-math.inf, *sorted(c for c in cuts if 0 < c < math.inf), math.inf]
        self.pieces = [self._lines(a) for a in self.cuts[:-1]]
        self._edges = np.array(self.cuts[1:-1])

    def _lines(self, t: float) -> dict[float, complex]:
        """Peak phasors by frequency from the instant `t` on until the next edge."""
        t += 1e-9
        lines: dict[float, complex] = {}
        for base, weight in self.mix.items():
            factor, turn = weight, 0.0
            for e in self.truth["events"]:
                if {base, self.channel} & set(e["channels"]) and e["t"] <= t < (math.inf if e["duration"] is None else e["t"] + e["duration"]):
                    factor *= e["residual"]
            turn = sum(j["angle"] for j in self.truth["phase_jumps"] if base in j["channels"] and j["t"] <= t)
            spectrum = self.truth["spectra"][base]
            for order, line in spectrum["harmonics"].items():
                phasor = math.sqrt(2) * line["rms"] * np.exp(1j * math.radians(line["angle"] + turn * int(order)))
                lines[int(order) * self.f] = lines.get(int(order) * self.f, 0j) + factor * phasor
        return lines

    @property
    def angle(self) -> float:
        """Of the undisturbed fundamental at t = 0, cycles."""
        return float(np.angle(self.pieces[0][self.f])) / (2 * math.pi)

    def _primitive(self, piece: int, t: np.ndarray) -> np.ndarray:
        """An antiderivative of the square in one piece."""
        total = np.zeros_like(t)
        items = list(self.pieces[piece].items())
        for fa, a in items:
            for fb, b in items:
                # sin x sin y = (cos(x - y) - cos(x + y)) / 2
                difference = a * np.conj(b) / 2
                w = 2 * math.pi * (fa - fb)
                total += (difference * np.exp(1j * w * t) / (1j * w)).real if fa != fb else difference.real * t
                w = 2 * math.pi * (fa + fb)
                total -= (a * b / 2 * np.exp(1j * w * t) / (1j * w)).real
        return total

    def square(self, ta: np.ndarray, tb: np.ndarray) -> np.ndarray:
        """Integral of the square over [ta, tb)."""
        total = np.zeros_like(ta)
        for k in range(len(self.pieces)):
            a, b = np.clip(ta, self.cuts[k], self.cuts[k + 1]), np.clip(tb, self.cuts[k], self.cuts[k + 1])
            inside = b > a
            if inside.any():
                total[inside] += self._primitive(k, b[inside]) - self._primitive(k, a[inside])
        return total

    def rms(self, ta: Sequence[float] | np.ndarray, tb: Sequence[float] | np.ndarray) -> np.ndarray:
        """Rms over [ta, tb)."""
        a, b = np.asarray(ta, float), np.asarray(tb, float)
        root: np.ndarray = np.sqrt(np.maximum(self.square(a, b), 0.0) / (b - a))
        return root

    def halves(self, stop: float) -> tuple[np.ndarray, np.ndarray]:
        """Urms(1/2) on the channel's own undisturbed grid from 0 to `stop`: starts of the one-cycle windows, values."""
        k = np.arange(math.ceil(2 * self.angle - 1e-9), math.floor(2 * (self.f * stop + self.angle)) - 1)
        starts = (k / 2 - self.angle) / self.f
        return starts, self.rms(starts, starts + 1 / self.f)


def events(
    truth: Mapping[str, Any], channels: Sequence[str], kind: str, nominal: float, thresholds: Mapping[str, float]
) -> tuple[list[dict[str, Any]], float]:
    """Events by the polyphase rules, and how near any value comes to a threshold, as a part of nominal.

    Dips and swells start with the first channel beyond the threshold and end when all are back beyond the
    hysteresis; interruptions start when all are below and end with the first that is back.
    """
    sign = -1.0 if kind == "swell" else 1.0
    start_at = sign * thresholds[kind] * nominal
    end_at = start_at + thresholds["hysteresis"] * nominal
    sampled = {c: Voltage(truth, c).halves(truth["duration"]) for c in channels}
    values = [(t, c, sign * u) for c, (ts, us) in sampled.items() for t, u in zip(ts, us, strict=True)]
    near = min(min(abs(u - start_at), abs(u - end_at)) for _, _, u in values) / nominal
    down = dict.fromkeys(channels, False)
    found: list[dict[str, Any]] = []
    current: dict[str, Any] | None = None
    for t, c, u in sorted(values):
        down[c] = u < start_at if not down[c] else u < end_at
        active = all(down.values()) if kind == "interruption" else any(down.values())
        if active and current is None:
            current = {"t": t, "U": sign * u, "phases": set()}
        if current is not None and active:
            current["phases"] |= {x[2:] for x in channels if down[x]}
        if current is not None and not active:
            found.append(current | {"duration": t - current["t"], "phases": sorted(current["phases"])})
            current = None
    if current is not None:
        found.append(current | {"duration": None, "phases": sorted(current["phases"])})
    for e in found:
        stop = math.inf if e["duration"] is None else e["t"] + e["duration"]
        inside = [u for t, _, u in values if e["t"] <= t < stop]
        e["U"] = sign * min(inside)
    return found, near


def grid(f: float, phase: float, cycles: int, into_tick: float, seconds: float, tick: float = 600.0) -> list[dict[str, float]]:
    """Windows of whole cycles that start anew with the first cycle at or after each tick.

    Parameters
    ----------
    f : float
        Hz.
    phase : float
        Cycles, at t = 0: a cycle starts where the phase is whole.
    cycles : int
        To a window.
    into_tick : float
        Where between two ticks the recording starts, s.
    seconds : float
        Length of the recording.
    tick : float
        Distance of the ticks, s.

    Returns
    -------
    list of dict
        `t`, `t1` (s from the start), `interval` (number of the tick's interval the window belongs to),
        `place` (its number in that interval).
    """
    rows = []
    first = math.ceil(phase - 1e-9)
    interval = math.floor(into_tick / tick + 1e-12)
    place = 0
    while (first + cycles - phase) / f <= seconds + 1e-9:
        start = (first - phase) / f
        rows.append({"t": start, "t1": start + cycles / f, "interval": interval, "place": place})
        first, place = first + cycles, place + 1
        border = (interval + 1) * tick - into_tick
        # a window that starts at or after the tick is not made: the first cycle after the tick begins a new one
        if (first - phase) / f >= border - 1e-9:
            first, interval, place = math.ceil(border * f + phase - 1e-9), interval + 1, 0
    return rows
