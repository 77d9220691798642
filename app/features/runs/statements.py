"""The statements of the ledger's hot path, built once: building one costs several times as much as running it.

Parameters whose names would clash with a column's carry an underscore.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Table,
    Update,
    bindparam,
    column,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeEngine

from app.models import Attempt, Chain, Growth, Measurement, StageUsage, Variant
from app.models.base import PlainText, table_of

_chain, _growth, _variant, _measurement, _attempt = map(table_of, (Chain, Growth, Variant, Measurement, Attempt))


def _p(name: str, type_: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    return bindparam(f"{name}_", type_=type_)


def _rows(**columns: type[TypeEngine[Any]]) -> TableValuedAlias:
    """Parallel arrays as rows: one statement for all attempts of a measurement."""
    arrays = (_p(name, ARRAY(kind)) for name, kind in columns.items())
    return (
        func.unnest(*arrays)
        .table_valued(*(column(name, kind) for name, kind in columns.items()), name="given")
        .render_derived()
    )


def _held(leased: Table) -> Update:
    return update(leased).where(leased.c.id == _p("id"), leased.c.epoch == _p("epoch"), leased.c.state == "open")


def _fence(leased: Table) -> ReturningUpdate[Any]:
    return _held(leased).where(leased.c.next_turn == _p("turn")).values(deaths=0).returning(leased.c.id)


def _move_on(leased: Table) -> ReturningUpdate[Any]:
    return (
        _held(leased)
        .where(leased.c.next_turn.in_((_p("turn"), _p("turn") + 1)))
        .values(next_turn=_p("turn") + 1, deaths=0)
        .returning(leased.c.id)
    )


def _spend(leased: Table) -> Update:
    return (
        update(leased)
        .where(leased.c.id == _p("id"))
        .values({column: column + _p(column.name, BigInteger()) for column in (leased.c[name] for name in SPENT)})
    )


SPENT = (
    "teacher_prompt_tokens",
    "teacher_completion_tokens",
    "student_prompt_tokens",
    "student_completion_tokens",
    "attempts",
)

# By what the claim is for.
FENCE = {Chain: _fence(_chain), Growth: _fence(_growth)}
MOVE_ON = {Chain: _move_on(_chain), Growth: _move_on(_growth)}
SPEND = {Chain: _spend(_chain), Growth: _spend(_growth)}

ADD_VARIANT = (
    upsert(_variant).on_conflict_do_nothing(index_elements=["chain_id", "turn", "branch"]).returning(_variant.c.id)
)

VARIANT_AT = select(_variant.c.id).where(
    _variant.c.chain_id == _p("chain"), _variant.c.turn == _p("turn"), _variant.c.branch == _p("branch")
)

GROW_ANCESTORS = (
    update(_variant)
    .where(
        _variant.c.chain_id == _p("chain"),
        _p("path", PlainText()).startswith(_variant.c.path + "/"),
    )
    .values(subtree=_variant.c.subtree + 1)
)

_this_variant = update(_variant).where(_variant.c.id == _p("variant"))
SET_INVALID = _this_variant.values(
    stage="done", invalid_code=_p("code"), invalid_detail=_p("detail"), duplicate_of=null()
)
SET_CHECKED = _this_variant.values(
    stage="checked", problem=_p("problem"), content_hash=_p("content_hash"), fingerprint=_p("fingerprint")
)
SET_ATTEMPTED = _this_variant.values(stage="attempted")
SET_DONE = _this_variant.values(stage="done")

TWINS = (
    select(_variant.c.id, _variant.c.duplicate_of)
    .join(_chain, _chain.c.id == _variant.c.chain_id)
    .where(
        _variant.c.run_id == _p("run"),
        _variant.c.fingerprint == _p("fingerprint"),
        _variant.c.invalid_code.is_(None),
        _chain.c.arm == _p("arm"),
    )
    # What was grown on request comes last: it never makes a copy of what the run found by itself.
    .order_by(_variant.c.growth_id.is_not(None), _chain.c.position, _variant.c.turn, _variant.c.branch)
)

ADD_USAGE = upsert(table_of(StageUsage)).on_conflict_do_nothing(index_elements=["variant_id", "stage"])

ADD_MEASUREMENT = (
    upsert(_measurement)
    .on_conflict_do_nothing(index_elements=["variant_id", "student_profile_id"])
    .returning(_measurement.c.id)
)

_answers = _rows(
    number=Integer,
    reply=PlainText,
    reasoning=PlainText,
    finish_reason=PlainText,
    prompt_tokens=Integer,
    completion_tokens=Integer,
)
ADD_ATTEMPTS = insert(_attempt).from_select(
    ["workspace_id", "measurement_id", *_answers.c.keys(), "reason", "detail", "answer"],
    select(
        _p("workspace", BigInteger()), _p("measurement", BigInteger()), *_answers.c, *(literal("") for _ in range(3))
    ),
    include_defaults=False,
)

JUDGE_MEASUREMENT = (
    update(_measurement)
    .where(_measurement.c.variant_id == _p("variant"), _measurement.c.student_profile_id == _p("profile"))
    .values(
        passed=_p("passed"),
        failed=_p("failed"),
        errors=_p("errors"),
        cut=_p("cut"),
        rate=_p("rate"),
        low=_p("low"),
        high=_p("high"),
        isolation=_p("isolation"),
        judged_at=func.now(),
    )
    .returning(_measurement.c.id)
)

_verdicts = _rows(number=Integer, verdict=PlainText, reason=PlainText, detail=PlainText, answer=PlainText)
JUDGE_ATTEMPTS = (
    update(_attempt)
    .where(_attempt.c.measurement_id == _p("measurement"), _attempt.c.number == _verdicts.c.number)
    .values(
        verdict=_verdicts.c.verdict,
        reason=_verdicts.c.reason,
        detail=_verdicts.c.detail,
        answer=_verdicts.c.answer,
    )
)
