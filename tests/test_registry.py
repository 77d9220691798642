"""Plug-ins are found by their place, judged by their shape, and never silently left out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

import app.strategies
from app import registry
from app.errors import InvalidInput
from app.registry import BrokenPlugin

STRATEGY = """
    class Steady:
        name = "steady"
        title = "Steady"
        remembers = True

        def next(self, nodes, plan):
            return ()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second place on the strategies' search path."""
    monkeypatch.setattr(app.strategies, "__path__", [*app.strategies.__path__, str(tmp_path)])
    registry.forget()
    yield tmp_path
    registry.forget()
    for name in [name for name in sys.modules if name.startswith("app.strategies.steady")]:
        del sys.modules[name]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(dedent(text))


def test_every_family_is_found() -> None:
    assert list(registry.environments()) == ["abduction", "deduction", "fuzzing", "induction"]
    assert {"adaptive", "single_turn"} <= set(registry.strategies())
    for family in (registry.engines, registry.sandboxes, registry.exporters):
        for name, plugin in family().items():
            assert getattr(plugin, "name", name) == name


def test_a_plug_in_is_made_once() -> None:
    assert registry.environment("deduction") is registry.environment("deduction")


def test_an_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="abduction, deduction, fuzzing, induction") as caught:
        registry.environment("astrology")
    assert caught.value.field == "environment"


def test_a_new_file_is_a_new_plug_in(folder: Path) -> None:
    write(folder / "steady.py", STRATEGY)
    assert registry.strategy("steady").title == "Steady"


def test_a_new_folder_is_a_new_plug_in(folder: Path) -> None:
    write(folder / "steady" / "__init__.py", "from app.strategies.steady.rule import Steady")
    write(folder / "steady" / "rule.py", STRATEGY)
    assert registry.strategy("steady").title == "Steady"


def test_names_that_start_with_an_underscore_are_no_plug_ins(folder: Path) -> None:
    write(folder / "_shared.py", "raise AssertionError('imported')")
    assert "_shared" not in registry.strategies()


def test_imported_classes_do_not_count(folder: Path) -> None:
    write(folder / "steady.py", f"from app.strategies.adaptive import Adaptive\n{dedent(STRATEGY)}")
    assert registry.strategy("steady").title == "Steady"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("x = 1", "holds no Strategy. Write a class there with: name, next, remembers, title", id="none"),
        pytest.param(STRATEGY.replace("next", "later"), "holds no Strategy. Steady lacks: next", id="incomplete"),
        pytest.param(STRATEGY.replace("class S", "class _S"), "holds no Strategy", id="private"),
        pytest.param(STRATEGY + STRATEGY.replace("Steady", "Other"), "Other and Steady. Keep one", id="two"),
        pytest.param(
            STRATEGY.replace('"steady"', '"calm"'), "calls itself 'calm'. Set name = 'steady'", id="other name"
        ),
    ],
)
def test_anything_else_fails_loudly(folder: Path, text: str, message: str) -> None:
    write(folder / "steady.py", text)
    with pytest.raises(BrokenPlugin) as caught:
        registry.strategies()
    assert message in str(caught.value)


def test_a_plug_in_that_cannot_be_imported_fails_loudly(folder: Path) -> None:
    write(folder / "steady.py", "import no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        registry.strategies()
