"""The closed set of plain values that problems, answers and sandboxes exchange.

None, bool, int, float, complex, str, bytes, list, tuple, dict, set and frozenset, of these exact types and bounded in
size and depth. Subclasses and other objects are not values. Standard library only, with no import from the rest of
the project: exported verifiers carry these modules as they are.
"""

from app.domain.values.codec import Unsupported, dumps, loads
from app.domain.values.equality import same
from app.domain.values.literals import LiteralError, parse_arguments, parse_literal, render
from app.domain.values.types import Arguments, Value

__all__ = [
    "Arguments",
    "LiteralError",
    "Unsupported",
    "Value",
    "dumps",
    "loads",
    "parse_arguments",
    "parse_literal",
    "render",
    "same",
]
