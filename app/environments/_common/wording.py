"""What the words of a problem must not do: quote its code, or speak of another problem."""

from __future__ import annotations

import ast
import re

# Not "task" or "question": programs are about those.
_THING = r"(?:problem|exercise|puzzle|challenge)s?"
_EARLIER = re.compile(
    rf"\b(?:previous|earlier|prior|last|preceding|original|former)\s+(?:\w+\s+)?{_THING}\b"
    rf"|\b(?:easier|harder|simpler|simplified|more difficult|modified|mutated|revised|new)\s+"
    rf"(?:version|variant|variation)\s+(?:of|than)\b"
    rf"|\b(?:easier|harder|simpler) than (?:before|the (?:last|previous|original))\b"
    rf"|\b(?:previous|earlier|last)\s+(?:turn|attempt|proposal)s?\b"
    rf"|\bpass rate\b|\bthe student(?:'s|s)?\b",
    re.IGNORECASE,
)
_DEFINITION = re.compile(r"\bdef\s{1,20}+\w{1,100}+\s{0,20}+\([^\n]{0,200}?\)[^\n:()]{0,100}:")
# Statements shorter than this (`return x`, `i += 1`) are not worth calling a quotation.
_QUOTABLE = 18


def earlier_reference(text: str) -> str | None:
    """The words that refer to another problem or to how this one was made, if there are any."""
    found = _EARLIER.search(text)
    return found[0] if found else None


def quoted_code(message: str, source: str, tree: ast.Module) -> str | None:
    """A piece of the program that the message repeats, whatever the spacing, if there is one."""
    if found := _DEFINITION.search(message):
        return found[0]
    squeezed = _squeeze(message)
    lines = source.split("\n")
    for node in ast.walk(tree):
        if isinstance(node, ast.Return | ast.Assign | ast.AugAssign | ast.For | ast.While | ast.If):
            line = lines[node.lineno - 1].strip()
            # A bare constant may be named in words: `return 'not a valid date'`.
            constant = isinstance(node, ast.Return | ast.Assign) and isinstance(node.value, ast.Constant)
            if len(line) >= _QUOTABLE and not constant and _squeeze(line) in squeezed:
                return line
    return None


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text).replace('"', "'")
