"""`ctmeter report`: the page of one result, or of consecutive recordings of one site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import SettingsError
from .en50160 import assessment_options
from .options import Common, echo_json, output_options

_ZONE = "Of local times, such as Europe/Vienna; by default that of this machine."


@click.command(short_help="Write the report of results: one HTML file, on request a PDF.")
@click.argument("directories", nargs=-1, required=True, metavar="DIR...")
@click.option("-o", "--output", envvar="CTMETER_OUTPUT", metavar="FILE", help="The HTML file; by default report.html, of one DIR inside it.")
@click.option("--pdf", envvar="CTMETER_PDF", metavar="FILE", help="Write it as PDF too; needs the extra pdf.")
@assessment_options
@click.option("--timezone", envvar="CTMETER_TIMEZONE", metavar="ZONE", help=_ZONE)
@click.option("--config", envvar="CTMETER_CONFIG", metavar="TOML", help="File of options; what is on the command line or in CTMETER_* wins.")
@output_options
@click.pass_context
def report(ctx: click.Context, /, directories: tuple[str, ...], **_: Any) -> None:
    """Write the report of one result, or of recordings of one site that follow each other.

    Two hours and more give a report by EN 50160, a recording of seconds one of waveforms, values and events.
    """
    common = Common.of(ctx)
    options = common.options
    from ..pipeline import load
    from ..pipeline.describe import SCHEMA_VERSION, program
    from ..pipeline.reporting import material_of, write_report, zone_of

    pdf = options.get("pdf")
    if "" in (*directories, common.output, pdf):
        raise SettingsError("a name is empty: expected DIR of a result, FILE of the report")
    place = Path(common.output) if common.output else Path(directories[0] if len(directories) == 1 else "") / "report.html"
    if pdf and Path(pdf).absolute() == place.absolute():
        raise SettingsError(f"--pdf and -o both name {place}: expected two files")
    wanted = {k: options[k] for k in ("edition", "limits", "island") if options.get(k)}
    if ctx.get_parameter_source("level") is not click.core.ParameterSource.DEFAULT or options["level"] != "LV":
        wanted["level"] = options["level"]
    material = material_of([load(d) for d in directories], zone=zone_of(options.get("timezone")), **wanted)
    written = write_report(material, place, pdf)
    verdict = None if material.assessment is None else material.assessment["verdict"]
    if common.json_:
        files = {"report": str(written), "pdf": pdf}
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), **files, "verdict": verdict, "unassessed": list(material.unassessed)})
    elif not common.quiet:
        click.echo(f"report in {written}" + (f" and {pdf}" if pdf else "") + (f", verdict: {verdict}" if verdict else ""))
