"""The test rig: the waveform of a point, its true energy, and what the engine and the registers make of it behind a front end.

References
----------
IEC 62053-21:2003
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..engine import Engine, Registration
from ..errors import SettingsError
from ..meter.registers import KEYS, Registers
from ..recording import Wiring
from ..settings import Settings
from ..synth import recording_of
from ..synth.plan import Plan as Waveform
from ..synth.spec import read_plan
from ..synth.truth import truth
from .frontend import FrontEnd
from .points import Point
from .rating import Rating

__all__ = ["DEFAULT_SECONDS", "Reading", "Rig", "Run"]

#: Shortest length of a measurement, s, and the seconds of the registers' rows: whole cycles, and where there are bursts whole bursts.
DEFAULT_SECONDS, ROW_S, BURST_ROW_S = 8.0, 1.0, 2.0
_BURST = 4
_START = "2026-01-01T00:00:00Z"
_ROLES = ("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3")
_FRAMES = 1 << 16


@dataclass(frozen=True)
class Run:
    """What a run through engine and registers gave.

    Parameters
    ----------
    energy : mapping of register to float
        Ws, vars: whole millijoules and the remainder below them.
    rows : ndarray, float64, shape (n, 40)
        The energies at the ends of the registers' rows, Ws since the start.
    seconds : ndarray, float64, shape (n,)
        Those ends, s since the start by the meter's clock.
    pulses : tuple of ndarray
        Times of the pulses of each stream, s.
    """

    energy: Mapping[str, float]
    rows: np.ndarray
    seconds: np.ndarray
    pulses: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Reading:
    """A point measured.

    Parameters
    ----------
    point : Point
    error : float
        %, of the energy in the register against the true energy.
    uncertainty : float or None
        %, expanded (k = 2), of what varies within the run; None where that cannot be told.
    true, registered : float
        Ws or vars.
    """

    point: Point
    error: float
    uncertainty: float | None
    true: float
    registered: float


@dataclass(frozen=True)
class Rig:
    """Measures points.

    Parameters
    ----------
    rating : Rating
    front_end : FrontEnd
    seconds : float
        Shortest length of a measurement.
    """

    rating: Rating
    front_end: FrontEnd
    seconds: float = DEFAULT_SECONDS

    def waveform(self, point: Point, seconds: float | None = None) -> Waveform:
        """The waveform of a point, over whole cycles and whole bursts, sampled by the clock of the front end.

        Raises
        ------
        SettingsError
            A sample rate that does not carry the point.
        """
        length = whole(Fraction(point.f).limit_denominator(10**6), seconds or self.seconds, self.front_end.sample_rate)
        rate = self.front_end.sample_rate * self.front_end.clock(point.temperature)
        # by a clock that is fast there are more samples, to the nearest whole one
        samples = round(length * Fraction(rate))
        spec: dict[str, Any] = {
            "sample_rate": rate,
            "duration": samples / rate,
            "start": _START,
            "frequency": point.f,
            "nominal_frequency": self.rating.f_n,
            "channels": list(_ROLES),
            "voltage": {"amplitude": point.U},
            "current": {"amplitude": point.I, "lag": math.degrees(point.phi)},
            "channel": {f"U_{p}": {"amplitude": 0.0} for p in point.missing},
        }
        if point.load != "balanced":
            spec["channel"] |= {f"I_{p}": {"amplitude": 0.0} for p in ("L1", "L2", "L3") if p != point.load}
        if point.test in _SHAPES:
            _SHAPES[point.test](spec)
        return read_plan(spec)

    def measure(self, point: Point, repeat: int = 0) -> Reading:
        """The error at a point.

        Raises
        ------
        SettingsError
            A point without energy.
        """
        waveform = self.waveform(point)
        known = truth(waveform)
        energy = known["energy"][point.register]
        if not energy:
            raise SettingsError(f"point {point.id}: its true energy is {energy!r}, an error cannot be formed")
        true = 3600.0 * energy
        run = self.run(waveform, known, point, repeat)
        registered = run.energy[point.register]
        return Reading(point, 100 * (registered / true - 1), _scatter(run, KEYS.index(point.register)), true, registered)

    def run(self, waveform: Waveform, known: Mapping[str, Any], point: Point, repeat: int = 0, **registration: Any) -> Run:
        """A waveform through the front end, the engine and the registers.

        Parameters
        ----------
        waveform : synth.plan.Plan
        known : mapping
            Its truth.
        point : Point
        repeat : int
            Gives other noise.
        registration : mapping
            Of `ctmeter.engine.Registration`.
        """
        rms = {role: known["values"][role] for role in _ROLES}
        behind = self.front_end.through(waveform, self.rating, rms, point.temperature, f"{point.id} {repeat}")
        recording = recording_of(behind)
        settings = Settings(nominal_voltage=self.rating.u_n, nominal_frequency=self.rating.f_n, spectra="none", snippets=False)
        period = BURST_ROW_S if point.test == "sub-harmonics" else ROW_S
        given = {"period": period, "p_start": self.front_end.p_start, "p_creep": self.front_end.p_creep, **registration}
        # the meter believes its clock
        engine = Engine(
            settings, self.front_end.sample_rate, recording.channels, recording.start_ns, Wiring("3P4W"), registration=Registration(**given)
        )
        tables: dict[str, list[Any]] = {"register": [], "pulse": []}
        with recording:
            for block in recording.blocks(_FRAMES):
                engine.feed(block.raw)  # type: ignore[union-attr]
                for name, rows in engine.take().items():
                    if name in tables:
                        tables[name].append(rows)
        engine.flush()
        for name, rows in engine.take().items():
            if name in tables:
                tables[name].append(rows)
        energy = np.concatenate([r["energy"] for r in tables["register"]])
        registers = Registers(4, 1)
        registers.begin()
        for grown in registers.grow(energy):
            registers.add(grown, 1)
        start = recording.start_ns or 0
        ends = np.concatenate([r["end"] for r in tables["register"]])
        # the first sample stands for half an interval before it, too
        half = 0.5 / self.front_end.sample_rate
        streams = len(given.get("pulses", ()))
        times = [np.concatenate([r["t"][r["stream"] == k] for r in tables["pulse"]] or [np.empty(0)]) for k in range(streams)]
        return Run(
            {name: (registers.value(name) + registers.remainder(name)) / 1000 for name in registers.names() if "_" not in name},
            energy,
            (ends - start) * 1e-9 + half,
            tuple((t - start) * 1e-9 + half for t in times),
        )


def whole(f: Fraction, seconds: float, sample_rate: float) -> Fraction:
    """The shortest time of at least `seconds` with whole bursts of cycles and, where that is not far, whole samples."""
    burst = _BURST / f
    count = math.ceil(Fraction(seconds) / burst)
    samples = burst * Fraction(sample_rate).limit_denominator(10**6)
    step = samples.denominator
    rounded = -(-count // step) * step
    return burst * (rounded if rounded <= 4 * count else count)


def _scatter(run: Run, register: int) -> float | None:
    """Expanded uncertainty (k = 2) of the mean power, %, from its scatter over the rows of the registers."""
    # the first and the last row have parts of a cycle at the recording's ends
    powers = (np.diff(run.rows[:, register]) / np.diff(run.seconds))[:-1]
    if len(powers) < 2:
        return None
    mean = float(np.mean(powers))
    return 100 * 2 * float(np.std(powers, ddof=1)) / math.sqrt(len(powers)) / abs(mean) if mean else None


def _harmonic(spec: dict[str, Any]) -> None:
    # both in phase with the fundamental at the positive-going zero crossing
    spec["voltage"]["harmonics"] = [{"order": 5, "percent": 10.0, "phase": 0.0}]
    spec["current"]["harmonics"] = [{"order": 5, "percent": 40.0, "phase": 0.0}]


def _switched(waveform: str) -> Any:
    def shape(spec: dict[str, Any]) -> None:
        spec["current"] |= {"waveform": waveform, "amplitude_of": "total"}

    return shape


def _reversed(spec: dict[str, Any]) -> None:
    spec["sequence"] = "reversed"


_SHAPES = {
    "sequence": _reversed,
    "harmonic": _harmonic,
    "odd-harmonics": _switched("phase-fired"),
    "sub-harmonics": _switched("burst-fired"),
    "dc": _switched("half-wave"),
}
