"""Say what stages took: tokens and times of every stage. What is there already gets its tokens; times are not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KNOWN = """
insert into stage_usage
    (variant_id, stage, workspace_id, run_id, arm, samples, errors, prompt_tokens, completion_tokens, at)
select v.id, s.stage, v.workspace_id, v.run_id, case when v.growth_id is null then c.arm else 'asked' end,
    s.samples, s.errors, s.prompt_tokens, s.completion_tokens, s.at
from variant v
    join chain c on c.id = v.chain_id
    join run r on r.id = v.run_id
    left join measurement m on m.variant_id = v.id and m.student_profile_id = r.student_profile_id
    cross join lateral (
        select nullif(count(*), 0) as samples, sum(prompt_tokens) as prompt, sum(completion_tokens) as completion
        from attempt where measurement_id = m.id
    ) a
    cross join lateral (values
        ('proposing', 1, 0, v.prompt_tokens, v.completion_tokens, v.created_at),
        ('checking', case when v.stage <> 'proposed' then 1 end, 0, 0, 0, v.created_at),
        ('attempting', a.samples, 0, a.prompt, a.completion, v.created_at),
        ('judging', case when m.judged_at is not null then m.passed + m.failed + m.errors end, m.errors, 0, 0,
            m.judged_at)
    ) as s (stage, samples, errors, prompt_tokens, completion_tokens, at)
where s.samples is not null
"""


def upgrade() -> None:
    op.create_table(
        "stage_usage",
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("wall_s", sa.Double(), nullable=True),
        sa.Column("model_s", sa.Double(), nullable=True),
        sa.Column("sandbox_s", sa.Double(), nullable=True),
        sa.Column("cpu_s", sa.Double(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("arm in ('main', 'baseline', 'asked')", name=op.f("ck_stage_usage_arm")),
        sa.CheckConstraint(
            "stage in ('proposing', 'checking', 'attempting', 'judging')", name=op.f("ck_stage_usage_stage")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_stage_usage_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_stage_usage_variant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_stage_usage_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("variant_id", "stage", name=op.f("pk_stage_usage")),
    )
    op.execute(_KNOWN)
    op.create_index("ix_stage_usage_run_id", "stage_usage", ["run_id"], unique=False)


def downgrade() -> None:
    op.drop_table("stage_usage")
