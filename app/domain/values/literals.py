"""Values as people and models write them: Python literals, read without evaluating anything.

`parse_literal` takes what `ast.literal_eval` takes, and set(), frozenset(...), float('nan'), nan, inf and
complex(re, im) besides. It is a parser of its own because CPython's warns, differs between versions and can exhaust
the stack on hostile text; this one is bounded by `MAX_LENGTH` and `RESULT_DEPTH`, and linear.
"""

from __future__ import annotations

from typing import Any, NoReturn

from app.domain.values.codec import LEVELS, RESULT_DEPTH, Unsupported
from app.domain.values.hashing import hashed_dict, hashed_set
from app.domain.values.tokens import LiteralError, Token, tokens
from app.domain.values.types import Arguments, Value

__all__ = ["MAX_LENGTH", "LiteralError", "parse_arguments", "parse_literal", "render"]

MAX_LENGTH = 1 << 18
_DECIMAL_BITS = 4_096  # longer integers are written in hexadecimal: Python limits decimal ones to 4,300 digits
_FLOAT_TEXT = 64
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_NAMES: dict[str, Value] = {
    "None": None,
    "True": True,
    "False": False,
    "nan": float("nan"),
    "inf": float("inf"),
}


def parse_literal(text: str) -> Value:
    """The one value that `text` spells; `1, 2` is a tuple, as in Python. Raises LiteralError."""
    parser = _parser(text)
    values, is_tuple = parser.whole()
    if not values:
        raise LiteralError("there is no value: the text is empty")
    if is_tuple and parser.deepest >= RESULT_DEPTH:
        raise LiteralError(f"nested deeper than {RESULT_DEPTH}, with the tuple around it")
    return values if is_tuple else values[0]


def parse_arguments(text: str) -> Arguments:
    """The values of a call, written as between its parentheses: `1, [2]`. Empty text gives (). Raises LiteralError."""
    parser = _parser(text)
    values = parser.whole()[0]
    if parser.deepest >= RESULT_DEPTH:
        raise LiteralError(f"nested deeper than {RESULT_DEPTH - 1}")
    return values


