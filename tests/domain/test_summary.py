"""Which attempts the teacher is told of."""

from __future__ import annotations

from app.domain.problem import Judgement, Verdict
from app.domain.summary import representatives
from app.domain.tree import Example


def passed(answer: str) -> tuple[str, Judgement]:
    return f"Let me think. {answer}", Judgement(Verdict.PASSED, answer=answer)


def failed(answer: str, reason: str = "wrong_value", detail: str = "") -> tuple[str, Judgement]:
    return f"Let me think. {answer}", Judgement(Verdict.FAILED, reason, detail, answer)


def test_nothing_was_judged() -> None:
    assert representatives([]) == ()
    assert representatives([("x", Judgement(Verdict.ERROR, "sandbox_unavailable"))]) == ()


def test_the_shortest_answer_that_passed_with_its_count() -> None:
    assert representatives([passed("long one"), passed("7"), passed("7")]) == (Example("shortest_pass", "7", "", 2),)


def test_the_most_common_failure_and_the_outlier() -> None:
    attempts = [
        *[failed("4", detail="not 7")] * 3,
        failed("5"),
        passed("7"),
        failed("while", "timeout"),
    ]
    assert representatives(attempts) == (
        Example("shortest_pass", "7", "", 1),
        Example("common_failure", "4", "wrong_value: not 7", 3),
        Example("outlier", "while", "timeout", 1),
    )


def test_of_equal_answers_the_first_says_why() -> None:
    (example,) = representatives([failed("4", detail="not 7"), failed("4", detail="not 8")])
    assert example == Example("common_failure", "4", "wrong_value: not 7", 2)


def test_of_one_reason_the_outlier_has_the_oddest_length() -> None:
    attempts = [failed("aa"), failed("aa"), failed("bbb"), failed("c" * 50)]
    assert [example.text for example in representatives(attempts)] == ["aa", "c" * 50]


def test_equal_failures_have_no_outlier() -> None:
    assert [example.kind for example in representatives([failed("4")] * 5)] == ["common_failure"]


def test_an_attempt_without_answer_shows_its_end() -> None:
    reply = "x" * 5_000 + "I give up."
    (example,) = representatives([(reply, Judgement(Verdict.FAILED, "no_answer"))])
    assert example.text.endswith("I give up.")
    assert len(example.text) < 2_000


def test_the_order_of_attempts_does_not_matter() -> None:
    attempts = [failed("a"), failed("b"), passed("d"), passed("c"), failed("e", "timeout"), failed("f", "memory")]
    assert representatives(attempts) == representatives(attempts[::-1])
