"""One proposal: from the facts of the brief to the text of a reply. Knows nothing but what it is told here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.engines._procedural import replies
from app.engines._procedural.aims import Measured, next_cost
from app.engines._procedural.chance import seeded
from app.engines._procedural.growing import grow, start
from app.engines._procedural.language import operations
from app.engines._procedural.origins import origin
from app.engines._procedural.pieces import Piece
from app.engines._procedural.problems import BUILDERS, fuzzing
from app.engines._procedural.problems.made import Made, Rejected, Wish
from app.engines._procedural.program import Program, read
from app.engines._procedural.sameness import key
from app.engines._procedural.samples import Samples, size_of
from app.engines._procedural.shrinking import shrink
from app.engines._procedural.workshop import Workshop, run

_TRIES, _FRESH_TRIES = 24, 24  # from the parent, then from another piece if nothing came of it
_LEAST_MOVE = 0.5  # log odds
_CLOSE = 0.08  # a cost this near to the wished one is taken at once


class Facts(NamedTuple):
    """What a brief says, as plain values that cross the sandbox's boundary."""

    environment: str
    seed_text: str
    pieces: Sequence[tuple[Any, ...]]
    direction: str
    target: float
    past: Sequence[tuple[str, float | None, bool]]  # reply, pass rate (None: unmeasured), whether it is the parent
    instruction: str
    options: Mapping[str, object]
    unchecked: float
    rng: str


class _Earlier(NamedTuple):
    made: Made
    program: Program | None
    rate: float | None
    cost: float
    piece: Piece | None


def propose(facts: Facts) -> tuple[str, str]:
    """The reply and how it came about. The reply is empty where no problem was found."""
    shop = Workshop(
        Samples(facts.seed_text),
        [Piece(*piece) for piece in facts.pieces],
        seeded("propose", facts.rng),
        facts.instruction,
    )
    earlier, parent = _history(facts, shop)
    wished = _wished(facts, earlier, parent)
    if facts.direction == "repair" and (parent is None or parent.program is None):
        # Nothing there to mend: the variant nearest to the target is gone on from instead.
        known = [one for one in earlier if one.rate is not None and one.program]
        parent = min(known, key=lambda one: abs((one.rate or 0.0) - facts.target), default=None)
    base = parent.program if parent else None
    seen = {key(one.made.source) for one in earlier}
    spent = {one.piece for one in earlier}
    shop.fresh = [piece for piece in shop.pieces if piece not in spent] or shop.pieces
    if shop.rng.random() < facts.unchecked:
        made = _unchecked(facts.environment, base, shop)
        if made:
            return replies.write(made), "Sent without trying it out."
    made = _search(facts, shop, base, parent, wished, seen)
    if made is None:
        return "", "No problem was found in this seed."
    aim = "any cost" if wished is None else f"a cost of {wished:.2f}"
    return replies.write(made), f"Aimed at a pass rate of {facts.target:.2f} by {aim}; this one costs {made.cost:.2f}."


def _wished(facts: Facts, earlier: Sequence[_Earlier], parent: _Earlier | None) -> float | None:
    """The cost to aim at. Whatever other variants suggest, the parent is left in the direction that was asked for."""
    slope = BUILDERS[facts.environment].SLOPE
    measured = [Measured(one.cost, one.rate) for one in earlier if one.rate is not None]
    wished = next_cost(measured, facts.target, slope)
    if wished is None or parent is None or parent.rate is None:
        return wished
    match facts.direction:
        case "harder":
            return max(wished, parent.cost + _LEAST_MOVE / slope)
        case "easier":
            return min(wished, parent.cost - _LEAST_MOVE / slope)
        case "vary":
            return parent.cost
    return wished


