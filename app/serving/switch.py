"""Models that share GPUs: who of them is awake, and whose turn comes next.

A model stays awake as long as somebody holds its turn; others may join meanwhile. Once nobody does and another model is
wanted, the first falls asleep and the other wakes up. Whoever asks for turns asks each model for all of its work before
going on to the next, so that a turn of many chains costs two moves of the weights. After ten minutes of waiting a wish
is owed: nobody joins any more, and those who hold the turn are asked to give it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from app.errors import Unavailable

# Long beside the seconds that weights take to move, short beside what a run takes.
_OWED_S = 600.0


class Stage(Enum):
    DOWN = auto()
    STARTING = auto()
    MOVING = auto()  # into sleep or out of it
    ASLEEP = auto()
    AWAKE = auto()


@dataclass(eq=False, slots=True)
class Wish:
    """For a turn, or to start a server, which fills its GPUs before it can sleep."""

    member: Member
    start: bool
    granted: asyncio.Future[None]
    since: float


@dataclass(eq=False)
class Member:
    """One model. `give_up` ends a server that could not be moved: that frees its GPUs too."""

    name: str
    sleep: Callable[[], Awaitable[None]]
    wake: Callable[[], Awaitable[None]]
    give_up: Callable[[str], None]
    stage: Stage = Stage.DOWN
    holders: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Switch:
    """`run` does the moving. The other methods may be called at any moment from the same loop."""

    def __init__(self, report: Callable[[str, str], None] = lambda _name, _news: None) -> None:
        self._report = report
        self._members: dict[str, Member] = {}
        self._wishes: list[Wish] = []
        self._news = asyncio.Event()

    def add(self, member: Member) -> None:
        self._members[member.name] = member

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._admit()
            while wish := self._due():
                await self._fulfil(wish)
                self._admit()

    def ask(self, name: str) -> Wish:
        """A wish for the model's turn; `granted` is done once it has come. Give it back with `leave`."""
        return self._wish(name, start=False)

    def leave(self, wish: Wish) -> None:
        if wish.granted.done() and not wish.granted.cancelled():
            wish.member.holders -= 1
        else:
            wish.granted.cancel()
        self._news.set()

    def is_up(self, name: str) -> bool:
        return self._members[name].stage not in (Stage.DOWN, Stage.STARTING)

    def is_contested(self, name: str) -> bool:
        """Whether somebody has waited for another model for so long that this one's turn should end."""
        return any(wish.member.name != name for wish in self._owed())

    async def make_room(self, name: str) -> None:
        """Returns when the model's GPUs are free for its server to start. `ready` or `down` has to follow."""
        await self._wish(name, start=True).granted

    def ready(self, name: str) -> None:
        member = self._members[name]
        member.stage = Stage.AWAKE
        self._news.set()

    def down(self, name: str) -> None:
        """Its processes are gone, and its GPUs free."""
        member = self._members[name]
        member.stage = Stage.DOWN
        member.gone.set()
        self._news.set()

    def _wish(self, name: str, *, start: bool) -> Wish:
        loop = asyncio.get_running_loop()
        wish = Wish(self._members[name], start, loop.create_future(), loop.time())
        self._wishes.append(wish)
        self._news.set()
        return wish

    def _admit(self) -> None:
        """Lets in whoever asks for a model that is awake."""
        for wish in self._wishes:
            if wish.start or wish.member.stage is not Stage.AWAKE or wish.granted.done():
                continue
            first_owed = next(self._owed(), wish)
            if first_owed.member is wish.member:
                wish.member.holders += 1
                wish.granted.set_result(None)
        self._wishes = [wish for wish in self._wishes if not wish.granted.done()]

    def _owed(self) -> Iterator[Wish]:
        """Those that have waited long, the first comers first."""
        since = asyncio.get_running_loop().time() - _OWED_S
        return (wish for wish in self._wishes if not wish.granted.done() and wish.since <= since)

    def _due(self) -> Wish | None:
        """The first wish that can be fulfilled now.

        A model that fell over keeps its turn as long as somebody holds it: it comes back before another is woken.
        """
        for wish in self._wishes:
            others = [member for member in self._members.values() if member is not wish.member]
            if wish.granted.done() or any(other.holders or other.stage is Stage.STARTING for other in others):
                continue
            if wish.member.stage is (Stage.DOWN if wish.start else Stage.ASLEEP):
                return wish
        return None

    async def _fulfil(self, wish: Wish) -> None:
        for other in self._members.values():
            if other is not wish.member and other.stage is Stage.AWAKE:
                await self._move(other, other.sleep, Stage.ASLEEP)
        if not wish.start:
            await self._move(wish.member, wish.member.wake, Stage.AWAKE)
        elif not wish.granted.done():
            wish.member.stage = Stage.STARTING
            wish.granted.set_result(None)

    async def _move(self, member: Member, action: Callable[[], Awaitable[None]], to: Stage) -> None:
        member.stage = Stage.MOVING
        member.gone.clear()
        try:
            await action()
        except Unavailable as error:
            if member.stage is Stage.MOVING:
                member.give_up(str(error))
                await member.gone.wait()
            return
        if member.stage is Stage.MOVING:  # else it ended meanwhile
            member.stage = to
            self._report(member.name, "awake" if to is Stage.AWAKE else "asleep")
