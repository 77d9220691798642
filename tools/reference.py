"""Writes docs/cli.md and docs/configuration.md from the code that they describe; a test holds them to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from app.config import Settings, variable
from app.engines.openai.options import StudentOptions

DOCS = Path(__file__).resolve().parents[1] / "docs"
_CONFIGURATION = """\
# Configuration

Settings come from environment variables, or from a file `.env` where Cairn starts; the environment goes first.

{settings}

Keys of model servers stand in variables named `{keys}` or `{keys}_<NAME>` where the workers start; a run names the
variable, and the key itself is never stored. See [models.md](models.md).
"""


def configuration() -> str:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else str(field.default)
        shown = f"`{default}`" if default else "one per core" if field.default_factory else ""
        rows.append(f"| `{variable(name)}` | {shown} | {field.description} |")
    keys = str(StudentOptions.model_fields["api_key_variable"].default)
    return _CONFIGURATION.format(settings="\n".join(rows), keys=keys)


def commands() -> str:
    """Typer's own reference of the command."""
    command = [sys.executable, "-m", "typer", "app.cli.main", "utils", "docs", "--name", "cairn", "--title", "Commands"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=DOCS.parent).stdout


PAGES = {"cli.md": commands, "configuration.md": configuration}


if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
