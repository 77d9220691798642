"""What the documents say is what the code does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import reference

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", reference.PAGES)
def test_reference_pages_are_up_to_date(page: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == reference.PAGES[page](), "run `make docs`"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", README))))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    listed = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert listed.returncode == 0, listed.stderr


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^(?:\$ )?cairn ([a-z]+[^\n#]*)", README, re.MULTILINE))))
def test_every_cairn_command_of_the_readme_parses(line: str) -> None:
    """Each subcommand and each of its options is known to the command."""
    words = line.split()
    known = {"seeds": 2, "benchmarks": 2}
    subcommand = words[: known.get(words[0], 1)]
    shown = subprocess.run(
        [sys.executable, "-m", "app.cli", *subcommand, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert option in shown.stdout, f"cairn {' '.join(subcommand)} has no {option}"


@pytest.mark.parametrize(
    ("page", "target"),
    [
        (page.relative_to(ROOT).as_posix(), target)
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    ],
)
def test_links_between_documents_lead_somewhere(page: str, target: str) -> None:
    assert ((ROOT / page).parent / target).exists()


def test_the_readme_lists_every_setting_or_says_where() -> None:
    assert "docs/configuration.md" in README
