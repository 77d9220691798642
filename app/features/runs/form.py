"""A run's settings as a flat form and back: field names are dotted paths of RunConfig."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app import registry
from app.errors import InvalidForm, InvalidInput
from app.features.runs.schemas import Caps, EarlyStop, Goal, RunConfig, profile_options, role_options

Values = Mapping[str, str]
_LISTS = ("environments", "until.bins")
_DEEPEST = 4  # no setting lies deeper
_SPELLED = {"url": "URL", "api": "API", "s": "(s)"}


@dataclass(frozen=True, slots=True)
class Field:
    """One input of the form. `kind` is text, number or choice; `value` what was typed, or the default."""

    name: str
    label: str
    kind: str
    value: str
    hint: str
    error: str
    choices: tuple[tuple[str, str], ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


def to_data(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Nested plain data for `schemas.parse`. Blank fields are left to their defaults."""
    data: dict[str, object] = {}
    chosen: dict[str, list[str]] = {name: [] for name in _LISTS}
    for name, value in pairs:
        if name in chosen:
            chosen[name].append(value)
        elif value.strip():
            _put(data, name.split(".", _DEEPEST), value.strip())
    data["environments"] = chosen["environments"]
    if "until" in data and chosen["until.bins"]:
        _put(data, ["until", "bins"], chosen["until.bins"])
    options = data.get("environment_options")
    if isinstance(options, dict):
        # Options of environments that are not chosen stay in the form, but are no part of the run.
        data["environment_options"] = {name: value for name, value in options.items() if name in chosen["environments"]}
    for role in ("teacher", "student"):
        choice = data.get(role)
        _drop_strange_options(role, choice)
        if isinstance(choice, dict):
            for pick in ("profile", "filled"):  # see `fill_in`: the settings themselves stand in the form
                choice.pop(pick, None)
    return data


def _drop_strange_options(role: str, choice: object) -> None:
    """Options of the engine that was chosen before, whose fields still stood in the form."""
    if not isinstance(choice, dict) or not isinstance(choice.get("options"), dict):
        return
    schema = _schema(role, str(choice.get("engine", "")))
    if schema is not None:
        choice["options"] = {name: value for name, value in choice["options"].items() if name in schema.model_fields}


def _schema(role: str, engine: str) -> type[BaseModel] | None:
    """What an engine takes in a role; None for an engine that does not exist, or can't play it."""
    known = registry.engines().get(engine)
    return role_options(known, role) if known else None


def _put(data: dict[str, object], path: list[str], value: str | list[str]) -> None:
    for part in path[:-1]:
        inner = data.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        data = inner
    data[path[-1]] = value


def values_of(data: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """The reverse of `to_data` but for lists, which the form shows as check boxes."""
    flat: dict[str, str] = {}
    for name, value in data.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat |= values_of(value, f"{path}.")
        elif isinstance(value, bool):
            flat[path] = str(value).lower()
        elif value is not None and not isinstance(value, list):
            flat[path] = str(value)
    return flat


def fields(
    schema: type[BaseModel], prefix: str, values: Values, errors: Values, skip: Iterable[str] = ()
) -> list[Field]:
    """One Field for each setting of `schema` that a single input can hold."""
    return [
        _field(name, info, f"{prefix}{name}", values, errors)
        for name, info in schema.model_fields.items()
        if name not in set(skip) and _kind(info)[0]
    ]


def _field(name: str, info: FieldInfo, path: str, values: Values, errors: Values) -> Field:
    kind, choices, optional = _kind(info)
    default = "" if info.is_required() else info.get_default(call_default_factory=True)
    shown = str(default).lower() if isinstance(default, bool) else "" if default is None else str(default)
    attributes = _bounds(info) if kind == "number" else {}
    if info.is_required():
        attributes["required"] = "required"
    if optional and kind == "choice":
        choices = (("", "default"), *choices)
    return Field(
        name=path,
        label=info.title or _label(name),
        kind=kind,
        value=values.get(path, shown),
        hint=info.description or "",
        error=errors.get(path, ""),
        choices=choices,
        attributes=attributes,
    )


def _label(name: str) -> str:
    """api_key_variable -> API key variable, timeout_s -> Timeout (s)."""
    words = " ".join(_SPELLED.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def _kind(info: FieldInfo) -> tuple[str, tuple[tuple[str, str], ...], bool]:
    """(kind, choices, optional); an empty kind for what needs more than one input."""
    annotation, optional = info.annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [argument for argument in get_args(annotation) if argument is not type(None)]
        optional = len(inner) < len(get_args(annotation))
        annotation = inner[0] if len(inner) == 1 else None
    if get_origin(annotation) is Literal:
        return "choice", tuple((str(value), str(value)) for value in get_args(annotation)), optional
    if annotation is bool:
        return "choice", (("true", "yes"), ("false", "no")), optional
    if annotation in (int, float):
        return "number", (), optional
    if isinstance(annotation, type) and not issubclass(annotation, BaseModel | dict | list):
        return "text", (), optional
    return "", (), optional


def _bounds(info: FieldInfo) -> dict[str, str]:
    """The HTML attributes of a number's constraints; exclusive bounds are left to the server."""
    found = {"step": "any" if info.annotation is float or "float" in str(info.annotation) else "1"}
    for rule in info.metadata:
        for bound, attribute in (("ge", "min"), ("le", "max")):
            if hasattr(rule, bound):
                found[attribute] = str(getattr(rule, bound))
    return found


def engine_fields(role: str, engine: str, values: Values, errors: Values) -> list[Field]:
    """The options of one engine in one role; none for an engine that does not exist."""
    schema = _schema(role, engine)
    return fields(schema, f"{role}.options.", values, errors) if schema else []


def profiles(role: str, engine: str) -> list[tuple[str, str]]:
    """Names and titles of the models that an engine knows the settings of."""
    known = registry.engines().get(engine)
    return [(name, each.title) for name, each in known.profiles.items() if each.options(role)] if known else []


def fill_in(values: Values) -> tuple[dict[str, str], list[str]]:
    """The values with the settings of the profiles that were picked since, and the names of these.

    `filled` remembers the last pick, so that what is changed after it stays. Raises InvalidForm for a profile that the
    engine does not have.
    """
    found, picked = dict(values), []
    for role in ("teacher", "student"):
        name = found.get(f"{role}.profile", "").strip()
        engine = registry.engines().get(found.get(f"{role}.engine", ""))
        if name and engine and name != found.get(f"{role}.filled"):
            try:
                options = profile_options(engine, name, role)
            except InvalidInput as error:
                raise InvalidForm({f"{role}.profile": f"{error.message} {error.remedy}"}) from error
            prefix = f"{role}.options."
            found = {path: value for path, value in found.items() if path.removeprefix(prefix) not in options}
            found |= values_of(options, prefix)
            picked.append(name)
        found[f"{role}.filled"] = name
    return found, picked


def refinement_fields(values: Values, errors: Values) -> list[Field]:
    """Turns, attempts, branching and the other plain settings of the method."""
    skip = ("name", "seeds", "strategy", "environments", "seed", "baseline")
    return fields(RunConfig, "", values, errors, skip)


def limit_fields(values: Values, errors: Values) -> list[Field]:
    """Goal (but for its bins), caps and early stops. None has to be given: without its number there is no goal."""
    groups: dict[str, type[BaseModel]] = {"until.": Goal, "caps.": Caps, "early_stop.": EarlyStop}
    found = [each for prefix, schema in groups.items() for each in fields(schema, prefix, values, errors)]
    return [replace(each, attributes={k: v for k, v in each.attributes.items() if k != "required"}) for each in found]
