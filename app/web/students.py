"""What students are called where several stand side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from app.features.chains.schemas import Profile

_LONGEST = 60  # characters of a setting's value
_BEFORE = 16  # of them before the place where values part


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
    found: dict[int, list[str]] = {id_: [] for id_ in settings}
    for name in dict.fromkeys(name for each in settings.values() for name in each):
        plain = name.replace("_", " ")
        words = {id_: _words(plain, each[name]) for id_, each in settings.items() if name in each}
        if len(words) < len(settings) or len(set(words.values())) > 1:
            for id_, shown in zip(words, _shortened(plain, list(words.values())), strict=True):
                found[id_].append(shown)
    return found


def _words(name: str, value: object) -> str:
    if isinstance(value, bool) or value in (None, "", []):
        return name if value else f"no {name}"
    values = value if isinstance(value, list) else [value]
    return f"{name} {', '.join(str(int(v) if isinstance(v, float) and v.is_integer() else v) for v in values)}"


def _shortened(name: str, texts: Sequence[str]) -> list[str]:
    """The name, and values from shortly before the place where they part; whole where that would make some alike."""
    parting = next((i for i, chars in enumerate(zip(*texts, strict=False)) if len(set(chars)) > 1), 0)
    start = parting - _BEFORE
    if max(map(len, texts)) <= _LONGEST or start <= len(name):
        start = 0
    shown = [_cut(f"{name} …{text[start:]}" if start else text) for text in texts]
    return shown if len(set(shown)) == len(set(texts)) else list(texts)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
