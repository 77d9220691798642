"""The migrations make exactly the tables that the models describe."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, text

from app.migrate import config, revisions, upgrade
from app.models import Base


def test_migrations_match_the_models(database: str) -> None:
    engine = create_engine(database, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    assert len(set(revisions(database))) == 1


def test_migrations_go_down_and_up_again(database: str) -> None:
    command.downgrade(config(database), "base")
    engine = create_engine(database, poolclass=NullPool)
    with engine.connect() as connection:
        left = connection.execute(text("select tablename from pg_tables where schemaname = 'public'")).scalars().all()
    assert left == ["alembic_version"]
    upgrade(database)
    assert len(set(revisions(database))) == 1


def test_a_second_upgrade_changes_nothing(database: str) -> None:
    before = revisions(database)
    upgrade(database)
    assert revisions(database) == before
