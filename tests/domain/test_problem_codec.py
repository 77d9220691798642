import pytest

from app.domain.problem import Problem
from app.domain.problem_codec import decode_problem, encode_problem

PROBLEM = Problem(
    environment="deduction",
    program="def f(x):\n    return {x: float('nan')}",
    inputs=((10**30,), ("\ud800\x00",)),
    outputs=({10**30: 1.5}, {b"\xff", (1,)}),
    message="say",
    options={"exact": True, "wall_ms": 1000},
)


def test_every_value_comes_back() -> None:
    assert decode_problem(encode_problem(PROBLEM)) == PROBLEM


def test_one_spelling_in_plain_ascii() -> None:
    text = encode_problem(PROBLEM)
    assert text.isascii()
    assert "\x00" not in text
    assert encode_problem(decode_problem(text)) == text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"environment": "x"}', "nonsense", '{"inputs": 3}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any message will do, no other error may escape
        decode_problem(text)
