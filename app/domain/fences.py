"""Writing text that is not ours into a fenced block that it cannot close."""

from __future__ import annotations

import re


def fenced(text: str, info: str = "") -> str:
    """`text` between fences longer than any run of backticks in it."""
    runs = re.findall(r"`{3,}", text) if "```" in text else ()
    fence = "`" * max((len(run) + 1 for run in runs), default=3)
    return f"{fence}{info}\n{text}\n{fence}"
