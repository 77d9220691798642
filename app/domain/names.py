"""Names that people give to their sets: short, printable, and unlike each other where they are made up."""

from __future__ import annotations

from collections.abc import Container

from app.errors import InvalidInput

LONGEST = 200
_NUMBER = 10  # room for a number behind a name


def checked(name: str) -> str:
    """Without space around it. Raises InvalidInput."""
    name = name.strip()
    if not 1 <= len(name) <= LONGEST or not name.isprintable():
        raise InvalidInput(f"Write between 1 and {LONGEST} printable characters.", field="name")
    return name


def stem(text: str, default: str) -> str:
    """What a name can be made of, with room for a number."""
    return "".join(char for char in text if char.isprintable())[: LONGEST - _NUMBER] or default


def unlike(stem: str, taken: Container[str]) -> str:
    """`stem`, with a number behind it if need be."""
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem} {number}"
    return name
