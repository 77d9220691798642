"""Wires the subcommands together and turns errors into one line and a status."""

from __future__ import annotations

import sys

import typer

from app.cli import doctor, export, refine, seeds, signin, up, verify
from app.errors import AppError, InvalidForm

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
app.command("export")(export.command)
app.command("verify")(verify.command)
app.command("doctor")(doctor.command)


def main() -> None:
    """Runs the command; what a person can act on is one line on stderr and status 1, not a traceback."""
    try:
        app()
    except InvalidForm as error:
        for field, message in error.errors.items():
            print(f"cairn: {field}: {message}", file=sys.stderr)
        sys.exit(1)
    except AppError as error:
        print(f"cairn: {error}", file=sys.stderr)
        sys.exit(1)
