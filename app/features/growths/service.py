"""Growing branches that people ask for, from any variant, whatever state its run is in."""

from __future__ import annotations

from app import audit, registry
from app.db import Session
from app.domain.actor import Actor, Role
from app.domain.asking import aim, choices
from app.domain.randomness import derive
from app.domain.tree import Direction
from app.errors import AppError, Conflict, InvalidInput, NotFound
from app.events import publish
from app.features.growths import queries
from app.features.growths.queries import Origin
from app.features.growths.schemas import RULES, Choice, GrowthRow, Offer, Outcome, Request
from app.features.runs.arms import strategy_onwards
from app.features.runs.finish import finish_run_if_done, lock_run
from app.features.runs.schemas import RunConfig
from app.jobs import LANE, enqueue
from app.models import Growth, Run

# Turns are padded to three digits where trees are sorted.
DEEPEST = 999
# Requests in one tree that are not over.
MOST_OPEN = 50


def offer(session: Session, actor: Actor, variant_id: int) -> Offer:
    """What can be asked for at a variant, and what would come of it. Raises NotFound."""
    origin = _origin(session, actor, variant_id)
    run = session.get_one(Run, origin.run_id)
    config = RunConfig.model_validate(run.config)
    earlier = queries.of_variant(session, actor.workspace_id, variant_id)
    engine = registry.engines().get(config.teacher.engine)
    return Offer(
        choices=[_choice(origin, direction, config) for direction in choices(invalid=bool(origin.invalid_code))],
        obstacle=_obstacle(actor, origin, run),
        rule=RULES[run.state],
        strategy=strategy_onwards(config).title,
        teacher=engine.title if engine else config.teacher.engine,
        follows_text=queries.follows_text(config.teacher.engine),
        attempts=config.attempts,
        seen=earlier[-1].id if earlier else 0,
        earlier=earlier,
    )


def grow(session: Session, actor: Actor, variant_id: int, request: Request) -> Outcome:
    """Records the request, and sends a lane for it unless its run is paused.

    Sent twice with the same `seen`, it is one request. Raises InvalidInput at a field, Conflict where the variant or
    its run takes none now, Forbidden below the role member, NotFound.
    """
    actor.require(Role.MEMBER)
    # The run is held first, as whoever ends it does; what is read from here on stays so.
    run = lock_run(session, _origin(session, actor, variant_id).run_id)
    origin = _origin(session, actor, variant_id)
    if run is None:
        raise AssertionError(f"variant {variant_id} is of a run")
    if obstacle := _obstacle(actor, origin, run):
        raise Conflict(obstacle, remedy="Nothing was asked for.")
    direction = _direction(origin, request)
    if origin.turn + request.turns > DEEPEST:
        raise InvalidInput(f"A tree has at most {DEEPEST} turns.", field="turns", remedy="Grow from an earlier turn.")
    same = queries.equal_requests(
        session, variant_id, direction.value, request.instruction, request.children, request.turns
    )
    if request.seen is not None:
        mine = [
            growth_id
            for growth_id, by, state in same
            if by == actor.user_id and growth_id > request.seen and state != "cancelled"
        ]
        if mine:
            return Outcome(
                find(session, actor, mine[-1]), "You asked for this already; it is grown once.", repeated=True
            )
    if queries.open_requests(session, origin.chain_id) >= MOST_OPEN:
        raise Conflict(
            f"{MOST_OPEN} requests are open in this tree.", remedy="Wait until some are done, or cancel some."
        )
    growth = _record(session, actor, run, origin, direction, request, len(same))
    rule = RULES[run.state]
    _set_going(session, run)
    found = find(session, actor, growth.id)
    return Outcome(found, f"Asked for {_branches(found)} from {origin.place}. {rule}")


def find(session: Session, actor: Actor, growth_id: int) -> GrowthRow:
    """Raises NotFound."""
    found = queries.growth(session, actor.workspace_id, growth_id)
    if found is None:
        raise NotFound(f"There is no request {growth_id} in this workspace.")
    return found


