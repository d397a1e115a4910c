"""Sums over the synthesised samples in closed form: what the energy of a recording is.

A product of two lines is a line at the difference of their frequencies and one at the sum; the sum
of a line's samples is a geometric series at constant frequency (Dirichlet's kernel), and its first
terms at the ends of the stretch, by partial summation, while the frequency drifts.
"""

from __future__ import annotations

import bisect
import itertools
import math
from fractions import Fraction

import numpy as np

from .lines import Lines
from .phase import Piece
from .plan import Modulation, Plan

__all__ = ["lines_at", "mean_product", "product_sum", "stretches"]

#: More stretches of constant conditions than this, and the sums are not worked out.
MOST = 4000


def lines_at(plan: Plan, role: str, sample: int) -> Lines:
    """The lines of a role under the events and phase jumps that hold at a sample, without modulation."""
    total: Lines = {}
    for base, weight in plan.mix[role].items():
        weight *= math.prod(e.residual for e in plan.events if base in e.channels and e.first <= sample < e.stop)
        jump = plan.jumped(base, sample)
        for (q, f), c in plan.bases[base].items():
            total[q, f] = total.get((q, f), 0) + weight * c * np.exp(2j * np.pi * float(q) * jump)
    if role not in plan.bases:
        factor = math.prod(e.residual for e in plan.events if role in e.channels and e.first <= sample < e.stop)
        total = {key: factor * c for key, c in total.items()}
    return total


def mean_product(a: Lines, b: Lines) -> float:
    """The mean of the product of two sums of lines, over a time long against their beats."""
    total = 0.0
    for key in a.keys() & b.keys():
        total += a[key].imag * b[key].imag if not any(key) else (a[key] * b[key].conjugate()).real / 2
    return total


def stretches(plan: Plan) -> list[tuple[int, int, int]] | None:
    """Where conditions are constant: (first sample, end, number of the law's piece); None if there are too many."""
    edges = {0, plan.samples}
    edges |= {j.first for j in plan.jumps} | {e.first for e in plan.events} | {e.stop for e in plan.events}
    edges |= {n for m in plan.missing for n in (m.first, m.stop)}
    knots = [math.ceil(p.t0 * plan.rate) for p in plan.law.pieces]
    edges |= set(knots)
    for m in plan.modulations:
        if m.shape == "rectangular":
            if 2 * m.rate * plan.samples / plan.rate > MOST:
                return None
            edges |= _switchings(m, plan)
    inside = sorted(e for e in edges if 0 <= e <= plan.samples)
    if len(inside) > MOST:
        return None
    return [(a, b, bisect.bisect_right(knots, a) - 1) for a, b in itertools.pairwise(inside)]


def _switchings(m: Modulation, plan: Plan) -> set[int]:
    """The first samples after the edges of a rectangular modulation, as `Modulation.factor` places them."""
    found = set()
    for offset in (0.0, m.duty):
        first = math.ceil(m.phase - offset - 1e-9)
        last = math.ceil(float(m.rate * plan.samples / plan.rate) + m.phase - offset)
        for k in range(first, last + 1):
            found.add(math.ceil((Fraction(k + offset - m.phase - 1e-9) / m.rate) * plan.rate))
    return found


def product_sum(plan: Plan, one: str, other: str) -> float | None:
    """The sum of the products of two roles' samples, over all samples that are there; None without a closed form."""
    parts = stretches(plan)
    if parts is None:
        return None
    total = 0.0
    for a, b, number in parts:
        if any(m.first <= a < m.stop and (m.cut or {one, other} & set(m.channels)) for m in plan.missing):
            continue
        part = _stretch(plan, one, other, a, b, plan.law.pieces[number])
        if part is None:
            return None
        total += part
    return total


