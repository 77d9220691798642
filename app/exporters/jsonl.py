"""JSON lines: one row per line, exactly the text that was frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from app.domain.export_row import ExportRow, encode_row


class JsonLines:
    name: ClassVar[str] = "jsonl"
    title: ClassVar[str] = "JSON lines"
    suffix: ClassVar[str] = "jsonl"
    media_type: ClassVar[str] = "application/x-ndjson"

    def render(self, rows: Sequence[Mapping[str, object]]) -> bytes:
        """Raises ValueError where a row has not the columns of the schema."""
        return "".join(f"{encode_row(cast('ExportRow', row))}\n" for row in rows).encode("ascii")
