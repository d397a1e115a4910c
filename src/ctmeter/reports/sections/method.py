"""How the values came about, what is missing, and what was not measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...quantity import Flag
from ..blocks import Block, Facts, Heading, Section, Table, Words
from ..material import Material
from ..units import duration, si
from ..wording import left_out

__all__ = ["method"]

_REACTIVE = {"fundamental": "of the fundamental: U1 I1 sin φ1", "quarter-shift": "voltage shifted by a quarter period",
             "budeanu": "Budeanu: the sum of Uh Ih sin φh", "fryze": "Fryze: √(S² - P²)"}  # fmt: skip
_APPARENT = {"arithmetic": "sum of the phases' U times I", "vector": "√(P² + Q²) of the totals", "effective": "from effective voltage and current"}
_SUMMATION = {"vector": "direction and quadrant by the signs of the summed P and Q", "per-phase": "each phase by its own quadrant, then summed",
              "absolute": "a phase with P below 0 is turned round"}  # fmt: skip
_DISTURBANCES = ("dip", "swell", "interruption", "gap", "saturated", "not-finite", "no-lock", "incomplete")


def method(material: Material) -> Section:
    """Definitions, gaps, warnings, and what was not measured."""
    s, quality = material.summary["settings"], material.summary["quality"]
    rows: list[tuple[str, str]] = [
        ("windows", "10 cycles at 50 Hz or 12 at 60 Hz, joined, resynchronised every ten minutes (IEC 61000-4-30)"),
        ("harmonics", "sub-groups of the exact window (IEC 61000-4-7)"),
        ("reactive power", _REACTIVE.get(s["reactive"], s["reactive"])),
        ("apparent power", _APPARENT.get(s["apparent"], s["apparent"])),
        ("summation", _SUMMATION.get(s["summation"], s["summation"])),
        ("signs", "P above 0 is import; Q above 0 when the current lags while importing"),
    ]
    if s.get("nominal_voltage") is not None:
        thresholds = ", ".join(f"{name} {100 * s[name]:g} %" for name in ("dip", "swell", "interruption", "hysteresis"))
        rows.append(("events", f"Urms(1/2) against {s['reference']} reference: {thresholds}"))
    rows.append(("flagging", "intervals with a dip, swell or interruption are flagged and left out of statistics of ten minutes and more"))
    blocks: list[Block] = [Heading("Definitions"), Facts(rows), Heading("Quality of the data"), Facts(_quality(quality, material))]
    if (gaps := _gaps(material)) is not None:
        blocks.append(gaps)
    warnings = [str(w)[:2000] for r in material.recordings for w in r.get("warnings", ())] + [str(w)[:2000] for w in material.summary["warnings"]]
    if warnings:
        blocks += [Heading("Warnings", "warnings"), Words(list(dict.fromkeys(warnings))[:100], listed=True)]
    absent = [left_out(x) for x in (*material.summary["not_measured"], *((material.assessment or {}).get("not_measured") or ()))]
    blocks.append(Heading("Not measured", "not-measured"))
    blocks.append(Words(list(dict.fromkeys(absent)) or ["Nothing that this report would show was left out."], listed=bool(absent)))
    return Section("method", "Method, gaps and warnings", blocks)


def _quality(quality: Mapping[str, Any], material: Material) -> list[tuple[str, str]]:
    rows = [("samples", f"{quality['samples']} per channel, {quality['integrated']} integrated")]
    rows.append(("left out", ", ".join(f"{n} {reason}" for reason, n in quality["excluded"].items()) or "none"))
    if quality.get("gaps"):
        rows.append(("missing", f"{quality['gaps']} samples (gaps); missing time counts nothing and is not filled in"))
    for kind, words in (("not_finite", "missing or not finite"), ("saturated", "saturated")):
        if quality.get(kind):
            rows.append((words, ", ".join(f"{n} samples of {c}" for c, n in quality[kind].items())))
    for table, interval in quality["intervals"].items():
        words = {"basic": "windows", "cycle": "cycles"}.get(table, table)
        flagged = ", ".join(f"{n} {name}" for name, n in interval["flagged"].items()) or "none flagged"
        rows.append((f"flags of {interval['count']} {words}", flagged))
    if material.long:
        flags = material.flags("10min")
        counts = {f.label: int(((flags & f) != 0).sum()) for f in Flag}
        shown = ", ".join(f"{counts[name]} {name}" for name in _DISTURBANCES if counts.get(name)) or "none flagged"
        rows.append((f"flags of {len(flags)} intervals of ten minutes", shown))
    return rows


def _gaps(material: Material) -> Table | None:
    """Gaps and changes of each recording."""
    rows = []
    for r in material.recordings:
        gaps = r.get("gaps") or {}
        if gaps.get("count"):
            rate = r.get("sample_rate_hz")
            rows.append([_short(r), str(gaps["count"]), str(gaps["samples"]), duration(gaps["samples"] / rate) if rate else "–"])
        for segment in r.get("segments") or ():
            if segment.get("excluded"):
                rate = segment.get("sample_rate_hz")
                rows.append([f"{_short(r)}, {segment['excluded']}", "1", str(segment["samples"]), f"at {si(rate, 'Hz', 4)}" if rate else "–"])
    return Table(["recording", "gaps", "samples", "length"], rows, "Gaps and excluded stretches.") if rows else None


def _short(recording: Mapping[str, Any]) -> str:
    name = str(recording.get("source") or "samples in memory").replace("\\", "/").rsplit("/", 1)[-1]
    return name if len(name) <= 60 else name[:59] + "…"
