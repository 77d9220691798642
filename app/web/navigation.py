"""How a page joins the application: one module in app/web/pages with a `router` and a `NAV`, nothing else edited."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType

from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the header's navigation. `key` is pressed after `g`; entries stand in ascending `order`."""

    title: str
    href: str
    key: str
    order: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page module that was found: what to mount and, where it has an entry, what to list."""

    name: str
    router: APIRouter
    nav: NavItem | None


def find_pages(package: ModuleType) -> list[Page]:
    """Every page module of `package`, by name. Raises TypeError for one that breaks the protocol."""
    found = []
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        module = importlib.import_module(info.name)
        router, nav = getattr(module, "router", None), getattr(module, "NAV", module)
        if not isinstance(router, APIRouter):
            raise TypeError(f"{info.name} needs a `router`: an APIRouter")
        if not (nav is None or isinstance(nav, NavItem)):
            raise TypeError(f"{info.name} needs a `NAV`: a NavItem, or None for a page outside the navigation")
        found.append(Page(info.name.rpartition(".")[2], router, nav))
    return found


def navigation(pages: list[Page]) -> list[NavItem]:
    """The entries in order. Raises ValueError where two pages claim the same key."""
    items = sorted((page.nav for page in pages if page.nav), key=lambda item: item.order)
    keys = [item.key for item in items]
    if len(set(keys)) < len(keys):
        raise ValueError(f"two pages claim the same navigation key: {', '.join(sorted(keys))}")
    return items
