"""Turns code cut out of its context into pure code over parameters.

What the fragment asks of the world outside becomes a parameter: attributes, unknown calls, input. What it does to the
world is dropped or becomes a result: an exception raised, a value yielded or printed is returned.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from app.engines._procedural.language import FUNCTIONS, METHODS
from app.engines._procedural.naming import clean, noun, unused

RESULTS = "results"
# Modules with functions called like methods of strings and lists: re.split, copy.copy; and those whose name is also a
# variable's: path.join, string.capwords.
_MODULES = {"os", "re", "copy", "shutil", "time", "np", "math", "struct"}
_AMBIGUOUS = {"path", "posixpath", "ntpath", "string"}
_DROPPED = (
    ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Assert, ast.ClassDef, ast.FunctionDef,
    ast.AsyncFunctionDef,
)  # fmt: skip


class Cleaner(ast.NodeTransformer):
    """Cleans one fragment. Sets `collects` when values are gathered in a list named RESULTS."""

    def __init__(self, body: Sequence[ast.stmt]) -> None:
        self.collects = 0
        self._names: dict[str, str] = {}  # source text of a foreign expression -> the parameter in its place
        self._local = {
            node.id
            for statement in body
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        }

    def clean(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        cleaned: list[ast.stmt] = []
        for statement in body:
            result = self.visit(statement)
            cleaned.extend(result if isinstance(result, list) else [result] if result else [])
        return cleaned

    def visit(self, node: ast.AST) -> Any:
        return None if isinstance(node, _DROPPED) else super().visit(node)

    def _parameter(self, text: str, name: str) -> ast.expr:
        if text not in self._names:
            self._names[text] = unused(name, set(self._names.values()) | {clean(local) for local in self._local})
        return ast.Name(self._names[text], ast.Load())

    # Expressions

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in FUNCTIONS and node.id not in self._local:
            return node
        if node.id in self._local:
            return ast.Name(clean(node.id), node.ctx)
        return self._parameter(node.id, clean(node.id))

    def visit_arg(self, node: ast.arg) -> ast.arg:
        self._local.add(node.arg)
        return ast.arg(clean(node.arg))

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        node.args = self.visit(node.args)
        node.body = self.visit(node.body)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.attr not in self._local:
            return self._parameter(ast.unparse(node), clean(node.attr))
        self._local.add(node.attr)
        return ast.Name(clean(node.attr), node.ctx)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node.func:
            case ast.Name(id="input"):
                return self._parameter(f"input {len(self._names)}", "line")
            case ast.Name(id=name) if name in FUNCTIONS and name not in self._local:
                pass
            case ast.Attribute(value=owner, attr=method) if method in METHODS and not self._is_module(owner, method):
                node.func = ast.Attribute(self.visit(owner), method, ast.Load())
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return self._parameter(ast.unparse(node), noun(name))
            case _:
                return self._parameter(ast.unparse(node), "value")
        node.args = [self.visit(argument) for argument in node.args]
        node.keywords = [ast.keyword(word.arg, self.visit(word.value)) for word in node.keywords]
        return node

    def _is_module(self, owner: ast.expr, method: str) -> bool:
        match owner:
            case ast.Name(id=name) if name not in self._local:
                return name in _MODULES or (name in _AMBIGUOUS and method in ("join", "split"))
            case ast.Attribute(attr="path"):
                return method in ("join", "split")
        return False

    def visit_Await(self, node: ast.Await) -> ast.expr:
        expression: ast.expr = self.visit(node.value)
        return expression

    # Statements

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        node.value = self.visit(node.value)
        node.targets = [self.visit(target) for target in node.targets]
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name(id=source)) if target == source:
                return None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        return self.visit_Assign(ast.Assign([node.target], node.value)) if node.value else None

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        match node.exc:
            case ast.Call(args=[argument]) if isinstance(argument, ast.Constant | ast.BinOp | ast.JoinedStr):
                return ast.Return(self.visit(argument))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) | ast.Name(id=name):
                return ast.Return(ast.Constant(clean(name).removesuffix("_").replace("_", " ")))
        return ast.Return(ast.Constant("error"))

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | None:
        match node.value:
            case ast.Constant():
                return None
            case ast.Yield(value=value):
                return self._collect("append", value or ast.Constant(None))
            case ast.YieldFrom(value=value):
                return self._collect("extend", value)
            case ast.Call(func=ast.Name(id="print"), args=arguments):
                if not arguments:
                    return None
                shown = arguments[0] if len(arguments) == 1 else ast.Tuple(arguments, ast.Load())
                return self._collect("append", shown)
        node.value = self.visit(node.value)
        return node if isinstance(node.value, ast.Call) else None

    def _collect(self, method: str, value: ast.expr) -> ast.stmt:
        self.collects += 1
        return ast.Expr(
            ast.Call(ast.Attribute(ast.Name(RESULTS, ast.Load()), method, ast.Load()), [self.visit(value)], [])
        )

    def _body_alone(self, node: ast.Try | ast.With) -> list[ast.stmt]:
        return self.clean(node.body)

    visit_Try = visit_With = _body_alone

    def _with_blocks(self, node: ast.If | ast.For | ast.While) -> ast.stmt:
        if isinstance(node, ast.For):
            node.iter = self.visit(node.iter)
            node.target = self.visit(node.target)
        else:
            node.test = self.visit(node.test)
        node.body = self.clean(node.body) or [ast.Pass()]
        node.orelse = self.clean(node.orelse)
        return node

    visit_If = visit_For = visit_While = _with_blocks