def _parser(text: str) -> _Parser:
    if len(text) > MAX_LENGTH:
        raise LiteralError(f"the text has {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    return _Parser(text)


class _Parser:
    """Recursive descent over the tokens, one ahead; the depth of recursion is that of the value."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._token = next(self._tokens)
        self._depth = self.deepest = 0

    def whole(self) -> tuple[tuple[Value, ...], bool]:
        values, comma = self._sequence("")
        return tuple(values), comma

    def _enter(self, levels: int) -> None:
        self._depth += levels
        self.deepest = max(self.deepest, self._depth)
        if self._depth > RESULT_DEPTH:
            self._fail(f"nested deeper than {RESULT_DEPTH}")

    def _fail(self, message: str) -> NoReturn:
        raise LiteralError(f"{message} at character {self._token.position + 1}")

    def _unexpected(self) -> NoReturn:
        self._fail(f"unexpected {self._token.text[:40]!r}" if self._token.kind else "the text ends too early")

    def _next(self) -> Token:
        token = self._token
        self._token = next(self._tokens)
        return token

    def _accept(self, symbol: str) -> bool:
        if self._token.kind != "symbol" or self._token.text != symbol:
            return False
        self._next()
        return True

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            self._unexpected()

    def _at(self, closing: str) -> bool:
        token = self._token
        return token.kind == "symbol" and token.text == closing if closing else not token.kind

    def _sequence(self, closing: str) -> tuple[list[Value], bool]:
        """Values up to `closing` ("" is the end of the text), and whether a comma was among them."""
        values: list[Value] = []
        comma = False
        while not self._at(closing):
            values.append(self._value())
            if self._at(closing):
                break
            self._expect(",")
            comma = True
        return values, comma

    def _value(self) -> Value:
        token = self._token
        if token.kind == "string":
            return self._strings()
        if token.kind == "number" or token.text in ("+", "-") or token.text in ("nan", "inf", "float", "complex"):
            return self._number()
        if token.kind == "name":
            return self._name()
        if token.text not in _CLOSING:
            self._unexpected()
        return self._bracket()

    def _strings(self) -> Value:
        first = self._next().value
        parts: list[Any] = [first]
        while self._token.kind == "string":
            parts.append(self._next().value)
        if any(type(part) is not type(first) for part in parts):
            self._fail("text and bytes are mixed")
        return type(first)().join(parts) if len(parts) > 1 else first

    def _number(self) -> Value:
        value = self._signed()
        while self._token.text in ("+", "-") and self._token.kind == "symbol":  # 1+2j, the only sum that is a literal
            negative = self._next().text == "-"
            imaginary = self._signed()
            if type(imaginary) is not complex or type(value) is complex:
                self._fail("sums are not evaluated: write the value itself")
            try:
                value = value - imaginary if negative else value + imaginary
            except OverflowError:
                self._fail("too large for a complex number")
        return value

    def _signed(self, calls: tuple[str, ...] = ("float", "complex")) -> Any:
        """A number after its signs; `calls` are those that may stand in its place, fewer at each level."""
        sign = 1
        while self._token.kind == "symbol" and self._token.text in ("+", "-"):
            sign = -sign if self._next().text == "-" else sign
        token = self._token
        if token.kind == "number":
            value = self._next().value
        elif token.text in ("nan", "inf"):
            value = _NAMES[self._next().text]
        elif token.kind == "name" and token.text in calls:
            value = self._float() if token.text == "float" else self._complex()
        else:
            self._fail("a number was expected")
        return value if sign > 0 else -value

    def _float(self) -> float:
        self._next()
        self._expect("(")
        value = self._as_float(self._next().value if self._token.kind == "string" else self._signed(()))
        self._expect(")")
        return value

    def _complex(self) -> complex:
        self._next()
        self._expect("(")
        real = self._as_float(self._signed(("float",)))
        self._expect(",")
        imaginary = self._as_float(self._signed(("float",)))
        self._expect(")")
        return complex(real, imaginary)

    def _as_float(self, value: Any) -> float:
        try:
            if type(value) in (int, float) or (type(value) is str and len(value) <= _FLOAT_TEXT):
                return float(value)
            raise ValueError(value)
        except (ValueError, OverflowError):
            self._fail("a number was expected before the text")

    def _name(self) -> Value:
        name = self._token.text
        if name in _NAMES:
            self._next()
            return _NAMES[name]
        if name not in ("set", "frozenset"):
            self._fail(f"the name {name[:40]!r} is no literal: write plain values only, without keywords or calls,")
        self._next()
        self._expect("(")
        levels = LEVELS[set if name == "set" else frozenset] - (not self._at(")"))  # a bracket within is the last one
        self._enter(levels)
        members: Any = () if self._at(")") else self._bracket() if self._token.text in _CLOSING else None
        self._depth -= levels
        if type(members) not in (tuple, list, set) and members != {}:
            self._fail(f"{name}() takes a set, a list or a tuple, not {self._token.text[:40]!r},")
        self._expect(")")
        hashed = self._hashed(hashed_set, tuple(members))
        return hashed if name == "set" else frozenset(hashed)

    def _bracket(self) -> Value:
        self._enter(1)
        opening = self._next().text
        value: Value
        if opening == "{":
            value = self._braces()
        else:
            values, comma = self._sequence(_CLOSING[opening])
            parenthesised = opening == "(" and len(values) == 1 and not comma
            value = values if opening == "[" else values[0] if parenthesised else tuple(values)
        self._expect(_CLOSING[opening])
        self._depth -= 1
        return value

    def _braces(self) -> Value:
        if self._at("}"):
            return {}
        first = self._value()
        if not self._accept(":"):
            members = [first]
            if self._accept(","):
                members += self._sequence("}")[0]
            return self._hashed(hashed_set, members)
        pairs = [(first, self._value())]
        while self._accept(",") and not self._at("}"):
            key = self._value()
            self._expect(":")
            pairs.append((key, self._value()))
        return self._hashed(hashed_dict, pairs)

    def _hashed(self, build: Any, members: Any) -> Any:
        try:
            return build(members)
        except TypeError:
            self._fail("a list, set or dict cannot be a member of a set or a key")
        except ValueError as error:
            self._fail(str(error))


def render(value: Value) -> str:
    """Python source of `value`, sets in order; `parse_literal` reads it back up to MAX_LENGTH. Raises Unsupported."""
    return _render(value, 0)


def _render(value: Any, depth: int) -> str:
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is bytes:
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() <= _DECIMAL_BITS else hex(value)
    if kind is float:
        return repr(value) if value - value == 0 else f"float('{value!r}')"
    if kind is complex:
        plain = value.imag - value.imag == 0 and value.real - value.real == 0 and 0 not in (value.real, value.imag)
        return repr(value) if plain else f"complex({_render(value.real, depth)}, {_render(value.imag, depth)})"
    if kind not in LEVELS:
        raise Unsupported(f"{kind.__name__} is not a plain value")
    depth += LEVELS[kind]
    if depth > RESULT_DEPTH:
        raise Unsupported(f"a value nested deeper than {RESULT_DEPTH}")
    if kind is dict:
        return "{" + ", ".join(f"{_render(k, depth)}: {_render(v, depth)}" for k, v in value.items()) + "}"
    if kind is set or kind is frozenset:
        members = ", ".join(_members(value, depth))
        braces = "{" + members + "}" if members else ""
        return f"frozenset({braces})" if kind is frozenset else braces or "set()"
    items = [_render(item, depth) for item in value]
    if kind is list:
        return f"[{', '.join(items)}]"
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _members(members: Any, depth: int) -> list[str]:
    """Each is written once: sets in sets would take exponential time otherwise."""
    kinds = set(map(type, members))
    if kinds == {int} or kinds == {str}:
        return [_render(member, depth) for member in sorted(members)]
    return sorted(_render(member, depth) for member in members)
