"""What all tables share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, MetaData, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

from app.domain.text import storable

_NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class PlainText(TypeDecorator[str]):
    """Text from models and seeds: what can't be stored becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else storable(value)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, object]: JSONB,
        list[str]: JSONB,
        str: PlainText,
    }


Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Now = Annotated[datetime, mapped_column(server_default=func.now())]
WorkspaceId = Annotated[int, mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"), index=True)]


def table_of(model: type[Base]) -> Table:
    """The table itself: what is written to it directly takes a fraction of the time that the mapped class takes."""
    return cast("Table", model.__table__)
