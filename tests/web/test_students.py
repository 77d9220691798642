"""What students are called where several stand side by side."""

from __future__ import annotations

from app.features.chains.schemas import Profile
from app.web.students import told_apart


def student(id_: int, model: str = "qwen", engine: str = "openai", **options: object) -> Profile:
    return Profile(id_, engine, model, {"engine": engine, "options": options})


def test_different_models_need_no_settings() -> None:
    assert told_apart([student(1, temperature=1.0), student(2, "llama", temperature=0.5)]) == {1: "qwen", 2: "llama"}


def test_one_model_is_told_apart_by_the_settings_that_differ() -> None:
    low, high = student(1, temperature=0.6, top_p=0.9), student(2, temperature=1.0, top_p=0.9)
    assert told_apart([low, high, low]) == {1: "qwen (temperature 0.6)", 2: "qwen (temperature 1)"}


def test_switches_lists_and_what_is_not_set_are_put_into_words() -> None:
    plain = student(1, think=False, reasoning_effort=None, base_urls=["http://a", "http://b"])
    other = student(2, think=True, reasoning_effort="high", base_urls=["http://a"])
    assert told_apart([plain, other]) == {
        1: "qwen (no think, no reasoning effort, base urls http://a, http://b)",
        2: "qwen (think, reasoning effort high, base urls http://a)",
    }


def test_the_engine_tells_apart_and_its_own_settings_are_named_once() -> None:
    assert told_apart([student(1, temperature=1), student(2, engine="vllm", temperature=1, lora="a")]) == {
        1: "qwen (engine openai)",
        2: "qwen (engine vllm, lora a)",
    }


BODY = '{"chat_template_kwargs": {"enable_thinking": true, "reasoning_budget": 512}, "top_k": 20, "min_p": 0.05%s}'


def test_long_values_are_shown_from_where_they_part() -> None:
    names = told_apart([student(1, extra_body=BODY % ""), student(2, extra_body=BODY % ', "seed": 7')])
    assert names == {
        1: 'qwen (extra body …0, "min_p": 0.05})',
        2: 'qwen (extra body …0, "min_p": 0.05, "seed": 7})',
    }


def test_what_is_long_and_parts_here_and_there_is_shown_whole_rather_than_alike() -> None:
    bodies = [BODY.replace("true", truth) % end for truth in ("true", "false") for end in ("", ', "seed": 7')]
    names = told_apart(student(id_, extra_body=body) for id_, body in enumerate(bodies))
    assert len(set(names.values())) == len(bodies)


def test_a_setting_that_only_one_has_is_cut_and_strange_specs_do_no_harm() -> None:
    names = told_apart([student(1, extra_body="x" * 500), Profile(2, "openai", "qwen", {"options": None})])
    assert len(names[1]) < 100
    assert names[2] == "qwen"
