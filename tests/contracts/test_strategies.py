"""What every strategy keeps, whatever the turns give: over all strategies found."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import registry
from app.domain.difficulty import Band
from app.domain.ports import Plan, Strategy
from app.domain.tree import Direction, Node, Place, Step

STRATEGIES = registry.strategies()
# How a proposal ends: a pass rate over 32 attempts, the machine name of what made it invalid, or too few verdicts.
ENDS = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5]),
    st.integers(0, 32).map(lambda passed: passed / 32),
    st.sampled_from(["syntax_error", "timeout"]),
    st.none(),
)


@dataclass(frozen=True)
class Chain:
    """A finished chain: the nodes, and the steps of each turn as the strategy gave them."""

    nodes: list[Node]
    turns: list[list[Step]]


def grow(strategy: Strategy, plan: Plan, ends: list[float | str | None]) -> Chain:
    waiting = iter(ends)
    chain = Chain([], [])
    while steps := strategy.next(tuple(chain.nodes), plan):
        turn = len(chain.turns) + 1
        chain.turns.append(list(steps))
        for branch, step in enumerate(steps, 1):
            end = next(waiting)
            invalid = end if isinstance(end, str) else None
            rate = None if isinstance(end, str) else end
            chain.nodes.append(Node(Place(turn, branch), step, rate, invalid))
    return chain


@st.composite
def cases(draw: st.DrawFn) -> tuple[Plan, list[float | str | None]]:
    plan = Plan(draw(st.integers(1, 7)), draw(st.integers(1, 4)), Band(0.35, 0.65))
    size = plan.turns * plan.branching
    return plan, draw(st.lists(ENDS, min_size=size, max_size=size))


@pytest.mark.parametrize("name", STRATEGIES)
@given(case=cases())
def test_the_budget_is_used_and_not_exceeded(name: str, case: tuple[Plan, list[float | str | None]]) -> None:
    plan, ends = case
    chain = grow(STRATEGIES[name], plan, ends)
    assert len(chain.turns) == plan.turns
    assert all(len(steps) == plan.branching for steps in chain.turns)


@pytest.mark.parametrize("name", STRATEGIES)
@given(case=cases())
def test_every_step_makes_sense(name: str, case: tuple[Plan, list[float | str | None]]) -> None:
    plan, ends = case
    chain = grow(STRATEGIES[name], plan, ends)
    nodes = {node.place: node for node in chain.nodes}
    for node in chain.nodes:
        parent = nodes[node.step.parent] if node.step.parent else None
        if node.step.direction is Direction.FIRST:
            assert parent is None
            continue
        assert parent is not None
        assert parent.place.turn < node.place.turn
        if node.step.direction is Direction.REPAIR:
            assert parent.invalid is not None
            continue
        assert parent.rate is not None
        expected = {
            Direction.EASIER: parent.rate < node.step.target.low,
            Direction.HARDER: parent.rate > node.step.target.high,
        }
        assert expected.get(node.step.direction, parent.rate in node.step.target)


@pytest.mark.parametrize("name", STRATEGIES)
@given(case=cases())
def test_the_same_turns_give_the_same_steps(name: str, case: tuple[Plan, list[float | str | None]]) -> None:
    plan, ends = case
    assert grow(STRATEGIES[name], plan, ends) == grow(type(STRATEGIES[name])(), plan, ends)


@pytest.mark.parametrize("name", STRATEGIES)
@given(case=cases())
def test_what_is_told_nothing_asks_from_the_seed(name: str, case: tuple[Plan, list[float | str | None]]) -> None:
    """A strategy whose teacher has no memory cannot name a parent."""
    plan, ends = case
    if not STRATEGIES[name].remembers:
        assert {node.step.direction for node in grow(STRATEGIES[name], plan, ends).nodes} == {Direction.FIRST}


@pytest.mark.parametrize("name", STRATEGIES)
def test_it_has_a_title(name: str) -> None:
    assert STRATEGIES[name].title
