"""The summary of a measurement on the terminal."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..quantity import ENERGIES, LINES, PHASES
from .units import duration, si

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "print_events", "print_recording", "print_summary"]

_ROWS = (("U", "V"), ("I", "A"), ("P", "W"), ("Q", "var"), ("S", "VA"), ("PF", "1"))

#: Below this share of the largest value of their kind numbers are noise of the arithmetic, and shown as 0.
_NOISE = 1e-7
#: Registers below this share of the largest energy are noise, and left out.
_NO_REGISTER = 1e-6
#: Facts of the file shown by `info`, with their words.
_FACTS = {"title": "", "station": "station ", "device": "device ", "revision": "revision ", "encoding": "text ", "time_code": "time code ",
          "time_quality": "time quality ", "delimiter": "delimiter ", "decimal": "decimal "}  # fmt: skip

_MEANING = {"A+": " import", "A-": " export", "E+": " import", "E-": " export"}


def console(file: IO[str] | None = None) -> Console:
    """A console that honours NO_COLOR and is 80 columns wide where there is no terminal."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, "closed")  # what becomes of it is not for a report to decide

    return Ours(file=file, highlight=False, soft_wrap=False)


def _print_table(out: Console, table: Table) -> None:
    """Print a table whole: on a narrow terminal its lines are wrapped, but no number is cut."""
    from rich.measure import Measurement

    width = out.width
    out.width = max(width, Measurement.get(out, out.options.update(width=1000), table).maximum)
    out.print(table, no_wrap=True, crop=False)
    out.width = width


def _print_notes(out: Console, notes: Iterable[object]) -> None:
    """Print warnings, each behind a mark and with its lines indented."""
    from rich.text import Text

    for note in notes:
        lines = Text.from_markup(_text(note)).wrap(out, max(out.width - 2, 20))
        for k, line in enumerate(lines):
            line.rstrip()
            out.print(Text.assemble(("! ", "yellow") if k == 0 else "  ", line))


def _print_title(out: Console, title: object, head: str) -> None:
    line = f"[bold]{_text(title)}[/bold]"
    out.print(f"{line}  {head}" if len(str(title)) + 2 + len(head) <= out.width else f"{line}\n{head}")


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
    known = sorted(r for r in rates if r)
    rate = " and ".join(f"{r:.8g}" for r in known) if len(known) <= 3 else f"{len(known)} rates from {known[0]:.6g} to {known[-1]:.6g}"
    parts.append(f"{duration(recording['duration_s'])} at {rate} Hz")
    parts.append(recording.get("start") or "no clock")
    return " · ".join(_text(p) for p in parts if p)


