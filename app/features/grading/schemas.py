"""A problem, an answer and a verdict as they stand in files and requests. docs/formats.md describes them for users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app import registry
from app.domain.code import imports_others
from app.domain.fences import fenced
from app.domain.problem import Judgement, Problem, Verdict
from app.domain.problem_codec import decode_problem
from app.domain.text import UNSTORABLE
from app.domain.values import LiteralError, Value, loads, parse_arguments, parse_literal
from app.domain.values.codec import RESULT_DEPTH
from app.errors import AppError, InvalidForm
from app.messages import by_field

MAX_TEXT = 1 << 18  # characters of a program or an answer
MAX_REPLY = 4 * MAX_TEXT  # with its reasoning


def _writable(text: str) -> str:
    if UNSTORABLE.search(text):
        raise ValueError("must not hold NUL or half of a surrogate pair")
    return text


# Numbers may serve as ids too: files of others often count their rows.
Id = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    AfterValidator(_writable),
    Field(min_length=1),
]


def _scalar(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be a number, a text, true or false")
    return value


# Checked before the union is, whose members would each complain at a place of their own.
_Option = Annotated[bool | int | float | str, BeforeValidator(_scalar)]


class PlainProblem(BaseModel):
    """A problem that Cairn need not have made. Fields that are not listed are ignored."""

    model_config = ConfigDict(frozen=True)

    id: Id
    environment: str
    program: str = Field(max_length=MAX_TEXT)
    inputs: list[str] = Field(min_length=1, max_length=1_000)
    outputs: list[str] = Field(max_length=1_000)
    message: str = Field(default="", max_length=MAX_TEXT)
    options: dict[str, _Option] = Field(default_factory=dict)
    values: Literal["python", "canonical"] = "python"


class PlainAnswer(BaseModel):
    """An answer as a file has it: a bare `answer`, or a model's whole `reply` with its fenced block."""

    model_config = ConfigDict(frozen=True)

    id: Id
    answer: str | None = None
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be graded: a reply as an environment reads it, or what it comes to without being read."""

    id: str
    reply: str
    verdict: Judgement | None = None

    @classmethod
    def of(cls, name: str, answer: str | None, reply: str | None) -> Answer:
        """From a bare answer or a whole reply. One that is too long is wrong, whatever stands in it, and not kept."""
        if reply is not None:
            return _too_long(name, "reply", reply, MAX_REPLY) or cls(name, reply)
        text = answer or ""
        return _too_long(name, "answer", text, MAX_TEXT) or cls(name, fenced(text))


def _too_long(name: str, what: str, text: str, longest: int) -> Answer | None:
    if len(text) <= longest:
        return None
    detail = f"The {what} has {len(text):,} characters; at most {longest:,} are read."
    return Answer(name, "", Judgement(Verdict.FAILED, "too_long", detail))


@dataclass(frozen=True, slots=True)
class KnownProblem:
    """A problem by its id. `checked` says that Cairn made it, and so executed it once, with what is here too."""

    id: str
    problem: Problem
    checked: bool


class Graded(BaseModel):
    """The verdict on one answer. `reward` is 1 or 0; null where trouble of ours or of the problem left none."""

    id: str
    reward: float | None
    verdict: Literal["passed", "failed", "error"]
    reason: str
    detail: str

    @classmethod
    def of(cls, name: str, judgement: Judgement) -> Graded:
        reward = {Verdict.PASSED: 1.0, Verdict.FAILED: 0.0, Verdict.ERROR: None}[judgement.verdict]
        return cls(
            id=name,
            reward=reward,
            verdict=judgement.verdict.value,
            reason=judgement.reason,
            detail=judgement.detail,
        )


def read_answer(data: object) -> Answer:
    """Raises InvalidForm."""
    plain: PlainAnswer = _validated(PlainAnswer, data)
    if (plain.answer is None) == (plain.reply is None):
        raise InvalidForm({"answer": "give either `answer`, the bare answer, or `reply`, the model's whole reply"})
    return Answer.of(plain.id, plain.answer, plain.reply)


def read_problem(data: object) -> KnownProblem:
    """A row of an export (what counts is its `problem`), or a PlainProblem. Raises InvalidForm."""
    if isinstance(data, Mapping) and isinstance(data.get("problem"), str) and isinstance(data.get("id"), str):
        try:
            problem = decode_problem(data["problem"])
        except ValueError as error:
            raise InvalidForm({"problem": f"{error}; it is written by an export and not by hand"}) from error
        _read(_writable, data["id"], "id")
        if not problem.inputs or len(problem.inputs) != len(problem.outputs):
            counts = f"{len(problem.inputs)} inputs and {len(problem.outputs)} outputs"
            raise InvalidForm({"problem": f"it has {counts}; it is written by an export and not by hand"})
        return KnownProblem(data["id"], _known_environment(problem), checked=not imports_others(problem.program))
    plain = _validated(PlainProblem, data)
    if len(plain.outputs) != len(plain.inputs):
        raise InvalidForm({"outputs": f"there are {len(plain.outputs)} for {len(plain.inputs)} inputs; give one each"})
    inputs, outputs = _VALUES[plain.values]
    problem = Problem(
        environment=plain.environment,
        program=plain.program,
        inputs=tuple(_read(inputs, text, f"inputs.{i}") for i, text in enumerate(plain.inputs)),
        outputs=tuple(_read(outputs, text, f"outputs.{i}") for i, text in enumerate(plain.outputs)),
        message=plain.message,
        options=plain.options,
    )
    return KnownProblem(plain.id, _known_environment(problem), checked=False)


def _canonical_arguments(text: str) -> tuple[Value, ...]:
    value = loads(text, RESULT_DEPTH)
    if not isinstance(value, tuple):
        raise ValueError('the arguments of a call are a tuple, {"t":[...]}')
    return value


def _canonical_value(text: str) -> Value:
    return loads(text, RESULT_DEPTH)


_VALUES: dict[str, tuple[Callable[[str], tuple[Value, ...]], Callable[[str], Value]]] = {
    "python": (parse_arguments, parse_literal),
    "canonical": (_canonical_arguments, _canonical_value),
}


def _read(read: Callable[[str], Any], text: str, field: str) -> Any:
    try:
        return read(text)
    except (LiteralError, ValueError) as error:
        raise InvalidForm({field: f"{text[:60]!r}: {error}"}) from error


def _known_environment(problem: Problem) -> Problem:
    """Raises InvalidForm where the environment is not installed or does not take the options."""
    try:
        environment = registry.environment(problem.environment)
    except AppError as error:
        raise InvalidForm({"environment": str(error)}) from error
    try:
        environment.Options.model_validate(dict(problem.options))
    except ValidationError as error:
        raise InvalidForm(by_field(error, "options")) from error
    return problem


def _validated(schema: type[Any], data: object) -> Any:
    if not isinstance(data, Mapping):
        raise InvalidForm({"line": f"a JSON object is wanted, not {type(data).__name__}"})
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise InvalidForm(by_field(error)) from error
