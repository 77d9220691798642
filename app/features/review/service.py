"""Deciding on variants: append-only votes, bound to the content that was seen, audited, and undone once each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from app import audit
from app.db import Session
from app.domain.actor import Actor, Role
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.events import publish
from app.features.chains import service as chains
from app.features.chains.queries import rows as row_queries
from app.features.chains.schemas import VariantRow
from app.features.review import queries
from app.features.review.queries import Locked
from app.features.review.schemas import (
    MOST_PICKS,
    REASONS,
    UNDOABLE,
    Ballot,
    BulkOutcome,
    Candidate,
    Outcome,
    Pick,
)
from app.features.review.votes import STATES, Vote, standing, valid_votes
from app.models import Decision


def decide(session: Session, actor: Actor, variant_id: int, ballot: Ballot) -> Outcome:
    """Records one vote.

    Whoever comes second at the same moment is told of the first, and both votes are kept where they agree. Sending the
    same form twice is one vote. Raises Conflict where the content or the state is not what was seen, InvalidInput
    where the variant can't be decided on, Forbidden below the role member, NotFound.
    """
    actor.require(Role.MEMBER)
    held = queries.lock(session, actor.workspace_id, [variant_id]).get(variant_id)
    if held is None:
        raise NotFound(f"There is no variant {variant_id} in this workspace.")
    return _decide(session, actor, held, ballot, queries.votes(session, [variant_id]))


def _decide(session: Session, actor: Actor, held: Locked, ballot: Ballot, votes: Sequence[Vote]) -> Outcome:
    if obstacle := obstacle_to(held, ballot.kind):
        raise InvalidInput(obstacle, field="variant", remedy="Choose a valid variant that has been measured.")
    if ballot.content_hash != held.content_hash:
        raise Conflict(f"The problem of {held.place} changed since you opened it.", remedy=_LOOK_AGAIN)
    counting = valid_votes(votes, held.content_hash)
    unseen = [vote for vote in counting if ballot.seen is None or vote.id > ballot.seen]
    mine = [v for v in unseen if v.user_id == actor.user_id and v.says(ballot.kind, ballot.reason, ballot.comment)]
    if mine and (ballot.seen is not None or mine[-1] is counting[-1]):
        told = f"Your decision was recorded already: {held.place} is {held.review}."
        return Outcome(mine[-1].id, held.id, held.run_id, held.review, told, repeated=True)
    state = STATES[ballot.kind]
    if ballot.seen is not None:
        _refuse_if_stale(held, votes, ballot.seen, state)
    decision = Decision(
        workspace_id=actor.workspace_id,
        variant_id=held.id,
        user_id=actor.user_id,
        kind=ballot.kind,
        reason=ballot.reason,
        comment=ballot.comment,
        content_hash=ballot.content_hash,
    )
    decision_id = _append(session, actor, held, decision, state)
    others = sorted({v.name for v in unseen if v.state == state and v.user_id != actor.user_id})
    told = f"{state.capitalize()} {held.place}."
    if others and ballot.seen is not None:
        told += f" {_names(others)} {state} it as well in the meantime; every vote is kept."
    return Outcome(decision_id, held.id, held.run_id, state, told)


_LOOK_AGAIN = "Look at it again; what you typed is kept. Send it once more if you still mean it."


def _refuse_if_stale(held: Locked, votes: Sequence[Vote], seen: int, wanted: str) -> None:
    """Agreement in the meantime is no conflict; any other change of state is."""
    before = standing([vote for vote in votes if vote.id <= seen], held.content_hash)
    if held.review in (before, wanted):
        return
    last = next(vote for vote in reversed(votes) if vote.id > seen)
    why = f", reason: {REASONS.get(last.reason, last.reason)}" if last.reason else ""
    said = f" (“{last.comment}”)" if last.comment else ""
    raise Conflict(
        f"{last.name} {last.deed} {held.place} since you opened it{why}{said}. It is {held.review or 'undecided'} now.",
        remedy=_LOOK_AGAIN,
    )


def _append(session: Session, actor: Actor, held: Locked, decision: Decision, review: str) -> int:
    decision_id = queries.add(session, decision, review)
    audit.record(
        session,
        actor,
        f"variant.{decision.kind}",
        f"variant:{held.id}",
        decision=decision_id,
        content_hash=decision.content_hash,
        reason=decision.reason,
        review=review,
    )
    publish(session, actor.workspace_id, held.run_id, "decision", held.id)
    return decision_id


def obstacle_to(held: Locked | VariantRow, kind: str) -> str:
    """Why this variant can't be decided on, "" where it can."""
    if held.invalid_code:
        return f"{held.place} is invalid ({held.invalid_code.replace('_', ' ')}): it is no problem to decide on."
    if held.stage != "done" or held.content_hash is None:
        return f"{held.place} is still being checked or measured."
    if kind == "approve" and held.rate is None:
        return f"{held.place} has too few verdicts for a pass rate, and can't be approved."
    return ""


