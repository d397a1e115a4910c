"""The full type test of a meter, over two processors."""

from __future__ import annotations

import time

from benchmarks.measure import Row, Table

from ctmeter import accuracy

#: Seconds that the full plan may take on two processors, and points that it has at least.
SECONDS, POINTS = 60.0, 120


def test_full_plan(report):
    """Class C, every point, composite error and trial: under 60 s on two processors."""
    rows = []
    for front_end in ("ideal", "class-c-like"):
        began = time.perf_counter()
        result = accuracy.run("C", 5.0, front_end, jobs=2)
        seconds = time.perf_counter() - began
        assert len(result.points) >= POINTS and result.verdict == "pass"
        rows.append(Row(front_end, 1e3 * seconds, 0.0, seconds, SECONDS, note=f"{len(result.points)} points"))
    report(Table("full plan, class C", "s", rows))
