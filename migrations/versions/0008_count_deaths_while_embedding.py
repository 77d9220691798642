"""Count the workers in a row that died while they embedded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_embedding", sa.Column("deaths", sa.Integer(), server_default="0", nullable=False))
    op.alter_column("run_embedding", "deaths", server_default=None)


def downgrade() -> None:
    op.drop_column("run_embedding", "deaths")
