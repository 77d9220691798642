"""Inside a container that forbids namespaces, as Docker's default profile does: weaker by name, and no less closed."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

from app import registry

SETRESUID = 147 if platform.machine() == "aarch64" else 117
INSIDE = """
import asyncio, errno, json, os, sys
from app import registry
from app.domain.ports import Call, Program
from app.sandboxes.forkserver import kernel, seccomp

if os.geteuid() != 0: kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
names = json.loads(sys.argv[2])
if names == ["user namespaces"]:
    users = [(0x15, 0, 3, kernel.number("unshare")), (0x20, 0, 0, 16), (0x45, 0, 1, 0x10000000), (0x06, 0, 0, 0x50001)]
    seccomp.Filter([(0x20, 0, 0, 0), *users, (0x06, 0, 0, 0x7fff0000)]).install()
    names = []
refused = [name if type(name) is int else kernel.number(name) for name in names]
checks = [(0x15, len(refused) - place, 0, number) for place, number in enumerate(refused)]
seccomp.Filter([(0x20, 0, 0, 0), *checks, (0x06, 0, 0, 0x7fff0000), (0x06, 0, 0, 0x50000 | errno.EPERM)]).install()

async def main():
    async with registry.sandbox(sys.argv[1]).open() as sandbox:
        source = "import sys\\ndef f(x): return x\\ndef g(): return open('/etc/passwd').read()"
        execution = await sandbox.run(Program(source, (Call("f", (1,)), Call("g", ()))))
        print(sandbox.isolation, execution.outcomes[0].value, execution.outcomes[1].error)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("refused", "level"),
    [
        (["unshare", "mount", "setns", "pivot_root"], "contained"),
        (["user namespaces"], "full" if os.geteuid() == 0 else "contained"),
        (["mount"], "contained"),
        ([SETRESUID, "unshare"], "contained"),
        (["pivot_root"], "contained"),
        (["unshare", "landlock_create_ruleset"], "filtered"),
        (["unshare", "landlock_restrict_self"], "filtered"),
        (["landlock_create_ruleset"], "contained"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", registry.sandboxes())
def test_level_is_what_the_container_lets_us_have(name: str, refused: list[str | int], level: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", INSIDE, name, json.dumps(refused)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.stdout.split() == [level, "1", "PermissionError"], finished.stderr
