"""Embeddings without a model."""

from __future__ import annotations

import hashlib


def vector_of(text: str) -> list[float]:
    """Equal texts have equal vectors, all others point elsewhere."""
    return [byte / 128 - 1 for byte in hashlib.sha256(text.encode()).digest()]
