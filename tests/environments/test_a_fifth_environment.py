"""One folder, one folder of prompts, nothing else edited: a new environment is found, told to models, and verified."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIFTH = Path(__file__).parent / "fifth"


def test_a_fifth_environment_is_one_folder_and_its_prompts(tmp_path: Path) -> None:
    """In a copy of the project that has both folders added, the contract suite of environments covers it."""
    ignore = shutil.ignore_patterns("__pycache__")
    for part in ("app", "templates/prompts", "tests/contracts"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(FIFTH / "environments" / "arithmetic", tmp_path / "app/environments/arithmetic", ignore=ignore)
    shutil.copytree(FIFTH / "prompts" / "arithmetic", tmp_path / "templates/prompts/arithmetic")

    suite = [
        sys.executable,
        "-m",
        "pytest",
        "tests/contracts/test_environments.py",
        "-k",
        "arithmetic",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    result = subprocess.run(suite, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
    assert int(result.stdout.rsplit("\n", 2)[-2].split(" passed")[0]) >= 20
