"""Every sandbox that is found, at every level that this machine gives: the strongest always, the weaker ones too in
`make test-sandbox`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest
import pytest_asyncio

from app import registry
from app.domain.ports import Call, Execution, Isolation, Limits, Outcome, Program, Sandbox, Status

_LIMITS = Limits()
CALM = "def f(x):\n    return [x, 'calm']\n"
RICH = f"import decimal\n{CALM}"  # may have a process of its own, since few programs want what it imports


class Subject:
    """A sandbox under test, with shorthands and a check that a run left nothing behind."""

    def __init__(self, sandbox: Sandbox, strangers: frozenset[int]) -> None:
        """`strangers` are children of this process that were there before the sandbox."""
        self.sandbox = sandbox
        self._strangers = strangers

    async def execute(
        self, source: str, *calls: tuple[Any, ...], limits: Limits = _LIMITS, replica: int = 0
    ) -> Execution:
        """Calls `f` with each of `calls`; without any, once with no argument."""
        wanted = tuple(Call("f", arguments) for arguments in calls or [()])
        return await self.sandbox.run(Program(source, wanted, limits), replica=replica)

    async def outcome(self, source: str, *arguments: Any, limits: Limits = _LIMITS, replica: int = 0) -> Outcome:
        execution = await self.execute(source, arguments, limits=limits, replica=replica)
        return execution.outcomes[0]

    async def value(self, source: str, *arguments: Any) -> Any:
        outcome = await self.outcome(source, *arguments)
        assert outcome.status is Status.VALUE, outcome
        return outcome.value

    async def assert_calm(self) -> None:
        """The next run is a normal one and nobody lives on."""
        execution = await self.execute(CALM, (1,), ({2},))
        assert [outcome.value for outcome in execution.outcomes] == [[1, "calm"], [{2}, "calm"]]
        assert self.alive() == self.processes

    processes: frozenset[int] = frozenset()

    def alive(self) -> frozenset[int]:
        """The sandbox's processes. Databases and browsers of other tests start some of their own at any time."""
        roots = [child for child in psutil.Process().children() if child.pid not in self._strangers]
        return frozenset(process.pid for root in roots for process in (root, *root.children(recursive=True)))


def children() -> frozenset[int]:
    return frozenset(child.pid for child in psutil.Process().children())


def processes() -> frozenset[int]:
    """All that this process and what it started have started: for looks that are repeated."""
    return frozenset(child.pid for child in psutil.Process().children(recursive=True))


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=registry.sandboxes())
async def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


LEVELS = [None, *(pytest.param(level, marks=pytest.mark.slow) for level in list(Isolation)[1:])]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=LEVELS, ids=lambda level: str(level or "strongest"))
async def subject(request: pytest.FixtureRequest, backend: str) -> AsyncIterator[Subject]:
    level: Isolation | None = request.param
    strangers = children()
    opened = registry.sandbox(backend).open(strongest=level or Isolation.FULL)  # type: ignore[attr-defined]
    async with opened as sandbox:
        if level and sandbox.isolation is not level:
            pytest.skip(f"this machine gives {sandbox.isolation}, not {level}")
        subject = Subject(sandbox, strangers)
        for source in (CALM, RICH):
            for replica in (0, 1):
                await subject.execute(source, (1,), replica=replica)
        subject.processes = subject.alive()
        yield subject
