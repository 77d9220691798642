"""Writing text that is not ours into a fenced block that it cannot close."""

from __future__ import annotations

import re


def fenced(text: str, info: str = "") -> str:
    """`text` between fences longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{info}\n{text}\n{fence}"
