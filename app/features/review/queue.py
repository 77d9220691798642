"""What a reviewer sees: the votes on a variant, the own last ones, and what waits for a decision."""

from __future__ import annotations

from collections import defaultdict

from app.db import Session
from app.domain.actor import Actor, Role
from app.errors import Forbidden
from app.features.chains import service as chains
from app.features.chains.filters import TreeQuery, VariantFilter
from app.features.chains.queries import tree as tree_queries
from app.features.chains.schemas import VariantRow
from app.features.review import queries
from app.features.review.schemas import UNDOABLE, Mine, Panel, QueuePlace, QueueRun
from app.features.review.service import obstacle_to
from app.features.review.votes import Vote, valid_votes


def panel(session: Session, actor: Actor, row: VariantRow) -> Panel:
    """What deciding on `row` needs, and the actor's own last decisions."""
    votes = queries.votes(session, [row.id])
    try:
        actor.require(Role.MEMBER)
        obstacle = obstacle_to(row, "approve")
    except Forbidden as error:
        obstacle = str(error)
    return Panel(
        row=row,
        votes=votes,
        counting=valid_votes(votes, row.content_hash),
        seen=votes[-1].id if votes else 0,
        may_decide=not obstacle,
        obstacle=obstacle,
        recent=recent(session, actor),
    )


def votes(session: Session, row: VariantRow) -> list[Vote]:
    """Every decision on a variant, oldest first."""
    return queries.votes(session, [row.id])


def recent(session: Session, actor: Actor) -> list[Mine]:
    """The actor's last decisions that can be undone, newest first, with who else voted on the same variants since."""
    last = queries.recent(session, actor.workspace_id, actor.user_id, UNDOABLE)
    others: dict[int, list[Vote]] = defaultdict(list)
    for vote in queries.votes(session, sorted({vote.variant_id for vote, *_ in last})):
        if vote.user_id != actor.user_id and vote.kind != "undo":
            others[vote.variant_id].append(vote)
    return [
        Mine(
            vote,
            run_id,
            place,
            headline,
            [f"{other.name} {other.deed} it too" for other in others[vote.variant_id] if other.id > vote.id],
        )
        for vote, run_id, place, headline in last
    ]


def queue_runs(session: Session, actor: Actor) -> list[QueueRun]:
    return queries.queue_runs(session, actor.workspace_id)


def next_in_queue(session: Session, actor: Actor, run_id: int, wanted: VariantFilter, after: int | None) -> QueuePlace:
    """The first undecided usable variant behind `after` in the order of the tree; from the top where none is behind."""
    run = chains.run_facts(session, actor, run_id)
    asked = wanted.model_dump(exclude={"review", "usable"})
    waiting = TreeQuery(**asked, review="waiting", usable=True)
    lines = tree_queries.tree_page(session, run_id, waiting, 1, f"v{after}" if after else "")
    wrapped = after is not None and not lines
    if wrapped:
        lines = tree_queries.tree_page(session, run_id, waiting, 1)
    return QueuePlace(
        run=run,
        variant_id=lines[0][1] if lines else None,
        waiting=tree_queries.variant_count(session, run_id, waiting),
        total=tree_queries.variant_count(session, run_id, VariantFilter(**asked, usable=True)),
        waiting_unfiltered=tree_queries.variant_count(session, run_id, VariantFilter(review="waiting", usable=True)),
        wrapped=wrapped,
    )