def _phases(values: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """The phases on which any of the quantities stands."""
    wanted = tuple(names)
    return [p for p in PHASES if any(values.get(f"{name}_{p}") is not None for name in wanted)]


def _mean_table(mean: Mapping[str, Any]) -> Table:
    lines = [mean.get(f"U_{p}") for p in LINES]
    has_lines = any(v is not None for v in lines)
    phases = list(PHASES) if has_lines else _phases(mean, (name for name, _ in _ROWS))
    table = _table("mean", *phases, "total")
    largest = max((abs(v) for p in ("", *(f"_{p}" for p in PHASES)) if (v := mean.get(f"S{p}"))), default=0.0)
    for name, unit in _ROWS:
        if not _phases(mean, [name]) and mean.get(name) is None:
            continue
        floor = _NOISE * largest if name in "PQS" else 0.0
        total = _value(mean.get(name), unit, floor) if name not in "UI" else ""
        table.add_row(name, *(_value(mean.get(f"{name}_{p}"), unit, floor) for p in phases), total)
    if has_lines:
        table.add_row("U L12 L23 L31", *(si(v, "V") for v in lines), "")
    if mean.get("I_N") is not None:
        table.add_row("I neutral", *("" for _ in phases), si(mean["I_N"], "A"))
    table.add_row("f", *("" for _ in phases), si(mean.get("f"), "Hz", 6))
    return table


def _value(value: Any, unit: str, floor: float) -> str:
    return si(0.0 if value is not None and abs(value) < floor else value, unit)


def _energy_table(energy: Mapping[str, Any]) -> Table | None:
    phases = _phases(energy, (e.name for e in ENERGIES))
    table = _table("energy", *phases, "total")
    floor = _NO_REGISTER * max((abs(v) for v in energy.values() if v is not None), default=0.0)
    for e in ENERGIES:
        values = [energy.get(f"{e.name}_{p}") for p in phases] + [energy.get(e.name)]
        if all(v is None for v in values):
            continue
        if e.name == "A+" or any(v is not None and abs(v) > floor for v in values):
            table.add_row(e.name + _MEANING.get(e.name, ""), *(_value(v, e.unit, floor) for v in values))
    return table if table.row_count else None


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
    _print_title(out, title or recording.get("source") or "recording", _head(recording))
    nominal = summary["settings"]["nominal_voltage"]
    known = f"Un {nominal:g} V, " if nominal else ""
    same = "values as recorded" if sides["U"] == "as-recorded" else f"{sides['U']} values"
    where = same if sides["U"] == sides["I"] else f"{sides['U']} voltages, {sides['I']} currents"
    out.print(f"{summary['wiring']}, {known}fn {summary['settings']['nominal_frequency']:g} Hz, {where}")
    _print_table(out, _mean_table(summary["mean"]))
    energies = _energy_table(summary["energy"])
    if energies is None:
        out.print("no power and no energy: no phase has both a voltage and a current\n")
    else:
        _print_table(out, energies)
    excluded = ", ".join(f"{n} {_text(reason)}" for reason, n in quality["excluded"].items())
    line = f"{quality['integrated']} of {quality['samples']} samples integrated" + (f"; left out: {excluded}" if excluded else "")
    counts = summary["events"]["counts"]
    if counts:
        line += "; events: " + ", ".join(f"{n} {_text(kind)}" for kind, n in counts.items())
    out.print(line)
    if quality["gaps"]:
        out.print(f"{quality['gaps']} samples are missing: gaps")
    for kind, words in (("not_finite", "missing or not finite"), ("saturated", "saturated")):
        if quality[kind]:
            out.print(f"samples {words}: " + ", ".join(f"{n} of {_text(name)}" for name, n in quality[kind].items()))
    for table, interval in quality["intervals"].items():
        if interval["flagged"]:
            flagged = ", ".join(f"{n} {name}" for name, n in interval["flagged"].items())
            out.print(f"flags of {interval['count']} {'windows' if table == 'basic' else 'cycles'}: {flagged}")
    _print_notes(out, [*recording.get("warnings", ()), *summary["warnings"]])
    if place is not None:
        picture = os.path.join(str(place), "report.html")
        seen = f", pictures in [bold]{_text(picture)}[/bold]" if os.path.exists(picture) else ""
        out.print(f"results in [bold]{_text(place)}[/bold]{seen}", soft_wrap=True)


def print_recording(recording: Mapping[str, Any], out: Console, title: object = None) -> None:
    """Print what a recording is: channels with roles, segments, oddities."""
    _print_title(out, title or recording.get("source") or "recording", _head(recording))
    size = recording.get("size")
    fn = recording.get("nominal_frequency_hz")
    gaps = recording["gaps"]
    facts = [f"{recording['samples']} samples"]
    facts += [f"{size} bytes"] if size is not None else []
    facts += [f"fn {fn:g} Hz"] if fn else []
    facts += [f"{gaps['count']} gaps of {gaps['samples']} samples in all"] if gaps["count"] else []
    facts += [f"{len(recording['status_channels'])} status channels"] if recording["status_channels"] else []
    out.print(", ".join(facts))
    said = _said(recording["metadata"])
    if said:
        out.print("; ".join(_text(s) for s in said))
    table = _table("channel", "role", "phase", "unit", "side", "ratio", "one count")
    for c in recording["channels"]:
        ratio = "" if c["ratio"] == 1 else f"{c['ratio']:.6g}"
        cells = (c["name"], c["role"] or "", c["phase"], c["unit"], c["side"] or "", ratio, f"{c['scale']:.6g}")
        table.add_row(*(_text(cell) for cell in cells))
    _print_table(out, table)
    if len(recording["segments"]) > 1:
        table = _table("segment start", "samples", "Hz", "")
        for s in recording["segments"][:20]:
            table.add_row(s["start"] or "no clock", str(s["samples"]), f"{s['sample_rate_hz']:.8g}", _text(s["excluded"] or ""))
        _print_table(out, table)
        if len(recording["segments"]) > 20:
            out.print(f"and {len(recording['segments']) - 20} more segments")
    _print_notes(out, [*([recording["unresolved"]] if recording.get("unresolved") else []), *recording["warnings"]])


def _said(metadata: Mapping[str, Any]) -> list[str]:
    """What the file says of itself, in few words; all of it is in the JSON."""
    said = [f"{words}{str(metadata[k])[:100]}" for k, words in _FACTS.items() if metadata.get(k) not in (None, "")]
    trigger = metadata.get("trigger_ns")
    if isinstance(trigger, int):
        said.append(f"trigger {str(np.datetime64(trigger, 'ns')).rstrip('0').rstrip('.')}Z")
    if metadata.get("time_multiplier") not in (None, 1.0):
        said.append(f"time multiplier {metadata['time_multiplier']:g}")
    said += [f"{k.upper()} of {len(str(metadata[k]).encode())} bytes (--json)" for k in ("hdr", "inf") if metadata.get(k)]
    return said


def print_events(events: Sequence[Mapping[str, Any]], out: Console) -> None:
    """Print a table of events; `share`, `cell`, `itic` and `semi_f47` where they have been looked up."""
    if not events:
        out.print("no events")
        return
    table = _table("start", "type", "phases", "duration", "voltage", "", "cell", "ITIC", "SEMI F47")
    for e in events:
        voltage = next((e[k] for k in ("U_residual", "U_max", "dU_max") if e.get(k) is not None), None)
        length = "open" if e.get("duration") is None else duration(e["duration"])
        share = "" if e.get("share") is None else f"{e['share']:.1f} %"
        words = (str(e.get("t")), str(e.get("type")), " ".join(e.get("phases") or ()))
        table.add_row(*(_text(w) for w in words), length, si(voltage, "V"), share, *(e.get(k) or "" for k in ("cell", "itic", "semi_f47")))
    _print_table(out, table)
