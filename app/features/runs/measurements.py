"""What a student made of a variant, as it is written down: all attempts at once, and then all verdicts.

Both are idempotent, since a connection can be cut while COMMIT is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from pydantic_core import PydanticSerializationError, to_json

from app.db import Session, execute
from app.domain.difficulty import Tally
from app.domain.problem import Judgement, Reply, Verdict
from app.domain.text import storable
from app.features.runs.statements import JUDGE, MEASURE

_NUL = "\\u0000"  # in JSON
_ADD = f"with held as (select), {MEASURE} select id from measured".encode()
_JUDGE = f"with held as (select), {JUDGE} select id from judged".encode()


def add_attempts(
    session: Session,
    workspace_id: int,
    variant_id: int,
    student_profile_id: int,
    prompt_hash: str,
    replies: Sequence[Reply],
) -> None:
    """What the student answered; nothing is changed where that stands already."""
    values = values_of_attempts(variant_id, student_profile_id, prompt_hash, replies)
    execute(session, _ADD, values | {"workspace_id": workspace_id})


def judge_attempts(
    session: Session,
    variant_id: int,
    student_profile_id: int,
    judgements: Sequence[Judgement],
    minimum: int,
    cut: int,
    isolation: str,
) -> Tally:
    """The verdicts, and the pass rate where there are at least `minimum` of them."""
    tally = tally_of(judgements)
    values = values_of_judgements(variant_id, student_profile_id, judgements, tally, minimum, cut, isolation)
    ((_,),) = execute(session, _JUDGE, values)
    return tally


def tally_of(judgements: Sequence[Judgement]) -> Tally:
    verdicts = [judgement.verdict for judgement in judgements]
    return Tally(*map(verdicts.count, (Verdict.PASSED, Verdict.FAILED, Verdict.ERROR)))


def values_of_attempts(
    variant_id: int, student_profile_id: int, prompt_hash: str, replies: Sequence[Reply]
) -> dict[str, object]:
    """As app.features.runs.statements.MEASURE takes them."""
    return {
        "variant_id": variant_id,
        "profile_id": student_profile_id,
        "prompt_hash": prompt_hash,
        "attempts": _records(
            [
                {
                    "number": number,
                    "reply": reply.text,
                    "reasoning": reply.reasoning,
                    "finish_reason": reply.finish_reason,
                    "prompt_tokens": reply.prompt_tokens,
                    "completion_tokens": reply.completion_tokens,
                }
                for number, reply in enumerate(replies, 1)
            ]
        ),
    }


def values_of_judgements(
    variant_id: int,
    student_profile_id: int,
    judgements: Sequence[Judgement],
    tally: Tally,
    minimum: int,
    cut: int,
    isolation: str,
) -> dict[str, object]:
    """As app.features.runs.statements.JUDGE takes them."""
    low, high = tally.interval
    return {
        "variant_id": variant_id,
        "profile_id": student_profile_id,
        "passed": tally.passed,
        "failed": tally.failed,
        "verdict_errors": tally.errors,
        "cut": cut,
        "rate": tally.rate(minimum),
        "low": low,
        "high": high,
        "isolation": isolation,
        "judgements": _records(
            [
                {
                    "number": number,
                    "verdict": judgement.verdict.value,
                    "reason": judgement.reason,
                    "detail": judgement.detail,
                    "answer": judgement.answer,
                }
                for number, judgement in enumerate(judgements, 1)
            ]
        ),
    }


def _records(rows: list[dict[str, int | str]]) -> str:
    """As JSON, with U+FFFD for what can't be stored, which hardly any text holds."""
    with suppress(PydanticSerializationError):  # half of a surrogate pair
        text = to_json(rows).decode()
        if _NUL not in text:
            return text
    clean = [{name: storable(v) if isinstance(v, str) else v for name, v in row.items()} for row in rows]
    return to_json(clean).decode()
