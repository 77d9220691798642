"""Replies of a teacher, written by hand."""

from __future__ import annotations

from textwrap import dedent


def reply(program: str, *inputs: str, message: str = "") -> str:
    """The parts in their blocks; `message` only where there is one."""
    parts = [("python", dedent(program).strip()), *(("input", text) for text in inputs)]
    parts += [("message", message)] if message else []
    return "\n\n".join(f"```{name}\n{text}\n```" for name, text in parts)
