"""`cairn serve-models`: vLLM on the GPUs of this machine, started and watched."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.config import settings
from app.serving.plan import read_plan
from app.serving.serve import serve


def command(
    file: Annotated[Path, typer.Argument(help="YAML: the models and their GPUs; see docs/models.md.")],
    data_dir: Annotated[Path | None, typer.Option(help="Where logs are kept, in the folder `models`.")] = None,
) -> None:
    """Serve models on this machine's GPUs with vLLM, until Ctrl-C.

    Starts one `vllm serve` per model, waits until each makes a token, and starts those again that end.
    """
    console = Console(highlight=False, soft_wrap=True)
    plan = read_plan(file)
    folder = (data_dir or settings().data_dir) / "models"
    asyncio.run(serve(plan, folder, say=lambda line: console.print(line, markup=False)))
