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
        corners = [tuple(map(float, corner.split(","))) for corner in line.points.split()]
        for mark in line.marks:
            before = max(corner for corner in corners if corner[0] <= mark.x)
            behind = min(corner for corner in corners if corner[0] >= mark.x)
            share = (mark.x - before[0]) / ((behind[0] - before[0]) or 1)
            assert abs(before[1] + share * (behind[1] - before[1]) - mark.y) < 1


def test_the_diagonal_ends_where_the_axis_does() -> None:
    chart = accumulation([("this run", [1, 2, 2, 2], "#run")])
    assert chart.diagonal[1] >= min(tick.y for tick in chart.ticks)


def test_nothing_is_drawn_of_nothing() -> None:
    (line,) = accumulation([("this run", [], "#run")]).lines
    assert line.marks == []
