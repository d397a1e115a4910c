"""`ctmeter en50160`: results or tables judged by EN 50160."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import InputError, SettingsError
from ..settings import Settings, layered, parse_map, read_toml
from .main import OK, VIOLATED
from .options import Common, echo_json, output_options

if TYPE_CHECKING:
    from ..en50160 import Assessment

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["assessed", "assessment_options", "en50160"]


def _option(*names: str, env: str, **kw: Any) -> Callable[[F], F]:
    return click.option(*names, envvar=f"CTMETER_{env}", **kw)


def assessment_options(command: F) -> F:
    """The options that say by what is judged; of `en50160` and `report`."""
    for option in reversed(
        [
            _option("--edition", env="EDITION", metavar="YEAR", help="Of EN 50160: 2010 (default), 2022 or 1999."),
            _option("--level", env="LEVEL", metavar="LV|MV", default="LV", help="Low or medium voltage."),
            _option("--limits", env="LIMITS", metavar="TOML", help="Limits that replace or extend those of the edition."),
            _option("--island", env="ISLAND", is_flag=True, help="A network without synchronous connection to an interconnected one."),
        ]
    ):
        command = option(command)
    return command


@click.command(short_help="Judge results by EN 50160: weekly statistics and verdicts.")
@click.argument("directories", nargs=-1, metavar="[DIR]...")
@_option("--table", env="TABLE", multiple=True, metavar="NAME=FILE", help="A table from elsewhere, for instance 10min=week.csv; may be repeated.")
@_option("--map", "map_", env="MAP", metavar="U_L1=HEADING,...", help="Columns of such tables, with a unit where they say none: U_L1=Urms A [kV].")
@_option("--stamp", env="STAMP", metavar="start|end", default="start", help="Which end of its interval a time of such tables names.")
@_option("--un", env="UN", type=float, metavar="V", help="Nominal voltage, phase-to-neutral (3P3W: line-to-line).")
@_option("--fn", env="FN", type=float, metavar="HZ", help="Nominal frequency, 50 or 60.")
@_option("--wiring", env="WIRING", metavar="3P4W|3P3W|1P2W", help="How the meter was connected.")
@assessment_options
@_option("--only", env="ONLY", metavar="U,THD_U,...", help="Judge these parameters alone.")
@_option("--start", env="START", metavar="TIME", help="When the first week begins; by default with the first whole interval.")
@_option("--sliding", env="SLIDING", is_flag=True, help="Weeks that begin every --step hours, instead of one after the other.")
@_option("--step", env="STEP", type=float, default=24.0, metavar="HOURS", help="Of sliding weeks, by default 24.")
@_option("--fail-on-violation", env="FAIL_ON_VIOLATION", is_flag=True, help="Exit with 5 where the verdict is fail.")
@_option("--config", env="CONFIG", metavar="TOML", help="Settings file; what is on the command line or in CTMETER_* wins.")
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Any other setting, for instance signalling_frequency=175.")
@output_options
@click.pass_context
def en50160(ctx: click.Context, /, directories: tuple[str, ...], **_: Any) -> int:
    """Judge results by EN 50160.

    DIR are result directories of one site that follow each other; tables of other programs come by --table. What was too
    short or not measured is never a pass.
    """
    common = Common.of(ctx)
    found = assessed(directories, common)
    if common.json_:
        from ..pipeline.describe import SCHEMA_VERSION, plain, program

        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), **plain(found.to_dict())})
    elif not common.quiet:
        from ..reports.terminal import console
        from ..reports.verdicts import print_assessment

        print_assessment(found.to_dict(), console())
    return VIOLATED if common.options["fail_on_violation"] and found.verdict == "fail" else OK


def assessed(directories: tuple[str, ...], common: Common) -> Assessment:
    """The assessment that the options of a command ask for.

    Raises
    ------
    InputError, SettingsError, StoreError
        As `ctmeter.en50160.assess`; nothing to assess.
    """
    from .. import en50160 as standard

    options = common.options
    tables = tuple(options.get("table") or ())
    if not directories and not tables:
        raise SettingsError("nothing to assess: expected DIR, or --table such as 10min=week.csv")
    settings, columns_map = _settings(common)
    parts: list[Any] = list(directories)
    for text in tables:
        name, equals, file = (part.strip() for part in str(text).partition("="))
        if not equals or not file:
            raise SettingsError(f"--table {text}: expected NAME=FILE such as 10min=week.csv")
        parts.append({name: standard.read_table(
            file, name, columns_map=columns_map, nominal_voltage=settings.nominal_voltage,
            nominal_frequency=settings.nominal_frequency, stamp=options.get("stamp", "start"),
            wiring=settings.wiring,
        )})  # fmt: skip
    return standard.assess(
        parts,
        options.get("edition"),
        options.get("level", "LV"),
        options.get("limits"),
        island=bool(options.get("island")),
        only=[n.strip() for n in options["only"].split(",") if n.strip()] if options.get("only") else None,
        start=options.get("start"),
        sliding=bool(options.get("sliding")),
        step=float(options.get("step") or 24.0),
        nominal_voltage=settings.nominal_voltage,
        nominal_frequency=settings.nominal_frequency,
        wiring=settings.wiring,
        signalling_frequency=settings.signalling_frequency,
    )


def _settings(common: Common) -> tuple[Settings, dict[str, str]]:
    """The settings that matter, and the map of columns, whose keys are those of tables and not channels."""
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if common.config:
        layers.append((common.config, read_toml(common.config)[0]))
    layers += [("", common.environment), ("", common.overrides)]
    columns_map: dict[str, str] = {}
    for where, values in layers:
        own = values.get("map", {})
        if isinstance(own, str):
            own = parse_map(own)
        if not isinstance(own, Mapping) or not all(isinstance(v, str) for v in own.values()):
            raise InputError("map: expected columns and headings", path=where or None)
        columns_map |= own
    return layered((where, {k: v for k, v in values.items() if k != "map"}) for where, values in layers), columns_map
