"""The databases on one folder: what survives, who may use it, and what a user is told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from app.errors import Conflict, Unavailable
from app.local import leftovers
from app.local.stack import LocalStack, services

# Holds a stack until it is killed; says on its standard output what it started.
HOLDER = """
import asyncio, pathlib, sys
from app.local.stack import LocalStack

async def main():
    async with LocalStack(pathlib.Path(sys.argv[1])) as stack:
        print(stack.database_url, *stack.supervisor.pids.values(), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def valkey(stack: LocalStack) -> redis.Redis:
    return redis.Redis.from_url(stack.redis_url.replace("redis+socket", "unix"))


async def test_data_survive_a_restart(tmp_path: Path) -> None:
    async with LocalStack(tmp_path) as stack:
        with connect(stack.database_url) as database:
            database.execute("create table kept as select 42 as number")
        with valkey(stack) as broker:
            broker.set("kept", "42")
    async with LocalStack(tmp_path) as stack:
        with connect(stack.database_url) as database:
            assert database.execute("select number from kept").fetchone() == (42,)
        with valkey(stack) as broker:
            assert broker.get("kept") == b"42"


async def test_sorts_text_alike_on_every_machine(tmp_path: Path) -> None:
    async with LocalStack(tmp_path, durable=False) as stack:
        with connect(stack.database_url) as database:
            row = database.execute(
                "select datcollate, datlocale, pg_encoding_to_char(encoding), current_setting('timezone') "
                "from pg_database where datname = current_database()"
            ).fetchone()
    assert row == ("C", "C.UTF-8", "UTF8", "UTC")


async def test_is_out_of_reach_of_other_users_and_of_the_network(tmp_path: Path) -> None:
    async with LocalStack(tmp_path, durable=False) as stack:
        folder = Path(stack.redis_url.removeprefix("redis+socket://")).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        for pid in stack.supervisor.pids.values():
            assert [c for c in psutil.Process(pid).net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
    assert not folder.exists()


async def test_committed_rows_survive_when_postgres_is_killed(tmp_path: Path) -> None:
    async with LocalStack(tmp_path) as stack:
        with connect(stack.database_url) as database:
            database.execute("create table kept as select generate_series(1, 10000) as number")
        with pytest.raises(Unavailable, match="postgres was ended by SIGKILL"):
            await stack.supervisor.guard(kill(stack.supervisor.pids["postgres"]))
    async with LocalStack(tmp_path) as stack:
        with connect(stack.database_url) as database:
            assert database.execute("select count(*) from kept").fetchone() == (10000,)


async def kill(pid: int) -> None:
    psutil.Process(pid).kill()
    await asyncio.Event().wait()


async def test_nothing_outlives_a_killed_owner_and_the_next_one_starts_at_once(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as holder:  # noqa: ASYNC220
        assert holder.stdout
        url, *pids = holder.stdout.readline().split()
        left = [psutil.Process(int(pid)) for pid in pids]
        left += [child for process in left for child in process.children(recursive=True)]
        with connect(url) as database:
            database.execute("create table kept as select 42 as number")
        holder.kill()
    async with LocalStack(tmp_path) as stack:  # while the old servers may still be on their way out
        with connect(stack.database_url) as database:
            assert database.execute("select number from kept").fetchone() == (42,)
    assert psutil.wait_procs(left, timeout=10)[1] == []


def test_ends_servers_that_did_not_hear_of_their_owners_death(tmp_path: Path) -> None:
    """As after a kill of everything at once: only the marks they carry tell whose they are."""
    folder = tmp_path.resolve()
    (folder / "postgres").mkdir()
    marked = {**os.environ, leftovers.MARK: str(folder)}
    with waiting(cwd=folder / "postgres") as database, waiting(env=marked) as worker, waiting() as stranger:
        leftovers.end_all(folder)
        assert [psutil.pid_exists(process.pid) for process in (database, worker, stranger)] == [False, False, True]


@contextmanager
def waiting(**options: Any) -> Iterator[subprocess.Popen[bytes]]:
    code = "import time; print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, **options) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield process
        finally:
            process.kill()


async def test_a_stale_pid_file_does_not_stop_the_server(tmp_path: Path) -> None:
    """After a reboot its number belongs to somebody else, and PostgreSQL alone would refuse to start."""
    async with LocalStack(tmp_path, durable=False):
        pass
    (tmp_path / "postgres" / "postmaster.pid").write_text(
        f"{os.getppid()}\n{tmp_path}/postgres\n1\n5432\n\n\n\nready\n"
    )
    async with LocalStack(tmp_path, durable=False) as stack:
        with connect(stack.database_url) as database:
            assert database.execute("select 1").fetchone() == (1,)


async def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    async with LocalStack(tmp_path, durable=False):
        assert not (tmp_path / "postgres.new").exists()


async def test_data_of_another_version_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("14\n")
    with pytest.raises(Unavailable, match="made by PostgreSQL 14; this is 18"):
        async with LocalStack(tmp_path):
            pass


async def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    async with services(tmp_path) as own:
        with pytest.raises(Conflict, match=rf"already runs on .*process {own.pid}\).*CAIRN_DATA_DIR"):
            async with LocalStack(tmp_path):
                pass


async def test_another_command_joins_and_is_waited_for(tmp_path: Path) -> None:
    joined, leave = asyncio.Event(), asyncio.Event()

    async def guest() -> None:
        async with services(tmp_path) as serving:
            joined.set()
            await leave.wait()
            with connect(serving.database_url) as database:
                database.execute("select 1")

    async with services(tmp_path) as own:
        visit = asyncio.create_task(guest())
        await joined.wait()
        asyncio.get_running_loop().call_later(0.5, leave.set)
    await visit
    async with services(tmp_path) as again:  # the folder is free again, its address the same
        assert again.database_url == own.database_url


async def test_given_servers_are_used_as_they_are(tmp_path: Path) -> None:
    async with LocalStack(tmp_path / "a", durable=False) as existing:
        async with LocalStack(
            tmp_path / "b", database_url=existing.database_url, redis_url=existing.redis_url
        ) as borrowing:
            assert borrowing.supervisor.pids == {}
            assert borrowing.database_url == existing.database_url
        async with LocalStack(tmp_path / "c", database_url=existing.database_url) as mixed:
            assert set(mixed.supervisor.pids) == {"valkey"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"database_url": "postgresql+psycopg://a@127.0.0.1:9/none"}, "DATABASE_URL: no PostgreSQL answers there"),
        ({"redis_url": "redis://127.0.0.1:9/0"}, "REDIS_URL: no Redis or Valkey answers there"),
        ({"redis_url": "nonsense"}, "REDIS_URL: no Redis or Valkey answers there"),
    ],
)
async def test_a_given_server_that_does_not_answer_is_named(
    tmp_path: Path, given: dict[str, str], message: str
) -> None:
    with pytest.raises(Unavailable, match=message):
        async with LocalStack(tmp_path, **given):
            pass


