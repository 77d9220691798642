"""Takes the noise out of a cleaned fragment: work that no result depends on, and second names for a parameter."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

from app.engines._procedural.language import MUTATORS


def tidy(body: list[ast.stmt]) -> list[ast.stmt]:
    """The same function body without idle statements and copies. May be empty."""
    body = _without_idle(_without_copies(_without_idle(body)))
    match body[-3:]:
        case [
            ast.Assign(targets=[ast.Name(id=made)], value=ast.List(elts=[])),
            ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=filled), attr="append"), args=[item])),
            ast.Return(value=ast.Name(id=returned)),
        ] if made == filled == returned:
            body[-3:] = [ast.Return(ast.List([item], ast.Load()))]
    match body[-2:]:
        case [ast.Assign(targets=[ast.Name(id=name)], value=value), ast.Return(value=ast.Name(id=returned))] if (
            name == returned
        ):
            body[-2:] = [ast.Return(value)]
    return _without_stores(body, _names(ast.Module(body, []), ast.Load))


def _without_idle(body: list[ast.stmt]) -> list[ast.stmt]:
    """Without the statements that nothing returned depends on."""
    kept: list[ast.stmt] = []
    needed: set[str] = set()
    for statement in reversed(body):
        if _returns(statement) or _written(statement) & needed:
            kept.insert(0, statement)
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)]):
                    needed.discard(name)  # what it held before is overwritten here
            needed |= _names(statement, ast.Load)
    return kept


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, context)}


def _returns(statement: ast.stmt) -> bool:
    return any(isinstance(node, ast.Return) for node in ast.walk(statement))


def _written(statement: ast.stmt) -> set[str]:
    """The variables that a statement binds or changes in place."""
    written = _names(statement, ast.Store)
    for node in ast.walk(statement):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                written.add(name)
            case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in MUTATORS:
                written |= _names(owner, ast.Load)
    return written


def _without_copies(body: list[ast.stmt]) -> list[ast.stmt]:
    """`x = y` at the top, where y serves nothing else: y is a parameter and may as well be called x."""
    reads: Counter[str] = Counter()
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, ast.Name):
            reads[node.id] += 1
    for position, statement in enumerate(body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name(id=source)) if reads[source] == 1 and not any(
                _mentions(earlier, target) for earlier in body[:position]
            ):
                return _without_copies([*body[:position], *body[position + 1 :]])
            case ast.Assign():
                continue
        break
    return body


def _mentions(statement: ast.stmt, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(statement))


def _without_stores(body: Sequence[ast.stmt], loaded: set[str]) -> list[ast.stmt]:
    """Inside loops and branches: no store that is never read."""
    kept: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) if name not in loaded:
                continue
            case ast.If() | ast.For() | ast.While():
                statement.body = _without_stores(statement.body, loaded) or [ast.Pass()]
                statement.orelse = _without_stores(statement.orelse, loaded)
                if all(isinstance(inner, ast.Pass) for inner in statement.body) and not statement.orelse:
                    continue
        kept.append(statement)
    return kept
