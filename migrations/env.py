"""Alembic's entry: online only, one transaction per migration, and a bound on the wait for locks."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from app.models import Base
from app.models.base import PlainText


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """Writes our own column types as what the database sees, so that old migrations never import the application."""
    return "sa.Text()" if kind == "type" and isinstance(item, PlainText) else False


def run() -> None:
    engine = create_engine(context.config.attributes["database_url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        # A migration that waits for a table lock holds up every query behind it: better to fail and be run again.
        connection.execute(text("set lock_timeout = '5s'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            render_item=render_item,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
