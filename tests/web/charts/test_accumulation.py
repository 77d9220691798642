"""Curves of how many different ones there are among the first n."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.web.charts import accumulation

COUNTS = st.lists(st.integers(0, 1), max_size=80).map(lambda new: [sum(new[: n + 1]) + 1 for n in range(len(new))])


@given(COUNTS, COUNTS)
def test_marks_lie_on_their_line_and_within_the_frame(one: list[int], other: list[int]) -> None:
    chart = accumulation([("this run", one, "#run"), ("single-turn", other, "#baseline")])
    for line, counts in zip(chart.lines, (one, other), strict=True):
        assert [mark.found for mark in line.marks] == [counts[mark.n - 1] for mark in line.marks]
        assert all(chart.left <= mark.x <= chart.width and 0 <= mark.y <= chart.base for mark in line.marks)
        assert (line.marks[-1].n if line.marks else 0) == len(counts)
        assert f"{line.marks[-1].x},{line.marks[-1].y}" in line.points if line.marks else True


def test_the_diagonal_ends_where_the_axis_does() -> None:
    chart = accumulation([("this run", [1, 2, 2, 2], "#run")])
    assert chart.diagonal[1] >= min(tick.y for tick in chart.ticks)


def test_nothing_is_drawn_of_nothing() -> None:
    (line,) = accumulation([("this run", [], "#run")]).lines
    assert line.marks == []
