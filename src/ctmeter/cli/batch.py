"""`ctmeter batch`: from a folder to a fleet."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import click

from ..errors import SettingsError
from .main import INPUT, OK, PARTIAL, VIOLATED, one_line
from .options import Common, echo_json, output_options, settings_options


@click.command(short_help="Measure many recordings into one data set.")
@click.argument("sources", nargs=-1, required=True, metavar="PATH|GLOB|URL...")
@click.option("-o", "--output", envvar="CTMETER_OUTPUT", metavar="DIR", help="Folder of the results.")
@partial(settings_options, window=False)
@click.option("--jobs", type=int, envvar="CTMETER_JOBS", metavar="N", help="Processes; as many as there are cores where not given.")
@click.option("--scheduler", envvar="CTMETER_SCHEDULER", metavar="tcp://HOST:PORT", help="Dask scheduler whose workers do the work.")
@click.option("--shard", envvar="CTMETER_SHARD", metavar="K/N", help="Measure the k-th of n shares only; a run without it makes the data set.")
@click.option("--tables", envvar="CTMETER_TABLES", metavar="3s,basic", help="Tables that are kept beside the others.")
@click.option("--retry-failed", is_flag=True, envvar="CTMETER_RETRY_FAILED", help="Try again what failed and has not changed.")
@click.option("--dry-run", is_flag=True, envvar="CTMETER_DRY_RUN", help="Say what would be measured.")
@click.option("--max-unpacked", type=float, envvar="CTMETER_MAX_UNPACKED", metavar="GB", help="Bytes that one archive may unpack to, 16 GB.")
@click.option("--fail-on-violation", is_flag=True, envvar="CTMETER_FAIL_ON_VIOLATION", help="Exit 5 where a site fails EN 50160.")
@click.option("--json-lines", is_flag=True, envvar="CTMETER_JSON_LINES", help="Events as lines of JSON on standard output.")
@output_options
@click.pass_context
def batch(ctx: click.Context, /, sources: tuple[str, ...], **_: Any) -> int:
    """Measure many recordings into one data set.

    PATH is a recording, a folder of them or an archive. The data set, summary.html and summary.json are written
    to the folder given by -o. Run it again to go on after an interruption, or when recordings have been added.
    """
    common = Common.of(ctx)
    given = common.options
    if not common.output:
        raise SettingsError("-o: it is not given, expected the folder of the results")
    if common.json_ and given.get("json_lines"):
        raise SettingsError("--json, --json-lines: standard output can hold one of the two")
    from ..batch import run
    from ..batch.progress import view_for
    from ..measurements import leave_pandas_out
    from ..readers.archives import Limits

    room = given.get("max_unpacked")
    if room is not None and not 0 < room < 1e9:  # also not a number
        raise SettingsError(f"max_unpacked: {room:g} GB, expected more than 0")
    limits = None if room is None else Limits(size=round(room * 1e9))
    leave_pandas_out()
    summary = run(
        sources,
        out=common.output,
        settings=common.config,
        jobs=given.get("jobs"),
        scheduler=given.get("scheduler"),
        tables=_names(given.get("tables")),
        rate=common.rate,
        shard=_shard(given.get("shard")),
        retry_failed=bool(given.get("retry_failed")),
        dry_run=bool(given.get("dry_run")),
        limits=limits,
        view=view_for(common.quiet or common.json_, bool(given.get("json_lines"))),
        environment=common.environment,
        **common.overrides,
    )
    if common.json_:
        echo_json(summary)
    elif not common.quiet and not given.get("json_lines"):
        _print(summary, os.path.join(common.output, "dataset"))
    if summary.get("failed"):
        # a share may have nothing to measure
        return PARTIAL if summary.get("done") or summary.get("dry_run") or summary.get("shard") else INPUT
    return VIOLATED if given.get("fail_on_violation") and _violated(summary) else OK


def _names(text: Any) -> list[str] | None:
    """Names joined by commas, or a list."""
    if text is None:
        return None
    return [part.strip() for part in text.split(",") if part.strip()] if isinstance(text, str) else list(text)


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    k, slash, n = text.partition("/")
    if not (slash and k.strip().isdigit() and n.strip().isdigit()):
        raise SettingsError(f"shard: {text!r}, expected k/n such as 1/8")
    return int(k), int(n)


def _violated(summary: dict[str, Any]) -> bool:
    return any(site.get("verdict") == "fail" for site in summary.get("sites", ()))


def _print(summary: dict[str, Any], dataset: str) -> None:
    """What was done, for a reader."""
    if summary.get("dry_run"):
        click.echo(
            f"{summary['to_measure']} of {summary['sources']} recordings to measure, {summary['pieces']} pieces, "
            f"{summary['recording_s'] / 3600:.3g} h; {summary['failed']} failed"
        )
        _print_notes(summary, "are no longer there and would leave the data set")
        return
    rate = summary.get("x_real_time")
    speed = f", {rate:.0f} x real time" if rate and rate >= 1 else ""
    click.echo(f"{summary['done']} done, {summary['failed']} failed, {summary['skipped']} skipped in {summary['seconds']:.1f} s{speed}")
    for failure in summary["failures"][:20]:
        click.echo(f"  {one_line(Exception(failure['path']))}: {one_line(Exception(failure['reason']))}")
    if len(summary["failures"]) > 20:
        click.echo(f"  and {len(summary['failures']) - 20} more, in summary.json")
    if summary.get("shard"):
        click.echo(f"share {summary['shard']} is measured; a run without --shard makes the data set")
        return
    _print_notes(summary, "were no longer there and have left the data set")
    click.echo(f"data set: {dataset}")


def _print_notes(summary: dict[str, Any], gone: str) -> None:
    """What nobody may have meant."""
    if summary["gone"]:
        click.echo(f"{summary['gone']} measured before {gone}")
    for warning in summary["warnings"][:20]:
        click.echo(f"warning: {one_line(Exception(warning))}")
    if len(summary["warnings"]) > 20:
        click.echo(f"and {len(summary['warnings']) - 20} more warnings, in summary.json")
