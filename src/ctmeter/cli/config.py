"""`ctmeter config`: settings looked at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..errors import SettingsError
from ..settings import Settings, describe, layered, read_table, read_toml, sidecar
from .options import Common, echo_json, output_options, settings_options


@click.group(short_help="Check settings files; show what would be used.")
def config() -> None:
    """Check settings files, and show settings with where they come from."""


@config.command()
@click.argument("toml", nargs=-1, required=True, metavar="TOML...")
@click.option("--meter", is_flag=True, help="The files are configurations of meters, also without a table [meter].")
@output_options
@click.pass_context
def check(ctx: click.Context, /, toml: tuple[str, ...], meter: bool, **_: Any) -> int:
    """Check settings files; every fault of every file is named.

    A table [meter] is checked as the configuration of a meter, the rest of a file as settings. With --meter only the
    configuration is looked at, which is all of a file without such a table.
    """
    common = Common.of(ctx)
    faults = {path: _faults(path, meter) for path in toml}
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


def _faults(path: str, meter: bool) -> list[str]:
    """What is wrong in a file."""
    found: list[str] = []
    try:
        if not meter:
            Settings.load(path)
    except SettingsError as error:
        found += [f.removeprefix(f"{path}: ") for f in error.faults]
    try:
        # a file that cannot be read is named once
        if meter or (not found and read_table(path, "meter") is not None):
            from ..meter.config import MeterConfig
            from ..meter.configuring import ready

            ready(MeterConfig.load(path))
    except SettingsError as error:
        found += [f.removeprefix(f"{path}: ") for f in error.faults]
    return found


@config.command()
@click.argument("recording", required=False)
@click.option("--meter", is_flag=True, help="The configuration of a meter: of a store or TOML file in the place of RECORDING, else of --config.")
@settings_options
@output_options
@click.pass_context
def show(ctx: click.Context, /, recording: str | None, meter: bool, **_: Any) -> None:
    """Show the settings that would be used (for RECORDING, with its sidecar), as TOML with their meaning."""
    common = Common.of(ctx)
    if meter:
        _show_meter(recording or common.config, common)
        return
    layers: list[tuple[str, dict[str, Any]]] = []
    beside = sidecar(Path(recording)) if recording else None
    for path in (beside, common.config):
        if path is not None:
            layers.append((str(path), read_toml(path)[0]))
    layers += [("environment", common.environment), ("command line", common.overrides)]
    settings = layered(layers)
    origin = {key: where for where, values in layers for key in values}
    _print(settings.to_dict(), origin, describe(), common)


def _show_meter(path: str | None, common: Common) -> None:
    """The configuration of a meter, from a store, a file, or as it is without either."""
    from ..meter import Meter
    from ..meter.config import MeterConfig, read_values
    from ..meter.config import describe as fields

    given: dict[str, Any] = {}
    if path is None:
        chosen = MeterConfig()
    elif _is_store(path):
        with Meter.open(path, readonly=True) as opened:
            chosen = opened.config
        given = chosen.given()
    else:
        given = read_values(path)
        chosen = MeterConfig.load(path)
    plain = chosen.to_dict()
    defaults = {name: value for name, value, _ in fields()}
    # what is neither given nor the default follows from a code or from another field
    origin = {name: str(path) if name in given else "follows" for name in plain if name in given or plain[name] != defaults[name]}
    _print(plain, origin, fields(), common)


def _is_store(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}") from None


def _print(plain: dict[str, Any], origin: dict[str, str], described: Iterable[tuple[str, Any, str]], common: Common) -> None:
    """Values as TOML, each with its meaning and where it comes from."""
    if common.json_:
        echo_json({"schema_version": 1, "settings": plain, "origin": {k: origin.get(k, "default") for k in plain}})
        return
    for name, _default, meaning in described:
        click.echo(f"# {meaning} ({origin.get(name, 'default')})")
        value = plain[name]
        click.echo(f"# {name} =\n" if value is None else f"{name} = {_toml(value)}\n")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
