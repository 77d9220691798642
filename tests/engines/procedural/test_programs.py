from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from app.engines._procedural.candidates import candidates
from app.engines._procedural.chance import seeded
from app.engines._procedural.growing import grow, start
from app.engines._procedural.helpers import HELPERS
from app.engines._procedural.kinds import kind_of
from app.engines._procedural.operations import Operation, operations, recognise
from app.engines._procedural.pieces import survey
from app.engines._procedural.program import Program, Stage, read
from app.engines._procedural.running import Loaded
from app.engines._procedural.samples import Samples
from app.engines._procedural.shrinking import shrink
from app.engines._procedural.workshop import Workshop, definitions
from app.engines._procedural.writing import written

CHAIN = dedent(
    """\
    def f(path, sep):
        parts = path.split(sep)
        parts = [part for part in parts if part]
        if len(parts) > 2:
            parts = parts[::-1]
        return len(parts)"""
)
WHOLE = dedent(
    """\
    def f(names):
        found = []
        for name in names:
            if name not in found:
                found.append(name)
        return found"""
)
SEED = dedent(
    '''
    def split_name(name, sep):
        """Split a name into its parts."""
        parts = name.split(sep)
        if len(parts) > 2:
            return parts[-1].upper()
        return name + sep

    def width_of(lines, margin):
        longest = max(len(line) for line in lines)
        return longest + 2 * margin
    '''
)
OPERATIONS = [operation for rows in operations().values() for operation in rows]


def workshop(rng: int = 1) -> Workshop:
    samples = Samples(SEED)
    return Workshop(samples, survey(candidates(SEED), samples), seeded(rng))


def test_a_chain_of_stages_is_read_and_written_back() -> None:
    program = read(CHAIN, [("a/b", "/")])
    assert program is not None
    assert program.kinds == {"path": "str", "sep": "str"}
    assert [stage.noun for stage in program.stages] == ["parts", "parts", "parts", "result"]
    assert program.source() == CHAIN


def test_any_other_function_is_one_stage_until_it_grows() -> None:
    program = read(WHOLE, [(["a"],)])
    assert program is not None
    assert program.source() == WHOLE
    program.stages.append(Stage("count", ast.parse("len(_)", mode="eval").body))
    assert "def find_found(names):" in program.source()
    assert program.source().endswith("def f(names):\n    result = find_found(names)\n    return len(result)")


def test_programs_of_another_make_are_not_read() -> None:
    assert read("def f(*names):\n    return names", [("a",)]) is None
    assert read("x = 1\ndef f(n):\n    return n", [(1,)]) is None
    assert read("def f(n): return", [(1, 2)]) is None
    assert read("def f(", [(1,)]) is None


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.code)
def test_every_operation_runs_on_its_kind_gives_its_kind_and_is_recognised(operation: Operation) -> None:
    rng, samples = seeded("operation", operation.code), Samples(SEED)
    step = operation.drawn(rng, samples)
    known = recognise(step)
    assert known is not None
    assert known[0].phrase.format(**known[1])
    helpers = {operation.helper: definitions(HELPERS[operation.helper])[operation.helper]} if operation.helper else {}
    program = Program({"given": operation.takes}, [Stage("given", ast.parse("given", mode="eval").body)], helpers)
    program.stages.append(Stage(operation.noun, step))
    loaded = Loaded(program.source(), pure=True)
    value = [[1, 2], ["a"]] if operation.takes == "list" else None
    results = [loaded.call("f", (value if value else samples.draw(operation.takes, rng),)) for _ in range(40)]
    kinds = {kind_of(result.value) for result in results if result.ok}
    assert sum(result.ok for result in results) >= 30
    # An empty list is of no kind yet, and items may be of any.
    assert operation.gives in kinds or operation.gives == "list" or operation.code in ("_[0]", "_[-1]")


def test_growing_and_shrinking_keep_programs_that_load() -> None:
    shop = workshop()
    piece = next(piece for piece in shop.pieces if piece.name == "split_name")
    program = start(piece, shop)
    assert program is not None
    changed = 0
    for turn in range(60):
        other = (grow if turn % 3 else shrink)(program, shop)
        if other is None:
            continue
        changed += other.source() != program.source()
        Loaded(other.source(), pure=True)
        again = read(other.source(), [shop.samples.arguments(other.signature, shop.rng)])
        assert again is not None
        assert list(again.kinds) == list(other.kinds)
        program = other
    assert changed > 20


def test_what_is_added_makes_a_difference() -> None:
    shop = workshop()
    piece = next(piece for piece in shop.pieces if piece.name == "width_of")
    program = start(piece, shop)
    assert program is not None
    for _ in range(30):
        grown = grow(program, shop)
        if grown and grown.kinds == program.kinds:
            before, after = Loaded(program.source()), Loaded(grown.source())
            calls = [shop.samples.arguments(program.signature, shop.rng) for _ in range(40)]
            assert any(before.call("f", a).value != after.call("f", a).value for a in calls)


def test_an_instruction_makes_what_it_speaks_of_likelier() -> None:
    phrases = [operation.phrase for operation in operations()["ints"]]
    weights = [1.0] * len(phrases)
    plain = Workshop(Samples(SEED), [], seeded(1))
    asked = Workshop(Samples(SEED), [], seeded(1), "Please work with reversed lists")
    count = {
        shop.instruction: sum("reverse" in shop.choose(phrases, weights, phrases) for _ in range(400))
        for shop in (plain, asked)
    }
    assert count[asked.instruction] > 2 * count[plain.instruction]


def test_a_generator_stands_in_single_parentheses() -> None:
    source = "def f(a):\n    return sum(len(b) for b in a if any(c for c in b)) + max((x for x in a), default=0)"
    assert written(ast.parse(source)) == source
