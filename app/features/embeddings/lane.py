"""A lane that embeds: one process gives a run's variants to a model, batch after batch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from pydantic import ValidationError

from app import registry
from app.domain.ports import Embedder, Embeds, EngineContext
from app.errors import InvalidForm, InvalidInput
from app.features.embeddings import figures, ledger, queries
from app.features.embeddings.ledger import Claim
from app.features.runs.asking import Asker, ContextOverflow, Patience
from app.features.runs.driving import RequestLane
from app.features.runs.flow.limiter import Stopped
from app.isolation import open_sandbox
from app.messages import by_field

_log = logging.getLogger(__name__)


def drive(run_id: int, should_stop: Callable[[], bool]) -> bool:
    """As RequestLane.drive."""
    return _Lane(f"embedding of run {run_id}", run_id, ledger, should_stop).drive()


class _Lane(RequestLane[Claim]):
    async def work(self, claim: Claim) -> None:
        async def tell(stage: str, kind: str, message: str) -> None:
            _log.warning("%s, %s, %s: %s", self.name, stage, kind, message)
            await self.ledger.write(ledger.tell, claim, message)

        patience = Patience(self.settings.retry_pause_s, self.settings.retry_for_s)
        asker = Asker(tell, patience, self.stopping)
        async with _opened(claim) as embedder:
            while missing := await self.ledger.write(queries.missing, claim.run_id, claim.profile_id):
                asker.go_on()
                await self._embed(claim, embedder, asker, missing)
        rows = await self.ledger.write(queries.vectors, claim.run_id, claim.profile_id)
        found = await asyncio.to_thread(figures.spreads, rows)
        await self.ledger.write(ledger.finish, claim, found)

    async def _embed(self, claim: Claim, embedder: Embedder, asker: Asker, variant_ids: Sequence[int]) -> None:
        """All of them, or as many as there is time for; several batches at once."""
        batches = (variant_ids[start : start + embedder.most] for start in range(0, len(variant_ids), embedder.most))

        async def one_after_the_other() -> None:
            with suppress(Stopped):
                for batch in batches:
                    texts = await self.ledger.write(queries.texts, batch)
                    vectors = await _vectors(asker, embedder, list(texts.values()))
                    await self.ledger.write(ledger.save, claim, dict(zip(texts, vectors, strict=True)))

        async with asyncio.TaskGroup() as group:
            for _ in range(embedder.at_once):
                group.create_task(one_after_the_other())


@asynccontextmanager
async def _opened(claim: Claim) -> AsyncIterator[Embedder]:
    """Raises InvalidInput: what was right when it was asked for may not be any more, as a host that is off the list."""
    choice = claim.config.embedder
    engine = registry.engine(choice.engine)
    if not isinstance(engine, Embeds):
        raise InvalidInput(f"{engine.title} has no embedder.", field="embedder.engine", remedy="Choose another engine.")
    try:
        options = engine.EmbedderOptions.model_validate(choice.options)
    except ValidationError as error:
        raise InvalidForm(by_field(error, "embedder.options")) from error
    async with engine.embedder(options, EngineContext(open_sandbox)) as embedder:
        yield embedder


async def _vectors(asker: Asker, embedder: Embedder, texts: Sequence[str]) -> list[list[float] | None]:
    """None for a text that does not fit into the model's context; those beside it are asked for without it."""
    if not texts:
        return []
    try:
        return list(await asker.ask("embedding", lambda: embedder.embed(texts)))
    except ContextOverflow:
        if len(texts) == 1:
            return [None]
    middle = len(texts) // 2
    return [
        *await _vectors(asker, embedder, texts[:middle]),
        *await _vectors(asker, embedder, texts[middle:]),
    ]
