"""The message of an induction problem: what goes in, what the function is for, and as many of its steps as are told."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import NamedTuple

from app.engines._procedural.describing import Unspeakable, describe, quoted
from app.engines._procedural.kinds import DESCRIPTION
from app.engines._procedural.language import operations
from app.engines._procedural.operations import recognise
from app.engines._procedural.pieces import Piece
from app.engines._procedural.program import Program, Stage, names_in

_NUMBER = {1: "one step", 2: "two steps", 3: "three steps"}


class Told(NamedTuple):
    """A step in words, with the number of operations in it; `text` is None where words fail."""

    text: str | None
    size: int


def tell(program: Program) -> list[Told]:
    """What each stage does, in words."""
    return [_stage(program, stage, first=position == 0) for position, stage in enumerate(program.stages)]


def write(program: Program, steps: Sequence[Told], told: set[int], about: str) -> str:
    """A message that tells the steps whose positions are in `told`."""
    parts = [f"Write f({', '.join(program.kinds)}). {_arguments(program)}"]
    if about:
        parts.append(f"It is about: {about.rstrip('.')}.")
    said: list[str] = []
    kept_back = 0
    for position, step in enumerate(steps):
        if position in told and step.text:
            if kept_back:
                said.append(f"do {_NUMBER.get(kept_back, 'several steps')} that the examples show")
            kept_back = 0
            said.append(step.text)
        else:
            kept_back += 1
    if kept_back and said:
        said.append(f"do {_NUMBER.get(kept_back, 'several steps')} more, which the examples show")
    if said:
        parts.append(_capital("; then ".join(said)) + ".")
    else:
        parts.append("The examples show what it gives back.")
    return " ".join(parts)


def share_told(message: str, steps: Sequence[Told]) -> float:
    """The share of a program's operations that the message tells, 0 to 1."""
    lower = message.lower()
    total = sum(step.size for step in steps)
    return sum(step.size for step in steps if step.text and step.text.lower() in lower) / total if total else 1.0


def about(program: Program, pieces: Sequence[Piece]) -> str:
    """What the seed says of the code that a program began as."""
    for name, helper in program.helpers.items():
        docstring = ast.get_docstring(helper)
        if docstring and program.stages and name in names_in(program.stages[0].value):
            return docstring.split("\n")[0]
    shape = _shape(program.stages[0].value)
    for piece in pieces:
        if piece.about and piece.expression is not None and _shape(piece.expression) == shape:
            return piece.about
        if piece.about and any(_shape(piece.tree) == _shape(helper) for helper in program.helpers.values()):
            return piece.about
    return ""


def _arguments(program: Program) -> str:
    described = [f"`{name}` is {DESCRIPTION.get(kind, 'a value')}" for name, kind in program.kinds.items()]
    return _capital(" and ".join(described)) + "." if len(described) < 3 else _capital("; ".join(described)) + "."


def _stage(program: Program, stage: Stage, *, first: bool) -> Told:
    size = 1 + operations(stage.value)
    for name in sorted(names_in(stage.value) & set(program.helpers)):
        size += operations(program.helpers[name])
    text = _words(stage, first=first)
    if text and stage.when:
        try:
            text = f"where {describe(stage.when).removeprefix('whether ')}, {text}"
        except Unspeakable:
            text = None
    return Told(text, size)


def _words(stage: Stage, *, first: bool) -> str | None:
    known = None if first else recognise(stage.value)
    if known:
        operation, constants = known
        return operation.phrase.format(**{name: quoted(value) for name, value in constants.items()})
    try:
        return f"{'find' if first else 'take'} {describe(stage.value)}"
    except (Unspeakable, KeyError):
        return None


def _shape(node: ast.AST) -> str:
    """The tree without names."""
    return re.sub(r"(id|name|arg)='\w*'", "", ast.dump(node))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
