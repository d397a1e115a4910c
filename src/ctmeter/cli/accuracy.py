"""`ctmeter accuracy`: a meter against the limits of its class."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..settings import read_toml
from .main import OK, VIOLATED
from .options import Common, echo_json, output_options, progress_bar

if TYPE_CHECKING:
    from ..accuracy import Report

F = TypeVar("F", bound=Callable[..., Any])


def _option(*names: str, env: str, **kw: Any) -> Callable[[F], F]:
    return click.option(*names, envvar=f"CTMETER_{env}", **kw)


@click.command(short_help="Test a meter against the limits of its accuracy class.")
@_option("--class", "meter_class", env="CLASS", metavar="CLASS", help="A, B, C (default), 1, 2, 0.2S, 0.5S, or one of --limits.")
@_option("--in", "i_n", env="IN", type=float, metavar="A", help="Rated current, by default 5 A; of a direct meter its reference current.")
@_option("--imax", "i_max", env="IMAX", type=float, metavar="A", help="Maximum current; the least that the class allows where not given.")
@_option("--direct", env="DIRECT", is_flag=True, help="A direct-connected meter; else one on transformers.")
@_option("--reactive-class", env="REACTIVE_CLASS", metavar="CLASS", help="2, 3, 0.5S, 1S, or none; goes with the class where not given.")
@_option("--un", env="UN", type=float, metavar="V", help="Reference voltage, phase to neutral; 230 V where not given.")
@_option("--fn", env="FN", type=float, metavar="HZ", help="Reference frequency; 50 Hz where not given.")
@_option("--front-end", env="FRONT_END", metavar="PRESET|TOML", help="ideal (default), adc-24bit, class-b-like, class-c-like, or a file.")
@_option("--limits", env="LIMITS", metavar="TOML", help="Tables that replace and extend the limits that come with ctmeter.")
@_option("--band", "bands", env="BAND", multiple=True, metavar="BAND", help="Temperature band such as -10..+40; all where not given.")
@_option("--on-request", env="ON_REQUEST", is_flag=True, help="With the power factors 0.25 inductive and 0.5 capacitive.")
@_option("--seconds", env="SECONDS", type=float, metavar="S", help="Shortest length of a measurement, 8 s where not given.")
@_option("-j", "--jobs", env="JOBS", type=int, metavar="N", help="Threads; as many as processors where not given.")
@_option("--recordings", env="BENCH_RECORDINGS", metavar="DIR", help="Judge recordings of a test bench in place of a simulated meter.")
@_option("--reference", env="BENCH_REFERENCE", metavar="CSV", help="What the reference standard said of each recording.")
@_option("--config", env="CONFIG", metavar="TOML", help="Options, and settings by which the recordings are measured.")
@_option("--correct", env="CORRECT", metavar="TOML", help="Estimate corrections from the recordings, and write them there as a settings file.")
@_option("-o", "--output", env="OUTPUT", metavar="DIR", help="Write JSON, CSV, charts and a page there.")
@_option("--fail-on-violation", env="FAIL_ON_VIOLATION", is_flag=True, help="Exit with 5 where a limit is not kept.")
@output_options
@click.pass_context
def accuracy(ctx: click.Context, /, **_: Any) -> int:
    """Test a meter against the limits of its accuracy class.

    A simulated meter: waveforms of known energy go through a front end, the engine and the registers. With
    --recordings and --reference: a meter whose samples were recorded on a test bench.
    """
    common = Common.of(ctx)
    given = common.options
    _check(ctx, given)
    more = {name: given[name] for name in ("meter_class", "i_n", "i_max", "limits") if given[name] is not None}
    more |= {
        **_references(common),
        "connection": "direct" if given["direct"] else "transformer",
        "reactive_class": "" if given["reactive_class"] == "none" else given["reactive_class"],
        "bands": given["bands"] or None,
    }
    report = _benched(given, common, more) if given["recordings"] else _simulated(given, common, more)
    _finish(report, common)
    return VIOLATED if given["fail_on_violation"] and report.violations else OK


def _references(common: Common) -> dict[str, Any]:
    """Reference voltage, phase to neutral, and frequency where they are given: of the options, else as the settings have them."""
    settings: Mapping[str, Any] = {**(read_toml(common.config)[0] if common.config else {}), **common.environment, **common.overrides}
    voltage, frequency = settings.get("nominal_voltage"), settings.get("nominal_frequency")
    if voltage is not None and common.options["un"] is None and settings.get("wiring") == "3P3W" and isinstance(voltage, (int, float)):
        voltage /= math.sqrt(3)
    return {name: value for name, value in (("u_n", voltage), ("f_n", frequency)) if value is not None}


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

    # the reference voltage of the meter is no setting of the measurement
    environment, overrides = ({k: v for k, v in d.items() if k != "nominal_voltage"} for d in (common.environment, common.overrides))
    with progress_bar("accuracy", common.quiet) as progress:
        report = run_bench(
            given["recordings"],
            given["reference"],
            settings=given["config"],
            correct=bool(given["correct"]),
            overrides={**overrides, "environment": environment},
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
            front_end=given["front_end"],
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
