"""The attempts worth reading: those that the teacher is told of and that a variant's page shows first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

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
    given = [_Given(j.verdict, j.reason, j.answer or reply[-_LONGEST:]) for reply, j in attempts]
    counts = Counter(given)
    details: dict[_Given, str] = {}
    for answer, (_, judgement) in zip(given, attempts, strict=True):
        details.setdefault(answer, judgement.detail)

    def example(kind: str, chosen: _Given) -> Example:
        text = chosen.text if len(chosen.text) <= _LONGEST else f"{chosen.text[:_LONGEST]}…"
        reason = f"{chosen.reason}: {details[chosen]}" if details[chosen] else chosen.reason
        return Example(kind, text, reason, counts[chosen])

    passed = [answer for answer in counts if answer.verdict is Verdict.PASSED]
    failed = [answer for answer in counts if answer.verdict is Verdict.FAILED]
    examples: list[Example] = []
    if passed:
        examples.append(example(SHORTEST_PASS, min(passed, key=lambda a: (len(a.text), a.text))))
    if failed:
        reasons: Counter[str] = Counter()
        for answer in failed:
            reasons[answer.reason] += counts[answer]
        common = min(failed, key=lambda a: (-reasons[a.reason], a.reason, -counts[a], len(a.text), a.text))
        examples.append(example(COMMON_FAILURE, common))
        usual = median(len(answer.text) for answer in failed for _ in range(counts[answer]))
        if others := [answer for answer in failed if answer != common]:
            odd = min(others, key=lambda a: (reasons[a.reason], -abs(len(a.text) - usual), a.text))
            examples.append(example(OUTLIER, odd))
    return tuple(examples)


class _Given(NamedTuple):
    """What attempts may have in common: `text` is an answer, or the end of a reply that holds none."""

    verdict: Verdict
    reason: str
    text: str
