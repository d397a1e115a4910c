"""`ctmeter events`: the events of a result."""

from __future__ import annotations

from typing import Any

import click

from .options import Common, echo_json, output_options


@click.command(short_help="List the events of a result directory.")
@click.argument("directory", metavar="DIR")
@output_options
@click.pass_context
def events(ctx: click.Context, /, directory: str, **_: Any) -> None:
    """List the events of a result directory."""
    common = Common.of(ctx)
    from ..pipeline import load
    from ..pipeline.describe import SCHEMA_VERSION, program

    result = load(directory)
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "events": result.events})
    elif not common.quiet:
        from ..reports.terminal import console, print_events

        print_events(list(result.events), console())
        for left_out in result.summary.get("not_measured", ()):
            if left_out["what"] == "events":
                click.echo(f"ctmeter: events were not looked for: {left_out['why']}", err=True)