def undo(session: Session, actor: Actor, decision_id: int) -> Outcome:
    """Takes one of the actor's last decisions back; the variant stands as if it had not been made.

    Raises Forbidden for somebody else's, Conflict for one that is too old, NotFound.
    """
    actor.require(Role.MEMBER)
    vote = queries.decision(session, actor.workspace_id, decision_id)
    if vote is None or vote.kind == "undo":
        raise NotFound(f"There is no decision {decision_id} in this workspace.")
    if vote.user_id != actor.user_id:
        raise Forbidden(f"This is {vote.name}'s decision.", remedy="Only they can undo it; you can decide otherwise.")
    held = queries.lock(session, actor.workspace_id, [vote.variant_id])[vote.variant_id]
    votes = queries.votes(session, [vote.variant_id])
    done = next((other for other in votes if other.undoes == decision_id), None)
    if done is not None:
        told = f"That was undone already: {held.place} is {held.review or 'undecided'}."
        return Outcome(done.id, held.id, held.run_id, held.review, told, repeated=True)
    last = queries.recent(session, actor.workspace_id, actor.user_id, UNDOABLE)
    if decision_id not in {mine.id for mine, *_ in last}:
        raise Conflict(f"Only your last {UNDOABLE} decisions can be undone.", remedy="Decide on the variant anew.")
    review = standing([other for other in votes if other.id != decision_id], held.content_hash)
    decision = Decision(
        workspace_id=actor.workspace_id,
        variant_id=held.id,
        user_id=actor.user_id,
        kind="undo",
        undoes=decision_id,
        content_hash=vote.content_hash,
    )
    undo_id = _append(session, actor, held, decision, review)
    told = f"Took back: you {vote.deed} {held.place}. It is {review or 'undecided'} now."
    return Outcome(undo_id, held.id, held.run_id, review, told)


# --- many at once ------------------------------------------------------------------------------------------------


def candidates(session: Session, actor: Actor, run_id: int, ids: Sequence[int]) -> list[Candidate]:
    """The picked variants of a run in the order of the tree, each with why it can't be approved, if so."""
    chains.run_facts(session, actor, run_id)
    if len(ids) > MOST_PICKS:
        raise InvalidInput(f"At most {MOST_PICKS} variants can be approved at once.", field="pick")
    rows = row_queries.variant_rows(session, actor.workspace_id, ids)
    seen: dict[int, int] = {}
    for vote in queries.votes(session, list(rows)):
        seen[vote.variant_id] = vote.id
    return [
        Candidate(
            row,
            Pick(variant_id=row.id, seen=seen.get(row.id, 0), content_hash=row.content_hash or ""),
            obstacle_to(row, "approve") or ("It is approved already." if row.review == "approved" else ""),
        )
        for row in sorted(rows.values(), key=lambda row: (row.chain_id, row.path))
        if row.run_id == run_id
    ]


def approve_all(session: Session, actor: Actor, picks: Sequence[Pick]) -> BulkOutcome:
    """Approves every pick that still is as it was seen; the others are left out and named."""
    actor.require(Role.MEMBER)
    if not picks:
        raise InvalidInput("No variant is selected.", field="pick", remedy="Tick some rows of the tree first.")
    if len(picks) > MOST_PICKS:
        raise InvalidInput(f"At most {MOST_PICKS} variants can be approved at once.", field="pick")
    held = queries.lock(session, actor.workspace_id, [pick.variant_id for pick in picks])
    votes: dict[int, list[Vote]] = defaultdict(list)
    for vote in queries.votes(session, list(held)):
        votes[vote.variant_id].append(vote)
    approved = repeated = 0
    left_out: list[str] = []
    for pick in {pick.variant_id: pick for pick in picks}.values():
        if pick.variant_id not in held:
            raise NotFound(f"There is no variant {pick.variant_id} in this workspace.")
        variant = held[pick.variant_id]
        ballot = Ballot(kind="approve", content_hash=pick.content_hash, seen=pick.seen)
        try:
            outcome = _decide(session, actor, variant, ballot, votes[variant.id])
        except (Conflict, InvalidInput) as error:
            left_out.append(f"chain {variant.chain_id}: {error.message}")
        else:
            approved, repeated = approved + (not outcome.repeated), repeated + outcome.repeated
    return BulkOutcome(approved, repeated, left_out)


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
