"""`cairn verify`: the reward, for answers to any problems."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.errors import InvalidInput
from app.features.grading.service import grade

# Exit status where some answer could not be judged: its reward is null, never 0.
_UNJUDGED = 3


def command(
    problems: Annotated[
        Path, typer.Argument(help="JSONL of problems: an export of Cairn, or the form of docs/formats.md.")
    ],
    answers: Annotated[Path, typer.Argument(help="JSONL of answers: id and reply, or id and answer; - reads stdin.")],
    processes: Annotated[
        int | None, typer.Option(min=1, max=1_024, help="Sandboxes that work at once; one per core by default.")
    ] = None,
) -> None:
    """Grade answers and print one verdict per line as JSONL, in the order of the answers.

    Needs no database. Reward is 1 or 0; where the sandbox itself failed it is null, and the exit status is 3.
    """
    for path, field in ((problems, "PROBLEMS"), (answers, "ANSWERS")):
        if str(path) != "-" and not path.is_file():
            raise InvalidInput(f"{path} is no file.", field=field, remedy="Check the spelling.")
    source = Path("/dev/stdin") if str(answers) == "-" else answers
    try:
        unjudged = asyncio.run(_print(problems, source, processes))
    except BrokenPipeError:
        # Whoever reads the verdicts has enough; Python would complain once more while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if unjudged:
        typer.echo(f"cairn: {unjudged} answers could not be judged", err=True)
        raise typer.Exit(_UNJUDGED)


async def _print(problems: Path, answers: Path, processes: int | None) -> int:
    unjudged = 0
    async for graded in grade(problems, answers, sandboxes=processes):
        typer.echo(graded.model_dump_json())
        unjudged += graded.reward is None
    return unjudged
