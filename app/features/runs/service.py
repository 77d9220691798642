"""Use cases of runs: start, pause, resume, cancel, archive; and what a run pauses by itself for."""

from __future__ import annotations

import hashlib
import json

from app import audit, registry
from app.config import settings
from app.db import Session
from app.domain.actor import Actor, Role
from app.errors import Conflict, InvalidInput, NotFound
from app.events import publish
from app.features.benchmarks.queries import compare_with_all
from app.features.runs import queries, stages
from app.features.runs.finish import lock_run
from app.features.runs.previews import preview_of
from app.features.runs.prices import prices_of
from app.features.runs.schemas import ModelChoice, RunConfig, role_options
from app.features.runs.size import size_of
from app.jobs import LANE, enqueue
from app.models import LaneSlot, Run


def create(session: Session, actor: Actor, config: RunConfig) -> Run:
    """Writes the run with its chains and sends its lanes after the commit.

    Raises InvalidInput where the seed set is unknown or too small, where the run would be too large, and where it caps
    money while its models have no prices.
    """
    return _create(session, actor, config)


def preview(session: Session, actor: Actor, whole: RunConfig) -> Run:
    """Starts the run on its first seeds only, to tell what the whole of it would take: see previews.estimate.

    Raises what `create` raises of the whole run. Lanes of other runs give way to it: see waiting.smaller_run.
    """
    actor.require(Role.MEMBER)
    size = size_of(session, actor.workspace_id, whole)
    return _create(session, actor, preview_of(whole, size.seeds), previews=whole)


def create_previewed(session: Session, actor: Actor, run_id: int) -> Run:
    """Starts the whole run that a preview stands for, with the prices of now. Raises Conflict for any other run.

    Asked for by the same person again within a minute, as by a second click, it is the one that was started.
    """
    run = queries.run(session, actor.workspace_id, run_id)
    if run is None:
        raise NotFound("There is no such run.")
    if run.previews is None:
        raise Conflict("This run is no preview.", remedy="Clone it to start another like it.")
    actor.require(Role.MEMBER)
    lock_run(session, run_id)
    config = RunConfig.model_validate(run.previews)
    return queries.started_just_now(session, actor, config.model_dump(mode="json")) or create(session, actor, config)


def _create(session: Session, actor: Actor, config: RunConfig, previews: RunConfig | None = None) -> Run:
    actor.require(Role.MEMBER)
    queries.hold_seed_set(session, actor.workspace_id, config.seeds.set)
    size = size_of(session, actor.workspace_id, config)
    name = config.name or f"{size.seed_set.name}, {_listed(config.environments)}"
    seeds = queries.chosen_seeds(session, size.seed_set.id, config.seeds.skip, config.seeds.count)
    run = Run(
        workspace_id=actor.workspace_id,
        name=f"Preview: {name}" if previews else name,
        config=config.model_dump(mode="json"),
        prices=prices_of(config).model_dump(mode="json"),
        previews=previews.model_dump(mode="json") if previews else None,
        seed_set_id=size.seed_set.id,
        teacher_profile_id=profile(session, actor.workspace_id, "teacher", config.teacher),
        student_profile_id=profile(session, actor.workspace_id, "student", config.student),
        created_by=actor.user_id,
    )
    session.add(run)
    session.flush()
    compare_with_all(session, actor.workspace_id, run.id)
    queries.insert_chains(session, run, seeds, config.environments, size.arms)
    slots = min(settings().worker_processes, size.chains)
    session.add_all(LaneSlot(run_id=run.id, slot=slot, workspace_id=run.workspace_id) for slot in range(slots))
    what = "run.previewed" if previews else "run.started"
    audit.record(session, actor, what, f"runs/{run.id}", chains=size.chains)
    publish(session, run.workspace_id, run.id, "started")
    _send_lanes(session, run.id, slots)
    return run


def pause(session: Session, actor: Actor, run_id: int) -> Run:
    """Lanes stop at the next stage boundary; nothing is lost. Raises Conflict unless the run is running."""
    run = _writable(session, actor, run_id)
    _expect(run, "running")
    run.state = "paused"
    run.error = ""
    return _announce(session, actor, run, "paused")


