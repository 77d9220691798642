"""Parsing Python that is not ours, without its warnings."""

from __future__ import annotations

import ast
import warnings


def parse(source: str) -> ast.Module:
    """The syntax tree of `source`. Raises SyntaxError, for whatever reason it does not parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown escapes and the like: they are the author's business
        try:
            return ast.parse(source)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError("characters that are none in Python, or nested too deeply") from error
