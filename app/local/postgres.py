"""PostgreSQL under the data folder, reached by a Unix socket that only this user can open."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from app.errors import StorageFull, Unavailable
from app.local import binaries, launch
from app.local.supervisor import Service

_USER = _DATABASE = "cairn"
_INITDB = (
    *("--username", _USER, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),  # sorts alike on every machine
)
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "500",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def url(sockets: Path) -> str:
    return f"postgresql+psycopg://{_USER}@/{_DATABASE}?host={sockets}"


async def identity() -> str:
    """As whom PostgreSQL runs. It refuses root, who therefore needs a user namespace or another user."""
    if os.geteuid() != 0:
        return launch.SAME
    for candidate in (launch.MAPPED, launch.NOBODY):
        status, _ = await _run(candidate, binaries.postgres("postgres"), "--version")
        if status == 0:
            return candidate
    raise Unavailable(
        "PostgreSQL refuses to run as root, and this machine lets root neither map nor change its user.",
        remedy="Run cairn as an ordinary user, or set DATABASE_URL to a server of your own.",
    )


async def prepare(data: Path, runs_as: str, *, durable: bool = True) -> None:
    """Makes the cluster unless it is there, all or nothing, and clears away what a killed server left."""
    if (data / "PG_VERSION").exists():
        await _check_version(data)
    else:
        await _create(data, runs_as, durable=durable)
    _give_to(data, launch.NOBODY_ID if runs_as == launch.NOBODY else os.geteuid())
    # The number in it may be another process by now, and the server would refuse to start. The caller owns the folder
    # and has ended every server on it.
    (data / "postmaster.pid").unlink(missing_ok=True)


def service(data: Path, sockets: Path, runs_as: str, *, durable: bool = True) -> Service:
    settings = _SETTINGS | ({} if durable else _THROWAWAY)
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]

    async def ready() -> bool:
        """As pg_ctl finds out: by the status that the server writes into its pid file."""
        try:
            return (data / "postmaster.pid").read_text().splitlines()[7].startswith("ready")
        except (FileNotFoundError, IndexError):
            return False

    return Service(
        "postgres",
        [binaries.postgres("postgres"), "-D", data, "-k", sockets, *options],
        environment=_environment(),
        ready=ready,
        ready_within_s=300.0,  # after a crash it replays its log first
        stop=signal.SIGINT,  # "fast": ends connections, keeps all that was committed
        grace_s=3.5,
        orphaned=signal.SIGINT,
        identity=runs_as,
    )


async def _create(data: Path, runs_as: str, *, durable: bool) -> None:
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    sync = () if durable else ("--no-sync",)
    status, output = await _run(runs_as, binaries.postgres("initdb"), "-D", fresh, *_INITDB, *sync)
    if status == 0:
        single = ("--single", "-D", fresh, "postgres")
        status, output = await _run(
            runs_as, binaries.postgres("postgres"), *single, script=f"create database {_DATABASE}\n"
        )
    if status != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        if "No space left on device" in output:
            raise StorageFull(f"There is no room for a database in {data.parent}.", remedy="Free disk space.")
        raise Unavailable(f"PostgreSQL could not make its files in {data}:\n{output.strip()}")
    fresh.rename(data)


async def _check_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    _, output = await _run(launch.SAME, binaries.postgres("postgres"), "--version")
    ours = output.split()[-1].split(".")[0]
    if found != ours:
        raise Unavailable(
            f"{data} was made by PostgreSQL {found}; this is {ours}, which can't read it.",
            remedy="Move that folder away for a fresh start, or serve it with its own version and set DATABASE_URL.",
        )


async def _run(runs_as: str, program: Path, *arguments: str | Path, script: str = "") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *launch.prefix(signal.SIGKILL, runs_as),
        *map(str, (program, *arguments)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        env=_environment(),
    )
    try:
        output, _ = await process.communicate(script.encode())
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()  # which closes the pipes
    return process.returncode or 0, output.decode(errors="replace")


def _environment() -> dict[str, str]:
    """Without the user's own PostgreSQL settings, which the server's programs would obey."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _give_to(data: Path, user: int) -> None:
    if data.stat().st_uid == user:
        return
    try:
        for folder, _, files in os.walk(data):
            for name in (".", *files):
                os.chown(Path(folder, name), user, -1, follow_symlinks=False)
    except PermissionError as error:
        raise Unavailable(
            f"{data} belongs to another user.", remedy=f"Start cairn as that user, or: chown -R {user} {data}"
        ) from error
