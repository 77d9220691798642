"""The kinds of value that problems are about: finer than types, since a list of words is worked with unlike a list of
numbers."""

from __future__ import annotations

# Kinds that a parameter can have; `list` and `set` occur as results only.
KINDS = ("int", "str", "ints", "strs", "bool", "float", "bytes", "table", "tuple", "pairs", "none")
_PLAIN = {
    int: "int",
    str: "str",
    bool: "bool",
    float: "float",
    bytes: "bytes",
    dict: "table",
    tuple: "tuple",
    type(None): "none",
    set: "set",
    frozenset: "set",
}
DESCRIPTION = {
    "int": "an integer",
    "str": "a string",
    "ints": "a list of integers",
    "strs": "a list of strings",
    "bool": "a boolean",
    "float": "a number",
    "bytes": "a bytes object",
    "table": "a dictionary from strings to integers",
    "tuple": "a tuple of integers",
    "pairs": "a list of (string, integer) pairs",
    "none": "None",
    "list": "a list",
}
# What to call a value of which nothing else is known.
NOUN = {
    "int": "number",
    "str": "text",
    "ints": "numbers",
    "strs": "words",
    "bool": "flag",
    "float": "amount",
    "bytes": "data",
    "table": "table",
    "tuple": "items",
    "pairs": "pairs",
    "list": "items",
    "none": "value",
    "set": "members",
}


def kind_of(value: object) -> str:
    """The kind of a plain value. An empty list is a `list`."""
    if type(value) is not list:
        return _PLAIN.get(type(value), "list")
    if not value:
        return "list"
    if all(type(item) is int for item in value):
        return "ints"
    if all(type(item) is str for item in value):
        return "strs"
    if all(type(item) is tuple and len(item) == 2 and type(item[0]) is str for item in value):
        return "pairs"
    return "list"


def elements(kind: str) -> str | None:
    """The kind of one item of a list kind."""
    return {"ints": "int", "strs": "str"}.get(kind)
