"""`ctmeter`: the group of commands, and what becomes of errors.

Exit codes: 0 ok; 1 internal error; 2 usage or settings; 3 input rejected; 4 some inputs failed;
5 limits violated; 6 store integrity; 130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import logging
import os
import sys
from collections.abc import Sequence

import click

from ..errors import CtmeterError, SettingsError, StoreError

__all__ = ["exit_code", "main", "one_line"]

log = logging.getLogger("ctmeter")

OK, INTERNAL, USAGE, INPUT, PARTIAL, VIOLATED, STORE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130
#: Each command is a module of its name with a command of its name.
COMMANDS = ("info", "measure", "convert", "events", "en50160", "report", "accuracy", "batch", "synth", "meter", "config", "completion")


class _Lazy(click.Group):
    """Imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f".{cmd_name}", __package__), cmd_name)
        return command


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version  # slow to import

        try:
            text = version("ctmeter")
        except PackageNotFoundError:
            text = "unknown, run from a source tree"
        click.echo(f"ctmeter {text}")
        ctx.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """What a meter and a power-quality instrument would have measured, from raw waveforms.

    Try: ctmeter measure RECORDING
    """


def one_line(error: BaseException) -> str:
    """An error as one line, without anything a terminal could mistake for a command."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{os.fspath(error.filename)!s}: {error.strerror}" if error.filename is not None else error.strerror
    else:
        text = str(error) or type(error).__name__
    text = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def exit_code(error: BaseException) -> int:
    """The exit code of an error."""
    if isinstance(error, StoreError):
        # a place that must not be replaced is a matter of usage, a result that is not there one of input
        if error.writing:
            return STORE
        return {errno.EEXIST: USAGE, errno.ENOENT: INPUT, errno.ENOTDIR: INPUT, errno.EACCES: INPUT}.get(error.errno or 0, STORE)
    if isinstance(error, SettingsError):
        return USAGE
    if isinstance(error, (CtmeterError, OSError)):
        return INPUT
    return INTERNAL


def _seen_enough() -> int:
    """Whoever read our output has closed it; nothing more is written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK


def _run(args: Sequence[str] | None) -> int:
    try:
        code = cli.main(args=None if args is None else list(args), prog_name="ctmeter", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        # without a command click means its help, which has lines of its own
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            error.show(sys.stderr)
        else:
            hint = f" (try: {error.ctx.command_path} --help)" if error.ctx is not None else ""
            click.echo(f"ctmeter: {one_line(Exception(error.format_message()))}{hint}", err=True)
        return USAGE
    except click.ClickException as error:
        click.echo(f"ctmeter: {one_line(Exception(error.format_message()))}", err=True)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("ctmeter: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return _seen_enough()
    except SystemExit as stop:
        # click ends the program where a pipe is closed, having put this in the place of the output
        if type(sys.stdout) is click.utils.PacifyFlushWrapper:
            return _seen_enough()
        return int(stop.code or 0)
    except (CtmeterError, OSError) as error:
        log.debug("the error came from here:", exc_info=error)
        click.echo(f"ctmeter: {one_line(error)}", err=True)
        return exit_code(error)
    except MemoryError:
        click.echo("ctmeter: not enough memory", err=True)
        return INTERNAL
    except Exception as error:
        log.debug("the error came from here:", exc_info=error)
        click.echo(f"ctmeter: internal error: {type(error).__name__}: {one_line(error)} (-v shows where)", err=True)
        return INTERNAL


def _open_streams() -> None:
    """Have streams that are closed lead nowhere, before a file that is opened takes their descriptors and what is printed goes there."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # the lowest one that is free, which is its own
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor == number:
                os.set_inheritable(descriptor, True)
            setattr(sys, name, open(descriptor, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115  for as long as the program


def main(args: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    _open_streams()
    sys.exit(_run(args))
