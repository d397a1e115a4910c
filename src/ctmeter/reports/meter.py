"""A meter on the terminal: its readings, ratios, loggers and pulses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .terminal import _print_notes, _print_table, _print_title, _table, _text
from .units import number, si

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["energy", "print_fed", "print_pulses", "print_ratios", "print_readings", "print_rows"]

_ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV"}
#: Longest text in a table; CSV and JSON have all of it.
_LONGEST = 100
_ENERGY = ("Wh", "varh", "VAh")
#: Readings of which a person wants to know only where there is something.
_SELDOM = ("reading factor", "P+ threshold", "pulse input", "errors", "serial", "R1", "R2", "R3", "R4")


def energy(millijoules: int, unit: str) -> str:
    """An energy in thousands of its unit to six places, none of them rounded up.

    Examples
    --------
    >>> energy(4_444_444_403_600_000, "Wh"), energy(19_438_561, "varh")
    ('1 234 567.889888 kWh', '0.005399 kvarh')
    """
    whole, rest = divmod(millijoules // 3600, 1_000_000)
    return f"{whole:,}".replace(",", " ") + f".{rest:06d} k{unit}"


def _value(reading: Mapping[str, Any]) -> str:
    value, unit = reading["value"], reading["unit"] or ""
    if value is None:
        return "–"
    if isinstance(value, str):
        return _text(value)
    if "millijoules" in reading:
        return energy(reading["millijoules"], unit)
    if isinstance(value, int):
        return f"{value} {unit}".strip()
    # hours and what pulses stand for take no prefix
    return f"{number(value)} {unit}" if unit in ("h", "kWh", "m3", "L") else si(value, unit)


def _interesting(name: str, reading: Mapping[str, Any]) -> bool:
    """Whether a reading is shown without being asked for: registers of phases, and what is seldom there, only where it is not 0."""
    if reading["value"] in (0, None, "") and ("_L" in name or name.endswith(" acc") or name in _SELDOM):
        return False
    return reading["unit"] not in _ENERGY or "_L" not in name


def print_readings(shown: Mapping[str, Any], out: Console, title: str, everything: bool = False) -> None:
    """Print what `meter show --json` gives: readings, indicators, clock, ratio and hash."""
    clock = shown["clock"]
    head = " · ".join(_text(part) for part in (shown["type"], shown["serial"], shown["site"], clock["local"] or "nothing fed yet") if part)
    _print_title(out, title, head)
    table = _table("OBIS", "reading", "value", "side")
    table.columns[1].justify = "left"
    for obis, r in shown["registers"].items():
        if everything or _interesting(r["name"], r):
            table.add_row(obis, _text(r["name"]), _value(r), r["side"] or "")
    _print_table(out, table)
    out.print(_indicators(shown["indicators"]))
    ratio = shown["ratio"]
    said = f"ratio {ratio['value']}{' (locked)' if ratio['locked'] else ''}"
    said += "".join(f", {o['ratio']} from {o['t']}" for o in ratio["ordered"])
    out.print(said)
    digests = shown["hash"]
    out.print(f"commit {digests['commits']}  store {digests['store'][:16]}  program {digests['program'][:16]}")
    _print_notes(out, shown["faults"])
    if shown["unregistered"]:
        what = ", ".join(f"{name} {n / 3.6e6:.6g}" for name, n in shown["unregistered"].items() if "_L" not in name)
        _print_notes(out, [f"energy of kinds that this meter does not register (Wh, varh, VAh): {what}"])


def _indicators(marks: Mapping[str, Any]) -> str:
    arrows = {1: "▶", -1: "◀", 0: "·", None: "?"}
    phases = [
        f"L{k}{arrows[i]}" if u else f"[dim]L{k} {'off' if u is False else '?'}[/dim]"
        for k, (u, i) in enumerate(zip(marks["voltage"], marks["current"], strict=True), 1)
    ]
    parts = [
        "  ".join(phases),
        f"quadrant {_ROMAN[marks['quadrant']]}" if marks["quadrant"] else "",
        f"sequence {marks['sequence']}" if marks["sequence"] else "",
        f"tariff {marks['tariff']}" if marks["tariff"] else "",
        "[red]▲ ERROR[/red]" if marks["error"] else "",
        f"[red]TAMPER ({marks['tamper']})[/red]" if marks["tamper"] else "",
    ]
    return "  ".join(p for p in parts if p)


def print_fed(lines: Iterable[tuple[str, str, str | None, str | None, Sequence[str]]], totals: Sequence[tuple[str, int, str]], out: Console) -> None:
    """Print what became of recordings: source, status, first and last instant, notes; and how the registers stand now."""
    for source, status, start, end, notes in lines:
        out.print(f"[bold]{_text(source)}[/bold]  {status}" + (f"  {start} to {end}" if start and end else ""), soft_wrap=True)
        _print_notes(out, notes)
    if totals:
        out.print("  ".join(f"{name} {energy(units, unit)}" for name, units, unit in totals), soft_wrap=True)


def print_ratios(ratio: Mapping[str, Any], out: Console) -> None:
    """Print ratios with the times from which they hold."""
    table = _table("from", "ratio")
    for epoch in ratio["epochs"]:
        table.add_row(_since(epoch["t"]), str(epoch["ratio"]))
    for order in ratio["ordered"]:
        table.add_row(f"{order['t']} (ordered)", str(order["ratio"]))
    _print_table(out, table)
    if ratio["locked"]:
        out.print("locked")


def _since(t: str | None) -> str:
    return "the beginning" if t is None or t.startswith("1970-01-01T00:00:00") else t


def print_pulses(streams: Iterable[Mapping[str, Any]], out: Console) -> None:
    """Print pulse trains with what they gave."""
    table = _table("stream", "register", "imp/kWh", "pulses", "energy", "lost", "first", "last")
    for s in streams:
        constant = s["constant"]
        worth = "" if not constant else si(1000.0 * s["count"] / constant, "varh" if (s["register"] or "").startswith("R") else "Wh")
        cells = (s["stream"], s["register"] or "", "" if constant is None else f"{constant:g}", str(s["count"]), worth, str(s["lost"]))
        table.add_row(*cells, s["first"] or "", s["last"] or "")
    _print_table(out, table)


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], heads: Mapping[str, str], out: Console) -> None:
    """Print rows of a logger; times local where there are such."""
    table = _table(*(_text(heads.get(c, c)) for c in columns))
    for column, name in zip(table.columns, columns, strict=True):
        if all(isinstance(row.get(name), str) for row in rows):
            column.justify = "left"
    for row in rows:
        table.add_row(*(_cell(row.get(c)) for c in columns))
    _print_table(out, table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    text = number(value, 7) if isinstance(value, float) else _text(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
