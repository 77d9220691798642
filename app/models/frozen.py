"""Triggers that keep a frozen curriculum version as it is, whoever holds the database.

`create_all` makes them too; the migration executes `CREATE` and, on the way back, `DROP`.
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from app.models.base import Base

# FOR SHARE waits for a freeze that is under way, so that no item slips in between its check and its commit.
_ITEMS = """
create or replace function curriculum_item_guard() returns trigger language plpgsql as $$
declare
    version bigint := case when tg_op = 'DELETE' then old.version_id else new.version_id end;
    since timestamptz;
begin
    if tg_op = 'UPDATE' and old.version_id <> new.version_id then
        raise exception 'an item can''t move to another curriculum version' using errcode = 'restrict_violation';
    end if;
    select frozen_at into since from curriculum_version where id = version for share;
    if since is not null then
        raise exception 'curriculum version % is frozen since %', version, since using errcode = 'restrict_violation';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $$
"""
_VERSION = """
create or replace function curriculum_version_guard() returns trigger language plpgsql as $$
begin
    raise exception 'curriculum version % is frozen since %', old.id, old.frozen_at
        using errcode = 'restrict_violation';
end $$
"""
_EXPORT = """
create or replace function export_guard() returns trigger language plpgsql as $$
begin
    raise exception 'the hash of an export never changes' using errcode = 'restrict_violation';
end $$
"""

CREATE = (
    _ITEMS,
    _VERSION,
    _EXPORT,
    "create or replace trigger frozen_items before insert or update or delete on curriculum_item"
    " for each row execute function curriculum_item_guard()",
    "create or replace trigger frozen_version before update or delete on curriculum_version"
    " for each row when (old.frozen_at is not null) execute function curriculum_version_guard()",
    "create or replace trigger frozen_export before update of version_id, format, sha256, bytes on export"
    " for each row execute function export_guard()",
)
DROP = (
    "drop trigger if exists frozen_export on export",
    "drop trigger if exists frozen_version on curriculum_version",
    "drop trigger if exists frozen_items on curriculum_item",
    "drop function if exists export_guard()",
    "drop function if exists curriculum_version_guard()",
    "drop function if exists curriculum_item_guard()",
)

for _statement in CREATE:
    event.listen(Base.metadata, "after_create", DDL(_statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
