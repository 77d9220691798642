from __future__ import annotations

import pytest

from app.engines._procedural.running import Loaded, is_plain


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n        n += 1",
        "for i in range(10 ** 12):\n        pass",
        "return sum(range(10 ** 12))",
        "return [i for i in range(10 ** 12)]",
        "for i in range(100):\n        n = n * n + 7\n    return n",
        "return 10 ** (n * 10 ** 9)",
        "return 'ab' * 10 ** 9",
        "return 1 << 10 ** 9",
        "return f(n)",
    ],
)
def test_what_runs_away_ends_by_steps_and_not_by_time(body: str) -> None:
    result = Loaded(f"def f(n):\n    {body}").call("f", (3,))
    assert not result.ok
    assert result.error in ("OutOfSteps", "RecursionError")


def test_arguments_are_copied() -> None:
    loaded = Loaded("def f(items):\n    items.append(1)\n    return items")
    arguments = ([0],)
    assert loaded.call("f", arguments).value == [0, 1]
    assert arguments == ([0],)


def test_an_observer_sees_and_may_change_every_value() -> None:
    seen: list[object] = []

    def observer(value: object) -> object:
        seen.append(value)
        return 10 if value == 3 else value

    loaded = Loaded("def f(n):\n    total = n + 1\n    total += 5\n    return total * 2", observer=observer)
    assert loaded.call("f", (2,)).value == 30
    assert seen == [3, 15, 30]


def test_values_are_plain_and_bounded() -> None:
    assert is_plain([1, "a", {"b": (None, 2.5)}])
    assert not is_plain(float("nan"))
    assert not is_plain(10**20)
    assert not is_plain("x" * 1_000)
    assert not is_plain(object())
