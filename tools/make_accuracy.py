#!/usr/bin/env python3
"""Make docs/accuracy.md: the table of limits with the largest error that any conformance case reached.

Runs every case of tests/conformance, the long ones too, which takes some minutes. With --check nothing
is run or written; the exit code says whether the page has the quantities and limits of tests/conformance/limits.toml, and
whether every error stands within its limit, but for quantities of cases that are known to fail.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from conformance import cases, runner  # noqa: E402

PAGE = ROOT / "docs" / "accuracy.md"
HEAD = """# Accuracy

What `measure` reaches against closed form and the tables of the standards: for each quantity the limit held here, the largest
error in any conformance case (`tests/conformance`), and what class A of IEC 61000-4-30 asks. Made by `tools/make_accuracy.py`.
Input is float64; rates and frequencies are those of the cases.

Harmonics and interharmonics of the cases stand on bins of the 10/12-cycle window. A line between two bins leaks into all others, as
the rectangular window of IEC 61000-4-7 demands: with sin(pi d)/(pi d) of its size into a bin d away, so that 5 % of U1 at order 51.55
shows as 0.17 % of U1 in the sub-group of order 50 (`tests/core/test_accuracy.py`).

"""
COLUMNS = ("quantity", "limit", "largest error", "class A", "sample rate, kHz", "frequency, Hz", "values compared")


def errors(case: cases.Case) -> tuple[list[tuple[str, float, str]], float, float]:
    """Quantity, error and unit of every outcome of one case, its sample rate and frequency."""
    measured = runner.Measured(case)
    found = [(o.quantity, o.error, o.tolerance.unit) for o in runner.outcomes(case, measured) if o.quantity]
    return found, measured.rate, float(measured.truth["values"]["f"])


def gathered() -> dict[str, dict[str, Any]]:
    """By quantity: largest error, number of outcomes, rates and frequencies."""
    known = cases.limits()
    out: dict[str, dict[str, Any]] = {}
    # the longest first, so that no process is left with one at the end
    every = sorted(cases.every(), key=lambda c: -c.signal["duration"] * c.signal["sample_rate"])
    with multiprocessing.get_context("spawn").Pool(os.cpu_count() or 1) as pool:
        for done, (found, rate, f) in enumerate(pool.imap_unordered(errors, every), 1):
            for quantity, error, unit in found:
                limit = cases.Tolerance.of(known[quantity]["limit"])
                entry = out.setdefault(quantity, {"error": 0.0, "count": 0, "rates": set(), "frequencies": set()})
                entry["error"] = max(entry["error"], error * cases.SCALE[unit] / cases.SCALE[limit.unit])
                entry["count"] += 1
                entry["rates"].add(rate)
                entry["frequencies"].add(round(f, 3))
            print(f"\r{done} of {len(every)} cases", end="", file=sys.stderr)
    print(file=sys.stderr)
    return out


def span(values: set[float], scale: float = 1.0) -> str:
    """The smallest and the largest."""
    low, high = min(values) / scale, max(values) / scale
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def shown(limit: str) -> str:
    """A limit as it stands in the table."""
    return limit.replace(" of reading", "")


def lines(reached: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The rows of the table."""
    for name, entry in cases.limits().items():
        got = reached[name]
        unit = cases.Tolerance.of(entry["limit"]).unit
        error = f"{got['error']:.2g}" + (f" {unit}" if unit else "") if math.isfinite(got["error"]) else "none reached"
        cells = (entry["title"], shown(entry["limit"]), error, entry["class_a"], span(got["rates"], 1e3), span(got["frequencies"]), str(got["count"]))
        yield f"| {' | '.join(cells)} |\n"


def page(reached: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of the page."""
    return HEAD + f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n" + "".join(lines(reached))


def faults() -> list[str]:
    """What the page has otherwise than the limits, without running anything."""
    if not PAGE.is_file():
        return [f"{PAGE.relative_to(ROOT)} is missing"]
    text = PAGE.read_text(encoding="utf-8")
    rows = [tuple(c.strip() for c in line.strip("|\n").split("|")) for line in text.splitlines() if line.startswith("| ")]
    want = [COLUMNS[:2] + COLUMNS[3:4]] + [(e["title"], shown(e["limit"]), e["class_a"]) for e in cases.limits().values()]
    have = [(r[0], r[1], r[3]) for r in rows]
    found = [f"{w[0]}: not as in limits.toml" for w in want if w not in have] + [f"{h[0]}: no longer in limits.toml" for h in have if h not in want]
    if not text.startswith(HEAD):
        found.append("the text before the table differs")
    for row in rows[1:]:
        limit = cases.Tolerance.of(row[1]).size
        try:
            reached = float(row[2].split()[0])
        except ValueError:
            reached = math.inf
        if reached > limit:
            found.append(f"{row[0]}: {row[2]} is beyond {row[1]}")
    return found


def main() -> int:
    """Write the page, or with --check look at it."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(gathered()), encoding="utf-8")
    wrong = faults()
    for fault in wrong:
        print(fault, file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
