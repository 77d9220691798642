"""What lanes write, each in one statement, so that it can be a transaction of its own (app.direct).

They are in psycopg's own words: to build them anew each time would take longer than to run them. What follows a stage
holds the claimed row first; where the claim is lost it writes nothing and returns no row. What stands already is left
as it is.
"""

from __future__ import annotations

from app.models import Chain, Growth

# What a claimed row has spent.
SPENT = (
    "teacher_prompt_tokens",
    "teacher_completion_tokens",
    "student_prompt_tokens",
    "student_completion_tokens",
    "attempts",
)

ByClaim = dict[type[Chain] | type[Growth], bytes]


def _by_claim(text: str) -> ByClaim:
    """For chains and for requests: `LEASED` is the table of what was claimed."""
    return {leased: text.replace("LEASED", leased.__tablename__).encode() for leased in (Chain, Growth)}


_HELD = """
held as (
    select id from LEASED
    where id = %(leased_id)s and epoch = %(epoch)s and state = 'open' and next_turn in (%(turn)s, %(next_turn)s)
    for no key update
)"""

# Progress clears the suspicion that the claim kills its worker; `next_turn` is another one where this ends a turn.
_ALIVE = """
alive as (
    update LEASED set deaths = 0, next_turn = %(next_turn)s from held
    where LEASED.id = held.id and (LEASED.deaths <> 0 or LEASED.next_turn <> %(next_turn)s)
        and exists (select from stage_of)
)"""

# What the stage took, for each row of `stage_of`.
_USED = """
used as (
    insert into stage_usage (variant_id, stage, workspace_id, run_id, arm, samples, errors, prompt_tokens,
        completion_tokens, wall_s, model_s, sandbox_s, cpu_s)
    select stage_of.id, %(stage)s, %(workspace_id)s, %(run_id)s, %(usage_arm)s, %(samples)s, %(errors)s,
        %(prompt_tokens)s, %(completion_tokens)s, %(wall_s)s::float8, %(model_s)s::float8, %(sandbox_s)s::float8,
        %(cpu_s)s::float8
    from stage_of
    on conflict (variant_id, stage) do nothing
)"""

_TOLD = """
told as (
    insert into event (workspace_id, run_id, kind, subject)
    select %(workspace_id)s, %(run_id)s, 'variant', %(variant_id)s from held
)"""

# Returns the new variant's id, or null where one stands in that place.
SAVE_PROPOSAL = _by_claim(f"""
with {_HELD},
stage_of as (
    insert into variant (workspace_id, run_id, chain_id, environment, turn, branch, parent_id, growth_id, direction,
        target_low, target_high, stage, reply, reasoning, finish_reason, prompt_tokens, completion_tokens, prompt_hash,
        environment_version, isolation, path, depth, subtree, invalid_detail, review)
    select %(workspace_id)s, %(run_id)s, %(chain_id)s, %(environment)s, %(turn)s, %(branch)s, %(parent_id)s::bigint,
        %(growth_id)s::bigint, %(direction)s, %(target_low)s, %(target_high)s, 'proposed', %(reply)s, %(reasoning)s,
        %(finish_reason)s, %(prompt_tokens)s, %(completion_tokens)s, %(prompt_hash)s, %(environment_version)s,
        %(isolation)s, %(path)s, %(depth)s, 1, '', ''
    from held
    on conflict (chain_id, turn, branch) do nothing
    returning id
),
spent as (
    update LEASED set deaths = 0, teacher_prompt_tokens = teacher_prompt_tokens + %(prompt_tokens)s,
        teacher_completion_tokens = teacher_completion_tokens + %(completion_tokens)s
    from stage_of where LEASED.id = %(leased_id)s
),
ancestors as (
    update variant set subtree = subtree + 1 from stage_of
    where %(depth)s > 0 and variant.chain_id = %(chain_id)s and starts_with(%(path)s, variant.path || '/')
),
{_USED}
select (select id from stage_of) from held""")

SAVE_INVALID = _by_claim(f"""
with {_HELD},
stage_of as (
    update variant
    set stage = 'done', invalid_code = %(code)s, invalid_detail = %(detail)s, duplicate_of = null
    from held where variant.id = %(variant_id)s
    returning variant.id
),
{_USED}, {_TOLD}, {_ALIVE}
select 1 from held""")

# Returns whether it wrote: `anyway`, or because there is nothing to compare the problem with. Stones of one tree may be
# as similar as they like, but not equal.
SAVE_CHECKED = _by_claim(f"""
with {_HELD},
akin as materialized (  -- for all of its rows: planned for one, it would read every sketch of the workspace
    select chain_id, signature from sketch
    where bands && %(bands)s::bigint[] and workspace_id = %(workspace_id)s
),
compared as (
    select where exists (select from run_benchmark where run_id = %(run_id)s)
    or exists (select from variant where run_id = %(run_id)s and fingerprint = %(fingerprint)s)
    or exists (select from akin where chain_id <> %(chain_id)s or signature = %(signature)s)
),
stage_of as (
    update variant
    set stage = 'checked', problem = %(problem)s, content_hash = %(content_hash)s, fingerprint = %(fingerprint)s
    from held where variant.id = %(variant_id)s and (%(anyway)s or not exists (select from compared))
    returning variant.id
),
sketched as (
    insert into sketch (variant_id, workspace_id, run_id, chain_id, arm, environment, asked, position, turn, branch,
        signature, bands, constructs)
    select id, %(workspace_id)s, %(run_id)s, %(chain_id)s, %(arm)s, %(environment)s, %(asked)s, %(position)s, %(turn)s,
        %(branch)s, %(signature)s, %(bands)s::bigint[], %(constructs)s::jsonb
    from stage_of
    on conflict (variant_id) do nothing
),
{_USED}, {_ALIVE}
select exists (select from stage_of) from held""")