def _stretch(plan: Plan, one: str, other: str, a: int, b: int, piece: Piece) -> float | None:
    """The sum of products within samples [a, b)."""
    qa, fa, ca = _arrays(plan, one, a)
    qb, fb, cb = _arrays(plan, other, a)
    if not (len(ca) and len(cb)):
        return 0.0
    # Im(A) Im(B) = Re(A conj(B) - A B) / 2
    q = np.concatenate([np.subtract.outer(qa, qb).ravel(), np.add.outer(qa, qb).ravel()])
    f = np.concatenate([np.subtract.outer(fa, fb).ravel(), np.add.outer(fa, fb).ravel()])
    c = np.concatenate([np.outer(ca, cb.conj()).ravel(), -np.outer(ca, cb).ravel()]) / 2
    kernel = _kernel(plan, q, f, a, b, piece)
    return None if kernel is None else float(np.sum((c * kernel).real))


def _arrays(plan: Plan, role: str, sample: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orders, frequencies and complex amplitudes of a role's lines at a sample, modulation as sidebands."""
    total: Lines = {}
    outer = 1.0
    if role not in plan.bases:
        outer = math.prod(e.residual for e in plan.events if role in e.channels and e.first <= sample < e.stop)
    for base, weight in plan.mix[role].items():
        lines = {key: outer * weight * c for key, c in lines_at(plan, base, sample).items()}
        for m in plan.modulations:
            if base not in m.bases:
                continue
            if m.shape == "rectangular":
                lines = {key: c * float(m.factor(sample, 1, plan.rate)[0]) for key, c in lines.items()}
            else:
                lines = _sidebands(lines, m)
        for key, c in lines.items():
            total[key] = total.get(key, 0) + c
    keys = [key for key, c in total.items() if c]
    return np.array([float(q) for q, _ in keys]), np.array([float(f) for _, f in keys]), np.array([total[key] for key in keys])


def _sidebands(lines: Lines, m: Modulation) -> Lines:
    """Lines times 1 + depth / 2 * sin(2 pi (rate t + phase))."""
    turn = np.exp(2j * np.pi * m.phase)
    out = dict(lines)
    for (q, f), c in lines.items():
        out[q, f - m.rate] = out.get((q, f - m.rate), 0) + m.depth / 4 * 1j * c / turn
        out[q, f + m.rate] = out.get((q, f + m.rate), 0) - m.depth / 4 * 1j * c * turn
    return out


def _kernel(plan: Plan, q: np.ndarray, f: np.ndarray, a: int, b: int, piece: Piece) -> np.ndarray | None:
    """The sums of exp(2 pi i (q theta + f t)) over samples [a, b)."""
    still = not piece.slope and not plan.law.drifts

    def phase(x: Fraction) -> np.ndarray:
        t = x / plan.rate
        exact, drift = plan.law.theta(t, piece)
        # orders are fractions with denominators up to 10 000, of which no two make more than 10^8
        turns: np.ndarray = q * (float(exact % 100_000_000) + drift) + f * float(t)
        return np.exp(2j * np.pi * turns)

    def rate(x: Fraction) -> np.ndarray:
        values: np.ndarray = (q * plan.law.frequency(x / plan.rate, piece) + f) / plan.sample_rate
        return values

    n = b - a
    middle = Fraction(a + b - 1, 2)
    nu = rate(middle)
    whole = np.rint(nu)
    d = nu - whole
    sums: np.ndarray = phase(middle) * n * np.sinc(d * n) / np.sinc(d) * np.where(whole * (n - 1) % 2, -1.0, 1.0)
    if not still:
        moving = q != 0
        first, last = a - Fraction(1, 2), b - Fraction(1, 2)
        low, high = np.sin(np.pi * rate(first)), np.sin(np.pi * rate(last))
        swing = np.abs(q) * plan.law.slew(piece) * n / plan.sample_rate**2
        reach = sum(abs(dr.deviation) for dr in plan.law.drifts) * 2 * np.abs(q) / plan.sample_rate
        if np.any(moving & (np.abs(d) <= 1e-4 + np.minimum(swing, reach + abs(float(piece.slope)) * np.abs(q) * n / plan.sample_rate**2))):
            return None
        low, high = np.where(moving, low, 1.0), np.where(moving, high, 1.0)
        ends = (phase(last) / high - phase(first) / low) / 2j
        sums = np.where(moving, ends, sums)
    return sums
