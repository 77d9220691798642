"""A proposal as a language model would write it: one fenced block per part."""

from __future__ import annotations

import re

from app.domain.fences import fenced
from app.domain.values import LiteralError, parse_arguments, render
from app.engines._procedural.problems.made import Made

_BLOCK = re.compile(r"^(`{3,})(python|input|message)\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)


def write(made: Made) -> str:
    blocks = [fenced(made.source, "python")]
    blocks += [fenced(", ".join(map(render, arguments)), "input") for arguments in made.inputs]
    if made.message:
        blocks.append(fenced(made.message, "message"))
    return "\n\n".join(blocks)


def read(reply: str) -> Made | None:
    """The parts of a reply written by `write`; None for any other."""
    found = _BLOCK.findall(reply)
    sources = [text for _, language, text in found if language == "python"]
    messages = [text for _, language, text in found if language == "message"]
    try:
        inputs = [parse_arguments(text) for _, language, text in found if language == "input"]
    except LiteralError:
        return None
    return Made(sources[-1], inputs, messages[-1] if messages else "") if sources and inputs else None
