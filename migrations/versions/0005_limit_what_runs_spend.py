"""Let runs have prices, goals and caps: what each chain has spent, and chains that no room was left for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SPENT = (
    "teacher_prompt_tokens",
    "teacher_completion_tokens",
    "student_prompt_tokens",
    "student_completion_tokens",
    "attempts",
)
_STATES = "state in ('open', 'finished', 'stopped', 'failed', 'quarantined', 'cancelled')"
_FORMER_STATES = "state in ('open', 'finished', 'failed', 'quarantined', 'cancelled')"

# What the ledger holds of a chain's own variants, or of a request's, by the student of the run.
_COUNT = """
    update {table} set
        teacher_prompt_tokens = taught.prompt, teacher_completion_tokens = taught.completion,
        student_prompt_tokens = taught.student_prompt, student_completion_tokens = taught.student_completion,
        attempts = taught.attempts
    from (
        select variant.{key} as id,
            sum(variant.prompt_tokens) as prompt, sum(variant.completion_tokens) as completion,
            coalesce(sum(tried.prompt), 0) as student_prompt, coalesce(sum(tried.completion), 0) as student_completion,
            coalesce(sum(tried.number), 0) as attempts
        from variant join run on run.id = variant.run_id
        left join lateral (
            select sum(attempt.prompt_tokens) as prompt, sum(attempt.completion_tokens) as completion,
                count(*) as number
            from measurement join attempt on attempt.measurement_id = measurement.id
            where measurement.variant_id = variant.id and measurement.student_profile_id = run.student_profile_id
        ) as tried on true
        where {which}
        group by variant.{key}
    ) as taught
    where taught.id = {table}.id
"""


def upgrade() -> None:
    op.add_column(
        "run",
        sa.Column(
            "prices", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column("run", sa.Column("previews", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    for table in ("chain", "growth"):
        for name in _SPENT:
            op.add_column(table, sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.execute(_COUNT.format(table="chain", key="chain_id", which="variant.growth_id is null"))
    op.execute(_COUNT.format(table="growth", key="growth_id", which="variant.growth_id is not null"))
    op.drop_constraint(op.f("ck_chain_state"), "chain", type_="check")
    op.create_check_constraint(op.f("ck_chain_state"), "chain", _STATES)


def downgrade() -> None:
    op.execute("update chain set state = 'cancelled' where state = 'stopped'")
    op.drop_constraint(op.f("ck_chain_state"), "chain", type_="check")
    op.create_check_constraint(op.f("ck_chain_state"), "chain", _FORMER_STATES)
    for table in ("growth", "chain"):
        for name in _SPENT:
            op.drop_column(table, name)
    op.drop_column("run", "previews")
    op.drop_column("run", "prices")
