"""What a student made of a variant, as it is written down."""

from __future__ import annotations

import json

import pytest

from app.domain.problem import Judgement, Reply, Verdict
from app.features.runs.measurements import tally_of, values_of_attempts, values_of_judgements


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("a\0b", "a\ufffdb"),
        ("\ud800 half", "\ufffd half"),
        ("\\u0000", "\\u0000"),
        ("ü \U0001f600 \n", "ü \U0001f600 \n"),
    ],
    ids=ascii,
)
def test_what_can_not_be_stored_is_replaced(said: str, stored: str) -> None:
    tried = json.loads(str(values_of_attempts(1, 2, "", [Reply("before"), Reply(said, said, said)])["attempts"]))
    assert [row["reply"] for row in tried] == ["before", stored]
    assert (tried[1]["reasoning"], tried[1]["finish_reason"]) == (stored, stored)
    judgements = [Judgement(Verdict.FAILED, "wrong_value", said, said), Judgement(Verdict.PASSED)]
    values = values_of_judgements(1, 2, judgements, tally_of(judgements), 1, 0, "full")
    judged = json.loads(str(values["judgements"]))
    assert [(row["number"], row["verdict"], row["answer"]) for row in judged] == [
        (1, "failed", stored),
        (2, "passed", ""),
    ]
