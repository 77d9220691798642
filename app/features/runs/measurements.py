"""What a student made of a variant, as it is written down: all attempts at once, and then all verdicts.

Both are idempotent, since a connection can be cut while COMMIT is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.db import Session
from app.domain.difficulty import Tally
from app.domain.problem import Judgement, Reply, Verdict
from app.features.runs import statements


def add_attempts(
    session: Session,
    workspace_id: int,
    variant_id: int,
    student_profile_id: int,
    prompt_hash: str,
    replies: Sequence[Reply],
) -> bool:
    """What the student answered. False, and nothing is changed, where that stands already."""
    measurement_id = session.execute(
        statements.ADD_MEASUREMENT,
        {
            "workspace_id": workspace_id,
            "variant_id": variant_id,
            "student_profile_id": student_profile_id,
            "passed": 0,
            "failed": 0,
            "errors": 0,
            "cut": 0,
            "low": 0.0,
            "high": 1.0,
            "prompt_hash": prompt_hash,
            "isolation": "",
        },
    ).scalar()
    if measurement_id is None:
        return False
    session.execute(
        statements.ADD_ATTEMPTS,
        {
            "workspace_": workspace_id,
            "measurement_": measurement_id,
            "number_": list(range(1, len(replies) + 1)),
            "reply_": [reply.text for reply in replies],
            "reasoning_": [reply.reasoning for reply in replies],
            "finish_reason_": [reply.finish_reason for reply in replies],
            "prompt_tokens_": [reply.prompt_tokens for reply in replies],
            "completion_tokens_": [reply.completion_tokens for reply in replies],
        },
    )
    return True


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
    tally = Tally(
        passed=sum(j.verdict is Verdict.PASSED for j in judgements),
        failed=sum(j.verdict is Verdict.FAILED for j in judgements),
        errors=sum(j.verdict is Verdict.ERROR for j in judgements),
    )
    low, high = tally.interval
    measurement_id = session.execute(
        statements.JUDGE_MEASUREMENT,
        {
            "variant_": variant_id,
            "profile_": student_profile_id,
            "passed_": tally.passed,
            "failed_": tally.failed,
            "errors_": tally.errors,
            "cut_": cut,
            "rate_": tally.rate(minimum),
            "low_": low,
            "high_": high,
            "isolation_": isolation,
        },
    ).scalar_one()
    session.execute(
        statements.JUDGE_ATTEMPTS,
        {
            "measurement_": measurement_id,
            "number_": list(range(1, len(judgements) + 1)),
            "verdict_": [j.verdict.value for j in judgements],
            "reason_": [j.reason for j in judgements],
            "detail_": [j.detail for j in judgements],
            "answer_": [j.answer for j in judgements],
        },
    )
    return tally
