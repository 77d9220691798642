"""Induction: builds expressions from the arguments up until one gives the wanted output on every pair shown.

Which operations come to mind follows from the words of the message; the number of tries is bounded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from random import Random

from app.domain.fences import fenced
from app.domain.values import LiteralError, parse_literal
from app.engines._procedural.solving.effort import effort
from app.engines._procedural.solving.search import Pair, Search

_TRIES = 1_500  # at budget 1
_SPREAD = 1.0
_CONSTANTS = (0, 1, 2, -1, "", " ")
_IN_WORDS = {"spaces": " ", "comma": ",", "commas": ","}
_BOUND = frozenset("ixyz")  # names that the student's own comprehensions bind


def attempt(view: Mapping[str, object], rng: Random, budget: float) -> str:
    """`view` holds `message`, `signature` and `examples`: pairs of arguments and output."""
    names = _parameters(str(view["signature"]))
    examples = view["examples"]
    assert isinstance(examples, list)  # noqa: S101  (what the environment presents)
    if any(len(arguments) != len(names) for arguments, _ in examples):
        return ""  # a function of varying arity is beyond this student
    tries = int(_TRIES * budget * effort(rng, _SPREAD))
    code = solve(str(view["message"]), names, examples, rng, tries)
    if code is None:
        return ""
    body = ast.unparse(ast.parse(code, mode="eval"))
    return fenced(f"def f({', '.join(names)}):\n    return {body}", "python")


def solve(message: str, names: list[str], pairs: Sequence[Pair], rng: Random, tries: int) -> str | None:
    """An expression over `names` that fits all pairs, or None."""
    for place, name in enumerate(names):
        items = _item_by_item(pairs, place)
        if items:
            some = rng.sample(items, min(6, len(items)))
            code = _search(message, ["item", *names], some, rng).run(tries // 3)
            if code:
                return f"[{code} for item in {name}]"
    return _search(message, names, pairs, rng).run(tries)


def _search(message: str, names: list[str], pairs: Sequence[Pair], rng: Random) -> Search:
    return Search(message, names, pairs, _constants(message, [output for _, output in pairs]), rng)


def _item_by_item(pairs: Sequence[Pair], place: int) -> list[Pair]:
    """Pairs for one item each, where every output is a list as long as one argument; empty otherwise."""
    items: list[Pair] = []
    for arguments, output in pairs:
        argument = arguments[place]
        if type(output) is not list or not isinstance(argument, list | tuple) or len(argument) != len(output):
            return []
        items += [((item, *arguments), wanted) for item, wanted in zip(argument, output, strict=True)]
    return items if len(items) >= 4 else []


def _parameters(signature: str) -> list[str]:
    arguments = ast.parse(f"def {signature}: pass").body[0]
    assert isinstance(arguments, ast.FunctionDef)  # noqa: S101
    names = [argument.arg for argument in (*arguments.args.posonlyargs, *arguments.args.args)]
    return [f"{name}_" if name in _BOUND else name for name in names]


def _constants(message: str, goal: list[object]) -> list[object]:
    """Constants of the message, of the outputs, and general ones."""
    found: list[object] = list(_CONSTANTS)
    for text in re.findall(r"'[^']*'|\"[^\"]*\"|-?\b\d+\b", message):
        try:
            found.append(parse_literal(text))
        except LiteralError:
            continue
    found += [value for word, value in _IN_WORDS.items() if re.search(rf"\b{word}\b", message)]
    flat = [item for output in goal for item in (output if isinstance(output, list | tuple) else [output])]
    found += [item for item in flat if flat.count(item) >= 2 and isinstance(item, int | str | None)]
    texts = [output for output in goal if isinstance(output, str)]
    if len(texts) == len(goal):
        found += [letter for letter in " ,-_./=:" if all(letter in text for text in texts)]
    return list({repr(value): value for value in found}.values())
