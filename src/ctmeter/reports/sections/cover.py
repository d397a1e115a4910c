"""The first page: what was recorded where and when, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..blocks import Block, Facts, Row, Section, Sign, Table, Verdict, Words
from ..material import Material, instant, local, when
from ..units import duration, number, si
from ..wording import MARKS, deciding, name_of, verdict_words
from .assessed import parameters, weeks

__all__ = ["facts", "header", "title", "verdict_section"]


def title(material: Material) -> str:
    """The name of what was recorded."""
    names = list(dict.fromkeys(_name(r) for r in material.recordings))
    site = next((s for r in material.recordings if (s := _said(r, "station"))), "")
    first = names[0] if names else "recording"
    many = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (f"{site} · {first}{many}" if site else f"{first}{many}")[:200]


def _name(recording: Mapping[str, Any]) -> str:
    return str(recording.get("source") or "recording").replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or "recording"


def _said(recording: Mapping[str, Any], key: str) -> str:
    return str((recording.get("metadata") or {}).get(key) or "").strip()


def header(material: Material) -> list[str]:
    """The lines under the title."""
    seconds = sum(float(r.get("duration_s") or 0) for r in material.recordings)
    formats = ", ".join(dict.fromkeys(str(r.get("format")) for r in material.recordings if r.get("format")))
    start = next((r["start"] for r in material.recordings if r.get("start")), None)
    begun = f"{when(start)} UTC" if start else "no clock"
    return [" · ".join(x for x in (begun, duration(seconds), material.summary["wiring"], formats) if x)]


def _period(material: Material) -> list[str]:
    starts = [instant(r.get("start")) for r in material.recordings if r.get("start")]
    ends = [instant(r.get("end")) for r in material.recordings if r.get("end")]
    if not starts or not ends:
        return ["no clock: times are counted from the first sample"]
    first, last = min(t for t in starts if t is not None), max(t for t in ends if t is not None)
    lines = [f"{when(first)} to {when(last)} UTC ({duration(float((last - first) / np.timedelta64(1, 'ns')) * 1e-9)})"]
    here, there = local(first, material.zone), local(last, material.zone)
    if here.utcoffset() or there.utcoffset():
        lines.append(f"{here:%Y-%m-%d %H:%M:%S} {here.tzname()} to {there:%Y-%m-%d %H:%M:%S} {there.tzname()} local time")
    if here.utcoffset() != there.utcoffset():
        lines.append("The clocks were changed within the period; intervals and curves are in UTC, which knows no such change.")
    return lines


def _coverage(material: Material) -> str:
    """Valid, flagged and missing intervals of ten minutes in the period from first to last."""
    t = material.time("10min")
    expected = round((t[-1] - t[0]) / 6e11) + 1
    flagged = int(material.disturbed("10min").sum())
    parts = ((len(t) - flagged, "valid"), (flagged, "flagged by events"), (expected - len(t), "missing"))
    return ", ".join(f"{100 * n / expected:.4g} % {words} ({n})" for n, words in parts) + f" of {expected} intervals of ten minutes"


def facts(material: Material) -> Facts:
    """Site, period, nominal values, sides, coverage, hashes and program."""
    s = material.summary["settings"]
    rows: list[tuple[str, str | Sign | list[str]]] = []
    sites = list(dict.fromkeys(x for r in material.recordings if (x := _said(r, "station"))))
    devices = list(dict.fromkeys(x for r in material.recordings if (x := _said(r, "device"))))
    if sites:
        rows.append(("site", ", ".join(sites)[:300]))
    if devices:
        rows.append(("recorder", ", ".join(devices)[:300]))
    rows.append(("period", _period(material)))
    un, fn = s.get("nominal_voltage"), s.get("nominal_frequency")
    kind = "line-to-line" if material.summary["wiring"] == "3P3W" else "phase-to-neutral"
    rows.append(("nominal voltage", f"{si(un, 'V', 4)} {kind}" if un else "not given"))
    rows.append(("nominal frequency", f"{fn:g} Hz" if fn else "not given"))
    rows.append(("wiring", material.summary["wiring"]))
    rows.append(("ratios and sides", _sides(material)))
    if material.assessment is not None:
        rows.append(("assessed by", _edition(material.assessment)))
    if material.long:
        rows.append(("data coverage", _coverage(material)))
    if material.digests:
        of_files = [f"{name[-120:]}, SHA-256 {digest}" for name, digest in material.digests[:50]]
        rows.append(("results" if len(of_files) > 1 else "result", [*of_files, f"of {material.digested}, one after the other"]))
    rows.append(("recordings" if len(material.recordings) > 1 else "recording", [_input(r) for r in material.recordings[:50]]))
    program = material.summary["program"]
    rows.append(("program", f"{program['name']} {program['version']}"))
    return Facts(rows)


def _edition(assessment: Mapping[str, Any]) -> str:
    named = str(assessment.get("title") or f"EN 50160:{assessment.get('edition')}")
    own = assessment.get("user") or assessment.get("limits")
    return f"{named}, {assessment.get('level')}" + (f", with the limits of {own}" if isinstance(own, str) else "")


def _sides(material: Material) -> str:
    s = material.summary["settings"]
    parts = [f"{kind} {side}" for kind, side in material.summary["sides"].items()]
    ratios = [f"{name} {s[key]:g}" for name, key in (("VT ratio", "vt_ratio"), ("CT ratio", "ct_ratio")) if s.get(key) is not None]
    if not ratios:
        own = {
            (c["role"][0], c["ratio"])
            for r in material.recordings
            for c in r.get("channels", ())
            if c.get("role") and c.get("ratio") not in (None, 1, 1.0)
        }
        ratios = [f"{'VT' if kind == 'U' else 'CT'} ratio {ratio:g} by the file" for kind, ratio in sorted(own)]
    return "; ".join([", ".join(parts), *(ratios or ["no ratio"])])


def _input(recording: Mapping[str, Any]) -> str:
    digest = recording.get("sha256")
    rate = recording.get("sample_rate_hz")
    parts = [
        _name(recording)[:120],
        f"{rate:.8g} Hz" if rate else "",
        f"{recording['samples']} samples" if recording.get("samples") is not None else "",
    ]
    return ", ".join(p for p in parts if p) + f", SHA-256 {digest}" * bool(digest) + ", no SHA-256 taken (measure --hash)" * (not digest)


def verdict_section(material: Material) -> Section:
    """The verdict, why it is so, and the facts it stands on."""
    blocks: list[Block] = [_verdict(material), facts(material)]
    if len(weeks(material)) > 1:
        blocks.append(_weeks(material))
    unverified = _unverified(material)
    if unverified:
        blocks.append(Words([f"* Numbers that were not checked against the text of the standard: {', '.join(unverified)}."], note=True))
    return Section("verdict", "Verdict", blocks)


def _unverified(material: Material) -> list[str]:
    """What rests on numbers that nobody compared with the standard."""
    own = [
        p for p in parameters(material) if any(isinstance(p.get(k), Mapping) and not p[k].get("verified", True) for k in ("limit", "limit_always"))
    ]
    others = [str(x) for x in (material.assessment or {}).get("unverified") or () if x not in {p.get("quantity") for p in own}]
    return list(dict.fromkeys([*(name_of(p) for p in own), *(x.removeprefix("events.").replace("_", " ") for x in others)]))


def _verdict(material: Material) -> Verdict:
    assessment = material.assessment
    if assessment is None:
        reasons = list(material.unassessed) or ["no assessment was made"]
        return Verdict(None, "NOT ASSESSED", ["There is no verdict by EN 50160: " + "; ".join(reasons) + "."])
    verdict = str(assessment.get("verdict"))
    found = deciding(parameters(material))
    failed, missing = ([p for p in found if p.get("verdict") == v] for v in ("fail", "insufficient-data"))
    sentences = [f"{_edition(assessment)}, {len(weeks(material))} week{'s' if len(weeks(material)) != 1 else ''}."]
    if failed:
        sentences.append(f"Beyond the limits: {_listed(failed)}.")
    elif verdict == "pass":
        sentences.append(f"All {len(found)} parameters are within their limits.")
    if missing:
        sentences.append(f"Not enough valid data: {_listed(missing)}.")
    if verdict == "insufficient-data":
        sentences += [str(reason) + "." for week in weeks(material) for reason in week.get("reasons", ())][:4]
    return Verdict(verdict, MARKS[verdict][1] if verdict in MARKS else verdict.upper(), sentences)


def _listed(found: list[Mapping[str, Any]]) -> str:
    grouped: dict[str, list[str]] = {}
    for p in found:
        phase = str(p.get("phase") or "")
        phases = grouped.setdefault(name_of(p), [])
        if phase and phase not in phases:
            phases.append(phase)
    words = [f"{name} {' '.join(phases)}".strip() for name, phases in grouped.items()]
    return ", ".join(words[:12]) + (f" and {len(words) - 12} more" if len(words) > 12 else "")


def _weeks(material: Material) -> Table:
    rows: list[Row] = []
    for week in weeks(material):
        verdict = str(week.get("verdict"))
        coverage = week.get("coverage")
        share = coverage.get("share") if isinstance(coverage, Mapping) else coverage
        failed = sum(p.get("verdict") == "fail" for p in deciding(week.get("parameters", ())))
        cells = [
            when(week.get("start"), 0),
            when(week.get("end"), 0),
            number(float(share), 4) if isinstance(share, (int, float)) else "–",
            str(failed),
        ]
        rows.append([*cells, Sign(verdict, verdict_words(week))])
    return Table(["from, UTC", "to, UTC", "valid, %", "parameters beyond", "verdict"], rows, "The weeks.", named=2)
