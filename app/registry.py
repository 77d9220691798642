"""The only plug-in finder: one module or folder of a family's package holds exactly one class that keeps its port.

The measure of it: a new environment, engine, sandbox, exporter or strategy is a new file or folder and nothing else is
edited. A plug-in is found by its place and judged by its shape; whatever is not exactly right fails loudly, since a
plug-in that is silently missing looks like one that was never written.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache, partial
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar, cast

from app.domain.ports import Engine, Environment, Exporter, Sandbox, Strategy
from app.errors import InvalidInput

T = TypeVar("T")


class BrokenPlugin(Exception):
    """A plug-in that does not keep the rules of its family; the message says what to change."""


# Family (a package of `app`) -> the port that its classes keep.
PORTS: Mapping[str, type] = MappingProxyType(
    {
        "environments": Environment,
        "engines": Engine,
        "sandboxes": Sandbox,
        "exporters": Exporter,
        "strategies": Strategy,
    }
)


def environments() -> Mapping[str, Environment]:
    return cast("Mapping[str, Environment]", _instances("environments"))


def environment(name: str) -> Environment:
    """Raises InvalidInput with the known names."""
    return _named(environments(), name, "environment")


def engines() -> Mapping[str, Engine]:
    return cast("Mapping[str, Engine]", _instances("engines"))


def engine(name: str) -> Engine:
    """Raises InvalidInput with the known names."""
    return _named(engines(), name, "engine")


def sandboxes() -> Mapping[str, type[Sandbox]]:
    """Classes, not instances: a sandbox is opened by whoever runs programs in it."""
    return _classes("sandboxes")


def sandbox(name: str) -> type[Sandbox]:
    """Raises InvalidInput with the known names."""
    return _named(sandboxes(), name, "sandbox")


def exporters() -> Mapping[str, Exporter]:
    return cast("Mapping[str, Exporter]", _instances("exporters"))


def exporter(name: str) -> Exporter:
    """Raises InvalidInput with the known names."""
    return _named(exporters(), name, "format")


def strategies() -> Mapping[str, Strategy]:
    return cast("Mapping[str, Strategy]", _instances("strategies"))


def strategy(name: str) -> Strategy:
    """Raises InvalidInput with the known names."""
    return _named(strategies(), name, "strategy")


def forget() -> None:
    """Looks for plug-ins anew at the next call: for tests that add one."""
    _classes.cache_clear()
    _instances.cache_clear()


def _named(known: Mapping[str, T], name: str, field: str) -> T:
    try:
        return known[name]
    except KeyError:
        raise InvalidInput(
            f"There is no {field} {name!r}.", field=field, remedy=f"Choose one of: {', '.join(known) or 'none found'}."
        ) from None


@cache
def _instances(family: str) -> Mapping[str, object]:
    return MappingProxyType({name: found() for name, found in _classes(family).items()})


@cache
def _classes(family: str) -> Mapping[str, type]:
    """Every plug-in of a family by name, in alphabetical order."""
    package = importlib.import_module(f"app.{family}")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_"))
    port = PORTS[family]
    return MappingProxyType({name: _class_of(importlib.import_module(f"app.{family}.{name}"), port) for name in names})


def _class_of(module: ModuleType, port: type) -> type[Any]:
    """The one public class of `module`, written in it or below it, that has all members of `port`."""
    members = _members(port)
    own: set[type[Any]] = {
        value
        for name, value in vars(module).items()
        if inspect.isclass(value) and not name.startswith("_") and _is_below(value.__module__, module.__name__)
    }
    found = sorted((cls for cls in own if all(map(partial(hasattr, cls), members))), key=lambda cls: cls.__name__)
    if not found:
        raise BrokenPlugin(f"{module.__name__} holds no {port.__name__}. {_nearest(own, members)}")
    if len(found) > 1:
        names = " and ".join(cls.__name__ for cls in found)
        raise BrokenPlugin(
            f"{module.__name__} holds {len(found)} classes that are a {port.__name__}: {names}. "
            "Keep one, give the other a module of its own or a name that starts with an underscore."
        )
    expected = module.__name__.rpartition(".")[2]
    if "name" in members and found[0].name != expected:
        raise BrokenPlugin(
            f"{module.__name__}.{found[0].__name__} calls itself {found[0].name!r}. "
            f"Set name = {expected!r}, or rename its module or folder."
        )
    return found[0]


def _members(port: type) -> frozenset[str]:
    """The public names that a port declares: its class variables, properties and methods."""
    return frozenset(name for name in {*port.__annotations__, *vars(port)} if not name.startswith("_"))


def _nearest(own: set[type[Any]], members: frozenset[str]) -> str:
    """Which class nearly is one, and what it lacks."""
    missing = {cls: sorted(m for m in members if not hasattr(cls, m)) for cls in own}
    near = [cls for cls in own if len(missing[cls]) < len(members)]
    if not near:
        return f"Write a class there with: {', '.join(sorted(members))}; a folder imports it in its __init__.py."
    nearest = min(near, key=lambda cls: (len(missing[cls]), cls.__name__))
    return f"{nearest.__name__} lacks: {', '.join(missing[nearest])}."


def _is_below(name: str, root: str) -> bool:
    return name == root or name.startswith(f"{root}.")
