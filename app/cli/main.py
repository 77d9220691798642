"""Wires the subcommands together and turns errors into one line and a status."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NoReturn

import typer
from pydantic import ValidationError

from app.cli import doctor, export, grow, refine, seeds, signin, up, verify
from app.config import Settings, variable
from app.errors import AppError, InvalidForm
from app.messages import by_field

app = typer.Typer(
    name="cairn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Grow, review and export curricula of verifiable problems for reinforcement learning.",
    epilog="Settings come from the environment or a .env file; docs/configuration.md lists them.",
)
app.command("up")(up.command)
app.command("signin")(signin.command)
app.add_typer(seeds.app, name="seeds")
app.command("refine")(refine.command)
app.command("grow")(grow.command)
app.command("export")(export.command)
app.command("verify")(verify.command)
app.command("doctor")(doctor.command)


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
