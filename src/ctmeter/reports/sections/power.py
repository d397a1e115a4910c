"""Phasors, powers, energies and mean values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...quantity import ENERGIES, LINES, PHASES
from ..blocks import Block, Figure, Heading, Pair, Section, Table, Words
from ..charts.marks import style_of
from ..charts.phasor import Arrow, phasors, triangle
from ..material import Material
from ..units import number, si
from .spectra import of_extract
from .trends import load

__all__ = ["energies", "means", "phasor_section", "registers"]


def means(material: Material) -> Table:
    """Mean values by phase; the total stands first, where a phone shows it."""
    mean = material.summary["mean"]
    line = material.summary["wiring"] == "3P3W"
    voltages, currents = material.voltages, material.currents
    # the columns, each a phase and the voltage from line to line that begins with it
    pairs = [(p, q) for p, q in zip(PHASES, LINES, strict=True) if (q if line else p) in voltages or p in currents] or list(
        zip(PHASES, LINES, strict=True)
    )
    phases, lines = [p for p, _ in pairs], [q for _, q in pairs]
    rows: list[list[str]] = []

    def add(words: str, unit: str, values: list[Any], total: Any, digits: int = 5) -> None:
        if total is not None or any(v is not None for v in values):
            rows.append([words, *("" if v is None else si(v, unit, digits) for v in (total, *values)), *[""] * (len(pairs) - len(values))])

    def of(name: str, names: Sequence[str] = phases) -> list[Any]:
        return [mean.get(f"{name}_{p}") for p in names]

    add("voltage U", "V", of("U", lines if line else phases), None)
    if not line:
        add("voltage U of L12, L23, L31", "V", of("U", lines), None)
    add("current I", "A", of("I"), None)
    add("current of the neutral", "A", [], mean.get("I_N"))
    for name, words, unit in (("P", "active power P", "W"), ("Q", "reactive power Q", "var"), ("S", "apparent power S", "VA"),
                              ("PF", "power factor P/S", "1"), ("DPF", "cos φ of the fundamental", "1")):  # fmt: skip
        add(words, unit, of(name), mean.get(name))
    add("THD of the voltage", "%", of("THD_U", lines if line else phases), None, 3)
    add("THD of the current", "%", of("THD_I"), None, 3)
    add("unbalance u2", "%", [], mean.get("u2"), 3)
    add("unbalance u0", "%", [], mean.get("u0"), 3)
    add("frequency", "Hz", [], mean.get("f"), 6)
    heads = [f"{q} / {p}" if currents else q for p, q in pairs] if line else phases
    return Table(["mean value", "total", *heads], rows, "Mean values of the whole recording.")


def energies(material: Material) -> Table:
    """The energy registers by phase; the total stands first, where a phone shows it."""
    energy = material.summary["energy"]
    phases = [p for p in PHASES if any(energy.get(f"{e.name}_{p}") is not None for e in ENERGIES)]
    rows = []
    for e in ENERGIES:
        values = [energy.get(e.name)] + [energy.get(f"{e.name}_{p}") for p in phases]
        if any(v is not None for v in values):
            rows.append([e.name, e.meaning, *(si(v, e.unit) for v in values)])
    return Table(["register", "meaning", "total", *phases], rows, "Energy over the recording, by direction and quadrant.", named=2)


def registers(material: Material) -> Table | None:
    """The registers as a meter would show them at the start and at the end, where the recording has a clock."""
    recordings = [r for r in material.recordings if r.get("start") and r.get("end")]
    energy = material.summary["energy"]
    rows = []
    for e in ENERGIES[:4]:
        if energy.get(e.name) is not None:
            rows.append([e.name, e.meaning, si(0.0, e.unit), si(energy[e.name], e.unit)])
    if not recordings or not rows:
        return None
    return Table(["register", "meaning", "at the start", "at the end"], rows, "Registers counted from zero at the start of the recording.", named=2)


def _phasors(material: Material) -> dict[str, complex]:
    """Fundamental phasors by role, rms, against U of the first phase: of the means, else of the first cycles."""
    mean = material.summary["mean"]
    found = {}
    for kind, phases in (("U", material.voltages), ("I", PHASES)):
        for p in phases:
            size, angle = mean.get(f"{kind}1_{p}"), mean.get(f"phi_{kind}_{p}")
            if size is not None and angle is not None:
                found[f"{kind}_{p}"] = size * complex(math.cos(math.radians(angle)), math.sin(math.radians(angle)))
    if found:
        return found
    fitted = {role: complex(h[1]) for role, h in of_extract(material, 1).items() if np.isfinite(h[1]) and not role.endswith("_N")}
    reference = next((v for role, v in fitted.items() if role.startswith("U") and abs(v) > 0), None)
    turn = abs(reference) / reference if reference else 1.0
    return {role: v * turn for role, v in fitted.items()}


def arrows(found: Mapping[str, complex], largest: Mapping[str, float] | None = None, *, before: bool = False) -> list[Arrow]:
    """Arrows of phasors by role, each kind to the largest of its own."""
    top = largest or {k: max([abs(v) for role, v in found.items() if role[0] == k], default=0.0) for k in "UI"}
    made = []
    for role, value in found.items():
        if abs(value) > 0.005 * top[role[0]]:
            name = "" if before else role.replace("_", " ")
            phase = role.partition("_")[2]
            made.append(
                Arrow(name, abs(value) / top[role[0]], math.degrees(math.atan2(value.imag, value.real)), style_of(phase), role[0] == "I", before)
            )
    return made


def _degrees(value: complex) -> str:
    return f"{round(math.degrees(math.atan2(value.imag, value.real)), 2) + 0.0:.2f} °"


def phasor_table(found: Mapping[str, complex], caption: str) -> Table:
    """Magnitudes and angles."""
    rows = [[r.replace("_", " "), si(abs(v), "V" if r[0] == "U" else "A"), _degrees(v)] for r, v in found.items()]
    return Table(["phasor", "rms", "angle"], rows, caption)


def _sequences(found: Mapping[str, complex]) -> list[list[str]]:
    """Zero, positive and negative sequence of the voltages and currents where all three phases are there."""
    a = complex(-0.5, math.sqrt(0.75))
    rows = []
    for kind, unit in (("U", "V"), ("I", "A")):
        three = [found.get(f"{kind}_{p}") for p in PHASES]
        if all(v is not None for v in three):
            x, y, z = (v or 0j for v in three)
            for name, value in (("zero", (x + y + z) / 3), ("positive", (x + a * y + a * a * z) / 3), ("negative", (x + a * a * y + a * z) / 3)):
                rows.append([f"{kind} {name} sequence", si(abs(value), unit), _degrees(value) if abs(value) > 1e-9 * max(abs(x), 1e-12) else "–"])
    return rows


def pictures(material: Material) -> list[Block]:
    """Phasor diagram and power triangle beside each other, with their values."""
    found = _phasors(material)
    blocks: list[Block] = []
    beside: list[Figure | Table | Words] = []
    if found:
        table = phasor_table(found, "Phasors and symmetrical components of the fundamental, rms")
        alt = "Phasor diagram: " + ", ".join(f"{row[0]} {row[1]} at {row[2]}" for row in table.rows)
        svg = phasors(arrows(found), alt)
        table = Table(table.head, [*table.rows, *_sequences(found)], table.caption, folded=True)
        of = (
            "the mean of the recording"
            if any(k.startswith("phi_U") and v is not None for k, v in material.summary["mean"].items())
            else "of the first cycles"
        )
        beside.append(Figure(svg, svg, f"Fundamental phasors, {of}. Solid: voltages. Dashed, with a symbol: currents.", table, small=True))
    mean = material.summary["mean"]
    if all(mean.get(k) is not None for k in "PQS"):
        p, q, s = (float(mean[k]) for k in "PQS")
        words = [f"P {si(p, 'W', 4)}", f"Q {si(q, 'var', 4)}", f"S {si(s, 'VA', 4)}"]
        kind = "inductive" if p * q > 0 else "capacitive" if p * q < 0 else "resistive"
        svg = triangle(p, q, s, words, f"Power triangle: {', '.join(words)}")
        text = f"Power triangle, {kind}, power factor {number(float(mean['PF']), 4)}." if mean.get("PF") is not None else "Power triangle."
        if s > 1.002 * math.hypot(p, q):
            text += " Dotted: what S has beyond P and Q, by distortion and unbalance."
        rows = [["active P", words[0][2:]], ["reactive Q", words[1][2:]], ["apparent S", words[2][2:]]]
        beside.append(Figure(svg, svg, text, Table(["power", "mean"], rows, "Powers as a table", folded=True), small=True))
    if beside:
        blocks.append(Pair(beside))
    return blocks or [Words(["There are no phasors: no fundamental was found."])]


def phasor_section(material: Material, *, long: bool) -> Section:
    """Phasors and the power triangle; of a long recording energies, registers and load profile too."""
    blocks = pictures(material)
    if not long:
        return Section("phasors", "Phasors", blocks)
    blocks += [Heading("Mean values"), means(material), Heading("Energy", "energy"), energies(material)]
    if (table := registers(material)) is not None:
        blocks.append(table)
    profile = load(material, "10min")
    if profile:
        blocks += [Heading("Load profile", "load"), *profile]
    return Section("phasors", "Phasors, power and energy", blocks, page=True)
