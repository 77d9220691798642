"""The stream behind a live page: it tells that something changed, and the page asks again for what it shows.

Event ids are given out before their transactions end, so that a smaller one may show up after a larger one. The stream
therefore looks back over the ids of the last half minute, and tells of those that it has not told of yet; one that goes
on after a break always begins with a message, so that the page catches up.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from app.db import unit_of_work
from app.errors import NotFound, Unavailable
from app.features.accounts import service as accounts
from app.features.runs import feed
from app.web.deps import BIGGEST_ID, SESSION_COOKIE, Id, SignedInBrowser, Work
from app.web.live import Nudges

NAV = None
router = APIRouter()

_SPACING_S = 0.5  # at most two messages a second
_LOOK_BACK_S = 30.0
_SILENCE_S = 15.0  # after which a comment shows both ends that the line still stands
_AFTER = Annotated[int | None, Query(ge=0, le=BIGGEST_ID)]


class SignedOut(Exception):
    """The session that opened the stream is over."""


class Feed:
    """What one stream has told. Not for use from two threads at once."""

    def __init__(self, workspace_id: int, run_id: int, secret: str, after: int, *, resumed: bool) -> None:
        self.workspace_id = workspace_id
        self.run_id = run_id
        self.secret = secret
        self.newest = after
        self.resumed = resumed
        self._floor = after
        self._told: dict[int, float] = {}

    def news(self) -> Counter[str]:
        """How many events of each kind are new. Raises SignedOut, Unavailable."""
        with unit_of_work() as session:
            if not accounts.session_stands(session, self.secret):
                raise SignedOut
            rows = feed.events_after(session, self.workspace_id, self.run_id, self._floor)
        fresh = [(number, kind) for number, kind in rows if number not in self._told]
        now = time.monotonic()
        self._told.update((number, now) for number, _ in fresh)
        self.newest = max([self.newest, *(number for number, _ in fresh)])
        if len(rows) == feed.LIMIT:
            self._forget(self.newest)
        else:
            self._forget(max((number for number, at in self._told.items() if at < now - _LOOK_BACK_S), default=0))
        return Counter(kind for _, kind in fresh)

    def _forget(self, floor: int) -> None:
        self._floor = max(self._floor, floor)
        self._told = {number: at for number, at in self._told.items() if number > self._floor}


@router.get("/runs/{run_id:int}/events")
def run_events(
    request: Request,
    work: Work,
    browser: SignedInBrowser,
    run_id: Id,
    after: _AFTER = None,
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """Server-sent events: `progress` names the kinds of things that changed after Last-Event-ID or `after`."""
    workspace_id = browser.actor.workspace_id
    if not feed.owns_run(work, workspace_id, run_id):
        raise NotFound("There is no such run.")
    resumed = False
    if last_event_id.isdigit() and int(last_event_id) <= BIGGEST_ID:
        after, resumed = int(last_event_id), True
    elif after is None:
        after = feed.newest_event(work, workspace_id, run_id)
    source = Feed(workspace_id, run_id, request.cookies[SESSION_COOKIE], after, resumed=resumed)
    return StreamingResponse(
        _stream(source, request.app.state.nudges),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(source: Feed, nudges: Nudges) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    spoke = time.monotonic()
    with nudges.of(source.run_id) as woken:
        while True:
            woken.clear()
            try:
                news = await run_in_threadpool(source.news)
            except SignedOut:
                yield "event: signed-out\ndata: {}\n\n"
                return
            except Unavailable:
                return  # the browser comes back by itself, with the id of the last event that it heard
            if news or source.resumed:
                source.resumed = False
                yield f"id: {source.newest}\nevent: progress\ndata: {json.dumps({'changed': dict(news)})}\n\n"
            elif time.monotonic() - spoke > _SILENCE_S:
                yield ": still here\n\n"
            else:
                await nudges.sleep(woken)
                continue
            spoke = time.monotonic()
            await asyncio.sleep(_SPACING_S)
