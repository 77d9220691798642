"""The pure part of Python that the teacher writes in: what means the same everywhere."""

from __future__ import annotations

import ast
import builtins


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Pure built-in functions, and the types that code asks for by name.
FUNCTIONS = _words(
    """abs all any bin bool bytes chr dict divmod enumerate filter float hex int isinstance len list map max min
    oct ord range repr reversed round set slice sorted str sum tuple zip"""
)
TEXT_METHODS = _words(
    """capitalize casefold center count encode endswith expandtabs find index isalnum isalpha isdecimal isdigit
    isidentifier islower isnumeric isspace istitle isupper join ljust lower lstrip partition removeprefix
    removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase
    title upper zfill"""
)
LIST_METHODS = _words("append clear copy extend insert pop remove reverse sort")
TABLE_METHODS = _words("get items keys popitem setdefault update values")
BYTES_METHODS = _words("decode hex")
METHODS = TEXT_METHODS | LIST_METHODS | TABLE_METHODS | BYTES_METHODS | {"bit_length"}
MUTATORS = LIST_METHODS - {"copy"} | {"popitem", "setdefault", "update"}

# Exceptions named in conditions and comparisons stay out: the code handed on neither raises nor catches.
_SYNTAX: tuple[type[ast.AST], ...] = (
    # Statements
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.For, ast.While,
    ast.If, ast.Expr, ast.Pass, ast.Break, ast.Continue, ast.Delete,
    # Expressions
    ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Dict, ast.List, ast.Tuple, ast.ListComp, ast.DictComp,
    ast.GeneratorExp, ast.Compare, ast.Call, ast.FormattedValue, ast.JoinedStr, ast.Lambda, ast.Constant, ast.Attribute,
    ast.Subscript, ast.Starred, ast.Name, ast.Slice, ast.comprehension, ast.keyword,
    # Contexts and operators
    ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip

# Syntax at which something is computed: the teacher's measure of size.
OPERATIONS = (
    ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Subscript, ast.IfExp, ast.ListComp, ast.DictComp,
    ast.SetComp, ast.GeneratorExp, ast.JoinedStr, ast.For, ast.While, ast.If,
)  # fmt: skip

_LONGEST_TEXT = 120
_LARGEST_EXPONENT = 16


class Impure(Exception):
    """Code outside the pure part; says what was met."""


def is_builtin(name: str) -> bool:
    return hasattr(builtins, name)


def operations(tree: ast.AST) -> int:
    return sum(isinstance(node, OPERATIONS) for node in ast.walk(tree))


def require_pure(tree: ast.AST) -> None:
    """Raises Impure for syntax, names, attributes or constants that the teacher does not hand on."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    ordered = _order_free_sets(tree)
    for node in ast.walk(tree):
        if not isinstance(node, _SYNTAX):
            raise Impure(type(node).__name__)
        match node:
            case ast.Attribute(attr=attr) if attr not in METHODS or id(node) not in called:
                raise Impure(f"attribute {attr}")
            case ast.Name(id=name) if name.startswith("__"):
                raise Impure(f"name {name}")
            case ast.Name(id="set", ctx=ast.Load()) if id(node) not in ordered:
                raise Impure("the order of a set")
            case ast.Constant(value=str(text)) if len(text) > _LONGEST_TEXT or (
                not text.isprintable() and len(text) > 2
            ):
                raise Impure("long constant")
            case ast.Constant(value=value) if value is ... or isinstance(value, complex):
                raise Impure("constant")
            case ast.BinOp(op=ast.Pow() | ast.LShift(), right=right) if not _small(right):
                raise Impure("power")


def _order_free_sets(tree: ast.AST) -> set[int]:
    """The uses of `set` whose order cannot show: sorted(set(x)), len(set(x)), x in set(y), isinstance(x, set)."""
    fine: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="sorted" | "len"), args=[ast.Call(func=ast.Name(id="set") as name), *_]):
                fine.add(id(name))
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.Call(func=ast.Name(id="set") as name)]):
                fine.add(id(name))
            case ast.Call(func=ast.Name(id="isinstance")):
                fine.update(id(name) for name in ast.walk(node) if isinstance(name, ast.Name))
    return fine


def _small(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and abs(node.value) <= _LARGEST_EXPONENT
