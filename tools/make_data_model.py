#!/usr/bin/env python3
"""Make docs/data-model.md: every table and column with its unit, type, rule of aggregation and clause.

Written from the table of quantities, so that the page cannot say anything else than the code. With
--check nothing is written and the exit code says whether the page is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from ctmeter.batch.judging import verdict_schema
from ctmeter.batch.tally import main_columns, recording_schema, register_schema
from ctmeter.measurements import schema
from ctmeter.quantity import ENERGIES, EXTRAS, PHASES, QUANTITIES, TABLES, Column, Flag, Quantity, Rule, columns, energy_keys

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "data-model.md"

HEAD = """# Data model

Every table of a result, every column with its unit, type, rule of aggregation and clause, written by
`tools/make_data_model.py` from the table of quantities in `src/ctmeter/quantity.py`.

Units are SI without prefix. What is undefined or was not measured is null, never 0 or NaN; columns that
do not apply to a measurement are null, so that each table has one schema. Every field of the Parquet
files carries `unit`, and with voltages, currents and powers `side`, in its metadata.
"""

ROWS = {
    "basic": "one for each window of 10 cycles at 50 Hz or 12 at 60 Hz; windows join, and start anew at every ten minutes",
    "3s": "150/180 cycles: fifteen windows that join; at every ten minutes a new one starts while the old one is completed on the old grid",
    "10min": "absolute ten minutes, from the windows that started inside",
    "2h": "absolute two hours, from the values of ten minutes",
    "frequency": "absolute ten seconds, from whole cycles",
    "half_cycle": "one for each voltage and half cycle; on request",
    "cycle": "one for each cycle; where a recording is shorter than one window, else on request",
    "synchrophasor": "at a fixed rate on the absolute grid; on request",
    "signalling": "one for each voltage and half cycle of nominal; on request",
    "events": "one for each event",
}

RULES = {
    Rule.START: "that of the interval itself",
    Rule.SUM: "sum",
    Rule.OR: "bits set in any",
    Rule.MEAN: "mean, by duration",
    Rule.RMS: "root of the mean square, each value counting once",
    Rule.MIN: "smallest",
    Rule.MAX: "largest",
    Rule.RATIO: "aggregated {} over aggregated {}",
    Rule.DISPLACEMENT: "aggregated P1 over aggregated S1; the total over the root of P1² + Q1²",
    Rule.PHASOR_MAGNITUDE: "magnitude of the complex mean, by duration",
    Rule.PHASOR_ANGLE: "angle of the complex mean, by duration",
    Rule.CUBIC: "cube root of the mean of the cubes",
    Rule.NONE: "not aggregated: measured anew, or stands in one table alone",
}

OWN_RULES = {
    "under": "from the windows' values, limited to the nominal voltage",
    "over": "from the windows' values, limited to the nominal voltage",
    "Plt": "cube root of the mean of the cubes of twelve Pst",
}

FLAGS = {
    Flag.DIP: "a dip overlaps it",
    Flag.SWELL: "a swell overlaps it",
    Flag.INTERRUPTION: "an interruption overlaps it",
    Flag.GAP: "samples are missing in it",
    Flag.SATURATED: "values at the limits of the input",
    Flag.NOT_FINITE: "values that are missing or no numbers; 1e60 V or A and more are none either",
    Flag.NO_LOCK: "no fundamental to synchronise with, in part (as while a change of all voltages passes) or all of it; where in all, `f` is null",
    Flag.INCOMPLETE: "fewer windows than belong to it; in a window, a channel that lacks more than a tenth of its samples and has no value",
    Flag.NO_CLOCK: "times are counted from 1970-01-01",
    Flag.OUT_OF_RANGE: "the frequency is outside the range of the mains",
    Flag.SETTLING: "the flickermeter still settles",
    Flag.LOW_RATE: "the sample rate carries less than the quantity asks for",
}

AGGREGATION = """
An interval leaves out null values; a column is null where all its values are. `n` counts the windows
of an interval, null or not; `duration` is the sum of their lengths, so that P times `duration` is the
energy. `t` is the first window's start in `basic` and `3s`, the tick in `10min` and `2h`. A row of two hours has each
value of ten minutes counting once in its rms values, and Plt only from twelve Pst. Flags go upwards. An
interval is flagged incomplete when it has fewer than fifteen windows (`3s`), leaves more of its ten minutes
uncovered than a window and a cycle (`10min`), or has fewer than twelve values (`2h`). Where nothing was
measured there is no row. A fundamental of nothing has no angle; in a complex mean what has no angle counts as zero. A Pst of which
the flickermeter has not seen all ten minutes makes its row neither incomplete nor settling for the other quantities; that the
flickermeter began within the row is seen by the flag settling of its windows.

