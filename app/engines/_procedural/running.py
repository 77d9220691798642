"""Runs code under a budget of steps, so that what is found never depends on how fast the machine is.

Real limits on time and memory are the sandbox's; the budget here only ends loops that would waste them.
"""

from __future__ import annotations

import ast
import builtins
import marshal
import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from app.engines._procedural.language import FUNCTIONS

STEPS = 4_000
_LARGEST_PRODUCT = 1 << 200
_LONGEST_REPEAT = 20_000

Observer = Callable[[object], object]


class OutOfSteps(BaseException):
    """The budget of steps is spent. No Exception, so that no code catches it by chance."""


class Result(NamedTuple):
    """What one call gave; `error` names the exception where it gave nothing."""

    ok: bool
    value: object = None
    error: str = ""


class Loaded:
    """A module's functions, metered. With an `observer`, every value computed passes through it and may be changed."""

    def __init__(
        self,
        source: str,
        *,
        pure: bool = False,
        observer: Observer | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """`extra` adds names. Raises SyntaxError or ValueError for source that does not compile, and whatever the
        module raises."""
        self._left = 0
        names: dict[str, object] = {
            "__builtins__": _builtins(pure) | {"range": self._range},
            "__name__": "problem",
            "_tick": self._tick,
            "_bounded": self._bounded,
            "_times": self._times,
            "_power": self._power,
            "_shift": self._shift,
        }
        if observer:
            names["_see"] = observer
        names.update(extra or {})
        self._left = STEPS
        exec(_compiled(source, observer is not None), names)  # noqa: S102  (this module runs inside the sandbox)
        self._names = names

    def call(self, function: str, arguments: tuple[object, ...], steps: int = STEPS) -> Result:
        """Calls on a copy of the arguments."""
        self._left = steps
        try:
            value = self._names[function](*_copy(arguments))  # type: ignore[operator]
        except OutOfSteps:
            return Result(False, error="OutOfSteps")
        except Exception as error:  # noqa: BLE001  (any exception of the code run is its result)
            return Result(False, error=type(error).__name__)
        return Result(True, value) if is_plain(value) else Result(False, error="Unsupported")

    def _tick(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise OutOfSteps

    def _bounded(self, items: object) -> object:
        self._left -= len(items) if hasattr(items, "__len__") else 1
        if self._left < 0:
            raise OutOfSteps
        return items

    def _range(self, *arguments: int) -> range:
        numbers = range(*arguments)
        if len(numbers) > self._left:
            raise OutOfSteps
        return numbers

    def _times(self, a: object, b: object) -> object:
        if isinstance(a, int) and isinstance(b, int):
            if abs(a) > _LARGEST_PRODUCT or abs(b) > _LARGEST_PRODUCT:
                raise OutOfSteps
        elif isinstance(a, int) and hasattr(b, "__len__"):
            if a * len(b) > _LONGEST_REPEAT:
                raise OutOfSteps
        elif isinstance(b, int) and hasattr(a, "__len__") and b * len(a) > _LONGEST_REPEAT:
            raise OutOfSteps
        return a * b  # type: ignore[operator]

    def _power(self, a: object, b: object) -> object:
        if isinstance(a, int) and isinstance(b, int) and abs(a) > 1 and a.bit_length() * b > 2_000:
            raise OutOfSteps
        return a**b  # type: ignore[operator]

    def _shift(self, a: object, b: object) -> object:
        if isinstance(b, int) and b > 2_000:
            raise OutOfSteps
        return a << b  # type: ignore[operator]


def load_pure(source: str) -> Loaded | None:
    """The teacher's own code, with pure built-ins only; None where it does not load."""
    try:
        return Loaded(source, pure=True)
    except (SyntaxError, ValueError, RecursionError, NameError):
        return None


def is_plain(value: object, depth: int = 0) -> bool:
    """Whether a value is a literal small enough to be read by a person."""
    kind = type(value)
    if kind is int:
        return -(10**18) < value < 10**18  # type: ignore[operator]
    if kind is str or kind is bytes:
        return len(value) <= 200  # type: ignore[arg-type]
    if kind is bool or value is None:
        return True
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]
    if depth > 4:
        return False
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return len(value) <= 60 and all(is_plain(item, depth + 1) for item in value)  # type: ignore[arg-type,attr-defined]
    if kind is dict:
        return len(value) <= 40 and all(  # type: ignore[arg-type]
            is_plain(key, 4) and is_plain(item, depth + 1)
            for key, item in value.items()  # type: ignore[attr-defined]
        )
    return False


def _copy(arguments: tuple[object, ...]) -> tuple[object, ...]:
    copied: tuple[object, ...] = marshal.loads(marshal.dumps(arguments, 2))  # noqa: S302  (our own bytes, for speed)
    return copied


@lru_cache(maxsize=2)
def _builtins(pure: bool) -> dict[str, object]:
    everything = vars(builtins)
    return {name: everything[name] for name in sorted(FUNCTIONS)} if pure else dict(everything)


@lru_cache(maxsize=256)
def _compiled(source: str, observed: bool) -> object:
    tree: ast.AST = ast.parse(source)
    if observed:
        tree = _Observed().visit(tree)
    tree = _Metered().visit(tree)
    return compile(ast.fix_missing_locations(tree), "<problem>", "exec")


def _flat(results: Iterable[ast.AST | list[ast.stmt]]) -> list[ast.stmt]:
    statements: list[ast.stmt] = []
    for result in results:
        statements.extend(result if isinstance(result, list) else [result])  # type: ignore[list-item]
    return statements


def _called(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


class _Metered(ast.NodeTransformer):
    """Counts a step per function entry, loop turn and item gone over, and guards what can grow without a loop."""

    _GUARDS = {ast.Mult: "_times", ast.Pow: "_power", ast.LShift: "_shift"}

    def _ticking(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_called("_tick")))  # type: ignore[attr-defined]
        return node

    visit_For = visit_While = visit_FunctionDef = visit_AsyncFunctionDef = _ticking

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if not node.is_async:
            node.iter = _called("_bounded", node.iter)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        guard = self._GUARDS.get(type(node.op))
        return _called(guard, node.left, node.right) if guard else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        guard = self._GUARDS.get(type(node.op))
        if not guard or not isinstance(node.target, ast.Name):
            return node
        return ast.Assign([node.target], _called(guard, ast.Name(node.target.id, ast.Load()), node.value))


class _Observed(ast.NodeTransformer):
    """Passes every value computed in a function through `_see`."""

    _SEEN = (
        ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Subscript, ast.IfExp, ast.JoinedStr,
        ast.ListComp, ast.DictComp,
    )  # fmt: skip

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.JoinedStr):
            return _called("_see", node)
        if isinstance(node, ast.arguments | ast.pattern):
            return node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _flat(self.visit(statement) for statement in node.body)
            return node
        self.generic_visit(node)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            seen = ast.Assign([ast.Name(name, ast.Store())], _called("_see", ast.Name(name, ast.Load())))
            return [node, seen]
        if isinstance(node, self._SEEN) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            return _called("_see", node)
        return node
