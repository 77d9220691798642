"""Brings a database to the newest schema. Safe to call from several processes at once."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from app.db import named_errors

# One number for this project's migrations among the advisory locks of a shared server.
_LOCK = 7_216_041


def config(database_url: str) -> Config:
    """Alembic's configuration, in code: there is no ini file to keep in step."""
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).resolve().parent.parent / "migrations"))
    alembic.attributes["database_url"] = database_url
    return alembic


def upgrade(database_url: str) -> None:
    """Runs the missing migrations, one process at a time and each a transaction. Raises as `unit_of_work` does."""
    engine = create_engine(database_url)
    try:
        with named_errors(), engine.connect() as connection:
            connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": _LOCK})
            try:
                command.upgrade(config(database_url), "head")
            finally:
                connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})
    finally:
        engine.dispose()


def revisions(database_url: str) -> tuple[str, str]:
    """(the schema that the database has, the newest one); "none" before the first migration."""
    newest = ScriptDirectory.from_config(config(database_url)).get_current_head()
    engine = create_engine(database_url)
    try:
        with named_errors(), engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return current or "none", newest or "none"


if __name__ == "__main__":  # for deployments: `python -m app.migrate` before the new code starts
    from app.config import settings

    upgrade(settings().database_url or sys.exit("Set DATABASE_URL to the database to migrate."))
