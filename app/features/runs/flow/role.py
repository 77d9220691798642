"""One role's model as a lane uses it: the places that its requests take, and how their number follows its servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from app.domain.ports import Load, Metered, ServerState, TakesTurns, Turns
from app.domain.problem import Reply
from app.errors import EngineError
from app.features.runs.flow.gate import Gate
from app.features.runs.flow.limiter import Limiter
from app.features.runs.flow.pace import Answers, Change, Pace, by_load

# Sequences at first: what vLLM runs at once by default, so that no server idles while a lane begins.
_FIRST = 256
_TOO_MUCH = frozenset({"overloaded", "stalled"})


class Role:
    """Made by `role_of`."""

    def __init__(self, model: Metered, places: int, turns: Turns | None = None) -> None:
        """`places` is what one usual request takes; `turns` is for a model that shares its GPU."""
        self._model = model
        self._pace = Pace(min(model.ceiling, max(_FIRST, places)), places, model.ceiling)
        self._places = places
        self._limiter = Limiter(self._pace.limit)
        self._gate = Gate(turns)
        self._answers = Answers()
        self._load: Load | None = None  # at the last look

    @property
    def requests(self) -> int:
        """How many usual requests may be under way at once."""
        return max(1, self._pace.limit // self._places)

    @property
    def limit(self) -> int:
        """Sequences that may be under way at most, for now."""
        return self._limiter.limit

    @property
    def used(self) -> int:
        """Sequences under way."""
        return self._limiter.used

    def servers(self) -> Sequence[ServerState]:
        return self._model.servers()

    @property
    def settling(self) -> bool:
        """Whether its limit is far from what it will be."""
        return self._pace.settling

    @asynccontextmanager
    async def hold(self, places: int) -> AsyncIterator[None]:
        """Room for one request, kept through its repetitions: a server in trouble is not asked by others instead.

        Raises Stopped where the lane ends first.
        """
        with self._gate.wanted():
            async with self._limiter.hold(places):
                yield

    async def watch(self, request: Callable[[], Awaitable[Sequence[Reply]]]) -> Sequence[Reply]:
        """Makes the request once the model has its turn, and learns from how it goes. Raises Stopped as `hold`."""
        async with self._gate.passing():
            clock = asyncio.get_running_loop().time
            began = clock()
            try:
                replies = await request()
            except EngineError as error:
                self._answers.overloaded += error.kind in _TOO_MUCH
                raise
        self._answers.answered(clock() - began, sum(reply.completion_tokens for reply in replies) / len(replies))
        return replies

    async def adapt(self) -> None:
        """To be called about once a second."""
        load = await self._model.load()
        change = self._answers.look(self.requests)
        if load is not None:
            # A refusal counts even where the metrics look fine: they are a moment older.
            change = change if change is Change.CUT else by_load(load, self._load or load)
            self._load = load
        self._pace.turn(change, self._limiter.used, full=self._limiter.full)
        self._limiter.limit = self._pace.limit

    def close(self) -> None:
        self._limiter.close()
        self._gate.close()


def role_of(model: object, places: int) -> Role | None:
    """None for an engine of our own: it has no server to keep busy, and bounds itself."""
    if not isinstance(model, Metered):
        return None
    return Role(model, places, model.turns if isinstance(model, TakesTurns) else None)
