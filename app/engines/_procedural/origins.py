"""Which piece of the seed a program began as, told from its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from app.engines._procedural.pieces import Piece
from app.engines._procedural.program import Program


def origin(program: Program, pieces: Sequence[Piece]) -> Piece | None:
    """The piece whose code is the program's first stage or one of its helpers, whatever the names in it."""
    first = _shape(program.stages[0].value)
    helpers = {_shape(helper) for helper in program.helpers.values()}
    for piece in pieces:
        expression = piece.expression
        if _shape(piece.tree) in helpers or (expression is not None and _shape(expression) == first):
            return piece
    return None


def _shape(node: ast.AST) -> str:
    """The tree without names and docstrings."""
    if isinstance(node, ast.FunctionDef):
        body = node.body[bool(ast.get_docstring(node)) :]
        return " ".join(map(_shape, body))
    return re.sub(r"\b(id|name|arg)='\w*'", "", ast.dump(node))
