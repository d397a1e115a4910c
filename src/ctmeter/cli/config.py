"""`ctmeter config`: settings looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import SettingsError
from ..settings import Settings, describe, layered, read_toml, sidecar
from .options import Common, echo_json, output_options, settings_options


@click.group(short_help="Check settings files; show what would be used.")
def config() -> None:
    """Check settings files, and show settings with where they come from."""


@config.command()
@click.argument("toml", nargs=-1, required=True, metavar="TOML...")
@output_options
@click.pass_context
def check(ctx: click.Context, /, toml: tuple[str, ...], **_: Any) -> int:
    """Check settings files; every fault of every file is named."""
    common = Common.of(ctx)
    faults: dict[str, list[str]] = {}
    for path in toml:
        try:
            Settings.load(path)
            faults[path] = []
        except SettingsError as error:
            faults[path] = [f.removeprefix(f"{path}: ") for f in error.faults]
    bad = any(faults.values())
    if common.json_:
        echo_json({"schema_version": 1, "ok": not bad, "faults": faults})
    else:
        for path, found in faults.items():
            for fault in found:
                click.echo(f"{path}: {fault}", err=True)
            if not found and not common.quiet:
                click.echo(f"{path}: ok")
    return 2 if bad else 0


@config.command()
@click.argument("recording", required=False)
@settings_options
@output_options
@click.pass_context
def show(ctx: click.Context, /, recording: str | None, **_: Any) -> None:
    """Show the settings that would be used (for RECORDING, with its sidecar), as TOML with their meaning."""
    common = Common.of(ctx)
    layers: list[tuple[str, dict[str, Any]]] = []
    beside = sidecar(Path(recording)) if recording else None
    for path in (beside, common.config):
        if path is not None:
            layers.append((str(path), read_toml(path)[0]))
    layers += [("environment", common.environment), ("command line", common.overrides)]
    settings = layered(layers)
    origin = {key: where for where, values in layers for key in values}
    plain = settings.to_dict()
    if common.json_:
        echo_json({"schema_version": 1, "settings": plain, "origin": {k: origin.get(k, "default") for k in plain}})
        return
    for name, _default, meaning in describe():
        click.echo(f"# {meaning} ({origin.get(name, 'default')})")
        value = plain[name]
        click.echo(f"# {name} =\n" if value is None else f"{name} = {_toml(value)}\n")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
