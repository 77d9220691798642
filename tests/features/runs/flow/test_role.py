"""A role's places follow what its server says, or how it answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from app.domain.ports import Load
from app.domain.problem import Reply
from app.errors import EngineError
from app.features.runs.flow.crew import Crew
from app.features.runs.flow.role import Role, role_of


class _Served:
    """A model whose server says what it is told to."""

    ceiling = 2048

    def __init__(self, load: Load | None = None) -> None:
        self.said = load
        self._looks = 0

    async def load(self) -> Load | None:
        self._looks += 1
        return self.said and replace(self.said, generated=100 * self._looks)


ROOM, CROWD = Load(32, 0, 0.1, 0), Load(64, 64, 0.1, 0)
FIRST = 256 // 32


async def _ask_at_once(role: Role, requests: int, seconds: float = 0.0) -> None:
    async def one() -> None:
        async with role.hold(32):
            await role.watch(lambda: _reply(seconds))

    await asyncio.gather(*(one() for _ in range(requests)))


async def _reply(seconds: float) -> list[Reply]:
    await asyncio.sleep(seconds)
    return [Reply("text", completion_tokens=10)] * 32


async def test_with_metrics_it_grows_while_requests_wait_and_drains_when_they_wait_at_the_server() -> None:
    model = _Served(ROOM)
    role = Role(model, 32)
    assert role.requests == FIRST
    await role.adapt()
    assert role.requests == FIRST, "nothing asked for more"
    asking = asyncio.create_task(_ask_at_once(role, 200, 0.01))
    for _ in range(5):
        await asyncio.sleep(0)
    await role.adapt()
    await role.adapt()
    assert role.requests == 4 * FIRST
    model.said = CROWD
    await asking
    await role.adapt()
    assert role.requests == 28, "a tenth less"


async def test_without_metrics_good_answers_raise_it_and_refusals_cut_it() -> None:
    role = Role(_Served(), 32)
    asking = asyncio.create_task(_ask_at_once(role, 200, 0.001))
    grown = []
    while not asking.done():
        await role.adapt()
        grown.append(role.requests)
        await asyncio.sleep(0.001)
    assert grown[-1] > FIRST

    async def refuse() -> list[Reply]:
        raise EngineError("overloaded", "no", retryable=True)

    before = role.requests
    try:
        await role.watch(refuse)
    except EngineError:
        await role.adapt()
    assert role.requests < before


def test_chains_follow_the_places_of_models_and_stay_as_set_for_engines_of_our_own() -> None:
    assert role_of(object(), 32) is None
    assert Crew(None, None, 16).chains == 16
    crew = Crew(Role(_Served(), 1), Role(_Served(), 32), 16)
    assert crew.chains == 3 * (256 + FIRST)
