"""The model servers in use: what the lanes of all runs say of them, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import redis

from app.db import Session
from app.domain.actor import Actor
from app.errors import NotFound
from app.features.servers import queries, store
from app.features.servers.reporting import EVERY_S
from app.features.servers.schemas import RoleReport, ServerReport, Servers, ServerView, Told, Use

# A lane that has missed three reports is gone, or can't be heard.
STALE_S = 3 * EVERY_S

_Seen = tuple[Told, RoleReport, ServerReport]


def in_use(session: Session, actor: Actor, run_id: int | None = None) -> Servers:
    """Those of the workspace, or of one of its runs. Raises NotFound for a run that it does not have."""
    if run_id is not None and not queries.run_names(session, actor.workspace_id, [run_id]):
        raise NotFound("There is no such run.", remedy="It may belong to another workspace.")
    try:
        told = store.reports(actor.workspace_id, run_id)
    except (redis.RedisError, ValueError):
        return Servers(known=False, servers=())
    names = queries.run_names(session, actor.workspace_id, {one.run_id for one in told})
    return Servers(known=True, servers=merged(told, names))


def merged(told: Sequence[Told], names: Mapping[int, str]) -> list[ServerView]:
    """One view per server and model, by address."""
    now = datetime.now(UTC)
    seen: defaultdict[tuple[str, str], list[_Seen]] = defaultdict(list)
    for one in told:
        for role in one.report.roles:
            for server in role.servers:
                seen[server.address, server.model].append((one, role, server))
    return [_view(address, model, reports, names, now) for (address, model), reports in sorted(seen.items())]


def _view(address: str, model: str, reports: Sequence[_Seen], names: Mapping[int, str], now: datetime) -> ServerView:
    newest, _, said = min(reports, key=lambda seen: (seen[0].age_s, seen[2].saturation is None))
    by_use: defaultdict[tuple[int, str], list[_Seen]] = defaultdict(list)
    for seen in reports:
        by_use[seen[0].run_id, seen[1].role].append(seen)
    return ServerView(
        address=address,
        model=model,
        condition="stale" if newest.age_s > STALE_S else "away" if said.away else "up",
        saturation=said.saturation,
        as_of=now - timedelta(seconds=newest.age_s),
        uses=[
            Use(
                run_id=run_id,
                run_name=names.get(run_id, ""),
                role=lanes[0][1].role,
                lanes=len(lanes),
                away=sum(server.away for _, _, server in lanes),
                under_way=sum(server.under_way for _, _, server in lanes),
                limit=sum(role.limit for _, role, _ in lanes),
            )
            for (run_id, _), lanes in sorted(by_use.items())
        ],
    )
