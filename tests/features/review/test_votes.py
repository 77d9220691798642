"""What decisions add up to."""

from __future__ import annotations

from datetime import UTC, datetime

from app.features.review.votes import Vote, standing, valid_votes


def vote(number: int, kind: str, undoes: int | None = None, content: str = "now") -> Vote:
    return Vote(number, 1, number % 2, "Ada", kind, undoes, "", "", content, datetime.now(UTC))


def test_the_last_word_stands() -> None:
    assert standing([vote(1, "approve"), vote(2, "reject")], "now") == "rejected"
    assert standing([vote(1, "reject"), vote(2, "approve")], "now") == "approved"
    assert standing([], "now") == ""


def test_what_is_taken_back_does_not_count() -> None:
    votes = [vote(1, "approve"), vote(2, "reject"), vote(3, "undo", undoes=2)]
    assert standing(votes, "now") == "approved"
    assert [v.id for v in valid_votes(votes, "now")] == [1]
    assert standing([*votes, vote(4, "undo", undoes=1)], "now") == ""


def test_decisions_on_other_content_do_not_count() -> None:
    assert standing([vote(1, "approve", content="before")], "now") == ""
