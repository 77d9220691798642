"""One record of JSONL or Parquet: which fields it has, under which names."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.seeds import SeedDraft
from app.features.seeds.reading.check import checked
from app.features.seeds.schemas import ImportOptions, Rejected

# What a field may be called; the first one that a record has counts. Fields with other names are passed over.
NAMES: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "code", "content"),
    "kind": ("kind",),
    "language": ("language",),
    "licence": ("licence", "license"),
    "source": ("source",),
}
COLUMNS = tuple(name for names in NAMES.values() for name in names)
_LONGEST = {"kind": 20, "language": 40, "licence": 200, "source": 500}


def seed_of(record: Mapping[str, object], where: str, options: ImportOptions) -> SeedDraft | Rejected:
    """The seed in a record, with the options standing in for what it does not say."""
    values: dict[str, str] = {}
    for field, names in NAMES.items():
        name = next((name for name in names if record.get(name) is not None), None)
        if name is None:
            continue
        value = record[name]
        if not isinstance(value, str):
            return Rejected(where, f"It is {_kind_of(value)}, not text.", name, "Write it as a string.")
        if field != "text" and (len(value) > _LONGEST[field] or not value.isprintable()):
            return Rejected(
                where, f"It is not {_LONGEST[field]} printable characters or fewer, on one line.", name, "Shorten it."
            )
        values[field] = value
    if "text" not in values:
        return Rejected(where, "There is no code in this record.", "text", "Give it a field text, code or content.")
    kind = values.get("kind", options.kind)
    if kind not in ("solution", "snippet"):
        return Rejected(where, f"There is no kind {kind!r}.", "kind", "Write solution or snippet.")
    draft = SeedDraft(
        values["text"],
        kind,
        values.get("source") or options.source or where,
        (values.get("language") or options.language).lower(),
        values.get("licence") or options.licence,
    )
    return checked(draft, where)


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return {dict: "an object", list: "a list", int: "a number", float: "a number"}.get(
        type(value), type(value).__name__
    )
