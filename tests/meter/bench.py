"""What tests of the meter share: rows of registers with their closed form, a machine that takes them, sine waves as recordings."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctmeter.meter.config import MeterConfig
from ctmeter.meter.machine import Machine
from ctmeter.meter.quality import GOOD, Quality
from ctmeter.meter.registers import KEYS
from ctmeter.recording import Recording, Segment, nanoseconds

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
PHASES = ("L1", "L2", "L3")
FS = 1600.0


def ns(*utc: int) -> int:
    """Ns UTC of a date and time."""
    return (dt.datetime(*utc, tzinfo=dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1000


START = ns(2026, 1, 1)


def energies(p: Any, q: Any, n: int) -> np.ndarray:
    """Powers that fill the ten registers of a total or of a phase, shape (n, 10), W, var, VA; S = sqrt(P^2 + Q^2)."""
    p, q = np.broadcast_to(np.asarray(p, float), n), np.broadcast_to(np.asarray(q, float), n)
    imports, inductive, s = p >= 0, q >= 0, np.hypot(p, q)
    r1, r2, r3, r4 = (
        np.where(imports == a, np.where(inductive == b, np.abs(q), 0.0), 0.0) for a, b in ((True, True), (False, True), (False, False), (True, False))
    )
    parts = [np.maximum(p, 0), np.maximum(-p, 0), r1 + r2, r3 + r4, r1, r2, r3, r4, np.where(imports, s, 0), np.where(imports, 0, s)]
    return np.stack(parts, 1)


def rows(
    start_ns: int, seconds: float, p: Any = 0.0, q: Any = 0.0, *, step: float = 1.0, flags: Any = 0, u: Any = 230.0, **means: Any
) -> dict[str, np.ndarray]:
    """Rows as the engine gives them: powers that are shared by three phases alike, from a run that begins at `start_ns`."""
    n = round(seconds / step)
    t = start_ns + np.arange(n, dtype=np.int64) * round(step * S)
    total = energies(p, q, n)
    energy = np.cumsum(np.concatenate([total, total / 3, total / 3, total / 3], 1) * step, axis=0)
    columns = {"P": p, "Q": q, "S": np.hypot(p, q), "f": 50.0, "sequence": 1.0}
    for phase in PHASES:
        columns |= {f"U_{phase}": u, f"I_{phase}": np.abs(p) / 690.0, f"P_{phase}": np.asarray(p) / 3, f"Q_{phase}": np.asarray(q) / 3}
    columns |= means
    wide = {name: np.broadcast_to(np.asarray(v, float), n).copy() for name, v in columns.items()}
    return {"t": t, "end": t + round(step * S), "energy": energy, "flags": np.broadcast_to(np.uint32(flags), n).copy(), **wide}


class Bench:
    """A machine that is fed with runs of constant or given powers."""

    def __init__(self, **config: Any) -> None:
        self.machine = Machine(MeterConfig(**config))

    def run(
        self,
        start_ns: int,
        seconds: float,
        p: Any = 0.0,
        q: Any = 0.0,
        *,
        changes: Sequence[Any] = (),
        quality: Quality = GOOD,
        size: int = 977,
        **given: Any,
    ) -> Bench:
        """One run, in calls of `size` rows."""
        made = rows(start_ns, seconds, p, q, **given)
        self.machine.begin(start_ns, changes, quality)
        for a in range(0, len(made["t"]), size):
            self.machine.feed({name: v[a : a + size] for name, v in made.items()})
        return self

    def kwh(self, name: str, side: str = "secondary") -> float:
        return self.machine.registers.value(name, side) / 3.6e9

    def table(self, name: str) -> list[tuple[Any, ...]]:
        return self.machine.out.get(name, [])

    def events(self, kind: str) -> list[tuple[int, str, str]]:
        """Time, edge and phase."""
        return [(t, edge, phase) for t, k, edge, phase, _ in self.table("events") if k == kind]

    def billing(self) -> list[dict[str, Any]]:
        return [json.loads(record) for *_, record in self.table("billing")]


def sines(
    seconds: float,
    power: Any = (1000.0, 1000.0, 1000.0),
    lag: Any = 0.0,
    *,
    fs: float = FS,
    f: float = 50.0,
    u: float = 230.0,
    start: str | int | None = "2026-01-01T00:00:00Z",
    order: Sequence[int] = (0, 1, 2),
    status: Mapping[str, np.ndarray] | None = None,
) -> Recording:
    """Sines of constant S in each phase, VA; a lag in degrees for all phases or each."""
    n = round(seconds * fs)
    phase = 2 * np.pi * f / fs * np.arange(n)
    lags = np.broadcast_to(np.deg2rad(lag), 3)
    waves = {}
    for k, name in enumerate(PHASES):
        turn = phase - 2 * np.pi * order[k] / 3
        waves[f"U_{name}"] = u * np.sqrt(2) * np.cos(turn)
        waves[f"I_{name}"] = power[k] / u * np.sqrt(2) * np.cos(turn - lags[k])
    recording = Recording.from_arrays(waves, sample_rate=fs, start=None if isinstance(start, int) else start)
    if isinstance(start, int):
        recording.segments = (Segment(0, n, fs, start),)
    if status:
        recording.source = type(recording.source)(_with_status(waves, status))
        recording.status_channels = tuple(status)
    return recording


def _with_status(waves: Mapping[str, np.ndarray], status: Mapping[str, np.ndarray]) -> Any:
    from ctmeter.recording import _Arrays

    return _Arrays(list(waves.values()), np.stack([np.asarray(v, np.uint8) for v in status.values()], 1))


def iso_ns(text: str) -> int:
    found = nanoseconds(text)
    assert found is not None
    return found


assert KEYS[:10] == ("A+", "A-", "R+", "R-", "R1", "R2", "R3", "R4", "E+", "E-")
