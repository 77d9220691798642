"""One record of a benchmark's file: its fields, under the names that the benchmarks give them."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.overlap import CODE_SIZE, CODE_WIDTH, item_grams
from app.domain.sketch import bands, sketch
from app.domain.text import UNSTORABLE
from app.features.benchmarks.schemas import MAX_TEXT, ItemDraft
from app.features.seeds.schemas import Rejected

# What a field may be called; the first one that a record has counts. HumanEval, MBPP, LiveCodeBench, CRUXEval, MATH-500
# and AIME are read as they are published; fields with other names are passed over.
NAMES: Mapping[str, tuple[str, ...]] = {
    "name": ("task_id", "question_id", "unique_id", "id", "ID", "name"),
    "text": ("text", "prompt", "question_content", "problem", "Problem", "question", "statement"),
    "solution": ("solution", "Solution"),
    "code": ("code", "canonical_solution"),
}
COLUMNS = tuple(name for names in NAMES.values() for name in names)
_LONGEST_NAME = 200


def item_of(record: Mapping[str, object], where: str) -> ItemDraft | Rejected:
    """The item in a record, with what it is compared by."""
    values: dict[str, str] = {}
    for field, names in NAMES.items():
        name = next((name for name in names if record.get(name) not in (None, "")), None)
        if name is None:
            continue
        value = record[name]
        if field == "name" and isinstance(value, int):
            value = str(value)
        if not isinstance(value, str):
            return Rejected(where, f"It is {type(value).__name__}, not text.", name, "Write it as a string.")
        if len(value) > MAX_TEXT:
            return Rejected(where, f"It has {len(value)} characters; {MAX_TEXT} is the most.", name, "Shorten it.")
        if UNSTORABLE.search(value):
            return Rejected(
                where, "It holds NUL or half a surrogate pair, which is no text.", name, "Mend its encoding."
            )
        values[field] = value.replace("\r\n", "\n")
    if not (values.get("text", "").strip() or values.get("code", "").strip()):
        return Rejected(
            where, "There is no text and no code in this record.", "text", "Give it a field text, or code, or both."
        )
    # In HumanEval the solution is the rest of the function that the prompt begins.
    begun = values.get("text", "") if "canonical_solution" in record and "code" not in record else ""
    return _item(
        values.get("name", where)[:_LONGEST_NAME],
        "\n\n".join(values[field] for field in ("text", "solution") if field in values),
        begun + values.get("code", ""),
    )


def _item(name: str, statement: str, code: str) -> ItemDraft:
    signature = b""
    if code.strip():
        try:
            made = sketch(code)
        except SyntaxError:  # no Python, or a piece of it: its words still count
            pass
        else:
            signature = made.signature if made.size >= CODE_SIZE else b""
    return ItemDraft(
        name=name,
        statement=statement,
        code=code,
        grams=sorted(item_grams([statement])),
        bands=list(bands(signature, width=CODE_WIDTH)) if signature else [],
        signature=signature.hex(),
    )
