"""`ctmeter info`: what a recording is."""

from __future__ import annotations

from typing import Any

import click

from .options import Common, echo_json, output_options, settings_options


@click.command(short_help="What a recording is: format, channels, times, oddities.")
@click.argument("file")
@settings_options
@click.option("--hash", "hash_", is_flag=True, envvar="CTMETER_HASH", help="Add the SHA-256 of the file.")
@output_options
@click.pass_context
def info(ctx: click.Context, /, file: str, **_: Any) -> None:
    """Show format, channels with their roles, segments, times and every oddity of a recording."""
    common = Common.of(ctx)
    from ..pipeline.describe import SCHEMA_VERSION, describe, program
    from ..pipeline.run import Layers, detected, open_recording
    from ..pipeline.summary import far_from_mains

    layers = Layers(common.config, common.overrides, common.environment)
    recording, _ours = open_recording(file, layers, common.rate)
    with recording:
        described = describe(recording, sha256=common.hash_)
        frequency = detected(recording)
        described["frequency_hz"] = frequency
        described["warnings"] += layers.notes
        if frequency is not None and far_from_mains(frequency):
            described["warnings"].append(
                f"it begins at {frequency:.5g} Hz, far from any mains frequency: a wrong sample rate or time column? (--rate)"
            )
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "recording": described})
    elif not common.quiet:
        from ..reports.terminal import console, print_recording

        print_recording(described, console(), file)
