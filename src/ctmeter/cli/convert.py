"""`ctmeter convert`: a recording in another format."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..errors import CtmeterWarning, SettingsError
from .main import one_line
from .options import Common, echo_json, output_options, settings_options


@click.command(short_help="Write a recording in another format.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@settings_options
@click.option("--option", "writer_options", multiple=True, metavar="NAME=VALUE", help="For the writer, for instance encoding=ASCII or revision=1999.")
@click.option("--force", is_flag=True, envvar="CTMETER_FORCE", help="Replace an existing file.")
@output_options
@click.pass_context
def convert(ctx: click.Context, /, source: str, target: str, writer_options: tuple[str, ...], **_: Any) -> None:
    """Write a recording in the format that the ending of OUT names.

    What that format cannot hold is said on standard error.
    """
    common = Common.of(ctx)
    from ..pipeline.describe import SCHEMA_VERSION, describe, program
    from ..pipeline.run import Layers, open_recording
    from ..store.results import writing

    if common.limits:
        raise SettingsError("from, to: a conversion takes the whole recording")
    refuse_existing(target, common.force)
    recording, _ours = open_recording(source, Layers(common.config, common.overrides, common.environment), common.rate)
    with recording:
        with writing(target), telling():
            recording.write(target, **pairs(writer_options))
        described = describe(recording)
    if common.json_:
        echo_json({"schema_version": SCHEMA_VERSION, "program": program(), "recording": described, "written": target})
    elif not common.quiet:
        click.echo(f"{target}: {described['samples']} samples of {len(described['channels'])} channels")


@contextmanager
def telling() -> Iterator[None]:
    """Warnings of a writer on standard error, each as one line."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", CtmeterWarning)
        yield
    for note in notes:
        click.echo(f"ctmeter: warning: {one_line(Exception(str(note.message)))}", err=True)


def refuse_existing(target: str, force: bool) -> None:
    """An existing file is replaced only on demand."""
    path = Path(target)
    if path.is_dir():
        raise SettingsError(f"{target}: is a directory, expected a file to write")
    if path.exists() and not force:
        raise SettingsError(f"{target}: exists already; --force replaces it")


def pairs(texts: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE options, each value read as TOML where it is."""
    import tomllib

    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise SettingsError(f"--option {text}: expected NAME=VALUE")
        try:
            values[name] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            values[name] = value
    return values
