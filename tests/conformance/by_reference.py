"""The same cases through the slow reference: what a window ought to give, from samples by definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import ctmeter
import reference as ref
from conformance.cases import Case, Tolerance
from conformance.runner import Outcome

PHASES = ("L1", "L2", "L3")


class Reference:
    """One window of a synthesised recording, by definition.

    The grid is that of the specification: the frequency is known, and the first base's angle with it.
    """

    def __init__(self, case: Case) -> None:
        recording = ctmeter.synth.generate(case.signal)
        truth = recording.metadata["truth"]
        self.f = float(truth["values"]["f"])
        self.cycles = 10 if (case.settings.get("nominal_frequency") or 50) < 55 else 12
        self.nominal_current = float(case.settings.get("nominal_current") or 0)
        fs = float(case.signal["sample_rate"])
        margin = 150 / fs
        phase = truth["spectra"]["U_L1"]["harmonics"].get(1, {"angle": 0.0})["angle"] / 360
        self.grid = ref.Grid(self.f, phase)
        self.window = self.grid.window(int(np.ceil((margin) * self.f + phase)), self.cycles)
        samples = int(np.ceil((self.window[1] + margin) * fs)) + 2
        names = [c.name for c in recording.channels]
        values = recording.read(stop=samples)
        self.x = {n: ref.Sampled(values[:, k].copy(), fs) for k, n in enumerate(names)}
        for a, b in ((1, 2), (2, 3), (3, 1)):
            if f"U_L{a}" in self.x and f"U_L{b}" in self.x:
                self.x.setdefault(f"U_L{a}{b}", self.x[f"U_L{a}"] - self.x[f"U_L{b}"])
        if all(f"I_{p}" in self.x for p in PHASES):
            self.x.setdefault("I_N", ref.Sampled(sum(self.x[f"I_{p}"].x for p in PHASES), fs))
        self._bins: dict[str, np.ndarray] = {}

    def bins(self, channel: str, order: int) -> np.ndarray:
        """Lines as far as the order's groups reach."""
        count = self.cycles * (order + 1)
        if len(self._bins.get(channel, ())) < count:
            self._bins[channel] = ref.bins(self.x[channel], *self.window, count)
        return self._bins[channel]

    def column(self, name: str, order: int | None) -> float | None:
        """One column of `basic`, or one entry of a list; None where the reference has no opinion."""
        kind, _, phase = name.partition("_")
        if name in self.x:
            return self.x[name].rms(*self.window)
        if kind in ("HU", "HI", "IHU", "IHI") and order is not None:
            channel = f"{kind[-1]}_{phase}"
            if channel not in self.x:
                return None
            lines = self.bins(channel, order)
            if kind[0] == "I" and len(kind) == 3:
                return float(ref.interharmonic_subgroups(lines, self.cycles, order + 1)[order]) if len(lines) >= self.cycles * (order + 1) else None
            return float(ref.subgroups(np.append(lines, 0.0), self.cycles, order)[order])
        if kind in ("GU", "GI", "IGU", "IGI") and order is not None:
            lines = self.bins(f"{kind[-1]}_{phase}", order)
            which = ref.groups if kind[0] == "G" else ref.interharmonic_groups
            return float(which(lines, self.cycles, order + (kind[0] == "I"))[order])
        if kind in ("K", "TDD"):
            return self._factor(kind, phase)
        return self._fundamental(kind, phase) if kind in ("U1", "I1") else self._power(kind, phase)

    def _factor(self, kind: str, channel: str) -> float:
        orders = ref.subgroups(self.bins(channel, 50), self.cycles, 50)
        return ref.k_factor(orders) if kind == "K" else ref.tdd(orders, self.nominal_current)

    def _fundamental(self, kind: str, phase: str) -> float | None:
        channel = f"{kind[0]}_{phase}"
        return abs(ref.phasor(self.x[channel], self.f, *self.window)) if channel in self.x else None

    def _power(self, kind: str, phase: str) -> float | None:
        if kind in ("u2", "u0", "i2", "i0") and all(f"{kind[0].upper()}_{p}" in self.x for p in PHASES):
            ratios = ref.sequence_ratios(*(ref.phasor(self.x[f"{kind[0].upper()}_{p}"], self.f, *self.window) for p in PHASES))
            return ratios[0] if kind[1] == "2" else ratios[1]
        if phase:
            u, i = self.x.get(f"U_{phase}"), self.x.get(f"I_{phase}")
            if u is None or i is None:
                return None
            if kind in ("P1", "Q1", "S1"):
                power = ref.fundamental(u, i, self.f, self.window)
                return {"P1": power.real, "Q1": power.imag, "S1": abs(power)}[kind]
            if kind == "P":
                return ref.power(u, i, self.window)
            if kind == "Q":
                return ref.reactive(u, i, self.f, self.window)
            return ref.dpf(u, i, self.f, self.window) if kind == "DPF" else None
        if kind in ("P", "Q", "P1", "Q1") and all(f"{c}_{p}" in self.x for c in "UI" for p in PHASES):
            return sum(self._power(kind, p) or 0.0 for p in PHASES)
        if kind == "P" and {"U_L12", "U_L23", "I_L1", "I_L3"} <= self.x.keys():
            return ref.power(self.x["U_L12"], self.x["I_L1"], self.window) - ref.power(self.x["U_L23"], self.x["I_L3"], self.window)
        return None


def outcomes(case: Case, most_orders: int = 4) -> Iterator[Outcome]:
    """Compare the expected values of the table `basic` with the reference; of lists a few orders."""
    reference = Reference(case)
    for expect in case.expect:
        if expect.get("table", "basic") != "basic" or "value" not in expect or "reduce" in expect:
            continue
        if case.settings.get("reactive", "fundamental") != "fundamental":
            continue
        tolerance = Tolerance.of(expect["tolerance"])
        for name, order, want in _entries(expect, most_orders):
            got = reference.column(name, order)
            if got is not None:
                label = name if order is None else f"{name}[{order}]"
                yield Outcome(expect.get("quantity", ""), f"reference {label} {got:.9g}, expected {want:.9g}", tolerance.error(got, want), tolerance)


def _entries(expect: dict[str, Any], most: int) -> Iterator[tuple[str, int | None, float]]:
    value = expect["value"]
    for k, column in enumerate(expect["columns"]):
        if "orders" not in expect and "orders_except" not in expect:
            yield column, None, float(value[k] if isinstance(value, list) else value)
            continue
        orders = expect.get("orders") or [h for h in range(2, 51) if h not in expect["orders_except"]]
        orders = orders[k] if isinstance(orders[0], list) else orders
        own = value[k] if isinstance(value, list) and isinstance(value[0], list) else value
        step = max(1, len(orders) // most)
        for place in range(0, len(orders), step):
            yield column, int(orders[place]), float(own[place] if isinstance(own, list) else own)
