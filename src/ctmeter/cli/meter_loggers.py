"""`ctmeter meter profile`, `loggers`, `pulses` and `export`: what a meter has kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, SettingsError
from .convert import refuse_existing
from .options import Common, echo_json, store_options

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows shown on the terminal where nothing says which.
_ROWS = 96
#: Columns of wide loggers that a person wants to see.
_BRIEF = {
    "billing": ("t_local", "stop", "cause", "quality", "A+", "A-", "R+", "R-", "P+max", "ratio"),
    "logger2": ("t_local", "quality", "hours", "A+", "A-", "R+", "R-"),
}

_FROM = click.option("--from", "from_", envvar="CTMETER_FROM", metavar="TIME", help="First instant, ISO 8601; UTC where it names no zone.")
_TO = click.option("--to", envvar="CTMETER_TO", metavar="TIME", help="Where to stop, not included.")
_CSV = click.option("--csv", "csv", is_flag=True, envvar="CTMETER_CSV", help="All of it as CSV.")
_PARQUET = click.option("--parquet", envvar="CTMETER_PARQUET", metavar="FILE", help="Write all of it to a Parquet file.")
_FORCE = click.option("--force", is_flag=True, envvar="CTMETER_FORCE", help="Replace an existing file.")


@click.command(short_help="Show or write the load profile.")
@click.argument("store")
@_FROM
@_TO
@click.option("--values", envvar="CTMETER_VALUES", metavar="absolute|delta", help="How registers stood, or what they grew; else as configured.")
@_CSV
@_PARQUET
@_FORCE
@store_options
@click.pass_context
def profile(ctx: click.Context, /, store: str, values: str | None, **_: Any) -> None:
    """Show the load profile of STORE: demand periods with their registers, in Wh and varh, and their quality."""
    common = Common.of(ctx)
    from ..meter import Meter
    from ..meter.logs import profile as table_of

    start_ns, end_ns = _limits(common)
    with Meter.open(store, readonly=True) as meter:
        table = table_of(meter, start_ns, end_ns, values)
        config = meter.config
    chosen = values or config.profile_values
    facts = {"side": config.profile_side, "values": chosen, "period_min": config.period, "stamp": config.stamp}
    _give(common, table, facts, ("t_local", *config.profile_energies, "quality"))


@click.command(short_help="Show or write the other loggers and the audit trail.")
@click.argument("store")
@click.option("--which", envvar="CTMETER_WHICH", metavar="NAME", help="billing, logger2, analysis, events or audit; else how many rows each has.")
@_FROM
@_TO
@_CSV
@_PARQUET
@_FORCE
@store_options
@click.pass_context
def loggers(ctx: click.Context, /, store: str, **_: Any) -> None:
    """Show a logger of STORE: billing records, second logger, analysis, events, or the audit trail."""
    common = Common.of(ctx)
    from ..meter import Meter
    from ..meter.logs import LOGGERS, logger
    from ..meter.logs import profile as table_of

    which = common.options["which"]
    start_ns, end_ns = _limits(common)
    with Meter.open(store, readonly=True) as meter:
        if which is not None:
            table = logger(meter, which, start_ns, end_ns)
        else:
            tables = {"profile": table_of(meter, start_ns, end_ns), **{name: logger(meter, name, start_ns, end_ns) for name in LOGGERS}}
    if which is not None:
        _give(common, table, {"which": which}, _BRIEF.get(which))
        return
    if common.options["csv"] or common.options["parquet"]:
        raise SettingsError("--csv, --parquet: expected --which beside it")
    _overview(common, tables)


def _overview(common: Common, tables: dict[str, pa.Table]) -> None:
    from ..meter.tabular import plain_rows
    from ..pipeline.describe import SCHEMA_VERSION, program

    rows = []
    for name, table in tables.items():
        ends = plain_rows(table.slice(0, 1)) + plain_rows(table.slice(max(table.num_rows - 1, 0)))
        rows.append({"logger": name, "rows": table.num_rows, "first": ends[0]["t"] if ends else None, "last": ends[-1]["t"] if ends else None})
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "loggers": rows})
    elif not common.quiet:
        from ..reports.meter import print_rows
        from ..reports.terminal import console

        print_rows(("logger", "rows", "first", "last"), rows, {}, console())


@click.command(short_help="Show pulse trains, or write their pulses.")
@click.argument("store")
@click.option("--stream", envvar="CTMETER_STREAM", metavar="NAME", help="Only this train; with --json its times too.")
@_CSV
@_PARQUET
@_FORCE
@store_options
@click.pass_context
def pulses(ctx: click.Context, /, store: str, **_: Any) -> None:
    """Show the pulse trains of STORE; --csv and --parquet give the instants at which pulses began."""
    common = Common.of(ctx)
    stream, csv, parquet = (common.options[name] for name in ("stream", "csv", "parquet"))
    _one_output(common, csv, parquet)
    from ..meter import Meter
    from ..meter.exporting import pulse_tables
    from ..meter.logs import pulse_times
    from ..meter.logs import pulses as trains
    from ..meter.tabular import csv_text, times, write_parquet
    from ..pipeline.describe import SCHEMA_VERSION, iso, program

    with Meter.open(store, readonly=True) as meter:
        if parquet:
            refuse_existing(parquet, common.force)
            write_parquet(parquet, pulse_tables(meter, stream))
            _written(common, parquet)
            return
        if csv:
            for k, table in enumerate(pulse_tables(meter, stream)):
                for part in csv_text(table, header=k == 0):
                    click.echo(part, nl=False)
            return
        found = [t for t in trains(meter) if stream in (None, t["stream"])]
        if stream is not None and not found:
            next(pulse_times(meter, stream), None)  # says which there are
        plain: list[dict[str, Any]] = [{**t, "first": iso(t.pop("first_ns")), "last": iso(t.pop("last_ns"))} for t in found]
        if common.json_ and stream is not None:
            plain = [{**t, "t": [text for _, t_ns in pulse_times(meter, stream) for text in times(t_ns)]} for t in plain]
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "streams": plain})
    elif not common.quiet:
        from ..reports.meter import print_pulses
        from ..reports.terminal import console

        print_pulses(plain, console())


@click.command(short_help="Write everything to files that need no ctmeter.")
@click.argument("store")
@click.option("-o", "--output", required=True, envvar="CTMETER_OUTPUT", metavar="DIR", help="Directory to make.")
@click.option("--force", is_flag=True, envvar="CTMETER_FORCE", help="Write into a directory that is not empty.")
@store_options
@click.pass_context
def export(ctx: click.Context, /, store: str, **_: Any) -> None:
    """Write all tables of STORE as Parquet and CSV, its readings as JSON, CSV and text, and its configuration."""
    common = Common.of(ctx)
    from ..meter.exporting import export as write
    from ..pipeline.describe import SCHEMA_VERSION, program

    place = write(store, common.output or "", force=common.force)
    files = sorted(p.name for p in place.iterdir())
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "written": common.output, "files": files})
    elif not common.quiet:
        click.echo(f"{common.output}: {len(files)} files, README.txt says what they are")


def _limits(common: Common) -> tuple[int | None, int | None]:
    """--from and --to as ns UTC."""
    from ..recording import nanoseconds

    found: list[int | None] = []
    for name, text in zip(("from", "to"), common.limits or (None, None), strict=True):
        try:
            found.append(None if text in (None, "") else nanoseconds(str(text)))
        except InputError:
            raise SettingsError(f"{name}: {text!r} is no ISO 8601 time such as 2026-01-01T00:00:00Z") from None
    if found[0] is not None and found[1] is not None and found[0] >= found[1]:
        raise SettingsError("from, to: the first is not before the second")
    return found[0], found[1]


def _one_output(common: Common, csv: bool, parquet: str | None) -> None:
    if sum((common.json_, csv, bool(parquet))) > 1:
        raise SettingsError("--json, --csv, --parquet: expected one of them at most")


def _written(common: Common, path: str) -> None:
    if not common.quiet:
        click.echo(f"{path}: written")


def _give(common: Common, table: pa.Table, facts: dict[str, Any], brief: tuple[str, ...] | None) -> None:
    """A table in the form that was asked for; on the terminal only what a person wants to see."""
    csv, parquet = common.options["csv"], common.options["parquet"]
    _one_output(common, csv, parquet)
    from ..meter.tabular import csv_text, heads, plain_rows, write_parquet

    if parquet:
        refuse_existing(parquet, common.force)
        write_parquet(parquet, [table])
        _written(common, parquet)
    elif csv:
        for part in csv_text(table):
            click.echo(part, nl=False)
    elif common.json_:
        from ..pipeline.describe import SCHEMA_VERSION, plain, program

        described = [{"name": f.name, **{k.decode(): v.decode() for k, v in (f.metadata or {}).items()}} for f in table.schema]
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), **facts, "columns": described, "rows": plain(plain_rows(table))})
    elif not common.quiet:
        from ..reports.meter import print_rows
        from ..reports.terminal import console

        shown = table if common.limits else table.slice(max(table.num_rows - _ROWS, 0))
        names = dict(zip(table.column_names, heads(table), strict=True))
        columns = brief or tuple(c for c in table.column_names if c not in ("t", "start"))
        print_rows(columns, plain_rows(shown), names | {"t_local": "local time"}, console())
        if shown.num_rows < table.num_rows:
            click.echo(f"the last {shown.num_rows} of {table.num_rows} rows (--from, --to, --csv, --json, --parquet)")
