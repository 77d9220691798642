"""Parquet with the schema spelled out, so that neither an empty export nor an odd value changes a column's type.

Byte-identical every time: the writer's settings are fixed, and nothing of the moment or the machine is in the file. It
names the version of the library that wrote it; a lock file fixes that, and the stored hash shows when it changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from app.domain.export_row import COLUMNS

_TEXT = pa.string()
_INTEGER = pa.int64()
_REAL = pa.float64()


def _struct(**fields: Any) -> Any:
    return pa.struct(list(fields.items()))


SCHEMA = pa.schema(
    [
        ("id", _TEXT),
        ("content_hash", _TEXT),
        ("env", _TEXT),
        ("position", _INTEGER),
        ("stage", _INTEGER),
        ("difficulty", _TEXT),
        ("prompt", pa.list_(_struct(role=_TEXT, content=_TEXT))),
        ("data_source", _TEXT),
        ("ability", _TEXT),
        ("reward_model", _struct(style=_TEXT, ground_truth=_TEXT)),
        ("env_class", _TEXT),
        ("reward_spec", _struct(method=_TEXT, ground_truth=_TEXT)),
        ("extra_info", _struct(index=_INTEGER, id=_TEXT, split=_TEXT, env=_TEXT)),
        ("label", _TEXT),
        ("datasource", _TEXT),
        ("problem", _TEXT),
        ("licence", _TEXT),
        ("pass_rate", _REAL),
        ("passed", _INTEGER),
        ("n", _INTEGER),
        ("pass_rate_low", _REAL),
        ("pass_rate_high", _REAL),
        ("provenance", _TEXT),
    ]
)
_ROWS_PER_GROUP = 1_000  # what a streaming reader takes at a time


class Parquet:
    name: ClassVar[str] = "parquet"
    title: ClassVar[str] = "Parquet"
    suffix: ClassVar[str] = "parquet"
    media_type: ClassVar[str] = "application/vnd.apache.parquet"

    def render(self, rows: Sequence[Mapping[str, object]]) -> bytes:
        """Raises ValueError where a row has not the columns of the schema."""
        for row in rows:
            if tuple(row) != COLUMNS:
                raise ValueError(f"an export row has the columns {', '.join(COLUMNS)}; got {', '.join(row)}")
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA)
        sink = pa.BufferOutputStream()
        pq.write_table(
            table,
            sink,
            row_group_size=_ROWS_PER_GROUP,
            version="2.6",
            data_page_version="1.0",
            compression="zstd",
            compression_level=3,
            use_dictionary=True,
            write_statistics=True,
            store_schema=False,
        )
        data: bytes = sink.getvalue().to_pybytes()
        return data
