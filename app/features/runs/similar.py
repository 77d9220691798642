"""Which variants nearly repeat which: of another tree of their run and arm, and of older runs of the workspace.

A variant is marked with the earliest one, by place and not by time, that it is similar to. So whoever adds a variant
also looks at the later ones, whose earliest may now be this one; and whoever adds one with a band in common waits.
What was grown on request comes last in its run: it never makes a copy of what the run found by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, any_, bindparam, literal_column, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from app.db import Session, Statement, Writing, bigints, complete, execute, spelled
from app.domain import sketch
from app.domain.sketch import number, repeats
from app.domain.tree import Place
from app.features.runs.claims import Claim
from app.models import Run, Variant
from app.models import Sketch as SketchRow
from app.models.base import table_of

_AT_ONCE = 50  # candidates whose signatures are read at once: the earliest mostly settle it
_SET = """
update variant set MARK_of = %(first)s::bigint, MARK_similarity = %(alike)s::float8
where id = %(variant_id)s and MARK_of is distinct from %(first)s::bigint"""
_variant, _sketch, _run = table_of(Variant), table_of(SketchRow), table_of(Run)
_first = _sketch.alias("first")

# An older run comes first.
PLACE = ("run_id", "asked", "position", "arm", "turn", "branch")
_COLUMNS = ("variant_id", "workspace_id", "chain_id", *PLACE, "signature", "bands")


@dataclass(frozen=True, slots=True)
class _Sketched:
    """A variant in the order of runs."""

    variant_id: int
    workspace_id: int
    chain_id: int
    run_id: int
    asked: bool
    position: int
    arm: str
    turn: int
    branch: int
    signature: bytes
    bands: Sequence[int]

    def likeness(self, other: _Sketched) -> float | None:
        return repeats(self.signature, other.signature, same_tree=self.chain_id == other.chain_id)

    @property
    def values(self) -> dict[str, object]:
        """As the selects of candidates take them."""
        values = {f"{name}_": getattr(self, name) for name in ("workspace_id", *PLACE)}
        return values | {"bands_": bigints(self.bands)}


def _place(table: Any) -> Any:
    return tuple_(*(table.c[name] for name in PLACE))


_here = tuple_(*(bindparam(f"{name}_") for name in PLACE))
_read = select(*(_sketch.c[name] for name in _COLUMNS))
_akin = _read.where(
    _sketch.c.bands.overlap(bindparam("bands_", type_=ARRAY(BigInteger))),
    _sketch.c.workspace_id == bindparam("workspace_id_"),
)
_own = (_sketch.c.run_id == bindparam("run_id_")) & (_sketch.c.arm == bindparam("arm_"))


@dataclass(frozen=True, slots=True)
class _Mark:
    """A column of `variant`: the selects of a variant's earlier and later candidates, and what sets it and how alike
    they are."""

    column: str
    earlier: bytes
    later: bytes
    set: bytes


def _is_preview(run_id: Any) -> ColumnElement[bool]:
    return select(_run.c.id).where(_run.c.id == run_id, _run.c.previews.is_not(None)).exists()


def _mark(name: str, earlier: ColumnElement[bool], later: ColumnElement[bool]) -> _Mark:
    marked = _variant.c[f"{name}_of"]
    before = _akin.where(earlier, _place(_sketch) < _here).order_by(_place(_sketch))
    behind = (
        _akin.join(_variant, _variant.c.id == _sketch.c.variant_id)
        .outerjoin(_first, _first.c.variant_id == marked)
        # Those whose mark is none, or names a later variant than this one.
        .where(later, _place(_sketch) > _here, or_(_first.c.variant_id.is_(None), _place(_first) > _here))
    )
    some = before.limit(literal_column(str(_AT_ONCE))).offset(bindparam("offset_"))
    return _Mark(marked.name, spelled(some), spelled(behind), _SET.replace("MARK", name).encode())


MARKS = (
    _mark("near", _own, _own),
    # A preview grows what the whole run grows again: neither is known by it.
    _mark(
        "known",
        and_(_sketch.c.run_id < bindparam("run_id_"), ~_is_preview(_sketch.c.run_id)),
        and_(_sketch.c.run_id > bindparam("run_id_"), ~_is_preview(bindparam("run_id_", type_=BigInteger))),
    ),
)
_LOCK = b"select pg_advisory_xact_lock(key)::text from unnest(%(keys)s::bigint[]) as given (key)"
_ids = any_(bindparam("ids_", type_=ARRAY(BigInteger)))
_THESE = spelled(_read.where(_sketch.c.variant_id == _ids))
_HOLD = spelled(
    select(_variant.c.id).where(_variant.c.id == _ids).order_by(_variant.c.id).with_for_update(key_share=True)
)
_NAMING = spelled(
    select(_variant.c.id).where(or_(*(_variant.c[mark.column] == bindparam("variant_") for mark in MARKS)))
)
_REMOVE = b"delete from sketch where variant_id = %(variant_id)s"


def lock(claim: Claim, fingerprint: str, bands: Sequence[int]) -> Statement:
    """Before any row is held: who adds an equal or similar variant waits here, and not for rows."""
    return _lock([number(f"{claim.run_id}/{fingerprint}".encode()), *bands])


def lock_all(session: Session, claim: Claim, fingerprint: str, variant_id: int) -> None:
    """As `lock`, for a variant that was added: also for those that are marked with it."""
    held: set[int] = set()
    while True:  # once more where one was marked while we waited
        these = _these(session, [variant_id, *_naming(session, variant_id)])
        wanted = {number(f"{claim.run_id}/{fingerprint}".encode()), *(key for this in these for key in this.bands)}
        if wanted <= held:
            return
        execute(session, *_lock(wanted - held))
        held |= wanted


def mark(claim: Claim, place: Place, variant_id: int, signature: bytes, bands: Sequence[int]) -> Writing[None]:
    """Marks a variant that was just added, whose bands are locked, and later ones."""
    this = _Sketched(
        variant_id=variant_id,
        workspace_id=claim.workspace_id,
        chain_id=claim.chain_id,
        run_id=claim.run_id,
        asked=claim.asked is not None,
        position=claim.position,
        arm=claim.arm,
        turn=place.turn,
        branch=place.branch,
        signature=signature,
        bands=bands,
    )
    for mark in MARKS:
        first, alike = yield from _earliest(mark, this)
        if first is not None:
            yield from _set(mark, [(variant_id, first, alike)])
        rows = yield Statement(mark.later, this.values)
        if rows:
            # Two that are unlike each other, and so share no lock, may both mark a third one: who comes second looks
            # again once the first is done.
            later = [_Sketched(*row) for row in rows]
            yield Statement(_HOLD, {"ids_": bigints(other.variant_id for other in later)})
            rows = yield Statement(mark.later, this.values)
        later = [_Sketched(*row) for row in rows]
        alike_ones = [(other.variant_id, variant_id, a) for other in later if (a := this.likeness(other)) is not None]
        yield from _set(mark, alike_ones)


def remove(session: Session, variant_id: int) -> None:
    """The variant turned out invalid: what was marked with it is marked with the next one, or not at all."""
    named = _these(session, _naming(session, variant_id))
    execute(session, _REMOVE, {"variant_id": variant_id})
    for mark in MARKS:
        again = [(this.variant_id, *complete(session, _earliest(mark, this))) for this in named]
        complete(session, _set(mark, [*again, (variant_id, None, None)]))


def bands_of(claim: Claim, signature: bytes) -> list[int]:
    """Those of the claim's workspace and environment."""
    return list(sketch.bands(signature, f"{claim.workspace_id}/{claim.environment}"))


