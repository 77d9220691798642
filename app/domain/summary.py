"""The attempts worth reading: those that the teacher is told of and that a variant's page shows first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from app.domain.problem import Judgement, Verdict
from app.domain.tree import Example

SHORTEST_PASS, COMMON_FAILURE, OUTLIER = "shortest_pass", "common_failure", "outlier"
# Characters of one attempt that the teacher reads.
_LONGEST = 1_500


def representatives(attempts: Sequence[tuple[str, Judgement]]) -> tuple[Example, ...]:
    """At most one example of each kind, in this order, from pairs of a reply and its judgement.

    The shortest answer that passed; of the answers that failed for the most common reason, the most frequent one; and
    the outlier, a failure of the rarest reason among the others (of these, the one whose length is furthest from the
    usual). `count` is how many attempts gave that very answer. Errors say nothing of the student and are left out.
    """
    judged = [
        _Judged((judgement.reason, judgement.answer or reply[-_LONGEST:]), judgement) for reply, judgement in attempts
    ]
    passed = [attempt for attempt in judged if attempt.judgement.verdict is Verdict.PASSED]
    failed = [attempt for attempt in judged if attempt.judgement.verdict is Verdict.FAILED]
    examples: list[Example] = []
    if passed:
        examples.append(_example(SHORTEST_PASS, min(passed, key=lambda a: (len(a.text), a.text)), passed))
    if failed:
        reasons = Counter(attempt.reason for attempt in failed)
        answers = Counter(attempt.same for attempt in failed)
        common = min(failed, key=lambda a: (-reasons[a.reason], a.reason, -answers[a.same], len(a.text), a.text))
        examples.append(_example(COMMON_FAILURE, common, failed))
        usual = median(len(attempt.text) for attempt in failed)
        if others := [attempt for attempt in failed if attempt.same != common.same]:
            odd = min(others, key=lambda a: (reasons[a.reason], -abs(len(a.text) - usual), a.text))
            examples.append(_example(OUTLIER, odd, failed))
    return tuple(examples)


@dataclass(frozen=True, slots=True)
class _Judged:
    """An attempt by what it shows: its answer, or the end of a reply that holds none."""

    same: tuple[str, str]
    judgement: Judgement

    @property
    def reason(self) -> str:
        return self.same[0]

    @property
    def text(self) -> str:
        return self.same[1]


def _example(kind: str, chosen: _Judged, group: Sequence[_Judged]) -> Example:
    text = chosen.text if len(chosen.text) <= _LONGEST else f"{chosen.text[:_LONGEST]}…"
    detail = chosen.judgement.detail
    reason = f"{chosen.reason}: {detail}" if detail else chosen.reason
    return Example(kind, text, reason, sum(attempt.same == chosen.same for attempt in group))
