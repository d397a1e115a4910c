"""`ctmeter measure`: the main job."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import CtmeterError, SettingsError
from .main import OK, PARTIAL, exit_code, one_line
from .options import Common, echo_json, output_options, progress_bar, settings_options, stem

if TYPE_CHECKING:
    from ..pipeline import Result


@click.command(short_help="Measure recordings: voltage, current, power, energy.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@settings_options
@click.option("-o", "--output", envvar="CTMETER_OUTPUT", metavar="DIR", help="Directory of the result; of several, the one above them.")
@click.option("--force", is_flag=True, envvar="CTMETER_FORCE", help="Write into a directory that ctmeter did not make.")
@click.option("--hash", "hash_", is_flag=True, envvar="CTMETER_HASH", help="Put the SHA-256 of the file into the summary.")
@output_options
@click.pass_context
def measure(ctx: click.Context, /, files: tuple[str, ...], **_: Any) -> int:
    """Measure recordings: voltages, currents, powers, energies.

    Writes FILE's result into <stem>.ctmeter/ of the current directory, or into the directory given by -o.
    """
    common = Common.of(ctx)
    if "" in files:
        raise SettingsError("FILE is empty: expected the name of a recording")
    _check_names(files)
    done: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    code = OK
    for file in files:
        place = Path(common.output or "") / f"{stem(file)}.ctmeter" if len(files) > 1 or not common.output else Path(common.output)
        try:
            results = _one(file, place, common)
        except (CtmeterError, OSError) as error:
            if len(files) == 1:
                raise
            code = code or exit_code(error)
            failures.append({"path": file, "reason": one_line(error)})
            click.echo(f"ctmeter: {failures[-1]['reason']}", err=True)
            continue
        for name, result in results.items():
            done.append(result.summary)
            if not (common.json_ or common.quiet):
                from ..reports.terminal import console, print_summary

                print_summary(result.summary, console(), _near(result.path), f"{file} {name}".strip())
    if common.json_:
        _print_json(done, failures, several=len(files) > 1 or len(done) > 1)
    if failures and done:
        click.echo(f"ctmeter: {len(failures)} of {len(files)} recordings failed", err=True)
        return PARTIAL
    return code


def _near(path: Path | None) -> Path | None:
    """A path below the current directory without what leads there."""
    return path.relative_to(Path.cwd()) if path is not None and path.is_relative_to(Path.cwd()) else path


def _check_names(files: tuple[str, ...]) -> None:
    twice = [name for name, n in Counter(stem(f) for f in files).items() if n > 1]
    if twice:
        raise SettingsError(
            f"several recordings are named {', '.join(twice)}: their results would replace each other; measure them one by one with -o"
        )


def _one(file: str, place: Path, common: Common) -> dict[str, Result]:
    """The results of a file by point; of one without points under ""."""
    from ..pipeline import measure as run
    from ..pipeline import measure_points
    from ..pipeline.run import Layers
    from ..reports.page import available

    keywords = common.measuring()
    layers = Layers(common.config, common.overrides, common.environment)
    layers.beside(file)
    with progress_bar(stem(file), common.quiet) as progress:
        if layers.settings().points:
            results = measure_points(file, out=place, progress=progress, **keywords)
        else:
            results = {"": run(file, out=place, progress=progress, **keywords)}
    if available():
        for result in results.values():
            if result.path is not None:
                result.report(result.path / "report.html")
    return results


def _print_json(done: list[dict[str, Any]], failures: list[dict[str, str]], several: bool) -> None:
    from ..pipeline.describe import SCHEMA_VERSION, program

    if several:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "results": done, "failures": failures})
    elif done:
        echo_json(done[0])
