"""How code uses its parameters, as weights of the kinds that each could have."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from app.engines._procedural.kinds import KINDS, kind_of
from app.engines._procedural.language import BYTES_METHODS, LIST_METHODS, TABLE_METHODS, TEXT_METHODS

Weights = dict[str, dict[str, float]]  # parameter -> kind -> weight

_COMMON = {"int": 1.0, "str": 1.0, "ints": 0.4, "strs": 0.4, "none": 0.02}
_LISTS = ("ints", "strs")
# The first argument of a built-in function.
_TAKES: dict[str, tuple[str, ...]] = {
    "len": ("str", *_LISTS),
    "int": ("str", "int"),
    "range": ("int",),
    "chr": ("int",),
    "abs": ("int",),
    "bin": ("int",),
    "hex": ("int",),
    "ord": ("str",),
    "sum": ("ints",),
    "max": ("ints",),
    "min": ("ints",),
    "sorted": _LISTS,
    "zip": _LISTS,
    "enumerate": ("strs", "ints"),
    "reversed": _LISTS,
    "any": _LISTS,
    "all": _LISTS,
}
_NAMES = {
    "str": """name text line string path prefix suffix msg message key word value data filename url host sep char ch c s
        default mode header encoding type doc title label token pattern fmt format head tail root ext tag attr""",
    "int": """i n j k count index size length pos start end stop offset lineno width num number depth level year month
        day hour minute second bits maxlen limit step x y z indent total col row""",
    "strs": "args argv names lines words parts items keys fields values files options tokens",
    "table": "cache config counts d dict env environ kwargs kwds mapping params attrs table vars",
}
_KIND_OF_NAME = {name: kind for kind, names in _NAMES.items() for name in names.split()}


def weigh(source: str, parameters: Iterable[str]) -> Weights:
    """Weights for `parameters` from every place where the source uses them, and from their names."""
    reader = _Reader(parameters)
    reader.visit(ast.parse(source))
    return reader.weights


class _Reader(ast.NodeVisitor):
    def __init__(self, parameters: Iterable[str]) -> None:
        self.weights: Weights = {}
        for name in parameters:
            self.weights[name] = {kind: _COMMON.get(kind, 0.15) for kind in KINDS}
            bare = name.rstrip("_0123456789").lower()
            if bare in _KIND_OF_NAME:
                self.weights[name][_KIND_OF_NAME[bare]] += 6
            elif bare.endswith(("list", "names", "s")):
                self.weights[name]["strs"] += 2

    def _add(self, node: ast.expr | None, kinds: Iterable[str], weight: float = 8.0) -> None:
        if isinstance(node, ast.Name) and node.id in self.weights:
            for kind in kinds:
                self.weights[node.id][kind] += weight

    def visit_Call(self, node: ast.Call) -> None:
        match node.func:
            case ast.Attribute(value=owner, attr=method):
                self._add(owner, ("str",) * (method in TEXT_METHODS))
                self._add(owner, _LISTS * (method in LIST_METHODS))
                self._add(owner, ("table",) * (method in TABLE_METHODS))
                self._add(owner, ("bytes",) * (method in BYTES_METHODS))
                if method in TEXT_METHODS:
                    for argument in node.args:
                        self._add(argument, ("strs",) if method == "join" else ("str",))
            case ast.Name(id="isinstance") if len(node.args) == 2 and isinstance(node.args[1], ast.Name):
                kinds = {
                    "int": "int",
                    "str": "str",
                    "bytes": "bytes",
                    "dict": "table",
                    "list": "strs",
                    "tuple": "tuple",
                }
                self._add(node.args[0], (kinds.get(node.args[1].id, "str"),), 5)
            case ast.Name(id=name) if node.args:
                self._add(node.args[0], _TAKES.get(name, ()))
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            match operator:
                case ast.In() | ast.NotIn():
                    text = _constant_kind(left) == ("str",)
                    self._add(right, ("str", "strs", "table") if text else ("strs", "str", "table"), 4)
                    self._add(left, ("str",), 4)
                case ast.Is() | ast.IsNot():
                    self._add(left, ("none",) if _constant_kind(right) == ("none",) else _constant_kind(right), 1)
                case _:
                    self._add(left, _constant_kind(right))
                    self._add(right, _constant_kind(left))
                    if isinstance(operator, ast.Lt | ast.Gt | ast.LtE | ast.GtE):
                        self._add(left, ("int",), 4)
                        self._add(right, ("int",), 4)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not (isinstance(node.op, ast.Mod) and _constant_kind(node.left) == ("str",)):
            self._add(node.left, _constant_kind(node.right))
        self._add(node.right, ("str", "int") if _constant_kind(node.left) == ("str",) else _constant_kind(node.left))
        if not isinstance(node.op, ast.Add | ast.Mod):
            self._add(node.left, ("int", "float"), 3)
            self._add(node.right, ("int",), 4)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        named = _constant_kind(node.slice) == ("str",)
        self._add(node.value, ("table",) if named else ("str", *_LISTS, "tuple"))
        self._add(node.slice, ("int",), 5)
        if isinstance(node.slice, ast.Slice):
            self._add(node.slice.lower, ("int",))
            self._add(node.slice.upper, ("int",))
        self.generic_visit(node)

    def _iterated(self, target: ast.expr, source: ast.expr) -> None:
        self._add(source, ("pairs",) if isinstance(target, ast.Tuple) else (*_LISTS, "str"))

    def visit_For(self, node: ast.For) -> None:
        self._iterated(node.target, node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._iterated(node.target, node.iter)
        self.generic_visit(node)

    def _tested(self, node: ast.expr) -> None:
        self._add(node, ("bool",), 1.5)

    def visit_If(self, node: ast.If) -> None:
        self._tested(node.test)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._tested(node.operand)
        self.generic_visit(node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        self._add(node.value, ("str", "int"))
        self.generic_visit(node)


def _constant_kind(node: ast.expr) -> tuple[str, ...]:
    if not isinstance(node, ast.Constant):
        return ()
    kind = kind_of(node.value)
    return (kind,) if kind in KINDS else ()
