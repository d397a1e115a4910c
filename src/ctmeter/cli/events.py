"""`ctmeter events`: the events of a result."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..errors import SettingsError
from .options import Common, echo_json, output_options

#: Columns of the CSV; units stand in the heading.
_UNITS = {"duration": "s", "U_ref": "V", "U_residual": "V", "U_max": "V", "dU_max": "V", "dU_ss": "V", "share": "%"}
_COLUMNS = ("t", "type", "phases", *_UNITS, "counts_as", "cell", "itic", "semi_f47", "flags", "snippet")


@click.command(short_help="List the events of a result directory.")
@click.argument("directory", metavar="DIR")
@click.option("--edition", envvar="CTMETER_EDITION", metavar="YEAR", help="Of EN 50160, for the cells: 2010 (default), 2022 or 1999.")
@click.option("--csv", "csv_", is_flag=True, help="As CSV on standard output.")
@output_options
@click.pass_context
def events(ctx: click.Context, /, directory: str, edition: str | None, csv_: bool, **_: Any) -> None:
    """List the events of a result directory.

    Each with the cell of the dip or swell table of EN 50160 it falls into and its place on the ITIC and SEMI F47 curves.
    """
    common = Common.of(ctx)
    if csv_ and common.json_:
        raise SettingsError("--csv and --json: one of them at a time")
    from ..en50160 import load_limits, located
    from ..pipeline import load
    from ..pipeline.describe import SCHEMA_VERSION, program

    result = load(directory)
    found = located(result.events, load_limits(edition).events)
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "events": found})
    elif csv_:
        _print_csv(found)
    elif not common.quiet:
        from ..reports.terminal import console, print_events

        print_events(found, console())
    for left_out in result.summary.get("not_measured", ()):
        if left_out["what"] == "events" and not (common.json_ or common.quiet):
            click.echo(f"ctmeter: events were not looked for: {left_out['why']}", err=True)


def _print_csv(found: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(f"{name} [{_UNITS[name]}]" if name in _UNITS else name for name in _COLUMNS)
    for event in found:
        row = {**event, "phases": " ".join(event.get("phases") or ())}
        writer.writerow("" if row.get(name) is None else row[name] for name in _COLUMNS)
