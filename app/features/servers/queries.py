"""Names of the runs that use servers."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from app.db import Session
from app.models import Run


def run_names(session: Session, workspace_id: int, ids: Collection[int]) -> dict[int, str]:
    rows = session.execute(select(Run.id, Run.name).where(Run.workspace_id == workspace_id, Run.id.in_(ids)))
    return {row.id: row.name for row in rows}
