"""Values as canonical JSON text: what crosses the wall of a sandbox and what the database and exports keep.

    None, True, False       null, true, false
    int                     a JSON number below 2**53 in magnitude, else {"i": "0x1f..."}
    float                   {"f": "1.5"}, as repr writes it: exact, with nan, inf and -0.0
    complex                 {"c": ["1.0", "-0.0"]}
    str                     a JSON string, else {"u": hex of UTF-8} where it holds NUL or a surrogate
    bytes                   {"b": hex}
    list, tuple             [...], {"t": [...]}
    set, frozenset          {"s": [...]}, {"z": [...]}, sorted by the members' own text
    dict                    {"d": [[key, value], ...]} in insertion order, which programs can see

The text is pure ASCII and survives a round trip through any JSON store. Nothing is evaluated on the way back, only the
types above can appear, and both directions are bounded by `MAX_DEPTH` and `MAX_BYTES` (which bounds the number of
values too: each takes at least two bytes).
"""

from __future__ import annotations

import json
import re
from itertools import chain
from json.encoder import encode_basestring_ascii as quote
from json.scanner import make_scanner
from typing import Any, NoReturn

from app.domain.values.hashing import hashed_dict, hashed_set
from app.domain.values.types import Value

MAX_DEPTH = 64
RESULT_DEPTH = 56  # for what goes into and out of programs, which is kept inside lists of lists later
# Levels that each container counts as. CPython's marshal takes twice as long for every frozenset in a frozenset.
LEVELS: dict[type, int] = {list: 1, tuple: 1, dict: 1, set: 1, frozenset: 7}
MAX_BYTES = 1 << 22
_EXACT_NUMBER = 1 << 53
_FLOAT_TEXT = 32  # the longest repr of a float has 24 characters

# NUL cannot stand in PostgreSQL's jsonb, and two lone surrogates in a row would be read back as one character.
_awkward = re.compile("[\0\ud800-\udfff]").search
_type_name = type.__dict__["__name__"].__get__  # immune to a metaclass that defines __name__
_type_module = type.__dict__["__module__"].__get__


class Unsupported(ValueError):
    """Not a plain value: another type (subclasses included), too deep or too large."""


def dumps(value: Value, depth: int = MAX_DEPTH) -> str:
    """The canonical text of `value`, nested at most `depth` deep. Raises Unsupported."""
    room = [MAX_BYTES]
    text = _encode(value, depth, room)
    if len(text) > MAX_BYTES:
        raise Unsupported(f"a value of more than {MAX_BYTES:,} bytes")
    return text


def loads(text: str, depth: int = MAX_DEPTH) -> Value:
    """The value that `dumps` wrote, to the same `depth`. Raises ValueError for anything else, however hostile."""
    if len(text) > MAX_BYTES or not text.isascii():
        raise ValueError(f"not a value: more than {MAX_BYTES:,} characters, or not ASCII")
    try:
        value, end = _scan(text, 0)
    except (ValueError, TypeError, KeyError, RecursionError, StopIteration) as error:
        raise ValueError(f"not a value: {type(error).__name__}") from error
    if end != len(text):
        raise ValueError("not a value: something follows it")
    if text.count("[") + LEVELS[frozenset] * text.count('{"z":') > depth and _deeper(value, depth):
        raise ValueError(f"not a value: nested deeper than {depth}")
    return value


