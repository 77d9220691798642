"""Runs code under a budget of steps, so that what is found never depends on how fast the machine is.

Real limits on time and memory are the sandbox's; the budget here only ends loops that would waste them.
"""

from __future__ import annotations

import builtins
import marshal
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from app.engines._procedural.language import FUNCTIONS
from app.engines._procedural.metering import compiled

STEPS = 4_000
_LARGEST_PRODUCT = 1 << 200
_LONGEST_REPEAT = 20_000

Observer = Callable[[object], object]


class OutOfSteps(BaseException):
    """The budget of steps is spent. No Exception, so that no code catches it by chance."""


class Result(NamedTuple):
    """What one call gave; `error` names the exception where it gave nothing."""

    ok: bool
    value: object = None
    error: str = ""


class Loaded:
    """A module's functions, metered. With an `observer`, every value computed passes through it and may be changed."""

    def __init__(
        self,
        source: str,
        *,
        pure: bool = False,
        observer: Observer | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """`extra` adds names. Raises SyntaxError or ValueError for source that does not compile, and whatever the
        module raises."""
        self._left = 0
        names: dict[str, object] = {
            "__builtins__": _builtins(pure) | {"range": self._range},
            "__name__": "problem",
            "_tick": self._tick,
            "_bounded": self._bounded,
            "_times": self._times,
            "_power": self._power,
            "_shift": self._shift,
        }
        if observer:
            names["_see"] = observer
        names.update(extra or {})
        self._left = STEPS
        exec(compiled(source, observed=observer is not None), names)  # noqa: S102  (this module runs inside the sandbox)
        self._names: dict[str, Any] = names

    def call(self, function: str, arguments: tuple[object, ...], steps: int = STEPS) -> Result:
        """Calls on a copy of the arguments."""
        self._left = steps
        try:
            value = self._names[function](*_copy(arguments))
        except OutOfSteps:
            return Result(False, error="OutOfSteps")
        except Exception as error:  # noqa: BLE001  (any exception of the code run is its result)
            return Result(False, error=type(error).__name__)
        return Result(True, value) if is_plain(value) else Result(False, error="Unsupported")

    def _tick(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise OutOfSteps

    def _bounded(self, items: object) -> object:
        self._left -= len(items) if hasattr(items, "__len__") else 1
        if self._left < 0:
            raise OutOfSteps
        return items

    def _range(self, *arguments: int) -> range:
        numbers = range(*arguments)
        if len(numbers) > self._left:
            raise OutOfSteps
        return numbers

    def _times(self, a: Any, b: Any) -> object:
        if isinstance(a, int) and isinstance(b, int):
            if abs(a) > _LARGEST_PRODUCT or abs(b) > _LARGEST_PRODUCT:
                raise OutOfSteps
        elif isinstance(a, int) and hasattr(b, "__len__"):
            if a * len(b) > _LONGEST_REPEAT:
                raise OutOfSteps
        elif isinstance(b, int) and hasattr(a, "__len__") and b * len(a) > _LONGEST_REPEAT:
            raise OutOfSteps
        return a * b

    def _power(self, a: Any, b: Any) -> object:
        if isinstance(a, int) and isinstance(b, int) and abs(a) > 1 and a.bit_length() * b > 2_000:
            raise OutOfSteps
        return a**b

    def _shift(self, a: Any, b: Any) -> object:
        if isinstance(b, int) and b > 2_000:
            raise OutOfSteps
        return a << b


def load_pure(source: str) -> Loaded | None:
    """The teacher's own code, with pure built-ins only; None where it does not load."""
    try:
        return Loaded(source, pure=True)
    except (SyntaxError, ValueError, RecursionError, NameError):
        return None


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is a literal small enough to be read by a person."""
    kind: Any = type(value)
    if kind is int:
        return bool(-(10**18) < value < 10**18)
    if kind is str or kind is bytes:
        return len(value) <= 200
    if kind is bool or value is None:
        return True
    if kind is float:
        return bool(math.isfinite(value))
    if depth > 4:
        return False
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return len(value) <= 60 and all(is_plain(item, depth + 1) for item in value)
    if kind is dict:
        entries = value.items()
        return len(value) <= 40 and all(is_plain(key, 4) and is_plain(item, depth + 1) for key, item in entries)
    return False


def _copy(arguments: tuple[Any, ...]) -> tuple[object, ...]:
    copied: tuple[object, ...] = marshal.loads(marshal.dumps(arguments, 2))  # noqa: S302  (our own bytes, for speed)
    return copied


@lru_cache(maxsize=2)
def _builtins(pure: bool) -> dict[str, object]:
    everything = vars(builtins)
    # The teacher's own checks of types ask for `type`; code of seeds does not.
    return {name: everything[name] for name in sorted({*FUNCTIONS, "type"})} if pure else dict(everything)
