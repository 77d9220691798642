"""Keep vectors of variants' texts, the requests for them, and the models that gave them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _allow_roles(*roles: str) -> None:
    allowed = ", ".join(f"'{role}'" for role in roles)
    op.drop_constraint(op.f("ck_model_profile_role"), "model_profile", type_="check")
    op.create_check_constraint(op.f("ck_model_profile_role"), "model_profile", f"role in ({allowed})")


def upgrade() -> None:
    _allow_roles("teacher", "student", "embedder")
    op.create_table(
        "embedding",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["profile_id"], ["model_profile.id"], name=op.f("fk_embedding_profile_id")),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_embedding_variant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_embedding_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("profile_id", "variant_id", name=op.f("pk_embedding")),
    )
    op.create_index(op.f("ix_embedding_variant_id"), "embedding", ["variant_id"], unique=False)
    op.create_index(op.f("ix_embedding_workspace_id"), "embedding", ["workspace_id"], unique=False)
    op.create_table(
        "run_embedding",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('running', 'paused', 'done')", name=op.f("ck_run_embedding_state")),
        sa.ForeignKeyConstraint(["profile_id"], ["model_profile.id"], name=op.f("fk_run_embedding_profile_id")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_embedding_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_run_embedding_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_embedding")),
    )
    op.create_index(
        "ix_run_embedding_running", "run_embedding", ["run_id"], unique=False, postgresql_where="state = 'running'"
    )
    op.create_index(op.f("ix_run_embedding_workspace_id"), "run_embedding", ["workspace_id"], unique=False)


def downgrade() -> None:
    op.drop_table("run_embedding")
    op.drop_table("embedding")
    op.execute("delete from model_profile where role = 'embedder'")
    _allow_roles("teacher", "student")
