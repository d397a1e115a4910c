"""`ctmeter meter ratio` and `ctmeter meter configure`: what may change of a meter."""

from __future__ import annotations

from typing import Any

import click

from ..errors import SettingsError
from .options import Common, assignments, echo_json, store_options


@click.command(short_help="Show the transformer ratios, or change the ratio.")
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
    with Meter.open(store, readonly=new is None) as meter:
        if new is not None:
            meter.change_ratio(new if "/" in new or ":" in new else _whole(new), at=at, reason=reason)
        found = shown(meter, meter.side)["ratio"]
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "ratio": found})
    elif not common.quiet:
        from ..reports.meter import print_ratios
        from ..reports.terminal import console

        print_ratios(found, console())


def _whole(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


@click.command(short_help="Change what is not legally relevant of a configuration.")
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

    with Meter.open(store) as meter:
        before = meter.config.to_dict()
        archives = meter.configure(archive_old=archive_old, reason=reason, **assignments(changes, before))
        after = meter.config.to_dict()
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
