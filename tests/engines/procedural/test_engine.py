"""The engine through its port, the real sandbox and the real environments."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app import registry
from app.domain.difficulty import Band
from app.domain.ports import AttemptRequest, EngineContext, ProposalRequest, Sandbox, Student, Teacher
from app.domain.problem import InvalidProposal, Verdict
from app.domain.tree import Brief, Direction, Node, PastTurn, Place, Step
from app.engines.procedural.calls import Entry
from app.isolation import open_sandbox
from tests.engines.procedural.seeds import SEED

ENVIRONMENTS = ("abduction", "deduction", "fuzzing", "induction")
TARGET = Band(0.35, 0.65)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def entry() -> AsyncIterator[Entry]:
    async with open_sandbox(preload=Entry.MODULES) as sandbox:
        yield Entry(sandbox)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def teacher() -> AsyncIterator[Teacher]:
    engine = registry.engine("procedural")
    options = engine.TeacherOptions.model_validate({"unchecked": 0.0})
    async with engine.teacher(options, EngineContext(open_sandbox)) as teacher:
        yield teacher


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def student() -> AsyncIterator[Student]:
    engine = registry.engine("procedural")
    async with engine.student(engine.StudentOptions(), EngineContext(open_sandbox)) as student:
        yield student


def brief(environment: str, rng: int, history: tuple[PastTurn, ...] = (), step: Step | None = None) -> Brief:
    options = registry.environment(environment).Options().model_dump(mode="json")
    return Brief(environment, SEED, "snippet", step or Step(Direction.FIRST, TARGET), rng, history, options=options)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
async def test_proposals_pass_every_check_and_are_attempted(
    environment: str, teacher: Teacher, student: Student, sandbox: Sandbox
) -> None:
    plugin = registry.environment(environment)
    verdicts: set[Verdict] = set()
    for rng in range(6):
        reply = await teacher.propose(ProposalRequest(brief(environment, rng), ()))
        problem = await plugin.check(plugin.parse(reply.text), sandbox, plugin.Options())
        request = AttemptRequest(environment, plugin.present(problem), tuple, str, 12, rng)
        replies = await student.attempt(request)
        assert len(replies) == 12
        assert replies == await student.attempt(request)
        verdicts |= {
            judgement.verdict for judgement in await plugin.verify(problem, [r.text for r in replies], sandbox)
        }
    assert verdicts == {Verdict.PASSED, Verdict.FAILED}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
async def test_a_turn_grows_out_of_the_history_alone(environment: str, teacher: Teacher, sandbox: Sandbox) -> None:
    plugin = registry.environment(environment)
    first = await teacher.propose(ProposalRequest(brief(environment, 1), ()))
    problem = await plugin.check(plugin.parse(first.text), sandbox, plugin.Options())
    costs = {}
    for direction, rate in ((Direction.HARDER, 1.0), (Direction.EASIER, 0.0)):
        node = Node(Place(1), Step(Direction.FIRST, TARGET), rate)
        step = Step(direction, TARGET, Place(1))
        told = brief(environment, 2, (PastTurn(node, first.text, problem),), step)
        reply = await teacher.propose(ProposalRequest(told, ()))
        assert reply == await teacher.propose(ProposalRequest(told, ()))
        await plugin.check(plugin.parse(reply.text), sandbox, plugin.Options())
        assert reply.text != first.text
        costs[direction] = float(reply.reasoning.rsplit(" ", 1)[-1].rstrip("."))
    assert costs[Direction.EASIER] < costs[Direction.HARDER]


async def test_a_proposal_that_nobody_tried_can_be_invalid_and_is_mended(sandbox: Sandbox) -> None:
    engine = registry.engine("procedural")
    plugin = registry.environment("induction")
    hasty = engine.TeacherOptions.model_validate({"unchecked": 1.0})
    careful = engine.TeacherOptions.model_validate({"unchecked": 0.0})
    async with (
        engine.teacher(hasty, EngineContext(open_sandbox)) as first,
        engine.teacher(careful, EngineContext(open_sandbox)) as second,
    ):
        mended = 0
        for rng in range(40):
            reply = await first.propose(ProposalRequest(brief("induction", rng), ()))
            try:
                await plugin.check(plugin.parse(reply.text), sandbox, plugin.Options())
            except InvalidProposal as invalid:
                node = Node(Place(1), Step(Direction.FIRST, TARGET), None, invalid.code)
                past = PastTurn(node, reply.text, None, invalid.detail)
                step = Step(Direction.REPAIR, TARGET, Place(1))
                again = await second.propose(ProposalRequest(brief("induction", rng, (past,), step), ()))
                await plugin.check(plugin.parse(again.text), sandbox, plugin.Options())
                mended += 1
                if mended == 3:
                    break
        assert mended == 3


@pytest.mark.parametrize("text", ["", "\x00\x01", "(" * 9_000, "int main() { return 0; }", "# only\n# comments\n" * 30])
async def test_any_text_is_a_seed(text: str, teacher: Teacher) -> None:
    made = Brief("deduction", text, "snippet", Step(Direction.FIRST, TARGET), 1)
    reply = await teacher.propose(ProposalRequest(made, ()))
    assert "```python" in reply.text


async def test_an_attempt_that_runs_away_costs_only_itself(entry: Entry) -> None:
    """A regular expression that never ends counts no steps: the sandbox ends it."""
    endless = {"program": "import re\ndef f(n):\n    return bool(re.match('(a+)+$', 'a' * 60 + 'b'))", "output": True}
    fine = {"program": "def f(n):\n    return n > 2", "output": True}
    calls = [("abduction", view, 1, 0, 1.0) for view in (fine, endless, fine)]
    first, runaway, last = await entry.each("attempt", calls, effort=0.1)
    assert runaway is None
    assert first == last
    assert "```input" in str(first)
