"""Tries candidates out: a piece is a function of the seed with the kinds of argument under which it runs."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import NamedTuple

from app.engines._procedural import hints
from app.engines._procedural.candidates import Candidate
from app.engines._procedural.chance import seeded
from app.engines._procedural.kinds import KINDS, kind_of
from app.engines._procedural.language import Impure, operations, require_pure
from app.engines._procedural.running import Loaded, load_pure
from app.engines._procedural.samples import Samples
from app.engines._procedural.tidying import tidy
from app.engines._procedural.trimming import trim

_TRIES = 80
_PATIENCE = 36  # tries after which something must have run
_ENOUGH = 5  # runs that make a signature believable
_Run = tuple[tuple[object, ...], object]


class Piece(NamedTuple):
    """A function that runs. As a plain tuple it crosses the sandbox's boundary."""

    source: str
    kinds: tuple[str, ...]
    result: str
    about: str
    kind: str  # function, statements or expression

    @property
    def tree(self) -> ast.FunctionDef:
        function = ast.parse(self.source).body[0]
        assert isinstance(function, ast.FunctionDef)  # noqa: S101  (narrows the type: pieces are made this way)
        return function

    @property
    def name(self) -> str:
        return self.tree.name

    @property
    def parameters(self) -> list[str]:
        return [argument.arg for argument in self.tree.args.args]

    @property
    def expression(self) -> ast.expr | None:
        """What it returns, where it does nothing else."""
        match self.tree.body:
            case [ast.Return(value=ast.expr() as value)]:
                return value
        return None


def try_out(candidate: Candidate, samples: Samples) -> Piece | None:
    """The piece, under the likeliest signature that runs and gives diverse plain values; None where none does."""
    tree = ast.parse(candidate.source).body[0]
    assert isinstance(tree, ast.FunctionDef)  # noqa: S101
    parameters = [argument.arg for argument in tree.args.args]
    weights = hints.weigh(candidate.source, parameters)
    by_signature = _runs(candidate.source, tree.name, parameters, weights, samples)
    best: tuple[float, tuple[str, ...], str] | None = None
    for signature, runs in by_signature.items():
        judged = _judge(runs)
        if judged is None:
            continue
        diversity, result = judged
        likely = sum(
            math.log(weights[name][kind] / max(weights[name].values()))
            for name, kind in zip(parameters, signature, strict=True)
        )
        score = min(diversity, 10) / 3 + likely
        if best is None or score > best[0]:
            best = (score, signature, result)
    if best is None:
        return None
    signature = best[1]
    source = trim(candidate.source, tree.name, [arguments for arguments, _ in by_signature[signature]])
    return _piece(source, dict(zip(parameters, signature, strict=True)), best[2], candidate)


def _runs(
    source: str, name: str, parameters: list[str], weights: hints.Weights, samples: Samples
) -> dict[tuple[str, ...], list[_Run]]:
    rng = seeded("trial", source)
    loaded = load_pure(source)
    if loaded is None:
        return {}
    found: dict[tuple[str, ...], list[_Run]] = {}
    endless = 0
    for attempt in range(_TRIES):
        if found and rng.random() < 0.7:
            signature = rng.choice(list(found))
        else:
            signature = tuple(rng.choices(KINDS, [weights[name][kind] for kind in KINDS])[0] for name in parameters)
        arguments = samples.arguments(signature, rng)
        result = loaded.call(name, arguments)
        if result.ok:
            found.setdefault(signature, []).append((arguments, result.value))
        endless += result.error == "OutOfSteps"
        if endless > 2 or (attempt == _PATIENCE and not found):
            return {}
    return found


def _judge(runs: list[_Run]) -> tuple[int, str] | None:
    """How many distinct results of the commonest kind there are; None for dull or unusable ones."""
    if len(runs) < _ENOUGH:
        return None
    outputs: dict[str, list[str]] = {}
    for _, value in runs:
        outputs.setdefault(kind_of(value), []).append(repr(value))
    result = max(outputs, key=lambda kind: len(outputs[kind]))
    diversity = len(set(outputs[result]))
    echoes = sum(_echoes(arguments, value) for arguments, value in runs)
    if result in ("none", "set") or diversity < (2 if result == "bool" else 3) or echoes > 0.7 * len(runs):
        return None
    return diversity, result


def _echoes(arguments: tuple[object, ...], value: object) -> bool:
    """Whether a call only handed its arguments back."""
    if type(value) is bool:
        return False
    if type(value) is tuple:
        return all(item is None or item in arguments for item in value)
    return value in arguments


def survey(candidates: Sequence[Candidate], samples: Samples) -> list[Piece]:
    """The pieces among the candidates, one of each shape."""
    found: dict[str, Piece] = {}
    for candidate in candidates:
        piece = try_out(candidate, samples)
        if piece:
            found.setdefault(_shape(piece.tree), piece)
    return list(found.values())


def _shape(tree: ast.AST) -> str:
    """The tree without names and constants."""
    return " ".join(
        type(node).__name__ + str(getattr(node, "attr", "")) for node in ast.walk(tree) if not isinstance(node, ast.arg)
    )


def _piece(source: str, kinds: dict[str, str], result: str, candidate: Candidate) -> Piece | None:
    """Trimming may have left parameters without a use, or nothing to compute."""
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)  # noqa: S101
    docstring = tree.body[:1] if ast.get_docstring(tree) else []
    tree.body = docstring + tidy(tree.body[len(docstring) :])
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    tree.args.args = [argument for argument in tree.args.args if argument.arg in read]
    parameters = [argument.arg for argument in tree.args.args]
    if not parameters or not operations(tree):
        return None
    source = ast.unparse(tree)
    try:
        require_pure(tree)
        Loaded(source, pure=True)
    except (Impure, SyntaxError):
        return None
    return Piece(source, tuple(kinds[name] for name in parameters), result, candidate.about, candidate.kind)
