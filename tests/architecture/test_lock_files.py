"""Lock files hold versions and hashes for all that is asked for, and no address of any registry."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUN, DEV, TOOLS = "requirements.lock", "requirements-dev.lock", "tools/requirements.lock"
REMEDY = "run `make lock`"


def locked(name: str) -> dict[str, tuple[str, str]]:
    """Package name -> (version, the rest of its entry: markers and hashes)."""
    entries = (ROOT / name).read_text().replace("\\\n", " ")
    found = re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)(.*)$", entries, re.MULTILINE)
    return {canonicalize_name(package): (version, rest) for package, version, rest in found}


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (RUN, PROJECT["dependencies"]),
        (DEV, PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]),
        (
            TOOLS,
            [line for line in (ROOT / "tools/requirements.in").read_text().splitlines() if not line.startswith("#")],
        ),
    ],
)
def test_lock_answers_what_is_asked_for(lock: str, wanted: list[str]) -> None:
    found = locked(lock)
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        assert name in found, f"{requirement.name} is not in {lock}: {REMEDY}"
        assert found[name][0] in requirement.specifier, f"{lock} holds another {requirement.name}: {REMEDY}"


def test_tests_run_on_the_versions_that_users_get() -> None:
    run, dev = ({name: version for name, (version, _) in locked(lock).items()} for lock in (RUN, DEV))
    assert run.items() <= dev.items(), REMEDY


@pytest.mark.parametrize("lock", [RUN, DEV, TOOLS])
def test_every_package_is_pinned_by_hash(lock: str) -> None:
    assert [name for name, (_, rest) in locked(lock).items() if "--hash=sha256:" not in rest] == []


@pytest.mark.parametrize("lock", [RUN, DEV, TOOLS, "package-lock.json"])
def test_no_lock_file_names_an_address(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text(), REMEDY


def test_npm_packages_are_exact_and_hashed() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        for name, version in package[kind].items():
            assert lock[f"node_modules/{name}"]["version"] == version, REMEDY
    assert [path for path, entry in lock.items() if path and not entry["integrity"].startswith("sha512-")] == []
