"""One run, four views of it: its page, the API, what `cairn refine --json` prints, and plain SQL say the same."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from sqlalchemy import text

from app.db import unit_of_work
from app.domain.actor import Actor
from app.domain.difficulty import BROAD
from app.domain.seeds import stdlib_snippets
from app.features.runs.report import as_data
from app.features.seeds.service import create_set
from app.models import Variant
from tests.support import builders, refining
from tests.support.browsing import Visitor
from tests.support.tables import tables

ARMS = ("main", "baseline")
BINS = "case {} else '' end".format(
    " ".join(f"when m.rate >= {b.band.low} and m.rate <= {b.band.high} then '{b.name}'" for b in BROAD)
)
UNIQUE = "v.invalid_code is null and v.duplicate_of is null and v.near_of is null"
USABLE = f"{UNIQUE} and not v.contaminated and m.rate >= 0.01 and m.rate <= 0.97"
ROWS = """
from variant v join chain c on c.id = v.chain_id join run r on r.id = v.run_id
left join measurement m on m.variant_id = v.id and m.student_profile_id = r.student_profile_id
where v.run_id = :run and c.arm = :arm
"""
COUNTS = f"""
select count(*) as proposals,
       count(*) filter (where v.invalid_code is null) as valid,
       count(*) filter (where {UNIQUE}) as unique,
       count(*) filter (where {UNIQUE} and not v.contaminated) as clean,
       count(*) filter (where {UNIQUE} and not v.contaminated and m.rate is not null) as measured,
       count(*) filter (where {USABLE}) as usable,
       count(*) filter (where {USABLE} and v.review = 'approved') as approved,
       sum(v.prompt_tokens + v.completion_tokens) as teacher_tokens
{ROWS}
"""
ATTEMPTS = """
select count(*) filter (where a.verdict in ('passed', 'failed')) as attempts,
       count(*) filter (where a.verdict = 'passed') as passed,
       count(*) filter (where a.verdict = 'error') as errors
from attempt a join measurement m on m.id = a.measurement_id join variant v on v.id = m.variant_id
join chain c on c.id = v.chain_id where v.run_id = :run and c.arm = :arm
"""
CHAINS = f"""
select count(*) as chains, count(*) filter (where state <> 'open') as chains_ended,
       count(*) filter (where bins is not null) as chains_usable,
       count(*) filter (where cardinality(array_remove(bins, '')) >= 2) as chains_two_bins,
       count(*) filter (where bins @> array['easy', 'medium', 'hard']) as chains_complete
from (select c.state, array_agg(distinct {BINS}) filter (where {USABLE}) as bins
      from chain c join run r on r.id = c.run_id left join variant v on v.chain_id = c.id
      left join measurement m on m.variant_id = v.id and m.student_profile_id = r.student_profile_id
      where c.run_id = :run and c.arm = :arm group by c.id) as chain
"""  # noqa: S608
IN_BINS = f"select v.environment, {BINS} as bin, count(*) {ROWS} and {USABLE} group by 1, 2"
BY_TURN = (
    f"select v.turn, count(*) filter (where {USABLE}) as usable, count(*) as proposals {ROWS} group by 1 order by 1"
)


@pytest.fixture
def run_id(ada: Actor, broker: str) -> int:
    """A run of its own strategy and its baseline, grown to its end; some of what is usable is approved."""
    with unit_of_work() as session:
        create_set(session, ada, "stdlib", stdlib_snippets(2, random.Random(3)), origin="test")
    run_id = refining.start(ada, baseline=True, environments=["deduction", "abduction", "induction"], attempts=16)
    refining.drive(run_id)
    with unit_of_work() as session:
        good = session.query(Variant).where(Variant.run_id == run_id, Variant.problem.is_not(None))
        builders.approve(session, ada, *good.order_by(Variant.id).limit(9))
    return run_id


def sql(statement: str, run_id: int, arm: str) -> list[dict[str, Any]]:
    with unit_of_work() as session:
        return [dict(row._mapping) for row in session.execute(text(statement), {"run": run_id, "arm": arm})]


def figures(run_id: int, arm: str) -> dict[str, Any]:
    """What the database holds, counted by hand."""
    found: dict[str, Any] = {}
    for statement in (COUNTS, ATTEMPTS, CHAINS):
        found |= sql(statement, run_id, arm)[0]
    found["usable_by_turn"] = {
        str(row["turn"]): {"usable": row["usable"], "proposals": row["proposals"]} for row in sql(BY_TURN, run_id, arm)
    }
    found["bins"] = {(row["environment"], row["bin"]): row["count"] for row in sql(IN_BINS, run_id, arm)}
    return found


def test_all_views_say_the_same(page: Visitor, run_id: int) -> None:
    summary = refining.summary(run_id)
    printed = json.loads(json.dumps(as_data(summary)))
    assert page.get(f"/api/v1/runs/{run_id}").json()["summary"] == printed
    shown = tables(page.get(f"/runs/{run_id}").text)
    assert printed["main"]["usable"] > 0
    assert printed["main"]["approved"] > 0
    for column, arm in enumerate(ARMS):
        counted, told = figures(run_id, arm), printed[arm]
        bins = counted.pop("bins")
        assert {name: told[name] for name in counted} == counted
        assert told["yield"] == counted["usable"] / counted["proposals"]
        in_bins = {(env, b): n for env, row in told["usable_by_environment"].items() for b, n in row.items() if n}
        assert in_bins == bins
        funnel = {row[0]: row[1 + 2 * column] for row in shown["funnel"][1:]}
        assert list(funnel.values()) == [
            str(counted[name])
            for name in ("proposals", "valid", "unique", "clean", "measured", "usable", "approved",
                         "chains", "chains_ended", "chains_usable", "chains_two_bins", "chains_complete")
        ]  # fmt: skip
        by_turn = [row[2:4] for row in shown["yield-table"][1:] if (row[1] == "single-turn") == (arm == "baseline")]
        assert by_turn == [[str(t["usable"]), str(t["proposals"])] for t in counted["usable_by_turn"].values()]
        if arm == "main":
            order = [bin_.name for bin_ in BROAD] + [""]
            for row in shown["bins"][1:]:
                counts = [bins.get((row[0].lower(), name), 0) for name in order]
                assert row[1:] == [str(count) for count in [*counts, sum(counts)]]
            rated = sum(int(row[1]) for row in shown["histogram-table"][1:])
            assert rated == counted["measured"]
    listed = tables(page.get("/runs").text)["runs"][1]
    assert listed[3] == str(printed["main"]["usable"])
    assert [cell.rsplit(" ", 1)[1] for cell in listed[4:6]] == [str(printed[arm]["proposals"]) for arm in ARMS]
