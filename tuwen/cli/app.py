"""Gathers the commands, and turns errors into messages."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import tuwen
from tuwen import cli
from tuwen.core.errors import TuwenError

PANELS = ("Train", "Use", "Look inside")
"""The headings of `tuwen --help`, in their order."""

DEBUG = "--debug"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 where it succeeds, 1 after an error, 2 for a wrong call, 130 after Ctrl-C."""
    words, debug = _without_debug(list(sys.argv[1:] if arguments is None else arguments))
    try:
        build_app()(args=words, prog_name="tuwen")
    except TuwenError as error:
        if debug:
            raise
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        sys.exit(1)
    except OSError as error:  # a disk that is full, a folder that cannot be written to: no fault of this program
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        typer.secho(
            f"{where}{(error.strerror or str(error)).lower()} (--debug shows where)", fg=typer.colors.RED, err=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def build_app() -> typer.Typer:
    """The command line with every command that has a file in this folder."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(_tuwen)
    names = [
        info.name for info in pkgutil.iter_modules(cli.__path__) if info.name != "app" and not info.name.startswith("_")
    ]
    modules = [importlib.import_module(f"{cli.__name__}.{name}") for name in names]
    for module in sorted(modules, key=lambda module: PANELS.index(module.PANEL)):
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        if isinstance(module.command, typer.Typer):
            app.add_typer(module.command, name=name, rich_help_panel=module.PANEL, no_args_is_help=True)
        else:
            app.command(name, rich_help_panel=module.PANEL)(module.command)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version
        from platform import python_version

        typer.echo(f"tuwen {tuwen.__version__} (Python {python_version()}, PyTorch {version('torch')})")
        raise typer.Exit


def _tuwen(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="After an error, print the traceback as well.")] = False,
) -> None:
    """图文 — vision-language models from pictures and their texts: pretrain, evaluate, use."""


def _without_debug(words: list[str]) -> tuple[list[str], bool]:
    """The command line without `--debug`, which may stand anywhere before `--`, and whether it was there."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != DEBUG]
    return kept + words[end:], len(kept) < end
