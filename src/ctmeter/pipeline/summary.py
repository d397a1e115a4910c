"""The summary of a result: the mapping that `summary.json` holds and `--json` prints."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..quantity import energy_keys
from ..recording import Wiring
from ..reports.units import si
from ..settings import Settings
from .describe import SCHEMA_VERSION, iso, plain, program
from .rows import Statistics
from .sides import nearest_standard_voltage

__all__ = ["Quality", "add_energy", "far_from_mains", "nearest_mains", "summarise", "without_nominal"]

MAINS = (50.0, 60.0)
#: Below this share of the integrated time the summary says what the means stand for.
_WHOLE = 0.9


def nearest_mains(frequency: float) -> float:
    """50 or 60 Hz, whichever is nearer in ratio."""
    return min(MAINS, key=lambda f: max(f / frequency, frequency / f))


def far_from_mains(frequency: float) -> bool:
    """Whether a frequency is outside the ranges of both mains (42.5-57.5 and 51-69 Hz)."""
    return not 42.5 <= frequency <= 69.0


class Quality:
    """Samples counted: every one is integrated or excluded with a reason; missing ones (`gaps`) are not samples."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self.samples = int(state.get("samples", 0))
        self.integrated = int(state.get("integrated", 0))
        self.excluded: Counter[str] = Counter(state.get("excluded", {}))
        self.gaps = int(state.get("gaps", 0))
        #: Length of the integrated samples, s; not part of `state`, which stands in the summary.
        self.seconds = 0.0
        self.channels = {kind: Counter(state.get(kind, {})) for kind in ("not_finite", "saturated")}

    def add(self, other: Mapping[str, Any], rate: float) -> None:
        """Add the counts of an engine that was fed at `rate`, Hz."""
        self.seconds += int(other["integrated"]) / rate
        self.samples += int(other["samples"])
        self.integrated += int(other["integrated"])
        self.excluded.update({k: int(v) for k, v in other["excluded"].items() if v and k != "gap"})
        self.gaps += int(other["excluded"].get("gap", 0))
        for kind, counts in self.channels.items():
            counts.update(other.get(kind, {}))

    def exclude(self, samples: int, reason: str) -> None:
        """Add samples that never came to an engine."""
        self.samples += samples
        self.excluded[reason] += samples

    def state(self) -> dict[str, Any]:
        """Plain values."""
        channels = {kind: dict(counts) for kind, counts in self.channels.items()}
        return {"samples": self.samples, "integrated": self.integrated, "excluded": dict(self.excluded), "gaps": self.gaps, **channels}


def add_energy(total: Mapping[str, float | None], more: Mapping[str, float | None]) -> dict[str, float | None]:
    """Energies of two stretches together; None where a register applies to neither."""
    result: dict[str, float | None] = {}
    for key in energy_keys():
        values = [v for v in (total.get(key), more.get(key)) if v is not None]
        result[key] = sum(values) if values else None
    return result


def without_nominal(mean: Mapping[str, float | None], wiring: Wiring) -> str:
    """What is left out without a nominal voltage, with the standard value the voltages look like."""
    text = "no nominal voltage: events, deviations and EN 50160 are left out"
    values = [v for p in wiring.voltages if (v := mean.get(f"U_{p}")) is not None and v > 0]
    if values:
        near = nearest_standard_voltage(max(values), wiring)
        kind = "line-to-line" if wiring.name == "3P3W" else "phase-to-neutral"
        measured = f"{si(max(values), 'V', 4)} {kind}"
        text += f"; {measured} measured" + (f", the nearest standard value is {near:g} V (--un {near:g})" if near else " is near no standard value")
    return text


def _no_fundamental(statistics: Statistics, f: float | None, seconds: float, nominal: float) -> str:
    """What is said where there is no frequency in a recording of so many seconds, or not in most of its windows."""
    if f is None and 0 < seconds < 2 / nominal:
        return f"too short for a frequency: {si(seconds, 's', 3)}, less than two cycles of {nominal:g} Hz"
    if not statistics.rows:
        return ""
    share = statistics.without_frequency / statistics.rows
    if share >= 1 or f is None:
        return "no fundamental was found between 12 and 130 Hz: a wrong sample rate or time column? (--rate)"
    if share > 1 - _WHOLE:
        return f"no fundamental could be followed in {100 * share:.0f} % of the windows: no voltage there, or a frequency far from the first"
    return ""


def _covered(statistics: Statistics, quality: Quality) -> str:
    """What is said where the means stand for a part of the recording only."""
    share = statistics.seconds / quality.seconds if quality.seconds > 0 else 1.0
    if not statistics.seconds or share >= _WHOLE:
        return ""
    return f"means cover {100 * share:.0f} % of the recording: {si(statistics.seconds, 's', 3)} of the {si(quality.seconds, 's', 3)} integrated"


