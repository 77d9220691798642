"""Hypothesis strategies over every plain value."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=()), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 200), 1 << 200),
    st.floats(),
    st.complex_numbers(),
    text,
    st.binary(max_size=12),
)
hashables = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)),
    max_leaves=6,
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(inner, max_size=4)
    mappings = st.dictionaries(hashables, inner, max_size=4)
    return st.one_of(items, items.map(tuple), mappings, st.sets(hashables, max_size=4))


values = st.recursive(st.one_of(scalars, hashables), _containers, max_leaves=15)
