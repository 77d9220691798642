"""Goals, caps and early stops on screen and over HTTP: what is asked for, how far it is, and why it ended."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import update

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.features.runs.schemas import from_yaml
from app.models import Chain, Run, SeedSet, Variant
from tests.support import builders
from tests.support.browsing import Visitor
from tests.web.test_new_run import error_at, small, value

LIMITS = {"until.usable": "3", "until.bins": ["hard", "easy"], "caps.tokens": "2000000", "caps.hours": "1.5",
          "early_stop.invalid": "3", "early_stop.unmoved": "4"}  # fmt: skip


@pytest.fixture
def seeds(ada: Actor) -> SeedSet:
    with unit_of_work() as session:
        return builders.seed_set(session, ada, name="functions")


@pytest.fixture
def make(ada: Actor) -> Callable[..., int]:
    def run(state: str = "finished", **config: object) -> int:
        with unit_of_work() as session:
            made = builders.grown_run(session, ada, chains=4, attempts=False, **config)
            made.state = state
            return made.id

    return run


def test_the_form_takes_limits_and_gives_them_back(page: Visitor, seeds: SeedSet) -> None:
    answer = page.submit("/runs/new", small(seeds, **LIMITS))
    assert answer.status_code == 303
    config = page.get("/api/v1/runs/1").json()["config"]
    assert config["until"] == {"usable": 3, "bins": ["easy", "hard"]}
    assert config["caps"] == {"tokens": 2_000_000, "attempts": None, "hours": 1.5, "money": None}
    assert config["early_stop"] == {"invalid": 3, "unmoved": 4}
    assert from_yaml(page.get("/runs/1/config.yaml").text).model_dump() == config
    clone = page.get("/runs/new?from=1").text
    for name, typed in LIMITS.items():
        if isinstance(typed, str):
            assert value(clone, name) == typed
    assert set(re.findall(r'name="until.bins" value="([\w-]+)" checked', clone)) == {"easy", "hard"}


def test_without_a_number_there_is_no_goal_whatever_bins_are_ticked(page: Visitor, seeds: SeedSet) -> None:
    page.submit("/runs/new", small(seeds, **{"until.bins": ["easy", "medium", "hard"]}))
    config = page.get("/api/v1/runs/1").json()["config"]
    assert config["until"] is None
    assert set(config["caps"].values()) == set(config["early_stop"].values()) == {None}


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"until.usable": "0"}, "until.usable", "1 or more"),
        ({"until.usable": "5", "until.bins": ["tricky"]}, "until.bins", "no bin"),
        ({"caps.tokens": "many"}, "caps.tokens", "whole number"),
        ({"caps.hours": "0"}, "caps.hours", "more than 0"),
        ({"caps.money": "5"}, "caps.money", "Name them in CAIRN_PRICES"),
        ({"early_stop.invalid": "1"}, "early_stop.invalid", "2 or more"),
        ({"early_stop.unmoved": "x"}, "early_stop.unmoved", "whole number"),
    ],
)
def test_an_error_stands_at_its_field(
    page: Visitor, seeds: SeedSet, changes: dict[str, object], field: str, says: str
) -> None:
    answer = page.submit("/runs/new", small(seeds, **changes))
    assert answer.status_code == 422
    assert says in error_at(answer.text, field)


def test_the_api_names_the_field_as_well(page: Visitor, seeds: SeedSet, api_token: str) -> None:
    body = {"seeds": {"set": "functions"}, "caps": {"money": 5}}
    answer = page.post("/api/v1/runs", json=body, headers={"Authorization": f"Bearer {api_token}"})
    assert answer.status_code == 422
    assert "caps.money" in answer.text


def test_goals_are_shown_with_numbers(page: Visitor, make: Callable[..., int]) -> None:
    run_id = make("running", until={"usable": 2, "bins": ["medium", "hard"]})
    data = page.get(f"/api/v1/runs/{run_id}").json()["summary"]
    table = page.get(f"/runs/{run_id}").text.split('id="goal"')[1].split("</table>")[0]
    assert len(data["goals"]) == table.count("<tr>") - 1
    for goal in data["goals"]:
        assert goal["wanted"] == 2
        for bin_, count in goal["usable"].items():
            assert count == data["main"]["usable_by_environment"][goal["environment"]][bin_]
    shown = re.findall(r"(?:>(\d+)</a>|</svg> (\d+)) <small>of 2</small>", table)
    assert [int(a or b) for a, b in shown] == [c for goal in data["goals"] for c in goal["usable"].values()]


def test_a_capped_run_says_so_and_is_no_error(page: Visitor, make: Callable[..., int]) -> None:
    run_id = make(caps={"tokens": 2_000_000}, until={"usable": 900, "bins": ["easy"]})
    with unit_of_work() as session:
        session.execute(
            update(Chain).where(Chain.position == 2).values(state="stopped", stop_reason="cap_tokens", epoch=1)
        )
        session.execute(update(Chain).values(student_completion_tokens=500_000))
        never = builders.chain(session, session.get_one(Run, run_id), 9, "fuzzing", state="stopped")
        never.stop_reason = "cap_tokens"
    data, text = page.get(f"/api/v1/runs/{run_id}").json(), page.get(f"/runs/{run_id}").text
    assert (data["state"], data["error"], data["summary"]["capped_by"]) == ("finished", "", "tokens")
    assert data["summary"]["ended_because"].startswith("Stopped at its cap of 2,000,000 tokens")
    assert data["summary"]["ended_because"] in text
    assert "stopped at the run&#39;s cap on tokens" in text
    assert data["summary"]["uncounted"].startswith("No completion tokens are told of the teacher:")
    assert data["summary"]["uncounted"] in text
    assert data["summary"]["main"]["chains_unstarted"] == 1
    assert "<b>1 chain</b> not started" in text


def test_what_went_nowhere_says_how_long_it_tried(page: Visitor, make: Callable[..., int]) -> None:
    run_id = make(early_stop={"unmoved": 3})
    with unit_of_work() as session:
        session.execute(update(Chain).values(next_turn=7))
        chain_id = session.execute(
            update(Chain)
            .where(Chain.position == 1, Chain.arm == "main")
            .values(stop_reason="nowhere_unsolved", next_turn=4)
            .returning(Chain.id)
        ).scalar()
        attempts = session.get_one(Run, run_id).config["attempts"]
    text = page.get(f"/runs/{run_id}").text
    assert f"went nowhere: 3 turns at 0 of {attempts}" in text
    assert "3 turns unspent" in text
    assert "<b>3</b> left unspent" in text
    tree = page.get(f"/runs/{run_id}/tree?node=c{chain_id}").text
    assert f"finished, went nowhere: 3 turns at 0 of {attempts}" in tree


def test_money_stands_beside_tokens_where_there_are_prices(page: Visitor, make: Callable[..., int]) -> None:
    run_id = make(caps={"money": 8})
    with unit_of_work() as session:
        session.get_one(Run, run_id).prices = {
            "currency": "EUR", "teacher": {"completion": 2.0}, "student": {"completion": 1.0}
        }  # fmt: skip
        session.execute(update(Chain).where(Chain.position == 1).values(teacher_completion_tokens=1_000_000))
    text = page.get(f"/runs/{run_id}").text
    chains = text.count("EUR</b>")
    assert chains >= 2
    assert "EUR</b> of 8.00 EUR" in text


# --- previews ------------------------------------------------------------------------------------------------------


def test_a_preview_starts_from_the_form_and_leads_to_the_whole_run(page: Visitor, seeds: SeedSet) -> None:
    answer = page.submit("/runs/new", small(seeds, action="preview", name="Mine", **LIMITS))
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/1")
    text = page.get("/runs/1").text
    assert "Preview: Mine" in text
    assert "Shown once two seeds are grown to their end" in text
    assert 'action="/runs/1/whole"' in text
    clone = page.get("/runs/new?from=1").text
    assert value(clone, "until.usable") == "3", "what a preview leaves out is there again"
    assert value(clone, "seeds.count") == ""
    whole = page.submit("/runs/1/whole")
    assert (whole.status_code, whole.headers["location"]) == (303, "/runs/2")
    config = page.get("/api/v1/runs/2").json()["config"]
    assert config["until"]["usable"] == 3
    assert page.submit("/runs/2/whole").status_code == 409
    assert "/whole" not in page.get("/runs/2").text


def test_a_preview_shows_every_estimate_with_its_interval_and_n(
    page: Visitor, make: Callable[..., int], seeds: SeedSet
) -> None:
    run_id = make(caps={"attempts": 10})
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        run.previews = run.config | {"seeds": {"set": "functions"}, "environments": ["induction"]}
        session.execute(update(Chain).values(state="finished", attempts=20, environment="induction"))
        session.execute(update(Variant).values(environment="induction"))
    data, text = page.get(f"/api/v1/runs/{run_id}").json(), page.get(f"/runs/{run_id}").text
    found = data["summary"]["estimate"]
    assert data["previews"]["seeds"]["set"] == "functions"
    assert found["measured"] >= 2
    assert f"From n = {found['measured']} seeds" in text
    for name in ("Teacher calls", "Student attempts", "Time", "Usable variants", "Usable per teacher call"):
        cells = r'<td class="num">[\d.].*?</td><td class="num">.* to .*</td>'
        assert re.search(rf'<th scope="row">{name}</th>{cells}', text)
    assert "It would stop at its cap on attempts" in text


def test_the_api_starts_previews_and_whole_runs(page: Visitor, seeds: SeedSet, api_token: str) -> None:
    headers = {"Authorization": f"Bearer {api_token}"}
    body = {"seeds": {"set": "functions"}, "environments": ["deduction"], "caps": {"tokens": 5}}
    preview = page.post("/api/v1/runs/preview", json=body, headers=headers)
    assert preview.status_code == 201
    assert preview.json()["previews"]["seeds"]["count"] is None
    assert preview.json()["summary"]["estimate"] is None
    whole = page.post(f"/api/v1/runs/{preview.json()['id']}/whole", headers=headers)
    assert whole.status_code == 201
    assert whole.json()["previews"] is None
    assert page.post(f"/api/v1/runs/{whole.json()['id']}/whole", headers=headers).status_code == 409
    assert page.post("/api/v1/runs/preview", json=body | {"turns": 0}, headers=headers).status_code == 422


def test_others_and_viewers_start_no_whole_run(
    page: Visitor, ada: Actor, seeds: SeedSet, signed_in: Callable[[Actor], Visitor]
) -> None:
    page.submit("/runs/new", small(seeds, action="preview"))
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vera", Role.VIEWER)
        stranger = builders.owner(session, "Sam")
    looking = signed_in(viewer)
    assert "/whole" not in looking.get("/runs/1").text
    assert looking.submit("/runs/1/whole").status_code == 403
    assert signed_in(stranger).submit("/runs/1/whole").status_code == 404
