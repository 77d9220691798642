"""A lane that embeds: one process gives a run's variants to a model, batch after batch.

As a lane of a run it holds nothing that the database does not, and may be killed at any moment.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from pydantic import ValidationError

from app import registry
from app.config import settings
from app.domain.ports import Embedder, Embeds, EngineContext
from app.errors import AppError, InvalidForm, InvalidInput, LeaseLost, StorageFull, Unavailable
from app.features.embeddings import figures, ledger, queries
from app.features.embeddings.ledger import Claim
from app.features.runs import claims
from app.features.runs.asking import Asker, ContextOverflow, Patience, StageFailed
from app.features.runs.flow.limiter import Stopped
from app.features.runs.ledger import Ledger
from app.isolation import open_sandbox
from app.messages import by_field

_log = logging.getLogger(__name__)

# How soon a lane notices that something else was asked for.
_NOTICE_S = 1.0
# How long a request under way may still take when the process is asked to end.
_GRACE_S = 3.0


def drive(run_id: int, should_stop: Callable[[], bool]) -> bool:
    """Embeds until nothing is left, the slice is over and somebody waits, or `should_stop`.

    Returns whether another lane should follow. A message for a run that is embedded already, or by somebody, returns
    at once.
    """
    return asyncio.run(_Lane(run_id, should_stop).run())


class _Lane:
    def __init__(self, run_id: int, should_stop: Callable[[], bool]) -> None:
        self._run_id = run_id
        self._should_stop = should_stop
        self._settings = settings()
        self._ledger = Ledger(patience_s=self._settings.lease_s)
        self._stopping = asyncio.Event()

    async def run(self) -> bool:
        try:
            claim = await self._ledger.write(ledger.claim, self._run_id, uuid.uuid4().hex)
            if claim is None:
                return False
            try:
                async with asyncio.TaskGroup() as group:
                    watching = group.create_task(self._watch(claim))
                    await self._embed(claim)
                    watching.cancel()
            except* Stopped:
                _log.info("embedding of run %s: this lane was asked to end", self._run_id)
            except* LeaseLost as lost:
                _log.info("%s", lost.exceptions[0])
            except* (Unavailable, StorageFull):
                # Nothing can be written down now; the reconciler sends another lane when that is over.
                _log.exception("embedding of run %s: this lane ends", self._run_id)
            except* (StageFailed, AppError) as failed:
                await self._pause(claim, str(failed.exceptions[0]))
            except* Exception as failed:
                await self._pause(claim, f"{type(failed.exceptions[0]).__name__}: {failed.exceptions[0]}")
                raise
            finally:
                await self._leave(claim)
            return self._stopping.is_set() and not self._should_stop()
        finally:
            self._ledger.close()

    async def _leave(self, claim: Claim) -> None:
        try:
            await self._ledger.write(ledger.release, claim)
        except (Unavailable, StorageFull):
            _log.warning("embedding of run %s: its lease could not be given back, and runs out", self._run_id)

    async def _pause(self, claim: Claim, error: str) -> None:
        _log.error("embedding of run %s pauses: %s", self._run_id, error)
        with suppress(Unavailable, StorageFull):
            await self._ledger.write(ledger.pause, claim, error)

    async def _embed(self, claim: Claim) -> None:
        """Raises Stopped, LeaseLost and StageFailed; what is committed stays after each."""

        async def tell(stage: str, kind: str, message: str) -> None:
            _log.warning("embedding of run %s, %s, %s: %s", self._run_id, stage, kind, message)
            await self._ledger.write(ledger.tell, claim, message)

        patience = Patience(self._settings.retry_pause_s, self._settings.retry_for_s)
        asker = Asker(tell, patience, self._stopping)
        async with _opened(claim) as embedder:
            while batch := await self._ledger.write(ledger.next_batch, claim, embedder.most):
                vectors = await _vectors(asker, embedder, list(batch.values()))
                await self._ledger.write(ledger.save, claim, dict(zip(batch, vectors, strict=True)))
        rows = await self._ledger.write(queries.vectors, claim.run_id, claim.profile_id)
        found = await asyncio.to_thread(figures.spreads, rows)
        await self._ledger.write(ledger.finish, claim, found)

    async def _watch(self, claim: Claim) -> None:
        """Keeps the lease. Raises LeaseLost once it is gone, Stopped when the process must end."""
        clock = asyncio.get_running_loop().time
        slice_end = clock() + self._settings.lane_slice_s
        next_beat = clock()
        while True:
            if clock() >= next_beat:
                next_beat = clock() + min(_NOTICE_S, self._settings.heartbeat_s)
                await self._ledger.write(ledger.renew, claim)
            if self._should_stop():
                self._stopping.set()
                await asyncio.sleep(_GRACE_S)
                raise Stopped
            if clock() > slice_end and await self._ledger.write(claims.others_wait, None):
                self._stopping.set()
            await asyncio.sleep(self._settings.control_s)


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
