"""Problems as canonical JSON text: one spelling per problem, lossless for every value."""

from __future__ import annotations

import json
from typing import Any

from app.domain.problem import Problem
from app.domain.values import dumps, loads

_SEPARATORS = (",", ":")


def encode_problem(problem: Problem) -> str:
    """Pure ASCII, keys sorted. Values travel inside it as their own canonical text, out of reach of JSON readers."""
    return json.dumps(
        {
            "environment": problem.environment,
            "program": problem.program,
            "inputs": [dumps(arguments) for arguments in problem.inputs],
            "outputs": [dumps(output) for output in problem.outputs],
            "message": problem.message,
            "options": dict(problem.options),
        },
        sort_keys=True,
        separators=_SEPARATORS,
    )


def decode_problem(text: str) -> Problem:
    """Raises ValueError where the text is not what `encode_problem` writes."""
    try:
        data = json.loads(text)
    except RecursionError as error:
        raise ValueError("not a problem: nested too deeply") from error
    if type(data) is not dict:
        raise ValueError("not a problem: no JSON object")
    inputs, outputs = (_field(data, name, list) for name in ("inputs", "outputs"))
    options = _field(data, "options", dict, {})
    if not all(type(value) in (bool, int, float, str) for value in options.values()):
        raise ValueError("not a problem: its options are not plain")
    return Problem(
        environment=_field(data, "environment", str),
        program=_field(data, "program", str),
        inputs=tuple(_arguments(item) for item in inputs),
        outputs=tuple(loads(_text(item)) for item in outputs),
        message=_field(data, "message", str, ""),
        options=options,
    )


def _field(data: dict[str, Any], name: str, kind: type, default: object = None) -> Any:
    value = data.get(name, default)
    if type(value) is not kind:
        raise ValueError(f"not a problem: its {name} should be of type {kind.__name__}")
    return value


def _text(item: object) -> str:
    if type(item) is not str:
        raise ValueError("not a problem: its values should be texts")
    return item


def _arguments(item: object) -> tuple[object, ...]:
    value = loads(_text(item))
    if not isinstance(value, tuple):
        raise ValueError("the inputs of a problem are tuples of arguments")
    return value