def _doubts(settings: Settings, mean: Mapping[str, float | None], wiring: Wiring, said: Sequence[str]) -> list[str]:
    """What the means say about the settings."""
    notes = []
    if settings.nominal_voltage is not None:
        values = [v for p in wiring.voltages if (v := mean.get(f"U_{p}")) is not None]
        if values and not 0.5 <= max(values) / settings.nominal_voltage <= 2.0:
            nominal, measured = si(settings.nominal_voltage, "V", 4), si(max(values), "V", 4)
            notes.append(f"the nominal voltage is {nominal}, {measured} measured: the wrong side, ratio or nominal voltage?")
    f = mean.get("f")
    if f is not None and far_from_mains(f) and not any("far from" in note for note in said):
        notes.append(f"the frequency, {f:.5g} Hz, is far from any mains frequency: an unusual source, or a wrong sample rate or time column (--rate)")
    elif f is not None and settings.nominal_frequency is not None and nearest_mains(f) != settings.nominal_frequency:
        given = settings.nominal_frequency
        notes.append(f"the nominal frequency is {given:g} Hz, {f:.5g} Hz measured: a wrong nominal frequency (--fn) or sample rate?")
    return notes


def _not_numbers(energy: Mapping[str, float | None], mean: Mapping[str, float | None], extremes: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """What will be null because it came out as NaN or infinity; nothing of the kind is left out in silence."""
    kinds = {
        "energies": energy,
        "means": mean,
        "extremes": {name: v["max"] - v["min"] for name, v in extremes.items() if v is not None},
    }
    notes = []
    for kind, values in kinds.items():
        names = [name for name, v in values.items() if v is not None and not math.isfinite(v)]
        if names:
            notes.append(f"{kind} that are no finite numbers, left empty: {', '.join(names[:12])}{' and more' if len(names) > 12 else ''}")
    return notes


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table `events` with its times as text."""
    return {**event, "t": iso(event["t"]), "detail": [{**d, "t": iso(d["t"])} for d in event["detail"]]}


def _left_out(settings: Settings, mean: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the recording or the settings gave no ground for."""
    reasons = (
        ("harmonics", settings.spectra == "none", "spectra are switched off"),
        ("mains signalling", settings.signalling_frequency is None, "no signalling frequency"),
        ("mains signalling", settings.signalling_frequency is not None and settings.spectra == "none", "spectra are switched off"),
        ("TDD", settings.nominal_current is None, "no nominal current"),
        ("TDD", settings.nominal_current is not None and settings.spectra == "none", "spectra are switched off"),
        ("power sets", settings.power_sets and mean.get("Ue") is None, "they need windows of three voltages and three currents"),
        ("flicker", not any(k.startswith("Pinst") and v is not None for k, v in mean.items()), "too short, too slowly sampled, or no voltage"),
    )
    return [{"what": what, "why": why} for what, absent, why in reasons if absent]


def summarise(
    *,
    recording: dict[str, Any],
    settings: Settings,
    wiring: Wiring,
    sides: Mapping[str, str],
    energy: Mapping[str, float | None],
    statistics: Statistics,
    source_table: str,
    events: Sequence[Mapping[str, Any]],
    quality: Quality,
    notes: Sequence[str],
) -> dict[str, Any]:
    """The summary, `schema_version` first.

    Parameters
    ----------
    recording : dict
        From `describe`.
    source_table : str
        The table whose rows gave mean and extremes: "basic", or "cycle" for short recordings.
    """
    mean, found = statistics.mean(), statistics.extremes()
    warnings = [*notes, *_doubts(settings, mean, wiring, notes), *_not_numbers(energy, mean, found)]
    nothing = _no_fundamental(statistics, mean.get("f"), recording["duration_s"], settings.nominal_frequency or MAINS[0])
    warnings += filter(None, (nothing, _covered(statistics, quality) if source_table == "basic" else ""))
    not_measured = _left_out(settings, mean)
    if settings.nominal_voltage is None:
        warnings.append(without_nominal(mean, wiring))
        not_measured += [{"what": what, "why": "no nominal voltage"} for what in ("events", "deviations", "EN 50160")]
    if source_table == "cycle" and statistics.rows:
        warnings.append("shorter than one 10/12-cycle window: means are of whole cycles")
    elif not statistics.rows:
        warnings.append("no whole cycle was found: there are energies, but no means")
    extremes = {
        name: value and {"min": value["min"], "t_min": iso(value["t_min"]), "max": value["max"], "t_max": iso(value["t_max"])}
        for name, value in found.items()
    }
    summary = {
        "schema_version": SCHEMA_VERSION,
        "program": program(),
        "recording": recording,
        "settings": settings.to_dict(),
        "wiring": wiring.name,
        "sides": dict(sides),
        "energy": {key: energy.get(key) for key in energy_keys()},
        "mean": mean,
        "extremes": extremes,
        "events": {"counts": dict(Counter(str(e["type"]) for e in events)), "list": [_event(e) for e in events]},
        "quality": {**quality.state(), "intervals": {source_table: {"count": statistics.rows, "flagged": statistics.flags}}},
        "not_measured": not_measured,
        "warnings": warnings,
    }
    cleaned: dict[str, Any] = plain(summary)
    return cleaned