def resume(session: Session, actor: Actor, run_id: int) -> Run:
    """Goes on with a paused run. Raises Conflict in any other state."""
    run = _writable(session, actor, run_id)
    _expect(run, "paused")
    run.state = "running"
    run.error = ""
    _send_lanes(session, run.id, queries.slot_count(session, run.id))
    return _announce(session, actor, run, "resumed")


def cancel(session: Session, actor: Actor, run_id: int) -> Run:
    """Ends the run for good. What is measured stays; chains under way are fenced off at once."""
    run = _writable(session, actor, run_id)
    _expect(run, "running", "paused")
    run.state = "cancelled"
    queries.cancel_open(session, run.id)
    queries.stamp_end(session, run.id)
    return _announce(session, actor, run, "cancelled")


def archive(session: Session, actor: Actor, run_id: int, *, archived: bool) -> Run:
    """Takes an ended run out of the lists, or brings it back. Nothing is deleted."""
    run = _writable(session, actor, run_id)
    if archived and run.state in ("running", "paused"):
        raise Conflict("A run that is not over can't be archived.", remedy="Cancel it first.")
    queries.stamp_archived(session, run.id, archived)
    return _announce(session, actor, run, "archived" if archived else "restored")


def pause_for_error(session: Session, run_id: int, chain_id: int | None, stage: str, kind: str, message: str) -> None:
    """The run met trouble that stays: it pauses and says why, and a person resumes it when the trouble is gone."""
    run = lock_run(session, run_id)
    if run is None:
        return
    stages.save_incident(session, run.workspace_id, run_id, chain_id, stage, kind, message)
    if run.state == "running":
        run.state = "paused"
        run.error = f"{stage}: {message}"
        publish(session, run.workspace_id, run.id, "paused")


def config_of(run: Run) -> RunConfig:
    return RunConfig.model_validate(run.config)


def whole_config_of(run: Run) -> RunConfig:
    """What another run like it is started from; of a preview that of the whole run."""
    return RunConfig.model_validate(run.previews or run.config)


def _writable(session: Session, actor: Actor, run_id: int) -> Run:
    """The run, locked against a simultaneous change of its state."""
    actor.require(Role.MEMBER)
    run = lock_run(session, run_id)
    if run is None or run.workspace_id != actor.workspace_id:
        raise NotFound("There is no such run.")
    return run


def _expect(run: Run, *states: str) -> None:
    if run.state not in states:
        raise Conflict(
            f"The run is {run.state} by now.", remedy="Reload the page to see where it stands; nothing was changed."
        )


def _announce(session: Session, actor: Actor, run: Run, what: str) -> Run:
    audit.record(session, actor, f"run.{what}", f"runs/{run.id}")
    publish(session, run.workspace_id, run.id, what)
    return run


def _send_lanes(session: Session, run_id: int, count: int) -> None:
    for _ in range(count):
        enqueue(session, LANE, run_id)


def profile(session: Session, workspace_id: int, role: str, choice: ModelChoice) -> int:
    """The row that says with what a role is played: equal settings share one."""
    model, spec, digest = _spec(role, choice)
    return queries.profile_id(session, workspace_id, role, choice.engine, model, spec, digest)


def known_profile(session: Session, workspace_id: int, role: str, choice: ModelChoice) -> int | None:
    """The same where it is there already."""
    return queries.known_profile(session, workspace_id, role, _spec(role, choice)[2])


def _spec(role: str, choice: ModelChoice) -> tuple[str, dict[str, object], str]:
    """The model's name, all settings, and their digest."""
    engine = registry.engine(choice.engine)
    schema = role_options(engine, role)
    if schema is None:
        raise InvalidInput(f"{engine.title} has no {role}.", field=f"{role}.engine", remedy="Choose another engine.")
    options = schema.model_validate(choice.options).model_dump(mode="json")
    spec: dict[str, object] = {
        "engine": choice.engine,
        "title": engine.title,
        "options": options,
    }
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
    return str(options.get("model") or engine.title), spec, digest


def _listed(names: list[str]) -> str:
    return "all environments" if len(names) == len(registry.environments()) else ", ".join(names)