def _history(facts: Facts, shop: Workshop) -> tuple[list[_Earlier], _Earlier | None]:
    builder = BUILDERS[facts.environment]
    earlier: list[_Earlier] = []
    parent: _Earlier | None = None
    for reply, rate, is_parent in facts.past:
        made = replies.read(reply)
        if made is None:
            continue
        program = read(_without_tests(made.source), made.inputs)
        cost = builder.cost(made, program, shop) if rate is not None else 0.0
        one = _Earlier(made, program, rate, cost, origin(program, shop.pieces) if program else None)
        earlier.append(one)
        parent = one if is_parent else parent
    return earlier, parent


def _search(
    facts: Facts, shop: Workshop, base: Program | None, parent: _Earlier | None, wished: float | None, seen: set[str]
) -> Made | None:
    """Of the candidates that work the one whose cost is nearest to the wished one, mutants of it among them."""
    builder = BUILDERS[facts.environment]
    found: list[tuple[float, Made]] = []
    nearest = base
    for attempt in range(_TRIES + _FRESH_TRIES):
        if attempt >= _TRIES and found:
            break
        if attempt == _TRIES + _FRESH_TRIES // 2:
            shop.fresh = shop.pieces
        root = nearest if shop.rng.random() < 0.6 else base
        program, size = _candidate(facts, shop, root if attempt < _TRIES else None, parent, wished)
        if program is None:
            continue
        try:
            made = builder.build(program, shop, Wish(wished, size, facts.options))
        except Rejected:
            continue
        if key(made.source) in seen:
            continue
        if wished is None:
            return made
        distance = abs(made.cost - wished)
        if base and (not found or distance < min(found, key=lambda pair: pair[0])[0]):
            nearest = program
        found.append((distance, made))
        if distance < _CLOSE or len(found) >= builder.CANDIDATES:
            break
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _candidate(
    facts: Facts, shop: Workshop, base: Program | None, parent: _Earlier | None, wished: float | None
) -> tuple[Program | None, int]:
    """A program to try, and the size of the values to try it on."""
    if base is None or parent is None:
        return _fresh(shop, facts.environment), 6
    size = size_of(parent.made.inputs[0])
    if facts.direction == "repair" or wished is None or parent.rate is None:
        changes = [shop.rng.random() < 0.5] * shop.rng.choice([0, 1, 1])
        harder = False
    else:
        harder = wished > parent.cost
        changes = [shop.rng.random() < (0.85 if harder else 0.15) for _ in range(shop.rng.choice([1, 1, 2, 3]))]
        changes += [harder] * int(min(3, abs(wished - parent.cost)) * shop.rng.random())
    program: Program | None = base
    for longer in changes:
        program = (grow if longer else shrink)(program, shop) if program else None
    return program, max(3, min(14, size + shop.rng.choice([0, 0, 2 if harder else -2])))


def _fresh(shop: Workshop, environment: str) -> Program | None:
    """A piece of the seed, often with some stages more."""
    if not shop.pieces:
        return None
    weights = [operations(piece.tree) ** 0.5 for piece in shop.fresh]
    piece = shop.choose(shop.fresh, weights, [piece.source for piece in shop.fresh])
    program = start(piece, shop)
    for _ in range(shop.rng.choice(BUILDERS[environment].STAGES)):
        program = (grow(program, shop) or program) if program else None
    return program


def _unchecked(environment: str, base: Program | None, shop: Workshop) -> Made | None:
    """The first idea, with arguments that nobody tried."""
    program = base.copy() if base else _fresh(shop, environment)
    grown = grow(program, shop) if program else None
    program = grown or program
    if program is None or run(program, shop, 1, 6) is None:
        return None
    if environment == "fuzzing":
        return fuzzing.hasty(program, shop)
    inputs = [shop.samples.arguments(program.signature, shop.rng) for _ in range(6)]
    message = "Find out from the examples what f does." if environment == "induction" else ""
    return Made(program.source(), inputs, message)


def _without_tests(source: str) -> str:
    """The program alone, for fuzzing."""
    return source.split("\n\n\ndef pre_test_f(")[0]
