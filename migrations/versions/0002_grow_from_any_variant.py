"""Let people ask for branches: the requests, and which variants were grown on one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "growth",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("instruction", sa.Text(), nullable=False),
        sa.Column("children", sa.Integer(), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("target_low", sa.Double(), nullable=False),
        sa.Column("target_high", sa.Double(), nullable=False),
        sa.Column("first_branch", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=False),
        sa.Column("next_turn", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("direction in ('easier', 'harder', 'vary', 'repair')", name=op.f("ck_growth_direction")),
        sa.CheckConstraint(
            "state in ('open', 'finished', 'failed', 'quarantined', 'cancelled')", name=op.f("ck_growth_state")
        ),
        sa.CheckConstraint("children between 1 and 8 and turns between 1 and 6", name=op.f("ck_growth_size")),
        sa.ForeignKeyConstraint(["asked_by"], ["user.id"], name=op.f("fk_growth_asked_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_growth_chain_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_growth_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["variant_id"], ["variant.id"], name=op.f("fk_growth_variant_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_growth_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_growth")),
        sa.UniqueConstraint("chain_id", "first_branch", name=op.f("uq_growth_chain_id_first_branch")),
        sa.UniqueConstraint("variant_id", "digest", name=op.f("uq_growth_variant_id_digest")),
    )
    op.create_index("ix_growth_claimable", "growth", ["run_id", "id"], unique=False, postgresql_where="state = 'open'")
    op.create_index("ix_growth_run_id", "growth", ["run_id"], unique=False)
    op.create_index(op.f("ix_growth_workspace_id"), "growth", ["workspace_id"], unique=False)
    op.add_column("variant", sa.Column("growth_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_variant_growth_id", "variant", ["growth_id"], unique=False, postgresql_where="growth_id is not null"
    )
    op.create_foreign_key("fk_variant_growth_id", "variant", "growth", ["growth_id"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    op.drop_constraint("fk_variant_growth_id", "variant", type_="foreignkey")
    op.drop_index("ix_variant_growth_id", table_name="variant", postgresql_where="growth_id is not null")
    op.drop_column("variant", "growth_id")
    op.drop_index(op.f("ix_growth_workspace_id"), table_name="growth")
    op.drop_index("ix_growth_run_id", table_name="growth")
    op.drop_index("ix_growth_claimable", table_name="growth", postgresql_where="state = 'open'")
    op.drop_table("growth")
