"""What an operator starts from: docker-compose.yml, its secrets, its limits, and the seccomp profile of the workers."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import validators

from app.config import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"\w+=", line)
)
SECRETS = {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
OURS = {"web", "worker", "beat", "migrate", "gpu-worker"}
MODEL_SERVERS = {"teacher", "student"}  # another project's image, which writes its caches and runs as its own user

each_service = pytest.mark.parametrize("name", SERVICES)


def test_keeps_the_compose_schema() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    errors = validators.validator_for(schema)(schema).iter_errors(COMPOSE)
    assert [error.message for error in errors] == []


def test_has_every_part_and_keeps_gpus_behind_their_profile() -> None:
    assert set(SERVICES) == OURS | MODEL_SERVERS | {"postgres", "redis"}
    behind = {name for name, service in SERVICES.items() if service.get("profiles") == ["gpu"]}
    assert behind == {"gpu-worker"} | MODEL_SERVERS


@each_service
def test_runs_with_least_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "devices", "pid", "network_mode"} & set(service)
    if name not in MODEL_SERVERS:
        assert service["read_only"] is True
        assert service["user"] not in ("root", "0")


@each_service
def test_is_bounded_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert {"memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert service["logging"]["options"]["max-size"]
    if name == "migrate":
        assert service["restart"] == "on-failure:3"
    else:
        assert service["restart"] in ("unless-stopped", "always")
        assert service["healthcheck"]["test"]


@each_service
def test_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", SERVICES[name]["image"])


def test_our_image_carries_the_projects_version() -> None:
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert {SERVICES[name]["image"] for name in OURS} == {f"cairn:{version[1]}"}


def test_only_the_web_is_published_and_databases_have_no_way_out() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"web"}
    assert SERVICES["web"]["ports"] == ["${CAIRN_PUBLISH:-127.0.0.1:8000}:8000"]
    assert COMPOSE["networks"]["databases"] == {"internal": True}
    assert all(SERVICES[name]["networks"] == ["databases"] for name in ("postgres", "redis"))


def test_refuses_to_start_without_secrets() -> None:
    for name, how in re.findall(r"\$\{(\w+)([^}]*)\}", TEXT):
        assert name not in SECRETS or how.startswith(":?"), f"${{{name}}} must have no default, and not be empty"
    assert set(re.findall(r"\$\{(\w+):\?", TEXT)) >= SECRETS
    assert not any(EXAMPLE[name] for name in SECRETS)


def test_the_example_explains_what_is_asked_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", TEXT))
    assert set(EXAMPLE) <= asked | {"CAIRN_MODEL_KEY"}
    assert set(EXAMPLE) >= SECRETS


def test_sets_only_settings_that_exist() -> None:
    known = {f"CAIRN_{field.upper()}" for field in Settings.model_fields} | {"DATABASE_URL", "REDIS_URL"}
    for name in OURS:
        assert set(SERVICES[name]["environment"]) <= known | {"CAIRN_MODEL_KEY"}


def test_starts_what_exists() -> None:
    application, name = next(word for word in SERVICES["web"]["command"] if ":" in word).split(":")
    assert hasattr(importlib.import_module(application), name)
    assert SERVICES["migrate"]["command"][-1] == importlib.import_module("app.migrate").__name__


class TestSeccompProfile:
    profile = json.loads((ROOT / "deploy" / "seccomp.json").read_text())
    allowed = [name for rule in profile["syscalls"] for name in rule["names"]]

    def test_denies_what_it_does_not_name(self) -> None:
        assert self.profile["defaultAction"] == "SCMP_ACT_ERRNO"
        assert {rule["action"] for rule in self.profile["syscalls"]} == {"SCMP_ACT_ALLOW"}

    def test_lets_the_sandbox_build_namespaces(self) -> None:
        assert {"clone", "unshare", "mount", "umount2", "pivot_root", "seccomp", "landlock_restrict_self"} <= set(
            self.allowed
        )

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "add_key",
                "bpf",
                "delete_module",
                "finit_module",
                "init_module",
                "io_uring_setup",
                "kexec_load",
                "keyctl",
            ),
            *("open_by_handle_at", "perf_event_open", "process_vm_readv", "ptrace", "reboot", "setns", "settimeofday"),
            *("keyctl", "swapon", "userfaultfd"),
        ],
    )
    def test_denies_the_ways_to_the_host(self, name: str) -> None:
        assert name not in self.allowed

    def test_names_each_call_once(self) -> None:
        assert len(self.allowed) == len(set(self.allowed))

    def test_is_what_the_workers_use(self) -> None:
        for name in ("worker", "gpu-worker"):
            assert "seccomp:deploy/seccomp.json" in SERVICES[name]["security_opt"]
