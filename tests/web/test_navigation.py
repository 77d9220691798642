"""What a module must have to be a page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from app.web.navigation import find_pages, navigation

ROUTER = "from fastapi import APIRouter\nfrom app.web.navigation import NavItem\nrouter = APIRouter()\n"
Package = Callable[..., ModuleType]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Makes an importable package of the given modules."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(**modules: str) -> ModuleType:
        folder = tmp_path / "some_pages"
        folder.mkdir()
        (folder / "__init__.py").touch()
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(source)
        return import_module("some_pages")

    yield make
    for name in [name for name in sys.modules if name.startswith("some_pages")]:
        del sys.modules[name]


def test_pages_are_found_and_listed_in_order(package: Package) -> None:
    pages = find_pages(
        package(
            beta=ROUTER + "NAV = NavItem('Beta', '/beta', 'b', 1)",
            alpha=ROUTER + "NAV = NavItem('Alpha', '/alpha', 'a', 2)",
            hidden=ROUTER + "NAV = None",
        )
    )
    assert [page.name for page in pages] == ["alpha", "beta", "hidden"]
    assert [item.title for item in navigation(pages)] == ["Beta", "Alpha"]


@pytest.mark.parametrize(
    ("source", "missing"), [("NAV = None", "router"), (ROUTER, "NAV"), (ROUTER + "NAV = 3", "NAV")]
)
def test_a_module_that_is_no_page_fails_loudly(package: Package, source: str, missing: str) -> None:
    with pytest.raises(TypeError, match=rf"some_pages\.odd needs a `{missing}`"):
        find_pages(package(odd=source))


def test_two_pages_cannot_claim_one_key(package: Package) -> None:
    pages = find_pages(
        package(
            beta=ROUTER + "NAV = NavItem('Beta', '/beta', 'x', 1)",
            alpha=ROUTER + "NAV = NavItem('Alpha', '/alpha', 'x', 2)",
        )
    )
    with pytest.raises(ValueError, match="same navigation key"):
        navigation(pages)