def _lock(keys: Sequence[int] | set[int]) -> Statement:
    """In ascending order, so that two who want some of the same never wait for each other."""
    return Statement(_LOCK, {"keys": bigints(sorted(set(keys)))})


def _these(session: Session, ids: Sequence[int]) -> list[_Sketched]:
    return [_Sketched(*row) for row in execute(session, _THESE, {"ids_": bigints(ids)})] if ids else []


def _naming(session: Session, variant_id: int) -> list[int]:
    return [other for (other,) in execute(session, _NAMING, {"variant_": variant_id})]


def _earliest(mark: _Mark, this: _Sketched) -> Writing[tuple[int | None, float | None]]:
    offset = 0
    while True:
        rows = yield Statement(mark.earlier, this.values | {"offset_": offset})
        for other in (_Sketched(*row) for row in rows):
            alike = this.likeness(other)
            if alike is not None:
                return other.variant_id, alike
        if len(rows) < _AT_ONCE:
            return None, None
        offset += _AT_ONCE


def _set(mark: _Mark, found: Sequence[tuple[int, int | None, float | None]]) -> Writing[None]:
    """In the order of the rows' ids, so that two who write the same rows wait for each other in one."""
    for variant_id, first, alike in sorted(found, key=lambda row: row[0]):
        yield Statement(mark.set, {"variant_id": variant_id, "first": first, "alike": alike})
