"""Say what stages took: tokens and times of every stage. What is there already gets its tokens; times are not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0002"
branch_labels = None
depends_on = None

_ARM = "case when v.growth_id is not null then 'asked' else c.arm end"
_INTO = (
    "insert into stage_usage"
    " (variant_id, stage, workspace_id, run_id, arm, samples, errors, prompt_tokens, completion_tokens, at)"
)
_MEASURED = (
    "from measurement m join variant v on v.id = m.variant_id join chain c on c.id = v.chain_id"
    " join run r on r.id = v.run_id and r.student_profile_id = m.student_profile_id"
)
_KNOWN = (
    f"{_INTO} select v.id, 'proposing', v.workspace_id, v.run_id, {_ARM}, 1, 0, v.prompt_tokens,"
    " v.completion_tokens, v.created_at from variant v join chain c on c.id = v.chain_id",
    f"{_INTO} select v.id, 'checking', v.workspace_id, v.run_id, {_ARM}, 1, 0, 0, 0, v.created_at"
    " from variant v join chain c on c.id = v.chain_id where v.stage <> 'proposed'",
    f"{_INTO} select v.id, 'attempting', v.workspace_id, v.run_id, {_ARM}, a.samples, 0, a.prompt, a.completion,"
    f" v.created_at {_MEASURED} cross join lateral (select count(*) as samples, coalesce(sum(prompt_tokens), 0) as"
    " prompt, coalesce(sum(completion_tokens), 0) as completion from attempt where measurement_id = m.id) a",
    f"{_INTO} select v.id, 'judging', v.workspace_id, v.run_id, {_ARM}, m.passed + m.failed + m.errors, m.errors, 0, 0,"
    f" m.judged_at {_MEASURED} where m.judged_at is not null",
)


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
    for statement in _KNOWN:
        op.execute(statement)
    op.create_index("ix_stage_usage_run_id", "stage_usage", ["run_id"], unique=False)


def downgrade() -> None:
    op.drop_table("stage_usage")
