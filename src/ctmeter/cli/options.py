"""Options that commands share, and how they meet TOML, environment and settings."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import SettingsError
from ..settings import from_environment, names, parse_map, read_toml

__all__ = [
    "Common", "assignments", "echo_json", "output_options", "progress_bar", "reading_options", "settings_options", "store_options", "verbosity",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

#: Option of the command line to setting.
_SETTINGS = {"un": "nominal_voltage", "fn": "nominal_frequency", "wiring": "wiring", "ct": "ct_ratio", "vt": "vt_ratio", "side": "side"}
#: Option in TOML to parameter, with the types it may have.
_TOML: dict[str, tuple[str, tuple[type, ...], str]] = {
    "rate": ("rate", (int, float), "a number of Hz"),
    "from": ("from_", (str, int, float, dt.datetime), "seconds or a time"),
    "to": ("to", (str, int, float, dt.datetime), "seconds or a time"),
    "output": ("output", (str,), "a path"),
    "force": ("force", (bool,), "true or false"),
    "hash": ("hash_", (bool,), "true or false"),
    "json": ("json_", (bool,), "true or false"),
    "quiet": ("quiet", (bool,), "true or false"),
    "verbose": ("verbose", (int, bool), "a number"),
    "start": ("start", (str, dt.datetime), "a time or next"),
    "events": ("events", (str,), "a path"),
    "list": ("list_", (str,), "auto, manual or backup"),
    "which": ("which", (str,), "the name of a logger"),
    "stream": ("stream", (str,), "the name of a pulse train"),
    "csv": ("csv", (bool,), "true or false"),
    "telegram": ("telegram", (bool,), "true or false"),
    "parquet": ("parquet", (str,), "a path"),
    "table": ("table", (list,), "a list of texts such as 10min=week.csv"),
    "edition": ("edition", (str,), "a text"),
    "level": ("level", (str,), "a text"),
    "limits": ("limits", (str,), "a path"),
    "island": ("island", (bool,), "true or false"),
    "only": ("only", (str,), "names joined by commas"),
    "sliding": ("sliding", (bool,), "true or false"),
    "step": ("step", (int, float), "a number of hours"),
    "stamp": ("stamp", (str,), '"start" or "end"'),
    "pdf": ("pdf", (str,), "a path"),
    "timezone": ("timezone", (str,), "the name of a time zone"),
    "fail_on_violation": ("fail_on_violation", (bool,), "true or false"),
    "jobs": ("jobs", (int,), "a number of processes or threads"),
    "scheduler": ("scheduler", (str,), "the address of a Dask scheduler"),
    "shard": ("shard", (str,), "k/n"),
    "tables": ("tables", (list, str), "a list of names of tables"),
    "retry_failed": ("retry_failed", (bool,), "true or false"),
    "dry_run": ("dry_run", (bool,), "true or false"),
    "json_lines": ("json_lines", (bool,), "true or false"),
    "max_unpacked": ("max_unpacked", (int, float), "a number of GB"),
    "class": ("meter_class", (str,), 'a text such as "C"'),
    "in": ("i_n", (int, float), "a number of A"),
    "imax": ("i_max", (int, float), "a number of A"),
    "direct": ("direct", (bool,), "true or false"),
    "reactive_class": ("reactive_class", (str,), 'a text such as "2"'),
    "front_end": ("front_end", (str,), "a preset or a path"),
    "band": ("bands", (list,), "a list of texts such as -10..+40"),
    "on_request": ("on_request", (bool,), "true or false"),
    "seconds": ("seconds", (int, float), "a number of s"),
    # `recordings` is where tests look, and `reference` is a setting
    "bench_recordings": ("recordings", (str,), "a path"),
    "bench_reference": ("reference", (str,), "a path"),
    "correct": ("correct", (str,), "a path"),
}
#: Variables that are no settings: the other options, and what tests, builds and completion use.
_VARIABLES = {
    *(name.upper() for name in (*_SETTINGS, *_TOML)), "CONFIG", "MAP", "RECORDINGS", "SCRATCH", "DEBUG", "COMPLETE",
    "METER_CONFIG", "TYPE", "CODES", "AT", "REASON", "ARCHIVE_OLD", "EVERY", "ALL", "PAGE", "VALUES",
}  # fmt: skip


def _add(command: F, options: list[Callable[[Any], Any]]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def _option(*names: str, env: str, **kw: Any) -> Callable[[Any], Any]:
    return click.option(*names, envvar=f"CTMETER_{env}", **kw)


def output_options(command: F) -> F:
    """`--json`, `-q`, `-v`."""
    return _add(
        command,
        [
            _option("--json", "json_", env="JSON", is_flag=True, help="Machine-readable result alone on standard output."),
            _option("-q", "--quiet", env="QUIET", is_flag=True, help="No summary and no progress, errors only."),
            _option("-v", "--verbose", env="VERBOSE", count=True, help="Tell more on standard error; -vv tells all."),
        ],
    )


_CONFIG = _option("--config", env="CONFIG", metavar="TOML", help="Settings file; what is on the command line or in CTMETER_* wins.")
_FN = _option("--fn", env="FN", type=float, metavar="HZ", help="Nominal frequency, 50 or 60.")
_CT = _option("--ct", env="CT", metavar="RATIO", help="Current transformer, for instance 200/5.")
_VT = _option("--vt", env="VT", metavar="RATIO", help="Voltage transformer, for instance 10000/100.")
_MAP = _option("--map", "map_", env="MAP", metavar="U_L1=VA,...", help="Which channel plays which part; a minus turns it round.")
_RATE = _option("--rate", env="RATE", type=float, metavar="HZ", help="Sample rate, where the file's cannot be believed.")


def reading_options(command: F) -> F:
    """The options that say how to read a recording."""
    return _add(command, [_CONFIG, _FN, _CT, _VT, _MAP, _RATE])


_WINDOW = [
    _option("--from", "from_", env="FROM", metavar="TIME", help="First instant: seconds from the start, or ISO 8601."),
    _option("--to", "to", env="TO", metavar="TIME", help="Where to stop: seconds from the start, or ISO 8601."),
]


def settings_options(command: F, window: bool = True) -> F:
    """The common options that say how to read and measure, and with `window` which part."""
    options = [
        _CONFIG,
        _option("--un", env="UN", type=float, metavar="V", help="Nominal voltage, phase-to-neutral (3P3W: line-to-line)."),
        _FN,
        _option("--wiring", env="WIRING", metavar="3P4W|3P3W|1P2W", help="How the meter is connected."),
        _CT,
        _VT,
        _option("--side", env="SIDE", metavar="SIDE", help="as-recorded, primary or secondary: where values come out."),
        _MAP,
        _RATE,
        *(_WINDOW if window else ()),
        click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Any other setting; `ctmeter config show` lists them."),
    ]
    return _add(command, options)


def store_options(command: F) -> F:
    """The options of commands that look at a meter's store."""
    return output_options(_add(command, [_CONFIG]))


