"""tools/python finds an interpreter that this project supports, or says what to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "python"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with a shell and nothing else."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    return tmp_path


def interpreter(folder: Path, name: str, minor: int, modules: str = "ensurepip ssl venv") -> None:
    """A stand-in that answers as Python 3.`minor` with these modules would, and tells when it is chosen."""
    program = folder / name
    program.write_text(
        f"""#!/bin/sh
case "$2" in
    *version_info*) [ {minor} -ge 11 ] && [ {minor} -le 14 ] ;;
    import*) for module in $(echo "${{2#import}}" | tr -d ,); do
                 case " {modules} " in *" $module "*) ;; *) exit 1 ;; esac
             done ;;
    *) echo "{name} $*" ;;
esac
"""
    )
    program.chmod(0o755)


def run(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    for tool in ("echo", "tr"):
        (path / tool).exists() or (path / tool).symlink_to(f"/usr/bin/{tool}")
    return subprocess.run(
        [SCRIPT, "setup.py", "run"], env={"PATH": str(path), **variables}, capture_output=True, text=True, check=False
    )


def test_takes_the_newest(path: Path) -> None:
    for minor in (10, 11, 13, 15):
        interpreter(path, f"python3.{minor}", minor)
    assert run(path).stdout == "python3.13 setup.py run\n"


def test_prefers_one_that_can_make_environments(path: Path) -> None:
    interpreter(path, "python3.13", 13, modules="ssl")
    interpreter(path, "python3.11", 11)
    assert run(path).stdout == "python3.11 setup.py run\n"


def test_takes_one_without_venv_where_there_is_no_other(path: Path) -> None:
    interpreter(path, "python3", 12, modules="ssl")
    assert run(path).stdout == "python3 setup.py run\n"


def test_says_what_to_install(path: Path) -> None:
    interpreter(path, "python3", 9)
    outcome = run(path)
    assert outcome.returncode == 1
    assert "apt install python3 python3-venv" in outcome.stderr


def test_takes_the_one_that_is_named(path: Path) -> None:
    interpreter(path, "python3.13", 13)
    interpreter(path, "mine", 11)
    assert run(path, PYTHON=str(path / "mine")).stdout == "mine setup.py run\n"


def test_refuses_a_named_one_that_is_too_old(path: Path) -> None:
    interpreter(path, "mine", 10)
    outcome = run(path, PYTHON=str(path / "mine"))
    assert outcome.returncode == 1
    assert "no Python from 3.11 to 3.14" in outcome.stderr


def test_runs_for_real() -> None:
    outcome = subprocess.run(
        [SCRIPT, "-c", "import sys; print(sys.version_info >= (3, 11))"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert outcome.stdout == "True\n"
