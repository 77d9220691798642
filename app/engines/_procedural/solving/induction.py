"""Induction: builds expressions from the arguments up until one gives the wanted output on every pair shown.

Which operations come to mind follows from the words of the message; the number of tries is bounded.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from app.domain.fences import fenced
from app.domain.values import LiteralError, parse_literal
from app.engines._procedural.solving.effort import effort
from app.engines._procedural.solving.search import Search
from app.engines._procedural.solving.terms import Term, leaf
from app.engines._procedural.writing import written

_TRIES = 1_300  # at budget 1
_SPREAD = 1.4
_CONSTANTS = (0, 1, 2, -1, "", " ")
_IN_WORDS = {"spaces": " ", "comma": ",", "commas": ","}
_READING = 0.5  # the share of tries spent on following the message step by step
_READINGS = 5  # of a step that are gone on with
_INTRODUCES = re.compile(r"\bf\(|^\s*Context:|`\w+` is an? |what that gives|examples show what")
_GIVEN = frozenset({"(before)"})  # marks what was built on an earlier step
_BOUND = frozenset("ixyz")  # names that the student's own comprehensions bind

Pair = tuple[tuple[object, ...], object]  # arguments and output


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
    body = written(_Unstar().visit(ast.parse(code, mode="eval")))
    return fenced(f"def f({', '.join(names)}):\n    return {body}", "python")


def solve(message: str, names: list[str], pairs: Sequence[Pair], rng: Random, tries: int) -> str | None:
    """An expression over `names` that fits all pairs, or None."""
    for place, name in enumerate(names):
        items = _item_by_item(pairs, place)
        if items:
            code = _solve(message, ["item", *names], rng.sample(items, min(6, len(items))), rng, tries // 3)
            if code:
                return f"[{code} for item in {name}]"
    return _solve(message, names, pairs, rng, tries)


def _solve(message: str, names: list[str], pairs: Sequence[Pair], rng: Random, tries: int) -> str | None:
    goal = [output for _, output in pairs]
    arguments = [leaf([given[place] for given, _ in pairs], name) for place, name in enumerate(names)]
    found = _follow(message, arguments, goal, rng, int(tries * _READING))
    if found:
        return found
    constants = [*_CONSTANTS, *_constants(message), *_repeated(goal)]
    search = Search(message, [*arguments, *_leaves(constants, len(pairs))], goal, rng)
    return search.run(int(tries * (1 - _READING))) or search.by_cases()


def _follow(message: str, arguments: list[Term], goal: list[Any], rng: Random, tries: int) -> str | None:
    """Reads the message step by step: each step works on what the step before gave, with the step's own words."""
    steps = [step for step in re.split(r"[;.](?:\s|$)", message) if step and not _INTRODUCES.search(step)]
    before: list[Term] = []
    for step in steps:
        constants = _leaves(_constants(step), len(goal))
        search = Search(step, [*before, *arguments, *constants], goal, rng, literal=True)
        found = search.run(tries // len(steps)) or ("where" in step and search.where(before))
        if found:
            return found
        # The reading that makes the most of the step's words is taken for its meaning.
        readings = [term for term in search.terms if len(term.cover - _GIVEN) and (not before or term.cover & _GIVEN)]
        readings.sort(key=lambda term: (-len(term.cover), term.size, rng.random()))
        before = [term._replace(size=1, cover=_GIVEN) for term in readings[:_READINGS]] or before
    return None


def _leaves(constants: Sequence[object], count: int) -> list[Term]:
    distinct = {repr(constant): constant for constant in constants}
    return [leaf([constant] * count, code, frozenset({code})) for code, constant in distinct.items()]


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


def _constants(text: str) -> list[object]:
    """The constants that a text speaks of."""
    found: list[object] = []
    for literal in re.findall(r"'[^']*'|\"[^\"]*\"|-?\b\d+\b|\[[^\]]*\]", text):
        try:
            found.append(parse_literal(literal))
        except LiteralError:
            continue
    texts = [text for text in found if isinstance(text, str)]
    if "replace" in text:
        found += itertools.pairwise(texts)
    return found + [value for word, value in _IN_WORDS.items() if re.search(rf"\b{word}\b", text)]


class _Unstar(ast.NodeTransformer):
    """Writes f(*(a, b)) as f(a, b)."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        match node.args:
            case [ast.Starred(value=ast.Tuple(elts=items))]:
                node.args = items
        return node


def _repeated(goal: list[Any]) -> list[object]:
    """Constants that the outputs share."""
    flat = [item for output in goal for item in (output if isinstance(output, list | tuple) else [output])]
    found: list[object] = [item for item in flat if flat.count(item) >= 2 and isinstance(item, int | str | None)]
    if all(isinstance(output, str) for output in goal):
        found += [letter for letter in " ,-_./=:" if all(letter in text for text in goal)]
    return found
