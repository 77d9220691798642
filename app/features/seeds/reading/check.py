"""When a text is a seed: the rules that all formats share."""

from __future__ import annotations

import re

from app.domain.code import parse
from app.domain.seeds import SeedDraft
from app.features.seeds.schemas import MAX_TEXT, Rejected

# Above this share of control characters a text is taken for binary data that happens to decode.
_BINARY = 0.1
_CONTROL = re.compile("[\x01-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffd]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def checked(draft: SeedDraft, where: str, *, field: str = "text") -> SeedDraft | Rejected:
    """The draft with its line ends made uniform, or why it is no seed."""
    text = draft.text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        return Rejected(where, "It is empty.", field, "Give it some code, or remove it.")
    if len(text) > MAX_TEXT:
        return Rejected(
            where, f"It has {len(text)} characters; {MAX_TEXT} is the most.", field, "Cut it, or draw snippets from it."
        )
    if bad := _unusable(text):
        return Rejected(where, bad, field, "Seeds are source code as text; remove it or mend its encoding.")
    if draft.kind == "solution" and draft.language == "python":
        try:
            parse(text)
        except SyntaxError as error:
            line = f" (line {error.lineno}: {error.msg})" if error.lineno else ""
            return Rejected(
                where,
                f"It does not parse as Python{line}.",
                field,
                "Mend it, name its language, or import it as a snippet, which may be cut anywhere.",
            )
    return SeedDraft(text, draft.kind, draft.source, draft.language, draft.licence)


def _unusable(text: str) -> str:
    """What is wrong with the characters, or nothing."""
    if "\x00" in text:
        return "It holds NUL characters: binary data."
    if text.replace("\n", "").replace("\t", "").isprintable():
        return ""
    if _SURROGATE.search(text):
        return "It holds half a surrogate pair, which is no character."
    return "It looks like binary data." if len(_CONTROL.findall(text)) > _BINARY * len(text) else ""
