"""`ctmeter synth`: a waveform with known truth."""

from __future__ import annotations

from typing import Any

import click

from .convert import pairs, refuse_existing, telling
from .options import Common, echo_json, output_options


@click.command(short_help="Make a waveform with known truth from a TOML file.")
@click.argument("spec", metavar="SPEC")
@click.option("-o", "--output", required=True, envvar="CTMETER_OUTPUT", metavar="FILE", help="Recording to write; its ending names the format.")
@click.option("--truth", metavar="JSON", help="Write the analytic truth of the waveform there.")
@click.option("--option", "writer_options", multiple=True, metavar="NAME=VALUE", help="For the writer, as in convert.")
@click.option("--force", is_flag=True, envvar="CTMETER_FORCE", help="Replace existing files.")
@output_options
@click.pass_context
def synth(ctx: click.Context, /, spec: str, output: str, truth: str | None, writer_options: tuple[str, ...], force: bool, **_: Any) -> None:
    """Make the recording that the TOML file SPEC describes."""
    common = Common.of(ctx)
    import json

    from .. import synth as generator
    from ..pipeline.describe import SCHEMA_VERSION, describe, plain, program
    from ..store.results import write_text, writing

    for target in filter(None, (output, truth)):
        refuse_existing(target, force)
    options = pairs(writer_options)
    with generator.generate(spec) as recording:
        with writing(output), telling():
            recording.write(output, **options)
        known = plain(recording.metadata.get("truth"))
        described = describe(recording)
    if truth is not None:
        write_text(truth, json.dumps(known, indent=1, allow_nan=False) + "\n")
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "recording": described, "truth": known, "written": output})
    elif not common.quiet:
        click.echo(f"{output}: {described['samples']} samples of {len(described['channels'])} channels")
