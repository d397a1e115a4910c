"""What a test plan gave: measured and judged points, composite errors, trials, and the verdict."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..pipeline.describe import SCHEMA_VERSION, program
from .coverage import TRIALS, Covered
from .evaluate import FAIL, INSUFFICIENT, PASS, Composite, Judged, worst_of
from .frontend import FrontEnd
from .rating import Rating

__all__ = ["Outcome", "table"]

_COLUMNS = (
    "id", "test", "I", "U", "f", "PF", "factor", "load", "direction", "energy", "temperature", "error_pct", "judged", "value_pct", "limit_pct",
    "margin_pct", "count", "sd_pct", "uncertainty_pct", "standard", "provenance", "verdict", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a test plan gave.

    Parameters
    ----------
    rating : Rating
    front_end : FrontEnd
    points : tuple of Judged
    composite : tuple of Composite
    starting, no_load, constant : mapping
        As `ctmeter.accuracy.trials` gives them.
    map : mapping
        `U`, V, `f`, Hz, and `error_pct`, rows of voltage by columns of frequency; empty where it was not measured.
    seconds : float
        How long it took.
    correction : mapping
        Of bench data: `settings`, the corrections found, and `points`, with errors before and after; empty where none were asked for.
    not_judged : tuple of str
        What could not be judged, and why, one line each.
    assumed : tuple of str
        What nobody stated and was taken to be so, one line each.
    coverage : tuple of Covered
        How much of each test of the type test was judged.
    """

    rating: Rating
    front_end: FrontEnd
    points: tuple[Judged, ...]
    composite: tuple[Composite, ...]
    starting: Mapping[str, Any]
    no_load: Mapping[str, Any]
    constant: Mapping[str, Any]
    map: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    correction: Mapping[str, Any] = field(default_factory=dict)
    not_judged: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    coverage: tuple[Covered, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether every limit that was judged is kept; "insufficient-data" where nothing was judged.

        A pass says nothing of what was not judged: see `complete`, `coverage` and `not_judged`.
        """
        trials = self.trials.values()
        verdicts = [p.verdict for p in self.points] + [c.verdict for c in self.composite] + [t["verdict"] for t in trials]
        return FAIL if FAIL in verdicts else PASS if PASS in verdicts else INSUFFICIENT

    @property
    def complete(self) -> bool:
        """Whether the whole type test was judged, and everything that was measured with a view to it."""
        return not self.not_judged and all(c.judged == c.planned for c in self.coverage)

    @property
    def trials(self) -> Mapping[str, Mapping[str, Any]]:
        """Starting, no-load and constant by their names in the result."""
        return dict(zip(TRIALS, (self.starting, self.no_load, self.constant), strict=True))

    @property
    def conclusion(self) -> str:
        """The verdict in words that say how far it reaches."""
        if self.complete or self.verdict != PASS:
            return self.verdict
        part, whole = sum(c.judged for c in self.coverage), sum(c.planned for c in self.coverage)
        return f"{self.verdict}, of what was judged: {part} of the {whole} results of the type test"

    @property
    def untested(self) -> tuple[Covered, ...]:
        """The tests of the type test of which something was not judged."""
        return tuple(c for c in self.coverage if c.judged < c.planned)

    @property
    def violations(self) -> tuple[str, ...]:
        """What did not keep its limit, one line each."""
        found = [f"{p.id}: {p.value:+.4f} %, limit {p.limit:g} %" for p in self.points if p.verdict == FAIL]
        found += [f"{c.id}: {c.error:.4f} %, permissible {c.mpe:g} %" for c in self.composite if c.verdict == FAIL]
        return (*found, *(name.replace("_", "-") for name, t in self.trials.items() if t["verdict"] == FAIL))

    @property
    def marginal(self) -> tuple[str, ...]:
        """The points that are nearer to their limit, on either side of it, than their uncertainty: the verdict may be the other one."""
        return tuple(p.id for p in self.points if p.margin is not None and abs(p.margin) < (p.reading.uncertainty or 0.0))

    @property
    def worst(self) -> Judged | Composite | None:
        """The point or composite error that uses most of its limit."""
        return worst_of((*self.points, *self.composite))

    def to_dict(self) -> dict[str, Any]:
        """Plain values: what `--json` prints."""
        worst = self.worst
        return {
            "schema_version": SCHEMA_VERSION,
            "program": program(),
            "verdict": self.verdict,
            "complete": self.complete,
            "class": self.rating.meter_class,
            "rating": self.rating.to_dict(),
            "front_end": {"name": self.front_end.name, "title": self.front_end.title},
            "points": [p.to_dict() for p in self.points],
            "composite": [c.to_dict() for c in self.composite],
            "starting": dict(self.starting),
            "no_load": dict(self.no_load),
            "constant": dict(self.constant),
            "map": dict(self.map),
            "worst": None if worst is None else worst.id,
            "violations": list(self.violations),
            "marginal": list(self.marginal),
            "not_judged": list(self.not_judged),
            "coverage": [c.to_dict() for c in self.coverage],
            "assumed": list(self.assumed),
            "seconds": self.seconds,
            **({"correction": dict(self.correction)} if self.correction else {}),
        }

    def to_csv(self) -> str:
        """The points as a table."""
        return table(_COLUMNS, [p.to_dict() for p in self.points])


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV; None is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row.get(c) is None else row[c] for c in columns])
    return out.getvalue()
