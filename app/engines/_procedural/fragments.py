"""Cuts statement lists out of text that may start and end anywhere in a file."""

from __future__ import annotations

import ast
import re
import warnings


def statement_lists(text: str) -> list[list[ast.stmt]]:
    """Every longest run of lines that parses, outermost first, with its common indent taken off."""
    lines = text.expandtabs().splitlines()
    found: list[list[ast.stmt]] = []
    start = 0
    while start < len(lines):
        line = lines[start].strip()
        body, end = ([], start + 1) if not line or line.startswith("#") else _longest(lines, start)
        if body:
            found.append(body)
        start = end
    return found


def _longest(lines: list[str], start: int) -> tuple[list[ast.stmt], int]:
    """The statements of the longest block from `start` that parses, and the line after it."""
    depth = _indent(lines[start])
    end = next((i for i in range(start, len(lines)) if lines[i].strip() and _indent(lines[i]) < depth), len(lines))
    while end > start:
        block = [line[depth:] for line in lines[start:end]]
        # A block that begins inside a compound statement goes on as one of its own.
        block[0] = re.sub(r"^(else|try|finally)\s*:.*", "if True:", re.sub(r"^elif\b", "if", block[0]))
        body, broken_at = _parse("\n".join(block))
        if body is None:
            # The last line may be the header of a block that was cut off.
            body, _ = _parse("\n".join([*block, " " * (_indent(block[-1]) + 4) + "pass"]))
        if body is not None:
            return body, end
        end = min(end - 1, start + broken_at - 1)
        while end > start and end < len(lines) and _indent(lines[end]) > depth:
            end -= 1
    return [], start + 1


def _parse(source: str) -> tuple[list[ast.stmt] | None, int]:
    """The statements, or None with the line (from 1) at which parsing failed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source).body, 0
    except SyntaxError as error:
        return None, error.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        return None, 1


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
