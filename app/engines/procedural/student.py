"""The procedural student: independent attempts of a bounded solver, each with chance of its own."""

from __future__ import annotations

from app.domain.ports import AttemptRequest
from app.domain.problem import Reply
from app.domain.values import Arguments
from app.engines.procedural.calls import Entry
from app.engines.procedural.options import StudentOptions
from app.engines.procedural.teacher import MODEL

_TOGETHER = 8  # attempts in one process


class ProceduralStudent:
    """Made by `ProceduralEngine.student`."""

    def __init__(self, entry: Entry, options: StudentOptions) -> None:
        self._entry = entry
        self._options = options

    async def attempt(self, request: AttemptRequest) -> list[Reply]:
        """Attempt `i` depends on the request and on `i` alone. An attempt that hits a limit of the sandbox is empty."""
        budget = self._options.budget
        view = dict(request.view)
        calls: list[Arguments] = [(request.environment, view, request.rng, index, budget) for index in range(request.n)]
        answers: list[object] = []
        for first in range(0, len(calls), _TOGETHER):
            answers += await self._entry.each("attempt", calls[first : first + _TOGETHER], effort=max(1.0, budget))
        return [Reply(str(answer or ""), model=MODEL) for answer in answers]
