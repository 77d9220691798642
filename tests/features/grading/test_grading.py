"""Answers in files are graded by the problem's environment, in the real sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app import registry
from app.domain.problem import Problem
from app.domain.problem_codec import encode_problem
from app.domain.values import dumps
from app.errors import InvalidInput, SandboxUnavailable
from app.features.grading import service
from app.features.grading.schemas import MAX_REPLY, MAX_TEXT, Graded, read_problem
from tests.support.problems import FAMILIES

ENVIRONMENTS = ("abduction", "deduction", "induction")
PLAIN = {
    "id": "double",
    "environment": "deduction",
    "program": "def f(x):\n    return [x, x]",
    "inputs": ["'a'"],
    "outputs": ["['a', 'a']"],
}
KEPT = {"environment": "deduction", "program": "def f(x): return x", "inputs": ['{"t":[1]}'], "outputs": ["1"]}
MISSHAPEN: tuple[dict[str, object], ...] = (
    {"environment": []},
    {"program": 5},
    {"inputs": [], "outputs": []},
    {"outputs": []},
    {"inputs": [5]},
    {"inputs": 5},
    {"options": [1]},
    {"options": {"wall_ms": [1]}},
)
HOSTILE = "def f(runs, limit):\n    return open('/etc/passwd').read()"


def write(path: Path, rows: Iterable[Any]) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


async def grade(folder: Path, problems: Iterable[Any], answers: Iterable[Any], **options: Any) -> list[Graded]:
    files = write(folder / "problems.jsonl", problems), write(folder / "answers.jsonl", answers)
    return [graded async for graded in service.grade(*files, **options)]


def exported(problem: Problem, name: str) -> dict[str, Any]:
    """The columns of an export row that matter here."""
    return {"id": name, "env": problem.environment, "problem": encode_problem(problem), "prompt": []}


async def test_the_reference_answer_of_every_environment_is_rewarded(tmp_path: Path) -> None:
    problems = {f"{env}-{i}": family.problem(env, i) for env in ENVIRONMENTS for i, family in enumerate(FAMILIES)}
    answers = [
        {"id": name, "reply": registry.environment(problem.environment).reference_answer(problem)}
        for name, problem in problems.items()
    ]
    graded = await grade(tmp_path, [exported(problem, name) for name, problem in problems.items()], answers)
    assert [(g.id, g.reward, g.verdict) for g in graded] == [(name, 1.0, "passed") for name in problems]


@pytest.mark.parametrize(
    ("environment", "answer", "reason"),
    [
        ("induction", "def f(x): raise ValueError('\\ud800')", "runtime_error"),
        (
            "induction",
            "def f(x):\n    v = x\n    for _ in range(40): v = frozenset({v})\n    return v",
            "unsupported_output",
        ),
        ("induction", "def f(x): return x.replace('</think>', '')", ""),
        ("deduction", "[" * 56 + "]" * 56 + ",", "bad_literal"),
        ("deduction", "frozenset({" * 40 + "1" + "})" * 40, "bad_literal"),
        ("deduction", "'<think></think>'", "wrong_value"),
    ],
)
async def test_an_awkward_answer_gets_its_verdict_and_stops_no_other(
    tmp_path: Path, environment: str, answer: str, reason: str
) -> None:
    problem = {
        "id": "p",
        "environment": environment,
        "program": "def f(x):\n    return x.replace('</think>', '')",
        "inputs": ["'a</think>b'", "'c'"] if environment == "induction" else ["'c'"],
        "outputs": ["'ab'", "'c'"] if environment == "induction" else ["'c'"],
        "message": "Leave the mark out.",
    }
    right = {"id": "p", "reply": "```python\n" + problem["program"] + "\n```\n```output\n'c'\n```"}
    graded = await grade(tmp_path, [problem], [{"id": "p", "answer": answer}, right])
    assert [(g.verdict, g.reason) for g in graded] == [("failed" if reason else "passed", reason), ("passed", "")]
    assert all(g.model_dump_json() for g in graded)


async def test_verdicts_come_in_the_order_of_the_answers(tmp_path: Path) -> None:
    problems = [PLAIN | {"id": f"p{i}", "outputs": ["['a', 'a']"]} for i in range(5)]
    rights = [(i * 7) % 3 == 0 for i in range(60)]
    answers = [{"id": f"p{i % 5}", "answer": "['a', 'a']" if right else "'a'"} for i, right in enumerate(rights)]
    graded = await grade(tmp_path, problems, answers, sandboxes=1)
    assert [g.id for g in graded] == [answer["id"] for answer in answers]
    assert [g.reward for g in graded] == [1.0 if right else 0.0 for right in rights]


async def test_a_bare_answer_and_a_whole_reply_are_read_alike(tmp_path: Path) -> None:
    replies = [
        {"id": "double", "answer": "['a', 'a']"},
        {"id": "double", "answer": " [ 'a' , \"a\" ] "},
        {"id": "double", "reply": "f doubles.\n```output\n['a', 'a']\n```\n"},
        {"id": "double", "reply": "<think>```output\n1\n```</think>\n```output\n['a', 'a']\n```"},
        {"id": "double", "reply": "I do not know."},
        {"id": "double", "answer": "f('a')"},
        {"id": "double", "answer": "('a', 'a')"},
    ]
    graded = await grade(tmp_path, [PLAIN], replies, sandboxes=1)
    assert [g.reward for g in graded] == [1, 1, 1, 1, 0, 0, 0]
    assert [g.reason for g in graded[4:]] == ["no_answer", "bad_literal", "wrong_value"]


async def test_what_is_too_long_is_wrong_and_the_rest_goes_on(tmp_path: Path) -> None:
    right = "\n```output\n['a', 'a']\n```"
    answers = [
        {"id": "double", "reply": "x" * (MAX_REPLY + 1 - len(right)) + right},
        {"id": "double", "reply": "x" * (MAX_REPLY - len(right)) + right},
        {"id": "double", "answer": " " * MAX_TEXT + "1"},
        {"id": "double", "answer": "['a', 'a']"},
    ]
    graded = await grade(tmp_path, [PLAIN], answers, sandboxes=1)
    assert [(g.reward, g.verdict, g.reason) for g in graded] == [
        (0.0, "failed", "too_long"),
        (1.0, "passed", ""),
        (0.0, "failed", "too_long"),
        (1.0, "passed", ""),
    ]
    assert graded[0].detail == "The reply has 1,048,577 characters; at most 1,048,576 are read."
    assert graded[2].detail == "The answer has 262,145 characters; at most 262,144 are read."


async def test_a_broken_problem_does_not_blame_an_answer_that_is_too_long(tmp_path: Path) -> None:
    broken = PLAIN | {"environment": "induction", "outputs": ["'b'"]}
    (graded,) = await grade(tmp_path, [broken], [{"id": "double", "reply": "x" * (MAX_REPLY + 1)}], sandboxes=1)
    assert (graded.reward, graded.reason) == (None, "broken_problem")


async def test_a_program_as_answer_runs_in_the_sandbox(tmp_path: Path) -> None:
    problem = FAMILIES[0].problem("induction", 0)
    answers = [
        {"id": "merge", "answer": problem.program},
        {"id": "merge", "answer": "def f(runs, limit):\n    return []"},
        {"id": "merge", "answer": HOSTILE},
        {"id": "merge", "answer": "def f(runs, limit):\n    while True: pass"},
        {"id": "merge", "answer": "def f(:"},
    ]
    graded = await grade(tmp_path, [exported(problem, "merge")], answers)
    assert [(g.reward, g.reason) for g in graded] == [
        (1.0, ""),
        (0.0, "wrong_value"),
        (0.0, "runtime_error"),
        (0.0, "timeout"),
        (0.0, "syntax_error"),
    ]


async def test_values_may_be_canonical_json(tmp_path: Path) -> None:
    day, big = "2024-02-29", 10**30
    problem = {
        "id": 7,
        "environment": "abduction",
        "program": "def f(day):\n    return 10**30 if day else 0",
        "inputs": [dumps((day,))],
        "outputs": [dumps(big)],
        "values": "canonical",
    }
    graded = await grade(tmp_path, [problem], [{"id": 7, "answer": "'x'"}, {"id": "7", "answer": "''"}], sandboxes=1)
    assert [g.reward for g in graded] == [1.0, 0.0]


async def test_a_broken_problem_blames_no_answer(tmp_path: Path) -> None:
    program = "def f(x): return x"
    wrong = {"id": "wrong", "environment": "induction", "inputs": ["1"], "outputs": ["5"], "program": program}
    answers = [{"id": "wrong", "answer": "def f(x): return 5"}] * 2
    graded = await grade(tmp_path, [wrong], answers, sandboxes=1)
    assert [(g.reward, g.verdict, g.reason) for g in graded] == [(None, "error", "broken_problem")] * 2
    assert "wrong_value" in graded[0].detail


async def test_trouble_of_ours_is_an_error_and_never_a_zero(tmp_path: Path) -> None:
    class Down:
        """A sandbox that is out of order, as the port describes it."""

        async def run(self, program: object, *, replica: int = 0) -> object:  # noqa: ARG002
            raise SandboxUnavailable("The zygote died.")

    known = read_problem(exported(FAMILIES[0].problem("induction", 0), "merge"))
    (judgement,) = await service._judge(known, ["```python\ndef f(runs, limit): return []\n```"], Down())  # type: ignore[arg-type]
    graded = Graded.of("merge", judgement)
    assert (graded.reward, graded.verdict, graded.reason) == (None, "error", "sandbox_unavailable")


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ("{", "line 2, line", "Not JSON"),
        ("[]", "line 2, line", "JSON object"),
        ('"\\ud800"', "line 2, line", "JSON object"),
        ({"id": "double"}, "line 2, answer", "Give either"),
        ({"id": "double", "answer": "1", "reply": "1"}, "line 2, answer", "Give either"),
        ({"id": "double", "answer": 5}, "line 2, answer", "must be text"),
        ({"answer": "1"}, "line 2, id", "required"),
        ({"id": "nobody", "answer": "1"}, "line 2, id", "no problem 'nobody'"),
    ],
)
async def test_a_bad_answer_names_file_line_and_field(tmp_path: Path, line: Any, field: str, words: str) -> None:
    good = {"id": "double", "answer": "['a', 'a']"}
    write(tmp_path / "problems.jsonl", [PLAIN]), write(tmp_path / "answers.jsonl", [good, line, good])
    before: list[Graded] = []
    stream = service.grade(tmp_path / "problems.jsonl", tmp_path / "answers.jsonl", sandboxes=1)
    with pytest.raises(InvalidInput) as caught:  # noqa: PT012 - it comes after the verdicts before it
        async for graded in stream:
            before.append(graded)
    assert caught.value.field == f"{tmp_path / 'answers.jsonl'}, {field}"
    assert words in caught.value.message
    assert [g.reward for g in before] == [1.0], "what stood before the bad line is graded"


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (PLAIN | {"environment": "alchemy"}, "environment"),
        (PLAIN | {"inputs": ["f(1)"]}, "inputs.0"),
        (PLAIN | {"outputs": ["1 +"]}, "outputs.0"),
        (PLAIN | {"outputs": []}, "outputs"),
        (PLAIN | {"inputs": []}, "inputs"),
        (PLAIN | {"inputs": [[1]]}, "inputs.0"),
        (PLAIN | {"values": "canonical"}, "inputs.0"),
        (PLAIN | {"options": {"wall_ms": 10**9}}, "options.wall_ms"),
        (PLAIN | {"options": {"colour": "blue"}}, "options.colour"),
        ({"id": "x", "problem": "{}"}, "problem"),
        ({key: value for key, value in PLAIN.items() if key != "program"}, "program"),
        (PLAIN, "id"),
        (PLAIN | {"id": "\ud800"}, "id"),
        (PLAIN | {"outputs": ["[" * 56 + "]" * 56 + ","]}, "outputs.0"),
        (PLAIN | {"values": "canonical", "outputs": ["[" * 60 + "]" * 60], "inputs": ['{"t":[1]}']}, "outputs.0"),
        ({"id": "x", "problem": "[" * 100_000}, "problem"),
        *(({"id": "x", "problem": json.dumps(KEPT | change)}, "problem") for change in MISSHAPEN),
        ("not json", "line"),
        ("[" * 100_000, "line"),
    ],
)
async def test_a_bad_problem_names_file_line_and_field(tmp_path: Path, row: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await grade(tmp_path, [PLAIN, row], [])
    assert caught.value.field == f"{tmp_path / 'problems.jsonl'}, line 2, {field}"


async def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    answers = write(tmp_path / "answers.jsonl", [])
    for path, words in ((tmp_path / "nowhere.jsonl", "No such file"), (tmp_path, "directory")):
        with pytest.raises(InvalidInput, match=words):
            await anext(service.grade(path, answers))
    (tmp_path / "train.parquet").write_bytes(b"PAR1....")
    with pytest.raises(InvalidInput, match="Parquet"):
        await anext(service.grade(tmp_path / "train.parquet", answers))


async def test_answers_are_read_no_further_than_they_are_graded(tmp_path: Path) -> None:
    """Ten thousand answers: at most a bounded number has been read when the first verdict comes."""
    known = read_problem(PLAIN)
    read = 0

    def answers() -> Iterable[service.Answer]:
        nonlocal read
        for _ in range(10_000):
            read += 1
            yield service.Answer.of("double", "['a', 'a']", None)

    stream = service.grade_stream(lambda _: known, answers(), sandboxes=1)
    assert (await anext(stream)).reward == 1.0
    assert read < 1_000
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_library_that_is_missing_here_is_blamed_on_no_answer(tmp_path: Path) -> None:
    """Also where Cairn made the problem, on a machine that had it."""
    source = "import no_such_library\ndef f(x):\n    return x"
    problem = Problem(
        "abduction", source, ((1,),), (1,), options=registry.environment("abduction").Options().model_dump()
    )
    graded = await grade(tmp_path, [exported(problem, "p")], [{"id": "p", "answer": "2"}], sandboxes=1)
    assert [(g.reward, g.verdict, g.reason) for g in graded] == [(None, "error", "broken_problem")]
    assert "no_such_library" in graded[0].detail
