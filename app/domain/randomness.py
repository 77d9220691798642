"""Seeds for everything random, derived from what is being made rather than from when or where."""

from __future__ import annotations

import hashlib


def derive(*parts: int | str) -> int:
    """A 63-bit number that depends on all parts and on their order, equal on every machine."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
