"""The process that reads benchmarks which people bring; see app.features.seeds.child, whose walls it has.

`python -m app.features.benchmarks.child FORMAT NAME` reads its standard input: `item`, `rejected`, `refused`, `end`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

import pyarrow.parquet as pq

from app.errors import InvalidInput
from app.features.benchmarks.records import COLUMNS, NAMES, item_of
from app.features.benchmarks.schemas import MAX_GRAMS
from app.features.seeds.child import Told, confined
from app.features.seeds.reading import jsonl, parquet
from app.features.seeds.schemas import Rejected

MAX_CHARACTERS = 1 << 24
LONGEST_LINE = 1 << 27  # bytes: LiveCodeBench packs its tests into the lines


def main(form: str, name: str) -> None:
    confined(name, lambda: _items(_records(form, name)), MAX_CHARACTERS)


def _records(form: str, name: str) -> Iterable[tuple[str, Mapping[str, object] | Rejected]]:
    if form == "parquet":
        return parquet.records(sys.stdin.buffer, name, lambda table: _columns(table, name))
    return jsonl.records(sys.stdin.buffer, name, LONGEST_LINE)


def _items(records: Iterable[tuple[str, Mapping[str, object] | Rejected]]) -> Iterator[Told]:
    grams = 0
    for where, record in records:
        item = record if isinstance(record, Rejected) else item_of(record, where)
        if isinstance(item, Rejected):
            yield "rejected", asdict(item), 0
        else:
            grams += len(item.grams)
            if grams > MAX_GRAMS:
                raise InvalidInput(
                    f"The file holds more than {MAX_GRAMS:,} stretches of words.", field="file", remedy="Split it."
                )
            yield "item", asdict(item), len(item.statement) + len(item.code)


def _columns(table: pq.ParquetFile, name: str) -> list[str]:
    has = table.schema_arrow.names
    if not set(has) & {*NAMES["text"], *NAMES["code"]}:
        raise InvalidInput(
            f"{name} has no column of text or code; it has: {', '.join(has[:20])[:500]}.",
            field="text",
            remedy=f"Call it {', '.join((*NAMES['text'], *NAMES['code'][:-1]))} or {NAMES['code'][-1]}.",
        )
    return [column for column in COLUMNS if column in has]


if __name__ == "__main__":
    main(*sys.argv[1:])
