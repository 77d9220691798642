"""Whether two programs are the same up to names, layout and docstrings, so that nothing is proposed twice."""

from __future__ import annotations

import ast

from app.engines._procedural.language import FUNCTIONS


def key(source: str) -> str:
    """Equal for programs that differ in names alone. Source that does not parse is its own key."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    places: dict[str, str] = {}

    def placed(name: str) -> str:
        return name if name in FUNCTIONS else places.setdefault(name, f"n{len(places)}")

    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = placed(node.id)
        elif isinstance(node, ast.arg):
            node.arg = placed(node.arg)
        elif isinstance(node, ast.FunctionDef):
            node.name = placed(node.name)
            if ast.get_docstring(node):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
