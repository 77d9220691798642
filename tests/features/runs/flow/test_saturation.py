"""Lanes keep both models busy: their limiters and crews against simulated servers, in virtual time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from random import Random

import pytest

from app.domain.ports import Load, ServerState
from app.domain.problem import Reply
from app.features.runs.flow.crew import Crew
from app.features.runs.flow.role import Role
from bench import simulation
from bench.mock_openai import lengths
from tests.support import virtual_time

TURNS, ATTEMPTS = 6, 32
PLACES = (1, ATTEMPTS)
MEAN_S = (0.8, 0.4)  # of one sample, by the teacher and by the student


class _Server:
    """Runs `slots` samples at once, first come, first served, and says so as vLLM does."""

    ceiling = 8192

    def __init__(self, slots: int) -> None:
        self._slots = self._free = slots
        self._waiting: deque[tuple[float, asyncio.Event]] = deque()

    async def answer(self, samples: Sequence[float]) -> list[Reply]:
        ends = [asyncio.Event() for _ in samples]
        self._waiting.extend(zip(samples, ends, strict=True))
        self._start()
        for end in ends:
            await end.wait()
        return [Reply("text", completion_tokens=1)]

    async def load(self) -> Load:
        running = self._slots - self._free
        return Load(running, len(self._waiting), cache=0.3 * running / self._slots, preempted=0)

    def servers(self) -> Sequence[ServerState]:
        return ()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        while self._free and self._waiting:
            seconds, end = self._waiting.popleft()
            self._free -= 1
            loop.call_later(seconds, self._finish, end)

    def _finish(self, end: asyncio.Event) -> None:
        self._free += 1
        end.set()
        self._start()


async def _lane(chains: deque[simulation.Chain], servers: Sequence[_Server]) -> None:
    """As a lane does it, without its ledger: claims what it has room for, and looks again every second."""
    roles = [Role(server, places) for server, places in zip(servers, PLACES, strict=True)]
    crew = Crew(*roles, least=16)
    adapting = asyncio.create_task(crew.keep_adapting(1.0))
    growing: set[asyncio.Task[None]] = set()
    while chains or growing:
        for _ in range(min(len(chains), crew.chains - len(growing))):
            growing.add(asyncio.create_task(_grow(chains.popleft(), roles, servers)))
        _, growing = await asyncio.wait(growing, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
    adapting.cancel()


async def _grow(chain: simulation.Chain, roles: Sequence[Role], servers: Sequence[_Server]) -> None:
    for step, samples in enumerate(chain):
        role, server = roles[step % 2], servers[step % 2]
        async with role.hold(PLACES[step % 2]):
            await role.watch(lambda server=server, samples=samples: server.answer(samples))  # type: ignore[misc]


async def _drive(chains: Sequence[simulation.Chain], slots: tuple[int, int], lanes: int) -> float:
    servers = [_Server(number) for number in slots]
    waiting = deque(chains)

    async def lane(number: int) -> None:
        await asyncio.sleep(0.3 * number)
        if waiting:
            await _lane(waiting, servers)

    await asyncio.gather(*map(lane, range(lanes)))
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("chains", "slots", "lanes"),
    [
        (300, (32, 512), 1),
        (300, (32, 512), 4),
        (1200, (32, 512), 4),
        (400, (64, 1024), 1),  # a large server, whose slots outnumber what a lane asks for at first
    ],
)
def test_lanes_come_within_three_per_cent_of_the_ideal(chains: int, slots: tuple[int, int], lanes: int) -> None:
    rng = Random(5)
    work = [
        [
            [length * seconds for length in lengths(rng.getrandbits(40), places, 1.0)]
            for _ in range(TURNS)
            for places, seconds in zip(PLACES, MEAN_S, strict=True)
        ]
        for _ in range(chains)
    ]
    makespan = virtual_time.run(_drive(work, slots, lanes))
    assert simulation.pipelined(work, slots) > 0.97 * makespan