Where a window has no frequency (`f` is null), what says something of a fundamental or against one is null: DPF, phi_U, phi_I, u2,
u0, i2, i0, sequence, THD and its kin, PWHD, K_I, TDD_I, and of the power sets what is made of fundamentals. u2, u0, i2 and i0 are null
too where the positive sequence is below 0.1 % of the largest of the three phasors, as in a system of reversed order. I1_N is measured where
I_N is, and else that of the sum of the phase currents.

The flickermeter settles for 60 s after the start and after a gap, and after missing samples, where it begins anew for the
voltages that they belong to; in the first 8 s there is no sensation. Windows within the 60 s are flagged settling.
"""


OPTIONAL = """
Columns are counted without those of the settings named below; where a setting is off its columns are absent, not null.

- `basic` has spectral lists only with `spectra = "basic"`; THD, K_I and the like stand there without the lists too.
- `groups = true` adds the lists GU, GI, IGU, IGI to the tables that carry spectral lists.
- `power_sets = true` adds the sets of IEEE 1459 and DIN 40110 to `basic`, `3s`, `10min` and `2h`; they are null without three
  voltages and three currents. They are computed of each window and aggregated from there, so that a load that varies is no
  distortion: rms values of voltages and currents, means of powers; HP and PF_sum from the aggregated powers of their row.
- `smoothing = true` smooths the spectral lists of `basic` by a first-order low pass of 1.5 s, which starts anew after missing
  time and after null values. Distortion, K_I and TDD_I, and everything that is aggregated, are of values that are not smoothed.
