"""The summary of a measurement on the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any

from ..quantity import ENERGIES, LINES, PHASES
from .units import duration, si

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "print_events", "print_recording", "print_summary"]

_ROWS = (("U", "V"), ("I", "A"), ("P", "W"), ("Q", "var"), ("S", "VA"), ("PF", "1"))

_MEANING = {"A+": " import", "A-": " export", "E+": " import", "E-": " export"}


def console(file: IO[str] | None = None) -> Console:
    """A console that honours NO_COLOR and is 80 columns wide where there is no terminal."""
    from rich.console import Console

    return Console(file=file, highlight=False, soft_wrap=False)


def _table(*heads: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for k, head in enumerate(heads):
        table.add_column(head, justify="left" if k == 0 else "right", no_wrap=True)
    return table


def _text(value: object) -> str:
    """Text of a file, harmless to the terminal and to rich's markup."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value)))


def _head(recording: Mapping[str, Any]) -> str:
    parts = [recording.get("format") or ""]
    rates = {s["sample_rate_hz"] for s in recording.get("segments") or () if not s.get("excluded")} or {recording.get("sample_rate_hz")}
    rate = " and ".join(f"{r:.8g}" for r in sorted(rates) if r) if len(rates) <= 3 else f"{len(rates)} rates"
    parts.append(f"{duration(recording['duration_s'])} at {rate} Hz")
    parts.append(recording.get("start") or "no clock")
    return " · ".join(_text(p) for p in parts if p)


