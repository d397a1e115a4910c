"""`ctmeter meter show` and `ctmeter meter display`: what a meter says."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..errors import SettingsError
from .options import Common, echo_json, store_options

_SIDES = ("primary", "secondary")


def chosen_side(common: Common) -> str | None:
    """The side asked for; None for that of the meter."""
    side = common.overrides.get("side") or common.environment.get("side")
    if side in (None, "as-recorded", *_SIDES):
        return None if side == "as-recorded" else side
    raise SettingsError(f"side: {side!r} is not one of {', '.join(_SIDES)}")


@click.command(short_help="Show registers, indicators, clock, ratio and hash.")
@click.argument("store")
@click.option("--side", envvar="CTMETER_SIDE", metavar="SIDE", help="primary or secondary; else primary once there is a ratio.")
@click.option("--all", "everything", is_flag=True, envvar="CTMETER_ALL", help="Every reading, those of the phases and those that are 0 too.")
@click.option("--csv", "csv", is_flag=True, envvar="CTMETER_CSV", help="Every reading as CSV, on both sides unless one is asked for.")
@click.option("--telegram", is_flag=True, envvar="CTMETER_TELEGRAM", help="The read-out as the text of IEC 62056-21, with its frame and check.")
@store_options
@click.pass_context
def show(ctx: click.Context, /, store: str, everything: bool, **_: Any) -> None:
    """Show the readings of STORE with their OBIS codes."""
    common = Common.of(ctx)
    from ..meter import Meter
    from ..pipeline.describe import SCHEMA_VERSION, plain, program

    side, csv, telegram = chosen_side(common), common.options["csv"], common.options["telegram"]
    if sum((common.json_, csv, telegram)) > 1:
        raise SettingsError("--json, --csv, --telegram: expected one of them at most")
    with Meter.open(store, readonly=True) as meter:
        if telegram:
            from ..meter.exporting import telegram as text

            sys.stdout.buffer.write(text(meter, side))
        elif csv:
            from ..meter.readout import to_csv

            sides = (side,) if side else _SIDES
            readings = [r for k, one in enumerate(sides) for r in meter.readings(one) if r.side or k == 0]
            click.echo(to_csv(readings, ratio=meter.machine.registers.ratio), nl=False)
        elif common.json_:
            echo_json(plain({"schema_version": SCHEMA_VERSION, "program": program(), **meter.show(side)}))
        elif not common.quiet:
            from ..reports.meter import print_readings
            from ..reports.terminal import console

            print_readings(meter.show(side), console(), store, everything)


@click.command(short_help="Show the display as a picture.")
@click.argument("store")
@click.option("--list", "list_", envvar="CTMETER_LIST", default="auto", show_default=True, metavar="NAME", help="auto, manual or backup: which list.")
@click.option("--page", envvar="CTMETER_PAGE", type=int, metavar="N", help="Which reading of the list, from 1.")
@click.option("--seconds", envvar="CTMETER_SECONDS", type=float, metavar="S", help="What stands there after so many seconds, 10 s for each reading.")
@store_options
@click.pass_context
def display(ctx: click.Context, /, store: str, page: int | None, seconds: float | None, **_: Any) -> None:
    """Show the display of the meter: one reading of a list, or all of them one after another."""
    common = Common.of(ctx)
    from ..meter import Meter
    from ..meter.display import picture
    from ..meter.show import MODES, frames, page_at
    from ..pipeline.describe import SCHEMA_VERSION, plain, program

    which = common.options["list_"]
    if which not in MODES:
        raise SettingsError(f"--list: {which!r} is not one of {', '.join(MODES)}")
    if page is not None and seconds is not None:
        raise SettingsError("--page, --seconds: expected one of them at most")
    with Meter.open(store, readonly=True) as meter:
        number = page_at(meter, which, seconds) if seconds is not None else None if page is None else page - 1
        found = list(frames(meter, which, number))
    if common.json_:
        echo_json(plain({"schema_version": SCHEMA_VERSION, "program": program(), "frames": [f.to_dict() for f in found]}))
    elif not common.quiet:
        for f in found:
            click.echo(picture(f))