- TDD_I is null without `nominal_current`.
"""


BATCH = """
`ctmeter batch` writes files `dataset/<table>/site=<site>/month=<YYYY-MM>/part-0.parquet` ([batches](batch.md)). `10min`, `2h`, `frequency`, `events`
and, on request, `3s` and `basic` have the columns above, behind `recording_id`, `device` and `point`. Three tables more:
"""

#: Columns of the tables that only batches have.
BATCH_TABLES = {
    "recordings": (recording_schema, "One row for each recording at a measuring point."),
    "registers": (register_schema, "One row for each measuring point; no `month`."),
    "en50160": (verdict_schema, "One row for each parameter, phase and order of a period, and with `parameter` null one for the period; no `month`."),
}
BATCH_MEANINGS = {
    "recording_id": "16 hexadecimal digits: of the SHA-256 of name, name in the archive and point, each ended by a zero byte but the last",
    "device": "the recorder, as the file names it",
    "point": "measuring point; empty where a recording has but one",
    "site_name": "site, as it is written; the directory has it percent-encoded",
    "path": "name of the recording",
    "member": "name in the archive",
    "start end": "first and last instant; null without a clock",
    "duration": "time from start to end, gaps included",
    "sample_rate": "of the first segment",
    "format": "name of the reader",
    "bytes": "of all files of the recording",
    "samples": "frames; null where they are not evenly spaced and cut into pieces",
    "wiring": "how the meter is connected",
    "nominal_voltage": "of the settings",
    "side_U side_I side_P": "on which side of the transformers values are",
    "overlaps": "lies in the time of another recording of its point: not in registers and verdicts",
    "warnings": "what was salvaged, guessed or left out, the first twenty",
    "windows": "rows of `basic`, or of `cycle` where there is no window",
    "PF_L1 PF_L2 PF_L3 PF": "aggregated P over aggregated S",
    "covered_s": "recorded time, without gaps",
    "recordings": "recordings in the registers",
    "left_out": "recordings that are not, because they overlap with others",
    "side_U side_P": "on which side of the transformers voltages and energies are; `mixed` where recordings differ: they are null then",
    "U_min U_max": "smallest and largest window of any phase, of line voltages where there are no others",
    "period": "`week`, `year`, `rest`, or `whole` for all that there is",
    "partial": "a window that is not full",
    "parameter phase order": "what is judged; null for the period itself",
    "verdict": "`pass`, `fail`, `insufficient-data`, or `not-assessed`",
    "indicative": "it decides nothing, as of rapid voltage changes",
    "unit": "of the values of this row",
    "percentile_95 min max": "of the valid values",
    "limit_low limit_high": "in the unit of the values",
    "limit_share": "of the intervals that have to keep the limit",
    "reached": "value at that share as a part of the limit: 1 is the limit",
    "N N1 N2 N_invalid": "valid intervals, those beyond the limit for a share, beyond that for all, and invalid ones ([counting](en50160.md))",
    "coverage": "valid share of the period",
    "reason": "why",
    "edition level": "of the limits",
}


def names(found: list[Column]) -> str:
    """Column names in code type."""
    return " ".join(f"`{c.name}`" for c in found)


def type_of(table: str, name: str) -> str:
    """Arrow type of a column, without the name of its items."""
    text = str(schema(table, spectra=True, extras=EXTRAS).field(name).type)
    return (
        text.replace("item: ", "")
        .replace("fixed_size_list<float>", "list<float>")
        .replace("dictionary<values=string, indices=int32, ordered=0>", "label")
    )


def grouped(table: str) -> Iterator[tuple[Quantity, str, list[Column]]]:
    """Quantity, "", "min" or "max", and the columns of a table that belong to it."""
    for extreme in ("", "min", "max"):
        for q in QUANTITIES:
            found = [c for c in columns(table, True, EXTRAS) if c.quantity is q and c.extreme == extreme]
            if found:
                yield q, extreme, found


def rows(tables: tuple[str, ...]) -> Iterator[str]:
    """Lines of the table of columns of some tables that share them."""
    seen: set[tuple[str, ...]] = set()
    several = len(tables) > 1
    for table in tables:
        for q, extreme, found in grouped(table):
            key = tuple(c.name for c in found)
            if key in seen:
                continue
            seen.add(key)
            where = " ".join(f"`{t}`" for t in tables if key[0] in {c.name for c in columns(t, True, EXTRAS)})
            where += f", with `{q.extra}`" if q.extra else ""
            meaning = f"{'smallest' if extreme == 'min' else 'largest'} basic value of {q.name}" if extreme else q.meaning
            rule = OWN_RULES.get(q.name, RULES[found[0].rule].format(*q.ratio))
            cells = [names(found), meaning, q.unit, type_of(table, key[0]), q.side, rule, *([where] if several else []), q.clause]
            yield "| " + " | ".join(cells if several else [*cells[:5], *cells[6:]]) + " |\n"


ENERGY = """
Active energy is the sum of u·i over every sample. Direction and quadrant, and with them reactive and apparent energy, are decided
by whole cycles; the part of a cycle at either end of a recording, or beside a gap, takes direction, Q and S from the whole cycle next to it.
In such a part the active energy may be more than its mean power would give, because instantaneous power swings at twice the
frequency: `A+` can then stand above `E+`, and `A-` above `E-`, by what S does in 1/(2 pi f) at each end where the waveforms are sinusoidal
(3.2 ms at 50 Hz). That counts in recordings of a few cycles only; within whole cycles |P| <= S.
"""


def section(tables: tuple[str, ...]) -> str:
    """The columns of some tables that share them."""
    titles = ["columns", "meaning", "unit", "type", "side", "aggregated by", "tables", "clause"]
    titles = titles if len(tables) > 1 else [t for t in titles if t not in ("aggregated by", "tables")]
    return "| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|\n" + "".join(rows(tables))


def registers() -> Iterator[str]:
    """Lines of the table of energies."""
    for e in ENERGIES:
        codes = ", ".join(f"`{e.name}_{p}` {e.obis(p)}" for p in PHASES)
        yield f"| `{e.name}` | {e.meaning} | {e.unit} | {e.obis()} | {codes} |\n"


def batch_rows(made: pa.Schema) -> Iterator[str]:
    """Lines of the columns of a table of a batch, those that belong together in one."""
    left = {f.name: f for f in made}
    groups = [(key.split(), meaning) for key, meaning in BATCH_MEANINGS.items()]
    groups.append((energy_keys(), "energies"))
    shown = [c.name for c in main_columns()]
    groups.append((shown, "over all windows, aggregated by the rule of each"))
    groups.append(([f"{n}_{end}" for n in shown for end in ("min", "max")], "smallest and largest window"))
    groups.append(([n for n in left if n.startswith("events_")], "events that start in the recording"))
    groups.append(([n for n in left if n.startswith("flagged_")], "windows with that flag"))
    for wanted, meaning in groups:
        found = [left.pop(n) for n in wanted if n in left]
        if found:
            units = dict.fromkeys((f.metadata or {}).get(b"unit", b"").decode() for f in found)
            kind = str(found[0].type).replace("dictionary<values=string, indices=int32, ordered=0>", "label")
            shown_names = [f.name for f in found]
            cells = [f"`{n}`" for n in (shown_names if len(found) < 14 else [*shown_names[:3], shown_names[-1]])]
            if len(found) >= 14:
                cells.insert(3, "...")
            told = [" ".join(cells), meaning, ", ".join(u for u in units if u), kind.replace("item: ", "").replace("element: ", "")]
            yield "| " + " | ".join(told) + " |\n"
    if left:
        raise SystemExit(f"no meaning of {', '.join(left)}")


def batch_page() -> str:
    """The section of the data set of a batch."""
    text = "\n## The data set of a batch\n" + BATCH
    for table, (made, what) in BATCH_TABLES.items():
        schema_of = made({}) if table != "en50160" else made()  # type: ignore[call-arg]
        text += f"\n### {table}\n\n{what}\n\n| columns | meaning | unit | type |\n|---|---|---|---|\n" + "".join(batch_rows(schema_of))
    return text


def obis() -> Iterator[str]:
    """Lines of the table of OBIS codes."""
    for q in QUANTITIES:
        for name, code in zip(q.columns, q.obis, strict=False):
            if code:
                yield f"| `{name}` | {code} |\n"


def page() -> str:
    """The text of the page."""
    text = HEAD + "\n## Tables\n\n| table | rows | columns |\n|---|---|---|\n"
    text += "".join(f"| `{t}` | {ROWS[t]} | {len(columns(t, True))} |\n" for t in TABLES)
    text += OPTIONAL
    shared = ("basic", "3s", "10min", "2h")
    text += "\n## Windows and intervals\n\n`basic`, `3s`, `10min` and `2h` share their columns.\n" + AGGREGATION + "\n" + section(shared)
    for table in TABLES:
        if table not in shared:
            text += f"\n## {table}\n\n{ROWS[table][0].upper()}{ROWS[table][1:]}.\n\n" + section((table,))
    text += "\n## Flags\n\n| bit | name | set where |\n|---|---|---|\n"
    text += "".join(f"| {f.bit_length() - 1} | {f.label} | {FLAGS[f]} |\n" for f in Flag)
    text += "\n## Energies\n\nIn `summary.json`; OBIS codes of the total and of each phase.\n" + ENERGY + "\n"
    text += "| key | meaning | unit | OBIS | phases |\n|---|---|---|---|---|\n"
    text += "".join(registers())
    text += batch_page()
    text += "\n## OBIS codes of columns\n\n| column | code |\n|---|---|\n" + "".join(obis())
    return text


def main() -> int:
    """Write the page, or with --check compare it."""
    if "--check" in sys.argv[1:]:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page()
        if not fresh:
            print(f"{PAGE.relative_to(ROOT)} is not up to date: run python tools/make_data_model.py", file=sys.stderr)
        return int(not fresh)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
