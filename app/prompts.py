"""What the models are told, rendered from templates/prompts: one folder per environment, `_shared` for all.

The teacher's prompt is a conversation: the rules and the seed, each earlier reply followed by how it went, and at the
end of every message of ours the next request. What is said of one turn never changes later, so that servers can
reuse the prefix of a chain. Everything that is not ours (seeds, attempts, error texts, instructions) stands in fences
that it cannot close.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined, Template

from app.domain.fences import fenced
from app.domain.problem import Message
from app.domain.reasons import VALIDITY, Reason, meaning
from app.domain.tree import Brief, PastTurn, Place, Step
from app.domain.values import Arguments, Value, render

FOLDER = Path(__file__).parents[1] / "templates" / "prompts"
# A base model goes on writing problems after its answer: generation ends at this text.
BASE_STOP = "\n## Problem"


class Conversation:
    """What the teacher of one chain is told, turn after turn: what was rendered once is said again as it is."""

    def __init__(self, reasons: Mapping[str, Reason] = VALIDITY, libraries: Sequence[str] = ()) -> None:
        """`reasons` are those of the environment.

        `libraries` are what programs may import besides the standard one. Students are not told of them: every problem
        can be solved without, and what an export says to a student must not depend on who exports it.
        """
        self._reasons = reasons
        self._libraries = list(libraries)
        self._said_first = ""
        self._feedback: dict[Place, str] = {}

    def messages(self, brief: Brief) -> tuple[Message, ...]:
        """All of it, up to the request for one proposal."""
        steps = [*(turn.node.step for turn in brief.history), brief.step]
        messages = [Message("system", _system())]
        if not self._said_first:
            self._said_first = _rules(brief, self._libraries)
        said = self._said_first
        for number, turn in enumerate(brief.history):
            asked = _request(steps[number], again=number > 0, instruction=turn.instruction)
            messages.append(Message("user", f"{said}\n\n{asked}"))
            messages.append(Message("assistant", turn.reply))
            said = self._said_of(turn)
        request = _request(brief.step, again=bool(brief.history), instruction=brief.instruction)
        messages.append(Message("user", f"{said}\n\n{request}"))
        return tuple(messages)

    def _said_of(self, turn: PastTurn) -> str:
        place = turn.node.place
        if place not in self._feedback:
            self._feedback[place] = _feedback(turn, self._reasons)
        return self._feedback[place]


def student_messages(environment: str, view: Mapping[str, Value]) -> tuple[Message, ...]:
    """The prompt of one attempt for a chat model. `view` is what `Environment.present` gave."""
    return (Message("user", _render(f"{environment}/student_chat.md.j2", **view)),)


def student_prompt(environment: str, view: Mapping[str, Value]) -> str:
    """The same for a base model: one solved problem, then this one, to be continued up to `BASE_STOP`."""
    return _render(f"{environment}/student_base.md.j2", **view) + "\n\n"


@cache
def example_reply(environment: str) -> str:
    """The reply that the teacher's prompt shows for its format; it is a valid proposal."""
    return _source(f"{environment}/example.md").strip()


@cache
def prompt_hash(environment: str, libraries: tuple[str, ...] = ()) -> str:
    """SHA-256 over the sources of all templates that this environment's prompts use, and `libraries` where it is told
    of some."""
    digest = hashlib.sha256()
    for name in _templates().list_templates(filter_func=lambda name: name.startswith((f"{environment}/", "_shared/"))):
        for part in (name, _source(name)):
            digest.update(part.encode() + b"\0")
    for library in libraries:
        digest.update(f"library {library}\0".encode())
    return digest.hexdigest()


@cache
def _system() -> str:
    return _render("_shared/system.md.j2")


def _rules(brief: Brief, libraries: Sequence[str]) -> str:
    return _render(
        f"{brief.environment}/teacher.md.j2",
        example=example_reply(brief.environment),
        options=brief.options,
        libraries=libraries,
        seed_kind=brief.seed_kind,
        seed_text=brief.seed_text,
    )


@lru_cache(maxsize=256)
def _request(step: Step, *, again: bool, instruction: str = "") -> str:
    return _render("_shared/request.md.j2", step=step, again=again, instruction=instruction)


def _feedback(turn: PastTurn, reasons: Mapping[str, Reason]) -> str:
    reason = meaning(turn.node.invalid, reasons) if turn.node.invalid else None
    pairs = zip(turn.problem.inputs, turn.problem.outputs, strict=False) if turn.problem else ()
    gold = "\n".join(
        f"{_cut(_arguments(arguments), 300)}  ->  {_cut(render(output), 300)}" for arguments, output in pairs
    )
    return _render("_shared/feedback.md.j2", turn=turn, reason=reason, gold=gold)


def _render(name: str, /, **variables: Any) -> str:
    return _template(name).render(variables).strip()


@cache
def _template(name: str) -> Template:
    return _templates().get_template(name)


def _source(name: str) -> str:
    templates = _templates()
    if templates.loader is None:
        raise AssertionError("the templates have a loader")
    return templates.loader.get_source(templates, name)[0]


@cache
def _templates() -> Templates:
    templates = Templates(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown for models, never HTML
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.globals.clear()  # functions that none uses, and that each rendering would take along
    templates.filters |= {"fenced": fenced, "literal": render, "arguments": _arguments, "oneline": _one_line}
    return templates


def _arguments(arguments: Arguments | Sequence[Value]) -> str:
    return ", ".join(render(argument) for argument in arguments)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _one_line(text: str) -> str:
    return _cut(" ".join(text.split()).replace("`", "'"), 300)
