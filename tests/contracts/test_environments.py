"""What every environment keeps: over all environments found, from the example that its own prompt shows."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
import pytest_asyncio

from app import prompts, registry
from app.domain.ports import Environment, Execution, Isolation, Program, Sandbox
from app.domain.problem import InvalidProposal, Problem, Verdict
from app.domain.problem_codec import decode_problem, encode_problem
from app.environments._common.blocks import blocks
from app.errors import SandboxUnavailable

pytestmark = pytest.mark.asyncio(loop_scope="session")

NONSENSE = [
    "",
    "I do not know.",
    "```python\n```",
    "```python\nx = (\n```",
    "```python\ndef f(*a):\n    return '\ud800'\n```",
    "```python\nf = " + "(" * 9_000 + "\n```",
    "```output\n(((\n```",
    "```output\n" + "[" * 9_000 + "]" * 9_000 + "\n```",
    "```input\nopen('x')\n```",
    "```input\n'\0\ud800', " + "9" * 9_000 + "\n```",
]


class Recorder:
    """A sandbox that counts what it is asked to run."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.isolation = sandbox.isolation
        self.programs: list[Program] = []

    async def run(self, program: Program, *, replica: int = 0) -> Execution:
        self.programs.append(program)
        return await self._sandbox.run(program, replica=replica)


class Broken:
    """A sandbox on a machine where nothing can be run."""

    isolation = Isolation.FULL

    async def run(self, program: Program, *, replica: int = 0) -> Execution:
        raise SandboxUnavailable(f"No process is left on replica {replica} for {len(program.calls)} calls.")


@pytest.fixture(params=sorted(registry.environments()))
def kind(request: pytest.FixtureRequest) -> Environment:
    return registry.environment(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def problem(kind: Environment, sandbox: Sandbox) -> Problem:
    """The example of the environment's prompt, checked under default options."""
    draft = kind.parse(prompts.example_reply(kind.name))
    return await kind.check(draft, sandbox, kind.Options())


def answer_text(kind: Environment, problem: Problem) -> str:
    return blocks(kind.reference_answer(problem))[-1].text


async def test_the_example_of_its_prompt_is_a_valid_proposal(kind: Environment, problem: Problem) -> None:
    assert problem.environment == kind.name
    assert problem.inputs
    assert kind.Options.model_validate(problem.options) == kind.Options()


async def test_it_says_what_it_is(kind: Environment) -> None:
    assert kind.title
    assert kind.version
    assert all(reason.sentence.endswith(".") for reason in kind.reasons.values())


async def test_the_reference_answer_passes(kind: Environment, problem: Problem, sandbox: Sandbox) -> None:
    (judgement,) = await kind.verify(problem, [kind.reference_answer(problem)], sandbox)
    assert judgement.verdict is Verdict.PASSED
    assert judgement.answer == answer_text(kind, problem)


async def test_a_stored_problem_is_judged_the_same(kind: Environment, problem: Problem, sandbox: Sandbox) -> None:
    stored = decode_problem(encode_problem(problem))
    replies = [kind.reference_answer(problem), *NONSENSE]
    assert await kind.verify(stored, replies, sandbox) == await kind.verify(problem, replies, sandbox)


@pytest.mark.parametrize("reply", NONSENSE)
async def test_nonsense_fails_for_a_known_reason(
    kind: Environment, problem: Problem, sandbox: Sandbox, reply: str
) -> None:
    (judgement,) = await kind.verify(problem, [reply], sandbox)
    assert judgement.verdict is Verdict.FAILED
    assert judgement.reason in kind.reasons


async def test_judgements_come_in_the_order_of_replies(kind: Environment, problem: Problem, sandbox: Sandbox) -> None:
    right = kind.reference_answer(problem)
    judgements = await kind.verify(problem, ["none", right, "", f"Well:\n{right}", "none"], sandbox)
    assert [judgement.verdict == "passed" for judgement in judgements] == [False, True, False, True, False]


async def test_no_replies_give_no_judgements(kind: Environment, problem: Problem, sandbox: Sandbox) -> None:
    assert await kind.verify(problem, [], sandbox) == []


async def test_equal_answers_are_run_once(kind: Environment, problem: Problem, sandbox: Sandbox) -> None:
    recorder = Recorder(sandbox)
    right = kind.reference_answer(problem)
    judgements = await kind.verify(problem, [right, f"<think>\nhm\n</think>\n{right}"] * 16, recorder)
    assert {judgement.verdict for judgement in judgements} == {Verdict.PASSED}
    assert len(recorder.programs) <= 1


async def test_a_broken_sandbox_is_no_wrong_answer(kind: Environment, problem: Problem, sandbox: Sandbox) -> None:
    """What needs no sandbox is judged without it; what needs it is an error."""
    replies = [kind.reference_answer(problem), *other_answers(kind, problem)]
    working = await kind.verify(problem, replies, sandbox)
    for judgement, would_be in zip(await kind.verify(problem, replies, Broken()), working, strict=True):
        if judgement.verdict is Verdict.ERROR:
            assert judgement.reason == "sandbox_unavailable"
            assert judgement.answer
        else:
            assert judgement == would_be


async def test_a_broken_sandbox_is_no_invalid_proposal(kind: Environment) -> None:
    draft = kind.parse(prompts.example_reply(kind.name))
    with pytest.raises(SandboxUnavailable):
        await kind.check(draft, Broken(), kind.Options())


async def test_the_student_is_not_shown_the_answer(kind: Environment, problem: Problem) -> None:
    view = kind.present(problem)
    for prompt in (prompts.student_messages(kind.name, view)[0].content, prompts.student_prompt(kind.name, view)):
        assert answer_text(kind, problem) not in prompt


async def test_checking_again_gives_the_same_problem(kind: Environment, problem: Problem, sandbox: Sandbox) -> None:
    draft = kind.parse(prompts.example_reply(kind.name))
    assert encode_problem(await kind.check(draft, sandbox, kind.Options())) == encode_problem(problem)


@pytest.mark.parametrize("reply", ["", "Sorry.", "```python\nx = 1\n```", "```input\n1\n```", "```message\nhi\n```"])
async def test_a_reply_without_its_blocks_is_invalid(kind: Environment, reply: str) -> None:
    with pytest.raises(InvalidProposal) as caught:
        kind.parse(reply)
    assert caught.value.code == "missing_block"
    assert kind.reasons["missing_block"].remedy


async def test_options_are_plain_and_have_defaults(kind: Environment) -> None:
    options = kind.Options().model_dump()
    assert json.loads(json.dumps(options)) == options
    assert all(isinstance(value, bool | int | float | str) for value in options.values())
    assert all(field.title and field.description for field in kind.Options.model_fields.values())


def other_answers(kind: Environment, problem: Problem) -> Sequence[str]:
    """Readable answers that are not the reference."""
    language = blocks(kind.reference_answer(problem))[-1].language
    return ["```python\ndef f(*a):\n    return a\n```"] if language == "python" else [f"```{language}\n'other', 1\n```"]
