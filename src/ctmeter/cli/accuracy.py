"""`ctmeter accuracy`: a meter against the limits of its class."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import click

from .main import OK, VIOLATED
from .options import Common, echo_json, output_options, progress_bar

if TYPE_CHECKING:
    from ..accuracy import Report


@click.command(short_help="Test a meter against the limits of its accuracy class.")
@click.option("--class", "meter_class", default="C", show_default=True, metavar="CLASS", help="A, B, C, 1, 2, 0.2S, 0.5S, or one of --limits.")
@click.option("--in", "i_n", type=float, default=5.0, show_default=True, metavar="A", help="Rated current; of a direct meter its reference current.")
@click.option("--imax", "i_max", type=float, metavar="A", help="Maximum current; the least that the class allows where not given.")
@click.option("--direct", is_flag=True, help="A direct-connected meter; else one on transformers.")
@click.option("--reactive-class", metavar="CLASS", help="2, 3, 0.5S, 1S, or none; goes with the class where not given.")
@click.option("--un", type=float, default=230.0, show_default=True, metavar="V", envvar="CTMETER_UN", help="Reference voltage, phase to neutral.")
@click.option("--fn", type=float, default=50.0, show_default=True, metavar="HZ", envvar="CTMETER_FN", help="Reference frequency.")
@click.option("--front-end", metavar="PRESET|TOML", help="ideal, adc-24bit, class-b-like, class-c-like, or a file; ideal where not given.")
@click.option("--limits", metavar="TOML", help="Tables that replace and extend the limits that come with ctmeter.")
@click.option("--band", "bands", multiple=True, metavar="BAND", help="Temperature band such as -10..+40; all where not given.")
@click.option("--on-request", is_flag=True, help="With the power factors 0.25 inductive and 0.5 capacitive.")
@click.option("--seconds", type=float, metavar="S", help="Shortest length of a measurement, 8 s where not given.")
@click.option("-j", "--jobs", type=int, metavar="N", help="Threads; as many as processors where not given.")
@click.option("-o", "--output", envvar="CTMETER_OUTPUT", metavar="DIR", help="Write JSON, CSV, charts and a page there.")
@click.option("--fail-on-violation", is_flag=True, help="Exit with 5 where a limit is not kept.")
@output_options
@click.pass_context
def accuracy(ctx: click.Context, /, **given: Any) -> int:
    """Test a meter against the limits of its accuracy class.

    A simulated meter: waveforms of known energy go through a front end, the engine and the registers.
    """
    common = Common.of(ctx)
    from ..accuracy import run

    more = {name: given[name] for name in ("seconds", "jobs", "i_max", "limits") if given[name] is not None}
    with progress_bar("accuracy", common.quiet) as progress:
        report = run(
            given["meter_class"],
            given["i_n"],
            given["front_end"],
            u_n=given["un"],
            f_n=given["fn"],
            connection="direct" if given["direct"] else "transformer",
            reactive_class=_reactive(given["reactive_class"]),
            bands=given["bands"] or None,
            on_request=given["on_request"],
            progress=progress,
            **more,
        )
    _finish(report, common)
    return VIOLATED if given["fail_on_violation"] and report.violations else OK


def _reactive(name: str | None) -> str | None:
    return "" if name == "none" else name


def _finish(report: Report, common: Common) -> None:
    """Write, print and say what there is."""
    drawn = importlib.util.find_spec("matplotlib") is not None
    if common.output:
        report.save(common.output, pictures=drawn)
    if common.json_:
        echo_json(report.to_dict())
    elif not common.quiet:
        click.echo(report.text())
    if common.output and not drawn and not common.quiet:
        click.echo('ctmeter: no charts and no page: the extra "report" is not installed', err=True)
