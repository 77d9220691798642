"""A server that speaks the OpenAI API as vLLM does, with slots and durations instead of a model: to measure ourselves.

    python -m bench.mock_openai --port 9001 --slots 64

Each of a request's n samples waits for one of the slots and holds it for its length times `--token-s`. Lengths are
log-normal and depend on the request's seed and the sample's index alone, so that a simulation knows them too. Replies
are real: problems that pass the check, and answers that are right or wrong. `GET /stats` tells how busy the slots were,
`/sample` some of what was asked, `/metrics` what vLLM's does, and `--faults 0.02` lets one request in fifty fail, in
all ways in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import re
import time
from collections import deque
from collections.abc import Callable
from math import exp
from random import Random
from typing import Any

from aiohttp import web

SIGMA = 0.6
_KEPT = 100  # requests that it can tell of
_FAULTS = ("overloaded", "crash", "disconnect", "cut")
_PROBLEM = """\
I take a running remainder, so that every step depends on all before it.

```python
def f(items):
    total = {start}
    found = []
    for item in items:
        total = (total * {factor} + item) % {modulus}
        if total % {divisor}:
            found.append(total)
    return found
```

```input
{items}
```
"""
_ASKED = re.compile(r"total = (\d+)\n.*?total \* (\d+) \+ item\) % (\d+)\n\s+if total % (\d+)", re.DOTALL)
_ITEMS = re.compile(r"\[\d+(?:, \d+)*\]")


def lengths(seed: int, n: int, mean: float) -> list[float]:
    """Tokens of each sample; sample i depends on seed + i, as in vLLM."""
    return [mean * exp(Random(seed + i).gauss(-SIGMA * SIGMA / 2, SIGMA)) for i in range(n)]  # noqa: S311


def write_problem(seed: int) -> str:
    """A teacher's reply."""
    rng = Random(seed)  # noqa: S311
    return _PROBLEM.format(
        start=rng.randrange(10**6),
        factor=rng.randrange(3, 10**4),
        modulus=rng.randrange(10**5, 10**6),
        divisor=rng.randrange(2, 9),
        items=[rng.randrange(1000) for _ in range(rng.randrange(4, 12))],
    )


def solve(prompt: str, seed: int, n: int) -> list[str]:
    """A student's replies: right as often as the problem's numbers decide."""
    asked, items = _ASKED.findall(prompt), _ITEMS.findall(prompt)
    if not asked or not items:
        return ["I do not know."] * n
    start, factor, modulus, divisor = map(int, asked[-1])
    total, found = start, []
    for item in json.loads(items[-1]):
        total = (total * factor + item) % modulus
        if total % divisor:
            found.append(total)
    chance = Random(start).random()  # noqa: S311
    wrong = [*found, start]
    return [
        f"Step by step.\n\n```output\n{found if Random(seed + i).random() < chance else wrong}\n```"  # noqa: S311
        for i in range(n)
    ]


