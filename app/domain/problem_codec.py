"""Problems as canonical JSON text: one spelling per problem, lossless for every value."""

from __future__ import annotations

import json

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
    data = json.loads(text)
    try:
        return Problem(
            environment=data["environment"],
            program=data["program"],
            inputs=tuple(_arguments(item) for item in data["inputs"]),
            outputs=tuple(loads(item) for item in data["outputs"]),
            message=data.get("message", ""),
            options=data.get("options", {}),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a problem: {error!r}") from error


def _arguments(text: str) -> tuple[object, ...]:
    value = loads(text)
    if not isinstance(value, tuple):
        raise ValueError("the inputs of a problem are tuples of arguments")
    return value
