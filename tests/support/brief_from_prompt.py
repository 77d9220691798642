"""Reads the facts back out of rendered prompts, so that a model server of ours can answer with the procedural engine.

A server sees only text. `read_brief` and `read_view` find in it what the engine is told in process; options other than
the number of inputs, and what was told of problems and attempts in prose, are not read back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.difficulty import Band
from app.domain.problem import Message
from app.domain.tree import Brief, Direction, Node, PastTurn, Place, Step
from app.domain.values import Value, parse_arguments, parse_literal

_RESULT = re.compile(
    r"- Result: (?:invalid \((?P<code>\w+)\)"
    r"|pass rate [\d.]+ \((?P<passed>\d+) of (?P<n>\d+) attempts passed\)"
    r"|not measured)"
)


@dataclass(frozen=True, slots=True)
class Text:
    """A prompt cut in two: the lines outside fences, and the fenced blocks with their first word."""

    lines: tuple[str, ...]
    blocks: tuple[tuple[str, str], ...]

    def block(self, info: str) -> str | None:
        return next((text for name, text in self.blocks if name == info), None)

    def find(self, pattern: str) -> re.Match[str] | None:
        return next((found for line in self.lines if (found := re.match(pattern, line))), None)


def split(text: str) -> Text:
    """Fences as CommonMark has them: closed by one that is at least as long, with nothing after it."""
    lines: list[str] = []
    blocks: list[tuple[str, str]] = []
    fence, info, inside = "", "", []
    for line in text.split("\n"):
        opening = re.fullmatch(r"(`{3,})(\w*)", line)
        if not fence and opening:
            fence, info, inside = opening[1], opening[2], []
        elif fence and re.fullmatch(f"`{{{len(fence)},}}", line):
            blocks.append((info, "\n".join(inside)))
            fence = ""
        elif fence:
            inside.append(line)
        else:
            lines.append(line)
    return Text(tuple(lines), tuple(blocks))


def read_brief(messages: Sequence[Message], rng: int = 0) -> Brief:
    """The brief that `app.prompts.Conversation` was given. Raises ValueError for another conversation."""
    asked = [split(message.content) for message in messages if message.role == "user"]
    replies = [message.content for message in messages if message.role == "assistant"]
    first = asked[0]
    steps = [_step(text) for text in asked]
    history = tuple(
        _past(step, reply, after) for step, reply, after in zip(steps[:-1], replies, asked[1:], strict=True)
    )
    inputs = first.find(r"- Give (\d+) different inputs")
    return Brief(
        environment=_found(first.find(r"# The task: .*\((\w+)\)"))[1],
        seed_text=first.block("seed") or "",
        seed_kind=_found(first.find(r"Kind: (\w+)\."))[1],
        step=steps[-1],
        rng=rng,
        history=history,
        instruction=asked[-1].block("instruction") or "",
        options={"inputs": int(inputs[1])} if inputs else {},
    )


def read_view(prompt: str) -> tuple[str, Mapping[str, Value]]:
    """The environment and the view that a student's prompt, for chat or base models, was rendered from."""
    text = split(prompt.split("\n## Problem\n")[-1])
    program, output = text.block("python"), text.block("output")
    if signature := text.find(r"Write a Python function `(.*)` for this description:"):
        values = [block for block in text.blocks if block[0] in ("input", "output")]
        pairs = zip(values[::2], values[1::2], strict=True)
        hidden = text.find(r"It must also give the right outputs on (\d+) further inputs")
        return "induction", {
            "message": text.block("message"),
            "signature": signature[1],
            "examples": [(parse_arguments(given[1]), parse_literal(gold[1])) for given, gold in pairs],
            "hidden": int(hidden[1]) if hidden else 0,
        }
    if text.find("Find arguments for which this function returns") and output is not None:
        return "abduction", {"program": program, "output": parse_literal(output)}
    if text.find("Work out what this function returns"):
        return "deduction", {"program": program, "arguments": parse_arguments(text.block("input") or "")}
    if text.find("The property that `test_f` states"):
        return "fuzzing", {"program": program}
    raise ValueError("not a student's prompt")


def _step(text: Text) -> Step:
    direction = _found(text.find(r"- Direction: (\w+)"))
    target = _found(text.find(r"- Target pass rate: ([\d.]+) to ([\d.]+)"))
    parent = text.find(r"- Start from: problem (\d+)\.(\d+)")
    return Step(
        Direction(direction[1]),
        Band(float(target[1]), float(target[2])),
        Place(int(parent[1]), int(parent[2])) if parent else None,
    )


def _past(step: Step, reply: str, after: Text) -> PastTurn:
    place = _found(after.find(r"## How problem (\d+)\.(\d+) went"))
    result = _found(after.find(_RESULT.pattern))
    passed, n = int(result["passed"] or 0), int(result["n"] or 0)
    return PastTurn(
        Node(Place(int(place[1]), int(place[2])), step, passed / n if n else None, result["code"]),
        reply,
        invalid_detail=(after.block("detail") or "") if result["code"] else "",
        passed=passed,
        n=n,
    )


def _found(match: re.Match[str] | None) -> re.Match[str]:
    if match is None:
        raise ValueError("not a teacher's conversation")
    return match
