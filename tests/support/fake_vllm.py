"""What `vllm serve` looks like from outside: a server, and an engine core of its own that holds the GPU.

    python tests/support/fake_vllm.py serve SOURCE --served-model-name NAME --host H --port P ...

The GPU is a file beside SOURCE that a process must hold the lock of: a second one that is awake is out of memory.
SOURCE is a folder with `behaviour.json`, and the server writes into it what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from aiohttp import web


class Fake:
    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.behaviour = json.loads((folder / "behaviour.json").read_text())
        self.asleep = False
        self.core = self._start_core()

    def _start_core(self) -> subprocess.Popen[bytes]:
        devices = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
        gpu = str(self.folder.parent / f"gpu-{devices}")
        core = subprocess.Popen([sys.executable, __file__, "core", gpu], stdout=subprocess.PIPE)
        if not (core.stdout and core.stdout.readline()):
            sys.exit("the engine core did not start")
        return core

    def note(self, what: str) -> None:
        with (self.folder / "events").open("a") as file:
            file.write(what + "\n")

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(status=500 if (self.folder / "ill").exists() else 200)

    async def complete(self, request: web.Request) -> web.Response:
        key = os.environ.get("VLLM_API_KEY")
        if key and request.headers.get("Authorization") != f"Bearer {key}":
            return web.json_response({"error": {"message": "Unauthorized"}}, status=401)
        body = await request.json()
        if self.asleep:
            self.note("asked while asleep")
            return web.json_response({"error": {"message": "asleep"}}, status=500)
        text = [{"index": i, "text": "1", "finish_reason": "stop"} for i in range(body.get("n", 1))]
        return web.json_response({"model": self.options.served_model_name, "choices": text})

    async def sleep(self, request: web.Request) -> web.Response:
        self.note(f"sleep {request.query_string}")
        if (self.folder / "insomnia").exists():
            (self.folder / "insomnia").unlink()
            return web.Response(status=500, text="no memory to move to")
        self.asleep = True
        self.core.kill()
        self.core.wait()
        return web.json_response({})

    async def wake_up(self, _: web.Request) -> web.Response:
        self.note("wake_up")
        self.core = self._start_core()
        await asyncio.sleep(0.2)
        self.asleep = False
        return web.json_response({"status": "awake"})

    async def run(self) -> None:
        app = web.Application()
        app.router.add_get("/health", self.health)
        app.router.add_post("/v1/completions", self.complete)
        if "enable_sleep_mode" in self.options and os.environ.get("VLLM_SERVER_DEV_MODE") == "1":
            app.router.add_post("/sleep", self.sleep)
            app.router.add_post("/wake_up", self.wake_up)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, self.options.host, self.options.port).start()
        while self.asleep or self.core.poll() is None:  # noqa: ASYNC110 (of another process)
            await asyncio.sleep(0.02)


def core(gpu: str) -> None:
    """Holds the GPU until it is killed; deaf to what ends its server."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    file = open(gpu, "a")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("CUDA out of memory")
    Path(f"{gpu}.core").write_text(str(os.getpid()))
    print("ready", flush=True)
    time.sleep(3600)


def serve(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("--served-model-name")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--enable-sleep-mode", action="store_true", default=argparse.SUPPRESS)
    options, _ = parser.parse_known_args(arguments)
    folder: Path = options.source
    with (folder / "starts").open("a") as file:
        file.write(json.dumps({"arguments": arguments, "environment": dict(os.environ), "pid": os.getpid()}) + "\n")
    behaviour = json.loads((folder / "behaviour.json").read_text())
    if len((folder / "starts").read_text().splitlines()) <= behaviour.get("fails", 0):
        sys.exit("no such weights")
    asyncio.run(Fake(folder, options).run())


if __name__ == "__main__":
    if sys.argv[1] == "core":
        core(sys.argv[2])
    else:
        serve(sys.argv[2:])
