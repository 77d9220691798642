import pytest

from app import registry
from app.errors import InvalidForm, InvalidInput
from app.features.runs import form
from app.features.runs.presets import PRESETS
from app.features.runs.schemas import from_yaml, parse, strange_text, to_yaml

MINIMAL = {"seeds": {"set": "heap"}}


def errors_of(data: dict[str, object]) -> dict[str, str]:
    with pytest.raises(InvalidForm) as caught:
        parse(data)
    return caught.value.errors


def test_the_defaults_are_the_papers() -> None:
    config = parse(MINIMAL)
    assert (config.turns, config.attempts, config.strategy) == (6, 32, "adaptive")
    assert set(config.environments) == {"abduction", "deduction", "fuzzing", "induction"}
    assert config.minimum == 24


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"attempts": 0}, "attempts", "1 or more"),
        ({"attempts": "many"}, "attempts", "a whole number"),
        ({"turns": 65}, "turns", "64 or less"),
        ({"seeds": {"set": "heap", "count": -1}}, "seeds.count", "1 or more"),
        ({"seeds": {}}, "seeds.set", "required"),
        ({"atempts": 3}, "atempts", "no such field"),
        ({"target": {"low": 0.9, "high": 0.1}}, "target.high", "must not lie below"),
        ({"target": {"low": float("nan"), "high": 0.1}}, "target.low", "finite"),
        ({"environments": ["deduction", "poetry"]}, "environments", "poetry"),
        ({"environments": ["deduction", "deduction"]}, "environments", "once"),
        ({"environments": []}, "environments", "at least 1"),
        ({"strategy": "luck"}, "strategy", "adaptive"),
        ({"teacher": {"engine": "oracle"}}, "teacher.engine", "oracle"),
        ({"teacher": {"engine": "openai"}}, "teacher.options.base_url", "required"),
        (
            {"student": {"engine": "openai", "options": {"base_url": "http://u:p@h/v1", "model": "m"}}},
            "student.options.base_url",
            "api_key_variable",
        ),
        (
            {
                "student": {
                    "engine": "openai",
                    "options": {"base_url": "http://h/v1", "model": "m", "api_key_variable": "DATABASE_URL"},
                }
            },
            "student.options.api_key_variable",
            "must be CAIRN_MODEL_KEY",
        ),
        (
            {"environments": ["deduction"], "environment_options": {"induction": {}}},
            "environment_options.induction",
            "does not use",
        ),
        ({"environment_options": {"induction": {"inputs": 1}}}, "environment_options.induction.inputs", "or more"),
        ({"minimum_verdicts": 40}, "minimum_verdicts", "only"),
        ({"seed": 2**63}, "seed", "less than"),
        ({"name": "a\nb"}, "name", "printable"),
        ({"name": "a\0b"}, "name", "NUL"),
        ({"teacher": {"engine": "openai", "options": {"model": "m\0"}}}, "teacher.options.model", "NUL"),
        ({"environments": ["deduction", "\ud800"]}, "environments.1", "surrogate"),
        ({"environment_options": {"\ud800": {}}}, "environment_options.\ufffd", "surrogate"),
    ],
)
def test_a_wrong_setting_is_named_with_its_field(change: dict[str, object], field: str, words: str) -> None:
    errors = errors_of(MINIMAL | change)
    assert words in errors[field]


def test_all_wrong_settings_are_told_at_once() -> None:
    assert set(errors_of({"seeds": {"set": "x"}, "turns": 0, "attempts": 0})) == {"turns", "attempts"}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_a_valid_start_and_survives_yaml(preset: str) -> None:
    config = parse(MINIMAL | dict(PRESETS[preset]))
    assert from_yaml(to_yaml(config)) == config


@pytest.mark.parametrize(
    "text",
    [
        "seeds: [",
        "- a\n- b",
        "3",
        "",
        "!!python/object/apply:os.system ['true']",
        "[" * 10_000,
        "a: &a [x]\nb: *a",
        "turns: " + "9" * 5_000,
        "name: 9999-99-99",
        "name: !!timestamp x",
        "name: !!int ''",
        "baseline: !!bool perhaps",
    ],
)
def test_yaml_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_yaml(text)
    assert caught.value.field == "yaml"


