"""Measure variants again with another student: the requests, and their variants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "remeasurement",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("student_profile_id", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('running', 'paused', 'cancelled', 'finished')", name=op.f("ck_remeasurement_state")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["user.id"], name=op.f("fk_remeasurement_created_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["student_profile_id"], ["model_profile.id"], name=op.f("fk_remeasurement_student_profile_id")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_remeasurement_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remeasurement")),
    )
    op.create_index(
        "ix_remeasurement_running", "remeasurement", ["id"], unique=False, postgresql_where="state = 'running'"
    )
    op.create_index(op.f("ix_remeasurement_workspace_id"), "remeasurement", ["workspace_id"], unique=False)
    op.create_table(
        "remeasurement_item",
        sa.Column("remeasurement_id", sa.BigInteger(), nullable=False),
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("state in ('open', 'done', 'set_aside')", name=op.f("ck_remeasurement_item_state")),
        sa.ForeignKeyConstraint(
            ["remeasurement_id"],
            ["remeasurement.id"],
            name=op.f("fk_remeasurement_item_remeasurement_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"], ["variant.id"], name=op.f("fk_remeasurement_item_variant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_remeasurement_item_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("remeasurement_id", "variant_id", name=op.f("pk_remeasurement_item")),
    )
    op.create_index(
        "ix_remeasurement_item_open",
        "remeasurement_item",
        ["remeasurement_id", "variant_id"],
        unique=False,
        postgresql_where="state = 'open'",
    )
    op.create_index("ix_remeasurement_item_variant_id", "remeasurement_item", ["variant_id"], unique=False)
    op.create_index(op.f("ix_remeasurement_item_workspace_id"), "remeasurement_item", ["workspace_id"], unique=False)


def downgrade() -> None:
    op.drop_table("remeasurement_item")
    op.drop_table("remeasurement")
