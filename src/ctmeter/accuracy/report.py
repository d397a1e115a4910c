"""The forms in which the outcome of an accuracy test is written down."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..store.results import write_text, writing
from .evaluate import worst_of
from .outcome import Outcome, table

__all__ = ["Report"]


@dataclass(frozen=True)
class Report(Outcome):
    """An outcome that can be written down; see `Outcome` for what it holds."""

    def text(self) -> str:
        """The result in some lines: the load curves, then each test with its worst point, then the verdict."""
        rating = self.rating
        range_ = f"{rating.amperes('Imin'):g}-{rating.i_n:g}({rating.i_max:g}) A"
        lines = [f"class {rating.meter_class}, {range_}, {self.front_end.title or self.front_end.name}"]
        lines.append(f"{'test':<16}{'points':>7}{'worst':>12}{'limit':>10}  at")
        for test in dict.fromkeys((p.reading.point.energy, p.reading.point.test) for p in self.points):
            those = [p for p in self.points if (p.reading.point.energy, p.reading.point.test) == test]
            worst = worst_of(those)
            if worst is not None:
                name = test[1] if test[0] == "active" else f"{test[1]} (var)"
                lines.append(f"{name:<16}{len(those):>7}{worst.value:>+12.5f}{worst.limit:>10.3g}  {worst.id}")
        for band in dict.fromkeys(c.band for c in self.composite):
            top = max((c for c in self.composite if c.band == band), key=lambda c: c.share)
            number = sum(c.band == band for c in self.composite)
            lines.append(f"{'MPE ' + band:<16}{number:>7}{top.error:>12.5f}{top.mpe:>10.3g}  {top.load}/{top.factor}/{top.I:g}A")
        for name, trial in self.trials.items():
            lines.append(f"{name.replace('_', '-'):<16}{'':>7}{trial['verdict'] or 'not tested':>12}")
        if self.untested:
            lines.append(f"judged of the type test: {', '.join(f'{c.name} {c.judged} of {c.planned}' for c in self.untested)}")
        lines += [f"corrected: {p['id']}: {p['before_pct']:+.5f} % before, {p['after_pct']:+.5f} % after" for p in self.correction.get("points", ())]
        lines += [f"assumed: {line}" for line in self.assumed]
        lines += [f"not judged: {line}" for line in self.not_judged]
        lines += [f"within its uncertainty of the limit: {name}" for name in self.marginal]
        lines += [f"not kept: {v}" for v in self.violations]
        return "\n".join([*lines, f"verdict: {self.conclusion}"])

    def save(self, directory: str | os.PathLike[str], *, pictures: bool = True) -> list[Path]:
        """Write `accuracy.json`, `points.csv`, `composite.csv`, charts as SVG and PNG, and `accuracy.html`.

        Parameters
        ----------
        directory : path
        pictures : bool
            With charts and page, which need the extra `report`.

        Raises
        ------
        StoreError
            It cannot be written.
        """
        place = Path(directory)
        with writing(place):
            place.mkdir(parents=True, exist_ok=True)
        made = [
            write_text(place / "accuracy.json", json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"),
            write_text(place / "points.csv", self.to_csv()),
        ]
        if self.composite:
            rows = [{**c.to_dict(), **{f"{k}_part_pct": v for k, v in c.parts.items()}} for c in self.composite]
            made.append(write_text(place / "composite.csv", table([k for k in rows[0] if k != "parts_pct"], rows)))
        if pictures:
            from .charts import figures
            from .page import page

            drawn = figures(self)
            for name, figure in drawn.items():
                for kind in ("png", "svg"):
                    with writing(place):
                        figure.savefig(place / f"{name}.{kind}", dpi=120)
                    made.append(place / f"{name}.{kind}")
            made.append(write_text(place / "accuracy.html", page(self, drawn)))
        return made
