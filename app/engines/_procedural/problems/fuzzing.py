"""Fuzzing: the cost is how rare the inputs are that break the property."""

from __future__ import annotations

import ast
import math
from typing import NamedTuple

from app.engines._procedural.chance import seeded
from app.engines._procedural.problems.made import Arguments, Made, Rejected, Wish
from app.engines._procedural.program import Program
from app.engines._procedural.properties import Property, properties, weaker
from app.engines._procedural.running import Loaded, load_pure
from app.engines._procedural.workshop import Workshop, run
from app.engines._procedural.writing import written

SLOPE = 0.8
STAGES = (0, 0, 1, 1, 2, 3)
CANDIDATES = 7
_TRIES = 110
_MOST_ERRORS = 4
_CHANCE = 5
_ENOUGH = 5  # properties to choose among
_FIRST = 20  # inputs after which a property must have held more often than not
_TYPES = {
    "int": "type({0}) is int",
    "bool": "type({0}) is bool",
    "ints": "isinstance({0}, list) and len({0}) <= 20 and all(type(item) is int for item in {0})",
    "strs": "isinstance({0}, list) and len({0}) <= 20 and all(isinstance(item, str) for item in {0})",
    "str": "isinstance({0}, str) and len({0}) <= 100",
    "pairs": "isinstance({0}, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in {0})",
    "table": "isinstance({0}, dict)",
    "none": "{0} is None",
}


class _Tested(NamedTuple):
    source: str
    cost: float
    witness: Arguments
    others: list[Arguments]


def build(program: Program, shop: Workshop, wish: Wish) -> Made:
    """A property that mostly holds, a witness against it, and inputs for it. Raises Rejected."""
    runs = run(program, shop, _TRIES, wish.size)
    if runs is None or len(runs.calls) < _TRIES // 4:
        raise Rejected("fails")
    if len(set(runs.outputs)) < 2:
        raise Rejected("same outputs")
    found = properties(program.kinds, runs.calls, shop.rng)
    shop.rng.shuffle(found)
    found += [weaker(first, second) for first, second in zip(found[:8], found[8:], strict=False)]
    arguments = [drawn for drawn, _ in runs.calls]
    tested: list[_Tested] = []
    for one in found:
        made = _test(program, runs.source, one, arguments, wish)
        if made:
            tested.append(made)
            if len(tested) >= _ENOUGH:
                break
    if not tested:
        raise Rejected("no property")
    best = tested[wish.nearest([one.cost for one in tested], shop.rng)]
    return Made(best.source, [best.witness, *best.others], cost=best.cost)


def hasty(program: Program, shop: Workshop) -> Made | None:
    """A problem as it first comes to mind, with a property and inputs that nobody tried."""
    runs = run(program, shop, 6, 6)
    if runs is None or not runs.calls:
        return None
    one = shop.rng.choice(properties(program.kinds, runs.calls, shop.rng))
    inputs = [shop.samples.arguments(program.signature, shop.rng) for _ in range(6)]
    return Made(_with_tests(program, runs.source, one), inputs)


def cost(made: Made, program: Program | None, shop: Workshop) -> float:
    loaded = load_pure(made.source)
    if loaded is None or program is None:
        return math.log(_TRIES)
    rng = seeded(made.source)
    results = [loaded.call("test_f", shop.samples.arguments(program.signature, rng)) for _ in range(_TRIES)]
    ended = [result.value for result in results if result.ok]
    return _cost(ended.count(False) + 1, len(ended) + 1)


def _cost(broken: int, total: int) -> float:
    return -math.log(broken / total)


def _test(program: Program, source: str, one: Property, drawn: list[Arguments], wish: Wish) -> _Tested | None:
    """The property on drawn inputs; None where it never breaks, rarely holds, or cannot be told."""
    whole = _with_tests(program, source, one)
    try:
        loaded = Loaded(whole, pure=True)
    except SyntaxError:
        return None
    holds: list[Arguments] = []
    broken: list[Arguments] = []
    errors = 0
    for tries, arguments in enumerate(drawn):
        result = loaded.call("test_f", arguments)
        errors += not isinstance(result.value, bool)
        if errors > _MOST_ERRORS or (tries == _FIRST and len(broken) >= len(holds)):
            return None
        if isinstance(result.value, bool) and loaded.call("pre_test_f", arguments).value is True:
            (holds if result.value else broken).append(arguments)
    needed = wish.number("inputs", 4) - 1
    others = _distinct(holds, needed)
    witness = next((arguments for arguments in broken if not _spelt_out(arguments, one.sentence)), None)
    if witness is None or len(holds) <= len(broken) or len(others) < needed:
        return None
    return _Tested(whole, _cost(len(broken), len(holds) + len(broken)), witness, others)


def _spelt_out(arguments: Arguments, sentence: str) -> bool:
    """Whether the sentence on the property gives an argument away; short ones are in it by chance."""
    return any(len(repr(value)) > _CHANCE and repr(value) in sentence for value in arguments)


def _distinct(inputs: list[Arguments], count: int) -> list[Arguments]:
    return list({repr(arguments): arguments for arguments in inputs}.values())[:count]


def _with_tests(program: Program, source: str, one: Property) -> str:
    return "\n\n\n".join([source, _pre_test(program), _property_test(program, one)])


def _pre_test(program: Program) -> str:
    checks = [_TYPES.get(kind, f"isinstance({{0}}, {kind})").format(name) for name, kind in program.kinds.items()]
    return f"def pre_test_f({', '.join(program.kinds)}):\n    return {' and '.join(checks)}"


def _property_test(program: Program, one: Property) -> str:
    names = ", ".join(program.kinds)
    condition = written(ast.parse(one.code, mode="eval"))
    return f'def test_f({names}):\n    """{one.sentence}"""\n    result = f({names})\n    return {condition}'
