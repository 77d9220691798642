"""Parquet: the columns with known names, a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from app.domain.seeds import SeedDraft
from app.errors import InvalidInput
from app.features.seeds.reading.records import COLUMNS, NAMES, seed_of
from app.features.seeds.schemas import ImportOptions, Rejected

MAX_ROWS = 10_000_000
_BATCH = 64  # rows in memory at once: also a file that repeats one long value a million times stays small


def read(file: BinaryIO, name: str, options: ImportOptions) -> Iterator[SeedDraft | Rejected]:
    """Raises InvalidInput where the file is damaged, claims too much, or has no column of code."""
    for where, record in records(file, name, lambda table: _columns(table, name)):
        yield seed_of(record, where, options)


def records(
    file: BinaryIO, name: str, columns_of: Callable[[pq.ParquetFile], list[str]]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """(where it stands, what it holds) of every row. Raises InvalidInput where the file is damaged or too large."""
    try:
        table = pq.ParquetFile(file)
        if table.metadata.num_rows > MAX_ROWS:
            raise InvalidInput(
                f"{name} claims {table.metadata.num_rows} rows; {MAX_ROWS} is the most.",
                field="file",
                remedy="Split the file.",
            )
        number = 0
        for batch in table.iter_batches(batch_size=_BATCH, columns=columns_of(table)):
            for record in batch.to_pylist():
                number += 1
                yield f"{name} row {number}", record
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{name} can't be read as Parquet: {str(error).splitlines()[0][:200]}",
            field="file",
            remedy="Write it again.",
        ) from error


def _columns(table: pq.ParquetFile, name: str) -> list[str]:
    schema = table.schema_arrow
    columns = [column for column in COLUMNS if column in schema.names]
    if not set(columns) & set(NAMES["text"]):
        raise InvalidInput(
            f"{name} has no column of code; it has: {', '.join(schema.names[:20])[:500]}.",
            field="text",
            remedy=f"Call the column {', '.join(NAMES['text'][:-1])} or {NAMES['text'][-1]}.",
        )
    for column in columns:
        kind = schema.field(column).type
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_null(value)):
            raise InvalidInput(
                f"The column {column} of {name} holds {kind}, not text.", field=column, remedy="Cast it."
            )
    return columns