async def test_a_folder_that_cannot_be_written_is_named_with_a_remedy() -> None:
    with pytest.raises(Unavailable, match=r"/sys/cairn can't be written: .*CAIRN_DATA_DIR"):
        async with LocalStack(Path("/sys/cairn")):
            pass


async def test_a_file_in_its_place_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="is no folder"):
        async with LocalStack(tmp_path / "file"):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user to run PostgreSQL as")
async def test_root_needs_no_user_namespace(tmp_path: Path) -> None:
    """Where none may be made, root changes to nobody; and a later start with one still finds its data."""
    with subprocess.Popen([sys.executable, "-c", CONFINED + HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as it:  # noqa: ASYNC220
        try:
            assert it.stdout
            url = it.stdout.readline().split()[0]
            with connect(url) as database:
                database.execute("create table kept as select 42 as number")
            assert (tmp_path / "postgres").stat().st_uid == 65534
        finally:
            it.kill()
    async with LocalStack(tmp_path) as stack:
        assert (tmp_path / "postgres").stat().st_uid == 0
        with connect(stack.database_url) as database:
            assert database.execute("select number from kept").fetchone() == (42,)


# Goes on in a user namespace with all of root's rights in it but that of making further ones.
CONFINED = """
import ctypes, os
inside, outside = os.pipe(), os.pipe()
parent = os.getpid()
if os.fork() == 0:
    os.read(inside[0], 1)
    for kind in ("uid_map", "gid_map"):
        with open(f"/proc/{parent}/{kind}", "w") as file:
            file.write("0 0 65536")
    os.write(outside[1], b".")
    os._exit(0)
assert ctypes.CDLL(None).unshare(0x10000000) == 0  # CLONE_NEWUSER
os.write(inside[1], b".")
os.read(outside[0], 1)
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
"""