def _encode(value: Any, depth: int, room: list[int]) -> str:
    # `depth` is how many levels of containers may still begin, `room` how many bytes are left.
    kind = type(value)
    if kind is int:
        if -_EXACT_NUMBER < value < _EXACT_NUMBER:
            return repr(value)
        _take(room, value.bit_length() // 4)
        return f'{{"i":"{value:#x}"}}'
    if kind is str:
        _take(room, len(value))
        return f'{{"u":"{value.encode("utf-8", "surrogatepass").hex()}"}}' if _awkward(value) else quote(value)
    if kind is float:
        return f'{{"f":"{value!r}"}}'
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is bytes:
        _take(room, 2 * len(value))
        return f'{{"b":"{value.hex()}"}}'
    if kind is complex:
        return f'{{"c":["{value.real!r}","{value.imag!r}"]}}'
    return _encode_container(kind, value, depth, room)


def _encode_container(kind: type, value: Any, depth: int, room: list[int]) -> str:
    if kind not in LEVELS:
        raise Unsupported(f"{_type_name(kind)[:60]} is not a plain value{_advice(kind)}")
    depth -= LEVELS[kind]
    if depth < 0:
        raise Unsupported("a value nested too deeply")
    _take(room, 2 * len(value) + 2)
    if kind is dict:
        pairs = [f"[{_encode(key, depth, room)},{_encode(item, depth, room)}]" for key, item in value.items()]
        return f'{{"d":[{",".join(pairs)}]}}'
    items = [_encode(item, depth, room) for item in value]
    if kind is list:
        return f"[{','.join(items)}]"
    if kind is tuple:
        return f'{{"t":[{",".join(items)}]}}'
    items.sort()
    return f'{{"{"s" if kind is set else "z"}":[{",".join(items)}]}}'


def _advice(kind: type) -> str:
    """How to make a plain value of one of a library's."""
    try:
        module = _type_module(kind)
    except AttributeError:  # a class of a stranger's that has lost it
        return ""
    return _ADVICE.get(module.partition(".")[0], "") if type(module) is str else ""


_ADVICE = {"numpy": ": convert it with .item() or .tolist()", "sympy": ": convert it with int(), float() or str()"}


def _take(room: list[int], size: int) -> None:
    """Counts what has been written before it is, so that a value that repeats itself cannot fill the memory."""
    room[0] -= size
    if room[0] < 0:
        raise Unsupported(f"a value of more than {MAX_BYTES:,} bytes")


def _tagged(pairs: list[tuple[str, Any]]) -> Value:
    ((tag, payload),) = pairs
    expected, build = _TAGS[tag]
    if type(payload) is not expected:
        raise ValueError(tag)
    return build(payload)


def _float(text: str) -> float:
    if type(text) is not str or len(text) > _FLOAT_TEXT:
        raise ValueError("float")
    return float(text)


def _complex(parts: list[str]) -> complex:
    real, imaginary = parts
    return complex(_float(real), _float(imaginary))


def _dict(pairs: list[Any]) -> Value:
    if not all(type(pair) is list and len(pair) == 2 for pair in pairs):
        raise ValueError("pairs")
    return _unique(hashed_dict(pairs), pairs)


def _unique(built: Any, items: list[Value]) -> Any:
    if len(built) != len(items):
        raise ValueError("the same member twice")
    return built


_TAGS: dict[str, tuple[type, Any]] = {
    "i": (str, lambda text: int(text, 16)),
    "f": (str, _float),
    "c": (list, _complex),
    "u": (str, lambda text: bytes.fromhex(text).decode("utf-8", "surrogatepass")),
    "b": (str, bytes.fromhex),
    "t": (list, tuple),
    "s": (list, lambda items: _unique(hashed_set(items), items)),
    "z": (list, lambda items: frozenset(_unique(hashed_set(items), items))),
    "d": (list, _dict),
}


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


# The scanner alone: the decoder around it looks for white space, which no text of ours begins or ends with.
_decoder: Any = json.JSONDecoder(object_pairs_hook=_tagged, parse_float=_refuse, parse_constant=_refuse)
_scan = make_scanner(_decoder)


def _deeper(value: Any, depth: int) -> bool:
    waiting = [(value, depth)]
    while waiting:
        item, left = waiting.pop()
        left -= LEVELS.get(type(item), 0)
        if left < 0:
            return True
        if type(item) in LEVELS:
            children = chain(item, item.values()) if type(item) is dict else item
            waiting += [(child, left) for child in children if type(child) in LEVELS]
    return False
