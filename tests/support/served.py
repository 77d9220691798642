"""`cairn serve-models` in a process of its own, for tests against a real vLLM."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import psutil


class Command:
    def __init__(self, file: Path) -> None:
        self.shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve-models", file, "--data-dir", file.parent],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    async def until(self, text: str) -> None:
        """Reads on until a line holds the text."""
        assert self._process.stdout is not None
        line = ""
        while text not in line:
            line = (await asyncio.to_thread(self._process.stdout.readline)).decode()
            assert line, f"ended after: {self.shown}"
            self.shown += line

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)

    def family_of(self, model: str) -> list[psutil.Process]:
        """The processes of one model's server, with the engine core among them."""
        for child in psutil.Process(self._process.pid).children():
            if model in child.cmdline():
                return [child, *child.children(recursive=True)]
        raise AssertionError(f"{model} does not run: {self.shown}")

    async def interrupt(self) -> int:
        """As Ctrl-C; returns the exit status."""
        self._process.send_signal(signal.SIGINT)
        await asyncio.to_thread(self._process.communicate)
        return self._process.returncode

    async def kill(self) -> None:
        self._process.kill()
        if self._process.stdout is not None and not self._process.stdout.closed:
            await asyncio.to_thread(self._process.communicate, timeout=60)


def core_among(processes: list[psutil.Process]) -> psutil.Process:
    """vLLM's engine core, which holds the GPU."""
    (core,) = (process for process in processes if "EngineCore" in " ".join(process.cmdline()))
    return core


async def until_gone(processes: list[psutil.Process]) -> None:
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=30)
    assert alive == []