def test_form_fields_become_the_same_config() -> None:
    pairs = [
        ("seeds.set", "heap"),
        ("seeds.count", ""),
        ("environments", "induction"),
        ("environments", "deduction"),
        ("turns", "3"),
        ("kept.low", "0.1"),
        ("kept.high", "0.9"),
        ("environment_options.induction.inputs", "4"),
        ("environment_options.induction.visible_inputs", "3"),
        ("environment_options.abduction.exact", "true"),
        ("teacher.engine", "openai"),
        ("teacher.options.base_url", "http://gpu-1:8000/v1"),
        ("teacher.options.model", "gpt-oss-120b"),
    ]
    config = parse(form.to_data(pairs))
    assert config.environments == ["induction", "deduction"]
    assert (config.turns, config.seeds.count, config.kept.low) == (3, None, 0.1)
    assert config.environment_options == {"induction": {"inputs": 4, "visible_inputs": 3}}
    assert config.options_of("induction").model_dump()["inputs"] == 4
    shown = form.values_of(config.model_dump(mode="json"))
    again = parse(form.to_data([*shown.items(), *(("environments", name) for name in config.environments)]))
    assert again == config


def test_a_forms_fields_carry_bounds_hints_and_errors() -> None:
    fields = {field.name: field for field in form.refinement_fields({"turns": "0"}, {"turns": "too few"})}
    turns = fields["turns"]
    assert (turns.kind, turns.value, turns.error, turns.attributes["min"]) == ("number", "0", "too few", "1")
    assert "paper" in turns.hint
    openai = {field.name: field for field in form.engine_fields("student", "openai", {}, {})}
    assert openai["student.options.prompt"].choices == (("chat", "chat"), ("plain", "plain"))
    assert openai["student.options.base_url"].attributes["required"] == "required"


ADDRESS = {"base_urls": "http://gpu-1:8001/v1"}


def test_a_profile_stands_in_for_options_left_out_and_only_they_are_kept() -> None:
    config = parse(
        {
            "seeds": {"set": "s"},
            "teacher": {"engine": "vllm", "profile": "gpt-oss-120b", "options": ADDRESS},
            "student": {"engine": "openai", "profile": "qwen3-8b-base",
                        "options": {"base_url": "http://gpu-1:8002/v1", "max_tokens": 99}},
        }
    )  # fmt: skip
    assert (config.teacher.profile, config.teacher.options["reasoning_effort"]) == (None, "high")
    assert (config.student.options["prompt"], config.student.options["max_tokens"]) == ("plain", 99)
    assert parse(config.model_dump(mode="json")) == config


def test_every_profile_makes_settings_of_its_engines() -> None:
    for engine, address in (("vllm", ADDRESS), ("openai", {"base_url": "http://gpu-1:8001/v1"})):
        for name, profile in registry.engine(engine).profiles.items():
            for role in ("teacher", "student"):
                if not profile.options(role):
                    continue
                chosen = {"engine": engine, "profile": name, "options": address}
                options = getattr(parse({"seeds": {"set": "s"}, role: chosen}), role).options
                assert options["model"] == name


@pytest.mark.parametrize("engine", ["vllm", "procedural"])
def test_a_profile_that_is_not_known_is_refused_at_its_field(engine: str) -> None:
    with pytest.raises(InvalidForm) as raised:
        parse({"seeds": {"set": "s"}, "student": {"engine": engine, "profile": "gpt-7", "options": {}}})
    assert "There is no profile 'gpt-7' of a student for this engine." in raised.value.errors["student.profile"]


def test_deep_and_lengthy_names_cost_no_more_than_their_size() -> None:
    """A path is told in part: what stands in one may have any length, and may lie at any depth."""
    deep: dict[str, object] = {"x": "a\0b"}
    for _ in range(100_000):
        deep = {"a": deep}
    found = strange_text(deep)
    assert list(found) == [".".join(["a"] * 19 + ["x"])]
    lengthy = {"k" * 100_000: ["\0"] * 10_000}
    found = strange_text(lengthy)
    assert len(found) == 20
    assert max(map(len, found)) < 300
    assert form.to_data([(".".join(["a"] * 20_000), "1")]) == {
        "a": {"a": {"a": {"a": {".".join(["a"] * 19_996): "1"}}}},
        "environments": [],
    }
