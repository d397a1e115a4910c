"""`ctmeter report`: the page of one result, or of consecutive recordings of one site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import SettingsError
from .options import Common, echo_json, output_options


@click.command(short_help="Write the report of result directories: one HTML file, on request a PDF.")
@click.argument("directories", nargs=-1, required=True, metavar="DIR...")
@click.option("-o", "--output", envvar="CTMETER_OUTPUT", metavar="FILE", help="The HTML file; else report.html, of one DIR inside it.")
@click.option("--pdf", envvar="CTMETER_PDF", metavar="FILE", help="Write it as PDF too (needs the extra pdf).")
@click.option("--edition", envvar="CTMETER_EDITION", metavar="YEAR", help="Edition of EN 50160.")
@click.option("--level", envvar="CTMETER_LEVEL", metavar="LV|MV", help="Voltage level of the limits.")
@click.option("--limits", envvar="CTMETER_LIMITS", metavar="TOML", help="Limits of your own.")
@click.option("--timezone", envvar="CTMETER_TIMEZONE", metavar="ZONE", help="Of local times, such as Europe/Vienna; else that of this machine.")
@output_options
@click.pass_context
def report(
    ctx: click.Context,
    /,
    directories: tuple[str, ...],
    output: str | None,
    pdf: str | None,
    edition: str | None,
    level: str | None,
    limits: str | None,
    timezone: str | None,
    **_: Any,
) -> None:
    """Write the report of one result, or of consecutive recordings of one site together.

    A week or more gives a report by EN 50160, a recording of seconds one of waveforms, values and events.
    """
    common = Common.of(ctx)
    from ..pipeline import load
    from ..pipeline.describe import SCHEMA_VERSION, program
    from ..pipeline.reporting import material_of, write_report, zone_of

    if "" in (*directories, output, pdf):
        raise SettingsError("a name is empty: expected DIR of a result, FILE of the report")
    place = Path(output) if output else Path(directories[0] if len(directories) == 1 else "") / "report.html"
    if pdf and Path(pdf).absolute() == place.absolute():
        raise SettingsError(f"--pdf and -o both name {place}: expected two files")
    zone = zone_of(timezone)
    material = material_of([load(d) for d in directories], edition=edition, level=level, limits=limits, zone=zone)
    written = write_report(material, place, pdf)
    verdict = None if material.assessment is None else material.assessment.get("verdict")
    if common.json_:
        files = {"report": str(written), "pdf": pdf}
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), **files, "verdict": verdict, "unassessed": list(material.unassessed)})
    elif not common.quiet:
        click.echo(f"report in {written}" + (f" and {pdf}" if pdf else "") + (f", verdict: {verdict}" if verdict else ""))
