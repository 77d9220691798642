"""The message of an induction problem: what goes in, what the function is for, and as many of its steps as are told."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.engines._procedural.describing import Unspeakable, describe, quoted
from app.engines._procedural.kinds import DESCRIPTION
from app.engines._procedural.language import operations
from app.engines._procedural.operations import recognise
from app.engines._procedural.origins import origin
from app.engines._procedural.pieces import Piece
from app.engines._procedural.program import Program, Stage, names_in

_NUMBER = {1: "one step", 2: "two steps", 3: "three steps"}


class Told(NamedTuple):
    """A step in words, with the number of operations in it; `text` is None where words fail."""

    text: str | None
    size: int


def tell(program: Program) -> list[Told]:
    """What each stage does, in words."""
    return [_stage(program, position) for position in range(len(program.stages))]


def write(program: Program, steps: Sequence[Told], told: set[int], about: str) -> str:
    """A message that tells the steps whose positions are in `told`."""
    parts = [f"Write f({', '.join(program.kinds)}), where {_arguments(program)}."]
    if about:
        parts.append(f"Context: {about.rstrip('.')}.")
    known = [step.text if position in told else None for position, step in enumerate(steps)]
    if len(known) == 1 and known[0]:
        parts.append(f"Return {known[0]}.")
    elif any(known):
        parts.append(f"{_capital('; then '.join(_in_order(known)))}. Return what that gives.")
    else:
        parts.append("The examples show what it returns.")
    return " ".join(parts)


def _in_order(known: Sequence[str | None]) -> Iterator[str]:
    """The steps as instructions; runs of untold ones in one."""
    for position, (text, run) in enumerate((text, list(run)) for text, run in itertools.groupby(known)):
        if text is None:
            yield f"do {_NUMBER.get(len(run), 'several steps')} that only the examples show"
        else:
            yield from [f"take {text}" if position == 0 else text] * len(run)


def sizes(message: str, steps: Sequence[Told]) -> tuple[int, int]:
    """How many operations of a program its message tells, and how many it leaves to be found out."""
    lower = message.lower()
    told = sum(step.size for step in steps if step.text and step.text.lower() in lower)
    return told, sum(step.size for step in steps) - told


def about(program: Program, pieces: Sequence[Piece]) -> str:
    """What the seed says of the code that a program began as."""
    began_as = origin(program, pieces)
    return began_as.about if began_as else ""


def _arguments(program: Program) -> str:
    described = [f"`{name}` is {DESCRIPTION.get(kind, 'a value')}" for name, kind in program.kinds.items()]
    return " and ".join([", ".join(described[:-1]), described[-1]] if len(described) > 1 else described)


def _stage(program: Program, position: int) -> Told:
    stage = program.stages[position]
    size = 1 + operations(stage.value)
    for name in sorted(names_in(stage.value) & set(program.helpers)):
        size += operations(program.helpers[name])
    noun = program.stages[position - 1].noun if position else ""
    try:
        text = _instruction(stage, noun) if position else describe(stage.value)
        if stage.when:
            text = f"where {describe(stage.when, noun).removeprefix('whether ')}, {text}"
    except (Unspeakable, KeyError):
        return Told(None, size)
    return Told(text, size)


def _instruction(stage: Stage, noun: str) -> str:
    known = recognise(stage.value)
    if known:
        operation, constants = known
        return operation.phrase.format(**{name: quoted(value) for name, value in constants.items()})
    return f"take {describe(stage.value, noun)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