def verbosity(quiet: bool, verbose: int) -> None:
    """Log to standard error: warnings, with -v information, with -vv everything."""
    level = logging.ERROR if quiet else logging.WARNING if not verbose else logging.INFO if verbose == 1 else logging.DEBUG
    logger = logging.getLogger("ctmeter")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("ctmeter: %(levelname)s: %(message)s" if verbose < 2 else "%(asctime)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    # -v is also there to show where an internal error came from
    logger.setLevel(logging.DEBUG if verbose else level)
    handler.setLevel(logging.DEBUG if verbose else level)


@dataclass
class Common:
    """The common options after TOML and environment have been looked at.

    Parameters
    ----------
    config : str or None
        Path of the settings file.
    overrides : dict
        Settings of the command line.
    environment : dict
        Settings of the environment.
    rate, limits, output, force, hash_, json_, quiet, verbose
        The options.
    options : dict
        All options of the command by the name of their parameter.
    """

    config: str | None
    overrides: dict[str, Any]
    environment: dict[str, Any]
    rate: float | None = None
    limits: tuple[Any, Any] | None = None
    output: str | None = None
    force: bool = False
    hash_: bool = False
    json_: bool = False
    quiet: bool = False
    verbose: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, ctx: click.Context) -> Common:
        """From the parameters of the running command.

        Raises
        ------
        SettingsError
            Faulty TOML, options of a wrong type, a map that cannot be read.
        """
        given = dict(ctx.params)
        if given.get("config"):
            _from_toml(ctx, given)
        overrides: dict[str, Any] = {}
        environment = from_environment(os.environ)
        for name, setting in _SETTINGS.items():
            if given.get(name) is not None:
                spoken = ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
                # both CTMETER_UN and CTMETER_NOMINAL_VOLTAGE may be set: the shorter is the option's own
                (overrides if spoken else environment)[setting] = given[name]
        if given.get("map_"):
            overrides["map"] = parse_map(given["map_"])
        overrides |= _assigned(given.get("assignments") or ())
        verbosity(bool(given.get("quiet")), int(given.get("verbose") or 0))
        if not given.get("quiet"):
            _unknown_variables()
        limits = (given.get("from_"), given.get("to"))
        window = limits if any(v is not None for v in limits) else None
        simple = {k: given[k] for k in ("rate", "output", "force", "hash_", "json_", "quiet", "verbose") if given.get(k) is not None}
        return cls(given.get("config"), overrides, environment, limits=window, options=given, **simple)

    def measuring(self) -> dict[str, Any]:
        """Keywords for `pipeline.measure`."""
        return {
            "settings": self.config,
            "rate": self.rate,
            "time_range": self.limits,
            "force": self.force,
            "sha256": self.hash_,
            "environment": self.environment,
            **self.overrides,
        }


