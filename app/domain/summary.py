"""The attempts worth reading: those that the teacher is told of and that a variant's page shows first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from app.domain.problem import Judgement, Verdict
from app.domain.tree import Example

SHORTEST_PASS, COMMON_FAILURE, OUTLIER = "shortest_pass", "common_failure", "outlier"
# Characters of one attempt that the teacher reads.
_LONGEST = 1_500


def representative(judgements: Sequence[Judgement]) -> tuple[Example, ...]:
    """At most one example of each kind, in this order.

    The shortest answer that passed; of the answers that failed for the same reason and with the same text, the most
    frequent ones; and the outlier, a failure of the rarest other reason (of these, the one whose length is furthest
    from the usual). `count` is how many attempts gave that very answer. Errors are no attempts and are left out.
    """
    passed = [judgement for judgement in judgements if judgement.verdict is Verdict.PASSED]
    failed = [judgement for judgement in judgements if judgement.verdict is Verdict.FAILED]
    examples: list[Example] = []
    if passed:
        shortest = min(passed, key=lambda judgement: (len(judgement.answer), judgement.answer))
        examples.append(_example(SHORTEST_PASS, shortest, passed))
    if failed:
        reasons = Counter(judgement.reason for judgement in failed)
        answers = Counter(_same(judgement) for judgement in failed)
        common = min(failed, key=lambda j: (-reasons[j.reason], -answers[_same(j)], len(j.answer), j.answer))
        examples.append(_example(COMMON_FAILURE, common, failed))
        usual = median(len(judgement.answer) for judgement in failed)
        others = [judgement for judgement in failed if _same(judgement) != _same(common)]
        if others:
            odd = min(others, key=lambda j: (reasons[j.reason], -abs(len(j.answer) - usual), j.answer))
            examples.append(_example(OUTLIER, odd, failed))
    return tuple(examples)


def _same(judgement: Judgement) -> tuple[str, str]:
    return judgement.reason, judgement.answer


def _example(kind: str, chosen: Judgement, group: Sequence[Judgement]) -> Example:
    text = chosen.answer if len(chosen.answer) <= _LONGEST else f"{chosen.answer[:_LONGEST]}…"
    reason = f"{chosen.reason}: {chosen.detail}" if chosen.detail else chosen.reason
    return Example(kind, text, reason, sum(_same(judgement) == _same(chosen) for judgement in group))
