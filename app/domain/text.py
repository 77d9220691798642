"""Text that everything takes: PostgreSQL stores no NUL, and UTF-8 has no place for half of a surrogate pair."""

from __future__ import annotations

import re

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` with U+FFFD for each character that can't be stored."""
    if text.isascii() and "\0" not in text:  # at once for most, and texts are long
        return text
    return UNSTORABLE.sub("\ufffd", text)
