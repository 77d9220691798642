"""The form of a new run: presets, clones, files, errors at their fields, and nothing typed that gets lost."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
import yaml

from app import registry
from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.features.runs.presets import PRESETS
from app.features.runs.schemas import from_yaml
from app.models import Chain, SeedSet
from tests.support import builders
from tests.support.browsing import Visitor

OPENAI = {"teacher.engine": "openai", "teacher.options.base_url": "http://gpu-1:8000/v1", "teacher.options.model": "m"}


@pytest.fixture
def seeds(ada: Actor) -> SeedSet:
    with unit_of_work() as session:
        return builders.seed_set(session, ada, name="functions")


def small(seeds: SeedSet, **changes: object) -> dict[str, object]:
    """What a browser sends of a small run."""
    fields = {"action": "launch", "seeds.set": seeds.name, "environments": ["deduction", "induction"], "turns": "2",
              "attempts": "4", "baseline": "false"}  # fmt: skip
    return fields | changes


def value(page: str, name: str) -> str:
    """What stands in a field."""
    found = re.search(rf'<input id="{re.escape(name)}"[^>]* value="([^"]*)"', page)
    if found:
        return html.unescape(found[1])
    area = re.search(rf'<textarea id="{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    if area:
        return html.unescape(area[1])
    choice = re.search(rf'<select id="{re.escape(name)}".*?</select>', page, re.DOTALL)
    assert choice, f"there is no field {name}"
    chosen = re.search(r'<option value="([^"]*)" selected', choice[0])
    return html.unescape(chosen[1]) if chosen else ""


def error_at(page: str, name: str) -> str:
    """What is said beside a field."""
    found = re.search(rf'<small class="bad" id="{re.escape(name)}-error">(.*?)</small>', page)
    return html.unescape(found[1]) if found else ""


def test_without_seeds_it_leads_to_the_import(page: Visitor) -> None:
    text = page.get("/runs/new").text
    assert "No seeds yet" in text
    assert "/seeds/new" in text


def test_every_parameter_of_the_method_has_its_field(page: Visitor, seeds: SeedSet) -> None:
    text = page.get("/runs/new").text
    names = set(re.findall(r'name="([\w.]+)"', text))
    expected = {"name", "seeds.set", "seeds.count", "seeds.skip", "environments", "teacher.engine", "student.engine",
                "strategy", "turns", "attempts", "branching", "minimum_verdicts", "baseline", "seed", "target.low",
                "target.high", "kept.low", "kept.high"}  # fmt: skip
    for name, environment in registry.environments().items():
        expected |= {f"environment_options.{name}.{option}" for option in environment.Options.model_fields}
    assert expected <= names


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_the_form(page: Visitor, seeds: SeedSet, preset: str) -> None:
    text = page.get(f"/runs/new?from={preset}").text
    assert value(text, "turns") == str(PRESETS[preset]["turns"])
    assert value(text, "attempts") == str(PRESETS[preset]["attempts"])
    assert f'href="/runs/new?from={preset}" aria-current="page"' in text


def test_a_clone_is_the_same_run_without_its_name(page: Visitor, seeds: SeedSet) -> None:
    answer = page.submit(
        "/runs/new", small(seeds, name="First", **{"seeds.count": "2", "target.low": "0.2", "target.high": "0.5"})
    )
    text = page.get(f"/runs/new?from={answer.headers['location'].rpartition('/')[2]}").text
    assert [value(text, name) for name in ("name", "seeds.set", "seeds.count", "turns", "target.low", "baseline")] == [
        "", "functions", "2", "2", "0.2", "false",
    ]  # fmt: skip
    assert 'value="deduction" checked' in text
    assert 'value="fuzzing" checked' not in text
    assert "like run 1, First" in text


@pytest.mark.parametrize(("start", "status"), [("nonsense", 422), ("999", 404), ("9" * 30, 422)])
def test_a_start_that_is_not_there(page: Visitor, start: str, status: int) -> None:
    assert page.get(f"/runs/new?from={start}").status_code == status


def test_a_link_from_a_seed_set_chooses_it(page: Visitor, ada: Actor, seeds: SeedSet) -> None:
    with unit_of_work() as session:
        builders.seed_set(session, ada, name="newer")
    assert value(page.get("/runs/new").text, "seeds.set") == "newer"
    assert value(page.get("/runs/new?seeds.set=functions").text, "seeds.set") == "functions"


def test_a_launch_writes_the_run_with_its_chains(page: Visitor, seeds: SeedSet) -> None:
    answer = page.submit("/runs/new", small(seeds, name="Mine"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/1")
    with unit_of_work() as session:
        chains = session.query(Chain).all()
        assert {chain.environment for chain in chains} == {"deduction", "induction"}
        assert len(chains) == 2 * seeds.seed_count
    config = page.get("/api/v1/runs/1").json()["config"]
    assert (config["name"], config["turns"], config["attempts"], config["baseline"]) == ("Mine", 2, 4, False)


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"attempts": "0"}, "attempts", "1 or more"),
        ({"turns": "many"}, "turns", "whole number"),
        ({"seeds.count": "900"}, "seeds.count", "asks for 900"),
        ({"seeds.skip": "900"}, "seeds.skip", "none after the first 900"),
        ({"seeds.set": "gone"}, "seeds.set", "no seed set named 'gone'"),
        ({"target.low": "0.9", "target.high": "0.1"}, "target.high", "below"),
        ({"minimum_verdicts": "5"}, "minimum_verdicts", "only 4 attempts"),
        ({"environments": []}, "environments", "at least 1"),
        ({"environment_options.induction.inputs": "1"}, "environment_options.induction.inputs", "or more"),
        ({"teacher.engine": "openai"}, "teacher.options.base_url", "required"),
    ],
)
def test_an_error_stands_at_its_field_and_what_was_typed_stays(
    page: Visitor, seeds: SeedSet, changes: dict[str, object], field: str, says: str
) -> None:
    answer = page.submit("/runs/new", small(seeds, name="Kept", **changes))
    assert answer.status_code == 422
    assert says in error_at(answer.text, field)
    assert f'<a href="#{field}">{field}</a>' in answer.text
    assert value(answer.text, "name") == "Kept"
    for name, typed in changes.items():
        if isinstance(typed, str) and name != "seeds.set":
            assert value(answer.text, name) == typed
    assert page.get("/api/v1/runs").json()["items"] == []


def test_an_error_within_closed_options_opens_them(page: Visitor, seeds: SeedSet) -> None:
    answer = page.submit("/runs/new", small(seeds, **{"environment_options.induction.inputs": "1"}))
    assert '<details id="options-induction" open>' in answer.text
    assert '<details id="options-deduction">' in answer.text


def test_the_options_of_a_chosen_engine_appear_and_those_of_the_last_one_are_forgotten(
    page: Visitor, seeds: SeedSet
) -> None:
    before = page.get("/runs/new").text
    fields = set(re.findall(r'name="(teacher\.options\.\w+)"', before))
    assert fields
    assert "teacher.options.base_url" not in before
    text = page.submit("/runs/new", small(seeds, action="update", **{"teacher.engine": "openai"})).text
    assert value(text, "teacher.engine") == "openai"
    assert value(text, "teacher.options.base_url") == ""
    assert error_at(text, "teacher.options.base_url") == "", "what nobody has got to yet is not wrong"
    left_over = dict.fromkeys(fields, "0.5")
    answer = page.submit("/runs/new", small(seeds, **(left_over | OPENAI)))
    assert answer.status_code == 303


def test_a_known_model_fills_in_its_settings_once(page: Visitor, seeds: SeedSet) -> None:
    """All of them, and nothing is left of the one before; addresses stay."""
    typed = small(seeds, action="update", **OPENAI, **{"student.engine": "vllm"})
    student = {"student.options.base_urls": "http://gpu-1:8001/v1", "student.options.reasoning_effort": "high",
               "student.options.max_tokens": "17"}  # fmt: skip
    plain = page.submit("/runs/new", typed | student).text
    assert 'value="qwen3-8b-base"' in plain
    assert 'name="teacher.profile"' in plain
    text = page.submit("/runs/new", typed | student | {"student.profile": "qwen3-8b-base"}).text
    names = ("profile", *(f"options.{n}" for n in ("base_urls", "model", "prompt", "max_tokens", "reasoning_effort")))
    assert [value(text, f"student.{name}") for name in names] == [
        "qwen3-8b-base", "http://gpu-1:8001/v1", "qwen3-8b-base", "plain", "4096", "",
    ]  # fmt: skip
    assert value(text, "teacher.options.model") == "m"
    assert "Filled in for qwen3-8b-base." in text
    assert 'name="student.filled" value="qwen3-8b-base"' in text
    picked = {"student.profile": "qwen3-8b-base", "student.filled": "qwen3-8b-base"}
    again = page.submit("/runs/new", typed | student | picked).text
    assert value(again, "student.options.max_tokens") == "17", "what was changed afterwards stays"
    launched = page.submit(
        "/runs/new", small(seeds, **OPENAI, **student, **{"student.engine": "vllm", "student.profile": "qwen2.5-32b"})
    )
    assert launched.status_code == 303
    config = page.get("/api/v1/runs/1").json()["config"]
    assert "profile" not in config["student"]
    assert config["student"]["options"]["model"] == "qwen2.5-32b"
    assert config["student"]["options"]["max_tokens"] == 4096


@pytest.mark.parametrize("name", ["gpt-7", "qwen3-8b-base"])  # the latter is no teacher
def test_a_model_that_is_not_known_for_the_role_is_refused(page: Visitor, seeds: SeedSet, name: str) -> None:
    answer = page.submit("/runs/new", small(seeds, **OPENAI, **{"teacher.profile": name}))
    assert answer.status_code == 422
    assert "Known: gpt-oss-120b." in error_at(answer.text, "teacher.profile")
    assert "profile" not in page.get("/runs/new").text, "the procedural engine knows no models of others"


def test_htmx_gets_the_form_alone_with_its_size(page: Visitor, seeds: SeedSet) -> None:
    data = small(seeds, action="update", csrf=page.csrf("/runs/new"), **{"seeds.count": "2", "baseline": "true"})
    answer = page.post("/runs/new", data=data, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<form id="new-run"')
    figures = re.findall(r"<dd>(.*?)</dd>", answer.text)
    assert figures[0].startswith("8, half")
    assert figures[1:3] == ["16", "up to 64"]
    assert answer.text.count('<li><a href="/seeds/') == 2, "the first seeds, each linked"


def test_a_wrong_figure_is_told_before_the_launch(page: Visitor, seeds: SeedSet) -> None:
    text = page.submit("/runs/new", small(seeds, action="update", attempts="0")).text
    assert error_at(text, "attempts")
    assert "Shown once the settings are complete" in text


def test_the_form_as_yaml_and_back(page: Visitor, seeds: SeedSet) -> None:
    typed = small(seeds, action="yaml", name="Überlauf: ja", **OPENAI, **{"environment_options.induction.inputs": "7"})
    text = page.submit("/runs/new", typed).text
    written = value(text, "yaml")
    config = from_yaml(written)
    assert config.name == "Überlauf: ja"
    assert config.environment_options == {"induction": {"inputs": 7}}
    assert config.teacher.options["base_url"] == "http://gpu-1:8000/v1"
    read = page.submit("/runs/new", {"action": "load", "yaml": written}).text
    for name in ("name", "turns", "teacher.engine", "teacher.options.model", "environment_options.induction.inputs"):
        assert value(read, name) == value(text, name)
    assert "Nothing has been launched yet" in read


def test_a_file_goes_before_what_stands_in_the_text(page: Visitor, seeds: SeedSet) -> None:
    file = yaml.safe_dump({"seeds": {"set": "functions"}, "turns": 3}).encode()
    answer = page.submit(
        "/runs/new", {"action": "load", "yaml": "turns: 5"}, files={"file": ("run.yaml", file, "application/yaml")}
    )
    assert answer.status_code == 200
    assert value(answer.text, "turns") == "3"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("turns: [1", "line 1"),
        ("just words", "mapping"),
        ("", "nothing to read"),
        ("a: &a [x]\nb: [*a, *a]", "aliases"),
        ("[" * 9_000, "YAML"),
    ],
)
def test_yaml_that_is_none_is_refused_and_kept(page: Visitor, seeds: SeedSet, text: str, says: str) -> None:
    answer = page.submit("/runs/new", small(seeds, action="load", yaml=text, name="Kept"))
    assert answer.status_code == 422
    assert says in error_at(answer.text, "yaml")
    assert value(answer.text, "yaml") == text
    assert value(answer.text, "name") == "Kept", "the form keeps what it had"


def test_an_unknown_key_is_named(page: Visitor, seeds: SeedSet) -> None:
    answer = page.submit("/runs/new", {"action": "load", "yaml": "seeds: {set: functions}\nturms: 3"})
    assert answer.status_code == 422
    assert "turms" in answer.text
    assert "check its spelling" in answer.text


def test_a_huge_file_is_refused(page: Visitor, seeds: SeedSet) -> None:
    file = b"# " + b"x" * 1_100_000
    answer = page.submit("/runs/new", {"action": "load"}, files={"file": ("run.yaml", file, "application/yaml")})
    assert answer.status_code == 422
    assert "too large" in error_at(answer.text, "yaml")


def test_a_viewer_starts_nothing(ada: Actor, seeds: SeedSet, signed_in: Callable[[Actor], Visitor]) -> None:
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vera", Role.VIEWER)
    assert signed_in(viewer).submit("/runs/new", small(seeds)).status_code == 403
