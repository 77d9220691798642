"""The selects of a filter bar, as templates/components/_filters.html draws them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Name in the query string, label, options (value and text), and the value that is set.
Pick = tuple[str, str, Sequence[tuple[str, str]], str]


def options(unset: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """`unset` is what the select says while the filter is open."""
    return [("", unset), *((value, value.replace("_", " ")) for value in values)]