class Slots:
    """Places that samples hold for a time, first come first served."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.running = 0
        self.busy_s = 0.0
        self.waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._ends: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def use(self, seconds: list[float]) -> None:
        """Returns when every sample is done."""
        done = self._loop.create_future()
        left = len(seconds)

        def one_ended() -> None:
            nonlocal left
            left -= 1
            if not left and not done.done():
                done.set_result(None)

        self.waiting.extend((duration, one_ended) for duration in seconds)
        self._start(self._loop.time())
        try:
            await done
        except asyncio.CancelledError:  # whoever asked has gone: as in vLLM, its samples end at once
            self._drop(one_ended)
            raise

    def _drop(self, ended: Callable[[], None]) -> None:
        self.waiting = deque(waiting for waiting in self.waiting if waiting[1] is not ended)
        now = self._loop.time()
        kept = [end for end in self._ends if end[2] is not ended]
        self.busy_s -= sum(max(0.0, end[0] - now) for end in self._ends if end[2] is ended)
        self.running -= len(self._ends) - len(kept)
        self._ends = kept
        heapq.heapify(self._ends)
        self._start(now)

    def _start(self, now: float) -> None:
        while self.waiting and self.running < self.number:
            duration, ended = self.waiting.popleft()
            self.running += 1
            self.busy_s += duration
            self._count += 1
            heapq.heappush(self._ends, (now + duration, self._count, ended))
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._ends[0][0], self._end) if self._ends else None

    def _end(self) -> None:
        now = self._loop.time()
        while self._ends and self._ends[0][0] <= now:
            at, _, ended = heapq.heappop(self._ends)
            self.running -= 1
            ended()
            # The next sample begins when this one ended, not when this process noticed.
            if self.waiting and self.running < self.number:
                duration, next_ended = self.waiting.popleft()
                self.running += 1
                self.busy_s += duration
                self._count += 1
                heapq.heappush(self._ends, (at + duration, self._count, next_ended))
        self._start(now)


class MockServer:
    def __init__(self, slots: int, mean_tokens: float, token_s: float, faults: float) -> None:
        self._slots = Slots(slots)
        self._mean = mean_tokens
        self._token_s = token_s
        self._every = round(1 / faults) if faults else 0
        self._requests = 0
        self._seeds: set[int] = set()
        self._kept: list[dict[str, Any]] = []
        self._choice = Random(0)  # noqa: S311
        self._first = self._last = 0.0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = json.loads(await request.read())
        n, seed = int(body.get("n", 1)), int(body.get("seed", 0))
        self._requests += 1
        self._seeds.add(seed)
        self._keep(body)
        self._first = self._first or time.monotonic()
        fault = _FAULTS[self._requests // self._every % 4] if self._every and self._requests % self._every == 0 else ""
        if fault == "overloaded":
            return web.json_response({"error": {"message": "the queue is full"}}, status=503)
        if fault == "crash":
            return web.json_response({"error": {"message": "EngineDeadError"}}, status=500)
        tokens = lengths(seed, n, self._mean)
        await self._slots.use([length * self._token_s for length in tokens])
        self._last = time.monotonic()
        if fault == "disconnect" and request.transport is not None:
            request.transport.abort()
        teacher = "messages" in body and body["messages"][0]["role"] == "system"
        prompt = str(body["prompt"]) if "prompt" in body else str(body["messages"][-1]["content"])
        texts = [write_problem(seed)] if teacher else solve(prompt, seed, n)
        end = "length" if fault == "cut" else "stop"
        key = (lambda text: {"text": text}) if "prompt" in body else (lambda text: {"message": {"content": text}})
        choices = [{"index": i, "finish_reason": end, **key(text)} for i, text in enumerate(texts)]
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": int(sum(tokens))}
        return web.json_response({"id": "x", "model": body["model"], "choices": choices, "usage": usage})

    async def metrics(self, _: web.Request) -> web.Response:
        lines = {
            "num_requests_running": self._slots.running,
            "num_requests_waiting": len(self._slots.waiting),
            "kv_cache_usage_perc": 0.5 * self._slots.running / self._slots.number,
            "num_preemptions_total": 0,
        }
        return web.Response(text="".join(f'vllm:{name}{{engine="0"}} {value}\n' for name, value in lines.items()))

    async def stats(self, _: web.Request) -> web.Response:
        span = self._last - self._first
        return web.json_response(
            {
                "requests": self._requests,
                "repeated": self._requests - len(self._seeds),
                "busy_s": self._slots.busy_s,
                "span_s": span,
                "first": self._first,
                "last": self._last,
                "running": self._slots.running,
                "utilisation": self._slots.busy_s / (span * self._slots.number) if span else 0.0,
            }
        )

    def _keep(self, body: dict[str, Any]) -> None:
        """Each request so far is kept with the same chance (Vitter, 1985, algorithm R)."""
        if len(self._kept) < _KEPT:
            self._kept.append(body)
        elif (place := self._choice.randrange(self._requests)) < _KEPT:
            self._kept[place] = body

    async def sample(self, _: web.Request) -> web.Response:
        return web.json_response(self._kept)

    async def healthy(self, _: web.Request) -> web.Response:
        return web.Response()


async def serve(port: int, server_of: Callable[[], MockServer]) -> web.AppRunner:
    server = server_of()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", server.answer)
    app.router.add_post("/v1/completions", server.answer)
    app.router.add_get("/metrics", server.metrics)
    app.router.add_get("/stats", server.stats)
    app.router.add_get("/sample", server.sample)
    app.router.add_get("/health", server.healthy)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, keepalive_timeout=120, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    return runner


async def _main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, nargs="+", default=[9001], help="one server each")
    options.add_argument("--slots", type=int, nargs="+", default=[64], help="of each server")
    options.add_argument("--mean-tokens", type=float, nargs="+", default=[400.0], help="of each server")
    options.add_argument("--token-s", type=float, default=0.001)
    options.add_argument("--faults", type=float, default=0.0, help="share of requests that fail")
    told = options.parse_args()
    for port, slots, mean in zip(told.port, told.slots, told.mean_tokens, strict=True):
        await serve(port, lambda slots=slots, mean=mean: MockServer(slots, mean, told.token_s, told.faults))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
