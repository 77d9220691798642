"""The words of Python literals: numbers, strings, names and symbols, each with its place in the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple


class LiteralError(ValueError):
    """The text spells no plain value. The message says where and why."""


class Token(NamedTuple):
    kind: str  # number, string, name or symbol; empty at the end of the text
    text: str
    position: int
    value: Any = None  # of a number or string


# Possessive quantifiers (*+) keep the scan linear in hostile text.
_word = re.compile(
    r"""
    (?P<number> 0[xXoObB] [0-9a-fA-F_]++
              | (?: \d[\d_]*+ (?: \.[\d_]*+ )? | \.\d[\d_]*+ ) (?: [eE][+-]?\d[\d_]*+ )? [jJ]? )
    | (?P<prefix> [a-zA-Z]{0,2}+ )
      (?P<string> '''(?: [^\\'] | \\. | '(?!'') )*+'''
                | \"""(?: [^\\"] | \\. | "(?!"") )*+\"""
                | '(?!'') (?: [^\\'\n] | \\. )*+'
                | "(?!"") (?: [^\\"\n] | \\. )*+" )
    | (?P<name> [^\W\d]\w*+ )
    | (?P<symbol> . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
).match
_skip = re.compile(r"(?:\s|\\\n|\#[^\n]*)*+", re.ASCII).match
_escape = re.compile(
    r"\\(?: (?P<octal>[0-7]{1,3}) | x(?P<byte>[0-9a-fA-F]{2}) | u(?P<four>[0-9a-fA-F]{4}) | U(?P<eight>[0-9a-fA-F]{8})"
    r"| N\{(?P<name>[^}]*)\} | (?P<plain>.) )",
    re.VERBOSE | re.DOTALL,
)
_PLAIN_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\n": ""}
_PLAIN_ESCAPES |= {symbol: symbol for symbol in "\\'\""}


def tokens(text: str) -> Iterator[Token]:
    """Every word of `text`, then empty tokens for ever. Raises LiteralError at a word that is none."""
    position = _skip(text).end()  # type: ignore[union-attr]  # it matches the empty text too
    while found := _word(text, position):
        kind = found.lastgroup or ""
        word = found[0]
        yield Token(kind, word, position, _value(kind, found, position))
        position = _skip(text, found.end()).end()  # type: ignore[union-attr]
    while True:
        yield Token("", "", position)


def _value(kind: str, found: re.Match[str], position: int) -> Any:
    try:
        if kind == "number":
            return _number(found[0])
        if kind == "string":
            return _string(found["prefix"].lower(), found["string"])
    except (ValueError, OverflowError, KeyError) as error:
        raise LiteralError(f"{found[0][:40]!r} at character {position + 1} is no literal: {error}") from None
    if kind == "symbol" and found[0] in "'\"":
        raise LiteralError(f"the string at character {position + 1} does not end")
    return None


def _number(text: str) -> int | float | complex:
    if text[-1] in "jJ":
        return complex(0.0, float(text[:-1]))
    if text[:2].lower() == "0x" or not any(mark in text for mark in ".eE"):
        return int(text, 0)  # digits beyond Python's own limit of 4,300 raise, so this stays linear
    return float(text)


def _string(prefix: str, quoted: str) -> str | bytes:
    if prefix not in ("", "r", "b", "br", "rb", "u"):
        raise ValueError(f"the prefix {prefix!r} is not supported")
    marks = 3 if quoted[:3] in ("'''", '"""') and len(quoted) >= 6 else 1
    body = quoted[marks:-marks]
    if "b" in prefix:
        if not body.isascii():
            raise ValueError("bytes hold ASCII characters only")
        return (body if "r" in prefix else _escape.sub(_byte, body)).encode("latin-1")
    return body if "r" in prefix else _escape.sub(_character, body)


def _character(escape: re.Match[str]) -> str:
    if escape["octal"]:
        return chr(int(escape["octal"], 8))
    if digits := escape["byte"] or escape["four"] or escape["eight"]:
        return chr(int(digits, 16))
    if escape["name"] is not None:
        return unicodedata.lookup(escape["name"])
    return _plain(escape, "xuUN")


def _byte(escape: re.Match[str]) -> str:
    if escape["octal"]:
        return chr(int(escape["octal"], 8) & 0xFF)
    if escape["byte"]:
        return chr(int(escape["byte"], 16))
    return _plain(escape, "x") if escape["plain"] else escape[0]


def _plain(escape: re.Match[str], unfinished: str) -> str:
    symbol = escape["plain"]
    if symbol in unfinished:
        raise ValueError(f"the escape \\{symbol} is not complete")
    return _PLAIN_ESCAPES.get(symbol, escape[0])  # Python keeps the backslash of an unknown escape
