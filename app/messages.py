"""What is wrong with a value, in Cairn's words: the one place where pydantic's errors are translated.

The field stands beside the message wherever one is shown, so that a message speaks of "this".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

Item = Mapping[str, Any]  # one of an error's `errors()`
_Context = Mapping[str, Any]

_WHOLE = "This must be a whole number."
_MAPPING = "This must be a mapping of names to values."
_ADDRESS = "This must be an address such as http://gpu-1:8000/v1."
# For a kind that no model of ours can raise: a test holds that.
_UNKNOWN = "This can't be read."


def _characters(count: int) -> str:
    return f"{count:,} character{'' if count == 1 else 's'}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _too_few_characters(context: _Context) -> str:
    least = context["min_length"]
    return "This must not be empty." if least == 1 else f"This must have at least {_characters(least)}."


_WORDS: Mapping[str, str | Callable[[_Context], str]] = {
    "missing": "This is required.",
    "extra_forbidden": "There is no such field; remove it or check its spelling.",
    "invalid_key": "A name must be text; put it in quotes.",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "This must be a whole number with fewer digits.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a finite number.",
    "greater_than_equal": lambda context: f"This must be {_number(context['ge'])} or more.",
    "greater_than": lambda context: f"This must be more than {_number(context['gt'])}.",
    "less_than_equal": lambda context: f"This must be {_number(context['le'])} or less.",
    "less_than": lambda context: f"This must be less than {_number(context['lt'])}.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "string_type": "This must be text; put it in quotes.",
    "string_unicode": "This must be text in UTF-8.",
    "string_too_short": _too_few_characters,
    "string_too_long": lambda context: f"This must have at most {_characters(context['max_length'])}.",
    "literal_error": lambda context: f"This must be {context['expected']}.",
    "list_type": "This must be a list.",
    "too_short": lambda context: f"This must hold at least {_entries(context['min_length'])}.",
    "too_long": lambda context: f"This must hold at most {_entries(context['max_length'])}.",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "url_type": _ADDRESS,
    "url_parsing": _ADDRESS,
    "url_scheme": "This must begin with http:// or https://.",
    "url_too_long": lambda context: f"This must have at most {_characters(context['max_length'])}.",
    "json_invalid": lambda context: f"This is not JSON: {context['error']}.",
}


def by_field(error: ValidationError, prefix: str = "", whole: str = "config") -> dict[str, str]:
    """Dotted field -> what is wrong with it. What is wrong with all of it stands at `whole`."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False):
        path = [*([prefix] if prefix else []), *map(str, item["loc"])]
        found.setdefault(".".join(path) or whole, words(item))
    return found


def words(item: Item) -> str:
    """A sentence for one error of pydantic's."""
    kind = item["type"]
    if kind == "value_error":  # a rule of our own, in our own words
        return sentence(item["msg"].removeprefix("Value error, "))
    told = _WORDS.get(kind, _UNKNOWN)
    return told if isinstance(told, str) else told(item.get("ctx", {}))


def sentence(text: str) -> str:
    """With a subject, a capital at its start and a full stop at its end."""
    if text.startswith("must "):
        text = f"this {text}"
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


@dataclass(frozen=True, slots=True)
class Spelled:
    """A rule for how a text is spelled, as an annotation: a regular expression, and what it asks for, in words."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^({self.pattern})$"}

    def _checked(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(self.words)
        return text
