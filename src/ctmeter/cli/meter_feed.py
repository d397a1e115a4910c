"""`ctmeter meter feed`: recordings into a meter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..errors import SettingsError
from ..settings import layered, read_toml
from .main import INTERRUPTED, OK, PARTIAL, exit_code, one_line
from .options import Common, echo_json, output_options, progress_bar, reading_options

if TYPE_CHECKING:
    from ..meter import Fed

#: Settings of a recording; all others are the meter's own.
_OF_RECORDING = ("map", "ct_ratio", "vt_ratio", "nominal_frequency", "corrections")


@click.command(short_help="Measure recordings into the registers.")
@click.argument("store")
@click.argument("recordings", nargs=-1, metavar="RECORDING...")
@click.option("--start", envvar="CTMETER_START", metavar="TIME|next", help="Time of the first sample, or next: where the last recording ended.")
@reading_options
@click.option("--events", envvar="CTMETER_EVENTS", metavar="CSV", help="What happened beside the recordings: time,kind,value.")
@click.option("--every", envvar="CTMETER_EVERY", type=float, default=600.0, show_default=True, metavar="S", help="Recording time between commits.")
@click.option("--abandon", is_flag=True, help="Give up the recording that was begun and cannot be fed to its end.")
@output_options
@click.pass_context
def feed(ctx: click.Context, /, store: str, recordings: tuple[str, ...], every: float, abandon: bool, **_: Any) -> int:
    """Measure recordings into the registers of STORE, in the order of their time.

    What is in already is recognised by its content and left out. An interrupted feed goes on where the last commit was when the same recording
    is fed again.
    """
    common = Common.of(ctx)
    from ..meter import Meter
    from ..meter.event_file import read_events

    if not recordings and not abandon:
        raise SettingsError("RECORDING...: expected at least one")
    if not every > 0:
        raise SettingsError(f"--every: {every:g} s, expected a time above 0")
    overrides = _of_recordings(common)
    events, start = common.options["events"], common.options["start"]
    start = start.isoformat() if hasattr(start, "isoformat") else start
    with Meter.open(store) as meter:
        given_up = meter.abandon() if abandon else None
        if abandon and given_up is None:
            click.echo("ctmeter: no recording was begun, there is nothing to give up", err=True)
        if given_up is not None:
            click.echo(f"ctmeter: {one_line(Exception(given_up))} was given up; what is in of it stays", err=True)
        said = read_events(events, meter.config) if events else []
        try:
            with progress_bar(f"feeding {store}", common.quiet) as bar:
                fed = meter.feed(
                    recordings, start=start, events=said, progress=_overall(bar, len(recordings)), every_s=every, rate=common.rate,
                    keep_going=len(recordings) > 1, **overrides,
                )  # fmt: skip
        except KeyboardInterrupt:
            click.echo("ctmeter: interrupted; what was committed stands, and feeding the same again goes on from there", err=True)
            return INTERRUPTED
        totals = [r for r in meter.readings() if r.millijoules and r.name[1:] in ("+", "-")]
    return _report(store, fed, totals, common)


def _of_recordings(common: Common) -> dict[str, Any]:
    """Settings of the recordings, from the settings file, the environment and the command line."""
    values: dict[str, Any] = {}
    if common.config:
        plain, _ = read_toml(common.config)
        layered([(common.config, plain)])  # names what is wrong in it
        values = plain
    values |= common.environment | common.overrides
    return {name: values[name] for name in _OF_RECORDING if values.get(name) is not None}


def _overall(bar: Callable[[float], None] | None, count: int) -> Callable[[float], None] | None:
    """The share of all recordings, from the shares of one after another."""
    if bar is None:
        return None
    done, last = 0, 0.0

    def show(share: float) -> None:
        nonlocal done, last
        done += share < last
        last = share
        bar(min((done + share) / max(count, 1), 1.0))

    return show


def _report(store: str, fed: list[Fed], totals: list[Any], common: Common) -> int:
    """Say what became of each recording; the exit code."""
    from ..pipeline.describe import SCHEMA_VERSION, iso, program

    failures = [{"path": f.source, "reason": one_line(f.error)} for f in fed if f.error is not None]
    if not common.json_:
        for failure in failures:
            click.echo(f"ctmeter: {failure['reason']}", err=True)
    well = [f for f in fed if f.error is None]
    if common.json_:
        results = [
            {"source": f.source, "status": f.status, "start": iso(f.start_ns), "end": iso(f.end_ns), "samples": f.samples, "notes": list(f.notes)}
            for f in well
        ]
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "store": store, "results": results, "failures": failures})
    elif not common.quiet:
        from ..reports.meter import print_fed
        from ..reports.terminal import console

        lines = [(f.source, f.status, iso(f.start_ns), iso(f.end_ns), f.notes) for f in well]
        print_fed(lines, [(r.name, r.millijoules, r.unit) for r in totals], console())
    if failures and well:
        click.echo(f"ctmeter: {len(failures)} of {len(fed)} recordings failed", err=True)
        return PARTIAL
    error = next((f.error for f in fed if f.error is not None), None)
    return OK if error is None else exit_code(error)