def _phases(values: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """The phases on which any of the quantities stands."""
    return [p for p in PHASES if any(values.get(f"{name}_{p}") is not None for name in names)]


def _mean_table(mean: Mapping[str, Any]) -> Table:
    lines = [mean.get(f"U_{p}") for p in LINES]
    has_lines = any(v is not None for v in lines)
    phases = list(PHASES) if has_lines else _phases(mean, (name for name, _ in _ROWS))
    table = _table("mean", *phases, "total")
    for name, unit in _ROWS:
        if name in "UI" and not _phases(mean, [name]):
            continue
        total = si(mean.get(name), unit) if name not in "UI" else ""
        table.add_row(name, *(si(mean.get(f"{name}_{p}"), unit) for p in phases), total)
    if has_lines:
        table.add_row("U L12 L23 L31", *(si(v, "V") for v in lines), "")
    if mean.get("I_N") is not None:
        table.add_row("I neutral", *("" for _ in phases), si(mean["I_N"], "A"))
    table.add_row("f", *("" for _ in phases), si(mean.get("f"), "Hz", 6))
    return table


def _energy_table(energy: Mapping[str, Any]) -> Table:
    phases = _phases(energy, (e.name for e in ENERGIES))
    table = _table("energy", *phases, "total")
    for e in ENERGIES:
        values = [energy.get(f"{e.name}_{p}") for p in phases] + [energy.get(e.name)]
        if e.name == "A+" or any(values):
            table.add_row(e.name + _MEANING.get(e.name, ""), *(si(v, e.unit) for v in values))
    return table


def print_summary(summary: Mapping[str, Any], out: Console, place: object = None, title: object = None) -> None:
    """Print what was measured: per phase U, I, P, Q, S, PF, f; energies; warnings; where the results are.

    Parameters
    ----------
    summary : mapping
        As in `summary.json`.
    out : rich.console.Console
    place : path, optional
        Where the results went.
    title : object, optional
        Name of the recording.
    """
    recording, quality, sides = summary["recording"], summary["quality"], summary["sides"]
    out.print(f"[bold]{_text(title or recording.get('source') or 'recording')}[/bold]  {_head(recording)}")
    nominal = summary["settings"]["nominal_voltage"]
    known = f"Un {nominal:g} V, " if nominal else ""
    same = "values as recorded" if sides["U"] == "as-recorded" else f"{sides['U']} values"
    where = same if sides["U"] == sides["I"] else f"{sides['U']} voltages, {sides['I']} currents"
    out.print(f"{summary['wiring']}, {known}fn {summary['settings']['nominal_frequency']:g} Hz, {where}")
    out.print(_mean_table(summary["mean"]))
    out.print(_energy_table(summary["energy"]))
    excluded = ", ".join(f"{n} {_text(reason)}" for reason, n in quality["excluded"].items())
    line = f"{quality['integrated']} of {quality['samples']} samples integrated" + (f"; left out: {excluded}" if excluded else "")
    counts = summary["events"]["counts"]
    if counts:
        line += "; events: " + ", ".join(f"{n} {_text(kind)}" for kind, n in counts.items())
    out.print(line)
    for table, interval in quality["intervals"].items():
        if interval["flagged"]:
            flagged = ", ".join(f"{n} {name}" for name, n in interval["flagged"].items())
            out.print(f"flags of {interval['count']} {'windows' if table == 'basic' else 'cycles'}: {flagged}")
    for warning in [*recording.get("warnings", ()), *summary["warnings"]]:
        out.print(f"[yellow]![/yellow] {_text(warning)}")
    if place is not None:
        picture = os.path.join(str(place), "report.html")
        seen = f", pictures in [bold]{_text(picture)}[/bold]" if os.path.exists(picture) else ""
        out.print(f"results in [bold]{_text(place)}[/bold]{seen}", soft_wrap=True)


def print_recording(recording: Mapping[str, Any], out: Console, title: object = None) -> None:
    """Print what a recording is: channels with roles, segments, oddities."""
    out.print(f"[bold]{_text(title or recording.get('source'))}[/bold]  {_head(recording)}")
    size = recording.get("size")
    fn = recording.get("nominal_frequency_hz")
    gaps = recording["gaps"]
    facts = [f"{recording['samples']} samples"]
    facts += [f"{size} bytes"] if size is not None else []
    facts += [f"fn {fn:g} Hz"] if fn else []
    facts += [f"{gaps['count']} gaps of {gaps['samples']} samples in all"] if gaps["count"] else []
    facts += [f"{len(recording['status_channels'])} status channels"] if recording["status_channels"] else []
    out.print(", ".join(facts))
    metadata = [f"{k} {v}" for k, v in recording["metadata"].items() if isinstance(v, (str, int, float)) and str(v)]
    if metadata:
        out.print(_text("; ".join(metadata)))
    table = _table("channel", "role", "phase", "unit", "side", "ratio", "one count")
    for c in recording["channels"]:
        ratio = "" if c["ratio"] == 1 else f"{c['ratio']:.6g}"
        cells = (c["name"], c["role"] or "", c["phase"], c["unit"], c["side"] or "", ratio, f"{c['scale']:.6g}")
        table.add_row(*(_text(cell) for cell in cells))
    out.print(table)
    if len(recording["segments"]) > 1:
        table = _table("segment start", "samples", "Hz", "")
        for s in recording["segments"][:20]:
            table.add_row(s["start"] or "no clock", str(s["samples"]), f"{s['sample_rate_hz']:.8g}", _text(s["excluded"] or ""))
        out.print(table)
        if len(recording["segments"]) > 20:
            out.print(f"and {len(recording['segments']) - 20} more segments")
    if recording.get("unresolved"):
        out.print(f"[yellow]![/yellow] {_text(recording['unresolved'])}")
    for warning in recording["warnings"]:
        out.print(f"[yellow]![/yellow] {_text(warning)}")


def print_events(events: list[Mapping[str, Any]], out: Console) -> None:
    """Print a table of events."""
    if not events:
        out.print("no events")
        return
    table = _table("start", "type", "phases", "duration", "voltage")
    for e in events:
        voltage = next((e[k] for k in ("U_residual", "U_max", "dU_max") if e.get(k) is not None), None)
        length = "open" if e.get("duration") is None else duration(e["duration"])
        table.add_row(str(e.get("t")), str(e.get("type")), " ".join(e.get("phases") or ()), length, si(voltage, "V"))
    out.print(table)