def _unknown_variables() -> None:
    """Say which variables of the environment look like settings and are none."""
    known = _VARIABLES | {name.upper() for name in names()}
    for name in sorted(os.environ):
        if name.startswith("CTMETER_") and name.removeprefix("CTMETER_") not in known:
            click.echo(f"ctmeter: warning: {name}: no such setting or option, it is not used", err=True)


def _from_toml(ctx: click.Context, given: dict[str, Any]) -> None:
    """Options of the settings file, where they are not on the command line or in the environment."""
    _, options = read_toml(given["config"])
    faults = []
    for key, value in options.items():
        name, types, wanted = _TOML[key]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            faults.append(f"{given['config']}: {key}: {value!r} is not {wanted}")
        elif name in given and ctx.get_parameter_source(name) is click.core.ParameterSource.DEFAULT:
            given[name] = value
    if faults:
        raise SettingsError(faults)


def _assigned(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Settings of `--set NAME=VALUE`, read as the environment's are."""
    values: dict[str, str] = {}
    for text in assignments:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not value:
            raise SettingsError(f"--set {text}: expected NAME=VALUE")
        values[name] = value
    known = from_environment({f"CTMETER_{name.upper()}": value for name, value in values.items()})
    # names that are no settings go through as they are, to be reported with everything else
    return {name: known.get(name, value) for name, value in values.items()}


def assignments(texts: tuple[str, ...], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """NAME=VALUE words as values of the kinds that `defaults` has: texts as they stand, lists with commas, else TOML.

    Raises
    ------
    SettingsError
        A word without "=", or a name given twice.
    """
    import tomllib

    values: dict[str, Any] = {}
    faults = []
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            faults.append(f"{text}: expected NAME=VALUE")
            continue
        if name in values:
            faults.append(f"{name}: is given twice")
        default = defaults.get(name)
        try:
            values[name] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            values[name] = value
        if isinstance(default, str) and not (isinstance(values[name], str) or (name == "profile_depth" and value.isdigit())):
            values[name] = value
        elif isinstance(default, list) and not isinstance(values[name], list):
            values[name] = [part.strip() for part in value.split(",") if part.strip()]
        elif default is None and value in ("", "none"):
            values[name] = None
    if faults:
        raise SettingsError(faults)
    return values


def echo_json(result: Mapping[str, Any]) -> None:
    """A result alone on standard output."""
    click.echo(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False))


@contextmanager
def progress_bar(label: str, quiet: bool) -> Iterator[Callable[[float], None] | None]:
    """A bar on standard error, only on a terminal and only for what takes long."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(label, total=1.0)
    begun = time.monotonic()
    started = False

    def show(fraction: float) -> None:
        nonlocal started
        if not started and time.monotonic() - begun > 0.5:
            bar.start()
            started = True
        if started:
            bar.update(task, completed=fraction)

    try:
        yield show
    finally:
        if started:
            bar.stop()


def stem(path: str | os.PathLike[str]) -> str:
    """Name of a recording, for the directory of its result."""
    return Path(path).stem or Path(path).name
