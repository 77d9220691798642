"""What a selection takes, leaves out and orders."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.difficulty import bin_of
from app.errors import InvalidForm
from app.features.curricula.schemas import Selection, parse_selection
from app.features.curricula.selection import REASONS, Candidate, evaluate

EVERYTHING = Selection(approved_only=False)


def candidate(number: int, rate: float | None = 0.5, **changes: Any) -> Candidate:
    plain = Candidate(
        variant_id=number,
        run_id=1,
        chain_id=1,
        chain_position=0,
        arm="main",
        environment="deduction",
        turn=number,
        branch=1,
        content_hash=f"content {number}",
        fingerprint=f"code {number}",
        review="approved",
        rate=rate,
    )
    return replace(plain, **changes)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    numbers = st.integers(0, 9)
    return [
        candidate(
            number,
            draw(st.none() | st.integers(0, 32).map(lambda passed: passed / 32)),
            chain_id=draw(numbers),
            environment=draw(st.sampled_from(["abduction", "deduction"])),
            fingerprint=f"code {draw(numbers)}",
            review=draw(st.sampled_from(["", "approved", "rejected"])),
        )
        for number in range(draw(st.integers(0, 40)))
    ]


selections = st.builds(
    Selection,
    approved_only=st.booleans(),
    bin_set=st.sampled_from(["broad", "narrow"]),
    bins=st.sets(st.sampled_from(["easy", "medium", "hard"])).map(sorted),
    complete_chains=st.booleans(),
    leave_out_unmeasured=st.booleans(),
    maximum=st.none() | st.integers(1, 3),
    order=st.sampled_from(["easiest_first", "hardest_first", "position", "shuffled"]),
    seed=st.integers(0, 3),
)


def ids(found: Any) -> list[int]:
    return [item.candidate.variant_id for item in found.chosen]


@given(candidates(), selections)
def test_every_candidate_is_chosen_excluded_for_a_reason_or_unmeasured(
    some: list[Candidate], selection: Selection
) -> None:
    found = evaluate(some, selection)
    excluded = [c.variant_id for group in found.excluded.values() for c in group]
    unmeasured = [c.variant_id for c in found.unmeasured]
    assert sorted(ids(found) + excluded + unmeasured) == [c.variant_id for c in some]
    assert set(found.excluded) <= set(REASONS)


@given(candidates(), selections)
def test_what_is_chosen_keeps_every_rule(some: list[Candidate], selection: Selection) -> None:
    found = evaluate(some, selection)
    for item in found.chosen:
        assert item.candidate.review == "approved" if selection.approved_only else item.candidate.review != "rejected"
        assert item.bin == bin_of(item.rate, selection.bins_of_set)
        assert not selection.bins or item.bin in selection.bins
    codes = [item.candidate.fingerprint for item in found.chosen]
    assert len(set(codes)) == len(codes)
    if selection.maximum:
        per = Counter((item.candidate.environment, item.bin) for item in found.chosen)
        assert all(count <= selection.maximum for count in per.values())


@given(candidates(), selections, st.randoms())
def test_the_order_of_the_candidates_does_not_matter(some: list[Candidate], selection: Selection, random: Any) -> None:
    mixed = list(some)
    random.shuffle(mixed)
    assert evaluate(mixed, selection) == evaluate(some, selection)


def test_unmeasured_variants_are_held_against_the_selection_or_left_out() -> None:
    some = [candidate(1, None), candidate(2)]
    assert [c.variant_id for c in evaluate(some, EVERYTHING).unmeasured] == [1]
    left_out = evaluate(some, EVERYTHING.model_copy(update={"leave_out_unmeasured": True}))
    assert not left_out.unmeasured
    assert [c.variant_id for c in left_out.excluded["no_pass_rate"]] == [1]


def test_complete_chains_hold_an_easy_a_medium_and_a_hard_variant() -> None:
    whole = [candidate(i, rate, chain_id=1) for i, rate in enumerate((0.9, 0.5, 0.2))]
    part = [candidate(10 + i, rate, chain_id=2) for i, rate in enumerate((0.9, 0.5))]
    selection = EVERYTHING.model_copy(update={"complete_chains": True})
    assert ids(evaluate(whole + part, selection)) == [0, 1, 2]
    medium = selection.model_copy(update={"bins": ["medium"]})
    assert ids(evaluate(whole + part, medium)) == [1], "completeness is asked before bins are chosen"
    unapproved = [replace(whole[0], review=""), *whole[1:]]
    assert ids(evaluate(unapproved, selection.model_copy(update={"approved_only": True}))) == []


def test_a_maximum_keeps_chains_together_where_chains_are_chosen() -> None:
    some = [
        candidate(10 * chain + i, rate, chain_id=chain) for chain in range(6) for i, rate in enumerate((0.9, 0.5, 0.2))
    ]
    found = evaluate(some, EVERYTHING.model_copy(update={"complete_chains": True, "maximum": 2}))
    assert sorted(Counter(item.candidate.chain_id for item in found.chosen).values()) == [3, 3]


@pytest.mark.parametrize(
    ("order", "wanted"),
    [("easiest_first", [3, 1, 2]), ("hardest_first", [2, 1, 3]), ("position", [1, 2, 3])],
)
def test_orders(order: str, wanted: list[int]) -> None:
    some = [candidate(1, 0.5), candidate(2, 0.2), candidate(3, 0.9)]
    assert ids(evaluate(some, EVERYTHING.model_copy(update={"order": order}))) == wanted


def test_a_shuffled_order_depends_on_the_seed_and_a_new_problem_moves_no_other() -> None:
    some = [candidate(i) for i in range(40)]
    shuffled = EVERYTHING.model_copy(update={"order": "shuffled", "seed": 1})
    before = ids(evaluate(some, shuffled))
    assert before != ids(evaluate(some, EVERYTHING.model_copy(update={"order": "position"})))
    assert before != ids(evaluate(some, shuffled.model_copy(update={"seed": 2})))
    after = ids(evaluate([*some, candidate(99)], shuffled))
    assert [i for i in after if i != 99] == before


def test_only_an_order_by_difficulty_has_stages() -> None:
    some = [candidate(1, 0.9), candidate(2, 0.5), candidate(3, 0.51)]
    assert [c.stage for c in evaluate(some, EVERYTHING).chosen] == [0, 1, 1]
    assert {c.stage for c in evaluate(some, EVERYTHING.model_copy(update={"order": "position"})).chosen} == {0}


def test_counts_hold_every_bin_of_the_set() -> None:
    found = evaluate([candidate(1, 0.9), candidate(2, 0.2), candidate(3, 0.21)], EVERYTHING)
    assert found.counts() == {"deduction": {"easy": 1, "easy-medium": 0, "medium": 0, "hard": 2}}
    assert found.rates() == [(0.2, 1), (0.21, 1), (0.9, 1)]


@given(candidates(), st.integers(0, 39))
def test_the_digest_tells_when_a_pass_rate_changed(some: list[Candidate], at: int) -> None:
    before = evaluate(some, EVERYTHING)
    assert evaluate(list(some), EVERYTHING).digest == before.digest
    if chosen := ids(before):
        number = chosen[at % len(chosen)]
        changed = [replace(c, rate=0.515625 if c.variant_id == number else c.rate) for c in some]
        assert evaluate(changed, EVERYTHING).digest != before.digest


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"bins": ["impossible"]}, "bins"),
        ({"bin_set": "narrow", "bins": ["easy-medium"]}, "bins"),
        ({"maximum": 0}, "maximum"),
        ({"order": "sideways"}, "order"),
        ({"colour": "blue"}, "colour"),
        ({"runs": ["x"]}, "runs.0"),
        ("nonsense", "selection"),
    ],
)
def test_a_wrong_selection_names_its_field(data: object, field: str) -> None:
    with pytest.raises(InvalidForm) as caught:
        parse_selection(data)
    assert field in caught.value.errors
