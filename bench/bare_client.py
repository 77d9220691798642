"""What a plain client takes for some of the requests that a run has just made: a yardstick for what a lane takes.

It posts the very same bodies with aiohttp, as many at once as the servers take, and reads the replies as JSON; nothing
is checked, judged or kept. Machines differ, and one machine differs from hour to hour: the figures go up and down
together.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import time
from collections.abc import Sequence
from itertools import chain, zip_longest
from statistics import median
from typing import Any

import aiohttp

_ROUNDS = 5


def cpu_ms(ports: Sequence[int], at_once: Sequence[int]) -> float:
    """Of its own CPU time per request, the median of some rounds; `at_once` requests on each of the servers."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_measure, args=(ports, at_once, results))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("the bare client failed")
    return float(results.get())


def _measure(ports: Sequence[int], at_once: Sequence[int], results: Any) -> None:
    gc.freeze()  # as a lane does
    results.put(asyncio.run(_ask_all(ports, at_once)))


async def _ask_all(ports: Sequence[int], at_once: Sequence[int]) -> float:
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    rooms = [asyncio.Semaphore(number) for number in at_once]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), raise_for_status=True) as session:

        async def ask(room: asyncio.Semaphore, url: str, body: dict[str, Any]) -> None:
            async with room, session.post(f"{url}/v1/chat/completions", json=body) as response:
                choices = (await response.json())["choices"]
                if len(choices) != body["n"]:
                    raise SystemExit(f"{len(choices)} choices for {body['n']}")

        requests = []
        for room, url in zip(rooms, urls, strict=True):
            async with session.get(f"{url}/sample") as response:
                requests.append([(room, url, body) for body in await response.json()])
        mixed = [request for request in chain(*zip_longest(*requests)) if request]
        taken = []
        for _ in range(_ROUNDS):
            began = time.process_time()
            await asyncio.gather(*(ask(*request) for request in mixed))
            taken.append(1000 * (time.process_time() - began) / len(mixed))
    return median(taken)
