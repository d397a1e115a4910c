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
@click.option("--recordings", metavar="DIR", help="Judge recordings of a test bench in place of a simulated meter.")
@click.option("--reference", metavar="CSV", help="What the reference standard said of each recording.")
@click.option("--config", metavar="TOML", envvar="CTMETER_CONFIG", help="Settings by which the recordings are measured.")
@click.option("--correct", metavar="TOML", help="Estimate corrections from the recordings, and write them there as a settings file.")
@click.option("-o", "--output", envvar="CTMETER_OUTPUT", metavar="DIR", help="Write JSON, CSV, charts and a page there.")
@click.option("--fail-on-violation", is_flag=True, help="Exit with 5 where a limit is not kept.")
@output_options
@click.pass_context
def accuracy(ctx: click.Context, /, **given: Any) -> int:
    """Test a meter against the limits of its accuracy class.

    A simulated meter: waveforms of known energy go through a front end, the engine and the registers. With
    --recordings and --reference: a meter whose samples were recorded on a test bench.
    """
    common = Common.of(ctx)
    _check(ctx, given)
    more = {name: given[name] for name in ("i_max", "limits") if given[name] is not None}
    more |= {
        "u_n": given["un"],
        "f_n": given["fn"],
        "connection": "direct" if given["direct"] else "transformer",
        "reactive_class": "" if given["reactive_class"] == "none" else given["reactive_class"],
    }
    report = _benched(given, common, more) if given["recordings"] else _simulated(given, common, more)
    _finish(report, common)
    return VIOLATED if given["fail_on_violation"] and report.violations else OK


def _check(ctx: click.Context, given: dict[str, Any]) -> None:
    """Options that do not go together."""
    if bool(given["recordings"]) != bool(given["reference"]):
        raise click.UsageError("--recordings and --reference go together", ctx)
    if given["correct"] and not given["recordings"]:
        raise click.UsageError("--correct needs --recordings and --reference", ctx)
    if given["front_end"] and given["recordings"]:
        raise click.UsageError("--front-end is for a simulated meter, not for --recordings", ctx)


def _benched(given: dict[str, Any], common: Common, more: dict[str, Any]) -> Report:
    from ..accuracy import run_bench
    from ..accuracy.correct import settings_text
    from ..store.results import write_text

    with progress_bar("accuracy", common.quiet) as progress:
        report = run_bench(
            given["recordings"],
            given["reference"],
            given["meter_class"],
            given["i_n"],
            settings=given["config"],
            correct=bool(given["correct"]),
            progress=progress,
            **more,
        )
    if given["correct"]:
        write_text(given["correct"], settings_text(report.correction["settings"]))
    return report


def _simulated(given: dict[str, Any], common: Common, more: dict[str, Any]) -> Report:
    from ..accuracy import run

    more |= {name: given[name] for name in ("seconds", "jobs") if given[name] is not None}
    with progress_bar("accuracy", common.quiet) as progress:
        return run(
            given["meter_class"],
            given["i_n"],
            given["front_end"],
            bands=given["bands"] or None,
            on_request=given["on_request"],
            progress=progress,
            **more,
        )


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
