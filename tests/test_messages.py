"""What is said of a wrong value is in Cairn's words, for every kind of error that a model here can raise."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import pytest
from fastapi import params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails

import app
from app import messages
from app.main import create_app

Errors = list[tuple[str, dict[str, Any]]]
Node = Mapping[str, Any]

# Settings come as text from the environment, and any text is a path.
NEVER_WRONG = {"data_dir"}


def _bounds(node: Node) -> Errors:
    kinds = {"ge": "greater_than_equal", "gt": "greater_than", "le": "less_than_equal", "lt": "less_than"}
    return [(kind, {bound: node[bound]}) for bound, kind in kinds.items() if bound in node]


def _text(node: Node) -> Errors:
    assert "pattern" not in node, f"{node['pattern']}: pydantic would show it as it is; use messages.Spelled"
    found: Errors = [("string_type", {}), ("string_unicode", {})]
    if "min_length" in node:
        found.append(("string_too_short", {"min_length": node["min_length"]}))
    if "max_length" in node:
        found.append(("string_too_long", {"max_length": node["max_length"]}))
    return found


def _list(node: Node) -> Errors:
    found: Errors = [("list_type", {})]
    for bound, kind in (("min_length", "too_short"), ("max_length", "too_long")):
        if bound in node:
            found.append((kind, {"field_type": "List", bound: node[bound], "actual_length": 0}))
    return found


def _none(_: Node) -> Errors:
    return []


def _literal(node: Node) -> Errors:
    return [("literal_error", {"expected": " or ".join(map(repr, node["expected"]))})]


def _url(node: Node) -> Errors:
    return [
        ("url_type", {}),
        ("url_parsing", {"error": "relative URL without a base"}),
        ("url_scheme", {"expected_schemes": "'http' or 'https'"}),
        ("url_too_long", {"max_length": node["max_length"]}),
    ]


_NUMBERS = ("int_type", "int_parsing", "int_from_float", "int_parsing_size")
# What each kind of a schema's nodes can find wrong. One that is not here has to be thought about.
RAISED: Mapping[str, Callable[[Node], Errors]] = {
    "int": lambda node: [*((kind, {}) for kind in _NUMBERS), *_bounds(node)],
    "float": lambda node: [("float_type", {}), ("float_parsing", {}), ("finite_number", {}), *_bounds(node)],
    "bool": lambda _: [("bool_type", {}), ("bool_parsing", {})],
    "str": _text,
    "list": _list,
    "dict": lambda _: [("dict_type", {})],
    "literal": _literal,
    "url": _url,
    "model": lambda node: [("model_type", {"class_name": node["cls"].__name__}), ("model_attributes_type", {})],
    "model-fields": lambda _: [("missing", {}), ("extra_forbidden", {}), ("invalid_key", {})],
    # Rules of our own raise ValueError with our words; the others hold further nodes.
    **dict.fromkeys(("function-after", "function-before", "function-wrap", "function-plain"), _none),
    **dict.fromkeys(("no-info", "with-info", "model-field", "nullable", "default", "definitions"), _none),
    **dict.fromkeys(("definition-ref", "any", "union", "is-instance", "lax-or-strict", "json-or-python"), _none),
}


def _nodes(schema: object, name: str = "") -> Iterator[Node]:
    if isinstance(schema, Mapping):
        if name in NEVER_WRONG:
            return
        if isinstance(schema.get("type"), str):
            yield schema
        for key, inner in schema.items():
            if key not in ("metadata", "serialization", "expected"):
                yield from _nodes(inner, str(key))
    elif isinstance(schema, list | tuple):
        for inner in schema:
            yield from _nodes(inner)


def _subclasses(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for found in of.__subclasses__():
        yield found
        yield from _subclasses(found)


def _schemas() -> Iterator[object]:
    """Of whatever comes in: parameters and bodies of every route, and every model below the web."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        # What runs inside of sandboxes by itself, and commands that act as soon as they are imported.
        if not re.search(r"\.(__main__|lane|child)$|app\.sandboxes\.forkserver\.|app\.cli\.lane", module.name):
            importlib.import_module(module.name)
    for model in set(_subclasses(BaseModel)):
        if model.__module__.startswith("app.") and not model.__module__.startswith("app.web."):
            yield model.__pydantic_core_schema__
    routes = [route.original_route for route in iter_route_contexts(create_app().router.routes)]
    taken = [route for route in routes if isinstance(route, APIRoute)]
    assert len(taken) > 50
    for route in taken:
        for field in [*get_flat_params(route.dependant), *route.dependant.body_params]:
            if not isinstance(field.field_info, params.Path):  # a bad address is no message, but 404
                yield TypeAdapter(Annotated[field.field_info.annotation, field.field_info]).core_schema


def _in_use() -> dict[str, dict[str, Any]]:
    """Kind of error -> a context in which it can come."""
    found: dict[str, dict[str, Any]] = {"json_invalid": {"error": "Expecting value"}}
    for schema in _schemas():
        for node in _nodes(schema):
            assert node["type"] in RAISED, f"what can a {node['type']!r} find wrong?"
            found |= RAISED[node["type"]](node)
    return found


def test_every_kind_of_error_in_use_has_words_of_our_own() -> None:
    in_use = _in_use()
    assert len(in_use) > 25
    for kind, context in in_use.items():
        theirs = InitErrorDetails(type=kind, loc=("x",), input=None, ctx=context)
        error = ValidationError.from_exception_data("Sample", [theirs])
        (told,) = messages.by_field(error).values()
        assert told != messages._UNKNOWN, f"{kind} has no words"
        assert "Input" not in told, kind
        assert re.fullmatch(r"[A-Z].*\.", told), told
        for bound in context.values():
            if isinstance(bound, int) and bound > 1:
                assert f"{bound:,}" in told, f"{kind} does not say its bound"


def test_no_words_are_kept_for_errors_that_nothing_raises() -> None:
    assert set(messages._WORDS) == _in_use().keys()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("must be a JSON object", "This must be a JSON object."),
        ("there are only 4 attempts", "There are only 4 attempts."),
        ("This stands already.", "This stands already."),
    ],
)
def test_a_rule_of_ours_is_told_as_a_sentence(text: str, told: str) -> None:
    assert messages.sentence(text) == told


def test_a_spelling_is_refused_in_words_and_stands_in_the_schema_as_a_pattern() -> None:
    adapter = TypeAdapter(Annotated[str, messages.Spelled("[a-z]+|-", "must be small letters")])
    assert adapter.validate_python("abc") == "abc"
    for wrong in ("ABC", "abc\n", ""):
        with pytest.raises(ValidationError) as raised:
            adapter.validate_python(wrong)
        assert messages.by_field(raised.value) == {"config": "This must be small letters."}
    assert adapter.json_schema() == {"type": "string", "pattern": "^([a-z]+|-)$"}


def test_the_command_names_the_variables_of_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CAIRN_PORT": "many", "CAIRN_LANE_CHAINS": "0", "DATABASE_URL": "mysql://host/x"}.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-m", "app.cli", "signin"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert sorted(done.stderr.splitlines()) == [
        "cairn: CAIRN_LANE_CHAINS: This must be 1 or more.",
        "cairn: CAIRN_PORT: This must be a whole number.",
        "cairn: DATABASE_URL: This must start with postgresql://.",
    ]
