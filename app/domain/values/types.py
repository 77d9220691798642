"""Names for what cannot be written as a closed Python type without making every caller cast."""

from __future__ import annotations

from typing import TypeAlias

# One of the exact types listed in the package's docstring; the codec and the literal parser enforce it.
Value: TypeAlias = object
# The positional arguments of one call.
Arguments: TypeAlias = tuple[Value, ...]
