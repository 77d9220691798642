"""Large runs for tests of speed and of bounds: rows made by the database itself, a few statements each."""

from __future__ import annotations

from sqlalchemy import text

from app.db import Session
from app.domain.actor import Actor
from app.models import Run
from tests.support import builders

_CHAINS = """
insert into chain
    (workspace_id, run_id, arm, position, seed_id, environment, state, stop_reason, next_turn, epoch, deaths)
select :workspace, :run, case when n <= :main then 'main' else 'baseline' end, (n - 1) % :main, :seed,
       (array['induction', 'abduction', 'deduction', 'fuzzing'])[1 + n % 4], 'finished', 'turns_used', :turns + 1, 1, 0
from generate_series(1, :chains) as n
"""
# About as wide as real rows: a reply and a problem of 1.5 kB each. One in eleven is invalid, one in thirteen a copy.
_VARIANTS = """
insert into variant (workspace_id, run_id, chain_id, environment, turn, branch, direction, target_low, target_high,
    stage, reply, reasoning, finish_reason, prompt_tokens, completion_tokens, prompt_hash, environment_version,
    isolation, invalid_code, invalid_detail, problem, content_hash, fingerprint, path, depth, subtree, review)
select c.workspace_id, c.run_id, c.id, c.environment, t, 1, 'harder', 0.35, 0.65,
    'done', repeat(md5(c.id::text || t), 48), '', 'stop', 900, 400, md5('prompt'), '1',
    'full', case when (c.id + t) % 11 = 0 then 'runtime_error' end, '', repeat(md5(t::text || c.id), 48),
    md5(c.id::text || t), md5(c.id::text || t), lpad(t::text, 3, '0') || '.01', t - 1, 1, ''
from chain c cross join generate_series(1, :turns) as t where c.run_id = :run
"""
_MEASUREMENTS = """
insert into measurement (workspace_id, variant_id, student_profile_id, passed, failed, errors, cut, rate, low, high,
    prompt_hash, isolation, judged_at)
select v.workspace_id, v.id, :student, v.id % 33, 32 - v.id % 33, 0, 0, (v.id % 33) / 32.0, 0, 1, md5('p'), 'full',
    now()
from variant v where v.run_id = :run and v.invalid_code is null
"""
# Two stages of an invalid variant, four of the others.
_USAGE = """
insert into stage_usage (variant_id, stage, workspace_id, run_id, arm, samples, errors, prompt_tokens,
    completion_tokens, wall_s, model_s, sandbox_s, cpu_s)
select v.id, s.stage, v.workspace_id, v.run_id, c.arm, 32, 0, 900, 400, 1.5, 1, null, null
from variant v join chain c on c.id = v.chain_id
    cross join unnest(array['proposing', 'checking', 'attempting', 'judging']) with ordinality as s (stage, place)
where v.run_id = :run and (place <= 2 or v.invalid_code is null)
"""


def large_run(session: Session, actor: Actor, chains: int = 2_000, turns: int = 6, state: str = "finished") -> Run:
    """A run of `chains` chains, half of them its baseline's, with a measured variant per turn and no attempts."""
    run = builders.run(session, actor, name=f"{chains} chains", state=state, turns=turns)
    seeds = builders.seed_set(session, actor)
    values = {
        "workspace": actor.workspace_id,
        "run": run.id,
        "seed": builders.seed(session, seeds, position=100).id,
        "student": run.student_profile_id,
        "chains": chains,
        "main": chains // 2,
        "turns": turns,
    }
    for statement in (_CHAINS, _VARIANTS, _MEASUREMENTS, _USAGE):
        session.execute(text(statement), values)
    session.execute(text("analyze"))
    return run