# For the row of `held`. What a student made of a variant: a measurement, with no verdicts yet, and its attempts. All
# attempts are one JSON text: psycopg writes arrays of long texts in Python, which took six times as long.
MEASURE = """
measured as (
    insert into measurement (workspace_id, variant_id, student_profile_id, passed, failed, errors, cut, low, high,
        prompt_hash, isolation)
    select %(workspace_id)s, %(variant_id)s, %(profile_id)s, 0, 0, 0, 0, 0.0, 1.0, %(prompt_hash)s, '' from held
    on conflict (variant_id, student_profile_id) do nothing
    returning id, variant_id
),
tried as (
    insert into attempt (workspace_id, measurement_id, number, reply, reasoning, finish_reason, prompt_tokens,
        completion_tokens, reason, detail, answer)
    select %(workspace_id)s, measured.id, given.*, '', '', ''
    from measured, json_to_recordset(%(attempts)s::json) as given (number int, reply text, reasoning text,
        finish_reason text, prompt_tokens int, completion_tokens int)
)"""

SAVE_ATTEMPTS = _by_claim(f"""
with {_HELD}, {MEASURE},
stage_of as (
    update variant set stage = 'attempted' from measured where variant.id = measured.variant_id returning variant.id
),
spent as (
    update LEASED set deaths = 0, student_prompt_tokens = student_prompt_tokens + %(prompt_tokens)s,
        student_completion_tokens = student_completion_tokens + %(completion_tokens)s,
        attempts = attempts + %(samples)s
    from measured where LEASED.id = %(leased_id)s
),
{_USED}
select 1 from held""")

# For the row of `held`. The verdicts of a measurement, and its pass rate.
JUDGE = """
judged as (
    update measurement
    set passed = %(passed)s, failed = %(failed)s, errors = %(verdict_errors)s, cut = %(cut)s, rate = %(rate)s::float8,
        low = %(low)s, high = %(high)s, isolation = %(isolation)s, judged_at = now()
    from held where variant_id = %(variant_id)s and student_profile_id = %(profile_id)s
    returning measurement.id, variant_id
),
verdicts as (
    update attempt
    set verdict = given.verdict, reason = given.reason, detail = given.detail, answer = given.answer
    from judged, json_to_recordset(%(judgements)s::json) as given (number int, verdict text, reason text, detail text,
        answer text)
    where attempt.measurement_id = judged.id and attempt.number = given.number
)"""

SAVE_JUDGEMENTS = _by_claim(f"""
with {_HELD}, {JUDGE},
stage_of as (
    update variant set stage = 'done' from judged where variant.id = judged.variant_id returning variant.id
),
{_USED}, {_TOLD}, {_ALIVE}
select 1 from judged""")

SAVE_TURN = _by_claim(f"with {_HELD}, stage_of as (select from held), {_ALIVE} select 1 from held")

HOLD_RUN = b"select 1 from run where id = %(run_id)s for no key update"

# Returns no row where the claim is lost, or nothing else of the run is open.
SAVE_END_OF_ONE = _by_claim("""
with ended as (
    update LEASED set state = %(state)s, stop_reason = %(reason)s, owner = null, lease_expires_at = null
    where id = %(leased_id)s and epoch = %(epoch)s and state in ('open', %(state)s) and (
        exists (
            select from chain
            where run_id = %(run_id)s and state = 'open' and ('LEASED' <> 'chain' or id <> %(leased_id)s)
        ) or exists (
            select from growth
            where run_id = %(run_id)s and state = 'open' and ('LEASED' <> 'growth' or id <> %(leased_id)s)
        )
    )
    returning id
),
told as (
    insert into event (workspace_id, run_id, kind, subject)
    select %(workspace_id)s, %(run_id)s, 'chain', %(chain_id)s from ended
)
select id from ended""")

VARIANT_AT = b"select id from variant where chain_id = %(chain_id)s and turn = %(turn)s and branch = %(branch)s"

# What was grown on request comes last: it never makes a copy of what the run found by itself.
TWINS = b"""
select variant.id, duplicate_of from variant join chain on chain.id = variant.chain_id
where variant.run_id = %(run_id)s and fingerprint = %(fingerprint)s and invalid_code is null and arm = %(arm)s
order by growth_id is not null, position, turn, branch"""

SET_ORIGINAL = b"update variant set duplicate_of = %(original)s::bigint where id = any(%(ids)s::bigint[])"

RENEW_SLOT = b"""
update lane_slot set lease_expires_at = now() + make_interval(secs => %(lease_s)s::float8)
where run_id = %(run_id)s and owner = %(owner)s
returning slot"""

RENEW = _by_claim("""
with held as (
    select id from LEASED
    where run_id = %(run_id)s and owner = %(owner)s and state = 'open'
    order by id for no key update
)
update LEASED set lease_expires_at = now() + make_interval(secs => %(lease_s)s::float8)
from held where LEASED.id = held.id
returning LEASED.id""")
