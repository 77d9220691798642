"""When two problems are the same: exactly (`content_hash`), or in code up to names, formatting and docstrings."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache

from app.domain.code import children, nodes, tree_of
from app.domain.problem import Problem

# Fields that say nothing of what the code does: annotations are not run, contexts and type comments repeat the rest.
_SILENT = frozenset({"annotation", "returns", "type_comment", "type_params", "type_ignores", "ctx", "kind"})
_DEFAULTS = frozenset({"defaults", "kw_defaults"})
_OWN_NAME = frozenset({"name", "decorator_list"})
# Tuples, since isinstance takes several times as long with unions.
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPE = (ast.Module, *_FUNCTION, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# Nodes that hold nothing of the scope around them.
_CLOSED = (ast.Name, ast.Constant, *_SCOPE, ast.ClassDef)
# Nodes with a text field that is a name which the program binds or uses.
_NAMED = (ast.Name, ast.arg, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_NAMING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)


def content_hash(encoded: str) -> str:
    """SHA-256 over everything that makes a problem what it is, as `encode_problem` writes it."""
    return hashlib.sha256(encoded.encode()).hexdigest()


def fingerprint(problem: Problem) -> str:
    """The exact-duplicate key: equal for programs that differ in local names, layout, comments and docstrings only.

    Imports, attributes, keywords and constants count; inputs and messages do not: a program asked about again with
    other inputs is a duplicate. The key is the same under every Python that parses the program. Raises SyntaxError.
    """
    try:
        text = _Canonical().text(tree_of(problem.program))
    except RecursionError:
        text = problem.program  # nested too deeply to be walked: such programs are the same when their text is
    return hashlib.sha256(f"{problem.environment}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


class _Canonical:
    """Writes a tree with every name that the program binds replaced by its scope's depth and its place there."""

    def __init__(self) -> None:
        self._scopes: list[dict[str, str]] = []
        self._out: list[str] = []

    def text(self, tree: ast.Module) -> str:
        self._write(tree)
        return "".join(self._out)

    def _write(self, value: object) -> None:
        if isinstance(value, ast.Name):  # as `_node` would: most nodes are names and constants
            self._out.append(f"Name(id={self._name(value.id)};)")
        elif isinstance(value, ast.Constant):
            self._out.append(f"Constant(value={type(value.value).__name__}:{value.value!r};)")
        elif isinstance(value, _SCOPE):
            self._scope(value)
        elif isinstance(value, ast.AST):
            self._node(value)
        elif isinstance(value, list):
            for item in value:
                self._write(item)
                self._out.append(",")
        else:
            self._out.append(f"{type(value).__name__}:{value!r}")

    def _scope(self, node: ast.Module | ast.AST) -> None:
        """A node that opens a scope. A function's own name, defaults and decorators belong to the one around it."""
        if isinstance(node, _FUNCTION):
            self._write(node.args.defaults)
            self._write(node.args.kw_defaults)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self._out.append(self._name(node.name))
            self._write(node.decorator_list)
        depth = len(self._scopes)
        self._scopes.append({name: f"${depth}.{place}" for place, name in enumerate(dict.fromkeys(_bound(node)))})
        self._node(node, skip=_OWN_NAME)
        self._scopes.pop()

    def _node(self, node: ast.AST, skip: frozenset[str] = frozenset()) -> None:
        self._out.append(f"{type(node).__name__}(")
        for field in _fields(type(node)):  # type: ignore[arg-type]  # mypy takes no class for hashable
            value = getattr(node, field, None)
            if value is None or (isinstance(value, list) and not value) or field in skip:
                continue
            self._out.append(f"{field}=")
            self._field(node, field, value)
            self._out.append(";")
        self._out.append(")")

    def _field(self, node: ast.AST, field: str, value: object) -> None:
        if isinstance(value, ast.AST):
            self._write(value)
        elif isinstance(value, str) and isinstance(node, _NAMED):
            self._out.append(self._name(value))
        elif field == "body" and isinstance(value, list):
            self._write([statement for statement in value if not _is_docstring(statement)])
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            self._out.extend(map(self._name, node.names))
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and field == "names":
            self._out.extend(f"{alias.name} as {self._name(_local(alias))}," for alias in node.names)
        else:
            self._write(value)

    def _name(self, name: str) -> str:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return name


@cache
def _fields(kind: type[ast.AST]) -> Sequence[str]:
    """Those that are written of a node. A function's defaults are written with what is around it."""
    silent = _SILENT | _DEFAULTS if kind is ast.arguments else _SILENT
    return [field for field in kind._fields if field not in silent]


def _bound(scope: ast.AST) -> Iterator[str]:
    """Names that a scope binds, in the order of appearance, leaving the scopes and classes inside it alone."""
    if isinstance(scope, _FUNCTION):
        yield from (node.arg for node in nodes(scope.args) if isinstance(node, ast.arg))
        body: list[ast.AST] = [*scope.body] if isinstance(scope.body, list) else [scope.body]
    else:
        body = children(scope)
    inside = _within(body)
    foreign = {name for node in inside if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names}
    yield from (name for node in inside if (name := _binding(node)) and name not in foreign)


def _within(body: Sequence[ast.AST]) -> list[ast.AST]:
    """`body` and what is below it in the same scope, in the order of the source."""
    found: list[ast.AST] = []
    left = [*reversed(body)]
    while left:
        node = left.pop()
        found.append(node)
        if not isinstance(node, _CLOSED):
            left += reversed(children(node))
    return found


def _binding(node: ast.AST) -> str | None:
    """The name that this node binds, if it binds one."""
    if isinstance(node, ast.Name):
        return None if isinstance(node.ctx, ast.Load) else node.id
    if isinstance(node, _NAMING):
        return node.name
    return _local(node) if isinstance(node, ast.alias) else None


def _local(alias: ast.alias) -> str:
    return alias.asname or alias.name.split(".")[0]


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
