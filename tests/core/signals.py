"""Test signals with their closed form, and the shortest way through the engine.

A tone is a complex rms phasor c of an order h: sqrt(2) Re(c e^(j h phase)). A signal is its tones, order to phasor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctmeter.engine import Engine
from ctmeter.quantity import Flag
from ctmeter.recording import Channel, Gap, Wiring
from ctmeter.settings import Settings

Tones = dict[int, complex]

PHASES = ("L1", "L2", "L3")
VOLTAGES, CURRENTS = ("U_L1", "U_L2", "U_L3"), ("I_L1", "I_L2", "I_L3")
#: Angles of the voltages of sets that a tracker may find strange, V and degrees.
SETS: dict[str, tuple[tuple[float, float], ...]] = {
    "balanced": ((230, 0), (230, -120), (230, 120)),
    "reversed": ((230, 0), (230, 120), (230, -120)),
    "unbalanced": ((230, 0), (150, -100), (260, 140)),
    "equal": ((230, 0), (230, 0), (230, 0)),
    "only L1": ((230, 0), (0, 0), (0, 0)),
    "only L2": ((0, 0), (230, 0), (0, 0)),
    "only L3": ((0, 0), (0, 0), (230, 0)),
    "open delta": ((230, 0), (0, 0), (230, 60)),
    "reversed polarity": ((230, 0), (230, 60), (230, 120)),
}
START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z, on a tick of ten minutes


def polar(rms: float, degrees: float) -> complex:
    return complex(rms * np.exp(1j * np.deg2rad(degrees)))


def distorted(fundamental: complex, thd: float, orders: Sequence[int], rng: np.random.Generator) -> Tones:
    """A fundamental with harmonics of any angle that make this THD together."""
    weights = rng.uniform(0.3, 1.0, len(orders)) / np.sqrt(np.arange(1, len(orders) + 1))
    weights *= thd * abs(fundamental) / max(float(np.linalg.norm(weights)), 1e-300)
    angles = rng.uniform(0, 2 * np.pi, len(orders))
    return {1: fundamental} | {h: complex(w * np.exp(1j * a)) for h, w, a in zip(orders, weights, angles, strict=True)}


def sampled(signals: Mapping[str, Tones], phase: np.ndarray) -> dict[str, np.ndarray]:
    """Samples of the signals at these phases of the fundamental, rad."""
    orders = sorted({h for tones in signals.values() for h in tones})
    result = {}
    turn = np.exp(1j * np.outer(phase, orders))
    for name, tones in signals.items():
        result[name] = np.sqrt(2) * (turn @ np.array([tones.get(h, 0.0) for h in orders], complex)).real
    return result


def steady(signals: Mapping[str, Tones], f: float, fs: float, seconds: float, angle: float = 0.3) -> dict[str, np.ndarray]:
    return sampled(signals, 2 * np.pi * f / fs * np.arange(round(seconds * fs)) + angle)


def rms(tones: Tones) -> float:
    return float(np.sqrt(sum(abs(c) ** 2 for c in tones.values())))


def p_of(u: Tones, i: Tones) -> float:
    return float(sum((u[h] * np.conj(i[h])).real for h in u.keys() & i.keys()))


def q1_of(u: Tones, i: Tones) -> float:
    return float((u[1] * np.conj(i[1])).imag)


def minus(a: Tones, b: Tones) -> Tones:
    return {h: a.get(h, 0) - b.get(h, 0) for h in a.keys() | b.keys()}


def feeder(
    seed: int,
    *,
    voltages: Sequence[tuple[float, float]] = SETS["balanced"],
    orders: Sequence[int] = tuple(range(3, 12)),
    thd_u: float = 0.06,
    thd_i: float = 0.15,
    lag: float | None = None,
) -> dict[str, Tones]:
    """Three distorted voltages and currents; currents lag by any angle where none is given, and are there also without voltage."""
    rng = np.random.default_rng(seed)
    result: dict[str, Tones] = {}
    for k, (u, degrees) in enumerate(voltages):
        angle = rng.uniform(0, 360) if lag is None else lag
        result[VOLTAGES[k]] = distorted(polar(u, degrees), thd_u, orders, rng)
        result[CURRENTS[k]] = distorted(polar(5.0 + k, degrees - angle), thd_i, orders, rng)
    return {n: result[n] for n in VOLTAGES + CURRENTS}


@dataclass
class Run:
    """What the engine made of a recording: tables of columns, energy, quality."""

    tables: dict[str, dict[str, np.ndarray]]
    energy: dict[str, float | None]
    quality: dict[str, Any]

    @property
    def basic(self) -> dict[str, np.ndarray]:
        return self.tables.get("basic", {"t": np.array([], np.int64)})

    def inner(self, column: str) -> np.ndarray:
        """A column of the windows without the first and the last."""
        assert len(self.basic["t"]) > 2, "too few windows"
        return self.basic[column][1:-1]

    def urms(self, channel: int, start_ns: int = START_NS) -> tuple[np.ndarray, np.ndarray]:
        """Times (s from the start) and values of Urms(1/2) of channel 0, 1, 2."""
        table = self.tables["half_cycle"]
        mine = table["channel"] == channel
        return (table["t"][mine] - start_ns) * 1e-9, table["U"][mine]


def engine_for(
    names: Sequence[str | Channel], fs: float, *, wiring: str = "", nominal: float = 50, start_ns: int | None = START_NS, **settings: Any
) -> Engine:
    channels = [n if isinstance(n, Channel) else Channel(n) for n in names]
    chosen = Wiring(wiring) if wiring else Wiring.of([c.role for c in channels if c.role])
    return Engine(Settings(nominal_frequency=nominal, **settings), fs, channels, start_ns, chosen)


def finish(engine: Engine) -> Run:
    engine.flush()
    return Run(engine.take(), engine.energy, engine.quality)


def measure(waves: Mapping[str, np.ndarray], fs: float, **given: Any) -> Run:
    """Everything in one block of float64."""
    engine = engine_for(list(waves), fs, **given)
    engine.feed(np.stack(list(waves.values()), 1))
    return finish(engine)


def measure_parts(names: Sequence[str | Channel], fs: float, parts: Sequence[np.ndarray | Gap], **given: Any) -> Run:
    engine = engine_for(names, fs, **given)
    for part in parts:
        engine.feed(part)
    return finish(engine)


def energy_of(waves: Mapping[str, np.ndarray], fs: float, phase: str = "") -> float:
    """Sum over samples, Wh."""
    names = [phase] if phase else [n for n in PHASES if "U_" + n in waves and "I_" + n in waves]
    return float(sum(np.sum(waves["U_" + n].astype(np.longdouble) * waves["I_" + n]) for n in names) / fs / 3600)


def flagged(column: np.ndarray, flag: Flag) -> np.ndarray:
    return (column & np.uint32(flag)) != 0


def is_odd(column: np.ndarray) -> np.ndarray:
    """Which rows have a flag, but that the flickermeter settles, as it does throughout a run of less than a minute."""
    return (column & ~np.uint32(Flag.SETTLING)) != 0


def ppm(values: np.ndarray, truth: float, scale: float | None = None) -> float:
    """Largest deviation in parts per million of the truth, or of a scale."""
    return float(np.max(np.abs(np.asarray(values) - truth)) / abs(truth if scale is None else scale) * 1e6)


def deviations(run: Run, signals: Mapping[str, Tones], f: float) -> dict[str, float]:
    """Largest errors of the inner windows: U, I in ppm, P, Q in ppm of S, f in mHz. A voltage that is not there has no figure."""
    out = {"U": 0.0, "I": 0.0, "P": 0.0, "Q": 0.0, "f": float(np.max(np.abs(run.inner("f") - f))) * 1e3}
    for name, tones in signals.items():
        truth = rms(tones)
        if truth > 0:
            out[name[0]] = max(out[name[0]], ppm(run.inner(name), truth))
        else:
            assert np.max(np.abs(run.inner(name))) < 1e-9
    for n in PHASES:
        if "U_" + n not in signals or "I_" + n not in signals or "P_" + n not in run.basic:
            continue
        u, i = signals["U_" + n], signals["I_" + n]
        s = rms(u) * rms(i)
        if s > 0:
            out["P"] = max(out["P"], ppm(run.inner("P_" + n), p_of(u, i), s))
            out["Q"] = max(out["Q"], ppm(run.inner("Q_" + n), q1_of(u, i), s))
    return out
