"""The migrations make exactly the tables that the models describe."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, text

from app.db import unit_of_work
from app.features.runs.ledger_check import check
from app.features.runs.statements import SPENT
from app.migrate import config, revisions, upgrade
from app.models import Base, Chain, Embedding, Growth, ModelProfile, Run, Variant
from tests.support import builders


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


def test_models_that_embed_go_with_their_vectors(database: str) -> None:
    with unit_of_work() as session:
        actor = builders.owner(session)
        builders.embeddings(session, actor, builders.grown_run(session, actor, chains=1))
    command.downgrade(config(database), "0006")
    upgrade(database)
    with unit_of_work() as session:
        assert {profile.role for profile in session.query(ModelProfile)} == {"teacher", "student"}
        assert session.query(Embedding).count() == 0


def test_a_second_upgrade_changes_nothing(database: str) -> None:
    before = revisions(database)
    upgrade(database)
    assert revisions(database) == before


def test_what_runs_had_spent_before_it_was_kept_is_counted(database: str) -> None:
    with unit_of_work() as session:
        actor = builders.owner(session)
        run = builders.grown_run(session, actor, chains=2)
        origin = session.query(Variant).where(Variant.run_id == run.id, Variant.invalid_code.is_(None)).first()
        assert origin is not None
        asked = builders.growth(session, actor, origin)
        home = session.get_one(Chain, origin.chain_id)
        builders.variant(session, home, turn=9, branch=asked.first_branch, parent=origin, asked=asked)
    command.downgrade(config(database), "0002")
    upgrade(database)
    with unit_of_work() as session:
        report = check(session, session.get_one(Run, run.id))
        assert [problem for problem in report.problems if "stand as spent" in problem] == []
        for name in SPENT:
            assert sum(getattr(chain, name) for chain in session.query(Chain)) > 0
        assert session.query(Growth).one().teacher_completion_tokens > 0
