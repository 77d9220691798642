"""What students are called where several stand side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from app.features.chains.schemas import Profile

_LONGEST = 60  # characters of a setting's value


def told_apart(students: Iterable[Profile]) -> dict[int, str]:
    """By id: the model, and where several play with it, the settings in which these differ."""
    by_model: defaultdict[str, dict[int, Mapping[str, object]]] = defaultdict(dict)
    for student in students:
        by_model[student.model][student.id] = _settings(student)
    return {
        id_: model + (f" ({', '.join(words)})" if words else "")
        for model, settings in by_model.items()
        for id_, words in _differences(settings).items()
    }


def _settings(student: Profile) -> Mapping[str, object]:
    options = student.spec.get("options")
    return {"engine": student.engine} | (options if isinstance(options, dict) else {})


def _differences(settings: Mapping[int, Mapping[str, object]]) -> dict[int, list[str]]:
    names = list(dict.fromkeys(name for each in settings.values() for name in each))
    telling = [name for name in names if len({repr(each.get(name)) for each in settings.values()}) > 1]
    return {id_: [_words(name, each[name]) for name in telling if name in each] for id_, each in settings.items()}


def _words(name: str, value: object) -> str:
    name = name.replace("_", " ")
    if isinstance(value, bool) or value in (None, "", []):
        return name if value else f"no {name}"
    values = value if isinstance(value, list) else [value]
    text = ", ".join(str(int(each) if isinstance(each, float) and each.is_integer() else each) for each in values)
    return f"{name} {text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}"
