"""What a teacher proposes, what a student answers, and what is said of both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.domain.values import Arguments, Value

_CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")


class InvalidProposal(Exception):
    """A proposal that fails a validity check.

    `code` is the machine name that is stored, counted and shown (`missing_block`, `timeout`, ...); `detail` is the
    sentence that the next turn tells the teacher.
    """

    def __init__(self, code: str, detail: str) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError(f"not a machine name: {code!r}")
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Draft:
    """A teacher's reply cut into its fenced blocks, nothing executed yet."""

    program: str
    inputs: tuple[Arguments, ...]
    message: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A checked proposal with its gold outputs.

    `outputs[i]` is what executing the program on `inputs[i]` gave; for environments whose answer is judged by a
    property rather than by a value it may be shorter. `options` are the environment's own settings under which the
    problem was checked (plain JSON values), so that a problem is verified the same way years later.
    """

    environment: str
    program: str
    inputs: tuple[Arguments, ...]
    outputs: tuple[Value, ...]
    message: str = ""
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)


class Verdict(StrEnum):
    """`ERROR` is an infrastructure failure: it is retried, then left out of the pass rate; never a wrong answer."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"


class Judgement(NamedTuple):
    """The verdict on one answer; `reason` is a machine name (`wrong_value`, `timeout`, `no_answer`, ...)."""

    verdict: Verdict
    reason: str = ""
    detail: str = ""
    answer: str = ""


class Reply(NamedTuple):
    """One sample of a model. `reasoning` is what it thought before answering, already split off `text`."""

    text: str
    reasoning: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""


class Message(NamedTuple):
    """One chat message; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str
