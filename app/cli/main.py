"""Wires the subcommands together and turns errors into one line and a status."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import NoReturn, cast

import typer
from pydantic import ValidationError
from typer.core import TyperCommand, TyperGroup

from app.config import Settings, variable
from app.errors import AppError, InvalidForm
from app.messages import by_field


class Subcommands(TyperGroup):
    """Modules of this package, imported only when they are named: all of them together take seconds.

    A module has a Typer `app` of its own, or else a function `command`.
    """

    NAMES = ("up", "signin", "seeds", "benchmarks", "refine", "grow", "export", "verify", "serve-models", "doctor")

    def list_commands(self, _context: object) -> list[str]:
        return list(self.NAMES)

    def get_command(self, _context: object, name: str) -> TyperCommand | None:
        if name not in self.NAMES:
            return None
        module = import_module(f"app.cli.{name.replace('-', '_')}")
        alone = typer.Typer(rich_markup_mode=None)
        if hasattr(module, "app"):
            alone.add_typer(module.app, name=name)
        else:
            alone.command(name)(module.command)
        return cast("TyperCommand", typer.main.get_group(alone).commands[name])


app = typer.Typer(
    name="cairn",
    cls=Subcommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Grow, review and export curricula of verifiable problems for reinforcement learning.",
    epilog="Settings come from the environment or a .env file; docs/configuration.md lists them.",
)


@app.callback()
def cairn() -> None:
    """Typer makes a group of what has a callback; there is nothing to do before a subcommand."""


def _refuse(errors: Mapping[str, str]) -> NoReturn:
    for field, message in errors.items():
        print(f"cairn: {field}: {message}", file=sys.stderr)
    sys.exit(1)


def main() -> None:
    """Runs the command; what a person can act on is one line on stderr and status 1, not a traceback."""
    try:
        app()
    except InvalidForm as error:
        _refuse(error.errors)
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise  # what comes from files and options is translated where it is read: this is a mistake of ours
        _refuse({variable(name): message for name, message in by_field(error).items()})
    except AppError as error:
        print(f"cairn: {error}", file=sys.stderr)
        sys.exit(1)
