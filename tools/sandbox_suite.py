"""The sandbox's whole suite, at every level, on every Python from 3.11 on that is installed; root runs it as an
ordinary user too. `sandbox_suite.py 3.12` takes one version alone; what follows goes to pytest.

A Python is one of the machine's (PATH, pyenv, uv); none is downloaded. SOAK_RUNS is the length of the soak test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from toolbox import ROOT, Toolbox, fail

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
PACKAGES = ("pytest", "pytest-asyncio", "pytest-timeout", "psutil", "hypothesis", "pydantic", "pydantic-settings")
SUITE = ("tests/contracts/sandboxes", "tests/sandboxes")
ORDINARY_ID = 64_998
HOME = ROOT / "build" / "sandbox"


def main() -> None:
    one = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] in VERSIONS else ""
    options = sys.argv[2 if one else 1 :]
    summary: dict[str, str] = {}
    for version in [one] if one else VERSIONS:
        pythons = installed(version)
        if not pythons:
            summary[version] = "not installed"
            continue
        summary[f"{version}, as {os.environ.get('USER') or 'this user'}"] = run(version, pythons[0], options, None)
        if os.geteuid() == 0:
            open_to_all = [python for python in pythons if usable(python, ORDINARY_ID)]
            summary[f"{version}, as an ordinary user"] = (
                run(f"{version}-ordinary", open_to_all[0], options, ORDINARY_ID)
                if open_to_all
                else "no interpreter that an ordinary user may run"
            )
    print("\n" + "\n".join(f"Python {name}: {outcome}" for name, outcome in summary.items()))
    if "failed" in summary.values():
        fail("The sandbox's suite failed: see above.")
    if "passed" not in summary.values():
        fail("No Python could run the sandbox's suite.")


def installed(version: str) -> list[str]:
    """Interpreters of this version, without pyenv's shims, which may lead to none."""
    places = [
        *os.environ.get("PATH", "").split(os.pathsep),
        *sorted(map(str, Path.home().glob(".pyenv/versions/*/bin"))),
    ]
    places += sorted(map(str, Path.home().glob(".local/share/uv/python/*/bin")))
    found = (shutil.which(f"python{version}", path=place) for place in dict.fromkeys(places) if "shims" not in place)
    real = dict.fromkeys(os.path.realpath(python) for python in found if python)
    return [python for python in real if usable(python, None)]


def usable(python: str, user: int | None) -> bool:
    try:
        return subprocess.run([python, "-c", "import ctypes, ssl"], **identity(user), check=False).returncode == 0
    except OSError:
        return False


def identity(user: int | None) -> dict[str, object]:
    return {} if user is None else {"user": user, "group": user, "extra_groups": [], "cwd": "/"}


def run(name: str, python: str, options: list[str], user: int | None) -> str:
    """Installs what the suite needs, apart from the application's own packages, and runs it."""
    print(f"\nPython {name}: {python}", flush=True)
    tools, home = Toolbox(), HOME / name
    tools.uv("venv", "--quiet", "--clear", "--python", python, home)
    tools.uv("pip", "install", "--quiet", "--python", home, "--constraint", "requirements-dev.lock", *PACKAGES)
    finished = subprocess.run(
        [home / "bin" / "python", "-B", "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--rootdir", ROOT,
         "--config-file", ROOT / "pyproject.toml", "--confcutdir", ROOT / SUITE[0], *(ROOT / part for part in SUITE),
         *options],
        **{"cwd": ROOT, **identity(user)},
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": f"/tmp/cairn-hypothesis-{name}", "PYTHONPATH": str(ROOT)},  # noqa: S108
        check=False,
    )  # fmt: skip
    return "passed" if finished.returncode == 0 else "failed"


if __name__ == "__main__":
    main()
