"""`ctmeter meter`: a meter's store made, fed, looked at and proved."""

from __future__ import annotations

import errno
from typing import Any

import click

from ..errors import SettingsError, StoreError
from .main import STORE
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
for command in (show, display, profile, loggers, pulses, export):
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


@meter.command(short_help="Show the transformer ratios, or change the ratio.")
@click.argument("store")
@click.argument("new", required=False, metavar="[NEW]")
@click.option("--at", envvar="CTMETER_AT", metavar="TIME", help="From when on, ISO 8601; where the last recording ended if not given.")
@click.option("--reason", envvar="CTMETER_REASON", default="", metavar="TEXT", help="For the audit trail.")
@store_options
@click.pass_context
def ratio(ctx: click.Context, /, store: str, new: str | None, at: str | None, reason: str, **_: Any) -> None:
    """Show since when which transformer ratio holds; with NEW (40, or 200/5) set another. Nothing registered before changes."""
    common = Common.of(ctx)
    from ..meter import Meter
    from ..meter.show import shown
    from ..pipeline.describe import SCHEMA_VERSION, program

    if new is None and at is not None:
        raise SettingsError("--at: expected a new ratio beside it")
    with Meter.open(store, readonly=new is None) as opened:
        if new is not None:
            opened.change_ratio(new if "/" in new or ":" in new else _whole(new), at=at, reason=reason)
        found = shown(opened, opened.side)["ratio"]
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "ratio": found})
    elif not common.quiet:
        from ..reports.meter import print_ratios
        from ..reports.terminal import console

        print_ratios(found, console())


def _whole(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


@meter.command(short_help="Change what is not legally relevant of a configuration.")
@click.argument("store")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--archive-old", is_flag=True, envvar="CTMETER_ARCHIVE_OLD", help="Where loggers cannot go on: write them to files beside the store.")
@click.option("--reason", envvar="CTMETER_REASON", default="", metavar="TEXT", help="For the audit trail.")
@store_options
@click.pass_context
def configure(ctx: click.Context, /, store: str, changes: tuple[str, ...], archive_old: bool, reason: str, **_: Any) -> None:
    """Change fields of the configuration from where the last recording ended; `ctmeter config show --meter STORE` lists them.

    What is legally relevant is refused, and the attempt stands in the audit trail.
    """
    common = Common.of(ctx)
    from ..meter import Meter
    from ..pipeline.describe import SCHEMA_VERSION, program

    with Meter.open(store) as opened:
        before = opened.config.to_dict()
        archives = opened.configure(archive_old=archive_old, reason=reason, **assignments(changes, before))
        after = opened.config.to_dict()
    changed = {name: {"old": before[name], "new": after[name]} for name in after if after[name] != before[name]}
    if common.json_:
        files = [str(p) for p in archives]
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "changed": changed, "archives": files})
    elif not common.quiet:
        for name, values in changed.items():
            click.echo(f"{name}: {_word(values['old'])} -> {_word(values['new'])}")
        for path in archives:
            click.echo(f"old records are in {path}")
        if not changed:
            click.echo("nothing to change")


def _word(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "none" if value in (None, "", {}) else str(value)


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
