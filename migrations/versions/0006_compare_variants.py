"""Keep what variants are compared by, benchmark sets, and what repeats what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COVERED = ["id", "turn", "invalid_code", "duplicate_of", "review"]
_MARKS_COVERED = ["id", "turn", "invalid_code", "duplicate_of", "near_of", "known_of", "contaminated", "review"]

# Without a list of pending entries, which every search would read from end to end.
_AT_ONCE = {"fastupdate": "off"}


def _cover(columns: list[str]) -> None:
    """Makes the index of the tree grid anew, with other columns beside its key."""
    op.drop_index("ix_variant_run_id_chain_id_path", table_name="variant")
    op.create_index(
        "ix_variant_run_id_chain_id_path",
        "variant",
        ["run_id", "chain_id", "path"],
        unique=False,
        postgresql_include=columns,
    )


def upgrade() -> None:
    op.create_table(
        "benchmark_set",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"], ["user.id"], name=op.f("fk_benchmark_set_created_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_benchmark_set_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_set")),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_benchmark_set_workspace_id_name")),
    )
    op.create_index(op.f("ix_benchmark_set_workspace_id"), "benchmark_set", ["workspace_id"], unique=False)
    op.create_table(
        "benchmark_item",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("benchmark_set_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("grams", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("bands", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["benchmark_set_id"],
            ["benchmark_set.id"],
            name=op.f("fk_benchmark_item_benchmark_set_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_benchmark_item_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_item")),
        sa.UniqueConstraint("benchmark_set_id", "position", name=op.f("uq_benchmark_item_benchmark_set_id_position")),
    )
    op.create_index(
        "ix_benchmark_item_bands",
        "benchmark_item",
        ["bands"],
        unique=False,
        postgresql_using="gin",
        postgresql_with=_AT_ONCE,
    )
    op.create_index(
        "ix_benchmark_item_grams",
        "benchmark_item",
        ["grams"],
        unique=False,
        postgresql_using="gin",
        postgresql_with=_AT_ONCE,
    )
    op.create_index(op.f("ix_benchmark_item_workspace_id"), "benchmark_item", ["workspace_id"], unique=False)
    op.create_table(
        "run_benchmark",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("benchmark_set_id", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["benchmark_set_id"],
            ["benchmark_set.id"],
            name=op.f("fk_run_benchmark_benchmark_set_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_benchmark_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_run_benchmark_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "benchmark_set_id", name=op.f("pk_run_benchmark")),
    )
    op.create_index(op.f("ix_run_benchmark_benchmark_set_id"), "run_benchmark", ["benchmark_set_id"], unique=False)
    op.create_index(op.f("ix_run_benchmark_workspace_id"), "run_benchmark", ["workspace_id"], unique=False)
    op.create_table(
        "run_check",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('running', 'done')", name=op.f("ck_run_check_state")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_check_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_run_check_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_check")),
    )
    op.create_index(op.f("ix_run_check_workspace_id"), "run_check", ["workspace_id"], unique=False)
    op.create_table(
        "overlap",
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("benchmark_set_id", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("benchmark_item_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("grams", sa.Integer(), nullable=False),
        sa.Column("similarity", sa.Double(), nullable=True),
        sa.Column("passage", sa.Text(), nullable=False),
        sa.CheckConstraint("kind in ('text', 'code')", name=op.f("ck_overlap_kind")),
        sa.ForeignKeyConstraint(
            ["benchmark_item_id"], ["benchmark_item.id"], name=op.f("fk_overlap_benchmark_item_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["benchmark_set_id"], ["benchmark_set.id"], name=op.f("fk_overlap_benchmark_set_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["variant_id"], ["variant.id"], name=op.f("fk_overlap_variant_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_overlap_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("variant_id", "benchmark_set_id", name=op.f("pk_overlap")),
    )
    op.create_index(op.f("ix_overlap_benchmark_item_id"), "overlap", ["benchmark_item_id"], unique=False)
    op.create_index(op.f("ix_overlap_benchmark_set_id"), "overlap", ["benchmark_set_id"], unique=False)
    op.create_index(op.f("ix_overlap_workspace_id"), "overlap", ["workspace_id"], unique=False)
    op.create_table(
        "sketch",
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("branch", sa.Integer(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("bands", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("constructs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.id"], name=op.f("fk_sketch_chain_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_sketch_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["variant_id"], ["variant.id"], name=op.f("fk_sketch_variant_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_sketch_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("variant_id", name=op.f("pk_sketch")),
    )
    op.create_index(
        "ix_sketch_bands", "sketch", ["bands"], unique=False, postgresql_using="gin", postgresql_with=_AT_ONCE
    )
    op.create_index(op.f("ix_sketch_chain_id"), "sketch", ["chain_id"], unique=False)
    op.create_index(op.f("ix_sketch_run_id"), "sketch", ["run_id"], unique=False)
    op.create_index(op.f("ix_sketch_workspace_id"), "sketch", ["workspace_id"], unique=False)
    op.add_column("variant", sa.Column("near_of", sa.BigInteger(), nullable=True))
    op.add_column("variant", sa.Column("near_similarity", sa.Double(), nullable=True))
    op.add_column("variant", sa.Column("known_of", sa.BigInteger(), nullable=True))
    op.add_column("variant", sa.Column("known_similarity", sa.Double(), nullable=True))
    op.add_column("variant", sa.Column("contaminated", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(
        "ix_variant_known_of", "variant", ["known_of"], unique=False, postgresql_where="known_of is not null"
    )
    op.create_index("ix_variant_near_of", "variant", ["near_of"], unique=False, postgresql_where="near_of is not null")
    op.create_foreign_key(op.f("fk_variant_known_of"), "variant", "variant", ["known_of"], ["id"], ondelete="SET NULL")
    op.create_foreign_key(op.f("fk_variant_near_of"), "variant", "variant", ["near_of"], ["id"], ondelete="SET NULL")
    _cover(_MARKS_COVERED)


def downgrade() -> None:
    _cover(_COVERED)
    op.drop_constraint(op.f("fk_variant_near_of"), "variant", type_="foreignkey")
    op.drop_constraint(op.f("fk_variant_known_of"), "variant", type_="foreignkey")
    op.drop_index("ix_variant_near_of", table_name="variant", postgresql_where="near_of is not null")
    op.drop_index("ix_variant_known_of", table_name="variant", postgresql_where="known_of is not null")
    op.drop_column("variant", "contaminated")
    op.drop_column("variant", "known_similarity")
    op.drop_column("variant", "known_of")
    op.drop_column("variant", "near_similarity")
    op.drop_column("variant", "near_of")
    op.drop_index(op.f("ix_sketch_workspace_id"), table_name="sketch")
    op.drop_index(op.f("ix_sketch_chain_id"), table_name="sketch")
    op.drop_index(op.f("ix_sketch_run_id"), table_name="sketch")
    op.drop_index("ix_sketch_bands", table_name="sketch", postgresql_using="gin")
    op.drop_table("sketch")
    op.drop_index(op.f("ix_overlap_workspace_id"), table_name="overlap")
    op.drop_index(op.f("ix_overlap_benchmark_set_id"), table_name="overlap")
    op.drop_index(op.f("ix_overlap_benchmark_item_id"), table_name="overlap")
    op.drop_table("overlap")
    op.drop_index(op.f("ix_run_check_workspace_id"), table_name="run_check")
    op.drop_table("run_check")
    op.drop_index(op.f("ix_run_benchmark_workspace_id"), table_name="run_benchmark")
    op.drop_index(op.f("ix_run_benchmark_benchmark_set_id"), table_name="run_benchmark")
    op.drop_table("run_benchmark")
    op.drop_index(op.f("ix_benchmark_item_workspace_id"), table_name="benchmark_item")
    op.drop_index("ix_benchmark_item_grams", table_name="benchmark_item", postgresql_using="gin")
    op.drop_index("ix_benchmark_item_bands", table_name="benchmark_item", postgresql_using="gin")
    op.drop_table("benchmark_item")
    op.drop_index(op.f("ix_benchmark_set_workspace_id"), table_name="benchmark_set")
    op.drop_table("benchmark_set")