def of_variant(session: Session, actor: Actor, variant_id: int) -> list[GrowthRow]:
    """What was asked for at a variant, oldest first. Raises NotFound."""
    _origin(session, actor, variant_id)
    return queries.of_variant(session, actor.workspace_id, variant_id)


def cancel(session: Session, actor: Actor, growth_id: int) -> GrowthRow:
    """What has grown stays. Raises Conflict where it is over."""
    actor.require(Role.MEMBER)
    run = lock_run(session, find(session, actor, growth_id).run_id)
    if not queries.cancel(session, growth_id):
        raise Conflict("These branches have ended by now.", remedy="Nothing was changed.")
    found = find(session, actor, growth_id)
    audit.record(session, actor, "growth.cancelled", f"growths/{growth_id}", variant=found.variant_id)
    publish(session, actor.workspace_id, found.run_id, "growth", growth_id)
    finish_run_if_done(session, run)
    return found


def _origin(session: Session, actor: Actor, variant_id: int) -> Origin:
    found = queries.origin(session, actor.workspace_id, variant_id)
    if found is None:
        raise NotFound(f"There is no variant {variant_id} in this workspace.")
    return found


def _obstacle(actor: Actor, origin: Origin, run: Run) -> str:
    """Why nothing can be grown from here now, "" where it can."""
    try:
        actor.require(Role.MEMBER)
    except AppError as error:
        return str(error)
    if run.archived_at is not None:
        return "The run is archived: restore it on its page first."
    if origin.stage != "done":
        return f"{origin.place} is still being checked or measured: wait until it is done."
    return ""


def _direction(origin: Origin, request: Request) -> Direction:
    known = choices(invalid=bool(origin.invalid_code))
    if request.direction not in known:
        told = "invalid, and can only be repaired" if origin.invalid_code else "valid: there is nothing to repair"
        raise InvalidInput(f"{origin.place} is {told}.", field="direction", remedy=f"Choose {' or '.join(known)}.")
    return Direction(request.direction)


def _choice(origin: Origin, direction: Direction, config: RunConfig) -> Choice:
    return Choice(direction, aim(direction, origin.rate, origin.aimed_at, config.target.band))


def _record(
    session: Session, actor: Actor, run: Run, origin: Origin, direction: Direction, request: Request, repeat: int
) -> Growth:
    config = RunConfig.model_validate(run.config)
    target = _choice(origin, direction, config).target
    asked = (direction.value, request.instruction, request.children, request.turns)
    growth = Growth(
        workspace_id=actor.workspace_id,
        run_id=run.id,
        chain_id=origin.chain_id,
        variant_id=origin.id,
        direction=direction.value,
        instruction=request.instruction,
        children=request.children,
        turns=request.turns,
        target_low=target.low,
        target_high=target.high,
        # Behind those that the chain grows by itself, and all that were asked for before.
        first_branch=max(config.branching, queries.last_branch(session, origin.chain_id)) + 1,
        digest=f"{derive('grow', *origin.name, *asked, repeat):016x}",
        next_turn=origin.turn + 1,
        asked_by=actor.user_id,
    )
    session.add(growth)
    session.flush()
    audit.record(
        session,
        actor,
        "variant.grown_from",
        f"variants/{origin.id}",
        growth=growth.id,
        **request.model_dump(exclude={"seen"}),
    )
    publish(session, run.workspace_id, run.id, "growth", growth.id)
    return growth


def _set_going(session: Session, run: Run) -> None:
    """A run at rest goes on for what was asked; a paused one is for a person to resume."""
    if run.state in ("finished", "cancelled"):
        run.state = "running"
        session.flush()
        publish(session, run.workspace_id, run.id, "resumed")
    if run.state == "running":
        enqueue(session, LANE, run.id)


def _branches(growth: GrowthRow) -> str:
    children = "1 child" if growth.children == 1 else f"{growth.children} children"
    return f"{children} {growth.direction}" + (f", {growth.turns} turns deep" if growth.turns > 1 else "")
