"""The procedural teacher. It remembers nothing between turns but how seeds are cut, which follows from them alone."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from app.domain.ports import ProposalRequest
from app.domain.problem import Reply
from app.domain.tree import Brief
from app.domain.values import Arguments, Value
from app.engines.procedural.calls import Entry
from app.engines.procedural.options import TeacherOptions

MODEL = "procedural"
_SEED_CHARS = 20_000  # more of a long file is not read
_MOST_CANDIDATES = 150
_FEW = 4
_TOGETHER = 25  # candidates tried in one process
_REMEMBERED = 256  # seeds
_TRIES = 3
_NOTHING = "No problem was found in this seed."


class ProceduralTeacher:
    """Made by `ProceduralEngine.teacher`."""

    def __init__(self, entry: Entry, options: TeacherOptions) -> None:
        self._entry = entry
        self._options = options
        self._surveys: OrderedDict[str, asyncio.Task[list[Value]]] = OrderedDict()

    async def propose(self, request: ProposalRequest) -> Reply:
        brief = request.brief
        seed_text = brief.seed_text[:_SEED_CHARS]
        pieces = await self._pieces(seed_text)
        for attempt in range(_TRIES):
            # An idea whose code runs away in C ends the process: think again, in another way.
            answer = await self._entry.one("propose", self._facts(brief, seed_text, pieces, attempt))
            if isinstance(answer, tuple):
                text, note = map(str, answer)
                return Reply(text or _NOTHING, reasoning=note, model=MODEL)
        return Reply(_NOTHING, reasoning=f"Ran into the sandbox's limits {_TRIES} times.", model=MODEL)

    def _facts(self, brief: Brief, seed_text: str, pieces: list[Value], attempt: int) -> Arguments:
        past = [
            (turn.reply, turn.node.rate if turn.node.measured else None, turn.node.place == brief.step.parent)
            for turn in brief.history
        ]
        return (
            brief.environment,
            seed_text,
            pieces,
            brief.step.direction.value,
            brief.step.target.middle,
            past,
            brief.instruction,
            dict(brief.options),
            self._options.unchecked,
            f"{brief.rng}/{attempt}",
        )

    async def _pieces(self, seed_text: str) -> list[Value]:
        """The pieces of a seed, found once even when several chains ask at the same time."""
        survey = self._surveys.get(seed_text)
        if survey is None or (survey.done() and (survey.cancelled() or survey.exception())):
            survey = self._surveys[seed_text] = asyncio.create_task(self._survey(seed_text))
            if len(self._surveys) > _REMEMBERED:
                self._surveys.popitem(last=False)
        return await asyncio.shield(survey)

    async def _survey(self, seed_text: str) -> list[Value]:
        """The seed's own pieces, with spare ones made of its words where there are few."""
        found: list[Value] = []
        for source in ("cut", "spare"):
            if len(found) >= _FEW:
                break
            candidates = await self._entry.one(source, (seed_text,))
            calls: list[Arguments] = [
                (candidate, seed_text)
                for candidate in (candidates or [])[:_MOST_CANDIDATES]  # type: ignore[index]
            ]
            pieces: list[Value] = []
            for first in range(0, len(calls), _TOGETHER):
                pieces += await self._entry.each("try_one", calls[first : first + _TOGETHER])
            found += [piece for piece in pieces if piece is not None]
        return found
