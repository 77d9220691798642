"""Gold values by execution: twice, in processes that share nothing, with other hash seeds and in the opposite order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.domain.ports import Call, Limits, Outcome, Program, Sandbox, Status
from app.domain.problem import InvalidProposal
from app.domain.values import Arguments, Value, render, same

# How a call ended -> the machine name of it, for proposals and attempts alike.
CODES = {
    Status.TIMEOUT: "timeout",
    Status.MEMORY: "memory",
    Status.OUTPUT_LIMIT: "output_limit",
    Status.UNSUPPORTED: "unsupported_output",
    Status.CRASHED: "crashed",
}
_UNPARSED = frozenset({"SyntaxError", "IndentationError", "TabError"})
_SHOWN = 200


def failure(outcome: Outcome) -> tuple[str, str]:
    """The machine name and the words for an outcome that is no value."""
    what = f"{outcome.error}: {outcome.detail}" if outcome.error and outcome.detail else outcome.error or outcome.detail
    if outcome.loading and outcome.status is Status.EXCEPTION:
        return ("syntax_error" if outcome.error in _UNPARSED else "load_error"), what
    return CODES.get(outcome.status, "runtime_error"), what


async def execute(source: str, calls: Sequence[Call], sandbox: Sandbox, limits: Limits) -> tuple[Value, ...]:
    """The value of every call, in order. Raises InvalidProposal where one fails or the two executions differ.

    The second execution makes the calls from the last to the first, so that a function that remembers is found out.
    """
    forward = Program(source, tuple(calls), limits)
    backward = Program(source, tuple(reversed(calls)), limits)
    there, back = await asyncio.gather(sandbox.run(forward, replica=0), sandbox.run(backward, replica=1))
    values: list[Value] = []
    for call, one, two in zip(calls, there.outcomes, reversed(back.outcomes), strict=True):
        # A limit hit on one side only is reported as what it is, an exception on one side only as a difference.
        bad = [outcome for outcome in (one, two) if outcome.status is not Status.VALUE]
        if bad and (len(bad) == 2 or bad[0].status is not Status.EXCEPTION):
            code, what = failure(bad[0])
            where = "while the program is loaded" if bad[0].loading else shown_call(call)
            raise InvalidProposal(code, f"{where}{f': {what}' if what else ''}"[:1_000])
        if bad or not same(one.value, two.value):
            results = " and ".join(_shown(outcome) for outcome in (one, two))
            raise InvalidProposal("nondeterministic", f"{shown_call(call)} gave {results} in two executions.")
        values.append(one.value)
    return tuple(values)


def written(value: Value, longest: int, what: str) -> str:
    """A gold value as text. Raises InvalidProposal where it is too long to show."""
    text = render(value)
    if len(text) > longest:
        raise InvalidProposal("output_limit", f"{what} has {len(text):,} characters; at most {longest:,} are taken.")
    return text


def shown_call(call: Call) -> str:
    return f"{call.function}({shown_arguments(call.arguments)})"


def shown_arguments(arguments: Arguments) -> str:
    """Arguments as in a call, cut where they are long."""
    text = ", ".join(render(argument) for argument in arguments)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _shown(outcome: Outcome) -> str:
    if outcome.status is not Status.VALUE:
        return outcome.error or outcome.status.value
    text = render(outcome.value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
