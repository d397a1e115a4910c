"""`ctmeter meter`: a meter's store made, fed, looked at and proved."""

from __future__ import annotations

import errno
from typing import Any

import click

from ..errors import StoreError
from .main import STORE
from .meter_change import configure, ratio
from .meter_feed import feed
from .meter_loggers import export, loggers, profile, pulses
from .meter_show import display, show
from .options import Common, assignments, echo_json, output_options, store_options


@click.group(short_help="A meter: registers, tariffs, demand, profile, pulses, display.")
def meter() -> None:
    """A meter of current transformers with its registers, in a store that keeps them.

    Try: ctmeter meter create m.db && ctmeter meter feed m.db RECORDING && ctmeter meter show m.db
    """


meter.add_command(feed)
for command in (show, display, profile, loggers, pulses, ratio, configure, export):
    meter.add_command(command)


@meter.command(short_help="Make the store of a new meter.")
@click.argument("store")
@click.option("--type", "type_code", envvar="CTMETER_TYPE", metavar="CODE", help="Type of the meter, 68 and X1 to X16.")
@click.option("--codes", envvar="CTMETER_CODES", metavar='"Z1=.. Z2=.."', help="Software codes.")
@click.option("--config", envvar="CTMETER_METER_CONFIG", metavar="TOML", help="Configuration: the table [meter] of the file, or all of it.")
@click.option("--set", "fields", multiple=True, metavar="NAME=VALUE", help="Any field; `ctmeter config show --meter` lists them.")
@output_options
@click.pass_context
def create(
    ctx: click.Context, /, store: str, type_code: str | None, codes: str | None, config: str | None, fields: tuple[str, ...], **_: Any
) -> None:
    """Make STORE, the file of a new meter. What is configured stays, except for what `meter configure` may change."""
    # the file describes a meter, not how to measure
    ctx.params["config"] = None
    common = Common.of(ctx)
    from ..meter import Meter, MeterConfig
    from ..meter.config import read_values
    from ..meter.show import shown
    from ..pipeline.describe import SCHEMA_VERSION, program

    values = read_values(config) if config else {}
    values |= {k: v for k, v in (("type_code", type_code), ("software_codes", codes)) if v is not None}
    values |= assignments(fields, MeterConfig().to_dict())
    with Meter.create(store, MeterConfig.from_dict(values)) as made:
        facts = shown(made, made.side)
        kept = made.config
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "store": store, "hash": facts["hash"], "config": kept.to_dict()})
    elif not common.quiet:
        kinds = " ".join(kept.energies)
        click.echo(f"{store}: a meter of {kept.wiring}, class {kept.accuracy_class}, {kinds}, ratio {kept.ct_ratio}, periods of {kept.period} min")


@meter.command(short_help="Prove that every row is as it was committed.")
@click.argument("store")
@store_options
@click.pass_context
def check(ctx: click.Context, /, store: str, **_: Any) -> int:
    """Prove every committed row of STORE; exit code 6 where something is not as it was committed."""
    common = Common.of(ctx)
    from ..pipeline.describe import SCHEMA_VERSION, program
    from ..store.ledger import Finding, Ledger

    facts: dict[str, Any] = {}
    try:
        with Ledger.open(store, readonly=True) as ledger:
            findings = ledger.check()
            if not findings:
                number, digest = ledger.last_commit
                facts = {"commits": number, "commit": digest, "store": ledger.content_hash()}
    except StoreError as error:
        if error.errno != errno.EIO:
            raise
        findings = [Finding("file", str(error.strerror))]
    listed = [{"place": f.place, "what": f.what, "legal": f.legal} for f in findings]
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "ok": not findings, "findings": listed, "hash": facts})
    else:
        for f in findings:
            click.echo(f"{store}: {f.place}: {f.what}{' (legally relevant)' if f.legal else ''}", err=True)
        if not findings and not common.quiet:
            click.echo(f"{store}: ok, {facts['commits']} commits, {facts['store']}")
    return STORE if findings else 0
