"""Every function that can be made of a seed's code: its functions, runs of statements, and expressions."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.engines._procedural.cleaning import RESULTS, Cleaner
from app.engines._procedural.fragments import statement_lists
from app.engines._procedural.free_names import free_names
from app.engines._procedural.language import MUTATORS, Impure, operations, require_pure
from app.engines._procedural.naming import clean, noun
from app.engines._procedural.tidying import tidy

_MOST_PARAMETERS = 4
_LONGEST_SOURCE = 900
_LONGEST_LINE = 100
_LONGEST_RUN = 6  # statements taken together
_COMPOUND = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Candidate(NamedTuple):
    """One function cut out. `about` is the first line of what the surrounding code says of itself."""

    source: str
    about: str
    kind: str  # function, statements or expression


def candidates(seed_text: str) -> list[Candidate]:
    """All distinct candidates, in the order of the text."""
    found: dict[str, Candidate] = {}
    for body in statement_lists(seed_text):
        for candidate in _within(body, ""):
            found.setdefault(candidate.source, candidate)
    return list(found.values())


def _within(body: Sequence[ast.stmt], about: str) -> Iterator[Candidate]:
    for first in range(len(body)):
        for last in range(first + 1, min(len(body), first + _LONGEST_RUN) + 1):
            run = body[first:last]
            if not isinstance(run[-1], _COMPOUND):
                yield from _candidate(run, _name_of(run), about, "statements")
    for statement in body:
        inner = about
        if isinstance(statement, _COMPOUND):
            inner = _about(statement)
            if not isinstance(statement, ast.ClassDef):
                yield from _candidate(statement.body, clean(statement.name), inner, "function")
        else:
            yield from _expressions(statement, about)
        for field in ("body", "orelse", "finalbody"):
            nested = getattr(statement, field, None)
            if isinstance(nested, list):
                yield from _within(nested, inner)


def _expressions(statement: ast.stmt, about: str) -> Iterator[Candidate]:
    named = statement.value if isinstance(statement, ast.Assign) else None
    for field in ast.iter_child_nodes(statement):
        if isinstance(field, ast.stmt):
            continue  # reached through its own block
        for node in ast.walk(field):
            if isinstance(node, ast.expr) and not isinstance(node, ast.Starred | ast.Slice | ast.Yield | ast.Await):
                name = _name_of([statement]) if node is named else ""
                yield from _candidate([ast.Return(node)], name, about, "expression")


def _candidate(body: Sequence[ast.stmt], name: str, about: str, kind: str) -> Iterator[Candidate]:
    """The fragment as a function over its free names; nothing where it does not make one."""
    if sum(operations(statement) for statement in body) == 0:
        return
    try:
        source = _as_function(body, name, about if kind == "function" else "")
    except (Impure, SyntaxError, ValueError, TypeError, AttributeError, RecursionError):
        # Fragments torn out of their context may make no tree that can be written down.
        return
    if source:
        yield Candidate(source, about, kind)


def _as_function(original: Sequence[ast.stmt], name: str, docstring: str) -> str | None:
    body = copy.deepcopy(list(original))
    cleaner = Cleaner(body)
    body = tidy(_returning(cleaner.clean(body), cleaner.collects))
    if not body:
        return None
    parameters = free_names(body)
    if not 1 <= len(parameters) <= _MOST_PARAMETERS or {"self", "cls"} & set(parameters):
        return None
    if docstring and docstring.endswith("."):
        body.insert(0, ast.Expr(ast.Constant(docstring)))
    arguments = ast.arguments([], [ast.arg(parameter) for parameter in parameters], None, [], [], None, [])
    function = ast.FunctionDef(name or "value", arguments, body, [])
    if hasattr(function, "type_params"):
        function.type_params = []
    source = ast.unparse(ast.fix_missing_locations(function))
    if len(source) > _LONGEST_SOURCE or max(map(len, source.splitlines())) > _LONGEST_LINE or "__" in source:
        return None
    tree = ast.parse(source)
    require_pure(tree)
    compile(tree, "<candidate>", "exec")
    return source if operations(tree) else None


def _returning(body: list[ast.stmt], collects: int) -> list[ast.stmt]:
    """The body with a result: what it collects, else what it assigns last. Empty where there is none."""
    if not body:
        return []
    if collects:
        match body[-1]:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)), args=[shown])) if (
                collects == 1 and name == RESULTS
            ):
                return [*body[:-1], ast.Return(shown)]
        start = ast.Assign([ast.Name(RESULTS, ast.Store())], ast.List([], ast.Load()))
        body = [start, *body, ast.Return(ast.Name(RESULTS, ast.Load()))]
    elif not isinstance(body[-1], ast.Return):
        changed = _changed(body)
        if not changed:
            return []
        match body[-1]:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if changed[-1] == name:
                return [*body[:-1], ast.Return(value)]
        body = [*body, ast.Return(ast.Name(changed[-1], ast.Load()))]
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Return) and node.value is None:
                node.value = ast.Constant(None)
    return body


def _changed(body: Sequence[ast.stmt]) -> list[str]:
    """The variables that the body assigns or changes in place, the last changed last."""
    names: dict[str, None] = {}
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AugAssign(target=ast.Name(id=name)):
                    names.pop(name, None)
                    names[name] = None
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in MUTATORS:
                    names[name] = None
    return list(names)


def _name_of(body: Sequence[ast.stmt]) -> str:
    """A name from the variable assigned last."""
    for statement in reversed(body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)]):
                return noun(name)
    return ""


def _about(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    text = (ast.get_docstring(node) or "").strip().split("\n")[0].split(". ")[0].strip(" .,:;")
    if 10 <= len(text) <= 80 and text.isprintable():
        return f"{text}."
    return clean(node.name).rstrip("_").replace("_", " ")
